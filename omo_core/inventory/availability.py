"""What can be promised now: levels and available to promise, by node and for the pool, read in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from omo_core.inventory.load import ROW_COLUMNS, ROW_KEY
from omo_core.model.stock import SELLABLE, Level, kept_back
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

Pair = tuple[str, str]
"""(sku, node)"""

_OPEN_COLUMNS = ("sku", "node", "pending")
_FREE_COLUMNS = ("sku", "node", "condition", "on_hand", "reserved", "safety", "halted", "safety_permille")


def levels(tx: Transaction, pairs: Iterable[Pair]) -> list[Level]:
    """The stock rows of the (sku, node) pairs that have one, in key order; one statement."""
    keys = [(sku, node, SELLABLE) for sku, node in pairs]
    return [_level(row) for row in tx.select(tables.stock, ROW_COLUMNS, ROW_KEY, keys)]


def levels_of_skus(tx: Transaction, skus: Iterable[str]) -> list[Level]:
    """Every stock row of the SKUs, in key order; one statement."""
    rows = tx.select(tables.stock, ROW_COLUMNS, ("sku",), {(sku,) for sku in skus})
    return [_level(row) for row in rows if row.condition == SELLABLE]


def available_of_skus(tx: Transaction, skus: Iterable[str], owners: Sequence[str] = ()) -> list[tuple[str, str, int]]:
    """(sku, node, units available to promise) of every row that has any, in key order.

    ATP = on hand − reserved − safety stock; halted rows have none. The pending units of holds that belong to `owners`
    count as free: a wave that will replace its own provisional holds plans with them.
    """
    own: dict[Pair, int] = {}
    if owners:
        for sku, node, pending in tx.select(tables.hold, _OPEN_COLUMNS, ("owner",), [(owner,) for owner in owners]):
            own[sku, node] = own.get((sku, node), 0) + pending
    found = []
    rows = tx.select(tables.stock, _FREE_COLUMNS, ("sku",), {(sku,) for sku in skus})
    for sku, node, condition, on_hand, reserved, safety, halted, permille in rows:
        available = on_hand - reserved - kept_back(on_hand, safety, permille)
        if own:
            available += own.get((sku, node), 0)
        if available > 0 and not halted and condition == SELLABLE:
            found.append((sku, node, available))
    return found


def available_by_pair(tx: Transaction, pairs: Iterable[Pair]) -> dict[Pair, int]:
    """Units available to promise of each (sku, node) pair asked for; 0 where there is no stock row."""
    pairs = list(pairs)
    found = {(level.sku, level.node): level.available for level in levels(tx, pairs)}
    return {pair: found.get(pair, 0) for pair in pairs}


def available_to_promise(tx: Transaction, sku: str, node: str | None = None) -> int:
    """Units of a SKU available to promise at one node, or in the whole pool where `node` is None.

    Rows are added after each is floored at 0: too little at one node takes nothing from what another can promise.
    """
    if node is not None:
        return available_by_pair(tx, [(sku, node)])[sku, node]
    return sum(available for _, _, available in available_of_skus(tx, [sku]))


def _level(row: Sequence[Any]) -> Level:
    sku, node, condition, on_hand, reserved, safety, shortage, version, halted, safety_permille = row
    return Level(
        sku=sku,
        node=node,
        condition=condition,
        on_hand=on_hand,
        reserved=reserved,
        safety=safety,
        shortage=shortage,
        version=version,
        halted=bool(halted),
        safety_permille=safety_permille,
    )
