"""Slots at sourcing: what nodes can still take in the slot that has begun, and what an order's work claims of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from omo_core.allocation import Assignment, NetworkIndex
from omo_core.allocation.policy_parts import SlotWork
from omo_core.inventory import claims_of, has_claims, slots_begun
from omo_core.model.promised import ClaimRef, SlotClaim
from omo_core.model.promises import ReleaseSlots
from omo_core.orders.entries import OrderEntry
from omo_core.storage.transaction import Transaction

SCOPE: Final = "omo.orders"
"""Scope of the stock commands that orders give; callers' own keys never meet them."""

Pieces = tuple[str, str, int]
"""(slot, node, units of work free), as a row of stock."""


@dataclass(frozen=True)
class Slots:
    """The slot of each node that has one, and what is free of it; orders' provisional claims count as free."""

    begun_at: Mapping[str, datetime] = field(default_factory=dict)
    free: Mapping[str, int] = field(default_factory=dict)
    claims: Mapping[str, Sequence[SlotClaim]] = field(default_factory=dict)
    """By order: what it gives back when it is decided again."""

    def rows(self) -> list[Pieces]:
        """What is free, as rows of stock."""
        return [(slot_name(at), node, self.free[node]) for node, at in self.begun_at.items()]

    def requests(self, order: str, assignments: Iterable[Assignment], work: SlotWork | None) -> list[dict[str, Any]]:
        """What the assignments of one delivery claim, as fields of slot requests."""
        if work is None or not self.begun_at:
            return []
        units: dict[str, int] = defaultdict(int)
        items: dict[str, set[str]] = defaultdict(set)
        for one in assignments:
            if one.node in self.begun_at:
                units[one.node] += one.quantity
                items[one.node].add(one.sku)
        pieces = {node: work.of(len(items[node]), number) for node, number in units.items()}
        return [
            {"owner": order, "node": node, "slot_at": self.begun_at[node], "units": number}
            for node, number in pieces.items()
        ]


def slot_name(begun_at: datetime) -> str:
    """A name for a slot where names of items stand; no item's has two lines."""
    return f"slot\n{begun_at.isoformat()}"


def read_slots(tx: Transaction, work: SlotWork | None, index: NetworkIndex, waiting: Iterable[OrderEntry]) -> Slots:
    """The slots as they stand; `waiting` are orders that give their provisional claims back."""
    if work is None:
        return Slots()
    found = [one for one in slots_begun(tx, work.hours) if one.node in index.position]
    begun_at = {one.node: one.slot_at for one in found}
    free = {one.node: one.free for one in found}
    claims = claims_to_end(tx, waiting)
    for claim in (one for own in claims.values() for one in own):
        if begun_at.get(claim.node) == claim.slot_at:
            free[claim.node] += claim.held
    return Slots(begun_at, free, claims)


def claims_to_end(tx: Transaction, entries: Iterable[OrderEntry]) -> dict[str, list[SlotClaim]]:
    """What each order has claimed at nodes where it has no live work (any more)."""
    orders = {entry.order_id: entry for entry in entries}
    if not orders or not has_claims(tx):
        return {}
    ending: dict[str, list[SlotClaim]] = defaultdict(list)
    for claim in claims_of(tx, orders):
        if claim.held and claim.node not in _nodes_at_work(orders[claim.owner]):
            ending[claim.owner].append(claim)
    return ending


def release_of(claims: Sequence[SlotClaim], key: str) -> list[ReleaseSlots]:
    """The command that gives claims of one order back, if there are any."""
    refs = tuple(ClaimRef(owner=one.owner, node=one.node, slot_at=one.slot_at) for one in claims)
    return [ReleaseSlots(key=f"release-slots/{key}", scope=SCOPE, claims=refs)] if refs else []


def _nodes_at_work(entry: OrderEntry) -> Collection[str]:
    return {one.node for one in entry.fulfilments.values() if one.live}
