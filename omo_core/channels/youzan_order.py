"""Reads trades of Youzan (full_order_info and what stands beside it) into the canonical order.

Source of the fields: https://doc.youzanyun.com/ (youzan.trade.get 4.0.0 and the trade messages, one document).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.channels.fields import CHINA, flag, free_text, local, optional_local, state, units
from omo_core.channels.youzan_delivery import YouzanConfig, read_delivery
from omo_core.model.orders import (
    Discount,
    DiscountShare,
    LineAmounts,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)

CURRENCY: Final = "CNY"

_OPEN, _CLOSED, _CANCELLED = OrderStatus.OPEN, OrderStatus.CLOSED, OrderStatus.CANCELLED
MOMENTARY: Final = "TRADE_PAID"
"""The state of a moment: what comes next says whether the goods may be sent."""
_STATES: Final[Mapping[str, tuple[OrderStatus, PaymentStatus]]] = {
    "WAIT_BUYER_PAY": (_OPEN, PaymentStatus.PENDING),
    MOMENTARY: (_OPEN, PaymentStatus.PAID),
    "WAIT_CONFIRM": (_OPEN, PaymentStatus.PAID),
    "WAIT_SELLER_SEND_GOODS": (_OPEN, PaymentStatus.PAID),
    "WAIT_BUYER_CONFIRM_GOODS": (_CLOSED, PaymentStatus.PAID),
    "60": (_CLOSED, PaymentStatus.PAID),
    "TRADE_SUCCESS": (_CLOSED, PaymentStatus.PAID),
    "TRADE_CLOSED": (_CANCELLED, PaymentStatus.UNKNOWN),
}
"""60 is how the platform's own example writes what it calls sent (已发货)."""
_HELD: Final = frozenset({"WAIT_BUYER_PAY", MOMENTARY, "WAIT_CONFIRM"})
_REFUNDING: Final[Mapping[str, str | None]] = {
    **dict.fromkeys(("0", "2", "12"), None),
    "1": "refund_state 1 部分退款中",
    "11": "refund_state 11 全额退款中",
}
_CLOSE_REASONS: Final[Mapping[str, str]] = {
    "1": "过期关闭",
    "2": "标记退款",
    "3": "订单取消",
    "4": "买家取消",
    "5": "卖家取消",
    "6": "部分退款",
    "10": "无法联系上买家",
    "11": "买家误拍或重拍了",
    "12": "买家无诚意完成交易",
    "17": "已经缺货无法交易",
}
_REFUND_STATES: Final[Mapping[str, RefundStatus]] = {
    "1": RefundStatus.REQUESTED,
    "10": RefundStatus.REFUSED,
    "20": RefundStatus.AGREED,
    "30": RefundStatus.AGREED,
    "40": RefundStatus.REFUSED,
    "50": RefundStatus.REFUSED,
    "60": RefundStatus.DONE,
}
_INTANGIBLE: Final = frozenset({"20", "21", "23", "31", "35", "40", "182", "183", "201", "202", "206"})
"""Types of item that are cards, courses, rooms, services, codes and payments: never sent."""
_NO_DELIVERY: Final = "9"
_ON_DELIVERY: Final = "9"
_GIFT_ORDER: Final = "1"
TILL: Final = "61"


def sections(document: Cursor) -> tuple[Cursor, Cursor, Cursor]:
    """The trade's own object, its order_info and its pay_info."""
    info = document.child("full_order_info")
    return info, info.child("order_info"), info.child("pay_info")


