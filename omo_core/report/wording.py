"""How the page writes numbers, money and the library's own words."""

from __future__ import annotations

from typing import Final

from omo_core.model.values import format_minor
from omo_core.report.summary import Share

KIND_WORDS: Final = {
    "store": "Stores",
    "dealer_store": "Dealers' stores",
    "regional_warehouse": "Regional warehouses",
    "central_warehouse": "Central warehouses",
    "pickup_point": "Pickup points",
}


def number(value: int | float, digits: int = 0) -> str:
    """With thousands separated, such as 12,345."""
    return f"{value:,.{digits}f}"


def percent(part: float, whole: float, digits: int = 1) -> str:
    """Such as 37.5 %; a dash of an empty whole. Only a full whole is written as 100 %."""
    if not whole:
        return "–"
    share = 100 * part / whole
    text = f"{share:.{digits}f}"
    if part < whole and float(text) >= 100:
        text = f"{100 - 10**-digits:.{digits}f}"
    return f"{text} %"


def share(value: Share) -> str:
    """The share in percent."""
    return percent(value.part, value.whole)


def money(minor: int, currency: str) -> str:
    """Such as 1,234.50 USD."""
    sign, text = ("−" if minor < 0 else ""), format_minor(abs(minor), currency)
    whole, dot, rest = text.partition(".")
    return f"{sign}{int(whole):,}{dot}{rest} {currency}"


def kind(name: str) -> str:
    """The kind of node in words; a word we do not know is shown as it is."""
    return KIND_WORDS.get(name, name.replace("_", " "))


def words(name: str) -> str:
    """A code such as one_hour in words."""
    return name.replace("_", " ")


def ratio(part: float, whole: float) -> float:
    """Between 0 and 100, for the length of a bar; rounded so that a page is the same everywhere."""
    return round(100 * part / whole, 2) if whole > 0 else 0.0
