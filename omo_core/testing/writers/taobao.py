"""Writes canonical orders as the trades of the Taobao open platform, and the messages that tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.gateway_signing import china_time
from omo_core.channels.taobao import TaobaoAdapter
from omo_core.channels.taobao_delivery import TaobaoConfig
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery, Order, OrderLine, OrderStatus, PaymentStatus
from omo_core.model.values import format_minor
from omo_core.testing.writers.carried import refuse_losses

_WORDS: Final[Mapping[tuple[OrderStatus, PaymentStatus], str]] = {
    (OrderStatus.OPEN, PaymentStatus.PENDING): "WAIT_BUYER_PAY",
    (OrderStatus.OPEN, PaymentStatus.PARTIALLY_PAID): "WAIT_BUYER_PAY",
    (OrderStatus.OPEN, PaymentStatus.PAID): "WAIT_SELLER_SEND_GOODS",
    (OrderStatus.OPEN, PaymentStatus.PARTIALLY_REFUNDED): "WAIT_SELLER_SEND_GOODS",
    (OrderStatus.CLOSED, PaymentStatus.PAID): "TRADE_FINISHED",
    (OrderStatus.CLOSED, PaymentStatus.PARTIALLY_REFUNDED): "TRADE_FINISHED",
    (OrderStatus.CLOSED, PaymentStatus.REFUNDED): "TRADE_CLOSED",
    (OrderStatus.CANCELLED, PaymentStatus.REFUNDED): "TRADE_CLOSED",
    (OrderStatus.CANCELLED, PaymentStatus.VOIDED): "TRADE_CLOSED_BY_TAOBAO",
}


def write_taobao_order(order: Order) -> bytes:
    """The answer of taobao.trade.fullinfo.get that holds the order.

    Raises `InvalidInput` for what a trade cannot say: another currency, lines that are partly left, a version that is
    not the update time, and whatever else would be read differently.
    """
    body = to_json({"trade_fullinfo_get_response": {"trade": taobao_trade(order)}})
    adapter = TaobaoAdapter(TaobaoConfig(channel=order.channel))
    refuse_losses(order, adapter.parse_order(body), "Taobao")
    return body


def write_taobao_message(order: Order, *, topic: str = "taobao_trade_TradeBuyerPay", message_id: int = 1) -> bytes:
    """A message of the message service about the order, as a client of it hands it on; it is not signed."""
    content = to_json({"tid": int(order.external_id), "oid": int(order.lines[0].line)}).decode()
    message = {"id": message_id, "topic": topic, "pub_time": china_time(order.updated_at), "content": content}
    return to_json({**message, "user_nick": "shop"})


def taobao_trade(order: Order) -> dict[str, Any]:
    """The trade in plain data; raises `InvalidInput` where the order has no amounts or no such state."""
    word = _WORDS.get((order.status, order.payment))
    if word is None or order.amounts is None or any(line.amounts is None for line in order.lines):
        raise InvalidInput("a Taobao order cannot carry this order's state or lack of amounts; use the native format")
    delivery = order.deliveries[0]
    virtual = not any(line.physical for line in order.lines)
    return {
        "tid": int(order.external_id) if order.external_id.isdigit() else order.external_id,
        "tid_str": order.external_id,
        "type": "step" if any(line.preorder for line in order.lines) else "fixed",
        "status": word,
        "created": china_time(order.placed_at),
        "modified": china_time(order.updated_at),
        "end_time": _time(order.cancelled_at),
        "consign_time": china_time(order.updated_at) if order.status is OrderStatus.CLOSED else None,
        "payment": _money(order.amounts.total_minor),
        "post_fee": _money(order.amounts.shipping_minor),
        "order_tax_fee": _money(order.amounts.tax_minor),
        "buyer_open_uid": order.buyer,
        "buyer_message": order.note,
        "shipping_type": "virtual" if virtual and not delivery.service else delivery.service,
        "orders": {"order": [_line(line, order, word) for line in order.lines]},
        "promotion_details": {"promotion_detail": [_promotion(order, index) for index in range(len(order.discounts))]},
        **_paid(order),
        **_delivery(delivery),
    }


def _line(line: OrderLine, order: Order, trade_word: str) -> dict[str, Any]:
    amounts = line.amounts
    assert amounts is not None, "checked by the caller"
    over = trade_word if trade_word.startswith("TRADE_CLOSED") else "TRADE_CLOSED"
    first_refunded = order.payment is PaymentStatus.PARTIALLY_REFUNDED and line is order.lines[0]
    return {
        "oid": int(line.line) if line.line.isdigit() else line.line,
        "oid_str": line.line,
        "num": line.quantity,
        "num_iid": line.listing,
        "outer_iid": line.sku,
        "title": line.title,
        "price": _money(amounts.list_unit_price_minor),
        "discount_fee": "0.00",
        "adjust_fee": "0.00",
        "total_fee": _money(amounts.gross_minor),
        "part_mjz_discount": _money(amounts.discount_minor),
        "divide_order_fee": _money(amounts.net_minor),
        "sub_order_tax_fee": _money(amounts.tax_minor),
        "status": trade_word if line.current_quantity else over,
        "refund_status": "SUCCESS" if first_refunded else "NO_REFUND",
        "is_free_gift": line.gift,
        "is_service_order": not line.physical,
    }


def _promotion(order: Order, index: int) -> dict[str, Any]:
    discount = order.discounts[index]
    return {
        "id": discount.shares[0].line if discount.shares else order.external_id,
        "promotion_id": discount.discount,
        "promotion_name": discount.title,
        "discount_fee": _money(discount.amount_minor),
    }


def _paid(order: Order) -> dict[str, Any]:
    if not order.payments:
        return {}
    payment = order.payments[0]
    found = {"alipay_no": payment.payment, "pay_time": _time(payment.paid_at)}
    if order.payment is PaymentStatus.PARTIALLY_PAID:
        found |= {"step_paid_fee": _money(payment.amount_minor), "step_trade_status": "FRONT_PAID_FINAL_NOPAID"}
    return found


def _delivery(delivery: Delivery) -> dict[str, Any]:
    found: dict[str, Any] = {"delivery_time": _time(delivery.ship_by), "sign_time": _time(delivery.deliver_by)}
    if delivery.method is DeliveryMethod.PICKUP:
        found["shop_code"] = delivery.pickup_node
    return found | (_address(delivery.address) if delivery.address else {})


def _address(address: Address) -> dict[str, Any]:
    street = ("", *address.street) if len(address.street) == 1 else (*address.street, "", "")
    return {
        "receiver_name": address.recipient,
        "receiver_mobile": address.phone,
        "receiver_country": address.country,
        "receiver_state": address.region,
        "receiver_city": address.city,
        "receiver_district": address.district,
        "receiver_town": street[0],
        "receiver_address": street[1],
        "receiver_zip": address.postal_code,
        "oaid": address.token,
    }


def _time(instant: datetime | None) -> str | None:
    return china_time(instant) if instant else None


def _money(minor: int) -> str:
    return format_minor(minor, "CNY")
