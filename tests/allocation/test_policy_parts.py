"""Each part of the policy does what it says, is named in the explanation, and its breach is found by the verifier."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import AllocationProblem, NetworkIndex, NodeState, SourcingPolicy, solve_greedy, verify_plan
from omo_core.allocation.cells import withheld_units
from omo_core.model.errors import InvalidInput
from omo_core.model.items import Item
from omo_core.model.network import Consent, Network, Node, NodeKind
from tests.allocation.cases import AT, NIGHT, Case, network, order, random_case, store
from tests.allocation.policy_cases import DAY, KEEPERS, MORNING, ONE_HOUR, PICKUP, RULES, TERMS, Part
from tests.effort import examples


@pytest.mark.parametrize(("rule", "part"), RULES.values(), ids=RULES)
def test_a_rule_keeps_a_node_out(rule: str, part: Part) -> None:
    before = part.without().plan()
    assert before.orders[0].nodes == ("NEAR",)
    plan = part.plan()
    assert plan.orders[0].nodes == ("FAR",)
    assert [(one.node, one.rule) for one in plan.orders[0].runner_ups if one.rule] == [("NEAR", rule)]
    assert plan.problem.excluded_pairs[rule] == 1
    assert any(one.startswith("order o uses NEAR, which ") for one in part.complaints(before))


@pytest.mark.parametrize(("rule", "part"), KEEPERS.values(), ids=KEEPERS)
def test_a_rule_keeps_units_back(rule: str, part: Part) -> None:
    before = part.without().plan()
    assert before.orders[0].nodes == ("NEAR",)
    plan = part.plan()
    assert plan.orders[0].nodes == ("FAR",)
    assert [(one.node, one.rule) for one in plan.orders[0].runner_ups if one.rule] == [("NEAR", rule)]
    assert withheld_units(plan.problem.rules, plan.problem.stock)[rule] >= 5
    assert "X at NEAR: 1 of 5 units are taken, but 5 have to stay" in part.complaints(before)
    alone = replace(part, stock=(("X", "NEAR", 5),)).plan().orders[0]
    assert alone.shortfalls[0].code == "no_eligible_node"
    assert f"{rule}: 1" in alone.shortfalls[0].why


@pytest.mark.parametrize(("term", "amount", "part"), TERMS.values(), ids=TERMS)
def test_a_term_has_its_share_of_the_cost(term: str, amount: int, part: Part) -> None:
    part = replace(part, stock=(("X", "NEAR", 5),))
    plan = part.plan()
    assert plan.orders[0].cost_by_term[term] == amount
    unpriced = part.without().plan()
    assert any(one.startswith("order o: the cost by term is") for one in part.complaints(unpriced))


def test_a_term_without_weight_is_left_out() -> None:
    plan = Part({"weights": {"handling": 0}}).plan()
    assert "handling" not in plan.cost_by_term


def test_a_minimum_leaves_the_rest_to_be_sold() -> None:
    part = Part({"keep_back": [{"units": 2}]}, units=9, far={"kind": NodeKind.REGIONAL_WAREHOUSE})
    plan = part.plan().orders[0]
    assert {one.node: one.quantity for one in plan.assignments} == {"NEAR": 3, "FAR": 5}
    assert [(one.code, one.missing) for one in plan.shortfalls] == [("sold_out", 1)]


def test_last_units_are_dearer_where_few_are_left() -> None:
    stock = (("X", "NEAR", 1), ("X", "FAR", 9))
    assert Part({}, stock=stock).plan().orders[0].nodes == ("NEAR",)
    dear = Part({"last_units": {"at_or_below": 2, "unit_minor": 50}}, stock=stock)
    assert dear.plan().orders[0].nodes == ("FAR",)


def test_what_an_item_needs_does_not_keep_the_rest_of_the_order_away() -> None:
    """Only the frozen line must go elsewhere."""
    nodes = network(
        store("NEAR"), store("FAR", 44.0, abilities=("cold_chain",)), items=(Item(sku="ICE", needs=("cold_chain",)),)
    )
    stock = [(sku, node, 1) for sku in ("ICE", "MUG") for node in ("NEAR", "FAR")]
    policy = SourcingPolicy(per_extra_node_minor=0, shipment_per_1000_km_minor=0, unit_per_1000_km_minor=10_000)
    plan = solve_greedy(AllocationProblem.build(nodes, [order("o", ("ICE", 1), ("MUG", 1))], stock, policy)).orders[0]
    assert {one.sku: one.node for one in plan.assignments} == {"ICE": "FAR", "MUG": "NEAR"}


def test_a_courier_replaces_the_parcel_and_its_freight() -> None:
    part = Part(
        {"courier": {"within_m": 20_000, "shipment_minor": 90, "per_1000_km_minor": 1_000}}, stock=(("X", "FAR", 1),)
    )
    assert part.plan().orders[0].cost_by_term == {"courier": 90 + 11, "handling": 150}
    busy = replace(part, states={"FAR": NodeState(courier_free=False)})
    assert "courier" not in busy.plan().orders[0].cost_by_term


def test_a_warehouse_against_a_stores_courier() -> None:
    """The courier's price decides between the store next door and the cheaper, slower warehouse."""
    hub = {"kind": NodeKind.CENTRAL_WAREHOUSE, "point": {"latitude": 41.0, "longitude": -90.0}}
    nodes = [
        Part({"courier": {"within_m": 20_000, "shipment_minor": price}}, far=hub).plan().orders[0].nodes
        for price in (300, 600)
    ]
    assert nodes == [("NEAR",), ("FAR",)]


