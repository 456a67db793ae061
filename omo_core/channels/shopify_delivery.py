"""Reads how a Shopify order reaches its buyer, by what a shop's configuration says of its own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import DialectConfig
from omo_core.channels.fields import free_text
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery
from omo_core.model.values import ChannelId, GeoPoint, NodeId

METHOD_ATTRIBUTE: Final = "omo_method"
PICKUP_ATTRIBUTE: Final = "omo_pickup_node"
DELIVER_BY_ATTRIBUTE: Final = "omo_deliver_by"


class ShopifyConfig(DialectConfig):
    """How to read one shop's messages; `secrets` are the app's client secrets: after a rotation Shopify signs with
    the old one for up to an hour."""

    channel: ChannelId = "shopify"
    shop_domain: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*\.myshopify\.com$")] | None = None
    """Messages of another shop are refused; None takes any shop that signs with these secrets."""
    api_version: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}$")] = "2025-07"
    """Of the Admin API, in the address of every request."""
    locations: Mapping[str, NodeId] = {}
    """Shopify location id to our node, for counter sales and pickups; a location not listed is its own node id."""
    fulfilment_orders: bool = False
    """Fetch an order together with its fulfilment orders, one request more: they tell how each line is delivered and
    whether it is on hold. A message of an order then says what to fetch instead of holding the order."""
    notify_buyers: bool = False
    """Let Shopify write to the buyer when a parcel is told."""
    pickup_nodes: Mapping[str, NodeId] = {}
    """Code or title of a shipping line to the node where its orders are collected."""
    one_hour_services: tuple[str, ...] = ()
    """Codes or titles of shipping lines that promise one-hour delivery."""
    trust_note_attributes: bool = False
    """Let omo_method, omo_pickup_node and omo_deliver_by in note_attributes decide the delivery. Storefront visitors
    can write note attributes, so only for shops whose checkout sets or checks them."""


def read_delivery(document: Cursor, config: ShopifyConfig) -> Delivery:
    """How an order reaches its buyer: shipped, unless the configuration or a trusted attribute says otherwise.

    Raises `UnreadableBody`.
    """
    service, method, pickup_node, deliver_by = None, DeliveryMethod.SHIP, None, None
    address = document.optional_child("shipping_address")
    ways: set[bool] = set()
    for shipping in document.children("shipping_lines"):
        if shipping.boolean("is_removed", False):
            continue
        title = free_text(shipping, "title")
        names = [name for name in (shipping.optional_text("code"), title) if name]
        service = service or title
        if any(name in config.one_hour_services for name in names):
            method = DeliveryMethod.ONE_HOUR
        # With an address the parcel travels, whatever the shipping line is called.
        named = next((config.pickup_nodes[name] for name in names if name in config.pickup_nodes), None)
        ways.add(named is not None)
        if address is None and named is not None:
            method, pickup_node = DeliveryMethod.PICKUP, named
    if len(ways) > 1:
        document.odd("shipping_lines", "names a pickup and a parcel, and not which lines; fetch the fulfilment orders")
    if config.trust_note_attributes:
        attributes = _note_attributes(document)
        pickup_node = attributes.get(PICKUP_ATTRIBUTE, pickup_node)
        method = _method(document, attributes.get(METHOD_ATTRIBUTE)) or method
        if DELIVER_BY_ATTRIBUTE in attributes:
            deliver_by = Cursor(attributes, parent=document, key="note_attributes").instant(DELIVER_BY_ATTRIBUTE)
    return document.build(
        Delivery,
        method=method,
        pickup_node=pickup_node,
        address=_address(address) if address else None,
        service=service,
        deliver_by=deliver_by,
    )


def _note_attributes(document: Cursor) -> dict[str, str]:
    pairs = ((one.optional_text("name"), one.fields.get("value")) for one in document.children("note_attributes"))
    return {name: value for name, value in pairs if name and isinstance(value, str) and value}


def _method(document: Cursor, text: str | None) -> DeliveryMethod | None:
    if text is None:
        return None
    if text not in set(DeliveryMethod):
        document.fail("note_attributes", f"says {METHOD_ATTRIBUTE} {text[:40]!r}", f"use {', '.join(DeliveryMethod)}")
    return DeliveryMethod(text)


def _address(address: Cursor) -> Address:
    def text(key: str) -> str | None:
        return (free_text(address, key) or "").strip() or None

    names = (text("first_name"), text("last_name"))
    country = (text("country_code") or "").upper()
    return address.build(
        Address,
        recipient=text("name") or " ".join(name for name in names if name) or None,
        phone=text("phone"),
        street=tuple(line for line in (text("company"), text("address1"), text("address2")) if line),
        city=text("city"),
        region=text("province") or text("province_code"),
        postal_code=text("zip"),
        country=country if len(country) == 2 and country.isascii() and country.isalpha() else None,
        point=_point(address),
    )


def _point(address: Cursor) -> GeoPoint | None:
    """Shopify's geocoder writes nothing, or 0, 0, where it found no place."""
    if not address.has("latitude") or not address.has("longitude"):
        return None
    point = address.point("latitude", "longitude")
    return point if point and (point.latitude, point.longitude) != (0.0, 0.0) else None
