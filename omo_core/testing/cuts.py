"""Clients whose commits are cut on the wire: each repeats its command with the same key, and it is applied once."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from omo_core.inventory import apply_one
from omo_core.model.errors import DatabaseUnavailable
from omo_core.storage.database import Database
from omo_core.testing.proxy import CommitCutter, Cut
from omo_core.testing.records import Outcome, Record, check_records
from omo_core.testing.traffic import POOL, Traffic, cells_of, open_pool

CELLS: Final = cells_of(skus=4, nodes=2)
UNITS: Final = 30


def cut_commits(url: str, *, seed: int, cuts: int, clients: int = 8) -> Outcome:
    """Cut about a third of the commits of so many clients, in every way in turn, until there were `cuts` of them.

    The PostgreSQL database of `url` is empty. Counts: cuts, cuts_*, those of `check_records`, and given_up: calls
    whose five tries were all cut.
    """
    dice, kinds = random.Random(seed), list(Cut)
    done = threading.Event()

    def choose() -> Cut | None:
        if sum(cutter.cuts.values()) >= cuts:
            done.set()
            return None
        return dice.choice(kinds) if dice.random() < 1 / 3 else None

    with Database.open(url) as database:
        open_pool(database, CELLS, UNITS)
    given_up: list[str] = []
    with CommitCutter(url, choose) as cutter, Database(cutter.url, rng=random.Random(seed)) as database:
        client = partial(_trade, database, seed, done, given_up)
        with ThreadPoolExecutor(clients) as threads:
            records = list(threads.map(client, [f"client-{number}" for number in range(clients)]))
    with Database.open(url) as database:
        outcome = check_records(database, records, opened_with=UNITS)
    outcome.counts.update({f"cuts_{cut.value}": count for cut, count in cutter.cuts.items()})
    outcome.counts.update(cuts=sum(cutter.cuts.values()), given_up=len(given_up))
    return outcome


def _trade(database: Database, seed: int, done: threading.Event, given_up: list[str], name: str) -> Record:
    traffic = Traffic(name, seed, CELLS)
    told: list[str] = []
    while not done.is_set():
        command = traffic.next()
        answer = None
        while answer is None:
            try:
                answer = database.run(POOL, partial(apply_one, command=command))
            except DatabaseUnavailable:
                given_up.append(command.key)
        told.append(answer.model_dump_json())
        traffic.learn(answer)
    return Record(name, seed, CELLS, told)
