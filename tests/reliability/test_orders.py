"""Orders that share rows never deadlock, however they name them; without the lock order they would, and it would show."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from omo_core.storage.ahead import Answer
from omo_core.storage.transaction import Transaction
from omo_core.testing.orders import shuffled_orders

pytestmark = pytest.mark.slow


def test_shuffled_orders_for_ten_seconds(postgres_url: str) -> None:
    outcome = shuffled_orders(postgres_url, seed=1, seconds=10)
    assert outcome.violations == []
    assert outcome.counts["milliseconds"] >= 10_000
    assert outcome.counts["orders"] > 100


def test_rows_locked_in_the_order_of_the_lines_deadlock(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Transaction.ask

    def in_any_order(
        tx: Transaction,
        table: Any,
        columns: Sequence[str],
        keys: Sequence[str],
        values: Iterable[Sequence[Any]],
        *,
        lock: bool = False,
    ) -> Answer:
        wanted = list(values)
        if not lock:
            return sound(tx, table, columns, keys, wanted)
        random.shuffle(wanted)
        rows = [row for value in wanted for row in sound(tx, table, columns, keys, [value], lock=True)()]
        return lambda: rows

    monkeypatch.setattr(Transaction, "ask", in_any_order)
    outcome = shuffled_orders(
        postgres_url, seed=1, seconds=30, clients=4, enough=lambda seen: seen.counts["deadlocks"] >= 1
    )
    assert outcome.counts["deadlocks"] >= 1
    assert outcome.counts["deadlocks_by_server"] >= 1
    assert "deadlocks" in outcome.violations[0]
