"""Cost terms of places and ways: distance bands, couriers, services, priorities, and the policy's own surcharges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from omo_core.allocation.arrival import by_courier
from omo_core.allocation.costs import PairPrice
from omo_core.allocation.pairs import Pairs, rated
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.policy_parts import DistanceBand, Service, Surcharge


@dataclass(frozen=True)
class Bands:
    """What distance costs a parcel in steps."""

    bands: tuple[DistanceBand, ...]
    name: str = "distance_band"

    def price(self, pairs: Pairs) -> PairPrice:
        """The prices of the first band that reaches as far."""
        ends = np.array([band.up_to_m for band in self.bands[:-1]], dtype=np.int64)
        band = np.searchsorted(ends, pairs.distance_m, side="left")
        shipment = np.array([one.shipment_minor for one in self.bands], dtype=np.int64)
        unit = np.array([one.unit_minor for one in self.bands], dtype=np.int64)
        return PairPrice(shipment[band] * pairs.by_parcel, unit[band] * pairs.by_parcel)


@dataclass(frozen=True)
class CourierTrip:
    """A trip of the node's own courier, which takes the place of the parcel and its freight."""

    policy: SourcingPolicy
    name: str = "courier"

    def price(self, pairs: Pairs) -> PairPrice:
        """A fixed amount and so much for the way."""
        part = self.policy.courier
        assert part is not None
        trip = part.shipment_minor + rated(part.per_1000_km_minor, pairs.distance_m)
        return PairPrice(trip * by_courier(self.policy, pairs))


@dataclass(frozen=True)
class ServicePrice:
    """What the service that an order asks for costs a shipment."""

    services: Mapping[str, Service]
    name: str = "service"

    def price(self, pairs: Pairs) -> PairPrice:
        """By the order's service; nothing for one that the policy does not list."""
        asked, code = pairs.traits.service
        services = [None if name is None else self.services.get(name) for name in asked]
        prices = [0 if service is None else service.shipment_minor for service in services]
        return PairPrice(np.array(prices, dtype=np.int64)[code[pairs.order]])


@dataclass(frozen=True)
class PriorityStep:
    """Nodes that should be tried later cost more."""

    step_minor: int
    name: str = "priority"

    def price(self, pairs: Pairs) -> PairPrice:
        """So much a shipment for each number above the lowest of the network."""
        return PairPrice(pairs.index.priority_steps[pairs.node] * self.step_minor)


@dataclass(frozen=True)
class Charged:
    """A surcharge of the policy, such as a price per class of node, per channel or per region."""

    part: Surcharge

    @property
    def name(self) -> str:
        """The surcharge's own."""
        return self.part.name

    def price(self, pairs: Pairs) -> PairPrice:
        """Its two prices, where order and node are among those it speaks of."""
        charged = pairs.of_orders(self.part.orders) & pairs.of_nodes(self.part.nodes)
        return PairPrice(charged * np.int64(self.part.shipment_minor), charged * np.int64(self.part.unit_minor))
