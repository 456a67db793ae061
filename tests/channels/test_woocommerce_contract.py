"""The contract suite over WooCommerce, and what its writers write."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.cursor import microseconds
from omo_core.channels.port import EventKind
from omo_core.channels.woocommerce import WooCommerceAdapter, WooCommerceConfig
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Discount,
    DiscountShare,
    Funder,
    LineAmounts,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
    Refund,
)
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.writers import write_woocommerce_order, write_woocommerce_refunds
from tests.channels.orders import NOON, plain_order
from tests.channels.strategies import IDS, LETTERS, MINORS, TEXTS, addresses

SECRET = "correct horse & <battery>"
ADAPTER = WooCommerceAdapter(
    WooCommerceConfig(channel="web", secrets=(SECRET,), site="https://shop.example/eu", currency="USD")
)
FIRST = plain_order()
PLACE = Address(recipient="Ann Example", street=("1 Main Street",), city="Springfield", country="US")
PAID = Payment(payment="tx-1", method="Card", amount_minor=3900, paid_at=NOON)
ORDER = FIRST.model_copy(
    update={
        "deliveries": (Delivery(address=PLACE, service="Flat rate"),),
        "discounts": (
            Discount(
                discount="MUGS",
                funder=Funder.SELLER,
                amount_minor=100,
                shares=(DiscountShare(line="11", amount_minor=100),),
            ),
        ),
        "payments": (PAID,),
        "buyer": "26",
    }
)
CANCELLED = ORDER.model_copy(update={"status": OrderStatus.CANCELLED, "cancelled_at": NOON, "external_id": "5"})
WAITING = ORDER.model_copy(
    update={"external_id": "6", "hold_reason": "on-hold", "payments": (), "payment": PaymentStatus.PENDING}
)
REFUNDED = ORDER.model_copy(
    update={
        "payment": PaymentStatus.PARTIALLY_REFUNDED,
        "refunds": (Refund(refund="9", created_at=NOON, refunded_to_buyer_minor=1200, quantities=(("11", 1),)),),
        "lines": (ORDER.lines[0].model_copy(update={"current_quantity": 1}), ORDER.lines[1]),
    }
)


class TestWooCommerce(ChannelAdapterContract):
    adapter = ADAPTER
    fuzzed = 3_400
    messages = (
        write_woocommerce_order(ORDER, secret=SECRET, topic="order.created", delivery_id="d-1"),
        write_woocommerce_order(CANCELLED, secret=SECRET, delivery_id="d-1"),
        write_woocommerce_order(WAITING, secret=SECRET),
        write_woocommerce_order(REFUNDED, secret=SECRET, delivery_id="d-2"),
    )
    documents = (
        (write_woocommerce_order(ORDER, secret=SECRET)[1],),
        (write_woocommerce_order(REFUNDED, secret=SECRET)[1], write_woocommerce_refunds(REFUNDED)),
    )
    refunds = (write_woocommerce_refunds(REFUNDED)[1:-1],)


SECONDS = st.integers(0, 2**30).map(lambda seconds: datetime(2001, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


@st.composite
def lines(draw: st.DrawFn, line: str) -> OrderLine:
    quantity, gross_minor = draw(st.integers(1, 1000)), draw(MINORS)
    return OrderLine(
        line=line,
        sku=draw(IDS),
        quantity=quantity,
        current_quantity=quantity,
        title=draw(st.none() | st.text(LETTERS | st.sampled_from("&<;é"), min_size=1, max_size=20)),
        listing=draw(st.none() | IDS.filter(lambda text: text != "0")),
        amounts=LineAmounts(
            list_unit_price_minor=(2 * gross_minor + quantity) // (2 * quantity),
            gross_minor=gross_minor,
            discount_minor=draw(st.integers(0, gross_minor)),
            tax_minor=draw(MINORS),
        ),
    )


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    if draw(st.booleans()):
        return Delivery(method=DeliveryMethod.PICKUP, pickup_node=draw(IDS), service=draw(TEXTS))
    place = draw(addresses()).model_copy(update={"point": None})
    return Delivery(address=place if place != Address() else None, service=draw(TEXTS))


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """An order with all that WooCommerce tells."""
    placed = tuple(draw(lines(line)) for line in draw(st.lists(IDS, min_size=1, max_size=4, unique=True)))
    told = [line.amounts for line in placed if line.amounts is not None]
    amounts = OrderAmounts(
        taxes_included=False,
        line_gross_minor=sum(one.gross_minor for one in told),
        discount_minor=sum(one.discount_minor for one in told),
        shipping_minor=draw(MINORS),
        tax_minor=draw(MINORS),
        fee_minor=draw(MINORS),
        total_minor=0,
    )
    amounts = amounts.model_copy(update={"total_minor": amounts.computed_total_minor})
    updated_at, status = draw(SECONDS), draw(st.sampled_from(list(OrderStatus)))
    paid_at = draw(st.none() | SECONDS)
    paid = Payment(payment=draw(st.none() | IDS), method=draw(TEXTS), amount_minor=amounts.total_minor, paid_at=paid_at)
    shares = tuple(
        DiscountShare(line=line.line, amount_minor=line.amounts.discount_minor)
        for line in placed
        if line.amounts and line.amounts.discount_minor
    )
    coupon = Discount(
        discount=draw(st.none() | IDS), funder=Funder.SELLER, amount_minor=amounts.discount_minor, shares=shares
    )
    hold = draw(st.sampled_from([None, "pending", "on-hold", "failed"])) if status is OrderStatus.OPEN else None
    return Order(
        channel="web",
        external_id=draw(IDS),
        display_number=draw(st.none() | IDS),
        source_version=microseconds(updated_at),
        status=status,
        payment=PaymentStatus.PENDING if paid_at is None else PaymentStatus.PAID,
        placed_at=draw(SECONDS),
        updated_at=updated_at,
        cancelled_at=updated_at if status is OrderStatus.CANCELLED else None,
        currency=draw(st.sampled_from(["USD", "JPY", "KWD"])),
        lines=placed,
        deliveries=(draw(deliveries()),),
        amounts=amounts,
        note=draw(TEXTS),
        payments=() if paid_at is None else (paid,),
        discounts=draw(st.sampled_from([(), (coupon,)])),
        buyer=draw(st.none() | IDS.filter(lambda text: text != "0")),
        hold_reason=hold,
    )


@settings(max_examples=60)
@given(orders())
def test_woocommerce_carries_all_that_its_order_tells(order: Order) -> None:
    headers, body = write_woocommerce_order(order, secret=SECRET)
    ADAPTER.verify(headers, body)
    found = ADAPTER.parse_event(headers, body).order
    assert found is not None
    assert found.model_copy(update={"body_sha256": None}) == order


def test_refunds_are_read_with_their_order() -> None:
    headers, body = write_woocommerce_order(REFUNDED, secret=SECRET)
    found = ADAPTER.parse_order(body, write_woocommerce_refunds(REFUNDED))
    assert found.model_copy(update={"body_sha256": None}) == REFUNDED
    event = ADAPTER.parse_event(headers, body)
    assert (event.kind, event.order, event.subject) == (EventKind.ORDER, None, REFUNDED.external_id)
    assert [request.url for request in event.fetch] == [
        f"https://shop.example/eu/wp-json/wc/v3/orders/{REFUNDED.external_id}",
        f"https://shop.example/eu/wp-json/wc/v3/orders/{REFUNDED.external_id}/refunds?per_page=100",
    ]


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"amounts": None}, "amounts"),
        ({"cancelled_at": NOON}, "status"),
        ({"payment": PaymentStatus.PENDING}, "payment"),
        ({"payments": (PAID, PAID)}, "payment"),
        ({"hold_reason": "the bank asks"}, "hold_reason"),
        ({"discounts": (Discount(amount_minor=100, funder=Funder.SELLER),)}, "discounts"),
        ({"deliveries": FIRST.deliveries}, "deliveries"),
        ({"deliveries": (Delivery(address=Address()),)}, "deliveries"),
        ({"placed_at": NOON + timedelta(milliseconds=1)}, "times below a second"),
        ({"lines": REFUNDED.lines}, "current_quantity"),
        ({"test": True}, "test"),
    ],
)
def test_the_writer_says_what_it_would_lose(changes: dict[str, Any], lost: str) -> None:
    with pytest.raises(InvalidInput, match=lost):
        write_woocommerce_order(ORDER.model_copy(update=changes), secret=SECRET)
