"""Kernels of the published benchmark: rounding rules on live stock, and the allocator's exact decision at bid prices."""

# ruff: noqa: PLR0917 - kernels take their arrays one by one, and numba wants plain loops

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np

from omo_core.allocation.arrays import Array
from omo_core.allocation.block import Block
from omo_core.allocation.jit import kernel
from omo_core.allocation.kernels import decide_order
from omo_core.allocation.scratch import Scratch

NEAREST: Final = 0
INDEPENDENT: Final = 1
JASIN_SINHA: Final = 2
DILATE: Final = 3

NO_LIMIT: Final = 1 << 40
ENDLESS: Final = 1 << 30
"""Stock of what stands for "not served"; it is never drawn down."""
NOTHING: Final = 1e-7
"""Fractions below this are a solver's dust."""
MOMENTUM: Final = 0.8
MEMORY: Final = 0.9
STILL: Final = 1e-9


class Rounding(NamedTuple):
    """An instance as the rounding rules read it; an order's row is its type × cities + city."""

    item_ptr: Any
    """int64[rows + 1]."""
    item: Any
    """int64[lines of all rows]."""
    part_ptr: Any
    """int64[rows + 1]: where a row's table, (centres + 1) × lines, begins in `part`."""
    part: Any
    """float64: the part of each item that each centre serves in the deterministic programme."""
    nearest: Any
    """int64[items, cities]."""
    fixed: Any
    """float64[centres + 1, cities]."""
    unit: Any
    """float64[centres + 1, cities]."""


@kernel
def serve_rounded(
    rounding: Rounding, rule: int, plans_again: bool, arrivals: Array, chance: Array, stock: Array
) -> float:
    """What serving the arrivals costs when each order's items are rounded to centres by the rule.

    `chance` is float64[arrivals, 6], uniform in [0, 1). `stock` (int64[centres, items]) is drawn down. An item whose
    centre has none is not served, or, where the rule plans again, goes wherever that now costs least.
    """
    options, cities = rounding.fixed.shape
    centres = options - 1
    chosen, used = np.empty(8, dtype=np.int64), np.zeros(options, dtype=np.bool_)
    total = 0.0
    for arrival in range(arrivals.size):
        row = arrivals[arrival]
        city, first = row % cities, rounding.item_ptr[row]
        lines = rounding.item_ptr[row + 1] - first
        if lines == 0:
            continue
        _choose(rounding, rule, row, chance[arrival], chosen)
        used[:] = False
        for line in range(lines):
            item, centre = rounding.item[first + line], chosen[line]
            if centre < centres and stock[centre, item] <= 0:
                centre = centres
            if centre == centres and plans_again:
                centre = _cheapest_now(rounding, first, line, lines, city, chosen, used, stock)
            if centre < centres:
                stock[centre, item] -= 1
            used[centre] = True
            total += rounding.unit[centre, city]
        for centre in range(options):
            if used[centre]:
                total += rounding.fixed[centre, city]
    return total


@kernel
def _choose(rounding: Rounding, rule: int, row: int, chance: Array, chosen: Array) -> None:
    """A centre for each item of an order by the rule, whether it has stock or not."""
    options, cities = rounding.fixed.shape
    first = rounding.item_ptr[row]
    lines = rounding.item_ptr[row + 1] - first
    part = rounding.part[rounding.part_ptr[row] : rounding.part_ptr[row + 1]].reshape((options, lines))
    if rule == NEAREST:
        for line in range(lines):
            chosen[line] = rounding.nearest[rounding.item[first + line], row % cities]
    elif rule == INDEPENDENT:
        for line in range(lines):
            chosen[line] = _draw(part[:, line], chance[line])
    elif rule == JASIN_SINHA:
        round_jasin_sinha(part, chance, chosen)
    else:
        round_dilate(part, chance, chosen)


@kernel
def _draw(weight: Array, chance: float) -> int:
    """A position with probability proportional to its weight."""
    rest = chance * weight.sum()
    for position in range(weight.size - 1):
        rest -= weight[position]
        if rest < 0:
            return position
    return int(weight.size - 1)


@kernel
def _cheapest_now(
    rounding: Rounding, first: int, line: int, lines: int, city: int, chosen: Array, used: Array, stock: Array
) -> int:
    """The cheapest centre for one line; the fixed price is not counted where the order stops anyhow."""
    options = rounding.fixed.shape[0]
    best, best_centre = np.inf, options - 1
    for centre in range(options):
        if centre < options - 1 and stock[centre, rounding.item[first + line]] <= 0:
            continue
        stops = used[centre]
        for later in range(line + 1, lines):
            if chosen[later] == centre and centre < options - 1:
                stops = stops or stock[centre, rounding.item[first + later]] > 0
        cost = rounding.unit[centre, city] + (0.0 if stops else rounding.fixed[centre, city])
        if cost < best:
            best, best_centre = cost, centre
    return int(best_centre)


