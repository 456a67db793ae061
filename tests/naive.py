"""Naive twins of the allocator's kernels: same names, same answers, plain Python that is obviously right."""

# ruff: noqa: PLR0917 - the twins take what the kernels take

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

EARTH_RADIUS_M = 6_371_008.8
WAREHOUSES = 4
HOLDERS = 2
SWAP_WORK = 4_000_000


def great_circle_m(from_xyz: Any, from_known: Any, to_xyz: Any, to_known: Any, distance_m: Any) -> None:
    """Distances by the textbook formula 2 R asin(chord / 2)."""
    for i, a in enumerate(from_xyz):
        for j, b in enumerate(to_xyz):
            known = from_known[i] and to_known[j]
            arc = 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.dist(a, b) / 2))
            distance_m[i, j] = int(arc + 0.5) if known else -1


def measure_pairs(
    from_xyz: Any, from_known: Any, row: Any, to_xyz: Any, to_known: Any, node: Any, distance_m: Any
) -> None:
    """The same distances, pair by pair."""
    whole = np.empty((len(from_xyz), len(to_xyz)), dtype=np.int64)
    great_circle_m(from_xyz, from_known, to_xyz, to_known, whole)
    for i, (a, b) in enumerate(zip(row, node, strict=True)):
        distance_m[i] = whole[a, b]


def list_holders(
    line_ptr: Any, sku: Any, holder_ptr: Any, holder_node: Any, available: Any, nodes: int, count: Any, node: Any
) -> int:
    """The sorted set of each order's holders."""
    found: list[int] = []
    for order in range(len(count)):
        wanted = sku[line_ptr[order] : line_ptr[order + 1]]
        cells = [cell for one in wanted for cell in range(holder_ptr[one], holder_ptr[one + 1]) if available[cell] > 0]
        holders = sorted({int(holder_node[cell]) for cell in cells})
        assert all(one < nodes for one in holders)
        count[order] = len(holders)
        found += holders
    node[: len(found)] = found
    return len(found)


def keep_warehouses(pair_ptr: Any, pair_node: Any, fixed: Any, warehouse: Any, usable: Any, always: Any) -> None:
    """The cheapest usable warehouses that are not kept already, ties by position."""
    for first, stop in itertools.pairwise(pair_ptr):
        free = [p for p in range(first, stop) if warehouse[pair_node[p]] and usable[p] and not always[p]]
        for pair in sorted(free, key=lambda p: (fixed[p], p))[:WAREHOUSES]:
            always[pair] = True


def choose_candidates(
    line_ptr: Any,
    sku: Any,
    quantity: Any,
    holder_ptr: Any,
    holder_node: Any,
    available: Any,
    pair_ptr: Any,
    pair_node: Any,
    fixed: Any,
    unit: Any,
    usable: Any,
    always: Any,
    limits: Any,
    benefit: int,
    nodes: int,
    chosen: Any,
) -> Any:
    """Score every usable holder, keep the best, those that must stay, and the cheapest holders of each line."""
    orders = len(line_ptr) - 1
    complete = np.zeros(orders, dtype=np.uint8)
    for order in range(orders):
        pair = {int(pair_node[p]): p for p in range(pair_ptr[order], pair_ptr[order + 1])}
        assert all(node < nodes for node in pair)
        score: dict[int, int] = {}
        kept: set[int] = set()
        for line in range(line_ptr[order], line_ptr[order + 1]):
            wanted, priced, reach = int(quantity[line]), [], 0
            for cell in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                node, units = int(holder_node[cell]), int(available[cell])
                if units > 0 and usable[pair[node]]:
                    score.setdefault(node, int(fixed[pair[node]]))
                    score[node] += int(unit[pair[node]]) * min(wanted, units) - benefit * (units >= wanted)
                    priced.append((int(fixed[pair[node]]) + int(unit[pair[node]]) * wanted, cell, node, units))
            for _, _, node, units in sorted(priced):
                if reach < HOLDERS * wanted:
                    kept.add(node)
                    reach += min(units, wanted)
        kept.update(node for node in score if always[pair[node]] or chosen[pair[node]])
        kept.update(sorted(score, key=lambda node: (score[node], node))[: limits[order]])
        if len(score) <= limits[order]:
            kept = set(score)
        for node in kept:
            chosen[pair[node]] = 1
        complete[order] = kept == set(score)
    return complete


def list_entries(
    line_ptr: Any,
    sku: Any,
    holder_ptr: Any,
    holder_node: Any,
    available: Any,
    candidate_ptr: Any,
    node: Any,
    nodes: int,
    entry_count: Any,
    entry_line: Any,
    cell: Any,
) -> int:
    """For each candidate of each order the lines it holds."""
    entries = 0
    for order in range(len(line_ptr) - 1):
        for at in range(candidate_ptr[order], candidate_ptr[order + 1]):
            assert node[at] < nodes
            for line in range(line_ptr[order], line_ptr[order + 1]):
                for one in range(holder_ptr[sku[line]], holder_ptr[sku[line] + 1]):
                    if holder_node[one] == node[at] and available[one] > 0:
                        entry_line[entries], cell[entries] = line - line_ptr[order], one
                        entry_count[at] += 1
                        entries += 1
    return entries


