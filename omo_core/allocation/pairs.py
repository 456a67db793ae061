"""Pairs of an order and a node: what rules and cost terms see, whole blocks at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from omo_core.allocation.arrays import Array, Flags, Ints
from omo_core.allocation.candidate_kernels import NO_DISTANCE, great_circle_m, list_holders, measure_pairs
from omo_core.allocation.columns import DemandColumns, StockColumns
from omo_core.allocation.network_index import METHOD_CODE, METHODS, NetworkIndex
from omo_core.allocation.policy_filters import NodeFilter, OrderFilter
from omo_core.allocation.traits import Traits
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod

ALL_ORDERS: Final = OrderFilter()

FAR_AT_ONCE: Final = 256
"""Orders whose distances to all nodes are measured together."""

UNIT_OF_RATE = 1_000_000
"""Rates are minor units for each 1,000 km, distances are metres."""


def rated(rate_minor: int, distance_m: Ints) -> Ints:
    """rate × distance in whole minor units, halves up."""
    return (rate_minor * distance_m + UNIT_OF_RATE // 2) // UNIT_OF_RATE


@dataclass(frozen=True)
class Pairs:
    """Order-node pairs as int64 arrays that broadcast together: a (orders × 1, 1 × nodes) block, or flat pairs.

    Every property has a shape that broadcasts with the others, so one formula serves blocks and flat pairs alike.
    """

    index: NetworkIndex
    demands: DemandColumns
    order: Ints
    node: Ints
    measured_m: Ints
    """Metres, or `NO_DISTANCE` where one of the two places is not known."""
    distance_m: Ints
    """Metres to reckon with: where a place is unknown, the policy's distance, never less than any known one."""
    weight_g: Ints
    """Of one unit: the line's own, or the order's mean while candidates are chosen."""
    stock: StockColumns | None = None
    cell: Array | None = None
    """The pair's own stock cell; None where the pair stands for a whole node."""

    def uses(self, method: DeliveryMethod) -> Flags:
        """Whether the order asks for this method."""
        asked: Flags = self.demands.method[self.order] == METHOD_CODE[method]
        return asked

    def offers(self, method: DeliveryMethod) -> Flags:
        """Whether the node offers this method."""
        offered: Flags = self.index.offers[self.node, METHODS.index(method)]
        return offered

    @property
    def traits(self) -> Traits:
        """What only some rules ask of an order; raises `InvalidInput` where the orders came as columns."""
        if self.demands.traits is None:
            raise InvalidInput("the policy asks what columns do not carry; build the problem from OrderDemands")
        return self.demands.traits

    def of_orders(self, orders: OrderFilter) -> Flags:
        """Whether the order meets the filter."""
        if orders == ALL_ORDERS:
            return np.ones_like(self.order, dtype=np.bool_)
        return self.traits.meeting(orders)[self.order]

    def of_nodes(self, nodes: NodeFilter) -> Flags:
        """Whether the node meets the filter."""
        return self.index.matching(nodes)[self.node]

    def farther_than(self, metres: int) -> Flags:
        """Whether the two places are farther apart, or may be: an unknown distance is."""
        far: Flags = ~self.distance_known | (self.measured_m > metres)
        return far

    @property
    def held(self) -> Ints | None:
        """Units in the pair's own stock cell before the wave; None where the pair stands for a whole node."""
        return None if self.stock is None or self.cell is None else self.stock.held[self.cell]

    @cached_property
    def kind(self) -> Ints:
        """The node's kind, as a position in `KINDS`."""
        return self.index.kind[self.node]

    @property
    def distance_known(self) -> Flags:
        """Whether both places are known."""
        known: Flags = self.measured_m != NO_DISTANCE
        return known

    @cached_property
    def at_pickup_node(self) -> Flags:
        """Whether the buyer collects the order at this very node."""
        here: Flags = self.demands.pickup[self.order] == self.node
        return here

    @cached_property
    def by_parcel(self) -> Flags:
        """Whether the goods travel as a parcel: shipped to the buyer, or to the node where they are collected."""
        return self.uses(DeliveryMethod.SHIP) | (self.uses(DeliveryMethod.PICKUP) & ~self.at_pickup_node)

    @property
    def is_open(self) -> Flags:
        """Whether the node is open at the order's instant (read for one-hour orders only)."""
        return self.demands.is_open[self.demands.open_row[self.order], self.node]

    @property
    def excluded(self) -> Flags:
        """Whether the demand excludes the node."""
        keys = self.demands.excluded
        pair = self.order * len(self.index.nodes) + self.node
        if not keys.size:
            return np.zeros(np.shape(pair), dtype=np.bool_)
        place = np.minimum(np.searchsorted(keys, pair), keys.size - 1)
        found: Flags = keys[place] == pair
        return found


