"""The smallest values: ids, quantities, money, instants and places, each valid from birth."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation, localcontext
from functools import cache
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import core_schema

from omo_core.model.currencies import EXPONENTS
from omo_core.model.errors import InvalidMoney

MAX_QUANTITY: Final = 1_000_000_000
"""Largest quantity of one line or posting in base units; more is taken for a defect of the sender."""

MAX_MINOR: Final = 10**15
"""Largest absolute amount in minor units; sums of a million such amounts still fit 64 bits in the database."""


class Value(BaseModel):
    """A frozen, strict pydantic value that knows no field it was not given.

    What several fields must be together is checked in `model_post_init` where values are made by the dozen a message: it
    runs when a value is made, and not again whenever it becomes part of another, as a validator would.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_bytes="hex")

    def canonical_json(self) -> str:
        """One fixed JSON text of the value (fields in order of declaration), the input of request hashes."""
        return self.model_dump_json()

    def digest(self) -> str:
        """SHA-256 of `canonical_json`, in hex."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


V = TypeVar("V", bound=Value)


def of_valid(kind: type[V], /, **fields: Any) -> V:
    """A value of fields that are known to be valid: every field, in order of declaration, defaults too.

    Nothing is checked or converted. For what the library itself makes by the thousand from values that it checked before:
    checking them again is most of what making them costs, and `model_construct` is slower than checking.
    """
    value = kind.__new__(kind)
    keep = object.__setattr__  # the value is frozen
    keep(value, "__dict__", fields)
    keep(value, "__pydantic_fields_set__", _fields_of(kind))
    keep(value, "__pydantic_extra__", None)
    keep(value, "__pydantic_private__", None)
    return value


@cache
def _fields_of(kind: type[Value]) -> set[str]:
    """Shared by the values of a kind: they are frozen, and copies take a set of their own."""
    return set(kind.model_fields)


class _TextRule:
    """What a text must be, checked without a call back into Python: values are made by the million."""

    def __init__(self, pattern: str, sentence: str) -> None:
        self.pattern = pattern
        self.sentence = sentence

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        # Lone surrogates need no rule: they cannot become the UTF-8 that the check works on.
        return core_schema.custom_error_schema(
            core_schema.str_schema(pattern=self.pattern, strict=True), "text_rule", custom_error_message=self.sentence
        )


def _one_line(most: int) -> _TextRule:
    """What ids are: nothing that databases and logs cannot carry, and no blank that nobody sees."""
    inner = most - 2
    return _TextRule(
        rf"^[^\s\p{{Cc}}](?:[^\p{{Cc}}]{{0,{inner}}}[^\s\p{{Cc}}])?$",
        f"must be one line of text, 1 to {most} characters, without control characters or white space at its ends",
    )


def _aware_utc(instant: datetime) -> datetime:
    if instant.tzinfo is UTC:
        return instant
    if instant.tzinfo is None:
        raise ValueError("must carry a time zone")
    return instant.astimezone(UTC)


def check_currency(code: str) -> str:
    """Return `code` if it is an active ISO 4217 code of money in use; raise `InvalidMoney` otherwise."""
    if code not in EXPONENTS:
        raise InvalidMoney(f"{code!r} is not an ISO 4217 currency code; send three capital letters such as USD")
    return code


Currency = Annotated[str, AfterValidator(check_currency)]
"""An ISO 4217 code of money in use."""

Identifier = Annotated[str, _one_line(128)]
"""An id of one of our nouns or of another system's: case-sensitive, at most 128 characters, one line."""

Key = Annotated[str, _one_line(200)]
"""An idempotency key, chosen by the caller, unique per scope."""

Text = Annotated[str, _TextRule(r"^[^\x00]{0,2000}$", "must be text of at most 2000 characters, without NUL")]
"""Free text of a person or platform; never an id."""

Sku = Identifier
NodeId = Identifier
ChannelId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]

Quantity = Annotated[int, Field(gt=0, le=MAX_QUANTITY)]
"""Whole base units, at least one."""

Count = Annotated[int, Field(ge=0, le=MAX_QUANTITY)]
"""Whole base units, possibly none."""

Minor = Annotated[int, Field(ge=-MAX_MINOR, le=MAX_MINOR)]
"""An amount in minor units of a currency named beside it."""

Instant = Annotated[datetime, AfterValidator(_aware_utc)]
"""An aware instant, kept in UTC."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class GeoPoint(Value):
    """A place on the WGS 84 ellipsoid, in degrees."""

    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class Money(Value):
    """An amount in minor units of an ISO 4217 currency; sums refuse to mix currencies."""

    minor: Minor
    currency: Currency

    @classmethod
    def parse(cls, text: str | int | Decimal, currency: str) -> Self:
        """Read an amount in major units exactly; digits below the minor unit are refused, never rounded.

        Raises `InvalidMoney`.
        """
        return cls(minor=parse_minor(text, currency), currency=currency)

    def __add__(self, other: Self) -> Self:
        self._same_currency(other)
        return type(self)(minor=self.minor + other.minor, currency=self.currency)

    def __sub__(self, other: Self) -> Self:
        self._same_currency(other)
        return type(self)(minor=self.minor - other.minor, currency=self.currency)

    def __str__(self) -> str:
        return f"{format_minor(self.minor, self.currency)} {self.currency}"

    def _same_currency(self, other: Self) -> None:
        if self.currency != other.currency:
            raise InvalidMoney(f"{self} and {other} are of two currencies; convert one before adding")


def currency_exponent(code: str) -> int:
    """Digits after the decimal mark in the currency's major unit: 2 for USD, 0 for JPY, 3 for KWD."""
    return EXPONENTS[check_currency(code)]


def parse_minor(text: str | int | Decimal, currency: str, *, round_noise: bool = False) -> int:
    """Minor units of an amount given in major units; floats are refused because they have no exact value.

    `round_noise` quantises half-even, for platforms whose amounts are known to carry float noise.
    Raises `InvalidMoney`.
    """
    exponent = currency_exponent(currency)
    if isinstance(text, bool | float) or not isinstance(text, str | int | Decimal):
        raise InvalidMoney(f"{text!r} is not an exact amount; send a decimal string such as '12.34'")
    try:
        # Decimal() alone would take '١٢', '1_000', ' 1 ' and 'NaN'.
        if isinstance(text, str) and not (text.isascii() and text.strip() == text and "_" not in text):
            raise InvalidOperation
        amount = Decimal(text)
    except InvalidOperation:
        raise InvalidMoney(f"{text!r} is not a decimal amount; send one such as '12.34'") from None
    if not amount.is_finite() or amount.copy_abs() > MAX_MINOR:
        raise InvalidMoney(f"{text!r} is not a finite amount within the limits; send one such as '12.34'")
    with localcontext(prec=len(amount.as_tuple().digits) + 20):
        # The default precision would round a text of more than 28 digits to one that looks exact.
        minor = amount.scaleb(exponent)
        whole = minor.to_integral_value()
    if minor != whole and not round_noise:
        raise InvalidMoney(f"{text!r} has more than the {exponent} decimals of {currency}; send the exact amount")
    if abs(whole) > MAX_MINOR:
        raise InvalidMoney(f"{text!r} {currency} is over the largest amount that can be kept")
    return int(whole)


def format_minor(minor: int, currency: str) -> str:
    """The amount in major units as a decimal string with the currency's digits, such as '12.34' or '1200'."""
    exponent = currency_exponent(currency)
    return str(Decimal(minor).scaleb(-exponent).quantize(Decimal(1).scaleb(-exponent)))
