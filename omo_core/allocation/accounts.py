"""The cost of a decision by named term, exact to the minor unit, for each order and in all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.costs import SPLIT, UNSERVED
from omo_core.allocation.parcels import Parcels
from omo_core.allocation.problem import AllocationProblem


@dataclass(frozen=True)
class Accounts:
    """What a decision uses and costs; terms are the problem's own, then `split` and `unserved`."""

    names: tuple[str, ...]
    used: Ints
    """int64[used]: positions of the candidates that serve something, ascending."""
    fixed: Ints
    """int64[terms, used]: each term's share of the shipment from that candidate."""
    filled: Ints
    """int64[filled]: positions of the entries that units are taken from, ascending."""
    units: Ints
    """int64[terms, filled]: each term's share of all units taken there."""
    missing: Ints
    """int64[lines]: units not served."""
    by_order: Ints
    """int64[names, orders]: sums exactly to what the order costs."""


def account(problem: AllocationProblem, taken: NDArray[np.int32]) -> Accounts:
    """Price what was taken (int32[entries]) term by term."""
    block = problem.block
    candidate_of_entry = np.repeat(np.arange(block.node.size), np.diff(block.entry_ptr))
    order_of_candidate = np.repeat(np.arange(problem.orders), np.diff(block.candidate_ptr))
    filled = np.flatnonzero(taken)
    used = np.unique(candidate_of_entry[filled])
    orders_used, orders_filled = order_of_candidate[used], order_of_candidate[candidate_of_entry[filled]]
    line = block.line_ptr[orders_filled] + block.line[filled]
    quantity = taken[filled].astype(np.int64)
    shipments = problem.pairs_of(used)
    sendings = problem.pairs_of(candidate_of_entry[filled], problem.columns.weight_g[line], block.cell[filled])
    weight_g = sums(
        np.searchsorted(used, candidate_of_entry[filled]), problem.columns.weight_g[line] * quantity, used.size
    )
    fixed = [
        term.parcel_minor(block.tariff[used], weight_g)
        if isinstance(term, Parcels)
        else np.broadcast_to(term.price(shipments).fixed_minor, used.shape)
        for term in problem.terms
    ]
    units = [term.price(sendings).unit_minor * quantity for term in problem.terms]
    missing = block.quantity - sums(line, quantity, block.quantity.size)
    nodes = np.bincount(orders_used, minlength=problem.orders)
    order_of_line = np.repeat(np.arange(problem.orders), np.diff(block.line_ptr))
    by_order = [
        sums(orders_used, one, problem.orders) + sums(orders_filled, each, problem.orders)
        for one, each in zip(fixed, units, strict=True)
    ]
    by_order.append(np.maximum(nodes - 1, 0) * problem.policy.per_extra_node_minor)
    by_order.append(sums(order_of_line, missing * block.unserved_minor, problem.orders))
    return Accounts(
        names=(*(term.name for term in problem.terms), SPLIT, UNSERVED),
        used=used,
        fixed=np.array(fixed, dtype=np.int64).reshape(len(fixed), used.size),
        filled=filled,
        units=np.array(units, dtype=np.int64).reshape(len(units), filled.size),
        missing=missing,
        by_order=np.array(by_order, dtype=np.int64),
    )


def shipment_terms(problem: AllocationProblem, candidate: int, entries: Ints, units: Ints) -> dict[str, int]:
    """What a shipment from a candidate costs by term, if it took these units (int64[entries]) of these entries of its."""
    block = problem.block
    each = np.full(entries.size, candidate, dtype=np.int64)
    order = int(np.searchsorted(block.candidate_ptr, candidate, side="right")) - 1
    weight_g = problem.columns.weight_g[block.line_ptr[order] + block.line[entries]]
    shipment = problem.pairs_of(each[:1])
    sendings = problem.pairs_of(each, weight_g, block.cell[entries])
    whole_g = np.array([int((weight_g * units).sum())], dtype=np.int64)
    found = {}
    for term in problem.terms:
        if isinstance(term, Parcels):
            fixed: Ints | int = term.parcel_minor(block.tariff[each[:1]], whole_g)
        else:
            fixed = term.price(shipment).fixed_minor
        amount = int(np.sum(fixed)) + int(np.sum(term.price(sendings).unit_minor * units))
        if amount:
            found[term.name] = amount
    return found


def sums(groups: Ints, amounts: Ints, size: int) -> Ints:
    """Exact integer sums by group; `np.bincount` would add floats."""
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, groups, amounts)
    return total


def is_used(problem: AllocationProblem, accounts: Accounts) -> Flags:
    """bool[candidates]: whether the candidate serves something."""
    flags = np.zeros(problem.block.node.size, dtype=np.bool_)
    flags[accounts.used] = True
    return flags
