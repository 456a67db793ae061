"""Verbs of a hold's life: its time is prolonged, and a part of it is given back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.inventory.extensions import Extensions, decide_extend
from omo_core.inventory.verb import Outcome, Verb
from omo_core.inventory.verbs_holds import by_cell, open_holds, parts_of_holds
from omo_core.inventory.working import WorkingSet
from omo_core.model.promises import ExtendHolds, ReleaseUnits
from omo_core.model.stock import HoldState
from omo_core.storage.clock import to_us


def _extend(work: WorkingSet, _operation_id: str, command: ExtendHolds) -> Outcome:
    holds, refusals = open_holds(work, command.holds)
    most, expires_at_us = work.annex(Extensions).most, to_us(command.expires_at)
    refusals = refusals or tuple(
        refusal for hold in holds if (refusal := decide_extend(hold, expires_at_us, most, work.now_us)) is not None
    )
    if refusals:
        return Outcome(refusals)
    for hold in holds:
        hold.expires_at_us = expires_at_us
        hold.extended += 1
    return Outcome(holds=tuple(hold.value() for hold in holds))


def _release_units(work: WorkingSet, operation_id: str, command: ReleaseUnits) -> Outcome:
    parts, refusals = parts_of_holds(work, command.lines)
    if refusals:
        return Outcome(refusals)
    for hold, units in parts:
        hold.release(units, HoldState.RELEASED)
    for cell, units in by_cell(parts).items():
        work.post(operation_id, cell, reserved=-units)
    return Outcome(holds=tuple(hold.value() for hold, _ in parts))


VERBS: Final[Mapping[type, Verb]] = {
    ExtendHolds: Verb(_extend, holds=lambda command: command.holds),
    ReleaseUnits: Verb(_release_units, holds=lambda command: [line.hold for line in command.lines]),
}
