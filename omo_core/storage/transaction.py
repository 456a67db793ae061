"""The transaction that every room takes as its first argument: one pool, one now, set-based helpers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, Table

from omo_core.model.errors import InvalidInput
from omo_core.storage.clock import from_us
from omo_core.storage.ids import IdSource
from omo_core.storage.statements import Values, array_text, checked, insert_new_sql, insert_sql, select_sql, update_sql

AnyRow = Row[*tuple[Any, ...]]
Rows = Sequence[Mapping[str, Any]]
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

    def new_id(self) -> str:
        """A new UUIDv7 text."""
        return self._ids.new_id()

    def insert(self, table: Table, rows: Rows) -> None:
        """Insert `rows` (dicts with the same keys, without pool_id); 10,000 at a time is fine.

        A value of another type than the column's raises `InvalidInput`; a broken constraint raises SQLAlchemy's
        `IntegrityError`: it is a defect of the caller.
        """
        if not rows:
            return
        columns = tuple(rows[0])
        arrays = _arrays(table, columns, columns, rows)
        sql = insert_sql(table, columns, self.postgres)
        if self.postgres:
            self._execute(sql, (self.pool, *map(array_text, arrays)))
        else:
            self._execute(sql, [(self.pool, *row) for row in zip(*arrays, strict=True)])

    def insert_new(self, table: Table, rows: Rows) -> list[tuple[Any, ...]]:
        """Insert those `rows` whose primary key is not taken; returns the keys inserted (without pool_id), sorted.

        On PostgreSQL a rival that is inserting the same key is waited for. Keys go in sorted, so that two batches
        that share some cannot deadlock. Each key may stand in `rows` once.
        """
        keys = tuple(column.name for column in table.primary_key if column.name != "pool_id")
        pick = itemgetter(*keys) if len(keys) > 1 else lambda row: (row[keys[0]],)
        by_key = {pick(row): row for row in rows}
        if not by_key:
            return []
        if self.postgres:
            fresh = sorted(by_key)
            columns = tuple(rows[0])
            arrays = _arrays(table, columns, columns, [by_key[key] for key in fresh])
            result = self._execute(insert_new_sql(table, columns, keys), (self.pool, *map(array_text, arrays)))
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
        arrays = _arrays(table, (*found, *new), (*found.values(), *new.values()), rows, exact=False)
        sql = update_sql(table, tuple(found), tuple(new), self.postgres)
        if self.postgres:
            return int(self._execute(sql, (*map(array_text, arrays), self.pool)).rowcount)
        pools = [self.pool] * len(rows)
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
        sql = select_sql(table, tuple(columns), keys, self.postgres, lock)
        if self.postgres:
            parameters: tuple[Any, ...] = (*map(array_text, arrays), self.pool)
        else:
            document = arrays[0] if len(keys) == 1 else list(zip(*arrays, strict=True))
            parameters = (json.dumps(document, ensure_ascii=False), self.pool)
        return list(self._execute(sql, parameters).all())

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


def _named(names: Names) -> Mapping[str, str]:
    return names if isinstance(names, Mapping) else {name: name for name in names}


def _arrays(
    table: Table, columns: Sequence[str], names: Sequence[str], rows: Rows, *, exact: bool = True
) -> list[Values]:
    """One array a column, from rows of dicts; `names` are the columns' names within the rows."""
    if exact and any(len(row) != len(names) for row in rows):
        raise InvalidInput(f"Rows for {table.name} must all have the same keys")
    pick = itemgetter(*names)
    tuples = map(pick, rows) if len(names) > 1 else ((pick(row),) for row in rows)
    return [
        checked(table, column, list(array)) for column, array in zip(columns, zip(*tuples, strict=True), strict=True)
    ]
