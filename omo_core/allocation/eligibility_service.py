"""Rules about how an order is served: the service it asks for, hours, couriers, and the promise it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from omo_core.allocation.arrays import Flags
from omo_core.allocation.arrival import days_late
from omo_core.allocation.eligibility import Rule
from omo_core.allocation.network_index import NetworkIndex
from omo_core.allocation.pairs import Pairs
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.policy_parts import Service
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod


@dataclass(frozen=True)
class CourierFree:
    """One hour needs a courier who can take another trip."""

    name: str = "no_courier"
    sentence: str = "has no courier free"

    def excludes(self, pairs: Pairs) -> Flags:
        """One-hour pairs whose node's courier is busy."""
        if not pairs.index.has_busy_couriers:
            return np.array(False)
        return pairs.uses(DeliveryMethod.ONE_HOUR) & ~pairs.index.courier_free[pairs.node]


@dataclass(frozen=True)
class HoursKnown:
    """A node without opening hours gives no service that needs it open, or stops the wave."""

    refuse: bool
    pickup: bool
    name: str = "hours_unknown"
    sentence: str = "has no known opening hours"

    def excludes(self, pairs: Pairs) -> Flags:
        """Pairs that need an open node without hours; raises `InvalidInput` where the policy refuses them."""
        asked = pairs.uses(DeliveryMethod.ONE_HOUR) | (pairs.at_pickup_node & self.pickup)
        unknown = np.array([not node.opening_hours for node in pairs.index.nodes], dtype=np.bool_)[pairs.node]
        out: Flags = asked & unknown
        if self.refuse and out.any():
            node = np.broadcast_to(pairs.node, out.shape)[tuple(np.argwhere(out)[0])]
            raise InvalidInput(
                f"node {pairs.index.nodes[node].node!r} has no opening hours, which the policy refuses; "
                f"give them or change missing_data"
            )
        return out


@dataclass(frozen=True)
class OpenForPickup:
    """A pickup order's node is open when the order is decided."""

    name: str = "pickup_closed"
    sentence: str = "cannot help: the pickup node is closed at that time"

    def excludes(self, pairs: Pairs) -> Flags:
        """All pairs of a pickup order whose node is closed."""
        rows, is_open = pairs.traits.open_for_pickup
        target = np.maximum(pairs.demands.pickup[pairs.order], 0)
        closed: Flags = pairs.uses(DeliveryMethod.PICKUP) & ~is_open[rows[pairs.order], target]
        return closed


@dataclass(frozen=True)
class ServiceGiven:
    """An order that asks for a service of the policy is served by nodes that give it, as far as they give it."""

    services: Mapping[str, Service]
    name: str = "service_not_offered"
    sentence: str = "does not give the service asked for"

    def excludes(self, pairs: Pairs) -> Flags:
        """Pairs of such orders with other nodes, or too far apart."""
        asked, code = pairs.traits.service
        out = np.zeros(np.broadcast_shapes(pairs.order.shape, pairs.node.shape), dtype=np.bool_)
        for position, name in enumerate(asked):
            if name is not None and name in self.services:
                service = self.services[name]
                unable = ~pairs.of_nodes(service.nodes)
                if service.within_m is not None:
                    unable = unable | pairs.farther_than(service.within_m)
                out |= (code[pairs.order] == position) & unable
        return out


@dataclass(frozen=True)
class PromiseKept:
    """Nobody serves an order who would be late."""

    policy: SourcingPolicy
    name: str = "misses_promise"
    sentence: str = "would be later than promised"

    def excludes(self, pairs: Pairs) -> Flags:
        """Pairs that arrive after the order's promised instant."""
        return days_late(self.policy, pairs) > 0


def service_rules(policy: SourcingPolicy, index: NetworkIndex | None) -> list[Rule]:
    """The rules about service that policy and network ask for."""
    rules: list[Rule] = []
    if index is None or index.has_busy_couriers:
        rules.append(CourierFree())
    if policy.missing_data is not None and policy.missing_data.hours != "open":
        rules.append(HoursKnown(policy.missing_data.hours == "refuse", policy.pickup_while_open))
    if policy.pickup_while_open:
        rules.append(OpenForPickup())
    if policy.services:
        rules.append(ServiceGiven(policy.services))
    if policy.promise is not None and policy.promise.never_late:
        rules.append(PromiseKept(policy))
    return rules
