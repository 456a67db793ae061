"""Reads trades of the Taobao open platform (TOP), of Taobao and Tmall alike, into the canonical order.

Source of the fields: https://open.taobao.com/api.htm?docId=54&docType=2 (taobao.trade.fullinfo.get).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.channels.fields import CHINA, flag, free_text, local, optional_local, state, units
from omo_core.channels.taobao_delivery import TaobaoConfig, read_delivery
from omo_core.model.orders import (
    Discount,
    DiscountShare,
    LineAmounts,
    OddityCode,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
)

CURRENCY: Final = "CNY"
PART: Final = "/"
"""Between a combined item's line and the number of a part of it, in ids that are ours."""

_OPEN, _CLOSED, _CANCELLED = OrderStatus.OPEN, OrderStatus.CLOSED, OrderStatus.CANCELLED
_STATES: Final[Mapping[str, tuple[OrderStatus, PaymentStatus]]] = {
    "TRADE_NO_CREATE_PAY": (_OPEN, PaymentStatus.PENDING),
    "WAIT_BUYER_PAY": (_OPEN, PaymentStatus.PENDING),
    "PAY_PENDING": (_OPEN, PaymentStatus.PENDING),
    "WAIT_PRE_AUTH_CONFIRM": (_OPEN, PaymentStatus.PENDING),
    "PAID_FORBID_CONSIGN": (_OPEN, PaymentStatus.PAID),
    "WAIT_SELLER_SEND_GOODS": (_OPEN, PaymentStatus.PAID),
    "SELLER_CONSIGNED_PART": (_OPEN, PaymentStatus.PAID),
    "WAIT_BUYER_CONFIRM_GOODS": (_CLOSED, PaymentStatus.PAID),
    "TRADE_BUYER_SIGNED": (_CLOSED, PaymentStatus.PAID),
    "TRADE_FINISHED": (_CLOSED, PaymentStatus.PAID),
    "TRADE_CLOSED": (_CANCELLED, PaymentStatus.REFUNDED),
    "TRADE_CLOSED_BY_TAOBAO": (_CANCELLED, PaymentStatus.VOIDED),
}
_UNPAID: Final = frozenset({"TRADE_NO_CREATE_PAY", "WAIT_BUYER_PAY", "PAY_PENDING", "WAIT_PRE_AUTH_CONFIRM"})
_HELD: Final = _UNPAID | {"PAID_FORBID_CONSIGN"}
_OVER: Final = frozenset({"TRADE_CLOSED", "TRADE_CLOSED_BY_TAOBAO"})
"""States of a trade or a line of which nothing is wanted any more."""

_HOLDS: Final = ("top_hold", "team_buy_hold", "share_group_hold", "ofp_hold", "is_sh_ship", "forbid_consign")
"""Fields that say that the trade must not be sent yet, by true or by a number whose meaning is not always told."""
_NO_HOLD: Final = (None, "", 0, "0", "false", "False")
_REFUNDING: Final = frozenset({"WAIT_SELLER_AGREE", "WAIT_BUYER_RETURN_GOODS", "WAIT_SELLER_CONFIRM_GOODS"})
_REFUND_STATES: Final[Mapping[str, bool]] = {
    **dict.fromkeys(_REFUNDING, True),
    **dict.fromkeys(("NO_REFUND", "SELLER_REFUSE_BUYER", "CLOSED", "SUCCESS"), False),
}
_STEPS: Final[Mapping[str, PaymentStatus]] = {
    "FRONT_NOPAID_FINAL_NOPAID": PaymentStatus.PENDING,
    "FRONT_PAID_FINAL_NOPAID": PaymentStatus.PARTIALLY_PAID,
    "FRONT_PAID_FINAL_PAID": PaymentStatus.PAID,
    "FRONT_PAID_FRONT_FORFEITED": PaymentStatus.PARTIALLY_PAID,
}
_VIRTUAL_TYPES: Final = frozenset({"auto_delivery", "ec"})
"""Types of trade whose goods are codes or top-ups."""


class _Facts(NamedTuple):
    """What the trade says of all its lines."""

    word: str
    physical: bool
    preorder: bool
    postage_in_line_minor: int
    """Of a trade with one line, what is paid for the line may hold the postage."""


class _Row(NamedTuple):
    """A line, what its seller put on top of it by hand, and whether the trade's discounts were split."""

    line: OrderLine
    surcharge_minor: int
    is_split: bool
    parts: tuple[OrderLine, ...] = ()


