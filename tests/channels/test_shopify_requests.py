"""What is asked of Shopify, and what becomes of its answers; shapes after its documentation."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from omo_core.channels.intents import (
    AnswerRefund,
    CancelOrder,
    FetchOrder,
    Intent,
    ItemAnswer,
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
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.model.errors import UnreadableBody
from omo_core.model.refusals import Refusal
from tests.channels.test_shopify import body

ADAPTER = ShopifyAdapter(ShopifyConfig(shop_domain="shop.myshopify.com"))
STRICT = ShopifyAdapter(ShopifyConfig(shop_domain="shop.myshopify.com", api_version="2026-04", notify_buyers=True))
BASE = "https://shop.myshopify.com/admin/api/2025-07"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ORDER = "820982911946154508"


def made(intent: Intent, adapter: ShopifyAdapter = ADAPTER) -> tuple[Request, ...]:
    found = adapter.requests(intent)
    assert not isinstance(found, Refusal), found
    return found


def refused(intent: Intent, adapter: ShopifyAdapter = ADAPTER) -> str:
    found = adapter.requests(intent)
    assert isinstance(found, Refusal)
    return found.sentence


def answer(status: int, document: Any) -> Response:
    return Response(status=status, body=json.dumps(document).encode())


def listing(cursor: str | None = None) -> ListChanges:
    return ListChanges(key="l", since=datetime(2026, 11, 20, tzinfo=UTC), until=NOON, cursor=cursor)


def parcel(tracking: str = "1Z", **changes: Any) -> Parcel:
    fields: dict[str, Any] = {"carrier": "UPS", "tracking": tracking, "shipped_at": NOON}
    return Parcel(**fields | changes)


def ship(*parcels: Parcel, **changes: Any) -> Ship:
    fields: dict[str, Any] = {"key": "s", "external_id": ORDER, "parcels": parcels or (parcel(),), "fulfilment": "7"}
    return Ship(**fields | changes)


def test_an_order_is_fetched_by_its_number() -> None:
    (request,) = made(FetchOrder(key="f", external_id=ORDER))
    assert (request.method, request.url, request.items) == ("GET", f"{BASE}/orders/{ORDER}.json", (ORDER,))
    signed = ADAPTER.sign(request, now=NOON, token="shpat")
    assert ("X-Shopify-Access-Token", "shpat") in signed.headers
    assert ADAPTER.sign(request, now=NOON) == request


@pytest.mark.parametrize("odd", ["../shop", "1?x=1", "#1001", "1" * 21, "١٢"])
def test_no_other_address_is_asked_than_an_orders(odd: str) -> None:
    intents = (
        FetchOrder(key="f", external_id=odd),
        CancelOrder(key="c", external_id=odd),
        ship(fulfilment=odd),
        ReadyForPickup(key="r", external_id=ORDER, fulfilment=odd),
        SetStock(key="s", levels=(StockLevel(listing=odd, location="655", units=1),), as_of=NOON),
        SetStock(key="s", levels=(StockLevel(listing="1", location=odd, units=1),), as_of=NOON),
        listing(odd),
        ship(parcel(quantities=((odd, 1),))),
    )
    for intent in intents:
        assert "is no id of a Shopify" in refused(intent), intent
    assert "set shop_domain" in refused(FetchOrder(key="f", external_id="1"), ShopifyAdapter())


def test_a_page_is_asked_for_in_the_order_of_ids() -> None:
    (request,) = made(listing("450789469"))
    parts = urlsplit(request.url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{BASE}/orders.json"
    assert parse_qs(parts.query) == {
        "status": ["any"],
        "limit": ["50"],
        "since_id": ["450789469"],
        "updated_at_min": ["2026-11-20T00:00:00+00:00"],
        "updated_at_max": ["2026-11-21T12:00:00+00:00"],
    }
    (first,) = made(listing())
    assert parse_qs(urlsplit(first.url).query)["since_id"] == ["0"]


def page(*orders: bytes) -> bytes:
    return b'{"orders": [' + b",".join(orders) + b"]}"


def test_a_full_page_is_followed_by_what_comes_after_its_last_id() -> None:
    orders = [body(id=number) for number in range(1, 51)]
    full = ADAPTER.read_page(listing("0"), page(*orders))
    assert len(full.orders) == 50
    assert full.following == listing("50")
    last = ADAPTER.read_page(listing("50"), page(*orders[:49]))
    assert last.following is None
    assert ADAPTER.read_page(listing(), page()).orders == ()


def test_a_sale_at_the_till_that_is_listed_is_fetched_as_one() -> None:
    till = {"source_name": "pos", "location_id": 655}
    off = body(id=4, **till, cancelled_at="2026-11-21T08:00:00Z")
    read = ADAPTER.read_page(listing(), page(body(id=2), body(id=3, **till), off))
    assert [one.external_id for one in read.orders] == ["2", "4"]
    assert [one.external_id for one in read.references] == ["3"]
    asked = ADAPTER.event("listed", "k", EventKind.ORDER, subject="3", fetch=made(FetchOrder(key="k", external_id="3")))
    fetched = ADAPTER.parse_fetched(asked, b'{"order": ' + body(id=3, **till) + b"}")
    assert fetched.kind is EventKind.COUNTER_SALE
    assert fetched.counter_sale is not None
    assert (fetched.counter_sale.external_id, fetched.counter_sale.node) == ("3", "655")
    assert ADAPTER.parse_fetched(asked, off).kind is EventKind.CANCELLATION
    nameless = body(id=3, **till, line_items=[{"id": 1, "quantity": 1, "price": "20.00"}])
    assert ADAPTER.parse_fetched(asked, nameless).counter_sale is None


def test_one_order_that_cannot_be_read_does_not_hide_the_others() -> None:
    broken = body(id=3, line_items=[])
    read = ADAPTER.read_page(listing(), page(body(id=2), broken, body(id=4), b"{}"))
    assert [one.external_id for one in read.orders] == ["2", "4"]
    assert [one for one, _ in read.unreadable] == ["3", "$.orders[3]"]
    assert "line_items is missing or empty" in read.unreadable[0][1]
    without_ids = page(*[b"{}"] * 50)
    with pytest.raises(UnreadableBody, match="without a single id"):
        ADAPTER.read_page(listing(), without_ids)


def test_a_parcel_is_a_fulfilment_of_its_fulfilment_order() -> None:
    first = parcel("1Z1", quantities=(("71", 1), ("72", 2)), tracking_url="https://ups.example/1Z1")
    requests = made(ship(first, parcel("1Z2")), STRICT)
    assert [one.url for one in requests] == ["https://shop.myshopify.com/admin/api/2026-04/fulfillments.json"] * 2
    assert [json.loads(one.body) for one in requests] == [
        {
            "fulfillment": {
                "line_items_by_fulfillment_order": [
                    {
                        "fulfillment_order_id": 7,
                        "fulfillment_order_line_items": [{"id": 71, "quantity": 1}, {"id": 72, "quantity": 2}],
                    }
                ],
                "tracking_info": {"number": "1Z1", "company": "UPS", "url": "https://ups.example/1Z1"},
                "notify_customer": True,
            }
        },
        {
            "fulfillment": {
                "line_items_by_fulfillment_order": [{"fulfillment_order_id": 7}],
                "tracking_info": {"number": "1Z2", "company": "UPS"},
                "notify_customer": True,
            }
        },
    ]
    assert "name it in fulfilment" in refused(ship(fulfilment=None))
    assert "only the last one may" in refused(ship(parcel(), parcel("1Z2")))


def test_what_became_of_a_parcel() -> None:
    intent = ship()
    (request,) = made(intent)
    done = ADAPTER.read_answer(intent, request, answer(201, {"fulfillment": {"id": 1069019884, "status": "success"}}))
    assert (done.ok, done.reference) == (True, "1069019884")
    failed = ADAPTER.read_answer(intent, request, answer(201, {"fulfillment": {"id": 1, "status": "failure"}}))
    assert failed.items == (ItemAnswer(item=ORDER, ok=False, code="failure"),)
    unprocessable = answer(422, {"errors": {"base": ["The fulfillment order is not in an open state."]}})
    said = ADAPTER.read_answer(intent, request, unprocessable).items
    assert said == (
        ItemAnswer(
            item=ORDER,
            ok=False,
            code="http_422",
            message='{"base": ["The fulfillment order is not in an open state."]}',
        ),
    )
    gone = ADAPTER.read_answer(intent, request, answer(404, {"errors": "Not Found"}))
    assert (gone.items[0].code, gone.items[0].message, gone.items[0].retry) == ("http_404", "Not Found", False)
    busy = ADAPTER.read_answer(intent, request, answer(429, {"errors": "Exceeded 2 calls per second for api client."}))
    assert busy.items[0].retry
    with pytest.raises(UnreadableBody, match=r"\$\.fulfillment is missing"):
        ADAPTER.read_answer(intent, request, answer(200, {}))


def test_goods_that_wait_for_the_buyer() -> None:
    intent = ReadyForPickup(key="r", external_id=ORDER, fulfilment="7")
    (request,) = made(intent)
    assert (request.url, request.operation, request.items) == (f"{BASE}/graphql.json", "graphql", (ORDER,))
    sent = json.loads(request.body)
    name = "fulfillmentOrderLineItemsPreparedForPickup"
    assert f"{name}(input: $input)" in sent["query"]
    assert "FulfillmentOrderLineItemsPreparedForPickupInput!" in sent["query"]
    assert sent["variables"] == {
        "input": {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": "gid://shopify/FulfillmentOrder/7"}]}
    }
    assert ADAPTER.read_answer(intent, request, answer(200, {"data": {name: {"userErrors": []}}})).ok
    error = {"code": "FULFILLMENT_ORDER_INVALID", "field": ["input"], "message": "Invalid fulfillment order"}
    (item,) = ADAPTER.read_answer(intent, request, answer(200, {"data": {name: {"userErrors": [error]}}})).items
    assert item == ItemAnswer(
        item=ORDER, ok=False, code="FULFILLMENT_ORDER_INVALID", message="Invalid fulfillment order"
    )
    assert "as a whole" in refused(ReadyForPickup(key="r", external_id=ORDER, fulfilment="7", quantities=(("1", 1),)))
    assert "as a whole" in refused(ReadyForPickup(key="r", external_id=ORDER))


def levels(count: int, mode: StockMode = StockMode.ABSOLUTE) -> SetStock:
    found = tuple(StockLevel(listing=str(number), location="655", units=number) for number in range(1, count + 1))
    return SetStock(key="stock", mode=mode, levels=found, as_of=NOON)


def test_levels_are_told_by_inventory_item_and_location() -> None:
    (request,) = made(levels(2))
    assert (request.operation, request.items) == ("graphql", ("1", "2"))
    sent = json.loads(request.body)
    assert "inventorySetQuantities(input: $input) {" in sent["query"]
    assert sent["variables"]["input"] == {
        "name": "available",
        "reason": "correction",
        "quantities": [
            {
                "inventoryItemId": f"gid://shopify/InventoryItem/{one}",
                "locationId": "gid://shopify/Location/655",
                "quantity": one,
            }
            for one in (1, 2)
        ],
        "ignoreCompareQuantity": True,
    }
    (relative,) = made(levels(1, StockMode.RELATIVE))
    sent = json.loads(relative.body)
    assert "inventoryAdjustQuantities(input: $input) {" in sent["query"]
    assert sent["variables"]["input"]["changes"][0]["delta"] == 1
    assert "ignoreCompareQuantity" not in sent["variables"]["input"]
    assert [len(one.items) for one in made(levels(501))] == [250, 250, 1]
    nowhere = SetStock(key="s", levels=(StockLevel(listing="1", units=1),), as_of=NOON)
    assert "name the location" in refused(nowhere)


def test_from_2026_04_stock_is_told_once_by_its_key() -> None:
    for mode, entries in ((StockMode.ABSOLUTE, "quantities"), (StockMode.RELATIVE, "changes")):
        requests = made(levels(251, mode), STRICT)
        assert requests == made(levels(251, mode), STRICT)
        sent = [json.loads(one.body) for one in requests]
        keys = {one["query"].partition('@idempotent(key: "')[2][:36] for one in sent}
        assert len(keys) == 2
        assert all(one["variables"]["input"][entries][0]["changeFromQuantity"] is None for one in sent)
        assert all("ignoreCompareQuantity" not in one["variables"]["input"] for one in sent)


def stock_answer(document: Any) -> tuple[ItemAnswer, ...]:
    intent = levels(3)
    (request,) = made(intent)
    return ADAPTER.read_answer(intent, request, answer(200, document)).items


def test_user_errors_are_answers_of_the_items_they_name() -> None:
    group = {"id": "gid://shopify/InventoryAdjustmentGroup/1"}
    taken = stock_answer({"data": {"inventorySetQuantities": {"inventoryAdjustmentGroup": group, "userErrors": []}}})
    assert [one.ok for one in taken] == [True, True, True]
    error = {
        "code": "INVALID_INVENTORY_ITEM",
        "field": ["input", "quantities", "1", "inventoryItemId"],
        "message": "The specified inventory item could not be found.",
    }
    refused_one = {"data": {"inventorySetQuantities": {"inventoryAdjustmentGroup": None, "userErrors": [error]}}}
    assert [(one.ok, one.code, one.retry) for one in stock_answer(refused_one)] == [
        (False, "not_applied", True),
        (False, "INVALID_INVENTORY_ITEM", False),
        (False, "not_applied", True),
    ]
    general = {"data": {"inventorySetQuantities": {"userErrors": [error | {"field": ["input", "reason"]}]}}}
    assert [(one.ok, one.code, one.retry) for one in stock_answer(general)] == [
        (False, "INVALID_INVENTORY_ITEM", False)
    ] * 3


def test_errors_above_the_data() -> None:
    throttled = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
    assert {(one.code, one.retry) for one in stock_answer(throttled)} == {("THROTTLED", True)}
    wrong = {"errors": [{"message": "Field 'x' doesn't exist"}], "data": None}
    assert {(one.code, one.message, one.retry) for one in stock_answer(wrong)} == {
        ("graphql", "Field 'x' doesn't exist", False)
    }
    answers: tuple[dict[str, Any], ...] = ({}, {"data": {}}, {"data": {"inventorySetQuantities": None}})
    for unreadable in answers:
        with pytest.raises(UnreadableBody):
            stock_answer(unreadable)


@pytest.mark.parametrize(
    ("reason", "sent"),
    [(None, "inventory"), ("fraud", "fraud"), ("CUSTOMER", "customer"), ("we lost it", "other")],
)
def test_an_order_is_cancelled_whole(reason: str | None, sent: str) -> None:
    intent = CancelOrder(key="c", external_id=ORDER, reason=reason, restock=True)
    (request,) = made(intent)
    assert (request.method, request.url) == ("POST", f"{BASE}/orders/{ORDER}/cancel.json")
    assert json.loads(request.body) == {"reason": sent, "restock": True}
    done = answer(200, {"notice": "Order has been canceled", "order": {"id": 1}})
    assert ADAPTER.read_answer(intent, request, done).ok
    with pytest.raises(UnreadableBody, match=r"\$\.id is missing"):
        ADAPTER.read_answer(intent, request, answer(200, {}))


def test_what_shopify_is_not_asked() -> None:
    assert "cancelled whole" in refused(CancelOrder(key="c", external_id=ORDER, quantities=(("1", 1),)))
    assert "no such call" in refused(AnswerRefund(key="a", external_id=ORDER, refund="1", accept=True))
