"""What a database error means: try again, out of space, out of reach, or a defect of ours."""

from __future__ import annotations

import enum
import sqlite3
from typing import Final

from sqlalchemy import exc

from omo_core.model.errors import DatabaseError, DatabaseFull, DatabaseUnavailable


class Fault(enum.Enum):
    """The kinds of database error that callers treat differently."""

    RETRY = "retry"
    RACE = "race"
    FULL = "full"
    SLOW = "slow"
    UNUSABLE = "unusable"
    DEFECT = "defect"


_POSTGRES: Final = {
    "40001": Fault.RETRY,  # serialization_failure
    "40P01": Fault.RETRY,  # deadlock_detected
    "55P03": Fault.RETRY,  # lock_not_available: lock_timeout
    "25P03": Fault.RETRY,  # idle_in_transaction_session_timeout: the connection is gone
    "53300": Fault.RETRY,  # too_many_connections
    "57P01": Fault.RETRY,  # admin_shutdown
    "57P02": Fault.RETRY,  # crash_shutdown
    "57P03": Fault.RETRY,  # cannot_connect_now
    "57014": Fault.SLOW,  # query_canceled: statement_timeout; a second try would be as slow
    "53100": Fault.FULL,  # disk_full
    "25006": Fault.UNUSABLE,  # read_only_sql_transaction: a standby
    "42501": Fault.UNUSABLE,  # insufficient_privilege
}

# Two transactions insert the same new row, or choose the same next version: the second one's whole transaction runs
# again and finds what the first one wrote. SQLite has one writer, so there it can only be a defect.
_RACED_CONSTRAINTS: Final = ("pk_omo_", "uq_omo_")

_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: Fault.RETRY,
    sqlite3.SQLITE_LOCKED: Fault.RETRY,
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_READONLY: Fault.UNUSABLE,
    sqlite3.SQLITE_CANTOPEN: Fault.UNUSABLE,
    sqlite3.SQLITE_PERM: Fault.UNUSABLE,
    sqlite3.SQLITE_IOERR: Fault.UNUSABLE,
    sqlite3.SQLITE_CORRUPT: Fault.UNUSABLE,
    sqlite3.SQLITE_NOTADB: Fault.UNUSABLE,
}


def fault_of(error: BaseException) -> Fault:
    """Classify an error that came out of SQLAlchemy; what is not known is a defect."""
    if isinstance(error, exc.TimeoutError):
        return Fault.RETRY
    if not isinstance(error, exc.DBAPIError) or error.orig is None:
        return Fault.DEFECT
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF, Fault.DEFECT)
    state = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated or (state or "").startswith("08"):
        return Fault.RETRY
    if state == "23505":
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
        return Fault.RACE if constraint.startswith(_RACED_CONSTRAINTS) else Fault.DEFECT
    if state is None and type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout"):
        return Fault.RETRY  # no answer of a server: it could not be reached, or went away
    return _POSTGRES.get(state or "", Fault.DEFECT)


def typed_error(error: BaseException, fault: Fault, place: str) -> DatabaseError | None:
    """The exception a caller gets for `error` at the database `place`; None where the error itself says it best."""
    reason = _first_line(error)
    if fault is Fault.FULL:
        return DatabaseFull(f"{place} is full ({reason}); nothing was applied: make room and send the same key again")
    if fault is Fault.RETRY:
        return DatabaseUnavailable(f"{place} did not answer ({reason}); repeat the command with the same key")
    if fault is Fault.SLOW:
        return DatabaseUnavailable(f"{place} was too slow ({reason}); send less at once, or look for missing indexes")
    if fault is Fault.UNUSABLE:
        return DatabaseError(f"{place} cannot be used ({reason}); check its path, permissions and health")
    return None


def _first_line(error: BaseException) -> str:
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
