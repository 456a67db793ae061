"""Writes canonical orders as eBay's order resource, and the signed notifications about them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from pydantic_core import to_json

from omo_core.channels.ebay import SIGNATURE_HEADER, EbayAdapter, EbayConfig
from omo_core.channels.ebay_order import WISH
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
    RefundStatus,
)
from omo_core.model.values import format_minor
from omo_core.testing.writers.carried import needed, refuse_losses

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as a channel sends them."""

_PAYMENT: Final[Mapping[PaymentStatus, str]] = {
    PaymentStatus.PAID: "PAID",
    PaymentStatus.PENDING: "PENDING",
    PaymentStatus.REFUNDED: "FULLY_REFUNDED",
    PaymentStatus.PARTIALLY_REFUNDED: "PARTIALLY_REFUNDED",
}


def write_ebay_notification(order: Order, *, secret: str, notification_id: str | None = None) -> Signed:
    """The ORDER_CONFIRMATION about an order; `secret` is a private key on the curve P-256, as PEM.

    Needs the extra `crypto`; the adapter verifies with the key's public half.
    """
    lines = [{"orderLineItemId": line.line, "quantity": line.quantity} for line in order.lines]
    notice = {
        "eventDate": _time(order.updated_at),
        "publishAttemptCount": 1,
        "data": {"order": {"orderId": order.external_id, "orderLineItems": lines}},
    }
    if notification_id is not None:
        notice = {"notificationId": notification_id, **notice}
    metadata = {"topic": "ORDER_CONFIRMATION", "schemaVersion": "1.0", "deprecated": False}
    body = to_json({"metadata": metadata, "notification": notice})
    return {"Content-Type": "application/json", SIGNATURE_HEADER: sign_ebay(secret, body)}, body


