"""The instance family of the allocation benchmarks: seeded, drawn with numpy, straight into the allocator's columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation import AllocationProblem, NetworkIndex, PairPrice, SourcingPolicy
from omo_core.allocation.columns import NOT_ASKED, DemandColumns, StockColumns
from omo_core.allocation.costs import CostTerm, Distance, Lateness, Shipping
from omo_core.allocation.network_index import METHOD_CODE
from omo_core.allocation.pairs import Pairs
from omo_core.model.network import DeliveryMethod, Network, Node, NodeKind
from omo_core.model.values import GeoPoint

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

KM_PER_DEGREE: Final = 111.195
LINES: Final = ((1, 2, 3, 4, 5), (0.45, 0.25, 0.15, 0.10, 0.05))
METHODS: Final = ((DeliveryMethod.SHIP, DeliveryMethod.ONE_HOUR, DeliveryMethod.PICKUP), (0.70, 0.15, 0.15))
ONE_HOUR_KM: Final = 25.0
CENTRALS: Final = 2

POLICY: Final = SourcingPolicy(per_extra_node_minor=0, unserved_minor=2_500)
"""Prices in cents; what the default policy has no price for stands in the terms below."""


@dataclass(frozen=True)
class ByNode:
    """Picking and packing, a price of each node's own; at the pickup node the buyer's way is priced as a unit's."""

    handling_minor: Ints
    name: str = "handling"

    def price(self, pairs: Pairs) -> PairPrice:
        """0.6 at central, 0.8 at regional warehouses, 1.2 to 1.8 in stores, and 0.0006 a km."""
        way = (60 * pairs.distance_m + 500_000) // 1_000_000
        return PairPrice(0, self.handling_minor[pairs.node] + way * pairs.at_pickup_node)


@dataclass(frozen=True)
class Service:
    """One hour and pickup as prices: other nodes may serve them too, late."""

    name: str = "service"

    def price(self, pairs: Pairs) -> PairPrice:
        """One hour 1.5, and 9.0 where it cannot be kept; pickup 0.5 at the node, 3.0 from others."""
        near = (pairs.distance_m <= ONE_HOUR_KM * 1000) & ~pairs.index.warehouse[pairs.node]
        one_hour = pairs.uses(DeliveryMethod.ONE_HOUR) * (150 + 900 * ~near)
        pickup = pairs.uses(DeliveryMethod.PICKUP) * np.where(pairs.at_pickup_node, 50, 300)
        return PairPrice(one_hour + pickup)


@dataclass(frozen=True)
class ShippedOnly:
    """Lateness is priced for shipped orders only; the service term covers the others."""

    lateness: Lateness
    name: str = "lateness"

    def price(self, pairs: Pairs) -> PairPrice:
        """Days on the road beyond the free ones."""
        return PairPrice(self.lateness.price(pairs).fixed_minor * pairs.uses(DeliveryMethod.SHIP))


@dataclass(frozen=True)
class Instance:
    """One drawn instance: a problem's parts, and what a baseline needs to know of them."""

    index: NetworkIndex
    columns: DemandColumns
    stock: StockColumns
    capacity: dict[str, int]
    terms: tuple[CostTerm, ...]

    def problem(self, candidates: int = 16) -> AllocationProblem:
        """The columnar problem with this many candidates an order before the ones that always stay."""
        policy = POLICY.model_copy(update={"candidates": candidates})
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
    handling = np.concatenate(
        [np.full(CENTRALS, 60), np.full(first_store - CENTRALS, 80), np.rint(draw_from.uniform(120, 180, crowd.size))]
    ).astype(np.int64)
    room = np.maximum(3, 1.25 * 0.6 * orders * crowd).astype(int)
    return Instance(
        index=index,
        columns=columns,
        stock=stock,
        capacity={index.nodes[first_store + i].node: int(most) for i, most in enumerate(room)},
        terms=(Shipping(POLICY), Distance(POLICY), ByNode(handling), ShippedOnly(Lateness(POLICY)), Service()),
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
    nodes = country.first_store + len(home)
    return DemandColumns(
        order=[f"O{row:07d}" for row in range(orders)],
        method=method,
        xyz=_unit_vectors(place_km),
        placed=np.ones(orders, dtype=np.bool_),
        pickup=pickup.astype(np.int64),
        open_row=np.zeros(orders, dtype=np.int64),
        is_open=np.ones((1, nodes), dtype=np.bool_),
        excluded=np.zeros(0, dtype=np.int64),
        line_ptr=line_ptr,
        sku=_distinct_skus(draw_from, line_ptr, skus),
        quantity=np.ones(line_ptr[-1], dtype=np.int32),
        weight_g=np.zeros(line_ptr[-1], dtype=np.int64),
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
    """25 % in central, 30 % in regional warehouses, 45 % in some of the stores, by their people."""
    skus = total.size
    ranged = draw_from.random((skus, crowd.size)) < (0.25 + 0.5 * (np.arange(skus) < skus // 20))[:, None]
    shelf = crowd * ranged
    sold = shelf.sum(axis=1, keepdims=True)
    weights = np.hstack(
        [
            draw_from.dirichlet(np.ones(CENTRALS), skus) * 0.25,
            draw_from.dirichlet(np.full(regionals, 0.5), skus) * 0.30,
            0.45 * np.divide(shelf, sold, out=np.zeros_like(shelf), where=sold > 0),
        ]
    )
    units = draw_from.multinomial(total, weights / weights.sum(axis=1, keepdims=True))
    sku, node = np.nonzero(units)
    return StockColumns(
        sku=[f"S{row:06d}" for row in range(skus)],
        holder_ptr=np.searchsorted(sku, np.arange(skus + 1)).astype(np.int64),
        node=node.astype(np.int32),
        available=units[sku, node].astype(np.int32),
    )
