"""Long orders, and short ones with a line to split: the search over open nodes made ready and run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Ints
from omo_core.allocation.block import Block
from omo_core.allocation.search_kernels import Search


def search_of(block: Block, order: int, picked_from: Ints, stock: NDArray[np.int32], capacity: Ints) -> Search:
    """The order's entries by line and unit cost (ties: in the block's order), with the picked candidates open.

    `picked_from` (int64) are candidates, -1 for none; `stock` and `capacity` are what is left now.
    """
    first, stop = int(block.candidate_ptr[order]), int(block.candidate_ptr[order + 1])
    entries = np.arange(block.entry_ptr[first], block.entry_ptr[stop])
    owner = np.repeat(np.arange(stop - first), np.diff(block.entry_ptr[first : stop + 1]))
    lines = int(block.line_ptr[order + 1] - block.line_ptr[order])
    by_cost = np.lexsort((block.unit_minor[entries], block.line[entries]))
    units = np.where(capacity[block.node[first:stop]][owner] > 0, stock[block.cell[entries]], 0)
    is_open = np.zeros(stop - first, dtype=np.uint8)
    is_open[picked_from[picked_from >= 0] - first] = 1
    return Search(
        start=np.searchsorted(block.line[entries][by_cost], np.arange(lines + 1)).astype(np.int64),
        entry=entries[by_cost],
        candidate=owner[by_cost],
        available=units[by_cost].astype(np.int64),
        is_open=is_open,
        kept=np.zeros_like(is_open),
        bound=np.zeros(stop - first, dtype=np.int64),
        cost=np.zeros(lines, dtype=np.int64),
    )
