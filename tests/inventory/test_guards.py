"""The last line of defence: counters that change around their locks stop the batch, and the audit asks nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from omo_core.inventory.load import load
from omo_core.inventory.record import record
from omo_core.inventory.registry import perform
from omo_core.model.errors import InvariantViolation
from omo_core.model.promises import ReleaseSlots
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.transaction import Transaction
from tests.inventory.conftest import POOL, Shop, place, receive
from tests.inventory.test_backorders import ahead, give_up, promise, set_cap
from tests.inventory.test_capacity import NINE, place_with, ref, set_capacity, work
from tests.inventory.test_quotas import buy, cap


def slot_taken(shop: Shop) -> StockCommand:
    shop.apply(set_capacity("c", ("TPE", NINE, 5)))
    return place_with("p", work("p"))


def claim_given_back(shop: Shop) -> StockCommand:
    shop.apply(slot_taken(shop))
    return ReleaseSlots(key="r", claims=(ref("p"),))


def quota_taken(shop: Shop) -> StockCommand:
    shop.apply(cap("c", "web", 5))
    return buy("b", "web", ("MUG", "TPE", 1))


def ahead_of_stock(shop: Shop) -> StockCommand:
    shop.apply(set_cap("c", 5))
    return ahead("a", ("MUG", None, 1))


def promise_given_up(shop: Shop) -> StockCommand:
    shop.apply(set_cap("c", 5))
    return give_up("g", (promise(shop, "a", ("MUG", None, 2)), None))


@pytest.mark.parametrize(
    ("prepared", "meddling", "said"),
    [
        (slot_taken, "UPDATE omo_capacity_slot SET version = version + 1", "1 of 1 slots changed"),
        (claim_given_back, "UPDATE omo_slot_claim SET held = 0, released = 1", "1 of 1 slot claims changed"),
        (quota_taken, "UPDATE omo_quota SET version = version + 1", "1 of 1 quotas changed"),
        (ahead_of_stock, "UPDATE omo_backorder_cap SET version = version + 1", "1 of 1 .* changed"),
        (promise_given_up, "UPDATE omo_backorder SET open = 1, released = 1", "1 of 1 .* changed"),
    ],
    ids=["slot", "claim", "quota", "backorder-cap", "backorder"],
)
def test_a_counter_changed_around_its_lock_stops_the_batch(
    memory_shop: Shop, prepared: Callable[[Shop], StockCommand], meddling: str, said: str
) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 9)))
    command = prepared(memory_shop)

    def decide_on_old_values(tx: Transaction) -> None:
        loaded = load(tx, [command])
        assert not perform(loaded, "op", command).refusals
        tx.connection.exec_driver_sql(meddling)
        record(tx, loaded)

    with pytest.raises(InvariantViolation, match=said):
        memory_shop.database.run(POOL, decide_on_old_values)
    assert memory_shop.audit().findings == ()


def test_the_audit_is_a_witness_of_its_own(memory_shop: Shop) -> None:
    """More buyers than units, and nobody looks at their answers: the book itself shows whether too many won."""
    memory_shop.apply(receive("r", ("MUG", "TPE", 2)))
    for buyer in range(4):
        memory_shop.apply(place(f"b{buyer}", ("MUG", "TPE", 1)))
    assert [finding.sentence for finding in memory_shop.audit().findings] == []
