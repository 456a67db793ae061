"""Reads Shopify's order resource (REST and webhooks, the same document) into the canonical order.

Source of the fields: https://shopify.dev/docs/api/admin-rest/latest/resources/order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.channels.fields import free_text
from omo_core.channels.shopify_delivery import ShopifyConfig, read_delivery
from omo_core.model.errors import InvalidMoney, UnreadableBody
from omo_core.model.orders import (
    LineAmounts,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    PaymentStatus,
    Refund,
)

_PAYMENT: Final[Mapping[str, PaymentStatus]] = {
    "pending": PaymentStatus.PENDING,
    "authorized": PaymentStatus.AUTHORISED,
    "partially_paid": PaymentStatus.PARTIALLY_PAID,
    "paid": PaymentStatus.PAID,
    "partially_refunded": PaymentStatus.PARTIALLY_REFUNDED,
    "refunded": PaymentStatus.REFUNDED,
    "voided": PaymentStatus.VOIDED,
}


def read_order(document: Cursor, config: ShopifyConfig, sha256: str) -> Order:
    """The canonical order of an order resource; `sha256` is of the bytes it came in.

    Amounts are the order's as placed (`total_price`, `quantity`); what is left of it is in `current_quantity`.
    Raises `UnreadableBody` or `InvalidMoney`.
    """
    _check_resource(document)
    currency = document.currency("currency")
    noise = is_pos(document)
    refunded: Counter[str] = Counter()
    for refund in document.children("refunds"):
        refunded.update(dict(_refunded_quantities(refund)))
    lines = tuple(_line(line, currency, refunded, noise) for line in document.children("line_items"))
    if not lines:
        document.fail("line_items", "is missing or empty", "send the whole order with at least one line")
    updated_at = document.instant("updated_at")
    return build_order(
        document,
        channel=config.channel,
        external_id=document.identifier("id"),
        display_number=document.optional_identifier("name") or document.optional_identifier("order_number"),
        source_version=microseconds(updated_at),
        status=_status(document),
        payment=_PAYMENT.get(document.optional_text("financial_status") or "", PaymentStatus.UNKNOWN),
        placed_at=document.instant("created_at"),
        updated_at=updated_at,
        cancelled_at=document.optional_instant("cancelled_at"),
        cancel_reason=free_text(document, "cancel_reason"),
        test=document.boolean("test", False),
        currency=currency,
        presentment_currency=document.currency("presentment_currency")
        if document.has("presentment_currency")
        else None,
        lines=lines,
        deliveries=(read_delivery(document, config),),
        amounts=_amounts(document, lines, currency, noise),
        refunds=tuple(_refund(refund, currency, updated_at) for refund in document.children("refunds")),
        note=free_text(document, "note"),
        body_sha256=sha256,
    )


def is_pos(document: Cursor) -> bool:
    """Whether Shopify's point of sale made the order."""
    return document.optional_text("source_name") == "pos"


def left_over_the_counter(document: Cursor) -> bool:
    """Whether the goods left the shop when the order was made: a POS order that nobody is to receive elsewhere."""
    return is_pos(document) and not document.has("shipping_address") and not document.fields.get("shipping_lines")


def _check_resource(document: Cursor) -> None:
    """Tell an order from the other resources that have line items: drafts, checkouts, fulfilments."""
    gid = document.optional_text("admin_graphql_api_id") or ""
    if gid.startswith("gid://") and not gid.startswith("gid://shopify/Order/"):
        document.fail("admin_graphql_api_id", f"is {gid[:60]!r}, which is no order", "send an order here")
    if not document.has("id"):
        first = next(iter(document.fields), "nothing")
        raise UnreadableBody(
            f"{document.path} has no id and begins with {first[:40]!r}, so it is no order; send one order, or a list"
            " under the key orders",
            path=document.path,
        )
    if "financial_status" not in document.fields:
        raise UnreadableBody(
            f"{document.path} has no financial_status, so it is no whole order; send the order resource with all its"
            " fields",
            path=document.path,
        )


def _status(document: Cursor) -> OrderStatus:
    if document.has("cancelled_at"):
        return OrderStatus.CANCELLED
    finished = document.optional_text("fulfillment_status") == "fulfilled" or left_over_the_counter(document)
    return OrderStatus.CLOSED if finished or document.has("closed_at") else OrderStatus.OPEN


