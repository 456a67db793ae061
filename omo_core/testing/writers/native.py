"""Writes canonical orders, cancellations and counter sales in the native format, signed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from omo_core.channels.native import EVENT_HEADER, SIGNATURE_HEADER, SIGNATURE_PREFIX
from omo_core.channels.port import Cancellation, TillSale
from omo_core.channels.signing import sign_hex
from omo_core.model.orders import Address, Delivery, Order, OrderAmounts, OrderLine, Refund
from omo_core.model.values import format_minor

_money = lru_cache(maxsize=4_096)(format_minor)
"""Decimal texts of amounts; a shop has few prices."""

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""


def write_native_order(order: Order, *, secret: str, event_id: str | None = None) -> Signed:
    """The order as a native document. Everything the canonical order holds is carried, save `body_sha256`."""
    return _signed(native_order_document(order), secret, event_id)


def write_native_cancellation(cancellation: Cancellation, *, secret: str, event_id: str | None = None) -> Signed:
    """The cancellation as a native document."""
    document = {
        "type": "cancellation",
        "version": 1,
        "channel": cancellation.channel,
        "external_id": cancellation.external_id,
        "source_version": cancellation.source_version,
        "cancelled_at": _time(cancellation.cancelled_at),
        "reason": cancellation.reason,
    }
    return _signed(document, secret, event_id)


def write_native_counter_sale(sale: TillSale, *, secret: str, event_id: str | None = None) -> Signed:
    """The till's receipt as a native document."""
    document = {
        "type": "counter_sale",
        "version": 1,
        "channel": sale.channel,
        "external_id": sale.external_id,
        "node": sale.node,
        "sold_at": _time(sale.sold_at),
        "lines": [{"sku": line.sku, "quantity": line.quantity} for line in sale.lines],
    }
    return _signed(document, secret, event_id)


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
        "cancelled_at": _time(order.cancelled_at) if order.cancelled_at else None,
        "cancel_reason": order.cancel_reason,
        "test": order.test,
        "currency": order.currency,
        "presentment_currency": order.presentment_currency,
        "lines": [_line(line, order.currency) for line in order.lines],
        "deliveries": [_delivery(delivery) for delivery in order.deliveries],
        "amounts": _amounts(order.amounts, order.currency) if order.amounts else None,
        "refunds": [_refund(refund, order.currency) for refund in order.refunds],
        "note": order.note,
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
        "deliver_by": _time(delivery.deliver_by) if delivery.deliver_by else None,
    }


def _address(address: Address) -> dict[str, Any]:
    return {
        "recipient": address.recipient,
        "phone": address.phone,
        "street": address.street,
        "city": address.city,
        "region": address.region,
        "postal_code": address.postal_code,
        "country": address.country,
        "latitude": address.point.latitude if address.point else None,
        "longitude": address.point.longitude if address.point else None,
        "masked": address.masked,
        "token": address.token,
    }


def _amounts(amounts: OrderAmounts, currency: str) -> dict[str, Any]:
    return {
        "taxes_included": amounts.taxes_included,
        "line_gross": _money(amounts.line_gross_minor, currency),
        "discount": _money(amounts.discount_minor, currency),
        "shipping": _money(amounts.shipping_minor, currency),
        "tax": _money(amounts.tax_minor, currency),
        "tip": _money(amounts.tip_minor, currency),
        "fee": _money(amounts.fee_minor, currency),
        "rounding": _money(amounts.rounding_minor, currency),
        "total": _money(amounts.total_minor, currency),
    }


def _refund(refund: Refund, currency: str) -> dict[str, Any]:
    share_minor = refund.sellers_share_minor
    return {
        "refund": refund.refund,
        "created_at": _time(refund.created_at),
        "refunded_to_buyer": _money(refund.refunded_to_buyer_minor, currency),
        "sellers_share": None if share_minor is None else _money(share_minor, currency),
        "lines": _quantities(refund.quantities),
    }


def _quantities(quantities: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"line": line, "quantity": quantity} for line, quantity in quantities]


def _time(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _signed(document: dict[str, Any], secret: str, event_id: str | None) -> Signed:
    body = to_json(document)
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: SIGNATURE_PREFIX + sign_hex(secret, body)}
    if event_id is not None:
        headers[EVENT_HEADER] = event_id
    return headers, body
