"""Deciding: demands and stock become a node for each unit, without a look at the database; the same for now and for then."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
from pydantic_core import to_json

from omo_core.allocation import (
    AllocationProblem,
    DemandLine,
    NetworkIndex,
    NodeWork,
    OrderDemand,
    OrderPlan,
    Plan,
    SourcingPolicy,
    solve,
    solve_exact,
    solve_greedy,
)
from omo_core.allocation.arrays import Flags
from omo_core.allocation.order_values import order_of_entries
from omo_core.allocation.router import Router
from omo_core.allocation.solving import solve_jointly
from omo_core.allocation.special import work_of_nodes
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Delivery
from omo_core.orders.left_prices import NO_PRICES, LeftPrices

Solver = Callable[[AllocationProblem], Plan]
"""Decides every order of a problem."""

StockRow = tuple[str, str, int]
"""(sku, node, units free)."""

ROUTER: Final = "router"
"""What waves and runs have as their solver where the real-time router decided."""


class Decision(NamedTuple):
    """What was decided about one demand."""

    method: DeliveryMethod
    """How it is delivered."""
    plan: OrderPlan
    prices: LeftPrices | None
    """What the router paid that decided it; None where a solver did."""


@dataclass(frozen=True)
class Decided:
    """What was decided about each demand, by up to three plans.

    The router's of what does not wait, the solver's of the rest, and a second one that ships what came too late.
    """

    demands: Sequence[OrderDemand]
    first: Plan | None
    """The solver's; None where the router decided all of it."""
    again: Plan | None = None
    routed: Plan | None = None
    paid: LeftPrices = NO_PRICES
    """The prices that the router paid."""
    rows: Mapping[int, tuple[DeliveryMethod, Plan, int]] = field(default_factory=dict)
    """Place of a demand → how it is delivered, and the plan and the row in it that decide about it."""

    def __iter__(self) -> Iterator[Decision]:
        """How each demand is delivered and who serves it, in words, in the order of the demands."""
        for place in range(len(self.demands)):
            method, plan, row = self.row_of(place)
            yield Decision(method, plan.orders[row], self.paid if plan is self.routed else None)

    def row_of(self, place: int) -> tuple[DeliveryMethod, Plan, int]:
        """How a demand is delivered, and the plan and the row in it that decide about it."""
        return self.rows[place]

    @property
    def solver(self) -> str:
        """Who decided: the solver, or `router` where nothing was left to it."""
        return ROUTER if self.first is None else self.first.solver

    @property
    def plans(self) -> list[Plan]:
        """All of them, the router's first."""
        return [plan for plan in (self.routed, self.first, self.again) if plan is not None]

    def in_real_time(self) -> tuple[int, int]:
        """How many deliveries the router decided, and what they cost."""
        rows = [row for _, plan, row in self.rows.values() if plan is self.routed]
        cost = 0 if self.routed is None else int(self.routed.accounts.by_order[:, rows].sum())
        return len(rows), cost

    def leaves(self) -> LeftPrices | None:
        """What scarce goods are worth from here on; None where that is as before."""
        return None if self.first is None else LeftPrices.of(self.first)


def decide(
    index: NetworkIndex,
    policy: SourcingPolicy,
    demands: Sequence[OrderDemand],
    stock: Sequence[StockRow],
    solver: Solver = solve_greedy,
    *,
    capacity: Mapping[str, int] | None = None,
    prices: LeftPrices = NO_PRICES,
) -> Decided:
    """One plan for all demands; one-hour deliveries that cannot be kept whole are shipped, where the policy says so.

    Methods that the policy routes (`SolverChoice.route`) are decided first, one after the other, by the real-time
    router, which pays `prices`; what it cannot serve whole is decided with the rest, on what it left. Of the rest,
    one-hour deliveries that nobody within the radius could fill are shipped from the start. Those that others left too
    little for are decided by one more plan, on what the others left. `capacity` is what nodes can still take in their
    slots; it counts only under a policy that says what work is.
    """
    pieces = policy.slot_work
    left = dict(capacity or {}) if pieces is not None else {}
    work = {node: NodeWork(pieces.per_order, pieces.per_line, pieces.per_unit) for node in left} if pieces else None
    ways = _Ways(index, policy, solver, work)
    demands, routed, rows = ways.in_real_time(demands, stock, left, prices)
    rest = [place for place in range(len(demands)) if place not in rows]
    if routed is not None and not rest:
        return Decided(demands, None, routed=routed, paid=prices, rows=rows)
    asked: Sequence[OrderDemand] = [demands[place] for place in rest]
    if routed is not None:
        stock, left = _goods_left(routed, asked, stock), _work_left(routed, left)
    asked = ways.as_can_be_kept(asked, stock)
    first = ways.together(asked, stock, left)
    rows |= {place: (asked[row].method, first, row) for row, place in enumerate(rest)}
    unkept = ways.unkept(asked, first)
    if not unkept:
        return Decided(demands, first, routed=routed, paid=prices, rows=rows)
    late = [replace(asked[row], method=DeliveryMethod.SHIP) for row in unkept]
    again = ways.together(late, _goods_left(first, late, stock, unkept), _work_left(first, left, unkept))
    rows |= {rest[row]: (DeliveryMethod.SHIP, again, at) for at, row in enumerate(unkept)}
    return Decided(demands, first, again, routed, prices, rows)


