"""The log of the soak, one JSON document a line, and the table of its totals that docs/reliability.md shows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tools.house_rules import ROOT

LOG: Final = ROOT / "docs" / "reliability-log.jsonl"
DOCUMENT: Final = ROOT / "docs" / "reliability.md"
BEGIN: Final = "<!-- totals of reliability-log.jsonl, written by make soak -->\n"
END: Final = "<!-- end of totals -->\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of the soak: when it ended (UTC), for how long it ran, on which commit, and what it counted by kind."""

    at: datetime
    minutes: float
    commit: str
    counts: Mapping[str, Mapping[str, int]]
    violations: int

    @classmethod
    def parse(cls, line: str) -> Entry:
        """Raises `ValueError` or `KeyError` for a line that is not one."""
        read = json.loads(line)
        at = datetime.fromisoformat(read["at"])
        if at.tzinfo is None:
            raise ValueError(f"{read['at']} has no time zone")
        return cls(at, float(read["minutes"]), str(read["commit"]), read["counts"], int(read["violations"]))

    def line(self) -> str:
        """As `parse` reads it."""
        document = {
            "at": self.at.isoformat(timespec="seconds"),
            "minutes": self.minutes,
            "commit": self.commit,
            "violations": self.violations,
            "counts": self.counts,
        }
        return json.dumps(document) + "\n"


# Row of the table: what was counted, of which kinds of rounds (beginning of their names), in which words.
ROWS: Final = (
    ("race-", "last units, 64 writers", "{attempts} attempts for {units} units: {oversold} oversold, {unsold} unsold"),
    ("kill-postgres-clients", "kill -9: clients of PostgreSQL", "{kills} kills, {acknowledged} answers compared"),
    ("kill-postgres-server", "kill -9: the PostgreSQL server", "{kills} kills, {acknowledged} answers compared"),
    ("kill-sqlite-clients", "kill -9: processes on a SQLite file", "{kills} kills, {acknowledged} answers compared"),
    ("cut-commits", "commits cut on the wire", "{cuts} cuts, {acknowledged} answers compared"),
    ("shuffled-orders", "32 clients, shuffled five-line orders", "{seconds} s, {orders} orders: {deadlocks} deadlocks"),
    ("shared-file", "8 processes on one SQLite file", "{commands} commands: {busy} busy errors"),
    ("simulate", "simulated operations", "{operations} operations, {faults} faults"),
    ("fuzz-channels", "spoilt messages of channels", "{inputs} inputs, each read or refused in a sentence"),
)


def append(
    counts: Mapping[str, Mapping[str, int]], *, seconds: float, violations: int, commit: str, log: Path = LOG
) -> None:
    """Add one entry, of now."""
    entry = Entry(datetime.now(UTC), round(seconds / 60, 1), commit, counts, violations)
    with log.open("a", encoding="utf-8") as file:
        file.write(entry.line())


def read_log(log: Path = LOG) -> list[Entry]:
    """Every entry, oldest first."""
    return [Entry.parse(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def table(entries: Iterable[Entry]) -> str:
    """The totals of all entries as a Markdown table, and when they were made."""
    entries = list(entries)
    lines = ["| proof | so far |", "|---|---|"]
    for prefix, name, words in ROWS:
        sums: Counter[str] = Counter()
        for entry in entries:
            for kind, counts in entry.counts.items():
                if kind.startswith(prefix):
                    sums.update(counts)
        figures: dict[str, Any] = {"seconds": f"{sums['milliseconds'] // 1000:,}"}
        lines.append(f"| {name} | {words.format_map(_Figures(sums) | figures)} |")
    violations = sum(entry.violations for entry in entries)
    minutes = sum(entry.minutes for entry in entries)
    when = f", {entries[0].at:%Y-%m-%d} to {entries[-1].at:%Y-%m-%d}" if entries else ""
    return "\n".join([*lines, "", f"{len(entries)} runs, {minutes:,.0f} minutes{when}: **{violations} violations**.\n"])


class _Figures(dict[str, str]):
    """Numbers with thousands separated; what was never counted is 0."""

    def __init__(self, sums: Mapping[str, int]) -> None:
        super().__init__({name: f"{value:,}" for name, value in sums.items()})

    def __or__(self, other: Mapping[str, str]) -> _Figures:  # type: ignore[override]
        self.update(other)
        return self

    def __missing__(self, name: str) -> str:
        return "0"


def shown(text: str) -> str:
    """The part of a document that shows the totals."""
    return text.partition(BEGIN)[2].partition(END)[0]


def show_in_document(document: Path = DOCUMENT, log: Path = LOG) -> None:
    """Bring the document's table up to date."""
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    document.write_text(f"{before}{BEGIN}{table(read_log(log))}{END}{rest.partition(END)[2]}", encoding="utf-8")
