"""Opening: an empty database gets our tables, another version is refused, and migrations make the same schema."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import IntegrityError

from omo_core.model.errors import DatabaseError, DatabaseOutdated, DatabaseTooNew, InvalidInput
from omo_core.storage import schema, tables
from omo_core.storage.database import Database
from omo_core.storage.migrations import upgrade
from tests.storage.conftest import POOL
from tests.storage.rows import items, posting


def set_version(url: str, *versions: str) -> None:
    with Database(url) as database, database.connection() as connection:
        connection.exec_driver_sql("DELETE FROM omo_alembic_version")
        for version in versions:
            connection.exec_driver_sql(f"INSERT INTO omo_alembic_version VALUES ('{version}')")


def test_an_empty_database_gets_our_tables_and_keeps_its_rows_when_opened_again(shared_url: str) -> None:
    with Database.open(shared_url) as database:
        database.run(POOL, lambda tx: tx.publish("omo.test.v1", "thing/1", {}))
    with Database.open(shared_url) as database, database.connection() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM omo_outbox").scalar_one() == 1
        assert schema.stored_version(connection) == schema.HEAD


def test_a_host_keeps_its_own_tables(shared_url: str) -> None:
    engine = create_engine(shared_url)
    with engine.begin() as connection:
        connection.exec_driver_sql('CREATE TABLE "order" (id INTEGER)')
        connection.exec_driver_sql("CREATE TABLE omologation (id INTEGER)")
        connection.exec_driver_sql('INSERT INTO "order" VALUES (41)')
    with Database.open(shared_url) as database, database.connection() as connection:
        assert connection.exec_driver_sql('SELECT id FROM "order"').scalar_one() == 41
        assert connection.exec_driver_sql("SELECT count(*) FROM omo_order").scalar_one() == 0
    engine.dispose()


def test_never_means_never(shared_url: str) -> None:
    with pytest.raises(DatabaseOutdated, match="omo migrate --database"):
        Database.open(shared_url, migrate="never")
    with Database(shared_url) as database, database.connection() as connection:
        assert schema.stored_version(connection) is None


def test_an_older_database_is_refused_and_the_error_names_the_command(
    shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Database.open(shared_url).close()
    monkeypatch.setattr(schema, "REVISIONS", (schema.HEAD, "0002"))
    monkeypatch.setattr(schema, "HEAD", "0002")
    with pytest.raises(DatabaseOutdated, match=r"version 0001.*needs 0002.*`omo migrate --database "):
        Database.open(shared_url)


def test_a_newer_database_is_refused(shared_url: str) -> None:
    Database.open(shared_url).close()
    set_version(shared_url, "9999")
    for migrate in ("empty", "upgrade"):
        with pytest.raises(DatabaseTooNew, match=r"9999.*upgrade omo_core"):
            Database.open(shared_url, migrate=migrate)


@pytest.mark.parametrize("versions", [(), ("0001", "0002")])
def test_a_version_table_without_exactly_one_row_is_refused(shared_url: str, versions: tuple[str, ...]) -> None:
    Database.open(shared_url).close()
    set_version(shared_url, *versions)
    with pytest.raises(DatabaseError, match="instead of one"):
        Database.open(shared_url)


def test_tables_of_ours_without_a_version_are_refused(shared_url: str) -> None:
    engine = create_engine(shared_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE omo_stock (id INTEGER)")
    engine.dispose()
    with pytest.raises(DatabaseError, match="no omo_alembic_version"):
        Database.open(shared_url)


def test_migrating_an_empty_and_a_current_database(shared_url: str) -> None:
    assert schema.migrate(shared_url) == (None, schema.HEAD)
    assert schema.migrate(shared_url) == (schema.HEAD, schema.HEAD)


def test_an_older_database_is_migrated_on_request(shared_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one revision so far; the version before it is an empty schema that Alembic knows as its base."""
    with Database(shared_url) as database, database.connection() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {schema.VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)")
    monkeypatch.setattr(schema, "REVISIONS", ("base", schema.HEAD))
    found = schema.stored_version

    def stored_or_base(connection: Connection, name: str | None = None) -> str | None:
        try:
            return found(connection, name)
        except DatabaseError:
            return "base"

    monkeypatch.setattr(schema, "stored_version", stored_or_base)
    assert schema.migrate(shared_url) == ("base", schema.HEAD)
    with Database.open(shared_url) as database:
        assert database.run(POOL, items) == []


