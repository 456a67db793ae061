"""The intake loop: signed bytes in; remembered events out, each read, ignored or parked, never dropped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from omo_core.channels.port import ChannelAdapter, ChannelEvent, EventKind
from omo_core.model.errors import BodyTooLarge, DuplicateKeyMismatch, InvalidInput
from omo_core.model.orders import Order
from omo_core.storage import inbox
from omo_core.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """One message as it came: header names are compared without case."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """What became of one message.

    `state` is `read` (an order, cancellation or sale to act on, or something to fetch), `ignored` (understood, not
    ours to act on) or `parked` (kept with its bytes; `reason_code` and `reason` say why it could not be read).
    """

    channel: str
    event_key: str
    state: str
    event: ChannelEvent | None = None
    duplicate: bool = False
    """This very message came before. Its event is given again: acting on it twice is once."""
    reason_code: str | None = None
    reason: str | None = None

    @property
    def order(self) -> Order | None:
        """The canonical order inside, where there is one."""
        return self.event.order if self.event else None


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A verified message and what it says; nothing has kept it yet."""

    message: SignedMessage
    received: Received


def read_messages(
    adapter: ChannelAdapter, messages: Sequence[SignedMessage], *, now: datetime | None = None
) -> list[ReadMessage]:
    """Verify and read messages of one channel, without a database: `remember` them in a transaction afterwards.

    With `now`, messages that were signed too long ago are refused, where the channel signs the time.
    Raises `ForgedSignature` or `BodyTooLarge` for the whole call: neither is to be kept, so that strangers cannot fill
    the inbox. What is signed but unreadable is to be parked.
    """
    for message in messages:
        adapter.verify(message.headers, message.body, now=now)
    return [ReadMessage(message, _read(adapter, message)) for message in messages]


def remember(tx: Transaction, read: Sequence[ReadMessage]) -> list[Received]:
    """Keep messages of any channels that were read before, and say of each whether it is new."""
    rows = [
        inbox.Arrival(
            channel=one.received.channel,
            event_key=one.received.event_key,
            body=one.message.body,
            topic=one.received.event.topic if one.received.event else None,
            state=one.received.state,
            reason_code=one.received.reason_code,
            reason=one.received.reason,
            headers=one.message.headers if one.received.state == "parked" else None,
        )
        for one in read
    ]
    outcomes = inbox.remember(tx, rows)
    conflicts = [_conflict(row) for row, outcome in zip(rows, outcomes, strict=True) if outcome == "mismatch"]
    inbox.remember(tx, conflicts)
    return [_with_outcome(one.received, row, outcome) for one, row, outcome in zip(read, rows, outcomes, strict=True)]


def _read(adapter: ChannelAdapter, message: SignedMessage) -> Received:
    try:
        event = adapter.parse_event(message.headers, message.body)
    except BodyTooLarge:
        raise
    except InvalidInput as error:
        key = f"unreadable/{_sha256(message.body)}"
        return Received(adapter.channel, key, "parked", reason_code=error.code, reason=str(error))
    state = "ignored" if event.kind is EventKind.OTHER else "read"
    return Received(event.channel, event.event_key, state, event)


def _conflict(row: inbox.Arrival) -> inbox.Arrival:
    """A key that came again with another body: keep that body too, under a key of its own."""
    return replace(
        row,
        event_key=f"conflict/{_sha256(row.body)}",
        state="parked",
        reason_code=DuplicateKeyMismatch.code,
        reason=f"the event key {row.event_key!r} came before with another body; ask the sender which one holds",
    )


def _with_outcome(received: Received, row: inbox.Arrival, outcome: inbox.Outcome) -> Received:
    if outcome == "mismatch":
        kept = _conflict(row)
        return Received(kept.channel, kept.event_key, kept.state, reason_code=kept.reason_code, reason=kept.reason)
    return replace(received, duplicate=outcome == "duplicate")


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
