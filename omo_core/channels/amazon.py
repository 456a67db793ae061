"""Amazon's Selling Partner API, Orders v0 and 2026-01-01: notifications from a queue, orders, shipments and stock.

Notifications arrive in a queue or on an event bus of the seller's own AWS account, where nothing signs them: whoever
reads the queue hands the body over with a token of the host's own in the header X-Omo-Token, and a notification only
says which order to fetch. Orders that Amazon sends from its own warehouses are read with lines that want none of our
goods (`physical=False`). Amazon's Orders API neither cancels nor acknowledges nor refunds. The Feeds API does, by files that are
uploaded and whose results are asked for later (https://developer-docs.amazon.com/sp-api/docs/order-feed-type-values); it is
left out.

Sources: https://developer-docs.amazon.com/sp-api/docs/notification-type-values,
https://developer-docs.amazon.com/sp-api/docs/orders-api, and the models in
https://github.com/amzn/selling-partner-api-models.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Final

from omo_core.channels import amazon_requests as calls
from omo_core.channels.amazon_2026 import read_2026
from omo_core.channels.amazon_order import AmazonConfig, wishes
from omo_core.channels.amazon_v0 import STATUS as STATUS_V0, payload_of, read_v0
from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import Dialect, cancellation_of, sha256_of, with_headers
from omo_core.channels.fields import free_text
from omo_core.channels.intents import (
    Answer,
    Capabilities,
    FetchOrder,
    Intent,
    IntentKind,
    ListChanges,
    Page,
    ReadyForPickup,
    Reference,
    Request,
    Response,
    SetStock,
    Ship,
    StockMode,
    cannot,
)
from omo_core.channels.listing import read_each
from omo_core.channels.port import Cancellation, ChannelEvent, EventKind, Headers
from omo_core.channels.signing import header, verify_one_of
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import Order, OrderStatus
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

TOKEN_HEADER: Final = "X-Omo-Token"
"""What the host's queue reader sends along, one of the configuration's `secrets`."""

__all__ = ["TOKEN_HEADER", "AmazonAdapter", "AmazonConfig"]


class AmazonAdapter(Dialect[AmazonConfig]):
    """Reads one seller's notifications and orders on one marketplace, and makes the requests to it."""

    config_type: ClassVar[type[Value]] = AmazonConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset(
            {
                IntentKind.FETCH_ORDER,
                IntentKind.LIST_CHANGES,
                IntentKind.SHIP,
                IntentKind.READY_FOR_PICKUP,
                IntentKind.SET_STOCK,
            }
        ),
        signs=None,
        stock_modes=frozenset({StockMode.ABSOLUTE}),
        partial_shipments=True,
        several_parcels=True,
        page_size=calls.PAGE,
        list_behind_s=calls.BEHIND_S,
        limits=calls.LIMITS,
    )

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless the host's queue reader sent a current token along: Amazon signs nothing."""
        del body, now
        verify_one_of((secret for secret in self.config.secrets if secret.isascii()), header(headers, TOKEN_HEADER))

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a notification, as the queue or the event bus gives it; its event key is Amazon's NotificationId.

        A change of an order says what to fetch; everything else is `other`. Raises `UnreadableBody`, `BodyTooLarge`.
        """
        del headers
        document = self.document(body)
        notice = document.optional_child("detail") or document
        topic = _either(notice, "NotificationType")
        if topic is None:
            raise UnreadableBody("$.NotificationType is missing; send the notification as Amazon put it into the queue")
        about = notice.optional_child("NotificationMetadata") or notice.optional_child("notificationMetadata")
        key = about and _either(about, "NotificationId")
        held: dict[str, Any] = {"kind": EventKind.OTHER}
        if topic == "ORDER_CHANGE":
            held = self._order_change(notice.child("Payload").child("OrderChangeNotification"))
        return self.event(topic, key or f"sha256:{sha256_of(body)}", held.pop("kind"), **held)

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read one order: its document of version 2026-01-01, or its v0 documents in any order, all item pages too."""
        document = self.document(body)
        sha256 = sha256_of(body, *more)
        _refuse_errors(document)
        if payload_of(document).has("AmazonOrderId"):
            return read_v0([document, *map(self.document, more)], self.config, sha256)
        if more:
            raise UnreadableBody("an order of version 2026-01-01 is one document; send it alone")
        found = list(_orders_2026(document))
        if len(found) != 1:
            raise UnreadableBody(f"$.orders holds {len(found)} orders; send exactly one here")
        return read_2026(found[0], self.config, sha256)

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read one order or a page of them, of version 2026-01-01; v0 lists orders without their items."""
        document = self.document(body)
        _refuse_errors(document)
        if document.has("payload"):
            return (self.parse_order(body),)
        sha256 = sha256_of(body)
        return tuple(read_2026(one, self.config, sha256) for one in _orders_2026(document))

    def parse_cancellation(self, body: bytes) -> Cancellation:
        """Read an order that is cancelled, or whose buyer wishes it; of v0, the order without its items."""
        document = self.document(body)
        order = payload_of(document)
        if order.has("AmazonOrderId"):
            if STATUS_V0.get(order.text("OrderStatus"), (None,))[0] is not OrderStatus.CANCELLED:
                order.fail("OrderStatus", f"is {order.text('OrderStatus')[:40]!r}", "read it as an order")
            updated_at = order.instant("LastUpdateDate")
            return order.build(
                Cancellation,
                channel=self.channel,
                external_id=order.identifier("AmazonOrderId"),
                source_version=microseconds(updated_at),
                cancelled_at=updated_at,
                reason=None,
            )
        found = self.parse_order(body)
        if not wishes(found) and found.status is not OrderStatus.CANCELLED:
            raise UnreadableBody(f"order {found.external_id} is {found.status}, not cancelled; read it as an order")
        return cancellation_of(found).model_copy(
            update={"requested": True, "reason": found.hold_reason} if wishes(found) else {}
        )

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The requests of an intent."""
        order_id = getattr(intent, "external_id", None)
        if order_id is not None and not calls.is_order_id(order_id):
            return cannot(self.channel, intent.kind, f"{order_id[:40]!r} is no order id of Amazon's")
        match intent:
            case FetchOrder():
                return calls.fetch_order(self.config, intent.external_id)
            case ListChanges():
                return calls.list_changes(self.config, intent)
            case Ship():
                return calls.ship(self.config, intent)
            case ReadyForPickup():
                return calls.ready(self.config, intent)
            case SetStock():
                return calls.set_stock(self.config, intent)
            case _:
                return super().make(intent)

    def more_items(self, body: bytes) -> Request | None:
        """The request for the page of items after this one, of version v0; None where it is the last."""
        page = payload_of(self.document(body))
        token = page.optional_text("NextToken")
        if token is None:
            return None
        order_id = page.identifier("AmazonOrderId")
        if not calls.is_order_id(order_id):
            page.fail("AmazonOrderId", "is no order id", "send one in the 3-7-7 format")
        return calls.next_items(self.config, order_id, token)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request with its access token; personal data of v0 wants a restricted data token instead."""
        dated = with_headers(request, x_amz_date=now.strftime("%Y%m%dT%H%M%SZ"))
        return with_headers(dated, x_amz_access_token=token) if token else dated

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What Amazon says of each item; raises `UnreadableBody`."""
        del intent
        return calls.read_answer(request, response, self.config.max_bytes)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """A page of changes: orders of version 2026-01-01, or references of v0, which lists them without items."""
        document = self.document(body)
        _refuse_errors(document)
        if document.has("payload"):
            page = document.child("payload")
            listed = read_each(page.documents("Orders"), "AmazonOrderId", _reference)
            return page.build(
                Page,
                references=listed.references,
                unreadable=listed.unreadable,
                following=_following(page, "NextToken", intent),
            )
        sha256 = sha256_of(body)
        found = read_each(_orders_2026(document), "orderId", lambda one: read_2026(one, self.config, sha256))
        pagination = document.optional_child("pagination")
        following = _following(pagination, "nextToken", intent) if pagination else None
        return Page(orders=found.orders, unreadable=found.unreadable, following=following)

    def _order_change(self, change: Cursor) -> dict[str, Any]:
        seller = change.optional_text("SellerId")
        if self.config.seller is not None and seller is not None and seller != self.config.seller:
            change.fail("SellerId", "is another seller", f"route it to the channel of that seller, not {self.channel}")
        order_id = change.identifier("AmazonOrderId")
        if not calls.is_order_id(order_id):
            change.fail("AmazonOrderId", "is no order id", "send one in the 3-7-7 format")
        summary = change.optional_child("Summary")
        marketplace = summary.optional_text("MarketplaceId") if summary else None
        if marketplace is not None and self.config.marketplace not in (None, marketplace):
            # One queue has the orders of every marketplace of a seller, and each marketplace is a channel of its own.
            return {"kind": EventKind.OTHER, "subject": order_id}
        return {"kind": EventKind.ORDER, "subject": order_id, "fetch": calls.fetch_order(self.config, order_id)}


