"""What goods that are gone cost a pool, unit by unit: a free one, else one promised last, else one that never was there."""

from __future__ import annotations

from omo_core.model.stock import Displaced, HoldState, Shortage
from omo_core.testing.pool_model import Cell, Fields, PoolModel


class Losses:
    """Takes units from rows whatever the book says, and keeps whose they were."""

    def __init__(self, model: PoolModel) -> None:
        self._model = model
        self._displaced: dict[str, int] = {}
        self._short: dict[Cell, int] = {}

    def take(self, cell: Cell, units: int) -> None:
        """So many units have left a row."""
        for _ in range(units):
            self._take_one(cell)
        if cell in self._short:
            self._model.rows[cell].tasks.append(self._model.now_us)

    def lack(self, cell: Cell, units: int) -> None:
        """A row is short of so many units more."""
        self._model.change(cell, shortage=units)
        if units > 0:
            self._short[cell] = units
            self._model.rows[cell].tasks.append(self._model.now_us)

    def fields(self) -> Fields:
        """What the answer says of it."""
        return {
            "displaced": tuple(self._displaced_value(hold, units) for hold, units in self._displaced.items()),
            "shortages": tuple(
                Shortage(sku=sku, node=node, quantity=units) for (sku, node, _), units in self._short.items()
            ),
        }

    def _take_one(self, cell: Cell) -> None:
        row = self._model.row(cell)
        if row.on_hand == 0:
            self._model.change(cell, shortage=1)
            self._short[cell] = self._short.get(cell, 0) + 1
            return
        if row.on_hand == row.reserved:
            newest = max(self._model.promises[cell].values(), key=lambda hold: (hold.placed_at_us, hold.hold))
            self._model.give_back(newest, 1, HoldState.RELEASED)
            self._displaced[newest.hold] = self._displaced.get(newest.hold, 0) + 1
        self._model.change(cell, on_hand=-1)

    def _displaced_value(self, hold_id: str, units: int) -> Displaced:
        hold = self._model.holds[hold_id]
        sku, node, _ = hold.cell
        return Displaced(hold=hold_id, owner=hold.owner, line=hold.line, sku=sku, node=node, quantity=units)
