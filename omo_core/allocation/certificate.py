"""The certificate: prices of a whole wave whose bound holds over every node of the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from omo_core.allocation.dual import DECAY, ITERATIONS, STEP, Ascender, Dual, bound_of, typical_cost
from omo_core.allocation.node_pricing import WholeNetwork
from omo_core.allocation.order_values import OrderValues
from omo_core.allocation.prices import Prices
from omo_core.allocation.problem import AllocationProblem
from omo_core.model.errors import InvalidInput

BETWEEN_LOOKS: Final = 20
"""Iterations after which all nodes are weighed again."""
LOOKS_MADE_ANEW: Final = 3
"""How often a network is weighed that is too large to be kept from look to look."""


class Certificate(NamedTuple):
    """The problem with the candidates that matter, and prices whose bound no plan over any nodes beats."""

    problem: AllocationProblem
    dual: Dual
    """Its `bound` and `values` are over every node that could serve, candidate or not."""


def solve_dual_over_network(
    problem: AllocationProblem,
    *,
    iterations: int = ITERATIONS,
    start: Prices | None = None,
    step: float = STEP,
    decay: float = DECAY,
    threads: int | None = None,
    stop: Callable[[], bool] | None = None,
) -> Certificate:
    """As `solve_dual`, but every few iterations each order gets the nodes it would use at the prices reached.

    Every node of the network is weighed in the end, so the bound holds over all of them. `stop` is asked after each
    look and ends the ascent with the best so far.
    """
    if iterations < 1:
        raise InvalidInput(f"the dual cannot be solved in {iterations} iterations; give at least 1")
    network = WholeNetwork(problem, threads)
    between = BETWEEN_LOOKS if network.is_kept else max(BETWEEN_LOOKS, -(-iterations // LOOKS_MADE_ANEW))
    best: Dual | None = None
    before: Ascender | None = None
    rate = 0.0
    done = 0
    while done < iterations:
        with OrderValues(problem.block, problem.policy, threads) as orders:
            ascender = Ascender(problem, orders, start)
            if before is None:
                rate = step * typical_cost(orders.block)
            else:
                ascender.go_on_from(before)
            found = ascender.climb(min(between, iterations - done), rate, decay)
        before, rate, done = ascender, rate * decay**found.iterations, done + found.iterations
        look = network.look(problem, found.prices)
        bound = bound_of(problem, found.prices, look.values)
        if best is None or bound > best.bound:
            best = Dual(found.prices, look.values, bound, done)
        problem = look.problem
        if (bound == found.bound and ascender.is_done) or (stop is not None and stop()):
            break
    assert best is not None
    return Certificate(problem, Dual(best.prices, best.values, best.bound, done))
