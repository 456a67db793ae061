"""Kernels that serve one order of any length by a search over sets of open nodes."""

# ruff: noqa: PLR0917 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from typing import Any, Final, NamedTuple

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel

SWAP_WORK: Final = 4_000_000
"""Swaps are tried while entries × open nodes stay below this; beyond, opening and closing nodes must do."""

UNBOUNDED: Final = 1 << 60


class Search(NamedTuple):
    """The state of one long order's search: which nodes are open, and each line's entries from cheap to dear."""

    start: Any
    """int64[lines + 1]: where a line's entries begin in the three arrays that follow."""
    entry: Any
    candidate: Any
    """Position among the order's candidates."""
    available: Any
    """Units that can be taken there; 0 where the node has no capacity."""
    is_open: Any
    """uint8[candidates]."""
    kept: Any
    """uint8[candidates]: the best set of open nodes so far."""
    bound: Any
    """int64[candidates]: at most this much the lines' cost falls when the candidate is opened."""
    cost: Any
    """int64[lines]: what each line costs with the nodes that are open."""


@kernel(allocates=False)
def serve_long_order(
    block: Block,
    order: int,
    search: Search,
    split_minor: int,
    max_nodes: int,
    from_picks: bool,
    stock: Array,
    capacity: Array,
    taken: Array,
) -> None:
    """Serve an order of any length; each line may be split over nodes.

    With a set of open nodes fixed, the best is to fill each line from its cheapest open entries: a search over sets
    that opens, closes and swaps nodes while that is cheaper. `from_picks` starts from the nodes that are open in
    `search`; otherwise it starts from none, and again from each line's cheapest node, and keeps the better, so it is
    never dearer than serving every line from the node that is cheapest for it alone. `stock`, `capacity` and `taken`
    are as in `assign_in_turn`.
    """
    best = _improve(block, order, search, split_minor, max_nodes)
    if not from_picks:
        _copy(search.is_open, search.kept)
        if _open_cheapest_of_each_line(block, order, search) <= max_nodes:
            other = _improve(block, order, search, split_minor, max_nodes)
            if other < best:
                _copy(search.is_open, search.kept)
        _copy(search.kept, search.is_open)
    _take_from_open(block, order, search, stock, capacity, taken)


@kernel(allocates=False)
def _count(flags: Array) -> int:
    """How many are set."""
    count = 0
    for flag in flags:
        count += flag
    return count


@kernel(allocates=False)
def _copy(source: Array, target: Array) -> None:
    """Copy one flag after another: a slice assignment would make a copy in between."""
    for i in range(source.size):
        target[i] = source[i]


@kernel(allocates=False)
def _line_cost(block: Block, first: int, line: int, search: Search) -> int:
    """What a line costs when filled from its cheapest open entries, the rest unserved."""
    left, price = block.quantity[first + line], block.unserved_minor[first + line]
    total = 0
    for i in range(search.start[line], search.start[line + 1]):
        unit = block.unit_minor[search.entry[i]]
        if unit >= price:
            break
        if search.is_open[search.candidate[i]]:
            take = min(left, search.available[i])
            total += take * unit
            left -= take
            if left == 0:
                break
    return int(total + left * price)


@kernel(allocates=False)
def _change_of_flip(block: Block, order: int, candidate: int, search: Search) -> int:
    """By how much the lines' cost falls when `candidate` is opened (if closed) or closed (if open)."""
    first, index = block.line_ptr[order], block.candidate_ptr[order] + candidate
    search.is_open[candidate] ^= 1
    fall = 0
    for entry in range(block.entry_ptr[index], block.entry_ptr[index + 1]):
        line = block.line[entry]
        fall += search.cost[line] - _line_cost(block, first, line, search)
    search.is_open[candidate] ^= 1
    return fall


@kernel(allocates=False)
def _flip(block: Block, order: int, candidate: int, search: Search) -> None:
    """Open a closed candidate or close an open one, and bring the cost of its lines up to date."""
    first, index = block.line_ptr[order], block.candidate_ptr[order] + candidate
    search.is_open[candidate] ^= 1
    for entry in range(block.entry_ptr[index], block.entry_ptr[index + 1]):
        line = block.line[entry]
        search.cost[line] = _line_cost(block, first, line, search)