@kernel
def round_jasin_sinha(part: Array, chance: Array, chosen: Array) -> None:
    """Correlated rounding (Jasin and Sinha 2015): draw a centre with a set of items first, the other items alone.

    A centre's fractions are peeled into nested sets of m items of equal weight; a set is drawn with weight × m / n.
    """
    options, lines = part.shape
    peeled, head = np.zeros((options, lines, lines)), np.zeros((options, lines))
    for centre in range(options):
        left = part[centre].copy()
        for size in range(lines, 0, -1):
            positive, least = 0, 1.0
            for line in range(lines):
                if left[line] > NOTHING:
                    positive += 1
                    least = min(least, left[line])
            if positive < size:
                continue
            for line in range(lines):
                if left[line] > NOTHING:
                    peeled[centre, size - 1, line] = least
                    left[line] -= least
            head[centre, size - 1] = least * size / lines
    drawn = _draw(head.ravel(), chance[0])
    centre, size = drawn // lines, drawn % lines
    alone = np.empty(options)
    for line in range(lines):
        if peeled[centre, size, line] > 0:
            chosen[line] = centre
            continue
        for other in range(options):
            alone[other] = 0.0
            for level in range(lines):
                if peeled[other, level, line] > 0:
                    alone[other] += max(0.0, peeled[other, level, line] - head[other, level])
        chosen[line] = _draw(alone, chance[1 + line])


@kernel
def round_dilate(part: Array, chance: Array, chosen: Array) -> None:
    """Dilated opening times (Ma 2023): each centre opens at an exponential time, an item takes the first to reach it."""
    options, lines = part.shape
    for line in range(lines):
        best = np.inf
        for centre in range(options):
            if part[centre, line] > 0:
                reached = -math.log(1.0 - chance[centre]) / part[centre, line]
                if reached < best:
                    best, chosen[line] = reached, centre


class Climb(NamedTuple):
    """Bid prices on their way: float64[cells] each, in the block's money."""

    price: Any
    mean: Any
    """The mean of the second half of the last climb: it moves less than any one step."""
    best: Any
    """Where the bound was highest."""
    drift: Any
    spread: Any
    use: Any


@kernel
def climb(
    block: Block,
    free: Array,
    weight: Array,
    stock: Array,
    capacity: Array,
    scratch: Scratch,
    prices: Climb,
    iterations: int,
    step: float,
    decay: float,
) -> float:
    """Raise the price of what `weight` orders of each row use more of than there is, lower it elsewhere.

    Returns the highest bound met: no plan for these orders costs less. `free` is `block.unit_minor` without prices.
    """
    best, counted = -np.inf, 0
    prices.mean[:] = 0.0
    for iteration in range(iterations):
        _set_prices(block, free, prices.price)
        prices.use[:] = 0.0
        bound = 0.0
        for row in range(weight.size):
            if weight[row] <= 0 or block.line_ptr[row + 1] == block.line_ptr[row]:
                continue
            bound += weight[row] * decide_order(block, row, stock, capacity, 0, NO_LIMIT, scratch)
            for line in range(block.line_ptr[row + 1] - block.line_ptr[row]):
                prices.use[block.cell[scratch.pick[line]]] += weight[row]
        for cell in range(stock.size):
            bound -= prices.price[cell] * stock[cell]
        if bound > best:
            best = bound
            prices.best[:] = prices.price
        _step(prices, stock, step)
        step *= decay
        if 2 * iteration >= iterations:
            counted += 1
            prices.mean[:] += prices.price
    prices.mean[:] /= counted
    return best


@kernel(allocates=False)
def _step(prices: Climb, stock: Array, step: float) -> None:
    """Every price goes with its smoothed pull over its mean square, as far as `step`."""
    for cell in range(stock.size):
        if stock[cell] >= ENDLESS:
            continue
        pull = (prices.use[cell] - stock[cell]) / math.sqrt(1.0 + stock[cell])
        if prices.price[cell] <= 0 and pull < 0:
            pull = 0.0
        prices.drift[cell] = MOMENTUM * prices.drift[cell] + (1 - MOMENTUM) * pull
        prices.spread[cell] = MEMORY * prices.spread[cell] + (1 - MEMORY) * pull * pull
        moved = prices.price[cell] + step * prices.drift[cell] / math.sqrt(prices.spread[cell] + STILL)
        prices.price[cell] = max(0.0, moved)


@kernel(allocates=False)
def _set_prices(block: Block, free: Array, price: Array) -> None:
    for entry in range(free.size):
        block.unit_minor[entry] = free[entry] + int(price[block.cell[entry]])


@kernel
def serve_priced(
    block: Block,
    free: Array,
    arrivals: Array,
    share: Array,
    stock: Array,
    capacity: Array,
    scratch: Scratch,
    prices: Climb,
    weight: Array,
    passes: float,
    iterations: int,
    step: float,
) -> int:
    """What serving the arrivals costs when each is decided exactly, on live stock, at bid prices.

    Prices are made anew whenever the part `passes` of the arrivals still to come has passed (0: never), for the
    orders expected from then on. `stock` (int32[cells]) is drawn down, `weight` (float64[rows])
    is room to write in.
    """
    total, due = 0, 0
    _set_prices(block, free, prices.price)
    for arrival in range(arrivals.size):
        if passes > 0 and arrival == due:
            left = arrivals.size - arrival
            due = arrival + max(1, int(passes * left))
            for row in range(share.size):
                weight[row] = left * share[row]
            climb(block, free, weight, stock, capacity, scratch, prices, iterations, step, 1.0)
            prices.price[:] = prices.mean
            _set_prices(block, free, prices.price)
        row = arrivals[arrival]
        lines = block.line_ptr[row + 1] - block.line_ptr[row]
        if lines == 0:
            continue
        decide_order(block, row, stock, capacity, 0, NO_LIMIT, scratch)
        for line in range(lines):
            entry = scratch.pick[line]
            total += free[entry]
            if stock[block.cell[entry]] < ENDLESS:
                stock[block.cell[entry]] -= 1
            is_new = True
            for other in range(line):
                is_new = is_new and scratch.picked_from[other] != scratch.picked_from[line]
            if is_new:
                total += block.fixed_minor[scratch.picked_from[line]]
    return total