@pytest.mark.parametrize("hours", [MORNING, ()])
def test_a_pickup_at_a_closed_store_is_explained(hours: Any) -> None:
    missing = {} if hours else {"missing_data": {"hours": "exclude"}}
    part = Part(
        {"pickup_while_open": True, "ship_to_store": False, **missing},
        near={"opening_hours": hours},
        order={"method": PICKUP, "pickup_node": "NEAR"},
    )
    short = part.plan().orders[0].shortfalls[0]
    assert short.code == "no_eligible_node"
    assert ("pickup_closed" if hours else "hours_unknown") in short.why
    free = replace(part, document={}).plan()
    assert free.orders[0].nodes == ("NEAR",)
    assert part.complaints(free)
    assert replace(part, near={"opening_hours": DAY}).plan().orders[0].nodes == ("NEAR",)


REFUSED: dict[str, Part] = {
    "distance of order 'o' and node 'NEAR' is unknown": Part({"missing_data": {"place": "refuse"}}, near={"point": None}),
    "item 'X' has no weight": Part({"missing_data": {"weight": "refuse"}}),
    "node 'NEAR' has no opening hours": Part({"missing_data": {"hours": "refuse"}}, order={"method": ONE_HOUR}, far={"opening_hours": DAY}),
}  # fmt: skip


@pytest.mark.parametrize(("sentence", "part"), REFUSED.items(), ids=REFUSED)
def test_missing_data_may_stop_the_wave(sentence: str, part: Part) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        part.problem()


def test_an_item_without_weight_may_stay() -> None:
    part = Part({"missing_data": {"weight": "exclude"}})
    short = part.plan().orders[0].shortfalls[0]
    assert "weight_unknown: 2" in short.why
    assert part.complaints(part.without().plan())
    assert replace(part, items=(Item(sku="X", weight_g=1),)).plan().orders[0].nodes == ("NEAR",)


def test_an_order_without_a_place_is_never_guessed_near() -> None:
    part = Part({"missing_data": {"place": "exclude"}}, order={"point": None})
    short = part.plan().orders[0].shortfalls[0]
    assert (short.code, "distance_unknown: 2" in short.why) == ("no_eligible_node", True)


@pytest.mark.parametrize(
    ("zone", "cut_off_h", "days"),
    [("UTC", 11, 0), ("UTC", 9, 1), ("Asia/Taipei", 19, 0), ("Asia/Taipei", 17, 1), ("America/New_York", 6, 0)],
)
def test_cut_offs_are_read_on_the_nodes_own_clock(zone: str, cut_off_h: int, days: int) -> None:
    """Decided at 10:00 UTC, promised for 12:00: 18:00 in Taipei, 05:00 in New York."""
    part = Part(
        {"promise": {"late_day_minor": 60}},
        near={"cut_off_s": cut_off_h * 3600, "time_zone": zone},
        stock=(("X", "NEAR", 1),),
        order={"promised_by": AT + timedelta(hours=2)},
    )
    assert part.plan().orders[0].cost_by_term.get("promise", 0) == 60 * days


