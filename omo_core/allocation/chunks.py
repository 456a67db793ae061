"""Runs of orders with their candidates and prices: the pieces from which a problem is built, one at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Array, Flags, Ints
from omo_core.allocation.block import Block
from omo_core.allocation.candidate_kernels import choose_candidates, keep_warehouses, list_entries
from omo_core.allocation.costs import total_price
from omo_core.allocation.eligibility import first_rule_against
from omo_core.allocation.pairs import Pairs, lines_of, pairs_of_holders
from omo_core.allocation.special import special_columns

if TYPE_CHECKING:
    from omo_core.allocation.problem import AllocationProblem

CHUNK_PAIRS: Final = 1 << 17
"""Order-node pairs looked at together, so that a wave's build stays in the processor's cache."""


LAST: Final = (1 << 63) - 1


@dataclass(frozen=True)
class Chunk:
    """What one run of orders adds to the block; counts instead of pointers."""

    first: int
    limit: Ints
    """int64[orders of the run]: how many candidates by score it was built with."""
    extra: Ints
    """int64, ascending: order of the run × nodes + node of each candidate that was added."""

    candidates: Ints
    node: NDArray[np.int32]
    fixed_minor: Ints
    entries: Ints
    line: NDArray[np.int32]
    cell: NDArray[np.int32]
    unit_minor: Ints
    distance_m: Ints
    measured_m: Ints
    complete: Flags
    against: Ints

    @cached_property
    def row(self) -> Ints:
        """int64[candidates]: the order of each candidate, counted within the run."""
        return np.repeat(np.arange(self.candidates.size), self.candidates)

    @cached_property
    def entry_ptr(self) -> Ints:
        """int64[candidates + 1]: a candidate's entries."""
        return pointers(self.entries)

    def with_rows(self, rows: Ints, other: Chunk, limit: Ints, extra: Ints) -> Chunk:
        """The chunk with the orders of `other` in place of these rows (ascending)."""
        if rows.size == self.candidates.size:
            return replace(other, limit=limit, extra=extra)
        mine, theirs = pointers(self.candidates), pointers(other.candidates) + self.node.size
        first, stop, complete = mine[:-1].copy(), mine[1:].copy(), self.complete.copy()
        first[rows], stop[rows], complete[rows] = theirs[:-1], theirs[1:], other.complete
        at = ranges(first, stop)
        entry_ptr = np.concatenate([self.entry_ptr[:-1], other.entry_ptr + self.entry_ptr[-1]])
        count = np.concatenate([self.entries, other.entries])[at]
        entries = ranges(entry_ptr[at], entry_ptr[at] + count)

        def both(name: str, where: Ints) -> Array:
            together: Array = np.concatenate([getattr(self, name), getattr(other, name)])[where]
            return together

        measured_m = both("measured_m", at)
        same = self.distance_m is self.measured_m and other.distance_m is other.measured_m
        return replace(
            self,
            limit=limit,
            extra=extra,
            candidates=stop - first,
            node=both("node", at),
            fixed_minor=both("fixed_minor", at),
            entries=count,
            line=both("line", entries),
            cell=both("cell", entries),
            unit_minor=both("unit_minor", entries),
            distance_m=measured_m if same else both("distance_m", at),
            measured_m=measured_m,
            complete=complete,
        )


