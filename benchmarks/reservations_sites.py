"""Where a run takes place: a server or folder of its own, and a fresh copy of one shop for every method."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import make_url

from omo_core.storage.profiles import open_engine
from omo_core.testing.postgres import PostgresServer


class Site(Protocol):
    """One engine's place for databases; every one is as durable as in production."""

    engine: str

    def empty(self, name: str) -> str:
        """The URL of a new, empty database."""
        ...

    def copy(self, name: str, template: str) -> str:
        """The URL of a copy of a database that nobody has open, by its name."""
        ...

    def drop(self, name: str) -> None:
        """Delete a database."""
        ...


class PostgresSite:
    """A private server with fsync and synchronous commit, as PostgreSQL itself has them by default."""

    engine = "postgresql"

    def __init__(self, server: PostgresServer, prefix: str = "bench") -> None:
        self._server, self._prefix = server, prefix

    def empty(self, name: str) -> str:
        """See `Site`."""
        return self._server.create_database(self._own(name))

    def copy(self, name: str, template: str) -> str:
        """See `Site`."""
        return self._server.create_database(self._own(name), template=self._own(template))

    def drop(self, name: str) -> None:
        """See `Site`."""
        self._server.drop_database(self._own(name))

    def _own(self, name: str) -> str:
        return f"{self._prefix}_{name}"


class SqliteSite:
    """Files in a folder; the library opens them with synchronous=FULL."""

    engine = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def empty(self, name: str) -> str:
        """See `Site`."""
        return f"sqlite:///{self._file(name)}"

    def copy(self, name: str, template: str) -> str:
        """See `Site`."""
        shutil.copyfile(self._file(template), self._file(name))
        return self.empty(name)

    def drop(self, name: str) -> None:
        """See `Site`."""
        for file in self.folder.glob(f"{name}.db*"):
            file.unlink()

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.db"


@contextmanager
def sites() -> Iterator[tuple[PostgresSite, SqliteSite]]:
    """One site of each engine, on the same disk."""
    with PostgresServer(durable=True) as server, tempfile.TemporaryDirectory(prefix="omo-bench-") as folder:
        yield PostgresSite(server), SqliteSite(Path(folder))


@contextmanager
def sqlite_connection(url: str) -> Iterator[sqlite3.Connection]:
    """The driver's own connection with exactly the settings that ours has, to be used from one thread at a time."""
    assert make_url(url).get_backend_name() == "sqlite"
    engine, _ = open_engine(url)
    proxied = engine.raw_connection()
    try:
        connection = proxied.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        yield connection
    finally:
        proxied.close()
        engine.dispose()
