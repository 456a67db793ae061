"""eBay's dialect, on documents written by hand after its documentation and its own SDK."""

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.ebay import SIGNATURE_HEADER, EbayAdapter, EbayConfig
from omo_core.channels.intents import (
    CancelOrder,
    FetchOrder,
    Intent,
    ListChanges,
    Parcel,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
)
from omo_core.channels.port import EventKind
from omo_core.model.errors import ForgedSignature, InvalidInput, InvalidMoney, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Discount,
    DiscountShare,
    LineAmounts,
    OddityCode,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from omo_core.model.refusals import Refusal
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.samples import NOW, Samples
from omo_core.testing.writers import write_ebay_notification, write_ebay_order
from omo_core.testing.writers.ebay import sign_ebay
from tests.channels import strategies as draw_
from tests.channels.orders import plain_order

pytest.importorskip("cryptography", reason="eBay's signatures need the extra crypto")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

ORDER_ID = "12-15199-57289"


def pem(number: int) -> tuple[str, str]:
    """A key pair on eBay's curve, the same every time."""
    key = ec.derive_private_key(number, ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


PRIVATE, PUBLIC = pem(7)
TOKEN = "a-token-of-thirty-two-characters-or-more"
CONFIG = EbayConfig(secrets=(PUBLIC,), verification_token=TOKEN, endpoint="https://omo.example/ebay")
ADAPTER = EbayAdapter(CONFIG)


def usd(value: str) -> dict[str, str]:
    return {"value": value, "currency": "USD"}


def item(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "lineItemId": f"1006450464191{number}",
        "legacyItemId": "355590381927",
        "sku": f"SKU-{number}",
        "title": "Mug",
        "quantity": 2,
        "lineItemCost": usd("264.8"),
    } | changes


def document(**changes: Any) -> dict[str, Any]:
    return {
        "orderId": ORDER_ID,
        "creationDate": "2026-11-21T12:00:00.000Z",
        "lastModifiedDate": "2026-11-21T12:30:00.123Z",
        "orderFulfillmentStatus": "NOT_STARTED",
        "orderPaymentStatus": "PAID",
        "cancelStatus": {"cancelState": "NONE_REQUESTED", "cancelRequests": []},
        "pricingSummary": {"priceSubtotal": usd("264.8"), "deliveryCost": usd("0.0"), "total": usd("264.8")},
        "lineItems": [item()],
    } | changes


def body(**changes: Any) -> bytes:
    return json.dumps(document(**changes)).encode()


def read(**changes: Any) -> Order:
    return ADAPTER.parse_order(body(**changes))


def amounts(order: Order) -> OrderAmounts:
    assert order.amounts is not None
    return order.amounts


def carried(**changes: Any) -> Order:
    fields = {
        "channel": "ebay",
        "external_id": ORDER_ID,
        "deliveries": (Delivery(address=Address(recipient="Ann", street=("1 Main Street",), country="US")),),
    }
    return plain_order().model_copy(update=fields | changes)


SAMPLES = Samples(order=ORDER_ID, names_lines=True)


class TestEbayContract(ChannelAdapterContract):
    adapter = ADAPTER
    messages = (
        write_ebay_notification(carried(), secret=PRIVATE, notification_id="n-1"),
        write_ebay_notification(carried(), secret=PRIVATE, notification_id="n-2"),
        write_ebay_notification(carried(), secret=PRIVATE),
    )
    documents = ((write_ebay_order(carried()),), (body(),))
    fuzzed = 3_400
    samples = SAMPLES


# Messages.


def test_a_notification_says_which_order_to_fetch() -> None:
    headers, raw = write_ebay_notification(carried(), secret=PRIVATE, notification_id="n-1")
    event = ADAPTER.parse_event(headers, raw)
    assert (event.event_key, event.topic, event.kind) == ("n-1", "ORDER_CONFIRMATION", EventKind.ORDER)
    assert [one.url for one in event.fetch] == [
        f"https://api.ebay.com/sell/fulfillment/v1/order/{ORDER_ID}?fieldGroups=TAX_BREAKDOWN"
    ]


def test_other_notifications_are_understood_and_left() -> None:
    raw = b'{"metadata":{"topic":"MARKETPLACE_ACCOUNT_DELETION"},"notification":{"notificationId":"n","data":{}}}'
    assert ADAPTER.parse_event({}, raw).kind is EventKind.OTHER
    for data, reason in (({}, "orderId is missing"), ({"order": {"orderId": "../x"}}, "orderId is no order id")):
        notice = {"metadata": {"topic": "ORDER_CONFIRMATION"}, "notification": {"data": data}}
        with pytest.raises(UnreadableBody, match=reason):
            ADAPTER.parse_event({}, json.dumps(notice).encode())


def test_keys_may_be_written_as_ebay_does() -> None:
    headers, raw = write_ebay_notification(carried(), secret=PRIVATE)
    one_line = PUBLIC.replace("\n", "")
    bare = "".join(PUBLIC.splitlines()[1:-1])
    for key in (one_line, bare):
        EbayAdapter(EbayConfig(secrets=(pem(8)[1], "no key", key))).verify(headers, raw)
    for keys in ((pem(8)[1],), ("no key",)):
        with pytest.raises(ForgedSignature, match="matches no current key"):
            EbayAdapter(EbayConfig(secrets=keys)).verify(headers, raw)


def test_a_signature_header_is_one_text_only() -> None:
    headers, raw = write_ebay_notification(carried(), secret=PRIVATE)
    told = json.loads(base64.b64decode(headers[SIGNATURE_HEADER]))

    def header(**changes: Any) -> str:
        return base64.b64encode(json.dumps(told | changes).encode()).decode()

    ADAPTER.verify({SIGNATURE_HEADER: header(kid="another")}, raw)
    for spoilt in (
        header(digest="MD5"),
        header(digest=None),
        header(signature=None),
        header(signature=told["signature"] + "="),
        header(signature="AAAA"),
        base64.b64encode(b"[1]").decode(),
        base64.b64encode(b"\xff").decode(),
        "A" * 5_000,
    ):
        with pytest.raises(ForgedSignature):
            ADAPTER.verify({SIGNATURE_HEADER: spoilt}, raw)


def test_sha256_is_taken_where_the_header_names_it() -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(PRIVATE.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = base64.b64encode(key.sign(b"{}", ec.ECDSA(hashes.SHA256()))).decode()
    header = base64.b64encode(json.dumps({"signature": signature, "digest": "SHA256"}).encode()).decode()
    ADAPTER.verify({SIGNATURE_HEADER: header}, b"{}")
    assert sign_ebay(PRIVATE, b"{}") == sign_ebay(PRIVATE, b"{}")


def test_a_challenge_to_the_endpoint_is_answered() -> None:
    headers = {":path": "/ebay?challenge_code=a8628072-3d33"}
    ADAPTER.verify(headers, b"")
    event = ADAPTER.parse_event(headers, b"")
    proof = hashlib.sha256(f"a8628072-3d33{TOKEN}https://omo.example/ebay".encode()).hexdigest()
    assert event.reply is not None
    assert json.loads(event.reply.body) == {"challengeResponse": proof}
    assert (event.kind, event.reply.content_type) == (EventKind.OTHER, "application/json")
    with pytest.raises(InvalidInput, match="configure verification_token and endpoint"):
        EbayAdapter(EbayConfig()).parse_event(headers, b"")
    for path in ("/ebay", "/ebay?challenge_code=", "/ebay?challenge_code=%0a", "/ebay?a"):
        with pytest.raises(ForgedSignature):
            ADAPTER.verify({":path": path}, b"")
        with pytest.raises(UnreadableBody, match="no challenge_code"):
            ADAPTER.parse_event({":path": path}, b"")
    with pytest.raises(ForgedSignature):
        ADAPTER.verify(headers, b"{}")


def test_the_configuration_keeps_its_token_to_itself() -> None:
    assert TOKEN not in repr(CONFIG)
    assert PUBLIC not in repr(CONFIG)


# Orders.


def test_a_line_costs_what_all_of_it_costs() -> None:
    found = read()
    assert found.lines[0].amounts == LineAmounts(list_unit_price_minor=13240, gross_minor=26480)
    assert (found.lines[0].sku, found.lines[0].listing) == ("SKU-1", "355590381927")
    assert str(found.updated_at) == "2026-11-21 12:30:00.123000+00:00"


def test_a_sku_of_several_codes_stays_whole() -> None:
    assert read(lineItems=[item(sku="A-1 B-2 C-3")]).lines[0].sku == "A-1 B-2 C-3"
    varied = read(lineItems=[item(legacyVariationId="6100")])
    assert varied.lines[0].listing == "355590381927/6100"


def test_discounts_of_price_and_delivery() -> None:
    pricing = {
        "priceSubtotal": usd("264.8"),
        "priceDiscount": usd("-13.24"),
        "deliveryCost": usd("19.8"),
        "deliveryDiscount": usd("-14.85"),
        "total": usd("256.51"),
    }
    promoted = item(
        discountedLineItemCost=usd("251.56"),
        appliedPromotions=[{"promotionId": "5%", "description": "Five off", "discountAmount": usd("13.24")}],
    )
    found = read(pricingSummary=pricing, lineItems=[promoted])
    assert amounts(found).imbalance_minor == 0
    assert (amounts(found).discount_minor, amounts(found).shipping_minor) == (2809, 1980)
    assert found.lines[0].amounts == LineAmounts(list_unit_price_minor=13240, gross_minor=26480, discount_minor=1324)
    share = DiscountShare(line="10064504641911", amount_minor=1324)
    assert found.discounts == (
        Discount(discount="5%", title="Five off", amount_minor=1324, shares=(share,)),
        Discount(title="delivery", amount_minor=1485, shipping_minor=1485),
    )
    old = {key.replace("priceDiscount", "priceDiscountSubtotal"): value for key, value in pricing.items()}
    assert amounts(read(pricingSummary=old, lineItems=[promoted])).imbalance_minor == 0


def test_tax_that_ebay_remits_is_in_no_total() -> None:
    remitted = item(ebayCollectAndRemitTaxes=[{"taxType": "STATE_SALES_TAX", "amount": usd("11.16")}])
    assert amounts(read(lineItems=[remitted])).tax_minor == 0
    assert amounts(read(lineItems=[remitted])).imbalance_minor == 0
    pricing = {"tax": usd("10"), "fee": usd("1.5"), "adjustment": usd("-0.5"), "total": usd("275.8")}
    own = read(pricingSummary=pricing, lineItems=[item(taxes=[{"amount": usd("10.00")}])])
    assert (amounts(own).tax_minor, amounts(own).fee_minor, amounts(own).imbalance_minor) == (1000, 100, 0)
    assert own.lines[0].amounts is not None
    assert own.lines[0].amounts.tax_minor == 1000


def test_a_total_in_another_currency_is_what_the_buyer_saw() -> None:
    total = usd("264.8") | {"convertedFromValue": "38000", "convertedFromCurrency": "JPY"}
    found = read(pricingSummary={"total": total})
    assert (found.presentment_currency, amounts(found).presentment_total_minor) == ("JPY", 38000)
    with pytest.raises(InvalidMoney, match=r"lineItemCost\.currency is not the order's USD"):
        read(lineItems=[item(lineItemCost={"value": "1", "currency": "EUR"})])


def test_a_refund_has_a_buyers_and_a_sellers_side() -> None:
    moment = "2026-11-22T01:30:32.000Z"
    refund = {"refundDate": moment, "amount": usd("122.31"), "refundStatus": "REFUNDED", "refundReferenceId": "53"}
    lines = [
        item(1, refunds=[{"refundDate": moment, "amount": usd("100.00")}]),
        item(2, refunds=[{"refundDate": moment, "amount": usd("43.98")}]),
    ]
    (found,) = read(lineItems=lines, paymentSummary={"refunds": [refund]}).refunds
    assert (found.refund, found.refunded_to_buyer_minor, found.sellers_share_minor) == ("53", 14398, 12231)
    assert found.status is RefundStatus.DONE
    (alone,) = read(paymentSummary={"refunds": [refund | {"refundStatus": "PENDING"}]}).refunds
    assert (alone.refunded_to_buyer_minor, alone.sellers_share_minor) == (12231, None)
    assert alone.status is RefundStatus.AGREED
    (of_line,) = read(lineItems=lines[:1]).refunds
    assert (of_line.refund, of_line.refunded_to_buyer_minor) == ("2026-11-22T01:30:32+00:00", 10000)
    assert of_line.status is RefundStatus.DONE


def test_a_refund_that_is_not_issued_yet_has_no_time() -> None:
    order = read(paymentSummary={"refunds": [{"amount": usd("12.00"), "refundId": "53", "refundStatus": "PENDING"}]})
    (found,) = order.refunds
    assert (found.refund, found.created_at, found.status) == ("53", order.updated_at, RefundStatus.AGREED)
    order = read(lineItems=[item(refunds=[{"amount": usd("12.00"), "refundId": "54", "refundDate": None}])])
    assert [(one.refund, one.refunded_to_buyer_minor, one.status) for one in order.refunds] == [
        ("54", 1200, RefundStatus.AGREED)
    ]


def test_the_sides_of_a_refund_are_joined_by_its_id() -> None:
    def of_order(reference: str, at: str) -> dict[str, Any]:
        return {"refundReferenceId": reference, "refundDate": at, "amount": usd("9.00"), "refundStatus": "REFUNDED"}

    first, later = "2026-11-22T01:30:32.000Z", "2026-11-22T02:00:00.000Z"
    lines = [
        item(refunds=[{"refundId": "1", "refundDate": "2026-11-22T01:30:35.000Z", "amount": usd("10.00")}]),
        item(2, refunds=[{"refundDate": later, "amount": usd("11.00")}]),
    ]
    refunds = [of_order("1", first) | {"refundId": "1"}, of_order("2", later)]
    found = read(lineItems=lines, paymentSummary={"refunds": refunds}).refunds
    assert [(one.refund, one.refunded_to_buyer_minor, one.sellers_share_minor) for one in found] == [
        ("1", 1000, 900),
        ("2", 1100, 900),
    ]


@pytest.mark.parametrize(
    ("changes", "status", "payment", "held"),
    [
        ({}, OrderStatus.OPEN, PaymentStatus.PAID, None),
        ({"orderPaymentStatus": "PENDING"}, OrderStatus.OPEN, PaymentStatus.PENDING, "the payment is pending"),
        ({"orderPaymentStatus": "FAILED"}, OrderStatus.OPEN, PaymentStatus.PENDING, "the payment failed"),
        (
            {"orderPaymentStatus": "FULLY_REFUNDED"},
            OrderStatus.OPEN,
            PaymentStatus.REFUNDED,
            "the order was refunded in full",
        ),
        ({"orderFulfillmentStatus": "IN_PROGRESS"}, OrderStatus.OPEN, PaymentStatus.PAID, None),
        ({"orderFulfillmentStatus": "FULFILLED"}, OrderStatus.CLOSED, PaymentStatus.PAID, None),
        (
            {"cancelStatus": {"cancelState": "IN_PROGRESS"}},
            OrderStatus.OPEN,
            PaymentStatus.PAID,
            "a cancellation is in progress",
        ),
        ({"cancelStatus": {"cancelState": "CANCELED"}}, OrderStatus.CANCELLED, PaymentStatus.PAID, None),
    ],
)
def test_states(changes: dict[str, Any], status: OrderStatus, payment: PaymentStatus, held: str | None) -> None:
    found = read(**changes)
    assert (found.status, found.payment, found.hold_reason, found.oddities) == (status, payment, held, ())


def test_what_is_paid_when_it_is_collected_is_not_held_for_its_payment() -> None:
    cash = {"payments": [{"paymentMethod": "CASH_ON_PICKUP", "paymentStatus": "PENDING"}]}
    found = read(orderPaymentStatus="PENDING", paymentSummary=cash)
    assert (found.payment, found.hold_reason, found.payments) == (PaymentStatus.PENDING, None, ())


@pytest.mark.parametrize("key", ["orderPaymentStatus", "orderFulfillmentStatus"])
def test_an_unknown_state_is_odd_and_the_order_stays_open(key: str) -> None:
    found = read(**{key: "TELEPORTED"})
    assert (found.status, [one.code for one in found.oddities]) == (OrderStatus.OPEN, [OddityCode.UNKNOWN_STATE])


def test_cancellations() -> None:
    asks = {"cancelState": "IN_PROGRESS", "cancelRequests": [{"cancelReason": "BUYER_ASKED_CANCEL"}]}
    asked = ADAPTER.parse_cancellation(body(cancelStatus=asks))
    assert (asked.requested, asked.reason, asked.external_id) == (True, "BUYER_ASKED_CANCEL", ORDER_ID)
    done = {"cancelState": "CANCELED", "cancelledDate": "2026-11-22T00:00:00.000Z"}
    off = ADAPTER.parse_cancellation(body(cancelStatus=done))
    assert (off.requested, str(off.cancelled_at)) == (False, "2026-11-22 00:00:00+00:00")
    with pytest.raises(UnreadableBody, match="is open, not cancelled"):
        ADAPTER.parse_cancellation(body())


def test_a_pickup_names_its_store() -> None:
    start = {"fulfillmentInstructionsType": "PREPARE_FOR_PICKUP", "pickupStep": {"merchantLocationKey": "store-1"}}
    assert read(fulfillmentStartInstructions=[start]).deliveries[0].pickup_node == "store-1"
    mapped = EbayAdapter(CONFIG.model_copy(update={"pickup_nodes": {"store-1": "TPE-01"}}))
    delivery = mapped.parse_order(body(fulfillmentStartInstructions=[start])).deliveries[0]
    assert (delivery.method, delivery.pickup_node) == (DeliveryMethod.PICKUP, "TPE-01")
    held_start = {"fulfillmentInstructionsType": "PREPARE_FOR_PICKUP"}
    held = read(fulfillmentStartInstructions=[held_start])
    assert held.hold_reason == "an in-store pickup that names no store"
    point = {"shipTo": {"fullName": "Corner Shop", "contactAddress": {"addressLine1": "1 High Street"}}}
    collected = read(fulfillmentStartInstructions=[held_start | {"shippingStep": point}])
    assert (collected.deliveries[0].method, collected.hold_reason) == (DeliveryMethod.SHIP, None)
    unknown = read(fulfillmentStartInstructions=[{"fulfillmentInstructionsType": "BY_DRONE"}])
    assert [one.code for one in unknown.oddities] == [OddityCode.UNKNOWN_STATE]


def test_what_is_forwarded_goes_to_the_hub_with_its_reference() -> None:
    step = {
        "shippingServiceCode": "UPSGround",
        "shipToReferenceId": "Ref 7",
        "shipTo": {
            "fullName": "Ann",
            "primaryPhone": {"phoneNumber": "1"},
            "contactAddress": {"addressLine1": "1850 Airport", "city": "Erlanger", "countryCode": "US", "county": "K"},
        },
    }
    start = {"shippingStep": step, "maxEstimatedDeliveryDate": "2026-11-30T07:00:00.000Z"}
    lines = [
        item(1, lineItemFulfillmentInstructions={"shipByDate": "2026-11-24T07:59:59.000Z"}),
        item(2, lineItemFulfillmentInstructions={"shipByDate": "2026-11-23T07:59:59.000Z"}),
    ]
    (delivery,) = read(fulfillmentStartInstructions=[start], lineItems=lines).deliveries
    assert delivery.address == Address(
        recipient="Ann", phone="1", street=("1850 Airport", "Ref 7"), district="K", city="Erlanger", country="US"
    )
    assert (delivery.service, str(delivery.ship_by)) == ("UPSGround", "2026-11-23 07:59:59+00:00")
    bare = {"shippingStep": {"shipTo": {"contactAddress": {"city": "Erlanger"}}}}
    address = read(fulfillmentStartInstructions=[bare]).deliveries[0].address
    assert address is not None
    assert address.masked


def test_what_wants_no_goods_of_ours() -> None:
    theirs = read(program={"fulfillmentProgram": {"fulfilledBy": "EBAY"}})
    assert theirs.fulfillable() == ()
    assert read(fulfillmentStartInstructions=[{"fulfillmentInstructionsType": "FULFILLED_BY_EBAY"}]).fulfillable() == ()
    card = read(lineItems=[item(giftDetails={"message": "Hi"})])
    assert (card.lines[0].physical, card.lines[0].gift) == (False, True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lineItems": []}, r"\$\.lineItems is missing or empty"),
        ({"lineItems": [item(quantity=-1)]}, r"lineItems\[0\]\.quantity is -1"),
        ({"pricingSummary": None}, r"\$\.pricingSummary is missing"),
        ({"lastModifiedDate": 1795262401}, r"\$\.lastModifiedDate is a number"),
        ({"orderId": None, "orders": None}, "so it is no order"),
    ],
)
def test_what_cannot_be_an_order_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableBody, match=reason):
        read(**changes)


