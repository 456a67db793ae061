"""The naive twin of the goods side of the pool: plain dicts, one command after the other, one unit after the other.

What a row held at an instant is found by adding up every movement there ever was, not by walking a ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from omo_core.model import goods, stock
from omo_core.storage.clock import to_us

Cell = tuple[str, str, str]
GONE = frozenset({"damage", "theft", "expired", "lost"})


@dataclass
class NaiveHold:
    cell: Cell
    pending: int
    order: int
    issued: int = 0
    returned: int = 0


@dataclass
class Facts:
    """What an answer says, without ids."""

    codes: set[str] = field(default_factory=set)
    row_codes: list[str] = field(default_factory=list)
    displaced: Counter[str] = field(default_factory=Counter)
    shortages: Counter[tuple[str, str]] = field(default_factory=Counter)
    corrections: Counter[Cell] = field(default_factory=Counter)


@dataclass
class NaiveGoods:
    """A pool that knows `skus` and `nodes`; holds go by their owners' names."""

    skus: set[str]
    nodes: set[str]
    now: int = 0
    on_hand: Counter[Cell] = field(default_factory=Counter)
    short: Counter[Cell] = field(default_factory=Counter)
    moves: dict[Cell, list[tuple[int, int]]] = field(default_factory=dict)
    newest: dict[Cell, int] = field(default_factory=dict)
    sequences: dict[tuple[Cell, str], int] = field(default_factory=dict)
    tasks: dict[Cell, list[tuple[int, int]]] = field(default_factory=dict)
    holds: dict[str, NaiveHold] = field(default_factory=dict)
    places: Counter[tuple[str, str]] = field(default_factory=Counter)
    transfers: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)

    def apply(self, command: Any, now: int) -> Facts:
        self.now, self.facts = now, Facts()
        getattr(self, f"_{command.kind}")(command)
        return self.facts

    def _refused(self, cells: Iterable[Cell]) -> bool:
        for sku, node, _ in cells:
            self.facts.codes |= {"unknown_sku"} if sku not in self.skus else set()
            self.facts.codes |= {"unknown_node"} if node not in self.nodes else set()
        return bool(self.facts.codes)

    def reserved(self, cell: Cell) -> int:
        return sum(hold.pending for hold in self.holds.values() if hold.cell == cell)

    def _move(self, cell: Cell, units: int) -> None:
        self.moves.setdefault(cell, []).append((self.now, units))

    def _put(self, cell: Cell, units: int, place: str) -> None:
        self.on_hand[cell] += units
        self._move(cell, units)
        self.places[cell[0], place] -= units

    def _displace_beyond(self, cell: Cell) -> None:
        while self.reserved(cell) > self.on_hand[cell]:
            owner, hold = max(
                ((o, h) for o, h in self.holds.items() if h.cell == cell and h.pending), key=lambda item: item[1].order
            )
            hold.pending -= 1
            self.facts.displaced[owner] += 1

    def _run_short(self, cell: Cell, units: int) -> None:
        if units > 0:
            self.facts.shortages[cell[:2]] += units
            self.tasks.setdefault(cell, []).append((self.now, units))

    def _take(self, cell: Cell, units: int, place: str) -> None:
        there = min(units, self.on_hand[cell])
        self.on_hand[cell] -= there
        self.short[cell] += units - there
        self._move(cell, -units)
        self.places[cell[0], place] += units
        self.places[cell[0], "adjustment"] -= units - there
        self._displace_beyond(cell)
        self._run_short(cell, units - there)

    def _receive(self, command: stock.Receive) -> None:
        if not self._refused(summed := _sums(command.lines)):
            for cell, units in summed.items():
                self._put(cell, units, "supplier")

    def _counter_sale(self, command: stock.CounterSale) -> None:
        if not self._refused(summed := _sums(command.lines)):
            for cell, units in summed.items():
                self._take(cell, units, "customer")

    def _place_holds(self, command: stock.PlaceHolds) -> None:
        if self._refused(summed := _sums(command.lines)):
            return
        if any(units > self.on_hand[cell] - self.reserved(cell) for cell, units in summed.items()):
            self.facts.codes.add("insufficient_stock")
            return
        for line in command.lines:
            cell = (line.sku, line.node, "sellable")
            self.holds[line.owner] = NaiveHold(cell, line.quantity, len(self.holds))

    def _issue_holds(self, command: stock.IssueHolds) -> None:
        (line,) = command.lines
        hold = self.holds.get(line.hold)
        if code := _why_not_issued(hold, line.quantity):
            self.facts.codes.add(code)
        elif hold is not None:
            hold.pending -= line.quantity
            hold.issued += line.quantity
            self._put(hold.cell, -line.quantity, "customer")

    def _count_stock(self, command: goods.CountStock) -> None:
        at = self.now if command.counted_at is None else to_us(command.counted_at)
        summed = _sums(command.lines)
        if self._refused(summed):
            return
        if at > self.now:
            self.facts.codes.add("read_in_future")
        elif any(at < self.newest.get(cell, at) for cell in summed):
            self.facts.codes.add("stale_reading")
        for cell, units in {} if self.facts.codes else summed.items():
            self._read(cell, units, at)
            self.tasks[cell] = [task for task in self.tasks.get(cell, []) if task[0] > at]

    def _absolute_feed(self, command: goods.AbsoluteFeed) -> None:
        at = self.now if command.as_of is None else to_us(command.as_of)
        if at > self.now:
            self.facts.codes.add("read_in_future")
            return
        sequence = at if command.sequence is None else command.sequence
        for cell, units in _sums(command.lines).items():
            strangers = ["unknown_sku"] * (cell[0] not in self.skus) + ["unknown_node"] * (cell[1] not in self.nodes)
            if strangers:
                self.facts.row_codes += strangers
            elif sequence <= self.sequences.get((cell, command.source), -1):
                self.facts.row_codes.append("stale_feed")
            elif at < self.newest.get(cell, at):
                self.facts.row_codes.append("stale_reading")
            else:
                self._read(cell, units, at)
                self.sequences[cell, command.source] = sequence

    def _read(self, cell: Cell, units: int, at: int) -> None:
        there = units + sum(moved for when, moved in self.moves.get(cell, []) if when > at)
        change = max(0, there) - self.on_hand[cell]
        self.on_hand[cell] += change
        self.places[cell[0], "adjustment"] -= change
        self.facts.corrections[cell] += change
        self._displace_beyond(cell)
        self._run_short(cell, max(0, -there) - self.short[cell])
        self.short[cell] = max(0, -there)
        self.newest[cell] = at

    def _adjust_stock(self, command: goods.AdjustStock) -> None:
        if not self._refused(summed := _sums(command.lines)):
            place = "lost" if command.reason.value in GONE else "adjustment"
            for cell, units in summed.items():
                if units < 0:
                    self._take(cell, -units, place)
                else:
                    self._put(cell, units, place)

    def _return_goods(self, command: goods.ReturnGoods) -> None:
        (line,) = command.lines
        if self._refused([(line.sku, line.node, "")]):
            return
        if line.hold is not None:
            hold = self.holds.get(line.hold)
            if code := _why_not_returned(hold, line):
                self.facts.codes.add(code)
                return
            assert hold is not None
            hold.returned += line.quantity
        if line.disposition == "write_off":
            self.places[line.sku, "customer"] -= line.quantity
            self.places[line.sku, "lost"] += line.quantity
        else:
            self._put((line.sku, line.node, line.disposition), line.quantity, "customer")

    def _change_condition(self, command: goods.ChangeCondition) -> None:
        if self._refused(summed := _sums(command.lines)):
            return
        if any(units > self.on_hand[sku, node, command.was] for (sku, node, _), units in summed.items()):
            self.facts.codes.add("not_in_condition")
            return
        for (sku, node, _), units in summed.items():
            self._take((sku, node, command.was), units, "between")
            if command.becomes == "write_off":
                self.places[sku, "lost"] += units
            else:
                self._put((sku, node, command.becomes), units, "between")
            self.places[sku, "between"] = 0

    def _ship_transfer(self, command: goods.ShipTransfer) -> None:
        (line,) = command.lines
        cell = (line.sku, command.from_node, "sellable")
        if command.transfer in self.transfers:
            self.facts.codes.add("transfer_exists")
        elif self._refused([cell, (line.sku, command.to_node, "")]):
            return
        elif line.hold is None and line.quantity > self.on_hand[cell] - self.reserved(cell):
            self.facts.codes.add("insufficient_stock")
        elif line.hold is not None:
            hold = self.holds.get(line.hold)
            code = _why_not_issued(hold, line.quantity if hold and hold.cell == cell else 0)
            if code is None and hold is not None and hold.cell != cell:
                code = "hold_mismatch"
            self.facts.codes |= {code} if code else set()
        if not self.facts.codes:
            if line.hold is not None:
                self.holds[line.hold].pending -= line.quantity
                self.holds[line.hold].issued += line.quantity
            self._put(cell, -line.quantity, "transit")
            parts = {"shipped": line.quantity, "received": 0, "lost": 0, "extra": 0}
            self.transfers[command.transfer] = {line.sku: parts}

    def _receive_transfer(self, command: goods.ReceiveTransfer) -> None:
        if command.transfer not in self.transfers:
            self.facts.codes.add("unknown_transfer")
            return
        if self._refused((line.sku, command.node, "") for line in command.lines):
            return
        for line in command.lines:
            cell = (line.sku, command.node, line.condition)
            lines = self.transfers[command.transfer]
            parts = lines.setdefault(line.sku, {"shipped": 0, "received": 0, "lost": 0, "extra": 0})
            for _unit in range(line.quantity):
                if parts["received"] + parts["lost"] < parts["shipped"]:
                    parts["received"] += 1
                    self._put(cell, 1, "transit")
                elif parts["lost"]:
                    parts["received"] += 1
                    parts["lost"] -= 1
                    self._put(cell, 1, "lost")
                else:
                    parts["extra"] += 1
                    self._put(cell, 1, "adjustment")
                    self.facts.corrections[cell] += 1

    def _close_transfer(self, command: goods.CloseTransfer) -> None:
        if command.transfer not in self.transfers:
            self.facts.codes.add("unknown_transfer")
            return
        for sku, parts in self.transfers[command.transfer].items():
            rest = parts["shipped"] - parts["received"] - parts["lost"]
            parts["lost"] += rest
            self.places[sku, "transit"] -= rest
            self.places[sku, "lost"] += rest


def _sums(lines: Iterable[Any]) -> dict[Cell, int]:
    sums: dict[Cell, int] = {}
    for line in lines:
        cell = (line.sku, line.node, getattr(line, "condition", "sellable"))
        sums[cell] = sums.get(cell, 0) + line.quantity
    return sums


def _why_not_issued(hold: NaiveHold | None, units: int) -> str | None:
    if hold is None:
        return "unknown_hold"
    if not hold.pending:
        return "hold_not_open"
    return "exceeds_pending" if units > hold.pending else None


def _why_not_returned(hold: NaiveHold | None, line: goods.Returned) -> str | None:
    if hold is None:
        return "unknown_hold"
    if hold.cell[0] != line.sku:
        return "hold_mismatch"
    return "exceeds_issued" if hold.returned + line.quantity > hold.issued else None
