"""Kits in orders: a line of a kit is sourced as its components, all from one node, and told of in kits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from omo_core.allocation import (
    AllocationProblem,
    DemandLine,
    LineShortfall,
    NetworkIndex,
    OrderDemand,
    OrderPlan,
    SourcingPolicy,
)
from omo_core.model.refusals import Refusal
from omo_core.orders.entries import OrderEntry


class Kit(NamedTuple):
    """What a line's kit is put together from."""

    sku: str
    components: Mapping[str, int]


Kits = Mapping[str, Kit]
"""The kits of one order, by line."""

Cuts = dict[str, list[LineShortfall]]
"""By demand's order."""


def kits_of(entry: OrderEntry) -> dict[str, Kit]:
    """The order's lines that are kits."""
    return {line.line: Kit(line.sku, line.recipe) for line in entry.lines.values() if line.components}


def demand_lines(line: str, sku: str, units: int, kit: Kit | None) -> Iterator[DemandLine]:
    """What the allocator is asked for so many units of a line: of a kit its components, which come together."""
    if kit is None:
        yield DemandLine(line=line, sku=sku, quantity=units)
        return
    for part, each in kit.components.items():
        yield DemandLine(line=line, sku=part, quantity=units * each, together=line)


def lines_in_kits(lines: Iterable[DemandLine], kits: Kits) -> dict[str, int]:
    """Units of each line, those of kits in kits."""
    return {
        one.line: one.quantity // kits[one.line].components[one.sku] if one.line in kits else one.quantity
        for one in lines
    }


