"""The Lagrangian dual: prices of stock and capacity at which every order decides alone, and the bound they prove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from omo_core.allocation.arrays import Ints
from omo_core.allocation.block import Block
from omo_core.allocation.dual_kernels import Steps, step_prices
from omo_core.allocation.order_values import OrderValues, order_of_entries
from omo_core.allocation.prices import PRICE_PER_MINOR, Prices
from omo_core.allocation.problem import AllocationProblem
from omo_core.model.errors import InvalidInput

ITERATIONS: Final = 120
STEP: Final = 0.12
"""The first step of a price, in what a shipment with one unit costs; measured best between 0.06 and 0.25."""
DECAY: Final = 0.97
"""How much of a step the next one is."""
MAX_VALUE: Final = 2.0**62
"""Prices times limits stay below this."""


@dataclass(frozen=True)
class Dual:
    """Prices, and what they prove about the problem they were made for."""

    prices: Prices
    values: Ints
    """int64[orders]: what each order costs at these prices if it has all stock and nodes to itself, in 1/64 minor
    units; a lower bound of that for orders of more than `policy.max_exact_lines` lines."""
    bound: int
    """No plan over the problem's candidates costs less, in 1/64 minor units."""
    iterations: int
    """How many times all orders were valued."""

    @property
    def bound_minor(self) -> int:
        """The bound in minor units; costs are whole, so it rounds up."""
        return -(-self.bound // PRICE_PER_MINOR)


def solve_dual(
    problem: AllocationProblem,
    *,
    iterations: int = ITERATIONS,
    start: Prices | None = None,
    step: float = STEP,
    decay: float = DECAY,
    threads: int | None = None,
) -> Dual:
    """Prices under which the orders' own decisions cost as much as can be proven (a subgradient ascent).

    Starts from `start`, or from none. `step` is how far a price moves at first, in what a shipment with one unit
    costs at the orders' cheapest candidates. The same prices on any number of threads (None: one a processor).
    """
    if iterations < 1:
        raise InvalidInput(f"the dual cannot be solved in {iterations} iterations; give at least 1")
    with OrderValues(problem.block, problem.policy, threads) as orders:
        ascent = Ascender(problem, orders, start)
        return ascent.climb(iterations, step * typical_cost(orders.block), decay)


def values_at(problem: AllocationProblem, prices: Prices, *, threads: int | None = None) -> Dual:
    """The same prices, with what they prove about this problem."""
    with OrderValues(problem.block, problem.policy, threads) as orders:
        values, _ = orders.at(*prices)
    return Dual(prices, values, bound_of(problem, prices, values), 1)


def bound_of(problem: AllocationProblem, prices: Prices, values: Ints) -> int:
    """What these values of the orders prove at these prices, in 1/64 minor units."""
    limited = prices.node > 0
    paid = int(prices.cell @ problem.stock.available) + int(prices.node[limited] @ problem.capacity[limited])
    return int(values.sum()) - paid


def typical_cost(block: Block) -> float:
    """What a shipment with one unit costs at an order's cheapest candidate, on average; at least 1."""
    cheapest = block.candidate_ptr[:-1][np.diff(block.candidate_ptr) > 0]
    if not cheapest.size:
        return 1.0
    return max(1.0, float(block.fixed_minor[cheapest].mean() + block.unit_minor.mean()))


def _prices_of_shortage(problem: AllocationProblem, block: Block) -> Ints:
    """int64[cells]: where the wave wants more of a SKU than all nodes hold, about what the last order served saves.

    Steps are as small as freight; not serving may cost many times that, which they would not reach in time.
    """
    holder_ptr = problem.stock.holder_ptr
    wanted = np.bincount(problem.columns.sku, problem.columns.quantity, minlength=holder_ptr.size - 1)
    held = np.diff(np.concatenate([[0], np.cumsum(problem.stock.available, dtype=np.int64)])[holder_ptr])
    saved = max(0, int(block.unserved_minor.max(initial=0)) - round(typical_cost(block)))
    return np.repeat(np.where(wanted > held, saved, 0), np.diff(holder_ptr))


class Ascender:
    """Prices of cells and nodes in one array, on their way up to the best bound."""

    def __init__(self, problem: AllocationProblem, orders: OrderValues, start: Prices | None) -> None:
        self._orders = orders
        self._cells = problem.stock.available.size
        self._limit = np.concatenate([problem.stock.available, problem.capacity]).astype(np.int64)
        self._price = np.zeros(self._limit.size, dtype=np.int64)
        if start is None:
            self._price[: self._cells] = _prices_of_shortage(problem, orders.block)
        else:
            if start.cell.shape != (self._cells,) or start.node.shape != problem.capacity.shape:
                raise InvalidInput(
                    "the prices to start from belong to other stock or nodes; give those of this problem"
                )
            self._price = np.maximum(np.concatenate([start.cell, start.node]).astype(np.int64), 0)
        self._steps = self._rows_that_can_bind(problem)
        self.is_done = False
        """Whether no price has a reason to move any more."""

    def go_on_from(self, other: Ascender) -> None:
        """Take over what an ascent for the same stock and nodes remembers, its candidates being fewer."""
        self._price[:] = other._price
        old, new = other._steps, self._steps
        at = np.searchsorted(new.row, old.row)
        for name in ("exact", "drift", "spread"):
            getattr(new, name)[at] = getattr(old, name)
        for name in ("group_drift", "group_spread"):
            getattr(new, name)[:] = getattr(old, name)

    def _rows_that_can_bind(self, problem: AllocationProblem) -> Steps:
        """Where all orders together could use more than there is; prices elsewhere are 0."""
        block = self._orders.block
        line = block.line_ptr[order_of_entries(block)] + block.line
        demand = np.bincount(block.cell, block.quantity[line], minlength=self._cells)
        visits = np.zeros(problem.capacity.size, dtype=np.int64)
        np.add.at(visits, block.node, block.work[block.node, 0])
        if block.work[:, 1:].any():
            node = np.repeat(block.node, np.diff(block.entry_ptr))
            np.add.at(visits, node, block.work[node, 1] + block.work[node, 2] * block.quantity[line])
        can_bind = np.concatenate([demand, visits]) > self._limit
        self._price[~can_bind] = 0
        row = np.flatnonzero(can_bind)
        holder_ptr = problem.stock.holder_ptr
        sku = np.searchsorted(holder_ptr, row, side="right") - 1
        limit = self._limit[row]
        penalties = np.add.reduceat(np.append(block.unserved_minor * block.quantity, 0), block.line_ptr[:-1])
        dearest = block.unserved_minor.max(initial=0), penalties.max(initial=0)
        most = np.where(row < self._cells, *dearest).astype(np.float64)
        most *= min(1.0, MAX_VALUE / max(float(most @ limit), 1.0))
        exact = np.minimum(self._price[row], most)
        self._price[row] = np.floor(exact)
        zeros = [np.zeros(row.size) for _ in range(2)]
        groups = [np.zeros(holder_ptr.size - 1) for _ in range(3)]
        return Steps(row, np.where(row < self._cells, sku, -1), limit, most, exact, *zeros, *groups)

    def climb(self, iterations: int, rate: float, decay: float) -> Dual:
        """So many evaluations with a step after each; the best bound on the way."""
        best: Dual | None = None
        done = 0
        while done < iterations:
            values, use = self._orders.at(self._price[: self._cells], self._price[self._cells :])
            done += 1
            bound = int(values.sum()) - int(self._price[self._steps.row] @ self._steps.limit)
            if best is None or bound > best.bound:
                prices = Prices(self._price[: self._cells].copy(), self._price[self._cells :].copy())
                best = Dual(prices, values.copy(), bound, done)
            self.is_done = not step_prices(self._steps, use, rate, rate, self._price)
            if self.is_done:
                break
            rate *= decay
        assert best is not None
        return Dual(best.prices, best.values, best.bound, done)
