"""Statements that are sent without waiting for each other's answers, through the pipeline of PostgreSQL's driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from typing import Any, NoReturn, Self

from sqlalchemy import Connection

Answer = Callable[[], Sequence[tuple[Any, ...]]]
"""The rows of a question that was asked: whoever calls it, as often as wanted, waits for what is on the way."""


class Ahead:
    """What one transaction has on the way to the server, in order; it is waited for when an answer is needed.

    The server carries the statements out one after the other, each with a view of its own, as if each had been waited for:
    what follows a lock is done under the lock. After a failure it passes over the rest, and whoever waits next is told.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect: Any = connection.dialect
        self._error: type[Exception] = self._dialect.loaded_dbapi.Error
        self._driver: Any = connection.connection.driver_connection
        self._block = ExitStack()
        self._opening: tuple[str, tuple[Any, ...]] | None = None
        self._opened: Any = None
        self._checks: list[tuple[Any, Callable[[int], None]]] = []
        self._pipeline: Any = None
        self._is_answered = True

    @property
    def is_open(self) -> bool:
        """Whether what is sent now shares a round trip with something before it."""
        return self._pipeline is not None or self._opening is not None

    @classmethod
    def of(cls, connection: Connection) -> Self | None:
        """None where statements go one by one: on SQLite, with a client library older than PostgreSQL 14's, and on an
        engine whose statements somebody logs or listens to."""
        pipeline = getattr(connection.dialect.loaded_dbapi, "Pipeline", None)
        if pipeline is None or not pipeline.is_supported():
            return None
        engine = connection.engine
        calls, driver_calls = engine.dispatch, engine.dialect.dispatch
        heard = calls.before_cursor_execute or calls.after_cursor_execute or driver_calls.do_execute
        return None if heard or engine.echo else cls(connection)

    def open_with(self, sql: str, parameters: tuple[Any, ...]) -> Answer:
        """Let a question go out in front of the first statement: only then the transaction begins."""
        self._opening = (sql, parameters)

        @cache
        def answer() -> list[tuple[Any, ...]]:
            self._answer()
            found: list[tuple[Any, ...]] = self._opened.fetchall()
            return found

        return answer

    def send(self, sql: str, parameters: tuple[Any, ...], check: Callable[[int], None] | None = None) -> Any:
        """Send a statement; returns the driver's cursor, for `rows`.

        `check` is called with the number of rows that it matched, before anything that went wrong later is raised.
        """
        self._open()
        try:
            if self._pipeline is None:
                self._pipeline = self._block.enter_context(self._driver.pipeline())
            self._is_answered = False
            cursor = self._driver.cursor()
            self._dialect.do_execute(cursor, sql, parameters)
        except self._error as error:
            self._fail(error, sql)
        if check is not None:
            self._checks.append((cursor, check))
        return cursor

    def rows(self, cursor: Any) -> list[tuple[Any, ...]]:
        """The rows that a statement found, once everything on the way has arrived."""
        self._answer()
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def settle(self) -> None:
        """Wait for everything that is on the way; then the connection takes statements one by one again."""
        self._open()
        if self._pipeline is None:
            return
        self._pipeline, self._is_answered = None, True
        try:
            self._block.close()
        except self._error as error:
            self._fail(error, None)
        self._check_all()

    def abandon(self) -> None:
        """Leave the pipeline of a transaction that has failed, whatever is still on the way."""
        self._opening, self._pipeline, self._is_answered = None, None, True
        with suppress(self._error):
            self._block.close()

    def _open(self) -> None:
        if self._opening is not None:
            opening, self._opening = self._opening, None
            self._opened = self.send(*opening)

    def _answer(self) -> None:
        """Wait for everything on the way and go on sending ahead.

        A pipeline's end tells the server to flush, and waiting for one statement alone does so too. Behind that the server
        does not count a transaction as idle: one whose client hangs would keep its locks without any limit of time.
        """
        self._open()
        if self._is_answered:
            return
        self._is_answered = True
        try:
            self._pipeline.sync()
        except self._error as error:
            self._fail(error, None)
        self._check_all()

    def _check_all(self, *, some_were_passed_over: bool = False) -> None:
        checks, self._checks = self._checks, []
        for cursor, check in checks:
            if not some_were_passed_over or cursor.rowcount >= 0:
                check(cursor.rowcount)

    def _fail(self, error: Exception, sql: str | None) -> NoReturn:
        self.abandon()
        self._check_all(some_were_passed_over=True)
        # As SQLAlchemy treats its own statements: listeners are told, and a lost connection leaves the pool.
        self._connection._handle_dbapi_exception(error, sql, None, None, None)  # noqa: SLF001
