"""Writes canonical orders as Xiaohongshu's order documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.cursor import microseconds
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Funder, Order, OrderAmounts, OrderLine, OrderStatus, PaymentStatus

_STATES: Final[Mapping[tuple[OrderStatus, PaymentStatus], int]] = {
    (OrderStatus.OPEN, PaymentStatus.PENDING): 1,
    (OrderStatus.OPEN, PaymentStatus.PAID): 4,
    (OrderStatus.CLOSED, PaymentStatus.PAID): 7,
    (OrderStatus.CANCELLED, PaymentStatus.VOIDED): 9,
}
_DISCOUNTS: Final[Mapping[Funder, str]] = {
    Funder.SELLER: "totalMerchantDiscount",
    Funder.PLATFORM: "totalRedDiscount",
}


def write_xiaohongshu_order(order: Order) -> bytes:
    """The order as the answer of order.getOrderDetail.

    Raises `InvalidInput` for what the dialect cannot carry, such as a line whose id is not its listing.
    """
    return to_json({"error_code": 0, "error_msg": "", "success": True, "data": xiaohongshu_order_document(order)})


def xiaohongshu_order_document(order: Order) -> dict[str, Any]:
    """The order as the platform's own, in plain data; raises `InvalidInput` as `write_xiaohongshu_order` does."""
    amounts, (delivery,) = _carriable(order), order.deliveries
    paid_at = next((one.paid_at for one in order.payments if one.paid_at), None)
    sent = order.status is OrderStatus.CLOSED
    document: dict[str, Any] = {
        "orderId": order.external_id,
        "orderType": 4 if order.lines[0].preorder else 1,
        "orderStatus": _STATES[order.status, order.payment],
        "orderAfterSalesStatus": 1,
        "cancelStatus": 0,
        "createdTime": _milliseconds(order.placed_at),
        "paidTime": _milliseconds(paid_at) if paid_at else 0,
        "updateTime": _milliseconds(order.updated_at),
        "deliveryTime": _milliseconds(order.updated_at) if sent else 0,
        "cancelTime": _milliseconds(order.cancelled_at) if order.cancelled_at else 0,
        "finishTime": 0,
        "promiseLastDeliveryTime": _milliseconds(delivery.ship_by) if delivery.ship_by else 0,
        "presaleDeliveryStartTime": _milliseconds(delivery.not_before) if delivery.not_before else 0,
        "presaleDeliveryEndTime": 0,
        "planInfoId": "1",
        "planInfoName": delivery.service or "",
        "logistics": "red_auto",
        "logisticsMode": 1,
        "customerRemark": order.note or "",
        "sellerRemark": "",
        "sellerRemarkFlag": 1,
        "userId": order.buyer or "",
        "totalPayAmount": amounts.total_minor,
        "totalShippingFree": amounts.shipping_minor,
        "totalDepositAmount": 0,
        "totalMerchantDiscount": amounts.discount_minor - amounts.platform_discount_minor,
        "totalRedDiscount": amounts.platform_discount_minor,
        "merchantActualReceiveAmount": amounts.total_minor + amounts.platform_discount_minor,
        "totalChangePriceAmount": 0,
        "outPromotionAmount": 0,
        "outTradeNo": next((one.payment for one in order.payments), None) or "",
        "paymentType": 2,
        "unpack": False,
        "simpleDeliveryOrderList": [],
        "orderTagList": [],
        "skuList": [_row(line, order) for line in order.lines if line.parent is None],
    }
    return document | (_address(delivery.address) if delivery.address else {})


def _carriable(order: Order) -> OrderAmounts:
    """The order's amounts; refuse what would be lost on the way."""
    amounts, delivery = order.amounts, order.deliveries[0]
    top = [line for line in order.lines if line.parent is None]
    lost = {
        "currency": order.currency != "CNY" or order.presentment_currency is not None,
        "amounts": amounts is None or bool(amounts.tip_minor or amounts.fee_minor) or not amounts.taxes_included,
        "imbalance": amounts is not None and amounts.imbalance_minor != 0,
        "status or payment": (order.status, order.payment) not in _STATES,
        "source_version": order.source_version != microseconds(order.updated_at),
        "display_number": order.display_number is not None,
        "refunds": bool(order.refunds),
        "deliveries": len(order.deliveries) > 1 or delivery.method is not DeliveryMethod.SHIP,
        "line ids": any(line.line != line.listing for line in top),
        "quantities": any(line.current_quantity != line.quantity for line in order.lines),
        "preorders": len({line.preorder for line in order.lines}) > 1,
        "discounts": any(one.funder not in _DISCOUNTS for one in order.discounts),
    }
    reasons = [name for name, is_lost in lost.items() if is_lost]
    if reasons or amounts is None:
        raise InvalidInput(f"a Xiaohongshu order cannot carry this order's {', '.join(reasons)}; use the native format")
    return amounts


def _row(line: OrderLine, order: Order) -> dict[str, Any]:
    if line.amounts is None:
        raise InvalidInput(f"line {line.line} has no amounts; a Xiaohongshu order states them for every line")
    off = {
        key: sum(
            share.amount_minor
            for one in order.discounts
            for share in one.shares
            if one.funder is funder and share.line == line.line
        )
        for funder, key in _DISCOUNTS.items()
    }
    parts = [part for part in order.lines if part.parent == line.line]
    return {
        "skuId": line.listing,
        "skuName": line.title or "",
        "erpcode": "" if parts else line.sku or "",
        "skuSpec": "",
        "skuImage": "https://qimg.xiaohongshu.com/1",
        "skuQuantity": line.quantity,
        "totalPaidAmount": line.amounts.net_minor,
        "totalTaxAmount": line.amounts.tax_minor,
        "totalNetWeight": 0,
        **off,
        "skuTag": 1 if line.gift else 0,
        "isChannel": False,
        "skuAfterSaleStatus": 1,
        "skuDetailList": [_detail(part, part.quantity // line.quantity) for part in parts] or [_detail(line, 1)],
    }


def _detail(line: OrderLine, quantity: int) -> dict[str, Any]:
    price_minor = line.amounts.list_unit_price_minor if line.amounts else 0
    return {
        "skuId": line.listing,
        "skuName": line.title or "",
        "erpCode": line.sku or "",
        "quantity": quantity,
        "pricePerSku": price_minor,
        "rawPricePerSku": price_minor,
        "depositAmountPerSku": 0,
    }


def _address(address: Address) -> dict[str, Any]:
    return {
        "receiverCountryName": "中国" if address.country == "CN" else "",
        "receiverProvinceName": address.region or "",
        "receiverCityName": address.city or "",
        "receiverDistrictName": address.district or "",
        "receiverName": address.recipient or "",
        "receiverPhone": address.phone or "",
        "receiverAddress": address.street[0] if address.street else "",
        "openAddressId": address.token or "",
    }


def _milliseconds(instant: datetime) -> int:
    return microseconds(instant) // 1_000