_Rows = dict[int, tuple[DeliveryMethod, Plan, int]]


@dataclass(frozen=True)
class _Ways:
    """The ways in which demands over one network are decided."""

    index: NetworkIndex
    policy: SourcingPolicy
    solver: Solver
    work: Mapping[str, NodeWork] | None

    def together(self, demands: Sequence[OrderDemand], stock: Sequence[StockRow], left: Mapping[str, int]) -> Plan:
        """By the solver."""
        return self.solver(self._problem(demands, stock, left))

    def in_real_time(
        self, demands: Sequence[OrderDemand], stock: Sequence[StockRow], left: Mapping[str, int], prices: LeftPrices
    ) -> tuple[Sequence[OrderDemand], Plan | None, _Rows]:
        """By the router, one after the other, those whose method the policy routes; who is served whole, and where.

        With the demands as they are to be decided from there on: those that nobody near can fill are shipped.
        """
        methods = routed_methods(self.policy)
        places = [place for place, demand in enumerate(demands) if demand.method in methods]
        if not places:
            return demands, None, {}
        problem = self._near(demands, places, stock, left)
        plan = Router(problem, prices.over(problem)).decide_in_turn(problem)
        short = set(_short_rows(plan))
        rows = {place: (demands[place].method, plan, row) for row, place in enumerate(places) if row not in short}
        return self._shipped_from_afar(demands, places, problem), plan if rows else None, rows

    def as_can_be_kept(self, demands: Sequence[OrderDemand], stock: Sequence[StockRow]) -> Sequence[OrderDemand]:
        """The demands, with those one-hour deliveries shipped for which too little lies within the radius."""
        places = [place for place, demand in enumerate(demands) if demand.method is DeliveryMethod.ONE_HOUR]
        if not places or not self.policy.one_hour_falls_back_to_ship:
            return demands
        return self._shipped_from_afar(demands, places, self._near(demands, places, stock, {}))

    def _near(
        self, demands: Sequence[OrderDemand], places: Sequence[int], stock: Sequence[StockRow], left: Mapping[str, int]
    ) -> AllocationProblem:
        """The problem of the demands at these places alone, with every node that may serve them."""
        asked = [demands[place] for place in places]
        skus = {line.sku for demand in asked for line in demand.lines}
        return self._problem(asked, [row for row in stock if row[0] in skus], left).with_all_candidates()

    def _shipped_from_afar(
        self, demands: Sequence[OrderDemand], places: Sequence[int], problem: AllocationProblem
    ) -> Sequence[OrderDemand]:
        """Those one-hour deliveries shipped for which too little lies within the radius, where the policy says so."""
        if not self.policy.one_hour_falls_back_to_ship:
            return demands
        block = problem.block
        line = block.line_ptr[order_of_entries(block)] + block.line
        near = np.bincount(line, problem.stock.available[block.cell], minlength=block.quantity.size)
        asked = list(demands)
        for row in _rows_with(problem, near < block.quantity):
            if asked[places[row]].method is DeliveryMethod.ONE_HOUR:
                asked[places[row]] = replace(asked[places[row]], method=DeliveryMethod.SHIP)
        return asked

    def unkept(self, demands: Sequence[OrderDemand], plan: Plan) -> list[int]:
        """Rows of one-hour deliveries that the plan leaves short, where the policy has them shipped instead."""
        if not self.policy.one_hour_falls_back_to_ship:
            return []
        quick = {row for row, demand in enumerate(demands) if demand.method is DeliveryMethod.ONE_HOUR}
        return [row for row in _short_rows(plan) if row in quick] if quick else []

    def _problem(
        self, demands: Sequence[OrderDemand], stock: Sequence[StockRow], left: Mapping[str, int]
    ) -> AllocationProblem:
        return AllocationProblem.build(self.index, demands, stock, self.policy, left, work=self.work)


def routed_methods(policy: SourcingPolicy) -> tuple[DeliveryMethod, ...]:
    """The methods that the policy leaves to the router."""
    return () if policy.solver is None else policy.solver.route


def _short_rows(plan: Plan) -> list[int]:
    """Rows of the orders that are not served whole."""
    return _rows_with(plan.problem, plan.accounts.missing > 0)


def _rows_with(problem: AllocationProblem, lines: Flags) -> list[int]:
    """Rows of the orders that have one of these lines."""
    counted = np.concatenate([[0], np.cumsum(lines)])[problem.block.line_ptr]
    return np.flatnonzero(np.diff(counted)).tolist()


