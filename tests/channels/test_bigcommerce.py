"""BigCommerce: webhooks that only name an order, documents put together, money with four decimals, and its calls."""

import json
import re
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings

from omo_core.channels.bigcommerce import BigCommerceAdapter, BigCommerceConfig
from omo_core.channels.intents import (
    CancelOrder,
    FetchOrder,
    Intent,
    ListChanges,
    Parcel,
    ReadyForPickup,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
)
from omo_core.channels.port import EventKind
from omo_core.model.errors import InvalidInput, InvalidMoney, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import OddityCode, Order, OrderStatus, PaymentStatus, RefundStatus
from omo_core.model.refusals import Refusal
from omo_core.testing.contracts import ChannelAdapterContract, assert_refused_in_a_sentence
from omo_core.testing.samples import NOW, Samples
from omo_core.testing.spoiling import spoilt_bodies
from omo_core.testing.writers import write_bigcommerce_event, write_bigcommerce_order
from tests.channels.bigcommerce_strategies import bigcommerce_orders
from tests.channels.orders import plain_order
from tests.effort import examples

SECRET = "correct horse"
CONFIG = BigCommerceConfig(secrets=(SECRET,), store_hash="abc123", currency="USD")
ADAPTER = BigCommerceAdapter(CONFIG)

ORDER: dict[str, Any] = {
    "id": 218,
    "customer_id": 11,
    "date_created": "Tue, 05 Mar 2019 21:40:11 +0000",
    "date_modified": "Mon, 11 Mar 2019 15:17:25 +0000",
    "status_id": 11,
    "payment_status": "captured",
    "payment_method": "Credit Card",
    "currency_code": "USD",
    "default_currency_code": "USD",
    "shipping_cost_inc_tax": "12.0000",
    "handling_cost_inc_tax": "0.0000",
    "discount_amount": "5.0000",
    "coupon_discount": "2.5000",
    "total_tax": "5.3100",
    "total_inc_tax": "64.5000",
}
PRODUCTS: list[dict[str, Any]] = [
    {
        "id": 35,
        "order_id": 218,
        "product_id": 127,
        "variant_id": 99,
        "order_address_id": 18,
        "name": "Journal",
        "sku": "JOUR-BLK",
        "type": "physical",
        "price_inc_tax": "30.0000",
        "total_inc_tax": "60.0000",
        "total_tax": "4.4000",
        "quantity": 2,
        "quantity_refunded": 0,
        "applied_discounts": [
            {"id": "manual-discount", "amount": "5.0000", "name": "Manual", "code": None, "target": "order"}
        ],
    }
]
SHIPPING = {
    "id": 18,
    "first_name": "Ann",
    "last_name": "Example",
    "company": "",
    "street_1": "1 Main Street",
    "street_2": "",
    "city": "Springfield",
    "state": "Texas",
    "zip": "12345",
    "country_iso2": "US",
    "phone": "",
    "shipping_method": "Free Shipping",
    "line_items": [{"resource": "/orders/218/products/35"}],
}
CONSIGNMENTS: dict[str, Any] = {
    "pickups": [],
    "shipping": [SHIPPING],
    "downloads": [],
    "email": {"gift_certificates": []},
}
COUPONS = [{"id": 1, "coupon_id": 7, "code": "SPRING", "discount": "2.5000"}]
REFUND = {
    "id": 3,
    "order_id": 218,
    "created": "2019-03-12T10:00:00+00:00",
    "reason": "broken",
    "total_amount": 20.83,
    "items": [{"item_type": "PRODUCT", "item_id": 35, "quantity": 1}, {"item_type": "SHIPPING", "item_id": 9}],
    "payments": [{"amount": 20.83, "is_declined": False}],
}


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def parse(*more: Any, **changes: Any) -> Order:
    return ADAPTER.parse_order(encoded({**ORDER, **changes}), *map(encoded, more or (PRODUCTS, CONSIGNMENTS)))


def product(**changes: Any) -> list[dict[str, Any]]:
    return [{**PRODUCTS[0], **changes}]


