"""Loading a working set: which rows and holds a batch names, locked in key order before anything is decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from omo_core.inventory.decide import OPEN_STATES
from omo_core.inventory.quotas import Quotas
from omo_core.inventory.registry import ANNEXES, VERBS, verb_of
from omo_core.inventory.safety import kept_by_rule
from omo_core.inventory.verb import names_none
from omo_core.inventory.working import Cell, HeldUnits, Row, WorkingSet
from omo_core.model.stock import (
    SELLABLE,
    ConfirmHolds,
    CounterSale,
    HoldState,
    IssueHolds,
    PlaceHolds,
    ReleaseHolds,
    ReplaceHolds,
    SetSafety,
)
from omo_core.model.stock_commands import StockCommand
from omo_core.storage import tables
from omo_core.storage.ahead import Answer
from omo_core.storage.catalogue import known_nodes, known_skus
from omo_core.storage.transaction import Transaction

ROW_KEY = ("sku", "node", "condition")
ROW_COLUMNS = (*ROW_KEY, "on_hand", "reserved", "safety", "shortage", "version", "halted", "safety_permille")
HOLD_COLUMNS = (
    "hold",
    "owner",
    "line",
    "sku",
    "node",
    "quantity",
    "pending",
    "issued",
    "released",
    "state",
    "placed_at_us",
    "expires_at_us",
    "operation_id",
    "returned",
    "extended",
    "dies_at_us",
    "channel",
    "quota",
)

_LOCK_ROWS: Final = frozenset(
    {PlaceHolds, ReplaceHolds, ConfirmHolds, ReleaseHolds, IssueHolds, CounterSale, SetSafety}
)
"""Commands that name stock rows, themselves or by their holds: two with one key meet there first."""


@dataclass(frozen=True, slots=True)
class Named:
    """What commands name, asked for in lock order before any of it is answered: one round trip to a far server."""

    cells: set[Cell]
    rows: Answer
    holds: Answer
    quotas: Answer | None
    only_rows: bool
    """Whether the stock rows are all that the commands lock, so that nothing else has to be waited for first."""


def ask_named(tx: Transaction, commands: Sequence[StockCommand]) -> Named:
    """Ask for the stock rows and holds that commands name; the rows stay locked until the transaction ends."""
    cells: set[Cell] = set()
    hold_ids: set[str] = set()
    for command in commands:
        verb = VERBS[type(command)]
        cells.update(verb.cells(command))
        if verb.holds is not names_none:
            hold_ids.update(verb.holds(command))
    cells |= cells_of_holds(tx, hold_ids)
    return Named(
        cells=cells,
        rows=ask_rows(tx, cells),
        holds=tx.ask(tables.hold, HOLD_COLUMNS, ("hold",), _keys(hold_ids)),
        quotas=Quotas.ask(tx, commands),
        only_rows=_LOCK_ROWS.issuperset(map(type, commands)),
    )


def load(tx: Transaction, commands: Sequence[StockCommand], named: Named | None = None) -> WorkingSet:
    """Everything the commands can decide on; their stock rows stay locked until the transaction ends."""
    named = named or ask_named(tx, commands)
    found = named.rows()  # the first answer that is waited for; the time comes with it
    work = WorkingSet(now_us=tx.now_us, new_id=tx.new_id)
    _keep_rows(work, found)
    for hold in named.holds():
        _keep(work, hold)
    if named.quotas is not None:
        work.answers[Quotas] = named.quotas
    _load_promises(tx, work, commands)
    strangers = named.cells - work.rows.keys()
    if strangers:
        work.skus = known_skus(tx, [sku for sku, _, _ in strangers])
        work.nodes = known_nodes(tx, [node for _, node, _ in strangers])
        work.kept_by_rule = kept_by_rule(tx, strangers)
    for annex in ANNEXES:
        work.annexes[annex] = annex.load(tx, work, commands)
    return work


def cells_of_holds(tx: Transaction, hold_ids: Iterable[str]) -> set[Cell]:
    """The rows that carry the named holds. A hold never moves, so this needs no lock."""
    keys = _keys(hold_ids)
    found = tx.ask(tables.hold, ("sku", "node"), ("hold",), keys)() if keys else ()
    return {(sku, node, SELLABLE) for sku, node in found}


def ask_rows(tx: Transaction, cells: Iterable[Cell]) -> Answer:
    """Ask for stock rows, locked in key order: two batches that share rows would deadlock otherwise.

    It is a statement of its own: what is read before the lock is granted may be out of date by then.
    """
    return tx.ask(tables.stock, ROW_COLUMNS, ROW_KEY, set(cells), lock=True)


def lock_rows(tx: Transaction, work: WorkingSet, cells: Iterable[Cell]) -> None:
    """Lock the stock rows, as `ask_rows`, and take them into the working set."""
    _keep_rows(work, ask_rows(tx, cells)())


def load_holds(tx: Transaction, work: WorkingSet, hold_ids: Iterable[str]) -> None:
    """Read the named holds; they cannot change meanwhile because their stock rows are locked."""
    for row in tx.ask(tables.hold, HOLD_COLUMNS, ("hold",), _keys(hold_ids))():
        _keep(work, row)


def _keys(hold_ids: Iterable[str]) -> list[tuple[str]]:
    return [(hold_id,) for hold_id in sorted(set(hold_ids))]


def _keep_rows(work: WorkingSet, rows: Iterable[Sequence[Any]]) -> None:
    for found in rows:
        row = Row(*found)
        row.halted, row.stored_version = bool(row.halted), row.version
        work.rows[row.cell] = row


def _load_promises(tx: Transaction, work: WorkingSet, commands: Sequence[StockCommand]) -> None:
    """Read the open holds of every row that facts of this batch may leave with less than is promised.

    The estimate counts everything the batch may take from a row and nothing that it may bring.
    """
    if not any(verb_of(command).displaces for command in commands):
        return
    displacing: set[Cell] = set()
    taken: dict[Cell, int] = {}
    for command in commands:
        verb = verb_of(command)
        takes = verb.takes(command, work)
        if verb.displaces:
            displacing.update(takes)
        for cell, units in takes.items():
            taken[cell] = taken.get(cell, 0) + units
    for cell in sorted(displacing):
        row = work.rows.get(cell) or Row(*cell)
        if taken[cell] > row.on_hand - row.reserved:
            work.holds_by_cell[cell] = []
    states = [state.value for state in OPEN_STATES]
    keys = [(*cell, state) for cell in work.holds_by_cell for state in states if cell in work.rows]
    if keys:
        for found in tx.select(tables.hold, HOLD_COLUMNS, (*ROW_KEY, "state"), keys):
            hold = _keep(work, found)
            work.holds_by_cell[hold.cell].append(hold)


def held_units(row: Sequence[Any]) -> HeldUnits:
    """A stored hold from its `HOLD_COLUMNS`."""
    hold = HeldUnits(*row)
    hold.state = HoldState(hold.state)
    hold.stored = hold.changing
    return hold


def _keep(work: WorkingSet, row: Sequence[Any]) -> HeldUnits:
    """One object per hold, however many ways the batch reaches it."""
    if row[0] not in work.holds:
        work.holds[row[0]] = held_units(row)
    return work.holds[row[0]]
