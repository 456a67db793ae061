"""General solvers on the compact model: they agree with the exact solver and with each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import compact_models
from benchmarks.instance_files import check_plan
from benchmarks.instances import Instance, draw
from omo_core.allocation import solve_exact


@pytest.fixture(scope="module", params=["units", "quantities"])
def instance(request: pytest.FixtureRequest) -> Instance:
    drawn = draw(7, 18, 6, seed=3, tightness=1.0)
    if request.param == "units":
        return drawn
    quantity = np.arange(drawn.columns.quantity.size, dtype=np.int32) % 3 + 1
    prices = replace(drawn.prices, per_extra_node_minor=35)
    return replace(drawn, columns=replace(drawn.columns, quantity=quantity), prices=prices, name="quantities")


@pytest.mark.parametrize("solve", [compact_models.scip, compact_models.cp_sat])
def test_the_optimum_is_found_and_proven(instance: Instance, solve: compact_models.Solve) -> None:
    best = solve_exact(instance.problem())
    found = solve(instance.problem(4))
    assert found.status == "optimal"
    assert found.objective_minor == pytest.approx(best.cost_minor)
    assert found.bound_minor == pytest.approx(best.cost_minor)
    assert found.gap == pytest.approx(0.0)
    assert found.entries == best.problem.block.line.size
    assert found.plan is not None
    assert found.plan.cost_minor == best.cost_minor
    assert check_plan(instance, found.plan).found == []


def test_the_relaxation_is_a_bound(instance: Instance) -> None:
    best = solve_exact(instance.problem())
    found = compact_models.pdlp(instance.problem())
    assert found.status == "optimal"
    assert found.plan is None
    assert 0.5 * best.cost_minor < found.bound_minor <= best.cost_minor * (1 + 1e-5)


def test_scip_stops_at_the_gap_it_was_given() -> None:
    problem = draw(40, 20, 20, seed=5).problem()
    found = compact_models.scip(problem, gap=0.05)
    assert found.gap is not None
    assert found.gap <= 0.05
    assert found.objective_minor is not None
    assert found.bound_minor <= found.objective_minor


@pytest.mark.parametrize("solve", [compact_models.scip, compact_models.cp_sat, compact_models.pdlp])
def test_no_time_at_all_is_no_crash(solve: compact_models.Solve) -> None:
    found = solve(draw(40, 20, 20, seed=5).problem(), time_limit_s=0.001)
    assert found.plan is None or check_plan(draw(40, 20, 20, seed=5), found.plan).found == []
    assert found.objective_minor is None or found.gap is not None
