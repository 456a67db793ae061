"""The native format: its documented examples, and what is refused with which sentence."""

import json
import re
from typing import Any

import pytest

from omo_core.channels.intents import IntentKind
from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.port import EventKind
from omo_core.model.errors import BodyTooLarge, ForgedSignature, InvalidMoney, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import OrderStatus
from omo_core.model.values import GeoPoint
from omo_core.testing.contracts import assert_raises
from omo_core.testing.writers.native import native_order_document
from tests.channels.orders import plain_order
from tools.house_rules import ROOT

ADAPTER = NativeAdapter()
ORDER = native_order_document(plain_order())
SALE = {
    "type": "counter_sale",
    "version": 1,
    "channel": "till-7",
    "external_id": "T-1",
    "node": "TPE-01",
    "sold_at": "2026-11-21T12:00:00+08:00",
    "lines": [{"sku": "TEA-100", "quantity": 1}],
}
CANCELLATION = {"type": "cancellation", "version": 1, "external_id": "1", "cancelled_at": "2026-11-21T12:00:00Z"}


class _Gone:
    """Says that a field is left out; its name is the same in every test process."""

    def __repr__(self) -> str:
        return "GONE"


GONE = _Gone()


def changed(document: dict[str, Any], path: str, value: object) -> bytes:
    """The document with one field set or taken away; `path` such as lines.0.quantity."""
    copy = json.loads(json.dumps(document))
    *way, last = path.split(".")
    place = copy
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if value is GONE:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return json.dumps(copy).encode()


def parse(body: bytes) -> Any:
    return ADAPTER.parse_event({}, body)


