"""Makes the requests that carry out intents on Shopify, and reads what it answers.

Sources: https://shopify.dev/docs/api/admin-rest/latest/resources/order (list, cancel),
https://shopify.dev/docs/api/admin-rest/latest/resources/fulfillment,
https://shopify.dev/docs/api/admin-graphql/latest/mutations/inventorySetQuantities, .../inventoryAdjustQuantities,
.../fulfillmentOrderLineItemsPreparedForPickup, https://shopify.dev/docs/api/usage/limits and
https://shopify.dev/changelog/concurrency-protection-features for what changed in 2026-04.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import NotAsked, answer_by_status, batches
from omo_core.channels.intents import (
    Answer,
    CancelOrder,
    Capabilities,
    Intent,
    IntentKind,
    ItemAnswer,
    ListChanges,
    Parcel,
    RateLimit,
    ReadyForPickup,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
)
from omo_core.channels.reading import read_json
from omo_core.channels.shopify_delivery import ShopifyConfig
from omo_core.model.errors import InvalidInput

SHOP_DOMAIN: Final = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_NUMBER: Final = re.compile(r"[0-9]{1,20}")
_STOCK_BATCH: Final = 250
"""Input lists hold at most 250 entries."""

_GRAPHQL: Final = "graphql"
_EXPLICIT_SINCE: Final = "2026-04"
"""From this version on, stock calls need an idempotency key and say in each entry that they compare with nothing."""

_REASONS: Final = frozenset({"customer", "inventory", "fraud", "declined", "other"})

CAPABILITIES: Final = Capabilities(
    intents=frozenset(
        {
            *(IntentKind.FETCH_ORDER, IntentKind.LIST_CHANGES, IntentKind.SHIP, IntentKind.READY_FOR_PICKUP),
            *(IntentKind.SET_STOCK, IntentKind.CANCEL),
        }
    ),
    signs="HMAC-SHA256 of the body, in base64",
    stock_modes=frozenset(StockMode),
    stock_by_location=True,
    stock_batch=_STOCK_BATCH,
    partial_shipments=True,
    several_parcels=True,
    page_size=50,
    # The plan with the least: 2 REST calls a second from a bucket of 40; 100 points a second, a mutation costs 10.
    limits=(
        ("*", RateLimit(per_period=2, burst=40)),
        (_GRAPHQL, RateLimit(per_period=10, burst=10)),
    ),
)


def order_requests(config: ShopifyConfig, order_id: str, shop: str | None = None) -> tuple[Request, ...]:
    """The requests whose answers make an order: itself, and its fulfilment orders where the configuration wants them."""
    path = f"orders/{_number(order_id, 'order')}"
    found = [_get(config, f"{path}.json", shop, order_id)]
    if config.fulfilment_orders:
        found.append(_get(config, f"{path}/fulfillment_orders.json", shop, order_id))
    return tuple(found)


def list_request(config: ShopifyConfig, intent: ListChanges) -> Request:
    """A page of what changed, in the order of ids: nothing is skipped or met twice, however many changed at once."""
    query = {
        "status": "any",
        "limit": str(CAPABILITIES.page_size),
        "since_id": _number(intent.cursor or "0", "cursor"),
        "updated_at_min": intent.since.isoformat(),
        "updated_at_max": intent.until.isoformat(),
    }
    return _get(config, f"orders.json?{urlencode(query)}", None, None)


def ship_requests(config: ShopifyConfig, intent: Ship) -> tuple[Request, ...]:
    """A fulfilment for each parcel of one fulfilment order; its lines' ids are those of the fulfilment order.

    `FulfilmentOrder.own_lines` turns an order's lines into them.
    """
    if intent.fulfilment is None:
        raise NotAsked("goods are sent by fulfilment order; name it in fulfilment")
    if any(not parcel.quantities for parcel in intent.parcels[:-1]):
        raise NotAsked("a parcel without quantities takes all that is left; only the last one may")
    return tuple(
        _post(config, "fulfillments.json", {"fulfillment": _fulfilment(config, intent, one)}, intent.external_id)
        for one in intent.parcels
    )


def pickup_request(config: ShopifyConfig, intent: ReadyForPickup) -> Request:
    """A fulfilment order waits for its buyer, whole."""
    if intent.fulfilment is None or intent.quantities:
        raise NotAsked("a fulfilment order is ready as a whole; name it in fulfilment, without quantities")
    work = [{"fulfillmentOrderId": _gid("FulfillmentOrder", intent.fulfilment)}]
    variables = {"input": {"lineItemsByFulfillmentOrder": work}}
    name = "fulfillmentOrderLineItemsPreparedForPickup"
    query = f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ {_ERRORS} }} }}"
    return _graphql(config, query, variables, (intent.external_id,))


def stock_requests(config: ShopifyConfig, intent: SetStock) -> tuple[Request, ...]:
    """Levels of inventory items (`listing`) at locations, absolute or by how much they change."""
    absolute = intent.mode is StockMode.ABSOLUTE
    name = "inventorySetQuantities" if absolute else "inventoryAdjustQuantities"
    entries = "quantities" if absolute else "changes"
    explicit = config.api_version >= _EXPLICIT_SINCE
    found = []
    for place, levels in enumerate(batches(intent.levels, _STOCK_BATCH)):
        values: dict[str, Any] = {"name": "available", "reason": "correction"}
        values[entries] = [_level(one, "quantity" if absolute else "delta", explicit) for one in levels]
        if absolute and not explicit:
            values["ignoreCompareQuantity"] = True
        # The same intent has the same key: Shopify changes the stock once, however often it is sent.
        key = uuid.uuid5(uuid.NAMESPACE_URL, f"omo-core:{config.channel}:{intent.key}:{place}")
        once = f' @idempotent(key: "{key}")' if explicit else ""
        query = (
            f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input){once} "
            f"{{ inventoryAdjustmentGroup {{ id }} {_ERRORS} }} }}"
        )
        found.append(_graphql(config, query, {"input": values}, tuple(one.listing for one in levels)))
    return tuple(found)


def cancel_request(config: ShopifyConfig, intent: CancelOrder) -> Request:
    """Call the whole order off; money that was taken is given back by a refund, which is the seller's own act."""
    reason = (intent.reason or "inventory").lower()
    body = {"reason": reason if reason in _REASONS else "other", "restock": intent.restock}
    return _post(config, f"orders/{_number(intent.external_id, 'order')}/cancel.json", body, intent.external_id)


