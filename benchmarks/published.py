"""How close to the deterministic optimum rules that decide each order on arrival come, on a published benchmark.

Cost of serving T arrivals divided by the deterministic linear programme (Jasin and Sinha 2015; Ma, "Order-optimal
correlated rounding in the multi-item e-commerce fulfillment problem", 2023). Every rule serves the same arrivals.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from benchmarks.harness import Context
from benchmarks.published_instances import ITEMS, Floats, Ints, Published, draw
from benchmarks.published_kernels import (
    DILATE,
    ENDLESS,
    INDEPENDENT,
    JASIN_SINHA,
    NEAREST,
    Climb,
    Rounding,
    climb,
    serve_priced,
    serve_rounded,
)
from benchmarks.published_lp import Fractions, solve
from omo_core.allocation.block import Block
from omo_core.allocation.scratch import scratch_for

FIRST_SEED: Final = 1000
THREADS: Final = 2
HORIZONS: Final = {"1e4": 10_000, "1e3": 1_000}
SIZES: Final = {"smallest": (2, 2), "default": (30, 30), "all": (30, 30)}
"""Instances, and sequences of arrivals for each."""
SMALLEST_HORIZONS: Final = {"1e4": 1_000, "1e3": 200}

TABLE: Final[Mapping[str, tuple[float, float]]] = {
    "nearest": (1.136, 1.211),
    "independent": (1.136, 1.209),
    "jasin_sinha": (1.085, 1.161),
    "dilate": (1.077, 1.152),
    "dilate_again": (1.063, 1.104),
    "static": (1.047, 1.061),
    "repriced": (1.0179, 1.0398),
    "floor": (1.0143, 1.0255),
}
"""What others measured, for T = 10,000 and T = 1,000: the first five as published or re-run from the publication, then
exact subsets with the prices of the deterministic programme, the same re-priced, and the hindsight bound."""

MICRO: Final = 1_000_000
"""The block's money is a millionth of a dollar."""
NEVER: Final = 10**12
"""The allocator's own price of not serving; centre "not served" is always cheaper."""

PASSES: Final = 0.04
ITERATIONS: Final = 20
STEP: Final = 0.1 * MICRO
"""Our rule re-prices when 4 % of what was to come has come, by 20 steps of up to ten cents."""
BOUND_ITERATIONS: Final = 600
BOUND_STEP: Final = 0.3 * MICRO
BOUND_DECAY: Final = 0.99


@dataclass(frozen=True)
class Case:
    """One instance with its solved programme, in the forms the kernels read."""

    instance: Published
    fractions: Fractions

    @cached_property
    def rounding(self) -> Rounding:
        """For the rounding rules."""
        instance, cities = self.instance, self.instance.fixed.shape[1]
        rows = [items for items in instance.items for _ in range(cities)]
        tables = [table.ravel() for table in self.fractions.unit]
        return Rounding(
            item_ptr=_pointers(len(items) for items in rows),
            item=np.array([item for items in rows for item in items], dtype=np.int64),
            part_ptr=_pointers(table.size for table in tables),
            part=np.concatenate(tables),
            nearest=instance.nearest,
            fixed=instance.fixed,
            unit=instance.unit,
        )

    @cached_property
    def block(self) -> Block:
        """For the allocator: an order for each type and city, with every centre as a candidate of all its lines."""
        instance = self.instance
        options, cities = instance.fixed.shape
        rows = [(items, city) for items in instance.items for city in range(cities)]
        lines = [len(items) for items, _ in rows]
        served = [(items, city) for items, city in rows if items]
        fixed = np.concatenate([instance.fixed[:, city] for _, city in served])
        unit = np.concatenate([np.repeat(instance.unit[:, city], len(items)) for items, city in served])
        cell = [[centre * ITEMS + item for centre in range(options) for item in items] for items, _ in served]
        return Block(
            line_ptr=_pointers(lines),
            quantity=np.ones(sum(lines), dtype=np.int32),
            unserved_minor=np.full(sum(lines), NEVER),
            candidate_ptr=_pointers(options * (count > 0) for count in lines),
            node=np.tile(np.arange(options, dtype=np.int32), len(served)),
            fixed_minor=_micro(fixed),
            floor_minor=_micro(fixed),
            entry_ptr=_pointers(len(items) for items, _ in served for _ in range(options)),
            line=np.concatenate([np.tile(np.arange(len(items)), options) for items, _ in served]).astype(np.int32),
            cell=np.concatenate(cell).astype(np.int32),
            unit_minor=_micro(unit),
            ruled=np.zeros(len(rows), dtype=np.uint8),
            whole=np.zeros(len(rows), dtype=np.uint8),
            group=np.full(sum(lines), -1, dtype=np.int32),
            weight_g=np.zeros(sum(lines), dtype=np.int64),
            tariff=np.full(options * len(served), -1, dtype=np.int32),
            band_ptr=np.zeros(1, dtype=np.int64),
            band_up_to_g=np.zeros(0, dtype=np.int64),
            band_minor=np.zeros(0, dtype=np.int64),
            floor_base_minor=np.zeros(0, dtype=np.int64),
            floor_gram_minor=np.zeros(0, dtype=np.int64),
            work=np.tile(np.array([1, 0, 0], dtype=np.int64), (options, 1)),
        )

    def stock(self) -> Any:
        """int32[cells] of a new day; what stands for "not served" never ends."""
        endless = np.full(ITEMS, ENDLESS)
        return np.concatenate([self.instance.stock.ravel(), endless]).astype(np.int32)

    def prices(self, start: Floats | None = None) -> Climb:
        """Prices that start at the programme's, or elsewhere."""
        known = self.fractions.price * MICRO if start is None else start
        price = np.zeros(self.stock().size)
        price[: known.size] = known.ravel()
        return Climb(price, *(np.zeros(price.size) for _ in range(5)))

    def rounded(self, rule: int, plans_again: bool, arrivals: Ints, chance: Floats) -> float:
        """Dollars that a rounding rule pays."""
        stock = self.instance.stock.copy()
        return float(serve_rounded(self.rounding, rule, plans_again, arrivals, chance, stock))

    def priced(self, arrivals: Ints, prices: Climb, passes: float = 0.0) -> float:
        """Dollars that exact decisions at these prices cost."""
        options = self.instance.fixed.shape[0]
        share = self.instance.share.ravel()
        free = self.block.unit_minor
        block = self.block._replace(unit_minor=free.copy())
        capacity = np.full(options, ENDLESS, dtype=np.int64)
        room = scratch_for(5), prices, np.empty(share.size)
        total = serve_priced(block, free, arrivals, share, self.stock(), capacity, *room, passes, ITERATIONS, STEP)
        return float(total) / MICRO

    def bound(self, weight: Floats, prices: Climb) -> float:
        """Dollars below which nobody serves so many orders of each row."""
        free = self.block.unit_minor
        block = self.block._replace(unit_minor=free.copy())
        capacity = np.full(self.instance.fixed.shape[0], ENDLESS, dtype=np.int64)
        steps = BOUND_ITERATIONS, BOUND_STEP, BOUND_DECAY
        return float(climb(block, free, weight, self.stock(), capacity, scratch_for(5), prices, *steps)) / MICRO


