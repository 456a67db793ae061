"""Kernels for orders with rules of their own: parcels by weight, lines that stay together, work that is not one an order."""

# ruff: noqa: PLR0912, PLR0917 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel


@kernel(allocates=False)
def parcel_price(block: Block, candidate: int, weight_g: int) -> int:
    """What the candidate's tariff asks for this weight; 0 without a tariff.

    What its heaviest band does not carry goes as several parcels: full ones, and one with the rest.
    """
    tariff = block.tariff[candidate]
    if tariff < 0:
        return 0
    first, last = block.band_ptr[tariff], block.band_ptr[tariff + 1] - 1
    full = max(0, weight_g - 1) // block.band_up_to_g[last]
    rest = weight_g - full * block.band_up_to_g[last]
    band = first
    while block.band_up_to_g[band] < rest:
        band += 1
    return int(full * block.band_minor[last] + block.band_minor[band])


@kernel(allocates=False)
def parcel_floor(block: Block, candidate: int, weight_g: int) -> int:
    """What the candidate's tariff asks at least for this weight, on a straight line; 0 without a tariff."""
    tariff = block.tariff[candidate]
    if tariff < 0:
        return 0
    return int(block.floor_base_minor[tariff] + block.floor_gram_minor[tariff] * weight_g)


@kernel(allocates=False)
def work_of(block: Block, node: int, lines: int, units: int) -> int:
    """What so many lines and units of one order take from the node's capacity."""
    return int(block.work[node, 0] + block.work[node, 1] * lines + block.work[node, 2] * units)


@kernel(allocates=False)
def measure_sets(block: Block, order: int, lines: Array, units: Array, weight_g: Array) -> None:
    """For each set of the order's lines (a bit mask) how many lines, units and grams; `lines` is -1 where a set cuts a group.

    All int64[2^lines of the order].
    """
    first = block.line_ptr[order]
    count = block.line_ptr[order + 1] - first
    for mask in range(1 << count):
        lines[mask] = units[mask] = weight_g[mask] = 0
        for line in range(count):
            if mask >> line & 1:
                lines[mask] += 1
                units[mask] += block.quantity[first + line]
                weight_g[mask] += block.quantity[first + line] * block.weight_g[first + line]
        for line in range(count):
            leader = block.group[first + line]
            if leader >= 0 and (mask >> line & 1) != (mask >> leader & 1):
                lines[mask] = -1
                break


@kernel(allocates=False)
def cheapest_sets_under_rules(
    block: Block,
    order: int,
    stock: Array,
    capacity: Array,
    cell_price: Array,
    node_price: Array,
    lines: Array,
    units: Array,
    weight_g: Array,
    sums: Array,
    masks: Array,
    cost: Array,
    node_of: Array,
    unreachable: int,
    at_least: bool,
) -> None:
    """As the search of ordinary orders: for each set of lines the cheapest candidate that may serve it whole.

    `stock` and `capacity` may be empty: then there is no limit. `cell_price` (of a unit) and `node_price` (of a piece of
    work) may be empty: then there are no prices. `lines`, `units`, `weight_g` come from `measure_sets`; `sums` and `masks`
    are working space of the same size. Fills `cost` (`unreachable` where no candidate can) and `node_of` (-1). With
    `at_least` a parcel counts with its floor instead of its price.
    """
    first = block.line_ptr[order]
    size = 1 << (block.line_ptr[order + 1] - first)
    for mask in range(size):
        cost[mask], node_of[mask] = unreachable, -1
    for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
        node = block.node[candidate]
        if capacity.size and capacity[node] <= 0:
            continue
        sums[0], masks[0], found = block.fixed_minor[candidate], 0, 1
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            line = block.line[entry]
            wanted = block.quantity[first + line]
            if stock.size and stock[block.cell[entry]] < wanted:
                continue
            add, bit = block.unit_minor[entry] * wanted, 1 << line
            if cell_price.size:
                add += cell_price[block.cell[entry]] * wanted
            for i in range(found):
                sums[found + i], masks[found + i] = sums[i] + add, masks[i] | bit
            found *= 2
        for i in range(1, found):
            mask = masks[i]
            work = work_of(block, node, lines[mask], units[mask])
            if lines[mask] < 0 or (capacity.size and work > capacity[node]):
                continue
            if at_least:
                total = sums[i] + parcel_floor(block, candidate, weight_g[mask])
            else:
                total = sums[i] + parcel_price(block, candidate, weight_g[mask])
            if node_price.size:
                total += node_price[node] * work
            if total < cost[mask]:
                cost[mask], node_of[mask] = total, candidate
