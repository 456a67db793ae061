"""SQL texts of the set-based helpers, per engine, made once for each table and choice of columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import LargeBinary, Table, Text

from omo_core.model.errors import InvalidInput

Values = Sequence[Any]

_MOST: Final = 2**63 - 1
_KINDS: Final[dict[str, type]] = {"text": str, "bigint": int, "bytea": bytes}


# Names below come from our own tables, never from a caller's text; values are always bound.


@cache
def insert_sql(table: Table, columns: tuple[str, ...], postgres: bool, *, rows: int = 1) -> str:
    """INSERT of many rows: PostgreSQL binds the pool and one array a column, SQLite each of `rows`, the pool first."""
    names = ", ".join(f'"{name}"' for name in ("pool_id", *columns))
    if not postgres:
        marks = f"({', '.join('?' * (len(columns) + 1))})"
        return f'INSERT INTO "{table.name}" ({names}) VALUES {", ".join([marks] * rows)}'  # noqa: S608
    return f'INSERT INTO "{table.name}" ({names}) SELECT %s, v.* FROM {_unnest(table, columns)} AS v'  # noqa: S608


@cache
def insert_new_sql(table: Table, columns: tuple[str, ...], keys: tuple[str, ...]) -> str:
    """PostgreSQL's INSERT that passes over taken keys and returns those it inserted; binds as `insert_sql`."""
    names = ", ".join(f'"{name}"' for name in keys)
    return f"{insert_sql(table, columns, True)} ON CONFLICT (pool_id, {names}) DO NOTHING RETURNING {names}"


@cache
def update_sql(table: Table, keys: tuple[str, ...], changes: tuple[str, ...], postgres: bool) -> str:
    """UPDATE by key columns; PostgreSQL binds key arrays, change arrays, pool; SQLite a row's changes, pool, keys."""
    if not postgres:
        sets = ", ".join(f'"{name}" = ?' for name in changes)
        match = " AND ".join(f'"{name}" = ?' for name in ("pool_id", *keys))
        return f'UPDATE "{table.name}" SET {sets} WHERE {match}'  # noqa: S608
    sets = ", ".join(f'"{name}" = v.c{i}' for i, name in enumerate(changes))
    match = " AND ".join(f't."{name}" = v.k{i}' for i, name in enumerate(keys))
    names = [*(f"k{i}" for i in range(len(keys))), *(f"c{i}" for i in range(len(changes)))]
    source = _wanted(table, (*keys, *changes), names)
    return f'UPDATE "{table.name}" AS t SET {sets} FROM {source} WHERE t.pool_id = v.pool_id AND {match}'  # noqa: S608


@cache
def select_sql(
    table: Table,
    columns: tuple[str, ...],
    keys: tuple[str, ...],
    postgres: bool,
    lock: bool,
    *,
    alike: tuple[str, ...] = (),
) -> str:
    """SELECT by many keys in key order; PostgreSQL binds key arrays and the pool, SQLite one JSON text and the pool.

    On SQLite the key columns `alike` have one value in all keys, which is not in the JSON but bound behind the pool.
    PostgreSQL plans LockRows above the sort, and key columns never change: so the rows are locked in key order.
    """
    chosen = ", ".join(f't."{name}"' for name in columns)
    rest = tuple(column.name for column in table.primary_key if column.name not in ("pool_id", *keys))
    order = ", ".join(f't."{name}"' for name in (*keys, *rest))
    if postgres:
        match = " AND ".join(f't."{name}" = v.k{i}' for i, name in enumerate(keys))
        wanted = _wanted(table, keys, [f"k{i}" for i in range(len(keys))])
        source = f'{wanted} JOIN "{table.name}" AS t ON t.pool_id = v.pool_id AND {match}'
        tail = " FOR UPDATE OF t" if lock else ""
        return f"SELECT {chosen} FROM {source} ORDER BY {order}{tail}"  # noqa: S608
    listed = [name for name in keys if name not in alike]
    parts = dict.fromkeys(alike, "?") | {name: f"json_extract(v.value, '$[{i}]')" for i, name in enumerate(listed)}
    if len(listed) == 1:
        parts[listed[0]] = "v.value"
    match = " AND ".join(f't."{name}" = {parts[name]}' for name in keys)
    # CROSS JOIN fixes the order of loops in SQLite: keys outside, index look-ups inside.
    source = f'json_each(?) AS v CROSS JOIN "{table.name}" AS t ON t.pool_id = ? AND {match}'
    return f"SELECT {chosen} FROM {source} ORDER BY {order}"  # noqa: S608


