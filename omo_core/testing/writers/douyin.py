"""Writes canonical orders as 抖店's order documents, refunds as its after-sale documents, and its signed pushes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.cursor import microseconds
from omo_core.channels.port import RefundNotice
from omo_core.channels.signing import md5_hex
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Discount,
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

_STATES: Final[Mapping[tuple[OrderStatus, PaymentStatus], tuple[int, int]]] = {
    (OrderStatus.OPEN, PaymentStatus.PENDING): (1, 1),
    (OrderStatus.OPEN, PaymentStatus.PAID): (2, 2),
    (OrderStatus.CLOSED, PaymentStatus.PAID): (5, 5),
    (OrderStatus.CLOSED, PaymentStatus.REFUNDED): (4, 22),
    (OrderStatus.CANCELLED, PaymentStatus.REFUNDED): (4, 21),
    (OrderStatus.CANCELLED, PaymentStatus.VOIDED): (4, 4),
}
"""(order_status, main_status) of what the dialect can say."""
_BEARER: Final[Mapping[Funder, str]] = {
    Funder.SELLER: "shop_cost_amount",
    Funder.PLATFORM: "only_platform_cost_amount",
    Funder.PARTNER: "author_cost_amount",
}
_AFTER_SALE: Final[Mapping[RefundStatus, int]] = {
    RefundStatus.REQUESTED: 6,
    RefundStatus.AGREED: 11,
    RefundStatus.REFUSED: 27,
    RefundStatus.DONE: 12,
}


_ALWAYS: Final[Mapping[str, Any]] = {
    "biz": 2,
    "biz_desc": "小店",
    "b_type": 2,
    "b_type_desc": "抖音",
    "sub_b_type": 3,
    "sub_b_type_desc": "H5",
    "order_type": 0,
    "order_type_desc": "普通订单",
    "app_id": 1128,
    "order_expire_time": 1800,
    "finish_time": 0,
    "modify_amount": 0,
    "modify_post_amount": 0,
    "post_insurance_amount": 0,
    "promotion_pay_amount": 0,
    "promotion_redpack_amount": 0,
    "promotion_redpack_platform_amount": 0,
    "promotion_redpack_talent_amount": 0,
}
"""What stands in every order and every line, and means nothing to us."""


def write_douyin_order(order: Order) -> bytes:
    """The order as the answer of order.orderDetail.

    Raises `InvalidInput` for what the dialect cannot carry, such as another currency than CNY or a gross that is not
    what the seller's total says; refunds are documents of their own.
    """
    return to_json({"code": 10000, "msg": "success", "data": {"shop_order_detail": douyin_order_document(order)}})


def write_douyin_refund(notice: RefundNotice) -> bytes:
    """The refund as the answer of afterSale.Detail."""
    refund = notice.refund
    info = {
        "after_sale_id": int(refund.refund),
        "after_sale_status": _AFTER_SALE[refund.status],
        "after_sale_type": {True: 0, False: 1, None: 99}[notice.returns_goods],
        "refund_status": 3 if refund.status is RefundStatus.DONE else 1,
        "refund_total_amount": refund.refunded_to_buyer_minor,
        "real_refund_amount": refund.refunded_to_buyer_minor if refund.status is RefundStatus.DONE else 0,
        "apply_time": _seconds(refund.created_at),
        "update_time": _seconds(notice.updated_at),
        "reason": refund.reason or "",
    }
    lines = [{"sku_order_id": int(line), "after_sale_item_count": count} for line, count in refund.quantities]
    order = {"shop_order_id": int(notice.external_id), "sku_order_infos": lines}
    return to_json({"code": 10000, "data": {"process_info": {"after_sale_info": info}, "order_info": order}})


def write_douyin_push(messages: Sequence[Mapping[str, Any]], *, secret: str, app_key: str = "") -> Signed:
    """A push of messages (`tag`, `msg_id`, `data`), signed; `data` is written as a text, as the platform does."""
    body = to_json(
        [{**one, "data": json.dumps(one["data"]) if isinstance(one["data"], dict) else one["data"]} for one in messages]
    )
    sign = md5_hex(app_key.encode() + body + secret.encode())
    return {"Content-Type": "application/json", "app-id": app_key, "event-sign": sign}, body


def douyin_order_document(order: Order) -> dict[str, Any]:
    """The order as the platform's shop order, in plain data; raises `InvalidInput` as `write_douyin_order` does."""
    amounts, discounts = _carriable(order), [one for one in order.discounts if not one.shipping_minor]
    status, main = _STATES[order.status, order.payment]
    post_discount = sum(one.shipping_minor for one in order.discounts)
    parts = [line for line in order.lines if line.parent is not None]
    document: dict[str, Any] = {
        "order_id": order.external_id,
        "order_status": status,
        "main_status": main,
        "create_time": _seconds(order.placed_at),
        "update_time": _seconds(order.updated_at),
        "cancel_reason": order.cancel_reason or "",
        "buyer_words": order.note or "",
        "doudian_open_id": order.buyer or "",
        **_ALWAYS,
        "order_amount": amounts.total_minor + amounts.discount_minor - post_discount,
        "pay_amount": amounts.total_minor,
        "post_amount": amounts.shipping_minor - post_discount,
        "post_promotion_amount": post_discount,
        "packing_amount": amounts.fee_minor,
        "promotion_amount": amounts.discount_minor - post_discount,
        **_borne(discounts, None),
        "platform_cost_amount": amounts.platform_discount_minor,
        "tax_amount": amounts.tax_minor,
        "sku_order_list": [
            _line(line, [part for part in parts if part.parent == line.line], order, discounts)
            for line in order.lines
            if line.parent is None
        ],
    }
    for payment in order.payments:
        paid_at = _seconds(payment.paid_at) if payment.paid_at else 0
        document |= {"pay_time": paid_at, "channel_payment_no": payment.payment or "", "pay_type": 1}
    address = order.deliveries[0].address
    return document | (_address(address) if address else {})


