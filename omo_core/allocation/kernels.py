"""Kernels that decide one order after another on live stock: exact for short orders, open-set search for long ones."""

# ruff: noqa: PLR0917, SIM110 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from typing import Final

import numpy as np

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel
from omo_core.allocation.search_kernels import serve_long_order

UNREACHABLE: Final = 1 << 55
"""Cost of what cannot be done; eight of them still fit 64 bits."""

EXACT: Final = 0
COLUMNS: Final = 1


@kernel
def assign_in_turn(
    block: Block,
    turn: Array,
    stock: Array,
    capacity: Array,
    split_minor: int,
    max_nodes: int,
    max_exact: int,
    taken: Array,
    method: Array,
) -> None:
    """Serve the orders in `turn`, each as cheaply as live stock and capacity allow.

    `stock` (int32[cells]) and `capacity` (int64[nodes], orders left) are drawn down; `taken` (int32[entries]) and
    `method` (int8[orders], EXACT or COLUMNS) are filled. Every node of an order beyond the first costs `split_minor`.
    """
    size = 1 << max_exact
    cost, node_of = np.empty(size, np.int64), np.empty(size, np.int64)
    sums, masks = np.empty(size, np.int64), np.empty(size, np.int64)
    penalty, chosen = np.empty(size, np.int64), np.empty((max_exact + 1, size), np.int64)
    rest = np.empty((max_exact + 1, size), np.int64)
    pick = np.empty(max_exact + 1, np.int64)
    for position in range(turn.size):
        order = turn[position]
        lines = block.line_ptr[order + 1] - block.line_ptr[order]
        if lines > max_exact:
            method[order] = COLUMNS
            serve_long_order(block, order, stock, capacity, split_minor, max_nodes, pick[:0], taken)
            continue
        if lines == 1:
            pick_one_line(block, order, stock, capacity, pick)
        elif lines == 2 and max_nodes >= 2:
            pick_two_lines(block, order, stock, capacity, split_minor, pick)
        else:
            cheapest_subsets(block, order, stock, capacity, cost, node_of, sums, masks)
            sum_penalties(block, order, penalty)
            partition(lines, cost, penalty, split_minor, max_nodes, rest, chosen)
            read_partition(block, order, node_of, chosen, max_nodes, pick)
        method[order] = EXACT
        if splits_may_help(block, order, stock, capacity, pick):
            method[order] = COLUMNS
            serve_long_order(block, order, stock, capacity, split_minor, max_nodes, pick[:lines], taken)
        else:
            commit_picks(block, order, pick, stock, capacity, taken)


@kernel
def pick_one_line(block: Block, order: int, stock: Array, capacity: Array, pick: Array) -> None:
    """The cheapest candidate for an order of one line: `pick[0]` is its entry, or -1."""
    line = block.line_ptr[order]
    quantity = block.quantity[line]
    best, pick[0] = block.unserved_minor[line] * quantity, -1
    first = block.candidate_ptr[order]
    shift = block.entry_ptr[first] - first  # one line: each candidate has exactly one entry
    for candidate in range(first, block.candidate_ptr[order + 1]):
        entry = candidate + shift
        cost = block.fixed_minor[candidate] + block.unit_minor[entry] * quantity
        if cost < best and stock[block.cell[entry]] >= quantity and capacity[block.node[candidate]] > 0:
            best, pick[0] = cost, entry


@kernel
def pick_two_lines(block: Block, order: int, stock: Array, capacity: Array, split_minor: int, pick: Array) -> None:
    """The cheapest way to serve two lines: one node for both, two nodes, or one line alone."""
    line = block.line_ptr[order]
    wanted_0, wanted_1 = block.quantity[line], block.quantity[line + 1]
    only_0 = only_1 = both = UNREACHABLE
    entry_0 = entry_1 = both_0 = -1
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        if capacity[block.node[candidate]] <= 0:
            continue
        entry, stop = block.entry_ptr[candidate], block.entry_ptr[candidate + 1]
        fixed, served = block.fixed_minor[candidate], 0
        with_0 = with_1 = fixed
        if block.line[entry] == 0:
            if stock[block.cell[entry]] >= wanted_0:
                with_0 = fixed + block.unit_minor[entry] * wanted_0
                served = 1
                if with_0 < only_0:
                    only_0, entry_0 = with_0, entry
            entry += 1
        if entry < stop and stock[block.cell[entry]] >= wanted_1:
            with_1 = fixed + block.unit_minor[entry] * wanted_1
            if with_1 < only_1:
                only_1, entry_1 = with_1, entry
            if served and with_0 + with_1 - fixed < both:
                both, both_0 = with_0 + with_1 - fixed, entry - 1
    penalty_0, penalty_1 = block.unserved_minor[line] * wanted_0, block.unserved_minor[line + 1] * wanted_1
    best, pick[0], pick[1] = penalty_0 + penalty_1, -1, -1
    if only_0 + penalty_1 < best:
        best, pick[0], pick[1] = only_0 + penalty_1, entry_0, -1
    if only_1 + penalty_0 < best:
        best, pick[0], pick[1] = only_1 + penalty_0, -1, entry_1
    if only_0 + only_1 + split_minor < best:
        best, pick[0], pick[1] = only_0 + only_1 + split_minor, entry_0, entry_1
    if both <= best and both < UNREACHABLE:
        pick[0], pick[1] = both_0, both_0 + 1


