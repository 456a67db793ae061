"""What PostgreSQL throws at concurrent transactions, brought about for real, and that the whole transaction runs again."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from omo_core.model.errors import DatabaseUnavailable
from omo_core.storage import tables
from omo_core.storage.database import ATTEMPTS, Database
from omo_core.storage.operations import Operation, find, record
from omo_core.storage.profiles import PostgresProfile
from omo_core.storage.transaction import Transaction
from tests.storage.beside import PATIENCE_S, beside
from tests.storage.conftest import POOL
from tests.storage.rows import item, items

LOCK = "SELECT version FROM omo_item WHERE sku = '{}' FOR UPDATE"


def test_the_victim_of_a_deadlock_runs_again(postgres: Database) -> None:
    postgres.run(POOL, lambda tx: tx.insert(tables.item, [item("A"), item("B")]))
    meeting = threading.Barrier(2, timeout=PATIENCE_S)
    calls: list[str] = []

    def crosswise(first: str, second: str) -> Callable[[Transaction], None]:
        def work(tx: Transaction) -> None:
            calls.append(first)
            tx.connection.exec_driver_sql(LOCK.format(first))
            if calls.count(first) == 1:
                meeting.wait()
            tx.connection.exec_driver_sql(LOCK.format(second))
            tx.connection.exec_driver_sql("UPDATE omo_item SET version = version + 1")

        return work

    with beside(lambda: postgres.run(POOL, crosswise("B", "A"))):
        postgres.run(POOL, crosswise("A", "B"))
    assert len(calls) == 3, "one of the two was the victim and ran again"
    assert postgres.run(POOL, items) == [("A", 3), ("B", 3)]


class Serializable(PostgresProfile):
    def options(self, read_only: bool) -> dict[str, Any]:
        return {"isolation_level": "SERIALIZABLE"}


def test_a_serialisation_failure_runs_again(postgres: Database) -> None:
    postgres.profile = Serializable()
    meeting = threading.Barrier(2, timeout=PATIENCE_S)
    calls: list[str] = []

    def count_and_add(sku: str) -> Callable[[Transaction], None]:
        def work(tx: Transaction) -> None:
            calls.append(sku)
            seen = len(items(tx))
            if calls.count(sku) == 1:
                meeting.wait()
            tx.insert(tables.item, [item(sku, version=seen)])

        return work

    with beside(lambda: postgres.run(POOL, count_and_add("A"))):
        postgres.run(POOL, count_and_add("B"))
    assert len(calls) == 3
    assert sorted(version for _, version in postgres.run(POOL, items)) == [0, 1], "as if one came after the other"


def test_a_lock_that_is_not_let_go_is_waited_for_five_times_and_then_named(postgres_url: str) -> None:
    Database.open(postgres_url).close()
    pauses: list[float] = []
    with Database(postgres_url, rng=random.Random(1), pause=pauses.append) as database:
        database.run(POOL, lambda tx: tx.insert(tables.item, [item("A")]))
        database.profile = PostgresProfile(lock_timeout_ms=20)
        locked, done = threading.Event(), threading.Event()

        def hold_on() -> None:
            with psycopg.connect(postgres_url.replace("+psycopg", "")) as other:
                other.execute(LOCK.format("A"))
                locked.set()
                done.wait(PATIENCE_S)

        calls: list[int] = []

        def work(tx: Transaction) -> None:
            calls.append(1)
            tx.select(tables.item, ("sku",), ("sku",), [("A",)], lock=True)

        with beside(hold_on):
            assert locked.wait(PATIENCE_S)
            try:
                with pytest.raises(DatabaseUnavailable, match=r"lock timeout.*same key"):
                    database.run(POOL, work)
            finally:
                done.set()
        assert len(calls) == ATTEMPTS == len(pauses) + 1
        database.run(POOL, work)


def test_a_statement_that_is_too_slow_is_not_tried_again(postgres: Database) -> None:
    postgres.profile = PostgresProfile(statement_timeout_ms=20)
    calls: list[int] = []

    def work(tx: Transaction) -> None:
        calls.append(1)
        tx.connection.exec_driver_sql("SELECT pg_sleep(20)")

    with pytest.raises(DatabaseUnavailable, match=r"statement timeout.*send less at once"):
        postgres.run(POOL, work)
    assert calls == [1]


def test_an_idle_transaction_is_ended_by_the_server_and_runs_again(postgres: Database) -> None:
    postgres.profile = PostgresProfile(idle_in_transaction_timeout_ms=50)
    calls: list[int] = []

    def work(tx: Transaction) -> None:
        calls.append(1)
        tx.select(tables.item, ("sku",), ("sku",), [("A",)])
        if len(calls) == 1:
            threading.Event().wait(0.5)
        tx.insert(tables.item, [item("A")])

    postgres.run(POOL, work)
    assert len(calls) == 2
    assert postgres.run(POOL, items) == [("A", 1)]


def test_a_transaction_idle_behind_an_answer_that_was_sent_ahead_is_ended_as_well(postgres: Database) -> None:
    postgres.profile = PostgresProfile(idle_in_transaction_timeout_ms=50)
    calls: list[int] = []

    def work(tx: Transaction) -> None:
        calls.append(1)
        asked = tx.ask(tables.item, ("sku",), ("sku",), [("A",)], lock=True)
        tx.ask(tables.stock, ("sku",), ("sku",), [("A",)])
        assert list(asked()) == []
        if len(calls) == 1:
            threading.Event().wait(0.5)
        tx.insert(tables.item, [item("A")])

    postgres.run(POOL, work)
    assert len(calls) == 2, "a client that hangs must not keep its locks"


def cut(url: str, backend: int) -> None:
    """End a connection from outside, and wait until the server knows it."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (backend,))


