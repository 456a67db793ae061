"""Clients whose orders share rows and name them in any order: rows locked in another order than their keys' deadlock."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final

from sqlalchemy import ExceptionContext, event

from omo_core.inventory import apply_one, audit
from omo_core.model.errors import DatabaseUnavailable
from omo_core.model.stock import HoldRequest, PlaceHolds
from omo_core.storage.database import Database
from omo_core.testing.records import MOST, Outcome
from omo_core.testing.traffic import POOL, cells_of, open_pool

CELLS: Final = cells_of(skus=8, nodes=1)
LINES: Final = 5
DEADLOCK: Final = "40P01"
_ASK: Final = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def shuffled_orders(
    url: str, *, seed: int, seconds: float, clients: int = 32, enough: Callable[[Outcome], bool] = lambda _: False
) -> Outcome:
    """For so long, clients place orders of five of eight items in an order of their own; PostgreSQL, empty database.

    Ends sooner when `enough` says so. Counts: orders, applied, milliseconds, deadlocks (victims seen by the clients),
    deadlocks_by_server. Each deadlock is a violation.
    """
    outcome = Outcome()
    stop = threading.Event()
    with Database.open(url, rng=random.Random(seed)) as database:
        open_pool(database, CELLS, 1_000_000)
        event.listen(database.engine, "handle_error", partial(_note_deadlock, outcome, stop, enough))
        begun = time.monotonic()
        timer = threading.Timer(seconds, stop.set)
        timer.start()
        try:
            with ThreadPoolExecutor(clients) as threads:
                places = list(threads.map(partial(_order, database, seed, stop), range(clients)))
        finally:
            stop.set()
            timer.cancel()
            timer.join()
        milliseconds = round((time.monotonic() - begun) * 1000)
        with database.connection(read_only=True) as connection:
            by_server = int(connection.exec_driver_sql(_ASK).scalar_one())
        findings = database.read(POOL, audit).findings
    outcome.counts.update(orders=sum(places), milliseconds=milliseconds, deadlocks_by_server=by_server)
    deadlocks = max(outcome.counts["deadlocks"], by_server)
    if deadlocks:
        outcome.violations.append(f"{deadlocks} deadlocks")
    outcome.violations += [finding.sentence for finding in findings[:MOST]]
    return outcome


def _order(database: Database, seed: int, stop: threading.Event, client: int) -> int:
    dice = random.Random(f"{seed}/{client}")
    number = 0
    while not stop.is_set():
        number += 1
        lines = tuple(
            HoldRequest(owner=f"c{client}", line=str(line), sku=sku, node=node, quantity=1)
            for line, (sku, node) in enumerate(dice.sample(CELLS, LINES))
        )
        command = PlaceHolds(key=f"{client}/{number}", scope="orders", lines=lines)
        with suppress(DatabaseUnavailable):  # a victim five times: noted already
            database.run(POOL, partial(apply_one, command=command))
    return number


def _note_deadlock(
    outcome: Outcome, stop: threading.Event, enough: Callable[[Outcome], bool], context: ExceptionContext
) -> None:
    error: Any = context.original_exception
    if getattr(error, "sqlstate", None) == DEADLOCK:
        outcome.counts["deadlocks"] += 1
        if enough(outcome):
            stop.set()
