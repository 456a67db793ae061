"""The contract suite over Shopify: messages that hold orders, and orders fetched with their fulfilment orders."""

import json
from typing import Any

from omo_core.channels.intents import StockMode
from omo_core.channels.port import RefundNotice
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.model.orders import (
    Discount,
    DiscountShare,
    Funder,
    Order,
    OrderStatus,
    Payment,
    Refund,
)
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.samples import Samples
from omo_core.testing.writers import write_shopify_order, write_shopify_refund
from omo_core.testing.writers.shopify import shopify_order_document
from tests.channels.orders import NOON, plain_order

SECRET = "correct horse"
ORDER = plain_order()
CANCELLED = ORDER.model_copy(update={"status": OrderStatus.CANCELLED, "cancelled_at": NOON})
REFUNDED = RefundNotice(
    channel="shopify",
    external_id="820982911946154508",
    refund=Refund(refund="77", created_at=NOON, refunded_to_buyer_minor=1200, quantities=(("11", 1),), reason="broken"),
    updated_at=NOON,
    returns_goods=True,
)


def rich_order() -> Order:
    """The plain order with a code that takes 1.00 off a line and 2.00 off shipping, paid in cash with change."""
    assert ORDER.amounts is not None
    code = Discount(
        discount="MUGS",
        funder=Funder.SELLER,
        amount_minor=300,
        shares=(DiscountShare(line="11", amount_minor=100),),
        shipping_minor=200,
    )
    return ORDER.model_copy(
        update={
            "amounts": ORDER.amounts.model_copy(
                update={
                    "discount_minor": 300,
                    "rounding_minor": 2,
                    "total_minor": 3702,
                    "presentment_total_minor": 120000,
                }
            ),
            "presentment_currency": "TWD",
            "discounts": (code,),
            "payments": (
                Payment(payment="901", method="cash", amount_minor=4000, paid_at=NOON),
                Payment(payment="902", method="cash", amount_minor=-298),
            ),
            "buyer": "207119551",
            "hold_reason": "on_hold",
            "refunds": (REFUNDED.refund,),
        }
    )


def work(**changes: Any) -> dict[str, Any]:
    """A fulfilment order of the plain order's first line."""
    return {
        "id": 1046000823,
        "order_id": 820982911946154508,
        "assigned_location_id": 655441491,
        "status": "open",
        "request_status": "unsubmitted",
        "fulfillment_holds": [],
        "delivery_method": {"id": 1, "method_type": "shipping"},
        "updated_at": "2026-11-21T12:00:05Z",
        "line_items": [{"id": 1058737564, "line_item_id": 11, "quantity": 2, "fulfillable_quantity": 2}],
    } | changes


ORDER_DOCUMENT = json.dumps({"order": shopify_order_document(ORDER)}).encode()
WORK = json.dumps({"fulfillment_orders": [work()]}).encode()
TWO_WAYS = json.dumps(
    {
        "fulfillment_orders": [
            work(),
            work(
                id=1046000824,
                delivery_method={"method_type": "pick_up"},
                status="on_hold",
                fulfillment_holds=[{"reason": "inventory_out_of_stock", "reason_notes": "not enough"}],
                line_items=[{"id": 1058737565, "line_item_id": 12, "quantity": 1, "fulfillable_quantity": 1}],
            ),
        ]
    }
).encode()


class TestShopify(ChannelAdapterContract):
    samples = Samples(location="655441491", modes=tuple(StockMode))
    fuzzed = 2_500
    adapter = ShopifyAdapter(ShopifyConfig(secrets=(SECRET,), shop_domain="example.myshopify.com"))
    refunds = (write_shopify_refund(REFUNDED, secret=SECRET)[1],)
    messages = (
        write_shopify_order(ORDER, secret=SECRET, webhook_id="w-1"),
        write_shopify_order(CANCELLED, secret=SECRET, topic="orders/cancelled", webhook_id="w-2"),
        write_shopify_order(ORDER, secret=SECRET),
        write_shopify_order(rich_order(), secret=SECRET, topic="orders/paid"),
        write_shopify_refund(REFUNDED, secret=SECRET, webhook_id="w-3"),
    )


class TestShopifyWithFulfilmentOrders(ChannelAdapterContract):
    samples = Samples(location="655441491", modes=tuple(StockMode))
    fuzzed = 1_250
    adapter = ShopifyAdapter(
        ShopifyConfig(
            secrets=(SECRET,), shop_domain="example.myshopify.com", api_version="2026-04", fulfilment_orders=True
        )
    )
    messages = (
        write_shopify_order(ORDER, secret=SECRET, webhook_id="w-1"),
        write_shopify_order(CANCELLED, secret=SECRET, topic="orders/cancelled", webhook_id="w-2"),
    )
    documents = ((ORDER_DOCUMENT, WORK), (ORDER_DOCUMENT, TWO_WAYS))
