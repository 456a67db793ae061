"""Further readers of a SQLite file, so that the audit's longest statement runs beside the others and on the same state."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
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

MOST_READERS: Final = 4

Bound = Mapping[str, Any]
Answer = Callable[[], list[Any]]
"""Waits for the one value that a statement comes to on each part."""


@contextmanager
def beside(tx: Transaction, sql: str, parts: Callable[[int], Sequence[Bound]]) -> Iterator[Answer]:
    """The values of a statement on each part, computed in threads while the block runs, or in `tx` where that cannot be.

    `parts` divides what there is to read into at most so many parts, and gives what the statement binds for each.
    Another connection sees the same state only if nobody can commit meanwhile: with a rollback journal, as long as
    `tx` reads. So it cannot be with a write-ahead log, in memory, or where `tx` may have written itself.
    """
    path = _shared_file(tx)
    bounds = parts(1 if path is None else min(MOST_READERS, os.cpu_count() or 1))
    with ThreadPoolExecutor(len(bounds)) as threads:
        begun: list[Future[Any]] = [] if path is None else [threads.submit(_value, path, sql, one) for one in bounds]

        def value(place: int) -> Any:
            if begun:
                try:
                    return begun[place].result()
                except sqlite3.Error:
                    pass  # such as a writer who waits for us and lets no further reader in
            return tx.connection.execute(text(sql), bounds[place]).scalar_one()

        yield lambda: [value(place) for place in range(len(bounds))]


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


def _value(path: Path, sql: str, bound: Bound) -> Any:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0)) as connection:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection.execute(sql, dict(bound)).fetchone()[0]
