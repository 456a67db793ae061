"""The stock rule against a twin that counts line by line, and what an item's weight is read from."""

import math
from collections import defaultdict

import numpy as np
import pytest

from omo_core.demo.baskets import PERIODS, CleanBaskets
from omo_core.demo.places import place_stores
from omo_core.demo.supply import opening_stock, warehouse_id, weight_g


@pytest.mark.slow
def test_opening_stock_follows_the_rule(clean: CleanBaskets) -> None:
    history = clean.history(PERIODS["demo"])
    history = history.take(np.isin(history.product, np.unique(history.product)[::40]))
    places = place_stores(history, seed=1)
    store: dict[tuple[str, str], int] = defaultdict(int)
    region: dict[tuple[str, str], int] = defaultdict(int)
    everywhere: dict[str, int] = defaultdict(int)
    for where, product, units in zip(
        history.store.tolist(), history.product.tolist(), history.quantity.tolist(), strict=True
    ):
        store[f"store-{where}", str(product)] += units
        region[warehouse_id(places[where].metro.warehouse), str(product)] += units
        everywhere[str(product)] += units
    expected = {key: max(1, math.ceil(units * 4 / 8)) for key, units in store.items()}
    expected |= {key: math.ceil(units * 2 / 8) for key, units in region.items() if units >= 4}
    expected |= {("central-louisville", sku): math.ceil(n * 3 / 8) for sku, n in everywhere.items() if n < 64}
    rows = opening_stock(history, 8, places)
    assert {(row.node, row.sku): row.quantity for row in rows} == expected
    assert len(rows) == len(expected)
    assert any(n >= 64 for n in everywhere.values())
    assert {row.node.split("-")[0] for row in rows} == {"store", "regional", "central"}


@pytest.mark.parametrize(
    ("size", "grams"),
    [("16 OZ", 454), ("1 LB", 454), ("14.5 OZ", 411), ("750 ML", 0), ("12 CT", 0), ("", 0), (None, 0), ("2/16 OZ", 0)],
)
def test_weight_is_read_from_weights_alone(size: str | None, grams: int) -> None:
    assert weight_g(size) == grams
