"""Writes canonical orders as Square's order objects, and the webhooks that name them, signed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.signing import sign_base64
from omo_core.channels.square import SIGNATURE_HEADER
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

LOCATION: Final = "L88917AVBK2S5"
_STATE: Final[Mapping[OrderStatus, str]] = {
    OrderStatus.OPEN: "OPEN",
    OrderStatus.CLOSED: "COMPLETED",
    OrderStatus.CANCELLED: "CANCELED",
}
_REFUND: Final[Mapping[RefundStatus, str]] = {
    RefundStatus.AGREED: "PENDING",
    RefundStatus.DONE: "APPROVED",
    RefundStatus.REFUSED: "REJECTED",
}


def write_square_event(
    order: Order,
    *,
    secret: str,
    notification_url: str,
    event_id: str = "e-1",
    topic: str = "order.updated",
    location: str = LOCATION,
) -> tuple[dict[str, str], bytes]:
    """The webhook that names the order, as headers and body: it holds no more than id, state and version."""
    name = topic.replace(".", "_")
    version = {"version": order.source_version, "state": _STATE[order.status], "location_id": location}
    body = to_json(
        {
            "merchant_id": "5S9MXCS9Y99KK",
            "type": topic,
            "event_id": event_id,
            "created_at": _time(order.updated_at),
            "data": {
                "type": name,
                "id": order.external_id,
                "object": {name: {"order_id": order.external_id, **version}},
            },
        }
    )
    return {SIGNATURE_HEADER: sign_base64(secret, notification_url.encode() + body)}, body


def write_square_order(order: Order, *, location: str = LOCATION) -> bytes:
    """The order as the API gives it: {"order": {...}}.

    Raises `InvalidInput` for what an order object cannot carry, such as an order without amounts, gifts, bundles,
    masked addresses, a payment state that its tenders do not show.
    """
    return to_json({"order": square_order_document(order, location=location)})


def square_order_document(order: Order, *, location: str = LOCATION) -> dict[str, Any]:
    """The order object in plain data; raises `InvalidInput` as `write_square_order` does."""
    amounts = _carriable(order)
    currency = order.currency
    money = _Money(currency)
    tax_type = "INCLUSIVE" if amounts.taxes_included else "ADDITIVE"
    return {
        "id": order.external_id,
        "location_id": location,
        "reference_id": order.display_number,
        "customer_id": order.buyer,
        "version": order.source_version,
        "state": "DRAFT" if order.hold_reason == "DRAFT" else _STATE[order.status],
        "created_at": _time(order.placed_at),
        "updated_at": _time(order.updated_at),
        "closed_at": _time(order.cancelled_at) if order.cancelled_at else None,
        "line_items": [_line(line, order, money) for line in order.lines],
        "taxes": [{"uid": "tax", "type": tax_type, "applied_money": money(amounts.tax_minor), "scope": "ORDER"}],
        "discounts": [
            {"uid": one.discount, "name": one.title, "applied_money": money(one.amount_minor)}
            for one in order.discounts
        ],
        "service_charges": [{"uid": "fee", "name": "Fee", "applied_money": money(amounts.fee_minor)}],
        "rounding_adjustment": {"amount_money": money(amounts.rounding_minor)},
        "fulfillments": [_fulfilment(delivery, order) for delivery in order.deliveries],
        "returns": _returns(order),
        "refunds": [_refund(refund, money) for refund in order.refunds],
        "tenders": [
            {
                "id": one.payment,
                "type": one.method,
                "amount_money": money(one.amount_minor),
                "created_at": _time(one.paid_at) if one.paid_at else None,
                "card_details": {"status": "AUTHORIZED" if order.payment is PaymentStatus.AUTHORISED else "CAPTURED"},
            }
            for one in order.payments
        ],
        "total_money": money(amounts.total_minor),
        "total_tax_money": money(amounts.tax_minor),
        "total_discount_money": money(amounts.discount_minor),
        "total_tip_money": money(amounts.tip_minor),
        "total_service_charge_money": money(amounts.fee_minor),
    }


class _Money:
    def __init__(self, currency: str) -> None:
        self._currency = currency

    def __call__(self, minor: int) -> dict[str, Any]:
        return {"amount": minor, "currency": self._currency}


def _carriable(order: Order) -> OrderAmounts:
    amounts = order.amounts
    addresses = [delivery.address for delivery in order.deliveries]
    lost = {
        "amounts": amounts is None or any(line.amounts is None for line in order.lines),
        "shipping": amounts is not None and amounts.shipping_minor != 0,
        "platform's discount": amounts is not None and amounts.platform_discount_minor != 0,
        "presentment currency": order.presentment_currency is not None,
        "gift": any(line.gift for line in order.lines),
        "bundle": any(line.bundle or line.parent for line in order.lines),
        "preorder": any(line.preorder for line in order.lines),
        "sku": any(line.sku != line.listing for line in order.lines),
        "test": order.test,
        "note": order.note is not None,
        "cancel_reason": order.cancel_reason is not None,
        "status": (order.status is OrderStatus.CANCELLED) != (order.cancelled_at is not None),
        "hold_reason": order.hold_reason not in (None, "DRAFT"),
        "place": any(one and (one.masked or one.token or one.point or len(one.street) > 3) for one in addresses),
        "deliver_by": any(delivery.deliver_by for delivery in order.deliveries),
        "sellers_share": any(refund.sellers_share_minor is not None for refund in order.refunds),
        "refund's status": any(refund.status not in _REFUND for refund in order.refunds),
        "refund's lines": len(order.refunds) > 1 and any(refund.quantities for refund in order.refunds),
        "funder": any(discount.funder is not Funder.SELLER or discount.shipping_minor for discount in order.discounts),
        "ship_complete": order.ship_complete,
    }
    reasons = [name for name, is_lost in lost.items() if is_lost]
    if reasons or amounts is None:
        raise InvalidInput(f"a Square order cannot carry this order's {', '.join(reasons)}; use the native format")
    return amounts


def _line(line: OrderLine, order: Order, money: _Money) -> dict[str, Any]:
    document: dict[str, Any] = {
        "uid": line.line,
        "name": line.title,
        "quantity": str(line.quantity),
        "catalog_object_id": line.listing,
        "item_type": "ITEM" if line.physical else "GIFT_CARD",
        "applied_discounts": [
            {"discount_uid": one.discount, "applied_money": money(share.amount_minor)}
            for one in order.discounts
            for share in one.shares
            if share.line == line.line
        ],
    }
    if line.amounts:
        gross = money(line.amounts.gross_minor)
        document["base_price_money"] = money(line.amounts.list_unit_price_minor)
        document["gross_sales_money"] = document["variation_total_price_money"] = gross
        document["total_discount_money"] = money(line.amounts.discount_minor)
        document["total_tax_money"] = money(line.amounts.tax_minor)
    return document


def _fulfilment(delivery: Delivery, order: Order) -> dict[str, Any]:
    index = order.deliveries.index(delivery)
    uid = f"f{index}"
    if delivery.fulfilment not in (None, f"{LOCATION}/{uid}/{order.source_version}"):
        raise InvalidInput("a Square order names a fulfilment by its location, uid and version")
    shared = {
        "uid": uid if delivery.fulfilment else None,
        "state": "PROPOSED",
        "entries": [
            {"line_item_uid": line.line, "quantity": str(line.quantity)}
            for line in order.lines
            if line.delivery == index
        ],
    }
    recipient = _recipient(delivery.address) if delivery.address else None
    from_then_on = _time(delivery.not_before) if delivery.not_before else None
    match delivery.method:
        case DeliveryMethod.PICKUP:
            return {**shared, "type": "PICKUP", "pickup_details": {"recipient": recipient, "pickup_at": from_then_on}}
        case DeliveryMethod.ONE_HOUR:
            details = {"recipient": recipient, "deliver_at": from_then_on, "schedule_type": "ASAP"}
            return {
                **shared,
                "type": "DELIVERY",
                "delivery_details": {**details, "courier_provider_name": delivery.service},
            }
        case _:
            by = _time(delivery.ship_by) if delivery.ship_by else None
            details = {"recipient": recipient, "shipping_type": delivery.service, "expected_shipped_at": by}
            return {**shared, "type": "SHIPMENT", "shipment_details": details}


def _recipient(address: Address) -> dict[str, Any]:
    lines = {f"address_line_{number}": text for number, text in enumerate(address.street, start=1)}
    return {
        "display_name": address.recipient,
        "phone_number": address.phone,
        "address": {
            **lines,
            "sublocality": address.district,
            "locality": address.city,
            "administrative_district_level_1": address.region,
            "postal_code": address.postal_code,
            "country": address.country,
        },
    }


def _returns(order: Order) -> list[dict[str, Any]]:
    gone = [(line.line, line.quantity - line.current_quantity) for line in order.lines]
    back = [{"source_line_item_uid": line, "quantity": str(units)} for line, units in gone if units]
    if order.refunds and tuple((line, units) for line, units in gone if units) != order.refunds[0].quantities:
        raise InvalidInput("a Square order's one refund is of all that came back; use the native format")
    return [{"source_order_id": order.external_id, "return_line_items": back}] if back else []


def _refund(refund: Refund, money: _Money) -> dict[str, Any]:
    return {
        "id": refund.refund,
        "created_at": _time(refund.created_at),
        "amount_money": money(refund.refunded_to_buyer_minor),
        "status": _REFUND[refund.status],
        "reason": refund.reason,
    }


def _time(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
