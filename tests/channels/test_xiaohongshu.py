"""Xiaohongshu's dialect, on documents written by hand after its documentation."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.intents import (
    Answer,
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
from omo_core.channels.xiaohongshu import XiaohongshuAdapter, XiaohongshuConfig
from omo_core.model.errors import ForgedSignature, InvalidInput, UnreadableBody
from omo_core.model.orders import (
    Address,
    Delivery,
    Funder,
    LineAmounts,
    OddityCode,
    Order,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
)
from omo_core.model.refusals import Refusal
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.samples import NOW, Samples
from omo_core.testing.writers import write_xiaohongshu_order
from tests.channels.fen_orders import NOON, SECONDS, WORDS, fen_order, fen_orders

SECRET = "correct horse"
CONFIG = XiaohongshuConfig(app_id="21d6", secrets=(SECRET,))
ADAPTER = XiaohongshuAdapter(CONFIG)


def renamed(order: Order) -> Order:
    """The order with line ids as this platform has them: the listing's."""
    names = {line.line: str(line.listing) for line in order.lines}
    lines = tuple(line.model_copy(update={"line": line.listing}) for line in order.lines)
    discounts = tuple(
        one.model_copy(
            update={"shares": tuple(share.model_copy(update={"line": names[share.line]}) for share in one.shares)}
        )
        for one in order.discounts
    )
    return order.model_copy(update={"channel": "xiaohongshu", "lines": lines, "discounts": discounts})


PLAIN = renamed(fen_order())


class TestContract(ChannelAdapterContract):
    adapter = ADAPTER
    documents = ((write_xiaohongshu_order(PLAIN),), (write_xiaohongshu_order(PLAIN.model_copy(update={"note": "x"})),))
    fuzzed = 10_000
    samples = Samples(modes=(StockMode.ABSOLUTE, StockMode.RELATIVE))


def detail(**changes: Any) -> dict[str, Any]:
    return {"skuId": "sku1", "erpCode": "MUG", "quantity": 1, "pricePerSku": 900, "depositAmountPerSku": 0} | changes


def row(**changes: Any) -> dict[str, Any]:
    return {
        "skuId": "sku1",
        "skuName": "杯",
        "erpcode": "MUG",
        "skuQuantity": 2,
        "skuDetailList": [detail()],
        "totalPaidAmount": 1900,
        "totalMerchantDiscount": 60,
        "totalRedDiscount": 40,
        "skuTag": 0,
    } | changes


def document(**changes: Any) -> dict[str, Any]:
    """An order of 2 × 10.00, of which the seller takes off 0.60 and the platform 0.40, with 5.00 of shipping."""
    return {
        "orderId": "P763821122427443521",
        "orderType": 1,
        "orderStatus": 4,
        "orderAfterSalesStatus": 1,
        "cancelStatus": 0,
        "createdTime": 1612518379000,
        "paidTime": 1612518380000,
        "updateTime": 1612518381123,
        "skuList": [row()],
        "totalPayAmount": 2400,
        "totalShippingFree": 500,
    } | changes


def read(**changes: Any) -> Order:
    return ADAPTER.parse_order(json.dumps(document(**changes)).encode())


def test_a_plain_order() -> None:
    order = read(userId="u1", outTradeNo="t1", paymentType=1)
    assert (order.external_id, order.buyer, order.currency) == ("P763821122427443521", "u1", "CNY")
    assert order.source_version == 1612518381123 * 1_000
    assert (order.status, order.payment, order.hold_reason) == (OrderStatus.OPEN, PaymentStatus.PAID, None)
    (line,) = order.lines
    assert (line.line, line.sku, line.listing, line.quantity, line.bundle) == ("sku1", "MUG", "sku1", 2, False)
    assert line.amounts == LineAmounts(list_unit_price_minor=1000, gross_minor=2000, discount_minor=100)
    assert order.amounts is not None
    assert (order.amounts.shipping_minor, order.amounts.platform_discount_minor, order.amounts.imbalance_minor) == (
        500,
        40,
        0,
    )
    assert [(one.funder, one.amount_minor) for one in order.discounts] == [(Funder.SELLER, 60), (Funder.PLATFORM, 40)]
    paid_at = datetime.fromtimestamp(1612518380, UTC)
    assert order.payments == (Payment(payment="t1", method="Alipay", amount_minor=2400, paid_at=paid_at),)
    for wrapped in ({"data": document(), "success": True}, {"data": {"code": 0, "data": document()}}):
        assert ADAPTER.parse_order(json.dumps(wrapped).encode()).external_id == order.external_id
    with pytest.raises(UnreadableBody, match="answered error_code '-2000101', '包裹不存在'"):
        ADAPTER.parse_order(json.dumps({"error_code": -2000101, "error_msg": "包裹不存在"}).encode())


