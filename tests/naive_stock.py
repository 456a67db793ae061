"""The stock pool's naive twin: plain dicts, one command after the other, no ids but the caller's labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Cell = tuple[str, str]


@dataclass
class NaiveHold:
    label: str
    cell: Cell
    quantity: int
    order: int
    pending: int = 0
    issued: int = 0
    released: int = 0
    state: str = "placed"
    expires_at: int | None = None

    def open(self) -> bool:
        return self.state in ("placed", "confirmed")


@dataclass
class NaivePool:
    """Answers are (refusal codes, displaced {label: units}, shortages {cell: units})."""

    skus: set[str]
    nodes: set[str]
    rows: dict[Cell, dict[str, int]] = field(default_factory=dict)
    holds: dict[str, NaiveHold] = field(default_factory=dict)
    placed: int = 0

    def apply(self, kind: str, arguments: dict[str, Any], now: int) -> tuple[set[str], dict[str, int], dict[Cell, int]]:
        codes: set[str] = set()
        displaced: dict[str, int] = {}
        shortages: dict[Cell, int] = {}
        getattr(self, f"_{kind}")(arguments, now, codes, displaced, shortages)
        return codes, displaced, shortages

    def expire(self, now: int) -> set[str]:
        overdue = {h.label for h in self.holds.values() if h.state == "placed" and self._is_late(h, now)}
        for label in overdue:
            self._give_back(self.holds[label], self.holds[label].pending, "expired")
        return overdue

    def _row(self, cell: Cell) -> dict[str, int]:
        return self.rows.setdefault(cell, {"on_hand": 0, "reserved": 0, "safety": 0, "shortage": 0})

    def _unknown(self, cells: list[Cell], codes: set[str]) -> bool:
        for sku, node in cells:
            if (sku, node) not in self.rows:
                if sku not in self.skus:
                    codes.add("unknown_sku")
                if node not in self.nodes:
                    codes.add("unknown_node")
        return bool(codes)

    def _receive(self, a: dict[str, Any], _now: int, codes: set[str], *_: Any) -> None:
        if not self._unknown([cell for cell, _q in a["lines"]], codes):
            for cell, quantity in a["lines"]:
                self._row(cell)["on_hand"] += quantity

    def _counter_sale(
        self, a: dict[str, Any], _now: int, codes: set[str], displaced: dict[str, int], shortages: dict[Cell, int]
    ) -> None:
        if self._unknown([cell for cell, _q in a["lines"]], codes):
            return
        for cell, quantity in a["lines"]:
            for _unit in range(quantity):
                row = self._row(cell)
                if row["on_hand"] == 0:
                    row["shortage"] += 1
                    shortages[cell] = shortages.get(cell, 0) + 1
                    continue
                if row["on_hand"] == row["reserved"]:
                    newest = max(
                        (h for h in self.holds.values() if h.cell == cell and h.pending), key=lambda h: h.order
                    )
                    self._give_back(newest, 1, "released")
                    displaced[newest.label] = displaced.get(newest.label, 0) + 1
                row["on_hand"] -= 1

    def _set_safety(self, a: dict[str, Any], _now: int, codes: set[str], *_: Any) -> None:
        if self._unknown([a["cell"]], codes):
            return
        if a["quantity"] or a["cell"] in self.rows:
            self._row(a["cell"])["safety"] = a["quantity"]

    def _place_holds(self, a: dict[str, Any], now: int, codes: set[str], *_: Any) -> None:
        self._replace_holds({**a, "release": []}, now, codes)

    def _replace_holds(self, a: dict[str, Any], _now: int, codes: set[str], *_: Any) -> None:
        self._need_open(a["release"], codes)
        if codes or self._unknown([cell for _label, cell, _q in a["lines"]], codes):
            return
        freed: dict[Cell, int] = {}
        for label in set(a["release"]):
            hold = self.holds[label]
            freed[hold.cell] = freed.get(hold.cell, 0) + hold.pending
        wanted: dict[Cell, int] = {}
        for _label, cell, quantity in a["lines"]:
            wanted[cell] = wanted.get(cell, 0) + quantity
        for cell, quantity in wanted.items():
            row = self.rows.get(cell, {"on_hand": 0, "reserved": 0, "safety": 0})
            if row["on_hand"] - row["reserved"] - row["safety"] + freed.get(cell, 0) < quantity:
                codes.add("insufficient_stock")
        if codes:
            return
        for label in set(a["release"]):
            self._give_back(self.holds[label], self.holds[label].pending, "released")
        for label, cell, quantity in a["lines"]:
            self.placed += 1
            self.holds[label] = NaiveHold(
                label, cell, quantity, self.placed, pending=quantity, expires_at=a["expires_at"]
            )
            self._row(cell)["reserved"] += quantity

    def _confirm_holds(self, a: dict[str, Any], now: int, codes: set[str], *_: Any) -> None:
        self._need_open(a["holds"], codes)
        if codes:
            return
        for label in a["holds"]:
            if self.holds[label].state == "placed" and self._is_late(self.holds[label], now):
                codes.add("hold_expired")
        for label in [] if codes else a["holds"]:
            self.holds[label].state = "confirmed"
            self.holds[label].expires_at = None

    def _release_holds(self, a: dict[str, Any], _now: int, codes: set[str], *_: Any) -> None:
        self._need_open(a["holds"], codes)
        for label in [] if codes else set(a["holds"]):
            self._give_back(self.holds[label], self.holds[label].pending, "released")

    def _issue_holds(self, a: dict[str, Any], _now: int, codes: set[str], *_: Any) -> None:
        self._need_open([label for label, _q in a["lines"]], codes)
        if codes:
            return
        wanted: dict[str, int] = {}
        for label, quantity in a["lines"]:
            wanted[label] = wanted.get(label, 0) + quantity
        if any(self.holds[label].pending < quantity for label, quantity in wanted.items()):
            codes.add("exceeds_pending")
            return
        for label, quantity in wanted.items():
            hold, row = self.holds[label], self._row(self.holds[label].cell)
            hold.pending -= quantity
            hold.issued += quantity
            if not hold.pending:
                hold.state = "issued"
            row["on_hand"] -= quantity
            row["reserved"] -= quantity

    def _need_open(self, labels: list[str], codes: set[str]) -> None:
        for label in labels:
            if label not in self.holds:
                codes.add("unknown_hold")
            elif not self.holds[label].open():
                codes.add("hold_not_open")

    def _give_back(self, hold: NaiveHold, units: int, end: str) -> None:
        self._row(hold.cell)["reserved"] -= units
        hold.pending -= units
        hold.released += units
        if not hold.pending:
            hold.state = end

    @staticmethod
    def _is_late(hold: NaiveHold, now: int) -> bool:
        return hold.expires_at is not None and hold.expires_at <= now
