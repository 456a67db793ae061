"""What if: the stored waves of a period decided once more by other policies, on the stock that the ledger tells."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter
from typing import Final

from sqlalchemy import select

from omo_core.allocation import DemandLine, OrderDemand, SourcingPolicy
from omo_core.inventory.past_stock import Movement, Pair, PastRow, movements_between, stock_before
from omo_core.model.errors import InvalidInput
from omo_core.model.fulfilment import OrderState
from omo_core.model.orders import Order
from omo_core.orders.deciding import Solver, StockRow, decide, solver_of, taken_of
from omo_core.orders.left_prices import NO_PRICES
from omo_core.orders.replay import demands_of, orders_of
from omo_core.orders.slots import SCOPE
from omo_core.orders.sourcing import SourcingContext
from omo_core.orders.waves import Wave, WaveOrder, waves_between
from omo_core.orders.what_if_figures import Figures, PolicyFigures
from omo_core.storage import tables
from omo_core.storage.clock import from_us
from omo_core.storage.transaction import Transaction

IN_FORCE: Final = "in force"
"""Name of the pool's own policy among those compared; its prices are the common yardstick."""

ASSUMPTIONS: Final = (
    "Every node accepts what it is offered.",
    "An order that is short is tried again when it was tried again then.",
    "Receipts, counter sales, counts and other systems' holds happen as they did; promises they displace are sourced "
    "anew at once, and what the first decision cost stays counted.",
    "The network, where orders go, and shares of safety stock are today's.",
    "Quotas leave each order what they left it then.",
    "Nodes can take in each wave what their slots left them then.",
    "Of a kit that loses a part to a movement only that part is sourced anew.",
    "What a policy decides in real time pays no prices until its first wave of the period.",
)


@dataclass(frozen=True)
class WhatIf:
    """A period under several policies; the first is the one in force."""

    since: datetime
    until: datetime
    """Instants of the first and the last wave."""
    waves: int
    orders: int
    solver: str
    currency: str
    policies: tuple[PolicyFigures, ...]
    assumptions: tuple[str, ...] = ASSUMPTIONS


@dataclass(frozen=True)
class _Period:
    """What happened, whichever policy decided."""

    context: SourcingContext
    waves: Sequence[Wave]
    orders: Mapping[str, Order]
    opening: Mapping[Pair, PastRow]
    movements: Sequence[Movement]
    cancelled_at: Mapping[str, datetime]
    """Order → when its buyer took it back."""

    @classmethod
    def read(cls, tx: Transaction, context: SourcingContext, since: datetime | None, until: datetime | None) -> _Period:
        waves = waves_between(tx, since, until)
        if not waves:
            raise InvalidInput("nothing was decided in that period; give another one, or the pool that decided")
        names = sorted({one.order for wave in waves for one in wave.orders})
        skus = {
            sku for wave in waves for one in wave.orders for lines in one.deliveries.values() for _, sku, _ in lines
        }
        moved = movements_between(tx, waves[0].wave, waves[-1].wave, but_scope=SCOPE)
        return cls(
            context=context,
            waves=waves,
            orders=orders_of(tx, names),
            opening=stock_before(tx, waves[0].wave, skus),
            movements=[one for one in moved if one.sku in skus],
            cancelled_at=dict(_cancelled(tx, set(names))),
        )

    def waves_with_movements(self) -> Iterator[tuple[Wave, list[Movement]]]:
        """The waves, each with what moved goods since the one before."""
        first = 0
        for wave in self.waves:
            last = bisect_left(self.movements, wave.wave, lo=first, key=attrgetter("operation"))
            yield wave, list(self.movements[first:last])
            first = last


def what_if(
    tx: Transaction,
    context: SourcingContext,
    policies: Mapping[str, SourcingPolicy],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    solver: Solver | str = "policy",
) -> WhatIf:
    """Decide the waves from `since` until before `until` (None: all) again, under the policy in force and each of these.

    The same orders come at the same instants in the same waves, on the stock that the ledger tells for the beginning,
    with every movement since that orders did not cause. Raises `InvalidInput` for a period without waves.
    """
    if IN_FORCE in policies:
        raise InvalidInput(f"the name {IN_FORCE!r} is that of the pool's own policy; give yours another name")
    period, solve = _Period.read(tx, context, since, until), solver_of(solver)
    figures = [
        _Run(period, name, policy, solve).figures() for name, policy in {IN_FORCE: context.policy, **policies}.items()
    ]
    return WhatIf(
        since=period.waves[0].decided_at,
        until=period.waves[-1].decided_at,
        waves=len(period.waves),
        orders=len(period.orders),
        solver=solver if isinstance(solver, str) else getattr(solver, "__name__", "own"),
        currency=context.network.currency,
        policies=tuple(figures),
    )


def _cancelled(tx: Transaction, names: set[str]) -> Iterator[tuple[str, datetime]]:
    order = tables.order.c
    query = select(order.order_id, order.updated_at_us).where(
        order.pool_id == tx.pool, order.state == OrderState.CANCELLED.value
    )
    for order_id, updated_at_us in tx.connection.execute(query):
        if order_id in names:
            yield order_id, from_us(updated_at_us)


@dataclass
class _Standing:
    """What the run holds for one order."""

    source_version: int
    demands: dict[str, OrderDemand] = field(default_factory=dict)
    """As first asked, by their names."""
    taken: dict[str, Counter[Pair]] = field(default_factory=lambda: defaultdict(Counter))
    """Demand → what is held for it where."""
    missing: dict[str, Counter[str]] = field(default_factory=dict)
    """Demand → item → units that no node had."""