REFUSED: list[tuple[str, object, type[Exception], str]] = [
    ("lines.0.quantity", 1.5, UnreadableBody, "$.lines[0].quantity is 1.5; send a whole number of units"),
    ("lines.1.quantity", 2.0, UnreadableBody, "$.lines[1].quantity is 2.0; send a whole number of units"),
    (
        "lines.0.quantity",
        0,
        UnreadableBody,
        "$.lines[0].quantity is 0; send a whole number of units from 1 to 10000000",
    ),
    ("lines.0.quantity", -2, UnreadableBody, "$.lines[0].quantity is -2; send a whole number of units from 1"),
    ("lines.0.quantity", 10**9 + 1, UnreadableBody, "$.lines[0].quantity is 1000000001; send"),
    ("lines.0.quantity", True, UnreadableBody, "$.lines[0].quantity is true or false; send a whole number of units"),
    ("lines.0.quantity", "2", UnreadableBody, "$.lines[0].quantity is a text; send a whole number of units"),
    ("lines.0.quantity", "١٢", UnreadableBody, "$.lines[0].quantity is a text"),
    ("lines.0.quantity", None, UnreadableBody, "$.lines[0].quantity is missing"),
    ("lines.0.current_quantity", 3, UnreadableBody, "current_quantity cannot exceed quantity"),
    ("lines.0.current_quantity", -1, UnreadableBody, "$.lines[0].current_quantity is -1"),
    ("lines.0.unit_price", 12.5, InvalidMoney, "$.lines[0].unit_price is a number; send a decimal amount as a text"),
    ("lines.0.unit_price", 12, InvalidMoney, "$.lines[0].unit_price is a number"),
    (
        "lines.0.unit_price",
        "12.505",
        InvalidMoney,
        "$.lines[0].unit_price cannot be used: '12.505' has more than the 2",
    ),
    ("lines.0.unit_price", "-1.00", InvalidMoney, "$.lines[0].unit_price is -1.00, less than 0"),
    ("lines.0.unit_price", "NaN", InvalidMoney, "$.lines[0].unit_price is 'NaN', not a decimal amount"),
    ("lines.0.unit_price", "1e3", InvalidMoney, "not a decimal amount"),
    ("lines.0.unit_price", "1_000", InvalidMoney, "not a decimal amount"),
    ("lines.0.unit_price", "١٢.00", InvalidMoney, "not a decimal amount"),
    ("lines.0.unit_price", "12,50", InvalidMoney, "not a decimal amount"),
    ("lines.0.unit_price", " 12.50", InvalidMoney, "not a decimal amount"),
    ("lines.0.unit_price", "0.0000000000000000000000000000000001", InvalidMoney, "not a decimal amount"),
    ("lines.0.unit_price", "9999999999999999.00", InvalidMoney, "$.lines[0].unit_price cannot be used"),
    ("lines.0.unit_price", GONE, UnreadableBody, "$.lines[0].gross stands without a unit_price"),
    ("lines.0.discount", "-1.00", InvalidMoney, "$.lines[0].discount is -1.00"),
    (
        "lines.0.quantiy",
        2,
        UnreadableBody,
        "$.lines[0].'quantiy' is not a known field; use one of: bundle, current_quantity",
    ),
    ("lines.0.sku", " MUG", UnreadableBody, "$.lines[0].sku cannot be used: must be one line of text"),
    ("lines.0.sku", "M\nG", UnreadableBody, "$.lines[0].sku cannot be used: must be one line of text"),
    ("lines.0.sku", "M" * 129, UnreadableBody, "$.lines[0].sku cannot be used"),
    ("lines.0.sku", 7, UnreadableBody, "$.lines[0].sku is a number; send a text"),
    ("lines.1.line", "11", UnreadableBody, "line ids must be unique within the order"),
    ("lines.0.delivery", 1, UnreadableBody, "a line's delivery must be an index into deliveries"),
    ("lines.0.physical", "yes", UnreadableBody, "$.lines[0].physical is a text; send true or false"),
    ("lines.0.physical", 1, UnreadableBody, "$.lines[0].physical is a number; send true or false"),
    ("lines.0", [], UnreadableBody, "$.lines[0] is a list; send an object"),
    ("lines", [], UnreadableBody, "$.lines is missing or empty; send at least one line"),
    ("lines", GONE, UnreadableBody, "$.lines is missing or empty"),
    ("lines", {"sku": "X"}, UnreadableBody, "$.lines is an object; send a list of objects"),
    ("lines", [{}] * 10_001, UnreadableBody, "$.lines has 10001 entries; send at most 10000"),
    ("currency", "XYZ", InvalidMoney, "$.currency: 'XYZ' is not an ISO 4217 currency code"),
    ("currency", "usd", InvalidMoney, "$.currency: 'usd' is not an ISO 4217 currency code"),
    ("currency", "JPY", InvalidMoney, "has more than the 0 decimals of JPY"),
    ("currency", GONE, UnreadableBody, "$.currency is missing or empty; send a text"),
    ("presentment_currency", "XXX", InvalidMoney, "$.presentment_currency: 'XXX' is not"),
    ("type", "draft", UnreadableBody, "$.type is 'draft'; send order, cancellation, refund, counter_sale or batch"),
    ("type", GONE, UnreadableBody, "$.type is missing or empty"),
    ("version", 2, UnreadableBody, "$.version is not 1; this library reads version 1"),
    ("version", True, UnreadableBody, "$.version is true or false"),
    ("version", GONE, UnreadableBody, "$.version is missing"),
    ("source_version", -1, UnreadableBody, "$.source_version is -1"),
    ("source_version", 2**63, UnreadableBody, "$.source_version is 9223372036854775808"),
    ("external_id", 7, UnreadableBody, "$.external_id is a number; send a text"),
    ("external_id", "", UnreadableBody, "$.external_id is missing or empty"),
    ("channel", "Web Shop", UnreadableBody, "$.channel cannot be used"),
    ("status", "shipped", UnreadableBody, "$.status is 'shipped'; send one of: open, cancelled, closed"),
    ("payment", "maybe", UnreadableBody, "$.payment is 'maybe'; send one of: unknown, pending"),
    ("placed_at", "2026-11-21", UnreadableBody, "$.placed_at is '2026-11-21'; send a time with its offset"),
    ("placed_at", "2026-11-21T12:00:00", UnreadableBody, "$.placed_at is '2026-11-21T12:00:00'; send a time with"),
    ("placed_at", "2026-W47-6T12:00:00Z", UnreadableBody, "send a time with its offset"),
    ("placed_at", "2026-13-21T12:00:00Z", UnreadableBody, "send a time with its offset"),
    ("placed_at", "2026-11-21T12:00:00+25:00", UnreadableBody, "send a time with its offset"),
    ("placed_at", "٢٠٢٦-11-21T12:00:00Z", UnreadableBody, "send a time with its offset"),
    ("placed_at", "9999-12-31T23:59:59-12:00", UnreadableBody, "send a time with its offset"),
    ("placed_at", "0001-01-01T00:00:00+14:00", UnreadableBody, "send a time with its offset"),
    ("placed_at", 1763726400, UnreadableBody, "$.placed_at is a number; send a text"),
    ("deliveries.0.method", "drone", UnreadableBody, "$.deliveries[0].method is 'drone'; send one of: ship, pickup"),
    ("deliveries.0.method", "pickup", UnreadableBody, "$.deliveries[0] cannot be used: a pickup names its pickup_node"),
    ("deliveries.0.address.latitude", "north", UnreadableBody, "$.deliveries[0].address.latitude is no number of deg"),
    ("deliveries.0.address.latitude", 90.5, UnreadableBody, "send a decimal number from -90 to 90"),
    ("deliveries.0.address.longitude", None, UnreadableBody, "$.deliveries[0].address.longitude is no number of"),
    ("deliveries.0.address.country", "usa", UnreadableBody, "$.deliveries[0].address.country cannot be used"),
    (
        "deliveries.0.address.street",
        "1 Main Street",
        UnreadableBody,
        "$.deliveries[0].address.street is a text; send a",
    ),
    ("deliveries.0.address.street", [1], UnreadableBody, "is no list of texts"),
    ("delivery", {"method": "ship"}, UnreadableBody, "$.deliveries stands beside delivery; send one of the two"),
    ("deliveries", [], UnreadableBody, "$.deliveries cannot be used"),
    ("amounts.total", GONE, InvalidMoney, "$.amounts.total is missing"),
    ("amounts.line_gross", "1.00", UnreadableBody, "line_gross_minor is 100, but the lines add to 3500"),
    ("lines.0.parent", "12", UnreadableBody, "a line's parent must be the id of a line with bundle set"),
    ("lines.0.bundle", "yes", UnreadableBody, "$.lines[0].bundle is a text; send true or false"),
    ("lines.0.preorder", 1, UnreadableBody, "$.lines[0].preorder is a number"),
    ("amounts.presentment_total", "9.00", UnreadableBody, "stands without the order's presentment_currency"),
    ("amounts.platform_discount", "-1.00", InvalidMoney, "$.amounts.platform_discount is -1.00, less than 0"),
    ("discounts", [{"title": "Sale"}], InvalidMoney, "$.discounts[0].amount is missing"),
    ("discounts", [{"amount": "1.00", "funder": "bank"}], UnreadableBody, "send one of: unknown, seller, platform"),
    ("discounts", [{"amount": "1.00", "shares": [{"line": "11"}]}], InvalidMoney, "$.discounts[0].shares[0].amount"),
    ("payments", [{"amount": 1.5}], InvalidMoney, "$.payments[0].amount is a number; send a decimal amount"),
    ("deliveries.0.ship_by", "soon", UnreadableBody, "$.deliveries[0].ship_by is 'soon'"),
    ("ship_complete", "no", UnreadableBody, "$.ship_complete is a text; send true or false"),
    ("buyer", 7, UnreadableBody, "$.buyer is a number; send a text"),
    ("note", "x" * 2001, UnreadableBody, "$.note cannot be used"),
    ("refunds", [{"refund": "r", "created_at": "2026-11-21T12:00:00Z"}], InvalidMoney, "refunded_to_buyer is missing"),
]


