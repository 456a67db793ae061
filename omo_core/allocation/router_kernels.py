"""The kernel that decides one order at a time on live stock, its warm state and the order each in one array."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from omo_core.allocation.arrays import Array
from omo_core.allocation.jit import kernel
from omo_core.allocation.kernels import _partition
from omo_core.allocation.scratch import UNREACHABLE, Scratch

ORDER_HEAD: Final = 4
"""Of an order: lines, candidates that hold several of them, their entries, candidates that hold one."""
ALONE: Final = 5
"""Of a candidate that holds one line: the least that it or one after it in its list costs, its own cost, its cell, its
node, its rank; costs without prices."""
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


class Asked(NamedTuple):
    """An order, as views of its array; `pack_order` writes it.

    A candidate's rank is its place in the block that the order was encoded into: the cheaper shipment first, ties by
    node. Between equal costs the lower rank wins.
    """

    quantity: Any
    """int64[lines]."""
    unserved: Any
    """int64[lines], the price of leaving all units of the line unserved."""
    least: Any
    """int64[lines], what its units add at the cheapest entry."""
    alone_ptr: Any
    """int64[lines + 1]."""
    alone: Any
    """int64[candidates with one line, `ALONE`], by line, then by rank."""
    node: Any
    """int64[candidates with several lines], by rank."""
    fixed: Any
    rank: Any
    lines: Any
    """Its lines as bits."""
    entry_ptr: Any
    """int64[candidates with several lines + 1]."""
    line: Any
    """int64[their entries]."""
    cell: Any
    adds: Any
    """What all units of the line add."""


class Room(NamedTuple):
    """Where an order is decided: views of the working array."""

    cell: Any
    """int64[lines]: the answer, -1 for none."""
    node: Any
    rank: Any
    """int64[sets of lines]: who serves the set, `NOBODY` for none."""
    place: Any
    """int64[sets]: its row in the order's array; of a set of one line perhaps ~row of those with one line."""
    gain: Any
    """int64[sets]: the most that one node for the set can save on a node for each line."""
    tables: Scratch


@kernel(allocates=False)
def route_order(order: Array, warm: Array, work: Array) -> int:
    """Decide an order as cheaply as live stock, capacity and prices allow, and take its units; returns its cost.

    All three are int64, money in 1/64 minor units: `order` is `ORDER_HEAD` numbers and the columns of `Asked`, `warm`
    is `WARM_HEAD` numbers, then units and price of each cell, places and price of each node, `work` is room for
    `work_size` numbers. Then `work[:lines]` holds each line's cell (-1: not served). Where `SPLITS` is returned
    nothing was taken.
    """
    lines, split, max_nodes = order[0], warm[2], warm[3]
    asked, live, room = _asked(order), _live(warm), _room(work, warm[4])
    _nobody_yet(asked, room)
    _look_at_single_lines(asked, live, room)
    _sum_gains(asked, room, split, max_nodes)
    _look_at_several_lines(asked, live, room)
    total = _partition(lines, split, max_nodes, room.tables)
    _read_answer(asked, room, max_nodes)
    for line in range(lines):
        if room.cell[line] < 0 and asked.quantity[line] > 1 and _may_split(asked, live, line):
            return SPLITS
    _take(asked, live, room)
    return int(total)


@kernel(allocates=False)
def _nobody_yet(asked: Asked, room: Room) -> None:
    """Empty the tables of sets; leaving a set unserved costs the sum of its lines."""
    size = 1
    room.tables.penalty[0], room.tables.cost[0], room.rank[0] = 0, UNREACHABLE, -1
    for line in range(asked.quantity.size):
        for mask in range(size):
            room.tables.penalty[size + mask] = room.tables.penalty[mask] + asked.unserved[line]
            room.tables.cost[size + mask], room.rank[size + mask] = UNREACHABLE, -1
        size *= 2


@kernel(allocates=False)
def _look_at_single_lines(asked: Asked, live: Live, room: Room) -> None:
    """For each line the cheapest of the candidates that hold no other; a list ends where none that follows can win."""
    for line in range(asked.quantity.size):
        wanted, best, place = asked.quantity[line], asked.unserved[line], -1
        for row in range(asked.alone_ptr[line], asked.alone_ptr[line + 1]):
            if asked.alone[row, 0] >= best:
                break
            cost, cell, node = asked.alone[row, 1], asked.alone[row, 2], asked.alone[row, 3]
            if cost >= best or live.stock[cell] < wanted or live.capacity[node] <= 0:
                continue
            total = cost + live.node_price[node] + live.cell_price[cell] * wanted
            if total < best:
                best, place = total, row
        if place >= 0:
            one = 1 << line
            room.tables.cost[one], room.rank[one], room.place[one] = best, asked.alone[place, 4], ~place


@kernel(allocates=False)
def _sum_gains(asked: Asked, room: Room, split: int, max_nodes: int) -> None:
    """How much a shipment of several lines may cost before each line is better left alone, or to a node of its own."""
    size = 1
    room.gain[0] = 0
    limited = max_nodes < asked.quantity.size
    for line in range(asked.quantity.size):
        otherwise = asked.unserved[line]
        if not limited:
            otherwise = min(otherwise, room.tables.cost[1 << line] + split)
        gain = max(0, otherwise - asked.least[line])
        for mask in range(size):
            room.gain[size + mask] = room.gain[mask] + gain
        size *= 2


