"""What the verifier reads off the raw input: places, distances, arrivals, and who meets a filter; plain Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from omo_core.allocation.demand import NodeState, OrderDemand
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.policy_filters import NodeFilter, OrderFilter
from omo_core.model.network import DeliveryMethod, Network, Node
from omo_core.model.values import GeoPoint

EARTH_RADIUS_M: Final = 6_371_008.8
DAY_S: Final = 86_400


class Work(Protocol):
    """What an order, each of its lines and each of their units take from a node's capacity."""

    @property
    def per_order(self) -> int:
        """Pieces for each order."""

    @property
    def per_line(self) -> int:
        """Pieces for each item of an order."""

    @property
    def per_unit(self) -> int:
        """Pieces for each unit."""


@dataclass
class World:
    """The raw input, by name."""

    network: Network
    policy: SourcingPolicy
    states: Mapping[str, NodeState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes = {node.node: node for node in self.network.nodes}
        self.unknown_g = 0 if self.policy.missing_data is None else self.policy.missing_data.weight_g
        self.weight_g = {item.sku: item.weight_g for item in self.network.items if item.weight_g}
        self.needs = {item.sku: set(item.needs or ()) for item in self.network.items}
        self.lowest_priority = min(node.priority for node in self.network.nodes)

    def state(self, node: Node) -> NodeState:
        """What is known of the node now."""
        return self.states.get(node.node, NodeState())

    def is_collected(self, demand: OrderDemand, node: Node) -> bool:
        """Whether the buyer collects at this very node."""
        return demand.method is DeliveryMethod.PICKUP and demand.pickup_node == node.node

    def goes_by_courier(self, demand: OrderDemand, node: Node) -> bool:
        """Whether the node's courier takes it in place of a parcel."""
        part, metres = self.policy.courier, self.metres(demand, node)
        if part is None or metres is None or demand.method is not DeliveryMethod.SHIP:
            return False
        return is_among(node, part.nodes) and self.state(node).courier_free and metres <= part.within_m

    def goes_by_parcel(self, demand: OrderDemand, node: Node) -> bool:
        """Whether a parcel leaves the node: to the buyer, or to the node where he collects it."""
        return demand.method is not DeliveryMethod.ONE_HOUR and not self.is_collected(demand, node)

    def metres(self, demand: OrderDemand, node: Node) -> int | None:
        """From the node to where the goods go; None where a place is unknown."""
        return metres_between(node.point, self._target(demand))

    def reckoned_metres(self, demand: OrderDemand, node: Node) -> int:
        """The metres that count: those measured, or the policy's where a place is unknown, never less than any known."""
        metres = self.metres(demand, node)
        if metres is not None:
            return metres
        known = [self.metres(demand, other) for other in self.network.nodes]
        return max([self.policy.unknown_distance_m, *(one for one in known if one is not None)])

    def days_late(self, demand: OrderDemand, node: Node) -> int:
        """Begun days between the order's promise and its arrival from the node."""
        part = self.policy.promise
        if part is None or demand.promised_by is None:
            return 0
        arrives = _second(demand.at) + (node.lead_time_s or 0)
        if demand.method is DeliveryMethod.ONE_HOUR:
            arrives += part.one_hour_s
        elif self.policy.courier is not None and self.goes_by_courier(demand, node):
            arrives += self.policy.courier.takes_s
        elif not self.is_collected(demand, node):
            if node.cut_off_s is not None:
                ahead = demand.at.astimezone(ZoneInfo(node.time_zone)).utcoffset() or timedelta()
                arrives += (node.cut_off_s - arrives - ahead // timedelta(seconds=1)) % DAY_S
            arrives += -(-self.reckoned_metres(demand, node) * DAY_S // self.policy.metres_per_day)
        seconds = arrives - _second(demand.promised_by)
        return max(0, (seconds + DAY_S - 1) // DAY_S)

    def _target(self, demand: OrderDemand) -> GeoPoint | None:
        if demand.method is DeliveryMethod.PICKUP and demand.pickup_node in self.nodes:
            return self.nodes[demand.pickup_node].point
        return demand.point


def is_among(node: Node, nodes: NodeFilter) -> bool:
    """Whether the node meets every criterion given."""
    asked: list[tuple[Sequence[str], str | None]] = [
        (nodes.nodes, node.node),
        (nodes.kinds, node.kind),
        (nodes.classes, node.node_class),
        (nodes.owners, node.owner),
    ]
    if any(wanted and value not in wanted for wanted, value in asked):
        return False
    return not nodes.places or is_in(node.country, node.region, nodes.places)


def is_meant(demand: OrderDemand, orders: OrderFilter) -> bool:
    """Whether the order meets every criterion given."""
    asked: list[tuple[Sequence[str], str | None]] = [
        (orders.methods, demand.method),
        (orders.services, demand.service),
        (orders.channels, demand.channel),
    ]
    if any(wanted and value not in wanted for wanted, value in asked):
        return False
    return not orders.places or is_in(demand.country, demand.region, orders.places)


def is_in(country: str | None, region: str | None, places: Sequence[str]) -> bool:
    """Whether a region of a country is listed, or its country."""
    for place in places:
        listed_country, _, listed_region = place.partition("/")
        if country == listed_country and listed_region in ("", region):
            return True
    return False


def rated(rate_minor: int, metres: int) -> int:
    """A rate for each 1,000 km, halves up."""
    return (rate_minor * metres + 500_000) // 1_000_000


def metres_between(a: GeoPoint | None, b: GeoPoint | None) -> int | None:
    """Great-circle distance in whole metres; None where a place is unknown."""
    if a is None or b is None:
        return None
    half_chord = min(1.0, 0.5 * math.dist(_on_sphere(a), _on_sphere(b)))
    return int(2.0 * EARTH_RADIUS_M * math.asin(half_chord) + 0.5)


def _on_sphere(point: GeoPoint) -> tuple[float, float, float]:
    latitude, longitude = math.radians(point.latitude), math.radians(point.longitude)
    level = math.cos(latitude)
    return level * math.cos(longitude), level * math.sin(longitude), math.sin(latitude)


def _second(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
