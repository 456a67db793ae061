"""What 微信小店 can be asked; the access token goes into the query, nothing else is signed.

Sources: https://developers.weixin.qq.com/doc/store/shop/API/ (order/get, order/list/get with windows of seven days,
product/stock/update, order/delivery/send). The platform advises against setting absolute stock while orders come in.
An order that leaves whole is sent without naming its lines; that the platform takes this is not proven: name them.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import answer_by_status
from omo_core.channels.intents import (
    Answer,
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
    cannot,
)
from omo_core.channels.reading import read_json
from omo_core.model.refusals import Refusal

API: Final = "https://api.weixin.qq.com/channels/ec"
PAGE_SIZE: Final = 100
_BUSY: Final = frozenset({"-1", "45009", "45011"})
"""errcodes of a busy system, a daily limit and a limit of the minute."""
_MORE, _FEWER, _SET = 1, 2, 3
_OWN_PARCEL: Final = 1

CAPABILITIES: Final = Capabilities(
    intents=frozenset({IntentKind.FETCH_ORDER, IntentKind.LIST_CHANGES, IntentKind.SHIP, IntentKind.SET_STOCK}),
    # SHA-1 of token, time and nonce: only where messages are encrypted does it cover what they say.
    signs=None,
    signs_time=True,
    stock_modes=frozenset({StockMode.ABSOLUTE, StockMode.RELATIVE}),
    partial_shipments=True,
    several_parcels=True,
    list_window_s=7 * 24 * 3_600,
    page_size=PAGE_SIZE,
)


def make(intent: Intent, channel: str) -> tuple[Request, ...] | Refusal:
    """The calls of an intent."""
    match intent:
        case FetchOrder():
            if _is_id(intent.external_id):
                return (detail(intent.external_id),)
            return cannot(channel, intent.kind, "its order ids are digits")
        case ListChanges():
            window = {"start_time": int(intent.since.timestamp()), "end_time": int(intent.until.timestamp())}
            page = {"page_size": PAGE_SIZE, "next_key": intent.cursor or ""}
            return (_call("order/list/get", {"update_time_range": window, **page}, ()),)
        case SetStock():
            if not all(_is_id(level.listing) and _is_id(level.product or "") for level in intent.levels):
                return cannot(channel, intent.kind, "a level needs its listing and its product, both digits")
            return tuple(_stock(intent.mode, level) for level in intent.levels)
        case Ship():
            return _ship(intent, channel)
    return cannot(channel, intent.kind, "its adapter makes no such request")


def detail(order_id: str) -> Request:
    """The call that gets one order."""
    return _call("order/get", {"order_id": order_id}, (order_id,))


def after_sale(after_sale_id: str) -> Request:
    """The call that gets one after-sale."""
    return _call("aftersale/getaftersaleorder", {"after_sale_order_id": after_sale_id}, (after_sale_id,))


def with_token(request: Request, token: str | None) -> Request:
    """The call with its access token."""
    if not token:
        return request
    return request.model_copy(update={"url": f"{request.url}?access_token={quote(token, safe='')}"})


def read_answer(request: Request, response: Response) -> Answer:
    """What became of a call: one code for all of it. Raises `UnreadableBody`."""
    if response.status != 200:
        return answer_by_status(request, response)
    answer = Cursor(read_json(response.body))
    code = answer.optional_identifier("errcode")
    if code is None:
        answer.fail("errcode", "is missing", "send the answer as the platform gave it")
    ok, said = code == "0", answer.optional_text("errmsg")
    return Answer(
        items=tuple(
            ItemAnswer(
                item=item,
                ok=ok,
                code=None if ok else code[:200],
                message=None if ok or said is None else said[:2_000],
                retry=code in _BUSY,
            )
            for item in request.items
        )
    )


def _ship(intent: Ship, channel: str) -> tuple[Request, ...] | Refusal:
    if not _is_id(intent.external_id):
        return cannot(channel, intent.kind, "its order ids are digits")
    if len(intent.parcels) > 1 and not all(parcel.quantities for parcel in intent.parcels):
        return cannot(channel, intent.kind, "each of several parcels must name its lines")
    lines = [line for parcel in intent.parcels for line, _ in parcel.quantities]
    if not all(_is_line(line) for line in lines):
        return cannot(channel, intent.kind, "its lines are product/sku, both digits")
    parameters = {"order_id": intent.external_id, "delivery_list": [_parcel(parcel) for parcel in intent.parcels]}
    return (_call("order/delivery/send", parameters, (intent.external_id,)),)


def _parcel(parcel: Parcel) -> dict[str, Any]:
    found: dict[str, Any] = {
        "delivery_id": parcel.carrier,
        "waybill_id": parcel.tracking,
        "deliver_type": _OWN_PARCEL,
    }
    if parcel.quantities:
        found["product_infos"] = [
            {"product_id": line.split("/")[0], "sku_id": line.split("/")[1], "product_cnt": quantity}
            for line, quantity in parcel.quantities
        ]
    return found


def _stock(mode: StockMode, level: StockLevel) -> Request:
    diff_type = _SET if mode is StockMode.ABSOLUTE else _FEWER if level.units < 0 else _MORE
    parameters = {
        "product_id": level.product,
        "sku_id": level.listing,
        "diff_type": diff_type,
        "num": abs(level.units),
    }
    return _call("product/stock/update", parameters, (level.listing,))


def _call(path: str, parameters: dict[str, Any], items: tuple[str, ...]) -> Request:
    return Request(
        method="POST",
        url=f"{API}/{path}",
        headers=(("Content-Type", "application/json"),),
        body=json.dumps(parameters, ensure_ascii=False, separators=(",", ":")).encode(),
        operation=path,
        items=items,
    )


def _is_line(text: str) -> bool:
    parts = text.split("/")
    return len(parts) in {2, 3} and all(_is_id(part) for part in parts)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20
