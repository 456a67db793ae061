"""Building a problem: bad input gets one typed error with advice, and good input loses nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from omo_core.allocation import (
    AllocationProblem,
    DemandLine,
    NetworkIndex,
    OrderDemand,
    SourcingPolicy,
    greedy,
    solve_greedy,
)
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod, NodeKind
from tests.allocation.cases import AT, network, order, random_case, store

NODES = network(store("A"), store("B", 41.0))
GOOD = (order("o", ("X", 1)),)


def build(demands: Any = GOOD, stock: Any = (), capacity: Any = None, policy: Any = None) -> AllocationProblem:
    return AllocationProblem.build(NODES, demands, stock, policy or SourcingPolicy(), capacity)


def line(quantity: Any, number: str = "1") -> OrderDemand:
    return OrderDemand("o", DeliveryMethod.SHIP, AT, (DemandLine(number, "X", quantity),))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"stock": [("X", "A", -1)]}, "stock of 'X' at 'A' is -1; give whole units"),
    ({"stock": [("X", "A", 1.0)]}, "stock of 'X' at 'A' is 1.0; give whole units"),
    ({"stock": [("X", "A", True)]}, "stock of 'X' at 'A' is True"),
    ({"stock": [("X", "A", 10**9 + 1)]}, "give whole units from 0 to 1000000000"),
    ({"stock": [("X", "A", 1), ("X", "A", 1)]}, "listed twice; list each"),
    ({"stock": [("X", "Q", 1)]}, "names node 'Q', which the network does not have"),
    ({"capacity": {"Q": 1}}, "the capacity names node 'Q'"),
    ({"capacity": {"A": -1}}, "the capacity of node 'A' is -1; give the orders it can still take"),
    ({"demands": [line(0)]}, "quantity must be 1 to"),
    ({"demands": [line(-3)]}, "quantity must be 1 to"),
    ({"demands": [line(1.5)]}, "quantity must be a whole number"),
    ({"demands": [line(True)]}, "quantity must be a whole number"),
    ({"demands": [line(10**9 + 1)]}, "quantity must be 1 to"),
    ({"demands": [OrderDemand("o", DeliveryMethod.SHIP, AT, ())]}, "has no lines; leave it out"),
    ({"demands": [order("o", *[("X", 1)] * 10_001)]}, "over 10000 lines; send it in parts"),
    ({"demands": [order("o", ("X", 10**9), ("X", 1))]}, "wants over 1000000000 units of 'X'"),
    ({"demands": [*GOOD, *GOOD]}, "order 'o' is listed twice"),
    ({"demands": [order("o", ("X", 1), at=datetime(2026, 1, 1))]}, "give it a time zone"),  # noqa: DTZ001
    ({"demands": [order("o", ("X", 1), method="ship")]}, "is no DeliveryMethod"),  # type: ignore[arg-type]
    ({"policy": SourcingPolicy(unserved_minor=10**9), "demands": [line(10**9)]}, "could leave 64 bits"),
    (
        {"demands": [OrderDemand("o", DeliveryMethod.SHIP, AT, (DemandLine("1", "X", 1), DemandLine("1", "Y", 1)))]},
        "names line '1' twice",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), BAD, ids=range(len(BAD)))
def test_bad_input_is_refused_with_advice(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        build(**changes)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"max_nodes": 0}, "max_nodes"),
        ({"unserved_minor": -1}, "unserved_minor"),
        ({"unserved_minor": 1.5}, "unserved_minor"),
        ({"candidats": 4}, "candidats"),
        ({"version": 2}, "version"),
        ({"kinds": {"store": {"shipment_minor": "4.60", "unit_minor": 1}}}, "kinds.store.shipment_minor"),
    ],
)
def test_a_bad_policy_names_its_field(document: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"field '{field}'"):
        SourcingPolicy.load(document)


def test_a_policy_keeps_its_digest_through_json() -> None:
    policy = SourcingPolicy.load({"max_nodes": 2, "kinds": {"store": {"shipment_minor": 1, "unit_minor": 2}}})
    again = SourcingPolicy.load(policy.model_dump(mode="json"))
    assert again == policy
    assert again.digest() == policy.digest() != SourcingPolicy().digest()
    assert policy.of_kind(NodeKind.CENTRAL_WAREHOUSE) == policy.of_kind(NodeKind.STORE)
    assert SourcingPolicy.load(None) == SourcingPolicy()


def test_an_unknown_sku_is_simply_no_stock() -> None:
    plan = solve_greedy(build(stock=[("Y", "A", 5)]))
    assert [(one.code, one.missing) for one in plan.orders[0].shortfalls] == [("no_stock", 1)]


def test_lines_of_one_sku_share_its_stock() -> None:
    demand = order("o", ("X", 2), ("Y", 1), ("X", 2))
    plan = solve_greedy(build([demand], [("X", "A", 3), ("Y", "A", 1)])).orders[0]
    assert [(one.line, one.quantity) for one in plan.assignments] == [("1", 2), ("3", 1), ("2", 1)]
    assert [(one.line, one.missing, one.wanted) for one in plan.shortfalls] == [("3", 1, 2)]
    assert plan.shortfalls[0].refusal.code == "sold_out"
    assert plan.shortfalls[0].refusal.parameters == {"sku": "X", "missing": 1, "wanted": 2}


def test_a_prepared_network_gives_the_same_problem() -> None:
    case = random_case(3)
    index = NetworkIndex.of(case.network)
    again = AllocationProblem.build(index, case.demands, case.stock, case.policy, case.capacity)
    assert solve_greedy(again).to_document() == solve_greedy(case.problem()).to_document()


def test_every_line_reaches_its_holders_however_few_candidates() -> None:
    """Forty nodes near the buyer hold the first SKU; the only holder of the second is far."""
    nodes = network(*(store(f"N{i:02}", 40 + i / 100) for i in range(40)), store("FAR", 55.0, -120.0))
    stock = [*(("X", f"N{i:02}", 1) for i in range(40)), ("Y", "FAR", 1)]
    policy = SourcingPolicy(candidates=1)
    problem = AllocationProblem.build(nodes, [order("o", ("X", 1), ("Y", 1))], stock, policy)
    assert problem.block.node.size == 3, "two holders for the line that has many, and the only one of the other"
    assert not problem.complete.all()
    assert solve_greedy(problem).orders[0].shortfalls == ()


@pytest.mark.parametrize("few", [64, 0])
def test_an_order_left_short_sees_all_nodes(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each order sees two holders; the last ones find them empty and must look farther, told where or not."""
    monkeypatch.setattr(greedy, "FEW", few)
    nodes = network(*(store(f"N{i}", 40 + i / 10) for i in range(6)))
    demands = [order(f"o{i}", ("X", 1)) for i in range(6)]
    problem = AllocationProblem.build(
        nodes, demands, [("X", f"N{i}", 1) for i in range(6)], SourcingPolicy(candidates=1)
    )
    assert np.diff(problem.block.candidate_ptr).tolist() == [2] * 6
    plan = solve_greedy(problem)
    assert [one.nodes for one in plan.orders] == [(f"N{i}",) for i in range(6)]


def test_runs_of_orders_are_built_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    from omo_core.allocation import chunks

    case = random_case(11, orders=20)
    whole = solve_greedy(case.problem()).to_document()
    monkeypatch.setattr(chunks, "CHUNK_PAIRS", 24)
    assert len(case.problem().parts) > 5
    assert solve_greedy(case.problem()).to_document() == whole
