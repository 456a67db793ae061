"""Mutants of the stock pool's sums: guards, checks, and what a command counts."""

from __future__ import annotations

from typing import Final

from tools.mutants.mutant import Edit, Mutant

_FIRST_SCHEMA: Final = "omo_core/storage/migrations/versions/0001_first_schema.py"

_NO_GUARD: Final = Edit("omo_core/inventory/decide.py", "if free < quantity:", "if quantity < 0:")
_NO_CHECK: Final = (
    Edit("omo_core/storage/tables.py", '"0 <= reserved AND reserved <= on_hand"', '"0 <= reserved"'),
    # The migration agrees, so that no test of the schema is what notices.
    Edit(_FIRST_SCHEMA, '"0 <= reserved AND reserved <= on_hand"', '"0 <= reserved"'),
)


def _unguarded(letter: str, what: str, edit: Edit, test: str) -> Mutant:
    """Rows beside stock that are written whatever they have become."""
    return Mutant(
        number=1,
        letter=letter,
        what="guard dropped from WHERE",
        how=f"The same for {what}.",
        edits=(edit,),
        killers=(f"tests/inventory/test_guards.py::test_a_counter_changed_around_its_lock_stops_the_batch[{test}]",),
        shows="DID NOT RAISE",
    )


def _unchecked(letter: str, what: str, check: str, name: str) -> Mutant:
    """A table beside stock that takes what it must not."""
    return Mutant(
        number=2,
        letter=letter,
        what="CHECK dropped",
        how=f"The database takes {what}.",
        edits=tuple(Edit(path, check, '"1 = 1"') for path in ("omo_core/storage/tables_promises.py", _FIRST_SCHEMA)),
        killers=("tests/storage/test_checks.py::test_each_check_refuses_what_breaks_it[sqlite-memory]",),
        shows=f"assert 'ck_omo_{name}",
    )


