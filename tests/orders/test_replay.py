"""A stored decision is made again from what it saw, whatever happened since, and says what it is made from."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from omo_core.allocation import AllocationProblem, Plan, SourcingPolicy, WorkBudget, solve_greedy
from omo_core.hub import OrderHub
from omo_core.model.errors import InvalidInput
from omo_core.model.fulfilment import PlacedOrder
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery
from omo_core.model.promised import QuotaKind
from omo_core.model.promises import SetQuota
from omo_core.model.values import GeoPoint
from omo_core.orders import Reevaluate
from omo_core.orders.replay import Replay
from omo_core.storage import tables
from omo_core.storage.clock import ManualClock
from tests.orders.conftest import CLOSE, FAR, NEAR, NETWORK, order, stock


def again(hub: OrderHub, placed: PlacedOrder | None, attempt: int | None = None) -> Replay:
    assert placed is not None
    assert placed.order is not None
    return hub.sourcing.replay(placed.order, attempt)


def found(hub: OrderHub, number: str) -> PlacedOrder:
    placed = hub.orders.find("shop", number)
    assert placed is not None
    return placed


def inputs(one: Replay) -> dict[str, bool | None]:
    return {each.name: each.exact for each in one.inputs}


def expect_same(one: Replay) -> None:
    assert one.differences == ()
    assert one.same
    assert one.exact, one.inputs
    assert one.then == one.again
    assert one.then


def test_decisions_are_the_same_again_whatever_came_since(hub: OrderHub, clock: ManualClock) -> None:
    stock(hub, {("A", NEAR): 2, ("A", CLOSE): 5, ("B", FAR): 3})
    hub.orders.place_many([order(str(number), {"A": 1, "B": 1}) for number in range(1, 5)])
    clock.advance(timedelta(hours=1))
    hub.stock.receive(node=NEAR, sku="A", quantity=50, key="more")
    hub.stock.counter_sale(node=CLOSE, sku="A", quantity=2, key="till")
    hub.stock.set_safety(node=FAR, sku="B", quantity=3, key="safety")
    hub.orders.place(order("9", {"A": 1}))
    replays = [again(hub, found(hub, number)) for number in ("1", "2", "3", "4", "9")]
    for one in replays:
        expect_same(one)
    assert [one.then[0]["assignments"][0]["node"] for one in replays] == [NEAR, NEAR, CLOSE, CLOSE, NEAR]
    assert replays[3].then[0]["shortfalls"][0]["code"] == "sold_out"
    assert len({one.wave for one in replays}) == 2, "four were solved together"
    assert replays[0].solver == "greedy"


def test_a_rejecting_node_and_what_it_gave_back_are_as_they_were(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("A", CLOSE): 2})
    placed = hub.orders.place(order("1", {"A": 2}))
    hub.fulfilment.reject(placed.fulfilment_orders[0].fulfilment, reason="broken", key="no")
    first, second = again(hub, placed, 1), again(hub, placed, 2)
    expect_same(first)
    expect_same(second)
    assert first.then[0]["assignments"][0]["node"] == NEAR
    assert second.then[0]["assignments"][0]["node"] == CLOSE
    assert again(hub, placed).attempt == 2


def test_provisional_holds_count_as_free_again(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("A", FAR): 2})
    hub.orders.place_many([order("1", {"A": 1}), order("2", {"A": 1})], offer=False)
    hub.stock.receive(node=CLOSE, sku="A", quantity=1, key="more")
    hub.sourcing.run_wave()
    for number in ("1", "2"):
        for attempt in (1, 2):
            expect_same(again(hub, found(hub, number), attempt))


def test_one_hour_that_became_shipping_and_quota_cuts_are_replayed(hub: OrderHub) -> None:
    stock(hub, {("A", FAR): 2, ("B", NEAR): 5})
    hub.stock.apply(SetQuota(key="q", sku="B", channel="shop", quota_kind=QuotaKind.CAPPED, units=2))
    address = Address(point=GeoPoint(latitude=25.031, longitude=121.561))
    quick = Delivery(method=DeliveryMethod.ONE_HOUR, address=address)
    hub.orders.place_many([order("1", {"A": 1}, delivery=quick), order("2", {"B": 3}), order("3", {"B": 1})])
    for number in ("1", "2", "3"):
        expect_same(again(hub, found(hub, number)))
    assert again(hub, found(hub, "1")).then[0]["delivered_by"] == "ship"
    assert [one["code"] for one in again(hub, found(hub, "3")).again[0]["shortfalls"]] == ["over_quota"]


def test_another_policy_or_solver_answers_for_that_moment(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", FAR): 1})
    placed = hub.orders.place(order("1", {"A": 1}))
    assert placed.order is not None
    hub.network.load(NETWORK.model_copy(update={"policy": {"unit_per_1000_km_minor": 1}}))
    own = again(hub, placed)
    assert own.same, "the policy of then decides, not today's"
    assert inputs(own) == {"policy": True, "units": True, "places": True, "network": False, "stock": True}
    cheap_far = SourcingPolicy.load(
        {"shipment_per_1000_km_minor": 0, "unit_per_1000_km_minor": 0, "lateness_per_day_minor": 0}
    )
    other = hub.sourcing.replay(placed.order, policy=cheap_far)
    assert not other.same
    assert other.again[0]["assignments"][0]["node"] == FAR
    assert any("assignments was 1 NEAR 1, is 1 FAR 1" in sentence for sentence in other.differences)
    asked: list[AllocationProblem] = []

    def watched(problem: AllocationProblem) -> Plan:
        asked.append(problem)
        return solve_greedy(problem)

    assert hub.sourcing.replay(placed.order, solver=watched).same
    assert len(asked) == 1
    assert hub.sourcing.replay(placed.order, solver="exact").again[0]["method"] == "milp"


def test_what_cannot_be_known_any_more_is_said(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5, ("A", CLOSE): 5})
    placed = hub.orders.place(order("1", {"A": 1}))
    row = tables.stock.c
    halt = update(tables.stock).where(row.node == NEAR).values(halted=1)
    hub.run(lambda tx: tx.connection.execute(halt))
    one = again(hub, placed)
    assert inputs(one)["stock"] is False
    assert not one.exact
    assert not one.same
    hub.run(lambda tx: tx.connection.execute(update(tables.stock).values(halted=0)))
    expect_same(again(hub, placed))
    elsewhere = Delivery(address=Address(city="Taipei", point=GeoPoint(latitude=25.031, longitude=121.561)))
    hub.orders.place(order("1", {"A": 1}, source_version=2, delivery=elsewhere))
    assert inputs(again(hub, placed, 1))["places"] is False


def test_what_was_not_decided_cannot_be_replayed(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5})
    placed = hub.orders.place(order("1", {"A": 1}))
    with pytest.raises(InvalidInput, match=r"has no decision of that attempt \(it has: 1\)"):
        again(hub, placed, 7)
    with pytest.raises(InvalidInput, match="it has: none"):
        hub.sourcing.replay("nobody")
    assert placed.order is not None
    with pytest.raises(InvalidInput, match="no solver 'magic'; use one of exact, greedy, policy, wave"):
        hub.sourcing.replay(placed.order, solver="magic")


def test_a_wave_is_solved_again_with_the_work_its_policy_allowed(hub: OrderHub) -> None:
    """Its steps are kept with it, whatever budget the policy of today names."""
    hub.network.load(NETWORK.model_copy(update={"policy": {"solver": {"method": "wave", "work": "brief"}}}))
    stock(hub, {("A", NEAR): 2, ("A", CLOSE): 2, ("A", FAR): 2})
    hub.orders.place_many([order(str(number), {"A": 1}) for number in range(1, 6)])
    hub.network.load(NETWORK.model_copy(update={"policy": {"solver": {"method": "wave", "work": "thorough"}}}))
    one = again(hub, found(hub, "5"))
    assert (one.solver, one.same) == ("wave", True)
    assert one.policy.solver is not None
    assert one.policy.solver.work == WorkBudget.brief()
    assert hub.sourcing.replay(one.order, solver="greedy").solver == "greedy"


def test_work_that_a_reevaluation_moved_is_replayed_as_its_wave_decided_it(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", CLOSE): 1})
    placed = hub.orders.place(order("1", {"A": 1, "B": 1}))
    stock(hub, {("B", NEAR): 1}, key="more")
    assert hub.sourcing.reevaluate(Reevaluate(key="k")).moved
    with pytest.raises(InvalidInput, match=r"attempt 2, was moved by a re-evaluation, .* name an attempt that a wave"):
        hub.sourcing.replay(str(placed.order))
    assert hub.sourcing.replay(str(placed.order), 1).same
