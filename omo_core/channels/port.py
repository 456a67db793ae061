"""What a channel adapter is: bytes in, values out; intents in, request values out; no database, no socket, no clock.

The life of a message:

1. `verify(headers, body, now=...)` proves that the bytes come from the channel, before anything else looks at them.
2. `parse_event(headers, body)` says what happened: `event_key` makes it happen once, `subject` says to which order.
3. The event holds what the channel sent: an order, a cancellation, a refund, a counter sale, or several events at
   once. Where the channel sends only a reference, `fetch` holds the requests that get the order; somebody else sends
   them, without this room knowing how.
4. `parse_fetched(event, body, *more)` reads the answers of those requests, in their order: most often one order, as
   `parse_order` reads it.

The life of an intent (`omo_core.channels.intents`): `requests(intent)` gives the requests that carry it out, or a
refusal where the channel cannot do that; `sign(request, ...)` adds the credentials when it is sent; `read_answer`
says item by item what became of it, and `read_page` reads one page of orders that changed.

An event that is understood and not ours to act on has kind `other`. A body that cannot be read raises
`UnreadableBody`, `BodyTooLarge` or `InvalidMoney` with the place in the document and what to send instead; the caller
parks the bytes with this reason. Nothing is ever half-read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field

from omo_core.channels.intents import Answer, Capabilities, Intent, ListChanges, Page, Request, Response
from omo_core.model.network import enum_of
from omo_core.model.orders import Order, Refund
from omo_core.model.refusals import Refusal
from omo_core.model.stock import CounterSale, Demand
from omo_core.model.values import ChannelId, Identifier, Instant, Key, NodeId, Quantity, Sku, Text, Value

Headers = Mapping[str, str]
"""Header names are compared without regard to case. Some channels sign in the address: `:path` holds the path and
query that the message was sent to, as HTTP/2 writes it."""

__all__ = [
    "Cancellation",
    "ChannelAdapter",
    "ChannelEvent",
    "EventKind",
    "Headers",
    "RefundNotice",
    "Reply",
    "Request",
    "SoldLine",
    "TillSale",
]


class EventKind(StrEnum):
    """What an event asks of us."""

    ORDER = "order"
    """Place or update the order inside, or the one to fetch."""
    CANCELLATION = "cancellation"
    REFUND = "refund"
    """Money goes back or is asked back; where an order can be fetched, it shows what is left of it."""
    COUNTER_SALE = "counter_sale"
    """Goods left a node over the counter: a fact, never refused."""
    SEVERAL = "several"
    """One delivery of several events: `events` holds them in the order they stand."""
    OTHER = "other"
    """Understood, and nothing to do."""


class Reply(Value):
    """What a channel wants to hear once its message is kept; anything else makes it send the message again."""

    status: Annotated[int, Field(ge=100, lt=600)] = 200
    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""


class Cancellation(Value):
    """The channel says that an order is off, or that its buyer wishes so; it may arrive before the order itself."""

    channel: ChannelId
    external_id: Identifier
    source_version: Annotated[int, Field(ge=0, lt=2**63)]
    """Comparable with the order's own `source_version`."""
    cancelled_at: Instant
    reason: Text | None = None
    requested: bool = False
    """The buyer asks for it and the seller decides; nothing is cancelled yet."""
    quantities: tuple[tuple[Identifier, Quantity], ...] = ()
    """(line, quantity) pairs where only a part is off; empty for the whole order."""


class RefundNotice(Value):
    """The channel says how far a refund of an order is; it may arrive before the order itself."""

    channel: ChannelId
    external_id: Identifier
    refund: Refund
    updated_at: Instant
    returns_goods: bool | None = None
    """Whether goods come back with it; None where the channel does not say."""
    version: Identifier | None = None
    """What the channel wants to hear as `AnswerRefund.version`, where it has such."""


class SoldLine(Value):
    """Units of one item that went over the counter."""

    sku: Sku
    quantity: Quantity


class TillSale(Value):
    """A till's receipt: goods that have left a node."""

    channel: ChannelId
    external_id: Identifier
    node: NodeId
    sold_at: Instant
    lines: tuple[SoldLine, ...] = Field(min_length=1, max_length=10_000)

    def command(self) -> CounterSale:
        """The stock command of this sale; the same receipt always gives the same key."""
        lines = tuple(Demand(sku=line.sku, node=self.node, quantity=line.quantity) for line in self.lines)
        return CounterSale(
            key=f"counter-sale/{self.external_id}", scope=self.channel, lines=lines, reference=self.external_id
        )


