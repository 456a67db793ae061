"""Commands about goods themselves: counted, corrected, fed, moved between nodes, brought back, announced."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from omo_core.model.network import enum_of
from omo_core.model.stock import Command, Goods
from omo_core.model.values import MAX_QUANTITY, Count, Identifier, Instant, NodeId, Quantity, Sku, Text, Value

QUARANTINE: Final = "quarantine"
WRITE_OFF: Final = "write_off"

Condition = Literal["sellable", "quarantine"]
"""What a stock row's goods are fit for; only sellable ones are promised."""

Disposition = Literal["sellable", "quarantine", "write_off"]
"""What becomes of goods: a condition, or they are gone for good."""


def _limited(part: str, row_of: Callable[[Value], tuple[str, ...]]) -> AfterValidator:
    """Lines of one stock row are booked as one quantity, so their sum has the limit of a quantity."""

    def within_limits(lines: tuple[Value, ...]) -> tuple[Value, ...]:
        sums: dict[tuple[str, ...], int] = {}
        for line in lines:
            row = row_of(line)
            sums[row] = sums.get(row, 0) + abs(getattr(line, part))
            if sums[row] > MAX_QUANTITY:
                raise ValueError(f"the lines of {' at '.join(map(repr, row))} add to more than {MAX_QUANTITY}")
        return lines

    return AfterValidator(within_limits)


def _values_of(*names: str) -> Callable[[Value], tuple[str, ...]]:
    return lambda line: tuple(str(getattr(line, name)) for name in names)


class Counted(Value):
    """What stood on a shelf: so many units of an item, at a node, in one condition; possibly none."""

    sku: Sku
    node: NodeId
    condition: Condition = "sellable"
    quantity: Count


Readings = Annotated[
    tuple[Counted, ...], Field(min_length=1), _limited("quantity", _values_of("sku", "node", "condition"))
]


class CountStock(Command):
    """People counted: the rows hold what was counted, as of `counted_at`. Lines of one row (two shelves) are summed.

    The physical world wins: where fewer units are there than promised, the newest promises are displaced. The count
    settles what the row was short of and closes its count tasks.

    A count says what was there at `counted_at`; goods that were booked in or out after that instant moved after the
    count, and are applied on top of it. So the row ends as counted + what came − what went since, whatever the book said
    before, and it does not matter whether a count sheet is entered at once or in the evening. None means now. An instant
    in the future is refused, and so is a count of a row that somebody counted, or a feed reported, as of a later time.
    """

    kind: Literal["count_stock"] = "count_stock"
    lines: Readings
    counted_at: Instant | None = None
    reference: Text | None = None


class AbsoluteFeed(Command):
    """A system that keeps its own book of a shelf (WMS, ERP, a supplier) reports what is physically on hand.

    Messages of one `source` may come late, twice and out of order: for each row only a higher `sequence` than the last
    one counts, others are passed over as `stale_feed`. Without a sequence, `as_of` orders them. `as_of` is the instant
    that the numbers are of, None the present; as with a count, goods that were booked after it are applied on top:
    an issue that our book has and the reported number has not yet is not undone by it. A feed older than a count of the
    row is passed over. So are items and nodes that the pool does not know; the rest of the feed is applied, and the
    answer's `row_refusals` say what was not.

    It settles what a row was short of, but leaves its count task open: one book does not prove another right.
    """

    kind: Literal["absolute_feed"] = "absolute_feed"
    source: Identifier
    sequence: Annotated[int, Field(ge=0, le=2**62)] | None = None
    as_of: Instant | None = None
    lines: Readings

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.sequence is None and self.as_of is None:
            raise ValueError("a feed needs a sequence or an as_of, to know it from the feeds before and after it")
        return self


class AdjustReason(StrEnum):
    """Why goods are fewer or more than the book says."""

    DAMAGE = "damage"
    THEFT = "theft"
    EXPIRED = "expired"
    LOST = "lost"
    FOUND = "found"
    OTHER = "other"


LOSSES: Final = frozenset({AdjustReason.DAMAGE, AdjustReason.THEFT, AdjustReason.EXPIRED, AdjustReason.LOST})
"""Reasons that only take away; the goods are gone for good."""


