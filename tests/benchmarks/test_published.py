"""The published benchmark: its rules round as published, our decisions are the cheapest, its bounds hold."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from benchmarks import published
from benchmarks.harness import Context
from benchmarks.published import Case
from benchmarks.published_instances import CENTRES, ITEMS, Floats, draw
from benchmarks.published_kernels import round_dilate, round_jasin_sinha
from benchmarks.published_lp import solve
from omo_core.allocation.kernels import decide_order
from omo_core.allocation.scratch import scratch_for

pytestmark = pytest.mark.slow

DRAWS = 20_000


def case(seed: int = 1000, horizon: int = 300) -> Case:
    instance = draw(np.random.default_rng(seed), horizon)
    return Case(instance, solve(instance))


def fractions(rng: np.random.Generator, options: int = 4, lines: int = 3) -> Floats:
    part: Floats = rng.dirichlet(np.ones(options), lines).T.copy()
    part[rng.random(part.shape) < 0.3] = 0.0
    part[-1] = np.maximum(0.0, 1.0 - part[:-1].sum(axis=0))
    return part


@pytest.mark.parametrize("seed", range(3))
def test_jasin_and_sinha_keep_every_fraction(seed: int) -> None:
    rng = np.random.default_rng(seed)
    part = fractions(rng)
    seen, chosen = np.zeros_like(part), np.zeros(8, dtype=np.int64)
    for chance in rng.random((DRAWS, 6)):
        round_jasin_sinha(part, chance, chosen)
        seen[chosen[:3], range(3)] += 1
    assert np.abs(seen / DRAWS - part).max() < 0.02


def test_dilation_lets_items_with_equal_fractions_travel_together() -> None:
    part = np.array([[0.5, 0.5], [0.5, 0.5]])
    chosen = np.zeros(8, dtype=np.int64)
    for chance in np.random.default_rng(0).random((200, 6)):
        round_dilate(part, chance, chosen)
        assert chosen[0] == chosen[1]


def test_decisions_are_the_cheapest_of_all_ways() -> None:
    made = case()
    instance, block = made.instance, made.block
    options, cities = instance.fixed.shape
    stock, scratch = made.stock(), scratch_for(5)
    stock[: (options - 1) * ITEMS : 3] = 0
    capacity = np.full(options, 1 << 30, dtype=np.int64)
    for row in range(cities, block.line_ptr.size - 1, 7):
        items, city = instance.items[row // cities], row % cities
        found = decide_order(block, row, stock, capacity, 0, 1 << 40, scratch)
        ways = (
            instance.fixed[list(set(way)), city].sum() + instance.unit[list(way), city].sum()
            for way in product(range(options), repeat=len(items))
            if all(stock[centre * ITEMS + item] > 0 for centre, item in zip(way, items, strict=True))
        )
        assert found / published.MICRO == pytest.approx(min(ways), abs=1e-5)


def test_the_hindsight_bound_is_below_every_rule_and_near_the_programme() -> None:
    found = published.compare(1001, 400, 2)
    for at in range(2):
        floor = found["floor"][at]
        assert all(found[name][at] >= floor for name in published.TABLE if name != "floor")
    made = case(1001, 400)
    expected = made.bound(400 * made.instance.share.ravel(), made.prices())
    assert expected >= made.fractions.value * 0.9999, "sets of items bound no less than items one by one"


def test_instances_are_those_of_their_seed() -> None:
    first, again = (draw(np.random.default_rng(1003), 1_000) for _ in range(2))
    assert first.items == again.items
    assert np.array_equal(first.stock, again.stock)
    assert first.share.sum() == pytest.approx(1.0)
    assert (first.nearest <= len(CENTRES)).all()
    demand = first.share[[len(items) > 0 for items in first.items]].sum()
    assert 0 < demand <= 1


def test_the_smallest_run_has_every_figure() -> None:
    context = Context("published", "smallest")
    published.run(context)
    for label in published.HORIZONS:
        assert context.figures[f"published_{label}"] > context.figures[f"published_{label}_floor"]
        assert context.figures[f"published_{label}_dilate_standard_error"] >= 0
