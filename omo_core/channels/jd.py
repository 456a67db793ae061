"""JD's marketplace (POP) through its open platform: orders are pulled, shipments and stock pushed back.

Sources: https://open.jd.com/home/home#/doc/api?apiCateId=55 (jingdong.pop.order.search, .get, .shipment),
apiCateId=48&apiId=1224 (jingdong.stock.write.updateSkuStock), https://jos.jd.com/commondoc?listId=33 (signature).

The platform has announced that jingdong.stock.write.updateSkuStock will be replaced; no source for the words of its
successor was found. How a seller cancels an order or answers a refund was not proven either, so both are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, ClassVar, Final

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import Dialect, answer_by_status, sha256_of
from omo_core.channels.fields import CHINA, flag, json_inside, optional_local, optional_unix_ms, units
from omo_core.channels.gateway_signing import china_time, compact_json, form_request, md5_around, with_signature
from omo_core.channels.intents import (
    Answer,
    Capabilities,
    FetchOrder,
    Intent,
    IntentKind,
    ItemAnswer,
    ListChanges,
    Page,
    Parcel,
    Request,
    Response,
    SetStock,
    Ship,
    StockLevel,
    StockMode,
    cannot,
)
from omo_core.channels.jd_order import JdConfig, key, read_order, read_state
from omo_core.channels.paging import page_before, page_number
from omo_core.channels.port import Cancellation
from omo_core.channels.reading import read_json
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.orders import Order, OrderStatus
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

__all__ = ["JdAdapter", "JdConfig"]

FIELDS: Final = (
    "orderId,orderType,payType,orderTotalPrice,orderSellerPrice,orderPayment,freightPrice,sellerDiscount,orderState,"
    "deliveryType,orderRemark,venderRemark,orderStartTime,orderEndTime,modified,paymentConfirmTime,consigneeInfo,"
    "itemInfoList,couponDetailList,balanceUsed,taxFee,serviceFee,storeOrder,scDT,waybill,orderExt,open_id_buyer,"
    "xid_buyer"
)
"""Only fields that are asked for come back."""
STATES: Final = (
    "WAIT_SELLER_STOCK_OUT,WAIT_GOODS_RECEIVE_CONFIRM,WAIT_SELLER_DELIVERY,PAUSE,FINISHED_L,TRADE_CANCELED,LOCKED,"
    "POP_ORDER_PAUSE"
)
PAGE_SIZE: Final = 100
WINDOW_S: Final = 30 * 86_400
_LISTS: Final = ("orderInfoList", "order_info_list")
_INSIDE: Final = ("orderDetailInfo", "searchorderinfo_result", "order_search", "orderInfo")
"""Objects that stand between an answer and its orders."""


class JdAdapter(Dialect[JdConfig]):
    """Reads one shop's orders."""

    config_type: ClassVar[type[Value]] = JdConfig
    capabilities: ClassVar[Capabilities] = Capabilities(
        intents=frozenset({IntentKind.FETCH_ORDER, IntentKind.LIST_CHANGES, IntentKind.SHIP, IntentKind.SET_STOCK}),
        pushes=False,
        stock_modes=frozenset({StockMode.ABSOLUTE}),
        stock_by_location=True,
        several_parcels=True,
        list_window_s=WINDOW_S,
        page_size=PAGE_SIZE,
    )

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read an order, bare or in the answer of jingdong.pop.order.get."""
        orders = self.parse_orders(body)
        if len(orders) != 1 or more:
            raise UnreadableBody(f"the document holds {len(orders)} orders; send exactly one here")
        return orders[0]

    def parse_orders(self, body: bytes) -> tuple[Order, ...]:
        """Read an order or a list of them, bare or in an answer."""
        sha256 = sha256_of(body)
        return tuple(read_order(one, self.config, sha256) for one in self._rows(body))

    def parse_cancellation(self, body: bytes) -> Cancellation:
        """Read an order that says it is off; what was asked of it may leave out its lines."""
        rows = self._rows(body)
        if len(rows) != 1:
            raise UnreadableBody(f"the document holds {len(rows)} orders; send exactly one here")
        order = rows[0]
        word, status, _ = read_state(order)
        external_id = order.identifier(key(order, "orderId"))
        if status is not OrderStatus.CANCELLED:
            raise UnreadableBody(
                f"order {external_id[:40]} is {word[:40] or status}, not cancelled; read it as an order"
            )
        extra = json_inside(order, "orderExt")
        at = optional_local(order, "modified", CHINA)
        if at is None and extra is not None:
            at = optional_unix_ms(extra, "modified")
        if at is None:
            order.fail("modified", "is missing", "ask for it among the optional_fields")
        return order.build(
            Cancellation,
            channel=self.channel,
            external_id=external_id,
            source_version=microseconds(at),
            cancelled_at=at,
        )

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """The calls of an intent, all to the one gateway."""
        match intent:
            case FetchOrder():
                return (self._fetch(intent),)
            case ListChanges():
                return (self._list(intent),)
            case Ship():
                return (self._ship(intent),)
            case SetStock():
                return tuple(self._set(level) for level in intent.levels)
            case _:
                return cannot(self.channel, intent.kind, "its adapter makes no such request")

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The form with the application's key, the shop's access `token`, the time, and the signature of them all."""
        more = {
            "app_key": self.config.app_key,
            "access_token": token,
            "timestamp": f"{china_time(now)}.{now.microsecond // 1_000:03}+0800",
            "v": "2.0",
        }
        return with_signature(request, more, self.config.secrets, md5_around)

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """What the gateway says of each item; its faults come with status 200."""
        del intent
        if response.status != 200:
            return answer_by_status(request, response)
        document = self.document(response.body)
        fault = _fault(document, _answer(document))
        return Answer(items=tuple(_item(item, fault) for item in request.items))

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """One page of whole orders, from the last page to the first; one that cannot be read does not hide the rest."""
        document = self.document(body)
        fault = _fault(document, _answer(document))
        if fault is not None:
            raise UnreadableBody(f"the answer is a fault of the platform ({fault['code']}); ask again or mend it")
        result = _answer(document).child("searchorderinfo_result")
        total = units(result, "orderTotal", least=0)
        sha256 = sha256_of(body)
        orders, unreadable = [], []
        for one in result.documents("orderInfoList"):
            try:
                orders.append(read_order(one, self.config, sha256))
            except InvalidInput as error:
                unreadable.append((_name(one), str(error)))
        return Page(
            orders=tuple(orders),
            unreadable=tuple(unreadable),
            following=page_before(intent, total=total, page_size=PAGE_SIZE),
        )

    def _rows(self, body: bytes) -> list[Cursor]:
        """The orders of a document, wherever they stand in it; each notes its own oddities."""
        document = read_json(body, max_bytes=self.config.max_bytes)
        if isinstance(document, list):
            return list(Cursor({"orders": document}).documents("orders"))
        cursor = Cursor(document)
        answer = _answer(cursor)
        fault = _fault(cursor, answer)
        if fault is not None:
            raise UnreadableBody(f"the answer is a fault of the platform ({fault['code']}); ask again or mend it")
        cursor = answer
        for name in _INSIDE:
            cursor = cursor.optional_child(name) or cursor
        for name in _LISTS:
            if cursor.has(name):
                return list(cursor.documents(name))
        return [cursor]

    def _call(self, method: str, parameters: Mapping[str, Any], items: tuple[str, ...] = ()) -> Request:
        fields = {"method": method, "360buy_param_json": compact_json(parameters)}
        return form_request(self.config.gateway, fields, operation=method, items=items)

    def _fetch(self, intent: FetchOrder) -> Request:
        parameters = {"order_id": _number(intent.external_id), "optional_fields": FIELDS, "source_id": "JOS"}
        return self._call("jingdong.pop.order.get", parameters, (intent.external_id,))

    def _list(self, intent: ListChanges) -> Request:
        return self._call(
            "jingdong.pop.order.search",
            {
                "start_date": china_time(intent.since),
                "end_date": china_time(intent.until),
                "order_state": STATES,
                "optional_fields": FIELDS,
                "source_id": "JOS",
                "page": str(page_number(intent)),
                "page_size": str(PAGE_SIZE),
                "dateType": 0,
                "sortType": 2,
            },
        )

    def _ship(self, intent: Ship) -> Request:
        """One call for all parcels: carriers apart by |, the waybills of one carrier by commas."""
        parcels = sorted(intent.parcels, key=lambda parcel: parcel.carrier)
        carriers = [(carrier, list(group)) for carrier, group in groupby(parcels, key=lambda parcel: parcel.carrier)]
        return self._call(
            "jingdong.pop.order.shipment",
            {
                "orderId": _number(intent.external_id),
                "logiCoprId": "|".join(str(_number(carrier)) for carrier, _ in carriers),
                "logiNo": "|".join(",".join(_waybills(group)) for _, group in carriers),
            },
            (intent.external_id,),
        )

    def _set(self, level: StockLevel) -> Request:
        parameters = {"skuId": _number(level.listing), "stockNum": level.units}
        if level.location is not None:
            parameters["storeId"] = _number(level.location)
        return self._call("jingdong.stock.write.updateSkuStock", parameters, (level.listing,))


