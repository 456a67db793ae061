"""Every message is kept once, with its bytes; what could not be read waits and says why."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

import pytest
from sqlalchemy.exc import IntegrityError

from omo_core.model.errors import InvalidInput
from omo_core.storage import inbox
from omo_core.storage.database import Database
from omo_core.storage.inbox import Arrival, Outcome
from omo_core.storage.transaction import Transaction
from tests.storage.beside import PATIENCE_S, beside
from tests.storage.conftest import POOL

ORDER = Arrival(channel="shopify", event_key="e1", body=b'{"id": 1}', state="read", topic="orders/create")
ODD = Arrival(
    channel="shopify",
    event_key="e2",
    body=b"\x00\xff{",
    state="parked",
    reason_code="unreadable_body",
    reason="No JSON",
)


def remember(database: Database, *arrivals: Arrival) -> list[Outcome]:
    return database.run(POOL, lambda tx: inbox.remember(tx, arrivals))


def test_new_then_duplicate_then_mismatch(database: Database) -> None:
    other = replace(ORDER, body=b'{"id": 2}')
    assert remember(database, ORDER, ODD) == ["new", "new"]
    assert remember(database, ODD, ORDER, other) == ["duplicate", "duplicate", "mismatch"]
    assert database.run(POOL, lambda tx: inbox.body(tx, "shopify", "e1")) == ORDER.body


def test_repeats_within_one_batch_are_seen(database: Database) -> None:
    other = replace(ORDER, body=b"other")
    assert remember(database, ORDER, other, ODD, ORDER) == ["new", "mismatch", "new", "duplicate"]
    assert remember(database) == []


def test_the_same_key_of_another_channel_or_pool_is_another_message(database: Database) -> None:
    assert remember(database, ORDER) == ["new"]
    assert remember(database, replace(ORDER, channel="till")) == ["new"]
    assert database.run("other", lambda tx: inbox.remember(tx, [ORDER])) == ["new"]


def test_bytes_come_back_as_they_came(database: Database) -> None:
    body = bytes(range(256)) * 10
    remember(database, replace(ODD, body=body), replace(ORDER, body=b""))
    assert database.run(POOL, lambda tx: inbox.body(tx, "shopify", "e2")) == body
    assert database.run(POOL, lambda tx: inbox.body(tx, "shopify", "e1")) == b""
    with pytest.raises(InvalidInput, match="no message 'e9'"):
        database.run(POOL, lambda tx: inbox.body(tx, "shopify", "e9"))


def test_parked_messages_are_listed_by_pages_with_their_reason(database: Database) -> None:
    keys = [f"e{n}" for n in range(7)]
    remember(database, ORDER, *(replace(ODD, event_key=key, channel="b") for key in keys), replace(ODD, channel="a"))
    remember(database, replace(ODD, event_key="ignored", state="ignored"))
    seen, after = [], None
    while page := database.run(POOL, lambda tx, after=after: inbox.parked(tx, after=after, limit=3)):  # type: ignore[misc]
        seen += page
        after = (page[-1].channel, page[-1].event_key)
    assert [(one.channel, one.event_key) for one in seen] == [("a", "e2"), *(("b", key) for key in keys)]
    assert (seen[0].reason_code, seen[0].reason, seen[0].topic) == ("unreadable_body", "No JSON", None)
    assert seen[0].received_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_parked_message_can_be_settled_once(database: Database) -> None:
    remember(database, ORDER, ODD)

    def settle(tx: Transaction) -> None:
        inbox.settle(tx, "shopify", "e2", state="read", topic="orders/create")

    database.run(POOL, settle)
    assert database.run(POOL, inbox.parked) == []
    for change in (settle, lambda tx: inbox.settle(tx, "shopify", "e1", state="ignored")):
        with pytest.raises(InvalidInput, match="no parked message"):
            database.run(POOL, change)
    assert remember(database, ODD) == ["duplicate"]


def test_a_state_nobody_knows_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)check"):
        remember(database, replace(ORDER, state="lost"))


def test_of_two_who_receive_the_same_message_at_once_one_finds_it_new(shared: Database) -> None:
    kept = Event()

    def first(tx: Transaction) -> None:
        assert inbox.remember(tx, [ORDER]) == ["new"]
        kept.set()
        Event().wait(0.1)

    with beside(lambda: shared.run(POOL, first)):
        assert kept.wait(PATIENCE_S)
        assert remember(shared, replace(ORDER, body=b"other"), ORDER) == ["mismatch", "duplicate"]


def test_batches_that_share_messages_do_not_deadlock(shared: Database) -> None:
    arrivals = [replace(ORDER, event_key=f"e{n}") for n in range(40)]
    calls: list[int] = []

    def receive(worker: int) -> list[Outcome]:
        def work(tx: Transaction) -> list[Outcome]:
            calls.append(worker)
            return inbox.remember(tx, arrivals if worker % 2 else arrivals[::-1])

        return shared.run(POOL, work)

    with ThreadPoolExecutor(6) as threads:
        outcomes = [outcome for outcomes in threads.map(receive, range(6)) for outcome in outcomes]
    assert outcomes.count("new") == 40
    assert outcomes.count("duplicate") == 200
    assert len(calls) == 6