@pytest.mark.parametrize(
    ("changes", "status", "payment", "hold"),
    [
        ({"orderStatus": 1, "paidTime": 0}, "open", "pending", "已下单待付款"),
        ({"orderStatus": 2}, "open", "paid", "已支付处理中"),
        ({"orderStatus": 3}, "open", "paid", "清关中"),
        ({"orderStatus": "4"}, "open", "paid", None),
        ({"orderStatus": 4, "cancelStatus": 1}, "open", "paid", "取消处理中"),
        ({"orderStatus": 4, "orderAfterSalesStatus": 2}, "open", "paid", "售后处理中"),
        ({"orderStatus": 6, "orderAfterSalesStatus": 2}, "closed", "paid", None),
        ({"orderStatus": 5}, "open", "paid", None),
        ({"orderStatus": 7}, "closed", "paid", None),
        ({"orderStatus": 8, "orderAfterSalesStatus": 3}, "cancelled", "refunded", None),
        ({"orderStatus": 8, "orderAfterSalesStatus": 3, "deliveryTime": 1612518382000}, "closed", "refunded", None),
        ({"orderStatus": 9, "paidTime": 0}, "cancelled", "voided", None),
        ({"orderStatus": 9}, "cancelled", "paid", None),
        ({"orderStatus": 10}, "closed", "paid", None),
    ],
)
def test_states(changes: dict[str, Any], status: str, payment: str, hold: str | None) -> None:
    order = read(**changes)
    assert (order.status, order.payment, order.hold_reason) == (status, payment, hold)
    assert not order.oddities


def test_words_that_are_not_known_are_odd_and_no_refusal() -> None:
    order = read(cancelStatus=2, skuList=[row(skuTag=7)])
    assert (order.status, order.hold_reason, order.lines[0].gift) == ("open", None, False)
    assert sorted(one.path for one in order.oddities) == ["$.cancelStatus", "$.skuList[0].skuTag"]


def two(first: int, second: int, **changes: Any) -> Order:
    """Two lines with the states of their after-sales."""
    rows = [row(skuAfterSaleStatus=first), row(skuId="sku2", skuAfterSaleStatus=second)]
    return read(skuList=rows, totalPayAmount=4300, **changes)


def test_a_line_that_was_refunded_before_it_was_sent_wants_nothing_more() -> None:
    order = two(3, 1)
    assert [one.current_quantity for one in order.lines] == [0, 2]
    assert (order.status, order.payment, order.hold_reason) == ("open", "partially_refunded", None)
    assert two(3, 3).payment is PaymentStatus.REFUNDED
    for refused in (4, 5, 7):
        assert [one.current_quantity for one in two(refused, 1).lines] == [2, 2]


def test_a_line_that_was_refunded_after_it_left_is_gone_all_the_same() -> None:
    packages = [{"status": 6, "skuIdList": ["sku1"]}, {"status": 4, "skuIdList": ["sku2"]}]
    order = two(3, 1, orderStatus=5, simpleDeliveryOrderList=packages)
    assert [one.current_quantity for one in order.lines] == [2, 2]
    assert (order.payment, order.hold_reason) == ("paid", None)
    assert [one.current_quantity for one in two(3, 1, orderStatus=7).lines] == [2, 2]


