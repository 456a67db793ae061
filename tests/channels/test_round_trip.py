import hashlib

import pytest

from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.port import EventKind
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.testing.writers import write_native_order, write_shopify_order
from tests.channels.orders import plain_order

SECRET = "correct horse"
ADAPTERS = [
    pytest.param(NativeAdapter(NativeConfig(secrets=(SECRET,))), write_native_order, id="native"),
    pytest.param(
        ShopifyAdapter(ShopifyConfig(channel="web", secrets=(SECRET,), trust_note_attributes=True)),
        write_shopify_order,
        id="shopify",
    ),
]


@pytest.mark.parametrize(("adapter", "write"), ADAPTERS)
def test_what_a_writer_signs_is_verified_and_read_as_the_same_order(adapter, write):  # type: ignore[no-untyped-def]
    order = plain_order()
    headers, body = write(order, secret=SECRET)
    adapter.verify(headers, body)
    event = adapter.parse_event(headers, body)
    assert event.kind is EventKind.ORDER
    assert event.order == order.model_copy(update={"body_sha256": hashlib.sha256(body).hexdigest()})
    assert event.order.amounts.imbalance_minor == 0
    assert adapter.parse_order(body) == event.order
