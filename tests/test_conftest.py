"""The database fixtures give every test a database of its own, on every engine."""

from __future__ import annotations

import pytest
import sqlalchemy

from omo_core.storage.database import Database, Migrate


def table_names(url: str) -> list[str]:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    return sqlalchemy.inspect(engine).get_table_names()


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_starts_on_an_empty_database(database_url: str, turn: int) -> None:
    assert table_names(database_url) == []
    with Database.open(database_url) as database, database.connection() as connection:
        connection.exec_driver_sql("CREATE TABLE left_behind (x INTEGER)")


@pytest.mark.parametrize("turn", [1, 2])
def test_a_shop_has_our_tables_and_nothing_else(shop_url: str, turn: int) -> None:
    migrate: Migrate = "never" if shop_url.startswith("postgresql") else "empty"
    with Database.open(shop_url, migrate=migrate) as database, database.connection() as connection:
        names = sqlalchemy.inspect(connection).get_table_names()
        connection.exec_driver_sql("CREATE TABLE left_behind (x INTEGER)")
    assert names
    assert all(name.startswith("omo_") for name in names)


def test_postgresql_is_marked(request: pytest.FixtureRequest, database_url: str) -> None:
    marked = request.node.get_closest_marker("postgres") is not None
    assert marked == database_url.startswith("postgresql")
