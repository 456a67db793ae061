"""Kernels that serve one order of any length by a search over sets of open nodes."""

# ruff: noqa: PLR0917 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel

SWAP_WORK: Final = 4_000_000
"""Swaps are tried while entries × open nodes stay below this; beyond, opening and closing nodes must do."""


class Search(NamedTuple):
    """The state of one long order's search: which nodes are open, and each line's entries from cheap to dear."""

    start: Any
    """int64[lines + 1]: where a line's entries begin in the three arrays that follow."""
    entry: Any
    candidate: Any
    """Position among the order's candidates."""
    available: Any
    """Units that can be taken there; 0 where the node has no capacity."""
    is_open: Any
    """uint8[candidates]."""
    cost: Any
    """int64[lines]: what each line costs with the nodes that are open."""


@kernel
def serve_long_order(
    block: Block, order: int, stock: Array, capacity: Array, split_minor: int, max_nodes: int, pick: Array, taken: Array
) -> None:
    """Serve an order of any length; each line may be split over nodes.

    With a set of open nodes fixed, the best is to fill each line from its cheapest open entries: a search over sets
    that opens, closes and swaps nodes while that is cheaper. It starts from the set in `pick`; with an empty `pick`
    from nothing, and again from each line's cheapest node, and keeps the better, so it is never dearer than serving
    every line from the node that is cheapest for it alone.
    """
    search = sort_entries(block, order, stock, capacity)
    first, candidates = block.candidate_ptr[order], search.is_open.size
    for line in range(pick.size):
        if pick[line] >= 0:
            for candidate in range(candidates):
                if block.entry_ptr[first + candidate] <= pick[line] < block.entry_ptr[first + candidate + 1]:
                    search.is_open[candidate] = 1
    best = improve(block, order, search, split_minor, max_nodes)
    if pick.size == 0:
        kept = search.is_open.copy()
        if open_cheapest_of_each_line(block, order, search) <= max_nodes:
            other = improve(block, order, search, split_minor, max_nodes)
            if other < best:
                kept[:] = search.is_open
        search.is_open[:] = kept
    take_from_open(block, order, search, stock, capacity, taken)


@kernel
def sort_entries(block: Block, order: int, stock: Array, capacity: Array) -> Search:
    """Each line's entries in order of unit cost (ties: by node), with all nodes closed."""
    lines = block.line_ptr[order + 1] - block.line_ptr[order]
    first, stop = block.candidate_ptr[order], block.candidate_ptr[order + 1]
    base, total = block.entry_ptr[first], block.entry_ptr[stop] - block.entry_ptr[first]
    start = np.zeros(lines + 1, np.int64)
    by_cost = np.argsort(block.unit_minor[base : base + total], kind="mergesort")
    owner = np.empty(total, np.int64)
    for candidate in range(first, stop):
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            owner[entry - base] = candidate - first
            start[block.line[entry] + 1] += 1
    for line in range(lines):
        start[line + 1] += start[line]
    place = start.copy()
    entries, candidates = np.empty(total, np.int64), np.empty(total, np.int64)
    available = np.zeros(total, np.int64)
    for i in by_cost:
        line = block.line[base + i]
        at = place[line]
        entries[at], candidates[at] = base + i, owner[i]
        if capacity[block.node[first + owner[i]]] > 0:
            available[at] = stock[block.cell[base + i]]
        place[line] += 1
    is_open, cost = np.zeros(stop - first, np.uint8), np.empty(lines, np.int64)
    return Search(start, entries, candidates, available, is_open, cost)


@kernel
def line_cost(block: Block, first: int, line: int, search: Search) -> int:
    """What a line costs when filled from its cheapest open entries, the rest unserved."""
    left, price = block.quantity[first + line], block.unserved_minor[first + line]
    total = 0
    for i in range(search.start[line], search.start[line + 1]):
        unit = block.unit_minor[search.entry[i]]
        if unit >= price:
            break
        if search.is_open[search.candidate[i]]:
            take = min(left, search.available[i])
            total += take * unit
            left -= take
            if left == 0:
                break
    return int(total + left * price)


@kernel
def change_of_flip(block: Block, order: int, candidate: int, search: Search) -> int:
    """By how much the lines' cost falls when `candidate` is opened (if closed) or closed (if open)."""
    first, index = block.line_ptr[order], block.candidate_ptr[order] + candidate
    search.is_open[candidate] ^= 1
    fall = 0
    for entry in range(block.entry_ptr[index], block.entry_ptr[index + 1]):
        line = block.line[entry]
        fall += search.cost[line] - line_cost(block, first, line, search)
    search.is_open[candidate] ^= 1
    return fall


