"""Discounts, payments, rounding and refunds of Shopify, on bodies written by hand after its documentation."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from omo_core.channels.port import EventKind, RefundNotice
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.model.errors import InvalidMoney, UnreadableBody
from omo_core.model.orders import Discount, DiscountShare, Funder, OddityCode, Payment, PaymentStatus, RefundStatus
from tests.channels.test_shopify import ADAPTER, body, both, event, line, read

SPLIT = [
    line(1, discount_allocations=[{"amount": "3.20", "discount_application_index": 0}]),
    line(
        2,
        discount_allocations=[
            {"amount": "3.40", "discount_application_index": 0},
            {"amount": "5.00", "discount_application_index": 1},
        ],
    ),
]
APPLICATIONS = [
    {"type": "discount_code", "code": "TENOFF", "target_type": "line_item", "value": "10.0"},
    {"type": "automatic", "title": "Spring", "target_type": "line_item"},
    {"type": "discount_code", "code": "FREESHIP", "target_type": "shipping_line", "value": "100.0"},
    {"type": "manual", "title": "Nothing today"},
]


def test_discounts_are_kept_as_the_channel_split_them() -> None:
    shipping = [
        {"title": "S", "price": "6.00", "discount_allocations": [{"amount": "6.00", "discount_application_index": 2}]}
    ]
    order = read(line_items=SPLIT, discount_applications=APPLICATIONS, shipping_lines=shipping, total_price="28.40")
    assert order.discounts == (
        Discount(
            discount="TENOFF",
            funder=Funder.SELLER,
            amount_minor=660,
            shares=(DiscountShare(line="1", amount_minor=320), DiscountShare(line="2", amount_minor=340)),
        ),
        Discount(
            title="Spring",
            funder=Funder.SELLER,
            amount_minor=500,
            shares=(DiscountShare(line="2", amount_minor=500),),
        ),
        Discount(discount="FREESHIP", funder=Funder.SELLER, amount_minor=600, shipping_minor=600),
        Discount(title="Nothing today", funder=Funder.SELLER, amount_minor=0),
    )
    assert order.amounts is not None
    assert (order.amounts.discount_minor, order.amounts.imbalance_minor, order.oddities) == (1760, 0, ())


def test_an_allocation_of_no_known_discount_is_odd_and_counted() -> None:
    order = read(line_items=SPLIT, discount_applications=APPLICATIONS[:1], total_price="28.40")
    assert [(one.discount, one.amount_minor) for one in order.discounts] == [("TENOFF", 660)]
    assert [(one.path, one.sentence) for one in order.oddities] == [
        ("$.discount_applications", "has no entry 1, which an allocation names")
    ]
    assert order.amounts is not None
    assert order.amounts.discount_minor == 1160
    with pytest.raises(UnreadableBody, match=r"discount_allocations\[0\]\.discount_application_index is a text"):
        read(line_items=[line(discount_allocations=[{"amount": "1.00", "discount_application_index": "0"}])])


def test_the_buyers_total_is_kept_in_the_buyers_currency() -> None:
    order = read(presentment_currency="CAD", total_price_set=both("20.00"))
    assert order.amounts is not None
    assert (order.presentment_currency, order.amounts.presentment_total_minor) == ("CAD", 9999)
    alone = read(total_price_set=both("20.00"))
    assert alone.amounts is not None
    assert alone.amounts.presentment_total_minor is None
    with pytest.raises(InvalidMoney, match="is not the order's presentment_currency EUR"):
        read(presentment_currency="EUR", total_price_set=both("20.00"))


def test_cash_is_rounded_when_it_is_paid() -> None:
    order = read(total_cash_rounding_payment_adjustment_set=both("-0.02"), source_name="pos")
    assert order.amounts is not None
    assert (order.amounts.rounding_minor, order.amounts.total_minor, order.amounts.imbalance_minor) == (-2, 1998, 0)


def transaction(number: int, kind: str, amount: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "kind": kind,
        "status": "success",
        "gateway": "bogus",
        "amount": amount,
        "currency": "USD",
        "processed_at": "2026-11-21T07:00:00-05:00",
    } | changes


@pytest.mark.parametrize(
    ("transactions", "paid"),
    [
        ([transaction(1, "sale", "20.00")], [("1", 2000)]),
        ([transaction(1, "sale", "20.00", status="failure")], []),
        ([transaction(1, "authorization", "20.00")], [("1", 2000)]),
        (
            [transaction(1, "authorization", "20.00"), transaction(2, "capture", "15.00", parent_id=1)],
            [("2", 1500)],
        ),
        ([transaction(1, "authorization", "20.00"), transaction(2, "void", "0.00", parent_id=1)], []),
        (
            [transaction(1, "authorization", "20.00"), transaction(2, "capture", "9.00", parent_id=1, status="error")],
            [("1", 2000)],
        ),
        ([transaction(1, "sale", "50.00"), transaction(2, "change", "30.00")], [("1", 5000), ("2", -3000)]),
        ([transaction(1, "sale", "20.00"), transaction(2, "refund", "20.00")], [("1", 2000)]),
        ([transaction(1, "sale", "27.00", currency="CAD")], []),
        ([transaction(1, "gift", "20.00")], []),
    ],
)
def test_payments_are_the_transactions_that_moved_money(transactions: list[Any], paid: list[tuple[str, int]]) -> None:
    order = read(transactions=transactions)
    assert [(one.payment, one.amount_minor) for one in order.payments] == paid
    assert all(
        one.method == "bogus" and one.paid_at == datetime(2026, 11, 21, 12, tzinfo=UTC) for one in order.payments
    )


@pytest.mark.parametrize(
    ("changes", "payments"),
    [
        ({"total_outstanding": "0.00"}, (Payment(method="cash, gift_card", amount_minor=2000),)),
        (
            {"total_outstanding": "5.00", "current_total_price": "15.00"},
            (Payment(method="cash, gift_card", amount_minor=1000),),
        ),
        ({"total_outstanding": "20.00"}, ()),
        ({}, ()),
        ({"total_outstanding": "0.00", "financial_status": "pending"}, ()),
        ({"total_outstanding": "0.00", "refunds": [{"id": 1, "created_at": "2026-11-21T08:00:00Z"}]}, ()),
        ({"total_outstanding": "0.00", "payment_gateway_names": [""]}, ()),
    ],
)
def test_without_transactions_the_gateways_tell_the_sum(changes: dict[str, Any], payments: tuple[Payment, ...]) -> None:
    assert read(**{"payment_gateway_names": ["cash", "gift_card"], **changes}).payments == payments


def test_the_buyer_is_an_id_and_never_a_name() -> None:
    assert read(customer={"id": 207119551, "first_name": "Ann", "email": "a@example.com"}).buyer == "207119551"
    assert read(customer=None).buyer is None


@pytest.mark.parametrize(
    ("changes", "status", "payment", "odd"),
    [
        ({"financial_status": "expired"}, "open", PaymentStatus.VOIDED, []),
        ({"financial_status": "on_the_house"}, "open", PaymentStatus.UNKNOWN, ["$.financial_status"]),
        ({"fulfillment_status": "beamed_up"}, "open", PaymentStatus.PAID, ["$.fulfillment_status"]),
        ({"fulfillment_status": "restocked"}, "open", PaymentStatus.PAID, []),
    ],
)
def test_unknown_states_are_odd_and_the_order_stays_open(
    changes: dict[str, Any], status: str, payment: PaymentStatus, odd: list[str]
) -> None:
    order = read(**changes)
    assert (order.status, order.payment) == (status, payment)
    assert [one.path for one in order.oddities if one.code is OddityCode.UNKNOWN_STATE] == odd


def test_oddities_of_one_order_are_not_told_of_the_next() -> None:
    orders = ADAPTER.parse_orders(b'{"orders": [' + body(financial_status="on_the_house") + b"," + body(id=2) + b"]}")
    assert [len(order.oddities) for order in orders] == [1, 0]


REFUND: dict[str, Any] = {
    "id": 890088186047892319,
    "order_id": 820982911946154508,
    "created_at": "2026-11-22T08:00:00-05:00",
    "processed_at": "2026-11-22T08:00:05-05:00",
    "note": "too small",
    "refund_line_items": [
        {"line_item_id": 1, "quantity": 1, "restock_type": "return", "subtotal": 9.5, "subtotal_set": both("9.50")},
        {"line_item_id": 2, "quantity": 2, "restock_type": "no_restock", "subtotal": 1.0},
    ],
    "transactions": [{"kind": "refund", "status": "success", "amount": "10.50", "currency": "USD"}],
    "order_adjustments": [],
}


def notice(**changes: Any) -> RefundNotice:
    return ADAPTER.parse_refund(json.dumps({"refund": REFUND | changes}).encode())


def items(*kinds: str | None) -> list[dict[str, Any]]:
    return [{"line_item_id": place, "quantity": 1, "restock_type": kind} for place, kind in enumerate(kinds)]


def test_a_refund_by_itself() -> None:
    found = notice()
    assert (found.channel, found.external_id, found.returns_goods) == ("shopify", "820982911946154508", True)
    assert found.updated_at == datetime(2026, 11, 22, 13, 0, 5, tzinfo=UTC)
    assert (found.refund.refund, found.refund.reason) == ("890088186047892319", "too small")
    assert (found.refund.refunded_to_buyer_minor, found.refund.quantities) == (1050, (("1", 1), ("2", 2)))
    assert found.refund.status is RefundStatus.DONE
    assert ADAPTER.parse_refund(json.dumps(REFUND).encode()) == found


@pytest.mark.parametrize(
    ("lines", "comes_back"),
    [
        (items("return"), True),
        (items("no_restock", "return", None), True),
        (items("cancel"), False),
        (items("no_restock", "cancel"), False),
        (items("legacy_restock"), None),
        (items(None, "cancel"), None),
        ([], False),
    ],
)
def test_what_comes_back_is_what_had_left(lines: list[Any], comes_back: bool | None) -> None:
    assert notice(refund_line_items=lines).returns_goods is comes_back


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["success"], RefundStatus.DONE),
        (["failure", "success"], RefundStatus.DONE),
        (["pending"], RefundStatus.AGREED),
        (["success", "pending"], RefundStatus.AGREED),
        (["failure"], RefundStatus.AGREED),
        ([], RefundStatus.DONE),
    ],
)
def test_money_on_its_way_is_agreed_and_not_done(statuses: list[str], status: RefundStatus) -> None:
    payments = [{"kind": "refund", "status": one, "amount": "1.00", "currency": "USD"} for one in statuses]
    assert notice(transactions=payments).refund.status is status


def test_the_shops_currency_is_found_where_it_is_written() -> None:
    paid_in_canada = [{"kind": "refund", "status": "success", "amount": "14.00", "currency": "CAD"}]
    adjusted = [{"amount_set": both("-5.00"), "tax_amount_set": both("0.00")}]
    assert notice(transactions=paid_in_canada, order_adjustments=adjusted).refund.refunded_to_buyer_minor == 1450
    yen = notice(
        transactions=[{"kind": "refund", "status": "success", "amount": "140", "currency": "JPY"}],
        refund_line_items=items("return"),
    )
    assert yen.refund.refunded_to_buyer_minor == 140
    with pytest.raises(UnreadableBody, match=r"\$\.refund\.transactions tell no currency"):
        notice(transactions=[], refund_line_items=items("return"))
    with pytest.raises(UnreadableBody, match=r"\$\.refund\.created_at is missing"):
        notice(created_at=None, processed_at=None)


def test_a_refund_message_holds_the_refund_and_fetches_the_order() -> None:
    found = event("refunds/create", json.dumps(REFUND).encode())
    assert (found.kind, found.subject) == (EventKind.REFUND, "820982911946154508")
    assert found.refund == notice()
    assert len(found.fetch) == 1
    bare = event("refunds/create", b'{"id": 1, "order_id": 820982911946154508}')
    assert (bare.refund, len(bare.fetch)) == (None, 1)


def test_a_return_at_the_till_leaves_the_sale_as_it_was() -> None:
    adapter = ShopifyAdapter(ShopifyConfig())
    pos = {"source_name": "pos", "location_id": 655}
    sold = adapter.parse_event({"X-Shopify-Topic": "orders/create"}, body(**pos))
    returned = adapter.parse_event(
        {"X-Shopify-Topic": "orders/updated"},
        body(**pos, refunds=[REFUND | {"refund_line_items": items("return", "return")[1:]}]),
    )
    assert sold.counter_sale is not None
    assert returned.counter_sale == sold.counter_sale
    assert returned.order is not None
    assert [one.current_quantity for one in returned.order.lines] == [1]


def test_a_code_that_is_too_long_to_be_kept_costs_no_order() -> None:
    applications = [{"type": "discount_code", "code": "C" * 200}, {"type": "manual", "title": "staff"}]
    order = read(discount_applications=applications)
    assert [(one.discount, one.title) for one in order.discounts] == [(None, None), (None, "staff")]
    assert [one.path for one in order.oddities] == ["$.discount_applications[0].code"]


def test_a_refund_of_no_units_is_money_only() -> None:
    lines = [{"line_item_id": 1, "quantity": 0}, {"line_item_id": 1, "quantity": 1}, {"line_item_id": 2, "quantity": 0}]
    order = read(refunds=[{"id": 5, "refund_line_items": lines}], line_items=[line(1), line(2)])
    assert order.refunds[0].quantities == (("1", 1),)
    assert [one.current_quantity for one in order.lines] == [1, 2]