def _orders_2026(document: Cursor) -> Iterator[Cursor]:
    """The order objects of a document."""
    if document.has("orders"):
        yield from document.documents("orders")
    elif document.has("order"):
        yield document.child("order")
    elif document.has("orderId"):
        yield document
    else:
        first = next(iter(document.fields), "nothing")
        raise UnreadableBody(f"$ begins with {first[:40]!r}, so it is no order; send an order, or a page of them")


def _refuse_errors(document: Cursor) -> None:
    for error in document.children("errors"):
        code = free_text(error, "code") or "an error"
        raise UnreadableBody(f"Amazon answered {code[:80]!r} instead of an order; look at the request")


def _reference(order: Cursor) -> Reference:
    return order.build(
        Reference,
        external_id=order.identifier("AmazonOrderId"),
        updated_at=order.optional_instant("LastUpdateDate"),
    )


def _following(page: Cursor, key: str, intent: ListChanges) -> ListChanges | None:
    token = page.optional_text(key)
    if token is None:
        return None
    return page.build(ListChanges, key=intent.key, since=intent.since, until=intent.until, cursor=token)


def _either(cursor: Cursor, key: str) -> str | None:
    """A text whose name some notifications begin with a capital letter and others do not."""
    return cursor.optional_text(key) or cursor.optional_text(key[0].lower() + key[1:])
