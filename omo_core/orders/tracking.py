"""Look-ups: where orders and fulfilment orders stand, paged by key."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, text

from omo_core.model.fulfilment import FulfilmentOrder, OrderState, PlacedOrder
from omo_core.orders.book import OrderBook
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction


def find_orders(tx: Transaction, identities: Sequence[tuple[str, str]]) -> list[PlacedOrder | None]:
    """Orders by (channel, external id), None for those not known, in the order asked."""
    book = OrderBook(tx)
    known = book.load_identities(identities, lock=False)
    return [book.entries[known[one]].answer() if one in known else None for one in identities]


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
    table = tables.fulfilment
    query = select(table.c.fulfilment, table.c.order_id).where(
        table.c.pool_id == tx.pool,
        text("state IN ('offered', 'accepted')"),  # a literal, as in the partial index
        table.c.fulfilment > after,
    )
    if node is not None:
        query = query.where(table.c.node == node)
    rows = tx.connection.execute(query.order_by(table.c.fulfilment).limit(limit)).all()
    book = OrderBook(tx)
    book.load([row.order_id for row in rows], lock=False)
    return [
        book.entries[row.order_id].fulfilment_value(book.entries[row.order_id].fulfilments[row.fulfilment])
        for row in rows
    ]
