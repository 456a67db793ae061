"""Naive twin of the router's kernel: the arrays taken apart into lists, every candidate kept, nothing stopped early."""

from __future__ import annotations

from typing import Any

from omo_core.allocation.block import Block
from omo_core.allocation.scratch import Scratch
from tests import naive


def route_order(order: Any, warm: Any, work: Any) -> int:
    """The cheapest way at live stock and prices, taken; -1 if a line should be split."""
    numbers = order.tolist()
    candidates, lines, entries = numbers[:3]
    cells, nodes, split, max_nodes, most_lines = warm[:5].tolist()
    rest = iter(numbers[7:])

    def next_of(size: int) -> list[int]:
        return [next(rest) for _ in range(size)]

    quantity, unserved, node, fixed, entry_ptr, line, cell, unit = map(
        next_of, (lines, lines, candidates, candidates, candidates + 1, entries, entries, entries)
    )
    stock, cell_price = warm[5 : 5 + cells], warm[5 + cells : 5 + 2 * cells]
    capacity, node_price = warm[5 + 2 * cells : 5 + 2 * cells + nodes], warm[5 + 2 * cells + nodes :]
    block = Block(
        line_ptr=[0, lines],
        quantity=quantity,
        unserved_minor=unserved,
        candidate_ptr=[0, candidates],
        node=node,
        fixed_minor=[int(price + node_price[at]) for price, at in zip(fixed, node, strict=True)],
        floor_minor=fixed,
        entry_ptr=entry_ptr,
        line=line,
        cell=cell,
        unit_minor=[int(price + cell_price[at]) for price, at in zip(unit, cell, strict=True)],
        ruled=[0],
        whole=[0],
        group=[-1] * lines,
        weight_g=[0] * lines,
        tariff=[-1] * candidates,
        band_ptr=[0],
        band_up_to_g=[],
        band_minor=[],
        floor_base_minor=[],
        floor_gram_minor=[],
        work=[(1, 0, 0)] * nodes,
    )
    pick, picked_from = [-1] * lines, [-1] * lines
    scratch = Scratch(None, None, None, None, None, None, None, pick, picked_from)
    cost = naive.decide_order(block, 0, stock, capacity, split, max_nodes, scratch)
    for i in range(lines):
        work[i] = cell[pick[i]] if pick[i] >= 0 else -1
        work[most_lines + i] = picked_from[i]
    for i in range(lines):
        open_entries = [e for e in range(entries) if line[e] == i and _is_open(e, block, capacity)]
        if pick[i] < 0 and 0 < max((stock[cell[e]] for e in open_entries), default=0) < quantity[i]:
            return -1
    for i in range(lines):
        if pick[i] >= 0:
            stock[cell[pick[i]]] -= quantity[i]
    for candidate in set(picked_from) - {-1}:
        capacity[node[candidate]] -= 1
    return int(cost)


def _is_open(entry: int, block: Any, capacity: Any) -> bool:
    owner = next(at for at in range(len(block.node)) if block.entry_ptr[at + 1] > entry)
    return bool(capacity[block.node[owner]] > 0)
