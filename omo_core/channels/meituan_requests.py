"""What Meituan can be asked: calls signed over address and fields, a store's items by its code.

Sources: https://open-shangou.meituan.com/home (order/confirm, order/cancel, order/refund/agree and reject,
order/getOrderDetail; retail/sku/stock takes 200 items) and public SDKs. There is no list of changed orders: what was
pushed must be kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import answer_by_status, batches
from omo_core.channels.forms import read_form, read_query
from omo_core.channels.gateway_signing import FORM
from omo_core.channels.intents import (
    Acknowledge,
    Answer,
    AnswerRefund,
    CancelOrder,
    Capabilities,
    FetchOrder,
    Intent,
    IntentKind,
    ItemAnswer,
    Request,
    Response,
    SetStock,
    StockLevel,
    StockMode,
    cannot,
)
from omo_core.channels.meituan_form import MeituanConfig, signature
from omo_core.channels.reading import read_json
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.refusals import Refusal

API: Final = "https://waimaiopen.meituan.com/api/v1"
STOCK_BATCH: Final = 200

CAPABILITIES: Final = Capabilities(
    intents=frozenset(
        {
            *(IntentKind.FETCH_ORDER, IntentKind.ACKNOWLEDGE, IntentKind.CANCEL),
            *(IntentKind.ANSWER_REFUND, IntentKind.SET_STOCK),
        }
    ),
    signs="MD5 of address, sorted fields and secret, in hex",
    stock_modes=frozenset({StockMode.ABSOLUTE}),
    stock_by_location=True,
    stock_batch=STOCK_BATCH,
)


def make(intent: Intent, config: MeituanConfig) -> tuple[Request, ...] | Refusal:
    """The calls of an intent."""
    if isinstance(intent, SetStock):
        return _stock(intent, config)
    if not isinstance(intent, FetchOrder | Acknowledge | CancelOrder | AnswerRefund):
        return cannot(config.channel, intent.kind, "its adapter makes no such request")
    if not _is_id(intent.external_id):
        return cannot(config.channel, intent.kind, "its order ids are digits")
    order_id = intent.external_id
    match intent:
        case FetchOrder():
            return (_get("order/getOrderDetail", order_id),)
        case Acknowledge():
            return (_get("order/confirm", order_id),)
        case CancelOrder():
            return _cancel(intent, config)
        case AnswerRefund():
            path = "order/refund/agree" if intent.accept else "order/refund/reject"
            words = intent.reason or ("同意退款" if intent.accept else "商家不同意退款")
            return (_get(path, order_id, {"reason": words}),)


def detail(order_id: str, document: Cursor) -> Request:
    """The call that gets one order; raises `UnreadableBody` where its id is none."""
    if not _is_id(order_id):
        document.fail("order_id", "is no id of this platform", "send its digits")
    return _get("order/getOrderDetail", order_id)


def signed(request: Request, config: MeituanConfig, *, now: datetime, token: str | None) -> Request:
    """The call with app, time and signature in its query: signed are these and its own fields, before encoding.

    Raises `InvalidInput` where no secret is configured.
    """
    if not config.secrets:
        raise InvalidInput("no secret is configured for this channel; configure the one its calls are signed with")
    address, _, _ = request.url.partition("?")
    asked = read_query(request.url)
    system = {"app_id": config.app_id, "timestamp": str(int(now.timestamp()))}
    system |= {"access_token": token} if token else {}
    body = read_form(request.body) if request.body else {}
    query = {**asked, **system}
    query["sig"] = signature(address, {**query, **body}, config.secrets[0])
    return request.model_copy(update={"url": f"{address}?{urlencode(query)}"})


def read_answer(intent: Intent, request: Request, response: Response) -> Answer:
    """What became of each item of a call. Raises `UnreadableBody`."""
    if response.status != 200:
        return answer_by_status(request, response)
    answer = Cursor(read_json(response.body))
    if not answer.has("data"):
        raise UnreadableBody("$.data is missing; send the answer as the platform gave it", path="$.data")
    error = answer.optional_child("error")
    failed = dict(_failed(intent, answer))
    code = said = None
    if error is not None:
        code, said = error.optional_identifier("code"), error.optional_text("msg")
    refused = answer.fields["data"] == "ng" or error is not None
    return Answer(
        items=tuple(
            ItemAnswer(
                item=item,
                ok=not refused and item not in failed,
                code=None if code is None else code[:200],
                message=(failed.get(item) or said or "")[:2_000] or None,
            )
            for item in request.items
        )
    )


def _failed(intent: Intent, answer: Cursor) -> Iterator[tuple[str, str]]:
    """The listings that a partly taken call for stock names in its message, with what it says of them."""
    text = answer.fields.get("msg")
    if not isinstance(intent, SetStock) or not isinstance(text, str) or not text.startswith("["):
        return
    foods: dict[str, list[str]] = {}
    for level in intent.levels:
        foods.setdefault(level.product or level.listing, []).append(level.listing)
    said = Cursor({"msg": read_json(text.encode("utf-8", "surrogatepass"))}, parent=answer, key="msg")
    for one in said.children("msg"):
        food = one.optional_identifier("app_food_code") or one.optional_identifier("app_spu_code")
        for listing in foods.get(food or "", ()):
            yield listing, one.optional_text("error_msg") or "refused"


def _cancel(intent: CancelOrder, config: MeituanConfig) -> tuple[Request, ...] | Refusal:
    """A reason that is one of the platform's codes is sent as such; other words go beside the configured code."""
    words = intent.reason or "商家取消"
    code = words if words.isascii() and words.isdigit() else config.cancel_reason_code
    if code is None:
        return cannot(config.channel, intent.kind, "it wants one of its codes as the reason; set cancel_reason_code")
    return (_get("order/cancel", intent.external_id, {"reason_code": code, "reason": words}),)


def _stock(intent: SetStock, config: MeituanConfig) -> tuple[Request, ...] | Refusal:
    """A call for each store and 200 items; an item is named by its food and its sku."""
    stores: dict[str, list[StockLevel]] = {}
    for level in intent.levels:
        if level.location is None:
            return cannot(config.channel, intent.kind, "it keeps stock by store: a level needs its location")
        stores.setdefault(level.location, []).append(level)
    return tuple(_stock_of(store, some) for store, levels in stores.items() for some in batches(levels, STOCK_BATCH))


def _stock_of(store: str, levels: Any) -> Request:
    foods: dict[str, list[dict[str, str]]] = {}
    for level in levels:
        sku = {"sku_id": level.listing, "stock": str(level.units)}
        foods.setdefault(level.product or level.listing, []).append(sku)
    data = [{"app_food_code": food, "skus": skus} for food, skus in foods.items()]
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    path = "retail/sku/stock"
    return Request(
        method="POST",
        url=f"{API}/{path}",
        headers=FORM,
        body=urlencode({"app_poi_code": store, "food_data": text}).encode(),
        operation=path,
        items=tuple(level.listing for level in levels),
    )


def _get(path: str, order_id: str, more: Mapping[str, str] | None = None) -> Request:
    query = urlencode({"order_id": order_id, **(more or {})})
    return Request(url=f"{API}/{path}?{query}", operation=path, items=(order_id,))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20
