"""Warm-up: compile or load every kernel before the first customer waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from omo_core.allocation.demand import DemandLine, OrderDemand
from omo_core.allocation.greedy import solve_greedy
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.problem import AllocationProblem
from omo_core.allocation.router import Router
from omo_core.allocation.wave import solve_wave
from omo_core.allocation.work_budget import WorkBudget
from omo_core.model.network import DeliveryMethod, Network, Node, NodeKind
from omo_core.model.values import GeoPoint

NODES: Final = 12
ORDERS: Final = 60
LONG_LINES: Final = 12
"""More than the exact kernel takes."""


def warmup() -> None:
    """Decide made-up orders by every solver, so that every kernel is compiled.

    Measured on a busy two-core machine: about 95 s of a processor into an empty cache directory, 1 s from a filled one.
    """
    point = GeoPoint(latitude=0.0, longitude=0.0)
    nodes = tuple(Node(node=f"N{i}", kind=NodeKind.STORE, point=point) for i in range(NODES))
    network = Network(currency="USD", nodes=nodes)
    _greedily(network)
    _jointly(network)


def _order(name: str, skus: Sequence[int], quantity: int) -> OrderDemand:
    return OrderDemand(
        order=name,
        method=DeliveryMethod.SHIP,
        at=datetime(2000, 1, 1, tzinfo=UTC),
        lines=tuple(DemandLine(str(sku), str(sku), quantity) for sku in skus),
        point=GeoPoint(latitude=0.1, longitude=0.1),
    )


def _greedily(network: Network) -> None:
    """Short orders, one that is long, and lines that no node holds whole."""
    demands = [_order(str(lines), range(lines), 3) for lines in (1, 2, 3, 9)]
    stock = [
        (str(line), node.node, 2 + 2 * (row % 2)) for line in range(9) for row, node in enumerate(network.nodes[:3])
    ]
    plan = solve_greedy(AllocationProblem.build(network, demands, stock, SourcingPolicy(candidates=1)))
    for one in plan.orders:
        one.cost_by_term  # noqa: B018 - putting an order into words replays the plan


def _jointly(network: Network) -> None:
    """Orders that fight for every unit, a long one among them, so that no step of the wave solver is left out; then
    the router."""
    skus = 8
    demands = [
        _order(str(number), [(number + 3 * line) % skus for line in range(1 + number % 4)], 1)
        for number in range(ORDERS)
    ]
    demands.append(_order("long", range(LONG_LINES), 1))
    stock = [
        (str(sku), node.node, 1 + (sku + row) % 2)
        for sku in range(LONG_LINES)
        for row, node in enumerate(network.nodes)
    ]
    capacity = {node.node: 3 + row for row, node in enumerate(network.nodes)}
    policy = SourcingPolicy(candidates=4)
    problem = AllocationProblem.build(network, demands, stock, policy, capacity)
    solve_wave(problem, budget=WorkBudget(iterations=30, window_passes=1))
    Router.of(network, stock, policy, capacity).decide(demands[0])
