"""Every published Shopify payload beside this repository is read as an order, as an event, or refused with a reason."""

import csv
import hashlib
from decimal import Decimal
from pathlib import Path

import pytest

from omo_core.channels.port import EventKind
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.model.errors import UnreadableBody
from omo_core.model.values import parse_minor
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = ShopifyAdapter(ShopifyConfig(shop_domain="example.myshopify.com"))

# file -> (status, payment, what is left of each line, by how many minor units the money fails to add up)
ORDERS: dict[str, tuple[str, str, list[int], int]] = {
    "goshopify_order.json": ("cancelled", "voided", [1, 1], 0),
    "goshopify_order_with_transaction.json": ("cancelled", "voided", [1, 1], 0),
    "goshopify_orders.json": ("cancelled", "voided", [1, 1], 0),
    "hk_webhook_create_code_fixed20_4lines.json": ("open", "paid", [1, 1, 1, 1], 0),
    "hk_webhook_create_code_fixed_4lines.json": ("open", "paid", [1, 1, 1, 1], 0),
    "hk_webhook_create_code_fixed_plus_line_discount.json": ("open", "paid", [1, 1, 1], 0),
    "hk_webhook_create_line_discount_no_address.json": ("open", "paid", [1, 1, 1], 0),
    "jpy_order_1001.json": ("open", "paid", [1], 0),
    "jpy_order_1003.json": ("open", "paid", [1, 1, 1, 1], 0),
    "official_webhook_sample_2022_04_Order.json": ("cancelled", "voided", [1, 1], 0),
    "pln_order_100500.json": ("closed", "paid", [2, 3], 0),
    "pln_order_100510.json": ("open", "paid", [1], 0),
    "pyapi_order.json": ("open", "authorised", [1, 1, 1], -19900),
    "rb2026_orders_list.json": ("open", "partially_refunded", [0, 1, 0], 0),
    "rb_order_cancel_plain.json": ("open", "partially_refunded", [0, 1, 0], 0),
    "rb_order_close.json": ("closed", "partially_refunded", [0, 1, 0], 0),
    "rb_order_create_3lines_noaddr.json": ("open", "paid", [1, 1, 2], 0),
    "rb_order_create_EUR_noemail.json": ("open", "paid", [3], 0),
    "rb_order_create_fulfilled_a.json": ("closed", "paid", [1], 0),
    "rb_order_create_fulfilled_b.json": ("closed", "paid", [1], 0),
    "rb_order_create_jane_ship.json": ("open", "paid", [1], 0),
    "rb_order_create_partially_paid.json": ("open", "partially_paid", [1], 0),
    "rb_order_create_pending.json": ("open", "pending", [1], 0),
    "rb_order_create_taxlines_a.json": ("open", "paid", [1], 0),
    "rb_orders_authorized.json": ("open", "authorised", [0, 1, 0], 0),
    "rb_orders_guest_noemail_noaddress.json": ("open", "paid", [1], 0),
    "rb_orders_partially_refunded_discount_tenoff.json": ("open", "partially_refunded", [0, 1, 0], 0),
    "webhook_valmi_order_cancelled_0.json": ("cancelled", "refunded", [0, 0], 0),
    "webhook_valmi_order_fulfilled_0.json": ("closed", "paid", [1], 0),
}

