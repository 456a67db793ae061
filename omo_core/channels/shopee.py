"""Shopee's Open API v2: pushes that only name an order, order details with the seller's side, returns and calls.

A push signs the address it is sent to together with its body, so a proxy that rewrites the address breaks nothing as
long as the registered one is configured. Splitting an order and disputing a return are left to Shopee's own pages.

Sources: https://open.shopee.com/documents/v2 and, for the signature of a push, the SDK
https://github.com/EcomPHP/shopee-php.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final, NamedTuple

from omo_core.channels import shopee_requests as calls
from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, cancellation_of, sha256_of
from omo_core.channels.fields import json_inside
from omo_core.channels.intents import (
    Answer,
    AnswerRefund,
    CancelOrder,
    Capabilities,
    FetchOrder,
    Intent,
    IntentKind,
    ListChanges,
    Page,
    Reference,
    Request,
    Response,
    SetStock,
    Ship,
    StockMode,
    cannot,
)
from omo_core.channels.port import Cancellation, ChannelEvent, EventKind, Headers, RefundNotice
from omo_core.channels.shopee_config import ShopeeConfig
from omo_core.channels.shopee_money import read_return
from omo_core.channels.shopee_order import WISH, read_order, same_order
from omo_core.channels.signing import header, sign_hex, verify_one_of
from omo_core.model.errors import ForgedSignature, UnreadableBody
from omo_core.model.orders import Order, OrderStatus
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

__all__ = ["LostPushes", "ShopeeAdapter", "ShopeeConfig"]

_TOPICS: Final[Mapping[int, str]] = {
    3: "order_status_push",
    4: "order_trackingno_push",
    15: "shipping_document_status_push",
    29: "return_updates_push",
    30: "package_fulfillment_status_push",
}
_OF_ORDERS: Final = frozenset({3, 4, 30})
_OF_RETURNS: Final = 29


class LostPushes(NamedTuple):
    """Pushes that were not delivered, to be kept and then confirmed."""

    events: tuple[ChannelEvent, ...]
    last_message_id: int
    more: bool
    """Whether others wait once these are confirmed."""


class Documents(NamedTuple):
    """The documents that make one order."""

    order: Cursor
    income: Cursor | None
    returns: tuple[Cursor, ...]


class ShopeeAdapter(Dialect[ShopeeConfig]):
    """Reads one shop's pushes, orders and returns, and makes the requests to Shopee."""

    config_type: ClassVar[type[Value]] = ShopeeConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset(
            {
                IntentKind.FETCH_ORDER,
                IntentKind.LIST_CHANGES,
                IntentKind.SHIP,
                IntentKind.SET_STOCK,
                IntentKind.CANCEL,
                IntentKind.ANSWER_REFUND,
            }
        ),
        signs="HMAC-SHA256 of the registered address, a bar and the body, in hex",
        stock_modes=frozenset({StockMode.ABSOLUTE}),
        stock_by_location=True,
        stock_batch=calls.BATCH,
        partial_shipments=True,
        list_window_s=calls.WINDOW_S,
        page_size=calls.PAGE,
    )

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless a partner key signed the registered address and the raw body."""
        del now
        if self.config.push_url is None:
            raise ForgedSignature("no address is configured for this channel; configure push_url as Shopee knows it")
        signed = b"%s|%s" % (self.config.push_url.encode(), body)
        verify_one_of((sign_hex(key, signed) for key in self.config.secrets), header(headers, "Authorization"))

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a push; it has no id of its own, so its event key is a hash.

        A change of an order or of a return says what to fetch; everything else is `other`. Raises `UnreadableBody`,
        `BodyTooLarge`.
        """
        del headers
        return self._push(self.document(body), f"sha256:{sha256_of(body)}")

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read an order detail; `more` may hold the order's escrow detail and its returns, in any order."""
        found = self._documents([self.document(one) for one in (body, *more)])
        return read_order(found.order, found.income, found.returns, self.config, sha256_of(body, *more))

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read the orders of an order detail, which holds up to 50."""
        document = self.document(body)
        answer = _answer(document)
        if not answer.has("order_list"):
            return (self.parse_order(body),)
        sha256 = sha256_of(body)
        found = list(answer.documents("order_list"))
        return tuple(read_order(_detail(one), None, (), self.config, sha256) for one in found)

    def parse_cancellation(self, body: bytes) -> Cancellation:
        """Read an order that is cancelled, or whose buyer asks for it."""
        order = self.parse_order(body)
        asked = order.hold_reason == WISH
        if not asked and order.status is not OrderStatus.CANCELLED:
            raise UnreadableBody(f"order {order.external_id} is {order.status}, not cancelled; read it as an order")
        return cancellation_of(order).model_copy(update={"requested": asked})

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read a return's detail, or a list of one return."""
        answer = _answer(self.document(body))
        found = list(answer.children("return")) if answer.has("return") else [answer]
        if len(found) != 1 or not found[0].has("return_sn"):
            raise UnreadableBody(f"{answer.path} is no return; send the detail of one")
        return read_return(found[0], self.channel)

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The requests of an intent."""
        order_sn = getattr(intent, "external_id", None)
        if order_sn is not None and not calls.is_serial(order_sn):
            return cannot(self.channel, intent.kind, f"{order_sn[:40]!r} is no number of an order of Shopee's")
        match intent:
            case FetchOrder():
                return calls.fetch_order(self.config, intent.external_id)
            case ListChanges():
                return calls.list_changes(self.config, intent)
            case Ship():
                return calls.ship(self.config, intent)
            case SetStock():
                return calls.set_stock(self.config, intent)
            case CancelOrder():
                return calls.cancel(self.config, intent)
            case AnswerRefund():
                return calls.answer_refund(self.config, intent)
            case _:
                return super().make(intent)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request signed with the current partner key, for the shop where there is an access token."""
        return calls.sign(self.config, request, now, token)

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What Shopee says of each item; raises `UnreadableBody`."""
        del intent
        return calls.read_answer(request, response, self.config.max_bytes)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """A page of the numbers of orders that changed, to be fetched one by one."""
        answer = _answer(self.document(body))
        references = tuple(
            one.build(Reference, external_id=one.identifier("order_sn")) for one in answer.children("order_list")
        )
        cursor = answer.optional_text("next_cursor") if answer.boolean("more", False) else None
        following = None if cursor is None else {"since": intent.since, "until": intent.until, "cursor": cursor}
        return Page(
            references=references,
            following=answer.build(ListChanges, key=intent.key, **following) if following else None,
        )

    def lost_pushes(self) -> Request:
        """The request for pushes of the last three days that nobody confirmed; it needs no access token."""
        return calls.lost_pushes(self.config)

    def read_lost_pushes(self, body: bytes) -> LostPushes:
        """The lost pushes in an answer; the same push has another event key here than where it was delivered."""
        answer = _answer(self.document(body))
        events = []
        for message in answer.children("push_message_list"):
            # The documentation says a text of JSON, its example shows an object: both hold the push as it was sent.
            inner = (
                message.child("data") if isinstance(message.fields.get("data"), dict) else json_inside(message, "data")
            )
            push = inner if inner is not None and inner.has("code") else message
            data = push.child("data")
            key = f"lost:{push.identifier('code')}:{push.optional_identifier('timestamp')}:{_serial(data)}"
            events.append(self._push(push, f"{key}:{data.optional_text('status')}"[:200]))
        last = answer.integer("last_message_id", least=0, most=2**63, what="the id of the last message")
        return LostPushes(tuple(events), last, answer.boolean("has_next_page", False))

    def confirm_lost_pushes(self, last_message_id: int) -> Request:
        """The request that tells Shopee to forget lost pushes up to this one."""
        return calls.confirm_lost_pushes(self.config, last_message_id)

    def _push(self, push: Cursor, key: str) -> ChannelEvent:
        code = push.integer("code", least=0, most=10_000, what="the code of a push")
        shop = push.optional_identifier("shop_id")
        if self.config.shop_id is not None and shop is not None and shop != self.config.shop_id:
            push.fail("shop_id", "is another shop", f"route it to the channel of that shop, not {self.channel}")
        topic = _TOPICS.get(code, f"push_{code}")
        if code not in _OF_ORDERS and code != _OF_RETURNS:
            return self.event(topic, key, EventKind.OTHER)
        data = push.child("data")
        order_sn = _serial(data)
        if order_sn is None:
            if code == _OF_RETURNS:
                return self.event(topic, key, EventKind.OTHER)
            data.fail("ordersn", "is missing", "send the push as Shopee sent it")
        if not calls.is_serial(order_sn):
            data.fail("ordersn", "is no number of an order", "send letters and digits")
        fetch = calls.fetch_order(self.config, order_sn, paid=data.fields.get("status") != "UNPAID")
        if code != _OF_RETURNS:
            return self.event(topic, key, EventKind.ORDER, subject=order_sn, fetch=fetch)
        return_sn = data.optional_identifier("return_sn")
        if return_sn is not None and calls.is_serial(return_sn):
            fetch = (*fetch, calls.fetch_return(self.config, return_sn))
        return self.event(topic, key, EventKind.REFUND, subject=order_sn, fetch=fetch)

    def _documents(self, documents: list[Cursor]) -> Documents:
        orders: list[Cursor] = []
        others: list[Cursor] = []
        returns: list[Cursor] = []
        for document in documents:
            document.noted = documents[0].noted
            if document is not documents[0] and calls.error_of(document) and not document.has("response"):
                # An order that is not paid has no seller's side yet, and says so with an error.
                continue
            answer = _answer(document)
            if answer.has("order_income"):
                others.append(answer)
            elif answer.has("return_sn"):
                returns.append(answer)
            else:
                orders += (
                    [_detail(one) for one in answer.children("order_list")]
                    if answer.has("order_list")
                    else [_detail(answer)]
                )
        if len(orders) != 1:
            raise UnreadableBody(f"the documents hold {len(orders)} orders; send exactly one here")
        own = orders[0].identifier("order_sn")
        for one in (*others, *returns):
            same_order(own, one)
        if len(others) > 1:
            raise UnreadableBody(f"the documents hold {len(others)} escrow details; send the order's own")
        return Documents(orders[0], others[0].child("order_income") if others else None, tuple(returns))


def _answer(document: Cursor) -> Cursor:
    """What an answer holds; raises where it holds an error instead."""
    answer = document.optional_child("response")
    if answer is not None:
        return answer
    error = calls.error_of(document)
    if error is not None:
        raise UnreadableBody(f"Shopee answered {error[:80]!r} instead of an order; look at the request")
    return document


def _detail(order: Cursor) -> Cursor:
    """An order detail, told from the other documents that have a number of an order."""
    if not order.has("order_sn") or not order.has("order_status"):
        first = next(iter(order.fields), "nothing")
        raise UnreadableBody(f"{order.path} begins with {first[:40]!r}, so it is no order; send an order detail")
    return order


def _serial(data: Cursor) -> str | None:
    return data.optional_identifier("ordersn") or data.optional_identifier("order_sn")
