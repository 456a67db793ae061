"""Every channel hears of a typical order that left, in one parcel and in two, in requests that its adapter makes."""

from __future__ import annotations

from typing import Any, Final

import pytest

from benchmarks.channels_orders import DIALECTS, lean
from omo_core.channels.intents import IntentKind, Ship
from omo_core.channels.port import ChannelAdapter
from omo_core.channels.registry import adapter, channel_names
from omo_core.exchange import Reported
from omo_core.hub import OrderHub
from omo_core.model.items import Item
from omo_core.model.network import Network, Node, NodeKind
from omo_core.model.orders import Order
from omo_core.model.stock import Demand, Receive
from omo_core.model.values import GeoPoint
from tests.exchange.test_reporting import Office

CONFIGS: Final[dict[str, dict[str, Any]]] = {
    "bigcommerce": {"store_hash": "abc123"},
    "native": {"endpoint": "https://shop.example/omo"},
    "woocommerce": {"site": "https://shop.example"},
    "shopify": {"shop_domain": "example.myshopify.com"},
    "amazon": {"marketplace": "ATVPDKIKX0DER"},
}
"""What the channel's calls want beside what reading its orders does."""

CALLS: Final = {"woocommerce": 1, "jd": 1, "square": 1}
"""Channels whose orders leave whole: they hear once of two parcels."""

HERE = GeoPoint(latitude=25.03, longitude=121.56)


def opened(name: str) -> tuple[ChannelAdapter, Order]:
    built = adapter(name, {"channel": "shop", **DIALECTS[name].config, **CONFIGS.get(name, {})})
    read = lean(name).read()
    lines, (delivery,) = read.lines, read.deliveries
    if name == "amazon":
        read = read.model_copy(update={"external_id": "902-3159896-1390916"})
    if name == "shopify":
        named = [{"fulfilment": "4001", "fulfilment_line": f"9{line.line}"} for line in lines]
        lines = tuple(line.model_copy(update=more) for line, more in zip(lines, named, strict=True))
    if name in {"square", "bigcommerce"}:
        work = "L1/uid/3" if name == "square" else "77"
        delivery = delivery.model_copy(update={"fulfilment": work})
    return built, read.model_copy(update={"lines": lines, "deliveries": (delivery,)})


def left(name: str, nodes: str) -> tuple[Office, Reported]:
    """What a channel was told of its order, whose lines left from these nodes in turn, a parcel each."""
    built, order = opened(name)
    office = Office(built)
    skus = [line.sku for line in order.lines if line.sku]
    with OrderHub.open("sqlite:///:memory:", channels={name: built}) as hub:
        stores = tuple(Node(node=node, kind=NodeKind.STORE, point=HERE) for node in nodes)
        items = tuple(Item(sku=sku) for sku in dict.fromkeys(skus))
        hub.network.load(Network(currency="USD", nodes=stores, items=items))
        goods = tuple(Demand(sku=sku, node=nodes[place % len(nodes)], quantity=50) for place, sku in enumerate(skus))
        hub.stock.apply(Receive(key="goods", lines=goods))
        for work in hub.orders.place(order).fulfilment_orders:
            hub.fulfilment.accept(work.fulfilment, key=f"a/{work.fulfilment}")
            hub.fulfilment.ship(work.fulfilment, key=f"s/{work.fulfilment}", carrier="2087", tracking=f"T{work.node}")
        return office, hub.channels[name].report(office)


@pytest.mark.parametrize("name", channel_names())
def test_an_order_that_left_is_told_in_every_dialect(name: str) -> None:
    office, done = left(name, "N")
    if IntentKind.SHIP not in opened(name)[0].capabilities.intents:
        assert (done.told, done.skipped, len(done.cannot)) == (0, 1, 1)
        return
    assert (done.told, done.not_told) == (1, ())
    (intent,) = office.asked
    assert isinstance(intent, Ship)
    assert intent.completes
    assert [parcel.tracking for parcel in intent.parcels] == ["TN"]


@pytest.mark.parametrize("name", sorted(set(channel_names()) - {"csv", "meituan"}))
def test_an_order_that_left_in_two_parcels_is_told_in_every_dialect(name: str) -> None:
    office, done = left(name, "NM")
    if name == "shopee":
        assert (done.told, [one.code for one in done.not_told]) == (1, ["capability_missing"]), "parts are its packages"
        return
    assert (done.told, done.not_told) == (2, ())
    assert len(office.asked) == CALLS.get(name, 2)
    told = {parcel.tracking for intent in office.asked if isinstance(intent, Ship) for parcel in intent.parcels}
    assert len(told) == (1 if name == "square" else 2)
    assert isinstance(office.asked[-1], Ship)
    assert office.asked[-1].completes