# file -> (topic it is sent under, kind, subject)
WEBHOOKS: dict[str, tuple[str, EventKind, str | None]] = {
    "hk_webhook_create_code_fixed20_4lines.json": ("orders/create", EventKind.ORDER, "6198432301356"),
    "hk_webhook_create_code_fixed_4lines.json": ("orders/create", EventKind.ORDER, "6198424240428"),
    "hk_webhook_create_code_fixed_plus_line_discount.json": ("orders/create", EventKind.ORDER, "6200360403244"),
    "hk_webhook_create_line_discount_no_address.json": ("orders/create", EventKind.ORDER, "6200354537772"),
    "official_webhook_sample_2022_04_Checkout.json": ("checkouts/create", EventKind.OTHER, "981820079255243537"),
    "official_webhook_sample_2022_04_DraftOrder.json": ("draft_orders/create", EventKind.OTHER, "890612572568261625"),
    "official_webhook_sample_2022_04_Fulfillment.json": (
        "fulfillments/create",
        EventKind.OTHER,
        "820982911946154508",
    ),
    "official_webhook_sample_2022_04_FulfillmentEvent.json": (
        "fulfillment_events/create",
        EventKind.OTHER,
        "820982911946154508",
    ),
    "official_webhook_sample_2022_04_InventoryItem.json": (
        "inventory_items/create",
        EventKind.OTHER,
        "271878346596884015",
    ),
    "official_webhook_sample_2022_04_InventoryLevel.json": ("inventory_levels/update", EventKind.OTHER, None),
    "official_webhook_sample_2022_04_Order.json": ("orders/cancelled", EventKind.CANCELLATION, "820982911946154508"),
    "official_webhook_sample_2022_04_OrderEdit.json": ("orders/edited", EventKind.ORDER, "820982911946154508"),
    "official_webhook_sample_2022_04_OrderTransaction.json": (
        "order_transactions/create",
        EventKind.OTHER,
        "820982911946154508",
    ),
    "official_webhook_sample_2022_04_Refund.json": ("refunds/create", EventKind.REFUND, "820982911946154508"),
    "official_webhook_sample_2022_04_TenderTransaction.json": (
        "tender_transactions/create",
        EventKind.OTHER,
        "820982911946154508",
    ),
    "webhook_valmi_order_cancelled_0.json": ("orders/cancelled", EventKind.CANCELLATION, "5364772372694"),
    "webhook_valmi_order_fulfilled_0.json": ("orders/fulfilled", EventKind.ORDER, "5361240244438"),
    "webhook_valmi_refund_created_0.json": ("refunds/create", EventKind.REFUND, "5364772372694"),
}

