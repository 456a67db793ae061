"""Kernels of the Lagrangian dual: orders valued at prices as if stock and capacity had no end, and the step of prices."""

# ruff: noqa: PLR0917 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel
from omo_core.allocation.kernels import (
    UNREACHABLE,
    Scratch,
    _partition,
    _read_partition,
    _sum_penalties,
    _work_of_picks,
    decide_under_rules_at,
)

MOMENTUM: Final = 0.85
"""How much of its last direction a price keeps."""
MEMORY: Final = 0.9
"""How much of a price's mean square pull stays from one step to the next."""


STILL: Final = 0.01
"""Added to mean squares, so that a price that is hardly pulled hardly moves."""


class Steps(NamedTuple):
    """Where prices may be above 0, and what the ascent remembers of each between two steps."""

    row: Any
    """int64[rows]: positions among the prices."""
    group: Any
    """int64[rows]: the SKU whose prices also move together, -1 for none."""
    limit: Any
    """int64[rows]: units in stock, or orders a node can take."""
    most: Any
    """float64[rows]: no price need be higher."""
    exact: Any
    """float64[rows]: the prices before rounding."""
    drift: Any
    """float64[rows]: smoothed pull."""
    spread: Any
    """float64[rows]: mean square pull."""
    group_pull: Any
    group_drift: Any
    group_spread: Any
    """float64[groups]: the same of the sum of a group's pulls."""


@kernel(allocates=False)
def value_orders(
    block: Block,
    first: int,
    stop: int,
    cell_price: Array,
    node_price: Array,
    split: int,
    max_nodes: int,
    scratch: Scratch,
    value: Array,
    cell_use: Array,
    node_use: Array,
) -> None:
    """The cheapest way to serve each of the orders `first..stop` at these prices, without any limit of units or nodes.

    Beside `decide_order` on priced costs, which gives the same values, because it takes 0.6 of that time: it adds prices on
    the way and looks at no limits. Costs of the block, `split` and prices are in the same unit. Writes `value[order]` and adds what the answer uses:
    units to `cell_use`, orders to `node_use`. Passes over orders with more lines than `scratch` (see `bound_long_orders`).
    """
    for order in range(first, stop):
        lines = block.line_ptr[order + 1] - block.line_ptr[order]
        if lines <= scratch.pick.size:
            value[order] = _value_order(block, order, cell_price, node_price, split, max_nodes, scratch)
            _add_use(block, order, lines, scratch, cell_use, node_use)


@kernel(allocates=False)
def mark_used(
    block: Block,
    cell_price: Array,
    node_price: Array,
    split: int,
    max_nodes: int,
    scratch: Scratch,
    value: Array,
    used: Array,
) -> None:
    """As `value_orders`, for all orders of the block; marks in `used` (bool[candidates]) what the answers use."""
    for order in range(block.line_ptr.size - 1):
        lines = block.line_ptr[order + 1] - block.line_ptr[order]
        if lines <= scratch.pick.size:
            value[order] = _value_order(block, order, cell_price, node_price, split, max_nodes, scratch)
            for line in range(lines):
                if scratch.pick[line] >= 0:
                    used[scratch.picked_from[line]] = True


@kernel(allocates=False)
def _value_order(
    block: Block,
    order: int,
    cell_price: Array,
    node_price: Array,
    split: int,
    max_nodes: int,
    scratch: Scratch,
) -> int:
    """The cheapest way to serve one short order at these prices; fills `pick` and `picked_from`."""
    lines = block.line_ptr[order + 1] - block.line_ptr[order]
    if block.ruled[order]:
        return decide_under_rules_at(block, order, cell_price, node_price, split, max_nodes, scratch)
    if lines == 1:
        return _value_one_line(block, order, cell_price, node_price, scratch)
    if lines == 2 and max_nodes >= 2:
        return _value_two_lines(block, order, cell_price, node_price, split, scratch)
    _price_subsets(block, order, cell_price, node_price, scratch)
    _sum_penalties(block, order, scratch.penalty)
    cost = _partition(lines, split, max_nodes, scratch)
    _read_partition(block, order, max_nodes, scratch)
    return cost


@kernel(allocates=False)
def _value_one_line(block: Block, order: int, cell_price: Array, node_price: Array, scratch: Scratch) -> int:
    """The cheapest candidate for an order of one line, which has one entry at each."""
    line = block.line_ptr[order]
    quantity = block.quantity[line]
    best, chosen = block.unserved_minor[line] * quantity, -1
    first = block.candidate_ptr[order]
    shift = block.entry_ptr[first] - first
    for candidate in range(first, block.candidate_ptr[order + 1]):
        if block.floor_minor[candidate] >= best:
            break
        price = node_price[block.node[candidate]] + cell_price[block.cell[candidate + shift]] * quantity
        cost = block.fixed_minor[candidate] + block.unit_minor[candidate + shift] * quantity + price
        if cost < best:
            best, chosen = cost, candidate
    scratch.pick[0] = chosen + shift if chosen >= 0 else -1
    scratch.picked_from[0] = chosen
    return int(best)


