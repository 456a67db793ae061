"""The allocation problem: demands, stock and prices as columns, built once and read by every solver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from omo_core.allocation.arrays import Array, Flags, Ints
from omo_core.allocation.block import Block
from omo_core.allocation.candidate_kernels import NO_DISTANCE
from omo_core.allocation.cells import withhold
from omo_core.allocation.chunks import Chunk, build_chunk, pointers, rebuild_rows, run_bounds
from omo_core.allocation.columns import (
    DemandColumns,
    StockColumns,
    check_demands,
    demand_columns,
    stock_columns,
)
from omo_core.allocation.costs import CostTerm, default_terms
from omo_core.allocation.demand import OrderDemand
from omo_core.allocation.eligibility import Rule, default_rules
from omo_core.allocation.network_index import NetworkIndex
from omo_core.allocation.pairs import Pairs
from omo_core.allocation.parcels import Parcels
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.side_by_side import in_threads
from omo_core.allocation.special import NodeWork, special_columns, work_column
from omo_core.model.errors import InvalidInput
from omo_core.model.network import Network

UNLIMITED: Final = 1 << 40
"""Capacity of a node without a limit, in orders."""

MAX_TOTAL_MINOR: Final = 1 << 55
"""All that a plan could cost must stay below this, so that no sum leaves 64 bits."""


@dataclass(frozen=True)
class AllocationProblem:
    """Orders with their candidate nodes, exact prices, stock and capacity. Make one with `build`."""

    index: NetworkIndex
    policy: SourcingPolicy
    rules: tuple[Rule, ...]
    terms: tuple[CostTerm, ...]
    columns: DemandColumns
    stock: StockColumns
    capacity: Ints
    """int64[nodes]: orders each node can still take, or whatever pieces `work` counts."""
    block: Block
    distance_m: Ints
    """int64[candidates]."""
    measured_m: Ints
    """int64[candidates], `NO_DISTANCE` where a place is unknown."""
    complete: Flags
    """bool[orders]: no node that could serve the order was left out of its candidates."""
    excluded_pairs: Mapping[str, int]
    """How many pairs of an order and a node that holds something for it each rule forbade, each pair counted for the
    first rule against it."""
    demands: tuple[OrderDemand, ...] = ()
    """What the columns were read from; empty if they were given as columns."""
    work: Ints = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    """int64[nodes, 3]: what an order, each of its lines, and each of its units take from a node's capacity."""
    parts: tuple[Chunk, ...] = ()
    """The runs of orders it was built from, kept for problems made from this one."""

    @classmethod
    def build(
        cls,
        network: Network | NetworkIndex,
        demands: Iterable[OrderDemand],
        stock: Iterable[tuple[str, str, int]],
        policy: SourcingPolicy,
        capacity: Mapping[str, int] | None = None,
        *,
        work: Mapping[str, NodeWork] | None = None,
        rules: Sequence[Rule] | None = None,
        terms: Sequence[CostTerm] | None = None,
    ) -> AllocationProblem:
        """Read demands, stock rows (sku, node, available units) and capacity (node: orders left) into columns.

        A node that `capacity` leaves out has no limit. `work` names nodes whose capacity counts lines or units. Stock of SKUs that no order wants is passed over, a SKU
        without stock is a shortfall. Raises `InvalidInput` with a sentence that names the order, line or cell.
        """
        index = network if isinstance(network, NetworkIndex) else NetworkIndex.of(network)
        asked = tuple(demands)
        check_demands(asked)
        cells, skus = stock_columns(index, stock, (line.sku for demand in asked for line in demand.lines))
        return cls.from_columns(
            index,
            demand_columns(index, asked, skus),
            cells,
            policy,
            capacity,
            work=work,
            rules=rules,
            terms=terms,
            demands=asked,
        )

    @classmethod
    def from_columns(
        cls,
        index: NetworkIndex,
        columns: DemandColumns,
        stock: StockColumns,
        policy: SourcingPolicy,
        capacity: Mapping[str, int] | None = None,
        *,
        work: Mapping[str, NodeWork] | None = None,
        rules: Sequence[Rule] | None = None,
        terms: Sequence[CostTerm] | None = None,
        demands: tuple[OrderDemand, ...] = (),
    ) -> AllocationProblem:
        """As `build`, from columns that are known to be sound."""
        empty = np.zeros(0, dtype=np.int64)
        chosen = tuple(default_rules(policy, index) if rules is None else rules)
        bare = cls(
            index=index,
            policy=policy,
            rules=chosen,
            terms=tuple(default_terms(policy) if terms is None else terms),
            columns=columns.weighing(policy.missing_data.weight_g) if policy.missing_data else columns,
            stock=withhold(chosen, index, stock),
            capacity=_capacity(index, capacity),
            block=Block(*(empty,) * len(Block._fields)),
            distance_m=empty,
            measured_m=empty,
            complete=np.zeros(0, dtype=np.bool_),
            excluded_pairs={},
            demands=demands,
            work=work_column(index, work),
        )
        lines = np.diff(columns.line_ptr)
        limit = np.where(lines > policy.max_exact_lines, len(index.nodes), policy.candidates)
        return bare.with_candidates(limit)

    def of_one_order(self, columns: DemandColumns, stock: StockColumns, demand: OrderDemand) -> AllocationProblem:
        """A problem of one order with every node that may serve it as a candidate, at this one's prices and capacity.

        As `from_columns` with a policy of as many candidates, without what only waves need.
        """
        weight_g = self.policy.missing_data.weight_g if self.policy.missing_data else 0
        bare = replace(self, columns=columns.weighing(weight_g), stock=stock, demands=(demand,))
        every = np.array([len(self.index.nodes)])
        return bare.of_parts([build_chunk(bare, np.zeros(1, dtype=np.int64), every, np.zeros(0, dtype=np.int64))])

    @property
    def parcels(self) -> Parcels | None:
        """The term that prices parcels by weight, if there is one."""
        return next((term for term in self.terms if isinstance(term, Parcels)), None)

    @property
    def orders(self) -> int:
        """How many orders it holds."""
        return int(self.columns.line_ptr.size - 1)

    def with_candidates(self, limit: Ints) -> AllocationProblem:
        """The same problem with up to `limit[order]` candidates chosen by score (int64[orders]), and those added."""
        nothing = np.zeros(0, dtype=np.int64)
        return self._rebuilt(limit, nothing, nothing)

    def with_nodes(self, order: Ints, node: Ints, limit: Ints | None = None) -> AllocationProblem:
        """The same problem with these (order, node) pairs among the candidates too, where rules and stock allow it.

        With `limit` up to so many are chosen by score, as in `with_candidates`.
        """
        for what, positions, size in (("orders", order, self.orders), ("nodes", node, len(self.index.nodes))):
            if positions.size and not 0 <= positions.min() <= positions.max() < size:
                raise InvalidInput(f"the pairs to add name {what} that the problem does not have")
        if order.shape != node.shape:
            raise InvalidInput("the pairs to add need as many nodes as orders")
        chosen = self.limits if limit is None else limit
        return self._rebuilt(chosen, order.astype(np.int64), node.astype(np.int64))

    @property
    def limits(self) -> Ints:
        """int64[orders]: how many candidates by score each order was given."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *(part.limit for part in self.parts)])

    def _rebuilt(self, limit: Ints, order: Ints, node: Ints) -> AllocationProblem:
        """Build the orders that change, keep the others."""
        nodes, bounds = len(self.index.nodes), run_bounds(self)
        kept = {part.first: part for part in self.parts}
        in_order = np.argsort(order, kind="stable")
        order, node = order[in_order], node[in_order]

        def one(first: int, stop: int) -> Chunk:
            part, asked = kept.get(first), limit[first:stop]
            new = slice(*np.searchsorted(order, (first, stop)))
            extra = np.unique((order[new] - first) * nodes + node[new])
            if part is None:
                return build_chunk(self, np.arange(first, stop), asked, extra)
            added = np.setdiff1d(extra, part.extra, assume_unique=True)
            rows = np.union1d(np.flatnonzero(part.limit != asked), added // nodes)
            if not rows.size:
                return part
            return rebuild_rows(self, part, rows, asked, np.union1d(part.extra, extra))

        return self.of_parts(in_threads(one, bounds[:-1].tolist(), bounds[1:].tolist()))

    def of_parts(self, parts: Sequence[Chunk]) -> AllocationProblem:
        """The same problem with the candidates of these runs of orders, which follow one another."""
        built = _join(self, parts)
        _check_sums(built)
        return built

    def with_all_candidates(self) -> AllocationProblem:
        """The same problem with every node that could serve an order among its candidates."""
        if self.complete.all():
            return self
        return self.with_candidates(np.full(self.orders, len(self.index.nodes)))

    def pairs_of(self, candidates: Ints, weight_g: Ints | None = None, cell: Array | None = None) -> Pairs:
        """These candidates (positions in the block) as flat pairs, for rules and cost terms; of stock cells, if given."""
        return Pairs(
            index=self.index,
            demands=self.columns,
            order=np.searchsorted(self.block.candidate_ptr, candidates, side="right").astype(np.int64) - 1,
            node=self.block.node[candidates].astype(np.int64),
            measured_m=self.measured_m[candidates],
            distance_m=self.distance_m[candidates],
            weight_g=np.zeros(candidates.size, dtype=np.int64) if weight_g is None else weight_g,
            stock=self.stock,
            cell=cell,
        )


def _join(problem: AllocationProblem, parts: Sequence[Chunk]) -> AllocationProblem:
    def together(name: str, dtype: type[np.generic]) -> Array:
        if len(parts) == 1:
            only: Array = getattr(parts[0], name)
            return only.astype(dtype, copy=False)
        every: Array = np.concatenate([np.zeros(0, dtype=dtype), *(getattr(part, name) for part in parts)])
        return every.astype(dtype, copy=False)

    columns, node = problem.columns, together("node", np.int32)
    distance_m = measured_m = together("measured_m", np.int64)
    if any(part.distance_m is not part.measured_m for part in parts):
        distance_m = together("distance_m", np.int64)
    candidates = together("candidates", np.int64)
    block = Block(
        line_ptr=columns.line_ptr,
        quantity=columns.quantity,
        unserved_minor=np.full(columns.quantity.size, problem.policy.unserved_minor, dtype=np.int64),
        candidate_ptr=pointers(candidates),
        node=node,
        fixed_minor=(fixed := together("fixed_minor", np.int64)),
        floor_minor=fixed,
        entry_ptr=pointers(together("entries", np.int64)),
        line=together("line", np.int32),
        cell=together("cell", np.int32),
        unit_minor=together("unit_minor", np.int64),
        **special_columns(problem, 0, node, candidates, (measured_m, distance_m)),
    )
    against = sum((part.against for part in parts), np.zeros(len(problem.rules), dtype=np.int64))
    return replace(
        problem,
        block=block,
        distance_m=distance_m,
        measured_m=measured_m,
        complete=together("complete", np.bool_),
        parts=tuple(parts),
        excluded_pairs={rule.name: int(count) for rule, count in zip(problem.rules, against, strict=True)},
    )


def _capacity(index: NetworkIndex, capacity: Mapping[str, int] | None) -> Ints:
    left = np.full(len(index.nodes), UNLIMITED, dtype=np.int64)
    for node, orders in (capacity or {}).items():
        if node not in index.position:
            raise InvalidInput(f"the capacity names node {node!r}, which the network does not have")
        if type(orders) is not int or orders < 0:
            raise InvalidInput(f"the capacity of node {node!r} is {orders!r}; give the orders it can still take")
        left[index.position[node]] = min(orders, UNLIMITED)
    return left


def _check_sums(problem: AllocationProblem) -> None:
    """Refuse prices whose sums could leave 64 bits, or that pay for using a node."""
    block = problem.block
    for what, prices in (("shipment", block.fixed_minor), ("unit", block.unit_minor)):
        if prices.size and int(prices.min()) < 0:
            raise InvalidInput(f"the cost terms add up to a negative price of a {what}; raise them to zero or more")
    dearest_unit = max(int(block.unit_minor.max(initial=0)), problem.policy.unserved_minor)
    dearest_shipment = int(block.fixed_minor.max(initial=0)) + problem.policy.per_extra_node_minor
    if problem.parcels is not None and problem.orders:
        order_g = np.add.reduceat(block.weight_g * block.quantity, block.line_ptr[:-1])
        dearest_shipment += max(one.price_minor(int(order_g.max())) for one in problem.parcels.tariffs)
    units = int(block.quantity.sum(dtype=np.int64))
    if units * dearest_unit + block.node.size * dearest_shipment >= MAX_TOTAL_MINOR:
        raise InvalidInput("the plan's cost could leave 64 bits; lower the policy's prices or solve in smaller waves")


__all__ = ["NO_DISTANCE", "AllocationProblem"]
