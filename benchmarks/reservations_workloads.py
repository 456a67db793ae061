"""Who asks for what: one hot row, a few loved rows among many (Zipf), or many rows alike (spread)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final, NamedTuple

import numpy as np

from benchmarks.reservations_ledger import Cell, cell_of

WORKLOADS: Final = ("hot", "zipf", "spread")
ZIPF_EXPONENT: Final = 0.99
"""That of YCSB (Cooper et al., Benchmarking Cloud Serving Systems with YCSB, 2010)."""

_DRAWN_AT_ONCE: Final = 16_384


class Request(NamedTuple):
    """One unit of one row, for an owner who never asks twice."""

    owner: str
    sku: str
    node: str


def requests(workload: str, rows: int, *, hot: int, run: str, seed: int) -> Iterator[Request]:
    """An endless stream for one run: its draws depend on `seed` and `run` alone.

    Rows 0 to `rows` − 1 are the many; `hot` is the number of the one hot row, which no other run asks for: so that no
    method suffers from what an earlier run left behind.
    """
    numbers = (hot for _ in count()) if workload == "hot" else _draws(workload, rows, run, seed)
    cells: dict[int, Cell] = {}
    for n, row in enumerate(numbers):
        cell = cells.get(row)
        if cell is None:
            cell = cells[row] = cell_of(row)
        yield Request(f"{run}/{n}", *cell)


def _draws(workload: str, rows: int, run: str, seed: int) -> Iterator[int]:
    dice = np.random.default_rng([seed, *run.encode()])
    # Rows that are loved must not be neighbours in the index: they are shuffled, for every run alike.
    order = np.random.default_rng(seed).permutation(rows)
    weights = np.arange(1, rows + 1, dtype=np.float64) ** -(ZIPF_EXPONENT if workload == "zipf" else 0.0)
    reach = np.cumsum(weights / weights.sum())
    while True:
        ranks = np.searchsorted(reach, dice.random(_DRAWN_AT_ONCE)).clip(max=rows - 1)
        yield from order[ranks].tolist()
