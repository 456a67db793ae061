"""A session: opens the database, runs the files, writes summary, report and rejected rows to a folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from omo_core.batch.files import RejectedRow
from omo_core.batch.run import Progress, Run, RunFiles, RunLog, RunOptions
from omo_core.batch.summary import Wording, summarise
from omo_core.channels.port import ChannelAdapter
from omo_core.channels.registry import adapter
from omo_core.hub import OrderHub
from omo_core.model.errors import InvalidInput
from omo_core.report import RunSummary, Stage, render
from omo_core.storage.clock import EPOCH, ManualClock

_UNITS = {
    "stock": ("stock_rows", "stock rows"),
    "read": ("messages", "messages"),
    "counter sales": ("counter_sales", "counter sales"),
    "place": ("orders", "orders"),
    "fulfil": ("answers", "answers of nodes"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """Where a session keeps its pool and what it writes."""

    database: str
    out: Path
    pool: str = "default"
    wording: Wording = field(default_factory=Wording)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a session did and where it left it."""

    summary: RunSummary
    stages: tuple[Stage, ...]
    log: RunLog
    report: Path
    rejected: Path
    summary_file: Path


def run_session(
    files: RunFiles, options: RunOptions, settings: SessionSettings, progress: Progress | None = None
) -> Outcome:
    """Run the files on a pool and write summary.json, report.html and rejected.csv; see `Run` for what happens."""
    tell = progress or (lambda *_: None)
    settings.out.mkdir(parents=True, exist_ok=True)
    clock = ManualClock(EPOCH)
    adapters = read_channels(files.channels)
    with OrderHub.open(settings.database, pool=settings.pool, clock=clock, channels=adapters, combine=True) as hub:
        run = Run(hub, clock, files, options, progress)
        log = run.execute()
        tell("figures", 0, 1)
        started = perf_counter()
        summary = summarise(hub, run.network, run.stock_rows, log, settings.wording)
        log.seconds["audit and figures"] = perf_counter() - started
        tell("figures", 1, 1)
    stages = _stages(log)
    tell("report", 0, 1)
    started = perf_counter()
    report = render(summary, settings.out / "report.html", stages)
    log.seconds["report"] = perf_counter() - started
    tell("report", 1, 1)
    rejected = settings.out / "rejected.csv"
    _write_rejected(rejected, log.rejected)
    summary_file = settings.out / "summary.json"
    summary_file.write_text(summary.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return Outcome(summary, _stages(log), log, report, rejected, summary_file)


def read_channels(path: Path | None) -> dict[str, ChannelAdapter]:
    """Adapters by channel name from a channels file; none without one. Raises `InvalidInput`."""
    if path is None:
        return {}
    try:
        document = json.loads(path.read_bytes())
        if not isinstance(document, Mapping):
            raise TypeError("the file holds no object")
        return {name: adapter(one["adapter"], one.get("config")) for name, one in document.items()}
    except OSError as error:
        raise InvalidInput(f"cannot read the channels file {path}: {error.strerror}; check the path") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(
            f'{path} is no channels file ({error!r}); write {{"shop": {{"adapter": "shopify", "config": {{…}}}}}}'
        ) from error


def _stages(log: RunLog) -> tuple[Stage, ...]:
    counts = dict(log.counts)
    counts["answers"] = sum(count for name, count in counts.items() if name.startswith("answers_"))
    stages = []
    for name, seconds in log.seconds.items():
        key, unit = _UNITS.get(name, ("", "runs"))
        items = counts.get(key, 0) if key else 1
        stages.append(Stage(name=name, items=items, unit=unit, duration_us=int(seconds * 1_000_000)))
    return tuple(stages)


def _write_rejected(path: Path, rows: Sequence[RejectedRow]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("file", "line", "code", "reason"))
        writer.writerows((row.file, row.line, row.code, row.reason) for row in rows)
