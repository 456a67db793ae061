"""Ruin and recreate: a few orders that stand in each other's way are taken out and decided again, over and over."""

# ruff: noqa: PLR0917 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel
from omo_core.allocation.kernels import Scratch, decide_order
from omo_core.allocation.primal_kernels import Guide, State, copy_picks, cost_of_picks, place, remove, roll

OCCUPANTS: Final = 60
"""Occupants of a wanted cell that are looked at."""
WANTERS: Final = 40
"""Orders that wish for a cell that are looked at."""
REFRESH: Final = 4_000
"""Trials after which the contested orders are listed anew."""
FACES: Final = 1 << 12
"""Steps of the chance that a dearer plan is accepted."""


class Ruin(NamedTuple):
    """The workplace of ruin and recreate."""

    dice: Any
    """int64[1]: the state of `roll`, never 0."""
    wanted_ptr: Any
    """int64[cells + 1]: the lines that wish for a cell."""
    wanted_by: Any
    """int64[wishes]."""
    node_wanted_ptr: Any
    """int64[nodes + 1]: the lines that wish for a node."""
    node_wanted_by: Any
    """int64[wishes]."""
    pool: Any
    """int64[orders]: the contested ones come first."""
    is_out: Any
    """uint8[orders]."""
    out: Any
    """int64[most taken out together]: in the order of recreation."""
    pick: Any
    """int64[most taken out together × lines]: what they had."""
    picked_from: Any
    patience: Any
    """int64[FACES]: a loss of patience × temperature / 1024 is accepted with the chance of its place."""


def dice_for(seed: int) -> Array:
    """The dice of a seed; equal seeds roll equal numbers."""
    return np.array([(seed * 2_654_435_761 + 88_172_645) % 0xFFFFFFFF + 1], dtype=np.int64)


def ruin_for(guide: Guide, block: Block, cells: int, nodes: int, most_out: int, most_lines: int) -> Ruin:
    """The workplace for a guide; it serves many rounds, each with `dice_for` its seed."""
    wishes = np.flatnonzero(guide.pick >= 0)
    cell, node = block.cell[guide.pick[wishes]], block.node[guide.picked_from[wishes]]
    return Ruin(
        dice=dice_for(0),
        wanted_ptr=np.searchsorted(np.sort(cell), np.arange(cells + 1)).astype(np.int64),
        wanted_by=wishes[np.argsort(cell, kind="stable")].astype(np.int64),
        node_wanted_ptr=np.searchsorted(np.sort(node), np.arange(nodes + 1)).astype(np.int64),
        node_wanted_by=wishes[np.argsort(node, kind="stable")].astype(np.int64),
        pool=np.zeros(block.line_ptr.size - 1, dtype=np.int64),
        is_out=np.zeros(block.line_ptr.size - 1, dtype=np.uint8),
        out=np.zeros(most_out, dtype=np.int64),
        pick=np.zeros(most_out * most_lines, dtype=np.int64),
        picked_from=np.zeros(most_out * most_lines, dtype=np.int64),
        patience=np.rint(-1024 * np.log((np.arange(FACES) + 0.5) / FACES)).astype(np.int64),
    )


@kernel(allocates=False)
def list_contested(priced: Block, turn: Array, state: State, guide: Guide, split: int, slack: int, pool: Array) -> int:
    """Write the orders that pay over `slack` more than their wish would cost to the front of `pool`; how many there are."""
    count = 0
    for order in turn:
        first = priced.line_ptr[order]
        paid = cost_of_picks(priced, order, state.pick, state.picked_from, first, split)
        if paid > guide.value[order] + slack:
            pool[count] = order
            count += 1
    return count


