"""Clocks: where instants come from; beside `ids`, the only place of the library that asks the machine for the time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Clock(Protocol):
    """Where a transaction's one `now` comes from."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


def to_us(instant: datetime) -> int:
    """Microseconds since 1970 UTC, exactly; a naive `instant` raises `ValueError`."""
    if instant.tzinfo is None:
        raise ValueError("an instant must carry a time zone")
    return (instant - EPOCH) // _MICROSECOND


def from_us(instant_us: int) -> datetime:
    """The aware UTC instant of so many microseconds since 1970 UTC."""
    return EPOCH + timedelta(microseconds=instant_us)


def machine_now_us() -> int:
    """The machine's clock, which is also the time of a SQLite database: it lives in this process."""
    return to_us(datetime.now(UTC))


class DatabaseClock:
    """The default: the database's time, so that many machines of one pool share one clock.

    A transaction takes it from its own first statement; `now()` is for use outside of one.
    """

    def __init__(self, read_us: Callable[[], int] = machine_now_us) -> None:
        self._read_us = read_us

    def now(self) -> datetime:
        """Ask the database for its time."""
        return from_us(self._read_us())


class ManualClock:
    """A clock that stands still until told, for tests and simulations; safe to share between threads."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._lock = threading.Lock()
        self._now = _utc(start)

    def now(self) -> datetime:
        """The instant last set."""
        with self._lock:
            return self._now

    def set(self, instant: datetime) -> None:
        """Jump to an aware UTC `instant`, also backwards; another or no zone raises `ValueError`."""
        with self._lock:
            self._now = _utc(instant)

    def advance(self, step: timedelta) -> datetime:
        """Go on by `step`, which is not negative, and return the new instant."""
        if step < timedelta(0):
            raise ValueError("a clock advances forwards; use set() to go back")
        with self._lock:
            self._now += step
            return self._now


def _utc(instant: datetime) -> datetime:
    if instant.utcoffset() != timedelta(0):
        raise ValueError("a clock's instant must be aware and in UTC")
    return instant.astimezone(UTC)
