"""Held orders: goods are kept for them, and no node hears of them until the channel or the host lets them go."""

from __future__ import annotations

import json
from typing import Any

import pytest

from omo_core.hub import OrderHub
from omo_core.model.errors import DuplicateKeyMismatch
from omo_core.model.fulfilment import FulfilmentState, OrderState, PlacedOrder
from omo_core.model.orders import Order, OrderStatus
from omo_core.orders import Reevaluate, answer, look, record_wave
from omo_core.orders.holding import HOLD_TOO_LATE
from omo_core.storage import outbox
from tests.orders.conftest import CLOSE, FAR, NEAR, order, stock

UNPAID = "the payment is pending"


def held(number: str, quantities: dict[str, int], **changes: Any) -> Order:
    return order(number, quantities, **{"hold_reason": UNPAID, **changes})


def facts(hub: OrderHub) -> list[tuple[str, dict[str, Any]]]:
    found = hub.run(outbox.read, read_only=True)
    return [(fact.type, json.loads(fact.data)) for fact in found]


def stands(hub: OrderHub, number: str = "1") -> PlacedOrder:
    placed = hub.orders.find("shop", number)
    assert placed is not None
    return placed


def test_goods_are_kept_and_nobody_is_offered_them(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3})
    placed = hub.orders.place(held("1", {"A": 2}))
    assert (placed.state, placed.held, placed.fulfilment_orders) == (OrderState.HELD, True, ())
    assert hub.stock.available("A") == 1
    assert hub.fulfilment.open() == []
    assert [kind for kind, _ in facts(hub)] == ["omo.order.held.v1"]
    assert facts(hub)[0][1]["held"] is True
    assert hub.orders.page(state=OrderState.HELD) == [placed]
    assert hub.audit().clean


def test_a_newer_version_without_a_reason_lets_it_go(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2})
    hub.orders.place(held("1", {"A": 2}))
    hub.orders.place(order("2", {"A": 2}))  # others cannot have what is kept
    paid = hub.orders.place(order("1", {"A": 2}, source_version=2))
    assert (paid.state, paid.held) == (OrderState.IN_FULFILMENT, False)
    assert [(one.node, one.state) for one in paid.fulfilment_orders] == [(NEAR, FulfilmentState.OFFERED)]
    assert stands(hub, "2").state is OrderState.UNFULFILLABLE
    assert "held" not in [data for kind, data in facts(hub) if kind == "omo.order.in_fulfilment.v1"][-1]
    assert hub.audit().clean


def test_both_versions_in_one_batch(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2})
    _, paid = hub.orders.place_many([held("1", {"A": 2}), order("1", {"A": 2}, source_version=2)])
    assert [(one.node, one.state) for one in paid.fulfilment_orders] == [(NEAR, FulfilmentState.OFFERED)]
    assert hub.stock.available("A") == 0


def test_a_newer_version_may_want_something_else_and_still_be_held(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("B", CLOSE): 1})
    hub.orders.place(held("1", {"A": 2}))
    changed = hub.orders.place(held("1", {"A": 1, "B": 1}, source_version=2))
    assert (changed.state, changed.fulfilment_orders) == (OrderState.HELD, ())
    assert [hub.stock.available(sku) for sku in "AB"] == [2, 0]
    assert hub.audit().clean


def test_what_no_node_has_of_it_is_said(hub: OrderHub) -> None:
    placed = hub.orders.place(held("1", {"A": 2}))
    assert (placed.state, [one.missing for one in placed.shortfalls]) == (OrderState.HELD, [2])
    stock(hub, {("A", NEAR): 5})
    assert hub.sourcing.retry_short() == []
    assert hub.orders.place(order("1", {"A": 2}, source_version=2)).state is OrderState.IN_FULFILMENT


