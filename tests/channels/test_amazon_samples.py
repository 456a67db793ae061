"""Every published Amazon payload beside this repository is read, or refused for a stated reason."""

import json
from pathlib import Path

import pytest

from omo_core.channels.amazon import AmazonAdapter, AmazonConfig
from omo_core.channels.intents import ListChanges, Response, SetStock, StockLevel
from omo_core.channels.port import EventKind
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.testing.samples import NOW, Samples
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = AmazonAdapter(AmazonConfig(marketplace="ATVPDKIKX0DER", seller="A3TH9S8BH6GOGM"))
LISTING = next(one for one in Samples().intents() if isinstance(one, ListChanges))

# The documents of one order -> status, payment, what is left of each line, imbalance in minor units.
ORDERS: dict[tuple[str, ...], tuple[str, str, list[int], int]] = {
    (
        "orders_orderId_get_sandbox0.json",
        "orders_orderId_orderItems_get_sandbox0.json",
        "orders_orderId_address_get_sandbox0.json",
        "orders_orderId_buyerInfo_get_sandbox0.json",
    ): ("open", "authorised", [1], 0),
    ("v2026_orderId_example.json",): ("closed", "authorised", [3], 0),
    ("v2026_orderId_sandbox0.json",): ("open", "authorised", [1], 0),
    ("v2026_orderId_sandbox1.json",): ("closed", "authorised", [2], 0),
    ("v2026_orderId_sandbox2.json",): ("open", "authorised", [1], 0),
    ("v2026_orders_example.json",): ("closed", "authorised", [2, 1], 0),
    ("v2026_orders_sandbox1.json",): ("closed", "authorised", [1], 0),
    ("v2026_orders_sandbox2.json",): ("open", "authorised", [1], 0),
}

# Pages that v0 lists without items -> the orders to fetch.
PAGES: dict[str, list[str]] = {
    "orders_get_example.json": ["902-3159896-1390916"],
    "orders_get_sandbox0.json": ["902-1845936-5435065", "902-8745147-1934268"],
    "orders_get_sandbox1.json": ["902-3159896-1390916"],
    "orders_get_sandbox2.json": ["902-3159896-1390916"],
}

# Documents that make no order with those they are published with -> why.
REFUSED: dict[tuple[str, ...], str] = {
    ("orders_orderId_get_example.json", "orders_orderId_orderItems_get_example.json"): (
        "AmazonOrderId is not of order 902-3159896-1390916"
    ),
    ("orders_orderId_get_example.json", "orders_orderId_address_get_example.json"): "OrderItems is missing",
    ("orders_orderId_get_example.json", "orders_orderId_buyerInfo_get_example.json"): "OrderItems is missing",
    ("orders_orderId_orderItems_buyerInfo_get_example.json",): "begins with 'payload', so it is no order",
}

NOTIFICATIONS: dict[str, tuple[str, EventKind, str | None]] = {
    "notification_FeedProcessingFinishedNotification_0.json": ("FEED_PROCESSING_FINISHED", EventKind.OTHER, None),
    "notification_FeedProcessingFinishedNotification_1.json": ("FEED_PROCESSING_FINISHED", EventKind.OTHER, None),
    "notification_FulfillmentOrderStatusNotification_0.json": ("FULFILLMENT_ORDER_STATUS", EventKind.OTHER, None),
    "notification_ListingsItemMfnQuantityChange_0.json": ("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", EventKind.OTHER, None),
    "notification_OrderChangeNotification_0.json": ("ORDER_CHANGE", EventKind.ORDER, "903-8868176-2219830"),
}

# What the buyer said of an item that is not among the items published with its order.
STRANGE = "orders_orderId_orderItems_buyerInfo_get_sandbox0.json"

ANSWERS = ("listings_patch_0.json", "listings_patch_1.json")

# Prescriptions, and requests that we would send -> why they are not read.
OUT_OF_SCOPE = {
    **dict.fromkeys(
        [
            "orders_orderId_regulatedInfo_get_example.json",
            "orders_orderId_regulatedInfo_get_sandbox0.json",
            "orders_orderId_regulatedInfo_get_sandbox1.json",
        ],
        "a prescription's check, no part of an order's goods or money",
    ),
    **dict.fromkeys(
        [
            "orders_orderId_regulatedInfo_patch_request0.json",
            "orders_orderId_regulatedInfo_patch_request1.json",
            "orders_orderId_shipmentConfirmation_post_request0.json",
            "orders_orderId_shipment_post_request0.json",
        ],
        "a request body",
    ),
}


