"""What may be promised beside goods that are there: channels' quotas, nodes' capacity, and goods still to come."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from omo_core.model.network import enum_of
from omo_core.model.values import ChannelId, Count, Identifier, Instant, NodeId, Quantity, Sku, Value


class QuotaKind(StrEnum):
    """How a channel's part of an item is meant: kept for it alone, or all that it may take."""

    RING_FENCED = "ring_fenced"
    CAPPED = "capped"


class Quota(Value):
    """A channel's part of an item in the whole pool; a channel without one shares what is free.

    `used` counts the pending and issued units of holds placed under this quota: issuing never lowers it, releasing
    does. From `gives_back_at` on the quota is over: it restricts nobody and counts nothing more.
    """

    sku: Sku
    channel: ChannelId
    kind: Annotated[QuotaKind, enum_of(QuotaKind)]
    units: Count
    used: int
    gives_back_at: Instant | None = None
    version: int

    @property
    def unused(self) -> int:
        """Units of it that the channel has not taken yet; a ring-fenced channel may take more than its part."""
        return max(0, self.units - self.used)


class SlotRequest(Value):
    """Work to be reserved for an owner at a node, in the slot that begins at `slot_at`; in the host's units of work."""

    owner: Identifier
    node: NodeId
    slot_at: Instant
    units: Quantity


class ClaimRef(Value):
    """Which claims of an owner are meant: one slot's, all at a node (`slot_at` None), or all (`node` None too)."""

    owner: Identifier
    node: NodeId | None = None
    slot_at: Instant | None = None


class SlotClaim(Value):
    """What an owner claimed of a slot: `held` and `done` work counts as used, `released` work does not."""

    owner: Identifier
    node: NodeId
    slot_at: Instant
    held: Count
    done: Count
    released: int


class SlotLevel(Value):
    """A slot as it stands; one that was never set has no capacity."""

    node: NodeId
    slot_at: Instant
    capacity: int
    used: int
    version: int

    @property
    def free(self) -> int:
        """Units of work that can still be claimed."""
        return self.capacity - self.used


class BackorderKind(StrEnum):
    """Why goods are promised before they are there: they ran out, or they were never on sale yet."""

    BACKORDER = "backorder"
    PREORDER = "preorder"


class BackorderCap(Value):
    """How much of an item may be promised ahead of stock, for one node or (`node` None) from wherever it comes to.

    `promised` is what open backorders wait for. Promises are made from `opens_at` on and before `closes_at`.
    """

    sku: Sku
    node: NodeId | None = None
    kind: Annotated[BackorderKind, enum_of(BackorderKind)]
    cap: Count
    promised: int
    opens_at: Instant | None = None
    closes_at: Instant | None = None
    version: int


class Backorder(Value):
    """Goods promised to an owner's line before they are there: quantity = open + converted + released."""

    backorder: Identifier
    owner: Identifier
    line: Identifier
    sku: Sku
    node: NodeId | None = None
    channel: ChannelId | None = None
    quantity: Quantity
    open: Count
    converted: Count
    """Units that became holds when goods came."""
    released: Count
    promised_for: Instant | None = None
