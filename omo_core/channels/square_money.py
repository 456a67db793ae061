"""Reads the money of a Square order: whole minor units with a currency, taxes on top or inside, discounts and tenders.

Source of the fields: https://developer.squareup.com/reference/square/objects/Order and the objects it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import free_text, incidental_id, minor, state
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
from omo_core.model.values import MAX_MINOR

_REFUND: Final[Mapping[str, RefundStatus]] = {
    "PENDING": RefundStatus.AGREED,
    "APPROVED": RefundStatus.DONE,
    "COMPLETED": RefundStatus.DONE,
    "REJECTED": RefundStatus.REFUSED,
    "FAILED": RefundStatus.REFUSED,
    "CANCELED": RefundStatus.REFUSED,
    # Of refunds at a Terminal.
    "IN PROGRESS": RefundStatus.AGREED,
    "IN_PROGRESS": RefundStatus.AGREED,
    "CANCEL_REQUESTED": RefundStatus.AGREED,
}
"""Nobody asks for a refund at Square: it begins when the seller makes it."""

_NOT_PAID: Final = frozenset({"VOIDED", "FAILED"})


def money(cursor: Cursor, key: str, currency: str, default: int | None = None) -> int:
    """Minor units of a money object, which has to be in this currency; raises `InvalidMoney`."""
    value = cursor.fields.get(key)
    if value is None:
        if default is not None:
            return default
        path = f"{cursor.path}.{key}"
        raise InvalidMoney(
            f'{path} is missing; send an amount such as {{"amount": 1250, "currency": "USD"}}', path=path
        )
    if isinstance(value, dict) and value.get("currency") == currency:
        amount = value.get("amount")
        if type(amount) is int and -MAX_MINOR <= amount <= MAX_MINOR:
            return amount
    both = cursor.child(key)
    if both.currency("currency") != currency:
        path = f"{both.path}.currency"
        raise InvalidMoney(f"{path} is not the order's {currency}; send one currency an order", path=path)
    return minor(both, "amount")


def currency_of(document: Cursor) -> str:
    """The order's currency: that of its total, or of the first price of a line."""
    if document.has("total_money"):
        return document.child("total_money").currency("currency")
    for line in document.children("line_items"):
        if line.has("base_price_money"):
            return line.child("base_price_money").currency("currency")
    path = f"{document.path}.total_money"
    raise InvalidMoney(f"{path} is missing, and so is every line's price; send the whole order", path=path)


class Taxes:
    """Which of an order's taxes are inside its prices."""

    def __init__(self, document: Cursor, currency: str) -> None:
        known = {tax.optional_text("uid"): tax.optional_text("type") for tax in document.children("taxes")}
        self._inclusive = {uid for uid, kind in known.items() if kind == "INCLUSIVE"}
        self.included = bool(self._inclusive) and len(self._inclusive) == len(known)
        """All of them are: prices hold the tax."""
        self.mixed = bool(self._inclusive) and not self.included
        """Some are: those are taken out of the prices, so that all of them come on top."""
        self._currency = currency

    @property
    def any_inside(self) -> bool:
        """Whether prices hold a tax."""
        return bool(self._inclusive)

    def inside_minor(self, taxed: Cursor) -> int:
        """The taxes inside the price of a line or a service charge."""
        return sum(
            money(tax, "applied_money", self._currency, 0)
            for tax in taxed.children("applied_taxes")
            if tax.optional_text("tax_uid") in self._inclusive
        )


def read_line_amounts(line: Cursor, quantity: int, currency: str, taxes: Taxes) -> LineAmounts | None:
    """A line's money; None where it has no price."""
    if not line.has("base_price_money"):
        return None
    unit_minor = money(line, "base_price_money", currency)
    return line.build(
        LineAmounts,
        list_unit_price_minor=unit_minor,
        gross_minor=_gross_minor(line, unit_minor * quantity, currency, taxes),
        discount_minor=money(line, "total_discount_money", currency, 0),
        tax_minor=money(line, "total_tax_money", currency, 0),
    )


def _gross_minor(line: Cursor, plain_minor: int, currency: str, taxes: Taxes) -> int:
    # gross_sales_money leaves out taxes that are inside the price in some countries and not in others.
    if line.has("gross_sales_money") and not taxes.any_inside:
        return money(line, "gross_sales_money", currency)
    gross_minor = money(line, "variation_total_price_money", currency, plain_minor)
    for modifier in line.children("modifiers"):
        gross_minor += money(modifier, "total_price_money", currency, 0)
    return gross_minor - (taxes.inside_minor(line) if taxes.mixed else 0)


