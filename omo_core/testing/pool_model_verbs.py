"""What each stock command means, as slowly and plainly as it can be said; a new verb is a function and a table row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from omo_core.model.refusals import Refusal
from omo_core.model.stock import (
    SELLABLE,
    ConfirmHolds,
    CounterSale,
    Demand,
    HoldRequest,
    HoldState,
    IssueHolds,
    PlaceHolds,
    Receive,
    ReleaseHolds,
    ReplaceHolds,
    SetSafety,
)
from omo_core.testing import pool_model_goods, pool_model_life, pool_model_transfers
from omo_core.testing.pool_model import Cell, Fields, PoolModel, written
from omo_core.testing.pool_model_losses import Losses


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
        if command.inbound is not None:
            model.announcement(command.inbound, cell[1], cell[0])["received"] += units
    return {}


def counter_sale(model: PoolModel, command: CounterSale) -> Fields:
    """Goods are gone."""
    wanted = summed(command.lines)
    if refusals := model.unknown(wanted):
        return {"refusals": refusals}
    losses = Losses(model)
    for cell, units in wanted.items():
        losses.take(cell, units)
    return losses.fields()


def set_safety(model: PoolModel, command: SetSafety) -> Fields:
    """So many units are kept out of promises."""
    cell = (command.sku, command.node, SELLABLE)
    if refusals := model.unknown([cell]):
        return {"refusals": refusals}
    model.change(cell, safety=command.quantity - model.row(cell).safety)
    return {}


def place_holds(model: PoolModel, command: PlaceHolds) -> Fields:
    """All lines or none."""
    return _exchange(model, (), command.lines, command)


def replace_holds(model: PoolModel, command: ReplaceHolds) -> Fields:
    """What is given back is free for what is asked."""
    return _exchange(model, command.release, command.place, command)


def _exchange(
    model: PoolModel, release: Iterable[str], place: Iterable[HoldRequest], command: PlaceHolds | ReplaceHolds
) -> Fields:
    old, refusals = model.open_holds(release)
    wanted = summed(place)
    freed: dict[Cell, int] = {}
    for hold in old:
        freed[hold.cell] = freed.get(hold.cell, 0) + hold.pending
    refusals = refusals or model.unknown(wanted) or model.missing(wanted, freed)
    if refusals:
        return {"refusals": refusals}
    for hold in old:
        model.give_back(hold, hold.pending, HoldState.RELEASED)
    placed = [model.place(line, command.expires_at, command.dies_at) for line in place]
    return {"holds": tuple(hold.value() for hold in [*placed, *old])}


def confirm_holds(model: PoolModel, command: ConfirmHolds) -> Fields:
    """A promise: it does not expire any more."""
    holds, refusals = model.open_holds(command.holds)
    refusals = refusals or tuple(
        Refusal.of("hold_expired", hold=hold.hold, expired_at=written(hold.expires_at))
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
    refusals = refusals or model.exceeding(holds, wanted)
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
    **pool_model_life.VERBS,
    **pool_model_goods.VERBS,
    **pool_model_transfers.VERBS,
}
