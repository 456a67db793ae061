"""Kernels on a plan under work: orders placed and removed on live stock, and decided again one by one."""

# ruff: noqa: PLR0917, SIM110 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from typing import Any, NamedTuple

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel
from omo_core.allocation.kernels import Scratch, decide_order
from omo_core.allocation.rule_kernels import parcel_price


class State(NamedTuple):
    """Where every line is served from, what that leaves, and who sits in each stock cell (doubly linked lists)."""

    pick: Any
    """int64[lines]: the entry that serves the line whole, -1 for none."""
    picked_from: Any
    """int64[lines]: the entry's candidate."""
    stock: Any
    """int32[cells]: units left."""
    capacity: Any
    """int64[nodes]: orders left, or pieces of work."""
    head: Any
    """int64[cells]: the line that came last into the cell, -1 for none."""
    after: Any
    """int64[lines]: the line that came into the same cell before this one."""
    before: Any
    """int64[lines]: the line that came after it."""
    node_head: Any
    """int64[nodes]: the same three for nodes; an order stands there with its first line from that node."""
    node_after: Any
    node_before: Any


class Guide(NamedTuple):
    """What every order would do at the final prices, if stock and capacity did not matter."""

    value: Any
    """int64[orders]: the priced cost of that wish; no plan serves the order for less."""
    pick: Any
    """int64[lines]: the wished entry, -1 for none."""
    picked_from: Any
    """int64[lines]: its candidate."""
    loss: Any
    """int64[lines]: by how much the wish gets dearer without this line's cell."""
    node_loss: Any
    """int64[lines]: and without its node; of the first line from that node."""
    order_of_line: Any
    """int64[lines]."""


@kernel(allocates=False)
def roll(dice: Array, sides: int) -> int:
    """A number from 0 to sides − 1 of Marsaglia's 32-bit xorshift (2003); `dice` (int64[1]) is its state, never 0."""
    face = dice[0]
    face ^= (face << 13) & 0xFFFFFFFF
    face ^= face >> 17
    face ^= (face << 5) & 0xFFFFFFFF
    dice[0] = face
    return int(((face >> 4) * sides) >> 28)


@kernel(allocates=False)
def cost_of_picks(block: Block, order: int, pick: Array, picked_from: Array, at: int, split_minor: int) -> int:
    """What an order costs when served by the picks from position `at`."""
    first = block.line_ptr[order]
    total, nodes = 0, 0
    for line in range(block.line_ptr[order + 1] - first):
        units, entry = block.quantity[first + line], pick[at + line]
        if entry < 0:
            total += block.unserved_minor[first + line] * units
            continue
        total += block.unit_minor[entry] * units
        if _is_first_of_node(picked_from, at, line):
            total += block.fixed_minor[picked_from[at + line]]
            nodes += 1
            if block.tariff[picked_from[at + line]] >= 0:
                total += _parcels_of(block, order, picked_from, at, line)
    return int(total + max(nodes - 1, 0) * split_minor)


@kernel(allocates=False)
def _parcels_of(block: Block, order: int, picked_from: Array, at: int, start: int) -> int:
    """What the parcels cost that leave the node of line `start`, the first one from there."""
    first, weight_g = block.line_ptr[order], 0
    for line in range(start, block.line_ptr[order + 1] - first):
        if picked_from[at + line] == picked_from[at + start]:
            weight_g += block.quantity[first + line] * block.weight_g[first + line]
    return parcel_price(block, picked_from[at + start], weight_g)


@kernel(allocates=False)
def _is_first_of_node(picked_from: Array, at: int, line: int) -> bool:
    """Whether no earlier line of the order is served by the same candidate."""
    for other in range(line):
        if picked_from[at + other] == picked_from[at + line]:
            return False
    return True


@kernel(allocates=False)
def place(block: Block, order: int, pick: Array, picked_from: Array, at: int, state: State) -> None:
    """Serve an order that is nowhere yet by the picks from position `at`."""
    first = block.line_ptr[order]
    for line in range(block.line_ptr[order + 1] - first):
        entry, candidate, row = pick[at + line], picked_from[at + line], first + line
        state.pick[row], state.picked_from[row] = entry, candidate
        if entry < 0:
            continue
        cell = block.cell[entry]
        state.stock[cell] -= block.quantity[row]
        _link(row, cell, state.head, state.after, state.before)
        node = block.node[candidate]
        state.capacity[node] -= block.work[node, 1] + block.work[node, 2] * block.quantity[row]
        if _is_first_of_node(picked_from, at, line):
            state.capacity[node] -= block.work[node, 0]
            _link(row, node, state.node_head, state.node_after, state.node_before)


