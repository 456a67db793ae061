"""Real threads on real databases: whoever comes first wins, nobody wins twice, and the auditor finds nothing."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest

from omo_core.inventory import apply_many, apply_one
from omo_core.model.stock import ConfirmHolds, Hold, Issue, IssueHolds, ReleaseHolds, StockAnswer
from omo_core.model.stock_commands import StockCommand
from tests.inventory.conftest import POOL, Shop, place, receive, replace, sell

T = TypeVar("T")
THREADS = 8

WITH_WRITERS = pytest.mark.parametrize(
    "shop_url",
    [pytest.param("sqlite-file", marks=pytest.mark.slow), pytest.param("postgresql", marks=pytest.mark.postgres)],
    indirect=True,
)
ON_POSTGRES = pytest.mark.parametrize(
    "shop_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


def together(*works: Callable[[], T]) -> list[T]:
    """Run the works in threads that start at the same moment; an exception in one fails the test."""
    barrier = threading.Barrier(len(works))

    def start(work: Callable[[], T]) -> T:
        barrier.wait(timeout=30)
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(start, works))


def each_alone(shop: Shop, commands: list[StockCommand]) -> Callable[[], list[StockAnswer]]:
    return lambda: [shop.database.run(POOL, partial(apply_one, command=command)) for command in commands]


@WITH_WRITERS
def test_the_last_units_go_to_exactly_as_many_as_there_are(shop: Shop) -> None:
    attempts, per_sku = 40, 50
    shop.apply(receive("r", ("MUG", "TPE", per_sku), ("BOWL", "TPE", per_sku)))
    answers = together(
        *(
            each_alone(shop, [place(f"{thread}/{n}", ("MUG" if n % 2 else "BOWL", "TPE", 1)) for n in range(attempts)])
            for thread in range(THREADS)
        )
    )
    winners = [answer for one_thread in answers for answer in one_thread if answer.applied]
    losers = [answer for one_thread in answers for answer in one_thread if not answer.applied]
    assert len(winners) == 2 * per_sku
    assert {refusal.code for answer in losers for refusal in answer.refusals} == {"insufficient_stock"}
    assert len(losers) == THREADS * attempts - 2 * per_sku
    assert shop.counters() == (per_sku, per_sku, 0, 0)


@WITH_WRITERS
def test_one_key_from_many_threads_is_applied_once(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    answers = together(*(each_alone(shop, [place("same", ("MUG", "TPE", 2))]) for _ in range(THREADS)))
    assert len({one_thread[0].holds[0].hold for one_thread in answers}) == 1
    assert shop.counters() == (9, 2, 0, 0)


@WITH_WRITERS
def test_a_row_that_many_threads_make_at_once_counts_all_of_them(shop: Shop) -> None:
    together(*(each_alone(shop, [receive(f"r{thread}", ("MUG", "TPE", 1))]) for thread in range(4)))
    assert shop.counters() == (4, 0, 0, 0)
    assert shop.level().version == 4


@WITH_WRITERS
def test_of_release_and_issue_exactly_one_wins(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 30)))
    holds = [shop.held(place(f"h{n}", ("MUG", "TPE", 1)))[0] for n in range(30)]
    released, issued = together(
        each_alone(shop, [ReleaseHolds(key=f"r{n}", holds=(hold,)) for n, hold in enumerate(holds)]),
        each_alone(
            shop, [IssueHolds(key=f"i{n}", lines=(Issue(hold=hold, quantity=1),)) for n, hold in enumerate(holds)]
        ),
    )
    assert [one.applied != other.applied for one, other in zip(released, issued, strict=True)] == [True] * 30
    assert shop.counters() == (30 - sum(answer.applied for answer in issued), 0, 0, 0)


@WITH_WRITERS
def test_a_crowd_of_sales_promises_and_receipts_keeps_the_book_true(shop: Shop) -> None:
    """Batches of every kind on four rows; the `shop` fixture audits in the end."""
    rows = [("MUG", "TPE"), ("MUG", "KHH"), ("BOWL", "TPE"), ("BOWL", "KHH")]

    def busy(seed: int) -> Callable[[], None]:
        dice = random.Random(seed)

        def lines() -> list[tuple[str, str, int]]:
            return [(*dice.choice(rows), dice.randint(1, 4)) for _ in range(dice.randint(1, 3))]

        def work() -> None:
            mine: list[str] = []
            for n in range(12):
                key = f"{seed}/{n}"
                commands: list[StockCommand] = [
                    receive(f"{key}r", *lines()),
                    place(f"{key}p", *lines()),
                    sell(f"{key}s", *lines()),
                    replace(f"{key}x", tuple(mine[-2:]), *lines()),
                ]
                dice.shuffle(commands)
                for answer in shop.database.run(POOL, partial(apply_many, commands=commands)):
                    mine.extend(hold.hold for hold in answer.holds if hold.state.value == "placed")

        return work

    together(*(busy(seed) for seed in range(4)))


@ON_POSTGRES
def test_orders_over_the_same_rows_in_opposite_order_never_deadlock(shop: Shop) -> None:
    """Without retries: a deadlock would come out as an exception."""
    rows = [(sku, node) for sku in ("BOWL", "MUG", "VASE") for node in ("KHH", "TPE")]
    shop.apply(receive("r", *((sku, node, 1000) for sku, node in rows)))

    def order(name: str, lines: list[tuple[str, str]]) -> Callable[[], None]:
        def work() -> None:
            for n in range(60):
                with shop.database.transaction(POOL) as tx:
                    apply_one(tx, place(f"{name}{n}", *((sku, node, 1) for sku, node in lines)))

        return work

    together(order("up", rows), order("down", rows[::-1]), order("mixed", rows[::2] + rows[1::2]))
    assert shop.level().reserved == 180


@ON_POSTGRES
def test_a_sweep_that_waited_for_a_confirmation_leaves_the_hold(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2)))
    (hold,) = shop.held(place("a", ("MUG", "TPE", 2), expires_at=shop.clock.now() + timedelta(minutes=1)))
    swept: list[list[Hold]] = []
    sweep = threading.Thread(target=lambda: swept.append(shop.expire()))
    with shop.database.transaction(POOL) as tx:
        assert apply_one(tx, ConfirmHolds(key="c", holds=(hold,))).applied
        shop.clock.advance(timedelta(minutes=2))
        sweep.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        for _ in range(400):
            if tx.connection.exec_driver_sql(waiting).scalar_one():
                break
            time.sleep(0.01)
        else:
            pytest.fail("the sweep did not wait for the row")
    sweep.join(timeout=30)
    assert swept == [[]]
    assert shop.hold("a").state.value == "confirmed"
    assert shop.counters() == (2, 2, 0, 0)
