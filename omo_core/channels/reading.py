"""A strict, bounded JSON reader: what it accepts means one thing only, and reading it takes bounded time and memory."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

from omo_core.model.errors import BodyTooLarge, UnreadableBody

MAX_BODY_BYTES: Final = 2 * 1024 * 1024
"""Largest body that is read unless a caller says otherwise."""

MAX_DEPTH: Final = 32
"""Deepest nesting of objects and lists; real order documents stay below ten."""

_MAX_INTEGER_CHARACTERS: Final = 20
"""Holds every 64-bit id with its sign; longer ones cost quadratic time to convert."""

_MAX_DECIMAL_CHARACTERS: Final = 40
_MAX_DECIMAL_MAGNITUDE: Final = 30

_OPENS, _CLOSES = b"[{", b"]}"
_BRACKETS_ALIKE: Final = bytes.maketrans(_OPENS + _CLOSES, b"(())")
_NO_BRACKETS: Final = bytes(code for code in range(256) if code not in _OPENS + _CLOSES + b'"')
_SUSPICIOUS_ESCAPE: Final = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")


def read_json(body: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Any:
    """Parse a JSON document: integers as int, other numbers as Decimal, never a float.

    Refuses bodies over `max_bytes`, encodings other than UTF-8, nesting over `MAX_DEPTH`, a key written twice in one
    object, NaN and infinities, numbers of absurd length or magnitude, NUL characters and lone surrogates.
    Raises `BodyTooLarge` or `UnreadableBody`.
    """
    if len(body) > max_bytes:
        raise BodyTooLarge(
            f"the body has {len(body)} bytes; at most {max_bytes} are read, so send fewer documents at a time",
            size=len(body),
            limit=max_bytes,
        )
    _check_depth(body)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableBody(f"byte {error.start} of the body is not UTF-8; send UTF-8") from None
    if text.startswith("\ufeff"):
        raise UnreadableBody("the body begins with a byte order mark; leave it out")
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise UnreadableBody(
            f"line {error.lineno}, column {error.colno} of the body is not JSON ({error.msg}); send one JSON document"
        ) from None
    except RecursionError:
        raise UnreadableBody("the body nests too deeply for the caller's stack; send a flatter document") from None
    if _SUSPICIOUS_ESCAPE.search(body):
        _check_text(document, "$")
    return document


def _check_depth(body: bytes) -> None:
    """Refuse deep nesting before the recursive parser sees it, at the speed of `bytes.replace`."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Strings without brackets are empty now; dropping two quotes that meet leaves what is inside of others inside.
    structure = body.translate(_BRACKETS_ALIKE, _NO_BRACKETS).replace(b'""', b"")
    brackets = b"".join(structure.split(b'"')[::2])
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        brackets = brackets.replace(b"()", b"")
    if brackets:
        raise UnreadableBody(
            f"the body nests deeper than {MAX_DEPTH} levels or its brackets do not match; send a flatter document"
        )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise UnreadableBody(f"the key {twice[:60]!r} is written twice in one object; write each key once")
    return found


def _integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_CHARACTERS:
        raise UnreadableBody(
            f"the body holds an integer of {len(text)} characters; send at most {_MAX_INTEGER_CHARACTERS}"
        )
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text) if len(text) <= _MAX_DECIMAL_CHARACTERS else None
    except InvalidOperation:
        number = None
    if number is None or (number and abs(number.adjusted()) > _MAX_DECIMAL_MAGNITUDE):
        raise UnreadableBody(f"the number {text[:40]} is absurdly long, large or small; send a plain decimal number")
    return number


def _constant(text: str) -> NoReturn:
    raise UnreadableBody(f"the body holds {text}, which is not a JSON number; send a finite number or null")


def _check_text(value: Any, path: str) -> None:
    """Refuse characters that databases and encoders refuse later; depth is bounded already."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise UnreadableBody(f"{path} holds a NUL character or a lone surrogate; send plain text", path=path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_text(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key, f"a key of {path}")
            _check_text(item, f"{path}.{key}")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)
