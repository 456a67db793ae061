"""Verbs of transfers: goods leave one node for another, arrive in parts, or do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from omo_core.inventory.decide import decide_carried, decide_hold, decide_issue, decide_open
from omo_core.inventory.moving import Booking, limits, present
from omo_core.inventory.transfers import Transfers
from omo_core.inventory.verb import Outcome, Verb
from omo_core.inventory.working import ADJUSTMENT, LOST, TRANSIT, Cell, Row, WorkingSet
from omo_core.model.goods import CloseTransfer, ReceiveTransfer, Shipped, ShipTransfer
from omo_core.model.refusals import Refusal
from omo_core.model.stock import SELLABLE


def _ship(work: WorkingSet, operation_id: str, command: ShipTransfer) -> Outcome:
    transfers = work.annex(Transfers)
    held = _held(command)
    free = _free(command)
    refusals = _refusals_of_shipping(work, command, free, held)
    if refusals:
        return Outcome(refusals)
    leaving: dict[Cell, int] = dict(free)
    unreserved: dict[Cell, int] = {}
    for name, units in held.items():
        hold = work.holds[name]
        hold.issue(units)
        leaving[hold.cell] = leaving.get(hold.cell, 0) + units
        unreserved[hold.cell] = unreserved.get(hold.cell, 0) + units
    transfers.begin(command, operation_id, work.now_us)
    for cell, units in leaving.items():
        work.post(operation_id, cell, quantity=-units, reserved=-unreserved.get(cell, 0))
        work.balance(operation_id, TRANSIT, (cell[0], command.to_node, SELLABLE), units)
        transfers.line(command.transfer, cell[0]).shipped += units
    return Outcome(holds=tuple(work.holds[name].value() for name in held))


def _refusals_of_shipping(
    work: WorkingSet, command: ShipTransfer, free: Mapping[Cell, int], held: Mapping[str, int]
) -> tuple[Refusal, ...]:
    if command.transfer in work.annex(Transfers).nodes:
        return (Refusal.of("transfer_exists", transfer=command.transfer),)
    return (
        work.unknown(_cells_of_shipping(command))
        or present(_refusal_of_hold(work, command, line) for line in command.lines)
        or present(decide_issue(work.holds[name], units) for name, units in held.items())
        or present(decide_hold(work.rows.get(cell) or Row(*cell), units) for cell, units in free.items())
    )


def _refusal_of_hold(work: WorkingSet, command: ShipTransfer, line: Shipped) -> Refusal | None:
    """None where the line names no hold, or an open one of the goods that it ships."""
    if line.hold is None:
        return None
    hold = work.holds.get(line.hold)
    if (refusal := decide_open(hold, line.hold)) is not None or hold is None:
        return refusal
    if (hold.sku, hold.node) != (line.sku, command.from_node):
        return Refusal.of("hold_mismatch", hold=line.hold, sku=hold.sku, node=hold.node)
    return decide_carried(work.rows[hold.cell], hold.pending)


def _receive(work: WorkingSet, operation_id: str, command: ReceiveTransfer) -> Outcome:
    transfers = work.annex(Transfers)
    if command.transfer not in transfers.nodes:
        return Outcome((Refusal.of("unknown_transfer", transfer=command.transfer),))
    coming = _arriving(command)
    refusals = work.unknown(coming) or limits(work, coming)
    if refusals:
        return Outcome(refusals)
    booking = Booking(work, operation_id)
    for cell, units in coming.items():
        expected, found, extra = transfers.line(command.transfer, cell[0]).arrive(units)
        work.post(operation_id, cell, quantity=units)
        # The place in transit is that of the node they were sent to, wherever they came out.
        work.balance(operation_id, TRANSIT, (cell[0], transfers.nodes[command.transfer], SELLABLE), -expected)
        work.balance(operation_id, LOST, cell, -found)
        work.balance(operation_id, ADJUSTMENT, cell, -extra)
        booking.correct(cell, extra)
    return booking.outcome()


def _close(work: WorkingSet, operation_id: str, command: CloseTransfer) -> Outcome:
    transfers = work.annex(Transfers)
    if command.transfer not in transfers.nodes:
        return Outcome((Refusal.of("unknown_transfer", transfer=command.transfer),))
    for line in transfers.lines[command.transfer].values():
        rest = line.in_transit
        line.lost += rest
        work.balance(operation_id, TRANSIT, (line.sku, line.node, SELLABLE), -rest)
        work.balance(operation_id, LOST, (line.sku, line.node, SELLABLE), rest)
    return Outcome()


def _free(command: ShipTransfer) -> dict[Cell, int]:
    """What a transfer takes from the free part of each row."""
    sums: dict[Cell, int] = {}
    for line in command.lines:
        if line.hold is None:
            cell = (line.sku, command.from_node, SELLABLE)
            sums[cell] = sums.get(cell, 0) + line.quantity
    return sums


def _held(command: ShipTransfer) -> dict[str, int]:
    """What it takes of each hold."""
    sums: dict[str, int] = {}
    for line in command.lines:
        if line.hold is not None:
            sums[line.hold] = sums.get(line.hold, 0) + line.quantity
    return sums


def _arriving(command: ReceiveTransfer) -> dict[Cell, int]:
    sums: dict[Cell, int] = {}
    for line in command.lines:
        cell = (line.sku, command.node, line.condition)
        sums[cell] = sums.get(cell, 0) + line.quantity
    return sums


def _cells_of_shipping(command: ShipTransfer) -> Iterable[Cell]:
    """The rows at both ends: so that the receiving node is known, too, before goods leave for it."""
    return [(line.sku, node, SELLABLE) for line in command.lines for node in (command.from_node, command.to_node)]


VERBS: Final[Mapping[type, Verb]] = {
    ShipTransfer: Verb(
        _ship,
        cells=_cells_of_shipping,
        holds=lambda command: [line.hold for line in command.lines if line.hold is not None],
        takes=lambda command, _work: _free(command),
    ),
    ReceiveTransfer: Verb(_receive, cells=_arriving),
    CloseTransfer: Verb(_close),
}