@kernel(allocates=False)
def remove(block: Block, order: int, state: State) -> None:
    """Give back what an order takes; its picks stay where they can be read, but nobody may count on them."""
    first = block.line_ptr[order]
    for line in range(block.line_ptr[order + 1] - first):
        row = first + line
        entry = state.pick[row]
        if entry < 0:
            continue
        cell = block.cell[entry]
        state.stock[cell] += block.quantity[row]
        _unlink(row, cell, state.head, state.after, state.before)
        node = block.node[state.picked_from[row]]
        state.capacity[node] += block.work[node, 1] + block.work[node, 2] * block.quantity[row]
        if _is_first_of_node(state.picked_from, first, line):
            state.capacity[node] += block.work[node, 0]
            _unlink(row, node, state.node_head, state.node_after, state.node_before)


@kernel(allocates=False)
def _link(row: int, where: int, head: Array, after: Array, before: Array) -> None:
    """Put a line at the head of a list."""
    after[row], before[row] = head[where], -1
    if head[where] >= 0:
        before[head[where]] = row
    head[where] = row


@kernel(allocates=False)
def _unlink(row: int, where: int, head: Array, after: Array, before: Array) -> None:
    """Take a line out of its list."""
    if before[row] >= 0:
        after[before[row]] = after[row]
    else:
        head[where] = after[row]
    if after[row] >= 0:
        before[after[row]] = before[row]


@kernel(allocates=False)
def copy_picks(block: Block, order: int, state: State, pick: Array, picked_from: Array, at: int) -> None:
    """Keep an order's picks from position `at`."""
    first = block.line_ptr[order]
    for line in range(block.line_ptr[order + 1] - first):
        pick[at + line], picked_from[at + line] = state.pick[first + line], state.picked_from[first + line]


@kernel(allocates=False)
def place_in_turn(block: Block, turn: Array, state: State, split_minor: int, max_nodes: int, scratch: Scratch) -> None:
    """Serve orders that are nowhere yet, one after another, each at the least cost of `block` on what is left."""
    for order in turn:
        decide_order(block, order, state.stock, state.capacity, split_minor, max_nodes, scratch)
        place(block, order, scratch.pick, scratch.picked_from, 0, state)


@kernel(allocates=False)
def move_in_turn(block: Block, turn: Array, state: State, split_minor: int, max_nodes: int, scratch: Scratch) -> int:
    """Decide placed orders again, one after another, where that is cheaper; returns what it saves in all."""
    saved = 0
    for order in turn:
        first = block.line_ptr[order]
        before = cost_of_picks(block, order, state.pick, state.picked_from, first, split_minor)
        remove(block, order, state)
        after = decide_order(block, order, state.stock, state.capacity, split_minor, max_nodes, scratch)
        if after < before:
            place(block, order, scratch.pick, scratch.picked_from, 0, state)
            saved += before - after
        else:
            place(block, order, state.pick, state.picked_from, first, state)
    return saved


@kernel(allocates=False)
def make_wishes(
    priced: Block, first: int, stop: int, stock: Array, capacity: Array, split: int, max_nodes: int,
    scratch: Scratch, with_loss: bool, guide: Guide,
) -> None:  # fmt: skip
    """Fill the guide for the orders first..stop: each one's cheapest picks at the prices, alone in the network.

    `stock` (int32[cells]) and `capacity` are changed while it works and left as they were.
    """
    for order in range(first, stop):
        row = priced.line_ptr[order]
        lines = priced.line_ptr[order + 1] - row
        if lines > scratch.pick.size:
            continue
        guide.value[order] = decide_order(priced, order, stock, capacity, split, max_nodes, scratch)
        for line in range(lines):
            guide.pick[row + line], guide.picked_from[row + line] = scratch.pick[line], scratch.picked_from[line]
        if with_loss:
            _weigh_wish(priced, order, stock, capacity, split, max_nodes, scratch, guide)


@kernel(allocates=False)
def _weigh_wish(
    priced: Block, order: int, stock: Array, capacity: Array, split: int, max_nodes: int, scratch: Scratch, guide: Guide
) -> None:
    """What each cell and each node of an order's wish is worth to it."""
    first = priced.line_ptr[order]
    for line in range(priced.line_ptr[order + 1] - first):
        row = first + line
        guide.loss[row], guide.node_loss[row] = 0, 0
        entry = guide.pick[row]
        if entry < 0:
            continue
        cell, node = priced.cell[entry], priced.node[guide.picked_from[row]]
        units, orders = stock[cell], capacity[node]
        for closed in range(2 if _is_first_of_node(guide.picked_from, first, line) else 1):
            stock[cell], capacity[node] = (0, orders) if closed == 0 else (units, 0)
            without = decide_order(priced, order, stock, capacity, split, max_nodes, scratch) - guide.value[order]
            if closed == 0:
                guide.loss[row] = without
            else:
                guide.node_loss[row] = without
        stock[cell], capacity[node] = units, orders
