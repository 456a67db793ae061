"""Promises ahead of stock: never more than their cap, and the oldest become holds when goods come."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from pydantic import ValidationError

from omo_core.inventory import apply_many, apply_one
from omo_core.inventory.backorders import backorder_caps, backorders_of
from omo_core.model.promised import Backorder, BackorderKind, QuotaKind
from omo_core.model.promises import (
    BackorderRequest,
    ConvertBackorders,
    PartOfBackorder,
    PlaceBackorders,
    ReleaseBackorders,
    SetBackorderCap,
    SetQuota,
)
from omo_core.model.stock import SetSafety, StockAnswer
from omo_core.model.stock_commands import StockCommand
from tests.inventory.conftest import POOL, Shop, place, receive, sell
from tests.inventory.test_races import ON_POSTGRES, WITH_WRITERS, each_alone, together

Ask = tuple[str, str | None, int]
"""(sku, node or None, quantity)"""


def codes(answer: StockAnswer) -> list[str]:
    return [refusal.code for refusal in answer.refusals]


def set_cap(
    key: str,
    units: int,
    *,
    sku: str = "MUG",
    node: str | None = None,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
) -> SetBackorderCap:
    return SetBackorderCap(key=key, sku=sku, node=node, cap=units, opens_at=opens_at, closes_at=closes_at)


def ahead(key: str, *asks: Ask, channel: str | None = None) -> PlaceBackorders:
    asks = asks or (("MUG", None, 1),)
    lines = tuple(
        BackorderRequest(owner=key, line=str(number), sku=sku, node=node, quantity=units)
        for number, (sku, node, units) in enumerate(asks, start=1)
    )
    return PlaceBackorders(key=key, lines=lines, channel=channel)


def give_up(key: str, *parts: tuple[str, int | None]) -> ReleaseBackorders:
    return ReleaseBackorders(
        key=key, lines=tuple(PartOfBackorder(backorder=one, quantity=units) for one, units in parts)
    )


def convert(key: str, node: str = "TPE", *, sku: str = "MUG", limit: int = 1_000) -> ConvertBackorders:
    return ConvertBackorders(key=key, sku=sku, node=node, limit=limit)


def promise(shop: Shop, key: str, *asks: Ask, channel: str | None = None) -> str:
    """A backorder of its own instant; its id."""
    shop.clock.advance(timedelta(seconds=1))
    (answer,) = shop.apply(ahead(key, *asks, channel=channel))
    assert answer.applied, answer.refusals
    return answer.backorders[0].backorder


def promised(shop: Shop, sku: str = "MUG") -> dict[str | None, tuple[int, int]]:
    """(cap, promised) by node."""
    found = shop.database.read(POOL, lambda tx: backorder_caps(tx, [sku]))
    return {one.node: (one.cap, one.promised) for one in found}


def parts(shop: Shop, owner: str) -> tuple[int, int, int]:
    """(open, converted, released)"""
    (one,) = shop.database.read(POOL, lambda tx: backorders_of(tx, [owner]))
    return one.open, one.converted, one.released


def test_no_more_is_promised_than_the_cap_and_lines_are_summed(shop: Shop) -> None:
    _, too_many, fits, last, none = shop.apply(
        set_cap("cap", 5),
        ahead("a", ("MUG", None, 3), ("MUG", None, 3)),
        ahead("b", ("MUG", None, 2), ("MUG", None, 2)),
        ahead("c", ("MUG", None, 1)),
        ahead("d", ("MUG", None, 1)),
    )
    assert codes(too_many) == ["backorder_cap_reached"]
    assert too_many.refusals[0].parameters == {"sku": "MUG", "wanted": 6, "available": 5}
    assert [(one.owner, one.line, one.open) for one in fits.backorders] == [("b", "1", 2), ("b", "2", 2)]
    assert last.applied
    assert codes(none) == ["backorder_cap_reached"]
    assert promised(shop) == {None: (5, 5)}
    assert shop.count("backorder") == 3


def test_caps_of_nodes_and_of_the_pool_are_apart_and_all_lines_or_none_are_promised(shop: Shop) -> None:
    shop.apply(set_cap("c1", 2), set_cap("c2", 3, node="TPE"))
    both, pool_full, no_cap = shop.apply(
        ahead("a", ("MUG", None, 2), ("MUG", "TPE", 2)),
        ahead("b", ("MUG", "TPE", 1), ("MUG", None, 1)),
        ahead("c", ("MUG", "TPE", 1), ("MUG", "KHH", 1)),
    )
    assert both.applied
    assert [one.node for one in both.backorders] == [None, "TPE"]
    assert codes(pool_full) == ["backorder_cap_reached"]
    assert codes(no_cap) == ["backorders_closed"]
    assert promised(shop) == {None: (2, 2), "TPE": (3, 2)}


def test_what_the_pool_does_not_know_is_refused(shop: Shop) -> None:
    answers = shop.apply(
        set_cap("c1", 2, sku="CUP", node="XXX"),
        ahead("a", ("CUP", None, 1)),
        ahead("b", ("MUG", "XXX", 1)),
        ahead("c", ("MUG", "TPE", 1)),
        convert("d", "XXX"),
        give_up("e", ("nothing", None)),
        convert("f"),
    )
    assert [codes(answer) for answer in answers] == [
        ["unknown_sku", "unknown_node"],
        ["unknown_sku"],
        ["unknown_node"],
        ["backorders_closed"],
        ["unknown_node"],
        ["unknown_backorder"],
        [],
    ]
    assert shop.count("backorder_cap") == 0


def test_promises_are_made_from_the_opening_until_before_the_close(shop: Shop) -> None:
    opens_at = shop.clock.now() + timedelta(hours=1)
    closes_at = opens_at + timedelta(hours=1)
    shop.apply(set_cap("cap", 9, opens_at=opens_at, closes_at=closes_at))
    (early,) = shop.apply(ahead("a"))
    shop.clock.advance(timedelta(hours=1))
    (first,) = shop.apply(ahead("b"))
    shop.clock.advance(timedelta(hours=1))
    (late,) = shop.apply(ahead("c"))
    assert [codes(one) for one in (early, first, late)] == [["backorders_closed"], [], ["backorders_closed"]]
    with pytest.raises(ValidationError, match="must be later than opens_at"):
        set_cap("bad", 9, opens_at=opens_at, closes_at=opens_at)


def test_a_cap_is_never_set_below_what_is_promised(shop: Shop) -> None:
    shop.apply(set_cap("c1", 5), ahead("a", ("MUG", None, 3)))
    below, exact = shop.apply(
        set_cap("c2", 2),
        SetBackorderCap(key="c3", sku="MUG", cap=3, backorder_kind=BackorderKind.PREORDER),
    )
    assert codes(below) == ["cap_below_promised"]
    assert below.refusals[0].parameters == {"sku": "MUG", "promised": 3, "wanted": 2}
    assert exact.applied
    (cap,) = shop.database.read(POOL, lambda tx: backorder_caps(tx, ["MUG"]))
    assert (cap.kind, cap.cap, cap.promised) == (BackorderKind.PREORDER, 3, 3)


def test_what_is_given_up_can_be_promised_again(shop: Shop) -> None:
    shop.apply(set_cap("cap", 5))
    one = promise(shop, "a", ("MUG", None, 5))
    part, too_much, again, rest, late = shop.apply(
        give_up("g1", (one, 1), (one, 1)),
        give_up("g2", (one, 2), (one, 2)),
        ahead("b", ("MUG", None, 2)),
        give_up("g3", (one, None), (one, 1)),
        give_up("g4", (one, None)),
    )
    assert [(found.open, found.released) for found in part.backorders] == [(3, 2)]
    assert codes(too_much) == ["exceeds_open"]
    assert again.applied
    assert [(found.open, found.released) for found in rest.backorders] == [(0, 5)]
    assert codes(late) == ["backorder_not_open"]
    assert promised(shop) == {None: (5, 2)}


def test_goods_that_come_go_to_those_who_wait_longest(shop: Shop) -> None:
    shop.apply(set_cap("c1", 20), set_cap("c2", 20, node="TPE"), set_cap("c3", 20, node="KHH"))
    first = promise(shop, "first", ("MUG", None, 2))
    promise(shop, "elsewhere", ("MUG", "KHH", 4))
    second = promise(shop, "second", ("MUG", "TPE", 3))
    third = promise(shop, "third", ("MUG", None, 3))
    promise(shop, "fourth", ("MUG", "TPE", 1))
    _, answer, nobody = shop.apply(receive("r1", ("MUG", "TPE", 6)), convert("v1"), place("late", ("MUG", "TPE", 1)))
    assert [one.backorder for one in answer.backorders] == [first, second, third]
    assert [(hold.owner, hold.line, hold.quantity) for hold in answer.holds] == [
        ("first", "1", 2),
        ("second", "1", 3),
        ("third", "1", 1),
    ]
    assert codes(nobody) == ["insufficient_stock"]
    assert parts(shop, "third") == (2, 1, 0)
    assert shop.counters() == (6, 6, 0, 0)
    assert promised(shop) == {None: (20, 2), "TPE": (20, 1), "KHH": (20, 4)}
    # One posting of the row, however many holds it now carries.
    assert shop.level().version == 2
    _, rest, none = shop.apply(receive("r2", ("MUG", "TPE", 9)), convert("v2"), convert("v3"))
    assert [(hold.owner, hold.quantity) for hold in rest.holds] == [("third", 2), ("fourth", 1)]
    assert (none.applied, none.holds) == (True, ())
    assert parts(shop, "third") == (0, 3, 0)
    assert shop.counters() == (15, 9, 0, 0)


def test_only_free_units_are_given_to_those_who_wait(shop: Shop) -> None:
    shop.apply(set_cap("cap", 9))
    promise(shop, "a", ("MUG", None, 9))
    shop.apply(receive("r", ("MUG", "TPE", 8)), place("p", ("MUG", "TPE", 3)))
    _, answer, _ = shop.apply(SetSafety(key="s", sku="MUG", node="TPE", quantity=2), convert("v"), convert("v2"))
    assert [hold.quantity for hold in answer.holds] == [3]
    assert shop.counters() == (8, 6, 2, 0)
    shop.execute("UPDATE omo_stock SET halted = 1")
    (halted,) = shop.apply(convert("v3"))
    assert codes(halted) == ["row_halted"]


def test_a_sale_displaces_what_the_same_batch_gave_to_those_who_wait(shop: Shop) -> None:
    shop.apply(
        set_cap("cap", 9), receive("r", ("MUG", "TPE", 5)), SetSafety(key="s1", sku="MUG", node="TPE", quantity=3)
    )
    promise(shop, "a", ("MUG", None, 9))
    _, given, sold = shop.apply(
        SetSafety(key="s2", sku="MUG", node="TPE", quantity=0), convert("v"), sell("s", ("MUG", "TPE", 2))
    )
    assert [hold.quantity for hold in given.holds] == [5]
    assert [(one.owner, one.quantity) for one in sold.displaced] == [("a", 2)]
    assert (sold.shortages, shop.counters()) == ((), (3, 3, 0, 0))


def test_a_limit_takes_the_oldest_only(shop: Shop) -> None:
    shop.apply(set_cap("cap", 9), receive("r", ("MUG", "TPE", 9)))
    for owner in ("a", "b", "c"):
        promise(shop, owner)
    one, two = shop.apply(convert("v1", limit=1), convert("v2", limit=1))
    assert [hold.owner for hold in (*one.holds, *two.holds)] == ["a", "b"]
    assert promised(shop) == {None: (9, 1)}


def test_a_fence_and_a_cap_of_channels_hold_for_those_who_wait_too(shop: Shop) -> None:
    quotas = [
        SetQuota(key="q1", sku="MUG", channel="vip", quota_kind=QuotaKind.RING_FENCED, units=3),
        SetQuota(key="q2", sku="MUG", channel="web", quota_kind=QuotaKind.CAPPED, units=1),
    ]
    shop.apply(set_cap("cap", 30), *quotas)
    promise(shop, "nobody", ("MUG", None, 4))
    promise(shop, "web", ("MUG", None, 2), channel="web")
    promise(shop, "vip", ("MUG", None, 4), channel="vip")
    _, answer = shop.apply(receive("r", ("MUG", "TPE", 8)), convert("v"))
    assert [(hold.owner, hold.quantity, hold.channel) for hold in answer.holds] == [
        ("nobody", 4, None),
        ("web", 1, "web"),
        ("vip", 3, "vip"),
    ]
    _, more = shop.apply(receive("r2", ("MUG", "TPE", 5)), convert("v2"))
    assert [(hold.owner, hold.quantity) for hold in more.holds] == [("vip", 1)]
    assert parts(shop, "web") == (1, 1, 0)


def test_keys_repeated_promise_and_convert_once(shop: Shop) -> None:
    commands = (set_cap("cap", 5), ahead("a", ("MUG", None, 2)), receive("r", ("MUG", "TPE", 9)), convert("v"))
    first = shop.apply(*commands)
    assert shop.apply(*commands) == first
    assert parts(shop, "a") == (0, 2, 0)
    assert shop.counters() == (9, 2, 0, 0)


def test_backorders_are_read_by_owner(shop: Shop) -> None:
    shop.apply(set_cap("cap", 5, node="TPE"))
    due = shop.clock.now() + timedelta(days=3)
    line = BackorderRequest(owner="a", line="7", sku="MUG", node="TPE", quantity=2, promised_for=due)
    (answer,) = shop.apply(PlaceBackorders(key="a", lines=(line,), channel="web"))
    found = shop.database.read(POOL, lambda tx: backorders_of(tx, ["a", "b"]))
    assert found == list(answer.backorders)
    assert found == [
        Backorder(
            backorder=found[0].backorder,
            owner="a",
            line="7",
            sku="MUG",
            node="TPE",
            channel="web",
            quantity=2,
            open=2,
            converted=0,
            released=0,
            promised_for=due,
        )
    ]


@WITH_WRITERS
def test_the_last_units_ahead_go_to_exactly_as_many_as_there_are(shop: Shop) -> None:
    shop.apply(set_cap("cap", 30))
    answers = together(*(each_alone(shop, [ahead(f"{thread}/{n}") for n in range(10)]) for thread in range(8)))
    winners = [answer for one_thread in answers for answer in one_thread if answer.applied]
    assert len(winners) == 30
    assert {code for one_thread in answers for answer in one_thread for code in codes(answer)} == {
        "backorder_cap_reached"
    }
    assert promised(shop) == {None: (30, 30)}


@WITH_WRITERS
def test_goods_that_come_to_two_nodes_at_once_are_given_once(shop: Shop) -> None:
    shop.apply(set_cap("cap", 40), *(ahead(f"a{n}", ("MUG", None, 2)) for n in range(20)))

    def arrivals(node: str) -> Callable[[], list[list[StockAnswer]]]:
        def work() -> list[list[StockAnswer]]:
            batches: list[list[StockCommand]] = [
                [receive(f"r{node}{n}", ("MUG", node, 3)), convert(f"v{node}{n}", node)] for n in range(10)
            ]
            return [shop.database.run(POOL, partial(apply_many, commands=batch)) for batch in batches]

        return work

    together(arrivals("TPE"), arrivals("KHH"))
    assert promised(shop) == {None: (40, 0)}
    assert shop.counters()[1] + shop.counters("MUG", "KHH")[1] == 40
    assert {parts(shop, f"a{n}") for n in range(20)} == {(0, 2, 0)}


@ON_POSTGRES
def test_a_crowd_promising_giving_up_and_converting_never_deadlocks(shop: Shop) -> None:
    """Without retries: a deadlock would come out as an exception; the `shop` fixture audits in the end."""
    caps: list[StockCommand] = [
        set_cap(f"cap{sku}{node}", 50, sku=sku, node=node) for sku in ("MUG", "BOWL") for node in (None, "TPE", "KHH")
    ]
    rows = [(sku, node, 1) for sku in ("MUG", "BOWL") for node in ("TPE", "KHH")]
    shop.apply(*caps, receive("begin", *rows))

    def busy(seed: int) -> Callable[[], None]:
        dice = random.Random(seed)

        def work() -> None:
            for n in range(15):
                key = f"{seed}/{n}"
                asks: list[Ask] = [
                    (dice.choice(("MUG", "BOWL")), dice.choice((None, "TPE", "KHH")), dice.randint(1, 3))
                    for _ in range(3)
                ]
                with shop.database.transaction(POOL) as tx:
                    placed = apply_one(tx, ahead(key, *asks))
                commands: list[StockCommand] = [
                    receive(f"{key}r", *dice.sample(rows, 2)),
                    convert(f"{key}v", dice.choice(("TPE", "KHH")), sku=dice.choice(("MUG", "BOWL"))),
                    *(give_up(f"{key}g{one.line}", (one.backorder, None)) for one in placed.backorders[:1]),
                ]
                dice.shuffle(commands)
                with shop.database.transaction(POOL) as tx:
                    apply_many(tx, commands)

        return work

    together(*(busy(seed) for seed in range(4)))
