"""What 抖店 can be asked, as signed calls of its gateway.

Sources: https://op.jinritemai.com/docs/guide-docs/10/23 (signature), .../api-docs/15/1342 (order.searchList),
.../api-docs/34 (stock), .../api-docs/16/562 (order.logisticsAddMultiPack), and the platform's generated SDKs.
An after-sale is answered with operations that depend on its kind and stage (afterSale.operate); that is not carried
out here, nor is a cancellation by the seller, for which no call is known.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import answer_by_status
from omo_core.channels.douyin_order import PART, DouyinConfig
from omo_core.channels.intents import (
    Answer,
    Capabilities,
    FetchOrder,
    Intent,
    IntentKind,
    ItemAnswer,
    ListChanges,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
    cannot,
)
from omo_core.channels.reading import read_json
from omo_core.channels.signing import sign_hex
from omo_core.model.errors import InvalidInput
from omo_core.model.refusals import Refusal

GATEWAY: Final = "https://openapi-fxg.jinritemai.com"
PAGE_SIZE: Final = 100
_NAMESPACE: Final = uuid.UUID("5b7c0c52-8d5b-5f0e-9a38-0d0a0d5e7a11")
"""Idempotency keys of ours become the request ids, written as GUIDs, that the platform wants."""

CAPABILITIES: Final = Capabilities(
    intents=frozenset({IntentKind.FETCH_ORDER, IntentKind.LIST_CHANGES, IntentKind.SHIP, IntentKind.SET_STOCK}),
    signs="MD5 of app key, body and secret, in hex",
    stock_modes=frozenset({StockMode.ABSOLUTE, StockMode.RELATIVE}),
    stock_by_location=True,
    partial_shipments=True,
    several_parcels=True,
    list_window_s=90 * 24 * 3_600,
    page_size=PAGE_SIZE,
)


def make(intent: Intent, config: DouyinConfig) -> tuple[Request, ...] | Refusal:
    """The calls of an intent."""
    match intent:
        case FetchOrder():
            if not _is_id(intent.external_id):
                return cannot(config.channel, intent.kind, "its order ids are digits")
            return (detail(intent.external_id, config),)
        case ListChanges():
            return _list(intent, config)
        case Ship():
            return _ship(intent, config)
        case SetStock():
            if not all(_is_id(level.listing) and _is_id(level.product or "0") for level in intent.levels):
                return cannot(config.channel, intent.kind, "its listings and products are digits")
            return tuple(_stock(intent, level) for level in intent.levels)
    return cannot(config.channel, intent.kind, "its adapter makes no such request")


def detail(order_id: str, config: DouyinConfig) -> Request:
    """The call that gets one order."""
    del config
    return _call("order.orderDetail", {"shop_order_id": order_id}, (order_id,))


def after_sale(after_sale_id: str, config: DouyinConfig) -> Request:
    """The call that gets one after-sale."""
    del config
    return _call("afterSale.Detail", {"after_sale_id": after_sale_id}, (after_sale_id,))


def signed(request: Request, config: DouyinConfig, *, now: datetime, token: str | None) -> Request:
    """The call with its public parameters and signature, both in the query; the parameters are the body.

    Raises `InvalidInput` where no secret is configured.
    """
    if not config.secrets:
        raise InvalidInput("no secret is configured for this channel; configure the one its calls are signed with")
    secret = config.secrets[0]
    public = {
        "app_key": config.app_key,
        "method": request.operation or "",
        "timestamp": str(int(now.timestamp())),
        "v": "2",
    }
    text = f"app_key{public['app_key']}method{public['method']}param_json".encode()
    text += request.body + f"timestamp{public['timestamp']}v2".encode()
    sign = sign_hex(secret, secret.encode() + text + secret.encode())
    query = {**public, "sign_method": "hmac-sha256", "sign": sign} | ({"access_token": token} if token else {})
    return request.model_copy(update={"url": f"{request.url}?{urlencode(query)}"})


def read_answer(request: Request, response: Response) -> Answer:
    """What became of a call: one code for all of it. Raises `UnreadableBody`."""
    if response.status != 200:
        return answer_by_status(request, response)
    answer = Cursor(read_json(response.body))
    code = answer.optional_identifier("code") or answer.optional_identifier("err_no")
    if code is None:
        answer.fail("code", "is missing", "send the answer as the platform gave it")
    ok = code in {"10000", "0"}
    sub_code = answer.optional_identifier("sub_code")
    said = answer.optional_text("sub_msg") or answer.optional_text("msg") or answer.optional_text("message")
    retry = not ok and (code == "20000" or (sub_code or "").startswith("isp."))
    return Answer(
        items=tuple(
            ItemAnswer(
                item=item,
                ok=ok,
                code=None if ok else (sub_code or code)[:200],
                message=None if ok or said is None else said[:2_000],
                retry=retry,
            )
            for item in request.items
        )
    )


def following(intent: ListChanges, updated: Sequence[datetime], found: int) -> ListChanges | None:
    """The next page: from just before the last order seen, since pages by number shift while orders change."""
    if found < PAGE_SIZE:
        return None
    since_s, page = _cursor(intent)
    last_s = int(updated[-1].timestamp()) - 1 if updated else since_s
    cursor = f"{last_s}:0" if last_s > since_s else f"{since_s}:{page + 1}"
    return intent.model_copy(update={"cursor": cursor})


def _list(intent: ListChanges, config: DouyinConfig) -> tuple[Request, ...] | Refusal:
    try:
        since_s, page = _cursor(intent)
    except ValueError:
        return cannot(config.channel, intent.kind, "the cursor is not of a page it gave")
    until = intent.until.astimezone(UTC) + timedelta(seconds=1)
    parameters = {
        "update_time_start": since_s,
        "update_time_end": int(until.timestamp()),
        "order_by": "update_time",
        "order_asc": True,
        "page": page,
        "size": PAGE_SIZE,
    }
    return (_call("order.searchList", parameters, ()),)


def _cursor(intent: ListChanges) -> tuple[int, int]:
    """From which second on, and which page of what is found from there."""
    if intent.cursor is None:
        return int(intent.since.timestamp()), 0
    since, _, page = intent.cursor.partition(":")
    if not (since.isascii() and since.isdigit() and page.isascii() and page.isdigit()):
        raise InvalidInput(f"{intent.cursor[:40]!r} is no cursor of this channel; use the one of the page before")
    return int(since), int(page)


def _ship(intent: Ship, config: DouyinConfig) -> tuple[Request, ...] | Refusal:
    """One call for the whole order, or one for all parcels with their lines; the latter may be repeated safely."""
    if not _is_id(intent.external_id):
        return cannot(config.channel, intent.kind, "its order ids are digits")
    if any(PART in line for parcel in intent.parcels for line, _ in parcel.quantities):
        return cannot(config.channel, intent.kind, "a set leaves as its line there; name the line, not its parts")
    only = intent.parcels[0]
    if len(intent.parcels) == 1 and not only.quantities:
        whole = {"order_id": intent.external_id, "company_code": only.carrier, "logistics_code": only.tracking}
        return (_call("order.logisticsAdd", whole, (intent.external_id,)),)
    if not all(parcel.quantities for parcel in intent.parcels):
        return cannot(config.channel, intent.kind, "each of several parcels must name its lines")
    packs = [
        {
            "company_code": parcel.carrier,
            "logistics_code": parcel.tracking,
            "shipped_order_info": [
                {"shipped_order_id": line, "shipped_num": quantity} for line, quantity in parcel.quantities
            ],
        }
        for parcel in intent.parcels
    ]
    request_id = str(uuid.uuid5(_NAMESPACE, intent.key))
    parameters = {"order_id": intent.external_id, "pack_list": packs, "request_id": request_id}
    return (_call("order.logisticsAddMultiPack", parameters, (intent.external_id,)),)


def _stock(intent: SetStock, level: StockLevel) -> Request:
    parameters: dict[str, Any] = {"sku_id": int(level.listing), "stock_num": level.units}
    if level.product is not None:
        parameters["product_id"] = int(level.product)
    if level.location is not None:
        parameters["out_warehouse_id"] = level.location
    if intent.mode is StockMode.RELATIVE:
        own = f"{intent.key}/{level.listing}/{level.location or ''}"
        parameters |= {"incremental": True, "idempotent_id": str(uuid.uuid5(_NAMESPACE, own))}
    else:
        parameters["incremental"] = False
    return _call("sku.syncStock", parameters, (level.listing,))


def _call(method: str, parameters: dict[str, Any], items: tuple[str, ...]) -> Request:
    """A call; the body is the text that is signed: keys in order at every depth, nothing between them."""
    body = json.dumps(parameters, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    return Request(
        method="POST",
        url=f"{GATEWAY}/{method.replace('.', '/')}",
        headers=(("Content-Type", "application/json"),),
        body=body,
        operation=method,
        items=items,
    )


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19
