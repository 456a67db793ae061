"""The integer model as oracle: the greedy kernel is exact for one order, and never better than the optimum for a wave."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings, strategies as st

from omo_core.allocation import AllocationProblem, SourcingPolicy, exact as exact_module, solve_exact, solve_greedy
from omo_core.model.errors import InvalidInput
from tests.allocation.cases import Case, network, order, random_case, store
from tests.effort import examples

SEEDS = st.integers(0, 2**32)
ALL_NODES = {"candidates": 1_000}


@given(seed=SEEDS)
@settings(max_examples=examples(40), deadline=None)
def test_one_short_order_is_solved_to_optimality(seed: int) -> None:
    """Stock holds every line whole wherever it holds the SKU: nothing needs a split line."""
    case = random_case(seed, orders=1, nodes=9, skus=10, most_lines=8, most_units=2, policy=ALL_NODES)
    case = case.but(stock=tuple((sku, node, 40 if units else 0) for sku, node, units in case.stock))
    problem = case.problem()
    greedy, optimum = solve_greedy(problem), solve_exact(problem)
    assert optimum.status == "optimal"
    assert set(greedy.methods) == {"exact"}
    assert greedy.cost_minor == optimum.cost_minor == optimum.lower_bound_minor
    assert optimum.gap == 0.0


@given(seed=SEEDS)
@settings(max_examples=examples(25), deadline=None)
def test_a_wave_costs_at_least_the_optimum_and_the_optimum_at_least_its_bound(seed: int) -> None:
    problem = random_case(seed, orders=12, nodes=8, skus=6, stock_units=2).problem()
    greedy, optimum = solve_greedy(problem), solve_exact(problem)
    assert optimum.lower_bound_minor is not None
    assert optimum.lower_bound_minor <= optimum.cost_minor <= greedy.cost_minor
    assert optimum.status != "optimal" or optimum.lower_bound_minor == optimum.cost_minor
    assert optimum.violations() == []


@given(seed=SEEDS)
@settings(max_examples=examples(25), deadline=None)
def test_the_heuristic_stays_near_the_optimum_of_a_long_order(seed: int) -> None:
    case = random_case(seed, orders=1, nodes=10, skus=20, most_lines=14, stock_units=9, limited=False)
    case = case.but(policy=case.policy.model_copy(update={"max_exact_lines": 2, "max_nodes": None}))
    assume(len({line.sku for line in case.demands[0].lines}) > 2)
    problem = case.problem()
    greedy, optimum = solve_greedy(problem), solve_exact(problem)
    assert greedy.methods == ("columns",)
    assert optimum.cost_minor <= greedy.cost_minor <= optimum.cost_minor * 1.10


def contested() -> Case:
    """The first order may take the last unit from the only node near the second."""
    nodes = network(store("HERE"), store("FAR", 45.0, -100.0))
    demands = (order("first", ("A", 1)), order("second", ("A", 1), ("B", 1)))
    return Case(nodes, demands, (("A", "HERE", 1), ("A", "FAR", 1), ("B", "HERE", 1)), SourcingPolicy())


def test_joint_sourcing_beats_first_come_first_served() -> None:
    problem = contested().problem()
    assert solve_exact(problem).cost_minor < solve_greedy(problem).cost_minor


def test_the_optimum_looks_at_all_nodes_even_where_greedy_saw_few() -> None:
    case = random_case(5, orders=10, nodes=20, policy={"candidates": 1, "max_nodes": None})
    narrow = case.problem()
    assert not narrow.complete.all()
    assert solve_exact(narrow).cost_minor == solve_exact(narrow.with_all_candidates()).cost_minor


def test_a_wave_too_large_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_module, "MAX_ENTRIES", 1)
    with pytest.raises(InvalidInput, match="use solve_greedy or a smaller wave"):
        solve_exact(contested().problem())


def test_an_empty_wave_costs_nothing() -> None:
    problem = AllocationProblem.build(network(store("N")), [], [], SourcingPolicy())
    for plan in (solve_greedy(problem), solve_exact(problem)):
        assert plan.cost_minor == 0
        assert list(plan.orders) == []
        assert plan.violations() == []
