"""Kernels that list every way to serve an order that comes near its cheapest one at given prices."""

# ruff: noqa: PLR0917 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel
from omo_core.allocation.kernels import UNREACHABLE

MOST_PARTS: Final = 1 << 15
"""Useful (candidate, set of lines) pairs of one order."""


class Parts(NamedTuple):
    """One order's useful parts, each a candidate with a set of lines, and the stack of the search through them."""

    cheapest: Any
    """int64[sets]: the cheapest part for a set, with a split."""
    rest: Any
    """int64[sets]: the cheapest way to serve a set after another node."""
    sums: Any
    masks: Any
    mask: Any
    """int64[MOST_PARTS]: the lines of a part."""
    candidate: Any
    """int64[MOST_PARTS]: who serves them, -1 for a line that nobody serves."""
    price: Any
    """int64[MOST_PARTS]: priced, with a split for each candidate."""
    at: Any
    """int64[lines + 1]: the part taken last at each level."""
    left: Any
    """int64[lines + 1]: the lines not dealt with yet."""
    spent: Any
    """int64[lines + 1]: the price of what was taken at the levels below, less one split."""
    nodes: Any
    """int64[lines + 1]: candidates taken at the levels below."""


def parts_for(max_exact: int) -> Parts:
    """Room for orders of up to `max_exact` lines."""
    sets = 1 << max_exact
    sizes = (sets, sets, sets, sets, MOST_PARTS, MOST_PARTS, MOST_PARTS, *(max_exact + 1,) * 4)
    return Parts._make(np.zeros(size, dtype=np.int64) for size in sizes)


@kernel(allocates=False)
def list_columns(
    priced: Block, turn: Array, value: Array, stock: Array, capacity: Array, delta: int, split: int, max_nodes: int,
    most: int, parts: Parts, count: Array, pick: Array, picked_from: Array,
) -> int:  # fmt: skip
    """Every way to serve each order `turn[i]` whole lines at a time, for at most value + delta; how many in all.

    `stock` and `capacity` are what an order could have if it were alone. Writes `count[i]` and a row of `pick` and
    `picked_from` (int64[turn × most, widest order]) each. Where an order has more than `most` ways its delta is
    halved until it has not; an order with rules has none.
    """
    total = 0
    for i in range(turn.size):
        order, allowed = turn[i], delta
        found = 0 if priced.ruled[order] else most + 1
        while found > most and allowed > 0:
            size = _keep_parts(priced, order, value[order] + allowed, stock, capacity, split, parts)
            found = most + 1
            if size >= 0:
                limit = value[order] + allowed
                found = _list_ways(priced, order, size, limit, split, max_nodes, most, parts, total, pick, picked_from)
            allowed //= 2
        count[i] = found if found <= most else 0
        total += count[i]
    return total


@kernel(allocates=False)
def _list_ways(
    priced: Block, order: int, size: int, limit: int, split: int, max_nodes: int, most: int, parts: Parts,
    row: int, pick: Array, picked_from: Array,
) -> int:  # fmt: skip
    """Depth-first through the useful parts, lowest line first; how many ways, or most + 1 when it stopped early."""
    found, level = 0, 0
    lines = priced.line_ptr[order + 1] - priced.line_ptr[order]
    parts.left[0], parts.spent[0], parts.nodes[0], parts.at[0] = (1 << lines) - 1, -split, 0, -1
    while level >= 0:
        at = _next_part(parts, level, size, limit, max_nodes)
        parts.at[level] = at
        if at == size:
            level -= 1
            continue
        left = parts.left[level] ^ parts.mask[at]
        spent = parts.spent[level] + parts.price[at]
        nodes = parts.nodes[level] + (1 if parts.candidate[at] >= 0 else 0)
        if left:
            level += 1
            parts.left[level], parts.spent[level], parts.nodes[level], parts.at[level] = left, spent, nodes, -1
        elif nodes > 0 or spent + split <= limit:
            if found == most:
                return most + 1
            _write_way(priced, level, parts, pick[row + found], picked_from[row + found])
            found += 1
    return found


