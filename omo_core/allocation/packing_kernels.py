"""The kernel that writes an order down for the router's: columns in one array, candidates of one line by line."""

# ruff: noqa: PLR0917 - kernels take their arrays one by one

from __future__ import annotations

from omo_core.allocation.arrays import Array
from omo_core.allocation.jit import kernel
from omo_core.allocation.router_kernels import ALONE, ORDER_HEAD, Asked, _asked
from omo_core.allocation.scratch import UNREACHABLE


@kernel(allocates=False)
def pack_order(
    quantity: Array,
    unserved_minor: Array,
    node: Array,
    fixed_minor: Array,
    entry_ptr: Array,
    line: Array,
    place: Array,
    unit_minor: Array,
    scale: int,
    order: Array,
) -> int:
    """Write a block of one order into `order` (int64) as `Asked`; returns how many numbers that took.

    The columns are those of `Block`; `place` (int64[entries]) gives each entry's cell in the live stock. Money is
    multiplied by `scale`. `order` is room for `packed_size` numbers.
    """
    several, entries = 0, 0
    for candidate in range(node.size):
        held = entry_ptr[candidate + 1] - entry_ptr[candidate]
        if held > 1:
            several, entries = several + 1, entries + held
    order[0], order[1], order[2], order[3] = quantity.size, several, entries, node.size - several
    asked = _asked(order)
    for i in range(quantity.size):
        asked.quantity[i], asked.unserved[i] = quantity[i], unserved_minor[i] * scale * quantity[i]
        asked.least[i], asked.alone_ptr[i] = UNREACHABLE, 0
    row, written = 0, 0
    asked.entry_ptr[0] = 0
    for candidate in range(node.size):
        first, stop = entry_ptr[candidate], entry_ptr[candidate + 1]
        bits = 0
        for entry in range(first, stop):
            wanted = line[entry]
            adds = unit_minor[entry] * scale * quantity[wanted]
            asked.least[wanted] = min(asked.least[wanted], adds)
            bits |= 1 << wanted
            if stop - first > 1:
                asked.line[written], asked.cell[written], asked.adds[written] = wanted, place[entry], adds
                written += 1
            else:
                asked.alone_ptr[wanted] += 1
        if stop - first > 1:
            asked.node[row], asked.fixed[row], asked.rank[row] = (
                node[candidate],
                fixed_minor[candidate] * scale,
                candidate,
            )
            row += 1
            asked.lines[row - 1], asked.entry_ptr[row] = bits, written
    _pack_alone(asked, node, fixed_minor, entry_ptr, line, place, unit_minor, scale)
    return int(ORDER_HEAD + 4 * quantity.size + 1 + ALONE * (node.size - several) + 5 * several + 1 + 3 * entries)


@kernel(allocates=False)
def _pack_alone(
    asked: Asked,
    node: Array,
    fixed_minor: Array,
    entry_ptr: Array,
    line: Array,
    place: Array,
    unit_minor: Array,
    scale: int,
) -> None:
    """Write the candidates that hold one line, by line, then by rank; `alone_ptr` comes with how many each has."""
    ptr, alone = asked.alone_ptr, asked.alone
    for i in range(1, asked.quantity.size):
        ptr[i] += ptr[i - 1]
    ptr[asked.quantity.size] = ptr[asked.quantity.size - 1]
    # From the last candidate on, each before those of its line; so that where a line ends becomes where it begins.
    for candidate in range(node.size - 1, -1, -1):
        entry = entry_ptr[candidate]
        if entry_ptr[candidate + 1] - entry > 1:
            continue
        wanted = line[entry]
        ptr[wanted] -= 1
        adds = unit_minor[entry] * scale * asked.quantity[wanted]
        row = alone[ptr[wanted]]
        row[1], row[2], row[3], row[4] = fixed_minor[candidate] * scale + adds, place[entry], node[candidate], candidate
    for i in range(asked.quantity.size):
        least = UNREACHABLE
        for at in range(ptr[i + 1] - 1, ptr[i] - 1, -1):
            least = min(least, alone[at, 1])
            alone[at, 0] = least


def packed_size(lines: int, candidates: int, entries: int) -> int:
    """How many numbers `pack_order` may write."""
    return ORDER_HEAD + 4 * lines + 2 + ALONE * candidates + 3 * entries
