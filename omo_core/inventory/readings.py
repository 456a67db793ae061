"""What was read of rows, by people who count and by feeds: which reading is the newest, and what moved since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from omo_core.inventory.working import Cell, WorkingSet
from omo_core.model.errors import InvariantViolation
from omo_core.model.goods import AbsoluteFeed, CountStock
from omo_core.storage import tables
from omo_core.storage.clock import to_us
from omo_core.storage.transaction import Transaction

PEOPLE: Final = ""
"""The source of counts; a feed's source is never empty."""

READING_KINDS: Final = frozenset({"count_stock", "absolute_feed"})
"""Kinds of operations that correct the book without goods moving."""

_ROW: Final = ("sku", "node", "condition")
_LINE: Final = (*_ROW, "row_version", "posted_at_us", "operation_id", "quantity", "shortage")
_READING: Final = frozenset({CountStock, AbsoluteFeed})
_KEPT: Final = ("sequence", "as_of_us", "quantity", "operation_id")

# A row's postings follow its versions, and their times do nearly: a transaction that waited for the row's lock carries
# the time it began at. None waits this long.
_LATEST_US: Final = 600 * 1_000_000
_FIRST_PAGE: Final = 16
_LARGEST_PAGE: Final = 4_096


class Reading(NamedTuple):
    """The last number of one source for one row."""

    sequence: int
    as_of_us: int
    quantity: int
    operation_id: str


def cells_read(command: CountStock | AbsoluteFeed) -> dict[Cell, int]:
    """The quantity read of each row; two lines of one row are two shelves."""
    sums: dict[Cell, int] = {}
    for line in command.lines:
        cell = (line.sku, line.node, line.condition)
        sums[cell] = sums.get(cell, 0) + line.quantity
    return sums


def as_of_us(command: CountStock | AbsoluteFeed, now_us: int) -> int:
    """The instant that a reading is of."""
    instant = command.counted_at if isinstance(command, CountStock) else command.as_of
    return now_us if instant is None else to_us(instant)


@dataclass(slots=True)
class Readings:
    """The newest readings of the rows that a batch reads, what moved since then, and their open count tasks."""

    last: dict[Cell, dict[str, Reading]] = field(default_factory=dict)
    changed: dict[tuple[Cell, str], bool] = field(default_factory=dict)
    """Rows and sources to write, and whether their reading is stored already."""
    moved: dict[tuple[Cell, int], int] = field(default_factory=dict)
    """Units that stored postings moved after an instant."""
    before: dict[Cell, int] = field(default_factory=dict)
    """On hand less shortage of each row when it was loaded."""
    corrected: dict[Cell, int] = field(default_factory=dict)
    """Changes of that by readings of this batch, which move no goods."""
    tasks: dict[Cell, list[tuple[str, int]]] = field(default_factory=dict)
    """(task id, opened at) of stored open tasks."""
    closing: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def load(cls, tx: Transaction, work: WorkingSet, commands: Sequence[Any]) -> Self:
        """Look up what the counts and feeds among `commands` need; no statement where there are none."""
        readings = cls()
        if _READING.isdisjoint(map(type, commands)):
            return readings
        asked: dict[Cell, set[int]] = {}
        counted: set[Cell] = set()
        for command in commands:
            if isinstance(command, CountStock | AbsoluteFeed):
                instant = as_of_us(command, tx.now_us)
                for cell in cells_read(command):
                    asked.setdefault(cell, set()).add(instant)
                    if isinstance(command, CountStock):
                        counted.add(cell)
        if not asked:
            return readings
        for found in tx.select(tables.reading, (*_ROW, "source", *_KEPT), _ROW, asked):
            readings.last.setdefault(tuple(found[:3]), {})[found.source] = Reading(*found[4:])
        known = {cell: row for cell in asked if (row := work.rows.get(cell)) is not None}
        readings.before = {cell: row.on_hand - row.shortage for cell, row in known.items()}
        readings.moved = _moved(tx, {cell: (row.version, asked[cell]) for cell, row in known.items()})
        keys = [(*cell, "open") for cell in counted]
        for found in tx.select(tables.count_task, (*_ROW, "task_id", "opened_at_us"), (*_ROW, "state"), keys):
            readings.tasks.setdefault(tuple(found[:3]), []).append((found.task_id, found.opened_at_us))
        return readings

    def newest_us(self, cell: Cell) -> int | None:
        """The latest instant that any reading of the row is of."""
        return max((reading.as_of_us for reading in self.last.get(cell, {}).values()), default=None)

    def moved_since(self, work: WorkingSet, cell: Cell, instant_us: int) -> int:
        """Units that came less units that went after an instant, readings left out: they correct, and move nothing."""
        if instant_us >= work.now_us:
            return 0
        row = work.rows.get(cell)
        now = row.on_hand - row.shortage if row is not None else 0
        in_batch = now - self.before.get(cell, 0) - self.corrected.get(cell, 0)
        return self.moved.get((cell, instant_us), 0) + in_batch

    def keep(self, cell: Cell, source: str, reading: Reading, corrected: int) -> None:
        """Remember a reading that was applied, and by how much it changed the row's on hand less its shortage."""
        sources = self.last.setdefault(cell, {})
        self.changed.setdefault((cell, source), source in sources)
        sources[source] = reading
        self.corrected[cell] = self.corrected.get(cell, 0) + corrected

    def close_tasks(self, work: WorkingSet, operation_id: str, cell: Cell, instant_us: int) -> None:
        """A count answers the count tasks of its row that were opened until then."""
        closed = {"state": "closed", "closed_by": operation_id, "closed_at_us": work.now_us}
        for task_id, _ in [task for task in self.tasks.get(cell, ()) if task[1] <= instant_us]:
            self.closing.append({"task_id": task_id, "was": "open", **closed})
        self.tasks[cell] = [task for task in self.tasks.get(cell, ()) if task[1] > instant_us]
        for task in work.count_tasks:
            if (task["sku"], task["node"], task["condition"]) == cell and task["opened_at_us"] <= instant_us:
                task.update(closed)

    def record(self, tx: Transaction) -> None:
        """Write the new readings and close the tasks."""
        stored: list[dict[str, Any]] = []
        fresh: list[dict[str, Any]] = []
        for (cell, source), known in self.changed.items():
            values = dict(zip((*_ROW, "source", *_KEPT), (*cell, source, *self.last[cell][source]), strict=True))
            (stored if known else fresh).append(values)
        matched = tx.update(tables.reading, stored, keys=(*_ROW, "source"), changes=_KEPT)
        tx.insert(tables.reading, fresh)
        changes = ("state", "closed_by", "closed_at_us")
        keys = {"task_id": "task_id", "state": "was"}
        matched += tx.update(tables.count_task, self.closing, keys=keys, changes=changes)
        if matched != len(stored) + len(self.closing):
            raise InvariantViolation(
                "Readings or count tasks changed while their stock rows were locked; nothing was applied. "
                "Something writes to the tables around the library: stop it and run `omo audit`."
            )


