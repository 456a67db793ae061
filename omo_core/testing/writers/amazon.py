"""Writes canonical orders as Amazon's order documents of both versions, and the notifications about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, cast

from pydantic_core import to_json

from omo_core.channels.amazon import TOKEN_HEADER, AmazonAdapter, AmazonConfig
from omo_core.channels.amazon_order import V0, V2026, Words
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Discount, Order, OrderAmounts, OrderLine, OrderStatus, PaymentStatus
from omo_core.model.values import format_minor
from omo_core.testing.writers.carried import needed, refuse_losses

Signed = tuple[dict[str, str], bytes]
"""Headers and body, as the host's queue reader hands them over."""

_WORDS: Final[Mapping[tuple[OrderStatus, PaymentStatus], str]] = {
    (OrderStatus.OPEN, PaymentStatus.PENDING): "Pending",
    (OrderStatus.OPEN, PaymentStatus.AUTHORISED): "Unshipped",
    (OrderStatus.OPEN, PaymentStatus.UNKNOWN): "Unfulfillable",
    (OrderStatus.CLOSED, PaymentStatus.AUTHORISED): "Shipped",
    (OrderStatus.CANCELLED, PaymentStatus.UNKNOWN): "Canceled",
}
_WORDS_2026: Final[Mapping[str, str]] = {"Canceled": "CANCELLED"}
_WISH: Final = "the buyer asks to cancel"


def write_amazon_notification(
    order: Order, *, secret: str, notification_id: str | None = None, event_time: datetime | None = None
) -> Signed:
    """The ORDER_CHANGE notification about an order, with the token of the host's queue reader; it holds no order."""
    change = {
        "NotificationLevel": "OrderLevel",
        "AmazonOrderId": order.external_id,
        "OrderChangeType": "OrderStatusChange",
        "Summary": {"OrderStatus": _word(order), "NumberOfItemsUnshipped": sum(one.quantity for one in order.lines)},
    }
    notice = {
        "NotificationVersion": "1.0",
        "NotificationType": "ORDER_CHANGE",
        "PayloadVersion": "1.0",
        "EventTime": _time(event_time or order.updated_at),
        "Payload": {"OrderChangeNotification": change},
        "NotificationMetadata": {"NotificationId": notification_id} if notification_id else {},
    }
    return {"Content-Type": "application/json", TOKEN_HEADER: secret}, to_json(notice)


def write_amazon_order(order: Order, *, api: Literal["2026-01-01", "v0"] = "2026-01-01") -> tuple[bytes, ...]:
    """The order's documents: one of version 2026-01-01; of v0 the order and its items.

    Raises `InvalidInput` for what the version cannot carry, such as an order without amounts, refunds, two deliveries,
    taxes that the total contradicts, or a payment state that Amazon has no word for.
    """
    needed(order.amounts, "amounts", "marketplace (Amazon)")
    amounts = cast("OrderAmounts", order.amounts)
    if api == "2026-01-01":
        bodies: tuple[bytes, ...] = (to_json({"order": _order_2026(order, amounts)}),)
    else:
        items = [_item_v0(order, line, amounts, place) for place, line in enumerate(order.lines)]
        page = {"AmazonOrderId": order.external_id, "OrderItems": items}
        bodies = to_json({"payload": _order_v0(order, amounts)}), to_json({"payload": page})
    reader = AmazonAdapter(AmazonConfig(channel=order.channel))
    refuse_losses(order, reader.parse_order(*bodies), f"marketplace (Amazon, {api})")
    return bodies


def _word(order: Order) -> str:
    word = _WORDS.get((order.status, order.payment))
    needed(word, f"a state that is not {order.status} and {order.payment}", "marketplace (Amazon)")
    return word or ""


def _whole(line: OrderLine) -> bool:
    return line.current_quantity == line.quantity


def _discounts(order: Order) -> dict[str, Discount]:
    """Each line's discount; one that is off the shipping alone travels with the first line."""
    return {one.shares[0].line if one.shares else order.lines[0].line: one for one in order.discounts}


