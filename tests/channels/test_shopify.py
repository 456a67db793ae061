"""Shopify's dialect, on bodies written by hand after its documentation."""

import json
from typing import Any

import pytest

from omo_core.channels.port import ChannelEvent, EventKind
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.channels.signing import sign_base64
from omo_core.model.errors import ForgedSignature, InvalidMoney, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Delivery, Order, OrderAmounts, OrderStatus, PaymentStatus
from omo_core.model.stock import Demand

ADAPTER = ShopifyAdapter(ShopifyConfig(shop_domain="shop.myshopify.com", locations={"655": "TPE-01"}))


def line(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {"id": number, "sku": f"SKU-{number}", "variant_id": 90 + number, "quantity": 2, "price": "10.00"} | changes


def document(**changes: Any) -> dict[str, Any]:
    """An order of 2 × 10.00 for 20.00 dollars."""
    return {
        "id": 820982911946154508,
        "name": "#1001",
        "created_at": "2026-11-21T07:00:00-05:00",
        "updated_at": "2026-11-21T07:00:01-05:00",
        "currency": "USD",
        "financial_status": "paid",
        "taxes_included": False,
        "total_price": "20.00",
        "line_items": [line()],
    } | changes


def body(**changes: Any) -> bytes:
    return json.dumps(document(**changes)).encode()


def read(**changes: Any) -> Order:
    return ADAPTER.parse_order(body(**changes))


def amounts(**changes: Any) -> OrderAmounts:
    found = read(**changes).amounts
    assert found is not None
    return found


def event(topic: str, raw: bytes, **headers: str) -> ChannelEvent:
    return ADAPTER.parse_event({"X-Shopify-Topic": topic} | headers, raw)


def both(amount: str, currency: str = "USD") -> dict[str, Any]:
    return {
        "shop_money": {"amount": amount, "currency_code": currency},
        "presentment_money": {"amount": "99.99", "currency_code": "CAD"},
    }


def test_a_plain_order() -> None:
    order = read()
    assert (order.external_id, order.display_number) == ("820982911946154508", "#1001")
    assert order.updated_at.isoformat() == "2026-11-21T12:00:01+00:00"
    assert order.source_version == 1795262401 * 1_000_000
    assert (order.status, order.payment) == (OrderStatus.OPEN, PaymentStatus.PAID)
    assert [(one.line, one.sku, one.listing) for one in order.lines] == [("1", "SKU-1", "91")]
    assert order.deliveries == (Delivery(),)
    assert amounts().imbalance_minor == 0


def test_a_document_may_be_wrapped_or_listed() -> None:
    plain, other = document(), document(id=2)
    for wrapped in (plain, {"order": plain}, {"order": plain, "notice": "x"}, {"orders": [plain]}, [plain]):
        assert ADAPTER.parse_order(json.dumps(wrapped).encode()).external_id == "820982911946154508"
    both_orders = json.dumps({"orders": [plain, other]}).encode()
    assert [order.external_id for order in ADAPTER.parse_orders(both_orders)] == ["820982911946154508", "2"]
    with pytest.raises(UnreadableBody, match="holds 2 orders"):
        ADAPTER.parse_order(both_orders)
    assert ADAPTER.parse_orders(b'{"orders": []}') == ()


def test_every_part_of_the_money() -> None:
    lines = [
        line(1, price="10.00", discount_allocations=[{"amount": "1.00"}, {"amount": "0.50"}]),
        line(2, price="5.00", quantity=1, tax_lines=[{"price": "0.30"}, {"price": "0.10"}]),
    ]
    order = read(
        line_items=lines,
        total_discounts="3.50",
        discount_codes=[{"code": "X", "amount": "77.00"}],
        shipping_lines=[{"title": "Standard", "price": "6.00", "discount_allocations": [{"amount": "2.00"}]}],
        total_tax="0.40",
        total_tip_received="2.00",
        original_total_duties_set=both("1.25"),
        original_total_additional_fees_set=both("0.25"),
        total_price="31.40",
    )
    found = order.amounts
    assert found is not None
    assert [
        (one.amounts.gross_minor, one.amounts.discount_minor, one.amounts.tax_minor)
        for one in order.lines
        if one.amounts
    ] == [(2000, 150, 0), (500, 0, 40)]
    assert (found.line_gross_minor, found.discount_minor, found.shipping_minor) == (2500, 350, 600)
    assert (found.tax_minor, found.tip_minor, found.fee_minor) == (40, 200, 150)
    assert (found.total_minor, found.imbalance_minor) == (3140, 0)


def test_discounts_without_a_total_are_the_sum_of_their_allocations() -> None:
    shipping = [{"title": "S", "price": "6.00", "discount_allocations": [{"amount": "6.00"}]}]
    lines = [line(discount_allocations=[{"amount": "1.50"}])]
    found = amounts(line_items=lines, shipping_lines=shipping, total_price="18.50")
    assert (found.discount_minor, found.imbalance_minor) == (750, 0)


def test_taxes_that_are_included_are_not_added() -> None:
    found = amounts(taxes_included=True, total_tax="1.00", tax_lines=[{"price": "1.00"}])
    assert (found.tax_minor, found.imbalance_minor) == (100, 0)
    assert amounts(tax_lines=[{"price": "0.60"}, {"price": "0.40"}], total_price="21.00").imbalance_minor == 0


def test_a_tip_that_is_a_line_is_counted_once() -> None:
    tip = line(2, sku=None, quantity=1, price="3.00", tip={"payment_gateway": "x"})
    order = read(line_items=[line(), tip], total_tip_received="3.00", total_price="23.00")
    assert order.amounts is not None
    assert (order.amounts.tip_minor, order.amounts.imbalance_minor) == (0, 0)
    assert [one.physical for one in order.lines] == [True, False]


def test_duties_that_are_included_are_not_added() -> None:
    found = amounts(duties_included=True, original_total_duties_set=both("1.25"))
    assert (found.fee_minor, found.imbalance_minor) == (0, 0)


def test_money_that_does_not_add_up_says_by_how_much() -> None:
    assert amounts(total_price="19.99").imbalance_minor == -1


def test_currencies_have_their_own_digits() -> None:
    yen = amounts(currency="JPY", line_items=[line(price="5900")], total_price="11800")
    assert (yen.total_minor, yen.imbalance_minor) == (11800, 0)
    with pytest.raises(InvalidMoney, match=r"\$\.line_items\[0\]\.price cannot be used: .*0 decimals of JPY"):
        read(currency="JPY", line_items=[line(price="10.50")])
    with pytest.raises(InvalidMoney, match=r"\$\.currency: 'XBT' is not"):
        read(currency="XBT")
    with pytest.raises(
        InvalidMoney, match=r"original_total_duties_set\.shop_money\.currency_code is not the order's USD"
    ):
        read(original_total_duties_set=both("1.25", "EUR"))


def test_float_noise_is_read_at_the_till_and_nowhere_else() -> None:
    noisy = {"total_tax": "10.649999999999999", "total_price": "30.65"}
    assert amounts(source_name="pos", **noisy).tax_minor == 1065
    assert amounts(source_name="pos", **noisy).imbalance_minor == 0
    with pytest.raises(InvalidMoney, match="more than the 2 decimals"):
        amounts(**noisy)
    for not_noise in ("10.645", "10.6499", "10.65001"):
        with pytest.raises(InvalidMoney, match="more than the 2 decimals"):
            amounts(source_name="pos", total_tax=not_noise)


@pytest.mark.parametrize(
    ("changes", "physical", "sku"),
    [
        ({}, True, "SKU-1"),
        ({"requires_shipping": False}, False, "SKU-1"),
        ({"gift_card": True}, False, "SKU-1"),
        ({"requires_shipping": None, "gift_card": None}, True, "SKU-1"),
        ({"sku": ""}, True, None),
        ({"sku": None, "variant_id": None}, True, None),
        ({"sku": "  "}, True, None),
        ({"sku": " A-1 "}, True, "A-1"),
        ({"sku": 4711}, True, "4711"),
    ],
)
def test_what_a_line_says_of_its_goods(changes: dict[str, Any], physical: bool, sku: str | None) -> None:
    (found,) = read(line_items=[line(**changes)]).lines
    assert (found.physical, found.sku) == (physical, sku)


def test_what_is_left_of_a_line() -> None:
    refund = {
        "id": 7,
        "created_at": "2026-11-21T08:00:00-05:00",
        "refund_line_items": [{"line_item_id": 1, "quantity": 1}],
    }
    assert read(line_items=[line(current_quantity=0)], refunds=[refund]).lines[0].current_quantity == 0
    assert read(refunds=[refund]).lines[0].current_quantity == 1
    assert read(refunds=[refund, refund | {"id": 8}]).lines[0].current_quantity == 0
    assert read().lines[0].current_quantity == 2
    removed = read(refunds=[refund]).refunds[0]
    assert (removed.refunded_to_buyer_minor, removed.quantities) == (0, (("1", 1),))


def test_refunds_count_money_that_moved() -> None:
    refund = {
        "id": 7,
        "created_at": None,
        "processed_at": "2026-11-21T08:00:00-05:00",
        "refund_line_items": [
            {
                "line_item_id": 1,
                "quantity": 1,
                "subtotal": 9.99,
                "subtotal_set": both("10.00"),
                "total_tax_set": both("0.80"),
            },
        ],
        "order_adjustments": [{"amount_set": both("-5.00"), "tax_amount_set": both("-0.40")}],
        "transactions": [
            {"kind": "refund", "status": "success", "amount": "12.00", "currency": "USD"},
            {"kind": "refund", "status": "failure", "amount": "99.00", "currency": "USD"},
            {"kind": "void", "status": "success", "amount": "99.00", "currency": "USD"},
            {"kind": "refund", "status": "success", "amount": "0.50"},
        ],
    }
    (found,) = read(refunds=[refund]).refunds
    assert (found.refunded_to_buyer_minor, found.created_at.hour) == (1250, 13)
    in_canada = [{"kind": "refund", "status": "success", "amount": "22.00", "currency": "CAD"}]
    (found,) = read(refunds=[refund | {"transactions": in_canada}]).refunds
    assert found.refunded_to_buyer_minor == 1000 + 80 + 540
    (found,) = read(refunds=[refund | {"processed_at": None}]).refunds
    assert found.created_at == read().updated_at


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"cancelled_at": "2026-11-21T07:00:01-05:00", "closed_at": "2026-11-21T07:00:01-05:00"}, "cancelled"),
        ({"closed_at": "2026-11-21T07:00:01-05:00"}, "closed"),
        ({"fulfillment_status": "fulfilled"}, "closed"),
        ({"fulfillment_status": "partial"}, "open"),
        ({"financial_status": "refunded", "cancel_reason": "customer"}, "open"),
    ],
)
def test_the_status(changes: dict[str, Any], status: str) -> None:
    assert read(**changes).status == status


