"""Kernels that bound from below what an order too long for the exact kernel must cost at given prices."""

# ruff: noqa: PLR0917 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from typing import Any, Final, NamedTuple

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel

PASSES: Final = 12
"""Rounds in which the lines of a long order raise what they pay step by step, before each takes all that is left."""


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