def test_pages_lose_only_what_cannot_be_read() -> None:
    odd, bad = document(orderPaymentStatus="LOST"), document(orderId="12-00000-00000", lineItems=[])
    page = {"total": 4, "next": "https://evil.example", "orders": [odd, bad, document(orderId=None), document()]}
    intent = next(one for one in SAMPLES.intents() if isinstance(one, ListChanges))
    found = ADAPTER.read_page(intent, json.dumps(page).encode())
    assert [len(order.oddities) for order in found.orders] == [1, 0]
    assert [order_id for order_id, _ in found.unreadable] == ["12-00000-00000", "$.orders[2]"]
    assert found.following is None


def test_listed_orders_with_a_cancellation_are_fetched() -> None:
    states = ("NONE_REQUESTED", "IN_PROGRESS", "CANCELED")
    orders = [document(orderId=f"12-00000-0000{n}", cancelStatus={"cancelState": one}) for n, one in enumerate(states)]
    intent = next(one for one in SAMPLES.intents() if isinstance(one, ListChanges))
    page = ADAPTER.read_page(intent, json.dumps({"total": 3, "orders": orders}).encode())
    assert [one.external_id for one in page.orders] == ["12-00000-00000"]
    assert [one.external_id for one in page.references] == ["12-00000-00001", "12-00000-00002"]


