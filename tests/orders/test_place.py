"""Placing: an order is taken in once, sourced at once, and versions only grow."""

from __future__ import annotations

from typing import Any

import pytest

from omo_core.hub import OrderHub
from omo_core.model.fulfilment import FulfilmentState, OrderState
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Delivery, OrderLine, OrderStatus
from tests.orders.conftest import CLOSE, FAR, NEAR, order, stock


def test_an_order_is_held_at_the_nearest_node_that_has_it_all(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("B", NEAR): 1, ("A", CLOSE): 5, ("A", FAR): 9, ("B", FAR): 9})
    placed = hub.orders.place(order("1", {"A": 2, "B": 1}))
    assert placed.state is OrderState.IN_FULFILMENT
    (fulfilment,) = placed.fulfilment_orders
    assert (fulfilment.node, fulfilment.state) == (NEAR, FulfilmentState.OFFERED)
    assert {(line.sku, line.quantity) for line in fulfilment.lines} == {("A", 2), ("B", 1)}
    assert NEAR in fulfilment.why
    assert [hub.stock.available(sku, node=NEAR) for sku in "AB"] == [1, 0]


def test_twice_is_once(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3})
    first = hub.orders.place(order("1", {"A": 2}))
    assert hub.orders.place(order("1", {"A": 2})) == first
    assert hub.stock.available("A") == 1


def test_twice_in_one_batch_is_once(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3})
    first, second = hub.orders.place_many([order("1", {"A": 2}), order("1", {"A": 2})])
    assert first == second
    assert hub.stock.available("A") == 1


def test_orders_of_one_batch_share_what_there_is(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", FAR): 1})
    placed = hub.orders.place_many([order(str(number), {"A": 1}) for number in range(3)])
    assert [one.state for one in placed] == [
        OrderState.IN_FULFILMENT,
        OrderState.IN_FULFILMENT,
        OrderState.UNFULFILLABLE,
    ]
    assert [one.fulfilment_orders[0].node for one in placed[:2]] == [NEAR, FAR]


def test_what_no_node_has_is_said_line_by_line(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    placed = hub.orders.place(order("1", {"A": 3, "B": 1}))
    assert placed.state is OrderState.IN_FULFILMENT
    assert [(one.sku, one.missing, one.refusal.code) for one in placed.shortfalls] == [
        ("A", 2, "no_node"),
        ("B", 1, "no_node"),
    ]


def test_a_line_may_be_split_over_nodes(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("A", CLOSE): 2, ("A", FAR): 1})
    placed = hub.orders.place(order("1", {"A": 5}))
    assert {one.node: one.lines[0].quantity for one in placed.fulfilment_orders} == {NEAR: 2, CLOSE: 2, FAR: 1}
    assert not placed.shortfalls


def test_unknown_items_and_nodes_are_refused_and_leave_nothing_behind(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    pickup = Delivery(method=DeliveryMethod.PICKUP, pickup_node="NOWHERE")
    nameless = OrderLine(line="1", sku=None, quantity=1, current_quantity=1)
    refused = hub.orders.place_many(
        [order("1", {"A": 1, "Z": 1}), order("2", {"A": 1}, delivery=pickup), order("3", {}, lines=(nameless,))]
    )
    assert [one.refusals[0].code for one in refused] == ["unknown_sku", "unknown_node", "line_without_sku"]
    assert [one.order for one in refused] == [None] * 3
    assert hub.orders.page() == []
    assert hub.stock.available("A") == 1
    # The same order with a good content is a first order, not a second version.
    assert not hub.orders.place(order("1", {"A": 1})).refusals


def test_an_older_version_changes_nothing(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5})
    placed = hub.orders.place(order("1", {"A": 2}, source_version=7))
    late = hub.orders.place(order("1", {"A": 4}, source_version=6))
    assert late.refusals[0].code == "stale_version"
    assert late.fulfilment_orders == placed.fulfilment_orders
    assert hub.stock.available("A") == 3


def test_one_version_with_two_contents_is_refused(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5})
    hub.orders.place(order("1", {"A": 2}))
    assert hub.orders.place(order("1", {"A": 3})).refusals[0].code == "version_conflict"
    assert hub.stock.available("A") == 3


def test_a_newer_version_that_wants_the_same_goods_leaves_the_work_alone(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5})
    placed = hub.orders.place(order("1", {"A": 2}))
    again = hub.orders.place(order("1", {"A": 2}, source_version=2, note="ring twice"))
    assert again.fulfilment_orders == placed.fulfilment_orders
    assert (again.source_version, again.version) == (2, placed.version + 1)


