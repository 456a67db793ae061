"""Random stock commands: one small function a verb, in a table with how often each is sent."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

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

SKUS: Final = ("BOWL", "CUP", "MUG", "VASE")
NODES: Final = ("KHH", "TPE", "TXG")
STRANGE_SKU: Final = "SPOON"
STRANGE_NODE: Final = "NOWHERE"
NETWORK: Final = Network(
    currency="USD",
    nodes=tuple(Node(node=node, kind=NodeKind.STORE) for node in NODES),
    items=tuple(Item(sku=sku) for sku in SKUS),
)
_REMEMBERED: Final = 60


@dataclass
class Desk:
    """What a client draws a command from: dice, the time, and the holds that answers spoke of lately."""

    dice: random.Random
    now: datetime
    holds: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def heard(self, answer: StockAnswer) -> None:
        """Remember the holds that an answer names."""
        self.holds.extend(hold.hold for hold in answer.holds if hold.pending and hold.hold not in self.holds)

    def cell(self) -> tuple[str, str]:
        """An item and a node, the first of each by far the hottest; rarely one that nobody knows."""
        sku = self.dice.choices((*SKUS, STRANGE_SKU), (60, 20, 12, 7, 1))[0]
        return sku, self.dice.choices((*NODES, STRANGE_NODE), (60, 25, 14, 1))[0]

    def units(self, most: int = 6) -> int:
        """A small quantity."""
        return self.dice.randint(1, most)

    def hold(self) -> str:
        """A hold, which may have ended meanwhile; rarely one that never was."""
        if not self.holds or self.dice.random() < 0.02:
            return "no-such-hold"
        return self.dice.choice(self.holds)

    def some_holds(self) -> tuple[str, ...]:
        """One hold or a few, perhaps the same one twice."""
        return tuple(self.hold() for _ in range(self.dice.choices((1, 2, 3), (70, 22, 8))[0]))

    def goods(self, most: int = 6) -> tuple[Demand, ...]:
        """One line or a few, perhaps two of one row."""
        cells = [self.cell() for _ in range(self.dice.choices((1, 2, 3), (70, 20, 10))[0])]
        return tuple(Demand(sku=sku, node=node, quantity=self.units(most)) for sku, node in cells)

    def requests(self, owner: str) -> tuple[HoldRequest, ...]:
        """Lines of holds for one owner."""
        return tuple(
            HoldRequest(owner=owner, line=str(number), sku=line.sku, node=line.node, quantity=line.quantity)
            for number, line in enumerate(self.goods(4), start=1)
        )

    def expiry(self) -> datetime | None:
        """The end of a hold: none, soon, or some time on; sometimes past already."""
        life_s = self.dice.choice((None, None, -5, 1, 30, 900, 86_400))
        return None if life_s is None else self.now + timedelta(seconds=life_s)


def receive(desk: Desk, scope: str, key: str) -> Receive:
    """A delivery, sometimes a big one."""
    return Receive(scope=scope, key=key, lines=desk.goods(40 if desk.dice.random() < 0.2 else 8))


def counter_sale(desk: Desk, scope: str, key: str) -> CounterSale:
    """A till."""
    return CounterSale(scope=scope, key=key, lines=desk.goods(), reference=key)


def set_safety(desk: Desk, scope: str, key: str) -> SetSafety:
    """Someone keeps a few back, or gives them free."""
    sku, node = desk.cell()
    return SetSafety(scope=scope, key=key, sku=sku, node=node, quantity=desk.dice.randint(0, 3))


def place_holds(desk: Desk, scope: str, key: str) -> PlaceHolds:
    """A buyer at check-out."""
    return PlaceHolds(scope=scope, key=key, lines=desk.requests(f"{scope}/{key}"), expires_at=desk.expiry())


def replace_holds(desk: Desk, scope: str, key: str) -> ReplaceHolds:
    """A buyer who changed the basket, or emptied it."""
    place = desk.requests(f"{scope}/{key}") if desk.dice.random() < 0.9 else ()
    return ReplaceHolds(scope=scope, key=key, release=desk.some_holds(), place=place, expires_at=desk.expiry())


def confirm_holds(desk: Desk, scope: str, key: str) -> ConfirmHolds:
    """A buyer paid."""
    return ConfirmHolds(scope=scope, key=key, holds=desk.some_holds())


def release_holds(desk: Desk, scope: str, key: str) -> ReleaseHolds:
    """A buyer left."""
    return ReleaseHolds(scope=scope, key=key, holds=desk.some_holds())


def issue_holds(desk: Desk, scope: str, key: str) -> IssueHolds:
    """A parcel left, perhaps a part of it."""
    lines = tuple(Issue(hold=hold, quantity=desk.units(4)) for hold in desk.some_holds())
    return IssueHolds(scope=scope, key=key, lines=lines)


Maker = Callable[[Desk, str, str], StockCommand]
MAKERS: Final[Mapping[Maker, int]] = {
    receive: 22,
    counter_sale: 10,
    set_safety: 3,
    place_holds: 32,
    replace_holds: 6,
    confirm_holds: 9,
    release_holds: 6,
    issue_holds: 12,
}
"""(desk, scope, key) → command, and of how many in a hundred it is one; another verb is one more line."""


def any_command(desk: Desk, scope: str, key: str) -> StockCommand:
    """A command of a verb drawn by weight."""
    return desk.dice.choices(list(MAKERS), list(MAKERS.values()))[0](desk, scope, key)