@pytest.mark.parametrize(("path", "value", "kind", "says"), REFUSED, ids=lambda one: str(one)[:30])
def test_a_wrong_field_is_refused_with_its_place(path: str, value: object, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=re.escape(says)) as refusal:
        parse(changed(ORDER, path, value))
    assert type(refusal.value) is kind
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("lines", [], "$.lines is missing or empty"),
        ("lines.0.quantity", 1.5, "$.lines[0].quantity is 1.5"),
        ("lines.0.sku", None, "$.lines[0].sku is missing or empty"),
        ("lines.0.unit_price", "1.00", "'unit_price' is not a known field"),
        ("node", GONE, "$.node is missing"),
        ("sold_at", GONE, "$.sold_at is missing"),
        ("total", "1.00", "'total' is not a known field"),
    ],
)
def test_a_wrong_counter_sale_is_refused_whole(path: str, value: object, says: str) -> None:
    with pytest.raises(UnreadableBody, match=re.escape(says)):
        parse(changed(SALE, path, value))


def test_a_cancellation_without_a_version_is_as_new_as_its_time() -> None:
    cancellation = parse(json.dumps(CANCELLATION).encode()).cancellation
    assert cancellation.source_version == 1795262400 * 1_000_000
    assert cancellation.channel == "native"
    with pytest.raises(UnreadableBody, match="'line' is not a known field"):
        parse(changed(CANCELLATION, "line", []))


REFUND = {
    "type": "refund",
    "version": 1,
    "external_id": "1",
    "currency": "USD",
    "refund": {"refund": "r1", "created_at": "2026-11-21T12:00:00Z", "refunded_to_buyer": "3.00"},
}


