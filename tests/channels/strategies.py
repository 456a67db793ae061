"""Draws canonical orders that both dialects can carry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from omo_core.channels.cursor import microseconds
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    LineAmounts,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    PaymentStatus,
    Refund,
)
from omo_core.model.values import GeoPoint

LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cn"))
VISIBLE = st.characters(exclude_categories=("Cc", "Cf", "Co", "Cs", "Zs", "Zl", "Zp", "Cn"))
IDS = st.one_of(
    st.integers(0, 2**63 - 1).map(str), st.text(VISIBLE, min_size=1, max_size=12), st.sampled_from(["007", "-1", "1e3"])
)
TEXTS = st.none() | st.text(LETTERS, min_size=1, max_size=20)
MINORS = st.integers(0, 10**9)
INSTANTS = st.integers(0, 2**50).map(lambda us: datetime(2001, 1, 1, tzinfo=UTC) + timedelta(microseconds=us))
DEGREES = st.integers(-90_000_000, 90_000_000).map(lambda millionths: millionths / 1_000_000)
POINTS = st.builds(GeoPoint, latitude=DEGREES, longitude=DEGREES).filter(lambda p: (p.latitude, p.longitude) != (0, 0))


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    return Address(
        recipient=draw(TEXTS),
        phone=draw(TEXTS),
        street=tuple(draw(st.lists(st.text(LETTERS, min_size=1, max_size=20), max_size=3))),
        city=draw(TEXTS),
        region=draw(TEXTS),
        postal_code=draw(TEXTS),
        country=draw(st.sampled_from([None, "US", "TW"])),
        point=draw(st.none() | POINTS),
    )


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    method = draw(st.sampled_from(list(DeliveryMethod)))
    return Delivery(
        method=method,
        pickup_node=draw(IDS) if method is DeliveryMethod.PICKUP else None,
        address=draw(st.none() | addresses()),
        service=draw(TEXTS),
        deliver_by=draw(st.none() | INSTANTS),
    )


@st.composite
def lines(draw: st.DrawFn, line: str) -> OrderLine:
    quantity = draw(st.integers(1, 1000))
    unit_minor = draw(st.integers(0, 10**6))
    physical = draw(st.booleans())
    return OrderLine(
        line=line,
        sku=draw(IDS) if physical else draw(st.none() | IDS),
        quantity=quantity,
        current_quantity=draw(st.integers(0, quantity)),
        title=draw(TEXTS),
        listing=draw(st.none() | IDS),
        physical=physical,
        amounts=LineAmounts(
            list_unit_price_minor=unit_minor,
            gross_minor=unit_minor * quantity,
            discount_minor=draw(MINORS),
            tax_minor=draw(MINORS),
        ),
    )


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """An order with one delivery, whose version is its update time, and with nothing odd: its money adds up."""
    placed = tuple(draw(lines(line)) for line in draw(st.lists(IDS, min_size=1, max_size=4, unique=True)))
    updated_at = draw(INSTANTS)
    cancelled_at = draw(st.none() | INSTANTS)
    amounts = OrderAmounts(
        taxes_included=draw(st.booleans()),
        line_gross_minor=sum(line.amounts.gross_minor for line in placed if line.amounts),
        discount_minor=draw(MINORS),
        shipping_minor=draw(MINORS),
        tax_minor=draw(MINORS),
        tip_minor=draw(MINORS),
        fee_minor=draw(MINORS),
        total_minor=0,
    )
    return Order(
        channel="web",
        external_id=draw(IDS),
        display_number=draw(st.none() | IDS),
        source_version=microseconds(updated_at),
        status=OrderStatus.CANCELLED if cancelled_at else draw(st.sampled_from([OrderStatus.OPEN, OrderStatus.CLOSED])),
        payment=draw(st.sampled_from(list(PaymentStatus))),
        placed_at=draw(INSTANTS),
        updated_at=updated_at,
        cancelled_at=cancelled_at,
        cancel_reason=draw(TEXTS),
        test=draw(st.booleans()),
        currency=draw(st.sampled_from(["USD", "JPY", "KWD"])),
        presentment_currency=draw(st.sampled_from([None, "USD", "TWD"])),
        lines=placed,
        deliveries=(draw(deliveries()),),
        amounts=amounts.model_copy(update={"total_minor": amounts.computed_total_minor}),
        refunds=tuple(
            Refund(
                refund=refund,
                created_at=draw(INSTANTS),
                refunded_to_buyer_minor=draw(MINORS),
                quantities=tuple((line.line, 1) for line in placed if draw(st.booleans())),
            )
            for refund in draw(st.lists(IDS, max_size=2, unique=True))
        ),
        note=draw(TEXTS),
    )
