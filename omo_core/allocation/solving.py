"""Solving as the policy says: the solver it names, within the work it allows."""

from __future__ import annotations

from typing import Final

from omo_core.allocation.exact import MAX_ENTRIES, solve_exact
from omo_core.allocation.greedy import solve_greedy
from omo_core.allocation.plan import Plan
from omo_core.allocation.policy_parts import SolverChoice
from omo_core.allocation.problem import AllocationProblem
from omo_core.allocation.wave import solve_wave

ORDERS_PER_THREAD: Final = 1_000
"""With fewer orders a thread costs more than it saves."""


def solve(problem: AllocationProblem) -> Plan:
    """Decide the wave by its policy's solver; greedily where it names none, or where the wave is too large for it."""
    choice = problem.policy.solver
    if choice is None or choice.method == "greedy":
        return solve_greedy(problem)
    return solve_jointly(problem) if choice.method == "wave" else _solve_exact(problem, choice.search_nodes)


def solve_jointly(problem: AllocationProblem) -> Plan:
    """Decide the wave by `solve_wave`, within the work that its policy allows, whichever solver that names."""
    choice = problem.policy.solver or SolverChoice()
    return solve_wave(problem, budget=choice.work, threads=None if problem.orders > ORDERS_PER_THREAD else 1)


def _solve_exact(problem: AllocationProblem, search_nodes: int) -> Plan:
    if problem.block.line.size > MAX_ENTRIES:
        return solve_greedy(problem)
    whole = problem.with_all_candidates()
    if whole.block.line.size > MAX_ENTRIES:
        return solve_greedy(problem)
    return solve_exact(whole, search_nodes=search_nodes)
