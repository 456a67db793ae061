"""The protocol around the commands: keys, batches, all or nothing, ledger lines that sum to zero."""

from __future__ import annotations

import pytest

from omo_core.inventory import apply_many, apply_one
from omo_core.inventory.pool import KEY_REUSED, SOLD_SHORT
from omo_core.model.errors import DuplicateKeyMismatch
from omo_core.model.stock_commands import StockCommand
from tests.inventory.conftest import POOL, Shop, place, receive, sell


def test_a_repeated_key_gets_the_same_answer_and_is_applied_once(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)))
    command = place("a", ("MUG", "TPE", 2))
    (first,) = shop.apply(command)
    again, in_one_batch = shop.apply(command, command)
    assert first == again == in_one_batch
    assert first.holds[0].hold == again.holds[0].hold
    assert shop.counters() == (3, 2, 0, 0)


def test_a_key_repeated_in_the_batch_that_brings_it_is_applied_once(shop: Shop) -> None:
    first, second = shop.apply(receive("r", ("MUG", "TPE", 3)), receive("r", ("MUG", "TPE", 3)))
    assert first == second
    assert shop.counters() == (3, 0, 0, 0)


def test_a_stored_refusal_is_given_again_although_stock_has_come(shop: Shop) -> None:
    (refused,) = shop.apply(place("a", ("MUG", "TPE", 1)))
    shop.apply(receive("r", ("MUG", "TPE", 1)))
    (again,) = shop.apply(place("a", ("MUG", "TPE", 1)))
    assert again == refused
    assert shop.counters() == (1, 0, 0, 0)


def test_a_key_used_for_another_request_is_refused_alone(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)))
    stored, in_batch, again, good = shop.apply(
        receive("r", ("MUG", "TPE", 4)),
        receive("q", ("BOWL", "TPE", 1)),
        receive("q", ("BOWL", "TPE", 2)),
        sell("s", ("MUG", "TPE", 1)),
    )
    assert [refusal.code for refusal in stored.refusals] == [KEY_REUSED]
    assert in_batch.applied
    assert [refusal.code for refusal in again.refusals] == [KEY_REUSED]
    assert good.applied
    assert shop.counters() == (2, 0, 0, 0)
    assert shop.counters("BOWL", "TPE") == (1, 0, 0, 0)
    with pytest.raises(DuplicateKeyMismatch, match="Use a new key"):
        shop.database.run(POOL, lambda tx: apply_one(tx, receive("r", ("MUG", "TPE", 4))))


def test_keys_of_two_systems_do_not_meet(shop: Shop) -> None:
    till = receive("1", ("MUG", "TPE", 1)).model_copy(update={"scope": "till"})
    shop.apply(receive("1", ("MUG", "TPE", 1)), till)
    assert shop.counters() == (2, 0, 0, 0)


def test_pools_of_one_database_do_not_meet(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 1)))
    (elsewhere,) = shop.database.run("other", lambda tx: apply_many(tx, [receive("r", ("MUG", "TPE", 1))]))
    assert [refusal.code for refusal in elsewhere.refusals] == ["unknown_sku", "unknown_node"]
    assert shop.counters() == (1, 0, 0, 0)


def test_a_failure_in_the_middle_leaves_nothing_behind(shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 3)))
    before = [shop.count(table) for table in ("stock", "hold", "posting", "operation", "count_task", "outbox")]
    batch: list[StockCommand] = [
        receive("r2", ("VASE", "TPE", 1)),
        place("a", ("MUG", "TPE", 2)),
        sell("s", ("MUG", "TPE", 5)),
    ]
    # The table that is written last is gone: everything before it has been written by then.
    shop.execute("ALTER TABLE omo_count_task RENAME TO moved_away")
    with pytest.raises(Exception, match="omo_count_task"):
        shop.apply(*batch)
    shop.execute("ALTER TABLE moved_away RENAME TO omo_count_task")
    assert before == [shop.count(table) for table in ("stock", "hold", "posting", "operation", "count_task", "outbox")]
    assert [answer.applied for answer in shop.apply(*batch)] == [True, True, True]
    assert shop.counters() == (0, 0, 0, 2)


def test_an_empty_batch_answers_nothing(shop: Shop) -> None:
    assert shop.apply() == []


def test_a_sale_that_found_too_little_is_the_one_fact_published(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 1)), place("a", ("MUG", "TPE", 1)), sell("s", ("MUG", "TPE", 2)))
    with memory_shop.database.connection(read_only=True) as connection:
        ((kind, version, data),) = connection.exec_driver_sql("SELECT type, version, data FROM omo_outbox").all()
    assert (kind, version) == (SOLD_SHORT, 1)
    assert '"owner":"a"' in data
    assert '"shortages":[{"sku":"MUG","node":"TPE","quantity":1}]' in data


def test_every_operation_moves_goods_between_places_and_loses_none(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 2)), place("a", ("MUG", "TPE", 1)), sell("s", ("MUG", "TPE", 5)))
    with memory_shop.database.connection(read_only=True) as connection:
        lines = connection.exec_driver_sql("SELECT place, sum(quantity) FROM omo_posting GROUP BY place ORDER BY place")
        assert [tuple(line) for line in lines] == [("adjustment", -3), ("customer", 5), ("stock", 0), ("supplier", -2)]