class Adjustment(Value):
    """So many units more (above 0) or fewer (below 0) of a row."""

    sku: Sku
    node: NodeId
    condition: Condition = "sellable"
    quantity: Annotated[int, Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.quantity == 0:
            raise ValueError("an adjustment by 0 units changes nothing; leave the line out")
        return self


class AdjustStock(Command):
    """Goods vanished, broke or turned up: a signed correction with its reason. Lines of one row are summed.

    It is a fact of the physical world: taking more than is free displaces the newest promises, and more than the book
    has makes a shortage and a count task, as a counter sale does. It counts as a movement of its moment; where a shelf
    was counted, send `CountStock`.
    """

    kind: Literal["adjust_stock"] = "adjust_stock"
    lines: Annotated[
        tuple[Adjustment, ...], Field(min_length=1), _limited("quantity", _values_of("sku", "node", "condition"))
    ]
    reason: Annotated[AdjustReason, enum_of(AdjustReason)]
    reference: Text | None = None

    @model_validator(mode="after")
    def _fits_its_reason(self) -> Self:
        wrong = self.reason in LOSSES and any(line.quantity > 0 for line in self.lines)
        if wrong or (self.reason is AdjustReason.FOUND and any(line.quantity < 0 for line in self.lines)):
            raise ValueError(f"goods of reason {self.reason.value!r} cannot change the stock in that direction")
        return self


class Shipped(Value):
    """One item of a transfer: taken from the free stock, or from a hold that was placed for it."""

    sku: Sku
    quantity: Quantity
    hold: Identifier | None = None


class ShipTransfer(Command):
    """Goods leave one node for another: from now on they are in transit, and nobody's on hand.

    `transfer` is the caller's own id of it. Lines take what is free (never a promise, never safety stock) or the pending
    units of a named hold at `from_node`. `due_at` is when they should arrive.
    """

    kind: Literal["ship_transfer"] = "ship_transfer"
    transfer: Identifier
    from_node: NodeId
    to_node: NodeId
    lines: Annotated[tuple[Shipped, ...], Field(min_length=1), _limited("quantity", _values_of("sku"))]
    due_at: Instant | None = None
    reference: Text | None = None

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if self.from_node == self.to_node:
            raise ValueError("a transfer needs two nodes; use ChangeCondition within one")
        return self


class Arrived(Value):
    """So many units of an item came out of a transfer, fit for sale or not."""

    sku: Sku
    quantity: Quantity
    condition: Condition = "sellable"


class ReceiveTransfer(Command):
    """Goods of a transfer arrived at `node`; in as many parts as they come.

    What arrives is never refused: not at another node than planned (at the sender it is a return), not after the rest
    was declared lost, which it then was not; what was never shipped is booked as an adjustment.
    """

    kind: Literal["receive_transfer"] = "receive_transfer"
    transfer: Identifier
    node: NodeId
    lines: Annotated[tuple[Arrived, ...], Field(min_length=1), _limited("quantity", _values_of("sku"))]
    reference: Text | None = None


class CloseTransfer(Command):
    """Nothing more will arrive: what is still in transit is lost. Twice is once."""

    kind: Literal["close_transfer"] = "close_transfer"
    transfer: Identifier
    reference: Text | None = None


class Returned(Value):
    """Goods a buyer brought back, to any node. With a `hold`, units that left under it."""

    sku: Sku
    node: NodeId
    quantity: Quantity
    disposition: Disposition
    hold: Identifier | None = None


class ReturnGoods(Command):
    """Goods come back from buyers, each line with what becomes of it.

    A line that names a hold never returns more than was issued under it; one without is a return by `reference` alone.
    """

    kind: Literal["return_goods"] = "return_goods"
    lines: Annotated[tuple[Returned, ...], Field(min_length=1), _limited("quantity", _values_of("sku", "node"))]
    reference: Text | None = None


class ChangeCondition(Command):
    """Goods of a node are found to be fit or unfit for sale, or for nothing.

    Taking sellable goods away displaces the newest promises where free units are missing. Refused where the book has
    fewer units in condition `was`: count them first.
    """

    kind: Literal["change_condition"] = "change_condition"
    lines: Goods
    was: Condition
    becomes: Disposition
    reference: Text | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.was == self.becomes:
            raise ValueError(f"goods that are {self.was} already need no change")
        return self


class Expected(Value):
    """So many units of an item are announced in all, for that instant."""

    sku: Sku
    quantity: Quantity
    due_at: Instant


def _once(lines: tuple[Expected, ...]) -> tuple[Expected, ...]:
    _require_once(line.sku for line in lines)
    return lines


def _require_once(skus: Iterable[str]) -> None:
    seen: set[str] = set()
    for sku in skus:
        if sku in seen:
            raise ValueError(f"{sku!r} is announced twice; announce its sum, or use a reference for each delivery")
        seen.add(sku)


class ExpectReceipt(Command):
    """A supplier announced goods: until they come they count as inbound, due at their instants.

    Announcing a line again replaces what it expected and when, so that is how a delivery is put off. Goods that came
    under the reference before it was announced are counted.
    """

    kind: Literal["expect_receipt"] = "expect_receipt"
    inbound: Identifier
    """The announcement's reference, such as an ASN's number; `Receive.inbound` names it."""
    node: NodeId
    lines: Annotated[tuple[Expected, ...], Field(min_length=1), AfterValidator(_once)]


class CancelReceipt(Command):
    """Nothing more will come of an announcement at a node; what came stays. What was cancelled is not announced again."""

    kind: Literal["cancel_receipt"] = "cancel_receipt"
    inbound: Identifier
    node: NodeId


class CountTask(Value):
    """Someone should count a shelf: goods left it that the book never had."""

    task: Identifier
    sku: Sku
    node: NodeId
    condition: str
    quantity: Quantity
    """Units that were missing in the book."""
    opened_at: Instant


class TransferLine(Value):
    """One item of a transfer; `extra` units arrived that were never shipped."""

    sku: Sku
    shipped: int
    received: int
    lost: int
    extra: int

    @property
    def in_transit(self) -> int:
        """Units on their way."""
        return self.shipped - self.received - self.lost


class Transfer(Value):
    """Goods between two nodes, as they stand."""

    transfer: Identifier
    from_node: NodeId
    to_node: NodeId
    lines: tuple[TransferLine, ...]
    shipped_at: Instant
    due_at: Instant | None
    reference: Text | None

    @property
    def open(self) -> bool:
        """Whether anything is still on its way."""
        return any(line.in_transit for line in self.lines)


class Inbound(Value):
    """One line of an announcement, and how much of it has come."""

    inbound: Identifier
    node: NodeId
    sku: Sku
    due_at: Instant | None
    expected: int
    received: int
    state: Literal["open", "done", "cancelled"]

    @property
    def due(self) -> int:
        """Units that should still come."""
        return self.expected - self.received if self.state == "open" else 0


GoodsCommand = (
    CountStock
    | AbsoluteFeed
    | AdjustStock
    | ReturnGoods
    | ChangeCondition
    | ShipTransfer
    | ReceiveTransfer
    | CloseTransfer
    | ExpectReceipt
    | CancelReceipt
)