def read_amounts(
    document: Cursor, lines: tuple[OrderLine, ...], currency: str, taxes: Taxes, shipping_charges: tuple[str, ...]
) -> OrderAmounts | None:
    """The order's money as placed; None where it has no total."""
    if not document.has("total_money") or any(line.amounts is None for line in lines):
        return None
    shipping_minor = fee_minor = 0
    for charge in document.children("service_charges"):
        amount_minor = money(charge, "applied_money", currency, 0)
        amount_minor -= taxes.inside_minor(charge) if taxes.mixed else 0
        if charge.optional_text("name") in shipping_charges:
            shipping_minor += amount_minor
        else:
            fee_minor += amount_minor
    if not document.has("service_charges"):
        fee_minor = money(document, "total_service_charge_money", currency, 0)
    rounding = document.optional_child("rounding_adjustment")
    return document.build(
        OrderAmounts,
        taxes_included=taxes.included,
        line_gross_minor=sum(line.amounts.gross_minor for line in lines if line.amounts),
        discount_minor=money(document, "total_discount_money", currency, 0),
        shipping_minor=shipping_minor,
        tax_minor=money(document, "total_tax_money", currency, 0),
        tip_minor=money(document, "total_tip_money", currency, 0),
        fee_minor=fee_minor,
        rounding_minor=money(rounding, "amount_money", currency, 0) if rounding else 0,
        total_minor=money(document, "total_money", currency),
    )


def read_discounts(document: Cursor, currency: str) -> tuple[Discount, ...]:
    """The order's discounts, split over the lines as Square split them."""
    found = list(document.children("discounts"))
    if not found:
        return ()
    shares: dict[str, list[DiscountShare]] = {}
    for line in document.children("line_items"):
        for applied in line.children("applied_discounts"):
            share = line.build(
                DiscountShare, line=line.identifier("uid"), amount_minor=money(applied, "applied_money", currency, 0)
            )
            shares.setdefault(applied.identifier("discount_uid"), []).append(share)
    return tuple(_discount(discount, shares, currency) for discount in found)


def _discount(discount: Cursor, shares: Mapping[str, list[DiscountShare]], currency: str) -> Discount:
    uid = discount.identifier("uid")
    return discount.build(
        Discount,
        discount=uid,
        title=free_text(discount, "name"),
        funder=Funder.SELLER,
        amount_minor=money(discount, "applied_money", currency, 0),
        shares=tuple(shares.get(uid, ())),
    )


def read_payments(document: Cursor, currency: str) -> tuple[Payment, ...]:
    """The order's tenders that were not voided and did not fail."""
    return tuple(
        tender.build(
            Payment,
            payment=incidental_id(tender, "payment_id") or incidental_id(tender, "id"),
            method=free_text(tender, "type"),
            amount_minor=money(tender, "amount_money", currency, 0),
            paid_at=tender.optional_instant("created_at"),
        )
        for tender in document.children("tenders")
        if _card_status(tender) not in _NOT_PAID
    )


def payment_status(document: Cursor, total_minor: int | None, currency: str) -> PaymentStatus:
    """What the tenders, and the refunds of them, say of the money."""
    paid_minor = authorised_minor = given_back_minor = tenders = 0
    for tender in document.children("tenders"):
        tenders += 1
        status = _card_status(tender)
        if status == "AUTHORIZED":
            authorised_minor += money(tender, "amount_money", currency, 0)
        elif status not in _NOT_PAID:
            paid_minor += money(tender, "amount_money", currency, 0)
    for refund in document.children("refunds"):
        if _REFUND.get(refund.optional_text("status") or "") is RefundStatus.DONE:
            given_back_minor += money(refund, "amount_money", currency)
    if given_back_minor:
        return PaymentStatus.REFUNDED if given_back_minor >= paid_minor else PaymentStatus.PARTIALLY_REFUNDED
    if paid_minor:
        whole = total_minor is not None and paid_minor >= total_minor
        return PaymentStatus.PAID if whole else PaymentStatus.PARTIALLY_PAID
    if authorised_minor:
        return PaymentStatus.AUTHORISED
    return _without_money(document, tenders, total_minor)


def _without_money(document: Cursor, tenders: int, total_minor: int | None) -> PaymentStatus:
    if tenders:
        return PaymentStatus.PAID if total_minor == 0 else PaymentStatus.VOIDED
    said = document.optional_text("state")
    if said == "COMPLETED":
        return PaymentStatus.PAID if total_minor == 0 else PaymentStatus.UNKNOWN
    return PaymentStatus.PENDING if said in {"OPEN", "DRAFT"} else PaymentStatus.UNKNOWN


def _card_status(tender: Cursor) -> str | None:
    card = tender.optional_child("card_details")
    return card.optional_text("status") if card else None


def read_refund(refund: Cursor, currency: str | None = None, quantities: Mapping[str, int] | None = None) -> Refund:
    """A refund of an order, or of a payment: of tenders as a whole, with no word of lines."""
    unit = currency or refund.child("amount_money").currency("currency")
    return refund.build(
        Refund,
        refund=refund.identifier("id"),
        created_at=refund.instant("created_at"),
        refunded_to_buyer_minor=money(refund, "amount_money", unit),
        quantities=tuple((quantities or {}).items()),
        status=state(refund, "status", _REFUND, RefundStatus.AGREED),
        reason=free_text(refund, "reason"),
    )