@kernel(allocates=False)
def _best_to_open(
    block: Block, order: int, search: Search, split_minor: int, least_saving: int, slack: int
) -> tuple[int, int]:
    """The closed candidate that saves most when opened, above `least_saving`, and what it saves; else -1.

    Opening more nodes never makes another one worth more, so what a candidate saved when it was last looked at bounds
    what it saves now; `slack` is by how much a node that is closed for a trial may have raised that.
    """
    first = block.candidate_ptr[order]
    extra = split_minor if _count(search.is_open) else 0
    best, best_saving = -1, least_saving
    for candidate in range(search.is_open.size):
        charge = block.fixed_minor[first + candidate] + extra
        if search.is_open[candidate] or search.bound[candidate] + slack - charge <= best_saving:
            continue
        fall = _change_of_flip(block, order, candidate, search)
        if slack == 0:
            search.bound[candidate] = fall
        if fall - charge > best_saving:
            best, best_saving = candidate, fall - charge
    return best, best_saving


@kernel(allocates=False)
def _close_or_swap(block: Block, order: int, search: Search, split_minor: int, swaps: bool) -> bool:
    """Close the first open candidate that is not worth its cost, or put a better one in its place; False if none."""
    first = block.candidate_ptr[order]
    opened = _count(search.is_open)
    for candidate in range(search.is_open.size):
        if not search.is_open[candidate]:
            continue
        rise = -_change_of_flip(block, order, candidate, search)
        saving = block.fixed_minor[first + candidate] - rise + (split_minor if opened > 1 else 0)
        if saving <= 0 and not swaps:
            continue
        _flip(block, order, candidate, search)
        other = -1
        if saving <= 0:
            other, _ = _best_to_open(block, order, search, split_minor, -saving, rise)
            if other < 0:
                _flip(block, order, candidate, search)
                continue
        for each in range(search.bound.size):
            search.bound[each] += rise
        search.bound[candidate] = rise
        if other >= 0:
            _flip(block, order, other, search)
        return True
    return False


@kernel(allocates=False)
def _improve(block: Block, order: int, search: Search, split_minor: int, max_nodes: int) -> int:
    """Open, close and swap nodes while the order gets cheaper; returns its cost. Each step lowers an integer."""
    line_first, first = block.line_ptr[order], block.candidate_ptr[order]
    for line in range(search.cost.size):
        search.cost[line] = _line_cost(block, line_first, line, search)
    search.bound[:] = UNBOUNDED
    while True:
        opened = _count(search.is_open)
        best = -1
        if opened < max_nodes:
            best, _ = _best_to_open(block, order, search, split_minor, 0, 0)
        if best >= 0:
            _flip(block, order, best, search)
        elif not _close_or_swap(block, order, search, split_minor, search.entry.size * opened <= SWAP_WORK):
            break
    total, opened = 0, 0
    for line in range(search.cost.size):
        total += search.cost[line]
    for candidate in range(search.is_open.size):
        if search.is_open[candidate]:
            total += block.fixed_minor[first + candidate]
            opened += 1
    return int(total + max(opened - 1, 0) * split_minor)


@kernel(allocates=False)
def _open_cheapest_of_each_line(block: Block, order: int, search: Search) -> int:
    """Open the node that serves each line cheapest on its own (all of it, shipment included); how many are open."""
    line_first, first = block.line_ptr[order], block.candidate_ptr[order]
    search.is_open[:] = 0
    for line in range(search.cost.size):
        wanted = block.quantity[line_first + line]
        best, best_cost = -1, block.unserved_minor[line_first + line] * wanted
        for i in range(search.start[line], search.start[line + 1]):
            cost = block.fixed_minor[first + search.candidate[i]] + block.unit_minor[search.entry[i]] * wanted
            if search.available[i] >= wanted and cost < best_cost:
                best, best_cost = search.candidate[i], cost
        if best >= 0:
            search.is_open[best] = 1
    return _count(search.is_open)


@kernel(allocates=False)
def _take_from_open(block: Block, order: int, search: Search, stock: Array, capacity: Array, taken: Array) -> None:
    """Fill each line from its cheapest open entries and draw stock and capacity down."""
    line_first, first = block.line_ptr[order], block.candidate_ptr[order]
    used = search.kept
    used[:] = 0
    for line in range(search.cost.size):
        left, price = block.quantity[line_first + line], block.unserved_minor[line_first + line]
        for i in range(search.start[line], search.start[line + 1]):
            entry = search.entry[i]
            take = min(left, search.available[i])
            if take > 0 and search.is_open[search.candidate[i]] and block.unit_minor[entry] < price:
                taken[entry] = take
                stock[block.cell[entry]] -= take
                used[search.candidate[i]] = 1
                left -= take
    for candidate in range(used.size):
        if used[candidate]:
            capacity[block.node[first + candidate]] -= 1
