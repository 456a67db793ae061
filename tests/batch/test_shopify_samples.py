"""Real orders that Shopify published run like our own: the network and its stock are made from their SKUs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from omo_core.batch.run import RunOptions
from omo_core.channels.registry import adapter
from omo_core.channels.shopify import ShopifyAdapter
from omo_core.model.errors import OmoError
from omo_core.model.orders import Order
from tests.batch.shop import Shop, network
from tests.channels.samples import FACTS, needs_samples

pytestmark = needs_samples


def published() -> list[tuple[str, tuple[Order, ...]]]:
    """Every published order body on one line, with the orders in it."""
    found = []
    for path in sorted((FACTS / "samples" / "shopify").glob("*.json")):
        try:
            orders = adapter("shopify").parse_orders(path.read_bytes())
        except OmoError:
            continue
        found.append((json.dumps(json.loads(path.read_text("utf-8"))), orders))
    return found


def test_published_orders_are_sourced_or_refused_for_what_they_lack(shop: Shop) -> None:
    bodies = published()
    orders = [order for _, found in bodies for order in found]
    skus = sorted({line.sku for order in orders for line in order.fulfillable() if line.sku})
    assert skus, "no published order has an item"
    shop.write_network(network(skus=skus) | {"currency": "USD"})
    shop.write_stock([(sku, "WH", 100) for sku in skus])
    shop.write_orders([body for body, _ in bodies])
    outcome = shop.run(options=RunOptions(dialect=ShopifyAdapter()))
    totals = outcome.summary.totals
    assert totals.units_assigned == totals.units > 0
    assert shop.rejected() == expected_rejects([orders for _, orders in bodies])


def expected_rejects(bodies: Sequence[tuple[Order, ...]]) -> list[tuple[str, int, str]]:
    """Open orders with a line that names no item, and another content under the version that is stored."""
    expected: list[tuple[str, int, str]] = []
    stored: dict[str, Order] = {}
    for number, orders in enumerate(bodies, start=1):
        for one in orders:
            content = one.model_copy(update={"body_sha256": None, "oddities": ()})
            before = stored.get(one.external_id)
            nameless = [line for line in one.lines if line.physical and line.current_quantity and not line.sku]
            if one.status == "open" and nameless:
                expected.append(("orders.jsonl", number, "line_without_sku"))
            elif before and before.source_version == one.source_version and before != content:
                expected.append(("orders.jsonl", number, "version_conflict"))
            elif before is None or one.source_version > before.source_version:
                stored[one.external_id] = content
    assert {code for _, _, code in expected} == {"line_without_sku", "version_conflict"}
    return expected
