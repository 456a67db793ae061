"""Fulfilment orders: the instruction to one node to send or hand over some units of one order."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from omo_core.model.network import DeliveryMethod, enum_of
from omo_core.model.refusals import Refusal
from omo_core.model.stock import Command
from omo_core.model.values import Count, Identifier, Instant, Key, NodeId, Quantity, Sku, Text, Value


class FulfilmentState(StrEnum):
    """Where a fulfilment order stands. Readers keep and show values they do not know."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SHIPPED = "shipped"
    COLLECTED = "collected"
    CANCELLED = "cancelled"


FULFILMENT_TRANSITIONS: dict[FulfilmentState, frozenset[FulfilmentState]] = {
    FulfilmentState.OFFERED: frozenset({FulfilmentState.ACCEPTED, FulfilmentState.REJECTED, FulfilmentState.CANCELLED}),
    FulfilmentState.ACCEPTED: frozenset(
        {
            FulfilmentState.SHIPPED,
            FulfilmentState.COLLECTED,
            FulfilmentState.REJECTED,
            FulfilmentState.CANCELLED,
        }
    ),
    FulfilmentState.REJECTED: frozenset(),
    FulfilmentState.SHIPPED: frozenset(),
    FulfilmentState.COLLECTED: frozenset(),
    FulfilmentState.CANCELLED: frozenset(),
}
"""Version 1. A node may still reject what it accepted: a shelf can prove empty at picking."""


class OrderState(StrEnum):
    """Where our work on an order stands."""

    WAITING = "waiting"
    """Known, not yet sourced, or sourced in part with the rest waiting for stock."""
    HELD = "held"
    """The channel says not to send it yet: goods are kept for it, and no node is offered what is open of it."""
    IN_FULFILMENT = "in_fulfilment"
    FULFILLED = "fulfilled"
    UNFULFILLABLE = "unfulfillable"
    """Sourced; no node can serve any open line. A later re-sourcing may change that."""
    CANCELLED = "cancelled"


ORDER_TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    OrderState.WAITING: frozenset(OrderState) - {OrderState.WAITING},
    OrderState.HELD: frozenset(OrderState) - {OrderState.HELD},
    OrderState.IN_FULFILMENT: frozenset(OrderState) - {OrderState.IN_FULFILMENT},
    OrderState.UNFULFILLABLE: frozenset(OrderState) - {OrderState.UNFULFILLABLE},
    OrderState.FULFILLED: frozenset(OrderState) - {OrderState.FULFILLED, OrderState.CANCELLED},
    OrderState.CANCELLED: frozenset(),
}
"""Version 1. An order leaves `fulfilled` only where the buyer adds to it; returns are their own documents."""


class FulfilmentLine(Value):
    """Units of one order line that this node is to send."""

    line: Identifier
    sku: Sku
    quantity: Quantity
    hold: Identifier


class FulfilmentOrder(Value):
    """One node's part of an order, offered to it, with the reason it was chosen."""

    fulfilment: Identifier
    order: Identifier
    channel: Identifier
    external_id: Identifier
    """The order's id on its channel."""
    node: NodeId
    method: Annotated[DeliveryMethod, enum_of(DeliveryMethod)]
    state: Annotated[FulfilmentState, enum_of(FulfilmentState)]
    version: Annotated[int, Field(ge=1)]
    attempt: Annotated[int, Field(ge=1)]
    """1 for the first sourcing of the order; grows with each re-sourcing."""
    lines: tuple[FulfilmentLine, ...] = Field(min_length=1)
    why: Text
    offered_at: Instant
    closed_at: Instant | None = None
    reject_code: Identifier | None = None
    """`by_node` where the node said no, `displaced` where its goods went to a counter sale first, `reassigned` where a
    re-evaluation found a better place, `held` where the channel said not to send the order yet."""
    reject_reason: Text | None = None
    tracking: Text | None = None


class Shortfall(Value):
    """Units of a line that no node can serve now, and why."""

    line: Identifier
    sku: Sku
    missing: Quantity
    refusal: Refusal


class PlacedOrder(Value):
    """The answer to placing, re-sourcing or cancelling an order: where it stands now.

    `refusals` non-empty: the request changed nothing; `order` and `state` are None where the order is not known.
    """

    order: Identifier | None
    channel: Identifier
    external_id: Identifier
    state: Annotated[OrderState, enum_of(OrderState)] | None
    version: Count = 0
    """Our version of the order, growing by one with each change we record."""
    source_version: int
    held: bool = False
    """The channel says not to send it yet (`Order.hold_reason`), and nobody released it: nothing new is offered."""
    fulfilment_orders: tuple[FulfilmentOrder, ...] = ()
    """All of them, oldest first; rejected and cancelled ones are the order's history."""
    shortfalls: tuple[Shortfall, ...] = ()
    refusals: tuple[Refusal, ...] = ()


class AcceptOffer(Command):
    """The node takes the work: its holds become firm."""

    kind: Literal["accept"] = "accept"
    fulfilment: Identifier


class RejectOffer(Command):
    """The node will not or cannot do it, before or after accepting; the order finds another way."""

    kind: Literal["reject"] = "reject"
    fulfilment: Identifier
    reason: Text


class ShippedParcel(Value):
    """A parcel that left, as its channel is to hear of it."""

    carrier: Identifier | None = None
    """Our name of who carries it; `DialectConfig.carriers` has the channel's."""
    tracking: Identifier | None = None
    tracking_url: Text | None = None
    quantities: tuple[tuple[Identifier, Quantity], ...] = ()
    """(line, units) in it, as the order counts them; empty for all of the fulfilment order."""


class ShipFulfilment(Command):
    """The goods left the node: in one parcel, or in `parcels` that together hold every unit once."""

    kind: Literal["ship"] = "ship"
    fulfilment: Identifier
    tracking: Text | None = None
    carrier: Identifier | None = None
    parcels: tuple[ShippedParcel, ...] = Field(default=(), max_length=1_000)

    @model_validator(mode="after")
    def _says_it_once(self) -> Self:
        if self.parcels and (self.tracking is not None or self.carrier is not None):
            raise ValueError("give carrier and tracking of each parcel, or of the only one, not both")
        if len(self.parcels) > 1 and not all(parcel.quantities for parcel in self.parcels):
            raise ValueError("each of several parcels names its lines and units")
        return self


class ReadyFulfilment(Command):
    """The goods wait at the node for their buyer."""

    kind: Literal["ready"] = "ready"
    fulfilment: Identifier


class CollectFulfilment(Command):
    """The buyer has the goods in hand: collected at the node, or taken by its courier."""

    kind: Literal["collect"] = "collect"
    fulfilment: Identifier


FulfilmentCommand = AcceptOffer | RejectOffer | ReadyFulfilment | ShipFulfilment | CollectFulfilment


class FulfilmentAnswer(Value):
    """The answer to one fulfilment command, stored with its key and given again word for word."""

    version: Literal[1] = 1
    key: Key
    kind: str
    fulfilment: Identifier
    order: Identifier | None = None
    order_state: Annotated[OrderState, enum_of(OrderState)] | None = None
    """Where the order stands after the command; None where the fulfilment order is not known."""
    fulfilment_order: FulfilmentOrder | None = None
    """As it stands after the command."""
    offers: tuple[FulfilmentOrder, ...] = ()
    """What a reject led to: the offers made to other nodes in its place."""
    shortfalls: tuple[Shortfall, ...] = ()
    """What no node can serve of the order after a reject."""
    refusals: tuple[Refusal, ...] = ()