class _Run:
    """The period under one policy."""

    def __init__(self, period: _Period, name: str, policy: SourcingPolicy, solver: Solver) -> None:
        self._period = period
        self._policy = policy
        self._solver = solver
        self._rows = {pair: replace(row) for pair, row in period.opening.items()}
        self._nodes_of: dict[str, list[str]] = defaultdict(list)
        for sku, node in self._rows:
            self._nodes_of[sku].append(node)
        self._standing: dict[str, _Standing] = {}
        self._cancelled = sorted((at, order) for order, at in period.cancelled_at.items())
        self._prices = NO_PRICES
        self._figures = Figures(name, policy, period.context.policy)

    def figures(self) -> PolicyFigures:
        """Go through the period and add up what was decided."""
        for wave, moved in self._period.waves_with_movements():
            for one in moved:
                self._cancel_until(from_us(one.posted_at_us))
                self._move(one)
            self._cancel_until(wave.decided_at)
            self._solve(wave)
        return self._figures.total()

    def _cancel_until(self, now: datetime) -> None:
        while self._cancelled and self._cancelled[0][0] < now:
            self._release(self._cancelled.pop(0)[1])

    def _release(self, order: str) -> None:
        standing = self._standing.pop(order, None)
        for taken in standing.taken.values() if standing is not None else ():
            for pair, units in taken.items():
                self._rows[pair].reserved -= units

    def _move(self, one: Movement) -> None:
        """Goods come or go; where fewer are there than promised, the newest promises are sourced anew."""
        pair = one.sku, one.node
        if pair not in self._rows:
            self._rows[pair] = PastRow(0, 0, 0)
            self._nodes_of[one.sku].append(one.node)
        row = self._rows[pair]
        row.on_hand += one.on_hand
        row.reserved += one.reserved
        row.safety += one.safety
        over = row.reserved - row.on_hand
        if over > 0:
            asked = list(self._displaced(pair, over))
            row.reserved = row.on_hand
            self._decide([replace(demand, at=from_us(one.posted_at_us)) for demand in asked], frozenset())

    def _displaced(self, pair: Pair, over: int) -> Iterator[OrderDemand]:
        """Take so many units from the orders that were promised them last; what they now lack."""
        for order, standing in reversed(list(self._standing.items())):
            for name, taken in standing.taken.items():
                units = min(over, taken[pair])
                if not units:
                    continue
                over -= units
                taken[pair] -= units
                standing.missing.setdefault(name, Counter())[pair[0]] += units
                self._figures.displace(order, pair[1], units)
                yield replace(standing.demands[name], lines=_lines(standing.demands[name], standing.missing[name]))

    def _solve(self, wave: Wave) -> None:
        afresh = frozenset(one.order for one in wave.orders if self._begins(one))
        demands = []
        for demand in demands_of(wave, self._period.orders, self._period.context):
            order = demand.order.rpartition("#")[0]
            standing = self._standing[order]
            if order in afresh:
                standing.demands[demand.order] = demand
                demands.append(demand)
            elif missing := standing.missing.get(demand.order):
                demands.append(replace(demand, lines=_lines(standing.demands[demand.order], missing)))
        self._decide(demands, afresh, wave.capacity)

    def _begins(self, one: WaveOrder) -> bool:
        """Whether the order is decided afresh; one that was decided before is only asked for what it lacks."""
        standing = self._standing.get(one.order)
        if standing is None:
            for sku, node, units in one.provisional:
                self._rows[sku, node].reserved -= units  # held before the period began
        elif not one.provisional and standing.source_version == one.source_version:
            return False
        else:
            self._release(one.order)
            self._figures.forget(one.order)
        self._standing[one.order] = _Standing(one.source_version)
        return True

    def _decide(
        self, demands: Sequence[OrderDemand], afresh: frozenset[str], capacity: Mapping[str, int] | None = None
    ) -> None:
        if not demands:
            return
        stock = self._stock(demands)
        index = self._period.context.index
        decided = decide(index, self._policy, demands, stock, self._solver, capacity=capacity, prices=self._prices)
        self._prices = decided.leaves() or self._prices
        for place, demand in enumerate(demands):
            _, plan, row = decided.row_of(place)
            standing = self._standing[demand.order.rpartition("#")[0]]
            missing = standing.missing.setdefault(demand.order, Counter())
            for line in demand.lines:
                missing[line.sku] = 0
            for line in demand.lines:
                missing[line.sku] += line.quantity
            for sku, node, units in taken_of(plan, row):
                standing.taken[demand.order][sku, node] += units
                self._rows[sku, node].reserved += units
                missing[sku] -= units
            standing.missing[demand.order] = +missing
        self._figures.add(decided, afresh)

    def _stock(self, demands: Iterable[OrderDemand]) -> list[StockRow]:
        skus = sorted({line.sku for demand in demands for line in demand.lines})
        rows = ((sku, node, self._rows[sku, node].free) for sku in skus for node in sorted(self._nodes_of[sku]))
        return [row for row in rows if row[2]]


def _lines(demand: OrderDemand, units: Mapping[str, int]) -> tuple[DemandLine, ...]:
    """What is missing of a demand, item by item; what had to come from one node still has to."""
    marks = {line.sku: line.together for line in demand.lines if line.together is not None}
    return tuple(DemandLine(sku, sku, wanted, marks.get(sku)) for sku, wanted in units.items())
