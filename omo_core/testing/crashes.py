"""Crash loops: clients and servers are killed with SIGKILL at random moments, and nothing acknowledged may be missing."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from omo_core.inventory import apply_one
from omo_core.model.errors import DatabaseUnavailable
from omo_core.model.stock import StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.database import Database
from omo_core.testing.forked import Acknowledge, ForkedClient, collect_from
from omo_core.testing.postgres import PostgresServer
from omo_core.testing.records import Outcome, Record, check_records, lost_or_changed
from omo_core.testing.traffic import POOL, Cell, Traffic, cells_of, open_pool

CELLS: Final = cells_of(skus=3, nodes=2)
UNITS: Final = 30
ANSWERS: Final = 8
"""At most so many answers of all clients between two kills, and then so long: the moment may be any."""
LONGEST_S: Final = 0.01


class Crowd:
    """Forked clients on one database, each with its record; the dead are kept, for the check in the end.

    `on_database` opens the database for a client, with other settings perhaps.
    """

    def __init__(self, url: str, seed: int, cells: Sequence[Cell], *, on_database: Callable[[str], Database]) -> None:
        self._url, self._seed, self._cells, self._on_database = url, seed, cells, on_database
        self._named: dict[str, ForkedClient] = {}
        self._checked: dict[str, int] = {}
        self.living: list[str] = []

    def add(self) -> None:
        """Fork one more client."""
        name = f"client-{len(self._named)}"
        self._named[name] = ForkedClient(partial(self._trade, Traffic(name, self._seed, self._cells)))
        self.living.append(name)

    def let_live(self, answers: int, seconds: float) -> None:
        """Let the clients work until they have so many more answers, and then for so long."""
        collect_from([self._named[name] for name in self.living], lines=answers, seconds=seconds)

    def kill(self, name: str) -> None:
        """SIGKILL to one of the living."""
        self.living.remove(name)
        self._named[name].kill()

    def close(self) -> None:
        """SIGKILL to all that live."""
        for name in tuple(self.living):
            self.kill(name)

    def records(self) -> list[Record]:
        """What each client was told, dead or living."""
        return [Record(name, self._seed, self._cells, client.lines) for name, client in self._named.items()]

    def recently_lost(self, database: Database) -> list[str]:
        """Which answers since the last call the database does not keep."""
        found: list[str] = []
        for name, client in self._named.items():
            already = self._checked.get(name, 0)
            found += lost_or_changed(database, name, client.lines[already:], first=already + 1)
            self._checked[name] = len(client.lines)
        return found

    def _trade(self, traffic: Traffic, say: Acknowledge) -> None:
        with self._on_database(self._url) as database:
            while True:
                answer = until_answered(database, traffic.next(), say)
                say(answer.model_dump_json())
                traffic.learn(answer)


def until_answered(database: Database, command: StockCommand, say: Acknowledge) -> StockAnswer:
    """Send a command with the same key until the database answers, as every client does that got no answer."""
    while True:
        try:
            return database.run(POOL, partial(apply_one, command=command))
        except DatabaseUnavailable:
            say.require_parent()


def kill_clients(url: str, *, seed: int, kills: int, clients: int = 4) -> Outcome:
    """Kill so many clients of a PostgreSQL database or SQLite file, one at a time while the others go on.

    The database is empty. Counts: kills, and those of `check_records`.
    """
    dice = random.Random(seed)
    with Database.open(url) as database:
        open_pool(database, CELLS, UNITS)
    crowd = Crowd(url, seed, CELLS, on_database=Database)
    try:
        for _ in range(clients):
            crowd.add()
        for _ in range(kills - clients):
            crowd.let_live(dice.randint(0, ANSWERS), dice.uniform(0, LONGEST_S))
            crowd.kill(dice.choice(crowd.living))
            crowd.add()
        crowd.let_live(clients, dice.uniform(0, LONGEST_S))
    finally:
        crowd.close()
    with Database.open(url) as database:
        outcome = check_records(database, crowd.records(), opened_with=UNITS)
    outcome.counts["kills"] = len(crowd.records())
    return outcome


def kill_server(
    server: PostgresServer, *, seed: int, kills: int, clients: int = 4, database: str = "crashes"
) -> Outcome:
    """Kill a durable server and all its children so many times under clients that go on as soon as it is back.

    After each restart the answers so far are looked up. The server is yours: nobody else may be using it. Counts: kills,
    and those of `check_records`.
    """
    dice = random.Random(seed)
    url = server.create_database(database)
    with Database.open(url) as opened:
        open_pool(opened, CELLS, UNITS)
    crowd = Crowd(url, seed, CELLS, on_database=partial(Database, pause=_hurry))
    violations: list[str] = []
    try:
        for _ in range(clients):
            crowd.add()
        for _ in range(kills):
            crowd.let_live(dice.randint(0, 5 * ANSWERS), dice.uniform(0, LONGEST_S))
            server.kill()
            server.start()
            with Database.open(url) as opened:
                violations += crowd.recently_lost(opened)
        crowd.let_live(5 * ANSWERS, 0)
    finally:
        crowd.close()
    with Database.open(url) as opened:
        outcome = check_records(opened, crowd.records(), opened_with=UNITS)
    outcome.counts["kills"] = kills
    outcome.violations[:0] = violations
    return outcome


def _hurry(seconds: float) -> None:
    """Shorter pauses between tries: more clients are at work again when the next kill comes."""
    time.sleep(seconds / 4)
