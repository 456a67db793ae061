"""How often a channel may be asked: token buckets per operation, shared by all threads of one transport."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

from omo_core.channels.intents import RateLimit

EVERY: Final = "*"
"""The operation that stands for all that have no limit of their own."""


class RateLimits:
    """Says how long to wait before each request; with no limit for an operation it never waits."""

    def __init__(self, limits: Iterable[tuple[str, RateLimit]], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets = {operation: _Bucket(limit, monotonic()) for operation, limit in limits}

    def wait_s(self, operation: str | None) -> float:
        """Take one turn of the operation and return how many seconds to wait until it comes; 0 where it is now."""
        bucket = self._buckets.get(operation or EVERY) or self._buckets.get(EVERY)
        if bucket is None:
            return 0.0
        with self._lock:
            return bucket.take(self._monotonic())

    def pause(self, operation: str | None, seconds: float) -> None:
        """Let nobody ask for so many seconds: the channel said so."""
        bucket = self._buckets.get(operation or EVERY) or self._buckets.get(EVERY)
        if bucket is not None:
            with self._lock:
                bucket.pause(self._monotonic() + seconds)


class _Bucket:
    """Turns as the generic cell rate algorithm hands them out: one number, the time the bucket is full again."""

    def __init__(self, limit: RateLimit, now: float) -> None:
        self._interval_s = limit.period_ms / 1000 / limit.per_period
        self._burst_s = self._interval_s * (limit.burst - 1)
        self._due = now

    def take(self, now: float) -> float:
        """Seconds until this turn comes."""
        turn = max(self._due, now)
        self._due = turn + self._interval_s
        return max(0.0, turn - self._burst_s - now)

    def pause(self, until: float) -> None:
        """No turn comes before `until`."""
        self._due = max(self._due, until + self._burst_s)
