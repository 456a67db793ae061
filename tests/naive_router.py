"""Naive twins of the router's kernels: arrays taken apart into lists, every candidate kept, nothing stopped early."""

# ruff: noqa: PLR0917 - twins take what their kernels take

from __future__ import annotations

from typing import Any

from omo_core.allocation.block import Block
from omo_core.allocation.scratch import Scratch
from tests import naive


def pack_order(
    quantity: Any,
    unserved_minor: Any,
    node: Any,
    fixed_minor: Any,
    entry_ptr: Any,
    line: Any,
    place: Any,
    unit_minor: Any,
    scale: int,
    order: Any,
) -> int:
    """The columns one after another, in the order of `Asked`; how many numbers."""
    quantity, entry_ptr, line = list(quantity), list(entry_ptr), list(line)
    lines, candidates = range(len(quantity)), range(len(node))
    adds = [price * scale * quantity[of] for price, of in zip(unit_minor, line, strict=True)]
    fixed = [price * scale for price in fixed_minor]
    own = {one: range(entry_ptr[one], entry_ptr[one + 1]) for one in candidates}
    several = [one for one in candidates if len(own[one]) > 1]
    entries = [entry for one in several for entry in own[one]]
    alone = [[one for one in candidates if [line[at] for at in own[one]] == [of]] for of in lines]
    numbers = [len(lines), len(several), len(entries), sum(map(len, alone))]
    numbers += quantity
    numbers += [price * scale * units for price, units in zip(unserved_minor, quantity, strict=True)]
    numbers += [min((one for one, at in zip(adds, line, strict=True) if at == of), default=1 << 55) for of in lines]
    numbers += [sum(map(len, alone[:of])) for of in range(len(lines) + 1)]
    for mine in alone:
        cost = [fixed[one] + adds[own[one][0]] for one in mine]
        for at, one in enumerate(mine):
            numbers += [min(cost[at:]), cost[at], place[own[one][0]], node[one], one]
    numbers += [node[one] for one in several]
    numbers += [fixed[one] for one in several]
    numbers += several
    numbers += [sum(1 << line[entry] for entry in own[one]) for one in several]
    numbers += [sum(len(own[one]) for one in several[:at]) for at in range(len(several) + 1)]
    numbers += [line[entry] for entry in entries]
    numbers += [place[entry] for entry in entries]
    numbers += [adds[entry] for entry in entries]
    order[: len(numbers)] = numbers
    return len(numbers)


def route_order(order: Any, warm: Any, work: Any) -> int:
    """The cheapest way at live stock and prices, taken; -1 if a line should be split."""
    cells, nodes, split, max_nodes = warm[:4].tolist()
    stock, cell_price = warm[5 : 5 + cells], warm[5 + cells : 5 + 2 * cells]
    capacity, node_price = warm[5 + 2 * cells : 5 + 2 * cells + nodes], warm[5 + 2 * cells + nodes :]
    quantity, unserved, candidates = _read(order.tolist())
    block = _block(quantity, unserved, candidates, cell_price, node_price)
    pick, picked_from = [-1] * len(quantity), [-1] * len(quantity)
    scratch = Scratch(None, None, None, None, None, None, None, pick, picked_from)
    cost = naive.decide_order(block, 0, stock, capacity, split, max_nodes, scratch)
    for i, entry in enumerate(pick):
        work[i] = block.cell[entry] if entry >= 0 else -1
    held = [(line, stock[cell]) for _, node, entries in candidates for line, cell, _ in entries if capacity[node] > 0]
    for i, units in enumerate(quantity):
        if pick[i] < 0 < max((there for line, there in held if line == i), default=0) < units:
            return -1
    for i, entry in enumerate(pick):
        if entry >= 0:
            stock[block.cell[entry]] -= quantity[i]
    for candidate in set(picked_from) - {-1}:
        capacity[block.node[candidate]] -= 1
    return int(cost)


def _read(numbers: list[int]) -> tuple[list[int], list[int], list[tuple[int, int, list[tuple[int, int, int]]]]]:
    """What a packed order says: quantities, prices of leaving lines unserved, and its candidates by rank, each with
    what its shipment costs, its node, and (line, cell, what all units add) of its entries."""
    rest = iter(numbers[4:])

    def next_of(size: int) -> list[int]:
        return [next(rest) for _ in range(size)]

    lines, several, entries, alone = numbers[:4]
    quantity, unserved, _, alone_ptr = map(next_of, (lines, lines, lines, lines + 1))
    ranked = {}
    for at in range(alone):
        line = max(of for of in range(lines) if alone_ptr[of] <= at)
        _, cost, cell, node, rank = next_of(5)
        ranked[rank] = cost, node, [(line, cell, 0)]
    node_of, fixed, ranks, _, ptr = map(next_of, (several, several, several, several, several + 1))
    held = list(zip(*map(next_of, (entries, entries, entries)), strict=True))
    for at, rank in enumerate(ranks):
        ranked[rank] = fixed[at], node_of[at], held[ptr[at] : ptr[at + 1]]
    return quantity, unserved, [ranked[rank] for rank in sorted(ranked)]


def _block(quantity: Any, unserved: Any, candidates: Any, cell_price: Any, node_price: Any) -> Block:
    """The order as a block at these prices; what a line costs stands as what one unit costs, of lines of one unit."""
    entries = [(entry, node) for _, node, own in candidates for entry in own]
    return Block(
        line_ptr=[0, len(quantity)],
        quantity=quantity,
        unserved_minor=[price // units for price, units in zip(unserved, quantity, strict=True)],
        candidate_ptr=[0, len(candidates)],
        node=[node for _, node, _ in candidates],
        fixed_minor=[fixed + int(node_price[node]) for fixed, node, _ in candidates],
        floor_minor=[fixed for fixed, _, _ in candidates],
        entry_ptr=[sum(len(own) for _, _, own in candidates[:at]) for at in range(len(candidates) + 1)],
        line=[line for (line, _, _), _ in entries],
        cell=[cell for (_, cell, _), _ in entries],
        unit_minor=[adds // quantity[line] + int(cell_price[cell]) for (line, cell, adds), _ in entries],
        ruled=[0],
        whole=[0],
        group=[-1] * len(quantity),
        weight_g=[0] * len(quantity),
        tariff=[-1] * len(candidates),
        band_ptr=[0],
        band_up_to_g=[],
        band_minor=[],
        floor_base_minor=[],
        floor_gram_minor=[],
        work=[(1, 0, 0)] * len(node_price),
    )