def body_of(name: str) -> bytes:
    return (FACTS / "samples" / "amazon_spapi" / name).read_bytes()


def read(names: tuple[str, ...]) -> Order:
    return ADAPTER.parse_order(*map(body_of, names))


def test_the_tables_name_every_sample(channel_facts: Path) -> None:
    files = {file.name for file in (channel_facts / "samples" / "amazon_spapi").iterdir()}
    grouped = {name for names in (*ORDERS, *REFUSED) for name in names}
    named = grouped | PAGES.keys() | NOTIFICATIONS.keys() | {*ANSWERS, STRANGE} | OUT_OF_SCOPE.keys()
    assert named == {name for name in files if not name.endswith(".source.txt")}


@pytest.mark.parametrize("names", ORDERS)
def test_an_order_is_read(names: tuple[str, ...]) -> None:
    status, payment, left, imbalance_minor = ORDERS[names]
    order = read(names)
    assert order.amounts is not None
    assert (order.status, order.payment) == (status, payment)
    assert [line.current_quantity for line in order.lines] == left
    assert order.amounts.imbalance_minor == imbalance_minor
    assert order.oddities == ()


@pytest.mark.parametrize("names", REFUSED)
def test_what_makes_no_order_is_refused_with_its_reason(names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read(names)
    assert REFUSED[names] in str(refusal.value)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_what_to_fetch(name: str) -> None:
    page = ADAPTER.read_page(LISTING, body_of(name))
    assert [one.external_id for one in page.references] == PAGES[name]
    assert (page.following is not None) == ("NextToken" in body_of(name).decode())


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_a_notification_is_understood(name: str) -> None:
    topic, kind, subject = NOTIFICATIONS[name]
    event = ADAPTER.parse_event({}, body_of(name))
    assert (event.topic, event.kind, event.subject) == (topic, kind, subject)
    metadata = (
        json.loads(body_of(name)).get("NotificationMetadata") or json.loads(body_of(name))["notificationMetadata"]
    )
    assert event.event_key in metadata.values()
    assert bool(event.fetch) == (kind is EventKind.ORDER)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_listings_answer_is_read(name: str) -> None:
    response = json.dumps(json.loads(body_of(name))["response"]).encode()
    intent = SetStock(key="s", levels=(StockLevel(listing="GM-ZDPI-9B4E", units=1),), as_of=NOW)
    made = ADAPTER.requests(intent)
    assert not isinstance(made, Refusal)
    assert ADAPTER.read_answer(intent, made[0], Response(status=200, body=response)).ok


def test_what_a_buyer_said_of_a_strange_item_is_odd() -> None:
    order = read((*next(names for names in ORDERS if len(names) == 4), STRANGE))
    assert [one.sentence for one in order.oddities] == [
        "the buyer said something of item 68828574383266, which the order has not"
    ]


def test_details_of_published_orders() -> None:
    v0 = read(next(names for names in ORDERS if len(names) == 4))
    assert v0.hold_reason == "the buyer asks to cancel: Found cheaper somewhere else."
    assert v0.deliveries[0].address is not None
    assert (v0.deliveries[0].address.recipient, v0.deliveries[0].service) == (
        "MFNIntegrationTestMerchant",
        "Std US D2D Dom",
    )
    assert v0.amounts is not None
    assert (v0.amounts.line_gross_minor, v0.amounts.tax_minor, v0.amounts.total_minor) == (1000, 101, 1101)
    boxing = read(("v2026_orderId_example.json",))
    assert boxing.lines[0].gift
    assert boxing.display_number == "UK-MERCHANT-ORDER-2024-001"
    assert boxing.amounts is not None
    assert (boxing.amounts.shipping_minor, boxing.amounts.tax_minor) == (1000, 400)
    pickup = read(("v2026_orderId_sandbox2.json",))
    assert (pickup.deliveries[0].method, pickup.hold_reason) == (
        DeliveryMethod.SHIP,
        "an in-store pickup that names no store",
    )
    stored = AmazonAdapter(AmazonConfig(pickup_nodes={"Test Store #1234": "SEA-01"}))
    found = stored.parse_order(body_of("v2026_orderId_sandbox2.json"))
    assert (found.deliveries[0].pickup_node, found.hold_reason) == ("SEA-01", None)
    tipped = read(("v2026_orders_example.json",))
    assert tipped.amounts is not None
    assert (tipped.amounts.tip_minor, len(tipped.deliveries)) == (500, 1)
    paid = read(("v2026_orders_sandbox2.json",))
    assert [(one.method, one.amount_minor) for one in paid.payments] == [("CreditCard", 159990)]
