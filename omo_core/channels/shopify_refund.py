"""Reads Shopify's refunds, inside an order and by themselves.

Source of the fields: https://shopify.dev/docs/api/admin-rest/latest/resources/refund.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import free_text
from omo_core.channels.port import RefundNotice
from omo_core.channels.shopify_money import shop_minor, total
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import Refund, RefundStatus

_COMES_BACK: Final[Mapping[str, bool]] = {"return": True, "cancel": False, "no_restock": False}
"""What a restock_type says of goods that have left: a cancelled unit never left, and one without restock is kept."""

_SETS: Final = ("total_duties_set", "total_additional_fees_set")


def refunded_quantities(refund: Cursor) -> Mapping[str, int]:
    """Units of each line that a refund takes off the order."""
    quantities: Counter[str] = Counter()
    for line in refund.children("refund_line_items"):
        quantities[line.identifier("line_item_id")] += line.count("quantity")
    return +quantities


def read_refund(refund: Cursor, currency: str, otherwise_at: datetime | None) -> Refund:
    """One refund; `otherwise_at` stands in where it has no time of its own.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    created_at = refund.optional_instant("created_at") or refund.optional_instant("processed_at") or otherwise_at
    if created_at is None:
        refund.fail("created_at", "is missing or empty", "send a time such as 2026-11-21T09:30:00Z")
    payments = [one for one in refund.children("transactions") if one.optional_text("kind") == "refund"]
    return refund.build(
        Refund,
        refund=refund.identifier("id"),
        created_at=created_at,
        refunded_to_buyer_minor=_refunded_minor(refund, payments, currency),
        quantities=tuple(refunded_quantities(refund).items()),
        status=_status(payments),
        reason=free_text(refund, "note"),
    )


def read_refund_notice(refund: Cursor, channel: str) -> RefundNotice:
    """A refund by itself, as `refunds/create` sends it; its currency is the shop's, found where it is written.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    if not refund.has("order_id") or "refund_line_items" not in refund.fields:
        first = next(iter(refund.fields), "nothing")
        raise UnreadableBody(
            f"{refund.path} begins with {first[:40]!r} and has no order_id with refund_line_items, so it is no refund of"
            " an order; send one refund",
            path=refund.path,
        )
    found = read_refund(refund, _currency(refund), None)
    return refund.build(
        RefundNotice,
        channel=channel,
        external_id=refund.identifier("order_id"),
        refund=found,
        updated_at=refund.optional_instant("processed_at") or found.created_at,
        returns_goods=_returns_goods(refund),
    )


def _returns_goods(refund: Cursor) -> bool | None:
    """True where any unit comes back; None where the body is from before Shopify told apart what comes back."""
    found = {_COMES_BACK.get(line.optional_text("restock_type") or "") for line in refund.children("refund_line_items")}
    return True if True in found else None if None in found else False


def _currency(refund: Cursor) -> str:
    """The shop's currency; where no two-currency amount tells it, the one of the transactions."""
    holders = [(refund, key) for key in _SETS]
    holders += [(line, "subtotal_set") for line in refund.children("refund_line_items")]
    holders += [(one, "amount_set") for one in refund.children("order_adjustments")]
    for holder, key in holders:
        if isinstance(holder.fields.get(key), dict):
            return holder.child(key).child("shop_money").currency("currency_code")
    transaction = next(refund.children("transactions"), None)
    if transaction is None:
        refund.fail("transactions", "tell no currency, nor do other amounts", "send the refund as Shopify writes it")
    return transaction.currency("currency")


def _status(payments: list[Cursor]) -> RefundStatus:
    """Done, unless a payment back is still on its way or none has succeeded."""
    found = {one.optional_text("status") for one in payments}
    return RefundStatus.AGREED if "pending" in found or (found and "success" not in found) else RefundStatus.DONE


def _refunded_minor(refund: Cursor, payments: list[Cursor], currency: str) -> int:
    """What went back to the buyer: the successful transactions, or the items where those are in another currency.

    A line removed by an edit is a refund without transactions: goods leave the order, no money moves.
    """
    paid_back = [one for one in payments if one.optional_text("status") == "success"]
    if all((one.optional_text("currency") or currency) == currency for one in paid_back):
        return total(paid_back, "amount", currency)
    return sum(_in_shop_money(refund, currency))


def _in_shop_money(refund: Cursor, currency: str) -> Iterator[int]:
    # subtotal and total_tax are JSON floats; their _set twins are exact.
    for line in refund.children("refund_line_items"):
        yield shop_minor(line, "subtotal_set", currency) + shop_minor(line, "total_tax_set", currency)
    for one in refund.children("order_adjustments"):
        yield -shop_minor(one, "amount_set", currency) - shop_minor(one, "tax_amount_set", currency)
