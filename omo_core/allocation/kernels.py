"""Kernels that decide short orders one after another, each exactly, on live stock."""

# ruff: noqa: PLR0917, SIM110 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel
from omo_core.allocation.rule_kernels import cheapest_sets_under_rules, measure_sets, work_of
from omo_core.allocation.scratch import MOST_CLOSED, UNREACHABLE, Scratch, scratch_for

__all__ = ["UNREACHABLE", "Scratch", "assign_in_turn", "decide_order", "decide_under_rules_at", "scratch_for"]


@kernel(allocates=False)
def assign_in_turn(
    block: Block,
    turn: Array,
    start: int,
    stock: Array,
    capacity: Array,
    split_minor: int,
    max_nodes: int,
    scratch: Scratch,
    taken: Array,
) -> int:
    """Serve the orders `turn[start:]`, each as cheaply as live stock and capacity allow, up to the first it cannot.

    `stock` (int32[cells]) and `capacity` (int64[nodes], orders left) are drawn down, `taken` (int32[entries]) is
    filled. Every node of an order beyond the first costs `split_minor`. Returns the position in `turn` of the first
    order that has more lines than `scratch`, or a line that no one node holds whole; `turn.size` when there is none.
    """
    for position in range(start, turn.size):
        order = turn[position]
        if block.line_ptr[order + 1] - block.line_ptr[order] > scratch.pick.size:
            return position
        decide_order(block, order, stock, capacity, split_minor, max_nodes, scratch)
        if _splits_may_help(block, order, stock, capacity, scratch):
            return position
        _commit_picks(block, order, stock, capacity, scratch, taken)
    return int(turn.size)


@kernel(allocates=False)
def decide_order(
    block: Block, order: int, stock: Array, capacity: Array, split_minor: int, max_nodes: int, scratch: Scratch
) -> int:
    """The cheapest way to serve an order of at most `scratch.pick.size` lines, no line split; returns its cost.

    Changes nothing but `scratch`: `pick` and `picked_from` hold the answer. Prices may be those of `prices.priced`.
    """
    lines = block.line_ptr[order + 1] - block.line_ptr[order]
    if block.ruled[order]:
        return _decide_under_rules(block, order, stock, capacity, split_minor, max_nodes, scratch)
    if lines == 1:
        return _pick_one_line(block, order, stock, capacity, scratch)
    if lines == 2 and max_nodes >= 2:
        return _pick_two_lines(block, order, stock, capacity, split_minor, scratch)
    _cheapest_subsets(block, order, stock, capacity, scratch)
    _sum_penalties(block, order, scratch.penalty)
    cost = _partition(lines, split_minor, max_nodes, scratch)
    _read_partition(block, order, max_nodes, scratch)
    return cost


@kernel(allocates=False)
def _pick_one_line(block: Block, order: int, stock: Array, capacity: Array, scratch: Scratch) -> int:
    """The cheapest candidate for an order of one line; returns the order's cost."""
    line = block.line_ptr[order]
    quantity = block.quantity[line]
    best, best_candidate = block.unserved_minor[line] * quantity, -1
    first = block.candidate_ptr[order]
    shift = block.entry_ptr[first] - first  # one line: each candidate has exactly one entry
    for candidate in range(first, block.candidate_ptr[order + 1]):
        if block.floor_minor[candidate] >= best:
            break  # this shipment alone costs as much, and so do all that follow
        cost = block.fixed_minor[candidate] + block.unit_minor[candidate + shift] * quantity
        if cost < best and stock[block.cell[candidate + shift]] >= quantity and capacity[block.node[candidate]] > 0:
            best, best_candidate = cost, candidate
    scratch.pick[0] = best_candidate + shift if best_candidate >= 0 else -1
    scratch.picked_from[0] = best_candidate
    return int(best)


