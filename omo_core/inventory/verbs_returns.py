"""Verbs of goods that come back from buyers, and of goods that turn out fit or unfit for sale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from omo_core.inventory.decide import decide_return
from omo_core.inventory.moving import Booking, limits, present, sale_from
from omo_core.inventory.verb import Outcome, Verb
from omo_core.inventory.working import CUSTOMER, LOST, Cell, HeldUnits, WorkingSet
from omo_core.model.goods import WRITE_OFF, ChangeCondition, Returned, ReturnGoods
from omo_core.model.refusals import Refusal
from omo_core.model.stock import SELLABLE, Demand

Coming = dict[Cell, int]


def _return(work: WorkingSet, operation_id: str, command: ReturnGoods) -> Outcome:
    coming, lost = _returned(command.lines)
    named, refusals = _returning(work, command.lines)
    refusals = work.unknown([*coming, *lost]) or refusals or limits(work, coming)
    if refusals:
        return Outcome(refusals)
    booking = Booking(work, operation_id)
    for hold, units in named:
        hold.returned += units
    for cell, units in coming.items():
        booking.bring(cell, units, CUSTOMER)
    for cell, units in lost.items():
        work.balance(operation_id, CUSTOMER, cell, -units)
        work.balance(operation_id, LOST, cell, units)
    return booking.outcome(hold.value() for hold, _ in named)


def _returned(lines: Iterable[Returned]) -> tuple[Coming, Coming]:
    """Units that come to each row, and units written off at once by the row they would have come to."""
    coming: Coming = {}
    lost: Coming = {}
    for line in lines:
        written_off = line.disposition == WRITE_OFF
        cell = (line.sku, line.node, SELLABLE if written_off else line.disposition)
        sums = lost if written_off else coming
        sums[cell] = sums.get(cell, 0) + line.quantity
    return coming, lost


def _returning(work: WorkingSet, lines: Iterable[Returned]) -> tuple[list[tuple[HeldUnits, int]], tuple[Refusal, ...]]:
    """The named holds and what comes back of each, if they allow it; otherwise the reasons why not."""
    units: dict[str, int] = {}
    skus: dict[str, list[str]] = {}
    for line in lines:
        if line.hold is not None:
            units[line.hold] = units.get(line.hold, 0) + line.quantity
            skus.setdefault(line.hold, []).append(line.sku)
    refusals = present(decide_return(work.holds.get(name), name, units[name], skus[name]) for name in units)
    if refusals:
        return [], refusals
    return [(work.holds[name], quantity) for name, quantity in units.items()], ()


def _change(work: WorkingSet, operation_id: str, command: ChangeCondition) -> Outcome:
    sums = _summed(command.lines, command.was)
    coming: Coming = {(sku, node, command.becomes): units for (sku, node, _), units in sums.items()}
    refusals = work.unknown(sums) or present(_missing(work, cell, units) for cell, units in sums.items())
    if command.becomes != WRITE_OFF:
        refusals = refusals or limits(work, coming)
    if refusals:
        return Outcome(refusals)
    booking = Booking(work, operation_id)
    for cell, units in sums.items():
        sale = sale_from(work, cell, units)
        work.post(operation_id, cell, quantity=-units, reserved=-booking.displace(sale))
        if command.becomes == WRITE_OFF:
            work.balance(operation_id, LOST, cell, units)
        else:
            work.post(operation_id, (cell[0], cell[1], command.becomes), quantity=units)
    return booking.outcome()


def _missing(work: WorkingSet, cell: Cell, units: int) -> Refusal | None:
    """None where the row has so many units to give; the book must first be told of goods that it never had."""
    short = sale_from(work, cell, units).shortage
    if not short:
        return None
    sku, node, condition = cell
    return Refusal.of(
        "not_in_condition", sku=sku, node=node, condition=condition, wanted=units, available=units - short
    )


def _summed(lines: Iterable[Demand], condition: str) -> dict[Cell, int]:
    sums: dict[Cell, int] = {}
    for line in lines:
        cell = (line.sku, line.node, condition)
        sums[cell] = sums.get(cell, 0) + line.quantity
    return sums


def _cells_of_change(command: ChangeCondition) -> Iterable[Cell]:
    conditions = {command.was, command.becomes} - {WRITE_OFF}
    return ((line.sku, line.node, condition) for line in command.lines for condition in conditions)


def _cells_of_return(command: ReturnGoods) -> Iterable[Cell]:
    coming, lost = _returned(command.lines)
    return [*coming, *lost]


VERBS: Final[Mapping[type, Verb]] = {
    ReturnGoods: Verb(
        _return,
        cells=_cells_of_return,
        holds=lambda command: [line.hold for line in command.lines if line.hold is not None],
    ),
    ChangeCondition: Verb(
        _change,
        cells=_cells_of_change,
        takes=lambda command, _work: _summed(command.lines, command.was),
        displaces=True,
    ),
}
