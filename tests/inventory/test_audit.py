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
    """MUG: 5 on hand, 2 held for an order's line. BOWL: sold short by one, with a count task and a published fact.
    VASE: 3 at KHH, of which one is on its way to TPE, two are promised ahead and two slots of work are claimed.
    """
    with open_shop(shop_url) as shop:
        shop.apply(
            receive("r", ("MUG", "TPE", 5)),
            receive("q", ("BOWL", "TPE", 2)),
            receive("v", ("VASE", "KHH", 3)),
            place("h", ("MUG", "TPE", 2), owner="o1"),
            sell("s", ("BOWL", "TPE", 3)),
        )
        shop.database.run(POOL, _add_order)
        shop.database.run(POOL, _add_transfer)
        shop.database.run(POOL, _add_promises)
        assert shop.audit().findings == ()
        yield shop


def _add_order(tx: Transaction) -> None:
    order = filled(
        tables.order, order_id="o1", channel="native", external_id="1", state="waiting", held=0, document="{}"
    )
    tx.insert(tables.order, [order])
    line = filled(tables.order_line, order_id="o1", line="1", sku="MUG", ordered=2, wanted=2, issued=0, short=0)
    tx.insert(tables.order_line, [line])
    tx.insert(tables.decision, [filled(tables.decision, order_id="o1", attempt=1)])


def _add_transfer(tx: Transaction) -> None:
    moved = {"operation_id": "t", "sku": "VASE", "condition": "sellable", "reserved": 0, "safety": 0, "shortage": 0}
    after = {"on_hand_after": 2, "reserved_after": 0, "safety_after": 0, "shortage_after": 0}
    left = filled(tables.posting, number=1, place="stock", node="KHH", quantity=-1, row_version=2, **moved, **after)
    coming = filled(tables.posting, number=2, place="transit", node="TPE", quantity=1, **moved)
    tx.insert(tables.posting, [left, coming])
    tx.connection.exec_driver_sql("UPDATE omo_stock SET on_hand = 2, version = 2 WHERE sku = 'VASE'")
    done = filled(
        tables.operation, key="t", operation_id="t", kind="ship_transfer", request_sha256="5" * 64, answer="{}"
    )
    tx.insert(tables.operation, [done])
    tx.insert(
        tables.transfer, [filled(tables.transfer, transfer="t1", from_node="KHH", to_node="TPE", operation_id="t")]
    )
    line = {"transfer": "t1", "sku": "VASE", "node": "TPE", "state": "open"}
    tx.insert(tables.transfer_line, [line | {"shipped": 1, "received": 0, "lost": 0, "extra": 0}])


def _add_promises(tx: Transaction) -> None:
    kept = {"hold": "h9", "owner": "o9", "sku": "VASE", "condition": "sellable", "state": "issued", "operation_id": "t"}
    parts = {"quantity": 3, "pending": 0, "issued": 2, "released": 1, "returned": 1, "quota": "q1"}
    tx.insert(tables.hold, [filled(tables.hold, **kept, **parts)])
    quota = filled(tables.quota, sku="MUG", channel="web", quota="q1", kind="capped", units=3, used=2)
    tx.insert(tables.quota, [quota])
    tx.insert(tables.capacity_slot, [filled(tables.capacity_slot, node="TPE", slot_at_us=0, capacity=2, used=2)])
    claim = filled(tables.slot_claim, owner="o1", node="TPE", slot_at_us=0, held=1, done=1, released=3)
    tx.insert(tables.slot_claim, [claim])
    tx.insert(tables.backorder_cap, [filled(tables.backorder_cap, sku="VASE", kind="backorder", cap=5, promised=2)])
    coming = {"reference": "asn-1", "node": "TPE", "sku": "VASE", "state": "open", "due_at_us": 1, "operation_id": "t"}
    tx.insert(tables.inbound, [filled(tables.inbound, expected=3, received=1, **coming)])
    ahead = {
        "operation_id": "t",
        "backorder": "b1",
        "owner": "o2",
        "sku": "VASE",
        "quantity": 2,
        "open": 2,
        "converted": 0,
        "released": 0,
    }
    tx.insert(tables.backorder, [filled(tables.backorder, **ahead)])


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


