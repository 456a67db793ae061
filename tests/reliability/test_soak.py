"""The soak: goes on where it stopped, stops at a violation, and its log is what the document shows."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tools import reliability_log, rounds, soak
from tools.reliability_log import Entry
from tools.soak import State


def test_the_document_shows_the_totals_of_the_log() -> None:
    text = reliability_log.DOCUMENT.read_text(encoding="utf-8")
    assert reliability_log.shown(text) == reliability_log.table(reliability_log.read_log()), "run make soak again"


def test_every_line_of_the_log_is_an_entry_of_known_kinds() -> None:
    lines = reliability_log.LOG.read_text(encoding="utf-8").splitlines()
    entries = [Entry.parse(line) for line in lines]
    assert [entry.line().rstrip() for entry in entries] == lines
    assert {kind for entry in entries for kind in entry.counts} <= set(rounds.KINDS)
    assert all(entry.minutes > 0 and entry.commit for entry in entries)


def test_every_kind_has_its_row_in_the_table() -> None:
    rows = {prefix: [kind for kind in rounds.KINDS if kind.startswith(prefix)] for prefix, _, _ in reliability_log.ROWS}
    assert sorted(kind for kinds in rows.values() for kind in kinds) == sorted(rounds.KINDS)
    assert all(rows.values())


def test_totals_add_up_over_runs(tmp_path: Path) -> None:
    log, document = tmp_path / "log.jsonl", tmp_path / "reliability.md"
    document.write_text(f"before\n{reliability_log.BEGIN}{reliability_log.END}after\n", encoding="utf-8")
    kills = {"kills": 700, "acknowledged": 2_000}
    for violations in (0, 1):
        found = {"kill-postgres-server": kills, "race-sqlite-threads": {"attempts": 64, "units": 2}}
        reliability_log.append(found, seconds=90, violations=violations, commit="abc", log=log)
    reliability_log.show_in_document(document, log)
    text = document.read_text(encoding="utf-8")
    assert "| 1,400 kills, 4,000 answers compared |" in text
    assert "| 128 attempts for 4 units: 0 oversold, 0 unsold |" in text
    assert "2 runs, 3 minutes" in text
    assert "**1 violations**" in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    reliability_log.show_in_document(document, log)
    assert document.read_text(encoding="utf-8") == text


def test_it_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, log = tmp_path / "soak.json", tmp_path / "log.jsonl"
    asked: list[tuple[str, int, int]] = []

    def answer(kind: str, seed: int, count: int) -> dict[str, Any]:
        asked.append((kind, seed, count))
        if len(asked) in (3, 5):
            raise KeyboardInterrupt
        return {"counts": {"cuts": count}, "violations": ["wrong"] if len(asked) == 4 else []}

    monkeypatch.setattr(soak, "run_round", answer)
    with pytest.raises(KeyboardInterrupt):
        soak.soak(1, ["cut-commits"], State.load(path), path=path)
    kept = State.load(path)
    assert (kept.round, kept.counts) == (3, {"cut-commits": Counter(rounds=2, cuts=1_200)})
    kept.write_to_log(log)
    assert soak.soak(1, ["cut-commits"], kept, path=path) == 1, "it stops at a violation"
    assert [seed for _, seed, _ in asked] == [1, 2, 3, 3]
    State.load(path).write_to_log(log)
    assert [(entry.counts, entry.violations) for entry in reliability_log.read_log(log)] == [
        ({"cut-commits": {"rounds": 2, "cuts": 1_200}}, 0),
        ({"cut-commits": {"rounds": 1, "cuts": 600}}, 1),
    ]


def test_a_violation_names_the_command_that_replays_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soak, "run_round", lambda *_: {"counts": {}, "violations": ["one unit was sold twice"]})
    assert soak.soak(1, ["simulate"], State(round=8), scale=0.5, path=tmp_path / "soak.json") == 1
    said = capsys.readouterr().out
    assert "one unit was sold twice" in said
    assert "python -m tools.rounds simulate --seed 8 --count 10000" in said


@pytest.mark.slow
def test_a_round_that_fails_or_hangs_is_a_violation(tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path}/no/such/folder.db"
    assert "the round failed" in soak.run_round("shared-file", 1, 8, url=nowhere)["violations"][0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://x@127.0.0.1:{silent.getsockname()[1]}/x"
        hung = soak.run_round("shuffled-orders", 1, 60, url=url, patience_s=3)
    assert hung["violations"] == ["no answer after 3 s"]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("simulate", 64), ("shuffled-orders", 1), ("cut-commits", 8)])
def test_a_round_makes_its_own_database(kind: str, count: int) -> None:
    found = soak.run_round(kind, 2, count, patience_s=120)
    assert found["violations"] == []
    assert found["counts"]
