"""The real-time router: one order at a time, decided exactly on live stock, paying the prices of the last wave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import NamedTuple

import numpy as np

from omo_core.allocation.arrays import Array, Ints
from omo_core.allocation.block import Block
from omo_core.allocation.cells import CellRule
from omo_core.allocation.chunks import pointers
from omo_core.allocation.columns import StockColumns, check_demands, demand_columns, stock_columns
from omo_core.allocation.costs import CostTerm
from omo_core.allocation.demand import OrderDemand
from omo_core.allocation.eligibility import Rule
from omo_core.allocation.futures import Futures
from omo_core.allocation.greedy import NO_LIMIT
from omo_core.allocation.kernels import assign_in_turn
from omo_core.allocation.long_orders import search_of
from omo_core.allocation.network_index import NetworkIndex
from omo_core.allocation.packing_kernels import pack_order, packed_size
from omo_core.allocation.plan import OrderPlan, Plan
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.prices import PRICE_PER_MINOR, Prices, no_prices, priced, require_range
from omo_core.allocation.problem import UNLIMITED, AllocationProblem
from omo_core.allocation.router_kernels import SPLITS, WARM_HEAD, Live, route_order, work_size
from omo_core.allocation.ruled_orders import serve_ruled_order
from omo_core.allocation.scratch import Scratch, scratch_for
from omo_core.allocation.search_kernels import serve_long_order
from omo_core.allocation.special import NodeWork
from omo_core.model.errors import InvalidInput
from omo_core.model.network import Network


@dataclass(frozen=True, slots=True)
class EncodedOrder:
    """An order with every node that may serve it, priced by the policy; it outlives changes of stock and prices."""

    demand: OrderDemand
    problem: AllocationProblem
    """Of this order alone, over the cells of its items, as if all of them held units."""
    cell: Ints
    """int64[cells of the problem]: their positions in the router's stock."""
    quantity: Sequence[int]
    """Units wanted of each item."""
    packed: Ints
    """For the kernel; empty for an order that is too long for it, or under rules of its own."""


class Routed(NamedTuple):
    """A decision, made and taken: parallel lists of what is taken for which line from which cell of the stock.

    A line counts those of one item once, in the order of `problem.columns` of the encoded order; cell -1 means that
    the units are not served.
    """

    lines: Sequence[int]
    cells: Sequence[int]
    units: Sequence[int]
    method: str = "exact"
    """Or `columns`, where the search over open nodes decided."""


class _Table(NamedTuple):
    """What orders are served on: a block with prices, what is left, what was taken, and working space."""

    paid: Block
    stock: Array
    """int32[cells]."""
    capacity: Ints
    taken: Array
    """int32[entries]."""
    scratch: Scratch