class TestBigCommerce(ChannelAdapterContract):
    adapter = ADAPTER
    messages: ClassVar = (
        write_bigcommerce_event("218", secret=SECRET, store_hash="abc123"),
        write_bigcommerce_event("218", secret=SECRET, store_hash="abc123", scope="store/order/refund/created"),
        write_bigcommerce_event("218", secret=SECRET, store_hash="abc123", scope="store/cart/created"),
    )
    documents = (
        (encoded(ORDER), encoded(PRODUCTS), encoded(CONSIGNMENTS), encoded(COUPONS), encoded({"data": [REFUND]})),
        (encoded(ORDER), encoded(PRODUCTS), b"", b"", b""),
    )
    refunds = (encoded({"data": REFUND, "meta": {}}),)
    fuzzed = 2_500
    samples = Samples(listing="99", location="1", fulfilment="18", modes=tuple(StockMode), names_lines=True)


def test_spoilt_documents_beside_an_order_are_read_or_refused() -> None:
    whole = [encoded(one) for one in (ORDER, PRODUCTS, CONSIGNMENTS, COUPONS, {"data": [REFUND]})]
    for place, body in enumerate(whole):
        for spoilt in spoilt_bodies([body], 600, seed=place):
            documents = [*whole[:place], spoilt, *whole[place + 1 :]]
            assert_refused_in_a_sentence(ADAPTER.parse_order, *documents)


def test_a_webhook_names_what_to_fetch() -> None:
    event = ADAPTER.parse_event(*write_bigcommerce_event("218", secret=SECRET, store_hash="abc123"))
    assert (event.kind, event.subject, event.event_key) == (
        EventKind.ORDER,
        "218",
        "store/order/updated/1561479335/dd70c0",
    )
    base = "https://api.bigcommerce.com/stores/abc123"
    assert [request.url for request in event.fetch] == [
        f"{base}/v2/orders/218",
        f"{base}/v2/orders/218/products?limit=250",
        f"{base}/v2/orders/218/consignments",
        f"{base}/v2/orders/218/coupons?limit=250",
        f"{base}/v3/orders/218/payment_actions/refunds",
    ]
    assert event.fetch == ADAPTER.requests(FetchOrder(key="k", external_id="218"))
    signed = ADAPTER.sign(event.fetch[0], now=NOW, token="t0k3n")
    assert ("X-Auth-Token", "t0k3n") in signed.headers


def test_every_change_is_an_event_of_its_own() -> None:
    change = {"scope": "store/order/updated", "data": {"type": "order", "id": 250}, "hash": "dd70"}
    documents = [change | {"created_at": 1}, change | {"created_at": 1}, change | {"created_at": 2}, change]
    first, again, later, undated = (ADAPTER.parse_event({}, encoded(one)).event_key for one in documents)
    assert first == again
    assert len({first, later, undated}) == 3, "the hash is of the data, which names the order and nothing else"


@pytest.mark.parametrize(
    ("document", "kind", "subject"),
    [
        ({"scope": "store/order/refund/created", "data": {"id": 250, "refund": {"refund_id": 3}}}, "refund", "250"),
        ({"scope": "store/shipment/created", "data": {"type": "shipment", "id": 12, "orderId": 251}}, "order", "251"),
        ({"scope": "store/sku/inventory/updated", "data": {"type": "sku", "id": 461}}, "other", None),
    ],
)
def test_events(document: dict[str, Any], kind: str, subject: str | None) -> None:
    event = ADAPTER.parse_event({}, encoded(document))
    assert (event.kind, event.subject) == (kind, subject)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"scope": "store/order/created", "data": {"id": "../1"}}, "$.data.id is no number of an order"),
        ({"scope": "store/order/created", "data": {"id": -1}}, "$.data.id is no number of an order"),
        ({"scope": "store/order/created"}, "$.data is missing"),
        ({"scope": "store/order/created", "data": {"id": 1}, "producer": "stores/other"}, "is not the store abc123"),
        ({"data": {"id": 1}}, "$.scope is missing"),
    ],
)
def test_a_webhook_that_cannot_be_used(document: dict[str, Any], says: str) -> None:
    with pytest.raises(UnreadableBody, match=re.escape(says)):
        ADAPTER.parse_event({}, encoded(document))


def test_without_a_store_nothing_is_fetched() -> None:
    adapter = BigCommerceAdapter(BigCommerceConfig(secrets=(SECRET,)))
    with pytest.raises(UnreadableBody, match="the store is not known; set store_hash"):
        adapter.parse_event(*write_bigcommerce_event("1", secret=SECRET, store_hash="other"))
    assert isinstance(adapter.requests(FetchOrder(key="k", external_id="1")), Refusal)


