"""Verbs of holds: goods are promised, the promise is made firm, changed, given back or kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from omo_core.inventory.decide import decide_carried, decide_confirm, decide_hold, decide_issue, decide_open
from omo_core.inventory.quotas import Quotas
from omo_core.inventory.verb import Outcome, Verb, cells_of_lines, sellable, summed, takes_lines
from omo_core.inventory.verbs_capacity import change_claims, refusals_of_slots
from omo_core.inventory.working import CUSTOMER, Cell, HeldUnits, Row, WorkingSet
from omo_core.model.promised import SlotClaim
from omo_core.model.promises import PartOfHold
from omo_core.model.refusals import Refusal
from omo_core.model.stock import (
    ConfirmHolds,
    HoldRequest,
    HoldState,
    Issue,
    IssueHolds,
    PlaceHolds,
    ReleaseHolds,
    ReplaceHolds,
)
from omo_core.storage.clock import to_us


def _place(work: WorkingSet, operation_id: str, command: PlaceHolds) -> Outcome:
    sums = summed(command.lines)
    refusals = _refusals_of_places(work, sums, {}) or work.annex(Quotas).refusals(work, command.lines, command.channel)
    if command.slots:
        refusals = refusals or refusals_of_slots(work, command.slots)
    if refusals:
        return Outcome(refusals)
    placed = _place_decided(work, operation_id, command, command.lines)
    for cell, quantity in sums.items():
        work.post(operation_id, cell, reserved=quantity)
    claims = change_claims(work, command.slots) if command.slots else ()
    return Outcome(holds=tuple(hold.value() for hold in placed), claims=claims)


def _replace(work: WorkingSet, operation_id: str, command: ReplaceHolds) -> Outcome:
    old, refusals = open_holds(work, command.release)
    freed = _pending_by_cell(old)
    sums = summed(command.place)
    refusals = refusals or _refusals_of_places(work, sums, freed)
    refusals = refusals or work.annex(Quotas).refusals(
        work, command.place, command.channel, old, dict(command.channels)
    )
    if command.slots or command.release_slots:
        refusals = refusals or refusals_of_slots(work, command.slots, command.release_slots)
    if refusals:
        return Outcome(refusals)
    changes = {cell: -units for cell, units in freed.items()}
    for cell, quantity in sums.items():
        changes[cell] = changes.get(cell, 0) + quantity
    for hold in old:
        hold.release(hold.pending, HoldState.RELEASED)
    placed = _place_decided(work, operation_id, command, command.place)
    for cell, change in changes.items():
        work.post(operation_id, cell, reserved=change)
    claims: tuple[SlotClaim, ...] = ()
    if command.slots or command.release_slots:
        claims = change_claims(work, command.slots, command.release_slots)
    return Outcome(holds=tuple(hold.value() for hold in [*placed, *old]), claims=claims)


def _confirm(work: WorkingSet, _operation_id: str, command: ConfirmHolds) -> Outcome:
    holds, refusals = open_holds(work, command.holds)
    refusals = refusals or tuple(
        refusal for hold in holds if (refusal := decide_confirm(hold, work.now_us)) is not None
    )
    if refusals:
        return Outcome(refusals)
    for hold in holds:
        hold.state = HoldState.CONFIRMED
        hold.expires_at_us = None
    return Outcome(holds=tuple(hold.value() for hold in holds))


def _release(work: WorkingSet, operation_id: str, command: ReleaseHolds) -> Outcome:
    holds, refusals = open_holds(work, command.holds)
    if refusals:
        return Outcome(refusals)
    end_holds(work, operation_id, holds, HoldState.RELEASED)
    return Outcome(holds=tuple(hold.value() for hold in holds))


def _issue(work: WorkingSet, operation_id: str, command: IssueHolds) -> Outcome:
    parts, refusals = parts_of_holds(work, command.lines)
    if refusals:
        return Outcome(refusals)
    for hold, units in parts:
        hold.issue(units)
    for cell, units in by_cell(parts).items():
        work.post(operation_id, cell, quantity=-units, reserved=-units)
        work.balance(operation_id, CUSTOMER, cell, units)
    return Outcome(holds=tuple(hold.value() for hold, _ in parts))


def end_holds(work: WorkingSet, operation_id: str, holds: Iterable[HeldUnits], end: HoldState) -> None:
    """Give every pending unit of open holds back to their rows and end the holds in `end`."""
    holds = list(holds)
    freed = _pending_by_cell(holds)
    for hold in holds:
        hold.release(hold.pending, end)
    for cell, units in freed.items():
        work.post(operation_id, cell, reserved=-units)


def parts_of_holds(
    work: WorkingSet, lines: Iterable[Issue | PartOfHold]
) -> tuple[list[tuple[HeldUnits, int]], tuple[Refusal, ...]]:
    """The named holds and the units named of each, if all are open and have so many pending; else the reasons."""
    units: dict[str, int] = {}
    for line in lines:
        units[line.hold] = units.get(line.hold, 0) + line.quantity
    holds, refusals = open_holds(work, units)
    refusals = refusals or tuple(
        refusal for hold in holds if (refusal := decide_issue(hold, units[hold.hold])) is not None
    )
    return [(hold, units[hold.hold]) for hold in holds], refusals


def by_cell(parts: Iterable[tuple[HeldUnits, int]]) -> dict[Cell, int]:
    """Units of holds, summed by the stock rows that carry them."""
    sums: dict[Cell, int] = {}
    for hold, units in parts:
        sums[hold.cell] = sums.get(hold.cell, 0) + units
    return sums


def open_holds(work: WorkingSet, hold_ids: Iterable[str]) -> tuple[list[HeldUnits], tuple[Refusal, ...]]:
    """The named holds, each once, if all are open and their rows carry them; otherwise the reasons why not."""
    holds: list[HeldUnits] = []
    refusals: list[Refusal] = []
    for hold_id in dict.fromkeys(hold_ids):
        hold = work.holds.get(hold_id)
        refusal = decide_open(hold, hold_id)
        if refusal is not None:
            refusals.append(refusal)
        elif hold is not None:
            holds.append(hold)
    refusals.extend(
        refusal
        for cell, pending in _pending_by_cell(holds).items()
        if (refusal := decide_carried(work.rows[cell], pending)) is not None
    )
    return holds, tuple(refusals)


def _us(instant: datetime | None) -> int | None:
    return None if instant is None else to_us(instant)


def _pending_by_cell(holds: Iterable[HeldUnits]) -> dict[Cell, int]:
    return by_cell((hold, hold.pending) for hold in holds)


def _refusals_of_places(work: WorkingSet, sums: Mapping[Cell, int], freed: Mapping[Cell, int]) -> tuple[Refusal, ...]:
    if unknown := work.unknown(sums):
        return unknown
    refusals = []
    for cell, quantity in sums.items():
        refusal = decide_hold(work.rows.get(cell) or Row(*cell), quantity, freed.get(cell, 0))
        if refusal is not None:
            refusals.append(refusal)
    return tuple(refusals)


def _place_decided(
    work: WorkingSet, operation_id: str, command: PlaceHolds | ReplaceHolds, lines: Iterable[HoldRequest]
) -> list[HeldUnits]:
    expires_at_us, dies_at_us, channel = _us(command.expires_at), _us(command.dies_at), command.channel
    others = dict(command.channels) if isinstance(command, ReplaceHolds) else {}
    placed = [
        work.place(operation_id, line, expires_at_us, dies_at_us, others.get(line.owner, channel)) for line in lines
    ]
    quotas = work.annex(Quotas)
    if (channel is not None or others) and quotas.of_sku:
        for hold in placed:
            quotas.count(work, hold)
    return placed


VERBS: Final[Mapping[type, Verb]] = {
    PlaceHolds: Verb(_place, cells=cells_of_lines, takes=takes_lines),
    ReplaceHolds: Verb(
        _replace,
        cells=lambda command: map(sellable, command.place),
        holds=lambda command: command.release,
        takes=lambda command, _work: summed(command.place),
    ),
    ConfirmHolds: Verb(_confirm, holds=lambda command: command.holds),
    ReleaseHolds: Verb(_release, holds=lambda command: command.holds),
    IssueHolds: Verb(_issue, holds=lambda command: [line.hold for line in command.lines]),
}
