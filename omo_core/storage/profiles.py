"""Engine profiles: how SQLite and PostgreSQL are opened, and how a transaction begins on each."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from omo_core.model.errors import DatabaseError, InvalidInput
from omo_core.storage.ahead import Ahead, Answer
from omo_core.storage.clock import machine_now_us

READ_ONLY: Final = "omo_read_only"
"""Execution option of a connection whose transaction only reads."""

_HOST_ENGINE: Final = "omo_host_engine"

OLDEST_SQLITE: Final = (3, 37, 0)  # STRICT tables


class Profile(Protocol):
    """What differs between engines when a transaction begins."""

    schema: str | None

    def gate(self, read_only: bool) -> AbstractContextManager[object]:
        """Held around a whole transaction; makes writers of this process queue where the engine has one writer."""
        ...

    def options(self, read_only: bool) -> dict[str, Any]:
        """Execution options of the transaction's connection."""
        ...

    def begin(self, connection: Connection, read_only: bool, ahead: Ahead | None) -> int | Answer:
        """Set the transaction up right after BEGIN; returns the database's time in microseconds since 1970 UTC.

        With `ahead` that may be a question that goes out with the first statement.
        """
        ...

    def end(self, connection: Connection, read_only: bool) -> None:
        """Undo what `begin` set for longer than the transaction, right before it ends."""
        ...

    def after_fork(self) -> None:
        """Forget locks and threads of the parent process."""
        ...


@dataclass
class PostgresProfile:
    """READ COMMITTED, bounded waits; reading transactions see one snapshot.

    All settings are local to the transaction and come in one statement with the time: so a host's own engine and a
    connection pooler in between work alike. Plans are made for what the tables hold now: one that the driver prepared
    when a table was empty would walk through it when it holds millions.
    """

    schema: str | None = None
    lock_timeout_ms: int = 5_000
    statement_timeout_ms: int = 60_000
    idle_in_transaction_timeout_ms: int = 60_000
    level_of_connections: str | None = None
    """The isolation level that the engine's connections have from their beginning, where that is known."""

    def gate(self, read_only: bool) -> AbstractContextManager[object]:  # noqa: ARG002
        """PostgreSQL takes many writers."""
        return nullcontext()

    def options(self, read_only: bool) -> dict[str, Any]:
        """A write must see what it waited for: READ COMMITTED. A report must not see a half: REPEATABLE READ."""
        level = "REPEATABLE READ" if read_only else "READ COMMITTED"
        # To set it on a connection, and to set it back, is work in every transaction.
        return {} if level == self.level_of_connections else {"isolation_level": level}

    def begin(self, connection: Connection, read_only: bool, ahead: Ahead | None) -> int | Answer:
        """One round trip, or none of its own: limits, the schema in front of the host's search path, and the time."""
        settings = (
            str(self.lock_timeout_ms),
            str(self.statement_timeout_ms),
            str(self.idle_in_transaction_timeout_ms),
            "on" if read_only else "off",
            self.schema,
            self.schema,
        )
        if ahead is not None:
            return ahead.open_with(_POSTGRES_BEGIN, settings)
        return int(connection.exec_driver_sql(_POSTGRES_BEGIN, settings).one()[0])

    def end(self, connection: Connection, read_only: bool) -> None:
        """Every setting is local to the transaction."""

    def after_fork(self) -> None:
        """Nothing is kept outside of the engine."""


_LEVEL: Final = "READ COMMITTED"

_POSTGRES_BEGIN: Final = """
SELECT (extract(epoch FROM now()) * 1000000)::bigint,
       set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true),
       set_config('idle_in_transaction_session_timeout', %s, true), set_config('transaction_read_only', %s, true),
       set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('search_path', CASE WHEN %s::text IS NULL THEN current_setting('search_path')
                  ELSE quote_ident(%s::text) || ', ' || current_setting('search_path') END, true)
"""


class SqliteProfile:
    """One writer at a time, BEGIN IMMEDIATE; threads of this process queue at a lock instead of polling the file."""

    schema: str | None = None

    def __init__(self, *, in_memory: bool) -> None:
        self._in_memory = in_memory
        self._lock = threading.Lock()

    def gate(self, read_only: bool) -> AbstractContextManager[object]:
        """Writers queue; in memory there is one connection, so readers do too."""
        return nullcontext() if read_only and not self._in_memory else self._lock

    def options(self, read_only: bool) -> dict[str, Any]:
        """Tells the BEGIN of the engine which kind it is."""
        return {READ_ONLY: read_only}

    def begin(self, connection: Connection, read_only: bool, ahead: Ahead | None) -> int:  # noqa: ARG002
        """Make BEGIN the right one also on a host's engine, which began in its own way or, like the driver, not yet."""
        if connection.get_execution_options().get(_HOST_ENGINE):
            if _in_transaction(connection):
                connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql(_begin_sql(read_only))
        if read_only:
            connection.exec_driver_sql("PRAGMA query_only = ON")
        return machine_now_us()

    def end(self, connection: Connection, read_only: bool) -> None:
        """Let the connection write again."""
        if read_only:
            connection.exec_driver_sql("PRAGMA query_only = OFF")

    def after_fork(self) -> None:
        """A lock that another thread of the parent held would never be released here."""
        self._lock = threading.Lock()


