"""The router's speed: one order of five lines at a time in a network of 3,000 nodes, beside the nearest rule in Python."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np

from benchmarks.harness import Context
from benchmarks.instances import Instance, draw
from omo_core.allocation import DemandLine, OrderDemand
from omo_core.allocation.network_index import METHODS
from omo_core.allocation.router import EncodedOrder, Router
from omo_core.model.values import GeoPoint

SIZES = {"smallest": (500, 200, 500, 20), "default": (20_000, 3_000, 20_000, 400), "all": (20_000, 3_000, 20_000, 400)}
"""Orders that the stock is drawn for, nodes, SKUs, and how many orders of five lines are decided."""
Answer = TypeVar("Answer")
LINES = 5
ROUNDS = 5
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@dataclass
class NearestInPython:
    """What most teams write: a dict of stock, the nearest node that has all lines, else the nearest for each line.

    It is given each order's distances, as our router is given each order's prices, and finds out the rest.
    """

    stock: dict[tuple[str, int], int]
    capacity: list[int]

    def decide(self, skus: list[str], distances: list[int]) -> list[int]:
        """A node for each line, -1 for none."""
        stock, capacity = self.stock, self.capacity
        by_distance = sorted(range(len(distances)), key=distances.__getitem__)
        for node in by_distance:
            if capacity[node] > 0 and all(stock.get((sku, node), 0) > 0 for sku in skus):
                return self._take(skus, [node] * len(skus))
        chosen = []
        for sku in skus:
            holders = (node for node in by_distance if capacity[node] > 0 and stock.get((sku, node), 0) > 0)
            chosen.append(next(holders, -1))
        return self._take(skus, chosen)

    def _take(self, skus: list[str], nodes: list[int]) -> list[int]:
        for sku, node in zip(skus, nodes, strict=True):
            if node >= 0:
                self.stock[sku, node] -= 1
        for node in set(nodes) - {-1}:
            self.capacity[node] -= 1
        return nodes


def measure(context: Context) -> None:
    """p50 and p99 of both, over the same orders on stock that both draw down.

    Each order counts with the fastest of its rounds, on both sides: what is left differs by order, not by what else
    the machine did meanwhile.
    """
    orders, nodes, skus, count = SIZES[context.size]
    instance = draw(orders, nodes, skus, seed=context.seed)
    demands = demands_of(instance)[:count]
    router = Router.from_columns(
        instance.index, instance.stock, instance.policy, instance.capacity, rules=(), terms=instance.terms
    )
    encoded = [router.encode(demand) for demand in demands]
    rounds: list[list[float]] = []
    for _ in range(ROUNDS):
        seconds: list[float] = []
        answers = [_timed(lambda order=order: router.decide_encoded(order), seconds) for order in encoded]  # type: ignore[misc]
        for answer in answers:
            router.restore(answer)
        rounds.append(seconds)
    ours = np.min(rounds, axis=0).tolist()
    theirs = np.min([_nearest(instance, router, encoded) for _ in range(ROUNDS)], axis=0).tolist()
    typed: list[float] = []
    for demand in demands[: count // 4]:
        _timed(lambda demand=demand: router.decide(demand), typed)  # type: ignore[misc]
    encoding: list[float] = []
    for demand in demands[: count // 4]:
        _timed(lambda demand=demand: router.encode(demand), encoding)  # type: ignore[misc]
    facts = {"nodes": nodes, "lines": LINES}
    for label, seconds in (
        ("router, encoded order", ours),
        ("nearest rule in Python", theirs),
        ("router, typed call with explanation", typed),
        ("router, encoding", encoding),
    ):
        context.record(label, *seconds, **facts)
    for name, percent in (("p50", 50), ("p99", 99)):
        mine, python = float(np.percentile(ours, percent)), float(np.percentile(theirs, percent))
        context.figure(f"router_{name}_vs_python", python / mine)
        context.figure(f"router_{name}_us", 1e6 * mine)
        context.figure(f"router_typed_{name}_us", 1e6 * float(np.percentile(typed, percent)))
    context.figure("router_encode_p50_us", 1e6 * float(np.percentile(encoding, 50)))


def _nearest(instance: Instance, router: Router, encoded: list[EncodedOrder]) -> list[float]:
    columns = instance.stock
    sku_of = np.repeat(np.arange(len(columns.sku)), np.diff(columns.holder_ptr))
    cells = zip(sku_of.tolist(), columns.node.tolist(), columns.available.tolist(), strict=True)
    capacity = [min(int(room), 1 << 30) for room in router.left()[1]]
    rule = NearestInPython({(columns.sku[sku], node): units for sku, node, units in cells}, capacity)
    seconds: list[float] = []
    for order in encoded:
        skus = [line.sku for line in order.demand.lines]
        distances = _distances(instance, order)
        _timed(lambda skus=skus, distances=distances: rule.decide(skus, distances), seconds)  # type: ignore[misc]
    return seconds


def _distances(instance: Instance, order: EncodedOrder) -> list[int]:
    away = instance.index.xyz - order.problem.columns.xyz[0]
    return np.rint(12_742_017.6 * np.arcsin(np.sqrt((away**2).sum(axis=1)) / 2)).astype(int).tolist()  # type: ignore[no-any-return]


def _timed(work: Callable[[], Answer], seconds: list[float]) -> Answer:
    enabled = gc.isenabled()
    gc.disable()
    start = time.perf_counter()
    answer = work()
    seconds.append(time.perf_counter() - start)
    if enabled:
        gc.enable()
    return answer


def demands_of(instance: Instance) -> list[OrderDemand]:
    """The instance's orders of five lines, as a shop would hand them over."""
    columns, nodes = instance.columns, instance.index.nodes
    found = []
    for row in np.flatnonzero(np.diff(columns.line_ptr) == LINES).tolist():
        skus = columns.sku[columns.line_ptr[row] : columns.line_ptr[row + 1]].tolist()
        x, y, z = columns.xyz[row].tolist()
        pickup = int(columns.pickup[row])
        found.append(
            OrderDemand(
                order=columns.order[row],
                method=METHODS[columns.method[row]],
                at=AT,
                lines=tuple(DemandLine(str(at), instance.stock.sku[sku], 1) for at, sku in enumerate(skus, 1)),
                point=GeoPoint(latitude=math.degrees(math.asin(z)), longitude=math.degrees(math.atan2(y, x))),
                pickup_node=nodes[pickup].node if pickup >= 0 else None,
            )
        )
    return found
