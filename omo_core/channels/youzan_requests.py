"""What is asked of Youzan's gateway, and what its answers say.

Sources: https://doc.youzanyun.com/ (youzan.trade.get and youzan.trades.sold.get 4.0.0, youzan.item.quantity.update and
youzan.logistics.online.confirm 3.0.0, the gateway's error codes); of youzan.trade.refund.agree and .refuse 3.0.0, the
platform's generated SDKs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import flag
from omo_core.channels.gateway_signing import china_time
from omo_core.channels.intents import (
    Answer,
    AnswerRefund,
    ItemAnswer,
    ListChanges,
    Parcel,
    Request,
    Ship,
    StockLevel,
    StockMode,
    cannot,
)
from omo_core.channels.paging import page_number
from omo_core.channels.youzan_delivery import YouzanConfig
from omo_core.model.errors import InvalidInput
from omo_core.model.refusals import Refusal

PAGE_SIZE: Final = 100
PAGES: Final = 100
"""Most pages that the gateway gives of one window."""
WINDOW_S: Final = 90 * 86_400
_MODES: Final[Mapping[StockMode, int]] = {StockMode.ABSOLUTE: 0, StockMode.RELATIVE: 1}
_TID: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_LIMITED: Final = "4101"


def ask(config: YouzanConfig, call: str, version: str, parameters: Mapping[str, Any], *items: str) -> Request:
    """One call of the gateway, without its token."""
    return Request(
        method="POST",
        url=f"{config.gateway}/api/{call}/{version}",
        headers=(("Content-Type", "application/json"),),
        body=to_json(parameters),
        operation=call,
        items=items,
    )


def fetch_order(config: YouzanConfig, tid: str) -> Request:
    """Get one trade."""
    return ask(config, "youzan.trade.get", "4.0.0", {"tid": _trade(tid)}, tid)


def list_changes(config: YouzanConfig, intent: ListChanges) -> Request:
    """One page of trades that changed in the window."""
    window = {"start_update": china_time(intent.since), "end_update": china_time(intent.until)}
    pages = {"page_no": page_number(intent), "page_size": PAGE_SIZE}
    return ask(config, "youzan.trades.sold.get", "4.0.0", {**window, **pages})


def ship(config: YouzanConfig, channel: str, intent: Ship) -> tuple[Request, ...] | Refusal:
    """The parcels of a trade, line by line: a line leaves whole, in one parcel."""
    is_split = len(intent.parcels) > 1 or not intent.completes or any(p.quantities for p in intent.parcels)
    if is_split and not all(parcel.quantities for parcel in intent.parcels):
        return cannot(channel, intent.kind, "a trade in several parcels needs the lines of each of them")
    sent = [line for parcel in intent.parcels for line, _ in parcel.quantities]
    if len(sent) != len(set(sent)):
        return cannot(channel, intent.kind, "a line of a trade leaves in one parcel there, whole")
    return tuple(_ship_one(config, intent.external_id, parcel) for parcel in intent.parcels)


def _ship_one(config: YouzanConfig, tid: str, parcel: Parcel) -> Request:
    parameters = {"tid": _trade(tid), "out_stype": parcel.carrier, "out_sid": parcel.tracking}
    lines = [line for line, _ in parcel.quantities]
    if lines:
        parameters["oids"] = ",".join(str(_number(line)) for line in lines)
    return ask(config, "youzan.logistics.online.confirm", "3.0.0", parameters, *(lines or [tid]))


def set_stock(config: YouzanConfig, level: StockLevel, mode: StockMode) -> Request:
    """The level of a SKU of a product; a listing without a product is a product that has no SKUs."""
    product = level.product or level.listing
    parameters = {"item_id": _number(product), "quantity": level.units, "type": _MODES[mode]}
    if level.product is not None and level.product != level.listing:
        parameters["sku_id"] = _number(level.listing)
    return ask(config, "youzan.item.quantity.update", "3.0.0", parameters, level.listing)


def answer_refund(config: YouzanConfig, channel: str, intent: AnswerRefund) -> tuple[Request, ...] | Refusal:
    """Pay a refund back, or refuse it with a reason; each of the version that its own document has."""
    if intent.version is None:
        return cannot(channel, intent.kind, "it wants the refund's version; give RefundNotice.version of its document")
    parameters: dict[str, Any] = {"refund_id": intent.refund, "version": _number(intent.version)}
    if intent.accept:
        return (ask(config, "youzan.trade.refund.agree", "3.0.0", parameters, intent.refund),)
    if not intent.reason:
        return cannot(channel, intent.kind, "it wants the reason of a refusal")
    parameters["remark"] = intent.reason
    return (ask(config, "youzan.trade.refund.refuse", "3.0.0", parameters, intent.refund),)


def read_answer(request: Request, document: Cursor) -> Answer:
    """What the gateway says, by its own faults and by those of the call; raises `UnreadableBody`."""
    said = fault(document)
    if said is not None:
        code, message = said
        return Answer(
            items=tuple(
                ItemAnswer(item=item, ok=False, code=code, message=message, retry=code == _LIMITED)
                for item in request.items
            )
        )
    result = opened(document)
    ok = flag(result, "is_success", True)
    return Answer(
        items=tuple(ItemAnswer(item=item, ok=ok, code=None if ok else "is_success_false") for item in request.items)
    )


def fault(document: Cursor) -> tuple[str, str | None] | None:
    """(code, sentence) of a fault in any of the three forms in which the gateway and its calls tell of one."""
    for name, code, message in (("gw_err_resp", "err_code", "err_msg"), ("error_response", "code", "msg")):
        if document.has(name):
            error = document.child(name)
            return (error.optional_identifier(code) or "no code")[:80], error.optional_text(message)
    if document.has("success") and not flag(document, "success"):
        return (document.optional_identifier("code") or "no code")[:80], document.optional_text("message")
    return None


def opened(document: Cursor) -> Cursor:
    """What stands in an answer: under response, or under data as the newer gateway writes it."""
    for name in ("response", "data"):
        if isinstance(document.fields.get(name), dict):
            return document.child(name)
    return document


def _trade(tid: str) -> str:
    if not _TID.fullmatch(tid):
        raise InvalidInput(f"{tid[:40]!r} is no trade of this channel; give its number, such as E2026…")
    return tid


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise InvalidInput(f"{text[:40]!r} is no id of this channel; give its digits")
    return int(text)