def test_one_hour_and_collected_orders_wait_for_no_cut_off() -> None:
    for fields in ({"method": ONE_HOUR}, {"method": PICKUP, "pickup_node": "NEAR"}):
        part = Part(
            {"promise": {"late_day_minor": 60, "one_hour_s": 7_200}},
            near={"cut_off_s": 0},
            order={"promised_by": AT + timedelta(hours=1), **fields},
        )
        expected = 60 if fields["method"] is ONE_HOUR else 0
        assert part.plan().orders[0].cost_by_term.get("promise", 0) == expected


def test_bad_states_and_promises_are_refused() -> None:
    nodes = Part({}).network
    with pytest.raises(InvalidInput, match="names node 'Q'"):
        NetworkIndex.of(nodes, {"Q": NodeState()})
    for state in (NodeState(load_permille=-1), NodeState(load_permille=10_001), NodeState(reject_permille=1_001)):
        with pytest.raises(InvalidInput, match="the state of node 'NEAR'"):
            NetworkIndex.of(nodes, {"NEAR": state})
    with pytest.raises(InvalidInput, match="promised_by"):
        Part({}, order={"promised_by": datetime(2026, 1, 1)}).problem()  # noqa: DTZ001


def test_orders_that_came_as_columns_cannot_be_asked_everything() -> None:
    problem = Part({}).problem()
    bare = replace(problem.columns, traits=None)
    policy = SourcingPolicy.load({"owner_consent": True})
    with pytest.raises(InvalidInput, match="build the problem from OrderDemands"):
        AllocationProblem.from_columns(problem.index, bare, problem.stock, policy)


def test_no_stock_no_capacity_and_nowhere_to_go_are_shortfalls() -> None:
    empty = Part({}, stock=()).plan().orders[0]
    assert [one.code for one in empty.shortfalls] == ["no_stock"]
    night = Part({}, near={"opening_hours": DAY}, far={"opening_hours": DAY}, order={"method": ONE_HOUR, "at": NIGHT})
    assert "closed: 2" in night.plan().orders[0].shortfalls[0].why
    unreachable = Part({}, near={"ships_to": ("JP",)}, far={"ships_to": ("JP",)}, order={"country": "TW"})
    assert "outside_its_region: 2" in unreachable.plan().orders[0].shortfalls[0].why


