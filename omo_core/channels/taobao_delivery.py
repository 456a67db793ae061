"""How a trade of the Taobao open platform reaches its buyer, and what one shop's adapter has to know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import DialectConfig
from omo_core.channels.fields import CHINA, free_text, optional_local
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery
from omo_core.model.values import ChannelId, NodeId

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_COLLECTED: Final = (("rt_omni_send_type", "pickUp"), ("o2o_delivery", "inshop"))
_COUNTRIES: Final[Mapping[str, str]] = {"中国": "CN", "中国大陆": "CN"}


class TaobaoConfig(DialectConfig):
    """How to talk with one shop; `secrets` are the application's, with which requests are signed."""

    channel: ChannelId = "taobao"
    app_key: str = ""
    gateway: Annotated[str, Field(pattern=r"^https://")] = "https://eco.taobao.com/router/rest"
    sign_method: Literal["md5", "hmac", "hmac-sha256"] = "md5"
    """As the gateway calls them; md5 is the one the platform publishes an example of."""
    stores: Mapping[str, NodeId] = {}
    """The shop's own code of a store to our node, for goods collected there; one not listed is its own node id."""
    ship_call: Literal["taobao.logistics.offline.send", "taobao.logistics.online.send"] = (
        "taobao.logistics.offline.send"
    )
    """Offline: the carrier is the shop's own. Online: ordered with the platform, also for cash on delivery."""
    bundle_counts: Literal["each", "all"] | None = None
    """Whether `quantity` inside a combined item counts for each of it or for all of the line; the documentation does not
    say. None reads it as `each` and notes that as odd where more than one was bought."""


def read_delivery(trade: Cursor, config: TaobaoConfig) -> Delivery:
    """Collected in a store where the trade names one, delivered at once where it says so, else shipped."""
    shipping = trade.optional_text("shipping_type")
    store = _store(trade)
    if store is None and any(trade.optional_text(key) == word for key, word in _COLLECTED):
        trade.odd("rt_omni_store_id", "the goods are to be collected, and no store is named: read as shipped")
    method = DeliveryMethod.ONE_HOUR if shipping == "instant" else DeliveryMethod.SHIP
    if store is not None:
        method = DeliveryMethod.PICKUP
    return trade.build(
        Delivery,
        method=method,
        pickup_node=None if store is None else config.stores.get(store, store),
        address=_address(trade),
        service=shipping,
        ship_by=_promised(trade, "delivery_time") or _promised(trade, "send_time"),
        deliver_by=_promised(trade, "sign_time"),
    )


def _store(trade: Cursor) -> str | None:
    """The store where the buyer collects the goods, by the shop's own code of it."""
    if trade.has("shop_code"):
        return trade.optional_identifier("shop_code")
    if trade.optional_text("rt_omni_send_type") == "pickUp":
        return trade.optional_identifier("rt_omni_outer_store_id") or trade.optional_identifier("rt_omni_store_id")
    if trade.optional_text("o2o_delivery") == "inshop":
        return trade.optional_identifier("o2o_shop_id")
    return None


def _promised(trade: Cursor, key: str) -> datetime | None:
    """Promised times come as a moment, as a day or as words; only a moment is one to us."""
    value = trade.optional_text(key)
    if value is None or _TIME.fullmatch(value):
        return optional_local(trade, key, CHINA)
    trade.odd(key, f"{value[:40]!r} is no moment, so it is left out")
    return None


def _address(trade: Cursor) -> Address | None:
    def text(key: str) -> str | None:
        return (free_text(trade, key) or "").strip() or None

    token = trade.optional_identifier("oaid")
    # Gateways write what consists of digits as a number.
    phone = trade.optional_identifier("receiver_mobile") or trade.optional_identifier("receiver_phone")
    recipient = text("receiver_name")
    street = tuple(one for one in (text("receiver_town"), text("receiver_address")) if one)
    city, region = text("receiver_city"), text("receiver_state")
    if not any((token, recipient, phone, street, city, region)):
        return None
    country = text("receiver_country") or ""
    country = _COUNTRIES.get(country, country.upper())
    return trade.build(
        Address,
        recipient=recipient,
        phone=phone,
        street=street,
        district=text("receiver_district"),
        city=city,
        region=region,
        postal_code=trade.optional_identifier("receiver_zip"),
        country=country if re.fullmatch("[A-Z]{2}", country) else None,
        masked=token is not None or "*" in f"{recipient}{phone}{street}",
        token=token,
    )
