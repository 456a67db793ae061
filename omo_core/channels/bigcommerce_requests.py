"""Writes intents as calls of BigCommerce's API.

Sources: https://developer.bigcommerce.com/docs/rest-management/orders, .../orders/order-shipments and
.../inventory/adjustments.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal
from urllib.parse import urlencode

from pydantic_core import to_json

from omo_core.channels.bigcommerce_order import PRODUCTS_PAGE, BigCommerceConfig
from omo_core.channels.dialect import batches
from omo_core.channels.intents import (
    CancelOrder,
    FetchOrder,
    Intent,
    ListChanges,
    ReadyForPickup,
    Request,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
    cannot,
)
from omo_core.model.refusals import Refusal

STOCK_BATCH: Final = 10
PAGE: Final = 50
AWAITING_PICKUP, CANCELLED = 8, 5
_NUMBER: Final = re.compile(r"[0-9]{1,18}")

Made = tuple[Request, ...] | Refusal
Method = Literal["GET", "POST", "PUT"]


def make_requests(intent: Intent, config: BigCommerceConfig) -> Made:
    """The calls of an intent, or the refusal of one that lacks what BigCommerce asks for."""
    if config.store_hash is None:
        return cannot(config.channel, intent.kind, "the store is not known; set store_hash")
    if isinstance(intent, SetStock):
        return _set_stock(intent, config)
    if isinstance(intent, ListChanges):
        return _list(intent, config)
    if not _NUMBER.fullmatch(intent.external_id):
        return cannot(config.channel, intent.kind, f"{intent.external_id[:40]!r} is no number of an order")
    path = f"/v2/orders/{intent.external_id}"
    match intent:
        case FetchOrder():
            return fetch_order(intent.external_id, config)
        case Ship():
            return _ship(intent, config)
        case ReadyForPickup():
            return (_call("PUT", path, config, {"status_id": AWAITING_PICKUP}, items=(intent.external_id,)),)
        case CancelOrder():
            return (_call("PUT", path, config, {"status_id": CANCELLED}, items=(intent.external_id,)),)
        case _:
            return cannot(config.channel, intent.kind, "its adapter makes no such call")


def fetch_order(order_id: str, config: BigCommerceConfig) -> tuple[Request, ...]:
    """The requests whose answers make one order."""
    path = f"/v2/orders/{order_id}"
    places = (
        path,
        f"{path}/products?limit={PRODUCTS_PAGE}",
        f"{path}/consignments",
        f"{path}/coupons?limit=250",
        f"/v3/orders/{order_id}/payment_actions/refunds",
    )
    return tuple(_call("GET", place, config, items=(order_id,)) for place in places)


def _list(intent: ListChanges, config: BigCommerceConfig) -> Made:
    first = intent.cursor or "1"
    if not _NUMBER.fullmatch(first):
        return cannot(config.channel, intent.kind, f"{first[:40]!r} is no number of an order to go on with")
    query = urlencode(
        {
            "min_date_modified": intent.since.isoformat(timespec="seconds"),
            "max_date_modified": intent.until.isoformat(timespec="seconds"),
            "min_id": first,
            "sort": "id:asc",
            "limit": PAGE,
        }
    )
    return (_call("GET", f"/v2/orders?{query}", config, items=(intent.kind,)),)


def _ship(intent: Ship, config: BigCommerceConfig) -> Made:
    """One shipment a parcel, each with its lines: BigCommerce asks for them, also where all that is left leaves."""
    if not _NUMBER.fullmatch(intent.fulfilment or ""):
        return cannot(config.channel, intent.kind, "it wants the fulfilment of the order's delivery, as it was read")
    requests = []
    for parcel in intent.parcels:
        if not parcel.quantities or not all(_NUMBER.fullmatch(line) for line, _ in parcel.quantities):
            return cannot(config.channel, intent.kind, "a parcel names its lines and quantities there")
        document: dict[str, Any] = {
            "order_address_id": int(intent.fulfilment or 0),
            "tracking_number": parcel.tracking,
            "tracking_carrier": parcel.carrier,
            "items": [{"order_product_id": int(line), "quantity": quantity} for line, quantity in parcel.quantities],
        }
        if parcel.tracking_url is not None:
            document["tracking_link"] = parcel.tracking_url
        path = f"/v2/orders/{intent.external_id}/shipments"
        requests.append(_call("POST", path, config, document, items=(intent.external_id,)))
    return tuple(requests)


def _set_stock(intent: SetStock, config: BigCommerceConfig) -> Made:
    absolute = intent.mode is StockMode.ABSOLUTE
    requests = []
    for levels in batches([level for level in intent.levels if absolute or level.units], STOCK_BATCH):
        items = []
        for level in levels:
            item = _item(level, config)
            if item is None:
                return cannot(config.channel, intent.kind, f"{level.listing[:40]!r} names no variant or location there")
            items.append(item)
        document = {"reason": f"{intent.mode} stock level", "items": items}
        listings = tuple(dict.fromkeys(level.listing for level in levels))
        path = f"/v3/inventory/adjustments/{intent.mode}"
        requests.append(_call("PUT" if absolute else "POST", path, config, document, items=listings))
    return tuple(requests)


def _item(level: StockLevel, config: BigCommerceConfig) -> dict[str, Any] | None:
    location = level.location or str(config.default_location)
    if not _NUMBER.fullmatch(location):
        return None
    shared = {"location_id": int(location), "quantity": level.units}
    if level.sku is not None:
        return {**shared, "sku": level.sku}
    return {**shared, "variant_id": int(level.listing)} if _NUMBER.fullmatch(level.listing) else None


def _call(
    method: Method,
    path: str,
    config: BigCommerceConfig,
    document: dict[str, Any] | None = None,
    *,
    items: tuple[str, ...],
) -> Request:
    headers = [("Accept", "application/json")]
    if document is not None:
        headers.append(("Content-Type", "application/json"))
    return Request(
        method=method,
        url=f"https://api.bigcommerce.com/stores/{config.store_hash}{path}",
        headers=tuple(headers),
        body=b"" if document is None else to_json(document),
        items=items,
    )
