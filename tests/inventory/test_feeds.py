"""Absolute feeds of other systems, on every engine: late, twice, out of order, and beside our own book."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from omo_core.model.goods import AbsoluteFeed
from omo_core.model.stock import Issue, IssueHolds
from omo_core.model.values import MAX_QUANTITY
from tests.inventory.conftest import Shop, place, receive, sell
from tests.inventory.goods import codes, count, counted, feed, row_codes, rows

HOUR = timedelta(hours=1)


def test_a_feed_sets_many_rows_at_once(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)))
    (answer,) = shop.apply(
        feed("f", ("MUG", "TPE", 3), ("MUG", "TPE", 1), ("MUG", "KHH", 2), ("BOWL", "TPE", 0), sequence=1)
    )
    assert answer.applied
    assert [(one.sku, one.node, one.quantity) for one in answer.corrections] == [("MUG", "TPE", -1), ("MUG", "KHH", 2)]
    assert shop.counters() == (4, 0, 0, 0)
    assert shop.counters(node="KHH") == (2, 0, 0, 0)


def test_older_and_equal_numbers_are_stale_for_their_rows_alone(shop: Shop) -> None:
    shop.apply(feed("f5", ("MUG", "TPE", 5), sequence=5))
    (answer,) = shop.apply(feed("f4", ("MUG", "TPE", 9), ("BOWL", "TPE", 7), sequence=4))
    assert answer.applied
    assert row_codes(answer) == ["stale_feed"]
    assert answer.row_refusals[0].parameters["stored"] == 5
    same, newer = shop.apply(feed("f5b", ("MUG", "TPE", 6), sequence=5), feed("f6", ("MUG", "TPE", 6), sequence=6))
    assert (row_codes(same), row_codes(newer)) == (["stale_feed"], [])
    assert shop.counters() == (6, 0, 0, 0)
    assert shop.counters("BOWL") == (7, 0, 0, 0)
    assert rows(shop, "SELECT sku, sequence FROM omo_reading ORDER BY sku") == [("BOWL", 4), ("MUG", 6)]


def test_numbers_of_two_sources_do_not_know_each_other(shop: Shop) -> None:
    first, second = shop.apply(
        feed("f", ("MUG", "TPE", 5), sequence=9), feed("g", ("MUG", "TPE", 4), sequence=1, source="erp")
    )
    assert (row_codes(first), row_codes(second)) == ([], [])
    assert shop.counters() == (4, 0, 0, 0)


def test_an_issue_that_the_feed_does_not_know_yet_is_not_undone(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 10)))
    shop.clock.advance(HOUR)
    reported_at = shop.clock.now()
    shop.clock.advance(HOUR)
    (hold,) = shop.held(place("order", ("MUG", "TPE", 4)))
    shop.apply(IssueHolds(key="i", lines=(Issue(hold=hold, quantity=3),)))
    (answer,) = shop.apply(feed("f", ("MUG", "TPE", 10), as_of=reported_at))
    assert answer.corrections == ()
    assert shop.counters() == (7, 1, 0, 0)
    # Without an instant the feed claims to be of now: what it says is what is there.
    shop.apply(feed("g", ("MUG", "TPE", 8), sequence=2**61))
    assert shop.counters() == (8, 1, 0, 0)


def test_feeds_ordered_by_their_instants_alone(shop: Shop) -> None:
    first = shop.clock.now()
    shop.clock.advance(HOUR)
    second = shop.clock.now()
    late, early, again = shop.apply(
        feed("f2", ("MUG", "TPE", 2), as_of=second),
        feed("f1", ("MUG", "TPE", 1), as_of=first),
        feed("f2b", ("MUG", "TPE", 3), as_of=second),
    )
    assert (row_codes(late), row_codes(early), row_codes(again)) == ([], ["stale_feed"], ["stale_feed"])
    assert shop.counters() == (2, 0, 0, 0)


def test_a_count_is_stronger_than_an_older_feed_and_the_other_way_round(shop: Shop) -> None:
    reported_at = shop.clock.now()
    shop.clock.advance(HOUR)
    counted_at = shop.clock.now()
    shop.clock.advance(HOUR)
    _, old = shop.apply(count("c", ("MUG", "TPE", 3), at=counted_at), feed("f", ("MUG", "TPE", 9), as_of=reported_at))
    assert row_codes(old) == ["stale_reading"]
    shop.apply(feed("g", ("MUG", "TPE", 5), as_of=shop.clock.now()))
    (stale,) = shop.apply(count("d", ("MUG", "TPE", 3), at=counted_at))
    assert codes(stale) == ["stale_reading"]
    assert shop.counters() == (5, 0, 0, 0)


def test_a_feed_below_what_is_promised_displaces_and_leaves_the_count_task(shop: Shop) -> None:
    shop.apply(sell("s", ("MUG", "TPE", 2)), receive("r", ("MUG", "TPE", 5)), place("a", ("MUG", "TPE", 4)))
    (answer,) = shop.apply(feed("f", ("MUG", "TPE", 1), sequence=1))
    assert [(gone.owner, gone.quantity) for gone in answer.displaced] == [("a", 3)]
    assert shop.counters() == (1, 1, 0, 0)
    assert rows(shop, "SELECT state FROM omo_count_task") == [("open",)]
    assert shop.count("outbox") == 2


def test_strangers_and_absurd_rows_are_passed_over(shop: Shop) -> None:
    as_of = shop.clock.now()
    shop.clock.advance(HOUR)
    shop.apply(receive("r", ("VASE", "TPE", 1)))
    (answer,) = shop.apply(
        feed(
            "f",
            ("CUP", "TPE", 1),
            ("MUG", "XXX", 1),
            ("MUG", "TPE", 2),
            ("VASE", "TPE", MAX_QUANTITY),
            sequence=1,
            as_of=as_of,
        )
    )
    assert answer.applied
    assert row_codes(answer) == ["unknown_sku", "unknown_node", "quantity_limit"]
    assert shop.counters() == (2, 0, 0, 0)
    assert shop.count("stock") == 2


def test_a_feed_of_the_future_is_refused_and_a_repeated_one_is_once(shop: Shop) -> None:
    (future,) = shop.apply(feed("f", ("MUG", "TPE", 1), as_of=shop.clock.now() + HOUR))
    assert codes(future) == ["read_in_future"]
    command = feed("g", ("MUG", "TPE", 1), ("CUP", "TPE", 1), sequence=1)
    first, again = (shop.apply(command)[0].model_dump_json() for _ in range(2))
    assert first == again


def test_a_feed_must_be_ordered_somehow() -> None:
    with pytest.raises(ValidationError, match="needs a sequence or an as_of"):
        AbsoluteFeed(key="f", source="wms", lines=counted(("MUG", "TPE", 1)))
