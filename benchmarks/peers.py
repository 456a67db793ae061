"""How order-management systems source today: rules that decide order by order, in plain Python, over every node.

Each rule takes a wave and leaves assignments; its time is the processor's time of deciding alone, distances included.
The plain checker prices what it decided, with the terms by which ours is priced.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.instance_check import Checked, account, check, require_sound
from benchmarks.instance_wave import NOWHERE, Assigned, Solution, Wave, WaveOrder

NO_LIMIT: Final = 1 << 40
STORES_FOR_ONE_HOUR: Final = 10
"""How many near stores the rule for one hour looks at."""

Cells = dict[int, int]
"""Node -> units of one SKU."""
Rule = Callable[[Wave], list[Assigned]]


@dataclass(frozen=True)
class PeerPlan:
    """What a rule decided about a wave (or its first orders), what that costs, and how long deciding took."""

    name: str
    solution: Solution
    checked: Checked
    cpu_s: float
    orders: int
    """How many orders of the wave it decided, from the first."""

    @property
    def cost_minor(self) -> int:
        """The cost by the checker's reckoning."""
        return self.checked.cost_minor


def decide(name: str, wave: Wave, rule: Rule) -> PeerPlan:
    """Time a rule on a wave, price its plan, and insist that it is sound."""
    start = time.process_time()
    assigned = rule(wave)
    cpu_s = time.process_time() - start
    cost_minor = account(wave, assigned).cost_minor
    solution = Solution(wave.name, assigned, cost_minor, facts={"rule": name, "cpu_s": cpu_s})
    return PeerPlan(name, solution, require_sound(check(wave, solution)), cpu_s, len(wave.orders))


class Shelves:
    """Stock and room that a rule draws down, and what it decided so far."""

    def __init__(self, wave: Wave) -> None:
        self.stock = {sku: dict(cells) for sku, cells in wave.stock.items()}
        self.room = [NO_LIMIT if node.capacity is None else node.capacity for node in wave.nodes]
        self.assigned: list[Assigned] = []
        self._names = [node.node for node in wave.nodes]
        self._places = [node.place for node in wave.nodes]
        self._all = range(len(wave.nodes))

    def nearest_first(self, order: WaveOrder) -> list[int]:
        """Every node by its distance to the buyer, ties by id; the pickup node before all."""
        x, y, z = order.place
        away = [(x - a) * (x - a) + (y - b) * (y - b) + (z - c) * (z - c) for a, b, c in self._places]
        if order.pickup != NOWHERE:
            away[order.pickup] = -1.0
        return sorted(self._all, key=away.__getitem__)

    def holders_first(self, order: WaveOrder) -> list[int]:
        """As `nearest_first`, of the nodes that had some of the order's SKUs: the others cannot matter."""
        x, y, z = order.place
        away = []
        for at in set().union(*(self.stock[sku] for sku, _ in order.lines)):
            a, b, c = self._places[at]
            near = at == order.pickup
            away.append((-1.0 if near else (x - a) * (x - a) + (y - b) * (y - b) + (z - c) * (z - c), at))
        return [at for _, at in sorted(away)]

    def wanted(self, order: WaveOrder) -> list[tuple[Cells, int]]:
        """For every line who has it, and the units wanted."""
        return [(self.stock[sku], quantity) for sku, quantity in order.lines]

    def first_with_all(self, wanted: Sequence[tuple[Cells, int]], nodes: Iterable[int]) -> int | None:
        """The first of the nodes that has room, and every line whole."""
        room = self.room
        for at in nodes:
            if room[at] > 0 and all(cells.get(at, 0) >= quantity for cells, quantity in wanted):
                return at
        return None

    def first_for_each(self, wanted: Sequence[tuple[Cells, int]], nodes: Sequence[int]) -> dict[int, int]:
        """Line (from 0) -> the first of the nodes that has room and that line whole."""
        chosen, room = {}, self.room
        for line, (cells, quantity) in enumerate(wanted):
            for at in nodes:
                if cells.get(at, 0) >= quantity and room[at] > 0:
                    chosen[line] = at
                    break
        return chosen

    def take_whole(self, order: WaveOrder, chosen: dict[int, int]) -> None:
        """Serve each chosen line (from 0) whole from its node."""
        self.take(order, [(line, at, order.lines[line][1]) for line, at in chosen.items()])

    def take(self, order: WaveOrder, parts: Sequence[tuple[int, int, int]]) -> None:
        """Serve (line from 0, node, units)."""
        for line, at, units in parts:
            self.stock[order.lines[line][0]][at] -= units
            self.assigned.append(Assigned(order.order, line + 1, self._names[at], units))
        for at in {at for _, at, _ in parts}:
            self.room[at] -= 1


