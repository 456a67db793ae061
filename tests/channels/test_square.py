"""Square: events that only name an order, money with taxes on top or inside, counter sales, returns, and its calls."""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings

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
from omo_core.channels.signing import sign_base64
from omo_core.channels.square import SquareAdapter, SquareConfig
from omo_core.model.errors import ForgedSignature, InvalidInput, InvalidMoney, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import OddityCode, Order, OrderStatus, PaymentStatus, RefundStatus
from omo_core.model.refusals import Refusal
from omo_core.testing.contracts import ChannelAdapterContract, Signed
from omo_core.testing.samples import NOW, Samples
from omo_core.testing.writers import write_square_event, write_square_order
from tests.channels.orders import plain_order
from tests.channels.samples import FACTS, needs_samples
from tests.channels.square_strategies import square_orders
from tests.effort import examples

SECRET = "correct horse"
URL = "https://shop.example/hooks/square"
CONFIG = SquareConfig(secrets=(SECRET,), notification_url=URL, location_ids=("L1",))
ADAPTER = SquareAdapter(CONFIG)


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


def line(uid: str, quantity: str, unit: int, **more: Any) -> dict[str, Any]:
    gross = int(float(quantity) * unit)
    return {
        "uid": uid,
        "name": f"Item {uid}",
        "quantity": quantity,
        "catalog_object_id": f"V-{uid}",
        "base_price_money": usd(unit),
        "gross_sales_money": usd(gross),
        "variation_total_price_money": usd(gross),
        "total_money": usd(gross),
        **more,
    }


PICKUP = {"uid": "f1", "type": "PICKUP", "state": "PROPOSED", "pickup_details": {"pickup_at": "2026-11-21T15:00:00Z"}}
ORDER: dict[str, Any] = {
    "id": "O1",
    "location_id": "L1",
    "state": "OPEN",
    "version": 3,
    "created_at": "2026-11-21T12:00:00.000Z",
    "updated_at": "2026-11-21T12:05:00.000Z",
    "line_items": [line("a", "2", 1250), line("b", "1", 1000)],
    "fulfillments": [PICKUP],
    "total_money": usd(3500),
}


def body(order: dict[str, Any]) -> bytes:
    return json.dumps({"order": order}).encode()


def parse(**changes: Any) -> Order:
    return ADAPTER.parse_order(body({**ORDER, **changes}))


def webhook(topic: str, name: str, held: dict[str, Any], key: str = "k") -> Signed:
    document = {"type": topic, "event_id": key, "data": {"type": name, "id": "O1", "object": {name: held}}}
    encoded = json.dumps(document).encode()
    return {"x-square-hmacsha256-signature": sign_base64(SECRET, URL.encode() + encoded)}, encoded


REFUND = {
    "id": "P1_R1",
    "status": "PENDING",
    "order_id": "O9",
    "payment_id": "P1",
    "amount_money": usd(1000),
    "created_at": "2026-11-21T13:00:00Z",
    "updated_at": "2026-11-21T13:01:00Z",
}
RETURN = {
    "id": "O9",
    "location_id": "L1",
    "state": "COMPLETED",
    "created_at": "2026-11-21T13:00:00Z",
    "returns": [
        {"source_order_id": "O1", "return_line_items": [{"source_line_item_uid": "a", "quantity": "1", "uid": "r"}]}
    ],
    "refunds": [{"id": "R1", "status": "APPROVED", "amount_money": usd(1250), "created_at": "2026-11-21T13:00:00Z"}],
    "total_money": usd(0),
}


class TestSquare(ChannelAdapterContract):
    adapter = ADAPTER
    messages: ClassVar = (
        write_square_event(plain_order(), secret=SECRET, notification_url=URL),
        webhook("payment.updated", "payment", {"id": "P1", "order_id": "O1"}, "k2"),
        webhook("refund.created", "refund", REFUND, "k3"),
        webhook("inventory.count.updated", "inventory_counts", {}, "k4"),
    )
    documents = ((body(ORDER),), (body({**ORDER, "fulfillments": [], "state": "COMPLETED"}),))
    refunds = (json.dumps({"refund": REFUND}).encode(), body(RETURN))
    fuzzed = 3_500
    samples = Samples(listing="V-a", location="L1", fulfilment="L1/f1/3", modes=tuple(StockMode))


