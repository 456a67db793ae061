"""What is asked of the Taobao open platform, and what its answers say.

Sources: https://open.taobao.com/api.htm (taobao.trade.fullinfo.get, taobao.trades.sold.increment.get,
taobao.logistics.offline.send, taobao.logistics.online.send, taobao.skus.quantity.update,
taobao.item.quantity.update, taobao.trade.close) and https://open.taobao.com/doc.htm?docId=114&docType=1 (errors).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import batches
from omo_core.channels.fields import CHINA, flag, local, units
from omo_core.channels.gateway_signing import china_time, form_request
from omo_core.channels.intents import (
    Answer,
    CancelOrder,
    ItemAnswer,
    ListChanges,
    Page,
    Parcel,
    Reference,
    Request,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
    cannot,
)
from omo_core.channels.paging import page_before, page_number
from omo_core.channels.taobao_delivery import TaobaoConfig
from omo_core.channels.taobao_order import PART, entries
from omo_core.model.errors import InvalidInput
from omo_core.model.refusals import Refusal

FIELDS: Final = (
    "tid,tid_str,type,status,created,modified,pay_time,end_time,consign_time,payment,post_fee,total_fee,discount_fee,"
    "adjust_fee,buyer_cod_fee,order_tax_fee,alipay_no,buyer_open_uid,buyer_message,seller_memo,shipping_type,"
    "receiver_name,receiver_mobile,receiver_phone,receiver_country,receiver_state,receiver_city,receiver_district,"
    "receiver_town,receiver_address,receiver_zip,oaid,shop_code,o2o_delivery,o2o_shop_id,rt_omni_send_type,"
    "rt_omni_store_id,rt_omni_outer_store_id,delivery_time,send_time,sign_time,step_trade_status,step_paid_fee,"
    "new_presell,general_new_presell,forbid_consign,top_hold,team_buy_hold,share_group_hold,ofp_hold,is_sh_ship,"
    "rx_audit_status,orders,promotion_details,service_orders"
)
"""Only fields that are asked for come back; `oaid` needs the receiver's four and `created` beside it."""

PAGE_SIZE: Final = 50
STOCK_BATCH: Final = 20
WINDOW_S: Final = 86_400
OUT_OF_STOCK: Final = "缺货"
"""One of the reasons that taobao.trade.close takes."""
_SUB_TIDS: Final[Mapping[str, int]] = {"taobao.logistics.offline.send": 50, "taobao.logistics.online.send": 20}
"""How many lines one call may ship."""

_PASSING: Final = frozenset({"7", "10"})
"""The application called too often; the service is out of order for now."""
_ID: Final = re.compile(r"[0-9]{1,20}")
_MODES: Final[Mapping[StockMode, str]] = {StockMode.ABSOLUTE: "1", StockMode.RELATIVE: "2"}


def number(value: str, what: str) -> str:
    """An id of the platform, which is always digits; raises `InvalidInput`."""
    if not _ID.fullmatch(value):
        raise InvalidInput(f"{what} {value[:40]!r} is no id of this channel; give its digits")
    return value


def ask(config: TaobaoConfig, method: str, items: tuple[str, ...], **parameters: str) -> Request:
    """One call of the gateway, without its credentials."""
    return form_request(config.gateway, {"method": method, **parameters}, operation=method, items=items)


def fetch_order(config: TaobaoConfig, tid: str) -> Request:
    """Get one trade with its lines."""
    return ask(config, "taobao.trade.fullinfo.get", (tid,), fields=FIELDS, tid=number(tid, "the trade"))


def list_changes(config: TaobaoConfig, intent: ListChanges) -> Request:
    """One page of ids of trades that were modified in the window."""
    return ask(
        config,
        "taobao.trades.sold.increment.get",
        (),
        fields="tid,tid_str,modified",
        start_modified=china_time(intent.since),
        end_modified=china_time(intent.until),
        page_no=str(page_number(intent)),
        page_size=str(PAGE_SIZE),
    )


def read_page(intent: ListChanges, body: Cursor) -> Page:
    """The ids on a page, and the page before it."""
    rows = list(entries(body, "trades", "trade"))
    references = tuple(
        row.build(
            Reference,
            external_id=row.optional_identifier("tid_str") or row.identifier("tid"),
            updated_at=local(row, "modified", CHINA),
        )
        for row in rows
    )
    total = units(body, "total_results", least=0)
    return Page(references=references, following=page_before(intent, total=total, page_size=PAGE_SIZE))


