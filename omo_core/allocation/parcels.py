"""The cost term of parcels: which tariff a shipment falls under, and what it asks for the whole weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omo_core.allocation.arrays import Array, Flags, Ints
from omo_core.allocation.arrival import by_courier
from omo_core.allocation.costs import PairPrice
from omo_core.allocation.network_index import KINDS
from omo_core.allocation.pairs import Pairs
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.tariffs import ParcelTariff


@dataclass(frozen=True)
class Parcels:
    """The parcel a shipment makes, by its whole weight; the first tariff that fits the node and distance counts."""

    tariffs: Sequence[ParcelTariff]
    name: str = "parcel"
    policy: SourcingPolicy | None = None
    """Whose couriers take some shipments in place of a parcel; None: nobody's."""

    def price(self, pairs: Pairs) -> PairPrice:
        """Nothing beforehand: what a parcel costs shows when it is known what is in it."""
        del pairs
        return PairPrice()

    def tariff_of(self, pairs: Pairs) -> Ints:
        """Position of the tariff of each pair, -1 where none is paid (as where the buyer collects)."""
        found = np.full(np.broadcast_shapes(pairs.order.shape, pairs.node.shape), -1, dtype=np.int64)
        sent: Flags = pairs.by_parcel
        if self.policy is not None and self.policy.courier is not None:
            sent = sent & ~by_courier(self.policy, pairs)
        for position, tariff in enumerate(self.tariffs):
            fits: Flags = sent & (found < 0)
            if tariff.kinds is not None:
                of_kind = np.array([kind in tariff.kinds for kind in KINDS], dtype=np.bool_)
                fits = fits & of_kind[pairs.kind]
            if tariff.up_to_m is not None:
                fits = fits & (pairs.distance_m <= tariff.up_to_m)
            found[fits] = position
        return found

    def parcel_minor(self, tariff: Array, weight_g: Ints) -> Ints:
        """The prices of shipments, by the position of their tariff (-1: nothing) and their whole weight."""
        prices = [
            self.tariffs[one].price_minor(weight) if one >= 0 else 0
            for one, weight in zip(tariff.tolist(), weight_g.tolist(), strict=True)
        ]
        return np.array(prices, dtype=np.int64)

    @property
    def table(self) -> tuple[Ints, Ints, Ints]:
        """Bands of all tariffs for the kernels: where each tariff begins, weights, prices."""
        ends = np.cumsum([0, *(len(tariff.bands) for tariff in self.tariffs)]).astype(np.int64)
        weights = [band.up_to_g for tariff in self.tariffs for band in tariff.bands]
        prices = [band.price_minor for tariff in self.tariffs for band in tariff.bands]
        return ends, np.array(weights, dtype=np.int64), np.array(prices, dtype=np.int64)
