"""The last unit, step by step: who waits for it, what he is told, and what the audit says without asking anybody."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import Connection

from omo_core.inventory import apply_one
from omo_core.model.stock import StockAnswer
from tests.inventory.conftest import POOL, Shop, place, receive
from tests.inventory.test_races import ON_POSTGRES

PATIENCE_S = 30.0
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def wait_until_it_waits(connection: Connection, other: Future[StockAnswer]) -> None:
    """Return once the other session waits for a lock; fail where it came through, or never got there."""
    for _ in range(int(PATIENCE_S / 0.01)):
        if connection.exec_driver_sql(WAITING).scalar_one():
            return
        if other.done():
            pytest.fail(f"the other one did not wait: {other.exception() or other.result()}")
        time.sleep(0.01)
    pytest.fail("the other one did not come to the row")


@ON_POSTGRES
def test_who_waited_for_the_last_unit_is_told_that_it_is_gone(shop: Shop) -> None:
    """Without retries: he decides on what the first one committed, and gets an answer, not an error to repeat."""

    def buy(key: str) -> StockAnswer:
        with shop.database.transaction(POOL) as tx:
            return apply_one(tx, place(key, ("MUG", "TPE", 1)))

    shop.apply(receive("r", ("MUG", "TPE", 1)))
    with ThreadPoolExecutor(1) as threads:
        with shop.database.transaction(POOL) as tx:
            assert apply_one(tx, place("first", ("MUG", "TPE", 1))).applied
            second = threads.submit(buy, "second")
            wait_until_it_waits(tx.connection, second)
        answer = second.result(PATIENCE_S)
    assert [refusal.code for refusal in answer.refusals] == ["insufficient_stock"]
    assert answer.refusals[0].parameters["available"] == 0
    assert shop.counters() == (1, 1, 0, 0)


def test_the_audit_is_a_witness_of_its_own(memory_shop: Shop) -> None:
    """More buyers than units, and nobody looks at their answers: the book itself shows whether too many won."""
    memory_shop.apply(receive("r", ("MUG", "TPE", 2)))
    for buyer in range(4):
        memory_shop.apply(place(f"b{buyer}", ("MUG", "TPE", 1)))
    assert [finding.sentence for finding in memory_shop.audit().findings] == []
