"""Reads Meituan's pushes about refunds: of a part with its money, of a whole order without.

Source: https://open-shangou.meituan.com/home (退款推送) and the codes of res_type that public integrations quote.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import free_text, optional_units, optional_unix_s, unix_s
from omo_core.channels.meituan_order import CURRENCY, line_id
from omo_core.channels.port import RefundNotice
from omo_core.model.orders import Order, Refund, RefundStatus

_PREFIX: Final = "refund:"
_BY_RESULT: Final[Mapping[str, RefundStatus]] = {
    "0": RefundStatus.REQUESTED,
    "1": RefundStatus.REFUSED,  # by the store
    "2": RefundStatus.DONE,
    "3": RefundStatus.REFUSED,  # by the platform's service
    "4": RefundStatus.DONE,
    "5": RefundStatus.DONE,  # agreed by itself, in time
    "6": RefundStatus.DONE,  # agreed by itself
    "7": RefundStatus.REFUSED,  # the buyer took it back
    "8": RefundStatus.REFUSED,
}
_BY_NOTICE: Final[Mapping[str, RefundStatus]] = {
    "apply": RefundStatus.REQUESTED,
    "part": RefundStatus.REQUESTED,
    "agree": RefundStatus.DONE,
    "reject": RefundStatus.REFUSED,
    "cancelRefund": RefundStatus.REFUSED,
    "cancelRefundComplaint": RefundStatus.REFUSED,
}


def read_notice(document: Cursor, channel: str) -> RefundNotice | None:
    """The refund of a part; None where the push holds no money, because the whole order is refunded.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    if not document.has("money") or document.fields["money"] == "":
        return None
    asked_at = optional_unix_s(document, "ctime") or unix_s(document, "timestamp")
    refund = document.build(
        Refund,
        refund=_refund_id(document),
        created_at=asked_at,
        refunded_to_buyer_minor=document.amount("money", CURRENCY, noise=True),
        quantities=tuple((line_id(row), count) for row in document.children("food") if (count := _count(row))),
        status=_status(document),
        reason=free_text(document, "reason"),
    )
    return document.build(
        RefundNotice,
        channel=channel,
        external_id=document.identifier("order_id"),
        refund=refund,
        updated_at=optional_unix_s(document, "timestamp") or asked_at,
    )


def whole_refund_key(document: Cursor) -> str:
    """The event key of a refund of a whole order: what it says, for the order that is fetched."""
    asked_at = optional_unix_s(document, "ctime") or unix_s(document, "timestamp")
    return f"{_PREFIX}{_refund_id(document)}:{_status(document)}:{int(asked_at.timestamp())}"


def refund_of_whole(event_key: str, order: Order) -> Refund | None:
    """The refund that such a key tells of, with the order's total; None where the event is about something else."""
    if not event_key.startswith(_PREFIX) or order.amounts is None:
        return None
    refund_id, status, asked_at_s = event_key.removeprefix(_PREFIX).rsplit(":", 2)
    return Refund(
        refund=refund_id,
        created_at=datetime.fromtimestamp(int(asked_at_s), UTC),
        refunded_to_buyer_minor=order.amounts.total_minor,
        quantities=tuple((line.line, line.quantity) for line in order.lines),
        status=RefundStatus(status),
    )


def _count(row: Cursor) -> int:
    return optional_units(row, "count")


def _refund_id(document: Cursor) -> str:
    """Its own id; older pushes have none, and one refund for each order."""
    return document.optional_identifier("refund_id") or document.identifier("order_id")


def _status(document: Cursor) -> RefundStatus:
    """By the result, which says more than the kind of notice: an application may be granted by itself."""
    result, notice = (str(document.fields.get(key)) for key in ("res_type", "notify_type"))
    return _BY_RESULT.get(result) or _BY_NOTICE.get(notice) or RefundStatus.REQUESTED