def _goods_left(
    plan: Plan, demands: Sequence[OrderDemand], stock: Sequence[StockRow], but: Collection[int] = ()
) -> list[StockRow]:
    """What a plan leaves of the stock that these demands name; rows in `but` give back what they took."""
    skus = {line.sku for demand in demands for line in demand.lines}
    taken: Counter[tuple[str, str]] = Counter()
    for row in set(range(plan.problem.orders)).difference(but):
        for sku, node, units in taken_of(plan, row):
            taken[sku, node] += units
    return [(sku, node, units - taken[sku, node]) for sku, node, units in stock if sku in skus]


def _work_left(plan: Plan, capacity: Mapping[str, int], but: Collection[int] = ()) -> dict[str, int]:
    if not capacity:
        return {}
    block, taken = plan.problem.block, plan.taken.copy()
    for row in but:
        first, stop = block.candidate_ptr[row], block.candidate_ptr[row + 1]
        taken[block.entry_ptr[first] : block.entry_ptr[stop]] = 0
    done = work_of_nodes(plan.problem, taken)
    return {node: units - int(done[plan.problem.index.position[node]]) for node, units in capacity.items()}


def taken_of(plan: Plan, row: int) -> Iterator[StockRow]:
    """(sku, node, units) that one order of a plan takes, without the words that a plan's `orders` cost."""
    problem, block = plan.problem, plan.problem.block
    first, stop = block.candidate_ptr[row], block.candidate_ptr[row + 1]
    entries = slice(block.entry_ptr[first], block.entry_ptr[stop])
    at = block.entry_ptr[first] + np.flatnonzero(plan.taken[entries])
    if not at.size:
        return
    nodes = block.node[np.searchsorted(block.entry_ptr, at, side="right") - 1]
    skus = problem.columns.sku[block.line_ptr[row] + block.line[at]]
    for sku, node, units in zip(skus.tolist(), nodes.tolist(), plan.taken[at].tolist(), strict=True):
        yield problem.stock.sku[sku], problem.index.nodes[node].node, units


def demand_of(
    order: str,
    number: int,
    delivery: Delivery,
    lines: Sequence[DemandLine],
    *,
    at: datetime,
    excluded: frozenset[str],
    channel: str,
    ship_complete: bool = False,
) -> OrderDemand:
    """What one delivery of an order asks of the allocator."""
    address = delivery.address
    return OrderDemand(
        order=f"{order}#{number}",
        method=delivery.method,
        at=at,
        lines=tuple(lines),
        point=address.point if address else None,
        pickup_node=delivery.pickup_node,
        excluded_nodes=excluded,
        channel=channel,
        service=delivery.service,
        country=address.country if address else None,
        region=address.region if address else None,
        promised_by=delivery.deliver_by,
        ship_complete=ship_complete,
    )


def stock_digest(stock: Sequence[StockRow], demands: Sequence[OrderDemand]) -> str:
    """SHA-256 of the stock of the items that demands name, which is in key order."""
    wanted = {line.sku for demand in demands for line in demand.lines}
    return hashlib.sha256(to_json([tuple(row) for row in stock if row[0] in wanted])).hexdigest()


def solvers() -> dict[str, Solver]:
    """The allocator's solvers by name; `policy` is the one that the policy asks for."""
    return {"policy": solve, "greedy": solve_greedy, "exact": solve_exact, "wave": solve_jointly}


def solver_of(solver: Solver | str) -> Solver:
    """A solver, or the one of that name; raises `InvalidInput` that lists the names."""
    if not isinstance(solver, str):
        return solver
    known = solvers()
    if solver not in known:
        raise InvalidInput(f"there is no solver {solver!r}; use one of {', '.join(sorted(known))}")
    return known[solver]


def decision_document(method: DeliveryMethod, plan: OrderPlan, paid: LeftPrices | None = None) -> dict[str, object]:
    """A decision as plain data; `paid` are the prices of one that the router made.

    `dataclasses.asdict` copies so deeply that it would take longer than deciding.
    """
    router = {} if paid is None else {"router": {"prices_of": paid.wave, "prices_sha256": paid.sha256}}
    return {
        **router,
        "delivered_by": method.value,
        "order": plan.order,
        "method": plan.method,
        "cost_by_term": plan.cost_by_term,
        "assignments": [
            {"line": one.line, "sku": one.sku, "node": one.node, "quantity": one.quantity, "cost_minor": one.cost_minor}
            for one in plan.assignments
        ],
        "shortfalls": [
            {"line": one.line, "sku": one.sku, "missing": one.missing, "code": one.code, "why": one.why}
            for one in plan.shortfalls
        ],
        "runner_ups": [
            {
                "node": one.node,
                "instead_of": one.instead_of,
                "extra_minor": one.extra_minor,
                "rule": one.rule,
                "why": one.why,
            }
            for one in plan.runner_ups
        ],
    }
