"""The instance family of the allocation benchmarks: seeded, drawn with numpy, straight into the allocator's columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.instance_terms import terms_of
from benchmarks.instance_wave import Prices
from omo_core.allocation import AllocationProblem, NetworkIndex, SourcingPolicy
from omo_core.allocation.columns import NOT_ASKED, DemandColumns, StockColumns
from omo_core.allocation.costs import CostTerm
from omo_core.allocation.network_index import METHOD_CODE
from omo_core.model.network import DeliveryMethod, Network, Node, NodeKind
from omo_core.model.values import GeoPoint

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

KM_PER_DEGREE: Final = 111.195
LINES: Final = ((1, 2, 3, 4, 5), (0.45, 0.25, 0.15, 0.10, 0.05))
METHODS: Final = ((DeliveryMethod.SHIP, DeliveryMethod.ONE_HOUR, DeliveryMethod.PICKUP), (0.70, 0.15, 0.15))
CENTRALS: Final = 2
LEAST_NODES: Final = 18
"""Fewer nodes would leave cities without a store to pick up at."""

PRICES: Final = Prices()
"""Prices in cents."""
WAREHOUSE_SHIPMENT_MINOR: Final = 400
STORE_SHIPMENT_MINOR: Final = 460
CENTRAL_HANDLING_MINOR: Final = 60
REGIONAL_HANDLING_MINOR: Final = 80
STORE_HANDLING_MINOR: Final = (120, 180)

CHUNK_CELLS: Final = 1 << 22
"""SKU-node pairs drawn together; they bound what the densest step of the generator holds at once."""


@dataclass(frozen=True)
class Instance:
    """One drawn instance: a problem's parts, and what a baseline needs to know of them."""

    index: NetworkIndex
    columns: DemandColumns
    stock: StockColumns
    capacity: dict[str, int]
    shipment_minor: Ints
    """int64[nodes]: a shipment from there, whatever is in it."""
    handling_minor: Ints
    """int64[nodes]: picking and packing a unit there."""
    prices: Prices = PRICES
    name: str = "wave"

    @property
    def terms(self) -> tuple[CostTerm, ...]:
        """The prices as the allocator's cost terms."""
        return terms_of(self.prices, self.shipment_minor, self.handling_minor)

    @property
    def policy(self) -> SourcingPolicy:
        """What the terms leave to the policy."""
        prices = self.prices
        return SourcingPolicy(per_extra_node_minor=prices.per_extra_node_minor, unserved_minor=prices.unserved_minor)

    def problem(self, candidates: int = 16) -> AllocationProblem:
        """The columnar problem with this many candidates an order before the ones that always stay."""
        policy = self.policy.model_copy(update={"candidates": candidates})
        return AllocationProblem.from_columns(
            self.index, self.columns, self.stock, policy, self.capacity, rules=(), terms=self.terms
        )


@dataclass(frozen=True)
class _Country:
    """Cities, their people, and which city each store stands in; kilometres on the plane."""

    city_km: Floats
    people: Floats
    home: Ints
    first_store: int
    place_km: Floats

    @property
    def crowd(self) -> Floats:
        """Each store's share of all people."""
        sharing = np.bincount(self.home, minlength=len(self.people))
        share: Floats = self.people[self.home] / sharing[self.home]
        return share

    def index(self) -> NetworkIndex:
        regionals = self.first_store - CENTRALS
        kinds = [NodeKind.CENTRAL_WAREHOUSE] * CENTRALS + [NodeKind.REGIONAL_WAREHOUSE] * regionals
        kinds += [NodeKind.STORE] * len(self.home)
        nodes = [
            Node(node=f"N{row:04d}", kind=kind, point=_point(place))
            for row, (kind, place) in enumerate(zip(kinds, self.place_km, strict=True))
        ]
        return NetworkIndex.of(Network(currency="USD", nodes=tuple(nodes)))