def _wanted(table: Table, columns: tuple[str, ...], names: Sequence[str]) -> str:
    """The rows that arrays describe, each with the pool, as `v`.

    The pool comes from there, hidden behind OFFSET 0: compared with a constant it would be a condition of the table
    alone, and a planner without statistics would read the whole pool, which it takes for one of two hundred.
    """
    arrays = f"{_unnest(table, columns)} AS u ({', '.join(names)})"
    return f"(SELECT u.*, p.pool_id FROM {arrays}, (VALUES (%s::text)) AS p (pool_id) OFFSET 0) AS v"  # noqa: S608


def _unnest(table: Table, columns: tuple[str, ...]) -> str:
    return f"unnest({', '.join(f'%s::{array_type(table, name)}[]' for name in columns)})"


def array_type(table: Table, column: str) -> str:
    """The PostgreSQL type of a column's values: text, bigint or bytea."""
    if column not in table.c:
        raise InvalidInput(f"{table.name} has no column {column!r}")
    kind = table.c[column].type
    if isinstance(kind, LargeBinary):
        return "bytea"
    return "text" if isinstance(kind, Text) else "bigint"


@cache
def _holds(table: Table, column: str) -> tuple[type, bool, set[type]]:
    """What a column's values are, whether it may have none, and the types found where all are as they should be."""
    kind = _KINDS[array_type(table, column)]
    return kind, bool(table.c[column].nullable), {kind}


def checked(table: Table, column: str, values: Values) -> Values:
    """`values` if each is exactly what the column holds, so that both engines refuse alike what one would coerce.

    SQLite takes '12', 1.0 and True for an INTEGER and NUL inside a TEXT; PostgreSQL rounds floats. Subclasses such as
    StrEnum members are made plain. Raises `InvalidInput`.
    """
    kind, nullable, only = _holds(table, column)
    found = set(map(type, values))
    for other in found - only if found != only else ():
        if other is type(None) and nullable:
            continue
        if other is bool or not issubclass(other, kind):
            raise InvalidInput(f"{table.name}.{column} takes {kind.__name__}, not {other.__name__}; convert it first")
        values = [kind.__str__(value) if kind is str and value is not None else value for value in values]
    present = values if type(None) not in found else [value for value in values if value is not None]
    if kind is int and present and (max(present) > _MOST or min(present) < -_MOST - 1):
        raise InvalidInput(f"{table.name}.{column} got a number that does not fit 64 bits; correct it")
    if kind is str and "\x00" in "".join(present):
        raise InvalidInput(f"{table.name}.{column} got text with a NUL character; remove it")
    return values


def array_text(values: Values) -> Any:
    """The values of one column as PostgreSQL's text of an array, to be bound; the driver's own is five times slower.

    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    has_null = None in values
    first = next((value for value in values if value is not None), None) if has_null or not values else values[0]
    if isinstance(first, bytes):
        return list(values)
    if isinstance(first, int):
        parts = ("NULL" if value is None else str(value) for value in values) if has_null else map(str, values)
        return f"{{{','.join(parts)}}}"
    if has_null:
        return f"{{{','.join('NULL' if value is None else _quoted(value) for value in values)}}}"
    # NUL cannot stand in a text (`checked`), so it may stand between texts while all of them are escaped at once.
    joined = _escaped("\0".join(values)).replace("\0", '","')
    return f'{{"{joined}"}}'


def _quoted(value: str) -> str:
    return f'"{_escaped(value)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
