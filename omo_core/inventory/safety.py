"""What new stock rows keep back, by the rules that were set for their node, its class, or the pool."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from omo_core.inventory.working import Cell
from omo_core.model.stock import SELLABLE
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

Kept = tuple[int, int]
"""(units, permille)"""

RULE_COLUMNS = ("node_kind", "node", "sku", "units", "permille")


def kept_by_rule(tx: Transaction, cells: Iterable[Cell]) -> dict[Cell, Kept]:
    """What new sellable rows keep back by the rules remembered; cells without a rule are left out."""
    cells = [cell for cell in cells if cell[2] == SELLABLE]
    if not cells:
        return {}
    rules = _rules(tx)
    if not rules:
        return {}
    kinds: dict[str, str] = dict(tx.select(tables.node, ("node", "kind"), ("node",), {(node,) for _, node, _ in cells}))
    found = {}
    for cell in cells:
        sku, node, _ = cell
        # Narrowest first: node before class before pool, and of each the one that names the item.
        for scope in (("", node), (kinds.get(node, ""), ""), ("", "")):
            kept = rules.get((*scope, sku)) or rules.get((*scope, ""))
            if kept is not None:
                found[cell] = kept
                break
    return found


def _rules(tx: Transaction) -> dict[tuple[str, str, str], Kept]:
    rule = tables.safety_rule.c
    query = select(*(rule[name] for name in RULE_COLUMNS)).where(rule.pool_id == tx.pool)
    return {(kind, node, sku): (units, permille) for kind, node, sku, units, permille in tx.connection.execute(query)}
