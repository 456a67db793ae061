"""The commands that change promises: their time and parts, channels' quotas, nodes' capacity, goods still to come."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from omo_core.model.network import enum_of
from omo_core.model.promised import BackorderKind, ClaimRef, QuotaKind
from omo_core.model.stock import Command
from omo_core.model.values import ChannelId, Count, Identifier, Instant, NodeId, Quantity, Sku, Value


class ExtendHolds(Command):
    """Let placed holds last until `expires_at`; all or none.

    Only a hold that has an expiry and is not past it can be extended, to a later time that is within its maximum life,
    and only as often as the pool allows.
    """

    kind: Literal["extend_holds"] = "extend_holds"
    holds: tuple[Identifier, ...] = Field(min_length=1)
    expires_at: Instant


class PartOfHold(Value):
    """So many units of a hold."""

    hold: Identifier
    quantity: Quantity


class ReleaseUnits(Command):
    """Give some of the pending units of open holds back to the pool; lines of one hold are summed."""

    kind: Literal["release_units"] = "release_units"
    lines: tuple[PartOfHold, ...] = Field(min_length=1)


class SetQuota(Command):
    """Give a channel its part of an item, or change it; what a new quota counts begins with the next hold."""

    kind: Literal["set_quota"] = "set_quota"
    sku: Sku
    channel: ChannelId
    quota_kind: Annotated[QuotaKind, enum_of(QuotaKind)]
    units: Count
    gives_back_at: Instant | None = None


class DropQuota(Command):
    """Let a channel share what is free again."""

    kind: Literal["drop_quota"] = "drop_quota"
    sku: Sku
    channel: ChannelId


class SlotCapacity(Value):
    """Work that a node can take in the slot that begins at `slot_at`."""

    node: NodeId
    slot_at: Instant
    capacity: Count


def _each_slot_once(slots: tuple[SlotCapacity, ...]) -> tuple[SlotCapacity, ...]:
    if len({(slot.node, slot.slot_at) for slot in slots}) < len(slots):
        raise ValueError("names a slot twice; give each its capacity once")
    return slots


class SetCapacity(Command):
    """Say what nodes can take in their slots; never less than is claimed. All or none."""

    kind: Literal["set_capacity"] = "set_capacity"
    slots: Annotated[tuple[SlotCapacity, ...], Field(min_length=1), AfterValidator(_each_slot_once)]


class ReleaseSlots(Command):
    """Give claimed work back. Naming a slot of which the owner holds nothing is refused; naming fewer parts is not."""

    kind: Literal["release_slots"] = "release_slots"
    claims: tuple[ClaimRef, ...] = Field(min_length=1)


class FinishSlots(Command):
    """Claimed work was done, and stays counted in its slot; refusals as for `ReleaseSlots`."""

    kind: Literal["finish_slots"] = "finish_slots"
    claims: tuple[ClaimRef, ...] = Field(min_length=1)


class SetBackorderCap(Command):
    """Say how much of an item may be promised ahead of stock; never less than is promised already."""

    kind: Literal["set_backorder_cap"] = "set_backorder_cap"
    sku: Sku
    node: NodeId | None = None
    """The node that the goods will come to; None: any."""
    backorder_kind: Annotated[BackorderKind, enum_of(BackorderKind)] = BackorderKind.BACKORDER
    cap: Count
    opens_at: Instant | None = None
    closes_at: Instant | None = None

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> SetBackorderCap:
        if self.opens_at is not None and self.closes_at is not None and self.opens_at >= self.closes_at:
            raise ValueError("closes_at must be later than opens_at")
        return self


class BackorderRequest(Value):
    """One promise ahead of stock: for whom, what, how many, from which node (None: any), and for when."""

    owner: Identifier
    line: Identifier
    sku: Sku
    node: NodeId | None = None
    quantity: Quantity
    promised_for: Instant | None = None


class PlaceBackorders(Command):
    """Promise every line ahead of stock or none; `channel` is that of the holds they become."""

    kind: Literal["place_backorders"] = "place_backorders"
    lines: tuple[BackorderRequest, ...] = Field(min_length=1)
    channel: ChannelId | None = None


class PartOfBackorder(Value):
    """So many open units of a backorder; None: all of them."""

    backorder: Identifier
    quantity: Quantity | None = None


class ReleaseBackorders(Command):
    """Give up promises of goods still to come, in whole or in part; lines of one backorder are summed."""

    kind: Literal["release_backorders"] = "release_backorders"
    lines: tuple[PartOfBackorder, ...] = Field(min_length=1)


class ConvertBackorders(Command):
    """Turn the oldest backorders of an item into holds at a node, as far as its free units go.

    Those that wait for this node and those that wait for any come in one line, by age. The last one may be converted in
    part. What a quota keeps from one backorder's channel is left for the next in line.
    """

    kind: Literal["convert_backorders"] = "convert_backorders"
    sku: Sku
    node: NodeId
    expires_at: Instant | None = None
    limit: Annotated[int, Field(gt=0, le=10_000)] = 1_000
    """Most backorders looked at."""


PromiseCommand = (
    ExtendHolds
    | ReleaseUnits
    | SetQuota
    | DropQuota
    | SetCapacity
    | ReleaseSlots
    | FinishSlots
    | SetBackorderCap
    | PlaceBackorders
    | ReleaseBackorders
    | ConvertBackorders
)
