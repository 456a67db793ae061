"""Every invariant is broken on purpose, around the library, and the auditor names it and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Integer, Table

from omo_core.inventory import audit
from omo_core.inventory.audit_checks import CHECKS
from omo_core.inventory.load import load
from omo_core.inventory.record import record
from omo_core.inventory.registry import perform
from omo_core.model.errors import InvariantViolation
from omo_core.model.stock import ConfirmHolds, ReleaseHolds
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction
from tests.inventory.conftest import POOL, Shop, open_shop, place, receive, sell

BOTH_ENGINES = pytest.mark.parametrize(
    "shop_url", ["sqlite-memory", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


def filled(table: Table, **values: Any) -> dict[str, Any]:
    """A row of the table: the values given, and something harmless everywhere else."""
    blank = {
        column.name: None if column.nullable else 1 if isinstance(column.type, Integer) else ""
        for column in table.columns
        if column.name != "pool_id"
    }
    return {**blank, **values}


@pytest.fixture
def busy_shop(shop_url: str) -> Iterator[Shop]:
    """MUG: 5 on hand, 2 held for an order's line. BOWL: sold short by one, with a count task and a published fact."""
    with open_shop(shop_url) as shop:
        shop.apply(
            receive("r", ("MUG", "TPE", 5)),
            receive("q", ("BOWL", "TPE", 2)),
            place("h", ("MUG", "TPE", 2), owner="o1"),
            sell("s", ("BOWL", "TPE", 3)),
        )
        order = filled(tables.order, order_id="o1", channel="native", external_id="1", state="waiting", document="{}")
        line = filled(tables.order_line, order_id="o1", line="1", sku="MUG", ordered=2, wanted=2, issued=0, short=0)
        shop.database.run(POOL, lambda tx: tx.insert(tables.order, [order]))
        shop.database.run(POOL, lambda tx: tx.insert(tables.order_line, [line]))
        assert shop.audit().findings == ()
        yield shop


def corrupt(shop: Shop, *statements: str) -> None:
    """Change rows behind the library's back, with the database's own CHECKs and append-only rule out of the way."""
    with shop.database.connection() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
            triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (trigger,) in triggers.all():
                connection.exec_driver_sql(f'DROP TRIGGER "{trigger}"')
        else:
            connection.exec_driver_sql("GRANT UPDATE, DELETE ON omo_posting TO CURRENT_USER")
            found = connection.exec_driver_sql(
                "SELECT conrelid::regclass::text, conname FROM pg_constraint "
                "WHERE contype = 'c' AND conrelid::regclass::text LIKE '%%omo\\_%%'"
            )
            for table, name in found.all():
                connection.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount > 0, statement


