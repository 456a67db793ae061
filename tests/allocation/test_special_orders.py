"""Orders with rules of their own: groups, all or nothing, parcels by weight, and capacity in lines or units."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import (
    AllocationProblem,
    DemandLine,
    NodeWork,
    OrderDemand,
    ParcelTariff,
    Plan,
    SourcingPolicy,
    WeightBand,
    solve_exact,
    solve_greedy,
)
from omo_core.allocation.costs import UNSERVED
from omo_core.allocation.dual import solve_dual
from omo_core.allocation.kernels import decide_under_rules_at, scratch_for
from omo_core.allocation.rule_kernels import cheapest_sets_under_rules, measure_sets, parcel_floor, parcel_price
from omo_core.model.errors import InvalidInput
from omo_core.model.items import Item
from tests import naive_rules
from tests.allocation.cases import Case, network, order, random_case, store
from tests.effort import examples

SEEDS = st.integers(0, 2**32)
EXAMPLES = settings(max_examples=examples(30), deadline=None)

TARIFF = {
    "bands": [
        {"up_to_g": 500, "price_minor": 300},
        {"up_to_g": 2_000, "price_minor": 450},
        {"up_to_g": 5_000, "price_minor": 750},
    ]
}
STEEP = {"bands": [{"up_to_g": 1_000, "price_minor": 100}, {"up_to_g": 2_000, "price_minor": 900}]}
"""One parcel of 2 kg is dearer than two of 1 kg."""


def special(seed: int, *, steep: bool = True, **sizes: Any) -> tuple[Case, dict[str, NodeWork]]:
    """A random world in which every order may have rules."""
    dice = random.Random(seed)
    near = {**TARIFF, "up_to_m": 5_000}
    tariffs = dice.choice([[], [TARIFF], [near, TARIFF], [STEEP] if steep else []])
    case = random_case(seed, policy={"parcel_tariffs": tariffs}, **sizes)
    demands = tuple(
        replace(
            demand,
            ship_complete=dice.random() < 0.4,
            lines=tuple(replace(line, together=dice.choice([None, None, "a", "b"])) for line in demand.lines),
        )
        for demand in case.demands
    )
    names = [node.node for node in case.network.nodes]
    work = {
        name: dice.choice([NodeWork(0, 1, 0), NodeWork(0, 0, 1), NodeWork(1, 2, 3)])
        for name in dice.sample(names, dice.choice([0, 4]))
    }
    capacity = {name: dice.randint(0, 9) for name in dice.sample(names, 5)}
    return case.but(demands=demands, capacity=capacity), work


def problem_of(case: Case, work: dict[str, NodeWork]) -> AllocationProblem:
    return AllocationProblem.build(case.network, case.demands, case.stock, case.policy, case.capacity, work=work)


@given(seed=SEEDS)
@EXAMPLES
def test_kernels_and_twins(seed: int) -> None:
    block = (problem := problem_of(*special(seed, orders=5))).block
    dice = np.random.default_rng(seed)
    none = np.zeros(0, dtype=np.int64)
    cell_price = dice.integers(0, 200, problem.stock.available.size)
    node_price = dice.integers(0, 200, problem.capacity.size)
    limits: tuple[Any, Any, Any, Any] = problem.stock.available, problem.capacity, none, none
    if seed % 2:
        limits = none, none, cell_price, node_price
    scratch = scratch_for(problem.policy.max_exact_lines)
    for row in range(problem.orders):
        size = 1 << int(block.line_ptr[row + 1] - block.line_ptr[row])
        ours, twin = [np.zeros((5, size), dtype=np.int64) for _ in range(2)]
        sums, masks = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        measure_sets(block, row, ours[0], ours[1], ours[2])
        cheapest_sets_under_rules(
            block, row, *limits, ours[0], ours[1], ours[2], sums, masks, ours[3], ours[4], 1 << 55, seed % 3 == 0
        )
        naive_rules.measure_sets(block, row, twin[0], twin[1], twin[2])
        naive_rules.cheapest_sets_under_rules(
            block, row, *limits, twin[0], twin[1], twin[2], sums, masks, twin[3], twin[4], 1 << 55, seed % 3 == 0
        )
        sound = twin[0] >= 0
        assert (ours[:, sound] == twin[:, sound]).all()
        prices = row, cell_price, node_price, 100, 2
        cost = decide_under_rules_at(block, *prices, scratch)
        assert cost == naive_rules.decide_under_rules_at(block, *prices, scratch)
    for candidate in range(block.node.size):
        for weight_g in (0, 500, 501, 5_000, 5_001, 10_000, 12_345):
            price = naive_rules.parcel_price(block, candidate, weight_g)
            assert parcel_price(block, candidate, weight_g) == price
            floor = parcel_floor(block, candidate, weight_g)
            assert floor == naive_rules.parcel_floor(block, candidate, weight_g)
            assert floor <= price or weight_g == 0


@given(seed=SEEDS)
@EXAMPLES
def test_plans_are_sound_and_never_below_the_joint_optimum(seed: int) -> None:
    problem = problem_of(*special(seed, orders=4, nodes=5, skus=4, most_lines=4))
    greedy, exact = solve_greedy(problem), solve_exact(problem)
    assert greedy.violations() == []
    assert exact.violations() == []
    assert exact.status == "optimal"
    assert exact.cost_minor <= greedy.cost_minor
    assert exact.lower_bound_minor is not None
    assert exact.lower_bound_minor <= exact.cost_minor
    assert solve_dual(problem.with_all_candidates(), iterations=30).bound_minor <= exact.cost_minor


@given(seed=SEEDS)
@EXAMPLES
def test_one_order_alone_is_served_at_the_least_cost(seed: int) -> None:
    """With single units no line can be split, so the kernel answers exactly."""
    case, work = special(seed, steep=False, orders=1, nodes=6, most_units=1, most_lines=5)
    alone = case.but(demands=tuple(replace(one, lines=distinct(one.lines)) for one in case.demands))
    problem = problem_of(alone, work).with_all_candidates()
    assert solve_greedy(problem).cost_minor == solve_exact(problem).cost_minor


def distinct(lines: tuple[DemandLine, ...]) -> tuple[DemandLine, ...]:
    return tuple({line.sku: line for line in lines}.values())


@given(seed=SEEDS)
@EXAMPLES
def test_long_orders_keep_their_rules(seed: int) -> None:
    case, work = special(seed, orders=4, skus=14, most_lines=14)
    case = case.but(policy=SourcingPolicy.load({**case.policy.model_dump(mode="json"), "max_exact_lines": 3}))
    assert solve_greedy(problem_of(case, work)).violations() == []


A, B = store("A"), store("B", latitude=40.1)


def plan_of(*lines: tuple[str, int], stock: list[tuple[str, str, int]], **fields: Any) -> Plan:
    asked = order("1", *lines, **fields)
    return solve_greedy(AllocationProblem.build(network(A, B), [asked], stock, SourcingPolicy()))


def marked(asked: OrderDemand, **together: str) -> OrderDemand:
    lines = tuple(replace(line, together=together.get(line.sku)) for line in asked.lines)
    return replace(asked, lines=lines)


def test_lines_of_a_group_come_from_one_node_or_not_at_all() -> None:
    asked = marked(order("1", ("CUP", 1), ("LID", 1), ("TEA", 1)), CUP="set", LID="set")
    stock = [("CUP", "A", 1), ("TEA", "A", 1), ("LID", "B", 1)]
    apart = solve_greedy(AllocationProblem.build(network(A, B), [asked], stock, SourcingPolicy()))
    assert [(one.sku, one.node) for one in apart.orders[0].assignments] == [("TEA", "A")]
    stock += [("CUP", "B", 1)]
    together = solve_greedy(AllocationProblem.build(network(A, B), [asked], stock, SourcingPolicy()))
    assert {one.sku: one.node for one in together.orders[0].assignments} == {"CUP": "B", "LID": "B", "TEA": "A"}


def test_a_line_with_two_marks_joins_their_groups() -> None:
    lines = (DemandLine("1", "CUP", 1, "a"), DemandLine("2", "LID", 1, "b"), DemandLine("3", "CUP", 1, "b"))
    asked = replace(order("1", ("CUP", 1)), lines=lines)
    stock = [("CUP", "A", 2), ("LID", "B", 1)]
    plan = solve_greedy(AllocationProblem.build(network(A, B), [asked], stock, SourcingPolicy()))
    assert plan.orders[0].assignments == ()


def test_an_order_to_be_complete_takes_nothing_where_a_unit_is_missing() -> None:
    stock = [("CUP", "A", 1), ("LID", "B", 1)]
    assert len(plan_of(("CUP", 1), ("LID", 1), stock=stock, ship_complete=True).orders[0].assignments) == 2
    short = plan_of(("CUP", 2), ("LID", 1), stock=stock, ship_complete=True)
    assert short.orders[0].assignments == ()
    assert short.cost_by_term[UNSERVED] == 3 * SourcingPolicy().unserved_minor
    split = plan_of(("CUP", 2), stock=[("CUP", "A", 1), ("CUP", "B", 1)], ship_complete=True)
    assert {(one.node, one.quantity) for one in split.orders[0].assignments} == {("A", 1), ("B", 1)}


def test_a_parcel_is_paid_by_its_whole_weight() -> None:
    items = Item(sku="BOOK", weight_g=400), Item(sku="LAMP", weight_g=1_700)
    policy = SourcingPolicy.load({"parcel_tariffs": [TARIFF]})
    for lines, price in (
        ([("BOOK", 1)], 300),
        ([("BOOK", 2)], 450),
        ([("BOOK", 1), ("LAMP", 1)], 750),
        ([("LAMP", 3)], 750 + 300),
    ):
        asked = order("1", *lines)
        stock = [(sku, "A", 9) for sku, _ in lines]
        problem = AllocationProblem.build(network(A, items=items), [asked], stock, policy)
        plan = solve_greedy(problem)
        assert plan.cost_by_term["parcel"] == price
        assert plan.cost_minor == solve_exact(problem).cost_minor


def test_two_parcels_where_one_is_dearer_than_a_second_shipment() -> None:
    """The band decides: together they would be in a dear band."""
    items = Item(sku="BOOK", weight_g=400), Item(sku="LAMP", weight_g=1_700)
    bands = [WeightBand(up_to_g=2_000, price_minor=2_000), WeightBand(up_to_g=5_000, price_minor=4_000)]
    policy = SourcingPolicy(parcel_tariffs=(ParcelTariff(bands=tuple(bands)),))
    stock = [("BOOK", "A", 1), ("LAMP", "A", 1), ("BOOK", "B", 1)]
    asked = order("1", ("BOOK", 1), ("LAMP", 1))
    plan = solve_greedy(AllocationProblem.build(network(A, B, items=items), [asked], stock, policy))
    assert plan.orders[0].nodes == ("A",), "a second shipment costs its own 4.60 on top"
    free: dict[str, Any] = {"kinds": {"store": {"shipment_minor": 0, "unit_minor": 0}}, "shipment_per_1000_km_minor": 0}
    cheap = SourcingPolicy.load(
        {**policy.model_dump(mode="json"), **free, "per_extra_node_minor": 0, "unit_per_1000_km_minor": 0}
    )
    plan = solve_greedy(AllocationProblem.build(network(A, B, items=items), [asked], stock, cheap))
    assert plan.cost_minor == 2 * 2_000 == plan.cost_by_term["parcel"]


@pytest.mark.parametrize(
    ("bands", "says"),
    [
        ([(500, 300), (400, 500)], "light to heavy"),
        ([(500, 300), (600, 200)], "never fall"),
        ([(500, 300), (500, 400)], "each weight once"),
    ],
)
def test_a_tariff_that_makes_no_sense_is_refused(bands: list[tuple[int, int]], says: str) -> None:
    rows = [{"up_to_g": up_to_g, "price_minor": price} for up_to_g, price in bands]
    with pytest.raises(InvalidInput, match=says):
        SourcingPolicy.load({"parcel_tariffs": [{"bands": rows}]})


def test_capacity_in_lines_and_units() -> None:
    asked = [order("1", ("CUP", 2), ("LID", 1)), order("2", ("CUP", 2))]
    stock = [("CUP", "A", 9), ("LID", "A", 9), ("CUP", "B", 9), ("LID", "B", 9)]

    def nodes(work: NodeWork, capacity: int) -> list[tuple[str, ...]]:
        plan = solve_greedy(
            AllocationProblem.build(
                network(A, B), asked, stock, SourcingPolicy(), {"A": capacity, "B": 9}, work={"A": work, "B": work}
            )
        )
        assert plan.violations() == []
        return [one.nodes for one in plan.orders]

    assert nodes(NodeWork(0, 1, 0), 3) == [("A",), ("A",)]
    assert nodes(NodeWork(0, 1, 0), 2) == [("A",), ("B",)]
    assert nodes(NodeWork(0, 0, 1), 4) == [("A",), ("B",)]
    assert nodes(NodeWork(0, 0, 1), 5) == [("A",), ("A",)]


@pytest.mark.parametrize("work", [NodeWork(0, 0, 0), NodeWork(-1, 0, 2), NodeWork(1, 2.5, 0)])  # type: ignore[arg-type]
def test_work_that_makes_no_sense_is_refused(work: NodeWork) -> None:
    with pytest.raises(InvalidInput, match="give whole pieces"):
        AllocationProblem.build(network(A), [order("1", ("CUP", 1))], [], SourcingPolicy(), work={"A": work})
    with pytest.raises(InvalidInput, match="does not have"):
        AllocationProblem.build(network(A), [order("1", ("CUP", 1))], [], SourcingPolicy(), work={"Z": NodeWork()})


def test_a_plan_that_breaks_a_rule_is_noticed() -> None:
    asked = marked(order("1", ("CUP", 1), ("LID", 1)), CUP="set", LID="set")
    stock = [("CUP", "A", 1), ("LID", "A", 1), ("LID", "B", 1)]
    whole = replace(asked, ship_complete=True)
    problem = AllocationProblem.build(
        network(A, B), [whole], stock, SourcingPolicy(), {"A": 2}, work={"A": NodeWork(0, 0, 1)}
    )
    plan = solve_greedy(problem)
    assert plan.violations() == []
    entries = {
        (int(problem.block.line[entry]), int(problem.stock.node[problem.block.cell[entry]])): entry
        for entry in range(problem.block.line.size)
    }
    position = problem.index.position
    broken = np.zeros_like(plan.taken)
    broken[[entries[0, position["A"]], entries[1, position["B"]]]] = 1
    assert any("from one node together" in one for one in replace(plan, taken=broken).violations())
    broken[:] = 0
    broken[entries[0, position["A"]]] = 1
    assert any("in full or not at all" in one for one in replace(plan, taken=broken).violations())
    tight = replace(problem, capacity=np.array([1, 1], dtype=np.int64))
    assert any("2 pieces of work but can take 1" in one for one in replace(plan, problem=tight).violations())


def test_the_bound_knows_that_a_split_line_may_fill_two_parcels() -> None:
    """Two nodes each have room for one more unit in a parcel they send anyway."""
    items = Item(sku="BIG", weight_g=1_500), Item(sku="WIDE", weight_g=1_500), Item(sku="CUP", weight_g=500)
    bands = [{"up_to_g": 2_000, "price_minor": 500}, {"up_to_g": 4_000, "price_minor": 5_000}]
    free = {"kinds": {"store": {"shipment_minor": 0, "unit_minor": 0}}, "shipment_per_1000_km_minor": 0}
    policy = SourcingPolicy.load(
        {**free, "unit_per_1000_km_minor": 0, "per_extra_node_minor": 0, "parcel_tariffs": [{"bands": bands}]}
    )
    asked = order("1", ("BIG", 1), ("WIDE", 1), ("CUP", 2))
    stock = [("BIG", "A", 1), ("WIDE", "B", 1), ("CUP", "A", 2), ("CUP", "B", 2)]
    problem = AllocationProblem.build(network(A, B, items=items), [asked], stock, policy)
    best = solve_exact(problem)
    assert best.cost_minor == 1_000
    assert solve_dual(problem).bound_minor <= 1_000
    assert solve_greedy(problem).cost_minor > 1_000
