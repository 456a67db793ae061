"""Meituan's forms: values that are encoded twice, JSON inside of them, and the signature over all fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import unquote_plus

from pydantic import Field

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import DialectConfig
from omo_core.channels.forms import read_form
from omo_core.channels.reading import read_json
from omo_core.channels.signing import md5_hex, sorted_pairs
from omo_core.model.errors import UnreadableBody
from omo_core.model.values import ChannelId, NodeId

_ENCODED: Final = re.compile(r"(?:[0-9A-Za-z_.~!*'()+-]|%[0-9A-Fa-f]{2})*")
"""What a text that was encoded consists of."""
_LISTS: Final = ("detail", "extras", "food")
"""The fields with JSON inside that are read; others, such as order_tag_list, stay texts."""


class MeituanConfig(DialectConfig):
    """How to read the pushes of one app and sign calls; `secrets` are the app's secrets."""

    channel: ChannelId = "meituan"
    app_id: Annotated[str, Field(pattern=r"^[0-9]{0,20}$")] = ""
    push_url: Annotated[str, Field(pattern=r"^(https?://[!-~]+)?$")] = ""
    """The address as it is registered with the platform: it is part of what is signed. One adapter for each address."""
    stores: Mapping[str, NodeId] = {}
    """The app's code of a store (app_poi_code) to our node; a store not listed is its own node id."""
    cancel_reason_code: Annotated[str, Field(pattern=r"^[0-9]{1,8}$")] | None = None
    """One of the platform's codes for cancellations by the seller, for those that give none as their reason."""


def signature(url: str, fields: Mapping[str, str], secret: str) -> str:
    """The hexadecimal MD5 of url?a=1&b=2 and the secret, the fields in order of their names."""
    text = f"{url}?{sorted_pairs(fields, between='=', joined='&')}{secret}"
    return md5_hex(text.encode("utf-8", "surrogatepass"))


def plain(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields without their second encoding, where they have one; raises `UnreadableBody`.

    Where every value may have been encoded, all were, and a plus is a space; else only those with an escape.
    """
    encoded = {name for name, value in fields.items() if _ENCODED.fullmatch(value)}
    escaped = {name for name in encoded if "%" in fields[name]}
    chosen = encoded if escaped and len(encoded) == len(fields) else escaped
    try:
        return {
            name: unquote_plus(value, errors="strict") if name in chosen else value for name, value in fields.items()
        }
    except UnicodeDecodeError:
        raise UnreadableBody("a field of the form is encoded twice, and not in UTF-8; send UTF-8") from None


def read_document(body: bytes, max_bytes: int) -> Cursor:
    """The fields of a pushed form, or of the JSON answer of a call, with the JSON inside of them read.

    Raises `UnreadableBody` or `BodyTooLarge`.
    """
    if body.lstrip()[:1] in {b"{", b"["}:
        document = read_json(body, max_bytes=max_bytes)
        data = document.get("data") if isinstance(document, dict) else None
        if isinstance(data, dict):
            document["data"] = _opened(data, "$.data")
        return Cursor(_opened(document, "$") if isinstance(document, dict) else document)
    fields = plain(read_form(body, max_bytes=max_bytes))
    if any("\x00" in value for value in fields.values()):
        raise UnreadableBody("a field of the form holds a NUL character; send plain text")
    return Cursor(_opened(fields, "$"))


def _opened(fields: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The fields, with lists in place of the texts that hold them as JSON."""
    found = dict(fields)
    for name in _LISTS:
        text = found.get(name)
        if text == "":
            found[name] = None
        elif isinstance(text, str):
            try:
                found[name] = read_json(text.encode("utf-8", "surrogatepass"))
            except UnreadableBody as error:
                raise UnreadableBody(f"{path}.{name}, read as JSON: {error}", path=f"{path}.{name}") from None
    return found
