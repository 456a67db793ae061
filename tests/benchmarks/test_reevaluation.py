"""The re-evaluation benchmark: both baselines serve what they can, and what is removed stays within what is proven."""

from __future__ import annotations

import pytest

from benchmarks import reevaluation
from benchmarks.harness import Context
from benchmarks.reevaluation import GROWTH_PERMILLE

pytestmark = pytest.mark.slow


def test_the_smallest_run_has_every_figure() -> None:
    context = Context("reevaluation", "smallest")
    reevaluation.run(context)
    figures = context.figures
    assert {"extra_removed_vs_nearest", "extra_removed_vs_fewest", "extra_removed_of_certified"} <= figures.keys()
    for baseline in ("nearest", "fewest"):
        extra, left = figures[f"extra_{baseline}"], figures[f"extra_{baseline}_left"]
        assert figures[f"extra_{baseline}_proven"] <= left <= extra
        assert figures[f"parcel_km_vs_{baseline}"] <= 1 + GROWTH_PERMILLE / 1000
    assert figures["extra_fewest"] <= figures["extra_nearest"]
    assert 0 <= figures["extra_removed_of_certified"] <= 1
