"""Dealers' stock: promised to the channels its owner agreed to, and to no others."""

from __future__ import annotations

import pytest

from omo_core.hub import OrderHub
from omo_core.model.fulfilment import OrderState
from omo_core.model.network import Consent, Network, Node, NodeKind
from tests.orders.conftest import FAR, NEAR, order, stock


@pytest.mark.parametrize(
    ("consent", "served_by"),
    [(None, FAR), (Consent(channels=("other",)), FAR), (Consent(channels=("other", "shop")), NEAR), (Consent(), NEAR)],
)
def test_an_order_is_sourced_from_dealers_who_agreed(hub: OrderHub, consent: Consent | None, served_by: str) -> None:
    near = next(node for node in hub.network.current().nodes if node.node == NEAR)
    dealer = near.model_copy(update={"kind": NodeKind.DEALER_STORE, "owner": "lin", "consent": consent})
    hub.network.load(Network(currency="USD", nodes=(dealer,)))
    stock(hub, {("A", NEAR): 5, ("A", FAR): 5})
    (fulfilment,) = hub.orders.place(order("1", {"A": 1})).fulfilment_orders
    assert fulfilment.node == served_by
    # His own till sells what is his, whatever he lets others do.
    assert hub.stock.counter_sale(node=NEAR, sku="A", quantity=1, key="till").applied


def test_a_withdrawn_consent_leaves_promises_and_makes_no_new_ones(hub: OrderHub) -> None:
    dealer = Node(node="DEALER", kind=NodeKind.DEALER_STORE, owner="lin", consent=Consent())
    hub.network.load(Network(currency="USD", nodes=(dealer,)))
    stock(hub, {("A", "DEALER"): 5})
    first = hub.orders.place(order("1", {"A": 1}))
    hub.network.load(Network(currency="USD", nodes=(dealer.model_copy(update={"consent": None}),)))
    second = hub.orders.place(order("2", {"A": 1}))
    assert (first.state, second.state) == (OrderState.IN_FULFILMENT, OrderState.UNFULFILLABLE)
    assert hub.fulfilment.accept(first.fulfilment_orders[0].fulfilment, key="take").refusals == ()
