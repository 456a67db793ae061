"""Solving as the policy says: the solver it names, within the work it allows."""

from __future__ import annotations

from omo_core.allocation.exact import MAX_ENTRIES, solve_exact
from omo_core.allocation.greedy import solve_greedy
from omo_core.allocation.plan import Plan
from omo_core.allocation.problem import AllocationProblem


def solve(problem: AllocationProblem) -> Plan:
    """Decide the wave by its policy's solver; greedily where it names none, or where the wave is too large for it."""
    choice = problem.policy.solver
    if choice is None or choice.method == "greedy" or problem.block.line.size > MAX_ENTRIES:
        return solve_greedy(problem)
    whole = problem.with_all_candidates()
    if whole.block.line.size > MAX_ENTRIES:
        return solve_greedy(problem)
    return solve_exact(whole, search_nodes=choice.search_nodes)
