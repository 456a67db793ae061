"""How a trade of Youzan reaches its buyer, and what one shop's adapter has to know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import DialectConfig
from omo_core.channels.fields import CHINA, free_text, json_inside, optional_local
from omo_core.channels.gateway_signing import compact_json
from omo_core.model.network import DeliveryMethod, enum_of
from omo_core.model.orders import Address, Delivery
from omo_core.model.values import ChannelId, NodeId

_CIPHER: Final = re.compile(r"\$.+\$[0-9]+\$")
"""How the platform marks what it encrypted."""
_PICKUP, _LOCAL = "1", "2"


class YouzanConfig(DialectConfig):
    """How to read one shop's messages; `secrets` are the application's client secrets."""

    channel: ChannelId = "youzan"
    client_id: str = ""
    kdt_id: str | None = None
    """The shop: messages of another one are refused; None takes every shop of the application."""
    body_sign: bool = False
    """Take messages that are signed only inside: older subscriptions send no Event-Sign header, and their `sign`
    covers `msg` alone. What stands outside `msg` is not trusted then."""
    gateway: Annotated[str, Field(pattern=r"^https://")] = "https://open.youzanyun.com"
    stores: Mapping[str, NodeId] = {}
    """The platform's id of a store or pick-up point to our node; one not listed is its own node id."""
    local_delivery: Annotated[DeliveryMethod, enum_of(DeliveryMethod)] = DeliveryMethod.ONE_HOUR
    """What delivery within the city is to us."""


def read_delivery(info: Cursor, detail: Cursor, config: YouzanConfig) -> tuple[Delivery, str | None]:
    """The delivery, and why the goods must wait where its store is not told."""
    kind = str(detail.fields.get("express_type", ""))
    address = info.optional_child("address_info")
    store = _store(address, detail) if kind == _PICKUP else None
    method = config.local_delivery if kind == _LOCAL else DeliveryMethod.SHIP
    if store is not None:
        method = DeliveryMethod.PICKUP
    delivery = info.build(
        Delivery,
        method=method,
        pickup_node=None if store is None else config.stores.get(store, store),
        address=None if address is None else _address(address),
        not_before=None if address is None else optional_local(address, "delivery_start_time", CHINA),
        deliver_by=None if address is None else optional_local(address, "delivery_end_time", CHINA),
    )
    lost = "express_type 1 self_fetch_info" if kind == _PICKUP and store is None else None
    return delivery, lost


def _store(address: Cursor | None, detail: Cursor) -> str | None:
    """Where the goods are collected: the pick-up point's id, or the store's where that is encrypted or missing."""
    text = None if address is None else address.optional_text("self_fetch_info")
    if address is not None and text is not None and not _CIPHER.fullmatch(text):
        point = json_inside(address, "self_fetch_info")
        found = None if point is None else point.optional_identifier("id")
        if found is not None:
            return found
    return offline_store(detail)


def offline_store(detail: Cursor) -> str | None:
    """The store a trade belongs to, where the shop has several."""
    found = detail.optional_identifier("offline_id")
    return found if found != "0" else None


def _address(address: Cursor) -> Address | None:
    """The receiver; what is encrypted goes into the token, by the platform's own field names.

    The coordinates in address_extra are Baidu's, up to a kilometre from everybody else's, so they are left out.
    """
    ciphers: dict[str, str] = {}

    def text(name: str) -> str | None:
        found = (free_text(address, name) or "").strip() or None
        if found is not None and _CIPHER.fullmatch(found):
            ciphers[name] = found
            return None
        return found

    recipient, phone, street = text("receiver_name"), text("receiver_tel"), text("delivery_address")
    region, city, district = text("delivery_province"), text("delivery_city"), text("delivery_district")
    if not ciphers and not any((recipient, phone, street, region, city, district)):
        return None
    return address.build(
        Address,
        recipient=recipient,
        phone=phone,
        street=(street,) if street else (),
        district=district,
        city=city,
        region=region,
        postal_code=text("delivery_postal_code"),
        masked=bool(ciphers) or "*" in f"{recipient}{phone}{street}",
        token=compact_json(ciphers) if ciphers else None,
    )
