"""The intake of one channel: messages in, acted on once; what must be fetched is fetched, what cannot be used is parked.

A message is verified, read, remembered and acted on in one transaction, so a crash leaves either all of it or nothing,
and the channel's next delivery finds out which. What names an order without holding it waits in the inbox until
`fetch_due` gets it; what cannot be used is parked with its bytes and its reason until `replay`. `Reconciliation` pulls
what messages never told. In the end the newest version of every order is here, in whatever order and however often
things came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from omo_core.channels.intents import FetchOrder
from omo_core.channels.port import ChannelAdapter, ChannelEvent, EventKind, Reply
from omo_core.exchange.acting import Acted, Unusable, act
from omo_core.exchange.intake_loop import ReadMessage, SignedMessage, read_messages
from omo_core.model.errors import DuplicateKeyMismatch, InvalidInput
from omo_core.model.fulfilment import PlacedOrder
from omo_core.model.refusals import Refusal
from omo_core.orders import SourcingContext
from omo_core.storage import inbox
from omo_core.storage.clock import from_us
from omo_core.storage.transaction import Transaction

T = TypeVar("T")


class Run(Protocol):
    """Does work in a transaction of its own, repeated as a whole where the database asks for it."""

    def __call__(self, work: Callable[[Transaction], T], /, *, read_only: bool = False) -> T:
        """The work's result, once it is committed."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one message.

    `state` is `read` (done), `waiting` (its order will be fetched), `ignored` (not ours to act on) or `parked` (kept;
    `reason_code` and `reason` say why it cannot be used). `reply` is what to answer the channel, in every state: the
    message is kept. `parts` tells of each event where one delivery held several.
    """

    event_key: str
    state: str
    reply: Reply
    event: ChannelEvent | None = None
    duplicate: bool = False
    placed: PlacedOrder | None = None
    reason_code: str | None = None
    reason: str | None = None
    parts: tuple[Taken, ...] = ()


class Intake:
    """One channel's way into the pool. Threads may share it: each message is acted on by exactly one of them."""

    def __init__(
        self,
        adapter: ChannelAdapter,
        run: Run,
        context: Callable[[Transaction], SourcingContext],
        *,
        offer: bool = True,
    ) -> None:
        """`offer=False` leaves the choice of nodes to the next wave."""
        self.adapter = adapter
        self.run = run
        self.context = context
        self.offer = offer

    def take(self, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None) -> Taken:
        """Verify, read, remember and act on one message; answer the channel with `reply`.

        With `now`, messages whose signature is too old are refused where the channel signs the time. Raises
        `ForgedSignature` and `BodyTooLarge`, and then nothing was kept, and database errors, so that the channel sends
        it again.
        """
        (read,) = read_messages(self.adapter, [SignedMessage(headers, body)], now=now)
        event = read.received.event
        if event is None or event.kind is not EventKind.SEVERAL:
            return self._take(read, event, read.received.event_key)
        # Parts first, each for itself: one bad part spoils no other, and a crash in between repeats only what is left.
        parts = tuple(self._take(read, one, one.event_key, is_part=True) for one in event.events)
        whole = self._take(read, event, event.event_key)
        return Taken(whole.event_key, whole.state, whole.reply, event, whole.duplicate, parts=parts)

    def keep_waiting(self, tx: Transaction, references: Iterable[tuple[str, str]]) -> int:
        """Remember (event key, external id) pairs of orders that are to be fetched; returns how many are new."""
        arrivals = [
            inbox.Arrival(
                channel=self.adapter.channel,
                event_key=key,
                body=b"",
                state="waiting",
                topic="listed",
                subject=external_id,
                due_at_us=tx.now_us,
            )
            for key, external_id in references
        ]
        return inbox.remember(tx, arrivals).count("new") if arrivals else 0

    def park(self, event_key: str, subject: str, code: str, reason: str) -> None:
        """Remember an order that was listed and cannot be used, once; `replay` fetches it anew."""
        self.run(
            lambda tx: inbox.remember(
                tx,
                [
                    inbox.Arrival(
                        channel=self.adapter.channel,
                        event_key=event_key,
                        body=b"",
                        state="parked",
                        topic="listed",
                        subject=subject,
                        reason_code=code,
                        reason=reason,
                    )
                ],
            )
        )

    def act_on(self, event: ChannelEvent, bodies: Sequence[bytes], key: str, waiting: Sequence[inbox.Kept] = ()) -> str:
        """Act on what was fetched or listed, keep its bytes, and let go what waited for it: placed, parked or waiting."""
        subject = event.subject or ""

        def work(tx: Transaction) -> None:
            inbox.remember(tx, [self._bytes(f"{key}/{n}", subject, body) for n, body in enumerate(bodies)])
            act(tx, event, self.context(tx), offer=self.offer, asked=bool(waiting))
            for one in waiting:
                inbox.move(tx, one.channel, one.event_key, state="read")

        try:
            self.run(work)
        except Unusable as unusable:
            code, reason = unusable.refusal.code, unusable.refusal.sentence
        except (InvalidInput, DuplicateKeyMismatch) as error:
            code, reason = error.code, str(error)
        else:
            return "placed"
        if not waiting and self._can_ask(code, subject):
            return "waiting" if self.run(lambda tx: self.keep_waiting(tx, [(f"{key}/asked", subject)])) else "known"
        if waiting:
            self.keep_bytes(key, subject, bodies)
            self.move(waiting, "parked", code, reason)
        else:
            self.park(key, subject, code, reason)
        return "parked"

    def keep_bytes(self, key: str, subject: str, bodies: Sequence[bytes]) -> None:
        """Keep the documents of an order as they came."""
        rows = [self._bytes(f"{key}/{number}", subject, body) for number, body in enumerate(bodies)]
        self.run(lambda tx: inbox.remember(tx, rows))

    def move(self, waiting: Sequence[inbox.Kept], state: str, code: str, reason: str) -> None:
        """Say what became of messages that waited."""

        def work(tx: Transaction) -> None:
            for one in waiting:
                inbox.move(tx, one.channel, one.event_key, state=state, reason_code=code, reason=reason)

        self.run(work)

    def _take(self, read: ReadMessage, event: ChannelEvent | None, key: str, *, is_part: bool = False) -> Taken:
        if event is None:
            received = read.received
            return self._keep(read, None, key, received.reason_code or "unreadable_body", received.reason or "")
        try:
            return self.run(lambda tx: self._act(tx, read, event, key, is_part))
        except Unusable as unusable:
            refusal = unusable.refusal
            state = "waiting" if self._can_ask(refusal.code, event.subject) else "parked"
            return self._keep(read, event, key, refusal.code, refusal.sentence, state=state)
        except (InvalidInput, DuplicateKeyMismatch) as error:
            return self._keep(read, event, key, error.code, str(error))

    def _act(self, tx: Transaction, read: ReadMessage, event: ChannelEvent, key: str, is_part: bool) -> Taken:
        state = state_of(event)
        arrival = inbox.Arrival(
            channel=event.channel,
            event_key=key,
            body=read.message.body,
            topic=event.topic,
            state=state,
            subject=event.subject,
            headers=self._kept_headers(read) if state == "waiting" else None,
            due_at_us=tx.now_us if state == "waiting" else None,
        )
        (outcome,) = inbox.remember(tx, [arrival])
        reply = event.reply or self.adapter.reply
        # A part that comes again may stand among others: the bytes around it say nothing of it.
        if outcome == "mismatch" and not is_part:
            raise DuplicateKeyMismatch(
                f"the event key {key!r} came before with another body; ask the sender which one holds"
            )
        if outcome != "new":
            stored = inbox.kept(tx, event.channel, key)
            return Taken(key, stored.state if stored else state, reply, event, duplicate=True)
        acted = self.carry_out(tx, event, key) if state == "read" else Acted()
        return Taken(key, state, reply, event, placed=acted.placed)

    def carry_out(self, tx: Transaction, event: ChannelEvent, key: str) -> Acted:
        """Act on one event; what it says beside an order to be fetched is acted on now, and the order waits."""
        acted = act(tx, event, self.context(tx), offer=self.offer)
        if event.fetch and event.subject:
            made = self.adapter.requests(FetchOrder(key=f"fetch/{key}"[:200], external_id=event.subject))
            if not isinstance(made, Refusal):
                digest = hashlib.sha256(f"{event.channel}/{key}".encode()).hexdigest()
                self.keep_waiting(tx, [(f"after/{digest}", event.subject)])
        return acted

    def _can_ask(self, code: str, subject: str | None) -> bool:
        """Whether the channel can be asked which of two contents holds: its clock may be slower than its changes."""
        if code != "version_conflict" or not subject:
            return False
        return not isinstance(self.adapter.requests(FetchOrder(key="which", external_id=subject)), Refusal)

    def _keep(
        self, read: ReadMessage, event: ChannelEvent | None, key: str, code: str, reason: str, *, state: str = "parked"
    ) -> Taken:
        if code == DuplicateKeyMismatch.code:
            key = f"conflict/{hashlib.sha256(read.message.body).hexdigest()}"
        headers = self._kept_headers(read)

        def work(tx: Transaction) -> str:
            arrival = inbox.Arrival(
                channel=self.adapter.channel,
                event_key=key,
                body=read.message.body,
                topic=event.topic if event else None,
                state=state,
                subject=event.subject if event else None,
                headers=headers,
                due_at_us=tx.now_us if state == "waiting" else None,
                reason_code=code,
                reason=reason,
            )
            return inbox.remember(tx, [arrival])[0]

        outcome = self.run(work)
        return Taken(
            key,
            state,
            (event.reply if event else None) or self.adapter.reply,
            event,
            duplicate=outcome != "new",
            reason_code=code,
            reason=reason,
        )

    def _kept_headers(self, read: ReadMessage) -> dict[str, str]:
        """The headers that reading the message again needs, without any that is a secret itself."""
        config: Any = self.adapter.config
        secrets = set(getattr(config, "secrets", ()))
        return {name: value for name, value in read.message.headers.items() if value not in secrets}

    def _bytes(self, key: str, subject: str, body: bytes) -> inbox.Arrival:
        return inbox.Arrival(
            channel=self.adapter.channel,
            event_key=key,
            body=body,
            state="ignored",
            topic="document",
            subject=subject,
        )


def now_of(run: Run) -> datetime:
    """The database's time, which all machines of a pool share."""
    return from_us(run(lambda tx: tx.now_us, read_only=True))


def state_of(event: ChannelEvent) -> str:
    """What is to become of an event that can be read."""
    if event.kind is EventKind.OTHER:
        return "ignored"
    holds = (event.order, event.cancellation, event.refund, event.counter_sale)
    return "waiting" if event.fetch and event.subject and all(one is None for one in holds) else "read"


def event_of(event: ChannelEvent, key: str) -> ChannelEvent | None:
    """The event itself, or the one of its parts that has this key."""
    if event.kind is not EventKind.SEVERAL or event.event_key == key:
        return event
    return next((one for one in event.events if one.event_key == key), None)