def test_waves_pass_it_by(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3})
    hub.orders.place_many([held("1", {"A": 2}), order("2", {"A": 1})], offer=False)
    assert [one.external_id for one in hub.sourcing.run_wave()] == ["2"]
    assert stands(hub).state is OrderState.HELD
    freed = hub.orders.place(order("1", {"A": 2}, source_version=2), offer=False)
    assert (freed.state, freed.fulfilment_orders) == (OrderState.WAITING, ())
    (waved,) = hub.sourcing.run_wave()
    assert [one.node for one in waved.fulfilment_orders] == [NEAR]


def test_a_hold_that_comes_before_its_wave_is_recorded_is_seen(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3})
    hub.orders.place(order("1", {"A": 2}), offer=False)
    context, question = hub.run(lambda tx: (hub.context(tx), look(tx, hub.context(tx))))
    ahead = answer(question, context)
    hub.orders.place(held("1", {"A": 2}, source_version=2))
    hub.run(lambda tx: record_wave(tx, hub.context(tx), question, ahead))
    assert (stands(hub).state, stands(hub).fulfilment_orders) == (OrderState.HELD, ())
    assert hub.stock.available("A") == 1


def test_an_offer_is_taken_back_and_its_goods_stay(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2})
    hub.orders.place(order("1", {"A": 2}))
    stopped = hub.orders.place(held("1", {"A": 2}, source_version=2))
    (offer,) = stopped.fulfilment_orders
    assert (stopped.state, offer.state, offer.reject_code) == (OrderState.HELD, FulfilmentState.CANCELLED, "held")
    assert hub.stock.available("A") == 0
    assert hub.fulfilment.accept(offer.fulfilment, key="a").refusals[0].code == "wrong_state"
    assert ("omo.fulfilment.cancelled.v1", offer.fulfilment) in [
        (kind, data.get("fulfilment")) for kind, data in facts(hub)
    ]
    again = hub.orders.place(order("1", {"A": 2}, source_version=3))
    assert [(one.node, one.state.value) for one in again.fulfilment_orders] == [(NEAR, "cancelled"), (NEAR, "offered")]
    assert hub.audit().clean


def test_a_node_that_has_accepted_goes_on_and_that_is_told(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("A", CLOSE): 1})
    first, second = hub.orders.place(order("1", {"A": 3})).fulfilment_orders
    hub.fulfilment.accept(first.fulfilment, key="a")
    stopped = hub.orders.place(held("1", {"A": 3}, source_version=2))
    assert (stopped.state, stopped.held) == (OrderState.IN_FULFILMENT, True)
    assert [one.state.value for one in stopped.fulfilment_orders] == ["accepted", "cancelled"]
    assert [data["fulfilment"] for kind, data in facts(hub) if kind == HOLD_TOO_LATE] == [first.fulfilment]
    assert hub.stock.available("A") == 0
    hub.fulfilment.ship(first.fulfilment, key="s")
    assert stands(hub).state is OrderState.HELD
    let_go = hub.orders.place(order("1", {"A": 3}, source_version=3))
    assert [one.state.value for one in let_go.fulfilment_orders] == ["shipped", "cancelled", "offered"]
    assert let_go.fulfilment_orders[2].lines[0].quantity == second.lines[0].quantity
    assert hub.audit().clean


def test_what_a_node_gives_back_of_it_is_kept_elsewhere(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("A", FAR): 2})
    (offer,) = hub.orders.place(order("1", {"A": 2})).fulfilment_orders
    hub.fulfilment.accept(offer.fulfilment, key="a")
    hub.orders.place(held("1", {"A": 2}, source_version=2))
    given = hub.fulfilment.reject(offer.fulfilment, reason="stopped", key="r")
    assert (given.order_state, given.offers) == (OrderState.HELD, ())
    assert {hold.node: hold.pending for hold in hub.stock.holds_of([str(given.order)]) if hold.pending} == {FAR: 2}


