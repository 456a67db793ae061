"""What can go wrong between the library and its database, statement by statement, and the dice that decide when."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar, Final

from omo_core.model.errors import InvalidInput

BEGIN: Final = "begin"
STATEMENT: Final = "statement"
COMMIT: Final = "commit"
"""Points at which a fault may strike."""

ANYWHERE: Final = frozenset({BEGIN, STATEMENT, COMMIT})
IN_TRANSACTION: Final = frozenset({STATEMENT, COMMIT})


class Died(BaseException):
    """The process is gone, and everything that it knew."""


class ServerError(sqlite3.OperationalError):
    """An error as a driver raises it, with the SQLSTATE by which the library tells what it means."""

    sqlstate: ClassVar[str | None] = None


class SerializationFailure(ServerError):
    """could not serialize access"""

    sqlstate = "40001"


class DeadlockDetected(ServerError):
    """deadlock detected"""

    sqlstate = "40P01"


class LockNotAvailable(ServerError):
    """canceling statement due to lock timeout"""

    sqlstate = "55P03"


class QueryCanceled(ServerError):
    """canceling statement due to statement timeout"""

    sqlstate = "57014"


class TooManyConnections(ServerError):
    """sorry, too many clients already"""

    sqlstate = "53300"


class ReadOnlyTransaction(ServerError):
    """cannot execute INSERT in a read-only transaction"""

    sqlstate = "25006"


class RacedKey(sqlite3.IntegrityError):
    """duplicate key value violates unique constraint "pk_omo_stock" """

    sqlstate = "23505"
    diag = SimpleNamespace(constraint_name="pk_omo_stock")


class ConnectionGone(ServerError):
    """server closed the connection unexpectedly"""


class IdleTooLong(ConnectionGone):
    """terminating connection due to idle-in-transaction timeout"""

    sqlstate = "25P03"


class AdminShutdown(ConnectionGone):
    """terminating connection due to administrator command"""

    sqlstate = "57P01"


def _sqlite(code: int, words: str) -> Callable[[], BaseException]:
    def error() -> BaseException:
        raised = sqlite3.OperationalError(words)
        raised.sqlite_errorcode = code
        return raised

    return error


def _said(kind: type[ServerError] | type[RacedKey]) -> Callable[[], BaseException]:
    return lambda: kind((kind.__doc__ or "").strip())


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: where it may strike, whether the statement was done before, and what its sender sees."""

    name: str
    points: frozenset[str]
    error: Callable[[], BaseException]
    done: bool = False
    """The database did what it was asked: only the answer is missing."""
    gone: bool = False
    """The connection is lost, and what was not committed with it."""
    weight: int = 2


KINDS: Final = (
    Kind("crash_before", ANYWHERE, Died, gone=True),
    Kind("crash_after", ANYWHERE, Died, done=True, gone=True),
    Kind("connection_lost", ANYWHERE, _said(ConnectionGone), gone=True),
    Kind("answer_lost", ANYWHERE, _said(ConnectionGone), done=True, gone=True),
    Kind("serialization_failure", IN_TRANSACTION, _said(SerializationFailure)),
    Kind("deadlock", frozenset({STATEMENT}), _said(DeadlockDetected)),
    Kind("lock_timeout", frozenset({STATEMENT}), _said(LockNotAvailable)),
    Kind("statement_timeout", frozenset({STATEMENT}), _said(QueryCanceled), done=True, weight=1),
    Kind("lost_race", frozenset({STATEMENT}), _said(RacedKey)),
    Kind("idle_timeout", IN_TRANSACTION, _said(IdleTooLong), gone=True, weight=1),
    Kind("admin_shutdown", IN_TRANSACTION, _said(AdminShutdown), gone=True, weight=1),
    Kind("too_many_connections", frozenset({BEGIN}), _said(TooManyConnections)),
    Kind("standby", frozenset({STATEMENT}), _said(ReadOnlyTransaction), weight=1),
    Kind("busy", frozenset({BEGIN, COMMIT}), _sqlite(sqlite3.SQLITE_BUSY, "database is locked")),
    Kind("locked", frozenset({STATEMENT}), _sqlite(sqlite3.SQLITE_LOCKED, "database table is locked"), weight=1),
    Kind("disk_full", IN_TRANSACTION, _sqlite(sqlite3.SQLITE_FULL, "database or disk is full"), weight=1),
    Kind("io_error", IN_TRANSACTION, _sqlite(sqlite3.SQLITE_IOERR, "disk I/O error"), weight=1),
)
NAMES: Final = tuple(kind.name for kind in KINDS)


@dataclass
class FaultPlan:
    """Decides at each statement whether a fault strikes; only while it is armed, and the same way for the same dice."""

    dice: random.Random
    allowed: tuple[str, ...] = NAMES
    rate: float = 0.0
    """Chance of a fault at each statement; 0 disarms the plan."""
    fired: Counter[str] = field(default_factory=Counter)
    """Faults that struck, by name."""
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Faults that struck, by statement and name."""
    statements: int = 0
    """Statements that a fault could have struck, while the plan was armed."""

    def draw(self, point: str, sql: str) -> Kind | None:
        """The fault that strikes here, if any."""
        if not self.rate:
            return None
        self.statements += 1
        if self.dice.random() >= self.rate:
            return None
        kinds = [kind for kind in KINDS if point in kind.points and kind.name in self.allowed]
        if not kinds:
            return None
        kind = self.dice.choices(kinds, [kind.weight for kind in kinds])[0]
        self.fired[kind.name] += 1
        self.struck[sql, kind.name] += 1
        return kind

    @property
    def total(self) -> int:
        """Faults that struck."""
        return self.fired.total()


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """The kinds of those names, in the order of `NAMES`; a name that is unknown raises `InvalidInput`."""
    wanted: set[Any] = set(names)
    if strangers := wanted.difference(NAMES):
        raise InvalidInput(f"no fault is called {', '.join(sorted(strangers))}; choose among {', '.join(NAMES)}")
    return tuple(name for name in NAMES if name in wanted)
