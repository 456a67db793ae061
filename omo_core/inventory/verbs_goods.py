"""Verbs of goods: they come, they are sold over a counter, and some of them are kept back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.inventory.inbound import Announced
from omo_core.inventory.moving import Booking, limits
from omo_core.inventory.verb import Outcome, Verb, cells_of_lines, summed, takes_lines
from omo_core.inventory.working import CUSTOMER, SUPPLIER, WorkingSet
from omo_core.model.stock import SELLABLE, CounterSale, Receive, SetSafety


def _receive(work: WorkingSet, operation_id: str, command: Receive) -> Outcome:
    sums = summed(command.lines)
    if refusals := work.unknown(sums) or limits(work, sums):
        return Outcome(refusals)
    received: dict[str, int] = {}
    for cell, quantity in sums.items():
        work.post(operation_id, cell, quantity=quantity)
        if command.inbound is not None:
            work.annex(Announced).arrive(operation_id, (command.inbound, cell[1], cell[0]), quantity)
        received[cell[0]] = received.get(cell[0], 0) + quantity
    for sku, quantity in received.items():
        # One line however many nodes it went to: a delivery to the whole network is not written twice.
        work.balance(operation_id, SUPPLIER, (sku, "", SELLABLE), -quantity)
    return Outcome()


def _sell_at_counter(work: WorkingSet, operation_id: str, command: CounterSale) -> Outcome:
    sums = summed(command.lines)
    if refusals := work.unknown(sums):
        return Outcome(refusals)
    booking = Booking(work, operation_id)
    for cell, quantity in sums.items():
        booking.take(cell, quantity, CUSTOMER)
    return booking.outcome()


def _set_safety(work: WorkingSet, operation_id: str, command: SetSafety) -> Outcome:
    cell = (command.sku, command.node, SELLABLE)
    if refusals := work.unknown([cell]):
        return Outcome(refusals)
    row = work.rows.get(cell)
    work.post(operation_id, cell, safety=command.quantity - (row.safety if row else 0))
    return Outcome()


VERBS: Final[Mapping[type, Verb]] = {
    Receive: Verb(_receive, cells=cells_of_lines),
    CounterSale: Verb(_sell_at_counter, cells=cells_of_lines, takes=takes_lines, displaces=True),
    SetSafety: Verb(_set_safety, cells=lambda command: [(command.sku, command.node, SELLABLE)]),
}
