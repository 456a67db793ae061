"""A hold's time is prolonged within its maximum life, and its units are given back in parts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from omo_core.inventory import apply_one
from omo_core.inventory.extensions import DEFAULT_EXTENSIONS, extension_limit, set_extension_limit
from omo_core.model.errors import DuplicateKeyMismatch, InvalidInput
from omo_core.model.promises import ExtendHolds, PartOfHold, ReleaseUnits
from omo_core.model.stock import ConfirmHolds, HoldRequest, Issue, IssueHolds, PlaceHolds, ReplaceHolds, StockAnswer
from tests.inventory.conftest import POOL, Shop, place, receive, requests, sell

A_WHILE = timedelta(minutes=15)


def codes(answer: StockAnswer) -> list[str]:
    return [refusal.code for refusal in answer.refusals]


def extend(key: str, shop: Shop, after: timedelta, *holds: str) -> ExtendHolds:
    return ExtendHolds(key=key, holds=holds, expires_at=shop.clock.now() + after)


def release(key: str, *parts: tuple[str, int]) -> ReleaseUnits:
    return ReleaseUnits(key=key, lines=tuple(PartOfHold(hold=hold, quantity=units) for hold, units in parts))


def mortal(shop: Shop, key: str, minutes: int, most: int) -> str:
    """A hold of two mugs that expires after some minutes and dies after more."""
    now = shop.clock.now()
    command = PlaceHolds(
        key=key,
        lines=requests(key, ("MUG", "TPE", 2)),
        expires_at=now + timedelta(minutes=minutes),
        dies_at=now + timedelta(minutes=most),
    )
    return shop.held(command)[0]


def test_a_longer_hold_outlives_the_sweep_that_would_have_ended_it(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 2), expires_at=shop.clock.now() + A_WHILE))
    (answer,) = shop.apply(extend("e", shop, 2 * A_WHILE, hold))
    assert answer.applied
    (changed,) = answer.holds
    assert (changed.extended, changed.expires_at) == (1, shop.clock.now() + 2 * A_WHILE)
    assert shop.hold("a") == changed
    shop.clock.advance(A_WHILE)
    assert shop.expire() == []
    shop.clock.advance(A_WHILE)
    assert [one.hold for one in shop.expire()] == [hold]
    assert shop.counters() == (3, 0, 0, 0)


def test_no_extension_goes_past_the_maximum_life(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)))
    hold = mortal(shop, "a", minutes=15, most=40)
    dies_at = shop.clock.now() + timedelta(minutes=40)
    late, exact = shop.apply(
        extend("e1", shop, timedelta(minutes=40, microseconds=1), hold),
        extend("e2", shop, timedelta(minutes=40), hold),
    )
    assert codes(late) == ["beyond_maximum_life"]
    assert late.refusals[0].parameters["dies_at"] == dies_at.isoformat()
    assert exact.applied
    assert (shop.hold("a").expires_at, shop.hold("a").dies_at) == (dies_at, dies_at)


def test_a_hold_is_extended_only_as_often_as_the_pool_allows(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 2), expires_at=shop.clock.now() + A_WHILE))
    answers = shop.apply(*(extend(f"e{n}", shop, n * A_WHILE, hold) for n in range(2, 3 + DEFAULT_EXTENSIONS)))
    assert [answer.applied for answer in answers] == [True] * DEFAULT_EXTENSIONS + [False]
    assert codes(answers[-1]) == ["extension_limit"]
    assert answers[-1].refusals[0].parameters == {"hold": hold, "extended": DEFAULT_EXTENSIONS}
    shop.database.run(POOL, lambda tx: set_extension_limit(tx, DEFAULT_EXTENSIONS + 1))
    (allowed,) = shop.apply(extend("again", shop, 9 * A_WHILE, hold))
    assert allowed.applied
    assert shop.hold("a").extended == DEFAULT_EXTENSIONS + 1
    shop.database.run(POOL, lambda tx: set_extension_limit(tx, 0))
    (never,) = shop.apply(extend("never", shop, 10 * A_WHILE, hold))
    assert codes(never) == ["extension_limit"]


def test_the_limit_of_extensions_is_kept_and_is_no_negative_number(memory_shop: Shop) -> None:
    assert memory_shop.database.read(POOL, extension_limit) == DEFAULT_EXTENSIONS
    memory_shop.database.run(POOL, lambda tx: set_extension_limit(tx, 7))
    assert memory_shop.database.read(POOL, extension_limit) == 7
    with pytest.raises(InvalidInput, match="0 or more"):
        memory_shop.database.run(POOL, lambda tx: set_extension_limit(tx, -1))


def test_only_a_hold_that_runs_is_extended(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    soon = shop.clock.now() + A_WHILE
    (firm,) = shop.held(place("firm", ("MUG", "TPE", 1), expires_at=soon))
    (endless,) = shop.held(place("endless", ("MUG", "TPE", 1)))
    (over,) = shop.held(place("over", ("MUG", "TPE", 1), expires_at=soon))
    (running,) = shop.held(place("running", ("MUG", "TPE", 1), expires_at=soon + A_WHILE))
    (gone,) = shop.held(place("gone", ("MUG", "TPE", 1), expires_at=soon))
    shop.apply(ConfirmHolds(key="c", holds=(firm,)), release("x", (gone, 1)))
    shop.clock.advance(A_WHILE)
    for hold, code in (
        (firm, "hold_without_end"),
        (endless, "hold_without_end"),
        (over, "hold_expired"),
        (gone, "hold_not_open"),
        ("nobody", "unknown_hold"),
    ):
        (answer,) = shop.apply(extend(f"e-{hold}", shop, 3 * A_WHILE, running, hold))
        assert codes(answer) == [code]
    (sooner,) = shop.apply(extend("sooner", shop, A_WHILE, running))
    assert codes(sooner) == ["not_an_extension"]
    # One hold that cannot be extended refuses the whole command.
    assert shop.hold("running").extended == 0


def test_a_hold_is_released_in_parts(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 5)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 4)))
    part, too_much, rest, late = shop.apply(
        release("x1", (hold, 1)),
        release("x2", (hold, 2), (hold, 2)),
        release("x3", (hold, 2), (hold, 1)),
        release("x4", (hold, 1)),
    )
    assert (part.holds[0].pending, part.holds[0].released, part.holds[0].state.value) == (3, 1, "placed")
    assert codes(too_much) == ["exceeds_pending"]
    assert too_much.refusals[0].parameters == {"hold": hold, "pending": 3, "wanted": 4}
    assert (rest.holds[0].pending, rest.holds[0].state.value) == (0, "released")
    assert codes(late) == ["hold_not_open"]
    assert shop.counters() == (5, 0, 0, 0)


def test_what_a_partial_release_gives_back_can_be_sold_in_the_same_batch(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 4)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 4)))
    _, won, lost, issued = shop.apply(
        release("x", (hold, 2)),
        place("b", ("MUG", "TPE", 2)),
        place("c", ("MUG", "TPE", 1)),
        IssueHolds(key="i", lines=(Issue(hold=hold, quantity=2),)),
    )
    assert (won.applied, codes(lost), issued.applied) == (True, ["insufficient_stock"], True)
    assert shop.counters() == (2, 2, 0, 0)


def test_a_partial_release_and_a_sale_that_displaces_agree(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 4)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 4)))
    _, sold = shop.apply(release("x", (hold, 1)), sell("s", ("MUG", "TPE", 3)))
    assert [(one.hold, one.quantity) for one in sold.displaced] == [(hold, 2)]
    ended = shop.hold("a")
    assert (ended.pending, ended.released) == (1, 3)


def test_keys_repeated_give_the_stored_answer_and_other_requests_nothing(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 4)))
    hold = mortal(shop, "a", minutes=15, most=400)
    first = shop.apply(extend("e", shop, A_WHILE * 2, hold), release("x", (hold, 1)))
    assert shop.apply(extend("e", shop, A_WHILE * 2, hold), release("x", (hold, 1))) == first
    assert (shop.hold("a").extended, shop.hold("a").pending) == (1, 1)
    with pytest.raises(DuplicateKeyMismatch):
        shop.database.run(POOL, lambda tx: apply_one(tx, release("x", (hold, 2))))


def test_a_maximum_life_needs_an_expiry_within_it(memory_shop: Shop) -> None:
    now = memory_shop.clock.now()
    lines = requests("a", ("MUG", "TPE", 1))
    for expires_at in (None, now + 2 * A_WHILE):
        with pytest.raises(ValidationError, match="needs an expires_at that is not later"):
            PlaceHolds(key="a", lines=lines, expires_at=expires_at, dies_at=now + A_WHILE)
        with pytest.raises(ValidationError, match="needs an expires_at that is not later"):
            ReplaceHolds(key="a", release=(), place=lines, expires_at=expires_at, dies_at=now + A_WHILE)
    assert PlaceHolds(key="a", lines=lines, expires_at=now + A_WHILE, dies_at=now + A_WHILE).dies_at == now + A_WHILE


def test_commands_that_use_nothing_new_keep_their_digest(memory_shop: Shop) -> None:
    line = HoldRequest(owner="o", line="1", sku="MUG", node="TPE", quantity=1)
    placing = PlaceHolds(key="k", lines=(line,))
    assert placing.canonical_json() == (
        '{"key":"k","scope":"default","kind":"place_holds",'
        '"lines":[{"owner":"o","line":"1","sku":"MUG","node":"TPE","quantity":1}],"expires_at":null}'
    )
    replacing = ReplaceHolds(key="k", release=("h",), place=())
    assert replacing.canonical_json() == (
        '{"key":"k","scope":"default","kind":"replace_holds","release":["h"],"place":[],"expires_at":null}'
    )
    assert len({one.digest() for one in (placing, placing.model_copy(update={"channel": "web"}))}) == 2