def test_a_payment_word_we_do_not_know_is_unknown() -> None:
    assert read(financial_status="on_the_house").payment is PaymentStatus.UNKNOWN
    assert read(financial_status=None).payment is PaymentStatus.UNKNOWN
    assert read(financial_status="authorized").payment is PaymentStatus.AUTHORISED


def address(**changes: Any) -> dict[str, Any]:
    return {
        "first_name": "Ann",
        "last_name": "Example",
        "company": None,
        "address1": "1 Main Street",
        "address2": "",
        "city": "",
        "zip": None,
        "province": None,
        "country_code": "HK",
    } | changes


def test_an_address_may_be_thin() -> None:
    found = read(shipping_address=address()).deliveries[0].address
    assert found is not None
    assert (found.recipient, found.street, found.city, found.postal_code, found.country, found.point) == (
        "Ann Example",
        ("1 Main Street",),
        None,
        None,
        "HK",
        None,
    )
    odd = (
        read(shipping_address=address(country_code="*", latitude="0.0", longitude=0, name="A. E."))
        .deliveries[0]
        .address
    )
    assert odd is not None
    assert (odd.country, odd.point, odd.recipient) == (None, None, "A. E.")
    placed = read(shipping_address=address(latitude=22.3, longitude="114.17")).deliveries[0].address
    assert placed is not None
    assert placed.point is not None
    assert (placed.point.latitude, placed.point.longitude) == (22.3, 114.17)


