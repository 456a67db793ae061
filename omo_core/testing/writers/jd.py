"""Writes canonical orders as the answers of JD's open platform."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json

from omo_core.channels.gateway_signing import china_time
from omo_core.channels.jd import JdAdapter
from omo_core.channels.jd_order import JdConfig
from omo_core.model.errors import InvalidInput
from omo_core.model.orders import Address, Order, OrderAmounts, OrderLine, OrderStatus, PaymentStatus
from omo_core.model.values import format_minor
from omo_core.testing.writers.carried import refuse_losses

_WORDS: Final[Mapping[tuple[OrderStatus, PaymentStatus], str]] = {
    (OrderStatus.OPEN, PaymentStatus.PAID): "WAIT_SELLER_STOCK_OUT",
    (OrderStatus.OPEN, PaymentStatus.PENDING): "WAIT_SELLER_STOCK_OUT",
    (OrderStatus.CLOSED, PaymentStatus.PAID): "FINISHED_L",
    (OrderStatus.CLOSED, PaymentStatus.PENDING): "WAIT_GOODS_RECEIVE_CONFIRM",
    (OrderStatus.CANCELLED, PaymentStatus.UNKNOWN): "TRADE_CANCELED",
}
_ONLINE: Final = "4-在线支付"
_ON_DELIVERY: Final = "1-货到付款"


def write_jd_order(order: Order) -> bytes:
    """The answer of jingdong.pop.order.get that holds the order.

    Raises `InvalidInput` for what JD cannot say: another currency, ids of lines that are not their SKUs', a version
    that is not the update time, and whatever else would be read differently.
    """
    detail = {"orderInfo": jd_order_info(order), "apiResult": {"success": True, "numberCode": 10100000}}
    body = to_json({"jingdong_pop_order_get_responce": {"code": "0", "orderDetailInfo": detail}})
    refuse_losses(order, JdAdapter(JdConfig(channel=order.channel)).parse_order(body), "JD")
    return body


def jd_order_info(order: Order) -> dict[str, Any]:
    """The order as an orderInfo in plain data; raises `InvalidInput` where it has no amounts or no such state."""
    word = _WORDS.get((order.status, order.payment))
    amounts = order.amounts
    if word is None or amounts is None or any(line.amounts is None for line in order.lines):
        raise InvalidInput("a JD order cannot carry this order's state or lack of amounts; use the native format")
    delivery = order.deliveries[0]
    on_delivery = order.payment is PaymentStatus.PENDING
    return {
        "orderId": order.external_id,
        "orderType": "22" if any(line.physical for line in order.lines) else "75",
        "orderState": word,
        "payType": _ON_DELIVERY if on_delivery else _ONLINE,
        "orderStartTime": china_time(order.placed_at),
        "orderEndTime": _time(order.cancelled_at),
        "modified": china_time(order.updated_at),
        "paymentConfirmTime": _time(order.payments[0].paid_at if order.payments else None),
        "itemInfoList": [_item(line) for line in order.lines],
        "deliveryType": delivery.service,
        "consigneeInfo": _consignee(delivery.address) if delivery.address else None,
        "couponDetailList": [
            {
                "orderId": order.external_id,
                "skuId": discount.shares[0].line if discount.shares else "",
                "couponType": discount.title,
                "couponPrice": _money(discount.amount_minor),
            }
            for discount in order.discounts
        ],
        "open_id_buyer": order.buyer,
        "orderRemark": order.note,
        **_amounts(amounts),
    }


def _amounts(amounts: OrderAmounts) -> dict[str, str]:
    seller_minor = amounts.discount_minor - amounts.platform_discount_minor
    return {
        "orderTotalPrice": _money(amounts.line_gross_minor),
        "sellerDiscount": _money(seller_minor),
        "orderSellerPrice": _money(amounts.line_gross_minor - seller_minor),
        "orderPayment": _money(amounts.total_minor),
        "balanceUsed": "0.00",
        "freightPrice": _money(amounts.shipping_minor),
        "taxFee": _money(amounts.tax_minor),
        "serviceFee": _money(amounts.fee_minor),
    }


def _item(line: OrderLine) -> dict[str, Any]:
    assert line.amounts is not None, "checked by the caller"
    return {
        "skuId": line.listing,
        "outerSkuId": line.sku,
        "skuName": line.title,
        "itemTotal": str(line.quantity),
        "jdPrice": _money(line.amounts.list_unit_price_minor),
    }


def _consignee(address: Address) -> dict[str, Any]:
    street = ("", *address.street) if len(address.street) == 1 else (*address.street, "", "")
    return {
        "fullname": address.recipient,
        "mobile": address.phone,
        "province": address.region,
        "city": address.city,
        "county": address.district,
        "town": street[0],
        "fullAddress": street[1],
        "oaid": address.token,
    }


def _time(instant: datetime | None) -> str:
    return china_time(instant) if instant else "0001-01-01 00:00:00"


def _money(minor: int) -> str:
    return format_minor(minor, "CNY")
