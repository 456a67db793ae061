"""Every published payload of Square beside this repository is read, or refused for a reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from omo_core.channels.port import ChannelEvent, EventKind
from omo_core.channels.square import SquareAdapter, SquareConfig
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import OrderStatus, PaymentStatus, RefundStatus
from omo_core.testing.samples import NOW, Samples
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples

ADAPTER = SquareAdapter(SquareConfig(location_ids=("057P5VYJ4A5X1",)))
FOLDER = FACTS / "samples" / "square"

ORDERS = ("CloneOrderResponse", "CreateOrderResponse", "RetrieveOrderResponse", "UpdateOrderResponse")
EVENTS = ("OrderCreatedEvent", "OrderUpdatedEvent", "PaymentCreatedEvent", "PaymentUpdatedEvent")
EVENTS_OF_REFUNDS = ("RefundCreatedEvent", "RefundUpdatedEvent")
EVENTS_NOT_OURS = ("InventoryCountUpdatedEvent", "TerminalRefundUpdatedEvent")
REFUNDS = ("GetPaymentRefundResponse", "RefundPaymentResponse")
REFUSED = {
    # Parts of orders, published without what every real order has.
    "BatchRetrieveOrdersResponse": "$.orders[0].created_at is missing",
    "CalculateOrderResponse": "$.order.id is missing",
}
OUT_OF_SCOPE = {
    "BatchChangeInventoryRequest": "a request's body",
    "CreateOrderRequest": "a request's body",
    "RefundPaymentRequest": "a request's body",
    "BatchChangeInventoryResponse": "the answer of a request, with an empty list of errors",
    "SearchOrdersResponse": "a page; read_page reads it below",
    "GetPaymentResponse": "a payment: its order tells what was paid",
    "ListPaymentRefundsResponse": "a list of refunds that no request of ours asks for",
}


def sample(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def test_no_sample_is_forgotten(channel_facts: Path) -> None:
    found = {file.name for file in (channel_facts / "samples" / "square").iterdir() if file.suffix == ".json"}
    listed = (*ORDERS, *EVENTS, *EVENTS_OF_REFUNDS, *EVENTS_NOT_OURS, *REFUNDS, *REFUSED, *OUT_OF_SCOPE)
    assert found == {f"{name}.json" for name in listed}
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", ORDERS)
def test_an_order(name: str) -> None:
    order = ADAPTER.parse_order(sample(name))
    assert order.amounts is not None
    assert order.amounts.imbalance_minor == 0
    assert {one.code for one in order.oddities} <= {"no_item_code"}
    nowhere = "OPEN, and no fulfillment says where its goods go"
    facts: dict[str, Any] = {
        "CloneOrderResponse": (6176, OrderStatus.OPEN, "DRAFT", [1, 2], 1, "my-order-001"),
        "CreateOrderResponse": (6176, OrderStatus.OPEN, nowhere, [1, 2], 1, "my-order-001"),
        "RetrieveOrderResponse": (550, OrderStatus.OPEN, nowhere, [1, 2], 1, None),
        "UpdateOrderResponse": (900, OrderStatus.OPEN, nowhere, [1, 2], 2, None),
    }
    assert facts[name] == (
        order.amounts.total_minor,
        order.status,
        order.hold_reason,
        [line.quantity for line in order.lines],
        order.source_version,
        order.display_number,
    )
    assert order.payment is PaymentStatus.PENDING


def test_discounts_taxes_and_modifiers() -> None:
    order = ADAPTER.parse_order(sample("CreateOrderResponse"))
    steak = order.lines[1]
    assert (steak.title, steak.listing) == ("New York Steak, Larger", "BEMYCSMIJL46OCDV4KYIKXIB")
    assert steak.amounts is not None
    assert (steak.amounts.list_unit_price_minor, steak.amounts.gross_minor) == (2200, 4500)
    assert (steak.amounts.discount_minor, steak.amounts.tax_minor) == (346, 374)
    assert [(one.discount, one.amount_minor) for one in order.discounts] == [
        ("membership-discount", 30),
        ("labor-day-sale", 303),
        ("one-dollar-off", 100),
    ]
    assert [share.amount_minor for share in order.discounts[1].shares] == [79, 224]


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_names_an_order(name: str) -> None:
    document = json.loads(sample(name))
    event = ADAPTER.parse_event({}, sample(name))
    held = next(iter(document["data"]["object"].values()))
    assert (event.kind, event.subject) == (EventKind.ORDER, held["order_id"])
    assert event.fetch[0].url.endswith(f"/v2/orders/{held['order_id']}")
    assert event.event_key == f"{document['type']}/{document['event_id']}"


def refund_event(name: str) -> ChannelEvent:
    return ADAPTER.parse_event({}, sample(name))


def test_events_of_refunds() -> None:
    events = [refund_event(name) for name in EVENTS_OF_REFUNDS]
    assert [event.kind for event in events] == [EventKind.REFUND] * 2
    notices = [event.refund for event in events if event.refund]
    assert [notice.refund.status for notice in notices] == [RefundStatus.AGREED, RefundStatus.DONE]
    assert {notice.refund.refunded_to_buyer_minor for notice in notices} == {1000}
    assert {notice.external_id for notice in notices} == {"haOyDuHiqtAXMk0d8pDKXpL7Jg4F"}
    assert len({event.event_key for event in events}) == 2


@pytest.mark.parametrize("name", EVENTS_NOT_OURS)
def test_an_event_that_is_not_ours(name: str) -> None:
    assert refund_event(name).kind is EventKind.OTHER


@pytest.mark.parametrize("name", REFUNDS)
def test_a_refund(name: str) -> None:
    notice = ADAPTER.parse_refund(sample(name))
    document = json.loads(sample(name))["refund"]
    assert (notice.external_id, notice.refund.refund) == (document["order_id"], document["id"])
    assert notice.refund.refunded_to_buyer_minor == document["amount_money"]["amount"]
    expected = {"PENDING": RefundStatus.AGREED, "COMPLETED": RefundStatus.DONE}
    assert notice.refund.status is expected[document["status"]]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    with pytest.raises(UnreadableBody) as refusal:
        ADAPTER.parse_orders(sample(name))
    assert str(refusal.value).startswith(REFUSED[name])


def test_a_page_and_an_answer() -> None:
    intents = {str(intent.kind): intent for intent in Samples(location="L1").intents()}
    page = ADAPTER.read_page(intents["list_changes"], sample("SearchOrdersResponse"))  # type: ignore[arg-type]
    assert [one.external_id for one in page.references] == [
        "CAISEM82RcpmcFBM0TfOyiHV3es",
        "CAISENgvlJ6jLWAzERDzjyHVybY",
        "CAISEM52YcpmcWAzERDOyiWS3ty",
    ]
    assert page.following is not None
    assert (page.following.cursor, page.following.until) == ("123", NOW)