def run_length(problem: AllocationProblem) -> int:
    """How many orders stand in a run that is looked at with all nodes."""
    return max(1, CHUNK_PAIRS // len(problem.index.nodes))


def run_bounds(problem: AllocationProblem) -> Ints:
    """Where the runs of orders begin from which a problem is built, and where the last one ends.

    The orders of a run have about `CHUNK_PAIRS` pairs with nodes that may hold something they want.
    """
    if not problem.orders:
        return np.zeros(1, dtype=np.int64)
    holders = np.diff(problem.stock.holder_ptr)[problem.columns.sku]
    pairs = np.minimum(np.add.reduceat(holders, problem.columns.line_ptr[:-1]), len(problem.index.nodes)) + 1
    run = np.cumsum(pairs) // CHUNK_PAIRS
    return np.concatenate([[0], np.flatnonzero(np.diff(run)) + 1, [problem.orders]]).astype(np.int64)


def build_chunk(problem: AllocationProblem, orders: Ints, limit: Ints, extra: Ints) -> Chunk:
    """These orders (positions, ascending) with up to `limit` candidates by score, and with those of `extra` that may
    serve them; both count from the first of `orders`."""
    columns, stock, nodes = problem.columns, problem.stock, len(problem.index.nodes)
    pairs, count = pairs_of_holders(problem.index, columns, orders, stock, problem.policy.unknown_distance_m)
    fixed, unit = total_price(problem.terms, pairs)
    by_cell = pairs.asked_for_cells
    against = first_rule_against(problem.rules, pairs)
    usable = (against < 0) & (problem.capacity[pairs.node] > 0)
    always = pairs.at_pickup_node.copy()
    pair_ptr, row = pointers(count), np.repeat(np.arange(orders.size), count)
    keep_warehouses(pair_ptr, pairs.node, fixed, problem.index.warehouse, usable, always)
    line_ptr, lines = lines_of(columns, orders)
    sku = columns.sku[lines]
    held = line_ptr, sku, stock.holder_ptr, stock.node, stock.available
    chosen = np.zeros(row.size, dtype=np.uint8)
    chosen[_places(row * nodes + pairs.node, extra)] = 1
    chosen &= usable
    complete = choose_candidates(
        line_ptr, sku, columns.quantity[lines], *held[2:], pair_ptr, pairs.node, fixed, unit, usable, always, limit,
        problem.policy.coverage_benefit_minor, nodes, chosen,
    )  # fmt: skip
    place = _cheapest_first(fixed, np.flatnonzero(chosen), row)
    candidates, node = np.bincount(row[place], minlength=orders.size), pairs.node[place].astype(np.int32)
    most = int(np.diff(stock.holder_ptr)[sku].sum())
    entries, line, cell = np.zeros(place.size, dtype=np.int64), np.empty(most, np.int32), np.empty(most, np.int32)
    total = list_entries(*held, pointers(candidates), node, nodes, entries, line, cell)
    line, cell = line[:total].copy(), cell[:total].copy()
    unit_minor = np.repeat(unit[place], entries)
    if by_cell or not _same_for_lines(columns.weight_g[lines], line_ptr):
        unit_minor = _unit_prices(problem, pairs, np.repeat(place, entries), line, cell)
    measured_m = pairs.measured_m[place]
    return Chunk(
        first=int(orders[0]),
        limit=limit.copy(),
        extra=extra,
        candidates=candidates,
        node=node,
        fixed_minor=fixed[place],
        entries=entries,
        line=line,
        cell=cell,
        unit_minor=unit_minor,
        distance_m=measured_m if pairs.distance_m is pairs.measured_m else pairs.distance_m[place],
        measured_m=measured_m,
        complete=complete.astype(np.bool_),
        against=np.bincount(against[against >= 0], minlength=len(problem.rules)),
    )


def rebuild_rows(problem: AllocationProblem, chunk: Chunk, rows: Ints, limit: Ints, extra: Ints) -> Chunk:
    """The chunk with `limit` and `extra` (of all its orders), where only these rows (ascending) ask for other nodes."""
    nodes = len(problem.index.nodes)
    mine = extra[np.isin(extra // nodes, rows)]
    inner = np.searchsorted(rows, mine // nodes) * nodes + mine % nodes
    other = build_chunk(problem, chunk.first + rows, limit[rows], inner)
    return chunk.with_rows(rows, other, limit, extra)


def _places(keys: Ints, wanted: Ints) -> Ints:
    """Where those of the wanted numbers stand that are among the ascending `keys`."""
    if not (keys.size and wanted.size):
        return np.zeros(0, dtype=np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    found: Ints = place[keys[place] == wanted]
    return found


def _cheapest_first(fixed: Ints, chosen: Ints, row: Ints) -> Ints:
    """The chosen pairs (positions, ascending) of each order by fixed cost, ties by node.

    Order, cost and place in one number: numbers are sorted several times as fast as positions.
    """
    cost = fixed[chosen]
    rows, dearest = int(row[-1]) + 1 if row.size else 1, int(np.abs(cost).max(initial=0)) + 1
    if dearest >= LAST // (rows * (chosen.size + 1)) // 2:
        place = np.lexsort((cost, row[chosen]))
    else:
        key = ((row[chosen] * 2 + 1) * dearest + cost) * chosen.size + np.arange(chosen.size)
        key.sort()
        place = key % max(chosen.size, 1)
    by_cost: Ints = chosen[place]
    return by_cost


def _same_for_lines(weight_g: Ints, line_ptr: Ints) -> bool:
    """Whether every line of these orders weighs as much a unit as the others of its order."""
    return np.array_equal(weight_g, np.repeat(weight_g[line_ptr[:-1]], np.diff(line_ptr)))


def _unit_prices(problem: AllocationProblem, pairs: Pairs, place: Ints, line: Array, cell: Array) -> Ints:
    """What a unit costs at each entry, by its line's own weight and its own cell; `place` is the entry's pair."""
    order, columns = pairs.order[place], problem.columns
    each = Pairs(
        index=problem.index,
        demands=columns,
        order=order,
        node=pairs.node[place],
        measured_m=pairs.measured_m[place],
        distance_m=pairs.distance_m[place],
        weight_g=columns.weight_g[columns.line_ptr[order] + line],
        stock=problem.stock,
        cell=cell,
    )
    return total_price(problem.terms, each)[1]


def block_of_chunk(problem: AllocationProblem, chunk: Chunk) -> Block:
    """The chunk as a block of its own, its orders and lines counted from 0."""
    columns = problem.columns
    ptr = columns.line_ptr[chunk.first : chunk.first + chunk.candidates.size + 1]
    quantity = columns.quantity[ptr[0] : ptr[-1]]
    return Block(
        line_ptr=ptr - ptr[0],
        quantity=quantity,
        unserved_minor=np.full(quantity.size, problem.policy.unserved_minor, dtype=np.int64),
        candidate_ptr=pointers(chunk.candidates),
        node=chunk.node,
        fixed_minor=chunk.fixed_minor,
        floor_minor=chunk.fixed_minor,
        entry_ptr=chunk.entry_ptr,
        line=chunk.line,
        cell=chunk.cell,
        unit_minor=chunk.unit_minor,
        **special_columns(problem, chunk.first, chunk.node, chunk.candidates, (chunk.measured_m, chunk.distance_m)),
    )


def ranges(first: Ints, stop: Ints) -> Ints:
    """The numbers first[i]..stop[i] of each i, one range after another."""
    size = stop - first
    return np.repeat(stop - np.cumsum(size), size) + np.arange(int(size.sum()))


def pointers(counts: Ints) -> Ints:
    """Where ranges of these sizes begin, and where the last one ends."""
    ptr = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=ptr[1:])
    return ptr