def test_pages_are_read_from_the_last_to_the_first() -> None:
    intent = next(one for one in SAMPLES.intents() if isinstance(one, ListChanges))
    (request,) = ask(intent)
    assert request.url.startswith(
        "https://api.ebay.com/sell/fulfillment/v1/order?filter=lastmodifieddate%3A%5B2026-11-21T11"
    )
    asked: list[str] = []
    following: ListChanges | None = intent
    while following is not None:
        (request,) = ask(following)
        asked.append(request.url.partition("&limit=200&offset=")[2].partition("&")[0])
        page = {"total": 401, "orders": [document()], "next": "https://evil.example"}
        following = ADAPTER.read_page(following, json.dumps(page).encode()).following
    assert asked == ["0", "400", "200", "0"]
    assert isinstance(ADAPTER.requests(intent.model_copy(update={"cursor": "x"})), Refusal)


def test_an_error_is_no_order() -> None:
    with pytest.raises(UnreadableBody, match="eBay answered 'no such order' instead of an order"):
        ADAPTER.parse_order(b'{"errors":[{"errorId":32100,"message":"no such order"}]}')


# Requests.


def ask(intent: Intent | None) -> tuple[Request, ...]:
    assert intent is not None
    made = ADAPTER.requests(intent)
    assert not isinstance(made, Refusal), made
    return made


