"""Explanations say what was weighed: the terms, the next best node, the rule, the reason of a shortfall."""

from __future__ import annotations

from dataclasses import asdict, replace

from hypothesis import given, settings, strategies as st

from omo_core.allocation import SourcingPolicy, solve_exact, solve_greedy
from omo_core.allocation.prices import no_prices
from omo_core.model.refusals import REFUSAL_SENTENCES
from tests.allocation.cases import Case, network, order, random_case, store
from tests.effort import examples


def test_the_sentence_names_lines_distance_terms_and_the_next_best() -> None:
    nodes = network(store("A", 40.1), store("B", 40.9))
    stock = (("X", "A", 1), ("Y", "A", 1), ("X", "B", 1), ("Y", "B", 1))
    plan = solve_greedy(Case(nodes, (order("o", ("X", 1), ("Y", 1)),), stock, SourcingPolicy()).problem()).orders[0]
    assert {one.why for one in plan.assignments} == {
        "A has all 2 lines, 11.1 km away: shipping 4.60 + distance 0.07 + handling 3.00; next best B 0.50 dearer"
    }
    runner_up = plan.runner_ups[0]
    assert (runner_up.node, runner_up.instead_of, runner_up.extra_minor) == ("B", "A", 50)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(30), deadline=None)
def test_a_runner_up_costs_what_was_said(seed: int) -> None:
    """Taking away the node that was used makes a one-line order pay exactly the extra of the first runner-up."""
    case = random_case(
        seed, orders=1, most_lines=1, most_units=1, limited=False, policy={"max_nodes": None, "unserved_minor": 10**6}
    )
    plan = solve_greedy(case.problem())
    one = plan.orders[0]
    if one.nodes and one.runner_ups and one.runner_ups[0].extra_minor is not None:
        demand = case.demands[0]
        without = type(demand)(
            order=demand.order,
            method=demand.method,
            at=demand.at,
            lines=demand.lines,
            point=demand.point,
            pickup_node=demand.pickup_node,
            excluded_nodes=demand.excluded_nodes | set(one.nodes),
        )
        second = solve_greedy(case.but(demands=(without,)).problem())
        if second.problem.complete.all():
            assert second.cost_minor - plan.cost_minor == one.runner_ups[0].extra_minor


def test_a_later_order_is_told_what_earlier_ones_left() -> None:
    nodes = network(store("A"), store("B", 41.0))
    demands = tuple(order(f"o{i}", ("X", 1)) for i in range(3))
    orders = solve_greedy(Case(nodes, demands, (("X", "A", 1), ("X", "B", 1)), SourcingPolicy()).problem()).orders
    assert "next best B" in orders[0].assignments[0].why
    assert "no other node could take this over" in orders[1].assignments[0].why
    assert orders[1].runner_ups[0].rule == "units_short"
    assert [one.code for one in orders[2].shortfalls] == ["sold_out"]


def test_a_joint_plan_weighs_what_the_whole_plan_left() -> None:
    nodes = network(store("A"), store("B", 41.0))
    demands = tuple(order(f"o{i}", ("X", 1)) for i in range(2))
    plan = solve_exact(Case(nodes, demands, (("X", "A", 1), ("X", "B", 2)), SourcingPolicy()).problem())
    served_by_a = next(one for one in plan.orders if one.nodes == ("A",))
    assert served_by_a.method == "milp"
    assert "next best B" in served_by_a.assignments[0].why
    served_by_b = next(one for one in plan.orders if one.nodes == ("B",))
    assert "no other node" in served_by_b.assignments[0].why


@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(15), deadline=None)
def test_a_runner_ups_terms_add_up_to_its_extra(seed: int) -> None:
    plan = solve_greedy(random_case(seed).problem())
    for one in plan.orders:
        for runner in one.runner_ups:
            if runner.extra_minor is None:
                assert (runner.cost_by_term, runner.extra_by_term) == (None, None)
                continue
            assert runner.cost_by_term is not None
            assert runner.extra_by_term is not None
            assert sum(runner.extra_by_term.values()) == runner.extra_minor
            served = sum(part.cost_minor for part in one.assignments if part.node == runner.instead_of)
            assert sum(runner.cost_by_term.values()) == served + runner.extra_minor


def test_a_runner_up_tells_its_terms_and_stays_plain_data() -> None:
    nodes = network(store("A", 40.1), store("B", 40.9))
    plan = solve_greedy(
        Case(nodes, (order("o", ("X", 2)),), (("X", "A", 2), ("X", "B", 2)), SourcingPolicy()).problem()
    )
    runner = plan.orders[0].runner_ups[0]
    assert runner.cost_by_term == {"shipping": 460, "distance": 45 + 2 * 6, "handling": 300}
    assert runner.extra_by_term == {"distance": 50}
    assert runner == replace(runner)
    assert replace(runner).cost_by_term is None
    assert asdict(runner) == plan.to_document()["orders"][0]["runner_ups"][0]


def test_prices_say_what_beat_a_cheaper_node() -> None:
    nodes = network(store("A", 40.1), store("B", 40.0))
    plan = solve_greedy(
        Case(nodes, (order("o", ("X", 2)),), (("X", "A", 2), ("X", "B", 2)), SourcingPolicy()).problem()
    )
    assert plan.orders[0].nodes == ("B",)
    stock, block = plan.problem.stock, plan.problem.block
    entry = {plan.problem.index.nodes[block.node[at]].node: at for at in range(block.node.size)}
    taken = plan.taken.copy()
    taken[entry["A"]], taken[entry["B"]] = 2, 0
    prices = no_prices(stock.node.size, len(plan.problem.index.nodes))
    joint = replace(plan, taken=taken, solver="wave", prices=prices)
    assert joint.orders[0].runner_ups[0].why == "B instead of A: 0.07 cheaper"
    prices.cell[block.cell[entry["B"]]] = 40 * 64
    prices.node[block.node[entry["A"]]] = 5 * 64
    priced = replace(plan, taken=taken, solver="wave", prices=prices).orders[0]
    sentence = "0.68 dearer once the price of its last units (0.80) is paid and that of A (0.05) is saved (0.07 cheaper without)"
    assert priced.runner_ups[0].why == f"B instead of A: {sentence}"
    assert priced.assignments[0].why.endswith(f"; next best B {sentence}")
    assert priced.runner_ups[0].extra_minor == -7


@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(30), deadline=None)
def test_every_shortfall_has_a_catalogued_code_and_every_unit_a_reason(seed: int) -> None:
    for one in solve_greedy(random_case(seed, most_lines=6, most_units=5).problem()).orders:
        assert all(part.why.startswith(part.node) for part in one.assignments)
        for short in one.shortfalls:
            assert short.code in REFUSAL_SENTENCES
            assert short.why.startswith(short.refusal.sentence)


def test_orders_are_a_sequence() -> None:
    orders = solve_greedy(random_case(1, orders=5).problem()).orders
    assert len(orders) == 5
    assert orders[-1].order == "O4"
    assert [one.order for one in orders[1:3]] == ["O1", "O2"]
    assert orders[2] is orders[2]
