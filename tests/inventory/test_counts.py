"""Counts and corrections, on every engine: the shelf is right, whatever the book says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from omo_core.model.goods import Adjustment, AdjustReason, AdjustStock
from omo_core.model.values import MAX_QUANTITY
from tests.inventory.conftest import Shop, place, receive, sell
from tests.inventory.goods import adjust, codes, count, counters, places, rows

HOUR = timedelta(hours=1)


def corrections(answer: object) -> list[tuple[str, str, int]]:
    return [(one.sku, one.node, one.quantity) for one in answer.corrections]  # type: ignore[attr-defined]


def test_a_count_sets_on_hand_and_says_what_it_corrected(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5), ("BOWL", "TPE", 2)))
    (answer,) = shop.apply(count("c", ("MUG", "TPE", 3), ("MUG", "TPE", 4), ("BOWL", "TPE", 1), ("VASE", "KHH", 6)))
    assert corrections(answer) == [("MUG", "TPE", 2), ("BOWL", "TPE", -1), ("VASE", "KHH", 6)]
    assert shop.counters() == (7, 0, 0, 0)
    assert shop.counters("BOWL") == (1, 0, 0, 0)
    assert places(shop) == {"stock": 7, "supplier": -5, "adjustment": -2}


def test_a_count_that_finds_the_book_right_changes_nothing_but_is_remembered(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)))
    same, none = shop.apply(count("c", ("MUG", "TPE", 5)), count("d", ("VASE", "KHH", 0)))
    assert same.applied
    assert none.applied
    assert (corrections(same), corrections(none)) == ([], [])
    assert shop.level().version == 1
    assert rows(shop, "SELECT sku, quantity FROM omo_reading ORDER BY sku") == [("MUG", 5), ("VASE", 0)]
    assert shop.count("stock") == 1


def test_a_count_below_what_is_promised_displaces_the_newest_promises(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 6)))
    for owner in ("old", "middle", "new"):
        shop.apply(place(owner, ("MUG", "TPE", 2)))
    (answer,) = shop.apply(count("c", ("MUG", "TPE", 3)))
    assert [(gone.owner, gone.quantity) for gone in answer.displaced] == [("new", 2), ("middle", 1)]
    assert answer.shortages == ()
    assert shop.counters() == (3, 3, 0, 0)
    assert rows(shop, "SELECT type FROM omo_outbox") == [("omo.stock.sold_short.v1",)]


def test_a_count_displaces_promises_made_earlier_in_its_own_batch(shop: Shop) -> None:
    *_, answer = shop.apply(
        receive("r", ("MUG", "TPE", 4)), place("a", ("MUG", "TPE", 3)), count("c", ("MUG", "TPE", 1))
    )
    assert [(gone.owner, gone.quantity) for gone in answer.displaced] == [("a", 2)]
    assert shop.counters() == (1, 1, 0, 0)


def test_a_count_settles_the_shortage_and_closes_the_tasks_of_its_row_alone(shop: Shop) -> None:
    shop.apply(sell("s", ("MUG", "TPE", 5), ("BOWL", "TPE", 1)), sell("t", ("MUG", "TPE", 1)))
    shop.apply(count("c", ("MUG", "TPE", 2)))
    assert shop.counters() == (2, 0, 0, 0)
    assert shop.counters("BOWL") == (0, 0, 0, 1)
    tasks = rows(shop, "SELECT sku, state, closed_by IS NOT NULL FROM omo_count_task ORDER BY sku, state")
    assert [(sku, state, bool(closed)) for sku, state, closed in tasks] == [
        ("BOWL", "open", False),
        ("MUG", "closed", True),
        ("MUG", "closed", True),
    ]


def test_a_count_closes_a_task_that_its_own_batch_opened(shop: Shop) -> None:
    shop.apply(sell("s", ("MUG", "TPE", 5)), count("c", ("MUG", "TPE", 0)), sell("t", ("MUG", "TPE", 1)))
    assert shop.counters() == (0, 0, 0, 1)
    assert rows(shop, "SELECT state, quantity FROM omo_count_task ORDER BY quantity") == [("open", 1), ("closed", 5)]


def test_what_moved_after_the_count_is_applied_on_top_of_it(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 10)))
    shop.clock.advance(HOUR)
    counted_at = shop.clock.now()
    shop.clock.advance(HOUR)
    shop.apply(sell("s", ("MUG", "TPE", 4)))
    shop.clock.advance(HOUR)
    # In the same batch, before the sheet is entered: it moved after the count too.
    _, answer = shop.apply(receive("r2", ("MUG", "TPE", 1)), count("c", ("MUG", "TPE", 8), at=counted_at))
    assert corrections(answer) == [("MUG", "TPE", -2)]
    assert shop.counters() == (8 - 4 + 1, 0, 0, 0)


def test_more_sold_since_the_count_than_it_found_is_a_shortage(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 6)))
    counted_at = shop.clock.now()
    shop.clock.advance(HOUR)
    shop.apply(sell("s", ("MUG", "TPE", 5)))
    (answer,) = shop.apply(count("c", ("MUG", "TPE", 2), at=counted_at))
    assert [one.quantity for one in answer.shortages] == [3]
    assert shop.counters() == (0, 0, 0, 3)
    assert rows(shop, "SELECT quantity, state FROM omo_count_task") == [(3, "open")]


def test_a_shortage_and_a_task_of_after_the_count_are_not_settled_by_it(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2)))
    counted_at = shop.clock.now()
    shop.clock.advance(HOUR)
    shop.apply(sell("s", ("MUG", "TPE", 5)))
    assert shop.counters() == (0, 0, 0, 3)
    (answer,) = shop.apply(count("c", ("MUG", "TPE", 4), at=counted_at))
    assert (answer.shortages, corrections(answer)) == ((), [])
    assert shop.counters() == (0, 0, 0, 1)
    assert rows(shop, "SELECT state FROM omo_count_task") == [("open",)]


def test_counts_entered_late_converge_because_corrections_move_nothing(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 6)))
    first = shop.clock.now()
    shop.clock.advance(HOUR)
    second = shop.clock.now()
    shop.clock.advance(HOUR)
    shop.apply(count("c1", ("MUG", "TPE", 10), at=first))
    shop.apply(count("c2", ("MUG", "TPE", 10), at=second))
    assert shop.counters() == (10, 0, 0, 0)
    *_, again = shop.apply(
        sell("s", ("MUG", "TPE", 1)),
        count("c3", ("MUG", "TPE", 9), at=second),
        count("c4", ("MUG", "TPE", 9), at=second),
    )
    assert corrections(again) == []
    assert shop.counters() == (8, 0, 0, 0)


def test_promises_made_since_the_count_are_displaced_where_the_goods_left_since(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 10)))
    counted_at = shop.clock.now()
    shop.clock.advance(HOUR)
    shop.apply(sell("s", ("MUG", "TPE", 6)), place("a", ("MUG", "TPE", 4)))
    # More was counted than the book has now, and still too little: six of the seven are sold.
    (answer,) = shop.apply(count("c", ("MUG", "TPE", 7), at=counted_at))
    assert [(gone.owner, gone.quantity) for gone in answer.displaced] == [("a", 3)]
    assert shop.counters() == (1, 1, 0, 0)


def test_what_was_booked_at_the_very_instant_of_a_count_was_counted(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 10)))
    first = shop.clock.now()
    shop.clock.advance(HOUR)
    shop.apply(sell("s", ("MUG", "TPE", 4)))
    second = shop.clock.now()
    shop.clock.advance(HOUR)
    earlier, later = shop.apply(count("c1", ("MUG", "TPE", 10), at=first), count("c2", ("MUG", "TPE", 6), at=second))
    assert (corrections(earlier), corrections(later)) == ([], [])
    assert shop.counters() == (6, 0, 0, 0)


def test_a_count_older_than_the_last_is_refused_whole(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 6), ("BOWL", "TPE", 6)))
    first = shop.clock.now()
    shop.clock.advance(HOUR)
    shop.apply(count("c2", ("MUG", "TPE", 4)))
    (stale,) = shop.apply(count("c1", ("MUG", "TPE", 6), ("BOWL", "TPE", 1), at=first))
    assert codes(stale) == ["stale_reading"]
    assert shop.counters() == (4, 0, 0, 0)
    assert shop.counters("BOWL") == (6, 0, 0, 0)


def test_a_count_of_the_future_and_of_strangers_is_refused(shop: Shop) -> None:
    future, stranger = shop.apply(
        count("c", ("MUG", "TPE", 6), at=shop.clock.now() + HOUR), count("d", ("CUP", "XXX", 1))
    )
    assert codes(future) == ["read_in_future"]
    assert codes(stranger) == ["unknown_sku", "unknown_node"]
    assert shop.count("stock") == 0
    assert shop.count("reading") == 0


def test_a_repeated_key_gets_the_stored_answer(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)), place("a", ("MUG", "TPE", 3)))
    (first,) = shop.apply(count("c", ("MUG", "TPE", 1)))
    shop.apply(receive("r2", ("MUG", "TPE", 3)))
    (again,) = shop.apply(count("c", ("MUG", "TPE", 1)))
    assert again.model_dump_json() == first.model_dump_json()
    assert first.displaced
    assert shop.counters() == (4, 1, 0, 0)


def test_a_long_history_since_the_count_is_walked_to_its_end(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 500)))
    counted_at = shop.clock.now()
    shop.clock.advance(HOUR)
    shop.apply(*(sell(f"s{number}", ("MUG", "TPE", 1)) for number in range(150)))
    shop.apply(count("c", ("MUG", "TPE", 400), at=counted_at))
    assert shop.counters() == (250, 0, 0, 0)


def test_a_count_of_unsellable_goods_leaves_the_sellable_row_alone(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)), count("c", ("MUG", "TPE", 2), condition="quarantine"))
    assert counters(shop, condition="quarantine") == (2, 0, 0)
    assert shop.counters() == (3, 0, 0, 0)
    assert shop.level().available == 3


def test_an_adjustment_adds_and_takes_with_its_reason(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)))
    shop.apply(
        adjust("a", ("MUG", "TPE", -2), reason=AdjustReason.DAMAGE),
        adjust("b", ("MUG", "TPE", 3), ("MUG", "TPE", 1), reason=AdjustReason.FOUND),
    )
    assert shop.counters() == (7, 0, 0, 0)
    assert places(shop) == {"stock": 7, "supplier": -5, "lost": 2, "adjustment": -4}


def test_an_adjustment_takes_promised_goods_and_runs_short(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)), place("a", ("MUG", "TPE", 2)))
    (answer,) = shop.apply(adjust("x", ("MUG", "TPE", -4), reason=AdjustReason.THEFT))
    assert [(gone.owner, gone.quantity) for gone in answer.displaced] == [("a", 2)]
    assert [one.quantity for one in answer.shortages] == [1]
    assert shop.counters() == (0, 0, 0, 1)
    assert places(shop) == {"supplier": -3, "lost": 4, "adjustment": -1}
    assert shop.count("count_task") == 1


def test_a_row_holds_at_most_so_many_units(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", MAX_QUANTITY)))
    more, found, most = shop.apply(
        receive("r2", ("MUG", "TPE", 1)),
        adjust("a", ("MUG", "TPE", 1), reason=AdjustReason.FOUND),
        count("c", ("MUG", "TPE", MAX_QUANTITY)),
    )
    assert (codes(more), codes(found), codes(most)) == (["quantity_limit"], ["quantity_limit"], [])
    assert shop.counters() == (MAX_QUANTITY, 0, 0, 0)


def test_a_count_is_refused_where_what_came_since_exceeds_the_limit(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 1)))
    counted_at = shop.clock.now()
    shop.clock.advance(HOUR)
    shop.apply(receive("r2", ("MUG", "TPE", 5)))
    (over,) = shop.apply(count("c", ("MUG", "TPE", MAX_QUANTITY - 4), at=counted_at))
    assert codes(over) == ["quantity_limit"]
    assert shop.counters() == (6, 0, 0, 0)


def test_lines_that_make_no_sense_are_refused_at_birth() -> None:
    with pytest.raises(ValidationError, match="add to more than"):
        count("c", ("MUG", "TPE", MAX_QUANTITY), ("MUG", "TPE", 1))
    with pytest.raises(ValidationError, match="changes nothing"):
        Adjustment(sku="MUG", node="TPE", quantity=0)
    for reason, units in ((AdjustReason.THEFT, 1), (AdjustReason.FOUND, -1)):
        with pytest.raises(ValidationError, match="direction"):
            AdjustStock(key="a", lines=(Adjustment(sku="MUG", node="TPE", quantity=units),), reason=reason)
