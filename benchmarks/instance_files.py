"""Drawn instances and the allocator's plans, to and from the file format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.instance_check import Checked, check
from benchmarks.instance_format import (
    COUNTS,
    LINES,
    NODES,
    ORDERS,
    SKUS,
    STOCK,
    instance_header,
    read_wave,
)
from benchmarks.instance_tables import Sink
from benchmarks.instance_wave import NOWHERE, Assigned, Solution, Wave, WaveNode, WaveOrder
from benchmarks.instances import Instance, plain_demand
from omo_core.allocation import NetworkIndex, Plan
from omo_core.allocation.columns import StockColumns
from omo_core.allocation.network_index import METHOD_CODE, METHODS
from omo_core.model.network import DeliveryMethod, Network, Node, NodeKind
from omo_core.model.values import GeoPoint

AT_ONCE = 10_000
"""Orders whose columns become Python lists together, so that a large instance is written in little memory."""


def write(instance: Instance, where: Path) -> None:
    """Write an instance into a folder, or a zip when the name ends in .zip; equal instances give equal bytes."""
    counts = (
        len(instance.index.nodes),
        len(instance.stock.sku),
        len(instance.columns.order),
        int(instance.columns.sku.size),
        int(instance.stock.node.size),
    )
    with Sink(where) as sink:
        header = instance_header(instance.name, instance.prices, dict(zip(COUNTS, counts, strict=True)))
        sink.header("instance.json", header)
        sink.rows("nodes.csv", NODES, _node_rows(instance))
        sink.rows("skus.csv", SKUS, ([sku] for sku in instance.stock.sku))
        sink.rows("orders.csv", ORDERS, _order_rows(instance))
        sink.rows("lines.csv", LINES, _line_rows(instance))
        sink.rows("stock.csv", STOCK, _stock_rows(instance))


def read(where: Path) -> Instance:
    """The instance of a folder or zip; raises `Malformed` with the file and the line of the first thing wrong."""
    return instance_of(read_wave(where))


def instance_of(wave: Wave) -> Instance:
    """A wave in the allocator's columns."""
    nodes = tuple(
        Node(node=one.node, kind=NodeKind(one.kind), point=GeoPoint(latitude=one.latitude, longitude=one.longitude))
        for one in wave.nodes
    )
    # Places are taken as they stand in the file: another machine's cosine may differ in the last digit.
    index = replace(
        NetworkIndex.of(Network(currency="USD", nodes=nodes)), xyz=np.array([one.place for one in wave.nodes])
    )
    position = {sku: at for at, sku in enumerate(wave.stock)}
    lines = [line for order in wave.orders for line in order.lines]
    cells = [sorted(cells.items()) for cells in wave.stock.values()]
    flat = np.array([cell for each in cells for cell in each], dtype=np.int32).reshape(-1, 2)
    return Instance(
        index=index,
        columns=plain_demand(
            order=[order.order for order in wave.orders],
            method=np.array([METHOD_CODE[DeliveryMethod(order.service)] for order in wave.orders], dtype=np.int64),
            xyz=np.array([order.place for order in wave.orders], dtype=np.float64).reshape(-1, 3),
            pickup=np.array([order.pickup for order in wave.orders], dtype=np.int64),
            line_ptr=_pointers([len(order.lines) for order in wave.orders]),
            sku=np.array([position[sku] for sku, _ in lines], dtype=np.int64),
            quantity=np.array([quantity for _, quantity in lines], dtype=np.int32),
            nodes=len(nodes),
        ),
        stock=StockColumns(
            sku=list(wave.stock),
            holder_ptr=_pointers([len(each) for each in cells]),
            node=flat[:, 0].copy(),
            available=flat[:, 1].copy(),
        ),
        capacity={one.node: one.capacity for one in wave.nodes if one.capacity is not None},
        shipment_minor=np.array([one.shipment_minor for one in wave.nodes], dtype=np.int64),
        handling_minor=np.array([one.handling_minor for one in wave.nodes], dtype=np.int64),
        prices=wave.prices,
        name=wave.name,
    )


def wave_of(instance: Instance) -> Wave:
    """The instance in plain Python, as `read_wave` would read it from the file."""
    columns, stock = instance.columns, instance.stock
    skus, ptr, methods = list(stock.sku), columns.line_ptr.tolist(), [method.value for method in METHODS]
    wanted = list(zip([skus[at] for at in columns.sku.tolist()], columns.quantity.tolist(), strict=True))
    cells = list(zip(stock.node.tolist(), stock.available.tolist(), strict=True))
    holders = stock.holder_ptr.tolist()
    orders = zip(
        columns.order,
        columns.method.tolist(),
        columns.pickup.tolist(),
        columns.xyz.tolist(),
        ptr,
        ptr[1:],
        strict=False,
    )
    return Wave(
        name=instance.name,
        prices=instance.prices,
        nodes=_nodes(instance),
        orders=[
            WaveOrder(order, methods[method], pickup if pickup >= 0 else NOWHERE, (x, y, z), wanted[first:stop])
            for order, method, pickup, (x, y, z), first, stop in orders
        ],
        stock={sku: dict(cells[holders[at] : holders[at + 1]]) for at, sku in enumerate(skus)},
    )


