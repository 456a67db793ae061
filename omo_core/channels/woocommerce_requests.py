"""Makes the requests that carry out intents on a WooCommerce site, and reads what it answers.

Sources: https://woocommerce.github.io/woocommerce-rest-api-docs (#list-all-orders, #update-an-order,
#batch-update-products, #batch-update-product-variations, #create-an-order-note) and
https://woocommerce.com/document/shipment-tracking/shipment-tracking-rest-api-create-tracking-item/.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import UTC, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import NotAsked, answer_by_status, batches
from omo_core.channels.intents import (
    Answer,
    CancelOrder,
    Capabilities,
    FetchOrder,
    Intent,
    IntentKind,
    ItemAnswer,
    ListChanges,
    Parcel,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
)
from omo_core.channels.reading import read_json
from omo_core.channels.woocommerce_delivery import WooCommerceConfig
from omo_core.model.errors import InvalidInput

_NUMBER: Final = re.compile(r"[0-9]{1,20}")
_BATCH: Final = 100
"""Most objects in one batch."""

CAPABILITIES: Final = Capabilities(
    intents=frozenset(
        {IntentKind.FETCH_ORDER, IntentKind.LIST_CHANGES, IntentKind.SHIP, IntentKind.SET_STOCK, IntentKind.CANCEL}
    ),
    signs="HMAC-SHA256 of the body, in base64",
    stock_modes=frozenset({StockMode.ABSOLUTE}),
    stock_batch=_BATCH,
    several_parcels=True,
    page_size=50,
)


def order_requests(config: WooCommerceConfig, order_id: str) -> tuple[Request, ...]:
    """The order and its refunds, which alone tell which lines were refunded."""
    number = _number(order_id, "order")
    paths = (f"wc/v3/orders/{number}", f"wc/v3/orders/{number}/refunds?per_page=100")
    return tuple(_request(config, "GET", path, None, number) for path in paths)


def list_request(config: WooCommerceConfig, intent: ListChanges) -> Request:
    """A page of what changed since, in the order of ids.

    There is no upper end: an order that changes while pages are read would leave the list, and one behind it would move
    up to a page that was read. So it can only join, and be met twice.
    """
    # modified_after leaves out its own second.
    since = intent.since.astimezone(UTC) - timedelta(seconds=1)
    query = {
        "modified_after": since.strftime("%Y-%m-%dT%H:%M:%S"),
        "dates_are_gmt": "true",
        "status": "any",
        "orderby": "id",
        "order": "asc",
        "per_page": str(CAPABILITIES.page_size),
        "page": _number(intent.cursor or "1", "page"),
    }
    return _request(config, "GET", f"wc/v3/orders?{urlencode(query)}", None, None)


def ship_requests(config: WooCommerceConfig, intent: Ship) -> tuple[Request, ...]:
    """The tracking of each parcel as the configuration says, then the order completed, which writes to the buyer."""
    number = _number(intent.external_id, "order")
    told = [] if config.tracking == "none" else [_tracking(config, number, parcel) for parcel in intent.parcels]
    return (*told, _request(config, "PUT", f"wc/v3/orders/{number}", {"status": "completed"}, number))


def cancel_request(config: WooCommerceConfig, intent: CancelOrder) -> Request:
    """Call the order off: WooCommerce puts its stock back by itself, and gives back no money."""
    number = _number(intent.external_id, "order")
    return _request(config, "PUT", f"wc/v3/orders/{number}", {"status": "cancelled"}, number)


def stock_requests(config: WooCommerceConfig, intent: SetStock) -> tuple[Request, ...]:
    """Levels of products, and of variations (`product` names the one they belong to), in batches."""
    by_product: defaultdict[str | None, list[StockLevel]] = defaultdict(list)
    for level in intent.levels:
        by_product[None if level.product in (None, level.listing) else level.product].append(level)
    found = []
    for product, levels in by_product.items():
        path = "wc/v3/products/batch"
        if product is not None:
            path = f"wc/v3/products/{_number(product, 'product')}/variations/batch"
        for some in batches(levels, _BATCH):
            update = [
                {"id": int(_number(one.listing, "listing")), "manage_stock": True, "stock_quantity": one.units}
                for one in some
            ]
            request = _request(config, "POST", path, {"update": update}, None)
            found.append(request.model_copy(update={"items": tuple(one.listing for one in some)}))
    return tuple(found)


def read_answer(intent: Intent, request: Request, response: Response) -> Answer:
    """What became of each item; raises `UnreadableBody` where an answer cannot be read."""
    if not 200 <= response.status < 300:
        return _with_reason(answer_by_status(request, response), response)
    if isinstance(intent, SetStock):
        return _batch_answer(request, Cursor(read_json(response.body)))
    if isinstance(intent, FetchOrder | ListChanges):
        return answer_by_status(request, response)
    made = Cursor(read_json(response.body))
    # A tracking item has tracking_id; orders and notes have id. A site may answer 200 with a page that is neither.
    reference = made.optional_identifier("tracking_id") or made.identifier("id")
    return made.build(Answer, items=answer_by_status(request, response).items, reference=reference)


def _batch_answer(request: Request, document: Cursor) -> Answer:
    told: dict[str, Cursor] = {one.identifier("id"): one for one in document.children("update")}
    items = []
    for item in request.items:
        one = told.get(item)
        error = one.optional_child("error") if one else None
        if one is None:
            items.append(ItemAnswer(item=item, ok=False, code="not_answered", retry=True))
        elif error is not None:
            code = (error.optional_text("code") or "error")[:100]
            items.append(ItemAnswer(item=item, ok=False, code=code, message=_message(error.fields.get("message"))))
        else:
            items.append(ItemAnswer(item=item, ok=True))
    return Answer(items=tuple(items))


def _with_reason(answer: Answer, response: Response) -> Answer:
    """The answer with the site's own code and words, where it gives them."""
    try:
        said = read_json(response.body)
    except InvalidInput:
        return answer
    code = said.get("code") if isinstance(said, dict) else None
    if not isinstance(code, str) or not code:
        return answer
    words = {"code": code.replace("\x00", "")[:100], "message": _message(said.get("message"))}
    return Answer(items=tuple(one.model_copy(update=words) for one in answer.items))


