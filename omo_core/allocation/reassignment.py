"""Reassignment: a plan that stands is improved a few orders at a time, and nothing that it promised is given up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.dual import solve_dual
from omo_core.allocation.greedy import NO_LIMIT
from omo_core.allocation.kernels import assign_in_turn, scratch_for
from omo_core.allocation.plan import Plan
from omo_core.allocation.prices import PRICE_PER_MINOR, priced
from omo_core.allocation.problem import AllocationProblem
from omo_core.model.errors import InvalidInput

STEPS_PER_ORDER: Final = 10
MOST_VICTIMS: Final = 8
"""Orders that one step may take goods from."""
WARMTH: Final = 0.06
"""How much dearer a step may make the plan at first, in what its dearest shipment costs; it falls to nothing."""

Units = Mapping[tuple[str, str], int]
"""(sku, node) → units."""


@dataclass(frozen=True)
class Standing:
    """What stands, in the entries of a problem whose stock counts it as free."""

    problem: AllocationProblem
    taken: NDArray[np.int32]
    """int32[entries]."""
    movable: Flags
    """bool[orders]: all of its units have an entry. The others stay as they are."""
    fixed: Ints
    """int64[cells]: units of orders that stay."""


@dataclass(frozen=True)
class Reassignment:
    """A plan that serves what the standing one serves, and costs no more."""

    before: Plan
    after: Plan
    moved: tuple[int, ...]
    """Rows of the orders that are served otherwise than before."""
    movable: int
    """Orders that could have been."""

    @property
    def saved_minor(self) -> int:
        """By how much the plan became cheaper."""
        return self.before.cost_minor - self.after.cost_minor


def standing_in(problem: AllocationProblem, units: Sequence[Units]) -> Standing:
    """Find what stands (of each order of the problem) among its entries; nodes that are no candidates yet become some.

    An order with units where a rule or a changed network leaves no entry is not movable.
    """
    if len(units) != problem.orders:
        raise InvalidInput(f"{len(units)} standing assignments were given for {problem.orders} orders; give one each")
    found = _find(problem, units)
    if not found.movable.all():
        current = np.where(problem.complete, len(problem.index.nodes), problem.policy.candidates)
        wider = np.where(found.movable, current, len(problem.index.nodes))
        found = _find(problem.with_candidates(wider), units)
    return found


def _find(problem: AllocationProblem, units: Sequence[Units]) -> Standing:
    block, stock = problem.block, problem.stock
    taken = np.zeros(block.line.size, dtype=np.int32)
    movable = np.zeros(problem.orders, dtype=np.bool_)
    fixed = np.zeros(stock.available.size, dtype=np.int64)
    sku_of = {sku: place for place, sku in enumerate(stock.sku)}
    cell_of = {
        (sku, int(stock.node[cell])): cell
        for sku in range(len(stock.sku))
        for cell in range(stock.holder_ptr[sku], stock.holder_ptr[sku + 1])
    }
    for order, own in enumerate(units):
        first, stop = block.candidate_ptr[order], block.candidate_ptr[order + 1]
        entries = range(block.entry_ptr[first], block.entry_ptr[stop])
        entry_of = {int(block.cell[entry]): entry for entry in entries}
        wanted = np.zeros(block.line_ptr[order + 1] - block.line_ptr[order], dtype=np.int64)
        placed: list[tuple[int, int]] = []
        for (sku, node), number in own.items():
            cell = cell_of.get((sku_of.get(sku, -1), problem.index.position.get(node, -1)), -1)
            if cell >= 0:
                fixed[cell] += number
            if (entry := entry_of.get(cell, -1)) >= 0:
                wanted[block.line[entry]] += number
                placed.append((entry, number))
        if len(placed) == len(own) and np.array_equal(wanted, block.quantity[block.line_ptr[order] :][: wanted.size]):
            movable[order] = True
            for entry, number in placed:
                taken[entry] = number
                fixed[block.cell[entry]] -= number
    return Standing(problem, taken, movable, fixed)


def reassign(
    standing: Standing,
    *,
    growth_permille: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Reassignment:
    """Improve a standing plan under its problem's policy by seeded steps, each of a few orders on live stock.

    A step frees an order and those whose goods it lacks at some node that could serve all of it, and serves them again,
    each exactly, at the prices of the problem's dual; steps that leave a unit unserved are undone, and so is all of it
    where it would cost more in the end. All parcels together may travel `growth_permille` farther than they did (None:
    any distance). `steps` None: 10 an order. Equal arguments give equal plans on any number of `threads`.
    """
    search = _Search(standing, growth_permille, seed, threads)
    rows = np.flatnonzero(standing.movable)
    search.run(steps if steps is not None else STEPS_PER_ORDER * rows.size)
    problem, methods = standing.problem, ("exact",) * standing.problem.orders
    before = Plan(problem, standing.taken, methods, solver="standing", status="heuristic")
    after = Plan(problem, search.taken, methods, solver="reassignment", status="heuristic")
    if after.cost_minor >= before.cost_minor:
        return Reassignment(before, before, (), rows.size)
    ends = problem.block.entry_ptr[problem.block.candidate_ptr]
    changed = np.flatnonzero(search.taken != standing.taken)
    moved = np.unique(np.searchsorted(ends, changed, side="right") - 1)
    return Reassignment(before, after, tuple(moved.tolist()), rows.size)


@dataclass(frozen=True, slots=True)
class _Share:
    """What one order takes: entries, units, and what that costs and how far its parcels travel."""

    entries: Ints
    units: NDArray[np.int32]
    cost_minor: int
    metres: int
    nodes: int


class _Search:
    """Live stock and capacity, what every order takes, and who takes of each cell."""

    def __init__(self, standing: Standing, growth_permille: int | None, seed: int, threads: int | None) -> None:
        problem = standing.problem
        self.problem, self.block, self.taken = problem, problem.block, standing.taken.copy()
        self.rows = np.flatnonzero(standing.movable).tolist()
        self.dice = Random(seed)
        block, policy = self.block, problem.policy
        self.candidate_of = np.repeat(np.arange(block.node.size), np.diff(block.entry_ptr))
        ends = block.entry_ptr[block.candidate_ptr]
        self.first, self.stop = ends[:-1].tolist(), ends[1:].tolist()
        self.wanted = np.add.reduceat(np.append(block.quantity, 0).astype(np.int64), block.line_ptr[:-1]).tolist()
        prices = solve_dual(problem, threads=threads).prices
        self.priced = priced(block, prices)
        self.limits = (
            policy.per_extra_node_minor * PRICE_PER_MINOR,
            NO_LIMIT if policy.max_nodes is None else policy.max_nodes,
        )
        self.scratch = scratch_for(policy.max_exact_lines)
        self.stock = (problem.stock.available - standing.fixed).astype(np.int32)
        self.capacity = problem.capacity.copy()
        self.users: dict[int, set[int]] = {}
        self.shares: dict[int, _Share] = {}
        for row in self.rows:
            self._take(row, self._read(row))
        self.metres = sum(share.metres for share in self.shares.values())
        self.most = None if growth_permille is None else self.metres * (1000 + growth_permille) // 1000
        self.targets = {row: self._targets_of(row) for row in self.rows if self.shares[row].nodes > 1}

    def run(self, steps: int) -> None:
        """Seeded steps, first warm and then cold; orders that use several nodes have their turn, most often those."""
        warmth = WARMTH * float(self.block.fixed_minor.max(initial=0) + self.problem.policy.per_extra_node_minor)
        split = [row for row in self.rows if self.shares[row].nodes > 1]
        for step in range(steps if self.rows else 0):
            if step % 256 == 0:
                split = [row for row in self.rows if self.shares[row].nodes > 1]
            row = self.dice.choice(split) if split and self.dice.random() < 0.9 else self.dice.choice(self.rows)
            heat = warmth * (1 - step / steps) ** 2
            self._try([row, *self._victims_of(row)], -heat * math.log(1.0 - self.dice.random()))

    def _try(self, rows: list[int], worse_minor: float) -> None:
        """Serve these orders again, the first one first; undone where that is too dear, too far, or leaves a unit."""
        old = {row: self.shares[row] for row in rows}
        for row in rows:
            self._give_back(row)
        turn = np.array(rows, dtype=np.int64)
        end = assign_in_turn(self.priced, turn, 0, self.stock, self.capacity, *self.limits, self.scratch, self.taken)
        new = {row: self._read(row) for row in rows}
        served = end == turn.size and all(int(new[row].units.sum()) == self.wanted[row] for row in rows)
        growth = sum(new[row].metres - old[row].metres for row in rows)
        dearer = sum(new[row].cost_minor - old[row].cost_minor for row in rows)
        too_far = self.most is not None and growth > 0 and self.metres + growth > self.most
        if served and not too_far and dearer <= worse_minor:
            for row in rows:
                self._use(row, new[row])
            self.metres += growth
            return
        for share in new.values():
            self._clear(share)
        for row in rows:
            self._take(row, old[row])

    def _victims_of(self, row: int) -> list[int]:
        """Orders that have what this one lacks at a node that could serve all of it."""
        if row not in self.targets:
            self.targets[row] = self._targets_of(row)
        targets = self.targets[row]
        if not targets:
            return []
        block, victims = self.block, set[int]()
        target = self.dice.choice(targets)
        own = self.shares[row]
        for entry in range(block.entry_ptr[target], block.entry_ptr[target + 1]):
            cell = int(block.cell[entry])
            lacks = int(block.quantity[block.line_ptr[row] + block.line[entry]] - self.stock[cell])
            if entry in own.entries:
                lacks -= int(self.taken[entry])
            others = sorted(self.users.get(cell, set()) - {row} - victims) if lacks > 0 else []
            self.dice.shuffle(others)
            for other in others[:lacks]:
                victims.add(other)
            if len(victims) > MOST_VICTIMS:
                return []
        chosen = sorted(victims)
        self.dice.shuffle(chosen)
        return chosen

    def _targets_of(self, row: int) -> list[int]:
        """Candidates that hold most of the order's lines whole, were nobody else there."""
        block = self.block
        candidates = range(block.candidate_ptr[row], block.candidate_ptr[row + 1])
        wanted = block.quantity[block.line_ptr[row] : block.line_ptr[row + 1]]
        lines = []
        for candidate in candidates:
            entries = slice(block.entry_ptr[candidate], block.entry_ptr[candidate + 1])
            has = self.problem.stock.available[block.cell[entries]] >= wanted[block.line[entries]]
            lines.append(int(has.sum()))
        most = max(lines, default=0)
        return [candidate for candidate, number in zip(candidates, lines, strict=True) if number == most > 0]

    def _read(self, row: int) -> _Share:
        """What `taken` says that the order takes."""
        block, first = self.block, self.first[row]
        entries = first + np.flatnonzero(self.taken[first : self.stop[row]])
        units = self.taken[entries]
        used = np.unique(self.candidate_of[entries])
        cost = int(block.fixed_minor[used].sum()) + int((block.unit_minor[entries] * units).sum())
        cost += max(used.size - 1, 0) * self.problem.policy.per_extra_node_minor
        return _Share(entries, units, cost, int(self.problem.distance_m[used].sum()), used.size)

    def _give_back(self, row: int) -> None:
        share = self.shares[row]
        self._clear(share)
        for cell in self.block.cell[share.entries].tolist():
            self.users[cell].discard(row)

    def _clear(self, share: _Share) -> None:
        block = self.block
        self.taken[share.entries] = 0
        self.stock[block.cell[share.entries]] += share.units
        self.capacity[block.node[np.unique(self.candidate_of[share.entries])]] += 1

    def _take(self, row: int, share: _Share) -> None:
        block = self.block
        self.taken[share.entries] = share.units
        self.stock[block.cell[share.entries]] -= share.units
        self.capacity[block.node[np.unique(self.candidate_of[share.entries])]] -= 1
        self._use(row, share)

    def _use(self, row: int, share: _Share) -> None:
        self.shares[row] = share
        for cell in self.block.cell[share.entries].tolist():
            self.users.setdefault(cell, set()).add(row)
