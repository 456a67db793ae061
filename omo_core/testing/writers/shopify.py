"""Writes canonical orders as the webhooks Shopify would send, signed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.cursor import microseconds
from omo_core.channels.port import RefundNotice
from omo_core.channels.shopify_delivery import DELIVER_BY_ATTRIBUTE, METHOD_ATTRIBUTE, PICKUP_ATTRIBUTE
from omo_core.channels.signing import sign_base64
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
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
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
    without amounts, several deliveries, gifts, bundles, masked addresses, a gross that is not quantity × price, a
    discount that is more than its shares, a version that is not the update time.
    """
    return _signed(to_json(shopify_order_document(order)), secret, topic, webhook_id, shop_domain)


def write_shopify_refund(
    notice: RefundNotice,
    *,
    secret: str,
    currency: str = "USD",
    webhook_id: str | None = None,
    shop_domain: str = "example.myshopify.com",
) -> Signed:
    """The refund as a Shopify webhook of the topic `refunds/create`.

    Raises `InvalidInput` for what the dialect cannot carry: a seller's share, a refund that is only asked for, a notice
    that is not of the time of its refund, units of which Shopify would not know whether they come back.
    """
    refund = notice.refund
    lost = {
        "sellers_share": refund.sellers_share_minor is not None,
        "status": not _says_its_status(refund),
        "updated_at": notice.updated_at != refund.created_at,
        "returns_goods": notice.returns_goods is None or (notice.returns_goods and not refund.quantities),
    }
    reasons = [name for name, is_lost in lost.items() if is_lost]
    if reasons:
        raise InvalidInput(f"a Shopify refund cannot carry this refund's {', '.join(reasons)}")
    document = _refund(refund, currency, "return" if notice.returns_goods else "no_restock")
    document |= {"order_id": _id(notice.external_id), "total_duties_set": _set(0, currency)}
    return _signed(to_json(document), secret, "refunds/create", webhook_id, shop_domain)


def _signed(body: bytes, secret: str, topic: str, webhook_id: str | None, shop_domain: str) -> Signed:
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
        "fulfillment_status": order.hold_reason,
        "taxes_included": amounts.taxes_included,
        "total_discounts": _money(amounts.discount_minor, currency),
        "total_tax": _money(amounts.tax_minor, currency),
        "total_tip_received": _money(amounts.tip_minor, currency),
        "original_total_duties_set": _set(amounts.fee_minor, currency) if amounts.fee_minor else None,
        "total_price": _money(amounts.total_minor - amounts.rounding_minor, currency),
        "total_cash_rounding_payment_adjustment_set": _set(amounts.rounding_minor, currency)
        if amounts.rounding_minor
        else None,
        "total_price_set": _presentment(order, amounts),
        "discount_applications": [_application(discount) for discount in order.discounts],
        "transactions": [_transaction(payment, currency) for payment in order.payments],
        "customer": {"id": _id(order.buyer)} if order.buyer else None,
        "note": order.note,
        "note_attributes": _note_attributes(delivery),
        "line_items": [_line(line, order) for line in order.lines],
        "shipping_lines": [
            {
                "title": delivery.service,
                "code": delivery.service,
                "price": shipping,
                "discount_allocations": [
                    _allocation(one.shipping_minor, currency, index)
                    for index, one in enumerate(order.discounts)
                    if one.shipping_minor
                ],
            }
        ],
        "shipping_address": _address(delivery.address) if delivery.address else None,
        "refunds": [_refund(refund, currency, "cancel") for refund in order.refunds],
    }


