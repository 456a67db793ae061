"""WooCommerce's dialect, on bodies written by hand after its documentation."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from omo_core.channels.port import ChannelEvent, EventKind
from omo_core.channels.signing import sign_base64
from omo_core.channels.woocommerce import WooCommerceAdapter, WooCommerceConfig
from omo_core.model.errors import ForgedSignature, InvalidMoney, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Delivery,
    Discount,
    DiscountShare,
    Funder,
    OddityCode,
    Order,
    OrderAmounts,
    OrderStatus,
    Payment,
    PaymentStatus,
)

ADAPTER = WooCommerceAdapter(WooCommerceConfig(site="https://shop.example", currency="USD"))
BARE = WooCommerceAdapter()


def line(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"Mug {number}",
        "product_id": 90 + number,
        "variation_id": 0,
        "quantity": 2,
        "subtotal": "20.00",
        "total": "20.00",
        "total_tax": "0.00",
        "sku": f"SKU-{number}",
        "meta_data": [],
        "price": 10,
    } | changes


def document(**changes: Any) -> dict[str, Any]:
    """An order of 2 × 10.00 for 20.00 dollars."""
    return {
        "id": 727,
        "number": "EU-727",
        "status": "processing",
        "currency": "USD",
        "date_created": "2026-11-21T15:00:00",
        "date_created_gmt": "2026-11-21T12:00:00",
        "date_modified": "2026-11-21T15:00:01",
        "date_modified_gmt": "2026-11-21T12:00:01",
        "shipping_total": "0.00",
        "total": "20.00",
        "total_tax": "0.00",
        "customer_id": 0,
        "date_paid_gmt": "2026-11-21T12:00:00",
        "payment_method": "bacs",
        "line_items": [line()],
        "refunds": [],
    } | changes


def body(**changes: Any) -> bytes:
    return json.dumps(document(**changes)).encode()


def read(adapter: WooCommerceAdapter = ADAPTER, **changes: Any) -> Order:
    return adapter.parse_order(body(**changes))


def amounts(**changes: Any) -> OrderAmounts:
    found = read(**changes).amounts
    assert found is not None
    return found


def event(topic: str, raw: bytes, adapter: WooCommerceAdapter = ADAPTER, delivery: str = "d-1") -> ChannelEvent:
    return adapter.parse_event({"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Delivery-ID": delivery}, raw)


def test_a_plain_order() -> None:
    order = read()
    assert (order.external_id, order.display_number) == ("727", "EU-727")
    assert order.placed_at == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert order.source_version == 1795262401 * 1_000_000
    assert (order.status, order.payment, order.buyer) == (OrderStatus.OPEN, PaymentStatus.PAID, None)
    assert order.payments == (
        Payment(method="bacs", amount_minor=2000, paid_at=datetime(2026, 11, 21, 12, tzinfo=UTC)),
    )
    assert [(one.line, one.sku, one.listing, one.title) for one in order.lines] == [("1", "SKU-1", "91", "Mug 1")]
    assert order.deliveries == (Delivery(),)
    assert amounts().imbalance_minor == 0
    assert read(customer_id=26).buyer == "26"


def test_local_times_are_not_used() -> None:
    assert read(date_created="1999-01-01T00:00:00", date_modified=None).placed_at.hour == 12
    with pytest.raises(UnreadableBody, match=r"\$\.date_modified_gmt is missing"):
        read(date_modified_gmt=None)
    with pytest.raises(UnreadableBody, match=r"\$\.date_created_gmt is '2026-11-21T12:00:00\+03:00'"):
        read(date_created_gmt="2026-11-21T12:00:00+03:00")


def test_every_part_of_the_money() -> None:
    found = amounts(
        line_items=[
            line(1, subtotal="20.00", total="15.00", total_tax="1.20"),
            line(2, subtotal="5.00", total="5.00", total_tax="0.40", quantity=1),
        ],
        shipping_total="6.00",
        fee_lines=[{"id": 5, "name": "Gift wrap", "total": "2.50", "total_tax": "0.20"}],
        coupon_lines=[{"id": 6, "code": "spring", "discount": "5.00", "discount_tax": "0.40"}],
        prices_include_tax=True,
        total_tax="2.30",
        total="30.80",
    )
    assert (found.line_gross_minor, found.discount_minor, found.shipping_minor) == (2500, 500, 600)
    assert (found.tax_minor, found.fee_minor, found.taxes_included) == (230, 250, False)
    assert (found.total_minor, found.imbalance_minor) == (3080, 0)
    assert amounts(total="19.99").imbalance_minor == -1


def test_a_total_is_exact_and_a_price_is_not() -> None:
    (one,) = read(line_items=[line(quantity=3, subtotal="42.93", total="42.93", price=14.309999999999999)]).lines
    assert one.amounts is not None
    assert (one.amounts.list_unit_price_minor, one.amounts.gross_minor) == (1431, 4293)
    (raised,) = read(line_items=[line(subtotal="20.00", total="25.00")]).lines
    assert raised.amounts is not None
    assert (raised.amounts.gross_minor, raised.amounts.discount_minor) == (2500, 0)


def test_late_rounding_is_rounded_and_shows_in_the_balance() -> None:
    found = amounts(
        line_items=[line(subtotal="19.996", total="19.996", total_tax="0.588")], total_tax="0.59", total="20.59"
    )
    assert (found.line_gross_minor, found.tax_minor, found.imbalance_minor) == (2000, 59, 0)
    off = read(
        line_items=[line(1, subtotal="6.665", total="6.665"), line(2, subtotal="6.665", total="6.665")], total="13.33"
    )
    assert [one.code for one in off.oddities] == [OddityCode.MONEY_DOES_NOT_ADD_UP]
    assert amounts(total=20.0).total_minor == 2000
    with pytest.raises(InvalidMoney, match=r"\$\.total: .*finite amount within the limits"):
        amounts(total="9999999999999999.5")
    with pytest.raises(InvalidMoney, match=r"\$\.line_items\[0\]\.total is 'ten'"):
        read(line_items=[line(total="ten")])


def test_a_currency_may_come_as_html() -> None:
    assert read(currency="US&#68;").currency == "USD"
    assert amounts(currency="JPY", line_items=[line(subtotal="2000", total="2000")], total="2000").total_minor == 2000
    with pytest.raises(InvalidMoney, match=r"\$\.currency: '\$' is not"):
        read(currency="&#36;")


def test_coupons() -> None:
    cheaper = [line(1, total="15.00"), line(2, total="18.00")]
    one = read(line_items=cheaper, coupon_lines=[{"code": "spring", "discount": "7.00"}], total="33.00")
    assert one.discounts == (
        Discount(
            discount="spring",
            funder=Funder.SELLER,
            amount_minor=700,
            shares=(DiscountShare(line="1", amount_minor=500), DiscountShare(line="2", amount_minor=200)),
        ),
    )
    two = [{"code": "spring", "discount": "5.00"}, {"code": "vip", "discount": "2.00"}]
    found = read(line_items=cheaper, coupon_lines=two, total="33.00").discounts
    assert [(each.discount, each.amount_minor, each.shares) for each in found] == [
        ("spring", 500, ()),
        ("vip", 200, ()),
    ]


@pytest.mark.parametrize(
    ("changes", "status", "payment", "hold"),
    [
        ({"status": "pending", "date_paid_gmt": None}, "open", "pending", "pending"),
        ({"status": "on-hold", "date_paid_gmt": None}, "open", "pending", "on-hold"),
        ({"status": "failed", "date_paid_gmt": None}, "open", "pending", "failed"),
        ({"status": "checkout-draft", "date_paid_gmt": None}, "open", "pending", "checkout-draft"),
        ({"status": "processing", "date_paid_gmt": None}, "open", "pending", None),
        ({"status": "completed"}, "closed", "paid", None),
        ({"status": "cancelled"}, "cancelled", "paid", None),
        ({"status": "trash"}, "cancelled", "paid", None),
        ({"status": "refunded"}, "closed", "refunded", None),
        ({"refunds": [{"id": 1, "reason": "", "total": "-20.00"}]}, "open", "refunded", None),
        ({"refunds": [{"id": 1, "total": "-4.00"}]}, "open", "partially_refunded", None),
    ],
)
def test_the_status(changes: dict[str, Any], status: str, payment: str, hold: str | None) -> None:
    order = read(**changes)
    assert (order.status, order.payment, order.hold_reason, order.oddities) == (status, payment, hold, ())
    assert (order.cancelled_at == order.updated_at) == (status == "cancelled")


def test_custom_statuses_mean_what_the_configuration_says() -> None:
    order = read(status="awaiting-parcel")
    assert (order.status, [one.path for one in order.oddities]) == (OrderStatus.OPEN, ["$.status"])
    adapter = WooCommerceAdapter(
        WooCommerceConfig(statuses={"awaiting-parcel": OrderStatus.OPEN, "shipped": OrderStatus.CLOSED})
    )
    assert read(adapter, status="awaiting-parcel").oddities == ()
    assert read(adapter, status="shipped").status is OrderStatus.CLOSED


@pytest.mark.parametrize(
    ("changes", "sku", "listing", "title"),
    [
        ({"variation_id": 23}, "SKU-1", "23", "Mug 1"),
        ({"sku": ""}, None, "91", "Mug 1"),
        ({"sku": None, "product_id": 0}, None, None, "Mug 1"),
        ({"name": "Ship &ndash; S &amp; M"}, "SKU-1", "91", "Ship – S & M"),
        ({"quantity": "2"}, "SKU-1", "91", "Mug 1"),
        ({"quantity": 2.0}, "SKU-1", "91", "Mug 1"),
    ],
)
def test_what_a_line_says(changes: dict[str, Any], sku: str | None, listing: str | None, title: str) -> None:
    (found,) = read(line_items=[line(**changes)]).lines
    assert (found.sku, found.listing, found.title, found.quantity) == (sku, listing, title, 2)


def test_virtual_goods_are_named_by_the_configuration() -> None:
    adapter = WooCommerceAdapter(WooCommerceConfig(virtual_listings=("92",)))
    order = read(adapter, line_items=[line(1), line(2)], total="40.00")
    assert [one.physical for one in order.lines] == [True, False]


BUNDLE = [
    line(1, quantity=1, subtotal="10.00", total="10.00", total_tax="1.00", bundled_items=[2, 3]),
    line(2, subtotal="4.00", total="3.00", total_tax="0.30", bundled_by=1),
    line(3, subtotal="0.00", total="0.00", bundled_by="1"),
    line(4, subtotal="5.00", total="5.00", bundled_by=""),
]


def test_bundles_carry_the_money_and_their_parts_the_goods() -> None:
    order = read(line_items=BUNDLE, total_tax="1.30", total="19.30")
    assert [(one.bundle, one.parent) for one in order.lines] == [
        (True, None),
        (False, "1"),
        (False, "1"),
        (False, None),
    ]
    whole = order.lines[0].amounts
    assert whole is not None
    assert (whole.gross_minor, whole.discount_minor, whole.tax_minor) == (1400, 100, 130)
    assert [one.line for one in order.fulfillable()] == ["2", "3", "4"]
    assert order.amounts is not None
    assert (order.amounts.line_gross_minor, order.amounts.imbalance_minor) == (1900, 0)


def meta(**values: Any) -> list[dict[str, Any]]:
    return [{"id": place, "key": key, "value": value} for place, (key, value) in enumerate(values.items())]


def test_bundles_may_be_linked_through_meta_of_any_kind() -> None:
    lines = [
        line(1, meta_data=meta(_bundle_cart_key="abc", _bundled_items=["x", "y"], stamp={"9": {"a": 1}}, n=None)),
        line(2, meta_data=meta(_bundled_by="abc", _composite_cart_key="inner")),
        line(3, meta_data=meta(_composite_parent="inner")),
        line(4, meta_data=meta(_bundled_by="nobody")),
        line(5, meta_data="none"),
    ]
    order = read(line_items=lines, total="100.00")
    assert [(one.bundle, one.parent) for one in order.lines] == [
        (True, None),
        (True, "1"),
        (False, "1"),
        (False, None),
        (False, None),
    ]
    assert [one.line for one in order.fulfillable()] == ["3", "4", "5"]
    assert order.amounts is not None
    assert (order.amounts.line_gross_minor, order.amounts.imbalance_minor) == (10000, 0)


def test_a_line_of_no_units_is_left_out_and_told() -> None:
    order = read(line_items=[line(1, quantity=0, subtotal="0.00", total="0.00"), line(2)])
    assert [one.line for one in order.lines] == ["2"]
    assert [one.path for one in order.oddities] == ["$.line_items[0].quantity"]
    paid = read(line_items=[line(1, quantity=0), line(2)], total="40.00")
    assert paid.amounts is not None
    assert paid.amounts.imbalance_minor == 2000, "its money is not lost in silence"


def test_meta_out_of_which_a_plugin_took_something_is_an_object() -> None:
    def numbered(**values: Any) -> dict[str, Any]:
        return {str(place): one for place, one in enumerate(meta(**values), start=3)}

    parts = [line(1, meta_data=numbered(_bundle_cart_key="abc")), line(2, meta_data=numbered(_bundled_by="abc"))]
    order = read(line_items=parts, total="40.00", shipping_lines=[parcel(meta_data=numbered(a="b"))])
    assert [(one.bundle, one.parent) for one in order.lines] == [(True, None), (False, "1")]
    store = parcel(method_id="pickup_location", meta_data=numbered(pickup_location="Old Town"))
    assert delivery(shipping_lines=[store]).pickup_node == "Old Town"


def test_a_payment_id_that_is_too_long_costs_no_order() -> None:
    order = read(transaction_id="T" * 129)
    assert [(one.payment, one.amount_minor) for one in order.payments] == [(None, 2000)]
    assert [one.path for one in order.oddities] == ["$.transaction_id"]


def test_bundles_that_go_round_are_odd() -> None:
    order = read(line_items=[line(1, bundled_by=2), line(2, bundled_by=1), line(3, bundled_by=3)], total="60.00")
    assert [one.parent for one in order.lines] == [None, None, None]
    assert [one.path for one in order.oddities] == ["$.line_items[0].bundled_by", "$.line_items[1].bundled_by"]


EMPTY = dict.fromkeys(
    ("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country"), ""
)
HOME = EMPTY | {
    "first_name": "Ann",
    "last_name": "Example",
    "address_1": "1 Main Street",
    "country": "us",
    "phone": "1",
}


def parcel(**changes: Any) -> dict[str, Any]:
    return {
        "id": 3,
        "method_title": "Flat rate",
        "method_id": "flat_rate",
        "instance_id": "2",
        "total": "0.00",
    } | changes


def delivery(config: WooCommerceConfig | None = None, **changes: Any) -> Delivery:
    return read(WooCommerceAdapter(config), **changes).deliveries[0]


def test_where_goods_go() -> None:
    other = EMPTY | {"first_name": "Bob", "city": "Springfield"}
    sent = delivery(shipping=other, billing=HOME, shipping_lines=[parcel()])
    assert sent.address is not None
    assert (sent.address.recipient, sent.address.city, sent.address.phone, sent.service) == (
        "Bob",
        "Springfield",
        "1",
        "Flat rate",
    )
    billed = delivery(shipping=EMPTY, billing=HOME, shipping_lines=[parcel()])
    assert billed.address is not None
    assert (billed.address.recipient, billed.address.country) == ("Ann Example", "US")
    assert delivery(shipping=EMPTY, billing=HOME).address is None
    assert delivery(shipping=EMPTY, billing=EMPTY, shipping_lines=[parcel()]).address is None


@pytest.mark.parametrize(
    ("shipping", "node"),
    [
        (parcel(method_id="local_pickup", instance_id="7"), "TPE-07"),
        (parcel(method_id="local_pickup:7"), "TPE-07"),
        (parcel(method_id="local_pickup", instance_id="8"), "local_pickup:8"),
        (parcel(method_id="local_pickup", instance_id=None), "local_pickup"),
        (parcel(method_id="pickup_location", meta_data=meta(pickup_location="Old Town")), "TPE-01"),
        (parcel(method_id="pickup_location", meta_data=meta(pickup_location="New Town")), "New Town"),
        (parcel(method_title="Desk"), "TPE-02"),
    ],
)
def test_pickups(shipping: dict[str, Any], node: str) -> None:
    config = WooCommerceConfig(pickup_nodes={"local_pickup:7": "TPE-07", "Old Town": "TPE-01", "Desk": "TPE-02"})
    found = delivery(config, shipping_lines=[shipping], shipping=HOME, billing=HOME)
    assert (found.method, found.pickup_node, found.address) == (DeliveryMethod.PICKUP, node, None)


def test_one_hour_and_mixed_deliveries() -> None:
    fast = WooCommerceConfig(one_hour_services=("Rush",))
    assert delivery(fast, shipping_lines=[parcel(method_title="Rush")]).method is DeliveryMethod.ONE_HOUR
    mixed = read(shipping_lines=[parcel(), parcel(method_id="local_pickup")], shipping=HOME)
    assert mixed.deliveries[0].method is DeliveryMethod.SHIP
    assert [one.path for one in mixed.oddities] == ["$.shipping_lines"]


REFUND = {
    "id": 724,
    "date_created_gmt": "2026-11-22T08:00:00",
    "amount": "9.00",
    "reason": "too small",
    "line_items": [
        {"id": 314, "quantity": -1, "total": "-9.00", "meta_data": meta(_refunded_item_id="1")},
        {"id": 315, "quantity": 0, "total": "-1.00", "meta_data": []},
    ],
    "_links": {"up": [{"href": "https://shop.example/wp-json/wc/v3/orders/727"}]},
}


def test_refunds_tell_which_units_are_off() -> None:
    order = ADAPTER.parse_order(body(refunds=[{"id": 724, "total": "-9.00"}]), json.dumps([REFUND]).encode())
    assert [(one.quantity, one.current_quantity) for one in order.lines] == [(2, 1)]
    (refund,) = order.refunds
    assert (refund.refunded_to_buyer_minor, refund.quantities, refund.reason) == (900, (("1", 1),), "too small")
    assert refund.created_at == datetime(2026, 11, 22, 8, tzinfo=UTC)
    alone = read(refunds=[{"id": 724, "reason": "", "total": "-9.00"}])
    assert (alone.refunds[0].refunded_to_buyer_minor, alone.refunds[0].quantities) == (900, ())
    assert alone.lines[0].current_quantity == 2


def test_refunded_units_of_no_known_line_are_odd() -> None:
    stray = REFUND | {"line_items": [{"id": 314, "quantity": -1, "meta_data": []}]}
    order = ADAPTER.parse_order(body(), json.dumps([stray]).encode())
    assert [one.path for one in order.oddities] == ["$.refunds[0].line_items[0].meta_data"]
    with pytest.raises(UnreadableBody, match=r"line_items\[0\]\.refunded\.quantity is -1"):
        ADAPTER.parse_order(
            body(),
            json.dumps(
                [REFUND | {"line_items": [{"id": 1, "quantity": 1, "meta_data": meta(_refunded_item_id=1)}]}]
            ).encode(),
        )
    with pytest.raises(UnreadableBody, match="one document of refunds, not 2"):
        ADAPTER.parse_order(body(), b"[]", b"[]")


def test_a_refund_by_itself() -> None:
    notice = ADAPTER.parse_refund(json.dumps(REFUND).encode())
    assert (notice.external_id, notice.refund.refund, notice.returns_goods) == ("727", "724", None)
    by_parent = ADAPTER.parse_refund(json.dumps(REFUND | {"_links": None, "parent_id": 5}).encode())
    assert by_parent.external_id == "5"
    with pytest.raises(UnreadableBody, match="set currency in the configuration"):
        BARE.parse_refund(json.dumps(REFUND).encode())
    with pytest.raises(UnreadableBody, match=r"\$\._links names no order"):
        ADAPTER.parse_refund(body())


@pytest.mark.parametrize("topic", ["order.created", "order.updated", "order.restored"])
def test_topics_that_hold_an_order(topic: str) -> None:
    found = event(topic, body())
    assert (found.kind, found.order, found.subject) == (EventKind.ORDER, read(), "727")
    off = event(topic, body(status="cancelled"))
    assert (off.kind, off.cancellation is not None) == (EventKind.CANCELLATION, True)


def test_an_order_with_refunds_is_fetched_where_it_can_be() -> None:
    refunded = body(refunds=[{"id": 1, "total": "-4.00"}])
    found = event("order.updated", refunded)
    assert (found.kind, found.order, len(found.fetch)) == (EventKind.ORDER, None, 2)
    alone = event("order.updated", refunded, BARE)
    assert (alone.order is not None, alone.fetch) == (True, ())


def test_a_deleted_order_is_looked_up() -> None:
    found = event("order.deleted", b'{"id": 727}')
    assert [one.url for one in found.fetch] == [
        "https://shop.example/wp-json/wc/v3/orders/727",
        "https://shop.example/wp-json/wc/v3/orders/727/refunds?per_page=100",
    ]
    in_the_trash = ADAPTER.parse_fetched(found, body(status="trash"), b"[]")
    assert in_the_trash.kind is EventKind.CANCELLATION
    assert event("order.deleted", b'{"id": 727}', BARE).kind is EventKind.OTHER
    with pytest.raises(UnreadableBody, match="is no id of a WooCommerce order"):
        event("order.deleted", b'{"id": "../7"}')


def test_what_is_not_ours_is_understood_and_left() -> None:
    for topic in ("product.updated", "coupon.created", "action.woocommerce_added_to_cart"):
        assert event(topic, b'{"id": 5}').kind is EventKind.OTHER
    with pytest.raises(UnreadableBody, match="X-WC-Webhook-Topic"):
        ADAPTER.parse_event({}, body())


def test_two_deliveries_in_one_second_share_an_id_and_not_a_key() -> None:
    keys = {event("order.updated", body(id=number)).event_key for number in (1, 2)}
    assert len(keys) == 2
    assert event("order.updated", body()).event_key == event("order.updated", body()).event_key


def test_the_ping_of_a_new_webhook_passes_unsigned() -> None:
    adapter = WooCommerceAdapter(WooCommerceConfig(secrets=("s",)))
    ping = b"webhook_id=142"
    adapter.verify({"Content-Type": "application/x-www-form-urlencoded"}, ping)
    found = adapter.parse_event({}, ping)
    assert (found.kind, found.topic, found.subject) == (EventKind.OTHER, "ping", None)
    for forged in (b"webhook_id=142&order=1", b"webhook_id=", body()):
        with pytest.raises(ForgedSignature):
            adapter.verify({}, forged)
    with pytest.raises(ForgedSignature):
        adapter.verify({"X-WC-Webhook-Signature": "AAAA"}, ping)
    with pytest.raises(ForgedSignature):
        BARE.verify({}, ping)


def test_the_secret_signs_without_its_html() -> None:
    adapter = WooCommerceAdapter(WooCommerceConfig(secrets=("a &amp; b",)))
    for signed_with in ("a & b", "a &amp; b"):
        adapter.verify({"X-WC-Webhook-Signature": sign_base64(signed_with, body())}, body())
    with pytest.raises(ForgedSignature):
        adapter.verify({"X-WC-Webhook-Signature": sign_base64("a b", body())}, body())


def test_documents_of_several_orders() -> None:
    listed = json.dumps([document(), document(id=2, status="awaiting")]).encode()
    assert [(one.external_id, len(one.oddities)) for one in ADAPTER.parse_orders(listed)] == [("727", 0), ("2", 1)]
    batch = json.dumps({"create": [document()], "update": [document(id=2)], "delete": [document(id=3)]}).encode()
    assert [one.external_id for one in ADAPTER.parse_orders(batch)] == ["727", "2"]
    with pytest.raises(UnreadableBody, match="holds 2 orders"):
        ADAPTER.parse_order(listed)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"line_items": [line(quantity=0)]}, "$.line_items has only lines of 0 units"),
        ({"line_items": [line(quantity=-1)]}, "$.line_items[0].quantity is -1"),
        (
            {"line_items": [line(quantity=0.5)]},
            "$.line_items[0].quantity is no whole number of units; send whole units",
        ),
        ({"line_items": []}, "$.line_items is missing or empty"),
        ({"line_items": [line(), line()]}, "line ids must be unique"),
        ({"id": None}, "is no order of the REST API"),
        ({"total": None}, "$.total is missing"),
        ({"total": "NaN"}, "$.total is 'NaN'"),
        ({"currency": "BTC"}, "$.currency"),
        ({"date_created_gmt": 1795262400}, "$.date_created_gmt"),
    ],
)
def test_a_wrong_order_is_refused_with_its_place(changes: dict[str, Any], says: str) -> None:
    with pytest.raises((UnreadableBody, InvalidMoney)) as refusal:
        read(**changes)
    assert says in str(refusal.value)
