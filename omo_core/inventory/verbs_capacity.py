"""Verbs of capacity: what nodes can take is set, claimed with the goods, given back, and worked off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from omo_core.inventory.capacity import Capacity, Claim, Slot, SlotKey, slot_key
from omo_core.inventory.verb import Outcome, Verb
from omo_core.inventory.working import WorkingSet
from omo_core.model.promised import ClaimRef, SlotClaim, SlotRequest
from omo_core.model.promises import FinishSlots, ReleaseSlots, SetCapacity
from omo_core.model.refusals import Refusal
from omo_core.storage.clock import from_us, to_us


def refusals_of_slots(
    work: WorkingSet, requests: Sequence[SlotRequest], released: Sequence[ClaimRef] = ()
) -> tuple[Refusal, ...]:
    """Why the work cannot be claimed, what is released being free for it; nothing where it can."""
    capacity = work.annex(Capacity)
    freed: dict[SlotKey, int] = {}
    claims, refusals = _held_claims(capacity, released)
    for claim in claims:
        key = (claim.node, claim.slot_at_us)
        freed[key] = freed.get(key, 0) + claim.held
    wanted: dict[SlotKey, int] = {}
    for request in requests:
        key = slot_key(request)
        wanted[key] = wanted.get(key, 0) + request.units
    strangers = dict.fromkeys(node for node, _ in wanted if node not in capacity.nodes)
    refusals.extend(Refusal.of("unknown_node", node=node) for node in strangers)
    for key, units in wanted.items():
        slot = capacity.slots.get(key) or Slot(*key)
        refusal = decide_claim(slot, units, freed.get(key, 0))
        if refusal is not None and slot.node not in strangers:
            refusals.append(refusal)
    return tuple(refusals)


def decide_claim(slot: Slot, units: int, freed: int = 0) -> Refusal | None:
    """None where so much work fits into the slot, `freed` being given back in the same step."""
    free = slot.capacity - slot.used + freed
    if units <= free:
        return None
    slot_at = from_us(slot.slot_at_us).isoformat()
    return Refusal.of("no_capacity", node=slot.node, slot_at=slot_at, wanted=units, available=free)


def change_claims(
    work: WorkingSet, requests: Iterable[SlotRequest], released: Sequence[ClaimRef] = ()
) -> tuple[SlotClaim, ...]:
    """Release, then claim, as was decided; the claims that changed, as they stand then."""
    capacity = work.annex(Capacity)
    claims, _ = _held_claims(capacity, released)
    for claim in claims:
        capacity.release(claim)
    changed = [*(capacity.claim(request) for request in requests), *claims]
    once = {id(claim): claim for claim in changed}
    return tuple(claim.value() for claim in once.values())


def _held_claims(capacity: Capacity, refs: Sequence[ClaimRef]) -> tuple[list[Claim], list[Refusal]]:
    """The claims meant, each once. A slot that is named and not held is refused; 'all there are' may be none."""
    claims: dict[int, Claim] = {}
    refusals: list[Refusal] = []
    for ref in refs:
        found = capacity.held(ref)
        claims.update((id(claim), claim) for claim in found)
        if not found and ref.node is not None and ref.slot_at is not None:
            slot_at = ref.slot_at.isoformat()
            refusals.append(Refusal.of("no_slot_claim", owner=ref.owner, node=ref.node, slot_at=slot_at))
    return list(claims.values()), refusals


def _release(work: WorkingSet, _operation_id: str, command: ReleaseSlots) -> Outcome:
    _, refusals = _held_claims(work.annex(Capacity), command.claims)
    if refusals:
        return Outcome(tuple(refusals))
    return Outcome(claims=change_claims(work, (), command.claims))


def _finish(work: WorkingSet, _operation_id: str, command: FinishSlots) -> Outcome:
    claims, refusals = _held_claims(work.annex(Capacity), command.claims)
    if refusals:
        return Outcome(tuple(refusals))
    for claim in claims:
        claim.done += claim.held
        claim.held = 0
    return Outcome(claims=tuple(claim.value() for claim in claims))


def _set(work: WorkingSet, _operation_id: str, command: SetCapacity) -> Outcome:
    capacity = work.annex(Capacity)
    refusals = [
        Refusal.of("unknown_node", node=node)
        for node in dict.fromkeys(slot.node for slot in command.slots)
        if node not in capacity.nodes
    ]
    wanted = {(slot.node, to_us(slot.slot_at)): slot.capacity for slot in command.slots}
    for (node, slot_at_us), units in wanted.items():
        used = capacity.slots[node, slot_at_us].used if (node, slot_at_us) in capacity.slots else 0
        if used > units:
            slot_at = from_us(slot_at_us).isoformat()
            refusals.append(Refusal.of("capacity_below_used", node=node, slot_at=slot_at, used=used, wanted=units))
    if refusals:
        return Outcome(tuple(refusals))
    for key, units in wanted.items():
        slot = capacity.slots.setdefault(key, Slot(*key))
        if not slot.version or slot.capacity != units:
            slot.change(capacity=units - slot.capacity)
    return Outcome()


VERBS: Final[Mapping[type, Verb]] = {
    SetCapacity: Verb(_set),
    ReleaseSlots: Verb(_release),
    FinishSlots: Verb(_finish),
}
