"""What can be promised: by node and for the pool, in bulk, with a wave's own holds counted as free."""

from __future__ import annotations

from datetime import timedelta

from omo_core.inventory import (
    available_by_pair,
    available_of_skus,
    available_to_promise,
    levels,
    levels_of_skus,
)
from omo_core.model.stock import ConfirmHolds, SetSafety
from tests.inventory.conftest import POOL, Shop, place, receive, sell


def stocked(shop: Shop) -> None:
    shop.apply(
        receive("r", ("MUG", "TPE", 5), ("MUG", "KHH", 3), ("BOWL", "KHH", 2), ("VASE", "TPE", 1)),
        SetSafety(key="s", sku="MUG", node="TPE", quantity=1),
        place("o1", ("MUG", "TPE", 2), ("BOWL", "KHH", 2)),
        place("o2", ("MUG", "TPE", 1)),
        sell("c", ("VASE", "TPE", 1)),
    )


def test_available_is_on_hand_less_reserved_less_safety(shop: Shop) -> None:
    stocked(shop)
    pairs = [("MUG", "TPE"), ("MUG", "KHH"), ("BOWL", "KHH"), ("VASE", "TPE"), ("VASE", "KHH"), ("CUP", "TPE")]
    found = shop.database.read(POOL, lambda tx: available_by_pair(tx, pairs))
    assert list(found.items()) == list(zip(pairs, [1, 3, 0, 0, 0, 0], strict=True))
    asked = [("MUG", None), ("MUG", "TPE"), ("BOWL", None), ("CUP", None), ("CUP", "TPE")]
    totals = [
        shop.database.read(POOL, lambda tx, sku=sku, node=node: available_to_promise(tx, sku, node))  # type: ignore[misc]
        for sku, node in asked
    ]
    assert totals == [4, 1, 0, 0, 0]


def test_only_cells_with_something_to_promise_are_listed_in_key_order(shop: Shop) -> None:
    stocked(shop)
    found = shop.database.read(POOL, lambda tx: available_of_skus(tx, ["VASE", "MUG", "BOWL", "MUG", "CUP"]))
    assert found == [("MUG", "KHH", 3), ("MUG", "TPE", 1)]
    assert shop.database.read(POOL, lambda tx: available_of_skus(tx, [])) == []


def test_a_wave_counts_the_pending_units_of_its_own_holds_as_free(shop: Shop) -> None:
    stocked(shop)
    wanted = ["MUG", "BOWL"]
    one = shop.database.read(POOL, lambda tx: available_of_skus(tx, wanted, ["o1"]))
    assert one == [("BOWL", "KHH", 2), ("MUG", "KHH", 3), ("MUG", "TPE", 3)]
    both = shop.database.read(POOL, lambda tx: available_of_skus(tx, wanted, ["o1", "o2", "nobody"]))
    assert both == [("BOWL", "KHH", 2), ("MUG", "KHH", 3), ("MUG", "TPE", 4)]


def test_a_shortage_of_safety_at_one_node_takes_nothing_from_another(shop: Shop) -> None:
    stocked(shop)
    shop.apply(SetSafety(key="s2", sku="MUG", node="TPE", quantity=50))
    assert shop.database.read(POOL, lambda tx: available_to_promise(tx, "MUG")) == 3


def test_a_halted_row_promises_nothing_even_to_its_own_holds(memory_shop: Shop) -> None:
    stocked(memory_shop)
    memory_shop.execute("UPDATE omo_stock SET halted = 1 WHERE sku = 'MUG' AND node = 'TPE'")
    found = memory_shop.database.read(POOL, lambda tx: available_of_skus(tx, ["MUG"], ["o1"]))
    assert found == [("MUG", "KHH", 3)]
    assert memory_shop.database.read(POOL, lambda tx: available_to_promise(tx, "MUG", "TPE")) == 0


def test_levels_come_in_key_order_and_only_where_there_is_a_row(shop: Shop) -> None:
    stocked(shop)
    asked = [("VASE", "TPE"), ("MUG", "TPE"), ("MUG", "XXX")]
    found = shop.database.read(POOL, lambda tx: levels(tx, asked))
    assert [(level.sku, level.node, level.on_hand, level.reserved) for level in found] == [
        ("MUG", "TPE", 5, 3),
        ("VASE", "TPE", 0, 0),
    ]
    every = shop.database.read(POOL, lambda tx: levels_of_skus(tx, ["MUG", "MUG", "BOWL"]))
    assert [(level.sku, level.node) for level in every] == [("BOWL", "KHH"), ("MUG", "KHH"), ("MUG", "TPE")]


def test_holds_of_owners_come_with_their_whole_story(shop: Shop) -> None:
    stocked(shop)
    until = shop.clock.now() + timedelta(minutes=1)
    shop.apply(place("o3", ("MUG", "KHH", 1), expires_at=until))
    (confirmed, _) = shop.holds("o1")
    shop.apply(ConfirmHolds(key="c1", holds=(confirmed.hold,)))
    found = shop.holds("o3", "o1", "nobody")
    assert [(hold.owner, hold.line, hold.state.value, hold.expires_at) for hold in found] == [
        ("o1", "1", "confirmed", None),
        ("o1", "2", "placed", None),
        ("o3", "1", "placed", until),
    ]