def nearest_node(wave: Wave) -> list[Assigned]:
    """What most teams write: the nearest node that has all lines, else the nearest for each line.

    Stock in a dict, all nodes sorted by distance, a pickup order's own node before all. The yardstick of time for others.
    """
    shelves = Shelves(wave)
    for order in wave.orders:
        _one_or_each(shelves, order, shelves.nearest_first(order))
    return shelves.assigned


def nearest_holder(wave: Wave) -> list[Assigned]:
    """The same decisions as `nearest_node`, by an index of who holds what: what a team writes once that is too slow."""
    shelves = Shelves(wave)
    for order in wave.orders:
        _one_or_each(shelves, order, shelves.holders_first(order))
    return shelves.assigned


def _one_or_each(shelves: Shelves, order: WaveOrder, nodes: Sequence[int]) -> None:
    """The whole order from the first of the nodes that has it, else each line from the first that has that."""
    wanted = shelves.wanted(order)
    one = shelves.first_with_all(wanted, nodes)
    if one is None:
        shelves.take_whole(order, shelves.first_for_each(wanted, nodes))
    else:
        shelves.take_whole(order, dict.fromkeys(range(len(wanted)), one))


def priority_list(wave: Wave) -> list[Assigned]:
    """The priority list of commerce and ERP suites: nodes in one fixed order, here warehouses before stores.

    The first node on the list that has the whole order serves it; else each line goes to the first that has it. A
    pickup order's own node stands before the list.
    """
    shelves = Shelves(wave)
    listed = sorted(range(len(wave.nodes)), key=lambda at: (not wave.nodes[at].is_warehouse, at))
    for order in wave.orders:
        _one_or_each(shelves, order, listed if order.pickup == NOWHERE else [order.pickup, *listed])
    return shelves.assigned


def sorted_sources(wave: Wave) -> list[Assigned]:
    """The source selection of multi-source inventory in web shops: line by line, down the sources by distance.

    Each source gives what it has until the line is full, split by quantity where one has too little; that one node
    might have had everything does not matter to it.
    """
    shelves = Shelves(wave)
    for order in wave.orders:
        by_distance = shelves.nearest_first(order)
        parts = []
        for line, (cells, quantity) in enumerate(shelves.wanted(order)):
            open_units = quantity
            for at in by_distance:
                units = min(cells.get(at, 0), open_units)
                if units > 0 and shelves.room[at] > 0:
                    parts.append((line, at, units))
                    open_units -= units
                    if not open_units:
                        break
        shelves.take(order, parts)
    return shelves.assigned


def rules_in_sequence(wave: Wave) -> list[Assigned]:
    """The routing rules of hosted shop platforms: one rule after the other until one finds a node, with a daily limit.

    Collect where the buyer asked; one hour from one of the nearest stores; the nearest warehouse that has the whole
    order; the nearest node that has it; else each line from the nearest that has it. The daily limit is the node's
    capacity: a node that reached it is passed over.
    """
    shelves = Shelves(wave)
    is_warehouse = [node.is_warehouse for node in wave.nodes]
    for order in wave.orders:
        by_distance, wanted = shelves.nearest_first(order), shelves.wanted(order)
        rules: list[list[int]] = [by_distance]
        if order.service == "ship":
            rules.insert(0, [at for at in by_distance if is_warehouse[at]])
        elif order.service == "one_hour":
            rules.insert(0, [at for at in by_distance if not is_warehouse[at]][:STORES_FOR_ONE_HOUR])
        for nodes in rules:
            one = shelves.first_with_all(wanted, nodes)
            if one is not None:
                shelves.take_whole(order, dict.fromkeys(range(len(wanted)), one))
                break
        else:
            shelves.take_whole(order, shelves.first_for_each(wanted, by_distance))
    return shelves.assigned
