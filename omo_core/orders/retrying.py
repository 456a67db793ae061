"""Retrying: what no node had is sourced again where it is free now."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, select

from omo_core.inventory import available_kits
from omo_core.model.fulfilment import OrderState, PlacedOrder
from omo_core.model.stock import SELLABLE
from omo_core.orders.book import OrderBook
from omo_core.orders.sourcing import SourcingContext, source
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction


def retry_short(tx: Transaction, context: SourcingContext, *, after: str = "", limit: int = 1_000) -> list[PlacedOrder]:
    """Source again the units that no node had, of orders whose items are free somewhere now, oldest first.

    Looks at up to `limit` orders; go on with `after=` the last one's id. An order for which nothing new is found stays
    as it is. Held orders get no more while they are held: goods go to those that can be sent.
    """
    order, line, stock = tables.order.c, tables.order_line.c, tables.stock.c
    states = [OrderState.UNFULFILLABLE.value, OrderState.IN_FULFILMENT.value]
    may_go_on = (order.state.in_(states), order.held == 0)
    has_free = exists().where(
        stock.pool_id == line.pool_id,
        stock.sku == line.sku,
        stock.halted == 0,
        stock.condition == SELLABLE,
        stock.on_hand - stock.reserved - stock.safety > 0,
        1000 * (stock.on_hand - stock.reserved - 1) >= stock.safety_permille * stock.on_hand,
    )
    may_have: ColumnElement[bool] = has_free
    if context.kits:
        may_have |= line.components.is_not(None) & line.sku.in_(_short_kits_with_parts(tx))
    query = (
        select(line.order_id)
        .distinct()
        .join(tables.order, (order.pool_id == line.pool_id) & (order.order_id == line.order_id))
        .where(line.pool_id == tx.pool, line.short > 0, *may_go_on, line.order_id > after, may_have)
        .order_by(line.order_id)
        .limit(limit)
    )
    book = OrderBook(tx)
    entries = book.load([row.order_id for row in tx.connection.execute(query)])
    source(tx, entries, context)
    book.save()
    return [entry.answer() for entry in entries]


def _short_kits_with_parts(tx: Transaction) -> list[str]:
    """Kits that orders lack and that some node could put together now."""
    line = tables.order_line.c
    query = select(line.sku).distinct().where(line.pool_id == tx.pool, line.short > 0, line.components.is_not(None))
    return sorted({kit for kit, _ in available_kits(tx, [row.sku for row in tx.connection.execute(query)])})
