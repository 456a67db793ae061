"""Reads the money of Shopee's orders: prices, the seller's side with each discount, and returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import free_text, state, unix_s
from omo_core.channels.port import RefundNotice
from omo_core.model.errors import InvalidMoney
from omo_core.model.orders import (
    Discount,
    DiscountShare,
    Funder,
    OrderAmounts,
    OrderLine,
    Refund,
    RefundStatus,
)

_RETURN: Final[Mapping[str, RefundStatus]] = {
    "REQUESTED": RefundStatus.REQUESTED,
    "JUDGING": RefundStatus.REQUESTED,
    "SELLER_DISPUTE": RefundStatus.REQUESTED,
    "PROCESSING": RefundStatus.AGREED,
    "ACCEPTED": RefundStatus.AGREED,
    "REFUND_PAID": RefundStatus.DONE,
    "CANCELLED": RefundStatus.REFUSED,
    "CLOSED": RefundStatus.REFUSED,
}
# Field of the order's income, of its items, and who pays for it.
_DISCOUNTS: Final = (
    ("seller_discount", "seller_discount", Funder.SELLER),
    ("shopee_discount", "shopee_discount", Funder.PLATFORM),
    ("voucher_from_seller", "discount_from_voucher_seller", Funder.SELLER),
    ("voucher_from_shopee", "discount_from_voucher_shopee", Funder.PLATFORM),
    ("coins", "discount_from_coin", Funder.PLATFORM),
    ("payment_promotion", None, Funder.PLATFORM),
)
_FEES: Final = ("buyer_transaction_fee", "cross_border_tax")
# The documentation computes what the buyer pays: the original price less these discounts, with the fees and shipping.


class Income(NamedTuple):
    """The seller's side of an order's money."""

    order: Cursor
    items: tuple[Cursor | None, ...]
    """What it says of each of the order's lines; None where that cannot be told."""


def pair(item: Cursor) -> tuple[str, str]:
    """The item and the model of it; Shopee writes 0 where an item has no models."""
    return item.identifier("item_id"), item.optional_identifier("model_id") or "0"


def income_of(income: Cursor | None, pairs: Sequence[tuple[str, str]]) -> Income | None:
    """The seller's side of an order of these items: both documents list a pair's lines in one order."""
    if income is None:
        return None
    found: dict[tuple[str, str], list[Cursor]] = {}
    for item in income.children("items"):
        found.setdefault(pair(item), []).append(item)
    often = Counter(pairs)
    same = {key: iter(listed) for key, listed in found.items() if len(listed) == often[key]}
    return Income(income, tuple(next(same[one]) if one in same else None for one in pairs))


def money(cursor: Cursor, key: str, currency: str, default: int | None = 0) -> int:
    """Minor units of a number in major units, which binary floating point may have touched; raises `InvalidMoney`."""
    return cursor.amount(key, currency, default, noise=True)


def line_discount(item: Cursor, original: int, quantity: int, currency: str, told: Cursor | None) -> int:
    """The line's share of every discount: by the seller's side where that tells it, else by the price after discount."""
    if told is not None:
        return sum(money(told, key, currency) for _, key, _ in _DISCOUNTS if key)
    if not item.has("model_discounted_price"):
        return 0
    after = money(item, "model_discounted_price", currency)
    if after == 0 and item.optional_text("promotion_type") == "bundle_deal":
        item.odd("model_discounted_price", "is 0 in a bundle deal, which Shopee splits over items in the escrow only")
        return 0
    return (original - after) * quantity


def total_of(order: Cursor, escrow: Income | None, currency: str) -> int | None:
    """What the buyer pays; Shopee tells it once it is paid."""
    if order.has("total_amount"):
        return money(order, "total_amount", currency)
    if escrow is not None and escrow.order.has("buyer_total_amount"):
        return money(escrow.order, "buyer_total_amount", currency)
    return None


def amounts_of(
    order: Cursor, lines: Sequence[OrderLine], escrow: Income | None, total: int, currency: str
) -> OrderAmounts:
    """The order's amounts; Shopee's prices hold the tax and tell it nowhere."""
    of_lines = [line.amounts for line in lines if line.amounts]
    parts: dict[str, int] = {"discount_minor": sum(one.discount_minor for one in of_lines)}
    if escrow is not None:
        income = escrow.order
        funded = [(funder, money(income, key, currency)) for key, _, funder in _DISCOUNTS]
        parts = {
            "discount_minor": sum(minor for _, minor in funded),
            "platform_discount_minor": sum(minor for funder, minor in funded if funder is Funder.PLATFORM),
            "shipping_minor": money(income, "buyer_paid_shipping_fee", currency),
            "fee_minor": sum(money(income, key, currency) for key in _FEES),
        }
    return order.build(
        OrderAmounts,
        taxes_included=True,
        line_gross_minor=sum(one.gross_minor for one in of_lines),
        total_minor=total,
        **parts,
    )


def discounts_of(lines: Sequence[OrderLine], escrow: Income | None, currency: str) -> tuple[Discount, ...]:
    """Each discount with who pays for it, by the seller's side; without that, a line's price says all there is."""
    if escrow is None:
        return ()
    found = []
    told = [(line.line, item) for line, item in zip(lines, escrow.items, strict=True) if item]
    for key, of_item, funder in _DISCOUNTS:
        amount = money(escrow.order, key, currency)
        if not amount:
            continue
        parts = [(line, money(item, of_item, currency)) for line, item in told] if of_item else []
        shares = tuple(DiscountShare(line=line, amount_minor=minor) for line, minor in parts if minor)
        found.append(escrow.order.build(Discount, title=key, funder=funder, amount_minor=amount, shares=shares))
    return tuple(found)


def read_return(found: Cursor, channel: str) -> RefundNotice:
    """What a return's detail says of its refund."""
    return found.build(
        RefundNotice,
        channel=channel,
        external_id=found.identifier("order_sn"),
        refund=refund_of(found, None),
        updated_at=unix_s(found, "update_time"),
        returns_goods=_returns_goods(found),
    )


def _returns_goods(found: Cursor) -> bool | None:
    if not found.has("return_solution"):
        return None
    solution = found.integer(
        "return_solution", least=0, most=9, what="0 for a return with refund, or 1 for a refund only"
    )
    return solution == 0


def refund_of(found: Cursor, known: set[str] | None, currency: str | None = None) -> Refund:
    """A return as a refund; of an order whose lines and currency are known, of these alone."""
    own = found.currency("currency")
    if currency is not None and own != currency:
        path = f"{found.path}.currency"
        raise InvalidMoney(f"{path} is not the order's {currency}; send an order of one currency", path=path)
    quantities: Counter[str] = Counter()
    for item in found.children("item"):
        item_id, model_id = pair(item)
        quantities[f"{item_id}-{model_id}"] += item.quantity("amount")
    return found.build(
        Refund,
        refund=found.identifier("return_sn"),
        created_at=unix_s(found, "create_time"),
        refunded_to_buyer_minor=money(found, "refund_amount", own, None),
        quantities=tuple((line, units) for line, units in quantities.items() if known is None or line in known),
        status=state(found, "status", _RETURN, RefundStatus.REQUESTED),
        reason=free_text(found, "text_reason") or free_text(found, "reason"),
    )
