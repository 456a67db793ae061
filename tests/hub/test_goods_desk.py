"""The goods side of the stock desk: what it sends, what it shows, and that orders hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from omo_core import (
    AdjustReason,
    Expected,
    ExpectReceipt,
    OrderHub,
    OrderState,
    Shipped,
    ShipTransfer,
    StockAnswer,
)
from omo_core.storage.clock import ManualClock
from tests.orders.conftest import CLOSE, NEAR, NETWORK, NOON, order, stock


@pytest.fixture
def hub(shop_url: str) -> Iterator[OrderHub]:
    with OrderHub.open(shop_url, clock=ManualClock(NOON)) as opened:
        opened.network.load(NETWORK)
        yield opened
        assert opened.audit().findings == ()


def test_goods_that_a_count_does_not_find_send_their_order_elsewhere(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", CLOSE): 1})
    placed = hub.orders.place(order("1", {"A": 1}))
    assert placed.fulfilment_orders[0].node == NEAR
    answer = hub.stock.count(node=NEAR, sku="A", quantity=0, key="count")
    assert [one.owner for one in answer.displaced] == [placed.order]
    moved = hub.orders.find("shop", "1")
    assert moved is not None
    assert [(one.node, one.reject_code) for one in moved.fulfilment_orders if one.reject_code is None] == [
        (CLOSE, None)
    ]
    assert moved.state is OrderState.IN_FULFILMENT


def test_what_is_adjusted_taken_back_and_counted_shows_in_levels_and_tasks(hub: OrderHub) -> None:
    assert hub.stock.take_back(node=NEAR, sku="A", quantity=3, disposition="sellable", key="back").applied
    broken = hub.stock.adjust(node=NEAR, sku="A", quantity=-5, reason=AdjustReason.DAMAGE, key="broken")
    assert [one.quantity for one in broken.shortages] == [2]
    hub.stock.counter_sale(node=CLOSE, sku="A", quantity=1, key="till")
    first, second = hub.stock.count_tasks()
    assert [(task.sku, task.node, task.quantity) for task in (first, second)] == [("A", NEAR, 2), ("A", CLOSE, 1)]
    assert [task.node for task in hub.stock.count_tasks(node=CLOSE)] == [CLOSE]
    assert hub.stock.count_tasks(after=first.task, limit=1) == [second]
    assert hub.stock.count_tasks(after=second.task) == []
    hub.stock.count(node=NEAR, sku="A", quantity=4, key="count", counted_at=NOON)
    assert hub.stock.count_tasks() == [second]
    assert hub.stock.available("A") == 4


def test_what_is_on_its_way_is_shown_and_due(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5})
    tomorrow = NOON + timedelta(days=1)
    lines = (Shipped(sku="A", quantity=2),)
    sent = ShipTransfer(key="s", transfer="T", from_node=NEAR, to_node=CLOSE, lines=lines, due_at=tomorrow)
    assert hub.stock.apply(sent).applied
    announced = (Expected(sku="A", quantity=7, due_at=tomorrow),)
    assert hub.stock.apply(ExpectReceipt(key="e", inbound="ASN", node=NEAR, lines=announced)).applied
    assert hub.stock.inbound_due(["A"], by=tomorrow) == {("A", CLOSE): 2, ("A", NEAR): 7}
    assert hub.stock.inbound_due(["A"], by=NOON) == {}
    assert [one.lines[0].in_transit for one in hub.stock.transfers(["T", "U"])] == [2]
    assert hub.stock.open_transfers(node=CLOSE) == hub.stock.transfers(["T"])
    assert [line.due for line in hub.stock.inbound([("ASN", NEAR)])] == [7]
    assert hub.stock.open_inbound(node=NEAR) == hub.stock.inbound([("ASN", NEAR)])


def test_counts_are_awaited_like_any_command(hub: OrderHub) -> None:
    async def both() -> list[StockAnswer]:
        counts = (hub.aio.stock.count(node=NEAR, sku=sku, quantity=2, key=f"count {sku}") for sku in "AB")
        return list(await asyncio.gather(*counts))

    assert [answer.applied for answer in asyncio.run(both())] == [True, True]
    assert hub.stock.available("A") == hub.stock.available("B") == 2
