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
def choose_candidates(
    line_ptr: Array,
    sku: Array,
    quantity: Array,
    holder_ptr: Array,
    holder_node: Array,
    available: Array,
    fixed: Array,
    unit: Array,
    usable: Array,
    always: Array,
    limits: Array,
    benefit: int,
    chosen: Array,
) -> tuple[int, Array]:
    """Mark in `chosen` (uint8[orders, nodes]) the nodes each order may use, beside those that are marked already.

    `fixed`, `unit` (int64[orders, nodes]) are costs, `usable` (bool[orders, nodes]) says where rules allow it, and
    `always` (bool[orders, nodes]) which nodes may not be left out. A node scores its fixed cost plus that of the
    units it can serve, less `benefit` a line it can serve whole; the `limits[order]` best stay, and for every line its
    cheapest holders until they hold all units wanted twice. The second result (uint8[orders]) says where no usable
    holder was left out; the first counts all usable entries.
    """
    orders, nodes = chosen.shape
    score, covered, touched = np.empty(nodes, np.int64), np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    whole = np.ones(orders, np.uint8)
    entries = 0
    for order in range(orders):
        found = 0
        covered[:] = 0
        for line in range(line_ptr[order], line_ptr[order + 1]):
            for cell in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                node, units = holder_node[cell], available[cell]
                if usable[order, node] and units > 0:
                    if covered[node] == 0:
                        score[node], touched[found] = fixed[order, node], node
                        found += 1
                    covered[node] += 1
                    score[node] += unit[order, node] * min(quantity[line], units)
                    score[node] -= benefit if units >= quantity[line] else 0
        for i in range(found):
            entries += covered[touched[i]]
            if found <= limits[order] or always[order, touched[i]]:
                chosen[order, touched[i]] = 1
        if found > limits[order]:
            _keep_best_scores(score, touched, found, limits[order], chosen[order])
            _keep_cheapest_holders(
                order, line_ptr, sku, quantity, holder_ptr, holder_node, available, fixed, unit, usable, chosen
            )
        for i in range(found):
            whole[order] &= chosen[order, touched[i]]
    return entries, whole


@kernel
def _keep_best_scores(score: Array, touched: Array, found: int, limit: int, kept: Array) -> None:
    """Mark in `kept` the `limit` lowest scores among the first `found` touched nodes, ties by node."""
    last = -1
    for _ in range(limit):
        best = -1
        for i in range(found):
            node = touched[i]
            if last >= 0 and (score[node] < score[last] or (score[node] == score[last] and node <= last)):
                continue
            if best < 0 or score[node] < score[best] or (score[node] == score[best] and node < best):
                best = node
        kept[best] = 1
        last = best


@kernel
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
    chosen: Array,
) -> None:
    """Keep for each line its cheapest holders, until `HOLDERS` times the units wanted are in reach."""
    for line in range(line_ptr[order], line_ptr[order + 1]):
        reach, last, last_price = 0, -1, -1
        while reach < HOLDERS * quantity[line]:
            best, best_price = -1, 0
            for cell in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                node = holder_node[cell]
                price = fixed[order, node] + unit[order, node] * quantity[line]
                after_last = price > last_price or (price == last_price and cell > last)
                if usable[order, node] and available[cell] > 0 and after_last and (best < 0 or price < best_price):
                    best, best_price = cell, price
            if best < 0:
                break
            chosen[order, holder_node[best]] = 1
            reach += min(available[best], quantity[line])
            last, last_price = best, best_price


@kernel
def keep_warehouses(fixed: Array, warehouse: Array, usable: Array, always: Array) -> None:
    """Mark in `always` the `WAREHOUSES` cheapest usable warehouses of each order."""
    for order in range(fixed.shape[0]):
        for _ in range(WAREHOUSES):
            best = -1
            for node in range(fixed.shape[1]):
                free = warehouse[node] and usable[order, node] and not always[order, node]
                if free and (best < 0 or fixed[order, node] < fixed[order, best]):
                    best = node
            if best >= 0:
                always[order, best] = 1


@kernel
def list_entries(
    line_ptr: Array,
    sku: Array,
    holder_ptr: Array,
    holder_node: Array,
    available: Array,
    by_price: Array,
    chosen: Array,
    candidate_count: Array,
    node: Array,
    entry_count: Array,
    entry_line: Array,
    cell: Array,
) -> tuple[int, int]:
    """Write each order's chosen candidates, cheapest shipment first, and their entries; skip cells without stock.

    `by_price` (int64[orders, nodes]) has each order's chosen nodes in that order, then -1. `candidate_count`
    (int64[orders]) and `entry_count` (int64[candidates]) get the sizes of the nested ranges; returns how many
    candidates and entries were written.
    """
    orders, nodes = chosen.shape
    candidates, entries = 0, 0
    place = np.empty(nodes, np.int64)
    for order in range(orders):
        size = np.zeros(nodes, np.int64)
        first, stop = line_ptr[order], line_ptr[order + 1]
        for line in range(first, stop):
            for at in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                if chosen[order, holder_node[at]] and available[at] > 0:
                    size[holder_node[at]] += 1
        first_candidate = candidates
        for i in by_price[order]:
            if i < 0:
                break
            if size[i] > 0:
                node[candidates] = i
                candidates += 1
        for at in range(first_candidate, candidates):
            entry_count[at], place[node[at]] = size[node[at]], entries
            entries += size[node[at]]
        candidate_count[order] = candidates - first_candidate
        for line in range(first, stop):
            for at in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                i = holder_node[at]
                if chosen[order, i] and available[at] > 0:
                    entry_line[place[i]], cell[place[i]] = line - first, at
                    place[i] += 1
    return candidates, entries
