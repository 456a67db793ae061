"""Candidates grow by what orders would use at the prices; the bound holds over every node."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import chunks, node_pricing, order_values, solve_exact
from omo_core.allocation.certificate import Certificate, solve_dual_over_network
from omo_core.allocation.dual import bound_of, solve_dual, values_at
from omo_core.allocation.node_pricing import price_all_nodes
from omo_core.allocation.prices import Prices
from omo_core.allocation.problem import AllocationProblem
from omo_core.model.errors import InvalidInput
from tests import naive, naive_dual
from tests.allocation.cases import random_case
from tests.allocation.test_dual import some_prices
from tests.effort import examples

SEEDS = st.integers(0, 2**32)
EXAMPLES = settings(max_examples=examples(25), deadline=None)
FEW = {"candidates": 1}
LONG = {"max_exact_lines": 2}


def small(seed: int, **policy: Any) -> AllocationProblem:
    return random_case(seed, orders=8, nodes=16, skus=8, stock_units=2, policy={**FEW, **policy}).problem()


def assert_alike(one: AllocationProblem, other: AllocationProblem) -> None:
    for name, a, b in zip(one.block._fields, one.block, other.block, strict=True):
        assert np.array_equal(a, b), name
    for name in ("distance_m", "measured_m", "complete"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.slow
@given(seed=SEEDS, long=st.booleans(), keeps=st.booleans())
@EXAMPLES
def test_a_look_values_the_orders_over_all_nodes(seed: int, long: bool, keeps: bool) -> None:
    problem = small(seed, **(LONG if long else {}))
    prices = some_prices(problem, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_pricing, "KEPT_ENTRIES", 10**6 if keeps else 0)
        look = price_all_nodes(problem, prices)
    assert look.values.tolist() == values_at(problem.with_all_candidates(), prices).values.tolist() or long
    assert_alike(look.problem, problem.with_nodes(look.order, look.node))
    if not long:
        again = price_all_nodes(look.problem, prices)
        assert again.order.size == 0
        assert again.problem is look.problem
        with order_values.OrderValues(look.problem.block, problem.policy) as orders:
            assert orders.at(*prices)[0].tolist() == look.values.tolist()


@given(seed=SEEDS)
@EXAMPLES
def test_marks_are_what_the_twin_marks(seed: int) -> None:
    """Where ties are decided otherwise, the marked candidates alone must still give every order its value."""
    problem = small(seed)
    prices = some_prices(problem, seed)
    ours = price_all_nodes(problem, prices)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_pricing, "mark_used", naive_dual.mark_used)
        twin = price_all_nodes(problem, prices)
    assert ours.values.tolist() == twin.values.tolist()
    for look in (ours, twin):
        assert price_all_nodes(look.problem, prices).values.tolist() == ours.values.tolist()
        with order_values.OrderValues(look.problem.block, problem.policy) as orders:
            assert orders.at(*prices)[0].tolist() == ours.values.tolist()


@given(seed=SEEDS)
@EXAMPLES
def test_nodes_that_are_added_stay(seed: int) -> None:
    problem = small(seed)
    dice = np.random.default_rng(seed)
    order, node = dice.integers(0, problem.orders, 20), dice.integers(0, len(problem.index.nodes), 20)
    grown = problem.with_nodes(order[:10], node[:10]).with_nodes(order[10:], node[10:])
    assert_alike(grown, problem.with_nodes(order, node))
    every = problem.with_all_candidates()
    pairs = [
        {
            (at, int(one))
            for at in range(p.orders)
            for one in p.block.node[p.block.candidate_ptr[at] : p.block.candidate_ptr[at + 1]]
        }
        for p in (problem, grown, every)
    ]
    asked = set(zip(order.tolist(), node.tolist(), strict=True))
    assert pairs[1] == pairs[0] | (asked & pairs[2])
    assert_alike(grown.with_all_candidates(), every)
    limits = np.full(problem.orders, 3)
    assert_alike(grown.with_candidates(limits), problem.with_candidates(limits).with_nodes(order, node))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "choose_candidates", naive.choose_candidates)
        assert_alike(
            grown,
            random_case(seed, orders=8, nodes=16, skus=8, stock_units=2, policy=FEW).problem().with_nodes(order, node),
        )


@pytest.mark.parametrize("most", [chunks.LAST, 1])
def test_many_candidates_stand_by_cost(most: int) -> None:
    """However dear they are: numbers too large to sort as one are sorted as two."""
    case = random_case(2, orders=12, nodes=150, skus=5, policy={"candidates": 1_000})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "LAST", most)
        block = case.problem().block
    assert block.node.size > 12 * 20
    for first, stop in pairwise(block.candidate_ptr.tolist()):
        order = list(zip(block.fixed_minor[first:stop].tolist(), block.node[first:stop].tolist(), strict=True))
        assert order == sorted(order)
    ours = case.problem()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "list_entries", naive.list_entries)
        assert_alike(ours, case.problem())


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("policy", [{}, LONG])
def test_no_plan_over_any_nodes_costs_less(seed: int, policy: dict[str, int]) -> None:
    problem = small(seed, **policy)
    found = solve_dual_over_network(problem)
    optimum = solve_exact(problem)
    assert found.dual.bound_minor <= optimum.cost_minor
    assert found.dual.bound == bound_of(problem, found.dual.prices, found.dual.values)
    if not policy:
        every = problem.with_all_candidates()
        assert found.dual.bound == values_at(every, found.dual.prices).bound
        assert found.dual.bound >= 0.98 * solve_dual(every).bound


def assert_same(one: Certificate, other: Certificate) -> None:
    assert one.dual.bound == other.dual.bound
    assert_alike(one.problem, other.problem)
    for a, b in zip((*one.dual.prices, one.dual.values), (*other.dual.prices, other.dual.values), strict=True):
        assert a.tolist() == b.tolist()


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_finds_the_same(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_values, "RUN_LINES", 7)
    monkeypatch.setattr(chunks, "CHUNK_PAIRS", 100)
    problem = random_case(5, orders=60, nodes=16, skus=20, most_lines=6, policy={**FEW, "max_exact_lines": 4}).problem()
    assert len(problem.parts) > 5
    assert_same(solve_dual_over_network(problem, threads=1), solve_dual_over_network(problem, threads=threads))


def test_candidates_given_at_first_do_not_matter_much() -> None:
    few = solve_dual_over_network(small(4)).dual.bound
    many = solve_dual_over_network(small(4, candidates=16)).dual.bound
    assert few == pytest.approx(many, rel=0.01)


def test_no_orders_at_all() -> None:
    found = solve_dual_over_network(random_case(1).but(demands=()).problem())
    assert (found.dual.bound, found.dual.values.size) == (0, 0)


def test_what_cannot_be_used_is_refused() -> None:
    problem = small(1)
    one, none = np.array([1]), np.array([-1])
    with pytest.raises(InvalidInput, match="orders"):
        problem.with_nodes(none, one)
    with pytest.raises(InvalidInput, match="nodes"):
        problem.with_nodes(one, np.array([99]))
    with pytest.raises(InvalidInput, match="as many"):
        problem.with_nodes(one, np.array([1, 2]))
    with pytest.raises(InvalidInput, match="iterations"):
        solve_dual_over_network(problem, iterations=0)
    with pytest.raises(InvalidInput, match="other stock"):
        solve_dual_over_network(problem, start=Prices(one, one))
