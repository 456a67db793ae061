"""Deciding: demands and stock become a node for each unit, without a look at the database; the same for now and for then."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

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
from omo_core.allocation.order_values import order_of_entries
from omo_core.allocation.solving import solve_jointly
from omo_core.allocation.special import work_of_nodes
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Delivery

Solver = Callable[[AllocationProblem], Plan]
"""Decides every order of a problem."""

StockRow = tuple[str, str, int]
"""(sku, node, units free)."""


@dataclass(frozen=True)
class Decided:
    """What was decided about each demand: in the first plan, or in a second one that ships what came too late."""

    demands: Sequence[OrderDemand]
    first: Plan
    again: Plan | None = None
    moved: Mapping[int, int] = field(default_factory=dict)
    """Place of a demand that was decided again → its row in `again`."""

    def __iter__(self) -> Iterator[tuple[DeliveryMethod, OrderPlan]]:
        """How each demand is delivered and who serves it, in words, in the order of the demands."""
        for place in range(len(self.demands)):
            method, plan, row = self.row_of(place)
            yield method, plan.orders[row]

    def row_of(self, place: int) -> tuple[DeliveryMethod, Plan, int]:
        """How a demand is delivered, and the plan and the row in it that decide about it."""
        if self.again is not None and place in self.moved:
            return DeliveryMethod.SHIP, self.again, self.moved[place]
        return self.demands[place].method, self.first, place


def decide(
    index: NetworkIndex,
    policy: SourcingPolicy,
    demands: Sequence[OrderDemand],
    stock: Sequence[StockRow],
    solver: Solver = solve_greedy,
    *,
    capacity: Mapping[str, int] | None = None,
) -> Decided:
    """One plan for all demands; one-hour deliveries that cannot be kept whole are shipped, where the policy says so.

    Those that nobody within the radius could fill are shipped from the start. Those that others left too little for are
    decided by a second plan, on what the others left. `capacity` is what nodes can still take in their slots; it counts
    only under a policy that says what work is.
    """
    pieces = policy.slot_work
    left = dict(capacity or {}) if pieces is not None else {}
    work = {node: NodeWork(pieces.per_order, pieces.per_line, pieces.per_unit) for node in left} if pieces else None
    demands = _as_can_be_kept(index, policy, demands, stock)
    first = solver(AllocationProblem.build(index, demands, stock, policy, left, work=work))
    if not policy.one_hour_falls_back_to_ship:
        return Decided(demands, first)
    missing = first.accounts.missing
    line_ptr = first.problem.block.line_ptr
    unkept = [
        place
        for place, demand in enumerate(demands)
        if demand.method is DeliveryMethod.ONE_HOUR and missing[line_ptr[place] : line_ptr[place + 1]].any()
    ]
    if not unkept:
        return Decided(demands, first)
    again = [replace(demands[place], method=DeliveryMethod.SHIP) for place in unkept]
    goods = _what_the_others_left(first, again, stock, set(unkept))
    if left:
        left = _work_left(first, left, unkept)
    second = solver(AllocationProblem.build(index, again, goods, policy, left, work=work))
    return Decided(demands, first, second, {place: row for row, place in enumerate(unkept)})


def _as_can_be_kept(
    index: NetworkIndex, policy: SourcingPolicy, demands: Sequence[OrderDemand], stock: Sequence[StockRow]
) -> Sequence[OrderDemand]:
    """The demands, with those one-hour deliveries shipped for which too little lies within the radius."""
    places = [place for place, demand in enumerate(demands) if demand.method is DeliveryMethod.ONE_HOUR]
    if not places or not policy.one_hour_falls_back_to_ship:
        return demands
    quick = [demands[place] for place in places]
    skus = {line.sku for demand in quick for line in demand.lines}
    rows = [row for row in stock if row[0] in skus]
    problem = AllocationProblem.build(index, quick, rows, policy).with_all_candidates()
    block = problem.block
    line = block.line_ptr[order_of_entries(block)] + block.line
    near = np.bincount(line, problem.stock.available[block.cell], minlength=block.quantity.size)
    short = np.concatenate([[0], np.cumsum(near < block.quantity)])[block.line_ptr]
    asked = list(demands)
    for row in np.flatnonzero(np.diff(short)):
        asked[places[row]] = replace(quick[row], method=DeliveryMethod.SHIP)
    return asked


def _what_the_others_left(
    plan: Plan, again: Sequence[OrderDemand], stock: Sequence[StockRow], unkept: set[int]
) -> list[StockRow]:
    skus = {line.sku for demand in again for line in demand.lines}
    taken: Counter[tuple[str, str]] = Counter()
    for place in range(plan.problem.orders):
        if place not in unkept:
            for sku, node, units in taken_of(plan, place):
                taken[sku, node] += units
    return [(sku, node, units - taken[sku, node]) for sku, node, units in stock if sku in skus]


def _work_left(plan: Plan, capacity: Mapping[str, int], unkept: Sequence[int]) -> dict[str, int]:
    block, taken = plan.problem.block, plan.taken.copy()
    for place in unkept:
        first, stop = block.candidate_ptr[place], block.candidate_ptr[place + 1]
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


def decision_document(method: DeliveryMethod, plan: OrderPlan) -> dict[str, object]:
    """A decision as plain data; `dataclasses.asdict` copies so deeply that it would take longer than deciding."""
    return {
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
