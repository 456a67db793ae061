"""Explanations: why these nodes, what the runner-ups would have cost or which rule kept them out, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.accounts import Accounts, shipment_terms
from omo_core.allocation.arrays import Ints
from omo_core.allocation.candidate_kernels import NO_DISTANCE
from omo_core.allocation.explain_kernels import IN_USE, weigh_alternatives
from omo_core.allocation.greedy import what_is_left
from omo_core.allocation.outsiders import Outsiders
from omo_core.allocation.plan import Assignment, LineShortfall, OrderPlan, RunnerUp
from omo_core.allocation.prices import PRICE_PER_MINOR, Prices
from omo_core.allocation.problem import AllocationProblem
from omo_core.model.refusals import Refusal
from omo_core.model.values import format_minor

if TYPE_CHECKING:
    from omo_core.allocation.plan import Plan

_format = lru_cache(maxsize=4_096)(format_minor)
"""Decimal texts of amounts; a policy has few prices."""

SHOWN_RUNNER_UPS: Final = 3
"""Runner-ups with a price named for each order; as many nodes that a rule kept out follow."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The units one node serves of one order."""

    candidate: int
    entries: range
    """Positions in `Accounts.filled`."""
    used: int
    """Position in `Accounts.used`."""


@dataclass(frozen=True)
class Words:
    """Everything the sentences of a plan need, gathered once for all its orders.

    What is looked at number by number is kept in lists: taking one number out of an array is slow.
    """

    plan: Plan
    accounts: Accounts
    left: NDArray[np.int32]
    """int32[entries]: units each order found there when its turn came."""
    instead_of: list[int]
    extra_minor: list[int]
    outsiders: Outsiders
    _skus: tuple[str, ...]
    _nodes: list[int] = field(repr=False)
    _fixed_minor: list[int] = field(repr=False)
    _shipment_minor: list[int] = field(repr=False)
    _candidate_ptr: list[int] = field(repr=False)
    _line_ptr: list[int] = field(repr=False)
    _entry_ends: list[int] = field(repr=False)
    _used_ends: list[int] = field(repr=False)

    @classmethod
    def of(cls, plan: Plan) -> Words:
        """Replay the plan and remember what each order found."""
        problem, block = plan.problem, plan.problem.block
        joint = plan.solver not in {"greedy", "router"}
        stock, capacity = problem.stock.available.copy(), problem.capacity.copy()
        if joint:
            stock = what_is_left(problem, plan.taken)[1].astype(np.int32)
            np.subtract.at(capacity, block.node[plan.accounts.used], 1)
        left = np.zeros(block.line.size, dtype=np.int32)
        instead_of, extra = np.zeros(block.node.size, dtype=np.int64), np.zeros(block.node.size, dtype=np.int64)
        turn = np.arange(problem.orders)
        weigh_alternatives(block, turn, stock, capacity, plan.taken, joint, left, instead_of, extra)
        return cls(
            plan=plan,
            accounts=plan.accounts,
            left=left,
            instead_of=instead_of.tolist(),
            extra_minor=extra.tolist(),
            outsiders=Outsiders(problem),
            _skus=tuple(problem.stock.sku[i] for i in problem.columns.sku.tolist()),
            _nodes=block.node.tolist(),
            _fixed_minor=block.fixed_minor.tolist(),
            _shipment_minor=plan.accounts.fixed.sum(axis=0).tolist(),
            _candidate_ptr=block.candidate_ptr.tolist(),
            _line_ptr=block.line_ptr.tolist(),
            _entry_ends=np.searchsorted(plan.accounts.filled, block.entry_ptr).tolist(),
            _used_ends=np.searchsorted(plan.accounts.used, block.candidate_ptr).tolist(),
        )

    def order_plan(self, order: int) -> OrderPlan:
        """The decision about one order (a row of the problem) in words."""
        runner_ups = tuple(self._runner_ups(order))
        accounts = self.accounts
        cost = {
            name: amount
            for name, amount in zip(accounts.names, accounts.by_order[:, order].tolist(), strict=True)
            if amount
        }
        assignments, missing = self._assignments(order, runner_ups)
        return OrderPlan(
            order=self.problem.columns.order[order],
            method=self.plan.methods[order],
            assignments=assignments,
            shortfalls=tuple(self._shortfalls(order, missing)),
            cost_by_term=cost,
            runner_ups=runner_ups,
        )

    @property
    def problem(self) -> AllocationProblem:
        """The problem the plan solves."""
        return self.plan.problem

    def _groups(self, order: int) -> Iterator[_Group]:
        low, high = self._used_ends[order : order + 2]
        for at, candidate in enumerate(self.accounts.used[low:high].tolist(), start=low):
            yield _Group(candidate, range(*self._entry_ends[candidate : candidate + 2]), at)

    def _assignments(
        self, order: int, runner_ups: tuple[RunnerUp, ...]
    ) -> tuple[tuple[Assignment, ...], dict[tuple[str, str], tuple[int, int]]]:
        """Assignments in the order of nodes and lines, and (missing, wanted) of each line not wholly served."""
        block, accounts = self.problem.block, self.accounts
        open_units = self._demanded(order)
        made: list[Assignment] = []
        for group in self._groups(order):
            node, why = self._node(group.candidate), self._why(order, group, runner_ups)
            pieces: list[tuple[str, str, int, int]] = []
            entries = accounts.filled[group.entries.start : group.entries.stop]
            columns = block.line[entries], block.unit_minor[entries], self.plan.taken[entries]
            for line, unit, units in zip(*(column.tolist() for column in columns), strict=True):
                left = units
                for piece in open_units[line]:
                    take = min(left, piece[1])
                    if take:
                        pieces.append((piece[0], self._sku(order, line), take, take * unit))
                        piece[1] -= take
                        left -= take
            share, odd = divmod(self._shipment_minor[group.used], len(pieces))
            made += [
                Assignment(name, sku, node, units, why, cost + share + (i < odd))
                for i, (name, sku, units, cost) in enumerate(pieces)
            ]
        missing = {
            (str(piece[0]), self._sku(order, line)): (piece[1], piece[2])
            for line, pieces_left in enumerate(open_units)
            for piece in pieces_left
            if piece[1]
        }
        return tuple(made), missing

    def _demanded(self, order: int) -> list[list[list]]:  # type: ignore[type-arg]
        """For each row of the order its demand lines as [line, units still open, units wanted]."""
        block = self.problem.block
        first, stop = self._line_ptr[order : order + 2]
        if not self.problem.demands:
            return [
                [[str(row - first + 1), int(block.quantity[row]), int(block.quantity[row])]]
                for row in range(first, stop)
            ]
        by_sku: dict[str, list[list]] = {}  # type: ignore[type-arg]
        for line in self.problem.demands[order].lines:
            by_sku.setdefault(line.sku, []).append([line.line, line.quantity, line.quantity])
        return list(by_sku.values())

    def _why(self, order: int, group: _Group, runner_ups: tuple[RunnerUp, ...]) -> str:
        accounts = self.accounts
        rows = self._line_ptr[order + 1] - self._line_ptr[order]
        served = len(group.entries)
        has = "the line" if rows == 1 else f"all {rows} lines" if served == rows else f"{served} of {rows} lines"
        units = accounts.units[:, group.entries.start : group.entries.stop].sum(axis=1)
        amounts = (accounts.fixed[:, group.used] + units).tolist()
        terms = " + ".join(
            f"{name} {self._money(amount)}" for name, amount in zip(accounts.names, amounts, strict=False) if amount
        )
        node = self._node(group.candidate)
        rival = next((one for one in runner_ups if one.instead_of == node), None)
        if rival is None:
            compared = "no other node could take this over"
        else:
            compared = f"next best {rival.node} {rival.why.partition(': ')[2]}"
        return f"{node} has {has}, {self._distance(group.candidate)}: {terms or 'free'}; {compared}"

    def _runner_ups(self, order: int) -> Iterator[RunnerUp]:
        # Sorting keeps candidates of one price in their order.
        candidates = range(*self._candidate_ptr[order : order + 2])
        able = [one for one in candidates if self.instead_of[one] >= 0]
        prices = self.plan.prices
        rank = self.extra_minor.__getitem__ if prices is None else partial(self._extra_with_prices, prices)
        for one in sorted(able, key=rank)[:SHOWN_RUNNER_UPS]:
            yield self._able(one)
        unable = [one for one in candidates if self.instead_of[one] < 0 and self.instead_of[one] != IN_USE]
        for one in sorted(unable, key=self._fixed_minor.__getitem__)[:SHOWN_RUNNER_UPS]:
            yield self._unable(order, one)
        for node, rule, sentence in self.outsiders.of_order(order, SHOWN_RUNNER_UPS):
            yield RunnerUp(node, None, None, rule, f"{node} {sentence}")

    def _able(self, candidate: int) -> RunnerUp:
        used = self.instead_of[candidate]
        node, other, extra = self._node(candidate), self._node(used), self.extra_minor[candidate]
        found = RunnerUp(node, other, extra, None, f"{node} instead of {other}: {self._compared(candidate)}")
        object.__setattr__(found, "_compare", partial(self._terms_of_both, candidate, used))
        return found

    def _terms_of_both(self, candidate: int, used: int) -> tuple[dict[str, int], dict[str, int]]:
        """Cost by term of what `used` sends, from the candidate and from itself."""
        entries, units = self._sent(used)
        instead = shipment_terms(self.problem, used, entries, units)
        return shipment_terms(self.problem, candidate, self._same_lines(candidate, entries), units), instead

    def _sent(self, used: int) -> tuple[Ints, Ints]:
        """The entries that a used candidate serves from, and their units."""
        block = self.problem.block
        own = np.arange(block.entry_ptr[used], block.entry_ptr[used + 1])
        entries = own[self.plan.taken[own] > 0]
        return entries, self.plan.taken[entries].astype(np.int64)

    def _same_lines(self, candidate: int, entries: Ints) -> Ints:
        """The candidate's entries for the lines of another's."""
        block = self.problem.block
        first, stop = block.entry_ptr[candidate : candidate + 2]
        of_line = {int(line): entry for entry, line in enumerate(block.line[first:stop].tolist(), start=int(first))}
        return np.array([of_line[int(line)] for line in block.line[entries]], dtype=np.int64)

    def _scarcity(self, prices: Prices, candidate: int) -> tuple[int, int]:
        """What the units would be worth to others, at the candidate and at the node it would replace; 1/64 minor units."""
        block, used = self.problem.block, self.instead_of[candidate]
        entries, units = self._sent(used)
        there = prices.cell[block.cell[self._same_lines(candidate, entries)]]
        here = prices.cell[block.cell[entries]]
        nodes = prices.node[block.node[[candidate, used]]].tolist()
        return int((there * units).sum()) + nodes[0], int((here * units).sum()) + nodes[1]

    def _extra_with_prices(self, prices: Prices, candidate: int) -> int:
        """By how much the candidate is dearer once scarce units and places are paid for; 1/64 minor units."""
        there, here = self._scarcity(prices, candidate)
        return self.extra_minor[candidate] * PRICE_PER_MINOR + there - here

    def _compared(self, candidate: int) -> str:
        """How much dearer a candidate is, and what it is once scarce units and places are paid for."""
        plain = self._dearer(self.extra_minor[candidate])
        prices = self.plan.prices
        there, here = (0, 0) if prices is None else self._scarcity(prices, candidate)
        if there == here or prices is None:
            return plain
        whole = self._dearer(_whole(self._extra_with_prices(prices, candidate)))
        paid = f"once the price of its last units ({self._money(_whole(there))}) is paid"
        saved = f" and that of {self._node(self.instead_of[candidate])} ({self._money(_whole(here))}) is saved"
        return f"{whole} {paid}{saved if here else ''} ({plain} without)"

    def _unable(self, order: int, candidate: int) -> RunnerUp:
        block, node = self.problem.block, self._node(candidate)
        first, stop = self._line_ptr[order : order + 2]
        rows = stop - first
        entries = slice(*block.entry_ptr[candidate : candidate + 2])
        has = np.count_nonzero(self.left[entries] >= block.quantity[first:stop][block.line[entries]])
        return RunnerUp(node, None, None, "units_short", f"{node} had too few units: {has} of {rows} lines whole")

    def _shortfalls(self, order: int, missing: dict[tuple[str, str], tuple[int, int]]) -> Iterator[LineShortfall]:
        for (line, sku), (units, wanted) in missing.items():
            code, detail = self._why_short(order, sku)
            sentence = Refusal.of(code, sku=sku, missing=units, wanted=wanted).sentence
            yield LineShortfall(line, sku, units, code, f"{sentence} {detail}".strip(), wanted)

    def _why_short(self, order: int, sku: str) -> tuple[str, str]:
        """The code and the details of why a line of this SKU is short."""
        kept_out = self.outsiders.against_sku(order, sku)
        if kept_out is None:
            return "no_stock", ""
        block = self.problem.block
        first = self._line_ptr[order]
        position = next(i for i in range(len(self._skus) - first) if self._skus[first + i] == sku)
        entries = [
            entry
            for entry in range(
                block.entry_ptr[block.candidate_ptr[order]], block.entry_ptr[block.candidate_ptr[order + 1]]
            )
            if block.line[entry] == position
        ]
        if not entries:
            counted = ", ".join(f"{rule}: {count}" for rule, count in sorted(Counter(kept_out).items()))
            return "no_eligible_node", f"Nodes that hold it, by what keeps them out: {counted}."
        untouched = [entry for entry in entries if self.left[entry] > self.plan.taken[entry]]
        if not untouched:
            return "sold_out", ""
        limit = self.problem.policy.max_nodes
        if limit is not None and sum(1 for _ in self._groups(order)) >= limit:
            return "node_limit", f"The policy allows {limit} nodes."
        return "too_dear", ""

    def _sku(self, order: int, line: int) -> str:
        return self._skus[self._line_ptr[order] + line]

    def _node(self, candidate: int) -> str:
        return self.problem.index.nodes[self._nodes[candidate]].node

    def _distance(self, candidate: int) -> str:
        metres = int(self.problem.measured_m[candidate])
        return "distance unknown" if metres == NO_DISTANCE else f"{metres / 1000:.1f} km away"

    def _money(self, minor: int) -> str:
        return _format(minor, self.plan.currency)

    def _dearer(self, extra_minor: int) -> str:
        if extra_minor == 0:
            return "at the same cost"
        return f"{self._money(abs(extra_minor))} {'dearer' if extra_minor > 0 else 'cheaper'}"


def _whole(amount: int) -> int:
    """Whole minor units of 1/64, halves up."""
    return (2 * amount + PRICE_PER_MINOR) // (2 * PRICE_PER_MINOR)
