"""Every published payload of 抖店 beside this repository is read."""

import hashlib
from pathlib import Path

from omo_core.channels.douyin import DouyinAdapter
from omo_core.model.orders import OrderStatus, PaymentStatus
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = DouyinAdapter()
FOLDER = FACTS / "samples" / "douyin_shop"


def test_no_sample_is_forgotten(channel_facts: Path) -> None:
    files = {file.name for file in (channel_facts / "samples" / "douyin_shop").iterdir()}
    assert {name for name in files if not name.endswith(".source.txt")} == {"order_searchList_refund_after_ship.json"}


def test_an_order_that_was_refunded_after_it_was_sent() -> None:
    body = (FOLDER / "order_searchList_refund_after_ship.json").read_bytes()
    (order,) = ADAPTER.parse_orders(body)
    assert order == ADAPTER.parse_order(body)
    assert order.body_sha256 == hashlib.sha256(body).hexdigest()
    assert (order.external_id, order.status, order.payment) == (
        "6936476692437472563",
        OrderStatus.CLOSED,
        PaymentStatus.REFUNDED,
    )
    (line,) = order.lines
    assert (line.line, line.sku, line.listing) == ("6936476692437472563", "112233", "3410716076201730")
    assert (line.quantity, line.current_quantity) == (1, 1)
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.imbalance_minor) == (1, 0)
    assert order.payments[0].payment == "2024111822001496911406999482"
    address = order.deliveries[0].address
    assert address is not None
    assert (address.region, address.city, address.district, address.street) == (
        "福建省",
        "厦门市",
        "思明区",
        ("莲前街道",),
    )
    assert address.masked
    assert address.token is not None
    assert order.deliveries[0].ship_by is not None
    assert order.deliveries[0].ship_by.isoformat() == "2024-11-19T15:59:59+00:00"
    assert order.oddities == ()