def _number(text: str) -> int:
    """An id of the platform, which its calls take as a number; raises `InvalidInput`."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise InvalidInput(f"{text[:40]!r} is no id of this channel; give its digits")
    return int(text)


def _name(order: Cursor) -> str:
    """How to name an order that cannot be read: its id, or its place."""
    value = order.fields.get("orderId")
    return value if isinstance(value, str) and value.isascii() and value.isalnum() and len(value) < 100 else order.path


def _waybills(parcels: list[Parcel]) -> Iterator[str]:
    for parcel in parcels:
        if "," in parcel.tracking or "|" in parcel.tracking:
            raise InvalidInput(f"{parcel.tracking[:40]!r} is no waybill here; commas and bars stand between them")
        yield parcel.tracking


def _answer(document: Cursor) -> Cursor:
    """What stands under the method's own name, which the platform ends in responce; the document itself if bare."""
    for name in document.fields:
        if name.endswith(("_responce", "_response")) and document.has(name):
            return document.child(name)
    return document


def _fault(document: Cursor, answer: Cursor) -> dict[str, str | None] | None:
    """The fault an answer tells of: an error_response, a code that is not 0, or a result without success."""
    if document.has("error_response"):
        return _said(document.child("error_response"))
    if answer is document:
        return None if not document.has("errorMessage") else _said(document)
    if answer.optional_identifier("code") not in (None, "0"):
        return _said(answer)
    for name, value in answer.fields.items():
        result = answer.child(name) if isinstance(value, dict) else None
        result = result and (result.optional_child("apiResult") or result)
        if result and result.has("success") and not flag(result, "success"):
            return _said(result)
    return None


def _said(fault: Cursor) -> dict[str, str | None]:
    """Code and sentence of a fault, under the several names that they have."""
    codes = (fault.optional_identifier(name) for name in ("numberCode", "errorCode", "code"))
    names = ("zh_desc", "chineseErrCode", "errorMessage", "en_desc", "englishErrCode", "msg")
    sentences = (fault.optional_text(name) for name in names)
    return {
        "code": next((code[:80] for code in codes if code), "no code"),
        "message": next((sentence[:500] for sentence in sentences if sentence), None),
    }


def _item(item: str, fault: dict[str, str | None] | None) -> ItemAnswer:
    if fault is None:
        return ItemAnswer(item=item, ok=True)
    return ItemAnswer(item=item, ok=False, code=fault["code"], message=fault["message"])
