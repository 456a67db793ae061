"""Goods that move as a matter of fact: what is gone is gone, at the cost of the newest promises and of the book itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from omo_core.inventory.decide import Sale, decide_limit, decide_sale
from omo_core.inventory.verb import Outcome
from omo_core.inventory.working import ADJUSTMENT, Cell, Row, WorkingSet
from omo_core.model.refusals import Refusal
from omo_core.model.stock import Correction, Displaced, Hold, HoldState, Shortage


@dataclass(slots=True)
class Booking:
    """One operation's changes of goods, and what its answer tells of them."""

    work: WorkingSet
    operation_id: str
    displaced: list[Displaced] = field(default_factory=list)
    shortages: list[Shortage] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    row_refusals: list[Refusal] = field(default_factory=list)

    def bring(self, cell: Cell, quantity: int, place: str) -> None:
        """Goods come to a row from a place."""
        self.work.post(self.operation_id, cell, quantity=quantity)
        self.work.balance(self.operation_id, place, cell, -quantity)

    def take(self, cell: Cell, quantity: int, place: str) -> None:
        """Goods left a row for a place; what the book never had comes out of nowhere, and a count must say whence."""
        sale = sale_from(self.work, cell, quantity)
        displaced = self.displace(sale)
        self.work.post(self.operation_id, cell, quantity=-sale.taken, reserved=-displaced, shortage=sale.shortage)
        self.work.balance(self.operation_id, place, cell, quantity)
        self.work.balance(self.operation_id, ADJUSTMENT, cell, -sale.shortage)
        self.run_short(cell, sale.shortage)

    def displace(self, sale: Sale) -> int:
        """Take away the promises that a sale displaces; returns their units, which the caller posts."""
        for hold, units in sale.displaced:
            hold.release(units, HoldState.RELEASED)
            gone = Displaced(
                hold=hold.hold, owner=hold.owner, line=hold.line, sku=hold.sku, node=hold.node, quantity=units
            )
            self.displaced.append(gone)
        return sum(units for _, units in sale.displaced)

    def run_short(self, cell: Cell, units: int) -> None:
        """A row is short of `units` more: someone must count it, and hears of it."""
        if units > 0:
            self.work.open_count_task(self.operation_id, cell, units)
            self.shortages.append(Shortage(sku=cell[0], node=cell[1], quantity=units))

    def correct(self, cell: Cell, quantity: int) -> None:
        """Tell that the book of a row was changed by so many units without goods moving."""
        if quantity:
            sku, node, condition = cell
            self.corrections.append(Correction(sku=sku, node=node, condition=condition, quantity=quantity))

    def outcome(self, holds: Iterable[Hold] = ()) -> Outcome:
        """The outcome of a command that was applied."""
        return Outcome(
            holds=tuple(holds),
            displaced=tuple(self.displaced),
            shortages=tuple(self.shortages),
            corrections=tuple(self.corrections),
            row_refusals=tuple(self.row_refusals),
        )


def sale_from(work: WorkingSet, cell: Cell, quantity: int) -> Sale:
    """What taking `quantity` units from a row would do to it and its promises."""
    return decide_sale(work.rows.get(cell) or Row(*cell), quantity, work.holds_by_cell.get(cell, ()))


def present(refusals: Iterable[Refusal | None]) -> tuple[Refusal, ...]:
    """Those that are refusals."""
    return tuple(refusal for refusal in refusals if refusal is not None)


def limits(work: WorkingSet, coming: Mapping[Cell, int]) -> tuple[Refusal, ...]:
    """A refusal for each row that would hold more than a row may."""
    rows = ((cell, work.rows.get(cell), units) for cell, units in coming.items())
    return present(decide_limit(cell, units + (row.on_hand if row else 0)) for cell, row, units in rows)
