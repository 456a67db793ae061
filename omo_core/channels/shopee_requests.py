"""The requests to Shopee's Open API v2, their signature, and what the answers say item by item.

Source: https://open.shopee.com/documents/v2 (v2.order, v2.logistics, v2.product, v2.returns, v2.payment, v2.push).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from pydantic_core import to_json

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import answer_by_status, batches
from omo_core.channels.intents import (
    Answer,
    AnswerRefund,
    CancelOrder,
    ItemAnswer,
    ListChanges,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    cannot,
)
from omo_core.channels.reading import read_json
from omo_core.channels.shopee_config import ShopeeConfig
from omo_core.channels.signing import sign_hex
from omo_core.model.refusals import Refusal

PAGE: Final = 100
BATCH: Final = 50
"""Most models of one item in a change of stock."""
WINDOW_S: Final = 15 * 86_400
"""Longest window of changes."""

_FIELDS: Final = (
    *("buyer_user_id", "recipient_address", "item_list", "pay_time", "buyer_cancel_reason", "cancel_by"),
    *("cancel_reason", "fulfillment_flag", "package_list", "shipping_carrier", "payment_method", "total_amount"),
    *("split_up", "edt", "payment_info", "pickup_done_time"),
)
"""What an order detail leaves out unless asked."""
_OF_THE_APP: Final = frozenset({"get_lost_push_message", "confirm_consumed_lost_push_message"})
"""Calls of the app as a whole, which are signed without a shop."""
_SERIAL: Final = re.compile(r"[0-9A-Za-z]{4,64}")
_LISTING: Final = re.compile(r"([0-9]{1,20})(?:-([0-9]{1,20})(?:-.*)?)?")
_REASONS: Final = frozenset({"CUSTOMER_REQUEST", "UNDELIVERABLE_AREA", "COD_NOT_SUPPORTED"})
_BUSY: Final = frozenset({"error_rate_limit", "error_server", "error_network", "error_inner"})
_NOTHING: Final = frozenset({"", "-"})
"""What Shopee writes where there is no error."""


def is_serial(text: str) -> bool:
    """Whether a text can be an order's or a return's number, and nothing else in an address."""
    return _SERIAL.fullmatch(text) is not None


def fetch_order(config: ShopeeConfig, order_sn: str, *, paid: bool = True) -> tuple[Request, ...]:
    """The order, and the seller's side of its money where that is wanted and there is one."""
    query = {
        "order_sn_list": order_sn,
        "request_order_status_pending": "true",
        "response_optional_fields": ",".join(_FIELDS),
    }
    detail = _get(config, "order", "get_order_detail", query, order_sn)
    if not config.escrow or not paid:
        return (detail,)
    return detail, _get(config, "payment", "get_escrow_detail", {"order_sn": order_sn}, order_sn)


def fetch_return(config: ShopeeConfig, return_sn: str) -> Request:
    """A return, whose answer `parse_order` takes beside the order's, and `parse_refund` alone."""
    return _get(config, "returns", "get_return_detail", {"return_sn": return_sn}, return_sn)


def list_changes(config: ShopeeConfig, intent: ListChanges) -> tuple[Request, ...]:
    """A page of the numbers of orders that changed."""
    query = {
        "time_range_field": "update_time",
        "time_from": str(int(intent.since.timestamp())),
        "time_to": str(int(intent.until.timestamp())),
        "page_size": str(PAGE),
        "cursor": intent.cursor or "",
        "request_order_status_pending": "true",
    }
    return (_get(config, "order", "get_order_list", query, intent.key[:128]),)


def ship(config: ShopeeConfig, intent: Ship) -> tuple[Request, ...] | Refusal:
    """A package is handed over the way the configuration says; Shopee gives tracking numbers itself, save where its
    carriers are not integrated."""
    (parcel,) = intent.parcels
    if intent.fulfilment is None and (parcel.quantities or not intent.completes):
        return cannot(config.channel, intent.kind, "a part of an order is one of its packages: name it as fulfilment")
    how: dict[str, Any] = {}
    if config.shipping == "pickup":
        if config.pickup_address_id is None:
            return cannot(config.channel, intent.kind, "its configuration names no address to collect from")
        how = {"address_id": config.pickup_address_id}
    elif config.shipping == "non_integrated":
        how = {"tracking_number": parcel.tracking}
    body: dict[str, Any] = {"order_sn": intent.external_id, config.shipping: how}
    body |= {"package_number": intent.fulfilment} if intent.fulfilment else {}
    return (_post(config, "logistics", "ship_order", body, intent.external_id),)


def set_stock(config: ShopeeConfig, intent: SetStock) -> tuple[Request, ...] | Refusal:
    """What can be sold of each model, item by item and in each warehouse.

    A listing is item-model as in an order's line, or a model whose item is the level's `product`.
    """
    items: dict[int, dict[int, list[StockLevel]]] = {}
    for level in intent.levels:
        found = _LISTING.fullmatch(level.listing)
        if found is None or (level.product is not None and not level.product.isdecimal()):
            return cannot(config.channel, intent.kind, f"{level.listing[:40]!r} is no item or model")
        first, second = found.groups()
        item, model = (first, second or "0") if level.product is None else (level.product, second or first)
        items.setdefault(int(item), {}).setdefault(int(model), []).append(level)
    return tuple(
        _stock(config, item, dict(models))
        for item, all_of in items.items()
        for models in batches([*all_of.items()], BATCH)
    )


def _stock(config: ShopeeConfig, item: int, models: Mapping[int, list[StockLevel]]) -> Request:
    listed = [{"model_id": model, "seller_stock": [_seller(one) for one in levels]} for model, levels in models.items()]
    body = {"item_id": item, "stock_list": listed}
    names = [levels[0].listing for levels in models.values()]
    return _post(config, "product", "update_stock", body, *names)


