"""The demo's traffic as documents: each order or counter sale in the signed bytes of the channel it comes through."""

from __future__ import annotations

from typing import Any, Final

from omo_core.channels.port import TillSale
from omo_core.demo.demand import MINI_PROGRAM, TILL, WEB_SHOP
from omo_core.model.orders import Order
from omo_core.testing.writers import write_native_counter_sale, write_native_order, write_shopify_order

_ADAPTERS: Final = {WEB_SHOP: "shopify", MINI_PROGRAM: "native", TILL: "native"}


def channel_configs() -> dict[str, Any]:
    """For each channel the adapter that reads it and that adapter's settings; the secrets are the demo's own."""
    return {
        channel: {"adapter": adapter, "config": {"channel": channel, "secrets": [_secret(channel)]}}
        for channel, adapter in _ADAPTERS.items()
    }


def envelope(sale: Order | TillSale) -> dict[str, Any]:
    """The line of orders.jsonl: the channel, the headers with the signature, and the exact text that was signed."""
    secret = _secret(sale.channel)
    if isinstance(sale, TillSale):
        headers, body = write_native_counter_sale(sale, secret=secret)
    elif sale.channel == WEB_SHOP:
        headers, body = write_shopify_order(sale, secret=secret)
    else:
        headers, body = write_native_order(sale, secret=secret)
    return {"channel": sale.channel, "headers": headers, "body": body.decode("utf-8")}


def _secret(channel: str) -> str:
    return f"demo-secret-of-{channel}"