CORRUPTIONS: dict[str, tuple[list[str], list[str]]] = {
    # The counters and the ledger agree with each other on nonsense.
    "negative counter": (
        ["counters_not_negative"],
        [
            "UPDATE omo_stock SET shortage = -1 WHERE sku = 'BOWL'",
            "UPDATE omo_posting SET shortage = -1, shortage_after = -1 WHERE sku = 'BOWL' AND row_version = 2",
        ],
    ),
    "reserved above on hand": (
        ["reserved_within_on_hand"],
        [
            "UPDATE omo_stock SET on_hand = 1 WHERE sku = 'MUG'",
            "UPDATE omo_posting SET on_hand_after = 1 WHERE sku = 'MUG' AND row_version IS NOT NULL",
            "UPDATE omo_posting SET quantity = 1 WHERE sku = 'MUG' AND row_version = 1",
            "UPDATE omo_posting SET quantity = -1 WHERE sku = 'MUG' AND place = 'supplier'",
        ],
    ),
    "hold lost units": (
        ["reserved_is_pending"],
        [
            "UPDATE omo_hold SET pending = 1, released = 1",
        ],
    ),
    "hold without a row": (
        ["reserved_is_pending", "reserved_is_pending"],
        [
            "UPDATE omo_hold SET node = 'KHH'",
        ],
    ),
    "balance changed": (
        ["postings_fold_to_balance"],
        [
            "UPDATE omo_stock SET on_hand = 6 WHERE sku = 'MUG'",
        ],
    ),
    "row deleted": (
        ["postings_fold_to_balance"],
        [
            "DELETE FROM omo_stock WHERE sku = 'BOWL'",
        ],
    ),
    "version skipped": (
        ["versions_without_gap"],
        [
            "UPDATE omo_stock SET version = version + 1 WHERE sku = 'MUG'",
        ],
    ),
    "ledger renumbered": (
        ["versions_without_gap"],
        [
            "UPDATE omo_posting SET row_version = 0 WHERE sku = 'MUG' AND row_version = 1",
        ],
    ),
    "history rewritten": (
        ["after_values_chain"],
        [
            "UPDATE omo_posting SET reserved_after = 1 WHERE sku = 'MUG' AND row_version = 2",
        ],
    ),
    "posting deleted": (
        ["postings_fold_to_balance", "versions_without_gap", "operations_have_their_rows"],
        [
            "DELETE FROM omo_posting WHERE sku = 'MUG' AND row_version = 2",
        ],
    ),
    "goods out of nothing": (
        ["operations_sum_to_zero"],
        [
            "UPDATE omo_posting SET quantity = quantity + 1 WHERE place = 'customer'",
        ],
    ),
    "answer lost": (
        ["keys_applied_once"],
        [
            "UPDATE omo_operation SET answer = '' WHERE key = 'r'",
        ],
    ),
    "request not known": (
        ["keys_applied_once"],
        [
            "UPDATE omo_operation SET request_sha256 = 'x' WHERE key = 'r'",
        ],
    ),
    "hold grew": (
        ["hold_parts_sum_to_whole"],
        [
            "UPDATE omo_hold SET quantity = 3",
        ],
    ),
    "ended with units pending": (
        ["hold_parts_sum_to_whole"],
        [
            "UPDATE omo_hold SET state = 'issued'",
        ],
    ),
    "operation deleted": (
        ["rows_have_their_operation"],
        [
            "DELETE FROM omo_operation WHERE key = 'r'",
        ],
    ),
    "operation without effect": (
        ["operations_have_their_rows"],
        [
            "INSERT INTO omo_operation (pool_id, scope, key, operation_id, kind, request_sha256, answer, created_at_us) SELECT pool_id, scope, 'other', 'other', kind, request_sha256, answer, created_at_us FROM omo_operation WHERE key = 'r'",
        ],
    ),
    "order is over": (
        ["pending_belongs_to_live_line"],
        [
            "UPDATE omo_order SET state = 'cancelled'",
        ],
    ),
    "line is gone": (
        ["pending_belongs_to_live_line"],
        [
            "DELETE FROM omo_order_line",
        ],
    ),
    "line of another item": (
        ["pending_belongs_to_live_line"],
        [
            "UPDATE omo_order_line SET sku = 'BOWL'",
        ],
    ),
    "held above ordered": (
        ["held_within_ordered"],
        [
            "UPDATE omo_order_line SET ordered = 1, wanted = 1",
        ],
    ),
    "fact lost": (
        ["published_versions_without_gap"],
        [
            "UPDATE omo_outbox SET version = 2",
        ],
    ),
}


@BOTH_ENGINES
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_auditor_reports_a_corruption_and_only_it(busy_shop: Shop, name: str) -> None:
    expected, statements = CORRUPTIONS[name]
    corrupt(busy_shop, *statements)
    report = busy_shop.audit()
    assert [finding.check for finding in report.findings] == expected
    assert not report.clean
    for finding in report.findings:
        assert "{" not in finding.sentence
        assert report.found[finding.check] == expected.count(finding.check)


def test_every_check_is_broken_by_some_corruption() -> None:
    assert {check for expected, _ in CORRUPTIONS.values() for check in expected} == {check.name for check in CHECKS}


