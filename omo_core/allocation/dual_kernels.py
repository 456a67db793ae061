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
PASSES: Final = 12
"""Rounds in which the lines of a long order raise what they pay step by step, before each takes all that is left."""


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


class LongOrders(NamedTuple):
    """The orders too long for the exact kernel, with their entries line by line."""

    order: Any
    """int64[long orders], ascending."""
    first_line: Any
    """int64[long orders]: where an order's lines begin in `start`."""
    start: Any
    """int64[lines of long orders + 1]: where a line's entries begin in the two arrays that follow."""
    entry: Any
    """int64[entries of long orders]."""
    candidate: Any
    """int64[entries of long orders]."""


class Ascent(NamedTuple):
    """Tables of `bound_long_orders`, as long as its longest order needs."""

    slack: Any
    """int64[candidates]: what lines have yet to pay before the candidate's shipment is paid for."""
    paid: Any
    """int64[lines]: what a line pays."""
    is_open: Any
    """uint8[candidates]."""


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

    Costs of the block, `split` and prices are in the same unit. Writes `value[order]` and adds what the answer uses:
    units to `cell_use`, orders to `node_use`. Passes over orders with more lines than `scratch` (see `bound_long_orders`).
    """
    for order in range(first, stop):
        lines = block.line_ptr[order + 1] - block.line_ptr[order]
        if lines > scratch.pick.size:
            continue
        if block.ruled[order]:
            value[order] = decide_under_rules_at(block, order, cell_price, node_price, split, max_nodes, scratch)
            _add_use(block, order, lines, scratch, cell_use, node_use)
            continue
        if lines == 1:
            value[order] = _value_one_line(block, order, cell_price, node_price, cell_use, node_use)
            continue
        if lines == 2 and max_nodes >= 2:
            value[order] = _value_two_lines(block, order, cell_price, node_price, split, scratch)
        else:
            _price_subsets(block, order, cell_price, node_price, scratch)
            _sum_penalties(block, order, scratch.penalty)
            value[order] = _partition(lines, split, max_nodes, scratch)
            _read_partition(block, order, max_nodes, scratch)
        _add_use(block, order, lines, scratch, cell_use, node_use)


@kernel(allocates=False)
def _value_one_line(
    block: Block, order: int, cell_price: Array, node_price: Array, cell_use: Array, node_use: Array
) -> int:
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
    if chosen >= 0:
        cell_use[block.cell[chosen + shift]] += quantity
        node_use[block.node[chosen]] += 1
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
def bound_long_orders(
    block: Block,
    long: LongOrders,
    first: int,
    stop: int,
    cell_price: Array,
    node_price: Array,
    split: int,
    ascent: Ascent,
    value: Array,
    cell_use: Array,
    node_use: Array,
) -> None:
    """As `value_orders`, for the long orders `first..stop` of `long`: a lower bound of what each must cost.

    Lines that choose among shipments to pay for are an uncapacitated facility location problem; its dual ascent
    (Erlenkotter, "A dual-based procedure for uncapacitated facility location", 1978) bounds it from below. What is
    used is read from the shipments that are paid for. Any limit of nodes is passed over.
    """
    for at in range(first, stop):
        order = long.order[at]
        lines = block.line_ptr[order + 1] - block.line_ptr[order]
        for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
            price = node_price[block.node[candidate]] * block.work[block.node[candidate], 0]
            ascent.slack[candidate - block.candidate_ptr[order]] = block.fixed_minor[candidate] + price + split
        _pay_cheapest_way(block, long, at, cell_price, ascent)
        for _ in range(PASSES):
            if not _raise_payments(block, long, at, cell_price, ascent, False):
                break
        _raise_payments(block, long, at, cell_price, ascent, True)
        total = 0
        for line in range(lines):
            total += ascent.paid[line]
        value[order] = max(total - split, 0)  # the first shipment pays no split
        _open_what_is_paid(block, long, at, cell_price, ascent)
        _use_open(block, long, at, cell_price, ascent, cell_use, node_use)


@kernel(allocates=False)
def _way_cost(block: Block, entry: int, quantity: int, cell_price: Array) -> int:
    """What a line costs at this entry, beside the shipment."""
    return int((block.unit_minor[entry] + cell_price[block.cell[entry]]) * quantity)


@kernel(allocates=False)
def _pay_cheapest_way(block: Block, long: LongOrders, at: int, cell_price: Array, ascent: Ascent) -> None:
    """Each line pays at least its cheapest way, or for not being served."""
    line_first = block.line_ptr[long.order[at]]
    for line in range(block.line_ptr[long.order[at] + 1] - line_first):
        quantity, row = block.quantity[line_first + line], long.first_line[at] + line
        paid = block.unserved_minor[line_first + line] * quantity
        for i in range(long.start[row], long.start[row + 1]):
            paid = min(paid, _way_cost(block, long.entry[i], quantity, cell_price))
        ascent.paid[line] = paid


@kernel(allocates=False)
def _raise_payments(
    block: Block, long: LongOrders, at: int, cell_price: Array, ascent: Ascent, to_the_end: bool
) -> bool:
    """Let each line in turn pay more: to its next dearer way, or as far as slack allows; whether one did."""
    order = long.order[at]
    line_first, first = block.line_ptr[order], block.candidate_ptr[order]
    changed = False
    for line in range(block.line_ptr[order + 1] - line_first):
        quantity, row = block.quantity[line_first + line], long.first_line[at] + line
        paid, goal = ascent.paid[line], block.unserved_minor[line_first + line] * quantity
        for i in range(long.start[row], long.start[row + 1]):
            way = _way_cost(block, long.entry[i], quantity, cell_price)
            if way <= paid or to_the_end:
                goal = min(goal, max(way, paid) + ascent.slack[long.candidate[i] - first])
            else:
                goal = min(goal, way)
        if goal <= paid:
            continue
        changed, ascent.paid[line] = True, goal
        for i in range(long.start[row], long.start[row + 1]):
            way = max(_way_cost(block, long.entry[i], quantity, cell_price), paid)
            if way < goal:
                ascent.slack[long.candidate[i] - first] -= goal - way
    return changed


@kernel(allocates=False)
def _open_what_is_paid(block: Block, long: LongOrders, at: int, cell_price: Array, ascent: Ascent) -> None:
    """Open few of the candidates whose shipment is paid for, so that each line that pays for one reaches one."""
    order = long.order[at]
    line_first, first = block.line_ptr[order], block.candidate_ptr[order]
    ascent.is_open[: block.candidate_ptr[order + 1] - first] = 0
    for line in range(block.line_ptr[order + 1] - line_first):
        quantity, row = block.quantity[line_first + line], long.first_line[at] + line
        best, best_way, reached = -1, ascent.paid[line], False
        for i in range(long.start[row], long.start[row + 1]):
            way, candidate = _way_cost(block, long.entry[i], quantity, cell_price), long.candidate[i] - first
            if way <= ascent.paid[line]:
                reached = reached or ascent.is_open[candidate] == 1
                if ascent.slack[candidate] == 0 and (best < 0 or way < best_way):
                    best, best_way = candidate, way
        if best >= 0 and not reached:
            ascent.is_open[best] = 1


@kernel(allocates=False)
def _use_open(
    block: Block,
    long: LongOrders,
    at: int,
    cell_price: Array,
    ascent: Ascent,
    cell_use: Array,
    node_use: Array,
) -> None:
    """Count what the order uses if each line goes its cheapest open way."""
    order = long.order[at]
    line_first, first = block.line_ptr[order], block.candidate_ptr[order]
    for candidate in range(block.candidate_ptr[order + 1] - first):
        node = block.node[first + candidate]
        node_use[node] += ascent.is_open[candidate] * block.work[node, 0]
    for line in range(block.line_ptr[order + 1] - line_first):
        quantity, row = block.quantity[line_first + line], long.first_line[at] + line
        best, best_way = -1, block.unserved_minor[line_first + line] * quantity
        for i in range(long.start[row], long.start[row + 1]):
            way = _way_cost(block, long.entry[i], quantity, cell_price)
            if way < best_way and ascent.is_open[long.candidate[i] - first]:
                best, best_way = long.entry[i], way
        if best >= 0:
            cell_use[block.cell[best]] += quantity


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
