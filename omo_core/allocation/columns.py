"""Demands and stock as checked columns, the only form in which the rest of the allocator reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.demand import OrderDemand, check_demand
from omo_core.allocation.groups import group_column
from omo_core.allocation.network_index import METHOD_CODE, NetworkIndex, unit_vectors
from omo_core.allocation.traits import Traits
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.values import MAX_QUANTITY

NOT_ASKED: Final = -1
"""The order names no pickup node."""
NOT_KNOWN: Final = -2
"""The order names a pickup node that the network does not have."""


@dataclass(frozen=True)
class DemandColumns:
    """Orders as columns; lines of one order that name the same SKU are one row here."""

    order: Sequence[str]
    method: Ints
    """int64[orders], position in `METHODS`."""
    xyz: NDArray[np.float64]
    """float64[orders, 3]: where the goods go (for pickup: the pickup node), as a unit vector."""
    placed: Flags
    pickup: Ints
    """int64[orders]: the pickup node, `NOT_ASKED` or `NOT_KNOWN`."""
    open_row: Ints
    """int64[orders]: row of `is_open` that holds at the order's instant."""
    is_open: Flags
    """bool[instants, nodes]; its last row, for orders that need no hours, is all open."""
    excluded: Ints
    """int64[pairs], sorted: order × nodes + node of every excluded pair."""
    line_ptr: Ints
    sku: Ints
    """int64[lines], position in the stock's SKUs."""
    quantity: NDArray[np.int32]
    weight_g: Ints
    """int64[lines], of one unit."""
    traits: Traits | None = None
    """What only some rules ask; None where the orders came as columns."""
    whole: Flags | None = None
    """bool[orders]: serve in full or not at all; None is never."""
    group: NDArray[np.int32] | None = None
    """int32[lines]: position in the order of the first line that must come from the same node, -1 for none; None is none."""

    def weighing(self, unknown_g: int) -> DemandColumns:
        """The same orders, with so many grams for what has no known weight."""
        return replace(self, weight_g=np.where(self.weight_g == 0, unknown_g, self.weight_g)) if unknown_g else self


@dataclass(frozen=True)
class StockColumns:
    """Stock cells sorted by (SKU, node); a SKU without stock has no cells."""

    sku: Sequence[str]
    holder_ptr: Ints
    """int64[skus + 1]: a SKU's cells."""
    node: NDArray[np.int32]
    available: NDArray[np.int32]
    """What may be taken: what the cell holds less what rules keep back."""
    withheld: NDArray[np.int32] | None = None
    """int32[cells]: units that rules keep back; None where no rule does."""
    withheld_by: NDArray[np.int8] | None = None
    """int8[cells]: position of the rule that keeps back most, -1 where none does."""

    @cached_property
    def held(self) -> Ints:
        """int64[cells]: what each cell holds, whether it may be taken or not."""
        held = self.available.astype(np.int64)
        return held if self.withheld is None else held + self.withheld