def test_a_node_must_be_possible() -> None:
    for wrong in (
        {"priority": 10**7},
        {"country": "Taiwan"},
        {"ships_to": ("taipei",)},
        {"cut_off_s": 86_400},
        {"reject_permille": -1},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Node(node="N", kind=NodeKind.STORE, **wrong)


BUSY_POLICY: dict[str, Any] = {
    "limits": [
        {
            "name": "no_web_dealers",
            "effect": "never",
            "orders": {"channels": ["web"]},
            "nodes": {"kinds": ["dealer_store"]},
        },
        {"name": "at_home", "effect": "only", "orders": {"places": ["TW"]}, "nodes": {"places": ["TW", "JP/Tokyo"]}},
    ],
    "item_limits": [{"name": "not_here", "skus": ["K1", "K2"], "effect": "never", "nodes": {"classes": ["outlet"]}}],
    "distance_limits": [{"name": "near_stores", "within_m": 900_000, "nodes": {"kinds": ["store"]}}],
    "surcharges": [{"name": "outlets", "unit_minor": 3, "shipment_minor": 20, "nodes": {"classes": ["outlet"]}}],
    "distance_bands": [
        {"up_to_m": 100_000},
        {"up_to_m": 900_000, "shipment_minor": 40},
        {"up_to_m": None, "unit_minor": 9},
    ],
    "services": {
        "express": {"within_m": 800_000, "shipment_minor": 70},
        "white_glove": {"nodes": {"classes": ["flagship"]}},
    },
    "priority_step_minor": 1,
    "owner_consent": True,
    "pickup_while_open": True,
    "keep_back": [{"units": 1, "nodes": {"kinds": ["store"]}}],
    "last_units": {"at_or_below": 2, "unit_minor": 11, "nodes": {}},
    "balance_load": {"full_load_minor": 333, "above_permille": 250},
    "reliability": {"resourcing_minor": 777, "unknown_permille": 31},
    "promise": {"late_day_minor": 35},
    "courier": {"within_m": 9_000, "shipment_minor": 90, "per_1000_km_minor": 5_000},
    "missing_data": {"weight_g": 750},
    "weights": {"lateness": 500, "courier": 1_333, "load": 2_001},
    "kg_per_1000_km_minor": 40,
}


def busy_world(seed: int) -> tuple[Case, dict[str, NodeState]]:
    """A random world whose nodes, items and orders say everything that the policy may ask."""
    dice = random.Random(seed)
    case = random_case(seed, policy=BUSY_POLICY, orders=10, stock_units=4)
    places = [("TW", "Taipei"), ("TW", None), ("JP", "Tokyo"), ("JP", "Osaka"), (None, None)]
    nodes = []
    for node in case.network.nodes:
        country, region = dice.choice(places)
        fields = {
            "country": country,
            "region": region,
            "node_class": dice.choice([None, "outlet", "flagship"]),
            "ships_to": dice.choice([None, None, ("TW",), ("JP/Tokyo", "TW/Taipei")]),
            "abilities": dice.choice([None, ("cold_chain",), ("cold_chain", "hazard")]),
            "consent": dice.choice([None, Consent(), Consent(channels=("app",)), Consent()]),
            "lead_time_s": dice.choice([None, 3_600, 100_000]),
            "cut_off_s": dice.choice([None, 0, 15 * 3600]),
            "reject_permille": dice.choice([None, 15, 500]),
            "time_zone": dice.choice(["UTC", "Asia/Taipei", "America/St_Johns"]),
        }
        nodes.append(node.model_copy(update=fields))
    items = [
        item.model_copy(update={"needs": dice.choice([None, ("cold_chain",), ("hazard",)])})
        for item in case.network.items
    ]
    demands = []
    for demand in case.demands:
        country, region = dice.choice(places)
        said: dict[str, Any] = {
            "channel": dice.choice([None, "web", "app"]),
            "service": dice.choice([None, "express", "white_glove", "whatever"]),
            "promised_by": dice.choice([None, AT, AT + timedelta(days=1, seconds=7)]),
        }
        demands.append(replace(demand, country=country, region=region, **said))
    states = {
        node.node: NodeState(dice.randrange(0, 1_500), dice.random() < 0.7, dice.choice([None, 0, 300]))
        for node in dice.sample(nodes, len(nodes) // 2)
    }
    world = Network(currency="USD", nodes=tuple(nodes), items=tuple(items))
    return case.but(network=world, demands=tuple(demands)), states


@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(40), deadline=None)
def test_all_parts_together_are_what_the_verifier_says(seed: int) -> None:
    """Solver and verifier agree to the minor unit, though they share no code."""
    case, states = busy_world(seed)
    index = NetworkIndex.of(case.network, states)
    plan = solve_greedy(AllocationProblem.build(index, case.demands, case.stock, case.policy, case.capacity))
    assert plan.violations() == []
    document = plan.to_document()
    judged = verify_plan(case.network, case.demands, case.stock, case.policy, document, case.capacity, states=states)
    assert judged == []


def test_the_worlds_of_all_parts_really_serve_and_exclude() -> None:
    served, counted, terms = 0, Counter[str](), Counter[str]()
    for seed in range(25):
        case, states = busy_world(seed)
        index = NetworkIndex.of(case.network, states)
        plan = solve_greedy(AllocationProblem.build(index, case.demands, case.stock, case.policy, case.capacity))
        served += sum(bool(one.nodes) for one in plan.orders)
        counted.update(plan.problem.excluded_pairs)
        counted.update(withheld_units(plan.problem.rules, plan.problem.stock))
        terms.update(plan.cost_by_term)
    assert served > 25
    assert {name for name, count in counted.items() if not count} == set()
    assert {name for name, amount in terms.items() if not amount} == set()
