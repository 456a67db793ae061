"""Values are valid from birth, and amounts are exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from babel.core import get_global
from babel.numbers import get_currency_precision
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from omo_core.model.currencies import EXPONENTS
from omo_core.model.errors import InvalidMoney
from omo_core.model.values import MAX_MINOR, Identifier, Instant, Money, Quantity, Sha256, format_minor, parse_minor

# Currencies whose ISO 4217 minor unit CLDR, which babel carries, rounds away because no coins of it are in use.
CLDR_DIFFERS = {"AFN", "ALL", "IQD", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SOS", "SYP", "YER"}


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("12.34", "USD", 1234), ("23600", "JPY", 23600), ("-0.001", "KWD", -1), ("1e2", "USD", 10_000), (7, "EUR", 700)],
)
def test_amounts_in_major_units_become_minor_units(text: str | int, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor=minor, currency=currency)


@pytest.mark.parametrize(
    "text",
    [
        "12.345",
        "12.34" + "0" * 40 + "1",
        "NaN",
        "Infinity",
        "1e400",
        "",
        " 1",
        "1_000",
        "١٢",
        "0x10",
        "1,5",
        1.5,
        True,
        None,
        Decimal("sNaN"),
    ],
)
def test_an_amount_without_an_exact_value_is_refused(text: object) -> None:
    with pytest.raises(InvalidMoney, match=r"send|limits|decimal"):
        parse_minor(text, "USD")  # type: ignore[arg-type]


def test_float_noise_is_rounded_only_where_the_caller_knows_of_it() -> None:
    assert parse_minor("10.649999999999999", "USD", round_noise=True) == 1065
    with pytest.raises(InvalidMoney, match="2 decimals of USD"):
        parse_minor("10.649999999999999", "USD")


def test_an_unknown_currency_is_refused_by_name() -> None:
    with pytest.raises(InvalidMoney, match="'XXX' is not an ISO 4217 currency code"):
        parse_minor("1", "XXX")
    with pytest.raises(ValidationError, match="not an ISO 4217 currency code"):
        Money(minor=1, currency="usd")


def test_sums_do_not_mix_currencies() -> None:
    one = Money(minor=1, currency="USD")
    assert one + one - one == one
    with pytest.raises(InvalidMoney, match=r"0\.01 USD and 1 JPY"):
        one + Money(minor=1, currency="JPY")


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(sorted(EXPONENTS)))
def test_formatting_and_parsing_are_inverse(minor: int, currency: str) -> None:
    assert parse_minor(format_minor(minor, currency), currency) == (minor if abs(minor) <= MAX_MINOR else None)


def test_exponents_agree_with_cldr() -> None:
    known = set(get_global("all_currencies"))
    differing = {code for code, digits in EXPONENTS.items() if code in known and get_currency_precision(code) != digits}
    assert set(EXPONENTS) <= known
    assert differing == CLDR_DIFFERS


@pytest.mark.parametrize("text", ["", " a", "a ", "a\nb", "a\x00", "\ud800", "x" * 129, "a\u0085"])
def test_identifiers_carry_no_surprises(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Identifier).validate_python(text)


def test_identifiers_keep_case_and_any_script() -> None:
    adapter = TypeAdapter(Identifier)
    assert [adapter.validate_python(text) for text in ("sku-a", "SKU-A", "杯子")] == ["sku-a", "SKU-A", "杯子"]


@pytest.mark.parametrize("value", [0, -1, 10**10, True, 1.0, "1"])
def test_quantities_are_whole_positive_and_bounded(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_python(value, strict=True)


def test_instants_are_kept_in_utc_and_naive_ones_refused() -> None:
    adapter = TypeAdapter(Instant)
    local = datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    assert adapter.validate_python(local) == datetime(2026, 3, 1, tzinfo=UTC)
    assert adapter.validate_python(local).tzinfo is UTC
    with pytest.raises(ValidationError, match="must carry a time zone"):
        adapter.validate_python(datetime(2026, 3, 1))  # noqa: DTZ001


def test_a_hash_is_exactly_64_hex_digits() -> None:
    adapter = TypeAdapter(Sha256)
    assert adapter.validate_python("a" * 64)
    for text in ("a" * 63, "A" * 64, "a" * 64 + "\n"):
        with pytest.raises(ValidationError):
            adapter.validate_python(text)
