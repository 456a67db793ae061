"""A wave's joint plan is sound, never dearer than greedy's, bounded from below, and the same on any number of threads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import (
    AllocationProblem,
    SourcingPolicy,
    WaveProgress,
    WorkBudget,
    solve_exact,
    solve_greedy,
    solve_wave,
    verify_plan,
    wave,
)
from omo_core.model.errors import InvalidInput
from tests.allocation.cases import Case, network, random_case, store
from tests.allocation.test_special_orders import problem_of, special
from tests.effort import examples

SEEDS = st.integers(0, 2**32)
BUDGET = WorkBudget(iterations=8, trials_per_order=3.0, window_passes=2, window_orders=6, reach=2.0)


def crowded(seed: int, policy: Mapping[str, Any] | None = None) -> Case:
    return random_case(seed, orders=24, nodes=7, skus=5, most_lines=4, most_units=2, stock_units=7, policy=policy)


@pytest.fixture
def no_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small waves take the way of large ones."""
    monkeypatch.setattr(wave, "EXACT_ENTRIES", 0)


def check(case: Case, budget: WorkBudget = BUDGET) -> None:
    problem = case.problem()
    plan, greedy = solve_wave(problem, budget=budget), solve_greedy(problem)
    assert plan.violations() == []
    assert verify_plan(case.network, case.demands, case.stock, case.policy, plan.to_document(), case.capacity) == []
    assert plan.lower_bound_minor is not None
    assert plan.lower_bound_minor <= plan.cost_minor <= greedy.cost_minor
    assert (plan.status == "optimal") == (plan.gap == 0.0)
    assert plan.solver == "wave"
    assert len(plan.methods) == problem.orders


@given(seed=SEEDS)
@settings(max_examples=examples(12), deadline=None)
@pytest.mark.usefixtures("no_exact")
def test_a_plan_is_sound_and_no_dearer_than_greedy(seed: int) -> None:
    check(crowded(seed))
    check(crowded(seed, policy={"max_exact_lines": 2}))


@given(seed=SEEDS)
@settings(max_examples=examples(12), deadline=None)
@pytest.mark.usefixtures("no_exact")
def test_orders_with_rules_keep_them(seed: int) -> None:
    problem = problem_of(*special(seed, orders=14, nodes=6, skus=5, stock_units=6))
    plan = solve_wave(problem, budget=BUDGET)
    assert plan.violations() == []
    assert plan.lower_bound_minor is not None
    assert plan.lower_bound_minor <= plan.cost_minor <= solve_greedy(problem).cost_minor


@given(seed=SEEDS)
@settings(max_examples=examples(8), deadline=None)
def test_a_tiny_wave_is_solved_as_well_as_by_the_exact_model(seed: int) -> None:
    problem = random_case(seed, orders=5, nodes=5, skus=5, stock_units=2).problem()
    plan, exact = solve_wave(problem, budget=BUDGET), solve_exact(problem)
    assert exact.lower_bound_minor is not None
    assert exact.lower_bound_minor <= plan.cost_minor <= exact.cost_minor
    assert plan.status == exact.status == "optimal"


@given(seed=SEEDS)
@settings(max_examples=examples(6), deadline=None)
@pytest.mark.usefixtures("no_exact")
def test_prices_and_exchanges_come_near_the_exact_model(seed: int) -> None:
    case = random_case(seed, orders=14, nodes=6, most_lines=3, most_units=1, policy={"unserved_minor": 2_500})
    problem = case.problem()
    plan, exact = solve_wave(problem, budget=BUDGET), solve_exact(problem)
    assert plan.lower_bound_minor is not None
    assert exact.lower_bound_minor is not None
    assert plan.lower_bound_minor <= exact.cost_minor
    assert exact.lower_bound_minor <= plan.cost_minor <= exact.cost_minor * 1.1


@pytest.mark.parametrize("seed", [1, 7])
@pytest.mark.usefixtures("no_exact")
def test_threads_do_not_show(seed: int) -> None:
    problem = crowded(seed).problem()
    plans = [solve_wave(problem, budget=BUDGET, threads=threads) for threads in (1, 2, 3)]
    assert plans[0].cost_minor < solve_greedy(problem).cost_minor
    for plan in plans[1:]:
        assert np.array_equal(plan.taken, plans[0].taken)
        assert plan.to_document() == plans[0].to_document()


@pytest.mark.usefixtures("no_exact")
def test_a_wave_of_one_window_is_shaken_up_and_searched_again_while_that_helps() -> None:
    problem = crowded(4).problem()
    stages: dict[int, list[str]] = {}
    costs = {}
    for passes in (1, 6):
        steps: list[WaveProgress] = []
        budget = BUDGET.model_copy(update={"window_passes": passes, "window_orders": 1_000})
        costs[passes] = solve_wave(problem, budget=budget, progress=steps.append).cost_minor
        stages[passes] = [one.stage for one in steps]
    assert "shakes" not in stages[1]
    assert 1 <= stages[6].count("shakes") // 2 < 6, "it ends when a shaken plan is no better"
    assert costs[6] <= costs[1]


