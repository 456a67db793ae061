"""Reads the receivers of 抖店 orders: encrypted, with masked texts beside the ciphers where the platform gives such.

The ciphers are kept as the address's token; the call order.batchDecrypt turns them into names, for whoever may ask.
"""

from __future__ import annotations

import json
import re
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import TEXT_LIMIT, free_text
from omo_core.model.orders import Address
from omo_core.model.values import GeoPoint

_ENCRYPTED: Final = re.compile(r"(##.*#[0-9]+##|\$\$.*\$[0-9]+\$\$|#.*#[0-9]+#|~.*~[0-9]+~)", re.DOTALL)
"""Ciphers stand between markers: ##…#1## for names and addresses, $$…$1$$ for phones."""
COUNTRY: Final = "CN"
"""The platform delivers within China."""


def read_address(cursor: Cursor, document: Cursor) -> Address | None:
    """Where the goods go; None where the order has no address."""
    place = cursor.optional_child("post_addr")
    if place is None and not cursor.has("encrypt_post_receiver") and not cursor.has("mask_post_receiver"):
        return None
    place = place or Cursor({})
    masked_place = cursor.optional_child("mask_post_addr")
    ciphers: dict[str, str] = {}
    recipient = _open(cursor, "post_receiver", "receiver", ciphers) or free_text(cursor, "mask_post_receiver")
    phone = _open(cursor, "post_tel", "tel", ciphers) or free_text(cursor, "mask_post_tel")
    detail = _open(place, "detail", "detail", ciphers) or (free_text(masked_place, "detail") if masked_place else None)
    street = tuple(text for text in (_name(place, "street"), detail) if text)
    shown = f"{recipient}{phone}{detail}"
    return cursor.build(
        Address,
        recipient=recipient,
        phone=phone,
        street=street,
        district=_name(place, "town"),
        city=_name(place, "city"),
        region=_name(place, "province"),
        country=COUNTRY,
        masked=bool(ciphers) or "*" in shown,
        token=_token(cursor, ciphers),
        point=_point(document),
    )


def _open(cursor: Cursor, key: str, name: str, ciphers: dict[str, str]) -> str | None:
    """A text that can be read; a cipher is put aside. Gateways write either into either field."""
    found = None
    for field in (key, f"encrypt_{key}"):
        text = cursor.optional_text(field)
        if text is None:
            continue
        if _ENCRYPTED.fullmatch(text):
            ciphers[name] = text
        else:
            found = found or free_text(cursor, field)
    return found


def _token(cursor: Cursor, ciphers: dict[str, str]) -> str | None:
    if not ciphers:
        return None
    token = json.dumps(ciphers, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if len(token) > TEXT_LIMIT:
        cursor.odd("post_addr", "its ciphers are longer than a token that is kept; fetch the order for them")
        return None
    return token


def _name(place: Cursor, key: str) -> str | None:
    part = place.optional_child(key)
    return None if part is None else free_text(part, "name")


def _point(document: Cursor) -> GeoPoint | None:
    """Where the buyer is; in the GCJ-02 system of China's maps, some hundred metres off WGS 84."""
    place = document.optional_child("user_coordinate")
    if place is None or place.fields.get("user_coordinate_longitude") in (None, "", "0"):
        return None
    return place.point("user_coordinate_latitude", "user_coordinate_longitude")
