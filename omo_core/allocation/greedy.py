"""Greedy sourcing: each order in turn as cheaply as the stock and capacity left by its predecessors allow."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.kernels import COLUMNS, assign_in_turn
from omo_core.allocation.plan import Plan
from omo_core.allocation.problem import AllocationProblem

NO_LIMIT: Final = 1 << 40


def solve_greedy(problem: AllocationProblem) -> Plan:
    """Decide the orders one after another in the order of the demands (the caller's order of arrival).

    Orders up to `policy.max_exact_lines` are solved exactly on live stock over their candidates, longer ones, and
    those with a line that no one node holds whole, by the open-set heuristic. An order that is left short while some
    node beyond its candidates still has what it lacks gets all nodes as candidates, and the wave is decided again.
    """
    while True:
        taken, method = run_in_turn(problem)
        widened = _orders_to_widen(problem, taken)
        if not widened.any():
            break
        limits = np.where(widened | problem.complete, len(problem.index.nodes), problem.policy.candidates)
        problem = problem.with_candidates(limits)
    names = np.where(method == COLUMNS, "columns", "exact")
    return Plan(problem, taken, tuple(names.tolist()), solver="greedy", status="heuristic")


def run_in_turn(problem: AllocationProblem) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """One pass over the orders: units taken (int32[entries]) and each order's method (int8[orders])."""
    taken = np.zeros(problem.block.line.size, dtype=np.int32)
    method = np.zeros(problem.orders, dtype=np.int8)
    policy = problem.policy
    assign_in_turn(
        problem.block,
        np.arange(problem.orders),
        problem.stock.available.copy(),
        problem.capacity.copy(),
        policy.per_extra_node_minor,
        NO_LIMIT if policy.max_nodes is None else policy.max_nodes,
        policy.max_exact_lines,
        taken,
        method,
    )
    return taken, method


def _orders_to_widen(problem: AllocationProblem, taken: NDArray[np.int32]) -> Flags:
    """Orders left short of a SKU that has units left somewhere, while not all nodes are their candidates."""
    missing, left = what_is_left(problem, taken)
    left_of_sku = np.add.reduceat(np.append(left, 0), problem.stock.holder_ptr[:-1]) if left.size else left
    left_of_sku = np.where(np.diff(problem.stock.holder_ptr) > 0, left_of_sku, 0)
    short = np.flatnonzero((missing > 0) & (left_of_sku[problem.columns.sku] > 0))
    widened = np.zeros(problem.orders, dtype=np.bool_)
    widened[np.searchsorted(problem.block.line_ptr, short, side="right") - 1] = True
    return widened & ~problem.complete


def what_is_left(problem: AllocationProblem, taken: NDArray[np.int32]) -> tuple[Ints, Ints]:
    """Units missing (int64[lines]) and units left in stock (int64[cells]) once `taken` is taken."""
    block = problem.block
    filled = np.flatnonzero(taken)
    candidate = np.searchsorted(block.entry_ptr, filled, side="right") - 1
    order = np.searchsorted(block.candidate_ptr, candidate, side="right") - 1
    missing = block.quantity.astype(np.int64)
    np.subtract.at(missing, block.line_ptr[order] + block.line[filled], taken[filled])
    left = problem.stock.available.astype(np.int64)
    np.subtract.at(left, block.cell[filled], taken[filled])
    return missing, left
