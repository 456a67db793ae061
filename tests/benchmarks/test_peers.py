"""The baselines: each does what its kind does, on a wave worked out by hand and against an obvious twin."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import pytest

from benchmarks import peers, peers_exact
from benchmarks.families import part_of
from benchmarks.instance_check import account, metres_between
from benchmarks.instance_files import check_plan, wave_of
from benchmarks.instance_wave import NOWHERE, Assigned, Place, Prices, Wave, WaveNode, WaveOrder
from benchmarks.instances import draw
from benchmarks.peers import PeerPlan
from omo_core.allocation import solve_exact, solve_greedy


def on_equator(degrees: float) -> Place:
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), 0.0


def small(orders: list[WaveOrder], stock: dict[str, dict[int, int]], capacity: int | None = None) -> Wave:
    """Nodes at 1, 2, 3 and 4 degrees; the last is a warehouse. Buyers are at 0 degrees."""
    nodes = [
        WaveNode(name, "central_warehouse" if name == "W" else "store", 0.0, away, on_equator(away), 400, 50, capacity)
        for name, away in (("A", 1.0), ("B", 2.0), ("C", 3.0), ("W", 4.0))
    ]
    return Wave("small", Prices(), nodes, orders, {"x": {}, "y": {}, "z": {}} | stock)


def order(name: str, *lines: tuple[str, int], service: str = "ship", pickup: int = NOWHERE) -> WaveOrder:
    return WaveOrder(name, service, pickup, on_equator(0.0), list(lines))


def decided(rule: peers.Rule, wave: Wave) -> list[Assigned]:
    return peers.decide("rule", wave, rule).solution.assigned


def test_nearest_node_looks_for_one_node_with_all_first() -> None:
    wave = small([order("o", ("x", 1), ("y", 1))], {"x": {0: 1, 2: 1}, "y": {1: 1, 2: 1}})
    assert decided(peers.nearest_node, wave) == [("o", 1, "C", 1), ("o", 2, "C", 1)]


def test_nearest_node_takes_each_line_from_the_nearest_else_and_leaves_what_nobody_has() -> None:
    wave = small([order("o", ("x", 1), ("y", 2), ("z", 1))], {"x": {0: 1, 2: 1}, "y": {0: 1, 1: 2, 2: 2}})
    assert decided(peers.nearest_node, wave) == [("o", 1, "A", 1), ("o", 2, "B", 2)]


def test_nearest_node_decides_the_drawn_wave_as_ever() -> None:
    """The figure by which others are compared; it moves only with the instances or the rule."""
    assert peers.decide("nearest", wave_of(draw(2_000, 60, 500, seed=1)), peers.nearest_node).cost_minor == 2_772_543


@pytest.mark.parametrize(("tightness", "seed"), [(1.15, 1), (0.5, 2)])
def test_nearest_holder_decides_as_nearest_node(tightness: float, seed: int) -> None:
    wave = wave_of(draw(500, 40, 50, seed=seed, tightness=tightness))
    plans = [
        peers.decide("nearest", wave, rule).solution.assigned for rule in (peers.nearest_node, peers.nearest_holder)
    ]
    assert plans[0] == plans[1]


def test_nearest_node_collects_where_the_buyer_asked() -> None:
    wave = small([order("o", ("x", 1), service="pickup", pickup=2)], {"x": {0: 1, 2: 1}})
    assert decided(peers.nearest_node, wave) == [("o", 1, "C", 1)]


@pytest.mark.parametrize("rule", peers_exact.RULES.values())
def test_every_rule_passes_over_full_nodes(rule: peers.Rule) -> None:
    orders = [order(f"o{i}", ("x", 1)) for i in range(5)]
    wave = small(orders, {"x": {0: 5, 1: 5, 3: 5}}, capacity=1)
    assert sorted(one.node for one in peers.decide("rule", wave, rule).solution.assigned) == ["A", "B", "W"]


def test_priority_list_asks_the_warehouse_first() -> None:
    orders = [order("o", ("x", 1)), order("p", ("x", 1)), order("q", ("x", 1), service="pickup", pickup=1)]
    wave = small(orders, {"x": {0: 1, 1: 1, 3: 1}})
    assert decided(peers.priority_list, wave) == [("o", 1, "W", 1), ("p", 1, "A", 1), ("q", 1, "B", 1)]


def test_priority_list_splits_down_the_list() -> None:
    wave = small([order("o", ("x", 1), ("y", 1))], {"x": {0: 1, 3: 1}, "y": {1: 1, 2: 1}})
    assert decided(peers.priority_list, wave) == [("o", 1, "W", 1), ("o", 2, "B", 1)]


def test_sorted_sources_split_by_quantity_and_never_look_for_one_node() -> None:
    wave = small([order("o", ("x", 3), ("y", 1))], {"x": {0: 1, 1: 1, 2: 9}, "y": {2: 1, 3: 1}})
    assert decided(peers.sorted_sources, wave) == [
        ("o", 1, "A", 1),
        ("o", 1, "B", 1),
        ("o", 1, "C", 1),
        ("o", 2, "C", 1),
    ]


def test_rules_run_in_sequence() -> None:
    wave = small(
        [
            order("parcel", ("x", 1)),
            order("hour", ("x", 1), service="one_hour"),
            order("late", ("y", 1), service="one_hour"),
            order("split", ("y", 1), ("z", 1)),
        ],
        {"x": {0: 1, 3: 1}, "y": {3: 1, 2: 1}, "z": {1: 1}},
    )
    assert decided(peers.rules_in_sequence, wave) == [
        ("parcel", 1, "W", 1),
        ("hour", 1, "A", 1),
        ("late", 1, "C", 1),
        ("split", 1, "W", 1),
        ("split", 2, "B", 1),
    ]


def test_fewest_nodes_prefers_two_far_ones_to_three_near_ones() -> None:
    wave = small([order("o", ("x", 1), ("y", 1), ("z", 1))], {"x": {0: 1, 3: 1}, "y": {1: 1, 3: 1}, "z": {2: 1}})
    assert sorted(decided(peers_exact.fewest_nodes, wave)) == [("o", 1, "W", 1), ("o", 2, "W", 1), ("o", 3, "C", 1)]


@pytest.mark.parametrize("longest", [0, 8])
def test_fewest_nodes_are_the_fewest_there_are(monkeypatch: pytest.MonkeyPatch, longest: int) -> None:
    """Against trying every set of nodes; the greedy cover may need more, but serves as many lines."""
    monkeypatch.setattr(peers_exact, "EXACT_COVER_LINES", longest)
    drawn = wave_of(draw(80, 20, 15, seed=2, tightness=0.7))
    wave = replace(drawn, nodes=[replace(node, capacity=None) for node in drawn.nodes])
    stock = {sku: dict(cells) for sku, cells in wave.stock.items()}
    by_order: dict[str, list[Assigned]] = {}
    for one in peers.decide("fewest", wave, peers_exact.fewest_nodes).solution.assigned:
        by_order.setdefault(one.order, []).append(one)
    position = {node.node: at for at, node in enumerate(wave.nodes)}
    for each in wave.orders:
        served = by_order.get(each.order, [])
        has = [{at for at, units in stock[sku].items() if units >= quantity} for sku, quantity in each.lines]
        reachable = [nodes for nodes in has if nodes]
        assert len(served) == len(reachable)
        used = {position[one.node] for one in served}
        if longest and reachable:
            every = set.union(*reachable)
            fewest = next(
                size
                for size in range(1, len(reachable) + 1)
                if any(all(nodes & set(some) for nodes in reachable) for some in combinations(sorted(every), size))
            )
            assert len(used) == fewest
        for one in served:
            stock[each.lines[one.line - 1][0]][position[one.node]] -= one.quantity


def test_among_equally_few_nodes_the_nearest_serve() -> None:
    wave = small([order("o", ("x", 1), ("y", 1))], {"x": {1: 1, 0: 1}, "y": {2: 1, 3: 1}})
    assert sorted(decided(peers_exact.fewest_nodes, wave)) == [("o", 1, "A", 1), ("o", 2, "C", 1)]


@pytest.fixture(scope="module")
def tight() -> tuple[Wave, dict[str, PeerPlan]]:
    wave = wave_of(draw(400, 30, 60, seed=8))
    return wave, peers_exact.run_rules(wave)


@pytest.mark.slow
def test_every_rule_leaves_a_sound_plan_of_every_order(tight: tuple[Wave, dict[str, PeerPlan]]) -> None:
    wave, plans = tight
    wanted = sum(quantity for each in wave.orders for _, quantity in each.lines)
    for name, plan in plans.items():
        assert plan.checked.found == []
        assert (plan.name, plan.orders) == (name, 400)
        assert sum(one.quantity for one in plan.solution.assigned) + plan.checked.unserved_units == wanted
        assert plan.cost_minor == account(wave, plan.solution.assigned).cost_minor == plan.solution.cost_minor


@pytest.mark.slow
def test_rules_do_not_touch_the_wave(tight: tuple[Wave, dict[str, PeerPlan]]) -> None:
    wave, plans = tight
    assert wave == wave_of(draw(400, 30, 60, seed=8))
    assert {name: plan.cost_minor for name, plan in peers_exact.run_rules(wave).items()} == {
        name: plan.cost_minor for name, plan in plans.items()
    }


def test_the_one_order_program_is_exact_for_the_order() -> None:
    """Against all the stock, an order's program costs what the whole wave's program costs for that order alone."""
    instance = draw(60, 20, 12, seed=9)
    for at in range(8):
        alone = part_of(instance, at, at + 1, "alone")
        assert peers_exact.run_one_order_mip(wave_of(alone), 1).cost_minor == solve_exact(alone.problem()).cost_minor


def test_the_one_order_program_splits_pays_for_it_and_leaves_what_is_too_dear() -> None:
    wave = small([order("o", ("x", 3), ("y", 1))], {"x": {0: 1, 1: 2}, "y": {3: 1}})
    prices = Prices(per_extra_node_minor=10, unserved_minor=1_000)
    [plan, dear] = [
        peers_exact.run_one_order_mip(replace(wave, prices=one), 1)
        for one in (prices, replace(prices, per_extra_node_minor=2_000))
    ]
    assert [(one.line, one.node, one.quantity) for one in plan.solution.assigned] == [
        (1, "A", 1),
        (1, "B", 2),
        (2, "W", 1),
    ]
    assert plan.checked.cost_by_term["split"] == 20
    assert [(one.line, one.node, one.quantity) for one in dear.solution.assigned] == [(1, "B", 2)]


def test_the_one_order_program_decides_a_sample_on_live_stock() -> None:
    wave = wave_of(draw(60, 20, 12, seed=9))
    sample = peers_exact.run_one_order_mip(wave, 15)
    near = peers.decide("near", peers_exact.first_orders(wave, 15), peers.nearest_node)
    assert (sample.orders, sample.checked.found) == (15, [])
    assert sample.cost_minor <= near.cost_minor


def test_first_come_first_served_sees_every_node() -> None:
    instance = draw(300, 30, 40, seed=10)
    plan = peers_exact.first_come_first_served(instance)
    assert plan.problem.complete.all()
    assert check_plan(instance, plan).found == []
    assert plan.cost_minor == solve_greedy(instance.problem(30)).cost_minor


def test_nearest_first_is_by_distance() -> None:
    wave = wave_of(draw(20, 20, 10, seed=3))
    shelves = peers.Shelves(wave)
    for each in wave.orders:
        nodes = shelves.nearest_first(each)
        assert sorted(nodes) == list(range(20))
        if each.pickup != NOWHERE:
            assert nodes[0] == each.pickup
            nodes.remove(each.pickup)
        metres = [metres_between(each.place, wave.nodes[at].place) for at in nodes]
        assert metres == sorted(metres)
