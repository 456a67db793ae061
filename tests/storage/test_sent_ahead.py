"""Statements that are sent without waiting for each other's answers are carried out, and fail, as others do."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import IntegrityError, ProgrammingError

from omo_core.model.errors import InvalidInput, InvariantViolation
from omo_core.storage import tables
from omo_core.storage.ahead import Ahead
from omo_core.storage.database import ATTEMPTS, Database
from omo_core.storage.transaction import Transaction
from tests.storage.beside import PATIENCE_S, beside
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


def moved(sku: str, version: int = 1) -> dict[str, Any]:
    return {"sku": sku, "version": version, "next": version + 1}


def move(tx: Transaction, *rows: dict[str, Any]) -> None:
    tx.update_exactly(
        tables.item,
        rows,
        keys=("sku", "version"),
        changes={"version": "next"},
        otherwise=lambda missing: InvariantViolation(f"{missing} moved already"),
    )


def test_questions_have_the_answers_that_a_select_finds(database: Database) -> None:
    def work(tx: Transaction) -> None:
        tx.insert(tables.item, [item(sku) for sku in "ABC"])
        later = tx.ask(tables.item, ("sku", "version"), ("sku",), [("C",), ("A",)], lock=True)
        none = tx.ask(tables.item, ("sku",), ("sku",), [])
        own = tx.ask_sql("SELECT 7", ())
        assert list(map(tuple, later())) == [("A", 1), ("C", 1)] == list(map(tuple, later()))
        assert list(none()) == []
        assert list(map(tuple, own())) == [(7,)]
        assert items(tx) == [("A", 1), ("B", 1), ("C", 1)]

    database.run(POOL, work)


def test_what_is_asked_behind_a_lock_is_read_under_it(postgres: Database) -> None:
    postgres.run(POOL, lambda tx: tx.insert(tables.item, [item("A"), item("B")]))
    locked, go_on = threading.Event(), threading.Event()

    def rival(tx: Transaction) -> None:
        tx.select(tables.item, ("sku",), ("sku",), [("A",)], lock=True)
        locked.set()
        assert go_on.wait(PATIENCE_S)
        move(tx, moved("A"), moved("B"))

    def work(tx: Transaction) -> list[tuple[Any, ...]]:
        first = tx.ask(tables.item, ("version",), ("sku",), [("A",)], lock=True)
        second = tx.ask(tables.item, ("version",), ("sku",), [("B",)])
        go_on.set()
        return [*first(), *second()]

    with beside(lambda: postgres.run(POOL, rival)):
        assert locked.wait(PATIENCE_S)
        assert postgres.run(POOL, work) == [(2,), (2,)]


def test_rows_that_did_not_match_are_told_before_what_failed_behind_them(database: Database) -> None:
    database.run(POOL, lambda tx: tx.insert(tables.item, [item("A"), item("B", version=5)]))

    def work(tx: Transaction, ahead: bool) -> None:
        if not ahead:
            move(tx, moved("A"), moved("B"))
        with tx.sent_ahead():
            move(tx)
            move(tx, moved("A"), moved("B"))
            tx.insert(tables.item, [item("A")])

    for ahead in (False, True):
        with pytest.raises(InvariantViolation, match="1 moved already"):
            database.run(POOL, partial(work, ahead=ahead))
    assert database.run(POOL, items) == [("A", 1), ("B", 5)]


def test_all_rows_that_match_are_changed(database: Database) -> None:
    database.run(POOL, lambda tx: tx.insert(tables.item, [item("A"), item("B", version=5)]))

    def work(tx: Transaction) -> None:
        move(tx, moved("A"))
        with tx.sent_ahead():
            move(tx, moved("A", 2), moved("B", 5))

    database.run(POOL, work)
    assert database.run(POOL, items) == [("A", 3), ("B", 6)]


def test_who_waits_for_an_answer_is_told_what_went_wrong_before_it_and_so_are_listeners(postgres: Database) -> None:
    heard: list[str | None] = []

    def hear(context: ExceptionContext) -> None:
        heard.append(getattr(context.original_exception, "sqlstate", None))

    event.listen(postgres.engine, "handle_error", hear)

    def work(tx: Transaction) -> None:
        tx.ask_sql("SELECT nothing", ())
        answer = tx.ask(tables.item, ("sku",), ("sku",), [("A",)])
        answer()

    with pytest.raises(ProgrammingError, match='column "nothing" does not exist'):
        postgres.run(POOL, work)
    assert heard == ["42703"]
    assert postgres.run(POOL, items) == []


def test_an_answer_nobody_waits_for_still_ends_its_transaction(postgres: Database) -> None:
    def work(tx: Transaction) -> None:
        tx.insert(tables.item, [item("A")])
        tx.ask_sql("SELECT 1 / 0", ())

    with pytest.raises(Exception, match="division by zero"):
        postgres.run(POOL, work)
    assert postgres.run(POOL, items) == []


def test_what_is_on_its_way_when_the_work_fails_is_forgotten(postgres: Database) -> None:
    def work(tx: Transaction) -> None:
        with tx.sent_ahead():
            tx.insert(tables.item, [item("A")])
            tx.insert(tables.item, [item("\ud800")])

    with pytest.raises(InvalidInput, match="cannot be stored"):
        postgres.run(POOL, work)
    assert postgres.run(POOL, items) == []


def test_an_engine_that_somebody_listens_to_sends_one_by_one(postgres: Database) -> None:
    heard: list[str] = []
    event.listen(postgres.engine, "before_cursor_execute", lambda *given: heard.append(given[2]))

    def work(tx: Transaction) -> None:
        assert Ahead.of(tx.connection) is None
        tx.ask(tables.item, ("sku",), ("sku",), [("A",)])
        assert "omo_item" in heard[-1]

    postgres.run(POOL, work)
    assert "set_config" in heard[0]