def test_pickup_and_one_hour_are_what_the_configuration_says() -> None:
    adapter = ShopifyAdapter(ShopifyConfig(pickup_nodes={"Taipei store": "TPE-01"}, one_hour_services=("Rush",)))

    def delivery(**changes: Any) -> Delivery:
        return adapter.parse_order(body(**changes)).deliveries[0]

    def services(name: str, **changes: Any) -> list[dict[str, Any]]:
        return [{"title": name, "code": name, "price": "0.00"} | changes]

    collected = delivery(shipping_lines=services("Taipei store"))
    assert (collected.method, collected.pickup_node, collected.service) == (
        DeliveryMethod.PICKUP,
        "TPE-01",
        "Taipei store",
    )
    travels = delivery(shipping_lines=services("Taipei store"), shipping_address=address())
    assert (travels.method, travels.pickup_node) == (DeliveryMethod.SHIP, None)
    assert delivery(shipping_lines=services("Rush"), shipping_address=address()).method is DeliveryMethod.ONE_HOUR
    assert delivery(shipping_lines=services("Other")).method is DeliveryMethod.SHIP
    gone = delivery(shipping_lines=services("Rush", is_removed=True) + services("Standard"))
    assert (gone.method, gone.service) == (DeliveryMethod.SHIP, "Standard")
    assert delivery(shipping_lines=services("Rush", title=None)).method is DeliveryMethod.ONE_HOUR