def _seller(level: StockLevel) -> dict[str, Any]:
    return ({"location_id": level.location} if level.location else {}) | {"stock": level.units}


def cancel(config: ShopeeConfig, intent: CancelOrder) -> tuple[Request, ...] | Refusal:
    """The seller cancels the whole order, for a reason of Shopee's; OUT_OF_STOCK names what is out of stock after a
    colon, as item-model and separated by commas."""
    reason, _, lines = (intent.reason or "").partition(":")
    body: dict[str, Any] = {"order_sn": intent.external_id, "cancel_reason": reason}
    if reason == "OUT_OF_STOCK":
        found = [_LISTING.fullmatch(line) for line in lines.split(",")]
        if not all(found):
            return cannot(
                config.channel, intent.kind, "OUT_OF_STOCK wants items, such as OUT_OF_STOCK:1680783-327890123"
            )
        body["item_list"] = [
            {"item_id": int(one.group(1)), "model_id": int(one.group(2) or "0")} for one in found if one
        ]
    elif reason not in _REASONS:
        return cannot(config.channel, intent.kind, f"it wants one of its reasons: {', '.join(sorted(_REASONS))}")
    return (_post(config, "order", "cancel_order", body, intent.external_id),)


def answer_refund(config: ShopeeConfig, intent: AnswerRefund) -> tuple[Request, ...] | Refusal:
    """The answer to a buyer who asks to cancel (`refund` is the order's own number), or the yes to a return."""
    if intent.refund == intent.external_id:
        body = {"order_sn": intent.external_id, "operation": "ACCEPT" if intent.accept else "REJECT"}
        return (_post(config, "order", "handle_buyer_cancellation", body, intent.external_id),)
    if not intent.accept:
        return cannot(config.channel, intent.kind, "refusing a return is a dispute with evidence; raise it at Shopee")
    if not is_serial(intent.refund):
        return cannot(config.channel, intent.kind, f"{intent.refund[:40]!r} is no number of a return")
    return (_post(config, "returns", "confirm", {"return_sn": intent.refund}, intent.refund),)


def lost_pushes(config: ShopeeConfig) -> Request:
    """The pushes of the last three days that nobody confirmed, a hundred at a time."""
    return _get(config, "push", "get_lost_push_message", {}, "lost")


def confirm_lost_pushes(config: ShopeeConfig, last_message_id: int) -> Request:
    """Tells Shopee that lost pushes up to this one were kept."""
    return _post(config, "push", "confirm_consumed_lost_push_message", {"last_message_id": last_message_id}, "lost")


def sign(config: ShopeeConfig, request: Request, now: datetime, token: str | None) -> Request:
    """The request with the app, the time, the shop and the signature over them in its address."""
    at = str(int(now.timestamp()))
    base = f"{config.partner_id or ''}{urlsplit(request.url).path}{at}"
    query = {"partner_id": config.partner_id or "", "timestamp": at}
    if token is not None and request.operation not in _OF_THE_APP:
        base += f"{token}{config.shop_id or ''}"
        query |= {"access_token": token, "shop_id": config.shop_id or ""}
    key = next(iter(config.secrets), "")
    query["sign"] = sign_hex(key, base.encode())
    between = "&" if "?" in request.url else "?"
    return request.model_copy(update={"url": f"{request.url}{between}{urlencode(query)}"})


def read_answer(request: Request, response: Response, max_bytes: int) -> Answer:
    """What an answer says: an error by its name, stock model by model. Raises `UnreadableBody`."""
    answer = answer_by_status(request, response)
    if not answer.ok:
        return answer
    document = Cursor(read_json(response.body, max_bytes=max_bytes))
    error = error_of(document)
    if error is not None:
        message = document.optional_text("message")
        return _all(
            request.items, {"ok": False, "code": error, "message": message and message[:500], "retry": error in _BUSY}
        )
    if request.operation == "update_stock":
        return _of_stock(request, document)
    return answer


def error_of(document: Cursor) -> str | None:
    """The error an answer names; None where it names none."""
    error = (document.optional_text("error") or "").strip()
    return None if error in _NOTHING else error[:200]


def _all(items: Iterable[str], told: Mapping[str, Any]) -> Answer:
    return Answer(items=tuple(ItemAnswer(item=item, **told) for item in items))


def _of_stock(request: Request, document: Cursor) -> Answer:
    asked = [one.identifier("model_id") for one in Cursor(read_json(request.body)).children("stock_list")]
    answered = document.child("response")
    failed = {
        one.identifier("model_id"): one.optional_text("failed_reason") or "no reason given"
        for one in answered.children("failure_list")
    }
    return Answer(
        items=tuple(
            ItemAnswer(item=item, ok=False, code="failed", message=failed[model][:500])
            if model in failed
            else ItemAnswer(item=item, ok=True)
            for item, model in zip(request.items, asked, strict=True)
        )
    )


def _get(config: ShopeeConfig, module: str, name: str, query: Mapping[str, str], item: str) -> Request:
    asked = f"?{urlencode(query)}" if query else ""
    url = f"https://{config.host}/api/v2/{module}/{name}{asked}"
    return Request(url=url, headers=(("Accept", "application/json"),), operation=name, items=(item,))


def _post(config: ShopeeConfig, module: str, name: str, body: Mapping[str, Any], *items: str) -> Request:
    return Request(
        method="POST",
        url=f"https://{config.host}/api/v2/{module}/{name}",
        headers=(("Content-Type", "application/json"),),
        body=to_json(body),
        operation=name,
        items=items,
    )
