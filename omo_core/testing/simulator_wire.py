"""The wire between the library and a real SQLite database: every statement passes it, and faults strike there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final
from weakref import WeakSet

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from omo_core.testing.simulator_faults import BEGIN, COMMIT, STATEMENT, ConnectionGone, Died, FaultPlan

_ABORTED: Final = "current transaction is aborted, commands ignored until end of transaction block"


class Wire:
    """Connects engines to one database, in memory or in the file `path`, and strikes with the faults of `plan`.

    `committed` is called right after each commit that truly happened, before anyone can learn of it; `heard` is told
    each statement and the fault that struck it. A database in memory outlives its connections here, as one on a server.
    """

    def __init__(
        self, plan: FaultPlan, path: str | None, committed: Callable[[], None], heard: Callable[[str, str], None]
    ) -> None:
        self.plan = plan
        self.url = "sqlite:///:memory:" if path is None else f"sqlite:///{path}"
        self.committed = committed
        self.heard = heard
        self.path = path
        self._memory = _open(None) if path is None else None
        self._connections: list[WireConnection] = []
        self.dead = False
        """Whether the process has died, so that nothing it still tries reaches the database; until `restart`."""

    def attach(self, engine: Engine) -> None:
        """Let an engine, before its first use, connect through this wire."""
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "handle_error", _notice_loss)

    def restart(self) -> None:
        """The process that held the connections is gone, with what it had not committed; another one may connect."""
        for connection in list(self._connections):
            connection.die()
        self.dead = False

    def close(self) -> None:
        """End the database in memory, or the connections to the file."""
        self.restart()
        if self._memory is not None:
            self._memory.close()

    def _connect(self, *_arguments: object) -> WireConnection:
        if self.dead:
            raise Died
        connection = WireConnection(self, self._memory or _open(self.path), shared=self._memory is not None)
        self._connections.append(connection)
        return connection

    def forget(self, connection: WireConnection) -> None:
        """A connection has ended."""
        if connection in self._connections:
            self._connections.remove(connection)


class WireConnection:
    """A DBAPI connection on a real one; after a loss it answers nothing any more."""

    def __init__(self, wire: Wire, real: sqlite3.Connection, *, shared: bool) -> None:
        self.wire = wire
        self._real = real
        self._shared = shared
        self._lost = False
        self._aborted = False
        self._cursors: WeakSet[WireCursor] = WeakSet()

    isolation_level = None
    """The wire's database is opened without transactions of the driver's own; to set it again changes nothing."""

    @property
    def in_transaction(self) -> bool:
        """Whether the real connection has a transaction open."""
        return not self._lost and self._real.in_transaction

    def create_function(self, *arguments: Any, **options: Any) -> None:
        """As the driver's."""
        self._real.create_function(*arguments, **options)

    def cursor(self) -> WireCursor:
        """A cursor whose statements pass the wire."""
        if self.wire.dead:
            raise Died
        if self._lost:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        cursor = self._real.cursor(WireCursor)
        cursor.owner = self
        self._cursors.add(cursor)
        return cursor

    def commit(self) -> None:
        """Commit, if no fault prevents it; or commit and tell nobody."""
        if not self._lost:
            self.pass_on(COMMIT, "COMMIT", self._commit)

    def rollback(self) -> None:
        """What was not committed is gone; so it is after a loss."""
        self._aborted = False
        if not self._lost:
            self._real.rollback()

    def close(self) -> None:
        """End the connection; a database in memory goes on."""
        self.die()

    def die(self) -> None:
        """The server notices that nobody is there any more."""
        if self._lost:
            return
        self._lost = True
        for cursor in list(self._cursors):
            cursor.close()
        self._real.rollback()
        if self._shared:
            self._real.execute("PRAGMA query_only = OFF")  # a setting of the connection that ended
        else:
            self._real.close()
        self.wire.forget(self)

    def pass_on(self, point: str, sql: str, run: Callable[[], object]) -> None:
        """Run a statement, or let a fault strike before or after it."""
        if self.wire.dead:
            raise Died
        if self._aborted:
            raise sqlite3.OperationalError(_ABORTED)
        fault = self.wire.plan.draw(point, sql)
        self.wire.heard(sql, fault.name if fault else "")
        if fault is None or fault.done:
            run()
        if fault is None:
            return
        if fault.gone:
            self.die()
        elif point == COMMIT:
            self._real.rollback()
        else:
            self._aborted = True
        self.wire.dead = fault.error is Died
        raise fault.error()

    def _commit(self) -> None:
        self._real.commit()
        self.wire.committed()


class WireCursor(sqlite3.Cursor):
    """A real cursor whose statements pass the wire first."""

    owner: WireConnection

    def execute(self, sql: str, parameters: Any = (), /) -> WireCursor:
        """As the driver's, if no fault strikes."""
        if sql.startswith("PRAGMA"):  # a setting of the connection: nothing goes to a server
            super().execute(sql, parameters)
        else:
            self.owner.pass_on(_point(sql), sql, lambda: sqlite3.Cursor.execute(self, sql, parameters))
        return self

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> WireCursor:
        """As the driver's, if no fault strikes."""
        self.owner.pass_on(_point(sql), sql, lambda: sqlite3.Cursor.executemany(self, sql, parameters))
        return self


def _point(sql: str) -> str:
    return BEGIN if sql.startswith("BEGIN") else STATEMENT


def _open(path: str | None) -> sqlite3.Connection:
    return sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)


def _notice_loss(context: ExceptionContext) -> None:
    """Tell SQLAlchemy what its dialect of the real driver would see: that this connection will never answer again."""
    if isinstance(context.original_exception, ConnectionGone | Died):
        context.is_disconnect = True
