"""Outsiders: nodes that hold what an order wants, and what keeps them from its candidates."""

from __future__ import annotations

import numpy as np

from omo_core.allocation.arrays import Ints
from omo_core.allocation.chunks import run_length
from omo_core.allocation.eligibility import first_rule_against
from omo_core.allocation.pairs import block_of_pairs
from omo_core.allocation.problem import AllocationProblem

NO_CAPACITY = "no_capacity"


class Outsiders:
    """Rules and distances of all pairs, worked out a run of orders at a time when one of them is asked for."""

    def __init__(self, problem: AllocationProblem) -> None:
        self._problem = problem
        self._length = run_length(problem)
        self._first = -1
        self._against: Ints
        self._distance: Ints
        self._sku = {sku: i for i, sku in enumerate(problem.stock.sku)}

    def of_order(self, order: int, most: int) -> list[tuple[str, str, str]]:
        """(node, rule, sentence) of the nearest nodes that hold something of the order but may not serve it."""
        problem = self._problem
        against, distance = self._row(order)
        skus = problem.columns.sku[problem.columns.line_ptr[order] : problem.columns.line_ptr[order + 1]]
        against = self._with_items(skus, against)
        kept_out = (against >= 0) | (problem.capacity <= 0)
        if not kept_out.any():
            return []
        holds = np.zeros(against.size, dtype=np.bool_)
        for sku in skus.tolist():
            holds[self._holders(sku)] = True
        out = np.flatnonzero(holds & kept_out)
        nearest = out[np.argsort(distance[out], kind="stable")][:most]
        return [(problem.index.nodes[node].node, *self._words(int(against[node]))) for node in nearest.tolist()]

    def against_sku(self, order: int, sku: str) -> list[str] | None:
        """What keeps each holder of the SKU out of the order's candidates; None when no node holds it."""
        position = self._sku[sku]
        holders = self._holders(position)
        if not holders.size:
            return None
        against = self._with_items(np.array([position]), self._row(order)[0])
        return [
            self._words(int(against[node]))[0] for node in holders if against[node] >= 0 or self._is_full(int(node))
        ]

    def _words(self, rule: int) -> tuple[str, str]:
        if rule < 0:
            return NO_CAPACITY, "has no capacity left"
        return self._problem.rules[rule].name, self._problem.rules[rule].sentence

    def _is_full(self, node: int) -> bool:
        return bool(self._problem.capacity[node] <= 0)

    def _holders(self, sku: int) -> Ints:
        """Nodes that hold units of the item, whether they may be taken or not."""
        stock = self._problem.stock
        cells = slice(stock.holder_ptr[sku], stock.holder_ptr[sku + 1])
        return stock.node[cells][stock.held[cells] > 0].astype(np.int64)

    def _with_items(self, skus: Ints, against: Ints) -> Ints:
        """`against`, and the rule that keeps back all that a node holds of these items where no other forbids it."""
        stock = self._problem.stock
        if stock.withheld_by is None:
            return against
        rule = np.full(against.size, -1, dtype=np.int64)
        free = np.zeros(against.size, dtype=np.bool_)
        for sku in skus.tolist():
            cells = slice(stock.holder_ptr[sku], stock.holder_ptr[sku + 1])
            rule[stock.node[cells]] = np.maximum(rule[stock.node[cells]], stock.withheld_by[cells])
            free[stock.node[cells][stock.available[cells] > 0]] = True
        return np.where((against < 0) & ~free, rule, against)

    def _row(self, order: int) -> tuple[Ints, Ints]:
        first = order - order % self._length
        if first != self._first:
            problem = self._problem
            stop = min(first + self._length, problem.orders)
            pairs = block_of_pairs(problem.index, problem.columns, first, stop, problem.policy.unknown_distance_m)
            self._against = first_rule_against(problem.rules, pairs).astype(np.int64)
            self._distance = pairs.distance_m
            self._first = first
        return self._against[order - first], self._distance[order - first]
