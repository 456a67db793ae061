"""微信小店's dialect, on documents and notices written by hand after its documentation."""

import hashlib
import json
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels import registry
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
from omo_core.channels.wechat_shop import WechatShopAdapter, WechatShopConfig
from omo_core.channels.wechat_shop_message import decrypted, encrypted, signature
from omo_core.model.errors import ForgedSignature, InvalidInput, StaleSignature, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
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
from omo_core.testing.contracts import ChannelAdapterContract, Signed
from omo_core.testing.samples import NOW, Samples
from omo_core.testing.spoiling import spoilt_bodies
from omo_core.testing.writers import write_wechat_shop_notice, write_wechat_shop_order, write_wechat_shop_refund
from tests.channels.fen_orders import NOON, SECONDS, WORDS, fen_order, fen_orders
from tests.channels.samples import needs_samples

TOKEN = "t0ken"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
APP = "wxb11529c136998cb6"
ADAPTER = WechatShopAdapter(WechatShopConfig(secrets=(TOKEN,), stores={"77": "SHA-01"}))
HIDDEN = WechatShopAdapter(WechatShopConfig(secrets=(TOKEN,), app_id=APP, aes_keys=(KEY,)))
ORDER_ID = 3705115058471208928
TITLES = {Funder.SELLER: "商家优惠", Funder.PARTNER: "达人优惠", Funder.PLATFORM: "平台券优惠"}


def renamed(order: Order) -> Order:
    """The order with line ids and discounts as this platform has them."""
    names = {line.line: f"{line.line}/{line.listing}" for line in order.lines}
    lines = tuple(line.model_copy(update={"line": names[line.line]}) for line in order.lines)
    discounts = tuple(
        one.model_copy(
            update={
                "title": TITLES[one.funder],
                "shares": tuple(share.model_copy(update={"line": names[share.line]}) for share in one.shares),
            }
        )
        for one in order.discounts
    )
    payments = tuple(one.model_copy(update={"method": "WeChat Pay"}) for one in order.payments)
    return order.model_copy(
        update={"channel": "wechat_shop", "lines": lines, "discounts": discounts, "payments": payments}
    )


PLAIN = renamed(fen_order())
NOTICE = RefundNotice(
    channel="wechat_shop",
    external_id=PLAIN.external_id,
    refund=Refund(
        refund="2000000075529920", created_at=NOON, refunded_to_buyer_minor=1150, quantities=((PLAIN.lines[0].line, 1),)
    ),
    updated_at=NOON,
    returns_goods=False,
)


def message(event: str = "channels_ec_order_pay", **about: Any) -> dict[str, Any]:
    return {
        "ToUserName": "gh_1",
        "FromUserName": "OPENID",
        "CreateTime": 1662480000,
        "MsgType": "event",
        "Event": event,
        "order_info": {"order_id": ORDER_ID, "pay_time": 1658509200} | about,
    }


AFTER_SALE = {
    "CreateTime": 1662480000,
    "MsgType": "event",
    "Event": "channels_ec_aftersale_update",
    "finder_shop_aftersale_status_update": {
        "status": "MERCHANT_PROCESSING",
        "after_sale_order_id": "1234567",
        "order_id": "12345",
    },
}
OTHER = {"CreateTime": 1662480000, "MsgType": "event", "Event": "product_spu_listing"}


def notice(document: dict[str, Any], **more: Any) -> Signed:
    return write_wechat_shop_notice(document, secret=TOKEN, sent_at=NOW, **more)


def hidden(document: dict[str, Any], **more: Any) -> Signed:
    return notice(document, aes_key=KEY, app_id=APP, **more)


def echo(secret: str = TOKEN, text: str = "4372163124") -> Signed:
    seconds = str(int(NOW.timestamp()))
    query = f"signature={signature(secret, seconds, '7')}&echostr={text}&timestamp={seconds}&nonce=7"
    return {":path": f"/wechat?{query}"}, b""


class TestPlain(ChannelAdapterContract):
    adapter = ADAPTER
    messages = (notice(message()), notice(AFTER_SALE), notice(OTHER), notice(message(), as_xml=True), echo())
    documents = (
        (write_wechat_shop_order(PLAIN),),
        (write_wechat_shop_order(PLAIN), write_wechat_shop_refund(NOTICE)),
    )
    refunds = (write_wechat_shop_refund(NOTICE),)
    signed_at = NOW
    fuzzed = 5_000
    samples = Samples(modes=(StockMode.ABSOLUTE, StockMode.RELATIVE))


