"""Channels' parts of an item: never more than a cap, never into what is kept for another."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from omo_core.inventory import apply_many, apply_one
from omo_core.inventory.quotas import quotas_of
from omo_core.model.promised import Quota, QuotaKind
from omo_core.model.promises import DropQuota, PartOfHold, ReleaseUnits, SetQuota
from omo_core.model.stock import Issue, IssueHolds, PlaceHolds, ReleaseHolds, ReplaceHolds, SetSafety, StockAnswer
from omo_core.model.stock_commands import StockCommand
from tests.inventory.conftest import POOL, Line, Shop, receive, requests, sell
from tests.inventory.test_races import ON_POSTGRES, WITH_WRITERS, each_alone, together

A_WHILE = timedelta(minutes=15)


def codes(answer: StockAnswer) -> list[str]:
    return [refusal.code for refusal in answer.refusals]


def cap(key: str, channel: str, units: int, *, sku: str = "MUG", until: datetime | None = None) -> SetQuota:
    return SetQuota(key=key, sku=sku, channel=channel, quota_kind=QuotaKind.CAPPED, units=units, gives_back_at=until)


def fence(key: str, channel: str, units: int, *, sku: str = "MUG", until: datetime | None = None) -> SetQuota:
    return SetQuota(
        key=key, sku=sku, channel=channel, quota_kind=QuotaKind.RING_FENCED, units=units, gives_back_at=until
    )


def drop(key: str, channel: str) -> DropQuota:
    return DropQuota(key=key, sku="MUG", channel=channel)


def buy(key: str, channel: str | None, *lines: Line, expires_at: datetime | None = None) -> PlaceHolds:
    lines = lines or (("MUG", "TPE", 1),)
    return PlaceHolds(key=key, lines=requests(key, *lines), channel=channel, expires_at=expires_at)


def swap(key: str, old: str, channel: str | None, *lines: Line) -> ReplaceHolds:
    return ReplaceHolds(key=key, release=(old,), place=requests(key, *lines), channel=channel)


def quota(shop: Shop, channel: str, sku: str = "MUG") -> Quota:
    found = shop.database.read(POOL, lambda tx: quotas_of(tx, [sku]))
    return next(one for one in found if one.channel == channel)


def used(shop: Shop, channel: str) -> int:
    return quota(shop, channel).used


@pytest.fixture
def two_nodes(shop: Shop) -> Shop:
    """Ten mugs at each of two nodes."""
    shop.apply(receive("goods", ("MUG", "TPE", 10), ("MUG", "KHH", 10)))
    return shop


def test_a_cap_counts_what_is_promised_and_what_has_gone(two_nodes: Shop) -> None:
    shop = two_nodes
    shop.apply(cap("q", "web", 5))
    three, too_many, two = shop.apply(
        buy("a", "web", ("MUG", "TPE", 2), ("MUG", "KHH", 1)),
        buy("b", "web", ("MUG", "TPE", 1), ("MUG", "KHH", 2)),
        buy("c", "web", ("MUG", "KHH", 2)),
    )
    assert (three.applied, two.applied) == (True, True)
    assert codes(too_many) == ["quota_exhausted"]
    assert too_many.refusals[0].parameters == {"sku": "MUG", "channel": "web", "wanted": 3, "available": 2}
    assert three.holds[0].channel == "web"
    first = three.holds[0].hold
    shop.apply(IssueHolds(key="i", lines=(Issue(hold=first, quantity=1),)))
    assert used(shop, "web") == 5
    # Only what is given back can be promised again; others share the pool as if there were no cap.
    shop.apply(ReleaseUnits(key="x", lines=(PartOfHold(hold=first, quantity=1),)))
    one, none, others = shop.apply(buy("d", "web"), buy("e", "web"), buy("f", None, ("MUG", "TPE", 8)))
    assert (one.applied, codes(none), others.applied) == (True, ["quota_exhausted"], True)
    assert used(shop, "web") == 5


def test_everything_that_ends_a_hold_gives_its_quota_back(two_nodes: Shop) -> None:
    shop = two_nodes
    soon = shop.clock.now() + A_WHILE
    shop.apply(cap("q", "web", 10))
    (released,) = shop.held(buy("a", "web", ("MUG", "TPE", 1)))
    (replaced,) = shop.held(buy("b", "web", ("MUG", "TPE", 2)))
    shop.held(buy("c", "web", ("MUG", "TPE", 3), expires_at=soon))
    (displaced,) = shop.held(buy("d", "web", ("MUG", "KHH", 4)))
    assert used(shop, "web") == 10
    shop.apply(ReleaseHolds(key="x", holds=(released,)))
    assert used(shop, "web") == 9
    assert shop.apply(swap("y", replaced, "web", ("MUG", "KHH", 1)))[0].applied
    assert used(shop, "web") == 8
    shop.clock.advance(A_WHILE)
    assert len(shop.expire()) == 1
    assert used(shop, "web") == 5
    (sold,) = shop.apply(sell("s", ("MUG", "KHH", 8)))
    assert sum(one.quantity for one in sold.displaced) == 3
    assert used(shop, "web") == 2
    assert shop.hold("d").hold == displaced


def test_a_replacement_counts_what_it_releases_as_unused(two_nodes: Shop) -> None:
    shop = two_nodes
    shop.apply(cap("q", "web", 3))
    (old,) = shop.held(buy("a", "web", ("MUG", "TPE", 3)))
    too_many, same, out, back = shop.apply(
        swap("s1", old, "web", ("MUG", "KHH", 4)),
        swap("s2", old, "web", ("MUG", "KHH", 2), ("MUG", "TPE", 1)),
        buy("b", "web"),
        buy("c", "pos", ("MUG", "TPE", 2)),
    )
    assert codes(too_many) == ["quota_exhausted"]
    assert too_many.refusals[0].parameters["available"] == 3
    assert same.applied
    assert codes(out) == ["quota_exhausted"]
    # Goods that were another channel's count as the new one's only where they are taken.
    (moved,) = shop.apply(swap("s3", back.holds[0].hold, "web", ("MUG", "TPE", 2)))
    assert codes(moved) == ["quota_exhausted"]
    assert used(shop, "web") == 3


def test_what_is_fenced_is_kept_from_everyone_else_in_the_whole_pool(two_nodes: Shop) -> None:
    shop = two_nodes
    shop.apply(fence("q", "vip", 12))
    too_many, eight, ninth, other = shop.apply(
        buy("a", None, ("MUG", "TPE", 5), ("MUG", "KHH", 4)),
        buy("b", None, ("MUG", "TPE", 4), ("MUG", "KHH", 4)),
        buy("c", None, ("MUG", "KHH", 1)),
        buy("d", "web", ("MUG", "TPE", 1)),
    )
    assert codes(too_many) == ["ring_fenced"]
    assert too_many.refusals[0].parameters == {"sku": "MUG", "wanted": 9, "available": 8}
    assert eight.applied
    assert codes(ninth) == codes(other) == ["ring_fenced"]
    assert ninth.refusals[0].parameters["available"] == 0
    mine, rest, nothing = shop.apply(
        buy("e", "vip", ("MUG", "TPE", 6), ("MUG", "KHH", 5)), buy("f", "vip", ("MUG", "KHH", 1)), buy("g", "vip")
    )
    assert (mine.applied, rest.applied) == (True, True)
    assert codes(nothing) == ["insufficient_stock"]
    assert used(shop, "vip") == 12


def test_a_fenced_channel_shares_the_pool_beyond_its_part(two_nodes: Shop) -> None:
    shop = two_nodes
    shop.apply(fence("q1", "vip", 4), fence("q2", "app", 6))
    most, more, app = shop.apply(
        buy("a", "vip", ("MUG", "TPE", 10), ("MUG", "KHH", 4)),
        buy("b", "vip", ("MUG", "KHH", 1)),
        buy("c", "app", ("MUG", "KHH", 6)),
    )
    assert most.applied
    assert codes(more) == ["ring_fenced"]
    assert app.applied
    assert (used(shop, "vip"), used(shop, "app")) == (14, 6)


def test_safety_stock_is_no_cover_and_receipts_of_the_same_batch_are(two_nodes: Shop) -> None:
    shop = two_nodes
    shop.apply(fence("q", "vip", 8), SetSafety(key="s", sku="MUG", node="KHH", quantity=9))
    # 10 free at one node, 1 at the other, 8 kept for the channel.
    too_many, three, _, five, _, again = shop.apply(
        buy("a", None, ("MUG", "TPE", 4)),
        buy("b", None, ("MUG", "TPE", 3)),
        receive("r1", ("MUG", "TPE", 5)),
        buy("c", None, ("MUG", "TPE", 5)),
        receive("r2", ("MUG", "KHH", 2)),
        buy("d", None, ("MUG", "TPE", 2)),
    )
    assert codes(too_many) == ["ring_fenced"]
    assert (three.applied, five.applied, again.applied) == (True, True, True)


def test_a_row_that_begins_in_the_batch_covers_a_fence(shop: Shop) -> None:
    _, _, two, third, vip = shop.apply(
        fence("q", "vip", 3),
        receive("r", ("MUG", "TPE", 5)),
        buy("a", None, ("MUG", "TPE", 2)),
        buy("b", None, ("MUG", "TPE", 1)),
        buy("c", "vip", ("MUG", "TPE", 3)),
    )
    assert (two.applied, codes(third), vip.applied) == (True, ["ring_fenced"], True)


def test_sales_over_the_counter_win_against_a_fence_and_leave_it_undercovered(two_nodes: Shop) -> None:
    """Goods that are gone are gone: what is left goes to the channels it is kept for, first come first served."""
    shop = two_nodes
    shop.apply(fence("q1", "vip", 8), fence("q2", "app", 6))
    (old,) = shop.held(buy("old", None, ("MUG", "TPE", 2)))
    shop.apply(sell("s", ("MUG", "TPE", 6), ("MUG", "KHH", 6)))
    assert shop.database.read(POOL, lambda tx: sum(one.unused for one in quotas_of(tx, ["MUG"]))) == 14
    nobody, moved, vip, past, app = shop.apply(
        buy("a", None, ("MUG", "TPE", 1)),
        swap("m", old, None, ("MUG", "KHH", 2)),
        buy("b", "vip", ("MUG", "TPE", 4)),
        buy("c", "vip", ("MUG", "KHH", 5)),
        buy("d", "app", ("MUG", "KHH", 2)),
    )
    assert codes(nobody) == ["ring_fenced"]
    # It takes nothing that was not promised before, so it widens no gap.
    assert moved.applied
    assert vip.applied
    assert codes(past) == ["insufficient_stock"]
    assert app.applied
    assert (used(shop, "vip"), used(shop, "app")) == (4, 2)


def test_from_its_time_on_a_quota_restricts_nobody_and_counts_nothing(two_nodes: Shop) -> None:
    shop = two_nodes
    friday = shop.clock.now() + timedelta(days=2)
    shop.apply(fence("q1", "vip", 15, until=friday), cap("q2", "web", 1, until=friday))
    before, web = shop.apply(buy("a", None, ("MUG", "TPE", 6)), buy("b", "web", ("MUG", "TPE", 2)))
    assert (codes(before), codes(web)) == (["ring_fenced"], ["quota_exhausted"])
    (mine,) = shop.held(buy("m", "web"))
    shop.clock.advance(timedelta(days=2))
    after, web, vip = shop.apply(
        buy("c", None, ("MUG", "TPE", 6)), buy("d", "web", ("MUG", "TPE", 2)), buy("e", "vip", ("MUG", "KHH", 2))
    )
    assert (after.applied, web.applied, vip.applied) == (True, True, True)
    assert (used(shop, "web"), used(shop, "vip")) == (1, 0)
    # What counted while it stood is still given back; set again it is a new quota.
    shop.apply(ReleaseHolds(key="x", holds=(mine,)))
    assert used(shop, "web") == 0
    shop.apply(cap("q3", "web", 1))
    answers = shop.apply(buy("f", "web"), buy("g", "web"))
    assert [answer.applied for answer in answers] == [True, False]
    assert used(shop, "web") == 1


def test_a_quota_set_anew_counts_from_nothing(two_nodes: Shop) -> None:
    shop = two_nodes
    shop.apply(cap("q1", "web", 2))
    (old,) = shop.held(buy("a", "web", ("MUG", "TPE", 2)))
    full, _, again, _, _, full_again = shop.apply(
        buy("b", "web"),
        drop("d1", "web"),
        cap("q2", "web", 1),
        buy("c", "web"),
        ReleaseHolds(key="x", holds=(old,)),
        buy("d", "web"),
    )
    assert codes(full) == ["quota_exhausted"]
    assert again.applied
    assert codes(full_again) == ["quota_exhausted"]
    assert used(shop, "web") == 1
    dropped, unknown = shop.apply(drop("d2", "web"), drop("d3", "web"))
    assert dropped.applied
    assert codes(unknown) == ["unknown_quota"]
    assert shop.count("quota") == 0
    assert shop.apply(buy("e", "web", ("MUG", "TPE", 5)))[0].applied
    _, _, _ = shop.apply(cap("q4", "web", 1), drop("d4", "web"), cap("q5", "web", 3))
    assert (quota(shop, "web").units, used(shop, "web")) == (3, 0)


def test_a_quota_is_changed_and_keeps_what_it_counted(two_nodes: Shop) -> None:
    shop = two_nodes
    shop.apply(fence("q1", "web", 2), buy("a", "web", ("MUG", "TPE", 4)))
    below, exact, unknown = shop.apply(cap("q2", "web", 3), cap("q3", "web", 4), cap("q4", "web", 1, sku="CUP"))
    assert codes(below) == ["quota_below_used"]
    assert below.refusals[0].parameters == {"sku": "MUG", "channel": "web", "used": 4, "wanted": 3}
    assert exact.applied
    assert codes(unknown) == ["unknown_sku"]
    assert (quota(shop, "web").kind, quota(shop, "web").units, used(shop, "web")) == (QuotaKind.CAPPED, 4, 4)
    assert quota(shop, "web").unused == 0


def test_taking_over_a_fenced_channels_goods_is_taking_from_its_fence(two_nodes: Shop) -> None:
    shop = two_nodes
    shop.apply(fence("q", "vip", 10), buy("rest", None, ("MUG", "TPE", 10)))
    (theirs,) = shop.held(buy("a", "vip", ("MUG", "KHH", 4)))
    (stolen,) = shop.apply(swap("s", theirs, None, ("MUG", "KHH", 4)))
    assert codes(stolen) == ["ring_fenced"]
    assert stolen.refusals[0].parameters["available"] == 0
    assert shop.apply(swap("t", theirs, "vip", ("MUG", "KHH", 4)))[0].applied


def test_keys_repeated_count_once(two_nodes: Shop) -> None:
    shop = two_nodes
    commands = (cap("q", "web", 2), buy("a", "web"), drop("d", "app"))
    first = shop.apply(*commands)
    assert shop.apply(*commands) == first
    assert used(shop, "web") == 1
    with shop.database.connection(read_only=True) as connection:
        assert connection.exec_driver_sql("SELECT version FROM omo_quota").scalar_one() == 1


@WITH_WRITERS
def test_the_last_units_of_a_cap_go_to_exactly_as_many_as_there_are(shop: Shop) -> None:
    shop.apply(receive("goods", ("MUG", "TPE", 500), ("MUG", "KHH", 500)), cap("q", "web", 30))
    answers = together(
        *(
            each_alone(shop, [buy(f"{thread}/{n}", "web", ("MUG", "TPE" if n % 2 else "KHH", 1)) for n in range(10)])
            for thread in range(8)
        )
    )
    winners = [answer for one_thread in answers for answer in one_thread if answer.applied]
    assert len(winners) == 30
    assert {code for one_thread in answers for answer in one_thread for code in codes(answer)} == {"quota_exhausted"}
    assert used(shop, "web") == 30


@ON_POSTGRES
def test_no_crowd_of_64_ever_breaks_a_fence_and_nothing_stays_unsold(shop: Shop) -> None:
    """Half of the writers are the channel that 50 of 120 units are kept for; they stand at two nodes."""
    shop.apply(receive("goods", ("MUG", "TPE", 60), ("MUG", "KHH", 60)), fence("q", "vip", 50))

    def writer(number: int) -> Callable[[], list[StockAnswer]]:
        channel = "vip" if number % 2 else None
        nodes = ("TPE", "KHH") if number % 4 < 2 else ("KHH", "TPE")
        return each_alone(
            shop, [buy(f"{number}/{n}/{node}", channel, ("MUG", node, 1)) for n in range(3) for node in nodes]
        )

    answers = together(*(writer(number) for number in range(64)))
    won = {
        is_vip: sum(answer.applied for one_thread in answers[is_vip::2] for answer in one_thread)
        for is_vip in (False, True)
    }
    assert won[False] <= 70
    assert won[False] + won[True] == 120
    assert used(shop, "vip") == won[True]


@ON_POSTGRES
def test_who_waited_for_a_quota_sees_what_was_promised_meanwhile(shop: Shop) -> None:
    """The other node's units are read once the wait is over, in a statement of its own."""
    shop.apply(receive("goods", ("MUG", "TPE", 5), ("MUG", "KHH", 5)), fence("q", "vip", 5))
    late: list[StockAnswer] = []
    buyer = threading.Thread(target=lambda: late.extend(shop.apply(buy("late", None, ("MUG", "KHH", 5)))))
    with shop.database.transaction(POOL) as tx:
        assert apply_one(tx, buy("early", None, ("MUG", "TPE", 5))).applied
        buyer.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        for _ in range(400):
            if tx.connection.exec_driver_sql(waiting).scalar_one():
                break
            time.sleep(0.01)
        else:
            pytest.fail("the second buyer did not wait for the quota")
    buyer.join(timeout=30)
    assert [codes(answer) for answer in late] == [["ring_fenced"]]


