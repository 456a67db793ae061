"""The channels' benchmark: its smallest run has every figure and checks itself, and every adapter has a typical order."""

from __future__ import annotations

import pytest

from benchmarks import channels_parse, channels_publish
from benchmarks.channels_orders import DIALECTS, LINES, typical
from benchmarks.harness import Context
from omo_core.channels.registry import channel_names


@pytest.mark.parametrize("name", DIALECTS)
def test_a_typical_order_is_read_as_it_was_written(name: str) -> None:
    order = typical(name).read()
    assert [(line.sku, line.quantity) for line in order.lines] == [(sku, quantity) for sku, quantity, _ in LINES]


def test_every_adapter_is_measured() -> None:
    assert set(channel_names()) <= DIALECTS.keys()


@pytest.mark.slow
@pytest.mark.postgres
def test_the_smallest_run_has_every_figure() -> None:
    context = Context("channels", "smallest")
    channels_parse.measure(context)
    channels_publish.measure(context)
    assert {"parse_vs_json_worst", "publish_100k_s", "publish_100k_first_s"} <= context.figures.keys()
    worst = max(value for key, value in context.figures.items() if key.endswith("_vs_json"))
    assert context.figures["parse_vs_json_worst"] == worst