def read_trade(trade: Cursor, config: TaobaoConfig, sha256: str) -> Order:
    """The canonical order of a trade; `sha256` is of the bytes it came in.

    The net amount of a line is `divide_order_fee`, what the platform says is paid for it; where that is missing,
    `total_fee` less `part_mjz_discount`. Raises `UnreadableBody` or `InvalidMoney`.
    """
    word = trade.optional_text("status") or ""
    status, payment = state(trade, "status", _STATES, (_OPEN, PaymentStatus.UNKNOWN))
    rows = list(entries(trade, "orders", "order"))
    if not rows:
        trade.fail("orders", "is missing or empty", "ask for the field orders, and send the whole trade")
    if word == "TRADE_CLOSED" and any(one.optional_text("consign_time") for one in (trade, *rows)):
        # Goods of it left before: of a trade sent in part only its lines may say so.
        status = _CLOSED
    facts = _facts(trade, word, len(rows))
    read = [_row(row, facts, config) for row in rows]
    lines = [line for one in read for line in (one.line, *one.parts)]
    lines += [_service(one) for one in entries(trade, "service_orders", "service_order")]
    updated_at = local(trade, "modified", CHINA)
    closed_at = optional_local(trade, "end_time", CHINA)
    return build_order(
        trade,
        channel=config.channel,
        external_id=_either(trade, "tid_str", "tid"),
        source_version=microseconds(updated_at),
        status=status,
        payment=_payment(trade, rows, payment, word),
        placed_at=local(trade, "created", CHINA),
        updated_at=updated_at,
        cancelled_at=(closed_at or updated_at) if status is _CANCELLED else None,
        currency=CURRENCY,
        lines=tuple(lines),
        deliveries=(read_delivery(trade, config),),
        amounts=_amounts(trade, lines, read),
        payments=_payments(trade, payment),
        discounts=tuple(_discounts(trade, rows, {line.line for line in lines})),
        buyer=trade.optional_identifier("buyer_open_uid"),
        note=_note(trade),
        hold_reason=_hold(trade, rows, word),
        body_sha256=sha256,
    )


def entries(cursor: Cursor, key: str, inner: str) -> Iterator[Cursor]:
    """The objects of a list that stands as {key: {inner: [...]}}; gateways also send it bare, or one object for one."""
    value = cursor.fields.get(key)
    if isinstance(value, dict) and value:
        under = cursor.child(key)
        if inner not in value:
            yield under
        elif isinstance(value[inner], dict):
            yield under.child(inner)
        else:
            yield from under.children(inner)
    elif value != {}:
        yield from cursor.children(key)


def _either(cursor: Cursor, key: str, other: str) -> str:
    """Ids go beyond what 32-bit clients and JavaScript can hold: the text is the safe one of the two."""
    return cursor.optional_identifier(key) or cursor.identifier(other)


def _facts(trade: Cursor, word: str, rows: int) -> _Facts:
    kind = trade.optional_text("type")
    return _Facts(
        word=word,
        physical=kind not in _VIRTUAL_TYPES and trade.optional_text("shipping_type") != "virtual",
        preorder=kind == "step" or flag(trade, "new_presell") or flag(trade, "general_new_presell"),
        postage_in_line_minor=trade.amount("post_fee", CURRENCY, 0) if rows == 1 else 0,
    )


def _row(row: Cursor, facts: _Facts, config: TaobaoConfig) -> _Row:
    quantity = units(row, "num")
    word = row.optional_text("status") or facts.word
    if word not in _STATES and word != facts.word:
        state(row, "status", _STATES, (_OPEN, PaymentStatus.UNKNOWN))
    amounts, surcharge_minor = _money(row, quantity, facts)
    sku = row.optional_identifier("outer_sku_id") or row.optional_identifier("outer_iid")
    # A combined item with a code of its own is the merchant's own article, or a kit of ours.
    inside = [] if sku else list(_inside(row))
    line = row.build(
        OrderLine,
        line=_either(row, "oid_str", "oid"),
        sku=sku,
        quantity=quantity,
        # What was refunded after it left is gone from the shelf all the same.
        current_quantity=0 if word in _OVER and not row.optional_text("consign_time") else quantity,
        title=free_text(row, "title"),
        listing=_code(row, "sku_id") or _code(row, "num_iid"),
        physical=facts.physical and not flag(row, "is_service_order"),
        gift=flag(row, "is_free_gift"),
        amounts=amounts,
        bundle=bool(inside),
        preorder=facts.preorder,
    )
    is_split = row.has("divide_order_fee") or row.has("part_mjz_discount")
    return _Row(line, surcharge_minor, is_split, tuple(_parts(row, line, inside, config)))