# file -> the reason it is no order
NO_ORDERS: dict[str, str] = {
    "goshopify_draft_order.json": "begins with 'draft_order', so it is no order",
    "goshopify_fulfillment.json": "begins with 'fulfillment', so it is no order",
    "goshopify_fulfillment_order.json": "begins with 'fulfillment_order', so it is no order",
    "goshopify_fulfillment_order_move.json": "begins with 'original_fulfillment_order', so it is no order",
    "goshopify_inventory_levels.json": "begins with 'inventory_levels', so it is no order",
    "goshopify_properties_empty_object.json": "begins with 'properties', so it is no order",
    "goshopify_properties_invalid0.json.txt": "line 4, column 1 of the body is not JSON",
    "goshopify_properties_object.json": "begins with 'properties', so it is no order",
    "goshopify_requested_fulfillment_service_id_number.json": "$ has no financial_status",
    "goshopify_transaction.json": "begins with 'transaction', so it is no order",
    "goshopify_valid.json": "$ has no financial_status",
    "goshopify_webhook.json": "begins with 'webhook', so it is no order",
    "official_webhook_sample_2022_04_Checkout.json": "$ has no financial_status",
    "official_webhook_sample_2022_04_DraftOrder.json": "DraftOrder",
    "official_webhook_sample_2022_04_Fulfillment.json": "'gid://shopify/Fulfillment/123456', which is no order",
    "official_webhook_sample_2022_04_FulfillmentEvent.json": "'gid://shopify/FulfillmentEvent/1234567', which is no",
    "official_webhook_sample_2022_04_InventoryItem.json": "'gid://shopify/InventoryItem/271878346596884015', which",
    "official_webhook_sample_2022_04_InventoryLevel.json": "'gid://shopify/InventoryLevel/",
    "official_webhook_sample_2022_04_OrderEdit.json": "begins with 'order_edit', so it is no order",
    "official_webhook_sample_2022_04_OrderTransaction.json": "'gid://shopify/OrderTransaction/120560818172775265', wh",
    "official_webhook_sample_2022_04_Refund.json": "'gid://shopify/Refund/890088186047892319', which is no order",
    "official_webhook_sample_2022_04_TenderTransaction.json": "$ has no financial_status",
    "pos_order_2017_float_money_partial.json": "$ has no id and begins with 'order_id', so it is no order",
    "pyapi_draft_order.json": "begins with 'draft_order', so it is no order",
    "pyapi_fulfillment.json": "begins with 'fulfillment', so it is no order",
    "pyapi_fulfillment_event.json": "begins with 'fulfillment_event', so it is no order",
    "pyapi_inventory_level.json": "begins with 'inventory_level', so it is no order",
    "pyapi_orders.json": "$.orders[0].line_items is missing or empty; send the whole order",
    "pyapi_refund.json": "begins with 'refund', so it is no order",
    "pyapi_refund_calculate.json": "begins with 'refund', so it is no order",
    "pyapi_transaction.json": "begins with 'transaction', so it is no order",
    "pyapi_transactions.json": "$.orders[0] has no financial_status",
    "rb_fulfillment_cancel.json": "begins with 'fulfillment', so it is no order",
    "rb_fulfillment_create.json": "begins with 'fulfillment', so it is no order",
    "rb_fulfillment_order_cancel.json": "begins with 'fulfillment_order', so it is no order",
    "rb_fulfillment_order_hold.json": "begins with 'fulfillment_order', so it is no order",
    "rb_fulfillment_order_move.json": "begins with 'original_fulfillment_order', so it is no order",
    "rb_fulfillment_orders_financial.json": "begins with 'fulfillment_orders', so it is no order",
    "rb_fulfillment_orders_of_order.json": "begins with 'fulfillment_orders', so it is no order",
    "rb_fulfillment_update_tracking.json": "begins with 'fulfillment', so it is no order",
    "rb_fulfillments_failure.json": "begins with 'fulfillments', so it is no order",
    "rb_inventory_adjust.json": "begins with 'inventory_level', so it is no order",
    "rb_inventory_set.json": "begins with 'inventory_level', so it is no order",
    "rb_refund_calculate_a.json": "begins with 'refund', so it is no order",
    "rb_refund_calculate_b.json": "begins with 'refund', so it is no order",
    "rb_refund_create_a.json": "begins with 'refund', so it is no order",
    "rb_refund_create_b_multicurrency.json": "begins with 'refund', so it is no order",
    "rb_refunds_list.json": "begins with 'refunds', so it is no order",
    "webhook_valmi_refund_created_0.json": "'gid://shopify/Refund/887837196502', which is no order",
}


# file -> (order, refunded to the buyer, units of lines, whether goods come back)
REFUNDS: dict[str, tuple[str, int, list[int], bool | None]] = {
    "pyapi_refund.json": ("450789469", 20900, [1, 1], None),
    "rb_refund_create_a.json": ("450789469", 4194, [1], False),
    "rb_refund_create_b_multicurrency.json": ("450789469", 500, [], False),
    "rb_refunds_list.json": ("450789469", 20900, [1, 1], None),
    "webhook_valmi_refund_created_0.json": ("5364772372694", 325656, [2, 2], False),
}

# file -> the reason it is no refund
NO_REFUNDS: dict[str, str] = {
    "official_webhook_sample_2022_04_Refund.json": "$.created_at is missing or empty",
    "pyapi_refund_calculate.json": "$.refund begins with 'shipping' and has no order_id",
    "rb_refund_calculate_a.json": "$.refund begins with 'shipping' and has no order_id",
    "rb_refund_calculate_b.json": "$.refund begins with 'shipping' and has no order_id",
}

# file -> (fulfilment order, location, finished, why it is on hold) of each
FULFILMENT_ORDERS: dict[str, list[tuple[str, str, bool, str | None]]] = {
    "goshopify_fulfillment_order.json": [
        ("255858046", "3183479", False, "incorrect_address: the apartment number is missing.")
    ],
    "rb_fulfillment_order_cancel.json": [("1046000824", "24826418", True, None)],
    "rb_fulfillment_order_hold.json": [
        ("1046000827", "24826418", False, "inventory_out_of_stock: Not enough inventory to complete this work.")
    ],
    "rb_fulfillment_orders_financial.json": [("1046000836", "24826418", False, None)],
    "rb_fulfillment_orders_of_order.json": [("1046000823", "24826418", False, None)],
}