class TestEncrypted(ChannelAdapterContract):
    adapter = HIDDEN
    messages = (hidden(message()), hidden(AFTER_SALE), hidden(message(), as_xml=True), echo())
    documents = ((write_wechat_shop_order(PLAIN),),)
    signed_at = NOW
    fuzzed = 5_000
    samples = Samples(modes=(StockMode.ABSOLUTE, StockMode.RELATIVE))

    def test_nothing_of_an_encrypted_message_can_be_changed(self) -> None:
        headers, body = hidden(message())
        text = json.loads(body)["Encrypt"]
        for place in range(0, len(text), 7):
            other = "A" if text[place] != "A" else "B"
            changed = json.dumps({"Encrypt": text[:place] + other + text[place + 1 :]}).encode()
            with pytest.raises(ForgedSignature):
                HIDDEN.verify(headers, changed)
        for changed in (b"", b"{}", b"null", body[:-1], b'{"Encrypt": ""}', b"<xml/>"):
            with pytest.raises(ForgedSignature):
                HIDDEN.verify(headers, changed)


def test_messages_that_can_be_encrypted_must_be() -> None:
    headers, body = notice(message())
    with pytest.raises(ForgedSignature, match="plain"):
        HIDDEN.verify(headers, body)
    with pytest.raises(UnreadableBody, match=r"\$\.Encrypt is missing"):
        HIDDEN.parse_event(headers, body)


def test_the_path_must_be_one() -> None:
    headers, body = notice(message())
    for path in ("", "wechat?x=1", "/wechat", headers[":path"] + "&nonce=8", headers[":path"].replace("/w", "/é")):
        with pytest.raises(ForgedSignature):
            ADAPTER.verify({":path": path}, body)
    unsure = {":path": f"/?signature={signature(TOKEN, 'x', '7')}&timestamp=x&nonce=7"}
    with pytest.raises(ForgedSignature, match="no time in seconds"):
        ADAPTER.verify(unsure, body)
    with pytest.raises(UnreadableBody, match="no path"):
        ADAPTER.parse_event({}, body)


def test_a_notice_of_another_time_is_stale() -> None:
    headers, body = notice(message())
    ADAPTER.verify(headers, body, now=NOW + timedelta(minutes=4))
    with pytest.raises(StaleSignature):
        ADAPTER.verify(headers, body, now=NOW + timedelta(minutes=6))


def test_a_challenge_is_answered() -> None:
    headers, body = echo()
    ADAPTER.verify(headers, body, now=NOW)
    event = ADAPTER.parse_event(headers, body)
    assert event.kind is EventKind.OTHER
    assert event.reply is not None
    assert event.reply.body == b"4372163124"
    assert ADAPTER.reply.body == b"success"
    with pytest.raises(ForgedSignature):
        ADAPTER.verify(*echo("another token"))
    with pytest.raises(UnreadableBody, match="no challenge"):
        ADAPTER.parse_event(*echo(text="%3Cscript%3E"))


def test_notices_say_what_to_fetch() -> None:
    for written in (notice(message()), notice(message(), as_xml=True)):
        event = ADAPTER.parse_event(*written)
        assert (event.kind, event.topic, event.subject) == (EventKind.ORDER, "channels_ec_order_pay", str(ORDER_ID))
        assert [(one.url, one.body) for one in event.fetch] == [
            ("https://api.weixin.qq.com/channels/ec/order/get", f'{{"order_id":"{ORDER_ID}"}}'.encode())
        ]
    refund = ADAPTER.parse_event(*notice(AFTER_SALE))
    assert (refund.kind, refund.subject) == (EventKind.REFUND, "12345")
    assert [one.operation for one in refund.fetch] == ["order/get", "aftersale/getaftersaleorder"]
    assert ADAPTER.parse_event(*notice(OTHER)).kind is EventKind.OTHER
    with pytest.raises(UnreadableBody, match=r"\$\.order_info\.order_id is no id"):
        ADAPTER.parse_event(*notice(message(order_id="1/2")))
    with pytest.raises(UnreadableBody, match=r"\$\.xml\.order_info\.order_id is no id"):
        ADAPTER.parse_event(*notice(message(order_id="x"), as_xml=True))


