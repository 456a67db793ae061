"""A wave in plain Python, as the instance files tell it: prices, nodes, orders and stock, and a solution of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

WAREHOUSES: Final = ("regional_warehouse", "central_warehouse")
KINDS: Final = ("store", "pickup_point", *WAREHOUSES)
SERVICES: Final = ("ship", "one_hour", "pickup")
NOWHERE: Final = -1
"""The pickup node of an order that is not picked up."""

Place = tuple[float, float, float]
"""A unit vector: the point on a sphere."""


@dataclass(frozen=True)
class Prices:
    """The rates of the cost formula (see INSTANCES.md), whole minor units and metres; the defaults are the family's."""

    shipment_per_1000_km_minor: int = 450
    unit_per_1000_km_minor: int = 60
    lateness_per_day_minor: int = 250
    metres_per_day: int = 450_000
    free_days: int = 2
    one_hour_minor: int = 150
    one_hour_missed_minor: int = 900
    one_hour_radius_m: int = 25_000
    pickup_minor: int = 50
    pickup_elsewhere_minor: int = 300
    per_extra_node_minor: int = 0
    unserved_minor: int = 2_500


@dataclass(frozen=True, slots=True)
class WaveNode:
    """One node; `capacity` counts orders, None means no limit."""

    node: str
    kind: str
    latitude: float
    longitude: float
    """Degrees: the same place for maps; distances are reckoned from `place`."""
    place: Place
    shipment_minor: int
    handling_minor: int
    capacity: int | None

    @property
    def is_warehouse(self) -> bool:
        """Warehouses keep no one-hour promise."""
        return self.kind in WAREHOUSES


class WaveOrder(NamedTuple):
    """One order; `pickup` is a position in the wave's nodes, or `NOWHERE`."""

    order: str
    service: str
    pickup: int
    place: Place
    lines: list[tuple[str, int]]
    """SKU and units wanted, each SKU once."""


@dataclass(frozen=True)
class Wave:
    """Everything that a plan is made of and judged by; orders stand in order of arrival."""

    name: str
    prices: Prices
    nodes: list[WaveNode]
    orders: list[WaveOrder]
    stock: dict[str, dict[int, int]]
    """SKU -> position of the node -> units; every SKU has its place, with or without stock."""


class Assigned(NamedTuple):
    """Units of a line (counted from 1 within its order) that one node serves."""

    order: str
    line: int
    node: str
    quantity: int


@dataclass(frozen=True)
class Solution:
    """What somebody claims to have found for an instance; what is not assigned is not served."""

    instance: str
    assigned: list[Assigned]
    cost_minor: int
    lower_bound_minor: int | None = None
    facts: dict[str, object] = field(default_factory=dict)
    """Anything else worth telling: solver, seconds, machine."""