@WITH_WRITERS
def test_a_crowd_of_channels_keeps_the_counters_true(shop: Shop) -> None:
    """Promises, releases, sales and changes of quotas in batches; the `shop` fixture audits in the end."""
    rows = [("MUG", "TPE"), ("MUG", "KHH"), ("BOWL", "TPE"), ("BOWL", "KHH")]
    shop.apply(receive("goods", *((sku, node, 60) for sku, node in rows)))
    shop.apply(cap("q1", "web", 25), fence("q2", "vip", 30), fence("q3", "vip", 9, sku="BOWL"))

    def busy(seed: int) -> Callable[[], None]:
        dice = random.Random(seed)

        def work() -> None:
            mine: list[str] = []
            for n in range(10):
                key = f"{seed}/{n}"
                lines = [(*dice.choice(rows), dice.randint(1, 3)) for _ in range(2)]
                commands: list[StockCommand] = [
                    buy(f"{key}a", dice.choice(("web", "vip", "app", None)), *lines),
                    sell(f"{key}s", (*dice.choice(rows), 1)),
                    cap(f"{key}c", "app", dice.randint(1, 20)),
                ]
                if mine:
                    commands.append(ReleaseHolds(key=f"{key}r", holds=(mine.pop(),)))
                if dice.random() < 0.2:
                    commands.append(drop(f"{key}d", "app"))
                for answer in shop.database.run(POOL, partial(apply_many, commands=commands)):
                    mine.extend(hold.hold for hold in answer.holds if hold.state.value == "placed")

        return work

    together(*(busy(seed) for seed in range(4)))


@ON_POSTGRES
def test_channels_in_opposite_order_never_deadlock(shop: Shop) -> None:
    """Without retries: a deadlock would come out as an exception."""
    rows = [(sku, node) for sku in ("BOWL", "MUG") for node in ("KHH", "TPE")]
    shop.apply(receive("goods", *((sku, node, 1_000) for sku, node in rows)))
    shop.apply(fence("q1", "vip", 10), cap("q2", "web", 500, sku="BOWL"))

    def order(name: str, channel: str, mine: list[tuple[str, str]]) -> Callable[[], None]:
        def work() -> None:
            for n in range(25):
                with shop.database.transaction(POOL) as tx:
                    placed = apply_one(tx, buy(f"{name}{n}", channel, *((sku, node, 1) for sku, node in mine)))
                with shop.database.transaction(POOL) as tx:
                    ids = tuple(hold.hold for hold in placed.holds)
                    assert apply_one(tx, ReleaseHolds(key=f"{name}{n}x", holds=ids)).applied

        return work

    together(order("up", "web", rows), order("down", "vip", rows[::-1]), order("mixed", "web", rows[1:] + rows[:1]))
    assert used(shop, "vip") == 0
