"""Every published payload of 微信小店 beside this repository is read."""

from pathlib import Path

import pytest

from omo_core.channels.port import EventKind
from omo_core.channels.wechat_shop import WechatShopAdapter
from omo_core.model.orders import OrderStatus, PaymentStatus
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = WechatShopAdapter()
FOLDER = FACTS / "samples" / "wechat_channels_shop"

# file -> (kind, subject, operations to fetch)
EVENTS = {
    "event_aftersale_created.json": (EventKind.REFUND, "12345", ["order/get", "aftersale/getaftersaleorder"]),
    "event_aftersale_refund_success.json": (EventKind.REFUND, "12345", ["order/get", "aftersale/getaftersaleorder"]),
    "event_order_pay.json": (EventKind.ORDER, "3705115058471208928", ["order/get"]),
}
ORDERS = {"order_detail_status200_all_refunded.json"}


def test_no_sample_is_forgotten(channel_facts: Path) -> None:
    files = {file.name for file in (channel_facts / "samples" / "wechat_channels_shop").iterdir()}
    assert {name for name in files if not name.endswith(".source.txt")} == EVENTS.keys() | ORDERS


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_says_what_to_fetch(name: str) -> None:
    event = ADAPTER.parse_event({":path": "/wechat?signature=x"}, (FOLDER / name).read_bytes())
    assert (event.kind, event.subject, [one.operation for one in event.fetch]) == EVENTS[name]


def test_an_order_that_was_refunded_after_it_was_sent() -> None:
    order = ADAPTER.parse_order((FOLDER / "order_detail_status200_all_refunded.json").read_bytes())
    assert (order.external_id, order.status, order.payment) == (
        "3713475752656242688",
        OrderStatus.CLOSED,
        PaymentStatus.REFUNDED,
    )
    (line,) = order.lines
    assert (line.line, line.sku, line.quantity, line.current_quantity) == ("10000043902725/1247535030", "d1", 1, 1)
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.imbalance_minor) == (1, 0)
    assert order.payments[0].paid_at is not None
    assert order.oddities == ()
