"""The greedy plan: limits kept, units neither lost nor left behind, long orders whole, the same again each time."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import AllocationProblem, SourcingPolicy, solve_greedy
from tests.allocation.cases import Case, network, order, random_case, store
from tests.effort import examples

SEEDS = st.integers(0, 2**32)


@given(seed=SEEDS)
@settings(max_examples=examples(40), deadline=None)
def test_limits_are_kept_and_no_unit_is_lost(seed: int) -> None:
    """Checked here on the plan's own words, apart from `violations` and the verifier."""
    case = random_case(seed, most_lines=9, most_units=5)
    plan = solve_greedy(case.problem())
    stock = {(sku, node): units for sku, node, units in case.stock}
    left = dict(case.capacity or {})
    for demand, one in zip(case.demands, plan.orders, strict=True):
        units = {line.line: line.quantity for line in demand.lines}
        for part in one.assignments:
            stock[part.sku, part.node] -= part.quantity
            units[part.line] -= part.quantity
        for short in one.shortfalls:
            units[short.line] -= short.missing
        assert set(units.values()) == {0}
        assert not demand.excluded_nodes & set(one.nodes)
        assert case.policy.max_nodes is None or len(one.nodes) <= case.policy.max_nodes
        for node in one.nodes:
            left[node] = left.get(node, 1_000) - 1
    assert min(stock.values()) >= 0
    assert min(left.values()) >= 0


@given(seed=SEEDS)
@settings(max_examples=examples(30), deadline=None)
def test_nothing_that_could_be_served_is_left(seed: int) -> None:
    """Without limits, and with a high price for unserved units, a short SKU has no usable unit left anywhere."""
    policy = {"max_nodes": None, "unserved_minor": 100_000}
    case = random_case(seed, most_units=6, stock_units=4, limited=False, policy=policy)
    plan = solve_greedy(case.problem())
    left = {(sku, node): units for sku, node, units in case.stock}
    for one in plan.orders:
        for part in one.assignments:
            left[part.sku, part.node] -= part.quantity
    wide = plan.problem.with_all_candidates()
    for row, one in enumerate(plan.orders):
        usable = wide.block.node[wide.block.candidate_ptr[row] : wide.block.candidate_ptr[row + 1]]
        names = [wide.index.nodes[node].node for node in usable]
        for short in one.shortfalls:
            assert sum(left.get((short.sku, name), 0) for name in names) == 0


def test_a_line_that_no_node_holds_whole_is_split() -> None:
    nodes = network(store("A"), store("B", 40.2), store("C", 40.4))
    stock = (("X", "A", 3), ("X", "B", 3), ("X", "C", 3))
    plan = solve_greedy(Case(nodes, (order("o", ("X", 7)),), stock, SourcingPolicy()).problem()).orders[0]
    assert plan.method == "columns"
    assert [(one.node, one.quantity) for one in plan.assignments] == [("A", 3), ("B", 3), ("C", 1)]
    assert plan.shortfalls == ()


def test_a_limit_of_nodes_is_kept_and_named() -> None:
    nodes = network(store("A"), store("B", 40.2))
    case = Case(nodes, (order("o", ("X", 1), ("Y", 1)),), (("X", "A", 1), ("Y", "B", 1)), SourcingPolicy(max_nodes=1))
    plan = solve_greedy(case.problem()).orders[0]
    assert len(plan.nodes) == 1
    assert [one.code for one in plan.shortfalls] == ["node_limit"]


def test_one_node_is_chosen_over_two_nearer_ones_when_that_is_cheaper() -> None:
    nodes = network(store("A"), store("B"), store("BOTH", 41.0))
    stock = (("X", "A", 1), ("Y", "B", 1), ("X", "BOTH", 1), ("Y", "BOTH", 1))
    plan = solve_greedy(Case(nodes, (order("o", ("X", 1), ("Y", 1)),), stock, SourcingPolicy()).problem()).orders[0]
    assert plan.nodes == ("BOTH",)


def test_ties_go_to_the_lower_priority_number_then_to_the_id() -> None:
    stock = [("X", name, 1) for name in "ABC"]
    for priorities, chosen in (((100, 100, 100), "A"), ((100, 50, 100), "B"), ((100, 50, 10), "C")):
        nodes = network(*(store(name, priority=one) for name, one in zip("ABC", priorities, strict=True)))
        plan = solve_greedy(Case(nodes, (order("o", ("X", 1)),), tuple(stock), SourcingPolicy()).problem())
        assert plan.orders[0].nodes == (chosen,)


def long_order_case(lines: int, nodes: int, seed: int) -> Case:
    dice = random.Random(seed)
    places = [store(f"N{i:03}", 40 + dice.uniform(-5, 5), -90 + dice.uniform(-8, 8)) for i in range(nodes)]
    skus = [f"K{i:04}" for i in range(lines)]
    stock = [
        (sku, node.node, dice.randint(1, 3)) for sku in skus for node in dice.sample(places, dice.choice([1, 3, 9]))
    ]
    demand = order("long", *((sku, dice.choice([1, 1, 2])) for sku in skus))
    return Case(network(*places), (demand,), tuple(stock), SourcingPolicy())


def nearest_for_each_line(problem: AllocationProblem) -> int:
    """What it costs to serve each line from the holder that is cheapest for that line alone."""
    block, used, cost = problem.block, set(), 0
    choice: dict[int, tuple[int, int, int]] = {}
    for candidate in range(block.node.size):
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            line = int(block.line[entry])
            units = int(block.unit_minor[entry]) * int(block.quantity[line])
            alone = units + int(block.fixed_minor[candidate])
            if problem.stock.available[block.cell[entry]] >= block.quantity[line]:
                choice[line] = min(choice.get(line, (1 << 60, 0, 0)), (alone, candidate, units))
    for line in range(block.quantity.size):
        if line in choice:
            used.add(choice[line][1])
            cost += choice[line][2]
        else:
            cost += int(block.quantity[line]) * problem.policy.unserved_minor
    shipments = sum(int(block.fixed_minor[one]) for one in used)
    return cost + shipments + (len(used) - 1) * problem.policy.per_extra_node_minor


@pytest.mark.parametrize(("lines", "nodes"), [(9, 12), (40, 60), (161, 100), (2_000, 80)])
def test_long_orders_are_whole_and_no_dearer_than_line_by_line(lines: int, nodes: int) -> None:
    problem = long_order_case(lines, nodes, seed=lines).problem()
    plan = solve_greedy(problem)
    assert plan.methods == ("columns",)
    assert plan.violations() == []
    served = sum(part.quantity for part in plan.orders[0].assignments)
    missing = sum(short.missing for short in plan.orders[0].shortfalls)
    assert served + missing == problem.block.quantity.sum()
    at_most = np.add.reduceat(problem.stock.available, problem.stock.holder_ptr[:-1])
    assert served == np.minimum(at_most[problem.columns.sku], problem.block.quantity).sum()
    assert plan.cost_minor <= nearest_for_each_line(problem)


def test_equal_problems_give_equal_documents() -> None:
    case = random_case(77, orders=30, most_lines=12)
    first = json.dumps(solve_greedy(case.problem()).to_document())
    assert json.dumps(solve_greedy(case.problem()).to_document()) == first
    shuffled = case.but(
        stock=tuple(reversed(case.stock)), network=case.network.model_copy(update={"nodes": case.network.nodes[::-1]})
    )
    assert json.dumps(solve_greedy(shuffled.problem()).to_document()) == first
