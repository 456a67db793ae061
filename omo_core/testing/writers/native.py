"""Writes canonical orders, cancellations, refunds, counter sales and batches of them in the native format, signed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from omo_core.channels.native import EVENT_HEADER, SIGNATURE_HEADER, SIGNATURE_PREFIX
from omo_core.channels.port import Cancellation, RefundNotice, TillSale
from omo_core.channels.signing import sign_hex
from omo_core.model.errors import InvalidInput
from omo_core.model.orders import Address, Delivery, Discount, Order, OrderAmounts, OrderLine, Payment, Refund
from omo_core.model.values import format_minor

_money = lru_cache(maxsize=4_096)(format_minor)
"""Decimal texts of amounts; a shop has few prices."""

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""


def write_native_order(order: Order, *, secret: str, event_id: str | None = None) -> Signed:
    """The order as a native document. Everything the canonical order holds is carried, save what its reader noted:
    `body_sha256` and `oddities`."""
    return _signed(native_order_document(order), secret, event_id)


def write_native_cancellation(cancellation: Cancellation, *, secret: str, event_id: str | None = None) -> Signed:
    """The cancellation as a native document."""
    return _signed(native_cancellation_document(cancellation), secret, event_id)


def write_native_refund(notice: RefundNotice, currency: str, *, secret: str, event_id: str | None = None) -> Signed:
    """The refund as a native document; its money is in `currency`, the order's."""
    return _signed(native_refund_document(notice, currency), secret, event_id)


def write_native_counter_sale(sale: TillSale, *, secret: str, event_id: str | None = None) -> Signed:
    """The till's receipt as a native document."""
    return _signed(native_counter_sale_document(sale), secret, event_id)


def write_native_batch(documents: Sequence[dict[str, Any]], *, secret: str, event_id: str | None = None) -> Signed:
    """Several documents as one message."""
    return _signed({"type": "batch", "version": 1, "documents": documents}, secret, event_id)


def native_cancellation_document(cancellation: Cancellation) -> dict[str, Any]:
    """The cancellation's native document as plain data."""
    return {
        "type": "cancellation",
        "version": 1,
        "channel": cancellation.channel,
        "external_id": cancellation.external_id,
        "source_version": cancellation.source_version,
        "cancelled_at": _time(cancellation.cancelled_at),
        "reason": cancellation.reason,
        "requested": cancellation.requested,
        "lines": _quantities(cancellation.quantities),
    }


def native_refund_document(notice: RefundNotice, currency: str) -> dict[str, Any]:
    """The refund's native document as plain data."""
    return {
        "type": "refund",
        "version": 1,
        "channel": notice.channel,
        "external_id": notice.external_id,
        "currency": currency,
        "refund": _refund(notice.refund, currency),
        "updated_at": _time(notice.updated_at),
        "returns_goods": notice.returns_goods,
    }


def native_counter_sale_document(sale: TillSale) -> dict[str, Any]:
    """The counter sale's native document as plain data."""
    return {
        "type": "counter_sale",
        "version": 1,
        "channel": sale.channel,
        "external_id": sale.external_id,
        "node": sale.node,
        "sold_at": _time(sale.sold_at),
        "lines": [{"sku": line.sku, "quantity": line.quantity} for line in sale.lines],
    }


def native_order_document(order: Order) -> dict[str, Any]:
    """The order's native document as plain data, with None where a field is absent."""
    return {
        "type": "order",
        "version": 1,
        "channel": order.channel,
        "external_id": order.external_id,
        "display_number": order.display_number,
        "source_version": order.source_version,
        "status": order.status,
        "payment": order.payment,
        "placed_at": _time(order.placed_at),
        "updated_at": _time(order.updated_at),
        "cancelled_at": _optional_time(order.cancelled_at),
        "cancel_reason": order.cancel_reason,
        "test": order.test,
        "currency": order.currency,
        "presentment_currency": order.presentment_currency,
        "lines": [_line(line, order.currency) for line in order.lines],
        "deliveries": [_delivery(delivery) for delivery in order.deliveries],
        "amounts": _amounts(order.amounts, order) if order.amounts else None,
        "refunds": [_refund(refund, order.currency) for refund in order.refunds],
        "note": order.note,
        "ship_complete": order.ship_complete,
        "payments": [_payment(payment, order.currency) for payment in order.payments],
        "discounts": [_discount(discount, order.currency) for discount in order.discounts],
        "buyer": order.buyer,
        "hold_reason": order.hold_reason,
    }


