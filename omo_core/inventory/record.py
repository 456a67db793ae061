"""Writing a working set back: guarded, set-based, all in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from omo_core.inventory.load import HOLD_COLUMNS, ROW_COLUMNS, ROW_KEY
from omo_core.inventory.working import POSTING_COLUMNS, HeldUnits, Row, WorkingSet
from omo_core.model.errors import InvariantViolation
from omo_core.model.stock import SELLABLE
from omo_core.storage import operations, tables
from omo_core.storage.operations import Operation
from omo_core.storage.transaction import Transaction

_COUNTERS = ("on_hand", "reserved", "safety", "shortage")
_KNOWN = (*ROW_KEY, *_COUNTERS, "safety_permille", "version", "next_version")
_HOLD_COLUMNS = (*HOLD_COLUMNS, "condition")


def record(tx: Transaction, work: WorkingSet, answered: Sequence[Operation] = ()) -> None:
    """Write the changed rows and holds, the ledger lines that explain them, the count tasks, and the answers.

    Raises `InvariantViolation` where a guard does not hold: someone changed a locked row around the library.
    """
    changed = sorted((row for row in work.rows.values() if row.version != row.stored_version), key=attrgetter("cell"))
    with tx.sent_ahead():
        _update_rows(tx, [row for row in changed if row.stored_version])
        _update_holds(tx, [hold for hold in work.holds.values() if hold.changed])
        tx.insert_tuples(tables.stock, ROW_COLUMNS, [_fresh_row(row) for row in changed if not row.stored_version])
        fresh = [_fresh_hold(hold) for hold in work.holds.values() if hold.stored is None]
        tx.insert_tuples(tables.hold, _HOLD_COLUMNS, fresh)
        tx.insert_tuples(tables.posting, POSTING_COLUMNS, work.postings)
        tx.insert(tables.count_task, work.count_tasks)
        operations.add(tx, answered)
    for annex in work.annexes.values():
        annex.record(tx)


def _update_rows(tx: Transaction, rows: Sequence[Row]) -> None:
    known = [
        dict(zip(_KNOWN, (*row.cell, *_counters(row), row.safety_permille, *_versions(row)), strict=True))
        for row in rows
    ]
    changes = {name: name for name in (*_COUNTERS, "safety_permille")} | {"version": "next_version"}
    tx.update_exactly(
        tables.stock, known, keys=(*ROW_KEY, "version"), changes=changes, otherwise=_changed_around("stock rows", known)
    )


def _counters(row: Row) -> tuple[int, int, int, int]:
    return (row.on_hand, row.reserved, row.safety, row.shortage)


def _versions(row: Row) -> tuple[int, int]:
    """The one that guards the writing, and the one that is written."""
    return (row.stored_version, row.version)


def _fresh_row(row: Row) -> tuple[Any, ...]:
    """A new row as a tuple of `ROW_COLUMNS`."""
    return (*row.cell, *_counters(row), row.version, 0, row.safety_permille)


def _update_holds(tx: Transaction, holds: Iterable[HeldUnits]) -> None:
    changed = [
        {
            "hold": hold.hold,
            "state": hold.stored[0].value,
            "pending": hold.stored[1],
            "next_state": hold.state.value,
            "next_pending": hold.pending,
            "issued": hold.issued,
            "released": hold.released,
            "returned": hold.returned,
            "extended": hold.extended,
            "expires_at_us": hold.expires_at_us,
        }
        for hold in holds
        if hold.stored is not None
    ]
    changes = {
        "state": "next_state",
        "pending": "next_pending",
        "issued": "issued",
        "released": "released",
        "returned": "returned",
        "extended": "extended",
        "expires_at_us": "expires_at_us",
    }
    tx.update_exactly(
        tables.hold,
        changed,
        keys=("hold", "state", "pending"),
        changes=changes,
        otherwise=_changed_around("holds", changed),
    )


def _fresh_hold(hold: HeldUnits) -> tuple[Any, ...]:
    """A new hold as a tuple of `_HOLD_COLUMNS`."""
    return (
        hold.hold,
        hold.owner,
        hold.line,
        hold.sku,
        hold.node,
        hold.quantity,
        hold.pending,
        hold.issued,
        hold.released,
        hold.state.value,
        hold.placed_at_us,
        hold.expires_at_us,
        hold.operation_id,
        hold.returned,
        hold.extended,
        hold.dies_at_us,
        hold.channel,
        hold.quota,
        SELLABLE,
    )


def _changed_around(what: str, rows: Sequence[object]) -> Callable[[int], InvariantViolation]:
    return lambda missing: InvariantViolation(
        f"{missing} of {len(rows)} {what} changed while they were locked; nothing was applied. "
        "Something writes to the stock tables around the library: stop it and run `omo audit`."
    )
