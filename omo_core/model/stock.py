"""Stock: the commands a pool takes, the holds it keeps, and the answers it gives."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from omo_core.model.network import enum_of
from omo_core.model.promised import Backorder, ClaimRef, SlotClaim, SlotRequest
from omo_core.model.refusals import Refusal
from omo_core.model.values import (
    MAX_QUANTITY,
    ChannelId,
    Count,
    Identifier,
    Instant,
    Key,
    NodeId,
    Quantity,
    Sku,
    Text,
    Value,
)

SELLABLE = "sellable"


class HoldState(StrEnum):
    """Life of a hold: placed → confirmed → issued | released | expired."""

    PLACED = "placed"
    CONFIRMED = "confirmed"
    ISSUED = "issued"
    RELEASED = "released"
    EXPIRED = "expired"


HOLD_TRANSITIONS: dict[HoldState, frozenset[HoldState]] = {
    HoldState.PLACED: frozenset({HoldState.CONFIRMED, HoldState.ISSUED, HoldState.RELEASED, HoldState.EXPIRED}),
    HoldState.CONFIRMED: frozenset({HoldState.ISSUED, HoldState.RELEASED}),
    HoldState.ISSUED: frozenset(),
    HoldState.RELEASED: frozenset(),
    HoldState.EXPIRED: frozenset(),
}
"""Version 1 of the hold's transition table. Only a placed hold can expire: a confirmed one is a promise."""


class Level(Value):
    """One stock row as it stands: quantities in base units."""

    sku: Sku
    node: NodeId
    condition: str = SELLABLE
    on_hand: int
    reserved: int
    safety: int = 0
    shortage: int = 0
    version: int
    halted: bool = False
    safety_permille: int = 0

    @property
    def available(self) -> int:
        """Available to promise from this row now; never negative, none from a halted or unsellable row."""
        if self.halted or self.condition != SELLABLE:
            return 0
        return max(0, self.on_hand - self.reserved - kept_back(self.on_hand, self.safety, self.safety_permille))


