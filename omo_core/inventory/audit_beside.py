"""A second reader of a SQLite file, so that the audit's longest statement runs beside the others and on the same state."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from omo_core.storage.profiles import READ_ONLY
from omo_core.storage.transaction import Transaction

SMALLEST_PAGES: Final = 4_096
"""Pages of a file (usually of 4 KiB) from which a second reader is worth its connection."""

_CACHE_KIB: Final = 65_536

Answer = Callable[[], Any]
"""Waits for the one value that a statement comes to."""


@contextmanager
def beside(tx: Transaction, sql: str) -> Iterator[Answer]:
    """The value of a statement, computed in a thread of its own while the block runs, or in `tx` where that cannot be.

    A second connection sees the same state only if nobody can commit meanwhile: with a rollback journal, as long as
    `tx` reads. So it cannot be with a write-ahead log, in memory, or where `tx` may have written itself.
    """
    with ThreadPoolExecutor(1) as thread:
        path = _shared_file(tx)
        begun: Future[Any] | None = None if path is None else thread.submit(_value, path, sql, {"pool": tx.pool})

        def answer() -> Any:
            if begun is not None:
                try:
                    return begun.result()
                except sqlite3.Error:
                    pass  # such as a writer who waits for us and lets no further reader in
            return tx.connection.execute(text(sql), {"pool": tx.pool}).scalar_one()

        yield answer


def _shared_file(tx: Transaction) -> Path | None:
    if tx.postgres or not tx.connection.get_execution_options().get(READ_ONLY, False):
        return None
    if tx.connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() not in ("delete", "truncate", "persist"):
        return None
    # Reading anything takes the lock that keeps writers from committing until `tx` ends.
    tx.connection.exec_driver_sql("SELECT count(*) FROM omo_setting").scalar_one()
    if tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one() < SMALLEST_PAGES:
        return None
    name = tx.connection.exec_driver_sql("PRAGMA database_list").one().file
    return Path(name) if name else None


def _value(path: Path, sql: str, bound: dict[str, Any]) -> Any:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0)) as connection:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection.execute(sql, bound).fetchone()[0]
