"""Verbs of goods: they come, they are sold over a counter, and some of them are kept back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.inventory.decide import decide_sale
from omo_core.inventory.verb import Outcome, Verb, cells_of_lines, summed, takes_lines
from omo_core.inventory.working import ADJUSTMENT, CUSTOMER, SUPPLIER, Row, WorkingSet
from omo_core.model.stock import SELLABLE, CounterSale, Displaced, HoldState, Receive, SetSafety, Shortage


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
        work.balance(operation_id, SUPPLIER, (sku, "", SELLABLE), -quantity)
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
