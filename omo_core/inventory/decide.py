"""The decisions of the stock pool, pure: rows and holds in, an answer or a refusal out; nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from omo_core.inventory.working import Cell, HeldUnits, Row
from omo_core.model.refusals import Refusal
from omo_core.model.stock import HoldState
from omo_core.model.values import MAX_QUANTITY
from omo_core.storage.clock import from_us

OPEN_STATES = (HoldState.PLACED, HoldState.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Sale:
    """What a counter sale does to a row: units taken, units the book never had, promises it takes away."""

    taken: int
    shortage: int
    displaced: tuple[tuple[HeldUnits, int], ...] = ()


def decide_hold(row: Row, quantity: int, freed: int = 0) -> Refusal | None:
    """None where `quantity` units may be promised from the row, `freed` being released in the same step."""
    if row.halted:
        return Refusal.of("row_halted", sku=row.sku, node=row.node)
    free = row.free + freed
    if free < quantity:
        return Refusal.of("insufficient_stock", sku=row.sku, node=row.node, wanted=quantity, available=max(0, free))
    return None


def decide_sale(row: Row, quantity: int, open_holds: Iterable[HeldUnits] = ()) -> Sale:
    """How goods that already left are booked; never a refusal, because gone is gone.

    Safety stock does not protect against a sale that happened. Where free units are missing, the newest promises give
    way, in part where that is enough. `open_holds` may be left out where nothing needs displacing.
    """
    free = row.on_hand - row.reserved
    if quantity <= free:
        return Sale(taken=quantity, shortage=0)
    promises = sorted(open_holds, key=lambda hold: (hold.placed_at_us, hold.hold), reverse=True)
    # Reserved units that no hold explains are a broken row: the book keeps them, for the audit to find.
    unexplained = max(0, row.reserved - sum(hold.pending for hold in promises))
    taken = min(quantity, max(0, row.on_hand - unexplained))
    missing = taken - free
    displaced = []
    for hold in promises:
        if missing <= 0:
            break
        units = min(hold.pending, missing)
        if units:
            displaced.append((hold, units))
            missing -= units
    return Sale(taken=taken, shortage=quantity - taken, displaced=tuple(displaced))


def decide_limit(cell: Cell, on_hand: int) -> Refusal | None:
    """None where a row may hold so many units; more is taken for a defect of the sender, and must not overflow."""
    if on_hand > MAX_QUANTITY:
        return Refusal.of("quantity_limit", sku=cell[0], node=cell[1], on_hand=on_hand, most=MAX_QUANTITY)
    return None


def decide_reading(counted: int, moved: int) -> tuple[int, int]:
    """(on hand, shortage) of a row of which `counted` units were there when `moved` more or fewer had yet to move.

    What the book said then does not matter any more, nor what it was short of: the reading replaces both. More gone
    since than was there is a shortage again.
    """
    there = counted + moved
    return max(0, there), max(0, -there)


def decide_open(hold: HeldUnits | None, hold_id: str) -> Refusal | None:
    """None where the hold exists and still has pending units."""
    if hold is None:
        return Refusal.of("unknown_hold", hold=hold_id)
    if hold.state not in OPEN_STATES:
        return Refusal.of("hold_not_open", hold=hold_id, state=hold.state.value)
    return None


def decide_confirm(hold: HeldUnits, now_us: int) -> Refusal | None:
    """None where an open hold may become firm: one that is firm already may, one past its expiry may not."""
    if hold.expires_at_us is None or not is_expired(hold, now_us):
        return None
    return Refusal.of("hold_expired", hold=hold.hold, expired_at=from_us(hold.expires_at_us).isoformat())


def decide_issue(hold: HeldUnits, quantity: int) -> Refusal | None:
    """None where `quantity` units of an open hold may leave."""
    if quantity > hold.pending:
        return Refusal.of("exceeds_pending", hold=hold.hold, pending=hold.pending, wanted=quantity)
    return None


def decide_return(hold: HeldUnits | None, hold_id: str, quantity: int, skus: Iterable[str]) -> Refusal | None:
    """None where `quantity` units that left under a hold may come back, all of its item."""
    if hold is None:
        return Refusal.of("unknown_hold", hold=hold_id)
    if any(sku != hold.sku for sku in skus):
        return Refusal.of("hold_mismatch", hold=hold_id, sku=hold.sku, node=hold.node)
    if quantity > hold.issued - hold.returned:
        amounts = {"issued": hold.issued, "returned": hold.returned, "wanted": quantity}
        return Refusal.of("exceeds_issued", hold=hold_id, **amounts)
    return None


def decide_carried(row: Row, pending: int) -> Refusal | None:
    """None where the row's counters carry units that its holds say are pending; otherwise the row is broken."""
    if pending > row.reserved or pending > row.on_hand:
        return Refusal.of("row_halted", sku=row.sku, node=row.node)
    return None


def is_expired(hold: HeldUnits, now_us: int) -> bool:
    """Whether a placed hold is past its time; a confirmed one is a promise and never expires."""
    return hold.state is HoldState.PLACED and hold.expires_at_us is not None and hold.expires_at_us <= now_us
