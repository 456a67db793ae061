"""Ejection chains: an order takes the place it wishes for, whoever loses least there moves on, and so forth."""

# ruff: noqa: PLR0917, SIM110 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel
from omo_core.allocation.kernels import Scratch, decide_order
from omo_core.allocation.primal_kernels import Guide, State, copy_picks, cost_of_picks, place, remove

MOST_OCCUPANTS = 400
"""Occupants of one cell that are looked at."""


class Chain(NamedTuple):
    """The levels of one chain; level 0 is the order that starts it."""

    order: Any
    """int64[levels]: who is without a place at this level."""
    net: Any
    """int64[levels]: new costs before this level − old costs up to and with it."""
    tried: Any
    """int64[levels]: how many occupants were displaced so far from this level."""
    width: Any
    """int64[levels]: how many may be."""
    victim: Any
    """int64[levels, widest]: the lines they were."""
    pick: Any
    """int64[levels × lines]: what the level's order had."""
    picked_from: Any


def chain_for(width: tuple[int, ...], most_lines: int) -> Chain:
    """Room for chains that displace up to width[level] occupants, one after another, at each level."""
    levels = len(width)
    return Chain(
        order=np.zeros(levels, dtype=np.int64),
        net=np.zeros(levels, dtype=np.int64),
        tried=np.zeros(levels, dtype=np.int64),
        width=np.array(width, dtype=np.int64),
        victim=np.zeros((levels, max(width)), dtype=np.int64),
        pick=np.zeros(levels * most_lines, dtype=np.int64),
        picked_from=np.zeros(levels * most_lines, dtype=np.int64),
    )


@kernel(allocates=False)
def chain_in_turn(
    block: Block, priced: Block, turn: Array, state: State, guide: Guide, split_minor: int, price_per_minor: int,
    max_nodes: int, most_steps: int, scratch: Scratch, chain: Chain,
) -> int:  # fmt: skip
    """Start a chain from each placed order that has not got its wish; returns what they save in all."""
    saved = 0
    for order in turn:
        first = block.line_ptr[order]
        paid = cost_of_picks(priced, order, state.pick, state.picked_from, first, split_minor * price_per_minor)
        if paid > guide.value[order] + price_per_minor // 4:
            saved += _run_chain(block, order, state, guide, split_minor, max_nodes, most_steps, scratch, chain)
    return saved


@kernel(allocates=False)
def _run_chain(
    block: Block, order: int, state: State, guide: Guide, split_minor: int, max_nodes: int, most_steps: int,
    scratch: Scratch, chain: Chain,
) -> int:  # fmt: skip
    """Depth-first search for a chain that pays, at most `most_steps` displacements; all is as before if none does."""
    level, steps, entering = 0, 0, True
    chain.net[0] = 0
    _unseat(block, order, 0, state, split_minor, chain)
    while level >= 0:
        who = chain.order[level]
        if entering:
            cost = decide_order(block, who, state.stock, state.capacity, split_minor, max_nodes, scratch)
            if chain.net[level] + cost < 0:
                place(block, who, scratch.pick, scratch.picked_from, 0, state)
                return int(-(chain.net[level] + cost))
            chain.tried[level] = 0
        row = block.line_ptr[who]
        wish = cost_of_picks(block, who, guide.pick, guide.picked_from, row, split_minor)
        victim = -1
        may_wish = not block.ruled[who] and level + 1 < chain.order.size
        if steps < most_steps and may_wish and chain.net[level] + wish < 0:
            victim = _next_victim(block, level, state, guide, chain)
        if victim < 0:
            level -= 1
            entering = False
            if level >= 0:
                remove(block, chain.order[level], state)
            _seat_again(block, level + 1, state, chain)
            continue
        chain.victim[level, chain.tried[level]] = victim
        chain.tried[level] += 1
        steps += 1
        chain.net[level + 1] = chain.net[level] + wish
        _unseat(block, guide.order_of_line[victim], level + 1, state, split_minor, chain)
        entering = _fits(block, who, guide, state)
        if entering:
            place(block, who, guide.pick, guide.picked_from, row, state)
            level += 1
        else:
            _seat_again(block, level + 1, state, chain)
    return 0


