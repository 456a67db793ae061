"""The hub repairs a row, and orders whose goods proved missing find another way in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from omo_core import AcknowledgeFindings, OrderHub, RepairRow
from omo_core.model.fulfilment import FulfilmentState
from omo_core.storage.clock import ManualClock
from tests.orders.conftest import FAR, NEAR, NETWORK, NOON, order, stock


@pytest.fixture
def hub(shop_url: str) -> Iterator[OrderHub]:
    with OrderHub.open(shop_url, clock=ManualClock(NOON)) as opened:
        opened.network.load(NETWORK)
        yield opened


def test_orders_that_a_repair_displaces_are_sourced_anew(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("A", FAR): 5})
    placed = hub.orders.place(order("1", {"A": 2}))
    with hub.database.connection() as connection:
        connection.exec_driver_sql(f"UPDATE omo_stock SET on_hand = on_hand + 4 WHERE node = '{NEAR}'")
    assert hub.audit(halt=True).halted == (("A", NEAR, "sellable"),)

    command = RepairRow(key="k", sku="A", node=NEAR, on_hand=0, by="op-17", reason="counted")
    answer = hub.repair(command)
    assert answer.applied
    assert [(one.owner, one.quantity) for one in answer.displaced] == [(placed.order, 2)]
    found = hub.orders.find("shop", "1")
    assert found is not None
    live = [one.node for one in found.fulfilment_orders if one.state is FulfilmentState.OFFERED]
    assert live == [FAR]
    assert hub.audit().clean
    assert hub.repair(command) == answer


def test_what_no_audit_says_cannot_be_acknowledged(hub: OrderHub) -> None:
    command = AcknowledgeFindings(key="k", sentences=("The moon is a cheese.",), by="op-17", reason="hearsay")
    assert [refusal.code for refusal in hub.acknowledge(command).refusals] == ["unknown_finding"]
