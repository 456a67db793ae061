"""How long is waited before a channel that is busy or away is asked or told again, and when that is given up."""

from __future__ import annotations

from typing import Final

MOST_ATTEMPTS: Final = 24
"""After so many, what was asked or told is parked: after about a day."""

_FIRST_US: Final = 15_000_000
_LONGEST_US: Final = 3_600_000_000


def pause_us(attempts: int) -> int | None:
    """How long to wait after another attempt failed, `attempts` of them before it; None: it was the last one."""
    return min(_FIRST_US << attempts, _LONGEST_US) if attempts + 1 < MOST_ATTEMPTS else None
