"""Goods that come back and goods that change their condition, on every engine."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from omo_core.inventory import available_of_skus, levels
from omo_core.model.stock import Issue, IssueHolds, SetSafety
from omo_core.model.values import MAX_QUANTITY
from tests.inventory.conftest import POOL, Shop, place, receive, sell
from tests.inventory.goods import bring_back, change, codes, counters, places, rows


def issued(shop: Shop, units: int = 4) -> str:
    """A hold of which 4 units left."""
    (hold,) = shop.held(place("order", ("MUG", "TPE", units)))
    shop.apply(IssueHolds(key="issue", lines=(Issue(hold=hold, quantity=units),)))
    return hold


def test_returned_goods_go_where_their_disposition_says_at_whatever_node(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    hold = issued(shop)
    (answer,) = shop.apply(
        bring_back(
            "b",
            ("MUG", "KHH", 1, "sellable", hold),
            ("MUG", "KHH", 1, "sellable", hold),
            ("MUG", "TPE", 1, "quarantine", hold),
            ("MUG", "TPE", 1, "write_off", hold),
        )
    )
    assert answer.applied
    (told,) = answer.holds
    assert (told.returned, told.issued, told.state.value) == (4, 4, "issued")
    assert shop.hold("order").returned == 4
    assert shop.counters() == (5, 0, 0, 0)
    assert shop.counters(node="KHH") == (2, 0, 0, 0)
    assert counters(shop, condition="quarantine") == (1, 0, 0)
    assert places(shop) == {"stock": 8, "supplier": -9, "lost": 1}


def test_no_more_comes_back_under_a_hold_than_left_under_it(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    hold = issued(shop)
    first, second, rest = shop.apply(
        bring_back("b1", ("MUG", "TPE", 3, "sellable", hold)),
        bring_back("b2", ("MUG", "TPE", 1, "sellable", hold), ("MUG", "KHH", 1, "write_off", hold)),
        bring_back("b3", ("MUG", "TPE", 1, "sellable", hold)),
    )
    assert (codes(first), codes(second), codes(rest)) == ([], ["exceeds_issued"], [])
    assert shop.hold("order").returned == 4
    assert shop.counters() == (9, 0, 0, 0)
    assert rows(shop, "SELECT count(*) FROM omo_posting WHERE place = 'lost'") == [(0,)]


def test_a_hold_of_other_goods_or_of_nobody_is_refused(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9), ("BOWL", "TPE", 1)))
    hold = issued(shop)
    other, nobody, stranger = shop.apply(
        bring_back("b1", ("BOWL", "TPE", 1, "sellable", hold)),
        bring_back("b2", ("MUG", "TPE", 1, "sellable", "no-such-hold")),
        bring_back("b3", ("CUP", "XXX", 1, "write_off")),
    )
    assert codes(other) == ["hold_mismatch"]
    assert codes(nobody) == ["unknown_hold"]
    assert codes(stranger) == ["unknown_sku", "unknown_node"]
    assert shop.hold("order").returned == 0


def test_goods_without_a_hold_come_back_by_reference_alone(shop: Shop) -> None:
    first, second = shop.apply(
        bring_back("b", ("VASE", "KHH", 2, "sellable")), bring_back("c", ("VASE", "KHH", MAX_QUANTITY, "sellable"))
    )
    assert (codes(first), codes(second)) == ([], ["quantity_limit"])
    assert shop.counters("VASE", "KHH") == (2, 0, 0, 0)
    assert places(shop, "VASE") == {"stock": 2, "customer": -2}


def test_a_repeated_return_is_once(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 4)))
    hold = issued(shop)
    first, again = (shop.apply(bring_back("b", ("MUG", "TPE", 2, "sellable", hold)))[0] for _ in range(2))
    assert again.model_dump_json() == first.model_dump_json()
    assert shop.hold("order").returned == 2


def test_only_sellable_goods_are_promised(shop: Shop) -> None:
    shop.apply(bring_back("b", ("MUG", "TPE", 5, "quarantine")))
    (refused,) = shop.apply(place("p", ("MUG", "TPE", 1)))
    assert codes(refused) == ["insufficient_stock"]
    assert shop.database.read(POOL, lambda tx: available_of_skus(tx, ["MUG"])) == []
    assert shop.database.read(POOL, lambda tx: levels(tx, [("MUG", "TPE")])) == []
    shop.apply(SetSafety(key="s", sku="MUG", node="TPE", quantity=1), sell("s1", ("MUG", "TPE", 1)))
    assert counters(shop, condition="quarantine") == (5, 0, 0)
    assert shop.counters() == (0, 0, 1, 1)


def test_inspected_goods_become_sellable_or_are_written_off(shop: Shop) -> None:
    shop.apply(bring_back("b", ("MUG", "TPE", 5, "quarantine")))
    shop.apply(
        change("c1", "quarantine", "sellable", ("MUG", "TPE", 1), ("MUG", "TPE", 2)),
        change("c2", "quarantine", "write_off", ("MUG", "TPE", 1)),
    )
    assert shop.counters() == (3, 0, 0, 0)
    assert counters(shop, condition="quarantine") == (1, 0, 0)
    assert places(shop) == {"stock": 4, "customer": -5, "lost": 1}
    assert shop.apply(place("p", ("MUG", "TPE", 3)))[0].applied


def test_goods_put_aside_displace_the_promises_that_no_free_unit_serves(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)), place("old", ("MUG", "TPE", 2)))
    # The promise of its own batch is displaced too.
    _, aside = shop.apply(place("new", ("MUG", "TPE", 2)), change("c", "sellable", "quarantine", ("MUG", "TPE", 2)))
    assert [(gone.owner, gone.quantity) for gone in aside.displaced] == [("new", 1)]
    assert aside.shortages == ()
    assert shop.counters() == (3, 3, 0, 0)
    assert counters(shop, condition="quarantine") == (2, 0, 0)
    assert rows(shop, "SELECT count(*) FROM omo_outbox") == [(1,)]


def test_more_than_the_book_has_in_a_condition_cannot_change_it(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2), ("BOWL", "TPE", 1)))
    first, second, unknown = shop.apply(
        change("c1", "sellable", "write_off", ("BOWL", "TPE", 1), ("MUG", "TPE", 3)),
        change("c2", "quarantine", "sellable", ("MUG", "TPE", 1)),
        change("c3", "quarantine", "sellable", ("CUP", "TPE", 1)),
    )
    assert (codes(first), codes(second)) == (["not_in_condition"], ["not_in_condition"])
    assert first.refusals[0].parameters["available"] == 2
    assert codes(unknown) == ["unknown_sku"]
    assert shop.counters("BOWL") == (1, 0, 0, 0)
    assert shop.count("count_task") == 0


def test_a_change_to_the_same_condition_is_refused_at_birth() -> None:
    with pytest.raises(ValidationError, match="already need no change"):
        change("c", "sellable", "sellable", ("MUG", "TPE", 1))