def _inside(row: Cursor) -> Iterator[Cursor]:
    """The parts of a combined item; SDKs differ in how they write the platform's name of the list's entries."""
    held = row.fields.get("combine_item_info")
    old = isinstance(held, dict) and "combine_sub_item_do" in held
    return entries(row, "combine_item_info", "combine_sub_item_do" if old else "combine_sub_item_d_o")


def _parts(row: Cursor, line: OrderLine, inside: list[Cursor], config: TaobaoConfig) -> Iterator[OrderLine]:
    """What is inside a combined item; the money is its line's."""
    if inside and line.quantity > 1 and config.bundle_counts is None:
        row.odd("combine_item_info", "the quantity of a set's parts is read as per set; say so with bundle_counts")
    sets = 1 if config.bundle_counts == "all" else line.quantity
    for place, part in enumerate(inside, start=1):
        quantity = units(part, "quantity") * sets
        yield part.build(
            OrderLine,
            line=f"{line.line}{PART}{place}",
            sku=part.optional_identifier("outer_sku_id") or part.optional_identifier("outer_iid"),
            quantity=quantity,
            current_quantity=quantity if line.current_quantity else 0,
            title=free_text(part, "item_name"),
            listing=_code(part, "sku_id") or _code(part, "item_id"),
            physical=line.physical,
            gift=line.gift,
            parent=line.line,
            preorder=line.preorder,
        )


def _code(cursor: Cursor, key: str) -> str | None:
    """An id where 0 says that there is none."""
    found = cursor.optional_identifier(key)
    return None if found == "0" else found


def _money(row: Cursor, quantity: int, facts: _Facts) -> tuple[LineAmounts, int]:
    """A line's amounts, and what the seller put on top by hand."""
    unit_minor = row.amount("price", CURRENCY)
    discount_minor = row.amount("discount_fee", CURRENCY, 0)
    adjust_minor = row.amount("adjust_fee", CURRENCY, 0)
    total_minor = row.amount("total_fee", CURRENCY, unit_minor * quantity - discount_minor + adjust_minor)
    net_minor = total_minor - row.amount("part_mjz_discount", CURRENCY, 0)
    divided_minor = row.amount("divide_order_fee", CURRENCY, net_minor)
    if divided_minor != net_minor + facts.postage_in_line_minor:
        net_minor = divided_minor
    gross_minor = total_minor + discount_minor - adjust_minor
    surcharge_minor = max(0, adjust_minor)
    amounts = row.build(
        LineAmounts,
        list_unit_price_minor=unit_minor,
        gross_minor=gross_minor,
        discount_minor=gross_minor + surcharge_minor - net_minor,
        tax_minor=row.amount("sub_order_tax_fee", CURRENCY, 0),
    )
    return amounts, surcharge_minor


def _service(row: Cursor) -> OrderLine:
    """A service sold with the goods, such as an installation: paid for, never sent."""
    quantity = units(row, "num")
    unit_minor = row.amount("price", CURRENCY)
    gross_minor = row.amount("total_fee", CURRENCY, unit_minor * quantity)
    paid_minor = row.amount("payment", CURRENCY, gross_minor)
    return row.build(
        OrderLine,
        line=_either(row, "oid_str", "oid"),
        quantity=quantity,
        current_quantity=quantity,
        title=free_text(row, "title"),
        listing=row.optional_identifier("service_id"),
        physical=False,
        amounts=row.build(
            LineAmounts,
            list_unit_price_minor=unit_minor,
            gross_minor=gross_minor,
            discount_minor=gross_minor - paid_minor,
        ),
    )


def _amounts(trade: Cursor, lines: list[OrderLine], read: list[_Row]) -> OrderAmounts:
    """The trade's money. What is only told of the whole trade counts where it is exactly what the lines leave open:
    a discount that was not split, the fee of cash on delivery, a duty that is not in the prices."""
    known = [line.amounts for line in lines if line.amounts]
    gross_minor = sum(one.gross_minor for one in known)
    discount_minor = sum(one.discount_minor for one in known)
    fee_minor = sum(one.surcharge_minor for one in read)
    shipping_minor = trade.amount("post_fee", CURRENCY, 0)
    tax_minor = trade.amount("order_tax_fee", CURRENCY, 0)
    total_minor = trade.amount("payment", CURRENCY)
    left_minor = total_minor - (gross_minor - discount_minor + shipping_minor + fee_minor)
    taxes_included = True
    if (
        left_minor
        and left_minor == -trade.amount("discount_fee", CURRENCY, 0)
        and not any(one.is_split for one in read)
    ):
        discount_minor -= left_minor
    elif left_minor and left_minor == trade.amount("buyer_cod_fee", CURRENCY, 0):
        fee_minor += left_minor
    elif left_minor and left_minor == tax_minor:
        taxes_included = False
    return trade.build(
        OrderAmounts,
        taxes_included=taxes_included,
        line_gross_minor=gross_minor,
        discount_minor=discount_minor,
        shipping_minor=shipping_minor,
        tax_minor=tax_minor,
        fee_minor=fee_minor,
        total_minor=total_minor,
    )


