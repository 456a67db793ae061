"""The demand families: two halves of one demand over one network and one stock."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.families import FAMILIES, families, family, part_of
from benchmarks.instance_files import wave_of
from benchmarks.instances import draw


@pytest.mark.parametrize("name", FAMILIES)
def test_history_and_today_share_all_but_their_orders(name: str) -> None:
    history, today = family(name, seed=3, orders=400, nodes=24)
    whole = draw(400, 24, FAMILIES[name][0], seed=3)
    assert history.columns.order == whole.columns.order[:200]
    assert today.columns.order == whole.columns.order[200:]
    assert history.index is today.index
    assert history.stock is today.stock
    assert history.capacity == today.capacity
    assert wave_of(history).orders + wave_of(today).orders == wave_of(whole).orders
    share = today.stock.available.sum() / whole.stock.available.sum()
    assert share == pytest.approx(FAMILIES[name][1], abs=0.05)
    assert today.stock.available.min() > 0


def test_thinned_stock_is_part_of_what_was_drawn() -> None:
    _, today = family("scarce", seed=1, orders=300, nodes=20)
    before, after = wave_of(draw(300, 20, 500, seed=1)).stock, wave_of(today).stock
    assert after.keys() == before.keys()
    assert all(units <= before[sku][node] for sku, cells in after.items() for node, units in cells.items())


def test_capacities_shrink_but_not_to_nothing() -> None:
    whole = draw(2_000, 20, 500, seed=1)
    _, today = family("even", seed=1, orders=2_000, nodes=20)
    assert today.capacity == {node: max(2, int(room * 0.6)) for node, room in whole.capacity.items()}


def test_equal_seeds_give_equal_families() -> None:
    first, again = families(seed=5, orders=200, nodes=20), families(seed=5, orders=200, nodes=20)
    other = families(seed=6, orders=200, nodes=20)
    for name in FAMILIES:
        assert wave_of(first[name][1]) == wave_of(again[name][1])
        assert wave_of(first[name][1]) != wave_of(other[name][1])
    assert first["scarce"][1].problem().orders == 100


def test_a_part_in_the_middle_keeps_its_lines() -> None:
    whole = draw(50, 20, 30, seed=2)
    part = part_of(whole, 10, 17, "middle")
    assert wave_of(part).orders == wave_of(whole).orders[10:17]
    assert part.problem().orders == 7
    assert np.array_equal(part.problem().block.line_ptr, part.columns.line_ptr)
