"""Ids: UUIDv7 text from the application, so that rows sort by birth and no database sequence is a business key."""

from __future__ import annotations

import random
import threading
from typing import Final, Protocol

import uuid_utils

from omo_core.storage.clock import Clock, to_us

_COUNTER_BITS: Final = 42
_TAIL_BITS: Final = 32
_START_MS: Final = 1_767_225_600_000  # 2026-01-01, for a source without a clock


class IdSource(Protocol):
    """Where new ids come from."""

    def new_id(self) -> str:
        """A new UUIDv7 in its 36-character text form."""
        ...


class Uuid7Ids:
    """The default: UUIDv7 of RFC 9562, monotone within a process."""

    def new_id(self) -> str:
        """A new id from the machine's clock and randomness."""
        return str(uuid_utils.uuid7())


class SeededIds:
    """The same UUIDv7-shaped ids for the same seed and clock, strictly rising; for tests and simulations.

    The layout is method 1 of RFC 9562, section 6.2: 48 bits of milliseconds, a counter of 42 bits that restarts with
    each millisecond, 32 bits drawn from the seed. A clock that goes back does not make ids fall.
    """

    def __init__(self, seed: int, clock: Clock | None = None) -> None:
        self._random = random.Random(seed)
        self._clock = clock
        self._lock = threading.Lock()
        self._millisecond = 0
        self._counter = 0

    def new_id(self) -> str:
        """The next id of the sequence."""
        present = _START_MS if self._clock is None else to_us(self._clock.now()) // 1000
        with self._lock:
            if present > self._millisecond:
                self._millisecond, self._counter = present, 0
            else:
                self._counter += 1
            return _uuid7_text(self._millisecond, self._counter, self._random.getrandbits(_TAIL_BITS))


def _uuid7_text(millisecond: int, counter: int, tail: int) -> str:
    high, low = divmod(counter, 1 << (_COUNTER_BITS - 12))
    number = (millisecond << 80) | (7 << 76) | (high << 64) | (2 << 62) | (low << _TAIL_BITS) | tail
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
