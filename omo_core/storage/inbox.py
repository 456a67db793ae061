"""The inbox: every verified message with its bytes, remembered once; what could not be read waits here, parked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import func, select, text, tuple_

from omo_core.model.errors import InvalidInput
from omo_core.storage import tables
from omo_core.storage.clock import from_us
from omo_core.storage.transaction import Transaction

Outcome = Literal["new", "duplicate", "mismatch"]
"""`mismatch`: the same key came with another body; the first body stays, the second was not kept."""

_KEY: Final = ("channel", "event_key")
_REST: Final = ("body", "headers", "topic", "state", "subject", "attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A verified message: `state` is read, parked, ignored or waiting; a parked one says why by code and sentence.

    A waiting one names an order in `subject` that is fetched from `due_at_us` on. `headers` are kept for parked and
    waiting ones, which are read again.
    """

    channel: str
    event_key: str
    body: bytes
    state: str
    topic: str | None = None
    reason_code: str | None = None
    reason: str | None = None
    subject: str | None = None
    headers: Mapping[str, str] | None = None
    due_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as it is kept, with its bytes."""

    channel: str
    event_key: str
    body: bytes
    headers: Mapping[str, str]
    topic: str | None
    state: str
    subject: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many messages of a channel are not done, and since when the oldest of them waits."""

    channel: str
    parked: int
    waiting: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that could not be read, without its bytes; `body` fetches those."""

    channel: str
    event_key: str
    topic: str | None
    reason_code: str | None
    reason: str | None
    received_at: datetime


def remember(tx: Transaction, arrivals: Sequence[Arrival]) -> list[Outcome]:
    """Keep messages that are new and say of each, in order, whether it was; a repeat changes nothing.

    Call it before anything else in a transaction: the inbox comes first in the lock order. Two transactions that
    receive the same message at once wait for each other; exactly one finds it new.
    """
    digests = [hashlib.sha256(arrival.body).hexdigest() for arrival in arrivals]
    first: dict[tuple[str, str], int] = {}
    for place, arrival in enumerate(arrivals):
        first.setdefault((arrival.channel, arrival.event_key), place)
    rows = [_row(tx, arrivals[place], digests[place]) for place in first.values()]
    fresh, kept = _keep_new(tx, rows)
    outcomes: list[Outcome] = []
    for place, (arrival, digest) in enumerate(zip(arrivals, digests, strict=True)):
        name = (arrival.channel, arrival.event_key)
        if kept[name] != digest:
            outcomes.append("mismatch")
        else:
            outcomes.append("new" if name in fresh and first[name] == place else "duplicate")
    return outcomes


def _row(tx: Transaction, arrival: Arrival, digest: str) -> dict[str, Any]:
    return {
        "channel": arrival.channel,
        "event_key": arrival.event_key,
        "body_sha256": digest,
        "body": arrival.body,
        "topic": arrival.topic,
        "state": arrival.state,
        "reason_code": arrival.reason_code,
        "reason": arrival.reason,
        "received_at_us": tx.now_us,
        "subject": arrival.subject,
        "headers": None if arrival.headers is None else json.dumps(dict(arrival.headers)),
        "attempts": 0,
        "due_at_us": arrival.due_at_us,
    }


def _keep_new(tx: Transaction, rows: list[dict[str, Any]]) -> tuple[set[tuple[str, str]], dict[tuple[str, str], str]]:
    """Insert the rows whose key is new; returns those keys, and the body hash now stored under every key."""
    names = [(row["channel"], row["event_key"]) for row in rows]
    fresh = set(tx.insert_new(tables.inbox, rows))
    stored = tx.select(tables.inbox, (*_KEY, "body_sha256"), _KEY, [name for name in names if name not in fresh])
    kept = {(row.channel, row.event_key): row.body_sha256 for row in stored}
    kept.update({name: row["body_sha256"] for name, row in zip(names, rows, strict=True) if name in fresh})
    return fresh, kept


def parked(tx: Transaction, *, after: tuple[str, str] | None = None, limit: int = 100) -> list[Parked]:
    """A page of parked messages in order of (channel, event key), those behind `after`; at most `limit`."""
    i = tables.inbox.c
    query = select(i.channel, i.event_key, i.topic, i.reason_code, i.reason, i.received_at_us).where(
        i.pool_id == tx.pool,
        text("state = 'parked'"),  # a literal, as in the partial index
    )
    if after is not None:
        query = query.where(tuple_(i.channel, i.event_key) > tuple_(*after))
    rows = tx.connection.execute(query.order_by(i.channel, i.event_key).limit(limit))
    return [Parked(*row[:5], received_at=from_us(row[5])) for row in rows]


def body(tx: Transaction, channel: str, event_key: str) -> bytes:
    """The bytes of a message as they came; an unknown one raises `InvalidInput`."""
    rows = tx.select(tables.inbox, ("body",), _KEY, [(channel, event_key)])
    if not rows:
        raise InvalidInput(f"The inbox holds no message {event_key!r} of {channel!r}")
    return bytes(rows[0].body)


def kept(tx: Transaction, channel: str, event_key: str) -> Kept | None:
    """One message with its bytes, or None."""
    rows = tx.select(tables.inbox, (*_KEY, *_REST), _KEY, [(channel, event_key)])
    return _kept(rows[0]) if rows else None


def due(tx: Transaction, channel: str, *, limit: int = 100) -> list[Kept]:
    """Waiting messages of a channel whose time has come, the longest due first; at most `limit`."""
    i = tables.inbox.c
    query = (
        select(i.channel, i.event_key, *(i[name] for name in _REST))
        .where(
            i.pool_id == tx.pool,
            i.channel == channel,
            text("state = 'waiting'"),  # a literal, as in the partial index
            i.due_at_us <= tx.now_us,
        )
        .order_by(i.due_at_us, i.event_key)
        .limit(limit)
    )
    return [_kept(row) for row in tx.connection.execute(query)]


def postpone(tx: Transaction, channel: str, event_key: str, *, due_at_us: int) -> None:
    """Let a waiting message wait until then: its order cannot be fetched yet. One that waits no more is left alone."""
    found = kept(tx, channel, event_key)
    if found is None or found.state != "waiting":
        return
    row = {"channel": channel, "event_key": event_key, "due_at_us": due_at_us, "attempts": found.attempts + 1}
    tx.update(tables.inbox, [row], keys=_KEY, changes=("due_at_us", "attempts"))


def move(
    tx: Transaction,
    channel: str,
    event_key: str,
    *,
    state: str,
    reason_code: str | None = None,
    reason: str | None = None,
    due_at_us: int | None = None,
) -> bool:
    """Say what became of a parked or waiting message; False where it is neither any more."""
    found = kept(tx, channel, event_key)
    if found is None or found.state not in {"parked", "waiting"}:
        return False
    row = {
        "channel": channel,
        "event_key": event_key,
        "was": found.state,
        "state": state,
        "reason_code": reason_code,
        "reason": reason,
        "due_at_us": due_at_us,
    }
    keys = {"channel": "channel", "event_key": "event_key", "state": "was"}
    changes = {name: name for name in ("state", "reason_code", "reason", "due_at_us")}
    return tx.update(tables.inbox, [row], keys=keys, changes=changes) == 1


def backlog(tx: Transaction) -> list[Backlog]:
    """What is not done, by channel."""
    i = tables.inbox.c
    counted: dict[str, list[Any]] = {}
    for state in ("parked", "waiting"):
        query = (
            select(i.channel, func.count(), func.min(i.received_at_us))
            .where(i.pool_id == tx.pool, text(f"state = '{state}'"))
            .group_by(i.channel)
        )
        for channel, count, oldest in tx.connection.execute(query):
            row = counted.setdefault(channel, [0, 0, oldest])
            row[0 if state == "parked" else 1] = int(count)
            row[2] = min(row[2], oldest)
    return [Backlog(channel, one[0], one[1], from_us(int(one[2]))) for channel, one in sorted(counted.items())]


def progress(tx: Transaction) -> dict[str, datetime]:
    """Until when the changes of each channel were pulled."""
    p = tables.channel_progress.c
    rows = tx.connection.execute(select(p.channel, p.listed_until_us).where(p.pool_id == tx.pool))
    return {channel: from_us(int(us)) for channel, us in rows}


def advance(tx: Transaction, channel: str, until_us: int) -> None:
    """Remember that everything before is here; it never goes back."""
    row = {"channel": channel, "listed_until_us": until_us, "updated_at_us": tx.now_us}
    if tx.insert_new(tables.channel_progress, [row]):
        return
    stored = tx.select(tables.channel_progress, ("listed_until_us",), ("channel",), [(channel,)], lock=True)
    if stored[0].listed_until_us < until_us:
        tx.update(tables.channel_progress, [row], keys=("channel",), changes=("listed_until_us", "updated_at_us"))


def _kept(row: Any) -> Kept:
    return Kept(
        channel=row.channel,
        event_key=row.event_key,
        body=bytes(row.body),
        headers=json.loads(row.headers) if row.headers else {},
        topic=row.topic,
        state=row.state,
        subject=row.subject,
        attempts=int(row.attempts),
    )


def settle(tx: Transaction, channel: str, event_key: str, *, state: str, topic: str | None = None) -> None:
    """Say that a parked message could be `read` after all, or is to be `ignored`; an unknown one: `InvalidInput`."""
    row = {"channel": channel, "event_key": event_key, "was": "parked", "state": state, "topic": topic, "none": None}
    keys = {"channel": "channel", "event_key": "event_key", "state": "was"}
    changes = {"state": "state", "topic": "topic", "reason_code": "none", "reason": "none"}
    if tx.update(tables.inbox, [row], keys=keys, changes=changes) != 1:
        raise InvalidInput(f"The inbox holds no parked message {event_key!r} of {channel!r}")
