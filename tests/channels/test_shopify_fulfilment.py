"""What Shopify's fulfilment orders add to an order, on documents written by hand after its documentation."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from omo_core.channels.intents import ListChanges
from omo_core.channels.port import EventKind
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import OddityCode, Order
from tests.channels.test_shopify import address, body, line

ADAPTER = ShopifyAdapter(
    ShopifyConfig(
        shop_domain="shop.myshopify.com", fulfilment_orders=True, locations={"655": "TPE-01"}, api_version="2026-01"
    )
)
ORDER = body(line_items=[line(1), line(2)], shipping_address=address(), total_price="40.00")


def work(number: int, lines: list[int], method: str | None = "shipping", **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "order_id": 820982911946154508,
        "assigned_location_id": 655,
        "status": "open",
        "delivery_method": {"method_type": method} if method else None,
        "line_items": [
            {"id": number * 10 + one, "line_item_id": one, "quantity": 2, "fulfillable_quantity": 2} for one in lines
        ],
    } | changes


def read(*works: dict[str, Any]) -> Order:
    return ADAPTER.parse_order(ORDER, json.dumps({"fulfillment_orders": works}).encode())


def test_one_line_is_collected_and_one_travels() -> None:
    order = read(work(1, [1]), work(2, [2], "pick_up"))
    shipped, collected = order.deliveries
    assert [one.delivery for one in order.lines] == [0, 1]
    assert (shipped.method, shipped.pickup_node) == (DeliveryMethod.SHIP, None)
    assert shipped.address is not None
    assert (collected.method, collected.pickup_node, collected.address) == (DeliveryMethod.PICKUP, "TPE-01", None)
    assert (order.hold_reason, order.oddities) == (None, ())


def test_work_that_was_moved_is_done_where_it_is_now() -> None:
    left = work(1, [1, 2], "pick_up", status="closed")
    order = read(left, work(2, [1, 2], "pick_up", assigned_location_id=656))
    (collected,) = order.deliveries
    assert collected.pickup_node == "656"
    assert {one.fulfilment for one in order.lines} == {"2"}
    assert order.oddities == ()
    sent = read(work(3, [1], "pick_up", status="closed"), work(4, [2]))
    assert [sent.deliveries[one.delivery].method for one in sent.lines] == [DeliveryMethod.PICKUP, DeliveryMethod.SHIP]


def test_a_line_from_two_locations_is_one_way() -> None:
    order = read(work(1, [1, 2]), work(2, [2], assigned_location_id=656))
    assert [one.delivery for one in order.lines] == [0, 0]
    assert order.oddities == ()


def test_what_has_no_fulfilment_order_stays_as_the_order_tells() -> None:
    order = read(work(2, [2], "pick_up", assigned_location_id=656))
    assert [one.delivery for one in order.lines] == [0, 1]
    assert [one.pickup_node for one in order.deliveries] == [None, "656"]
    assert read().deliveries == ADAPTER.parse_order(ORDER).deliveries


def test_lines_say_what_they_are_sent_as() -> None:
    order = read(work(1, [1]), work(2, [2], status="closed"), work(3, [1]))
    assert [(one.fulfilment, one.fulfilment_line) for one in order.lines] == [("1", "11"), (None, None)]


def test_times_of_a_delivery() -> None:
    slot = {
        "method_type": "local",
        "min_delivery_date_time": "2026-11-23T09:00:00+08:00",
        "max_delivery_date_time": "2026-11-23T12:00:00+08:00",
    }
    (delivery,) = read(work(1, [1, 2], delivery_method=slot, fulfill_by="2026-11-23T08:00:00+08:00")).deliveries
    assert delivery.not_before == datetime(2026, 11, 23, 1, tzinfo=UTC)
    assert delivery.deliver_by == datetime(2026, 11, 23, 4, tzinfo=UTC)
    assert delivery.ship_by == datetime(2026, 11, 23, 0, tzinfo=UTC)
    at = "2026-12-24T00:00:00Z"
    (later,) = read(work(1, [1, 2], status="scheduled", fulfill_at=at)).deliveries
    assert later.not_before == datetime(2026, 12, 24, tzinfo=UTC)
    (now,) = read(work(1, [1, 2], fulfill_at=at)).deliveries
    assert now.not_before is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "on_hold"}, "on_hold"),
        (
            {"status": "on_hold", "fulfillment_holds": [{"reason": "high_risk_of_fraud", "reason_notes": "call her"}]},
            "high_risk_of_fraud: call her",
        ),
        ({"fulfillment_holds": [{"reason": "incorrect_address"}, {"reason": "other"}]}, "incorrect_address; other"),
        ({"request_status": "cancellation_requested"}, "cancellation_requested"),
        ({"status": "closed", "fulfillment_holds": [{"reason": "other"}]}, None),
        ({}, None),
    ],
)
def test_a_hold_says_why(changes: dict[str, Any], reason: str | None) -> None:
    assert read(work(1, [1], **changes), work(2, [2])).hold_reason == reason


def test_an_order_on_hold_may_say_so_itself() -> None:
    assert ShopifyAdapter().parse_order(body(fulfillment_status="on_hold")).hold_reason == "on_hold"


def test_unknown_states_and_lines_in_two_ways_are_odd() -> None:
    order = read(work(1, [1, 2], "drone", status="dreaming"), work(2, [2], "pick_up"))
    assert [(one.code, one.path) for one in order.oddities] == [
        (OddityCode.UNKNOWN_STATE, "$.fulfillment_orders[0].status"),
        (OddityCode.UNKNOWN_STATE, "$.fulfillment_orders[0].delivery_method.method_type"),
        (OddityCode.ODD_VALUE, "$.fulfillment_orders"),
    ]
    assert [one.delivery for one in order.lines] == [0, 0]


def test_a_version_covers_both_documents() -> None:
    order = read(work(1, [1, 2], updated_at="2026-11-21T12:00:09Z"))
    assert order.source_version == 1795262409 * 1_000_000
    older = read(work(1, [1, 2], updated_at="2026-11-20T12:00:09Z"))
    assert older.source_version == 1795262401 * 1_000_000


def test_a_mixed_order_without_fulfilment_orders_is_odd() -> None:
    adapter = ShopifyAdapter(ShopifyConfig(pickup_nodes={"Store": "TPE-01"}))
    mixed = [{"title": "Store", "price": "0.00"}, {"title": "Parcel", "price": "5.00"}]
    order = adapter.parse_order(body(shipping_lines=mixed, shipping_address=address(), total_price="25.00"))
    assert [one.path for one in order.oddities] == ["$.shipping_lines"]
    assert order.deliveries[0].method is DeliveryMethod.SHIP


def test_work_of_another_order_is_refused() -> None:
    with pytest.raises(UnreadableBody, match="are of order 5, not 820982911946154508"):
        read(work(1, [1], order_id=5))
    with pytest.raises(UnreadableBody, match=r"\$\.fulfillment_orders is missing"):
        ADAPTER.parse_order(ORDER, b"{}")
    with pytest.raises(UnreadableBody, match="one document of fulfilment orders, not 2"):
        ADAPTER.parse_order(ORDER, b"{}", b"{}")


def test_a_message_says_what_to_fetch() -> None:
    found = ADAPTER.parse_event({"X-Shopify-Topic": "orders/create"}, ORDER)
    assert (found.kind, found.order, found.subject) == (EventKind.ORDER, None, "820982911946154508")
    assert [one.url for one in found.fetch] == [
        "https://shop.myshopify.com/admin/api/2026-01/orders/820982911946154508.json",
        "https://shop.myshopify.com/admin/api/2026-01/orders/820982911946154508/fulfillment_orders.json",
    ]
    off = ADAPTER.parse_event({"X-Shopify-Topic": "orders/create"}, body(cancelled_at="2026-11-21T08:00:00Z"))
    sold = ADAPTER.parse_event({"X-Shopify-Topic": "orders/create"}, body(source_name="pos", location_id=655))
    assert (off.kind, off.fetch) == (EventKind.CANCELLATION, ())
    assert (sold.kind, sold.fetch) == (EventKind.COUNTER_SALE, ())


def test_a_page_names_what_to_fetch() -> None:
    until = datetime(2026, 11, 22, tzinfo=UTC)
    intent = ListChanges(key="k", since=datetime(2026, 11, 21, tzinfo=UTC), until=until)
    page = ADAPTER.read_page(
        intent, b'{"orders": [' + ORDER + b"," + body(id=5, cancelled_at="2026-11-21T08:00:00Z") + b"]}"
    )
    assert [one.external_id for one in page.references] == ["820982911946154508"]
    assert [one.external_id for one in page.orders] == ["5"]


def test_lines_as_fulfilments_name_them() -> None:
    (found,) = ADAPTER.parse_fulfilment_orders(json.dumps({"fulfillment_order": work(7, [1, 2])}).encode())
    assert (found.fulfilment_order, found.order, found.location) == ("7", "820982911946154508", "655")
    assert [(one.line, one.own, one.open_units) for one in found.lines] == [("1", "71", 2), ("2", "72", 2)]
    assert found.own_lines((("2", 1),)) == (("72", 1),)
    with pytest.raises(InvalidInput, match="line 3 is not part of fulfilment order 7"):
        found.own_lines((("3", 1),))