@kernel(allocates=False)
def _value_two_lines(
    block: Block, order: int, cell_price: Array, node_price: Array, split: int, scratch: Scratch
) -> int:
    """One node for both lines, two nodes, or one line alone; fills `pick` and `picked_from`."""
    pick, picked_from = scratch.pick, scratch.picked_from
    line = block.line_ptr[order]
    wanted_0, wanted_1 = block.quantity[line], block.quantity[line + 1]
    only_0 = only_1 = both = UNREACHABLE
    from_0 = from_1 = from_both = -1
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        if block.floor_minor[candidate] >= both:
            break
        entry, stop = block.entry_ptr[candidate], block.entry_ptr[candidate + 1]
        fixed, with_0 = block.fixed_minor[candidate] + node_price[block.node[candidate]], UNREACHABLE
        if block.line[entry] == 0:
            with_0 = fixed + (block.unit_minor[entry] + cell_price[block.cell[entry]]) * wanted_0
            if with_0 < only_0:
                only_0, from_0 = with_0, candidate
            entry += 1
        if entry < stop:
            add = (block.unit_minor[entry] + cell_price[block.cell[entry]]) * wanted_1
            if fixed + add < only_1:
                only_1, from_1 = fixed + add, candidate
            if with_0 + add < both:
                both, from_both = with_0 + add, candidate
    penalty_0, penalty_1 = block.unserved_minor[line] * wanted_0, block.unserved_minor[line + 1] * wanted_1
    best, picked_from[0], picked_from[1] = penalty_0 + penalty_1, -1, -1
    if only_0 < penalty_0:
        best, picked_from[0] = only_0 + penalty_1, from_0
    if both < best:
        best, picked_from[0], picked_from[1] = both, from_both, from_both
    if only_1 + min(penalty_0, only_0 + split) < best:
        best = only_1 + min(penalty_0, only_0 + split)
        picked_from[0] = from_0 if only_0 + split < penalty_0 else -1
        picked_from[1] = from_1
    pick[0] = block.entry_ptr[picked_from[0]] if picked_from[0] >= 0 else -1
    pick[1] = block.entry_ptr[picked_from[1] + 1] - 1 if picked_from[1] >= 0 else -1
    return int(best)


@kernel(allocates=False)
def _price_subsets(block: Block, order: int, cell_price: Array, node_price: Array, scratch: Scratch) -> None:
    """For each set of lines the cheapest single candidate at these prices: `cost` and `node_of`, up to 2^lines."""
    cost, node_of, sums, masks = scratch.cost, scratch.node_of, scratch.sums, scratch.masks
    first = block.line_ptr[order]
    every = (1 << (block.line_ptr[order + 1] - first)) - 1
    for mask in range(every + 1):
        cost[mask], node_of[mask] = UNREACHABLE, -1
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        if block.floor_minor[candidate] >= cost[every]:
            break
        sums[0], masks[0], size = block.fixed_minor[candidate] + node_price[block.node[candidate]], 0, 1
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            line = block.line[entry]
            add = (block.unit_minor[entry] + cell_price[block.cell[entry]]) * block.quantity[first + line]
            bit = 1 << line
            for i in range(size):
                total, mask = sums[i] + add, masks[i] | bit
                sums[size + i], masks[size + i] = total, mask
                if total < cost[mask]:
                    cost[mask], node_of[mask] = total, candidate
            size *= 2


@kernel(allocates=False)
def _add_use(block: Block, order: int, lines: int, scratch: Scratch, cell_use: Array, node_use: Array) -> None:
    """Count the picked entries' units, and each picked candidate once."""
    pick, picked_from = scratch.pick, scratch.picked_from
    for line in range(lines):
        if pick[line] < 0:
            continue
        cell_use[block.cell[pick[line]]] += block.quantity[block.line_ptr[order] + line]
        is_new = True
        for other in range(line):
            is_new = is_new and picked_from[other] != picked_from[line]
        if is_new:
            work = _work_of_picks(block, order, picked_from[line], scratch) if block.ruled[order] else 1
            node_use[block.node[picked_from[line]]] += work


@kernel(allocates=False)
def step_prices(steps: Steps, use: Array, rate: float, group_rate: float, price: Array) -> bool:
    """One step of the ascent: raise the prices of what is used beyond its limit, lower those of what is left over.

    Each price moves along its own smoothed pull over its root mean square (RMSprop with momentum), and the prices of
    one SKU also together along their sum. `use` and `price` are int64[prices]; `price` gets the rounded prices.
    False, and nothing done, when no price has a reason to move: then the bound is the best there is.
    """
    pulled = False
    steps.group_pull[:] = 0.0
    for i in range(steps.row.size):
        pull = use[steps.row[i]] - steps.limit[i]
        if pull > 0 or (pull < 0 and steps.exact[i] > 0.0):
            pulled = True
            if steps.group[i] >= 0:
                steps.group_pull[steps.group[i]] += pull
    if not pulled:
        return False
    for group in range(steps.group_pull.size):
        pull = steps.group_pull[group]
        steps.group_drift[group] = MOMENTUM * steps.group_drift[group] + (1.0 - MOMENTUM) * pull
        steps.group_spread[group] = MEMORY * steps.group_spread[group] + (1.0 - MEMORY) * (pull * pull)
    for i in range(steps.row.size):
        group = steps.group[i]
        pull = float(use[steps.row[i]] - steps.limit[i])
        if pull < 0.0 and steps.exact[i] <= 0.0:
            pull = 0.0
        steps.drift[i] = MOMENTUM * steps.drift[i] + (1.0 - MOMENTUM) * pull
        steps.spread[i] = MEMORY * steps.spread[i] + (1.0 - MEMORY) * (pull * pull)
        step = rate * steps.drift[i] / math.sqrt(steps.spread[i] + STILL)
        if group >= 0:
            step += group_rate * steps.group_drift[group] / math.sqrt(steps.group_spread[group] + STILL)
        steps.exact[i] = min(max(steps.exact[i] + step, 0.0), steps.most[i])
        price[steps.row[i]] = int(steps.exact[i] + 0.5)
    return True
