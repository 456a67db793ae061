"""Quotas and orders: a channel's orders are promised within its part, and the rest of a line says why it waits."""

from __future__ import annotations

from typing import Any

from omo_core.hub import OrderHub
from omo_core.inventory.quotas import quotas_of
from omo_core.model.fulfilment import OrderState, PlacedOrder
from omo_core.model.promised import QuotaKind
from omo_core.model.promises import DropQuota, SetQuota
from tests.orders.conftest import CLOSE, FAR, NEAR, order, stock


def quota(hub: OrderHub, channel: str, kind: QuotaKind, units: int, sku: str = "A") -> None:
    command = SetQuota(key=f"{channel}/{sku}/{units}", sku=sku, channel=channel, quota_kind=kind, units=units)
    assert hub.stock.apply(command).applied


def place(hub: OrderHub, number: str, quantities: dict[str, int], **changes: Any) -> PlacedOrder:
    return hub.orders.place(order(number, quantities, **changes))


def units(placed: PlacedOrder) -> dict[str, int]:
    found: dict[str, int] = {}
    for fulfilment in placed.fulfilment_orders:
        for line in fulfilment.lines:
            found[line.sku] = found.get(line.sku, 0) + line.quantity
    return found


def test_an_order_takes_no_more_than_its_channels_cap(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 4, ("A", FAR): 9, ("B", NEAR): 5})
    quota(hub, "shop", QuotaKind.CAPPED, 6)
    first = place(hub, "1", {"A": 5, "B": 1})
    assert units(first) == {"A": 5, "B": 1}
    second = place(hub, "2", {"A": 3, "B": 1})
    assert units(second) == {"A": 1, "B": 1}
    assert [(one.sku, one.missing) for one in second.shortfalls] == [("A", 2)]
    (left,) = hub.run(lambda tx: quotas_of(tx, ["A"]))
    assert left.used == 6
    assert hub.audit().clean


def test_an_order_does_not_touch_what_is_kept_for_others(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3, ("A", CLOSE): 3})
    quota(hub, "live", QuotaKind.RING_FENCED, 5)
    assert units(place(hub, "1", {"A": 4})) == {"A": 1}
    none_left = place(hub, "2", {"A": 1})
    assert none_left.state is OrderState.UNFULFILLABLE
    live = place(hub, "3", {"A": 5}, channel="live")
    assert units(live) == {"A": 5}
    assert hub.audit().clean


def test_orders_of_one_batch_share_what_a_quota_leaves(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 10})
    quota(hub, "shop", QuotaKind.CAPPED, 3)
    placed = hub.orders.place_many([order(str(number), {"A": 2}) for number in range(3)])
    assert [units(one).get("A", 0) for one in placed] == [2, 1, 0]


def test_a_wave_swaps_its_own_holds_within_the_quota(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 4, ("A", FAR): 4})
    quota(hub, "shop", QuotaKind.CAPPED, 4)
    hub.orders.place_many([order(str(number), {"A": 2}) for number in range(2)], offer=False)
    waved = hub.sourcing.run_wave()
    assert [units(one) for one in waved] == [{"A": 2}, {"A": 2}]
    assert hub.audit().clean


def test_what_waited_for_a_quota_is_served_when_it_is_dropped(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 4})
    quota(hub, "shop", QuotaKind.CAPPED, 1)
    assert units(place(hub, "1", {"A": 3})) == {"A": 1}
    hub.stock.apply(DropQuota(key="drop", sku="A", channel="shop"))
    (again,) = hub.sourcing.retry_short()
    assert units(again) == {"A": 3}
