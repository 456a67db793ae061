"""Writes canonical orders as 微信小店's order documents, refunds as its after-sale documents, and its signed notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from pydantic_core import to_json

from omo_core.channels.cursor import microseconds
from omo_core.channels.port import RefundNotice
from omo_core.channels.wechat_shop_message import encrypted, signature
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Funder,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    PaymentStatus,
    RefundStatus,
)

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""

_STATES: Final[Mapping[tuple[OrderStatus, PaymentStatus], int]] = {
    (OrderStatus.OPEN, PaymentStatus.PENDING): 10,
    (OrderStatus.OPEN, PaymentStatus.PAID): 20,
    (OrderStatus.CLOSED, PaymentStatus.PAID): 100,
    (OrderStatus.CANCELLED, PaymentStatus.VOIDED): 250,
    (OrderStatus.CANCELLED, PaymentStatus.REFUNDED): 200,
}
_DISCOUNTS: Final[Mapping[tuple[Funder, str | None], str]] = {
    (Funder.SELLER, "商家优惠"): "merchant_discounted_price",
    (Funder.PARTNER, "达人优惠"): "finder_discounted_price",
    (Funder.PLATFORM, "平台券优惠"): "cash_coupon_discounted_price",
}
_AFTER_SALE: Final[Mapping[RefundStatus, str]] = {
    RefundStatus.REQUESTED: "MERCHANT_PROCESSING",
    RefundStatus.AGREED: "USER_WAIT_RETURN",
    RefundStatus.REFUSED: "MERCHANT_REJECT_REFUND",
    RefundStatus.DONE: "MERCHANT_REFUND_SUCCESS",
}


_ALWAYS: Final[Mapping[str, Any]] = {
    "merchant_discounted_price": 0,
    "finder_discounted_price": 0,
    "vip_discounted_price": 0,
    "deduction_price": 0,
    "bulkbuy_discounted_price": 0,
    "national_subsidy_discounted_price": 0,
    "cash_coupon_discounted_price": 0,
    "national_subsidy_merchant_discounted_price": 0,
    "platform_activity_merchant_discounted_price": 0,
    "limited_discount_discounted_price": 0,
    "is_discounted": False,
    "use_deduction": False,
}
"""What stands in every price and every line, mostly 0."""
_BESIDE: Final[Mapping[str, Any]] = {
    "settle_info": {"predict_commission_fee": 0, "commission_fee": 0, "settle_time": 0},
    "agent_info": {"agent_finder_id": "", "agent_finder_nickname": ""},
    "coupon_info": {"user_coupon_id": ""},
    "commission_infos": [],
    "source_infos": [],
    "refund_info": {"refund_freight": 0},
}
"""What stands in every order beside what we read."""


def write_wechat_shop_order(order: Order) -> bytes:
    """The order as the answer of order/get.

    Raises `InvalidInput` for what the dialect cannot carry, such as a line whose id is not `product/sku`.
    """
    return to_json({"errcode": 0, "errmsg": "ok", "order": wechat_shop_order_document(order)})


def write_wechat_shop_refund(notice: RefundNotice) -> bytes:
    """The refund as the answer of aftersale/getaftersaleorder; it is for one line."""
    refund = notice.refund
    if len(refund.quantities) != 1:
        raise InvalidInput("a 微信小店 after-sale is for exactly one line; give it one")
    ((line, count),) = refund.quantities
    product, _, sku = line.partition("/")
    document = {
        "after_sale_order_id": refund.refund,
        "order_id": notice.external_id,
        "status": _AFTER_SALE[refund.status],
        "type": {True: "RETURN", False: "REFUND", None: ""}[notice.returns_goods],
        "create_time": _seconds(refund.created_at),
        "update_time": _seconds(notice.updated_at),
        "reason_text": refund.reason or "",
        "product_info": {"product_id": product, "sku_id": sku, "count": count},
        "refund_info": {"amount": refund.refunded_to_buyer_minor},
    }
    return to_json({"errcode": 0, "errmsg": "ok", "after_sale_order": document})


def write_wechat_shop_notice(
    message: Mapping[str, Any] | bytes,
    *,
    secret: str,
    sent_at: datetime,
    aes_key: str | None = None,
    app_id: str = "",
    as_xml: bool = False,
) -> Signed:
    """A notice as it is pushed, signed for `sent_at`; encrypted where a key is given, as JSON or as XML."""
    timestamp, nonce = str(_seconds(sent_at)), str(_seconds(sent_at) % 10**9)
    body = message if isinstance(message, bytes) else _xml({"xml": message}) if as_xml else to_json(message)
    query = {"signature": signature(secret, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
    if aes_key is not None:
        hidden = encrypted(body, key=aes_key, app_id=app_id, random=nonce.rjust(16, "x").encode()[:16])
        query |= {"encrypt_type": "aes", "msg_signature": signature(secret, timestamp, nonce, hidden)}
        envelope = {"ToUserName": "gh_1", "Encrypt": hidden}
        body = _xml({"xml": envelope}) if as_xml else to_json(envelope)
    return {":path": f"/wechat?{urlencode(query)}", "Content-Type": "text/xml" if as_xml else "application/json"}, body


def wechat_shop_order_document(order: Order) -> dict[str, Any]:
    """The order as the platform's own, in plain data; raises `InvalidInput` as `write_wechat_shop_order` does."""
    amounts, (delivery,) = _carriable(order), order.deliveries
    price: dict[str, Any] = {
        "product_price": amounts.line_gross_minor,
        "order_price": amounts.total_minor,
        "freight": amounts.shipping_minor,
        "discounted_price": 0,
        "original_order_price": amounts.line_gross_minor + amounts.shipping_minor,
        "is_change_freight": False,
        "change_freight": 0,
        "change_down_price": 0,
        **_ALWAYS,
        "merchant_receieve_price": amounts.total_minor + amounts.platform_discount_minor,
    }
    price |= {_DISCOUNTS[one.funder, one.title]: one.amount_minor for one in order.discounts}
    sent = order.status is OrderStatus.CLOSED
    how: dict[str, Any] = {
        "deliver_method": 0 if all(line.physical for line in order.lines) else 3,
        "ship_done_time": _seconds(order.updated_at) if sent else 0,
        "address_info": _address(delivery.address) if delivery.address else None,
        "delivery_product_info": [],
    }
    document: dict[str, Any] = {
        "order_id": order.external_id,
        "openid": order.buyer or "",
        "create_time": _seconds(order.placed_at),
        "update_time": _seconds(order.updated_at),
        "status": _STATES[order.status, order.payment],
        "order_detail": {
            **_BESIDE,
            "product_infos": [_line(line, order) for line in order.lines],
            "price_info": price,
            "pay_info": _pay(order),
            "delivery_info": how,
            "ext_info": {"customer_notes": order.note or "", "merchant_notes": "", "order_scene": 1},
        },
        "aftersale_detail": {"on_aftersale_order_cnt": 0, "aftersale_order_list": []},
    }
    if delivery.method is DeliveryMethod.ONE_HOUR:
        document["intra_city_order_info"] = {
            "shop_id": "1",
            "predict_arrive_start_time": _seconds(delivery.not_before) if delivery.not_before else 0,
            "predict_arrive_end_time": _seconds(delivery.deliver_by) if delivery.deliver_by else 0,
        }
    return document


