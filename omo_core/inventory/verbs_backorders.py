"""Verbs of promises ahead of stock: allowed, made, given up, and turned into holds when goods come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.inventory.backorders import Backorders, CapKey, CapRow, Waiting, cap_key
from omo_core.inventory.quotas import Quotas
from omo_core.inventory.verb import Outcome, Verb
from omo_core.inventory.working import Cell, HeldUnits, WorkingSet
from omo_core.model.promises import ConvertBackorders, PlaceBackorders, ReleaseBackorders, SetBackorderCap
from omo_core.model.refusals import Refusal
from omo_core.model.stock import SELLABLE, HoldRequest
from omo_core.storage.clock import to_us


def _set_cap(work: WorkingSet, _operation_id: str, command: SetBackorderCap) -> Outcome:
    ahead = work.annex(Backorders)
    key = cap_key(command)
    cap = ahead.caps.get(key)
    if cap is None:
        if refusals := _unknown(ahead, [key]):
            return Outcome(refusals)
        cap = CapRow(*key, kind="", cap=0, promised=0, opens_at_us=None, closes_at_us=None, version=1)
    elif cap.promised > command.cap:
        refusal = Refusal.of("cap_below_promised", sku=command.sku, promised=cap.promised, wanted=command.cap)
        return Outcome((refusal,))
    cap.kind, cap.cap = command.backorder_kind.value, command.cap
    cap.opens_at_us = None if command.opens_at is None else to_us(command.opens_at)
    cap.closes_at_us = None if command.closes_at is None else to_us(command.closes_at)
    ahead.caps[key] = cap
    return Outcome()


def _place(work: WorkingSet, operation_id: str, command: PlaceBackorders) -> Outcome:
    ahead = work.annex(Backorders)
    sums: dict[CapKey, int] = {}
    for line in command.lines:
        key = cap_key(line)
        sums[key] = sums.get(key, 0) + line.quantity
    refusals = _unknown(ahead, list(sums))
    refusals = refusals or tuple(
        refusal
        for key, quantity in sums.items()
        if (refusal := decide_ahead(ahead.caps.get(key), key[0], quantity, work.now_us)) is not None
    )
    if refusals:
        return Outcome(refusals)
    placed = [ahead.place(work, operation_id, line, command.channel) for line in command.lines]
    return Outcome(backorders=tuple(one.value() for one in placed))


def decide_ahead(cap: CapRow | None, sku: str, quantity: int, now_us: int) -> Refusal | None:
    """None where so many units may be promised ahead of stock now."""
    if cap is None or not cap.is_open(now_us):
        return Refusal.of("backorders_closed", sku=sku)
    available = cap.cap - cap.promised
    if quantity > available:
        return Refusal.of("backorder_cap_reached", sku=sku, wanted=quantity, available=available)
    return None


def _release(work: WorkingSet, _operation_id: str, command: ReleaseBackorders) -> Outcome:
    ahead = work.annex(Backorders)
    wanted: dict[str, int | None] = {}
    for line in command.lines:
        so_far = wanted.get(line.backorder, 0)
        wanted[line.backorder] = None if line.quantity is None or so_far is None else so_far + line.quantity
    refusals = [
        refusal
        for one, quantity in wanted.items()
        if (refusal := decide_release(ahead.backorders.get(one), one, quantity)) is not None
    ]
    if refusals:
        return Outcome(tuple(refusals))
    changed = [ahead.backorders[one] for one in wanted]
    for waiting in changed:
        quantity = wanted[waiting.backorder]
        ahead.close(waiting, released=waiting.open if quantity is None else quantity)
    return Outcome(backorders=tuple(one.value() for one in changed))


def decide_release(waiting: Waiting | None, backorder: str, quantity: int | None) -> Refusal | None:
    """None where the backorder has so many open units; None units: any."""
    if waiting is None:
        return Refusal.of("unknown_backorder", backorder=backorder)
    if not waiting.open:
        return Refusal.of("backorder_not_open", backorder=backorder)
    if quantity is not None and quantity > waiting.open:
        return Refusal.of("exceeds_open", backorder=backorder, open=waiting.open, wanted=quantity)
    return None


def _convert(work: WorkingSet, operation_id: str, command: ConvertBackorders) -> Outcome:
    cell = (command.sku, command.node, SELLABLE)
    if refusals := work.unknown([cell]):
        return Outcome(refusals)
    row = work.rows.get(cell)
    if row is None:
        return Outcome()
    if row.halted:
        return Outcome((Refusal.of("row_halted", sku=command.sku, node=command.node),))
    expires_at_us = None if command.expires_at is None else to_us(command.expires_at)
    ahead, quotas, reserved = work.annex(Backorders), work.annex(Quotas), row.reserved
    converted: list[tuple[Waiting, HeldUnits]] = []
    for waiting in ahead.in_line(command.sku, command.node)[: command.limit]:
        if row.free <= 0:
            break
        units = min(waiting.open, quotas.room(work, cell, waiting.channel))
        if not units:
            continue
        request = HoldRequest(owner=waiting.owner, line=waiting.line, sku=cell[0], node=cell[1], quantity=units)
        hold = work.place(operation_id, request, expires_at_us, None, waiting.channel)
        quotas.count(work, hold)
        ahead.close(waiting, converted=units)
        converted.append((waiting, hold))
        row.reserved += units  # what is decided next must see it; the one ledger line of all follows below
    taken, row.reserved = row.reserved - reserved, reserved
    work.post(operation_id, cell, reserved=taken)
    return Outcome(
        holds=tuple(hold.value() for _, hold in converted), backorders=tuple(one.value() for one, _ in converted)
    )


def _all_that_is_free(command: ConvertBackorders, work: WorkingSet) -> Mapping[Cell, int]:
    cell = (command.sku, command.node, SELLABLE)
    row = work.rows.get(cell)
    # Safety stock is not deducted: a command before this one may give it up.
    return {cell: 0 if row is None else row.on_hand - row.reserved}


def _unknown(ahead: Backorders, keys: list[CapKey]) -> tuple[Refusal, ...]:
    """A refusal for each item and node that the pool does not know; what has a cap is known."""
    strangers = [key for key in keys if key not in ahead.caps]
    skus = dict.fromkeys(sku for sku, _ in strangers if sku not in ahead.skus)
    nodes = dict.fromkeys(node for _, node in strangers if node not in ahead.nodes)
    return (
        *(Refusal.of("unknown_sku", sku=sku) for sku in skus),
        *(Refusal.of("unknown_node", node=node) for node in nodes),
    )


VERBS: Final[Mapping[type, Verb]] = {
    SetBackorderCap: Verb(_set_cap),
    PlaceBackorders: Verb(_place),
    ReleaseBackorders: Verb(_release),
    ConvertBackorders: Verb(
        _convert, cells=lambda command: [(command.sku, command.node, SELLABLE)], takes=_all_that_is_free
    ),
}
