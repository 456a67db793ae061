"""Reads the money of a native order: the lines' and the order's amounts, discounts, payments and refunds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import Final, TypeVar

from omo_core.channels.cursor import Cursor
from omo_core.model.orders import (
    Discount,
    DiscountShare,
    Funder,
    LineAmounts,
    OrderAmounts,
    OrderLine,
    Payment,
    Refund,
    RefundStatus,
)

K = TypeVar("K", bound=StrEnum)

AMOUNTS_FIELDS: Final = frozenset(
    {
        *("taxes_included", "line_gross", "discount", "platform_discount", "shipping", "tax", "tip", "fee"),
        *("rounding", "total", "presentment_total"),
    }
)
DISCOUNT_FIELDS: Final = frozenset({"discount", "title", "funder", "amount", "shipping", "shares"})
SHARE_FIELDS: Final = frozenset({"line", "amount"})
PAYMENT_FIELDS: Final = frozenset({"payment", "method", "amount", "paid_at"})
REFUND_FIELDS: Final = frozenset(
    {"refund", "created_at", "refunded_to_buyer", "sellers_share", "lines", "status", "reason"}
)
QUANTITY_FIELDS: Final = frozenset({"line", "quantity"})


def choice(cursor: Cursor, key: str, default: K) -> K:
    """One of the words of an enum; `default` where it is missing."""
    text = cursor.optional_text(key)
    if text is None:
        return default
    found: K | None = _words(type(default)).get(text)
    if found is None:
        cursor.fail(key, f"is {text[:40]!r}", f"send one of: {', '.join(type(default))}")
    return found


@cache
def _words(kind: type[K]) -> Mapping[str, K]:
    return {word.value: word for word in kind}


def read_line_amounts(line: Cursor, quantity: int, currency: str) -> LineAmounts | None:
    """A line's money; None where it has no unit price."""
    if not line.has("unit_price"):
        for key in ("gross", "discount", "tax"):
            if line.has(key):
                line.fail(key, "stands without a unit_price", "send the unit_price too")
        return None
    unit_minor = line.money("unit_price", currency, least=0)
    return line.build(
        LineAmounts,
        list_unit_price_minor=unit_minor,
        gross_minor=line.money("gross", currency, quantity * unit_minor, least=0),
        discount_minor=line.money("discount", currency, 0, least=0),
        tax_minor=line.money("tax", currency, 0, least=0),
    )


def read_amounts(
    document: Cursor, lines: Sequence[OrderLine], currency: str, presentment: str | None
) -> OrderAmounts | None:
    """The order's money; None where the document states none."""
    amounts = document.optional_child("amounts")
    if amounts is None:
        return None
    amounts.only(AMOUNTS_FIELDS)
    # What a bundle holds is paid for with the bundle.
    top = [line for line in lines if line.parent is None]
    priced = [line.amounts.gross_minor for line in top if line.amounts]
    if len(priced) < len(top) and not amounts.has("line_gross"):
        amounts.fail("line_gross", "is missing and not every line has a unit_price", "price every line, or send it")
    return document.build(
        OrderAmounts,
        taxes_included=amounts.boolean("taxes_included", False),
        line_gross_minor=amounts.money("line_gross", currency, sum(priced)),
        discount_minor=amounts.money("discount", currency, 0, least=0),
        shipping_minor=amounts.money("shipping", currency, 0, least=0),
        tax_minor=amounts.money("tax", currency, 0, least=0),
        tip_minor=amounts.money("tip", currency, 0, least=0),
        fee_minor=amounts.money("fee", currency, 0, least=0),
        rounding_minor=amounts.money("rounding", currency, 0),
        total_minor=amounts.money("total", currency),
        platform_discount_minor=amounts.money("platform_discount", currency, 0, least=0),
        presentment_total_minor=_presentment_total_minor(amounts, presentment),
    )


def _presentment_total_minor(amounts: Cursor, presentment: str | None) -> int | None:
    if not amounts.has("presentment_total"):
        return None
    if presentment is None:
        amounts.fail("presentment_total", "stands without the order's presentment_currency", "send that too")
    return amounts.money("presentment_total", presentment)


def read_discount(discount: Cursor, currency: str) -> Discount:
    """One discount as the sender split it."""
    discount.only(DISCOUNT_FIELDS)
    shares = []
    for share in discount.children("shares"):
        share.only(SHARE_FIELDS)
        amount_minor = share.money("amount", currency, least=0)
        shares.append(share.build(DiscountShare, line=share.text("line"), amount_minor=amount_minor))
    return discount.build(
        Discount,
        discount=discount.optional_text("discount"),
        title=discount.optional_text("title"),
        funder=choice(discount, "funder", Funder.UNKNOWN),
        amount_minor=discount.money("amount", currency, least=0),
        shares=tuple(shares),
        shipping_minor=discount.money("shipping", currency, 0, least=0),
    )


def read_payment(payment: Cursor, currency: str) -> Payment:
    """Money that the buyer gave or promised."""
    payment.only(PAYMENT_FIELDS)
    return payment.build(
        Payment,
        payment=payment.optional_text("payment"),
        method=payment.optional_text("method"),
        amount_minor=payment.money("amount", currency, least=0),
        paid_at=payment.optional_instant("paid_at"),
    )


def read_refund(refund: Cursor, currency: str) -> Refund:
    """Money that goes back, and how far it is."""
    refund.only(REFUND_FIELDS)
    return refund.build(
        Refund,
        refund=refund.text("refund"),
        created_at=refund.instant("created_at"),
        refunded_to_buyer_minor=refund.money("refunded_to_buyer", currency, least=0),
        sellers_share_minor=refund.money("sellers_share", currency, least=0) if refund.has("sellers_share") else None,
        quantities=read_quantities(refund),
        status=choice(refund, "status", RefundStatus.DONE),
        reason=refund.optional_text("reason"),
    )


def read_quantities(cursor: Cursor) -> tuple[tuple[str, int], ...]:
    """The (line, quantity) pairs in its `lines`."""
    quantities = []
    for line in cursor.children("lines"):
        line.only(QUANTITY_FIELDS)
        quantities.append((line.text("line"), line.quantity("quantity")))
    return tuple(quantities)
