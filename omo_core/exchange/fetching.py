"""Gets the orders that messages only named, and tries parked messages again: what the intake left for later."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from omo_core.channels.intents import FetchOrder, Request
from omo_core.channels.port import ChannelEvent, EventKind
from omo_core.exchange.acting import Acted, Unusable
from omo_core.exchange.intake import Intake, Taken, event_of, state_of
from omo_core.exchange.pauses import pause_us
from omo_core.model.errors import ChannelUnavailable, DuplicateKeyMismatch, InvalidInput
from omo_core.model.refusals import Refusal
from omo_core.storage import inbox
from omo_core.storage.transaction import Transaction


class Calls(Protocol):
    """What is asked of a transport; `omo_core.exchange.transport.Transport` is one."""

    def fetch(self, requests: Iterable[Request]) -> tuple[bytes, ...]:
        """The bodies that answer requests; raises `ChannelUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a round of fetching did, in orders."""

    placed: int = 0
    parked: int = 0
    postponed: int = 0


def fetch_due(intake: Intake, calls: Calls, *, limit: int = 100) -> Fetched:
    """Get the orders that waiting messages name, each once, and place them; at most `limit` messages."""
    due = intake.run(lambda tx: inbox.due(tx, intake.adapter.channel, limit=limit), read_only=True)
    by_order: dict[str, list[inbox.Kept]] = {}
    for one in due:
        by_order.setdefault(one.subject or "", []).append(one)
    results = [_fetch(intake, calls, subject, waiting) for subject, waiting in by_order.items()]
    return Fetched(*(results.count(state) for state in ("placed", "parked", "postponed")))


def replay(intake: Intake, *, event_key: str | None = None, limit: int = 1_000) -> list[Taken]:
    """Read parked messages again, after a fix: one, or the first `limit`; what is still unusable stays parked."""
    parked = [event_key] if event_key is not None else _parked(intake, limit)
    return [taken for key in parked if (taken := _replay(intake, key)) is not None]


def _fetch(intake: Intake, calls: Calls, subject: str, waiting: Sequence[inbox.Kept]) -> str:
    asked = _asked(intake, subject, waiting[0])
    if isinstance(asked, str):
        intake.move(waiting, "parked", "unreadable_body", asked)
        return "parked"
    try:
        bodies = calls.fetch(asked.fetch)
    except ChannelUnavailable as error:
        return _postpone(intake, waiting, error)
    try:
        event = intake.adapter.parse_fetched(asked, *bodies)
    except InvalidInput as error:
        intake.keep_bytes(_fetched_key(subject, bodies), subject, bodies)
        intake.move(waiting, "parked", error.code, str(error))
        return "parked"
    return intake.act_on(event, bodies, _fetched_key(subject, bodies), waiting)


def _asked(intake: Intake, subject: str, one: inbox.Kept) -> ChannelEvent | str:
    """The event whose `fetch` gets an order, or why there is none: its message's own, or one made of the plain intent."""
    if one.body:
        try:
            event = event_of(intake.adapter.parse_event(one.headers, one.body), one.event_key)
        except InvalidInput as error:
            return str(error)
        if event is not None and event.fetch:
            return event
    made = intake.adapter.requests(FetchOrder(key=f"fetch/{one.event_key}"[:200], external_id=subject))
    if isinstance(made, Refusal):
        return made.sentence
    return ChannelEvent(
        channel=intake.adapter.channel,
        event_key=one.event_key,
        topic=one.topic or "listed",
        kind=EventKind.ORDER,
        subject=subject,
        fetch=made,
    )


def _postpone(intake: Intake, waiting: Sequence[inbox.Kept], error: ChannelUnavailable) -> str:
    pause = pause_us(max(one.attempts for one in waiting))
    if pause is None:
        intake.move(waiting, "parked", error.code, str(error))
        return "parked"

    def work(tx: Transaction) -> None:
        for one in waiting:
            inbox.postpone(tx, one.channel, one.event_key, due_at_us=tx.now_us + pause)

    intake.run(work)
    return "postponed"


def _fetched_key(subject: str, bodies: Sequence[bytes]) -> str:
    digest = hashlib.sha256(b"".join([subject.encode(), *bodies])).hexdigest()
    return f"fetched/{digest}"


def _parked(intake: Intake, limit: int) -> list[str]:
    def work(tx: Transaction) -> list[str]:
        found = inbox.parked(tx, after=(intake.adapter.channel, ""), limit=limit)
        return [one.event_key for one in found if one.channel == intake.adapter.channel]

    return intake.run(work, read_only=True)


def _replay(intake: Intake, key: str) -> Taken | None:
    stored = intake.run(lambda tx: inbox.kept(tx, intake.adapter.channel, key), read_only=True)
    if stored is None or stored.state != "parked":
        return None
    if stored.topic == "listed" or not stored.body:
        return _wait_again(intake, stored)
    try:
        event = event_of(intake.adapter.parse_event(stored.headers, stored.body), key)
    except InvalidInput as error:
        return Taken(key, "parked", intake.adapter.reply, reason_code=error.code, reason=str(error))
    if event is None:
        return _wait_again(intake, stored) if stored.subject else None
    if state_of(event) == "waiting":
        return _wait_again(intake, stored, event)
    try:
        acted = intake.run(lambda tx: _act_again(intake, tx, stored, event))
    except Unusable as unusable:
        code, reason = unusable.refusal.code, unusable.refusal.sentence
        return Taken(key, "parked", intake.adapter.reply, event, reason_code=code, reason=reason)
    except (InvalidInput, DuplicateKeyMismatch) as error:
        return Taken(key, "parked", intake.adapter.reply, event, reason_code=error.code, reason=str(error))
    return Taken(key, state_of(event), intake.adapter.reply, event, placed=acted.placed)


def _act_again(intake: Intake, tx: Transaction, stored: inbox.Kept, event: ChannelEvent) -> Acted:
    state = state_of(event)
    if not inbox.move(tx, stored.channel, stored.event_key, state=state):
        return Acted()  # another one replayed it meanwhile
    return intake.carry_out(tx, event, stored.event_key) if state == "read" else Acted()


def _wait_again(intake: Intake, stored: inbox.Kept, event: ChannelEvent | None = None) -> Taken:
    def work(tx: Transaction) -> None:
        inbox.move(tx, stored.channel, stored.event_key, state="waiting", due_at_us=tx.now_us)

    intake.run(work)
    return Taken(stored.event_key, "waiting", intake.adapter.reply, event)
