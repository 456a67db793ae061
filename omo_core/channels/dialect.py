"""A base for adapters: what every dialect does alike, so that a module holds only what its platform does by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar, cast

from pydantic import Field

from omo_core.channels.cursor import Cursor
from omo_core.channels.intents import (
    Answer,
    CancelOrder,
    Capabilities,
    Intent,
    ItemAnswer,
    ListChanges,
    Page,
    Request,
    Response,
    SetStock,
    Ship,
    cannot,
)
from omo_core.channels.port import Cancellation, ChannelEvent, EventKind, Headers, RefundNotice, Reply
from omo_core.channels.reading import MAX_BODY_BYTES, read_json
from omo_core.model.errors import ForgedSignature, InvalidInput, UnreadableBody
from omo_core.model.orders import Oddity, OddityCode, Order, OrderStatus
from omo_core.model.refusals import Refusal
from omo_core.model.values import ChannelId, Identifier, Value, format_minor

T = TypeVar("T")

_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class DialectConfig(Value):
    """What every dialect's configuration has; each adapter adds its own."""

    channel: ChannelId
    secrets: Annotated[tuple[str, ...], Field(repr=False)] = ()
    """What the channel signs with, the current one first: the one before it stays valid while it is changed."""
    max_bytes: int = MAX_BODY_BYTES
    carriers: Mapping[str, str] = {}
    """Our name of a carrier to the channel's code of it, for what left; '' for parcels that name none. One that is not
    here is told as it is."""
    untracked: Identifier | None = None
    """What to give as tracking number of goods that left without one; None: the channel is not told until they have it."""


C = TypeVar("C", bound=DialectConfig)


class Dialect(Generic[C]):
    """What adapters share. A subclass sets the class variables and writes `verify`, `parse_event`, `parse_order`, `make`."""

    config_type: ClassVar[type[Value]]
    capabilities: ClassVar[Capabilities] = Capabilities()
    reply: ClassVar[Reply] = Reply()

    def __init__(self, config: C | None = None) -> None:
        self.config: C = config if config is not None else cast("C", self.config_type())

    @property
    def channel(self) -> str:
        """The id of the channel this adapter was built for."""
        return self.config.channel

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Refuse every message: this channel sends none that are signed."""
        del headers, body, now
        raise ForgedSignature(f"the channel {self.channel} sends no signed messages; pull its changes instead")

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Refuse every message: this channel sends none."""
        del headers, body
        raise UnreadableBody(f"the channel {self.channel} sends no messages; pull its changes instead")

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read the document, or documents, of one order; see `ChannelAdapter.parse_order`."""
        raise NotImplementedError

    def parse_fetched(self, event: ChannelEvent, body: bytes, *more: bytes) -> ChannelEvent:
        """What an event says once the answers of its `fetch` are there; raises as `parse_event` does.

        An order, as `parse_order` reads it; a subclass may find that the documents say something else, such as a sale
        over the counter.
        """
        order = self.parse_order(body, *more)
        update: dict[str, Any] = {"order": order, "fetch": (), "subject": order.external_id}
        if event.kind is EventKind.ORDER and order.status is OrderStatus.CANCELLED:
            update |= {"kind": EventKind.CANCELLATION, "cancellation": cancellation_of(order)}
        return event.model_copy(update=update)

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read a document of one order; see `ChannelAdapter.parse_orders`."""
        return (self.parse_order(body),)

    def parse_cancellation(self, body: bytes) -> Cancellation:
        """Read an order that says it is cancelled; see `ChannelAdapter.parse_cancellation`."""
        order = self.parse_order(body)
        if order.status is not OrderStatus.CANCELLED:
            raise UnreadableBody(f"order {order.external_id} is {order.status}, not cancelled; read it as an order")
        return cancellation_of(order)

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Refuse: this channel tells of refunds inside its orders."""
        del body
        raise UnreadableBody(
            f"the channel {self.channel} has no refund documents; read the order, its refunds are in it"
        )

    def requests(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The requests that carry out an intent, or the refusal of what the channel cannot do."""
        return missing(self.channel, self.capabilities, intent) or self.make(intent)

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The requests of an intent that the capabilities allow; a subclass writes it with `match`."""
        return cannot(self.channel, intent.kind, "its adapter makes no requests")

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request with the access token as a bearer, which is what most platforms want."""
        del now
        return with_headers(request, Authorization=f"Bearer {token}") if token else request

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """By the status alone: every item taken, or none of them."""
        del intent
        return answer_by_status(request, response)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """Refuse: this channel lists no changes."""
        del intent, body
        raise UnreadableBody(f"the channel {self.channel} lists no changes; ask for single orders")

    def document(self, body: bytes) -> Cursor:
        """The JSON object in a body; raises `UnreadableBody` or `BodyTooLarge`."""
        return Cursor(read_json(body, max_bytes=self.config.max_bytes))

    def event(self, topic: str, event_key: str, kind: EventKind, **held: Any) -> ChannelEvent:
        """An event of this channel; raises `UnreadableBody` where its key or topic cannot be used."""
        return Cursor({}).build(ChannelEvent, channel=self.channel, event_key=event_key, topic=topic, kind=kind, **held)


