"""Naive twins of the kernels for orders with rules of their own."""

# ruff: noqa: PLR0917 - the twins take what the kernels take

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from tests import naive


def parcel_price(block: Any, candidate: int, weight_g: int) -> int:
    """Full parcels of the heaviest band until one band carries the rest."""
    tariff = block.tariff[candidate]
    if tariff < 0:
        return 0
    bands = range(block.band_ptr[tariff], block.band_ptr[tariff + 1])
    heaviest, total = bands[-1], 0
    while weight_g > block.band_up_to_g[heaviest]:
        total += int(block.band_minor[heaviest])
        weight_g -= int(block.band_up_to_g[heaviest])
    return total + min(int(block.band_minor[band]) for band in bands if block.band_up_to_g[band] >= weight_g)


def parcel_floor(block: Any, candidate: int, weight_g: int) -> int:
    """The straight line under the tariff."""
    tariff = block.tariff[candidate]
    return 0 if tariff < 0 else int(block.floor_base_minor[tariff] + block.floor_gram_minor[tariff] * weight_g)


def work_of(block: Any, node: int, lines: int, units: int) -> int:
    """A piece for the order, one for each line, one for each unit."""
    return int(sum(pieces * many for pieces, many in zip(block.work[node], (1, lines, units), strict=True)))


def measure_sets(block: Any, order: int, lines: Any, units: Any, weight_g: Any) -> None:
    """Every set of lines, added up line by line; a group is cut if some but not all of it is in the set."""
    first = int(block.line_ptr[order])
    rows = range(first, int(block.line_ptr[order + 1]))
    groups = {int(block.group[row]) for row in rows} - {-1}
    for mask in range(1 << len(rows)):
        chosen = [row for row in rows if mask >> (row - first) & 1]
        cut = any(
            0 < sum(block.group[row] == one for row in chosen) < sum(block.group[row] == one for row in rows)
            for one in groups
        )
        lines[mask] = -1 if cut else len(chosen)
        units[mask] = sum(int(block.quantity[row]) for row in chosen)
        weight_g[mask] = sum(int(block.quantity[row] * block.weight_g[row]) for row in chosen)


def cheapest_sets_under_rules(
    block: Any,
    order: int,
    stock: Any,
    capacity: Any,
    cell_price: Any,
    node_price: Any,
    lines: Any,
    units: Any,
    weight_g: Any,
    sums: Any,
    masks: Any,
    cost: Any,
    node_of: Any,
    unreachable: int,
    at_least: bool,
) -> None:
    """Every combination of every candidate's lines, priced one by one."""
    del sums, masks
    first, size = int(block.line_ptr[order]), 1 << int(block.line_ptr[order + 1] - block.line_ptr[order])
    cost[:size], node_of[:size] = unreachable, -1
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        node = block.node[candidate]
        held = {}
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            wanted, cell = int(block.quantity[first + block.line[entry]]), block.cell[entry]
            if not len(stock) or stock[cell] >= wanted:
                price = cell_price[cell] if len(cell_price) else 0
                held[int(block.line[entry])] = int(block.unit_minor[entry] + price) * wanted
        for some in range(1, len(held) + 1):
            for chosen in combinations(held, some):
                mask = sum(1 << line for line in chosen)
                work = work_of(block, node, lines[mask], units[mask])
                fits = not len(capacity) or (capacity[node] > 0 and work <= capacity[node])
                total = sum(held[line] for line in chosen) + int(block.fixed_minor[candidate])
                total += (parcel_floor if at_least else parcel_price)(block, candidate, weight_g[mask])
                total += work * int(node_price[node]) if len(node_price) else 0
                if lines[mask] >= 0 and fits and total < cost[mask]:
                    cost[mask], node_of[mask] = total, candidate


def decide_under_rules_at(
    block: Any, order: int, cell_price: Any, node_price: Any, split_minor: int, max_nodes: int, scratch: Any
) -> int:
    """The best partition into sets that the rules allow; an order to be complete has no unserved line, or only such."""
    del scratch
    first = int(block.line_ptr[order])
    lines = int(block.line_ptr[order + 1]) - first
    found = np.zeros((5, 1 << lines), dtype=np.int64)
    none: list[int] = []
    measure_sets(block, order, *found[:3])
    prices = cell_price, node_price
    lines_of, units, weight_g, cost_of, node_of = found
    sets = lines_of, units, weight_g
    several = bool((block.quantity[first : first + lines] > 1).any())
    cheapest_sets_under_rules(block, order, none, none, *prices, *sets, none, none, cost_of, node_of, 1 << 55, several)
    single = {mask: (int(cost_of[mask]), int(node_of[mask])) for mask in range(1 << lines) if node_of[mask] >= 0}
    penalty = [int(block.unserved_minor[first + i] * block.quantity[first + i]) for i in range(lines)]
    forbidden = [1 << 55] * lines
    cost, _ = naive._best_partition(single, forbidden if block.whole[order] else penalty, split_minor, max_nodes)
    return min(cost, sum(penalty))
