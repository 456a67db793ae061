"""What is read and cleaned away, against the published counts and a row-by-row twin."""

from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest

from omo_core.demo import baskets
from omo_core.demo.baskets import PERIODS, CleanBaskets, read_clean_baskets
from omo_core.model.errors import InvalidInput


@pytest.mark.slow
def test_published_counts(clean: CleanBaskets) -> None:
    assert (clean.lines_read, clean.baskets_read) == (1_469_307, 155_848)
    assert [step.lines for step in clean.steps] == [4_836, 25_581, 3_902, 662]
    left = len(np.unique(clean.lines.basket))
    assert round(100 * len(clean.lines) / clean.lines_read, 1) == 97.7
    assert round(100 * left / clean.baskets_read, 1) == 89.9


@pytest.mark.slow
def test_dropped_lines_are_what_is_missing(clean: CleanBaskets) -> None:
    dropped = sum(step.lines for step in clean.steps[:3])
    assert len(clean.lines) == clean.lines_read - dropped
    assert clean.lines.quantity.min() >= 1
    assert clean.lines.quantity.max() == 12


def test_a_capped_line_keeps_its_price_for_a_unit() -> None:
    def column(*values: int) -> baskets.Ints:
        return np.array(values, np.int64)

    lines = baskets.Lines(
        basket=column(1, 2),
        household=column(1, 2),
        store=column(1, 2),
        product=column(1, 2),
        quantity=column(20, 5),
        instant_s=column(1, 2),
        sales_minor=column(1_000, 1_000),
        retail_discount_minor=column(100, 100),
        coupon_minor=column(50, 50),
    )
    capped = baskets._capped(lines, lines.quantity > 12)
    assert capped.quantity.tolist() == [12, 5]
    assert capped.sales_minor.tolist() == [600, 1_000]
    assert capped.retail_discount_minor.tolist() == [60, 100]
    assert capped.coupon_minor.tolist() == [30, 50]
    assert lines.sales_minor.tolist() == [1_000, 1_000]


@pytest.mark.slow
def test_periods_begin_on_local_mondays(clean: CleanBaskets) -> None:
    period = PERIODS["demo"]
    assert datetime.fromtimestamp(period.flow_s, UTC) == datetime(2017, 8, 7, 4, tzinfo=UTC)
    assert datetime.fromtimestamp(PERIODS["second"].flow_s, UTC) == datetime(2017, 10, 16, 4, tzinfo=UTC)
    assert {period.weeks for period in PERIODS.values()} == {8}
    history = clean.history(period)
    assert history.instant_s.min() >= period.history_s
    assert history.instant_s.max() < period.flow_s
    cells = np.unique(np.stack([history.store, history.product]), axis=1).shape[1]
    assert (cells, len(np.unique(history.product)), len(np.unique(history.store))) == (150_003, 29_771, 220)


@pytest.mark.slow
def test_the_flow_is_in_order_of_time_and_whole_baskets(clean: CleanBaskets) -> None:
    flow = clean.flow(PERIODS["demo"], 500)
    keys = list(zip(flow.instant_s.tolist(), flow.basket.tolist(), flow.product.tolist(), strict=True))
    assert keys == sorted(keys)
    sizes = Counter(flow.basket.tolist())
    assert len(sizes) == 500
    whole = Counter(clean.lines.basket[np.isin(clean.lines.basket, list(sizes))].tolist())
    assert sizes == whole
    assert flow.basket[flow.basket_starts].tolist() == list(sizes)


@pytest.mark.slow
def test_more_baskets_than_there_are_is_refused(clean: CleanBaskets) -> None:
    with pytest.raises(InvalidInput, match="ask for fewer"):
        clean.flow(PERIODS["demo"], 200_000)


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baskets, "PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(InvalidInput, match="pip install"):
        read_clean_baskets()
