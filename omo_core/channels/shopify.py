"""The Shopify channel: verifies webhooks, reads orders in them, and asks for the order where they hold only its id.

Source of headers and topics: https://shopify.dev/docs/api/webhooks.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any, ClassVar, Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, cancellation_of
from omo_core.channels.intents import Capabilities
from omo_core.channels.port import ChannelEvent, EventKind, Headers, Request, SoldLine, TillSale
from omo_core.channels.reading import read_json
from omo_core.channels.shopify_delivery import ShopifyConfig
from omo_core.channels.shopify_order import left_over_the_counter, read_order
from omo_core.channels.signing import header, verify_base64
from omo_core.model.errors import ForgedSignature, UnreadableBody
from omo_core.model.orders import Order, OrderStatus
from omo_core.model.values import Value

ORDER_TOPICS: Final = frozenset(
    {
        *("orders/create", "orders/updated", "orders/paid", "orders/cancelled"),
        *("orders/fulfilled", "orders/partially_fulfilled"),
    }
)
"""Topics whose body is the whole order."""

__all__ = ["ORDER_TOPICS", "ShopifyAdapter", "ShopifyConfig"]

_SHOP_DOMAIN: Final = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")


class ShopifyAdapter(Dialect[ShopifyConfig]):
    """Reads one shop's webhooks and order documents."""

    config_type: ClassVar[type[Value]] = ShopifyConfig
    capabilities: ClassVar[Capabilities] = Capabilities(signs="HMAC-SHA256 of the body, in base64")

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
            held = self._order_event(Cursor(document), sha256)
        elif topic == "orders/edited":
            held = self._fetching(EventKind.ORDER, Cursor(document).child("order_edit"), headers)
        elif topic == "refunds/create":
            held = self._fetching(EventKind.REFUND, Cursor(document), headers)
        else:
            held = {"kind": EventKind.OTHER, "subject": _subject(document)}
        event_key = _header(headers, "Webhook-Id") or f"sha256:{topic}:{sha256}"
        return Cursor({}).build(ChannelEvent, channel=self.channel, event_key=event_key, topic=topic, **held)

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read an order, bare or as {"order": {...}}; it is never split."""
        del more
        orders = self.parse_orders(body)
        if len(orders) != 1:
            raise UnreadableBody(f"$.orders holds {len(orders)} orders; send exactly one here")
        return orders[0]

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read an order, bare or as {"order": {...}}, or a list of them, bare or as {"orders": [...]}."""
        document = read_json(body, max_bytes=self.config.max_bytes)
        sha256 = hashlib.sha256(body).hexdigest()
        if isinstance(document, list):
            document = {"orders": document}
        top = Cursor(document)
        if top.has("orders"):
            return tuple(read_order(order, self.config, sha256) for order in top.children("orders"))
        if isinstance(top.fields.get("order"), dict):
            top = top.child("order")
        return (read_order(top, self.config, sha256),)

    def _order_event(self, document: Cursor, sha256: str) -> dict[str, Any]:
        order = read_order(document, self.config, sha256)
        held: dict[str, Any] = {"kind": EventKind.ORDER, "order": order, "subject": order.external_id}
        if order.status is OrderStatus.CANCELLED:
            held["kind"] = EventKind.CANCELLATION
            held["cancellation"] = cancellation_of(order)
        elif left_over_the_counter(document):
            sale = self._counter_sale(document, order)
            if sale is not None:
                held |= {"kind": EventKind.COUNTER_SALE, "counter_sale": sale}
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

    def _fetching(self, kind: EventKind, document: Cursor, headers: Headers) -> dict[str, Any]:
        """The webhook has only what changed, and for old quantities: get the order as it now is."""
        order_id = document.identifier("order_id")
        if not (order_id.isascii() and order_id.isdigit()):
            document.fail("order_id", "is no Shopify id", "send the order's number")
        # The header is not signed, so it may choose among Shopify's shops and nothing else.
        shop = self.config.shop_domain or _header(headers, "Shop-Domain") or ""
        if not _SHOP_DOMAIN.fullmatch(shop):
            raise UnreadableBody("the shop is not known; set shop_domain in the configuration, as name.myshopify.com")
        url = f"https://{shop}/admin/api/{self.config.api_version}/orders/{order_id}.json"
        request = Request(url=url, headers=(("Accept", "application/json"),))
        return {"kind": kind, "subject": order_id, "fetch": (request,)}


def _header(headers: Headers, name: str) -> str | None:
    return header(headers, f"X-Shopify-{name}", f"Shopify-{name}")


def _subject(document: Any) -> str | None:
    """The order that something else is about, or its own id; None where neither is plain."""
    if not isinstance(document, dict):
        return None
    found = next((document[key] for key in ("order_id", "id") if document.get(key) is not None), None)
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None