def _payment(trade: Cursor, rows: list[Cursor], payment: PaymentStatus, word: str) -> PaymentStatus:
    if trade.optional_text("type") == "cod" and payment is PaymentStatus.PAID:
        # Cash on delivery is paid when the parcel is signed for.
        payment = PaymentStatus.PAID if word in ("TRADE_BUYER_SIGNED", "TRADE_FINISHED") else PaymentStatus.PENDING
    if word in _UNPAID and trade.has("step_trade_status"):
        return state(trade, "step_trade_status", _STEPS, payment)
    if payment is PaymentStatus.PAID and any(row.optional_text("refund_status") == "SUCCESS" for row in rows):
        return PaymentStatus.PARTIALLY_REFUNDED
    return payment


def _payments(trade: Cursor, payment: PaymentStatus) -> tuple[Payment, ...]:
    """What the buyer has paid so far: all of it, or the first step of a pre-order."""
    paid_at = optional_local(trade, "pay_time", CHINA)
    step_minor = trade.amount("step_paid_fee", CURRENCY, 0)
    if paid_at is None and not step_minor:
        return ()
    is_part = step_minor and payment is PaymentStatus.PENDING
    return (
        trade.build(
            Payment,
            payment=trade.optional_identifier("alipay_no"),
            amount_minor=step_minor if is_part else trade.amount("payment", CURRENCY),
            paid_at=paid_at,
        ),
    )


def _discounts(trade: Cursor, rows: list[Cursor], lines: set[str]) -> Iterator[Discount]:
    """What the platform calls promotions; `id` is the trade's, or the line's that one is for. Their funder is not told,
    and one without an amount (a price cut, free postage, a gift) moves no money.

    A gift may stand here alone, without a line: then nobody sends it unless somebody is told.
    """
    listings = {row.optional_identifier("num_iid") for row in rows}
    for one in entries(trade, "promotion_details", "promotion_detail"):
        gift = _code(one, "gift_item_id") or one.optional_text("gift_item_name")
        if gift and gift not in listings:
            many = one.optional_identifier("gift_item_num") or "some"
            sentence = f"the promotion gives {many[:20]} of {gift[:100]!r}, which is no line of the trade"
            one.odd("gift_item_id", sentence, OddityCode.NO_ITEM_CODE)
        amount_minor = one.amount("discount_fee", CURRENCY, 0)
        if not amount_minor:
            continue
        line = one.optional_identifier("id")
        shares = (DiscountShare(line=line, amount_minor=amount_minor),) if line in lines and len(lines) > 1 else ()
        yield one.build(
            Discount,
            discount=one.optional_identifier("promotion_id"),
            title=free_text(one, "promotion_name"),
            amount_minor=amount_minor,
            shares=shares,
        )


def _hold(trade: Cursor, rows: list[Cursor], word: str) -> str | None:
    """Why the platform says not to send yet: its own words."""
    reasons = [word] if word in _HELD and trade.optional_text("type") != "cod" else []
    if trade.optional_text("step_trade_status") == "FRONT_PAID_FINAL_NOPAID":
        reasons.append("FRONT_PAID_FINAL_NOPAID")
    reasons += [name for name in _HOLDS if trade.fields.get(name) not in _NO_HOLD]
    if trade.fields.get("rx_audit_status") in ("0", 0):
        reasons.append("rx_audit_status 0")
    for row in rows:
        if state(row, "refund_status", _REFUND_STATES, False):
            reasons.append(f"{row.fields['refund_status']} {_either(row, 'oid_str', 'oid')}")
    return ", ".join(reasons)[:500] or None


def _note(trade: Cursor) -> str | None:
    texts = (free_text(trade, "buyer_message"), free_text(trade, "seller_memo"))
    return "\n".join(text for text in texts if text) or None