def _carriable(order: Order) -> OrderAmounts:
    """The order's amounts; refuse what would be lost on the way."""
    amounts, paid = order.amounts, order.payments
    lost = {
        "currency": order.currency != "CNY" or order.presentment_currency is not None,
        "amounts": amounts is None or amounts.tip_minor != 0 or amounts.rounding_minor != 0,
        "status or payment": (order.status, order.payment) not in _STATES,
        "cancelled_at": order.cancelled_at != (order.updated_at if order.status is OrderStatus.CANCELLED else None),
        "source_version": order.source_version != microseconds(order.updated_at),
        "display_number": order.display_number is not None,
        "refunds": bool(order.refunds),
        "payments": len(paid) > 1 or any(one.amount_minor != (amounts and amounts.total_minor) for one in paid),
        "test": order.test,
        "addresses": len({delivery.address for delivery in order.deliveries}) > 1,
        "imbalance": amounts is not None and amounts.imbalance_minor != 0,
        "service": any(delivery.service for delivery in order.deliveries),
    }
    reasons = [name for name, is_lost in lost.items() if is_lost]
    if reasons or amounts is None:
        raise InvalidInput(f"a 抖店 order cannot carry this order's {', '.join(reasons)}; use the native format")
    return amounts


def _borne(discounts: Sequence[Discount], line: str | None) -> dict[str, int]:
    """How much each bears of the discounts: of all of them, or of one line's shares."""
    borne = dict.fromkeys(_BEARER.values(), 0)
    for one in discounts:
        shares = [share.amount_minor for share in one.shares if share.line == line]
        borne[_BEARER[one.funder]] += one.amount_minor if line is None else sum(shares)
    return borne


def _line(line: OrderLine, parts: Sequence[OrderLine], order: Order, discounts: Sequence[Discount]) -> dict[str, Any]:
    amounts, delivery = line.amounts, order.deliveries[line.delivery]
    if amounts is None:
        raise InvalidInput(f"line {line.line} has no amounts; a 抖店 order states them for every line")
    return {
        **_ALWAYS,
        "order_id": line.line,
        "parent_order_id": order.external_id,
        "order_status": 2 if line.current_quantity else 4,
        "code": line.sku or "",
        "out_sku_id": "",
        "sku_id": int(line.listing) if line.listing else 0,
        "product_name": line.title or "",
        "item_num": line.quantity,
        "origin_amount": amounts.list_unit_price_minor,
        "sum_amount": amounts.gross_minor,
        "promotion_amount": amounts.discount_minor,
        "tax_amount": amounts.tax_minor,
        **_borne(discounts, line.line),
        "goods_type": 0 if line.physical else 1,
        "given_product_type": "FREE" if line.gift else "",
        "pre_sale_type": 1 if line.preorder else 0,
        "bundle_sku_info": [
            {
                "code": part.sku or "",
                "sku_id": part.listing or "",
                "product_name": part.title,
                "item_num": part.quantity,
            }
            for part in parts
        ],
        **_way(delivery),
    }


def _way(delivery: Delivery) -> dict[str, Any]:
    hour = delivery.method is DeliveryMethod.ONE_HOUR
    return {
        "receive_type": 2 if delivery.method is DeliveryMethod.PICKUP else 1,
        "store_info": {"store_id": delivery.pickup_node} if delivery.pickup_node else None,
        "trade_type": 18 if hour else 0,
        "exp_ship_time": _seconds(delivery.ship_by) if delivery.ship_by else 0,
        "appointment_ship_time": _seconds(delivery.not_before) if delivery.not_before else 0,
    }


def _address(address: Address) -> dict[str, Any]:
    """The receiver: ciphers from the token, and masked or plain texts."""
    ciphers = json.loads(address.token) if address.token else {}
    town, detail = (
        (*address.street[:-1], "")[0],
        (*address.street, "")[len(address.street) - 1 if address.street else 0],
    )
    document: dict[str, Any] = {
        "post_addr": {
            "province": {"name": address.region or "", "id": "1"},
            "city": {"name": address.city or "", "id": "2"},
            "town": {"name": address.district or "", "id": "3"},
            "street": {"name": town, "id": "4"},
            "encrypt_detail": ciphers.get("detail", ""),
        },
        "encrypt_post_receiver": ciphers.get("receiver", ""),
        "encrypt_post_tel": ciphers.get("tel", ""),
        "mask_post_receiver": address.recipient or "",
        "mask_post_tel": address.phone or "",
        "mask_post_addr": {"detail": detail},
    }
    if address.point:
        document["user_coordinate"] = {
            "user_coordinate_longitude": str(address.point.longitude),
            "user_coordinate_latitude": str(address.point.latitude),
        }
    return document


def _seconds(instant: datetime) -> int:
    return microseconds(instant) // 1_000_000
