"""Numbers, money and percentages in words."""

import pytest

from omo_core.report import RunSummary, wording
from omo_core.report.summary import Share


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (0, "USD", "0.00 USD"),
        (123_456, "USD", "1,234.56 USD"),
        (-5, "USD", "−0.05 USD"),
        (1_234_567, "JPY", "1,234,567 JPY"),
        (1_234, "KWD", "1.234 KWD"),
    ],
)
def test_money(minor: int, currency: str, text: str) -> None:
    assert wording.money(minor, currency) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "–"), (1, 3, "33.3 %"), (9_999, 10_000, "99.9 %"), (10_000, 10_000, "100.0 %"), (0, 5, "0.0 %")],
)
def test_percent_never_rounds_up_to_all(part: int, whole: int, text: str) -> None:
    assert wording.percent(part, whole) == text
    assert wording.share(Share(part=part, whole=whole)) == text


def test_unknown_kinds_are_shown_as_they_are() -> None:
    assert wording.kind("store") == "Stores"
    assert wording.kind("dark_store") == "dark store"


def test_a_part_larger_than_its_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot exceed"):
        Share(part=2, whole=1)


def test_the_summary_round_trips_as_json(summary: dict[str, object]) -> None:
    read = RunSummary.model_validate(summary, strict=False)
    assert RunSummary.model_validate_json(read.model_dump_json()) == read
    assert read.cost_minor == 123_000