@kernel(allocates=False)
def _pick_two_lines(block: Block, order: int, stock: Array, capacity: Array, split_minor: int, scratch: Scratch) -> int:
    """The cheapest way to serve two lines: one node for both, two nodes, or one line alone; returns the cost."""
    pick, picked_from = scratch.pick, scratch.picked_from
    line = block.line_ptr[order]
    wanted_0, wanted_1 = block.quantity[line], block.quantity[line + 1]
    only_0 = only_1 = both = UNREACHABLE
    from_0 = from_1 = from_both = -1
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        if block.floor_minor[candidate] >= both:
            break  # one node serves both lines for no more than this shipment alone
        if capacity[block.node[candidate]] <= 0:
            continue
        entry, stop = block.entry_ptr[candidate], block.entry_ptr[candidate + 1]
        fixed, with_0 = block.fixed_minor[candidate], UNREACHABLE
        if block.line[entry] == 0:
            if stock[block.cell[entry]] >= wanted_0:
                with_0 = fixed + block.unit_minor[entry] * wanted_0
                if with_0 < only_0:
                    only_0, from_0 = with_0, candidate
            entry += 1
        if entry < stop and stock[block.cell[entry]] >= wanted_1:
            add = block.unit_minor[entry] * wanted_1
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
    if only_1 + min(penalty_0, only_0 + split_minor) < best:
        best = only_1 + min(penalty_0, only_0 + split_minor)
        picked_from[0] = from_0 if only_0 + split_minor < penalty_0 else -1
        picked_from[1] = from_1
    # The first entry of a candidate is line 0 if it has line 0, its last is line 1 if it has line 1.
    pick[0] = block.entry_ptr[picked_from[0]] if picked_from[0] >= 0 else -1
    pick[1] = block.entry_ptr[picked_from[1] + 1] - 1 if picked_from[1] >= 0 else -1
    return int(best)


@kernel(allocates=False)
def _cheapest_subsets(block: Block, order: int, stock: Array, capacity: Array, scratch: Scratch) -> None:
    """For each set of lines (a bit mask) the cheapest single candidate that serves them whole, and what it costs.

    Fills `cost` and `node_of` (the candidate) up to 2^lines. A candidate's own table doubles with each line it can
    serve, so a candidate with few of the lines is cheap to look at.
    """
    cost, node_of, sums, masks = scratch.cost, scratch.node_of, scratch.sums, scratch.masks
    first = block.line_ptr[order]
    every = (1 << (block.line_ptr[order + 1] - first)) - 1
    for mask in range(every + 1):
        cost[mask], node_of[mask] = UNREACHABLE, -1
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        if block.floor_minor[candidate] >= cost[every]:
            break  # one node serves all lines for no more than this shipment alone
        if capacity[block.node[candidate]] <= 0:
            continue
        sums[0], masks[0], size = block.fixed_minor[candidate], 0, 1
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            line = block.line[entry]
            wanted = block.quantity[first + line]
            if stock[block.cell[entry]] < wanted:
                continue
            add, bit = block.unit_minor[entry] * wanted, 1 << line
            for i in range(size):
                total, mask = sums[i] + add, masks[i] | bit
                sums[size + i], masks[size + i] = total, mask
                if total < cost[mask]:
                    cost[mask], node_of[mask] = total, candidate
            size *= 2


@kernel(allocates=False)
def _decide_under_rules(
    block: Block, order: int, stock: Array, capacity: Array, split_minor: int, max_nodes: int, scratch: Scratch
) -> int:
    """As `decide_order`, for an order with rules.

    The partition may give one node two sets that fit its capacity one by one and not together; such a node is set
    aside and the order decided again.
    """
    measure_sets(block, order, scratch.lines, scratch.units, scratch.weight_g)
    closed = 0
    while True:
        given = stock, capacity, scratch.none, scratch.none
        cost = _decide_with_open_nodes(block, order, given, split_minor, max_nodes, scratch, False)
        node = _node_asked_too_much(block, order, capacity, scratch)
        if node < 0 or closed == MOST_CLOSED:
            break
        scratch.closed[closed, 0], scratch.closed[closed, 1] = node, capacity[node]
        capacity[node] = 0
        closed += 1
    if node >= 0:
        cost = _leave_unserved(block, order, scratch)
    for i in range(closed):
        capacity[scratch.closed[i, 0]] = scratch.closed[i, 1]
    return int(cost)


