"""The preparation in the report's words."""

import pytest

from omo_core.demo import DemoFiles, preparation_counts, subtitle, title

pytestmark = pytest.mark.slow


def test_every_cleaning_count_is_told_in_order_with_its_reason(small: DemoFiles) -> None:
    rows = preparation_counts(small.counts)
    assert [row.count for row in rows[:7]] == [1_469_307, 4_836, 25_581, 3_902, 662, 1_434_988, 140_113]
    assert all(row.reason for row in rows)
    assert all(row.of is None or row.count <= row.of for row in rows)
    told = {row.what: row.count for row in rows}
    assert told["Counter sales"] + told["Online baskets"] == told["Baskets that flow"] == 300
    assert told["Shipped"] + told["Picked up"] + told["Asked for in one hour"] == told["Online baskets"]
    assert told["Online lines off catalogue"] == small.counts["lines_of_flow"]["off_catalogue"]


def test_title_and_subtitle_say_what_flows_and_whose_places(small: DemoFiles) -> None:
    assert title(small.counts) == "300 baskets through one stock pool"
    assert subtitle(small.counts) == (
        "The Complete Journey baskets from Monday 2017-08-07, seed 7. Places are ours: the source has no coordinates."
    )
