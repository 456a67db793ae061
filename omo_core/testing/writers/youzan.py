"""Writes canonical orders as the signed messages and the answers of Youzan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from pydantic_core import to_json

from omo_core.channels.gateway_signing import china_time, compact_json
from omo_core.channels.signing import md5_hex
from omo_core.channels.youzan import YouzanAdapter
from omo_core.channels.youzan_delivery import YouzanConfig
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Discount,
    Order,
    OrderLine,
    OrderStatus,
    PaymentStatus,
    Refund,
    RefundStatus as Status,
)
from omo_core.model.values import format_minor
from omo_core.testing.writers.carried import refuse_losses

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""

_WORDS: Final[Mapping[tuple[OrderStatus, PaymentStatus], tuple[str, int]]] = {
    (OrderStatus.OPEN, PaymentStatus.PENDING): ("WAIT_BUYER_PAY", 0),
    (OrderStatus.OPEN, PaymentStatus.PAID): ("WAIT_SELLER_SEND_GOODS", 0),
    (OrderStatus.OPEN, PaymentStatus.PARTIALLY_REFUNDED): ("WAIT_SELLER_SEND_GOODS", 2),
    (OrderStatus.CLOSED, PaymentStatus.PAID): ("TRADE_SUCCESS", 0),
    (OrderStatus.CLOSED, PaymentStatus.REFUNDED): ("TRADE_SUCCESS", 12),
    (OrderStatus.CANCELLED, PaymentStatus.VOIDED): ("TRADE_CLOSED", 0),
    (OrderStatus.CANCELLED, PaymentStatus.REFUNDED): ("TRADE_CLOSED", 12),
}
_EXPRESS: Final = {DeliveryMethod.SHIP: 0, DeliveryMethod.PICKUP: 1, DeliveryMethod.ONE_HOUR: 2}
_REFUNDS: Final = {Status.REQUESTED: 1, Status.REFUSED: 10, Status.AGREED: 20, Status.DONE: 60}


def write_youzan_order(
    order: Order,
    *,
    secret: str,
    client_id: str = "client",
    kdt_id: str = "41461397",
    msg_id: str | None = "9b512f77-f528-4d74-ac87-0886d29e3983",
    topic: str = "trade_TradeBuyerPay",
) -> Signed:
    """The order as a message, signed in its header and inside.

    Raises `InvalidInput` for what a trade cannot say: another currency, lines that are partly left, a version that is
    not the update time, and whatever else would be read differently.
    """
    trade = _checked(order)
    return _signed(trade, order, topic, secret=secret, client_id=client_id, kdt_id=kdt_id, msg_id=msg_id)


def write_youzan_notice(
    order: Order,
    *,
    secret: str,
    client_id: str = "client",
    kdt_id: str = "41461397",
    msg_id: str | None = "fdd814f9-8c04-4e72-afef-1b595af58676",
    topic: str = "trade_TradeClose",
) -> Signed:
    """A message that only names the trade; the order is fetched, as `write_youzan_document` writes it."""
    notice = {"tid": order.external_id, "update_time": china_time(order.updated_at)}
    return _signed(notice, order, topic, secret=secret, client_id=client_id, kdt_id=kdt_id, msg_id=msg_id)


def write_youzan_document(order: Order) -> bytes:
    """The answer of youzan.trade.get that holds the order; raises as `write_youzan_order` does."""
    return to_json({"response": _checked(order)})


def _checked(order: Order) -> dict[str, Any]:
    trade = youzan_trade(order)
    read = YouzanAdapter(YouzanConfig(channel=order.channel)).parse_order(to_json(trade))
    refuse_losses(order, read, "Youzan")
    return trade


def _signed(
    message: dict[str, Any], order: Order, topic: str, *, secret: str, client_id: str, kdt_id: str, msg_id: str | None
) -> Signed:
    text = quote(to_json(message), safe=":,/")
    envelope = {
        "client_id": client_id,
        "id": order.external_id,
        "kdt_id": int(kdt_id),
        "mode": 1,
        "msg": text,
        "msg_id": msg_id,
        "sendCount": 0,
        "sign": md5_hex(client_id + text + secret),
        "test": False,
        "type": topic,
        "version": int(order.updated_at.timestamp()),
    }
    body = to_json(envelope)
    sign = md5_hex(client_id.encode() + body + secret.encode())
    return {"Content-Type": "application/json", "Event-Sign": sign, "Event-Type": topic, "Client-Id": client_id}, body


def youzan_trade(order: Order) -> dict[str, Any]:
    """The trade in plain data; raises `InvalidInput` where the order has no amounts or no such state."""
    words = _WORDS.get((order.status, order.payment))
    amounts = order.amounts
    if words is None or amounts is None or any(line.amounts is None for line in order.lines):
        raise InvalidInput("a Youzan order cannot carry this order's state or lack of amounts; use the native format")
    delivery = order.deliveries[0]
    paid_at = order.payments[0].paid_at if order.payments else None
    virtual = not any(line.physical for line in order.lines)
    return {
        "full_order_info": {
            "order_info": {
                "tid": order.external_id,
                "type": 0,
                "status": words[0],
                "refund_state": words[1],
                "close_type": 0,
                "express_type": 9 if virtual else _EXPRESS[delivery.method],
                "created": china_time(order.placed_at),
                "update_time": china_time(order.updated_at),
                "pay_time": _time(paid_at),
                "consign_time": "1970-01-01 08:00:00",
                "pay_type": 10,
                "pay_type_str": order.payments[0].method if order.payments else "",
            },
            "orders": [_line(line) for line in order.lines],
            "pay_info": {
                "payment": _money(amounts.total_minor),
                "post_fee": _money(amounts.shipping_minor),
                "total_fee": _money(amounts.line_gross_minor),
                "transaction": [one.payment for one in order.payments],
            },
            "address_info": _address(delivery),
            "buyer_info": {"yz_open_id": order.buyer},
            "remark_info": {"buyer_message": order.note},
            "source_info": {"is_offline_order": False},
        },
        "order_promotion": {
            "item": [_item_promotion(one) for one in order.discounts if one.shares],
            "order": [_promotion(one) for one in order.discounts if not one.shares],
            "adjust_fee": "0.00",
        },
        "refund_order": [_refund(one) for one in order.refunds],
    }


def _line(line: OrderLine) -> dict[str, Any]:
    assert line.amounts is not None, "checked by the caller"
    return {
        "oid": line.line,
        "item_id": line.listing,
        "sku_id": 0,
        "outer_sku_id": "",
        "outer_item_id": line.sku,
        "item_type": 0 if line.physical else 182,
        "title": line.title,
        "num": line.quantity,
        "price": _money(line.amounts.list_unit_price_minor),
        "total_fee": _money(line.amounts.gross_minor),
        "payment": _money(line.amounts.net_minor),
        "tax_total": _money(line.amounts.tax_minor),
        "is_present": line.gift,
        "is_pre_sale": "1" if line.preorder else "null",
    }


def _item_promotion(discount: Discount) -> dict[str, Any]:
    return {"oid": discount.shares[0].line, "promotions": [_promotion(discount)]}


def _promotion(discount: Discount) -> dict[str, Any]:
    return {
        "promotion_id": discount.discount,
        "promotion_title": discount.title,
        "discount_fee": _money(discount.amount_minor),
    }


def _refund(refund: Refund) -> dict[str, Any]:
    return {
        "refund_id": refund.refund,
        "refund_fee": _money(refund.refunded_to_buyer_minor),
        "refund_state": _REFUNDS[refund.status],
        "oids": [],
    }


def _address(delivery: Delivery) -> dict[str, Any]:
    address = delivery.address or Address()
    picked_up = delivery.method is DeliveryMethod.PICKUP
    return {
        "receiver_name": address.recipient,
        "receiver_tel": address.phone,
        "delivery_province": address.region,
        "delivery_city": address.city,
        "delivery_district": address.district,
        "delivery_address": address.street[0] if address.street else "",
        "delivery_postal_code": address.postal_code,
        "self_fetch_info": compact_json({"id": delivery.pickup_node}) if picked_up else "",
        "address_extra": "{}",
        "delivery_start_time": _time(delivery.not_before),
        "delivery_end_time": _time(delivery.deliver_by),
    }


def _time(instant: datetime | None) -> str:
    return china_time(instant) if instant else ""


def _money(minor: int) -> str:
    return format_minor(minor, "CNY")