def _order_v0(order: Order, amounts: OrderAmounts) -> dict[str, Any]:
    delivery = order.deliveries[0]
    return {
        "AmazonOrderId": order.external_id,
        "SellerOrderId": order.display_number,
        "PurchaseDate": _time(order.placed_at),
        "LastUpdateDate": _time(order.updated_at),
        "OrderStatus": _word(order),
        "OrderType": "Preorder" if order.lines[0].preorder else "StandardOrder",
        "FulfillmentChannel": "MFN" if order.lines[0].physical else "AFN",
        "ShipServiceLevel": delivery.service,
        "LatestShipDate": _time(delivery.ship_by) if delivery.ship_by else None,
        "LatestDeliveryDate": _time(delivery.deliver_by) if delivery.deliver_by else None,
        "OrderTotal": _money(amounts.total_minor, order.currency, V0),
        "ShippingAddress": _address(delivery.address, V0) if delivery.address else None,
        "IsISPU": delivery.method is DeliveryMethod.PICKUP,
        "PaymentExecutionDetail": [
            {"PaymentMethod": one.method, "Payment": _money(one.amount_minor, order.currency, V0)}
            for one in order.payments
        ],
    }


def _item_v0(order: Order, line: OrderLine, amounts: OrderAmounts, place: int) -> dict[str, Any]:
    discount = _discounts(order).get(line.line)
    delivery, first_gift = order.deliveries[0], next((one for one in order.lines if one.gift), None)
    document: dict[str, Any] = {
        "OrderItemId": line.line,
        "SellerSKU": line.sku,
        "ASIN": line.listing,
        "Title": line.title,
        "QuantityOrdered": line.quantity,
        "QuantityShipped": 0,
        "IsGift": str(line.gift).lower(),
        "BuyerInfo": {"GiftMessageText": order.note} if line is first_gift else None,
        "StoreChainStoreId": delivery.pickup_node,
        "PromotionIds": [discount.discount] if discount and discount.discount else [],
    }
    if delivery.not_before is not None:
        document["ScheduledDeliveryStartDate"] = _time(delivery.not_before)
        document["ScheduledDeliveryEndDate"] = _time(delivery.deliver_by) if delivery.deliver_by else None
    if order.hold_reason is not None and order.hold_reason.startswith(_WISH):
        reason = order.hold_reason.removeprefix(_WISH).removeprefix(": ") or None
        document["BuyerRequestedCancel"] = {"IsBuyerRequestedCancel": "true", "BuyerCancelReason": reason}
    moneys: dict[str, int] = {}
    if line.amounts:
        moneys = {
            "ItemPrice": line.amounts.gross_minor,
            "ItemTax": line.amounts.tax_minor,
            "PromotionDiscount": line.amounts.discount_minor,
        }
    if place == 0:
        of_lines = sum(one.amounts.tax_minor for one in order.lines if one.amounts)
        moneys |= {
            "ShippingPrice": amounts.shipping_minor,
            "ShippingTax": amounts.tax_minor - of_lines,
            "ShippingDiscount": discount.shipping_minor if discount else 0,
            "CODFee": amounts.fee_minor,
        }
    return document | {key: _money(minor, order.currency, V0) for key, minor in moneys.items()}


def _order_2026(order: Order, amounts: OrderAmounts) -> dict[str, Any]:
    delivery, word = order.deliveries[0], _word(order)
    parts = {
        "ITEM": amounts.line_gross_minor,
        "SHIPPING": amounts.shipping_minor,
        "TAX": amounts.tax_minor,
        "DISCOUNT": -amounts.discount_minor,
        "OTHER": amounts.fee_minor,
        "DELIVERY_TIP": amounts.tip_minor,
    }
    alias = order.display_number if order.display_number != order.external_id else None
    return {
        "orderId": order.external_id,
        "orderAliases": [{"aliasId": alias, "aliasType": "SELLER_ORDER_ID"}] if alias else [],
        "createdTime": _time(order.placed_at),
        "lastUpdatedTime": _time(order.updated_at),
        "programs": ["PREORDER"] if order.lines[0].preorder else [],
        "recipient": {"deliveryAddress": _address(delivery.address, V2026)} if delivery.address else None,
        "proceeds": {
            "grandTotal": _money(amounts.total_minor, order.currency, V2026),
            "breakdowns": [_part(kind, minor, order.currency) for kind, minor in parts.items() if minor],
        },
        "payment": {
            "paymentExecutions": [
                {"paymentMethod": one.method, "paymentAmount": _money(one.amount_minor, order.currency, V2026)}
                for one in order.payments
            ]
        },
        "fulfillment": {
            "fulfillmentStatus": _WORDS_2026.get(word, word.upper()),
            "fulfilledBy": "MERCHANT" if order.lines[0].physical else "AMAZON",
            "fulfillmentServiceLevel": delivery.service,
            "shipByWindow": {"latestDateTime": _time(delivery.ship_by)} if delivery.ship_by else None,
            "deliverByWindow": {"latestDateTime": _time(delivery.deliver_by)} if delivery.deliver_by else None,
        },
        "orderItems": [_item_2026(order, line) for line in order.lines],
    }


