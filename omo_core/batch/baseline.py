"""What one shop alone would have done: every order has only its nearest store, on the same stock and the same clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from omo_core.allocation.network_index import unit_vectors
from omo_core.batch.facts import OrderFact, SaleFact, goes_to
from omo_core.batch.files import StockRow
from omo_core.model.network import Node, NodeKind
from omo_core.model.values import GeoPoint

_SHOPS = frozenset({NodeKind.STORE, NodeKind.DEALER_STORE})


@dataclass(frozen=True, slots=True)
class NearestOnly:
    """Lines of orders, and those that the nearest store could serve in full."""

    lines: int
    filled: int


class Nearest:
    """Finds the nearest of some nodes; nodes without a place are never near."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = [node for node in nodes if node.point is not None]
        self._vectors, _ = unit_vectors([node.point for node in self._nodes])

    def to(self, point: GeoPoint | None) -> Node | None:
        """The node nearest to a point along the great circle, the first listed of several; None where unknown."""
        if point is None or not self._nodes:
            return None
        vector, _ = unit_vectors([point])
        # The cosine of the angle between unit vectors falls with the distance.
        return self._nodes[int(np.argmax(self._vectors @ vector[0]))]


def nearest_store_only(
    nodes: Sequence[Node], stock: Iterable[StockRow], orders: Sequence[OrderFact], sales: Sequence[SaleFact]
) -> NearestOnly:
    """Replay orders and counter sales, each order served by its nearest store (or pickup store) alone.

    A line counts where that store has all of its units, which it then takes. Counter sales come before the orders
    that were taken in at the same instant, as in the run.
    """
    nearest = Nearest([node for node in nodes if node.kind in _SHOPS])
    left: dict[tuple[str, str], int] = {}
    for row in stock:
        left[row.sku, row.node] = left.get((row.sku, row.node), 0) + row.quantity
    lines = filled = 0
    upcoming = 0
    for fact in orders:
        while upcoming < len(sales) and sales[upcoming].posted_at_us <= fact.created_at_us:
            sale = sales[upcoming]
            cell = (sale.sku, sale.node)
            left[cell] = max(0, left.get(cell, 0) - sale.units)
            upcoming += 1
        pickup, point = goes_to(fact)
        shop = nearest.to(point)
        node = pickup or (shop.node if shop else None)
        for sku, units in fact.wanted.values():
            lines += 1
            if node is not None and left.get((sku, node), 0) >= units:
                left[sku, node] -= units
                filled += 1
    return NearestOnly(lines, filled)