def test_a_notice_that_is_encrypted_anew_is_the_same_notice() -> None:
    first = HIDDEN.parse_event(*hidden(message()))
    headers, body = write_wechat_shop_notice(
        message(), secret=TOKEN, sent_at=NOW + timedelta(seconds=9), aes_key=KEY, app_id=APP
    )
    assert body != hidden(message())[1]
    assert HIDDEN.parse_event(headers, body) == first
    assert first.event_key == ADAPTER.parse_event(*notice(message())).event_key


def test_keys_may_be_changed_and_apps_may_not() -> None:
    headers, body = hidden(message())
    new = KEY[::-1]
    both = WechatShopAdapter(HIDDEN.config.model_copy(update={"aes_keys": (new, KEY)}))
    assert both.parse_event(headers, body) == HIDDEN.parse_event(headers, body)
    for changes in ({"aes_keys": (new,)}, {"app_id": "wx0"}):
        other = WechatShopAdapter(HIDDEN.config.model_copy(update=changes))
        with pytest.raises(UnreadableBody, match=r"\$\.Encrypt cannot be decrypted"):
            other.parse_event(headers, body)
    for text, fault in (("é", "no base64"), ("QUJD", "cut short"), ("", "missing")):
        with pytest.raises(UnreadableBody, match=fault):
            HIDDEN.parse_event(headers, json.dumps({"Encrypt": text}).encode())
    with pytest.raises(InvalidInput, match="aes_keys"):
        registry.adapter("wechat_shop", {"aes_keys": ["too short"]})


def test_without_cryptography_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(InvalidInput, match=r"pip install 'omo-core\[crypto\]'"):
        HIDDEN.parse_event(*_HIDDEN_ONE)


_HIDDEN_ONE = hidden(message())


def test_spoilt_ciphertexts_are_refused_in_a_sentence() -> None:
    text = encrypted(b'{"MsgType": "event"}', key=KEY, app_id=APP, random=b"aaaabbbbccccdddd")
    for spoilt in spoilt_bodies([text.encode()], 500):
        if spoilt != text.encode():
            with suppress(UnreadableBody):
                # CBC has no checksum: a changed first block changes only the random bytes, which mean nothing.
                assert decrypted(spoilt.decode("latin-1"), HIDDEN.config)


@needs_samples
def test_published_vectors(channel_facts: Path) -> None:
    vectors = {one["id"]: one for one in json.loads((channel_facts / "signature_vectors.json").read_text("utf-8"))}
    sha1, aes = vectors["wechat_sha1_1"], vectors["wechat_aes_1"]
    assert signature(sha1["parts"][0], *sha1["parts"][1:]) == sha1["expected"]
    hidden_text = encrypted(aes["body"].encode(), key=aes["key"], app_id=aes["app_id"], random=aes["random"].encode())
    assert hidden_text == aes["expected"]
    config = WechatShopConfig(app_id=aes["app_id"], aes_keys=(aes["key"],))
    assert decrypted(aes["expected"], config).decode() == aes["body"]


def line(**changes: Any) -> dict[str, Any]:
    return {
        "product_id": "10000043902725",
        "sku_id": "1247535030",
        "sku_code": "MUG",
        "sku_cnt": 2,
        "sale_price": 1000,
        "real_price": 2000,
        "on_aftersale_sku_cnt": 0,
        "finish_aftersale_sku_cnt": 0,
    } | changes


