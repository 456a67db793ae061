"""Draws canonical orders that BigCommerce's documents can carry."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from omo_core.channels.cursor import microseconds
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Delivery,
    Discount,
    DiscountShare,
    Funder,
    Order,
    OrderStatus,
    Payment,
    PaymentStatus,
    RefundStatus,
)
from tests.channels.strategies import IDS, INSTANTS, MINORS, TEXTS, addresses, orders

NUMBERS = st.integers(1, 2**31 - 1).map(str)
SECONDS = INSTANTS.map(lambda instant: instant.replace(microsecond=0))
HELD = [None, "Incomplete", "Pending", "Awaiting Payment", "Manual Verification Required", "Disputed"]
GIVEN = {PaymentStatus.AUTHORISED, PaymentStatus.PAID, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED}


@st.composite
def bigcommerce_orders(draw: st.DrawFn) -> Order:
    """An order with one delivery, prices that hold their tax, and times in whole seconds."""
    order = draw(orders())
    assert order.amounts is not None
    numbers = draw(st.lists(NUMBERS, min_size=len(order.lines), max_size=len(order.lines), unique=True))
    updated_at = draw(SECONDS)
    named = _named_discount(draw, numbers)
    renamed = dict(zip([line.line for line in order.lines], numbers, strict=True))
    amounts = order.amounts.model_copy(update={"taxes_included": True, "tip_minor": 0})
    amounts = amounts.model_copy(update={"total_minor": amounts.computed_total_minor})
    coupon = draw(st.none() | st.just(Discount(discount="COUPON", funder=Funder.SELLER, amount_minor=draw(MINORS))))
    payment = draw(st.sampled_from([one for one in PaymentStatus if one is not PaymentStatus.PARTIALLY_PAID]))
    external_id = draw(NUMBERS)
    return order.model_copy(
        update={
            "external_id": external_id,
            "display_number": external_id,
            "source_version": microseconds(updated_at),
            "placed_at": draw(SECONDS),
            "updated_at": updated_at,
            "cancelled_at": updated_at if order.status is OrderStatus.CANCELLED else None,
            "cancel_reason": None,
            "test": False,
            "presentment_currency": "TWD" if order.presentment_currency else None,
            "hold_reason": draw(st.sampled_from(HELD)) if order.status is OrderStatus.OPEN else None,
            "buyer": draw(st.none() | NUMBERS),
            "payment": payment,
            "payments": _payments(draw, payment, amounts.total_minor),
            "discounts": tuple(one for one in (named, coupon) if one),
            "lines": tuple(_line(draw, line, renamed, named) for line in order.lines),
            "amounts": amounts,
            "deliveries": (_delivery(draw),),
            "refunds": tuple(
                refund.model_copy(
                    update={
                        "refund": str(number),
                        "quantities": tuple((renamed[line], units) for line, units in refund.quantities),
                        "status": draw(st.sampled_from([RefundStatus.DONE, RefundStatus.REFUSED])),
                        "reason": draw(TEXTS),
                    }
                )
                for number, refund in enumerate(order.refunds)
            ),
        }
    )


def _line(draw: st.DrawFn, line: Any, renamed: dict[str, str], named: Discount | None) -> Any:
    number = renamed[line.line]
    shared_minor = sum(share.amount_minor for share in (named.shares if named else ()) if share.line == number)
    return line.model_copy(
        update={
            "line": number,
            "listing": draw(st.none() | NUMBERS),
            "amounts": line.amounts.model_copy(update={"discount_minor": shared_minor}),
        }
    )


def _named_discount(draw: st.DrawFn, numbers: list[str]) -> Discount | None:
    shares = tuple(DiscountShare(line=line, amount_minor=draw(MINORS)) for line in numbers if draw(st.booleans()))
    if not shares:
        return None
    amount_minor = sum(share.amount_minor for share in shares)
    return Discount(discount="SALE", title=draw(TEXTS), funder=Funder.SELLER, amount_minor=amount_minor, shares=shares)


def _payments(draw: st.DrawFn, payment: PaymentStatus, total_minor: int) -> tuple[Payment, ...]:
    if payment not in GIVEN or total_minor <= 0:
        return ()
    return (Payment(payment=draw(st.none() | IDS), method="Credit Card", amount_minor=total_minor),)


def _delivery(draw: st.DrawFn) -> Delivery:
    if draw(st.booleans()):
        return Delivery(method=DeliveryMethod.PICKUP, pickup_node=draw(IDS), service=draw(TEXTS))
    address = draw(addresses()).model_copy(update={"point": None})
    return Delivery(address=address, service=draw(TEXTS), fulfilment=draw(NUMBERS))
