"""The transaction that every room takes as its first argument: one pool, one now, set-based helpers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import datetime
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import Connection, Row, Table
from sqlalchemy.exc import DBAPIError

from omo_core.model.errors import InvalidInput
from omo_core.storage.clock import from_us
from omo_core.storage.ids import IdSource
from omo_core.storage.statements import Values, array_text, checked, insert_new_sql, insert_sql, select_sql, update_sql

ROWS_A_STATEMENT: Final = (256, 32)
"""Rows that one INSERT of SQLite takes, before the rest goes in one by one: a third less work, and one long step in which
other threads run, where a step a row would wait for each of them in turn. 256 rows stay far below 32,766 values."""

AnyRow = Row[*tuple[Any, ...]]
Rows = Sequence[Mapping[str, Any]]
Tuples = Sequence[tuple[Any, ...]]
Names = Sequence[str] | Mapping[str, str]


class Transaction:
    """An open database transaction of one pool; ends with the `run` or `transaction` block that made it."""

    def __init__(self, connection: Connection, pool: str, now_us: int, ids: IdSource) -> None:
        self.connection = connection
        self.pool = pool
        self.now_us = now_us
        self.now: datetime = from_us(now_us)
        self.postgres = connection.dialect.name == "postgresql"
        self._ids = ids
        self._waiting: dict[str, tuple[Callable[[Transaction, list[Any]], None], list[Any]]] = {}

    def at(self, now_us: int) -> Transaction:
        """This same transaction, telling another time: for runs on a simulated clock whose instants commit together."""
        told = copy(self)
        told.now_us, told.now = now_us, from_us(now_us)
        return told

    def new_id(self) -> str:
        """A new UUIDv7 text."""
        return self._ids.new_id()

    def insert(self, table: Table, rows: Rows) -> None:
        """Insert `rows` (dicts with the same keys, without pool_id); 10,000 at a time is fine.

        A value of another type than the column's raises `InvalidInput`; a broken constraint raises SQLAlchemy's
        `IntegrityError`: it is a defect of the caller.
        """
        if rows:
            names = tuple(rows[0])
            self._insert(table, names, _columns(table, rows, names))

    def insert_tuples(self, table: Table, names: Sequence[str], rows: Tuples) -> None:
        """As `insert`, of tuples whose values are the columns `names` in that order."""
        if rows:
            self._insert(table, tuple(names), list(zip(*rows, strict=True)))

    def _insert(self, table: Table, names: tuple[str, ...], columns: Sequence[Values]) -> None:
        arrays = [checked(table, name, column) for name, column in zip(names, columns, strict=True)]
        if self.postgres:
            self._execute(insert_sql(table, names, True), (self.pool, *map(array_text, arrays)))
            return
        rows = list(zip(repeat(self.pool, len(arrays[0])), *arrays, strict=True))
        done = 0
        for size in ROWS_A_STATEMENT:
            while len(rows) - done >= size:
                values = tuple(chain.from_iterable(rows[done : done + size]))
                self._execute(insert_sql(table, names, False, rows=size), values)
                done += size
        if done < len(rows):
            self._execute(insert_sql(table, names, False), rows[done:])

    @contextmanager
    def sent_ahead(self) -> Iterator[None]:
        """Send the inserts of the block without waiting for each one's answer: the next is made while the server writes.

        For inserts only: what a statement found or changed is not known before the end, where the first error is raised.
        It matters on PostgreSQL, where each answer is a round trip. A driver without pipelines, or with a client library
        older than PostgreSQL 14's, inserts one by one.
        """
        dialect = self.connection.dialect
        pipeline = getattr(dialect.loaded_dbapi, "Pipeline", None) if self.postgres else None
        if pipeline is None or not pipeline.is_supported():
            yield
            return
        driver: Any = self.connection.connection.driver_connection
        error_type = dialect.loaded_dbapi.Error
        try:
            with driver.pipeline():
                yield
        except error_type as error:
            lost = bool(driver.closed)
            if lost:
                self.connection.invalidate()
            raise DBAPIError.instance(None, None, error, error_type, True, lost, dialect) from error

    def insert_new(self, table: Table, rows: Rows) -> list[tuple[Any, ...]]:
        """Insert those `rows` whose primary key is not taken; returns the keys inserted (without pool_id), sorted.

        On PostgreSQL a rival that is inserting the same key is waited for. Keys go in sorted, so that two batches
        that share some cannot deadlock; other unique columns must differ between rivals, or they can. Each key may
        stand in `rows` once.
        """
        keys = tuple(column.name for column in table.primary_key if column.name != "pool_id")
        pick = itemgetter(*keys) if len(keys) > 1 else lambda row: (row[keys[0]],)
        by_key = {pick(row): row for row in rows}
        if not by_key:
            return []
        if self.postgres:
            fresh = sorted(by_key)
            names = tuple(rows[0])
            columns = _columns(table, [by_key[key] for key in fresh], names)
            arrays = [checked(table, name, column) for name, column in zip(names, columns, strict=True)]
            result = self._execute(insert_new_sql(table, names, keys), (self.pool, *map(array_text, arrays)))
            return [tuple(row) for row in result]
        taken = {tuple(row) for row in self.select(table, keys, keys, by_key)}
        fresh = sorted(key for key in by_key if key not in taken)
        self.insert(table, [by_key[key] for key in fresh])
        return fresh

    def update(self, table: Table, rows: Rows, *, keys: Names, changes: Names) -> int:
        """Set the `changes` columns of the rows found by the `keys` columns; returns how many rows matched.

        `keys` and `changes` may map a column to the name of its value in `rows`, so that a column can be guard and
        change: `keys=("order_id", "version"), changes={"version": "next_version"}`. Callers assert the count. Rows that
        other transactions change too are locked first with `select(…, lock=True)`: an UPDATE takes them in no order.
        """
        if not rows:
            return 0
        found, new = _named(keys), _named(changes)
        columns = _columns(table, rows, (*found.values(), *new.values()), exact=False)
        arrays = [checked(table, name, column) for name, column in zip((*found, *new), columns, strict=True)]
        sql = update_sql(table, tuple(found), tuple(new), self.postgres)
        if self.postgres:
            return int(self._execute(sql, (*map(array_text, arrays), self.pool)).rowcount)
        pools = repeat(self.pool, len(rows))
        parameters = list(zip(*arrays[len(found) :], pools, *arrays[: len(found)], strict=True))
        return int(self._execute(sql, parameters).rowcount)

    def select(
        self,
        table: Table,
        columns: Sequence[str],
        keys: Sequence[str],
        values: Iterable[Sequence[Any]],
        *,
        lock: bool = False,
    ) -> list[AnyRow]:
        """The `columns` of all rows whose `keys` columns are among `values` (tuples), in order of the keys.

        `keys` may be part of a row's key: then several rows match a value, ordered by the rest of their key. Rows are
        tuples with named attributes. `lock` holds the rows, taken in key order, until the transaction ends.
        """
        wanted = sorted(set(map(tuple, values)))
        if not wanted:
            return []
        keys = tuple(keys)
        arrays = [checked(table, name, array) for name, array in zip(keys, zip(*wanted, strict=True), strict=True)]
        if self.postgres:
            sql = select_sql(table, tuple(columns), keys, True, lock)
            return list(self._execute(sql, (*map(array_text, arrays), self.pool)).all())
        alike = [place for place, array in enumerate(arrays) if len(set(array)) == 1][: len(keys) - 1]
        listed = [array for place, array in enumerate(arrays) if place not in alike]
        document = listed[0] if len(listed) == 1 else list(zip(*listed, strict=True))
        sql = select_sql(table, tuple(columns), keys, False, lock, alike=tuple(keys[place] for place in alike))
        parameters = (_json(document), self.pool, *(arrays[place][0] for place in alike))
        return list(self._execute(sql, parameters).all())

    def fetch(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """All rows of a statement of ours, in the engine's own marks, as the driver's plain tuples."""
        result = self._execute(sql, parameters)
        rows: list[tuple[Any, ...]] = result.cursor.fetchall()
        result.close()
        return rows

    def publish(self, type: str, subject: str, data: Mapping[str, Any]) -> str:  # noqa: A002
        """Announce one fact about `subject`, written at commit with the subject's next version; returns its id."""
        return self.publish_many([(type, subject, data)])[0]

    def publish_many(self, facts: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[str]:
        """Announce many facts (type, subject, data), in this order; returns their ids."""
        from omo_core.storage import outbox  # which builds upon this module

        return outbox.publish(self, facts)

    def at_commit(self, name: str, write: Callable[[Transaction, list[Any]], None]) -> list[Any]:
        """The list of what waits under `name`; right before the commit `write(tx, list)` is called if it has any."""
        return self._waiting.setdefault(name, (write, []))[1]

    def finish(self) -> None:
        """Write what waited for the end of the transaction; its opener calls this right before the commit."""
        while self._waiting:
            write, waiting = self._waiting.pop(next(iter(self._waiting)))
            if waiting:
                write(self, waiting)

    def _execute(self, sql: str, parameters: Any) -> Any:
        try:
            return self.connection.exec_driver_sql(sql, parameters)
        except (UnicodeEncodeError, OverflowError) as error:
            raise InvalidInput(f"A value cannot be stored: {error}; correct it and send it again") from error


def _json(values: Values) -> str:
    """A list of keys as JSON text."""
    try:
        return to_json(values).decode()
    except PydanticSerializationError as error:
        raise InvalidInput(f"A value cannot be looked for: {error}; correct it and send it again") from error


def _named(names: Names) -> Mapping[str, str]:
    return names if isinstance(names, Mapping) else {name: name for name in names}


def _columns(table: Table, rows: Rows, names: Sequence[str], *, exact: bool = True) -> list[Values]:
    """The values of each of `names`, one array a name, from rows of dicts that have no other keys if `exact`."""
    if exact and set(map(len, rows)) != {len(names)}:
        raise InvalidInput(f"Rows for {table.name} must all have the same keys")
    picked = map(itemgetter(*names), rows)
    return list(zip(*picked, strict=True)) if len(names) > 1 else [list(picked)]
