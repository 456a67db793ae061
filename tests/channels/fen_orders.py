"""Canonical orders in CNY: one by hand, and strategies of what the platforms of China can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from omo_core.channels.cursor import microseconds
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
)
from tests.channels.strategies import LETTERS, VISIBLE

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STATES: Sequence[tuple[OrderStatus, PaymentStatus]] = (
    (OrderStatus.OPEN, PaymentStatus.PAID),
    (OrderStatus.CLOSED, PaymentStatus.PAID),
    (OrderStatus.CANCELLED, PaymentStatus.VOIDED),
)
DIGITS = st.integers(1, 2**63 - 1).map(str)
WORDS = st.text(LETTERS, min_size=1, max_size=12)
CODES = st.text(VISIBLE, min_size=1, max_size=12)
SECONDS = st.integers(0, 2**30).map(lambda s: datetime(2001, 1, 2, tzinfo=UTC) + timedelta(seconds=s))
FEN = st.integers(0, 10**7)


def fen_order(**changes: Any) -> Order:
    """Two lines for CNY 39.00: 2 × 12.50 − 1.00 that the seller gives, 1 × 10.00, and 5.00 of shipping."""
    lines = (
        OrderLine(
            line="6936476692437472563",
            sku="MUG-BLUE",
            quantity=2,
            current_quantity=2,
            title="蓝色马克杯",
            listing="3410716076201730",
            amounts=LineAmounts(list_unit_price_minor=1250, gross_minor=2500, discount_minor=100),
        ),
        OrderLine(
            line="6936476692437472564",
            sku="TEA-100",
            quantity=1,
            current_quantity=1,
            listing="3410716076201731",
            amounts=LineAmounts(list_unit_price_minor=1000, gross_minor=1000),
        ),
    )
    amounts = OrderAmounts(
        taxes_included=True, line_gross_minor=3500, discount_minor=100, shipping_minor=500, total_minor=3900
    )
    shares = (DiscountShare(line=lines[0].line, amount_minor=100),)
    order = Order(
        channel="douyin",
        external_id="6936476692437472563",
        source_version=microseconds(NOON),
        payment=PaymentStatus.PAID,
        placed_at=NOON - timedelta(minutes=5),
        updated_at=NOON,
        currency="CNY",
        lines=lines,
        deliveries=(Delivery(address=Address(recipient="王小明", street=("中山路1号",), city="厦门市", country="CN")),),
        amounts=amounts,
        discounts=(Discount(funder=Funder.SELLER, amount_minor=100, shares=shares),),
        payments=(Payment(payment="202411", method="WeChat", amount_minor=3900, paid_at=NOON),),
    )
    return order.model_copy(update=changes)


@st.composite
def fen_orders(
    draw: st.DrawFn,
    addresses: st.SearchStrategy[Address],
    *,
    channel: str,
    states: Sequence[tuple[OrderStatus, PaymentStatus]] = STATES,
    methods: Sequence[DeliveryMethod] = (DeliveryMethod.SHIP,),
    funders: Sequence[Funder] = (),
    line: Mapping[str, st.SearchStrategy[Any]] | None = None,
    amounts: Mapping[str, st.SearchStrategy[int]] | None = None,
    delivery: Mapping[str, st.SearchStrategy[Any]] | None = None,
    order: Mapping[str, st.SearchStrategy[Any]] | None = None,
) -> Order:
    """An order of one delivery whose money adds up; the mappings say what else a dialect can carry, and how."""
    drawn = {"line": line or {}, "delivery": delivery or {}, "amounts": amounts or {}, "order": order or {}}
    lines = [
        _line(draw, line_id, drawn["line"]) for line_id in draw(st.lists(DIGITS, min_size=1, max_size=3, unique=True))
    ]
    discounts = [found for funder in funders if (found := _discount(draw, funder, lines)).amount_minor]
    lines = [_discounted(one, discounts) for one in lines]
    status, payment = draw(st.sampled_from(states))
    method = draw(st.sampled_from(methods))
    updated_at = draw(SECONDS)
    money = OrderAmounts(
        taxes_included=True,
        line_gross_minor=sum(one.amounts.gross_minor for one in lines if one.amounts),
        discount_minor=sum(one.amount_minor for one in discounts),
        platform_discount_minor=sum(one.amount_minor for one in discounts if one.funder is Funder.PLATFORM),
        total_minor=0,
        **{key: draw(some) for key, some in drawn["amounts"].items()},
    )
    money = money.model_copy(update={"total_minor": money.computed_total_minor})
    way = Delivery(
        method=method,
        pickup_node=draw(CODES) if method is DeliveryMethod.PICKUP else None,
        address=draw(addresses),
        **{key: draw(some) for key, some in drawn["delivery"].items()},
    )
    return Order(
        channel=channel,
        external_id=draw(DIGITS),
        source_version=microseconds(updated_at),
        status=status,
        payment=payment,
        placed_at=draw(SECONDS),
        updated_at=updated_at,
        cancelled_at=updated_at if status is OrderStatus.CANCELLED else None,
        currency="CNY",
        lines=tuple(lines),
        deliveries=(way,),
        amounts=money,
        discounts=tuple(discounts),
        **{key: draw(some) for key, some in drawn["order"].items()},
    )


def _line(draw: st.DrawFn, line_id: str, more: Mapping[str, st.SearchStrategy[Any]]) -> OrderLine:
    quantity, unit_minor = draw(st.integers(1, 1000)), draw(st.integers(0, 10**6))
    line = OrderLine(
        line=line_id,
        sku=draw(CODES),
        quantity=quantity,
        current_quantity=quantity,
        title=draw(st.none() | WORDS),
        listing=draw(DIGITS),
        amounts=LineAmounts(list_unit_price_minor=unit_minor, gross_minor=unit_minor * quantity),
    )
    return line.model_copy(update={key: draw(some) for key, some in more.items()})


def _discount(draw: st.DrawFn, funder: Funder, lines: Sequence[OrderLine]) -> Discount:
    shares = tuple(
        DiscountShare(line=one.line, amount_minor=amount) for one in lines if (amount := draw(st.integers(0, 500)))
    )
    return Discount(funder=funder, amount_minor=sum(share.amount_minor for share in shares), shares=shares)


def _discounted(line: OrderLine, discounts: Sequence[Discount]) -> OrderLine:
    assert line.amounts is not None
    off = sum(share.amount_minor for one in discounts for share in one.shares if share.line == line.line)
    return line.model_copy(update={"amounts": line.amounts.model_copy(update={"discount_minor": off})})
