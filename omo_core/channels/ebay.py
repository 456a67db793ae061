"""eBay's Fulfillment, Inventory and Post-Order APIs: notifications with eBay's signature, orders, parcels and stock.

A notification of an order names it and holds nothing else, so the order is fetched; changes that eBay notifies nobody
of are pulled (`lastmodifieddate`). eBay's lists leave the requests to cancel out of their orders, a single order has
them. Cancelling for sellers of the EU and the UK wants a digital signature of the request, which is not made here.

Sources: https://developer.ebay.com/api-docs/sell/fulfillment/overview.html,
https://developer.ebay.com/api-docs/sell/inventory/resources/inventory_item/methods/bulkUpdatePriceQuantity,
https://developer.ebay.com/Devzone/post-order/post-order_v2_cancellation__post.html,
https://developer.ebay.com/api-docs/master/commerce/notification/asyncapi/order_confirmation.yaml and eBay's own SDK
https://github.com/eBay/event-notification-nodejs-sdk.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, Final

from pydantic_core import to_json

from omo_core.channels import ebay_requests as calls
from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, cancellation_of, sha256_of, with_headers
from omo_core.channels.ebay_order import WISH, EbayConfig, read_order
from omo_core.channels.ebay_signature import verify_ecdsa
from omo_core.channels.fields import free_text
from omo_core.channels.forms import read_query
from omo_core.channels.intents import (
    Answer,
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
from omo_core.channels.listing import read_each
from omo_core.channels.paging import page_before
from omo_core.channels.port import Cancellation, ChannelEvent, EventKind, Headers, Reply
from omo_core.channels.signing import header
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.orders import Order, OrderStatus
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

SIGNATURE_HEADER: Final = "X-EBAY-SIGNATURE"

__all__ = ["SIGNATURE_HEADER", "EbayAdapter", "EbayConfig"]

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class EbayAdapter(Dialect[EbayConfig]):
    """Reads one seller's notifications and orders, and makes the requests to eBay."""

    config_type: ClassVar[type[Value]] = EbayConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset(
            {IntentKind.FETCH_ORDER, IntentKind.LIST_CHANGES, IntentKind.SHIP, IntentKind.SET_STOCK, IntentKind.CANCEL}
        ),
        signs="ECDSA over the body with a key of eBay's, in a base64 header of JSON",
        stock_modes=frozenset({StockMode.ABSOLUTE}),
        stock_batch=calls.BATCH,
        partial_shipments=True,
        several_parcels=True,
        page_size=calls.PAGE,
    )

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless one of eBay's keys signed the raw body.

        eBay asks for proof of an endpoint with an unsigned request that has no body and a challenge in its address:
        it is let through, tells nothing, and is answered with a hash of what the seller told eBay.
        """
        del now
        if not body and self._challenge(headers) is not None:
            return
        verify_ecdsa(self.config.secrets, body, header(headers, SIGNATURE_HEADER))

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a notification, or the challenge to an endpoint; its event key is eBay's notificationId.

        One that names an order says to fetch it, everything else is `other`. Raises `UnreadableBody`, `BodyTooLarge`.
        """
        if not body:
            return self._proof(headers)
        document = self.document(body)
        topic = document.child("metadata").text("topic")
        notice = document.child("notification")
        key = notice.optional_identifier("notificationId") or f"sha256:{sha256_of(body)}"
        data = notice.optional_child("data")
        order = data.optional_child("order") if data else None
        if order is None or not order.has("orderId"):
            if topic == "ORDER_CONFIRMATION":
                raise UnreadableBody("$.notification.data.order.orderId is missing; send the notification as it was")
            return self.event(topic, key, EventKind.OTHER)
        order_id = order.identifier("orderId")
        if not calls.is_order_id(order_id):
            order.fail("orderId", "is no order id", "send letters, digits, hyphens or an exclamation mark")
        return self.event(topic, key, EventKind.ORDER, subject=order_id, fetch=calls.fetch_order(order_id))

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read one order; it is never split."""
        del more
        document = self.document(body)
        found = list(_orders(document))
        if len(found) != 1:
            raise UnreadableBody(f"$.orders holds {len(found)} orders; send exactly one here")
        return read_order(found[0], self.config, sha256_of(body))

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read one order, or a page of them."""
        sha256 = sha256_of(body)
        return tuple(read_order(one, self.config, sha256) for one in _orders(self.document(body)))

    def parse_cancellation(self, body: bytes) -> Cancellation:
        """Read an order that is cancelled, or one with a request to cancel it."""
        order = self.parse_order(body)
        asked = order.hold_reason == WISH
        if not asked and order.status is not OrderStatus.CANCELLED:
            raise UnreadableBody(f"order {order.external_id} is {order.status}, not cancelled; read it as an order")
        return cancellation_of(order).model_copy(update={"requested": asked})

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The requests of an intent."""
        order_id = getattr(intent, "external_id", None)
        if order_id is not None and not calls.is_order_id(order_id):
            return cannot(self.channel, intent.kind, f"{order_id[:40]!r} is no order id of eBay's")
        match intent:
            case FetchOrder():
                return calls.fetch_order(intent.external_id)
            case ListChanges():
                return calls.list_changes(self.channel, intent)
            case Ship():
                return calls.ship(self.channel, intent)
            case SetStock():
                return calls.set_stock(intent)
            case CancelOrder():
                return calls.cancel(self.config.marketplace, intent)
            case _:
                return super().make(intent)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request with the user's access token, the way its API wants it."""
        del now
        if token is None:
            return request
        scheme = "IAF" if request.operation == "createCancellation" else "Bearer"
        return with_headers(request, Authorization=f"{scheme} {token}")

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What eBay says of each item; raises `UnreadableBody`."""
        del intent
        return calls.read_answer(request, response, self.config.max_bytes)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """A page of the orders that changed, read from the last to the first; one that cannot be read takes no other along."""
        document = self.document(body)
        sha256 = sha256_of(body)

        def read(one: Cursor) -> Order | Reference:
            order = read_order(one, self.config, sha256)
            # Lists have no requests to cancel in their orders: such an order is fetched, with who asked and why.
            if order.status is OrderStatus.CANCELLED or order.hold_reason == WISH:
                return Reference(external_id=order.external_id, updated_at=order.updated_at)
            return order

        found = read_each(document.documents("orders"), "orderId", read)
        # The address of the next page is in the answer too; it is made here, so that no answer says where to go.
        following = page_before(intent, total=document.count("total", 0), page_size=calls.PAGE)
        return Page(orders=found.orders, references=found.references, unreadable=found.unreadable, following=following)

    def _challenge(self, headers: Headers) -> str | None:
        try:
            code = read_query(header(headers, ":path")).get("challenge_code", "")
        except UnreadableBody:
            return None
        return code if _CHALLENGE.fullmatch(code) else None

    def _proof(self, headers: Headers) -> ChannelEvent:
        code = self._challenge(headers)
        if code is None:
            raise UnreadableBody("the message is empty and its address has no challenge_code; send it as eBay sent it")
        token, endpoint = self.config.verification_token, self.config.endpoint
        if token is None or endpoint is None:
            raise InvalidInput("eBay asks for proof of the endpoint; configure verification_token and endpoint")
        proof = hashlib.sha256(f"{code}{token}{endpoint}".encode()).hexdigest()
        reply = Reply(content_type="application/json", body=to_json({"challengeResponse": proof}))
        return self.event("challenge", f"challenge:{code}", EventKind.OTHER, reply=reply)


def _orders(document: Cursor) -> Iterator[Cursor]:
    for error in document.children("errors"):
        raise UnreadableBody(
            f"eBay answered {(free_text(error, 'message') or 'an error')[:200]!r} instead of an order; look at the request"
        )
    if document.has("orders"):
        yield from document.documents("orders")
    elif document.has("orderId"):
        yield document
    else:
        first = next(iter(document.fields), "nothing")
        raise UnreadableBody(f"$ begins with {first[:40]!r}, so it is no order; send an order, or a page of them")
