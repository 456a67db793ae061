"""Pulls what messages never told: every change since the last round, window by window, with windows that overlap.

Webhooks get lost, and channels list changes late. So each round asks again for a while before the end of the last one,
and up to a little before now; orders that are here already change nothing. A round ends by remembering how far it came;
a crash repeats only the window it was in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from omo_core.channels.cursor import microseconds
from omo_core.channels.intents import ListChanges, Page, Reference
from omo_core.channels.port import ChannelEvent, EventKind
from omo_core.exchange.fetching import Calls
from omo_core.exchange.intake import Intake, now_of
from omo_core.model.errors import InvalidInput
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.storage import inbox
from omo_core.storage.clock import to_us
from omo_core.storage.transaction import Transaction

MOST_PAGES = 100_000
"""Pages of one window: a channel that always names a next page is broken."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a round pulled, and until when everything is here now."""

    until: datetime
    pages: int
    placed: int
    parked: int
    to_fetch: int
    """Orders that the channel only named: `Intake.fetch_due` gets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """One channel's rounds of pulling."""

    intake: Intake
    calls: Calls
    overlap: timedelta = timedelta(minutes=10)
    """How long before the end of the last round the next one begins."""
    behind: timedelta = timedelta(seconds=10)
    """How far from now a round ends: what has just changed may not be listed yet. Some channels want more, and get it."""

    def round(self, *, start: datetime | None = None, now: datetime | None = None) -> Reconciled | Refusal:
        """Pull everything since the last round; `start` says where the very first one begins.

        A refusal where the channel lists no changes. Raises `ChannelUnavailable`; windows that were done stay done.
        """
        run = self.intake.run
        channel = self.intake.adapter.channel
        behind = max(self.behind, timedelta(seconds=self.intake.adapter.capabilities.list_behind_s))
        until = (now or now_of(run)) - behind
        known = run(lambda tx: inbox.progress(tx).get(channel), read_only=True)
        if known is None and start is None:
            raise InvalidInput(f"nothing was pulled from {channel} yet; say from when on with start=")
        since = min(known - self.overlap if known else until, start or until)
        done = Reconciled(known or since, 0, 0, 0, 0)
        for begin, end in self._windows(since, until):
            found = self._window(begin, end)
            if isinstance(found, Refusal):
                return found
            run(lambda tx, end=end: inbox.advance(tx, channel, to_us(end)))  # type: ignore[misc]
            done = Reconciled(
                end,
                done.pages + found.pages,
                done.placed + found.placed,
                done.parked + found.parked,
                done.to_fetch + found.to_fetch,
            )
        return done

    def _windows(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        longest_s = self.intake.adapter.capabilities.list_window_s
        step = timedelta(seconds=longest_s) if longest_s else until - since
        while since < until:
            end = min(since + step, until)
            yield since, end
            since = end

    def _window(self, since: datetime, until: datetime) -> Reconciled | Refusal:
        channel = self.intake.adapter.channel
        key = f"list/{channel}/{microseconds(since)}/{microseconds(until)}"
        asked: ListChanges | None = ListChanges(key=key, since=since, until=until)
        pages = placed = parked = to_fetch = 0
        while asked is not None:
            requests = self.intake.adapter.requests(asked)
            if isinstance(requests, Refusal):
                return requests
            bodies = self.calls.fetch(requests)
            page = self.intake.adapter.read_page(asked, bodies[0])
            pages += 1
            if pages > MOST_PAGES or page.following == asked:
                raise InvalidInput(f"{channel} lists changes without an end; ask for a shorter window")
            states = [self.intake.act_on(_event_of(order), (), _version_key(order)) for order in page.orders]
            placed, parked = placed + states.count("placed"), parked + states.count("parked")
            to_fetch += states.count("waiting")
            parked += self._park(page, bodies[0])
            to_fetch += self._wait_for(page.references)
            asked = page.following
        return Reconciled(until, pages, placed, parked, to_fetch)

    def _park(self, page: Page, body: bytes) -> int:
        """Keep the page, and of each order on it that cannot be read, why."""
        if page.orders or page.unreadable:
            digest = hashlib.sha256(body).hexdigest()
            self.intake.keep_bytes(f"page/{digest}", "page", (body,))
        for external_id, why in page.unreadable:
            digest = hashlib.sha256(f"{external_id}/{why}".encode()).hexdigest()
            self.intake.park(f"unreadable/{digest}", external_id, "unreadable_body", why)
        return len(page.unreadable)

    def _wait_for(self, references: tuple[Reference, ...]) -> int:
        def work(tx: Transaction) -> int:
            return self.intake.keep_waiting(
                tx, [(_reference_key(one, tx.now_us), one.external_id) for one in references]
            )

        return self.intake.run(work) if references else 0


def _event_of(order: Order) -> ChannelEvent:
    return ChannelEvent(
        channel=order.channel,
        event_key=_version_key(order),
        topic="listed",
        kind=EventKind.ORDER,
        subject=order.external_id,
        order=order,
    )


def _version_key(order: Order) -> str:
    digest = hashlib.sha256(f"{order.external_id}/{order.source_version}".encode()).hexdigest()
    return f"page/{digest}"


def _reference_key(one: Reference, now_us: int) -> str:
    """The same change gives the same key; one without a time is fetched anew in every round."""
    version = microseconds(one.updated_at) if one.updated_at else now_us
    digest = hashlib.sha256(f"{one.external_id}/{version}".encode()).hexdigest()
    return f"listed/{digest}"