@pytest.mark.parametrize("word", [2, 6])
def test_an_after_sale_of_a_line_holds_what_was_not_sent(word: int) -> None:
    assert two(1, word).hold_reason == "售后处理中"
    packages = [{"status": 4, "skuIdList": ["sku1"]}, {"status": 6, "skuIdList": ["sku2"]}]
    assert two(1, word, orderStatus=5, simpleDeliveryOrderList=packages).hold_reason is None


def test_an_unknown_state_is_odd_and_the_order_stays_open() -> None:
    order = read(orderStatus=11)
    assert (order.status, order.payment) == (OrderStatus.OPEN, PaymentStatus.UNKNOWN)
    assert [one.code for one in order.oddities] == [OddityCode.UNKNOWN_STATE]


def test_when_it_was_cancelled() -> None:
    assert read(orderStatus=9, cancelTime=1612518379500).cancelled_at == datetime.fromtimestamp(1612518379.5, UTC)
    cancellation = ADAPTER.parse_cancellation(json.dumps(document(orderStatus=9)).encode())
    assert cancellation.source_version == 1612518381123 * 1_000


@pytest.mark.parametrize(("counts", "parts", "odd"), [(None, [2, 4], 1), ("each", [2, 4], 0), ("all", [1, 2], 0)])
def test_a_set_has_no_code_of_its_own(counts: Any, parts: list[int], odd: int) -> None:
    inside = [detail(skuId="a", erpCode="CUP"), detail(skuId="b", erpCode="DISH", quantity=2)]
    adapter = XiaohongshuAdapter(CONFIG.model_copy(update={"bundle_counts": counts}))
    order = adapter.parse_order(json.dumps(document(skuList=[row(erpcode="", skuDetailList=inside)])).encode())
    assert [(one.line, one.sku, one.bundle, one.parent) for one in order.lines] == [
        ("sku1", None, True, None),
        ("sku1/part-1", "CUP", False, "sku1"),
        ("sku1/part-2", "DISH", False, "sku1"),
    ]
    assert [one.quantity for one in order.fulfillable()] == parts
    assert len(order.oddities) == odd


@pytest.mark.parametrize(
    ("changes", "sku", "bundle"),
    [
        ({"skuDetailList": []}, "MUG", False),
        ({"erpcode": "", "skuDetailList": [detail(erpCode="IN")]}, "IN", False),
        (
            {"erpcode": "", "isChannel": True, "skuDetailList": [detail(skuId="s", erpCode="IN", quantity=3)]},
            "IN",
            False,
        ),
        ({"skuDetailList": [detail(skuId="s", quantity=2)]}, "MUG", False),
        ({"skuDetailList": [detail(skuId="s", quantity=6)]}, "MUG", True),
    ],
)
def test_one_item_or_a_pack_of_several(changes: dict[str, Any], sku: str, bundle: bool) -> None:
    order = read(skuList=[row(**changes)])
    assert (order.lines[0].sku, order.lines[0].bundle, len(order.lines)) == (sku, bundle, 1 + bundle)


def test_a_gift_of_the_same_sku_is_a_line_of_its_own() -> None:
    order = read(skuList=[row(), row(skuTag=1, totalPaidAmount=0, totalMerchantDiscount=0, totalRedDiscount=0)])
    assert [(one.line, one.gift) for one in order.lines] == [("sku1", False), ("sku1/2", True)]


def test_a_total_that_does_not_divide_is_kept_whole() -> None:
    (line,) = read(skuList=[row(skuQuantity=3)]).lines
    assert line.amounts is not None
    assert (line.amounts.list_unit_price_minor, line.amounts.gross_minor) == (900, 2000)
    (several,) = read(skuList=[row(skuQuantity=3, skuDetailList=[])]).lines
    assert several.amounts is not None
    assert several.amounts.list_unit_price_minor == 666


