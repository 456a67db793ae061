from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.port import Cancellation, SoldLine, TillSale
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.model.orders import OrderStatus
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.writers import (
    write_native_cancellation,
    write_native_counter_sale,
    write_native_order,
    write_shopify_order,
)
from tests.channels.orders import NOON, plain_order

SECRET = "correct horse"
ORDER = plain_order()
CANCELLED = ORDER.model_copy(update={"status": OrderStatus.CANCELLED, "cancelled_at": NOON})
CANCELLATION = Cancellation(channel="web", external_id="1", source_version=1, cancelled_at=NOON, reason="customer")
SALE = TillSale(
    channel="till", external_id="T-1", node="TPE-01", sold_at=NOON, lines=(SoldLine(sku="TEA-100", quantity=1),)
)


class TestNative(ChannelAdapterContract):
    adapter = NativeAdapter(NativeConfig(secrets=(SECRET,), max_bytes=50_000))
    max_bytes = 50_000
    messages = (
        write_native_order(ORDER, secret=SECRET, event_id="e-1"),
        write_native_cancellation(CANCELLATION, secret=SECRET, event_id="e-2"),
        write_native_counter_sale(SALE, secret=SECRET, event_id="e-3"),
        write_native_order(ORDER.model_copy(update={"note": "without an event id"}), secret=SECRET),
    )


class TestShopify(ChannelAdapterContract):
    adapter = ShopifyAdapter(ShopifyConfig(secrets=(SECRET,), shop_domain="example.myshopify.com"))
    messages = (
        write_shopify_order(ORDER, secret=SECRET, webhook_id="w-1"),
        write_shopify_order(CANCELLED, secret=SECRET, topic="orders/cancelled", webhook_id="w-2"),
        write_shopify_order(ORDER, secret=SECRET),
        write_shopify_order(ORDER, secret=SECRET, topic="orders/paid"),
    )
