"""Eight processes share one SQLite file, and nobody is told that it is busy; with the usual BEGIN they would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import sqlite_url
from tests.reliability.conftest import broken_round, sound_round

pytestmark = pytest.mark.slow


def test_eight_processes(tmp_path: Path) -> None:
    counts = sound_round("shared-file", seed=1, count=400, url=sqlite_url("sqlite-file", tmp_path))
    assert (counts["commands"], counts["busy"], counts["acknowledged"]) == (400, 0, 400)


def test_a_deferred_begin_is_noticed(tmp_path: Path) -> None:
    violations = broken_round(f"""
from sqlalchemy import event
from omo_core.storage import database
from omo_core.testing.busy import share_a_file
from omo_core.testing.forked import ClientFailed
from omo_core.testing.records import Outcome

sound = database.open_engine
def deferred(*words, **named):
    engine, profile = sound(*words, **named)
    # Whatever begins a transaction says BEGIN alone.
    engine.dialect.do_execute = lambda cursor, sql, values, context=None: cursor.execute(
        "BEGIN" if sql == "BEGIN IMMEDIATE" else sql, values
    )
    return engine, profile
database.open_engine = deferred
try:
    outcome = share_a_file({sqlite_url("sqlite-file", tmp_path)!r}, seed=1, commands=160)
except ClientFailed as failed:  # five tries were not enough
    outcome = Outcome(violations=[str(failed)])
""")
    assert any("busy" in sentence or "is locked" in sentence for sentence in violations), violations
