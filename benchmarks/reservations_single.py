"""One commit a call on SQLite: the guarded counter, the reservation and its ledger line, straight through the driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

from benchmarks.reservations_callers import by_connections
from benchmarks.reservations_ledger import POOL
from benchmarks.reservations_rows import Specimen, new_id
from benchmarks.reservations_sites import sqlite_connection
from benchmarks.reservations_workloads import Request
from omo_core.storage import tables
from omo_core.storage.statements import insert_sql

_GUARDED: Final = """
UPDATE omo_stock SET reserved = reserved + 1, version = version + 1
WHERE pool_id = ? AND sku = ? AND node = ? AND condition = 'sellable' AND halted = 0 AND on_hand - reserved - safety >= 1
RETURNING version, on_hand, reserved
"""


class SingleCommit:
    """A file has one writer, so one connection serves all callers in turn; more would only fight for its lock."""

    def __init__(self, url: str, rows: Specimen) -> None:
        self._rows = rows
        self._opened = ExitStack()
        self._connection = self._opened.enter_context(sqlite_connection(url))
        self._inserts = {
            table: insert_sql(table, rows.columns(table), False) for table in (tables.hold, tables.posting)
        }

    def serve(self, requests: Iterator[Request], callers: int, seconds: float) -> dict[str, Any]:
        """The facts of one round."""
        seen = by_connections([self.reserve], requests, callers, seconds)
        return {**seen.facts(seen.granted), "connections": 1}

    def reserve(self, request: Request) -> bool:
        """One transaction of one call."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        found = execute(_GUARDED, (POOL, request.sku, request.node)).fetchall()
        if not found:
            execute("ROLLBACK")
            return False
        operation_id = new_id()
        execute(self._inserts[tables.hold], (POOL, *self._rows.hold(request, operation_id)))
        execute(self._inserts[tables.posting], (POOL, *self._rows.posting(request, operation_id, 1, found[0])))
        execute("COMMIT")
        return True

    def close(self) -> None:
        """Close the connection."""
        self._opened.close()
