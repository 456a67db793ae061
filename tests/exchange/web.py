"""A real HTTP server on this machine that answers by a script, and counts what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Told:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    drip: Callable[[], Iterator[bytes]] | None = None
    """Writes the body piece by piece instead."""
    hang_up: bool = False


class Web:
    """`answers` are given one after the other, the last one for ever."""

    def __init__(self, answers: list[Told]) -> None:
        self.answers = answers
        self.asked: list[Asked] = []
        self.url = ""


@contextmanager
def serving(*answers: Told) -> Iterator[Web]:
    """A server at `web.url` for the time of the block."""
    web = Web(list(answers) or [Told()])

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            names = {name.lower(): value for name, value in self.headers.items()}
            web.asked.append(Asked(self.command, self.path, names, self.rfile.read(length)))
            told = web.answers[min(len(web.asked), len(web.answers)) - 1]
            if told.hang_up:
                self.close_connection = True
                return
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            if told.drip is not None:
                self.end_headers()
                self._drip(told.drip)
                return
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def _drip(self, drip: Callable[[], Iterator[bytes]]) -> None:
            try:
                for piece in drip():
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass  # the client had enough
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815  the names are those of the base class

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
