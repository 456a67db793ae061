"""What the allocator is asked: orders and their lines, as plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.values import MAX_QUANTITY, GeoPoint

MAX_LINES = 10_000
"""Most lines of one order."""


@dataclass(frozen=True, slots=True)
class DemandLine:
    """Units of one SKU wanted; two lines of an order may name the same SKU, and a line whose
    units come together (a kit's) several SKUs, each once."""

    line: str
    sku: str
    quantity: int
    together: str | None = None
    """Lines of an order with the same mark come from one node, all their units, or not at all (parts of a kit, say)."""


@dataclass(frozen=True, slots=True)
class OrderDemand:
    """One order, or what is still open of it, as the allocator sees it.

    `at` is the aware instant of the decision (opening hours are read then). `point` is where goods go; None means
    unknown, which never makes a node look near. `excluded_nodes` may not be used, for example after they rejected.
    What follows is read by the policy's optional parts only; None: not said.
    """

    order: str
    method: DeliveryMethod
    at: datetime
    lines: tuple[DemandLine, ...]
    point: GeoPoint | None = None
    pickup_node: str | None = None
    excluded_nodes: frozenset[str] = frozenset()
    channel: str | None = None
    service: str | None = None
    """The name of the shipping service that was sold."""
    country: str | None = None
    """Where goods go, as two capital letters."""
    region: str | None = None
    promised_by: datetime | None = None
    """Aware instant by which the goods are promised."""
    ship_complete: bool = False
    """Serve every unit of it or none."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """What is known of a node at the moment of a decision, beyond stock and capacity."""

    load_permille: int = 0
    """Its work in hand, in thousandths of what it can do; up to 10,000."""
    courier_free: bool = True
    """Whether its courier can take another trip."""
    reject_permille: int | None = None
    """Its share of rejects as seen of late; None: as the network says."""


def check_state(node: str, state: NodeState) -> None:
    """Raise `InvalidInput` if a node cannot be in this state."""
    permilles = (state.load_permille, 10_000), (state.reject_permille or 0, 1_000)
    if any(type(one) is not int or not 0 <= one <= most for one, most in permilles):
        raise InvalidInput(f"the state of node {node!r} is {state}; give whole thousandths, a load up to 10000")


def check_demand(demand: OrderDemand) -> None:
    """Raise `InvalidInput` if the order cannot be sourced as it is written."""
    if demand.at.tzinfo is None:
        raise InvalidInput(f"order {demand.order!r}: `at` must be an aware datetime; give it a time zone")
    if demand.promised_by is not None and demand.promised_by.tzinfo is None:
        raise InvalidInput(f"order {demand.order!r}: `promised_by` must be an aware datetime; give it a time zone")
    if not demand.lines:
        raise InvalidInput(f"order {demand.order!r} has no lines; leave it out")
    if len(demand.lines) > MAX_LINES:
        raise InvalidInput(f"order {demand.order!r} has over {MAX_LINES} lines; send it in parts")
    if not isinstance(demand.method, DeliveryMethod):
        raise InvalidInput(f"order {demand.order!r}: {demand.method!r} is no DeliveryMethod")
    seen: dict[str, tuple[str | None, set[str]]] = {}
    for line in demand.lines:
        if type(line.quantity) is not int:
            raise InvalidInput(f"order {demand.order!r}, line {line.line!r}: quantity must be a whole number")
        if not 0 < line.quantity <= MAX_QUANTITY:
            raise InvalidInput(f"order {demand.order!r}, line {line.line!r}: quantity must be 1 to {MAX_QUANTITY}")
        mark, skus = seen.setdefault(line.line, (line.together, set()))
        if skus and (mark is None or mark != line.together or line.sku in skus):
            raise InvalidInput(f"order {demand.order!r} names line {line.line!r} twice; number its lines apart")
        skus.add(line.sku)
