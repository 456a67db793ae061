"""A stored period decided again: the policy in force repeats itself, and another one is counted in the same way."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from omo_core.allocation import AllocationProblem, Plan, SourcingPolicy, solve_greedy
from omo_core.hub import OrderHub
from omo_core.model.errors import InvalidInput
from omo_core.model.fulfilment import FulfilmentState, OrderState
from omo_core.model.stock import HoldRequest
from omo_core.orders.what_if import IN_FORCE, WhatIf
from omo_core.orders.what_if_figures import PolicyFigures
from omo_core.storage.clock import ManualClock
from tests.orders.conftest import CLOSE, FAR, NEAR, NOON, order, stock

HOUR = timedelta(hours=1)
FREE_WAY = SourcingPolicy.load(
    {"shipment_per_1000_km_minor": 0, "unit_per_1000_km_minor": 0, "lateness_per_day_minor": 0}
)
"""Takes everything from the warehouse, whose handling is cheapest."""


def busy_hours(hub: OrderHub, clock: ManualClock) -> None:
    """Three waves, between them a receipt, a sale, another system's hold and a cancellation."""
    stock(hub, {("A", NEAR): 3, ("A", CLOSE): 2, ("A", FAR): 9, ("B", CLOSE): 2})
    hub.orders.place_many([order(f"1-{one}", {"A": 1, "B": 1}) for one in range(3)])
    clock.advance(HOUR)
    hub.stock.counter_sale(node=FAR, sku="A", quantity=1, key="till")
    hub.stock.hold([HoldRequest(owner="cart", line="1", sku="A", node=FAR, quantity=2)], key="cart")
    hub.orders.place_many([order(f"2-{one}", {"A": 2}) for one in range(2)])
    hub.orders.cancel("shop", "1-0")
    clock.advance(HOUR)
    hub.stock.receive(node=NEAR, sku="B", quantity=4, key="more")
    hub.sourcing.retry_short()
    hub.orders.place_many([order(f"3-{one}", {"A": 1, "B": 2}) for one in range(3)])


def loads(hub: OrderHub) -> dict[str, int]:
    """Units that each node has in hand, and those that a buyer took back."""
    units: Counter[str] = Counter()
    for placed in hub.orders.page():
        for one in placed.fulfilment_orders:
            if one.state is FulfilmentState.OFFERED or placed.state is OrderState.CANCELLED:
                units[one.node] += sum(line.quantity for line in one.lines)
    return dict(units)


def of(result: WhatIf, name: str) -> PolicyFigures:
    return next(one for one in result.policies if one.name == name)


def test_the_policy_in_force_decides_as_it_did(hub: OrderHub, clock: ManualClock) -> None:
    busy_hours(hub, clock)
    result = hub.sourcing.what_if({})
    mine = of(result, IN_FORCE)
    assert (result.waves, result.orders, result.solver, result.currency) == (4, 8, "policy", "USD")
    assert (result.since, result.until) == (NOON, NOON + 2 * HOUR)
    assert {node: one.units for node, one in mine.loads.items()} == loads(hub)
    assert mine.cost_by_term == mine.yardstick_by_term
    assert (mine.orders, mine.units, mine.units_served) == (8, 6 + 4 + 9, 6 + 4 + 9 - 2)
    assert mine.displaced_units == 0
    assert mine.fill_rate == (19 - 2) / 19


def test_another_policy_is_counted_in_the_same_way(hub: OrderHub, clock: ManualClock) -> None:
    busy_hours(hub, clock)
    result = hub.sourcing.what_if({"free way": FREE_WAY})
    mine, other = result.policies
    assert (mine.name, other.name) == (IN_FORCE, "free way")
    assert (other.orders, other.units) == (mine.orders, mine.units)
    assert other.loads[FAR].units > mine.loads[FAR].units
    assert other.late_parcels > mine.late_parcels, "at the prices of the policy in force"
    assert other.cost_by_term.get("lateness", 0) == 0 < other.yardstick_by_term["lateness"]
    assert sum(one.parcels for one in other.loads.values()) == other.parcels
    assert other.yardstick_minor == sum(other.yardstick_by_term.values())
    assert hub.sourcing.what_if({"free way": FREE_WAY}) == result
    assert loads(hub), "nothing was changed"


def test_a_period_begins_with_the_stock_it_began_with(hub: OrderHub, clock: ManualClock) -> None:
    busy_hours(hub, clock)
    whole = of(hub.sourcing.what_if({}), IN_FORCE)
    parts = [
        of(hub.sourcing.what_if({}, since=since, until=until), IN_FORCE)
        for since, until in ((None, NOON + HOUR), (NOON + HOUR, NOON + 2 * HOUR), (NOON + 2 * HOUR, None))
    ]
    assert [one.orders for one in parts] == [3, 2, 4], "one was short in the first and is tried again in the last"
    units: Counter[str] = Counter()
    for one in parts:
        units.update({node: load.units for node, load in one.loads.items()})
    assert dict(units) == {node: one.units for node, one in whole.loads.items()}
    again = SourcingPolicy().unserved_minor
    assert sum(one.yardstick_minor for one in parts) == whole.yardstick_minor + again, "short at the end of a part"


