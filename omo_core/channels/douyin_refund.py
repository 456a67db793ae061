"""Reads 抖店's after-sale documents (afterSale.Detail) as refunds; amounts are in fen.

Source: https://op.jinritemai.com/docs/api-docs/17/1095 and the field comments of the platform's generated SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import free_text, minor, optional_units, state, unix_s
from omo_core.channels.port import RefundNotice
from omo_core.model.orders import Refund, RefundStatus

_STATUS: Final[Mapping[str, RefundStatus]] = {
    "6": RefundStatus.REQUESTED,
    "7": RefundStatus.AGREED,  # the goods come back
    "8": RefundStatus.AGREED,  # the seller is to send a part or a repaired unit
    "11": RefundStatus.AGREED,  # the buyer has sent them
    "12": RefundStatus.AGREED,  # settled; done once the money says so
    "13": RefundStatus.AGREED,
    "14": RefundStatus.AGREED,
    "27": RefundStatus.REFUSED,
    "28": RefundStatus.REFUSED,  # failed, also because the buyer took the wish back
    "29": RefundStatus.REFUSED,
    "51": RefundStatus.AGREED,  # the order was called off; done once the money says so
    "53": RefundStatus.DONE,
}
_RETURNS: Final[Mapping[str, bool]] = {
    "0": True,
    "1": False,
    "2": False,
    "3": True,
    "4": False,
    "5": False,
    "6": False,
    "7": False,
    "8": True,
}
"""After-sale types, and whether goods come back: 0 return, 1 money only, 2 before sending, 3 exchange, 4 by the system,
5 by the buyer, 6 price protection, 7 a part is sent again, 8 repair."""
_MONEY: Final[Mapping[str, bool]] = {"": False, "0": False, "1": False, "2": False, "3": True, "4": False, "5": True}
"""Refund statuses, and whether the money went back."""


def read_refund(data: Cursor, channel: str) -> RefundNotice:
    """The refund of an after-sale document; an unknown state is noted in `data`, and the refund waits for an answer.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    process, order = data.child("process_info"), data.child("order_info")
    found = process.child("after_sale_info")
    status = state(found, "after_sale_status", _STATUS, RefundStatus.REQUESTED)
    if state(found, "refund_status", _MONEY, False):
        status = RefundStatus.DONE
    asked = minor(found, "refund_total_amount", 0)
    paid_back = minor(found, "real_refund_amount", 0) if status is RefundStatus.DONE else 0
    refund = found.build(
        Refund,
        refund=found.identifier("after_sale_id"),
        created_at=unix_s(found, "apply_time"),
        refunded_to_buyer_minor=paid_back or asked,
        quantities=tuple(_quantities(found, order)),
        status=status,
        reason=free_text(found, "reason"),
    )
    return data.build(
        RefundNotice,
        channel=channel,
        external_id=order.identifier("shop_order_id"),
        refund=refund,
        updated_at=unix_s(found, "update_time"),
        returns_goods=_RETURNS.get(str(found.fields.get("after_sale_type"))),
    )


def _quantities(found: Cursor, order: Cursor) -> list[tuple[str, int]]:
    rows = list(order.children("sku_order_infos"))
    for_all = optional_units(found, "after_sale_apply_count") if len(rows) == 1 else 0
    pairs = ((row.identifier("sku_order_id"), optional_units(row, "after_sale_item_count", for_all)) for row in rows)
    return [(line, quantity) for line, quantity in pairs if quantity]
