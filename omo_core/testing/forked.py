"""Forked clients that a test may kill at any moment: what they acknowledged stays in a pipe that outlives them."""

from __future__ import annotations

import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NoReturn

FAILED: Final = b"!"
"""First byte of the line in which a client says that it failed by itself, which is never expected."""

_CHUNK: Final = 1 << 16


class ParentGone(Exception):
    """The process that forked this client is gone, so nobody reads its answers any more."""


class ClientFailed(AssertionError):
    """A client ended by an exception of its own; the message is its traceback."""


class Acknowledge:
    """The child's end: a line said here is with the parent, whatever happens to the child afterwards."""

    def __init__(self, pipe: int, parent: int) -> None:
        self._pipe = pipe
        self._parent = parent

    def __call__(self, line: str) -> None:
        """Hand one line to the parent; raises `ParentGone` where it no longer reads."""
        waiting = line.encode() + b"\n"
        try:
            while waiting:
                waiting = waiting[os.write(self._pipe, waiting) :]
        except BrokenPipeError:
            raise ParentGone from None

    def require_parent(self) -> None:
        """Raise `ParentGone` where the parent is gone: for loops that say nothing for long."""
        if os.getppid() != self._parent:
            raise ParentGone


class ForkedClient:
    """One child process; `lines` are the whole lines it said, in order. A line cut short by its death is not one.

    Fork before there are threads or connections: the child keeps no other file of its parent, and runs `work` alone.
    """

    def __init__(self, work: Callable[[Acknowledge], None]) -> None:
        self.lines: list[str] = []
        self._rest = b""
        self._ended = False
        reader, writer = os.pipe()
        parent = os.getpid()
        self.process_id = os.fork()
        if self.process_id == 0:
            _run_child(work, Acknowledge(writer, parent), writer)
        os.close(writer)
        self.pipe = reader

    def collect(self) -> bool:
        """Take in what can be read now, at least one read; whether the client can say more."""
        chunk = os.read(self.pipe, _CHUNK)
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            if line.startswith(FAILED):
                raise ClientFailed(line[1:].decode().replace("\x1f", "\n"))
            self.lines.append(line.decode())
        return bool(chunk)

    def kill(self) -> None:
        """SIGKILL, then read to the end what it had said before; safe to repeat."""
        if self._ended:
            return
        self._ended = True
        with suppress(ProcessLookupError):
            os.kill(self.process_id, signal.SIGKILL)
        os.waitpid(self.process_id, 0)
        try:
            while self.collect():
                pass
        finally:
            os.close(self.pipe)

    def finish(self) -> None:
        """Read until it ends by itself."""
        while self.collect():
            pass
        self.kill()


def _run_child(work: Callable[[Acknowledge], None], say: Acknowledge, pipe: int) -> NoReturn:
    try:
        os.closerange(3, pipe)
        os.closerange(pipe + 1, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < _CHUNK else _CHUNK)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
        work(say)
    except ParentGone:
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a child has nobody else to tell
        with suppress(ParentGone):
            say(FAILED.decode() + traceback.format_exc().replace("\n", "\x1f"))
        os._exit(1)
    os._exit(0)


def collect_from(clients: Iterable[ForkedClient], *, lines: int, seconds: float, patience_s: float = 60) -> None:
    """Take in what the clients say until there are so many more lines, and then for so long.

    So the slowest machine gets its work done before, and the moment after is any. Raises `ClientFailed` where a client
    ended by itself, or nothing more was said.
    """
    clients = list(clients)
    due = sum(len(client.lines) for client in clients) + lines
    deadline = time.monotonic() + patience_s
    while sum(len(client.lines) for client in clients) < due:
        if not _collect(clients, deadline):
            raise ClientFailed(f"the clients said too little in {patience_s:.0f} s")
    deadline = time.monotonic() + seconds
    while _collect(clients, deadline):
        pass


def _collect(clients: Sequence[ForkedClient], deadline: float) -> bool:
    """Wait for the next that is said; False once the time is over."""
    left = deadline - time.monotonic()
    if left <= 0:
        return False
    by_pipe = {client.pipe: client for client in clients}
    for pipe in select.select(list(by_pipe), [], [], left)[0]:
        if not by_pipe[pipe].collect():
            raise ClientFailed(f"client {by_pipe[pipe].process_id} ended by itself")
    return True


def run_forked(works: Sequence[Callable[[Acknowledge], None]]) -> list[list[str]]:
    """Run every work in a process of its own, all at once; returns the lines each said."""
    clients: list[ForkedClient] = []
    try:
        clients.extend(map(ForkedClient, works))
        by_pipe = {client.pipe: client for client in clients}
        while by_pipe:
            for pipe in select.select(list(by_pipe), [], [])[0]:
                if not by_pipe[pipe].collect():
                    by_pipe.pop(pipe).kill()
    finally:
        for client in clients:
            client.kill()
    return [client.lines for client in clients]