@pytest.mark.usefixtures("no_exact")
def test_a_search_ends_with_the_piece_that_proves_the_gap_asked_for() -> None:
    problem = crowded(4).problem()
    every: list[WaveProgress] = []
    last = solve_wave(problem, budget=BUDGET, progress=every.append)
    reached = next(at for at, one in enumerate(every) if one.stage == "chains")
    assert last.cost_minor < every[reached].cost_minor, "there was more to find"
    gap_ppm = math.ceil(1_000_000 * (every[reached].gap or 0.0))
    budget = BUDGET.model_copy(update={"gap_ppm": gap_ppm})
    for threads in (1, 2):
        steps: list[WaveProgress] = []
        plan = solve_wave(problem, budget=budget, threads=threads, progress=steps.append)
        assert [(one.stage, one.cost_minor) for one in steps] == [
            (one.stage, one.cost_minor) for one in every[: reached + 1]
        ]
        assert plan.cost_minor == every[reached].cost_minor
        assert plan.gap is not None
        assert plan.gap <= gap_ppm / 1_000_000
        assert plan.violations() == []


@pytest.mark.usefixtures("no_exact")
def test_nothing_is_searched_for_once_nothing_better_can_be() -> None:
    """One store, one order: the first plan is the best, and the prices prove it."""
    case = random_case(3, orders=1, nodes=1, skus=1, most_lines=1, limited=False)
    steps: list[WaveProgress] = []
    plan = solve_wave(case.problem(), budget=BUDGET, progress=steps.append)
    assert ([one.stage for one in steps], plan.status, plan.gap) == (["greedy", "prices"], "optimal", 0.0)


@pytest.mark.usefixtures("no_exact")
def test_cancelling_after_any_piece_gives_the_best_plan_so_far() -> None:
    case = crowded(4, policy={"max_exact_lines": 2})
    problem = case.problem()
    steps: list[WaveProgress] = []
    solve_wave(problem, budget=BUDGET, progress=steps.append)
    assert {"greedy", "prices", "plan", "moves", "chains", "ruin", "windows", "splits"} == {one.stage for one in steps}
    costs = [one.cost_minor for one in steps]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0]
    for stop_after in {one.stage: number for number, one in enumerate(steps, 1)}.values():
        seen: list[WaveProgress] = []

        def is_enough(seen: list[WaveProgress] = seen, most: int = stop_after) -> bool:
            return len(seen) >= most

        plan = solve_wave(problem, budget=BUDGET, progress=seen.append, cancel=is_enough)
        assert len(seen) == stop_after
        assert plan.cost_minor == seen[-1].cost_minor == costs[stop_after - 1]
        assert plan.violations() == []


@pytest.mark.usefixtures("no_exact")
def test_without_time_the_plan_is_greedys() -> None:
    problem = crowded(3).problem()
    plan = solve_wave(problem, deadline=timedelta(0))
    assert np.array_equal(plan.taken, solve_greedy(problem).taken)
    assert (plan.status, plan.lower_bound_minor) == ("heuristic", None)


@pytest.mark.usefixtures("no_exact")
def test_the_deadline_is_looked_at_between_pieces() -> None:
    """On a clock that goes on a second a look, eight seconds are no more than eight looks."""
    problem, ticks = crowded(3).problem(), iter(range(10_000))
    seen: list[WaveProgress] = []
    solve_wave(
        problem,
        budget=BUDGET,
        deadline=timedelta(seconds=8),
        progress=seen.append,
        monotonic=lambda: float(next(ticks)),
    )
    assert 1 < len(seen) < 8


def test_progress_tells_the_gap() -> None:
    step = WaveProgress("ruin", 1_000, 990, 0.5)
    assert step.gap == 0.01
    assert WaveProgress("greedy", 1_000, None, 0.5).gap is None


def test_an_empty_wave_and_one_without_stock() -> None:
    nothing = AllocationProblem.build(network(store("N")), [], [], SourcingPolicy())
    assert solve_wave(nothing).cost_minor == 0
    case = crowded(5).but(stock=())
    plan = solve_wave(case.problem())
    assert plan.gap == 0.0
    assert not plan.taken.any()


def test_no_threads_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 1"):
        solve_wave(crowded(3).problem(), threads=0)


@pytest.mark.parametrize("budget", [WorkBudget.quick(), WorkBudget.standard(), WorkBudget.thorough()])
@pytest.mark.usefixtures("no_exact")
def test_every_preset_gives_a_sound_plan(budget: WorkBudget) -> None:
    check(crowded(11), budget)
