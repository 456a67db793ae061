"""What a writer signs, the adapter verifies and reads as the same value."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings

from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.port import Cancellation, ChannelAdapter, EventKind, RefundNotice, SoldLine, TillSale
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    LineAmounts,
    Oddity,
    OddityCode,
    Order,
    OrderLine,
    OrderStatus,
    Refund,
    RefundStatus,
)
from omo_core.model.stock import Demand
from omo_core.testing.contracts import Signed
from omo_core.testing.writers import (
    write_native_cancellation,
    write_native_counter_sale,
    write_native_order,
    write_native_refund,
    write_shopify_order,
)
from tests.channels.native_strategies import full_orders
from tests.channels.orders import NOON, plain_order
from tests.channels.strategies import orders
from tests.effort import examples

SECRET = "correct horse"
NATIVE = NativeAdapter(NativeConfig(secrets=(SECRET,)))
SHOPIFY = ShopifyAdapter(ShopifyConfig(channel="web", secrets=(SECRET,), trust_note_attributes=True))
Write = Callable[..., Signed]


def read_back(adapter: ChannelAdapter, write: Write, order: Order) -> Order:
    headers, body = write(order, secret=SECRET)
    adapter.verify(headers, body)
    event = adapter.parse_event(headers, body)
    assert event.order is not None
    assert event.order.body_sha256 == hashlib.sha256(body).hexdigest()
    return event.order.model_copy(update={"body_sha256": None})


@settings(max_examples=examples(60))
@given(orders())
def test_native_carries_any_order(order: Order) -> None:
    assert read_back(NATIVE, write_native_order, order) == order


@settings(max_examples=examples(60))
@given(full_orders())
def test_native_carries_all_that_an_order_can_hold(order: Order) -> None:
    assert read_back(NATIVE, write_native_order, order) == order


@settings(max_examples=examples(60))
@given(orders())
def test_shopify_carries_what_its_dialect_can_say(order: Order) -> None:
    assert read_back(SHOPIFY, write_shopify_order, order) == order


def test_native_carries_what_no_other_dialect_does() -> None:
    order = plain_order()
    first = order.lines[0].model_copy(update={"amounts": LineAmounts(list_unit_price_minor=1250, gross_minor=2499)})
    unpriced = OrderLine(line="13", sku=None, quantity=3, current_quantity=0, gift=True, delivery=1, physical=False)
    assert order.amounts is not None
    rich = Order(
        **{
            **dict(order),
            "source_version": 7,
            "lines": (first, order.lines[1], unpriced),
            "deliveries": (
                Delivery(address=Address(masked=True, token="t0ken", recipient="A**")),
                Delivery(method=DeliveryMethod.PICKUP, pickup_node="TPE-01"),
            ),
            "amounts": order.amounts.model_copy(update={"line_gross_minor": 3600, "rounding_minor": -1}),
            "oddities": (
                Oddity(
                    code=OddityCode.MONEY_DOES_NOT_ADD_UP,
                    path="$",
                    sentence="the total is -0.99 USD from what its parts add up to",
                ),
            ),
            "refunds": (Refund(refund="r1", created_at=NOON, refunded_to_buyer_minor=100, sellers_share_minor=90),),
        }
    )
    assert read_back(NATIVE, write_native_order, rich) == rich
    with pytest.raises(InvalidInput, match="amounts, deliveries, gift, masked or token, source_version, gross"):
        write_shopify_order(rich, secret=SECRET)


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"amounts": None}, "amounts"),
        ({"status": OrderStatus.CANCELLED}, "status"),
        ({"deliveries": (Delivery(address=Address(street=("1", "2", "3", "4"))),)}, "street"),
    ],
)
def test_the_shopify_writer_says_what_it_would_lose(change: dict[str, object], lost: str) -> None:
    with pytest.raises(InvalidInput, match=lost):
        write_shopify_order(plain_order().model_copy(update=change), secret=SECRET)


def test_native_refund() -> None:
    refund = Refund(
        refund="r1",
        created_at=NOON,
        refunded_to_buyer_minor=300,
        sellers_share_minor=100,
        quantities=(("11", 2),),
        status=RefundStatus.REQUESTED,
        reason="broken",
    )
    for returns_goods in (True, False, None):
        notice = RefundNotice(
            channel="web", external_id="82", refund=refund, updated_at=NOON, returns_goods=returns_goods
        )
        headers, body = write_native_refund(notice, "JPY", secret=SECRET)
        NATIVE.verify(headers, body)
        event = NATIVE.parse_event(headers, body)
        assert (event.kind, event.refund, event.subject) == (EventKind.REFUND, notice, "82")
        assert NATIVE.parse_refund(body) == notice


def test_native_cancellation() -> None:
    cancellation = Cancellation(
        channel="web",
        external_id="82",
        source_version=3,
        cancelled_at=NOON,
        reason="changed her mind",
        requested=True,
        quantities=(("11", 1),),
    )
    headers, body = write_native_cancellation(cancellation, secret=SECRET, event_id="e-9")
    NATIVE.verify(headers, body)
    event = NATIVE.parse_event(headers, body)
    assert (event.kind, event.cancellation, event.subject) == (EventKind.CANCELLATION, cancellation, "82")
    assert (event.event_key, event.topic, event.channel) == ("e-9", "cancellation", "native")


def test_native_counter_sale_becomes_one_stock_command() -> None:
    lines = (SoldLine(sku="TEA-100", quantity=2), SoldLine(sku="MUG-BLUE", quantity=1))
    sale = TillSale(channel="till-7", external_id="T-1", node="TPE-01", sold_at=NOON, lines=lines)
    headers, body = write_native_counter_sale(sale, secret=SECRET)
    NATIVE.verify(headers, body)
    event = NATIVE.parse_event(headers, body)
    assert (event.kind, event.counter_sale) == (EventKind.COUNTER_SALE, sale)
    command = sale.command()
    assert (command.scope, command.key) == ("till-7", "counter-sale/T-1")
    assert command.lines == (
        Demand(sku="TEA-100", node="TPE-01", quantity=2),
        Demand(sku="MUG-BLUE", node="TPE-01", quantity=1),
    )
