"""The entries of the order book: one order, its lines and its fulfilment orders, as they stand in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter

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

_LINES: Final = TypeAdapter(list[FulfilmentLine])


def fulfilment_lines(rows: Iterable[tuple[str, str, str, int]]) -> list[FulfilmentLine]:
    """Lines of (hold, line, sku, quantity), made in one call: one by one they take twice as long."""
    return _LINES.validate_python(
        [{"line": line, "sku": sku, "quantity": quantity, "hold": hold} for hold, line, sku, quantity in rows]
    )


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
    components: str | None = None
    """Of a kit what one is put together from, as JSON, for as long as the line lives; the line counts kits."""
    pieces: int | None = None
    """Units of components that one kit takes."""

    @property
    def recipe(self) -> dict[str, int]:
        """Component → units that one kit takes; empty for an item."""
        return json.loads(self.components) if self.components else {}

    def put_together(self, recipe: Mapping[str, int] | None) -> None:
        """Be a line of a kit of this recipe, or of an item (None)."""
        self.components = (
            json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=False) if recipe else None
        )
        self.pieces = sum(recipe.values()) if recipe else None

    def stored(self) -> tuple[object, ...]:
        """What the database keeps of it beside its key; a difference means there is something to write."""
        return (
            self.position,
            self.sku,
            self.ordered,
            self.wanted,
            self.issued,
            self.short,
            self.components,
            self.pieces,
        )


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

    def value(self, order_id: str, channel: str, external_id: str) -> FulfilmentOrder:
        """It as a value of the model, with the names of its order."""
        return FulfilmentOrder(
            fulfilment=self.fulfilment,
            order=order_id,
            channel=channel,
            external_id=external_id,
            node=self.node,
            method=DeliveryMethod(self.method),
            state=self.state,
            version=self.version,
            attempt=self.attempt,
            lines=tuple(self.lines),
            why=self.why,
            offered_at=from_us(self.offered_at_us),
            closed_at=None if self.closed_at_us is None else from_us(self.closed_at_us),
            reject_code=self.reject_code,
            reject_reason=self.reject_reason,
            tracking=self.tracking,
        )


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
    held: int = 0
    """1 while the channel says not to send it yet and nobody released it."""
    lines: dict[str, LineEntry] = field(default_factory=dict)
    fulfilments: dict[str, FulfilmentEntry] = field(default_factory=dict)
    stored_version: int = 0
    stored_state: OrderState = OrderState.WAITING
    stored_lines: dict[str, tuple[object, ...]] = field(default_factory=dict)
    cancelled: bool = False
    touched: bool = False

    known: Order | None = None
    """The canonical order, once it was taken in or read; documents are large, and most work does not need them."""
    kept: bool = False
    """Whether `known` is still to be stored."""

    @property
    def order(self) -> Order:
        """The canonical order; `book.read_documents` must have come before."""
        if self.known is None:
            raise LookupError(f"the document of order {self.order_id} was not read")
        return self.known

    @property
    def is_tombstone(self) -> bool:
        """Whether only its cancellation came so far."""
        return not self.source_sha256

    def keep(self, order: Order, sha256: str) -> None:
        """Take in a version of the order: its document, its version and the hash of what it says.

        A reason to hold it that is there still does not undo a release.
        """
        if order.hold_reason is None:
            self.held = 0
        elif self.known is None or order.hold_reason != self.known.hold_reason:
            self.held = 1
        self.known, self.kept = order, True
        self.source_version, self.source_sha256 = order.source_version, sha256

    def units_of(self, fulfilment: FulfilmentEntry) -> dict[str, int]:
        """Units per line of one of its fulfilment orders; of kits, kits, all of whose components it has."""
        units: dict[str, int] = {}
        for line in fulfilment.lines:
            if recipe := self.lines[line.line].recipe:
                units[line.line] = line.quantity // recipe[line.sku]
            else:
                units[line.line] = units.get(line.line, 0) + line.quantity
        return units

    def assigned(self) -> dict[str, int]:
        """Units per line with live fulfilment orders."""
        units: dict[str, int] = {}
        for entry in self.fulfilments.values():
            if entry.live:
                for line, number in self.units_of(entry).items():
                    units[line] = units.get(line, 0) + number
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
            self.state, self.held = OrderState.CANCELLED, 0
        else:
            short = {line.line: line.short for line in self.lines.values()}
            any_live = any(entry.live for entry in self.fulfilments.values())
            self.state = derive_state(self.open_units(), short, any_live=any_live, held=bool(self.held))
        self.touched = True

    def shortfalls(self) -> tuple[Shortfall, ...]:
        """What the last sourcing found nowhere."""
        return tuple(
            Shortfall(
                line=line.line,
                sku=line.sku,
                missing=line.short,
                refusal=Refusal.of("no_node", missing=line.short, wanted=line.wanted, sku=line.sku),
            )
            for line in self.lines.values()
            if line.short
        )

    def answer(self, refusals: Sequence[Refusal] = ()) -> PlacedOrder:
        """Where the order stands, as a value."""
        return PlacedOrder(
            order=self.order_id,
            channel=self.channel,
            external_id=self.external_id,
            state=self.state,
            version=self.version,
            source_version=self.source_version,
            held=bool(self.held),
            fulfilment_orders=tuple(
                one.value(self.order_id, self.channel, self.external_id) for one in self.fulfilments.values()
            ),
            shortfalls=self.shortfalls(),
            refusals=tuple(refusals),
        )
