"""SQLite looks rows up by the whole key that a statement names, never by walking the pool."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Table

from omo_core.storage import tables
from omo_core.storage.database import Database
from omo_core.storage.statements import select_sql, update_sql

LOOK_UPS = [
    (tables.stock, ("sku",)),
    (tables.stock, ("sku", "node", "condition")),
    (tables.hold, ("hold",)),
    (tables.hold, ("owner",)),
    (tables.hold, ("sku", "node", "condition", "state")),
    (tables.operation, ("scope", "key")),
    (tables.operation, ("operation_id",)),
    (tables.posting, ("operation_id",)),
    (tables.posting, ("sku", "node", "condition", "row_version")),
    (tables.reading, ("sku", "node", "condition")),
    (tables.count_task, ("sku", "node", "condition", "state")),
    (tables.transfer, ("transfer",)),
    (tables.transfer_line, ("transfer",)),
    (tables.transfer_line, ("state", "sku")),
    (tables.transfer_line, ("state", "sku", "node")),
    (tables.inbound, ("reference", "node")),
    (tables.inbound, ("reference", "node", "sku")),
    (tables.inbound, ("state", "sku")),
    (tables.inbound, ("state", "sku", "node")),
    (tables.item, ("sku",)),
    (tables.order, ("order_id",)),
    (tables.order, ("channel", "external_id")),
    (tables.order_line, ("order_id",)),
    (tables.fulfilment, ("fulfilment",)),
    (tables.fulfilment, ("order_id",)),
    (tables.fulfilment_line, ("fulfilment",)),
    (tables.quota, ("sku",)),
    (tables.capacity_slot, ("node", "slot_at_us")),
    (tables.slot_claim, ("owner",)),
    (tables.slot_claim, ("owner", "node", "slot_at_us")),
    (tables.backorder_cap, ("sku",)),
    (tables.backorder_cap, ("sku", "node")),
    (tables.backorder, ("backorder",)),
    (tables.backorder, ("owner",)),
]


def plan_of(sql: str, parameters: int) -> str:
    with Database.open("sqlite:///:memory:") as database, database.connection(read_only=True) as connection:
        values = ("[]", *["x"] * (parameters - 1))
        return "\n".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values))


@pytest.mark.parametrize(
    ("table", "keys"), LOOK_UPS, ids=lambda value: "-".join(value) if isinstance(value, tuple) else value.name
)
def test_a_select_searches_by_all_of_its_keys(table: Table, keys: tuple[str, ...]) -> None:
    plan = plan_of(select_sql(table, tuple(column.name for column in table.c), keys, False, False), 2)
    assert f"({' AND '.join(f'{name}=?' for name in ('pool_id', *keys))})" in plan


@pytest.mark.parametrize(
    ("table", "keys"),
    [(tables.stock, ("sku", "node", "condition", "version")), (tables.hold, ("hold", "state", "pending"))],
    ids=["stock", "hold"],
)
def test_a_guarded_update_searches_by_the_primary_key(table: Table, keys: tuple[str, ...]) -> None:
    plan = plan_of(
        update_sql(table, keys, ("version",) if "version" in table.c else ("pending",), False), len(keys) + 2
    )
    primary = [column.name for column in table.primary_key]
    assert re.search(rf"SEARCH .*\({' AND '.join(f'{name}=[?]' for name in primary)}\)", plan), plan
