"""The prepared files: readable by the adapters, money to the cent, counts that add up, the same bytes again."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omo_core.channels.port import ChannelAdapter, ChannelEvent
from omo_core.channels.registry import adapter
from omo_core.demo.baskets import PERIODS, CleanBaskets
from omo_core.demo.demand import Demand
from omo_core.demo.dialects import CLICK_AND_COLLECT
from omo_core.demo.places import distance_m
from omo_core.demo.prepare import DemoFiles, _set_scene, prepare
from omo_core.model.errors import ForgedSignature, InvalidInput
from omo_core.model.network import DeliveryMethod, Network, NodeKind
from omo_core.model.orders import Order

pytestmark = pytest.mark.slow


def envelopes(files: DemoFiles) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files.orders.read_text(encoding="utf-8").splitlines()]


def adapters(files: DemoFiles) -> dict[str, ChannelAdapter]:
    channels = json.loads(files.channels.read_text(encoding="utf-8"))
    return {channel: adapter(entry["adapter"], entry["config"]) for channel, entry in channels.items()}


def read(reader: ChannelAdapter, one: dict[str, Any]) -> ChannelEvent:
    """What one line of the file says, with the documents that its message asks for."""
    body = one["body"].encode()
    reader.verify(one["headers"], body)
    event = reader.parse_event(one["headers"], body)
    assert bool(event.fetch) == ("documents" in one)
    return reader.parse_fetched(event, *(text.encode() for text in one["documents"])) if event.fetch else event


@pytest.fixture(scope="module")
def events(small: DemoFiles) -> list[ChannelEvent]:
    readers = adapters(small)
    return [read(readers[one["channel"]], one) for one in envelopes(small)]


def orders_of(events: list[ChannelEvent]) -> list[Order]:
    return [event.order for event in events if event.order]


def test_every_line_is_signed_and_a_changed_byte_is_forged(small: DemoFiles) -> None:
    readers = adapters(small)
    for one in envelopes(small)[::25]:
        assert set(one) - {"documents"} == {"channel", "headers", "body"}
        spoilt = {name: value + "0" for name, value in one["headers"].items()}
        with pytest.raises(ForgedSignature):
            readers[one["channel"]].verify(spoilt, one["body"].encode())
        if "documents" not in one:
            with pytest.raises(ForgedSignature):
                readers[one["channel"]].verify(one["headers"], (one["body"] + " ").encode())


def test_at_least_six_dialects_say_all_there_is_of_an_order(
    small: DemoFiles, clean: CleanBaskets, events: list[ChannelEvent]
) -> None:
    told = {event.order.external_id: event.order for event in events if event.order}
    scene = _set_scene(clean, PERIODS["demo"], 300, 7)
    demand = Demand(scene.homes, [(row.sku, row.node) for row in scene.stock], 7)
    made = [basket.sale for basket in demand.baskets(scene.flow) if isinstance(basket.sale, Order)]
    assert len(made) == len(told)
    for order in made:
        assert told[order.external_id].model_copy(update={"body_sha256": None}) == order
    configs = json.loads(small.channels.read_text(encoding="utf-8"))
    assert len({configs[one["channel"]]["adapter"] for one in envelopes(small)}) >= 6


def test_orders_and_sales_are_in_order_of_time(events: list[ChannelEvent]) -> None:
    instants = []
    for event in events:
        if event.order:
            instants.append(event.order.placed_at)
        elif event.counter_sale:
            instants.append(event.counter_sale.sold_at)
    assert len(instants) == len(events)
    assert instants == sorted(instants)


def test_money_adds_up_to_what_the_source_says_was_paid(events: list[ChannelEvent], clean: CleanBaskets) -> None:
    flow = clean.flow(PERIODS["demo"], 300)
    paid = np.maximum(0, flow.sales_minor - flow.coupon_minor)
    expected = dict(zip(zip(flow.basket.tolist(), flow.product.tolist(), strict=True), paid.tolist(), strict=True))
    seen = 0
    for order in orders_of(events):
        assert order.amounts is not None
        assert order.amounts.imbalance_minor == 0
        for line in order.lines:
            assert line.amounts is not None
            assert line.amounts.gross_minor == line.quantity * line.amounts.list_unit_price_minor
            basket = int(order.external_id.replace("-", ""))
            assert line.amounts.net_minor == expected[basket, int(line.sku or 0)]
            seen += 1
    assert seen > 500


def test_what_goes_on_and_what_does_not_is_counted(
    small: DemoFiles, events: list[ChannelEvent], clean: CleanBaskets
) -> None:
    flow = clean.flow(PERIODS["demo"], 300)
    counts = small.counts
    assert counts == json.loads(small.preparation.read_text(encoding="utf-8"))
    assert counts["flow"]["baskets"] == 300 == sum(counts["baskets_by_method"].values())
    assert counts["flow"]["lines"] == len(flow)
    lines = counts["lines_of_flow"]
    assert lines["counter"] + lines["online"] == len(flow)
    assert (
        lines["ordered"]
        == lines["online"] - lines["off_catalogue"]
        == sum(len(order.lines) for order in orders_of(events))
    )
    sold = [event.counter_sale for event in events if event.counter_sale]
    assert lines["counter"] == sum(len(sale.lines) for sale in sold)
    assert len(events) == 300 - counts["baskets_wholly_off_catalogue"]


def test_only_catalogue_lines_are_ordered_and_off_book_lines_are_counted(
    small: DemoFiles, events: list[ChannelEvent]
) -> None:
    with small.stock.open(encoding="utf-8", newline="") as rows:
        book = {(row["sku"], row["node"]) for row in csv.DictReader(rows)}
    catalogue = {sku for sku, _ in book}
    assert all(line.sku in catalogue for order in orders_of(events) for line in order.lines)
    sold = [event.counter_sale for event in events if event.counter_sale]
    unknown = sum((line.sku, sale.node) not in book for sale in sold for line in sale.lines)
    assert unknown == small.counts["lines_of_flow"]["off_book"] > 0


def test_methods_channels_and_destinations(small: DemoFiles, events: list[ChannelEvent]) -> None:
    network = Network.model_validate_json(small.network.read_text(encoding="utf-8"))
    nodes = {node.node: node for node in network.nodes}
    stores = [node.point for node in network.nodes if node.kind is NodeKind.STORE and node.point]
    for order in orders_of(events):
        (delivery,) = order.deliveries
        assert (order.channel in {"shopify", "amazon"}) == (delivery.method is DeliveryMethod.SHIP)
        assert (order.channel in CLICK_AND_COLLECT) == (delivery.method is DeliveryMethod.PICKUP)
        if delivery.method is DeliveryMethod.PICKUP:
            assert nodes[delivery.pickup_node or ""].kind is NodeKind.STORE
        else:
            assert delivery.address is not None
            assert delivery.address.point is not None
            assert min(distance_m(delivery.address.point, point) for point in stores) <= 3_001
    assert {order.deliveries[0].method for order in orders_of(events)} == set(DeliveryMethod)


def test_network_and_stock_name_the_same_things(small: DemoFiles) -> None:
    network = Network.model_validate_json(small.network.read_text(encoding="utf-8"))
    kinds = Counter(node.kind for node in network.nodes)
    assert kinds[NodeKind.REGIONAL_WAREHOUSE] == 4
    assert kinds[NodeKind.CENTRAL_WAREHOUSE] == 1
    assert kinds[NodeKind.STORE] >= 220
    for node in network.nodes:
        assert node.point is not None
        assert (node.methods == (DeliveryMethod.SHIP,)) == (node.kind is not NodeKind.STORE)
    nodes, skus = {node.node for node in network.nodes}, {item.sku for item in network.items}
    with small.stock.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            assert row["node"] in nodes
            assert row["sku"] in skus
            assert int(row["quantity"]) >= 1


def test_the_output_says_whose_the_places_and_baskets_are(small: DemoFiles) -> None:
    said = " ".join(small.counts["attribution"])
    for word in ("84.51°", "GeoNames", "CC BY 4.0", "Places are ours: the source has no coordinates"):
        assert word in said


@pytest.mark.parametrize(("orders", "period"), [(0, "demo"), (40_001, "demo"), (10, "third")])
def test_impossible_requests_are_refused_before_anything_is_written(tmp_path: Path, orders: int, period: str) -> None:
    with pytest.raises(InvalidInput):
        prepare(tmp_path / "out", orders=orders, period=period)
    assert not (tmp_path / "out").exists()


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(small: DemoFiles, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    again = prepare(tmp_path / "again", orders=300, seed=7, on_progress=lambda *now: told.append(now))
    other = prepare(tmp_path / "other", orders=300, seed=8)
    for name in ("network", "stock", "orders", "channels", "preparation"):
        assert getattr(small, name).read_bytes() == getattr(again, name).read_bytes()
    assert small.orders.read_bytes() != other.orders.read_bytes()
    assert small.network.read_bytes() != other.network.read_bytes()
    assert told[-1] == ("writing orders", 300, 300)


def test_the_full_flow_has_the_expected_shares(tmp_path: Path) -> None:
    counts = prepare(tmp_path).counts
    assert counts["flow"]["baskets"] == 10_000
    assert round(100 * counts["off_book_share_of_counter_lines"]) == 56
    assert 0.06 <= counts["off_catalogue_share_of_online_lines"] <= 0.10
    by_method = counts["baskets_by_method"]
    online = 10_000 - by_method["counter"]
    assert 3_850 <= online <= 4_150
    for method, share in (("ship", 0.60), ("pickup", 0.25), ("one_hour", 0.15)):
        assert abs(by_method[method] / online - share) < 0.025


def test_the_second_period_crosses_the_change_of_clocks(clean: CleanBaskets) -> None:
    flow = clean.flow(PERIODS["second"], 10_000)
    assert flow.instant_s[0] >= PERIODS["second"].flow_s
    assert flow.instant_s[-1] > 1_509_861_600  # 5 November 2017, 06:00 UTC: clocks go back
