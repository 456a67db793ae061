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
    """Units of one SKU wanted; two lines of an order may name the same SKU."""

    line: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class OrderDemand:
    """One order, or what is still open of it, as the allocator sees it.

    `at` is the aware instant of the decision (opening hours are read then). `point` is where goods go; None means
    unknown, which never makes a node look near. `excluded_nodes` may not be used, for example after they rejected.
    """

    order: str
    method: DeliveryMethod
    at: datetime
    lines: tuple[DemandLine, ...]
    point: GeoPoint | None = None
    pickup_node: str | None = None
    excluded_nodes: frozenset[str] = frozenset()


def check_demand(demand: OrderDemand) -> None:
    """Raise `InvalidInput` if the order cannot be sourced as it is written."""
    if demand.at.tzinfo is None:
        raise InvalidInput(f"order {demand.order!r}: `at` must be an aware datetime; give it a time zone")
    if not demand.lines:
        raise InvalidInput(f"order {demand.order!r} has no lines; leave it out")
    if len(demand.lines) > MAX_LINES:
        raise InvalidInput(f"order {demand.order!r} has over {MAX_LINES} lines; send it in parts")
    if not isinstance(demand.method, DeliveryMethod):
        raise InvalidInput(f"order {demand.order!r}: {demand.method!r} is no DeliveryMethod")
    seen: set[str] = set()
    for line in demand.lines:
        if type(line.quantity) is not int:
            raise InvalidInput(f"order {demand.order!r}, line {line.line!r}: quantity must be a whole number")
        if not 0 < line.quantity <= MAX_QUANTITY:
            raise InvalidInput(f"order {demand.order!r}, line {line.line!r}: quantity must be 1 to {MAX_QUANTITY}")
        if line.line in seen:
            raise InvalidInput(f"order {demand.order!r} names line {line.line!r} twice; number its lines apart")
        seen.add(line.line)
