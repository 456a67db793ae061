"""The pool's decisions alone: no database, every branch."""

from __future__ import annotations

from typing import Any

import pytest

from omo_core.inventory.decide import (
    decide_carried,
    decide_confirm,
    decide_hold,
    decide_issue,
    decide_open,
    decide_sale,
    is_expired,
)
from omo_core.inventory.working import HeldUnits, Row
from omo_core.model.stock import HoldState

NOW_US = 1_000


def row(on_hand: int, reserved: int = 0, **others: Any) -> Row:
    return Row("MUG", "TPE", on_hand=on_hand, reserved=reserved, version=1, **others)


def hold(name: str, pending: int, *, placed_at_us: int = 0, state: str = "placed", **others: Any) -> HeldUnits:
    parts: dict[str, Any] = {"quantity": pending, "issued": 0, "released": 0, "expires_at_us": None, **others}
    return HeldUnits(
        hold=name,
        owner=f"order-{name}",
        line="1",
        sku="MUG",
        node="TPE",
        pending=pending,
        state=HoldState(state),
        placed_at_us=placed_at_us,
        operation_id="op",
        **parts,
    )


@pytest.mark.parametrize(
    ("level", "quantity", "freed", "available"),
    [
        (row(5), 5, 0, None),
        (row(5), 6, 0, 5),
        (row(5, 3), 2, 0, None),
        (row(5, 3), 3, 0, 2),
        (row(5, 3), 3, 1, None),
        (row(5, 3, safety=1), 2, 0, 1),
        # Safety above what is left makes free negative: what is released first fills that gap.
        (row(5, 5, safety=2), 1, 2, 0),
        (row(5, 5, safety=2), 1, 3, None),
        (row(0), 1, 0, 0),
    ],
)
def test_a_hold_takes_what_is_free_and_no_more(level: Row, quantity: int, freed: int, available: int | None) -> None:
    refusal = decide_hold(level, quantity, freed)
    if available is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal.code == "insufficient_stock"
        assert refusal.parameters == {"sku": "MUG", "node": "TPE", "wanted": quantity, "available": available}


def test_a_halted_row_promises_nothing() -> None:
    refusal = decide_hold(row(5, halted=True), 1)
    assert refusal is not None
    assert refusal.code == "row_halted"


def test_a_sale_from_free_stock_displaces_nobody_and_ignores_safety() -> None:
    sale = decide_sale(row(5, 2, safety=3), 3, [hold("a", 2)])
    assert (sale.taken, sale.shortage, sale.displaced) == (3, 0, ())


def test_a_sale_displaces_the_newest_promises_and_the_last_one_in_part() -> None:
    old, middle, new = hold("a", 2, placed_at_us=1), hold("b", 2, placed_at_us=2), hold("c", 1, placed_at_us=3)
    sale = decide_sale(row(5, 5), 2, [middle, new, old])
    assert (sale.taken, sale.shortage) == (2, 0)
    assert [(gone.hold, units) for gone, units in sale.displaced] == [("c", 1), ("b", 1)]


def test_holds_of_one_instant_give_way_by_their_id_newest_first() -> None:
    sale = decide_sale(row(2, 2), 1, [hold("a", 1), hold("b", 1)])
    assert [gone.hold for gone, _ in sale.displaced] == ["b"]


def test_what_the_book_never_had_is_shortage() -> None:
    sale = decide_sale(row(3, 1), 5, [hold("a", 1)])
    assert (sale.taken, sale.shortage) == (3, 2)
    assert [(gone.hold, units) for gone, units in sale.displaced] == [("a", 1)]
    assert decide_sale(row(0), 4) == decide_sale(row(0), 4, [])
    assert decide_sale(row(0), 4).shortage == 4


def test_reserved_units_that_no_hold_explains_stay_in_the_book() -> None:
    sale = decide_sale(row(5, 4), 5, [hold("a", 1)])
    assert (sale.taken, sale.shortage) == (2, 3)
    assert [(gone.hold, units) for gone, units in sale.displaced] == [("a", 1)]


@pytest.mark.parametrize("state", ["issued", "released", "expired"])
def test_an_ended_hold_tells_which_state_won(state: str) -> None:
    refusal = decide_open(hold("a", 0, state=state, quantity=1), "a")
    assert refusal is not None
    assert (refusal.code, refusal.parameters["state"]) == ("hold_not_open", state)


def test_a_hold_that_does_not_exist_is_refused() -> None:
    refusal = decide_open(None, "nowhere")
    assert refusal is not None
    assert refusal.code == "unknown_hold"


@pytest.mark.parametrize(
    ("state", "expires_at_us", "code"),
    [
        ("placed", None, None),
        ("placed", NOW_US + 1, None),
        ("placed", NOW_US, "hold_expired"),
        ("placed", NOW_US - 1, "hold_expired"),
        ("confirmed", None, None),
    ],
)
def test_confirming_needs_a_hold_within_its_time(state: str, expires_at_us: int | None, code: str | None) -> None:
    refusal = decide_confirm(hold("a", 1, state=state, expires_at_us=expires_at_us), NOW_US)
    assert (refusal.code if refusal else None) == code


@pytest.mark.parametrize("state", ["confirmed", "issued", "released", "expired"])
def test_only_a_placed_hold_can_be_past_its_time(state: str) -> None:
    assert is_expired(hold("a", 1, state="placed", expires_at_us=NOW_US), NOW_US)
    assert not is_expired(hold("a", 1, state=state, expires_at_us=NOW_US), NOW_US)


def test_issuing_takes_at_most_what_is_pending() -> None:
    assert decide_issue(hold("a", 3), 3) is None
    refusal = decide_issue(hold("a", 3), 4)
    assert refusal is not None
    assert refusal.parameters == {"hold": "a", "pending": 3, "wanted": 4}


def test_a_row_that_does_not_carry_its_holds_is_not_touched() -> None:
    assert decide_carried(row(3, 3), 3) is None
    for broken in (row(3, 2), Row("MUG", "TPE", on_hand=2, reserved=3)):
        refusal = decide_carried(broken, 3)
        assert refusal is not None
        assert refusal.code == "row_halted"
