"""What the commands of goods mean: counted, reported, corrected, brought back, found unfit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from omo_core.model.goods import (
    WRITE_OFF,
    AbsoluteFeed,
    AdjustStock,
    ChangeCondition,
    Counted,
    CountStock,
    Returned,
    ReturnGoods,
)
from omo_core.model.refusals import Refusal
from omo_core.model.stock import SELLABLE, Correction
from omo_core.storage.clock import from_us, to_us
from omo_core.testing.pool_model import Cell, Fields, PoolModel, written
from omo_core.testing.pool_model_losses import Losses

PEOPLE: Final = ""


def adjust_stock(model: PoolModel, command: AdjustStock) -> Fields:
    """So many more or fewer, as a matter of fact."""
    sums = dict.fromkeys(_cells(command.lines), 0)
    for line in command.lines:
        sums[line.sku, line.node, line.condition] += line.quantity
    if refusals := model.unknown(sums):
        return {"refusals": refusals}
    losses = Losses(model)
    for cell, units in sums.items():
        if units < 0:
            losses.take(cell, -units)
        else:
            model.change(cell, on_hand=units)
    return losses.fields()


def count_stock(model: PoolModel, command: CountStock) -> Fields:
    """The shelf is right, whatever the book says; what moved since it was counted has moved."""
    counted = _counted(command.lines)
    at_us = _instant_us(model, command.counted_at)
    refusals = model.unknown(counted) or _in_future(model, at_us)
    refusals = refusals or tuple(refusal for cell in counted for refusal in _stale(model, cell, at_us))
    if refusals:
        return {"refusals": refusals}
    losses, corrections = Losses(model), []
    for cell, units in counted.items():
        corrections += _read(model, losses, cell, units, at_us)
        _remember_reading(model, cell, PEOPLE, at_us, at_us)
        if cell in model.rows:
            row = model.rows[cell]
            row.tasks = [opened_us for opened_us in row.tasks if opened_us > at_us]
    return {**losses.fields(), "corrections": tuple(corrections)}


def absolute_feed(model: PoolModel, command: AbsoluteFeed) -> Fields:
    """Another system's numbers, row by row, unless newer ones are known."""
    at_us = _instant_us(model, command.as_of)
    if refusals := _in_future(model, at_us):
        return {"refusals": refusals}
    sequence = at_us if command.sequence is None else command.sequence
    losses = Losses(model)
    corrections: list[Correction] = []
    passed_over: list[Refusal] = []
    for cell, units in _counted(command.lines).items():
        last = model.readings.get(cell, {}).get(command.source)
        refusals = model.unknown([cell])
        if not refusals and last is not None and sequence <= last[0]:
            sequences = {"sequence": sequence, "stored": last[0]}
            refusals = (Refusal.of("stale_feed", sku=cell[0], node=cell[1], source=command.source, **sequences),)
        refusals = refusals or _stale(model, cell, at_us)
        passed_over += refusals
        if not refusals:
            corrections += _read(model, losses, cell, units, at_us)
            _remember_reading(model, cell, command.source, sequence, at_us)
    return {**losses.fields(), "corrections": tuple(corrections), "row_refusals": tuple(passed_over)}


def _read(model: PoolModel, losses: Losses, cell: Cell, units: int, at_us: int) -> list[Correction]:
    there = units + sum(moved for when_us, moved in model.row(cell).moves if when_us > at_us)
    change = max(0, there) - model.row(cell).on_hand
    if change < 0:
        losses.take(cell, -change)
    else:
        model.change(cell, on_hand=change)
    losses.lack(cell, max(0, -there) - model.row(cell).shortage)
    return [Correction(sku=cell[0], node=cell[1], condition=cell[2], quantity=change)] if change else []


def _remember_reading(model: PoolModel, cell: Cell, source: str, sequence: int, at_us: int) -> None:
    model.readings.setdefault(cell, {})[source] = (sequence, at_us)