def test_an_event_names_the_order_to_fetch() -> None:
    event = ADAPTER.parse_event(*webhook("order.created", "order_created", {"order_id": "O1", "version": 1}))
    assert (event.kind, event.subject, event.topic) == (EventKind.ORDER, "O1", "order.created")
    (request,) = event.fetch
    assert (request.method, request.url) == ("GET", "https://connect.squareup.com/v2/orders/O1")
    assert dict(request.headers)["Square-Version"] == "2025-01-23"


def test_events_of_one_id_and_two_topics_are_two() -> None:
    """The published examples of refund.created and refund.updated share their event id."""
    first = ADAPTER.parse_event(*webhook("refund.created", "refund", REFUND))
    second = ADAPTER.parse_event(*webhook("refund.updated", "refund", {**REFUND, "status": "COMPLETED"}))
    assert first.event_key != second.event_key
    assert first.refund is not None
    assert second.refund is not None
    assert (first.refund.refund.status, second.refund.refund.status) == (RefundStatus.AGREED, RefundStatus.DONE)


def test_a_payment_fetches_its_order_and_one_without_order_is_nothing_to_us() -> None:
    event = ADAPTER.parse_event(*webhook("payment.updated", "payment", {"id": "P1", "order_id": "O7"}))
    assert (event.kind, event.subject) == (EventKind.ORDER, "O7")
    assert ADAPTER.parse_event(*webhook("payment.created", "payment", {"id": "P1"})).kind is EventKind.OTHER


def test_an_order_id_never_leads_to_another_address() -> None:
    for order_id in ("../v2/payments", "a/b", "a?b=c", "é"):
        message = webhook("payment.updated", "payment", {"order_id": order_id})
        with pytest.raises(UnreadableBody, match="names no order by an id of Square's"):
            ADAPTER.parse_event(*message)
        assert isinstance(ADAPTER.requests(FetchOrder(key="k", external_id=order_id)), Refusal)


def test_the_address_is_part_of_what_is_signed() -> None:
    headers, encoded = webhook("order.created", "order_created", {"order_id": "O1"})
    ADAPTER.verify(headers, encoded)
    for url in (URL + "/", "https://shop.example/hooks", None):
        other = SquareAdapter(CONFIG.model_copy(update={"notification_url": url}))
        with pytest.raises(ForgedSignature):
            other.verify(headers, encoded)


@needs_samples
def test_the_published_signature() -> None:
    vectors = json.loads((FACTS / "signature_vectors.json").read_text(encoding="utf-8"))
    (vector,) = [one for one in vectors if one["channel"] == "square"]
    adapter = SquareAdapter(SquareConfig(secrets=(vector["key"],), notification_url=vector["prefix"]))
    headers = {vector["header"]: vector["expected"]}
    adapter.verify(headers, vector["body"].encode())
    assert adapter.parse_event(headers, vector["body"].encode()).kind is EventKind.OTHER
    with pytest.raises(ForgedSignature):
        adapter.verify(headers, vector["body"].encode() + b" ")


def test_an_order_for_pickup() -> None:
    order = parse()
    assert (order.external_id, order.source_version, order.status) == ("O1", 3, OrderStatus.OPEN)
    assert order.payment is PaymentStatus.PENDING
    assert [(one.line, one.sku, one.quantity, one.listing) for one in order.lines] == [
        ("a", "V-a", 2, "V-a"),
        ("b", "V-b", 1, "V-b"),
    ]
    (delivery,) = order.deliveries
    assert (delivery.method, delivery.pickup_node) == (DeliveryMethod.PICKUP, "L1")
    assert delivery.not_before == datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
    assert delivery.fulfilment == "L1/f1/3"
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.imbalance_minor) == (3500, 0)


def test_variations_and_locations_become_ours() -> None:
    config = CONFIG.model_copy(update={"skus": {"V-a": "MUG-BLUE"}, "locations": {"L1": "TPE-01"}})
    order = SquareAdapter(config).parse_order(body(ORDER))
    assert [one.sku for one in order.lines] == ["MUG-BLUE", "V-b"]
    assert order.deliveries[0].pickup_node == "TPE-01"


