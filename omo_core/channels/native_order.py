"""Reads the order document of the native format into the canonical order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.channels.native_money import (
    choice,
    read_amounts,
    read_discount,
    read_line_amounts,
    read_payment,
    read_refund,
)
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery, Order, OrderLine, OrderStatus, PaymentStatus

ORDER_FIELDS: Final = frozenset(
    {
        *("type", "version", "channel", "external_id", "display_number", "source_version", "status", "payment"),
        *("placed_at", "updated_at", "cancelled_at", "cancel_reason", "test", "currency", "presentment_currency"),
        *("lines", "delivery", "deliveries", "amounts", "refunds", "note", "extra"),
        *("ship_complete", "payments", "discounts", "buyer", "hold_reason"),
    }
)
LINE_FIELDS: Final = frozenset(
    {
        *("line", "sku", "quantity", "current_quantity", "title", "listing", "physical", "gift", "delivery"),
        *("unit_price", "gross", "discount", "tax", "bundle", "parent", "preorder"),
        *("fulfilment", "fulfilment_line"),
    }
)
DELIVERY_FIELDS: Final = frozenset(
    {"method", "pickup_node", "address", "service", "deliver_by", "ship_by", "not_before", "fulfilment"}
)
ADDRESS_FIELDS: Final = frozenset(
    {
        *("recipient", "phone", "street", "district", "city", "region", "postal_code", "country"),
        *("latitude", "longitude", "masked", "token"),
    }
)


def read_order(document: Cursor, channel: str, sha256: str) -> Order:
    """The canonical order of a native document whose type and version were checked; `sha256` is of its bytes.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    document.only(ORDER_FIELDS)
    currency = document.currency("currency")
    lines = tuple(read_line(line, number, currency) for number, line in enumerate(document.children("lines"), start=1))
    return order_of(document, lines, channel, sha256)


def order_of(document: Cursor, lines: Sequence[OrderLine], channel: str, sha256: str) -> Order:
    """As `read_order`, with lines that were read already."""
    if not lines:
        document.fail("lines", "is missing or empty", "send at least one line")
    currency = document.currency("currency")
    presentment = document.currency("presentment_currency") if document.has("presentment_currency") else None
    placed_at = document.instant("placed_at")
    updated_at = document.optional_instant("updated_at") or placed_at
    return build_order(
        document,
        channel=channel,
        external_id=document.text("external_id"),
        display_number=document.optional_text("display_number"),
        source_version=read_version(document, updated_at),
        status=choice(document, "status", OrderStatus.OPEN),
        payment=choice(document, "payment", PaymentStatus.UNKNOWN),
        placed_at=placed_at,
        updated_at=updated_at,
        cancelled_at=document.optional_instant("cancelled_at"),
        cancel_reason=document.optional_text("cancel_reason"),
        test=document.boolean("test", False),
        currency=currency,
        presentment_currency=presentment,
        lines=tuple(lines),
        deliveries=_deliveries(document),
        amounts=read_amounts(document, lines, currency, presentment),
        refunds=tuple(read_refund(refund, currency) for refund in document.children("refunds")),
        note=document.optional_text("note"),
        body_sha256=sha256,
        ship_complete=document.boolean("ship_complete", False),
        payments=tuple(read_payment(payment, currency) for payment in document.children("payments")),
        discounts=tuple(read_discount(discount, currency) for discount in document.children("discounts")),
        buyer=document.optional_text("buyer"),
        hold_reason=document.optional_text("hold_reason"),
    )


def read_version(document: Cursor, at: datetime) -> int:
    """The document's own version number, or the microseconds of the time it states."""
    if not document.has("source_version"):
        return microseconds(at)
    return document.integer("source_version", least=0, most=2**63 - 1, what="a whole number that grows")


def read_line(line: Cursor, number: int, currency: str) -> OrderLine:
    """One line; `number` is its place, counted from 1, and its id where it has none."""
    line.only(LINE_FIELDS)
    quantity = line.quantity("quantity")
    return line.build(
        OrderLine,
        line=line.optional_text("line") or str(number),
        sku=line.optional_text("sku"),
        quantity=quantity,
        current_quantity=line.count("current_quantity", quantity),
        title=line.optional_text("title"),
        listing=line.optional_text("listing"),
        physical=line.boolean("physical", True),
        gift=line.boolean("gift", False),
        delivery=line.count("delivery", 0),
        amounts=read_line_amounts(line, quantity, currency),
        bundle=line.boolean("bundle", False),
        parent=line.optional_text("parent"),
        preorder=line.boolean("preorder", False),
        fulfilment=line.optional_text("fulfilment"),
        fulfilment_line=line.optional_text("fulfilment_line"),
    )


def _deliveries(document: Cursor) -> tuple[Delivery, ...]:
    if document.has("delivery") and document.has("deliveries"):
        document.fail("deliveries", "stands beside delivery", "send one of the two")
    if not document.has("deliveries"):
        one = document.optional_child("delivery")
        return (_delivery(one) if one else Delivery(),)
    return tuple(_delivery(delivery) for delivery in document.children("deliveries"))


def _delivery(delivery: Cursor) -> Delivery:
    delivery.only(DELIVERY_FIELDS)
    address = delivery.optional_child("address")
    return delivery.build(
        Delivery,
        method=choice(delivery, "method", DeliveryMethod.SHIP),
        pickup_node=delivery.optional_text("pickup_node"),
        address=_address(address) if address else None,
        service=delivery.optional_text("service"),
        deliver_by=delivery.optional_instant("deliver_by"),
        ship_by=delivery.optional_instant("ship_by"),
        not_before=delivery.optional_instant("not_before"),
        fulfilment=delivery.optional_text("fulfilment"),
    )


def _address(address: Cursor) -> Address:
    address.only(ADDRESS_FIELDS)
    return address.build(
        Address,
        recipient=address.optional_text("recipient"),
        phone=address.optional_text("phone"),
        street=address.texts("street"),
        district=address.optional_text("district"),
        city=address.optional_text("city"),
        region=address.optional_text("region"),
        postal_code=address.optional_text("postal_code"),
        country=address.optional_text("country"),
        masked=address.boolean("masked", False),
        token=address.optional_text("token"),
        point=address.point("latitude", "longitude"),
    )
