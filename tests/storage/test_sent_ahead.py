"""Inserts that are sent without waiting for each other's answers fail as others do."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError

from omo_core.storage import tables
from omo_core.storage.database import ATTEMPTS, Database
from omo_core.storage.transaction import Transaction
from tests.storage.conftest import POOL
from tests.storage.rows import item, items, stock

TERMINATE = "SELECT pg_terminate_backend(%s)"


def test_what_is_sent_ahead_is_there_behind_the_block(database: Database) -> None:
    def work(tx: Transaction) -> None:
        with tx.sent_ahead():
            tx.insert(tables.item, [item("A"), item("B")])
            tx.insert(tables.stock, [stock("A")])
        assert items(tx) == [("A", 1), ("B", 1)]

    database.run(POOL, work)
    assert database.run(POOL, items) == [("A", 1), ("B", 1)]


def test_the_first_error_is_raised_at_the_end_and_nothing_stays(database: Database) -> None:
    seen: list[str] = []

    def work(tx: Transaction) -> None:
        seen.append("begun")
        with tx.sent_ahead():
            tx.insert(tables.item, [item("A")])
            tx.insert(tables.stock, [stock("A", reserved=11)])
            seen.append("sent on")
            tx.insert(tables.item, [item("B")])

    with pytest.raises(IntegrityError, match="reserved_within_on_hand"):
        database.run(POOL, work)
    ahead = database.engine.dialect.name == "postgresql"
    assert seen == ["begun", *["sent on"] * ahead], "a defect is not tried again"
    assert database.run(POOL, items) == []


def test_a_key_that_a_rival_took_lets_the_whole_transaction_run_again(postgres: Database) -> None:
    calls = 0

    def work(tx: Transaction) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            with Database(postgres.engine.url) as rival:
                rival.run(POOL, lambda other: other.insert(tables.item, [item("A", version=7)]))
        taken = {sku for sku, _ in items(tx)} if calls > 1 else set()
        with tx.sent_ahead():
            tx.insert(tables.item, [item(sku) for sku in ("A", "B") if sku not in taken])

    postgres.run(POOL, work)
    assert calls == 2
    assert postgres.run(POOL, items) == [("A", 7), ("B", 1)]


def test_a_connection_lost_on_the_way_lets_the_whole_transaction_run_again(postgres: Database) -> None:
    calls = 0

    def work(tx: Transaction) -> None:
        nonlocal calls
        calls += 1
        with tx.sent_ahead():
            tx.insert(tables.item, [item("A")])
            if calls < ATTEMPTS:
                own = tx.connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
                with postgres.engine.connect() as other:
                    other.exec_driver_sql(TERMINATE, (own,))
            tx.insert(tables.item, [item("B")])

    postgres.run(POOL, work)
    assert calls == ATTEMPTS
    assert postgres.run(POOL, items) == [("A", 1), ("B", 1)]


def test_an_old_client_library_inserts_one_by_one(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psycopg.Pipeline, "is_supported", lambda: False)

    def work(tx: Transaction) -> None:
        with tx.sent_ahead():
            tx.insert(tables.stock, [stock("A", reserved=11)])
            pytest.fail("the error was not raised at its insert")

    with pytest.raises(IntegrityError, match="reserved_within_on_hand"):
        postgres.run(POOL, work)
