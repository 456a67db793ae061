"""Intents: what we want of a channel, as values; and the request, response and answer values they become."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.model.values import MAX_QUANTITY, Count, Identifier, Instant, Key, Quantity, Sku, Text, Value

Quantities = tuple[tuple[Identifier, Quantity], ...]
"""(line, quantity) pairs; the lines' ids are the channel's."""


class IntentKind(StrEnum):
    """What can be wanted of a channel."""

    FETCH_ORDER = "fetch_order"
    LIST_CHANGES = "list_changes"
    ACKNOWLEDGE = "acknowledge"
    SHIP = "ship"
    READY_FOR_PICKUP = "ready_for_pickup"
    SET_STOCK = "set_stock"
    CANCEL = "cancel"
    ANSWER_REFUND = "answer_refund"


class _Intent(Value):
    """What every intent has."""

    key: Key
    """Idempotency key: carrying the same intent out again changes nothing on channels that can tell."""


class FetchOrder(_Intent):
    """Get one order as it now is."""

    kind: Literal["fetch_order"] = "fetch_order"
    external_id: Identifier


class ListChanges(_Intent):
    """Get a page of the orders that changed in a window of time; `cursor` is of the page before."""

    kind: Literal["list_changes"] = "list_changes"
    since: Instant
    until: Instant
    cursor: Text | None = None

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if self.since >= self.until:
            raise ValueError("since must be before until")
        return self


class Acknowledge(_Intent):
    """Tell the channel that we have the order and take it."""

    kind: Literal["acknowledge"] = "acknowledge"
    external_id: Identifier


class Parcel(Value):
    """One parcel with its tracking. Without `quantities` it holds all that is left of the order."""

    carrier: Identifier
    """The channel's code of the carrier."""
    tracking: Identifier
    tracking_url: Text | None = None
    quantities: Quantities = ()
    location: Identifier | None = None
    """The channel's id of the place it leaves from, where the channel has such."""
    shipped_at: Instant


class Ship(_Intent):
    """Parcels of an order left; `completes` says whether anything is still to follow."""

    kind: Literal["ship"] = "ship"
    external_id: Identifier
    parcels: tuple[Parcel, ...] = Field(min_length=1, max_length=1_000)
    completes: bool = True
    fulfilment: Identifier | None = None
    """The channel's own id of the work that is done (Shopify's fulfillment order, a package), where it has one."""


class ReadyForPickup(_Intent):
    """The goods wait for the buyer."""

    kind: Literal["ready_for_pickup"] = "ready_for_pickup"
    external_id: Identifier
    quantities: Quantities = ()
    fulfilment: Identifier | None = None
    """As in `Ship`."""


class StockLevel(Value):
    """How many units of a listing to show: as they are, or by how many more or fewer."""

    listing: Identifier
    """How the channel names the item."""
    product: Identifier | None = None
    """The channel's id of the product the listing is a variant of, where its calls need both."""
    sku: Sku | None = None
    """Our name of it, for channels that take the merchant's code."""
    location: Identifier | None = None
    units: Annotated[int, Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]


class StockMode(StrEnum):
    """How stock levels are told."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"


class SetStock(_Intent):
    """Tell the channel what can be sold."""

    kind: Literal["set_stock"] = "set_stock"
    mode: StockMode = StockMode.ABSOLUTE
    levels: tuple[StockLevel, ...] = Field(min_length=1, max_length=10_000)
    as_of: Instant
    """When the levels were so."""

    @model_validator(mode="after")
    def _absolute_is_not_negative(self) -> Self:
        if self.mode is StockMode.ABSOLUTE and any(level.units < 0 for level in self.levels):
            raise ValueError("an absolute level cannot be negative; publish 0 or more units")
        return self


class CancelOrder(_Intent):
    """The seller cannot serve the order, or the part of it that `quantities` names."""

    kind: Literal["cancel"] = "cancel"
    external_id: Identifier
    reason: Text | None = None
    """In the channel's own words or codes, where it has such."""
    quantities: Quantities = ()
    restock: bool = False
    """Let the channel count the units as sellable again; our own levels say so sooner."""
    fulfilments: tuple[Identifier, ...] = ()
    """`Delivery.fulfilment` of each of the order's deliveries, for channels that call off only what was seen."""