def test_a_refund_by_itself() -> None:
    notice = parse(json.dumps(REFUND).encode()).refund
    assert (notice.channel, notice.external_id, notice.returns_goods) == ("native", "1", None)
    assert notice.updated_at == notice.refund.created_at
    assert notice.refund.refunded_to_buyer_minor == 300
    assert ADAPTER.parse_refund(changed(REFUND, "returns_goods", False)).returns_goods is False
    for path, value, says in [
        ("currency", GONE, "$.currency is missing"),
        ("refund", GONE, "$.refund is missing; send an object"),
        ("refund.status", "maybe", "$.refund.status is 'maybe'; send one of: requested, agreed, refused, done"),
        ("refund.amount", "1.00", "$.refund.'amount' is not a known field"),
    ]:
        with pytest.raises(UnreadableBody, match=re.escape(says)):
            parse(changed(REFUND, path, value))
    with pytest.raises(UnreadableBody, match=re.escape("$.type is not refund; send a refund document here")):
        ADAPTER.parse_refund(json.dumps(SALE).encode())


def test_a_cancellation_may_be_a_wish_for_a_part() -> None:
    document = {**CANCELLATION, "requested": True, "lines": [{"line": "11", "quantity": 1}]}
    cancellation = ADAPTER.parse_cancellation(json.dumps(document).encode())
    assert (cancellation.requested, cancellation.quantities) == (True, (("11", 1),))
    cancelled = changed({**ORDER, "status": "cancelled"}, "cancelled_at", "2026-11-21T12:30:00Z")
    assert ADAPTER.parse_cancellation(cancelled).external_id == ORDER["external_id"]
    with pytest.raises(UnreadableBody, match="is open, not cancelled"):
        ADAPTER.parse_cancellation(json.dumps(ORDER).encode())


def test_a_batch_is_read_whole_or_not_at_all() -> None:
    documents = [ORDER, CANCELLATION, REFUND, SALE]
    batch = {"type": "batch", "version": 1, "documents": documents}
    event = ADAPTER.parse_event({"X-Omo-Event-Id": "b-1"}, json.dumps(batch).encode())
    assert (event.kind, event.subject, event.event_key) == (EventKind.SEVERAL, None, "b-1")
    assert [(one.kind, one.event_key) for one in event.events] == [
        (EventKind.ORDER, "b-1/1"),
        (EventKind.CANCELLATION, "b-1/2"),
        (EventKind.REFUND, "b-1/3"),
        (EventKind.COUNTER_SALE, "b-1/4"),
    ]
    for path, value, says in [
        ("documents", [], "$.documents is missing or empty"),
        ("documents.3.lines.0.quantity", 0, "$.documents[3].lines[0].quantity is 0"),
        ("documents.1", batch, "$.documents[1].type is a batch inside a batch"),
        ("external_id", "1", "$.'external_id' is not a known field"),
    ]:
        with pytest.raises(UnreadableBody, match=re.escape(says)):
            parse(changed(batch, path, value))


def test_what_a_bundle_holds_is_paid_for_with_the_bundle() -> None:
    lines = [
        {"line": "set", "sku": "TEA-SET", "quantity": 1, "unit_price": "30.00", "bundle": True},
        {"line": "cup", "sku": "CUP", "quantity": 2, "parent": "set"},
        {"line": "pot", "sku": "POT", "quantity": 1, "parent": "set", "preorder": True},
    ]
    document = {**ORDER, "lines": lines, "amounts": {"total": "30.00"}}
    order = ADAPTER.parse_order(json.dumps(document).encode())
    assert order.amounts is not None
    assert (order.amounts.line_gross_minor, order.amounts.imbalance_minor) == (3000, 0)
    assert [line.line for line in order.fulfillable()] == ["cup", "pot"]


def test_a_short_order_is_enough() -> None:
    body = json.dumps(
        {
            "type": "order",
            "version": 1,
            "external_id": "1",
            "placed_at": "2026-11-21T20:00:00+08:00",
            "currency": "TWD",
            "lines": [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}],
        }
    ).encode()
    event = parse(body)
    order = event.order
    assert event.kind is EventKind.ORDER
    assert event.event_key.startswith("sha256:")
    assert [(line.line, line.sku, line.quantity, line.current_quantity) for line in order.lines] == [
        ("1", "A", 2, 2),
        ("2", "B", 1, 1),
    ]
    assert order.placed_at.isoformat() == "2026-11-21T12:00:00+00:00"
    assert order.updated_at == order.placed_at
    assert order.source_version == 1795262400 * 1_000_000
    assert (order.channel, order.status, order.amounts) == ("native", OrderStatus.OPEN, None)
    assert [(one.method, one.address) for one in order.deliveries] == [(DeliveryMethod.SHIP, None)]