def test_taxes_on_top_discounts_tips_service_charges_and_rounding() -> None:
    first = line(
        "a",
        "2",
        1250,
        total_discount_money=usd(250),
        total_tax_money=usd(180),
        applied_discounts=[{"discount_uid": "d", "applied_money": usd(250)}],
        applied_taxes=[{"tax_uid": "t", "applied_money": usd(180)}],
    )
    order = parse(
        line_items=[first],
        taxes=[{"uid": "t", "type": "ADDITIVE"}],
        discounts=[{"uid": "d", "name": "Sale", "scope": "ORDER", "applied_money": usd(250)}],
        service_charges=[
            {"name": "Table", "applied_money": usd(100)},
            {"name": "Courier", "applied_money": usd(300)},
        ],
        total_service_charge_money=usd(400),
        total_discount_money=usd(250),
        total_tax_money=usd(180),
        total_tip_money=usd(50),
        rounding_adjustment={"amount_money": usd(-3)},
        total_money=usd(2877),
    )
    amounts = order.amounts
    assert amounts is not None
    assert (amounts.taxes_included, amounts.imbalance_minor) == (False, 0)
    assert (amounts.fee_minor, amounts.tip_minor, amounts.rounding_minor) == (400, 50, -3)
    (discount,) = order.discounts
    assert (discount.title, discount.amount_minor) == ("Sale", 250)
    assert [(share.line, share.amount_minor) for share in discount.shares] == [("a", 250)]
    config = CONFIG.model_copy(update={"shipping_charges": ("Courier",)})
    shipped = (
        SquareAdapter(config)
        .parse_order(
            body(
                {**ORDER, "service_charges": [{"name": "Courier", "applied_money": usd(300)}], "total_money": usd(3800)}
            )
        )
        .amounts
    )
    assert shipped is not None
    assert (shipped.shipping_minor, shipped.fee_minor, shipped.imbalance_minor) == (300, 0, 0)


@pytest.mark.parametrize("gross", [2273, 2500], ids=["taken out of gross sales", "left in gross sales"])
def test_a_tax_inside_the_price(gross: int) -> None:
    """Square takes it out of gross_sales_money in some countries and leaves it in others: the price tag decides."""
    taxed = line("a", "2", 1250, total_tax_money=usd(227), applied_taxes=[{"tax_uid": "t", "applied_money": usd(227)}])
    order = parse(
        line_items=[{**taxed, "gross_sales_money": usd(gross)}],
        taxes=[{"uid": "t", "type": "INCLUSIVE"}],
        total_tax_money=usd(227),
        total_money=usd(2500),
    )
    assert order.amounts is not None
    assert (order.amounts.taxes_included, order.amounts.tax_minor, order.amounts.imbalance_minor) == (True, 227, 0)
    assert order.lines[0].amounts is not None
    assert order.lines[0].amounts.gross_minor == 2500


def test_a_tax_inside_and_one_on_top() -> None:
    """What is inside is taken out of the prices, so that every tax comes on top."""
    applied = [{"tax_uid": "in", "applied_money": usd(227)}, {"tax_uid": "on", "applied_money": usd(100)}]
    order = parse(
        line_items=[line("a", "2", 1250, total_tax_money=usd(327), applied_taxes=applied)],
        taxes=[{"uid": "in", "type": "INCLUSIVE"}, {"uid": "on", "type": "ADDITIVE"}],
        total_tax_money=usd(327),
        total_money=usd(2600),
    )
    assert order.amounts is not None
    assert (order.amounts.taxes_included, order.amounts.line_gross_minor, order.amounts.imbalance_minor) == (
        False,
        2273,
        0,
    )


def test_modifiers_are_part_of_the_gross() -> None:
    steak = line("a", "2", 2200, modifiers=[{"name": "Well", "total_price_money": usd(100)}])
    del steak["gross_sales_money"]
    order = parse(line_items=[steak], total_money=usd(4500))
    assert order.amounts is not None
    assert (order.amounts.line_gross_minor, order.amounts.imbalance_minor) == (4500, 0)


