"""Sampled futures: what the orders to come may be, drawn from those that came, and the mean of the prices they would pay.

Prices of one expected future know its every order; the mean over several knows how likely each was. That matters most
for items that sell a few units: one history sells them at some places and no others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Self

import numpy as np

from omo_core.allocation.arrays import Ints
from omo_core.allocation.block import Block
from omo_core.allocation.columns import DemandColumns
from omo_core.allocation.dual import solve_dual
from omo_core.allocation.prices import Prices, no_prices
from omo_core.allocation.problem import AllocationProblem
from omo_core.allocation.special import NodeWork
from omo_core.model.errors import InvalidInput

FIRST: Final = (60, 0.12, 0.97)
"""Iterations, step and decay where there are no prices yet; half of a wave's work."""
ITERATIONS: Final = 12
STEP: Final = 0.06
DECAY: Final = 0.9
"""From prices that were good a moment ago: a tenth of a wave's work, half of its first step."""


def sampled_orders(history: DemandColumns, rng: np.random.Generator) -> DemandColumns:
    """As many orders as came, in sizes that came; each goes where one of them went and asks for items that they asked.

    Where and what are drawn apart, so that an item that sold here may sell there; an order names an item once.
    Exclusions and what only some rules ask (`traits`) are left out.
    """
    orders = history.line_ptr.size - 1
    if orders == 0:
        return history
    owner = rng.integers(0, orders, orders)
    line = rng.integers(0, history.sku.size, history.sku.size)
    order_of = np.repeat(np.arange(orders), np.diff(history.line_ptr))
    skus = int(history.sku.max()) + 1
    kept = np.sort(np.unique(order_of * skus + history.sku[line], return_index=True)[1])
    line, order_of = line[kept], order_of[kept]
    return replace(
        history,
        method=history.method[owner],
        xyz=history.xyz[owner],
        placed=history.placed[owner],
        pickup=history.pickup[owner],
        open_row=history.open_row[owner],
        excluded=np.zeros(0, dtype=np.int64),
        line_ptr=np.searchsorted(order_of, np.arange(orders + 1)).astype(np.int64),
        sku=history.sku[line],
        quantity=history.quantity[line],
        weight_g=history.weight_g[line],
        traits=None,
    )


class Futures:
    """Several futures of one length over the same stock cells, each with the prices it would pay."""

    def __init__(self, problems: Iterable[AllocationProblem]) -> None:
        """Each problem is one future, its orders in the order in which they arrive."""
        self._problems = tuple(problems)
        if not self._problems:
            raise InvalidInput("there is no future to make prices for; give at least one")
        cells = {(one.stock.available.size, one.capacity.size) for one in self._problems}
        if len(cells) > 1:
            raise InvalidInput("the futures are over different stock or nodes; build them all over the router's")
        self._prices: list[Prices] = []
        self._cells, self._nodes = cells.pop()

    @classmethod
    def of(cls, history: AllocationProblem, count: int, rng: np.random.Generator) -> Self:
        """`count` futures drawn from a history (see `sampled_orders`)."""
        drawn = (
            AllocationProblem.from_columns(
                history.index,
                sampled_orders(history.columns, rng),
                history.stock,
                history.policy,
                work=work_by_node(history),
                rules=history.rules,
                terms=history.terms,
            )
            for _ in range(count)
        )
        return cls(drawn)

    def prices(self, passed: float, stock: Ints, capacity: Ints, *, threads: int | None = None) -> Prices:
        """The mean of what the futures pay from here on, when the part `passed` of their orders has come.

        `stock` and `capacity` (int64) are what is left. Each future starts from what it paid last time, so the
        answers depend on the calls made before, and on nothing else: the same on any number of threads.
        """
        if not 0 <= passed < 1:
            raise InvalidInput(f"{passed} of the orders have passed; give 0 to less than 1")
        if stock.shape != (self._cells,) or capacity.shape != (self._nodes,):
            raise InvalidInput("the stock left belongs to other cells or nodes; give that of the router")
        iterations, step, decay = (ITERATIONS, STEP, DECAY) if self._prices else FIRST
        starts = self._prices or [no_prices(self._cells, self._nodes)] * len(self._problems)
        self._prices = []
        for problem, start in zip(self._problems, starts, strict=True):
            left = replace(
                problem,
                block=_from(problem.block, int(passed * problem.orders)),
                stock=replace(problem.stock, available=stock.astype(np.int32)),
                capacity=capacity,
            )
            dual = solve_dual(left, start=start, threads=threads, iterations=iterations, step=step, decay=decay)
            self._prices.append(dual.prices)
        return Prices(
            np.mean([one.cell for one in self._prices], axis=0).astype(np.int64),
            np.mean([one.node for one in self._prices], axis=0).astype(np.int64),
        )


def work_by_node(problem: AllocationProblem) -> dict[str, NodeWork]:
    """What a problem was told about the work of nodes, for another problem over the same network."""
    return {
        node.node: NodeWork(*work)
        for node, work in zip(problem.index.nodes, problem.work.tolist(), strict=True)
        if work != [1, 0, 0]
    }


def _from(block: Block, first: int) -> Block:
    """The block's orders from `first` on."""
    line, candidate = block.line_ptr[first], block.candidate_ptr[first]
    entry = block.entry_ptr[candidate]
    return Block(
        line_ptr=block.line_ptr[first:] - line,
        quantity=block.quantity[line:],
        unserved_minor=block.unserved_minor[line:],
        candidate_ptr=block.candidate_ptr[first:] - candidate,
        node=block.node[candidate:],
        fixed_minor=block.fixed_minor[candidate:],
        floor_minor=block.floor_minor[candidate:],
        entry_ptr=block.entry_ptr[candidate:] - entry,
        line=block.line[entry:],
        cell=block.cell[entry:],
        unit_minor=block.unit_minor[entry:],
        ruled=block.ruled[first:],
        whole=block.whole[first:],
        group=block.group[line:],
        weight_g=block.weight_g[line:],
        tariff=block.tariff[candidate:],
        band_ptr=block.band_ptr,
        band_up_to_g=block.band_up_to_g,
        band_minor=block.band_minor,
        floor_base_minor=block.floor_base_minor,
        floor_gram_minor=block.floor_gram_minor,
        work=block.work,
    )
