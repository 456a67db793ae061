"""One round of one reliability proof, in a process of its own: `python -m tools.rounds KIND --seed S --count N`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from omo_core.testing.busy import share_a_file
from omo_core.testing.crashes import kill_clients, kill_server
from omo_core.testing.cuts import cut_commits
from omo_core.testing.orders import shuffled_orders
from omo_core.testing.postgres import PostgresServer
from omo_core.testing.races import combined, race_for_last_units
from omo_core.testing.records import Outcome


@dataclass(frozen=True, slots=True)
class Kind:
    """One proof: what it needs, how it is run, and how many a round of the soak has."""

    engine: str
    """Of the empty database that a round is given: postgresql or sqlite; "" where it makes its own."""
    run: Callable[[str, int, int], Outcome]
    """(url, seed, count)"""
    soak_count: int


def _race(url: str, seed: int, count: int, **how: object) -> Outcome:
    return race_for_last_units(url, seed=seed, attempts=count, **how)  # type: ignore[arg-type]


def _kill_clients(url: str, seed: int, count: int) -> Outcome:
    return kill_clients(url, seed=seed, kills=count)


def _kill_server(_url: str, seed: int, count: int) -> Outcome:
    with PostgresServer(durable=True) as server:
        return kill_server(server, seed=seed, kills=count)


def _simulate(_url: str, seed: int, count: int) -> Outcome:
    from omo_core.testing.simulator import simulate
    from omo_core.testing.simulator_run import Settings

    report = simulate(Settings(seed, count, in_file=seed % 4 == 3, combined=seed % 4 == 1))
    outcome = Outcome(violations=list(report.violations))
    outcome.counts.update(operations=report.operations, faults=report.faults)
    return outcome


def _fuzz_channels(_url: str, seed: int, count: int) -> Outcome:
    from tools.fuzz_channels import fuzz_channels

    return fuzz_channels(seed, count)


KINDS: Final[Mapping[str, Kind]] = {
    "race-postgres-threads": Kind("postgresql", _race, 6_400),
    "race-postgres-processes": Kind("postgresql", partial(_race, processes=8), 6_400),
    "race-postgres-combined": Kind("postgresql", partial(_race, entrance=combined), 64_000),
    "race-sqlite-threads": Kind("sqlite", _race, 6_400),
    "race-sqlite-processes": Kind("sqlite", partial(_race, processes=8), 6_400),
    "race-sqlite-combined": Kind("sqlite", partial(_race, entrance=combined), 64_000),
    "kill-postgres-clients": Kind("postgresql", _kill_clients, 400),
    "kill-postgres-server": Kind("", _kill_server, 80),
    "kill-sqlite-clients": Kind("sqlite", _kill_clients, 400),
    "cut-commits": Kind("postgresql", lambda url, seed, count: cut_commits(url, seed=seed, cuts=count), 600),
    "shuffled-orders": Kind("postgresql", lambda url, seed, count: shuffled_orders(url, seed=seed, seconds=count), 20),
    "shared-file": Kind("sqlite", lambda url, seed, count: share_a_file(url, seed=seed, commands=count), 4_000),
    "simulate": Kind("", _simulate, 20_000),
    "fuzz-channels": Kind("", _fuzz_channels, 250_000),
}
"""By name. A count is of attempts, kills, cuts, seconds, commands, operations or inputs, as the name says."""


@contextmanager
def empty_database(engine: str) -> Iterator[str]:
    """The URL of an empty database of the engine, gone after the block; "" where none is asked for."""
    if engine == "postgresql":
        with PostgresServer(durable=True) as server:
            yield server.create_database("round")
    elif engine == "sqlite":
        with tempfile.TemporaryDirectory(prefix="omo-round-") as folder:
            yield f"sqlite:///{folder}/shop.db"
    else:
        yield ""


def replay(kind: str, seed: int, count: int) -> str:
    """The command that runs a round again."""
    return f"python -m tools.rounds {kind} --seed {seed} --count {count}"


def main() -> int:
    """Run one round and print its counts and violations as JSON; 1 where there are violations."""
    parser = argparse.ArgumentParser(prog="python -m tools.rounds", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, help="as many as in a round of the soak unless given")
    parser.add_argument("--url", help="an empty database; the round makes its own unless given")
    asked = parser.parse_args()
    kind = KINDS[asked.kind]
    count = asked.count or kind.soak_count
    with empty_database("" if asked.url else kind.engine) as url:
        outcome = kind.run(asked.url or url, asked.seed, count)
    print(json.dumps({"counts": outcome.counts, "violations": outcome.violations}))
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