def _stale(model: PoolModel, cell: Cell, at_us: int) -> tuple[Refusal, ...]:
    newest_us = max((as_of_us for _, as_of_us in model.readings.get(cell, {}).values()), default=at_us)
    if at_us >= newest_us:
        return ()
    instants = {"as_of": written(from_us(at_us)), "newest": written(from_us(newest_us))}
    return (Refusal.of("stale_reading", sku=cell[0], node=cell[1], **instants),)


def _in_future(model: PoolModel, at_us: int) -> tuple[Refusal, ...]:
    if at_us <= model.now_us:
        return ()
    return (Refusal.of("read_in_future", as_of=written(from_us(at_us)), now=written(from_us(model.now_us))),)


def _instant_us(model: PoolModel, instant: datetime | None) -> int:
    return model.now_us if instant is None else to_us(instant)


def _counted(lines: Iterable[Counted]) -> dict[Cell, int]:
    sums: dict[Cell, int] = {}
    for line in lines:
        cell = (line.sku, line.node, line.condition)
        sums[cell] = sums.get(cell, 0) + line.quantity
    return sums


def return_goods(model: PoolModel, command: ReturnGoods) -> Fields:
    """Goods are back, unless more come than ever left."""
    units: dict[str, int] = {}
    for line in command.lines:
        if line.hold is not None:
            units[line.hold] = units.get(line.hold, 0) + line.quantity
    kept = [line for line in command.lines if line.disposition != WRITE_OFF]
    lost = [line for line in command.lines if line.disposition == WRITE_OFF]
    cells = [
        *((line.sku, line.node, line.disposition) for line in kept),
        *((line.sku, line.node, SELLABLE) for line in lost),
    ]
    refusals = model.unknown(cells) or tuple(
        refusal for hold, back in units.items() for refusal in _why_not_back(model, hold, back, command.lines)
    )
    if refusals:
        return {"refusals": refusals}
    for hold, back in units.items():
        model.holds[hold].returned += back
    for line in kept:
        model.change((line.sku, line.node, line.disposition), on_hand=line.quantity)
    return {"holds": tuple(model.holds[hold].value() for hold in units)}


def _why_not_back(model: PoolModel, hold_id: str, units: int, lines: Iterable[Returned]) -> tuple[Refusal, ...]:
    hold = model.holds.get(hold_id)
    if hold is None:
        return (Refusal.of("unknown_hold", hold=hold_id),)
    sku, node, _ = hold.cell
    if {line.sku for line in lines if line.hold == hold_id} != {sku}:
        return (Refusal.of("hold_mismatch", hold=hold_id, sku=sku, node=node),)
    if hold.returned + units > hold.issued:
        amounts = {"issued": hold.issued, "returned": hold.returned, "wanted": units}
        return (Refusal.of("exceeds_issued", hold=hold_id, **amounts),)
    return ()


def change_condition(model: PoolModel, command: ChangeCondition) -> Fields:
    """Goods are another kind of goods now, or none; only those that the book knows of."""
    sums = {(line.sku, line.node, command.was): 0 for line in command.lines}
    for line in command.lines:
        sums[line.sku, line.node, command.was] += line.quantity
    refusals = model.unknown(sums) or tuple(
        refusal for cell, units in sums.items() for refusal in _not_there(model, cell, units)
    )
    if refusals:
        return {"refusals": refusals}
    losses = Losses(model)
    for cell, units in sums.items():
        losses.take(cell, units)
        if command.becomes != WRITE_OFF:
            model.change((cell[0], cell[1], command.becomes), on_hand=units)
    return losses.fields()


def _not_there(model: PoolModel, cell: Cell, units: int) -> tuple[Refusal, ...]:
    available = model.row(cell).on_hand
    if units <= available:
        return ()
    sku, node, condition = cell
    numbers = {"wanted": units, "available": available}
    return (Refusal.of("not_in_condition", sku=sku, node=node, condition=condition, **numbers),)


def _cells(lines: Iterable[Any]) -> list[Cell]:
    return [(line.sku, line.node, line.condition) for line in lines]


VERBS: Final[Mapping[type, Callable[[PoolModel, Any], Fields]]] = {
    AdjustStock: adjust_stock,
    CountStock: count_stock,
    AbsoluteFeed: absolute_feed,
    ReturnGoods: return_goods,
    ChangeCondition: change_condition,
}
