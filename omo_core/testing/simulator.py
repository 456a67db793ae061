"""The fault simulator: a whole service, its clients and its bad luck, made from one seed and repeatable from it.

`python -m omo_core.testing.simulator --seed 7 --operations 2000` runs one seed and prints what it saw; a run that finds
a violation exits with 1 and prints the command that repeats it, cut to the shortest prefix that still fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from omo_core.storage.clock import machine_now_us
from omo_core.testing.simulator_faults import NAMES, chosen
from omo_core.testing.simulator_run import Settings, Simulation

_SHRINKING_RUNS: Final = 12
_MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Report:
    """What one run saw."""

    seed: int
    commands: int
    """Commands sent, each counted once."""
    operations: int
    """Commands and sweeps."""
    faults: int
    """Faults that struck a statement or a commit."""
    faults_by_name: Mapping[str, int]
    statements_struck: int
    """Different pairs of a statement and a fault that struck it."""
    messages: Mapping[str, int]
    """Messages lost, doubled, delayed, sent again."""
    outcomes: Mapping[str, int]
    """What commands came to: `kind: applied` or `kind: code of the refusal`."""
    counts: Mapping[str, int]
    digest: str
    """SHA-256 of everything that happened and of the database in the end."""
    violations: tuple[str, ...]
    replay: str
    """The command that runs the same again."""
    tail: tuple[str, ...] = ()
    """The last that happened before a violation."""


def simulate(settings: Settings) -> Report:
    """Run one seed; what goes wrong is in the report's `violations`."""
    with tempfile.TemporaryDirectory() as folder:
        world = Simulation(settings, str(Path(folder) / "pool.db") if settings.in_file else None)
        world.run()
    commands = len(world.clients.requests)
    return Report(
        seed=settings.seed,
        commands=commands,
        operations=commands + world.counts["sweeps"],
        faults=world.plan.total,
        faults_by_name=dict(sorted(world.plan.fired.items())),
        statements_struck=len(world.plan.struck),
        messages=dict(sorted((world.network.fired + world.clients.fired).items())),
        outcomes=dict(sorted(world.outcomes.items())),
        counts={"statements": world.plan.statements, **dict(sorted(world.counts.items()))},
        digest=world.trace.digest(),
        violations=tuple(world.complaints),
        replay=replay_command(replace(settings, operations=commands)),
        tail=tuple(world.trace.tail) if world.complaints else (),
    )


def replay_command(settings: Settings) -> str:
    """The command that runs these settings again."""
    words = f"python -m omo_core.testing.simulator --seed {settings.seed} --operations {settings.operations}"
    if settings.faults != NAMES:
        words += f" --faults {','.join(settings.faults) or 'none'}"
    return words + " --combined" * settings.combined + " --file" * settings.in_file + " --exact"


def shrink(settings: Settings, failed: Report) -> Report:
    """The report of the shortest failing prefix of a failed run that a few runs can find."""
    shortest, passes, fails = failed, 0, failed.commands
    for _ in range(_SHRINKING_RUNS):
        if fails - passes <= 1:
            break
        middle = (passes + fails) // 2
        found = simulate(replace(settings, operations=middle))
        if found.violations:
            shortest, fails = found, middle
        else:
            passes = middle
    return shortest


def soak(
    minutes: float,
    seed0: int,
    report: Callable[[Report], None],
    *,
    operations: int = 5_000,
    now_us: Callable[[], int] = machine_now_us,
) -> Iterator[dict[str, int]]:
    """Run seed after seed from `seed0` until the minutes are over, and yield the sums so far after each.

    `report` gets each run's report. Every fourth seed keeps its database in a file, and every fourth goes through the
    combiner. A run that finds a violation is shrunk before it is reported, and the soak goes on. The keys of the sums are
    seed (the next one: go on from there), operations, faults, violations (runs that found one), elapsed_s.
    """
    began_us = now_us()
    sums = {"seed": seed0, "operations": 0, "faults": 0, "violations": 0, "elapsed_s": 0}
    while now_us() - began_us < minutes * _MINUTE_US:
        seed = sums["seed"]
        settings = Settings(seed, operations, in_file=seed % 4 == 3, combined=seed % 4 == 1)
        found = simulate(settings)
        report(shrink(settings, found) if found.violations else found)
        sums["seed"] += 1
        sums["operations"] += found.operations
        sums["faults"] += found.faults
        sums["violations"] += bool(found.violations)
        sums["elapsed_s"] = (now_us() - began_us) // 1_000_000
        yield dict(sums)


def main(words: Sequence[str] | None = None) -> int:
    """The command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m omo_core.testing.simulator", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1, help="first seed")
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds, one after the other")
    parser.add_argument("--operations", type=int, default=2_000, help="commands that clients send in each run")
    parser.add_argument("--faults", default=",".join(NAMES), help=f"kinds of faults, of {', '.join(NAMES)}, or none")
    parser.add_argument("--file", action="store_true", help="keep the database in a file instead of in memory")
    parser.add_argument("--combined", action="store_true", help="send commands through the combiner")
    parser.add_argument("--exact", action="store_true", help="do not look for a shorter run that fails too")
    parser.add_argument("--json", action="store_true", help="one JSON document a run")
    asked = parser.parse_args(words)
    faults = () if asked.faults == "none" else chosen(asked.faults.split(","))
    worst = 0
    for seed in range(asked.seed, asked.seed + asked.seeds):
        settings = Settings(seed, asked.operations, faults, in_file=asked.file, combined=asked.combined)
        found = simulate(settings)
        if found.violations:
            found, worst = found if asked.exact else shrink(settings, found), 1
        sys.stdout.write((json.dumps(asdict(found)) if asked.json else as_text(found)) + "\n")
    return worst


def as_text(report: Report) -> str:
    """A report for a person; that of a failed run ends with the command that repeats it."""
    lines = [
        f"seed {report.seed}: {report.operations} operations, {report.faults} faults at {report.statements_struck} "
        f"pairs of statement and fault, {len(report.violations)} violations, digest {report.digest}",
        *(
            f"  {name}: {count}"
            for part in (report.faults_by_name, report.messages, report.outcomes, report.counts)
            for name, count in part.items()
        ),
    ]
    if report.violations:
        lines += ["the last that happened:", *(f"  {line[:300]}" for line in report.tail)]
        lines += ["violations:", *(f"  {sentence}" for sentence in report.violations[:5])]
        lines += ["run it again with:", f"  {report.replay}"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