def solution_of(instance: Instance, plan: Plan, **facts: object) -> Solution:
    """A plan of the instance's problem as a solution; `facts` (seconds, machine) are kept beside it."""
    return Solution(
        instance=instance.name,
        assigned=assigned_of(plan),
        cost_minor=plan.cost_minor,
        lower_bound_minor=plan.lower_bound_minor,
        facts={"solver": plan.solver, "status": plan.status, **facts},
    )


def assigned_of(plan: Plan) -> list[Assigned]:
    """What a plan takes from where, order by order."""
    block, columns, nodes = plan.problem.block, plan.problem.columns, plan.problem.index.nodes
    filled = np.flatnonzero(plan.taken)
    candidate = np.searchsorted(block.entry_ptr, filled, side="right") - 1
    order = np.searchsorted(block.candidate_ptr, candidate, side="right") - 1
    return [
        Assigned(columns.order[at], line + 1, nodes[node].node, units)
        for at, line, node, units in zip(
            order.tolist(),
            block.line[filled].tolist(),
            block.node[candidate].tolist(),
            plan.taken[filled].tolist(),
            strict=True,
        )
    ]


def check_plan(instance: Instance, plan: Plan, wave: Wave | None = None) -> Checked:
    """Have the plain checker recompute a plan, its cost by term among it; `wave` spares making it again.

    `found` is empty for a plan that the checker accepts.
    """
    checked = check(wave_of(instance) if wave is None else wave, solution_of(instance, plan))
    stated = {name: minor for name, minor in plan.cost_by_term.items() if minor}
    if stated != {name: minor for name, minor in checked.cost_by_term.items() if minor}:
        checked.found.append(f"the plan's cost by term is {stated}, recomputed {checked.cost_by_term}")
    return checked


def _pointers(sizes: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.concatenate([[0], np.cumsum(np.array(sizes, dtype=np.int64))]).astype(np.int64)


def _nodes(instance: Instance) -> list[WaveNode]:
    nodes = []
    shipment, handling = instance.shipment_minor.tolist(), instance.handling_minor.tolist()
    for at, (node, (x, y, z)) in enumerate(zip(instance.index.nodes, instance.index.xyz.tolist(), strict=True)):
        assert node.point is not None, "the instances know every place"
        latitude, longitude = node.point.latitude, node.point.longitude
        room = instance.capacity.get(node.node)
        nodes.append(
            WaveNode(node.node, node.kind.value, latitude, longitude, (x, y, z), shipment[at], handling[at], room)
        )
    return nodes


def _node_rows(instance: Instance) -> Iterator[tuple[object, ...]]:
    for one in _nodes(instance):
        place = one.latitude, one.longitude, *one.place
        yield one.node, one.kind, *place, one.shipment_minor, one.handling_minor, one.capacity


def _order_rows(instance: Instance) -> Iterator[tuple[object, ...]]:
    columns, nodes = instance.columns, [node.node for node in instance.index.nodes]
    for first in range(0, len(columns.order), AT_ONCE):
        run = slice(first, first + AT_ONCE)
        services, asked = columns.method[run].tolist(), columns.pickup[run].tolist()
        for order, service, pickup, place in zip(
            columns.order[run], services, asked, columns.xyz[run].tolist(), strict=True
        ):
            yield order, METHODS[service].value, nodes[pickup] if pickup >= 0 else None, *place


def _line_rows(instance: Instance) -> Iterator[tuple[object, ...]]:
    columns, skus = instance.columns, instance.stock.sku
    for first in range(0, len(columns.order), AT_ONCE):
        ptr = columns.line_ptr[first : first + AT_ONCE + 1]
        run = slice(int(ptr[0]), int(ptr[-1]))
        wanted = zip(columns.sku[run].tolist(), columns.quantity[run].tolist(), strict=True)
        for order, lines in zip(columns.order[first : first + AT_ONCE], np.diff(ptr).tolist(), strict=True):
            for line in range(1, lines + 1):
                sku, quantity = next(wanted)
                yield order, line, skus[sku], quantity


def _stock_rows(instance: Instance) -> Iterator[tuple[object, ...]]:
    stock, nodes = instance.stock, [node.node for node in instance.index.nodes]
    for at, sku in enumerate(stock.sku):
        run = slice(int(stock.holder_ptr[at]), int(stock.holder_ptr[at + 1]))
        for node, units in zip(stock.node[run].tolist(), stock.available[run].tolist(), strict=True):
            yield sku, nodes[node], units
