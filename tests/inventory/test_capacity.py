"""Nodes' slots of work: claimed with the goods or not at all, given back, worked off, never more than there is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from pydantic import ValidationError

from omo_core.inventory import apply_one
from omo_core.inventory.capacity import claims_of, slot_levels
from omo_core.model.promised import ClaimRef, SlotRequest
from omo_core.model.promises import FinishSlots, ReleaseSlots, SetCapacity, SlotCapacity
from omo_core.model.stock import ConfirmHolds, PlaceHolds, ReplaceHolds, StockAnswer
from tests.inventory.conftest import POOL, Line, Shop, place, receive, requests
from tests.inventory.test_races import ON_POSTGRES, WITH_WRITERS, each_alone, together

HOUR = timedelta(hours=1)
NINE = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
TEN = NINE + HOUR


def codes(answer: StockAnswer) -> list[str]:
    return [refusal.code for refusal in answer.refusals]


def set_capacity(key: str, *slots: tuple[str, datetime, int]) -> SetCapacity:
    return SetCapacity(
        key=key, slots=tuple(SlotCapacity(node=node, slot_at=at, capacity=units) for node, at, units in slots)
    )


def work(owner: str, node: str = "TPE", slot_at: datetime = NINE, units: int = 1) -> SlotRequest:
    return SlotRequest(owner=owner, node=node, slot_at=slot_at, units=units)


def place_with(
    key: str, *slots: SlotRequest, line: Line = ("MUG", "TPE", 1), expires_at: datetime | None = None
) -> PlaceHolds:
    return PlaceHolds(key=key, lines=requests(key, line), slots=slots, expires_at=expires_at)


def ref(owner: str, node: str | None = None, slot_at: datetime | None = None) -> ClaimRef:
    return ClaimRef(owner=owner, node=node, slot_at=slot_at)


def used(shop: Shop, node: str = "TPE", slot_at: datetime = NINE) -> tuple[int, int]:
    """(capacity, used)"""
    (level,) = shop.database.read(POOL, lambda tx: slot_levels(tx, [(node, slot_at)]))
    return level.capacity, level.used


def claims(shop: Shop, *owners: str) -> list[tuple[str, str, int, int, int]]:
    """(owner, node, held, done, released)"""
    found = shop.database.read(POOL, lambda tx: claims_of(tx, owners))
    return [(one.owner, one.node, one.held, one.done, one.released) for one in found]


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """Goods enough, and two slots at one node, one at the other."""
    shop.apply(
        receive("r", ("MUG", "TPE", 500), ("MUG", "KHH", 500)),
        set_capacity("slots", ("TPE", NINE, 3), ("TPE", TEN, 1), ("KHH", NINE, 2)),
    )
    return shop


def assert_sums(shop: Shop) -> None:
    """Every slot is used by exactly what its claims hold or did."""
    sql = (
        "SELECT count(*) FROM omo_capacity_slot AS s WHERE s.used <> (SELECT coalesce(sum(c.held + c.done), 0) "
        "FROM omo_slot_claim AS c WHERE c.pool_id = s.pool_id AND c.node = s.node AND c.slot_at_us = s.slot_at_us)"
    )
    with shop.database.connection(read_only=True) as connection:
        assert connection.exec_driver_sql(sql).scalar_one() == 0


def test_goods_and_work_are_taken_together_or_not_at_all(busy: Shop) -> None:
    won, no_work, no_goods = busy.apply(
        place_with("a", work("a", units=2), work("a", "KHH")),
        place_with("b", work("b", "KHH"), work("b", units=2)),
        place_with("d", work("d"), line=("BOWL", "TPE", 1)),
    )
    assert [(one.owner, one.node, one.held) for one in won.claims] == [("a", "TPE", 2), ("a", "KHH", 1)]
    assert codes(no_work) == ["no_capacity"]
    parameters = {"node": "TPE", "slot_at": "2026-03-02T01:00:00+00:00", "wanted": 2, "available": 1}
    assert no_work.refusals[0].parameters == parameters
    assert codes(no_goods) == ["insufficient_stock"]
    assert used(busy) == (3, 2)
    assert used(busy, "KHH") == (2, 1)
    assert busy.counters() == (500, 1, 0, 0)
    assert claims(busy, "a", "b", "d") == [("a", "KHH", 1, 0, 0), ("a", "TPE", 2, 0, 0)]
    assert_sums(busy)


def test_requests_of_one_slot_are_summed(busy: Shop) -> None:
    too_much, fits = busy.apply(
        place_with("a", work("a", units=2), work("b", units=2)), place_with("c", work("c"), work("c"), work("d"))
    )
    assert codes(too_much) == ["no_capacity"]
    assert too_much.refusals[0].parameters["wanted"] == 4
    assert [(one.owner, one.held) for one in fits.claims] == [("c", 2), ("d", 1)]
    assert used(busy) == (3, 3)


def test_slots_nobody_set_and_nodes_nobody_knows_take_no_work(busy: Shop) -> None:
    never_set, unknown, unknown_setting = busy.apply(
        place_with("a", work("a", slot_at=TEN + HOUR)),
        place_with("b", work("b", "XXX")),
        set_capacity("s", ("XXX", NINE, 4), ("TPE", NINE, 9)),
    )
    assert codes(never_set) == ["no_capacity"]
    assert never_set.refusals[0].parameters["available"] == 0
    assert codes(unknown) == codes(unknown_setting) == ["unknown_node"]
    assert used(busy) == (3, 0)
    assert used(busy, slot_at=TEN + HOUR) == (0, 0)


def test_capacity_is_never_set_below_what_is_claimed(busy: Shop) -> None:
    busy.apply(place_with("a", work("a", units=2)))
    below, exact, above, unchanged = busy.apply(
        set_capacity("s1", ("KHH", NINE, 5), ("TPE", NINE, 1)),
        set_capacity("s2", ("TPE", NINE, 2)),
        set_capacity("s3", ("TPE", NINE, 7)),
        set_capacity("s4", ("TPE", NINE, 7)),
    )
    assert codes(below) == ["capacity_below_used"]
    assert exact.applied
    assert above.applied
    assert unchanged.applied
    assert used(busy) == (7, 2)
    assert used(busy, "KHH") == (2, 0)
    with pytest.raises(ValidationError, match="names a slot twice"):
        set_capacity("twice", ("TPE", NINE, 1), ("TPE", NINE + timedelta(0), 2))


def test_work_set_claimed_and_given_back_in_one_batch(busy: Shop) -> None:
    later = TEN + 2 * HOUR
    _, won, lost, _, again = busy.apply(
        set_capacity("s", ("KHH", later, 1)),
        place_with("a", work("a", "KHH", later)),
        place_with("b", work("b", "KHH", later)),
        ReleaseSlots(key="x", claims=(ref("a"),)),
        place_with("c", work("c", "KHH", later)),
    )
    assert (won.applied, codes(lost), again.applied) == (True, ["no_capacity"], True)
    assert claims(busy, "a", "b", "c") == [("a", "KHH", 0, 0, 1), ("c", "KHH", 1, 0, 0)]
    assert_sums(busy)


def test_releasing_names_a_slot_a_node_or_everything(busy: Shop) -> None:
    busy.apply(place_with("a", work("a"), work("a", slot_at=TEN), work("a", "KHH")), place_with("b", work("b")))
    one, at_node, rest, nothing, named = busy.apply(
        ReleaseSlots(key="x1", claims=(ref("a", "TPE", TEN),)),
        ReleaseSlots(key="x2", claims=(ref("a", "TPE"), ref("a", "TPE", NINE))),
        ReleaseSlots(key="x3", claims=(ref("a"),)),
        ReleaseSlots(key="x4", claims=(ref("a"), ref("nobody"))),
        ReleaseSlots(key="x5", claims=(ref("b"), ref("a", "TPE", NINE))),
    )
    assert [(claim.node, claim.slot_at) for claim in one.claims] == [("TPE", TEN)]
    assert [(claim.node, claim.slot_at) for claim in at_node.claims] == [("TPE", NINE)]
    assert [(claim.node, claim.slot_at) for claim in rest.claims] == [("KHH", NINE)]
    assert (nothing.applied, nothing.claims) == (True, ())
    # One slot that is not held refuses the whole command.
    assert codes(named) == ["no_slot_claim"]
    assert used(busy) == (3, 1)
    assert used(busy, slot_at=TEN) == (1, 0)
    assert_sums(busy)


def test_done_work_stays_counted_and_cannot_be_given_back(busy: Shop) -> None:
    busy.apply(place_with("a", work("a", units=3)))
    done, given_back, lost, again = busy.apply(
        FinishSlots(key="f", claims=(ref("a", "TPE"),)),
        ReleaseSlots(key="x", claims=(ref("a", "TPE", NINE),)),
        place_with("b", work("b")),
        FinishSlots(key="f2", claims=(ref("a", "TPE", NINE),)),
    )
    assert [(one.held, one.done) for one in done.claims] == [(0, 3)]
    assert codes(given_back) == ["no_slot_claim"]
    assert codes(lost) == ["no_capacity"]
    assert codes(again) == ["no_slot_claim"]
    assert used(busy) == (3, 3)


def test_replacing_moves_goods_and_work_in_one_step(busy: Shop) -> None:
    (old,) = busy.held(place_with("a", work("a", units=3)))

    def move(key: str, *slots: SlotRequest, release: tuple[ClaimRef, ...]) -> StockAnswer:
        command = ReplaceHolds(
            key=key, release=(old,), place=requests("a", ("MUG", "KHH", 1)), slots=slots, release_slots=release
        )
        return busy.apply(command)[0]

    assert codes(move("m1", work("a", units=2), release=())) == ["no_capacity"]
    assert codes(move("m2", work("a", "KHH", units=3), release=(ref("a"),))) == ["no_capacity"]
    assert codes(move("m3", work("a"), release=(ref("a", "KHH", NINE),))) == ["no_slot_claim", "no_capacity"]
    assert busy.hold("a").node == "TPE"
    assert used(busy) == (3, 3)
    moved = move("m4", work("a", units=2), work("a", "KHH"), release=(ref("a"),))
    # What is released is free for what is claimed: the same slot, with less of it.
    assert [(one.node, one.held, one.released) for one in moved.claims] == [("TPE", 2, 3), ("KHH", 1, 0)]
    assert used(busy) == (3, 2)
    assert_sums(busy)


def test_claims_end_with_the_last_hold_of_their_owner_that_expires(busy: Shop) -> None:
    soon = busy.clock.now() + HOUR
    busy.apply(
        place_with("gone", work("gone", units=2), expires_at=soon),
        place_with("kept", work("kept"), expires_at=soon),
        place("kept/more", ("MUG", "KHH", 1), owner="kept", expires_at=soon + HOUR),
    )
    operations = busy.count("operation")
    busy.clock.advance(HOUR)
    assert {hold.owner for hold in busy.expire()} == {"gone", "kept"}
    assert claims(busy, "gone", "kept") == [("gone", "TPE", 0, 0, 2), ("kept", "TPE", 1, 0, 0)]
    assert busy.count("operation") == operations + 1
    busy.clock.advance(HOUR)
    assert [hold.owner for hold in busy.expire()] == ["kept"]
    assert used(busy) == (3, 0)
    assert_sums(busy)


def test_a_confirmed_hold_and_done_work_keep_their_slots(busy: Shop) -> None:
    soon = busy.clock.now() + HOUR
    (firm,) = busy.held(place_with("firm", work("firm"), expires_at=soon))
    busy.apply(
        ConfirmHolds(key="c", holds=(firm,)),
        place("firm/2", ("MUG", "TPE", 1), owner="firm", expires_at=soon),
        place_with("done", work("done"), expires_at=soon),
        FinishSlots(key="f", claims=(ref("done"),)),
    )
    busy.clock.advance(HOUR)
    assert len(busy.expire()) == 2
    assert claims(busy, "firm", "done") == [("done", "TPE", 0, 1, 0), ("firm", "TPE", 1, 0, 0)]


def test_keys_repeated_claim_once(busy: Shop) -> None:
    commands = (place_with("a", work("a")), FinishSlots(key="f", claims=(ref("a"),)))
    first = busy.apply(*commands)
    assert busy.apply(*commands) == first
    assert busy.apply(set_capacity("slots", ("TPE", NINE, 3), ("TPE", TEN, 1), ("KHH", NINE, 2)))[0].applied
    assert used(busy) == (3, 1)


def test_slots_are_read_in_bulk_in_the_order_asked(busy: Shop) -> None:
    asked = [("TPE", TEN), ("KHH", NINE), ("KHH", TEN), ("TPE", NINE), ("TPE", TEN)]
    levels = busy.database.read(POOL, lambda tx: slot_levels(tx, asked))
    assert [(one.node, one.slot_at, one.free) for one in levels] == [
        ("TPE", TEN, 1),
        ("KHH", NINE, 2),
        ("KHH", TEN, 0),
        ("TPE", NINE, 3),
        ("TPE", TEN, 1),
    ]


@WITH_WRITERS
def test_the_last_slots_go_to_exactly_as_many_as_there_are(busy: Shop) -> None:
    busy.apply(set_capacity("more", ("TPE", NINE, 20)))
    answers = together(
        *(
            each_alone(busy, [place_with(f"{thread}/{n}", work(f"{thread}/{n}")) for n in range(10)])
            for thread in range(8)
        )
    )
    winners = [answer for one_thread in answers for answer in one_thread if answer.applied]
    assert len(winners) == 20
    assert {code for one_thread in answers for answer in one_thread for code in codes(answer)} == {"no_capacity"}
    assert used(busy) == (20, 20)
    assert busy.counters() == (500, 20, 0, 0)
    assert_sums(busy)


@WITH_WRITERS
def test_of_release_and_finish_exactly_one_wins(busy: Shop) -> None:
    busy.apply(set_capacity("more", ("TPE", NINE, 20)), *(place_with(f"a{n}", work(f"a{n}")) for n in range(20)))
    released, finished = together(
        each_alone(busy, [ReleaseSlots(key=f"x{n}", claims=(ref(f"a{n}", "TPE", NINE),)) for n in range(20)]),
        each_alone(busy, [FinishSlots(key=f"f{n}", claims=(ref(f"a{n}", "TPE", NINE),)) for n in range(20)]),
    )
    assert [one.applied != other.applied for one, other in zip(released, finished, strict=True)] == [True] * 20
    assert used(busy) == (20, sum(answer.applied for answer in finished))
    assert_sums(busy)


@ON_POSTGRES
def test_orders_over_the_same_slots_in_opposite_order_never_deadlock(busy: Shop) -> None:
    """Without retries: a deadlock would come out as an exception."""
    slots = [("KHH", NINE), ("TPE", NINE), ("TPE", TEN)]
    busy.apply(set_capacity("more", *((node, at, 1_000) for node, at in slots)))

    def order(name: str, mine: list[tuple[str, datetime]]) -> Callable[[], None]:
        def run() -> None:
            for n in range(30):
                key = f"{name}{n}"
                wanted = place_with(key, *(work(key, node, at) for node, at in mine))
                for command in (wanted, ReleaseSlots(key=f"{key}/x", claims=(ref(key),))):
                    with busy.database.transaction(POOL) as tx:
                        assert apply_one(tx, command).applied

        return run

    together(order("up", slots), order("down", slots[::-1]), order("mixed", slots[1:] + slots[:1]))
    assert used(busy) == (1_000, 0)
    assert_sums(busy)


@ON_POSTGRES
def test_two_sweeps_of_an_owners_last_two_holds_leave_no_claim(busy: Shop) -> None:
    soon = busy.clock.now() + HOUR
    for n in range(10):
        busy.apply(
            place_with(f"a{n}", work(f"a{n}"), expires_at=soon) if n < 3 else place(f"a{n}", ("MUG", "TPE", 1)),
            place(f"a{n}/2", ("MUG", "KHH", 1), owner=f"a{n}", expires_at=soon),
        )
    busy.clock.advance(HOUR)
    sweep = partial(busy.expire, 1)
    for _ in range(10):
        together(sweep, sweep)
    assert used(busy) == (3, 0)
    assert_sums(busy)
