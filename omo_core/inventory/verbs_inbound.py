"""Verbs of announcements: goods are expected, put off, or will not come; that they came is a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.inventory.inbound import DONE, Announced
from omo_core.inventory.verb import Outcome, Verb
from omo_core.inventory.working import Cell, WorkingSet
from omo_core.model.goods import CancelReceipt, ExpectReceipt
from omo_core.model.refusals import Refusal
from omo_core.model.stock import SELLABLE


def _expect(work: WorkingSet, operation_id: str, command: ExpectReceipt) -> Outcome:
    announced = work.annex(Announced)
    named = [((command.inbound, command.node, line.sku), line) for line in command.lines]
    refusals = work.unknown(_cells(command)) or tuple(
        Refusal.of("inbound_cancelled", inbound=command.inbound, sku=line.sku, node=command.node)
        for key, line in named
        if key in announced.lines and announced.lines[key].cancelled
    )
    if refusals:
        return Outcome(refusals)
    for key, line in named:
        announced.expect(operation_id, key, line)
    return Outcome()


def _cancel(work: WorkingSet, _operation_id: str, command: CancelReceipt) -> Outcome:
    lines = work.annex(Announced).of(command.inbound, command.node)
    if not lines:
        return Outcome((Refusal.of("unknown_inbound", inbound=command.inbound, node=command.node),))
    for line in lines:
        # What came in full is done, whatever the supplier says now.
        line.cancelled = line.cancelled or line.changing[0] != DONE
    return Outcome()


def _cells(command: ExpectReceipt) -> list[Cell]:
    return [(line.sku, command.node, SELLABLE) for line in command.lines]


VERBS: Final[Mapping[type, Verb]] = {
    ExpectReceipt: Verb(_expect, cells=_cells),
    CancelReceipt: Verb(_cancel),
}
