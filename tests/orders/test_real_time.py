"""Deliveries that do not wait: the router decides them on live stock, at the prices that the last wave left."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from omo_core.allocation import NetworkIndex, OrderDemand, SourcingPolicy, solve_exact, solve_greedy
from omo_core.allocation.solving import solve_jointly
from omo_core.allocation.verify import verify_plan
from omo_core.hub import OrderHub
from omo_core.model.fulfilment import PlacedOrder
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery
from omo_core.model.values import GeoPoint
from omo_core.orders.deciding import Decided, decide
from omo_core.orders.left_prices import NO_PRICES, LeftPrices
from omo_core.orders.waves import last_prices, runs_of_waves
from omo_core.storage import tables
from omo_core.storage.clock import ManualClock
from tests.allocation.cases import Case, random_case
from tests.orders.conftest import CLOSE, FAR, NEAR, NETWORK, order, stock

WAVE = {"method": "wave", "work": "brief"}
ROUTED = {"solver": {**WAVE, "route": ["one_hour"]}}
QUICK = Delivery(method=DeliveryMethod.ONE_HOUR, address=Address(point=GeoPoint(latitude=25.031, longitude=121.561)))


def under(hub: OrderHub, policy: Mapping[str, Any]) -> OrderHub:
    hub.network.load(NETWORK.model_copy(update={"policy": policy}))
    return hub


@pytest.fixture
def routing(hub: OrderHub) -> OrderHub:
    return under(hub, ROUTED)


def nodes(placed: PlacedOrder) -> list[str]:
    return sorted(one.node for one in placed.fulfilment_orders)


def documents(hub: OrderHub, placed: PlacedOrder) -> list[dict[str, Any]]:
    """What was decided about an order, attempt after attempt."""
    own = tables.decision.c
    query = select(own.document).where(own.order_id == placed.order).order_by(own.attempt)
    found = hub.run(lambda tx: list(tx.connection.execute(query).scalars()))
    return [one for text in found for one in json.loads(text)["deliveries"]]


def expect_the_same_again(hub: OrderHub, placed: PlacedOrder, attempt: int | None = None) -> None:
    assert placed.order is not None
    again = hub.sourcing.replay(placed.order, attempt)
    assert (again.differences, again.exact) == ((), True)


def leave_a_price_at_near(hub: OrderHub) -> None:
    """Three orders want the one unit at the nearer shop; then both shops have units again."""
    stock(hub, {("A", NEAR): 1, ("A", FAR): 9})
    hub.orders.place_many([order(str(number), {"A": 1}) for number in range(3)])
    stock(hub, {("A", NEAR): 5, ("A", CLOSE): 5}, key="more")


def test_what_does_not_wait_is_decided_before_the_wave(routing: OrderHub) -> None:
    stock(routing, {("A", NEAR): 1, ("A", FAR): 5})
    first, quick, other = routing.orders.place_many(
        [order("1", {"A": 1}), order("2", {"A": 1}, delivery=QUICK), order("3", {"A": 1})]
    )
    assert [nodes(one) for one in (first, quick, other)] == [[FAR], [NEAR], [FAR]]
    assert quick.fulfilment_orders[0].method is DeliveryMethod.ONE_HOUR
    assert [one["router"]["prices_of"] for one in documents(routing, quick)] == [""]
    assert not any("router" in one for placed in (first, other) for one in documents(routing, placed))
    runs = routing.run(runs_of_waves)
    assert [(run.solver, run.deliveries, run.in_real_time) for run in runs] == [
        ("router", 1, True),
        ("wave", 2, False),
    ]
    for one in (first, quick, other):
        expect_the_same_again(routing, one)
    assert routing.audit().clean


def test_the_prices_of_the_last_wave_are_paid_and_told(routing: OrderHub) -> None:
    leave_a_price_at_near(routing)
    left = routing.run(last_prices)
    assert left.cells["A", NEAR] > 0
    placed = routing.orders.place(order("quick", {"A": 1}, delivery=QUICK))
    assert nodes(placed) == [CLOSE], "a little farther, where nobody else has to go"
    assert documents(routing, placed)[0]["router"] == {"prices_of": left.wave, "prices_sha256": left.sha256}
    assert "once the price of its last units" in placed.fulfilment_orders[0].why
    expect_the_same_again(routing, placed)
    assert placed.order is not None
    assert [one.name for one in routing.sourcing.replay(placed.order).inputs][-1] == "prices"
    assert routing.run(last_prices) == left, "an order alone re-prices nothing"


def expect_prices_to_outlive_a_restart(url: str, clock: ManualClock) -> None:
    with OrderHub.open(url, clock=clock) as before:
        leave_a_price_at_near(under(before, ROUTED))
    with OrderHub.open(url, clock=clock) as after:
        assert nodes(after.orders.place(order("quick", {"A": 1}, delivery=QUICK))) == [CLOSE]
        after.orders.place_many([order(name, {"A": 1}) for name in ("x", "y")])
        assert not after.run(last_prices).cells
        later = after.orders.place(order("later", {"A": 1}, delivery=QUICK))
        assert nodes(later) == [NEAR], "there was enough for that wave"
        expect_the_same_again(after, later)


def test_a_restart_finds_the_prices_and_the_next_wave_replaces_them(tmp_path: Path, clock: ManualClock) -> None:
    expect_prices_to_outlive_a_restart(f"sqlite:///{tmp_path / 'shop.db'}", clock)


@pytest.mark.postgres
def test_so_it_does_on_postgresql(postgres_url: str, clock: ManualClock) -> None:
    expect_prices_to_outlive_a_restart(postgres_url, clock)


class Cut(Exception):
    """The process dies here."""


def a_wave_that_dies(hub: OrderHub) -> None:
    with hub.transaction() as tx:
        hub.orders.place_many([order(str(number), {"A": 1}) for number in range(3)], tx=tx)
        hub.stock.receive(node=NEAR, sku="A", quantity=5, key="more", tx=tx)
        hub.stock.receive(node=CLOSE, sku="A", quantity=5, key="and more", tx=tx)
        assert last_prices(tx).cells
        assert nodes(hub.orders.place(order("quick", {"A": 1}, delivery=QUICK), tx=tx)) == [CLOSE]
        raise Cut


def test_a_wave_that_was_rolled_back_left_no_prices(routing: OrderHub) -> None:
    """Nor does what was remembered of it outlive it."""
    stock(routing, {("A", NEAR): 1, ("A", FAR): 9})
    with pytest.raises(Cut):
        a_wave_that_dies(routing)
    assert routing.run(last_prices) == NO_PRICES
    stock(routing, {("A", CLOSE): 5}, key="later")
    placed = routing.orders.place(order("quick", {"A": 1}, delivery=QUICK))
    assert nodes(placed) == [NEAR]
    assert documents(routing, placed)[0]["router"]["prices_of"] == ""


def test_what_is_left_short_is_served_as_ever(routing: OrderHub) -> None:
    """Too far, or taken by the quick order before it: both are shipped, by the wave."""
    stock(routing, {("A", NEAR): 1, ("A", FAR): 5, ("B", FAR): 5})
    placed = routing.orders.place_many(
        [
            order("1", {"A": 1}, delivery=QUICK),
            order("2", {"A": 1}, delivery=QUICK),
            order("3", {"A": 1, "B": 1}, delivery=QUICK),
        ]
    )
    assert [nodes(one) for one in placed] == [[NEAR], [FAR], [FAR]]
    assert [one.fulfilment_orders[0].method for one in placed] == [
        DeliveryMethod.ONE_HOUR,
        DeliveryMethod.SHIP,
        DeliveryMethod.SHIP,
    ]
    assert ["router" in documents(routing, one)[0] for one in placed] == [True, False, False]
    for one in placed:
        expect_the_same_again(routing, one)


def test_a_node_that_says_no_is_not_asked_again(routing: OrderHub) -> None:
    stock(routing, {("A", NEAR): 1, ("A", CLOSE): 1})
    placed = routing.orders.place(order("1", {"A": 1}, delivery=QUICK))
    routing.fulfilment.reject(placed.fulfilment_orders[0].fulfilment, reason="broken", key="no")
    assert ["router" in one for one in documents(routing, placed)] == [True, True]
    assert [one["assignments"][0]["node"] for one in documents(routing, placed)] == [NEAR, CLOSE]
    expect_the_same_again(routing, placed, 1)
    expect_the_same_again(routing, placed, 2)


def test_a_wave_solved_ahead_proves_its_gap_without_the_router(routing: OrderHub) -> None:
    stock(routing, {("A", NEAR): 1, ("A", FAR): 5})
    routing.orders.place_many([order("1", {"A": 1}, delivery=QUICK), order("2", {"A": 1})], offer=False)
    wave = routing.sourcing.run_wave(solver=solve_exact)
    assert [nodes(one) for one in wave] == [[NEAR], [FAR]]
    assert [solve.solver for solve in wave.solves] == ["router", "exact"]
    assert (wave.lower_bound_minor, wave.gap) == (wave.solves[1].cost_minor, 0.0)
    assert sum(solve.cost_minor for solve in wave.solves) == wave.cost_minor
    assert "router" in documents(routing, wave[0])[-1]
    expect_the_same_again(routing, wave[0])


def test_with_nothing_but_quick_orders_there_is_no_gap(routing: OrderHub) -> None:
    stock(routing, {("A", NEAR): 1})
    routing.orders.place(order("1", {"A": 1}, delivery=QUICK), offer=False)
    wave = routing.sourcing.run_wave()
    assert [solve.solver for solve in wave.solves] == ["router"]
    assert (wave.lower_bound_minor, wave.gap) == (None, None)


def test_who_did_not_ask_for_it_has_no_router(hub: OrderHub) -> None:
    leave_a_price_at_near(under(hub, {"solver": WAVE}))
    placed = hub.orders.place(order("quick", {"A": 1}, delivery=QUICK))
    assert nodes(placed) == [NEAR]
    assert "router" not in documents(hub, placed)[0]
    assert hub.run(last_prices) == NO_PRICES


def test_a_day_is_decided_again_with_the_router_in_it(routing: OrderHub) -> None:
    leave_a_price_at_near(routing)
    routing.orders.place_many([order("1", {"A": 1}, delivery=QUICK), order("2", {"A": 2})])
    told = routing.sourcing.what_if({"waves alone": SourcingPolicy.load({"solver": WAVE})})
    in_force, alone = told.policies
    recorded: Counter[str] = Counter()
    for name in ("0", "1", "2"):
        found = routing.orders.find("shop", name)
        assert found is not None
    own = tables.decision.c
    for text in routing.run(lambda tx: list(tx.connection.execute(select(own.document)).scalars())):
        for one in json.loads(text)["deliveries"]:
            recorded.update(one["cost_by_term"])
    assert {term: cost for term, cost in in_force.cost_by_term.items() if cost} == dict(recorded)
    assert alone.units_served == in_force.units_served


METHODS = (DeliveryMethod.ONE_HOUR, DeliveryMethod.SHIP, DeliveryMethod.PICKUP)


def combined(case: Case, decided: Decided) -> tuple[list[OrderDemand], dict[str, Any]]:
    """All that was decided, as the document of one plan."""
    made = list(decided)
    demands = [replace(demand, method=one.method) for demand, one in zip(case.demands, made, strict=True)]
    terms: Counter[str] = Counter()
    for one in made:
        terms.update(one.plan.cost_by_term)
    return demands, {
        "currency": case.network.currency,
        "policy_digest": case.policy.digest(),
        "orders": [{**asdict(one.plan), "cost_minor": one.plan.cost_minor} for one in made],
        "cost_by_term": dict(terms),
        "cost_minor": sum(terms.values()),
        "lower_bound_minor": None,
    }


def cases(seeds: Iterable[int]) -> Iterator[tuple[Case, LeftPrices]]:
    for seed in seeds:
        dice = np.random.default_rng(seed)
        policy: dict[str, Any] = {"solver": {**WAVE, "route": METHODS[: 1 + seed % 3]}}
        if seed % 2:
            policy["slot_work"] = {"per_order": 1, "per_unit": seed % 4 // 2}
        case = random_case(seed, orders=12, stock_units=6, policy=policy)
        cells = {(sku, node): int(dice.integers(1, 300_000)) for sku, node, _ in case.stock if dice.random() < 0.4}
        yield case, LeftPrices("w", cells, {"N1": 6_400, "nowhere": 5})


@pytest.mark.parametrize("part", range(4))
def test_router_and_wave_together_sell_nothing_twice(part: int) -> None:
    """What both decide, checked as one plan from the raw input."""
    served = Counter[str]()
    for number, (case, prices) in enumerate(cases(range(part, 24, 4))):
        solver, index = (solve_jointly, solve_greedy)[number % 2], NetworkIndex.of(case.network)
        work = case.policy.slot_work
        capacity = case.capacity if work else None
        decided = decide(index, case.policy, case.demands, case.stock, solver, capacity=capacity, prices=prices)
        demands, document = combined(case, decided)
        pieces = dict.fromkeys(capacity or (), work) if work else None
        found = verify_plan(case.network, demands, case.stock, case.policy, document, capacity, work=pieces)
        assert found == []
        assert [plan.violations() for plan in decided.plans] == [[]] * len(decided.plans)
        for one in decided:
            assert one.prices is None or not one.plan.shortfalls, "the router serves whole or not at all"
            served["wave" if one.prices is None else "router"] += bool(one.plan.assignments)
        assert decided.in_real_time()[0] == sum(one.prices is not None for one in decided)
    assert min(served["router"], served["wave"]) > 10
