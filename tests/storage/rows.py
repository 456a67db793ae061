"""Rows to put into tables, and statements that look at them."""

from __future__ import annotations

from typing import Any

from omo_core.storage import tables
from omo_core.storage.transaction import Transaction


def stock(sku: str, node: str = "N1", **changes: Any) -> dict[str, Any]:
    row = {
        "sku": sku,
        "node": node,
        "condition": "sellable",
        "on_hand": 10,
        "reserved": 0,
        "safety": 0,
        "shortage": 0,
        "version": 1,
        "halted": 0,
        "safety_permille": 0,
    }
    return row | changes


def item(sku: str, version: int = 1, document: str = "{}") -> dict[str, Any]:
    return {"sku": sku, "document": document, "version": version, "updated_at_us": 0}


def posting(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "operation_id": "o1",
        "number": number,
        "place": "supplier",
        "sku": "A",
        "node": "N1",
        "condition": "sellable",
        "quantity": -1,
        "reserved": 0,
        "safety": 0,
        "shortage": 0,
        "row_version": None,
        "on_hand_after": None,
        "reserved_after": None,
        "safety_after": None,
        "shortage_after": None,
        "posted_at_us": 0,
    }
    return row | changes


def hold(name: str, **changes: Any) -> dict[str, Any]:
    row = {
        "hold": name,
        "owner": "order-1",
        "line": "1",
        "sku": "A",
        "node": "N1",
        "condition": "sellable",
        "quantity": 3,
        "pending": 3,
        "issued": 0,
        "released": 0,
        "state": "placed",
        "placed_at_us": 0,
        "expires_at_us": None,
        "operation_id": "o1",
        "returned": 0,
        "extended": 0,
        "dies_at_us": None,
        "channel": None,
    }
    return row | changes


def items(tx: Transaction) -> list[tuple[str, int]]:
    """SKU and version of every item of the pool."""
    found = tx.connection.execute(
        tables.item.select().where(tables.item.c.pool_id == tx.pool).order_by(tables.item.c.sku)
    )
    return [(row.sku, row.version) for row in found]