@kernel(allocates=False)
def _unseat(block: Block, order: int, level: int, state: State, split_minor: int, chain: Chain) -> None:
    """Take an order out and remember at `level` what it had and what that cost."""
    room = chain.pick.size // chain.order.size
    chain.order[level] = order
    chain.net[level] -= cost_of_picks(block, order, state.pick, state.picked_from, block.line_ptr[order], split_minor)
    copy_picks(block, order, state, chain.pick, chain.picked_from, level * room)
    remove(block, order, state)


@kernel(allocates=False)
def _seat_again(block: Block, level: int, state: State, chain: Chain) -> None:
    """Put the order of `level` back where it was."""
    room = chain.pick.size // chain.order.size
    place(block, chain.order[level], chain.pick, chain.picked_from, level * room, state)


@kernel(allocates=False)
def _next_victim(block: Block, level: int, state: State, guide: Guide, chain: Chain) -> int:
    """The occupant, not tried yet, that loses least in the one cell that is too short for the level's order; else -1."""
    if chain.tried[level] >= chain.width[level]:
        return -1
    who = chain.order[level]
    short = full = -1
    for row in range(block.line_ptr[who], block.line_ptr[who + 1]):
        entry = guide.pick[row]
        if entry < 0:
            continue
        if state.stock[block.cell[entry]] < block.quantity[row]:
            if short >= 0:
                return -1
            short = row
        node = block.node[guide.picked_from[row]]
        if state.capacity[node] <= 0:
            if full >= 0 and node != full:
                return -1
            full = node
    if short >= 0:
        return _least_in_cell(block, level, short, state, guide, chain)
    if full >= 0:
        return _least_at_node(level, full, state, guide, chain)
    return -1


@kernel(allocates=False)
def _least_in_cell(block: Block, level: int, short: int, state: State, guide: Guide, chain: Chain) -> int:
    """The occupant of the cell that line `short` wishes for that loses least and leaves enough; else -1."""
    cell = block.cell[guide.pick[short]]
    best, best_loss, seen = -1, 1 << 62, 0
    row = state.head[cell]
    while row >= 0 and seen < MOST_OCCUPANTS:
        seen += 1
        loss = guide.loss[row] if state.pick[row] == guide.pick[row] else 0
        is_enough = state.stock[cell] + block.quantity[row] >= block.quantity[short]
        if loss < best_loss and is_enough and not _was_tried(level, row, chain):
            best, best_loss = row, loss
        row = state.after[row]
    return best


@kernel(allocates=False)
def _least_at_node(level: int, node: int, state: State, guide: Guide, chain: Chain) -> int:
    """The order at a node (by its first line there) that loses least; else -1."""
    best, best_loss, seen = -1, 1 << 62, 0
    row = state.node_head[node]
    while row >= 0 and seen < MOST_OCCUPANTS:
        seen += 1
        loss = guide.node_loss[row] if state.picked_from[row] == guide.picked_from[row] else 0
        if loss < best_loss and not _was_tried(level, row, chain):
            best, best_loss = row, loss
        row = state.node_after[row]
    return best


@kernel(allocates=False)
def _was_tried(level: int, row: int, chain: Chain) -> bool:
    """Whether this line was displaced from this level before."""
    for other in range(chain.tried[level]):
        if chain.victim[level, other] == row:
            return True
    return False


@kernel(allocates=False)
def _fits(block: Block, order: int, guide: Guide, state: State) -> bool:
    """Whether stock and capacity allow what the order wishes for."""
    for row in range(block.line_ptr[order], block.line_ptr[order + 1]):
        entry = guide.pick[row]
        if entry < 0:
            continue
        if state.stock[block.cell[entry]] < block.quantity[row]:
            return False
        if state.capacity[block.node[guide.picked_from[row]]] <= 0:
            return False
    return True
