"""JD: orders in both spellings of its platform, virtual ones, and what is asked of the gateway."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.forms import read_form
from omo_core.channels.gateway_signing import md5_around
from omo_core.channels.intents import FetchOrder, ListChanges, Parcel, Request, Response, SetStock, Ship, StockLevel
from omo_core.channels.jd import JdAdapter
from omo_core.channels.jd_order import JdConfig
from omo_core.model.errors import ForgedSignature, InvalidInput, UnreadableBody
from omo_core.model.orders import (
    Discount,
    DiscountShare,
    Funder,
    LineAmounts,
    OddityCode,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
)
from omo_core.model.refusals import Refusal
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.samples import Samples
from omo_core.testing.writers import write_jd_order
from tests.channels.strategies_china import CENTS, NUMBERS, SECONDS, TEXTS, WORDS, addresses, orders, shipped

CONFIG = JdConfig(app_key="yourappkey", secrets=("s3cret",))
ADAPTER = JdAdapter(CONFIG)
NOW = datetime(2026, 11, 22, 1, 30, 0, 683_000, tzinfo=UTC)

ITEMS = [
    {"skuId": "1001", "outerSkuId": "MUG-BLUE", "skuName": "杯", "jdPrice": "139.50", "itemTotal": "2"},
    {"skuId": "1002", "outerSkuId": "", "skuName": "茶", "jdPrice": "20.00", "itemTotal": "1"},
]
CONSIGNEE = {
    "fullname": "张*",
    "mobile": "136*******5",
    "province": "广东",
    "city": "广州市",
    "county": "海珠区",
    "town": "赤岗街道",
    "fullAddress": "江**路1号",
}


def info(**fields: Any) -> dict[str, Any]:
    """299.00 of goods, 10.00 off by the seller, 5.00 off by JD, 6.00 of freight."""
    return {
        "orderId": "281046817987",
        "orderType": "22",
        "payType": "4-在线支付",
        "orderState": "WAIT_SELLER_STOCK_OUT",
        "orderStartTime": "2026-11-22 08:00:00",
        "orderEndTime": "0001-01-01 00:00:00",
        "modified": "2026-11-22 09:30:00",
        "paymentConfirmTime": "2026-11-22 08:01:00",
        "orderTotalPrice": "299.00",
        "sellerDiscount": "10.00",
        "orderSellerPrice": "289.00",
        "orderPayment": "290.00",
        "freightPrice": "6.00",
        "balanceUsed": "0.00",
        "itemInfoList": ITEMS,
        "couponDetailList": [
            {"skuId": "1001", "couponType": "30-单品促销优惠", "couponPrice": "10.00"},
            {"skuId": "", "couponType": "41-京东券优惠", "couponPrice": "5.00"},
        ],
        "consigneeInfo": CONSIGNEE,
        "deliveryType": "任意时间",
        "orderRemark": "轻放",
        "venderRemark": "",
        "xid_buyer": "o*AAF8",
        **fields,
    }


def body(order: dict[str, Any]) -> bytes:
    result = {"orderInfo": order, "apiResult": {"success": True, "numberCode": 10100000}}
    return json.dumps({"jingdong_pop_order_get_responce": {"code": "0", "orderDetailInfo": result}}).encode()


def read(**fields: Any) -> Order:
    return ADAPTER.parse_order(body(info(**fields)))


class TestContract(ChannelAdapterContract):
    adapter = ADAPTER
    documents = ((body(info()),), (body(info(orderState="LOCKED", orderExt='{"isCancel":0}')),))
    fuzzed = 10_000
    samples = Samples(order="281046817987", listing="1001", product=None, carrier="2100", currency="CNY")


def test_who_pays_for_a_discount_is_told() -> None:
    order = read()
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.imbalance_minor) == (29000, 0)
    assert (order.amounts.discount_minor, order.amounts.platform_discount_minor) == (1500, 500)
    assert [(one.discount, one.funder, one.amount_minor) for one in order.discounts] == [
        ("30", Funder.SELLER, 1000),
        ("41", Funder.PLATFORM, 500),
    ]
    assert order.discounts[0].shares == (DiscountShare(line="1001", amount_minor=1000),)
    assert [one.amounts.discount_minor for one in order.lines if one.amounts] == [1000, 0]
    assert [(one.sku, one.quantity, one.listing) for one in order.lines] == [("MUG-BLUE", 2, "1001"), (None, 1, "1002")]
    assert [one.code for one in order.oddities] == [OddityCode.NO_ITEM_CODE]
    assert (order.buyer, order.note, order.payment) == ("o*AAF8", "轻放", "paid")
    assert order.source_version == int(datetime(2026, 11, 22, 1, 30, tzinfo=UTC).timestamp()) * 1_000_000


def test_a_discount_of_an_unknown_kind_counts_where_the_total_lacks_it() -> None:
    coupon = {"skuId": "", "couponType": "103-新优惠", "couponPrice": "4.00"}
    known = info()["couponDetailList"]
    beside = read(couponDetailList=[*known, coupon], orderPayment="286.00")
    assert beside.amounts is not None
    assert (beside.amounts.discount_minor, beside.amounts.imbalance_minor) == (1900, 0)
    inside = read(couponDetailList=[*known, coupon])
    assert inside.amounts is not None
    assert (inside.amounts.discount_minor, inside.amounts.imbalance_minor) == (1500, 0)


def test_codes_and_counts_may_be_numbers_or_texts() -> None:
    assert read(payType=1).payment is PaymentStatus.PENDING
    assert read(orderExt="null") == read(orderExt="").model_copy(
        update={"body_sha256": read(orderExt="null").body_sha256}
    )
    intent = ListChanges(key="k", since=NOW - timedelta(minutes=30), until=NOW)
    answer = page([info()], 1)
    assert len(ADAPTER.read_page(intent, answer.replace(b'"orderTotal": 1', b'"orderTotal": "1"')).orders) == 1


def test_balance_and_gift_cards_are_money() -> None:
    cards = [{"skuId": "", "couponType": "52-礼品卡优惠", "couponPrice": "100.00"}]
    order = read(orderPayment="45.00", balanceUsed="150.00", couponDetailList=cards)
    assert order.amounts is not None
    assert (order.amounts.total_minor, order.amounts.discount_minor, order.amounts.imbalance_minor) == (29500, 1000, 0)
    assert [(one.method, one.amount_minor) for one in order.payments] == [
        ("4-在线支付", 4500),
        ("balanceUsed", 15000),
        ("52-礼品卡优惠", 10000),
    ]
    assert order.discounts == ()


def test_duties_and_services_are_on_top() -> None:
    order = read(taxFee="9.00", serviceFee="1.00", orderPayment="300.00")
    assert order.amounts is not None
    assert (order.amounts.tax_minor, order.amounts.fee_minor, order.amounts.imbalance_minor) == (900, 100, 0)


def test_a_total_that_the_items_do_not_make_is_odd() -> None:
    assert OddityCode.MONEY_DOES_NOT_ADD_UP in {one.code for one in read(orderTotalPrice="300.00").oddities}
    assert OddityCode.MONEY_DOES_NOT_ADD_UP in {one.code for one in read(orderPayment="291.00").oddities}


def test_a_kind_of_coupon_that_is_not_known_keeps_its_name() -> None:
    coupons = [{"skuId": "9", "couponType": "77-新优惠", "couponPrice": "1.00"}]
    order = read(couponDetailList=coupons, orderPayment="295.00")
    assert [(one.discount, one.title, one.funder, one.shares) for one in order.discounts] == [
        (None, "77-新优惠", Funder.UNKNOWN, ())
    ]


@pytest.mark.parametrize(
    ("word", "status", "payment", "held"),
    [
        ("NOT_PAY", "open", "pending", True),
        ("WAIT_SELLER_STOCK_OUT", "open", "paid", False),
        ("WAIT_SELLER_DELIVERY", "open", "paid", False),
        ("LOCKED", "open", "paid", True),
        ("PAUSE", "open", "paid", True),
        ("POP_ORDER_PAUSE", "open", "paid", True),
        ("SEND_TO_DISTRIBUTION_CENER", "closed", "paid", False),
        ("WAIT_GOODS_RECEIVE_CONFIRM", "closed", "paid", False),
        ("FINISHED_L", "closed", "paid", False),
        ("TRADE_CANCELED", "cancelled", "unknown", False),
        ("SOMETHING_NEW", "open", "unknown", False),
    ],
)
def test_states(word: str, status: str, payment: str, held: bool) -> None:
    order = read(orderState=word)
    assert (order.status, order.payment, order.hold_reason) == (status, payment, word if held else None)
    assert (OddityCode.UNKNOWN_STATE in {one.code for one in order.oddities}) == (word == "SOMETHING_NEW")


def test_cash_on_delivery_is_paid_when_it_is_finished() -> None:
    order = read(payType="1-货到付款", paymentConfirmTime="0001-01-01 00:00:00")
    assert (order.payment, order.payments) == ("pending", ())
    assert read(payType="1-货到付款", orderState="FINISHED_L").payment is PaymentStatus.PAID


def test_the_first_day_of_an_era_is_never() -> None:
    order = read(orderState="TRADE_CANCELED", orderEndTime="1970-01-01 00:00:00")
    assert order.cancelled_at == datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
    ended = read(orderState="TRADE_CANCELED", orderEndTime="2026-11-22 09:00:00")
    assert ended.cancelled_at == datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


def test_what_was_sent_is_over_and_not_cancelled() -> None:
    assert read(orderState="TRADE_CANCELED", waybill="JD001").status is OrderStatus.CLOSED
    assert read(orderState="TRADE_CANCELED", outBoundDate="2026-11-22 09:00:00").status is OrderStatus.CLOSED
    kept = read(orderState="TRADE_CANCELED", waybill="", outBoundDate="0001-01-01 00:00:00")
    assert kept.status is OrderStatus.CANCELLED


def test_goods_in_the_platforms_own_warehouse_are_not_ours_to_send() -> None:
    assert read(storeOrder="京仓订单").hold_reason == "storeOrder 京仓订单"
    assert read(storeOrder="", orderState="LOCKED").hold_reason == "LOCKED"


def test_a_masked_receiver_is_masked_and_an_encrypted_one_a_token() -> None:
    address = read().deliveries[0].address
    assert address is not None
    assert (address.masked, address.token, address.street) == (True, None, ("赤岗街道", "江**路1号"))
    cipher = "AAS/ZFJFpmfveSmeZ0P9i+iPiAVtOMmowMRtStdbSOA32r6wKNWTMeyV2CU1umLIhl0="
    secret = read(consigneeInfo={**CONSIGNEE, "fullname": cipher, "fullAddress": cipher}).deliveries[0].address
    assert secret is not None
    assert (secret.recipient, secret.street, secret.masked) == (None, ("赤岗街道",), True)
    assert json.loads(secret.token or "") == {"fullname": cipher, "fullAddress": cipher}
    assert read(consigneeInfo=None).deliveries[0].address is None


def test_the_older_calls_write_snake_case() -> None:
    older = {
        "order_id": 281046817987,
        "order_state": "WAIT_SELLER_STOCK_OUT",
        "order_start_time": "2026-11-22 08:00:00",
        "modified": "2026-11-22 09:30:00",
        "order_total_price": "279.00",
        "seller_discount": "10.00",
        "order_payment": "269.00",
        "pay_type": "4-在线支付",
        "item_info_list": [{"sku_id": "1001", "outer_sku_id": "A", "jd_price": "279.00", "item_total": "1"}],
        "coupon_detail_list": [{"sku_id": "", "coupon_price": "10.00", "coupon_type": "35-满返满送(返现)"}],
        "consignee_info": {"full_address": "**", "fullname": "张三", "county": "龙岗区"},
    }
    listed = {"order_search_response": {"order_search": {"order_info_list": [older, older]}}}
    one, two = ADAPTER.parse_orders(json.dumps(listed).encode())
    assert one == two
    assert one.amounts is not None
    assert (one.external_id, one.amounts.imbalance_minor, one.oddities) == ("281046817987", 0, ())
    assert one.deliveries[0].address is not None
    assert (one.deliveries[0].address.masked, one.deliveries[0].address.district) == (True, "龙岗区")
    (bare,) = ADAPTER.parse_orders(json.dumps([older]).encode())
    assert bare.external_id == "281046817987"
    with pytest.raises(UnreadableBody, match="holds 2 orders"):
        ADAPTER.parse_order(json.dumps(listed).encode())


def test_a_sku_that_stands_twice_is_two_lines() -> None:
    order = read(itemInfoList=[ITEMS[0], ITEMS[0]], orderTotalPrice="558.00", orderPayment="549.00")
    assert [one.line for one in order.lines] == ["1001", "1001/2"]
    assert order.amounts is not None
    assert order.amounts.imbalance_minor == 0


def test_virtual_orders_are_told_in_texts_of_json() -> None:
    extra = {"isCancel": 0, "payStatus": 1, "modified": 1795310955000, "businessOrderStatus": 16}
    order = read(orderExt=json.dumps(extra))
    assert [one.physical for one in order.lines] == [False, False]
    assert all(not one.physical for one in read(orderType="75").lines)
    off = read(orderExt=json.dumps({**extra, "isCancel": 1}))
    assert off.status is OrderStatus.CANCELLED
    bare = {"orderId": "281046817987", "orderExt": json.dumps({**extra, "isCancel": 1})}
    cancellation = ADAPTER.parse_cancellation(body(bare))
    assert cancellation.external_id == "281046817987"
    assert cancellation.source_version == 1795310955000 * 1_000
    with pytest.raises(UnreadableBody, match=r"orderExt, read as JSON"):
        read(orderExt="{")


def test_cancellations() -> None:
    cancellation = ADAPTER.parse_cancellation(body(info(orderState="TRADE_CANCELED")))
    assert cancellation.cancelled_at == datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
    with pytest.raises(UnreadableBody, match="is WAIT_SELLER_STOCK_OUT, not cancelled"):
        ADAPTER.parse_cancellation(body(info()))
    with pytest.raises(UnreadableBody, match="modified is missing"):
        ADAPTER.parse_cancellation(body({"orderId": "1", "orderState": "TRADE_CANCELED"}))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"itemInfoList": []}, r"itemInfoList is missing or empty; ask for it"),
        ({"itemInfoList": [{**ITEMS[0], "itemTotal": "-1"}]}, "itemTotal is -1"),
        ({"itemInfoList": [{**ITEMS[0], "jdPrice": None}]}, r"itemInfoList\[0\]\.jdPrice is missing"),
        ({"modified": "1795310955000"}, "send a time such as"),
        ({"orderPayment": ""}, "orderPayment is missing"),
    ],
)
def test_what_cannot_be_an_order_is_refused_by_its_place(change: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        read(**change)


@pytest.mark.parametrize(
    "fault",
    [
        {"error_response": {"code": "19", "zh_desc": "无效access_token"}},
        {"code": "10500001", "errorMessage": "wrong merchant"},
        {"jingdong_pop_order_get_responce": {"code": "103", "zh_desc": "invalid app"}},
        {
            "jingdong_pop_order_get_responce": {
                "code": "0",
                "orderDetailInfo": {"apiResult": {"success": False, "numberCode": 10100021, "chineseErrCode": "无"}},
            }
        },
    ],
    ids=["error", "bare", "code", "result"],
)
def test_a_fault_is_no_order_though_its_status_is_200(fault: dict[str, Any]) -> None:
    with pytest.raises(UnreadableBody, match="fault of the platform"):
        ADAPTER.parse_order(json.dumps(fault).encode())
    request = Request(method="POST", url=CONFIG.gateway, items=("1",))
    response = Response(status=200, body=json.dumps(fault).encode())
    (item,) = ADAPTER.read_answer(FetchOrder(key="k", external_id="1"), request, response).items
    assert (item.ok, item.retry) == (False, False)
    assert item.code in ("19", "10500001", "103", "10100021")
    assert item.message


def test_nothing_arrives_by_itself() -> None:
    with pytest.raises(ForgedSignature, match="pull its changes instead"):
        ADAPTER.verify({}, body(info()))


# What is asked of the gateway.


def asked(intent: Any) -> list[tuple[str, dict[str, Any]]]:
    made = ADAPTER.requests(intent)
    assert not isinstance(made, Refusal), made
    forms = [read_form(request.body) for request in made]
    return [(form["method"], json.loads(form["360buy_param_json"])) for form in forms]


def test_a_request_is_signed_over_its_parameters_as_one_text() -> None:
    made = ADAPTER.requests(FetchOrder(key="k", external_id="281046817987"))
    assert isinstance(made, tuple)
    form = read_form(ADAPTER.sign(made[0], now=NOW, token="yourtoken").body)
    signature = form.pop("sign")
    assert signature == md5_around("s3cret", form)
    assert (form["timestamp"], form["v"], form["access_token"]) == ("2026-11-22 09:30:00.683+0800", "2.0", "yourtoken")
    assert form["method"] == "jingdong.pop.order.get"
    assert json.loads(form["360buy_param_json"])["order_id"] == 281046817987


def page(rows: list[dict[str, Any]], total: int) -> bytes:
    result = {"orderInfoList": rows, "orderTotal": total, "apiResult": {"success": True}}
    return json.dumps({"jingdong_pop_order_search_responce": {"code": "0", "searchorderinfo_result": result}}).encode()


def test_pages_hold_whole_orders_and_are_read_backwards() -> None:
    intent = ListChanges(key="k", since=NOW - timedelta(minutes=30), until=NOW)
    ((method, parameters),) = asked(intent)
    assert (method, parameters["page"], parameters["dateType"]) == ("jingdong.pop.order.search", "1", 0)
    assert (parameters["start_date"], parameters["end_date"]) == ("2026-11-22 09:00:00", "2026-11-22 09:30:00")
    broken = {"orderId": "7", "orderState": "LOCKED"}
    found = ADAPTER.read_page(intent, page([info(), broken], 250))
    assert [order.external_id for order in found.orders] == ["281046817987"]
    assert [(one, "itemInfoList" in why) for one, why in found.unreadable] == [("7", True)]
    numbers = []
    following = found.following
    while following is not None:
        numbers.append(asked(following)[0][1]["page"])
        following = ADAPTER.read_page(following, page([], 250)).following
    assert numbers == ["3", "2", "1"]
    assert isinstance(ADAPTER.requests(intent.model_copy(update={"since": NOW - timedelta(days=31)})), Refusal)
    with pytest.raises(InvalidInput, match="is no page"):
        ADAPTER.requests(intent.model_copy(update={"cursor": "0"}))


def parcel(carrier: str, tracking: str) -> Parcel:
    return Parcel(carrier=carrier, tracking=tracking, shipped_at=NOW)


def test_all_parcels_of_an_order_go_in_one_call() -> None:
    parcels = (parcel("2100", "A1"), parcel("4700", "B1"), parcel("2100", "A2"))
    assert asked(Ship(key="k", external_id="28", parcels=parcels)) == [
        ("jingdong.pop.order.shipment", {"orderId": 28, "logiCoprId": "2100|4700", "logiNo": "A1,A2|B1"})
    ]
    part = Ship(key="k", external_id="28", parcels=(parcel("2100", "A1"),), completes=False)
    assert isinstance(ADAPTER.requests(part), Refusal)
    with pytest.raises(InvalidInput, match="is no waybill here"):
        ADAPTER.requests(Ship(key="k", external_id="28", parcels=(parcel("2100", "A1|B2"),)))
    with pytest.raises(InvalidInput, match="is no id of this channel"):
        ADAPTER.requests(Ship(key="k", external_id="28", parcels=(parcel("SF", "A1"),)))


def test_stock_is_set_sku_by_sku() -> None:
    levels = (StockLevel(listing="1001", units=4), StockLevel(listing="1002", units=0, location="7"))
    assert asked(SetStock(key="k", levels=levels, as_of=NOW)) == [
        ("jingdong.stock.write.updateSkuStock", {"skuId": 1001, "stockNum": 4}),
        ("jingdong.stock.write.updateSkuStock", {"skuId": 1002, "stockNum": 0, "storeId": 7}),
    ]


def test_an_answer_without_a_fault_is_taken() -> None:
    taken = {"jingdong_stock_write_updateSkuStock_responce": {"code": "0", "success": True}}
    request = Request(method="POST", url=CONFIG.gateway, items=("1001",))
    response = Response(status=200, body=json.dumps(taken).encode())
    assert ADAPTER.read_answer(FetchOrder(key="k", external_id="1"), request, response).ok


# There and back.

KINDS = [
    ("30", "30-单品促销优惠", Funder.SELLER),
    ("35", "35-满返满送(返现)", Funder.SELLER),
    ("41", "41-京东券优惠", Funder.PLATFORM),
]
STATES = [
    (OrderStatus.OPEN, PaymentStatus.PAID),
    (OrderStatus.OPEN, PaymentStatus.PENDING),
    (OrderStatus.CLOSED, PaymentStatus.PAID),
    (OrderStatus.CLOSED, PaymentStatus.PENDING),
    (OrderStatus.CANCELLED, PaymentStatus.UNKNOWN),
]


@st.composite
def jd_orders(draw: st.DrawFn) -> Order:
    """An order whose discounts are coupons, of a line or of all."""
    delivery = shipped(addresses(streets=2, countries=["CN"], postal_codes=False), [None, "任意时间"])
    order = draw(orders(STATES, delivery=delivery))
    physical = draw(st.booleans())
    lines, discounts = [], []
    for one in order.lines:
        unit_minor, off_minor = draw(CENTS), draw(st.integers(0, 100))
        lines.append(
            OrderLine(
                line=one.line,
                listing=one.line,
                sku=draw(NUMBERS | WORDS),
                quantity=one.quantity,
                current_quantity=one.quantity,
                title=draw(TEXTS),
                physical=physical,
                amounts=LineAmounts(
                    list_unit_price_minor=unit_minor, gross_minor=unit_minor * one.quantity, discount_minor=off_minor
                ),
            )
        )
        if off_minor:
            share = (DiscountShare(line=one.line, amount_minor=off_minor),)
            discounts.append(
                Discount(discount="30", title=KINDS[0][1], funder=Funder.SELLER, amount_minor=off_minor, shares=share)
            )
    for code, title, funder in draw(st.lists(st.sampled_from(KINDS[1:]), max_size=2)):
        discounts.append(Discount(discount=code, title=title, funder=funder, amount_minor=draw(st.integers(1, 10**5))))
    gross_minor = sum(one.amounts.gross_minor for one in lines if one.amounts)
    platform_minor = sum(one.amount_minor for one in discounts if one.funder is Funder.PLATFORM)
    amounts = OrderAmounts(
        taxes_included=True,
        line_gross_minor=gross_minor,
        discount_minor=sum(one.amount_minor for one in discounts),
        platform_discount_minor=platform_minor,
        shipping_minor=draw(CENTS),
        fee_minor=draw(CENTS),
        total_minor=0,
    )
    amounts = amounts.model_copy(update={"total_minor": amounts.computed_total_minor})
    paid = order.payment is PaymentStatus.PAID and amounts.total_minor != 0
    payment = Payment(method="4-在线支付", amount_minor=amounts.total_minor, paid_at=draw(SECONDS))
    return order.model_copy(
        update={
            "lines": tuple(lines),
            "discounts": tuple(discounts),
            "amounts": amounts,
            "payments": (payment,) if paid else (),
            "buyer": draw(st.none() | NUMBERS),
        }
    )


@settings(max_examples=60)
@given(jd_orders())
def test_what_is_written_is_read_back(order: Order) -> None:
    adapter = JdAdapter(JdConfig(channel="shop"))
    assert adapter.parse_order(write_jd_order(order)).model_copy(update={"body_sha256": None}) == order


def test_the_writer_says_what_jd_cannot_carry() -> None:
    order = read(itemInfoList=ITEMS[:1], orderTotalPrice="279.00", orderPayment="270.00", venderRemark="")
    assert (
        ADAPTER.parse_order(write_jd_order(order.model_copy(update={"buyer": None}))).external_id == order.external_id
    )
    for change, lost in (
        ({"currency": "TWD"}, "currency"),
        ({"payment": PaymentStatus.REFUNDED}, "state"),
        ({"amounts": None}, "amounts"),
        ({"source_version": 7}, "source_version"),
    ):
        with pytest.raises(InvalidInput, match=lost):
            write_jd_order(order.model_copy(update=change))
