"""The rows that one reservation leaves: read from what ours wrote, so that every method writes rows of the same shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from sqlalchemy import Table, select

from benchmarks.reservations_ledger import POOL, Cell
from benchmarks.reservations_ours import Combined
from benchmarks.reservations_workloads import Request
from omo_core.storage import tables
from omo_core.storage.database import Database
from omo_core.storage.ids import Uuid7Ids

Row = tuple[Any, ...]

WRITTEN: Final = (tables.operation, tables.hold, tables.posting)
"""What a reservation inserts; and it updates its stock row."""

_ids = Uuid7Ids()
_serial = count(1)


@dataclass(frozen=True)
class Specimen:
    """One row of each table as ours wrote it for a reservation of one unit; `make` varies it."""

    by_table: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, ours: Combined, row: Cell) -> Specimen:
        """Let ours reserve one unit of a row nobody else asks for, and read what that left."""
        owner = f"specimen/{next(_serial)}"
        answer = ours.reserve(Request(owner, *row)).result()
        (hold,) = answer.holds
        return cls(_read(ours.hub.database, hold.hold))

    def columns(self, table: Table) -> tuple[str, ...]:
        """Every column of the table but the pool's."""
        return tuple(self.by_table[table.name])

    def make(self, table: Table, **changed: Any) -> Row:
        """A row of the table, in the order of `columns`: the specimen with some values changed."""
        return tuple({**self.by_table[table.name], **changed}.values())

    def hold(self, request: Request, operation_id: str) -> Row:
        """A hold of one unit for the request."""
        return self.make(
            tables.hold,
            hold=_ids.new_id(),
            owner=request.owner,
            sku=request.sku,
            node=request.node,
            operation_id=operation_id,
        )

    def posting(self, request: Request, operation_id: str, number: int, after: tuple[int, int, int]) -> Row:
        """A ledger line of one unit; `after` is the row's version, units on hand and units reserved."""
        version, on_hand, reserved = after
        return self.make(
            tables.posting,
            operation_id=operation_id,
            number=number,
            sku=request.sku,
            node=request.node,
            row_version=version,
            on_hand_after=on_hand,
            reserved_after=reserved,
        )

    def operation(self, request: Request, operation_id: str) -> Row:
        """The operation, with an answer as long as the specimen's."""
        return self.make(tables.operation, key=request.owner, operation_id=operation_id)


def new_id() -> str:
    """An id as ours makes them."""
    return _ids.new_id()


def _read(database: Database, hold: str) -> dict[str, dict[str, Any]]:
    def find(table: Table, column: str, value: str) -> dict[str, Any]:
        chosen = [each for each in table.c if each.name != "pool_id"]
        query = select(*chosen).where(table.c.pool_id == POOL, table.c[column] == value)
        with database.connection(read_only=True) as connection:
            return dict(connection.execute(query).mappings().one())

    held = find(tables.hold, "hold", hold)
    operation_id = held["operation_id"]
    rest = {table.name: find(table, "operation_id", operation_id) for table in (tables.operation, tables.posting)}
    return {tables.hold.name: held, **rest}


def arrays(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """One tuple a column."""
    return list(zip(*rows, strict=True))
