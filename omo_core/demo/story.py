"""The preparation's counts in the words of the report: what was read, dropped, kept and sent on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omo_core.report.summary import PreparationCount


def title(counts: Mapping[str, Any]) -> str:
    """The report's title, from the counts of preparation.json."""
    return f"{counts['flow']['baskets']:,} baskets through one stock pool"


def subtitle(counts: Mapping[str, Any]) -> str:
    """Whose baskets, from when, with which seed, and whose places."""
    return (
        f"The Complete Journey baskets from Monday {counts['period']['flow_from']}, seed {counts['seed']}. "
        "Places are ours: the source has no coordinates."
    )


def preparation_counts(counts: Mapping[str, Any]) -> tuple[PreparationCount, ...]:
    """Every count of the preparation with its reason, in the order in which it happened."""
    source, clean, flow, lines = (counts[name] for name in ("source", "clean", "flow", "lines_of_flow"))
    by_method = counts["baskets_by_method"]
    online = sum(by_method.values()) - by_method["counter"]
    rows: list[tuple[str, str, int, int | None]] = [
        ("Lines in the source", "every line of the year, sorted by time, basket and product", source["lines"], None)
    ]
    rows += [(f"Lines: {one['rule']}", one["reason"], one["lines"], source["lines"]) for one in counts["cleaning"]]
    rows += [
        ("Clean lines", "what is left of the year", clean["lines"], source["lines"]),
        ("Clean baskets", "those with a line left", clean["baskets"], source["baskets"]),
        ("Baskets that flow", "the next ones after eight weeks of history", flow["baskets"], clean["baskets"]),
        ("Counter sales", "first come, first served on the same clock", by_method["counter"], flow["baskets"]),
        ("Online baskets", "chosen by a hash of the basket", online, flow["baskets"]),
        ("Shipped", "Shopify's webhooks, and Amazon's notices with the orders they name", by_method["ship"], online),
        ("Picked up", "WooCommerce, Square and BigCommerce, each in its own dialect", by_method["pickup"], online),
        ("Asked for in one hour", "mini-program, signed native documents", by_method["one_hour"], online),
        (
            "Online lines off catalogue",
            "no node had the SKU at the start: not ordered",
            lines["off_catalogue"],
            lines["online"],
        ),
        (
            "Online baskets wholly off catalogue",
            "nothing was left to order",
            counts["baskets_wholly_off_catalogue"],
            online,
        ),
        (
            "Counter lines off book",
            "the store's opening book did not know the SKU: sold all the same",
            lines["off_book"],
            lines["counter"],
        ),
        (
            "Lines with a coupon above the price",
            "the buyer paid nothing for them",
            flow["coupon_above_price_lines"],
            flow["lines"],
        ),
    ]
    return tuple(PreparationCount(what=what, reason=reason, count=count, of=of) for what, reason, count, of in rows)
