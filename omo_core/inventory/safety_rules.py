"""Safety stock by rule: carried out on the rows there are, remembered for those that come later."""

from __future__ import annotations

from sqlalchemy import and_, delete, select

from omo_core.inventory.load import ROW_KEY, lock_rows
from omo_core.inventory.record import record
from omo_core.inventory.safety import RULE_COLUMNS
from omo_core.inventory.working import Cell, WorkingSet
from omo_core.model.availability import SafetyRuleSet, SetSafetyRule
from omo_core.model.errors import InvalidInput
from omo_core.model.stock import SELLABLE
from omo_core.storage import tables
from omo_core.storage.catalogue import known_nodes, known_skus
from omo_core.storage.operations import Keyed
from omo_core.storage.transaction import Transaction


def set_safety_rule(tx: Transaction, command: SetSafetyRule) -> SafetyRuleSet:
    """Remember the rule and carry it out on every sellable row of its scope, in one transaction.

    Raises `InvalidInput` for a node or item that the pool does not know. It locks all rows it changes: set the rule of
    a whole pool when little else happens.
    """
    keyed = Keyed(tx, [command])
    for fresh in keyed.fresh():
        _require_known(tx, fresh)
        _remember(tx, fresh)
        changed = _carry_out(tx, keyed.operation_id(fresh), fresh)
        keyed.answer(fresh, SafetyRuleSet(key=fresh.key, rows_changed=changed))
    return keyed.answers(SafetyRuleSet)[0]


def _require_known(tx: Transaction, command: SetSafetyRule) -> None:
    if command.node is not None and not known_nodes(tx, [command.node]):
        raise InvalidInput(f"the node {command.node!r} is not known to this pool; load it with the network first")
    if command.sku is not None and not known_skus(tx, [command.sku]):
        raise InvalidInput(f"the item {command.sku!r} is not known to this pool; load it with the network first")


def _remember(tx: Transaction, command: SetSafetyRule) -> None:
    rule = tables.safety_rule.c
    scope = (command.node_kind.value if command.node_kind else "", command.node or "", command.sku or "")
    mine = (rule.node_kind == scope[0], rule.node == scope[1], rule.sku == scope[2])
    tx.connection.execute(delete(tables.safety_rule).where(rule.pool_id == tx.pool, *mine))
    row = dict(zip(RULE_COLUMNS, (*scope, command.units, command.permille), strict=True))
    tx.insert(tables.safety_rule, [{**row, "updated_at_us": tx.now_us}])


def _carry_out(tx: Transaction, operation_id: str, command: SetSafetyRule) -> int:
    work = WorkingSet(now_us=tx.now_us, new_id=tx.new_id)
    lock_rows(tx, work, _cells_in_scope(tx, command))
    changed = 0
    for cell, row in work.rows.items():
        if (row.safety, row.safety_permille) != (command.units, command.permille):
            row.safety_permille = command.permille
            work.post(operation_id, cell, safety=command.units - row.safety, always=True)
            changed += 1
    record(tx, work)
    return changed


def _cells_in_scope(tx: Transaction, command: SetSafetyRule) -> list[Cell]:
    stock, node = tables.stock.c, tables.node.c
    query = select(*(stock[name] for name in ROW_KEY)).where(stock.pool_id == tx.pool, stock.condition == SELLABLE)
    if command.sku is not None:
        query = query.where(stock.sku == command.sku)
    if command.node is not None:
        query = query.where(stock.node == command.node)
    if command.node_kind is not None:
        same = and_(node.pool_id == stock.pool_id, node.node == stock.node)
        query = query.join(tables.node, same).where(node.kind == command.node_kind.value)
    return [tuple(row) for row in tx.connection.execute(query)]
