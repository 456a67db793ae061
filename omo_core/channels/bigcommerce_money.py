"""Reads BigCommerce's money: texts with four decimals, each with its tax and without.

What a buyer pays is the side with tax, so that one is read: the other has fractions of the currency's smallest unit.
Source of the fields: https://developer.bigcommerce.com/docs/rest-management/orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import free_text, incidental_id, units
from omo_core.model.errors import InvalidMoney
from omo_core.model.orders import (
    Discount,
    DiscountShare,
    Funder,
    LineAmounts,
    OrderAmounts,
    OrderLine,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from omo_core.model.values import MAX_MINOR, currency_exponent

_MAX_DIGITS: Final = 24

PAYMENT: Final[Mapping[str, PaymentStatus]] = {
    "pending": PaymentStatus.PENDING,
    "authorized": PaymentStatus.AUTHORISED,
    "held for review": PaymentStatus.AUTHORISED,
    "capture pending": PaymentStatus.AUTHORISED,
    "captured": PaymentStatus.PAID,
    "paid": PaymentStatus.PAID,
    "declined": PaymentStatus.VOIDED,
    "void": PaymentStatus.VOIDED,
    "void pending": PaymentStatus.VOIDED,
    "partially refunded": PaymentStatus.PARTIALLY_REFUNDED,
    "refunded": PaymentStatus.REFUNDED,
}
_GIVEN: Final = frozenset(PaymentStatus) - {PaymentStatus.UNKNOWN, PaymentStatus.PENDING, PaymentStatus.VOIDED}


class Purse:
    """The money of one order: amounts in its currency, and how many of them had to be rounded."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.rounded = 0
        self._exponent = currency_exponent(currency)

    def minor(self, cursor: Cursor, key: str, default: int | None = 0) -> int:
        """An amount in minor units; fractions of one are rounded half up, and counted. Raises `InvalidMoney`."""
        value = cursor.fields.get(key)
        if (value is None or value == "") and default is not None:
            return default
        exact = _decimal(value)
        if exact is None:
            path = f"{cursor.path}.{key}"
            raise InvalidMoney(f'{path} is no amount; send a decimal amount such as "79.0000"', path=path)
        scaled = exact.scaleb(self._exponent)
        whole = int(scaled.to_integral_value(rounding=ROUND_HALF_UP))
        self.rounded += whole != scaled
        return whole


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal) or len(str(value)) > _MAX_DIGITS:
        return None
    text = str(value)
    if not text.isascii() or not text.removeprefix("-").replace(".", "", 1).isdigit():
        return None
    found = Decimal(text)
    return found if abs(found) <= MAX_MINOR // 10_000 else None


def read_line_amounts(line: Cursor, purse: Purse) -> LineAmounts:
    """A line's money with its tax; its price is that of one unit, for show: the total is what counts."""
    applied = sum(purse.minor(one, "amount") for one in line.children("applied_discounts"))
    before = purse.rounded
    unit_minor = purse.minor(line, "price_inc_tax", None)
    purse.rounded = before
    return line.build(
        LineAmounts,
        list_unit_price_minor=unit_minor,
        gross_minor=purse.minor(line, "total_inc_tax", None),
        discount_minor=applied,
        tax_minor=purse.minor(line, "total_tax"),
    )


def read_amounts(order: Cursor, lines: Sequence[OrderLine], purse: Purse) -> OrderAmounts:
    """The order's money. What rounding of fractions leaves over, at most a unit each, is its `rounding_minor`."""
    fees_minor = sum(purse.minor(fee, "cost_inc_tax") for fee in order.children("fees"))
    handling_minor = purse.minor(order, "handling_cost_inc_tax") + purse.minor(order, "wrapping_cost_inc_tax")
    amounts = order.build(
        OrderAmounts,
        taxes_included=True,
        line_gross_minor=sum(line.amounts.gross_minor for line in lines if line.amounts),
        discount_minor=purse.minor(order, "discount_amount") + purse.minor(order, "coupon_discount"),
        shipping_minor=purse.minor(order, "shipping_cost_inc_tax"),
        tax_minor=purse.minor(order, "total_tax"),
        fee_minor=handling_minor + fees_minor,
        total_minor=purse.minor(order, "total_inc_tax", None),
    )
    if fees_minor and amounts.imbalance_minor == -fees_minor:
        order.odd("fees", "are not in the order's total; they were left out")
        return amounts.model_copy(update={"fee_minor": handling_minor})
    if amounts.imbalance_minor and abs(amounts.imbalance_minor) <= purse.rounded:
        return amounts.model_copy(update={"rounding_minor": amounts.imbalance_minor})
    return amounts


def read_discounts(products: Sequence[Cursor], coupons: Sequence[Cursor], purse: Purse) -> tuple[Discount, ...]:
    """The discounts that lines name, split as they say, and the coupons that no line names."""
    named: dict[str, tuple[Cursor, list[DiscountShare]]] = {}
    for product in products:
        for applied in product.children("applied_discounts"):
            key = applied.optional_identifier("code") or applied.identifier("id")
            share = applied.build(
                DiscountShare, line=product.identifier("id"), amount_minor=purse.minor(applied, "amount")
            )
            named.setdefault(key, (applied, []))[1].append(share)
    found = [
        applied.build(
            Discount,
            discount=key,
            title=free_text(applied, "name"),
            funder=Funder.SELLER,
            amount_minor=sum(share.amount_minor for share in shares),
            shares=tuple(shares),
        )
        for key, (applied, shares) in named.items()
    ]
    for coupon in coupons:
        code = coupon.optional_identifier("code")
        if code not in named:
            amount_minor = purse.minor(coupon, "discount")
            found.append(coupon.build(Discount, discount=code, funder=Funder.SELLER, amount_minor=amount_minor))
    return tuple(found)


def read_payments(order: Cursor, total_minor: int, payment: PaymentStatus, purse: Purse) -> tuple[Payment, ...]:
    """Store credit and gift certificates that were given, and by which method the rest was."""
    parts = {
        "store credit": purse.minor(order, "store_credit_amount"),
        "gift certificate": purse.minor(order, "gift_certificate_amount"),
    }
    rest_minor = total_minor - sum(parts.values())
    rest: tuple[Payment, ...] = ()
    if payment in _GIVEN and rest_minor > 0:
        method = free_text(order, "payment_method")
        provider = incidental_id(order, "payment_provider_id")
        rest = (order.build(Payment, payment=provider, method=method, amount_minor=rest_minor),)
    return (*(order.build(Payment, method=name, amount_minor=part) for name, part in parts.items() if part), *rest)


def read_refund(refund: Cursor, purse: Purse, created_at: object) -> Refund:
    """A refund of the v3 API; `created_at` where it does not say when it was made."""
    quantities: dict[str, int] = {}
    for item in refund.children("items"):
        if item.optional_text("item_type") == "PRODUCT" and item.has("quantity"):
            line = item.identifier("item_id")
            quantities[line] = quantities.get(line, 0) + units(item, "quantity")
    declined = [payment.boolean("is_declined", False) for payment in refund.children("payments")]
    return refund.build(
        Refund,
        refund=refund.identifier("id"),
        created_at=created_at,
        refunded_to_buyer_minor=purse.minor(refund, "total_amount", None),
        quantities=tuple(quantities.items()),
        status=RefundStatus.REFUSED if declined and all(declined) else RefundStatus.DONE,
        reason=free_text(refund, "reason"),
    )
