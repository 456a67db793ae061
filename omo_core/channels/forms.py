"""Reads form-encoded bodies and queries strictly: every name once, UTF-8, within bounds."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from omo_core.channels.reading import MAX_BODY_BYTES
from omo_core.model.errors import BodyTooLarge, UnreadableBody

MAX_FIELDS: Final = 1_000


def read_form(body: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> dict[str, str]:
    """The fields of an application/x-www-form-urlencoded body; raises `BodyTooLarge` or `UnreadableBody`."""
    if len(body) > max_bytes:
        raise BodyTooLarge(
            f"the body has {len(body)} bytes; at most {max_bytes} are read, so send fewer documents at a time",
            size=len(body),
            limit=max_bytes,
        )
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except UnicodeDecodeError as error:
        raise UnreadableBody(f"byte {error.start} of the form is not %-encoded UTF-8; send UTF-8") from None
    except ValueError:
        raise UnreadableBody(
            "the body is no form of name=value fields; send application/x-www-form-urlencoded"
        ) from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadableBody("the form holds a field twice; send each field once")
    for name, value in found.items():
        if "\x00" in name or "\x00" in value:
            raise UnreadableBody(f"the field {name[:60]!r} holds a NUL character; send plain text")
    return found


def read_query(path: str | None) -> dict[str, str]:
    """The fields of the query in a request's path; empty where there is none; raises `UnreadableBody`."""
    query = (path or "").partition("?")[2]
    return read_form(query.encode("utf-8", "surrogatepass")) if query else {}
