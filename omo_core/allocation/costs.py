"""Cost terms: soft rules as exact prices in minor units, each with a name that reports its share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np

from omo_core.allocation.arrays import Ints
from omo_core.allocation.network_index import KINDS
from omo_core.allocation.pairs import Pairs, rated
from omo_core.allocation.policy import SourcingPolicy
from omo_core.model.network import DeliveryMethod

SPLIT: Final = "split"
UNSERVED: Final = "unserved"
"""The two prices of a whole order, beside the terms of its pairs: further nodes, and units not served."""


class PairPrice(NamedTuple):
    """What a term adds: once for a shipment from the node, and for each unit in it; minor units."""

    fixed_minor: Ints | int = 0
    unit_minor: Ints | int = 0


class CostTerm(Protocol):
    """A price. A host adds its own by passing `terms=[*default_terms(policy), Mine()]`; a discount may be negative as
    long as all terms together are not.
    """

    @property
    def name(self) -> str:
        """Stable and short: the key in `cost_by_term`."""

    def price(self, pairs: Pairs) -> PairPrice:
        """Whole minor units, as int64 arrays that broadcast with the pairs (or plain integers)."""


@dataclass(frozen=True)
class Shipping:
    """A parcel or courier trip from a node of this kind, whatever is in it."""

    policy: SourcingPolicy
    name: str = "shipping"

    def price(self, pairs: Pairs) -> PairPrice:
        """By kind of node; nothing where the buyer collects what the node kept."""
        by_kind = np.array([self.policy.of_kind(kind).shipment_minor for kind in KINDS], dtype=np.int64)
        return PairPrice(np.where(pairs.at_pickup_node, 0, by_kind[pairs.kind]))


@dataclass(frozen=True)
class Distance:
    """What the way adds to a shipment, and to each unit in it by piece and by weight."""

    policy: SourcingPolicy
    name: str = "distance"

    def price(self, pairs: Pairs) -> PairPrice:
        """Rates × metres; nothing where the buyer collects what the node kept."""
        gram_km = (pairs.weight_g * pairs.distance_m + 500) // 1000
        unit = rated(self.policy.unit_per_1000_km_minor, pairs.distance_m)
        unit = unit + rated(self.policy.kg_per_1000_km_minor, gram_km)
        fixed = rated(self.policy.shipment_per_1000_km_minor, pairs.distance_m)
        travels = ~pairs.at_pickup_node
        return PairPrice(fixed * travels, unit * travels)


@dataclass(frozen=True)
class Handling:
    """Picking and packing each unit."""

    policy: SourcingPolicy
    name: str = "handling"

    def price(self, pairs: Pairs) -> PairPrice:
        """By kind of node."""
        by_kind = np.array([self.policy.of_kind(kind).unit_minor for kind in KINDS], dtype=np.int64)
        return PairPrice(0, by_kind[pairs.kind])


@dataclass(frozen=True)
class Lateness:
    """Days on the road beyond those that are free."""

    policy: SourcingPolicy
    name: str = "lateness"

    def price(self, pairs: Pairs) -> PairPrice:
        """Begun days × the price of a day, for parcels."""
        days = -(-pairs.distance_m // self.policy.metres_per_day) - self.policy.free_days
        return PairPrice(np.maximum(days, 0) * self.policy.lateness_per_day_minor * pairs.by_parcel)


@dataclass(frozen=True)
class OneHour:
    """The courier's surcharge for one hour."""

    policy: SourcingPolicy
    name: str = "one_hour"

    def price(self, pairs: Pairs) -> PairPrice:
        """A fixed amount for each trip."""
        return PairPrice(pairs.uses(DeliveryMethod.ONE_HOUR) * np.int64(self.policy.one_hour_minor))


@dataclass(frozen=True)
class Pickup:
    """Handing over at the pickup node, and the surcharge for sending there from another node."""

    policy: SourcingPolicy
    name: str = "pickup"

    def price(self, pairs: Pairs) -> PairPrice:
        """A fixed amount for a hand-over or a parcel to the pickup node."""
        asked = pairs.uses(DeliveryMethod.PICKUP)
        amount = np.where(pairs.at_pickup_node, self.policy.pickup_minor, self.policy.ship_to_store_minor)
        return PairPrice(amount * asked)


def default_terms(policy: SourcingPolicy) -> tuple[CostTerm, ...]:
    """The terms in the order in which plans list them; `split` and `unserved` follow."""
    kinds = Shipping, Distance, Handling, Lateness, OneHour, Pickup
    return tuple(kind(policy) for kind in kinds)


def total_price(terms: Sequence[CostTerm], pairs: Pairs) -> tuple[Ints, Ints]:
    """The terms' sums over the pairs, (fixed, unit), int64 in the pairs' full shape."""
    shape = np.broadcast_shapes(pairs.order.shape, pairs.node.shape)
    fixed, unit = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for term in terms:
        price = term.price(pairs)
        fixed += price.fixed_minor
        unit += price.unit_minor
    return fixed, unit
