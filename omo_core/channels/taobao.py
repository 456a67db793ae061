"""Taobao and Tmall through their open platform (TOP): trades and refunds are pulled, shipments and stock pushed back.

Sources: https://open.taobao.com/api.htm (calls), https://open.taobao.com/doc.htm?docId=101617&docType=1 (signature),
https://open.taobao.com/doc.htm?docId=101663&docType=1 (the message service, TMC).

TMC messages arrive over a websocket, or by taobao.tmc.messages.consume, which its client signs: nothing comes over
HTTP that could be verified here. A host that runs such a client gives a message to `parse_event`, without `verify`;
it only says what to fetch. To agree to a refund the platform asks for more than an application's signature, so that
is not among the capabilities. Red packets and subsidies are read as far as the trade's lines tell of them. A combined
item that has no code of the merchant's is read as a set of its parts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, answer_by_status, sha256_of
from omo_core.channels.fields import CHINA, flag, json_inside, local, optional_local, optional_units, state
from omo_core.channels.gateway_signing import china_time, hmac_md5, hmac_sha256, md5_around, with_signature
from omo_core.channels.intents import (
    Answer,
    CancelOrder,
    Capabilities,
    FetchOrder,
    Intent,
    IntentKind,
    ListChanges,
    Page,
    Request,
    Response,
    SetStock,
    Ship,
    StockMode,
    cannot,
)
from omo_core.channels.port import ChannelEvent, EventKind, Headers, RefundNotice
from omo_core.channels.taobao_delivery import TaobaoConfig
from omo_core.channels.taobao_order import CURRENCY, entries, read_trade
from omo_core.channels.taobao_requests import (
    PAGE_SIZE,
    STOCK_BATCH,
    WINDOW_S,
    answer_of,
    cancel,
    fetch_order,
    list_changes,
    number,
    read_answer,
    read_page,
    set_stock,
    ship,
)
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import Order, Refund, RefundStatus
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

__all__ = ["TaobaoAdapter", "TaobaoConfig"]

_SIGNS: Final = {"md5": md5_around, "hmac": hmac_md5, "hmac-sha256": hmac_sha256}
_REFUNDS: Final = {
    "WAIT_SELLER_AGREE": RefundStatus.REQUESTED,
    "WAIT_BUYER_RETURN_GOODS": RefundStatus.AGREED,
    "WAIT_SELLER_CONFIRM_GOODS": RefundStatus.AGREED,
    "SELLER_REFUSE_BUYER": RefundStatus.REFUSED,
    "CLOSED": RefundStatus.REFUSED,
    "SUCCESS": RefundStatus.DONE,
}
_TRADE_TOPIC: Final = "taobao_trade_"
_REFUND_TOPIC: Final = "taobao_refund_"


class TaobaoAdapter(Dialect[TaobaoConfig]):
    """Reads one shop's trades, refunds and messages."""

    config_type: ClassVar[type[Value]] = TaobaoConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset(
            {
                IntentKind.FETCH_ORDER,
                IntentKind.LIST_CHANGES,
                IntentKind.SHIP,
                IntentKind.SET_STOCK,
                IntentKind.CANCEL,
            }
        ),
        pushes=False,
        stock_modes=frozenset({StockMode.ABSOLUTE, StockMode.RELATIVE}),
        stock_batch=STOCK_BATCH,
        partial_shipments=True,
        several_parcels=True,
        partial_cancellations=True,
        list_window_s=WINDOW_S,
        page_size=PAGE_SIZE,
    )

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a message of the message service, or an answer of taobao.tmc.messages.consume with several of them."""
        del headers
        document = self.document(body)
        wrapped = document.optional_child("tmc_messages_consume_response")
        if wrapped is None:
            return self._message(document)
        events = tuple(self._message(one) for one in entries(wrapped, "messages", "tmc_message"))
        if not events:
            return self.event("tmc_messages_consume", f"sha256:{sha256_of(body)}", EventKind.OTHER)
        return self.event("tmc_messages_consume", f"sha256:{sha256_of(body)}", EventKind.SEVERAL, events=events)

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read a trade, bare or in the answer of taobao.trade.fullinfo.get."""
        orders = self.parse_orders(body)
        if len(orders) != 1 or more:
            raise UnreadableBody(f"the document holds {len(orders)} trades; send exactly one here")
        return orders[0]

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read a trade, or a list of them as {"trades": {"trade": [...]}}, bare or in an answer."""
        document = _opened(self.document(body))
        sha256 = sha256_of(body)
        if document.has("trades"):
            trades = list(entries(document, "trades", "trade"))
            for one in trades:
                one.noted = []  # What is odd in one is not told of the next.
            return tuple(read_trade(one, self.config, sha256) for one in trades)
        return (read_trade(document.optional_child("trade") or document, self.config, sha256),)

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read a refund, bare or in the answer of taobao.refund.get."""
        document = _opened(self.document(body))
        document = document.optional_child("refund") or document
        status = state(document, "status", _REFUNDS, RefundStatus.REQUESTED)
        created_at = local(document, "created", CHINA)
        line, quantity = document.optional_identifier("oid"), optional_units(document, "num")
        refund = document.build(
            Refund,
            refund=document.identifier("refund_id"),
            created_at=created_at,
            refunded_to_buyer_minor=document.amount("refund_fee", CURRENCY),
            quantities=((line, quantity),) if line and quantity else (),
            status=status,
            reason=(document.optional_text("reason") or "")[:500] or None,
        )
        return document.build(
            RefundNotice,
            channel=self.channel,
            external_id=document.identifier("tid"),
            refund=refund,
            updated_at=optional_local(document, "modified", CHINA) or created_at,
            returns_goods=flag(document, "has_good_return") if document.has("has_good_return") else None,
        )

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The calls of an intent, all to the one gateway."""
        match intent:
            case FetchOrder():
                return (fetch_order(self.config, intent.external_id),)
            case ListChanges():
                return (list_changes(self.config, intent),)
            case Ship():
                return ship(self.config, self.channel, intent)
            case SetStock():
                return set_stock(self.config, intent)
            case CancelOrder():
                return cancel(self.config, intent)
            case _:
                return cannot(self.channel, intent.kind, "its adapter makes no such request")

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The form with the application's key, the shop's session `token`, the time, and the signature of them all."""
        more = {
            "app_key": self.config.app_key,
            "session": token,
            "timestamp": china_time(now),
            "format": "json",
            "v": "2.0",
            "sign_method": self.config.sign_method,
        }
        return with_signature(request, more, self.config.secrets, _SIGNS[self.config.sign_method])

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What the gateway says of each item; its faults come with status 200."""
        del intent
        if response.status != 200:
            return answer_by_status(request, response)
        return read_answer(request, self.document(response.body))

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """One page of trade ids, from the last page to the first."""
        document = self.document(body)
        _refuse_error(document)
        return read_page(intent, answer_of(document, "taobao.trades.sold.increment.get"))

    def _message(self, document: Cursor) -> ChannelEvent:
        topic = document.text("topic")
        content = document.fields.get("content")
        inside = document.child("content") if isinstance(content, dict) else json_inside(document, "content")
        key = f"tmc:{document.identifier('id')}"
        if inside is None or not topic.startswith((_TRADE_TOPIC, _REFUND_TOPIC)) or not inside.has("tid"):
            return self.event(topic, key, EventKind.OTHER)
        tid = number(inside.identifier("tid"), "the trade")
        kind = EventKind.REFUND if topic.startswith(_REFUND_TOPIC) else EventKind.ORDER
        held: dict[str, Any] = {"subject": tid, "fetch": (fetch_order(self.config, tid),)}
        return self.event(topic, key, kind, **held)


def _opened(document: Cursor) -> Cursor:
    """What stands inside the envelope of an answer; the document itself where there is none."""
    _refuse_error(document)
    for name in document.fields:
        if name.endswith("_response") and document.has(name):
            return document.child(name)
    return document


def _refuse_error(document: Cursor) -> None:
    if not document.has("error_response"):
        return
    error = document.child("error_response")
    code = error.optional_identifier("sub_code") or error.optional_identifier("code")
    raise UnreadableBody(f"the answer is a fault of the platform ({(code or 'no code')[:80]}); ask again or mend it")