def test_times_finer_than_microseconds_are_cut() -> None:
    order = ADAPTER.parse_order(changed(ORDER, "placed_at", "2026-11-21T07:00:00.123456789-05:00"))
    assert order.placed_at.isoformat() == "2026-11-21T12:00:00.123456+00:00"


def test_degrees_may_be_numbers_or_texts() -> None:
    for latitude in (39.8, "39.8"):
        order = ADAPTER.parse_order(changed(ORDER, "deliveries.0.address.latitude", latitude))
        assert order.deliveries[0].address is not None
        assert order.deliveries[0].address.point == GeoPoint(latitude=39.8, longitude=-89.65)


def test_several_orders_in_one_document() -> None:
    other = {**ORDER, "external_id": "2"}
    for document in ([ORDER, other], {"orders": [ORDER, other]}):
        assert [one.external_id for one in ADAPTER.parse_orders(json.dumps(document).encode())] == [
            "820982911946154508",
            "2",
        ]
    with pytest.raises(UnreadableBody, match=re.escape("$.orders[1].type is not order")):
        ADAPTER.parse_orders(json.dumps([ORDER, SALE]).encode())


def test_a_sender_speaks_only_for_its_channels() -> None:
    adapter = NativeAdapter(NativeConfig(channel="till-7", accepts=("till-7",)))
    assert adapter.parse_event({}, json.dumps(SALE).encode()).counter_sale is not None
    with pytest.raises(UnreadableBody, match="may speak for; send one of: till-7"):
        adapter.parse_event({}, changed(SALE, "channel", "web"))
    assert adapter.parse_event({}, changed(SALE, "channel", GONE)).counter_sale is not None


def test_the_event_key_is_the_senders() -> None:
    body = json.dumps(SALE).encode()
    assert ADAPTER.parse_event({"x-omo-event-id": "k-1"}, body).event_key == "k-1"
    for bad in ("k" * 201, "a\x00b", " k"):
        with pytest.raises(UnreadableBody, match="event_key"):
            ADAPTER.parse_event({"X-Omo-Event-Id": bad}, body)


def test_the_signature_says_its_algorithm() -> None:
    adapter = NativeAdapter(NativeConfig(secrets=("s",)))
    with pytest.raises(ForgedSignature, match="does not begin with sha256="):
        adapter.verify({"X-Omo-Signature": "md5=00"}, b"{}")


def test_a_large_body_is_refused_before_it_is_read() -> None:
    adapter = NativeAdapter(NativeConfig(max_bytes=100))
    for read in (adapter.parse_order, adapter.parse_orders, lambda body: adapter.parse_event({}, body)):
        assert_raises(BodyTooLarge, read, b"\xff" * 101)


DOCUMENTATION = (ROOT / "docs" / "channels-native.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json\n(.*?)^```", DOCUMENTATION, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_documented_examples_are_read(example: str) -> None:
    event = parse(example.encode())
    assert event.topic == json.loads(example)["type"]
    if event.order is not None and event.order.amounts is not None:
        assert event.order.amounts.imbalance_minor == 0


def test_every_kind_of_document_and_every_field_is_documented() -> None:
    from omo_core.channels import native_documents, native_money, native_order, native_requests

    assert {json.loads(example)["type"] for example in EXAMPLES} == {
        *("order", "cancellation", "refund", "counter_sale", "batch")
    }
    tables = (
        native_documents.CANCELLATION_FIELDS,
        native_documents.COUNTER_SALE_FIELDS,
        native_documents.REFUND_NOTICE_FIELDS,
        native_documents.BATCH_FIELDS,
        native_order.ORDER_FIELDS,
        native_order.LINE_FIELDS,
        native_order.DELIVERY_FIELDS,
        native_order.ADDRESS_FIELDS,
        native_money.AMOUNTS_FIELDS,
        native_money.DISCOUNT_FIELDS,
        native_money.SHARE_FIELDS,
        native_money.PAYMENT_FIELDS,
        native_money.REFUND_FIELDS,
        frozenset(IntentKind),
    )
    missing = {name for table in tables for name in table if f"`{name}`" not in DOCUMENTATION}
    answers = native_requests.ANSWER_FIELDS | native_requests.ITEM_FIELDS | native_requests.PAGE_FIELDS
    missing |= {name for name in answers - {"extra"} if f'"{name}"' not in DOCUMENTATION}
    assert not missing
