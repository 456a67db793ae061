"""抖店's dialect, on documents and pushes written by hand after its documentation."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.douyin import DouyinAdapter, DouyinConfig
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
from omo_core.channels.port import EventKind, RefundNotice
from omo_core.model.errors import InvalidInput, InvalidMoney, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Discount,
    DiscountShare,
    Funder,
    OddityCode,
    Order,
    OrderAmounts,
    OrderStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from omo_core.model.refusals import Refusal
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.samples import NOW, Samples
from omo_core.testing.writers import write_douyin_order, write_douyin_push, write_douyin_refund
from tests.channels.fen_orders import NOON, SECONDS, WORDS, fen_order, fen_orders

SECRET = "correct horse"
CONFIG = DouyinConfig(app_key="3302", secrets=(SECRET,), stores={"77": "SHA-01"})
ADAPTER = DouyinAdapter(CONFIG)
ORDER_ID = fen_order().external_id
NOTICE = RefundNotice(
    channel="douyin",
    external_id=ORDER_ID,
    refund=Refund(refund="7001", created_at=NOON, refunded_to_buyer_minor=2400, quantities=((ORDER_ID, 2),)),
    updated_at=NOON,
    returns_goods=True,
)


def message(tag: int = 101, key: str = "m-1", **data: Any) -> dict[str, Any]:
    return {"tag": str(tag), "msg_id": key, "data": {"p_id": int(ORDER_ID), "shop_id": 1} | data}


def push(*messages: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    return write_douyin_push(messages, secret=SECRET, app_key="3302")


TEST_OF_ADDRESS = {"tag": "0", "msg_id": "0", "data": "2026-11-21"}


class TestContract(ChannelAdapterContract):
    adapter = ADAPTER
    messages = (
        push(message()),
        push(message(200, "m-2", aftersale_id=7001, s_id=int(ORDER_ID))),
        push(message(), message(106, "m-3")),
        push(TEST_OF_ADDRESS),
    )
    documents = (
        (write_douyin_order(fen_order()),),
        (write_douyin_order(fen_order(note="x")), write_douyin_refund(NOTICE)),
    )
    refunds = (write_douyin_refund(NOTICE),)
    fuzzed = 10_000
    samples = Samples(location="WH-1", modes=(StockMode.ABSOLUTE, StockMode.RELATIVE))


def line(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": "11",
        "order_status": 2,
        "code": "MUG",
        "out_sku_id": "",
        "sku_id": 3410716076201730123,
        "item_num": 2,
        "origin_amount": 1000,
        "sum_amount": 2000,
    } | changes


def document(**changes: Any) -> dict[str, Any]:
    """An order of 2 × 10.00 for 20.00."""
    return {
        "order_id": "6936476692437472563",
        "order_status": 2,
        "main_status": 2,
        "create_time": 1731916551,
        "update_time": 1731986645,
        "pay_time": 1731916560,
        "order_expire_time": 1800,
        "order_amount": 2000,
        "pay_amount": 2000,
        "pay_type": 2,
        "sku_order_list": [line()],
    } | changes


def read(**changes: Any) -> Order:
    return ADAPTER.parse_order(json.dumps(document(**changes)).encode())


def amounts(**changes: Any) -> OrderAmounts:
    found = read(**changes).amounts
    assert found is not None
    return found


def test_a_plain_order() -> None:
    order = read()
    assert (order.external_id, order.currency) == ("6936476692437472563", "CNY")
    assert order.updated_at == datetime(2024, 11, 19, 3, 24, 5, tzinfo=UTC)
    assert order.source_version == 1731986645 * 1_000_000
    assert (order.status, order.payment, order.hold_reason) == (OrderStatus.OPEN, PaymentStatus.PAID, None)
    assert [(one.line, one.sku, one.listing, one.quantity) for one in order.lines] == [
        ("11", "MUG", "3410716076201730123", 2)
    ]
    assert order.payments == (
        Payment(method="Alipay", amount_minor=2000, paid_at=datetime.fromtimestamp(1731916560, UTC)),
    )
    assert amounts().imbalance_minor == 0


def test_answers_wrap_orders_in_several_ways() -> None:
    for wrapped in (
        document(),
        {"code": 10000, "data": {"shop_order_detail": document()}},
        {"err_no": 0, "data": {"shop_order_list": [document()], "total": 1}},
    ):
        assert ADAPTER.parse_order(json.dumps(wrapped).encode()).external_id == "6936476692437472563"
    with pytest.raises(UnreadableBody, match="holds 2 orders"):
        ADAPTER.parse_order(json.dumps({"data": {"shop_order_list": [document(), document(order_id="2")]}}).encode())
    with pytest.raises(UnreadableBody, match="answered code '50002', '订单不存在'"):
        ADAPTER.parse_order(json.dumps({"code": 50002, "sub_msg": "订单不存在"}).encode())


@pytest.mark.parametrize(
    ("changes", "status", "payment", "hold"),
    [
        ({"order_status": 1, "main_status": 1, "pay_time": 0}, "open", "pending", "待支付"),
        ({"order_status": 1, "main_status": 103}, "open", "partially_paid", "部分支付"),
        ({"order_status": 105, "main_status": 105}, "open", "paid", "已支付，未流转到备货中"),
        ({"order_status": "2", "main_status": "2"}, "open", "paid", None),
        ({"order_status": 101}, "open", "paid", None),
        ({"order_status": 3}, "closed", "paid", None),
        ({"order_status": 5}, "closed", "paid", None),
        ({"order_status": 2, "pay_type": 0, "pay_time": 0}, "open", "pending", None),
        ({"order_status": 1, "main_status": 1, "pay_type": 0, "pay_time": 0}, "open", "pending", None),
        ({"order_status": 5, "pay_type": 0}, "closed", "paid", None),
        ({"order_status": 4, "main_status": 4, "pay_time": 0}, "cancelled", "voided", None),
        ({"order_status": 4, "main_status": 21}, "cancelled", "refunded", None),
        ({"order_status": 4, "main_status": 22}, "closed", "refunded", None),
        ({"order_status": 4, "main_status": 39}, "closed", "refunded", None),
        ({"order_status": 4, "main_status": 4, "ship_time": 1731916566}, "closed", "paid", None),
    ],
)
def test_states(changes: dict[str, Any], status: str, payment: str, hold: str | None) -> None:
    order = read(**changes)
    assert (order.status, order.payment, order.hold_reason) == (status, payment, hold)
    assert not order.oddities
    assert (order.cancelled_at is not None) == (status == "cancelled")


def test_an_unknown_state_is_odd_and_the_order_stays_open() -> None:
    order = read(order_status=77, main_status=78)
    assert order.status is OrderStatus.OPEN
    assert [(one.code, one.path) for one in order.oddities] == [
        (OddityCode.UNKNOWN_STATE, "$.order_status"),
        (OddityCode.UNKNOWN_STATE, "$.main_status"),
    ]


def test_a_wish_to_cancel_holds_the_order() -> None:
    asks = {"after_sale_status": 6, "after_sale_type": 2, "refund_status": 1}
    assert read(sku_order_list=[line(after_sale_info=asks)]).hold_reason == "未发货仅退款: 11"
    assert read(sku_order_list=[line(after_sale_info=asks | {"after_sale_status": 28})]).hold_reason is None


@pytest.mark.parametrize(
    ("status", "kind", "refund", "hold"),
    [
        (12, 2, 1, "未发货仅退款: 11"),
        (12, 2, 2, "未发货仅退款: 11"),
        (51, 5, 1, "用户取消: 11"),
        (6, 4, 0, "系统取消: 11"),
        (27, 2, 0, None),
        (12, 2, 3, None),
        (6, 1, 1, None),
    ],
)
def test_goods_wait_until_an_agreed_refund_is_paid(status: int, kind: int, refund: int, hold: str | None) -> None:
    after = {"after_sale_status": status, "after_sale_type": kind, "refund_status": refund}
    assert read(sku_order_list=[line(after_sale_info=after)]).hold_reason == hold
    assert read(sku_order_list=[line(after_sale_info=after, order_status=4)]).hold_reason is None


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"main_status": "21"}, 0),
        ({"order_status": 4, "main_status": 21}, 0),
        ({"order_status": 4, "main_status": 22}, 2),
        ({"main_status": 39}, 2),
        ({"order_status": 4, "ship_time": 1731916566}, 2),
    ],
)
def test_a_refunded_line_wants_nothing_more_unless_it_has_left(changes: dict[str, Any], left: int) -> None:
    order = read(sku_order_list=[line(**changes), line(order_id="12")], pay_amount=4000, order_amount=4000)
    assert [one.current_quantity for one in order.lines] == [left, 2]


def test_lines_of_an_order_that_was_refunded_after_it_was_sent_have_left() -> None:
    rows = [line(order_status=4), line(order_id="12", order_status=4, main_status=21)]
    order = read(sku_order_list=rows, order_status=4, main_status=22, pay_amount=4000, order_amount=4000)
    assert (order.status, [one.current_quantity for one in order.lines]) == (OrderStatus.CLOSED, [2, 0])


@pytest.mark.parametrize("kind", [2, 4, "5", 6])
def test_vouchers_and_services_are_never_sent(kind: Any) -> None:
    assert not read(sku_order_list=[line(order_type=kind)]).lines[0].physical


def test_nought_is_no_code() -> None:
    row = line(code="", out_sku_id="0", sku_id=0)
    assert [(one.sku, one.listing) for one in read(sku_order_list=[row]).lines] == [(None, None)]


def test_a_part_of_a_set_does_not_leave_by_itself() -> None:
    one = Parcel(carrier="SF", tracking="1", quantities=(("11/1", 1),), shipped_at=NOW)
    refusal = ADAPTER.requests(Ship(key="k", external_id=ORDER_ID, parcels=(one,)))
    assert isinstance(refusal, Refusal)
    assert "name the line" in refusal.sentence


@pytest.mark.parametrize(("changed", "shipping", "discount"), [(300, 800, 0), (-300, 500, 300)])
def test_a_postage_that_the_seller_changed(changed: int, shipping: int, discount: int) -> None:
    total = 2000 + 500 + changed
    found = amounts(post_amount=500, modify_post_amount=changed, order_amount=total, pay_amount=total)
    assert (found.shipping_minor, found.discount_minor, found.imbalance_minor) == (shipping, discount, 0)
    inside = amounts(post_amount=500, modify_post_amount=changed, order_amount=2500, pay_amount=2500)
    assert (inside.shipping_minor, inside.discount_minor, inside.imbalance_minor) == (500, 0, 0)


def test_a_refunded_line_wants_nothing_more() -> None:
    done = {"after_sale_status": 12, "after_sale_type": 2, "refund_status": 3}
    rows = [line(order_status=4, after_sale_info=done), line(order_id="12")]
    order = read(sku_order_list=rows, order_amount=4000, pay_amount=4000)
    assert [one.current_quantity for one in order.lines] == [0, 2]
    assert (order.status, order.payment) == (OrderStatus.OPEN, PaymentStatus.PARTIALLY_REFUNDED)


def test_discounts_name_who_bears_them() -> None:
    coupon = {
        "coupon_id": 9,
        "coupon_name": "满减",
        "coupon_amount": 500,
        "share_discount_cost": {"platform_cost": 300, "shop_cost": 200},
    }
    rows = [
        line(promotion_amount=400, shop_cost_amount=100, only_platform_cost_amount=300),
        line(order_id="12", promotion_amount=150, shop_cost_amount=100, author_cost_amount=50),
    ]
    order = read(
        sku_order_list=rows,
        promotion_amount=550,
        promotion_platform_amount=500,
        promotion_talent_amount=50,
        shop_cost_amount=200,
        only_platform_cost_amount=300,
        author_cost_amount=50,
        promotion_detail={"platform_discount_detail": {"total_amount": 500, "coupon_info": [coupon]}},
        order_amount=4000,
        pay_amount=3450,
    )
    assert order.discounts == (
        Discount(
            discount="9",
            title="满减",
            funder=Funder.SELLER,
            amount_minor=200,
            shares=(share("11", 100), share("12", 100)),
        ),
        Discount(discount="9", title="满减", funder=Funder.PLATFORM, amount_minor=300, shares=(share("11", 300),)),
        Discount(funder=Funder.PARTNER, amount_minor=50, shares=(share("12", 50),)),
    )
    assert order.amounts is not None
    assert (order.amounts.discount_minor, order.amounts.platform_discount_minor) == (550, 300)
    assert order.amounts.imbalance_minor == 0


def share(line_id: str, amount_minor: int) -> DiscountShare:
    return DiscountShare(line=line_id, amount_minor=amount_minor)


def test_discounts_without_bearers_are_by_owner() -> None:
    rows = [line(promotion_amount=100, promotion_platform_amount=100)]
    order = read(sku_order_list=rows, promotion_amount=100, promotion_platform_amount=100, pay_amount=1900)
    assert [(one.funder, one.amount_minor) for one in order.discounts] == [(Funder.PLATFORM, 100)]
    assert order.amounts is not None
    assert order.amounts.platform_discount_minor == 100


def test_what_the_total_is_made_of() -> None:
    found = amounts(post_amount=300, post_promotion_amount=200, packing_amount=50, order_amount=2350, pay_amount=2350)
    assert (found.shipping_minor, found.discount_minor, found.fee_minor, found.imbalance_minor) == (500, 200, 50, 0)
    cheaper = amounts(modify_amount=-150, order_amount=1850, pay_amount=1850)
    assert (cheaper.discount_minor, cheaper.imbalance_minor) == (150, 0)
    inside = amounts(modify_amount=-150)
    assert (inside.discount_minor, inside.imbalance_minor) == (0, 0)
    taxed = amounts(tax_amount=182, order_amount=2182, pay_amount=2182)
    assert (taxed.tax_minor, taxed.taxes_included, taxed.imbalance_minor) == (182, False, 0)
    dearer = amounts(modify_amount=100, post_insurance_amount=5, order_amount=2105, pay_amount=2105)
    assert (dearer.fee_minor, dearer.imbalance_minor) == (105, 0)


def test_money_that_does_not_add_up_is_odd() -> None:
    order = read(order_amount=1999, pay_amount=1999)
    assert [one.code for one in order.oddities] == [OddityCode.MONEY_DOES_NOT_ADD_UP]
    for bad in ("20.00", 20.5, True, None):
        with pytest.raises(InvalidMoney, match=r"\$\.pay_amount is no amount in minor units"):
            read(pay_amount=bad)


def test_a_total_of_a_line_is_authoritative() -> None:
    (found,) = read(sku_order_list=[line(sum_amount=1999)], order_amount=1999, pay_amount=1999).lines
    assert found.amounts is not None
    assert (found.amounts.list_unit_price_minor, found.amounts.gross_minor) == (1000, 1999)


def test_gifts_presale_virtual_goods_and_codes() -> None:
    rows = [
        line(order_id="1", given_product_type="FREE", origin_amount=0, sum_amount=0),
        line(order_id="2", pre_sale_type=1),
        line(order_id="3", trade_type=2),
        line(order_id="4", goods_type=1),
        line(order_id="5", code="", out_sku_id="OUT"),
        line(order_id="6", code=""),
    ]
    order = read(sku_order_list=rows, order_amount=10000, pay_amount=10000)
    assert [(one.gift, one.preorder, one.physical, one.sku) for one in order.lines] == [
        (True, False, True, "MUG"),
        (False, True, True, "MUG"),
        (False, True, True, "MUG"),
        (False, False, False, "MUG"),
        (False, False, True, "OUT"),
        (False, False, True, None),
    ]
    assert [one.code for one in order.oddities] == [OddityCode.NO_ITEM_CODE]


def test_a_deposit_is_paid_before_the_rest() -> None:
    phases = [
        {"phase_order_id": "1", "phase_pay_amount": 500, "phase_pay_time": 1731916560, "pay_success": True},
        {"phase_order_id": "2", "phase_pay_amount": 1500, "phase_pay_time": 0, "pay_success": False},
    ]
    order = read(order_status=1, main_status=103, order_phase_list=phases)
    assert [(one.payment, one.amount_minor) for one in order.payments] == [("1", 500)]


@pytest.mark.parametrize(("counts", "units", "odd"), [(None, 6, 1), ("each", 6, 0), ("all", 3, 0)])
def test_a_set_and_its_parts(counts: Any, units: int, odd: int) -> None:
    part = {"sku_id": "17", "code": "CUP", "product_name": "杯", "item_num": 3}
    adapter = DouyinAdapter(CONFIG.model_copy(update={"bundle_counts": counts}))
    order = adapter.parse_order(json.dumps(document(sku_order_list=[line(bundle_sku_info=[part])])).encode())
    assert [(one.line, one.sku, one.quantity, one.bundle, one.parent) for one in order.lines] == [
        ("11", "MUG", 2, True, None),
        ("11/1", "CUP", units, False, "11"),
    ]
    assert [one.sku for one in order.fulfillable()] == ["CUP"]
    assert len(order.oddities) == odd


def test_receivers_are_encrypted_or_masked_or_plain() -> None:
    place = {
        "province": {"name": "福建省", "id": "35"},
        "city": {"name": "厦门市", "id": "350200"},
        "town": {"name": "思明区", "id": "350203"},
        "street": {"name": "莲前街道", "id": "350203010"},
        "encrypt_detail": "##ciphers#1##",
    }
    secret = {"post_addr": place, "encrypt_post_receiver": "##abc*de=#1##", "encrypt_post_tel": "$$xyz$1$$"}
    masks = {"mask_post_receiver": "王**", "mask_post_tel": "1********21", "mask_post_addr": {"detail": "**路"}}
    address = read(**secret, **masks).deliveries[0].address
    assert address == Address(
        recipient="王**",
        phone="1********21",
        street=("莲前街道", "**路"),
        district="思明区",
        city="厦门市",
        region="福建省",
        country="CN",
        masked=True,
        token='{"detail":"##ciphers#1##","receiver":"##abc*de=#1##","tel":"$$xyz$1$$"}',
    )
    bare = read(**secret).deliveries[0].address
    assert bare is not None
    assert (bare.recipient, bare.street, bare.masked) == (None, ("莲前街道",), True)
    plain = (
        read(post_addr={**place, "encrypt_detail": "", "detail": "1号"}, post_receiver="王小明").deliveries[0].address
    )
    assert plain is not None
    assert (plain.recipient, plain.street, plain.masked, plain.token) == ("王小明", ("莲前街道", "1号"), False, None)
    opened = read(post_addr=place, encrypt_post_receiver="张三").deliveries[0].address
    assert opened is not None
    assert (opened.recipient, opened.masked) == ("张三", True)
    long = read(post_addr={**place, "encrypt_detail": f"##{'a' * 2_000}#1##"})
    assert long.deliveries[0].address is not None
    assert (long.deliveries[0].address.token, long.deliveries[0].address.masked) == (None, True)
    assert [one.path for one in long.oddities] == ["$.post_addr"]
    assert read().deliveries[0].address is None


def test_the_address_of_a_line_serves_where_the_order_has_none() -> None:
    place = {"city": {"name": "厦门市", "id": "1"}}
    address = read(sku_order_list=[line(post_addr=place)]).deliveries[0].address
    assert address is not None
    assert address.city == "厦门市"


def test_lines_reach_the_buyer_in_their_own_ways() -> None:
    rows = [
        line(order_id="1", receive_type=2, store_info={"store_id": "77"}),
        line(order_id="2", receive_type=2, store_info={"store_id": "78"}),
        line(order_id="3", exp_ship_time=1732031999),
        line(order_id="4", exp_ship_time=1732031999),
        line(order_id="5", trade_type=18),
    ]
    order = read(
        sku_order_list=rows,
        order_amount=10000,
        pay_amount=10000,
        earliest_receipt_time=1731920000,
        latest_receipt_time=1731923600,
        user_coordinate={"user_coordinate_longitude": "118.1", "user_coordinate_latitude": "24.5"},
        mask_post_receiver="王**",
    )
    assert [one.delivery for one in order.lines] == [0, 1, 2, 2, 3]
    assert [(one.method, one.pickup_node) for one in order.deliveries] == [
        (DeliveryMethod.PICKUP, "SHA-01"),
        (DeliveryMethod.PICKUP, "78"),
        (DeliveryMethod.SHIP, None),
        (DeliveryMethod.ONE_HOUR, None),
    ]
    assert order.deliveries[2].ship_by == datetime.fromtimestamp(1732031999, UTC)
    assert order.deliveries[3].not_before == datetime.fromtimestamp(1731920000, UTC)
    assert order.deliveries[3].deliver_by == datetime.fromtimestamp(1731923600, UTC)
    address = order.deliveries[3].address
    assert address is not None
    assert address.point is not None
    assert address.point.latitude == 24.5
    with pytest.raises(UnreadableBody, match=r"\$\.sku_order_list\[0\]\.store_info is missing"):
        read(sku_order_list=[line(receive_type=2)])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sku_order_list": []}, r"\$\.sku_order_list is missing or empty"),
        ({"sku_order_list": [line(item_num=-1)]}, r"\$\.sku_order_list\[0\]\.item_num is -1"),
        ({"update_time": 1731986645000}, r"\$\.update_time is 1731986645000, not seconds"),
        ({"create_time": 0}, r"\$\.create_time is missing"),
        ({"order_id": ""}, r"\$\.order_id is missing"),
        ({"sku_order_list": [line(), line()]}, "line ids must be unique"),
        (
            {"sku_order_list": [line(bundle_sku_info=[{"item_num": 0, "code": "A"}])]},
            r"bundle_sku_info\[0\]\.item_num is 0",
        ),
    ],
)
def test_what_cannot_be_read_names_its_place(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        read(**changes)


def test_buyers_and_notes() -> None:
    order = read(doudian_open_id="1@#Vr", buyer_words="快点", seller_words="VIP")
    assert (order.buyer, order.note) == ("1@#Vr", "快点\nVIP")
    assert [one.path for one in read(doudian_open_id="x" * 129).oddities] == ["$.doudian_open_id"]


def test_pushes_say_what_to_fetch() -> None:
    event = ADAPTER.parse_event(*push(message(101, "m-9")))
    assert (event.kind, event.topic, event.event_key, event.subject) == (EventKind.ORDER, "101", "m-9", ORDER_ID)
    assert [(one.url, one.body) for one in event.fetch] == [
        ("https://openapi-fxg.jinritemai.com/order/orderDetail", b'{"shop_order_id":"6936476692437472563"}')
    ]
    refund = ADAPTER.parse_event(*push(message(206, "m-8", aftersale_id="7001")))
    assert (refund.kind, [one.operation for one in refund.fetch]) == (
        EventKind.REFUND,
        ["order.orderDetail", "afterSale.Detail"],
    )
    several = ADAPTER.parse_event(*push(message(), message(206, "m-8", aftersale_id="7001")))
    assert (several.kind, [one.kind for one in several.events]) == (
        EventKind.SEVERAL,
        [EventKind.ORDER, EventKind.REFUND],
    )
    assert several.events[1] == refund
    assert ADAPTER.parse_event(*push(TEST_OF_ADDRESS)).kind is EventKind.OTHER
    assert ADAPTER.parse_event(*push()).kind is EventKind.OTHER
    as_object = json.dumps([{"tag": 110, "msgId": "m-7", "data": {"p_id": "1", "s_ids": ["1"]}}]).encode()
    assert ADAPTER.parse_event({}, as_object).subject == "1"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'[{"tag": "101", "data": "{}"}]', r"\$\.messages\[0\]\.msg_id is missing"),
        (b'[{"tag": "101", "msg_id": "1", "data": "{\\"p_id\\": \\"../1\\"}"}]', r"data\.p_id is no id"),
        (b'[{"tag": "101", "msg_id": "1", "data": "{\\"p_id\\": 1"}]', r"data, read as JSON"),
    ],
)
def test_a_push_that_cannot_be_read(body: bytes, fault: str) -> None:
    with pytest.raises(UnreadableBody, match=fault):
        ADAPTER.parse_event({}, body)


def test_the_signature_is_of_app_key_body_and_secret() -> None:
    headers, body = push(message())
    assert headers["event-sign"] == hashlib.md5(b"3302" + body + b"correct horse").hexdigest()


def refund_document(**changes: Any) -> bytes:
    info = {
        "after_sale_id": 7001,
        "after_sale_status": 6,
        "after_sale_type": 0,
        "refund_status": 1,
        "refund_total_amount": 2400,
        "real_refund_amount": 0,
        "apply_time": 1731916551,
        "update_time": 1731916552,
        "after_sale_apply_count": 2,
        "reason": "不想要了",
    } | changes
    order = {"shop_order_id": int(ORDER_ID), "sku_order_infos": [{"sku_order_id": int(ORDER_ID)}]}
    return json.dumps(
        {"code": 10000, "data": {"process_info": {"after_sale_info": info}, "order_info": order}}
    ).encode()


@pytest.mark.parametrize(
    ("changes", "status", "amount_minor", "returns"),
    [
        ({}, RefundStatus.REQUESTED, 2400, True),
        ({"after_sale_status": 7}, RefundStatus.AGREED, 2400, True),
        ({"after_sale_status": 27, "after_sale_type": 1}, RefundStatus.REFUSED, 2400, False),
        ({"after_sale_status": 12}, RefundStatus.AGREED, 2400, True),
        ({"after_sale_status": 12, "refund_status": 3, "real_refund_amount": 2300}, RefundStatus.DONE, 2300, True),
        ({"after_sale_status": 12, "refund_status": 3, "after_sale_type": 2}, RefundStatus.DONE, 2400, False),
        ({"after_sale_status": 99, "after_sale_type": 99}, RefundStatus.REQUESTED, 2400, None),
    ],
)
def test_refunds(changes: dict[str, Any], status: RefundStatus, amount_minor: int, returns: bool | None) -> None:
    notice = ADAPTER.parse_refund(refund_document(**changes))
    assert (notice.external_id, notice.refund.refund, notice.refund.reason) == (ORDER_ID, "7001", "不想要了")
    assert (notice.refund.status, notice.refund.refunded_to_buyer_minor, notice.returns_goods) == (
        status,
        amount_minor,
        returns,
    )
    assert notice.refund.quantities == ((ORDER_ID, 2),)


def test_refunds_join_their_order() -> None:
    order_body, refund_body = write_douyin_order(fen_order()), refund_document(after_sale_status=99)
    order = ADAPTER.parse_order(order_body, refund_body)
    assert [one.refund for one in order.refunds] == ["7001"]
    assert [one.path for one in order.oddities] == ["$.data.process_info.after_sale_info.after_sale_status"]
    assert order.body_sha256 == hashlib.sha256(order_body + refund_body).hexdigest()
    with pytest.raises(UnreadableBody, match=f"is of order {ORDER_ID}, not 2"):
        ADAPTER.parse_order(write_douyin_order(fen_order(external_id="2")), refund_body)


def test_a_cancellation_is_an_order_that_is_closed() -> None:
    cancelled = fen_order(status=OrderStatus.CANCELLED, cancelled_at=NOON, payment=PaymentStatus.REFUNDED)
    cancellation = ADAPTER.parse_cancellation(write_douyin_order(cancelled))
    assert (cancellation.external_id, cancellation.cancelled_at) == (ORDER_ID, NOON)
    with pytest.raises(UnreadableBody, match="not cancelled"):
        ADAPTER.parse_cancellation(write_douyin_order(fen_order()))


def made(intent: Any) -> tuple[Request, ...]:
    requests = ADAPTER.requests(intent)
    assert not isinstance(requests, Refusal)
    return requests


def refused(intent: Any) -> str:
    refusal = ADAPTER.requests(intent)
    assert isinstance(refusal, Refusal)
    return str(refusal)


def test_calls_are_signed() -> None:
    (call,) = made(FetchOrder(key="k", external_id="42"))
    signed = ADAPTER.sign(call, now=NOW, token="t0k3n")
    query = {key: value[0] for key, value in parse_qs(urlsplit(signed.url).query).items()}
    text = f'app_key3302methodorder.orderDetailparam_json{{"shop_order_id":"42"}}timestamp{query["timestamp"]}v2'
    assert query["timestamp"] == str(int(NOW.timestamp()))
    assert query["sign"] == hmac.new(SECRET.encode(), (SECRET + text + SECRET).encode(), hashlib.sha256).hexdigest()
    assert (query["access_token"], query["sign_method"], query["v"]) == ("t0k3n", "hmac-sha256", "2")
    assert signed.body == call.body
    assert "access_token" not in ADAPTER.sign(call, now=NOW).url


def test_parcels() -> None:
    parcel = Parcel(carrier="shunfeng", tracking="SF1", shipped_at=NOW)
    part = parcel.model_copy(update={"quantities": (("11", 1),)})
    (whole,) = made(Ship(key="k", external_id="42", parcels=(parcel,)))
    assert whole.body == b'{"company_code":"shunfeng","logistics_code":"SF1","order_id":"42"}'
    (several,) = made(Ship(key="k", external_id="42", parcels=(part, part), completes=False))
    assert several.operation == "order.logisticsAddMultiPack"
    found = json.loads(several.body)
    assert found["pack_list"][0]["shipped_order_info"] == [{"shipped_num": 1, "shipped_order_id": "11"}]
    assert list(found) == sorted(found)
    again, other = (
        json.loads(made(Ship(key=key, external_id="42", parcels=(part,)))[0].body)["request_id"] for key in ("k", "l")
    )
    assert again == found["request_id"]
    assert other != again
    assert "must name its lines" in refused(Ship(key="k", external_id="42", parcels=(parcel, part)))
    assert "ids are digits" in refused(Ship(key="k", external_id="4/2", parcels=(parcel,)))


def test_stock() -> None:
    level = StockLevel(listing="2001", product="3001", location="WH-1", units=7)
    (absolute,) = made(SetStock(key="k", levels=(level,), as_of=NOW))
    assert json.loads(absolute.body) == {
        "incremental": False,
        "out_warehouse_id": "WH-1",
        "product_id": 3001,
        "sku_id": 2001,
        "stock_num": 7,
    }
    (relative,) = made(SetStock(key="k", mode=StockMode.RELATIVE, levels=(level,), as_of=NOW))
    found = json.loads(relative.body)
    assert (found["incremental"], len(found["idempotent_id"]), relative.items) == (True, 36, ("2001",))
    assert "are digits" in refused(SetStock(key="k", levels=(StockLevel(listing="x", units=1),), as_of=NOW))


def answered(body: bytes, status: int = 200) -> Answer:
    intent = FetchOrder(key="k", external_id="42")
    return ADAPTER.read_answer(intent, made(intent)[0], Response(status=status, body=body))


def test_answers() -> None:
    assert answered(b'{"code":10000,"msg":"success","data":{}}').ok
    assert answered(b'{"err_no":0,"message":"success"}').ok
    (bad,) = answered('{"code":50002,"msg":"业务处理失败","sub_code":"isv.business-failed:60021"}'.encode()).items
    assert (bad.ok, bad.code, bad.message, bad.retry) == (False, "isv.business-failed:60021", "业务处理失败", False)
    (busy,) = answered(b'{"code":20000,"sub_code":"isp.service-error:70008"}').items
    assert busy.retry
    with pytest.raises(UnreadableBody, match=r"\$\.code is missing"):
        answered(b"{}")


def test_pages_follow_the_last_order_seen() -> None:
    intent = ListChanges(key="k", since=NOW - timedelta(days=1), until=NOW)
    (first,) = made(intent)
    asked = json.loads(first.body)
    assert (asked["page"], asked["size"], asked["order_by"], asked["order_asc"]) == (0, 100, "update_time", True)
    since_s = asked["update_time_start"]
    rows = [document(order_id=str(number), update_time=since_s + number) for number in range(1, 101)]
    page = ADAPTER.read_page(intent, json.dumps({"data": {"shop_order_list": rows}}).encode())
    assert len(page.orders) == 100
    assert page.following is not None
    assert page.following.cursor == f"{since_s + 99}:0"
    assert json.loads(made(page.following)[0].body)["update_time_start"] == since_s + 99
    same = [document(order_id=str(number), update_time=since_s) for number in range(100)]
    stuck = ADAPTER.read_page(intent, json.dumps({"data": {"shop_order_list": same}}).encode())
    assert stuck.following is not None
    assert stuck.following.cursor == f"{since_s}:1"
    last = ADAPTER.read_page(intent, json.dumps({"data": {"shop_order_list": [*rows[:3], {"order_id": "9"}]}}).encode())
    assert (len(last.orders), last.following) == (3, None)
    assert last.unreadable[0][0] == "9"
    assert "cursor is not of a page" in refused(intent.model_copy(update={"cursor": "x:0"}))


CIPHERS = st.just('{"detail":"##d#1##","receiver":"##r#1##","tel":"$$t$1$$"}')
ADDRESSES = st.builds(
    Address,
    recipient=st.none() | WORDS,
    phone=st.none() | WORDS,
    street=st.tuples(WORDS, WORDS),
    district=st.none() | WORDS,
    city=st.none() | WORDS,
    region=st.none() | WORDS,
    country=st.just("CN"),
    token=CIPHERS,
    masked=st.just(True),
)
ORDERS = fen_orders(
    ADDRESSES,
    channel="douyin",
    states=(
        (OrderStatus.OPEN, PaymentStatus.PAID),
        (OrderStatus.CLOSED, PaymentStatus.PAID),
        (OrderStatus.CLOSED, PaymentStatus.REFUNDED),
        (OrderStatus.CANCELLED, PaymentStatus.REFUNDED),
    ),
    methods=tuple(DeliveryMethod),
    funders=(Funder.SELLER, Funder.PLATFORM, Funder.PARTNER),
    line={"gift": st.booleans(), "physical": st.booleans(), "preorder": st.booleans()},
    amounts={"shipping_minor": st.integers(0, 9999), "fee_minor": st.integers(0, 9999)},
    delivery={"ship_by": st.none() | SECONDS, "not_before": st.none() | SECONDS},
    order={"note": st.none() | WORDS, "cancel_reason": st.none() | WORDS, "buyer": st.none() | st.just("1@#x")},
)


@settings(max_examples=60)
@given(ORDERS, st.booleans())
def test_what_is_written_is_read_again(order: Order, paid: bool) -> None:
    assert order.amounts is not None
    paid_at = order.placed_at
    payment = Payment(payment="p1", method="WeChat", amount_minor=order.amounts.total_minor, paid_at=paid_at)
    order = order.model_copy(update={"payments": (payment,) if paid else ()})
    found = ADAPTER.parse_order(write_douyin_order(order))
    assert found.model_copy(update={"body_sha256": None}) == order


def test_refunds_are_read_again() -> None:
    for status in RefundStatus:
        notice = NOTICE.model_copy(update={"refund": NOTICE.refund.model_copy(update={"status": status})})
        assert ADAPTER.parse_refund(write_douyin_refund(notice)) == notice


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"currency": "USD"}, "currency"),
        ({"payment": PaymentStatus.AUTHORISED}, "status or payment"),
        ({"display_number": "1"}, "display_number"),
        ({"refunds": (NOTICE.refund,)}, "refunds"),
        ({"deliveries": (Delivery(service="x"),)}, "service"),
    ],
)
def test_the_writer_says_what_it_would_lose(changes: dict[str, Any], lost: str) -> None:
    with pytest.raises(InvalidInput, match=lost):
        write_douyin_order(fen_order(**changes))
