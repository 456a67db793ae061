"""Facts are published whole, in order, and none is missed whatever runs beside the reader."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from omo_core.model.errors import DatabaseError
from omo_core.storage import outbox, tables
from omo_core.storage.database import Database
from omo_core.storage.transaction import Transaction
from tests.storage.beside import beside
from tests.storage.conftest import POOL
from tests.storage.rows import item


def publish(database: Database, *subjects: str, pool: str = POOL) -> None:
    database.run(pool, lambda tx: tx.publish_many([("omo.test.v1", subject, {"of": subject}) for subject in subjects]))


def unpublished(database: Database, limit: int = 1000) -> list[tuple[str, int]]:
    return [(fact.subject, fact.version) for fact in database.read(POOL, lambda tx: outbox.read(tx, limit))]


def test_a_fact_is_read_as_it_was_published(database: Database) -> None:
    data = {"units": 3, "name": "杯子", "nested": {"a": [1, None]}}
    event_id = database.run(POOL, lambda tx: tx.publish("omo.order.placed.v1", "order/1", data))
    (fact,) = database.run(POOL, outbox.read)
    assert (fact.event_id, fact.type, fact.subject, fact.version) == (event_id, "omo.order.placed.v1", "order/1", 1)
    assert json.loads(fact.data) == data
    assert fact.created_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_versions_count_per_subject_across_transactions_and_pools(database: Database) -> None:
    publish(database, "a", "b", "a")
    publish(database, "b", "a", "c")
    publish(database, "a", pool="other")
    assert unpublished(database) == [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2), ("c", 1)]


def test_a_transaction_that_fails_publishes_nothing_and_leaves_no_gap(database: Database) -> None:
    def fail(tx: Transaction) -> None:
        tx.publish("omo.test.v1", "a", {})
        raise LookupError

    publish(database, "a")
    with pytest.raises(LookupError):
        database.run(POOL, fail)
    publish(database, "a")
    assert unpublished(database) == [("a", 1), ("a", 2)]


def test_what_is_marked_is_not_read_again_and_pages_keep_the_order(database: Database) -> None:
    for _ in range(3):
        publish(database, "b", "a")
    seen: list[tuple[str, int]] = []

    def relay(tx: Transaction) -> int:
        facts = outbox.read(tx, limit=4)
        seen.extend((fact.subject, fact.version) for fact in facts)
        return outbox.mark_published(tx, [fact.event_id for fact in facts])

    assert [database.run(POOL, relay) for _ in range(3)] == [4, 2, 0]
    assert seen == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3)]
    publish(database, "a")
    assert unpublished(database) == [("a", 4)]


def test_a_thousand_facts_of_one_transaction(database: Database) -> None:
    subjects = [f"order/{n % 300}" for n in range(1000)]
    publish(database, *subjects)
    found = unpublished(database)
    assert sorted(found) == sorted((s, v) for s in set(subjects) for v in range(1, subjects.count(s) + 1))


def test_a_fact_that_is_not_json_is_a_defect_of_the_publisher(database: Database) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        database.run(POOL, lambda tx: tx.publish("omo.test.v1", "a", {"cost": float("nan")}))


def test_a_reader_on_cannot_be_overtaken(postgres: Database) -> None:
    """The early transaction commits last: a reader who went on from the last id it saw would never meet its fact."""
    ids: list[str] = []

    def late(tx: Transaction) -> None:
        ids.append(tx.publish("omo.test.v1", "late", {}))
        tx.finish()  # the row is written, the commit is to come
        with beside(lambda: publish(postgres, "quick")):
            pass
        with beside(lambda: seen.append(unpublished(postgres))):
            pass

    seen: list[list[tuple[str, int]]] = []
    postgres.run(POOL, late)
    assert seen == [[]], "the quick fact is committed, but an older transaction may still write before it"
    quick, (after,) = ("quick", 1), [unpublished(postgres)]
    assert after == [("late", 1), quick]


def test_versions_stay_in_order_when_the_transaction_that_began_first_publishes_last(postgres: Database) -> None:
    def began_first(tx: Transaction) -> None:
        tx.insert(tables.item, [item("takes a transaction id")])
        with beside(lambda: publish(postgres, "other", "a")):
            pass
        tx.publish("omo.test.v1", "a", {})

    postgres.run(POOL, began_first)
    assert unpublished(postgres) == [("a", 1), ("a", 2), ("other", 1)]


def test_rivals_for_a_version_both_get_one(postgres: Database) -> None:
    calls: list[int] = []

    def rival(tx: Transaction) -> None:
        calls.append(1)
        tx.publish("omo.test.v1", "a", {})
        if len(calls) == 1:
            with beside(lambda: postgres.run(POOL, lambda other: other.publish("omo.test.v1", "a", {}))):
                pass

    postgres.run(POOL, rival)
    assert unpublished(postgres) == [("a", 1), ("a", 2)]


def test_no_fact_is_missed_by_a_reader_who_only_goes_forward(postgres: Database) -> None:
    """Writers interleave at random; the reader keeps its place and never looks back."""
    dice = random.Random(3)
    engine = postgres.engine
    writers = [engine.connect() for _ in range(6)]
    open_writers: dict[int, Transaction] = {}
    heard: list[tuple[int, str, int]] = []
    place, written = (0, "", 0), 0
    for step in range(300):
        number = dice.randrange(len(writers))
        if number in open_writers:
            open_writers.pop(number).finish()
            writers[number].commit()
        else:
            tx = Transaction(writers[number], POOL, step, postgres.ids)
            tx.publish("omo.test.v1", f"s{number}", {})
            if dice.random() < 0.5:
                tx.finish()  # its row is there before those of transactions that commit sooner
            open_writers[number] = tx
            written += 1
        place = read_on(postgres, place, heard)
    for number, tx in open_writers.items():
        tx.finish()
        writers[number].commit()
    read_on(postgres, place, heard)
    for connection in writers:
        connection.close()
    assert len(heard) == written > 100
    assert all(first < second for first, second in pairwise(heard))


def read_on(database: Database, place: tuple[int, str, int], heard: list[tuple[int, str, int]]) -> tuple[int, str, int]:
    """Read what is behind `place` in the outbox's own order, as the relay's query would with a cursor."""

    def work(tx: Transaction) -> list[tuple[int, str, int]]:
        ready = {fact.event_id for fact in outbox.read(tx, 100_000)}
        rows = tx.connection.execute(tables.outbox.select())
        return sorted((row.transaction_id, row.subject, row.version) for row in rows if row.event_id in ready)

    fresh = [row for row in database.read(POOL, work) if row > place]
    heard.extend(fresh)
    return fresh[-1] if fresh else place


def test_facts_restored_from_another_server_are_not_waited_for(postgres: Database) -> None:
    publish(postgres, "a")
    with postgres.connection() as connection:
        connection.exec_driver_sql("UPDATE omo_outbox SET transaction_id = transaction_id + 1000000")
    publish(postgres, "a", "b")
    assert unpublished(postgres) == [("b", 1), ("a", 1), ("a", 2)]


def test_marking_needs_a_writing_transaction(database: Database) -> None:
    publish(database, "a")
    (fact,) = database.read(POOL, outbox.read)
    with pytest.raises(DatabaseError):
        database.read(POOL, lambda tx: outbox.mark_published(tx, [fact.event_id]))
