"""A wave: waiting orders decided together, in one transaction or ahead of the one that records them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import select

from omo_core.model.fulfilment import OrderState, PlacedOrder
from omo_core.orders.book import OrderBook, read_documents
from omo_core.orders.parts import Sourced
from omo_core.orders.sourcing import (
    Question,
    SourcingContext,
    ask,
    provisional_holds,
    source,
)
from omo_core.orders.waves import Solve
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction


class WaveResult(list[PlacedOrder]):
    """Where the orders of a wave stand now, oldest first, with what their plan costs and how far it may be from the best."""

    def __init__(self, placed: Iterable[PlacedOrder], sourced: Sourced) -> None:
        super().__init__(placed)
        self.solves: tuple[Solve, ...] = tuple(sourced.solves)
        """The runs of the solver: usually one; more where one-hour orders were shipped or stock was taken meanwhile."""
        terms: Counter[str] = Counter()
        for part in sourced.parts:
            terms.update(part.plan.cost_by_term)
        self.cost_by_term: dict[str, int] = dict(terms)
        """Minor units by term, of everything that was recorded."""

    @property
    def cost_minor(self) -> int:
        """Sum of the terms."""
        return sum(self.cost_by_term.values())

    @property
    def lower_bound_minor(self) -> int | None:
        """What was proven to be the least that deciding together could have cost; None where a run proved nothing.

        What the router decided delivery after delivery is left out: nothing is to be proven of it.
        """
        bounds = [solve.lower_bound_minor for solve in self._together]
        known = [bound for bound in bounds if bound is not None]
        return sum(known) if len(known) == len(bounds) and (known or not self.solves) else None

    @property
    def gap(self) -> float | None:
        """How far the plans made together are from their proven bounds, as a share of their cost; None without a bound."""
        bound, cost = self.lower_bound_minor, sum(solve.cost_minor for solve in self._together)
        return None if bound is None else (cost - bound) / max(cost, 1)

    @property
    def _together(self) -> list[Solve]:
        return [solve for solve in self.solves if not solve.in_real_time]


def run_wave(tx: Transaction, context: SourcingContext, *, limit: int = 1_000) -> WaveResult:
    """Source up to `limit` waiting orders together, oldest first; provisional holds of theirs count as free."""
    book = OrderBook(tx)
    entries = book.load(_waiting(tx, limit))
    sourced = source(tx, entries, context)
    book.save()
    return WaveResult([entry.answer() for entry in entries], sourced)


def look(tx: Transaction, context: SourcingContext, *, limit: int = 1_000) -> Question:
    """What a wave would be asked now; locks nothing, so that it can be solved without a transaction."""
    entries = OrderBook(tx).load(_waiting(tx, limit), lock=False)
    open_ones = [entry for entry in entries if entry.open_units()]
    read_documents(tx, open_ones)
    provisional = provisional_holds(tx, open_ones)
    for entry in open_ones:
        entry.attempt += 1
    return ask(tx, open_ones, context, provisional)


def record_wave(tx: Transaction, context: SourcingContext, question: Question, ahead: Sourced) -> WaveResult:
    """Record a wave that was solved ahead.

    Orders that changed since they were looked at, or whose goods others took, are solved again by the context's solver;
    those that wait no more are answered as they stand.
    """
    book = OrderBook(tx)
    seen = {entry.order_id: entry for entry in question.entries}
    entries = book.load(seen)
    same = {
        entry.order_id: entry
        for entry in entries
        if entry.version == seen[entry.order_id].version and not entry.cancelled
    }
    parts = [replace(part, entry=same[part.entry.order_id]) for part in ahead.parts if part.entry.order_id in same]
    waiting = [entry for entry in entries if entry.state is OrderState.WAITING]
    sourced = source(tx, waiting, context, ahead=replace(ahead, parts=parts))
    book.save()
    return WaveResult([entry.answer() for entry in entries], sourced)


def _waiting(tx: Transaction, limit: int) -> list[str]:
    query = (
        select(tables.order.c.order_id)
        .where(tables.order.c.pool_id == tx.pool, tables.order.c.state == OrderState.WAITING.value)
        .order_by(tables.order.c.order_id)
        .limit(limit)
    )
    return [row.order_id for row in tx.connection.execute(query)]
