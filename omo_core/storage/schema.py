"""The schema's version: creates our tables in an empty database, refuses another version, and migrates on request."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from omo_core.model.errors import DatabaseError, DatabaseOutdated, DatabaseTooNew
from omo_core.storage.faults import fault_of, typed_error
from omo_core.storage.tables import metadata

if TYPE_CHECKING:
    from omo_core.storage.database import Database, Migrate

VERSION_TABLE: Final = "omo_alembic_version"
REVISIONS: Final = ("0001",)
"""Every revision under migrations/versions, oldest first; kept here so that opening need not import Alembic."""

HEAD: Final = REVISIONS[-1]

_ADVISORY_KEY: Final = 0x6F6D6F5F636F7265  # the bytes of "omo_core"

# The ledger only grows. SQLite has no privileges, so triggers stand in for the REVOKE; a PostgreSQL superuser passes.
APPEND_ONLY: Final = {
    "sqlite": tuple(
        f"CREATE TRIGGER omo_posting_no_{word} BEFORE {word.upper()} ON omo_posting "
        "BEGIN SELECT RAISE(ABORT, 'postings are append-only: post a correction instead'); END"
        for word in ("update", "delete")
    ),
    "postgresql": ("REVOKE UPDATE, DELETE, TRUNCATE ON omo_posting FROM PUBLIC, CURRENT_USER",),
}


def prepare(database: Database, migrate: Migrate) -> None:
    """Check the version and do what `migrate` allows: nothing, fill an empty database, or upgrade an older one."""
    try:
        with database.connection(read_only=True) as connection:
            found = stored_version(connection, database.schema)
        if found is None and migrate != "never":
            with database.connection() as connection:
                found = _create(connection, database)
    except Exception as error:
        raise typed_error(error, fault_of(error), database.place) or error from error
    if found is not None and found in REVISIONS[:-1] and migrate == "upgrade":
        found = _upgrade(database)
    _accept(found, database)


def _accept(found: str | None, database: Database) -> None:
    if found == HEAD:
        return
    url = database.engine.url.render_as_string(hide_password=True)
    if found is None:
        raise DatabaseOutdated(f"{database.place} has no tables of this library; run `omo migrate --database {url}`")
    if found in REVISIONS:
        raise DatabaseOutdated(
            f"{database.place} has schema version {found}, this library needs {HEAD}; back it up, "
            f"then run `omo migrate --database {url}`",
            found=found,
            needed=HEAD,
        )
    raise DatabaseTooNew(
        f"{database.place} has schema version {found}, this library knows up to {HEAD}; upgrade omo_core first",
        found=found,
        known=HEAD,
    )


def migrate(url: str, *, schema: str | None = None) -> tuple[str | None, str]:
    """Bring the database of `url` to this library's version; returns the versions before (None: empty) and after."""
    from omo_core.storage.database import Database

    with Database(url, schema=schema) as database:
        try:
            with database.connection(read_only=True) as connection:
                before = stored_version(connection, schema)
        except Exception as error:
            raise typed_error(error, fault_of(error), database.place) or error from error
        prepare(database, "upgrade")
        return before, HEAD


def stored_version(connection: Connection, schema: str | None = None) -> str | None:
    """The database's revision, or None where it holds none of our tables; host tables do not count."""
    names = _our_tables(connection, schema)
    if not names:
        return None
    if VERSION_TABLE not in names:
        raise DatabaseError(
            f"The database holds {names[0]} but no {VERSION_TABLE}; it was not made by this library, or only in part"
        )
    versions = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalars().all()  # noqa: S608
    if len(versions) != 1:
        raise DatabaseError(f"{VERSION_TABLE} holds {len(versions)} rows instead of one; restore it from a backup")
    return str(versions[0])


def _our_tables(connection: Connection, schema: str | None) -> list[str]:
    if connection.dialect.name == "sqlite":
        sql = r"SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'omo\_%' ESCAPE '\' ORDER BY name"
        return list(connection.exec_driver_sql(sql).scalars())
    sql = r"""SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE relkind IN ('r', 'p') AND relname LIKE 'omo\_%%' AND nspname = coalesce(%s::text, current_schema())
              ORDER BY relname"""
    return list(connection.exec_driver_sql(sql, (schema,)).scalars())


def _create(connection: Connection, database: Database) -> str:
    """Create everything unless another process did so while we waited for the lock; returns the version found."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_KEY,))
        if database.schema is not None:
            connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{database.schema}"')
    found = stored_version(connection, database.schema)
    if found is not None:
        return found
    for statement in create_statements(connection.dialect.name):
        connection.exec_driver_sql(statement)
    return HEAD


@lru_cache(maxsize=2)
def create_statements(engine: str) -> tuple[str, ...]:
    """The DDL of an empty database at HEAD; a test holds it equal to what the migrations make."""
    dialect = sqlite.dialect() if engine == "sqlite" else postgresql.dialect()  # type: ignore[no-untyped-call]
    tables = metadata.sorted_tables
    indexes = [index for table in tables for index in sorted(table.indexes, key=lambda index: index.name or "")]
    return (
        *(str(CreateTable(table).compile(dialect=dialect)) for table in tables),
        *(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes),
        *APPEND_ONLY[engine],
        f"CREATE TABLE {VERSION_TABLE} (\n\tversion_num VARCHAR(32) NOT NULL, \n"
        f"\tCONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num)\n)",
        f"INSERT INTO {VERSION_TABLE} (version_num) VALUES ('{HEAD}')",  # noqa: S608
    )


def _upgrade(database: Database) -> str:
    from omo_core.storage.migrations import upgrade

    with database.connection() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_KEY,))
            connection.exec_driver_sql("SELECT set_config('statement_timeout', '0', true)")
        upgrade.to_head(connection, database.schema)
        return stored_version(connection, database.schema) or ""