def read_order(document: Cursor, config: YouzanConfig, sha256: str) -> Order:
    """The canonical order of a trade; `sha256` is of the bytes it came in. Raises `UnreadableBody` or `InvalidMoney`."""
    info, detail, pay = sections(document)
    rows = list(info.children("orders"))
    if not rows:
        info.fail("orders", "is missing or empty", "send the whole trade")
    left, has_left = _left(document)
    status, payment = _state(detail, has_left)
    ids = _ids(rows)
    updated_at = local(detail, "update_time", CHINA)
    refunds = tuple(_refund(one, updated_at) for one in document.children("refund_order"))
    all_gone = _word(detail, "refund_state") == "12" or _word(detail, "status") == "TRADE_CLOSED"
    # What was refunded after it left is gone from the shelf all the same.
    sent = set(ids) if _is_all_sent(detail) and not left else left
    gone = _gone(document, rows, ids, refunds, all_gone) - sent
    virtual = _word(detail, "express_type") == _NO_DELIVERY
    tags = detail.optional_child("order_tags")
    deposit = tags is not None and flag(tags, "is_down_payment_pre")
    lines = tuple(_line(row, line, line in gone, virtual, deposit) for row, line in zip(rows, ids, strict=True))
    delivery, lost = read_delivery(info, detail, config)
    payments = tuple(_payments(detail, pay))
    if payment is PaymentStatus.PENDING and payments:
        payment = PaymentStatus.PARTIALLY_PAID
    if is_over_the_counter(info, detail) and status is _OPEN and payment is PaymentStatus.PAID:
        status = _CLOSED
    return build_order(
        document,
        channel=config.channel,
        external_id=detail.identifier("tid"),
        source_version=microseconds(updated_at),
        status=status,
        payment=payment,
        placed_at=local(detail, "created", CHINA),
        updated_at=updated_at,
        cancelled_at=updated_at if status is _CANCELLED else None,
        cancel_reason=_CLOSE_REASONS.get(_word(detail, "close_type")) if status is _CANCELLED else None,
        currency=CURRENCY,
        lines=lines,
        deliveries=(delivery,),
        amounts=_amounts(document, pay, lines),
        payments=payments,
        discounts=tuple(_discounts(document, set(ids))),
        refunds=refunds,
        buyer=_buyer(info),
        note=_note(info),
        hold_reason=_hold(detail, lost),
        body_sha256=sha256,
    )


def is_over_the_counter(info: Cursor, detail: Cursor) -> bool:
    """Whether the goods left a shop when they were paid: a till's order, or one made offline, that nobody is sent."""
    source = info.optional_child("source_info")
    tags = detail.optional_child("order_tags")
    offline = _word(detail, "type") == TILL
    offline = offline or (source is not None and flag(source, "is_offline_order"))
    offline = offline or (tags is not None and flag(tags, "is_offline_order"))
    address = info.optional_child("address_info")
    return offline and (address is None or not address.optional_text("delivery_address"))


def is_paid(detail: Cursor) -> bool:
    """Whether the platform says that the buyer has paid."""
    return _state(detail)[1] in (PaymentStatus.PAID, PaymentStatus.PARTIALLY_REFUNDED)


def optional_time(cursor: Cursor, key: str) -> datetime | None:
    """A time of China; the platform writes the first second of 1970 for never."""
    text = cursor.optional_text(key)
    return None if text is None or text.startswith("1970-") else optional_local(cursor, key, CHINA)


def _word(cursor: Cursor, key: str) -> str:
    """A code, written as a number or as a text; empty where it is missing."""
    value = cursor.fields.get(key)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _left(document: Cursor) -> tuple[set[str], bool]:
    """The lines in parcels that were sent, and whether there are such parcels: of older ones their lines are not told."""
    parcels = [one for one in document.children("delivery_order") if _word(one, "express_state") == "1"]
    lines = {line.identifier("oid") for one in parcels for line in one.children("oids")}
    return lines, bool(parcels)


def _is_all_sent(detail: Cursor) -> bool:
    return optional_time(detail, "consign_time") is not None


