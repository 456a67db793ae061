"""The kernel that replays a plan to say what each node not used would have cost instead."""

# ruff: noqa: PLR0912, PLR0917 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from typing import Final

import numpy as np

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel

NO_PLACE: Final = -1
"""The candidate could not have taken over the units of any one node that was used."""
IN_USE: Final = -2
"""The candidate is used itself."""


@kernel
def weigh_alternatives(
    block: Block,
    turn: Array,
    stock: Array,
    capacity: Array,
    taken: Array,
    joint: bool,
    left: Array,
    instead_of: Array,
    extra_minor: Array,
) -> None:
    """Replay the orders in `turn` and weigh every candidate against the node it would best have replaced.

    `stock` and `capacity` are those before the first order and are drawn down order by order; with `joint` they are
    what the whole plan left over. Fills `left` (int32[entries], units the order found there), `instead_of`
    (int64[candidates]: the used candidate whose units this one could have taken over at least extra cost, else
    NO_PLACE or IN_USE) and `extra_minor` (int64[candidates]).
    """
    for position in range(turn.size):
        order = turn[position]
        first, stop = block.candidate_ptr[order], block.candidate_ptr[order + 1]
        lines = block.line_ptr[order + 1] - block.line_ptr[order]
        for candidate in range(first, stop):
            instead_of[candidate] = NO_PLACE
            for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
                left[entry] = stock[block.cell[entry]] if capacity[block.node[candidate]] > 0 else 0
                if taken[entry] > 0:
                    instead_of[candidate] = IN_USE
        entry_of_line = np.full(lines, -1, np.int64)
        for candidate in range(first, stop):
            if instead_of[candidate] == IN_USE:
                continue
            for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
                entry_of_line[block.line[entry]] = entry
            for used in range(first, stop):
                if instead_of[used] == IN_USE:
                    extra, able = _extra_of_replacing(block, candidate, used, entry_of_line, left, taken)
                    if able and (instead_of[candidate] == NO_PLACE or extra < extra_minor[candidate]):
                        instead_of[candidate], extra_minor[candidate] = used, extra
            entry_of_line[:] = -1
        if not joint:
            for candidate in range(first, stop):
                if instead_of[candidate] == IN_USE:
                    capacity[block.node[candidate]] -= 1
                    for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
                        stock[block.cell[entry]] -= taken[entry]


@kernel
def _extra_of_replacing(
    block: Block, candidate: int, used: int, entry_of_line: Array, left: Array, taken: Array
) -> tuple[int, bool]:
    """What it would cost more if `candidate` sent what `used` sends, and whether it could."""
    extra = block.fixed_minor[candidate] - block.fixed_minor[used]
    for entry in range(block.entry_ptr[used], block.entry_ptr[used + 1]):
        if taken[entry] > 0:
            other = entry_of_line[block.line[entry]]
            if other < 0 or left[other] < taken[entry]:
                return 0, False
            extra += (block.unit_minor[other] - block.unit_minor[entry]) * taken[entry]
    return extra, True
