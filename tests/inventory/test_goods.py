"""Goods that come and go: receipts, counter sales, safety stock, on every engine."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from omo_core.model.stock import SetSafety
from omo_core.model.values import MAX_QUANTITY
from tests.inventory.conftest import Shop, place, receive, sell


def codes(answer: object) -> list[str]:
    return [refusal.code for refusal in answer.refusals]  # type: ignore[attr-defined]


def test_a_receipt_makes_rows_and_adds_to_them(shop: Shop) -> None:
    first, second = shop.apply(
        receive("r1", ("MUG", "TPE", 2), ("MUG", "TPE", 3), ("BOWL", "KHH", 1)), receive("r2", ("MUG", "TPE", 4))
    )
    assert first.applied
    assert second.applied
    assert shop.counters() == (9, 0, 0, 0)
    # Two lines of one row are one change of it; the second receipt is its second version.
    assert shop.level().version == 2
    assert shop.counters("BOWL", "KHH") == (1, 0, 0, 0)


def test_unknown_items_and_nodes_are_refused_and_leave_nothing(shop: Shop) -> None:
    bad_sku, bad_node, bad_sale, good = shop.apply(
        receive("r1", ("MUG", "TPE", 1), ("CUP", "TPE", 1)),
        receive("r2", ("MUG", "XXX", 1)),
        sell("s1", ("CUP", "YYY", 1)),
        receive("r3", ("MUG", "TPE", 7)),
    )
    assert codes(bad_sku) == ["unknown_sku"]
    assert codes(bad_node) == ["unknown_node"]
    assert codes(bad_sale) == ["unknown_sku", "unknown_node"]
    assert good.applied
    assert shop.counters() == (7, 0, 0, 0)
    assert shop.count("stock") == 1
    assert shop.count("posting") == 2


def test_a_counter_sale_takes_what_is_there(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)), SetSafety(key="s", sku="MUG", node="TPE", quantity=5))
    (answer,) = shop.apply(sell("c", ("MUG", "TPE", 3)))
    assert (answer.displaced, answer.shortages) == ((), ())
    assert shop.counters() == (2, 0, 5, 0)
    assert shop.count("outbox") == 0


def test_a_counter_sale_of_what_the_book_never_had_is_shortage_and_a_count_task(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2)))
    (answer,) = shop.apply(sell("c", ("MUG", "TPE", 5), ("VASE", "KHH", 1)))
    assert answer.applied
    assert [(one.sku, one.node, one.quantity) for one in answer.shortages] == [("MUG", "TPE", 3), ("VASE", "KHH", 1)]
    assert shop.counters() == (0, 0, 0, 3)
    assert shop.counters("VASE", "KHH") == (0, 0, 0, 1)
    assert shop.count("count_task") == 2
    assert shop.count("outbox") == 1


def test_a_counter_sale_displaces_the_newest_promises_first(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 6)))
    for owner in ("old", "middle", "new"):
        shop.apply(place(owner, ("MUG", "TPE", 2)))
    (answer,) = shop.apply(sell("c", ("MUG", "TPE", 3)))
    assert [(gone.owner, gone.quantity) for gone in answer.displaced] == [("new", 2), ("middle", 1)]
    assert shop.counters() == (3, 3, 0, 0)
    new, middle, old = shop.hold("new"), shop.hold("middle"), shop.hold("old")
    assert (new.state.value, new.pending, new.released) == ("released", 0, 2)
    assert (middle.state.value, middle.pending, middle.released) == ("placed", 1, 1)
    assert (old.state.value, old.pending) == ("placed", 2)


def test_a_sale_displaces_promises_made_earlier_in_its_own_batch(shop: Shop) -> None:
    *_, sale = shop.apply(
        receive("r", ("MUG", "TPE", 3)),
        place("a", ("MUG", "TPE", 1)),
        place("b", ("MUG", "TPE", 2)),
        sell("c", ("MUG", "TPE", 1)),
    )
    assert [(gone.owner, gone.quantity) for gone in sale.displaced] == [("b", 1)]
    assert shop.counters() == (2, 2, 0, 0)


def test_a_sale_that_fits_what_was_free_before_its_batch_still_displaces(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)))
    _, sale = shop.apply(place("a", ("MUG", "TPE", 2)), sell("c", ("MUG", "TPE", 2)))
    assert [(gone.owner, gone.quantity) for gone in sale.displaced] == [("a", 1)]
    assert sale.shortages == ()
    assert shop.counters() == (1, 1, 0, 0)


def test_two_lines_of_one_row_displace_once_for_their_sum(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 4)), place("a", ("MUG", "TPE", 3)))
    (answer,) = shop.apply(sell("c", ("MUG", "TPE", 1), ("MUG", "TPE", 2)))
    assert [(gone.owner, gone.quantity) for gone in answer.displaced] == [("a", 2)]
    assert shop.counters() == (1, 1, 0, 0)


def test_safety_stock_is_kept_from_promises_and_may_exceed_what_is_there(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)), SetSafety(key="s1", sku="MUG", node="TPE", quantity=4))
    refused, held = shop.apply(place("a", ("MUG", "TPE", 2)), place("b", ("MUG", "TPE", 1)))
    assert codes(refused) == ["insufficient_stock"]
    assert held.applied
    same, more = shop.apply(
        SetSafety(key="s2", sku="MUG", node="TPE", quantity=4), SetSafety(key="s3", sku="MUG", node="TPE", quantity=9)
    )
    assert same.applied
    assert more.applied
    assert shop.counters() == (5, 1, 9, 0)
    assert shop.level().available == 0


def test_setting_the_safety_of_a_new_row_makes_it(shop: Shop) -> None:
    shop.apply(SetSafety(key="s", sku="MUG", node="TPE", quantity=2))
    assert shop.counters() == (0, 0, 2, 0)
    (refused,) = shop.apply(SetSafety(key="t", sku="CUP", node="TPE", quantity=2))
    assert codes(refused) == ["unknown_sku"]


def test_lines_of_one_row_may_not_add_to_an_absurd_quantity() -> None:
    receive("r", ("MUG", "TPE", MAX_QUANTITY), ("MUG", "KHH", 1))
    for command in (receive, sell):
        with pytest.raises(ValidationError, match="add to more than"):
            command("r", ("MUG", "TPE", MAX_QUANTITY), ("MUG", "TPE", 1))


def test_what_a_receipt_brings_of_an_item_comes_from_one_supplier_line(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5), ("BOWL", "TPE", 1), ("MUG", "KHH", 2), ("MUG", "TPE", 1)))
    with shop.database.connection(read_only=True) as connection:
        found = connection.exec_driver_sql("SELECT place, sku, node, quantity FROM omo_posting ORDER BY number")
        lines = [tuple(row) for row in found]
    assert lines == [
        ("stock", "MUG", "TPE", 6),
        ("stock", "BOWL", "TPE", 1),
        ("stock", "MUG", "KHH", 2),
        ("supplier", "MUG", "", -8),
        ("supplier", "BOWL", "", -1),
    ]