# file -> (amount, lines it is split over) of each discount
DISCOUNTS: dict[str, list[tuple[int, int]]] = {
    "hk_webhook_create_code_fixed20_4lines.json": [(2000, 4), (500, 1)],
    "hk_webhook_create_code_fixed_4lines.json": [(1000, 4), (500, 1)],
    "hk_webhook_create_code_fixed_plus_line_discount.json": [(1000, 3), (500, 1)],
    "hk_webhook_create_line_discount_no_address.json": [(500, 1)],
    "official_webhook_sample_2022_04_Order.json": [(500, 1)],
    "rb2026_orders_list.json": [(1000, 3)],
    "rb_order_cancel_plain.json": [(1000, 3)],
    "rb_order_close.json": [(1000, 3)],
    "rb_order_create_jane_ship.json": [(1791, 1)],
    "rb_orders_authorized.json": [(1000, 3)],
    "rb_orders_partially_refunded_discount_tenoff.json": [(1000, 3)],
    "webhook_valmi_order_cancelled_0.json": [(0, 0)],
}


def body_of(name: str) -> bytes:
    return (FACTS / "samples" / "shopify" / name).read_bytes()


def test_the_tables_name_every_sample_once(channel_facts: Path) -> None:
    files = {file.name for file in (channel_facts / "samples" / "shopify").iterdir()}
    payloads = {name for name in files if not name.endswith(".source.txt")}
    assert payloads == ORDERS.keys() | NO_ORDERS.keys()
    assert not ORDERS.keys() & NO_ORDERS.keys()
    assert {name for name in payloads if "webhook_" in name} - {"goshopify_webhook.json"} == WEBHOOKS.keys()


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_read(name: str) -> None:
    status, payment, left, imbalance_minor = ORDERS[name]
    (order,) = ADAPTER.parse_orders(body_of(name))
    assert order.amounts is not None
    assert (order.status, order.payment) == (status, payment)
    assert [line.current_quantity for line in order.lines] == left
    assert order.amounts.imbalance_minor == imbalance_minor
    assert order.body_sha256 == hashlib.sha256(body_of(name)).hexdigest()


@pytest.mark.parametrize("name", ORDERS)
def test_discounts_are_split_as_the_channel_split_them(name: str) -> None:
    (order,) = ADAPTER.parse_orders(body_of(name))
    assert [(one.amount_minor, len(one.shares)) for one in order.discounts] == DISCOUNTS.get(name, [])
    assert order.amounts is not None
    if order.discounts:
        assert sum(one.amount_minor for one in order.discounts) == order.amounts.discount_minor
    assert {one.code.value for one in order.oddities} <= {"no_item_code", "money_does_not_add_up"}


def test_the_tables_name_every_refund_and_fulfilment_order(channel_facts: Path) -> None:
    files = {file.name for file in (channel_facts / "samples" / "shopify").iterdir() if file.suffix == ".json"}
    refunds = {name for name in files if "_refund" in name or "_Refund" in name} - ORDERS.keys()
    assert refunds == REFUNDS.keys() | NO_REFUNDS.keys()
    work = {name for name in files if "_fulfillment_order" in name and not name.endswith("_move.json")}
    assert work == FULFILMENT_ORDERS.keys()


@pytest.mark.parametrize("name", REFUNDS)
def test_a_refund_is_read(name: str) -> None:
    order, refunded_minor, quantities, comes_back = REFUNDS[name]
    notice = ADAPTER.parse_refund(body_of(name))
    assert (notice.external_id, notice.refund.refunded_to_buyer_minor) == (order, refunded_minor)
    assert [quantity for _, quantity in notice.refund.quantities] == quantities
    assert (notice.returns_goods, notice.refund.status) == (comes_back, "done")


@pytest.mark.parametrize("name", NO_REFUNDS)
def test_what_is_no_refund_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(UnreadableBody) as refusal:
        ADAPTER.parse_refund(body_of(name))
    assert NO_REFUNDS[name] in str(refusal.value)