@kernel(allocates=False)
def _next_part(parts: Parts, level: int, size: int, limit: int, max_nodes: int) -> int:
    """The next part that serves the lowest line left and can still lead to a way within the limit; `size` if none."""
    left = parts.left[level]
    low = left & -left
    for at in range(parts.at[level] + 1, size):
        mask, candidate = parts.mask[at], parts.candidate[at]
        if not mask & low or mask & ~left:
            continue
        if parts.spent[level] + parts.price[at] + parts.rest[left ^ mask] > limit:
            continue
        if candidate >= 0:
            if parts.nodes[level] >= max_nodes:
                continue
            is_new = True
            for below in range(level):
                is_new = is_new and parts.candidate[parts.at[below]] != candidate
            if not is_new:
                continue
        return at
    return size


@kernel(allocates=False)
def _write_way(priced: Block, level: int, parts: Parts, pick: Array, picked_from: Array) -> None:
    """Turn the parts taken at the levels up to this one into an entry and a candidate for each line."""
    pick[:], picked_from[:] = -1, -1
    for below in range(level + 1):
        mask, candidate = parts.mask[parts.at[below]], parts.candidate[parts.at[below]]
        if candidate < 0:
            continue
        for entry in range(priced.entry_ptr[candidate], priced.entry_ptr[candidate + 1]):
            if mask >> priced.line[entry] & 1:
                pick[priced.line[entry]], picked_from[priced.line[entry]] = entry, candidate


@kernel(allocates=False)
def _keep_parts(priced: Block, order: int, limit: int, stock: Array, capacity: Array, split: int, parts: Parts) -> int:
    """List the parts that some way within the limit may contain; how many, -1 if there is no room for them.

    Fills `rest`: a set costs no less than that after another node, for its lowest line's part must be one of these.
    """
    first = priced.line_ptr[order]
    lines = priced.line_ptr[order + 1] - first
    every = (1 << lines) - 1
    for mask in range(every + 1):
        parts.cheapest[mask] = UNREACHABLE
    for line in range(lines):
        parts.cheapest[1 << line] = priced.unserved_minor[first + line] * priced.quantity[first + line]
    for candidate in range(priced.candidate_ptr[order], priced.candidate_ptr[order + 1]):
        for i in range(1, _double(priced, first, candidate, limit, stock, capacity, split, parts)):
            mask = parts.masks[i]
            parts.cheapest[mask] = min(parts.cheapest[mask], parts.sums[i])
    parts.rest[0] = 0
    for mask in range(1, every + 1):
        low = mask & -mask
        others = mask ^ low
        part, best = others, UNREACHABLE
        while True:
            best = min(best, parts.cheapest[part | low] + parts.rest[others ^ part])
            if part == 0:
                break
            part = (part - 1) & others
        parts.rest[mask] = best
    size = 0
    for line in range(lines):
        price = priced.unserved_minor[first + line] * priced.quantity[first + line]
        size = _keep(1 << line, -1, price, every, limit + split, size, parts)
    for candidate in range(priced.candidate_ptr[order], priced.candidate_ptr[order + 1]):
        for i in range(1, _double(priced, first, candidate, limit, stock, capacity, split, parts)):
            size = _keep(parts.masks[i], candidate, parts.sums[i], every, limit + split, size, parts)
    return size if size <= MOST_PARTS else -1


@kernel(allocates=False)
def _double(
    priced: Block, first: int, candidate: int, limit: int, stock: Array, capacity: Array, split: int, parts: Parts
) -> int:
    """A candidate's costs for all sets of lines that it can serve whole, with the split; how many sets, the empty one first."""
    size = 1
    parts.sums[0], parts.masks[0] = priced.fixed_minor[candidate] + split, 0
    if capacity[priced.node[candidate]] <= 0 or priced.fixed_minor[candidate] > limit:
        return size
    for entry in range(priced.entry_ptr[candidate], priced.entry_ptr[candidate + 1]):
        line = priced.line[entry]
        wanted = priced.quantity[first + line]
        if stock[priced.cell[entry]] < wanted:
            continue
        add, bit = priced.unit_minor[entry] * wanted, 1 << line
        for i in range(size):
            parts.sums[size + i], parts.masks[size + i] = parts.sums[i] + add, parts.masks[i] | bit
        size *= 2
    return size


@kernel(allocates=False)
def _keep(mask: int, candidate: int, price: int, every: int, limit: int, size: int, parts: Parts) -> int:
    """Add a part if the cheapest way around it stays within the limit; returns the new count, which may pass the room."""
    if price + parts.rest[every ^ mask] > limit:
        return size
    if size < MOST_PARTS:
        parts.mask[size], parts.candidate[size], parts.price[size] = mask, candidate, price
    return size + 1
