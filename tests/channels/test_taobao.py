"""Taobao and Tmall: trades of every shape, refunds, messages, and what is asked of the gateway."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.forms import read_form
from omo_core.channels.gateway_signing import md5_around
from omo_core.channels.intents import (
    CancelOrder,
    FetchOrder,
    ListChanges,
    Parcel,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
)
from omo_core.channels.port import EventKind
from omo_core.channels.taobao import TaobaoAdapter, TaobaoConfig
from omo_core.model.errors import ForgedSignature, InvalidInput, InvalidMoney, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Delivery, OddityCode, Order, OrderStatus, PaymentStatus, RefundStatus
from omo_core.model.refusals import Refusal
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.samples import Samples
from omo_core.testing.writers import write_taobao_message, write_taobao_order
from tests.channels.strategies_china import addresses, orders, shipped

CONFIG = TaobaoConfig(app_key="12345678", secrets=("s3cret", "b3fore"), stores={"S-7": "TPE-01"})
ADAPTER = TaobaoAdapter(CONFIG)
NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


def line(oid: int, **fields: Any) -> dict[str, Any]:
    return {
        "oid": oid,
        "oid_str": str(oid),
        "num": 1,
        "num_iid": 71,
        "sku_id": "81",
        "outer_iid": "MUG",
        "outer_sku_id": "MUG-BLUE",
        "title": "杯",
        "price": "64.00",
        "discount_fee": "0.00",
        "adjust_fee": "0.00",
        "total_fee": "64.00",
        "part_mjz_discount": "8.38",
        "divide_order_fee": "55.62",
        "payment": "64.00",
        "status": "WAIT_SELLER_SEND_GOODS",
        "refund_status": "NO_REFUND",
        **fields,
    }


def second(**fields: Any) -> dict[str, Any]:
    money = {"price": "35.00", "total_fee": "35.00", "part_mjz_discount": "4.59", "divide_order_fee": "30.41"}
    return line(2001, **{"outer_sku_id": "", "outer_iid": "TEA", "sku_id": None, **money, **fields})


def trade(*rows: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "tid": 4117161263024657401,
        "tid_str": "4117161263024657401",
        "type": "fixed",
        "status": "WAIT_SELLER_SEND_GOODS",
        "created": "2026-11-22 08:00:00",
        "modified": "2026-11-22 09:30:00",
        "pay_time": "2026-11-22 08:01:00",
        "alipay_no": "2026112222001",
        "payment": "86.03",
        "post_fee": "0.00",
        "shipping_type": "express",
        "receiver_name": "张**",
        "receiver_mobile": "*******0000",
        "receiver_state": "上海",
        "receiver_city": "上海市",
        "receiver_district": "杨浦区",
        "receiver_town": "平凉路街道",
        "receiver_address": "江**路1号",
        "receiver_zip": "200082",
        "receiver_country": "",
        "oaid": "1oQ2",
        "buyer_open_uid": "AAF8",
        "orders": {"order": list(rows) or [line(2000), second()]},
        **fields,
    }


def body(document: dict[str, Any], envelope: str = "trade_fullinfo_get_response") -> bytes:
    return json.dumps({envelope: {"trade": document}}, ensure_ascii=False).encode()


def read(*rows: dict[str, Any], **fields: Any) -> Order:
    return ADAPTER.parse_order(body(trade(*rows, **fields)))


REFUND = {
    "refund_id": "5001",
    "tid": 4117161263024657401,
    "oid": 2000,
    "num": 1,
    "status": "WAIT_SELLER_AGREE",
    "refund_fee": "55.62",
    "created": "2026-11-22 10:00:00",
    "modified": "2026-11-22 10:00:05",
    "has_good_return": False,
    "reason": "不想要了",
}


def refund_body(**fields: Any) -> bytes:
    return json.dumps({"refund_get_response": {"refund": {**REFUND, **fields}}}, ensure_ascii=False).encode()


class TestContract(ChannelAdapterContract):
    adapter = ADAPTER
    documents = (
        (body(trade()),),
        (
            body(
                trade(
                    shop_code="S-7", type="step", status="WAIT_BUYER_PAY", step_trade_status="FRONT_PAID_FINAL_NOPAID"
                )
            ),
        ),
    )
    refunds = (refund_body(),)
    fuzzed = 5_000
    samples = Samples(order="4117161263024657401", listing="81", product="71", currency="CNY")


# What a trade says.


def test_a_trade_of_two_lines_keeps_the_split_of_the_platform() -> None:
    order = read()
    assert order.amounts is not None
    assert [one.amounts.net_minor for one in order.lines if one.amounts] == [5562, 3041]
    assert [one.amounts.discount_minor for one in order.lines if one.amounts] == [838, 459]
    assert (order.amounts.total_minor, order.amounts.imbalance_minor, order.oddities) == (8603, 0, ())
    assert [(one.sku, one.listing) for one in order.lines] == [("MUG-BLUE", "81"), ("TEA", "71")]
    assert (order.status, order.payment, order.hold_reason) == ("open", "paid", None)
    assert order.placed_at == datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
    assert order.source_version == int(datetime(2026, 11, 22, 1, 30, tzinfo=UTC).timestamp()) * 1_000_000
    assert [(one.payment, one.amount_minor) for one in order.payments] == [("2026112222001", 8603)]
    assert (order.buyer, order.currency) == ("AAF8", "CNY")


def test_a_masked_receiver_keeps_its_token() -> None:
    address = read().deliveries[0].address
    assert address is not None
    assert (address.masked, address.token, address.recipient, address.district) == (True, "1oQ2", "张**", "杨浦区")
    assert address.street == ("平凉路街道", "江**路1号")


SHAPES: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "list": lambda rows: {"order": rows},
    "bare list": lambda rows: rows,
    "one": lambda rows: {"order": rows[0]},
    "bare": lambda rows: rows[0],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_lines_stand_in_a_list_a_bare_list_or_alone(shape: str) -> None:
    rows = [line(2000, part_mjz_discount="0.00", divide_order_fee="64.00")]
    order = read(orders=SHAPES[shape](rows), payment="64.00")
    assert [one.line for one in order.lines] == ["2000"]
    assert order.oddities == ()


def test_ids_beyond_double_precision_are_read_from_their_texts() -> None:
    order = read(tid=4117161263024657000)
    assert order.external_id == "4117161263024657401"
    with pytest.raises(UnreadableBody, match=r"\$\.trade_fullinfo_get_response\.trade\.tid"):
        ADAPTER.parse_order(body({**trade(), "tid_str": None}).replace(b"4117161263024657401", b"4.117E18"))


@pytest.mark.parametrize("divided", ["60.00", "68.00", None])
def test_what_is_paid_for_a_single_line_may_hold_the_postage(divided: str | None) -> None:
    row = line(2000, part_mjz_discount="4.00", divide_order_fee=divided, payment="68.00")
    order = read(row, payment="68.00", post_fee="8.00")
    assert order.amounts is not None
    assert order.lines[0].amounts is not None
    assert (order.lines[0].amounts.net_minor, order.amounts.shipping_minor) == (6000, 800)
    assert order.amounts.imbalance_minor == 0


def test_a_line_total_that_is_not_price_times_quantity_is_the_one_that_counts() -> None:
    row = line(2000, num=4, price="168.00", discount_fee="104.00", total_fee="64.00")
    order = read(row, second())
    amounts = order.lines[0].amounts
    assert amounts is not None
    assert (amounts.list_unit_price_minor, amounts.gross_minor, amounts.net_minor) == (16800, 16800, 5562)
    assert order.oddities == ()


def test_what_the_seller_adds_by_hand_is_a_fee_and_what_is_taken_off_a_discount() -> None:
    dearer = line(2000, adjust_fee="5.00", total_fee="69.00", divide_order_fee="60.62")
    cheaper = second(adjust_fee="-5.00", total_fee="30.00", divide_order_fee="25.41")
    order = read(dearer, cheaper)
    assert order.amounts is not None
    assert (order.amounts.fee_minor, order.amounts.imbalance_minor) == (500, 0)
    assert [one.amounts.discount_minor for one in order.lines if one.amounts] == [838, 959]


def test_a_discount_of_the_whole_trade_counts_where_the_lines_leave_it_open() -> None:
    rows = [line(2000, part_mjz_discount=None, divide_order_fee=None)]
    order = read(*rows, payment="60.00", discount_fee="4.00")
    assert order.amounts is not None
    assert (order.amounts.discount_minor, order.amounts.imbalance_minor) == (400, 0)
    other = read(*rows, payment="61.00", discount_fee="4.00")
    assert [one.code for one in other.oddities] == [OddityCode.MONEY_DOES_NOT_ADD_UP]


def test_promotions_name_the_line_they_are_for() -> None:
    promotions = [
        {"id": 2000, "promotion_name": "满减", "promotion_id": "mjs-1", "discount_fee": "8.38"},
        {"id": 4117161263024657401, "promotion_name": "店铺券", "promotion_id": "c-2", "discount_fee": "4.59"},
        {"id": 2000, "promotion_name": "免运费", "promotion_id": "p-3", "discount_fee": ""},
    ]
    order = read(promotion_details={"promotion_detail": promotions})
    assert [(one.discount, one.amount_minor, one.shares) for one in order.discounts] == [
        ("mjs-1", 838, order.discounts[0].shares),
        ("c-2", 459, ()),
    ]
    assert [(share.line, share.amount_minor) for share in order.discounts[0].shares] == [("2000", 838)]


@pytest.mark.parametrize(
    ("word", "status", "payment"),
    [
        ("TRADE_NO_CREATE_PAY", "open", "pending"),
        ("WAIT_BUYER_PAY", "open", "pending"),
        ("PAY_PENDING", "open", "pending"),
        ("PAID_FORBID_CONSIGN", "open", "paid"),
        ("WAIT_SELLER_SEND_GOODS", "open", "paid"),
        ("SELLER_CONSIGNED_PART", "open", "paid"),
        ("WAIT_BUYER_CONFIRM_GOODS", "closed", "paid"),
        ("TRADE_BUYER_SIGNED", "closed", "paid"),
        ("TRADE_FINISHED", "closed", "paid"),
        ("TRADE_CLOSED", "cancelled", "refunded"),
        ("TRADE_CLOSED_BY_TAOBAO", "cancelled", "voided"),
        ("SOMETHING_NEW", "open", "unknown"),
    ],
)
def test_states(word: str, status: str, payment: str) -> None:
    order = read(line(2000, status=word), second(status=word), status=word)
    assert (order.status, order.payment) == (status, payment)
    assert (OddityCode.UNKNOWN_STATE in {one.code for one in order.oddities}) == (word == "SOMETHING_NEW")
    held = word if word in ("TRADE_NO_CREATE_PAY", "WAIT_BUYER_PAY", "PAY_PENDING", "PAID_FORBID_CONSIGN") else None
    assert order.hold_reason == held
    assert all((one.current_quantity == 0) == (status == "cancelled") for one in order.lines)


def test_closed_after_sending_is_not_cancelled() -> None:
    order = read(status="TRADE_CLOSED", consign_time="2026-11-22 09:00:00", end_time="2026-11-22 09:20:00")
    assert (order.status, order.payment, order.cancelled_at) == ("closed", "refunded", None)
    before = read(status="TRADE_CLOSED", end_time="2026-11-22 09:20:00")
    assert before.cancelled_at == datetime(2026, 11, 22, 1, 20, tzinfo=UTC)
    cancellation = ADAPTER.parse_cancellation(body(trade(status="TRADE_CLOSED_BY_TAOBAO")))
    assert (cancellation.external_id, cancellation.requested) == ("4117161263024657401", False)
    with pytest.raises(UnreadableBody, match="is open, not cancelled"):
        ADAPTER.parse_cancellation(body(trade()))


def test_a_closed_line_of_an_open_trade_is_not_wanted_any_more() -> None:
    order = read(line(2000, status="TRADE_CLOSED", refund_status="SUCCESS"), second())
    assert [one.current_quantity for one in order.lines] == [0, 1]
    assert (order.status, order.payment) == ("open", "partially_refunded")


@pytest.mark.parametrize("word", ["WAIT_SELLER_AGREE", "WAIT_BUYER_RETURN_GOODS", "WAIT_SELLER_CONFIRM_GOODS"])
def test_a_buyer_who_asks_for_a_refund_holds_the_goods_back(word: str) -> None:
    assert read(line(2000, refund_status=word), second()).hold_reason == f"{word} 2000"
    assert read(line(2000, refund_status="SELLER_REFUSE_BUYER"), second()).hold_reason is None


def test_the_platform_may_hold_a_trade() -> None:
    assert read(top_hold=1).hold_reason == "top_hold"
    assert read(is_sh_ship=True, rx_audit_status="0").hold_reason == "is_sh_ship, rx_audit_status 0"
    assert read(top_hold=0, rx_audit_status="1").hold_reason is None
    assert (
        read(top_hold="1", ofp_hold=2, share_group_hold=False, is_sh_ship="false").hold_reason == "top_hold, ofp_hold"
    )


def test_a_presale_is_a_preorder_paid_in_steps() -> None:
    first = read(
        type="step",
        status="WAIT_BUYER_PAY",
        step_trade_status="FRONT_PAID_FINAL_NOPAID",
        step_paid_fee="20.00",
    )
    assert [one.preorder for one in first.lines] == [True, True]
    assert first.payment is PaymentStatus.PARTIALLY_PAID
    assert [one.amount_minor for one in first.payments] == [2000]
    assert first.hold_reason == "WAIT_BUYER_PAY, FRONT_PAID_FINAL_NOPAID"
    both = read(type="step", step_trade_status="FRONT_PAID_FINAL_PAID", step_paid_fee="86.03")
    assert (both.payment, both.hold_reason) == ("paid", None)
    assert [one.amount_minor for one in both.payments] == [8603]


def test_gifts_services_and_virtual_goods() -> None:
    free = {"price": "0.00", "total_fee": "0.00", "part_mjz_discount": "0.00", "divide_order_fee": "0.00"}
    gift = line(2002, is_free_gift=True, gift_mids="2000", outer_sku_id="SPOON", **free)
    service = {"oid": 2003, "num": 1, "price": "10.00", "payment": "10.00", "title": "安装", "service_id": 9}
    order = read(line(2000), second(), gift, payment="96.03", service_orders={"service_order": [service]})
    assert [(one.gift, one.physical) for one in order.lines] == [
        (False, True),
        (False, True),
        (True, True),
        (False, False),
    ]
    assert order.oddities == ()
    assert all(not one.physical for one in read(shipping_type="virtual").lines)
    assert all(not one.physical for one in read(type="auto_delivery").lines)


def test_goods_collected_in_a_store() -> None:
    pickup = read(shop_code="S-7").deliveries[0]
    assert (pickup.method, pickup.pickup_node) == (DeliveryMethod.PICKUP, "TPE-01")
    assert read(rt_omni_send_type="pickUp", rt_omni_outer_store_id="S-9").deliveries[0].pickup_node == "S-9"
    assert read(o2o_delivery="inshop", o2o_shop_id="12").deliveries[0].pickup_node == "12"
    assert read(o2o_delivery="online", o2o_shop_id="12").deliveries[0].method is DeliveryMethod.SHIP
    assert read(shipping_type="instant").deliveries[0].method is DeliveryMethod.ONE_HOUR


def test_digits_may_be_numbers() -> None:
    address = read(receiver_mobile=13800000000, receiver_zip=200082).deliveries[0].address
    assert address is not None
    assert (address.phone, address.postal_code) == ("13800000000", "200082")


def test_promised_times_are_moments_or_left_out() -> None:
    order = read(delivery_time="2026-11-23 18:00:00", sign_time="2026-11-25")
    assert order.deliveries[0].ship_by == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert order.deliveries[0].deliver_by is None
    assert [one.code for one in order.oddities] == [OddityCode.ODD_VALUE]


def test_cash_on_delivery_is_paid_at_the_door() -> None:
    order = read(type="cod", buyer_cod_fee="3.00", payment="89.03")
    assert order.amounts is not None
    assert (order.payment, order.hold_reason, order.amounts.fee_minor) == ("pending", None, 300)
    assert read(type="cod", status="TRADE_BUYER_SIGNED").payment is PaymentStatus.PAID


def test_a_duty_is_added_where_the_prices_do_not_hold_it() -> None:
    order = read(order_tax_fee="7.00", payment="93.03")
    assert order.amounts is not None
    assert (order.amounts.tax_minor, order.amounts.taxes_included, order.oddities) == (700, False, ())
    inside = read(order_tax_fee="7.00")
    assert inside.amounts is not None
    assert (inside.amounts.taxes_included, inside.oddities) == (True, ())


def test_amounts_may_be_numbers_but_never_rounded() -> None:
    assert read(line(2000, price=64.0, total_fee=64), second()).oddities == ()
    with pytest.raises(InvalidMoney, match=r"orders\.order\[0\]\.price"):
        read(line(2000, price="64.001"), second())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"orders": {"order": []}}, "orders is missing or empty"),
        ({"orders": {}}, "orders is missing or empty"),
        ({"modified": None}, "modified is missing"),
        ({"modified": "1795310400"}, "send a time such as"),
        ({"orders": {"order": [line(2000, num=-1)]}}, "num is -1"),
        ({"orders": {"order": [line(2000, num=1.5)]}}, "no whole number of units"),
        ({"orders": {"order": [line(2000), line(2000)]}}, "line ids must be unique"),
    ],
)
def test_what_cannot_be_an_order_is_refused_by_its_place(change: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        ADAPTER.parse_order(body(trade(**change)))


def test_a_fault_of_the_platform_is_no_order() -> None:
    fault = {"error_response": {"code": 15, "sub_code": "isv.trade-not-exist", "msg": "Remote service error"}}
    with pytest.raises(UnreadableBody, match=r"isv\.trade-not-exist"):
        ADAPTER.parse_order(json.dumps(fault).encode())


def test_bare_trades_and_lists_are_read_too() -> None:
    one = ADAPTER.parse_order(json.dumps(trade()).encode())
    page = {"trades_sold_get_response": {"trades": {"trade": [trade(status="NEW"), trade(tid_str="2")]}}}
    orders = ADAPTER.parse_orders(json.dumps(page).encode())
    assert [order.external_id for order in orders] == [one.external_id, "2"]
    assert [len(order.oddities) for order in orders] == [1, 0]
    with pytest.raises(UnreadableBody, match="holds 2 trades"):
        ADAPTER.parse_order(json.dumps(page).encode())


# Refunds and messages.


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("WAIT_SELLER_AGREE", RefundStatus.REQUESTED),
        ("WAIT_BUYER_RETURN_GOODS", RefundStatus.AGREED),
        ("WAIT_SELLER_CONFIRM_GOODS", RefundStatus.AGREED),
        ("SELLER_REFUSE_BUYER", RefundStatus.REFUSED),
        ("CLOSED", RefundStatus.REFUSED),
        ("SUCCESS", RefundStatus.DONE),
    ],
)
def test_refunds(word: str, status: RefundStatus) -> None:
    notice = ADAPTER.parse_refund(refund_body(status=word))
    assert (notice.external_id, notice.refund.refund, notice.refund.status) == ("4117161263024657401", "5001", status)
    assert (notice.refund.refunded_to_buyer_minor, notice.refund.quantities) == (5562, (("2000", 1),))
    assert (notice.returns_goods, notice.refund.reason) == (False, "不想要了")
    assert notice.updated_at == datetime(2026, 11, 22, 2, 0, 5, tzinfo=UTC)


def test_a_message_says_what_to_fetch_and_nothing_arrives_by_itself() -> None:
    headers: dict[str, str] = {}
    message = write_taobao_message(ADAPTER.parse_order(body(trade())), message_id=77)
    event = ADAPTER.parse_event(headers, message)
    assert (event.kind, event.event_key, event.subject) == (EventKind.ORDER, "tmc:77", "4117161263024657401")
    (request,) = event.fetch
    assert read_form(request.body)["tid"] == "4117161263024657401"
    assert request.url == "https://eco.taobao.com/router/rest"
    with pytest.raises(ForgedSignature, match="pull its changes instead"):
        ADAPTER.verify(headers, message)


def test_a_refund_message_fetches_its_trade_and_others_say_nothing() -> None:
    content = {"tid": 41, "oid": 42, "refund_id": 5001}
    message = {"id": 1, "topic": "taobao_refund_RefundCreated", "content": content}
    event = ADAPTER.parse_event({}, json.dumps(message).encode())
    assert (event.kind, event.subject) == (EventKind.REFUND, "41")
    other = {"id": 2, "topic": "taobao_item_ItemUpdate", "content": json.dumps({"num_iid": 3})}
    assert ADAPTER.parse_event({}, json.dumps(other).encode()).kind is EventKind.OTHER
    consumed = {"tmc_messages_consume_response": {"messages": {"tmc_message": [message, other]}}}
    several = ADAPTER.parse_event({}, json.dumps(consumed).encode())
    assert (several.kind, [one.kind for one in several.events]) == (
        EventKind.SEVERAL,
        [EventKind.REFUND, EventKind.OTHER],
    )
    none = ADAPTER.parse_event({}, b'{"tmc_messages_consume_response":{"request_id":"1"}}')
    assert none.kind is EventKind.OTHER
    forged = {"id": 3, "topic": "taobao_trade_TradeCreate", "content": {"tid": "41&method=x"}}
    with pytest.raises(InvalidInput, match="is no id of this channel"):
        ADAPTER.parse_event({}, json.dumps(forged).encode())


# What is asked of the gateway.


def forms(intent: Any, adapter: TaobaoAdapter = ADAPTER) -> list[dict[str, str]]:
    made = adapter.requests(intent)
    assert not isinstance(made, Refusal), made
    return [read_form(request.body) for request in made]


def test_a_request_is_signed_with_the_current_secret_in_the_time_of_china() -> None:
    made = ADAPTER.requests(FetchOrder(key="k", external_id="41"))
    assert isinstance(made, tuple)
    form = read_form(ADAPTER.sign(made[0], now=NOW, token="session").body)
    signature = form.pop("sign")
    assert signature == md5_around("s3cret", form)
    assert (form["timestamp"], form["session"], form["app_key"]) == ("2026-11-22 09:30:00", "session", "12345678")
    assert (form["v"], form["format"], form["sign_method"]) == ("2.0", "json", "md5")
    other = TaobaoAdapter(CONFIG.model_copy(update={"sign_method": "hmac-sha256"}))
    assert len(read_form(other.sign(made[0], now=NOW).body)["sign"]) == 64
    assert "oaid" in form["fields"]


def page_of(count: int, total: int) -> bytes:
    rows = [{"tid": n, "tid_str": str(n), "modified": "2026-11-22 09:30:00"} for n in range(count)]
    return json.dumps(
        {"trades_sold_increment_get_response": {"total_results": total, "trades": {"trade": rows}}}
    ).encode()


def test_pages_are_read_from_the_last_to_the_first() -> None:
    intent = ListChanges(key="k", since=NOW - timedelta(minutes=30), until=NOW)
    (form,) = forms(intent)
    assert (form["start_modified"], form["end_modified"]) == ("2026-11-22 09:00:00", "2026-11-22 09:30:00")
    first = ADAPTER.read_page(intent, page_of(50, 120))
    assert len(first.references) == 50
    numbers = []
    following = first.following
    while following is not None:
        numbers.append(forms(following)[0]["page_no"])
        following = ADAPTER.read_page(following, page_of(50, 120)).following
    assert numbers == ["3", "2", "1"]
    assert ADAPTER.read_page(intent, page_of(3, 3)).following is None
    empty = b'{"trades_sold_increment_get_response":{"total_results":0}}'
    assert ADAPTER.read_page(intent, empty).references == ()
    with pytest.raises(UnreadableBody, match="fault of the platform"):
        ADAPTER.read_page(intent, b'{"error_response":{"code":7}}')
    long = intent.model_copy(update={"since": NOW - timedelta(days=2)})
    assert isinstance(ADAPTER.requests(long), Refusal)


def parcel(tracking: str, *lines: tuple[str, int]) -> Parcel:
    return Parcel(carrier="SF", tracking=tracking, quantities=lines, shipped_at=NOW)


def test_a_trade_is_sent_whole_or_line_by_line() -> None:
    whole = Ship(key="k", external_id="41", parcels=(parcel("SF1"),))
    (form,) = forms(whole)
    assert (form["method"], form["tid"], form["out_sid"], form["company_code"]) == (
        "taobao.logistics.offline.send",
        "41",
        "SF1",
        "SF",
    )
    assert "sub_tid" not in form
    split = Ship(
        key="k", external_id="41", parcels=(parcel("SF1", ("2000", 1), ("2001", 2)), parcel("SF2", ("2002", 1)))
    )
    assert [(one["out_sid"], one["is_split"], one["sub_tid"]) for one in forms(split)] == [
        ("SF1", "1", "2000,2001"),
        ("SF2", "1", "2002"),
    ]
    many = Ship(key="k", external_id="41", parcels=(parcel("SF1", *((str(n), 1) for n in range(2000, 2060))),))
    assert [len(one["sub_tid"].split(",")) for one in forms(many)] == [50, 10]
    online = TaobaoAdapter(CONFIG.model_copy(update={"ship_call": "taobao.logistics.online.send"}))
    assert [len(one["sub_tid"].split(",")) for one in forms(many, online)] == [20, 20, 20]


def test_a_line_is_not_torn_apart() -> None:
    for parcels in ((parcel("SF1", ("2000", 1)), parcel("SF2", ("2000", 1))), (parcel("SF1"), parcel("SF2"))):
        refusal = ADAPTER.requests(Ship(key="k", external_id="41", parcels=parcels))
        assert isinstance(refusal, Refusal)
        assert refusal.code == "capability_missing"


def test_stock_goes_product_by_product() -> None:
    levels = [StockLevel(listing=str(n), product="71", units=n) for n in range(25)]
    levels += [StockLevel(listing="72", units=4), StockLevel(listing="90", product="73", units=1)]
    made = forms(SetStock(key="k", levels=tuple(levels), as_of=NOW))
    assert [one["method"] for one in made] == [
        "taobao.item.quantity.update",
        *["taobao.skus.quantity.update"] * 3,
    ]
    assert (made[0]["num_iid"], made[0]["quantity"], made[0]["type"]) == ("72", "4", "1")
    assert [len(one["skuid_quantities"].split(";")) for one in made[1:]] == [20, 5, 1]
    relative = SetStock(
        key="k", mode=StockMode.RELATIVE, levels=(StockLevel(listing="81", product="71", units=-2),), as_of=NOW
    )
    assert [(one["skuid_quantities"], one["type"]) for one in forms(relative)] == [("81:-2", "2")]


def test_a_trade_or_lines_of_it_are_closed() -> None:
    assert [(one["tid"], one["close_reason"]) for one in forms(CancelOrder(key="k", external_id="41"))] == [
        ("41", "缺货")
    ]
    part = CancelOrder(key="k", external_id="41", quantities=(("2000", 1), ("2001", 1)), reason="买家拍错了")
    assert [(one["tid"], one["close_reason"]) for one in forms(part)] == [
        ("2000", "买家拍错了"),
        ("2001", "买家拍错了"),
    ]


def answer(operation: str, document: dict[str, Any]) -> Any:
    request = Request(method="POST", url=CONFIG.gateway, operation=operation, items=("41",))
    intent = FetchOrder(key="k", external_id="41")
    return ADAPTER.read_answer(intent, request, Response(status=200, body=json.dumps(document).encode())).items[0]


def test_answers() -> None:
    taken = {"skus_quantity_update_response": {"item": {"num_iid": 71}}}
    assert answer("taobao.skus.quantity.update", taken).ok
    refused = {"logistics_offline_send_response": {"shipping": {"is_success": False}}}
    assert not answer("taobao.logistics.offline.send", refused).ok
    for error, retry in (
        ({"code": 15, "sub_code": "isp.top-remote-connection-timeout"}, True),
        ({"code": 7, "sub_code": "accesscontrol.limited-by-api-access-count"}, True),
        ({"code": 7, "msg": "App Call Limited"}, True),
        ({"code": 15, "sub_code": "isv.logistics-offline-service-error:B04", "sub_msg": "已发货"}, False),
        ({"code": 27, "msg": "Invalid session"}, False),
    ):
        found = answer("taobao.trade.close", {"error_response": error})
        assert (found.ok, found.retry) == (False, retry)
        assert found.code == str(error.get("sub_code", error["code"]))
    with pytest.raises(UnreadableBody, match="trade_close_response is missing"):
        answer("taobao.trade.close", {"something_else": {}})


def test_a_trade_sent_in_part_and_then_closed_is_not_cancelled() -> None:
    sent = line(2000, status="TRADE_CLOSED", refund_status="SUCCESS", consign_time="2026-11-22 09:00:00")
    order = read(sent, second(status="TRADE_CLOSED", refund_status="SUCCESS"), status="TRADE_CLOSED")
    assert (order.status, order.payment, order.cancelled_at) == ("closed", "refunded", None)
    assert [one.current_quantity for one in order.lines] == [1, 0]


def test_a_line_that_was_refunded_after_it_left_is_gone_all_the_same() -> None:
    sent = line(2000, status="TRADE_CLOSED", refund_status="SUCCESS", consign_time="2026-11-22 09:00:00")
    order = read(sent, second(), status="SELLER_CONSIGNED_PART")
    assert [one.current_quantity for one in order.lines] == [1, 1]
    assert (order.status, order.payment) == ("open", "partially_refunded")


def test_a_combined_item_without_a_code_is_sent_as_its_parts() -> None:
    parts = [
        {"item_id": 91, "sku_id": 92, "quantity": 2, "item_name": "杯", "outer_iid": "CUP", "outer_sku_id": "CUP-RED"},
        {"item_id": 93, "sku_id": 0, "quantity": "1", "outer_iid": "TRAY", "outer_sku_id": ""},
    ]
    row = line(2000, num=3, outer_sku_id="", outer_iid=None, combine_item_info={"combine_sub_item_d_o": parts})
    order = read(row, second())
    assert [(one.line, one.sku, one.quantity, one.bundle, one.parent) for one in order.lines] == [
        ("2000", None, 3, True, None),
        ("2000/1", "CUP-RED", 6, False, "2000"),
        ("2000/2", "TRAY", 3, False, "2000"),
        ("2001", "TEA", 1, False, None),
    ]
    assert [one.listing for one in order.lines] == ["81", "92", "93", "71"]
    assert [one.code for one in order.oddities] == [OddityCode.ODD_VALUE]
    counted = TaobaoAdapter(CONFIG.model_copy(update={"bundle_counts": "all"})).parse_order(body(trade(row, second())))
    assert ([one.quantity for one in counted.lines], counted.oddities) == ([3, 2, 1, 1], ())
    for shape in ({"combine_sub_item_do": parts}, parts):
        assert len(read({**row, "combine_item_info": shape}, second()).lines) == 4
    with_code = read(line(2000, combine_item_info={"combine_sub_item_d_o": parts}), second())
    assert [one.sku for one in with_code.lines] == ["MUG-BLUE", "TEA"]
    closed = read({**row, "status": "TRADE_CLOSED", "num": 1}, second())
    assert [one.current_quantity for one in closed.lines] == [0, 0, 0, 1]


def test_a_part_of_a_combined_item_does_not_leave_by_itself() -> None:
    refusal = ADAPTER.requests(Ship(key="k", external_id="41", parcels=(parcel("SF1", ("2000/1", 1)),)))
    assert isinstance(refusal, Refusal)
    assert "name the line" in refusal.sentence


def test_a_gift_that_is_no_line_is_told() -> None:
    gift = {"id": 2000, "promotion_name": "满就送", "gift_item_id": "555", "gift_item_name": "勺", "gift_item_num": "2"}
    (odd,) = read(promotion_details={"promotion_detail": [gift]}).oddities
    assert (odd.code, odd.sentence) == (
        OddityCode.NO_ITEM_CODE,
        "the promotion gives 2 of '555', which is no line of the trade",
    )
    assert read(promotion_details={"promotion_detail": [{**gift, "gift_item_id": "71"}]}).oddities == ()


def test_more_reasons_not_to_send_and_other_pre_orders() -> None:
    assert read(forbid_consign=1).hold_reason == "forbid_consign"
    assert read(general_new_presell=True).lines[0].preorder


def test_a_pre_order_says_until_when_it_is_sent() -> None:
    order = read(send_time="2026-12-01 23:59:59")
    assert order.deliveries[0].ship_by == datetime(2026, 12, 1, 15, 59, 59, tzinfo=UTC)


def test_goods_to_be_collected_nowhere_are_odd() -> None:
    for fields in ({"rt_omni_send_type": "pickUp"}, {"o2o_delivery": "inshop"}):
        order = read(**fields)
        assert order.deliveries[0].method is DeliveryMethod.SHIP
        assert [one.code for one in order.oddities] == [OddityCode.ODD_VALUE]


def test_a_service_that_is_out_of_order_is_asked_again() -> None:
    assert answer("taobao.trade.close", {"error_response": {"code": 10, "msg": "Service Currently Unavailable"}}).retry
    assert read(line(2000, sku_id="0"), second()).lines[0].listing == "71"


# There and back.


DELIVERIES = st.one_of(
    shipped(addresses(streets=2, countries=[None, "CN", "US"]), ["express", "free", "virtual"]),
    st.builds(
        lambda node: Delivery(method=DeliveryMethod.PICKUP, pickup_node=node, service="express"),
        st.sampled_from(["S-7", "S-9"]),
    ),
    st.just(Delivery(method=DeliveryMethod.ONE_HOUR, service="instant")),
)
STATES = [
    (OrderStatus.OPEN, PaymentStatus.PAID),
    (OrderStatus.OPEN, PaymentStatus.PARTIALLY_REFUNDED),
    (OrderStatus.CLOSED, PaymentStatus.PAID),
    (OrderStatus.CLOSED, PaymentStatus.PARTIALLY_REFUNDED),
    (OrderStatus.CLOSED, PaymentStatus.REFUNDED),
    (OrderStatus.CANCELLED, PaymentStatus.REFUNDED),
    (OrderStatus.CANCELLED, PaymentStatus.VOIDED),
]


@settings(max_examples=60)
@given(orders(STATES, delivery=DELIVERIES))
def test_what_is_written_is_read_back(order: Order) -> None:
    virtual = order.deliveries[0].service == "virtual"
    lines = tuple(one.model_copy(update={"physical": not virtual}) for one in order.lines)
    order = order.model_copy(update={"lines": lines})
    document = write_taobao_order(order)
    adapter = TaobaoAdapter(TaobaoConfig(channel="shop"))
    assert adapter.parse_order(document).model_copy(update={"body_sha256": None}) == order


@given(orders([(OrderStatus.OPEN, PaymentStatus.PENDING)], delivery=DELIVERIES, hold_reason="WAIT_BUYER_PAY"))
@settings(max_examples=20)
def test_what_is_not_paid_is_read_back_too(order: Order) -> None:
    physical = order.deliveries[0].service != "virtual"
    lines = tuple(one.model_copy(update={"physical": physical}) for one in order.lines)
    order = order.model_copy(update={"lines": lines})
    document = write_taobao_order(order)
    adapter = TaobaoAdapter(TaobaoConfig(channel="shop"))
    assert adapter.parse_order(document).model_copy(update={"body_sha256": None}) == order


def test_the_writer_says_what_a_trade_cannot_carry() -> None:
    order = read()
    for change, lost in (
        ({"currency": "TWD"}, "currency"),
        ({"display_number": "#1"}, "display_number"),
        ({"status": OrderStatus.CLOSED, "payment": PaymentStatus.VOIDED}, "state"),
        ({"amounts": None}, "amounts"),
        ({"source_version": 7}, "source_version"),
    ):
        with pytest.raises(InvalidInput, match=lost):
            write_taobao_order(order.model_copy(update=change))
