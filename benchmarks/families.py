"""The three demand families on which rules that decide orders as they arrive are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from benchmarks.instances import Instance, draw

FAMILIES: Final = {"scarce": (500, 0.5), "even": (500, 0.6), "tail": (2_000, 0.6)}
"""SKUs, and the part of the stock drawn for all orders that is there for one half of them."""
ROOM: Final = 0.6
"""The part of the capacities for all orders that is there for one half."""
LEAST_ROOM: Final = 2


def family(name: str, *, seed: int, orders: int = 40_000, nodes: int = 200) -> tuple[Instance, Instance]:
    """(history, today): two halves of one drawn demand over the same network, stock and capacities.

    History is what a rule may learn from; today's orders stand in the order in which they arrive. Each unit of the
    drawn stock is there with the family's probability, independently.
    """
    skus, share = FAMILIES[name]
    whole = draw(orders, nodes, skus, seed=seed)
    # A stream of its own, so that the three families differ by their parameters and not by chance elsewhere.
    kept = np.random.default_rng([seed, 1]).binomial(whole.stock.available, share).astype(np.int32)
    there = np.flatnonzero(kept)
    filled = np.concatenate([[0], np.cumsum(kept > 0)])
    stock = replace(
        whole.stock,
        holder_ptr=filled[whole.stock.holder_ptr].astype(np.int64),
        node=whole.stock.node[there],
        available=kept[there],
    )
    capacity = {node: max(LEAST_ROOM, int(room * ROOM)) for node, room in whole.capacity.items()}
    shared = replace(whole, stock=stock, capacity=capacity, name=f"{name}-{whole.name}")
    return part_of(shared, 0, orders // 2, "history"), part_of(shared, orders // 2, orders, "today")


def families(*, seed: int, orders: int = 40_000, nodes: int = 200) -> dict[str, tuple[Instance, Instance]]:
    """All three by name."""
    return {name: family(name, seed=seed, orders=orders, nodes=nodes) for name in FAMILIES}


def part_of(instance: Instance, first: int, stop: int, label: str) -> Instance:
    """The orders first..stop of an instance, with everything else as it is."""
    columns = instance.columns
    lines = slice(int(columns.line_ptr[first]), int(columns.line_ptr[stop]))
    part = replace(
        columns,
        order=columns.order[first:stop],
        method=columns.method[first:stop],
        xyz=columns.xyz[first:stop],
        placed=columns.placed[first:stop],
        pickup=columns.pickup[first:stop],
        open_row=columns.open_row[first:stop],
        line_ptr=columns.line_ptr[first : stop + 1] - columns.line_ptr[first],
        sku=columns.sku[lines],
        quantity=columns.quantity[lines],
        weight_g=columns.weight_g[lines],
    )
    return replace(instance, columns=part, name=f"{instance.name}-{label}")