def document(detail: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An order of 2 × 10.00 for 20.00."""
    parts = {
        "product_infos": [line()],
        "price_info": {"product_price": 2000, "order_price": 2000, "freight": 0},
        "pay_info": {"pay_time": 1691396011, "payment_method": 1, "transaction_id": "42"},
        "delivery_info": {"deliver_method": 0},
    }
    return {
        "order_id": 3713475752656242688,
        "create_time": 1691395994,
        "update_time": 1691568871,
        "status": 20,
        "order_detail": parts | (detail or {}),
    } | changes


def read(detail: dict[str, Any] | None = None, **changes: Any) -> Order:
    return ADAPTER.parse_order(json.dumps(document(detail, **changes)).encode())


def amounts(detail: dict[str, Any]) -> OrderAmounts:
    found = read(detail).amounts
    assert found is not None
    return found


def test_a_plain_order() -> None:
    order = read(openid="o1")
    assert (order.external_id, order.buyer, order.currency) == ("3713475752656242688", "o1", "CNY")
    assert order.source_version == 1691568871 * 1_000_000
    assert (order.status, order.payment, order.hold_reason) == (OrderStatus.OPEN, PaymentStatus.PAID, None)
    assert [(one.line, one.sku, one.listing) for one in order.lines] == [
        ("10000043902725/1247535030", "MUG", "1247535030")
    ]
    paid_at = datetime.fromtimestamp(1691396011, UTC)
    assert order.payments == (Payment(payment="42", method="WeChat Pay", amount_minor=2000, paid_at=paid_at),)
    for wrapped in ({"errcode": 0, "order": document()}, {"IsSuccess": True, "Data": document()}):
        assert ADAPTER.parse_order(json.dumps(wrapped).encode()).external_id == order.external_id
    with pytest.raises(UnreadableBody, match="answered errcode '40001', 'invalid credential'"):
        ADAPTER.parse_order(b'{"errcode": 40001, "errmsg": "invalid credential"}')


@pytest.mark.parametrize(
    ("changes", "status", "payment", "hold"),
    [
        ({"status": 10, "pay": {}}, "open", "pending", "待付款"),
        ({"status": 12}, "open", "paid", "礼物待收下"),
        ({"status": 13}, "open", "paid", "待成团"),
        ({"status": 15}, "open", "paid", "拼团等待成团"),
        ({"status": 16}, "open", "paid", "等待商家接单"),
        ({"status": 17, "intra_city_order_info": {"shop_id": "9"}}, "open", "paid", None),
        ({"status": 20}, "open", "paid", None),
        ({"status": 20, "pay": {"payment_method": 2}}, "open", "authorised", None),
        ({"status": 21}, "open", "paid", None),
        ({"status": 30}, "closed", "paid", None),
        ({"status": 100}, "closed", "paid", None),
        ({"status": 190}, "cancelled", "paid", None),
        ({"status": 200}, "cancelled", "refunded", None),
        ({"status": 200, "sent": 1691396013}, "closed", "refunded", None),
        ({"status": 250, "pay": {}}, "cancelled", "voided", None),
        ({"status": "250"}, "cancelled", "paid", None),
    ],
)
def test_states(changes: dict[str, Any], status: str, payment: str, hold: str | None) -> None:
    detail: dict[str, Any] = {"delivery_info": {"ship_done_time": changes.pop("sent", 0)}}
    if "pay" in changes:
        detail["pay_info"] = changes.pop("pay")
    order = read(detail, **changes)
    assert (order.status, order.payment, order.hold_reason) == (status, payment, hold)
    assert not order.oddities


def test_an_unknown_state_is_odd_and_the_order_stays_open() -> None:
    order = read(status=14)
    assert (order.status, [one.code for one in order.oddities]) == (OrderStatus.OPEN, [OddityCode.UNKNOWN_STATE])


def test_what_holds_an_order() -> None:
    assert read(aftersale_detail={"on_aftersale_order_cnt": 1}).hold_reason == "售后处理中"
    asks = {"delivery_info": {"address_under_review": {"user_name": "x"}}}
    assert read(asks).hold_reason == "买家申请修改收货地址"


def test_what_was_refunded_is_no_longer_wanted() -> None:
    order = read({"product_infos": [line(finish_aftersale_sku_cnt=1)]})
    assert (order.lines[0].current_quantity, order.payment) == (1, PaymentStatus.PARTIALLY_REFUNDED)
    whole = read({"product_infos": [line(finish_aftersale_sku_cnt=2)]}, status=250)
    assert (whole.lines[0].current_quantity, whole.payment) == (0, PaymentStatus.REFUNDED)


def parcel_of(**counts: int) -> dict[str, Any]:
    infos = [{"product_id": "10000043902725", "sku_id": sku[1:], "product_cnt": n} for sku, n in counts.items()]
    return {"waybill_id": "SF1", "delivery_id": "SF", "product_infos": infos}


def test_what_was_refunded_after_it_left_is_gone_all_the_same() -> None:
    sent = {"deliver_method": 0, "delivery_product_info": [parcel_of(_1247535030=2)]}
    other = line(sku_id="7", finish_aftersale_sku_cnt=1)
    rows = [line(finish_aftersale_sku_cnt=2), other]
    order = read({"product_infos": rows, "delivery_info": sent}, status=21)
    assert [one.current_quantity for one in order.lines] == [2, 1]
    assert order.payment is PaymentStatus.PARTIALLY_REFUNDED
    all_sent = {"deliver_method": 0, "ship_done_time": 1691396013}
    whole = read({"product_infos": [line(finish_aftersale_sku_cnt=2)], "delivery_info": all_sent}, status=200)
    assert (whole.status, whole.payment) == (OrderStatus.CLOSED, PaymentStatus.REFUNDED)
    assert whole.lines[0].current_quantity == 2


def test_parcels_are_counted_once_where_two_lines_are_of_the_same_goods() -> None:
    sent = {"deliver_method": 0, "delivery_product_info": [parcel_of(_1247535030=3)]}
    rows = [line(finish_aftersale_sku_cnt=2), line(finish_aftersale_sku_cnt=2, is_free_gift=True)]
    order = read({"product_infos": rows, "delivery_info": sent}, status=21)
    assert [one.current_quantity for one in order.lines] == [2, 1]


def test_an_after_sale_of_a_line_holds_the_goods_too() -> None:
    assert read({"product_infos": [line(on_aftersale_sku_cnt=1)]}).hold_reason == "售后处理中"


def test_goods_to_be_collected_nowhere_are_odd() -> None:
    order = read(status=17)
    assert (order.deliveries[0].method, [one.code for one in order.oddities]) == ("ship", [OddityCode.ODD_VALUE])


def test_what_a_line_costs_after_all_is_authoritative() -> None:
    rows = [
        line(real_price=1500, merchant_discounted_price=200, cash_coupon_discounted_price=300),
        line(sku_id="2", sku_cnt=1, real_price=1000),
    ]
    price = {
        "product_price": 3000,
        "order_price": 3000,
        "freight": 500,
        "merchant_discounted_price": 200,
        "discounted_price": 200,
        "cash_coupon_discounted_price": 300,
    }
    order = read({"product_infos": rows, "price_info": price})
    assert order.amounts is not None
    assert (order.amounts.discount_minor, order.amounts.platform_discount_minor, order.amounts.imbalance_minor) == (
        500,
        300,
        0,
    )
    assert [
        (one.title, one.funder, one.amount_minor, [s.amount_minor for s in one.shares]) for one in order.discounts
    ] == [
        ("商家优惠", Funder.SELLER, 200, [200]),
        ("平台券优惠", Funder.PLATFORM, 300, [300]),
    ]
    without = line(merchant_discounted_price=200)
    del without["real_price"]
    found = amounts({"product_infos": [without], "price_info": {"order_price": 1800, "discounted_price": 200}})
    assert (found.discount_minor, found.imbalance_minor) == (200, 0)
    changed = {"order_price": 2100, "freight": 500, "is_change_freight": True, "change_freight": 100}
    assert (amounts({"price_info": changed}).shipping_minor, amounts({"price_info": changed}).imbalance_minor) == (
        100,
        0,
    )
    down = read(
        {"product_infos": [line(real_price=1900)], "price_info": {"order_price": 1900, "change_down_price": 100}}
    )
    assert [(one.title, one.amount_minor) for one in down.discounts] == [("改价", 100)]


def test_money_that_does_not_add_up_is_odd() -> None:
    order = read({"price_info": {"order_price": 1999}})
    assert [one.code for one in order.oddities] == [OddityCode.MONEY_DOES_NOT_ADD_UP]


def test_gifts_presale_and_virtual_goods() -> None:
    rows = [
        line(),
        line(is_free_gift=1, real_price=0),
        line(sku_id="2", sku_deliver_info={"stock_type": 1, "predict_delivery_time": "1692000000"}),
    ]
    order = read({"product_infos": rows, "price_info": {"order_price": 4000}})
    assert [(one.line.partition("/")[2], one.gift, one.preorder, one.physical) for one in order.lines] == [
        ("1247535030", False, False, True),
        ("1247535030/2", True, False, True),
        ("2", False, True, True),
    ]
    assert order.deliveries[0].not_before == datetime.fromtimestamp(1692000000, UTC)
    virtual = read({"delivery_info": {"deliver_method": 3}})
    assert [one.physical for one in virtual.lines] == [False]


def test_receivers() -> None:
    plain = {
        "user_name": "王小明",
        "tel_number": "13000000000",
        "detail_info": "中山路1号",
        "house_number": "2楼",
        "county_name": "思明区",
        "city_name": "厦门市",
        "province_name": "福建省",
        "postal_code": "361000",
        "hash_code": "h1",
    }
    address = read({"delivery_info": {"address_info": plain}}).deliveries[0].address
    assert address == Address(
        recipient="王小明",
        phone="13000000000",
        street=("中山路1号", "2楼"),
        district="思明区",
        city="厦门市",
        region="福建省",
        postal_code="361000",
        country="CN",
    )
    masked = read({"delivery_info": {"address_info": plain | {"user_name": "王**"}}}).deliveries[0].address
    assert masked is not None
    assert (masked.masked, masked.token) == (True, "h1")
    extra = {"real_tel_number": "130****0000", "virtual_tel_number": "15000000000-1234"}
    called = plain | {"use_tel_number": 1, "tel_number": "130****0000", "tel_number_ext_info": extra}
    virtual = read({"delivery_info": {"address_info": called}}).deliveries[0].address
    assert virtual is not None
    assert (virtual.phone, virtual.masked) == ("15000000000-1234", False)


def test_orders_of_a_store() -> None:
    city = {"shop_id": "77", "predict_arrive_start_time": 1691396100, "predict_arrive_end_time": 1691399700}
    brought = read(intra_city_order_info=city).deliveries[0]
    assert (brought.method, brought.pickup_node) == (DeliveryMethod.ONE_HOUR, None)
    assert brought.deliver_by == datetime.fromtimestamp(1691399700, UTC)
    collected = read(status=17, intra_city_order_info=city).deliveries[0]
    assert (collected.method, collected.pickup_node) == (DeliveryMethod.PICKUP, "SHA-01")


def test_deadlines_may_be_times_or_durations() -> None:
    rows = [
        line(delivery_deadline=1691999999),
        line(sku_id="2", delivery_deadline=1691888888),
        line(sku_id="3", delivery_deadline=2),
    ]
    order = read({"product_infos": rows, "price_info": {"order_price": 6000}})
    assert order.deliveries == (Delivery(ship_by=datetime.fromtimestamp(1691888888, UTC)),)


@pytest.mark.parametrize(
    ("detail", "changes", "fault"),
    [
        ({"product_infos": []}, {}, r"\$\.order_detail\.product_infos is missing"),
        ({"product_infos": [line(sku_cnt=0)]}, {}, r"product_infos\[0\]\.sku_cnt is 0"),
        ({"price_info": {"order_price": 20.5}}, {}, r"price_info\.order_price is no amount"),
        ({}, {"update_time": 1691568871000}, r"\$\.update_time is 1691568871000, not seconds"),
        ({}, {"order_detail": None}, r"\$\.order is missing"),
    ],
)
def test_what_cannot_be_read_names_its_place(detail: dict[str, Any], changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        read(detail, **changes)


def refund_document(**changes: Any) -> bytes:
    found = {
        "after_sale_order_id": 2000000075529920,
        "order_id": "12345",
        "status": "MERCHANT_PROCESSING",
        "type": "RETURN",
        "create_time": 1691395994,
        "update_time": 1691395995,
        "reason": "NO_LONGER_WANT",
        "product_info": {"product_id": "1", "sku_id": "2", "count": 3},
        "refund_info": {"amount": 1150},
    } | changes
    return json.dumps({"errcode": 0, "after_sale_order": found}).encode()


@pytest.mark.parametrize(
    ("changes", "status", "returns"),
    [
        ({}, RefundStatus.REQUESTED, True),
        ({"status": "USER_WAIT_RETURN"}, RefundStatus.AGREED, True),
        ({"status": "MERCHANT_REJECT_RETURN"}, RefundStatus.REFUSED, True),
        ({"status": "USER_CANCELD"}, RefundStatus.REFUSED, True),
        ({"status": "MERCHANT_REFUND_SUCCESS", "type": "REFUND"}, RefundStatus.DONE, False),
        ({"status": "MERCHANT_EXCHANGE_SUCCESS", "type": "EXCHANGE"}, RefundStatus.DONE, True),
        ({"status": "SOMETHING_NEW", "type": "NEW"}, RefundStatus.REQUESTED, None),
    ],
)
def test_refunds(changes: dict[str, Any], status: RefundStatus, returns: bool | None) -> None:
    found = ADAPTER.parse_refund(refund_document(**changes))
    assert (found.external_id, found.refund.refund, found.refund.reason) == (
        "12345",
        "2000000075529920",
        "NO_LONGER_WANT",
    )
    assert (found.refund.status, found.returns_goods, found.refund.refunded_to_buyer_minor) == (status, returns, 1150)
    assert found.refund.quantities == (("1/2", 3),)


def test_refunds_join_their_order() -> None:
    order_body, refund_body = json.dumps(document(order_id=12345)).encode(), refund_document(status="SOMETHING_NEW")
    order = ADAPTER.parse_order(order_body, refund_body)
    assert [one.refund for one in order.refunds] == ["2000000075529920"]
    assert [one.path for one in order.oddities] == ["$.after_sale_order.status"]
    assert order.body_sha256 == hashlib.sha256(order_body + refund_body).hexdigest()
    with pytest.raises(UnreadableBody, match="is of order 12345, not 6936476692437472563"):
        ADAPTER.parse_order(write_wechat_shop_order(PLAIN), refund_body)


def made(intent: Any) -> tuple[Request, ...]:
    requests = ADAPTER.requests(intent)
    assert not isinstance(requests, Refusal)
    return requests


def refused(intent: Any) -> str:
    refusal = ADAPTER.requests(intent)
    assert isinstance(refusal, Refusal)
    return str(refusal)


def test_the_access_token_goes_into_the_query() -> None:
    (call,) = made(FetchOrder(key="k", external_id="42"))
    signed = ADAPTER.sign(call, now=NOW, token="a+b")
    assert parse_qs(urlsplit(signed.url).query) == {"access_token": ["a+b"]}
    assert ADAPTER.sign(call, now=NOW) == call
    assert "digits" in refused(FetchOrder(key="k", external_id="42?x"))


def test_stock_is_set_raised_and_lowered() -> None:
    def sent(mode: StockMode, units: int) -> tuple[int, int]:
        level = StockLevel(listing="2001", product="3001", units=units)
        (call,) = made(SetStock(key="k", mode=mode, levels=(level,), as_of=NOW))
        found = json.loads(call.body)
        assert (found["product_id"], found["sku_id"], call.items) == ("3001", "2001", ("2001",))
        return found["diff_type"], found["num"]

    assert sent(StockMode.ABSOLUTE, 7) == (3, 7)
    assert sent(StockMode.RELATIVE, 7) == (1, 7)
    assert sent(StockMode.RELATIVE, -7) == (2, 7)
    assert "its product" in refused(SetStock(key="k", levels=(StockLevel(listing="1", units=1),), as_of=NOW))


def test_parcels() -> None:
    parcel = Parcel(carrier="SF", tracking="SF1", quantities=(("1/2", 3),), shipped_at=NOW)
    (call,) = made(Ship(key="k", external_id="42", parcels=(parcel, parcel), completes=False))
    first = json.loads(call.body)["delivery_list"][0]
    assert first == {
        "delivery_id": "SF",
        "waybill_id": "SF1",
        "deliver_type": 1,
        "product_infos": [{"product_id": "1", "sku_id": "2", "product_cnt": 3}],
    }
    bare = parcel.model_copy(update={"quantities": ()})
    assert "must name its lines" in refused(Ship(key="k", external_id="42", parcels=(bare, parcel)))
    odd = parcel.model_copy(update={"quantities": (("1-2", 1),)})
    assert "product/sku" in refused(Ship(key="k", external_id="42", parcels=(odd,)))
    assert "digits" in refused(Ship(key="k", external_id="x", parcels=(parcel,)))


def test_pages_of_ids() -> None:
    intent = ListChanges(key="k", since=NOW - timedelta(days=1), until=NOW)
    (call,) = made(intent)
    asked = json.loads(call.body)
    assert asked["update_time_range"]["end_time"] - asked["update_time_range"]["start_time"] == 86_400
    body = b'{"errcode": 0, "order_id_list": ["1", 3713475752656242688], "next_key": "n1", "has_more": true}'
    page = ADAPTER.read_page(intent, body)
    assert [one.external_id for one in page.references] == ["1", "3713475752656242688"]
    assert page.following is not None
    assert json.loads(made(page.following)[0].body)["next_key"] == "n1"
    last = b'{"errcode": 0, "order_id_list": [], "next_key": "n2", "has_more": false}'
    assert ADAPTER.read_page(intent, last).following is None
    for bad in (b'{"errcode": 40001}', b'{"order_id_list": {}}', b'{"order_id_list": [null]}'):
        with pytest.raises(UnreadableBody):
            ADAPTER.read_page(intent, bad)
    assert "seconds at a time" in refused(intent.model_copy(update={"since": NOW - timedelta(days=8)}))


def answered(body: bytes) -> Answer:
    intent = FetchOrder(key="k", external_id="42")
    return ADAPTER.read_answer(intent, made(intent)[0], Response(status=200, body=body))


def test_answers() -> None:
    assert answered(b'{"errcode": 0, "errmsg": "ok"}').ok
    (bad,) = answered(b'{"errcode": 10020052, "errmsg": "no such order"}').items
    assert (bad.ok, bad.code, bad.message, bad.retry) == (False, "10020052", "no such order", False)
    assert [answered(f'{{"errcode": {code}}}'.encode()).items[0].retry for code in (-1, 45009, 45011)] == [True] * 3
    with pytest.raises(UnreadableBody, match=r"\$\.errcode is missing"):
        answered(b"{}")


ADDRESSES = st.builds(
    Address,
    recipient=st.none() | WORDS,
    phone=st.none() | WORDS,
    street=st.tuples(WORDS, WORDS),
    district=st.none() | WORDS,
    city=st.none() | WORDS,
    region=st.none() | WORDS,
    postal_code=st.none() | WORDS,
    country=st.just("CN"),
).map(
    lambda one: (
        one.model_copy(update={"masked": True, "token": "h1"})
        if "*" in f"{one.recipient}{one.phone}{''.join(one.street)}"
        else one
    )
)
ORDERS = fen_orders(
    ADDRESSES,
    channel="wechat_shop",
    states=(
        (OrderStatus.OPEN, PaymentStatus.PAID),
        (OrderStatus.CLOSED, PaymentStatus.PAID),
        (OrderStatus.CANCELLED, PaymentStatus.REFUNDED),
    ),
    methods=(DeliveryMethod.SHIP, DeliveryMethod.ONE_HOUR),
    funders=(Funder.SELLER, Funder.PARTNER, Funder.PLATFORM),
    line={"gift": st.booleans(), "preorder": st.booleans()},
    amounts={"shipping_minor": st.integers(0, 9999)},
    order={"note": st.none() | WORDS, "buyer": st.none() | st.just("o1")},
)


@settings(max_examples=60)
@given(ORDERS, st.none() | SECONDS, st.none() | SECONDS)
def test_what_is_written_is_read_again(order: Order, start: datetime | None, end: datetime | None) -> None:
    order = renamed(order)
    if order.deliveries[0].method is DeliveryMethod.ONE_HOUR:
        way = order.deliveries[0].model_copy(update={"not_before": start, "deliver_by": end})
        order = order.model_copy(update={"deliveries": (way,)})
    found = ADAPTER.parse_order(write_wechat_shop_order(order))
    assert found.model_copy(update={"body_sha256": None}) == order


def test_refunds_are_read_again() -> None:
    for status in RefundStatus:
        written = NOTICE.model_copy(update={"refund": NOTICE.refund.model_copy(update={"status": status})})
        assert ADAPTER.parse_refund(write_wechat_shop_refund(written)) == written


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"currency": "USD"}, "currency"),
        ({"payment": PaymentStatus.PARTIALLY_PAID}, "status or payment"),
        ({"lines": fen_order().lines, "discounts": ()}, "line ids"),
        ({"deliveries": (Delivery(method=DeliveryMethod.PICKUP, pickup_node="x"),)}, "deliveries"),
    ],
)
def test_the_writer_says_what_it_would_lose(changes: dict[str, Any], lost: str) -> None:
    with pytest.raises(InvalidInput, match=lost):
        write_wechat_shop_order(PLAIN.model_copy(update=changes))
