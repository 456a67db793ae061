"""Windows: orders that compete for the same goods are decided together, a few thousand at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np

from omo_core.allocation.arrays import Ints
from omo_core.allocation.columns_near import Columns
from omo_core.allocation.primal import Primal
from omo_core.allocation.primal_kernels import place, remove
from omo_core.allocation.window_model import Window

ABREAST: Final = 2
"""Windows solved side by side; a fixed number, so that threads do not show."""


class Limits(NamedTuple):
    """How far the windows of a pass may go."""

    orders: int
    """Of one window, about."""
    search_nodes: int
    """Of the tree of each window's integer program."""
    threads: int
    seconds_left: Callable[[], float | None]
    """Until the deadline, None without one; it only ends a search early."""


def improve_pass(work: Primal, columns: Columns, number: int, limits: Limits) -> Iterator[int]:
    """Solve all windows of one pass, each pass grouping the orders in another way; yields what each round saves."""
    groups = group(work, columns, number, limits.orders)
    with ThreadPoolExecutor(ABREAST) as pool:
        for first in range(0, len(groups), ABREAST):
            windows = [Window.of(work, columns, orders) for orders in groups[first : first + ABREAST]]
            shares = _share(work, windows)
            seconds = limits.seconds_left()

            def solve(window: Window, share: tuple[Ints, Ints], seconds: float | None = seconds) -> Ints:
                return window.solve(*share, limits.search_nodes, seconds)

            if limits.threads > 1:
                answers = list(pool.map(solve, windows, shares))
            else:
                answers = list(map(solve, windows, shares))
            yield sum(_apply(work, window, chosen) for window, chosen in zip(windows, answers, strict=True))


def group(work: Primal, columns: Columns, number: int, size: int) -> list[Ints]:
    """The orders with a choice in groups of about `size`: by their most contested SKU, or by place in odd passes."""
    problem, block = work.problem, work.block
    orders = np.flatnonzero((np.diff(columns.ptr) > 1) & ~work.mended)
    if not orders.size:
        return []
    if number % 2:
        angle = 1.3 * number
        across = np.cross((0.0, 0.0, 1.0), problem.columns.xyz.mean(axis=0))
        key = problem.columns.xyz[orders] @ (np.cos(angle) * across + np.sin(angle) * np.array((0.0, 0.0, 1.0)))
    else:
        sku_of_cell = np.repeat(np.arange(problem.stock.holder_ptr.size - 1), np.diff(problem.stock.holder_ptr))
        worth = np.zeros(problem.stock.holder_ptr.size - 1, dtype=np.int64)
        np.add.at(worth, sku_of_cell, work.prices.cell * problem.stock.available)
        sku = problem.columns.sku
        line_worth = worth[sku]
        most = np.maximum.reduceat(np.append(line_worth, 0), block.line_ptr[:-1])
        is_top = line_worth == np.repeat(most, np.diff(block.line_ptr))
        top = np.full(problem.orders, -1, dtype=np.int64)
        lines = np.flatnonzero(is_top)[::-1]
        top[work.guide.order_of_line[lines]] = sku[lines]
        shuffled = np.random.default_rng(number).permutation(worth.size)
        key = shuffled[top[orders]]
    ordered = orders[np.argsort(key, kind="stable")]
    return np.array_split(ordered, max(1, round(ordered.size / size)))


def _share(work: Primal, windows: list[Window]) -> list[tuple[Ints, Ints]]:
    """What each window may take: what it holds, and of what is free a share by what it wants."""
    stock, capacity = work.state.stock.astype(np.int64), work.state.capacity
    sizes = stock.size, capacity.size
    wants = [window.wants(*sizes) for window in windows]
    shares = []
    for free, which in ((stock, 0), (capacity, 1)):
        total = np.maximum(sum(want[which] for want in wants), 1)
        parts = [free * want[which] // total for want in wants]
        parts[0] = free - sum(parts[1:])
        shares.append(parts)
    held = [window.holds(*sizes) for window in windows]
    return [(shares[0][i] + held[i][0], shares[1][i] + held[i][1]) for i in range(len(windows))]


def _apply(work: Primal, window: Window, chosen: Ints) -> int:
    """Give the window's orders the chosen ways; returns what that saves."""
    work.windowed[window.orders] = True
    moved = np.flatnonzero(~window.is_held[chosen])
    for i in moved:
        remove(work.block, int(window.orders[i]), work.state)
    for i in moved:
        way = chosen[i]
        place(work.block, int(window.orders[i]), window.pick[way], window.picked_from[way], 0, work.state)
    return int(window.cost_minor[window.is_held].sum() - window.cost_minor[chosen].sum())
