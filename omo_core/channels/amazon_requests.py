"""The requests to Amazon's Selling Partner API, and what its answers say item by item.

Sources: the models ordersV0.json, orders_2026-01-01.json and listingsItems_2021-08-01.json of
https://github.com/amzn/selling-partner-api-models, and https://developer-docs.amazon.com/sp-api/docs/merge-a-listing.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from pydantic_core import to_json

from omo_core.channels.amazon_order import AmazonConfig
from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import answer_by_status
from omo_core.channels.intents import (
    Answer,
    ItemAnswer,
    ListChanges,
    Parcel,
    RateLimit,
    ReadyForPickup,
    Request,
    Response,
    SetStock,
    Ship,
    cannot,
)
from omo_core.channels.reading import read_json
from omo_core.model.refusals import Refusal

LIMITS: Final = (
    ("searchOrders", RateLimit(per_period=1, period_ms=178_600, burst=20)),
    ("getOrders", RateLimit(per_period=1, period_ms=60_000, burst=20)),
    ("confirmShipment", RateLimit(per_period=2, burst=10)),
    ("updateShipmentStatus", RateLimit(per_period=5, burst=15)),
    ("patchListingsItem", RateLimit(per_period=5, burst=5)),
    ("*", RateLimit(per_period=1, period_ms=2_000, burst=30)),
)
"""The usage plans that the models and the rate limit pages give as defaults."""

PAGE: Final = 100
BEHIND_S: Final = 150
"""Windows end two minutes before the request, and a little more for the way there."""
_ORDER_ID: Final = re.compile(r"[0-9S][0-9]{2}-[0-9]{7}-[0-9]{7}")
_INCLUDED: Final = ("PROCEEDS", "PROMOTION", "CANCELLATION", "FULFILLMENT", "PAYMENT")
_TAKEN: Final = frozenset({"ACCEPTED", "VALID"})


def is_order_id(text: str) -> bool:
    """Whether a text is an Amazon order id, in its 3-7-7 format."""
    return _ORDER_ID.fullmatch(text) is not None


def fetch_order(config: AmazonConfig, order_id: str) -> tuple[Request, ...]:
    """The requests whose answers make one order: one for version 2026-01-01, two or three for v0."""
    if config.api == "2026-01-01":
        query = {"includedData": _included(config)}
        return (_get(config, "getOrder", f"/orders/2026-01-01/orders/{order_id}", query, (order_id,)),)
    calls = [("getOrder", ""), ("getOrderItems", "/orderItems")]
    calls += [("getOrderAddress", "/address")] if config.personal_data else []
    return tuple(_get(config, name, f"/orders/v0/orders/{order_id}{path}", {}, (order_id,)) for name, path in calls)


def next_items(config: AmazonConfig, order_id: str, token: str) -> Request:
    """The request for the next page of an order's items, of version v0."""
    return _get(config, "getOrderItems", f"/orders/v0/orders/{order_id}/orderItems", {"NextToken": token}, (order_id,))


def list_changes(config: AmazonConfig, intent: ListChanges) -> tuple[Request, ...] | Refusal:
    """A page of the orders that changed; the window must end at least two minutes ago, or Amazon refuses it."""
    if config.marketplace is None:
        return cannot(config.channel, intent.kind, "its configuration names no marketplace")
    window = (_time(intent.since), _time(intent.until))
    if config.api == "2026-01-01":
        query = {
            "marketplaceIds": config.marketplace,
            "lastUpdatedAfter": window[0],
            "lastUpdatedBefore": window[1],
            "maxResultsPerPage": str(PAGE),
            "includedData": _included(config),
        }
        query |= {"fulfilledBy": "MERCHANT"} if config.fulfilled_by == "merchant" else {}
        query |= {"paginationToken": intent.cursor} if intent.cursor else {}
        return (_get(config, "searchOrders", "/orders/2026-01-01/orders", query, (intent.key[:128],)),)
    query = {
        "MarketplaceIds": config.marketplace,
        "LastUpdatedAfter": window[0],
        "LastUpdatedBefore": window[1],
        "MaxResultsPerPage": str(PAGE),
    }
    query |= {"FulfillmentChannels": "MFN"} if config.fulfilled_by == "merchant" else {}
    query |= {"NextToken": intent.cursor} if intent.cursor else {}
    return (_get(config, "getOrders", "/orders/v0/orders", query, (intent.key[:128],)),)


def ship(config: AmazonConfig, intent: Ship) -> tuple[Request, ...] | Refusal:
    """One confirmation a parcel; Amazon wants each to name its items."""
    if config.marketplace is None:
        return cannot(config.channel, intent.kind, "its configuration names no marketplace")
    if not all(parcel.quantities for parcel in intent.parcels):
        return cannot(config.channel, intent.kind, "it wants the lines and quantities of every parcel")
    path = f"/orders/v0/orders/{intent.external_id}/shipmentConfirmation"
    return tuple(
        _send(
            config,
            "confirmShipment",
            path,
            {"marketplaceId": config.marketplace, "packageDetail": _package(parcel)},
            parcel.tracking,
        )
        for parcel in intent.parcels
    )