def test_an_order_of_its_documents() -> None:
    order = parse(PRODUCTS, CONSIGNMENTS, COUPONS, {"data": [REFUND]})
    assert (order.external_id, order.status, order.payment) == ("218", OrderStatus.OPEN, PaymentStatus.PAID)
    assert order.updated_at == datetime(2019, 3, 11, 15, 17, 25, tzinfo=UTC)
    assert order.source_version == 1_552_317_445_000_000
    (line,) = order.lines
    assert (line.line, line.sku, line.quantity, line.listing) == ("35", "JOUR-BLK", 2, "99")
    assert line.amounts is not None
    assert (line.amounts.list_unit_price_minor, line.amounts.gross_minor, line.amounts.discount_minor) == (
        3000,
        6000,
        500,
    )
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.imbalance_minor, order.amounts.taxes_included) == (6450, 0, True)
    assert [(one.discount, one.title, one.amount_minor) for one in order.discounts] == [
        ("manual-discount", "Manual", 500),
        ("SPRING", None, 250),
    ]
    (delivery,) = order.deliveries
    assert (delivery.service, delivery.fulfilment) == ("Free Shipping", "18")
    assert delivery.address is not None
    assert (delivery.address.recipient, delivery.address.street, delivery.address.country) == (
        "Ann Example",
        ("1 Main Street",),
        "US",
    )
    (refund,) = order.refunds
    assert (refund.refunded_to_buyer_minor, refund.quantities, refund.status) == (2083, (("35", 1),), RefundStatus.DONE)
    assert [(one.method, one.amount_minor) for one in order.payments] == [("Credit Card", 6450)]
    assert (order.buyer, order.oddities) == ("11", ())


def test_empty_collections_are_empty_bodies() -> None:
    order = ADAPTER.parse_order(encoded(ORDER), encoded(PRODUCTS), b"", b"", b"\n")
    assert (order.deliveries[0].address, order.refunds) == (None, ())


def test_shipping_addresses_will_do_where_there_are_no_consignments() -> None:
    order = parse(PRODUCTS, [SHIPPING, {**SHIPPING, "id": 19, "city": "Austin", "line_items": []}])
    assert [one.fulfilment for one in order.deliveries] == ["18", "19"]
    assert order.lines[0].delivery == 0
    order = parse(
        product(order_address_id=19), [{**SHIPPING, "line_items": []}, {**SHIPPING, "id": 19, "line_items": []}]
    )
    assert order.lines[0].delivery == 1


def test_pickups_downloads_and_certificates() -> None:
    location = {"id": 2, "code": "LOCATION-2"}
    links = {"resource": "/orders/218/products/36"}
    lines = [*PRODUCTS, *product(id=36, total_inc_tax="0.0000"), *product(id=37, total_inc_tax="0.0000")]
    consignments = {
        "pickups": [{"id": 13, "location": location, "line_items": [{"resource": "/orders/218/products/35"}]}],
        "shipping": [],
        "downloads": [{"line_items": links}],
        "email": {"gift_certificates": [{"line_items": {"resource": "/orders/218/products/37"}}]},
    }
    order = parse(lines, consignments)
    assert [(one.method, one.pickup_node) for one in order.deliveries] == [(DeliveryMethod.PICKUP, "LOCATION-2")]
    assert [line.physical for line in order.lines] == [True, False, False]
    config = CONFIG.model_copy(update={"locations": {"2": "TPE-01"}})
    documents = (encoded(ORDER), encoded(lines), encoded(consignments))
    assert BigCommerceAdapter(config).parse_order(*documents).deliveries[0].pickup_node == "TPE-01"
    assert not parse(product(type="digital")).lines[0].physical
    assert not parse(product(type="giftcertificate")).lines[0].physical


