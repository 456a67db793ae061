"""What the hot path leaves out for speed is nothing that anybody could miss."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Table

from omo_core.inventory import apply_many, apply_one
from omo_core.inventory.combiner import Combiner
from omo_core.model.errors import DuplicateKeyMismatch
from omo_core.model.stock import (
    ConfirmHolds,
    Hold,
    Issue,
    IssueHolds,
    ReleaseHolds,
    StockAnswer,
)
from omo_core.model.stock_commands import StockCommand
from omo_core.storage import tables
from omo_core.storage.catalogue import save_network
from omo_core.storage.database import Database
from omo_core.storage.statements import array_text, select_sql, update_sql
from omo_core.storage.transaction import Transaction
from omo_core.testing.postgres import PostgresServer, temporary_database
from tests.inventory.conftest import NETWORK, POOL, Shop, place, receive, replace, sell
from tests.inventory.test_combiner import MUG, PATIENCE_S, busy
from tests.inventory.test_races import ON_POSTGRES, together


def test_values_made_without_checks_are_what_checks_would_have_made(memory_shop: Shop) -> None:
    later = memory_shop.clock.now() + timedelta(hours=1)
    answers = memory_shop.apply(
        receive("r", ("MUG", "TPE", 9)),
        place("a", ("MUG", "TPE", 2), expires_at=later),
        place("b", ("MUG", "TPE", 99)),
        place("c", ("VASE", "TPE", 1), ("NONE", "TPE", 1)),
    )
    (hold,) = answers[1].holds
    more: list[StockCommand] = [
        ConfirmHolds(key="y", holds=(hold.hold,)),
        IssueHolds(key="i", lines=(Issue(hold=hold.hold, quantity=1),)),
        replace("x", (hold.hold,), ("MUG", "TPE", 3)),
        ReleaseHolds(key="n", holds=("nobody",)),
        sell("s", ("MUG", "TPE", 20)),
    ]
    answers += memory_shop.apply(*more)
    assert any(answer.displaced for answer in answers)
    for made in (*answers, *(hold for answer in answers for hold in answer.holds)):
        checked = type(made).model_validate(made.model_dump())
        assert made == checked
        assert made.model_dump_json() == checked.model_dump_json()
        assert (repr(made), hash(str(made))) == (repr(checked), hash(str(checked)))
        assert made.model_copy(update={}) == made
        with pytest.raises(ValueError, match="frozen"):
            made.kind = "other"  # type: ignore[attr-defined]
    again = memory_shop.apply(*more)
    assert again == answers[4:], "an answer made and the same one read from the book are equal"
    assert {type(made) for answer in answers for made in answer.holds} == {Hold}


def test_rivals_with_one_key_that_meet_at_a_row_get_one_answer(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    one, two = Combiner(shop.database, POOL), Combiner(shop.database, POOL)
    with busy(one):  # on SQLite both wait for the file, on PostgreSQL they go at the row together
        futures = [combiner.submit(apply_many, place("same", MUG)) for combiner in (one, two, one, two)]
    answers = [future.result(PATIENCE_S) for future in futures]
    assert answers == [answers[0]] * 4
    assert shop.counters() == (9, 1, 0, 0)
    one.close()
    two.close()


@ON_POSTGRES
def test_a_rival_with_the_same_key_waits_at_the_row_and_runs_once(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    runs: list[str] = []

    def counted(tx: Transaction) -> StockAnswer:
        runs.append("run")
        return apply_one(tx, place("same", MUG))

    with ThreadPoolExecutor(1) as beside:
        with shop.database.transaction(POOL) as tx:
            first = apply_one(tx, place("same", MUG))
            second = beside.submit(shop.database.run, POOL, counted)
            for _ in range(400):
                if tx.connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one():
                    break
                threading.Event().wait(0.01)
            else:
                pytest.fail("the rival did not wait for the row")
        assert second.result(PATIENCE_S) == first
    assert runs == ["run"]


@pytest.mark.parametrize(
    "command",
    [receive("same", MUG), ReleaseHolds(key="same", holds=("nobody",))],
    ids=["a-row-that-is-not-stored-yet", "no-row-at-all"],
)
def test_rivals_with_one_key_and_nothing_to_lock_get_one_answer(shop: Shop, command: StockCommand) -> None:
    answers = together(*(lambda: shop.database.run(POOL, lambda tx: apply_one(tx, command)) for _ in range(6)))
    assert answers == [answers[0]] * 6
    assert shop.count("operation") == 1


def test_a_rival_with_the_same_key_and_another_request_is_told_so(shop: Shop) -> None:
    def attempt(units: int) -> bool:
        try:
            return shop.database.run(POOL, lambda tx: apply_one(tx, receive("same", ("MUG", "TPE", units)))).applied
        except DuplicateKeyMismatch:
            return False

    applied = together(*(lambda units=units: attempt(units) for units in range(1, 6)))
    assert applied.count(True) == 1
    assert shop.counters() == (1 + applied.index(True), 0, 0, 0)


LOOK_UPS = [
    (tables.operation, ("scope", "key"), "pk_omo_operation"),
    (tables.stock, ("sku", "node", "condition"), "pk_omo_stock"),
    (tables.hold, ("hold",), "pk_omo_hold"),
    (tables.hold, ("owner",), "ix_omo_hold_owner"),
]
COPIED = {"operation": ("key", "operation_id"), "stock": ("sku",), "hold": ("hold", "owner")}
ROWS = 10_000


@pytest.fixture(scope="module")
def crowded(postgres_server: PostgresServer, postgres_template: str) -> Iterator[Database]:
    """Tables that were filled a moment ago: the planner has no statistics yet."""
    with (
        temporary_database(postgres_server, "crowded", template=postgres_template) as url,
        Database.open(url) as opened,
    ):
        opened.run(POOL, lambda tx: save_network(tx, NETWORK))
        opened.run(POOL, lambda tx: apply_many(tx, [receive("r", MUG), place("h", MUG)]))
        with opened.connection() as connection:
            for table, names in COPIED.items():
                new = ", ".join(f"'{name}', {name} || n" for name in names)
                connection.exec_driver_sql(f"ALTER TABLE omo_{table} SET (autovacuum_enabled = false)")
                connection.exec_driver_sql(
                    f"INSERT INTO omo_{table} SELECT (jsonb_populate_record(t, jsonb_build_object({new}))).* "
                    f"FROM omo_{table} AS t, generate_series(1, {ROWS}) AS n"
                )
        yield opened


def plan(database: Database, sql: str, parameters: tuple[object, ...]) -> str:
    explained = database.run(POOL, lambda tx: tx.connection.exec_driver_sql(f"EXPLAIN {sql}", parameters).all())
    return "\n".join(row[0] for row in explained)


@pytest.mark.parametrize(("table", "keys", "index"), LOOK_UPS, ids=["operation", "stock", "hold", "owner"])
def test_postgresql_looks_up_by_the_whole_key_before_it_has_statistics(
    crowded: Database, table: Table, keys: tuple[str, ...], index: str
) -> None:
    wanted = [array_text([f"x{number}" for number in range(8)]) for _ in keys]
    found = plan(crowded, select_sql(table, keys, keys, True, False), (*wanted, POOL))
    assert re.search(rf"Index (Only )?Scan using {index} ", found), found
    assert all(f"{name} = " in found.split("Index Cond:")[1] for name in keys), found


def test_postgresql_updates_by_the_whole_key_before_it_has_statistics(crowded: Database) -> None:
    keys = ("sku", "node", "condition", "version")
    wanted = [array_text([f"x{number}" for number in range(8)]) for _ in keys[:3]]
    numbers = array_text(list(range(8)))
    found = plan(crowded, update_sql(tables.stock, keys, ("reserved",), True), (*wanted, numbers, numbers, POOL))
    assert "Index Scan using pk_omo_stock " in found, found
