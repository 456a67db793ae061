"""Spoils bodies on purpose, the same way every time: one value, one byte or one piece at a time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

NASTY: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 10**19, -(10**19), 10**40, 0.1, 1e300, -0.0),
    *("", " ", "NaN", "1e400", "-1", "0.001", "١٢", "\x00", "\x7f", "\u2028", "\u202e", "\u200b", "\ud800", "null"),
    *("[]", "{}", "true", "a" * 3_000, "9" * 30, "2026-13-45T99:00:00Z", "0001-01-01 00:00:00", "<!DOCTYPE x>", "%ff"),
    *([], {}, [[]], [None], [{}], {"a": None}, {"": ""}),
)
"""Values that no field expects: of the wrong kind, absurd, or unkind to databases, terminals and encoders."""

_PIECES: Final = (
    *(b"", b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"NaN", b"Infinity", b"-", b"\\", b"\\u0000", b"\\ud800"),
    *(
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xc0\x80",
        b"&",
        b"=",
        b"%",
        b"%00",
        b"1" * 400,
        b"[" * 200,
        b'{"a":' * 60,
        b"\x1f\x8b",
    ),
)


def spoilt_bodies(bodies: Sequence[bytes], count: int, seed: int = 0) -> Iterator[bytes]:
    """So many spoilt copies of the bodies, drawn with a fixed seed."""
    draw = random.Random(seed)  # drawn again the same, not secret
    documents = [(body, _document(body)) for body in bodies]
    for _ in range(count if bodies else 0):
        body, document = draw.choice(documents)
        if document is not None and draw.random() < 0.7:
            yield _with_a_wrong_value(draw, document)
        else:
            yield _with_a_wrong_piece(draw, body)


def spoilt_messages(
    messages: Sequence[tuple[dict[str, str], bytes]], count: int, seed: int = 0
) -> Iterator[tuple[dict[str, str], bytes]]:
    """So many messages with their own headers and a spoilt body; now and then a header is spoilt instead."""
    draw = random.Random(seed)
    each = -(-count // max(1, len(messages)))
    for headers, body in messages:
        for spoilt in spoilt_bodies([body], each, draw.randrange(2**32)):
            if headers and draw.random() < 0.1:
                name = draw.choice(sorted(headers))
                value = draw.choice([one for one in NASTY if isinstance(one, str)])
                yield {**headers, name: value}, body
            else:
                yield headers, spoilt


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _with_a_wrong_value(draw: random.Random, document: Any) -> bytes:
    way = draw.choice(list(_places(document)))
    spoilt = _with_value(document, way, draw.choice(NASTY))
    if way and draw.random() < 0.1:
        spoilt = _without(document, way)
    return json.dumps(spoilt, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")


def _with_a_wrong_piece(draw: random.Random, body: bytes) -> bytes:
    place = draw.randrange(len(body) + 1)
    until = min(len(body), place + draw.choice((0, 0, 1, 1, 2, 8, 64, 10_000)))
    piece = draw.choice(_PIECES) if draw.random() < 0.6 else bytes([draw.randrange(256)])
    return body[:place] + piece + body[until:]


def _places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every way from the top of a document to one of its values."""
    yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*way, key))


def _with_value(document: Any, way: tuple[Any, ...], value: Any) -> Any:
    if not way:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[way[0]] = _with_value(copy[way[0]], way[1:], value)
    return copy


def _without(document: Any, way: tuple[Any, ...]) -> Any:
    copy = dict(document) if isinstance(document, dict) else list(document)
    if len(way) == 1:
        del copy[way[0]]
    else:
        copy[way[0]] = _without(copy[way[0]], way[1:])
    return copy
