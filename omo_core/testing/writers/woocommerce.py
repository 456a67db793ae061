"""Writes canonical orders as the webhooks WooCommerce would send, signed, and the refunds that are fetched with them."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.cursor import microseconds
from omo_core.channels.signing import sign_base64
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Funder,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from omo_core.model.values import format_minor

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""

_STATUS: Final = {OrderStatus.OPEN: "processing", OrderStatus.CLOSED: "completed", OrderStatus.CANCELLED: "cancelled"}
_WAITING: Final = frozenset({"pending", "on-hold", "failed"})


def write_woocommerce_order(
    order: Order, *, secret: str, topic: str = "order.updated", delivery_id: str | None = None
) -> Signed:
    """The order as a WooCommerce webhook.

    A pickup node travels as the name of a pickup location. Raises `InvalidInput` for what the dialect cannot carry:
    an order without amounts, prices with tax, tips and roundings, several deliveries, discounts that no coupon tells,
    times below a second, a payment state that its payments and refunds do not tell.
    """
    body = to_json(woocommerce_order_document(order))
    resource, _, event = topic.partition(".")
    headers = {
        "Content-Type": "application/json",
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": resource,
        "X-WC-Webhook-Event": event,
        "X-WC-Webhook-Signature": sign_base64(secret, body),
    }
    if delivery_id is not None:
        headers["X-WC-Webhook-Delivery-ID"] = delivery_id
    return headers, body


def write_woocommerce_refunds(order: Order) -> bytes:
    """The order's refunds as the site lists them; raises `InvalidInput` as `write_woocommerce_order` does."""
    _carriable(order)
    return to_json([_refund(refund, order) for refund in order.refunds])


def woocommerce_order_document(order: Order) -> dict[str, Any]:
    """The order as the REST API's order, in plain data; raises `InvalidInput` as `write_woocommerce_order` does."""
    amounts = _carriable(order)
    currency, delivery = order.currency, order.deliveries[0]
    paid = order.payments[0] if order.payments else None
    return {
        "id": _id(order.external_id),
        "number": order.display_number,
        "status": order.hold_reason or _STATUS[order.status],
        "currency": currency,
        "date_created_gmt": _time(order.placed_at),
        "date_modified_gmt": _time(order.updated_at),
        "discount_total": format_minor(amounts.discount_minor, currency),
        "shipping_total": format_minor(amounts.shipping_minor, currency),
        "total": format_minor(amounts.total_minor, currency),
        "total_tax": format_minor(amounts.tax_minor, currency),
        "prices_include_tax": False,
        "customer_id": _id(order.buyer) if order.buyer else 0,
        "customer_note": order.note or "",
        "billing": _address(None),
        "shipping": _address(delivery.address),
        "payment_method_title": paid.method if paid and paid.method else "",
        "transaction_id": paid.payment if paid and paid.payment else "",
        "date_paid_gmt": _time(paid.paid_at) if paid and paid.paid_at else None,
        "meta_data": [],
        "line_items": [_line(line, currency) for line in order.lines],
        "tax_lines": [],
        "shipping_lines": [_shipping(delivery, amounts, currency)],
        "fee_lines": [{"name": "Fee", "total": format_minor(amounts.fee_minor, currency)}] if amounts.fee_minor else [],
        "coupon_lines": [
            {"code": one.discount, "discount": format_minor(one.amount_minor, currency)} for one in order.discounts
        ],
        "refunds": [
            {
                "id": _id(one.refund),
                "reason": one.reason or "",
                "total": format_minor(-one.refunded_to_buyer_minor, currency),
            }
            for one in order.refunds
        ],
    }


def _carriable(order: Order) -> OrderAmounts:
    """The order's amounts; refuse what would be lost on the way."""
    amounts, first = order.amounts, order.deliveries[0]
    lines = [(line, line.amounts) for line in order.lines if line.amounts is not None]
    times = (order.placed_at, order.updated_at, *(refund.created_at for refund in order.refunds))
    off_minor = sum(one.discount_minor for _, one in lines)
    lost = {
        "amounts": amounts is None or len(lines) < len(order.lines),
        "taxes_included": amounts is not None and amounts.taxes_included,
        "tip, rounding or presentment_total": amounts is not None
        and bool(amounts.tip_minor or amounts.rounding_minor or amounts.presentment_total_minor is not None),
        "order discount": amounts is not None and amounts.discount_minor != off_minor,
        "discounts": any(not _is_a_coupon(order, off_minor, place) for place in range(len(order.discounts))),
        "line price": any(
            one.discount_minor < 0
            or one.list_unit_price_minor != (2 * one.gross_minor + line.quantity) // (2 * line.quantity)
            for line, one in lines
        ),
        "lines": any(
            line.gift or line.preorder or line.bundle or line.parent or not line.physical for line in order.lines
        ),
        "current_quantity": any(line.quantity - line.current_quantity != _gone(line, order) for line in order.lines),
        "deliveries": len(order.deliveries) > 1 or not _is_plain(first),
        "source_version": order.source_version != microseconds(order.updated_at),
        "times below a second": any(one.microsecond for one in times),
        "status": order.cancelled_at != (order.updated_at if order.status is OrderStatus.CANCELLED else None),
        "hold_reason": order.hold_reason is not None
        and (order.hold_reason not in _WAITING or order.status is not OrderStatus.OPEN),
        "payment": order.payment is not _payment(order) or not _is_one_payment(order),
        "refunds": any(
            one.status is not RefundStatus.DONE or one.sellers_share_minor is not None for one in order.refunds
        ),
        "cancel_reason, test, presentment_currency or ship_complete": bool(
            order.cancel_reason or order.test or order.presentment_currency or order.ship_complete
        ),
    }
    reasons = [name for name, is_lost in lost.items() if is_lost]
    if reasons or amounts is None:
        raise InvalidInput(f"a WooCommerce order cannot carry this order's {', '.join(reasons)}; use the native format")
    return amounts


