"""What Xiaohongshu can be asked: every call goes to one gateway, its parameters beside the gateway's own.

Sources: https://open.xiaohongshu.com/document/api (order.getOrderList with windows of half an hour, read from its last
page to its first; order.orderDeliver; inventory.syncSkuStock and incSkuStock) and /document/developer/file/39. An
absolute level is the sku's whole stock there, with what unpaid orders hold; skus with stock by warehouse need other
calls.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

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
    RateLimit,
    Request,
    Response,
    SetStock,
    Ship,
    StockMode,
    cannot,
)
from omo_core.channels.reading import read_json
from omo_core.channels.signing import md5_hex
from omo_core.channels.xiaohongshu_order import XiaohongshuConfig
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.refusals import Refusal

GATEWAY: Final = "https://ark.xiaohongshu.com/ark/open_api/v3/common_controller"
VERSION: Final = "2.0"
PAGE_SIZE: Final = 100
_BY_UPDATE: Final = 2
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")

CAPABILITIES: Final = Capabilities(
    intents=frozenset({IntentKind.FETCH_ORDER, IntentKind.LIST_CHANGES, IntentKind.SHIP, IntentKind.SET_STOCK}),
    pushes=False,
    stock_modes=frozenset({StockMode.ABSOLUTE, StockMode.RELATIVE}),
    partial_shipments=True,
    several_parcels=True,
    list_window_s=30 * 60,
    page_size=PAGE_SIZE,
    limits=(("*", RateLimit(per_period=100, burst=10)),),
)


def make(intent: Intent, channel: str) -> tuple[Request, ...] | Refusal:
    """The calls of an intent."""
    match intent:
        case FetchOrder():
            if not _ID.fullmatch(intent.external_id):
                return cannot(channel, intent.kind, "its order ids are letters and digits")
            return (_call("order.getOrderDetail", {"orderId": intent.external_id}, (intent.external_id,)),)
        case ListChanges():
            return _list(intent, channel)
        case SetStock():
            method = "inventory.syncSkuStock" if intent.mode is StockMode.ABSOLUTE else "inventory.incSkuStock"
            return tuple(
                _call(method, {"skuId": level.listing, "qty": level.units}, (level.listing,)) for level in intent.levels
            )
        case Ship():
            return _ship(intent, channel)
    return cannot(channel, intent.kind, "its adapter makes no such request")


def signed(request: Request, config: XiaohongshuConfig, *, now: datetime, token: str | None) -> Request:
    """The call with the gateway's parameters: only they are signed, not the call's own and not the token.

    Raises `InvalidInput` where no secret is configured.
    """
    if not config.secrets:
        raise InvalidInput("no secret is configured for this channel; configure the one its calls are signed with")
    timestamp, method = str(int(now.timestamp())), request.operation or ""
    text = f"{method}?appId={config.app_id}&timestamp={timestamp}&version={VERSION}{config.secrets[0]}"
    gateway = {
        "appId": config.app_id,
        "method": method,
        "timestamp": timestamp,
        "version": VERSION,
        "sign": md5_hex(text),
    }
    parameters = json.loads(request.body) | gateway | ({"accessToken": token} if token else {})
    return request.model_copy(update={"body": _json(parameters)})


def read_answer(request: Request, response: Response) -> Answer:
    """What became of a call: the gateway's word, and inside `data` the call's own. Raises `UnreadableBody`."""
    if response.status != 200:
        return answer_by_status(request, response)
    answer = Cursor(read_json(response.body))
    levels = list(_levels(answer))
    failed = next((level for level in levels if not _taken(level)), None)
    code = said = None
    if failed is not None:
        code = failed.optional_identifier("error_code") or failed.optional_identifier("code")
        said = failed.optional_text("error_msg") or failed.optional_text("msg")
    return Answer(
        items=tuple(
            ItemAnswer(
                item=item,
                ok=failed is None,
                code=None if code is None else code[:200],
                message=None if said is None else said[:2_000],
            )
            for item in request.items
        )
    )


def following(intent: ListChanges, pages: int) -> ListChanges | None:
    """The page before: orders that change move to the front, so that pages are read from the last to the first.

    The first answer tells how many there are; its page is read again at the end.
    """
    here = pages + 1 if intent.cursor is None else int(intent.cursor)
    if here <= 1 or pages <= 1:
        return None
    return intent.model_copy(update={"cursor": str(min(here - 1, pages))})


def _levels(answer: Cursor) -> Iterator[Cursor]:
    """The answer, and the one of the call itself inside it where that has one."""
    if not isinstance(answer.fields.get("success"), bool):
        raise UnreadableBody("$.success is missing; send the answer as the platform gave it", path="$.success")
    yield answer
    data = answer.fields.get("data")
    if isinstance(data, dict) and isinstance(data.get("success"), bool):
        yield answer.child("data")


def _taken(level: Cursor) -> bool:
    code = level.fields.get("error_code", level.fields.get("code", 0))
    return level.fields["success"] is True and code in (0, "0", None)


def _list(intent: ListChanges, channel: str) -> tuple[Request, ...] | Refusal:
    page = intent.cursor or "1"
    if not (page.isascii() and page.isdigit() and 1 <= int(page[:4]) <= 100):
        return cannot(channel, intent.kind, "the cursor is not of a page it gave")
    parameters = {
        "startTime": int(intent.since.timestamp()),
        "endTime": int(intent.until.timestamp()),
        "timeType": _BY_UPDATE,
        "pageNo": int(page),
        "pageSize": PAGE_SIZE,
    }
    return (_call("order.getOrderList", parameters, ()),)


def _ship(intent: Ship, channel: str) -> tuple[Request, ...] | Refusal:
    """A call for each parcel. A split one names its skus and holds all units of each: there are no quantities."""
    if not _ID.fullmatch(intent.external_id):
        return cannot(channel, intent.kind, "its order ids are letters and digits")
    split = len(intent.parcels) > 1 or not intent.completes
    if split and not all(parcel.quantities for parcel in intent.parcels):
        return cannot(channel, intent.kind, "each parcel of a split order must name its lines")
    skus = Counter(sku for parcel in intent.parcels for sku in set(_skus(parcel)))
    if split and any(times > 1 for times in skus.values()):
        return cannot(channel, intent.kind, "all units of a line leave in one parcel there")
    return tuple(_deliver(intent.external_id, parcel, split) for parcel in intent.parcels)


def _skus(parcel: Parcel) -> list[str]:
    """The skus of a parcel's lines; a line's id is its sku, perhaps with more behind it."""
    return list(dict.fromkeys(line.partition("/")[0] for line, _ in parcel.quantities))


def _deliver(order_id: str, parcel: Parcel, split: bool) -> Request:
    parameters: dict[str, Any] = {
        "orderId": order_id,
        "expressNo": parcel.tracking,
        "expressCompanyCode": parcel.carrier,
        "deliveringTime": int(parcel.shipped_at.timestamp()) * 1_000,
        "unpack": split,
    }
    if split:
        parameters["skuIdList"] = _skus(parcel)
    return _call("order.orderDeliver", parameters, (order_id,))


def _call(method: str, parameters: dict[str, Any], items: tuple[str, ...]) -> Request:
    return Request(
        method="POST",
        url=GATEWAY,
        headers=(("Content-Type", "application/json;charset=utf-8"),),
        body=_json(parameters),
        operation=method,
        items=items,
    )


def _json(parameters: dict[str, Any]) -> bytes:
    return json.dumps(parameters, ensure_ascii=False, separators=(",", ":")).encode()