def _state(detail: Cursor, has_left: bool = False) -> tuple[OrderStatus, PaymentStatus]:
    """What the state means: a trade that is closed after some of it was sent is over, not cancelled."""
    status, payment = state(detail, "status", _STATES, (_OPEN, PaymentStatus.UNKNOWN))
    refunded = _word(detail, "refund_state")
    if status is _CANCELLED:
        if has_left or _is_all_sent(detail):
            status = _CLOSED
        if optional_time(detail, "pay_time") is None:
            return status, PaymentStatus.VOIDED
        if refunded == "12" or _word(detail, "close_type") == "2":
            return status, PaymentStatus.REFUNDED
    if payment is PaymentStatus.PAID and _word(detail, "pay_type") == _ON_DELIVERY:
        payment = PaymentStatus.PAID if detail.fields.get("status") == "TRADE_SUCCESS" else PaymentStatus.PENDING
    if refunded == "12":
        return status, PaymentStatus.REFUNDED
    return status, PaymentStatus.PARTIALLY_REFUNDED if refunded == "2" else payment


def _ids(rows: list[Cursor]) -> list[str]:
    """The lines' ids; where a document has none, product and SKU together, numbered from the second on."""
    found: list[str] = []
    seen: dict[str, int] = {}
    for row in rows:
        line = row.optional_identifier("oid")
        if line is None:
            product = row.optional_identifier("goods_id") or row.identifier("item_id")
            line = f"{product}-{row.optional_identifier('sku_id') or '0'}"
            seen[line] = seen.get(line, 0) + 1
            line = line if seen[line] == 1 else f"{line}/{seen[line]}"
        found.append(line)
    return found


def _line(row: Cursor, line: str, gone: bool, virtual: bool, deposit: bool) -> OrderLine:
    quantity = units(row, "num")
    unit_minor = row.amount("price", CURRENCY)
    gross_minor = unit_minor * quantity
    sku_id = row.optional_identifier("sku_id")
    return row.build(
        OrderLine,
        line=line,
        sku=row.optional_identifier("outer_sku_id") or row.optional_identifier("outer_item_id"),
        quantity=quantity,
        current_quantity=0 if gone else quantity,
        title=free_text(row, "title"),
        listing=sku_id if sku_id not in (None, "0") else row.optional_identifier("item_id"),
        physical=not virtual and _word(row, "item_type") not in _INTANGIBLE,
        gift=flag(row, "is_present"),
        amounts=row.build(
            LineAmounts,
            list_unit_price_minor=unit_minor,
            gross_minor=gross_minor,
            discount_minor=gross_minor - row.amount("payment", CURRENCY),
            tax_minor=row.amount("tax_total", CURRENCY, 0),
        ),
        preorder=flag(row, "is_pre_sale") or deposit,
    )


def _gone(
    document: Cursor, rows: list[Cursor], ids: list[str], refunds: tuple[Refund, ...], all_gone: bool
) -> set[str]:
    """The lines of which nothing is wanted any more: those for which all that was paid went back."""
    gone: set[str] = set(ids) if all_gone else set()
    if all_gone or not refunds:
        return gone
    for one, refund in zip(document.children("refund_order"), refunds, strict=True):
        named = {each.optional_identifier("oid") for each in one.children("oids")}
        paid = [row.amount("payment", CURRENCY) for row, line in zip(rows, ids, strict=True) if line in named]
        if paid and refund.status is RefundStatus.DONE and refund.refunded_to_buyer_minor >= sum(paid):
            gone |= {line for line in ids if line in named}
    return gone


def _amounts(document: Cursor, pay: Cursor, lines: tuple[OrderLine, ...]) -> OrderAmounts:
    """The trade's money. A price that was changed by hand, and duties, count where the lines leave just them open."""
    known = [line.amounts for line in lines if line.amounts]
    gross_minor = sum(one.gross_minor for one in known)
    discount_minor = sum(one.discount_minor for one in known)
    tax_minor = sum(one.tax_minor for one in known)
    shipping_minor = pay.amount("post_fee", CURRENCY, 0)
    total_minor = pay.amount("payment", CURRENCY)
    left_minor = total_minor - (gross_minor - discount_minor + shipping_minor)
    promotion = document.optional_child("order_promotion")
    adjusted_minor = 0 if promotion is None else promotion.amount("adjust_fee", CURRENCY, 0)
    is_adjusted = left_minor != 0 and abs(left_minor) == abs(adjusted_minor)
    return pay.build(
        OrderAmounts,
        taxes_included=left_minor == 0 or left_minor != tax_minor,
        line_gross_minor=gross_minor,
        discount_minor=discount_minor - (min(0, left_minor) if is_adjusted else 0),
        shipping_minor=shipping_minor,
        tax_minor=tax_minor,
        fee_minor=max(0, left_minor) if is_adjusted else 0,
        total_minor=total_minor,
    )


