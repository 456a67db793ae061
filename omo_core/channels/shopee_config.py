"""How a host reaches and reads one Shopee shop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from omo_core.channels.dialect import DialectConfig
from omo_core.model.values import ChannelId, NodeId


class ShopeeConfig(DialectConfig):
    """How to reach and read one shop; `secrets` are the app's partner keys, the current one first: it signs requests."""

    channel: ChannelId = "shopee"
    push_url: Annotated[str, Field(pattern=r"^https?://[!-~]{1,500}$")] | None = None
    """The callback address as it is registered at Shopee, to the letter: it is part of what a push signs."""
    host: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")] = "partner.shopeemobile.com"
    partner_id: Annotated[str, Field(pattern=r"^[0-9]{1,10}$")] | None = None
    shop_id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")] | None = None
    """Pushes of another shop are refused; None takes any shop of the app."""
    escrow: bool = True
    """Fetch the seller's side of the money too: only there do vouchers, coins and shipping stand by themselves."""
    shipping: Literal["dropoff", "pickup", "non_integrated"] = "dropoff"
    """How parcels are handed over; it must be one that get_shipping_parameter offers for the shop's carriers."""
    pickup_address_id: Annotated[int, Field(gt=0)] | None = None
    """Where a carrier collects, for `shipping` by pickup."""
    locations: Mapping[str, NodeId] = {}
    """Shopee's warehouse id to our node, for orders collected in a shop; one not listed is its own node id."""
