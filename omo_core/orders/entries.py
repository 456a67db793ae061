"""The entries of the order book: one order, its lines and its fulfilment orders, as they stand in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from omo_core.model.fulfilment import (
    FulfilmentLine,
    FulfilmentOrder,
    FulfilmentState,
    OrderState,
    PlacedOrder,
    Shortfall,
)
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.orders.states import LIVE, check_fulfilment_change, derive_state
from omo_core.storage.clock import from_us


@dataclass(slots=True)
class LineEntry:
    """A fulfillable line: wanted = issued + assigned to live fulfilment orders + open."""

    line: str
    position: int
    sku: str
    ordered: int
    wanted: int
    issued: int = 0
    short: int = 0
    """Units that the last sourcing found nowhere."""

    def stored(self) -> tuple[object, ...]:
        """What the database keeps of it beside its key; a difference means there is something to write."""
        return (self.position, self.sku, self.ordered, self.wanted, self.issued, self.short)


@dataclass(eq=False, slots=True)
class FulfilmentEntry:
    """A fulfilment order as stored; its lines never change, only its state."""

    fulfilment: str
    node: str
    method: str
    state: FulfilmentState
    version: int
    attempt: int
    why: str
    offered_at_us: int
    closed_at_us: int | None = None
    reject_code: str | None = None
    reject_reason: str | None = None
    tracking: str | None = None
    lines: list[FulfilmentLine] = field(default_factory=list)
    changed: bool = False
    stored: bool = False

    @property
    def live(self) -> bool:
        """Whether its holds still stand."""
        return self.state in LIVE

    def change(self, state: FulfilmentState, now_us: int) -> None:
        """Move to another state; a forbidden move is a defect."""
        check_fulfilment_change(self.state, state)
        self.state = state
        self.changed = True
        self.version += 1
        if not self.live:
            self.closed_at_us = now_us


@dataclass(eq=False)
class OrderEntry:
    """One order in the book."""

    order_id: str
    channel: str
    external_id: str
    source_version: int
    source_sha256: str
    state: OrderState
    version: int
    attempt: int
    document: str | None
    lines: dict[str, LineEntry] = field(default_factory=dict)
    fulfilments: dict[str, FulfilmentEntry] = field(default_factory=dict)
    stored_version: int = 0
    stored_state: OrderState = OrderState.WAITING
    stored_lines: dict[str, tuple[object, ...]] = field(default_factory=dict)
    cancelled: bool = False
    touched: bool = False

    @cached_property
    def order(self) -> Order:
        """The canonical order as last taken in."""
        if self.document is None:
            raise LookupError(f"order {self.order_id} is only a cancellation so far")
        return Order.model_validate_json(self.document)

    def keep(self, order: Order, sha256: str) -> None:
        """Take in a version of the order: its document, its version and the hash of what it says."""
        self.document = order.model_dump_json(exclude_none=True)
        self.source_version, self.source_sha256 = order.source_version, sha256
        self.__dict__["order"] = order

    def assigned(self) -> dict[str, int]:
        """Units per line with live fulfilment orders."""
        units: dict[str, int] = {}
        for entry in self.fulfilments.values():
            if entry.live:
                for line in entry.lines:
                    units[line.line] = units.get(line.line, 0) + line.quantity
        return units

    def open_units(self) -> dict[str, int]:
        """Units per line that still want a node."""
        assigned = self.assigned()
        still = {line.line: line.wanted - line.issued - assigned.get(line.line, 0) for line in self.lines.values()}
        return {line: units for line, units in still.items() if units > 0}

    def rejecting_nodes(self) -> frozenset[str]:
        """Nodes that said no to this order; it does not ask them twice."""
        return frozenset(entry.node for entry in self.fulfilments.values() if entry.reject_code == "by_node")

    def settle(self) -> None:
        """Set the state that the lines and fulfilment orders imply."""
        if self.cancelled:
            self.state = OrderState.CANCELLED
        else:
            short = {line.line: line.short for line in self.lines.values()}
            any_live = any(entry.live for entry in self.fulfilments.values())
            self.state = derive_state(self.open_units(), short, any_live=any_live)
        self.touched = True

    def answer(self, refusals: Sequence[Refusal] = ()) -> PlacedOrder:
        """Where the order stands, as a value."""
        shortfalls = tuple(
            Shortfall(
                line=line.line,
                sku=line.sku,
                missing=line.short,
                refusal=Refusal.of("no_node", missing=line.short, wanted=line.wanted, sku=line.sku),
            )
            for line in self.lines.values()
            if line.short
        )
        return PlacedOrder(
            order=self.order_id,
            channel=self.channel,
            external_id=self.external_id,
            state=self.state,
            version=self.version,
            source_version=self.source_version,
            fulfilment_orders=tuple(self.fulfilment_value(entry) for entry in self.fulfilments.values()),
            shortfalls=shortfalls,
            refusals=tuple(refusals),
        )

    def fulfilment_value(self, entry: FulfilmentEntry) -> FulfilmentOrder:
        """One fulfilment order as a value."""
        # What was stored was valid; checking it again would take longer than reading it.
        return FulfilmentOrder.model_construct(
            fulfilment=entry.fulfilment,
            order=self.order_id,
            channel=self.channel,
            external_id=self.external_id,
            node=entry.node,
            method=DeliveryMethod(entry.method),
            state=entry.state,
            version=entry.version,
            attempt=entry.attempt,
            lines=tuple(entry.lines),
            why=entry.why,
            offered_at=from_us(entry.offered_at_us),
            closed_at=None if entry.closed_at_us is None else from_us(entry.closed_at_us),
            reject_code=entry.reject_code,
            reject_reason=entry.reject_reason,
            tracking=entry.tracking,
        )
