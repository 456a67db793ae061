"""kill -9 of clients, of a server and of processes on a file: nothing acknowledged is lost, changed or half done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import sqlite_url
from tests.reliability.conftest import broken_round, sound_round

pytestmark = pytest.mark.slow


def test_clients_of_postgres(postgres_url: str) -> None:
    counts = sound_round("kill-postgres-clients", seed=1, count=50, url=postgres_url)
    assert counts["kills"] == 50
    assert counts["acknowledged"] > 100


def test_processes_on_a_file(tmp_path: Path) -> None:
    counts = sound_round("kill-sqlite-clients", seed=1, count=40, url=sqlite_url("sqlite-file", tmp_path))
    assert counts["kills"] == 40
    assert counts["acknowledged"] > 80


@pytest.mark.postgres
def test_the_server_itself() -> None:
    counts = sound_round("kill-postgres-server", seed=1, count=10)
    assert counts["kills"] == 10
    assert counts["acknowledged"] > 50


@pytest.mark.postgres
def test_a_server_that_answers_before_its_log_is_written_loses_answers() -> None:
    violations = broken_round("""
from omo_core.testing.crashes import kill_server
from omo_core.testing.postgres import PostgresServer

with PostgresServer(settings={"synchronous_commit": "off", "wal_writer_delay": "10s"}) as server:
    outcome = kill_server(server, seed=1, kills=2)
""")
    assert any("was lost" in sentence for sentence in violations), violations


def test_clients_that_are_told_before_the_commit_lose_answers(tmp_path: Path) -> None:
    violations = broken_round(f"""
from functools import partial
from omo_core.inventory import apply_one
from omo_core.testing import crashes

def told_too_early(database, command, say):
    with database.transaction("default") as tx:
        answer = apply_one(tx, command)
        tx.connection.rollback()
        return answer

crashes.until_answered = told_too_early
outcome = crashes.kill_clients({sqlite_url("sqlite-file", tmp_path)!r}, seed=1, kills=6)
""")
    assert any("was lost" in sentence for sentence in violations), violations


def test_a_client_that_fails_by_itself_fails_the_test() -> None:
    violations = broken_round("""
from omo_core.testing.forked import ClientFailed, run_forked
from omo_core.testing.records import Outcome

outcome = Outcome()
try:
    run_forked([lambda say: say("fine"), lambda say: 1 / 0])
except ClientFailed as failed:
    outcome.violations.append(str(failed))
""")
    assert "ZeroDivisionError" in violations[0]


def test_a_client_ends_when_its_parent_is_gone() -> None:
    violations = broken_round("""
import os, time
from omo_core.testing.forked import ForkedClient, ParentGone
from omo_core.testing.records import Outcome

reader, writer = os.pipe()
if (parent := os.fork()) == 0:
    def endless(say):
        say(str(os.getpid()))
        while True:
            say.require_parent()
            time.sleep(0.01)
    client = ForkedClient(endless)
    client.collect()
    os.write(writer, client.lines[0].encode())
    os._exit(0)
os.waitpid(parent, 0)
orphan = int(os.read(reader, 99))
outcome = Outcome(violations=["it is still there"])
for _ in range(500):
    try:
        os.kill(orphan, 0)
    except ProcessLookupError:
        outcome.violations = []
        break
    time.sleep(0.01)
""")
    assert violations == []
