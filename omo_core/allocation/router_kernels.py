"""The kernel that decides one order at a time on live stock, its warm state and the order each in one array."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel
from omo_core.allocation.kernels import decide_order
from omo_core.allocation.scratch import UNREACHABLE, Scratch

ORDER_HEAD: Final = 7
"""Of an order: candidates, lines, entries, and the two pointers of a block of one order."""
WARM_HEAD: Final = 5
"""Of the warm state: cells, nodes, price of a split, most nodes of an order, most lines."""
SPLITS: Final = -1
"""Instead of a cost: a line is left that no one node holds whole but several together may."""


class Live(NamedTuple):
    """The warm state, as views of its array."""

    stock: Any
    cell_price: Any
    capacity: Any
    node_price: Any


@kernel(allocates=False)
def route_order(order: Array, warm: Array, work: Array) -> int:
    """Decide an order as cheaply as live stock, capacity and prices allow, and take its units; returns its cost.

    All three are int64, money in 1/64 minor units: `order` is `ORDER_HEAD` numbers and the columns of a block of one
    order (`router.packed`), `warm` is `WARM_HEAD` numbers, then units and price of each cell, places and price of
    each node, `work` is room for `work_size` numbers. Then `work[:lines]` holds each line's cell (-1: not served),
    `work[most lines:][:lines]` its candidate. Where `SPLITS` is returned nothing was taken.
    """
    nodes, most_lines = warm[1], warm[4]
    asked, live = _order_block(order), _live(warm)
    here = _room_for_block(work[2 * most_lines + nodes :], asked, nodes, most_lines)
    scratch = _room_for_scratch(work, most_lines)
    source = work[2 * most_lines : 2 * most_lines + nodes]
    total = 0
    if _copy_what_can_serve(asked, live, here, source) > 0:
        total = decide_order(here, 0, live.stock, live.capacity, warm[2], warm[3], scratch)
    else:
        for line in range(order[1]):
            scratch.pick[line] = -1
            total += asked.unserved_minor[line] * asked.quantity[line]
    waiting = False
    for line in range(order[1]):
        entry = scratch.pick[line]
        work[line] = here.cell[entry] if entry >= 0 else -1
        work[most_lines + line] = source[scratch.picked_from[line]] if entry >= 0 else -1
        waiting = waiting or entry < 0
    if waiting and _may_split(asked, live, scratch.pick):
        return SPLITS
    _take(asked, live, work[: order[1]], work[most_lines:])
    return total


@kernel(allocates=False)
def _copy_what_can_serve(asked: Block, live: Live, here: Block, source: Array) -> int:
    """Copy the entries that hold a line whole, with prices, and say how many candidates have some.

    Ends where one node serves all lines for no more than any that follows ships for: the decision would end there.
    """
    lines = asked.quantity.size
    best = asked.unserved_minor[0] * asked.quantity[0] if lines == 1 else UNREACHABLE
    kept, written = 0, 0
    for candidate in range(asked.node.size):
        if asked.floor_minor[candidate] >= best:
            break
        node = asked.node[candidate]
        if live.capacity[node] <= 0:
            continue
        first, fixed = written, asked.floor_minor[candidate] + live.node_price[node]
        cost = fixed
        for entry in range(asked.entry_ptr[candidate], asked.entry_ptr[candidate + 1]):
            cell, wanted = asked.cell[entry], asked.quantity[asked.line[entry]]
            if live.stock[cell] < wanted:
                continue
            unit = asked.unit_minor[entry] + live.cell_price[cell]
            here.line[written], here.cell[written], here.unit_minor[written] = asked.line[entry], cell, unit
            cost += unit * wanted
            written += 1
        if written == first:
            continue
        here.node[kept], here.fixed_minor[kept], here.floor_minor[kept] = node, fixed, asked.floor_minor[candidate]
        here.entry_ptr[kept], source[kept] = first, candidate
        kept += 1
        if written - first == lines:
            best = min(best, cost)
    here.entry_ptr[kept] = written
    here.candidate_ptr[0], here.candidate_ptr[1] = 0, kept
    return kept


@kernel(allocates=False)
def _may_split(asked: Block, live: Live, pick: Array) -> bool:
    """Whether an unserved line has units at open nodes but nowhere all it wants."""
    for line in range(asked.quantity.size):
        if pick[line] >= 0:
            continue
        most = 0
        for candidate in range(asked.node.size):
            if live.capacity[asked.node[candidate]] > 0:
                for entry in range(asked.entry_ptr[candidate], asked.entry_ptr[candidate + 1]):
                    if asked.line[entry] == line:
                        most = max(most, live.stock[asked.cell[entry]])
        if 0 < most < asked.quantity[line]:
            return True
    return False


@kernel(allocates=False)
def _take(asked: Block, live: Live, cells: Array, candidates: Array) -> None:
    """Draw each line from its cell, and one order from the capacity of each node used."""
    for line in range(cells.size):
        if cells[line] < 0:
            continue
        live.stock[cells[line]] -= asked.quantity[line]
        is_new = True
        for other in range(line):
            is_new = is_new and candidates[other] != candidates[line]
        if is_new:
            live.capacity[asked.node[candidates[line]]] -= 1


@kernel(allocates=False)
def _order_block(order: Array) -> Block:
    """An order's columns as views; it has no rules, so nobody reads more than the 0 of `ruled`."""
    zero = order[3:4]
    candidates, lines, entries = order[0], order[1], order[2]
    node = ORDER_HEAD + 2 * lines
    entry_ptr = node + 2 * candidates
    line = entry_ptr + candidates + 1
    floor = order[node + candidates : entry_ptr]
    return Block(
        order[3:5],
        order[ORDER_HEAD : ORDER_HEAD + lines],
        order[ORDER_HEAD + lines : node],
        order[5:7],
        order[node : node + candidates],
        floor,
        floor,
        order[entry_ptr:line],
        order[line : line + entries],
        order[line + entries : line + 2 * entries],
        order[line + 2 * entries : line + 3 * entries],
        zero,
        zero,
        zero,
        zero,
        zero,
        zero,
        zero,
        zero,
        zero,
        zero,
        order[:6].reshape((2, 3)),
    )


