"""What a benchmark is given and what it leaves: a `Context` that times and records, and one JSON document.

A benchmark is a module `benchmarks/<name>.py` whose docstring says in one sentence what it measures, with

    def run(context: Context) -> None:
        instance = build(orders={"smallest": 2_000, "default": 20_000, "all": 200_000}[context.size], seed=context.seed)
        sides = context.time_together({"ours": lambda: solve(instance), "naive": lambda: naive.solve(instance)})
        context.figure("orders_s", instance.orders / sides["ours"].best_s)
        context.figure("ours_vs_naive", sides["naive"].best_s / sides["ours"].best_s)

Rounds are timed one by one with the clock, the warm-up and the paused garbage collector of pytest-benchmark, but outside
of pytest, because a benchmark is also run by people and by machines that have no test suite; its statistics are
pytest-benchmark's own. Every round is kept, so that a reader can judge the spread.
"""

from __future__ import annotations

import gc
import math
import os
import platform
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, SupportsFloat

from pytest_benchmark.stats import Stats

Size = Literal["smallest", "default", "all"]
Benchmark = Callable[["Context"], None]

FORMAT = 1
LIBRARIES = ("omo-core", "alembic", "numba", "numpy", "ortools", "psycopg", "pydantic", "sqlalchemy", "uuid-utils")
FIGURE_KEY = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True)
class Timing:
    """The rounds of one label, in seconds."""

    label: str
    rounds_s: tuple[float, ...]

    @property
    def best_s(self) -> float:
        """The round that the rest of the machine disturbed least."""
        return min(self.rounds_s)

    @property
    def median_s(self) -> float:
        return float(self._stats.median)

    def summary(self) -> dict[str, float]:
        """The statistics of pytest-benchmark."""
        return {
            name: getattr(self._stats, name) for name in ("rounds", "min", "max", "mean", "median", "stddev", "iqr")
        }

    @property
    def _stats(self) -> Any:
        stats = Stats()
        for seconds in self.rounds_s:
            stats.update(seconds)
        return stats


class UnknownPart(ValueError):
    """A part was asked for that this benchmark does not have at this size."""


@dataclass
class Context:
    """One run of one benchmark: how large, with which seed, which parts, and everything that it found."""

    name: str
    size: Size = "default"
    seed: int = 1
    parts: tuple[str, ...] = ()
    """Those asked for; none means all."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    timings: dict[str, Timing] = field(default_factory=dict)
    figures: dict[str, int | float] = field(default_factory=dict)
    _divided: bool = False

    def take(self, parts: Mapping[str, Callable[[Context], None]]) -> None:
        """Run the parts of a benchmark that were asked for, in the benchmark's own order.

        Raises `UnknownPart` before anything runs.
        """
        self._divided = True
        for name in self.parts:
            if name not in parts:
                raise UnknownPart(f"{self.name} has no part {name!r} at this size; it has {', '.join(parts)}")
        for name, part in parts.items():
            if not self.parts or name in self.parts:
                part(self)

    def time(
        self, label: str, work: Callable[[], object], *, rounds: int = 5, warmup: int = 1, **facts: object
    ) -> Timing:
        """Time `work` once a round; `facts` (sizes, counts) stand beside the seconds of every round."""
        return self.time_together({label: work}, rounds=rounds, warmup=warmup, **facts)[label]

    def time_together(
        self, works: Mapping[str, Callable[[], object]], *, rounds: int = 5, warmup: int = 1, **facts: object
    ) -> dict[str, Timing]:
        """Time several sides of a comparison in turn, so that a slow minute of the machine slows all of them."""
        if rounds < 1:
            raise ValueError("a timing takes at least one round")
        for work in works.values():
            for _ in range(warmup):
                work()
        seconds: dict[str, list[float]] = {label: [] for label in works}
        for _ in range(rounds):
            for label, work in works.items():
                seconds[label].append(seconds_of(work))
        return {label: self.record(label, *rounds_s, **facts) for label, rounds_s in seconds.items()}

    def record(self, label: str, *rounds_s: float, **facts: object) -> Timing:
        """Keep rounds that were timed elsewhere, in another process for example."""
        self._must_be_divided()
        if label in self.timings:
            raise ValueError(f"the label {label!r} was already timed")
        timing = Timing(label, rounds_s)
        self.timings[label] = timing
        self.runs += [
            {"label": label, "round": number, "seconds": round_s, **facts} for number, round_s in enumerate(rounds_s, 1)
        ]
        return timing

    def _must_be_divided(self) -> None:
        """A benchmark that never asks which parts are wanted must not run whole in their name."""
        if self.parts and not self._divided:
            raise UnknownPart(f"{self.name} has no parts; leave --part out")

    def in_turn(
        self, sides: Mapping[str, Callable[[], Mapping[str, Any]]], *, rounds: int = 1
    ) -> dict[str, list[Mapping[str, Any]]]:
        """Run sides that time themselves in turn; each returns the facts of one round, its `seconds` among them.

        For work that is bounded by time rather than by size, or whose preparation is not to be timed. Every round is
        kept with its facts; the rounds of a label are returned in order.
        """
        self._must_be_divided()
        found: dict[str, list[Mapping[str, Any]]] = {label: [] for label in sides}
        for _ in range(rounds):
            for label, side in sides.items():
                gc.collect()
                found[label].append(side())
        for label, facts in found.items():
            if label in self.timings:
                raise ValueError(f"the label {label!r} was already timed")
            self.timings[label] = Timing(label, tuple(float(one["seconds"]) for one in facts))
            self.runs += [{"label": label, "round": number, **one} for number, one in enumerate(facts, 1)]
        return found

    def figure(self, key: str, value: SupportsFloat) -> None:
        """Name one result; the key is what readers and later runs compare by, so it does not change."""
        self._must_be_divided()
        if not FIGURE_KEY.fullmatch(key):
            raise ValueError(f"a figure's key is in lower_snake_case, not {key!r}")
        if key in self.figures:
            raise ValueError(f"the figure {key!r} was already given")
        # A numpy scalar is no JSON number.
        plain = value if isinstance(value, int) and not isinstance(value, bool) else float(value)
        if not math.isfinite(plain):
            raise ValueError(f"the figure {key!r} is {plain}, which is no number")
        self.figures[key] = plain

    def document(self) -> dict[str, Any]:
        """Everything about this run, ready for JSON."""
        return {
            "format": FORMAT,
            "name": self.name,
            "size": self.size,
            "seed": self.seed,
            "parts": list(self.parts),
            "machine": machine(),
            "versions": versions(),
            "figures": self.figures,
            "timings": {label: timing.summary() for label, timing in self.timings.items()},
            "runs": self.runs,
        }


def seconds_of(work: Callable[[], object]) -> float:
    """One round, undisturbed by a garbage collection that earlier rounds caused."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    finally:
        if was_enabled:
            gc.enable()


def machine() -> dict[str, Any]:
    """What the figures were measured on; the load says whether somebody else was at work."""
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": _processor(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "platform": platform.platform(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """The interpreter and the libraries whose speed shows in the figures."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found
