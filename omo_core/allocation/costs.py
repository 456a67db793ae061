"""Cost terms: soft rules as exact prices in minor units, each with a name that reports its share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.arrival import by_courier
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
        return PairPrice(np.where(_goes_by_other_means(self.policy, pairs), 0, by_kind[pairs.kind]))


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
        travels = ~_goes_by_other_means(self.policy, pairs)
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
        late = np.maximum(days, 0) * self.policy.lateness_per_day_minor * pairs.by_parcel
        return PairPrice(late if self.policy.courier is None else late * ~by_courier(self.policy, pairs))


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


def _goes_by_other_means(policy: SourcingPolicy, pairs: Pairs) -> Flags:
    """Pairs whose goods are collected where they were kept, or taken by the node's own courier."""
    return pairs.at_pickup_node if policy.courier is None else pairs.at_pickup_node | by_courier(policy, pairs)


@dataclass(frozen=True)
class Weighted:
    """A term whose price counts so many thousandths of what it says, halves up."""

    term: CostTerm
    permille: int

    @property
    def name(self) -> str:
        """The term's own."""
        return self.term.name

    def price(self, pairs: Pairs) -> PairPrice:
        """The weighted amounts, rounded once for the shipment and once for a unit."""
        return PairPrice(*((amount * self.permille + 500) // 1_000 for amount in self.term.price(pairs)))


def default_terms(policy: SourcingPolicy) -> tuple[CostTerm, ...]:
    """The terms in the order in which plans list them; `split` and `unserved` follow.

    Terms that the policy does not ask for, or that it gives no weight, are left out.
    """
    kinds = Shipping, Distance, Handling, Lateness, OneHour, Pickup
    terms: list[CostTerm] = [*(kind(policy) for kind in kinds), *_chosen(policy)]
    weights = policy.weights
    if weights:
        counted = (term for term in terms if weights.get(term.name) != 0)
        terms = [Weighted(term, weights[term.name]) if term.name in weights else term for term in counted]
    return tuple(terms)


def _chosen(policy: SourcingPolicy) -> Iterator[CostTerm]:
    from omo_core.allocation import costs_places as places, costs_risks as risks

    if policy.distance_bands:
        yield places.Bands(policy.distance_bands)
    if policy.courier is not None:
        yield places.CourierTrip(policy)
    if policy.services:
        yield places.ServicePrice(policy.services)
    if policy.priority_step_minor:
        yield places.PriorityStep(policy.priority_step_minor)
    if policy.last_units is not None and policy.last_units.unit_minor is not None:
        yield risks.LastUnitsPrice(policy.last_units)
    if policy.balance_load is not None:
        yield risks.LoadPrice(policy.balance_load)
    if policy.reliability is not None:
        yield risks.RejectPrice(policy.reliability)
    if policy.promise is not None and policy.promise.late_day_minor:
        yield risks.LatePrice(policy)
    yield from map(places.Charged, policy.surcharges)
    if policy.parcel_tariffs:
        from omo_core.allocation.parcels import Parcels

        yield Parcels(policy.parcel_tariffs, policy=policy)


def total_price(terms: Sequence[CostTerm], pairs: Pairs) -> tuple[Ints, Ints]:
    """The terms' sums over the pairs, (fixed, unit), int64 in the pairs' full shape."""
    shape = np.broadcast_shapes(pairs.order.shape, pairs.node.shape)
    fixed, unit = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for term in terms:
        price = term.price(pairs)
        fixed += price.fixed_minor
        unit += price.unit_minor
    return fixed, unit
