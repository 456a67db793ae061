"""Every published Shopee payload beside this repository is read, or refused for a stated reason.

No order detail is published as a payload, only its fields: the documents here are returns, pushes, lists and answers.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from omo_core.channels.intents import FetchOrder, ListChanges, Request, Response
from omo_core.channels.port import EventKind
from omo_core.channels.shopee import ShopeeAdapter, ShopeeConfig
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import Funder, RefundStatus
from omo_core.testing.samples import Samples
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = ShopeeAdapter(ShopeeConfig(shop_id="727720655"))

# Returns -> the order, refund, minor units, status, quantities, whether goods come back.
RETURNS: dict[str, tuple[str, str, int, RefundStatus, tuple[tuple[str, int], ...], bool]] = {
    "returns_get_return_detail.json": (
        "220614T9XV8JTN",
        "2206140TA5PM808",
        1397,
        RefundStatus.AGREED,
        (("2700126223-2001586745", 1),),
        True,
    ),
    "returns_get_return_list.json": (
        "200203C6W0AR27",
        "200203171852695",
        140900,
        RefundStatus.REFUSED,
        (("2147533133-0", 1),),
        True,
    ),
}
LISTS = {"order_get_order_list.json": 10}
PUSHES = "push_get_lost_push_message.json"
ESCROW = "payment_get_escrow_detail.json"

# Answers to calls of ours -> the operation that they answer, and whether every item was taken.
ANSWERS = {
    "logistics_ship_order.json": ("ship_order", True),
    "logistics_update_shipping_order.json": ("update_shipping_order", True),
    "order_cancel_order.json": ("cancel_order", True),
    "order_handle_buyer_cancellation.json": ("handle_buyer_cancellation", True),
    "product_update_stock.json": ("update_stock", False),
    "push_set_app_push_config.json": ("set_app_push_config", True),
    "returns_confirm.json": ("confirm", True),
}

# Documents that have a number of an order and are no order detail -> why.
REFUSED = {
    "logistics_get_shipping_parameter.json": "$.response begins with 'info_needed', so it is no order",
    "logistics_get_tracking_number.json": "$.response begins with 'tracking_number', so it is no order",
    "order_get_booking_detail.json": "$.response begins with 'booking_list', so it is no order",
    "order_get_order_list.json": "$.response.order_list[0] begins with 'order_sn', so it is no order",
    "order_get_package_detail.json": "$.response begins with 'package_list', so it is no order",
    "order_get_shipment_list.json": "$.response.order_list[0] begins with 'order_sn', so it is no order",
    "order_search_package_list.json": "$.response begins with 'packages_list', so it is no order",
    "order_split_order.json": "$.response begins with 'order_sn', so it is no order",
    "payment_get_escrow_detail.json": "the documents hold 0 orders",
    "product_update_price.json": "$.response begins with 'failure_list', so it is no order",
    "push_get_app_push_config.json": "$.response begins with 'callback_url', so it is no order",
}


def body_of(name: str) -> bytes:
    return (FACTS / "samples" / "shopee" / name).read_bytes()


def test_the_tables_name_every_sample(channel_facts: Path) -> None:
    files = {file.name for file in (channel_facts / "samples" / "shopee").iterdir()}
    payloads = {name for name in files if not name.endswith(".source.txt") and not name.startswith("fielddoc_")}
    assert payloads == RETURNS.keys() | LISTS.keys() | {PUSHES, ESCROW} | ANSWERS.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", RETURNS)
def test_a_return_is_read(name: str) -> None:
    order, refund, minor, status, quantities, goods = RETURNS[name]
    notice = ADAPTER.parse_refund(body_of(name))
    assert (notice.external_id, notice.refund.refund, notice.returns_goods) == (order, refund, goods)
    assert (notice.refund.refunded_to_buyer_minor, notice.refund.status) == (minor, status)
    assert notice.refund.quantities == quantities


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_order_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(UnreadableBody) as refusal:
        ADAPTER.parse_orders(body_of(name))
    assert REFUSED[name] in str(refusal.value)


def test_a_list_names_what_to_fetch() -> None:
    intent = next(one for one in Samples().intents() if isinstance(one, ListChanges))
    for name, length in LISTS.items():
        page = ADAPTER.read_page(intent, body_of(name))
        assert len(page.references) == length
        assert page.references[0].external_id == "201218V2Y6E59M"
        assert page.following is not None
        assert page.following.cursor == "20"


def test_a_lost_push_says_what_to_fetch() -> None:
    lost = ADAPTER.read_lost_pushes(body_of(PUSHES))
    (event,) = lost.events
    assert (event.kind, event.topic, event.subject) == (EventKind.ORDER, "order_status_push", "220810QSK8S7BX")
    assert (lost.last_message_id, lost.more) == (176610, False)
    inner = json.loads(body_of(PUSHES))["response"]["push_message_list"][0]["data"]
    pushed = ADAPTER.parse_event({}, json.dumps(inner).encode())
    assert (pushed.subject, pushed.fetch) == (event.subject, event.fetch)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read(name: str) -> None:
    operation, taken = ANSWERS[name]
    asked = b'{"item_id":1,"stock_list":[{"model_id":0}]}' if operation == "update_stock" else b""
    request = Request(url="https://partner.shopeemobile.com/", operation=operation, items=("1",), body=asked)
    intent = FetchOrder(key="f", external_id="220810QSK8S7BX")
    assert ADAPTER.read_answer(intent, request, Response(status=200, body=body_of(name))).ok == taken


def test_the_sellers_side_is_read_beside_its_order() -> None:
    """The published escrow has a placeholder in every field, so its parts do not add up; each is read all the same."""
    at = int(datetime(2022, 7, 25, tzinfo=UTC).timestamp())
    item: dict[str, int | str] = {
        "item_id": 800062998,
        "model_id": 0,
        "model_quantity_purchased": 1,
        "model_original_price": 139,
    }
    item["model_sku"] = "PRODUCT"
    detail = {"order_sn": "220725D58XURJS", "order_status": "COMPLETED", "currency": "TWD", "item_list": [item]}
    body = json.dumps({"response": {"order_list": [detail | {"create_time": at, "update_time": at}]}}).encode()
    order = ADAPTER.parse_order(body, body_of(ESCROW))
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.line_gross_minor) == (9900, 13900)
    assert (order.amounts.discount_minor, order.amounts.platform_discount_minor) == (4020, 2020)
    assert (order.amounts.shipping_minor, order.amounts.fee_minor) == (10, 20)
    assert [(one.title, one.funder, one.amount_minor) for one in order.discounts] == [
        ("seller_discount", Funder.SELLER, 1000),
        ("shopee_discount", Funder.PLATFORM, 1000),
        ("voucher_from_seller", Funder.SELLER, 1000),
        ("voucher_from_shopee", Funder.PLATFORM, 1000),
        ("coins", Funder.PLATFORM, 10),
        ("payment_promotion", Funder.PLATFORM, 10),
    ]
    assert [one.code for one in order.oddities] == ["money_does_not_add_up"]