def _package(parcel: Parcel) -> dict[str, Any]:
    # A positive number that is the same whenever the parcel is sent again, and another for each parcel.
    reference = zlib.crc32(f"{parcel.carrier}\n{parcel.tracking}".encode()) or 1
    package = {
        "packageReferenceId": str(reference),
        "carrierCode": parcel.carrier,
        "trackingNumber": parcel.tracking,
        "shipDate": _time(parcel.shipped_at),
        "orderItems": _items(parcel.quantities),
    }
    return package | ({"shipFromSupplySourceId": parcel.location} if parcel.location else {})


def ready(config: AmazonConfig, intent: ReadyForPickup) -> tuple[Request, ...] | Refusal:
    """The goods of an in-store pickup wait."""
    if config.marketplace is None:
        return cannot(config.channel, intent.kind, "its configuration names no marketplace")
    body: dict[str, Any] = {"marketplaceId": config.marketplace, "shipmentStatus": "ReadyForPickup"}
    body |= {"orderItems": _items(intent.quantities)} if intent.quantities else {}
    path = f"/orders/v0/orders/{intent.external_id}/shipment"
    return (_send(config, "updateShipmentStatus", path, body, intent.external_id),)


def set_stock(config: AmazonConfig, intent: SetStock) -> tuple[Request, ...] | Refusal:
    """One patch a listing, which Amazon knows by the merchant's code; other fields of the offer stay as they are."""
    if config.marketplace is None or config.seller is None:
        return cannot(config.channel, intent.kind, "its configuration names no marketplace or no seller")
    query = urlencode({"marketplaceIds": config.marketplace})
    return tuple(
        _send(
            config,
            "patchListingsItem",
            f"/listings/2021-08-01/items/{config.seller}/{quote(level.sku or level.listing, safe='')}?{query}",
            {"productType": "PRODUCT", "patches": [_quantity(level.units)]},
            level.listing,
            method="PATCH",
        )
        for level in intent.levels
    )


def _quantity(units: int) -> dict[str, Any]:
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": units}]
    return {"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}


def read_answer(request: Request, response: Response, max_bytes: int) -> Answer:
    """What an answer says: errors by their code, and a listing's issues. Raises `UnreadableBody`."""
    answer = answer_by_status(request, response)
    if not answer.ok:
        return _with_error(answer, response)
    if request.operation != "patchListingsItem":
        return answer
    document = Cursor(read_json(response.body, max_bytes=max_bytes))
    status = document.text("status")
    if status in _TAKEN:
        return answer.model_copy(update={"reference": document.optional_identifier("submissionId")})
    issue = next((one for one in document.children("issues") if one.optional_text("severity") == "ERROR"), None)
    code, message = _fault(issue) if issue else (status, None)
    return Answer(items=tuple(ItemAnswer(item=item, ok=False, code=code, message=message) for item in request.items))


def _with_error(answer: Answer, response: Response) -> Answer:
    """The same answer with Amazon's own code and sentence, where the body has them."""
    try:
        errors = list(Cursor(read_json(response.body)).children("errors"))
        code, message = _fault(errors[0]) if errors else (None, None)
    except ValueError:  # a gateway's page, not the API's answer
        return answer
    if code is None:
        return answer
    told = {"code": code, "message": message}
    return answer.model_copy(update={"items": tuple(item.model_copy(update=told) for item in answer.items)})


def _fault(fault: Cursor) -> tuple[str | None, str | None]:
    code, message = fault.optional_text("code"), fault.optional_text("message")
    return (code[:200] if code else None, message[:500] if message else None)


def _included(config: AmazonConfig) -> str:
    return ",".join((*(("RECIPIENT",) if config.personal_data else ()), *_INCLUDED))


def _items(quantities: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"orderItemId": line, "quantity": quantity} for line, quantity in quantities]


def _url(config: AmazonConfig, path: str) -> str:
    return f"https://sellingpartnerapi-{config.region}.amazon.com{path}"


def _get(config: AmazonConfig, name: str, path: str, query: dict[str, str], items: tuple[str, ...]) -> Request:
    asked = f"?{urlencode(query)}" if query else ""
    return Request(
        url=_url(config, path + asked), headers=(("Accept", "application/json"),), operation=name, items=items
    )


def _send(
    config: AmazonConfig, name: str, path: str, body: dict[str, Any], item: str, *, method: str = "POST"
) -> Request:
    return Request(
        method="PATCH" if method == "PATCH" else "POST",
        url=_url(config, path),
        headers=(("Accept", "application/json"), ("Content-Type", "application/json")),
        body=to_json(body),
        operation=name,
        items=(item,),
    )


def _time(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
