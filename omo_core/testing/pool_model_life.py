"""What the commands of a hold's life mean: more time for it, less of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from omo_core.model.promises import ExtendHolds, ReleaseUnits
from omo_core.model.refusals import Refusal
from omo_core.model.stock import HoldState
from omo_core.testing.pool_model import Fields, ModelHold, PoolModel, written

MOST_EXTENSIONS: Final = 3
"""What a pool allows that was not told otherwise."""


def extend_holds(model: PoolModel, command: ExtendHolds) -> Fields:
    """All of them, or none."""
    holds, refusals = model.open_holds(command.holds)
    refusals = refusals or tuple(
        refusal for hold in holds if (refusal := _why_not(model, hold, command.expires_at)) is not None
    )
    if refusals:
        return {"refusals": refusals}
    for hold in holds:
        hold.expires_at = command.expires_at
        hold.extended += 1
    return {"holds": tuple(hold.value() for hold in holds)}


def _why_not(model: PoolModel, hold: ModelHold, until: datetime) -> Refusal | None:
    if hold.state is not HoldState.PLACED or hold.expires_at is None:
        return Refusal.of("hold_without_end", hold=hold.hold)
    if hold.is_late(model.now_us):
        return Refusal.of("hold_expired", hold=hold.hold, expired_at=written(hold.expires_at))
    if until <= hold.expires_at:
        return Refusal.of("not_an_extension", hold=hold.hold, expires_at=written(hold.expires_at))
    if hold.extended >= MOST_EXTENSIONS:
        return Refusal.of("extension_limit", hold=hold.hold, extended=hold.extended)
    if hold.dies_at is not None and until > hold.dies_at:
        return Refusal.of("beyond_maximum_life", hold=hold.hold, dies_at=written(hold.dies_at))
    return None


def release_units(model: PoolModel, command: ReleaseUnits) -> Fields:
    """A part of what is pending is free again."""
    wanted: dict[str, int] = {}
    for line in command.lines:
        wanted[line.hold] = wanted.get(line.hold, 0) + line.quantity
    holds, refusals = model.open_holds(wanted)
    refusals = refusals or model.exceeding(holds, wanted)
    if refusals:
        return {"refusals": refusals}
    for hold in holds:
        model.give_back(hold, wanted[hold.hold], HoldState.RELEASED)
    return {"holds": tuple(hold.value() for hold in holds)}


VERBS: Final[Mapping[type, Callable[[PoolModel, Any], Fields]]] = {
    ExtendHolds: extend_holds,
    ReleaseUnits: release_units,
}
