"""The file format of instances and solutions (INSTANCES.md): which tables, which columns, and what makes them sound."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from benchmarks.instance_tables import MAX_WHOLE, Malformed, Row, Sink, Source
from benchmarks.instance_wave import (
    KINDS,
    NOWHERE,
    SERVICES,
    Assigned,
    Place,
    Prices,
    Solution,
    Wave,
    WaveNode,
    WaveOrder,
)

INSTANCE: Final = "omo-wave"
SOLUTION: Final = "omo-wave-solution"
VERSION: Final = 1

NODES: Final = (
    *("node", "kind", "latitude", "longitude", "x", "y", "z"),
    *("shipment_minor", "handling_minor", "capacity_orders"),
)
SKUS: Final = ("sku",)
ORDERS: Final = ("order", "service", "pickup_node", "x", "y", "z")
LINES: Final = ("order", "line", "sku", "quantity")
STOCK: Final = ("sku", "node", "available")
ASSIGNMENTS: Final = ("order", "line", "node", "quantity")

COUNTS: Final = ("nodes", "skus", "orders", "lines", "stock")
ON_SPHERE: Final = 1e-9
"""How far a place may be off the unit sphere, or off its latitude and longitude."""


def read_wave(where: Path) -> Wave:
    """An instance from its folder or zip; raises `Malformed` with the file and the line of the first thing wrong."""
    source = Source(where)
    header = source.header("instance.json", INSTANCE, VERSION)
    prices = _prices(header)
    nodes = _nodes(source)
    position = {node.node: at for at, node in enumerate(nodes)}
    stock: dict[str, dict[int, int]] = {}
    for row in source.rows("skus.csv", SKUS):
        if row.text("sku") in stock:
            raise row.wrong(f"the sku {row.fields['sku']!r} is listed twice")
        stock[row.fields["sku"]] = {}
    orders = _orders(source, position)
    lines = _lines(source, orders, stock)
    cells = _stock(source, position, stock)
    found = dict(zip(COUNTS, (len(nodes), len(stock), len(orders), lines, cells), strict=True))
    if header.get("counts") != found:
        raise Malformed("instance.json", None, f"its counts are {header.get('counts')}, the tables have {found}")
    return Wave(_name(header, "name", "instance.json"), prices, nodes, orders, stock)


def read_solution(where: Path) -> Solution:
    """A solution from its folder or zip; whether it is right is the checker's question."""
    source = Source(where)
    file = "solution.json"
    header = source.header(file, SOLUTION, VERSION)
    bound = header.get("lower_bound_minor")
    if bound is not None and type(bound) is not int:
        raise Malformed(file, None, f"lower_bound_minor is {bound!r}; it must be a whole number, or null")
    cost = header.get("cost_minor")
    if type(cost) is not int:
        raise Malformed(file, None, f"cost_minor is {cost!r}; it must be a whole number")
    facts = header.get("facts", {})
    if not isinstance(facts, dict):
        raise Malformed(file, None, "facts must be an object")
    assigned = [
        Assigned(row.text("order"), row.whole("line", 1), row.text("node"), row.whole("quantity", 1))
        for row in source.rows("assignments.csv", ASSIGNMENTS)
    ]
    return Solution(_name(header, "instance", file), assigned, cost, bound, facts)


def write_solution(solution: Solution, where: Path) -> None:
    """Write a solution into a folder, or a zip when the name ends in .zip."""
    header = {
        "format": SOLUTION,
        "version": VERSION,
        "instance": solution.instance,
        "cost_minor": solution.cost_minor,
        "lower_bound_minor": solution.lower_bound_minor,
        "facts": solution.facts,
    }
    with Sink(where) as sink:
        sink.header("solution.json", header)
        sink.rows("assignments.csv", ASSIGNMENTS, solution.assigned)


def instance_header(name: str, prices: Prices, counts: dict[str, int]) -> dict[str, Any]:
    """The content of instance.json."""
    return {"format": INSTANCE, "version": VERSION, "name": name, "counts": counts, "prices": asdict(prices)}


def _name(header: dict[str, Any], key: str, file: str) -> str:
    name = header.get(key)
    if not isinstance(name, str) or not name:
        raise Malformed(file, None, f"{key} is {name!r}; it must be the instance's name")
    return name


def _prices(header: dict[str, Any]) -> Prices:
    given, names = header.get("prices"), [one.name for one in fields(Prices)]
    if not isinstance(given, dict) or sorted(given) != sorted(names):
        raise Malformed("instance.json", None, f"prices must have exactly {', '.join(names)}")
    for name, value in given.items():
        least = 1 if name == "metres_per_day" else 0
        if type(value) is not int or not least <= value <= MAX_WHOLE:
            raise Malformed("instance.json", None, f"the price {name} is {value!r}; give a whole number from {least}")
    return Prices(**given)


