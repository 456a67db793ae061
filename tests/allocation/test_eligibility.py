"""Each rule keeps out exactly the nodes it speaks of, and explanations name it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from omo_core.allocation import NetworkIndex, OrderPlan, SourcingPolicy, solve_greedy
from omo_core.model.network import DeliveryMethod, Node, NodeKind, OpeningHours
from tests.allocation.cases import AT, NIGHT, Case, network, order, store

ONE_HOUR, PICKUP, SHIP = DeliveryMethod.ONE_HOUR, DeliveryMethod.PICKUP, DeliveryMethod.SHIP


def decide(*nodes: Node, policy: SourcingPolicy | None = None, **fields: Any) -> OrderPlan:
    """An order for one unit that every node holds."""
    stock = tuple(("A", node.node, 5) for node in nodes)
    case = Case(network(*nodes), (order("o", ("A", 1), **fields),), stock, policy or SourcingPolicy())
    plan = solve_greedy(case.problem())
    assert plan.violations() == []
    return plan.orders[0]


def kept_out(plan: OrderPlan) -> dict[str, str | None]:
    return {one.node: one.rule for one in plan.runner_ups if one.instead_of is None}


def test_a_node_must_offer_the_method() -> None:
    plan = decide(store("NEAR", methods=(PICKUP,)), store("FAR", 44.0), method=SHIP)
    assert plan.nodes == ("FAR",)
    assert kept_out(plan) == {"NEAR": "method_not_offered"}


@pytest.mark.parametrize(("latitude", "reached"), [(40.22, True), (40.23, False)])
def test_one_hour_reaches_25_km(latitude: float, reached: bool) -> None:
    """A degree of latitude is 111.195 km: 24.46 km and 25.57 km."""
    plan = decide(store("N", latitude), method=ONE_HOUR)
    assert bool(plan.nodes) is reached
    assert reached or kept_out(plan) == {"N": "outside_one_hour_radius"}


def test_one_hour_needs_an_open_node() -> None:
    hours = (OpeningHours(weekday=0, opens_s=10 * 3600, closes_s=20 * 3600),)
    node = store("N", opening_hours=hours)
    assert decide(node, method=ONE_HOUR, at=AT).nodes == ("N",)
    assert kept_out(decide(node, method=ONE_HOUR, at=NIGHT)) == {"N": "closed"}
    assert decide(node, method=SHIP, at=NIGHT).nodes == ("N",), "a parcel can wait for the morning"
    taipei = store("N", opening_hours=hours, time_zone="Asia/Taipei")
    assert decide(taipei, method=ONE_HOUR, at=AT).nodes == ("N",), "18:00 in Taipei"
    auckland = store("N", opening_hours=hours, time_zone="Pacific/Auckland")
    assert kept_out(decide(auckland, method=ONE_HOUR, at=AT)) == {"N": "closed"}, "23:00 in Auckland"


def test_opening_hours_are_read_as_the_node_reads_them() -> None:
    hours = tuple(OpeningHours(weekday=day, opens_s=6 * 3600, closes_s=9 * 3600) for day in range(5))
    nodes = [store(zone, opening_hours=hours, time_zone=zone) for zone in ("UTC", "America/New_York", "Asia/Kolkata")]
    index = NetworkIndex.of(network(*nodes, store("always")))
    instants = [AT + timedelta(hours=7 * i, minutes=13 * i) for i in range(60)]
    expected = [[node.is_open(instant) for node in index.nodes] for instant in instants]
    assert index.open_at(instants).tolist() == expected


def test_unknown_places_are_never_near() -> None:
    nowhere = Node(node="NOWHERE", kind=NodeKind.STORE)
    assert kept_out(decide(nowhere, method=ONE_HOUR)) == {"NOWHERE": "place_unknown"}
    assert kept_out(decide(store("N"), method=ONE_HOUR, point=None)) == {"N": "place_unknown"}
    plan = decide(nowhere, store("FAR", 60.0, -120.0), method=SHIP)
    assert plan.nodes == ("FAR",), "an unknown place counts as the policy's distance or the farthest known one"
    alone = decide(nowhere, method=SHIP)
    assert alone.nodes == ("NOWHERE",)
    assert "distance unknown" in alone.assignments[0].why


def test_an_order_without_a_place_ships_as_if_far_away() -> None:
    plan = decide(store("STORE"), store("HUB", kind=NodeKind.CENTRAL_WAREHOUSE), method=SHIP, point=None)
    assert plan.nodes == ("HUB",), "equal distances: the cheaper node"
    policy = SourcingPolicy()
    assert plan.cost_by_term["distance"] == (450 + 60) * policy.unknown_distance_m // 1_000_000


def test_pickup_at_the_node_itself_and_by_ship_to_store() -> None:
    a, b = store("A"), store("B", 40.1)
    at_node = decide(a, b, method=PICKUP, pickup_node="B")
    assert at_node.nodes == ("B",)
    assert at_node.cost_by_term == {"handling": 150, "pickup": 50}
    case = Case(
        network(a, b), (order("o", ("A", 1), method=PICKUP, pickup_node="B"),), (("A", "A", 1),), SourcingPolicy()
    )
    sent = solve_greedy(case.problem()).orders[0]
    assert sent.nodes == ("A",)
    assert sent.cost_by_term["pickup"] == 300
    kept = case.but(policy=SourcingPolicy(ship_to_store=False))
    assert kept_out(solve_greedy(kept.problem()).orders[0]) == {"A": "ship_to_store_off"}


@pytest.mark.parametrize("pickup_node", [None, "elsewhere", "MUTE"])
def test_pickup_needs_a_known_node_that_hands_over(pickup_node: str | None) -> None:
    plan = decide(store("A"), store("MUTE", methods=(SHIP,)), method=PICKUP, pickup_node=pickup_node)
    assert plan.nodes == ()
    assert set(kept_out(plan).values()) == {"unknown_pickup_node"}
    assert plan.shortfalls[0].code == "no_eligible_node"
    assert "unknown_pickup_node: 2" in plan.shortfalls[0].why


def test_a_node_that_rejected_is_not_asked_again() -> None:
    plan = decide(store("A"), store("B", 41.0), excluded_nodes=frozenset({"A", "gone since"}))
    assert plan.nodes == ("B",)
    assert kept_out(plan) == {"A": "excluded"}


def test_pairs_are_counted_for_the_first_rule_against_them() -> None:
    nodes = store("A"), store("B", 45.0), store("C", methods=(PICKUP,))
    demands = (
        order("near", ("X", 1), method=ONE_HOUR),
        order("again", ("X", 1), excluded_nodes=frozenset({"C"})),
    )
    stock = ("X", "A", 1), ("X", "B", 1), ("X", "C", 1)
    problem = Case(network(*nodes), demands, stock, SourcingPolicy()).problem()
    counted = {name: count for name, count in problem.excluded_pairs.items() if count}
    assert counted == {"excluded": 1, "method_not_offered": 1, "outside_one_hour_radius": 1}


def test_a_full_node_is_named() -> None:
    nodes = store("A"), store("B", 41.0)
    case = Case(network(*nodes), (order("o", ("X", 1)),), (("X", "A", 1), ("X", "B", 1)), SourcingPolicy(), {"A": 0})
    plan = solve_greedy(case.problem()).orders[0]
    assert plan.nodes == ("B",)
    assert kept_out(plan) == {"A": "no_capacity"}
