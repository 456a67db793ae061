"""The opening stock: a pool is brought to what the stock list says, however often and with whatever corrections."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from pydantic_core import to_json
from sqlalchemy import func, select

from omo_core.batch.files import StockRow
from omo_core.hub import OrderHub
from omo_core.model.stock import Receive, StockAnswer
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

RECEIPT_LINES: Final = 10_000
"""Rows received in one command."""

SCOPE: Final = "opening-stock"

Cell = tuple[str, str]
"""(sku, node)."""

Due = tuple[Cell, int, int]
"""A cell, the units that came before, and those the list gives it."""


def receive_opening_stock(
    hub: OrderHub, rows: Sequence[StockRow], tell: Callable[[int, int], None]
) -> list[tuple[StockRow, int]]:
    """Receive the units that no list brought before; a second run, and one over a corrected list, adds only those.

    Returns rows whose cell the list gives fewer units than came before, with the units that did: goods that may be
    sold by now are not taken back. `tell` hears how many cells are done and how many there are.
    """
    listed: dict[Cell, int] = {}
    for _, sku, node, units in rows:
        listed[sku, node] = listed.get((sku, node), 0) + units
    before = hub.run(_received, read_only=True)
    # In key order: stock rows are written side by side, and what a SKU gets at many nodes is one supplier line.
    due = [(cell, before.get(cell, 0), units) for cell, units in sorted(listed.items()) if units > before.get(cell, 0)]
    done = len(listed) - len(due)
    tell(done, len(listed))
    at_work: tuple[Future[StockAnswer], int] | None = None
    for start in range(0, len(due), RECEIPT_LINES):
        part = due[start : start + RECEIPT_LINES]
        # The next command is made while the database is busy with the one before.
        command = _receipt(part)
        if at_work is not None:
            done += _finished(*at_work)
            tell(done, len(listed))
        at_work = hub.stock.submit(command), len(part)
    if at_work is not None:
        tell(done + _finished(*at_work), len(listed))
    lowered = {cell for cell, units in before.items() if units > listed.get(cell, units)}
    return [(row, before[row.sku, row.node]) for row in rows if (row.sku, row.node) in lowered]


def _receipt(part: Sequence[Due]) -> Receive:
    """Made with all its lines in one call: one by one they take half as long again."""
    lines = tuple({"sku": sku, "node": node, "quantity": units - old} for (sku, node), old, units in part)
    return Receive.model_validate({"key": _key(part), "scope": SCOPE, "lines": lines})


def _finished(receipt: Future[StockAnswer], rows: int) -> int:
    receipt.result()
    return rows


def _key(part: Sequence[Due]) -> str:
    """Two runs at the same time bring the same units once."""
    return hashlib.sha256(to_json(part)).hexdigest()


def _received(tx: Transaction) -> dict[Cell, int]:
    posting, operation = tables.posting.c, tables.operation.c
    query = (
        select(posting.sku, posting.node, func.sum(posting.quantity))
        .join_from(
            tables.posting,
            tables.operation,
            (operation.pool_id == posting.pool_id) & (operation.operation_id == posting.operation_id),
        )
        .where(posting.pool_id == tx.pool, operation.scope == SCOPE, posting.place == "stock")
        .group_by(posting.sku, posting.node)
    )
    return {(sku, node): int(units) for sku, node, units in tx.connection.execute(query)}