def test_yen_are_whole() -> None:
    yen = {"amount": 1200, "currency": "JPY"}
    bought = {"uid": "a", "quantity": "1", "base_price_money": yen, "catalog_object_id": "V"}
    order = parse(line_items=[bought], total_money=yen)
    assert order.amounts is not None
    assert (order.currency, order.amounts.total_minor, order.amounts.imbalance_minor) == ("JPY", 1200, 0)


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"line_items": []}, UnreadableBody, "$.order.line_items is missing or empty; send the whole order"),
        ({"line_items": [line("a", "1.5", 100)]}, UnreadableBody, "quantity is no whole number of units"),
        ({"line_items": [line("a", "-1", 100)]}, UnreadableBody, "$.order.line_items[0].quantity is -1"),
        ({"line_items": [line("a", "0", 100)]}, UnreadableBody, "$.order.line_items has only lines of 0 units"),
        ({"total_money": {"amount": 35.0, "currency": "USD"}}, InvalidMoney, "$.order.total_money.amount is no amount"),
        ({"total_money": {"amount": 3500, "currency": "CAD"}}, InvalidMoney, "is not the order's CAD"),
        ({"total_money": {"amount": 3500}}, UnreadableBody, "$.order.total_money.currency is missing"),
        ({"created_at": None}, UnreadableBody, "$.order.created_at is missing"),
        ({"version": -1}, UnreadableBody, "$.order.version is -1"),
        ({"version": "3"}, UnreadableBody, "$.order.version is a text"),
        ({"id": None}, UnreadableBody, "$.order.id is missing"),
    ],
)
def test_what_cannot_be_read_is_refused(changes: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=re.escape(says)):
        parse(**changes)


def test_a_line_of_no_units_is_left_out_and_told() -> None:
    order = parse(line_items=[line("a", "0", 1250), line("b", "1.0", 3500)])
    assert [(one.line, one.quantity) for one in order.lines] == [("b", 1)]
    assert [one.path for one in order.oddities] == ["$.order.line_items[0].quantity"]


def test_an_unknown_state_keeps_the_order_open() -> None:
    order = parse(state="PAUSED", fulfillments=[{**PICKUP, "type": "SIMPLE"}])
    assert order.status is OrderStatus.OPEN
    assert [one.code for one in order.oddities] == [OddityCode.UNKNOWN_STATE] * 2
    assert order.deliveries[0].method is DeliveryMethod.SHIP


def test_a_draft_is_held() -> None:
    order = parse(state="DRAFT")
    assert (order.status, order.hold_reason) == (OrderStatus.OPEN, "DRAFT")


def test_an_open_ticket_at_the_till_is_held() -> None:
    for fulfillments in (None, [], [{"type": "IN_STORE", "state": "PROPOSED"}]):
        order = parse(fulfillments=fulfillments)
        assert order.hold_reason == "OPEN, and no fulfillment says where its goods go"
        assert not order.oddities
    assert parse().hold_reason is None
    assert parse(state="COMPLETED", fulfillments=[]).hold_reason is None


def test_what_is_no_longer_fulfilled_is_held() -> None:
    failed = {**PICKUP, "uid": "f2", "state": "FAILED"}
    off = {**PICKUP, "state": "CANCELED"}
    assert parse(fulfillments=[off, failed]).hold_reason == "CANCELED, FAILED"
    assert parse(fulfillments=[off, {**PICKUP, "uid": "f3"}]).hold_reason is None


def test_an_order_without_a_version_is_as_new_as_its_last_change() -> None:
    order = parse(version=None)
    assert order.source_version == 1_795_262_700_000_000
    assert order.deliveries[0].fulfilment is None, "such an order cannot be updated"


def test_a_cancelled_order_is_a_cancellation() -> None:
    document = body({**ORDER, "state": "CANCELED", "closed_at": "2026-11-21T14:00:00Z"})
    cancellation = ADAPTER.parse_cancellation(document)
    assert (cancellation.external_id, cancellation.source_version) == ("O1", 3)
    assert cancellation.cancelled_at == datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
    event = ADAPTER.parse_event(*webhook("order.updated", "order_updated", {"order_id": "O1"}))
    assert ADAPTER.parse_fetched(event, document).kind is EventKind.CANCELLATION


def tender(amount: int, status: str = "CAPTURED") -> dict[str, Any]:
    return {"id": f"T{amount}", "type": "CARD", "amount_money": usd(amount), "card_details": {"status": status}}