def draw(orders: int, nodes: int, skus: int, *, seed: int, tightness: float = 1.15) -> Instance:
    """An instance on a plane of 1500 × 1000 km laid on the equator.

    Cities have rank^-0.8 of the people; 2 central and nodes/25 regional warehouses, the rest stores; 1 to 5 lines an
    order of SKUs with Zipf 0.9 demand; stock is `tightness` × demand; stores can take their share of the orders.
    """
    draw_from = np.random.default_rng(seed)
    country = _country(draw_from, nodes)
    index, crowd, first_store = country.index(), country.crowd, country.first_store
    columns = _demand(draw_from, orders, skus, country)
    total = np.ceil(np.bincount(columns.sku, columns.quantity, skus) * tightness).astype(np.int64)
    stock = _stock(draw_from, total, first_store - CENTRALS, crowd)
    warehouses = np.full(first_store, REGIONAL_HANDLING_MINOR, dtype=np.int64)
    warehouses[:CENTRALS] = CENTRAL_HANDLING_MINOR
    shops = np.rint(draw_from.uniform(*STORE_HANDLING_MINOR, crowd.size)).astype(np.int64)
    room = np.maximum(3, 1.25 * 0.6 * orders * crowd).astype(int)
    return Instance(
        index=index,
        columns=columns,
        stock=stock,
        capacity={index.nodes[first_store + i].node: int(most) for i, most in enumerate(room)},
        shipment_minor=np.where(index.warehouse, WAREHOUSE_SHIPMENT_MINOR, STORE_SHIPMENT_MINOR).astype(np.int64),
        handling_minor=np.concatenate([warehouses, shops]),
        name=f"wave-{orders}x{nodes}x{skus}-seed{seed}",
    )


