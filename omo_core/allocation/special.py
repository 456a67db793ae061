"""What makes some orders special, as columns of the block: all or nothing, groups, parcel tariffs, capacity by lines or units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Ints
from omo_core.allocation.network_index import NetworkIndex
from omo_core.allocation.pairs import Pairs
from omo_core.allocation.tariff_floors import tariff_floors
from omo_core.model.errors import InvalidInput

if TYPE_CHECKING:
    from omo_core.allocation.problem import AllocationProblem

MAX_WORK = 1_000_000
"""Largest piece of work of one order, line or unit."""


@dataclass(frozen=True, slots=True)
class NodeWork:
    """What an order takes from a node's capacity; by default capacity counts orders.

    `NodeWork(0, 1, 0)` counts lines, `NodeWork(0, 0, 1)` units, `NodeWork(120, 15, 5)` seconds of picking.
    """

    per_order: int = 1
    per_line: int = 0
    per_unit: int = 0


def work_column(index: NetworkIndex, work: Mapping[str, NodeWork] | None) -> Ints:
    """int64[nodes, 3]: work of an order, a line and a unit at each node."""
    column = np.tile(np.array([1, 0, 0], dtype=np.int64), (len(index.nodes), 1))
    for node, one in (work or {}).items():
        if node not in index.position:
            raise InvalidInput(f"the work names node {node!r}, which the network does not have")
        pieces = one.per_order, one.per_line, one.per_unit
        if not all(type(piece) is int and 0 <= piece <= MAX_WORK for piece in pieces) or not sum(pieces):
            raise InvalidInput(
                f"the work of node {node!r} is {one}; give whole pieces from 0 to {MAX_WORK}, not all of them 0"
            )
        column[index.position[node]] = pieces
    return column


def special_columns(
    problem: AllocationProblem, first: int, node: Any, candidates: Ints, metres: tuple[Ints, Ints]
) -> Any:
    """The block's columns from `ruled` on, of a run of orders that begins at `first`.

    `candidates` (int64[orders]) counts the candidates that `node` lists; `metres`: what is measured, and reckoned with.
    """
    columns, orders = problem.columns, candidates.size
    ptr = columns.line_ptr[first : first + orders + 1]
    rows, lines = slice(first, first + orders), slice(ptr[0], ptr[-1])
    whole = np.zeros(orders, dtype=np.uint8) if columns.whole is None else columns.whole[rows].astype(np.uint8)
    group = np.full(ptr[-1] - ptr[0], -1, dtype=np.int32) if columns.group is None else columns.group[lines]
    ruled = whole.copy()
    if columns.group is not None:
        ruled[np.searchsorted(ptr - ptr[0], np.flatnonzero(group >= 0), side="right") - 1] = 1
    tariff, bands = (
        np.full(node.size, -1, dtype=np.int32),
        (np.zeros(1, dtype=np.int64), *([np.zeros(0, dtype=np.int64)] * 2)),
    )
    if (parcels := problem.parcels) is not None:
        order = np.repeat(np.arange(orders, dtype=np.int64), candidates)
        pairs = Pairs(
            index=problem.index,
            demands=columns,
            order=first + order,
            node=node.astype(np.int64),
            measured_m=metres[0],
            distance_m=metres[1],
            weight_g=np.zeros(node.size, dtype=np.int64),
        )
        tariff, bands = parcels.tariff_of(pairs).astype(np.int32), parcels.table
        ruled[order[tariff >= 0]] = 1
    floors = tariff_floors(*bands)
    if (problem.work != (1, 0, 0)).any():
        ruled[:] = 1
    return {
        "ruled": ruled,
        "whole": whole,
        "group": group,
        "weight_g": columns.weight_g[lines],
        "tariff": tariff,
        "band_ptr": bands[0],
        "band_up_to_g": bands[1],
        "band_minor": bands[2],
        "floor_base_minor": floors[0],
        "floor_gram_minor": floors[1],
        "work": problem.work,
    }


def work_of_nodes(problem: AllocationProblem, taken: NDArray[np.int32]) -> Ints:
    """int64[nodes]: the work of all that is taken (int32[entries])."""
    block, used = problem.block, np.flatnonzero(taken)
    candidate = np.searchsorted(block.entry_ptr, used, side="right") - 1
    work = np.zeros(problem.capacity.size, dtype=np.int64)
    shipments = block.node[np.unique(candidate)]
    np.add.at(work, shipments, block.work[shipments, 0])
    node = block.node[candidate]
    np.add.at(work, node, block.work[node, 1] + block.work[node, 2] * taken[used])
    return work