@pytest.mark.parametrize(
    ("changes", "payment"),
    [
        ({"tenders": [tender(3500)]}, PaymentStatus.PAID),
        ({"tenders": [tender(1500), tender(2000)]}, PaymentStatus.PAID),
        ({"tenders": [tender(1500)]}, PaymentStatus.PARTIALLY_PAID),
        ({"tenders": [tender(3500, "AUTHORIZED")]}, PaymentStatus.AUTHORISED),
        ({"tenders": [tender(3500, "VOIDED")]}, PaymentStatus.VOIDED),
        ({"tenders": [{"type": "CASH", "id": "c", "amount_money": usd(3500)}]}, PaymentStatus.PAID),
        ({"tenders": [tender(3500)], "refunds": RETURN["refunds"]}, PaymentStatus.PARTIALLY_REFUNDED),
        (
            {
                "tenders": [tender(3500)],
                "refunds": [
                    {"id": "R", "status": "APPROVED", "amount_money": usd(3500), "created_at": "2026-11-21T13:00:00Z"}
                ],
            },
            PaymentStatus.REFUNDED,
        ),
        ({"state": "COMPLETED"}, PaymentStatus.UNKNOWN),
        ({"state": "COMPLETED", "line_items": [line("a", "1", 0)], "total_money": usd(0)}, PaymentStatus.PAID),
    ],
)
def test_the_tenders_say_what_was_paid(changes: dict[str, Any], payment: PaymentStatus) -> None:
    order = parse(**changes)
    assert order.payment is payment
    voided = payment is PaymentStatus.VOIDED
    assert sum(one.amount_minor for one in order.payments) == (
        0 if voided else sum(one["amount_money"]["amount"] for one in changes.get("tenders", ()))
    )


def test_several_fulfilments_and_what_is_off() -> None:
    ship = {
        "uid": "f2",
        "type": "SHIPMENT",
        "state": "PROPOSED",
        "entries": [{"line_item_uid": "b", "quantity": "1"}],
        "shipment_details": {
            "shipping_type": "Express",
            "expected_shipped_at": "2026-11-22T10:00:00Z",
            "shipping_note": "Ring twice.",
            "recipient": {
                "display_name": "Ann Example",
                "phone_number": "+1 555",
                "address": {"address_line_1": "1 Main Street", "locality": "Springfield", "country": "US"},
            },
        },
    }
    off = {"uid": "f0", "type": "DELIVERY", "state": "CANCELED"}
    pickup = {**PICKUP, "entries": [{"line_item_uid": "a", "quantity": "2"}, {"line_item_uid": "b", "quantity": "1"}]}
    order = parse(fulfillments=[off, pickup, ship])
    assert [one.method for one in order.deliveries] == [DeliveryMethod.PICKUP, DeliveryMethod.SHIP]
    assert [one.delivery for one in order.lines] == [0, 0], "a line in two fulfilments stays with the first"
    assert len(order.oddities) == 1
    order = parse(fulfillments=[off, {**pickup, "entries": pickup["entries"][:1]}, ship])  # type: ignore[index]
    assert [one.delivery for one in order.lines] == [0, 1]
    shipped = order.deliveries[1]
    assert (shipped.service, shipped.ship_by, order.note) == (
        "Express",
        datetime(2026, 11, 22, 10, 0, tzinfo=UTC),
        "Ring twice.",
    )
    assert shipped.address is not None
    assert (shipped.address.recipient, shipped.address.street, shipped.address.city, shipped.address.country) == (
        "Ann Example",
        ("1 Main Street",),
        "Springfield",
        "US",
    )


def test_a_delivery_as_soon_as_possible_and_one_that_is_only_data() -> None:
    details = {"schedule_type": "ASAP", "deliver_at": "2026-11-21T13:00:00Z", "courier_provider_name": "Dash"}
    order = parse(fulfillments=[{"type": "DELIVERY", "state": "PROPOSED", "delivery_details": details}])
    assert (order.deliveries[0].method, order.deliveries[0].service) == (DeliveryMethod.ONE_HOUR, "Dash")
    order = parse(fulfillments=[{"type": "DIGITAL", "state": "PROPOSED"}])
    assert [one.physical for one in order.lines] == [False, False]
    order = parse(line_items=[line("a", "1", 3500, item_type="GIFT_CARD")])
    assert not order.lines[0].physical