def told_in_kits(plan: OrderPlan, kits: Kits) -> OrderPlan:
    """The plan with what its kits lack told once a line, in kits; its assignments name components."""
    if not any(one.line in kits for one in plan.shortfalls):
        return plan
    told: dict[str, LineShortfall] = {}
    for number, one in enumerate(plan.shortfalls):
        if (kit := kits.get(one.line)) is None:
            told[f"/{number}"] = one
        elif one.line not in told:
            each = kit.components[one.sku]
            told[one.line] = shortfall(one.line, kit.sku, one.missing // each, one.code, one.wanted // each)
    return replace(plan, shortfalls=tuple(told.values()))


@dataclass(slots=True)
class OneNode:
    """Demands whose kits some node can put together, and what that left out, by demand's order."""

    demands: list[OrderDemand] = field(default_factory=list)
    cuts: Cuts = field(default_factory=dict)
    emptied: list[OrderDemand] = field(default_factory=list)


def within_one_node(
    demands: Sequence[OrderDemand],
    kits: Mapping[str, Kits],
    stock: Sequence[tuple[str, str, int]],
    index: NetworkIndex,
    policy: SourcingPolicy,
) -> OneNode:
    """Cut kits to as many as one eligible node can put together from `stock`: parts of a line are never apart.

    Where an order wants an item by itself that a kit of it needs too, both are one question to one node; what that node
    lacks of it waits for the next attempt. `kits` is by demand's order; demands without any pass as they are.
    """
    found = OneNode()
    shelves: dict[str, dict[str, int]] = defaultdict(dict)
    wanted = {part for own in kits.values() for kit in own.values() for part in kit.components}
    for sku, node, units in stock:
        if sku in wanted:
            shelves[node][sku] = units
    first = {
        demand.order: _cut(demand, kits[demand.order], shelves, shelves) for demand in demands if demand.order in kits
    }
    unsure = [lines for lines, _ in first.values() if lines is not None and _has_choice(lines, kits[lines.order])]
    for demand, nodes in zip(unsure, _eligible(unsure, stock, index, policy), strict=True):
        again, cuts = _cut(demand, kits[demand.order], shelves, nodes)
        first[demand.order] = again, [*first[demand.order][1], *cuts]
    for demand in demands:
        kept, cuts = first.get(demand.order, (demand, []))
        if cuts:
            found.cuts[demand.order] = list(merged(cuts))
        if kept is None:
            found.emptied.append(demand)
        else:
            found.demands.append(kept)
    return found


def merged(shortfalls: Iterable[LineShortfall]) -> tuple[LineShortfall, ...]:
    """One shortfall a line: the first one's reason, and what the others add; wanted is what was wanted first."""
    by_line: dict[str, LineShortfall] = {}
    for one in shortfalls:
        first = by_line.get(one.line)
        wanted = one.wanted if first is None else max(first.wanted, one.wanted)
        missing = one.missing if first is None else first.missing + one.missing
        by_line[one.line] = replace(first or one, missing=missing, wanted=wanted)
    return tuple(by_line.values())


def _has_choice(demand: OrderDemand, kits: Kits) -> bool:
    """Whether fewer could be asked for: several of a kit, or a kit and something that shares an item with it."""
    skus = Counter(line.sku for line in demand.lines)
    own = [line for line in demand.lines if line.line in kits]
    return any(line.quantity > kits[line.line].components[line.sku] or skus[line.sku] > 1 for line in own)


def _eligible(
    demands: Sequence[OrderDemand], stock: Sequence[tuple[str, str, int]], index: NetworkIndex, policy: SourcingPolicy
) -> list[Collection[str]]:
    """For each demand the nodes that rules let serve it and that hold something of it."""
    if not demands:
        return []
    problem = AllocationProblem.build(index, demands, stock, policy).with_all_candidates()
    ptr = problem.block.candidate_ptr
    return [
        {index.nodes[node].node for node in np.unique(problem.block.node[ptr[row] : ptr[row + 1]]).tolist()}
        for row in range(problem.orders)
    ]


def _cut(
    demand: OrderDemand, kits: Kits, shelves: Mapping[str, Mapping[str, int]], nodes: Collection[str]
) -> tuple[OrderDemand | None, list[LineShortfall]]:
    """The demand as far as one of the nodes can serve its kits, and what it lacks then; None where nothing is left."""
    asked = lines_in_kits(demand.lines, kits)
    skus = {line.line: line.sku for line in demand.lines}
    left = dict(asked)
    for group in _groups(demand, kits):
        usable = (shelf for node in sorted(nodes) if node not in demand.excluded_nodes and (shelf := shelves.get(node)))
        offers = (_served(group, asked, skus, kits, shelf) for shelf in usable)
        best = max(offers, key=partial(_worth, kits=kits), default=None)
        left.update({line: 0 for line in group if line in kits} if best is None else best)
    cuts = [
        shortfall(line, kits[line].sku, units - left[line], "kit_apart", units)
        if line in kits
        else shortfall(line, skus[line], units - left[line], "waits_for_kit", units)
        for line, units in asked.items()
        if left[line] < units
    ]
    if not cuts:
        return demand, cuts
    lines = tuple(
        part for line, units in left.items() if units for part in demand_lines(line, skus[line], units, kits.get(line))
    )
    return (replace(demand, lines=lines) if lines else None), cuts


def _groups(demand: OrderDemand, kits: Kits) -> list[list[str]]:
    """Lines of kits with all lines that share an item with them, kits first."""
    needs: dict[str, set[str]] = defaultdict(set)
    for asked in demand.lines:
        needs[asked.line].add(asked.sku)
    groups: list[tuple[set[str], set[str]]] = []
    for line, skus in needs.items():
        lines, items = {line}, set(skus)
        apart = []
        for group in groups:
            if group[1] & items:
                lines, items = lines | group[0], items | group[1]
            else:
                apart.append(group)
        groups = [*apart, (lines, items)]
    return [
        sorted((line for line in needs if line in lines), key=lambda line: line not in kits)
        for lines, _ in groups
        if lines & kits.keys()
    ]


def _served(
    group: Sequence[str], asked: Mapping[str, int], skus: Mapping[str, str], kits: Kits, shelf: Mapping[str, int]
) -> dict[str, int]:
    """How many of each line of a group one node can serve, the lines in their order; items no kit takes are left alone."""
    free, taken, served = dict(shelf), set[str](), dict[str, int]()
    for line in group:
        if (kit := kits.get(line)) is not None:
            units = min([asked[line], *(free.get(part, 0) // each for part, each in kit.components.items())])
            for part, each in kit.components.items() if units else ():
                free[part] -= units * each
                taken.add(part)
        else:
            units = min(asked[line], free.get(skus[line], 0)) if skus[line] in taken else asked[line]
            free[skus[line]] = free.get(skus[line], 0) - units
        served[line] = units
    return served


def _worth(served: Mapping[str, int], kits: Kits) -> tuple[int, int]:
    """What a node serves of a group: kits count before single items."""
    return sum(units for line, units in served.items() if line in kits), sum(served.values())


def shortfall(line: str, sku: str, missing: int, code: str, wanted: int) -> LineShortfall:
    """What a line lacks, with the sentence of its code."""
    why = Refusal.of(code, sku=sku, missing=missing, wanted=wanted).sentence
    return LineShortfall(line, sku, missing, code, why, wanted)
