"""Reads the order document of the native format into the canonical order."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    LineAmounts,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    PaymentStatus,
    Refund,
)

K = TypeVar("K", bound=StrEnum)

ORDER_FIELDS: Final = frozenset(
    {
        *("type", "version", "channel", "external_id", "display_number", "source_version", "status", "payment"),
        *("placed_at", "updated_at", "cancelled_at", "cancel_reason", "test", "currency", "presentment_currency"),
        *("lines", "delivery", "deliveries", "amounts", "refunds", "note", "extra"),
    }
)
LINE_FIELDS: Final = frozenset(
    {
        *("line", "sku", "quantity", "current_quantity", "title", "listing", "physical", "gift", "delivery"),
        *("unit_price", "gross", "discount", "tax"),
    }
)
DELIVERY_FIELDS: Final = frozenset({"method", "pickup_node", "address", "service", "deliver_by"})
ADDRESS_FIELDS: Final = frozenset(
    {
        *("recipient", "phone", "street", "city", "region", "postal_code", "country"),
        *("latitude", "longitude", "masked", "token"),
    }
)
AMOUNTS_FIELDS: Final = frozenset(
    {"taxes_included", "line_gross", "discount", "shipping", "tax", "tip", "fee", "rounding", "total"}
)
REFUND_FIELDS: Final = frozenset({"refund", "created_at", "refunded_to_buyer", "sellers_share", "lines"})


def read_order(document: Cursor, channel: str, sha256: str) -> Order:
    """The canonical order of a native document whose type and version were checked; `sha256` is of its bytes.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    document.only(ORDER_FIELDS)
    currency = document.currency("currency")
    placed_at = document.instant("placed_at")
    updated_at = document.optional_instant("updated_at") or placed_at
    lines = tuple(_line(line, number, currency) for number, line in enumerate(document.children("lines"), start=1))
    if not lines:
        document.fail("lines", "is missing or empty", "send at least one line")
    return build_order(
        document,
        channel=channel,
        external_id=document.text("external_id"),
        display_number=document.optional_text("display_number"),
        source_version=read_version(document, updated_at),
        status=_choice(document, "status", OrderStatus.OPEN),
        payment=_choice(document, "payment", PaymentStatus.UNKNOWN),
        placed_at=placed_at,
        updated_at=updated_at,
        cancelled_at=document.optional_instant("cancelled_at"),
        cancel_reason=document.optional_text("cancel_reason"),
        test=document.boolean("test", False),
        currency=currency,
        presentment_currency=document.currency("presentment_currency")
        if document.has("presentment_currency")
        else None,
        lines=lines,
        deliveries=_deliveries(document),
        amounts=_amounts(document, lines, currency),
        refunds=tuple(_refund(refund, currency) for refund in document.children("refunds")),
        note=document.optional_text("note"),
        body_sha256=sha256,
    )


def read_version(document: Cursor, at: datetime) -> int:
    """The document's own version number, or the microseconds of the time it states."""
    if not document.has("source_version"):
        return microseconds(at)
    return document.integer("source_version", least=0, most=2**63 - 1, what="a whole number that grows")


def _choice(cursor: Cursor, key: str, default: K) -> K:
    text = cursor.optional_text(key)
    if text is None:
        return default
    kind = type(default)
    if text not in set(kind):
        cursor.fail(key, f"is {text[:40]!r}", f"send one of: {', '.join(kind)}")
    return kind(text)


def _line(line: Cursor, number: int, currency: str) -> OrderLine:
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
        amounts=_line_amounts(line, quantity, currency),
    )


def _line_amounts(line: Cursor, quantity: int, currency: str) -> LineAmounts | None:
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
        method=_choice(delivery, "method", DeliveryMethod.SHIP),
        pickup_node=delivery.optional_text("pickup_node"),
        address=_address(address) if address else None,
        service=delivery.optional_text("service"),
        deliver_by=delivery.optional_instant("deliver_by"),
    )


def _address(address: Cursor) -> Address:
    address.only(ADDRESS_FIELDS)
    return address.build(
        Address,
        recipient=address.optional_text("recipient"),
        phone=address.optional_text("phone"),
        street=address.texts("street"),
        city=address.optional_text("city"),
        region=address.optional_text("region"),
        postal_code=address.optional_text("postal_code"),
        country=address.optional_text("country"),
        masked=address.boolean("masked", False),
        token=address.optional_text("token"),
        point=address.point("latitude", "longitude"),
    )


def _amounts(document: Cursor, lines: tuple[OrderLine, ...], currency: str) -> OrderAmounts | None:
    amounts = document.optional_child("amounts")
    if amounts is None:
        return None
    amounts.only(AMOUNTS_FIELDS)
    priced = [line.amounts.gross_minor for line in lines if line.amounts]
    if len(priced) < len(lines) and not amounts.has("line_gross"):
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
    )


def _refund(refund: Cursor, currency: str) -> Refund:
    refund.only(REFUND_FIELDS)
    quantities = []
    for line in refund.children("lines"):
        line.only(frozenset({"line", "quantity"}))
        quantities.append((line.text("line"), line.quantity("quantity")))
    return refund.build(
        Refund,
        refund=refund.text("refund"),
        created_at=refund.instant("created_at"),
        refunded_to_buyer_minor=refund.money("refunded_to_buyer", currency, least=0),
        sellers_share_minor=refund.money("sellers_share", currency, least=0) if refund.has("sellers_share") else None,
        quantities=tuple(quantities),
    )
