"""Two sessions step by step: who had to wait decides on what the first one committed, and gets an answer, not an error."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from omo_core.inventory import apply_one
from omo_core.model.stock import StockAnswer
from omo_core.model.stock_commands import StockCommand
from tests.inventory.conftest import POOL, Shop, place, receive
from tests.inventory.goods import arrive, cancel, close, expect, rows, ship, unpack
from tests.inventory.test_races import ON_POSTGRES

PATIENCE_S = 30.0
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def one_after_the_other(shop: Shop, first: StockCommand, second: StockCommand) -> StockAnswer:
    """The answer to `second`, which is sent while `first` is applied and not committed; without any retries."""

    def send() -> StockAnswer:
        with shop.database.transaction(POOL) as tx:
            return apply_one(tx, second)

    with ThreadPoolExecutor(1) as threads:
        with shop.database.transaction(POOL) as tx:
            assert apply_one(tx, first).applied
            other = threads.submit(send)
            wait_until_it_waits(tx.connection, other)
        return other.result(PATIENCE_S)


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
    shop.apply(receive("r", ("MUG", "TPE", 1)))
    answer = one_after_the_other(shop, place("first", ("MUG", "TPE", 1)), place("second", ("MUG", "TPE", 1)))
    assert [refusal.code for refusal in answer.refusals] == ["insufficient_stock"]
    assert answer.refusals[0].parameters["available"] == 0
    assert shop.counters() == (1, 1, 0, 0)


@ON_POSTGRES
def test_goods_that_arrive_while_their_transfer_is_closed_are_found_again(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)), ship("s", ("MUG", 9)))
    assert one_after_the_other(shop, close("c"), arrive("a", ("MUG", 3))).applied
    assert rows(shop, "SELECT state, shipped, received, lost FROM omo_transfer_line") == [("closed", 9, 3, 6)]


@ON_POSTGRES
def test_goods_that_come_while_their_announcement_is_cancelled_leave_it_cancelled(shop: Shop) -> None:
    shop.apply(expect("e", shop.clock.now() + timedelta(days=1), ("MUG", 5)))
    assert one_after_the_other(shop, cancel("c"), unpack("u", ("MUG", "TPE", 2))).applied
    assert rows(shop, "SELECT state, expected, received FROM omo_inbound") == [("cancelled", 5, 2)]