def test_a_changed_order_is_sourced_anew(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5, ("B", CLOSE): 1})
    hub.orders.place(order("1", {"A": 4}))
    changed = hub.orders.place(order("1", {"A": 1, "B": 1}, source_version=2))
    states = [(one.node, one.state) for one in changed.fulfilment_orders]
    assert states[0] == (NEAR, FulfilmentState.CANCELLED)
    assert set(states[1:]) == {(NEAR, FulfilmentState.OFFERED), (CLOSE, FulfilmentState.OFFERED)}
    assert hub.stock.available("A") == 4


def test_an_order_cannot_shrink_below_what_left(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5})
    (fulfilment,) = hub.orders.place(order("1", {"A": 4})).fulfilment_orders
    hub.fulfilment.accept(fulfilment.fulfilment, key="a")
    hub.fulfilment.ship(fulfilment.fulfilment, key="s")
    assert hub.orders.place(order("1", {"A": 3}, source_version=2)).refusals[0].code == "already_shipped"
    grown = hub.orders.place(order("1", {"A": 5}, source_version=3))
    assert grown.state is OrderState.IN_FULFILMENT
    assert [one.lines[0].quantity for one in grown.fulfilment_orders] == [4, 1]


def test_a_cancellation_gives_the_goods_back(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5})
    hub.orders.place(order("1", {"A": 4}))
    cancelled = hub.orders.cancel("shop", "1")
    assert cancelled.state is OrderState.CANCELLED
    assert hub.stock.available("A") == 5
    assert hub.orders.cancel("shop", "1") == cancelled
    assert hub.orders.place(order("1", {"A": 4}, source_version=2)).refusals[0].code == "order_cancelled"


def test_a_cancellation_that_comes_first_is_remembered(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5})
    assert hub.orders.cancel("shop", "1").state is OrderState.CANCELLED
    placed = hub.orders.place(order("1", {"A": 4}))
    assert placed.state is OrderState.CANCELLED
    assert not placed.fulfilment_orders
    assert hub.stock.available("A") == 5


def test_an_order_that_comes_cancelled_takes_no_goods(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5})
    placed = hub.orders.place(order("1", {"A": 4}, status=OrderStatus.CANCELLED))
    assert placed.state is OrderState.CANCELLED
    hub.orders.place(order("2", {"A": 4}))
    assert (
        hub.orders.place(order("2", {"A": 4}, source_version=2, status=OrderStatus.CANCELLED)).state
        is OrderState.CANCELLED
    )
    assert hub.stock.available("A") == 5


def test_what_left_before_a_cancellation_stays_sold(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", CLOSE): 1})
    placed = hub.orders.place(order("1", {"A": 1, "B": 1}))
    first = placed.fulfilment_orders[0].fulfilment
    hub.fulfilment.accept(first, key="a")
    hub.fulfilment.ship(first, key="s")
    cancelled = hub.orders.cancel("shop", "1")
    assert cancelled.state is OrderState.FULFILLED
    assert {one.state for one in cancelled.fulfilment_orders} == {FulfilmentState.SHIPPED, FulfilmentState.CANCELLED}
    assert hub.orders.cancel("shop", "1").refusals[0].code == "order_closed"


def test_cancelling_what_was_short_leaves_what_was_sent(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    (fulfilment,) = hub.orders.place(order("1", {"A": 1, "B": 1})).fulfilment_orders
    hub.fulfilment.accept(fulfilment.fulfilment, key="a")
    assert hub.fulfilment.ship(fulfilment.fulfilment, key="s").order_state is OrderState.UNFULFILLABLE
    assert hub.orders.cancel("shop", "1").state is OrderState.FULFILLED


@pytest.mark.parametrize("changes", [{"status": OrderStatus.CLOSED}, {"test": True}])
def test_a_closed_order_and_a_test_order_want_nothing(hub: OrderHub, changes: dict[str, Any]) -> None:
    stock(hub, {("A", NEAR): 5})
    placed = hub.orders.place(order("1", {"A": 4}, **changes))
    assert hub.stock.available("A") == 5
    assert placed.state is OrderState.FULFILLED
    assert not placed.fulfilment_orders


@pytest.mark.parametrize("count", [1, 250])
def test_many_orders_at_once_are_as_many_rows(hub: OrderHub, count: int) -> None:
    stock(hub, {("A", NEAR): 1_000})
    placed = hub.orders.place_many([order(f"{number:04}", {"A": 1}) for number in range(count)])
    assert len({one.order for one in placed}) == count
    assert hub.stock.available("A") == 1_000 - count
