"""Greedy sourcing: each order in turn as cheaply as the stock and capacity left by its predecessors allow."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Ints
from omo_core.allocation.chunks import ranges
from omo_core.allocation.kernels import assign_in_turn, scratch_for
from omo_core.allocation.long_orders import search_of
from omo_core.allocation.plan import Plan
from omo_core.allocation.problem import AllocationProblem
from omo_core.allocation.ruled_orders import serve_ruled_order
from omo_core.allocation.search_kernels import serve_long_order

NO_LIMIT: Final = 1 << 40
WIDER: Final = 4
"""How many times as many candidates by score an order gets that was left short."""
FEW: Final = 64
"""What is left at more nodes than these is found among more candidates by score: naming all would take memory."""


def solve_greedy(problem: AllocationProblem) -> Plan:
    """Decide the orders one after another in the order of the demands (the caller's order of arrival).

    Orders up to `policy.max_exact_lines` are solved exactly on live stock over their candidates, longer ones, and
    those with a line that no one node holds whole, by the open-set heuristic. An order that is left short while some
    node beyond its candidates still has what it lacks gets more candidates, such nodes among them if they are few, and
    the wave is decided again.
    """
    while True:
        taken, methods = run_in_turn(problem)
        short, order, node = _left_short(problem, taken)
        if not short.size:
            break
        limit = problem.limits
        limit[short] = np.minimum(WIDER * np.maximum(limit[short], 1), len(problem.index.nodes))
        problem = problem.with_nodes(order, node, limit)
    return Plan(problem, taken, tuple(methods), solver="greedy", status="heuristic")


def run_in_turn(problem: AllocationProblem) -> tuple[NDArray[np.int32], list[str]]:
    """One pass over the orders: units taken (int32[entries]) and how each order was solved."""
    block, policy = problem.block, problem.policy
    taken = np.zeros(block.line.size, dtype=np.int32)
    stock, capacity = problem.stock.available.copy(), problem.capacity.copy()
    scratch, turn = scratch_for(policy.max_exact_lines), np.arange(problem.orders)
    limits = policy.per_extra_node_minor, NO_LIMIT if policy.max_nodes is None else policy.max_nodes
    methods = ["exact"] * problem.orders
    at = assign_in_turn(block, turn, 0, stock, capacity, *limits, scratch, taken)
    while at < problem.orders:
        lines = int(block.line_ptr[at + 1] - block.line_ptr[at])
        is_short = lines <= policy.max_exact_lines
        if block.ruled[at]:
            picks = scratch.pick[: lines * is_short]
            serve_ruled_order(block, at, picks, stock, capacity, *limits, taken)
            methods[at] = "columns"
            at = assign_in_turn(block, turn, at + 1, stock, capacity, *limits, scratch, taken)
            continue
        search = search_of(block, at, scratch.picked_from[: lines * is_short], stock, capacity)
        serve_long_order(block, at, search, *limits, is_short, stock, capacity, taken)
        methods[at] = "columns"
        at = assign_in_turn(block, turn, at + 1, stock, capacity, *limits, scratch, taken)
    return taken, methods


def _left_short(problem: AllocationProblem, taken: NDArray[np.int32]) -> tuple[Ints, Ints, Ints]:
    """Orders left short of a SKU that has units left somewhere, while not all nodes are their candidates; and pairs of
    them and the nodes that have those units, where they are few."""
    missing, left = what_is_left(problem, taken)
    full = np.flatnonzero(left > 0)
    ptr = np.searchsorted(full, problem.stock.holder_ptr)
    order_of_line = np.repeat(np.arange(problem.orders), np.diff(problem.block.line_ptr))
    line = np.flatnonzero((missing > 0) & ~problem.complete[order_of_line])
    first, stop = ptr[problem.columns.sku[line]], ptr[problem.columns.sku[line] + 1]
    short = np.unique(order_of_line[line[stop > first]])
    few = (stop > first) & (stop - first <= FEW)
    cells = full[ranges(first[few], stop[few])]
    order = np.repeat(order_of_line[line[few]], (stop - first)[few])
    return short, order, problem.stock.node[cells].astype(np.int64)


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
