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
from omo_core.allocation.columns import DemandColumns
from omo_core.allocation.costs import total_price
from omo_core.allocation.eligibility import first_rule_against
from omo_core.allocation.pairs import Pairs, block_of_pairs
from omo_core.allocation.special import special_columns
from omo_core.model.errors import InvalidInput

if TYPE_CHECKING:
    from omo_core.allocation.problem import AllocationProblem

CHUNK_PAIRS: Final = 1 << 17
"""Order-node pairs looked at together while building; keeps a wave's build in the processor's cache."""


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

    def only(self, keep: Flags, extra: Ints, limit: Ints) -> Chunk:
        """The chunk with these of its candidates, as if built with this `limit` and `extra`."""
        at = np.flatnonzero(keep)
        entries = ranges(self.entry_ptr[at], self.entry_ptr[at + 1])
        kept = np.bincount(self.row[at], minlength=self.candidates.size)
        return replace(
            self,
            limit=limit,
            extra=extra,
            candidates=kept,
            node=self.node[at],
            fixed_minor=self.fixed_minor[at],
            entries=self.entries[at],
            line=self.line[entries],
            cell=self.cell[entries],
            unit_minor=self.unit_minor[entries],
            distance_m=self.distance_m[at],
            measured_m=self.measured_m[at],
            complete=self.complete & (kept == self.candidates),
        )


def run_length(problem: AllocationProblem) -> int:
    """How many orders stand in a run."""
    return max(1, CHUNK_PAIRS // len(problem.index.nodes))


def build_chunk(problem: AllocationProblem, first: int, stop: int, limit: Ints, extra: Ints) -> Chunk:
    """The orders first..stop with up to `limit` candidates by score, and with those of `extra` that may serve them."""
    columns, stock = problem.columns, problem.stock
    pairs = block_of_pairs(problem.index, columns, first, stop, problem.policy.unknown_distance_m)
    fixed, unit = total_price(problem.terms, pairs)
    by_cell = pairs.asked_for_cells
    against = first_rule_against(problem.rules, pairs)
    usable = (against < 0) & (problem.capacity > 0)
    always = np.broadcast_to(pairs.at_pickup_node, fixed.shape).copy()
    keep_warehouses(fixed, problem.index.warehouse, usable, always)
    ptr = columns.line_ptr[first : stop + 1]
    lines = slice(ptr[0], ptr[-1])
    line_ptr, sku, quantity = ptr - ptr[0], columns.sku[lines], columns.quantity[lines]
    chosen = np.zeros(fixed.shape, dtype=np.uint8)
    chosen.reshape(-1)[extra] = usable.reshape(-1)[extra]
    held = line_ptr, sku, quantity, stock.holder_ptr, stock.node, stock.available
    most, complete = choose_candidates(
        *held, fixed, unit, usable, always, limit, problem.policy.coverage_benefit_minor, chosen
    )
    candidate_count = np.zeros(stop - first, dtype=np.int64)
    node, entries = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int64)
    line, cell = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int32)
    candidates, total = list_entries(
        line_ptr, sku, stock.holder_ptr, stock.node, stock.available, _cheapest_first(fixed, chosen), chosen,
        candidate_count, node, entries, line, cell,
    )  # fmt: skip
    row, node, entries = np.repeat(np.arange(stop - first), candidate_count), node[:candidates], entries[:candidates]
    line, cell, place = line[:total], cell[:total], row * len(problem.index.nodes) + node
    unit_minor = np.repeat(unit.reshape(-1)[place], entries)
    if by_cell or not _same_for_lines(columns, pairs):
        unit_minor = _unit_prices(problem, pairs, np.repeat(place, entries), line, cell)
    return Chunk(
        first=first,
        limit=limit.copy(),
        extra=extra,
        candidates=candidate_count,
        node=node.copy(),
        fixed_minor=fixed.reshape(-1)[place],
        entries=entries.copy(),
        line=line.copy(),
        cell=cell.copy(),
        unit_minor=unit_minor,
        distance_m=pairs.distance_m.reshape(-1)[place],
        measured_m=pairs.measured_m.reshape(-1)[place],
        complete=complete.astype(np.bool_),
        against=np.bincount(against[against >= 0], minlength=len(problem.rules)),
    )


def _cheapest_first(fixed: Ints, chosen: NDArray[np.uint8]) -> Ints:
    """int64[orders, nodes]: each order's chosen nodes by fixed cost, ties by node; -1 for the others, at the end.

    Cost and node in one number: numbers are sorted several times as fast as positions.
    """
    nodes = fixed.shape[1]
    if max(int(fixed.max(initial=0)), -int(fixed.min(initial=0))) >= LAST // nodes - 1:
        raise InvalidInput("the plan's cost could leave 64 bits; lower the prices of the cost terms")
    key = np.where(chosen, fixed * nodes + np.arange(nodes), LAST)
    key.sort(axis=1)
    return np.where(key == LAST, -1, key % nodes)


def _same_for_lines(columns: DemandColumns, pairs: Pairs) -> bool:
    """Whether every line of these orders weighs as much a unit as the others of its order."""
    first, orders = int(pairs.order[0, 0]), pairs.order.shape[0]
    ptr = columns.line_ptr[first : first + orders + 1]
    return np.array_equal(columns.weight_g[ptr[0] : ptr[-1]], np.repeat(pairs.weight_g[:, 0], np.diff(ptr)))


def _unit_prices(problem: AllocationProblem, pairs: Pairs, place: Ints, line: Array, cell: Array) -> Ints:
    """What a unit costs at each entry, by its line's own weight and its own cell; `place` is the entry's pair."""
    columns = problem.columns
    row, node = np.divmod(place, len(problem.index.nodes))
    order = int(pairs.order[0, 0]) + row
    each = Pairs(
        index=problem.index,
        demands=columns,
        order=order,
        node=node,
        measured_m=pairs.measured_m.reshape(-1)[place],
        distance_m=pairs.distance_m.reshape(-1)[place],
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
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
