"""The native channel: the documented JSON in which tills, warehouses and shops without a dialect of their own speak."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, ClassVar, Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, DialectConfig
from omo_core.channels.intents import Capabilities
from omo_core.channels.native_order import read_order, read_version
from omo_core.channels.port import Cancellation, ChannelEvent, EventKind, Headers, SoldLine, TillSale
from omo_core.channels.reading import read_json
from omo_core.channels.signing import header, verify_hex
from omo_core.model.errors import ForgedSignature
from omo_core.model.orders import Order
from omo_core.model.values import ChannelId, Value

SIGNATURE_HEADER: Final = "X-Omo-Signature"
EVENT_HEADER: Final = "X-Omo-Event-Id"
SIGNATURE_PREFIX: Final = "sha256="

CANCELLATION_FIELDS: Final = frozenset(
    {"type", "version", "channel", "external_id", "source_version", "cancelled_at", "reason", "extra"}
)
COUNTER_SALE_FIELDS: Final = frozenset(
    {"type", "version", "channel", "external_id", "node", "sold_at", "lines", "extra"}
)


class NativeConfig(DialectConfig):
    """How to read one sender's native documents."""

    channel: ChannelId = "native"
    """The channel of documents that name none."""
    accepts: tuple[ChannelId, ...] | None = None
    """The channels this sender may speak for; None: any. Name them where senders must not write for each other."""


class NativeAdapter(Dialect[NativeConfig]):
    """Reads documents of type order, cancellation and counter_sale, version 1."""

    config_type: ClassVar[type[Value]] = NativeConfig
    capabilities: ClassVar[Capabilities] = Capabilities(signs="HMAC-SHA256 of the body, in hex")

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless X-Omo-Signature is sha256=<hex HMAC-SHA256 of the raw body>."""
        del now
        given = header(headers, SIGNATURE_HEADER)
        if given is not None:
            if not given.startswith(SIGNATURE_PREFIX):
                raise ForgedSignature(f"{SIGNATURE_HEADER} does not begin with {SIGNATURE_PREFIX}; sign as documented")
            given = given.removeprefix(SIGNATURE_PREFIX)
        verify_hex(self.config.secrets, body, given)

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read one document; its event key is X-Omo-Event-Id, or the hash of the body where there is none.

        Raises `UnreadableBody`, `BodyTooLarge`, `InvalidMoney`.
        """
        document = self.document(body)
        sha256 = hashlib.sha256(body).hexdigest()
        topic = self._type(document)
        held: dict[str, Any]
        if topic == "order":
            order = self._order(document, sha256)
            held = {"kind": EventKind.ORDER, "order": order, "subject": order.external_id}
        elif topic == "cancellation":
            cancellation = self._cancellation(document)
            held = {
                "kind": EventKind.CANCELLATION,
                "cancellation": cancellation,
                "subject": cancellation.external_id,
            }
        else:
            sale = self._counter_sale(document)
            held = {"kind": EventKind.COUNTER_SALE, "counter_sale": sale, "subject": sale.external_id}
        event_key = header(headers, EVENT_HEADER) or f"sha256:{sha256}"
        return document.build(ChannelEvent, channel=self.channel, event_key=event_key, topic=topic, **held)

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read a document of type order; it is never split."""
        del more
        return self._order(self.document(body), hashlib.sha256(body).hexdigest())

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read one order document, a list of them, or {"orders": [...]}."""
        document = read_json(body, max_bytes=self.config.max_bytes)
        sha256 = hashlib.sha256(body).hexdigest()
        if isinstance(document, list):
            document = {"orders": document}
        top = Cursor(document)
        if "orders" not in top.fields:
            return (self._order(top, sha256),)
        top.only(frozenset({"orders"}))
        return tuple(self._order(one, sha256) for one in top.children("orders"))

    def _type(self, document: Cursor) -> str:
        kind = document.text("type")
        if kind not in ("order", "cancellation", "counter_sale"):
            document.fail("type", f"is {kind[:40]!r}", "send order, cancellation or counter_sale")
        if document.integer("version", least=0, most=2**31, what="the format's version, which is 1") != 1:
            document.fail("version", "is not 1", "this library reads version 1; send that, or upgrade omo_core")
        return kind

    def _channel(self, document: Cursor) -> str:
        channel = document.optional_text("channel") or self.config.channel
        accepts = self.config.accepts
        if accepts is not None and channel not in accepts:
            document.fail("channel", "is not one this sender may speak for", f"send one of: {', '.join(accepts)}")
        return channel

    def _order(self, document: Cursor, sha256: str) -> Order:
        if self._type(document) != "order":
            document.fail("type", "is not order", "send an order document here")
        return read_order(document, self._channel(document), sha256)

    def _cancellation(self, document: Cursor) -> Cancellation:
        document.only(CANCELLATION_FIELDS)
        return document.build(
            Cancellation,
            channel=self._channel(document),
            external_id=document.text("external_id"),
            source_version=read_version(document, document.instant("cancelled_at")),
            cancelled_at=document.instant("cancelled_at"),
            reason=document.optional_text("reason"),
        )

    def _counter_sale(self, document: Cursor) -> TillSale:
        document.only(COUNTER_SALE_FIELDS)
        lines = []
        for line in document.children("lines"):
            line.only(frozenset({"sku", "quantity"}))
            lines.append(line.build(SoldLine, sku=line.text("sku"), quantity=line.quantity("quantity")))
        if not lines:
            document.fail("lines", "is missing or empty", "send at least one line")
        return document.build(
            TillSale,
            channel=self._channel(document),
            external_id=document.text("external_id"),
            node=document.text("node"),
            sold_at=document.instant("sold_at"),
            lines=tuple(lines),
        )
