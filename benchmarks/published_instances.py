"""The instances of the published benchmark: ten metros, five centres, twenty items, orders that are subsets of items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

METROS: Final = (
    (40.6943, -73.9249, 18680025),
    (34.1141, -118.4068, 12531334),
    (41.8375, -87.6866, 8586888),
    (25.784, -80.2101, 6076316),
    (32.7935, -96.7667, 5910669),
    (29.786, -95.3885, 5724418),
    (40.0077, -75.1339, 5540199),
    (33.7628, -84.422, 5151496),
    (38.9047, -77.0163, 5066973),
    (42.3188, -71.0852, 4465966),
)
"""Latitude, longitude and people of New York, Los Angeles, Chicago, Miami, Dallas, Houston, Philadelphia, Atlanta,
Washington and Boston."""

CENTRES: Final = (
    (37.7448, -121.3985),
    (39.9797, -86.3833),
    (41.2776, -75.4973),
    (33.9114, -81.0501),
    (32.9709, -97.3348),
)
EARTH_RADIUS_KM: Final = 6371.0
KM_PER_MILE: Final = 1.61

FIXED: Final = 8.759
"""Dollars for each centre that an order uses."""
UNIT: Final = 0.423
UNIT_PER_MILE: Final = 0.000541
UNSERVED_FACTOR: Final = 2.0
"""What is not served costs twice the fixed price, and twice the unit price of the city's farthest centre."""

ITEMS: Final = 20
LARGEST: Final = 5
TYPES_OF_A_SIZE: Final = 5
CARRIED: Final = 0.75
"""Chance that a centre carries an item."""
SAFETY: Final = 0.5
"""Standard deviations of an item's demand that a centre holds above its mean."""


@dataclass(frozen=True)
class Published:
    """One instance. Centre `len(CENTRES)` stands for "not served": it has everything, at a high price."""

    horizon: int
    """Arrivals to come."""
    items: tuple[tuple[int, ...], ...]
    """The items of each type of order, the empty order first."""
    share: Floats
    """float64[types, cities]: how likely the next arrival is such an order; sums to one."""
    stock: Ints
    """int64[centres, items]."""
    nearest: Ints
    """int64[items, cities]: the nearest centre that carries the item."""
    fixed: Floats
    """float64[centres + 1, cities], dollars."""
    unit: Floats
    """float64[centres + 1, cities], dollars."""

    def arrivals(self, rng: np.random.Generator) -> Ints:
        """int64[horizon]: type × cities + city of every arrival."""
        return rng.choice(self.share.size, self.horizon, p=self.share.ravel()).astype(np.int64)


def draw(rng: np.random.Generator, horizon: int) -> Published:
    """The next instance of the generator (Ma 2023, section 5, on the network of Jasin and Sinha 2015)."""
    miles = _miles()
    centres, cities = miles.shape
    items: list[tuple[int, ...]] = [()]
    for size in range(1, LARGEST + 1):
        items += [tuple(rng.permutation(ITEMS)[:size].tolist()) for _ in range(TYPES_OF_A_SIZE)]
    weights = np.concatenate([[rng.random()], rng.random(LARGEST)])
    weights /= weights.sum()
    shares = [weights[:1]]
    for size in range(1, LARGEST + 1):
        within = rng.random(TYPES_OF_A_SIZE)
        shares.append(weights[size] * within / within.sum())
    people = np.array([metro[2] for metro in METROS], dtype=np.float64)
    share = np.outer(np.concatenate(shares), people / people.sum())
    nearest = np.full((ITEMS, cities), centres, dtype=np.int64)
    demand = np.zeros((centres, ITEMS))
    for item in range(ITEMS):
        carries = np.asarray(rng.random(centres) < CARRIED, dtype=np.bool_)
        if not carries.any():
            continue
        nearest[item] = np.where(carries[:, None], miles, np.inf).argmin(axis=0)
        wanted = share[[item in kinds for kinds in items]].sum(axis=0)
        np.add.at(demand[:, item], nearest[item], wanted)
    spread = np.sqrt(horizon * demand * (1 - demand))
    unit = UNIT + UNIT_PER_MILE * miles
    return Published(
        horizon=horizon,
        items=tuple(items),
        share=share / share.sum(),
        stock=np.round(horizon * demand + SAFETY * spread).astype(np.int64),
        nearest=nearest,
        fixed=np.vstack([np.full((centres, cities), FIXED), np.full((1, cities), UNSERVED_FACTOR * FIXED)]),
        unit=np.vstack([unit, UNSERVED_FACTOR * unit.max(axis=0, keepdims=True)]),
    )


def _miles() -> Floats:
    """float64[centres, cities], haversine."""
    centre, metro = np.radians(CENTRES)[:, None, :], np.radians([metro[:2] for metro in METROS])[None, :, :]
    half = np.sin((metro - centre) / 2) ** 2
    chord = half[..., 0] + np.cos(centre[..., 0]) * np.cos(metro[..., 0]) * half[..., 1]
    miles: Floats = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(chord)) / KM_PER_MILE
    return miles
