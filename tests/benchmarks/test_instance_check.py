"""The checker of solutions: it accepts what is sound, agrees with the allocator to the cent, and sees each way to be wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.instance_check import Checked, account, check, metres_between, price_of, require_sound, summary
from benchmarks.instance_files import assigned_of, check_plan, solution_of, wave_of
from benchmarks.instance_wave import NOWHERE, Assigned, Place, Prices, Solution, Wave, WaveNode, WaveOrder
from benchmarks.instances import draw
from omo_core.allocation import solve_exact, solve_greedy

HERE: Place = (1.0, 0.0, 0.0)
THERE: Place = (0.0, 1.0, 0.0)
"""A quarter of the equator away: 10,007,557 m."""
QUARTER_M = 10_007_557


def node(name: str, place: Place, *, kind: str = "store", capacity: int | None = None) -> WaveNode:
    return WaveNode(name, kind, 0.0, 0.0, place, 400, 70, capacity)


@pytest.fixture
def wave() -> Wave:
    return Wave(
        name="small",
        prices=Prices(per_extra_node_minor=11),
        nodes=[node("A", HERE, capacity=1), node("B", THERE, kind="central_warehouse")],
        orders=[
            WaveOrder("o1", "ship", NOWHERE, HERE, [("mug", 2), ("pot", 1)]),
            WaveOrder("o2", "pickup", 0, HERE, [("mug", 1)]),
        ],
        stock={"mug": {0: 2, 1: 5}, "pot": {1: 1}, "pan": {}},
    )


SOUND = [Assigned("o1", 1, "B", 2), Assigned("o1", 2, "B", 1), Assigned("o2", 1, "A", 1)]


def claim(wave: Wave, assigned: list[Assigned]) -> Solution:
    return Solution(wave.name, assigned, account(wave, assigned).cost_minor, 0)


def test_a_cost_worked_out_by_hand(wave: Wave) -> None:
    checked = check(wave, claim(wave, SOUND))
    assert checked.found == []
    way, unit_way = round(450 * QUARTER_M / 1e6), round(60 * QUARTER_M / 1e6)
    assert checked.cost_by_term == {
        "shipping": 400,
        "distance": way + 3 * unit_way,
        "handling": 4 * 70,
        "lateness": (23 - 2) * 250,
        "service": 50,
        "split": 0,
        "unserved": 0,
    }
    assert (checked.shipments, checked.unserved_units) == (2, 0)


def test_split_unserved_and_services_by_hand(wave: Wave) -> None:
    orders = [wave.orders[0], WaveOrder("o3", "one_hour", NOWHERE, HERE, [("mug", 1)]), wave.orders[1]]
    wave = replace(wave, orders=orders, nodes=[node("A", HERE), wave.nodes[1]])
    parts = [Assigned("o1", 1, "A", 1), Assigned("o1", 1, "B", 1), Assigned("o3", 1, "A", 1), Assigned("o2", 1, "B", 1)]
    checked = check(wave, claim(wave, parts))
    assert checked.found == []
    assert checked.cost_by_term["split"] == 11
    assert checked.cost_by_term["unserved"] == 2_500
    assert checked.cost_by_term["service"] == 150 + 300
    far = check(wave, claim(wave, [Assigned("o3", 1, "B", 1)]))
    assert far.cost_by_term["service"] == 150 + 900


def test_a_warehouse_next_door_misses_the_hour(wave: Wave) -> None:
    wave = replace(wave, nodes=[wave.nodes[0], node("B", HERE, kind="regional_warehouse")])
    order = WaveOrder("o1", "one_hour", NOWHERE, HERE, [("mug", 1)])
    assert price_of(wave, order, 0) == (400 + 150, 70)
    assert price_of(wave, order, 1) == (400 + 150 + 900, 70)


def test_metres_round_halves_up_and_reach_the_antipodes() -> None:
    assert metres_between(HERE, HERE) == 0
    assert metres_between(HERE, THERE) == QUARTER_M
    assert metres_between(HERE, (-1.0, 0.0, 0.0)) == 20_015_114


BROKEN = {
    "no such order": ([*SOUND, Assigned("o9", 1, "A", 1)], "the instance has no such order"),
    "no such node": ([*SOUND, Assigned("o1", 1, "C", 1)], "the instance has no such node"),
    "no such line": ([*SOUND, Assigned("o2", 2, "B", 1)], "the order has no such line"),
    "line zero": ([*SOUND, Assigned("o2", 0, "B", 1)], "the order has no such line"),
    "giving back": ([*SOUND, Assigned("o2", 1, "B", -1)], "-1 units; an assignment is of one unit or more"),
    "twice": ([*SOUND, SOUND[2]], "the same line and node were assigned before"),
    "too many": ([*SOUND, Assigned("o2", 1, "B", 1)], "order o2, line 1: 1 units more than it wants are assigned"),
    "oversold": ([Assigned("o1", 1, "A", 2), Assigned("o2", 1, "A", 1)], "A gives 3 units of mug but has 2"),
    "sold without stock": ([Assigned("o1", 2, "A", 1)], "A gives 1 units of pot but has 0"),
    "over capacity": ([Assigned("o1", 1, "A", 1), Assigned("o2", 1, "A", 1)], "A serves 2 orders but can take 1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_solution_is_reported(wave: Wave, case: str) -> None:
    assigned, sentence = BROKEN[case]
    checked = check(wave, claim(wave, assigned))
    assert any(sentence in one for one in checked.found), checked.found
    assert sentence in "\n".join(summary(checked))


def test_a_wrong_claim_is_reported(wave: Wave) -> None:
    right = claim(wave, SOUND)
    assert check(wave, replace(right, lower_bound_minor=right.cost_minor)).gap == 0.0
    assert check(wave, replace(right, lower_bound_minor=None)).gap is None
    wrong = {
        f"the claimed cost is {right.cost_minor - 1}, recomputed": replace(right, cost_minor=right.cost_minor - 1),
        "lower bound": replace(right, lower_bound_minor=right.cost_minor + 1),
        "the solution is of 'large', the instance is 'small'": replace(right, instance="large"),
    }
    for sentence, solution in wrong.items():
        [found] = check(wave, solution).found
        assert sentence in found


def test_a_figure_of_an_unsound_plan_is_refused(wave: Wave) -> None:
    sound = check(wave, claim(wave, SOUND))
    assert require_sound(sound) is sound
    with pytest.raises(ValueError, match="does not accept this plan: A gives 3 units of mug"):
        require_sound(check(wave, claim(wave, BROKEN["oversold"][0])))


def test_a_hopeless_solution_is_reported_in_short(wave: Wave) -> None:
    checked = check(wave, claim(wave, [Assigned("o9", 1, "A", 1)] * 250))
    assert len(checked.found) == 101
    assert checked.found[-1] == "and 150 findings more"


@pytest.mark.parametrize(("tightness", "seed"), [(1.15, 1), (0.6, 2), (3.0, 3)])
def test_the_checker_and_the_allocator_agree_to_the_cent(tightness: float, seed: int) -> None:
    drawn = draw(150, 26, 30, seed=seed, tightness=tightness)
    quantity = np.random.default_rng(seed).integers(1, 4, drawn.columns.quantity.size).astype(np.int32)
    columns = replace(drawn.columns, quantity=quantity)
    instance = replace(drawn, columns=columns, prices=replace(drawn.prices, per_extra_node_minor=40))
    plan = solve_greedy(instance.problem().with_all_candidates())
    checked = check_plan(instance, plan)
    assert plan.violations() == []
    assert checked.found == []
    assert checked.cost_minor == plan.cost_minor
    assert checked.unserved_units == int(plan.accounts.missing.sum())


def test_an_optimal_plan_is_accepted_with_its_bound() -> None:
    instance = draw(12, 18, 8, seed=4)
    plan = solve_exact(instance.problem())
    checked = check_plan(instance, plan)
    assert (checked.found, checked.gap) == ([], 0.0)


def test_a_plan_that_was_tampered_with_is_not_accepted() -> None:
    instance = draw(60, 20, 12, seed=5)
    plan = solve_greedy(instance.problem())
    filled = int(np.flatnonzero(plan.taken)[0])
    more = plan.taken.copy()
    more[filled] += 1
    found = check_plan(instance, replace(plan, taken=more)).found
    assert any("more than it wants" in sentence for sentence in found)
    too_good = replace(plan, lower_bound_minor=plan.cost_minor + 1)
    assert any("lower bound" in sentence for sentence in check_plan(instance, too_good).found)
    dearer = replace(instance, handling_minor=instance.handling_minor + 1)
    sentences = check_plan(instance, plan, wave_of(dearer)).found
    assert any("the claimed cost is" in sentence for sentence in sentences)
    assert any("cost by term" in sentence for sentence in sentences)


def test_every_price_of_a_pair_is_the_allocators() -> None:
    instance = draw(40, 20, 12, seed=6)
    wave, problem = wave_of(instance), instance.problem().with_all_candidates()
    block = problem.block
    for order in range(problem.orders):
        for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
            fixed, unit = price_of(wave, wave.orders[order], int(block.node[candidate]))
            assert fixed == block.fixed_minor[candidate]
            entries = slice(block.entry_ptr[candidate], block.entry_ptr[candidate + 1])
            assert set(block.unit_minor[entries].tolist()) == {unit}


def test_a_plans_assignments_are_all_it_takes() -> None:
    instance = draw(60, 20, 12, seed=7)
    plan = solve_greedy(instance.problem())
    assigned = assigned_of(plan)
    assert sum(one.quantity for one in assigned) == int(plan.taken.sum())
    assert solution_of(instance, plan, seconds=1.5).facts == {"solver": "greedy", "status": "heuristic", "seconds": 1.5}


def test_the_summary_says_it_all(wave: Wave) -> None:
    text = "\n".join(summary(check(wave, claim(wave, SOUND))))
    assert "the solution is sound" in text
    assert "2 shipments, 0 units not served" in text
    assert summary(Checked({"split": 1}, None, 0, 0, ["it is wrong"]))[-1] == "it is wrong"