@kernel
def flip(block: Block, order: int, candidate: int, search: Search) -> None:
    """Open a closed candidate or close an open one, and bring the cost of its lines up to date."""
    first, index = block.line_ptr[order], block.candidate_ptr[order] + candidate
    search.is_open[candidate] ^= 1
    for entry in range(block.entry_ptr[index], block.entry_ptr[index + 1]):
        line = block.line[entry]
        search.cost[line] = line_cost(block, first, line, search)


@kernel
def best_to_open(block: Block, order: int, search: Search, split_minor: int) -> tuple[int, int]:
    """The closed candidate that saves most when opened, and what it saves; (-1, 0) when none saves anything."""
    first = block.candidate_ptr[order]
    extra = split_minor if np.any(search.is_open) else 0
    best, best_saving = -1, 0
    for candidate in range(search.is_open.size):
        if not search.is_open[candidate]:
            saving = change_of_flip(block, order, candidate, search) - block.fixed_minor[first + candidate] - extra
            if saving > best_saving:
                best, best_saving = candidate, saving
    return best, best_saving


@kernel
def close_or_swap(block: Block, order: int, search: Search, split_minor: int, swaps: bool) -> bool:
    """Close the first open candidate that is not worth its cost, or put a better one in its place; False if none."""
    first = block.candidate_ptr[order]
    opened = np.sum(search.is_open)
    for candidate in range(search.is_open.size):
        if not search.is_open[candidate]:
            continue
        saving = change_of_flip(block, order, candidate, search) + block.fixed_minor[first + candidate]
        saving += split_minor if opened > 1 else 0
        if saving > 0:
            flip(block, order, candidate, search)
            return True
        if swaps:
            flip(block, order, candidate, search)
            other, gain = best_to_open(block, order, search, split_minor)
            if gain + saving > 0:
                flip(block, order, other, search)
                return True
            flip(block, order, candidate, search)
    return False


@kernel
def improve(block: Block, order: int, search: Search, split_minor: int, max_nodes: int) -> int:
    """Open, close and swap nodes while the order gets cheaper; returns its cost. Each step lowers an integer."""
    line_first, first = block.line_ptr[order], block.candidate_ptr[order]
    for line in range(search.cost.size):
        search.cost[line] = line_cost(block, line_first, line, search)
    while True:
        opened = np.sum(search.is_open)
        best = -1
        if opened < max_nodes:
            best, _ = best_to_open(block, order, search, split_minor)
        if best >= 0:
            flip(block, order, best, search)
        elif not close_or_swap(block, order, search, split_minor, search.entry.size * opened <= SWAP_WORK):
            break
    total, opened = np.sum(search.cost), 0
    for candidate in range(search.is_open.size):
        if search.is_open[candidate]:
            total += block.fixed_minor[first + candidate]
            opened += 1
    return int(total + max(opened - 1, 0) * split_minor)


@kernel
def open_cheapest_of_each_line(block: Block, order: int, search: Search) -> int:
    """Open the node that serves each line cheapest on its own (all of it, shipment included); how many are open."""
    line_first, first = block.line_ptr[order], block.candidate_ptr[order]
    search.is_open[:] = 0
    for line in range(search.cost.size):
        wanted = block.quantity[line_first + line]
        best, best_cost = -1, block.unserved_minor[line_first + line] * wanted
        for i in range(search.start[line], search.start[line + 1]):
            cost = block.fixed_minor[first + search.candidate[i]] + block.unit_minor[search.entry[i]] * wanted
            if search.available[i] >= wanted and cost < best_cost:
                best, best_cost = search.candidate[i], cost
        if best >= 0:
            search.is_open[best] = 1
    return int(np.sum(search.is_open))


@kernel
def take_from_open(block: Block, order: int, search: Search, stock: Array, capacity: Array, taken: Array) -> None:
    """Fill each line from its cheapest open entries and draw stock and capacity down."""
    line_first, first = block.line_ptr[order], block.candidate_ptr[order]
    used = np.zeros(search.is_open.size, np.uint8)
    for line in range(search.cost.size):
        left, price = block.quantity[line_first + line], block.unserved_minor[line_first + line]
        for i in range(search.start[line], search.start[line + 1]):
            entry = search.entry[i]
            take = min(left, search.available[i])
            if take > 0 and search.is_open[search.candidate[i]] and block.unit_minor[entry] < price:
                taken[entry] = take
                stock[block.cell[entry]] -= take
                used[search.candidate[i]] = 1
                left -= take
    for candidate in range(used.size):
        if used[candidate]:
            capacity[block.node[first + candidate]] -= 1