@BOTH_ENGINES
def test_a_broken_row_is_halted_and_the_physical_world_goes_on(busy_shop: Shop) -> None:
    corrupt(busy_shop, "UPDATE omo_stock SET on_hand = 6 WHERE sku = 'MUG'")
    assert busy_shop.audit().halted == ()
    assert not busy_shop.level().halted
    report = busy_shop.database.run(POOL, lambda tx: audit(tx, halt=True))
    assert report.halted == (("MUG", "TPE"),)
    assert busy_shop.database.run(POOL, lambda tx: audit(tx, halt=True)).halted == ()
    assert busy_shop.level().halted
    assert busy_shop.level().available == 0
    refused, received, sold, released = busy_shop.apply(
        place("h2", ("MUG", "TPE", 1)),
        receive("r2", ("MUG", "TPE", 1)),
        sell("s2", ("MUG", "TPE", 2)),
        ReleaseHolds(key="x", holds=(busy_shop.hold("o1").hold,)),
    )
    assert [refusal.code for refusal in refused.refusals] == ["row_halted"]
    assert received.applied
    assert sold.applied
    assert released.applied
    assert busy_shop.counters() == (5, 0, 0, 0)
    # Nothing was repaired: the unit that no posting explains is still there, and the ledger now shows when it came.
    assert {finding.check for finding in busy_shop.audit().findings} == {
        "postings_fold_to_balance",
        "after_values_chain",
    }


def test_rows_that_are_not_broken_are_not_halted(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 5)))
    report = memory_shop.database.run(POOL, lambda tx: audit(tx, halt=True))
    assert report.clean
    assert report.halted == ()
    assert report.counted["omo_posting"] == 2
    assert report.checked == tuple(check.name for check in CHECKS)


def test_a_flood_of_findings_is_counted_and_cut(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 5), ("BOWL", "TPE", 5), ("VASE", "TPE", 5)))
    corrupt(memory_shop, "UPDATE omo_stock SET version = 7")
    report = memory_shop.database.run(POOL, lambda tx: audit(tx, halt=True, limit=2))
    assert len(report.findings) == 2
    assert report.found["versions_without_gap"] == 3
    assert len(report.halted) == 3


def test_another_pool_is_not_looked_at(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 5)))
    corrupt(memory_shop, "UPDATE omo_stock SET version = 7")
    assert memory_shop.database.read("other", audit).clean


def test_a_row_changed_around_its_lock_stops_the_batch(memory_shop: Shop) -> None:
    """The guard of the write: nothing is applied on values that are no longer true."""
    memory_shop.apply(receive("r", ("MUG", "TPE", 5)))

    def decide_on_old_values(tx: Transaction, meddle: str) -> None:
        command = place("a", ("MUG", "TPE", 1))
        work = load(tx, [command])
        perform(work, "op", command)
        tx.connection.exec_driver_sql(meddle)
        record(tx, work)

    with pytest.raises(InvariantViolation, match="1 of 1 stock rows changed while they were locked"):
        memory_shop.database.run(
            POOL, lambda tx: decide_on_old_values(tx, "UPDATE omo_stock SET version = version + 1")
        )
    assert memory_shop.counters() == (5, 0, 0, 0)
    assert memory_shop.holds("a") == []


def test_a_hold_changed_around_its_lock_stops_the_batch(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 5)))
    (hold,) = memory_shop.held(place("a", ("MUG", "TPE", 1)))

    def decide_on_old_state(tx: Transaction) -> None:
        command = ConfirmHolds(key="c", holds=(hold,))
        work = load(tx, [command])
        perform(work, "op", command)
        tx.connection.exec_driver_sql("UPDATE omo_hold SET state = 'expired', pending = 0, released = 1")
        record(tx, work)

    with pytest.raises(InvariantViolation, match="1 of 1 holds changed while they were locked"):
        memory_shop.database.run(POOL, decide_on_old_state)
    assert memory_shop.hold("a").state.value == "placed"
