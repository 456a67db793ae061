"""How often a transaction of the pool waits for its server, which may be far away: as often as it must, and no more."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from omo_core.hub import OrderHub
from omo_core.inventory import apply_many
from omo_core.model.promised import QuotaKind
from omo_core.model.promises import SetQuota
from omo_core.model.stock import ConfirmHolds, Issue, IssueHolds, ReleaseHolds
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.database import Database
from omo_core.storage.transaction import Transaction
from tests.inventory.conftest import POOL, Shop, place, receive, sell
from tests.inventory.test_combiner import MUG
from tests.inventory.test_races import ON_POSTGRES

pytestmark = ON_POSTGRES

OPEN, READ, WRITE, COMMIT = 1, 1, 1, 1
LEAVE = 1
"""Where nothing is written, to end the pipeline behind the answers."""
FIND_ROWS = 1
"""Of holds that a command names: which rows carry them."""


@pytest.fixture
def waits(shop: Shop, tmp_path: Path) -> Callable[[Callable[[], Any]], int]:
    """Counts the answers that a piece of work waits for, on the one connection that the shop has."""

    def counted(work: Callable[[], Any]) -> int:
        work()  # once before, so that nothing is connected or prepared meanwhile
        wire = tmp_path / "wire.txt"
        with wire.open("w") as written:
            _with_driver(shop.database, lambda driver: driver.trace(written.fileno()))
            work()
            _with_driver(shop.database, lambda driver: driver.untrace())
        # One message a line: time, direction, length, name; statements of several lines go on in lines of their own.
        messages = [line.split("\t") for line in wire.read_text().splitlines()]
        sent = [message[3].strip() for message in messages if len(message) > 3 and message[1] == "F"]
        return sent.count("Query") + sent.count("Sync")

    return counted


def _with_driver(database: Database, act: Callable[[Any], None]) -> None:
    pooled = database.engine.raw_connection()
    driver: Any = pooled.driver_connection
    act(driver.pgconn)
    pooled.close()


def each_new(make: Callable[[str], StockCommand], apply: Callable[[StockCommand], Any]) -> Callable[[], Any]:
    """Work that applies another command each time."""
    keys = iter("abcdefgh")
    return lambda: apply(make(next(keys)))


def test_a_reservation_waits_four_times(shop: Shop, waits: Callable[..., int]) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    assert waits(each_new(lambda key: place(key, MUG), shop.apply)) == OPEN + READ + WRITE + COMMIT
    assert shop.counters() == (9, 2, 0, 0)


def test_so_does_a_batch_of_many_callers(shop: Shop, waits: Callable[..., int]) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 900)))
    with OrderHub(shop.database, pool=POOL) as hub:
        numbers = count()

        def batch() -> None:
            number = next(numbers)
            with hub.together():
                futures = [hub.stock.submit(place(f"{number}/{n}", MUG)) for n in range(100)]
            assert all(future.result().applied for future in futures)

        assert waits(batch) == OPEN + READ + WRITE + COMMIT
    assert shop.counters() == (900, 200, 0, 0)


def test_an_answer_given_again_waits_for_nothing_to_be_written(shop: Shop, waits: Callable[..., int]) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    assert waits(lambda: shop.apply(place("same", MUG))) == OPEN + READ + LEAVE + COMMIT


@pytest.mark.parametrize("verb", ["confirm", "issue", "release"])
def test_commands_on_holds_look_for_their_rows_first(shop: Shop, waits: Callable[..., int], verb: str) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    holds = {key: shop.held(place(f"hold {key}", MUG))[0] for key in "ab"}

    def make(key: str) -> StockCommand:
        if verb == "issue":
            return IssueHolds(key=key, lines=(Issue(hold=holds[key], quantity=1),))
        return (ConfirmHolds if verb == "confirm" else ReleaseHolds)(key=key, holds=(holds[key],))

    assert waits(each_new(make, shop.apply)) == OPEN + FIND_ROWS + READ + WRITE + COMMIT


def test_a_sale_that_displaces_nothing_waits_four_times(shop: Shop, waits: Callable[..., int]) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    assert waits(each_new(lambda key: sell(key, MUG), shop.apply)) == OPEN + READ + WRITE + COMMIT


def test_quotas_that_were_asked_for_ahead_hold(shop: Shop, waits: Callable[..., int]) -> None:
    shop.apply(
        receive("r", ("MUG", "TPE", 9)),
        SetQuota(key="q", sku="MUG", channel="web", quota_kind=QuotaKind.CAPPED, units=2),
    )

    def work(tx: Transaction) -> list[bool]:
        asked = [place(f"web-{n}", MUG).model_copy(update={"channel": "web"}) for n in range(3)]
        return [answer.applied for answer in apply_many(tx, asked)]

    assert shop.database.run(POOL, work) == [True, True, False]