def test_what_a_till_takes_of_it_is_kept_elsewhere(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("A", FAR): 2})
    hub.orders.place(held("1", {"A": 2}))
    hub.stock.counter_sale(node=NEAR, sku="A", quantity=2, key="till")
    assert (stands(hub).state, stands(hub).fulfilment_orders) == (OrderState.HELD, ())
    assert hub.stock.available("A", node=FAR) == 0
    assert hub.audit().clean


def test_accepted_work_of_it_is_not_moved(hub: OrderHub) -> None:
    stock(hub, {("A", FAR): 1})
    (offer,) = hub.orders.place(order("1", {"A": 1})).fulfilment_orders
    hub.fulfilment.accept(offer.fulfilment, key="a")
    stock(hub, {("A", NEAR): 1}, key="more")
    hub.orders.place(held("1", {"A": 1}, source_version=2))
    moved = hub.sourcing.reevaluate(Reevaluate(key="n", accepted=True))
    assert (moved.orders_seen, moved.moved) == (0, ())


@pytest.mark.parametrize("how", ["cancel", "version", "closed"])
def test_an_order_that_is_over_gives_its_goods_back(hub: OrderHub, how: str) -> None:
    stock(hub, {("A", NEAR): 2, ("A", CLOSE): 1})
    first, _ = hub.orders.place(order("1", {"A": 3})).fulfilment_orders
    hub.fulfilment.accept(first.fulfilment, key="a")
    hub.orders.place(held("1", {"A": 3}, source_version=2))
    if how == "cancel":
        hub.orders.cancel("shop", "1")
    else:
        status = OrderStatus.CANCELLED if how == "version" else OrderStatus.CLOSED
        hub.orders.place(held("1", {"A": 3}, source_version=3, status=status))
    assert stands(hub).state is (OrderState.FULFILLED if how == "closed" else OrderState.CANCELLED)
    assert hub.stock.available("A") == 3
    assert hub.audit().clean


def test_the_host_lets_it_go(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2})
    hub.orders.place(held("1", {"A": 2}))
    released = hub.orders.release("shop", "1", key="ok")
    assert (released.order_state, [one.node for one in released.offers]) == (OrderState.IN_FULFILMENT, [NEAR])
    assert hub.orders.release("shop", "1", key="ok") == released
    assert hub.orders.release("shop", "1", key="again").refusals[0].code == "order_not_held"
    assert hub.orders.release("shop", "nobody", key="who").refusals[0].code == "unknown_order"
    with pytest.raises(DuplicateKeyMismatch):
        hub.orders.release("shop", "2", key="ok")
    assert hub.audit().clean


def test_a_release_stands_until_there_is_another_reason(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2})
    hub.orders.place(held("1", {"A": 2}))
    hub.orders.release("shop", "1", key="ok")
    noted = hub.orders.place(held("1", {"A": 2}, source_version=2, note="ring twice"))
    assert (noted.state, noted.held) == (OrderState.IN_FULFILMENT, False)
    wished = hub.orders.place(held("1", {"A": 2}, source_version=3, hold_reason="the buyer asks to cancel"))
    assert (wished.state, wished.held) == (OrderState.HELD, True)


def test_a_release_may_leave_the_choice_to_the_next_wave(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2})
    hub.orders.place(held("1", {"A": 2}), offer=False)
    released = hub.orders.release("shop", "1", key="ok", offer=False)
    assert (released.order_state, released.offers) == (OrderState.WAITING, ())
    assert [len(one.fulfilment_orders) for one in hub.sourcing.run_wave()] == [1]


def test_the_reason_is_in_the_document_alone(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2})
    hub.orders.place(held("1", {"A": 2}, hold_reason="Zebulon changed his mind"))
    document = hub.orders.document("shop", "1")
    assert document is not None
    assert document.hold_reason == "Zebulon changed his mind"
    assert "Zebulon" not in str(facts(hub)) + str(stands(hub))
    assert hub.orders.document("shop", "nobody") is None
    hub.orders.cancel("shop", "early")
    assert hub.orders.document("shop", "early") is None
