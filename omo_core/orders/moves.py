"""Moves: what a re-evaluation would change of each order, and which of it is worth recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from omo_core.allocation import OrderPlan
from omo_core.allocation.arrays import Ints
from omo_core.allocation.reassignment import Reassignment
from omo_core.model.network import DeliveryMethod
from omo_core.model.promised import SlotClaim
from omo_core.model.stock import Hold
from omo_core.orders.swaps import Exchange, together


@dataclass(slots=True)
class Move:
    """One order's work that is taken back, and what is to be offered instead."""

    order: str
    channel: str
    version: int
    """Of the order when it was looked at."""
    plans: list[tuple[DeliveryMethod, OrderPlan, OrderPlan]] = field(default_factory=list)
    """By delivery: how, the new work, and the whole plan."""
    rows: list[int] = field(default_factory=list)
    """Rows of the problem."""
    withdrawn: list[str] = field(default_factory=list)
    release: list[Hold] = field(default_factory=list)
    slots: list[dict[str, Any]] = field(default_factory=list)
    """Fields of slot requests."""
    claims: list[SlotClaim] = field(default_factory=list)
    """What is given back of slots."""
    costs: Counter[str] = field(default_factory=Counter)
    """What its deliveries cost by term as they stand."""
    parcels_saved: int = 0
    saved_minor: int = 0

    def exchange(self, key: str = "") -> Exchange:
        """The stock side of it."""
        place = [
            {"owner": self.order, "line": one.line, "sku": one.sku, "node": one.node, "quantity": one.quantity}
            for _, new, _ in self.plans
            for one in new.assignments
        ]
        return Exchange(self.order, self.channel, key, self.release, place, self.slots, self.claims)


def groups_worth_it(
    moves: Sequence[Move],
    better: Reassignment,
    stock: Sequence[tuple[str, str, int]],
    growth_permille: int | None,
) -> list[list[Move]]:
    """The groups of moves that depend on each other and together save something.

    Where those left would make all parcels travel more than `growth_permille` farther, the group that adds most goes
    first; what others gave way for stays with them.
    """
    by_order = {move.order: move for move in moves}
    groups = [
        [by_order[exchange.order] for exchange in group]
        for group in together([move.exchange() for move in moves], stock)
    ]
    groups = [group for group in groups if sum(move.saved_minor for move in group) > 0]
    if growth_permille is None:
        return groups
    before, after = _metres(better, better.before.accounts.used), _metres(better, better.after.accounts.used)
    grown = [int(sum((after - before)[row] for move in group for row in move.rows)) for group in groups]
    allowed = int(before.sum()) * growth_permille // 1000
    while grown and sum(grown) > allowed:
        most = int(np.argmax(grown))
        del groups[most], grown[most]
    return groups


def _metres(better: Reassignment, used: Ints) -> Ints:
    """int64[orders]: how far each order's parcels travel."""
    problem = better.before.problem
    order = np.searchsorted(problem.block.candidate_ptr, used, side="right") - 1
    metres = np.zeros(problem.orders, dtype=np.int64)
    np.add.at(metres, order, problem.distance_m[used])
    return metres
