"""Promises: placed, replaced, confirmed, issued, released and expired, on every engine."""

from __future__ import annotations

from datetime import timedelta

from omo_core.model.stock import ConfirmHolds, Issue, IssueHolds, ReleaseHolds, StockAnswer
from tests.inventory.conftest import Shop, place, receive, replace, sell

A_WHILE = timedelta(minutes=15)


def codes(answer: StockAnswer) -> list[str]:
    return [refusal.code for refusal in answer.refusals]


def confirm(key: str, *holds: str) -> ConfirmHolds:
    return ConfirmHolds(key=key, holds=holds)


def release(key: str, *holds: str) -> ReleaseHolds:
    return ReleaseHolds(key=key, holds=holds)


def issue(key: str, *parts: tuple[str, int]) -> IssueHolds:
    return IssueHolds(key=key, lines=tuple(Issue(hold=hold, quantity=units) for hold, units in parts))


def test_a_hold_reserves_and_nobody_can_reserve_it_again(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)))
    won, lost = shop.apply(place("a", ("MUG", "TPE", 2)), place("b", ("MUG", "TPE", 2)))
    assert won.applied
    assert codes(lost) == ["insufficient_stock"]
    assert lost.refusals[0].parameters == {"sku": "MUG", "node": "TPE", "wanted": 2, "available": 1}
    assert shop.counters() == (3, 2, 0, 0)
    assert shop.holds("b") == []


def test_holds_are_all_or_nothing_and_lines_of_one_row_are_summed(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3), ("BOWL", "TPE", 1)))
    two_rows, one_row, fits = shop.apply(
        place("a", ("MUG", "TPE", 1), ("BOWL", "TPE", 2)),
        place("b", ("MUG", "TPE", 2), ("MUG", "TPE", 2)),
        place("c", ("MUG", "TPE", 2), ("MUG", "TPE", 1), ("BOWL", "TPE", 1)),
    )
    assert codes(two_rows) == ["insufficient_stock"]
    assert codes(one_row) == ["insufficient_stock"]
    assert one_row.refusals[0].parameters["wanted"] == 4
    assert [(hold.line, hold.quantity) for hold in fits.holds] == [("1", 2), ("2", 1), ("3", 1)]
    assert shop.counters() == (3, 3, 0, 0)
    assert shop.count("hold") == 3


def test_holding_where_there_is_no_row_is_refused_without_making_one(shop: Shop) -> None:
    nothing_there, unknown = shop.apply(place("a", ("MUG", "TPE", 1)), place("b", ("CUP", "XXX", 1)))
    assert codes(nothing_there) == ["insufficient_stock"]
    assert codes(unknown) == ["unknown_sku", "unknown_node"]
    assert shop.count("stock") == 0


def test_replacing_counts_what_it_releases_as_free(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2), ("MUG", "KHH", 1)))
    old = shop.held(place("a", ("MUG", "TPE", 2)))
    (answer,) = shop.apply(replace("b", tuple(old), ("MUG", "TPE", 1), ("MUG", "KHH", 1)))
    assert [(hold.node, hold.state.value) for hold in answer.holds] == [
        ("TPE", "placed"),
        ("KHH", "placed"),
        ("TPE", "released"),
    ]
    assert shop.counters() == (2, 1, 0, 0)
    assert shop.counters("MUG", "KHH") == (1, 1, 0, 0)


def test_a_replacement_that_does_not_fit_leaves_the_old_holds(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2)))
    old = shop.held(place("a", ("MUG", "TPE", 2)))
    (answer,) = shop.apply(replace("b", tuple(old), ("MUG", "TPE", 3)))
    assert codes(answer) == ["insufficient_stock"]
    assert shop.hold("a").state.value == "placed"
    assert shop.counters() == (2, 2, 0, 0)


def test_replacing_a_hold_by_the_same_units_changes_the_hold_and_not_the_row(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2)))
    old = shop.held(place("a", ("MUG", "TPE", 2)))
    version = shop.level().version
    shop.apply(replace("b", tuple(old), ("MUG", "TPE", 2)))
    assert (shop.hold("a").state.value, shop.hold("b").state.value) == ("released", "placed")
    assert shop.level().version == version


