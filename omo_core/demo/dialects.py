"""What each of the demo's platforms can say of an order: the same basket, fitted to the platform that sells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from omo_core.model.orders import Discount, DiscountShare, Funder, Order, Payment, PaymentStatus

WEB_SHOP: Final = "shopify"
MARKETPLACE: Final = "amazon"
MINI_PROGRAM: Final = "mini-program"
CLICK_AND_COLLECT: Final = ("woocommerce", "square", "bigcommerce")
"""Shops whose orders are collected in a store."""
TILL: Final = "till"

ADAPTERS: Final[Mapping[str, str]] = {
    WEB_SHOP: "shopify",
    MARKETPLACE: "amazon",
    MINI_PROGRAM: "native",
    **{name: name for name in CLICK_AND_COLLECT},
    TILL: "native",
}
"""The adapter that reads each channel."""


def fitted(order: Order) -> Order:
    """The order as its channel tells it: its ids, its payments, and what it says beside them."""
    fit = _FITS.get(order.channel)
    return order if fit is None else order.model_copy(update=fit(order))


def _amazon(order: Order) -> dict[str, Any]:
    """Ids in the 3-7-7 format; money that Amazon keeps; every discount with the line it is of."""
    digits = order.external_id.zfill(17)
    number = f"{digits[:3]}-{digits[3:10]}-{digits[10:]}"
    discounts = tuple(Discount(amount_minor=share.amount_minor, shares=(share,)) for share in _shares(order))
    return {
        "external_id": number,
        "display_number": number,
        "payment": PaymentStatus.AUTHORISED,
        "discounts": discounts,
    }


def _woocommerce(order: Order) -> dict[str, Any]:
    return {"display_number": order.external_id, "payments": _paid(order)}


def _square(order: Order) -> dict[str, Any]:
    """Square's lines name a variation of its catalogue, which is called by our SKU there."""
    lines = tuple(line.model_copy(update={"listing": line.sku}) for line in order.lines)
    return {"lines": lines, "payments": _paid(order)}


def _bigcommerce(order: Order) -> dict[str, Any]:
    """Prices hold the tax there; lines name the one promotion that took something off; when money came is not told."""
    amounts = order.amounts and order.amounts.model_copy(update={"taxes_included": True})
    shares = _shares(order)
    off = sum(share.amount_minor for share in shares)
    discount = Discount(discount="card", title="Loyalty card", funder=Funder.SELLER, amount_minor=off, shares=shares)
    return {
        "display_number": order.external_id,
        "amounts": amounts,
        "discounts": (discount,) if shares else (),
        "payments": tuple(one.model_copy(update={"paid_at": None}) for one in _paid(order)),
    }


def _shares(order: Order) -> tuple[DiscountShare, ...]:
    """What was taken off each line."""
    found = ((line.line, line.amounts.discount_minor) for line in order.lines if line.amounts)
    return tuple(DiscountShare(line=line, amount_minor=minor) for line, minor in found if minor)


def _paid(order: Order) -> tuple[Payment, ...]:
    if order.amounts is None:
        return ()
    return (
        Payment(
            payment=f"pay-{order.external_id}",
            method="CARD",
            amount_minor=order.amounts.total_minor,
            paid_at=order.placed_at,
        ),
    )


_FITS: Final[Mapping[str, Callable[[Order], dict[str, Any]]]] = {
    "amazon": _amazon,
    "woocommerce": _woocommerce,
    "square": _square,
    "bigcommerce": _bigcommerce,
}
