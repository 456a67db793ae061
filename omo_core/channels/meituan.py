"""Meituan's instant retail (美团闪购, 外卖): forms pushed with JSON inside, orders in yuan, calls with signed forms.

Sources: https://open-shangou.meituan.com/home (pushes, order and retail calls) and public SDKs. The signature is the
MD5 of the address, the sorted fields and the secret, as documented; the one published example does not reproduce (its
secret is not published, and the fields were edited), so that it is unproven. Public SDKs sign calls in the same way, and
one checks pushes so, over fields that are decoded once more. Which text of a field is signed, as the form holds it or
so decoded, is not told by the documentation: both are taken.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import Dialect, sha256_of
from omo_core.channels.fields import free_text, unix_s
from omo_core.channels.forms import read_form
from omo_core.channels.intents import Answer, Intent, Request, Response
from omo_core.channels.meituan_form import MeituanConfig, plain, read_document, signature
from omo_core.channels.meituan_order import read_order
from omo_core.channels.meituan_refund import read_notice, refund_of_whole, whole_refund_key
from omo_core.channels.meituan_requests import CAPABILITIES, detail, make, read_answer, signed
from omo_core.channels.port import Cancellation, ChannelEvent, EventKind, Headers, RefundNotice, Reply
from omo_core.channels.signing import sorted_pairs, verify_one_of
from omo_core.model.errors import ForgedSignature, InvalidInput, UnreadableBody
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

__all__ = ["MeituanAdapter", "MeituanConfig"]

_NOT_SAID: frozenset[str] = frozenset({"sig", "timestamp"})
"""What differs when a push is sent again."""


class MeituanAdapter(Dialect[MeituanConfig]):
    """Reads the pushes of one app's stores, and order documents."""

    config_type: ClassVar[type[Value]] = MeituanConfig
    capabilities = CAPABILITIES
    reply = Reply(content_type="application/json", body=b'{"data":"ok"}')

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless `sig` is what a secret makes of the address and the other fields.

        The address is the configured one: what arrives may have been rewritten on its way.
        """
        del headers, now
        try:
            fields = read_form(body, max_bytes=self.config.max_bytes)
            given = fields.pop("sig", None)
            once = plain(fields)
        except InvalidInput as error:
            raise ForgedSignature(f"the push cannot be verified: {error}") from None
        expected = [
            signature(self.config.push_url, found, secret)
            for secret in self.config.secrets
            for found in ((fields, once) if fields != once else (fields,))
        ]
        verify_one_of(expected, given)

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a push by what it holds: an order, a refund, or a cancellation; others are `other`.

        Raises `UnreadableBody`, `BodyTooLarge`, `InvalidMoney`.
        """
        del headers
        document = read_document(body, self.config.max_bytes)
        said = {name: str(value) for name, value in document.fields.items() if name not in _NOT_SAID}
        key = f"sha256:{sha256_of(sorted_pairs(said, between='=', joined='&').encode('utf-8', 'surrogatepass'))}"
        if document.has("detail"):
            order = read_order(document, self.config, sha256_of(body))
            return self.event("order", key, EventKind.ORDER, subject=order.external_id, order=order)
        if document.has("refund_id") or document.has("notify_type"):
            return self._refund(document, key)
        if document.has("order_id") and document.has("reason_code"):
            cancellation = self._cancellation(document)
            subject = cancellation.external_id
            return self.event("cancel", key, EventKind.CANCELLATION, subject=subject, cancellation=cancellation)
        return self.event("other", key, EventKind.OTHER, subject=document.optional_identifier("order_id"))

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read the form of a pushed order, or the answer of order/getOrderDetail; it is never split."""
        del more
        document = read_document(body, self.config.max_bytes)
        if not document.has("detail") and isinstance(document.fields.get("data"), dict):
            document = document.child("data")
        if not document.has("detail"):
            error = document.fields.get("error")
            raise UnreadableBody(f"$.detail is missing: the platform answered {str(error)[:200]!r}; send a whole order")
        return read_order(document, self.config, sha256_of(body))

    def parse_fetched(self, event: ChannelEvent, body: bytes, *more: bytes) -> ChannelEvent:
        """As `Dialect.parse_fetched`; a push of a refund of the whole order holds no amount: it is the order's."""
        fetched = super().parse_fetched(event, body, *more)
        refund = None if fetched.order is None else refund_of_whole(event.event_key, fetched.order)
        if refund is None or fetched.order is None:
            return fetched
        notice = RefundNotice(
            channel=self.channel,
            external_id=fetched.order.external_id,
            refund=refund,
            updated_at=fetched.order.updated_at,
        )
        order = fetched.order.model_copy(update={"refunds": (refund,)})
        return fetched.model_copy(update={"order": order, "refund": notice})

    def parse_cancellation(self, body: bytes) -> Cancellation:
        """Read the form of a cancellation, or an order that says it is cancelled."""
        document = read_document(body, self.config.max_bytes)
        whole = document.has("detail") or document.has("data")
        return super().parse_cancellation(body) if whole else self._cancellation(document)

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read the form of a refund of a part of an order; one of the whole order holds no amount and is refused."""
        document = read_document(body, self.config.max_bytes)
        notice = read_notice(document, self.channel)
        if notice is None:
            document.fail("money", "is missing: the whole order is refunded", "read the event, which fetches the order")
        return notice

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """See `ChannelAdapter.requests`."""
        return make(intent, self.config)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The call with app, time, signature and, where there is one, the store's token."""
        return signed(request, self.config, now=now, token=token)

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """By `data`, and for stock by the items that its message names."""
        return read_answer(intent, request, response)

    def _refund(self, document: Cursor, key: str) -> ChannelEvent:
        order_id = document.identifier("order_id")
        topic = f"refund/{document.optional_identifier('notify_type') or 'unknown'}"
        notice = read_notice(document, self.channel)
        if notice is not None:
            return self.event(topic, key, EventKind.REFUND, subject=order_id, refund=notice)
        fetch = (detail(order_id, document),)
        return self.event(topic, whole_refund_key(document), EventKind.REFUND, subject=order_id, fetch=fetch)

    def _cancellation(self, document: Cursor) -> Cancellation:
        cancelled_at = unix_s(document, "timestamp")
        held: dict[str, Any] = {
            "channel": self.channel,
            "external_id": document.identifier("order_id"),
            "source_version": microseconds(cancelled_at.astimezone(UTC)),
            "cancelled_at": cancelled_at,
            "reason": free_text(document, "reason") or document.optional_identifier("reason_code"),
        }
        return document.build(Cancellation, **held)
