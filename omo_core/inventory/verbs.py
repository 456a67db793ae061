"""What each command does to the working set: decide everything first, then change; a refused command changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from omo_core.inventory.decide import (
    decide_carried,
    decide_confirm,
    decide_hold,
    decide_issue,
    decide_open,
    decide_sale,
)
from omo_core.inventory.working import ADJUSTMENT, CUSTOMER, SUPPLIER, Cell, HeldUnits, Row, WorkingSet
from omo_core.model.refusals import Refusal
from omo_core.model.stock import (
    ConfirmHolds,
    CounterSale,
    Demand,
    Displaced,
    Hold,
    HoldRequest,
    HoldState,
    IssueHolds,
    PlaceHolds,
    Receive,
    ReleaseHolds,
    ReplaceHolds,
    SetSafety,
    Shortage,
    StockCommand,
)
from omo_core.storage.clock import to_us


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to: refusals, or what it changed."""

    refusals: tuple[Refusal, ...] = ()
    holds: tuple[Hold, ...] = ()
    displaced: tuple[Displaced, ...] = ()
    shortages: tuple[Shortage, ...] = ()


def perform(work: WorkingSet, operation_id: str, command: StockCommand) -> Outcome:
    """Decide one command on the working set and, unless it is refused, change the set by it."""
    return _VERBS[type(command)](work, operation_id, command)


def summed(lines: Iterable[Demand | HoldRequest]) -> dict[Cell, int]:
    """Quantity per stock row; two lines of one row must be decided as one."""
    sums: dict[Cell, int] = {}
    for line in lines:
        cell = (line.sku, line.node)
        sums[cell] = sums.get(cell, 0) + line.quantity
    return sums


def _receive(work: WorkingSet, operation_id: str, command: Receive) -> Outcome:
    sums = summed(command.lines)
    if refusals := work.unknown(sums):
        return Outcome(refusals)
    received: dict[str, int] = {}
    for cell, quantity in sums.items():
        work.post(operation_id, cell, quantity=quantity)
        received[cell[0]] = received.get(cell[0], 0) + quantity
    for sku, quantity in received.items():
        # One line however many nodes it went to: a delivery to the whole network is not written twice.
        work.balance(operation_id, SUPPLIER, (sku, ""), -quantity)
    return Outcome()


def _sell_at_counter(work: WorkingSet, operation_id: str, command: CounterSale) -> Outcome:
    sums = summed(command.lines)
    if refusals := work.unknown(sums):
        return Outcome(refusals)
    displaced: list[Displaced] = []
    shortages: list[Shortage] = []
    for cell, quantity in sums.items():
        sale = decide_sale(work.rows.get(cell) or Row(*cell), quantity, work.holds_by_cell.get(cell, ()))
        units_displaced = 0
        for hold, units in sale.displaced:
            hold.release(units, HoldState.RELEASED)
            units_displaced += units
            displaced.append(
                Displaced(
                    hold=hold.hold, owner=hold.owner, line=hold.line, sku=hold.sku, node=hold.node, quantity=units
                )
            )
        work.post(operation_id, cell, quantity=-sale.taken, reserved=-units_displaced, shortage=sale.shortage)
        # The buyer has it all; what the book never had comes out of nowhere, and a count must say from where.
        work.balance(operation_id, CUSTOMER, cell, quantity)
        work.balance(operation_id, ADJUSTMENT, cell, -sale.shortage)
        if sale.shortage:
            work.open_count_task(operation_id, cell, sale.shortage)
            shortages.append(Shortage(sku=cell[0], node=cell[1], quantity=sale.shortage))
    return Outcome(displaced=tuple(displaced), shortages=tuple(shortages))


def _set_safety(work: WorkingSet, operation_id: str, command: SetSafety) -> Outcome:
    cell = (command.sku, command.node)
    if refusals := work.unknown([cell]):
        return Outcome(refusals)
    row = work.rows.get(cell)
    work.post(operation_id, cell, safety=command.quantity - (row.safety if row else 0))
    return Outcome()


