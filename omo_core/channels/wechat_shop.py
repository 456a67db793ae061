"""WeChat's shop (微信小店): signed notices that say what to fetch, order and after-sale documents in fen, and calls.

Sources: https://developers.weixin.qq.com/doc/store/shop/ (events and API) and public SDKs for newer fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, sha256_of
from omo_core.channels.intents import Answer, Intent, ListChanges, Page, Reference, Request, Response
from omo_core.channels.port import ChannelEvent, EventKind, Headers, RefundNotice, Reply
from omo_core.channels.signing import check_age, verify_one_of
from omo_core.channels.wechat_shop_message import (
    WechatShopConfig,
    challenge,
    ciphertext,
    decrypted,
    expected,
    query_of,
    read_body,
)
from omo_core.channels.wechat_shop_order import read_order
from omo_core.channels.wechat_shop_refund import read_refund
from omo_core.channels.wechat_shop_requests import CAPABILITIES, after_sale, detail, make, read_answer, with_token
from omo_core.model.errors import ForgedSignature, InvalidInput, UnreadableBody
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

__all__ = ["WechatShopAdapter", "WechatShopConfig"]

_ORDER_EVENTS = "channels_ec_order_"
_AFTER_SALE_EVENT = "channels_ec_aftersale_update"


class WechatShopAdapter(Dialect[WechatShopConfig]):
    """Reads one shop's notices, order documents and after-sale documents."""

    config_type: ClassVar[type[Value]] = WechatShopConfig
    capabilities = CAPABILITIES
    reply = Reply(body=b"success")

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless a token signed the time and nonce and, where it is encrypted, the message."""
        query = query_of(headers)
        parts = [query.get("timestamp", ""), query.get("nonce", "")]
        given = query.get("signature")
        if self.config.aes_keys and not ("echostr" in query and not body):
            try:
                parts.append(ciphertext(body, self.config.max_bytes) or "")
            except InvalidInput as error:
                raise ForgedSignature(f"the message has no encrypted part to verify: {error}") from None
            if not parts[-1]:
                raise ForgedSignature("the message is plain; have the platform encrypt, or configure no aes_keys")
            given = query.get("msg_signature")
        verify_one_of(expected(self.config, parts), given)
        if not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) <= 11):
            raise ForgedSignature("timestamp is no time in seconds; hand on the query as it was sent")
        check_age(datetime.fromtimestamp(int(parts[0]), UTC), now)

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a notice, or the challenge by which the platform asks whether an address is ours.

        The event key is the hash of the message itself: each time it is sent it is encrypted anew.
        Raises `UnreadableBody`, `BodyTooLarge`.
        """
        try:
            query = query_of(headers)
        except ForgedSignature as error:
            raise UnreadableBody(str(error)) from None
        echo = challenge(query, body)
        if echo is not None:
            key = f"echo:{sha256_of(repr(sorted(query.items())).encode())}"
            return self.event("echostr", key, EventKind.OTHER, reply=Reply(body=echo.encode()))
        message = body
        if self.config.aes_keys:
            hidden = ciphertext(body, self.config.max_bytes)
            if hidden is None:
                raise UnreadableBody("$.Encrypt is missing: the message is plain; configure no aes_keys to read such")
            message = decrypted(hidden, self.config)
        document = read_body(message, self.config.max_bytes)
        topic = document.optional_identifier("Event") or document.identifier("MsgType")
        return self.event(topic, f"sha256:{sha256_of(message)}", **self._held(topic, document))

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read the answer of order/get; answers of aftersale/getaftersaleorder after it add their refunds to it."""
        document = self.document(body)
        order = read_order(_order(document), self.config, sha256_of(body))
        if not more:
            return order
        refunds, oddities = {}, list(order.oddities)
        for one in more:
            after = _after_sale(self.document(one))
            notice = read_refund(after, self.channel)
            if notice.external_id != order.external_id:
                raise UnreadableBody(
                    f"an after-sale document is of order {notice.external_id}, not {order.external_id}; send its own"
                )
            refunds[notice.refund.refund] = notice.refund
            oddities += after.oddities
        found = {"refunds": tuple(refunds.values()), "oddities": tuple(oddities)}
        return order.model_copy(update={**found, "body_sha256": sha256_of(body, *more)})

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read the answer of aftersale/getaftersaleorder."""
        return read_refund(_after_sale(self.document(body)), self.channel)

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """See `ChannelAdapter.requests`."""
        return make(intent, self.channel)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request with the access token in its query; nothing else is signed."""
        del now
        return with_token(request, token)

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """By errcode: 0 is taken; a busy system and limits that were reached are worth another try."""
        del intent
        return read_answer(request, response)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """One page of order/list/get: the ids of the orders that changed."""
        document = self.document(body)
        _answered(document, "order_id_list")
        cursor = document.optional_identifier("next_key")
        more = document.boolean("has_more", False) and cursor is not None
        ids = document.fields["order_id_list"]
        if not isinstance(ids, list):
            document.fail("order_id_list", "is no list", "send the ids of the orders")
        rows = [Cursor({"id": value}, parent=document, key="order_id_list", index=at) for at, value in enumerate(ids)]
        return document.build(
            Page,
            references=tuple(row.build(Reference, external_id=row.identifier("id")) for row in rows),
            following=intent.model_copy(update={"cursor": cursor}) if more else None,
        )

    def _held(self, topic: str, document: Cursor) -> dict[str, Any]:
        """What a notice says: the order, or the after-sale with its order, to fetch."""
        if topic == _AFTER_SALE_EVENT:
            about = document.child("finder_shop_aftersale_status_update")
            order_id, refund_id = _digits(about, "order_id"), _digits(about, "after_sale_order_id")
            return {"kind": EventKind.REFUND, "subject": order_id, "fetch": (detail(order_id), after_sale(refund_id))}
        about_order = document.optional_child("order_info") if topic.startswith(_ORDER_EVENTS) else None
        if about_order is None:
            return {"kind": EventKind.OTHER}
        order_id = _digits(about_order, "order_id")
        return {"kind": EventKind.ORDER, "subject": order_id, "fetch": (detail(order_id),)}


def _digits(about: Cursor, key: str) -> str:
    found = about.identifier(key)
    if not (found.isascii() and found.isdigit() and len(found) <= 20):
        about.fail(key, "is no id of this platform", "send its digits")
    return found


def _answered(document: Cursor, key: str) -> None:
    """Refuse an answer that says what went wrong instead."""
    if not document.has(key):
        code, said = document.fields.get("errcode"), document.fields.get("errmsg")
        raise UnreadableBody(
            f"$.{key} is missing: the platform answered errcode {str(code)[:20]!r}, {str(said)[:200]!r}; ask again, or"
            " send the answer's whole document",
            path=f"$.{key}",
        )


def _order(document: Cursor) -> Cursor:
    """The order in an answer, bare, or as gateways wrap it."""
    if document.has("order_detail"):
        return document
    key = next(_first(document, ("order", "Data", "data")), "order")
    _answered(document, key)
    return document.child(key)


def _after_sale(document: Cursor) -> Cursor:
    if document.has("after_sale_order_id"):
        return document
    _answered(document, "after_sale_order")
    return document.child("after_sale_order")


def _first(document: Cursor, keys: tuple[str, ...]) -> Iterator[str]:
    return (key for key in keys if document.has(key))
