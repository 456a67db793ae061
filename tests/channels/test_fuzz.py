"""Whatever arrives, the adapters read it or raise one of our own errors; nothing else comes out."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.channels.native import NativeAdapter
from omo_core.channels.port import ChannelAdapter
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.model.errors import InvalidInput
from omo_core.testing.writers.native import native_order_document
from omo_core.testing.writers.shopify import shopify_order_document
from tests.channels.orders import plain_order
from tests.effort import examples

SHOPIFY = ShopifyAdapter(ShopifyConfig(trust_note_attributes=True, shop_domain="a.myshopify.com"))
TARGETS: list[tuple[ChannelAdapter, Callable[..., dict[str, Any]]]] = [
    (NativeAdapter(), native_order_document),
    (SHOPIFY, shopify_order_document),
]
TOPICS = ["orders/create", "orders/edited", "refunds/create", "app/uninstalled"]

NASTY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**19), 10**19),
    st.sampled_from(["", " ", "NaN", "1e400", "-1", "0.001", "١٢", "\x00", "\x7f", "\u2028", "null", "[]", "a" * 3000]),
    st.floats(),
    st.text(max_size=10),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)


def must_be_read_or_refused(adapter: ChannelAdapter, body: bytes, topic: str = "orders/create") -> None:
    calls: list[Callable[[], object]] = [
        lambda: adapter.parse_event({"X-Shopify-Topic": topic}, body),
        lambda: adapter.parse_order(body),
        lambda: adapter.parse_orders(body),
    ]
    for call in calls:
        try:
            call()
        except InvalidInput as refusal:
            sentence = str(refusal)
            assert sentence.encode("utf-8")
            assert len(sentence) < 1_000


@pytest.mark.parametrize(("adapter", "document"), TARGETS)
@settings(max_examples=examples(40))
@given(body=st.binary(max_size=100), topic=st.sampled_from(TOPICS))
def test_any_bytes(adapter: ChannelAdapter, document: object, body: bytes, topic: str) -> None:
    must_be_read_or_refused(adapter, body, topic)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every way from the top of a document to one of its values."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(deeper for key, item in items for deeper in places(item, (*way, key)))]


def with_value(document: Any, way: tuple[Any, ...], value: Any) -> Any:
    if not way:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[way[0]] = with_value(copy[way[0]], way[1:], value)
    return copy


@pytest.mark.parametrize(("adapter", "write"), TARGETS)
@settings(max_examples=examples(120))
@given(data=st.data())
def test_a_valid_document_with_one_wrong_value(
    adapter: ChannelAdapter, write: Callable[..., dict[str, Any]], data: st.DataObject
) -> None:
    document = json.loads(json.dumps(write(plain_order())))
    way = data.draw(st.sampled_from(places(document)))
    spoilt = with_value(document, way, data.draw(NASTY))
    must_be_read_or_refused(adapter, json.dumps(spoilt).encode())


@pytest.mark.parametrize(("adapter", "write"), TARGETS)
@settings(max_examples=examples(40))
@given(place=st.integers(0, 2000), byte=st.integers(0, 255))
def test_a_valid_body_with_one_wrong_byte(
    adapter: ChannelAdapter, write: Callable[..., dict[str, Any]], place: int, byte: int
) -> None:
    body = json.dumps(write(plain_order())).encode()
    place %= len(body)
    must_be_read_or_refused(adapter, body[:place] + bytes([byte]) + body[place + 1 :])