@kernel(allocates=False)
def decide_under_rules_at(
    block: Block, order: int, cell_price: Array, node_price: Array, split_minor: int, max_nodes: int, scratch: Scratch
) -> int:
    """What an order with rules costs at least at these prices, as if stock and capacity had no end.

    Exact where every line has one unit: splitting a line of several may pay where parcels are priced in steps.
    """
    measure_sets(block, order, scratch.lines, scratch.units, scratch.weight_g)
    lines = block.line_ptr[order + 1] - block.line_ptr[order]
    at_least = scratch.units[(1 << lines) - 1] > lines
    given = scratch.none, scratch.none, cell_price, node_price
    return _decide_with_open_nodes(block, order, given, split_minor, max_nodes, scratch, at_least)


@kernel(allocates=False)
def _decide_with_open_nodes(
    block: Block,
    order: int,
    given: tuple[Array, Array, Array, Array],
    split_minor: int,
    max_nodes: int,
    scratch: Scratch,
    at_least: bool,
) -> int:
    """The cheapest partition of the order's lines into sets that its rules allow; returns its cost."""
    cheapest_sets_under_rules(
        block, order, given[0], given[1], given[2], given[3], scratch.lines, scratch.units, scratch.weight_g,
        scratch.sums, scratch.masks, scratch.cost, scratch.node_of, UNREACHABLE, at_least,
    )  # fmt: skip
    return _partition_under_rules(block, order, split_minor, max_nodes, scratch)


@kernel(allocates=False)
def _partition_under_rules(block: Block, order: int, split_minor: int, max_nodes: int, scratch: Scratch) -> int:
    """As `_partition`, and all or nothing where the order asks for it; leaves the picks and returns the cost."""
    lines = block.line_ptr[order + 1] - block.line_ptr[order]
    _sum_penalties(block, order, scratch.penalty)
    nothing = scratch.penalty[(1 << lines) - 1]
    if block.whole[order]:
        for mask in range(1, 1 << lines):
            scratch.penalty[mask] = UNREACHABLE
    cost = _partition(lines, split_minor, max_nodes, scratch)
    if block.whole[order] and cost >= nothing:
        return _leave_unserved(block, order, scratch)
    _read_partition(block, order, max_nodes, scratch)
    return cost


@kernel(allocates=False)
def _leave_unserved(block: Block, order: int, scratch: Scratch) -> int:
    """Pick nothing; returns what that costs."""
    cost = 0
    for line in range(block.line_ptr[order + 1] - block.line_ptr[order]):
        scratch.pick[line], scratch.picked_from[line] = -1, -1
        cost += block.unserved_minor[block.line_ptr[order] + line] * block.quantity[block.line_ptr[order] + line]
    return int(cost)


@kernel(allocates=False)
def _node_asked_too_much(block: Block, order: int, capacity: Array, scratch: Scratch) -> int:
    """A node whose capacity the order's picks together exceed; -1 for none."""
    first = block.line_ptr[order]
    for line in range(block.line_ptr[order + 1] - first):
        candidate = scratch.picked_from[line]
        if candidate >= 0:
            node = block.node[candidate]
            if _work_of_picks(block, order, candidate, scratch) > capacity[node]:
                return int(node)
    return -1


@kernel(allocates=False)
def _work_of_picks(block: Block, order: int, candidate: int, scratch: Scratch) -> int:
    """What the lines picked from the candidate take from its node's capacity."""
    first = block.line_ptr[order]
    lines, units = 0, 0
    for line in range(block.line_ptr[order + 1] - first):
        if scratch.picked_from[line] == candidate:
            lines += 1
            units += block.quantity[first + line]
    return work_of(block, block.node[candidate], lines, units)


@kernel(allocates=False)
def _sum_penalties(block: Block, order: int, penalty: Array) -> None:
    """`penalty[mask]`: the price of leaving that set of lines unserved."""
    first, size = block.line_ptr[order], 1
    penalty[0] = 0
    for line in range(first, block.line_ptr[order + 1]):
        add = block.unserved_minor[line] * block.quantity[line]
        for mask in range(size):
            penalty[size + mask] = penalty[mask] + add
        size *= 2


