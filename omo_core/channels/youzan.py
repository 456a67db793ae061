"""Youzan: trades arrive in signed messages or are pulled; shipments and stock are pushed back.

Sources: https://doc.youzanyun.com/ (messages and their Event-Sign, calls, error codes).

A refund is answered with the version number that its own document has at that moment: fetch the document, and give its
`RefundNotice.version` to `AnswerRefund`. To agree pays the money back; that goods may come back first is another call,
whose words are not known here. Retail chains send their stock by calls of their own.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import quote

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, answer_by_status, cancellation_of, sha256_of
from omo_core.channels.fields import CHINA, flag, local, optional_local, optional_units, state, units
from omo_core.channels.intents import (
    Answer,
    AnswerRefund,
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
from omo_core.channels.paging import page_before
from omo_core.channels.port import ChannelEvent, EventKind, Headers, RefundNotice, Reply, SoldLine, TillSale
from omo_core.channels.reading import read_json
from omo_core.channels.signing import header, md5_hex, verify_one_of
from omo_core.channels.youzan_delivery import YouzanConfig, offline_store
from omo_core.channels.youzan_order import (
    CURRENCY,
    MOMENTARY,
    is_over_the_counter,
    is_paid,
    optional_time,
    read_order,
    sections,
)
from omo_core.channels.youzan_requests import (
    PAGE_SIZE,
    PAGES,
    WINDOW_S,
    answer_refund,
    fault,
    fetch_order,
    list_changes,
    opened,
    read_answer,
    set_stock,
    ship,
)
from omo_core.model.errors import ForgedSignature, InvalidInput, UnreadableBody
from omo_core.model.orders import Order, OrderStatus, Refund, RefundStatus
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

__all__ = ["YouzanAdapter", "YouzanConfig"]

_REFUNDS: Final = {
    "WAIT_SELLER_AGREE": RefundStatus.REQUESTED,
    "WAIT_BUYER_RETURN_GOODS": RefundStatus.AGREED,
    "WAIT_SELLER_CONFIRM_GOODS": RefundStatus.AGREED,
    "SELLER_REFUSE_BUYER": RefundStatus.REFUSED,
    "SELLER_REFUSE_BUYER_RETURN_GOODS": RefundStatus.REFUSED,
    "CLOSED": RefundStatus.REFUSED,
    "SUCCESS": RefundStatus.DONE,
}
_NULL: Final = re.compile(rb'":\s*"null"')
"""Quotes inside a text are escaped, so this is always the end of a name and the whole of a value."""


class YouzanAdapter(Dialect[YouzanConfig]):
    """Reads one application's messages, and the trades and refunds of its shops."""

    config_type: ClassVar[type[Value]] = YouzanConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset(
            {
                IntentKind.FETCH_ORDER,
                IntentKind.LIST_CHANGES,
                IntentKind.SHIP,
                IntentKind.SET_STOCK,
                IntentKind.ANSWER_REFUND,
            }
        ),
        signs="MD5 of client id, body and client secret",
        stock_modes=frozenset({StockMode.ABSOLUTE, StockMode.RELATIVE}),
        partial_shipments=True,
        several_parcels=True,
        list_window_s=WINDOW_S,
        page_size=PAGE_SIZE,
    )
    reply: ClassVar[Reply] = Reply(content_type="application/json", body=b'{"code":0,"msg":"success"}')

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless Event-Sign, or `sign` inside where the configuration says so, is right."""
        del now
        given = header(headers, "Event-Sign")
        if given is None and self.config.body_sign:
            envelope = self.document(body)
            signed, given = envelope.text("msg").encode("utf-8", "surrogatepass"), envelope.optional_text("sign")
        else:
            signed = body
        client = self.config.client_id.encode()
        verify_one_of((md5_hex(client + signed + secret.encode()) for secret in self.config.secrets), given)
        if self.config.kdt_id is not None and self.document(body).optional_identifier("kdt_id") != self.config.kdt_id:
            raise ForgedSignature(f"the message is of another shop than {self.config.kdt_id}; route it to its own")

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a message; its event key is its msg_id, or the hash of the body where that is not signed."""
        envelope = self.document(body)
        topic = envelope.text("type")
        is_signed = header(headers, "Event-Sign") is not None or not self.config.body_sign
        key = envelope.optional_identifier("msg_id") if is_signed else None
        key = key or f"sha256:{sha256_of(body)}"
        if flag(envelope, "test"):
            return self.event(topic, key, EventKind.OTHER)
        message = self._message(envelope)
        if message is None:
            return self.event(topic, key, EventKind.OTHER)
        if message.has("full_order_info"):
            return self._told(message, topic, key, sha256_of(body))
        if not message.has("tid") or not topic.lower().startswith("trade"):
            return self.event(topic, key, EventKind.OTHER)
        tid = message.identifier("tid")
        kind = EventKind.REFUND if "refund" in topic.lower() else EventKind.ORDER
        return self.event(topic, key, kind, subject=tid, fetch=(fetch_order(self.config, tid),))

    def parse_fetched(self, event: ChannelEvent, body: bytes, *more: bytes) -> ChannelEvent:
        """What a trade says once it is there: an order, or what left a shop over its counter."""
        if len(self._trades(body)) != 1 or more:
            raise UnreadableBody("the document does not hold exactly one trade; send the answer of youzan.trade.get")
        document = self._trades(body)[0]
        held = self._held(document, read_order(document, self.config, sha256_of(body)))
        if event.kind is EventKind.REFUND and held["kind"] is EventKind.ORDER:
            held["kind"] = EventKind.REFUND
        return event.model_copy(update={"fetch": (), **held})

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read a trade: the answer of youzan.trade.get, what stands in it, or a message with one."""
        orders = self.parse_orders(body)
        if len(orders) != 1 or more:
            raise UnreadableBody(f"the document holds {len(orders)} trades; send exactly one here")
        return orders[0]

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read a trade, or the answer of youzan.trades.sold.get with several of them."""
        sha256 = sha256_of(body)
        return tuple(read_order(one, self.config, sha256) for one in self._trades(body))

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read a refund: the answer of youzan.trade.refund.get, or of a search that found one."""
        document = self._opened(body)
        if document.has("refunds"):
            found = list(document.children("refunds"))
            if len(found) != 1:
                document.fail("refunds", f"has {len(found)} entries", "send exactly one refund here")
            document = found[0]
        status = state(document, "status", _REFUNDS, RefundStatus.REQUESTED)
        created_at = local(document, "created", CHINA)
        line, quantity = document.optional_identifier("oid"), optional_units(document, "item_num")
        reason = document.optional_text("desc") or document.optional_identifier("reason")
        return document.build(
            RefundNotice,
            channel=self.channel,
            external_id=document.identifier("tid"),
            refund=document.build(
                Refund,
                refund=document.identifier("refund_id"),
                created_at=created_at,
                refunded_to_buyer_minor=document.amount("refund_fee", CURRENCY),
                quantities=((line, quantity),) if line and quantity else (),
                status=status,
                reason=None if reason is None else reason[:500],
            ),
            updated_at=optional_local(document, "modified", CHINA) or created_at,
            returns_goods=flag(document, "return_goods") if document.has("return_goods") else None,
            version=document.optional_identifier("version"),
        )

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The calls of an intent."""
        match intent:
            case FetchOrder():
                return (fetch_order(self.config, intent.external_id),)
            case ListChanges():
                return (list_changes(self.config, intent),)
            case Ship():
                return ship(self.config, self.channel, intent)
            case SetStock():
                return tuple(set_stock(self.config, level, intent.mode) for level in intent.levels)
            case AnswerRefund():
                return answer_refund(self.config, self.channel, intent)
            case _:
                return cannot(self.channel, intent.kind, "its adapter makes no such request")

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request with its access token in the address: the gateway reads it nowhere else."""
        del now
        if token is None:
            return request
        return request.model_copy(update={"url": f"{request.url}?access_token={quote(token, safe='')}"})

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What the gateway says of each item; its faults come with status 200."""
        del intent
        if response.status != 200:
            return answer_by_status(request, response)
        return read_answer(request, self.document(response.body))

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """One page of whole trades, from the last page to the first; a till's sales are to be fetched one by one."""
        document = self._opened(body)
        total = units(document, "total_results", least=0)
        if total > PAGE_SIZE * PAGES:
            document.fail("total_results", f"is {total}", f"ask for a window with at most {PAGE_SIZE * PAGES} trades")
        orders: list[Order] = []
        references: list[Reference] = []
        unreadable: list[tuple[str, str]] = []
        for one in document.documents("full_order_info_list"):
            try:
                order = read_order(one, self.config, sha256_of(body))
                if self._sale(one, order) is None:
                    orders.append(order)
                else:
                    references.append(Reference(external_id=order.external_id, updated_at=order.updated_at))
            except InvalidInput as error:
                unreadable.append((_name(one), str(error)))
        return Page(
            orders=tuple(orders),
            references=tuple(references),
            unreadable=tuple(unreadable),
            following=page_before(intent, total=total, page_size=PAGE_SIZE),
        )

    def _message(self, envelope: Cursor) -> Cursor | None:
        """What a message is about: JSON, percent-encoded in a text; None where it is something else."""
        if not envelope.has("msg"):
            return None
        text = envelope.text("msg").encode("utf-8", "surrogatepass")
        # Quoted-printable is the same with another mark, and its decoder is many times faster than urllib's.
        inside = a2b_qp(text.replace(b"=", b"=3D").replace(b"%", b"="))
        if len(inside) != len(text) - 2 * text.count(b"%"):
            envelope.fail("msg", "is not %-encoded", "send it as the platform sent it")
        return Cursor(self._read(inside), parent=envelope, key="msg") if inside.startswith(b"{") else None

    def _read(self, body: bytes) -> Any:
        """The JSON in a body; a field that is written as the text null is null, as the platform means it."""
        body = _NULL.sub(b'":null', body) if b'"null"' in body else body
        return read_json(body, max_bytes=self.config.max_bytes)

    def _told(self, document: Cursor, topic: str, key: str, sha256: str) -> ChannelEvent:
        """A message with a whole trade; one in a momentary state only says what to fetch."""
        _, detail, _ = sections(document)
        tid = detail.identifier("tid")
        if detail.fields.get("status") == MOMENTARY:
            return self.event(topic, key, EventKind.ORDER, subject=tid, fetch=(fetch_order(self.config, tid),))
        return self.event(topic, key, **self._held(document, read_order(document, self.config, sha256)))

    def _held(self, document: Cursor, order: Order) -> dict[str, Any]:
        held: dict[str, Any] = {"kind": EventKind.ORDER, "order": order, "subject": order.external_id}
        sale = self._sale(document, order)
        if sale is not None:
            return held | {"kind": EventKind.COUNTER_SALE, "counter_sale": sale}
        if order.status is OrderStatus.CANCELLED:
            return held | {"kind": EventKind.CANCELLATION, "cancellation": cancellation_of(order)}
        return held

    def _sale(self, document: Cursor, order: Order) -> TillSale | None:
        """What left a shop over its counter; None where nothing did. The same whenever the trade is sent again."""
        if order.status is OrderStatus.OPEN:
            return None  # What has left a shop is never open.
        info, detail, _ = sections(document)
        goods = [line for line in order.lines if line.physical and line.sku]
        sold_at = optional_time(detail, "pay_time")
        if not goods or sold_at is None or not is_over_the_counter(info, detail) or not is_paid(detail):
            return None
        store = offline_store(detail)
        if store is None:
            detail.fail("offline_id", "is missing in a sale over the counter", "send the store the goods left")
        return detail.build(
            TillSale,
            channel=self.channel,
            external_id=order.external_id,
            node=self.config.stores.get(store, store),
            sold_at=sold_at,
            lines=tuple(detail.build(SoldLine, sku=line.sku, quantity=line.quantity) for line in goods),
        )

    def _opened(self, body: bytes) -> Cursor:
        """What stands in an answer; raises `UnreadableBody` where it tells of a fault."""
        cursor = Cursor(self._read(body))
        said = fault(cursor)
        if said is not None:
            raise UnreadableBody(f"the answer is a fault of the platform ({said[0]}); ask again or mend it")
        return opened(cursor)

    def _trades(self, body: bytes) -> list[Cursor]:
        """The trades of a document, each with its own oddities."""
        document = self._opened(body)
        if document.has("msg"):
            document = self._message(document) or document
        if "full_order_info_list" in document.fields:
            return list(document.documents("full_order_info_list"))
        return [document]


def _name(trade: Cursor) -> str:
    """How to name a trade that cannot be read: its number, or its place."""
    try:
        tid = sections(trade)[1].identifier("tid")
    except InvalidInput:
        return trade.path
    return tid if tid.isascii() and tid.isalnum() and len(tid) < 100 else trade.path
