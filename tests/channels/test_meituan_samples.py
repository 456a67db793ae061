"""Every published payload of Meituan beside this repository is read."""

import json
from pathlib import Path
from urllib.parse import urlencode

from omo_core.channels.meituan import MeituanAdapter
from omo_core.channels.port import EventKind
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import OrderStatus, PaymentStatus, RefundStatus
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

FOLDER = FACTS / "samples" / "meituan_waimai"
ADAPTER = MeituanAdapter()


def pushed(name: str) -> bytes:
    return urlencode(json.loads((FOLDER / name).read_text("utf-8"))).encode()


def test_no_sample_is_forgotten(channel_facts: Path) -> None:
    files = {file.name for file in (channel_facts / "samples" / "meituan_waimai").iterdir()}
    assert {name for name in files if not name.endswith(".source.txt")} == {
        "order_push_form_callback_urlencoded.json",
        "refund_push_callback_apply.json",
    }


def test_a_pushed_order_to_be_paid_at_the_door() -> None:
    event = ADAPTER.parse_event({}, pushed("order_push_form_callback_urlencoded.json"))
    order = event.order
    assert order is not None
    assert (event.kind, order.external_id, order.display_number) == (
        EventKind.ORDER,
        "2358135573",
        "14069472706963755",
    )
    assert (order.status, order.payment, order.payments) == (OrderStatus.OPEN, PaymentStatus.PENDING, ())
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.shipping_minor, order.amounts.imbalance_minor) == (5250, 900, 0)
    assert [(one.line, one.title, one.amounts and one.amounts.gross_minor) for one in order.lines] == [
        ("food_code01/food_code01", "烤翅", 4350)
    ]
    (delivery,) = order.deliveries
    assert (delivery.method, delivery.pickup_node) == (DeliveryMethod.ONE_HOUR, "test_poi_01")
    assert delivery.address is not None
    assert (delivery.address.recipient, delivery.address.street) == (
        "赵 (女士)",
        ("昌都气象宾馆 (昌都气象宾馆)",),
    )
    assert order.oddities == ()


def test_a_refund_that_is_granted_by_itself() -> None:
    """It holds no money: the whole order is refunded, and must be fetched."""
    event = ADAPTER.parse_event({}, pushed("refund_push_callback_apply.json"))
    assert (event.kind, event.topic, event.subject) == (EventKind.REFUND, "refund/apply", "2100849052260077854")
    assert [one.operation for one in event.fetch] == ["order/getOrderDetail"]
    order = pushed("order_push_form_callback_urlencoded.json")
    fetched = ADAPTER.parse_fetched(event, order)
    assert fetched.refund is not None
    assert (fetched.refund.refund.refund, fetched.refund.refund.status) == ("65295873034", RefundStatus.DONE)
    assert fetched.refund.refund.refunded_to_buyer_minor == 5250