@kernel(allocates=False)
def _partition(lines: int, split_minor: int, max_nodes: int, scratch: Scratch) -> int:
    """Cheapest partition of the lines into single-node sets and unserved lines; returns its cost.

    `rest[k, mask]` is the cost of `mask` when a node has been used already and k more may be; without a binding
    limit one row stands for all k. The first node pays no split, so the last table walks down from the top line
    until the first served set: its choices stand in `chosen[-1, 1 << line]`. About 3^(lines-1) / 2 steps a row.
    """
    cost, penalty, rest, chosen = scratch.cost, scratch.penalty, scratch.rest, scratch.chosen
    limited = max_nodes < lines
    last = max_nodes - 1 if limited else 0
    half = 1 << (lines - 1)
    for row in range(last + 1):
        after = max(row - 1, 0) if limited else row
        rest[row, 0] = 0
        for mask in range(1, half):
            if limited and row == 0:
                rest[0, mask], chosen[0, mask] = penalty[mask], 0
                continue
            low = mask & -mask
            others = mask ^ low
            best, best_set, part = penalty[low] + rest[row, others], 0, others
            while True:
                total = cost[part | low] + split_minor + rest[after, others ^ part]
                if total < best:
                    best, best_set = total, part | low
                if part == 0:
                    break
                part = (part - 1) & others
            rest[row, mask], chosen[row, mask] = best, best_set
    best = 0
    for line in range(lines):
        top = 1 << line
        others, best_set = top - 1, 0
        best, part = best + penalty[top], others
        while True:
            total = cost[part | top] + rest[last, others ^ part]
            if total < best:
                best, best_set = total, part | top
            if part == 0:
                break
            part = (part - 1) & others
        chosen[-1, top] = best_set
    return int(best)


@kernel(allocates=False)
def _read_partition(block: Block, order: int, max_nodes: int, scratch: Scratch) -> None:
    """Turn the choices of `_partition` into an entry (-1: unserved) and its candidate for each line."""
    pick, picked_from, chosen = scratch.pick, scratch.picked_from, scratch.chosen
    lines = block.line_ptr[order + 1] - block.line_ptr[order]
    limited = max_nodes < lines
    for line in range(lines):
        pick[line], picked_from[line] = -1, -1
    mask, row, started = (1 << lines) - 1, max_nodes - 1 if limited else 0, False
    top = lines - 1
    while mask:
        if started:
            low = mask & -mask
            served = chosen[row, mask]
        else:
            low = 1 << top
            served = chosen[-1, low]
            top -= 1
        if served == 0:
            mask ^= low
            continue
        candidate = scratch.node_of[served]
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            if served >> block.line[entry] & 1:
                pick[block.line[entry]], picked_from[block.line[entry]] = entry, candidate
        if started and limited:
            row -= 1
        started = True
        mask ^= served


@kernel(allocates=False)
def _splits_may_help(block: Block, order: int, stock: Array, capacity: Array, scratch: Scratch) -> bool:
    """Whether some unserved line has units at its candidates but at none of them all it wants."""
    first = block.line_ptr[order]
    lines = block.line_ptr[order + 1] - first
    waiting = False
    for line in range(lines):
        waiting = waiting or scratch.pick[line] < 0
    if not waiting:
        return False
    most = scratch.sums
    most[:lines] = 0
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        if capacity[block.node[candidate]] > 0:
            for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
                line = block.line[entry]
                most[line] = max(most[line], stock[block.cell[entry]])
    for line in range(lines):
        if scratch.pick[line] < 0 and 0 < most[line] < block.quantity[first + line]:
            return True
    return False


@kernel(allocates=False)
def _commit_picks(block: Block, order: int, stock: Array, capacity: Array, scratch: Scratch, taken: Array) -> None:
    """Draw the picked entries from the stock, and their work from the capacity of each node used."""
    pick, picked_from = scratch.pick, scratch.picked_from
    first = block.line_ptr[order]
    for line in range(block.line_ptr[order + 1] - first):
        entry = pick[line]
        if entry < 0:
            continue
        taken[entry] = block.quantity[first + line]
        stock[block.cell[entry]] -= block.quantity[first + line]
        is_new = True
        for other in range(line):
            is_new = is_new and (pick[other] < 0 or picked_from[other] != picked_from[line])
        if is_new:
            work = _work_of_picks(block, order, picked_from[line], scratch) if block.ruled[order] else 1
            capacity[block.node[picked_from[line]]] -= work