@pytest.mark.parametrize("name", FULFILMENT_ORDERS)
def test_a_fulfilment_order_is_read(name: str) -> None:
    work = ADAPTER.parse_fulfilment_orders(body_of(name))
    assert [(one.fulfilment_order, one.location, one.finished, one.hold_reason) for one in work] == FULFILMENT_ORDERS[
        name
    ]


@pytest.mark.parametrize("name", NO_ORDERS)
def test_what_is_no_order_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(UnreadableBody) as refusal:
        ADAPTER.parse_orders(body_of(name))
    assert NO_ORDERS[name] in str(refusal.value)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_a_webhook_is_understood(name: str) -> None:
    topic, kind, subject = WEBHOOKS[name]
    event = ADAPTER.parse_event({"X-Shopify-Topic": topic, "X-Shopify-Webhook-Id": "w-1"}, body_of(name))
    assert (event.topic, event.kind, event.subject, event.event_key) == (topic, kind, subject, "w-1")
    assert (event.refund is not None) == (name in REFUNDS)
    if topic in ("orders/edited", "refunds/create"):
        assert event.fetch[0].url == f"https://example.myshopify.com/admin/api/2025-07/orders/{subject}.json"


def test_the_money_adds_up_wherever_the_fact_sheet_says_so(channel_facts: Path) -> None:
    with (channel_facts / "balance.tsv").open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["file"].startswith("shopify/")]
    checked = 0
    for row in rows:
        name = row["file"].removeprefix("shopify/")
        if name not in ORDERS:
            assert name == "official_webhook_sample_2022_04_Checkout.json"
            continue
        (order,) = ADAPTER.parse_orders(body_of(name))
        assert order.amounts is not None
        if row["rule"].endswith("=total_price"):
            computed = parse_minor(Decimal(row["computed"]), order.currency)
            stated = parse_minor(Decimal(row["stated"]), order.currency)
            assert (order.amounts.computed_total_minor, order.amounts.total_minor) == (computed, stated), name
            assert (order.amounts.imbalance_minor == 0) == (row["result"] == "ok"), name
            checked += 1
        elif row["result"] == "ok":
            allocated = sum(line.amounts.discount_minor for line in order.lines if line.amounts)
            assert allocated == order.amounts.discount_minor == parse_minor(Decimal(row["stated"]), order.currency)
            checked += 1
    assert checked > 35


def test_details_of_real_orders() -> None:
    (order,) = ADAPTER.parse_orders(body_of("webhook_valmi_order_cancelled_0.json"))
    assert order.amounts is not None
    assert (order.currency, order.test, order.cancel_reason) == ("INR", True, "customer")
    assert order.source_version == 1705052160 * 1_000_000
    assert [line.sku for line in order.lines] == ["sku-managed-1", None]
    assert [(one.refunded_to_buyer_minor, one.quantities) for one in order.refunds] == [
        (325656, (("13347497050326", 2), ("13347497083094", 2)))
    ]
    (paid,) = ADAPTER.parse_orders(body_of("hk_webhook_create_code_fixed20_4lines.json"))
    assert [(one.method, one.amount_minor) for one in paid.payments] == [("manual", 39400)]
    assert paid.amounts is not None
    assert (paid.buyer, paid.amounts.presentment_total_minor) == ("8658316394796", 39400)
    (card,) = ADAPTER.parse_orders(body_of("webhook_valmi_order_fulfilled_0.json"))
    assert [line.physical for line in card.lines] == [False]
    (yen,) = ADAPTER.parse_orders(body_of("jpy_order_1003.json"))
    assert yen.amounts is not None
    assert (yen.external_id, yen.amounts.total_minor) == ("4216043012249-fake", 23600)
    (bob,) = ADAPTER.parse_orders(body_of("pyapi_order.json"))
    assert bob.deliveries[0].address is not None
    assert bob.deliveries[0].address.point is not None
    assert bob.deliveries[0].address.point.latitude == 45.41634
    assert (bob.deliveries[0].service, bob.deliveries[0].address.country) == ("Free Shipping", "US")
