"""Count tasks: the shelves that someone should count, because goods left them that the book never had."""

from __future__ import annotations

from sqlalchemy import select

from omo_core.model.goods import CountTask
from omo_core.storage import tables
from omo_core.storage.clock import from_us
from omo_core.storage.transaction import Transaction


def open_count_tasks(tx: Transaction, *, node: str | None = None, after: str = "", limit: int = 100) -> list[CountTask]:
    """A page of open tasks, of one node or of all, oldest first; go on with `after=` the last one's id.

    A `CountStock` of the row closes its tasks.
    """
    task = tables.count_task.c
    columns = (task.task_id, task.sku, task.node, task.condition, task.quantity, task.opened_at_us)
    query = select(*columns).where(task.pool_id == tx.pool, task.state == "open", task.task_id > after)
    if node is not None:
        query = query.where(task.node == node)
    return [
        CountTask(
            task=task_id, sku=sku, node=at, condition=condition, quantity=quantity, opened_at=from_us(opened_at_us)
        )
        for task_id, sku, at, condition, quantity, opened_at_us in tx.connection.execute(
            query.order_by(task.task_id).limit(limit)
        )
    ]