ATTRIBUTES = [
    {"name": "omo_method", "value": "pickup"},
    {"name": "omo_pickup_node", "value": "TPE-01"},
    {"name": "omo_deliver_by", "value": "2026-11-21T20:00:00+08:00"},
    {"name": "gift_wrap", "value": 3},
]


def test_note_attributes_decide_only_where_they_are_trusted() -> None:
    assert read(note_attributes=ATTRIBUTES).deliveries == (Delivery(),)
    trusting = ShopifyAdapter(ShopifyConfig(trust_note_attributes=True))
    (found,) = trusting.parse_order(body(note_attributes=ATTRIBUTES)).deliveries
    assert (found.method, found.pickup_node) == (DeliveryMethod.PICKUP, "TPE-01")
    assert found.deliver_by is not None
    assert found.deliver_by.hour == 12
    with pytest.raises(UnreadableBody, match="says omo_method 'drone'; use ship, pickup, one_hour"):
        trusting.parse_order(body(note_attributes=[{"name": "omo_method", "value": "drone"}]))
    with pytest.raises(UnreadableBody, match=r"\$\.note_attributes\.omo_deliver_by is 'soon'"):
        trusting.parse_order(body(note_attributes=[{"name": "omo_deliver_by", "value": "soon"}]))
    with pytest.raises(UnreadableBody, match="a pickup names its pickup_node"):
        trusting.parse_order(body(note_attributes=ATTRIBUTES[:1]))


def test_long_notes_are_cut_not_refused() -> None:
    assert read(note="n" * 2000).note == "n" * 2000
    assert read(note="n" * 5000).note == "n" * 1999 + "…"


POS = {"source_name": "pos", "location_id": 655, "processed_at": "2026-11-21T06:59:00-05:00"}


def test_a_sale_at_the_till_is_a_counter_sale() -> None:
    goods = [line(1, current_quantity=1), line(2, sku=""), line(3, requires_shipping=False)]
    sold = event("orders/create", body(**POS, line_items=goods, total_price="60.00"))
    assert sold.kind is EventKind.COUNTER_SALE
    assert sold.counter_sale is not None
    command = sold.counter_sale.command()
    assert (command.scope, command.key) == ("shopify", "counter-sale/820982911946154508")
    assert command.lines == (Demand(sku="SKU-1", node="TPE-01", quantity=2),)
    assert sold.counter_sale.sold_at.minute == 59
    assert sold.order is not None
    assert sold.order.status is OrderStatus.CLOSED
    again = event("orders/updated", body(**POS, line_items=goods[:1], updated_at="2026-11-22T07:00:00-05:00"))
    assert again.counter_sale is not None
    assert again.counter_sale.command() == command


