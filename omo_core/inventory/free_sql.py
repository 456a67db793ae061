"""Available to promise as SQL: the same arithmetic as `Level.available`, where the rows are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from omo_core.storage.statements import array_text
from omo_core.storage.transaction import Transaction

_KEPT: Final = "{greatest}(t.safety, (t.on_hand * t.safety_permille + 999) / 1000)"
_FREE: Final = "CASE WHEN t.halted = 1 THEN 0 ELSE {greatest}(0, t.on_hand - t.reserved - " + _KEPT + ") END"
_OF_PAIRS: Final = """
SELECT t.sku, t.node, {free} FROM {asked}
ON t.pool_id = {mark} AND t.sku = {sku} AND t.node = {node} AND t.condition = 'sellable'
"""
# CROSS JOIN fixes the order of loops in SQLite: pairs outside, look-ups in the key inside.
_SQLITE: Final = {
    "asked": "json_each(?) AS v CROSS JOIN omo_stock AS t",
    "mark": "?",
    "sku": "json_extract(v.value, '$[0]')",
    "node": "json_extract(v.value, '$[1]')",
}
_POSTGRES: Final = {
    "asked": "unnest(%s::text[], %s::text[]) AS v (sku, node) JOIN omo_stock AS t",
    "mark": "%s",
    "sku": "v.sku",
    "node": "v.node",
}

_OF_SKUS: Final = """
SELECT t.sku, t.node, t.on_hand - t.reserved - {kept} FROM {asked} AS v {join} omo_stock AS t
ON t.pool_id = {mark} AND t.sku = {sku} AND t.condition = 'sellable'
WHERE t.halted = 0 AND t.on_hand - t.reserved - {kept} > 0
"""


def free_units(postgres: bool) -> str:
    """SQL of the units that a sellable row `t` of the stock table can promise now; never negative."""
    return _FREE.format(greatest="greatest" if postgres else "max")


def free_of_pairs(tx: Transaction, pairs: Iterable[tuple[str, str]]) -> list[tuple[Any, ...]]:
    """(sku, node, units free) of those (sku, node) pairs that have a sellable row, in no order; one statement.

    The driver's own tuples are returned: of a hundred thousand rows, wrapping each takes as long as reading it.
    """
    wanted = sorted(set(pairs))
    if not wanted:
        return []
    sql = _OF_PAIRS.format(free=free_units(tx.postgres), **(_POSTGRES if tx.postgres else _SQLITE))
    asked = (
        tuple(map(array_text, zip(*wanted, strict=True))) if tx.postgres else (json.dumps(wanted, ensure_ascii=False),)
    )
    return tx.fetch(sql, (*asked, tx.pool))


def free_of_skus(tx: Transaction, skus: Iterable[str]) -> list[tuple[str, str, int]]:
    """(sku, node, units free) of every sellable row of the SKUs that has any, in key order; one statement."""
    wanted = sorted(set(skus))
    if not wanted:
        return []
    kept = _KEPT.format(greatest="greatest" if tx.postgres else "max")
    if tx.postgres:
        source = {"asked": "unnest(%s::text[])", "join": "(sku) JOIN", "mark": "%s", "sku": "v.sku"}
        rows: list[Any] = tx.fetch(_OF_SKUS.format(kept=kept, **source), (array_text(wanted), tx.pool))
    else:
        source = {"asked": "json_each(?)", "join": "CROSS JOIN", "mark": "?", "sku": "v.value"}
        rows = tx.fetch(_OF_SKUS.format(kept=kept, **source), (json.dumps(wanted, ensure_ascii=False), tx.pool))
    rows.sort()  # rows of a run of keys mostly come in order, and then this is one pass
    return rows
