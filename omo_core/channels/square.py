"""The Square channel, orders and point of sale: verifies webhooks, asks for the orders they name, and reads them.

Sources: https://developer.squareup.com/docs/webhooks/step3validate,
https://developer.squareup.com/reference/square/orders-api/webhooks and .../refunds-api/webhooks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, sha256_of
from omo_core.channels.intents import (
    Answer,
    Capabilities,
    Intent,
    IntentKind,
    ListChanges,
    Page,
    Reference,
    Request,
    Response,
    StockMode,
)
from omo_core.channels.listing import read_each
from omo_core.channels.port import ChannelEvent, EventKind, Headers, RefundNotice
from omo_core.channels.signing import header, sign_base64, verify_one_of
from omo_core.channels.square_money import read_refund
from omo_core.channels.square_order import (
    SquareConfig,
    counter_sale,
    left_over_the_counter,
    only_takes_back,
    read_order,
    read_refund_notice,
)
from omo_core.channels.square_requests import PAGE, STOCK_BATCH, fetch_order, make_requests, read_answer
from omo_core.model.errors import ForgedSignature, UnreadableBody
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

SIGNATURE_HEADER: Final = "X-Square-HmacSha256-Signature"

ORDER_TOPICS: Final = frozenset({"order.created", "order.updated", "order.fulfillment.updated"})
PAYMENT_TOPICS: Final = frozenset({"payment.created", "payment.updated"})
REFUND_TOPICS: Final = frozenset({"refund.created", "refund.updated"})

__all__ = ["ORDER_TOPICS", "PAYMENT_TOPICS", "REFUND_TOPICS", "SIGNATURE_HEADER", "SquareAdapter", "SquareConfig"]


class SquareAdapter(Dialect[SquareConfig]):
    """Reads one seller's webhooks and order objects, and makes the calls of its API."""

    config_type: ClassVar[type[Value]] = SquareConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset(
            {
                IntentKind.FETCH_ORDER,
                IntentKind.LIST_CHANGES,
                IntentKind.SHIP,
                IntentKind.READY_FOR_PICKUP,
                IntentKind.SET_STOCK,
                IntentKind.CANCEL,
            }
        ),
        signs="HMAC-SHA256 of the notification address and the body, in base64",
        stock_modes=frozenset(StockMode),
        stock_by_location=True,
        stock_batch=STOCK_BATCH,
        page_size=PAGE,
    )

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless a secret signed the configured notification address and the raw body."""
        del now
        url = self.config.notification_url
        if url is None:
            raise ForgedSignature("no notification_url is configured; set it as the webhook subscription names it")
        signed = url.encode() + body
        verify_one_of(
            (sign_base64(secret, signed) for secret in self.config.secrets), header(headers, SIGNATURE_HEADER)
        )

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a webhook; its event key is its `event_id`. Raises `UnreadableBody`, `BodyTooLarge`, `InvalidMoney`.

        Events of orders and payments name an order to fetch. A refund names the order that Square made for it, not the
        one that was sold; that order, read by `parse_refund`, names the sold one and its lines.
        """
        del headers
        document = self.document(body)
        topic, event_key = document.text("type"), document.text("event_id")
        held: dict[str, Any] = {"kind": EventKind.OTHER}
        if topic in ORDER_TOPICS:
            held = self._fetching(document.child("data").identifier("id"), document)
        elif topic in PAYMENT_TOPICS:
            order_id = self._object(document, "payment").optional_identifier("order_id")
            held = held if order_id is None else self._fetching(order_id, document)
        elif topic in REFUND_TOPICS:
            refund = self._object(document, "refund")
            if refund.has("order_id"):
                held = self._refunding(refund)
        # An updated refund has the event id of the created one in the published examples: the topic tells them apart.
        return self.event(topic, f"{topic}/{event_key}", **held)

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read an order, bare or as {"order": {...}}; it is never split."""
        del more
        return read_order(self._one(self.document(body)), self.config, sha256_of(body))

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read an order, bare or as {"order": {...}}, or {"orders": [...]}."""
        sha256 = sha256_of(body)
        return tuple(read_order(order, self.config, sha256) for order in self._orders(self.document(body)))

    def parse_fetched(self, event: ChannelEvent, body: bytes, *more: bytes) -> ChannelEvent:
        """As `Dialect.parse_fetched`: the order, a sale over the counter, or goods that come back."""
        document = self._one(self.document(body))
        if only_takes_back(document):
            notice = read_refund_notice(document, self.config)
            update: dict[str, Any] = {"refund": notice, "subject": notice.external_id, "kind": EventKind.REFUND}
            return event.model_copy(update={**update, "fetch": ()})
        fetched = super().parse_fetched(event, body, *more)
        if fetched.order is None or not left_over_the_counter(document):
            return fetched
        sale = counter_sale(document, fetched.order, self.config)
        if sale is None:
            return fetched
        return fetched.model_copy(update={"kind": EventKind.COUNTER_SALE, "counter_sale": sale})

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read {"refund": {...}} of a payment, or an order that takes goods back."""
        document = self.document(body)
        if not document.has("refund"):
            return read_refund_notice(self._one(document), self.config)
        return self._notice(document.child("refund"))

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The calls of Square's API; shipments, pickups and cancellations want `fulfilment` of the order's deliveries."""
        return make_requests(intent, self.config)

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What Square says of a request, all of whose items fare alike."""
        return read_answer(intent, request, response)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """Read a page of orders. Counter sales and returns are given as references: fetched, they are more than orders."""
        document = self.document(body)
        sha256 = sha256_of(body)

        def read(one: Cursor) -> Order | Reference:
            if not left_over_the_counter(one) and not only_takes_back(one):
                return read_order(one, self.config, sha256)
            updated_at = one.optional_instant("updated_at")
            return one.build(Reference, external_id=one.identifier("id"), updated_at=updated_at)

        found = read_each(document.documents("orders"), "id", read)
        entries = [
            entry.build(Reference, external_id=entry.identifier("order_id"))
            for entry in document.children("order_entries")
        ]
        cursor = document.optional_text("cursor")
        return document.build(
            Page,
            orders=found.orders,
            references=(*found.references, *entries),
            unreadable=found.unreadable,
            following=document.build(ListChanges, **{**dict(intent), "cursor": cursor}) if cursor else None,
        )

    def _orders(self, document: Cursor) -> Iterator[Cursor]:
        if document.has("orders"):
            yield from document.documents("orders")
        else:
            yield document.child("order") if document.has("order") else document

    def _one(self, document: Cursor) -> Cursor:
        orders = list(self._orders(document))
        if len(orders) != 1:
            raise UnreadableBody(f"$.orders holds {len(orders)} orders; send exactly one here")
        return orders[0]

    def _object(self, document: Cursor, key: str) -> Cursor:
        return document.child("data").child("object").child(key)

    def _fetching(self, order_id: str, document: Cursor) -> dict[str, Any]:
        requests = fetch_order(order_id, self.config)
        if isinstance(requests, Refusal):
            document.fail("data", "names no order by an id of Square's", "send it as Square sent it")
        return {"kind": EventKind.ORDER, "subject": order_id, "fetch": requests}

    def _refunding(self, refund: Cursor) -> dict[str, Any]:
        notice = self._notice(refund)
        return {"kind": EventKind.REFUND, "subject": notice.external_id, "refund": notice}

    def _notice(self, refund: Cursor) -> RefundNotice:
        read = read_refund(refund)
        return refund.build(
            RefundNotice,
            channel=self.channel,
            external_id=refund.identifier("order_id"),
            refund=read,
            updated_at=refund.optional_instant("updated_at") or read.created_at,
        )