def test_a_sale_over_the_counter_has_no_fulfilment() -> None:
    event = ADAPTER.parse_event(*webhook("order.updated", "order_updated", {"order_id": "O1"}))
    sold = {**ORDER, "fulfillments": [], "state": "COMPLETED", "closed_at": "2026-11-21T12:04:00Z"}
    fetched = ADAPTER.parse_fetched(event, body(sold))
    assert fetched.kind is EventKind.COUNTER_SALE
    assert fetched.fetch == ()
    sale = fetched.counter_sale
    assert sale is not None
    assert (sale.external_id, sale.node, sale.sold_at) == ("O1", "L1", datetime(2026, 11, 21, 12, 4, tzinfo=UTC))
    assert [(one.sku, one.quantity) for one in sale.lines] == [("V-a", 2), ("V-b", 1)]
    assert fetched.order is not None
    assert fetched.order.status is OrderStatus.CLOSED
    assert ADAPTER.parse_fetched(event, body({**sold, "state": "OPEN"})).kind is EventKind.ORDER
    in_store = [{"uid": "f", "type": "IN_STORE", "state": "COMPLETED"}]
    assert ADAPTER.parse_fetched(event, body({**sold, "fulfillments": in_store})).counter_sale == sale
    shipped = [*in_store, {"uid": "g", "type": "SHIPMENT", "state": "COMPLETED"}]
    assert ADAPTER.parse_fetched(event, body({**sold, "fulfillments": shipped})).kind is EventKind.ORDER
    unnamed = [{**line("a", "1", 3500), "catalog_object_id": None}]
    assert ADAPTER.parse_fetched(event, body({**sold, "line_items": unnamed})).counter_sale is None


def test_goods_that_come_back_are_of_the_order_that_sold_them() -> None:
    with pytest.raises(UnreadableBody, match="only takes back goods of O1; read it as a refund"):
        ADAPTER.parse_order(body(RETURN))
    notice = ADAPTER.parse_refund(body(RETURN))
    assert (notice.external_id, notice.returns_goods) == ("O1", True)
    assert (notice.refund.refund, notice.refund.refunded_to_buyer_minor) == ("R1", 1250)
    assert notice.refund.quantities == (("a", 1),)
    event = ADAPTER.parse_event(*webhook("order.created", "order_created", {"order_id": "O9"}))
    fetched = ADAPTER.parse_fetched(event, body(RETURN))
    assert (fetched.kind, fetched.subject, fetched.refund) == (EventKind.REFUND, "O1", notice)
    with pytest.raises(UnreadableBody, match="returns is missing or empty"):
        ADAPTER.parse_refund(body(ORDER))


def test_goods_may_come_back_without_money() -> None:
    notice = ADAPTER.parse_refund(body({**RETURN, "refunds": None}))
    assert (notice.external_id, notice.returns_goods) == ("O1", True)
    assert (notice.refund.refund, notice.refund.refunded_to_buyer_minor) == ("O9", 0)
    assert (notice.refund.quantities, notice.refund.status) == ((("a", 1),), RefundStatus.DONE)


def test_what_comes_back_in_the_same_order_is_no_longer_wanted() -> None:
    returns = [{"return_line_items": [{"source_line_item_uid": "a", "quantity": "1"}]}]
    order = parse(returns=returns, refunds=RETURN["refunds"], tenders=[tender(3500)])
    assert [one.current_quantity for one in order.lines] == [1, 1]
    assert order.refunds[0].quantities == (("a", 1),)


def test_an_exchange_says_whose_goods_come_back() -> None:
    returns = [{"source_order_id": "O0", "return_line_items": [{"source_line_item_uid": "a", "quantity": "1"}]}]
    order = parse(returns=returns)
    assert [one.current_quantity for one in order.lines] == [2, 1]
    assert "goods of the order O0 come back" in order.oddities[0].sentence


def made(intent: Intent) -> tuple[Request, ...]:
    found = ADAPTER.requests(intent)
    assert not isinstance(found, Refusal), found
    return found


