"""Writes intents as native documents for the endpoint of a host, and reads what the host answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import answer_by_status, batches
from omo_core.channels.intents import (
    Acknowledge,
    Answer,
    AnswerRefund,
    CancelOrder,
    FetchOrder,
    Intent,
    ItemAnswer,
    ListChanges,
    Parcel,
    Quantities,
    ReadyForPickup,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
)
from omo_core.channels.reading import read_json
from omo_core.model.errors import InvalidInput
from omo_core.model.values import format_minor

STOCK_BATCH: Final = 1_000
"""Most levels in one request."""

ANSWER_FIELDS: Final = frozenset({"items", "reference", "extra"})
ITEM_FIELDS: Final = frozenset({"item", "ok", "code", "message", "retry"})
PAGE_FIELDS: Final = frozenset({"orders", "references", "cursor", "extra"})
REFERENCE_FIELDS: Final = frozenset({"external_id", "updated_at"})


def make_requests(intent: Intent, channel: str, endpoint: str) -> tuple[Request, ...]:
    """The intent as documents to POST, one except for stock, which goes in slices of `STOCK_BATCH` levels."""
    if isinstance(intent, SetStock):
        slices = list(batches(intent.levels, STOCK_BATCH))
        return tuple(
            _request(
                intent,
                channel,
                endpoint,
                {"mode": intent.mode, "as_of": _time(intent.as_of), "levels": [_level(level) for level in levels]},
                items=tuple(dict.fromkeys(level.listing for level in levels)),
                part=f"/{number}" if len(slices) > 1 else "",
            )
            for number, levels in enumerate(slices, start=1)
        )
    if isinstance(intent, ListChanges):
        window = {"since": _time(intent.since), "until": _time(intent.until), "cursor": intent.cursor}
        return (_request(intent, channel, endpoint, window, items=(intent.kind,)),)
    fields = {"external_id": intent.external_id, **_of_an_order(intent)}
    return (_request(intent, channel, endpoint, fields, items=(intent.external_id,)),)


def _of_an_order(
    intent: FetchOrder | Acknowledge | Ship | ReadyForPickup | CancelOrder | AnswerRefund,
) -> dict[str, Any]:
    match intent:
        case Ship():
            return {
                "parcels": [_parcel(parcel) for parcel in intent.parcels],
                "completes": intent.completes,
                "fulfilment": intent.fulfilment,
            }
        case ReadyForPickup():
            return {"lines": _lines(intent.quantities), "fulfilment": intent.fulfilment}
        case CancelOrder():
            return {
                "reason": intent.reason,
                "lines": _lines(intent.quantities),
                "restock": intent.restock,
                "fulfilments": list(intent.fulfilments) or None,
            }
        case AnswerRefund():
            return {
                "refund": intent.refund,
                "accept": intent.accept,
                "amount": _amount(intent),
                "currency": intent.currency,
                "reason": intent.reason,
            }
        case _:
            return {}


def _amount(intent: AnswerRefund) -> str | None:
    if intent.amount_minor is None:
        return None
    if intent.currency is None:
        raise InvalidInput(f"refund {intent.refund} names an amount and no currency; name both, or neither")
    return format_minor(intent.amount_minor, intent.currency)


def _request(
    intent: Intent, channel: str, endpoint: str, fields: Mapping[str, Any], *, items: tuple[str, ...], part: str = ""
) -> Request:
    document = {"type": intent.kind, "version": 1, "channel": channel, "key": intent.key + part}
    filled = {name: value for name, value in fields.items() if value is not None}
    return Request(
        method="POST",
        url=endpoint,
        headers=(("Content-Type", "application/json"),),
        body=to_json({**document, **filled}),
        operation=intent.kind,
        items=items,
    )


def _parcel(parcel: Parcel) -> dict[str, Any]:
    found = {
        "carrier": parcel.carrier,
        "tracking": parcel.tracking,
        "tracking_url": parcel.tracking_url,
        "location": parcel.location,
        "shipped_at": _time(parcel.shipped_at),
        "lines": _lines(parcel.quantities),
    }
    return {name: value for name, value in found.items() if value is not None}


def _level(level: StockLevel) -> dict[str, Any]:
    return {name: value for name, value in level.model_dump().items() if value is not None}


def _lines(quantities: Quantities) -> list[dict[str, Any]] | None:
    return [{"line": line, "quantity": quantity} for line, quantity in quantities] or None


def _time(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def read_answer(request: Request, response: Response) -> Answer:
    """What the host says item by item; by its status alone where it does not succeed, or says nothing more.

    Raises `UnreadableBody`. An item that the answer does not name was taken.
    """
    by_status = answer_by_status(request, response)
    if not 200 <= response.status < 300 or not response.body.strip():
        return by_status
    answer = Cursor(read_json(response.body))
    answer.only(ANSWER_FIELDS)
    said: dict[str, ItemAnswer] = {}
    for item in answer.children("items"):
        item.only(ITEM_FIELDS)
        name = item.text("item")
        if name not in request.items:
            item.fail("item", "is none that was sent", "name the items of the request")
        said[name] = item.build(
            ItemAnswer,
            item=name,
            ok=item.boolean("ok", True),
            code=item.optional_text("code"),
            message=item.optional_text("message"),
            retry=item.boolean("retry", False),
        )
    items = tuple(said.get(one.item, one) for one in by_status.items)
    return answer.build(Answer, items=items, reference=answer.optional_text("reference"))
