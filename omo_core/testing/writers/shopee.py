"""Writes canonical orders as Shopee's order and escrow details, and the signed pushes about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from pydantic_core import to_json

from omo_core.channels.shopee import ShopeeAdapter, ShopeeConfig
from omo_core.channels.shopee_order import STATUS
from omo_core.channels.signing import sign_hex
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Order,
    OrderAmounts,
    OrderLine,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from omo_core.model.values import format_minor
from omo_core.testing.writers.carried import needed, refuse_losses

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""

_OPEN: Final = '"\ue000number '
_CLOSE: Final = '\ue001"'
_ITEM_FIELDS: Final[Mapping[str, str]] = {
    "seller_discount": "seller_discount",
    "shopee_discount": "shopee_discount",
    "voucher_from_seller": "discount_from_voucher_seller",
    "voucher_from_shopee": "discount_from_voucher_shopee",
    "coins": "discount_from_coin",
}
_RETURNS: Final[Mapping[RefundStatus, str]] = {
    RefundStatus.REQUESTED: "REQUESTED",
    RefundStatus.AGREED: "ACCEPTED",
    RefundStatus.REFUSED: "CANCELLED",
    RefundStatus.DONE: "REFUND_PAID",
}


def write_shopee_push(order: Order, *, secret: str, push_url: str, shop_id: int = 1) -> Signed:
    """The push that an order's status changed, signed for the registered address; it holds no order."""
    at = _at(order.updated_at)
    data = {"ordersn": order.external_id, "status": _word(order), "completed_scenario": "", "update_time": at}
    body = to_json({"data": data, "shop_id": shop_id, "code": 3, "timestamp": at})
    signature = sign_hex(secret, b"%s|%s" % (push_url.encode(), body))
    return {"Content-Type": "application/json", "Authorization": signature}, body


def write_shopee_order(order: Order) -> tuple[bytes, ...]:
    """The order's documents: its detail, its escrow detail, and the detail of each of its returns.

    Raises `InvalidInput` for what Shopee cannot carry, such as an order without amounts, times with parts of a second,
    line ids that are not item-model, or discounts that its escrow has no field for.
    """
    needed(order.amounts, "amounts", "marketplace (Shopee)")
    amounts = cast("OrderAmounts", order.amounts)
    bodies = (
        _answer({"order_list": [_order(order, amounts)]}),
        _answer({"order_sn": order.external_id, "order_income": _income(order, amounts)}),
        *(_answer(_return(order, refund)) for refund in order.refunds),
    )
    reader = ShopeeAdapter(ShopeeConfig(channel=order.channel))
    refuse_losses(order, reader.parse_order(*bodies), "marketplace (Shopee)")
    return bodies


def _answer(response: Mapping[str, Any]) -> bytes:
    # Shopee writes amounts as numbers: what `_number` marked loses its quotes and keeps its digits.
    text = to_json({"error": "", "message": "", "response": response, "request_id": "0"})
    return text.replace(_OPEN.encode(), b"").replace(_CLOSE.encode(), b"")


def _number(minor: int, currency: str) -> str:
    """An amount between marks that `_answer` takes away together with the quotes."""
    return f"{_OPEN[1:]}{format_minor(minor, currency)}{_CLOSE[:-1]}"


def _word(order: Order) -> str:
    """The status that says most of the order: its state, whether it is paid, and what keeps it back."""
    held = order.hold_reason
    for word, (status, paid, hold) in STATUS.items():
        if status is order.status and hold == held and paid == (order.payment is PaymentStatus.PAID):
            return word
    for word, (status, _, hold) in STATUS.items():
        if status is order.status and hold == held:
            return word
    raise InvalidInput(f"Shopee has no word for an order that is {order.status} and held because {held}")


