"""Orders that are to be sent complete: all of a delivery goes on its way, or nothing does until all can."""

from __future__ import annotations

from omo_core.hub import OrderHub
from omo_core.model.fulfilment import OrderState
from omo_core.model.orders import Order
from omo_core.model.promised import QuotaKind
from omo_core.model.promises import SetQuota
from tests.orders.conftest import CLOSE, FAR, NEAR, order, stock


def test_nothing_goes_until_all_can(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("B", NEAR): 1})
    placed = hub.orders.place(order("1", {"A": 1, "B": 2}, ship_complete=True))
    assert (placed.state, placed.fulfilment_orders) == (OrderState.UNFULFILLABLE, ())
    assert {one.sku: one.missing for one in placed.shortfalls} == {"A": 1, "B": 2}
    assert hub.stock.available("A") == 2
    stock(hub, {("B", FAR): 1}, key="more")
    (retried,) = hub.sourcing.retry_short()
    assert {one.node for one in retried.fulfilment_orders} == {NEAR, FAR}
    assert not retried.shortfalls


def test_others_are_sent_as_far_as_goods_go(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", CLOSE): 1})
    placed = hub.orders.place(order("1", {"A": 1, "B": 2}))
    assert sum(line.quantity for one in placed.fulfilment_orders for line in one.lines) == 2


def test_what_a_quota_cuts_keeps_all_of_it_back_and_is_replayed(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 9, ("B", NEAR): 9})
    command = SetQuota(key="q", sku="B", channel="shop", quota_kind=QuotaKind.CAPPED, units=1)
    assert hub.stock.apply(command).applied
    one, other = hub.orders.place_many([order("1", {"A": 2, "B": 3}, ship_complete=True), order("2", {"B": 1})])
    assert {short.sku: short.missing for short in one.shortfalls} == {"A": 2, "B": 3}
    assert not one.fulfilment_orders
    assert hub.sourcing.replay(str(one.order)).differences == ()
    assert hub.sourcing.replay(str(other.order)).differences == ()
    assert hub.audit().clean


def test_the_wish_is_part_of_what_an_order_says_and_its_absence_changes_no_digest() -> None:
    plain = order("1", {"A": 1})
    assert "ship_complete" not in plain.canonical_json()
    asked = order("1", {"A": 1}, ship_complete=True)
    assert asked.digest() != plain.digest()
    assert Order.model_validate_json(asked.canonical_json()) == asked


def test_an_order_that_is_no_more_to_be_sent_complete_is_sourced_anew(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1})
    hub.orders.place(order("1", {"A": 1, "B": 1}, ship_complete=True))
    placed = hub.orders.place(order("1", {"A": 1, "B": 1}, source_version=2))
    assert [one.node for one in placed.fulfilment_orders] == [NEAR]
