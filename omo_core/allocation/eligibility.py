"""Eligibility: hard rules, each one mask over (order, node) pairs with a name that explanations repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Flags
from omo_core.allocation.columns import NOT_ASKED
from omo_core.allocation.network_index import METHOD_CODE, NetworkIndex
from omo_core.allocation.pairs import Pairs
from omo_core.allocation.policy import SourcingPolicy
from omo_core.model.network import DeliveryMethod


class Rule(Protocol):
    """A hard rule. A host adds its own by passing `rules=[*default_rules(policy, index), Mine()]`.

    A rule that also has a method `withholds` is a `CellRule`: it keeps back stock instead of, or beside, pairs.
    """

    @property
    def name(self) -> str:
        """Stable and short; reports count by it."""

    @property
    def sentence(self) -> str:
        """Why the node is out, continuing "it ...": "is closed at that time"."""

    def excludes(self, pairs: Pairs) -> Flags:
        """Which pairs the rule forbids; an array that broadcasts with the pairs."""


@dataclass(frozen=True)
class NotExcluded:
    """A node that the demand excludes, for example since it rejected the order, is not asked again."""

    name: str = "excluded"
    sentence: str = "was excluded for this order"

    def excludes(self, pairs: Pairs) -> Flags:
        """Pairs the demand excludes."""
        return pairs.excluded


@dataclass(frozen=True)
class PickupNodeKnown:
    """A pickup order must name a node of the network that hands orders over."""

    name: str = "unknown_pickup_node"
    sentence: str = "cannot help: the pickup node is not known or does not offer pickup"

    def excludes(self, pairs: Pairs) -> Flags:
        """All pairs of a pickup order whose node is not known or does not offer pickup."""
        pickup = pairs.demands.pickup[pairs.order]
        hands_over = pairs.index.offers[np.maximum(pickup, 0), METHOD_CODE[DeliveryMethod.PICKUP]]
        hopeless: Flags = pairs.uses(DeliveryMethod.PICKUP) & ((pickup <= NOT_ASKED) | ~hands_over)
        return hopeless


@dataclass(frozen=True)
class ShipToStoreAllowed:
    """Other nodes send to the pickup node only if the policy lets them."""

    allowed: bool
    name: str = "ship_to_store_off"
    sentence: str = "may not send to the pickup node"

    def excludes(self, pairs: Pairs) -> Flags:
        """Pairs of pickup orders with other nodes, unless the policy allows them."""
        elsewhere: Flags = pairs.uses(DeliveryMethod.PICKUP) & ~pairs.at_pickup_node
        return np.logical_and(elsewhere, not self.allowed)


@dataclass(frozen=True)
class MethodOffered:
    """The node must offer the method; sending to a pickup node counts as shipping."""

    name: str = "method_not_offered"
    sentence: str = "does not offer this method"

    def excludes(self, pairs: Pairs) -> Flags:
        """Pairs whose node does not offer what it would have to do."""
        one_hour = pairs.uses(DeliveryMethod.ONE_HOUR) & ~pairs.offers(DeliveryMethod.ONE_HOUR)
        return one_hour | (pairs.by_parcel & ~pairs.offers(DeliveryMethod.SHIP))


@dataclass(frozen=True)
class PlacesKnown:
    """One hour is promised only between known places: what is unknown is never near."""

    name: str = "place_unknown"
    sentence: str = "is out of the one-hour service: its place or the buyer's is unknown"

    def excludes(self, pairs: Pairs) -> Flags:
        """One-hour pairs without a distance."""
        return pairs.uses(DeliveryMethod.ONE_HOUR) & ~pairs.distance_known


@dataclass(frozen=True)
class WithinRadius:
    """One hour is promised within the policy's radius."""

    radius_m: int
    name: str = "outside_one_hour_radius"
    sentence: str = "is too far for one hour"

    def excludes(self, pairs: Pairs) -> Flags:
        """One-hour pairs that are farther apart than the radius."""
        return pairs.uses(DeliveryMethod.ONE_HOUR) & (pairs.measured_m > self.radius_m)


@dataclass(frozen=True)
class OpenNow:
    """One hour is promised from nodes that are open at the order's instant."""

    name: str = "closed"
    sentence: str = "is closed at that time"

    def excludes(self, pairs: Pairs) -> Flags:
        """One-hour pairs whose node is closed."""
        return pairs.uses(DeliveryMethod.ONE_HOUR) & ~pairs.is_open


def default_rules(policy: SourcingPolicy, index: NetworkIndex | None = None) -> tuple[Rule, ...]:
    """The rules in the order in which they are named when several forbid a pair.

    Rules that a policy or network does not ask for are left out; without an index, those that a network might ask for
    are kept, which costs time only.
    """
    from omo_core.allocation.eligibility_cells import cell_rules
    from omo_core.allocation.eligibility_limits import limit_rules
    from omo_core.allocation.eligibility_service import service_rules

    return (
        NotExcluded(),
        PickupNodeKnown(),
        ShipToStoreAllowed(policy.ship_to_store),
        MethodOffered(),
        PlacesKnown(),
        WithinRadius(policy.one_hour_radius_m),
        OpenNow(),
        *service_rules(policy, index),
        *limit_rules(policy, index),
        *cell_rules(policy, index),
    )


def first_rule_against(rules: Sequence[Rule], pairs: Pairs) -> NDArray[np.int8]:
    """Position of the first rule that forbids each pair, -1 where none does."""
    verdict = np.full(np.broadcast_shapes(pairs.order.shape, pairs.node.shape), -1, dtype=np.int8)
    for position, rule in enumerate(rules):
        forbidden = rule.excludes(pairs)
        if np.ndim(forbidden) or forbidden:
            verdict[(verdict < 0) & forbidden] = position
    return verdict