def test_a_parcel_names_its_lines() -> None:
    parcel = Parcel(carrier="UPS", tracking="1Z1", quantities=(("100645", 1),), shipped_at=NOW)
    (request,) = ask(Ship(key="s", external_id=ORDER_ID, parcels=(parcel,)))
    assert request.url == f"https://api.ebay.com/sell/fulfillment/v1/order/{ORDER_ID}/shipping_fulfillment"
    assert json.loads(request.body) == {
        "lineItems": [{"lineItemId": "100645", "quantity": 1}],
        "shippedDate": "2026-11-21T12:00:00.000Z",
        "shippingCarrierCode": "UPS",
        "trackingNumber": "1Z1",
    }
    made = Response(status=201, headers=(("Location", f"{request.url}/9405509699"),))
    intent = Ship(key="s", external_id=ORDER_ID, parcels=(parcel,))
    assert ADAPTER.read_answer(intent, request, made).reference == "9405509699"
    whole = Ship(key="s", external_id=ORDER_ID, parcels=(parcel.model_copy(update={"quantities": ()}),))
    assert isinstance(ADAPTER.requests(whole), Refusal)


def test_stock_is_told_by_sku_and_offer() -> None:
    levels = tuple(StockLevel(listing=str(n), sku=f"SKU {n}", product=f"offer-{n}", units=n) for n in range(30))
    intent = SetStock(key="s", levels=levels, as_of=NOW)
    first, second = ask(intent)
    assert (len(first.items), len(second.items)) == (25, 5)
    assert json.loads(second.body)["requests"][0] == {
        "sku": "SKU 25",
        "shipToLocationAvailability": {"quantity": 25},
        "offers": [{"offerId": "offer-25", "availableQuantity": 25}],
    }
    faults = [{"errorId": 25709, "message": "Invalid value for sku"}]
    responses = [
        {"sku": "SKU 25", "statusCode": 200},
        {"sku": "SKU 25", "offerId": "offer-25", "statusCode": 200},
        {"sku": "SKU 26", "statusCode": 200},
        {"sku": "SKU 26", "offerId": "offer-26", "statusCode": 400, "errors": faults},
        {"sku": "SKU 27", "statusCode": 500},
    ]
    answered = Response(status=207, body=json.dumps({"responses": responses}).encode())
    answer = ADAPTER.read_answer(intent, second, answered)
    assert [(one.item, one.ok, one.code, one.retry) for one in answer.items] == [
        ("25", True, None, False),
        ("26", False, "25709", False),
        ("27", False, "http_500", False),
        ("28", False, "not_answered", True),
        ("29", False, "not_answered", True),
    ]
    bare = SetStock(key="s", levels=(StockLevel(listing="SKU-1", units=0),), as_of=NOW)
    assert json.loads(ask(bare)[0].body)["requests"] == [
        {"sku": "SKU-1", "shipToLocationAvailability": {"quantity": 0}}
    ]


