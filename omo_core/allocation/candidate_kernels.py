"""Kernels that measure distances and choose the candidate nodes of each order."""

# ruff: noqa: PLR0917 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

import math
from typing import Final

import numpy as np

from omo_core.allocation.arrays import Array
from omo_core.allocation.jit import kernel

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius of the Earth (IUGG)."""

NO_DISTANCE: Final = -1
"""Stands for a distance that is not known because a place is not."""

WAREHOUSES: Final = 4
"""How many of the cheapest warehouses that hold something always stay candidates."""
HOLDERS: Final = 2
"""How many of the cheapest holders of each line, each with all units wanted, always stay candidates."""


@kernel
def great_circle_m(from_xyz: Array, from_known: Array, to_xyz: Array, to_known: Array, distance_m: Array) -> None:
    """Great-circle distances in whole metres between unit vectors (float64[a, 3], float64[b, 3]) into int64[a, b].

    2 R asin(chord / 2): exact for near places, where the arc cosine of the dot product loses its digits.
    """
    for i in range(from_xyz.shape[0]):
        for j in range(to_xyz.shape[0]):
            if not (from_known[i] and to_known[j]):
                distance_m[i, j] = NO_DISTANCE
                continue
            x = from_xyz[i, 0] - to_xyz[j, 0]
            y = from_xyz[i, 1] - to_xyz[j, 1]
            z = from_xyz[i, 2] - to_xyz[j, 2]
            half_chord = min(1.0, 0.5 * math.sqrt(x * x + y * y + z * z))
            distance_m[i, j] = int(2.0 * EARTH_RADIUS_M * math.asin(half_chord) + 0.5)


@kernel
def measure_pairs(
    from_xyz: Array, from_known: Array, row: Array, to_xyz: Array, to_known: Array, node: Array, distance_m: Array
) -> None:
    """As `great_circle_m`, from row[i] to node[i] of each pair into int64[pairs]."""
    for i in range(row.size):
        a, b = row[i], node[i]
        if not (from_known[a] and to_known[b]):
            distance_m[i] = NO_DISTANCE
            continue
        x = from_xyz[a, 0] - to_xyz[b, 0]
        y = from_xyz[a, 1] - to_xyz[b, 1]
        z = from_xyz[a, 2] - to_xyz[b, 2]
        half_chord = min(1.0, 0.5 * math.sqrt(x * x + y * y + z * z))
        distance_m[i] = int(2.0 * EARTH_RADIUS_M * math.asin(half_chord) + 0.5)


@kernel
def list_holders(
    line_ptr: Array, sku: Array, holder_ptr: Array, holder_node: Array, available: Array, nodes: int, count: Array,
    node: Array,
) -> int:  # fmt: skip
    """Write the nodes with units of something that each order wants, ascending; `count` (int64[orders]) gets how many.

    `node` needs one place more than all orders can have holders. Returns how many were written.
    """
    holder, written = np.full(nodes, -1, np.int64), 0
    for order in range(line_ptr.size - 1):
        for line in range(line_ptr[order], line_ptr[order + 1]):
            for cell in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                if available[cell] > 0:
                    holder[holder_node[cell]] = order
        before = written
        for one in range(nodes):
            # Written in any case and overwritten if it does not count: a branch here would mostly be guessed wrong.
            node[written] = one
            written += holder[one] == order
        count[order] = written - before
    return written


@kernel
def choose_candidates(
    line_ptr: Array,
    sku: Array,
    quantity: Array,
    holder_ptr: Array,
    holder_node: Array,
    available: Array,
    pair_ptr: Array,
    pair_node: Array,
    fixed: Array,
    unit: Array,
    usable: Array,
    always: Array,
    limits: Array,
    benefit: int,
    nodes: int,
    chosen: Array,
) -> Array:
    """Mark in `chosen` (uint8[pairs]) the nodes each order may use, beside those that are marked already.

    The pairs of an order (`pair_ptr`) are all nodes that hold something it wants (`list_holders`). `fixed`, `unit`
    (int64[pairs]) are costs, `usable` (bool[pairs]) says where rules allow it, and `always` (bool[pairs]) which nodes
    may not be left out. A node scores its fixed cost plus that of the units it can serve, less `benefit` a line it can
    serve whole; the `limits[order]` best stay, and for every line its cheapest holders until they hold all units
    wanted twice. The result (uint8[orders]) says where no usable holder was left out.
    """
    orders = line_ptr.size - 1
    score, place, best = np.empty(nodes, np.int64), np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    whole = np.ones(orders, np.uint8)
    for order in range(orders):
        first, stop = pair_ptr[order], pair_ptr[order + 1]
        found = 0
        for pair in range(first, stop):
            found += usable[pair]
        if found <= limits[order]:
            for pair in range(first, stop):
                chosen[pair] |= usable[pair]
            continue
        for pair in range(first, stop):
            place[pair_node[pair]], score[pair - first] = pair, fixed[pair]
        for line in range(line_ptr[order], line_ptr[order + 1]):
            for cell in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                units = available[cell]
                if units > 0:
                    pair = place[holder_node[cell]]
                    score[pair - first] += unit[pair] * min(quantity[line], units)
                    score[pair - first] -= benefit if units >= quantity[line] else 0
        for pair in range(first, stop):
            chosen[pair] |= usable[pair] and always[pair]
        _keep_best_scores(score, usable, first, stop, limits[order], best, chosen)
        _keep_cheapest_holders(
            order, line_ptr, sku, quantity, holder_ptr, holder_node, available, fixed, unit, usable, place, chosen
        )
        for pair in range(first, stop):
            if usable[pair] and not chosen[pair]:
                whole[order] = 0
    return whole


@kernel(allocates=False)
def _keep_best_scores(
    score: Array, usable: Array, first: int, stop: int, limit: int, best: Array, chosen: Array
) -> None:
    """Mark in `chosen` the `limit` lowest scores among the usable pairs first..stop, ties by node; `best` is a list."""
    kept = 0
    for i in range(stop - first):
        if not usable[first + i] or limit == 0 or (kept == limit and score[i] >= score[best[kept - 1]]):
            continue
        kept = min(kept + 1, limit)
        at = kept - 1
        while at > 0 and score[best[at - 1]] > score[i]:
            best[at] = best[at - 1]
            at -= 1
        best[at] = i
    for at in range(kept):
        chosen[first + best[at]] = 1


@kernel(allocates=False)
def _keep_cheapest_holders(
    order: int,
    line_ptr: Array,
    sku: Array,
    quantity: Array,
    holder_ptr: Array,
    holder_node: Array,
    available: Array,
    fixed: Array,
    unit: Array,
    usable: Array,
    place: Array,
    chosen: Array,
) -> None:
    """Keep for each line its cheapest holders, until `HOLDERS` times the units wanted are in reach."""
    for line in range(line_ptr[order], line_ptr[order + 1]):
        reach, last, last_price = 0, -1, -1
        while reach < HOLDERS * quantity[line]:
            best, best_price = -1, 0
            for cell in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                if available[cell] <= 0:
                    continue
                pair = place[holder_node[cell]]
                price = fixed[pair] + unit[pair] * quantity[line]
                after_last = price > last_price or (price == last_price and cell > last)
                if usable[pair] and after_last and (best < 0 or price < best_price):
                    best, best_price = cell, price
            if best < 0:
                break
            chosen[place[holder_node[best]]] = 1
            reach += min(available[best], quantity[line])
            last, last_price = best, best_price


@kernel(allocates=False)
def keep_warehouses(
    pair_ptr: Array, pair_node: Array, fixed: Array, warehouse: Array, usable: Array, always: Array
) -> None:
    """Mark in `always` (bool[pairs]) the `WAREHOUSES` cheapest usable warehouses of each order."""
    for order in range(pair_ptr.size - 1):
        for _ in range(WAREHOUSES):
            best = -1
            for pair in range(pair_ptr[order], pair_ptr[order + 1]):
                free = warehouse[pair_node[pair]] and usable[pair] and not always[pair]
                if free and (best < 0 or fixed[pair] < fixed[best]):
                    best = pair
            if best < 0:
                break
            always[best] = True


@kernel
def list_entries(
    line_ptr: Array,
    sku: Array,
    holder_ptr: Array,
    holder_node: Array,
    available: Array,
    candidate_ptr: Array,
    node: Array,
    nodes: int,
    entry_count: Array,
    entry_line: Array,
    cell: Array,
) -> int:
    """Write the entries of each order's candidates (`node`), skipping cells without stock; how many there are.

    `entry_count` (int64[candidates], zeros) gets how many each candidate has.
    """
    entries = 0
    mine, place = np.full(nodes, -1, np.int64), np.empty(nodes, np.int64)
    for order in range(line_ptr.size - 1):
        first, stop = line_ptr[order], line_ptr[order + 1]
        for at in range(candidate_ptr[order], candidate_ptr[order + 1]):
            mine[node[at]] = at
        for line in range(first, stop):
            for at in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                if mine[holder_node[at]] >= 0 and available[at] > 0:
                    entry_count[mine[holder_node[at]]] += 1
        for at in range(candidate_ptr[order], candidate_ptr[order + 1]):
            place[node[at]] = entries
            entries += entry_count[at]
        for line in range(first, stop):
            for at in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                one = holder_node[at]
                if mine[one] >= 0 and available[at] > 0:
                    entry_line[place[one]], cell[place[one]] = line - first, at
                    place[one] += 1
        for at in range(candidate_ptr[order], candidate_ptr[order + 1]):
            mine[node[at]] = -1
    return entries
