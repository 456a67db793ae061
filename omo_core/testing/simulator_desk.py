"""What simulated clients draw their commands from: dice, the time, a small shop, and what answers told them."""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from omo_core.model.goods import Condition, Disposition
from omo_core.model.items import Item
from omo_core.model.network import Network, Node, NodeKind
from omo_core.model.stock import Demand, HoldRequest, StockAnswer

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
    issued: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """(hold, item) of what left lately."""
    names: Counter[str] = field(default_factory=Counter)

    def named(self, kind: str, *, new: bool = False) -> str:
        """The caller's own name of a transfer or an announcement: a new one, or one used lately, or rarely none at all."""
        if new:
            self.names[kind] += 1
        back = 0 if new else self.dice.randint(0, 6)
        return f"{kind}-{max(0, self.names[kind] - back)}"

    def heard(self, answer: StockAnswer) -> None:
        """Remember the holds that an answer names."""
        for hold in answer.holds:
            if hold.hold in self.holds:
                self.holds.remove(hold.hold)
            if hold.pending or self.dice.random() < 0.1:  # rarely one that has ended: someone always asks again
                self.holds.append(hold.hold)
        for taken in answer.displaced:
            if taken.hold in self.holds and self.dice.random() < 0.8:
                self.holds.remove(taken.hold)
        self.issued.extend((hold.hold, hold.sku) for hold in answer.holds if hold.issued)

    def cell(self) -> tuple[str, str]:
        """An item and a node, the first of each by far the hottest; rarely one that nobody knows."""
        sku = self.dice.choices((*SKUS, STRANGE_SKU), (60, 20, 12, 7, 1))[0]
        return sku, self.dice.choices((*NODES, STRANGE_NODE), (60, 25, 14, 1))[0]

    def units(self, most: int = 6) -> int:
        """A small quantity."""
        return self.dice.randint(1, most)

    def hold(self) -> str:
        """A hold, which may have ended meanwhile; rarely one that never was."""
        if not self.holds or self.dice.random() < 0.01:
            return "no-such-hold"
        newest = self.dice.choices((5, 20, _REMEMBERED), (50, 35, 15))[0]
        return self.holds[-self.dice.randint(1, min(newest, len(self.holds)))]

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

    def condition(self) -> Condition:
        """Mostly fit for sale."""
        return "sellable" if self.dice.random() < 0.75 else "quarantine"

    def disposition(self) -> Disposition:
        """What becomes of goods."""
        if self.dice.random() < 0.2:
            return "write_off"
        return self.condition()

    def instant(self) -> datetime | None:
        """When something was seen: now, or some time ago; rarely by a clock that is fast."""
        ago_s = self.dice.choice((None, None, 0, 1, 90, 4_000, 100_000))
        if self.dice.random() < 0.02:
            ago_s = -60
        return None if ago_s is None else self.now - timedelta(seconds=ago_s)

    def expiry(self) -> datetime | None:
        """The end of a hold: none, soon, or some time on; sometimes past already."""
        life_s = self.dice.choice((None, None, -5, 30, 900, 7_200, 86_400, 300_000))
        return None if life_s is None else self.now + timedelta(seconds=life_s)
