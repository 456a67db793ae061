"""Supply of the demo: how much of what lies where at the start, from the weeks before, and the network it lies in."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from omo_core.demo.baskets import Lines, Products
from omo_core.demo.places import City, Place, metros, warehouses
from omo_core.model.items import Item
from omo_core.model.network import DeliveryMethod, Network, Node, NodeKind, OpeningHours

Ints = npt.NDArray[np.int64]

STORE_WEEKS: Final = 4
REGIONAL_WEEKS: Final = 2
REGIONAL_LEAST_UNITS: Final = 4
CENTRAL_WEEKS: Final = 3
CENTRAL_BELOW_UNITS: Final = 64
"""The central warehouse keeps the slow sellers: SKUs of fewer units than this in the whole history."""

_OPEN_DAILY: Final = tuple(OpeningHours(weekday=day, opens_s=6 * 3600, closes_s=86_400) for day in range(7))
_WEIGHT: Final = re.compile(r"(\d{1,4}(?:\.\d{1,2})?) (OZ|LB)")
_MILLIGRAMS: Final = {"OZ": 28_349.523125, "LB": 453_592.37}

POLICY: Final = {"solver": {"method": "wave", "work": "brief", "route": ["one_hour"]}}
"""The default prices; the orders of each step of the day are decided together, with a proof."""


class StockRow(NamedTuple):
    """Units of an item at a node at the start."""

    sku: str
    node: str
    quantity: int


def store_id(store: int) -> str:
    """The node of a store of the source."""
    return f"store-{store}"


def warehouse_id(city: City) -> str:
    """The node of a warehouse, such as regional-toledo."""
    return f"{city.role.removesuffix('_warehouse')}-{city.name.lower()}"


def opening_stock(history: Lines, weeks: int, places: Mapping[int, Place]) -> list[StockRow]:
    """What lies where at the start: stores, then regional warehouses, then the central one, each by node and SKU."""
    rows = [
        StockRow(str(sku), store_id(store), _share(units, STORE_WEEKS, weeks))
        for store, sku, units in _sold(history.store, history)
    ]
    sites = warehouses(NodeKind.REGIONAL_WAREHOUSE)
    stores, inverse = np.unique(history.store, return_inverse=True)
    region = np.array([sites.index(places[int(store)].metro.warehouse) for store in stores], np.int64)[inverse]
    rows += [
        StockRow(str(sku), warehouse_id(sites[site]), _share(units, REGIONAL_WEEKS, weeks))
        for site, sku, units in _sold(region, history)
        if units >= REGIONAL_LEAST_UNITS
    ]
    (central,) = warehouses(NodeKind.CENTRAL_WAREHOUSE)
    rows += [
        StockRow(str(sku), warehouse_id(central), _share(units, CENTRAL_WEEKS, weeks))
        for _, sku, units in _sold(np.zeros(len(history), np.int64), history)
        if units < CENTRAL_BELOW_UNITS
    ]
    return rows


def _sold(place: Ints, history: Lines) -> Iterable[tuple[int, int, int]]:
    """(place, product, units) of the history, sorted."""
    order = np.lexsort((history.product, place))
    keys = np.stack([place[order], history.product[order]])
    starts = np.flatnonzero(np.concatenate([[True], np.any(np.diff(keys) != 0, axis=0)]))
    units = np.add.reduceat(history.quantity[order], starts)
    return zip(keys[0, starts].tolist(), keys[1, starts].tolist(), units.tolist(), strict=True)


def _share(units: int, weeks_kept: int, weeks_sold: int) -> int:
    """Units of `weeks_kept` weeks' sales, rounded up, so at least one."""
    return -(-units * weeks_kept // weeks_sold)


def build_network(
    stores: Iterable[int], skus: Sequence[int], places: Mapping[int, Place], products: Products
) -> Network:
    """The network in US dollars: the given stores at their places, the five warehouses, and an item for every SKU."""
    nodes = [
        Node(
            node=store_id(store),
            kind=NodeKind.STORE,
            name=f"Store {store}, {places[store].city.title}",
            point=places[store].point,
            time_zone=places[store].city.time_zone,
            opening_hours=_OPEN_DAILY,
            region=places[store].metro.name,
        )
        for store in sorted(stores)
    ]
    served = {site: ", ".join(metro.name for metro in metros() if metro.warehouse == site) for site in _sites()}
    nodes += [
        Node(
            node=warehouse_id(site),
            kind=NodeKind(site.role),
            name=f"{'Regional' if served[site] else 'Central'} warehouse, {site.title}",
            point=site.point,
            time_zone=site.time_zone,
            methods=(DeliveryMethod.SHIP,),
            region=site.title,
        )
        for site in _sites()
    ]
    rows = products.rows_of(np.asarray(skus, np.int64))
    items = (
        Item(
            sku=str(sku),
            name=(products.product_type[row] or "").strip() or None,
            weight_g=weight_g(products.package_size[row]),
        )
        for sku, row in zip(skus, rows.tolist(), strict=True)
    )
    return Network(currency="USD", nodes=tuple(nodes), items=tuple(items), policy=POLICY)


def _sites() -> tuple[City, ...]:
    return warehouses(NodeKind.REGIONAL_WAREHOUSE) + warehouses(NodeKind.CENTRAL_WAREHOUSE)


def weight_g(package_size: str | None) -> int:
    """Net weight in whole grams where the size is a single weight in ounces or pounds, 0 (unknown) for all others."""
    match = _WEIGHT.fullmatch((package_size or "").strip())
    return round(float(match[1]) * _MILLIGRAMS[match[2]] / 1000) if match else 0


def write_stock(rows: Iterable[StockRow], path: Path) -> None:
    """Write the stock list with the header sku,node,quantity."""
    with path.open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(StockRow._fields)
        lines.writerows(rows)
