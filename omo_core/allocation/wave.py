"""Joint sourcing of a whole wave: prices from the dual, a plan made at them and improved step by step, and its proof."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import numpy as np

from omo_core.allocation.certificate import solve_dual_over_network
from omo_core.allocation.columns_near import list_near
from omo_core.allocation.dual import ITERATIONS
from omo_core.allocation.exact import solve_exact
from omo_core.allocation.greedy import solve_greedy
from omo_core.allocation.plan import Plan
from omo_core.allocation.prices import PRICE_PER_MINOR, Prices
from omo_core.allocation.primal import Primal, Standing, cost_of_taken
from omo_core.allocation.problem import AllocationProblem
from omo_core.allocation.windows import Limits, improve_pass
from omo_core.allocation.work_budget import WorkBudget
from omo_core.model.errors import InvalidInput

EXACT_ENTRIES: Final = 250
"""A wave with no more than this many ways to take a line's units is a matter for the exact model."""
EXACT_SEARCH_NODES: Final = 2_000
FEW_ORDERS: Final = 2_000
PIECE_TRIALS: Final = 20_000
"""Trials of ruin and recreate between two looks at the clock."""
PIECE_SPLITS: Final = 50
"""Orders whose lines may be split between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class WaveProgress:
    """How far a wave has come."""

    stage: str
    """What was just done: `greedy`, `exact`, `prices`, `plan`, `moves`, `chains`, `ruin`, `windows` or `splits`."""
    cost_minor: int
    """Of the best plan so far."""
    lower_bound_minor: int | None
    """Proven so far, over all nodes."""
    seconds: float
    """Since the call."""

    @property
    def gap(self) -> float | None:
        """(cost − bound) / cost; None without a bound."""
        if self.lower_bound_minor is None:
            return None
        return (self.cost_minor - self.lower_bound_minor) / max(self.cost_minor, 1)


def solve_wave(
    problem: AllocationProblem,
    *,
    budget: WorkBudget | None = None,
    deadline: timedelta | None = None,
    threads: int | None = None,
    progress: Callable[[WaveProgress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Plan:
    """Decide all orders jointly: never dearer than `solve_greedy`, with a lower bound over all nodes.

    The greedy plan comes first and only gets cheaper, until the budget (None: `WorkBudget()`) is spent. `deadline` (from
    the call on) and `cancel` are looked at between bounded pieces of work and end the search with the best plan so far.
    Equal problems and budgets give equal plans on any number of threads (None: one a processor), unless a deadline or
    `cancel` came in between. `progress` is called after each piece. Raises `InvalidInput` for fewer than one thread.
    """
    if threads is not None and threads < 1:
        raise InvalidInput(f"the wave cannot be solved on {threads} threads; give at least 1, or None")
    search = _Search(
        problem=problem,
        budget=budget or WorkBudget(),
        threads=threads or os.cpu_count() or 1,
        watch=_Watch(monotonic, deadline, cancel),
    )
    for stage in search.pieces():
        if progress is not None:
            progress(WaveProgress(stage, search.cost_minor, search.lower_bound_minor, search.watch.seconds()))
        if search.watch.is_over() or search.is_enough():
            break
    return search.plan()


class _Watch:
    """When the search has to end."""

    def __init__(
        self, monotonic: Callable[[], float], deadline: timedelta | None, cancel: Callable[[], bool] | None
    ) -> None:
        self._monotonic, self._cancel = monotonic, cancel
        self._begun = monotonic()
        self._most = None if deadline is None else deadline.total_seconds()

    def seconds(self) -> float:
        return self._monotonic() - self._begun

    def left(self) -> float | None:
        return None if self._most is None else max(0.0, self._most - self.seconds())

    def is_half_over(self) -> bool:
        """Prices may take half of the time: without a plan made at them they are worth little."""
        return self.is_over() or (self._most is not None and self.seconds() >= self._most / 2)

    def is_over(self) -> bool:
        return self.left() == 0.0 or (self._cancel is not None and self._cancel())


SHAKES: Final = 5
"""Trials an order, between two windows that each hold the whole wave."""
SHAKE_HEAT: Final = 0.6


@dataclass
class _Search:
    """The best plan so far, the best bound so far, and the pieces of work that bring them together."""

    problem: AllocationProblem
    budget: WorkBudget
    threads: int
    watch: _Watch
    best: Plan = field(init=False)
    """The greedy plan, or the exact one."""
    cost_minor: int = field(init=False, default=0)
    greedy_minor: int = field(init=False, default=0)
    lower_bound_minor: int | None = field(init=False, default=None)
    prices: Prices | None = field(init=False, default=None)
    work: Primal | None = field(init=False, default=None)
    now_minor: int = field(init=False, default=0)
    """What the plan under work costs as it stands."""
    found: Standing | None = field(init=False, default=None)
    """The best plan under work, once it is cheaper than the greedy one."""

    def pieces(self) -> Iterator[str]:
        """Run the stages; each piece of work yields its stage's name."""
        self.best = solve_greedy(self.problem)
        self.cost_minor = self.greedy_minor = self.best.cost_minor
        # Not with the greedy plan's candidates: the prices add those that matter, and fewer cost less.
        yield "greedy"
        yield from self._price()
        if self._is_tiny():
            exact = solve_exact(self.problem, search_nodes=EXACT_SEARCH_NODES)
            self._prove(exact.lower_bound_minor or 0)
            if exact.cost_minor <= self.cost_minor:
                self.best, self.cost_minor = exact, exact.cost_minor
            yield "exact"
        yield from self._improve()

    def _is_tiny(self) -> bool:
        return int(np.diff(self.problem.stock.holder_ptr)[self.problem.columns.sku].sum()) <= EXACT_ENTRIES

    def is_enough(self) -> bool:
        """Whether the plan is proven to be as near the best as the budget asks."""
        if self.lower_bound_minor is None:
            return False
        return (self.cost_minor - self.lower_bound_minor) * 1_000_000 <= self.budget.gap_ppm * self.cost_minor

    def _price(self) -> Iterator[str]:
        if self.problem.orders == 0:
            return
        few = self.problem.orders <= FEW_ORDERS
        iterations = self.budget.iterations * (4 if few else 1)
        found = solve_dual_over_network(
            self.problem,
            iterations=iterations,
            step=self.budget.step,
            decay=self.budget.decay ** (ITERATIONS / max(iterations, ITERATIONS)),
            threads=self.threads,
            stop=self.watch.is_half_over,
        )
        self.problem, self.prices = found.problem, found.dual.prices
        self._prove(found.dual.bound_minor)
        yield "prices"

    def _prove(self, bound_minor: int) -> None:
        self.lower_bound_minor = max(bound_minor, self.lower_bound_minor or 0)

    def _improve(self) -> Iterator[str]:
        assert self.prices is not None
        self.work = work = Primal.begin(self.problem, self.prices, self.threads)
        self.now_minor = cost_of_taken(self.problem, work.all_taken())
        yield self._keep("plan", 0)
        yield self._keep("moves", work.move(3))
        yield self._keep("chains", work.chain(4))
        trials = round(self.budget.trials_per_order * work.turn.size)
        rounds = -(-trials // max(1, min(work.turn.size, PIECE_TRIALS)))
        for number in range(rounds):
            heat = 1.0 - number / rounds if number + 1 < rounds else 0.0
            yield self._keep("ruin", work.ruin(-(-trials // rounds), heat, number))
        yield self._keep("chains", work.chain(2))
        yield from self._windows(work)
        orders = work.to_mend()
        for first in range(0, orders.size, PIECE_SPLITS):
            before = cost_of_taken(self.problem, work.all_taken())
            for order in orders[first : first + PIECE_SPLITS].tolist():
                work.mend(order)
            yield self._keep("splits", before - cost_of_taken(self.problem, work.all_taken()))

    def _windows(self, work: Primal) -> Iterator[str]:
        budget = self.budget
        if not budget.window_passes:
            return
        columns = list_near(work, round(budget.reach * work.step_minor * PRICE_PER_MINOR), self.threads)
        limits = Limits(budget.window_orders, budget.window_search_nodes, self.threads, self.watch.left)
        fits_in_one = work.turn.size <= budget.window_orders
        for number in range(budget.window_passes):
            before_minor, saved = self.cost_minor, 0
            for saving in improve_pass(work, columns, number, limits):
                saved += saving
                yield self._keep("windows", saving)
            if number + 1 == budget.window_passes or not (self.cost_minor < before_minor if fits_in_one else saved):
                break
            if fits_in_one:
                # Such a window has found all there is near its plan: only another plan leads anywhere else.
                yield self._keep("shakes", work.ruin(SHAKES * work.turn.size, SHAKE_HEAT, -1 - number))
                yield self._keep("shakes", work.chain(2))

    def _keep(self, stage: str, saved: int) -> str:
        """Remember the plan as it stands if it is the best."""
        assert self.work is not None
        self.now_minor -= saved
        if self.now_minor < self.cost_minor:
            self.cost_minor, self.found = self.now_minor, self.work.now()
        return stage

    def plan(self) -> Plan:
        """The best plan so far."""
        plan = self.best
        if self.found is not None and self.work is not None:
            taken, methods = self.work.all_taken(self.found), tuple(self.work.methods(self.found))
            plan = replace(plan, problem=self.work.problem, taken=taken, methods=methods)
        bound = self.lower_bound_minor
        status = "optimal" if bound is not None and bound >= self.cost_minor else "heuristic"
        return replace(
            plan,
            solver="wave",
            status=status,
            lower_bound_minor=bound,
            prices=self.prices,
            greedy_minor=self.greedy_minor,
        )