def test_a_fulfilment_is_updated_in_the_version_that_was_seen() -> None:
    reference = parse().deliveries[0].fulfilment
    (request,) = made(ReadyForPickup(key="k", external_id="O1", fulfilment=reference))
    assert (request.method, request.url) == ("PUT", "https://connect.squareup.com/v2/orders/O1")
    document = json.loads(request.body)
    assert document == {
        "idempotency_key": hashlib.sha256(b"k").hexdigest(),
        "order": {"location_id": "L1", "version": 3, "fulfillments": [{"uid": "f1", "state": "PREPARED"}]},
    }
    parcel = Parcel(carrier="UPS", tracking="1Z", shipped_at=NOW)
    (request,) = made(Ship(key="k", external_id="O1", parcels=(parcel,), fulfilment=reference))
    assert json.loads(request.body)["order"]["fulfillments"] == [
        {"uid": "f1", "state": "COMPLETED", "shipment_details": {"carrier": "UPS", "tracking_number": "1Z"}}
    ]
    for fulfilment in (None, "f1", "L1/f1", "L1/../3"):
        refusal = ADAPTER.requests(ReadyForPickup(key="k", external_id="O1", fulfilment=fulfilment))
        assert isinstance(refusal, Refusal)
        assert "wants the fulfilment of the order's delivery" in refusal.sentence


def test_an_order_is_cancelled_with_its_fulfilments() -> None:
    order = parse(fulfillments=[PICKUP, {"uid": "f2", "type": "SHIPMENT", "state": "PROPOSED"}])
    seen = tuple(one.fulfilment for one in order.deliveries if one.fulfilment)
    (request,) = made(CancelOrder(key="k", external_id="O1", fulfilments=seen))
    assert (request.method, request.url) == ("PUT", "https://connect.squareup.com/v2/orders/O1")
    off = [{"uid": "f1", "state": "CANCELED"}, {"uid": "f2", "state": "CANCELED"}]
    assert json.loads(request.body) == {
        "idempotency_key": hashlib.sha256(b"k").hexdigest(),
        "order": {"location_id": "L1", "version": 3, "state": "CANCELED", "fulfillments": off},
    }
    for unseen in ((), ("f1",), ("L1/f1/3", "x"), ("L1/f1/3", "L1/f2/4"), ("L1/f1/3", "L2/f2/3")):
        refusal = ADAPTER.requests(CancelOrder(key="k", external_id="O1", fulfilments=unseen))
        assert isinstance(refusal, Refusal)
        assert "wants the fulfilments of all the order's deliveries" in refusal.sentence
    assert isinstance(ADAPTER.requests(CancelOrder(key="k", external_id="../O1", fulfilments=seen)), Refusal)


def test_stock_is_counted_or_adjusted() -> None:
    levels = tuple(StockLevel(listing=f"V{n}", location="L2", units=n) for n in range(101))
    first, second = made(SetStock(key="k", levels=levels, as_of=NOW))
    assert (len(first.items), second.items) == (100, ("V100",))
    document = json.loads(second.body)
    assert document["changes"] == [
        {
            "type": "PHYSICAL_COUNT",
            "physical_count": {
                "catalog_object_id": "V100",
                "location_id": "L2",
                "occurred_at": "2026-11-21T12:00:00.000Z",
                "quantity": "100",
                "state": "IN_STOCK",
            },
        }
    ]
    assert document["ignore_unchanged_counts"] is True
    assert json.loads(first.body)["idempotency_key"] != document["idempotency_key"]
    moves = tuple(StockLevel(listing="V", units=units) for units in (4, -3, 0))
    (request,) = made(SetStock(key="k", mode=StockMode.RELATIVE, levels=moves, as_of=NOW))
    found = [change["adjustment"] for change in json.loads(request.body)["changes"]]
    assert [(one["from_state"], one["to_state"], one["quantity"], one["location_id"]) for one in found] == [
        ("NONE", "IN_STOCK", "4", "L1"),
        ("IN_STOCK", "SOLD", "3", "L1"),
    ]
    nowhere = SquareAdapter(CONFIG.model_copy(update={"location_ids": ()}))
    refusal = nowhere.requests(SetStock(key="k", levels=moves[:1], as_of=NOW))
    assert isinstance(refusal, Refusal)
    assert "wants the id of a variation and of a location" in refusal.sentence