def backend_of(tx: Transaction) -> int:
    return int(tx.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def test_a_connection_cut_in_the_middle_runs_again(postgres: Database, postgres_url: str) -> None:
    calls: list[int] = []

    def work(tx: Transaction) -> None:
        calls.append(1)
        tx.insert(tables.item, [item("A")])
        if len(calls) == 1:
            cut(postgres_url, backend_of(tx))
        tx.insert(tables.item, [item("B")])

    postgres.run(POOL, work)
    assert len(calls) == 2
    assert postgres.run(POOL, items) == [("A", 1), ("B", 1)]


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_of_unknown_outcome_is_applied_once(postgres: Database, postgres_url: str, committed: bool) -> None:
    """The connection dies during COMMIT, after or before the server did it; the caller cannot tell which."""
    cuts: list[int] = []

    def lose_the_answer(connection: Any) -> None:
        if cuts:
            return
        driver = connection.connection.dbapi_connection
        backend = driver.info.backend_pid
        cuts.append(backend)
        if committed:
            driver.commit()
            driver.execute("SELECT 1")  # SQLAlchemy's own COMMIT finds a transaction to end, and no server
        cut(postgres_url, backend)

    event.listen(postgres.engine, "commit", lose_the_answer)
    outcomes: list[str] = []

    def work(tx: Transaction) -> str:
        stored = find(tx, [("till", "sale-1")])
        if stored:
            outcomes.append("replayed")
            return stored["till", "sale-1"].answer
        outcomes.append("applied")
        tx.insert(tables.item, [item("A")])
        record(tx, [Operation("till", "sale-1", tx.new_id(), "sale", "sha", '{"sold":1}')])
        return '{"sold":1}'

    assert postgres.run(POOL, work) == '{"sold":1}'
    assert outcomes == ["applied", "replayed" if committed else "applied"]
    assert postgres.run(POOL, items) == [("A", 1)]


def test_two_who_insert_the_same_new_row_both_get_through(postgres: Database) -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE_S)
    calls: list[int] = []

    def add_or_raise(tx: Transaction) -> None:
        calls.append(1)
        found = tx.select(tables.item, ("version",), ("sku",), [("A",)], lock=True)
        if len(calls) <= 2 and not found:
            meeting.wait()
        if found:
            row = item("A", version=found[0].version + 1)
            assert tx.update(tables.item, [row], keys=("sku",), changes=("version",)) == 1
        else:
            tx.insert(tables.item, [item("A")])

    with beside(lambda: postgres.run(POOL, add_or_raise)):
        postgres.run(POOL, add_or_raise)
    assert len(calls) == 3
    assert postgres.run(POOL, items) == [("A", 2)]


def test_who_lost_a_race_in_a_block_of_his_own_is_told_that_he_may_repeat_it(postgres: Database) -> None:
    postgres.run(POOL, lambda tx: tx.insert(tables.item, [item("A")]))
    with pytest.raises(DatabaseUnavailable, match="repeat"), postgres.transaction(POOL) as tx:
        tx.insert(tables.item, [item("A")])


def test_a_pool_of_dead_connections_is_renewed(postgres: Database, postgres_url: str) -> None:
    backend = postgres.run(POOL, backend_of)
    cut(postgres_url, backend)
    assert postgres.run(POOL, backend_of) != backend


def test_pauses_are_drawn_from_the_given_dice(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    Database.open(f"sqlite:///{path}").close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def pauses(seed: int) -> list[float]:
        drawn: list[float] = []
        with Database(f"sqlite:///{path}", rng=random.Random(seed), pause=drawn.append) as database:
            event.listen(database.engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout = 0"))
            with pytest.raises(DatabaseUnavailable):
                database.run(POOL, items)
        return drawn

    assert pauses(1) == pauses(1) != pauses(2)
    other.close()


def test_batches_that_share_new_keys_do_not_deadlock(postgres: Database) -> None:
    """Both batches stop at a key in the middle; had they taken the others crosswise, one would be a victim then."""
    batches = [[item(sku) for sku in order] for order in ("ABCDE", "EDCBA")]
    calls: list[int] = []

    def add(number: int) -> None:
        def work(tx: Transaction) -> None:
            calls.append(number)
            tx.insert_new(tables.item, batches[number])

        postgres.run(POOL, work)

    with postgres.engine.connect() as holder:
        holder.exec_driver_sql("INSERT INTO omo_item VALUES ('shop', 'C', '{}', 1, 0)")
        with beside(lambda: add(0)), beside(lambda: add(1)):
            wait_for_waiters(postgres, 2)
            holder.rollback()
    assert sorted(calls) == [0, 1]
    assert [sku for sku, _ in postgres.run(POOL, items)] == list("ABCDE")


def wait_for_waiters(database: Database, wanted: int) -> None:
    """Until so many statements wait for a lock in the database."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(PATIENCE_S * 100):
        if database.read(POOL, lambda tx: tx.connection.exec_driver_sql(asked).scalar_one()) == wanted:
            return
        threading.Event().wait(0.01)
    raise AssertionError("nobody waits")
