"""The inbox: every verified message with its bytes, remembered once; what could not be read waits here, parked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import select, text, tuple_

from omo_core.model.errors import InvalidInput
from omo_core.storage import tables
from omo_core.storage.clock import from_us
from omo_core.storage.transaction import Transaction

Outcome = Literal["new", "duplicate", "mismatch"]
"""`mismatch`: the same key came with another body; the first body stays, the second was not kept."""

_KEY: Final = ("channel", "event_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A verified message: `state` is read, parked or ignored; a parked one says why by code and sentence."""

    channel: str
    event_key: str
    body: bytes
    state: str
    topic: str | None = None
    reason_code: str | None = None
    reason: str | None = None


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


def settle(tx: Transaction, channel: str, event_key: str, *, state: str, topic: str | None = None) -> None:
    """Say that a parked message could be `read` after all, or is to be `ignored`; an unknown one: `InvalidInput`."""
    row = {"channel": channel, "event_key": event_key, "was": "parked", "state": state, "topic": topic, "none": None}
    keys = {"channel": "channel", "event_key": "event_key", "state": "was"}
    changes = {"state": "state", "topic": "topic", "reason_code": "none", "reason": "none"}
    if tx.update(tables.inbox, [row], keys=keys, changes=changes) != 1:
        raise InvalidInput(f"The inbox holds no parked message {event_key!r} of {channel!r}")
