"""Re-evaluation: offered work moves where that is better, once, and nothing promised is lost."""

from __future__ import annotations

import pytest

from omo_core.hub import OrderHub
from omo_core.model.errors import DuplicateKeyMismatch
from omo_core.model.fulfilment import FulfilmentState, OrderState, PlacedOrder
from omo_core.orders import Reevaluate, reevaluation
from omo_core.storage import outbox
from tests.orders.conftest import CLOSE, FAR, NEAR, order, stock


def live(hub: OrderHub, name: str) -> list[tuple[str, dict[str, int]]]:
    placed = hub.orders.find("shop", name)
    assert placed is not None
    standing = (FulfilmentState.OFFERED, FulfilmentState.ACCEPTED)
    return sorted(
        (one.node, {line.sku: line.quantity for line in one.lines})
        for one in placed.fulfilment_orders
        if one.state in standing
    )


def two_parcels(hub: OrderHub) -> PlacedOrder:
    """An order split over two nodes, of which one could serve it by now."""
    stock(hub, {("A", NEAR): 1, ("B", CLOSE): 1})
    placed = hub.orders.place(order("1", {"A": 1, "B": 1}))
    assert [node for node, _ in live(hub, "1")] == [CLOSE, NEAR]
    stock(hub, {("B", NEAR): 1}, key="more")
    return placed


def test_two_parcels_become_one(hub: OrderHub) -> None:
    placed = two_parcels(hub)
    answer = hub.sourcing.reevaluate(Reevaluate(key="k"))
    assert live(hub, "1") == [(NEAR, {"A": 1, "B": 1})]
    assert (answer.orders_seen, answer.last, answer.parcels_saved, answer.left) == (1, placed.order, 1, ())
    (moved,) = answer.moved
    assert moved.saved_minor == answer.saved_minor > 0
    assert set(moved.withdrawn) == {one.fulfilment for one in placed.fulfilment_orders}
    assert [one.node for one in moved.offered] == [NEAR]
    after = hub.orders.find("shop", "1")
    assert after is not None
    assert (after.state, after.version) == (OrderState.IN_FULFILMENT, placed.version + 1)
    assert {one.reject_code for one in after.fulfilment_orders} == {"reassigned", None}
    assert hub.stock.available("B") == 1
    assert hub.audit().clean


def test_the_same_key_moves_once(hub: OrderHub) -> None:
    two_parcels(hub)
    first = hub.sourcing.reevaluate(Reevaluate(key="k"))
    stock(hub, {("A", CLOSE): 1, ("B", CLOSE): 1}, key="even more")
    assert hub.sourcing.reevaluate(Reevaluate(key="k")) == first
    with hub.transaction() as tx:
        assert hub.sourcing.reevaluate(Reevaluate(key="k"), tx=tx) == first
    with pytest.raises(DuplicateKeyMismatch):
        hub.sourcing.reevaluate(Reevaluate(key="k", limit=5))


def test_the_nodes_hear_of_it(hub: OrderHub) -> None:
    placed = two_parcels(hub)
    before = len(hub.run(lambda tx: outbox.read(tx, limit=100)))
    (moved,) = hub.sourcing.reevaluate(Reevaluate(key="k")).moved
    facts = hub.run(lambda tx: outbox.read(tx, limit=100))[before:]
    told = sorted((fact.type, fact.subject) for fact in facts if fact.subject.startswith("fulfilment/"))
    assert told == [
        *sorted(("omo.fulfilment.cancelled.v1", f"fulfilment/{one.fulfilment}") for one in placed.fulfilment_orders),
        ("omo.fulfilment.offered.v1", f"fulfilment/{moved.offered[0].fulfilment}"),
    ]


def test_work_that_stays_keeps_its_number(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", CLOSE): 1, ("C", FAR): 1})
    hub.orders.place(order("1", {"A": 1, "B": 1, "C": 1}))
    stock(hub, {("C", CLOSE): 1}, key="more")
    (moved,) = hub.sourcing.reevaluate(Reevaluate(key="k")).moved
    assert live(hub, "1") == [(CLOSE, {"B": 1, "C": 1}), (NEAR, {"A": 1})]
    assert (len(moved.withdrawn), len(moved.offered)) == (2, 1)


def test_accepted_work_stays_unless_it_may_be_taken_back(hub: OrderHub) -> None:
    placed = two_parcels(hub)
    for one in placed.fulfilment_orders:
        hub.fulfilment.accept(one.fulfilment, key=one.fulfilment)
    kept = hub.sourcing.reevaluate(Reevaluate(key="kept"))
    assert (kept.orders_seen, kept.moved, kept.last) == (0, (), "")
    taken = hub.sourcing.reevaluate(Reevaluate(key="taken", accepted=True))
    assert taken.parcels_saved == 1
    assert live(hub, "1") == [(NEAR, {"A": 1, "B": 1})]
    assert hub.audit().clean


def test_what_has_left_stays_where_it_was(hub: OrderHub) -> None:
    placed = two_parcels(hub)
    first = next(one for one in placed.fulfilment_orders if one.node == CLOSE)
    hub.fulfilment.accept(first.fulfilment, key="a")
    hub.fulfilment.ship(first.fulfilment, key="s")
    assert hub.sourcing.reevaluate(Reevaluate(key="k", accepted=True)).moved == ()


def test_orders_give_way_to_each_other(hub: OrderHub) -> None:
    # Order 1 has the near A, which is all that order 2 lacks there; each could have the other's.
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 1, ("A", CLOSE): 1})
    hub.orders.place(order("1", {"A": 1}))
    hub.orders.place(order("2", {"A": 1, "B": 1}))
    assert [node for node, _ in live(hub, "2")] == [CLOSE, NEAR]
    answer = hub.sourcing.reevaluate(Reevaluate(key="k", growth_permille=None))
    assert (live(hub, "1"), live(hub, "2")) == ([(CLOSE, {"A": 1})], [(NEAR, {"A": 1, "B": 1})])
    assert (answer.parcels_saved, len(answer.moved)) == (1, 2)
    assert hub.audit().clean


