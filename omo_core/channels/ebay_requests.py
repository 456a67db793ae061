"""The requests to eBay's REST APIs, and what their answers say item by item."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from pydantic_core import to_json

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import answer_by_status, batches
from omo_core.channels.intents import (
    Answer,
    CancelOrder,
    ItemAnswer,
    ListChanges,
    Parcel,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    cannot,
)
from omo_core.channels.paging import page_number
from omo_core.channels.reading import read_json
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.refusals import Refusal

PAGE: Final = 200
"""Most orders in a page; eBay refuses more."""
BATCH: Final = 25
"""Most items in one change of stock."""

_OK: Final = 200
_FULFILMENT: Final = "https://api.ebay.com/sell/fulfillment/v1"
_ORDER_ID: Final = re.compile(r"[0-9A-Za-z!-]{1,64}")
_REASONS: Final = frozenset({"OUT_OF_STOCK_OR_CANNOT_FULFILL", "BUYER_ASKED_CANCEL", "ADDRESS_ISSUES"})
_JSON: Final = (("Accept", "application/json"), ("Content-Type", "application/json"))


def is_order_id(text: str) -> bool:
    """Whether a text can be an order id of eBay's, and nothing else in an address."""
    return _ORDER_ID.fullmatch(text) is not None


def fetch_order(order_id: str) -> tuple[Request, ...]:
    """The order with the taxes and fees that eBay leaves out unless asked."""
    url = f"{_FULFILMENT}/order/{quote(order_id, safe='')}?fieldGroups=TAX_BREAKDOWN"
    return (Request(url=url, headers=_JSON[:1], operation="getOrder", items=(order_id,)),)


def list_changes(channel: str, intent: ListChanges) -> tuple[Request, ...] | Refusal:
    """A page of the orders that changed in a window, by its number: an order that changes again leaves the window."""
    try:
        offset = str((page_number(intent) - 1) * PAGE)
    except InvalidInput as error:
        return cannot(channel, intent.kind, str(error))
    window = f"lastmodifieddate:[{_time(intent.since)}..{_time(intent.until)}]"
    query = {"filter": window, "limit": str(PAGE), "offset": offset, "fieldGroups": "TAX_BREAKDOWN"}
    url = f"{_FULFILMENT}/order?{urlencode(query)}"
    return (Request(url=url, headers=_JSON[:1], operation="getOrders", items=(intent.key[:128],)),)


def ship(channel: str, intent: Ship) -> tuple[Request, ...] | Refusal:
    """One fulfilment a parcel, each with its lines."""
    if not all(parcel.quantities for parcel in intent.parcels):
        return cannot(channel, intent.kind, "it wants the lines and quantities of every parcel")
    url = f"{_FULFILMENT}/order/{quote(intent.external_id, safe='')}/shipping_fulfillment"
    return tuple(
        Request(
            method="POST",
            url=url,
            headers=_JSON,
            body=to_json(_parcel(parcel)),
            operation="createShippingFulfillment",
            items=(parcel.tracking,),
        )
        for parcel in intent.parcels
    )


def _parcel(parcel: Parcel) -> dict[str, Any]:
    return {
        "lineItems": [{"lineItemId": line, "quantity": quantity} for line, quantity in parcel.quantities],
        "shippedDate": _time(parcel.shipped_at),
        "shippingCarrierCode": parcel.carrier,
        "trackingNumber": parcel.tracking,
    }


def set_stock(intent: SetStock) -> tuple[Request, ...]:
    """What can be sold of each sku, and of its offer where the level names one as its `product`.

    eBay sells the smaller of the two numbers.
    """
    return tuple(
        Request(
            method="POST",
            url="https://api.ebay.com/sell/inventory/v1/bulk_update_price_quantity",
            headers=_JSON,
            body=to_json({"requests": [_level(level) for level in levels]}),
            operation="bulkUpdatePriceQuantity",
            items=tuple(level.listing for level in levels),
        )
        for levels in batches(intent.levels, BATCH)
    )


def _level(level: StockLevel) -> dict[str, Any]:
    known: dict[str, Any] = {
        "sku": level.sku or level.listing,
        "shipToLocationAvailability": {"quantity": level.units},
    }
    return known | ({"offers": [{"offerId": level.product, "availableQuantity": level.units}]} if level.product else {})