def kept_back(on_hand: int, safety: int, safety_permille: int) -> int:
    """Units of a row that are not promised: the larger of `safety` units and a share of what is there, rounded up."""
    return max(safety, -(-on_hand * safety_permille // 1000)) if safety_permille else safety


class Demand(Value):
    """A quantity of an item at a node."""

    sku: Sku
    node: NodeId
    quantity: Quantity


class HoldRequest(Value):
    """One hold to place: who it is for (`owner` and `line`, of the caller's choosing), what, where, how many."""

    owner: Identifier
    """Usually the order's id."""
    line: Identifier
    sku: Sku
    node: NodeId
    quantity: Quantity


class Hold(Value):
    """Goods promised to one owner's line at one node: quantity = pending + issued + released; returned ≤ issued."""

    hold: Identifier
    owner: Identifier
    line: Identifier
    sku: Sku
    node: NodeId
    condition: str = SELLABLE
    quantity: Quantity
    pending: Count
    issued: Count
    released: Count
    state: Annotated[HoldState, enum_of(HoldState)]
    expires_at: Instant | None
    returned: Count = 0
    extended: Count = 0
    """How often its time was prolonged."""
    dies_at: Instant | None = None
    channel: ChannelId | None = None


class Command(Value):
    """What every command carries: the caller's key, under which it is applied at most once."""

    key: Key
    scope: Identifier = "default"
    """The caller's system; keys are unique within it."""


def _within_limits(lines: tuple[Demand, ...]) -> tuple[Demand, ...]:
    """Lines of one SKU and node are booked as one quantity, so their sum has the limit of a quantity."""
    sums: dict[tuple[str, str], int] = {}
    for line in lines:
        cell = (line.sku, line.node)
        sums[cell] = sums.get(cell, 0) + line.quantity
        if sums[cell] > MAX_QUANTITY:
            raise ValueError(f"the lines of {line.sku!r} at {line.node!r} add to more than {MAX_QUANTITY}")
    return lines


Goods = Annotated[tuple[Demand, ...], Field(min_length=1), AfterValidator(_within_limits)]


class Receive(Command):
    """Goods arrive at a node and are sellable. Lines of one SKU and node are summed.

    `inbound` names the announcement they came under: they are no longer due. Goods that were never announced, or come
    before they are, may name it too.
    """

    kind: Literal["receive"] = "receive"
    lines: Goods
    reference: Text | None = None
    inbound: Identifier | None = None


class CounterSale(Command):
    """A till sold goods that are gone: never refused, whatever the book says."""

    kind: Literal["counter_sale"] = "counter_sale"
    lines: Goods
    reference: Text | None = None


class SetSafety(Command):
    """Keep so many units of an item at a node out of what is promised."""

    kind: Literal["set_safety"] = "set_safety"
    sku: Sku
    node: NodeId
    quantity: Count


def _within_life(dies_at: Instant | None, given: ValidationInfo) -> Instant | None:
    if dies_at is not None:
        expires_at = given.data.get("expires_at")
        if expires_at is None or expires_at > dies_at:
            raise ValueError("needs an expires_at that is not later")
    return dies_at


class PlaceHolds(Command):
    """Hold every line or none. `expires_at` None places holds that only a command ends.

    No extension goes past `dies_at`. `channel` is the seller whose quota counts. `slots` are claimed with the goods or
    not at all; if they are all that the owner's holds expire, what he still claims is given back.
    """

    kind: Literal["place_holds"] = "place_holds"
    lines: tuple[HoldRequest, ...] = Field(min_length=1)
    expires_at: Instant | None = None
    dies_at: Instant | None = None
    channel: ChannelId | None = None
    slots: tuple[SlotRequest, ...] = ()

    _dies_later = field_validator("dies_at")(_within_life)

    def canonical_json(self) -> str:
        """Without what this command got later and does not use: its digest stays what it was."""
        return _without(_PLACE_UNUSED, super().canonical_json())


_PLACE_UNUSED: Final = ',"dies_at":null,"channel":null,"slots":[]}'
_CHANNELS_UNUSED: Final = ',"channels":[]}'
_REPLACE_UNUSED: Final = ',"dies_at":null,"channel":null,"slots":[],"release_slots":[]}'


def _without(unused: str, text: str) -> str:
    return text[: -len(unused)] + "}" if text.endswith(unused) else text


class ReplaceHolds(Command):
    """Release open holds and place others in one step: what is released is free for the new lines.

    All or nothing: if a new line does not fit, the old holds stay as they are.
    """

    kind: Literal["replace_holds"] = "replace_holds"
    release: tuple[Identifier, ...]
    place: tuple[HoldRequest, ...]
    expires_at: Instant | None = None
    dies_at: Instant | None = None
    channel: ChannelId | None = None
    slots: tuple[SlotRequest, ...] = ()
    release_slots: tuple[ClaimRef, ...] = ()
    """Claims given back first: what they free can be claimed anew."""
    channels: tuple[tuple[Identifier, ChannelId], ...] = ()
    """(owner, channel) of owners whose channel is not `channel`, where orders of several exchange goods."""

    _dies_later = field_validator("dies_at")(_within_life)

    def canonical_json(self) -> str:
        """Without what this command got later and does not use: its digest stays what it was."""
        return _without(_REPLACE_UNUSED, _without(_CHANNELS_UNUSED, super().canonical_json()))


class ConfirmHolds(Command):
    """Make placed holds firm: they no longer expire."""

    kind: Literal["confirm_holds"] = "confirm_holds"
    holds: tuple[Identifier, ...] = Field(min_length=1)


class ReleaseHolds(Command):
    """Give the pending units of open holds back to the pool."""

    kind: Literal["release_holds"] = "release_holds"
    holds: tuple[Identifier, ...] = Field(min_length=1)


class Issue(Value):
    """So many units of a hold leave the node."""

    hold: Identifier
    quantity: Quantity


class IssueHolds(Command):
    """Held goods leave the pool: shipped, handed over, collected. A hold may be issued in several parts."""

    kind: Literal["issue_holds"] = "issue_holds"
    lines: tuple[Issue, ...] = Field(min_length=1)
    reference: Text | None = None


class Displaced(Value):
    """A promise that the physical world took away: these units of this hold were released by the pool."""

    hold: Identifier
    owner: Identifier
    line: Identifier
    sku: Sku
    node: NodeId
    quantity: Quantity


class Shortage(Value):
    """Units sold that the book never had; a count task is open for the row."""

    sku: Sku
    node: NodeId
    quantity: Quantity


class Correction(Value):
    """The book of a row was changed by so many units (below 0: fewer) without goods moving."""

    sku: Sku
    node: NodeId
    condition: str
    quantity: int


class StockAnswer(Value):
    """The answer to one stock command, stored with its key and given again word for word."""

    version: Literal[1] = 1
    key: Key
    kind: str
    refusals: tuple[Refusal, ...] = ()
    holds: tuple[Hold, ...] = ()
    """Holds after the command: those it placed, in the order of its lines, then those it changed."""
    displaced: tuple[Displaced, ...] = ()
    shortages: tuple[Shortage, ...] = ()
    claims: tuple[SlotClaim, ...] = ()
    """Claims of nodes' slots that the command changed, as they stand after it."""
    backorders: tuple[Backorder, ...] = ()
    """Promises ahead of stock after the command: placed or changed by it."""
    corrections: tuple[Correction, ...] = ()
    """What a count, a feed or an arrival changed in the book without goods moving."""
    row_refusals: tuple[Refusal, ...] = ()
    """Rows of a feed that were passed over; the others were applied."""

    @property
    def applied(self) -> bool:
        """Whether the command took effect."""
        return not self.refusals
