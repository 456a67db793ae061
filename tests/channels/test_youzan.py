"""Youzan: signed messages, trades of every shape, refunds, and what is asked of the gateway."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.intents import (
    AnswerRefund,
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
from omo_core.channels.signing import md5_hex
from omo_core.channels.youzan import YouzanAdapter
from omo_core.channels.youzan_delivery import YouzanConfig
from omo_core.model.errors import ForgedSignature, InvalidInput, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Delivery, OddityCode, Order, OrderStatus, Payment, PaymentStatus, RefundStatus
from omo_core.model.refusals import Refusal
from omo_core.testing.contracts import ChannelAdapterContract, Signed
from omo_core.testing.samples import Samples
from omo_core.testing.writers import write_youzan_document, write_youzan_notice, write_youzan_order
from tests.channels.strategies_china import NUMBERS, TEXTS, addresses, orders, shipped

SECRET, CLIENT = "c1ient s3cret", "cl13nt"
CONFIG = YouzanConfig(client_id=CLIENT, secrets=(SECRET,), stores={"52722896": "TPE-01"})
ADAPTER = YouzanAdapter(CONFIG)
NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
TID = "E20261122080000044100012"

LINE = {
    "oid": "1480504542259315691",
    "item_id": 441402133,
    "sku_id": 36203237,
    "outer_sku_id": "MUG-BLUE",
    "outer_item_id": "",
    "item_type": 0,
    "num": 2,
    "price": "88.00",
    "discount_price": "77.44",
    "total_fee": "154.88",
    "payment": "151.30",
    "title": "杯",
    "is_present": False,
    "is_pre_sale": "null",
}
TEA = {
    **LINE,
    "oid": "1480504542259315692",
    "sku_id": 0,
    "outer_sku_id": "",
    "outer_item_id": "TEA",
    "num": 1,
    "price": "20.00",
    "payment": "19.40",
    "is_pre_sale": "1",
}


def trade(
    *lines: dict[str, Any],
    info: dict[str, Any] | None = None,
    address: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """176.00 + 20.00 of goods, 25.30 off, 6.00 of postage."""
    return {
        "full_order_info": {
            "order_info": {
                "tid": TID,
                "type": 0,
                "status": "WAIT_SELLER_SEND_GOODS",
                "express_type": 0,
                "refund_state": 0,
                "close_type": 0,
                "created": "2026-11-22 08:00:00",
                "update_time": "2026-11-22 09:30:00",
                "pay_time": "2026-11-22 08:01:00",
                "consign_time": "",
                "success_time": "1970-01-01 08:00:00",
                "pay_type": 10,
                "pay_type_str": "WEIXIN_DAIXIAO",
                "order_tags": {"is_payed": True},
                **(info or {}),
            },
            "orders": list(lines) or [LINE, TEA],
            "pay_info": {
                "payment": "176.70",
                "post_fee": "6.00",
                "total_fee": "196.00",
                "transaction": ["180308214647000011"],
                **fields.pop("pay", {}),
            },
            "address_info": {
                "receiver_name": "李**",
                "receiver_tel": "138****0000",
                "delivery_province": "广东省",
                "delivery_city": "深圳市",
                "delivery_district": "福田区",
                "delivery_address": "泰然**707",
                "delivery_postal_code": "",
                "self_fetch_info": "",
                "address_extra": '{"lon":114.03,"lat":22.53}',
                **(address or {}),
            },
            "buyer_info": {"buyer_id": 493309932},
            "remark_info": {"buyer_message": "轻放", "trade_memo": ""},
            "source_info": {"is_offline_order": fields.pop("offline", False), "biz_source": "null"},
        },
        "order_promotion": {
            "item": [
                {
                    "oid": "1480504542259315691",
                    "promotions": [{"promotion_title": "会员折扣", "promotion_type_id": 10, "decrease": "21.12"}],
                }
            ],
            "order": [{"promotion_title": "领福券", "promotion_id": 105, "discount_fee": "4.18"}],
            "adjust_fee": "0.00",
        },
        "refund_order": [],
        **fields,
    }


def message(inside: dict[str, Any], *, topic: str = "trade_TradeBuyerPay", **fields: Any) -> Signed:
    """An envelope whose msg is written as the platform does: some characters stay as they are."""
    text = quote(json.dumps(inside, ensure_ascii=False), safe=":,/")
    envelope = {
        "client_id": CLIENT,
        "id": TID,
        "kdt_id": 41461397,
        "msg": text,
        "msg_id": f"m-{topic}",
        "sendCount": 0,
        "sign": md5_hex(CLIENT + text + SECRET),
        "test": False,
        "type": topic,
        "version": 1541048339,
        **fields,
    }
    body = json.dumps(envelope).encode()
    return {"Event-Sign": md5_hex(CLIENT.encode() + body + SECRET.encode())}, body


CLOSE = {"update_time": "2026-11-22 09:40:00", "close_reason": "refund, order closed!", "tid": TID, "close_type": 2}


def read(*lines: dict[str, Any], **fields: Any) -> Order:
    return ADAPTER.parse_order(json.dumps({"response": trade(*lines, **fields)}).encode())


REFUND = {
    "refund_id": "201807041506110000020693",
    "tid": TID,
    "oid": "1480504542259315691",
    "item_num": 2,
    "refund_fee": "151.30",
    "status": "WAIT_SELLER_AGREE",
    "created": "2026-11-22 10:00:00",
    "modified": "2026-11-22 10:00:05",
    "return_goods": False,
    "reason": 51,
    "desc": "",
    "version": 1530687971462,
}


class TestContract(ChannelAdapterContract):
    adapter = ADAPTER
    messages = (
        message(trade()),
        message(CLOSE, topic="trade_TradeClose"),
        message(trade(info={"status": "TRADE_CLOSED", "pay_time": ""}), topic="trade_TradeClosed"),
    )
    documents = ((json.dumps({"response": trade()}).encode(),),)
    refunds = (json.dumps({"response": REFUND}).encode(),)
    fuzzed = 3_333
    samples = Samples(
        order=TID,
        listing="36203237",
        product="441402133",
        carrier="7",
        currency="CNY",
        refund="201807041506110000020693",
        refund_version="1530687971462",
    )


# Messages.


def test_the_header_signs_all_that_was_sent() -> None:
    headers, body = message(trade())
    ADAPTER.verify(headers, body)
    with pytest.raises(ForgedSignature):
        ADAPTER.verify(headers, body.replace(b'"sendCount": 0', b'"sendCount": 1'))
    with pytest.raises(ForgedSignature, match="has no signature"):
        ADAPTER.verify({}, body)
    ours = YouzanAdapter(CONFIG.model_copy(update={"kdt_id": "41461397"}))
    ours.verify(headers, body)
    with pytest.raises(ForgedSignature, match="of another shop than 7"):
        YouzanAdapter(CONFIG.model_copy(update={"kdt_id": "7"})).verify(headers, body)


def test_an_older_message_signs_only_what_is_inside_it() -> None:
    older = YouzanAdapter(CONFIG.model_copy(update={"body_sign": True}))
    headers, body = message(trade())
    older.verify({}, body)
    older.verify(headers, body)
    with pytest.raises(ForgedSignature):
        older.verify({}, body.replace(b"MUG-BLUE", b"MUG-GOLD"))
    # The envelope could be anybody's: what stands there changes neither the order nor its version.
    event = older.parse_event({}, body)
    other = body.replace(b'"version": 1541048339', b'"version": 9999999999').replace(b'"m-trade', b'"x-trade')
    older.verify({}, other)
    forged = older.parse_event({}, other)
    assert event.order is not None
    assert forged.order is not None
    assert forged.order.source_version == event.order.source_version
    assert event.event_key.startswith("sha256:")
    assert older.parse_event(headers, body).event_key == "m-trade_TradeBuyerPay"


def test_a_trade_in_a_message_is_the_order() -> None:
    headers, body = message(trade())
    event = ADAPTER.parse_event(headers, body)
    assert (event.kind, event.subject, event.event_key) == (EventKind.ORDER, TID, "m-trade_TradeBuyerPay")
    assert event.order is not None
    assert event.order.lines == read().lines
    assert ADAPTER.reply.body == b'{"code":0,"msg":"success"}'


def test_paid_is_a_state_of_a_moment_so_the_trade_is_fetched() -> None:
    event = ADAPTER.parse_event(*message(trade(info={"status": "TRADE_PAID"}), topic="trade_TradePaid"))
    assert (event.kind, event.order, event.subject) == (EventKind.ORDER, None, TID)
    (request,) = event.fetch
    assert request.url == "https://open.youzanyun.com/api/youzan.trade.get/4.0.0"
    assert json.loads(request.body) == {"tid": TID}
    fetched = ADAPTER.parse_fetched(event, write_youzan_document(read_plain()))
    assert (fetched.fetch, fetched.kind) == ((), EventKind.ORDER)
    assert fetched.order is not None
    closed = json.dumps({"response": trade(info={"status": "TRADE_CLOSED", "pay_time": ""})}).encode()
    assert ADAPTER.parse_fetched(event, closed).kind is EventKind.CANCELLATION


def read_plain() -> Order:
    return read(address={"receiver_name": "李", "receiver_tel": "1", "delivery_address": "x"}).model_copy(
        update={"buyer": "o-1", "oddities": ()}
    )


def test_notices_say_only_what_to_fetch() -> None:
    event = ADAPTER.parse_event(*message(CLOSE, topic="trade_TradeClose"))
    assert (event.kind, event.subject, len(event.fetch)) == (EventKind.ORDER, TID, 1)
    refund = ADAPTER.parse_event(*message({"tid": TID, "refund_id": "5"}, topic="trade_refund_BuyerCreated"))
    assert (refund.kind, len(refund.fetch)) == (EventKind.REFUND, 1)
    fetched = ADAPTER.parse_fetched(refund, json.dumps({"response": trade()}).encode())
    assert (fetched.kind, fetched.order is not None) == (EventKind.REFUND, True)
    other = ADAPTER.parse_event(*message({"account_id": "1"}, topic="SCRM_CUSTOMER_EVENT"))
    assert other.kind is EventKind.OTHER
    tested = ADAPTER.parse_event(*message(trade(), test=True))
    assert (tested.kind, tested.order) == (EventKind.OTHER, None)
    assert ADAPTER.parse_event(*message({}, msg=None)).kind is EventKind.OTHER
    with pytest.raises(UnreadableBody, match=r"\$\.msg is not %-encoded"):
        ADAPTER.parse_event(*message({}, msg="%7B%f"))
    with pytest.raises(UnreadableBody, match="is not UTF-8"):
        ADAPTER.parse_event(*message({}, msg="%7B%ff"))
    with pytest.raises(InvalidInput, match="is no trade of this channel"):
        ADAPTER.parse_event(*message({"tid": "E1/../x"}, topic="trade_TradeClose"))


def till(**fields: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("receiver_name", "receiver_tel", "delivery_address", "delivery_province"), "")
    info = {"type": 61, "offline_id": 52722896, "express_type": 9, **fields.pop("info", {})}
    return trade(info={**info, "express_type": 0}, address=empty, offline=True, **fields)


def test_what_a_till_sold_has_left_the_shop() -> None:
    event = ADAPTER.parse_event(*message(till()))
    assert (event.kind, event.subject) == (EventKind.COUNTER_SALE, TID)
    assert event.order is not None
    assert event.order.status is OrderStatus.CLOSED
    sale = event.counter_sale
    assert sale is not None
    assert (sale.node, sale.sold_at) == ("TPE-01", datetime(2026, 11, 22, 0, 1, tzinfo=UTC))
    assert [(one.sku, one.quantity) for one in sale.lines] == [("MUG-BLUE", 2), ("TEA", 1)]
    unpaid = ADAPTER.parse_event(*message(till(info={"status": "WAIT_BUYER_PAY", "pay_time": ""})))
    assert (unpaid.kind, unpaid.counter_sale) == (EventKind.ORDER, None)
    with pytest.raises(UnreadableBody, match="offline_id is missing in a sale over the counter"):
        ADAPTER.parse_event(*message(till(info={"offline_id": 0})))
    sent = ADAPTER.parse_event(*message(trade(info={"type": 61}, offline=True)))
    assert sent.kind is EventKind.ORDER


# What a trade says.


def test_a_trade_keeps_the_split_of_the_platform() -> None:
    order = read()
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.imbalance_minor) == (17670, 0)
    assert [one.amounts.net_minor for one in order.lines if one.amounts] == [15130, 1940]
    assert [(one.sku, one.listing, one.preorder) for one in order.lines] == [
        ("MUG-BLUE", "36203237", False),
        ("TEA", "441402133", True),
    ]
    assert [(one.discount, one.amount_minor, bool(one.shares)) for one in order.discounts] == [
        ("10", 2112, True),
        ("105", 418, False),
    ]
    assert [(one.payment, one.method, one.amount_minor) for one in order.payments] == [
        ("180308214647000011", "WEIXIN_DAIXIAO", 17670)
    ]
    assert (order.status, order.payment, order.hold_reason) == ("open", "paid", None)
    assert (order.buyer, order.note, order.oddities) == ("493309932", "轻放", ())
    address = order.deliveries[0].address
    assert address is not None
    assert (address.masked, address.token, address.point, address.postal_code) == (True, None, None, None)


@pytest.mark.parametrize(
    ("change", "status", "payment", "held"),
    [
        ({"status": "WAIT_BUYER_PAY", "pay_time": ""}, "open", "pending", "WAIT_BUYER_PAY"),
        ({"status": "TRADE_PAID"}, "open", "paid", "TRADE_PAID"),
        ({"status": "WAIT_CONFIRM", "type": 10}, "open", "paid", "WAIT_CONFIRM"),
        ({"status": "WAIT_BUYER_CONFIRM_GOODS"}, "closed", "paid", None),
        ({"status": 60}, "closed", "paid", None),
        ({"status": "TRADE_SUCCESS"}, "closed", "paid", None),
        ({"status": "TRADE_CLOSED", "pay_time": "", "close_type": 1}, "cancelled", "voided", None),
        ({"status": "TRADE_CLOSED", "close_type": 2}, "cancelled", "refunded", None),
        ({"status": "TRADE_CLOSED", "close_type": 5, "refund_state": 12}, "cancelled", "refunded", None),
        ({"status": "TRADE_CLOSED", "close_type": 5}, "cancelled", "unknown", None),
        (
            {"status": "TRADE_CLOSED", "close_type": 2, "consign_time": "2026-11-22 09:00:00"},
            "closed",
            "refunded",
            None,
        ),
        ({"refund_state": 1}, "open", "paid", "refund_state 1 部分退款中"),
        ({"refund_state": 11}, "open", "paid", "refund_state 11 全额退款中"),
        ({"refund_state": 2}, "open", "partially_refunded", None),
        ({"refund_state": 12}, "open", "refunded", None),
        ({"pay_type": 9, "pay_time": ""}, "open", "pending", None),
        ({"type": 1}, "open", "paid", "type 1 送礼订单"),
        ({"status": "SOMETHING_NEW"}, "open", "unknown", None),
    ],
    ids=str,
)
def test_states(change: dict[str, Any], status: str, payment: str, held: str | None) -> None:
    order = read(info=change)
    assert (order.status, order.payment, order.hold_reason) == (status, payment, held)
    unknown = change.get("status") == "SOMETHING_NEW"
    assert (OddityCode.UNKNOWN_STATE in {one.code for one in order.oddities}) == unknown
    if status == "cancelled":
        assert order.cancelled_at == order.updated_at
        assert all(one.current_quantity == 0 for one in order.lines)
    if change.get("close_type") == 1:
        assert order.cancel_reason == "过期关闭"


def test_texts_that_mean_nothing_and_flags_as_texts() -> None:
    order = read({**LINE, "outer_sku_id": "null", "outer_item_id": "A", "is_present": "true"}, TEA)
    assert (order.lines[0].sku, order.lines[0].gift, order.lines[0].preorder) == ("A", True, False)
    assert read({**LINE, "is_pre_sale": 1, "is_present": "0"}, TEA).lines[0].preorder


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40))
@settings(max_examples=20)
def test_what_a_message_holds_is_decoded_to_the_letter(text: str) -> None:
    inside = trade()
    inside["full_order_info"]["remark_info"]["buyer_message"] = f'={text}%22 ":"null" ='
    event = ADAPTER.parse_event(*message(inside))
    assert event.order is not None
    assert event.order.note == f'={text}%22 ":"null" ='


def test_cards_and_services_are_never_sent() -> None:
    assert [one.physical for one in read({**LINE, "item_type": 183}, TEA).lines] == [False, True]
    assert [one.physical for one in read(info={"express_type": 9}).lines] == [False, False]


def test_lines_without_ids_are_named_by_what_they_are() -> None:
    bare = {name: value for name, value in LINE.items() if name != "oid"}
    order = read(bare, bare, {**bare, "sku_id": 5, "goods_id": 410405681}, pay={"payment": "459.90"})
    assert [one.line for one in order.lines] == ["441402133-36203237", "441402133-36203237/2", "410405681-5"]


def test_goods_collected_in_a_store() -> None:
    point = json.dumps({"id": 52722896, "name": "黄龙万科", "user_time": "09月18日 08:01-09:01"})
    pickup = read(info={"express_type": 1}, address={"self_fetch_info": point})
    assert (pickup.deliveries[0].method, pickup.deliveries[0].pickup_node) == (DeliveryMethod.PICKUP, "TPE-01")
    cipher = "$VRG5Ul0gMlT0SklUlZIKIA==$1$"
    store = read(info={"express_type": 1, "offline_id": 77}, address={"self_fetch_info": cipher})
    assert store.deliveries[0].pickup_node == "77"
    nowhere = read(info={"express_type": 1}, address={"self_fetch_info": cipher})
    assert (nowhere.deliveries[0].method, nowhere.hold_reason) == (
        DeliveryMethod.SHIP,
        "express_type 1 self_fetch_info",
    )
    with pytest.raises(UnreadableBody, match=r"self_fetch_info, read as JSON"):
        read(info={"express_type": 1}, address={"self_fetch_info": "{"})


def test_delivery_within_the_city_has_its_window() -> None:
    window = {"delivery_start_time": "2026-11-22 12:00:00", "delivery_end_time": "2026-11-22 13:00:00"}
    delivery = read(info={"express_type": 2}, address=window).deliveries[0]
    assert delivery.method is DeliveryMethod.ONE_HOUR
    assert delivery.not_before == datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
    assert delivery.deliver_by == datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
    slow = YouzanAdapter(CONFIG.model_copy(update={"local_delivery": DeliveryMethod.SHIP}))
    body = json.dumps(trade(info={"express_type": 2})).encode()
    assert slow.parse_order(body).deliveries[0].method is DeliveryMethod.SHIP


def test_an_encrypted_receiver_is_a_token() -> None:
    cipher = "$nGMqIF1XBijI7B+m9ImE7Q==$1$"
    address = read(address={"receiver_name": cipher, "delivery_address": cipher}).deliveries[0].address
    assert address is not None
    assert (address.recipient, address.street, address.masked) == (None, (), True)
    assert json.loads(address.token or "") == {"receiver_name": cipher, "delivery_address": cipher}


def test_refunds_beside_a_trade_and_what_they_leave() -> None:
    refund = {
        "refund_id": "1",
        "refund_fee": "19.40",
        "refund_state": 60,
        "refund_type": 1,
        "oids": [{"oid": "1480504542259315692"}],
    }
    part = {**refund, "refund_id": "2", "refund_fee": "1.00", "oids": [{"oid": "1480504542259315691"}]}
    asked = {**refund, "refund_id": "3", "refund_state": 1}
    order = read(refund_order=[refund, part, asked], info={"refund_state": 2})
    assert [(one.refund, one.status, one.refunded_to_buyer_minor) for one in order.refunds] == [
        ("1", RefundStatus.DONE, 1940),
        ("2", RefundStatus.DONE, 100),
        ("3", RefundStatus.REQUESTED, 1940),
    ]
    assert [one.current_quantity for one in order.lines] == [2, 0]
    assert [one.current_quantity for one in read(info={"refund_state": 12}).lines] == [0, 0]


def parcel_sent(*oids: Any, state: int = 1) -> dict[str, Any]:
    return {"express_state": state, "express_type": 0, "oids": [{"oid": oid} for oid in oids], "dists": []}


def test_what_was_refunded_after_it_left_is_gone_all_the_same() -> None:
    first, second = LINE["oid"], TEA["oid"]
    back = {"refund_id": "1", "refund_fee": "151.30", "refund_state": 60, "oids": [{"oid": first}]}
    part = read(refund_order=[back], delivery_order=[parcel_sent(first), parcel_sent(second, state=0)])
    assert (part.status, [one.current_quantity for one in part.lines]) == ("open", [2, 1])
    waiting = read(refund_order=[back], delivery_order=[parcel_sent(first, state=0)])
    assert [one.current_quantity for one in waiting.lines] == [0, 1]
    sent = {"status": "WAIT_BUYER_CONFIRM_GOODS", "consign_time": "2026-11-22 09:00:00", "refund_state": 12}
    assert [one.current_quantity for one in read(info=sent).lines] == [2, 1]


def test_a_trade_sent_in_part_and_then_closed_is_not_cancelled() -> None:
    closed = {"status": "TRADE_CLOSED", "close_type": 2}
    order = read(info=closed, delivery_order=[parcel_sent(LINE["oid"])])
    assert (order.status, order.payment, order.cancelled_at) == ("closed", "refunded", None)
    assert [one.current_quantity for one in order.lines] == [2, 0]
    older = read(info=closed, delivery_order=[{"express_state": 1, "orders": [{"item_id": 441402133}]}])
    assert older.status == "closed"
    assert read(info=closed, delivery_order=[parcel_sent(LINE["oid"], state=0)]).status == "cancelled"


@pytest.mark.parametrize(
    ("numbers", "first"), [([180308214647000011], "180308214647000011"), ([None], None), ([], None), (None, None)]
)
def test_the_number_of_a_payment_may_be_a_number_or_none(numbers: Any, first: str | None) -> None:
    assert [one.payment for one in read(pay={"transaction": numbers}).payments] == [first]


def test_a_trade_with_a_deposit_is_a_pre_order() -> None:
    plain = {**LINE, "is_pre_sale": "0"}
    assert not read(plain).lines[0].preorder
    assert read(plain, info={"order_tags": {"is_down_payment_pre": True}}).lines[0].preorder


def test_a_price_changed_by_hand_counts_where_it_is_what_is_left_open() -> None:
    promotion = {"item": [], "order": [], "adjust_fee": "-6.70"}
    lower = read(order_promotion=promotion, pay={"payment": "170.00"})
    assert lower.amounts is not None
    assert (lower.amounts.discount_minor, lower.amounts.imbalance_minor) == (2530 + 670, 0)
    higher = read(order_promotion={**promotion, "adjust_fee": "3.30"}, pay={"payment": "180.00"})
    assert higher.amounts is not None
    assert (higher.amounts.fee_minor, higher.amounts.imbalance_minor) == (330, 0)
    other = read(order_promotion=promotion, pay={"payment": "171.00"})
    assert OddityCode.MONEY_DOES_NOT_ADD_UP in {one.code for one in other.oddities}


def test_duties_that_are_not_in_the_prices_are_added() -> None:
    order = read({**LINE, "tax_total": "9.00"}, TEA, pay={"payment": "185.70"})
    assert order.amounts is not None
    assert (order.amounts.taxes_included, order.amounts.tax_minor, order.amounts.imbalance_minor) == (False, 900, 0)


def test_a_deposit_is_a_payment_in_part() -> None:
    phases = [
        {"phase": 1, "real_price": "50.00", "inner_transaction_no": "t-1", "pay_type_str": "WEIXIN"},
        {"phase": 2, "real_price": "126.70", "inner_transaction_no": ""},
    ]
    order = read(info={"status": "WAIT_BUYER_PAY", "pay_time": ""}, pay={"phase_payments": phases})
    assert order.payment is PaymentStatus.PARTIALLY_PAID
    assert order.payments == (Payment(payment="t-1", method="WEIXIN", amount_minor=5000),)


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        ([{**LINE, "num": -1}], r"\$\.response\.full_order_info\.orders\[0\]\.num is -1"),
        ([{**LINE, "payment": None}], r"orders\[0\]\.payment is missing"),
        ([{**LINE, "price": "1.005"}], r"orders\[0\]\.price cannot be used"),
        ([LINE, LINE], "line ids must be unique"),
    ],
    ids=["negative", "unpaid", "price", "twice"],
)
def test_what_cannot_be_an_order_is_refused_by_its_place(lines: list[dict[str, Any]], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        read(*lines)


@pytest.mark.parametrize(
    "fault",
    [
        {"gw_err_resp": {"err_code": 4203, "err_msg": "Token 不存在"}},
        {"error_response": {"code": 102570020, "msg": "订单没有可发货的商品"}},
        {"success": False, "code": 1103, "message": "Client 不存在"},
    ],
    ids=["gateway", "call", "newer"],
)
def test_a_fault_is_no_order_though_its_status_is_200(fault: dict[str, Any]) -> None:
    with pytest.raises(UnreadableBody, match="fault of the platform"):
        ADAPTER.parse_order(json.dumps(fault).encode())
    item = answer(fault)
    assert (item.ok, item.retry) == (False, False)
    assert item.code in ("4203", "102570020", "1103")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("WAIT_SELLER_AGREE", RefundStatus.REQUESTED),
        ("WAIT_BUYER_RETURN_GOODS", RefundStatus.AGREED),
        ("WAIT_SELLER_CONFIRM_GOODS", RefundStatus.AGREED),
        ("SELLER_REFUSE_BUYER", RefundStatus.REFUSED),
        ("SELLER_REFUSE_BUYER_RETURN_GOODS", RefundStatus.REFUSED),
        ("CLOSED", RefundStatus.REFUSED),
        ("SUCCESS", RefundStatus.DONE),
    ],
)
def test_refunds(word: str, status: RefundStatus) -> None:
    notice = ADAPTER.parse_refund(json.dumps({"response": {**REFUND, "status": word}}).encode())
    assert (notice.external_id, notice.refund.status) == (TID, status)
    assert notice.refund.quantities == (("1480504542259315691", 2),)
    assert (notice.refund.refunded_to_buyer_minor, notice.refund.reason, notice.returns_goods) == (15130, "51", False)
    found = {"response": {"total": 2, "refunds": [REFUND, REFUND]}}
    with pytest.raises(UnreadableBody, match="refunds has 2 entries"):
        ADAPTER.parse_refund(json.dumps(found).encode())


def test_a_refund_is_answered_by_its_version() -> None:
    document = {"response": {**REFUND, "version": 1530687971462}}
    notice = ADAPTER.parse_refund(json.dumps(document).encode())
    assert notice.version == "1530687971462"
    answers = AnswerRefund(
        key="k", external_id=TID, refund="2018", accept=True, reason="已使用", version=notice.version
    )
    ((path, parameters),) = asked(answers)
    assert path == "youzan.trade.refund.agree/3.0.0"
    assert parameters == {"refund_id": "2018", "version": 1530687971462}
    ((path, parameters),) = asked(answers.model_copy(update={"accept": False}))
    assert path == "youzan.trade.refund.refuse/3.0.0"
    assert parameters == {"refund_id": "2018", "version": 1530687971462, "remark": "已使用"}
    for lacking, said in (({"version": None}, "RefundNotice.version"), ({"accept": False, "reason": None}, "reason")):
        refusal = ADAPTER.requests(answers.model_copy(update=lacking))
        assert isinstance(refusal, Refusal)
        assert said in refusal.sentence


# What is asked of the gateway.


def asked(intent: Any) -> list[tuple[str, dict[str, Any]]]:
    made = ADAPTER.requests(intent)
    assert not isinstance(made, Refusal), made
    return [(request.url.removeprefix("https://open.youzanyun.com/api/"), json.loads(request.body)) for request in made]


def test_the_token_stands_in_the_address() -> None:
    made = ADAPTER.requests(FetchOrder(key="k", external_id=TID))
    assert isinstance(made, tuple)
    assert ADAPTER.sign(made[0], now=NOW, token="a/b").url.endswith("/youzan.trade.get/4.0.0?access_token=a%2Fb")
    assert ADAPTER.sign(made[0], now=NOW) == made[0]


def page(*trades: dict[str, Any], total: int) -> bytes:
    return json.dumps({"response": {"full_order_info_list": list(trades), "total_results": total}}).encode()


def test_pages_hold_whole_trades_and_are_read_backwards() -> None:
    intent = ListChanges(key="k", since=NOW - timedelta(minutes=30), until=NOW)
    assert asked(intent) == [
        (
            "youzan.trades.sold.get/4.0.0",
            {
                "start_update": "2026-11-22 09:00:00",
                "end_update": "2026-11-22 09:30:00",
                "page_no": 1,
                "page_size": 100,
            },
        )
    ]
    broken = trade({**LINE, "num": 0}, info={"tid": "E7"})
    found = ADAPTER.read_page(intent, page(trade(), broken, till(info={"tid": "E8"}), total=250))
    assert [order.external_id for order in found.orders] == [TID]
    assert [one.external_id for one in found.references] == ["E8"]
    assert [one for one, _ in found.unreadable] == ["E7"]
    numbers = []
    following = found.following
    while following is not None:
        numbers.append(asked(following)[0][1]["page_no"])
        following = ADAPTER.read_page(following, page(total=250)).following
    assert numbers == [3, 2, 1]
    with pytest.raises(UnreadableBody, match="ask for a window with at most 10000 trades"):
        ADAPTER.read_page(intent, page(total=10_001))
    assert ADAPTER.read_page(intent, page({"full_order_info": {}}, total=1)).unreadable


def parcel(tracking: str, *lines: tuple[str, int]) -> Parcel:
    return Parcel(carrier="7", tracking=tracking, quantities=lines, shipped_at=NOW)


def test_a_trade_is_sent_whole_or_line_by_line() -> None:
    call = "youzan.logistics.online.confirm/3.0.0"
    whole = Ship(key="k", external_id=TID, parcels=(parcel("SF1"),))
    assert asked(whole) == [(call, {"tid": TID, "out_stype": "7", "out_sid": "SF1"})]
    parcels = (parcel("SF1", ("11", 1), ("12", 2)), parcel("SF2", ("13", 1)))
    assert [one["oids"] for _, one in asked(Ship(key="k", external_id=TID, parcels=parcels))] == ["11,12", "13"]
    for torn in ((parcel("SF1", ("11", 1)), parcel("SF2", ("11", 1))), (parcel("SF1"), parcel("SF2"))):
        assert isinstance(ADAPTER.requests(Ship(key="k", external_id=TID, parcels=torn)), Refusal)


def test_stock_is_set_or_changed() -> None:
    call = "youzan.item.quantity.update/3.0.0"
    levels = (StockLevel(listing="36203237", product="441402133", units=4), StockLevel(listing="9", units=0))
    assert asked(SetStock(key="k", levels=levels, as_of=NOW)) == [
        (call, {"item_id": 441402133, "quantity": 4, "type": 0, "sku_id": 36203237}),
        (call, {"item_id": 9, "quantity": 0, "type": 0}),
    ]
    change = SetStock(key="k", mode=StockMode.RELATIVE, levels=(StockLevel(listing="9", units=-2),), as_of=NOW)
    assert asked(change) == [(call, {"item_id": 9, "quantity": -2, "type": 1})]


def answer(document: dict[str, Any]) -> Any:
    request = Request(method="POST", url="https://open.youzanyun.com/api/x/1", items=("1",))
    response = Response(status=200, body=json.dumps(document).encode())
    return ADAPTER.read_answer(FetchOrder(key="k", external_id=TID), request, response).items[0]


def test_answers() -> None:
    assert answer({"response": {"is_success": True}}).ok
    assert answer({"code": 200, "success": True, "data": {"is_success": "true"}}).ok
    assert not answer({"response": {"is_success": False}}).ok
    limited = answer({"gw_err_resp": {"err_code": 4101, "err_msg": "limited"}})
    assert (limited.ok, limited.retry, limited.code) == (False, True, "4101")


# There and back.

STATES = [
    (OrderStatus.OPEN, PaymentStatus.PAID),
    (OrderStatus.OPEN, PaymentStatus.PARTIALLY_REFUNDED),
    (OrderStatus.CLOSED, PaymentStatus.PAID),
    (OrderStatus.CLOSED, PaymentStatus.REFUNDED),
    (OrderStatus.CANCELLED, PaymentStatus.REFUNDED),
]


@st.composite
def youzan_orders(draw: st.DrawFn) -> Order:
    address = addresses(streets=1, countries=[None], tokens=False)
    delivery = st.one_of(
        shipped(address, [None]),
        st.just(Delivery(method=DeliveryMethod.PICKUP, pickup_node="77")),
        st.builds(lambda where: Delivery(method=DeliveryMethod.ONE_HOUR, address=where), address),
    )
    order = draw(orders(STATES, delivery=delivery, parts_gone=False, buyer=draw(st.none() | NUMBERS)))
    paid_at = order.placed_at
    assert order.amounts is not None
    payment = Payment(
        payment=draw(NUMBERS), method=draw(TEXTS), amount_minor=order.amounts.total_minor, paid_at=paid_at
    )
    cancelled = order.status is OrderStatus.CANCELLED
    virtual = order.deliveries[0].method is DeliveryMethod.SHIP and draw(st.booleans())
    lines = tuple(one.model_copy(update={"physical": not virtual}) for one in order.lines)
    # Youzan tells of the discounts of items first.
    discounts = tuple(sorted(order.discounts, key=lambda one: not one.shares))
    return order.model_copy(
        update={
            "payments": (payment,),
            "cancelled_at": order.updated_at if cancelled else None,
            "lines": lines,
            "discounts": discounts,
        }
    )


@settings(max_examples=60)
@given(youzan_orders())
def test_what_is_written_is_read_back(order: Order) -> None:
    adapter = YouzanAdapter(YouzanConfig(channel="shop", client_id=CLIENT, secrets=(SECRET,)))
    headers, body = write_youzan_order(order, secret=SECRET, client_id=CLIENT)
    adapter.verify(headers, body)
    event = adapter.parse_event(headers, body)
    assert event.order is not None
    assert event.order.model_copy(update={"body_sha256": None}) == order
    fetched = adapter.parse_order(write_youzan_document(order))
    assert fetched.model_copy(update={"body_sha256": None}) == order


def test_the_writers_of_messages() -> None:
    order = read_plain()
    headers, body = write_youzan_notice(order, secret=SECRET, client_id=CLIENT)
    ADAPTER.verify(headers, body)
    event = ADAPTER.parse_event(headers, body)
    assert (event.topic, event.subject, len(event.fetch)) == ("trade_TradeClose", TID, 1)
    older = YouzanAdapter(CONFIG.model_copy(update={"body_sign": True}))
    older.verify({}, body)


def test_the_writer_says_what_a_trade_cannot_carry() -> None:
    order = read_plain()
    for change, lost in (
        ({"currency": "TWD"}, "currency"),
        ({"status": OrderStatus.CLOSED, "payment": PaymentStatus.VOIDED}, "state"),
        ({"amounts": None}, "amounts"),
        ({"source_version": 7}, "source_version"),
    ):
        with pytest.raises(InvalidInput, match=lost):
            write_youzan_order(order.model_copy(update=change), secret=SECRET)