def cancel(marketplace: str, intent: CancelOrder) -> tuple[Request, ...]:
    """The seller cancels the whole order; the buyer gets the money back from eBay."""
    reason = intent.reason if intent.reason in _REASONS else "OUT_OF_STOCK_OR_CANNOT_FULFILL"
    return (
        Request(
            method="POST",
            url="https://api.ebay.com/post-order/v2/cancellation",
            headers=(*_JSON, ("X-EBAY-C-MARKETPLACE-ID", marketplace)),
            body=to_json({"legacyOrderId": intent.external_id, "cancelReason": reason}),
            operation="createCancellation",
            items=(intent.external_id,),
        ),
    )


def read_answer(request: Request, response: Response, max_bytes: int) -> Answer:
    """What an answer says: errors by their code, stock by the sku. Raises `UnreadableBody`."""
    answer = answer_by_status(request, response)
    if not answer.ok:
        return _with_error(answer, response)
    if request.operation == "bulkUpdatePriceQuantity":
        return _of_stock(request, Cursor(read_json(response.body, max_bytes=max_bytes)))
    if request.operation == "createCancellation":
        return _of_cancellation(answer, Cursor(read_json(response.body, max_bytes=max_bytes)))
    if request.operation == "createShippingFulfillment":
        place = next((value for name, value in response.headers if name.lower() == "location"), "")
        return answer.model_copy(update={"reference": place.rpartition("/")[2][:128] or None})
    return answer


def _of_stock(request: Request, document: Cursor) -> Answer:
    asked = [one.text("sku") for one in Cursor(read_json(request.body)).children("requests")]
    faults: dict[str, tuple[str | None, str | None]] = {}
    answered: set[str] = set()
    for one in document.children("responses"):
        sku = one.optional_text("sku") or ""
        answered.add(sku)
        if one.count("statusCode") != 200:  # a status of HTTP
            error = next(one.children("errors"), None)
            faults.setdefault(sku, _fault(error) if error else (f"http_{one.count('statusCode')}", None))
    items = []
    for item, sku in zip(request.items, asked, strict=True):
        code, message = faults.get(sku, ("not_answered", None))
        ok = sku in answered and sku not in faults
        items.append(
            ItemAnswer(item=item, ok=True)
            if ok
            else ItemAnswer(item=item, ok=False, code=code, message=message, retry=sku not in answered)
        )
    return Answer(items=tuple(items))


def _of_cancellation(answer: Answer, document: Cursor) -> Answer:
    cancel_id = document.optional_identifier("cancelId")
    if cancel_id is not None:
        return answer.model_copy(update={"reference": cancel_id})
    result = document.optional_child("orderEligibilityResult")
    if result is None:
        raise UnreadableBody("$.cancelId is missing; the answer says neither yes nor no")
    reason = next(iter(_reasons(result)), "the order is not eligible to be cancelled")
    refused = {"ok": False, "code": "not_eligible", "message": reason[:500]}
    return answer.model_copy(update={"items": tuple(item.model_copy(update=refused) for item in answer.items)})


def _reasons(result: Cursor) -> Iterable[str]:
    for one in (result, *result.children("itemEligibilityResult")):
        said = one.fields.get("failureReason")
        found = said if isinstance(said, list) else [said]
        yield from (text for text in found if isinstance(text, str) and text)


def _with_error(answer: Answer, response: Response) -> Answer:
    """The same answer with eBay's own code and sentence, where the body has them."""
    try:
        error = next(Cursor(read_json(response.body)).children("errors"), None)
        code, message = _fault(error) if error else (None, None)
    except ValueError:  # a gateway's page, not the API's answer
        return answer
    if code is None:
        return answer
    told = {"code": code, "message": message}
    return answer.model_copy(update={"items": tuple(item.model_copy(update=told) for item in answer.items)})


def _fault(error: Cursor) -> tuple[str | None, str | None]:
    code, message = error.optional_identifier("errorId"), error.optional_text("message")
    return (code[:200] if code else None, message[:500] if message else None)


def _time(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1_000:03}Z"