def _order(order: Order, amounts: OrderAmounts) -> dict[str, Any]:
    delivery, word = order.deliveries[0], _word(order)
    paid_at = next((one.paid_at for one in order.payments if one.paid_at), None)
    return {
        "order_sn": order.external_id,
        "currency": order.currency,
        "cod": order.payment is PaymentStatus.PENDING and word != "UNPAID",
        "order_status": word,
        "create_time": _at(order.placed_at),
        "update_time": _at(order.updated_at),
        "pay_time": _at(paid_at) if paid_at else None,
        "total_amount": _number(amounts.total_minor, order.currency),
        "cancel_reason": order.cancel_reason or "",
        "message_to_seller": order.note or "",
        "buyer_user_id": int(order.buyer) if order.buyer and order.buyer.isdecimal() else order.buyer,
        "fulfillment_flag": "fulfilled_by_local_seller" if order.lines[0].physical else "fulfilled_by_shopee",
        "is_buyer_shop_collection": delivery.method is DeliveryMethod.PICKUP,
        "shipping_carrier": delivery.service,
        "ship_by_date": _at(delivery.ship_by) if delivery.ship_by else None,
        "edt_to": _at(delivery.deliver_by) if delivery.deliver_by else None,
        "recipient_address": _address(delivery.address) if delivery.address else None,
        "payment_method": next((one.method for one in order.payments), None),
        "item_list": [_item(line, delivery, order.currency) for line in order.lines],
        "package_list": [_package(order, place) for place, one in enumerate(order.deliveries) if one.fulfilment],
    }


def _pair(line: str) -> dict[str, int]:
    item, _, model = line.partition("-")
    if not (item.isdecimal() and model.isdecimal()):
        raise InvalidInput(f"Shopee names a line by its item and model, such as 101-7, not {line[:40]!r}")
    return {"item_id": int(item), "model_id": int(model)}


def _item(line: OrderLine, delivery: Delivery, currency: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        **_pair(line.line),
        "item_name": line.title,
        "model_sku": line.sku or "",
        "model_quantity_purchased": line.quantity,
        "active_qty": line.current_quantity,
        "product_location_id": delivery.pickup_node,
    }
    if line.amounts:
        document["model_original_price"] = _number(line.amounts.list_unit_price_minor, currency)
    return document


def _package(order: Order, place: int) -> dict[str, Any]:
    items = [_pair(line.line) | {"model_quantity": line.quantity} for line in order.lines if line.delivery == place]
    return {"package_number": order.deliveries[place].fulfilment, "item_list": items}


def _income(order: Order, amounts: OrderAmounts) -> dict[str, Any]:
    totals = {one.title: _number(one.amount_minor, order.currency) for one in order.discounts if one.title}
    items = []
    for line in order.lines:
        shares = {
            _ITEM_FIELDS[one.title or ""]: _number(share.amount_minor, order.currency)
            for one in order.discounts
            for share in one.shares
            if share.line == line.line and one.title in _ITEM_FIELDS
        }
        items.append(_pair(line.line) | shares)
    return {
        **totals,
        "buyer_total_amount": _number(amounts.total_minor, order.currency),
        "buyer_paid_shipping_fee": _number(amounts.shipping_minor, order.currency),
        "buyer_transaction_fee": _number(amounts.fee_minor, order.currency),
        "items": items,
    }


def _return(order: Order, refund: Refund) -> dict[str, Any]:
    return {
        "return_sn": refund.refund,
        "order_sn": order.external_id,
        "currency": order.currency,
        "create_time": _at(refund.created_at),
        "update_time": _at(order.updated_at),
        "refund_amount": _number(refund.refunded_to_buyer_minor, order.currency),
        "status": _RETURNS[refund.status],
        "text_reason": refund.reason,
        "item": [_pair(line) | {"amount": units} for line, units in refund.quantities],
    }


def _address(address: Address) -> dict[str, Any]:
    point = address.point
    return {
        "name": address.recipient,
        "phone": address.phone,
        "full_address": address.street[0] if address.street else None,
        "district": address.district,
        "city": address.city,
        "state": address.region,
        "zipcode": address.postal_code,
        "region": address.country,
        "geolocation": {"latitude": point.latitude, "longitude": point.longitude} if point else None,
    }


def _at(instant: datetime) -> int:
    return int(instant.timestamp())
