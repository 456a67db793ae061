"""Writes canonical orders as the documents of BigCommerce's API, and the webhooks that name them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.cursor import microseconds
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
from omo_core.model.values import currency_exponent

_STATUS: Final[Mapping[OrderStatus, int]] = {OrderStatus.OPEN: 11, OrderStatus.CLOSED: 10, OrderStatus.CANCELLED: 5}
_HELD: Final[Mapping[str, int]] = {
    "Incomplete": 0,
    "Pending": 1,
    "Awaiting Payment": 7,
    "Manual Verification Required": 12,
    "Disputed": 13,
}
_PAYMENT: Final[Mapping[PaymentStatus, str]] = {
    PaymentStatus.UNKNOWN: "",
    PaymentStatus.PENDING: "pending",
    PaymentStatus.AUTHORISED: "authorized",
    PaymentStatus.PAID: "captured",
    PaymentStatus.PARTIALLY_REFUNDED: "partially refunded",
    PaymentStatus.REFUNDED: "refunded",
    PaymentStatus.VOIDED: "void",
}


def write_bigcommerce_event(
    order_id: str,
    *,
    secret: str,
    store_hash: str,
    scope: str = "store/order/updated",
    event_hash: str = "dd70c0",
    made_at_s: int = 1_561_479_335,
    secret_header: str = "X-Webhook-Secret",
) -> tuple[dict[str, str], bytes]:
    """The webhook that names an order, as headers and body; nothing in it is signed. Its hash is of its data alone."""
    data: dict[str, Any] = {"type": "order", "id": int(order_id)}
    told = {"scope": scope, "store_id": "1025646", "data": data, "hash": event_hash, "created_at": made_at_s}
    body = to_json(told | {"producer": f"stores/{store_hash}"})
    return {"Content-Type": "application/json", secret_header: secret}, body


def write_bigcommerce_order(order: Order) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """The order, its products, consignments, coupons and refunds, in the order in which they are fetched.

    Raises `InvalidInput` for what the documents cannot carry, such as taxes on top, tips, bundles, masked addresses,
    several deliveries, or times finer than seconds.
    """
    amounts = _carriable(order)
    money = _Money(order.currency)
    documents: tuple[Any, ...] = (
        _order(order, amounts, money),
        [_product(line, order, money) for line in order.lines],
        _consignments(order.deliveries[0], order),
        [
            {"id": number, "coupon_id": number, "code": one.discount, "discount": money(one.amount_minor)}
            for number, one in enumerate(order.discounts, start=1)
            if not one.shares
        ],
        {"data": [_refund(refund, order, money) for refund in order.refunds], "meta": {}},
    )
    first, products, consignments, coupons, refunds = (to_json(document) for document in documents)
    return first, products, consignments, coupons if documents[3] else b"", refunds


class _Money:
    """Amounts with four decimals, as BigCommerce writes them."""

    def __init__(self, currency: str) -> None:
        self._exponent = currency_exponent(currency)

    def __call__(self, minor: int) -> str:
        return str(Decimal(minor).scaleb(-self._exponent).quantize(Decimal("0.0001")))


def _carriable(order: Order) -> OrderAmounts:
    amounts = order.amounts
    delivery = order.deliveries[0]
    address = delivery.address
    pickup = delivery.method is DeliveryMethod.PICKUP
    lost = {
        "amounts": amounts is None or any(line.amounts is None for line in order.lines),
        "tax on top": amounts is not None and not amounts.taxes_included,
        "tip or rounding": amounts is not None and bool(amounts.tip_minor or amounts.rounding_minor),
        "deliveries": len(order.deliveries) > 1 or delivery.method is DeliveryMethod.ONE_HOUR,
        "times of delivery": any((delivery.deliver_by, delivery.ship_by, delivery.not_before)),
        "address": (address is None) != pickup or (delivery.fulfilment is None) != pickup,
        "masked, token, district or place": address is not None
        and any((address.masked, address.token, address.district, address.point, len(address.street) > 3)),
        "display_number": order.display_number != order.external_id,
        "source_version": order.source_version != microseconds(order.updated_at),
        "fractions of a second": any(one.microsecond for one in (order.placed_at, order.updated_at)),
        "cancelled_at": order.cancelled_at != (order.updated_at if order.status is OrderStatus.CANCELLED else None),
        "cancel_reason": order.cancel_reason is not None,
        "hold_reason": order.hold_reason is not None
        and (order.hold_reason not in _HELD or order.status is not OrderStatus.OPEN),
        "payment": order.payment not in _PAYMENT,
        "payments": len(order.payments) > 1,
        "gift, bundle or preorder": any(
            line.gift or line.bundle or line.parent or line.preorder for line in order.lines
        ),
        "funder": any(discount.funder is not Funder.SELLER or discount.shipping_minor for discount in order.discounts),
        "test": order.test,
        "sellers_share": any(refund.sellers_share_minor is not None for refund in order.refunds),
        "refund's status": any(
            refund.status not in {RefundStatus.DONE, RefundStatus.REFUSED} for refund in order.refunds
        ),
        "ship_complete": order.ship_complete,
    }
    reasons = [name for name, is_lost in lost.items() if is_lost]
    if reasons or amounts is None:
        raise InvalidInput(f"a BigCommerce order cannot carry this order's {', '.join(reasons)}; use the native format")
    return amounts


def _order(order: Order, amounts: OrderAmounts, money: _Money) -> dict[str, Any]:
    return {
        "id": _number(order.external_id),
        "customer_id": _number(order.buyer) if order.buyer else 0,
        "date_created": _time(order.placed_at),
        "date_modified": _time(order.updated_at),
        "status_id": _HELD[order.hold_reason] if order.hold_reason else _STATUS[order.status],
        "payment_status": _PAYMENT[order.payment],
        "payment_method": order.payments[0].method if order.payments else "Cash",
        "payment_provider_id": order.payments[0].payment if order.payments else "",
        "currency_code": order.presentment_currency or order.currency,
        "default_currency_code": order.currency,
        "shipping_cost_inc_tax": money(amounts.shipping_minor),
        "handling_cost_inc_tax": money(amounts.fee_minor),
        "wrapping_cost_inc_tax": money(0),
        "discount_amount": money(amounts.discount_minor),
        "coupon_discount": money(0),
        "total_tax": money(amounts.tax_minor),
        "total_inc_tax": money(amounts.total_minor),
        "customer_message": order.note or "",
        "is_deleted": False,
    }


def _product(line: OrderLine, order: Order, money: _Money) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": _number(line.line),
        "order_id": _number(order.external_id),
        "product_id": 0,
        "variant_id": _number(line.listing) if line.listing else 0,
        "name": line.title,
        "sku": line.sku or "",
        "type": "physical" if line.physical else "digital",
        "quantity": line.quantity,
        "quantity_refunded": line.quantity - line.current_quantity,
        "applied_discounts": [
            {"id": "promotion", "code": one.discount, "name": one.title, "amount": money(share.amount_minor)}
            for one in order.discounts
            for share in one.shares
            if share.line == line.line
        ],
    }
    if line.amounts:
        document["price_inc_tax"] = money(line.amounts.list_unit_price_minor)
        document["total_inc_tax"] = money(line.amounts.gross_minor)
        document["total_tax"] = money(line.amounts.tax_minor)
    return document


def _consignments(delivery: Delivery, order: Order) -> dict[str, Any]:
    links = [{"resource": f"/orders/{order.external_id}/products/{line.line}"} for line in order.lines]
    empty: dict[str, Any] = {"pickups": [], "shipping": [], "downloads": [], "email": {"gift_certificates": []}}
    if delivery.address is None:
        location = {"id": 1, "code": delivery.pickup_node}
        pickup = {"id": 1, "pickup_method_display_name": delivery.service, "location": location, "line_items": links}
        return {**empty, "pickups": [pickup]}
    place = {"id": _number(delivery.fulfilment or "0"), "shipping_method": delivery.service, "line_items": links}
    return {**empty, "shipping": [{**place, **_address(delivery.address)}]}


def _address(address: Address) -> dict[str, Any]:
    company = address.street[0] if len(address.street) == 3 else ""
    street = (*(address.street[1:] if company else address.street), "", "")
    return {
        "first_name": address.recipient,
        "last_name": "",
        "company": company,
        "street_1": street[0],
        "street_2": street[1],
        "city": address.city,
        "state": address.region,
        "zip": address.postal_code,
        "country_iso2": address.country,
        "phone": address.phone,
    }


def _refund(refund: Refund, order: Order, money: _Money) -> dict[str, Any]:
    return {
        "id": _number(refund.refund),
        "order_id": _number(order.external_id),
        "created": refund.created_at.isoformat(),
        "reason": refund.reason or "",
        "total_amount": money(refund.refunded_to_buyer_minor),
        "items": [
            {"item_type": "PRODUCT", "item_id": _number(line), "quantity": quantity}
            for line, quantity in refund.quantities
        ],
        "payments": [{"is_declined": refund.status is RefundStatus.REFUSED}],
    }


def _number(text: str) -> int:
    """BigCommerce numbers what it holds."""
    if not (text.isascii() and text.isdigit() and str(int(text)) == text):
        raise InvalidInput(f"BigCommerce has numbers, and {text[:40]!r} is none; use the native format")
    return int(text)


def _time(instant: datetime) -> str:
    return format_datetime(instant)
