"""Capacity: what nodes can take in their slots, what of it is claimed, and claims that end with their owner's holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import select

from omo_core.inventory.working import HeldUnits, WorkingSet
from omo_core.model.errors import InvariantViolation
from omo_core.model.promised import ClaimRef, SlotClaim, SlotLevel, SlotRequest
from omo_core.model.promises import FinishSlots, ReleaseSlots, SetCapacity
from omo_core.model.stock import PlaceHolds, ReplaceHolds
from omo_core.storage import tables
from omo_core.storage.catalogue import known_nodes
from omo_core.storage.clock import from_us, to_us
from omo_core.storage.transaction import Transaction

SlotKey = tuple[str, int]
"""(node, start of the slot in microseconds since 1970 UTC)"""

_SLOT_KEY: Final = ("node", "slot_at_us")
_SLOT_COLUMNS: Final = (*_SLOT_KEY, "capacity", "used", "version")
_CLAIM_KEY: Final = ("owner", "node", "slot_at_us")
_CLAIM_COLUMNS: Final = (*_CLAIM_KEY, "held", "done", "released")

_OF_CLAIMS: Final = frozenset({FinishSlots, ReleaseSlots})


@dataclass(slots=True)
class Slot:
    """One slot as the batch has changed it so far, and the version it was read with (0: not stored yet)."""

    node: str
    slot_at_us: int
    capacity: int = 0
    used: int = 0
    version: int = 0
    stored: tuple[int, int, int] = (0, 0, 0)

    def change(self, *, capacity: int = 0, used: int = 0) -> None:
        """Change the counters; the version counts the changes."""
        self.capacity += capacity
        self.used += used
        self.version += 1


@dataclass(slots=True)
class Claim:
    """What one owner has of one slot, as the batch has changed it so far."""

    owner: str
    node: str
    slot_at_us: int
    held: int = 0
    done: int = 0
    released: int = 0
    stored: tuple[int, int, int] | None = None

    @property
    def counters(self) -> tuple[int, int, int]:
        """(held, done, released)"""
        return self.held, self.done, self.released

    def value(self) -> SlotClaim:
        """The claim as a noun of the model."""
        slot_at = from_us(self.slot_at_us)
        held, done, released = self.counters
        return SlotClaim(owner=self.owner, node=self.node, slot_at=slot_at, held=held, done=done, released=released)


@dataclass(slots=True)
class Capacity:
    """The slots that a batch names, locked, and the claims on them; empty for batches that name none.

    A claim changes only under the lock of its slot's row.
    """

    slots: dict[SlotKey, Slot] = field(default_factory=dict)
    claims: dict[tuple[str, str, int], Claim] = field(default_factory=dict)
    by_owner: dict[str, list[Claim]] = field(default_factory=dict)
    nodes: set[str] = field(default_factory=set)
    """The known ones among the nodes whose slots are not stored yet."""

    @classmethod
    def load(cls, tx: Transaction, work: WorkingSet, commands: Sequence[Any]) -> Self:  # noqa: ARG003
        """Lock the slots that the commands name, and those of their owners' claims, in key order."""
        requests: list[SlotRequest] = []
        owners: set[str] = set()
        settings: list[SlotKey] = []
        for command in commands:
            kind = type(command)
            if kind is PlaceHolds or kind is ReplaceHolds:
                requests += command.slots
                if kind is ReplaceHolds:
                    owners.update(ref.owner for ref in command.release_slots)
            elif kind in _OF_CLAIMS:
                owners.update(ref.owner for ref in command.claims)
            elif kind is SetCapacity:
                settings.extend((slot.node, to_us(slot.slot_at)) for slot in command.slots)
        if not (requests or owners or settings):
            return cls()
        claims = {(one.owner, *slot_key(one)) for one in requests}
        capacity = cls._locked(tx, owners, claims, settings)
        missing = {node for node, _ in (*settings, *map(slot_key, requests))} - {node for node, _ in capacity.slots}
        if missing:
            capacity.nodes = known_nodes(tx, sorted(missing))
        capacity.nodes.update(node for node, _ in capacity.slots)
        return capacity

    @classmethod
    def of_owners(cls, tx: Transaction, owners: Iterable[str]) -> Self:
        """Lock the slots on which the owners hold claims."""
        return cls._locked(tx, owners, set(), ())

    @classmethod
    def _locked(
        cls, tx: Transaction, owners: Iterable[str], claims: set[tuple[str, str, int]], slots: Iterable[SlotKey]
    ) -> Self:
        owned = tx.select(tables.slot_claim, (*_CLAIM_KEY, "held"), ("owner",), [(owner,) for owner in owners])
        claims = claims | {(owner, node, slot_at_us) for owner, node, slot_at_us, held in owned if held}
        capacity = cls()
        keys = {*slots, *((node, slot_at_us) for _, node, slot_at_us in claims)}
        for row in tx.select(tables.capacity_slot, _SLOT_COLUMNS, _SLOT_KEY, keys, lock=True):
            slot = capacity.slots[row.node, row.slot_at_us] = Slot(*row)
            slot.stored = (slot.capacity, slot.used, slot.version)
        # Read in a statement of its own: only now nobody else can change them. A claim that came meanwhile, on a slot
        # that is not locked here, came later than this batch.
        for row in tx.select(tables.slot_claim, _CLAIM_COLUMNS, _CLAIM_KEY, claims):
            claim = capacity._keep(Claim(*row))
            claim.stored = claim.counters
        return capacity

    def _keep(self, claim: Claim) -> Claim:
        self.claims[claim.owner, claim.node, claim.slot_at_us] = claim
        self.by_owner.setdefault(claim.owner, []).append(claim)
        return claim

    def held(self, ref: ClaimRef) -> list[Claim]:
        """The claims meant of which something is held."""
        slot_at_us = None if ref.slot_at is None else to_us(ref.slot_at)
        return [
            claim
            for claim in self.by_owner.get(ref.owner, ())
            if claim.held and ref.node in (None, claim.node) and slot_at_us in (None, claim.slot_at_us)
        ]

    def claim(self, request: SlotRequest) -> Claim:
        """Claim what was decided to be free."""
        key = slot_key(request)
        claim = self.claims.get((request.owner, *key)) or self._keep(Claim(request.owner, *key))
        claim.held += request.units
        self.slots[key].change(used=request.units)
        return claim

    def release(self, claim: Claim) -> None:
        """Give back what is held."""
        self.slots[claim.node, claim.slot_at_us].change(used=-claim.held)
        claim.released += claim.held
        claim.held = 0

    def record(self, tx: Transaction) -> None:
        """Write changed slots and claims; raises `InvariantViolation` where a locked one was changed meanwhile."""
        slots = [slot for _, slot in sorted(self.slots.items()) if slot.version != slot.stored[2]]
        known = [
            {
                "node": slot.node,
                "slot_at_us": slot.slot_at_us,
                "version": slot.stored[2],
                "capacity": slot.capacity,
                "used": slot.used,
                "next_version": slot.version,
            }
            for slot in slots
            if slot.stored[2]
        ]
        changes = {"capacity": "capacity", "used": "used", "version": "next_version"}
        matched = tx.update(tables.capacity_slot, known, keys=(*_SLOT_KEY, "version"), changes=changes)
        _require(matched, len(known), "slots")
        fresh = [(one.node, one.slot_at_us, one.capacity, one.used, one.version) for one in slots if not one.stored[2]]
        tx.insert_tuples(tables.capacity_slot, _SLOT_COLUMNS, fresh)
        self._record_claims(tx)

    def _record_claims(self, tx: Transaction) -> None:
        changed = [claim for _, claim in sorted(self.claims.items()) if claim.counters != claim.stored]
        new = [(one.owner, one.node, one.slot_at_us, *one.counters) for one in changed if one.stored is None]
        tx.insert_tuples(tables.slot_claim, _CLAIM_COLUMNS, new)
        known = [
            dict(
                zip(
                    (*_CLAIM_COLUMNS, "was_held"),
                    (one.owner, one.node, one.slot_at_us, *one.counters, was),
                    strict=True,
                )
            )
            for one in changed
            if one.stored is not None
            for was in one.stored[:1]
        ]
        keys = {name: name for name in _CLAIM_KEY} | {"held": "was_held"}
        matched = tx.update(tables.slot_claim, known, keys=keys, changes=("held", "done", "released"))
        _require(matched, len(known), "slot claims")