class WholeNodes(Pairs):
    """Pairs that stand for whole nodes, which notice it when a term asks for their cells."""

    asked_for_cells = False
    """If not, what a term answers holds for each cell of the node too, as far as its line weighs as much."""

    def __getattribute__(self, name: str) -> Any:
        if name in {"cell", "stock", "held"}:
            object.__setattr__(self, "asked_for_cells", True)
        return super().__getattribute__(name)


def block_of_pairs(
    index: NetworkIndex, demands: DemandColumns, first: int, stop: int, unknown_distance_m: int
) -> WholeNodes:
    """All pairs of the orders first..stop with every node, as a block."""
    count = stop - first
    measured = np.empty((count, len(index.nodes)), dtype=np.int64)
    great_circle_m(demands.xyz[first:stop], demands.placed[first:stop], index.xyz, index.placed, measured)
    unknown = np.maximum(measured.max(axis=1, keepdims=True), unknown_distance_m)
    ptr = demands.line_ptr[first : stop + 1]
    weights = np.add.reduceat(demands.weight_g[ptr[0] : ptr[-1]], ptr[:-1] - ptr[0])
    return WholeNodes(
        index=index,
        demands=demands,
        order=np.arange(first, stop, dtype=np.int64)[:, None],
        node=np.arange(len(index.nodes), dtype=np.int64)[None, :],
        measured_m=measured,
        distance_m=np.where(measured == NO_DISTANCE, unknown, measured),
        weight_g=(weights // np.diff(ptr))[:, None],
    )


def pairs_of_holders(
    index: NetworkIndex, demands: DemandColumns, orders: Ints, stock: StockColumns, unknown_distance_m: int
) -> tuple[WholeNodes, Ints]:
    """Each of these orders with every node that has units of something it wants, as flat pairs, and how many each has.

    Pairs stand in the order of `orders`, those of an order by node. Most nodes of a large network hold nothing of an
    order, so these are a fraction of the block of all pairs.
    """
    ptr, lines = lines_of(demands, orders)
    sku, weight_g = demands.sku[lines], demands.weight_g[lines]
    count = np.zeros(orders.size, dtype=np.int64)
    held = np.empty(int(np.diff(stock.holder_ptr)[sku].sum()) + 1, dtype=np.int64)
    size = list_holders(ptr, sku, stock.holder_ptr, stock.node, stock.available, len(index.nodes), count, held)
    node, order = held[:size].copy(), np.repeat(orders, count)
    measured = np.empty(size, dtype=np.int64)
    measure_pairs(demands.xyz, demands.placed, order, index.xyz, index.placed, node, measured)
    distance, unknown = measured, measured == NO_DISTANCE
    if unknown.any():
        distance = measured.copy()
        distance[unknown] = np.maximum(_farthest_m(index, demands, order[unknown]), unknown_distance_m)
    weights = np.add.reduceat(weight_g, ptr[:-1]) // np.diff(ptr) if orders.size else np.zeros(0, dtype=np.int64)
    pairs = WholeNodes(
        index=index,
        demands=demands,
        order=order,
        node=node,
        measured_m=measured,
        distance_m=distance,
        weight_g=np.repeat(weights, count),
    )
    return pairs, count


def lines_of(demands: DemandColumns, orders: Ints) -> tuple[Ints, Ints]:
    """Where the lines of each of these orders begin once they stand one after another, and which they are."""
    first, size = demands.line_ptr[orders], demands.line_ptr[orders + 1] - demands.line_ptr[orders]
    ptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    return ptr, np.repeat(first - ptr[:-1], size) + np.arange(ptr[-1])


def _farthest_m(index: NetworkIndex, demands: DemandColumns, order: Ints) -> Ints:
    """The farthest known distance of each of these orders to any node, `NO_DISTANCE` where none is known."""
    asked, back = np.unique(order, return_inverse=True)
    farthest = np.empty(asked.size, dtype=np.int64)
    for first in range(0, asked.size, FAR_AT_ONCE):
        some = asked[first : first + FAR_AT_ONCE]
        measured = np.empty((some.size, len(index.nodes)), dtype=np.int64)
        great_circle_m(demands.xyz[some], demands.placed[some], index.xyz, index.placed, measured)
        farthest[first : first + some.size] = measured.max(axis=1)
    return farthest[back]
