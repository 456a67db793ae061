"""Reads how a WooCommerce order reaches its buyer, by what a shop's configuration says of its shipping methods.

Sources: https://woocommerce.github.io/woocommerce-rest-api-docs/#order-properties (shipping, billing, shipping_lines).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import DialectConfig
from omo_core.channels.fields import free_text
from omo_core.channels.woocommerce_bundles import meta_of
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery, OrderStatus
from omo_core.model.values import ChannelId, Currency, NodeId

_COLLECTED: Final = frozenset({"local_pickup", "pickup_location"})
"""Method ids by which the buyer comes: the classic one, and the one of the block checkout."""

_ADDRESS: Final = (
    *("first_name", "last_name", "company", "address_1", "address_2"),
    *("city", "state", "postcode", "country", "phone"),
)


class WooCommerceConfig(DialectConfig):
    """How to read one site's messages and ask it; `secrets` are the webhooks' secrets."""

    channel: ChannelId = "woocommerce"
    site: (
        Annotated[str, Field(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?$")]
        | None
    ) = None
    """Address of the site, without a slash at its end: every request goes there."""
    consumer_key: Annotated[str | None, Field(repr=False)] = None
    consumer_secret: Annotated[str | None, Field(repr=False)] = None
    """The REST API key, where the transport is given no token (`key:secret`) of its own."""
    currency: Currency | None = None
    """Of refunds by themselves: their documents name none."""
    statuses: Mapping[str, OrderStatus] = {}
    """What custom statuses of plugins mean, such as {"shipped": "closed"}."""
    pickup_nodes: Mapping[str, NodeId] = {}
    """Where orders are collected, by name of the pickup location, by method:instance, title, or method."""
    one_hour_services: tuple[str, ...] = ()
    """Titles or methods of shipping lines that promise one-hour delivery."""
    virtual_listings: tuple[str, ...] = ()
    """Ids of products and variations that are not sent: an order does not tell which are virtual."""
    tracking: Literal["note", "plugin", "none"] = "note"
    """How parcels are told: a note to the buyer, the Shipment Tracking extension, or only by completing the order."""
    tracking_api: Annotated[str, Field(pattern=r"^[a-z0-9-]+/v[0-9]+$")] = "wc-shipment-tracking/v3"
    """Namespace of the extension; another one with the same calls may be named here."""


def read_delivery(document: Cursor, config: WooCommerceConfig) -> Delivery:
    """How an order reaches its buyer; a pickup place that is not configured is its own node id."""
    service, method, pickup_node, travels = None, DeliveryMethod.SHIP, None, False
    for shipping in document.children("shipping_lines"):
        title, names = free_text(shipping, "method_title"), _names(shipping)
        service = service or title
        named = next((config.pickup_nodes[name] for name in names if name in config.pickup_nodes), None)
        if named is None and (shipping.optional_text("method_id") or "").partition(":")[0] in _COLLECTED:
            named = names[0]
        if named is not None:
            pickup_node = pickup_node or named
        else:
            travels = True
            if any(name in config.one_hour_services for name in names):
                method = DeliveryMethod.ONE_HOUR
    if pickup_node is not None and travels:
        document.odd("shipping_lines", "names a pickup and a parcel, and not which lines; all are sent")
    if pickup_node is not None and not travels:
        return document.build(
            Delivery, method=DeliveryMethod.PICKUP, pickup_node=pickup_node, service=service, address=None
        )
    return document.build(Delivery, method=method, address=_receiver(document, travels), service=service)


def _names(shipping: Cursor) -> list[str]:
    """What a shipping line can be called in the configuration, the most particular first."""
    meta = meta_of(shipping)
    place = next((meta[key] for key in ("pickup_location", "_pickup_location") if key in meta), None)
    method = shipping.optional_text("method_id")
    instance = shipping.optional_identifier("instance_id")
    exact = f"{method}:{instance}" if method and instance and ":" not in method else None
    found = (place if isinstance(place, str) else None, exact, method, shipping.optional_text("method_title"))
    names = [name.strip() for name in found if name and name.strip()]
    base = (method or "").partition(":")[0]
    return [*names, base] if base and base not in names else names


def _receiver(document: Cursor, travels: bool) -> Address | None:
    """The shipping address; the billing one where a parcel travels and the shop asks for no other."""
    billing = document.optional_child("billing")
    shipping = document.optional_child("shipping")
    found = _address(shipping, billing) if shipping else None
    return found or (_address(billing, None) if billing and travels else None)


def _address(one: Cursor, billing: Cursor | None) -> Address | None:
    """None where every field is empty, as WooCommerce writes an address that nobody gave."""
    given = {key: (free_text(one, key) or "").strip() for key in _ADDRESS if one.fields.get(key)}
    country = given.get("country", "").upper()
    fields = {
        "recipient": " ".join(filter(None, (given.get("first_name"), given.get("last_name")))) or None,
        "phone": given.get("phone") or None,
        "street": tuple(filter(None, (given.get("company"), given.get("address_1"), given.get("address_2")))),
        "city": given.get("city") or None,
        "region": given.get("state") or None,
        "postal_code": given.get("postcode") or None,
        "country": country if len(country) == 2 and country.isascii() and country.isalpha() else None,
    }
    if not any(fields.values()):
        return None
    if fields["phone"] is None and billing is not None:
        fields["phone"] = (free_text(billing, "phone") or "").strip() or None
    return one.build(Address, **fields)
