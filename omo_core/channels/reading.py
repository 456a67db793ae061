"""A strict, bounded JSON reader: what it accepts means one thing only, and reading it takes bounded time and memory."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

from pydantic_core import from_json

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

_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789", b"000000000")
_BLANKS: Final = b" \t\r\n"
_MANY_DIGITS: Final = b"0" * _MAX_INTEGER_CHARACTERS
_LONG_NUMBERS: Final = tuple(before + _MANY_DIGITS for before in (b":", b",", b"[", b"-"))
"""What comes before a number, and its digits: cashiers give ids of 28 digits too, but as texts."""
_FRACTION: Final = re.compile(rb"\.0+[,}\]eE]")
_UNSURE: Final = object()


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
    document = _read_plain(body)
    return read_strictly(body) if document is _UNSURE else document


def _read_plain(body: bytes) -> Any:
    """The document of a body in which nothing is odd, at half the price; `_UNSURE` where `read_strictly` must look.

    The fast parser lets the last of several equal keys win, so the keys that are left are counted: a body has at least
    as many `":` as it has keys, and where it has no more than are left, none was written twice.
    """
    flat = body.translate(_DIGITS_ALIKE, _BLANKS)
    most_keys = flat.count(b'":')
    if b"\\" in flat:
        if _SUSPICIOUS_ESCAPE.search(body):
            return _UNSURE
        if b"\\\\" not in flat:  # then a backslash before a quote says that the quote ends no key
            most_keys -= flat.count(b'\\":')
    if _MANY_DIGITS in flat and (flat.startswith(_MANY_DIGITS) or any(long in flat for long in _LONG_NUMBERS)):
        return _UNSURE
    try:
        # Numbers with a fraction must not become binary ones.
        document = (
            _EXACT_DECODER.decode(body.decode("utf-8"))
            if _FRACTION.search(flat)
            else from_json(body, allow_inf_nan=False, cache_strings="keys")
        )
    except (ValueError, RecursionError, UnreadableBody):
        return _UNSURE
    return document if _keys(document) == most_keys else _UNSURE


def _keys(document: Any) -> int | None:
    """How many keys the objects of a document have; None where it nests too deeply or holds a float."""
    keys = 0
    level: list[Any] = [[document]]
    for _ in range(MAX_DEPTH + 1):
        inner = []
        for one in level:
            values = one
            if type(one) is dict:
                keys += len(one)
                values = one.values()
            for value in values:
                kind = type(value)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    inner.append(value)
                elif kind is float:
                    return None
        if not inner:
            return keys
        level = inner
    return None


def read_strictly(body: bytes) -> Any:
    """As `read_json`, with every check made for itself; this is what `read_json` means."""
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


_EXACT_DECODER: Final = json.JSONDecoder(parse_float=_decimal, parse_constant=_constant)
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)