class AnswerRefund(_Intent):
    """Accept or refuse a refund that the buyer asks for."""

    kind: Literal["answer_refund"] = "answer_refund"
    external_id: Identifier
    refund: Identifier
    accept: bool
    amount_minor: Annotated[int, Field(ge=0)] | None = None
    """How much to give back, for channels that ask; None for all that was asked."""
    currency: str | None = None
    reason: Text | None = None
    version: Identifier | None = None
    """Which version of the refund is answered (`RefundNotice.version`), for channels that ask."""


Intent = FetchOrder | ListChanges | Acknowledge | Ship | ReadyForPickup | SetStock | CancelOrder | AnswerRefund


class Request(Value):
    """An HTTP request as a value. It holds no credentials: the adapter's `sign` adds them when it is sent."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    operation: Identifier | None = None
    """The channel's name of the call, where its limits or its signature depend on it."""
    items: tuple[Identifier, ...] = ()
    """What it is about: the keys of its answer's items, such as order ids or listings."""


class Response(Value):
    """An HTTP response as a value."""

    status: Annotated[int, Field(ge=100, lt=600)]
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class ItemAnswer(Value):
    """What the channel says of one item of a request."""

    item: Identifier
    ok: bool
    code: Text | None = None
    """The channel's own code of what is wrong."""
    message: Text | None = None
    retry: bool = False
    """Worth sending again later as it is: a limit was reached, or the channel is busy."""


class Answer(Value):
    """What the channel says of a request, item by item."""

    items: tuple[ItemAnswer, ...]
    reference: Identifier | None = None
    """The channel's id of what was made, such as a fulfilment."""

    @property
    def ok(self) -> bool:
        """Whether every item was taken."""
        return all(item.ok for item in self.items)


class Reference(Value):
    """An order that changed and must be fetched."""

    external_id: Identifier
    updated_at: Instant | None = None


class Page(Value):
    """One page of changes."""

    orders: tuple[Order, ...] = ()
    references: tuple[Reference, ...] = ()
    """What to fetch: orders of which the channel lists only ids, and what may be no order, such as a till's sale."""
    unreadable: tuple[tuple[Identifier, Text], ...] = ()
    """(external id, why) of orders on the page that could not be read; the others are not lost with them."""
    following: ListChanges | None = None
    """What to ask for next; None where this was the last page."""


class RateLimit(Value):
    """How often a channel may be asked: so many requests a period, so many at once."""

    per_period: Annotated[int, Field(gt=0)]
    period_ms: Annotated[int, Field(gt=0)] = 1_000
    burst: Annotated[int, Field(gt=0)] = 1


class Capabilities(Value):
    """What a channel can do, its limits, and what we know it from."""

    intents: frozenset[IntentKind] = frozenset()
    pushes: bool = True
    """It sends messages by itself; without, changes are pulled."""
    signs: str | None = None
    """How its messages are signed, in words; None where they are not, so that they only say what to fetch."""
    signs_time: bool = False
    """The time is part of what is signed, so that old messages can be told."""
    stock_modes: frozenset[StockMode] = frozenset()
    stock_by_location: bool = False
    stock_batch: Count = 1
    """Most levels in one request."""
    partial_shipments: bool = False
    several_parcels: bool = False
    partial_cancellations: bool = False
    done_before: frozenset[str] = frozenset()
    """Codes of answers that say that what was asked is so already, so that it need not be asked again."""
    list_window_s: Annotated[int, Field(gt=0)] | None = None
    """Longest window of `ListChanges`; None where there is no such limit."""
    list_behind_s: Count = 0
    """How long ago the window of `ListChanges` has to end at least; what is later is refused, or not listed yet."""
    page_size: Annotated[int, Field(gt=0)] = 100
    limits: tuple[tuple[Identifier, RateLimit], ...] = ()
    """(operation, limit) pairs; the operation `*` stands for all that are not named."""


def cannot(channel: str, intent: IntentKind | str, why: str) -> Refusal:
    """The refusal of something that a channel cannot do; `why` completes the sentence."""
    return Refusal.of("capability_missing", channel=channel, intent=str(intent), why=why)