def _is_a_coupon(order: Order, off_minor: int, place: int) -> bool:
    """Whether reading gives this discount again: one coupon has the lines' shares, several have none."""
    one = order.discounts[place]
    shares = [(share.line, share.amount_minor) for share in one.shares]
    alone = len(order.discounts) == 1 and one.amount_minor == off_minor
    split = [
        (line.line, line.amounts.discount_minor) for line in order.lines if line.amounts and line.amounts.discount_minor
    ]
    plain = one.funder is Funder.SELLER and one.title is None and one.shipping_minor == 0
    return plain and shares == (split if alone else [])


def _is_plain(delivery: Delivery) -> bool:
    address, pickup = delivery.address, delivery.method is DeliveryMethod.PICKUP
    if delivery.method is DeliveryMethod.ONE_HOUR or delivery.deliver_by or delivery.ship_by or delivery.not_before:
        return False
    if address is None:
        return pickup or delivery.pickup_node is None
    kept = not (address.masked or address.token or address.district or address.point or len(address.street) > 3)
    return kept and not pickup and address != Address()


def _gone(line: OrderLine, order: Order) -> int:
    gone = sum(quantity for refund in order.refunds for of, quantity in refund.quantities if of == line.line)
    return min(line.quantity, gone)


def _payment(order: Order) -> PaymentStatus:
    """The state that reading will find."""
    refunded_minor = sum(refund.refunded_to_buyer_minor for refund in order.refunds)
    total_minor = order.amounts.total_minor if order.amounts else 0
    if refunded_minor:
        return PaymentStatus.REFUNDED if refunded_minor >= total_minor else PaymentStatus.PARTIALLY_REFUNDED
    return PaymentStatus.PAID if order.payments else PaymentStatus.PENDING


def _is_one_payment(order: Order) -> bool:
    if not order.payments:
        return True
    (one, *more) = order.payments
    whole = order.amounts is not None and one.amount_minor == order.amounts.total_minor
    return whole and not more and one.paid_at is not None and one.paid_at.microsecond == 0


def _line(line: OrderLine, currency: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": _id(line.line),
        "name": html.escape(line.title, quote=False) if line.title else "",
        "product_id": _id(line.listing) if line.listing else 0,
        "variation_id": 0,
        "quantity": line.quantity,
        "sku": line.sku or "",
        "meta_data": [],
    }
    if line.amounts:
        document |= {
            "subtotal": format_minor(line.amounts.gross_minor, currency),
            "total": format_minor(line.amounts.net_minor, currency),
            "total_tax": format_minor(line.amounts.tax_minor, currency),
        }
    return document


def _shipping(delivery: Delivery, amounts: OrderAmounts, currency: str) -> dict[str, Any]:
    pickup = delivery.pickup_node is not None
    return {
        "id": 1,
        "method_title": delivery.service or "",
        "method_id": "pickup_location" if pickup else "flat_rate",
        "total": format_minor(amounts.shipping_minor, currency),
        "meta_data": [{"key": "pickup_location", "value": delivery.pickup_node}] if pickup else [],
    }


def _address(address: Address | None) -> dict[str, Any]:
    """An address nobody gave has all its fields, empty."""
    street = address.street if address else ()
    company = street[0] if len(street) == 3 else ""
    lines = (*(street[1:] if company else street), "", "")
    return {
        "first_name": (address.recipient if address else None) or "",
        "last_name": "",
        "company": company,
        "address_1": lines[0],
        "address_2": lines[1],
        "city": (address.city if address else None) or "",
        "state": (address.region if address else None) or "",
        "postcode": (address.postal_code if address else None) or "",
        "country": (address.country if address else None) or "",
        "phone": (address.phone if address else None) or "",
    }


def _refund(refund: Refund, order: Order) -> dict[str, Any]:
    return {
        "id": _id(refund.refund),
        "date_created_gmt": _time(refund.created_at),
        "amount": format_minor(refund.refunded_to_buyer_minor, order.currency),
        "reason": refund.reason or "",
        "line_items": [
            {
                "id": 9_000_000 + place,
                "quantity": -quantity,
                "meta_data": [{"key": "_refunded_item_id", "value": line}],
            }
            for place, (line, quantity) in enumerate(refund.quantities)
        ],
        "_links": {"up": [{"href": f"https://shop.example/wp-json/wc/v3/orders/{order.external_id}"}]},
    }


def _id(text: str) -> int | str:
    """WooCommerce writes ids as integers; what is not the text of one stays a text."""
    plain = text.isascii() and text.isdigit() and len(text) <= 19 and (text == "0" or text[0] != "0")
    return int(text) if plain else text


def _time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
