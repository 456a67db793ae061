"""Draws canonical orders that Square's order object can carry."""

from __future__ import annotations

from hypothesis import strategies as st

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
    Refund,
    RefundStatus,
)
from omo_core.testing.writers.square import LOCATION
from tests.channels.strategies import INSTANTS, MINORS, TEXTS, addresses, orders

SQUARE_IDS = st.from_regex(r"[A-Za-z0-9_-]{1,30}", fullmatch=True)


@st.composite
def square_orders(draw: st.DrawFn) -> Order:
    """An order with one delivery, a tender where it is paid, and at most one refund, of all that came back."""
    order = draw(orders())
    assert order.amounts is not None
    lines = tuple(line.model_copy(update={"listing": line.sku}) for line in order.lines)
    back = tuple(
        (one.line, one.quantity - one.current_quantity) for one in lines if one.quantity > one.current_quantity
    )
    version = draw(st.integers(0, 2**53))
    amounts = order.amounts.model_copy(update={"shipping_minor": 0, "rounding_minor": draw(st.integers(-5, 5))})
    amounts = amounts.model_copy(update={"total_minor": amounts.computed_total_minor})
    draft = order.status is OrderStatus.OPEN and draw(st.booleans())
    refunds, payments, payment = _money(draw, order, amounts.total_minor, back)
    return order.model_copy(
        update={
            "hold_reason": "DRAFT" if draft else None,
            "external_id": draw(SQUARE_IDS),
            "source_version": version,
            "payment": payment,
            "payments": payments,
            "refunds": refunds,
            "cancel_reason": None,
            "test": False,
            "presentment_currency": None,
            "note": None,
            "lines": lines,
            "amounts": amounts,
            "discounts": _discounts(draw, order),
            "buyer": draw(st.none() | SQUARE_IDS),
            "deliveries": (_delivery(draw, version),),
        }
    )


def _money(
    draw: st.DrawFn, order: Order, total_minor: int, back: tuple[tuple[str, int], ...]
) -> tuple[tuple[Refund, ...], tuple[Payment, ...], PaymentStatus]:
    if total_minor <= 1 or draw(st.booleans()):
        if order.status is OrderStatus.OPEN:
            return (), (), PaymentStatus.PENDING
        paid_for_nothing = order.status is OrderStatus.CLOSED and total_minor == 0
        return (), (), PaymentStatus.PAID if paid_for_nothing else PaymentStatus.UNKNOWN
    states = [PaymentStatus.PAID, PaymentStatus.AUTHORISED, PaymentStatus.PARTIALLY_PAID, PaymentStatus.REFUNDED]
    payment = draw(st.sampled_from([*states, PaymentStatus.PARTIALLY_REFUNDED]))
    paid_minor = total_minor - (1 if payment is PaymentStatus.PARTIALLY_PAID else 0)
    tender = Payment(
        payment=draw(SQUARE_IDS), method="CARD", amount_minor=paid_minor, paid_at=draw(st.none() | INSTANTS)
    )
    status = RefundStatus.DONE
    back_minor = paid_minor
    if payment is PaymentStatus.PARTIALLY_REFUNDED:
        back_minor -= 1
    elif payment is not PaymentStatus.REFUNDED:
        status = draw(st.sampled_from([RefundStatus.AGREED, RefundStatus.REFUSED]))
    refund = Refund(
        refund=draw(SQUARE_IDS),
        created_at=draw(INSTANTS),
        refunded_to_buyer_minor=back_minor,
        quantities=back,
        status=status,
        reason=draw(TEXTS),
    )
    wanted = payment in {PaymentStatus.REFUNDED, PaymentStatus.PARTIALLY_REFUNDED} or draw(st.booleans())
    return ((refund,) if wanted else ()), (tender,), payment


def _discounts(draw: st.DrawFn, order: Order) -> tuple[Discount, ...]:
    found = []
    for uid in draw(st.lists(SQUARE_IDS, max_size=2, unique=True)):
        shared = [line.line for line in order.lines if draw(st.booleans())]
        shares = tuple(DiscountShare(line=line, amount_minor=draw(MINORS)) for line in shared)
        amount_minor = draw(MINORS)
        found.append(
            Discount(discount=uid, title=draw(TEXTS), funder=Funder.SELLER, amount_minor=amount_minor, shares=shares)
        )
    return tuple(found)


def _delivery(draw: st.DrawFn, version: int) -> Delivery:
    method = draw(st.sampled_from(list(DeliveryMethod)))
    address = draw(st.none() | addresses())
    return Delivery(
        method=method,
        pickup_node=LOCATION if method is DeliveryMethod.PICKUP else None,
        address=address.model_copy(update={"point": None, "district": draw(TEXTS)}) if address else None,
        service=None if method is DeliveryMethod.PICKUP else draw(TEXTS),
        ship_by=draw(st.none() | INSTANTS) if method is DeliveryMethod.SHIP else None,
        not_before=None if method is DeliveryMethod.SHIP else draw(st.none() | INSTANTS),
        fulfilment=draw(st.sampled_from([None, f"{LOCATION}/f0/{version}"])),
    )
