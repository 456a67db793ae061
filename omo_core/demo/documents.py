"""The demo's traffic as documents: each order or counter sale in the signed bytes of the channel it comes through."""

from __future__ import annotations

from typing import Any, Final

from omo_core.channels.port import TillSale
from omo_core.demo.dialects import ADAPTERS, MARKETPLACE, TILL, WEB_SHOP
from omo_core.model.orders import Order
from omo_core.testing.writers import (
    write_amazon_notification,
    write_amazon_order,
    write_bigcommerce_event,
    write_bigcommerce_order,
    write_native_counter_sale,
    write_native_order,
    write_shopify_order,
    write_square_event,
    write_square_order,
    write_woocommerce_order,
)
from omo_core.testing.writers.shopify import Signed

SQUARE_URL: Final = "https://hooks.example/square"
STORE_HASH: Final = "demo"

_CONFIG: Final[dict[str, dict[str, Any]]] = {
    "square": {"notification_url": SQUARE_URL},
    "bigcommerce": {"store_hash": STORE_HASH},
}
"""What an adapter needs beside its channel and secret."""


def channel_configs() -> dict[str, Any]:
    """For each channel the adapter that reads it and that adapter's settings; the secrets are the demo's own."""
    return {
        channel: {
            "adapter": adapter,
            "config": {"channel": channel, "secrets": [_secret(channel)], **_CONFIG.get(channel, {})},
        }
        for channel, adapter in ADAPTERS.items()
    }


def envelope(sale: Order | TillSale) -> dict[str, Any]:
    """The line of orders.jsonl: the channel, the headers with the signature, and the exact text that was signed.

    Where the platform's messages only name an order, `documents` holds what its API would answer.
    """
    if isinstance(sale, TillSale):
        headers, body = write_native_counter_sale(sale, secret=_secret(TILL))
        documents: tuple[bytes, ...] = ()
    else:
        (headers, body), documents = _message(sale, _secret(sale.channel))
    line = {"channel": sale.channel, "headers": headers, "body": body.decode("utf-8")}
    return line | ({"documents": [one.decode("utf-8") for one in documents]} if documents else {})


def _message(order: Order, secret: str) -> tuple[Signed, tuple[bytes, ...]]:
    """An order as its channel sends it: the message, and the documents that it only names."""
    if order.channel == WEB_SHOP:
        return write_shopify_order(order, secret=secret), ()
    if order.channel == MARKETPLACE:
        return write_amazon_notification(order, secret=secret), write_amazon_order(order)
    if order.channel == "woocommerce":
        return write_woocommerce_order(order, secret=secret), ()
    if order.channel == "square":
        # A pickup in Square waits at the location of its order.
        place = order.deliveries[0].pickup_node or ""
        event = write_square_event(
            order, secret=secret, notification_url=SQUARE_URL, event_id=f"e-{order.external_id}", location=place
        )
        return event, (write_square_order(order, location=place),)
    if order.channel == "bigcommerce":
        event = write_bigcommerce_event(
            order.external_id, secret=secret, store_hash=STORE_HASH, event_hash=f"e-{order.external_id}"
        )
        return event, write_bigcommerce_order(order)
    return write_native_order(order, secret=secret), ()


def _secret(channel: str) -> str:
    return f"demo-secret-of-{channel}"