def _payments(detail: Cursor, pay: Cursor) -> Iterator[Payment]:
    """What was paid: in phases, where the trade has such, each with its own number once it is paid."""
    phases = [
        one
        for one in pay.children("phase_payments")
        if one.has("inner_transaction_no") and one.fields["inner_transaction_no"] != ""
    ]
    for one in phases:
        yield one.build(
            Payment,
            payment=one.identifier("inner_transaction_no"),
            method=free_text(one, "pay_type_str"),
            amount_minor=one.amount("real_price", CURRENCY),
        )
    paid_at = optional_time(detail, "pay_time")
    if not phases and paid_at is not None:
        yield pay.build(
            Payment,
            payment=_transaction(pay),
            method=free_text(detail, "pay_type_str"),
            amount_minor=pay.amount("payment", CURRENCY),
            paid_at=paid_at,
        )


def _transaction(pay: Cursor) -> str | None:
    """The first of the platform's numbers of the payment, as a text or a number."""
    numbers = pay.fields.get("transaction")
    first = numbers[0] if isinstance(numbers, list) and numbers else None
    return Cursor({"transaction": first}, parent=pay, key="transaction").optional_identifier("transaction")


def _discounts(document: Cursor, lines: set[str]) -> Iterator[Discount]:
    """What the platform calls promotions, of items and of the whole order; who pays for them is not told."""
    promotion = document.optional_child("order_promotion")
    if promotion is None:
        return
    for one in promotion.children("item"):
        line = one.optional_identifier("oid")
        for each in one.children("promotions"):
            yield _discount(each, line if line in lines else None)
    for each in promotion.children("order"):
        yield _discount(each, None)


def _discount(one: Cursor, line: str | None) -> Discount:
    key = "discount_fee" if one.has("discount_fee") else "decrease"
    amount_minor = one.amount(key, CURRENCY, 0)
    named = (one.optional_identifier(name) for name in ("coupon_id", "promotion_id", "promotion_type_id"))
    return one.build(
        Discount,
        discount=next((name for name in named if name), None),
        title=free_text(one, "promotion_title") or free_text(one, "promotion_type_name"),
        amount_minor=amount_minor,
        shares=(DiscountShare(line=line, amount_minor=amount_minor),) if line else (),
    )


def _refund(one: Cursor, updated_at: datetime) -> Refund:
    """A refund beside a trade: it has no time of its own there, so the trade's is the latest it can be of."""
    return one.build(
        Refund,
        refund=one.identifier("refund_id"),
        created_at=updated_at,
        refunded_to_buyer_minor=one.amount("refund_fee", CURRENCY),
        status=state(one, "refund_state", _REFUND_STATES, RefundStatus.REQUESTED),
    )


def _buyer(info: Cursor) -> str | None:
    buyer = info.optional_child("buyer_info")
    if buyer is None:
        return None
    found = buyer.optional_identifier("yz_open_id") or buyer.optional_identifier("buyer_id")
    return found if found != "0" else None


def _note(info: Cursor) -> str | None:
    remark = info.optional_child("remark_info")
    if remark is None:
        return None
    texts = (free_text(remark, "buyer_message"), free_text(remark, "trade_memo"))
    return "\n".join(text for text in texts if text) or None


def _hold(detail: Cursor, lost: str | None) -> str | None:
    """Why not to send it yet: its state, a refund under way, or that it is sent by other trades."""
    word = _word(detail, "status")
    reasons = [word if word in _HELD else None, state(detail, "refund_state", _REFUNDING, None), lost]
    if _word(detail, "type") == _GIFT_ORDER:
        reasons.append("type 1 送礼订单")
    return ", ".join(reason for reason in reasons if reason) or None
