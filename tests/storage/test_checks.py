"""Every CHECK of every table refuses a row that only it forbids; a CHECK that nothing breaks might as well be gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CheckConstraint, Table
from sqlalchemy.exc import IntegrityError

from omo_core.storage import tables
from omo_core.storage.database import Database
from tests.storage.conftest import POOL

AFTER = {"row_version": 1, "on_hand_after": 1, "reserved_after": 0, "safety_after": 0, "shortage_after": 0}

SOUND: Mapping[str, dict[str, Any]] = {
    "backorder": {"quantity": 2, "open": 2},
    "backorder_cap": {"kind": "backorder", "cap": 5, "promised": 5, "version": 1},
    "capacity_slot": {"capacity": 5, "used": 5, "version": 1},
    "count_task": {"quantity": 1, "state": "open"},
    "fulfilment_line": {"quantity": 1},
    "hold": {"quantity": 3, "pending": 3, "state": "placed"},
    "inbound": {"state": "open", "due_at_us": 1, "expected": 5, "received": 4},
    "inbox": {"state": "read"},
    "order": {"version": 1},
    "report": {"kind": "ship", "state": "waiting", "due_at_us": 1},
    "order_line": {"ordered": 5, "wanted": 5},
    "posting": {"place": "supplier"},
    "published": {"version": 1},
    "quota": {"kind": "capped", "units": 5, "used": 5, "version": 1},
    "reading": {},
    "safety_rule": {"node_kind": "", "permille": 1000},
    "slot_claim": {"held": 1},
    "stock": {"on_hand": 10, "reserved": 10, "version": 1},
    "transfer": {"from_node": "N1"},
    "transfer_line": {"state": "open", "shipped": 5, "received": 2, "lost": 2},
    "wave": {"network_version": 0},
    "wave_prices": {},
}
"""What matters of a row that the CHECKs of its table let pass, at their very limits where that is possible."""

BROKEN: Mapping[str, tuple[dict[str, Any], ...]] = {
    "backorder_parts_not_negative": ({"open": 3, "converted": -1}, {"open": 3, "released": -1}),
    "backorder_parts_sum_to_whole": ({"open": 1}, {"quantity": 3}),
    "backorder_cap_kind_known": ({"kind": "other"},),
    "backorder_cap_promised_within_cap": ({"promised": 6}, {"promised": -1}),
    "backorder_cap_version_counts": ({"version": 0},),
    "capacity_slot_used_within_capacity": ({"used": 6}, {"used": -1}),
    "capacity_slot_version_counts": ({"version": 0},),
    "count_task_quantity_positive": ({"quantity": 0},),
    "count_task_state_known": ({"state": "gone"},),
    "count_task_closed_at_an_instant": ({"closed_at_us": 1},),
    "count_task_closed_by_an_operation": ({"state": "closed"}, {"closed_by": "o2", "closed_at_us": 1}),
    "fulfilment_line_quantity_positive": ({"quantity": 0},),
    "hold_returned_within_issued": ({"returned": 1}, {"returned": -1}),
    "hold_extensions_not_negative": ({"extended": -1},),
    "hold_parts_not_negative": ({"pending": 4, "issued": -1, "returned": -1}, {"pending": 4, "released": -1}),
    "hold_open_while_pending": ({"state": "released"}, {"pending": 0, "released": 3}),
    "hold_parts_sum_to_whole": ({"quantity": 4}, {"released": 1}),
    "inbound_open_while_due": ({"received": 5}, {"state": "done"}),
    "inbound_counts": ({"received": -1},),
    "inbound_due_at_an_instant": ({"due_at_us": None},),
    "inbound_state_known": ({"state": "gone", "received": 5},),
    "inbox_state_known": ({"state": "gone"},),
    "order_counts": ({"version": 0}, {"attempt": -1}),
    "order_held_is_a_flag": ({"held": 2}, {"state": "held"}),
    "order_line_counts": ({"issued": -1}, {"short": -1}, {"wanted": -1}, {"wanted": 6}),
    "posting_stock_lines_carry_shortage": ({"place": "stock", **AFTER, "shortage_after": None},),
    "posting_stock_lines_carry_on_hand": ({"place": "stock", **AFTER, "on_hand_after": None},),
    "posting_stock_lines_carry_safety": ({"place": "stock", **AFTER, "safety_after": None},),
    "posting_stock_lines_carry_reserved": ({"place": "stock", **AFTER, "reserved_after": None},),
    "posting_stock_lines_carry_versions": (AFTER, {"place": "stock"}),
    "inbox_waiting_is_due": ({"state": "waiting"}, {"due_at_us": 1}),
    "published_sending_is_a_flag": ({"sending": 2},),
    "published_counts": ({"units": -1}, {"version": 0}),
    "quota_version_counts": ({"version": 0},),
    "quota_used_within_cap": ({"used": 6},),
    "quota_units_not_negative": ({"used": -1}, {"kind": "ring_fenced", "units": -1}),
    "quota_kind_known": ({"kind": "other"},),
    "reading_counts": ({"sequence": -1}, {"quantity": -1}),
    "report_kind_known": ({"kind": "other"},),
    "report_state_known": ({"state": "gone", "due_at_us": None},),
    "report_waiting_is_due": ({"due_at_us": None}, {"state": "done"}),
    "report_attempts_count": ({"attempts": -1},),
    "safety_rule_one_scope": ({"node_kind": "store"},),
    "safety_rule_kept_back_is_possible": ({"units": -1}, {"permille": -1}, {"permille": 1001}),
    "slot_claim_parts_not_negative": ({"held": -1}, {"done": -1}, {"released": -1}),
    "stock_reserved_within_on_hand": ({"reserved": 11}, {"reserved": -1}, {"on_hand": -1}),
    "stock_halted_is_flag": ({"halted": 2},),
    "stock_safety_permille_is_share": ({"safety_permille": -1}, {"safety_permille": 1001}),
    "stock_counters_not_negative": ({"safety": -1}, {"shortage": -1}),
    "stock_version_counts": ({"version": 0},),
    "transfer_between_two_nodes": ({"to_node": "N1"},),
    "transfer_line_state_known": ({"state": "gone", "received": 3},),
    "transfer_line_parts_within_shipped": ({"state": "closed", "received": 4},),
    "transfer_line_open_while_on_the_way": ({"received": 3}, {"state": "closed"}),
    "transfer_line_parts_not_negative": ({"received": -1}, {"lost": -1}, {"extra": -1}),
    "wave_version_counts": ({"network_version": -1},),
}
"""By CHECK, without its prefix: changes of the sound row that break it, and no other."""


def row_of(name: str) -> dict[str, Any]:
    """A sound row of a table: what matters, and NULL, 0 or a text where nothing does."""
    plain = {str: "x", int: 0, bytes: b"x"}
    columns = [column for column in tables.metadata.tables[f"omo_{name}"].c if column.name != "pool_id"]
    return {one.name: None if one.nullable else plain[one.type.python_type] for one in columns} | SOUND[name]


def table_of(check: str) -> Table:
    """The table whose name the CHECK's begins with, the longest one."""
    name = max((name for name in SOUND if check.startswith(f"{name}_")), key=len)
    table: Table = tables.metadata.tables[f"omo_{name}"]
    return table


def refused_by(database: Database, table: Table, row: dict[str, Any]) -> str:
    """What the database says to a row; "" where it takes it."""
    try:
        with database.transaction(POOL) as tx:
            tx.insert(table, [row])
            tx.connection.rollback()
    except IntegrityError as error:
        return str(error.orig)
    return ""


def test_every_check_is_broken_by_some_row_and_the_other_way_round() -> None:
    checks = {
        str(constraint.name).removeprefix("ck_omo_")
        for table in tables.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    assert checks == BROKEN.keys()


def test_each_check_refuses_what_breaks_it(database: Database) -> None:
    for name in SOUND:
        assert refused_by(database, tables.metadata.tables[f"omo_{name}"], row_of(name)) == "", name
    for check, changes in BROKEN.items():
        table = table_of(check)
        for change in changes:
            row = row_of(table.name.removeprefix("omo_")) | change
            assert f"ck_omo_{check}" in refused_by(database, table, row), (check, change)
