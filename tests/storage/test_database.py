"""Whole transactions: opened as the profile says, run again where that helps, explained where it does not."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import StaticPool

from omo_core.model.errors import DatabaseError, DatabaseFull, DatabaseUnavailable, InvalidInput
from omo_core.storage import tables
from omo_core.storage.database import FIRST_PAUSE_S, Database
from omo_core.storage.profiles import journal_mode
from omo_core.storage.transaction import Transaction
from tests.storage.conftest import POOL
from tests.storage.rows import item, items


def test_a_transaction_commits_all_or_nothing(database: Database) -> None:
    with database.transaction(POOL) as tx:
        tx.insert(tables.item, [item("A")])
    with pytest.raises(InvalidInput, match="NUL"), database.transaction(POOL) as tx:  # noqa: PT012
        tx.insert(tables.item, [item("B")])
        tx.insert(tables.item, [item("\x00")])
    with pytest.raises(IntegrityError):
        database.run(POOL, lambda tx: tx.insert(tables.item, [item("C"), item("A")]))
    assert database.run(POOL, items) == [("A", 1)]


def test_a_second_transaction_in_the_same_thread_is_refused_and_not_waited_for(database: Database) -> None:
    with database.transaction(POOL) as tx:
        with pytest.raises(DatabaseError, match="already has a transaction open"):
            database.run(POOL, items)
        tx.insert(tables.item, [item("A")])
    assert database.run(POOL, items) == [("A", 1)]


def test_threads_take_turns(database: Database) -> None:
    def add(number: int) -> None:
        for step in range(5):
            database.run(POOL, lambda tx, step=step: tx.insert(tables.item, [item(f"{number}-{step}")]))  # type: ignore[misc]

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(database.run(POOL, items)) == 20


def test_a_reading_transaction_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseError, match="cannot be used"):
        database.read(POOL, lambda tx: tx.insert(tables.item, [item("A")]))
    database.run(POOL, lambda tx: tx.insert(tables.item, [item("B")]))
    assert database.read(POOL, items) == [("B", 1)]


def test_readers_go_on_under_an_open_writer_and_see_one_snapshot(shared: Database) -> None:
    def elsewhere() -> list[tuple[str, int]]:
        seen: list[Any] = []
        thread = threading.Thread(target=lambda: seen.extend(shared.read(POOL, items)))
        thread.start()
        thread.join()
        return seen

    with shared.transaction(POOL) as tx:
        tx.insert(tables.item, [item("A")])
        assert elsewhere() == []
    assert elsewhere() == [("A", 1)]


def test_a_snapshot_does_not_move(postgres: Database) -> None:
    with postgres.transaction(POOL, read_only=True) as tx:
        assert items(tx) == []
        writer = threading.Thread(target=lambda: postgres.run(POOL, lambda tx: tx.insert(tables.item, [item("A")])))
        writer.start()
        writer.join()
        assert items(tx) == []
    assert postgres.run(POOL, items) == [("A", 1)]


# SQLite's profile.


def test_sqlite_holds_the_write_lock_from_the_beginning(file_database: Database) -> None:
    other = sqlite3.connect(file_database.engine.url.database or "", timeout=0, isolation_level=None)
    with file_database.transaction(POOL), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with file_database.transaction(POOL, read_only=True):
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    other.close()


def test_sqlite_is_set_up_as_the_ledger_asks(file_database: Database) -> None:
    def pragma(tx: Transaction) -> dict[str, object]:
        names = ("foreign_keys", "trusted_schema", "busy_timeout", "synchronous", "journal_mode")
        return {name: tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names}

    wanted = {"foreign_keys": 1, "trusted_schema": 0, "busy_timeout": 5000, "synchronous": 2}
    mode = journal_mode(sqlite3.sqlite_version_info).lower()
    assert file_database.run(POOL, pragma) == wanted | {"journal_mode": mode}


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "TRUNCATE"),
        ((3, 44, 5), "TRUNCATE"),
        ((3, 44, 6), "WAL"),
        ((3, 45, 0), "TRUNCATE"),
        ((3, 50, 6), "TRUNCATE"),
        ((3, 50, 7), "WAL"),
        ((3, 51, 2), "TRUNCATE"),
        ((3, 51, 3), "WAL"),
        ((3, 52, 0), "WAL"),
    ],
)
def test_wal_only_where_its_reset_is_safe(version: tuple[int, ...], mode: str) -> None:
    assert journal_mode(version) == mode


def test_sqlite_tables_are_strict(file_database: Database) -> None:
    sql = "INSERT INTO omo_item VALUES ('p', 's', '{}', 'many', 0)"
    with pytest.raises(IntegrityError, match="cannot store TEXT value in INTEGER column"):
        file_database.run(POOL, lambda tx: tx.connection.exec_driver_sql(sql))


@pytest.mark.parametrize("kind", ["sqlite-memory", "sqlite-file"])
def test_a_full_sqlite_database_leaves_nothing_behind(kind: str, tmp_path: Path) -> None:
    url = "sqlite:///:memory:" if kind == "sqlite-memory" else f"sqlite:///{tmp_path / 'shop.db'}"
    with Database.open(url) as database:
        database.run(POOL, lambda tx: tx.insert(tables.item, [item("before")]))

        def fill(tx: Transaction) -> None:
            pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 3}")
            tx.insert(tables.item, [item("small")])
            tx.insert(tables.item, [item(f"big-{n}", document="x" * 5_000) for n in range(50)])

        with pytest.raises(DatabaseFull, match=r"database or disk is full.*make room"):
            database.run(POOL, fill)
        assert database.run(POOL, items) == [("before", 1)]


def test_a_full_postgresql_disk_is_told_as_such(postgres: Database) -> None:
    full = (
        "DO $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
    )
    with pytest.raises(DatabaseFull, match="No space left"):
        postgres.run(POOL, lambda tx: tx.connection.exec_driver_sql(full))


def test_another_process_that_holds_the_file_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    Database.open(f"sqlite:///{path}").close()
    pauses: list[float] = []
    with Database(f"sqlite:///{path}", pause=pauses.append) as database:
        event.listen(database.engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout = 5"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match=r"locked.*same key"):
            database.run(POOL, items)
        assert len(pauses) == 4
        for tried, pause_s in enumerate(pauses, start=1):
            assert 0.5 <= pause_s / (FIRST_PAUSE_S * 2**tried) <= 1.5
        other.execute("ROLLBACK")
        other.close()
        assert database.run(POOL, items) == []


# Opening what cannot be opened.


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://host/shop", r"sqlite:///shop\.db or postgresql\+psycopg"),
        ("no url at all", r"write sqlite:///shop\.db or postgresql\+psycopg"),
        ("postgresql+psycopg2://host/shop", r"write postgresql\+psycopg://"),
        ("sqlite+aiosqlite:///shop.db", r"write sqlite:///"),
    ],
)
def test_a_url_we_cannot_use_says_what_to_write(url: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        Database.open(url)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DatabaseError, match=r"pip install omo-core\[postgres\]"):
        Database.open("postgresql+psycopg://nobody@nowhere/shop")


def test_an_unreachable_server_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"did not answer") as caught:
        Database.open(f"postgresql+psycopg://me:secret@/shop?host={tmp_path}")
    assert "secret" not in str(caught.value)
    assert str(tmp_path) in str(caught.value).replace("%2F", "/")


def test_an_error_quotes_no_values(shared_url: str) -> None:
    """An order's document holds names and addresses, and hosts write errors into logs."""
    row = item("A", document='{"name": "Ms Marker"}')
    with Database.open(shared_url) as database:
        database.run(POOL, lambda tx: tx.insert(tables.item, [row]))
        with pytest.raises(IntegrityError) as caught:
            database.run(POOL, lambda tx: tx.insert(tables.item, [row]))
    assert "omo_item" in str(caught.value)
    assert "Marker" not in str(caught.value)


