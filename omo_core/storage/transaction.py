"""The transaction that every room takes as its first argument: one pool, one now, set-based helpers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import datetime
from functools import cache, partial
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import Connection, Row, Table

from omo_core.model.errors import InvalidInput
from omo_core.storage.ahead import Ahead, Answer
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
    """An open database transaction of one pool; ends with the `run` or `transaction` block that made it.

    `now_us` may be a question to the database, and `ahead` carries what goes out before such are answered.
    """

    def __init__(
        self, connection: Connection, pool: str, now_us: int | Answer, ids: IdSource, ahead: Ahead | None = None
    ) -> None:
        self._connection = connection
        self._ahead = ahead
        self._sending_ahead = False
        self.pool = pool
        self._now_us = now_us
        self.postgres = connection.dialect.name == "postgresql"
        self.new_id: Callable[[], str] = ids.new_id
        """A new UUIDv7 text."""
        self._waiting: dict[str, tuple[Callable[[Transaction, list[Any]], None], list[Any]]] = {}

    @property
    def connection(self) -> Connection:
        """For statements of your own; what was sent ahead is waited for."""
        if self._ahead is not None:
            self._ahead.settle()
        return self._connection

    @property
    def now_us(self) -> int:
        """When the transaction began, in microseconds since 1970 UTC."""
        if not isinstance(self._now_us, int):
            self._now_us = int(self._now_us()[0][0])
        return self._now_us

    @property
    def now(self) -> datetime:
        """The same as an aware instant."""
        return from_us(self.now_us)

    def at(self, now_us: int) -> Transaction:
        """This same transaction, telling another time: for runs on a simulated clock whose instants commit together."""
        told = copy(self)
        told._now_us = now_us  # noqa: SLF001
        return told

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
            execute = self._send if self._sending_ahead else self._execute
            execute(insert_sql(table, names, True), (self.pool, *map(array_text, arrays)))
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
        """Send the inserts and `update_exactly` of the block without waiting for each one's answer: the next is made while
        the server writes.

        What they met with is known at the end of the block, where the first error is raised. It matters on PostgreSQL,
        where each answer is a round trip; where `Ahead.of` gives none, each is waited for.
        """
        if self._ahead is None:
            yield
            return
        self._sending_ahead = True
        try:
            yield
        finally:
            self._sending_ahead = False
        self._ahead.settle()

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
        found, new, arrays = _changes(table, rows, keys, changes)
        sql = update_sql(table, found, new, self.postgres)
        if self.postgres:
            return int(self._execute(sql, (*map(array_text, arrays), self.pool)).rowcount)
        pools = repeat(self.pool, len(rows))
        parameters = list(zip(*arrays[len(found) :], pools, *arrays[: len(found)], strict=True))
        return int(self._execute(sql, parameters).rowcount)

    def update_exactly(
        self, table: Table, rows: Rows, *, keys: Names, changes: Names, otherwise: Callable[[int], Exception]
    ) -> None:
        """As `update`, of rows that all must match: raises what `otherwise` makes of the number that did not.

        In a `sent_ahead` block that is raised at its end, before any error that a later statement of the block met with.
        """

        def check(matched: int) -> None:
            if matched != len(rows):
                raise otherwise(len(rows) - matched)

        if self._ahead is None or not self._sending_ahead:
            check(self.update(table, rows, keys=keys, changes=changes))
        elif rows:
            found, new, arrays = _changes(table, rows, keys, changes)
            self._send(update_sql(table, found, new, True), (*map(array_text, arrays), self.pool), check)

    def ask(
        self,
        table: Table,
        columns: Sequence[str],
        keys: Sequence[str],
        values: Iterable[Sequence[Any]],
        *,
        lock: bool = False,
    ) -> Answer:
        """As `select`, without waiting for the answer where it can be sent ahead; the rows are plain tuples.

        Statements are carried out in the order in which they were asked, so what is asked behind a lock is read under it.
        """
        if self._ahead is None:
            rows = self.select(table, columns, keys, values, lock=lock)
            return lambda: rows
        wanted = _sorted(values)
        if not wanted:
            return tuple
        keys = tuple(keys)
        return self._asked(select_sql(table, tuple(columns), keys, True, lock), self._keys(table, keys, wanted))

    def ask_sql(self, sql: str, parameters: tuple[Any, ...]) -> Answer:
        """As `fetch`, without waiting for the answer where it can be sent ahead."""
        if self._ahead is None:
            rows = self.fetch(sql, parameters)
            return lambda: rows
        return self._asked(sql, parameters)

    def _asked(self, sql: str, parameters: tuple[Any, ...]) -> Answer:
        assert self._ahead is not None
        return cache(partial(self._ahead.rows, self._send(sql, parameters)))

    def _keys(self, table: Table, keys: tuple[str, ...], wanted: Tuples) -> tuple[Any, ...]:
        """What PostgreSQL's `select_sql` binds."""
        arrays = (checked(table, name, array) for name, array in zip(keys, zip(*wanted, strict=True), strict=True))
        return (*map(array_text, arrays), self.pool)

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
        wanted = _sorted(values)
        if not wanted:
            return []
        keys = tuple(keys)
        if self.postgres:
            sql = select_sql(table, tuple(columns), keys, True, lock)
            return list(self._execute(sql, self._keys(table, keys, wanted)).all())
        arrays = [checked(table, name, array) for name, array in zip(keys, zip(*wanted, strict=True), strict=True)]
        alike = [place for place, array in enumerate(arrays) if len(set(array)) == 1][: len(keys) - 1]
        listed = [array for place, array in enumerate(arrays) if place not in alike]
        document = listed[0] if len(listed) == 1 else list(zip(*listed, strict=True))
        sql = select_sql(table, tuple(columns), keys, False, lock, alike=tuple(keys[place] for place in alike))
        parameters = (_json(document), self.pool, *(arrays[place][0] for place in alike))
        return list(self._execute(sql, parameters).all())

    def fetch(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """All rows of a statement of ours, in the engine's own marks, as the driver's plain tuples."""
        if self._ahead is not None and self._ahead.is_open:
            return list(self._asked(sql, parameters)())
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
        with _storable():
            return self.connection.exec_driver_sql(sql, parameters)

    def _send(self, sql: str, parameters: tuple[Any, ...], check: Callable[[int], None] | None = None) -> Any:
        assert self._ahead is not None
        with _storable():
            return self._ahead.send(sql, parameters, check)


@contextmanager
def _storable() -> Iterator[None]:
    """Say what is wrong with a value that the driver cannot send."""
    try:
        yield
    except (UnicodeEncodeError, OverflowError) as error:
        raise InvalidInput(f"A value cannot be stored: {error}; correct it and send it again") from error


def _sorted(values: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Keys to look for, each once, in the order in which rows are locked."""
    return sorted(set(map(tuple, values)))


def _json(values: Values) -> str:
    """A list of keys as JSON text."""
    try:
        return to_json(values).decode()
    except PydanticSerializationError as error:
        raise InvalidInput(f"A value cannot be looked for: {error}; correct it and send it again") from error


def _named(names: Names) -> Mapping[str, str]:
    return names if isinstance(names, Mapping) else {name: name for name in names}


def _changes(
    table: Table, rows: Rows, keys: Names, changes: Names
) -> tuple[tuple[str, ...], tuple[str, ...], list[Values]]:
    """The key columns and the changed columns of an update, and the values of both, one array a column."""
    found, new = _named(keys), _named(changes)
    columns = _columns(table, rows, (*found.values(), *new.values()), exact=False)
    arrays = [checked(table, name, column) for name, column in zip((*found, *new), columns, strict=True)]
    return tuple(found), tuple(new), arrays


def _columns(table: Table, rows: Rows, names: Sequence[str], *, exact: bool = True) -> list[Values]:
    """The values of each of `names`, one array a name, from rows of dicts that have no other keys if `exact`."""
    if exact and set(map(len, rows)) != {len(names)}:
        raise InvalidInput(f"Rows for {table.name} must all have the same keys")
    picked = map(itemgetter(*names), rows)
    return list(zip(*picked, strict=True)) if len(names) > 1 else [list(picked)]
