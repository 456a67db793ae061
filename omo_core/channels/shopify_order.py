"""Reads Shopify's order resource (REST and webhooks, the same document) into the canonical order.

Source of the fields: https://shopify.dev/docs/api/admin-rest/latest/resources/order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.channels.fields import free_text, state
from omo_core.channels.shopify_delivery import ShopifyConfig, read_delivery
from omo_core.channels.shopify_money import (
    Allocations,
    is_pos,
    read_allocations,
    read_amounts,
    read_discounts,
    read_payments,
    total,
)
from omo_core.channels.shopify_refund import read_refund, refunded_quantities
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import LineAmounts, Order, OrderLine, OrderStatus, PaymentStatus

_PAYMENT: Final[Mapping[str, PaymentStatus]] = {
    "pending": PaymentStatus.PENDING,
    "authorized": PaymentStatus.AUTHORISED,
    "partially_paid": PaymentStatus.PARTIALLY_PAID,
    "paid": PaymentStatus.PAID,
    "partially_refunded": PaymentStatus.PARTIALLY_REFUNDED,
    "refunded": PaymentStatus.REFUNDED,
    "voided": PaymentStatus.VOIDED,
    # An authorisation that was not captured in time: there is no money, as after a void.
    "expired": PaymentStatus.VOIDED,
}

_FULFILLED: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("unfulfilled", "partial", "restocked", "pending", "on_hold", "scheduled", "in_progress"), False),
    "fulfilled": True,
}
"""Whether an order's fulfillment_status says that all has gone; the documentation calls the list open."""


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
        refunded.update(refunded_quantities(refund))
    lines, by_line = _lines(document, currency, refunded, noise)
    shipping = list(document.children("shipping_lines"))
    off_shipping = [read_allocations(line, currency, noise) for line in shipping]
    allocated = (*(allocations for _, allocations in by_line), *off_shipping)
    updated_at = document.instant("updated_at")
    payment = state(document, "financial_status", _PAYMENT, PaymentStatus.UNKNOWN)
    customer = document.optional_child("customer")
    return build_order(
        document,
        channel=config.channel,
        external_id=document.identifier("id"),
        display_number=document.optional_identifier("name") or document.optional_identifier("order_number"),
        source_version=microseconds(updated_at),
        status=_status(document),
        payment=payment,
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
        amounts=read_amounts(document, lines, shipping, currency, sum(minor for one in allocated for _, minor in one)),
        refunds=tuple(read_refund(refund, currency, updated_at) for refund in document.children("refunds")),
        note=free_text(document, "note"),
        body_sha256=sha256,
        payments=read_payments(document, currency, payment),
        discounts=read_discounts(document, by_line, off_shipping),
        buyer=customer.optional_identifier("id") if customer else None,
        # Over REST a hold is told by the fulfilment orders; the order itself has this word where it tells of it.
        hold_reason="on_hold" if document.optional_text("fulfillment_status") == "on_hold" else None,
    )


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
    finished = state(document, "fulfillment_status", _FULFILLED, False) or left_over_the_counter(document)
    if document.has("cancelled_at"):
        return OrderStatus.CANCELLED
    return OrderStatus.CLOSED if finished or document.has("closed_at") else OrderStatus.OPEN


def _lines(
    document: Cursor, currency: str, refunded: Mapping[str, int], noise: bool
) -> tuple[tuple[OrderLine, ...], list[tuple[str, Allocations]]]:
    """The lines, and by line what each discount takes off."""
    lines: list[OrderLine] = []
    by_line: list[tuple[str, Allocations]] = []
    for one in document.children("line_items"):
        allocations = read_allocations(one, currency, noise)
        line = _line(one, currency, refunded, noise, sum(minor for _, minor in allocations))
        lines.append(line)
        by_line.append((line.line, allocations))
    if not lines:
        document.fail("line_items", "is missing or empty", "send the whole order with at least one line")
    return tuple(lines), by_line


def _line(line: Cursor, currency: str, refunded: Mapping[str, int], noise: bool, discount_minor: int) -> OrderLine:
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
            discount_minor=discount_minor,
            tax_minor=total(line.children("tax_lines"), "price", currency, noise),
        ),
    )