def _place(work: WorkingSet, operation_id: str, command: PlaceHolds) -> Outcome:
    if refusals := _refusals_of_places(work, command.lines, {}):
        return Outcome(refusals)
    placed = _place_decided(work, operation_id, command.lines, _us(command.expires_at))
    for cell, quantity in summed(command.lines).items():
        work.post(operation_id, cell, reserved=quantity)
    return Outcome(holds=tuple(hold.value() for hold in placed))


def _replace(work: WorkingSet, operation_id: str, command: ReplaceHolds) -> Outcome:
    old, refusals = _open_holds(work, command.release)
    freed = _pending_by_cell(old)
    refusals = refusals or _refusals_of_places(work, command.place, freed)
    if refusals:
        return Outcome(refusals)
    changes = {cell: -units for cell, units in freed.items()}
    for cell, quantity in summed(command.place).items():
        changes[cell] = changes.get(cell, 0) + quantity
    for hold in old:
        hold.release(hold.pending, HoldState.RELEASED)
    placed = _place_decided(work, operation_id, command.place, _us(command.expires_at))
    for cell, change in changes.items():
        work.post(operation_id, cell, reserved=change)
    return Outcome(holds=tuple(hold.value() for hold in [*placed, *old]))


def _confirm(work: WorkingSet, _operation_id: str, command: ConfirmHolds) -> Outcome:
    holds, refusals = _open_holds(work, command.holds)
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
    holds, refusals = _open_holds(work, command.holds)
    if refusals:
        return Outcome(refusals)
    end_holds(work, operation_id, holds, HoldState.RELEASED)
    return Outcome(holds=tuple(hold.value() for hold in holds))


def _issue(work: WorkingSet, operation_id: str, command: IssueHolds) -> Outcome:
    quantities: dict[str, int] = {}
    for line in command.lines:
        quantities[line.hold] = quantities.get(line.hold, 0) + line.quantity
    holds, refusals = _open_holds(work, quantities)
    refusals = refusals or tuple(
        refusal for hold in holds if (refusal := decide_issue(hold, quantities[hold.hold])) is not None
    )
    if refusals:
        return Outcome(refusals)
    leaving: dict[Cell, int] = {}
    for hold in holds:
        units = quantities[hold.hold]
        hold.issue(units)
        leaving[hold.cell] = leaving.get(hold.cell, 0) + units
    for cell, units in leaving.items():
        work.post(operation_id, cell, quantity=-units, reserved=-units)
        work.balance(operation_id, CUSTOMER, cell, units)
    return Outcome(holds=tuple(hold.value() for hold in holds))


def end_holds(work: WorkingSet, operation_id: str, holds: Iterable[HeldUnits], end: HoldState) -> None:
    """Give every pending unit of open holds back to their rows and end the holds in `end`."""
    holds = list(holds)
    freed = _pending_by_cell(holds)
    for hold in holds:
        hold.release(hold.pending, end)
    for cell, units in freed.items():
        work.post(operation_id, cell, reserved=-units)


def _open_holds(work: WorkingSet, hold_ids: Iterable[str]) -> tuple[list[HeldUnits], tuple[Refusal, ...]]:
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
    sums: dict[Cell, int] = {}
    for hold in holds:
        sums[hold.cell] = sums.get(hold.cell, 0) + hold.pending
    return sums


def _refusals_of_places(
    work: WorkingSet, lines: Iterable[HoldRequest], freed: Mapping[Cell, int]
) -> tuple[Refusal, ...]:
    sums = summed(lines)
    if unknown := work.unknown(sums):
        return unknown
    decisions = (
        decide_hold(work.rows.get(cell) or Row(*cell), quantity, freed.get(cell, 0)) for cell, quantity in sums.items()
    )
    return tuple(refusal for refusal in decisions if refusal is not None)


def _place_decided(
    work: WorkingSet, operation_id: str, lines: Iterable[HoldRequest], expires_at_us: int | None
) -> list[HeldUnits]:
    return [work.place(operation_id, line, expires_at_us) for line in lines]


_VERBS: Mapping[type, Callable[[WorkingSet, str, Any], Outcome]] = {
    Receive: _receive,
    CounterSale: _sell_at_counter,
    SetSafety: _set_safety,
    PlaceHolds: _place,
    ReplaceHolds: _replace,
    ConfirmHolds: _confirm,
    ReleaseHolds: _release,
    IssueHolds: _issue,
}
