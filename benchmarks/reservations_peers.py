"""How others reserve a unit on PostgreSQL: one connection a caller, prepared statements, no ORM, as durable as ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import psycopg
from sqlalchemy import Table, make_url

from benchmarks.reservations_callers import by_connections
from benchmarks.reservations_ledger import POOL
from benchmarks.reservations_rows import Specimen, new_id
from benchmarks.reservations_workloads import Request
from omo_core.storage import tables

Connection = psycopg.Connection[tuple[Any, ...]]
Way = Callable[[Connection, Specimen, Request], bool]

CONNECTIONS: Final = 32

_THE_ROW: Final = b"WHERE pool_id = %s AND sku = %s AND node = %s AND condition = 'sellable'"

_LOCK_ROW: Final = b"SELECT on_hand, reserved, safety, version, halted FROM omo_stock " + _THE_ROW + b" FOR UPDATE"
_SET_ROW: Final = b"UPDATE omo_stock SET reserved = %s, version = %s " + _THE_ROW
_GUARDED: Final = (
    b"UPDATE omo_stock SET reserved = reserved + 1, version = version + 1 "
    + _THE_ROW
    + b" AND halted = 0 AND on_hand - reserved - safety >= 1 RETURNING version"
)
_LOCK_KEY: Final = b"SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_SUM: Final = (
    b"SELECT on_hand - safety - (SELECT coalesce(sum(pending), 0) FROM omo_hold "
    + _THE_ROW
    + b" AND state IN ('placed', 'confirmed')) FROM omo_stock "
    + _THE_ROW
)
_DEADLOCKS: Final = b"SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
_OTHERS: Final = (
    b"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    b"AND backend_type = 'client backend'"
)
SESSIONS_END_S: Final = 30.0


def row_lock(connection: Connection, rows: Specimen, request: Request) -> bool:
    """What most commerce platforms do: lock, read, check, update, insert the reservation and its ledger line, commit."""
    with connection.transaction():
        row = (POOL, request.sku, request.node)
        found = connection.execute(_LOCK_ROW, row).fetchone()
        if found is None:
            return False
        on_hand, reserved, safety, version, halted = found
        if halted or on_hand - reserved - safety < 1:
            return False
        connection.execute(_SET_ROW, (reserved + 1, version + 1, *row))
        operation_id = new_id()
        _insert(connection, rows, tables.hold, rows.hold(request, operation_id))
        after = (version + 1, on_hand, reserved + 1)
        _insert(connection, rows, tables.posting, rows.posting(request, operation_id, 1, after))
    return True


def append_sum(connection: Connection, rows: Specimen, request: Request) -> bool:
    """No counter: free is what is on hand less the sum of reservations, under a lock held until the commit.

    The lock is taken in a statement of its own: a sum in the same statement would not see what it waited for.
    """
    with connection.transaction():
        connection.execute(_LOCK_KEY, (f"{POOL}/{request.sku}/{request.node}",))
        row = (POOL, request.sku, request.node)
        found = connection.execute(_SUM, row + row).fetchone()
        if found is None or found[0] < 1:
            return False
        _insert(connection, rows, tables.hold, rows.hold(request, new_id()))
    return True


def conditional(connection: Connection, _rows: Specimen, request: Request) -> bool:
    """The bare guarded counter, one statement and one commit: no reservation, no ledger, nobody to ask again."""
    row = (POOL, request.sku, request.node)
    return connection.execute(_GUARDED, row).fetchone() is not None


WAYS: Final[dict[str, Way]] = {"row_lock": row_lock, "append_sum": append_sum, "conditional": conditional}


class Peer:
    """One of the ways above, on as many connections as there are callers, at most 32."""

    def __init__(self, name: str, url: str, rows: Specimen, connections: int = CONNECTIONS) -> None:
        self.name = name
        self._rows = rows
        self._connections = [connect(url) for _ in range(connections)]

    def serve(self, requests: Iterator[Request], callers: int, seconds: float) -> dict[str, Any]:
        """The facts of one round; every request is a transaction of its own, and a refused one commits nothing."""
        used = self._connections[:callers]
        works = [partial(WAYS[self.name], connection, self._rows) for connection in used]
        seen = by_connections(works, requests, callers, seconds)
        return {**seen.facts(seen.granted), "connections": len(used)}

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


def connect(url: str) -> Connection:
    """A plain driver connection that prepares a statement when it first sees it."""
    where = make_url(url)
    query = {name: value for name, value in where.query.items() if isinstance(value, str)}
    info = psycopg.conninfo.make_conninfo(user=where.username, dbname=where.database, **query)
    connection = psycopg.connect(info, autocommit=True)  # transactions are begun where they are needed
    connection.prepare_threshold = 0
    return connection


def deadlocks(url: str) -> int:
    """Deadlocks the server counted in this database; waits for its sessions to end, because they report theirs then."""
    deadline = time.monotonic() + SESSIONS_END_S
    with connect(url) as connection:
        while _number(connection, _OTHERS):
            if time.monotonic() > deadline:
                raise AssertionError(
                    "somebody is still connected: close the methods before their deadlocks are counted"
                )
            time.sleep(0.02)
        return _number(connection, _DEADLOCKS)


def _number(connection: Connection, sql: bytes) -> int:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def _insert(connection: Connection, rows: Specimen, table: Table, row: tuple[Any, ...]) -> None:
    columns = rows.columns(table)
    names = ", ".join(f'"{name}"' for name in ("pool_id", *columns))
    marks = ", ".join(["%s"] * (len(columns) + 1))
    sql = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608
    connection.execute(sql.encode(), (POOL, *row))