def open_engine(url: str | URL, *, schema: str | None = None) -> tuple[Engine, Profile]:
    """The engine and profile of a database URL; raises `InvalidInput` or `DatabaseError` saying what to change."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidInput(
            "That is not a database URL; write sqlite:///shop.db or postgresql+psycopg://user@host/database"
        ) from error
    if parsed.get_backend_name() == "sqlite":
        if schema is not None:
            raise InvalidInput("SQLite has no schemas; leave schema out, or use PostgreSQL")
        return _open_sqlite(parsed)
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return _open_postgres(parsed), PostgresProfile(schema, level_of_connections=_LEVEL)
    raise InvalidInput(
        f"Databases of the kind {parsed.drivername!r} are not supported; "
        "use sqlite:///shop.db or postgresql+psycopg://user@host/database"
    )


def adopt_engine(engine: Engine, *, schema: str | None = None) -> tuple[Engine, Profile]:
    """A view of a host's engine with our transaction rules; the host's own use of it stays as it was."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(), PostgresProfile(schema)
    if engine.dialect.name != "sqlite":
        raise InvalidInput(f"An engine of the kind {engine.dialect.name!r} is not supported; use SQLite or PostgreSQL")
    if schema is not None:
        raise InvalidInput("SQLite has no schemas; leave schema out, or use PostgreSQL")
    return engine.execution_options(**{_HOST_ENGINE: True}), SqliteProfile(
        in_memory=isinstance(engine.pool, StaticPool)
    )


def _open_postgres(url: URL) -> Engine:
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername != "postgresql+psycopg":
        raise InvalidInput(f"The driver {url.drivername!r} is not supported; write postgresql+psycopg://…")
    try:
        return _engine(
            url,
            connect_args=_patience(url),
            isolation_level=_LEVEL,
            pool_size=8,
            max_overflow=56,
            pool_timeout=30,
        )
    except (ModuleNotFoundError, ImportError, NoSuchModuleError) as error:
        raise DatabaseError("PostgreSQL needs its driver; pip install omo-core[postgres]") from error


def _engine(url: URL, **options: Any) -> Engine:
    """An engine whose errors and logs quote no values: an order's document holds names and addresses."""
    return create_engine(url, hide_parameters=True, **options)


def _patience(url: URL) -> dict[str, Any]:
    return {} if "connect_timeout" in url.query else {"connect_timeout": 10}


def _open_sqlite(url: URL) -> tuple[Engine, Profile]:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise DatabaseError(f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or newer is needed")
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise InvalidInput(f"The driver {url.drivername!r} is not supported; write sqlite:///shop.db")
    in_memory = url.database in (None, "", ":memory:")
    if in_memory:
        engine = _engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        _check_folder(url.database or "")
        engine = _engine(url, connect_args={"check_same_thread": False}, pool_size=8, max_overflow=56)
    event.listen(engine, "connect", _settle_in_memory if in_memory else _settle_file)
    event.listen(engine, "begin", _begin_sqlite)
    return engine, SqliteProfile(in_memory=in_memory)


def _check_folder(database: str) -> None:
    if not database.startswith("file:") and not Path(database).absolute().parent.is_dir():
        raise DatabaseError(f"The folder of {database} does not exist; make it first")


def journal_mode(version: tuple[int, ...]) -> str:
    """WAL, except on library versions whose WAL reset can corrupt the file (https://sqlite.org/wal.html)."""
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "WAL" if fixed else "TRUNCATE"


BUSY_TIMEOUT_MS: Final = 5_000
CACHE_KIB: Final = 65_536


def _settle_in_memory(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself: BEGIN IMMEDIATE is ours
    with _cursor(connection) as cursor:
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA trusted_schema = OFF")


def _settle_file(connection: sqlite3.Connection, record: object) -> None:
    with _cursor(connection) as cursor:
        # First of all: changing the journal mode needs a lock that another process may hold.
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _settle_in_memory(connection, record)
    with _cursor(connection) as cursor:
        cursor.execute(f"PRAGMA journal_mode = {journal_mode(sqlite3.sqlite_version_info)}")
        cursor.execute("PRAGMA synchronous = FULL")
        # A large batch must not spill into the file before its commit, journal flush and all.
        cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")


@contextmanager
def _cursor(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    cursor = connection.cursor()
    try:
        yield cursor
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(_begin_sql(connection.get_execution_options().get(READ_ONLY, False)))


def _begin_sql(read_only: bool) -> str:
    return "BEGIN" if read_only else "BEGIN IMMEDIATE"


def _in_transaction(connection: Connection) -> bool:
    return bool(connection.connection.dbapi_connection.in_transaction)  # type: ignore[union-attr]