def _line(line: OrderLine, currency: str) -> dict[str, Any]:
    document = {
        "line": line.line,
        "sku": line.sku,
        "quantity": line.quantity,
        "current_quantity": line.current_quantity,
        "title": line.title,
        "listing": line.listing,
        "physical": line.physical,
        "gift": line.gift,
        "delivery": line.delivery,
        "bundle": line.bundle,
        "parent": line.parent,
        "preorder": line.preorder,
        "fulfilment": line.fulfilment,
        "fulfilment_line": line.fulfilment_line,
    }
    if line.amounts:
        document["unit_price"] = _money(line.amounts.list_unit_price_minor, currency)
        document["gross"] = _money(line.amounts.gross_minor, currency)
        document["discount"] = _money(line.amounts.discount_minor, currency)
        document["tax"] = _money(line.amounts.tax_minor, currency)
    return document


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "method": delivery.method,
        "pickup_node": delivery.pickup_node,
        "address": _address(delivery.address) if delivery.address else None,
        "service": delivery.service,
        "deliver_by": _optional_time(delivery.deliver_by),
        "ship_by": _optional_time(delivery.ship_by),
        "not_before": _optional_time(delivery.not_before),
        "fulfilment": delivery.fulfilment,
    }


def _address(address: Address) -> dict[str, Any]:
    return {
        "recipient": address.recipient,
        "phone": address.phone,
        "street": address.street,
        "district": address.district,
        "city": address.city,
        "region": address.region,
        "postal_code": address.postal_code,
        "country": address.country,
        "latitude": address.point.latitude if address.point else None,
        "longitude": address.point.longitude if address.point else None,
        "masked": address.masked,
        "token": address.token,
    }


def _amounts(amounts: OrderAmounts, order: Order) -> dict[str, Any]:
    currency = order.currency
    shown_minor, shown_in = amounts.presentment_total_minor, order.presentment_currency
    if shown_minor is not None and shown_in is None:
        raise InvalidInput("the order has a presentment_total_minor and no presentment_currency; set both or neither")
    return {
        "taxes_included": amounts.taxes_included,
        "line_gross": _money(amounts.line_gross_minor, currency),
        "discount": _money(amounts.discount_minor, currency),
        "platform_discount": _money(amounts.platform_discount_minor, currency),
        "shipping": _money(amounts.shipping_minor, currency),
        "tax": _money(amounts.tax_minor, currency),
        "tip": _money(amounts.tip_minor, currency),
        "fee": _money(amounts.fee_minor, currency),
        "rounding": _money(amounts.rounding_minor, currency),
        "total": _money(amounts.total_minor, currency),
        "presentment_total": None if shown_minor is None or shown_in is None else _money(shown_minor, shown_in),
    }


def _discount(discount: Discount, currency: str) -> dict[str, Any]:
    return {
        "discount": discount.discount,
        "title": discount.title,
        "funder": discount.funder,
        "amount": _money(discount.amount_minor, currency),
        "shipping": _money(discount.shipping_minor, currency),
        "shares": [{"line": share.line, "amount": _money(share.amount_minor, currency)} for share in discount.shares],
    }


def _payment(payment: Payment, currency: str) -> dict[str, Any]:
    return {
        "payment": payment.payment,
        "method": payment.method,
        "amount": _money(payment.amount_minor, currency),
        "paid_at": _optional_time(payment.paid_at),
    }


def _refund(refund: Refund, currency: str) -> dict[str, Any]:
    share_minor = refund.sellers_share_minor
    return {
        "refund": refund.refund,
        "created_at": _time(refund.created_at),
        "refunded_to_buyer": _money(refund.refunded_to_buyer_minor, currency),
        "sellers_share": None if share_minor is None else _money(share_minor, currency),
        "lines": _quantities(refund.quantities),
        "status": refund.status,
        "reason": refund.reason,
    }


def _quantities(quantities: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"line": line, "quantity": quantity} for line, quantity in quantities]


def _time(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _optional_time(instant: datetime | None) -> str | None:
    return _time(instant) if instant else None


def _signed(document: dict[str, Any], secret: str, event_id: str | None) -> Signed:
    body = to_json(document)
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: SIGNATURE_PREFIX + sign_hex(secret, body)}
    if event_id is not None:
        headers[EVENT_HEADER] = event_id
    return headers, body