class NotAsked(InvalidInput):
    """An intent that the channel could carry out, were it not for what it lacks or for how it is put."""

    code = "not_asked"


def missing(channel: str, capabilities: Capabilities, intent: Intent) -> Refusal | None:
    """The refusal of an intent that the capabilities do not allow; None where they do."""
    why: str | None = None
    if intent.kind not in capabilities.intents:
        why = "the channel, or its adapter, has no such call"
    elif isinstance(intent, SetStock):
        if intent.mode not in capabilities.stock_modes:
            why = f"it takes no {intent.mode} stock levels"
        elif not capabilities.stock_by_location and any(level.location for level in intent.levels):
            why = "it keeps no stock by location"
    elif isinstance(intent, Ship):
        if len(intent.parcels) > 1 and not capabilities.several_parcels:
            why = "an order leaves in one parcel there"
        elif not capabilities.partial_shipments and (not intent.completes or any(p.quantities for p in intent.parcels)):
            why = "an order leaves whole there"
    elif isinstance(intent, CancelOrder):
        if intent.quantities and not capabilities.partial_cancellations:
            why = "an order is cancelled whole there"
    elif isinstance(intent, ListChanges) and capabilities.list_window_s is not None:
        window_s = (intent.until - intent.since).total_seconds()
        if window_s > capabilities.list_window_s:
            why = f"it lists at most {capabilities.list_window_s} seconds at a time, not {window_s:.0f}"
    return None if why is None else cannot(channel, intent.kind, why)


def build_order(document: Cursor, **fields: Any) -> Order:
    """The order made of these fields, with what was odd on the way and where its money does not add up.

    Raises `UnreadableBody`.
    """
    order = document.build(Order, **fields)
    odd = list(document.oddities)
    amounts = order.amounts
    if amounts is not None and amounts.imbalance_minor:
        off = format_minor(amounts.imbalance_minor, order.currency)
        sentence = f"the total is {off} {order.currency} from what its parts add up to"
        odd.append(Oddity(code=OddityCode.MONEY_DOES_NOT_ADD_UP, path=document.path, sentence=sentence))
    odd += [
        Oddity(
            code=OddityCode.NO_ITEM_CODE,
            path=document.path,
            sentence=f"line {line.line} has no merchant's item code, so it cannot be sourced",
        )
        for line in order.lines
        if line.sku is None and line.wants_goods
    ]
    return order.model_copy(update={"oddities": tuple(odd)}) if odd else order


def cancellation_of(order: Order) -> Cancellation:
    """What a cancelled order says as a cancellation."""
    return Cancellation(
        channel=order.channel,
        external_id=order.external_id,
        source_version=order.source_version,
        cancelled_at=order.cancelled_at or order.updated_at,
        reason=order.cancel_reason,
    )


def sha256_of(body: bytes, *more: bytes) -> str:
    """The hash of the bytes an order came in; of several documents, of all of them in order."""
    digest = hashlib.sha256(body)
    for one in more:
        digest.update(one)
    return digest.hexdigest()


def answer_by_status(request: Request, response: Response) -> Answer:
    """What the status of a response says of every item of its request."""
    ok = 200 <= response.status < 300
    return Answer(
        items=tuple(
            ItemAnswer(item=item, ok=ok, code=None if ok else f"http_{response.status}", retry=response.status in _BUSY)
            for item in request.items
        )
    )


def with_headers(request: Request, **headers: str) -> Request:
    """The request with more headers; an underscore in a name stands for a hyphen."""
    more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return request.model_copy(update={"headers": (*request.headers, *more)})


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in slices of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
