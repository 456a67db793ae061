"""As much of PostgreSQL's protocol, version 3, as it takes to see a COMMIT pass by, in either way of saying it.

Formats: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

SSL_REQUEST: Final = 80877103
GSS_REQUEST: Final = 80877104

_COMMIT: Final = re.compile(rb"\s*(?:COMMIT|END)\b(?!\s+PREPARED)", re.IGNORECASE)
_HEADER: Final = 5  # one byte of type, four of length; the length counts itself


class Messages:
    """Cuts a stream into whole messages; a client's first ones, until it is let in, have no type byte."""

    def __init__(self, *, typed: bool) -> None:
        self._waiting = b""
        self._typed = typed

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The messages that `chunk` completes, each with its header."""
        self._waiting += chunk
        while True:
            header = _HEADER if self._typed else _HEADER - 1
            if len(self._waiting) < header:
                return
            size = header - 4 + int.from_bytes(self._waiting[header - 4 : header], "big")
            if len(self._waiting) < size:
                return
            message, self._waiting = self._waiting[:size], self._waiting[size:]
            # A request for encryption is answered by one byte, and then the start follows, still without a type.
            self._typed = self._typed or not asks_for_encryption(message)
            yield message


def asks_for_encryption(message: bytes) -> bool:
    """Whether an untyped message asks for TLS or GSS encryption."""
    return len(message) == 8 and int.from_bytes(message[4:], "big") in (SSL_REQUEST, GSS_REQUEST)


@dataclass
class CommitWatcher:
    """Follows the messages of one client; `is_commit(message)` says whether this one makes the server commit.

    Simple protocol: a Query that begins with COMMIT or END. Extended: an Execute of a portal that was bound to a
    statement of such a text.
    """

    _statements: dict[bytes, bool] = field(default_factory=dict)
    _portals: dict[bytes, bool] = field(default_factory=dict)

    def is_commit(self, message: bytes) -> bool:
        """Take in the client's next message, in order."""
        kind, body = message[:1], message[_HEADER:]
        if kind == b"Q":
            return _COMMIT.match(body) is not None
        if kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._statements[name] = _COMMIT.match(text) is not None
        elif kind == b"B":
            portal, name, _ = body.split(b"\0", 2)
            self._portals[portal] = self._statements.get(name, False)
        elif kind == b"E":
            return self._portals.get(body.split(b"\0", 1)[0], False)
        return False


def is_committed(message: bytes) -> bool:
    """Whether the server says here that a transaction is committed; a failed one's COMMIT is answered ROLLBACK."""
    return message[:1] == b"C" and message[_HEADER:].rstrip(b"\0") == b"COMMIT"