def sign_ebay(private_key: str, body: bytes) -> str:
    """The signature header eBay would send with a body."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = cast("ec.EllipticCurvePrivateKey", load_pem_private_key(private_key.encode(), None))
    signature = base64.b64encode(key.sign(body, ec.ECDSA(hashes.SHA1(), deterministic_signing=True))).decode("ascii")
    header = to_json({"alg": "ecdsa", "kid": "test", "signature": signature, "digest": "SHA1"})
    return base64.b64encode(header).decode("ascii")


def write_ebay_order(order: Order) -> bytes:
    """The order as eBay's order resource, as it is fetched.

    Raises `InvalidInput` for what eBay cannot carry, such as an order without amounts, prices that hold the tax, a
    display number that is blank, or cancelled lines.
    """
    needed(order.amounts, "amounts", "marketplace (eBay)")
    amounts = cast("OrderAmounts", order.amounts)
    body = to_json(_order(order, amounts))
    reader = EbayAdapter(EbayConfig(channel=order.channel))
    refuse_losses(order, reader.parse_order(body), "marketplace (eBay)")
    return body


def _order(order: Order, amounts: OrderAmounts) -> dict[str, Any]:
    currency = order.currency
    state = {OrderStatus.CANCELLED: "CANCELED"}.get(order.status)
    asked = order.hold_reason == WISH
    reason = [{"cancelReason": order.cancel_reason}] if order.cancel_reason else []
    program = {"fulfillmentProgram": {"fulfilledBy": "EBAY"}}
    refunds = [_refund(refund, currency) for refund in order.refunds]
    off_delivery = sum(one.amount_minor for one in order.discounts if one.discount is None)
    return {
        "orderId": order.external_id,
        "salesRecordReference": order.display_number,
        "creationDate": _time(order.placed_at),
        "lastModifiedDate": _time(order.updated_at),
        "orderFulfillmentStatus": "FULFILLED" if order.status is OrderStatus.CLOSED else "NOT_STARTED",
        "orderPaymentStatus": "FAILED" if order.hold_reason == "the payment failed" else _PAYMENT.get(order.payment),
        "buyer": {"username": order.buyer},
        "buyerCheckoutNotes": order.note,
        "cancelStatus": {
            "cancelState": state or ("IN_PROGRESS" if asked else "NONE_REQUESTED"),
            "cancelledDate": _time(order.cancelled_at) if order.cancelled_at else None,
            "cancelRequests": reason,
        },
        "program": None if any(line.physical for line in order.lines) else program,
        "pricingSummary": {
            "priceSubtotal": _money(amounts.line_gross_minor, currency),
            "priceDiscount": _money(off_delivery - amounts.discount_minor, currency),
            "deliveryCost": _money(amounts.shipping_minor, currency),
            "deliveryDiscount": _money(-off_delivery, currency),
            "tax": _money(amounts.tax_minor, currency),
            "fee": _money(amounts.fee_minor, currency),
            "total": _total(order, amounts),
        },
        "paymentSummary": {
            "payments": [
                {
                    "paymentMethod": one.method,
                    "paymentReferenceId": one.payment,
                    "paymentDate": _time(one.paid_at) if one.paid_at else None,
                    "amount": _money(one.amount_minor, currency),
                    "paymentStatus": "PAID",
                }
                for one in order.payments
            ],
            "refunds": refunds,
        },
        "fulfillmentStartInstructions": [_start(delivery) for delivery in order.deliveries],
        "lineItems": [_line(order, line, place) for place, line in enumerate(order.lines)],
    }


def _total(order: Order, amounts: OrderAmounts) -> dict[str, Any]:
    total: dict[str, Any] = _money(amounts.total_minor, order.currency)
    if order.presentment_currency and amounts.presentment_total_minor is not None:
        other = order.presentment_currency
        total["convertedFromCurrency"] = other
        total["convertedFromValue"] = format_minor(amounts.presentment_total_minor, other)
    return total


def _line(order: Order, line: OrderLine, place: int) -> dict[str, Any]:
    currency = order.currency
    shares = {one.discount: share for one in order.discounts for share in one.shares if share.line == line.line}
    titles = {one.discount: one.title for one in order.discounts}
    listing, _, variation = (line.listing or "").partition("/")
    ship_by = next((delivery.ship_by for delivery in order.deliveries if delivery.ship_by), None)
    document: dict[str, Any] = {
        "lineItemId": line.line,
        "sku": line.sku,
        "title": line.title,
        "quantity": line.quantity,
        "legacyItemId": listing or None,
        "legacyVariationId": variation or None,
        "giftDetails": {"message": ""} if line.gift else None,
        "lineItemFulfillmentInstructions": {"shipByDate": _time(ship_by)} if ship_by else None,
        "appliedPromotions": [
            {"promotionId": name, "description": titles[name], "discountAmount": _money(-share.amount_minor, currency)}
            for name, share in shares.items()
        ],
        # The seller's refunds name no line: what the buyer gets of each is told with the first.
        "refunds": [
            {"refundDate": _time(one.created_at), "amount": _money(one.refunded_to_buyer_minor, currency)}
            for one in order.refunds
            if place == 0 and one.sellers_share_minor is not None
        ],
    }
    if line.amounts:
        net = line.amounts.gross_minor - line.amounts.discount_minor
        document["lineItemCost"] = _money(line.amounts.gross_minor, currency)
        document["discountedLineItemCost"] = _money(net, currency)
        document["taxes"] = [{"amount": _money(line.amounts.tax_minor, currency)}]
    return document


def _refund(refund: Refund, currency: str) -> dict[str, Any]:
    buyer, seller = refund.refunded_to_buyer_minor, refund.sellers_share_minor
    return {
        "refundReferenceId": refund.refund,
        "refundDate": _time(refund.created_at),
        "amount": _money(buyer if seller is None else seller, currency),
        "refundStatus": "REFUNDED" if refund.status is RefundStatus.DONE else "PENDING",
    }


def _start(delivery: Delivery) -> dict[str, Any]:
    pickup = delivery.method is DeliveryMethod.PICKUP
    return {
        "fulfillmentInstructionsType": "PREPARE_FOR_PICKUP" if pickup else "SHIP_TO",
        "maxEstimatedDeliveryDate": _time(delivery.deliver_by) if delivery.deliver_by else None,
        "pickupStep": {"merchantLocationKey": delivery.pickup_node} if pickup else None,
        "shippingStep": {
            "shippingServiceCode": delivery.service,
            "shipTo": _address(delivery.address) if delivery.address else None,
        },
    }


def _address(address: Address) -> dict[str, Any]:
    company = address.street[0] if len(address.street) == 3 else None
    street = (*(address.street[1:] if company else address.street), None, None)
    return {
        "fullName": address.recipient,
        "companyName": company,
        "primaryPhone": {"phoneNumber": address.phone},
        "contactAddress": {
            "addressLine1": street[0],
            "addressLine2": street[1],
            "county": address.district,
            "city": address.city,
            "stateOrProvince": address.region,
            "postalCode": address.postal_code,
            "countryCode": address.country,
        },
    }


def _money(minor: int, currency: str) -> dict[str, str]:
    return {"value": format_minor(minor, currency), "currency": currency}


def _time(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
