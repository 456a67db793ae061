"""Displacement: goods that were promised went over the counter; the orders they were meant for find another way."""

from __future__ import annotations

from collections.abc import Sequence

from omo_core.inventory import apply_many
from omo_core.model.errors import InvariantViolation
from omo_core.model.fulfilment import FulfilmentState, PlacedOrder
from omo_core.model.stock import Displaced, ReleaseHolds
from omo_core.model.stock_commands import StockCommand
from omo_core.orders.book import OrderBook
from omo_core.orders.slots import SCOPE, claims_to_end, release_of
from omo_core.orders.sourcing import SourcingContext, source
from omo_core.storage.transaction import Transaction


def resource_displaced(tx: Transaction, displaced: Sequence[Displaced], context: SourcingContext) -> list[PlacedOrder]:
    """Withdraw the fulfilment orders that lost goods, give the rest of theirs back, and source their orders anew.

    The node is not to blame and may be chosen again for what it still has.
    """
    book = OrderBook(tx)
    entries = book.load(sorted({one.owner for one in displaced}))
    lost: dict[str, int] = {}
    for one in displaced:
        lost[one.hold] = lost.get(one.hold, 0) + one.quantity
    releases: list[StockCommand] = []
    for entry in entries:
        for fulfilment in entry.fulfilments.values():
            if not fulfilment.live or not any(line.hold in lost for line in fulfilment.lines):
                continue
            fulfilment.change(FulfilmentState.REJECTED, tx.now_us)
            fulfilment.reject_code = "displaced"
            fulfilment.reject_reason = "its goods were sold over the counter first"
            kept = tuple(line.hold for line in fulfilment.lines if lost.get(line.hold, 0) < line.quantity)
            if kept:
                key = f"displaced/{fulfilment.fulfilment}"
                releases.append(ReleaseHolds(key=key, scope=SCOPE, holds=kept))
        entry.settle()
    for order, claims in claims_to_end(tx, entries).items():
        releases += release_of(claims, f"{order}/{book.entries[order].stored_version}")
    for answer in apply_many(tx, releases) if releases else []:
        if not answer.applied:
            raise InvariantViolation(f"stock refused {answer.key}: {answer.refusals[0].sentence}")
    source(tx, entries, context)
    book.save()
    return [entry.answer() for entry in entries]
