"""A cursor over a parsed JSON object that knows its path, so that every fault names its place and its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from omo_core.model.errors import InvalidMoney, UnreadableBody
from omo_core.model.orders import MAX_LINES, Oddity, OddityCode
from omo_core.model.values import MAX_QUANTITY, GeoPoint, check_currency, currency_exponent, parse_minor

V = TypeVar("V", bound=BaseModel)

MAX_ENTRIES: Final = MAX_LINES
"""Longest list that is read: refusing it takes no time, reading it would take seconds."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_AMOUNT: Final = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,20})?")
_SHORT: Final = 40
"""Longest amount that is remembered; no honest one comes near."""
_NOISE: Final = Decimal("0.000001")
"""How far from a whole minor unit an amount may be that binary floating point has spoilt, in minor units."""

_KINDS: Final = {bool: "true or false", int: "a number", Decimal: "a number", str: "a text", list: "a list"}


def microseconds(instant: datetime) -> int:
    """Whole microseconds since 1970, the `source_version` of channels that count no versions."""
    return (instant - EPOCH) // _MICROSECOND


def _parse_instant(text: str) -> datetime | None:
    """The instant as aware UTC; None where the text is no RFC 3339 time from 1970 to 2200."""
    # fromisoformat() alone would take week dates, times without an offset and times without seconds.
    if len(text) > 40 or not _INSTANT.fullmatch(text):
        return None
    try:
        instant = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if EPOCH <= instant < _LATEST else None


@lru_cache(maxsize=4_096)  # A shop has few prices: most amounts of a body were read before.
def known_minor(text: str, currency: str, noise: bool = False) -> int | None:
    """Minor units of a short text, as `Cursor.amount` reads it; None where that must say what is wrong with it."""
    try:
        return _exact_minor(text, currency, noise) if len(text) <= _SHORT else None
    except InvalidMoney:
        return None


def _exact_minor(value: str | int | Decimal, currency: str, noise: bool) -> int | None:
    """None where a text is no decimal amount."""
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        return None
    if noise:
        exact = Decimal(value).scaleb(currency_exponent(currency))
        noise = abs(exact - exact.to_integral_value()) < _NOISE
    return parse_minor(value, currency, round_noise=noise)