def _country(draw_from: np.random.Generator, nodes: int) -> _Country:
    regionals = max(4, nodes // 25)
    stores = nodes - CENTRALS - regionals
    cities = max(12, stores // 12)
    city_km = draw_from.random((cities, 2)) * (1500.0, 1000.0)
    people: Floats = np.arange(1, cities + 1, dtype=np.float64) ** -0.8
    people /= people.sum()
    home = np.concatenate([np.arange(cities), draw_from.choice(cities, max(stores - cities, 0), p=people)])[:stores]
    region = draw_from.choice(cities, regionals, p=people, replace=regionals > cities)
    place_km = np.vstack(
        [
            city_km[:CENTRALS] + 30,
            city_km[region] + draw_from.normal(0, 15, (regionals, 2)),
            city_km[home] + draw_from.normal(0, 8, (stores, 2)),
        ]
    )
    return _Country(city_km, people, home, CENTRALS + regionals, place_km)


def _point(place_km: Floats) -> GeoPoint:
    return GeoPoint(latitude=(place_km[1] - 500.0) / KM_PER_DEGREE, longitude=place_km[0] / KM_PER_DEGREE)


def _unit_vectors(place_km: Floats) -> Floats:
    latitude = np.radians((place_km[:, 1] - 500.0) / KM_PER_DEGREE)
    longitude = np.radians(place_km[:, 0] / KM_PER_DEGREE)
    level = np.cos(latitude)
    return np.column_stack([level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)])


def _demand(draw_from: np.random.Generator, orders: int, skus: int, country: _Country) -> DemandColumns:
    people, home = country.people, country.home
    city = draw_from.choice(len(people), orders, p=people)
    place_km = country.city_km[city] + draw_from.normal(0, 10, (orders, 2))
    lines = draw_from.choice(LINES[0], orders, p=LINES[1])
    line_ptr = np.concatenate([[0], np.cumsum(lines)]).astype(np.int64)
    method = draw_from.choice([METHOD_CODE[one] for one in METHODS[0]], orders, p=METHODS[1]).astype(np.int64)
    by_city = np.argsort(home, kind="stable")
    starts = np.searchsorted(home[by_city], np.arange(len(people) + 1))
    own = starts[city] + (draw_from.random(orders) * (starts[city + 1] - starts[city])).astype(np.int64)
    pickup = np.where(method == METHOD_CODE[DeliveryMethod.PICKUP], country.first_store + by_city[own], NOT_ASKED)
    return plain_demand(
        order=[f"O{row:07d}" for row in range(orders)],
        method=method,
        xyz=_unit_vectors(place_km),
        pickup=pickup.astype(np.int64),
        line_ptr=line_ptr,
        sku=_distinct_skus(draw_from, line_ptr, skus),
        quantity=np.ones(line_ptr[-1], dtype=np.int32),
        nodes=country.first_store + len(home),
    )


def plain_demand(
    *,
    order: Sequence[str],
    method: Ints,
    xyz: Floats,
    pickup: Ints,
    line_ptr: Ints,
    sku: Ints,
    quantity: NDArray[np.int32],
    nodes: int,
) -> DemandColumns:
    """Orders whose every place is known, without opening hours, exclusions or weights."""
    return DemandColumns(
        order=order,
        method=method,
        xyz=xyz,
        placed=np.ones(len(order), dtype=np.bool_),
        pickup=pickup,
        open_row=np.zeros(len(order), dtype=np.int64),
        is_open=np.ones((1, nodes), dtype=np.bool_),
        excluded=np.zeros(0, dtype=np.int64),
        line_ptr=line_ptr,
        sku=sku,
        quantity=quantity,
        weight_g=np.zeros(sku.size, dtype=np.int64),
    )


def _distinct_skus(draw_from: np.random.Generator, line_ptr: Ints, skus: int) -> Ints:
    """SKUs by Zipf 0.9, drawn again where an order would name one twice."""
    share = np.cumsum(np.arange(1, skus + 1) ** -0.9)
    share /= share[-1]
    owner = np.repeat(np.arange(line_ptr.size - 1), np.diff(line_ptr))
    sku = np.searchsorted(share, draw_from.random(owner.size))
    while True:
        key = owner * skus + sku
        again = np.ones(key.size, dtype=np.bool_)
        again[np.unique(key, return_index=True)[1]] = False
        if not again.any():
            return sku.astype(np.int64)
        sku[again] = np.searchsorted(share, draw_from.random(int(again.sum())))


def _stock(draw_from: np.random.Generator, total: Ints, regionals: int, crowd: Floats) -> StockColumns:
    """25 % in central, 30 % in regional warehouses, 45 % in some of the stores, by their people.

    Drawn some SKUs at a time: the matrix of all SKUs and nodes would not fit the memory of large instances.
    """
    skus, stores = total.size, crowd.size
    step = max(1, CHUNK_CELLS // (CENTRALS + regionals + stores))
    runs = [slice(first, min(first + step, skus)) for first in range(0, skus, step)]
    likely = 0.25 + 0.5 * (np.arange(skus) < skus // 20)
    # Which stores range which SKU is drawn before anything else of any SKU; a bit each, for the same reason.
    ranged = [np.packbits(draw_from.random((run.stop - run.start, stores)) < likely[run, None], axis=1) for run in runs]
    central = draw_from.dirichlet(np.ones(CENTRALS), skus) * 0.25
    regional = draw_from.dirichlet(np.full(regionals, 0.5), skus) * 0.30
    counts, nodes, available = [], [], []
    for run, bits in zip(runs, ranged, strict=True):
        shelf = crowd * np.unpackbits(bits, axis=1, count=stores)
        sold = shelf.sum(axis=1, keepdims=True)
        shops = 0.45 * np.divide(shelf, sold, out=np.zeros_like(shelf), where=sold > 0)
        weights = np.hstack([central[run], regional[run], shops])
        units = draw_from.multinomial(total[run], weights / weights.sum(axis=1, keepdims=True))
        sku, node = np.nonzero(units)
        counts.append(np.count_nonzero(units, axis=1))
        nodes.append(node.astype(np.int32))
        available.append(units[sku, node].astype(np.int32))
    return StockColumns(
        sku=[f"S{row:06d}" for row in range(skus)],
        holder_ptr=np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64),
        node=np.concatenate(nodes),
        available=np.concatenate(available),
    )
