"""Cost terms of what may happen: a node's no, a late parcel, a busy or an empty store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omo_core.allocation.arrival import days_late
from omo_core.allocation.costs import PairPrice
from omo_core.allocation.pairs import Pairs
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.policy_parts import BalanceLoad, LastUnits, Reliability


@dataclass(frozen=True)
class LastUnitsPrice:
    """Taking a unit where few were left before the wave."""

    part: LastUnits
    name: str = "last_units"

    def price(self, pairs: Pairs) -> PairPrice:
        """A price for each unit; nothing while whole nodes are compared, since each cell has its own."""
        if pairs.held is None or self.part.unit_minor is None:
            return PairPrice()
        few = pairs.of_nodes(self.part.nodes) & (pairs.held <= self.part.at_or_below)
        return PairPrice(0, few * np.int64(self.part.unit_minor))


@dataclass(frozen=True)
class LoadPrice:
    """Giving more work to a node that has much in hand."""

    part: BalanceLoad
    name: str = "load"

    def price(self, pairs: Pairs) -> PairPrice:
        """Grows evenly from nothing at `above_permille` to the price of a full load, and beyond; halves up."""
        span = 1_000 - self.part.above_permille
        above = np.maximum(pairs.index.load_permille - self.part.above_permille, 0)
        return PairPrice(((2 * above * self.part.full_load_minor + span) // (2 * span))[pairs.node])


@dataclass(frozen=True)
class RejectPrice:
    """What a node's no will cost on average: how likely it is × what finding another node costs."""

    part: Reliability
    name: str = "reliability"

    def price(self, pairs: Pairs) -> PairPrice:
        """Halves up."""
        known = pairs.index.reject_permille
        share = np.where(known < 0, self.part.unknown_permille, known)
        return PairPrice(((share * self.part.resourcing_minor + 500) // 1_000)[pairs.node])


@dataclass(frozen=True)
class LatePrice:
    """Each begun day after the promised instant."""

    policy: SourcingPolicy
    name: str = "promise"

    def price(self, pairs: Pairs) -> PairPrice:
        """Begun days × the price of a day."""
        assert self.policy.promise is not None
        return PairPrice(days_late(self.policy, pairs) * self.policy.promise.late_day_minor)