class Cursor:
    """One JSON object and the way to it. A field that is null counts as missing."""

    __slots__ = ("_index", "_key", "_parent", "fields", "noted")

    def __init__(self, document: Any, *, parent: Cursor | None = None, key: str = "", index: int | None = None) -> None:
        self.fields: dict[str, Any] = document
        self.noted: list[Oddity] = [] if parent is None else parent.noted
        self._parent = parent
        self._key = key
        self._index = index
        if type(document) is not dict:
            raise UnreadableBody(f"{self.path} is {_kind(document)}; send an object", path=self.path)

    @property
    def path(self) -> str:
        """Where this object stands in the document, such as $.line_items[2]."""
        own = "$" if self._parent is None else f"{self._parent.path}.{self._key}"
        return own if self._index is None else f"{own}[{self._index}]"

    def fail(self, key: str, fault: str, remedy: str) -> NoReturn:
        """Raise `UnreadableBody`: what is wrong with a field, and what to send instead."""
        path = f"{self.path}.{key}"
        raise UnreadableBody(f"{path} {fault}; {remedy}", path=path)

    def odd(self, key: str, sentence: str, code: OddityCode = OddityCode.ODD_VALUE) -> None:
        """Note that a field is odd and go on: for what changes neither goods nor money."""
        self.noted.append(Oddity(code=code, path=f"{self.path}.{key}"[:200], sentence=sentence[:500]))

    @property
    def oddities(self) -> tuple[Oddity, ...]:
        """What was odd in the whole document so far."""
        return tuple(self.noted)

    def has(self, key: str) -> bool:
        """Whether the field is there and not null."""
        return self.fields.get(key) is not None

    def only(self, known: frozenset[str]) -> None:
        """Refuse fields outside `known`: a misspelt field must not be half-read."""
        if not self.fields.keys() <= known:
            unknown = sorted(self.fields.keys() - known)[0]
            path = f"{self.path}.{unknown[:60]!r}"
            raise UnreadableBody(f"{path} is not a known field; use one of: {', '.join(sorted(known))}", path=path)

    def text(self, key: str) -> str:
        """A text that must be there and must not be empty."""
        value = self.optional_text(key)
        if value is None:
            self.fail(key, "is missing or empty", "send a text")
        return value

    def optional_text(self, key: str) -> str | None:
        """A text, or None where it is missing or empty."""
        value = self.fields.get(key)
        if type(value) is str:
            return value or None
        if value is not None:
            self.fail(key, f"is {_kind(value)}", "send a text")
        return None

    def identifier(self, key: str) -> str:
        """An id as text, also where it is written as an integer of any size."""
        value = self.optional_identifier(key)
        if value is None:
            self.fail(key, "is missing or empty", "send the id")
        return value

    def optional_identifier(self, key: str) -> str | None:
        """As `identifier`, or None where it is missing or blank."""
        value = self.fields.get(key)
        if type(value) is str:
            if not value.isascii() and not value.isprintable():
                self.fail(key, "holds invisible characters", "send the id without them")
            return value.strip() or None
        if type(value) is int:
            return str(value)
        if value is not None:
            self.fail(key, f"is {_kind(value)}", "send the id as a text or a whole number")
        return None

    def boolean(self, key: str, default: bool) -> bool:
        """True or false as JSON writes it; `default` where it is missing."""
        value = self.fields.get(key)
        if value is True or value is False:
            return value
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fail(key, f"is {_kind(value)}", "send true or false")
        return value

    def integer(self, key: str, *, least: int, most: int, what: str) -> int:
        """A whole number within bounds; `what` names the thing counted in the error."""
        value = self.fields.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            shown = "missing" if value is None else value if isinstance(value, Decimal) else _kind(value)
            self.fail(key, f"is {shown}", f"send {what}")
        if not least <= value <= most:
            self.fail(key, f"is {value}", f"send {what} from {least} to {most}")
        return value

    def quantity(self, key: str) -> int:
        """At least one whole unit."""
        value = self.fields.get(key)
        if type(value) is int and 1 <= value <= MAX_QUANTITY:
            return value
        return self.integer(key, least=1, most=MAX_QUANTITY, what="a whole number of units")

    def count(self, key: str, default: int | None = None) -> int:
        """Whole units, possibly none; `default` where it is missing and a default is given."""
        value = self.fields.get(key)
        if type(value) is int and 0 <= value <= MAX_QUANTITY:
            return value
        if default is not None and value is None:
            return default
        return self.integer(key, least=0, most=MAX_QUANTITY, what="a whole number of units")

    def instant(self, key: str) -> datetime:
        """An RFC 3339 time with its offset, as aware UTC, from 1970 to 2200."""
        value = self.optional_instant(key)
        if value is None:
            self.fail(key, "is missing or empty", "send a time such as 2026-11-21T09:30:00Z")
        return value

    def optional_instant(self, key: str) -> datetime | None:
        """As `instant`, or None where it is missing."""
        value = self.optional_text(key)
        if value is None:
            return None
        instant = _parse_instant(value)
        if instant is None:
            self.fail(key, f"is {value[:40]!r}", "send a time with its offset, such as 2026-11-21T09:30:00Z")
        return instant

    def currency(self, key: str) -> str:
        """An ISO 4217 code; raises `InvalidMoney`."""
        value = self.text(key)
        try:
            return check_currency(value[:40])
        except InvalidMoney as error:
            raise InvalidMoney(f"{self.path}.{key}: {error}", path=f"{self.path}.{key}") from None

    def money(self, key: str, currency: str, default: int | None = None, *, least: int | None = None) -> int:
        """Minor units of an amount written as a decimal text with at most the currency's digits.

        JSON numbers are refused: the sender may have rounded them already. Raises `InvalidMoney`.
        """
        value = self.fields.get(key)
        if type(value) is str and len(value) <= _SHORT:
            known = known_minor(value, currency)
            if known is not None and (least is None or known >= least):
                return known
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            shown = "missing" if value is None else _kind(value)
            self._bad_money(key, f'is {shown}; send a decimal amount as a text, such as "12.50"')
        minor = self._minor(key, value, currency)
        if least is not None and minor < least:
            self._bad_money(key, f"is {value[:40]}, less than {least}; send the amount without a minus sign")
        return minor

    def amount(self, key: str, currency: str, default: int | None = None, *, noise: bool = False) -> int:
        """Minor units of an amount in major units, written as a decimal text or a JSON number.

        `noise` takes what binary floating point made of an exact amount, such as "10.649999999999999", for that
        amount; anything further from a whole minor unit is refused all the same. Raises `InvalidMoney`.
        """
        value = self.fields.get(key)
        if type(value) is str and len(value) <= _SHORT:
            known = known_minor(value, currency, noise)
            if known is not None:
                return known
        if value is None or value == "":
            if default is None:
                self._bad_money(key, 'is missing; send a decimal amount, such as "12.50"')
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            self._bad_money(key, f'is {_kind(value)}; send a decimal amount, such as "12.50"')
        return self._minor(key, value, currency, noise=noise)

    def _minor(self, key: str, value: str | int | Decimal, currency: str, *, noise: bool = False) -> int:
        plain = not isinstance(value, str) or len(value) <= _SHORT
        try:
            minor = _exact_minor(value, currency, noise) if plain else None
        except InvalidMoney as error:
            self._bad_money(key, f"cannot be used: {error}")
        if minor is None:
            self._bad_money(key, f'is {str(value)[:40]!r}, not a decimal amount; send one such as "12.50"')
        return minor

    def _bad_money(self, key: str, fault: str) -> NoReturn:
        path = f"{self.path}.{key}"
        raise InvalidMoney(f"{path} {fault}", path=path)

    def point(self, latitude: str, longitude: str) -> GeoPoint | None:
        """The place in two fields of degrees (numbers or decimal texts), or None where both are missing."""
        if not self.has(latitude) and not self.has(longitude):
            return None
        degrees = [self._degrees(latitude, 90), self._degrees(longitude, 180)]
        return GeoPoint(latitude=degrees[0], longitude=degrees[1])

    def _degrees(self, key: str, limit: int) -> float:
        value = self.fields.get(key)
        if isinstance(value, str) and len(value) <= 40 and _AMOUNT.fullmatch(value):
            value = Decimal(value)
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not -limit <= value <= limit:
            self.fail(key, "is no number of degrees", f"send a decimal number from -{limit} to {limit}")
        return float(value)

    def child(self, key: str) -> Cursor:
        """The object in a field that must be there."""
        return Cursor(self.fields.get(key), parent=self, key=key)

    def optional_child(self, key: str) -> Cursor | None:
        """The object in a field, or None where it is missing."""
        value = self.fields.get(key)
        return None if value is None else Cursor(value, parent=self, key=key)

    def children(self, key: str) -> Iterator[Cursor]:
        """The objects in a list of at most `MAX_ENTRIES`; none where the list is missing."""
        for index, value in enumerate(self._list(key, "objects")):
            yield Cursor(value, parent=self, key=key, index=index)

    def documents(self, key: str) -> Iterator[Cursor]:
        """As `children`, for a list of whole orders: each notes only its own oddities."""
        for child in self.children(key):
            child.noted = []
            yield child

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of at most `MAX_ENTRIES` texts; empty where it is missing."""
        values = self._list(key, "texts")
        if not all(isinstance(value, str) for value in values):
            self.fail(key, "is no list of texts", "send a list of texts")
        return tuple(values)

    def _list(self, key: str, what: str) -> list[Any]:
        values = self.fields.get(key)
        if values is None:
            return []
        if type(values) is not list:
            self.fail(key, f"is {_kind(values)}", f"send a list of {what}")
        if len(values) > MAX_ENTRIES:
            self.fail(key, f"has {len(values)} entries", f"send at most {MAX_ENTRIES}")
        return values

    def build(self, kind: type[V], /, **values: Any) -> V:
        """The value made of these fields; what the value itself refuses becomes a fault at this path."""
        try:
            # What kind(**values) does, without a call of Python in between: values are built by the dozen an order.
            built: V = kind.__pydantic_validator__.validate_python(values)
            return built
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            path = f"{self.path}{place}"
            raise UnreadableBody(f"{path} cannot be used: {message}", path=path) from None


def _kind(value: Any) -> str:
    """What a value is, in words; never the value itself, which may be personal."""
    return "missing" if value is None else _KINDS.get(type(value), "an object")
