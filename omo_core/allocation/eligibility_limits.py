"""Rules about who serves whom: the policy's own limits, owners' consent, regions, distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omo_core.allocation.arrays import Flags
from omo_core.allocation.eligibility import Rule
from omo_core.allocation.network_index import NetworkIndex, lies_in
from omo_core.allocation.pairs import Pairs
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.policy_filters import DistanceLimit, Limit
from omo_core.model.errors import InvalidInput


@dataclass(frozen=True)
class Limited:
    """These orders are served by these nodes only, or never by them."""

    limit: Limit

    @property
    def name(self) -> str:
        """The limit's own."""
        return self.limit.name

    @property
    def sentence(self) -> str:
        """Names the limit."""
        return f"may not serve this order: the policy's limit {self.limit.name!r}"

    def excludes(self, pairs: Pairs) -> Flags:
        """Pairs of the orders with the nodes it speaks of, or with all others."""
        among = pairs.of_nodes(self.limit.nodes)
        out: Flags = pairs.of_orders(self.limit.orders) & (among == (self.limit.effect == "never"))
        return out


@dataclass(frozen=True)
class WithinLimit:
    """These nodes send to these orders within a distance; what is unknown is beyond it."""

    limit: DistanceLimit

    @property
    def name(self) -> str:
        """The limit's own."""
        return self.limit.name

    @property
    def sentence(self) -> str:
        """Names the limit."""
        return f"is too far, or its distance is unknown: the policy's limit {self.limit.name!r}"

    def excludes(self, pairs: Pairs) -> Flags:
        """Pairs that are farther apart; a buyer who collects at the node is not."""
        bound = pairs.of_orders(self.limit.orders) & pairs.of_nodes(self.limit.nodes) & ~pairs.at_pickup_node
        return bound & pairs.farther_than(self.limit.within_m)


@dataclass(frozen=True)
class OwnerConsents:
    """Stock of another owner is sold on the channels he allows."""

    name: str = "no_consent"
    sentence: str = "has an owner who does not let this channel sell his stock"

    def excludes(self, pairs: Pairs) -> Flags:
        """Pairs whose node's owner does not agree to the order's channel."""
        channels, code = pairs.traits.channel
        serves = [[node.serves(channel) for node in pairs.index.nodes] for channel in channels]
        return ~np.array(serves, dtype=np.bool_)[code[pairs.order], pairs.node]


@dataclass(frozen=True)
class InItsRegion:
    """A node with regions of its own sends there only; a place that is not known is not there."""

    name: str = "outside_its_region"
    sentence: str = "does not send to that region"

    def excludes(self, pairs: Pairs) -> Flags:
        """Pairs whose goods would leave the node's regions; collecting at the node is no sending."""
        if not pairs.index.has_closed_regions:
            return np.array(False)
        places, code = pairs.traits.place
        nodes = pairs.index.nodes
        reaches = [
            [node.ships_to is None or lies_in(country, region, node.ships_to) for node in nodes]
            for country, region in places
        ]
        return ~np.array(reaches, dtype=np.bool_)[code[pairs.order], pairs.node] & ~pairs.at_pickup_node


@dataclass(frozen=True)
class DistanceKnown:
    """A parcel between places that are not known is not sent, or stops the wave."""

    refuse: bool
    name: str = "distance_unknown"
    sentence: str = "is left out: its place or the buyer's is unknown"

    def excludes(self, pairs: Pairs) -> Flags:
        """Parcels without a distance; raises `InvalidInput` where the policy refuses them."""
        unknown: Flags = pairs.by_parcel & ~pairs.distance_known
        if self.refuse and unknown.any():
            at = tuple(np.argwhere(unknown)[0])
            order, node = (np.broadcast_to(one, unknown.shape)[at] for one in (pairs.order, pairs.node))
            raise InvalidInput(
                f"the distance of order {pairs.demands.order[order]!r} and node {pairs.index.nodes[node].node!r} is "
                f"unknown, which the policy refuses; give both coordinates or change missing_data"
            )
        return unknown


def limit_rules(policy: SourcingPolicy, index: NetworkIndex | None) -> list[Rule]:
    """The rules about orders and nodes that policy and network ask for."""
    rules: list[Rule] = []
    if policy.owner_consent:
        rules.append(OwnerConsents())
    if index is None or index.has_closed_regions:
        rules.append(InItsRegion())
    rules += [Limited(limit) for limit in policy.limits]
    if policy.missing_data is not None and policy.missing_data.place != "price":
        rules.append(DistanceKnown(policy.missing_data.place == "refuse"))
    rules += [WithinLimit(limit) for limit in policy.distance_limits]
    return rules