def test_deposits_belong_to_the_lines_where_the_total_says_so() -> None:
    inside = [detail(depositAmountPerSku=100)]
    order = read(skuList=[row(skuDetailList=inside)], orderType=2, totalDepositAmount=200, totalPayAmount=2600)
    assert order.amounts is not None
    assert (order.amounts.line_gross_minor, order.amounts.imbalance_minor) == (2200, 0)
    assert order.lines[0].preorder
    included = read(skuList=[row(skuDetailList=inside)], totalDepositAmount=200)
    assert included.amounts is not None
    assert (included.amounts.line_gross_minor, included.amounts.imbalance_minor) == (2000, 0)


def test_money_that_does_not_add_up_or_is_not_told() -> None:
    assert [one.code for one in read(totalPayAmount=2399).oddities] == [OddityCode.MONEY_DOES_NOT_ADD_UP]
    untold = read(totalPayAmount=None)
    assert (untold.amounts, untold.payments) == (None, ())


def test_receivers_are_asked_for_by_their_token() -> None:
    address = (
        read(
            openAddressId="1948201",
            receiverProvinceName="福建省",
            receiverCityName="厦门市",
            receiverDistrictName="思明区",
        )
        .deliveries[0]
        .address
    )
    assert address == Address(
        region="福建省", city="厦门市", district="思明区", country="CN", masked=True, token="1948201"
    )
    assert read().deliveries[0].address is None
    told = read(receiverName="王小明", receiverAddress="1号", receiverCountryName="X").deliveries[0].address
    assert told == Address(recipient="王小明", street=("1号",))


def test_packages_are_deliveries() -> None:
    packages = [
        {"deliveryOrderIndex": 1, "status": 6, "expressTrackingNo": "SF1", "skuIdList": ["sku1"]},
        {"deliveryOrderIndex": 2, "status": 4, "skuIdList": ["sku2"]},
    ]
    rows = [row(), row(skuId="sku2"), row(skuId="sku3")]
    order = read(
        skuList=rows, simpleDeliveryOrderList=packages, orderStatus=5, planInfoName="普通内贸", totalPayAmount=6200
    )
    assert [one.delivery for one in order.lines] == [0, 1, 0]
    assert [(one.fulfilment, one.service) for one in order.deliveries] == [("1", "普通内贸"), ("2", "普通内贸")]
    assert len(read(simpleDeliveryOrderList=packages[:1]).deliveries) == 1


def test_when_it_is_to_be_sent() -> None:
    times = {"presaleDeliveryStartTime": 1612518390000, "presaleDeliveryEndTime": 1612518399000}
    delivery = read(**times, promiseLastDeliveryTime=1612518395000).deliveries[0]
    assert delivery.not_before == datetime.fromtimestamp(1612518390, UTC)
    assert delivery.ship_by == datetime.fromtimestamp(1612518399, UTC)
    assert read(promiseLastDeliveryTime=1612518395000).deliveries[0].ship_by == datetime.fromtimestamp(1612518395, UTC)