def test_changes_are_searched_by_location() -> None:
    intent = ListChanges(key="k", since=datetime(2026, 11, 21, 11, 0, tzinfo=UTC), until=NOW, cursor="next")
    (request,) = made(intent)
    assert request.url == "https://connect.squareup.com/v2/orders/search"
    document = json.loads(request.body)
    assert document["location_ids"] == ["L1"]
    assert document["query"]["filter"]["date_time_filter"]["updated_at"]["start_at"] == "2026-11-21T11:00:00.000Z"
    assert (document["query"]["sort"]["sort_field"], document["cursor"]) == ("UPDATED_AT", "next")
    sandbox = SquareAdapter(SquareConfig(sandbox=True))
    assert isinstance(sandbox.requests(intent), Refusal)
    fetched = sandbox.requests(FetchOrder(key="k", external_id="O1"))
    assert not isinstance(fetched, Refusal)
    request = fetched[0]
    assert request.url == "https://connect.squareupsandbox.com/v2/orders/O1"


def test_a_page_gives_orders_and_names_what_is_more_than_an_order() -> None:
    intent = ListChanges(key="k", since=datetime(2026, 11, 21, 11, 0, tzinfo=UTC), until=NOW)
    sold = {**ORDER, "id": "O2", "fulfillments": [], "state": "COMPLETED"}
    broken = {**ORDER, "id": "O3", "created_at": None}
    page = {"orders": [ORDER, sold, RETURN, broken], "cursor": "c2"}
    found = ADAPTER.read_page(intent, json.dumps(page).encode())
    assert [order.external_id for order in found.orders] == ["O1"]
    assert [one.external_id for one in found.references] == ["O2", "O9"]
    assert [name for name, _ in found.unreadable] == ["O3"]
    assert found.following == intent.model_copy(update={"cursor": "c2"})
    entries = b'{"order_entries": [{"order_id": "O4", "version": 1, "location_id": "L1"}]}'
    assert [one.external_id for one in ADAPTER.read_page(intent, entries).references] == ["O4"]


@pytest.mark.parametrize(
    ("status", "said", "code", "retry"),
    [
        (
            404,
            '{"errors": [{"category": "INVALID_REQUEST_ERROR", "code": "NOT_FOUND", "detail": "no"}]}',
            "NOT_FOUND",
            True,
        ),
        (404, "<html>", "http_404", True),
        (401, '{"errors": [{"code": "UNAUTHORIZED"}]}', "UNAUTHORIZED", False),
        (429, '{"errors": [{"code": "RATE_LIMITED"}]}', "RATE_LIMITED", True),
        (200, '{"errors": [{"code": "INTERNAL_SERVER_ERROR"}]}', "INTERNAL_SERVER_ERROR", True),
        (200, "{}", None, False),
    ],
)
def test_an_order_that_is_not_there_yet_is_asked_for_again(status: int, said: str, code: str, retry: bool) -> None:
    intent = FetchOrder(key="k", external_id="O1")
    (request,) = made(intent)
    (item,) = ADAPTER.read_answer(intent, request, Response(status=status, body=said.encode())).items
    assert (item.item, item.code, item.retry, item.ok) == ("O1", code, retry, code is None)
    update = ReadyForPickup(key="k", external_id="O1", fulfilment="L1/f1/3")
    mismatch = b'{"errors": [{"code": "VERSION_MISMATCH", "detail": "Supplied version 3"}]}'
    (item,) = ADAPTER.read_answer(update, made(update)[0], Response(status=400, body=mismatch)).items
    assert (item.code, item.message, item.retry) == ("VERSION_MISMATCH", "Supplied version 3", False)


@settings(max_examples=examples(60))
@given(square_orders())
def test_square_carries_what_its_order_object_can_say(order: Order) -> None:
    adapter = SquareAdapter(CONFIG.model_copy(update={"channel": "web"}))
    headers, signed = write_square_event(order, secret=SECRET, notification_url=URL)
    adapter.verify(headers, signed)
    event = adapter.parse_event(headers, signed)
    assert event.subject == order.external_id
    written = write_square_order(order)
    assert adapter.parse_order(written).model_copy(update={"body_sha256": None}) == order


def test_the_writer_says_what_it_would_lose() -> None:
    with pytest.raises(InvalidInput, match="a Square order cannot carry this order's shipping, sku, place; use"):
        write_square_order(plain_order())