def test_a_cancellation_by_the_seller() -> None:
    intent = CancelOrder(key="c", external_id=ORDER_ID, reason="gone")
    (request,) = ask(intent)
    assert json.loads(request.body) == {"legacyOrderId": ORDER_ID, "cancelReason": "OUT_OF_STOCK_OR_CANNOT_FULFILL"}
    signed = dict(ADAPTER.sign(request, now=NOW, token="t").headers)
    assert (signed["Authorization"], signed["X-EBAY-C-MARKETPLACE-ID"]) == ("IAF t", "EBAY_US")
    done = ADAPTER.read_answer(intent, request, Response(status=200, body=b'{"cancelId":"5000"}'))
    assert (done.ok, done.reference) == (True, "5000")
    late = b'{"orderEligibilityResult":{"eligible":false,"failureReason":["TOO_LATE"]}}'
    (item_answer,) = ADAPTER.read_answer(intent, request, Response(status=200, body=late)).items
    assert (item_answer.ok, item_answer.code, item_answer.message) == (False, "not_eligible", "TOO_LATE")
    fault = b'{"errors":[{"errorId":1000,"message":"no"}]}'
    (other,) = ADAPTER.read_answer(intent, request, Response(status=400, body=fault)).items
    assert (other.code, other.message) == ("1000", "no")
    asked = CancelOrder(key="c", external_id=ORDER_ID, reason="BUYER_ASKED_CANCEL")
    assert json.loads(ask(asked)[0].body)["cancelReason"] == "BUYER_ASKED_CANCEL"


