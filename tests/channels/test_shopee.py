"""Shopee's dialect, on documents written by hand after its documentation."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.cursor import microseconds
from omo_core.channels.intents import (
    AnswerRefund,
    CancelOrder,
    FetchOrder,
    Intent,
    ListChanges,
    Parcel,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
)
from omo_core.channels.port import EventKind
from omo_core.channels.shopee import ShopeeAdapter, ShopeeConfig
from omo_core.channels.signing import sign_hex
from omo_core.model.errors import ForgedSignature, InvalidInput, InvalidMoney, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
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
    Refund,
    RefundStatus,
)
from omo_core.model.refusals import Refusal
from omo_core.testing.contracts import ChannelAdapterContract, assert_refused_in_a_sentence
from omo_core.testing.samples import NOW, Samples
from omo_core.testing.spoiling import spoilt_bodies
from omo_core.testing.writers import write_shopee_order, write_shopee_push
from tests.channels import strategies as draw_
from tests.channels.orders import NOON, plain_order
from tests.channels.samples import FACTS, needs_samples

ORDER_SN = "220725D58XURJS"
URL = "https://omo.example/shopee/push"
CONFIG = ShopeeConfig(
    secrets=("partner-key",), push_url=URL, partner_id="2001234", shop_id="1", locations={"TW1": "TPE-01"}
)
ADAPTER = ShopeeAdapter(CONFIG)
AT = 1_795_262_400


def item(**changes: Any) -> dict[str, Any]:
    return {
        "item_id": 101,
        "model_id": 7,
        "item_name": "Mug",
        "model_name": "blue",
        "item_sku": "MUG",
        "model_sku": "MUG-BLUE",
        "model_quantity_purchased": 2,
        "model_original_price": 250,
        "model_discounted_price": 200.5,
    } | changes


def detail(**changes: Any) -> dict[str, Any]:
    return {
        "order_sn": ORDER_SN,
        "region": "TW",
        "currency": "TWD",
        "cod": False,
        "total_amount": 401,
        "order_status": "READY_TO_SHIP",
        "create_time": AT,
        "update_time": AT + 60,
        "item_list": [item()],
    } | changes


def answer(response: Any) -> bytes:
    return json.dumps({"error": "", "message": "", "response": response, "request_id": "1"}).encode()


def body(**changes: Any) -> bytes:
    return answer({"order_list": [detail(**changes)]})


def escrow(*items: dict[str, Any], **changes: Any) -> bytes:
    income = {"buyer_total_amount": 401, "items": list(items)} | changes
    return answer({"order_sn": ORDER_SN, "order_income": income})


def returned(**changes: Any) -> bytes:
    return answer(
        {
            "return_sn": "2206140TA5PM808",
            "order_sn": ORDER_SN,
            "currency": "TWD",
            "create_time": AT + 100,
            "update_time": AT + 200,
            "refund_amount": 200.5,
            "status": "ACCEPTED",
            "reason": "NOT_RECEIPT",
            "return_solution": 0,
            "item": [{"item_id": 101, "model_id": 7, "amount": 1}],
        }
        | changes
    )


def read(**changes: Any) -> Order:
    return ADAPTER.parse_order(body(**changes))


def amounts(order: Order) -> OrderAmounts:
    assert order.amounts is not None
    return order.amounts


def push(code: int, data: dict[str, Any], /, **changes: Any) -> tuple[dict[str, str], bytes]:
    raw = json.dumps({"code": code, "shop_id": 1, "timestamp": AT, "data": data} | changes).encode()
    return {"Authorization": sign_hex("partner-key", f"{URL}|".encode() + raw)}, raw


def carried(**changes: Any) -> Order:
    lines = tuple(
        line.model_copy(update={"line": name, "listing": name})
        for line, name in zip(plain_order().lines, ("101-7", "102-0"), strict=True)
    )
    base = plain_order().amounts
    assert base is not None
    fields = {
        "channel": "shopee",
        "external_id": ORDER_SN,
        "display_number": None,
        "lines": lines,
        "deliveries": (Delivery(address=masked()),),
        "amounts": base.model_copy(update={"taxes_included": True}),
        "discounts": (
            Discount(
                title="seller_discount",
                funder=Funder.SELLER,
                amount_minor=100,
                shares=(DiscountShare(line="101-7", amount_minor=100),),
            ),
        ),
    }
    return plain_order().model_copy(update=fields | changes)


def masked() -> Address:
    return Address(recipient="P******n", phone="******64", street=("******11",), country="TW", masked=True)


SAMPLES = Samples(order=ORDER_SN, location="TW1", refund="2206140TA5PM808", cancel_reason="CUSTOMER_REQUEST")


class TestShopeeContract(ChannelAdapterContract):
    adapter = ADAPTER
    messages = (
        write_shopee_push(carried(), secret="partner-key", push_url=URL),
        write_shopee_push(carried(updated_at=NOON + timedelta(seconds=1)), secret="partner-key", push_url=URL),
        push(29, {"order_sn": ORDER_SN, "return_sn": "2206140TA5PM808"}),
        push(10, {"type": "message"}),
    )
    documents = (write_shopee_order(carried()), (body(),))
    refunds = (returned(),)
    fuzzed = 2_500
    samples = Samples(order=ORDER_SN, location="TW1", refund=ORDER_SN, cancel_reason="CUSTOMER_REQUEST")


def test_spoilt_escrows_and_returns_are_read_or_refused() -> None:
    order, income, back = write_shopee_order(carried(refunds=(refund(),)))
    for spoilt in spoilt_bodies([income], 700):
        assert_refused_in_a_sentence(ADAPTER.parse_order, order, spoilt, back)
    for spoilt in spoilt_bodies([back], 700):
        assert_refused_in_a_sentence(ADAPTER.parse_order, order, income, spoilt)
    for spoilt in spoilt_bodies([LOST], 500):
        assert_refused_in_a_sentence(ADAPTER.read_lost_pushes, spoilt)


# Pushes.


def test_a_push_signs_the_registered_address_too() -> None:
    headers, raw = push(3, {"ordersn": ORDER_SN})
    ADAPTER.verify(headers, raw)
    moved = ShopeeAdapter(CONFIG.model_copy(update={"push_url": "https://inside.example/push"}))
    with pytest.raises(ForgedSignature, match="matches no current secret"):
        moved.verify(headers, raw)
    with pytest.raises(ForgedSignature, match="configure push_url"):
        ShopeeAdapter(ShopeeConfig(secrets=("partner-key",))).verify(headers, raw)


@needs_samples
def test_published_signatures() -> None:
    vectors = {one["id"]: one for one in json.loads((FACTS / "signature_vectors.json").read_text(encoding="utf-8"))}
    sent = vectors["shopee_push_computed"]
    config = ShopeeConfig(secrets=(sent["key"],), push_url=sent["prefix"])
    ShopeeAdapter(config).verify({sent["header"]: sent["expected"]}, sent["body"].encode())
    asked = vectors["shopee_request_1"]
    assert sign_hex(asked["key"], asked["body"].encode()) == asked["expected"]


@pytest.mark.parametrize(
    ("code", "topic"), [(3, "order_status_push"), (4, "order_trackingno_push"), (30, "package_fulf")]
)
def test_a_change_of_an_order_says_what_to_fetch(code: int, topic: str) -> None:
    event = ADAPTER.parse_event(*push(code, {"ordersn": ORDER_SN, "status": "PROCESSED"}))
    assert event.topic.startswith(topic)
    assert (event.kind, event.subject) == (EventKind.ORDER, ORDER_SN)
    paths = [one.url.partition("?")[0].removeprefix("https://partner.shopeemobile.com/api/v2/") for one in event.fetch]
    assert paths == ["order/get_order_detail", "payment/get_escrow_detail"]
    assert f"order_sn_list={ORDER_SN}&request_order_status_pending=true&response_optional_fields=buyer_user_id%2C" in (
        event.fetch[0].url
    )


def test_an_unpaid_order_has_no_sellers_side_yet() -> None:
    assert len(ADAPTER.parse_event(*push(3, {"ordersn": ORDER_SN, "status": "UNPAID"})).fetch) == 1
    error = b'{"error":"error_not_found","message":"no escrow yet","request_id":"1"}'
    assert ADAPTER.parse_order(body(), error).external_id == ORDER_SN
    plain = ShopeeAdapter(CONFIG.model_copy(update={"escrow": False}))
    assert len(plain.parse_event(*push(3, {"ordersn": ORDER_SN})).fetch) == 1


def test_a_change_of_a_return_fetches_both() -> None:
    event = ADAPTER.parse_event(*push(29, {"order_sn": ORDER_SN, "return_sn": "2206140TA5PM808"}))
    assert (event.kind, event.subject, len(event.fetch)) == (EventKind.REFUND, ORDER_SN, 3)
    assert event.fetch[2].url.endswith("/returns/get_return_detail?return_sn=2206140TA5PM808")
    assert ADAPTER.parse_event(*push(29, {"return_sn": "1"})).kind is EventKind.OTHER


def test_other_pushes_are_understood_and_left() -> None:
    for headers, raw in (push(10, {}), push(1, {}, shop_id=None), push(15, {"ordersn": ORDER_SN})):
        assert ADAPTER.parse_event(headers, raw).kind is EventKind.OTHER


@pytest.mark.parametrize(
    ("data", "changes", "reason"),
    [
        ({}, {}, r"\$\.data\.ordersn is missing"),
        ({"ordersn": "../x"}, {}, "is no number of an order"),
        ({"ordersn": ORDER_SN}, {"shop_id": 2}, r"\$\.shop_id is another shop"),
        ({"ordersn": ORDER_SN}, {"code": "3"}, r"\$\.code is a text"),
    ],
)
def test_a_push_about_nothing_of_ours_is_refused(data: dict[str, Any], changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableBody, match=reason):
        ADAPTER.parse_event(*push(3, data, **changes))


PUSHED = {"data": {"ordersn": ORDER_SN, "status": "PROCESSED"}, "shop_id": 1, "code": 3, "timestamp": AT}
LOST = answer(
    {
        "push_message_list": [
            {"shop_id": 1, "code": 3, "timestamp": AT, "data": PUSHED},
            {"shop_id": 1, "code": 4, "timestamp": AT, "data": json.dumps(PUSHED | {"code": 4})},
        ],
        "has_next_page": True,
        "last_message_id": 176610,
    }
)


def test_lost_pushes_are_read_and_confirmed() -> None:
    lost = ADAPTER.read_lost_pushes(LOST)
    assert [(event.topic, event.subject) for event in lost.events] == [
        ("order_status_push", ORDER_SN),
        ("order_trackingno_push", ORDER_SN),
    ]
    assert len({event.event_key for event in lost.events}) == 2
    assert (lost.last_message_id, lost.more) == (176610, True)
    asked = ADAPTER.sign(ADAPTER.lost_pushes(), now=NOW, token="t")
    at = int(NOW.timestamp())
    signature = sign_hex("partner-key", f"2001234/api/v2/push/get_lost_push_message{at}".encode())
    assert asked.url.endswith(f"/get_lost_push_message?partner_id=2001234&timestamp={at}&sign={signature}")
    confirmed = ADAPTER.confirm_lost_pushes(176610)
    assert confirmed.url.endswith("/api/v2/push/confirm_consumed_lost_push_message")
    assert json.loads(confirmed.body) == {"last_message_id": 176610}
    assert "access_token" not in ADAPTER.sign(confirmed, now=NOW, token="t").url


# Orders.


def test_an_order_detail() -> None:
    found = read(buyer_user_id=258065, message_to_seller="soon", shipping_carrier="7-ELEVEN", ship_by_date=AT + 86_400)
    assert (found.external_id, found.currency, found.buyer) == (ORDER_SN, "TWD", "258065")
    assert (found.status, found.payment, found.note) == (OrderStatus.OPEN, PaymentStatus.PAID, "soon")
    assert found.source_version == (AT + 60) * 1_000_000
    (line,) = found.lines
    assert (line.line, line.listing, line.sku, line.title) == ("101-7", "101-7", "MUG-BLUE", "Mug / blue")
    assert line.amounts == LineAmounts(list_unit_price_minor=25000, gross_minor=50000, discount_minor=9900)
    assert (amounts(found).total_minor, amounts(found).imbalance_minor) == (40100, 0)
    assert found.deliveries[0].service == "7-ELEVEN"
    assert read(item_list=[item(model_id=0, model_sku="")]).lines[0].sku == "MUG"


def test_money_is_in_the_currencys_major_units() -> None:
    dong = item(model_original_price=48000, model_discounted_price=48000.0, model_quantity_purchased=1)
    found = read(currency="VND", total_amount=32119, item_list=[dong])
    assert (amounts(found).line_gross_minor, amounts(found).total_minor) == (48000, 32119)
    # Vouchers, coins and shipping are in the seller's side alone: without it the order says by how much it is off.
    assert amounts(found).imbalance_minor == -15881
    assert [one.code for one in found.oddities] == [OddityCode.MONEY_DOES_NOT_ADD_UP]
    noisy = read(total_amount=401.00000000000006)
    assert amounts(noisy).total_minor == 40100
    with pytest.raises(InvalidMoney, match=r"total_amount cannot be used"):
        read(total_amount=401.005)


def test_the_sellers_side_tells_every_discount() -> None:
    told = {
        "item_id": 101,
        "model_id": 7,
        "seller_discount": 60,
        "shopee_discount": 39,
        "discount_from_voucher_seller": 10,
        "discount_from_voucher_shopee": 20,
        "discount_from_coin": 1.5,
    }
    money = {
        "seller_discount": 60,
        "shopee_discount": 39,
        "voucher_from_seller": 10,
        "voucher_from_shopee": 20,
        "coins": 1.5,
        "payment_promotion": 5,
        "buyer_paid_shipping_fee": 60,
        "buyer_transaction_fee": 2,
        "cross_border_tax": 3.5,
    }
    found = ADAPTER.parse_order(body(total_amount=430), escrow(told, **money))
    turned = ADAPTER.parse_order(escrow(told, **money), body(total_amount=430))
    for order in (found, turned):
        assert amounts(order) == OrderAmounts(
            taxes_included=True,
            line_gross_minor=50000,
            discount_minor=13550,
            platform_discount_minor=6550,
            shipping_minor=6000,
            fee_minor=550,
            total_minor=43000,
        )
    assert amounts(found).imbalance_minor == 0
    assert found.lines[0].amounts is not None
    assert found.lines[0].amounts.discount_minor == 13050
    assert [(one.title, one.funder, one.amount_minor, len(one.shares)) for one in found.discounts] == [
        ("seller_discount", Funder.SELLER, 6000, 1),
        ("shopee_discount", Funder.PLATFORM, 3900, 1),
        ("voucher_from_seller", Funder.SELLER, 1000, 1),
        ("voucher_from_shopee", Funder.PLATFORM, 2000, 1),
        ("coins", Funder.PLATFORM, 150, 1),
        ("payment_promotion", Funder.PLATFORM, 500, 0),
    ]


def test_a_bundle_deal_is_split_by_the_sellers_side_only() -> None:
    deal = item(promotion_type="bundle_deal", model_discounted_price=0)
    bare = read(item_list=[deal], total_amount=500)
    assert bare.lines[0].amounts is not None
    assert (bare.lines[0].amounts.discount_minor, amounts(bare).imbalance_minor) == (0, 0)
    assert [one.path for one in bare.oddities] == ["$.response.order_list[0].item_list[0].model_discounted_price"]
    told = {"item_id": 101, "model_id": 7, "seller_discount": 50}
    whole = ADAPTER.parse_order(body(item_list=[deal], total_amount=450), escrow(told, seller_discount=50))
    assert (whole.oddities, amounts(whole).discount_minor) == ((), 5000)


def test_the_same_item_may_be_bought_twice() -> None:
    twice = [
        item(order_item_id=1, promotion_group_id=3),
        item(order_item_id=2),
        item(order_item_id=2),
        item(model_id=8),
    ]
    found = read(item_list=twice, total_amount=1604)
    assert [line.line for line in found.lines] == ["101-7-1-3", "101-7-2-0", "101-7-2-0-2", "101-8"]
    told = [{"item_id": 101, "model_id": 7, "seller_discount": one} for one in (1, 2, 3)]
    split = ADAPTER.parse_order(body(item_list=twice), escrow(*told, seller_discount=6))
    assert [line.amounts.discount_minor for line in split.lines if line.amounts] == [100, 200, 300, 9900]
    fewer = ADAPTER.parse_order(body(item_list=twice), escrow(*told[:2], seller_discount=3))
    assert [line.amounts.discount_minor for line in fewer.lines if line.amounts] == [9900] * 4


@pytest.mark.parametrize(
    ("word", "status", "payment", "held"),
    [
        ("UNPAID", OrderStatus.OPEN, PaymentStatus.PENDING, "the order is not paid"),
        ("READY_TO_SHIP", OrderStatus.OPEN, PaymentStatus.PAID, None),
        ("RETRY_SHIP", OrderStatus.OPEN, PaymentStatus.PAID, None),
        ("PROCESSED", OrderStatus.OPEN, PaymentStatus.PAID, None),
        ("INVOICE_PENDING", OrderStatus.OPEN, PaymentStatus.PAID, "Shopee waits for the order's invoice"),
        ("PENDING", OrderStatus.OPEN, PaymentStatus.PAID, "Shopee is checking the order"),
        ("IN_CANCEL", OrderStatus.OPEN, PaymentStatus.PAID, "the buyer asks to cancel"),
        ("SHIPPED", OrderStatus.CLOSED, PaymentStatus.PAID, None),
        ("TO_CONFIRM_RECEIVE", OrderStatus.CLOSED, PaymentStatus.PAID, None),
        ("TO_RETURN", OrderStatus.CLOSED, PaymentStatus.PAID, None),
        ("COMPLETED", OrderStatus.CLOSED, PaymentStatus.PAID, None),
        ("CANCELLED", OrderStatus.CANCELLED, PaymentStatus.UNKNOWN, None),
        ("TELEPORTED", OrderStatus.OPEN, PaymentStatus.UNKNOWN, None),
    ],
)
def test_states(word: str, status: OrderStatus, payment: PaymentStatus, held: str | None) -> None:
    found = read(order_status=word)
    assert (found.status, found.payment, found.hold_reason) == (status, payment, held)
    assert (OddityCode.UNKNOWN_STATE in {one.code for one in found.oddities}) == (word == "TELEPORTED")


def test_cash_on_delivery_and_payments() -> None:
    assert read(cod=True).payment is PaymentStatus.PENDING
    assert read(cod=True, order_status="COMPLETED").payment is PaymentStatus.PAID
    paid = read(pay_time=AT + 5, payment_method="Credit Card", order_status="CANCELLED")
    moment = datetime.fromtimestamp(AT + 5, UTC)
    assert paid.payment is PaymentStatus.PAID
    assert paid.payments == (Payment(method="Credit Card", amount_minor=40100, paid_at=moment),)
    told = [{"payment_method": "Pix", "payment_amount": 400, "transaction_id": "x"}, {"payment_amount": 1}]
    assert [one.amount_minor for one in read(pay_time=AT, payment_info=told).payments] == [40000, 100]
    unpaid = read(total_amount=None, order_status="UNPAID")
    assert (unpaid.amounts, unpaid.lines[0].amounts is not None) == (None, True)


def test_what_shopee_checks_is_held_in_its_words() -> None:
    pending = {"pending_terms": ["KYC_PENDING"], "pending_description": ["Order is pending buyer TW KYC"]}
    assert read(order_status="PENDING", **pending).hold_reason == "Order is pending buyer TW KYC"
    assert read(order_status="IN_CANCEL", **pending).hold_reason == "the buyer asks to cancel"
    served = read(advance_package=True)
    assert served.hold_reason == "the order is served by goods that Shopee has already: do not send it"
    theirs = read(fulfillment_flag="fulfilled_by_shopee")
    assert theirs.fulfillable() == ()


def test_cancelled_units_are_wanted_no_more() -> None:
    assert read(item_list=[item(active_qty=1, cancelled_qty=1)]).lines[0].current_quantity == 1
    assert read(item_list=[item(cancelled_qty=2)]).lines[0].current_quantity == 0
    assert read(item_list=[item(active_qty=9)]).lines[0].current_quantity == 2
    returned = item(active_qty=0, cancelled_qty=0, returned_qty=2)
    assert read(item_list=[returned], order_status="COMPLETED").lines[0].current_quantity == 2


def test_counts_may_be_texts() -> None:
    assert read(item_list=[item(model_quantity_purchased="2", cancelled_qty="1")]).lines[0].current_quantity == 1
    assert read(cod="true", pay_time=None).payment is PaymentStatus.PENDING


def test_a_wish_to_cancel_a_part_holds_the_order() -> None:
    order = read(item_list=[item(cancel_requested_qty=1)])
    assert order.hold_reason == f"the buyer asks to cancel a part: 1 of {order.lines[0].line}"
    with pytest.raises(UnreadableBody, match="not cancelled"):
        ADAPTER.parse_cancellation(body(item_list=[item(cancel_requested_qty=1)]))


@pytest.mark.parametrize(
    "changes",
    [
        {"pickup_done_time": 1632301999},
        {"package_list": [{"package_number": "P1", "logistics_status": "LOGISTICS_DELIVERY_FAILED", "item_list": []}]},
    ],
    ids=["picked up", "package"],
)
def test_cancelled_after_a_carrier_had_the_goods_is_over_not_cancelled(changes: dict[str, Any]) -> None:
    assert read(order_status="CANCELLED", **changes).status is OrderStatus.CLOSED
    cancelled = read(order_status="CANCELLED")
    assert (cancelled.status, cancelled.cancelled_at) == (OrderStatus.CANCELLED, cancelled.updated_at)


def test_a_masked_receiver_says_so() -> None:
    address = {"name": "P******n", "phone": "******64", "full_address": "***", "district": "Xinyi", "town": "T"}
    found = read(recipient_address=address | {"city": "Taipei", "region": "TW", "zipcode": "110"}).deliveries[0].address
    assert found is not None
    assert (found.masked, found.recipient, found.district, found.country) == (True, "P******n", "Xinyi", "TW")
    plain = read(recipient_address={"name": "Ann", "town": "T", "geolocation": {"latitude": 25, "longitude": 121.5}})
    assert plain.deliveries[0].address is not None
    assert (plain.deliveries[0].address.masked, plain.deliveries[0].address.district) == (False, "T")
    assert plain.deliveries[0].address.point is not None
    assert read(recipient_address={"name": "", "region": "TW"}).deliveries[0].address is None


def test_packages_are_deliveries() -> None:
    packages = [
        {"package_number": "OFG1", "item_list": [{"item_id": 101, "model_id": 7, "model_quantity": 2}]},
        {"package_number": "OFG2", "item_list": [{"item_id": 101, "model_id": 8, "model_quantity": 2}]},
    ]
    found = read(item_list=[item(), item(model_id=8)], package_list=packages, total_amount=802)
    assert [one.fulfilment for one in found.deliveries] == ["OFG1", "OFG2"]
    assert [line.delivery for line in found.lines] == [0, 1]


def test_an_order_that_is_collected_names_its_store() -> None:
    found = read(is_buyer_shop_collection=True, item_list=[item(product_location_id="TW1")])
    assert (found.deliveries[0].method, found.deliveries[0].pickup_node) == (DeliveryMethod.PICKUP, "TPE-01")
    held = read(is_buyer_shop_collection=True)
    assert (held.deliveries[0].method, held.hold_reason) == (
        DeliveryMethod.SHIP,
        "an in-store pickup that names no store",
    )


def test_cancellations() -> None:
    asked = ADAPTER.parse_cancellation(body(order_status="IN_CANCEL", buyer_cancel_reason="Found cheaper"))
    assert (asked.requested, asked.reason, asked.external_id) == (True, "Found cheaper", ORDER_SN)
    done = ADAPTER.parse_cancellation(body(order_status="CANCELLED", cancel_reason="OUT_OF_STOCK"))
    assert (done.requested, done.reason) == (False, "OUT_OF_STOCK")
    with pytest.raises(UnreadableBody, match="is open, not cancelled"):
        ADAPTER.parse_cancellation(body())


def refund(**changes: Any) -> Refund:
    fields: dict[str, Any] = {
        "refund": "2206140TA5PM808",
        "created_at": datetime.fromtimestamp(AT + 100, UTC),
        "refunded_to_buyer_minor": 20050,
        "quantities": (("101-7", 1),),
        "status": RefundStatus.AGREED,
        "reason": "NOT_RECEIPT",
    }
    return Refund(**fields | changes)


def test_returns_alone_and_beside_their_order() -> None:
    notice = ADAPTER.parse_refund(returned())
    assert (notice.external_id, notice.refund, notice.returns_goods) == (ORDER_SN, refund(), True)
    assert ADAPTER.parse_refund(returned(return_solution=1)).returns_goods is False
    assert ADAPTER.parse_refund(returned(return_solution=None)).returns_goods is None
    assert ADAPTER.parse_order(body(), returned()).refunds == (refund(),)
    strange = returned(item=[{"item_id": 9, "model_id": 9, "amount": 1}])
    assert ADAPTER.parse_order(body(), strange).refunds == (refund(quantities=()),)
    odd = ADAPTER.parse_order(body(), returned(status="LOST"))
    assert (odd.refunds[0].status, odd.oddities[0].code) == (RefundStatus.REQUESTED, OddityCode.UNKNOWN_STATE)
    with pytest.raises(InvalidMoney, match="currency is not the order's TWD"):
        ADAPTER.parse_order(body(), returned(currency="SGD"))
    with pytest.raises(UnreadableBody, match="is no return"):
        ADAPTER.parse_refund(body())


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ((body(item_list=[]),), r"item_list is missing or empty; ask for it in response_optional_fields"),
        ((body(item_list=[item(model_quantity_purchased=-2)]),), r"model_quantity_purchased is -2"),
        ((body(update_time=AT * 1000),), r"update_time is \d+, not seconds"),
        ((body(), body()), "hold 2 orders"),
        ((escrow(),), "hold 0 orders"),
        ((body(), escrow(), escrow()), "hold 2 escrow details"),
        ((body(order_sn="OTHER1"), escrow()), "order_sn is not OTHER1"),
        ((answer({"order_list": [{"order_sn": ORDER_SN}]}),), "so it is no order"),
        ((b'{"error":"error_auth","message":"Invalid access_token."}',), "Shopee answered 'error_auth' instead"),
    ],
)
def test_what_cannot_be_an_order_is_refused(bodies: tuple[bytes, ...], reason: str) -> None:
    with pytest.raises(UnreadableBody, match=reason):
        ADAPTER.parse_order(*bodies)


def test_a_detail_of_several_orders_keeps_their_oddities_apart() -> None:
    many = answer({"order_list": [detail(order_status="LOST"), detail(order_sn="OTHER1")]})
    assert [len(order.oddities) for order in ADAPTER.parse_orders(many)] == [1, 0]


def test_a_page_names_what_to_fetch() -> None:
    intent = next(one for one in SAMPLES.intents() if isinstance(one, ListChanges))
    page = ADAPTER.read_page(intent, answer({"more": True, "next_cursor": "20", "order_list": [{"order_sn": "A123"}]}))
    assert [one.external_id for one in page.references] == ["A123"]
    (request,) = ask(page.following)
    assert "time_from=1795261800&time_to=1795262400&page_size=100&cursor=20&" in request.url
    assert ADAPTER.read_page(intent, answer({"more": False, "next_cursor": "", "order_list": []})).following is None
    wide = intent.model_copy(update={"since": NOW - timedelta(days=16)})
    refused = ADAPTER.requests(wide)
    assert isinstance(refused, Refusal)
    assert "1296000 seconds" in refused.sentence


# Requests.


def ask(intent: Intent | None, adapter: ShopeeAdapter = ADAPTER) -> tuple[Request, ...]:
    assert intent is not None
    made = adapter.requests(intent)
    assert not isinstance(made, Refusal), made
    return made


def configured(**changes: Any) -> ShopeeAdapter:
    return ShopeeAdapter(CONFIG.model_copy(update=changes))


def test_a_request_signs_its_path_its_time_and_its_shop() -> None:
    (detail_request, _) = ask(FetchOrder(key="f", external_id=ORDER_SN))
    at = int(NOW.timestamp())
    signature = sign_hex("partner-key", f"2001234/api/v2/order/get_order_detail{at}tok1".encode())
    signed = ADAPTER.sign(detail_request, now=NOW, token="tok")
    assert signed.url.endswith(f"&partner_id=2001234&timestamp={at}&access_token=tok&shop_id=1&sign={signature}")


def parcel(**changes: Any) -> Parcel:
    return Parcel(carrier="x", tracking="TRACK1", shipped_at=NOW).model_copy(update=changes)


def test_a_package_is_handed_over_as_configured() -> None:
    intent = Ship(key="s", external_id=ORDER_SN, parcels=(parcel(),), fulfilment="OFG1")
    assert json.loads(ask(intent)[0].body) == {"order_sn": ORDER_SN, "package_number": "OFG1", "dropoff": {}}
    (own,) = ask(intent, configured(shipping="non_integrated"))
    assert json.loads(own.body)["non_integrated"] == {"tracking_number": "TRACK1"}
    (collected,) = ask(intent, configured(shipping="pickup", pickup_address_id=234))
    assert json.loads(collected.body)["pickup"] == {"address_id": 234}
    assert isinstance(configured(shipping="pickup").requests(intent), Refusal)
    part = (parcel(quantities=(("101-7", 1),)),)
    assert ask(intent.model_copy(update={"parcels": part, "completes": False}))
    for loose in (
        intent.model_copy(update={"fulfilment": None, "parcels": part}),
        intent.model_copy(update={"fulfilment": None, "completes": False}),
    ):
        assert isinstance(ADAPTER.requests(loose), Refusal)


def test_stock_is_told_item_by_item_and_warehouse_by_warehouse() -> None:
    levels = (
        StockLevel(listing="101-7", location="TW1", units=3),
        StockLevel(listing="101-7", location="TW2", units=4),
        StockLevel(listing="8", product="101", units=5),
        StockLevel(listing="102", units=6),
    )
    intent = SetStock(key="s", levels=levels, as_of=NOW)
    first, second = ask(intent)
    assert json.loads(first.body) == {
        "item_id": 101,
        "stock_list": [
            {"model_id": 7, "seller_stock": [{"location_id": "TW1", "stock": 3}, {"location_id": "TW2", "stock": 4}]},
            {"model_id": 8, "seller_stock": [{"stock": 5}]},
        ],
    }
    assert json.loads(second.body) == {"item_id": 102, "stock_list": [{"model_id": 0, "seller_stock": [{"stock": 6}]}]}
    assert (first.items, second.items) == (("101-7", "8"), ("102",))
    told = {"failure_list": [{"model_id": 8, "failed_reason": "reserved"}], "success_list": [{"model_id": 7}]}
    answered = ADAPTER.read_answer(intent, first, Response(status=200, body=answer(told)))
    assert [(one.item, one.ok, one.message) for one in answered.items] == [
        ("101-7", True, None),
        ("8", False, "reserved"),
    ]
    many = tuple(StockLevel(listing=f"101-{n}", units=1) for n in range(1, 61))
    assert [len(one.items) for one in ask(SetStock(key="s", levels=many, as_of=NOW))] == [50, 10]
    bad = SetStock(key="s", levels=(StockLevel(listing="MUG", units=1),), as_of=NOW)
    assert isinstance(ADAPTER.requests(bad), Refusal)


def test_a_cancellation_has_one_of_shopees_reasons() -> None:
    (plain,) = ask(CancelOrder(key="c", external_id=ORDER_SN, reason="CUSTOMER_REQUEST"))
    assert json.loads(plain.body) == {"order_sn": ORDER_SN, "cancel_reason": "CUSTOMER_REQUEST"}
    (short,) = ask(CancelOrder(key="c", external_id=ORDER_SN, reason="OUT_OF_STOCK:101-7,102-0"))
    assert json.loads(short.body)["item_list"] == [{"item_id": 101, "model_id": 7}, {"item_id": 102, "model_id": 0}]
    for reason in (None, "gone", "OUT_OF_STOCK", "OUT_OF_STOCK:mug"):
        assert isinstance(ADAPTER.requests(CancelOrder(key="c", external_id=ORDER_SN, reason=reason)), Refusal)


def test_answers_to_buyers() -> None:
    for accept, word in ((True, "ACCEPT"), (False, "REJECT")):
        (request,) = ask(AnswerRefund(key="a", external_id=ORDER_SN, refund=ORDER_SN, accept=accept))
        assert json.loads(request.body) == {"order_sn": ORDER_SN, "operation": word}
    yes = AnswerRefund(key="a", external_id=ORDER_SN, refund="2206140TA5PM808", accept=True)
    (confirmed,) = ask(yes)
    assert (confirmed.url[-16:], json.loads(confirmed.body)) == ("/returns/confirm", {"return_sn": "2206140TA5PM808"})
    for refused in (yes.model_copy(update={"accept": False}), yes.model_copy(update={"refund": "../x"})):
        assert isinstance(ADAPTER.requests(refused), Refusal)


def test_errors_are_told_by_their_name() -> None:
    intent = FetchOrder(key="f", external_id=ORDER_SN)
    request = ask(intent)[0]
    for error, retry in (("error_rate_limit", True), ("error_param", False)):
        raw = json.dumps({"error": error, "message": "no"}).encode()
        (one,) = ADAPTER.read_answer(intent, request, Response(status=200, body=raw)).items
        assert (one.ok, one.code, one.message, one.retry) == (False, error, "no", retry)
    for nothing in ("", "-", " "):
        raw = json.dumps({"error": nothing, "message": nothing}).encode()
        assert ADAPTER.read_answer(intent, request, Response(status=200, body=raw)).ok
    assert isinstance(ADAPTER.requests(FetchOrder(key="f", external_id="../x")), Refusal)


# Round trips.

SECONDS = st.integers(978_307_200, 4_102_444_799).map(lambda second: datetime.fromtimestamp(second, UTC))
STATES = st.sampled_from(
    [
        (OrderStatus.OPEN, PaymentStatus.PENDING, "the order is not paid"),
        (OrderStatus.OPEN, PaymentStatus.PENDING, None),
        (OrderStatus.OPEN, PaymentStatus.PAID, None),
        (OrderStatus.OPEN, PaymentStatus.PAID, "the buyer asks to cancel"),
        (OrderStatus.OPEN, PaymentStatus.PAID, "Shopee is checking the order"),
        (OrderStatus.CLOSED, PaymentStatus.PAID, None),
        (OrderStatus.CLOSED, PaymentStatus.PENDING, None),
        (OrderStatus.CANCELLED, PaymentStatus.UNKNOWN, None),
    ]
)
DISCOUNTS = [
    ("seller_discount", Funder.SELLER),
    ("shopee_discount", Funder.PLATFORM),
    ("voucher_from_seller", Funder.SELLER),
    ("voucher_from_shopee", Funder.PLATFORM),
    ("coins", Funder.PLATFORM),
]


@st.composite
def shopee_lines(draw: st.DrawFn, physical: bool, deliveries: int) -> tuple[OrderLine, ...]:
    pairs = draw(
        st.lists(st.tuples(st.integers(1, 10**12), st.integers(0, 10**12)), min_size=1, max_size=3, unique=True)
    )
    found = []
    for item_id, model_id in pairs:
        base = draw(draw_.lines(f"{item_id}-{model_id}"))
        sku = draw(draw_.IDS) if physical else base.sku
        update = {
            "listing": base.line,
            "physical": physical,
            "sku": sku,
            "delivery": draw(st.integers(0, deliveries - 1)),
        }
        assert base.amounts is not None
        money = base.amounts.model_copy(update={"discount_minor": 0, "tax_minor": 0})
        found.append(base.model_copy(update=update | {"amounts": money}))
    return tuple(found)


@st.composite
def shopee_deliveries(draw: st.DrawFn) -> tuple[Delivery, ...]:
    base = draw(draw_.deliveries().filter(lambda one: one.method is not DeliveryMethod.ONE_HOUR))
    address = base.address
    if address is not None:
        street = address.street[:1]
        seen = (address.recipient, address.phone, *street)
        address = address.model_copy(
            update={"street": street, "masked": any("*" in one for one in seen if one), "district": draw(draw_.TEXTS)}
        )
        if not any((*seen, address.district, address.city, address.region, address.postal_code)):
            address = None
    base = base.model_copy(
        update={"address": address, "ship_by": draw(st.none() | SECONDS), "deliver_by": draw(st.none() | SECONDS)}
    )
    packages = draw(st.lists(st.sampled_from(["OFG1", "OFG2", "OFG3"]), max_size=2, unique=True))
    return tuple(base.model_copy(update={"fulfilment": one}) for one in packages) or (base,)


def discounted(line: OrderLine, discounts: tuple[Discount, ...]) -> OrderLine:
    assert line.amounts is not None
    own = sum(share.amount_minor for one in discounts for share in one.shares if share.line == line.line)
    return line.model_copy(update={"amounts": line.amounts.model_copy(update={"discount_minor": own})})


@st.composite
def shopee_orders(draw: st.DrawFn) -> Order:
    """An order that Shopee's documents can carry whole."""
    deliveries = draw(shopee_deliveries())
    lines = draw(shopee_lines(draw(st.booleans()), len(deliveries)))
    discounts = tuple(
        Discount(
            title=title,
            funder=funder,
            amount_minor=draw(st.integers(1, 10**6)),
            shares=tuple(
                DiscountShare(line=line.line, amount_minor=draw(st.integers(1, 900)))
                for line in lines
                if draw(st.booleans())
            ),
        )
        for title, funder in DISCOUNTS
        if draw(st.booleans())
    )
    lines = tuple(discounted(line, discounts) for line in lines)
    base = draw(draw_.orders())
    money = OrderAmounts(
        taxes_included=True,
        line_gross_minor=sum(line.amounts.gross_minor for line in lines if line.amounts),
        discount_minor=sum(one.amount_minor for one in discounts),
        platform_discount_minor=sum(one.amount_minor for one in discounts if one.funder is Funder.PLATFORM),
        shipping_minor=draw(draw_.MINORS),
        fee_minor=draw(draw_.MINORS),
        total_minor=0,
    )
    money = money.model_copy(update={"total_minor": money.computed_total_minor})
    status, payment, hold = draw(STATES)
    paid = Payment(method=draw(draw_.TEXTS), amount_minor=money.total_minor, paid_at=draw(SECONDS))
    updated_at = draw(SECONDS)
    return base.model_copy(
        update={
            "channel": "shopee",
            "external_id": draw(st.sampled_from([ORDER_SN, "2012", "201218V2Y6E59M"])),
            "display_number": None,
            "source_version": microseconds(updated_at),
            "updated_at": updated_at,
            "placed_at": draw(SECONDS),
            "status": status,
            "payment": payment,
            "hold_reason": hold,
            "cancelled_at": updated_at if status is OrderStatus.CANCELLED else None,
            "test": False,
            "presentment_currency": None,
            "lines": lines,
            "deliveries": deliveries,
            "amounts": money,
            "discounts": discounts,
            "payments": (paid,) if payment is PaymentStatus.PAID and draw(st.booleans()) else (),
            "buyer": draw(st.none() | st.integers(1, 10**12).map(str)),
            "refunds": tuple(
                Refund(
                    refund=name,
                    created_at=draw(SECONDS),
                    refunded_to_buyer_minor=draw(draw_.MINORS),
                    quantities=tuple((line.line, 1) for line in lines if draw(st.booleans())),
                    status=draw(st.sampled_from(list(RefundStatus))),
                    reason=draw(draw_.TEXTS),
                )
                for name in draw(st.lists(st.sampled_from(["R1", "R2"]), max_size=2, unique=True))
            ),
        }
    )


@settings(max_examples=40)
@given(shopee_orders())
def test_a_written_order_is_read_as_it_was(order: Order) -> None:
    assert ADAPTER.parse_order(*write_shopee_order(order)).model_copy(update={"body_sha256": None}) == order


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"amounts": None}, "amounts"),
        ({"payment": PaymentStatus.AUTHORISED}, "payment"),
        ({"hold_reason": "a bad feeling"}, "no word for an order that is open"),
        ({"discounts": ()}, "lines"),
        ({"test": True}, "test"),
        ({"display_number": "#1"}, "display_number"),
        ({"lines": plain_order().lines}, "names a line by its item and model"),
        ({"updated_at": NOON + timedelta(milliseconds=1)}, "updated_at"),
    ],
)
def test_the_writer_says_what_it_would_lose(change: dict[str, Any], lost: str) -> None:
    with pytest.raises(InvalidInput, match=lost):
        write_shopee_order(carried(**change))
