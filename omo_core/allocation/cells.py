"""Stock cells: what rules keep back of the units that one node holds of one item, whoever orders them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.columns import StockColumns
from omo_core.allocation.network_index import NetworkIndex
from omo_core.allocation.policy_filters import NodeFilter


@dataclass(frozen=True)
class Cells:
    """Every (item, node) that holds something, as arrays of one length."""

    index: NetworkIndex
    skus: Sequence[str]
    sku: Ints
    """int64[cells], position in `skus`."""
    node: Ints
    held: Ints
    """Units there before the wave."""

    def of_nodes(self, nodes: NodeFilter) -> Flags:
        """Whether the cell's node meets the filter."""
        return self.index.matching(nodes)[self.node]

    def of_skus(self, skus: Sequence[str]) -> Flags:
        """Whether the cell's item is one of these."""
        wanted = set(skus)
        return np.array([sku in wanted for sku in self.skus], dtype=np.bool_)[self.sku]


@runtime_checkable
class CellRule(Protocol):
    """A hard rule about items at nodes. It stands among the other rules and forbids no pair as a whole."""

    @property
    def name(self) -> str:
        """Stable and short; reports count by it."""

    @property
    def sentence(self) -> str:
        """Why the units stay, continuing "it ..."."""

    def withholds(self, cells: Cells) -> Ints:
        """Units of each cell that may not be taken, int64[cells]; what is beyond the cell's units means all of them."""


def withhold(rules: Sequence[Any], index: NetworkIndex, stock: StockColumns) -> StockColumns:
    """The stock less what rules keep back of each cell: the most that one of them asks, counted for the first that does."""
    asked = [(position, rule) for position, rule in enumerate(rules) if isinstance(rule, CellRule)]
    if not asked:
        return stock
    held = stock.held
    counts = np.diff(stock.holder_ptr)
    cells = Cells(index, stock.sku, np.repeat(np.arange(counts.size), counts), stock.node.astype(np.int64), held)
    withheld, by = np.zeros(held.size, dtype=np.int64), np.full(held.size, -1, dtype=np.int8)
    for position, rule in asked:
        units = np.clip(rule.withholds(cells), 0, held)
        more = units > withheld
        withheld[more], by[more] = units[more], position
    return replace(
        stock,
        available=(held - withheld).astype(np.int32),
        withheld=withheld.astype(np.int32),
        withheld_by=by,
    )


def withheld_units(rules: Sequence[Any], stock: StockColumns) -> Mapping[str, int]:
    """Units that each rule kept back, by its name."""
    if stock.withheld is None or stock.withheld_by is None:
        return {}
    kept = stock.withheld_by >= 0
    units = np.zeros(len(rules), dtype=np.int64)
    np.add.at(units, stock.withheld_by[kept], stock.withheld[kept])
    return {rule.name: int(units[at]) for at, rule in enumerate(rules) if isinstance(rule, CellRule)}