@pytest.mark.parametrize("status_id", [13, 14])
def test_what_was_sent_stays_sent_when_a_part_is_refunded(status_id: int) -> None:
    """Such a state takes the place of Shipped or Completed, and an open order would be sent again."""
    for shipped, status in (
        (4, OrderStatus.CLOSED),
        (3, OrderStatus.OPEN),
        (0, OrderStatus.OPEN),
        (None, OrderStatus.OPEN),
    ):
        order = parse(status_id=status_id, items_total=4, items_shipped=shipped)
        assert order.status is status
        assert order.hold_reason == ("Disputed" if status is OrderStatus.OPEN and status_id == 13 else None)
    assert parse(status_id=status_id).status is OrderStatus.OPEN
    assert parse(status_id=11, items_total=4, items_shipped=4).status is OrderStatus.OPEN


@pytest.mark.parametrize(
    ("status_id", "status", "hold"),
    [
        (0, OrderStatus.OPEN, "Incomplete"),
        (1, OrderStatus.OPEN, "Pending"),
        (2, OrderStatus.CLOSED, None),
        (3, OrderStatus.OPEN, None),
        (4, OrderStatus.CLOSED, None),
        (5, OrderStatus.CANCELLED, None),
        (6, OrderStatus.CANCELLED, None),
        (7, OrderStatus.OPEN, "Awaiting Payment"),
        (8, OrderStatus.OPEN, None),
        (9, OrderStatus.OPEN, None),
        (10, OrderStatus.CLOSED, None),
        (11, OrderStatus.OPEN, None),
        (12, OrderStatus.OPEN, "Manual Verification Required"),
        (13, OrderStatus.OPEN, "Disputed"),
        (14, OrderStatus.OPEN, None),
    ],
)
def test_states(status_id: int, status: OrderStatus, hold: str | None) -> None:
    order = parse(status_id=status_id)
    assert (order.status, order.hold_reason, order.oddities) == (status, hold, ())
    assert (order.cancelled_at is not None) is (status is OrderStatus.CANCELLED)


def test_what_is_paid_at_the_door_is_not_held_for_its_payment() -> None:
    assert parse(status_id=7, payment_method="Cash on Delivery").hold_reason is None
    assert parse(status_id=12, payment_method="Cash on Delivery").hold_reason == "Manual Verification Required"


def test_unknown_states_are_odd_and_the_order_stays_open() -> None:
    order = parse(status_id=99, payment_status="teleported")
    assert (order.status, order.payment) == (OrderStatus.OPEN, PaymentStatus.UNKNOWN)
    assert [one.code for one in order.oddities] == [OddityCode.UNKNOWN_STATE] * 2
    assert parse(payment_status="held for review").hold_reason == "held for review"
    assert parse(is_deleted=True).status is OrderStatus.CLOSED, "archived"


def test_fractions_of_a_cent_are_rounded_and_told() -> None:
    lines = [*product(total_inc_tax="30.3333"), *product(id=36, total_inc_tax="30.3333", applied_discounts=[])]
    order = parse(lines, CONSIGNMENTS, total_inc_tax="65.1700")
    assert order.amounts is not None
    assert (order.amounts.line_gross_minor, order.amounts.rounding_minor, order.amounts.imbalance_minor) == (6066, 1, 0)
    whole = parse(total_inc_tax="64.5100").amounts
    assert whole is not None
    assert (whole.rounding_minor, whole.imbalance_minor) == (0, 1), "nothing was rounded: the order does not add up"


def test_fees_count_where_the_total_holds_them() -> None:
    fees = [{"cost_inc_tax": "1.0000"}]
    inside, beside = parse(fees=fees, total_inc_tax="65.5000"), parse(fees=fees)
    assert inside.amounts is not None
    assert beside.amounts is not None
    assert (inside.amounts.fee_minor, inside.amounts.imbalance_minor, inside.oddities) == (100, 0, ())
    assert (beside.amounts.fee_minor, beside.amounts.imbalance_minor) == (0, 0)
    assert beside.oddities[0].path == "$.fees"


def test_store_credit_and_certificates_pay_a_part() -> None:
    order = parse(store_credit_amount="4.5000", gift_certificate_amount="10.0000")
    assert [(one.method, one.amount_minor) for one in order.payments] == [
        ("store credit", 450),
        ("gift certificate", 1000),
        ("Credit Card", 5000),
    ]


def test_the_buyer_may_have_seen_another_currency() -> None:
    order = parse(currency_code="EUR", customer_id=0)
    assert (order.currency, order.presentment_currency, order.buyer) == ("USD", "EUR", None)


