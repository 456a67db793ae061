"""The checker: recomputes a solution's cost, stock and capacity from the raw files, in plain Python and nothing else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.instance_format import read_solution, read_wave
from benchmarks.instance_wave import Assigned, Place, Solution, Wave, WaveOrder

EARTH_RADIUS_M: Final = 6_371_008.8
TERMS: Final = ("shipping", "distance", "handling", "lateness", "service", "split", "unserved")
MOST_FINDINGS: Final = 100
"""A solution that is wrong in more places is wrong enough."""


@dataclass
class Checked:
    """What a solution costs and what is wrong with it."""

    cost_by_term: dict[str, int]
    lower_bound_minor: int | None
    unserved_units: int
    shipments: int
    found: list[str] = field(default_factory=list)

    @property
    def cost_minor(self) -> int:
        """The recomputed cost."""
        return sum(self.cost_by_term.values())

    @property
    def gap(self) -> float | None:
        """(cost − claimed bound) / cost; None where no bound was claimed."""
        if self.lower_bound_minor is None:
            return None
        return (self.cost_minor - self.lower_bound_minor) / max(self.cost_minor, 1)


def check_files(instance: Path, solution: Path) -> Checked:
    """Check a solution file against an instance file; raises `Malformed` where one of them cannot be read."""
    return check(read_wave(instance), read_solution(solution))


def check(wave: Wave, solution: Solution) -> Checked:
    """Check feasibility, and the claimed cost and bound against the recomputed cost.

    A claimed bound above the cost is certainly wrong; that no plan costs less than the bound is not proven here.
    """
    checked = account(wave, solution.assigned)
    found = checked.found
    if solution.instance != wave.name:
        found.append(f"the solution is of {solution.instance!r}, the instance is {wave.name!r}")
    if solution.cost_minor != checked.cost_minor:
        found.append(f"the claimed cost is {solution.cost_minor}, recomputed {checked.cost_minor}")
    checked.lower_bound_minor = bound = solution.lower_bound_minor
    if bound is not None and bound > checked.cost_minor:
        found.append(f"the claimed lower bound {bound} is above the cost {checked.cost_minor}")
    if len(found) > MOST_FINDINGS:
        found[MOST_FINDINGS:] = [f"and {len(found) - MOST_FINDINGS} findings more"]
    return checked


def account(wave: Wave, assigned: Iterable[Assigned]) -> Checked:
    """Feasibility and cost by term of these assignments, without any claim."""
    book = _Book(wave)
    for row, one in enumerate(assigned, 1):
        book.enter(row, one)
    book.close()
    return Checked(book.terms, None, book.unserved, book.shipments, book.found)


@dataclass
class _Book:
    """Assignments as they are entered, sorted by order; the orders are priced when all are in."""

    wave: Wave
    found: list[str] = field(default_factory=list)
    unserved: int = 0
    shipments: int = 0

    def __post_init__(self) -> None:
        self.terms = dict.fromkeys(TERMS, 0)
        self.order_at = {order.order: at for at, order in enumerate(self.wave.orders)}
        self.node_at = {node.node: at for at, node in enumerate(self.wave.nodes)}
        self.parts: list[dict[tuple[int, int], int]] = [{} for _ in self.wave.orders]
        self.orders_at: Counter[int] = Counter()
        self.taken: Counter[tuple[str, int]] = Counter()

    def enter(self, row: int, one: Assigned) -> None:
        """Look at one assignment by itself."""
        at, node = self.order_at.get(one.order), self.node_at.get(one.node)
        where = f"assignment {row} (order {one.order}, line {one.line}, node {one.node})"
        if at is None:
            self.found.append(f"{where}: the instance has no such order")
        elif node is None:
            self.found.append(f"{where}: the instance has no such node")
        elif not 1 <= one.line <= len(self.wave.orders[at].lines):
            self.found.append(f"{where}: the order has no such line")
        elif one.quantity < 1:
            self.found.append(f"{where}: {one.quantity} units; an assignment is of one unit or more")
        elif (one.line, node) in self.parts[at]:
            self.found.append(f"{where}: the same line and node were assigned before")
        else:
            self.parts[at][one.line, node] = one.quantity
            self.taken[self.wave.orders[at].lines[one.line - 1][0], node] += one.quantity

    def close(self) -> None:
        """Price every order and look at what all of them take together."""
        for order, parts in zip(self.wave.orders, self.parts, strict=True):
            self._order(order, parts)
        for (sku, node), units in sorted(self.taken.items()):
            has = self.wave.stock[sku].get(node, 0)
            if units > has:
                self.found.append(f"{self.wave.nodes[node].node} gives {units} units of {sku} but has {has}")
        for at, orders in sorted(self.orders_at.items()):
            most = self.wave.nodes[at].capacity
            if most is not None and orders > most:
                self.found.append(f"{self.wave.nodes[at].node} serves {orders} orders but can take {most}")

    def _order(self, order: WaveOrder, parts: dict[tuple[int, int], int]) -> None:
        missing = [quantity for _, quantity in order.lines]
        units_from: dict[int, int] = {}
        for (line, node), quantity in parts.items():
            missing[line - 1] -= quantity
            units_from[node] = units_from.get(node, 0) + quantity
        for line, units in enumerate(missing, 1):
            if units < 0:
                self.found.append(f"order {order.order}, line {line}: {-units} units more than it wants are assigned")
        self.shipments += len(units_from)
        for node, units in units_from.items():
            self.orders_at[node] += 1
            add_shipment(self.terms, self.wave, order, node, units)
        unserved = sum(max(units, 0) for units in missing)
        self.unserved += unserved
        self.terms["split"] += max(len(units_from) - 1, 0) * self.wave.prices.per_extra_node_minor
        self.terms["unserved"] += unserved * self.wave.prices.unserved_minor


def add_shipment(terms: dict[str, int], wave: Wave, order: WaveOrder, at: int, units: int) -> None:
    """Add to the terms what these units of the order cost from the wave's `at`-th node."""
    prices, node = wave.prices, wave.nodes[at]
    metres = metres_between(order.place, node.place)
    unit_way = rated(prices.unit_per_1000_km_minor, metres)
    terms["handling"] += node.handling_minor * units
    if order.pickup == at:
        terms["handling"] += unit_way * units
        terms["service"] += prices.pickup_minor
        return
    terms["shipping"] += node.shipment_minor
    terms["distance"] += rated(prices.shipment_per_1000_km_minor, metres) + unit_way * units
    if order.service == "ship":
        days = -(-metres // prices.metres_per_day) - prices.free_days
        terms["lateness"] += max(days, 0) * prices.lateness_per_day_minor
    elif order.service == "pickup":
        terms["service"] += prices.pickup_elsewhere_minor
    else:
        terms["service"] += prices.one_hour_minor
        if metres > prices.one_hour_radius_m or node.is_warehouse:
            terms["service"] += prices.one_hour_missed_minor


def price_of(wave: Wave, order: WaveOrder, at: int) -> tuple[int, int]:
    """What a shipment of this order from the wave's `at`-th node costs whatever is in it, and what each unit adds."""
    empty, one = dict.fromkeys(TERMS, 0), dict.fromkeys(TERMS, 0)
    add_shipment(empty, wave, order, at, 0)
    add_shipment(one, wave, order, at, 1)
    fixed = sum(empty.values())
    return fixed, sum(one.values()) - fixed


def metres_between(a: Place, b: Place) -> int:
    """The great circle's whole metres, halves up: 2 R asin(chord / 2)."""
    x, y, z = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    return int(2.0 * EARTH_RADIUS_M * math.asin(min(1.0, 0.5 * math.sqrt(x * x + y * y + z * z))) + 0.5)


def rated(rate_minor: int, metres: int) -> int:
    """A rate for each 1,000 km, in whole minor units, halves up."""
    return (rate_minor * metres + 500_000) // 1_000_000


def require_sound(checked: Checked) -> Checked:
    """The same, or an error that says what is wrong: a benchmark tells no figure of a plan that is not sound."""
    if checked.found:
        raise ValueError(f"the checker does not accept this plan: {'; '.join(checked.found[:5])}")
    return checked


def summary(checked: Checked) -> list[str]:
    """What there is to say of a solution, line by line."""
    lines = [f"{name:<12}{minor:>16,}" for name, minor in checked.cost_by_term.items()]
    lines.append(f"{'cost':<12}{checked.cost_minor:>16,}")
    lines.append(f"{checked.shipments:,} shipments, {checked.unserved_units:,} units not served")
    if checked.gap is not None:
        lines.append(f"gap {checked.gap:.4%} to the claimed lower bound {checked.lower_bound_minor:,}")
    return lines + (checked.found or ["the solution is sound"])