def assign_in_turn(
    block: Any,
    turn: Any,
    start: int,
    stock: Any,
    capacity: Any,
    split_minor: int,
    max_nodes: int,
    scratch: Any,
    taken: Any,
) -> int:
    """For each order the cheapest partition of its lines into sets that one node serves whole, and unserved lines."""
    for position in range(start, len(turn)):
        order = turn[position]
        first = block.line_ptr[order]
        wanted = block.quantity[first : block.line_ptr[order + 1]]
        if len(wanted) > len(scratch.pick):
            return position
        decide_order(block, order, stock, capacity, split_minor, max_nodes, scratch)
        if _splits_may_help(block, order, wanted, stock, capacity, scratch.pick):
            return position
        for line, units in enumerate(wanted):
            if scratch.pick[line] >= 0:
                taken[scratch.pick[line]] = units
                stock[block.cell[scratch.pick[line]]] -= units
        for candidate in {one for one in scratch.picked_from[: len(wanted)] if one >= 0}:
            capacity[block.node[candidate]] -= 1
    return len(turn)


def decide_order(
    block: Any, order: int, stock: Any, capacity: Any, split_minor: int, max_nodes: int, scratch: Any
) -> int:
    """The cheapest partition of one order's lines into sets that one node serves whole, and unserved lines."""
    first = block.line_ptr[order]
    wanted = block.quantity[first : block.line_ptr[order + 1]]
    prices = block.unserved_minor[first : first + len(wanted)]
    penalty = [price * units for price, units in zip(prices, wanted, strict=True)]
    single = _single_nodes(block, order, wanted, stock, capacity)
    cost, picked = _best_partition(single, penalty, split_minor, max_nodes)
    for line in range(len(wanted)):
        scratch.pick[line], scratch.picked_from[line] = -1, -1
    for lines, candidate in picked:
        for entry in _entries(block, candidate):
            if block.line[entry] in lines:
                scratch.pick[block.line[entry]], scratch.picked_from[block.line[entry]] = entry, candidate
    return cost


def _entries(block: Any, candidate: int) -> range:
    return range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1])


def _candidates(block: Any, order: int) -> range:
    return range(block.candidate_ptr[order], block.candidate_ptr[order + 1])


def _single_nodes(block: Any, order: int, wanted: Any, stock: Any, capacity: Any) -> dict[int, tuple[int, int]]:
    """For each set of lines (a bit mask) the cheapest candidate that serves all of it, as (cost, candidate)."""
    found: dict[int, tuple[int, int]] = {}
    for candidate in _candidates(block, order):
        if capacity[block.node[candidate]] <= 0:
            continue
        sums = {0: block.fixed_minor[candidate]}
        for entry in _entries(block, candidate):
            line = block.line[entry]
            if stock[block.cell[entry]] >= wanted[line]:
                cost = block.unit_minor[entry] * wanted[line]
                sums.update({mask | 1 << line: total + cost for mask, total in sums.items()})
        for mask, total in sums.items():
            if mask and (mask not in found or total < found[mask][0]):
                found[mask] = total, candidate
    return found


def _best_partition(
    single: dict[int, tuple[int, int]], penalty: list[int], split_minor: int, max_nodes: int
) -> tuple[int, list[tuple[set[int], int]]]:
    """The least cost, and the chosen sets of lines, each with its candidate; recursion over what is left, remembered."""
    known: dict[tuple[int, int], tuple[int, list[int]]] = {}

    def subsets(mask: int) -> list[int]:
        return [part for part in range(mask, -1, -1) if part & mask == part]

    def with_node_used(mask: int, more: int) -> tuple[int, list[int]]:
        if mask == 0:
            return 0, []
        if (mask, more) not in known:
            low = mask & -mask
            cost, sets = with_node_used(mask ^ low, more)
            best = cost + penalty[low.bit_length() - 1], sets
            for part in subsets(mask ^ low) if more else []:
                if part | low in single:
                    cost, sets = with_node_used(mask ^ low ^ part, more - 1)
                    cost += single[part | low][0] + split_minor
                    best = min(best, (cost, [part | low, *sets]), key=lambda one: one[0])
            known[mask, more] = best
        return known[mask, more]

    best: tuple[int, list[int]] = 0, []
    for line, price in enumerate(penalty):
        below = (1 << line) - 1
        best = best[0] + price, best[1]
        for part in subsets(below):
            if part | 1 << line in single:
                cost, sets = with_node_used(below ^ part, min(max_nodes, len(penalty)) - 1)
                cost += single[part | 1 << line][0]
                best = min(best, (cost, [part | 1 << line, *sets]), key=lambda one: one[0])
    cost, masks = best
    return int(cost), [({line for line in range(len(penalty)) if mask >> line & 1}, single[mask][1]) for mask in masks]