def test_what_was_refunded_is_no_longer_wanted() -> None:
    assert parse(product(quantity_refunded=1), CONSIGNMENTS).lines[0].current_quantity == 1


def test_a_cancelled_order_is_a_cancellation() -> None:
    event = ADAPTER.parse_event(*write_bigcommerce_event("218", secret=SECRET, store_hash="abc123"))
    fetched = ADAPTER.parse_fetched(event, encoded({**ORDER, "status_id": 5}), encoded(PRODUCTS))
    assert (fetched.kind, fetched.fetch) == (EventKind.CANCELLATION, ())
    assert fetched.cancellation is not None


@pytest.mark.parametrize(
    ("changes", "more", "kind", "says"),
    [
        ({}, ([],), UnreadableBody, "the order's products are missing; send them beside the order"),
        ({}, (product(order_id=219),), UnreadableBody, "$.documents[1].list[0].order_id is not the order's 218"),
        ({}, (product(quantity=-1),), UnreadableBody, "$.documents[1].list[0].quantity is -1"),
        ({}, (product(quantity="1.5"),), UnreadableBody, "quantity is no whole number of units"),
        ({}, (product(total_inc_tax="a"),), InvalidMoney, "$.documents[1].list[0].total_inc_tax is no amount"),
        ({}, (product(total_inc_tax=None),), InvalidMoney, "total_inc_tax is no amount"),
        ({}, (PRODUCTS * 250,), UnreadableBody, "the order has 250 products or more"),
        ({}, (PRODUCTS * 2,), UnreadableBody, "line ids must be unique"),
        ({}, ("text",), UnreadableBody, "$.documents[1].list is a text"),
        ({"total_inc_tax": ""}, (PRODUCTS,), InvalidMoney, "$.total_inc_tax is no amount"),
        ({"date_created": "2019-03-05"}, (PRODUCTS,), UnreadableBody, "$.date_created is '2019-03-05'; send a time"),
        ({"currency_code": "XYZ", "default_currency_code": ""}, (PRODUCTS,), InvalidMoney, "$.currency_code"),
        ({"id": None}, (PRODUCTS,), UnreadableBody, "$.id is missing"),
        ({}, (PRODUCTS, {"shipping": [{**SHIPPING, "line_items": {}}]}), UnreadableBody, "names no product"),
    ],
)
def test_what_cannot_be_read_is_refused(
    changes: dict[str, Any], more: tuple[Any, ...], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=re.escape(says)):
        parse(*more, **changes)


def test_a_refund_by_itself() -> None:
    notice = ADAPTER.parse_refund(encoded({"data": REFUND}))
    assert (notice.external_id, notice.refund.refund, notice.refund.refunded_to_buyer_minor) == ("218", "3", 2083)
    declined = {**REFUND, "payments": [{"is_declined": True}]}
    assert ADAPTER.parse_refund(encoded({"data": declined})).refund.status is RefundStatus.REFUSED
    with pytest.raises(UnreadableBody, match="names no currency; set the store's currency"):
        BigCommerceAdapter().parse_refund(encoded({"data": REFUND}))
    with pytest.raises(UnreadableBody, match=re.escape("$.data.created is missing or empty")):
        ADAPTER.parse_refund(encoded({"data": {**REFUND, "created": ""}}))


def made(intent: Intent) -> tuple[Request, ...]:
    found = ADAPTER.requests(intent)
    assert not isinstance(found, Refusal), found
    return found


def test_each_parcel_is_a_shipment_of_its_lines() -> None:
    parcel = Parcel(
        carrier="ups", tracking="1Z", quantities=(("35", 2),), tracking_url="https://t.example", shipped_at=NOW
    )
    intent = Ship(key="k", external_id="218", parcels=(parcel, parcel), fulfilment="18")
    first, second = made(intent)
    assert first == second
    assert (first.method, first.url) == ("POST", "https://api.bigcommerce.com/stores/abc123/v2/orders/218/shipments")
    assert json.loads(first.body) == {
        "order_address_id": 18,
        "tracking_number": "1Z",
        "tracking_carrier": "ups",
        "tracking_link": "https://t.example",
        "items": [{"order_product_id": 35, "quantity": 2}],
    }
    answer = ADAPTER.read_answer(intent, first, Response(status=201, body=b'{"id": 11, "order_id": 218}'))
    assert (answer.ok, answer.reference) == (True, "11")
    changes: list[tuple[dict[str, Any], str]] = [
        ({"fulfilment": None}, "wants the fulfilment of the order's delivery"),
        ({"parcels": (parcel.model_copy(update={"quantities": ()}),)}, "names its lines and quantities"),
        ({"external_id": "a/b"}, "'a/b' is no number of an order"),
    ]
    for changed, says in changes:
        refusal = ADAPTER.requests(intent.model_copy(update=changed))
        assert isinstance(refusal, Refusal)
        assert says in refusal.sentence


