"""What the proxy reads of PostgreSQL's protocol, byte by byte."""

from __future__ import annotations

import pytest

from omo_core.testing.wire import SSL_REQUEST, CommitWatcher, Messages, asks_for_encryption, is_committed


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def test_messages_are_whole_however_they_come() -> None:
    start, ssl = message(b"", b"\0\3\0\0user\0x\0\0"), message(b"", SSL_REQUEST.to_bytes(4, "big"))
    stream = [ssl, start, message(b"Q", b"SELECT 1\0"), message(b"X", b"")]
    for step in (1, 3, 7, 1000):
        whole = b"".join(stream)
        reader = Messages(typed=False)
        cut = [found for at in range(0, len(whole), step) for found in reader.feed(whole[at : at + step])]
        assert cut == stream
    assert asks_for_encryption(ssl)
    assert not asks_for_encryption(start)


@pytest.mark.parametrize(
    ("text", "commits"),
    [
        (b"COMMIT", True),
        (b" commit ;", True),
        (b"END", True),
        (b"COMMIT WORK", True),
        (b"COMMIT PREPARED 'x'", False),
        (b"SELECT 'COMMIT'", False),
        (b"COMMITTED", False),
        (b"ROLLBACK", False),
    ],
)
def test_a_commit_is_known_in_either_protocol(text: bytes, commits: bool) -> None:
    assert CommitWatcher().is_commit(message(b"Q", text + b"\0")) is commits
    watcher = CommitWatcher()
    said = [
        message(b"P", b"s1\0" + text + b"\0\0\0"),
        message(b"P", b"other\0SELECT 1\0\0\0"),
        message(b"B", b"p1\0s1\0\0\0\0\0\0\0"),
        message(b"E", b"p1\0\0\0\0\0"),
        message(b"B", b"p1\0other\0\0\0\0\0\0\0"),
        message(b"E", b"p1\0\0\0\0\0"),
    ]
    assert [watcher.is_commit(one) for one in said] == [False, False, False, commits, False, False]


def test_only_a_commit_that_committed_is_answered_so() -> None:
    assert is_committed(message(b"C", b"COMMIT\0"))
    assert not is_committed(message(b"C", b"ROLLBACK\0"))
    assert not is_committed(message(b"Z", b"I"))
