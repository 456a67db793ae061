"""The availability desk: the stock room's answers, each in a transaction of its own, on every engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from omo_core.hub import OrderHub
from omo_core.model.availability import PublicationRule, SetSafetyRule
from omo_core.model.goods import Expected, ExpectReceipt
from omo_core.model.items import Item
from omo_core.model.network import Network, Node, NodeKind
from omo_core.model.stock import HoldRequest
from omo_core.storage.clock import ManualClock
from tests.orders.conftest import CLOSE, NEAR, NETWORK, NOON, stock


@pytest.fixture
def hub(shop_url: str) -> Iterator[OrderHub]:
    with OrderHub.open(shop_url, clock=ManualClock(NOON)) as opened:
        opened.network.load(NETWORK)
        yield opened


def test_one_desk_says_what_can_be_promised(hub: OrderHub) -> None:
    kit = Item(sku="PAIR", components={"A": 2})
    hub.network.load(Network(currency="USD", nodes=(Node(node=NEAR, kind=NodeKind.STORE),), items=(kit,)))
    stock(hub, {("A", NEAR): 5, ("A", CLOSE): 3})
    later = NOON + timedelta(days=2)
    due = Expected(sku="A", quantity=4, due_at=later)
    assert hub.stock.apply(ExpectReceipt(key="asn", inbound="ASN-1", node=NEAR, lines=(due,))).applied
    assert hub.stock.set_safety_rule(SetSafetyRule(key="rule", units=1)).rows_changed == 2

    assert hub.stock.available("A") == 6
    assert hub.stock.available("A", node=NEAR, by=later) == 8
    assert hub.stock.available_many([("A", CLOSE), ("A", NEAR), ("B", NEAR)]) == [2, 4, 0]
    assert hub.stock.available_kits(["PAIR"]) == {("PAIR", CLOSE): 1, ("PAIR", NEAR): 2}

    wanted = HoldRequest(owner="cart", line="1", sku="PAIR", node=NEAR, quantity=2)
    assert hub.stock.hold(hub.stock.components(wanted), key="kit").applied
    assert [(level.node, level.available) for level in hub.stock.levels_of(["A"])] == [(CLOSE, 2), (NEAR, 0)]
    assert hub.stock.levels_of(["A"], condition="quarantine") == []

    rule = PublicationRule(channel="shop")
    deltas = hub.stock.deltas(rule)
    assert [(delta.sku, delta.units, delta.told) for delta in deltas] == [("A", 2, None), ("PAIR", 1, None)]
    assert hub.stock.told(deltas) == 2
    assert hub.stock.deltas(rule) == []