def _message(value: object) -> str | None:
    return value.replace("\x00", "")[:500] if isinstance(value, str) else None


def _tracking(config: WooCommerceConfig, number: str, parcel: Parcel) -> Request:
    if config.tracking == "note":
        words = [parcel.carrier, parcel.tracking, *([parcel.tracking_url] if parcel.tracking_url else [])]
        body = {"note": " ".join(words), "customer_note": True}
        return _request(config, "POST", f"wc/v3/orders/{number}/notes", body, number)
    named = {"tracking_provider": parcel.carrier}
    if parcel.tracking_url:
        named = {"custom_tracking_provider": parcel.carrier, "custom_tracking_link": parcel.tracking_url}
    body = {
        **named,
        "tracking_number": parcel.tracking,
        "date_shipped": parcel.shipped_at.astimezone(UTC).strftime("%Y-%m-%d"),
    }
    return _request(config, "POST", f"{config.tracking_api}/orders/{number}/shipment-trackings", body, number)


def _number(text: str, what: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise NotAsked(f"{text[:40]!r} is no id of a WooCommerce {what}; send its digits")
    return text


def _request(
    config: WooCommerceConfig, method: Any, path: str, body: dict[str, Any] | None, item: str | None
) -> Request:
    if config.site is None:
        raise NotAsked("the site is not known; set site in the configuration, as https://shop.example")
    headers = (("Accept", "application/json"), *((("Content-Type", "application/json"),) if body else ()))
    return Request(
        method=method,
        url=f"{config.site}/wp-json/{path}",
        headers=headers,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() if body else b"",
        items=() if item is None else (item,),
    )
