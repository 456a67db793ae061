"""Meituan's dialect, on forms written by hand after its documentation."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.intents import (
    Acknowledge,
    Answer,
    AnswerRefund,
    CancelOrder,
    FetchOrder,
    Intent,
    ListChanges,
    Request,
    Response,
    SetStock,
    StockLevel,
)
from omo_core.channels.meituan import MeituanAdapter, MeituanConfig
from omo_core.channels.port import Cancellation, EventKind, RefundNotice
from omo_core.model.errors import ForgedSignature, InvalidInput, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Discount,
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
from omo_core.testing.writers import (
    write_meituan_cancellation,
    write_meituan_order,
    write_meituan_push,
    write_meituan_refund,
)
from omo_core.testing.writers.meituan import meituan_order_fields
from tests.channels.fen_orders import CODES, NOON, SECONDS, WORDS, fen_order, fen_orders

SECRET = "correct horse"
URL = "https://example.com/meituan"
CONFIG = MeituanConfig(
    app_id="378", push_url=URL, secrets=(SECRET,), stores={"poi_7": "STORE-7"}, cancel_reason_code="2007"
)
ADAPTER = MeituanAdapter(CONFIG)
RIDER = Address(recipient="王小明", phone="13800000000_1234", street=("中山路1号",), country="CN")


def local(order: Order) -> Order:
    """The order as this platform has it: its own line ids, a store, one payment of the total."""
    lines = tuple(
        line.model_copy(update={"line": f"F{line.line}/{line.listing}", "sku": line.listing}) for line in order.lines
    )
    (delivery,) = order.deliveries
    payments: tuple[Payment, ...] = ()
    if order.payment is PaymentStatus.PAID and order.amounts:
        payments = (Payment(method="online", amount_minor=order.amounts.total_minor, paid_at=order.placed_at),)
    changes: dict[str, Any] = {
        "channel": "meituan",
        "lines": lines,
        "payments": payments,
        "deliveries": (delivery.model_copy(update={"pickup_node": delivery.pickup_node or "poi_1"}),),
    }
    return order.model_copy(update=changes)


def plain_order() -> Order:
    """2 × 12.50 + 1 × 10.00 + boxes 2.00 + delivery 5.00, less 3.00 of the seller and 1.00 of the platform."""
    found = fen_order()
    lines = tuple(
        line.model_copy(
            update={"amounts": line.amounts and line.amounts.model_copy(update={"discount_minor": 0}), "title": "茶 +1"}
        )
        for line in found.lines
    )
    amounts = OrderAmounts(
        taxes_included=True,
        line_gross_minor=3500,
        discount_minor=400,
        platform_discount_minor=100,
        shipping_minor=500,
        fee_minor=200,
        total_minor=3800,
    )
    discounts = (
        Discount(discount="11", title="满减", funder=Funder.SELLER, amount_minor=300),
        Discount(title="减配送费", funder=Funder.PLATFORM, amount_minor=100, shipping_minor=100),
    )
    changes: dict[str, Any] = {
        "lines": lines,
        "amounts": amounts,
        "discounts": discounts,
        "deliveries": (Delivery(method=DeliveryMethod.ONE_HOUR, address=RIDER),),
        "display_number": "14069472706963755",
        "note": "少冰",
    }
    return local(found.model_copy(update=changes))


PLAIN = plain_order()
FIELDS = meituan_order_fields(PLAIN)
PART = RefundNotice(
    channel="meituan",
    external_id=PLAIN.external_id,
    refund=Refund(
        refund="65295873034",
        created_at=NOON,
        refunded_to_buyer_minor=1250,
        quantities=((PLAIN.lines[0].line, 1),),
        status=RefundStatus.REQUESTED,
        reason="不想要了",
    ),
    updated_at=NOON + timedelta(seconds=1),
)
GONE = Cancellation(
    channel="meituan", external_id=PLAIN.external_id, source_version=1, cancelled_at=NOON, reason="用户取消"
)
ORDER_PUSH = write_meituan_order(PLAIN, secret=SECRET, push_url=URL)
PART_PUSH = write_meituan_refund(PART, secret=SECRET, push_url=URL)
WHOLE_PUSH = write_meituan_refund(PART, secret=SECRET, push_url=URL, whole=True)
CANCEL_PUSH = write_meituan_cancellation(GONE, secret=SECRET, push_url=URL)


def answer_of(fields: dict[str, Any]) -> bytes:
    """As order/getOrderDetail gives it."""
    return json.dumps({"data": fields}, ensure_ascii=False).encode()


class TestContract(ChannelAdapterContract):
    adapter = ADAPTER
    signed = (ORDER_PUSH, PART_PUSH, WHOLE_PUSH, CANCEL_PUSH)
    documents = ((ORDER_PUSH[1],), (answer_of(FIELDS),))
    cancellations = (CANCEL_PUSH[1],)
    refunds = (PART_PUSH[1],)
    fuzzed = 10_000
    samples = Samples(location="test_poi_01")


def read(**changes: Any) -> Order:
    return ADAPTER.parse_order(answer_of(FIELDS | changes))


def codes(order: Order) -> list[tuple[OddityCode, str]]:
    return [(one.code, one.path) for one in order.oddities]


def food(**changes: Any) -> dict[str, Any]:
    return {"app_food_code": "F1", "sku_id": "S1", "food_name": "茶", "quantity": 1, "price": 12.5} | changes


def rows(*given: dict[str, Any]) -> dict[str, Any]:
    """The fields of an order of these lines and nothing else."""
    total = sum(one["quantity"] * float(one["price"]) for one in given)
    money = {"total": total, "original_price": total, "shipping_fee": 0, "extras": ""}
    return {"detail": json.dumps(given)} | money


@pytest.mark.parametrize(("count", "price", "fee"), [(0.5, 1, 50), ("1.0", "2", 200), (0.33, 0.5, 17), (None, 1, 0)])
def test_units_may_share_a_box(count: Any, price: Any, fee: int) -> None:
    total = 12.5 + fee / 100
    order = read(**rows(food(box_num=count, box_price=price)) | {"total": total, "original_price": total})
    assert order.amounts is not None
    assert (order.amounts.fee_minor, order.amounts.imbalance_minor) == (fee, 0)


@pytest.mark.parametrize(("word", "payment"), [(2, "paid"), ("1", "pending"), (None, "unknown"), ("", "unknown")])
def test_what_is_not_told_of_the_payment_is_not_known(word: Any, payment: str) -> None:
    order = read(pay_type=word)
    assert (order.payment, codes(order)) == (payment, [])
    assert bool(order.payments) == (payment == "paid")


def test_a_way_to_pay_that_is_not_known_is_odd() -> None:
    order = read(pay_type=9)
    assert (order.payment, codes(order)) == (PaymentStatus.UNKNOWN, [(OddityCode.UNKNOWN_STATE, "$.data.pay_type")])


def test_a_push_is_read_whole() -> None:
    headers, body = ORDER_PUSH
    ADAPTER.verify(headers, body)
    event = ADAPTER.parse_event(headers, body)
    assert (event.kind, event.subject, event.fetch) == (EventKind.ORDER, PLAIN.external_id, ())
    assert event.order is not None
    assert event.order.model_copy(update={"body_sha256": None}) == PLAIN
    assert event.order.body_sha256 == hashlib.sha256(body).hexdigest()
    assert ADAPTER.reply.body == b'{"data":"ok"}'


def test_a_push_sent_again_is_the_same_event() -> None:
    keys = []
    for second in (1, 2):
        pushed = write_meituan_push(FIELDS | {"timestamp": second}, secret=SECRET, push_url=URL)
        keys.append(ADAPTER.parse_event(*pushed).event_key)
    assert keys[0] == keys[1]
    changed = write_meituan_push(FIELDS | {"status": 8}, secret=SECRET, push_url=URL)
    assert ADAPTER.parse_event(*changed).event_key != keys[0]


def test_the_signature_is_over_the_address_and_either_encoding() -> None:
    fields = {"order_id": "1", "reason": "不 要+"}
    signed_text = f"{URL}?order_id=1&reason=不 要+{SECRET}"
    decoded = {**fields, "sig": hashlib.md5(signed_text.encode(), usedforsecurity=False).hexdigest()}
    once = urlencode(decoded).encode()
    twice = urlencode({name: urlencode({"": value})[1:] for name, value in decoded.items()}).encode()
    for body in (once, twice):
        ADAPTER.verify({}, body)
    with pytest.raises(ForgedSignature):
        MeituanAdapter(CONFIG.model_copy(update={"push_url": URL + "/other"})).verify({}, once)
    with pytest.raises(ForgedSignature):
        ADAPTER.verify({}, once.replace(b"order_id=1", b"order_id=2"))
    for bad in (b"", b"order_id=1", b"sig=&order_id=1", b"\xff", b"a=%25ff&sig=0"):
        with pytest.raises(ForgedSignature):
            ADAPTER.verify({}, bad)


@pytest.mark.parametrize("twice", [True, False])
@pytest.mark.parametrize("name", ["Tom Lee", "Tom+Lee", "100%", "50%25", "赵 (女士)", "+86 138", "a&b=c"])
def test_fields_are_decoded_as_often_as_they_are_encoded(twice: bool, name: str) -> None:
    fields = {key: str(value) for key, value in (FIELDS | {"recipient_name": name}).items()}
    body = write_meituan_push(fields, secret=SECRET)[1] if twice else urlencode(fields).encode()
    if name == "50%25" and not twice:
        return  # Not to be told from "50%" that is encoded twice.
    address = ADAPTER.parse_order(body).deliveries[0].address
    assert address is not None
    assert address.recipient == name


def test_a_field_that_is_not_text_is_refused() -> None:
    with pytest.raises(UnreadableBody, match="not in UTF-8"):
        ADAPTER.parse_order(b"detail=%25ff")
    with pytest.raises(UnreadableBody, match="NUL"):
        ADAPTER.parse_order(urlencode({"detail": "[]", "caution": "a\x00"}).encode())
    with pytest.raises(UnreadableBody, match=r"detail, read as JSON"):
        read(detail="[{")
    with pytest.raises(UnreadableBody, match="the platform answered"):
        ADAPTER.parse_order('{"data": "ng", "error": {"code": 701, "msg": "订单不存在"}}'.encode())
    with pytest.raises(UnreadableBody, match="is empty"):
        read(detail="[]")


def test_money_and_boxes_and_activities() -> None:
    assert PLAIN.amounts is not None
    order = read()
    assert order.amounts == PLAIN.amounts
    assert order.amounts is not None
    assert order.amounts.imbalance_minor == 0
    boxes = rows(food(quantity=3, price="0.1", box_num=2, box_price=0.5), food(sku_id="S2"))
    order = read(**boxes | {"total": 14.3, "package_bag_money_yuan": "0.5", "original_price": 14.3})
    assert order.amounts is not None
    assert (order.amounts.line_gross_minor, order.amounts.fee_minor, order.amounts.imbalance_minor) == (1280, 150, 0)
    order = read(**boxes | {"total": 13.8, "package_bag_money_yuan": "0.5", "original_price": 13.8})
    assert order.amounts is not None
    assert (order.amounts.fee_minor, order.amounts.imbalance_minor) == (100, 0)


def test_activities_are_split_by_who_pays() -> None:
    extras = [
        {"act_detail_id": 7, "reduce_fee": 5, "mt_charge": 2, "poi_charge": 2, "remark": "满30减5", "type": 2},
        {"reduce_fee": 0.0, "remark": "赠可乐", "type": 5},
        {"rider_fee": 3.0},
    ]
    order = read(**rows(food()) | {"extras": json.dumps(extras), "total": 7.5})
    assert [(one.discount, one.funder, one.amount_minor) for one in order.discounts] == [
        ("7", Funder.SELLER, 200),
        ("7", Funder.PLATFORM, 200),
        ("7", Funder.UNKNOWN, 100),
        (None, Funder.UNKNOWN, 0),
    ]
    assert order.amounts is not None
    assert (order.amounts.platform_discount_minor, order.amounts.discount_minor) == (200, 500)
    assert order.amounts.imbalance_minor == 0


def test_one_item_in_two_bags_is_two_lines() -> None:
    order = read(**rows(food(cart_id=0), food(cart_id=1), food(sku_id=""), food(app_food_code="", sku_id="S9")))
    assert [(line.line, line.sku, line.listing) for line in order.lines] == [
        ("F1/S1", "S1", "S1"),
        ("F1/S1/2", "S1", "S1"),
        ("F1/", "F1", "F1"),
        ("/S9", "S9", "S9"),
    ]
    with pytest.raises(UnreadableBody, match=r"detail\[0\]\.sku_id is missing"):
        read(**rows(food(app_food_code="", sku_id="")))


def test_delivery_by_rider_and_collected() -> None:
    (at_once,) = read(delivery_time=0, app_poi_code="poi_7").deliveries
    assert (at_once.method, at_once.pickup_node, at_once.deliver_by) == (DeliveryMethod.ONE_HOUR, "STORE-7", None)
    (later,) = read(delivery_time=1612518381).deliveries
    assert later.deliver_by == datetime.fromtimestamp(1612518381, UTC)
    (guessed,) = read(delivery_time=0, estimate_arrival_time=1612518381).deliveries
    assert guessed.deliver_by == later.deliver_by
    (collected,) = read(pick_type=1, recipient_address="到店自取").deliveries
    assert (collected.method, collected.pickup_node) == (DeliveryMethod.PICKUP, "poi_1")
    with pytest.raises(UnreadableBody, match="collected"):
        read(pick_type=1, app_poi_code="")


def test_receivers() -> None:
    address = read(recipient_name="张*", recipient_phone="138****0000").deliveries[0].address
    assert address is not None
    assert address.masked
    address = read(recipient_phone="13800000000,1234", latitude=31.143873, longitude=97.175621).deliveries[0].address
    assert address is not None
    assert (address.phone, address.masked) == ("13800000000,1234", False)
    assert address.point is not None
    nobody = {"recipient_name": "", "recipient_phone": "", "recipient_address": ""}
    assert read(**nobody).deliveries[0].address is None


@pytest.mark.parametrize(
    ("status", "kind", "payment"),
    [
        (1, OrderStatus.OPEN, PaymentStatus.PENDING),
        (2, OrderStatus.OPEN, PaymentStatus.PENDING),
        ("4", OrderStatus.OPEN, PaymentStatus.PENDING),
        (8, OrderStatus.CLOSED, PaymentStatus.PAID),
        (9, OrderStatus.CANCELLED, PaymentStatus.VOIDED),
    ],
)
def test_states(status: Any, kind: OrderStatus, payment: PaymentStatus) -> None:
    order = read(status=status, pay_type=1)
    assert (order.status, order.payment, bool(order.hold_reason)) == (kind, payment, status == 1)
    assert [one.method for one in order.payments] == (["cash on delivery"] if status == 8 else [])
    assert codes(order) == []
    assert read(status=status, pay_type="2").payment is PaymentStatus.PAID


def test_a_new_status_is_odd_and_read() -> None:
    order = read(status=77)
    assert order.status is OrderStatus.OPEN
    assert [path for _, path in codes(order)] == ["$.data.status"]


def test_a_refund_of_a_part() -> None:
    headers, body = PART_PUSH
    ADAPTER.verify(headers, body)
    event = ADAPTER.parse_event(headers, body)
    assert (event.kind, event.topic, event.refund, event.fetch) == (EventKind.REFUND, "refund/apply", PART, ())
    assert ADAPTER.parse_refund(body) == PART


def test_a_refund_of_the_whole_order_takes_its_total() -> None:
    headers, body = WHOLE_PUSH
    event = ADAPTER.parse_event(headers, body)
    assert (event.kind, event.refund) == (EventKind.REFUND, None)
    assert [one.operation for one in event.fetch] == ["order/getOrderDetail"]
    fetched = ADAPTER.parse_fetched(event, answer_of(FIELDS))
    assert fetched.refund is not None
    refund = fetched.refund.refund
    assert (refund.refund, refund.refunded_to_buyer_minor, refund.created_at) == ("65295873034", 3800, NOON)
    assert refund.status is RefundStatus.REQUESTED
    assert dict(refund.quantities) == {line.line: line.quantity for line in PLAIN.lines}
    assert fetched.order is not None
    assert fetched.order.refunds == (refund,)
    with pytest.raises(UnreadableBody, match="whole order is refunded"):
        ADAPTER.parse_refund(body)


@pytest.mark.parametrize(
    ("result", "notice", "status"),
    [
        ("0", "apply", RefundStatus.REQUESTED),
        ("6", "apply", RefundStatus.DONE),
        ("1", "reject", RefundStatus.REFUSED),
        ("", "agree", RefundStatus.DONE),
        ("7", "cancelRefund", RefundStatus.REFUSED),
        ("99", "new", RefundStatus.REQUESTED),
    ],
)
def test_what_became_of_a_refund(result: str, notice: str, status: RefundStatus) -> None:
    fields = {"order_id": "1", "notify_type": notice, "res_type": result, "money": "1.5", "timestamp": 1612518381}
    found = ADAPTER.parse_refund(urlencode(fields).encode())
    assert (found.refund.status, found.refund.refund, found.refund.refunded_to_buyer_minor) == (status, "1", 150)


def test_a_cancellation() -> None:
    headers, body = CANCEL_PUSH
    ADAPTER.verify(headers, body)
    event = ADAPTER.parse_event(headers, body)
    assert event.kind is EventKind.CANCELLATION
    assert event.cancellation is not None
    assert (event.cancellation.cancelled_at, event.cancellation.reason) == (NOON, "用户取消")
    whole = ADAPTER.parse_cancellation(answer_of(FIELDS | {"status": 9}))
    assert (whole.external_id, whole.cancelled_at) == (PLAIN.external_id, NOON)


def test_other_pushes_are_other() -> None:
    event = ADAPTER.parse_event({}, urlencode({"order_id": "1", "logistics_status": "10"}).encode())
    assert (event.kind, event.subject) == (EventKind.OTHER, "1")


def made(intent: Intent) -> tuple[Request, ...]:
    found = ADAPTER.requests(intent)
    assert isinstance(found, tuple)
    return found


def refused(intent: Intent) -> str:
    found = ADAPTER.requests(intent)
    assert isinstance(found, Refusal)
    return found.sentence


def query_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))


def test_a_call_is_signed_over_its_address_and_fields() -> None:
    (call,) = made(CancelOrder(key="k", external_id="1", reason="缺 货"))
    assert query_of(call) == {"order_id": "1", "reason_code": "2007", "reason": "缺 货"}
    signed = ADAPTER.sign(call, now=NOW)
    fields = query_of(signed)
    sig = fields.pop("sig")
    address = "https://waimaiopen.meituan.com/api/v1/order/cancel"
    text = f"{address}?app_id=378&order_id=1&reason=缺 货&reason_code=2007&timestamp={int(NOW.timestamp())}{SECRET}"
    assert sig == hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    assert query_of(ADAPTER.sign(signed, now=NOW, token="t"))["access_token"] == "t"
    with pytest.raises(InvalidInput, match="no secret"):
        MeituanAdapter().sign(call, now=NOW)


def test_calls_about_an_order() -> None:
    assert made(FetchOrder(key="k", external_id="1"))[0].url.endswith("order/getOrderDetail?order_id=1")
    assert made(Acknowledge(key="k", external_id="1"))[0].url.endswith("order/confirm?order_id=1")
    assert query_of(made(CancelOrder(key="k", external_id="1", reason="2001"))[0])["reason_code"] == "2001"
    agree, reject = (made(AnswerRefund(key="k", external_id="1", refund="2", accept=yes))[0] for yes in (True, False))
    assert (agree.operation, query_of(agree)["reason"]) == ("order/refund/agree", "同意退款")
    assert (reject.operation, query_of(reject)["reason"]) == ("order/refund/reject", "商家不同意退款")
    assert "ids are digits" in refused(FetchOrder(key="k", external_id="1&a=2"))
    bare = MeituanAdapter().requests(CancelOrder(key="k", external_id="1"))
    assert isinstance(bare, Refusal)
    assert "cancel_reason_code" in bare.sentence
    assert isinstance(ADAPTER.requests(ListChanges(key="k", since=NOW - timedelta(minutes=1), until=NOW)), Refusal)
    assert [one.url for one in ADAPTER.parse_event(*WHOLE_PUSH).fetch] == [
        f"https://waimaiopen.meituan.com/api/v1/order/getOrderDetail?order_id={PLAIN.external_id}"
    ]


def levels(*given: tuple[str, str, str | None]) -> SetStock:
    rows = tuple(StockLevel(listing=sku, product=food, location=store, units=3) for sku, food, store in given)
    return SetStock(key="k", as_of=NOW, levels=rows)


STOCK = levels(("S1", "F1", "p1"), ("S2", "F1", "p1"), ("S3", "F2", "p1"), ("S1", "F1", "p2"))


def test_stock_is_set_by_store_and_food() -> None:
    first, second = made(STOCK)
    form = dict(parse_qsl(first.body.decode()))
    assert (form["app_poi_code"], first.items, second.items) == ("p1", ("S1", "S2", "S3"), ("S1",))
    assert json.loads(form["food_data"]) == [
        {"app_food_code": "F1", "skus": [{"sku_id": "S1", "stock": "3"}, {"sku_id": "S2", "stock": "3"}]},
        {"app_food_code": "F2", "skus": [{"sku_id": "S3", "stock": "3"}]},
    ]
    signed = ADAPTER.sign(first, now=NOW)
    fields = query_of(signed)
    sig = fields.pop("sig")
    text = "&".join(f"{name}={value}" for name, value in sorted({**fields, **form}.items()))
    expected = f"https://waimaiopen.meituan.com/api/v1/retail/sku/stock?{text}{SECRET}"
    assert sig == hashlib.md5(expected.encode(), usedforsecurity=False).hexdigest()
    assert signed.body == first.body
    assert "needs its location" in refused(levels(("S1", "F1", None)))
    many = levels(*((f"S{n}", "F", "p1") for n in range(201)))
    assert [len(one.items) for one in made(many)] == [200, 1]


def answered(intent: Intent, body: str) -> Answer:
    return ADAPTER.read_answer(intent, made(intent)[0], Response(status=200, body=body.encode()))


def test_answers() -> None:
    confirm = Acknowledge(key="k", external_id="1")
    assert answered(confirm, '{"data": "ok"}').ok
    (bad,) = answered(confirm, '{"data": "ng", "error": {"code": 808, "msg": "操作失败,订单已经确认"}}').items
    assert (bad.ok, bad.code, bad.message) == (False, "808", "操作失败,订单已经确认")
    message = json.dumps([{"app_food_code": "F1", "error_msg": "不存在此菜品"}], ensure_ascii=False)
    partly = answered(STOCK, json.dumps({"data": "ok", "msg": message}))
    assert [(one.item, one.ok, one.message) for one in partly.items] == [
        ("S1", False, "不存在此菜品"),
        ("S2", False, "不存在此菜品"),
        ("S3", True, None),
    ]
    with pytest.raises(UnreadableBody, match=r"\$\.data is missing"):
        answered(confirm, "{}")


ADDRESSES = st.builds(
    Address, recipient=WORDS, phone=st.just("13800000000_1234"), street=WORDS.map(lambda word: (word,))
).map(lambda one: one.model_copy(update={"country": "CN", "masked": "*" in f"{one.recipient}{one.street[0]}"}))
ORDERS = fen_orders(
    ADDRESSES,
    channel="meituan",
    methods=(DeliveryMethod.PICKUP, DeliveryMethod.ONE_HOUR),
    amounts={"shipping_minor": st.integers(0, 9999), "fee_minor": st.integers(0, 999)},
    delivery={"deliver_by": st.none() | SECONDS},
    order={"note": st.none() | WORDS, "display_number": st.none() | CODES},
)


@settings(max_examples=80)
@given(ORDERS.map(local))
def test_what_is_written_is_read_again(order: Order) -> None:
    headers, body = write_meituan_order(order, secret=SECRET, push_url=URL)
    ADAPTER.verify(headers, body)
    assert ADAPTER.parse_order(body).model_copy(update={"body_sha256": None}) == order


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"currency": "USD"}, "currency"),
        ({"amounts": None}, "amounts"),
        ({"payment": PaymentStatus.REFUNDED}, "payment"),
        ({"lines": fen_order().lines}, "line ids, line discounts"),
        ({"deliveries": (Delivery(),)}, "deliveries"),
    ],
)
def test_the_writer_says_what_it_would_lose(changes: dict[str, Any], lost: str) -> None:
    with pytest.raises(InvalidInput, match=lost):
        write_meituan_order(PLAIN.model_copy(update=changes), secret=SECRET)
    agreed = PART.model_copy(update={"refund": PART.refund.model_copy(update={"status": RefundStatus.AGREED})})
    with pytest.raises(InvalidInput, match="agreed and not done"):
        write_meituan_refund(agreed, secret=SECRET)