def _item_2026(order: Order, line: OrderLine) -> dict[str, Any]:
    discount = _discounts(order).get(line.line)
    delivery, first_gift = order.deliveries[0], next((one for one in order.lines if one.gift), None)
    fulfilment: dict[str, Any] = {"quantityFulfilled": 0 if _whole(line) else line.current_quantity}
    if line.gift:
        fulfilment["packing"] = {"giftOption": {"giftMessage": order.note if line is first_gift else None}}
    if delivery.not_before is not None:
        until = _time(delivery.deliver_by) if delivery.deliver_by else None
        window = {"earliestDateTime": _time(delivery.not_before), "latestDateTime": until}
        fulfilment["shipping"] = {"scheduledDeliveryWindow": window}
    document: dict[str, Any] = {
        "orderItemId": line.line,
        "quantityOrdered": line.quantity,
        "product": {"asin": line.listing, "title": line.title, "sellerSku": line.sku},
        "fulfillment": fulfilment,
    }
    if not _whole(line):
        document["cancellation"] = {"cancellationExecution": {"cancelReason": order.cancel_reason}}
    elif order.hold_reason is not None and order.hold_reason.startswith(_WISH):
        reason = order.hold_reason.removeprefix(_WISH).removeprefix(": ") or None
        document["cancellation"] = {"cancellationRequest": {"requester": "BUYER", "cancelReason": reason}}
    if line.amounts:
        unit = _money(line.amounts.list_unit_price_minor, order.currency, V2026)
        document["product"]["price"] = {"unitPrice": unit}
        parts = [_part("ITEM", line.amounts.gross_minor, order.currency)]
        parts += [_part("TAX", line.amounts.tax_minor, order.currency)] if line.amounts.tax_minor else []
        if discount:
            part = _part("DISCOUNT", -discount.amount_minor, order.currency)
            shipping = _money(-discount.shipping_minor, order.currency, V2026)
            parts.append(part | {"detailedBreakdowns": [{"subtype": "SHIPPING", "value": shipping}]})
        document["proceeds"] = {"breakdowns": parts}
    if discount and discount.discount:
        document["promotion"] = {"breakdowns": [{"promotionId": discount.discount}]}
    return document


def _part(kind: str, minor: int, currency: str) -> dict[str, Any]:
    return {"type": kind, "subtotal": _money(minor, currency, V2026)}


def _address(address: Address, words: Words) -> dict[str, Any]:
    lines = words.street[1:] if len(address.street) < len(words.street) else words.street
    document: dict[str, Any] = {
        words.name: address.recipient,
        words.phone: address.phone,
        words.district[0]: address.district,
        words.city: address.city,
        words.region: address.region,
        words.postal_code: address.postal_code,
        words.country: address.country,
        **dict(zip(lines, address.street, strict=False)),
    }
    if address.point is not None:
        place = {"Latitude": address.point.latitude, "Longitude": address.point.longitude}
        document["ExtendedFields"] = {"GeoCoordinates": place}
    return document


def _money(minor: int, currency: str, words: Words) -> dict[str, str]:
    return {words.currency: currency, words.amount: format_minor(minor, currency)}


def _time(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
