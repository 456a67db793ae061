"""Draws canonical orders as the marketplaces of China tell of them: in yuan, to the second, ids of digits."""

from __future__ import annotations

from collections.abc import Sequence
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
    LineAmounts,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
)

NUMBERS = st.integers(1, 2**63 - 1).map(str)
WORDS = st.text(st.characters(exclude_categories=("Cc", "Cf", "Co", "Cs", "Z", "Cn")), min_size=1, max_size=12)
TEXTS = st.none() | WORDS
SECONDS = st.integers(0, 2**30).map(lambda s: datetime(2001, 6, 1, tzinfo=UTC) + timedelta(seconds=s))
CENTS = st.integers(0, 10**7)
State = tuple[OrderStatus, PaymentStatus]


@st.composite
def addresses(
    draw: st.DrawFn, *, streets: int, countries: Sequence[str | None], tokens: bool = True, postal_codes: bool = True
) -> Address:
    """An address with its receiver, perhaps masked."""
    token = draw(st.none() | NUMBERS) if tokens else None
    recipient, phone = draw(WORDS), draw(TEXTS)
    street = tuple(draw(st.lists(WORDS, max_size=streets)))
    return Address(
        recipient=recipient,
        phone=phone,
        street=street,
        district=draw(TEXTS),
        city=draw(TEXTS),
        region=draw(TEXTS),
        postal_code=draw(TEXTS) if postal_codes else None,
        country=draw(st.sampled_from(countries)),
        token=token,
        masked=token is not None or "*" in f"{recipient}{phone}{street}",
    )


@st.composite
def lines(draw: st.DrawFn, line: str, *, is_left: bool | None) -> OrderLine:
    """A line of which all is left, or nothing; `is_left` decides where it is given."""
    quantity = draw(st.integers(1, 1_000))
    unit_minor = draw(CENTS)
    left = draw(st.booleans()) if is_left is None else is_left
    gross_minor = unit_minor * quantity
    return OrderLine(
        line=line,
        sku=draw(NUMBERS | WORDS),
        quantity=quantity,
        current_quantity=quantity if left else 0,
        title=draw(TEXTS),
        listing=draw(NUMBERS),
        gift=draw(st.booleans()),
        amounts=LineAmounts(
            list_unit_price_minor=unit_minor, gross_minor=gross_minor, discount_minor=draw(st.integers(0, gross_minor))
        ),
    )


@st.composite
def discounts(draw: st.DrawFn, ids: Sequence[str]) -> Discount:
    """A discount of the order, or of one of several lines."""
    amount_minor = draw(st.integers(1, 10**6))
    line = draw(st.sampled_from([None, *ids])) if len(ids) > 1 else None
    return Discount(
        discount=draw(st.none() | NUMBERS),
        title=draw(TEXTS),
        amount_minor=amount_minor,
        shares=(DiscountShare(line=line, amount_minor=amount_minor),) if line else (),
    )


@st.composite
def orders(
    draw: st.DrawFn,
    /,
    states: Sequence[State],
    *,
    delivery: st.SearchStrategy[Delivery],
    parts_gone: bool = True,
    **given: Any,
) -> Order:
    """An order in one of these states; `parts_gone` takes lines of it away, `given` fields are as they are."""
    status, payment = draw(st.sampled_from(states))
    updated_at, placed_at = draw(SECONDS), draw(SECONDS)
    ids = draw(st.lists(NUMBERS, min_size=1, max_size=4, unique=True))
    is_over = payment in (PaymentStatus.REFUNDED, PaymentStatus.VOIDED)
    is_left = False if is_over or status is OrderStatus.CANCELLED else None if parts_gone else True
    placed = tuple(draw(lines(line, is_left=is_left)) for line in ids)
    gross_minor = sum(line.amounts.gross_minor for line in placed if line.amounts)
    off_minor = sum(line.amounts.discount_minor for line in placed if line.amounts)
    shipping_minor = draw(CENTS)
    total_minor = gross_minor - off_minor + shipping_minor
    paid = payment is not PaymentStatus.PENDING and draw(st.booleans())
    return Order(
        **{
            "channel": "shop",
            "external_id": draw(NUMBERS),
            "source_version": microseconds(updated_at),
            "status": status,
            "payment": payment,
            "placed_at": placed_at,
            "updated_at": updated_at,
            "cancelled_at": draw(SECONDS) if status is OrderStatus.CANCELLED else None,
            "currency": "CNY",
            "lines": placed,
            "deliveries": (draw(delivery),),
            "amounts": OrderAmounts(
                taxes_included=True,
                line_gross_minor=gross_minor,
                discount_minor=off_minor,
                shipping_minor=shipping_minor,
                total_minor=total_minor,
            ),
            "payments": (Payment(payment=draw(NUMBERS), amount_minor=total_minor, paid_at=draw(SECONDS)),)
            if paid
            else (),
            "discounts": tuple(draw(st.lists(discounts(ids), max_size=2))),
            "note": draw(TEXTS),
            **given,
        }
    )


def shipped(address: st.SearchStrategy[Address], services: Sequence[str | None]) -> st.SearchStrategy[Delivery]:
    """A delivery by parcel."""
    return st.builds(
        Delivery,
        method=st.just(DeliveryMethod.SHIP),
        address=address,
        service=st.sampled_from(services),
        deliver_by=st.none(),
        ship_by=st.none(),
        not_before=st.none(),
        pickup_node=st.none(),
    )
