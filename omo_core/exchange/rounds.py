"""What the rounds of a channel's publication know of each other: who is under way, with what, and who was given up.

A round that is not heard of for its patience is given up, and others tell its numbers anew. It may only have slept: its old
number can still arrive, over the newer one, and it may die before it says so. So what a given-up round had in hand is told
again after a while, and after twice as long, until it reports back or a day has passed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from omo_core.storage import tables
from omo_core.storage.settings import put_setting
from omo_core.storage.transaction import Transaction

SkuNode = tuple[str, str]

_LONGEST_US: Final = 24 * 3_600_000_000
"""So long a round that was given up may still wake."""


@dataclass(slots=True)
class _Asleep:
    """A round that was given up: what it had in hand, and when that is told again."""

    cells: list[SkuNode]
    again_us: int
    pause_us: int


@dataclass(slots=True)
class Rounds:
    """The rounds of one channel, and what is listed there."""

    channel: str
    listings: str = ""
    until_us: dict[str, int] = field(default_factory=dict)
    """Round → until when it counts as under way."""
    in_hand: dict[str, list[SkuNode]] = field(default_factory=dict)
    """Round → (sku, node) of the batch that it is telling."""
    asleep: dict[str, _Asleep] = field(default_factory=dict)

    def enter(self, tx: Transaction, number: str, cells: Iterable[SkuNode], patience: timedelta) -> bool:
        """Count as under way with this batch from now on; says whether another round is, too."""
        pause_us = patience // timedelta(microseconds=1)
        for other, until in list(self.until_us.items()):
            if other != number and until <= tx.now_us:
                del self.until_us[other]
                self.asleep[other] = _Asleep(self.in_hand.pop(other, []), tx.now_us + pause_us, pause_us)
        # Who sleeps with an older batch, and wakes here, has sent that one: its rows were doubted when it settled them.
        self.asleep.pop(number, None)
        self.until_us[number], self.in_hand[number] = tx.now_us + pause_us, list(cells)
        self.keep(tx)
        return len(self.until_us) > 1

    def leave(self, tx: Transaction, number: str, *, settled: bool) -> None:
        """Count as under way no longer; `settled`: everything that it sent was settled, so that nothing of it can come."""
        known = self.until_us.pop(number, None) is not None
        self.in_hand.pop(number, None)
        if settled:
            known = self.asleep.pop(number, None) is not None or known
        if known:
            self.keep(tx)

    def any_due(self, now_us: int) -> bool:
        """Whether something of a round that was given up is to be told again."""
        return any(one.again_us <= now_us for one in self.asleep.values())

    def take_due(self, now_us: int) -> list[SkuNode]:
        """What is to be told again now; the next time is twice as far, and the last within a day."""
        found: list[SkuNode] = []
        for number, one in list(self.asleep.items()):
            if one.again_us > now_us:
                continue
            found += one.cells
            one.pause_us *= 2
            one.again_us = now_us + one.pause_us
            if one.pause_us > _LONGEST_US:
                del self.asleep[number]
        return found

    def keep(self, tx: Transaction) -> None:
        """Write it down."""
        document = {"listings": self.listings, "rounds": self.until_us, "in_hand": self.in_hand}
        asleep = {number: (one.cells, one.again_us, one.pause_us) for number, one in self.asleep.items()}
        put_setting(tx, _name(self.channel), json.dumps({**document, "asleep": asleep}))


def read_rounds(tx: Transaction, channel: str, *, lock: bool = True) -> Rounds:
    """The channel's rounds; whoever changes them, and all that marks rows as being sent, holds their lock."""
    rows = tx.select(tables.setting, ("document",), ("name",), [(_name(channel),)], lock=lock)
    if not rows:
        return Rounds(channel)
    kept = json.loads(rows[0].document)
    asleep = {number: _Asleep(_cells(cells), *times) for number, (cells, *times) in kept.get("asleep", {}).items()}
    in_hand = {number: _cells(cells) for number, cells in kept.get("in_hand", {}).items()}
    return Rounds(channel, kept["listings"], kept["rounds"], in_hand, asleep)


def _cells(stored: Sequence[Sequence[str]]) -> list[SkuNode]:
    return [(sku, node) for sku, node in stored]


def _name(channel: str) -> str:
    return f"publication/{channel}"
