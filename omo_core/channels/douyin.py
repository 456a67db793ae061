"""Douyin shop (抖店): pushes in batches, order documents in fen, receivers encrypted, calls signed with HMAC-SHA256.

Sources: https://op.jinritemai.com/docs/guide-docs/153/99 (pushes), https://op.jinritemai.com/docs/guide-docs/10/23
(signature of calls), and the platform's generated SDKs for the fields. No signature vector is published.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, sha256_of
from omo_core.channels.douyin_order import DouyinConfig, read_order
from omo_core.channels.douyin_refund import read_refund
from omo_core.channels.douyin_requests import CAPABILITIES, after_sale, detail, following, make, read_answer, signed
from omo_core.channels.fields import json_inside
from omo_core.channels.intents import Answer, Intent, ListChanges, Page, Request, Response
from omo_core.channels.port import ChannelEvent, EventKind, Headers, RefundNotice, Reply
from omo_core.channels.reading import read_json
from omo_core.channels.signing import header, md5_hex, verify_one_of
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

__all__ = ["DouyinAdapter", "DouyinConfig"]


class DouyinAdapter(Dialect[DouyinConfig]):
    """Reads one shop's pushes, order documents and after-sale documents."""

    config_type: ClassVar[type[Value]] = DouyinConfig
    capabilities = CAPABILITIES
    reply = Reply(content_type="application/json", body=b'{"code":0,"msg":"success"}')

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless event-sign is the MD5 of app key, body and a secret; no time is signed."""
        del now
        key = self.config.app_key.encode()
        texts = (md5_hex(key + body + secret.encode()) for secret in self.config.secrets)
        verify_one_of(texts, header(headers, "event-sign"))

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a push: a list of messages, each with ids of what to fetch; a list of one is that message.

        Raises `UnreadableBody`, `BodyTooLarge`.
        """
        del headers
        document = read_json(body, max_bytes=self.config.max_bytes)
        top = Cursor({"messages": document if isinstance(document, list) else [document]})
        events = tuple(self._message(message) for message in top.children("messages"))
        if len(events) == 1:
            return events[0]
        kind = EventKind.SEVERAL if events else EventKind.OTHER
        return self.event("several", f"sha256:{sha256_of(body)}", kind, events=events)

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read the answer of order.orderDetail; answers of afterSale.Detail after it add their refunds to it."""
        orders = self.parse_orders(body)
        if len(orders) != 1:
            raise UnreadableBody(f"the document holds {len(orders)} orders; send exactly one here")
        return self._with_refunds(orders[0], body, more) if more else orders[0]

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read the answer of order.orderDetail or order.searchList, or one bare order."""
        sha256 = sha256_of(body)
        return tuple(read_order(one, self.config, sha256) for one in _orders(self.document(body)))

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read the answer of afterSale.Detail."""
        return read_refund(_data(self.document(body)), self.channel)

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """See `ChannelAdapter.requests`."""
        return make(intent, self.config)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request with its public parameters and the signature over them and the body."""
        return signed(request, self.config, now=now, token=token)

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """By the platform's code; errors of the platform's own (isp.…) are worth another try."""
        del intent
        return read_answer(request, response)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """One page of order.searchList; an order that cannot be read is named, and the others are kept."""
        sha256 = sha256_of(body)
        data = _data(self.document(body))
        orders, unreadable = [], []
        for one in data.documents("shop_order_list"):
            try:
                orders.append(read_order(one, self.config, sha256))
            except InvalidInput as refusal:
                unreadable.append((str(one.fields.get("order_id"))[:128], str(refusal)[:2_000]))
        return data.build(
            Page,
            orders=tuple(orders),
            unreadable=tuple(unreadable),
            following=following(intent, [order.updated_at for order in orders], len(orders) + len(unreadable)),
        )

    def _with_refunds(self, order: Order, body: bytes, more: tuple[bytes, ...]) -> Order:
        refunds, oddities = {}, list(order.oddities)
        for one in more:
            data = _data(self.document(one))
            notice = read_refund(data, self.channel)
            if notice.external_id != order.external_id:
                raise UnreadableBody(
                    f"an after-sale document is of order {notice.external_id}, not {order.external_id}; send its own"
                )
            refunds[notice.refund.refund] = notice.refund
            oddities += data.oddities
        found = {"refunds": tuple(refunds.values()), "oddities": tuple(oddities)}
        return order.model_copy(update={**found, "body_sha256": sha256_of(body, *more)})

    def _message(self, message: Cursor) -> ChannelEvent:
        """One message of a push; what names no order, such as the platform's test of an address, is `other`."""
        topic = message.identifier("tag")
        event_key = message.optional_identifier("msg_id") or message.optional_identifier("msgId")
        if event_key is None:
            message.fail("msg_id", "is missing or empty", "send the message as the platform sent it")
        data = _content(message)
        held: dict[str, Any] = {"kind": EventKind.OTHER}
        if data is not None and data.has("p_id"):
            order_id = _digits(data, "p_id")
            held = {"kind": EventKind.ORDER, "subject": order_id, "fetch": (detail(order_id, self.config),)}
            if data.optional_identifier("aftersale_id") is not None:
                more = after_sale(_digits(data, "aftersale_id"), self.config)
                held |= {"kind": EventKind.REFUND, "fetch": (*held["fetch"], more)}
        # The platform's address test has msg_id 0 every time.
        return message.build(ChannelEvent, channel=self.channel, event_key=event_key, topic=topic, **held)


def _content(message: Cursor) -> Cursor | None:
    """What a message is about: an object, or one as JSON in a text; None where it is neither."""
    content = message.fields.get("data")
    if isinstance(content, str) and content.lstrip().startswith("{"):
        return json_inside(message, "data")
    return message.child("data") if isinstance(content, dict) else None


def _digits(data: Cursor, key: str) -> str:
    found = data.identifier(key)
    if not (found.isascii() and found.isdigit() and len(found) <= 40):
        data.fail(key, "is no id of this platform", "send its digits")
    return found


def _data(document: Cursor) -> Cursor:
    """What an answer holds; refuse the answer that says what went wrong instead."""
    if not document.has("data"):
        said = document.fields.get("sub_msg") or document.fields.get("msg") or document.fields.get("message")
        code = document.fields.get("code", document.fields.get("err_no"))
        raise UnreadableBody(
            f"$.data is missing: the platform answered code {str(code)[:20]!r}, {str(said)[:200]!r}; ask again, or send"
            " the answer's whole document",
            path="$.data",
        )
    return document.child("data")


def _orders(document: Cursor) -> Iterator[Cursor]:
    if document.has("sku_order_list"):
        yield document
        return
    data = _data(document)
    if data.has("shop_order_detail"):
        yield data.child("shop_order_detail")
    elif data.has("shop_order_list"):
        yield from data.documents("shop_order_list")
    else:
        data.fail("shop_order_detail", "is missing", "send the answer of order.orderDetail or order.searchList")