@kernel
def cheapest_subsets(
    block: Block, order: int, stock: Array, capacity: Array, cost: Array, node_of: Array, sums: Array, masks: Array
) -> None:
    """For each set of lines (a bit mask) the cheapest single candidate that serves them whole, and what it costs.

    Fills `cost` and `node_of` (the candidate) up to 2^lines. A candidate's own table doubles with each line it can
    serve, so a candidate with few of the lines is cheap to look at.
    """
    first = block.line_ptr[order]
    for mask in range(1 << (block.line_ptr[order + 1] - first)):
        cost[mask], node_of[mask] = UNREACHABLE, -1
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        if capacity[block.node[candidate]] <= 0:
            continue
        sums[0], masks[0], size = block.fixed_minor[candidate], 0, 1
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            line = block.line[entry]
            wanted = block.quantity[first + line]
            if stock[block.cell[entry]] < wanted:
                continue
            add, bit = block.unit_minor[entry] * wanted, 1 << line
            for i in range(size):
                total, mask = sums[i] + add, masks[i] | bit
                sums[size + i], masks[size + i] = total, mask
                if total < cost[mask]:
                    cost[mask], node_of[mask] = total, candidate
            size *= 2


@kernel
def sum_penalties(block: Block, order: int, penalty: Array) -> None:
    """`penalty[mask]`: the price of leaving that set of lines unserved."""
    first, size = block.line_ptr[order], 1
    penalty[0] = 0
    for line in range(first, block.line_ptr[order + 1]):
        add = block.unserved_minor[line] * block.quantity[line]
        for mask in range(size):
            penalty[size + mask] = penalty[mask] + add
        size *= 2


@kernel
def partition(
    lines: int, cost: Array, penalty: Array, split_minor: int, max_nodes: int, rest: Array, chosen: Array
) -> int:
    """Cheapest partition of the lines into single-node sets and unserved lines; returns its cost.

    `rest[k, mask]` is the cost of `mask` when a node has been used already and k more may be; without a binding
    limit one row stands for all k. The first node pays no split, so the last table walks down from the top line
    until the first served set: its choices stand in `chosen[-1, 1 << line]`. About 3^(lines-1) / 2 steps a row.
    """
    limited = max_nodes < lines
    last = max_nodes - 1 if limited else 0
    half = 1 << (lines - 1)
    for row in range(last + 1):
        after = max(row - 1, 0) if limited else row
        rest[row, 0] = 0
        for mask in range(1, half):
            if limited and row == 0:
                rest[0, mask], chosen[0, mask] = penalty[mask], 0
                continue
            low = mask & -mask
            others = mask ^ low
            best, best_set, part = penalty[low] + rest[row, others], 0, others
            while True:
                total = cost[part | low] + split_minor + rest[after, others ^ part]
                if total < best:
                    best, best_set = total, part | low
                if part == 0:
                    break
                part = (part - 1) & others
            rest[row, mask], chosen[row, mask] = best, best_set
    best = 0
    for line in range(lines):
        top = 1 << line
        others, best_set = top - 1, 0
        best, part = best + penalty[top], others
        while True:
            total = cost[part | top] + rest[last, others ^ part]
            if total < best:
                best, best_set = total, part | top
            if part == 0:
                break
            part = (part - 1) & others
        chosen[-1, top] = best_set
    return int(best)


@kernel
def read_partition(block: Block, order: int, node_of: Array, chosen: Array, max_nodes: int, pick: Array) -> None:
    """Turn the choices of `partition` into one entry a line (`pick`, -1 for unserved)."""
    lines = block.line_ptr[order + 1] - block.line_ptr[order]
    limited = max_nodes < lines
    for line in range(lines):
        pick[line] = -1
    mask, row, started = (1 << lines) - 1, max_nodes - 1 if limited else 0, False
    top = lines - 1
    while mask:
        if started:
            low = mask & -mask
            served = chosen[row, mask]
        else:
            low = 1 << top
            served = chosen[-1, low]
            top -= 1
        if served == 0:
            mask ^= low
            continue
        candidate = node_of[served]
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            if served >> block.line[entry] & 1:
                pick[block.line[entry]] = entry
        if started and limited:
            row -= 1
        started = True
        mask ^= served


@kernel
def splits_may_help(block: Block, order: int, stock: Array, capacity: Array, pick: Array) -> bool:
    """Whether some unserved line has units at its candidates but at none of them all it wants."""
    first = block.line_ptr[order]
    waiting = False
    for line in range(block.line_ptr[order + 1] - first):
        waiting = waiting or pick[line] < 0
    if not waiting:
        return False
    lines = block.line_ptr[order + 1] - first
    most = np.zeros(lines, np.int64)
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        if capacity[block.node[candidate]] > 0:
            for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
                line = block.line[entry]
                most[line] = max(most[line], stock[block.cell[entry]])
    for line in range(lines):
        if pick[line] < 0 and 0 < most[line] < block.quantity[first + line]:
            return True
    return False


@kernel
def commit_picks(block: Block, order: int, pick: Array, stock: Array, capacity: Array, taken: Array) -> None:
    """Draw the picked entries from the stock, and one order from the capacity of each node used."""
    first = block.line_ptr[order]
    for line in range(block.line_ptr[order + 1] - first):
        entry = pick[line]
        if entry >= 0:
            taken[entry] = block.quantity[first + line]
            stock[block.cell[entry]] -= taken[entry]
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            if taken[entry] > 0:
                capacity[block.node[candidate]] -= 1
                break