def slot_key(named: SlotRequest | SlotLevel) -> SlotKey:
    """The key of the slot that a request names."""
    return named.node, to_us(named.slot_at)


def slot_levels(tx: Transaction, slots: Iterable[tuple[str, datetime]]) -> list[SlotLevel]:
    """Each (node, start) asked for as it stands, in the order asked; one statement for any number of them."""
    keys = [(node, to_us(slot_at)) for node, slot_at in slots]
    found = {(row.node, row.slot_at_us): row for row in tx.select(tables.capacity_slot, _SLOT_COLUMNS, _SLOT_KEY, keys)}
    levels = []
    for node, slot_at_us in keys:
        _, _, capacity, used, version = found.get((node, slot_at_us), (node, slot_at_us, 0, 0, 0))
        slot_at = from_us(slot_at_us)
        levels.append(SlotLevel(node=node, slot_at=slot_at, capacity=capacity, used=used, version=version))
    return levels


def slots_begun(tx: Transaction, hours: int) -> list[SlotLevel]:
    """Each node's slot that began last and not longer than so many hours ago, in order of the nodes."""
    slot = tables.capacity_slot.c
    since_us = tx.now_us - hours * 3_600_000_000
    query = (
        select(*(slot[name] for name in _SLOT_COLUMNS))
        .where(slot.pool_id == tx.pool, slot.slot_at_us > since_us, slot.slot_at_us <= tx.now_us)
        .order_by(slot.node, slot.slot_at_us)
    )
    last = {row.node: row for row in tx.connection.execute(query)}
    return [
        SlotLevel(node=node, slot_at=from_us(row.slot_at_us), capacity=row.capacity, used=row.used, version=row.version)
        for node, row in last.items()
    ]