@kernel(allocates=False)
def _look_at_several_lines(asked: Asked, live: Live, room: Room) -> None:
    """Let each candidate with several lines compete for every set of those it can serve; they end where none can win.

    A candidate's own table doubles with each line it can serve.
    """
    cost, sums, masks = room.tables.cost, room.tables.sums, room.tables.masks
    every = (1 << asked.quantity.size) - 1
    for row in range(asked.node.size):
        fixed, node = asked.fixed[row], asked.node[row]
        if fixed >= cost[every] or fixed > room.gain[every]:
            break
        if fixed > room.gain[asked.lines[row]] or live.capacity[node] <= 0:
            continue
        sums[0], masks[0], size = fixed + live.node_price[node], 0, 1
        for entry in range(asked.entry_ptr[row], asked.entry_ptr[row + 1]):
            line, cell = asked.line[entry], asked.cell[entry]
            wanted = asked.quantity[line]
            if live.stock[cell] < wanted:
                continue
            add, bit = asked.adds[entry] + live.cell_price[cell] * wanted, 1 << line
            for i in range(size):
                total, mask = sums[i] + add, masks[i] | bit
                sums[size + i], masks[size + i] = total, mask
                if total < cost[mask] or (total == cost[mask] and asked.rank[row] < room.rank[mask]):
                    cost[mask], room.rank[mask], room.place[mask] = total, asked.rank[row], row
            size *= 2


@kernel(allocates=False)
def _read_answer(asked: Asked, room: Room, max_nodes: int) -> None:
    """Turn the choices of the partition into a cell (-1: unserved) and its node for each line."""
    lines, chosen = asked.quantity.size, room.tables.chosen
    for line in range(lines):
        room.cell[line] = -1
    limited = max_nodes < lines
    mask, row, started, top = (1 << lines) - 1, max_nodes - 1 if limited else 0, False, lines
    while mask:
        if started:
            low = mask & -mask
            served = chosen[row, mask]
        else:
            top -= 1
            low = 1 << top
            served = chosen[-1, low]
        if served == 0:
            mask ^= low
            continue
        _name_cells(asked, room, served)
        if started and limited:
            row -= 1
        started = True
        mask ^= served


@kernel(allocates=False)
def _name_cells(asked: Asked, room: Room, served: int) -> None:
    """Write down from where the lines of a set come."""
    place = room.place[served]
    if place < 0:
        line = 0
        while served >> line > 1:
            line += 1
        room.cell[line], room.node[line] = asked.alone[~place, 2], asked.alone[~place, 3]
        return
    for entry in range(asked.entry_ptr[place], asked.entry_ptr[place + 1]):
        if served >> asked.line[entry] & 1:
            room.cell[asked.line[entry]], room.node[asked.line[entry]] = asked.cell[entry], asked.node[place]


@kernel(allocates=False)
def _may_split(asked: Asked, live: Live, line: int) -> bool:
    """Whether an unserved line has units at open nodes but nowhere all it wants."""
    most = 0
    for row in range(asked.alone_ptr[line], asked.alone_ptr[line + 1]):
        if live.capacity[asked.alone[row, 3]] > 0:
            most = max(most, live.stock[asked.alone[row, 2]])
    for row in range(asked.node.size):
        if live.capacity[asked.node[row]] > 0:
            for entry in range(asked.entry_ptr[row], asked.entry_ptr[row + 1]):
                if asked.line[entry] == line:
                    most = max(most, live.stock[asked.cell[entry]])
    return bool(0 < most < asked.quantity[line])


@kernel(allocates=False)
def _take(asked: Asked, live: Live, room: Room) -> None:
    """Draw each line from its cell, and one order from the capacity of each node used."""
    for line in range(asked.quantity.size):
        if room.cell[line] < 0:
            continue
        live.stock[room.cell[line]] -= asked.quantity[line]
        is_new = True
        for other in range(line):
            is_new = is_new and (room.cell[other] < 0 or room.node[other] != room.node[line])
        if is_new:
            live.capacity[room.node[line]] -= 1


@kernel(allocates=False)
def _asked(order: Array) -> Asked:
    """An order's columns as views."""
    lines, several, entries, alone = order[0], order[1], order[2], order[3]
    ptr = ORDER_HEAD + 3 * lines
    single = ptr + lines + 1
    node = single + ALONE * alone
    line = node + 5 * several + 1
    return Asked(
        order[ORDER_HEAD : ORDER_HEAD + lines],
        order[ORDER_HEAD + lines : ORDER_HEAD + 2 * lines],
        order[ORDER_HEAD + 2 * lines : ptr],
        order[ptr:single],
        order[single:node].reshape((alone, ALONE)),
        order[node : node + several],
        order[node + several : node + 2 * several],
        order[node + 2 * several : node + 3 * several],
        order[node + 3 * several : node + 4 * several],
        order[node + 4 * several : line],
        order[line : line + entries],
        order[line + entries : line + 2 * entries],
        order[line + 2 * entries : line + 3 * entries],
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
def _room(work: Array, most_lines: int) -> Room:
    """The working array's tables as views; those for orders with rules are not read."""
    sets, rows = 1 << most_lines, most_lines + 1
    rank = 2 * most_lines
    place, gain, cost = rank + sets, rank + 2 * sets, rank + 3 * sets
    sums, masks, penalty = cost + sets, cost + 2 * sets, cost + 3 * sets
    rest = penalty + sets
    chosen = rest + rows * sets
    nothing = work[:0]
    tables = Scratch(
        work[cost:sums],
        work[rank:place],
        work[sums:masks],
        work[masks:penalty],
        work[penalty:rest],
        work[rest:chosen].reshape((rows, sets)),
        work[chosen : chosen + rows * sets].reshape((rows, sets)),
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        work[:2].reshape((1, 2)),
        nothing,
    )
    return Room(work[:most_lines], work[most_lines:rank], work[rank:place], work[place:gain], work[gain:cost], tables)


def work_size(most_lines: int) -> int:
    """How many numbers `route_order` needs as room."""
    return 2 * most_lines + (7 + 2 * (most_lines + 1)) * (1 << most_lines)
