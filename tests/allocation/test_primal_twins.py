"""The kernels that improve a plan do what their naive twins do, on the same plan under work."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import columns_near, primal, primal_kernels, ruin_kernels, windows
from omo_core.allocation.columns_near import list_near
from omo_core.allocation.dual import solve_dual
from omo_core.allocation.plan import Plan
from omo_core.allocation.prices import PRICE_PER_MINOR
from omo_core.allocation.primal import Primal, cost_of_taken
from tests import naive_primal
from tests.allocation.cases import random_case
from tests.effort import examples

SEEDS = st.integers(0, 2**32)
EXAMPLES = settings(max_examples=examples(25), deadline=None)


def work_of(seed: int, **changes: Any) -> Primal:
    """A crowded little wave at prices that are not quite right, which leaves more to do."""
    case = random_case(seed, orders=24, nodes=7, skus=5, most_lines=4, most_units=2, stock_units=7, **changes)
    problem = case.problem().with_all_candidates()
    return Primal.begin(problem, solve_dual(problem, iterations=12).prices, 1)


def with_twins(module: object, *names: str) -> pytest.MonkeyPatch:
    patched = pytest.MonkeyPatch()
    for name in names:
        patched.setattr(module, name, getattr(naive_primal, name))
    return patched


def both(work: Primal, name: str, *arguments: Any, twin: str) -> tuple[Primal, int]:
    """Run a step with the kernel and with its twin on copies of the same plan; they do the same."""
    ours, theirs = copy.deepcopy(work), copy.deepcopy(work)
    saved = getattr(ours, name)(*arguments)
    patched = with_twins(primal, twin)
    try:
        assert getattr(theirs, name)(*arguments) == saved
    finally:
        patched.undo()
    for field, one, other in zip(ours.state._fields, ours.state, theirs.state, strict=True):
        listed = field in ("pick", "picked_from", "stock", "capacity", "head", "node_head")
        assert not listed or np.array_equal(one, other), field
    return ours, int(saved)


def is_sound(work: Primal) -> bool:
    """Nothing is oversold, and what is left is what the picks leave."""
    taken = work.all_taken()
    plan = Plan(work.problem, taken, tuple(work.methods()), solver="wave", status="heuristic")
    assert plan.violations() == []
    assert cost_of_taken(work.problem, taken) == plan.cost_minor
    assert (work.state.stock >= 0).all()
    assert (work.state.capacity >= 0).all()
    return True


@given(seed=SEEDS)
@EXAMPLES
def test_wishes_and_the_first_plan(seed: int) -> None:
    ours = work_of(seed)
    patched = with_twins(primal, "make_wishes", "place_in_turn")
    try:
        theirs = work_of(seed)
    finally:
        patched.undo()
    for field, one, other in zip(ours.guide._fields, ours.guide, theirs.guide, strict=True):
        assert np.array_equal(one, other), field
    for field, one, other in zip(ours.state._fields, ours.state, theirs.state, strict=True):
        assert np.array_equal(one, other), field
    assert is_sound(ours)


@given(seed=SEEDS)
@EXAMPLES
def test_moves_chains_and_ruin(seed: int) -> None:
    work = work_of(seed)
    cost = cost_of_taken(work.problem, work.all_taken())
    for name, arguments, twin in (
        ("move", (2,), "move_in_turn"),
        ("chain", (3,), "chain_in_turn"),
        ("ruin", (30, 1.0, seed), "ruin_and_recreate"),
        ("ruin", (30, 0.0, seed), "ruin_and_recreate"),
        ("chain", (2,), "chain_in_turn"),
    ):
        work, saved = both(work, name, *arguments, twin=twin)
        assert is_sound(work)
        now = cost_of_taken(work.problem, work.all_taken())
        assert cost - now == saved
        assert saved >= 0 or arguments[1:2] == (1.0,)
        cost = now


@given(seed=SEEDS)
@EXAMPLES
def test_contested_orders(seed: int) -> None:
    work = work_of(seed)
    pools = [np.full(work.problem.orders, -7) for _ in range(2)]
    rest = work.split_minor * PRICE_PER_MINOR, PRICE_PER_MINOR // 4
    one, other = (
        module.list_contested(work.priced, work.turn, work.state, work.guide, *rest, pool)
        for module, pool in zip((ruin_kernels, naive_primal), pools, strict=True)
    )
    assert one == other
    assert np.array_equal(pools[0], pools[1])


@given(seed=SEEDS, delta=st.sampled_from([1, 40, 400]), most=st.sampled_from([1, 3, 48]))
@EXAMPLES
def test_columns(seed: int, delta: int, most: int) -> None:
    work = work_of(seed)
    patched = pytest.MonkeyPatch()
    patched.setattr(columns_near, "MOST_COLUMNS", most)
    ours = list_near(work, delta * PRICE_PER_MINOR, 1)
    patched.setattr(columns_near, "list_columns", naive_primal.list_columns)
    try:
        theirs = list_near(work, delta * PRICE_PER_MINOR, 1)
    finally:
        patched.undo()
    assert np.array_equal(ours.ptr, theirs.ptr)
    for order in range(work.problem.orders):
        rows = slice(ours.ptr[order], ours.ptr[order + 1])
        one, other = (
            sorted(zip(way.pick[rows].tolist(), way.picked_from[rows].tolist(), strict=True)) for way in (ours, theirs)
        )
        assert one == other


@given(seed=SEEDS)
@EXAMPLES
def test_placing_and_removing(seed: int) -> None:
    work = work_of(seed)
    order = int(seed % work.problem.orders)
    ours, theirs = copy.deepcopy(work.state), copy.deepcopy(work.state)
    rooms = [np.full(2 * 8, -5) for _ in range(4)]
    for module, state, room in ((primal_kernels, ours, rooms[:2]), (naive_primal, theirs, rooms[2:])):
        first = work.block.line_ptr[order]
        cost = module.cost_of_picks(work.block, order, state.pick, state.picked_from, first, 7)
        module.copy_picks(work.block, order, state, *room, 3)
        module.remove(work.block, order, state)
        assert module.cost_of_picks(work.block, order, *room, 3, 7) == cost
        module.place(work.block, order, *room, 3, state)
    for one, other in zip((*ours, *rooms[:2]), (*theirs, *rooms[2:]), strict=True):
        assert np.array_equal(one, other)


@given(state=st.integers(1, 2**32 - 1), sides=st.integers(1, 2**32))
@EXAMPLES
def test_dice(state: int, sides: int) -> None:
    ours, theirs = np.array([state]), np.array([state])
    for _ in range(20):
        face = primal_kernels.roll(ours, sides)
        assert face == naive_primal.roll(theirs, sides)
        assert 0 <= face < sides
        assert 0 < ours[0] == theirs[0] < 2**32


def test_dice_are_fair() -> None:
    dice = np.array([2463534242])
    counts = np.bincount([primal_kernels.roll(dice, 6) for _ in range(6_000)], minlength=6)
    assert counts.min() > 880
    assert counts.max() < 1_120


@given(seed=SEEDS)
@settings(max_examples=examples(10), deadline=None)
def test_windows_save_what_they_say_and_mending_never_costs(seed: int) -> None:
    work = work_of(seed, policy={"max_exact_lines": 3})
    columns = list_near(work, 3_000 * PRICE_PER_MINOR, 1)
    cost = cost_of_taken(work.problem, work.all_taken())
    for number in range(2):
        for saved in windows.improve_pass(work, columns, number, windows.Limits(8, 50, 1, lambda: None)):
            now = cost_of_taken(work.problem, work.all_taken())
            assert cost - now == saved >= 0
            cost = now
    for order in work.to_mend():
        work.mend(int(order))
        now = cost_of_taken(work.problem, work.all_taken())
        assert now <= cost
        cost = now
    assert is_sound(work)
