"""Writes canonical orders as the webhooks Shopify would send, signed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.cursor import microseconds
from omo_core.channels.shopify_delivery import DELIVER_BY_ATTRIBUTE, METHOD_ATTRIBUTE, PICKUP_ATTRIBUTE
from omo_core.channels.signing import sign_base64
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    PaymentStatus,
    Refund,
)
from omo_core.model.values import format_minor

_money = lru_cache(maxsize=4_096)(format_minor)
"""Decimal texts of amounts; a shop has few prices."""

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""

_PAYMENT: Final[Mapping[PaymentStatus, str | None]] = {
    PaymentStatus.UNKNOWN: None,
    PaymentStatus.PENDING: "pending",
    PaymentStatus.AUTHORISED: "authorized",
    PaymentStatus.PARTIALLY_PAID: "partially_paid",
    PaymentStatus.PAID: "paid",
    PaymentStatus.PARTIALLY_REFUNDED: "partially_refunded",
    PaymentStatus.REFUNDED: "refunded",
    PaymentStatus.VOIDED: "voided",
}


def write_shopify_order(
    order: Order,
    *,
    secret: str,
    topic: str = "orders/create",
    webhook_id: str | None = None,
    shop_domain: str = "example.myshopify.com",
) -> Signed:
    """The order as a Shopify webhook.

    Delivery method, pickup node and deliver-by time travel as note attributes, so the reading adapter needs
    `ShopifyConfig(trust_note_attributes=True)`. Raises `InvalidInput` for what the dialect cannot carry: an order
    without amounts, several deliveries, gifts, masked addresses, roundings, a gross that is not quantity × price, a
    version that is not the update time.
    """
    body = to_json(shopify_order_document(order))
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": sign_base64(secret, body),
        "X-Shopify-Shop-Domain": shop_domain,
    }
    if webhook_id is not None:
        headers["X-Shopify-Webhook-Id"] = webhook_id
    return headers, body


def shopify_order_document(order: Order) -> dict[str, Any]:
    """The order as Shopify's order resource, in plain data; raises `InvalidInput` as `write_shopify_order` does."""
    amounts = _carriable(order)
    currency = order.currency
    delivery = order.deliveries[0]
    shipping = _money(amounts.shipping_minor, currency)
    closed = order.status is OrderStatus.CLOSED
    return {
        "id": _id(order.external_id),
        "name": order.display_number,
        "source_name": "web",
        "created_at": _time(order.placed_at),
        "updated_at": _time(order.updated_at),
        "processed_at": _time(order.placed_at),
        "closed_at": _time(order.updated_at) if closed else None,
        "cancelled_at": _time(order.cancelled_at) if order.cancelled_at else None,
        "cancel_reason": order.cancel_reason,
        "test": order.test,
        "currency": currency,
        "presentment_currency": order.presentment_currency,
        "financial_status": _PAYMENT[order.payment],
        "fulfillment_status": None,
        "taxes_included": amounts.taxes_included,
        "total_discounts": _money(amounts.discount_minor, currency),
        "total_tax": _money(amounts.tax_minor, currency),
        "total_tip_received": _money(amounts.tip_minor, currency),
        "original_total_duties_set": _set(amounts.fee_minor, currency) if amounts.fee_minor else None,
        "total_price": _money(amounts.total_minor, currency),
        "note": order.note,
        "note_attributes": _note_attributes(delivery),
        "line_items": [_line(line, currency) for line in order.lines],
        "shipping_lines": [{"title": delivery.service, "code": delivery.service, "price": shipping}],
        "shipping_address": _address(delivery.address) if delivery.address else None,
        "refunds": [_refund(refund, currency) for refund in order.refunds],
    }