def _line(line: Cursor, currency: str, refunded: Mapping[str, int], noise: bool) -> OrderLine:
    line_id = line.identifier("id")
    quantity = line.quantity("quantity")
    # Older versions of the API have no current_quantity: what was refunded or removed is no longer wanted.
    remaining = max(0, quantity - refunded.get(line_id, 0))
    unit_minor = line.amount("price", currency, noise=noise)
    physical = line.boolean("requires_shipping", True) and not line.boolean("gift_card", False) and not line.has("tip")
    return line.build(
        OrderLine,
        line=line_id,
        sku=line.optional_identifier("sku"),
        quantity=quantity,
        current_quantity=line.count("current_quantity", remaining),
        title=free_text(line, "name") or free_text(line, "title"),
        listing=line.optional_identifier("variant_id"),
        physical=physical,
        amounts=line.build(
            LineAmounts,
            list_unit_price_minor=unit_minor,
            gross_minor=quantity * unit_minor,
            discount_minor=_sum(line.children("discount_allocations"), "amount", currency, noise),
            tax_minor=_sum(line.children("tax_lines"), "price", currency, noise),
        ),
    )


def _sum(parts: Iterable[Cursor], key: str, currency: str, noise: bool = False) -> int:
    return sum(part.amount(key, currency, noise=noise) for part in parts)


def _amounts(document: Cursor, lines: tuple[OrderLine, ...], currency: str, noise: bool) -> OrderAmounts:
    shipping = list(document.children("shipping_lines"))
    allocated = sum(line.amounts.discount_minor for line in lines if line.amounts)
    allocated += sum(_sum(line.children("discount_allocations"), "amount", currency, noise) for line in shipping)
    included = document.boolean("duties_included", False)
    duties = 0 if included else _shop_minor(document, "original_total_duties_set", currency)
    # A tip that stands among the lines is in their sum already.
    tip_is_line = any(line.has("tip") for line in document.children("line_items"))
    tax = _sum(document.children("tax_lines"), "price", currency, noise)
    return document.build(
        OrderAmounts,
        taxes_included=document.boolean("taxes_included", False),
        line_gross_minor=sum(line.amounts.gross_minor for line in lines if line.amounts),
        discount_minor=document.amount("total_discounts", currency, allocated, noise=noise),
        shipping_minor=_sum(shipping, "price", currency, noise),
        tax_minor=document.amount("total_tax", currency, tax, noise=noise),
        tip_minor=0 if tip_is_line else document.amount("total_tip_received", currency, 0, noise=noise),
        fee_minor=duties + _shop_minor(document, "original_total_additional_fees_set", currency),
        total_minor=document.amount("total_price", currency, noise=noise),
    )


def _shop_minor(cursor: Cursor, key: str, currency: str) -> int:
    """Minor units of a two-currency amount in the shop's own currency, the order's; 0 where it is missing."""
    both = cursor.optional_child(key)
    if both is None:
        return 0
    money = both.child("shop_money")
    if money.currency("currency_code") != currency:
        path = f"{money.path}.currency_code"
        raise InvalidMoney(f"{path} is not the order's {currency}; send the shop's money in one currency", path=path)
    return money.amount("amount", currency)


def _refunded_quantities(refund: Cursor) -> Iterable[tuple[str, int]]:
    quantities: Counter[str] = Counter()
    for line in refund.children("refund_line_items"):
        quantities[line.identifier("line_item_id")] += line.quantity("quantity")
    return quantities.items()


def _refund(refund: Cursor, currency: str, updated_at: datetime) -> Refund:
    return refund.build(
        Refund,
        refund=refund.identifier("id"),
        created_at=refund.optional_instant("created_at") or refund.optional_instant("processed_at") or updated_at,
        refunded_to_buyer_minor=_refunded_minor(refund, currency),
        quantities=tuple(_refunded_quantities(refund)),
    )


def _refunded_minor(refund: Cursor, currency: str) -> int:
    """What went back to the buyer: the successful transactions, or the items where those are in another currency.

    A line removed by an edit is a refund without transactions: goods leave the order, no money moves.
    """
    paid_back = [
        transaction
        for transaction in refund.children("transactions")
        if transaction.optional_text("kind") == "refund" and transaction.optional_text("status") == "success"
    ]
    if all((one.optional_text("currency") or currency) == currency for one in paid_back):
        return _sum(paid_back, "amount", currency)
    # subtotal and total_tax are JSON floats; their _set twins are exact.
    items = sum(
        _shop_minor(line, "subtotal_set", currency) + _shop_minor(line, "total_tax_set", currency)
        for line in refund.children("refund_line_items")
    )
    adjustments = sum(
        _shop_minor(one, "amount_set", currency) + _shop_minor(one, "tax_amount_set", currency)
        for one in refund.children("order_adjustments")
    )
    return items - adjustments
