"""The cost formula of the instance files as cost terms of the allocator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.instance_wave import Prices
from omo_core.allocation import PairPrice
from omo_core.allocation.costs import CostTerm
from omo_core.allocation.pairs import Pairs, rated
from omo_core.model.network import DeliveryMethod

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class NodeShipping:
    """A parcel or courier trip, a price of each node's own; nothing where the buyer collects."""

    shipment_minor: Ints
    name: str = "shipping"

    def price(self, pairs: Pairs) -> PairPrice:
        """Once for a shipment."""
        return PairPrice(np.where(pairs.at_pickup_node, 0, self.shipment_minor[pairs.node]))


@dataclass(frozen=True)
class Way:
    """What the way adds to a shipment and to each unit in it; nothing where the buyer collects."""

    prices: Prices
    name: str = "distance"

    def price(self, pairs: Pairs) -> PairPrice:
        """Rates × metres."""
        travels = ~pairs.at_pickup_node
        return PairPrice(
            rated(self.prices.shipment_per_1000_km_minor, pairs.distance_m) * travels,
            rated(self.prices.unit_per_1000_km_minor, pairs.distance_m) * travels,
        )


@dataclass(frozen=True)
class ByNode:
    """Picking and packing, a price of each node's own; at the pickup node the buyer's way is priced as a unit's."""

    handling_minor: Ints
    prices: Prices
    name: str = "handling"

    def price(self, pairs: Pairs) -> PairPrice:
        """Once for each unit."""
        way = rated(self.prices.unit_per_1000_km_minor, pairs.distance_m)
        return PairPrice(0, self.handling_minor[pairs.node] + way * pairs.at_pickup_node)


@dataclass(frozen=True)
class ShippedLate:
    """Begun days on the road beyond the free ones, for shipped orders; the service term covers the others."""

    prices: Prices
    name: str = "lateness"

    def price(self, pairs: Pairs) -> PairPrice:
        """Once for a shipment."""
        days = np.maximum(-(-pairs.distance_m // self.prices.metres_per_day) - self.prices.free_days, 0)
        return PairPrice(days * self.prices.lateness_per_day_minor * pairs.uses(DeliveryMethod.SHIP))


@dataclass(frozen=True)
class Service:
    """One hour and pickup as prices: other nodes may serve them too, late."""

    prices: Prices
    name: str = "service"

    def price(self, pairs: Pairs) -> PairPrice:
        """One hour, dearer where it cannot be kept; pickup, dearer from other nodes than the one where it waits."""
        prices = self.prices
        near = (pairs.distance_m <= prices.one_hour_radius_m) & ~pairs.index.warehouse[pairs.node]
        one_hour = np.where(near, 0, prices.one_hour_missed_minor) + prices.one_hour_minor
        pickup = np.where(pairs.at_pickup_node, prices.pickup_minor, prices.pickup_elsewhere_minor)
        return PairPrice(one_hour * pairs.uses(DeliveryMethod.ONE_HOUR) + pickup * pairs.uses(DeliveryMethod.PICKUP))


def terms_of(prices: Prices, shipment_minor: Ints, handling_minor: Ints) -> tuple[CostTerm, ...]:
    """The whole formula but for split and unserved, which are the policy's."""
    return (
        NodeShipping(shipment_minor),
        Way(prices),
        ByNode(handling_minor, prices),
        ShippedLate(prices),
        Service(prices),
    )