def test_what_cannot_be_an_order_id_is_not_asked_for() -> None:
    assert isinstance(ADAPTER.requests(FetchOrder(key="f", external_id="../x")), Refusal)
    (request,) = ask(FetchOrder(key="f", external_id="6498414015!260000000562911"))
    assert "/order/6498414015%21260000000562911?" in request.url
    assert dict(ADAPTER.sign(request, now=NOW, token="t").headers)["Authorization"] == "Bearer t"
    assert ADAPTER.sign(request, now=NOW) == request


# Round trips.


@st.composite
def ebay_lines(draw: st.DrawFn, line: str, ours: bool) -> OrderLine:
    base = draw(draw_.lines(line))
    gift = draw(st.booleans())
    listing = draw(st.sampled_from([None, "355590381927", "355590381927/61"]))
    physical = ours and not gift
    sku = draw(draw_.IDS) if physical else base.sku
    update = {"gift": gift, "physical": physical, "listing": listing, "sku": sku, "current_quantity": base.quantity}
    return base.model_copy(update=update)


@st.composite
def ebay_discounts(draw: st.DrawFn, lines: tuple[OrderLine, ...]) -> tuple[Discount, ...]:
    found = []
    for name in draw(st.lists(st.sampled_from(["5%", "SHIP", "BULK"]), max_size=2, unique=True)):
        shared = (lines[0], *(line for line in lines[1:] if draw(st.booleans())))
        shares = tuple(DiscountShare(line=line.line, amount_minor=draw(st.integers(0, 900))) for line in shared)
        total = sum(share.amount_minor for share in shares)
        found.append(Discount(discount=name, title=draw(draw_.TEXTS), amount_minor=total, shares=shares))
    delivery = draw(st.integers(0, 500))
    if delivery:
        found.append(Discount(title="delivery", amount_minor=delivery, shipping_minor=delivery))
    return tuple(found)