def read_answer(intent: Intent, request: Request, response: Response) -> Answer:
    """What became of each item; raises `UnreadableBody` where an answer cannot be read."""
    if not 200 <= response.status < 300:
        return _with_reason(answer_by_status(request, response), response)
    if request.operation == _GRAPHQL:
        return _graphql_answer(request, Cursor(read_json(response.body)))
    if isinstance(intent, Ship):
        made = Cursor(read_json(response.body)).child("fulfillment")
        status = made.optional_text("status") or "success"
        ok = status not in ("failure", "error", "cancelled")
        items = tuple(ItemAnswer(item=item, ok=ok, code=None if ok else status[:100]) for item in request.items)
        return made.build(Answer, items=items, reference=made.identifier("id"))
    if isinstance(intent, CancelOrder):
        top = Cursor(read_json(response.body))
        (top.child("order") if top.has("order") else top).identifier("id")
    return answer_by_status(request, response)


_ERRORS: Final = "userErrors { code field message }"


def _graphql_answer(request: Request, document: Cursor) -> Answer:
    errors = list(document.children("errors"))
    if errors:
        codes = [one.optional_child("extensions") for one in errors]
        busy = any(code is not None and code.fields.get("code") == "THROTTLED" for code in codes)
        message = (errors[0].optional_text("message") or "")[:500] or None
        code = "THROTTLED" if busy else "graphql"
        return Answer(
            items=tuple(
                ItemAnswer(item=item, ok=False, code=code, message=message, retry=busy) for item in request.items
            )
        )
    data = document.child("data")
    found = data.child(next(iter(data.fields), "data"))
    refused: dict[int | None, tuple[str | None, str | None]] = {}
    for error in found.children("userErrors"):
        reason = ((error.optional_text("code") or "user_error")[:100], (error.optional_text("message") or "")[:500])
        refused.setdefault(_entry_of(error), reason)
    # Errors and nothing made: the good entries of the request were not taken either, and may be sent again alone.
    nothing = bool(refused) and not found.has("inventoryAdjustmentGroup")
    items = []
    for place, item in enumerate(request.items):
        if place in refused or None in refused:
            why, message = refused.get(place) or refused[None]
            items.append(ItemAnswer(item=item, ok=False, code=why, message=message))
        elif nothing:
            items.append(ItemAnswer(item=item, ok=False, code="not_applied", message=None, retry=True))
        else:
            items.append(ItemAnswer(item=item, ok=True))
    return Answer(items=tuple(items))