def stock_columns(
    index: NetworkIndex, stock: Iterable[tuple[str, str, int]], wanted: Iterable[str]
) -> tuple[StockColumns, dict[str, int]]:
    """Stock of the wanted SKUs as columns, and each SKU's position.

    Raises `InvalidInput` on negative or absurd stock, an unknown node, or a (SKU, node) that comes twice.
    """
    skus = {sku: i for i, sku in enumerate(sorted(set(wanted)))}
    names, places, units = zip(*stock, strict=True) if (stock := list(stock)) else ((), (), ())
    _check_stock(index, names, places, units)
    nodes = np.fromiter(map(index.position.__getitem__, places), np.int64, count=len(places))
    cell = np.fromiter(map(skus.get, names, repeat(-1)), np.int64, count=len(names)) * len(index.nodes) + nodes
    available = np.array(units, dtype=np.int64)
    in_order = np.argsort(cell, kind="stable")
    in_order = in_order[cell[in_order] >= 0]
    cell, available = cell[in_order], available[in_order]
    if (twice := np.flatnonzero(cell[1:] == cell[:-1])).size:
        sku, node = names[in_order[twice[0]]], places[in_order[twice[0]]]
        raise InvalidInput(f"stock of {sku!r} at {node!r} is listed twice; list each (SKU, node) once")
    cell, available = cell[available > 0], available[available > 0]
    counts = np.bincount(cell // len(index.nodes), minlength=len(skus))
    columns = StockColumns(
        sku=tuple(skus),
        holder_ptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        node=(cell % len(index.nodes)).astype(np.int32),
        available=available.astype(np.int32),
    )
    return columns, skus


def _check_stock(index: NetworkIndex, skus: Sequence[str], nodes: Sequence[str], units: Sequence[int]) -> None:
    """Look at whole columns first, and for the culprit only where there is one."""
    if not set(map(type, units)) <= {int} or (units and not 0 <= min(units) <= max(units) <= MAX_QUANTITY):
        sku, node, bad = next(
            row
            for row in zip(skus, nodes, units, strict=True)
            if type(row[2]) is not int or not 0 <= row[2] <= MAX_QUANTITY
        )
        raise InvalidInput(f"stock of {sku!r} at {node!r} is {bad!r}; give whole units from 0 to {MAX_QUANTITY}")
    if not index.position.keys() >= set(nodes):
        sku, node = next(row for row in zip(skus, nodes, strict=True) if row[1] not in index.position)
        raise InvalidInput(f"stock of {sku!r} names node {node!r}, which the network does not have")


def demand_columns(index: NetworkIndex, demands: Sequence[OrderDemand], skus: dict[str, int]) -> DemandColumns:
    """Checked demands as columns; `skus` gives each SKU's position in the stock."""
    pickup = [_pickup(index, demand) for demand in demands]
    points = [index.nodes[to].point if to >= 0 else demand.point for demand, to in zip(demands, pickup, strict=True)]
    xyz, placed = unit_vectors(points)
    line_ptr, sku, quantity, weight_g = [0], [], [], []
    for demand in demands:
        units: dict[str, int] = {}
        for line in demand.lines:
            units[line.sku] = units.get(line.sku, 0) + line.quantity
        for name, wanted in units.items():
            if wanted > MAX_QUANTITY:
                raise InvalidInput(f"order {demand.order!r} wants over {MAX_QUANTITY} units of {name!r}")
            sku.append(skus[name])
            quantity.append(wanted)
            weight_g.append(index.weight_g.get(name, 0))
        line_ptr.append(len(sku))
    open_row, is_open = _opening(index, demands)
    nodes = len(index.nodes)
    excluded = [
        row * nodes + index.position[node]
        for row, demand in enumerate(demands)
        for node in demand.excluded_nodes
        if node in index.position
    ]
    return DemandColumns(
        order=tuple(demand.order for demand in demands),
        method=np.array([METHOD_CODE[demand.method] for demand in demands], dtype=np.int64),
        xyz=xyz,
        placed=placed,
        pickup=np.array(pickup, dtype=np.int64),
        open_row=open_row,
        is_open=is_open,
        excluded=np.sort(np.array(excluded, dtype=np.int64)),
        line_ptr=np.array(line_ptr, dtype=np.int64),
        sku=np.array(sku, dtype=np.int64),
        quantity=np.array(quantity, dtype=np.int32),
        weight_g=np.array(weight_g, dtype=np.int64),
        traits=Traits(index, tuple(demands)),
        whole=np.array([demand.ship_complete for demand in demands], dtype=np.bool_),
        group=group_column(demands),
    )


def check_demands(demands: Sequence[OrderDemand]) -> None:
    """Raise `InvalidInput` on the first order that cannot be sourced as written, or that comes twice."""
    seen: set[str] = set()
    for demand in demands:
        check_demand(demand)
        if demand.order in seen:
            raise InvalidInput(f"order {demand.order!r} is listed twice; list each order once")
        seen.add(demand.order)


def _pickup(index: NetworkIndex, demand: OrderDemand) -> int:
    if demand.method is not DeliveryMethod.PICKUP or demand.pickup_node is None:
        return NOT_ASKED
    return index.position.get(demand.pickup_node, NOT_KNOWN)


def _opening(index: NetworkIndex, demands: Sequence[OrderDemand]) -> tuple[Ints, Flags]:
    """Opening hours matter to one-hour orders only; equal instants share a row."""
    instants: dict[datetime, int] = {}
    rows = [
        instants.setdefault(demand.at, len(instants)) if demand.method is DeliveryMethod.ONE_HOUR else -1
        for demand in demands
    ]
    is_open = np.ones((len(instants) + 1, len(index.nodes)), dtype=np.bool_)
    if instants:
        is_open[:-1] = index.open_at(list(instants))
    return np.array(rows, dtype=np.int64) % len(is_open), is_open