def test_other_sales_at_the_till() -> None:
    unmapped = event("orders/create", body(**POS | {"location_id": 656}))
    assert unmapped.counter_sale is not None
    assert unmapped.counter_sale.node == "656"
    with pytest.raises(UnreadableBody, match=r"\$\.location_id is missing in a sale over the counter"):
        event("orders/create", body(**POS | {"location_id": None}))
    sent_home = event("orders/create", body(**POS, shipping_address=address()))
    assert (sent_home.kind, sent_home.counter_sale) == (EventKind.ORDER, None)
    assert sent_home.order is not None
    assert sent_home.order.status is OrderStatus.OPEN
    only_services = event("orders/create", body(**POS, line_items=[line(sku=None)]))
    assert (only_services.kind, only_services.counter_sale) == (EventKind.ORDER, None)
    cancelled = event("orders/cancelled", body(**POS, cancelled_at="2026-11-21T08:00:00-05:00"))
    assert cancelled.kind is EventKind.CANCELLATION


@pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "orders/paid", "orders/partially_fulfilled"])
def test_topics_that_hold_an_order(topic: str) -> None:
    found = event(topic, body())
    assert (found.kind, found.order, found.cancellation) == (EventKind.ORDER, read(), None)


@pytest.mark.parametrize("topic", ["orders/cancelled", "orders/updated", "orders/create"])
def test_the_body_says_that_an_order_is_cancelled(topic: str) -> None:
    found = event(topic, body(cancelled_at="2026-11-21T08:00:00-05:00", cancel_reason="fraud"))
    assert found.kind is EventKind.CANCELLATION
    assert found.cancellation is not None
    assert (found.cancellation.external_id, found.cancellation.reason) == ("820982911946154508", "fraud")
    assert found.order is not None
    assert found.cancellation.source_version == found.order.source_version


def test_edits_and_refunds_are_fetched() -> None:
    edited = event("orders/edited", b'{"order_edit": {"id": 1, "order_id": 820982911946154508}}')
    refunded = event("refunds/create", b'{"id": 1, "order_id": 820982911946154508, "refund_line_items": "whatever"}')
    assert (edited.kind, refunded.kind) == (EventKind.ORDER, EventKind.REFUND)
    for found in (edited, refunded):
        (fetch,) = found.fetch
        assert (fetch.method, found.subject) == ("GET", "820982911946154508")
        assert fetch.url == "https://shop.myshopify.com/admin/api/2025-07/orders/820982911946154508.json"
        assert dict(fetch.headers) == {"Accept": "application/json"}


@pytest.mark.parametrize("order_id", ["../shop", "1?x=1", "", None, 1.5, True, "١٢", [1]])
def test_no_other_address_is_fetched_than_an_orders(order_id: object) -> None:
    with pytest.raises(UnreadableBody, match="order_id"):
        event("refunds/create", json.dumps({"order_id": order_id}).encode())


@pytest.mark.parametrize("shop", ["evil.example", "shop.myshopify.com.evil.example", "a/b.myshopify.com", "", "x@y"])
def test_no_other_host_is_fetched_than_shopifys(shop: str) -> None:
    anyone = ShopifyAdapter(ShopifyConfig())
    headers = {"X-Shopify-Topic": "refunds/create", "X-Shopify-Shop-Domain": shop}
    with pytest.raises(UnreadableBody, match="set shop_domain"):
        anyone.parse_event(headers, b'{"order_id": 1}')
    found = anyone.parse_event(headers | {"X-Shopify-Shop-Domain": "a-1.myshopify.com"}, b'{"order_id": 1}')
    (fetch,) = found.fetch
    assert fetch.url.startswith("https://a-1.myshopify.com/admin/")


@pytest.mark.parametrize(
    ("topic", "raw", "subject"),
    [
        ("app/uninstalled", b'{"id": 690933842, "name": "Shop"}', "690933842"),
        ("fulfillments/create", b'{"id": 1, "order_id": 820982911946154508}', "820982911946154508"),
        ("inventory_levels/update", b'{"inventory_item_id": 1}', None),
        ("a/topic/of/tomorrow", b"[]", None),
        ("orders/delete", b'{"id": 5}', "5"),
        ("customers/create", b'{"id": true}', None),
    ],
)
def test_what_is_not_ours_is_understood_and_left(topic: str, raw: bytes, subject: str | None) -> None:
    found = event(topic, raw)
    assert (found.kind, found.topic, found.subject) == (EventKind.OTHER, topic, subject)
    assert (found.order, found.fetch) == (None, ())
    with pytest.raises(UnreadableBody):
        event(topic, raw[:-1])