def test_a_confirmed_hold_never_expires(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 2), expires_at=shop.clock.now() + A_WHILE))
    shop.apply(confirm("c", hold))
    shop.clock.advance(2 * A_WHILE)
    assert shop.expire() == []
    assert (shop.hold("a").state.value, shop.hold("a").expires_at) == ("confirmed", None)
    (again,) = shop.apply(confirm("d", hold))
    assert again.applied


def test_an_expired_hold_cannot_be_confirmed_even_before_the_sweep(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 2), expires_at=shop.clock.now() + A_WHILE))
    shop.clock.advance(A_WHILE)
    (late,) = shop.apply(confirm("c", hold))
    assert codes(late) == ["hold_expired"]
    assert shop.counters() == (2, 2, 0, 0)


def test_the_sweep_ends_only_overdue_placed_holds_and_each_once(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    now = shop.clock.now()
    for number, minutes in enumerate((1, 2, 3, 30)):
        shop.apply(place(f"a{number}", ("MUG", "TPE", 2), expires_at=now + timedelta(minutes=minutes)))
    shop.apply(place("forever", ("MUG", "TPE", 1)))
    assert shop.expire() == []
    operations = shop.count("operation")
    shop.clock.advance(timedelta(minutes=5))
    first, second, third = shop.expire(limit=2), shop.expire(limit=2), shop.expire(limit=2)
    assert [hold.owner for hold in first] == ["a0", "a1"]
    assert [hold.owner for hold in second] == ["a2"]
    assert third == []
    assert {hold.state.value for hold in first + second} == {"expired"}
    assert shop.counters() == (9, 3, 0, 0)
    # A sweep that ends nothing is no operation.
    assert shop.count("operation") == operations + 2
    (late,) = shop.apply(release("l", first[0].hold))
    assert codes(late) == ["hold_not_open"]
    assert late.refusals[0].parameters["state"] == "expired"


def test_issuing_takes_goods_and_promise_together_and_may_come_in_parts(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 3)))
    part, too_much, rest, after = shop.apply(
        issue("i1", (hold, 1)),
        issue("i2", (hold, 2), (hold, 1)),
        issue("i3", (hold, 1), (hold, 1)),
        issue("i4", (hold, 1)),
    )
    assert (part.holds[0].state.value, part.holds[0].pending, part.holds[0].issued) == ("placed", 2, 1)
    assert codes(too_much) == ["exceeds_pending"]
    assert too_much.refusals[0].parameters["wanted"] == 3
    assert (rest.holds[0].state.value, rest.holds[0].issued) == ("issued", 3)
    assert codes(after) == ["hold_not_open"]
    assert shop.counters() == (2, 0, 0, 0)


def test_releasing_gives_back_what_is_pending_once(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 3)))
    _, won, lost, unknown = shop.apply(
        issue("i", (hold, 1)), release("x", hold, hold), release("y", hold), release("z", "no-such-hold")
    )
    assert won.applied
    assert codes(lost) == ["hold_not_open"]
    assert codes(unknown) == ["unknown_hold"]
    ended = shop.hold("a")
    assert (ended.state.value, ended.pending, ended.issued, ended.released) == ("released", 0, 1, 2)
    assert shop.counters() == (4, 0, 0, 0)


def test_one_ended_hold_refuses_the_whole_command(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)))
    gone, open_hold = (shop.held(place(owner, ("MUG", "TPE", 1)))[0] for owner in ("a", "b"))
    shop.apply(release("x", gone))
    for command in (
        release("y", gone, open_hold),
        confirm("c", gone, open_hold),
        issue("i", (gone, 1), (open_hold, 1)),
    ):
        (answer,) = shop.apply(command)
        assert codes(answer) == ["hold_not_open"]
    assert shop.hold("b").state.value == "placed"


def test_a_displaced_hold_cannot_be_issued(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 1)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 1)))
    shop.apply(confirm("c", hold), sell("s", ("MUG", "TPE", 1)))
    (answer,) = shop.apply(issue("i", (hold, 1)))
    assert codes(answer) == ["hold_not_open"]
    assert shop.counters() == (0, 0, 0, 0)
