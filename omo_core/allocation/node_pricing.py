"""Node pricing: all nodes that could serve an order weighed at given prices, and the useful ones made its candidates."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

import numpy as np

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.block import Block
from omo_core.allocation.chunks import Chunk, block_of_chunk, build_chunk, rebuild_rows
from omo_core.allocation.dual_kernels import mark_used
from omo_core.allocation.kernels import scratch_for
from omo_core.allocation.long_bound_kernels import bound_long_orders
from omo_core.allocation.order_values import ascent_for, long_orders, node_limit
from omo_core.allocation.prices import PRICE_PER_MINOR, Prices, scaled
from omo_core.allocation.problem import AllocationProblem
from omo_core.allocation.side_by_side import in_threads

KEPT_ENTRIES: Final = 50_000_000
"""Entries of the whole network that are kept from look to look, about 40 bytes each; beyond, they are made anew."""


class Look(NamedTuple):
    """What the nodes of the whole network offer the orders at some prices."""

    values: Ints
    """int64[orders]: as `Dual.values`, over every node that could serve the order."""
    problem: AllocationProblem
    """The problem with the nodes that its orders would use added to their candidates."""
    order: Ints
    node: Ints
    """int64[pairs]: what was added."""


class _Run(NamedTuple):
    values: Ints
    grown: Chunk
    order: Ints
    node: Ints


class WholeNetwork:
    """The orders of a problem with every node that could serve them, a run of orders at a time."""

    def __init__(self, problem: AllocationProblem, threads: int | None = None) -> None:
        self._threads = threads or os.cpu_count() or 1
        holders = np.diff(problem.stock.holder_ptr)
        self.is_kept = int(holders[problem.columns.sku].sum()) <= KEPT_ENTRIES
        """Whether the whole network is small enough to be kept from look to look."""
        self._kept: dict[int, Block] = {}

    def look(self, problem: AllocationProblem, prices: Prices) -> Look:
        """Value the orders over all nodes, and grow the problem (this one's, or one grown from it)."""

        def one(part: Chunk) -> _Run:
            return self._look_at(problem, part, prices)

        runs = in_threads(one, problem.parts, threads=self._threads)
        nothing = np.zeros(0, dtype=np.int64)
        values, order, node = (
            np.concatenate([nothing, *parts])
            for parts in ((run.values for run in runs), (run.order for run in runs), (run.node for run in runs))
        )
        grown = problem.of_parts([run.grown for run in runs]) if order.size else problem
        return Look(values, grown, order, node)

    def _look_at(self, problem: AllocationProblem, part: Chunk, prices: Prices) -> _Run:
        block, nodes = self._whole(problem, part), len(problem.index.nodes)
        values, used = _values_and_use(problem, block, prices)
        at = np.flatnonzero(used)
        row = np.searchsorted(block.candidate_ptr, at, side="right") - 1
        has = np.zeros((part.limit.size, nodes), dtype=np.bool_)
        has[part.row, part.node] = True
        new = ~has[row, block.node[at]]
        row, node = row[new], block.node[at[new]].astype(np.int64)
        grown = part
        if row.size:
            extra = np.union1d(part.extra, row * nodes + node)
            grown = rebuild_rows(problem, part, np.unique(row), part.limit, extra)
        return _Run(values, grown, part.first + row, node)

    def _whole(self, problem: AllocationProblem, part: Chunk) -> Block:
        """The run with all nodes, in 1/64 minor units."""
        if part.first in self._kept:
            return self._kept[part.first]
        whole = part
        if not part.complete.all():
            every = np.full(part.limit.size, len(problem.index.nodes), dtype=np.int64)
            nothing = np.zeros(0, dtype=np.int64)
            whole = build_chunk(problem, part.first + np.arange(every.size), every, nothing)
        block = scaled(block_of_chunk(problem, whole))
        if self.is_kept:
            self._kept[part.first] = block
        return block


def price_all_nodes(problem: AllocationProblem, prices: Prices, *, threads: int | None = None) -> Look:
    """One look at the whole network: the orders' values over all nodes, and the problem grown by what they would use."""
    return WholeNetwork(problem, threads).look(problem, prices)


def _values_and_use(problem: AllocationProblem, block: Block, prices: Prices) -> tuple[Ints, Flags]:
    policy = problem.policy
    split = policy.per_extra_node_minor * PRICE_PER_MINOR
    values = np.zeros(block.line_ptr.size - 1, dtype=np.int64)
    used = np.zeros(block.node.size, dtype=np.bool_)
    scratch = scratch_for(policy.max_exact_lines)
    mark_used(block, prices.cell, prices.node, split, node_limit(policy), scratch, values, used)
    long = long_orders(block, policy.max_exact_lines)
    if long.order.size:
        ascent, cell_use = ascent_for(block, long), np.zeros(prices.cell.size, dtype=np.int64)
        for at, order in enumerate(long.order):
            node_use = np.zeros(prices.node.size, dtype=np.int64)
            uses = values, cell_use, node_use
            bound_long_orders(block, long, at, at + 1, prices.cell, prices.node, split, ascent, *uses)
            of_order = slice(block.candidate_ptr[order], block.candidate_ptr[order + 1])
            used[of_order] = node_use[block.node[of_order]] > 0
    return values, used