def _moved(tx: Transaction, asked: Mapping[Cell, tuple[int, set[int]]]) -> dict[tuple[Cell, int], int]:
    """Net units moved after each instant asked of a row at a version, by stored postings that are no readings."""
    since = {cell: (version, instants) for cell, (version, instants) in asked.items() if min(instants) < tx.now_us}
    lines = _lines_since(tx, {cell: (version, min(instants)) for cell, (version, instants) in since.items()})
    operations = {(line.operation_id,) for line in lines}
    columns = ("operation_id", "kind")
    found = tx.select(tables.operation, columns, ("operation_id",), operations) if operations else ()
    readings = {operation_id for operation_id, kind in found if kind in READING_KINDS}
    moved: dict[tuple[Cell, int], int] = {}
    for line in lines:
        if line.operation_id not in readings:
            cell = (line.sku, line.node, line.condition)
            for instant in since[cell][1]:
                if line.posted_at_us > instant:
                    moved[cell, instant] = moved.get((cell, instant), 0) + line.quantity - line.shortage
    return moved


def _lines_since(tx: Transaction, asked: Mapping[Cell, tuple[int, int]]) -> list[Any]:
    """The stock lines of each row, at its version now, that were posted after an instant.

    Each row's lines are walked from the newest backwards, in growing pages, all rows at once: what it costs depends on
    what happened since, not on the length of the ledger.
    """
    found: list[Any] = []
    tops = {cell: version for cell, (version, _) in asked.items() if version}
    page = _FIRST_PAGE
    while tops:
        oldest: dict[Cell, int] = {}
        for line in tx.select(tables.posting, _LINE, (*_ROW, "row_version"), _versions(tops, page)):
            cell = (line.sku, line.node, line.condition)
            oldest.setdefault(cell, line.posted_at_us)  # lines come in order of versions
            if line.posted_at_us > asked[cell][1] and (line.quantity or line.shortage):
                found.append(line)
        tops = {
            cell: top - page
            for cell, top in tops.items()
            if top > page and oldest.get(cell, 0) > asked[cell][1] - _LATEST_US
        }
        page = min(4 * page, _LARGEST_PAGE)
    return found


def _versions(tops: Mapping[Cell, int], page: int) -> Iterable[tuple[str, str, str, int]]:
    return ((*cell, version) for cell, top in tops.items() for version in range(max(1, top - page + 1), top + 1))
