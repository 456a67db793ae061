"""All ways to serve each order that come near its cheapest one at given prices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np

from omo_core.allocation.arrays import Ints
from omo_core.allocation.column_kernels import list_columns, parts_for
from omo_core.allocation.prices import PRICE_PER_MINOR
from omo_core.allocation.primal import Primal

RUN_ORDERS: Final = 2_048
MOST_COLUMNS: Final = 48
"""Ways of one order; where there are more, only the nearer ones count."""


class Columns(NamedTuple):
    """Ways to serve orders: those of `turn[i]` are the rows ptr[i] to ptr[i + 1]."""

    ptr: Ints
    """int64[orders + 1]."""
    pick: Ints
    """int64[ways, widest order]: the entry that serves each line, -1 for none."""
    picked_from: Ints
    """int64[ways, widest order]: its candidate."""


def list_near(work: Primal, delta: int, threads: int) -> Columns:
    """Every way of every order within `delta` (in prices) of its wish, no line split; orders too long have none."""
    problem, block = work.problem, work.block
    width = int(np.diff(block.line_ptr)[work.turn].max(initial=1))
    runs = [np.sort(work.turn)[first : first + RUN_ORDERS] for first in range(0, work.turn.size, RUN_ORDERS)]

    def one(turn: Ints) -> Columns:
        count = np.zeros(turn.size, dtype=np.int64)
        pick = np.full((turn.size * MOST_COLUMNS, width), -1, dtype=np.int64)
        picked_from = np.full_like(pick, -1)
        found = list_columns(
            work.priced, turn, work.guide.value, problem.stock.available, problem.capacity, delta,
            work.split_minor * PRICE_PER_MINOR, work.max_nodes, MOST_COLUMNS, parts_for(problem.policy.max_exact_lines),
            count, pick, picked_from,
        )  # fmt: skip
        return Columns(count, pick[:found].copy(), picked_from[:found].copy())

    if threads > 1 and len(runs) > 1:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(one, runs))
    else:
        parts = [one(turn) for turn in runs]
    count = np.zeros(problem.orders, dtype=np.int64)
    for turn, part in zip(runs, parts, strict=True):
        count[turn] = part.ptr
    nothing = np.zeros((0, width), dtype=np.int64)
    return Columns(
        ptr=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        pick=np.concatenate([nothing, *(part.pick for part in parts)]),
        picked_from=np.concatenate([nothing, *(part.picked_from for part in parts)]),
    )