@kernel(allocates=False)
def _live(warm: Array) -> Live:
    """The warm state's columns as views."""
    price, capacity = WARM_HEAD + warm[0], WARM_HEAD + 2 * warm[0]
    node_price = capacity + warm[1]
    return Live(
        warm[WARM_HEAD:price], warm[price:capacity], warm[capacity:node_price], warm[node_price : node_price + warm[1]]
    )


@kernel(allocates=False)
def _room_for_block(work: Array, asked: Block, nodes: int, most_lines: int) -> Block:
    """Views in which a copy of the order can be written."""
    fixed, floor, entry_ptr, line = 2 + nodes, 2 + 2 * nodes, 2 + 3 * nodes, 3 + 4 * nodes
    cell = line + nodes * most_lines
    unit = cell + nodes * most_lines
    return Block(
        asked.line_ptr,
        asked.quantity,
        asked.unserved_minor,
        work[:2],
        work[2:fixed],
        work[fixed:floor],
        work[floor:entry_ptr],
        work[entry_ptr:line],
        work[line:cell],
        work[cell:unit],
        work[unit : unit + nodes * most_lines],
        asked.ruled,
        asked.whole,
        asked.group,
        asked.weight_g,
        asked.tariff,
        asked.band_ptr,
        asked.band_up_to_g,
        asked.band_minor,
        asked.floor_base_minor,
        asked.floor_gram_minor,
        asked.work,
    )


@kernel(allocates=False)
def _room_for_scratch(work: Array, most_lines: int) -> Scratch:
    """Tables of the exact kernel, at the end of the room; those for orders with rules are not read."""
    sets, rows = 1 << most_lines, most_lines + 1
    pick = work.size - 2 * most_lines
    chosen = pick - rows * sets
    rest = chosen - rows * sets
    first = rest - 5 * sets
    return Scratch(
        work[first : first + sets],
        work[first + sets : first + 2 * sets],
        work[first + 2 * sets : first + 3 * sets],
        work[first + 3 * sets : first + 4 * sets],
        work[first + 4 * sets : rest],
        work[rest:chosen].reshape((rows, sets)),
        work[chosen:pick].reshape((rows, sets)),
        work[pick : pick + most_lines],
        work[pick + most_lines :],
        work[first : first + sets],
        work[first : first + sets],
        work[first : first + sets],
        work[:2].reshape((1, 2)),
        work[:0],
    )


def work_size(nodes: int, most_lines: int) -> int:
    """How many numbers `route_order` needs as room."""
    answer, block = 2 * most_lines + nodes, 3 + 4 * nodes + 3 * nodes * most_lines
    return answer + block + (5 + 2 * (most_lines + 1)) * (1 << most_lines) + 2 * most_lines
