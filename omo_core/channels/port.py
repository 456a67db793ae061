"""What a channel adapter is: bytes in, one event out; no database, no socket, no clock.

The life of a message:

1. `verify(headers, body)` proves that the bytes come from the channel, before anything else looks at them.
2. `parse_event(headers, body)` says what happened: `event_key` makes it happen once, `subject` says to which order.
3. The event holds what the channel sent: an order, a cancellation, a counter sale. Where the channel sends only a
   reference, `fetch` is the request that gets the order; somebody else sends it, without this room knowing how.
4. `parse_order(body)` reads the answer of that request.

An event that is understood and not ours to act on has kind `other`. A body that cannot be read raises
`UnreadableBody`, `BodyTooLarge` or `InvalidMoney` with the place in the document and what to send instead; the caller
parks the bytes with this reason. Nothing is ever half-read.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Protocol, Self

from pydantic import Field, model_validator

from omo_core.model.network import enum_of
from omo_core.model.orders import Order
from omo_core.model.stock import CounterSale, Demand
from omo_core.model.values import ChannelId, Identifier, Instant, Key, NodeId, Quantity, Sku, Text, Value

Headers = Mapping[str, str]
"""Header names are compared without regard to case."""


class EventKind(StrEnum):
    """What an event asks of us."""

    ORDER = "order"
    """Place or update the order inside, or the one to fetch."""
    CANCELLATION = "cancellation"
    REFUND = "refund"
    """Money went back; fetch the order to see what is left of it."""
    COUNTER_SALE = "counter_sale"
    """Goods left a node over the counter: a fact, never refused."""
    OTHER = "other"
    """Understood, and nothing to do."""


class Request(Value):
    """An HTTP request as a value. It holds no credentials: the transport that sends it adds them."""

    method: Literal["GET", "POST", "PUT", "DELETE"] = "GET"
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Cancellation(Value):
    """The channel says that an order is off; it may arrive before the order itself."""

    channel: ChannelId
    external_id: Identifier
    source_version: Annotated[int, Field(ge=0, lt=2**63)]
    """Comparable with the order's own `source_version`."""
    cancelled_at: Instant
    reason: Text | None = None


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
    counter_sale: TillSale | None = None
    fetch: Request | None = None

    @model_validator(mode="after")
    def _holds_what_its_kind_needs(self) -> Self:
        held: Mapping[EventKind, tuple[object, ...]] = {
            EventKind.ORDER: (self.order, self.fetch),
            EventKind.CANCELLATION: (self.cancellation,),
            EventKind.REFUND: (self.order, self.fetch),
            EventKind.COUNTER_SALE: (self.counter_sale,),
            EventKind.OTHER: (True,),
        }
        if all(one is None for one in held[self.kind]):
            raise ValueError(f"an event of kind {self.kind} holds what it is about, or a request to fetch it")
        return self


class ChannelAdapter(Protocol):
    """One channel's dialect. Built from its `config_type`, a frozen value that holds the secrets; pure after that."""

    config_type: ClassVar[type[Value]]

    @property
    def channel(self) -> str:
        """The id of the channel this adapter was built for."""
        ...

    def verify(self, headers: Headers, body: bytes) -> None:
        """Raise `ForgedSignature` unless the raw body was signed with one of the secrets."""
        ...

    def parse_event(self, headers: Headers, body: bytes) -> ChannelEvent:
        """Read a message that was verified; raises `UnreadableBody`, `BodyTooLarge` or `InvalidMoney`."""
        ...

    def parse_order(self, body: bytes) -> Order:
        """Read a document that holds exactly one order; raises as `parse_event` does."""
        ...

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read a document that holds one order or a list of them; raises as `parse_event` does."""
        ...
