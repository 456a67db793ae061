"""The commands of one client of a stock pool, seeded: whoever knows the seed and the answers can tell them again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from omo_core.inventory import apply_one
from omo_core.model.items import Item
from omo_core.model.network import Network, Node, NodeKind
from omo_core.model.stock import (
    ConfirmHolds,
    CounterSale,
    Demand,
    HoldRequest,
    Issue,
    IssueHolds,
    PlaceHolds,
    Receive,
    ReleaseHolds,
    ReplaceHolds,
    SetSafety,
    StockAnswer,
)
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.catalogue import save_network
from omo_core.storage.database import Database

POOL: Final = "default"
Cell = tuple[str, str]
"""(sku, node)"""

_OPEN: Final = 12
"""A client forgets its oldest holds beyond so many: they stay open, as with customers who never come back."""


def cells_of(skus: int, nodes: int) -> tuple[Cell, ...]:
    """So many items at so many nodes."""
    return tuple((f"SKU-{sku:04}", f"NODE-{node}") for sku in range(skus) for node in range(nodes))


def open_pool(database: Database, cells: Sequence[Cell], units: int, *, pool: str = POOL) -> None:
    """Bring the cells' items and nodes into being, each cell with so many units; twice is once."""
    network = Network(
        currency="USD",
        nodes=tuple(Node(node=node, kind=NodeKind.STORE) for node in sorted({node for _, node in cells})),
        items=tuple(Item(sku=sku) for sku in sorted({sku for sku, _ in cells})),
    )
    database.run(pool, lambda tx: save_network(tx, network))
    if units:
        lines = tuple(Demand(sku=sku, node=node, quantity=units) for sku, node in cells)
        database.run(pool, lambda tx: apply_one(tx, Receive(key="opening", scope="opening", lines=lines)))


class Traffic:
    """Endless commands: `next()` gives one, and wants its answer by `learn()` before it gives another."""

    def __init__(self, name: str, seed: int, cells: Sequence[Cell]) -> None:
        self.name = name
        self._dice = random.Random(f"{seed}/{name}")
        self._cells = cells
        self._number = 0
        self._open: list[str] = []
        self._kinds: dict[Callable[[str], StockCommand], int] = {
            self._receive: 12,
            self._sell: 8,
            self._keep_back: 2,
            self._place: 38,
            self._replace: 10,
            self._confirm: 8,
            self._release: 10,
            self._issue: 12,
        }

    def next(self) -> StockCommand:
        """The next command; its scope is the client's name."""
        self._number += 1
        (kind,) = self._dice.choices(list(self._kinds), list(self._kinds.values()))
        return kind(str(self._number))

    def learn(self, answer: StockAnswer) -> None:
        """Go on from the answer to the last command."""
        for hold in answer.holds:
            if hold.pending and hold.hold not in self._open:
                self._open.append(hold.hold)
            elif not hold.pending and hold.hold in self._open:
                self._open.remove(hold.hold)
        del self._open[:-_OPEN]

    def _lines(self) -> list[tuple[str, str, int]]:
        return [
            (sku, node, self._dice.randint(1, 3))
            for sku, node in self._dice.sample(self._cells, min(len(self._cells), self._dice.randint(1, 3)))
        ]

    def _demands(self) -> tuple[Demand, ...]:
        return tuple(Demand(sku=sku, node=node, quantity=units) for sku, node, units in self._lines())

    def _requests(self, key: str) -> tuple[HoldRequest, ...]:
        return tuple(
            HoldRequest(owner=f"{self.name}/{key}", line=str(number), sku=sku, node=node, quantity=units)
            for number, (sku, node, units) in enumerate(self._lines(), start=1)
        )

    def _some(self) -> tuple[str, ...]:
        """One or two of the open holds; where there are none, one that never was: a refusal is an answer too."""
        if not self._open:
            return ("never-placed",)
        return tuple(self._dice.sample(self._open, min(len(self._open), self._dice.randint(1, 2))))

    def _receive(self, key: str) -> StockCommand:
        return Receive(key=key, scope=self.name, lines=self._demands())

    def _sell(self, key: str) -> StockCommand:
        return CounterSale(key=key, scope=self.name, lines=self._demands())

    def _keep_back(self, key: str) -> StockCommand:
        sku, node = self._dice.choice(self._cells)
        return SetSafety(key=key, scope=self.name, sku=sku, node=node, quantity=self._dice.randint(0, 2))

    def _place(self, key: str) -> StockCommand:
        return PlaceHolds(key=key, scope=self.name, lines=self._requests(key))

    def _replace(self, key: str) -> StockCommand:
        release = tuple(hold for hold in self._some() if hold in self._open)
        return ReplaceHolds(key=key, scope=self.name, release=release, place=self._requests(key))

    def _confirm(self, key: str) -> StockCommand:
        return ConfirmHolds(key=key, scope=self.name, holds=self._some())

    def _release(self, key: str) -> StockCommand:
        return ReleaseHolds(key=key, scope=self.name, holds=self._some())

    def _issue(self, key: str) -> StockCommand:
        return IssueHolds(key=key, scope=self.name, lines=tuple(Issue(hold=hold, quantity=1) for hold in self._some()))


class Expected:
    """What the answers alone say must be in the database: goods by cell, and every hold with its quantity."""

    def __init__(self) -> None:
        self.on_hand: Counter[Cell] = Counter()
        self.holds: dict[str, int] = {}
        self._cell_of: dict[str, Cell] = {}

    def open(self, cells: Sequence[Cell], units: int) -> None:
        """What `open_pool` brought."""
        self.on_hand.update(dict.fromkeys(cells, units))

    def place(self, answer: StockAnswer) -> None:
        """Take in the holds of one answer; of every answer, before `move` of any: clients know each other's holds."""
        for hold in answer.holds:
            self._cell_of[hold.hold] = (hold.sku, hold.node)
            self.holds[hold.hold] = hold.quantity

    def move(self, command: StockCommand, answer: StockAnswer) -> None:
        """Take in the goods that one applied command moved."""
        if not answer.applied:
            return
        if isinstance(command, Receive | CounterSale):
            sign = 1 if isinstance(command, Receive) else -1
            for line in command.lines:
                self.on_hand[line.sku, line.node] += sign * line.quantity
        if isinstance(command, IssueHolds):
            for issue in command.lines:
                self.on_hand[self._cell_of[issue.hold]] -= issue.quantity
        for shortage in answer.shortages:
            self.on_hand[shortage.sku, shortage.node] += shortage.quantity