def test_notes() -> None:
    assert read(customerRemark="快点", sellerRemark="VIP").note == "快点\nVIP"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"skuList": None}, r"\$\.data is missing"),
        ({"skuList": []}, r"\$\.skuList is missing or empty"),
        ({"skuList": [row(skuQuantity=-1)]}, r"\$\.skuList\[0\]\.skuQuantity is -1"),
        ({"skuList": [row(totalPaidAmount=None)]}, r"\$\.skuList\[0\]\.totalPaidAmount is no amount"),
        ({"updateTime": 1612518381}, r"\$\.updateTime is 1612518381, not milliseconds"),
        (
            {"skuList": [row(skuDetailList=[detail(skuId="a", quantity=0), detail(skuId="b")])]},
            r"skuDetailList\[0\]\.quantity is 0",
        ),
    ],
)
def test_what_cannot_be_read_names_its_place(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        read(**changes)


def test_it_sends_no_messages() -> None:
    with pytest.raises(ForgedSignature):
        ADAPTER.verify({}, b"{}")
    with pytest.raises(UnreadableBody, match="pull its changes"):
        ADAPTER.parse_event({}, b"{}")


def made(intent: Any) -> tuple[Request, ...]:
    requests = ADAPTER.requests(intent)
    assert not isinstance(requests, Refusal)
    return requests


def refused(intent: Any) -> str:
    refusal = ADAPTER.requests(intent)
    assert isinstance(refusal, Refusal)
    return str(refusal)


def test_only_the_gateways_parameters_are_signed() -> None:
    (call,) = made(FetchOrder(key="k", external_id="P1"))
    signed = json.loads(ADAPTER.sign(call, now=NOW, token="t0k3n").body)
    seconds = str(int(NOW.timestamp()))
    text = f"order.getOrderDetail?appId=21d6&timestamp={seconds}&version=2.0{SECRET}"
    assert signed == {
        "orderId": "P1",
        "appId": "21d6",
        "method": "order.getOrderDetail",
        "timestamp": seconds,
        "version": "2.0",
        "sign": hashlib.md5(text.encode()).hexdigest(),
        "accessToken": "t0k3n",
    }
    assert "accessToken" not in json.loads(ADAPTER.sign(call, now=NOW).body)
    with pytest.raises(InvalidInput, match="no secret"):
        XiaohongshuAdapter().sign(call, now=NOW)
    assert "letters and digits" in refused(FetchOrder(key="k", external_id="P 1"))


def test_stock() -> None:
    def sent(mode: StockMode, units: int) -> tuple[Any, ...]:
        (call,) = made(SetStock(key="k", mode=mode, levels=(StockLevel(listing="s1", units=units),), as_of=NOW))
        return call.operation, json.loads(call.body), call.items

    assert sent(StockMode.ABSOLUTE, 7) == ("inventory.syncSkuStock", {"skuId": "s1", "qty": 7}, ("s1",))
    assert sent(StockMode.RELATIVE, -7) == ("inventory.incSkuStock", {"skuId": "s1", "qty": -7}, ("s1",))


def test_parcels() -> None:
    parcel = Parcel(carrier="shunfeng", tracking="SF1", shipped_at=NOW)
    (whole,) = made(Ship(key="k", external_id="P1", parcels=(parcel,)))
    assert json.loads(whole.body) == {
        "orderId": "P1",
        "expressNo": "SF1",
        "expressCompanyCode": "shunfeng",
        "deliveringTime": int(NOW.timestamp()) * 1_000,
        "unpack": False,
    }
    first = parcel.model_copy(update={"quantities": (("s1", 1), ("s1/2", 1))})
    second = parcel.model_copy(update={"quantities": (("s2", 1),)})
    both = made(Ship(key="k", external_id="P1", parcels=(first, second)))
    assert [json.loads(one.body)["skuIdList"] for one in both] == [["s1"], ["s2"]]
    assert "name its lines" in refused(Ship(key="k", external_id="P1", parcels=(first, parcel)))
    assert "all units of a line" in refused(Ship(key="k", external_id="P1", parcels=(first, first)))
    assert "letters and digits" in refused(Ship(key="k", external_id="P/1", parcels=(parcel,)))


def page(*ids: str, pages: int) -> bytes:
    rows = [{"orderId": one, "updateTime": 1612518381123} for one in ids]
    return json.dumps({"success": True, "data": {"orderList": rows, "maxPageNo": pages, "total": 9}}).encode()


def test_pages_are_read_from_the_last_to_the_first() -> None:
    intent: ListChanges | None = ListChanges(key="k", since=NOW - timedelta(minutes=30), until=NOW)
    asked = []
    while intent is not None:
        (call,) = made(intent)
        asked.append(json.loads(call.body)["pageNo"])
        found = ADAPTER.read_page(intent, page("P1", "P2", pages=3))
        assert [one.external_id for one in found.references] == ["P1", "P2"]
        intent = found.following
    assert asked == [1, 3, 2, 1]
    first = ListChanges(key="k", since=NOW - timedelta(minutes=30), until=NOW)
    body = json.loads(made(first)[0].body)
    assert (body["timeType"], body["endTime"] - body["startTime"]) == (2, 1_800)
    assert ADAPTER.read_page(first, page("P1", pages=1)).following is None
    assert ADAPTER.read_page(first, page(pages=0)).following is None
    with pytest.raises(UnreadableBody, match="over the 100 pages"):
        ADAPTER.read_page(first, page(pages=101))
    assert "cursor is not of a page" in refused(first.model_copy(update={"cursor": "0"}))
    assert "seconds at a time" in refused(first.model_copy(update={"since": NOW - timedelta(hours=1)}))


def answered(body: bytes) -> Answer:
    intent = FetchOrder(key="k", external_id="P1")
    return ADAPTER.read_answer(intent, made(intent)[0], Response(status=200, body=body))


def test_answers() -> None:
    assert answered(b'{"success": true, "error_code": 0, "data": {}}').ok
    assert answered(b'{"success": true, "data": {"success": true, "code": 0}}').ok
    (bad,) = answered('{"success": false, "error_code": -2000400, "error_msg": "请求参数错误"}'.encode()).items
    assert (bad.ok, bad.code, bad.message) == (False, "-2000400", "请求参数错误")
    (inner,) = answered(b'{"success": true, "data": {"success": false, "code": 7, "msg": "x"}}').items
    assert (inner.ok, inner.code, inner.message) == (False, "7", "x")
    with pytest.raises(UnreadableBody, match=r"\$\.success is missing"):
        answered(b"{}")


ADDRESSES = st.builds(
    Address,
    region=WORDS,
    city=st.none() | WORDS,
    district=st.none() | WORDS,
    country=st.just("CN"),
    masked=st.just(True),
    token=st.just("1948201"),
)
ORDERS = fen_orders(
    ADDRESSES,
    channel="xiaohongshu",
    funders=(Funder.SELLER, Funder.PLATFORM),
    line={"gift": st.booleans()},
    amounts={"shipping_minor": st.integers(0, 9999)},
    delivery={"ship_by": st.none() | SECONDS, "not_before": st.none() | SECONDS, "service": st.none() | WORDS},
    order={"note": st.none() | WORDS, "buyer": st.none() | st.just("u1")},
)


@settings(max_examples=60)
@given(ORDERS)
def test_what_is_written_is_read_again(order: Order) -> None:
    if len({line.listing for line in order.lines}) < len(order.lines):
        return
    found = ADAPTER.parse_order(write_xiaohongshu_order(renamed(order)))
    assert found.model_copy(update={"body_sha256": None}) == renamed(order)


def test_a_set_is_read_again() -> None:
    whole = PLAIN.lines[0].model_copy(update={"sku": None, "bundle": True})
    parts = tuple(
        OrderLine(
            line=f"{whole.line}/part-{place}",
            sku=sku,
            quantity=quantity,
            current_quantity=quantity,
            listing=f"90{place}",
            parent=whole.line,
        )
        for place, (sku, quantity) in enumerate([("CUP", 2), ("DISH", 4)], start=1)
    )
    order = PLAIN.model_copy(update={"lines": (whole, *parts, PLAIN.lines[1])})
    adapter = XiaohongshuAdapter(CONFIG.model_copy(update={"bundle_counts": "each"}))
    assert adapter.parse_order(write_xiaohongshu_order(order)).model_copy(update={"body_sha256": None}) == order


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"currency": "USD"}, "currency"),
        ({"payment": PaymentStatus.REFUNDED}, "status or payment"),
        ({"lines": fen_order().lines, "discounts": ()}, "line ids"),
        ({"deliveries": (Delivery(), Delivery())}, "deliveries"),
    ],
)
def test_the_writer_says_what_it_would_lose(changes: dict[str, Any], lost: str) -> None:
    with pytest.raises(InvalidInput, match=lost):
        write_xiaohongshu_order(PLAIN.model_copy(update=changes))


def test_noon_is_noon() -> None:
    assert ADAPTER.parse_order(write_xiaohongshu_order(PLAIN)).updated_at == NOON
