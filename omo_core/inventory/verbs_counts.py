"""Verbs that bring the book to the shelf: counts, feeds of other systems, and corrections with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.inventory.decide import decide_limit, decide_reading
from omo_core.inventory.moving import Booking, limits, present, sale_from
from omo_core.inventory.readings import PEOPLE, Reading, Readings, as_of_us, cells_read
from omo_core.inventory.verb import Outcome, Verb
from omo_core.inventory.working import ADJUSTMENT, LOST, Cell, Row, WorkingSet
from omo_core.model.goods import LOSSES, AbsoluteFeed, AdjustStock, CountStock
from omo_core.model.refusals import Refusal
from omo_core.storage.clock import from_us


def _count(work: WorkingSet, operation_id: str, command: CountStock) -> Outcome:
    counted, instant = cells_read(command), as_of_us(command, work.now_us)
    readings = work.annex(Readings)
    refusals = work.unknown(counted) or _in_future(work, instant)
    refusals = refusals or present(_refusal_of_reading(work, cell, counted[cell], instant) for cell in counted)
    if refusals:
        return Outcome(refusals)
    booking = Booking(work, operation_id)
    for cell, quantity in counted.items():
        _read(booking, cell, PEOPLE, Reading(instant, instant, quantity, operation_id))
        readings.close_tasks(work, operation_id, cell, instant)
    return booking.outcome()


def _feed(work: WorkingSet, operation_id: str, command: AbsoluteFeed) -> Outcome:
    instant = as_of_us(command, work.now_us)
    if refusals := _in_future(work, instant):
        return Outcome(refusals)
    sequence = instant if command.sequence is None else command.sequence
    booking = Booking(work, operation_id)
    for cell, quantity in cells_read(command).items():
        reading = Reading(sequence, instant, quantity, operation_id)
        if refusals := work.unknown([cell]) or _refusals_of_feed(work, cell, command.source, reading):
            booking.row_refusals.extend(refusals)
        else:
            _read(booking, cell, command.source, reading)
    return booking.outcome()


def _read(booking: Booking, cell: Cell, source: str, reading: Reading) -> None:
    """Bring a row to what was read of it, and to what moved since."""
    work = booking.work
    readings = work.annex(Readings)
    row = work.rows.get(cell) or Row(*cell)
    on_hand, shortage = decide_reading(reading.quantity, readings.moved_since(work, cell, reading.as_of_us))
    change, shorter = on_hand - row.on_hand, shortage - row.shortage
    displaced = 0
    if change < 0:
        sale = sale_from(work, cell, -change)
        # Units that the book cannot give up belong to a broken row, whose audit finds them; elsewhere there are none.
        change, shorter = -sale.taken, shorter + sale.shortage
        displaced = booking.displace(sale)
    work.post(booking.operation_id, cell, quantity=change, reserved=-displaced, shortage=shorter)
    work.balance(booking.operation_id, ADJUSTMENT, cell, -change)
    booking.run_short(cell, shorter)
    booking.correct(cell, change)
    readings.keep(cell, source, reading, change - shorter)


def _adjust(work: WorkingSet, operation_id: str, command: AdjustStock) -> Outcome:
    sums = _adjusted(command)
    refusals = work.unknown(sums) or limits(work, {cell: units for cell, units in sums.items() if units > 0})
    if refusals:
        return Outcome(refusals)
    booking = Booking(work, operation_id)
    place = LOST if command.reason in LOSSES else ADJUSTMENT
    for cell, units in sums.items():
        if units < 0:
            booking.take(cell, -units, place)
        else:
            booking.bring(cell, units, place)
    return booking.outcome()


def _in_future(work: WorkingSet, instant_us: int) -> tuple[Refusal, ...]:
    if instant_us <= work.now_us:
        return ()
    instants = {"as_of": from_us(instant_us).isoformat(), "now": from_us(work.now_us).isoformat()}
    return (Refusal.of("read_in_future", **instants),)


def _refusal_of_reading(work: WorkingSet, cell: Cell, quantity: int, instant_us: int) -> Refusal | None:
    readings = work.annex(Readings)
    newest = readings.newest_us(cell)
    if newest is not None and instant_us < newest:
        instants = {"as_of": from_us(instant_us).isoformat(), "newest": from_us(newest).isoformat()}
        return Refusal.of("stale_reading", sku=cell[0], node=cell[1], **instants)
    on_hand, _ = decide_reading(quantity, readings.moved_since(work, cell, instant_us))
    return decide_limit(cell, on_hand)


def _refusals_of_feed(work: WorkingSet, cell: Cell, source: str, reading: Reading) -> tuple[Refusal, ...]:
    last = work.annex(Readings).last.get(cell, {}).get(source)
    if last is not None and reading.sequence <= last.sequence:
        sequences = {"sequence": reading.sequence, "stored": last.sequence}
        return (Refusal.of("stale_feed", sku=cell[0], node=cell[1], source=source, **sequences),)
    return present([_refusal_of_reading(work, cell, reading.quantity, reading.as_of_us)])


def _adjusted(command: AdjustStock) -> dict[Cell, int]:
    sums: dict[Cell, int] = {}
    for line in command.lines:
        cell = (line.sku, line.node, line.condition)
        sums[cell] = sums.get(cell, 0) + line.quantity
    return sums


def _takes_reading(command: CountStock | AbsoluteFeed, work: WorkingSet) -> dict[Cell, int]:
    """What is missing of each row; of one read at an earlier instant perhaps all, as what moved since is not known yet."""
    is_now = as_of_us(command, work.now_us) >= work.now_us
    return {
        cell: max(0, (work.rows.get(cell) or Row(*cell)).on_hand - (quantity if is_now else 0))
        for cell, quantity in cells_read(command).items()
    }


VERBS: Final[Mapping[type, Verb]] = {
    CountStock: Verb(_count, cells=cells_read, takes=_takes_reading, displaces=True),
    AbsoluteFeed: Verb(_feed, cells=cells_read, takes=_takes_reading, displaces=True),
    AdjustStock: Verb(
        _adjust,
        cells=_adjusted,
        takes=lambda command, _work: {cell: -units for cell, units in _adjusted(command).items() if units < 0},
        displaces=True,
    ),
}