def _carriable(order: Order) -> OrderAmounts:
    """The order's amounts; refuse what would be lost on the way."""
    amounts = order.amounts
    address = order.deliveries[0].address
    lost = {
        "amounts": amounts is None or any(line.amounts is None for line in order.lines),
        "rounding": amounts is not None and amounts.rounding_minor != 0,
        "deliveries": len(order.deliveries) > 1,
        "gift": any(line.gift for line in order.lines),
        "masked or token": address is not None and (address.masked or address.token is not None),
        "street": address is not None and len(address.street) > 3,
        "source_version": order.source_version != microseconds(order.updated_at),
        "status": (order.status is OrderStatus.CANCELLED) != (order.cancelled_at is not None),
        "gross": any(
            line.amounts is not None and line.amounts.gross_minor != line.quantity * line.amounts.list_unit_price_minor
            for line in order.lines
        ),
        "sellers_share": any(refund.sellers_share_minor is not None for refund in order.refunds),
    }
    reasons = [name for name, is_lost in lost.items() if is_lost]
    if reasons or amounts is None:
        raise InvalidInput(f"a Shopify order cannot carry this order's {', '.join(reasons)}; use the native format")
    return amounts


def _note_attributes(delivery: Delivery) -> list[dict[str, str]]:
    found = {METHOD_ATTRIBUTE: delivery.method.value} if delivery.method is not DeliveryMethod.SHIP else {}
    if delivery.pickup_node:
        found[PICKUP_ATTRIBUTE] = delivery.pickup_node
    if delivery.deliver_by:
        found[DELIVER_BY_ATTRIBUTE] = _time(delivery.deliver_by)
    return [{"name": name, "value": value} for name, value in found.items()]


def _line(line: OrderLine, currency: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": _id(line.line),
        "sku": line.sku or "",
        "quantity": line.quantity,
        "current_quantity": line.current_quantity,
        "fulfillable_quantity": line.current_quantity,
        "name": line.title,
        "variant_id": _id(line.listing) if line.listing else None,
        "requires_shipping": line.physical,
        "gift_card": False,
        "total_discount": "0.00",
        "discount_allocations": [],
        "tax_lines": [],
    }
    if line.amounts:
        document["price"] = _money(line.amounts.list_unit_price_minor, currency)
        if line.amounts.discount_minor:
            document["discount_allocations"] = [{"amount": _money(line.amounts.discount_minor, currency)}]
        if line.amounts.tax_minor:
            document["tax_lines"] = [{"title": "Tax", "price": _money(line.amounts.tax_minor, currency)}]
    return document


def _address(address: Address) -> dict[str, Any]:
    company = address.street[0] if len(address.street) == 3 else None
    street = (*(address.street[1:] if company else address.street), None, None)
    return {
        "name": address.recipient,
        "phone": address.phone,
        "company": company,
        "address1": street[0],
        "address2": street[1],
        "city": address.city,
        "province": address.region,
        "zip": address.postal_code,
        "country_code": address.country,
        "latitude": address.point.latitude if address.point else None,
        "longitude": address.point.longitude if address.point else None,
    }


def _refund(refund: Refund, currency: str) -> dict[str, Any]:
    amount = _money(refund.refunded_to_buyer_minor, currency)
    transaction = {"kind": "refund", "status": "success", "amount": amount, "currency": currency}
    return {
        "id": _id(refund.refund),
        "created_at": _time(refund.created_at),
        "refund_line_items": [
            {"line_item_id": _id(line), "quantity": quantity, "restock_type": "cancel"}
            for line, quantity in refund.quantities
        ],
        "transactions": [transaction] if refund.refunded_to_buyer_minor else [],
        "order_adjustments": [],
    }


def _set(minor: int, currency: str) -> dict[str, Any]:
    money = {"amount": _money(minor, currency), "currency_code": currency}
    return {"shop_money": money, "presentment_money": money}


def _id(text: str) -> int | str:
    """Shopify writes ids as integers; what is not the text of one stays a text."""
    plain = text.isascii() and text.isdigit() and len(text) <= 19 and (text == "0" or text[0] != "0")
    return int(text) if plain else text


def _time(instant: datetime) -> str:
    return instant.isoformat()
