"""The optional parts of a sourcing policy, each the settings of one rule or cost term; a part left out is off."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from omo_core.allocation.policy_filters import Metres, NodeFilter, OrderFilter
from omo_core.allocation.work_budget import WorkBudget, work_of
from omo_core.model.network import DeliveryMethod, NodeKind
from omo_core.model.values import Count, Identifier, Value

Price = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""Minor units of the network's currency."""

Permille = Annotated[int, Field(ge=0, le=1_000)]
Seconds = Annotated[int, Field(ge=0, le=90 * 86_400)]


class Surcharge(Value):
    """What shipments and units of these nodes cost more for these orders: a price per kind, class, channel or region."""

    name: Identifier
    orders: OrderFilter = OrderFilter()
    nodes: NodeFilter = NodeFilter()
    shipment_minor: Price = 0
    unit_minor: Price = 0


class DistanceBand(Value):
    """What a parcel costs on top, up to a distance; an unknown distance counts as the policy says."""

    up_to_m: Metres | None
    """None in the last band: however far."""
    shipment_minor: Price = 0
    unit_minor: Price = 0


class Service(Value):
    """A shipping service that orders may name: who can give it, how far, and what it costs a shipment."""

    nodes: NodeFilter = NodeFilter()
    within_m: Metres | None = None
    shipment_minor: Price = 0


class KeepBack(Value):
    """Units of every item that stay on the shelf of these nodes; where several apply, the most."""

    nodes: NodeFilter = NodeFilter(kinds=(NodeKind.STORE, NodeKind.DEALER_STORE))
    units: Count


class SlotWork(Value):
    """What an order takes from its node's slot of capacity; a node without a slot can take any work.

    By default slots count orders; `per_order: 0, per_line: 1` counts lines, `per_unit` units.
    """

    per_order: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    per_line: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    per_unit: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    hours: Annotated[int, Field(ge=1, le=8_784)] = 24
    """How long the slot that began last counts, where none follows it."""

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if not self.per_order + self.per_line + self.per_unit:
            raise ValueError("slot work counts nothing; give per_order, per_line or per_unit more than 0")
        return self

    @property
    def counts_orders(self) -> bool:
        """Whether a delivery is one piece of work, whatever is in it."""
        return (self.per_order, self.per_line, self.per_unit) == (1, 0, 0)

    def of(self, lines: int, units: int) -> int:
        """The work of one delivery's items at one node."""
        return self.per_order + self.per_line * lines + self.per_unit * units


class LastUnits(Value):
    """What it costs to take a unit where few were left before the wave; without a price nothing is taken there."""

    nodes: NodeFilter = NodeFilter(kinds=(NodeKind.STORE, NodeKind.DEALER_STORE))
    at_or_below: Count
    unit_minor: Price | None = None


class BalanceLoad(Value):
    """What a shipment costs more at a busy node, growing evenly from `above_permille` of its load to a full one."""

    full_load_minor: Price
    above_permille: Annotated[int, Field(ge=0, le=999)] = 0


class Reliability(Value):
    """Expected cost of a node's no: its share of rejects × what finding another node costs."""

    resourcing_minor: Price
    unknown_permille: Permille = 0
    """Counts for a node whose share of rejects is not known."""


class Promise(Value):
    """What arriving after the promised instant costs each begun day, or that it may not happen."""

    late_day_minor: Price = 0
    never_late: bool = False
    one_hour_s: Seconds = 3_600
    """From ready at the node until a one-hour order is there."""

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.late_day_minor or self.never_late):
            raise ValueError("a promise without late_day_minor and never_late does nothing; give one or leave it out")
        return self


class Courier(Value):
    """A store's courier takes shipped orders within a radius, at this price in place of a parcel's."""

    nodes: NodeFilter = NodeFilter(kinds=(NodeKind.STORE, NodeKind.DEALER_STORE))
    within_m: Metres
    shipment_minor: Price
    per_1000_km_minor: Price = 0
    takes_s: Seconds = 4 * 3_600
    """From ready at the node until it is there."""


class MissingData(Value):
    """What to do where a place, a weight or opening hours are not known."""

    place: Literal["price", "exclude", "refuse"] = "price"
    """Of a parcel: reckon with `unknown_distance_m`, leave the node out, or refuse the wave."""
    weight: Literal["price", "exclude", "refuse"] = "price"
    """Of an item: reckon with `weight_g`, serve none of it, or refuse the wave."""
    weight_g: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    hours: Literal["open", "exclude", "refuse"] = "open"
    """Of a node, where hours matter: always open, out, or refuse the wave."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.weight != "price" and self.weight_g:
            raise ValueError(f"weight_g prices an unknown weight, but weight is {self.weight!r}; drop one of them")
        return self


class SolverChoice(Value):
    """How a wave is decided, and how much work that may take; the same work gives the same plan on any machine."""

    method: Literal["greedy", "exact", "wave"] = "greedy"
    """`exact` proves small waves optimal; one too large for it is decided by `greedy`. `wave` decides any number of
    orders together, and proves how far its plan may be from the best."""
    search_nodes: Annotated[int, Field(ge=1, le=1_000_000_000)] = 20_000
    """Of the exact solver's tree; a search that ends before the proof says so."""
    work: Annotated[WorkBudget, BeforeValidator(work_of)] = WorkBudget()
    """Of the wave solver, step by step or by a name such as `quick`. The policy keeps the steps, not the name, so that
    a stored decision is made again with the same work."""
    route: tuple[DeliveryMethod, ...] = ()
    """Deliveries by these methods do not wait for the others: the real-time router decides each when it comes, exactly,
    on live stock at the prices that the last wave left, and the solver decides the rest on what it leaves. A delivery
    that it cannot serve whole takes nothing, and is the solver's like any other."""

    @field_validator("route")
    @classmethod
    def _names_each_once(cls, route: tuple[DeliveryMethod, ...]) -> tuple[DeliveryMethod, ...]:
        if len(set(route)) < len(route):
            raise ValueError("a delivery method is named twice; name each once")
        return route

    @model_serializer(mode="wrap")
    def _leaves_out_an_empty_route(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """So that a policy of before keeps its digest."""
        document: dict[str, Any] = plain(self)
        if not self.route:
            document.pop("route", None)
        return document