def _splits_may_help(block: Any, order: int, wanted: Any, stock: Any, capacity: Any, pick: Any) -> bool:
    most = [0] * len(wanted)
    for candidate in _candidates(block, order):
        if capacity[block.node[candidate]] > 0:
            for entry in _entries(block, candidate):
                most[block.line[entry]] = max(most[block.line[entry]], stock[block.cell[entry]])
    return any(pick[line] < 0 < most[line] < units for line, units in enumerate(wanted))


def serve_long_order(
    block: Any,
    order: int,
    search: Any,
    split_minor: int,
    max_nodes: int,
    from_picks: bool,
    stock: Any,
    capacity: Any,
    taken: Any,
) -> None:
    """Open, close and swap nodes as long as the order gets cheaper, pricing every set of open nodes from scratch."""
    first = block.candidate_ptr[order]
    wanted = block.quantity[block.line_ptr[order] : block.line_ptr[order + 1]]
    price = block.unserved_minor[block.line_ptr[order] : block.line_ptr[order + 1]]

    def fills(opened: set[int]) -> list[tuple[int, int]]:
        """(place in the search, units) of every entry used."""
        used = []
        for line, units in enumerate(wanted):
            left = int(units)
            for i in range(search.start[line], search.start[line + 1]):
                if search.candidate[i] in opened and block.unit_minor[search.entry[i]] < price[line]:
                    take = min(left, int(search.available[i]))
                    left -= take
                    used += [(i, take)] if take else []
        return used

    def cost(opened: set[int]) -> int:
        used = fills(opened)
        total = sum(int(units) * int(each) for units, each in zip(wanted, price, strict=True))
        total += sum(
            units * (int(block.unit_minor[search.entry[i]]) - int(price[block.line[search.entry[i]]]))
            for i, units in used
        )
        total += sum(int(block.fixed_minor[first + one]) for one in opened)
        return total + max(len(opened) - 1, 0) * split_minor

    def step(opened: set[int]) -> set[int]:
        """The next cheaper set, or the same."""
        closed = [one for one in range(len(search.is_open)) if one not in opened]
        now = cost(opened)
        if len(opened) < max_nodes:
            best = min([opened, *({*opened, one} for one in closed)], key=cost)
            if cost(best) < now:
                return best
        for one in sorted(opened):
            less = opened - {one}
            if cost(less) < now:
                return less
            if len(search.entry) * len(opened) <= SWAP_WORK:
                best = min([opened, *({*less, other} for other in closed)], key=cost)
                if cost(best) < now:
                    return best
        return opened

    def improve(opened: set[int]) -> set[int]:
        while (better := step(opened)) != opened:
            opened = better
        return opened

    best = improve({one for one, is_open in enumerate(search.is_open) if is_open})
    if not from_picks:
        alone: set[int] = set()
        for line, units in enumerate(wanted):
            whole = [
                (
                    int(block.fixed_minor[first + search.candidate[i]])
                    + int(block.unit_minor[search.entry[i]] * units),
                    i,
                )
                for i in range(search.start[line], search.start[line + 1])
                if search.available[i] >= units
            ]
            if whole and min(whole)[0] < price[line] * units:
                alone.add(int(search.candidate[min(whole)[1]]))
        if len(alone) <= max_nodes:
            best = min(best, improve(alone), key=cost)
    for i, units in fills(best):
        taken[search.entry[i]] = units
        stock[block.cell[search.entry[i]]] -= units
    for one in {int(search.candidate[i]) for i, _ in fills(best)}:
        capacity[block.node[first + one]] -= 1


def weigh_alternatives(
    block: Any,
    turn: Any,
    stock: Any,
    capacity: Any,
    taken: Any,
    joint: bool,
    left: Any,
    instead_of: Any,
    extra_minor: Any,
) -> None:
    """For each candidate not used the used one it would replace at least extra cost, among those it could replace."""
    for order in turn:
        candidates = _candidates(block, order)
        used = [one for one in candidates if any(taken[entry] > 0 for entry in _entries(block, one))]
        for one in candidates:
            room = capacity[block.node[one]] > 0
            for entry in _entries(block, one):
                left[entry] = stock[block.cell[entry]] if room else 0
            place = {int(block.line[entry]): entry for entry in _entries(block, one)}
            options = []
            for other in used if one not in used else []:
                moved = [entry for entry in _entries(block, other) if taken[entry] > 0]
                pairs = [(entry, place.get(int(block.line[entry]), -1)) for entry in moved]
                if all(to >= 0 and left[to] >= taken[entry] for entry, to in pairs):
                    extra = block.fixed_minor[one] - block.fixed_minor[other]
                    extra += sum((block.unit_minor[to] - block.unit_minor[entry]) * taken[entry] for entry, to in pairs)
                    options.append((extra, other))
            instead_of[one] = -2 if one in used else -1
            if options:
                extra_minor[one], instead_of[one] = min(options)
        for one in [] if joint else used:
            capacity[block.node[one]] -= 1
            for entry in _entries(block, one):
                stock[block.cell[entry]] -= taken[entry]
