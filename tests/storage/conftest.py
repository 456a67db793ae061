"""Opened databases for the tests of storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from omo_core.storage.clock import ManualClock
from omo_core.storage.database import Database
from omo_core.storage.ids import SeededIds

POOL = "shop"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database(shop_url: str, clock: ManualClock) -> Iterator[Database]:
    """An open database with our tables, on every engine."""
    with Database.open(shop_url, clock=clock, ids=SeededIds(7, clock)) as opened:
        yield opened


@pytest.fixture(params=["sqlite-file", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that several connections can share."""
    if request.param == "sqlite-file":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def shared(shared_url: str) -> Iterator[Database]:
    """An open database whose transactions run side by side."""
    with Database.open(shared_url) as opened:
        yield opened


@pytest.fixture
def file_database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(f"sqlite:///{tmp_path / 'shop.db'}") as opened:
        yield opened


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    with Database.open(postgres_url) as opened:
        yield opened