def test_provisional_decisions_are_replaced_and_not_counted_twice(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("A", FAR): 2})
    hub.orders.place_many([order("1", {"A": 1}), order("2", {"A": 1})], offer=False)
    hub.sourcing.run_wave()
    mine = of(hub.sourcing.what_if({}), IN_FORCE)
    assert (mine.orders, mine.units, mine.units_served, mine.parcels) == (2, 2, 2, 2)
    assert {node: one.units for node, one in mine.loads.items()} == {NEAR: 2}


def test_provisional_holds_from_before_the_period_are_free_in_it(hub: OrderHub, clock: ManualClock) -> None:
    stock(hub, {("A", NEAR): 1})
    hub.orders.place(order("1", {"A": 1}), offer=False)
    clock.advance(HOUR)
    hub.sourcing.run_wave()
    mine = of(hub.sourcing.what_if({}, since=NOON + HOUR), IN_FORCE)
    assert (mine.units, mine.units_served) == (1, 1)


def test_nodes_that_said_no_are_taken_to_accept(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("A", CLOSE): 2})
    placed = hub.orders.place(order("1", {"A": 2}))
    hub.fulfilment.reject(placed.fulfilment_orders[0].fulfilment, reason="broken", key="no")
    mine = of(hub.sourcing.what_if({}), IN_FORCE)
    assert {node: one.units for node, one in mine.loads.items()} == {NEAR: 2}
    assert (mine.parcels, mine.units_served) == (1, 2)


def test_a_changed_order_is_decided_as_changed(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", FAR): 5})
    hub.orders.place(order("1", {"A": 1}))
    hub.orders.place(order("1", {"A": 3}, source_version=2))
    mine = of(hub.sourcing.what_if({}), IN_FORCE)
    assert (mine.orders, mine.units, mine.units_served) == (1, 3, 3)
    assert {node: one.units for node, one in mine.loads.items()} == loads(hub)


def test_promises_that_a_sale_takes_are_sourced_anew_under_every_policy(hub: OrderHub, clock: ManualClock) -> None:
    stock(hub, {("A", NEAR): 3, ("A", CLOSE): 3, ("A", FAR): 3})
    hub.orders.place_many([order("1", {"A": 1}), order("2", {"A": 2})])
    clock.advance(HOUR)
    hub.stock.counter_sale(node=NEAR, sku="A", quantity=1, key="till")
    hub.stock.counter_sale(node=FAR, sku="A", quantity=2, key="till too")
    hub.orders.place(order("3", {"A": 1}))
    mine, other = hub.sourcing.what_if({"free way": FREE_WAY}).policies
    assert {node: one.units for node, one in mine.loads.items()} == loads(hub)
    assert (mine.displaced_units, mine.units, mine.units_served) == (1, 4, 4)
    assert (other.displaced_units, other.units, other.units_served) == (2, 4, 4)
    assert other.loads[FAR].units == 1
    assert mine.cost_by_term.get("unserved", 0) == other.cost_by_term.get("unserved", 0) == 0


def test_distance_is_what_parcels_travel(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", FAR): 1})
    hub.orders.place(order("1", {"A": 1}))
    mine, other = hub.sourcing.what_if({"free way": FREE_WAY}).policies
    assert mine.parcel_m == pytest.approx(150, abs=10)
    assert other.parcel_m == pytest.approx(2_700_000, rel=0.02)
    assert (mine.late_parcels, other.late_parcels) == (0, 1)
    assert (mine.split_rate, other.parcels_unplaced) == (0, 0)


def test_the_solver_is_the_callers(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    hub.orders.place(order("1", {"A": 1}))
    asked: list[AllocationProblem] = []

    def watched(problem: AllocationProblem) -> Plan:
        asked.append(problem)
        return solve_greedy(problem)

    result = hub.sourcing.what_if({"free way": FREE_WAY}, solver=watched)
    assert (len(asked), result.solver) == (2, "watched")
    assert hub.sourcing.what_if({}, solver="exact").policies[0].units_served == 1


def test_what_cannot_be_compared_is_refused(hub: OrderHub) -> None:
    with pytest.raises(InvalidInput, match="nothing was decided in that period"):
        hub.sourcing.what_if({})
    with pytest.raises(InvalidInput, match="give yours another name"):
        hub.sourcing.what_if({IN_FORCE: FREE_WAY})
    stock(hub, {("A", NEAR): 1})
    hub.orders.place(order("1", {"A": 1}))
    with pytest.raises(InvalidInput, match="there is no solver 'magic'"):
        hub.sourcing.what_if({}, solver="magic")
