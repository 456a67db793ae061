"""Naive twins of the dual's kernels: same names, same answers, plain Python that is obviously right."""

# ruff: noqa: PLR0917 - the twins take what the kernels take

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

MOMENTUM = 0.85
MEMORY = 0.9
STILL = 0.01
PASSES = 12


def ways(block: Any, order: int, cell_price: Any, node_price: Any) -> tuple[list[int], dict[int, Any], list[Any]]:
    """An order's quantities, what opening each candidate costs, and for each line {candidate: (cost, cell)}."""
    first, stop = int(block.line_ptr[order]), int(block.line_ptr[order + 1])
    wanted = [int(one) for one in block.quantity[first:stop]]
    opening = {}
    lines: list[dict[int, tuple[int, int]]] = [{} for _ in wanted]
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        opening[candidate] = int(block.fixed_minor[candidate] + node_price[block.node[candidate]])
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            line, cell = int(block.line[entry]), int(block.cell[entry])
            unit = int(block.unit_minor[entry] + cell_price[cell])
            lines[line][candidate] = unit * wanted[line], cell
    return wanted, opening, lines


def penalties(block: Any, order: int) -> list[int]:
    first, stop = block.line_ptr[order], block.line_ptr[order + 1]
    return [int(block.unserved_minor[row] * block.quantity[row]) for row in range(first, stop)]


def value_orders(
    block: Any,
    first: int,
    stop: int,
    cell_price: Any,
    node_price: Any,
    split: int,
    max_nodes: int,
    scratch: Any,
    value: Any,
    cell_use: Any,
    node_use: Any,
) -> None:
    """Try every set of nodes; each line goes its cheapest way among them."""
    for order in range(first, stop):
        wanted, opening, lines = ways(block, order, cell_price, node_price)
        if len(wanted) > len(scratch.pick):
            continue
        penalty = penalties(block, order)
        best, best_set = sum(penalty), tuple[int, ...]()
        for size in range(1, min(len(wanted), max_nodes) + 1):
            for nodes in combinations(opening, size):
                cost = sum(opening[one] for one in nodes) + (size - 1) * split
                for line, way in enumerate(lines):
                    cost += min([penalty[line]] + [way[one][0] for one in nodes if one in way])
                if cost < best:
                    best, best_set = cost, nodes
        value[order] = best
        for line, way in enumerate(lines):
            cost, cell = min([(penalty[line], -1)] + [way[one] for one in best_set if one in way])
            if cell >= 0:
                cell_use[cell] += wanted[line]
        for one in best_set:
            node_use[block.node[one]] += 1


def bound_long_orders(
    block: Any,
    long: Any,
    first: int,
    stop: int,
    cell_price: Any,
    node_price: Any,
    split: int,
    ascent: Any,
    value: Any,
    cell_use: Any,
    node_use: Any,
) -> None:
    """Dual ascent of the facility location problem, on dictionaries."""
    for order in long.order[first:stop]:
        wanted, opening, lines = ways(block, order, cell_price, node_price)
        slack = {candidate: cost + split for candidate, cost in opening.items()}
        most = penalties(block, order)
        paid = [min([most[line]] + [cost for cost, _ in way.values()]) for line, way in enumerate(lines)]
        for to_the_end in [False] * PASSES + [True]:
            for line, way in enumerate(lines):
                goal = most[line]
                for candidate, (cost, _) in way.items():
                    if cost <= paid[line] or to_the_end:
                        goal = min(goal, max(cost, paid[line]) + slack[candidate])
                    else:
                        goal = min(goal, cost)
                for candidate, (cost, _) in way.items():
                    slack[candidate] -= max(goal - max(cost, paid[line]), 0)
                paid[line] = goal
        value[order] = max(sum(paid) - split, 0)
        opened: set[int] = set()
        for line, way in enumerate(lines):
            reached = [candidate for candidate, (cost, _) in way.items() if cost <= paid[line]]
            full = [(way[candidate][0], candidate) for candidate in reached if slack[candidate] == 0]
            if full and not opened & set(reached):
                opened.add(min(full)[1])
        for candidate in opened:
            node_use[block.node[candidate]] += 1
        for line, way in enumerate(lines):
            cost, _, cell = min([(most[line], -1, -1)] + [(way[one][0], one, way[one][1]) for one in opened & set(way)])
            if cell >= 0 and cost < most[line]:
                cell_use[cell] += wanted[line]


def step_prices(steps: Any, use: Any, rate: float, group_rate: float, price: Any) -> bool:
    """RMSprop with momentum, one price after another."""
    pulls: list[float] = []
    for row, limit, exact in zip(steps.row, steps.limit, steps.exact, strict=True):
        pull = float(use[row] - limit)
        pulls.append(0.0 if pull < 0 and exact <= 0 else pull)
    if not any(pulls):
        return False
    for group in range(len(steps.group_pull)):
        pulled = math.fsum(one for one, of in zip(pulls, steps.group, strict=True) if of == group)
        steps.group_pull[group] = pulled
        steps.group_drift[group] = MOMENTUM * steps.group_drift[group] + (1.0 - MOMENTUM) * pulled
        steps.group_spread[group] = MEMORY * steps.group_spread[group] + (1.0 - MEMORY) * (pulled * pulled)
    for i, (row, group, pull) in enumerate(zip(steps.row, steps.group, pulls, strict=True)):
        steps.drift[i] = MOMENTUM * steps.drift[i] + (1.0 - MOMENTUM) * pull
        steps.spread[i] = MEMORY * steps.spread[i] + (1.0 - MEMORY) * (pull * pull)
        step = rate * steps.drift[i] / math.sqrt(steps.spread[i] + STILL)
        if group >= 0:
            step += group_rate * steps.group_drift[group] / math.sqrt(steps.group_spread[group] + STILL)
        steps.exact[i] = min(max(steps.exact[i] + step, 0.0), steps.most[i])
        price[row] = int(steps.exact[i] + 0.5)
    return True


def mark_used(
    block: Any, cell_price: Any, node_price: Any, split: int, max_nodes: int, scratch: Any, value: Any, used: Any
) -> None:
    """The cells that an order uses stand at its candidates, one each."""
    for order in range(len(block.line_ptr) - 1):
        cell_use, node_use = [0] * len(cell_price), [0] * len(node_price)
        uses = value, cell_use, node_use
        value_orders(block, order, order + 1, cell_price, node_price, split, max_nodes, scratch, *uses)
        for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
            if node_use[block.node[candidate]]:
                used[candidate] = True
