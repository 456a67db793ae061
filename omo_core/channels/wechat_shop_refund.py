"""Reads 微信小店's after-sale documents (aftersale/getaftersaleorder) as refunds; amounts are in fen.

Source: https://developers.weixin.qq.com/doc/channels/API/aftersale/getaftersaleorder.html and public SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import free_text, minor, optional_units, state, unix_s
from omo_core.channels.port import RefundNotice
from omo_core.model.orders import Refund, RefundStatus

_STATUS: Final[Mapping[str, RefundStatus]] = {
    **dict.fromkeys(
        (
            "MERCHANT_PROCESSING",
            "USER_WAIT_CONFIRM",
            "USER_WAIT_CONFIRM_UPDATE",
            "USER_WAIT_HANDLE_MERCHANT_AFTER_SALE",
        ),
        RefundStatus.REQUESTED,
    ),
    **dict.fromkeys(
        (
            "USER_WAIT_RETURN",
            "MERCHANT_WAIT_RECEIPT",
            "MERCHANT_OVERDUE_REFUND",
            "PLATFORM_REFUNDING",
            "PLATFORM_REFUND_FAIL",
            "WAIT_PACKAGE_INTERCEPT",
            "USER_WAIT_RECEIPT",
        ),
        RefundStatus.AGREED,
    ),
    **dict.fromkeys(
        (
            "USER_CANCELD",
            "MERCHANT_REJECT_REFUND",
            "MERCHANT_REJECT_RETURN",
            "MERCHANT_REJECT_EXCHANGE",
            "MERCHANT_REJECT_RESHIP",
            "RETURN_CLOSED",
            "MERCHANT_REFUND_RETRY_FAIL",
            "MERCHANT_FAIL",
        ),
        RefundStatus.REFUSED,
    ),
    **dict.fromkeys(
        ("MERCHANT_REFUND_SUCCESS", "MERCHANT_RETURN_SUCCESS", "MERCHANT_EXCHANGE_SUCCESS"), RefundStatus.DONE
    ),
}
"""Also of after-sales that end without money: what the buyer takes back is refused like what the seller refuses."""
_RETURNS: Final[Mapping[str, bool]] = {"REFUND": False, "RETURN": True, "EXCHANGE": True}


def read_refund(document: Cursor, channel: str) -> RefundNotice:
    """The refund of an after-sale; an unknown state is noted in `document`, and the refund waits for an answer.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    goods, money = document.optional_child("product_info"), document.optional_child("refund_info")
    refund = document.build(
        Refund,
        refund=document.identifier("after_sale_order_id"),
        created_at=unix_s(document, "create_time"),
        refunded_to_buyer_minor=0 if money is None else minor(money, "amount", 0),
        quantities=() if goods is None else _quantities(goods),
        status=state(document, "status", _STATUS, RefundStatus.REQUESTED),
        reason=free_text(document, "reason_text") or free_text(document, "reason"),
    )
    return document.build(
        RefundNotice,
        channel=channel,
        external_id=document.identifier("order_id"),
        refund=refund,
        updated_at=unix_s(document, "update_time"),
        returns_goods=_RETURNS.get(str(document.fields.get("type"))),
    )


def _quantities(goods: Cursor) -> tuple[tuple[str, int], ...]:
    """The line is `product/sku`, as in the order."""
    count = optional_units(goods, "count")
    return ((f"{goods.identifier('product_id')}/{goods.identifier('sku_id')}", count),) if count else ()
