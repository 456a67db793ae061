"""The stock pool's pure model: plain dicts, one command after the other; the oracle of the simulator and its kin.

It is written from what the pool promises, not from how the pool does it, and shares no decision with it. New verbs go
into the table of `pool_model_verbs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from omo_core.model.goods import AbsoluteFeed, CountStock
from omo_core.model.refusals import Refusal
from omo_core.model.stock import SELLABLE, Hold, HoldRequest, HoldState, StockAnswer
from omo_core.storage.clock import to_us

Cell = tuple[str, str, str]
"""(sku, node, condition)"""
ScopedKey = tuple[str, str]
Counters = tuple[int, int, int, int]
"""(on hand, reserved, safety, shortage)"""
Fields = Mapping[str, Any]
"""What an answer says beside its key and kind."""

_MISSING: Final = "an id that the pool should have given"


@dataclass(slots=True)
class ModelRow:
    """One stock row and the values it had after each operation that changed it."""

    on_hand: int = 0
    reserved: int = 0
    safety: int = 0
    shortage: int = 0
    history: list[Counters] = field(default_factory=list)
    moves: list[tuple[int, int]] = field(default_factory=list)
    """(when, units): goods that came or went, what counts and feeds corrected left out."""
    tasks: list[int] = field(default_factory=list)
    """When the open count tasks were opened."""

    @property
    def counters(self) -> Counters:
        """(on hand, reserved, safety, shortage)"""
        return self.on_hand, self.reserved, self.safety, self.shortage

    @property
    def free(self) -> int:
        """Units that may be promised; negative where safety stock exceeds what is left."""
        return self.on_hand - self.reserved - self.safety


@dataclass(slots=True)
class ModelHold:
    """One hold: quantity = pending + issued + released."""

    hold: str
    owner: str
    line: str
    cell: Cell
    quantity: int
    pending: int
    placed_at_us: int
    expires_at: datetime | None
    issued: int = 0
    released: int = 0
    state: HoldState = HoldState.PLACED
    dies_at: datetime | None = None
    extended: int = 0
    returned: int = 0

    @property
    def open(self) -> bool:
        """Whether units are still pending."""
        return self.state in (HoldState.PLACED, HoldState.CONFIRMED)

    def is_late(self, now_us: int) -> bool:
        """Whether nobody confirmed it in time."""
        return self.state is HoldState.PLACED and self.expires_at is not None and to_us(self.expires_at) <= now_us

    def value(self) -> Hold:
        """The hold as answers show it."""
        sku, node, condition = self.cell
        return Hold(
            hold=self.hold,
            owner=self.owner,
            line=self.line,
            sku=sku,
            node=node,
            condition=condition,
            quantity=self.quantity,
            pending=self.pending,
            issued=self.issued,
            released=self.released,
            state=self.state,
            expires_at=self.expires_at,
            returned=self.returned,
            extended=self.extended,
            dies_at=self.dies_at,
        )


@dataclass(slots=True)
class ModelTransfer:
    """Goods that left for a node: of each item how many were shipped, received, lost, and how many came extra."""

    to_node: str
    lines: dict[str, dict[str, int]] = field(default_factory=dict)

    def line(self, sku: str) -> dict[str, int]:
        """The line of an item, perhaps a new one."""
        return self.lines.setdefault(sku, dict.fromkeys(("shipped", "received", "lost", "extra"), 0))


@dataclass
class PoolModel:
    """A pool that knows `skus` and `nodes`; every operation that was committed is applied to it, in that order."""

    skus: frozenset[str]
    nodes: frozenset[str]
    rows: dict[Cell, ModelRow] = field(default_factory=dict)
    holds: dict[str, ModelHold] = field(default_factory=dict)
    answers: dict[ScopedKey, tuple[str, StockAnswer]] = field(default_factory=dict)
    """What every key stands for: the digest of its request, and its answer."""
    promises: dict[Cell, dict[str, ModelHold]] = field(default_factory=dict)
    """The open holds of each row."""
    readings: dict[Cell, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """By row and source, '' being people who count: the sequence and the instant of the last number that was taken."""
    transfers: dict[str, ModelTransfer] = field(default_factory=dict)
    announced: dict[tuple[str, str, str], dict[str, int]] = field(default_factory=dict)
    """What suppliers announced, by reference, node and item."""
    sweeps: int = 0
    """Sweeps that ended something: the pool records those."""
    now_us: int = 0
    _before: dict[Cell, Counters] = field(default_factory=dict)
    _given: Iterator[str] = field(default_factory=lambda: iter(()))

    def apply(self, command: Any, now_us: int, ids: Iterable[str] = ()) -> StockAnswer:
        """The answer to a stock command at `now_us`, microseconds since 1970 UTC.

        Ids are the pool's to choose: those of the holds in its answer are passed in, in that order, and the new ones
        among them are taken. A known key gets its answer again; with another request it is refused and not kept.
        """
        from omo_core.testing.pool_model_verbs import VERBS  # which builds upon this module

        name = (command.scope, command.key)
        if name in self.answers:
            digest, answer = self.answers[name]
            return answer if digest == command.digest() else self.reused(command)
        self.now_us, self._before = now_us, {}
        self._given = iter([hold for hold in ids if hold not in self.holds])
        said = VERBS[type(command)](self, command)
        answer = StockAnswer(key=command.key, kind=command.kind, **said)
        if not answer.applied and self._before:
            raise AssertionError(f"the model changed {sorted(self._before)} by a command that it refused")
        self._remember(moves=not isinstance(command, CountStock | AbsoluteFeed))
        self.answers[name] = (command.digest(), answer)
        return answer

    def sweep(self, now_us: int, limit: int) -> list[Hold]:
        """End at most `limit` holds that nobody confirmed in time, the longest overdue first."""
        late = [hold for held in self.promises.values() for hold in held.values() if hold.is_late(now_us)]
        late.sort(key=lambda hold: (hold.expires_at, hold.hold))
        self.now_us, self._before = now_us, {}
        for hold in late[:limit]:
            self.give_back(hold, hold.pending, HoldState.EXPIRED)
        self._remember(moves=True)
        self.sweeps += bool(late[:limit])
        return [hold.value() for hold in late[:limit]]

    @staticmethod
    def reused(command: Any) -> StockAnswer:
        """The answer to a key that stands for another request."""
        refusals = (Refusal.of("key_reused", key=command.key),)
        return StockAnswer(key=command.key, kind=command.kind, refusals=refusals)

    def row(self, cell: Cell) -> ModelRow:
        """The row as it stands; one that is all zeros where there is none."""
        return self.rows.get(cell) or ModelRow()

    def change(self, cell: Cell, *, on_hand: int = 0, reserved: int = 0, safety: int = 0, shortage: int = 0) -> None:
        """Change a row's counters; the first change that is not nothing makes the row."""
        if on_hand or reserved or safety or shortage:
            row = self.rows.setdefault(cell, ModelRow())
            self._before.setdefault(cell, row.counters)
            row.on_hand += on_hand
            row.reserved += reserved
            row.safety += safety
            row.shortage += shortage

    def place(self, line: HoldRequest, expires_at: datetime | None, dies_at: datetime | None = None) -> ModelHold:
        """A new hold, whose units are free."""
        cell = (line.sku, line.node, SELLABLE)
        hold_id = next(self._given, f"{_MISSING} ({len(self.holds)})")
        hold = ModelHold(hold_id, line.owner, line.line, cell, line.quantity, line.quantity, self.now_us, expires_at)
        hold.dies_at = dies_at
        self.holds[hold_id] = self.promises.setdefault(cell, {})[hold_id] = hold
        self.change(cell, reserved=line.quantity)
        return hold

    def give_back(self, hold: ModelHold, units: int, end: HoldState) -> None:
        """Return pending units of a hold to its row; without any left it ends in `end`."""
        hold.pending -= units
        hold.released += units
        self.change(hold.cell, reserved=-units)
        self._end(hold, end)

    def issue(self, hold: ModelHold, units: int) -> None:
        """Pending units of a hold leave with their goods."""
        hold.pending -= units
        hold.issued += units
        self.change(hold.cell, on_hand=-units, reserved=-units)
        self._end(hold, HoldState.ISSUED)

    def _end(self, hold: ModelHold, end: HoldState) -> None:
        if not hold.pending:
            hold.state = end
            del self.promises[hold.cell][hold.hold]

    def unknown(self, cells: Iterable[Cell]) -> tuple[Refusal, ...]:
        """A refusal for each item and each node that the pool does not know; one with a stock row is known."""
        strangers = [cell for cell in cells if cell not in self.rows]
        skus = dict.fromkeys(sku for sku, _, _ in strangers if sku not in self.skus)
        nodes = dict.fromkeys(node for _, node, _ in strangers if node not in self.nodes)
        return (
            *(Refusal.of("unknown_sku", sku=sku) for sku in skus),
            *(Refusal.of("unknown_node", node=node) for node in nodes),
        )

    def open_holds(self, hold_ids: Iterable[str]) -> tuple[list[ModelHold], tuple[Refusal, ...]]:
        """The named holds, each once, or the reasons why some cannot be changed any more."""
        found: list[ModelHold] = []
        refusals: list[Refusal] = []
        for hold_id in dict.fromkeys(hold_ids):
            hold = self.holds.get(hold_id)
            if hold is None:
                refusals.append(Refusal.of("unknown_hold", hold=hold_id))
            elif not hold.open:
                refusals.append(Refusal.of("hold_not_open", hold=hold_id, state=hold.state.value))
            else:
                found.append(hold)
        return found, tuple(refusals)

    def missing(self, wanted: Mapping[Cell, int], freed: Mapping[Cell, int] | None = None) -> tuple[Refusal, ...]:
        """A refusal for each row that has fewer units free, also after some were freed, than are wanted."""
        refusals = []
        for cell, units in wanted.items():
            free = self.row(cell).free + (freed or {}).get(cell, 0)
            if free < units:
                numbers = {"wanted": units, "available": max(0, free)}
                refusals.append(Refusal.of("insufficient_stock", sku=cell[0], node=cell[1], **numbers))
        return tuple(refusals)

    def announcement(self, reference: str, node: str, sku: str) -> dict[str, int]:
        """A line of an announcement, perhaps of one that nobody made yet."""
        blank = {"cancelled": 0, "due_at_us": 0, "expected": 0, "received": 0}
        return self.announced.setdefault((reference, node, sku), blank)

    @staticmethod
    def exceeding(holds: Iterable[ModelHold], wanted: Mapping[str, int]) -> tuple[Refusal, ...]:
        """A refusal for each hold that has fewer units pending than are wanted of it."""
        return tuple(
            Refusal.of("exceeds_pending", hold=hold.hold, pending=hold.pending, wanted=wanted[hold.hold])
            for hold in holds
            if wanted[hold.hold] > hold.pending
        )

    def _remember(self, *, moves: bool) -> None:
        for cell, before in self._before.items():
            row = self.rows[cell]
            if row.counters != before:
                row.history.append(row.counters)
            moved = row.on_hand - before[0] - (row.shortage - before[3])
            if moves and moved:
                row.moves.append((self.now_us, moved))


def written(instant: datetime | None) -> str:
    """An instant as refusals write it."""
    return "" if instant is None else instant.isoformat()