def test_an_unknown_postgresql_database_is_named(postgres_url: str) -> None:
    with pytest.raises(DatabaseError, match="does not exist"):
        Database.open(create_engine(postgres_url).url.set(database="nowhere"))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"folder of .* does not exist"):
        Database.open(f"sqlite:///{tmp_path / 'no' / 'shop.db'}")


def test_a_path_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="unable to open database file"):
        Database.open(f"sqlite:///{tmp_path}")


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_bytes(b"sku,quantity\n" * 500)
    with pytest.raises(DatabaseError, match="not a database"):
        Database.open(f"sqlite:///{path}")
    assert path.read_bytes() == b"sku,quantity\n" * 500


# A host's engine.


@pytest.mark.parametrize("begin", [None, "BEGIN"], ids=["driver begins", "host begins"])
def test_a_hosts_sqlite_engine_is_joined_and_left_as_it_was(tmp_path: Path, begin: str | None) -> None:
    path = tmp_path / "host.db"
    engine = create_engine(f"sqlite:///{path}")
    if begin:
        event.listen(engine, "connect", lambda c, _: setattr(c, "isolation_level", None))
        event.listen(engine, "begin", lambda c: c.exec_driver_sql(begin))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE host (id INTEGER)"))
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with Database.open(engine=engine) as database, database.transaction(POOL) as tx:
        tx.connection.execute(text("INSERT INTO host VALUES (1)"))
        tx.insert(tables.item, [item("A")])
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM host, omo_item")).scalar_one() == 1
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        other.execute("BEGIN IMMEDIATE")  # the host's own transactions do not take the write lock
        other.execute("ROLLBACK")
    other.close()
    engine.dispose()


def test_a_hosts_engine_in_memory_is_joined() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with Database.open(engine=engine) as database:
        database.run(POOL, lambda tx: tx.insert(tables.item, [item("A")]))
        assert database.read(POOL, items) == [("A", 1)]
    engine.dispose()


def test_a_hosts_postgresql_engine_keeps_its_settings(postgres_url: str) -> None:
    engine = create_engine(postgres_url, isolation_level="SERIALIZABLE", pool_size=1, max_overflow=0)
    asked = "SELECT current_setting('transaction_isolation'), current_setting('lock_timeout'), current_setting('search_path')"
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE host (id INTEGER)")
        before = connection.exec_driver_sql(asked).one()
    with Database.open(engine=engine, schema="shop") as database, database.transaction(POOL) as tx:
        tx.connection.exec_driver_sql("INSERT INTO host VALUES (1)")
        tx.insert(tables.item, [item("A")])
        inside = tx.connection.exec_driver_sql(asked).one()
        assert inside == ("read committed", "5s", f"shop, {before[2]}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql(asked).one() == before
        assert connection.exec_driver_sql("SELECT count(*) FROM host, shop.omo_item").scalar_one() == 1
    engine.dispose()


def test_either_a_url_or_an_engine() -> None:
    with pytest.raises(ValueError, match="either"):
        Database()


@pytest.mark.slow
def test_a_forked_child_uses_connections_of_its_own(shared_url: str) -> None:
    script = f"""
import os, sys
from omo_core.storage.database import FIRST_PAUSE_S, Database
database = Database.open({shared_url!r})
def backend(tx):
    return tx.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() if tx.postgres else os.getpid()
mine = database.run("p", backend)
with database.transaction("p") as tx:
    child = os.fork()
    if child == 0:
        os._exit(0 if database.read("p", backend) != mine else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    backend(tx)
assert database.run("p", backend) == mine
"""
    subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", script], check=True, timeout=60)
