"""Prices prove a bound that no plan beats; the dual's kernels do what their naive twins do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import dual, dual_kernels, long_bound_kernels, order_values, solve_exact, solve_greedy
from omo_core.allocation.dual import Dual, solve_dual, values_at
from omo_core.allocation.order_values import OrderValues
from omo_core.allocation.prices import PRICE_PER_MINOR, Prices, no_prices
from omo_core.allocation.problem import AllocationProblem
from omo_core.model.errors import InvalidInput
from tests import naive_dual
from tests.allocation.cases import Case, network, order, random_case, store
from tests.effort import examples

SEEDS = st.integers(0, 2**32)
EXAMPLES = settings(max_examples=examples(30), deadline=None)
LONG = {"max_exact_lines": 2}


def some_prices(problem: AllocationProblem, seed: int) -> Prices:
    """Random prices, a third of them 0."""
    dice = np.random.default_rng(seed)
    cells, nodes = problem.stock.available.size, problem.capacity.size
    return Prices(*(dice.integers(-10_000, 20_000, size).clip(0) for size in (cells, nodes)))


def with_twin(module: object, name: str) -> pytest.MonkeyPatch:
    patch = pytest.MonkeyPatch()
    patch.setattr(module, name, getattr(naive_dual, name))
    return patch


def valued(problem: AllocationProblem, prices: Prices, threads: int = 1) -> tuple[list[int], list[int]]:
    with OrderValues(problem.block, problem.policy, threads) as orders:
        values, use = orders.at(*prices)
    return values.tolist(), use.tolist()


@given(seed=SEEDS)
@EXAMPLES
def test_what_short_orders_cost(seed: int) -> None:
    problem = random_case(seed, most_lines=4).problem()
    prices = some_prices(problem, seed)
    ours, _ = valued(problem, prices)
    patch = with_twin(order_values, "value_orders")
    try:
        twin, _ = valued(problem, prices)
    finally:
        patch.undo()
    assert ours == twin


@given(seed=SEEDS)
@EXAMPLES
def test_what_a_short_order_uses_costs_its_value(seed: int) -> None:
    """Ties may be decided otherwise than by the twin; sums may not."""
    problem = random_case(seed, orders=1, most_lines=6, policy={"candidates": 16}).problem()
    block, policy = problem.block, problem.policy
    prices = some_prices(problem, seed)
    [value], use = valued(problem, prices)
    cells, nodes = use[: prices.cell.size], use[prices.cell.size :]
    unit = dict(zip(block.cell.tolist(), block.unit_minor.tolist(), strict=True))
    fixed = dict(zip(block.node.tolist(), block.fixed_minor.tolist(), strict=True))
    left = int(block.quantity.sum()) - sum(cells)
    cost = left * policy.unserved_minor + max(sum(nodes) - 1, 0) * policy.per_extra_node_minor
    cost += sum(units * unit[cell] for cell, units in enumerate(cells) if units)
    cost += sum(fixed[node] for node, used in enumerate(nodes) if used)
    assert value == cost * PRICE_PER_MINOR + prices.cell @ cells + prices.node @ nodes
    assert set(nodes) <= {0, 1}
    assert sum(nodes) <= (policy.max_nodes or len(nodes))


@given(seed=SEEDS)
@EXAMPLES
def test_what_long_orders_are_bound_by(seed: int) -> None:
    problem = random_case(seed, skus=12, most_lines=9, policy=LONG).problem()
    prices = some_prices(problem, seed)
    ours = valued(problem, prices)
    patch = with_twin(order_values, "bound_long_orders")
    try:
        twin = valued(problem, prices)
    finally:
        patch.undo()
    assert ours == twin


@given(seed=SEEDS)
@EXAMPLES
def test_a_long_order_costs_at_least_its_bound_and_seldom_much_more(seed: int) -> None:
    case = random_case(seed, orders=6, skus=12, most_lines=8)
    problem = case.problem()
    prices = some_prices(problem, seed)
    exact, _ = valued(problem, prices)
    long = problem.policy.model_copy(update=LONG)
    with OrderValues(problem.block, long, 1) as orders:
        bounds, _ = orders.at(*prices)
    assert (bounds <= exact).all()
    assert problem.policy.max_nodes is not None or bounds.sum() >= 0.8 * sum(exact)


@given(seed=SEEDS, rate=st.floats(0, 1e4))
@EXAMPLES
def test_steps_of_prices(seed: int, rate: float) -> None:
    case = random_case(seed, orders=12, stock_units=1)
    ours = solve_dual(case.problem(), iterations=6, step=rate / 1e3)
    patch = with_twin(dual, "step_prices")
    try:
        twin = solve_dual(case.problem(), iterations=6, step=rate / 1e3)
    finally:
        patch.undo()
    assert_same(ours, twin)


def assert_same(one: Dual, other: Dual) -> None:
    assert one.bound == other.bound
    for a, b in zip((*one.prices, one.values), (*other.prices, other.values), strict=True):
        assert a.tolist() == b.tolist()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("policy", [{}, LONG])
def test_no_plan_costs_less_than_the_bound(seed: int, policy: dict[str, int]) -> None:
    case = random_case(seed, orders=8, nodes=6, skus=6, stock_units=2, policy={"candidates": 16, **policy})
    problem = case.problem()
    assert problem.complete.all() or policy
    optimum = solve_exact(problem)
    found = solve_dual(problem.with_all_candidates(), iterations=60)
    assert 0 <= found.bound_minor <= optimum.cost_minor
    assert found.bound_minor >= values_at(problem, no_prices(*map(len, found.prices))).bound_minor


@pytest.mark.slow
@pytest.mark.parametrize("unserved_minor", [2_500, 20_000])
def test_prices_close_most_of_the_gap(unserved_minor: int) -> None:
    """Over twelve worlds: what the optimum costs beyond the free orders is nearly all in the bound."""
    free = bound = cost = 0
    for seed in range(12):
        policy = {"candidates": 16, "unserved_minor": unserved_minor}
        problem = random_case(seed, orders=10, nodes=6, skus=4, stock_units=2, policy=policy).problem()
        free += values_at(problem, no_prices(problem.stock.available.size, problem.capacity.size)).bound_minor
        bound += solve_dual(problem).bound_minor
        cost += solve_exact(problem).cost_minor
    assert free < bound <= cost
    assert bound - free > 0.85 * (cost - free)


@pytest.mark.parametrize("threads", [2, 3, None])
def test_any_number_of_threads_finds_the_same(threads: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_values, "RUN_LINES", 7)
    case = random_case(5, orders=60, nodes=12, skus=20, most_lines=6, policy={"max_exact_lines": 4})
    assert_same(solve_dual(case.problem(), threads=1), solve_dual(case.problem(), threads=threads))


def test_a_scarce_unit_gets_the_price_of_the_next_best_node() -> None:
    near, far = store("NEAR"), store("FAR", latitude=44.0)
    case = Case(
        network(near, far),
        tuple(order(f"O{i}", ("K", 1)) for i in range(3)),
        (("K", "NEAR", 1), ("K", "FAR", 9)),
        random_case(0).policy.model_copy(update={"max_nodes": None}),
    )
    found = solve_dual(case.problem(), iterations=300)
    greedy = solve_greedy(case.problem())
    assert found.bound_minor == pytest.approx(greedy.cost_minor, abs=1)
    dearer = max(one.cost_minor for one in greedy.orders) - min(one.cost_minor for one in greedy.orders)
    assert found.prices.cell.max() / PRICE_PER_MINOR == pytest.approx(dearer, rel=0.01)
    assert found.prices.node.tolist() == [0, 0]


def test_a_start_is_taken_up() -> None:
    problem = random_case(3, orders=30, nodes=6, skus=5, stock_units=2).problem()
    first = solve_dual(problem)
    again = solve_dual(problem, start=first.prices, iterations=1)
    assert_same(first, again)
    assert again.iterations == 1
    assert solve_dual(problem, start=first.prices, iterations=20, step=0.01).bound >= first.bound


def test_nothing_scarce_needs_one_evaluation() -> None:
    case = random_case(1, limited=False)
    problem = case.but(stock=tuple((sku, node, 999) for sku, node, _ in case.stock)).problem()
    found = solve_dual(problem)
    assert found.iterations == 1
    assert not found.prices.cell.any()
    assert found.bound == found.values.sum()


def test_no_orders_at_all() -> None:
    found = solve_dual(random_case(1).but(demands=()).problem())
    assert (found.bound, found.values.size) == (0, 0)


def test_what_cannot_be_used_is_refused() -> None:
    problem = random_case(1).problem()
    with pytest.raises(InvalidInput, match="iterations"):
        solve_dual(problem, iterations=0)
    with pytest.raises(InvalidInput, match="other stock"):
        solve_dual(problem, start=no_prices(1, 1))
    with pytest.raises(InvalidInput, match="threads"):
        solve_dual(problem, threads=0)


def test_the_twins_know_the_same_constants() -> None:
    for name in ("MOMENTUM", "MEMORY", "STILL"):
        assert getattr(naive_dual, name) == getattr(dual_kernels, name)
    assert naive_dual.PASSES == long_bound_kernels.PASSES