def _carriable(order: Order) -> OrderAmounts:
    """The order's amounts; refuse what would be lost on the way."""
    amounts = order.amounts
    first = order.deliveries[0]
    address = first.address
    lost = {
        "amounts": amounts is None or any(line.amounts is None for line in order.lines),
        "platform_discount": amounts is not None and amounts.platform_discount_minor != 0,
        "presentment_total": amounts is not None
        and (amounts.presentment_total_minor is not None and order.presentment_currency is None),
        "deliveries": len(order.deliveries) > 1,
        "ship_by or not_before": first.ship_by is not None or first.not_before is not None,
        "gift": any(line.gift for line in order.lines),
        "bundle or preorder": any(line.bundle or line.parent or line.preorder for line in order.lines),
        "masked or token": address is not None and (address.masked or address.token is not None),
        "district": address is not None and address.district is not None,
        "street": address is not None and len(address.street) > 3,
        "discounts": any(not _is_split(discount, order) for discount in order.discounts),
        "hold_reason": order.hold_reason not in (None, "on_hold"),
        "ship_complete": order.ship_complete,
        "source_version": order.source_version != microseconds(order.updated_at),
        "status": (order.status is OrderStatus.CANCELLED) != (order.cancelled_at is not None),
        "gross": any(
            line.amounts is not None and line.amounts.gross_minor != line.quantity * line.amounts.list_unit_price_minor
            for line in order.lines
        ),
        "sellers_share": any(refund.sellers_share_minor is not None for refund in order.refunds),
        "refund status": any(not _says_its_status(refund) for refund in order.refunds),
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


def _line(line: OrderLine, order: Order) -> dict[str, Any]:
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
        currency = order.currency
        document["price"] = _money(line.amounts.list_unit_price_minor, currency)
        document["discount_allocations"] = _allocations(line.line, line.amounts.discount_minor, order)
        if line.amounts.tax_minor:
            document["tax_lines"] = [{"title": "Tax", "price": _money(line.amounts.tax_minor, currency)}]
    return document


def _allocations(line: str, discount_minor: int, order: Order) -> list[dict[str, Any]]:
    """The line's share of each discount, and what none of them tells, as older orders have it."""
    shares = [
        (index, share.amount_minor)
        for index, discount in enumerate(order.discounts)
        for share in discount.shares
        if share.line == line
    ]
    found = [_allocation(amount_minor, order.currency, index) for index, amount_minor in shares]
    rest_minor = discount_minor - sum(amount_minor for _, amount_minor in shares)
    return [*found, {"amount": _money(rest_minor, order.currency)}] if rest_minor else found


def _allocation(amount_minor: int, currency: str, index: int) -> dict[str, Any]:
    return {"amount": _money(amount_minor, currency), "discount_application_index": index}


def _application(discount: Discount) -> dict[str, Any]:
    document = {"type": "discount_code", "code": discount.discount} if discount.discount else {"type": "manual"}
    return {**document, "title": discount.title}


def _is_split(discount: Discount, order: Order) -> bool:
    """Whether the discount is the sum of what it takes off each line, in the order of the lines, and off shipping."""
    places = {line.line: place for place, line in enumerate(order.lines)}
    if any(share.line not in places for share in discount.shares):
        return False
    in_order = [places[share.line] for share in discount.shares]
    whole_minor = sum(share.amount_minor for share in discount.shares) + discount.shipping_minor
    return discount.funder is Funder.SELLER and in_order == sorted(in_order) and discount.amount_minor == whole_minor


def _transaction(payment: Payment, currency: str) -> dict[str, Any]:
    return {
        "id": _id(payment.payment) if payment.payment else None,
        "kind": "change" if payment.amount_minor < 0 else "sale",
        "status": "success",
        "gateway": payment.method,
        "amount": _money(abs(payment.amount_minor), currency),
        "currency": currency,
        "processed_at": _time(payment.paid_at) if payment.paid_at else None,
    }


def _presentment(order: Order, amounts: OrderAmounts) -> dict[str, Any] | None:
    if amounts.presentment_total_minor is None or order.presentment_currency is None:
        return None
    currency = order.presentment_currency
    shown = {"amount": _money(amounts.presentment_total_minor, currency), "currency_code": currency}
    return {"presentment_money": shown}


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


def _refund(refund: Refund, currency: str, restock_type: str) -> dict[str, Any]:
    amount = _money(refund.refunded_to_buyer_minor, currency)
    paid_back = [{"kind": "refund", "status": "success", "amount": amount, "currency": currency}]
    if refund.status is RefundStatus.AGREED:
        paid_back.append({"kind": "refund", "status": "pending", "amount": "0.00", "currency": currency})
    return {
        "id": _id(refund.refund),
        "created_at": _time(refund.created_at),
        "note": refund.reason,
        "refund_line_items": [
            {"line_item_id": _id(line), "quantity": quantity, "restock_type": restock_type}
            for line, quantity in refund.quantities
        ],
        "transactions": paid_back if refund.refunded_to_buyer_minor or len(paid_back) > 1 else [],
        "order_adjustments": [],
    }


def _says_its_status(refund: Refund) -> bool:
    return refund.status in (RefundStatus.DONE, RefundStatus.AGREED)


def _set(minor: int, currency: str) -> dict[str, Any]:
    money = {"amount": _money(minor, currency), "currency_code": currency}
    return {"shop_money": money, "presentment_money": money}


def _id(text: str) -> int | str:
    """Shopify writes ids as integers; what is not the text of one stays a text."""
    plain = text.isascii() and text.isdigit() and len(text) <= 19 and (text == "0" or text[0] != "0")
    return int(text) if plain else text


def _time(instant: datetime) -> str:
    return instant.isoformat()