def _carriable(order: Order) -> OrderAmounts:
    """The order's amounts; refuse what would be lost on the way."""
    amounts, delivery = order.amounts, order.deliveries[0]
    lost = {
        "currency": order.currency != "CNY" or order.presentment_currency is not None,
        "amounts": amounts is None or bool(amounts.tip_minor or amounts.fee_minor or amounts.tax_minor),
        "imbalance": amounts is not None and amounts.imbalance_minor != 0,
        "status or payment": (order.status, order.payment) not in _STATES,
        "source_version": order.source_version != microseconds(order.updated_at),
        "display_number": order.display_number is not None,
        "refunds": bool(order.refunds),
        "deliveries": len(order.deliveries) > 1 or delivery.method is DeliveryMethod.PICKUP,
        "line ids": any(line.line.split("/")[1:] != [line.listing] for line in order.lines),
        "discounts": any((one.funder, one.title) not in _DISCOUNTS for one in order.discounts),
        "bundles": any(line.bundle or line.parent for line in order.lines),
    }
    reasons = [name for name, is_lost in lost.items() if is_lost]
    if reasons or amounts is None:
        raise InvalidInput(f"a 微信小店 order cannot carry this order's {', '.join(reasons)}; use the native format")
    return amounts


def _line(line: OrderLine, order: Order) -> dict[str, Any]:
    if line.amounts is None:
        raise InvalidInput(f"line {line.line} has no amounts; a 微信小店 order states them for every line")
    product, _, sku = line.line.partition("/")
    document: dict[str, Any] = {
        **_ALWAYS,
        "product_id": product,
        "sku_id": sku,
        "sku_code": line.sku or "",
        "out_sku_id": "",
        "title": line.title or "",
        "thumb_img": "https://store.mp.video.tencent-cloud.com/1",
        "sku_attrs": [],
        "sku_cnt": line.quantity,
        "finish_aftersale_sku_cnt": line.quantity - line.current_quantity,
        "on_aftersale_sku_cnt": 0,
        "sale_price": line.amounts.list_unit_price_minor,
        "market_price": line.amounts.list_unit_price_minor,
        "real_price": line.amounts.net_minor,
        "is_discounted": bool(line.amounts.discount_minor),
        "is_change_price": False,
        "extra_service": {"seven_day_return": 1, "freight_insurance": 0},
        "order_product_coupon_info_list": [],
        "out_warehouse_id": "",
        "is_free_gift": 1 if line.gift else 0,
        "sku_deliver_info": {"stock_type": 1 if line.preorder else 0},
    }
    for one in order.discounts:
        parts = sum(share.amount_minor for share in one.shares if share.line == line.line)
        document[_DISCOUNTS[one.funder, one.title]] = parts
    return document


def _pay(order: Order) -> dict[str, Any]:
    for payment in order.payments:
        paid_at = _seconds(payment.paid_at) if payment.paid_at else 0
        return {"payment_method": 1, "pay_time": paid_at, "transaction_id": payment.payment or ""}
    return {"payment_method": 1}


def _address(address: Address) -> dict[str, Any]:
    street = (*address.street, "", "")
    return {
        "user_name": address.recipient or "",
        "tel_number": address.phone or "",
        "detail_info": street[0],
        "house_number": street[1],
        "county_name": address.district or "",
        "city_name": address.city or "",
        "province_name": address.region or "",
        "postal_code": address.postal_code or "",
        "use_tel_number": 0,
        "hash_code": address.token or "",
    }


def _xml(document: Mapping[str, Any]) -> bytes:
    """The document as WeChat writes XML: texts in CDATA."""
    return "".join(_elements(document)).encode()


def _elements(document: Mapping[str, Any]) -> Sequence[str]:
    found = []
    for name, value in document.items():
        inner = "".join(_elements(value)) if isinstance(value, Mapping) else f"<![CDATA[{value}]]>"
        found.append(f"<{name}>{inner}</{name}>")
    return found


def _seconds(instant: datetime) -> int:
    return microseconds(instant) // 1_000_000