def _pointers(sizes: Any) -> Ints:
    return np.concatenate([[0], np.cumsum(list(sizes))]).astype(np.int64)


def _micro(dollars: Floats) -> Ints:
    return np.round(dollars * MICRO).astype(np.int64)


def compare(seed: int, horizon: int, sequences: int) -> dict[str, list[float]]:
    """Cost / programme of every rule on every sequence of one instance, and the seconds that our rule took."""
    rng = np.random.default_rng(seed)
    instance = draw(rng, horizon)
    case = Case(instance, solve(instance))
    expected = case.prices()
    case.bound(horizon * instance.share.ravel(), expected)
    found: dict[str, list[float]] = {name: [] for name in (*TABLE, "myopic_exact", "seconds")}
    for _ in range(sequences):
        arrivals = instance.arrivals(rng)
        chance = rng.random((horizon, 6))
        happened = np.bincount(arrivals, minlength=instance.share.size).astype(np.float64)
        paid = {
            "nearest": case.rounded(NEAREST, False, arrivals, chance),
            "independent": case.rounded(INDEPENDENT, False, arrivals, chance),
            "jasin_sinha": case.rounded(JASIN_SINHA, False, arrivals, chance),
            "dilate": case.rounded(DILATE, False, arrivals, chance),
            "dilate_again": case.rounded(DILATE, True, arrivals, chance),
            "myopic_exact": case.priced(arrivals, case.prices(np.zeros(0))),
            "static": case.priced(arrivals, case.prices()),
            "floor": case.bound(happened, case.prices(expected.best.copy())),
        }
        start = time.thread_time()
        paid["repriced"] = case.priced(arrivals, case.prices(expected.best), PASSES)
        found["seconds"].append(time.thread_time() - start)
        for name, dollars in paid.items():
            found[name].append(dollars / case.fractions.value)
    return found


def run(context: Context) -> None:
    """All rules on all instances, T = 10,000 and T = 1,000."""
    instances, sequences = SIZES[context.size]
    horizons = SMALLEST_HORIZONS if context.size == "smallest" else HORIZONS
    seeds = range(FIRST_SEED, FIRST_SEED + instances)
    with ThreadPoolExecutor(THREADS) as pool:
        for at, (label, horizon) in enumerate(horizons.items()):
            found = list(pool.map(lambda seed, horizon=horizon: compare(seed, horizon, sequences), seeds))
            _report(context, label, horizon, found, at)


def _report(context: Context, label: str, horizon: int, found: list[dict[str, list[float]]], column: int) -> None:
    """The mean over instances of each rule, its standard error over instances, and what others measured."""
    arrivals = horizon * sum(len(one["seconds"]) for one in found)
    seconds = [second for one in found for second in one["seconds"]]
    for name in found[0]:
        if name == "seconds":
            continue
        means = np.array([np.mean(one[name]) for one in found])
        error = float(means.std(ddof=1) / np.sqrt(means.size))
        context.runs += [
            {"label": f"{name}, T {horizon}", "seed": FIRST_SEED + at, "ratios": one[name]}
            for at, one in enumerate(found)
        ]
        key = f"published_{label}" if name == "repriced" else f"published_{label}_{name}"
        context.figure(key, float(means.mean()))
        context.figure(f"{key}_standard_error", error)
        if name in TABLE:
            context.figure(f"{key}_reported", TABLE[name][column])
    context.record(f"re-priced, T {horizon}", *seconds, arrivals=horizon)
    context.figure(f"published_{label}_us_an_arrival", 1e6 * sum(seconds) / arrivals)
