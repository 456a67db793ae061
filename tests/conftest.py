"""Fixtures for everyone: an empty database on every engine, and Hypothesis without dice."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from omo_core.testing.postgres import PostgresServer, temporary_database
from tests.effort import FULL

settings.register_profile("deterministic", derandomize=True, deadline=None, database=None, max_examples=FULL)
settings.register_profile("quick", settings.get_profile("deterministic"), max_examples=FULL // 4)
settings.load_profile("deterministic")

_database_numbers = count(1)

gc.disable()  # what is imported and collected stays; looking through it again and again is a third of the start


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server a worker process; each test takes a database of its own from it."""
    with PostgresServer(durable=False) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, dropped after the test."""
    with temporary_database(postgres_server, f"test_{next(_database_numbers)}") as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """A database with our tables that nobody is connected to; copying it is quicker than migrating again."""
    from omo_core.storage.database import Database

    name = "template_omo"
    Database.open(postgres_server.create_database(name)).close()
    return name


ENGINES = [
    "sqlite-memory",
    pytest.param("sqlite-file", marks=pytest.mark.file),
    pytest.param("postgresql", marks=pytest.mark.postgres),
]


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; the test runs once on every engine."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return sqlite_url(request.param, tmp_path)


@pytest.fixture(params=ENGINES)
def shop_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that has our tables once it is opened; the test runs once on every engine."""
    if request.param != "postgresql":
        yield sqlite_url(request.param, tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template: str = request.getfixturevalue("postgres_template")
    with temporary_database(server, f"test_{next(_database_numbers)}", template=template) as url:
        yield url


def sqlite_url(kind: str, folder: Path) -> str:
    return "sqlite:///:memory:" if kind == "sqlite-memory" else f"sqlite:///{folder / 'shop.db'}"