MUTANTS: Final = (
    Mutant(
        number=1,
        what="guard dropped from WHERE",
        how="A promise is made whether the units are free or not: the pool decides under the row's lock.",
        edits=(_NO_GUARD,),
        killers=("tests/inventory/test_decide.py::test_a_hold_takes_what_is_free_and_no_more",),
        shows="assert None is not None",
    ),
    Mutant(
        number=1,
        letter="b",
        what="guard dropped from WHERE",
        how="Rows are written whatever version they have by then.",
        edits=(Edit("omo_core/inventory/record.py", 'keys=(*ROW_KEY, "version")', "keys=ROW_KEY"),),
        killers=("tests/inventory/test_audit.py::test_a_row_changed_around_its_lock_stops_the_batch",),
        shows="DID NOT RAISE",
    ),
    Mutant(
        number=1,
        letter="c",
        what="guard dropped from WHERE",
        how="Holds are written whatever their state is by then.",
        edits=(Edit("omo_core/inventory/record.py", 'keys=("hold", "state", "pending")', 'keys=("hold",)'),),
        killers=("tests/inventory/test_audit.py::test_a_hold_changed_around_its_lock_stops_the_batch",),
        shows="DID NOT RAISE",
    ),
    _unguarded(
        "d",
        "slots",
        Edit("omo_core/inventory/capacity.py", 'keys=(*_SLOT_KEY, "version")', "keys=_SLOT_KEY"),
        "slot",
    ),
    _unguarded(
        "e",
        "quotas",
        Edit("omo_core/inventory/quotas.py", '"channel": "channel", "version": "was"}', '"channel": "channel"}'),
        "quota",
    ),
    _unguarded(
        "f",
        "caps of backorders",
        Edit("omo_core/inventory/backorders.py", '"node": "node", "version": "was"}', '"node": "node"}'),
        "backorder-cap",
    ),
    _unguarded(
        "g",
        "backorders",
        Edit("omo_core/inventory/backorders.py", '"backorder", "open": "was_open"}', '"backorder"}'),
        "backorder",
    ),
    Mutant(
        number=2,
        what="CHECK dropped",
        how="The database takes a row with more units reserved than it has on hand.",
        edits=_NO_CHECK,
        killers=(
            "tests/storage/test_transaction.py::test_a_row_that_breaks_an_invariant_is_refused_by_the_database"
            "[sqlite-memory-omo_stock-0]",
        ),
        shows="DID NOT RAISE",
    ),
    _unchecked("b", "more work in a slot than it has", '"0 <= used AND used <= capacity"', "capacity_slot_used"),
    _unchecked("c", "more used of a quota than its cap", "\"kind <> 'capped' OR used <= units\"", "quota_used_within"),
    _unchecked(
        "d", "more promised ahead than the cap", '"0 <= promised AND promised <= cap"', "backorder_cap_promised"
    ),
    Mutant(
        number=3,
        what="guard and CHECK dropped (the audit finds it)",
        how="Mutants 1 and 2 together: more is promised than there is, and every statement succeeds.",
        edits=(_NO_GUARD, *_NO_CHECK),
        killers=("tests/inventory/test_guards.py::test_the_audit_is_a_witness_of_its_own",),
        shows="4 units reserved but 2 on hand",
    ),
    Mutant(
        number=9,
        what="lines not summed per SKU",
        how="Of two lines of one stock row the last one is decided on alone.",
        edits=(Edit("omo_core/inventory/verb.py", "sums[cell] + line.quantity", "line.quantity"),),
        killers=(
            "tests/inventory/test_holds.py::test_holds_are_all_or_nothing_and_lines_of_one_row_are_summed"
            "[sqlite-memory]",
        ),
        shows="insufficient_stock",
    ),
    Mutant(
        number=10,
        what="an iterator consumed twice",
        how="Holds that end are summed first, and then there are none left to end: their units become free alone.",
        edits=(Edit("omo_core/inventory/verbs_holds.py", "holds = list(holds)", "holds = iter(list(holds))"),),
        killers=("tests/inventory/test_holds.py::test_releasing_gives_back_what_is_pending_once[sqlite-memory]",),
        shows="['row_halted'] == ['hold_not_open']",
    ),
    Mutant(
        number=15,
        what="expiry sweep without a state guard",
        how="Whatever is past its time ends, also what ended before or was made firm.",
        edits=(
            Edit("omo_core/inventory/decide.py", "hold.state is HoldState.PLACED and hold.exp", "hold.exp"),
            Edit("omo_core/inventory/holds.py", "hold.state == HoldState.PLACED.value, ", ""),
        ),
        killers=(
            "tests/inventory/test_holds.py::test_the_sweep_ends_only_overdue_placed_holds_and_each_once[sqlite-memory]",
        ),
        shows="['a0', 'a1'] == ['a2']",
    ),
    Mutant(
        number=15,
        letter="b",
        what="expiry sweep without a state guard",
        how="What was overdue when it was looked for is ended, although it was confirmed before its row was locked.",
        edits=(
            Edit(
                "omo_core/inventory/holds.py",
                " for hold in overdue if is_expired(",
                " for hold in overdue if (lambda *_: True)(",
            ),
        ),
        killers=("tests/inventory/test_races.py::test_a_sweep_that_waited_for_a_confirmation_leaves_the_hold",),
        shows="HoldState.EXPIRED",
        postgres=True,
    ),
    Mutant(
        number=21,
        what="refund cap per call",
        how="There are no refunds yet; goods that come back have such a cap too: what left under a hold bounds all "
        "its returns together, here each return by itself. The CHECK of the holds, which would still stop it, goes too.",
        edits=(
            Edit("omo_core/inventory/decide.py", "quantity > hold.issued - hold.returned", "quantity > hold.issued"),
            Edit("omo_core/storage/tables.py", '"0 <= returned AND returned <= issued"', '"0 <= returned"'),
            Edit(_FIRST_SCHEMA, '"0 <= returned AND returned <= issued"', '"0 <= returned"'),
        ),
        killers=(
            "tests/inventory/test_returns.py::test_no_more_comes_back_under_a_hold_than_left_under_it[sqlite-memory]",
        ),
        shows="exceeds_issued",
    ),
)
