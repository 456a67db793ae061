"""The native channel: the documented JSON in which tills, warehouses and shops without a dialect of their own speak."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, ClassVar, Final

from pydantic import Field

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, DialectConfig, with_headers
from omo_core.channels.intents import (
    Answer,
    Capabilities,
    FetchOrder,
    Intent,
    IntentKind,
    ListChanges,
    Page,
    Reference,
    Request,
    Response,
    StockMode,
    cannot,
)
from omo_core.channels.native_documents import BATCH_FIELDS, READERS, read_cancellation, read_refund_notice
from omo_core.channels.native_order import read_order
from omo_core.channels.native_requests import (
    PAGE_FIELDS,
    REFERENCE_FIELDS,
    STOCK_BATCH,
    make_requests,
    read_answer,
)
from omo_core.channels.port import Cancellation, ChannelEvent, EventKind, Headers, RefundNotice
from omo_core.channels.reading import read_json
from omo_core.channels.signing import header, sign_hex, verify_hex
from omo_core.model.errors import ForgedSignature, InvalidInput
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.model.values import ChannelId, Value

EVENT_HEADER: Final = "X-Omo-Event-Id"
SIGNATURE_HEADER: Final = "X-Omo-Signature"
SIGNATURE_PREFIX: Final = "sha256="

__all__ = ["EVENT_HEADER", "SIGNATURE_HEADER", "SIGNATURE_PREFIX", "NativeAdapter", "NativeConfig"]


class NativeConfig(DialectConfig):
    """How to read one sender's native documents, and where to send ours."""

    channel: ChannelId = "native"
    """The channel of documents that name none."""
    accepts: tuple[ChannelId, ...] | None = None
    """The channels this sender may speak for; None: any. Name them where senders must not write for each other."""
    endpoint: Annotated[str, Field(pattern=r"^https://[^\s?#@]+$", max_length=500)] | None = None
    """Where our documents are posted: stock levels, shipments and every other intent. None: nothing is sent."""


class NativeAdapter(Dialect[NativeConfig]):
    """Reads documents of type order, cancellation, refund, counter_sale and batch, version 1, and posts ours."""

    config_type: ClassVar[type[Value]] = NativeConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset(IntentKind),
        signs="HMAC-SHA256 of the body, in hex",
        stock_modes=frozenset(StockMode),
        stock_by_location=True,
        stock_batch=STOCK_BATCH,
        partial_shipments=True,
        several_parcels=True,
        partial_cancellations=True,
        done_before=frozenset({"already_done"}),
    )

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
        event_key = header(headers, EVENT_HEADER) or f"sha256:{sha256}"
        if self._type(document) != "batch":
            return self._event(document, event_key, sha256)
        document.only(BATCH_FIELDS)
        events = tuple(
            self._event(one, f"{event_key}/{number}", sha256)
            for number, one in enumerate(document.documents("documents"), start=1)
        )
        if not events:
            document.fail("documents", "is missing or empty", "send at least one document")
        return self.event("batch", event_key, EventKind.SEVERAL, events=events)

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
        return tuple(self._order(one, sha256) for one in top.documents("orders"))

    def parse_cancellation(self, body: bytes) -> Cancellation:
        """Read a document of type cancellation, or an order that says it is cancelled."""
        document = self.document(body)
        return (
            read_cancellation(document, self._channel(document))
            if self._type(document) == "cancellation"
            else super().parse_cancellation(body)
        )

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read a document of type refund."""
        document = self.document(body)
        if self._type(document) != "refund":
            document.fail("type", "is not refund", "send a refund document here")
        return read_refund_notice(document, self._channel(document))

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """One document to POST to the endpoint; stock in slices."""
        if self.config.endpoint is None:
            return cannot(self.channel, intent.kind, "no endpoint is configured to send it to")
        return make_requests(intent, self.channel, self.config.endpoint)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request signed as the sender signs its own, with the current secret; raises `InvalidInput` without one."""
        if not self.config.secrets:
            raise InvalidInput(f"channel {self.channel} has no secret to sign with; configure the one both sides share")
        signature = SIGNATURE_PREFIX + sign_hex(self.config.secrets[0], request.body)
        return with_headers(super().sign(request, now=now, token=token), **{SIGNATURE_HEADER: signature})

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What the host says item by item; by the status alone where it says nothing more, and for what was fetched."""
        if isinstance(intent, FetchOrder | ListChanges):
            return super().read_answer(intent, request, response)
        return read_answer(request, response)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """Read {"orders": [...], "references": [...], "cursor": "..."}; no cursor means the last page."""
        document = self.document(body)
        document.only(PAGE_FIELDS)
        sha256 = hashlib.sha256(body).hexdigest()
        orders, unreadable = [], []
        for one in document.documents("orders"):
            try:
                orders.append(self._order(one, sha256))
            except InvalidInput as error:
                named = one.fields.get("external_id")
                unreadable.append((named if isinstance(named, str) and named else one.path, str(error)[:2_000]))
        references = []
        for one in document.children("references"):
            one.only(REFERENCE_FIELDS)
            external_id, updated_at = one.text("external_id"), one.optional_instant("updated_at")
            references.append(one.build(Reference, external_id=external_id, updated_at=updated_at))
        cursor = document.optional_text("cursor")
        return document.build(
            Page,
            orders=tuple(orders),
            references=tuple(references),
            unreadable=tuple(unreadable),
            following=document.build(ListChanges, **{**dict(intent), "cursor": cursor}) if cursor else None,
        )

    def _type(self, document: Cursor) -> str:
        kind = document.text("type")
        if kind not in READERS and kind != "batch":
            document.fail("type", f"is {kind[:40]!r}", "send order, cancellation, refund, counter_sale or batch")
        if document.integer("version", least=0, most=2**31, what="the format's version, which is 1") != 1:
            document.fail("version", "is not 1", "this library reads version 1; send that, or upgrade omo_core")
        return kind

    def _event(self, document: Cursor, event_key: str, sha256: str) -> ChannelEvent:
        topic = self._type(document)
        if topic == "batch":
            document.fail("type", "is a batch inside a batch", "send its documents side by side")
        kind, field, read = READERS[topic]
        value = read(document, self._channel(document), sha256)
        return document.build(
            ChannelEvent,
            channel=self.channel,
            event_key=event_key,
            topic=topic,
            kind=kind,
            subject=value.external_id,
            **{field: value},
        )

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
