"""A run's summary of a small network with two regions, one warehouse, and something of everything the page shows."""

from typing import Any

import pytest


def node(code: str, place: tuple[float, float] | None, **more: Any) -> dict[str, Any]:
    point = {"latitude": place[0], "longitude": place[1]} if place else None
    return {"node": code, "kind": "store", "point": point, "units": 0, "fulfilment_orders": 0} | more


@pytest.fixture
def summary() -> dict[str, Any]:
    atlanta, detroit = {"region": "Atlanta, GA"}, {"region": "Detroit, MI"}
    return {
        "title": "A small run",
        "subtitle": "Ten orders",
        "currency": "USD",
        "totals": {
            "orders": 10,
            "lines": 20,
            "units": 30,
            "units_assigned": 27,
            "fulfilment_orders": 12,
            "splits": 3,
            "rejected": 2,
            "resourced": 1,
            "counter_sales": 5,
            "counter_lines": 8,
            "displaced_units": 1,
        },
        "filled": {"part": 18, "whole": 20},
        "nearest_only": {"part": 7, "whole": 20},
        "cost_by_term": [{"term": "shipping", "minor": 123_456}, {"term": "markdown_credit", "minor": -456}],
        "waves": {
            "waves": 4,
            "optimal": 3,
            "deliveries": 11,
            "cost_minor": 123_000,
            "lower_bound_minor": 120_540,
            "greedy_minor": 125_000,
        },
        "served_by_kind": [
            {"kind": "regional_warehouse", "units": 9, "fulfilment_orders": 4},
            {"kind": "store", "units": 18, "fulfilment_orders": 8},
        ],
        "splits": [{"nodes": 0, "orders": 1}, {"nodes": 1, "orders": 6}, {"nodes": 2, "orders": 3}],
        "nodes": [
            node("store-1", (33.75, -84.39), units=12, fulfilment_orders=5, **atlanta),
            node("store-2", (33.92, -84.38), units=6, fulfilment_orders=3, rejected=2, **atlanta),
            node("store-3", (42.33, -83.05), **detroit),
            node("store-4", (42.49, -83.01), **detroit),
            node("hub", (41.66, -83.56), kind="regional_warehouse", name="Warehouse, Toledo", units=9),
        ],
        "flows": [
            {"node": "store-1", "region": "Atlanta, GA", "units": 12},
            {"node": "store-2", "region": "Detroit, MI", "units": 6},
            {"node": "hub", "region": "Detroit, MI", "units": 9},
        ],
        "why": [
            {
                "order": "#1001",
                "channel": "shopify",
                "method": "one_hour",
                "destination": "Decatur",
                "lines": 2,
                "units": 2,
                "cost_by_term": [{"term": "shipping", "minor": 611}],
                "parts": [
                    {
                        "node": "store-1",
                        "lines": 2,
                        "units": 2,
                        "sentence": "Has both lines and is the cheapest.",
                        "runners_up": [
                            {"node": "store-2", "more_minor": 120, "reason": "lies 9 km farther"},
                            {"node": "store-3", "reason": "is closed at this hour"},
                        ],
                    }
                ],
                "shortfall": "1 unit of 77: no node has any",
            }
        ],
        "preparation": [{"what": "No product", "reason": "unlisted", "count": 4_836, "of": 1_469_307}],
        "rejected_rows": [{"file": "orders.jsonl", "line": 17, "code": "unreadable_body", "sentence": "Not JSON."}],
        "rejected_rows_total": 3,
        "audit": [{"name": "reserved = open holds", "checked": 40, "broken": 0}],
        "attribution": ["Places are ours."],
    }
