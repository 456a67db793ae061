"""Orders with rules that the exact kernel cannot take: too many lines, or a line that no one node holds whole."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Ints
from omo_core.allocation.block import Block
from omo_core.allocation.rule_kernels import parcel_price, work_of


def serve_ruled_order(  # noqa: PLR0917 - what the kernels beside it take
    block: Block,
    order: int,
    picks: Ints,
    stock: NDArray[np.int32],
    capacity: Ints,
    split_minor: int,
    max_nodes: int,
    taken: NDArray[np.int32],
) -> None:
    """Serve the order piece by piece, the dearest to leave first, each where it adds least to the cost.

    A group of lines is one piece. `picks` (entries, -1 for none; may be empty) are taken first: what the exact kernel
    chose before it saw that a line must be split. `stock`, `capacity` are drawn down and `taken` filled as by
    `assign_in_turn`. Never dearer than leaving everything unserved.
    """
    trial = _Trial(block, order, stock, capacity, split_minor, max_nodes)
    for line, entry in enumerate(picks.tolist()):
        if entry >= 0:
            trial.take([(entry, int(block.quantity[trial.first + line]))])
    for lines in trial.pieces():
        trial.serve(lines)
    if block.whole[order] and trial.missing():
        return
    for entry, units in trial.units.items():
        taken[entry] = units
        stock[block.cell[entry]] -= units
    for candidate in trial.load:
        capacity[block.node[candidate]] -= trial.work(candidate)


@dataclass
class _Trial:
    """What is taken for one order so far."""

    block: Block
    order: int
    stock: NDArray[np.int32]
    capacity: Ints
    split_minor: int
    max_nodes: int
    units: dict[int, int] = field(default_factory=dict)
    """Entry to units."""
    load: dict[int, list[int]] = field(default_factory=dict)
    """Candidate to [lines, units, grams]."""

    def __post_init__(self) -> None:
        block = self.block
        self.first = int(block.line_ptr[self.order])
        self.lines = int(block.line_ptr[self.order + 1]) - self.first
        self.entries: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for candidate in range(block.candidate_ptr[self.order], block.candidate_ptr[self.order + 1]):
            for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
                self.entries[int(block.line[entry])].append((candidate, entry))
        self.served = [0] * self.lines

    def pieces(self) -> list[list[int]]:
        """Groups and single lines that are not served whole, the dearest to leave first."""
        groups: dict[int, list[int]] = defaultdict(list)
        for line in range(self.lines):
            leader = int(self.block.group[self.first + line])
            groups[leader if leader >= 0 else line].append(line)
        waiting = [lines for lines in groups.values() if any(self.left(line) for line in lines)]
        return sorted(waiting, key=lambda lines: (-sum(self.penalty(line) for line in lines), lines))

    def left(self, line: int) -> int:
        """Units of the line not served yet."""
        return int(self.block.quantity[self.first + line]) - self.served[line]

    def penalty(self, line: int) -> int:
        """What leaving the rest of the line costs."""
        return self.left(line) * int(self.block.unserved_minor[self.first + line])

    def missing(self) -> bool:
        """Whether anything is not served."""
        return any(self.left(line) for line in range(self.lines))

    def serve(self, lines: list[int]) -> None:
        """Take the piece where each unit adds least, a free line from several nodes if need be."""
        splittable = len(lines) == 1 and self.block.group[self.first + lines[0]] < 0
        while any(self.left(line) for line in lines):
            offers = [self._offer(lines, candidate, splittable) for candidate, _ in self.entries[lines[0]]]
            best = min(
                (offer for offer in offers if offer), key=lambda offer: (offer[0] / offer[1], offer[2]), default=None
            )
            if best is None:
                return
            self.take(best[3])

    def _offer(
        self, lines: list[int], candidate: int, splittable: bool
    ) -> tuple[int, int, int, list[tuple[int, int]]] | None:
        """(cost saved is negative, units, candidate, what to take); None where it cannot or does not pay."""
        block, node = self.block, int(self.block.node[candidate])
        if candidate not in self.load and len(self.load) >= self.max_nodes:
            return None
        own = {int(block.line[one]): one for one in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1])}
        some: list[tuple[int, int]] = []
        for line in lines:
            entry = own.get(line)
            if entry is None or entry in self.units:
                return None
            units = min(self.left(line), int(self.stock[block.cell[entry]]))
            if units < self.left(line) and not splittable:
                return None
            some.append((entry, units))
        lines_before, units_before, grams_before = self.load.get(candidate, [0, 0, 0])
        room = int(self.capacity[node])
        if splittable:
            entry, units = some[0]
            while units and work_of(block, node, lines_before + 1, units_before + units) > room:
                units -= 1
            some = [(entry, units)]
        added = sum(units for _, units in some)
        if not added or work_of(block, node, lines_before + len(some), units_before + added) > room:
            return None
        grams = sum(int(block.weight_g[self.first + int(block.line[entry])]) * units for entry, units in some)
        before = parcel_price(block, candidate, grams_before) if candidate in self.load else 0
        cost = parcel_price(block, candidate, grams_before + grams) - before
        cost += sum(int(block.unit_minor[entry]) * units for entry, units in some)
        if candidate not in self.load:
            cost += int(block.fixed_minor[candidate]) + (self.split_minor if self.load else 0)
        cost -= sum(int(block.unserved_minor[self.first + int(block.line[entry])]) * units for entry, units in some)
        return (cost, added, candidate, some) if cost < 0 else None

    def take(self, some: list[tuple[int, int]]) -> None:
        """Note these units of these entries."""
        block = self.block
        for entry, units in some:
            candidate = int(np.searchsorted(block.entry_ptr, entry, side="right")) - 1
            line = int(block.line[entry])
            self.units[entry] = self.units.get(entry, 0) + units
            self.served[line] += units
            load = self.load.setdefault(candidate, [0, 0, 0])
            load[0] += 1
            load[1] += units
            load[2] += units * int(block.weight_g[self.first + line])

    def work(self, candidate: int) -> int:
        """What the candidate's node does for the order."""
        lines, units, _ = self.load[candidate]
        return work_of(self.block, int(self.block.node[candidate]), lines, units)