class Router:
    """Live stock and capacity, the prices of taking them, and the policy. Safe to call from several threads.

    An order is decided as `solve_greedy` decides it with all nodes as candidates, if prices are zero: exactly, for
    orders up to `policy.max_exact_lines` items without a line that must be split, by the same search otherwise. What
    rules keep back of a cell is reckoned from the stock that the router was made with.
    """

    def __init__(self, bare: AllocationProblem, prices: Prices | None = None) -> None:
        """Use `of`. `bare` is a problem whose stock holds every item."""
        cells, nodes, policy = bare.stock.available.size, len(bare.index.nodes), bare.policy
        self.index, self.policy, self.stock = bare.index, policy, bare.stock
        self.rules: tuple[Rule, ...] = tuple(rule for rule in bare.rules if not isinstance(rule, CellRule))
        self.terms = bare.terms
        self._empty = replace(
            bare,
            policy=policy.model_copy(update={"candidates": nodes}),
            rules=self.rules,
            capacity=np.full(nodes, UNLIMITED, dtype=np.int64),
        )
        """What problems of one order are made from: every node is a candidate, and none is full."""
        self.decided = 0
        """How many orders it has decided."""
        self._position = {sku: at for at, sku in enumerate(bare.stock.sku)}
        self._max_nodes = NO_LIMIT if policy.max_nodes is None else policy.max_nodes
        self._split = policy.per_extra_node_minor * PRICE_PER_MINOR
        self._warm = np.zeros(WARM_HEAD + 2 * (cells + nodes), dtype=np.int64)
        self._warm[:WARM_HEAD] = cells, nodes, self._split, self._max_nodes, policy.max_exact_lines
        start = WARM_HEAD + 2 * cells
        self._live = Live(
            stock=self._warm[WARM_HEAD : WARM_HEAD + cells],
            cell_price=self._warm[WARM_HEAD + cells : start],
            capacity=self._warm[start : start + nodes],
            node_price=self._warm[start + nodes :],
        )
        self._live.stock[:] = bare.stock.available
        self._live.capacity[:] = bare.capacity
        self._work = np.zeros(work_size(policy.max_exact_lines), dtype=np.int64)
        self._answer = self._work[: policy.max_exact_lines]
        self._lock = Lock()
        self.pay(prices or no_prices(cells, nodes))

    @classmethod
    def of(
        cls,
        network: Network | NetworkIndex,
        stock: Iterable[tuple[str, str, int]],
        policy: SourcingPolicy,
        capacity: Mapping[str, int] | None = None,
        *,
        prices: Prices | None = None,
        work: Mapping[str, NodeWork] | None = None,
        rules: Sequence[Rule] | None = None,
        terms: Sequence[CostTerm] | None = None,
    ) -> Router:
        """A router over stock rows (sku, node, available units) and capacity (node: orders left).

        Raises `InvalidInput` as `AllocationProblem.build` does, and where prices belong to other stock.
        """
        index = network if isinstance(network, NetworkIndex) else NetworkIndex.of(network)
        rows = list(stock)
        cells, _ = stock_columns(index, rows, (sku for sku, _, _ in rows))
        return cls.from_columns(index, cells, policy, capacity, prices=prices, work=work, rules=rules, terms=terms)

    @classmethod
    def from_columns(
        cls,
        index: NetworkIndex,
        stock: StockColumns,
        policy: SourcingPolicy,
        capacity: Mapping[str, int] | None = None,
        *,
        prices: Prices | None = None,
        work: Mapping[str, NodeWork] | None = None,
        rules: Sequence[Rule] | None = None,
        terms: Sequence[CostTerm] | None = None,
    ) -> Router:
        """As `of`, from columns that are known to be sound; its cells are those of the columns."""
        nobody = demand_columns(index, (), {})
        bare = AllocationProblem.from_columns(
            index, nobody, stock, policy, capacity, work=work, rules=rules, terms=terms
        )
        return cls(bare, prices)

    def encode(self, demand: OrderDemand) -> EncodedOrder:
        """Price the order at every node that may serve it; needed once, whenever and however often it is decided.

        Raises `InvalidInput` if the order cannot be sourced as it is written.
        """
        check_demands((demand,))
        known = sorted({line.sku for line in demand.lines})
        held = [self._cells_of(sku) for sku in known]
        cell = np.concatenate(held)
        everywhere = StockColumns(
            sku=known,
            holder_ptr=pointers(np.array([cells.size for cells in held])),
            node=self.stock.node[cell],
            available=np.ones(cell.size, dtype=np.int32),
        )
        columns = demand_columns(self.index, (demand,), {sku: at for at, sku in enumerate(known)})
        problem = self._empty.of_one_order(columns, everywhere, demand)
        is_plain = columns.quantity.size <= self.policy.max_exact_lines and not problem.block.ruled[0]
        row = packed(problem.block, cell) if is_plain else cell[:0]
        return EncodedOrder(demand, problem, cell, columns.quantity.tolist(), row)

    def decide_encoded(self, order: EncodedOrder) -> Routed:
        """Decide and take; microseconds for a short order."""
        with self._lock:
            return self._decide(order)

    def decide(self, demand: OrderDemand) -> OrderPlan:
        """Encode, decide, take, and explain: the answer that waves give, with runner-ups and shortfalls."""
        order = self.encode(demand)
        with self._lock:
            stock, capacity = self._live.stock[order.cell].astype(np.int32), self._live.capacity.copy()
            routed = self._decide(order)
        return self.plan_of(order, routed, stock, capacity)

    def plan_of(self, order: EncodedOrder, routed: Routed, stock: Array, capacity: Ints) -> OrderPlan:
        """The decision in words; `stock` (int32, of the order's cells) and `capacity` are what it found."""
        found = replace(order.problem, stock=replace(order.problem.stock, available=stock), capacity=capacity)
        taken = np.zeros(found.block.cell.size, dtype=np.int32)
        own = {cell: at for at, cell in enumerate(order.cell.tolist())}
        entry_of = {cell: entry for entry, cell in enumerate(found.block.cell.tolist())}
        for cell, units in zip(routed.cells, routed.units, strict=True):
            if cell >= 0:
                taken[entry_of[own[cell]]] = units
        return Plan(found, taken, (routed.method,), solver="greedy", status="heuristic").orders[0]

    def decide_in_turn(self, problem: AllocationProblem) -> Plan:
        """Decide orders that came together, one after the other, each as `decide` does; one left short takes nothing.

        `problem` is over the router's own stock and nodes, with every node as a candidate
        (`AllocationProblem.with_all_candidates`); raises `InvalidInput` for one over other stock. The plan shows what
        it found and paid.
        """
        if problem.stock.sku != self.stock.sku or not np.array_equal(problem.stock.node, self.stock.node):
            raise InvalidInput(
                "the orders' problem is over other stock than the router's; build it over the router's own"
            )
        with self._lock:
            prices = Prices(self._live.cell_price.copy(), self._live.node_price.copy())
            stock, capacity = self._live.stock.astype(np.int32), self._live.capacity
            found = replace(problem, stock=replace(problem.stock, available=stock.copy()), capacity=capacity.copy())
            paid, taken = priced(problem.block, prices), np.zeros(problem.block.cell.size, dtype=np.int32)
            table = _Table(paid, stock, capacity, taken, scratch_for(self.policy.max_exact_lines))
            methods = [self._serve_whole(table, row) for row in range(problem.orders)]
            self._live.stock[:] = stock
            self.decided += problem.orders
        return Plan(found, taken, tuple(methods), solver="router", status="heuristic", prices=prices)

    def restore(self, routed: Routed) -> None:
        """Give back what a decision took."""
        with self._lock:
            pieces: dict[int, Ints] = {}
            for cell, units in zip(routed.cells, routed.units, strict=True):
                if cell >= 0:
                    self._live.stock[cell] += units
                    node = int(self.stock.node[cell])
                    pieces[node] = pieces.get(node, np.array([1, 0, 0])) + np.array([0, 1, units])
            for node, counts in pieces.items():
                self._live.capacity[node] += int(counts @ self._empty.work[node])

    def take(self, node: str, sku: str, units: int) -> None:
        """Units that left by another way, or came (negative); raises `InvalidInput` where there are not so many."""
        column = self.index.position.get(node, -1)
        cells = self._cells_of(sku)
        found = cells[self.stock.node[cells] == column]
        if not found.size:
            raise InvalidInput(
                f"the router holds no stock of {sku!r} at {node!r}; make a new one when places are added"
            )
        with self._lock:
            if self._live.stock[found[0]] < units:
                raise InvalidInput(f"{node!r} has {self._live.stock[found[0]]} units of {sku!r}, not {units}")
            self._live.stock[found[0]] -= units

    def left(self) -> tuple[Ints, Ints]:
        """Units in every cell of `stock` (int64) and orders each node can still take, now."""
        with self._lock:
            return self._live.stock.copy(), self._live.capacity.copy()

    @property
    def prices(self) -> Prices:
        """What decisions pay now."""
        with self._lock:
            return Prices(self._live.cell_price.copy(), self._live.node_price.copy())

    def pay(self, prices: Prices) -> None:
        """From the next order on these prices are paid."""
        if prices.cell.shape != self._live.cell_price.shape or prices.node.shape != self._live.node_price.shape:
            raise InvalidInput("the prices belong to other stock or nodes; make them for the router's own")
        if min(prices.cell.min(initial=0), prices.node.min(initial=0)) < 0:
            raise InvalidInput("a price is negative; raise it to zero or more")
        with self._lock:
            self._live.cell_price[:], self._live.node_price[:] = prices.cell, prices.node

    def reprice(self, futures: Futures, passed: float) -> Prices:
        """Make prices at what is left now, when the part `passed` of the futures' orders has come, and pay them.

        The orders decided meanwhile pay the old prices. Equal calls on equal state give equal prices.
        """
        stock, capacity = self.left()
        prices = futures.prices(passed, stock, capacity)
        self.pay(prices)
        return prices

    def _cells_of(self, sku: str) -> Ints:
        at = self._position.get(sku)
        if at is None:
            return np.zeros(0, dtype=np.int64)
        return np.arange(self.stock.holder_ptr[at], self.stock.holder_ptr[at + 1], dtype=np.int64)

    def _decide(self, order: EncodedOrder) -> Routed:
        self.decided += 1
        if order.packed.size and route_order(order.packed, self._warm, self._work) != SPLITS:
            lines = len(order.quantity)
            return Routed(range(lines), self._answer[:lines].tolist(), order.quantity)
        return self._search(order)

    def _search(self, order: EncodedOrder) -> Routed:
        """Orders beyond the kernel: too long, under rules of their own, or with a line to split."""
        block = order.problem.block
        paid = priced(block, Prices(self._live.cell_price[order.cell], self._live.node_price))
        stock, taken = self._live.stock[order.cell].astype(np.int32), np.zeros(block.cell.size, dtype=np.int32)
        table = _Table(paid, stock, self._live.capacity, taken, scratch_for(self.policy.max_exact_lines))
        method = self._serve(table, 0)
        self._live.stock[order.cell] = stock
        return _routed(paid, taken, order.cell, method)

    def _serve(self, table: _Table, row: int) -> str:
        """Serve one order of the table's block; returns how it was found."""
        paid, stock, capacity, taken, scratch = table
        limits = self._split, self._max_nodes
        if assign_in_turn(paid, np.array([row]), 0, stock, capacity, *limits, scratch, taken) == 1:
            return "exact"
        lines = int(paid.line_ptr[row + 1] - paid.line_ptr[row])
        is_short = lines <= self.policy.max_exact_lines
        if paid.ruled[row]:
            serve_ruled_order(paid, row, scratch.pick[: lines * is_short], stock, capacity, *limits, taken)
        else:
            search = search_of(paid, row, scratch.picked_from[: lines * is_short], stock, capacity)
            serve_long_order(paid, row, search, *limits, is_short, stock, capacity, taken)
        return "columns"

    def _serve_whole(self, table: _Table, row: int) -> str:
        """As `_serve`, or nothing is taken."""
        paid, stock, capacity, taken, _ = table
        before, method = capacity.copy(), self._serve(table, row)
        own = slice(*paid.entry_ptr[paid.candidate_ptr[row : row + 2]].tolist())
        if taken[own].sum() < paid.quantity[paid.line_ptr[row] : paid.line_ptr[row + 1]].sum():
            stock[paid.cell[own]] += taken[own]
            taken[own], capacity[:] = 0, before
        return method


def packed(block: Block, cell: Ints) -> Ints:
    """A block of one order as the router's kernel reads it; `cell` gives each of its cells' place in the live stock.

    Raises `InvalidInput` where the order could cost so much that its cost leaves the kernel's range.
    """
    require_range(block)
    room = np.empty(packed_size(block.quantity.size, block.node.size, block.line.size), dtype=np.int64)
    size = pack_order(
        block.quantity, block.unserved_minor, block.node, block.fixed_minor, block.entry_ptr, block.line,
        cell[block.cell], block.unit_minor, PRICE_PER_MINOR, room,
    )  # fmt: skip
    return room[:size].copy()


def _routed(paid: Block, taken: Array, cell: Ints, method: str) -> Routed:
    """What was taken, and what is not served of a line last."""
    entries = np.flatnonzero(taken)
    units = taken[entries].astype(np.int64)
    missing = paid.quantity.astype(np.int64)
    np.subtract.at(missing, paid.line[entries], units)
    short = np.flatnonzero(missing)
    return Routed(
        [*paid.line[entries].tolist(), *short.tolist()],
        [*cell[paid.cell[entries]].tolist(), *([-1] * short.size)],
        [*units.tolist(), *missing[short].tolist()],
        method,
    )