def has_claims(tx: Transaction) -> bool:
    """Whether anybody ever claimed of a slot."""
    claim = tables.slot_claim.c
    return tx.connection.execute(select(claim.owner).where(claim.pool_id == tx.pool).limit(1)).first() is not None


def claims_of(tx: Transaction, owners: Iterable[str]) -> list[SlotClaim]:
    """Every claim of the owners, in order of owner, node and slot."""
    rows = tx.select(tables.slot_claim, _CLAIM_COLUMNS, ("owner",), [(owner,) for owner in owners])
    return [Claim(*row).value() for row in rows]


def end_claims(tx: Transaction, work: WorkingSet, ended: Sequence[HeldUnits]) -> list[SlotClaim]:
    """Give back what owners claim whose last hold a sweep ended; owners with another open hold keep theirs.

    The stock rows of `ended` are locked. Whether the owner has other holds is read once the slots are locked too: of two
    sweeps that end an owner's last two holds, the second one sees what the first one did.
    """
    capacity = Capacity.of_owners(tx, {hold.owner for hold in ended})
    work.annexes[Capacity] = capacity
    if not capacity.claims:
        return []
    gone = {hold.hold for hold in ended}
    rows = tx.select(tables.hold, ("hold", "owner", "pending"), ("owner",), [(owner,) for owner in capacity.by_owner])
    waiting = {row.owner for row in rows if row.pending and row.hold not in gone}
    ending = [claim for claim in capacity.claims.values() if claim.held and claim.owner not in waiting]
    for claim in ending:
        capacity.release(claim)
    return [claim.value() for claim in ending]


def _require(matched: int, wanted: int, what: str) -> None:
    if matched != wanted:
        raise InvariantViolation(
            f"{wanted - matched} of {wanted} {what} changed while they were locked; nothing was applied. "
            "Something writes to the capacity tables around the library: stop it and run `omo audit`."
        )
