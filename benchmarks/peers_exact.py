"""Peers that optimise one order at a time: fewest nodes, a small integer program, and exact first come first served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from benchmarks import peers
from benchmarks.instance_check import metres_between, price_of
from benchmarks.instance_wave import Assigned, Wave, WaveOrder
from benchmarks.instances import Instance
from benchmarks.peers import PeerPlan, Shelves
from omo_core.allocation import Plan, solve_greedy

EXACT_COVER_LINES: Final = 8
"""Longer orders are covered greedily, a node with most open lines first."""


def fewest_nodes(wave: Wave) -> list[Assigned]:
    """The order-splitting minimiser of fulfilment suites: as many lines as can be, from as few nodes as can be.

    Exact by order on live stock; among equally few nodes, those least far in all.
    """
    shelves = Shelves(wave)
    for order in wave.orders:
        nodes_of = _nearest_of_mask(wave, shelves, order)
        cover = _greedy_cover if len(order.lines) > EXACT_COVER_LINES else _least_cover
        chosen: dict[int, int] = {}
        for mask, at in cover(nodes_of):
            for line in range(len(order.lines)):
                if mask >> line & 1:
                    chosen.setdefault(line, at)
        shelves.take_whole(order, chosen)
    return shelves.assigned


NodesOfMask = dict[int, tuple[int, int]]
"""Set of lines (a bit each) -> (metres, node) of the nearest node that has these whole, and no other."""


def _nearest_of_mask(wave: Wave, shelves: Shelves, order: WaveOrder) -> NodesOfMask:
    masks: dict[int, int] = {}
    for line, (cells, quantity) in enumerate(shelves.wanted(order)):
        for at, units in cells.items():
            if units >= quantity and shelves.room[at] > 0:
                masks[at] = masks.get(at, 0) | 1 << line
    nearest: NodesOfMask = {}
    for at, mask in masks.items():
        away = 0 if at == order.pickup else metres_between(order.place, wave.nodes[at].place)
        if mask not in nearest or (away, at) < nearest[mask]:
            nearest[mask] = away, at
    return nearest


def _least_cover(nodes_of: NodesOfMask) -> list[tuple[int, int]]:
    """(set of lines, node) of the fewest nodes that cover every line that any node has, then of the least metres."""
    whole = 0
    for mask in nodes_of:
        whole |= mask
    best: dict[int, tuple[int, int, list[tuple[int, int]]]] = {0: (0, 0, [])}
    for lines in range(1, whole + 1):
        if lines & ~whole:
            continue
        options = [
            (count + 1, metres + away, [*rest, (mask, at)])
            for mask, (away, at) in nodes_of.items()
            if mask & lines
            for count, metres, rest in [best[lines & ~mask]]
        ]
        best[lines] = min(options)
    return best[whole][2]


def _greedy_cover(nodes_of: NodesOfMask) -> list[tuple[int, int]]:
    cover: list[tuple[int, int]] = []
    covered = 0
    while True:
        gain, _, mask, at = max(
            (((mask & ~covered).bit_count(), -away, mask, at) for mask, (away, at) in nodes_of.items()),
            default=(0, 0, 0, 0),
        )
        if not gain:
            return cover
        cover.append((mask, at))
        covered |= mask


def one_order_mip(wave: Wave) -> list[Assigned]:
    """The optimising add-on of order-management suites: each order by an integer program on live stock (OR-Tools SCIP).

    Exact for the order, blind to the orders that follow. A program an order is slow: give it the `first_orders`.
    """
    shelves = Shelves(wave)
    for order in wave.orders:
        shelves.take(order, _solve_one(wave, shelves, order))
    return shelves.assigned


def _solve_one(wave: Wave, shelves: Shelves, order: WaveOrder) -> list[tuple[int, int, int]]:
    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver.CreateSolver("SCIP")
    objective, uses, parts = solver.Objective(), {}, []
    prices: dict[int, tuple[int, int]] = {}
    for line, (cells, quantity) in enumerate(shelves.wanted(order)):
        missing = solver.IntVar(0, quantity, "")
        objective.SetCoefficient(missing, wave.prices.unserved_minor)
        served: list[Any] = [missing]
        for at, has in cells.items():
            if has <= 0 or shelves.room[at] <= 0:
                continue
            if at not in uses:
                prices[at] = price_of(wave, order, at)
                uses[at] = solver.BoolVar("")
                objective.SetCoefficient(uses[at], prices[at][0])
            units = solver.IntVar(0, min(has, quantity), "")
            objective.SetCoefficient(units, prices[at][1])
            solver.Add(units <= min(has, quantity) * uses[at])
            served.append(units)
            parts.append((line, at, units))
        solver.Add(solver.Sum(served) == quantity)
    if len(uses) > 1 and wave.prices.per_extra_node_minor:
        extra = solver.NumVar(0, len(uses) - 1, "")
        objective.SetCoefficient(extra, wave.prices.per_extra_node_minor)
        solver.Add(extra >= solver.Sum(list(uses.values())) - 1)
    outcome = solver.Solve()
    assert outcome == pywraplp.Solver.OPTIMAL, "serving nothing is always a solution"
    taken = ((line, at, round(units.solution_value())) for line, at, units in parts)
    return [one for one in taken if one[2]]


def first_orders(wave: Wave, orders: int) -> Wave:
    """The wave's first orders against all of its stock, for methods that are too slow for more."""
    return replace(wave, orders=wave.orders[:orders], name=f"{wave.name}-first{orders}")


def first_come_first_served(instance: Instance) -> Plan:
    """Exact first come first served over all nodes: each order at its least cost on live stock, by our own kernel.

    What a suite with a perfect one-order optimiser reaches; the best that deciding order by order without prices does.
    """
    return solve_greedy(instance.problem(len(instance.index.nodes)).with_all_candidates())


RULES: Final[dict[str, Callable[[Wave], list[Assigned]]]] = {
    "nearest_node": peers.nearest_node,
    "nearest_holder": peers.nearest_holder,
    "priority_list": peers.priority_list,
    "sorted_sources": peers.sorted_sources,
    "rules_in_sequence": peers.rules_in_sequence,
    "fewest_nodes": fewest_nodes,
}
"""Every rule that decides a whole wave in seconds; `one_order_mip` needs `first_orders`."""


def run_rules(wave: Wave) -> dict[str, PeerPlan]:
    """Every rule on the same wave, each from full stock."""
    return {name: peers.decide(name, wave, rule) for name, rule in RULES.items()}


def run_one_order_mip(wave: Wave, orders: int) -> PeerPlan:
    """The one-order program on the wave's first orders; compare it with other rules on `first_orders` of the same."""
    return peers.decide("one_order_mip", first_orders(wave, orders), one_order_mip)
