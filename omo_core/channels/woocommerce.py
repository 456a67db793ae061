"""The WooCommerce channel: verifies webhooks, reads orders and refunds, and carries out what is wanted.

Sources: https://woocommerce.github.io/woocommerce-rest-api-docs (REST v3) and, for headers, the signature and the ping,
https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Final

from omo_core.channels import woocommerce_requests
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
    Reference,
    Request,
    Response,
    SetStock,
    Ship,
    cannot,
)
from omo_core.channels.listing import read_each
from omo_core.channels.port import ChannelEvent, EventKind, Headers, RefundNotice
from omo_core.channels.reading import read_json
from omo_core.channels.signing import header, verify_base64
from omo_core.channels.woocommerce_delivery import WooCommerceConfig
from omo_core.channels.woocommerce_order import read_order, read_refund
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import Order, OrderStatus
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

__all__ = ["WooCommerceAdapter", "WooCommerceConfig"]

_PING: Final = re.compile(rb"webhook_id=[0-9]{1,20}")
_ORDER_TOPICS: Final = frozenset({"order.created", "order.updated", "order.restored"})
_OF_AN_ORDER: Final = re.compile(r".*/orders/([0-9]{1,20})")


class WooCommerceAdapter(Dialect[WooCommerceConfig]):
    """Reads one site's webhooks and documents, and makes requests to it."""

    config_type: ClassVar[type[Value]] = WooCommerceConfig
    capabilities: ClassVar[Capabilities] = woocommerce_requests.CAPABILITIES

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless a secret signed the raw body.

        The ping of a new webhook is not signed and says nothing but the webhook's number; it passes, for WooCommerce
        switches on no webhook whose ping is refused.
        """
        del now
        given = header(headers, "X-WC-Webhook-Signature")
        if given is None and self.config.secrets and _PING.fullmatch(body):
            return
        # The site signs with the secret as it is after HTML is taken out of it.
        secrets = [form for secret in self.config.secrets for form in dict.fromkeys((secret, html.unescape(secret)))]
        verify_base64(secrets, body, given)

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a webhook; its key is the delivery's id and the body's hash: two deliveries in one second share the id.

        Raises `UnreadableBody`, `BodyTooLarge`, `InvalidMoney`.
        """
        sha256 = hashlib.sha256(body).hexdigest()
        topic = header(headers, "X-WC-Webhook-Topic")
        if not topic and _PING.fullmatch(body):
            return self.event("ping", f"ping:{sha256}", EventKind.OTHER)
        document = Cursor(read_json(body, max_bytes=self.config.max_bytes))
        if not topic:
            raise UnreadableBody("the message has no X-WC-Webhook-Topic header; send it as WooCommerce sent it")
        delivery = header(headers, "X-WC-Webhook-Delivery-ID") or topic
        held: dict[str, Any] = {"kind": EventKind.OTHER}
        if topic in _ORDER_TOPICS:
            held = self._order_event(document, sha256)
        elif topic == "order.deleted":
            held = self._deleted(document)
        return self.event(topic, f"{delivery[:100]}:{sha256}", **held)

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read an order, and its refunds where they were fetched with it."""
        if len(more) > 1:
            raise UnreadableBody(f"an order has one document of refunds, not {len(more)}; send that one")
        documents = list(self._documents(body))
        if len(documents) != 1:
            raise UnreadableBody(f"$ holds {len(documents)} orders; send exactly one here")
        refunds = None
        for one in more:
            listed = Cursor({"refunds": read_json(one, max_bytes=self.config.max_bytes)})
            listed.noted = documents[0].noted  # what is odd in a refund is odd in its order
            refunds = list(listed.children("refunds"))
        return read_order(documents[0], self.config, sha256_of(body, *more), refunds)

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read an order, a list of them, or the answer of a batch: what was created and updated."""
        sha256 = hashlib.sha256(body).hexdigest()
        return tuple(read_order(one, self.config, sha256) for one in self._documents(body))

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read a refund; its order is in its own links, its currency in the configuration."""
        refund = self.document(body)
        links = refund.optional_child("_links")
        up = next(links.children("up"), None) if links else None
        found = _OF_AN_ORDER.fullmatch((up.optional_text("href") or "")[:500]) if up else None
        order_id = found.group(1) if found else refund.optional_identifier("parent_id")
        if order_id is None or not refund.has("amount"):
            refund.fail("_links", "names no order with an amount", "send a refund as the REST API answers it")
        if self.config.currency is None:
            raise UnreadableBody("a refund names no currency; set currency in the configuration")
        read = read_refund(refund, self.config.currency)
        return refund.build(
            RefundNotice, channel=self.channel, external_id=order_id, refund=read, updated_at=read.created_at
        )

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The requests of an intent; a refusal where it lacks what WooCommerce needs."""
        try:
            match intent:
                case FetchOrder():
                    return woocommerce_requests.order_requests(self.config, intent.external_id)
                case ListChanges():
                    return (woocommerce_requests.list_request(self.config, intent),)
                case Ship():
                    return woocommerce_requests.ship_requests(self.config, intent)
                case SetStock():
                    return woocommerce_requests.stock_requests(self.config, intent)
                case CancelOrder():
                    return (woocommerce_requests.cancel_request(self.config, intent),)
        except NotAsked as error:
            return cannot(self.channel, intent.kind, str(error))
        return super().make(intent)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request with the API key (`key:secret`, the token or of the configuration) by basic authentication."""
        del now
        key, secret = self.config.consumer_key, self.config.consumer_secret
        pair = token or (f"{key}:{secret}" if key and secret else None)
        if pair is None:
            return request
        return with_headers(request, Authorization=f"Basic {base64.b64encode(pair.encode()).decode('ascii')}")

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What became of each item, with the site's own code where it refuses."""
        return woocommerce_requests.read_answer(intent, request, response)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """One page of orders; those with refunds are references, to be fetched with them."""
        sha256 = hashlib.sha256(body).hexdigest()

        def read(one: Cursor) -> Order | Reference:
            order = read_order(one, self.config, sha256)
            return Reference(external_id=order.external_id, updated_at=order.updated_at) if order.refunds else order

        found = read_each(self._documents(body), "id", read)
        page = int(intent.cursor) if intent.cursor and intent.cursor.isascii() and intent.cursor.isdigit() else 1
        full = found.met >= self.capabilities.page_size
        return Page(
            orders=found.orders,
            references=found.references,
            unreadable=found.unreadable,
            following=intent.model_copy(update={"cursor": str(page + 1)}) if full else None,
        )

    def _documents(self, body: bytes) -> Iterator[Cursor]:
        document = read_json(body, max_bytes=self.config.max_bytes)
        if isinstance(document, list):
            yield from Cursor({"orders": document}).documents("orders")
            return
        top = Cursor(document)
        if "line_items" in top.fields or not ("create" in top.fields or "update" in top.fields):
            yield top
            return
        for key in ("create", "update"):
            yield from top.documents(key)

    def _order_event(self, document: Cursor, sha256: str) -> dict[str, Any]:
        order = read_order(document, self.config, sha256)
        held: dict[str, Any] = {"kind": EventKind.ORDER, "subject": order.external_id, "order": order}
        if order.status is OrderStatus.CANCELLED:
            return held | {"kind": EventKind.CANCELLATION, "cancellation": cancellation_of(order)}
        if order.refunds and self.config.site is not None:
            # The order tells how much was refunded, its refunds tell of which lines.
            return {"kind": EventKind.ORDER, "subject": order.external_id, "fetch": self._fetch(document)}
        return held

    def _deleted(self, document: Cursor) -> dict[str, Any]:
        """A deleted order is in the trash, or gone; the message has only its id."""
        subject = document.identifier("id")
        if self.config.site is None:
            return {"kind": EventKind.OTHER, "subject": subject}
        return {"kind": EventKind.ORDER, "subject": subject, "fetch": self._fetch(document)}

    def _fetch(self, document: Cursor) -> tuple[Request, ...]:
        try:
            return woocommerce_requests.order_requests(self.config, document.identifier("id"))
        except NotAsked as error:
            path = f"{document.path}.id"
            raise UnreadableBody(f"{path}: {error}", path=path) from None
