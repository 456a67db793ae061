"""The sourcing policy: every price and limit of a decision, as a frozen, versioned value kept with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError

from omo_core.model.errors import InvalidInput
from omo_core.model.network import NodeKind
from omo_core.model.values import Value

Price = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""Minor units of the network's currency."""

Metres = Annotated[int, Field(ge=0, le=20_100_000)]


class NodeKindCosts(Value):
    """What a shipment and a unit cost at nodes of one kind."""

    shipment_minor: Price
    """Each shipment, whatever is in it."""
    unit_minor: Price
    """Picking and packing one unit."""


def _default_kinds() -> dict[str, NodeKindCosts]:
    store = NodeKindCosts(shipment_minor=460, unit_minor=150)
    return {
        NodeKind.STORE.value: store,
        NodeKind.DEALER_STORE.value: store,
        NodeKind.PICKUP_POINT.value: store,
        NodeKind.REGIONAL_WAREHOUSE.value: NodeKindCosts(shipment_minor=400, unit_minor=80),
        NodeKind.CENTRAL_WAREHOUSE.value: NodeKindCosts(shipment_minor=400, unit_minor=60),
    }


class SourcingPolicy(Value):
    """Prices and limits of sourcing, in minor units of the network's currency; the defaults suit US cents.

    Rates are whole minor units for each 1,000 km, so that every cost is an exact integer: a cost is
    (rate × metres + 500,000) // 1,000,000, halves up.
    """

    version: Literal[1] = 1
    kinds: Mapping[str, NodeKindCosts] = Field(default_factory=_default_kinds)
    shipment_per_1000_km_minor: Price = 450
    unit_per_1000_km_minor: Price = 60
    kg_per_1000_km_minor: Price = 0
    pickup_minor: Price = 50
    """Handing an order over at the node where it was kept."""
    ship_to_store: bool = True
    """Whether other nodes may send to the pickup node."""
    ship_to_store_minor: Price = 300
    """On top of what that parcel costs."""
    lateness_per_day_minor: Price = 250
    """Each day on the road beyond `free_days`."""
    metres_per_day: Annotated[int, Field(ge=1, le=20_100_000)] = 450_000
    free_days: Annotated[int, Field(ge=0, le=365)] = 2
    one_hour_minor: Price = 150
    one_hour_radius_m: Metres = 25_000
    one_hour_falls_back_to_ship: bool = True
    """Ship the whole order instead where the radius cannot fill all of it."""
    per_extra_node_minor: Price = 100
    """Each node of an order beyond its first; a split."""
    unserved_minor: Price = 20_000
    """One unit not served: more than freight across a continent, so that freight alone leaves no unit unserved."""
    unknown_distance_m: Metres = 5_000_000
    """Counts as the distance where a place is unknown, or the order's farthest known node if that is farther."""
    max_nodes: Annotated[int, Field(ge=1)] | None = None
    """Most nodes of one order; None means no limit."""
    candidates: Annotated[int, Field(ge=1)] = 16
    """Nodes looked at for a short order, before its pickup node, warehouses and each line's cheapest holders."""
    coverage_benefit_minor: Price = 300
    """What a line that a node can serve whole counts for when candidates are chosen."""
    max_exact_lines: Annotated[int, Field(ge=2, le=10)] = 8
    """Longer orders are served by a heuristic; the plan says which."""

    @classmethod
    def load(cls, document: Mapping[str, Any] | None) -> Self:
        """The policy of a JSON document (what is left out keeps its default); None is the default policy.

        Raises `InvalidInput` that names the field.
        """
        try:
            return cls.model_validate({} if document is None else dict(document))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InvalidInput(f"the sourcing policy's field {where!r} cannot be used: {first['msg']}") from None

    def of_kind(self, kind: str) -> NodeKindCosts:
        """The costs of a kind of node; a kind the policy does not list costs what a store does."""
        return self.kinds.get(kind) or self.kinds.get(NodeKind.STORE.value) or _default_kinds()[NodeKind.STORE.value]
