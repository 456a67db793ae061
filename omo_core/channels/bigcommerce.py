"""The BigCommerce channel: webhooks that name an order and are not signed, and the documents that make the order.

Sources: https://developer.bigcommerce.com/docs/integrations/webhooks and .../webhooks/events. A webhook is told from
anybody's by a header that the host gave it; what newer webhooks may sign with is not read, for want of a source.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from omo_core.channels.bigcommerce_order import (
    BigCommerceConfig,
    read_order,
    read_refund_notice,
    sort_out,
)
from omo_core.channels.bigcommerce_requests import PAGE, STOCK_BATCH, fetch_order, make_requests
from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, answer_by_status, sha256_of, with_headers
from omo_core.channels.fields import optional_rfc2822
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
    Ship,
    StockMode,
)
from omo_core.channels.listing import read_each
from omo_core.channels.port import ChannelEvent, EventKind, Headers, RefundNotice
from omo_core.channels.reading import read_json
from omo_core.channels.signing import header, verify_one_of
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

_SCOPES: Final[Mapping[str, tuple[EventKind, str]]] = {
    "store/order/created": (EventKind.ORDER, "id"),
    "store/order/updated": (EventKind.ORDER, "id"),
    "store/order/archived": (EventKind.ORDER, "id"),
    "store/order/statusUpdated": (EventKind.ORDER, "id"),
    "store/order/refund/created": (EventKind.REFUND, "id"),
    "store/shipment/created": (EventKind.ORDER, "orderId"),
    "store/shipment/updated": (EventKind.ORDER, "orderId"),
    "store/shipment/deleted": (EventKind.ORDER, "orderId"),
}
"""Scope of a webhook to what it asks for, and where its data has the order's id."""

_PRODUCER: Final = re.compile(r"stores/([a-z0-9]{1,20})")
_ORDER: Final = re.compile(r"[0-9]{1,18}")

__all__ = ["BigCommerceAdapter", "BigCommerceConfig"]


class BigCommerceAdapter(Dialect[BigCommerceConfig]):
    """Reads one store's webhooks and order documents, and makes the calls of its API."""

    config_type: ClassVar[type[Value]] = BigCommerceConfig
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
        stock_modes=frozenset(StockMode),
        stock_by_location=True,
        stock_batch=STOCK_BATCH,
        partial_shipments=True,
        several_parcels=True,
        page_size=PAGE,
    )

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless the configured header has one of the secrets; the body is not signed."""
        del body, now
        given = header(headers, self.config.secret_header)
        # Hashes are compared: they are of one length, whatever a stranger sends.
        verify_one_of((_sha256(secret) for secret in self.config.secrets), _sha256(given) if given else None)

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a webhook: it only names an order. Its event key is its scope, time and `hash`, which repetitions share.

        Raises `UnreadableBody` or `BodyTooLarge`.
        """
        del headers
        document = self.document(body)
        scope = document.text("scope")
        event_key = f"{scope}/{_delivery(document, body)}"
        self._check_store(document)
        if scope not in _SCOPES:
            return self.event(scope, event_key, EventKind.OTHER)
        kind, place = _SCOPES[scope]
        data = document.child("data")
        order_id = data.identifier(place)
        if not _ORDER.fullmatch(order_id):
            data.fail(place, "is no number of an order", "send it as BigCommerce sent it")
        if self.config.store_hash is None:
            raise UnreadableBody("the store is not known; set store_hash in the configuration")
        fetch = fetch_order(order_id, self.config)
        return self.event(scope, event_key, kind, subject=order_id, fetch=fetch)

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read an order with the documents beside it, told by their shape.

        Products are needed; consignments or shipping addresses, coupons, taxes and refunds may be missing or empty.
        """
        document = self.document(body)
        beside = sort_out(more, document, self.config.max_bytes)
        return read_order(document, beside, self.config, sha256_of(body, *more))

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read {"data": {...}} of the refunds API; its currency is the configuration's."""
        document = self.document(body)
        return read_refund_notice(document.child("data"), self.config)

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The calls of the API; a shipment wants the `fulfilment` of the order's delivery, and its lines."""
        return make_requests(intent, self.config)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request with the store's access token."""
        del now
        return with_headers(request, X_Auth_Token=token) if token else request

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """By the status; a shipment that was made says its id."""
        answer = answer_by_status(request, response)
        if not answer.ok or not isinstance(intent, Ship):
            return answer
        try:
            reference = self.document(response.body).optional_identifier("id")
        except InvalidInput:
            return answer
        return Cursor({}).build(Answer, items=answer.items, reference=reference)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """Read a page of orders, which say all but their products: references. An empty page is an empty body."""
        document: Any = read_json(body, max_bytes=self.config.max_bytes) if body.strip() else []
        listed = read_each(Cursor({"orders": document}).documents("orders"), "id", _reference)
        following = None
        if listed.met >= PAGE:
            if not listed.references:
                raise UnreadableBody("$ is a full page without a single id, so there is no next one to ask for")
            # Orders come in the order of their ids: one that changes meanwhile moves no other to a page that was read.
            last = max(int(one.external_id) for one in listed.references)
            following = intent.model_copy(update={"cursor": str(last + 1)})
        return Page(references=listed.references, unreadable=listed.unreadable, following=following)

    def _check_store(self, document: Cursor) -> None:
        producer = _PRODUCER.fullmatch(document.optional_text("producer") or "")
        if producer and self.config.store_hash is not None and producer[1] != self.config.store_hash:
            document.fail("producer", f"is not the store {self.config.store_hash}", "route it to its own channel")


def _reference(one: Cursor) -> Reference:
    order_id = one.identifier("id")
    if not _ORDER.fullmatch(order_id):
        one.fail("id", "is no number of an order", "send the list as BigCommerce sent it")
    return one.build(Reference, external_id=order_id, updated_at=optional_rfc2822(one, "date_modified"))


def _delivery(document: Cursor, body: bytes) -> str:
    """What repetitions of a message share. The hash is of its data alone: every change of an order has the same one."""
    made_at, digest = document.optional_identifier("created_at"), document.optional_identifier("hash")
    return f"{made_at[:40]}/{digest[:100]}" if made_at and digest else sha256_of(body)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
