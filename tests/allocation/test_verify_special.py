"""The verifier knows parcels by weight, orders and lines that stay together, and capacity in lines or units."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import AllocationProblem, NodeWork, OrderDemand, SourcingPolicy, solve_greedy, verify_plan
from omo_core.model.items import Item
from tests.allocation.cases import Case, network, order, store
from tests.allocation.test_special_orders import problem_of, special
from tests.effort import examples

TARIFF = {"bands": [{"up_to_g": 500, "price_minor": 100}, {"up_to_g": 2_000, "price_minor": 250}]}


@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(30), deadline=None)
def test_sound_plans_of_special_orders_pass(seed: int) -> None:
    case, work = special(seed)
    plan = solve_greedy(problem_of(case, work))
    assert plan.violations() == []
    document = plan.to_document()
    found = verify_plan(case.network, case.demands, case.stock, case.policy, document, case.capacity, work=work)
    assert found == []


def together(*lines: tuple[str, int], **fields: Any) -> OrderDemand:
    asked = order("o", *lines, **fields)
    return replace(asked, lines=tuple(replace(line, together="kit") for line in asked.lines))


TWO = (("X", "A", 2), ("Y", "B", 2), ("Y", "A", 1))
FAULTS: dict[str, tuple[OrderDemand, OrderDemand, str]] = {
    "all or nothing": (
        order("o", ("X", 3)),
        order("o", ("X", 3), ship_complete=True),
        "order o is served in part, but is to be served in full or not at all",
    ),
    "apart": (
        order("o", ("X", 2), ("Y", 2)),
        together(("X", 2), ("Y", 2)),
        "order o has lines that must come from one node together and do not",
    ),
    "short": (
        order("o", ("X", 3)),
        together(("X", 3)),
        "order o has lines that must come from one node together and do not",
    ),
}


@pytest.mark.parametrize(("free", "bound", "complaint"), FAULTS.values(), ids=FAULTS)
def test_goods_that_should_stay_together_are_noticed(free: OrderDemand, bound: OrderDemand, complaint: str) -> None:
    nodes, policy = network(store("A"), store("B")), SourcingPolicy()
    plan = solve_greedy(AllocationProblem.build(nodes, [free], TWO, policy)).to_document()
    assert verify_plan(nodes, [free], TWO, policy, plan) == []
    assert verify_plan(nodes, [bound], TWO, policy, plan) == [complaint]


@pytest.mark.parametrize(("units", "price"), [(1, 100), (2, 250), (5, 250), (6, 350), (12, 750)])
def test_a_parcels_price_is_worked_out_again(units: int, price: int) -> None:
    """Of 400 g a unit: 400, 800, 2,000, 2,400 and 4,800 g."""
    policy = SourcingPolicy.load({"parcel_tariffs": [TARIFF]})
    case = Case(
        network(store("A"), items=(Item(sku="X", weight_g=400),)),
        (order("o", ("X", units)),),
        (("X", "A", 99),),
        policy,
    )
    plan = solve_greedy(case.problem())
    assert plan.cost_by_term["parcel"] == price
    document = json.loads(json.dumps(plan.to_document()))
    assert verify_plan(case.network, case.demands, case.stock, policy, document) == []
    document["orders"][0]["cost_by_term"]["parcel"] -= 1
    assert verify_plan(case.network, case.demands, case.stock, policy, document)[0].startswith("order o: the cost by")


def test_an_unknown_weight_makes_no_light_parcel_and_a_courier_takes_none() -> None:
    parts: dict[str, Any] = {"parcel_tariffs": [TARIFF], "missing_data": {"weight_g": 1_500}}
    for courier, price in ((None, 250), ({"within_m": 10, "shipment_minor": 1}, 0)):
        policy = SourcingPolicy.load({**parts, "courier": courier})
        case = Case(network(store("A")), (order("o", ("X", 1)),), (("X", "A", 1),), policy)
        plan = solve_greedy(case.problem())
        assert plan.violations() == []
        assert plan.cost_by_term["parcel"] == price
        assert verify_plan(case.network, case.demands, case.stock, policy, plan.to_document()) == []


@pytest.mark.parametrize(("work", "pieces"), [(NodeWork(0, 1, 0), 2), (NodeWork(0, 0, 1), 3), (NodeWork(5, 2, 1), 12)])
def test_work_beyond_a_nodes_capacity_is_noticed(work: NodeWork, pieces: int) -> None:
    nodes, policy, stock = network(store("A")), SourcingPolicy(), (("X", "A", 2), ("Y", "A", 1))
    asked = [order("o", ("X", 2), ("Y", 1))]
    plan = solve_greedy(AllocationProblem.build(nodes, asked, stock, policy)).to_document()
    assert verify_plan(nodes, asked, stock, policy, plan, {"A": pieces}, work={"A": work}) == []
    found = verify_plan(nodes, asked, stock, policy, plan, {"A": pieces - 1}, work={"A": work})
    assert found == [f"A serves {pieces} pieces of work but can take {pieces - 1}"]
