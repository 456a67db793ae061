"""Every kernel does what its naive twin does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import candidate_kernels, chunks, explain, greedy, pairs, solve_greedy
from omo_core.allocation.candidate_kernels import great_circle_m, measure_pairs
from omo_core.allocation.greedy import run_in_turn
from tests import naive
from tests.allocation.cases import Case, random_case
from tests.effort import examples

SEEDS = st.integers(0, 2**32)
EXAMPLES = settings(max_examples=examples(40), deadline=None)


def with_twins(module: object, *names: str) -> pytest.MonkeyPatch:
    patched = pytest.MonkeyPatch()
    for name in names:
        patched.setattr(module, name, getattr(naive, name))
    return patched


@given(seed=SEEDS)
@EXAMPLES
def test_distances(seed: int) -> None:
    dice = np.random.default_rng(seed)
    near = dice.normal(size=3)
    a = np.vstack([dice.normal(size=(4, 3)), near, -near])
    b = np.vstack([dice.normal(size=(3, 3)), near, near + 1e-9])
    a, b = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (a, b))
    known_a, known_b = dice.random(6) < 0.9, dice.random(5) < 0.9
    ours, twin = np.empty((6, 5), dtype=np.int64), np.empty((6, 5), dtype=np.int64)
    great_circle_m(a, known_a, b, known_b, ours)
    naive.great_circle_m(a, known_a, b, known_b, twin)
    assert (ours == twin).all()
    row, node = dice.integers(0, 6, 9), dice.integers(0, 5, 9)
    flat = np.empty(9, dtype=np.int64)
    measure_pairs(a, known_a, row, b, known_b, node, flat)
    assert (flat == ours[row, node]).all()


@given(seed=SEEDS)
@EXAMPLES
def test_candidates_and_entries(seed: int) -> None:
    case = random_case(seed, nodes=14, orders=10, most_lines=4)
    ours = case.problem()
    patched = with_twins(chunks, "choose_candidates", "keep_warehouses", "list_entries")
    holders = with_twins(pairs, "list_holders", "measure_pairs")
    try:
        twin = case.problem()
    finally:
        patched.undo()
        holders.undo()
    for name, one, other in zip(ours.block._fields, ours.block, twin.block, strict=True):
        assert np.array_equal(one, other), name
    assert np.array_equal(ours.complete, twin.complete)


def decisions(case: Case, *twins: str) -> list[list[int]]:
    """What is taken with these kernels replaced by their twins."""
    patched = with_twins(greedy, *twins)
    try:
        return [run_in_turn(case.problem())[0].tolist()]
    finally:
        patched.undo()


@given(seed=SEEDS)
@EXAMPLES
def test_short_orders(seed: int) -> None:
    case = random_case(seed, orders=12, most_lines=6, stock_units=5)
    assert decisions(case) == decisions(case, "assign_in_turn")


@given(seed=SEEDS)
@EXAMPLES
def test_long_orders_and_splits(seed: int) -> None:
    case = random_case(seed, orders=6, skus=14, most_lines=14, most_units=4, policy={"max_exact_lines": 3})
    assert decisions(case) == decisions(case, "serve_long_order")


@given(seed=SEEDS)
@EXAMPLES
def test_alternatives(seed: int) -> None:
    plan = solve_greedy(random_case(seed, orders=6, most_lines=4).problem())
    ours = explain.Words.of(plan)
    patched = with_twins(explain, "weigh_alternatives")
    try:
        twin = explain.Words.of(plan)
    finally:
        patched.undo()
    assert np.array_equal(ours.left, twin.left)
    assert np.array_equal(ours.instead_of, twin.instead_of)
    assert np.array_equal(ours.extra_minor, twin.extra_minor)


def test_the_twins_know_the_same_constants() -> None:
    assert naive.EARTH_RADIUS_M == candidate_kernels.EARTH_RADIUS_M
    assert (naive.WAREHOUSES, naive.HOLDERS) == (candidate_kernels.WAREHOUSES, candidate_kernels.HOLDERS)
