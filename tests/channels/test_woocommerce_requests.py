"""What is asked of a WooCommerce site, and what becomes of its answers; shapes after its documentation."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from omo_core.channels.intents import (
    Acknowledge,
    CancelOrder,
    FetchOrder,
    Intent,
    ItemAnswer,
    ListChanges,
    Parcel,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
)
from omo_core.channels.woocommerce import WooCommerceAdapter, WooCommerceConfig
from omo_core.model.errors import UnreadableBody
from omo_core.model.refusals import Refusal
from tests.channels.test_woocommerce import body

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BASE = "https://shop.example/eu/wp-json"


def adapter(**changes: Any) -> WooCommerceAdapter:
    return WooCommerceAdapter(WooCommerceConfig(site="https://shop.example/eu", **changes))


ADAPTER = adapter()


def made(intent: Intent, of: WooCommerceAdapter = ADAPTER) -> tuple[Request, ...]:
    found = of.requests(intent)
    assert not isinstance(found, Refusal), found
    return found


def refused(intent: Intent, of: WooCommerceAdapter = ADAPTER) -> str:
    found = of.requests(intent)
    assert isinstance(found, Refusal)
    return found.sentence


def answer(status: int, document: Any) -> Response:
    return Response(status=status, body=json.dumps(document).encode())


def listing(cursor: str | None = None) -> ListChanges:
    return ListChanges(key="l", since=datetime(2026, 11, 20, tzinfo=UTC), until=NOON, cursor=cursor)


def parcel(tracking: str, url: str | None = None) -> Parcel:
    return Parcel(carrier="UPS", tracking=tracking, tracking_url=url, shipped_at=NOON)


def test_an_order_is_fetched_with_its_refunds() -> None:
    requests = made(FetchOrder(key="f", external_id="727"))
    assert [(one.method, one.url) for one in requests] == [
        ("GET", f"{BASE}/wc/v3/orders/727"),
        ("GET", f"{BASE}/wc/v3/orders/727/refunds?per_page=100"),
    ]


def test_the_key_signs_by_basic_authentication() -> None:
    (request,) = made(CancelOrder(key="c", external_id="727"))
    keyed = adapter(consumer_key="ck_1", consumer_secret="cs_1")
    for signed, pair in (
        (keyed.sign(request, now=NOON), "ck_1:cs_1"),
        (keyed.sign(request, now=NOON, token="ck_2:cs_2"), "ck_2:cs_2"),
    ):
        assert ("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}") in signed.headers
    assert ADAPTER.sign(request, now=NOON) == request
    assert "cs_1" not in repr(keyed.config)


@pytest.mark.parametrize("odd", ["../users", "1?x=1", "#1001", "1" * 21, "١٢"])
def test_no_other_address_is_asked_than_an_orders(odd: str) -> None:
    intents = (
        FetchOrder(key="f", external_id=odd),
        CancelOrder(key="c", external_id=odd),
        Ship(key="s", external_id=odd, parcels=(parcel("1Z"),)),
        SetStock(key="s", levels=(StockLevel(listing=odd, units=1),), as_of=NOON),
        SetStock(key="s", levels=(StockLevel(listing="1", product=odd, units=1),), as_of=NOON),
        listing(odd),
    )
    for intent in intents:
        assert "is no id of a WooCommerce" in refused(intent), intent
    assert "set site in the configuration" in refused(FetchOrder(key="f", external_id="1"), WooCommerceAdapter())


def test_a_page_has_no_upper_end_so_that_nothing_can_leave_it() -> None:
    (request,) = made(listing("3"))
    parts = urlsplit(request.url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{BASE}/wc/v3/orders"
    assert parse_qs(parts.query) == {
        "modified_after": ["2026-11-19T23:59:59"],
        "dates_are_gmt": ["true"],
        "status": ["any"],
        "orderby": ["id"],
        "order": ["asc"],
        "per_page": ["50"],
        "page": ["3"],
    }


def page(*orders: bytes) -> bytes:
    return b"[" + b",".join(orders) + b"]"


def test_a_full_page_is_followed_by_the_next() -> None:
    orders = [body(id=number) for number in range(1, 51)]
    assert ADAPTER.read_page(listing(), page(*orders)).following == listing("2")
    assert ADAPTER.read_page(listing("2"), page(*orders)).following == listing("3")
    assert ADAPTER.read_page(listing("2"), page(*orders[:49])).following is None


def test_what_a_page_holds() -> None:
    refunded = body(id=2, refunds=[{"id": 9, "total": "-1.00"}])
    read = ADAPTER.read_page(listing(), page(body(id=1), refunded, body(id=3, line_items=[]), b"{}"))
    assert [one.external_id for one in read.orders] == ["1"]
    assert [one.external_id for one in read.references] == ["2"]
    assert [one for one, _ in read.unreadable] == ["3", "$.orders[3]"]


def test_parcels_are_told_in_notes_and_the_order_is_completed() -> None:
    intent = Ship(key="s", external_id="727", parcels=(parcel("1Z1"), parcel("1Z2", "https://ups.example/1Z2")))
    requests = made(intent)
    assert [(one.method, one.url) for one in requests] == [
        ("POST", f"{BASE}/wc/v3/orders/727/notes"),
        ("POST", f"{BASE}/wc/v3/orders/727/notes"),
        ("PUT", f"{BASE}/wc/v3/orders/727"),
    ]
    assert [json.loads(one.body) for one in requests] == [
        {"note": "UPS 1Z1", "customer_note": True},
        {"note": "UPS 1Z2 https://ups.example/1Z2", "customer_note": True},
        {"status": "completed"},
    ]
    assert len(made(intent, adapter(tracking="none"))) == 1
    assert "leaves whole" in refused(intent.model_copy(update={"completes": False}))


def test_parcels_are_told_to_the_extension() -> None:
    intent = Ship(key="s", external_id="727", parcels=(parcel("1Z1"), parcel("1Z2", "https://ups.example/%1$s")))
    first, second, _ = made(intent, adapter(tracking="plugin"))
    assert first.url == f"{BASE}/wc-shipment-tracking/v3/orders/727/shipment-trackings"
    assert json.loads(first.body) == {
        "tracking_provider": "UPS",
        "tracking_number": "1Z1",
        "date_shipped": "2026-11-21",
    }
    assert json.loads(second.body) == {
        "custom_tracking_provider": "UPS",
        "custom_tracking_link": "https://ups.example/%1$s",
        "tracking_number": "1Z2",
        "date_shipped": "2026-11-21",
    }
    taken = ADAPTER.read_answer(intent, first, answer(201, {"tracking_id": "a1b2", "tracking_number": "1Z1"}))
    assert (taken.ok, taken.reference) == (True, "a1b2")


def test_what_became_of_an_order() -> None:
    intent = CancelOrder(key="c", external_id="727", reason="lost", restock=True)
    (request,) = made(intent)
    assert (request.method, json.loads(request.body)) == ("PUT", {"status": "cancelled"})
    assert ADAPTER.read_answer(intent, request, answer(200, {"id": 727, "status": "cancelled"})).ok
    refusal = {"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.", "data": {"status": 404}}
    assert ADAPTER.read_answer(intent, request, answer(404, refusal)).items == (
        ItemAnswer(item="727", ok=False, code="woocommerce_rest_shop_order_invalid_id", message="Invalid ID."),
    )
    assert ADAPTER.read_answer(intent, request, Response(status=503, body=b"<html>")).items[0].retry
    with pytest.raises(UnreadableBody):
        ADAPTER.read_answer(intent, request, Response(status=200, body=b"<html>maintenance</html>"))
    assert "cancelled whole" in refused(intent.model_copy(update={"quantities": (("1", 1),)}))
    assert "no such call" in refused(Acknowledge(key="a", external_id="727"))


def test_levels_of_products_and_variations_go_in_batches() -> None:
    levels = (
        StockLevel(listing="10", units=3),
        StockLevel(listing="11", product="11", units=4),
        StockLevel(listing="733", product="22", units=5),
    )
    products, variations = made(SetStock(key="s", levels=levels, as_of=NOON))
    assert (products.url, products.items) == (f"{BASE}/wc/v3/products/batch", ("10", "11"))
    assert json.loads(products.body)["update"][0] == {"id": 10, "manage_stock": True, "stock_quantity": 3}
    assert (variations.url, variations.items) == (f"{BASE}/wc/v3/products/22/variations/batch", ("733",))
    many = tuple(StockLevel(listing=str(number), units=1) for number in range(1, 202))
    assert [len(one.items) for one in made(SetStock(key="s", levels=many, as_of=NOON))] == [100, 100, 1]
    relative = SetStock(key="s", mode=StockMode.RELATIVE, levels=levels, as_of=NOON)
    assert "takes no relative stock levels" in refused(relative)


def test_what_became_of_each_level() -> None:
    levels = tuple(StockLevel(listing=str(number), units=1) for number in (1, 2, 3))
    intent = SetStock(key="s", levels=levels, as_of=NOON)
    (request,) = made(intent)
    error = {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID.", "data": {"status": 400}}
    told = answer(200, {"update": [{"id": 1, "stock_quantity": 1}, {"id": 2, "error": error}]})
    assert ADAPTER.read_answer(intent, request, told).items == (
        ItemAnswer(item="1", ok=True),
        ItemAnswer(item="2", ok=False, code="woocommerce_rest_product_invalid_id", message="Invalid ID."),
        ItemAnswer(item="3", ok=False, code="not_answered", retry=True),
    )
