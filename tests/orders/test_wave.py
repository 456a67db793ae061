"""Waves: decided together, ahead of the transaction that records them; what changed meanwhile is decided again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from omo_core.allocation import AllocationProblem, Plan, solve_exact
from omo_core.hub import OrderHub
from omo_core.model.errors import InvalidInput
from omo_core.model.fulfilment import OrderState, PlacedOrder
from omo_core.orders import Solver
from tests.orders.conftest import CLOSE, FAR, NEAR, order, stock


def nodes(placed: PlacedOrder) -> list[str]:
    return sorted(one.node for one in placed.fulfilment_orders)


def while_solving(act: Callable[[], object]) -> Solver:
    """An exact solver during whose work somebody else does something, once."""
    left = [act]

    def solver(problem: AllocationProblem) -> Plan:
        plan = solve_exact(problem)
        while left:
            left.pop()()
        return plan

    return solver


def test_goods_held_provisionally_are_swapped_where_all_together_are_cheaper(hub: OrderHub) -> None:
    # First come, first served, the first order has the near unit that the second one's single parcel needs.
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 1, ("A", FAR): 1})
    hub.orders.place_many([order("1", {"A": 1}), order("2", {"A": 1, "B": 1})], offer=False)
    wave = hub.sourcing.run_wave(solver=solve_exact)
    assert [nodes(one) for one in wave] == [[FAR], [NEAR]]
    assert hub.audit().clean


def test_a_wave_says_what_it_costs_and_how_far_it_may_be_from_the_best(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("B", CLOSE): 1})
    hub.orders.place_many([order("1", {"A": 1}), order("2", {"A": 1, "B": 1})], offer=False)
    wave = hub.sourcing.run_wave(solver=solve_exact)
    (solve,) = wave.solves
    assert (solve.deliveries, solve.solver, solve.cost_minor) == (2, "exact", wave.cost_minor)
    assert wave.cost_by_term["split"] == 100
    assert (wave.lower_bound_minor, wave.gap) == (wave.cost_minor, 0.0)


def test_a_wave_with_a_deadline_is_solved_jointly_and_has_a_gap(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 1, ("A", FAR): 1})
    hub.orders.place_many([order("1", {"A": 1}), order("2", {"A": 1, "B": 1})], offer=False)
    wave = hub.sourcing.run_wave(deadline=timedelta(seconds=30))
    assert [nodes(one) for one in wave] == [[FAR], [NEAR]]
    assert wave.gap is not None
    assert 0 <= wave.gap < 1
    with pytest.raises(InvalidInput, match="either a deadline or a solver"):
        hub.sourcing.run_wave(deadline=timedelta(seconds=30), solver=solve_exact)


@pytest.mark.parametrize("solver", [None, solve_exact])
def test_a_wave_of_nothing_costs_nothing(hub: OrderHub, solver: Solver | None) -> None:
    wave = hub.sourcing.run_wave(solver=solver)
    assert (list(wave), wave.cost_by_term, wave.cost_minor) == ([], {}, 0)


def test_without_a_bound_there_is_no_gap(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    hub.orders.place(order("1", {"A": 1}), offer=False)
    wave = hub.sourcing.run_wave()
    assert (wave.lower_bound_minor, wave.gap) == (None, None)
    assert wave.cost_minor == sum(wave.cost_by_term.values()) > 0


def test_the_transaction_of_a_host_holds_all_of_a_wave(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    hub.orders.place(order("1", {"A": 1}), offer=False)
    with hub.transaction() as tx:
        assert [nodes(one) for one in hub.sourcing.run_wave(solver=solve_exact, tx=tx)] == [[NEAR]]


def test_stock_that_went_meanwhile_is_found_elsewhere(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 1})
    hub.orders.place_many([order("1", {"A": 1}), order("2", {"B": 1})], offer=False)
    stock(hub, {("A", CLOSE): 1}, key="more")

    def sale() -> None:
        assert hub.stock.counter_sale(node=NEAR, sku="A", quantity=1, key="till").displaced

    wave = hub.sourcing.run_wave(solver=while_solving(sale))
    assert [nodes(one) for one in wave] == [[CLOSE], [NEAR]]
    assert not any(one.shortfalls for one in wave)
    assert hub.audit().clean


def test_goods_that_others_took_meanwhile_are_not_overwritten(hub: OrderHub) -> None:
    stock(hub, {("A", CLOSE): 1})
    hub.orders.place(order("1", {"A": 1}), offer=False)
    stock(hub, {("A", NEAR): 1}, key="more")
    wave = hub.sourcing.run_wave(solver=while_solving(lambda: hub.orders.place(order("2", {"A": 1}))))
    assert [nodes(one) for one in wave] == [[CLOSE]], "the near unit went to whoever came first"
    assert len(wave.solves) == 2
    assert hub.audit().clean


def test_orders_that_changed_meanwhile_are_decided_as_they_are_now(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("A", FAR): 3})
    hub.orders.place_many([order(name, {"A": 1}) for name in "123"], offer=False)

    def change() -> None:
        hub.orders.cancel("shop", "1")
        hub.orders.place(order("2", {"A": 2}, source_version=2), offer=False)

    wave = hub.sourcing.run_wave(solver=while_solving(change))
    assert [one.state for one in wave] == [OrderState.CANCELLED, OrderState.IN_FULFILMENT, OrderState.IN_FULFILMENT]
    assert [sum(line.quantity for one in order.fulfilment_orders for line in one.lines) for order in wave] == [0, 2, 1]
    assert hub.stock.available("A") == 3
    assert hub.audit().clean


def test_a_hub_has_the_solver_it_was_given(hub: OrderHub) -> None:
    asked: list[AllocationProblem] = []

    def counting(problem: AllocationProblem) -> Plan:
        asked.append(problem)
        return solve_exact(problem)

    stock(hub, {("A", NEAR): 1})
    with OrderHub(hub.database, solver=counting, combine=False) as other:
        other.orders.place(order("1", {"A": 1}))
    assert [one.orders for one in asked] == [1]
