"""Writes canonical orders as the forms that Meituan pushes, with refunds and cancellations, signed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from omo_core.channels.cursor import microseconds
from omo_core.channels.meituan_form import signature
from omo_core.channels.port import Cancellation, RefundNotice
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Discount, Funder, Order, OrderAmounts, OrderStatus, PaymentStatus, RefundStatus
from omo_core.model.values import format_minor

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""

_STATUS: Final[Mapping[OrderStatus, int]] = {OrderStatus.OPEN: 4, OrderStatus.CLOSED: 8, OrderStatus.CANCELLED: 9}
_RESULT: Final[Mapping[RefundStatus, int]] = {
    RefundStatus.REQUESTED: 0,
    RefundStatus.REFUSED: 1,
    RefundStatus.DONE: 2,
}


def write_meituan_order(order: Order, *, secret: str, push_url: str = "") -> Signed:
    """The order as it is pushed.

    Raises `InvalidInput` for what the dialect cannot carry, such as discounts of single lines.
    """
    return write_meituan_push(meituan_order_fields(order), secret=secret, push_url=push_url)


def write_meituan_refund(notice: RefundNotice, *, secret: str, push_url: str = "", whole: bool = False) -> Signed:
    """A refund as it is pushed; one of the `whole` order holds neither its money nor its lines."""
    refund = notice.refund
    if refund.status not in _RESULT:
        raise InvalidInput("Meituan has no refunds that are agreed and not done; give another status")
    fields: dict[str, Any] = {
        "order_id": notice.external_id,
        "refund_id": refund.refund,
        "notify_type": "apply" if refund.status is RefundStatus.REQUESTED else "agree",
        "res_type": _RESULT[refund.status],
        "reason": refund.reason or "",
        "ctime": _seconds(refund.created_at),
        "timestamp": _seconds(notice.updated_at),
    }
    if not whole:
        parts = [(line.split("/"), count) for line, count in refund.quantities]
        food = [{"app_food_code": part[0], "sku_id": part[1], "count": count} for part, count in parts]
        fields |= {"money": format_minor(refund.refunded_to_buyer_minor, "CNY"), "food": _json(food)}
    return write_meituan_push(fields, secret=secret, push_url=push_url)


def write_meituan_cancellation(cancellation: Cancellation, *, secret: str, push_url: str = "") -> Signed:
    """A cancellation as it is pushed."""
    fields = {
        "order_id": cancellation.external_id,
        "reason_code": 1103,
        "reason": cancellation.reason or "",
        "deal_op_type": 1,
        "timestamp": _seconds(cancellation.cancelled_at),
    }
    return write_meituan_push(fields, secret=secret, push_url=push_url)


def write_meituan_push(fields: Mapping[str, Any], *, secret: str, push_url: str = "") -> Signed:
    """A form of these fields, each encoded twice as the platform does, and its signature."""
    once = {name: quote_plus(str(value)) for name, value in fields.items()}
    once["sig"] = signature(push_url, once, secret)
    return {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(once).encode()


def meituan_order_fields(order: Order) -> dict[str, Any]:
    """The order as the fields of a push; raises `InvalidInput` as `write_meituan_order` does."""
    amounts, (delivery,) = _carriable(order), order.deliveries
    address = delivery.address
    point = address.point if address else None
    detail = [
        {
            "app_food_code": line.line.split("/")[0],
            "sku_id": line.sku or "",
            "food_name": line.title or "",
            "quantity": line.quantity,
            "price": _yuan(line.amounts.list_unit_price_minor if line.amounts else 0),
            "box_num": 1 if amounts.fee_minor and place == 0 else 0,
            "box_price": _yuan(amounts.fee_minor if place == 0 else 0),
            "food_discount": 1,
            "unit": "份",
        }
        for place, line in enumerate(order.lines)
    ]
    return {
        "order_id": order.external_id,
        "wm_order_id_view": order.display_number or "",
        "app_poi_code": delivery.pickup_node or "",
        "status": _STATUS[order.status],
        "pay_type": 2 if order.payment is PaymentStatus.PAID else 1,
        "pick_type": 1 if delivery.method is DeliveryMethod.PICKUP else 0,
        "ctime": _seconds(order.placed_at),
        "utime": _seconds(order.updated_at),
        "timestamp": _seconds(order.updated_at),
        "delivery_time": _seconds(delivery.deliver_by) if delivery.deliver_by else 0,
        "total": _yuan(amounts.total_minor),
        "original_price": _yuan(amounts.total_minor + amounts.discount_minor),
        "shipping_fee": _yuan(amounts.shipping_minor),
        "caution": order.note or "",
        "recipient_name": address.recipient or "" if address else "",
        "recipient_phone": address.phone or "" if address else "",
        "recipient_address": address.street[0] if address and address.street else "",
        "latitude": point.latitude if point else 0,
        "longitude": point.longitude if point else 0,
        "detail": _json(detail),
        "extras": _json([_extra(one) for one in order.discounts]),
        "wm_poi_name": "测试店",
        "avg_send_time": "2400.0",
        "is_third_shipping": 0,
        "has_invoiced": 0,
        "city_id": 999999,
    }


def _carriable(order: Order) -> OrderAmounts:
    """The order's amounts; refuse what would be lost on the way."""
    amounts, delivery = order.amounts, order.deliveries[0]
    paid = PaymentStatus.PENDING if order.status is OrderStatus.OPEN else PaymentStatus.VOIDED
    lost = {
        "currency": order.currency != "CNY" or order.presentment_currency is not None,
        "amounts": amounts is None or bool(amounts.tip_minor or amounts.tax_minor or amounts.rounding_minor),
        "imbalance": amounts is not None and amounts.imbalance_minor != 0,
        "payment": order.payment not in {PaymentStatus.PAID, paid},
        "source_version": order.source_version != microseconds(order.updated_at),
        "refunds": bool(order.refunds),
        "deliveries": len(order.deliveries) > 1 or delivery.method is DeliveryMethod.SHIP,
        "line ids": any(line.line.split("/")[1:] != [line.sku] for line in order.lines),
        "line discounts": any(line.amounts is None or line.amounts.discount_minor for line in order.lines)
        or any(one.shares for one in order.discounts),
        "quantities": any(line.current_quantity != line.quantity for line in order.lines),
        "kinds of lines": any(line.gift or line.bundle or line.preorder or not line.physical for line in order.lines),
    }
    reasons = [name for name, is_lost in lost.items() if is_lost]
    if reasons or amounts is None:
        raise InvalidInput(f"a Meituan order cannot carry this order's {', '.join(reasons)}; use the native format")
    return amounts


def _extra(one: Discount) -> dict[str, Any]:
    amount = _yuan(one.amount_minor)
    found: dict[str, Any] = {
        "act_detail_id": one.discount or "",
        "remark": one.title or "",
        "reduce_fee": amount,
        "type": 25 if one.shipping_minor else 2,
    }
    if one.funder is Funder.SELLER:
        found |= {"poi_charge": amount, "mt_charge": 0}
    elif one.funder is Funder.PLATFORM:
        found |= {"poi_charge": 0, "mt_charge": amount}
    return found


def _yuan(minor: int) -> float:
    """Yuan as the platform writes them: JSON numbers, which hold two decimals exactly enough up to 10^13."""
    return minor / 100


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _seconds(instant: datetime) -> int:
    return microseconds(instant) // 1_000_000
