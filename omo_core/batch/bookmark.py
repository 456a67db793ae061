"""The bookmark: how far a run over certain files has come, kept in the pool so that the next run goes on there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from typing import Any

from omo_core.batch.files import RejectedRow
from omo_core.hub import OrderHub
from omo_core.storage.clock import from_us
from omo_core.storage.settings import get_setting, put_setting
from omo_core.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands between two windows."""

    messages: int
    now_us: int
    in_hand: tuple[str, ...]
    """Offers that the nodes had seen."""

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return from_us(self.now_us)


class Bookmark:
    """The place of one run, by its name, and the rows that it rejected on the way."""

    def __init__(self, hub: OrderHub, name: str) -> None:
        self._hub = hub
        self._name = name
        self._rejected_at: list[int] = []

    def open(self) -> tuple[Place | None, list[RejectedRow]]:
        """Where the last run stopped, None at the first, and the rows rejected up to there."""
        return self._hub.run(self._read, read_only=True)

    def move(self, messages: int, rejected: Sequence[RejectedRow], tx: Transaction, in_hand: Iterable[str]) -> None:
        """Everything before this message is done by the end of `tx`; `rejected` are the rows since the last move."""
        place = Place(messages, tx.now_us, tuple(sorted(in_hand)))
        if rejected and messages not in self._rejected_at:  # a transaction that was repeated moved here before
            self._rejected_at.append(messages)
        put_setting(tx, self._name, json.dumps(asdict(place) | {"rejected_at": self._rejected_at}))
        if rejected:
            put_setting(tx, f"{self._name}/rejected/{messages}", json.dumps([astuple(row) for row in rejected]))

    def _read(self, tx: Transaction) -> tuple[Place | None, list[RejectedRow]]:
        stored = _load(tx, self._name)
        if stored is None:
            return None, []
        self._rejected_at = stored.pop("rejected_at")
        rows = [RejectedRow(*row) for at in self._rejected_at for row in _load(tx, f"{self._name}/rejected/{at}")]
        return Place(stored["messages"], stored["now_us"], tuple(stored["in_hand"])), rows


def _load(tx: Transaction, name: str) -> Any:
    stored = get_setting(tx, name)
    return None if stored is None else json.loads(stored)
