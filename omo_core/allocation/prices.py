"""Opportunity prices: what taking the last units of a stock cell, or a node's last place, costs the orders to come."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from omo_core.allocation.arrays import Ints
from omo_core.allocation.block import Block
from omo_core.allocation.tariff_floors import tariff_floors
from omo_core.model.errors import InvalidInput

PRICE_PER_MINOR: Final = 64
"""Prices count 1/64 minor units: finer steps move no decision, and sums of whole waves still fit 64 bits."""

MAX_ORDER_MINOR: Final = 1 << 48
"""What one order may cost where prices are used, in minor units."""


class Prices(NamedTuple):
    """A price for each unit of each stock cell and for each piece of work of a node, in 1/64 minor units, never negative."""

    cell: Ints
    """int64[cells]."""
    node: Ints
    """int64[nodes]."""


def no_prices(cells: int, nodes: int) -> Prices:
    """Everything is free."""
    return Prices(np.zeros(cells, dtype=np.int64), np.zeros(nodes, dtype=np.int64))


def scaled(block: Block) -> Block:
    """The block with its costs in 1/64 minor units, for prices to be added.

    Raises `InvalidInput` as `require_range`.
    """
    require_range(block)
    bands, fixed = block.band_minor * PRICE_PER_MINOR, block.fixed_minor * PRICE_PER_MINOR
    base, gram = tariff_floors(block.band_ptr, block.band_up_to_g, bands)
    return block._replace(
        unserved_minor=block.unserved_minor * PRICE_PER_MINOR,
        fixed_minor=fixed,
        floor_minor=fixed if block.floor_minor is block.fixed_minor else block.floor_minor * PRICE_PER_MINOR,
        unit_minor=block.unit_minor * PRICE_PER_MINOR,
        band_minor=bands,
        floor_base_minor=base,
        floor_gram_minor=gram,
    )


def require_range(block: Block) -> None:
    """Raise `InvalidInput` where one order could cost so much that its cost leaves the kernels' range."""
    lines = block.unserved_minor * block.quantity
    dearest = np.add.reduceat(np.append(lines, 0), block.line_ptr[:-1]).max(initial=0)
    dearest = max(int(dearest), int(block.fixed_minor.max(initial=0)), int(block.unit_minor.max(initial=0)))
    if dearest >= MAX_ORDER_MINOR:
        raise InvalidInput("one order could cost more than 2^48 minor units; lower the price of what is not served")


def priced(block: Block, prices: Prices) -> Block:
    """The block with its costs in 1/64 minor units and the prices on top, for the same kernels.

    `floor_minor` stays without prices: they only make a shipment dearer, so it stays a floor. Raises as `scaled`.
    """
    bare = scaled(block)
    unit = bare.unit_minor + prices.cell[block.cell]
    if block.work[:, 1:].any():
        unit += _work_of_units(block, prices.node)
    return bare._replace(
        fixed_minor=bare.fixed_minor + (prices.node * block.work[:, 0])[block.node],
        unit_minor=unit,
    )


def _work_of_units(block: Block, node_price: Ints) -> Ints:
    """The price of the work each unit of an entry makes; a line's is spread over its units, rounded down.

    Rounded down, prices charge less than the work they stand for, so that a bound made with them still holds.
    """
    candidate = np.repeat(np.arange(block.node.size), np.diff(block.entry_ptr))
    order = np.searchsorted(block.candidate_ptr, candidate, side="right") - 1
    node = block.node[candidate]
    wanted = block.quantity[block.line_ptr[order] + block.line]
    spread: Ints = node_price[node] * block.work[node, 2] + node_price[node] * block.work[node, 1] // wanted
    return spread
