"""Replay: a stored decision made once more from what it saw, and whether the answer is the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json

from omo_core.allocation import DemandLine, OrderDemand, SourcingPolicy
from omo_core.inventory.past_stock import stock_before
from omo_core.model.errors import InvalidInput
from omo_core.model.orders import Order
from omo_core.orders.deciding import (
    ROUTER,
    Decided,
    Decision,
    Solver,
    StockRow,
    decide,
    decision_document,
    demand_of,
    solver_of,
    stock_digest,
)
from omo_core.orders.kits import told_in_kits
from omo_core.orders.left_prices import NO_PRICES, LeftPrices
from omo_core.orders.policies import policy_of
from omo_core.orders.quota_limits import WithinQuotas
from omo_core.orders.sourcing import SourcingContext
from omo_core.orders.waves import Wave, prices_of, read_wave
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

COMPARED: Final = ("delivered_by", "method", "assignments", "shortfalls", "cost_by_term", "runner_ups", "router")
"""The parts of a decision about a delivery, as stored."""
REEVALUATION: Final = "reevaluate"
"""The kind of that operation."""


@dataclass(frozen=True, slots=True)
class ReplayInput:
    """One thing the decision was made from, and where the replay has it from."""

    name: str
    source: str
    """`stored` with the decision, folded from the `ledger`, or as it is `today`."""
    exact: bool
    """Whether it is what the decision saw."""
    note: str


@dataclass(frozen=True)
class Replay:
    """A decision as it was stored, and as it is made again."""

    order: str
    attempt: int
    wave: str
    """What was solved together with it has this id."""
    decided_at: datetime
    policy: SourcingPolicy
    solver: str
    inputs: tuple[ReplayInput, ...]
    then: tuple[Mapping[str, Any], ...]
    """The decision about each delivery: nodes, cost by term, shortfalls and runner-ups, as stored."""
    again: tuple[Mapping[str, Any], ...]
    """The same in the same form, made anew."""
    differences: tuple[str, ...]
    """A sentence for each part that differs."""

    @property
    def same(self) -> bool:
        """Whether the answer is the same, with its costs, reasons and runner-ups."""
        return not self.differences

    @property
    def exact(self) -> bool:
        """Whether everything the decision saw was there again."""
        return all(one.exact for one in self.inputs)


def replay(
    tx: Transaction,
    context: SourcingContext,
    order: str,
    attempt: int | None = None,
    *,
    policy: SourcingPolicy | None = None,
    solver: Solver | str | None = None,
) -> Replay:
    """Make the decision about an order's attempt (None: its last) again, with all that was solved together with it.

    Another `policy` or `solver` than the decision's own shows what they would have decided then; what the policy leaves
    to the real-time router is decided by it, at the prices of then, whichever solver decides the rest. Raises `InvalidInput`
    where there is no such decision, or what it was made from is not there any more.
    """
    stored = _decision(tx, order, attempt)
    wave = read_wave(tx, stored.wave)
    if wave is None:
        raise InvalidInput(_why_not(tx, order, stored))
    kept = policy if policy is not None else policy_of(tx, wave.policy_sha256)
    if kept is None:
        raise InvalidInput(f"the policy of order {order!r}, attempt {stored.attempt}, was not kept; name one to use")
    orders = orders_of(tx, [one.order for one in wave.orders])
    demands = demands_of(wave, orders, context)
    stock = stock_seen(tx, wave)
    prices = prices_of(tx, wave.paid) if wave.paid else NO_PRICES
    decided = decide(
        context.index,
        kept,
        demands,
        stock,
        solver_of(solver or _solver_then(wave, kept)),
        capacity=wave.capacity,
        prices=prices or NO_PRICES,
    )
    again = [one for one in _documents(wave, demands, decided, orders) if _is_of(one, order)]
    then = [one for one in stored.deliveries if _is_of(one, order)]
    return Replay(
        order=order,
        attempt=stored.attempt,
        wave=wave.wave,
        decided_at=wave.decided_at,
        policy=kept,
        solver=decided.solver,
        inputs=(*_inputs(wave, orders, context, stock_digest(stock, demands)), *_input_of_prices(wave, prices)),
        then=tuple(then),
        again=tuple(again),
        differences=tuple(_differences(then, again)),
    )


def _why_not(tx: Transaction, order: str, stored: _Decision) -> str:
    """Why a decision without a wave cannot be replayed."""
    rows = tx.select(tables.operation, ("kind",), ("operation_id",), [(stored.wave,)])
    which = f"order {order!r}, attempt {stored.attempt},"
    if rows and rows[0].kind == REEVALUATION:
        return (
            f"{which} was moved by a re-evaluation, of which only the answer is kept, not the work that it weighed; "
            "name an attempt that a wave decided"
        )
    return f"the wave of {which} was not kept; it cannot be replayed"


def _solver_then(wave: Wave, policy: SourcingPolicy) -> str:
    """The policy's own solver where that can have decided (it may leave large waves to greedy), else the one named."""
    asked = "greedy" if policy.solver is None else policy.solver.method
    return "policy" if wave.solver in {asked, "greedy", ROUTER} else wave.solver