STATES = st.sampled_from(
    [
        (OrderStatus.OPEN, PaymentStatus.PAID, None),
        (OrderStatus.OPEN, PaymentStatus.UNKNOWN, None),
        (OrderStatus.OPEN, PaymentStatus.PARTIALLY_REFUNDED, "a cancellation is in progress"),
        (OrderStatus.OPEN, PaymentStatus.PENDING, "the payment is pending"),
        (OrderStatus.OPEN, PaymentStatus.PENDING, "the payment failed"),
        (OrderStatus.OPEN, PaymentStatus.REFUNDED, "the order was refunded in full"),
        (OrderStatus.CLOSED, PaymentStatus.REFUNDED, None),
        (OrderStatus.CANCELLED, PaymentStatus.PAID, None),
    ]
)


@st.composite
def ebay_deliveries(draw: st.DrawFn) -> Delivery:
    base = draw(draw_.deliveries().filter(lambda one: one.method is not DeliveryMethod.ONE_HOUR))
    address = base.address
    if address is not None:
        bare = address.recipient is None and not address.street
        address = address.model_copy(update={"point": None, "masked": bare, "district": draw(draw_.TEXTS)})
    return base.model_copy(update={"address": address, "ship_by": draw(st.none() | draw_.INSTANTS)})


@st.composite
def ebay_orders(draw: st.DrawFn) -> Order:
    """An order that eBay can carry whole."""
    ours = draw(st.booleans())
    ids = draw(st.lists(st.integers(1, 10**14).map(str), min_size=1, max_size=3, unique=True))
    lines = tuple(draw(ebay_lines(line, ours)) for line in ids)
    discounts = draw(ebay_discounts(lines))
    base = draw(draw_.orders())
    seen = draw(st.none() | draw_.MINORS)
    found = OrderAmounts(
        taxes_included=False,
        line_gross_minor=sum(line.amounts.gross_minor for line in lines if line.amounts),
        discount_minor=draw(draw_.MINORS) + sum(one.shipping_minor for one in discounts),
        shipping_minor=draw(draw_.MINORS),
        tax_minor=draw(draw_.MINORS),
        fee_minor=draw(draw_.MINORS),
        presentment_total_minor=seen,
        total_minor=0,
    )
    status, payment, hold = draw(STATES)
    refunds = tuple(
        one.model_copy(
            update={
                "quantities": (),
                "sellers_share_minor": draw(st.none() | draw_.MINORS),
                "status": draw(st.sampled_from([RefundStatus.DONE, RefundStatus.AGREED])),
            }
        )
        for one in base.refunds
    )
    payment_ = st.builds(
        Payment,
        payment=st.none() | draw_.IDS,
        method=draw_.TEXTS,
        amount_minor=draw_.MINORS,
        paid_at=st.none() | draw_.INSTANTS,
    )
    return base.model_copy(
        update={
            "channel": "ebay",
            "external_id": ORDER_ID,
            "status": status,
            "payment": payment,
            "hold_reason": hold,
            "cancelled_at": base.cancelled_at if status is OrderStatus.CANCELLED else None,
            "test": False,
            "presentment_currency": None if seen is None else "TWD",
            "lines": lines,
            "deliveries": (draw(ebay_deliveries()),),
            "amounts": found.model_copy(update={"total_minor": found.computed_total_minor}),
            "discounts": discounts,
            "refunds": refunds if len({one.created_at for one in refunds}) == len(refunds) else (),
            "payments": tuple(draw(st.lists(payment_, max_size=2))),
            "buyer": draw(st.none() | draw_.IDS),
        }
    )


@settings(max_examples=40)
@given(ebay_orders())
def test_a_written_order_is_read_as_it_was(order: Order) -> None:
    assert ADAPTER.parse_order(write_ebay_order(order)).model_copy(update={"body_sha256": None}) == order


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"amounts": None}, "amounts"),
        ({"payment": PaymentStatus.AUTHORISED}, "payment"),
        ({"hold_reason": "a bad feeling"}, "hold_reason"),
        ({"test": True}, "test"),
        (
            {"refunds": (Refund(refund="1", created_at=NOW, refunded_to_buyer_minor=5, quantities=(("11", 1),)),)},
            "refunds",
        ),
        ({"deliveries": (Delivery(address=Address(recipient="A", token="t", masked=True)),)}, "deliveries"),
    ],
)
def test_the_writer_says_what_it_would_lose(change: dict[str, Any], lost: str) -> None:
    with pytest.raises(InvalidInput, match=lost):
        write_ebay_order(carried(**change))
