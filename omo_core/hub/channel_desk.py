"""The doors of channels: signed bytes in, acted on once; what was lost on the way is pulled."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from omo_core.channels.port import ChannelAdapter
from omo_core.exchange import (
    Calls,
    ChannelHealth,
    Fetched,
    Intake,
    Listing,
    Publication,
    Published,
    ReadMessage,
    Received,
    Reconciled,
    Reconciliation,
    Reported,
    Reporting,
    Sends,
    SignedMessage,
    Taken,
    fetch_due,
    health,
    read_messages,
    remember,
    replay,
)
from omo_core.hub.desk import Desk
from omo_core.model.availability import PublicationRule
from omo_core.model.errors import UnknownChannel
from omo_core.model.refusals import Refusal
from omo_core.storage import inbox, reports
from omo_core.storage.inbox import Parked
from omo_core.storage.reports import Report
from omo_core.storage.transaction import Transaction

if TYPE_CHECKING:
    from omo_core.hub.hub import OrderHub


class ChannelDesk(Desk):
    """One channel's door: signed bytes in."""

    def __init__(self, hub: OrderHub, adapter: ChannelAdapter) -> None:
        super().__init__(hub)
        self.adapter = adapter

    def receive(self, headers: Mapping[str, str], body: bytes, *, tx: Transaction | None = None) -> Received:
        """Verify, read and remember one message; raises only on a forged or oversized one."""
        return self.receive_many([SignedMessage(headers, body)], tx=tx)[0]

    def receive_many(self, messages: Sequence[SignedMessage], *, tx: Transaction | None = None) -> list[Received]:
        """Many messages in one transaction, which is opened when they are read and begins with writing."""
        read = self.read_many(messages)
        return self._hub.run(lambda inner: remember(inner, read), tx)

    def read_many(self, messages: Sequence[SignedMessage]) -> list[ReadMessage]:
        """Verify and read messages without keeping them; `exchange.remember` does that, of many channels at once."""
        return read_messages(self.adapter, messages)

    def take(self, headers: Mapping[str, str], body: bytes) -> Taken:
        """Verify, remember and act on one message: place its order, cancel, book its sale; answer with `.reply`.

        What only names an order waits for `fetch_due`; what cannot be used is parked for `replay`. Raises on a forged,
        stale or oversized message, and then nothing was kept.
        """
        return self._intake().take(headers, body, now=self._hub.database.clock.now())

    def fetch_due(self, calls: Calls, *, limit: int = 100) -> Fetched:
        """Get the orders that messages named, through a transport, and place them; call it again and again."""
        return fetch_due(self._intake(), calls, limit=limit)

    def reconcile(
        self, calls: Calls, *, start: datetime | None = None, overlap: timedelta = timedelta(minutes=10)
    ) -> Reconciled | Refusal:
        """Pull what changed since the last round, an `overlap` before its end on; `start` is for the first round."""
        return Reconciliation(intake=self._intake(), calls=calls, overlap=overlap).round(start=start)

    def publish(
        self,
        sends: Sends,
        listings: Mapping[str, Listing | tuple[Listing, ...]],
        *,
        rule: PublicationRule | None = None,
        locations: Mapping[str, str] | None = None,
        again: Collection[str] = (),
    ) -> Published | Refusal:
        """Tell the channel every number that differs from what it was told, through a transport; see `Publication`.

        `listings` are our SKU → the channel's listing, `locations` our node → the channel's location. Without a rule
        all that the pool can promise is told.
        """
        publication = Publication(
            adapter=self.adapter,
            rule=rule or PublicationRule(channel=self.adapter.channel),
            listings=listings,
            locations=locations or {},
            run=self._hub.run,
        )
        return publication.round(sends, again=again)

    def report(
        self,
        sends: Sends,
        *,
        limit: int = 100,
        since: datetime | None = None,
        locations: Mapping[str, str] | None = None,
        done_before: Collection[str] = (),
    ) -> Reported:
        """Tell the channel what left, what waits for its buyer and what we take; call it again and again.

        See `Reporting`. Carriers are named by the adapter's configuration (`carriers`), `locations` is our node → the
        channel's location. Give `since` where others told the channel what left before.
        """
        reporting = Reporting(
            adapter=self.adapter, run=self._hub.run, locations=locations or {}, done_before=done_before
        )
        return reporting.round(sends, limit=limit, since=since)

    def not_reported(self, *, after: str = "", limit: int = 100) -> list[Report]:
        """A page of what the channel refused to hear and why; go on with `after=` the last one's id."""
        return self._hub.run(
            lambda tx: reports.parked(tx, self.adapter.channel, after=after, limit=limit), read_only=True
        )

    def report_again(self, report: str | None = None) -> int:
        """Let what the channel refused be told again, after a fix: one report, or all; returns how many."""
        return self._hub.run(lambda tx: reports.wait_again(tx, self.adapter.channel, report))

    def replay(self, event_key: str | None = None, *, limit: int = 1_000) -> list[Taken]:
        """Try parked messages again, after a fix: one, or the first `limit`."""
        return replay(self._intake(), event_key=event_key, limit=limit)

    def parked(self, *, after: str = "", limit: int = 100) -> list[Parked]:
        """A page of this channel's parked messages and why they are; go on with `after=` the last one's key."""
        found = self._hub.run(
            lambda tx: inbox.parked(tx, after=(self.adapter.channel, after), limit=limit), read_only=True
        )
        return [one for one in found if one.channel == self.adapter.channel]

    def _intake(self) -> Intake:
        return Intake(self.adapter, self._hub.run, self._hub.context)


class ChannelDesks(Desk):
    """The channels of a hub, by name: `hub.channels["shopify"]`."""

    def __init__(self, hub: OrderHub, adapters: dict[str, ChannelAdapter]) -> None:
        super().__init__(hub)
        self._adapters = adapters

    def __getitem__(self, name: str) -> ChannelDesk:
        if name not in self._adapters:
            known = ", ".join(sorted(self._adapters)) or "none"
            raise UnknownChannel(f"this hub has no channel {name!r} (it has: {known}); add its adapter first")
        return ChannelDesk(self._hub, self._adapters[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._adapters)

    def health(self) -> list[ChannelHealth]:
        """How each channel stands: messages parked or waiting, how far pulling is behind, what it was not told."""
        channels = [one.channel for one in self._adapters.values()]
        return self._hub.run(lambda tx: health(tx, channels), read_only=True)

    def add(self, adapter: ChannelAdapter, *, name: str | None = None) -> ChannelDesk:
        """Open a door for an adapter, under its own name or another."""
        self._adapters[name or adapter.channel] = adapter
        return ChannelDesk(self._hub, adapter)