def test_the_event_key_is_the_deliverys() -> None:
    assert event("orders/create", body(), **{"X-Shopify-Webhook-Id": "b54557e4"}).event_key == "b54557e4"
    new_names = {"shopify-topic": "orders/create", "SHOPIFY-WEBHOOK-ID": "b54557e5"}
    assert ADAPTER.parse_event(new_names, body()).event_key == "b54557e5"
    keys = {event(topic, body(id=number)).event_key for topic in ("orders/create", "orders/paid") for number in (1, 2)}
    assert len(keys) == 4
    with pytest.raises(UnreadableBody, match="X-Shopify-Topic"):
        ADAPTER.parse_event({}, body())


def test_messages_of_another_shop_are_forged() -> None:
    adapter = ShopifyAdapter(ShopifyConfig(secrets=("s",), shop_domain="shop.myshopify.com"))
    signed = {"X-Shopify-Hmac-Sha256": sign_base64("s", body())}
    adapter.verify(signed, body())
    adapter.verify(signed | {"X-Shopify-Shop-Domain": "shop.myshopify.com"}, body())
    with pytest.raises(ForgedSignature, match="another shop"):
        adapter.verify(signed | {"X-Shopify-Shop-Domain": "other.myshopify.com"}, body())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"line_items": [line(quantity=0)]}, "$.line_items[0].quantity is 0; send a whole number of units"),
        ({"line_items": [line(), line(2, quantity=1.5)]}, "$.line_items[1].quantity is 1.5; send a whole number"),
        ({"line_items": [line(quantity=-1)]}, "$.line_items[0].quantity is -1"),
        ({"line_items": [line(quantity="1")]}, "$.line_items[0].quantity is a text"),
        ({"line_items": [line(quantity=10**12)]}, "$.line_items[0].quantity is 1000000000000"),
        ({"line_items": [line(current_quantity=3)]}, "current_quantity cannot exceed quantity"),
        ({"line_items": [line(price=None)]}, "$.line_items[0].price is missing"),
        ({"line_items": [line(price="ten")]}, "$.line_items[0].price is 'ten', not a decimal amount"),
        ({"line_items": [line(), line()]}, "line ids must be unique"),
        ({"line_items": []}, "$.line_items is missing or empty"),
        ({"line_items": [line(id=None)]}, "$.line_items[0].id is missing"),
        ({"line_items": ["x"]}, "$.line_items[0] is a text; send an object"),
        ({"id": None}, "$ has no id"),
        ({"id": 1.5}, "$.id is a number; send the id"),
        ({"id": True}, "$.id is true or false"),
        ({"updated_at": None}, "$.updated_at is missing"),
        ({"created_at": "yesterday"}, "$.created_at is 'yesterday'"),
        ({"total_price": None}, "$.total_price is missing"),
        ({"total_price": True}, "$.total_price is true or false"),
        ({"total_price": {}}, "$.total_price is an object"),
        ({"total_price": "Infinity"}, "$.total_price is 'Infinity', not a decimal amount"),
        ({"total_price": 10**16}, "$.total_price cannot be used"),
        ({"admin_graphql_api_id": "gid://shopify/DraftOrder/1"}, "'gid://shopify/DraftOrder/1', which is no order"),
        ({"refunds": [{"id": 1, "refund_line_items": [{"line_item_id": 1, "quantity": -1}]}]}, "quantity is -1"),
        ({"shipping_address": "home"}, "$.shipping_address is a text; send an object"),
    ],
)
def test_a_wrong_order_is_refused_with_its_place(changes: dict[str, Any], says: str) -> None:
    with pytest.raises((UnreadableBody, InvalidMoney)) as refusal:
        read(**changes)
    assert says in str(refusal.value)