def _nodes(source: Source) -> list[WaveNode]:
    nodes: list[WaveNode] = []
    for row in source.rows("nodes.csv", NODES):
        name = row.text("node")
        if nodes and name <= nodes[-1].node:
            raise row.wrong(f"the node {name!r} comes after {nodes[-1].node!r}; nodes ascend by their ids")
        latitude, longitude, place = row.real("latitude", 90.0), row.real("longitude", 180.0), _place(row)
        level, turn = math.cos(math.radians(latitude)), math.radians(longitude)
        there = level * math.cos(turn), level * math.sin(turn), math.sin(math.radians(latitude))
        if math.dist(place, there) > ON_SPHERE:
            raise row.wrong("x, y, z are not the place that latitude and longitude name")
        node = WaveNode(
            node=name,
            kind=row.one_of("kind", KINDS),
            latitude=latitude,
            longitude=longitude,
            place=place,
            shipment_minor=row.whole("shipment_minor"),
            handling_minor=row.whole("handling_minor"),
            capacity=row.whole("capacity_orders") if row.fields["capacity_orders"] else None,
        )
        nodes.append(node)
    if not nodes:
        raise Malformed("nodes.csv", None, "it lists no node")
    return nodes


def _place(row: Row) -> Place:
    place = row.real("x", 1.5), row.real("y", 1.5), row.real("z", 1.5)
    if abs(math.hypot(*place) - 1.0) > ON_SPHERE:
        raise row.wrong("x, y, z must be a unit vector")
    return place


def _orders(source: Source, position: dict[str, int]) -> list[WaveOrder]:
    orders, seen = [], set()
    for row in source.rows("orders.csv", ORDERS):
        name, service = row.text("order"), row.one_of("service", SERVICES)
        if name in seen:
            raise row.wrong(f"the order {name!r} is listed twice")
        seen.add(name)
        asked = row.fields["pickup_node"]
        if (service == "pickup") != bool(asked):
            raise row.wrong("pickup_node must be named for pickup orders, and for no others")
        if asked and asked not in position:
            raise row.wrong(f"the pickup_node {asked!r} is not among the nodes")
        orders.append(WaveOrder(name, service, position.get(asked, NOWHERE), _place(row), []))
    return orders


def _lines(source: Source, orders: list[WaveOrder], stock: dict[str, dict[int, int]]) -> int:
    names = {sku: sku for sku in stock}  # one string a SKU, however many lines name it
    at, count = NOWHERE, 0
    following: Iterator[int] = iter(range(len(orders)))
    for row in source.rows("lines.csv", LINES):
        count += 1
        if at == NOWHERE or row.fields["order"] != orders[at].order:
            at = next(following, NOWHERE)
            if at == NOWHERE or row.fields["order"] != orders[at].order:
                expected = "no order" if at == NOWHERE else repr(orders[at].order)
                raise row.wrong(f"a line of {row.fields['order']!r}; lines follow the orders, {expected} comes next")
        lines = orders[at].lines
        if row.whole("line", 1) != len(lines) + 1:
            raise row.wrong(f"line is {row.fields['line']}; it must be {len(lines) + 1}: an order's lines count from 1")
        sku = names.get(row.text("sku"))
        if sku is None:
            raise row.wrong(f"the sku {row.fields['sku']!r} is not in skus.csv")
        if any(sku == other for other, _ in lines):
            raise row.wrong(f"the order {orders[at].order!r} names the sku {sku!r} twice")
        lines.append((sku, row.whole("quantity", 1)))
    without = next(following, None)
    if without is not None:
        raise Malformed("lines.csv", None, f"the order {orders[without].order!r} has no line")
    return count


def _stock(source: Source, position: dict[str, int], stock: dict[str, dict[int, int]]) -> int:
    count = 0
    for row in source.rows("stock.csv", STOCK):
        count += 1
        cells, node = stock.get(row.fields["sku"]), position.get(row.fields["node"])
        if cells is None:
            raise row.wrong(f"the sku {row.fields['sku']!r} is not in skus.csv")
        if node is None:
            raise row.wrong(f"the node {row.fields['node']!r} is not in nodes.csv")
        if node in cells:
            raise row.wrong(f"the stock of {row.fields['sku']!r} at {row.fields['node']!r} is listed twice")
        cells[node] = row.whole("available", 1)
    return count