@dataclass(frozen=True, slots=True)
class _Decision:
    attempt: int
    wave: str
    deliveries: Sequence[Mapping[str, Any]]


def _decision(tx: Transaction, order: str, attempt: int | None) -> _Decision:
    rows = tx.select(tables.decision, ("attempt", "document"), ("order_id",), [(order,)])
    chosen = [row for row in rows if attempt is None or row.attempt == attempt]
    if not chosen:
        known = ", ".join(str(row.attempt) for row in rows) or "none"
        raise InvalidInput(f"order {order!r} has no decision of that attempt (it has: {known}); name one it has")
    document = json.loads(chosen[-1].document)
    return _Decision(chosen[-1].attempt, document["wave"], document["deliveries"])


def orders_of(tx: Transaction, order_ids: Sequence[str]) -> dict[str, Order]:
    """The canonical orders as they stand today; raises `InvalidInput` where one has no document any more."""
    rows = tx.select(tables.order, ("order_id", "document"), ("order_id",), [(one,) for one in order_ids])
    gone = set(order_ids) - {row.order_id for row in rows if row.document is not None}
    if gone:
        raise InvalidInput(f"order {min(gone)!r} is not stored any more; what was decided with it cannot be replayed")
    return {row.order_id: Order.model_validate_json(row.document) for row in rows}


def demands_of(wave: Wave, orders: Mapping[str, Order], context: SourcingContext) -> list[OrderDemand]:
    """What was given to the solver, in its order; where goods go is read from the orders."""
    demands = []
    for one in wave.orders:
        order = orders[one.order]
        excluded = frozenset(one.rejected_by) | context.withheld(order.channel)
        for number, lines in one.deliveries.items():
            if number >= len(order.deliveries):
                raise InvalidInput(f"order {one.order!r} has no delivery {number} any more; it cannot be replayed")
            asked = [
                DemandLine(line, sku, units, together=line if line in one.kits else None) for line, sku, units in lines
            ]
            delivery = order.deliveries[number]
            demands.append(
                demand_of(
                    one.order,
                    number,
                    delivery,
                    asked,
                    at=wave.decided_at,
                    excluded=excluded,
                    channel=order.channel,
                    ship_complete=order.ship_complete,
                )
            )
    return demands


def stock_seen(tx: Transaction, wave: Wave) -> list[StockRow]:
    """(sku, node, units free) before the wave, with the provisional holds of its own orders counted as free."""
    skus = {sku for one in wave.orders for lines in one.deliveries.values() for _, sku, _ in lines}
    own: Counter[tuple[str, str]] = Counter()
    for one in wave.orders:
        for sku, node, units in one.provisional:
            own[sku, node] += units
    found = []
    for (sku, node), row in stock_before(tx, wave.wave, skus).items():
        row.reserved -= own[sku, node]
        if row.free:
            found.append((sku, node, row.free))
    return found