def test_parcels_that_would_travel_too_far_stay(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", CLOSE): 1})
    hub.orders.place(order("1", {"A": 1, "B": 1}))
    stock(hub, {("A", FAR): 1, ("B", FAR): 1}, key="more")
    near = Reevaluate(key="near", parcel_minor=1_000_000)
    assert hub.sourcing.reevaluate(near).moved == ()
    far = hub.sourcing.reevaluate(near.model_copy(update={"key": "far", "growth_permille": None}))
    assert (far.parcels_saved, live(hub, "1")) == (1, [(FAR, {"A": 1, "B": 1})])


def test_what_would_be_moved_is_told_and_nothing_is_changed(hub: OrderHub) -> None:
    placed = two_parcels(hub)
    facts = hub.run(lambda tx: outbox.read(tx, limit=100))
    told = hub.sourcing.proposed(Reevaluate(key="k"))
    assert (told.currency, told.orders_seen, told.last) == ("USD", 1, placed.order)
    assert (told.shipments_before, told.shipments_after) == (2, 1)
    (one,) = told.moved
    assert (one.order, one.external_id) == (placed.order, "1")
    assert sorted((part.node, part.units) for part in one.before) == [(CLOSE, 1), (NEAR, 1)]
    assert [(part.node, part.units) for part in one.after] == [(NEAR, 2)]
    assert one.why.startswith("1 fewer to send; mostly less ")
    assert hub.orders.find("shop", "1") == placed
    assert hub.run(lambda tx: outbox.read(tx, limit=100)) == facts
    done = hub.sourcing.reevaluate(Reevaluate(key="k"))
    assert (done.parcels_saved, done.saved_minor) == (told.parcels_saved, told.saved_minor)
    nothing = hub.sourcing.proposed(Reevaluate(key="k"))
    assert (nothing.shipments_before, nothing.moved, nothing.saved_minor) == (1, (), 0)


def test_an_order_that_would_give_way_is_told_so(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("B", NEAR): 1, ("A", CLOSE): 1})
    hub.orders.place(order("1", {"A": 1}))
    hub.orders.place(order("2", {"A": 1, "B": 1}))
    told = hub.sourcing.proposed(Reevaluate(key="k", growth_permille=None))
    whys = {one.external_id: (one.why, one.parcels_saved) for one in told.moved}
    assert whys["1"] == ("gives way to other orders, which save more than that", 0)
    assert whys["2"][1] == 1
    assert next(one.saved_minor for one in told.moved if one.external_id == "1") <= 0 < told.saved_minor


def test_a_node_that_said_no_is_not_asked_again(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", CLOSE): 1, ("B", CLOSE): 1, ("B", FAR): 1})
    (offer,) = hub.orders.place(order("1", {"A": 1, "B": 1})).fulfilment_orders
    assert offer.node == CLOSE
    hub.fulfilment.reject(offer.fulfilment, reason="flooded", key="r")
    before = live(hub, "1")
    assert hub.sourcing.reevaluate(Reevaluate(key="k", growth_permille=None)).moved == ()
    assert live(hub, "1") == before == [(FAR, {"B": 1}), (NEAR, {"A": 1})]


def proposed(hub: OrderHub, command: Reevaluate) -> reevaluation.Proposal:
    context = hub.run(hub.context)
    return reevaluation.propose(hub.run(lambda tx: reevaluation.survey(tx, command, context)), command, context)


def test_an_order_that_changed_meanwhile_is_left_as_it_is(hub: OrderHub) -> None:
    placed = two_parcels(hub)
    command = Reevaluate(key="k")
    proposal = proposed(hub, command)
    hub.fulfilment.accept(placed.fulfilment_orders[0].fulfilment, key="a")
    before = hub.orders.find("shop", "1")
    answer = hub.run(lambda tx: reevaluation.record(tx, command, proposal))
    assert (answer.moved, answer.left) == ((), (placed.order,))
    assert hub.orders.find("shop", "1") == before


def test_goods_that_others_took_meanwhile_are_left_to_them(hub: OrderHub) -> None:
    placed = two_parcels(hub)
    command = Reevaluate(key="k")
    proposal = proposed(hub, command)
    hub.orders.place(order("2", {"B": 1}))
    before = hub.orders.find("shop", "1")
    answer = hub.run(lambda tx: reevaluation.record(tx, command, proposal))
    assert (answer.moved, answer.left) == ((), (placed.order,))
    assert hub.orders.find("shop", "1") == before
    assert hub.audit().clean


def test_orders_are_seen_in_pages(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 5})
    hub.orders.place_many([order(name, {"A": 1}) for name in "123"])
    first = hub.sourcing.reevaluate(Reevaluate(key="1", limit=2))
    rest = hub.sourcing.reevaluate(Reevaluate(key="2", limit=2, after=first.last))
    assert (first.orders_seen, rest.orders_seen) == (2, 1)
    none = hub.sourcing.reevaluate(Reevaluate(key="3", after=rest.last))
    assert (none.orders_seen, none.moved) == (0, ())
