"""The Shopify channel: verifies webhooks, reads orders, refunds and fulfilment orders, and carries out what is wanted.

Source of headers and topics: https://shopify.dev/docs/api/webhooks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Final

from omo_core.channels import shopify_requests
from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, NotAsked, cancellation_of, sha256_of, with_headers
from omo_core.channels.intents import (
    Answer,
    CancelOrder,
    Capabilities,
    FetchOrder,
    Intent,
    ListChanges,
    Page,
    ReadyForPickup,
    Reference,
    Request,
    Response,
    SetStock,
    Ship,
    cannot,
)
from omo_core.channels.listing import read_each
from omo_core.channels.port import ChannelEvent, EventKind, Headers, RefundNotice, SoldLine, TillSale
from omo_core.channels.reading import read_json
from omo_core.channels.shopify_delivery import ShopifyConfig
from omo_core.channels.shopify_fulfilment import FulfilmentOrder, read_fulfilment_orders, with_fulfilment_orders
from omo_core.channels.shopify_order import left_over_the_counter, read_order
from omo_core.channels.shopify_refund import read_refund_notice
from omo_core.channels.signing import header, verify_base64
from omo_core.model.errors import ForgedSignature, InvalidInput, UnreadableBody
from omo_core.model.orders import Order, OrderStatus
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

ORDER_TOPICS: Final = frozenset(
    {
        *("orders/create", "orders/updated", "orders/paid", "orders/cancelled"),
        *("orders/fulfilled", "orders/partially_fulfilled"),
    }
)
"""Topics whose body is the whole order."""

__all__ = ["ORDER_TOPICS", "ShopifyAdapter", "ShopifyConfig"]


class ShopifyAdapter(Dialect[ShopifyConfig]):
    """Reads one shop's webhooks and documents, and makes requests to it."""

    config_type: ClassVar[type[Value]] = ShopifyConfig
    capabilities: ClassVar[Capabilities] = shopify_requests.CAPABILITIES

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless a secret signed the raw body, and the shop is ours where one is configured."""
        del now
        verify_base64(self.config.secrets, body, _header(headers, "Hmac-Sha256"))
        shop = _header(headers, "Shop-Domain")
        if self.config.shop_domain is not None and shop is not None and shop != self.config.shop_domain:
            raise ForgedSignature(f"the message is of another shop than {self.config.shop_domain}; route it to its own")

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a webhook; its event key is X-Shopify-Webhook-Id, or a hash of topic and body where there is none.

        The body decides, not the topic: an order that says it is cancelled is a cancellation under every topic.
        Raises `UnreadableBody`, `BodyTooLarge`, `InvalidMoney`.
        """
        document = read_json(body, max_bytes=self.config.max_bytes)
        topic = _header(headers, "Topic")
        if not topic:
            raise UnreadableBody("the message has no X-Shopify-Topic header; send it as Shopify sent it")
        sha256 = hashlib.sha256(body).hexdigest()
        held: dict[str, Any]
        if topic in ORDER_TOPICS:
            held = self._order_event(Cursor(document), sha256, headers)
        elif topic == "orders/edited":
            held = self._fetching(EventKind.ORDER, Cursor(document).child("order_edit"), "order_id", headers)
        elif topic == "refunds/create":
            refund = Cursor(document)
            held = self._fetching(EventKind.REFUND, refund, "order_id", headers) | {"refund": self._notice(refund)}
        else:
            held = {"kind": EventKind.OTHER, "subject": _subject(document)}
        event_key = _header(headers, "Webhook-Id") or f"sha256:{topic}:{sha256}"
        return Cursor({}).build(ChannelEvent, channel=self.channel, event_key=event_key, topic=topic, **held)

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read an order, bare or as {"order": {...}}, and its fulfilment orders where they were fetched with it."""
        orders = self.parse_orders(body)
        if len(orders) != 1:
            raise UnreadableBody(f"$.orders holds {len(orders)} orders; send exactly one here")
        order = orders[0]
        if len(more) > 1:
            raise UnreadableBody(f"an order has one document of fulfilment orders, not {len(more)}; send that one")
        for one in more:
            order = with_fulfilment_orders(order, self.document(one), self.config, sha256_of(body, one))
        return order

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read an order, bare or as {"order": {...}}, or a list of them, bare or as {"orders": [...]}."""
        sha256 = hashlib.sha256(body).hexdigest()
        return tuple(read_order(one, self.config, sha256) for one in self._documents(body))

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read one refund: bare, as {"refund": {...}}, or alone in a list; raises `UnreadableBody` or `InvalidMoney`."""
        top = self.document(body)
        found = list(top.documents("refunds")) if top.has("refunds") else [top]
        if len(found) != 1:
            raise UnreadableBody(f"$.refunds holds {len(found)} refunds; send exactly one here")
        return read_refund_notice(top.child("refund") if top.has("refund") else found[0], self.channel)

    def parse_fulfilment_orders(self, body: bytes) -> tuple[FulfilmentOrder, ...]:
        """Read fulfilment orders, which `Ship` and `ReadyForPickup` name; raises `UnreadableBody`."""
        return read_fulfilment_orders(self.document(body))

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The requests of an intent; a refusal where it lacks what Shopify needs."""
        try:
            match intent:
                case FetchOrder():
                    return shopify_requests.order_requests(self.config, intent.external_id)
                case ListChanges():
                    return (shopify_requests.list_request(self.config, intent),)
                case Ship():
                    return shopify_requests.ship_requests(self.config, intent)
                case ReadyForPickup():
                    return (shopify_requests.pickup_request(self.config, intent),)
                case SetStock():
                    return shopify_requests.stock_requests(self.config, intent)
                case CancelOrder():
                    return (shopify_requests.cancel_request(self.config, intent),)
        except NotAsked as error:
            return cannot(self.channel, intent.kind, str(error))
        return super().make(intent)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request with the access token of the app."""
        del now
        return with_headers(request, X_Shopify_Access_Token=token) if token else request

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What became of each item; the userErrors of a GraphQL answer are answers of the items they name."""
        return shopify_requests.read_answer(intent, request, response)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """One page of orders in the order of their ids; a full page is followed by what comes after its last id.

        Orders whose fulfilment orders are wanted too, and sales over the counter, are references: fetched, they are more.
        """
        sha256 = hashlib.sha256(body).hexdigest()
        ids: list[int] = []

        def read(one: Cursor) -> Order | Reference:
            order_id = one.fields.get("id")
            if isinstance(order_id, int) and not isinstance(order_id, bool) and order_id > 0:
                ids.append(order_id)
            order = read_order(one, self.config, sha256)
            if not self._wants_more(order, one) and not self._sold(order, one):
                return order
            return Reference(external_id=order.external_id, updated_at=order.updated_at)

        found = read_each(self._documents(body), "id", read)
        full = found.met >= self.capabilities.page_size
        if full and not ids:
            raise UnreadableBody("$.orders is a full page without a single id, so there is no next one to ask for")
        return Page(
            orders=found.orders,
            references=found.references,
            unreadable=found.unreadable,
            following=intent.model_copy(update={"cursor": str(max(ids))}) if full else None,
        )

    def parse_fetched(self, event: ChannelEvent, body: bytes, *more: bytes) -> ChannelEvent:
        """As `Dialect.parse_fetched`, and a sale over the counter where that is what was fetched."""
        fetched = super().parse_fetched(event, body, *more)
        document = next(self._documents(body))
        if fetched.order is None or not self._sold(fetched.order, document):
            return fetched
        sale = self._counter_sale(document, fetched.order)
        if sale is None:
            return fetched
        kind = EventKind.COUNTER_SALE if fetched.kind is EventKind.ORDER else fetched.kind
        return fetched.model_copy(update={"kind": kind, "counter_sale": sale})

    def _sold(self, order: Order, document: Cursor) -> bool:
        """Whether the order is a sale over the counter, and was not called off."""
        return order.status is not OrderStatus.CANCELLED and left_over_the_counter(document)

    def _wants_more(self, order: Order, document: Cursor) -> bool:
        """Whether the order is to be fetched with its fulfilment orders: not once it is off, or gone at the till."""
        wanted = self.config.fulfilment_orders and order.status is not OrderStatus.CANCELLED
        return wanted and not left_over_the_counter(document)

    def _documents(self, body: bytes) -> Iterator[Cursor]:
        document = read_json(body, max_bytes=self.config.max_bytes)
        top = Cursor({"orders": document} if isinstance(document, list) else document)
        if top.has("orders"):
            yield from top.documents("orders")
        else:
            yield top.child("order") if isinstance(top.fields.get("order"), dict) else top

    def _order_event(self, document: Cursor, sha256: str, headers: Headers) -> dict[str, Any]:
        order = read_order(document, self.config, sha256)
        held: dict[str, Any] = {"kind": EventKind.ORDER, "order": order, "subject": order.external_id}
        if order.status is OrderStatus.CANCELLED:
            held["kind"] = EventKind.CANCELLATION
            held["cancellation"] = cancellation_of(order)
        elif left_over_the_counter(document):
            sale = self._counter_sale(document, order)
            if sale is not None:
                held |= {"kind": EventKind.COUNTER_SALE, "counter_sale": sale}
        elif self._wants_more(order, document):
            return self._fetching(EventKind.ORDER, document, "id", headers)
        return held

    def _counter_sale(self, document: Cursor, order: Order) -> TillSale | None:
        """What left the shop at the till; None where no line names goods. The same whenever the order is sent again."""
        goods = [line for line in order.lines if line.physical and line.sku]
        if not goods:
            return None
        location = document.optional_identifier("location_id")
        if location is None:
            document.fail("location_id", "is missing in a sale over the counter", "send the location the goods left")
        return document.build(
            TillSale,
            channel=order.channel,
            external_id=order.external_id,
            node=self.config.locations.get(location, location),
            sold_at=document.optional_instant("processed_at") or order.placed_at,
            lines=tuple(document.build(SoldLine, sku=line.sku, quantity=line.quantity) for line in goods),
        )

    def _fetching(self, kind: EventKind, document: Cursor, key: str, headers: Headers) -> dict[str, Any]:
        """The webhook has only what changed, and for old quantities: get the order as it now is."""
        order_id = document.identifier(key)
        if not (order_id.isascii() and order_id.isdigit() and len(order_id) <= 20):
            document.fail(key, "is no Shopify id", "send the order's number")
        try:
            # The header is not signed, so it may choose among Shopify's shops and nothing else.
            fetch = shopify_requests.order_requests(self.config, order_id, _header(headers, "Shop-Domain"))
        except NotAsked as error:
            raise UnreadableBody(str(error)) from None
        return {"kind": kind, "subject": order_id, "fetch": fetch}

    def _notice(self, refund: Cursor) -> RefundNotice | None:
        """The refund as its own body tells it; None where that is not enough, since the order is fetched anyway."""
        try:
            return read_refund_notice(refund, self.channel)
        except InvalidInput:
            return None


def _header(headers: Headers, name: str) -> str | None:
    return header(headers, f"X-Shopify-{name}", f"Shopify-{name}")


def _subject(document: Any) -> str | None:
    """The order that something else is about, or its own id; None where neither is plain."""
    if not isinstance(document, dict):
        return None
    found = next((document[key] for key in ("order_id", "id") if document.get(key) is not None), None)
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None
