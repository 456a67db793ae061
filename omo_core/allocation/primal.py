"""A plan under work: the orders of a wave at their prices, and the steps that make their plan cheaper."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.accounts import account
from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.block import Block
from omo_core.allocation.chain_kernels import chain_for, chain_in_turn
from omo_core.allocation.greedy import NO_LIMIT
from omo_core.allocation.kernels import Scratch, scratch_for
from omo_core.allocation.long_orders import search_of
from omo_core.allocation.prices import PRICE_PER_MINOR, Prices, priced, scaled
from omo_core.allocation.primal_kernels import Guide, State, make_wishes, move_in_turn, place_in_turn, remove
from omo_core.allocation.problem import AllocationProblem
from omo_core.allocation.ruin_kernels import Ruin, dice_for, ruin_and_recreate, ruin_for
from omo_core.allocation.ruled_orders import serve_ruled_order
from omo_core.allocation.search_kernels import serve_long_order

RUN_ORDERS: Final = 2_048
"""Orders a thread looks at before it takes the next run."""
CHAIN_WIDTH: Final = (6, 3, 2, 2, 1, 1, 1)
"""How many occupants each level of an ejection chain may try to displace."""
CHAIN_STEPS: Final = 150
"""Displacements tried for one order."""
MOST_OUT: Final = 10
"""Orders taken out together by ruin and recreate."""
WARMTH: Final = 0.05
"""The first temperature, as a share of what an order costs on average."""
NOISE: Final = 0.15
"""How far the choice of who moves on is blurred, as a share of what an order costs on average."""


class Standing(NamedTuple):
    """What a plan under work was at some moment."""

    pick: Ints
    """As in `State`."""
    taken: NDArray[np.int32] | None
    """As in `Primal`; None where it is all zeros."""
    mended: Flags
    windowed: Flags


@dataclass
class Primal:
    """A plan for all orders of a problem, and what guides the search for a cheaper one."""

    problem: AllocationProblem
    prices: Prices
    block: Block
    priced: Block
    guide: Guide
    state: State
    turn: Ints
    """int64[short orders]: those with the most to lose to scarcity first."""
    long: Ints
    """int64[long orders]: beyond the exact kernel."""
    taken: NDArray[np.int32]
    """int32[entries]: what orders take that are not in `state`: the long ones, and those with a line split."""
    mended: Flags
    """bool[orders]: decided by the search that splits lines, no longer part of `state`."""
    windowed: Flags
    """bool[orders]: decided with others by an integer program."""
    scratch: Scratch
    step_minor: int
    """What an order costs on average, the measure of all steps."""

    @classmethod
    def begin(cls, problem: AllocationProblem, prices: Prices, threads: int) -> Self:
        """Serve all orders at these prices on live stock: the long ones first, then by what scarcity costs them."""
        block, policy = problem.block, problem.policy
        lines = np.diff(block.line_ptr)
        is_short = lines <= policy.max_exact_lines
        work = cls(
            problem=problem,
            prices=prices,
            block=block,
            priced=priced(block, prices),
            guide=_empty_guide(block),
            state=_empty_state(problem),
            turn=np.flatnonzero(is_short),
            long=np.flatnonzero(~is_short),
            taken=np.zeros(block.line.size, dtype=np.int32),
            mended=np.zeros(problem.orders, dtype=np.bool_),
            windowed=np.zeros(problem.orders, dtype=np.bool_),
            scratch=scratch_for(policy.max_exact_lines),
            step_minor=1,
        )
        work._wish(threads)
        for order in work.long:
            work._serve_by_search(int(order), work.priced, PRICE_PER_MINOR, np.zeros(0, dtype=np.int64))
        place_in_turn(
            work.priced, work.turn, work.state, work.split_minor * PRICE_PER_MINOR, work.max_nodes, work.scratch
        )
        return work

    @property
    def split_minor(self) -> int:
        """What each node of an order beyond its first costs."""
        return self.problem.policy.per_extra_node_minor

    @property
    def max_nodes(self) -> int:
        """Most nodes of one order."""
        return NO_LIMIT if self.problem.policy.max_nodes is None else self.problem.policy.max_nodes

    def _wish(self, threads: int) -> None:
        free, split = _empty_guide(self.block), self.split_minor * PRICE_PER_MINOR
        runs = range(0, self.problem.orders, RUN_ORDERS)
        costs = scaled(self.block)

        def one(first: int) -> None:
            stop = min(first + RUN_ORDERS, self.problem.orders)
            world = self.problem.stock.available.copy(), self.problem.capacity.copy(), split, self.max_nodes
            scratch = scratch_for(self.problem.policy.max_exact_lines)
            make_wishes(costs, first, stop, *world, scratch, False, free)
            make_wishes(self.priced, first, stop, *world, scratch, True, self.guide)

        if threads > 1 and len(runs) > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(one, runs))
        else:
            for first in runs:
                one(first)
        regret = self.guide.value[self.turn] - free.value[self.turn]
        self.turn = self.turn[np.argsort(-regret, kind="stable")]
        average = int(self.guide.value[self.turn].mean()) if self.turn.size else 0
        self.step_minor = max(1, average // PRICE_PER_MINOR)

    def move(self, passes: int) -> int:
        """Decide each short order again at true cost; returns what it saves."""
        saved = 0
        for _ in range(passes):
            gain = move_in_turn(self.block, self.turn, self.state, self.split_minor, self.max_nodes, self.scratch)
            saved += gain
            if gain == 0:
                break
        return saved

    def chain(self, passes: int) -> int:
        """Ejection chains from each order without its wish, forwards and backwards; returns what they save."""
        chain, saved = chain_for(CHAIN_WIDTH, self.scratch.pick.size), 0
        for number in range(passes):
            turn = self.turn[:: -1 if number % 2 else 1].copy()
            gain = chain_in_turn(
                self.block, self.priced, turn, self.state, self.guide, self.split_minor, PRICE_PER_MINOR,
                self.max_nodes, CHAIN_STEPS, self.scratch, chain,
            )  # fmt: skip
            saved += gain
            if gain == 0:
                break
        return saved

    def ruin(self, trials: int, heat: float, seed: int) -> int:
        """Ruin and recreate, from `heat` (0 to 1) down to cold; returns what it saves, which may be below 0."""
        ruin = self._ruin._replace(dice=dice_for(seed))
        warmth = round(WARMTH * heat * self.step_minor)
        noise = round(NOISE * self.step_minor * PRICE_PER_MINOR)
        saved = ruin_and_recreate(
            self.block, self.priced, self.turn, self.state, self.guide, self.split_minor, PRICE_PER_MINOR,
            self.max_nodes, trials, warmth, noise, self.scratch, ruin,
        )  # fmt: skip
        return int(saved)

    @cached_property
    def _ruin(self) -> Ruin:
        """The workplace of all rounds: the wishes do not change once they are made."""
        sizes = self.state.stock.size, self.state.capacity.size
        return ruin_for(self.guide, self.block, *sizes, MOST_OUT, self.scratch.pick.size)

    def to_mend(self) -> Ints:
        """The long orders, and the short ones with an unserved line that can be split. None with rules."""
        unserved = np.flatnonzero((self.state.pick < 0) & (self.block.quantity > 1))
        short = np.setdiff1d(np.unique(self.guide.order_of_line[unserved]), self.long)
        orders: Ints = np.concatenate([self.long, short[~self.mended[short]]])
        return np.extract(self.block.ruled[orders] == 0, orders)

    def mend(self, order: int) -> None:
        """Search for a cheaper way to serve one order, its lines split over nodes, starting from the nodes it uses.

        It is never dearer afterwards. An order that was mended belongs to the short ones no more.
        """
        block, state = self.block, self.state
        lines = slice(int(block.line_ptr[order]), int(block.line_ptr[order + 1]))
        first, stop = int(block.candidate_ptr[order]), int(block.candidate_ptr[order + 1])
        start = int(block.entry_ptr[first])
        taken = self.taken[start : int(block.entry_ptr[stop])]
        used = np.unique(np.searchsorted(block.entry_ptr, np.flatnonzero(taken) + start, side="right") - 1)
        cells = block.cell[start : start + taken.size]
        state.stock[cells] += taken
        state.capacity[block.node[used]] += 1
        taken[:] = 0
        if order not in self.long and not self.mended[order]:
            used = np.unique(state.picked_from[lines][state.pick[lines] >= 0])
            remove(block, order, state)
            state.pick[lines] = state.picked_from[lines] = -1
        self.mended[order] = True
        self._serve_by_search(order, block, 1, used)

    def _serve_by_search(self, order: int, block: Block, price_per_minor: int, used: Ints) -> None:
        if block.ruled[order]:
            limits = self.split_minor * price_per_minor, self.max_nodes
            serve_ruled_order(block, order, used, self.state.stock, self.state.capacity, *limits, self.taken)
            return
        search = search_of(block, order, used, self.state.stock, self.state.capacity)
        serve_long_order(
            block, order, search, self.split_minor * price_per_minor, self.max_nodes, used.size > 0,
            self.state.stock, self.state.capacity, self.taken,
        )  # fmt: skip

    def now(self) -> Standing:
        """The plan as it stands, kept from what comes after."""
        taken = self.taken.copy() if self.long.size or self.mended.any() else None
        return Standing(self.state.pick.copy(), taken, self.mended.copy(), self.windowed.copy())

    def methods(self, standing: Standing | None = None) -> list[str]:
        """How each order was decided, in the words of `OrderPlan.method`; as the plan stands, or stood."""
        then = self.now() if standing is None else standing
        names = np.where(then.windowed, "milp", "wave").astype("U7")
        names[then.mended] = names[self.long] = "columns"
        return [str(name) for name in names]

    def all_taken(self, standing: Standing | None = None) -> NDArray[np.int32]:
        """int32[entries]: the plan as it stands, or stood."""
        then = self.now() if standing is None else standing
        taken = np.zeros_like(self.taken) if then.taken is None else then.taken.copy()
        served = np.flatnonzero(then.pick >= 0)
        taken[then.pick[served]] = self.block.quantity[served]
        return taken


def _empty_guide(block: Block) -> Guide:
    lines, orders = block.quantity.size, block.line_ptr.size - 1
    return Guide(
        value=np.zeros(orders, dtype=np.int64),
        pick=np.full(lines, -1, dtype=np.int64),
        picked_from=np.full(lines, -1, dtype=np.int64),
        loss=np.zeros(lines, dtype=np.int64),
        node_loss=np.zeros(lines, dtype=np.int64),
        order_of_line=np.repeat(np.arange(orders), np.diff(block.line_ptr)),
    )


def _empty_state(problem: AllocationProblem) -> State:
    lines, cells, nodes = problem.block.quantity.size, problem.stock.available.size, problem.capacity.size
    nobody = [np.full(size, -1, dtype=np.int64) for size in (lines, lines, cells, lines, lines, nodes, lines, lines)]
    pick, picked_from, *lists = nobody
    return State(pick, picked_from, problem.stock.available.copy(), problem.capacity.copy(), *lists)


def cost_of_taken(problem: AllocationProblem, taken: NDArray[np.int32]) -> int:
    """What a plan costs in minor units, from the block alone."""
    block, split = problem.block, problem.policy.per_extra_node_minor
    if problem.parcels is not None:
        return int(account(problem, taken).by_order.sum())
    filled = np.flatnonzero(taken)
    candidate = np.searchsorted(block.entry_ptr, filled, side="right") - 1
    used = np.unique(candidate)
    order = np.searchsorted(block.candidate_ptr, used, side="right") - 1
    owner = np.searchsorted(block.candidate_ptr, candidate, side="right") - 1
    line, units = block.line_ptr[owner] + block.line[filled], taken[filled].astype(np.int64)
    total = int((block.quantity * block.unserved_minor).sum()) - int((units * block.unserved_minor[line]).sum())
    total += int((units * block.unit_minor[filled]).sum()) + int(block.fixed_minor[used].sum())
    return total + (used.size - np.unique(order).size) * split