def _entry_of(error: Cursor) -> int | None:
    """The entry an error is about, from its path such as input, quantities, 3, locationId; None where it names none."""
    path = error.fields.get("field")
    if isinstance(path, list) and len(path) > 2 and _NUMBER.fullmatch(str(path[2])):
        return int(str(path[2]))
    return None


def _with_reason(answer: Answer, response: Response) -> Answer:
    """The answer with what Shopify says is wrong, where it says so in JSON."""
    try:
        said = read_json(response.body)
    except InvalidInput:
        return answer
    reason = said.get("errors") or said.get("error") if isinstance(said, dict) else None
    if not reason:
        return answer
    message = reason if isinstance(reason, str) else json.dumps(reason, default=str, ensure_ascii=False)
    items = tuple(one.model_copy(update={"message": message.replace("\x00", "")[:500]}) for one in answer.items)
    return Answer(items=items)


def _fulfilment(config: ShopifyConfig, intent: Ship, parcel: Parcel) -> dict[str, Any]:
    work: dict[str, Any] = {"fulfillment_order_id": int(_number(intent.fulfilment or "", "fulfilment order"))}
    if parcel.quantities:
        work["fulfillment_order_line_items"] = [
            {"id": int(_number(line, "line")), "quantity": quantity} for line, quantity in parcel.quantities
        ]
    tracking = {"number": parcel.tracking, "company": parcel.carrier}
    if parcel.tracking_url:
        tracking["url"] = parcel.tracking_url
    return {
        "line_items_by_fulfillment_order": [work],
        "tracking_info": tracking,
        "notify_customer": config.notify_buyers,
    }


def _level(level: StockLevel, amount: str, explicit: bool) -> dict[str, Any]:
    if level.location is None:
        raise NotAsked("stock is kept by location; name the location of every level")
    found: dict[str, Any] = {
        "inventoryItemId": _gid("InventoryItem", level.listing),
        "locationId": _gid("Location", level.location),
        amount: level.units,
    }
    return found | {"changeFromQuantity": None} if explicit else found


def _number(text: str, what: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise NotAsked(f"{text[:40]!r} is no id of a Shopify {what}; send its digits")
    return text


def _gid(kind: str, text: str) -> str:
    return f"gid://shopify/{kind}/{_number(text, kind)}"


def _get(config: ShopifyConfig, path: str, shop: str | None, item: str | None) -> Request:
    items: Iterable[str] = () if item is None else (item,)
    return Request(url=_url(config, path, shop), headers=(("Accept", "application/json"),), items=tuple(items))


def _post(config: ShopifyConfig, path: str, body: dict[str, Any], item: str) -> Request:
    return _json(config, path, body, (item,), None)


def _graphql(config: ShopifyConfig, query: str, variables: dict[str, Any], items: tuple[str, ...]) -> Request:
    return _json(config, "graphql.json", {"query": query, "variables": variables}, items, _GRAPHQL)


def _json(
    config: ShopifyConfig, path: str, body: dict[str, Any], items: tuple[str, ...], operation: str | None
) -> Request:
    return Request(
        method="POST",
        url=_url(config, path, None),
        headers=(("Accept", "application/json"), ("Content-Type", "application/json")),
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        operation=operation,
        items=items,
    )


def _url(config: ShopifyConfig, path: str, shop: str | None) -> str:
    host = config.shop_domain or shop or ""
    if not SHOP_DOMAIN.fullmatch(host):
        raise NotAsked("the shop is not known; set shop_domain in the configuration, as name.myshopify.com")
    return f"https://{host}/admin/api/{config.api_version}/{path}"
