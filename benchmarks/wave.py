"""How fast and how well a wave of orders is sourced, beside a naive twin and the nearest-node rule most teams write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import peers, wave_solver
from benchmarks.harness import Context
from benchmarks.instance_check import require_sound
from benchmarks.instance_files import check_plan, wave_of
from benchmarks.instances import Instance, draw
from omo_core.allocation import AllocationProblem, solve_greedy, warmup
from omo_core.allocation.block import Block
from omo_core.allocation.greedy import NO_LIMIT
from omo_core.allocation.kernels import Scratch, assign_in_turn, scratch_for
from tests import naive

SIZES = {"smallest": (2_000, 60, 500), "default": (20_000, 200, 5_000), "all": (20_000, 200, 5_000)}
"""Orders, nodes, SKUs; `--all` adds the instance below."""
LARGE = (100_000, 1_000, 20_000)
CANDIDATES = 16


@dataclass
class Run:
    """One pass of the greedy kernel or its twin over a problem; both start from full stock each time."""

    problem: AllocationProblem
    taken: Any = None

    def kernel(self) -> None:
        """Our kernel on arrays."""
        problem, block = self.problem, self.problem.block
        self.taken = np.zeros(block.line.size, dtype=np.int32)
        stock, capacity = problem.stock.available.copy(), problem.capacity.copy()
        scratch = scratch_for(problem.policy.max_exact_lines)
        turn = np.arange(problem.orders)
        end = assign_in_turn(block, turn, 0, stock, capacity, 0, NO_LIMIT, scratch, self.taken)
        assert end == problem.orders, "these instances have short orders of single units only"

    def twin(self, block: Block) -> None:
        """The naive twin on lists, the form in which plain Python is fastest."""
        problem = self.problem
        self.taken = [0] * len(block.line)
        stock, capacity = problem.stock.available.tolist(), problem.capacity.tolist()
        pick = [0] * problem.policy.max_exact_lines
        scratch = Scratch(None, None, None, None, None, None, None, pick, list(pick))
        turn = range(problem.orders)
        naive.assign_in_turn(block, turn, 0, stock, capacity, 0, NO_LIMIT, scratch, self.taken)


def run(context: Context) -> None:
    """The greedy kernel first, then whole waves."""
    warmup()
    parts = {"greedy": greedy, **wave_solver.PARTS[context.size]}
    context.take(parts if context.size != "all" else {**parts, "greedy_large": greedy_large})


def greedy(context: Context) -> None:
    """Time the greedy kernel and its twin on one problem, and compare plans with the nearest-node rule."""
    instance = draw(*SIZES[context.size], seed=context.seed)
    problem = instance.problem(CANDIDATES)
    ours, twin = Run(problem), Run(problem)
    lists = Block(*(column.tolist() for column in problem.block))
    facts = {"orders": problem.orders, "nodes": len(problem.index.nodes), "candidates": int(problem.block.node.size)}
    fast = context.time("greedy kernel", ours.kernel, rounds=20, warmup=2, **facts)
    slow = context.time("naive twin", lambda: twin.twin(lists), rounds=2, warmup=0, **facts)
    assert ours.taken.tolist() == twin.taken, "the twin decided otherwise"
    context.figure("greedy_orders_s", problem.orders / fast.best_s)
    context.figure("greedy_vs_python", slow.best_s / fast.best_s)
    build = context.time("build", lambda: instance.problem(CANDIDATES), rounds=2, warmup=0, **facts)
    context.figure("build_orders_s", problem.orders / build.best_s)
    _compare_costs(context, instance, problem)


def _compare_costs(context: Context, instance: Instance, problem: AllocationProblem) -> None:
    plan, wave = solve_greedy(problem), wave_of(instance)
    assert plan.violations() == []
    require_sound(check_plan(instance, plan, wave))
    nearest = peers.decide("nearest node", wave, peers.nearest_node)
    context.record("nearest node", nearest.cpu_s, orders=nearest.orders, clock="cpu")
    context.figure("greedy_cost_minor", plan.cost_minor)
    context.figure("greedy_unserved_units", int(plan.accounts.missing.sum()))
    context.figure("nearest_node_cost_minor", nearest.cost_minor)
    context.figure("greedy_vs_nearest_cost", plan.cost_minor / nearest.cost_minor)


def greedy_large(context: Context) -> None:
    """The greedy kernel on 100,000 orders."""
    orders, nodes, skus = LARGE
    large = draw(orders, nodes, skus, seed=context.seed)
    problems: list[AllocationProblem] = []
    build = context.time("build, large", lambda: problems.append(large.problem(CANDIDATES)), rounds=1, warmup=0)
    fast = context.time("greedy kernel, large", Run(problems[0]).kernel, rounds=5)
    context.figure("large_build_orders_s", orders / build.best_s)
    context.figure("large_greedy_orders_s", orders / fast.best_s)
