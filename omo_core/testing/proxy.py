"""A proxy in front of a PostgreSQL server that cuts connections at their COMMIT: what nobody can tell apart from outside."""

from __future__ import annotations

import enum
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from sqlalchemy import URL, make_url

from omo_core.testing.wire import CommitWatcher, Messages, asks_for_encryption, is_committed

_CHUNK: Final = 1 << 16


class Cut(enum.Enum):
    """Where a connection is cut, seen from the client, who in every case only sees it end."""

    BEFORE = "before"
    """The server never gets the COMMIT."""
    WITHIN = "within"
    """The server gets half of the COMMIT."""
    BEHIND = "behind"
    """The server gets the COMMIT and finds nobody to answer."""
    ANSWER = "answer"
    """The server has committed and said so; the answer stops here."""
    ANSWER_WITHIN = "answer_within"
    """The client gets half of that answer."""


class CommitCutter:
    """Listens on 127.0.0.1 and forwards to the server of `url`; a context manager.

    `choose()` is asked at each COMMIT where to cut, None for not at all; one caller at a time. `url` of the object is
    the one to connect to. `cuts` counts what was done.
    """

    def __init__(self, url: str, choose: Callable[[], Cut | None]) -> None:
        parsed = make_url(url)
        self._server = parsed
        self._choose = choose
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._open: set[socket.socket] = set()
        self._serving: list[threading.Thread] = []
        self._closed = False
        self.cuts: Counter[Cut] = Counter()
        self.url = _through(parsed, self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cut every connection and stop listening; returns when the last thread has ended."""
        with self._lock:
            self._closed = True
        socket.create_connection(self._listener.getsockname()).close()  # wakes the one who accepts
        self._accepting.join()
        self._listener.close()
        with self._lock:
            _end(*self._open)
        for thread in self._serving:
            thread.join()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._closed:
                client.close()
                return
            thread = threading.Thread(target=_Connection(self, client).run, daemon=True)
            self._serving = [one for one in self._serving if one.is_alive()] + [thread]
            thread.start()

    def connect(self) -> socket.socket:
        """A new connection to the server."""
        host, port = _address(self._server)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def keep(self, *sockets: socket.socket) -> bool:
        """Remember open sockets, to cut them when the proxy closes; whether it is still open."""
        with self._lock:
            self._open.update(sockets)
            return not self._closed

    def forget(self, *sockets: socket.socket) -> None:
        """Close sockets whose connection is over."""
        with self._lock:
            self._open.difference_update(sockets)
        for one in sockets:
            one.close()

    def decide(self) -> Cut | None:
        """Where to cut the COMMIT that is passing by."""
        with self._lock:
            return None if self._closed else self._choose()

    def count(self, cut: Cut) -> None:
        """Remember that a connection was cut."""
        with self._lock:
            self.cuts[cut] += 1


class _Connection:
    """One client's connection: a thread for each direction."""

    def __init__(self, proxy: CommitCutter, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._awaited: Cut | None = None

    def run(self) -> None:
        try:
            server = self._proxy.connect()
        except OSError:
            self._client.close()  # as the server itself would refuse it
            return
        # Small messages one after the other: Nagle's algorithm would hold each second one back for 40 ms.
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._pass_answers, args=(server,), daemon=True)
        back.start()
        with suppress(OSError):
            if self._proxy.keep(self._client, server):
                self._pass_requests(server)
        _end(self._client, server)
        back.join()
        self._proxy.forget(self._client, server)

    def _pass_requests(self, server: socket.socket) -> None:
        messages, watcher = Messages(typed=False), CommitWatcher()
        while chunk := self._client.recv(_CHUNK):
            for message in messages.feed(chunk):
                if asks_for_encryption(message):
                    self._client.sendall(b"N")
                    continue
                cut = self._proxy.decide() if watcher.is_commit(message) else None
                if cut in (Cut.ANSWER, Cut.ANSWER_WITHIN):
                    self._awaited = cut
                elif cut is not None:
                    _send_cut(server, message, cut)
                    self._proxy.count(cut)
                    return
                server.sendall(message)

    def _pass_answers(self, server: socket.socket) -> None:
        messages = Messages(typed=True)
        with suppress(OSError):
            while chunk := server.recv(_CHUNK):
                for message in messages.feed(chunk):
                    if self._awaited is not None and is_committed(message):
                        if self._awaited is Cut.ANSWER_WITHIN:
                            self._client.sendall(message[: len(message) // 2])
                        self._proxy.count(self._awaited)
                        return _end(self._client, server)
                    self._client.sendall(message)
        return _end(self._client, server)


def _send_cut(server: socket.socket, message: bytes, cut: Cut) -> None:
    if cut is Cut.WITHIN:
        server.sendall(message[: len(message) // 2])
    elif cut is Cut.BEHIND:
        server.sendall(message)


def _end(*sockets: socket.socket) -> None:
    """End both directions: whoever waits on a socket wakes up."""
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _address(url: URL) -> tuple[str, int]:
    host, port = url.query.get("host", url.host or "localhost"), url.query.get("port", url.port or 5432)
    return str(host), int(str(port))


def _through(url: URL, port: int) -> str:
    query = {name: value for name, value in url.query.items() if name not in ("host", "port")}
    return url.set(host="127.0.0.1", port=port, query=query).render_as_string(hide_password=False)
