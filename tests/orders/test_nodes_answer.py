"""What nodes answer: accept, reject, ship, collect; and what tills take away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from omo_core.hub import OrderHub
from omo_core.model.errors import DuplicateKeyMismatch
from omo_core.model.fulfilment import (
    AcceptOffer,
    CollectFulfilment,
    FulfilmentState,
    OrderState,
    RejectOffer,
    ShipFulfilment,
)
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery
from omo_core.model.stock import HoldState
from omo_core.model.values import GeoPoint
from omo_core.storage.clock import ManualClock
from tests.orders.conftest import CLOSE, FAR, NEAR, order, stock

DOOR = GeoPoint(latitude=25.031, longitude=121.561)


def test_a_shipped_order_is_fulfilled_and_its_goods_are_gone(hub: OrderHub, clock: ManualClock) -> None:
    stock(hub, {("A", NEAR): 3})
    placed = hub.orders.place(order("1", {"A": 2}))
    number = placed.fulfilment_orders[0].fulfilment
    accepted = hub.fulfilment.accept(number, key="a")
    assert (accepted.order, accepted.order_state) == (placed.order, OrderState.IN_FULFILMENT)
    clock.advance(timedelta(hours=1))
    shipped = hub.fulfilment.ship(number, key="s", tracking="1Z9")
    assert shipped.order_state is OrderState.FULFILLED
    fulfilment = shipped.fulfilment_order
    assert fulfilment is not None
    assert (fulfilment.state, fulfilment.tracking) == (FulfilmentState.SHIPPED, "1Z9")
    assert fulfilment.closed_at == clock.now()
    (level,) = hub.stock.levels([("A", NEAR)])
    assert (level.on_hand, level.reserved) == (1, 0)
    (hold,) = hub.stock.holds_of([str(placed.order)])
    assert (hold.state, hold.issued) == (HoldState.ISSUED, 2)


def test_a_rejected_offer_finds_another_way_and_never_asks_that_node_again(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("A", CLOSE): 3, ("A", FAR): 3})
    offers = hub.orders.place(order("1", {"A": 2})).fulfilment_orders
    nodes, answers = [], []
    for round_number in range(3):
        nodes.append(offers[0].node)
        answers.append(hub.fulfilment.reject(offers[0].fulfilment, reason="shelf empty", key=f"r{round_number}"))
        offers = answers[-1].offers
    assert nodes == [NEAR, CLOSE, FAR]
    assert [one.order_state for one in answers] == [
        OrderState.IN_FULFILMENT,
        OrderState.IN_FULFILMENT,
        OrderState.UNFULFILLABLE,
    ]
    assert [one.missing for one in answers[-1].shortfalls] == [2]
    placed = hub.orders.find("shop", "1")
    assert placed is not None
    assert [one.attempt for one in placed.fulfilment_orders] == [1, 2, 3]
    assert {one.reject_code for one in placed.fulfilment_orders} == {"by_node"}
    assert hub.stock.available("A") == 9


def test_only_the_rejected_part_moves(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", CLOSE): 1, ("B", FAR): 1})
    placed = hub.orders.place(order("1", {"A": 1, "B": 1}))
    parts = {one.node: one for one in placed.fulfilment_orders}
    answer = hub.fulfilment.reject(parts[CLOSE].fulfilment, reason="no", key="r")
    assert [one.node for one in answer.offers] == [FAR]
    moved = hub.orders.find("shop", "1")
    assert moved is not None
    states = {(one.node, one.state) for one in moved.fulfilment_orders}
    assert states == {
        (NEAR, FulfilmentState.OFFERED),
        (CLOSE, FulfilmentState.REJECTED),
        (FAR, FulfilmentState.OFFERED),
    }


def test_a_node_may_reject_what_it_accepted(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", FAR): 1})
    number = hub.orders.place(order("1", {"A": 1})).fulfilment_orders[0].fulfilment
    hub.fulfilment.accept(number, key="a")
    answer = hub.fulfilment.reject(number, reason="broken", key="r")
    assert [one.node for one in answer.offers] == [FAR]


def test_answers_that_do_not_fit_are_refused_with_what_they_need(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    number = hub.orders.place(order("1", {"A": 1})).fulfilment_orders[0].fulfilment
    early = hub.fulfilment.ship(number, key="s")
    assert early.refusals[0].code == "wrong_state"
    assert "ship needs accepted" in early.refusals[0].sentence
    assert hub.fulfilment.accept("nobody", key="x").refusals[0].code == "unknown_fulfilment_order"
    assert hub.stock.available("A") == 0


def test_a_repeated_answer_is_answered_as_before(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    number = hub.orders.place(order("1", {"A": 1})).fulfilment_orders[0].fulfilment
    first = hub.fulfilment.accept(number, key="a")
    hub.fulfilment.ship(number, key="s")
    assert hub.fulfilment.accept(number, key="a") == first
    with pytest.raises(DuplicateKeyMismatch):
        hub.fulfilment.ship(number, key="a")


def test_answers_of_one_batch_follow_each_other(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("A", FAR): 1})
    placed = hub.orders.place_many([order(name, {"A": 1}) for name in "123"])
    first, second, third = (one.fulfilment_orders[0].fulfilment for one in placed)
    answers = hub.fulfilment.apply_many(
        [
            AcceptOffer(key="1", fulfilment=first),
            ShipFulfilment(key="2", fulfilment=first),
            RejectOffer(key="3", fulfilment=second, reason="no"),
            AcceptOffer(key="4", fulfilment=third),
            CollectFulfilment(key="5", fulfilment=third),
        ]
    )
    assert not any(answer.refusals for answer in answers)
    assert [answer.order_state for answer in answers] == [
        OrderState.FULFILLED,
        OrderState.FULFILLED,
        OrderState.UNFULFILLABLE,
        OrderState.FULFILLED,
        OrderState.FULFILLED,
    ]


def test_a_pickup_is_kept_at_its_node(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", CLOSE): 1})
    pickup = Delivery(method=DeliveryMethod.PICKUP, pickup_node=CLOSE)
    (fulfilment,) = hub.orders.place(order("1", {"A": 1}, delivery=pickup)).fulfilment_orders
    assert (fulfilment.node, fulfilment.method) == (CLOSE, DeliveryMethod.PICKUP)


def test_one_hour_is_promised_within_the_radius_and_else_shipped(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", FAR): 5})
    soon = Delivery(method=DeliveryMethod.ONE_HOUR, address=Address(point=DOOR))
    near, far = hub.orders.place_many([order(name, {"A": 1}, delivery=soon) for name in "12"])
    assert [(one.node, one.method) for one in near.fulfilment_orders] == [(NEAR, DeliveryMethod.ONE_HOUR)]
    assert [(one.node, one.method) for one in far.fulfilment_orders] == [(FAR, DeliveryMethod.SHIP)]


def test_a_counter_sale_displaces_the_newest_promise_and_the_order_moves(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("B", NEAR): 1, ("A", FAR): 2, ("B", FAR): 1})
    old, new = hub.orders.place(order("1", {"A": 1})), hub.orders.place(order("2", {"A": 1, "B": 1}))
    sale = hub.stock.counter_sale(node=NEAR, sku="A", quantity=1, key="till/1")
    assert [one.owner for one in sale.displaced] == [new.order]
    kept, moved = hub.orders.find("shop", "1"), hub.orders.find("shop", "2")
    assert kept == old
    assert moved is not None
    assert moved.fulfilment_orders[0].reject_code == "displaced"
    assert not moved.shortfalls
    assert FAR in {one.node for one in moved.fulfilment_orders[1:]}
    # The mug that was not sold went back and may be promised again.
    assert hub.stock.available("B") == 1


def test_goods_promised_provisionally_are_free_for_their_own_wave(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", FAR): 1})
    placed = hub.orders.place_many([order(name, {"A": 1}) for name in "12"], offer=False)
    assert [one.state for one in placed] == [OrderState.WAITING] * 2
    assert not any(one.fulfilment_orders for one in placed)
    assert hub.stock.available("A") == 0
    wave = hub.sourcing.run_wave()
    assert [one.state for one in wave] == [OrderState.IN_FULFILMENT] * 2
    assert sorted(one.fulfilment_orders[0].node for one in wave) == [FAR, NEAR]
    assert hub.stock.available("A") == 0
    assert hub.sourcing.run_wave() == []


def test_cancelling_an_order_gives_its_provisional_goods_back(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    hub.orders.place(order("1", {"A": 1}), offer=False)
    hub.orders.cancel("shop", "1")
    assert hub.stock.available("A") == 1


def test_open_work_is_listed_by_node_and_paged(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("B", FAR): 1})
    hub.orders.place_many([order(name, {"A": 1}) for name in "123"])
    hub.orders.place(order("4", {"B": 1}))
    first = hub.fulfilment.open(node=NEAR, limit=2)
    rest = hub.fulfilment.open(node=NEAR, limit=2, after=first[-1].fulfilment)
    assert [one.external_id for one in (*first, *rest)] == ["1", "2", "3"]
    assert len(hub.fulfilment.open()) == 4


def test_every_change_is_announced_once_and_in_order(hub: OrderHub) -> None:
    from omo_core.storage import outbox

    stock(hub, {("A", NEAR): 1})
    placed = hub.orders.place(order("1", {"A": 1}))
    number = placed.fulfilment_orders[0].fulfilment
    hub.fulfilment.accept(number, key="a")
    hub.fulfilment.ship(number, key="s")
    facts = hub.run(lambda tx: outbox.read(tx, limit=100))
    about = [(fact.type, fact.version) for fact in facts if fact.subject == f"fulfilment/{number}"]
    assert about == [
        ("omo.fulfilment.offered.v1", 1),
        ("omo.fulfilment.accepted.v1", 2),
        ("omo.fulfilment.shipped.v1", 3),
    ]
    own = [fact.type for fact in facts if fact.subject == f"order/{placed.order}"]
    assert own == ["omo.order.in_fulfilment.v1", "omo.order.in_fulfilment.v1", "omo.order.fulfilled.v1"]


def test_what_was_short_is_served_once_it_arrives(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    part, none = hub.orders.place_many([order("1", {"A": 1, "B": 2}), order("2", {"C": 1})])
    assert (part.state, none.state) == (OrderState.IN_FULFILMENT, OrderState.UNFULFILLABLE)
    assert hub.sourcing.retry_short() == []
    stock(hub, {("B", FAR): 1, ("D", FAR): 1}, key="more")
    (retried,) = hub.sourcing.retry_short()
    assert [(one.node, one.attempt) for one in retried.fulfilment_orders] == [(NEAR, 1), (FAR, 2)]
    assert [(one.sku, one.missing) for one in retried.shortfalls] == [("B", 1)]
    assert hub.sourcing.retry_short() == []
    stock(hub, {("C", CLOSE): 1}, key="and more")
    assert [one.state for one in hub.sourcing.retry_short()] == [OrderState.IN_FULFILMENT]


def test_trying_again_in_vain_leaves_no_trace(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    (offer,) = hub.orders.place(order("1", {"A": 1})).fulfilment_orders
    hub.fulfilment.reject(offer.fulfilment, reason="broken", key="r")
    before = hub.orders.find("shop", "1")
    # The only unit lies where the node said no.
    assert hub.sourcing.retry_short() == [before]
    assert hub.orders.find("shop", "1") == before
