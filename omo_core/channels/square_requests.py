"""Writes intents as calls of Square's API, and reads its answers.

Sources: https://developer.squareup.com/reference/square/orders-api/update-order, .../orders-api/search-orders and
.../inventory-api/batch-change-inventory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic_core import to_json

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import answer_by_status, batches
from omo_core.channels.intents import (
    Answer,
    CancelOrder,
    FetchOrder,
    Intent,
    ItemAnswer,
    ListChanges,
    ReadyForPickup,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
    cannot,
)
from omo_core.channels.reading import read_json
from omo_core.channels.square_order import SQUARE_ID, SquareConfig
from omo_core.model.errors import InvalidInput
from omo_core.model.refusals import Refusal

STOCK_BATCH: Final = 100
PAGE: Final = 100
_ID: Final = re.compile(SQUARE_ID)
_FULFILMENT: Final = re.compile(r"([A-Za-z0-9_-]{1,60})/([A-Za-z0-9_-]{1,60})/([0-9]{1,18})")
_RETRIED: Final = frozenset({"RATE_LIMITED", "SERVICE_UNAVAILABLE", "INTERNAL_SERVER_ERROR", "GATEWAY_TIMEOUT"})

Made = tuple[Request, ...] | Refusal


def make_requests(intent: Intent, config: SquareConfig) -> Made:
    """The calls of an intent, or the refusal of one that lacks what Square asks for."""
    match intent:
        case FetchOrder():
            return fetch_order(intent.external_id, config)
        case ListChanges():
            return _list(intent, config)
        case SetStock():
            return _set_stock(intent, config)
        case ReadyForPickup():
            return _update(intent, config, {"state": "PREPARED"})
        case Ship():
            parcel = intent.parcels[0]
            details = {
                "carrier": parcel.carrier,
                "tracking_number": parcel.tracking,
                "tracking_url": parcel.tracking_url,
            }
            filled = {name: value for name, value in details.items() if value is not None}
            return _update(intent, config, {"state": "COMPLETED", "shipment_details": filled})
        case CancelOrder():
            return _cancel(intent, config)
        case _:
            return cannot(config.channel, intent.kind, "its adapter makes no such call")


def fetch_order(order_id: str, config: SquareConfig) -> Made:
    """The request for one order."""
    if not _ID.fullmatch(order_id):
        return cannot(config.channel, "fetch_order", f"{order_id[:40]!r} is no id of Square's")
    return (_call("GET", f"/v2/orders/{order_id}", config, "fetch_order", items=(order_id,)),)


def _list(intent: ListChanges, config: SquareConfig) -> Made:
    if not config.location_ids:
        return cannot(config.channel, intent.kind, "orders are listed by location; set location_ids")
    window = {"start_at": _time(intent.since), "end_at": _time(intent.until)}
    document: dict[str, Any] = {
        "location_ids": list(config.location_ids),
        "query": {
            "filter": {"date_time_filter": {"updated_at": window}},
            "sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"},
        },
        "limit": PAGE,
        "return_entries": False,
    }
    if intent.cursor is not None:
        document["cursor"] = intent.cursor
    return (_call("POST", "/v2/orders/search", config, "list_changes", document, items=(intent.kind,)),)


def _update(intent: Ship | ReadyForPickup, config: SquareConfig, change: Mapping[str, Any]) -> Made:
    """Square updates a fulfilment of the very version that the caller has seen, and refuses an older one."""
    named = _FULFILMENT.fullmatch(intent.fulfilment or "")
    if named is None:
        return cannot(config.channel, intent.kind, "it wants the fulfilment of the order's delivery, as it was read")
    if not _ID.fullmatch(intent.external_id):
        return cannot(config.channel, intent.kind, f"{intent.external_id[:40]!r} is no id of Square's")
    location, uid, version = named.groups()
    changes = {"location_id": location, "version": int(version), "fulfillments": [{"uid": uid, **change}]}
    return (_change_order(intent.external_id, changes, intent.key, config),)


def _cancel(intent: CancelOrder, config: SquareConfig) -> Made:
    """The order and all of its fulfilments are called off in one update, of the version that was seen, or not at all.

    Square refuses an order with a live fulfilment, one that is paid, and one that changed meanwhile. That it takes both at
    once is not proven; in two updates the second could meet a version that nobody has seen.
    """
    named = [_FULFILMENT.fullmatch(one) for one in intent.fulfilments]
    found = [one.groups() for one in named if one is not None]
    if not found or len(found) < len(named) or len({(location, version) for location, _, version in found}) > 1:
        why = "it wants the fulfilments of all the order's deliveries, as they were read together"
        return cannot(config.channel, intent.kind, why)
    if not _ID.fullmatch(intent.external_id):
        return cannot(config.channel, intent.kind, f"{intent.external_id[:40]!r} is no id of Square's")
    location, _, version = found[0]
    off = [{"uid": uid, "state": "CANCELED"} for _, uid, _ in found]
    changes = {"location_id": location, "version": int(version), "state": "CANCELED", "fulfillments": off}
    return (_change_order(intent.external_id, changes, intent.key, config),)


def _change_order(order_id: str, changes: Mapping[str, Any], key: str, config: SquareConfig) -> Request:
    document = {"idempotency_key": _idempotency_key(key), "order": changes}
    return _call("PUT", f"/v2/orders/{order_id}", config, "update_order", document, items=(order_id,))


def _set_stock(intent: SetStock, config: SquareConfig) -> Made:
    requests = []
    for number, levels in enumerate(batches(intent.levels, STOCK_BATCH)):
        changes = []
        for level in levels:
            location = level.location or (config.location_ids[0] if len(config.location_ids) == 1 else None)
            if location is None or not _ID.fullmatch(location) or not _ID.fullmatch(level.listing):
                why = f"stock of {level.listing[:40]!r} wants the id of a variation and of a location"
                return cannot(config.channel, intent.kind, why)
            if intent.mode is StockMode.ABSOLUTE or level.units:
                changes.append(_change(intent, level, location))
        if changes:
            document = {
                "idempotency_key": _idempotency_key(f"{intent.key}/{number}"),
                "changes": changes,
                "ignore_unchanged_counts": True,
            }
            items = tuple(dict.fromkeys(level.listing for level in levels))
            path = "/v2/inventory/changes/batch-create"
            requests.append(_call("POST", path, config, "change_inventory", document, items=items))
    return tuple(requests)


def _change(intent: SetStock, level: StockLevel, location: str) -> dict[str, Any]:
    shared = {
        "catalog_object_id": level.listing,
        "location_id": location,
        "occurred_at": _time(intent.as_of),
        "quantity": str(abs(level.units)),
    }
    if intent.mode is StockMode.ABSOLUTE:
        return {"type": "PHYSICAL_COUNT", "physical_count": {**shared, "state": "IN_STOCK"}}
    # What is gone was sold elsewhere; what is there again came from outside of Square's books.
    states = ("NONE", "IN_STOCK") if level.units > 0 else ("IN_STOCK", "SOLD")
    return {"type": "ADJUSTMENT", "adjustment": {**shared, "from_state": states[0], "to_state": states[1]}}


def _call(
    method: Literal["GET", "POST", "PUT"],
    path: str,
    config: SquareConfig,
    operation: str,
    document: Mapping[str, Any] | None = None,
    *,
    items: tuple[str, ...],
) -> Request:
    host = "connect.squareupsandbox.com" if config.sandbox else "connect.squareup.com"
    headers = [("Accept", "application/json"), ("Square-Version", config.api_version)]
    if document is not None:
        headers.append(("Content-Type", "application/json"))
    return Request(
        method=method,
        url=f"https://{host}{path}",
        headers=tuple(headers),
        body=b"" if document is None else to_json(document),
        operation=operation,
        items=items,
    )


def _idempotency_key(key: str) -> str:
    """Square takes at most 128 characters of ASCII in an idempotency key."""
    return hashlib.sha256(key.encode()).hexdigest()


def _time(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_answer(intent: Intent, request: Request, response: Response) -> Answer:
    """What Square says: a request is carried out whole or not at all, so every item fares alike.

    An order that is not found is worth another try: it can be told of before it can be read.
    """
    by_status = answer_by_status(request, response)
    code, message = _error(response)
    if by_status.ok and code is None:
        return by_status
    unseen = isinstance(intent, FetchOrder) and response.status == 404
    return Answer(
        items=tuple(
            ItemAnswer(
                item=one.item,
                ok=False,
                code=code or one.code,
                message=message,
                retry=one.retry or unseen or code in _RETRIED,
            )
            for one in by_status.items
        )
    )


def _error(response: Response) -> tuple[str | None, str | None]:
    """Code and detail of the first error; an answer that is no JSON says no more than its status."""
    try:
        answer = Cursor(read_json(response.body))
        first = next(answer.children("errors"), None)
        if first is None:
            return None, None
        return (first.text("code")[:200], (first.optional_text("detail") or "")[:500] or None)
    except InvalidInput:
        return None, None
