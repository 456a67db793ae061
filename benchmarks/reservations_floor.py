"""The write floor: the rows a batch of reservations leaves, one statement a table, without keys, decisions or callers."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.reservations_ledger import POOL, UNITS_A_ROW, Cell
from benchmarks.reservations_peers import Connection
from benchmarks.reservations_rows import WRITTEN, Row, Specimen, arrays, new_id
from benchmarks.reservations_workloads import Request
from omo_core.storage import tables
from omo_core.storage.statements import array_text, insert_sql

_UPDATE: Final = """
UPDATE omo_stock SET reserved = ?, version = ? WHERE pool_id = ? AND sku = ? AND node = ? AND condition = 'sellable'
"""
FIRST_VERSION: Final = 1
"""Of a row that has its receipt and nothing more."""

Prepare = Callable[["Batch"], Callable[[], None]]
"""Makes everything ready for one batch; what it returns only writes, and commits once."""


@dataclass(frozen=True)
class Batch:
    """Rows of each table, and the stock row's new counters."""

    rows: dict[str, list[Row]]
    stock: tuple[int, int, str, str, str]
    """reserved, version; pool, sku, node."""


def measure(prepare: Prepare, rows: Specimen, cell: Cell, size: int, batches: int) -> dict[str, Any]:
    """The facts of one round: `batches` of `size` reservations of one fresh row, only their writing timed."""
    written, making = 0.0, time.perf_counter()
    for batch in range(batches):
        write = prepare(_batch(rows, cell, batch * size, size))
        start = time.perf_counter()
        write()
        written += time.perf_counter() - start
    return {
        "seconds": written,
        "seconds_with_making_rows": time.perf_counter() - making,
        "requests": size * batches,
        "throughput_s": size * batches / written,
        "commits": batches,
        "mean_batch": size,
    }


def _batch(rows: Specimen, cell: Cell, reserved: int, size: int) -> Batch:
    version = FIRST_VERSION + reserved
    found: dict[str, list[Row]] = {table.name: [] for table in WRITTEN}
    for n in range(1, size + 1):
        operation_id = new_id()
        request = Request(operation_id, *cell)
        found[tables.operation.name].append(rows.operation(request, operation_id))
        found[tables.hold.name].append(rows.hold(request, operation_id))
        after = (version + n, UNITS_A_ROW, reserved + n)
        found[tables.posting.name].append(rows.posting(request, operation_id, n, after))
    return Batch(found, (reserved + size, version + size, POOL, *cell))


def on_postgres(connection: Connection, rows: Specimen) -> Prepare:
    """One UNNEST insert a table and one UPDATE, arrays bound in the form that PostgreSQL reads fastest."""

    def prepare(batch: Batch) -> Callable[[], None]:
        statements = [
            (
                insert_sql(table, rows.columns(table), True).encode(),
                (POOL, *map(array_text, arrays(batch.rows[table.name]))),
            )
            for table in WRITTEN
        ]
        statements.append((_UPDATE.replace("?", "%s").encode(), batch.stock))

        def write() -> None:
            with connection.transaction():
                for sql, parameters in statements:
                    connection.execute(sql, parameters)

        return write

    return prepare


def on_sqlite(connection: sqlite3.Connection, rows: Specimen) -> Prepare:
    """One `executemany` a table and one UPDATE between BEGIN IMMEDIATE and COMMIT."""

    def prepare(batch: Batch) -> Callable[[], None]:
        inserts = [
            (insert_sql(table, rows.columns(table), False), [(POOL, *row) for row in batch.rows[table.name]])
            for table in WRITTEN
        ]

        def write() -> None:
            connection.execute("BEGIN IMMEDIATE")
            for sql, parameters in inserts:
                connection.executemany(sql, parameters)
            connection.execute(_UPDATE, batch.stock)
            connection.execute("COMMIT")

        return write

    return prepare