TRANSFER = "INSERT INTO omo_transfer_line (pool_id, transfer, sku, node, state, shipped, received, lost, extra) VALUES "
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
            "UPDATE omo_hold SET pending = 1, released = 1 WHERE owner = 'o1'",
        ],
    ),
    "hold without a row": (
        ["reserved_is_pending", "reserved_is_pending"],
        [
            "UPDATE omo_hold SET node = 'KHH' WHERE owner = 'o1'",
        ],
    ),
    "balance changed": (
        ["postings_fold_to_balance"],
        [
            "UPDATE omo_stock SET on_hand = 6 WHERE sku = 'MUG'",
        ],
    ),
    "row deleted": (
        ["postings_fold_to_balance", "version_is_last_posting"],
        [
            "DELETE FROM omo_stock WHERE sku = 'BOWL'",
        ],
    ),
    "version skipped": (
        ["version_is_last_posting"],
        [
            "UPDATE omo_stock SET version = version + 1 WHERE sku = 'MUG'",
        ],
    ),
    "ledger renumbered": (
        ["versions_without_gap", "versions_without_gap"],
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
        ["postings_fold_to_balance", "version_is_last_posting", "operations_have_their_rows"],
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
            "UPDATE omo_hold SET quantity = 3 WHERE owner = 'o1'",
        ],
    ),
    "ended with units pending": (
        ["hold_parts_sum_to_whole"],
        [
            "UPDATE omo_hold SET state = 'issued' WHERE owner = 'o1'",
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
    "share above all": (
        ["counters_not_negative"],
        [
            "UPDATE omo_stock SET safety_permille = 1001 WHERE sku = 'MUG'",
        ],
    ),
    "more returned than issued": (
        ["hold_parts_sum_to_whole"],
        [
            "UPDATE omo_hold SET returned = 1 WHERE owner = 'o1'",
        ],
    ),
    "hold of unsellable goods": (
        ["reserved_is_pending", "reserved_is_pending", "hold_parts_sum_to_whole"],
        [
            "UPDATE omo_hold SET condition = 'quarantine' WHERE owner = 'o1'",
        ],
    ),
    "attempt taken back": (
        ["order_versions_only_grow"],
        [
            "UPDATE omo_order SET attempt = 0",
        ],
    ),
    "order version taken back": (
        ["order_versions_only_grow"],
        [
            "UPDATE omo_order SET version = 0",
        ],
    ),
    "goods on their way vanished": (
        ["transit_is_open_transfers"],
        [
            "UPDATE omo_transfer_line SET received = received + 1, state = 'closed'",
        ],
    ),
    "goods on their way without a transfer": (
        ["transit_is_open_transfers"],
        [
            "DELETE FROM omo_transfer_line",
        ],
    ),
    "transfer received more than was shipped": (
        ["transit_is_open_transfers", "transfer_parts_within_shipped"],
        [
            "UPDATE omo_transfer_line SET received = 2",
        ],
    ),
    "line without a transfer": (
        ["transfer_parts_within_shipped"],
        [
            "DELETE FROM omo_transfer",
        ],
    ),
    "open though all has come": (
        ["transfer_parts_within_shipped"],
        [
            f"{TRANSFER} ('default', 't1', 'MUG', 'TPE', 'open', 0, 0, 0, 0)",
        ],
    ),
    "quota counts a hold twice": (
        ["quota_used_is_held"],
        [
            "UPDATE omo_quota SET used = 4",
        ],
    ),
    "quota above its cap": (
        ["quota_used_is_held"],
        [
            "UPDATE omo_quota SET units = 1",
        ],
    ),
    "capacity lost a claim": (
        ["capacity_used_is_claimed"],
        [
            "UPDATE omo_capacity_slot SET used = 1",
        ],
    ),
    "capacity above its end": (
        ["capacity_used_is_claimed"],
        [
            "UPDATE omo_capacity_slot SET capacity = 1",
        ],
    ),
    "claim without a slot": (
        ["capacity_used_is_claimed"],
        [
            "DELETE FROM omo_capacity_slot",
        ],
    ),
    "promised ahead of nothing": (
        ["promised_ahead_is_open"],
        [
            "UPDATE omo_backorder_cap SET promised = 1",
        ],
    ),
    "promised ahead above the cap": (
        ["promised_ahead_is_open"],
        [
            "UPDATE omo_backorder_cap SET cap = 1",
        ],
    ),
    "backorder grew": (
        ["backorder_parts_sum_to_whole"],
        [
            "UPDATE omo_backorder SET quantity = 3",
        ],
    ),
    "acknowledged by nobody what does not show": (
        ["acknowledged_findings_stand", "acknowledged_findings_stand"],
        [
            "INSERT INTO omo_acknowledgement (pool_id, check_name, subject, operation_id, acknowledged_at_us) "
            "VALUES ('default', 'after_values_chain', 'MUG TPE 2', 'nobody', 0)",
        ],
    ),
    "receipt open though all has come": (
        ["receipt_state_is_its_parts"],
        [
            "UPDATE omo_inbound SET received = expected",
        ],
    ),
    "receipt done though less has come": (
        ["receipt_state_is_its_parts"],
        [
            "UPDATE omo_inbound SET state = 'done'",
        ],
    ),
    "backorder of no operation": (
        ["rows_have_their_operation"],
        [
            "UPDATE omo_backorder SET operation_id = 'nobody'",
        ],
    ),
    "transfer of no operation": (
        ["rows_have_their_operation"],
        [
            "UPDATE omo_transfer SET operation_id = 'nobody'",
        ],
    ),
    "held and offered all the same": (
        ["held_orders_are_not_offered"],
        [
            "INSERT INTO omo_fulfilment (pool_id, fulfilment, order_id, node, method, state, version, attempt, why, "
            "offered_at_us) VALUES ('default', 'f1', 'o1', 'TPE', 'ship', 'offered', 1, 1, 'near', 0)",
            "UPDATE omo_order SET held = 1",
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
    assert report.halted == (("MUG", "TPE", "sellable"),)
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
    assert report.found["version_is_last_posting"] == 3
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
