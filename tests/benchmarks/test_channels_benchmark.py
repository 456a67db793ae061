"""The channels' benchmark: its smallest run has every figure and checks itself, and every adapter has a typical order."""

from __future__ import annotations

import pytest

from benchmarks import channels_parse, channels_publish
from benchmarks.channels_orders import DIALECTS, LINES, lean, typical
from benchmarks.channels_typical import OURS, PLACES, REAL, size
from benchmarks.harness import Context
from omo_core.channels.registry import channel_names


@pytest.mark.parametrize("name", DIALECTS)
def test_a_typical_order_is_read_as_it_was_written(name: str) -> None:
    order = typical(name).read()
    assert [(line.sku, line.quantity) for line in order.lines] == [(sku, quantity) for sku, quantity, _ in LINES]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_typical_order_says_what_the_bare_one_says(name: str) -> None:
    read, bare = (one(name).read().model_copy(update={"body_sha256": None}) for one in (typical, lean))
    assert read == bare


@pytest.mark.parametrize("name", PLACES)
def test_a_typical_order_has_as_much_as_its_platforms_and_no_more(name: str) -> None:
    """Within 15 % of the fields; where our writer alone has more than the published examples, nothing joins those."""
    real, ours, bare = REAL[name], size(name, typical(name).bodies), size(name, lean(name).bodies)
    assert ours == OURS[name]
    for count, published, written in zip(ours, real, bare, strict=True):
        assert count <= max(1.15 * published, written)
    for count, published in zip(ours[:2], real[:2], strict=True):
        assert count >= 0.85 * published - 0.5


def test_every_dialect_that_is_compared_with_json_has_its_sizes() -> None:
    compared = {name for name, dialect in DIALECTS.items() if dialect.json}
    assert compared == PLACES.keys() | {"native"}
    assert PLACES.keys() == REAL.keys() == OURS.keys()


def test_a_native_order_leaves_nulls_out() -> None:
    (body,), (bare,) = typical("native").bodies, lean("native").bodies
    assert b"null" in bare
    assert b"null" not in body


def test_every_adapter_is_measured() -> None:
    assert set(channel_names()) <= DIALECTS.keys()


@pytest.mark.slow
@pytest.mark.postgres
def test_the_smallest_run_has_every_figure() -> None:
    context = Context("channels", "smallest")
    channels_parse.measure(context)
    channels_publish.measure(context)
    assert {"parse_vs_json_worst", "publish_100k_s", "publish_100k_first_s"} <= context.figures.keys()
    worst = max(value for key, value in context.figures.items() if key.endswith("_vs_json") and "_lean_" not in key)
    assert context.figures["parse_vs_json_worst"] == worst
