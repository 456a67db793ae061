"""Makes the n-th call to a database fail, as the engine itself fails: for sweeps over every call that a command makes."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Engine


class Failure(enum.Enum):
    """What goes wrong; the server of PostgreSQL itself raises the error, on the connection concerned."""

    LOST = "lost"
    """PostgreSQL: the backend is terminated. At the answer to COMMIT it has committed before."""
    SERIALISATION = "serialisation"
    """PostgreSQL: the transaction is a victim, SQLSTATE 40001."""
    FULL = "full"
    """Both: no space left; the transaction is still open on SQLite."""
    BUSY = "busy"
    """SQLite: another process kept the lock for longer than the time-out."""
    IO_ERROR = "io_error"
    """SQLite: the disk failed, and the transaction was rolled back by the library, as it may be."""


POSTGRES: Final = (Failure.LOST, Failure.SERIALISATION, Failure.FULL)
SQLITE: Final = (Failure.BUSY, Failure.FULL, Failure.IO_ERROR)

_TERMINATE: Final = "SELECT pg_terminate_backend(pg_backend_pid())"
_RAISE: Final = "DO $$ BEGIN RAISE EXCEPTION 'injected failure' USING ERRCODE = '{}'; END $$"
_SERVER_SAYS: Final = {
    Failure.LOST: _TERMINATE,
    Failure.SERIALISATION: _RAISE.format("40001"),
    Failure.FULL: _RAISE.format("53100"),
}
_LIBRARY_SAYS: Final = {
    Failure.BUSY: (sqlite3.SQLITE_BUSY, "database is locked"),
    Failure.FULL: (sqlite3.SQLITE_FULL, "database or disk is full"),
    Failure.IO_ERROR: (sqlite3.SQLITE_IOERR, "disk I/O error"),
}


class FailingCalls:
    """Counts the calls of one engine, of all its threads, and fails one of them when asked.

    A call is a statement, a COMMIT that has not been sent, or the answer to one. Put it on an engine of the test's
    own: it stays until the engine is gone.
    """

    def __init__(self, engine: Engine) -> None:
        self.failures = POSTGRES if engine.dialect.name == "postgresql" else SQLITE
        self.calls = 0
        self.fired = False
        self._nth: int | None = None
        self._failure = self.failures[0]
        dialect: Any = engine.dialect
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            setattr(dialect, name, self._before(getattr(dialect, name)))
        dialect.do_commit = self._around_commit(dialect.do_commit)

    @contextmanager
    def failing(self, nth: int, failure: Failure) -> Iterator[None]:
        """Within the block, the `nth` call from its beginning fails, once; `fired` says whether there were so many."""
        self.calls, self.fired, self._nth, self._failure = 0, False, nth, failure
        try:
            yield
        finally:
            self._nth = None

    def _before(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        def call(cursor: Any, *arguments: Any, **named: Any) -> Any:
            if self._is_next():
                self._fail(cursor.connection)
            return execute(cursor, *arguments, **named)

        return call

    def _around_commit(self, commit: Callable[[Any], None]) -> Callable[[Any], None]:
        def call(pooled: Any) -> None:
            driver = pooled.dbapi_connection if hasattr(pooled, "dbapi_connection") else pooled
            if self._is_next():
                self._fail(driver)
            commit(pooled)
            if self._failure is Failure.LOST and self._is_next():
                self._fail(driver)

        return call

    def _is_next(self) -> bool:
        if self._nth is None or self.fired:
            return False
        self.calls += 1
        self.fired = self.calls == self._nth
        return self.fired

    def _fail(self, driver: Any) -> None:
        if isinstance(driver, sqlite3.Connection):
            code, sentence = _LIBRARY_SAYS[self._failure]
            if self._failure is Failure.IO_ERROR and driver.in_transaction:
                driver.rollback()
            error = sqlite3.OperationalError(sentence)
            error.sqlite_errorcode = code
            raise error
        driver.execute(_SERVER_SAYS[self._failure])
