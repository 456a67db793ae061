"""What prices are worth to orders decided as they arrive: three families of demand, served at prices made from history.

The same exact decision on live stock serves all: at no prices (myopic), at prices of the history as it was, at the mean
prices of sampled futures made once, the same made anew as stock goes, and with perfect foresight. The hindsight bound
is a proven lower bound of today's orders over all nodes. The router decides each order as these passes do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks.families import FAMILIES, family
from benchmarks.harness import Context
from omo_core.allocation import AllocationProblem
from omo_core.allocation.arrays import Ints
from omo_core.allocation.dual import solve_dual
from omo_core.allocation.futures import Futures
from omo_core.allocation.greedy import NO_LIMIT
from omo_core.allocation.kernels import assign_in_turn
from omo_core.allocation.prices import PRICE_PER_MINOR, Prices, no_prices, scaled
from omo_core.allocation.scratch import scratch_for

SIZES: Final = {"smallest": (1_200, 40, 2, 4), "default": (40_000, 200, 8, 20), "all": (40_000, 200, 16, 40)}
"""Orders of both halves, nodes, sampled futures, and how often prices are made."""
CANDIDATES: Final = 24
BOUND_CANDIDATES: Final = 40
SEED_OF_FUTURES: Final = 7

Rule = Callable[[float, Ints, Ints], Prices]
"""Prices for the orders to come when a part has come: (passed, stock left, capacity left)."""


def measure(context: Context) -> None:
    """`realtime_recovered` and, for each family, every rule's cost over the bound."""
    orders, nodes, futures, times = SIZES[context.size]
    recovered = []
    for name in FAMILIES:
        history, today = family(name, seed=context.seed, orders=orders, nodes=nodes)
        problem = today.problem(nodes).with_all_candidates()
        near = solve_dual(today.problem(BOUND_CANDIDATES), iterations=160)
        hindsight = solve_dual(problem, iterations=30, start=near.prices, step=0.02, decay=0.9)
        past = history.problem(CANDIDATES)
        nothing = no_prices(problem.stock.available.size, problem.capacity.size)
        known = solve_dual(past).prices
        paid = {
            "myopic": serve(problem, 1, lambda *_, prices=nothing: prices),
            "history": serve(problem, 1, lambda *_, prices=known: prices),
            "foresight": serve(problem, 1, lambda *_, prices=hindsight.prices: prices),
        }
        sampled = Futures.of(past, futures, np.random.default_rng([SEED_OF_FUTURES, context.seed]))
        once = sampled.prices(0.0, problem.stock.available.astype(np.int64), problem.capacity)
        paid["futures_once"] = serve(problem, 1, lambda *_, prices=once: prices)
        paid["ours"] = serve(problem, times, sampled.prices)
        bound = hindsight.bound_minor
        for rule, cost in paid.items():
            context.figure(f"realtime_{name}_{rule}_over_bound", cost / bound - 1)
            context.runs.append({"label": f"{name}, {rule}", "cost_minor": cost, "bound_minor": bound})
        recovered.append((paid["myopic"] - paid["ours"]) / (paid["myopic"] - bound))
        context.figure(f"realtime_{name}_recovered", recovered[-1])
    context.figure("realtime_recovered", min(recovered))


def serve(problem: AllocationProblem, times: int, rule: Rule) -> int:
    """What the orders cost in turn, in minor units, at prices that are made `times` times at equal distances."""
    bare = scaled(problem.block)
    stock, capacity = problem.stock.available.copy(), problem.capacity.copy()
    taken, scratch = np.zeros(bare.cell.size, dtype=np.int32), scratch_for(problem.policy.max_exact_lines)
    split = problem.policy.per_extra_node_minor * PRICE_PER_MINOR
    fixed, unit = bare.fixed_minor.copy(), bare.unit_minor.copy()
    block = bare._replace(fixed_minor=fixed, unit_minor=unit)
    for turn in range(times):
        first, stop = problem.orders * turn // times, problem.orders * (turn + 1) // times
        prices = rule(turn / times, stock.astype(np.int64), capacity)
        candidates = slice(int(bare.candidate_ptr[first]), int(bare.candidate_ptr[stop]))
        entries = slice(int(bare.entry_ptr[candidates.start]), int(bare.entry_ptr[candidates.stop]))
        fixed[candidates] = bare.fixed_minor[candidates] + prices.node[bare.node[candidates]]
        unit[entries] = bare.unit_minor[entries] + prices.cell[bare.cell[entries]]
        end = assign_in_turn(block, np.arange(stop), first, stock, capacity, split, NO_LIMIT, scratch, taken)
        assert end == stop, "these orders have few lines of single units"
    return _cost_minor(problem, taken)


def _cost_minor(problem: AllocationProblem, taken: Ints) -> int:
    block = problem.block
    entries = np.flatnonzero(taken)
    candidate = np.unique(np.searchsorted(block.entry_ptr, entries, side="right") - 1)
    order = np.searchsorted(block.candidate_ptr, candidate, side="right") - 1
    more_nodes = candidate.size - np.unique(order).size
    cost = block.fixed_minor[candidate].sum() + (block.unit_minor[entries] * taken[entries]).sum()
    missing = int(block.quantity.sum()) - int(taken.sum())
    return int(cost) + missing * problem.policy.unserved_minor + more_nodes * problem.policy.per_extra_node_minor