def test_states_that_we_set() -> None:
    (request,) = made(ReadyForPickup(key="k", external_id="218"))
    assert (request.method, json.loads(request.body)) == ("PUT", {"status_id": 8})
    (request,) = made(CancelOrder(key="k", external_id="218"))
    assert json.loads(request.body) == {"status_id": 5}
    assert isinstance(ADAPTER.requests(CancelOrder(key="k", external_id="218", quantities=(("35", 1),))), Refusal)


def test_stock_is_absolute_or_relative() -> None:
    levels = tuple(StockLevel(listing=str(n), units=n) for n in range(11))
    first, second = made(SetStock(key="k", levels=levels, as_of=NOW))
    assert (first.method, first.url) == (
        "PUT",
        "https://api.bigcommerce.com/stores/abc123/v3/inventory/adjustments/absolute",
    )
    assert json.loads(second.body)["items"] == [{"location_id": 1, "quantity": 10, "variant_id": 10}]
    moves = (StockLevel(listing="9", sku="A", location="2", units=-3), StockLevel(listing="9", units=0))
    (request,) = made(SetStock(key="k", mode=StockMode.RELATIVE, levels=moves, as_of=NOW))
    assert (request.method, request.url.rpartition("/")[2]) == ("POST", "relative")
    assert json.loads(request.body)["items"] == [{"location_id": 2, "quantity": -3, "sku": "A"}]
    for level in (StockLevel(listing="x", units=1), StockLevel(listing="1", location="x", units=1)):
        assert isinstance(ADAPTER.requests(SetStock(key="k", levels=(level,), as_of=NOW)), Refusal)


def test_changes_are_listed_page_by_page() -> None:
    intent = ListChanges(key="k", since=datetime(2026, 11, 21, 11, 0, tzinfo=UTC), until=NOW)
    (request,) = made(intent)
    query = {name: value for name, (value,) in parse_qs(urlsplit(request.url).query).items()}
    assert query == {
        "min_date_modified": "2026-11-21T11:00:00+00:00",
        "max_date_modified": "2026-11-21T12:00:00+00:00",
        "min_id": "1",
        "sort": "id:asc",
        "limit": "50",
    }
    listed = [{**ORDER, "id": number} for number in range(100, 149)]
    page = ADAPTER.read_page(intent, encoded([*listed, {**ORDER, "id": "x"}]))
    assert len(page.references) == 49
    assert [name for name, _ in page.unreadable] == ["x"]
    assert page.references[3].external_id == "103"
    assert page.references[3].updated_at == datetime(2019, 3, 11, 15, 17, 25, tzinfo=UTC)
    assert page.following is not None
    assert page.following.cursor == "149", "an order that leaves the window meanwhile moves no other"
    (request,) = made(page.following)
    assert "&min_id=149&" in request.url
    with pytest.raises(UnreadableBody, match="no next one to ask for"):
        ADAPTER.read_page(intent, encoded([{**ORDER, "id": "x"}] * 50))
    assert ADAPTER.read_page(page.following, b"").following is None, "an empty page is an empty body"
    assert isinstance(ADAPTER.requests(intent.model_copy(update={"cursor": "x"})), Refusal)


@settings(max_examples=examples(60))
@given(bigcommerce_orders())
def test_bigcommerce_carries_what_its_documents_can_say(order: Order) -> None:
    adapter = BigCommerceAdapter(CONFIG.model_copy(update={"channel": "web"}))
    read = adapter.parse_order(*write_bigcommerce_order(order))
    assert read.model_copy(update={"body_sha256": None}) == order


def test_the_writer_says_what_it_would_lose() -> None:
    with pytest.raises(InvalidInput, match="cannot carry this order's tax on top, address, masked, token"):
        write_bigcommerce_order(plain_order())
