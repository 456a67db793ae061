"""What is announced and what of it comes, on every engine: due by when, where, and how much."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from omo_core.inventory.inbound import inbound_due, inbound_of, open_inbound
from tests.inventory.conftest import POOL, Shop, receive
from tests.inventory.goods import arrive, cancel, close, codes, expect, ship, unpack

DAY = timedelta(days=1)


def due(shop: Shop, in_days: float = 30) -> dict[tuple[str, str], int]:
    by = shop.clock.now() + in_days * DAY
    return shop.database.read(POOL, lambda tx: inbound_due(tx, by, skus=["MUG", "BOWL"]))


def states(shop: Shop, inbound: str = "ASN", node: str = "TPE") -> dict[str, tuple[str, int, int]]:
    """(state, expected, received) by SKU"""
    lines = shop.database.read(POOL, lambda tx: inbound_of(tx, [(inbound, node)]))
    return {line.sku: (line.state, line.expected, line.received) for line in lines}


def test_announced_goods_are_due_until_they_come(shop: Shop) -> None:
    tomorrow = shop.clock.now() + DAY
    (answer,) = shop.apply(expect("e", tomorrow, ("MUG", 10), ("BOWL", 2)))
    assert answer.applied
    assert shop.count("posting") == 0
    assert due(shop) == {("MUG", "TPE"): 10, ("BOWL", "TPE"): 2}
    assert due(shop, in_days=0.5) == {}
    shop.apply(unpack("r1", ("MUG", "TPE", 3), ("MUG", "TPE", 1)))
    assert due(shop) == {("MUG", "TPE"): 6, ("BOWL", "TPE"): 2}
    shop.apply(unpack("r2", ("MUG", "TPE", 8)))
    assert due(shop) == {("BOWL", "TPE"): 2}
    assert states(shop) == {"MUG": ("done", 10, 12), "BOWL": ("open", 2, 0)}
    assert shop.counters() == (12, 0, 0, 0)


def test_a_delivery_is_put_off_by_announcing_it_again(shop: Shop) -> None:
    now = shop.clock.now()
    shop.apply(expect("e1", now + DAY, ("MUG", 10)), expect("e2", now + 5 * DAY, ("MUG", 8)))
    assert due(shop, in_days=4) == {}
    assert due(shop, in_days=5) == {("MUG", "TPE"): 8}
    shop.apply(unpack("r", ("MUG", "TPE", 8)))
    assert states(shop) == {"MUG": ("done", 8, 8)}
    shop.apply(expect("e3", now + 6 * DAY, ("MUG", 9)))
    assert due(shop) == {("MUG", "TPE"): 1}


def test_goods_that_come_before_their_announcement_are_counted(shop: Shop) -> None:
    shop.apply(unpack("r", ("MUG", "TPE", 4)))
    assert states(shop) == {"MUG": ("done", 0, 4)}
    assert due(shop) == {}
    shop.apply(expect("e", shop.clock.now() + DAY, ("MUG", 10)))
    assert due(shop) == {("MUG", "TPE"): 6}


def test_what_is_cancelled_is_no_longer_due_and_not_announced_again(shop: Shop) -> None:
    tomorrow = shop.clock.now() + DAY
    shop.apply(expect("e", tomorrow, ("MUG", 10), ("BOWL", 2)), unpack("r", ("BOWL", "TPE", 2), ("MUG", "TPE", 1)))
    gone, twice, nothing, again = shop.apply(
        cancel("c1"), cancel("c2"), cancel("c3", inbound="other"), expect("e2", tomorrow, ("MUG", 10))
    )
    assert gone.applied
    assert twice.applied
    assert (codes(nothing), codes(again)) == (["unknown_inbound"], ["inbound_cancelled"])
    assert due(shop) == {}
    # It came all the same.
    shop.apply(unpack("r2", ("MUG", "TPE", 9)))
    assert states(shop) == {"MUG": ("cancelled", 10, 10), "BOWL": ("done", 2, 2)}
    assert shop.counters() == (10, 0, 0, 0)


def test_the_same_reference_at_another_node_is_another_delivery(shop: Shop) -> None:
    tomorrow = shop.clock.now() + DAY
    shop.apply(expect("e1", tomorrow, ("MUG", 1)), expect("e2", tomorrow, ("MUG", 2), node="KHH"), cancel("c"))
    assert due(shop) == {("MUG", "KHH"): 2}
    shop.apply(unpack("r", ("MUG", "KHH", 1), ("MUG", "TPE", 1)))
    assert due(shop) == {("MUG", "KHH"): 1}


def test_strangers_are_not_announced_and_a_repeated_key_is_once(shop: Shop) -> None:
    tomorrow = shop.clock.now() + DAY
    command = expect("e1", tomorrow, ("MUG", 1))
    _, stranger, same = shop.apply(command, expect("e2", tomorrow, ("CUP", 1), ("MUG", 5)), command)
    assert codes(stranger) == ["unknown_sku"]
    assert same.applied
    assert due(shop) == {("MUG", "TPE"): 1}


def test_transfers_on_their_way_are_due_where_they_go(shop: Shop) -> None:
    now = shop.clock.now()
    shop.apply(
        receive("r", ("MUG", "TPE", 10)),
        expect("e", now + DAY, ("MUG", 7), node="KHH"),
        ship("s1", ("MUG", 4), due_at=now + 2 * DAY),
        ship("s2", ("MUG", 1), transfer="no due time"),
    )
    assert due(shop, in_days=1) == {("MUG", "KHH"): 7}
    assert due(shop, in_days=2) == {("MUG", "KHH"): 11}
    shop.apply(arrive("a", ("MUG", 3)))
    pairs = [("MUG", "KHH"), ("MUG", "TPE")]
    by = now + 2 * DAY
    assert shop.database.read(POOL, lambda tx: inbound_due(tx, by, pairs=pairs)) == {("MUG", "KHH"): 8}
    shop.apply(close("c"))
    assert due(shop) == {("MUG", "KHH"): 7}


def test_what_is_due_is_listed_by_page_and_node(shop: Shop) -> None:
    now = shop.clock.now()
    shop.apply(
        expect("e1", now, ("MUG", 1), ("BOWL", 2)),
        expect("e2", now + DAY, ("MUG", 3), node="KHH"),
        expect("e3", now + DAY, ("MUG", 4), inbound="BSN"),
        unpack("r", ("BOWL", "TPE", 2)),
    )
    first = shop.database.read(POOL, lambda tx: open_inbound(tx, limit=2))
    assert [(line.sku, line.node, line.inbound, line.due) for line in first] == [
        ("MUG", "KHH", "ASN", 3),
        ("MUG", "TPE", "ASN", 1),
    ]
    after = (first[-1].sku, first[-1].node, first[-1].inbound)
    rest = shop.database.read(POOL, lambda tx: open_inbound(tx, after=after))
    assert [(line.inbound, line.due_at, line.due) for line in rest] == [("BSN", now + DAY, 4)]
    assert len(shop.database.read(POOL, lambda tx: open_inbound(tx, node="KHH"))) == 1


def test_an_item_is_announced_once_a_command(shop: Shop) -> None:
    with pytest.raises(ValidationError, match="announced twice"):
        expect("e", shop.clock.now(), ("MUG", 1), ("MUG", 1))
