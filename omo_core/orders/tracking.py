"""Look-ups: where orders and fulfilment orders stand, paged by key."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, text

from omo_core.model.fulfilment import FulfilmentOrder, OrderState, PlacedOrder
from omo_core.model.orders import Order
from omo_core.orders.book import FULFILMENT_COLUMNS, OrderBook, fulfilment_entry, read_lines
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction


def find_orders(tx: Transaction, identities: Sequence[tuple[str, str]]) -> list[PlacedOrder | None]:
    """Orders by (channel, external id), None for those not known, in the order asked."""
    book = OrderBook(tx)
    known = book.load_identities(identities, lock=False)
    return [book.entries[known[one]].answer() if one in known else None for one in identities]


def read_order(tx: Transaction, channel: str, external_id: str) -> Order | None:
    """The canonical order of this identity, as its channel told it last; None where only its cancellation came."""
    rows = tx.select(tables.order, ("document",), ("channel", "external_id"), [(channel, external_id)])
    return Order.model_validate_json(rows[0].document) if rows and rows[0].document is not None else None


def list_orders(
    tx: Transaction, *, state: OrderState | None = None, after: str = "", limit: int = 100
) -> list[PlacedOrder]:
    """A page of orders by id, oldest first; go on with `after=` the last one's id."""
    table = tables.order
    query = select(table.c.order_id).where(table.c.pool_id == tx.pool, table.c.order_id > after)
    if state is not None:
        query = query.where(table.c.state == state.value)
    rows = tx.connection.execute(query.order_by(table.c.order_id).limit(limit))
    return [entry.answer() for entry in OrderBook(tx).load([row.order_id for row in rows], lock=False)]


def open_fulfilments(
    tx: Transaction, *, node: str | None = None, after: str = "", limit: int = 100
) -> list[FulfilmentOrder]:
    """A page of live fulfilment orders (offered or accepted) by id, of one node or of all."""
    table, order = tables.fulfilment, tables.order
    query = (
        select(*(table.c[name] for name in FULFILMENT_COLUMNS), order.c.channel, order.c.external_id)
        .join_from(table, order, (order.c.pool_id == table.c.pool_id) & (order.c.order_id == table.c.order_id))
        .where(
            table.c.pool_id == tx.pool,
            # A literal, as in the partial index.
            text("omo_fulfilment.state IN ('offered', 'accepted')"),
            table.c.fulfilment > after,
        )
    )
    if node is not None:
        query = query.where(table.c.node == node)
    rows = tx.connection.execute(query.order_by(table.c.fulfilment).limit(limit)).all()
    entries = {row.fulfilment: fulfilment_entry(row) for row in rows}
    read_lines(tx, entries)
    return [entries[row.fulfilment].value(row.order_id, row.channel, row.external_id) for row in rows]
