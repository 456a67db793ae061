"""Reads the documents of the native format that are no orders: cancellations, refunds and counter sales."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.native_money import read_quantities, read_refund
from omo_core.channels.native_order import read_order, read_version
from omo_core.channels.port import Cancellation, EventKind, RefundNotice, SoldLine, TillSale
from omo_core.model.orders import Order

CANCELLATION_FIELDS: Final = frozenset(
    {
        *("type", "version", "channel", "external_id", "source_version", "cancelled_at", "reason", "extra"),
        *("requested", "lines"),
    }
)
COUNTER_SALE_FIELDS: Final = frozenset(
    {"type", "version", "channel", "external_id", "node", "sold_at", "lines", "extra"}
)
REFUND_NOTICE_FIELDS: Final = frozenset(
    {"type", "version", "channel", "external_id", "currency", "refund", "updated_at", "returns_goods", "extra"}
)
BATCH_FIELDS: Final = frozenset({"type", "version", "documents", "extra"})


def read_cancellation(document: Cursor, channel: str, sha256: str = "") -> Cancellation:
    """A document that calls an order off, or says that its buyer wishes so."""
    del sha256
    document.only(CANCELLATION_FIELDS)
    cancelled_at = document.instant("cancelled_at")
    return document.build(
        Cancellation,
        channel=channel,
        external_id=document.text("external_id"),
        source_version=read_version(document, cancelled_at),
        cancelled_at=cancelled_at,
        reason=document.optional_text("reason"),
        requested=document.boolean("requested", False),
        quantities=read_quantities(document),
    )


def read_refund_notice(document: Cursor, channel: str, sha256: str = "") -> RefundNotice:
    """A document that says how far a refund is."""
    del sha256
    document.only(REFUND_NOTICE_FIELDS)
    refund = read_refund(document.child("refund"), document.currency("currency"))
    return document.build(
        RefundNotice,
        channel=channel,
        external_id=document.text("external_id"),
        refund=refund,
        updated_at=document.optional_instant("updated_at") or refund.created_at,
        returns_goods=document.boolean("returns_goods", False) if document.has("returns_goods") else None,
    )


def read_counter_sale(document: Cursor, channel: str, sha256: str = "") -> TillSale:
    """A document of goods that have left a node."""
    del sha256
    document.only(COUNTER_SALE_FIELDS)
    lines = []
    for line in document.children("lines"):
        line.only(frozenset({"sku", "quantity"}))
        lines.append(line.build(SoldLine, sku=line.text("sku"), quantity=line.quantity("quantity")))
    if not lines:
        document.fail("lines", "is missing or empty", "send at least one line")
    return document.build(
        TillSale,
        channel=channel,
        external_id=document.text("external_id"),
        node=document.text("node"),
        sold_at=document.instant("sold_at"),
        lines=tuple(lines),
    )


Read = Callable[[Cursor, str, str], Order | Cancellation | RefundNotice | TillSale]

READERS: Final[Mapping[str, tuple[EventKind, str, Read]]] = {
    "order": (EventKind.ORDER, "order", read_order),
    "cancellation": (EventKind.CANCELLATION, "cancellation", read_cancellation),
    "refund": (EventKind.REFUND, "refund", read_refund_notice),
    "counter_sale": (EventKind.COUNTER_SALE, "counter_sale", read_counter_sale),
}
"""Type of a document: what it asks of us, the event's field that holds it, and how it is read from a cursor, for a
channel, with the hash of the bytes."""
