"""Slots of nodes' capacity: orders are planned with what is left of them, claim it with their goods, and give it back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from omo_core.allocation import AllocationProblem, Plan, SourcingPolicy, solve_greedy
from omo_core.hub import OrderHub
from omo_core.model.errors import InvalidInput
from omo_core.model.fulfilment import OrderState, PlacedOrder
from omo_core.model.network import Network
from omo_core.model.promises import SetCapacity, SlotCapacity
from omo_core.orders import Reevaluate
from omo_core.storage.clock import ManualClock
from tests.orders.conftest import CLOSE, FAR, NEAR, NETWORK, NOON, order, stock

SLOT = NOON - timedelta(hours=3)


def counting(hub: OrderHub, **pieces: int) -> None:
    """Load the network with a policy that counts work so."""
    policy: dict[str, Any] = {"slot_work": pieces}
    hub.network.load(Network(currency="USD", nodes=NETWORK.nodes, items=NETWORK.items, policy=policy))


def slots(hub: OrderHub, capacity: dict[str, int], *, key: str = "slots") -> None:
    wanted = tuple(SlotCapacity(node=node, slot_at=SLOT, capacity=units) for node, units in capacity.items())
    assert hub.stock.apply(SetCapacity(key=key, slots=wanted)).applied


def used(hub: OrderHub, node: str) -> int:
    (level,) = hub.stock.slots([(node, SLOT)])
    return level.used


def nodes(placed: PlacedOrder) -> list[str]:
    return [one.node for one in placed.fulfilment_orders]


def place(hub: OrderHub, number: str, quantities: dict[str, int]) -> PlacedOrder:
    return hub.orders.place(order(number, quantities))


def everywhere(hub: OrderHub) -> None:
    stock(hub, {(sku, node): 50 for sku in "AB" for node in (NEAR, CLOSE, FAR)})


def test_a_full_node_takes_no_further_order(hub: OrderHub) -> None:
    counting(hub, per_order=1)
    everywhere(hub)
    slots(hub, {NEAR: 2, CLOSE: 1})
    assert [nodes(place(hub, number, {"A": 1})) for number in "1234"] == [[NEAR], [NEAR], [CLOSE], [FAR]]
    assert (used(hub, NEAR), used(hub, CLOSE)) == (2, 1)
    batch = hub.orders.place_many([order(f"b{number}", {"A": 1}) for number in range(3)])
    assert [nodes(one) for one in batch] == [[FAR]] * 3
    assert hub.audit().clean


def test_a_batch_shares_what_is_left_by_lines_or_units(hub: OrderHub) -> None:
    counting(hub, per_order=0, per_unit=1)
    everywhere(hub)
    slots(hub, {NEAR: 5, CLOSE: 3})
    placed = hub.orders.place_many([order(number, {"A": 2, "B": 1}) for number in "123"])
    assert sorted(node for one in placed for node in nodes(one)) == sorted([NEAR, CLOSE, FAR])
    assert (used(hub, NEAR), used(hub, CLOSE)) == (3, 3)


def test_without_slot_work_or_a_slot_that_has_begun_nothing_is_claimed(hub: OrderHub, clock: ManualClock) -> None:
    everywhere(hub)
    slots(hub, {NEAR: 0})
    assert nodes(place(hub, "1", {"A": 1})) == [NEAR]
    counting(hub, per_order=1)
    assert nodes(place(hub, "2", {"A": 1})) == [CLOSE]
    clock.advance(timedelta(hours=22))  # the slot is over
    assert nodes(place(hub, "3", {"A": 1})) == [NEAR]
    assert used(hub, NEAR) == 0


def test_work_is_given_back_when_it_is_refused_or_cancelled_and_stays_when_done(hub: OrderHub) -> None:
    counting(hub, per_order=1)
    everywhere(hub)
    slots(hub, {NEAR: 1, CLOSE: 1, FAR: 9})
    placed = place(hub, "1", {"A": 1})
    answer = hub.fulfilment.reject(placed.fulfilment_orders[0].fulfilment, reason="no", key="r")
    assert [one.node for one in answer.offers] == [CLOSE]
    assert (used(hub, NEAR), used(hub, CLOSE)) == (0, 1)
    hub.orders.cancel("shop", "1")
    assert used(hub, CLOSE) == 0
    other = place(hub, "2", {"A": 1}).fulfilment_orders[0]
    assert other.node == NEAR
    hub.fulfilment.accept(other.fulfilment, key="a")
    assert hub.fulfilment.ship(other.fulfilment, key="s").order_state is OrderState.FULFILLED
    assert used(hub, NEAR) == 1
    (claim,) = (one for one in hub.stock.claims_of([other.order]) if one.node == NEAR)
    assert (claim.held, claim.done) == (0, 1)
    assert nodes(place(hub, "3", {"A": 1})) == [CLOSE]
    assert hub.audit().clean


def test_a_changed_order_and_a_displaced_one_claim_anew(hub: OrderHub) -> None:
    counting(hub, per_order=0, per_unit=1)
    stock(hub, {("A", NEAR): 5, ("A", FAR): 5})
    slots(hub, {NEAR: 5})
    place(hub, "1", {"A": 4})
    assert used(hub, NEAR) == 4
    hub.orders.place(order("1", {"A": 2}, source_version=2))
    assert used(hub, NEAR) == 2
    hub.stock.counter_sale(node=NEAR, sku="A", quantity=4, key="till")
    assert used(hub, NEAR) == sum(one.reserved for one in hub.stock.levels([("A", NEAR)]))
    assert hub.audit().clean


def test_a_wave_swaps_what_its_orders_claimed_before(hub: OrderHub) -> None:
    counting(hub, per_order=1)
    everywhere(hub)
    slots(hub, {NEAR: 1, CLOSE: 1})
    hub.orders.place_many([order(number, {"A": 1}) for number in "12"], offer=False)
    assert (used(hub, NEAR), used(hub, CLOSE)) == (1, 1)
    wave = hub.sourcing.run_wave()
    assert sorted(node for one in wave for node in nodes(one)) == sorted([NEAR, CLOSE])
    assert (used(hub, NEAR), used(hub, CLOSE)) == (1, 1)
    again = hub.sourcing.replay(str(wave[1].order))
    assert (again.differences, again.exact) == ((), True)
    assert hub.sourcing.what_if({}).policies[0].name == "in force"
    assert hub.audit().clean


def test_one_hour_orders_that_are_shipped_find_the_room_that_others_left(hub: OrderHub) -> None:
    from omo_core.model.network import DeliveryMethod
    from omo_core.model.orders import Address, Delivery

    counting(hub, per_order=1)
    stock(hub, {("A", NEAR): 5, ("A", FAR): 5})
    slots(hub, {NEAR: 1, FAR: 1})
    soon = Delivery(method=DeliveryMethod.ONE_HOUR, address=Address(point=NETWORK.nodes[0].point))
    placed = hub.orders.place_many([order(number, {"A": 1}, delivery=soon) for number in "123"])
    assert sorted(node for one in placed for node in nodes(one)) == sorted([NEAR, FAR])
    assert [one.state for one in placed].count(OrderState.UNFULFILLABLE) == 1
    assert (used(hub, NEAR), used(hub, FAR)) == (1, 1)


def test_a_reevaluation_moves_claims_with_the_work_and_only_where_there_is_room(hub: OrderHub) -> None:
    counting(hub, per_order=1)
    slots(hub, {NEAR: 1, CLOSE: 5, FAR: 5})
    stock(hub, {("A", CLOSE): 1, ("A", FAR): 1, ("B", FAR): 1})
    first = place(hub, "1", {"A": 1, "B": 1})
    assert nodes(first) == [FAR]
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 1}, key="later")
    (moved,) = hub.sourcing.reevaluate(Reevaluate(key="1")).moved
    assert [one.node for one in moved.offered] == [NEAR]
    assert (used(hub, NEAR), used(hub, FAR)) == (1, 0)
    second = place(hub, "2", {"A": 1, "B": 1})
    assert nodes(second) == [FAR]
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 1}, key="later still")
    assert not hub.sourcing.reevaluate(Reevaluate(key="2")).moved
    assert hub.audit().clean


def test_slot_work_that_counts_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="slot work counts nothing"):
        SourcingPolicy.load({"slot_work": {"per_order": 0}})


def test_room_that_others_took_meanwhile_is_solved_again(hub: OrderHub) -> None:
    counting(hub, per_order=1)
    everywhere(hub)
    slots(hub, {NEAR: 0, CLOSE: 5})
    hub.orders.place(order("1", {"A": 1}), offer=False)
    assert used(hub, CLOSE) == 1
    slots(hub, {NEAR: 1, CLOSE: 5}, key="more room")
    rivals: list[PlacedOrder] = []

    def solver(problem: AllocationProblem) -> Plan:
        if not rivals:
            rivals.append(place(hub, "rival", {"A": 1}))
        return solve_greedy(problem)

    (decided,) = hub.sourcing.run_wave(solver=solver)
    assert (nodes(rivals[0]), nodes(decided)) == ([NEAR], [CLOSE])
    assert (used(hub, NEAR), used(hub, CLOSE)) == (1, 1)
    assert hub.audit().clean
