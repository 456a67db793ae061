"""What each stock command means, as slowly and plainly as it can be said; a new verb is a function and a table row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from omo_core.model.refusals import Refusal
from omo_core.model.stock import (
    SELLABLE,
    ConfirmHolds,
    CounterSale,
    Demand,
    Displaced,
    HoldRequest,
    HoldState,
    IssueHolds,
    PlaceHolds,
    Receive,
    ReleaseHolds,
    ReplaceHolds,
    SetSafety,
    Shortage,
)
from omo_core.testing.pool_model import Cell, Fields, ModelHold, PoolModel, expired_at


def summed(lines: Iterable[Demand | HoldRequest]) -> dict[Cell, int]:
    """Units per sellable row, in the order in which the rows are named first."""
    sums: dict[Cell, int] = {}
    for line in lines:
        cell = (line.sku, line.node, SELLABLE)
        sums[cell] = sums.get(cell, 0) + line.quantity
    return sums


def receive(model: PoolModel, command: Receive) -> Fields:
    """Goods are there."""
    wanted = summed(command.lines)
    if refusals := model.unknown(wanted):
        return {"refusals": refusals}
    for cell, units in wanted.items():
        model.change(cell, on_hand=units)
    return {}


def counter_sale(model: PoolModel, command: CounterSale) -> Fields:
    """Goods are gone, unit by unit: a free one, else one that was promised last, else one that never was there."""
    wanted = summed(command.lines)
    if refusals := model.unknown(wanted):
        return {"refusals": refusals}
    displaced: dict[str, int] = {}
    shortages: dict[Cell, int] = {}
    for cell, units in wanted.items():
        for _ in range(units):
            take_one(model, cell, displaced, shortages)
    return {"displaced": displaced_values(model, displaced), "shortages": shortage_values(shortages)}


def take_one(model: PoolModel, cell: Cell, displaced: dict[str, int], shortages: dict[Cell, int]) -> None:
    """One unit leaves a row whatever the book says; whose it was is added to `displaced` or `shortages`."""
    row = model.row(cell)
    if row.on_hand == 0:
        model.change(cell, shortage=1)
        shortages[cell] = shortages.get(cell, 0) + 1
        return
    if row.on_hand == row.reserved:
        newest = max(model.promises[cell].values(), key=lambda hold: (hold.placed_at_us, hold.hold))
        model.give_back(newest, 1, HoldState.RELEASED)
        displaced[newest.hold] = displaced.get(newest.hold, 0) + 1
    model.change(cell, on_hand=-1)


def displaced_values(model: PoolModel, displaced: Mapping[str, int]) -> tuple[Displaced, ...]:
    """Promises that were taken away, in the order in which that happened."""
    values = []
    for hold_id, units in displaced.items():
        hold = model.holds[hold_id]
        sku, node, _ = hold.cell
        values.append(Displaced(hold=hold_id, owner=hold.owner, line=hold.line, sku=sku, node=node, quantity=units))
    return tuple(values)


def shortage_values(shortages: Mapping[Cell, int]) -> tuple[Shortage, ...]:
    """Units that the book never had."""
    return tuple(Shortage(sku=sku, node=node, quantity=units) for (sku, node, _), units in shortages.items())


def set_safety(model: PoolModel, command: SetSafety) -> Fields:
    """So many units are kept out of promises."""
    cell = (command.sku, command.node, SELLABLE)
    if refusals := model.unknown([cell]):
        return {"refusals": refusals}
    model.change(cell, safety=command.quantity - model.row(cell).safety)
    return {}


def place_holds(model: PoolModel, command: PlaceHolds) -> Fields:
    """All lines or none."""
    return _exchange(model, (), command.lines, command.expires_at)


def replace_holds(model: PoolModel, command: ReplaceHolds) -> Fields:
    """What is given back is free for what is asked."""
    return _exchange(model, command.release, command.place, command.expires_at)


def _exchange(
    model: PoolModel, release: Iterable[str], place: Iterable[HoldRequest], expires_at: datetime | None
) -> Fields:
    old, refusals = model.open_holds(release)
    wanted = summed(place)
    refusals = refusals or model.unknown(wanted) or _missing(model, wanted, old)
    if refusals:
        return {"refusals": refusals}
    for hold in old:
        model.give_back(hold, hold.pending, HoldState.RELEASED)
    placed = [
        model.place(line.owner, line.line, (line.sku, line.node, SELLABLE), line.quantity, expires_at) for line in place
    ]
    return {"holds": tuple(hold.value() for hold in [*placed, *old])}


def _missing(model: PoolModel, wanted: Mapping[Cell, int], old: Iterable[ModelHold]) -> tuple[Refusal, ...]:
    refusals = []
    for cell, units in wanted.items():
        free = model.row(cell).free + sum(hold.pending for hold in old if hold.cell == cell)
        if free < units:
            numbers = {"wanted": units, "available": max(0, free)}
            refusals.append(Refusal.of("insufficient_stock", sku=cell[0], node=cell[1], **numbers))
    return tuple(refusals)


def confirm_holds(model: PoolModel, command: ConfirmHolds) -> Fields:
    """A promise: it does not expire any more."""
    holds, refusals = model.open_holds(command.holds)
    refusals = refusals or tuple(
        Refusal.of("hold_expired", hold=hold.hold, expired_at=expired_at(hold))
        for hold in holds
        if hold.is_late(model.now_us)
    )
    if refusals:
        return {"refusals": refusals}
    for hold in holds:
        hold.state, hold.expires_at = HoldState.CONFIRMED, None
    return {"holds": tuple(hold.value() for hold in holds)}


def release_holds(model: PoolModel, command: ReleaseHolds) -> Fields:
    """Everything pending is free again."""
    holds, refusals = model.open_holds(command.holds)
    if refusals:
        return {"refusals": refusals}
    for hold in holds:
        model.give_back(hold, hold.pending, HoldState.RELEASED)
    return {"holds": tuple(hold.value() for hold in holds)}


def issue_holds(model: PoolModel, command: IssueHolds) -> Fields:
    """Promised goods leave."""
    wanted: dict[str, int] = {}
    for line in command.lines:
        wanted[line.hold] = wanted.get(line.hold, 0) + line.quantity
    holds, refusals = model.open_holds(wanted)
    refusals = refusals or tuple(
        Refusal.of("exceeds_pending", hold=hold.hold, pending=hold.pending, wanted=wanted[hold.hold])
        for hold in holds
        if wanted[hold.hold] > hold.pending
    )
    if refusals:
        return {"refusals": refusals}
    for hold in holds:
        model.issue(hold, wanted[hold.hold])
    return {"holds": tuple(hold.value() for hold in holds)}


VERBS: Final[Mapping[type, Callable[[PoolModel, Any], Fields]]] = {
    Receive: receive,
    CounterSale: counter_sale,
    SetSafety: set_safety,
    PlaceHolds: place_holds,
    ReplaceHolds: replace_holds,
    ConfirmHolds: confirm_holds,
    ReleaseHolds: release_holds,
    IssueHolds: issue_holds,
}
