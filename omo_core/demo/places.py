"""Places for stores, warehouses and homes: the source has none, so these are ours, from a small table of US cities."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np

from omo_core.demo.baskets import Lines
from omo_core.demo.communities import communities, covisits
from omo_core.model.network import NodeKind
from omo_core.model.values import GeoPoint

STORE_SCATTER_M: Final = 2_500
HOME_SCATTER_M: Final = 1500
_METRES_PER_DEGREE: Final = 111_195.0


@dataclass(frozen=True)
class City:
    """One row of the table, from GeoNames."""

    role: str
    """"metro", or the node kind of the warehouse that stands there."""
    metro: str
    name: str
    state: str
    point: GeoPoint
    time_zone: str

    @property
    def title(self) -> str:
        """Such as "Toledo, OH"."""
        return f"{self.name}, {self.state}"


@dataclass(frozen=True)
class Metro:
    """A metropolitan area: its cities, largest first, and the regional warehouse nearest to the first of them."""

    name: str
    cities: tuple[City, ...]
    warehouse: City


@dataclass(frozen=True)
class Place:
    """Where a store or a home is, and the table's city it was scattered around."""

    metro: Metro
    city: City
    point: GeoPoint


@lru_cache(maxsize=1)
def cities() -> tuple[City, ...]:
    """The shipped table."""
    table = (files("omo_core.demo") / "cities.csv").read_text(encoding="utf-8")
    return tuple(
        City(
            role=row["role"],
            metro=row["metro"],
            name=row["name"],
            state=row["state"],
            point=GeoPoint(latitude=float(row["latitude"]), longitude=float(row["longitude"])),
            time_zone=row["time_zone"],
        )
        for row in csv.DictReader(table.splitlines())
    )


def warehouses(kind: NodeKind) -> tuple[City, ...]:
    """The cities where warehouses of this kind stand."""
    return tuple(city for city in cities() if city.role == kind.value)


@lru_cache(maxsize=1)
def metros() -> tuple[Metro, ...]:
    """The six metropolitan areas, in order of the table: those with a regional warehouse of their own first."""
    grouped: dict[str, list[City]] = {}
    for city in cities():
        if city.role == "metro":
            grouped.setdefault(city.metro, []).append(city)
    regional = warehouses(NodeKind.REGIONAL_WAREHOUSE)
    return tuple(
        Metro(name, tuple(own), min(regional, key=lambda site: distance_m(site.point, own[0].point)))
        for name, own in grouped.items()
    )


def place_stores(visits: Lines, seed: int) -> Mapping[int, Place]:
    """A place for every store of `visits` (one row a basket).

    Stores that share households form one community, which gets one metropolitan area: the communities in order of
    baskets, the areas in order of the table. Inside it the busiest store takes the largest city, and so on round.
    """
    stores, baskets = np.unique(visits.store, return_counts=True)
    labels = communities(covisits(visits.household, visits.store, stores), len(metros()))
    weight = np.bincount(labels, weights=baskets, minlength=len(metros()))
    places: dict[int, Place] = {}
    for metro, label in zip(metros(), np.argsort(-weight, kind="stable"), strict=True):
        members = np.flatnonzero(labels == label)
        for turn, member in enumerate(members[np.argsort(-baskets[members], kind="stable")]):
            store, city = int(stores[member]), metro.cities[turn % len(metro.cities)]
            places[store] = Place(metro, city, scatter(city.point, STORE_SCATTER_M, f"{seed}/store/{store}"))
    return places


def place_homes(visits: Lines, stores: Mapping[int, Place], seed: int) -> Mapping[int, Place]:
    """A home for every household of `visits` (one row a basket), scattered around the store it visits most."""
    pairs, counts = np.unique(np.stack([visits.household, visits.store]), axis=1, return_counts=True)
    homes: dict[int, Place] = {}
    # Ascending by visits and descending by store id: the last one written is the busiest, ties to the smaller id.
    for row in np.lexsort((-pairs[1], counts)):
        household, near = int(pairs[0, row]), stores[int(pairs[1, row])]
        point = scatter(near.point, HOME_SCATTER_M, f"{seed}/home/{household}")
        homes[household] = Place(near.metro, near.city, point)
    return homes


def scatter(centre: GeoPoint, radius_m: int, name: str) -> GeoPoint:
    """A point within `radius_m` of `centre`, spread evenly over the disc and fixed by `name` alone.

    Rounded to 1e-5 degrees, about a metre, so that the last bit of a sine cannot reach a file.
    """
    turn, reach = fraction(f"{name}/turn"), fraction(f"{name}/reach")
    north_m = radius_m * math.sqrt(reach) * math.cos(2 * math.pi * turn)
    east_m = radius_m * math.sqrt(reach) * math.sin(2 * math.pi * turn)
    per_degree_east_m = _METRES_PER_DEGREE * math.cos(math.radians(centre.latitude))
    return GeoPoint(
        latitude=round(centre.latitude + north_m / _METRES_PER_DEGREE, 5),
        longitude=round(centre.longitude + east_m / per_degree_east_m, 5),
    )


def fraction(name: str) -> float:
    """A number in [0, 1) that depends on `name` alone: the first 53 bits of its SHA-256."""
    return (int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 11) / 2**53


def distance_m(one: GeoPoint, other: GeoPoint) -> float:
    """Great-circle distance on the mean sphere (haversine), in metres."""
    phi, psi = math.radians(one.latitude), math.radians(other.latitude)
    half_turn = math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    chord = math.sin((psi - phi) / 2) ** 2 + math.cos(phi) * math.cos(psi) * half_turn
    return 2 * 6_371_008.8 * math.asin(math.sqrt(chord))
