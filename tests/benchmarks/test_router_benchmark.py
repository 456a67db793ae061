"""The router's benchmark: its smallest run has every figure, and its passes decide as the router does."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import router_realtime, router_speed
from benchmarks.families import family
from benchmarks.harness import Context
from omo_core.allocation import solve_greedy
from omo_core.allocation.prices import no_prices

pytestmark = pytest.mark.slow


def test_the_smallest_runs_have_every_figure() -> None:
    context = Context("router", "smallest")
    router_speed.measure(context)
    router_realtime.measure(context)
    assert {"router_p50_vs_python", "router_p99_vs_python", "realtime_recovered"} <= context.figures.keys()
    assert all(context.figures[f"realtime_{name}_foresight_over_bound"] >= 0 for name in ("scarce", "even", "tail"))


def test_passes_without_prices_cost_what_the_greedy_plan_costs() -> None:
    _, today = family("scarce", seed=2, orders=400, nodes=20)
    problem = today.problem(20).with_all_candidates()
    nothing = no_prices(problem.stock.available.size, problem.capacity.size)
    costs = [router_realtime.serve(problem, times, lambda *_: nothing) for times in (1, 3)]
    assert costs == [solve_greedy(problem).cost_minor] * 2


def test_the_python_rule_takes_the_nearest_node_that_has_all() -> None:
    rule = router_speed.NearestInPython({("A", 0): 1, ("A", 1): 1, ("B", 1): 2}, [5, 5, 5])
    assert rule.decide(["A", "B"], [10, 20, 5]) == [1, 1]
    assert rule.decide(["A", "B"], [10, 20, 5]) == [0, 1]
    assert rule.decide(["A"], [10, 20, 5]) == [-1]
    assert rule.capacity == [4, 3, 5]
    assert np.sum(list(rule.stock.values())) == 0