def _documents(
    wave: Wave, demands: Sequence[OrderDemand], decided: Decided, orders: Mapping[str, Order]
) -> Iterator[Mapping[str, Any]]:
    """Every decision of the wave in the form in which decisions are stored."""
    emptied = []
    for name in wave.emptied:
        order_id, _, number = name.rpartition("#")
        order = orders[order_id]
        delivery, at = order.deliveries[int(number)], wave.decided_at
        emptied.append(
            demand_of(order_id, int(number), delivery, (), at=at, excluded=frozenset(), channel=order.channel)
        )
    allowed = WithinQuotas(list(demands), dict(wave.cuts), emptied)
    kits = {one.order: one.kits for one in wave.orders}
    made = [
        one._replace(plan=allowed.with_cuts(told_in_kits(one.plan, kits[demand.order.rpartition("#")[0]])))
        for demand, one in zip(demands, decided, strict=True)
    ]
    made += [Decision(demand.method, plan, None) for demand, plan in allowed.empty_plans()]
    for one in made:
        yield json.loads(to_json(decision_document(*one)))


def _is_of(document: Mapping[str, Any], order: str) -> bool:
    return str(document["order"]).rpartition("#")[0] == order


def _inputs(
    wave: Wave, orders: Mapping[str, Order], context: SourcingContext, stock_sha256: str
) -> Iterator[ReplayInput]:
    yield ReplayInput("policy", "stored", True, "as it was kept with the decision, unless another was asked for")
    yield ReplayInput("units", "stored", True, "the units of every order solved together, as quotas left them")
    changed = sum(orders[one.order].source_version != one.source_version for one in wave.orders)
    places = (
        "as in the orders, which have not changed since" if not changed else f"of {changed} orders as changed since"
    )
    yield ReplayInput("places", "today", not changed, f"methods, addresses and pickup nodes {places}")
    same_network = context.network_version == wave.network_version
    versions = f"version {context.network_version} today, {wave.network_version} then"
    yield ReplayInput("network", "today", same_network, f"nodes, their hours and owners: {versions}")
    same = stock_sha256 == wave.stock_sha256
    note = (
        "the ledger's lines up to the decision, and their digest is that of what was seen"
        if same
        else "the ledger's lines up to the decision differ from what was seen: a halt or a share of safety stock has "
        "changed since, or another process wrote meanwhile"
    )
    yield ReplayInput("stock", "ledger", same, note)


def _input_of_prices(wave: Wave, prices: LeftPrices | None) -> Iterator[ReplayInput]:
    if not wave.paid:
        return
    note = f"what wave {wave.paid} left scarce goods worth"
    gone = f"{note}; they were not kept, and nothing is paid"
    yield ReplayInput("prices", "stored", prices is not None, gone if prices is None else note)


def _differences(then: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    made = {one["order"]: one for one in again}
    for one in then:
        other = made.pop(one["order"], None)
        if other is None:
            yield f"{one['order']}: nothing was decided about it again"
            continue
        for part in COMPARED:
            was, now = one.get(part), other.get(part)
            if was != now:
                yield f"{one['order']}: {part.replace('_', ' ')} was {_brief(was)}, is {_brief(now)}"
    for name in made:
        yield f"{name}: nothing was decided about it then"


def _brief(part: Any) -> str:
    """Of lists what tells their rows apart; of other parts all."""
    if not isinstance(part, list):
        return str(part)
    names = ("line", "node", "quantity", "missing", "extra_minor", "rule")
    shown = [" ".join(str(row[name]) for name in names if row.get(name) is not None) for row in part]
    return ", ".join(shown) or "nothing"
