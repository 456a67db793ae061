"""All orders valued at given prices, in runs of orders that threads share."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, Self

import numpy as np

from omo_core.allocation.arrays import Ints
from omo_core.allocation.block import Block
from omo_core.allocation.chunks import ranges
from omo_core.allocation.dual_kernels import value_orders
from omo_core.allocation.greedy import NO_LIMIT
from omo_core.allocation.kernels import Scratch, scratch_for
from omo_core.allocation.long_bound_kernels import Ascent, LongOrders, bound_long_orders
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.prices import PRICE_PER_MINOR, scaled
from omo_core.model.errors import InvalidInput

RUN_LINES: Final = 8_192
"""Order lines a thread values before it takes the next run."""


class _Worker(NamedTuple):
    """What one thread writes to; its sums are whole numbers, so who valued which order does not show."""

    scratch: Scratch
    ascent: Ascent
    cell_use: Ints
    node_use: Ints


class OrderValues:
    """The orders of a block, ready to be valued at many prices. Close it, or use it as a context manager."""

    def __init__(self, block: Block, policy: SourcingPolicy, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise InvalidInput(f"the orders cannot be valued on {threads} threads; give at least 1, or None")
        self.block = scaled(block)
        """In 1/64 minor units."""
        self._split = policy.per_extra_node_minor * PRICE_PER_MINOR
        self._max_nodes = node_limit(policy)
        self._long = long_orders(block, policy.max_exact_lines)
        self._values = np.zeros(block.line_ptr.size - 1, dtype=np.int64)
        self._runs = _runs(block, self._long)
        self._max_exact = policy.max_exact_lines
        workers = max(1, min(threads or os.cpu_count() or 1, len(self._runs)))
        self._workers: list[_Worker] = []
        self._count = workers
        self._pool = ThreadPoolExecutor(workers - 1) if workers > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def at(self, cell_price: Ints, node_price: Ints) -> tuple[Ints, Ints]:
        """What each order costs at these prices (1/64 minor units), and what all use of the cells, then the nodes.

        Both arrays are overwritten by the next call.
        """
        if not self._workers:
            self._workers = [self._worker(cell_price.size, node_price.size) for _ in range(self._count)]
        shares = [(self._runs[i :: self._count], worker) for i, worker in enumerate(self._workers)]
        others = []
        if self._pool is not None:
            others = [self._pool.submit(self._value, *share, cell_price, node_price) for share in shares[1:]]
        self._value(*shares[0], cell_price, node_price)
        for other in others:
            other.result()
        use = np.concatenate([self._workers[0].cell_use, self._workers[0].node_use])
        for worker in self._workers[1:]:
            use[: cell_price.size] += worker.cell_use
            use[cell_price.size :] += worker.node_use
        return self._values, use

    def _value(
        self, runs: Iterable[tuple[int, int, int, int]], worker: _Worker, cell_price: Ints, node_price: Ints
    ) -> None:
        worker.cell_use[:] = 0
        worker.node_use[:] = 0
        uses = self._values, worker.cell_use, worker.node_use
        for first, stop, first_long, stop_long in runs:
            prices = cell_price, node_price, self._split
            value_orders(self.block, first, stop, *prices, self._max_nodes, worker.scratch, *uses)
            if first_long < stop_long:
                bound_long_orders(self.block, self._long, first_long, stop_long, *prices, worker.ascent, *uses)

    def _worker(self, cells: int, nodes: int) -> _Worker:
        zeros = np.zeros(cells, dtype=np.int64), np.zeros(nodes, dtype=np.int64)
        return _Worker(scratch_for(self._max_exact), ascent_for(self.block, self._long), *zeros)


def order_of_entries(block: Block) -> Ints:
    """int64[entries]: the order each entry belongs to."""
    entries = np.diff(block.entry_ptr[block.candidate_ptr])
    return np.repeat(np.arange(entries.size), entries)


def _runs(block: Block, long: LongOrders) -> list[tuple[int, int, int, int]]:
    """Runs of orders with about `RUN_LINES` lines, as ranges of orders and of long orders."""
    lines = int(block.line_ptr[-1])
    bounds = np.searchsorted(block.line_ptr, np.arange(0, lines, RUN_LINES))
    bounds = np.unique(np.append(bounds, block.line_ptr.size - 1))
    of_long = np.searchsorted(long.order, bounds)
    ranges = zip(bounds[:-1], bounds[1:], of_long[:-1], of_long[1:], strict=True)
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in ranges]


def node_limit(policy: SourcingPolicy) -> int:
    """How many nodes an order may use, for kernels."""
    return NO_LIMIT if policy.max_nodes is None else policy.max_nodes


def ascent_for(block: Block, long: LongOrders) -> Ascent:
    """Tables for the longest of these orders."""
    candidates = np.diff(block.candidate_ptr)[long.order].max(initial=0)
    lines = np.diff(block.line_ptr)[long.order].max(initial=0)
    paid = np.empty(lines, dtype=np.int64)
    return Ascent(np.empty(candidates, dtype=np.int64), paid, np.empty(candidates, dtype=np.uint8))


def long_orders(block: Block, max_exact: int) -> LongOrders:
    """The orders of more than `max_exact` lines, their entries in order of their lines."""
    order = np.flatnonzero(np.diff(block.line_ptr) > max_exact)
    nothing = np.zeros(0, dtype=np.int64)
    if not order.size:
        return LongOrders(nothing, nothing, np.zeros(1, dtype=np.int64), nothing, nothing)
    lines = np.diff(block.line_ptr)[order]
    first_line = np.cumsum(lines) - lines
    candidates = ranges(block.candidate_ptr[order], block.candidate_ptr[order + 1])
    entries = ranges(block.entry_ptr[candidates], block.entry_ptr[candidates + 1])
    candidate = np.repeat(candidates, np.diff(block.entry_ptr)[candidates])
    at = np.repeat(np.arange(order.size), np.diff(block.entry_ptr[block.candidate_ptr])[order])
    row = first_line[at] + block.line[entries]
    by_line = np.argsort(row, kind="stable")
    start = np.searchsorted(row[by_line], np.arange(int(lines.sum()) + 1))
    return LongOrders(order, first_line, start, entries[by_line], candidate[by_line])
