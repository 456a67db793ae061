"""Reads fields the way platforms really write them: numbers as text, seconds or milliseconds, times without a zone.

Each reader takes a cursor and a key, gives the plain value, and refuses what could mean two things.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from omo_core.channels.cursor import EPOCH, Cursor, known_minor
from omo_core.channels.reading import read_json
from omo_core.model.errors import InvalidMoney, UnreadableBody
from omo_core.model.orders import OddityCode
from omo_core.model.values import MAX_MINOR, MAX_QUANTITY

T = TypeVar("T")

CHINA: Final = timezone(timedelta(hours=8))
"""The zone of every naive time of the platforms of China; there is no summer time."""

TEXT_LIMIT: Final = 2_000
"""Longest free text that is kept."""

ID_LIMIT: Final = 128
"""Longest id that is kept."""

_EARLIEST_S: Final = 978_307_200
_LATEST_S: Final = 4_102_444_800
"""2001 to 2100: outside of it a number is no time of an order, and a time in milliseconds is outside of it too."""
_LOCAL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")


def free_text(cursor: Cursor, key: str) -> str | None:
    """A person's text, cut where it is longer than we keep; the body keeps it whole."""
    text = cursor.optional_text(key)
    if text is None or len(text) <= TEXT_LIMIT:
        return text
    return text[: TEXT_LIMIT - 1] + "…"


def incidental_id(cursor: Cursor, key: str) -> str | None:
    """An id that changes neither goods nor money, such as a payment's: one that cannot be kept is odd and left out."""
    value = cursor.fields.get(key)
    if isinstance(value, str):
        text = value.strip()
        if len(text) > ID_LIMIT or not text.isprintable():
            cursor.odd(key, f"is no id of at most {ID_LIMIT} plain characters, and was left out")
            return None
    return cursor.optional_identifier(key)


def units(cursor: Cursor, key: str, *, least: int = 1) -> int:
    """Whole units, written as a number or as a text, with or without decimals that are zero."""
    value = cursor.fields.get(key)
    if type(value) is str and len(value) <= 9 and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is int and least <= value <= MAX_QUANTITY:
        return value
    if isinstance(value, str) and len(value) <= 40 and value.isascii():
        try:
            value = Decimal(value.strip())
        except InvalidOperation:
            value = None
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        cursor.fail(key, "is no whole number of units", "send whole units; weigh goods in a base unit such as grams")
    if not least <= value <= MAX_QUANTITY:
        cursor.fail(key, f"is {value}", f"send a whole number of units from {least} to {MAX_QUANTITY}")
    return value


def optional_units(cursor: Cursor, key: str, default: int = 0) -> int:
    """As `units`, possibly none; `default` where it is missing."""
    return units(cursor, key, least=0) if cursor.has(key) and cursor.fields[key] != "" else default


def minor(cursor: Cursor, key: str, default: int | None = None) -> int:
    """An amount that is written in minor units already, as an integer or the text of one; raises `InvalidMoney`."""
    value = cursor.fields.get(key)
    if default is not None and (value is None or value == ""):
        return default
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if type(value) is not int or not -MAX_MINOR <= value <= MAX_MINOR:
        path = f"{cursor.path}.{key}"
        raise InvalidMoney(
            f"{path} is no amount in minor units; send a whole number, such as 1250 for 12.50", path=path
        )
    return value


def money_object(cursor: Cursor, key: str, currency: str, *, amount: str, unit: str) -> int | None:
    """Minor units of an object that holds a decimal text under `amount` and the order's currency under `unit`.

    None where it is missing; raises `InvalidMoney`, also for another currency.
    """
    value = cursor.fields.get(key)
    if value is None:
        return None
    if type(value) is dict and value.get(unit) == currency:
        # A shop has few prices: most were read before, and their place in the document is told only of bad ones.
        text = value.get(amount)
        known = known_minor(text, currency) if type(text) is str else None
        if known is not None:
            return known
    money = cursor.child(key)
    if money.currency(unit) != currency:
        path = f"{money.path}.{unit}"
        raise InvalidMoney(f"{path} is not the order's {currency}; send an order of one currency", path=path)
    return money.money(amount, currency)


def unit_price(gross_minor: int, quantity: int) -> int:
    """The price of one unit where a channel states the line's: rounded, and never used to compute with."""
    return (2 * gross_minor + quantity) // (2 * quantity)


def flag(cursor: Cursor, key: str, default: bool = False) -> bool:
    """True or false, also written as 1 or 0, or as a text of either in any case."""
    value = cursor.fields.get(key)
    if value is None or value == "":
        return default
    found = _FLAGS.get(str(value).lower()) if isinstance(value, bool | int | str) else None
    if found is None:
        cursor.fail(key, "is neither true nor false", "send true or false")
    return found


