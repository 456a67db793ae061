"""The promise side of the stock desk: one method an everyday command, the rest through `apply`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from omo_core import (
    BackorderRequest,
    ClaimRef,
    HoldRequest,
    Item,
    Network,
    Node,
    NodeKind,
    OrderHub,
    PartOfHold,
    PlaceBackorders,
    PlaceHolds,
    QuotaKind,
    ReleaseSlots,
    SetBackorderCap,
    SetCapacity,
    SlotCapacity,
    SlotRequest,
)
from omo_core.storage.clock import ManualClock

NETWORK = Network(
    currency="USD",
    nodes=(Node(node="TPE", kind=NodeKind.STORE),),
    items=(Item(sku="MUG"),),
)
NINE = datetime.fromisoformat("2026-03-02T09:00:00+08:00")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[OrderHub]:
    clock = ManualClock()
    with OrderHub.open(f"sqlite:///{tmp_path / 'shop.db'}", clock=clock) as opened:
        opened.network.load(NETWORK)
        opened.stock.receive(node="TPE", sku="MUG", quantity=10, key="r")
        yield opened
        assert opened.audit().clean


def line(owner: str, units: int) -> HoldRequest:
    return HoldRequest(owner=owner, line="1", sku="MUG", node="TPE", quantity=units)


def test_a_hold_is_extended_and_released_in_parts(hub: OrderHub) -> None:
    now = hub.run(lambda tx: tx.now)
    (hold,) = hub.stock.hold([line("a", 4)], key="h", expires_at=now + timedelta(minutes=5)).holds
    hub.stock.limit_extensions(1)
    assert hub.stock.extension_limit() == 1
    assert hub.stock.extend([hold.hold], expires_at=now + timedelta(minutes=9), key="e1").applied
    refused = hub.stock.extend([hold.hold], expires_at=now + timedelta(minutes=19), key="e2")
    assert [one.code for one in refused.refusals] == ["extension_limit"]
    hub.stock.release_units([PartOfHold(hold=hold.hold, quantity=3)], key="x")
    assert hub.stock.available("MUG") == 9
    assert hub.stock.holds_of(["a"])[0].pending == 1


def test_a_channel_is_held_to_its_quota(hub: OrderHub) -> None:
    hub.stock.set_quota(sku="MUG", channel="web", kind=QuotaKind.CAPPED, units=3, key="q")
    assert hub.stock.hold([line("a", 3)], key="h1", channel="web").applied
    assert not hub.stock.hold([line("b", 1)], key="h2", channel="web").applied
    assert [(one.channel, one.used) for one in hub.stock.quotas_of(["MUG"])] == [("web", 3)]
    assert hub.stock.drop_quota(sku="MUG", channel="web", key="d").applied
    assert hub.stock.hold([line("b", 1)], key="h3", channel="web").applied


def test_work_is_claimed_with_the_goods(hub: OrderHub) -> None:
    hub.stock.apply(SetCapacity(key="c", slots=(SlotCapacity(node="TPE", slot_at=NINE, capacity=1),)))
    slot = SlotRequest(owner="a", node="TPE", slot_at=NINE, units=1)
    assert hub.stock.apply(PlaceHolds(key="h", lines=(line("a", 1),), slots=(slot,))).applied
    assert [one.free for one in hub.stock.slots([("TPE", NINE)])] == [0]
    hub.stock.apply(ReleaseSlots(key="x", claims=(ClaimRef(owner="a"),)))
    assert [(one.held, one.released) for one in hub.stock.claims_of(["a"])] == [(0, 1)]


def test_promises_ahead_of_stock_become_holds(hub: OrderHub) -> None:
    hub.stock.apply(SetBackorderCap(key="c", sku="MUG", cap=9))
    asked = BackorderRequest(owner="a", line="1", sku="MUG", quantity=4)
    hub.stock.apply(PlaceBackorders(key="b", lines=(asked,)))
    assert [one.promised for one in hub.stock.backorder_caps(["MUG"])] == [4]
    answer = asyncio.run(hub.aio.stock.convert_backorders(sku="MUG", node="TPE", key="v"))
    assert [(one.owner, one.quantity) for one in answer.holds] == [("a", 4)]
    assert [(one.open, one.converted) for one in hub.stock.backorders_of(["a"])] == [(0, 4)]
