"""Quotas: what channels may take of an item, what is kept for them, and what others may take without touching it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Self

from sqlalchemy import delete, select

from omo_core.inventory.working import Cell, HeldUnits, Row, WorkingSet
from omo_core.model.errors import InvariantViolation
from omo_core.model.promised import Quota, QuotaKind
from omo_core.model.promises import ConvertBackorders, DropQuota, ExtendHolds, SetQuota
from omo_core.model.refusals import Refusal
from omo_core.model.stock import SELLABLE, ConfirmHolds, HoldRequest, IssueHolds, PlaceHolds, ReplaceHolds, kept_back
from omo_core.storage import tables
from omo_core.storage.ahead import Answer
from omo_core.storage.catalogue import known_skus
from omo_core.storage.clock import from_us
from omo_core.storage.transaction import Transaction

_KEY: Final = ("sku", "channel")
_COLUMNS: Final = (*_KEY, "quota", "kind", "units", "used", "gives_back_at_us", "version")
_FREE_COLUMNS: Final = ("sku", "node", "condition", "on_hand", "reserved", "safety", "halted", "safety_permille")

_NEVER_RELEASE: Final = frozenset({ConfirmHolds, ExtendHolds, IssueHolds})
"""Commands after which holds count as before: batches of them need no quota."""

_OF_ONE_SKU: Final = frozenset({ConvertBackorders, DropQuota, SetQuota})


@dataclass(slots=True)
class QuotaRow:
    """One quota as the batch has changed it so far; the id tells it from one of the same channel that was dropped."""

    sku: str
    channel: str
    quota: str
    kind: str
    units: int
    used: int
    gives_back_at_us: int | None
    version: int
    stored: tuple[Any, ...] | None = None

    @property
    def changing(self) -> tuple[Any, ...]:
        """What a batch can change."""
        return self.quota, self.kind, self.units, self.used, self.gives_back_at_us

    @property
    def kept(self) -> int:
        """Units kept for the channel that it has not taken yet."""
        return max(0, self.units - self.used) if self.kind == QuotaKind.RING_FENCED.value else 0

    @property
    def is_cap(self) -> bool:
        """Whether it is all that the channel may take."""
        return self.kind == QuotaKind.CAPPED.value

    @property
    def unused(self) -> int:
        """Units of it that the channel has not taken."""
        return max(0, self.units - self.used)

    def in_force(self, now_us: int) -> bool:
        """Whether it still restricts and counts."""
        return self.gives_back_at_us is None or now_us < self.gives_back_at_us

    def value(self) -> Quota:
        """The quota as a noun of the model."""
        return Quota(
            sku=self.sku,
            channel=self.channel,
            kind=QuotaKind(self.kind),
            units=self.units,
            used=self.used,
            gives_back_at=None if self.gives_back_at_us is None else from_us(self.gives_back_at_us),
            version=self.version,
        )


@dataclass(slots=True)
class Quotas:
    """The quotas of the items that a batch promises or releases, locked; empty where they have none."""

    of_sku: dict[str, dict[str, QuotaRow]] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)
    """Free units of fenced items at the rows that this batch does not hold locked."""
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    """The rows of fenced items that it does, and those it may create."""
    dropped: dict[tuple[str, str], QuotaRow] = field(default_factory=dict)
    skus: set[str] = field(default_factory=set)
    """The known ones among the items whose quotas are set."""

    @classmethod
    def ask(cls, tx: Transaction, commands: Sequence[Any]) -> Answer | None:
        """Ask for the quotas, locked, before any stock row is known, where commands name all their items: None elsewhere.

        Whoever asks has asked for the stock rows before: those are locked first.
        """
        if set(map(type, commands)) != {PlaceHolds}:
            return None
        return _ask_locked(tx, {line.sku for command in commands for line in command.lines})

    @classmethod
    def load(cls, tx: Transaction, work: WorkingSet, commands: Sequence[Any]) -> Self:
        """Lock all quotas of the items concerned in key order: one look-up, and a second where something is fenced."""
        asked = work.answers.pop(cls, None)
        if asked is not None:
            quotas = cls._of(work, asked)
            quotas.read_free(tx, work, commands, set())
            return quotas
        skus: set[str] = set()
        set_here: set[str] = set()
        for command in commands:
            kind = type(command)
            if kind is PlaceHolds:
                skus.update(line.sku for line in command.lines)
            elif kind is ReplaceHolds:
                skus.update(line.sku for line in command.place)
            elif kind in _OF_ONE_SKU:
                skus.add(command.sku)
                if kind is SetQuota:
                    set_here.add(command.sku)
        if not _NEVER_RELEASE.issuperset(map(type, commands)):
            skus.update(hold.sku for hold in work.holds.values() if hold.quota is not None)
        quotas = cls.of_skus(tx, work, skus)
        if set_here:
            quotas.skus = known_skus(tx, sorted(set_here))
        quotas.read_free(tx, work, commands, set_here)
        return quotas

    @classmethod
    def of_skus(cls, tx: Transaction, work: WorkingSet, skus: Iterable[str]) -> Self:
        """Lock all quotas of the items, and let the batch's holds count towards theirs."""
        return cls._of(work, _ask_locked(tx, skus))

    @classmethod
    def _of(cls, work: WorkingSet, asked: Answer) -> Self:
        quotas = cls()
        for found in asked():
            row = QuotaRow(*found)
            row.stored = row.changing
            quotas.of_sku.setdefault(row.sku, {})[row.channel] = row
        if quotas.of_sku:
            for hold in work.holds.values():
                counter = quotas.of_sku.get(hold.sku, {}).get(hold.channel or "")
                if counter is not None and counter.quota == hold.quota:
                    hold.counter = counter
        return quotas

    def read_free(self, tx: Transaction, work: WorkingSet, commands: Sequence[Any], set_here: set[str]) -> None:
        """What is free of fenced items at rows that are not locked here.

        A statement of its own, after the quotas are locked: whoever promises some of these items elsewhere has committed
        by then, or waits. Sales over a counter do not wait; what they took meanwhile is gone whatever is decided here.
        """
        now_us = work.now_us
        fenced = {
            sku
            for sku, rows in self.of_sku.items()
            if any(row.kind == QuotaKind.RING_FENCED.value and row.in_force(now_us) for row in rows.values())
        } | set_here
        if not fenced:
            return
        cells = {cell for cell in work.rows if cell[0] in fenced and cell[2] == SELLABLE}
        self.elsewhere = dict.fromkeys(fenced, 0)
        stored = set(cells)
        for sku, node, condition, on_hand, reserved, safety, halted, permille in tx.select(
            tables.stock, _FREE_COLUMNS, ("sku",), [(sku,) for sku in fenced]
        ):
            cell = (sku, node, condition)
            if condition == SELLABLE and cell not in cells:
                stored.add(cell)
                self.elsewhere[sku] += (
                    0 if halted else max(0, on_hand - reserved - kept_back(on_hand, safety, permille))
                )
        cells.update(cell for cell in _named(commands) if cell[0] in fenced and cell not in stored)
        for cell in sorted(cells):
            self.cells.setdefault(cell[0], []).append(cell)

    def refusals(
        self,
        work: WorkingSet,
        lines: Sequence[HoldRequest],
        channel: str | None,
        old: Iterable[HeldUnits] = (),
        channels: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[Refusal, ...]:
        """Why the channel may not take the lines, the `old` holds being released in the same step.

        `channels` names the channel of owners that have another one.
        """
        if not self.of_sku:
            return ()
        freed: dict[str, dict[tuple[str, str | None], int]] = {}
        for hold in old:
            counted = hold.channel if hold.counter is not None else None
            of_sku = freed.setdefault(hold.sku, {})
            of_sku[hold.node, counted] = of_sku.get((hold.node, counted), 0) + hold.pending
        wanted: dict[str, dict[str | None, dict[str, int]]] = {}
        for line in lines:
            at = wanted.setdefault(line.sku, {}).setdefault(channels.get(line.owner, channel), {})
            at[line.node] = at.get(line.node, 0) + line.quantity
        decisions = (
            self._decide(work, sku, by, freed.get(sku, {})) for sku, by in wanted.items() if sku in self.of_sku
        )
        return tuple(refusal for refusal in decisions if refusal is not None)

    def _decide(
        self,
        work: WorkingSet,
        sku: str,
        wanted: Mapping[str | None, Mapping[str, int]],
        freed: Mapping[tuple[str, str | None], int],
    ) -> Refusal | None:
        """Whether quotas let channels take `wanted` (units by channel and node) while `freed` is given back."""
        rows = {row.channel: row for row in self.of_sku[sku].values() if row.in_force(work.now_us)}
        taken = {name: -sum(n for (_, of), n in freed.items() if of == name) for name in rows}
        changes: dict[str, int] = {}
        for channel, at in wanted.items():
            units = sum(at.values())
            for node, n in at.items():
                changes[node] = changes.get(node, 0) - n
            mine = rows.get(channel or "")
            if mine is not None:
                left = mine.units - mine.used - taken[mine.channel]
                taken[mine.channel] += units
                if mine.is_cap and units > left:
                    return Refusal.of("quota_exhausted", sku=sku, channel=mine.channel, wanted=units, available=left)
        if sku not in self.elsewhere:
            return None
        units = -sum(changes.values())
        for (node, _), n in freed.items():
            changes[node] = changes.get(node, 0) + n
        before = Fences(sum(row.kept for row in rows.values()), self.free(work, sku))
        kept = sum(
            max(0, row.units - row.used - taken[name])
            for name, row in rows.items()
            if row.kind == QuotaKind.RING_FENCED.value
        )
        wider = Fences(kept, before.free + self._change_of_free(work, sku, changes)).gap - before.gap
        if wider <= 0:
            return None
        return Refusal.of("ring_fenced", sku=sku, wanted=units, available=max(0, units - wider))

    def free(self, work: WorkingSet, sku: str) -> int:
        """Free units of a fenced item in the whole pool, as the batch has changed them so far."""
        return self.elsewhere[sku] + sum(_free(work.rows.get(cell)) for cell in self.cells.get(sku, ()))

    def _change_of_free(self, work: WorkingSet, sku: str, changes: Mapping[str, int]) -> int:
        change = 0
        for node, units in changes.items():
            row = work.rows.get((sku, node, SELLABLE))
            change += _free(row, units) - _free(row)
        return change

    def room(self, work: WorkingSet, cell: Cell, channel: str | None) -> int:
        """Most units that the channel may take of a row, as far as the row and the quotas go."""
        most = _free(work.rows.get(cell))
        if not most or cell[0] not in self.of_sku:
            return most
        refusal = self._decide(work, cell[0], {channel: {cell[1]: most}}, {})
        return most if refusal is None else max(0, int(refusal.parameters["available"] or 0))

    def put(self, row: QuotaRow) -> None:
        """Begin a quota; one of the same channel that ends in this batch leaves it its place in the table."""
        old = self.drop(row.sku, row.channel) or self.dropped.get((row.sku, row.channel))
        if old is not None and self.dropped.pop((row.sku, row.channel), None) is not None:
            row.version, row.stored = old.version, old.stored
        self.of_sku.setdefault(row.sku, {})[row.channel] = row

    def drop(self, sku: str, channel: str) -> QuotaRow | None:
        """End a quota; its holds count no more."""
        row = self.of_sku.get(sku, {}).pop(channel, None)
        if row is not None and row.stored is not None:
            self.dropped[sku, channel] = row
        return row

    def count(self, work: WorkingSet, hold: HeldUnits) -> None:
        """Let a hold that was just placed count towards its channel's quota, where that is in force."""
        row = self.of_sku.get(hold.sku, {}).get(hold.channel or "")
        if row is not None and row.in_force(work.now_us):
            hold.quota, hold.counter = row.quota, row
            row.used += hold.pending

    def record(self, tx: Transaction) -> None:
        """Write changed quotas; raises `InvariantViolation` where a locked one was changed meanwhile."""
        if not (self.of_sku or self.dropped):
            return
        table = tables.quota
        rows = [row for _, of in sorted(self.of_sku.items()) for _, row in sorted(of.items())]
        for sku, channel in sorted(self.dropped):
            mine = (table.c.pool_id == tx.pool, table.c.sku == sku, table.c.channel == channel)
            tx.connection.execute(delete(table).where(*mine))
        changed = [row for row in rows if row.stored is not None and row.stored != row.changing]
        known = [
            {**{name: getattr(row, name) for name in _COLUMNS}, "was": row.version, "version": row.version + 1}
            for row in changed
        ]
        matched = tx.update(
            table, known, keys={"sku": "sku", "channel": "channel", "version": "was"}, changes=_COLUMNS[2:]
        )
        if matched != len(known):
            raise InvariantViolation(
                f"{len(known) - matched} of {len(known)} quotas changed while they were locked; nothing was applied. "
                "Something writes to the quota table around the library: stop it and run `omo audit`."
            )
        fresh = [tuple(getattr(row, name) for name in _COLUMNS) for row in rows if row.stored is None]
        tx.insert_tuples(table, _COLUMNS, fresh)


@dataclass(frozen=True, slots=True)
class Fences:
    """What is kept for channels of an item and what is free of it, pool-wide."""

    kept: int
    free: int

    @property
    def gap(self) -> int:
        """Units that are kept for channels but not there: no promise may widen it, a sale over a counter can."""
        return max(0, self.kept - self.free)


def _named(commands: Sequence[Any]) -> Iterator[Cell]:
    """The sellable rows that lines of the commands name; receipts may create some of them in this batch."""
    for command in commands:
        for line in getattr(command, "lines", ()):
            sku, node = getattr(line, "sku", None), getattr(line, "node", None)
            if sku is not None and node is not None:
                yield sku, node, SELLABLE


def _free(row: Row | None, change: int = 0) -> int:
    """Units that can be promised from a row, `change` being released (below 0: taken) first."""
    return 0 if row is None or row.halted else max(0, row.free + change)


def _ask_locked(tx: Transaction, skus: Iterable[str]) -> Answer:
    return tx.ask(tables.quota, _COLUMNS, ("sku",), [(sku,) for sku in skus], lock=True)


def quotas_of(tx: Transaction, skus: Iterable[str]) -> list[Quota]:
    """Every quota of the items, in order of item and channel, also those that gave back what was unused."""
    return [row.value() for row in quota_rows(tx, skus)]


def quota_rows(tx: Transaction, skus: Iterable[str] | None) -> list[QuotaRow]:
    """The quotas of the items, or of all, as they are stored; not locked."""
    if skus is not None:
        return [QuotaRow(*row) for row in tx.select(tables.quota, _COLUMNS, ("sku",), [(sku,) for sku in skus])]
    quota = tables.quota.c
    query = select(*(quota[name] for name in _COLUMNS)).where(quota.pool_id == tx.pool)
    return [QuotaRow(*row) for row in tx.connection.execute(query.order_by(quota.sku, quota.channel))]