_FLAGS: Final[Mapping[str, bool]] = {"true": True, "1": True, "false": False, "0": False}


def optional_unix_s(cursor: Cursor, key: str) -> datetime | None:
    """A time in seconds since 1970, 2001 to 2100; None where it is missing or 0."""
    return _unix(cursor, key, 1_000_000, "seconds")


def unix_s(cursor: Cursor, key: str) -> datetime:
    """As `optional_unix_s`, for a time that must be there."""
    return _needed(cursor, key, optional_unix_s(cursor, key), "a time in seconds since 1970")


def optional_unix_ms(cursor: Cursor, key: str) -> datetime | None:
    """A time in milliseconds since 1970, 2001 to 2100; None where it is missing or 0."""
    return _unix(cursor, key, 1_000, "milliseconds")


def unix_ms(cursor: Cursor, key: str) -> datetime:
    """As `optional_unix_ms`, for a time that must be there."""
    return _needed(cursor, key, optional_unix_ms(cursor, key), "a time in milliseconds since 1970")


def _unix(cursor: Cursor, key: str, us: int, unit: str) -> datetime | None:
    value = cursor.fields.get(key)
    if value is None:
        return None
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if not value and not isinstance(value, dict | list):
        return None
    second = 1_000_000 // us
    if isinstance(value, bool) or not isinstance(value, int):
        cursor.fail(key, "is no time", f"send whole {unit} since 1970")
    if not _EARLIEST_S * second <= value < _LATEST_S * second:
        cursor.fail(key, f"is {value}, not {unit} of a time from 2001 to 2100", f"send {unit} since 1970")
    return EPOCH + timedelta(microseconds=value * us)


def optional_local(cursor: Cursor, key: str, zone: timezone) -> datetime | None:
    """A time without a zone, such as 2026-11-22 09:30:00, that is of this zone; None where it is missing."""
    text = cursor.optional_text(key)
    if text is None:
        return None
    if not _LOCAL.fullmatch(text):
        cursor.fail(key, f"is {text[:40]!r}", "send a time such as 2026-11-22 09:30:00")
    try:
        found = (datetime.fromisoformat(text) - zone.utcoffset(None)).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        cursor.fail(key, f"is {text[:40]!r}, which is no time", "send a time such as 2026-11-22 09:30:00")
    return _plausible(cursor, key, found)


def local(cursor: Cursor, key: str, zone: timezone) -> datetime:
    """As `optional_local`, for a time that must be there."""
    return _needed(cursor, key, optional_local(cursor, key, zone), "a time such as 2026-11-22 09:30:00")


def optional_rfc2822(cursor: Cursor, key: str) -> datetime | None:
    """A time as mail headers write it, such as Sun, 22 Nov 2026 09:30:00 +0000; None where it is missing."""
    text = cursor.optional_text(key)
    if text is None:
        return None
    try:
        found = parsedate_to_datetime(text[:60])
    except (ValueError, OverflowError):
        found = None
    if found is None or found.tzinfo is None:
        cursor.fail(key, f"is {text[:40]!r}", "send a time such as Sun, 22 Nov 2026 09:30:00 +0000")
    return _plausible(cursor, key, found.astimezone(UTC))


def rfc2822(cursor: Cursor, key: str) -> datetime:
    """As `optional_rfc2822`, for a time that must be there."""
    return _needed(cursor, key, optional_rfc2822(cursor, key), "a time such as Sun, 22 Nov 2026 09:30:00 +0000")


def _plausible(cursor: Cursor, key: str, found: datetime) -> datetime:
    if not 2001 <= found.year < 2100:
        cursor.fail(key, f"is a time of the year {found.year}", "send a time from 2001 to 2100")
    return found


def _needed(cursor: Cursor, key: str, found: datetime | None, what: str) -> datetime:
    if found is None:
        cursor.fail(key, "is missing", f"send {what}")
    return found


def state(cursor: Cursor, key: str, known: Mapping[str, T], default: T) -> T:
    """What the channel's word or number for a state means; an unknown one is noted as odd and means `default`."""
    value = cursor.fields.get(key)
    word = "" if value is None else str(value) if isinstance(value, str | int) and not isinstance(value, bool) else "?"
    if word in known:
        return known[word]
    if word:
        cursor.odd(key, f"{word[:40]!r} is no state that this library knows", OddityCode.UNKNOWN_STATE)
    return default


def json_inside(cursor: Cursor, key: str) -> Cursor | None:
    """The object that stands as JSON inside a text; None where it is missing, empty or null."""
    text = cursor.optional_text(key)
    if text is None or text == "null":
        return None
    try:
        return Cursor(read_json(text.encode("utf-8", "surrogatepass")), parent=cursor, key=key)
    except UnreadableBody as error:
        path = f"{cursor.path}.{key}"
        raise UnreadableBody(f"{path}, read as JSON: {error}", path=path) from None