@kernel(allocates=False)
def ruin_and_recreate(
    block: Block, priced: Block, turn: Array, state: State, guide: Guide, split_minor: int, price_per_minor: int,
    max_nodes: int, trials: int, warmth: int, noise: int, scratch: Scratch, ruin: Ruin,
) -> int:  # fmt: skip
    """Simulated annealing (Kirkpatrick and others 1983) over small groups of contested orders; returns what it saves.

    A trial takes out a contested order, who stands in its way and who wants its place, and serves them again in random
    order, at priced or at true cost. The temperature falls in a line from `warmth` minor units to nothing; `noise` (in
    prices) blurs who loses least.
    """
    saved, contested = 0, 0
    priced_split = split_minor * price_per_minor
    for trial in range(trials):
        if trial % REFRESH == 0:
            contested = list_contested(priced, turn, state, guide, priced_split, price_per_minor // 4, ruin.pool)
            if contested == 0:
                break
        count = _choose(block, ruin.pool[roll(ruin.dice, contested)], state, guide, noise, ruin)
        _shuffle(count, ruin)
        before = _take_out(block, count, state, split_minor, ruin)
        by_price = roll(ruin.dice, 3) < 2
        after = 0
        for i in range(count):
            order = ruin.out[i]
            costs, split = (priced, priced_split) if by_price else (block, split_minor)
            decide_order(costs, order, state.stock, state.capacity, split, max_nodes, scratch)
            after += cost_of_picks(block, order, scratch.pick, scratch.picked_from, 0, split_minor)
            place(block, order, scratch.pick, scratch.picked_from, 0, state)
        temperature = warmth * (trials - trial) // trials
        accepted = after <= before
        if not accepted and temperature > 0:
            accepted = (after - before) * 1024 <= temperature * ruin.patience[roll(ruin.dice, FACES)]
        if accepted:
            saved += before - after
        else:
            _put_back(block, count, state, ruin)
    return saved


@kernel(allocates=False)
def _choose(block: Block, start: int, state: State, guide: Guide, noise: int, ruin: Ruin) -> int:
    """Gather a group around a contested order, breadth first, into `out`; returns its size."""
    limit = 3 + roll(ruin.dice, ruin.out.size - 2)
    ruin.out[0], ruin.is_out[start] = start, 1
    count, looked_at = 1, 0
    while looked_at < count < limit:
        order = ruin.out[looked_at]
        looked_at += 1
        for row in range(block.line_ptr[order], block.line_ptr[order + 1]):
            for side in range(2):
                if side == 0:
                    found = _in_the_way(block, row, state, guide, noise, ruin)
                else:
                    found = _in_want(block, row, state, guide, ruin)
                if found >= 0 and count < limit:
                    ruin.out[count], ruin.is_out[found] = found, 1
                    count += 1
    for i in range(count):
        ruin.is_out[ruin.out[i]] = 0
    return count


@kernel(allocates=False)
def _in_the_way(block: Block, row: int, state: State, guide: Guide, noise: int, ruin: Ruin) -> int:
    """Of the orders that keep a line from its wish, not in the group yet, who loses least, give or take; else -1."""
    entry = guide.pick[row]
    if entry < 0 or entry == state.pick[row]:
        return -1
    if state.stock[block.cell[entry]] < block.quantity[row]:
        return _who_loses_least(
            state.head[block.cell[entry]], state.after, state.pick, guide.pick, guide.loss, guide, noise, ruin
        )
    node = block.node[guide.picked_from[row]]
    if state.capacity[node] <= 0:
        return _who_loses_least(
            state.node_head[node], state.node_after, state.picked_from, guide.picked_from, guide.node_loss,
            guide, noise, ruin,
        )  # fmt: skip
    return -1


@kernel(allocates=False)
def _who_loses_least(
    row: int, after: Array, held: Array, wished: Array, losses: Array, guide: Guide, noise: int, ruin: Ruin
) -> int:
    """Of the occupants from `row` on, not in the group yet, who loses least, give or take the noise; else -1."""
    best, best_loss, seen = -1, 1 << 62, 0
    while row >= 0 and seen < OCCUPANTS:
        seen += 1
        order = guide.order_of_line[row]
        if not ruin.is_out[order]:
            loss = (losses[row] if held[row] == wished[row] else 0) + roll(ruin.dice, noise + 1)
            if loss < best_loss:
                best, best_loss = order, loss
        row = after[row]
    return best


@kernel(allocates=False)
def _in_want(block: Block, row: int, state: State, guide: Guide, ruin: Ruin) -> int:
    """An order, not in the group yet, that wishes for what a line holds; else -1."""
    entry = state.pick[row]
    if entry < 0:
        return -1
    node = block.node[state.picked_from[row]]
    if state.capacity[node] <= 0 and roll(ruin.dice, 2) == 0:
        return _who_wishes(
            node, ruin.node_wanted_ptr, ruin.node_wanted_by, state.picked_from, guide.picked_from, guide, ruin
        )
    return _who_wishes(block.cell[entry], ruin.wanted_ptr, ruin.wanted_by, state.pick, guide.pick, guide, ruin)


@kernel(allocates=False)
def _who_wishes(
    where: int, wanted_ptr: Array, wanted_by: Array, held: Array, wished: Array, guide: Guide, ruin: Ruin
) -> int:
    """An order, not in the group yet, that wishes for a cell or node and is not served from it; else -1."""
    first, size = wanted_ptr[where], wanted_ptr[where + 1] - wanted_ptr[where]
    if size == 0:
        return -1
    start = roll(ruin.dice, size)
    for i in range(min(size, WANTERS)):
        row = wanted_by[first + (start + i) % size]
        if held[row] != wished[row] and not ruin.is_out[guide.order_of_line[row]]:
            return int(guide.order_of_line[row])
    return -1


@kernel(allocates=False)
def _shuffle(count: int, ruin: Ruin) -> None:
    """Put the group into random order (Fisher and Yates)."""
    for i in range(count - 1, 0, -1):
        j = roll(ruin.dice, i + 1)
        ruin.out[i], ruin.out[j] = ruin.out[j], ruin.out[i]


@kernel(allocates=False)
def _take_out(block: Block, count: int, state: State, split_minor: int, ruin: Ruin) -> int:
    """Remove the group, remember what it had, and return what that cost."""
    room, cost = ruin.pick.size // ruin.out.size, 0
    for i in range(count):
        order = ruin.out[i]
        cost += cost_of_picks(block, order, state.pick, state.picked_from, block.line_ptr[order], split_minor)
        copy_picks(block, order, state, ruin.pick, ruin.picked_from, i * room)
        remove(block, order, state)
    return cost


@kernel(allocates=False)
def _put_back(block: Block, count: int, state: State, ruin: Ruin) -> None:
    """Restore what the group had before the trial."""
    room = ruin.pick.size // ruin.out.size
    for i in range(count):
        remove(block, ruin.out[i], state)
    for i in range(count):
        place(block, ruin.out[i], ruin.pick, ruin.picked_from, i * room, state)
