"""Goods on their way between nodes, on every engine: nothing is on two shelves, and nothing is on none unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import ValidationError

from omo_core.inventory.transfers import open_transfers, transfers_of
from omo_core.model.goods import Transfer
from omo_core.model.stock import Issue, IssueHolds, SetSafety
from omo_core.model.values import MAX_QUANTITY
from tests.inventory.conftest import POOL, Shop, open_shop, place, receive
from tests.inventory.goods import arrive, close, codes, counters, places, rows, ship

IN_TRANSIT = """
    SELECT sku, sum(units) FROM
        (SELECT sku, quantity AS units FROM omo_posting WHERE place = 'transit'
         UNION ALL SELECT sku, -(shipped - received - lost) FROM omo_transfer_line WHERE state = 'open') AS both_sides
    GROUP BY sku HAVING sum(units) <> 0
"""


@pytest.fixture
def shop(shop_url: str) -> Iterator[Shop]:
    """Ten mugs and one bowl at TPE; in the end, what is in transit is what open transfers say."""
    with open_shop(shop_url) as opened:
        opened.apply(receive("r", ("MUG", "TPE", 10), ("BOWL", "TPE", 1)))
        yield opened
        assert opened.audit().findings == ()
        assert rows(opened, IN_TRANSIT) == []


def transfer(shop: Shop, name: str = "T") -> Transfer:
    (found,) = shop.database.read(POOL, lambda tx: transfers_of(tx, [name]))
    return found


def parts(shop: Shop, sku: str = "MUG") -> tuple[int, int, int, int]:
    """(in transit, received, lost, extra)"""
    (line,) = (line for line in transfer(shop).lines if line.sku == sku)
    return line.in_transit, line.received, line.lost, line.extra


def test_goods_leave_one_row_and_arrive_at_another_in_parts(shop: Shop) -> None:
    due_at = shop.clock.now() + timedelta(days=1)
    (sent,) = shop.apply(ship("s", ("MUG", 4), ("MUG", 1), ("BOWL", 1), due_at=due_at, reference="van 7"))
    assert sent.applied
    assert shop.counters() == (5, 0, 0, 0)
    assert places(shop) == {"stock": 5, "supplier": -10, "transit": 5}
    known = transfer(shop)
    assert (known.from_node, known.to_node, known.due_at, known.reference) == ("TPE", "KHH", due_at, "van 7")
    assert known.open
    shop.apply(arrive("a1", ("MUG", 2)))
    assert parts(shop) == (3, 2, 0, 0)
    shop.apply(arrive("a2", ("MUG", 1, "quarantine"), ("MUG", 2), ("BOWL", 1)))
    assert shop.counters(node="KHH") == (4, 0, 0, 0)
    assert counters(shop, node="KHH", condition="quarantine") == (1, 0, 0)
    assert parts(shop) == (0, 5, 0, 0)
    assert not transfer(shop).open


def test_only_free_stock_is_shipped(shop: Shop) -> None:
    shop.apply(place("a", ("MUG", "TPE", 4)), SetSafety(key="k", sku="MUG", node="TPE", quantity=3))
    refused, sent = shop.apply(ship("s1", ("BOWL", 1), ("MUG", 4)), ship("s2", ("MUG", 3)))
    assert codes(refused) == ["insufficient_stock"]
    assert sent.applied
    assert shop.counters() == (7, 4, 3, 0)
    assert shop.counters("BOWL") == (1, 0, 0, 0)


def test_a_hold_placed_for_a_transfer_ships_with_it(shop: Shop) -> None:
    (hold,) = shop.held(place("transfer", ("MUG", "TPE", 8)))
    over, sent = shop.apply(ship("s1", ("MUG", 9, hold)), ship("s2", ("MUG", 6, hold), ("MUG", 1, hold), ("MUG", 2)))
    assert codes(over) == ["exceeds_pending"]
    assert [(one.issued, one.pending) for one in sent.holds] == [(7, 1)]
    assert shop.counters() == (1, 1, 0, 0)
    assert parts(shop) == (9, 0, 0, 0)


def test_a_hold_of_other_goods_or_an_ended_one_does_not_ship(shop: Shop) -> None:
    (hold,) = shop.held(place("a", ("MUG", "TPE", 2)))
    (ended,) = shop.held(place("b", ("MUG", "TPE", 1)))
    shop.apply(IssueHolds(key="i", lines=(Issue(hold=ended, quantity=1),)))
    elsewhere, other, gone, nobody = shop.apply(
        ship("s1", ("MUG", 1, hold), route=("KHH", "TPE")),
        ship("s2", ("BOWL", 1, hold)),
        ship("s3", ("MUG", 1, ended)),
        ship("s4", ("MUG", 1, "no-such-hold")),
    )
    assert (codes(elsewhere), codes(other)) == (["hold_mismatch"], ["hold_mismatch"])
    assert (codes(gone), codes(nobody)) == (["hold_not_open"], ["unknown_hold"])
    assert shop.count("transfer") == 0


def test_a_transfer_needs_an_id_of_its_own_and_known_ends(shop: Shop) -> None:
    first, again, nowhere = shop.apply(
        ship("s1", ("MUG", 1)), ship("s2", ("MUG", 1)), ship("s3", ("MUG", 1), route=("TPE", "XXX"), transfer="U")
    )
    assert (codes(first), codes(again), codes(nowhere)) == ([], ["transfer_exists"], ["unknown_node"])
    (later,) = shop.apply(ship("s4", ("MUG", 1)))
    assert codes(later) == ["transfer_exists"]
    assert shop.counters() == (9, 0, 0, 0)
    with pytest.raises(ValidationError, match="needs two nodes"):
        ship("s5", ("MUG", 1), route=("TPE", "TPE"))


def test_what_does_not_arrive_is_lost_once_the_transfer_is_closed(shop: Shop) -> None:
    shop.apply(ship("s", ("MUG", 5), ("BOWL", 1)), arrive("a", ("MUG", 3)))
    first, twice = shop.apply(close("c1"), close("c2"))
    assert first.applied
    assert twice.applied
    assert (parts(shop), parts(shop, "BOWL")) == ((0, 3, 2, 0), (0, 0, 1, 0))
    assert places(shop) == {"stock": 8, "supplier": -10, "lost": 2}


def test_what_was_lost_may_still_arrive_and_what_was_never_shipped_too(shop: Shop) -> None:
    shop.apply(ship("s", ("MUG", 5)), arrive("a", ("MUG", 2)), close("c"))
    late, surprise = shop.apply(arrive("b", ("MUG", 4)), arrive("d", ("VASE", 2)))
    assert [(one.sku, one.node, one.quantity) for one in late.corrections] == [("MUG", "KHH", 1)]
    assert [(one.sku, one.quantity) for one in surprise.corrections] == [("VASE", 2)]
    assert (parts(shop), parts(shop, "VASE")) == ((0, 5, 0, 1), (0, 0, 0, 2))
    assert shop.counters(node="KHH") == (6, 0, 0, 0)
    assert places(shop) == {"stock": 11, "supplier": -10, "adjustment": -1}


def test_goods_that_come_back_to_the_sender_are_on_its_shelf_again(shop: Shop) -> None:
    shop.apply(ship("s", ("MUG", 5)))
    shop.apply(arrive("a", ("MUG", 5), node="TPE"))
    assert shop.counters() == (10, 0, 0, 0)
    assert parts(shop) == (0, 5, 0, 0)


def test_unknown_transfers_items_and_nodes_are_refused(shop: Shop) -> None:
    answers = shop.apply(
        arrive("a1", ("MUG", 1)),
        close("c1"),
        ship("s", ("MUG", 1)),
        arrive("a2", ("CUP", 1)),
        arrive("a3", ("MUG", 1), node="XXX"),
        arrive("a4", ("MUG", MAX_QUANTITY), node="TPE"),
    )
    assert [codes(answer) for answer in answers] == [
        ["unknown_transfer"],
        ["unknown_transfer"],
        [],
        ["unknown_sku"],
        ["unknown_node"],
        ["quantity_limit"],
    ]
    assert parts(shop) == (1, 0, 0, 0)


def test_repeated_keys_get_their_answers_again(shop: Shop) -> None:
    commands = (ship("s", ("MUG", 5)), arrive("a", ("MUG", 6)), close("c"))
    first = [answer.model_dump_json() for answer in shop.apply(*commands)]
    assert [answer.model_dump_json() for answer in shop.apply(*commands)] == first
    assert parts(shop) == (0, 5, 0, 1)


def test_open_transfers_are_listed_by_page_and_node(shop: Shop) -> None:
    shop.apply(receive("r2", ("MUG", "KHH", 1)))
    for name in ("T1", "T2", "T3"):
        shop.apply(ship(name, ("MUG", 1), transfer=name))
    shop.apply(ship("back", ("MUG", 1), route=("KHH", "TPE"), transfer="T4"), arrive("a", ("MUG", 1), transfer="T2"))

    def listed(**options: object) -> list[str]:
        found = shop.database.read(POOL, lambda tx: open_transfers(tx, **options))  # type: ignore[arg-type]
        return [one.transfer for one in found]

    assert listed() == ["T1", "T3", "T4"]
    assert listed(node="KHH") == ["T1", "T3"]
    assert listed(after="T1", limit=1) == ["T3"]
