"""Races for the last units: many writers want every unit at once; each unit has exactly one winner, or the pool is wrong."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import create_engine

from omo_core.hub import OrderHub
from omo_core.inventory import apply_one, audit
from omo_core.model.stock import HoldRequest, PlaceHolds, StockAnswer
from omo_core.storage import tables
from omo_core.storage.database import Database
from omo_core.testing.forked import run_forked
from omo_core.testing.records import MOST, Outcome
from omo_core.testing.traffic import POOL, cells_of, open_pool

CONNECTIONS: Final = 32
UNITS: Final = 2
"""Of each item, so that a guard which is off by one shows too."""

Call = Callable[[PlaceHolds], StockAnswer]
Entrance = Callable[[str], AbstractContextManager[Call]]
"""How writers reach the pool of a URL: a block that gives a call which any thread may use."""


@contextmanager
def each_alone(url: str) -> Iterator[Call]:
    """A transaction for each command, over at most 32 connections."""
    if url.startswith("sqlite"):
        with Database(url) as database:
            yield lambda command: database.run(POOL, partial(apply_one, command=command))
        return
    engine = create_engine(url, pool_size=CONNECTIONS, max_overflow=0)
    try:
        database = Database(engine=engine)
        yield lambda command: database.run(POOL, partial(apply_one, command=command))
    finally:
        engine.dispose()


@contextmanager
def combined(url: str) -> Iterator[Call]:
    """Commands of all threads share transactions."""
    with OrderHub.open(url) as hub:
        yield lambda command: hub.stock.submit(command).result()


def race_for_last_units(
    url: str, *, seed: int, attempts: int, writers: int = 64, processes: int = 1, entrance: Entrance = each_alone
) -> Outcome:
    """So many writers, in threads of so many processes, each try to hold one unit of every item, in nearly the same order.

    The database is empty; about `attempts` are made in all. With one process the writers are threads of this one.
    Counts: attempts, units, winners, oversold and unsold.
    """
    cells = cells_of(skus=max(1, round(attempts / writers)), nodes=1)
    with Database.open(url) as database:
        open_pool(database, cells, UNITS)
    threads = writers // processes
    race = _Race(url, entrance, seed, [sku for sku, _ in cells])
    crowds = [partial(race.run, range(first, first + threads)) for first in range(0, threads * processes, threads)]
    if processes == 1:
        said: list[str] = []
        crowds[0](said.append)
        results = [said]
    else:
        results = run_forked(crowds)
    winners: Counter[str] = Counter()
    for lines in results:
        for line in lines:
            winners.update(json.loads(line))
    return _judge(url, winners, [sku for sku, _ in cells], threads * processes)


@dataclass(frozen=True)
class _Race:
    url: str
    entrance: Entrance
    seed: int
    skus: Sequence[str]

    def run(self, numbers: range, say: Callable[[str], None]) -> None:
        """The writers of one process; says for each the items it won, as JSON."""
        meeting = threading.Barrier(len(numbers))
        with self.entrance(self.url) as call, ThreadPoolExecutor(len(numbers)) as threads:
            for won in threads.map(partial(self._write, call, meeting), numbers):
                say(json.dumps(won))

    def _write(self, call: Call, meeting: threading.Barrier, number: int) -> list[str]:
        dice = random.Random(f"{self.seed}/{number}")
        # Nearly one order for all: they meet at every item, and not always the same one comes first.
        order = sorted(range(len(self.skus)), key=lambda place: place + dice.uniform(0, 8))
        meeting.wait()
        won = []
        for place in order:
            sku = self.skus[place]
            hold = HoldRequest(owner=f"w{number}", line="1", sku=sku, node="NODE-0", quantity=1)
            if call(PlaceHolds(key=f"{number}/{place}", scope="race", lines=(hold,))).applied:
                won.append(sku)
        return won


def _judge(url: str, winners: Counter[str], skus: Sequence[str], writers: int) -> Outcome:
    """Who was told that he won, against the units there were, what the rows say, and the audit."""
    with Database.open(url) as database:
        with database.connection(read_only=True) as connection:
            rows = connection.execute(tables.stock.select().where(tables.stock.c.pool_id == POOL)).mappings().all()
        findings = database.read(POOL, audit).findings
    reserved = {row["sku"]: row["reserved"] for row in rows}
    due = min(UNITS, writers)
    outcome = Outcome()
    outcome.counts.update(
        attempts=len(skus) * writers,
        units=due * len(skus),
        winners=winners.total(),
        oversold=sum(max(0, winners[sku] - due) for sku in skus),
        unsold=sum(max(0, due - winners[sku]) for sku in skus),
    )
    outcome.violations += [
        f"{sku} had {due} units, {winners[sku]} writers were told that they have one, {reserved.get(sku)} are reserved"
        for sku in skus
        if not winners[sku] == reserved.get(sku) == due
    ][:MOST]
    outcome.violations += [finding.sentence for finding in findings[:MOST]]
    return outcome
