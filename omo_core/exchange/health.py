"""How a channel's intake stands: what is parked, what waits, and how far pulling is behind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from omo_core.storage import inbox, reports
from omo_core.storage.clock import from_us
from omo_core.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """One channel's backlog. `lag_s` is since when changes were not pulled; None where nothing was pulled yet."""

    channel: str
    parked: int
    waiting: int
    oldest_at: datetime | None
    """When the oldest message that is not done came."""
    listed_until: datetime | None
    lag_s: float | None
    to_report: int = 0
    """What left, waits for its buyer or was taken, and the channel has not heard."""
    reports_parked: int = 0
    """What it refused to hear, until somebody mends it."""
    unreported_since: datetime | None = None
    """When the oldest of these happened."""


def health(tx: Transaction, channels: Iterable[str]) -> list[ChannelHealth]:
    """How these channels stand, and every other one with a backlog, by name."""
    backlog = {one.channel: one for one in inbox.backlog(tx)}
    progress, untold = inbox.progress(tx), reports.untold(tx)
    now = from_us(tx.now_us)
    found = []
    for channel in sorted({*channels, *backlog, *progress, *untold}):
        waiting, until, unheard = backlog.get(channel), progress.get(channel), untold.get(channel)
        found.append(
            ChannelHealth(
                channel=channel,
                parked=waiting.parked if waiting else 0,
                waiting=waiting.waiting if waiting else 0,
                oldest_at=waiting.oldest_at if waiting else None,
                listed_until=until,
                lag_s=(now - until).total_seconds() if until else None,
                to_report=unheard.waiting if unheard else 0,
                reports_parked=unheard.parked if unheard else 0,
                unreported_since=unheard.oldest_at if unheard else None,
            )
        )
    return found