def test_revisions_are_those_of_the_migrations() -> None:
    with Database("sqlite:///:memory:") as database, database.connection() as connection:
        folder = ScriptDirectory.from_config(upgrade.config_for(connection, None))
        assert tuple(script.revision for script in reversed(list(folder.walk_revisions()))) == schema.REVISIONS


def test_creating_and_migrating_make_the_same_sqlite_schema() -> None:
    with Database("sqlite:///:memory:") as database, database.connection() as connection:
        upgrade.to_head(connection, None)
        migrated = sqlite_schema(connection)
    with Database.open("sqlite:///:memory:") as database, database.connection() as connection:
        created = sqlite_schema(connection)
    assert created == migrated
    assert {table.name for table in tables.metadata.tables.values()} < created.keys()


def sqlite_schema(connection: Connection) -> dict[str, list[str]]:
    """The lines of each object's definition, sorted: the order of constraints within a table does not matter."""
    found = connection.exec_driver_sql("SELECT name, coalesce(sql, '') FROM sqlite_master").all()
    return {name: sorted(line.strip(" \t,") for line in sql.strip().splitlines()) for name, sql in found}


def test_creating_and_migrating_make_the_same_postgresql_schema(postgres_url: str) -> None:
    Database.open(postgres_url, schema="created").close()
    with Database(postgres_url, schema="migrated") as database, database.connection() as connection:
        connection.exec_driver_sql("CREATE SCHEMA migrated")
        connection.exec_driver_sql("SET LOCAL search_path = migrated")
        upgrade.to_head(connection, "migrated")
        created, migrated = (postgres_schema(connection, name) for name in ("created", "migrated"))
    assert created == migrated
    assert len(created) > 200
    assert {table.name for table in tables.metadata.tables.values()} < {row[0] for row in created}


def postgres_schema(connection: Connection, name: str) -> list[tuple[Any, ...]]:
    """Columns, constraints, indexes and privileges of a schema, as the catalogue tells them."""
    queries = (
        """SELECT table_name, column_name, data_type, coalesce(collation_name, ''), is_nullable,
                  ordinal_position::text, coalesce(column_default, '')
           FROM information_schema.columns WHERE table_schema = %s""",
        """SELECT c.relname, k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint k
           JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = %s""",
        """SELECT tablename, indexname, replace(indexdef, schemaname || '.', '') FROM pg_indexes
           WHERE schemaname = %s""",
        """SELECT relname, coalesce(relacl::text, '') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE nspname = %s""",
    )
    return sorted(tuple(row) for sql in queries for row in connection.exec_driver_sql(sql, (name,)))


def test_processes_that_open_an_empty_database_at_once_all_succeed(postgres_url: str) -> None:
    def open_it(_: int) -> str | None:
        with Database.open(postgres_url, schema="shop") as database, database.connection() as connection:
            return schema.stored_version(connection, "shop")

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(open_it, range(6))) == [schema.HEAD] * 6


def test_files_opened_at_once_all_succeed(tmp_path: Path) -> None:
    def open_it(_: int) -> str | None:
        with Database.open(f"sqlite:///{tmp_path / 'shop.db'}") as database, database.connection() as connection:
            return schema.stored_version(connection)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(open_it, range(4))) == [schema.HEAD] * 4


def test_two_schemas_of_one_database_do_not_know_each_other(postgres_url: str) -> None:
    for name in (None, "Shop one", "two"):
        with Database.open(postgres_url, schema=name) as database:
            assert database.run(POOL, items) == []
            database.run(POOL, lambda tx: tx.publish("omo.test.v1", "thing/1", {}))
            with database.connection() as connection:
                assert connection.exec_driver_sql("SELECT max(version) FROM omo_outbox").scalar_one() == 1


def test_a_schema_is_for_postgresql(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no schemas"):
        Database.open(f"sqlite:///{tmp_path / 'shop.db'}", schema="shop")


@pytest.mark.parametrize("sql", ["UPDATE omo_posting SET quantity = 5", "DELETE FROM omo_posting"])
def test_postings_are_append_only(shared: Database, sql: str) -> None:
    shared.run(POOL, lambda tx: tx.insert(tables.posting, [posting(1)]))
    with pytest.raises((DatabaseError, IntegrityError), match=r"append-only|permission denied"):
        shared.run(POOL, lambda tx: tx.connection.exec_driver_sql(sql))


@pytest.mark.slow
def test_opening_a_current_database_does_not_import_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    script = (
        "import sys\nfrom omo_core.storage.database import Database\n"
        f"Database.open({url!r}).close()\nDatabase.open({url!r}).close()\nsys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