def ship(config: TaobaoConfig, channel: str, intent: Ship) -> tuple[Request, ...] | Refusal:
    """The parcels of a trade, line by line: a line leaves whole, in one parcel."""
    is_split = len(intent.parcels) > 1 or not intent.completes or any(p.quantities for p in intent.parcels)
    if is_split and not all(parcel.quantities for parcel in intent.parcels):
        return cannot(channel, intent.kind, "a trade in several parcels needs the lines of each of them")
    sent = [line for parcel in intent.parcels for line, _ in parcel.quantities]
    if len(sent) != len(set(sent)):
        return cannot(channel, intent.kind, "a line of a trade leaves in one parcel there, whole")
    if any(PART in line for line in sent):
        return cannot(channel, intent.kind, "a combined item leaves as its line there; name the line, not its parts")
    return tuple(
        request for parcel in intent.parcels for request in _ship_one(config, intent.external_id, parcel, is_split)
    )


def _ship_one(config: TaobaoConfig, tid: str, parcel: Parcel, is_split: bool) -> Iterator[Request]:
    call = config.ship_call
    common = {"tid": number(tid, "the trade"), "out_sid": parcel.tracking, "company_code": parcel.carrier}
    if parcel.location:
        common["sender_id"] = number(parcel.location, "the sender's address")
    if not is_split:
        yield ask(config, call, (tid,), **common)
    lines = [number(line, "the line") for line, _ in parcel.quantities]
    for some in batches(lines, _SUB_TIDS[call]) if is_split else ():
        yield ask(config, call, tuple(some), **common, is_split="1", sub_tid=",".join(some))


def set_stock(config: TaobaoConfig, intent: SetStock) -> tuple[Request, ...]:
    """Levels of SKUs, product by product; a listing without a product is a product that has no SKUs."""
    mode = _MODES[intent.mode]
    made: list[Request] = []
    levels = sorted(intent.levels, key=lambda level: level.product or "")
    for product, group in groupby(levels, key=lambda level: level.product):
        if product is None:
            made += [_set_item(config, level, mode) for level in group]
            continue
        for some in batches(list(group), STOCK_BATCH):
            pairs = ";".join(f"{number(level.listing, 'the SKU')}:{level.units}" for level in some)
            items = tuple(level.listing for level in some)
            made.append(
                ask(
                    config,
                    "taobao.skus.quantity.update",
                    items,
                    num_iid=number(product, "the product"),
                    skuid_quantities=pairs,
                    type=mode,
                )
            )
    return tuple(made)


def _set_item(config: TaobaoConfig, level: StockLevel, mode: str) -> Request:
    return ask(
        config,
        "taobao.item.quantity.update",
        (level.listing,),
        num_iid=number(level.listing, "the product"),
        quantity=str(level.units),
        type=mode,
    )


def cancel(config: TaobaoConfig, intent: CancelOrder) -> tuple[Request, ...]:
    """Close a trade that is not paid yet, or lines of it: their ids stand in the same field."""
    whole = [intent.external_id]
    lines = [line for line, _ in intent.quantities]
    reason = intent.reason or OUT_OF_STOCK
    return tuple(
        ask(config, "taobao.trade.close", (one,), tid=number(one, "the trade"), close_reason=reason)
        for one in lines or whole
    )


def read_answer(request: Request, document: Cursor) -> Answer:
    """What the gateway says: an `error_response`, or the method's own answer; raises `UnreadableBody`."""
    if document.has("error_response"):
        error = document.child("error_response")
        code = error.optional_identifier("sub_code") or error.optional_identifier("code")
        message = error.optional_text("sub_msg") or error.optional_text("msg")
        retry = is_passing(error)
        return Answer(
            items=tuple(
                ItemAnswer(item=item, ok=False, code=code, message=message, retry=retry) for item in request.items
            )
        )
    body = answer_of(document, request.operation or "")
    shipping = body.optional_child("shipping")
    ok = shipping is None or flag(shipping, "is_success", True)
    return Answer(
        items=tuple(ItemAnswer(item=item, ok=ok, code=None if ok else "is_success_false") for item in request.items)
    )


def answer_of(document: Cursor, method: str) -> Cursor:
    """The object under the method's own name, such as trade_close_response of taobao.trade.close."""
    return document.child(f"{method.removeprefix('taobao.').replace('.', '_')}_response")


def is_passing(error: Cursor) -> bool:
    """Whether the same call may succeed later: the platform's own faults (isp., out of service) and its limits."""
    sub_code = error.optional_text("sub_code") or ""
    return sub_code.startswith(("isp.", "accesscontrol.limited-by")) or error.optional_identifier("code") in _PASSING