class ChannelEvent(Value):
    """One thing that happened on a channel, once per (`channel`, `event_key`)."""

    channel: ChannelId
    """The adapter that read it. What is inside names its own channel, usually the same."""
    event_key: Key
    """The delivery's idempotency key: a repeated delivery has the same."""
    topic: Identifier
    """The channel's own word for what happened."""
    kind: Annotated[EventKind, enum_of(EventKind)]
    subject: Identifier | None = None
    """The channel's id of what it happened to, usually an order's `external_id`."""
    order: Order | None = None
    cancellation: Cancellation | None = None
    refund: RefundNotice | None = None
    counter_sale: TillSale | None = None
    fetch: tuple[Request, ...] = ()
    """The requests whose answers, given to `parse_order` in this order, make the order."""
    events: tuple[ChannelEvent, ...] = ()
    reply: Reply | None = None
    """What to answer instead of the adapter's usual `reply`, such as to a challenge."""

    def model_post_init(self, _context: Any, /) -> None:
        """Refuse an event that does not hold what its kind needs."""
        if not self._holds_what_its_kind_needs():
            raise ValueError(f"an event of kind {self.kind} holds what it is about, or the requests that fetch it")

    def _holds_what_its_kind_needs(self) -> bool:
        match self.kind:
            case EventKind.ORDER:
                return self.order is not None or bool(self.fetch)
            case EventKind.CANCELLATION:
                return self.cancellation is not None
            case EventKind.REFUND:
                return self.order is not None or self.refund is not None or bool(self.fetch)
            case EventKind.COUNTER_SALE:
                return self.counter_sale is not None
            case EventKind.SEVERAL:
                return bool(self.events)
            case EventKind.OTHER:
                return True


class ChannelAdapter(Protocol):
    """One channel's dialect. Built from its `config_type`, a frozen value that holds the secrets; pure after that.

    `omo_core.channels.dialect.Dialect` is a base with what adapters share; inheriting from it is not required.
    """

    config_type: ClassVar[type[Value]]
    capabilities: ClassVar[Capabilities]
    """What the channel can be asked, and its limits."""
    reply: ClassVar[Reply]
    """What the channel wants to hear once a message is kept."""

    @property
    def config(self) -> Value:
        """What this adapter was built from."""
        ...

    @property
    def channel(self) -> str:
        """The id of the channel this adapter was built for."""
        ...

    def verify(self, headers: Headers, body: bytes, *, now: datetime | None = None) -> None:
        """Raise `ForgedSignature` unless the raw body was signed with one of the secrets.

        Where the channel signs the time too and `now` is given, a message that is too old or of the future raises
        `StaleSignature`.
        """
        ...

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a message that was verified; raises `UnreadableBody`, `BodyTooLarge` or `InvalidMoney`."""
        ...

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read a document that holds exactly one order, or the documents that make one where the channel splits it.

        Raises as `parse_event` does.
        """
        ...

    def parse_fetched(self, event: ChannelEvent, body: bytes, *more: bytes) -> ChannelEvent:
        """What an event says once the answers of its `fetch` are there: an order, or what it turned out to be.

        Raises as `parse_event` does.
        """
        ...

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read a document that holds one order or a list of them; raises as `parse_event` does."""
        ...

    def parse_cancellation(self, body: bytes) -> Cancellation:
        """Read a document that calls an order off, or the order itself where that says so.

        Raises as `parse_event` does; a document that calls nothing off is `UnreadableBody`.
        """
        ...

    def parse_refund(self, body: bytes) -> RefundNotice:
        """Read a document about one refund; raises as `parse_event` does, also where the channel has no such thing."""
        ...

    def requests(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The requests that carry out an intent, in the order to send them; a refusal where the channel cannot."""
        ...

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The request with its credentials: signed for `now`, with the current access `token` where there is one."""
        ...

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What became of each item of a request; raises as `parse_event` does where the answer cannot be read."""
        ...

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """One page of what changed, and the intent for the next; raises as `parse_event` does."""
        ...
