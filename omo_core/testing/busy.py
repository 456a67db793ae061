"""Processes that write and read one SQLite file: they queue, and none is ever told that the file is busy."""

from __future__ import annotations

import json
import sqlite3
from functools import partial
from typing import Any, Final

from sqlalchemy import ExceptionContext, event

from omo_core.inventory import apply_one, levels
from omo_core.storage.database import Database
from omo_core.testing.forked import Acknowledge, run_forked
from omo_core.testing.records import Outcome, Record, check_records
from omo_core.testing.traffic import POOL, Traffic, cells_of, open_pool

CELLS: Final = cells_of(skus=3, nodes=2)
UNITS: Final = 30
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def share_a_file(url: str, *, seed: int, commands: int, processes: int = 8) -> Outcome:
    """Each process sends its share of `commands` to the empty SQLite file of `url` and reads the levels after each.

    Counts: commands, busy (told so in the middle of a transaction, also where a retry hid it), impatient (a writer's
    BEGIN waited for longer than its time-out because the machine is slow, and was tried again), and those of
    `check_records`.
    """
    with Database.open(url) as database:
        open_pool(database, CELLS, UNITS)
    share = max(1, commands // processes)
    names = [f"process-{number}" for number in range(processes)]
    said = run_forked([partial(_trade, url, seed, share, name) for name in names])
    records = [Record(name, seed, CELLS, lines[:-1]) for name, lines in zip(names, said, strict=True)]
    with Database.open(url) as database:
        outcome = check_records(database, records, opened_with=UNITS)
    told = [json.loads(lines[-1]) for lines in said]
    busy, impatient = (sum(one[name] for one in told) for name in ("busy", "impatient"))
    outcome.counts.update(commands=share * processes, busy=busy, impatient=impatient)
    if busy:
        outcome.violations.append(f"the file was busy {busy} times")
    return outcome


def _trade(url: str, seed: int, commands: int, name: str, say: Acknowledge) -> None:
    seen = {"busy": 0, "impatient": 0}

    def count(context: ExceptionContext) -> None:
        error: Any = context.original_exception
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY:
            seen["impatient" if context.statement == "BEGIN IMMEDIATE" else "busy"] += 1

    traffic = Traffic(name, seed, CELLS)
    with Database(url) as database:
        event.listen(database.engine, "handle_error", count)
        for _ in range(commands):
            answer = database.run(POOL, partial(apply_one, command=traffic.next()))
            say(answer.model_dump_json())
            traffic.learn(answer)
            database.read(POOL, lambda tx: levels(tx, CELLS))
    say(json.dumps(seen))
