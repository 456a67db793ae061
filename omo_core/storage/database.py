"""The database of one URL: opens it at the right schema version and runs whole transactions, again where that helps."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, Self, TypeVar

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.pool import StaticPool

from omo_core.model.errors import DatabaseError
from omo_core.storage.ahead import Ahead, Answer
from omo_core.storage.clock import Clock, DatabaseClock, to_us
from omo_core.storage.faults import Fault, fault_of, typed_error
from omo_core.storage.ids import IdSource, Uuid7Ids
from omo_core.storage.profiles import Profile, adopt_engine, open_engine
from omo_core.storage.transaction import Transaction

T = TypeVar("T")
Migrate = Literal["empty", "never", "upgrade"]

ATTEMPTS: Final = 5
FIRST_PAUSE_S: Final = 0.02


class Database:
    """Opens transactions on one database; `open(url)` or, on a host's engine, `open(engine=…)` also checks its schema.

    Give either `url` or `engine`. `schema` (PostgreSQL only) holds our tables. `rng` and `pause` (seconds) space the
    retries. Safe to share between threads; a forked child gets its own connections at its first transaction.
    """

    def __init__(
        self,
        url: str | URL | None = None,
        *,
        engine: Engine | None = None,
        schema: str | None = None,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        rng: random.Random | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        if (url is None) == (engine is None):
            raise ValueError("give either a url or an engine")
        self.profile: Profile
        self.engine, self.profile = (
            adopt_engine(engine, schema=schema) if engine is not None else open_engine(url or "", schema=schema)
        )
        self.schema = schema
        self.place = f"The database {self.engine.url.render_as_string(hide_password=True)}"
        self.clock: Clock = clock or DatabaseClock(self._read_now_us)
        self.ids: IdSource = ids or Uuid7Ids()
        self._owns_engine = engine is None
        self._rng = rng or random.Random()
        self._pause = pause
        self._open_here = threading.local()
        self._process = os.getpid()

    @classmethod
    def open(
        cls,
        url: str | URL | None = None,
        *,
        engine: Engine | None = None,
        schema: str | None = None,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        rng: random.Random | None = None,
        migrate: Migrate = "empty",
    ) -> Self:
        """Open a database and check its schema version; an empty one (no omo_ tables) gets our tables.

        `migrate="never"` leaves also an empty one alone, `"upgrade"` migrates an older one. Raises `DatabaseOutdated`,
        `DatabaseTooNew`, `DatabaseUnavailable`, `DatabaseError`, or `InvalidInput` for an unusable URL.
        """
        from omo_core.storage import schema as versions

        database = cls(url, engine=engine, schema=schema, clock=clock, ids=ids, rng=rng)
        try:
            versions.prepare(database, migrate)
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close the connections; a host's engine is left alone."""
        self._notice_fork()  # the parent's connections are not ours to close
        if self._owns_engine:
            self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, pool: str, work: Callable[[Transaction], T], *, read_only: bool = False) -> T:
        """Call `work(tx)` in a transaction of `pool`, commit, and return its result.

        On a serialisation failure, deadlock, lock time-out or lost connection the whole transaction runs again, at
        most five times in all; a commit of unknown outcome too, which is safe because every command has a key. So
        `work` changes nothing but the database. Raises `DatabaseUnavailable` when the tries are used up and
        `DatabaseFull` when space is. A key of ours that is taken each time is no lost race but a defect: its
        `IntegrityError` is raised as it is.
        """
        attempt = 1
        while True:
            try:
                with self._whole(pool, read_only) as tx:
                    return work(tx)
            except Exception as error:
                fault = fault_of(error)
                if fault not in (Fault.RETRY, Fault.RACE) or attempt == ATTEMPTS:
                    raise self._explained(error, fault) from error
            self._pause(FIRST_PAUSE_S * 2**attempt * self._rng.uniform(0.5, 1.5))
            attempt += 1

    def read(self, pool: str, work: Callable[[Transaction], T]) -> T:
        """As `run`, reading one consistent snapshot; a write in it fails. Does not wait for writers."""
        return self.run(pool, work, read_only=True)

    @contextmanager
    def transaction(self, pool: str, *, read_only: bool = False) -> Iterator[Transaction]:
        """A transaction as a `with` block, committed at its end, for a host that retries by itself."""
        try:
            with self._whole(pool, read_only) as tx:
                yield tx
        except Exception as error:
            fault = fault_of(error)
            # Here nobody runs it again: who lost a race must be told that he may.
            raise self._explained(error, Fault.RETRY if fault is Fault.RACE else fault) from error

    @contextmanager
    def connection(self, *, read_only: bool = False) -> Iterator[Connection]:
        """A transaction that belongs to no pool: for migrations and for reports over all pools."""
        with self._connected(read_only) as (connection, _, _):
            yield connection

    def require_no_transaction_here(self) -> None:
        """Raise `DatabaseError` where this thread has a transaction open: a second one could wait for it forever."""
        if getattr(self._open_here, "is_open", False):
            raise DatabaseError("This thread already has a transaction open; pass that one on instead of a second")

    @property
    def in_memory(self) -> bool:
        """Whether the database lives in one connection of this process."""
        return isinstance(self.engine.pool, StaticPool)

    def _explained(self, error: Exception, fault: Fault) -> Exception:
        return typed_error(error, fault, self.place) or error

    @contextmanager
    def _whole(self, pool: str, read_only: bool) -> Iterator[Transaction]:
        with self._connected(read_only, may_send_ahead=True) as (connection, ahead, database_now):
            now = database_now if isinstance(self.clock, DatabaseClock) else to_us(self.clock.now())
            tx = Transaction(connection, pool, now, self.ids, ahead)
            yield tx
            tx.finish()
            if ahead is not None:
                ahead.settle()

    @contextmanager
    def _connected(
        self, read_only: bool, *, may_send_ahead: bool = False
    ) -> Iterator[tuple[Connection, Ahead | None, int | Answer]]:
        self._notice_fork()
        self.require_no_transaction_here()
        with self.profile.gate(read_only):
            self._open_here.is_open = True
            try:
                options = self.profile.options(read_only)
                with self.engine.connect().execution_options(**options) as connection, connection.begin():
                    ahead = Ahead.of(connection) if may_send_ahead else None
                    try:
                        yield connection, ahead, self.profile.begin(connection, read_only, ahead)
                    except BaseException:
                        if ahead is not None:
                            ahead.abandon()
                        raise
                    finally:
                        self.profile.end(connection, read_only)
            finally:
                self._open_here.is_open = False

    def _read_now_us(self) -> int:
        with self._connected(read_only=True) as (_, _, now):
            return now if isinstance(now, int) else int(now()[0][0])

    def _notice_fork(self) -> None:
        if self._process != os.getpid():
            self._process = os.getpid()
            self._open_here = threading.local()
            self.profile.after_fork()
            if self._owns_engine and not self.in_memory:  # a database in memory was copied
                self.engine.dispose(close=False)
