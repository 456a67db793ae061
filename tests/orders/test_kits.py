"""Kits in orders: sourced as their components from one node, offered as such, counted in kits."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from omo_core.allocation import DemandLine, LineShortfall, OrderPlan
from omo_core.batch.facts import read_orders
from omo_core.hub import OrderHub
from omo_core.inventory.quotas import quotas_of
from omo_core.model.fulfilment import FulfilmentOrder, FulfilmentState, OrderState, PlacedOrder
from omo_core.model.items import Item
from omo_core.model.network import DeliveryMethod, Network
from omo_core.model.orders import MAX_LINES, Address, Delivery, OrderLine
from omo_core.model.promised import QuotaKind
from omo_core.model.promises import SetQuota
from omo_core.orders import Reevaluate
from omo_core.orders.kits import Kit, merged, told_in_kits
from tests.orders.conftest import CLOSE, FAR, NEAR, NETWORK, order, stock

KITS = (Item(sku="SET", components={"A": 1, "B": 2}), Item(sku="PAIR", components={"A": 2}))


@pytest.fixture(autouse=True)
def with_kits(hub: OrderHub) -> None:
    hub.network.load(Network(currency=NETWORK.currency, nodes=NETWORK.nodes, items=(*NETWORK.items, *KITS)))


def parts(fulfilment: FulfilmentOrder) -> dict[tuple[str, str], int]:
    return {(line.line, line.sku): line.quantity for line in fulfilment.lines}


def short(placed: PlacedOrder) -> dict[str, int]:
    return {one.sku: one.missing for one in placed.shortfalls}


def found(hub: OrderHub, number: str) -> PlacedOrder:
    placed = hub.orders.find("shop", number)
    assert placed is not None
    return placed


def levels(hub: OrderHub, *cells: tuple[str, str]) -> list[tuple[int, int]]:
    return [(level.on_hand, level.reserved) for level in hub.stock.levels(cells)]


def test_a_kit_is_offered_as_its_components_held_and_sent(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("B", NEAR): 5})
    placed = hub.orders.place(order("1", {"SET": 2}))
    (offer,) = placed.fulfilment_orders
    assert (offer.node, parts(offer)) == (NEAR, {("1", "A"): 2, ("1", "B"): 4})
    assert not placed.shortfalls
    assert levels(hub, ("A", NEAR), ("B", NEAR)) == [(3, 2), (5, 4)]
    assert hub.audit().clean
    hub.fulfilment.accept(offer.fulfilment, key="a")
    shipped = hub.fulfilment.ship(offer.fulfilment, key="s")
    assert shipped.order_state is OrderState.FULFILLED
    assert levels(hub, ("A", NEAR), ("B", NEAR)) == [(1, 0), (1, 0)]
    assert hub.audit().clean


def test_the_parts_of_a_kit_come_from_one_node_or_not_at_all(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", CLOSE): 2, ("A", FAR): 1, ("B", FAR): 2})
    (offer,) = hub.orders.place(order("1", {"SET": 1})).fulfilment_orders
    assert offer.node == FAR
    none = hub.orders.place(order("2", {"SET": 1}))
    assert (none.state, short(none)) == (OrderState.UNFULFILLABLE, {"SET": 1})
    assert hub.stock.available("A") == 1
    decided = hub.orders.place(order("3", {"SET": 1, "A": 1}))
    assert [parts(one) for one in decided.fulfilment_orders] == [{("2", "A"): 1}]
    assert short(decided) == {"SET": 1}
    assert hub.audit().clean


def test_as_many_kits_as_one_node_can_put_together_and_the_rest_when_tried_again(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("B", NEAR): 4, ("A", CLOSE): 1, ("B", CLOSE): 2})
    placed = hub.orders.place(order("1", {"SET": 4}))
    (offer,) = placed.fulfilment_orders
    assert (offer.node, parts(offer), short(placed)) == (NEAR, {("1", "A"): 2, ("1", "B"): 4}, {"SET": 2})
    (again,) = hub.sourcing.retry_short()
    assert [(one.node, parts(one)) for one in again.fulfilment_orders[1:]] == [(CLOSE, {("1", "A"): 1, ("1", "B"): 2})]
    assert short(again) == {"SET": 1}
    assert hub.sourcing.retry_short() == []  # an A is left, but no B
    stock(hub, {("B", NEAR): 2}, key="more")
    (last,) = hub.sourcing.retry_short()
    assert not last.shortfalls
    for one in last.fulfilment_orders:
        hub.fulfilment.accept(one.fulfilment, key=f"a{one.fulfilment}")
        hub.fulfilment.ship(one.fulfilment, key=f"s{one.fulfilment}")
    assert found(hub, "1").state is OrderState.FULFILLED
    assert hub.audit().clean


def test_only_nodes_that_may_serve_the_order_count(hub: OrderHub) -> None:
    stock(hub, {("A", FAR): 9, ("B", FAR): 9, ("A", NEAR): 1, ("B", NEAR): 2})
    pickup = Delivery(method=DeliveryMethod.ONE_HOUR, address=Address(point=NETWORK.nodes[0].point))
    hub.network.load(Network(currency="USD", nodes=NETWORK.nodes, policy={"one_hour_falls_back_to_ship": False}))
    placed = hub.orders.place(order("1", {"SET": 3}, delivery=pickup))
    assert [(one.node, parts(one)) for one in placed.fulfilment_orders] == [(NEAR, {("1", "A"): 1, ("1", "B"): 2})]
    assert short(placed) == {"SET": 2}


def test_an_item_that_a_kit_needs_too_is_one_question_and_else_waits_for_the_kit(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("B", NEAR): 2, ("A", FAR): 5})
    together = hub.orders.place(order("1", {"SET": 1, "A": 1}))
    assert [parts(one) for one in together.fulfilment_orders] == [{("1", "A"): 1, ("1", "B"): 2, ("2", "A"): 1}]
    hub.orders.cancel("shop", "1")
    apart = hub.orders.place(order("2", {"SET": 1, "A": 3}))
    assert short(apart) == {"A": 2}
    (retried,) = hub.sourcing.retry_short()
    assert [(one.node, parts(one)) for one in retried.fulfilment_orders[1:]] == [(FAR, {("2", "A"): 2})]
    assert hub.audit().clean


def test_a_rejected_kit_moves_whole(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("B", NEAR): 4, ("A", FAR): 1, ("B", FAR): 2})
    (offer,) = hub.orders.place(order("1", {"SET": 2})).fulfilment_orders
    answer = hub.fulfilment.reject(offer.fulfilment, reason="broken", key="r")
    assert [(one.node, parts(one)) for one in answer.offers] == [(FAR, {("1", "A"): 1, ("1", "B"): 2})]
    assert [(one.sku, one.missing) for one in answer.shortfalls] == [("SET", 1)]
    assert levels(hub, ("A", NEAR), ("B", NEAR)) == [(2, 0), (4, 0)]
    assert hub.audit().clean


def test_fewer_kits_are_wanted_and_then_none(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 9, ("B", NEAR): 9})
    hub.orders.place(order("1", {"SET": 3}))
    (line,) = order("1", {"SET": 3}).lines
    fewer = order("1", {}, source_version=2, lines=(line.model_copy(update={"current_quantity": 1}),))
    changed = hub.orders.place(fewer)
    assert parts(changed.fulfilment_orders[-1]) == {("1", "A"): 1, ("1", "B"): 2}
    assert levels(hub, ("A", NEAR), ("B", NEAR)) == [(9, 1), (9, 2)]
    assert hub.orders.cancel("shop", "1").state is OrderState.CANCELLED
    assert levels(hub, ("A", NEAR), ("B", NEAR)) == [(9, 0), (9, 0)]
    assert hub.audit().clean


def test_less_than_left_is_refused_in_kits(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 2, ("B", NEAR): 4})
    (offer,) = hub.orders.place(order("1", {"SET": 2})).fulfilment_orders
    hub.fulfilment.accept(offer.fulfilment, key="a")
    hub.fulfilment.ship(offer.fulfilment, key="s")
    (line,) = order("1", {"SET": 2}).lines
    fewer = order("1", {}, source_version=2, lines=(line.model_copy(update={"current_quantity": 1}),))
    assert [one.code for one in hub.orders.place(fewer).refusals] == ["already_shipped"]


def test_a_kit_that_loses_a_part_to_the_till_finds_another_way_whole(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 2, ("A", FAR): 1, ("B", FAR): 2})
    placed = hub.orders.place(order("1", {"SET": 1}))
    hub.stock.counter_sale(node=NEAR, sku="B", quantity=1, key="till/1")
    moved = found(hub, "1")
    assert [(one.node, one.state) for one in moved.fulfilment_orders] == [
        (NEAR, FulfilmentState.REJECTED),
        (FAR, FulfilmentState.OFFERED),
    ]
    assert parts(moved.fulfilment_orders[1]) == parts(placed.fulfilment_orders[0])
    assert levels(hub, ("A", NEAR), ("B", NEAR)) == [(1, 0), (1, 0)]
    assert hub.audit().clean


def test_quotas_of_components_cut_whole_kits(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 9, ("B", NEAR): 9})
    command = SetQuota(key="q", sku="B", channel="shop", quota_kind=QuotaKind.CAPPED, units=5)
    assert hub.stock.apply(command).applied
    placed = hub.orders.place(order("1", {"SET": 4}))
    assert [parts(one) for one in placed.fulfilment_orders] == [{("1", "A"): 2, ("1", "B"): 4}]
    assert short(placed) == {"SET": 2}
    (quota,) = hub.run(lambda tx: quotas_of(tx, ["B"]))
    assert quota.used == 4
    none = hub.orders.place(order("2", {"SET": 1, "B": 1}))
    assert short(none) == {"SET": 1}
    assert hub.audit().clean


def test_kits_held_provisionally_are_sourced_again_in_the_wave(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 2, ("A", FAR): 1, ("B", FAR): 2})
    hub.orders.place_many([order(name, {"SET": 1}) for name in "12"], offer=False)
    assert hub.stock.available("A") == 0
    assert hub.audit().clean
    wave = hub.sourcing.run_wave()
    assert Counter(one.node for placed in wave for one in placed.fulfilment_orders) == {NEAR: 1, FAR: 1}
    assert hub.audit().clean


def test_a_decision_with_kits_is_replayed(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("B", NEAR): 4, ("A", FAR): 1})
    placed = hub.orders.place_many(
        [order("1", {"SET": 3, "C": 1}), order("2", {"SET": 1, "A": 2}), order("3", {"A": 1})]
    )
    for one in placed:
        again = hub.sourcing.replay(str(one.order))
        assert (again.differences, again.exact) == ((), True)
    ((decided,), (then,)) = (
        hub.sourcing.replay(str(placed[0].order)).again,
        hub.sourcing.replay(str(placed[0].order)).then,
    )
    lacks = {(line["sku"], line["missing"]) for line in then["shortfalls"]}
    assert ("SET", 1) in lacks
    assert decided == then
    told = hub.sourcing.what_if({})
    assert told.policies[0].name == "in force"


def test_reevaluation_moves_a_kit_whole(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 2, ("C", FAR): 1})
    hub.orders.place(order("1", {"SET": 1, "C": 1}))
    stock(hub, {("A", FAR): 1, ("B", FAR): 2}, key="later")
    (moved,) = hub.sourcing.reevaluate(Reevaluate(key="again", parcel_minor=10_000, growth_permille=None)).moved
    (offer,) = moved.offered
    assert (offer.node, parts(offer)) == (FAR, {("1", "A"): 1, ("1", "B"): 2, ("2", "C"): 1})
    assert levels(hub, ("A", FAR), ("A", NEAR), ("B", FAR), ("B", NEAR)) == [(1, 1), (1, 0), (2, 2), (2, 0)]
    assert hub.audit().clean
    hub.fulfilment.accept(offer.fulfilment, key="a")
    assert hub.fulfilment.ship(offer.fulfilment, key="s").order_state is OrderState.FULFILLED
    assert hub.audit().clean


def test_reevaluation_does_not_take_a_kit_apart(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 2, ("C", FAR): 1})
    placed = hub.orders.place(order("1", {"SET": 1, "C": 1}))
    stock(hub, {("A", FAR): 1, ("B", FAR): 1}, key="later")
    answer = hub.sourcing.reevaluate(Reevaluate(key="again", parcel_minor=10_000, growth_permille=None))
    assert (answer.orders_seen, answer.moved) == (1, ())
    assert found(hub, "1").fulfilment_orders == placed.fulfilment_orders


def test_kits_of_a_line_that_stand_at_two_nodes_stay_there(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 2, ("C", NEAR): 1, ("C", FAR): 1})
    hub.orders.place(order("1", {"SET": 2, "C": 2}))
    stock(hub, {("A", CLOSE): 1, ("B", CLOSE): 2}, key="later")
    hub.sourcing.retry_short()
    placed = found(hub, "1")
    assert {one.node for one in placed.fulfilment_orders if ("1", "A") in parts(one)} == {NEAR, CLOSE}
    stock(hub, {("A", FAR): 2, ("B", FAR): 4, ("C", FAR): 1}, key="last")
    answer = hub.sourcing.reevaluate(Reevaluate(key="again", parcel_minor=10_000, growth_permille=None))
    offers = {one.fulfilment: one for one in placed.fulfilment_orders}
    assert not any(("1", "A") in parts(offers[name]) for one in answer.moved for name in one.withdrawn)
    assert hub.audit().clean


def test_a_recipe_may_change_while_kits_are_out(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5, ("B", NEAR): 9, ("A", FAR): 5, ("B", FAR): 9})
    (offer,) = hub.orders.place(order("1", {"SET": 1})).fulfilment_orders
    hub.network.load(
        Network(currency="USD", nodes=NETWORK.nodes, items=(Item(sku="SET", components={"A": 2, "B": 1}),))
    )
    answer = hub.fulfilment.reject(offer.fulfilment, reason="no", key="r")
    # What the buyer was sold is what the order was taken in with.
    assert [parts(one) for one in answer.offers] == [{("1", "A"): 1, ("1", "B"): 2}]
    (fresh,) = hub.orders.place(order("2", {"SET": 1})).fulfilment_orders
    assert parts(fresh) == {("1", "A"): 2, ("1", "B"): 1}
    assert hub.audit().clean


def test_an_order_too_long_in_components_is_refused(hub: OrderHub) -> None:
    lines = tuple(
        OrderLine(line=str(number), sku="SET", quantity=1, current_quantity=1) for number in range(MAX_LINES // 2 + 1)
    )
    refused = hub.orders.place(order("1", {}, lines=lines))
    assert [one.code for one in refused.refusals] == ["too_many_components"]
    assert refused.order is None


@pytest.mark.parametrize("units", [1, 10**9])
def test_huge_quantities_of_kits_are_short_not_an_error(hub: OrderHub, units: int) -> None:
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 1})
    placed = hub.orders.place(order("1", {"SET": units}))
    assert (placed.state, short(placed)) == (OrderState.UNFULFILLABLE, {"SET": units})


def test_what_a_plan_lacks_of_a_kit_is_told_once_in_kits() -> None:
    short_parts: list[Any] = [
        LineShortfall("1", sku, missing, "sold_out", "", missing) for sku, missing in (("A", 2), ("B", 4))
    ]
    plan = OrderPlan("o#0", "exact", (), (*short_parts, LineShortfall("2", "C", 1, "no_stock", "none", 1)), {}, ())
    told = told_in_kits(plan, {"1": Kit("SET", {"A": 1, "B": 2})})
    assert [(one.line, one.sku, one.missing, one.wanted) for one in told.shortfalls] == [
        ("1", "SET", 2, 2),
        ("2", "C", 1, 1),
    ]
    assert "SET" in told.shortfalls[0].why
    both = merged([*told.shortfalls, LineShortfall("1", "SET", 3, "kit_apart", "", 5)])
    assert [(one.code, one.missing, one.wanted) for one in both] == [("sold_out", 5, 5), ("no_stock", 1, 1)]
    assert DemandLine("1", "A", 1).together is None


def test_a_summary_of_orders_counts_kits(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 9, ("B", NEAR): 4, ("C", NEAR): 1})
    hub.orders.place(order("1", {"SET": 3, "C": 1}))
    (fact,) = hub.run(read_orders)
    assert (fact.wanted_units, dict(fact.served()), fact.lines_served_in_full()) == (4, {"1": 2, "2": 1}, 1)
    assert {line for one in fact.standing for line in one.lines} == {("1", "SET", 2), ("2", "C", 1)}
