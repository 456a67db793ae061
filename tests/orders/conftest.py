"""A small pool for the orders' tests: two shops a short walk apart, a far warehouse, four items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from omo_core.hub import OrderHub
from omo_core.model.items import Item
from omo_core.model.network import DeliveryMethod, Network, Node, NodeKind
from omo_core.model.orders import Address, Delivery, Order, OrderLine
from omo_core.model.stock import Demand, Receive
from omo_core.model.values import GeoPoint
from omo_core.storage.clock import ManualClock

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
NEAR, CLOSE, FAR = "NEAR", "CLOSE", "FAR"

NETWORK = Network(
    currency="USD",
    nodes=(
        Node(node=NEAR, kind=NodeKind.STORE, point=GeoPoint(latitude=25.03, longitude=121.56)),
        Node(node=CLOSE, kind=NodeKind.STORE, point=GeoPoint(latitude=25.05, longitude=121.52)),
        Node(
            node=FAR,
            kind=NodeKind.CENTRAL_WAREHOUSE,
            point=GeoPoint(latitude=43.06, longitude=141.35),
            methods=(DeliveryMethod.SHIP,),
        ),
    ),
    items=tuple(Item(sku=sku) for sku in "ABCD"),
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def hub(shop_url: str, clock: ManualClock) -> Iterator[OrderHub]:
    """A hub on an empty database of each engine, with the network loaded."""
    with OrderHub.open(shop_url, clock=clock) as opened:
        opened.network.load(NETWORK)
        yield opened


def stock(hub: OrderHub, levels: Mapping[tuple[str, str], int], *, key: str = "opening") -> None:
    """Receive (sku, node) → units."""
    lines = tuple(Demand(sku=sku, node=node, quantity=units) for (sku, node), units in levels.items())
    assert hub.stock.apply(Receive(key=key, lines=lines)).applied


def order(number: str, quantities: Mapping[str, int], **changes: Any) -> Order:
    """An order of SKU → units, shipped to a door between the two shops unless changed."""
    version = changes.pop("source_version", 1)
    delivery = changes.pop("delivery", Delivery(address=Address(point=GeoPoint(latitude=25.031, longitude=121.561))))
    lines = tuple(
        OrderLine(line=str(place), sku=sku, quantity=units, current_quantity=units)
        for place, (sku, units) in enumerate(quantities.items(), start=1)
    )
    values: dict[str, Any] = {
        "channel": "shop",
        "external_id": number,
        "source_version": version,
        "placed_at": NOON,
        "updated_at": NOON,
        "currency": "USD",
        "lines": lines,
        "deliveries": (delivery,),
    }
    return Order(**{**values, **changes})
