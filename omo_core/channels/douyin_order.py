"""Reads 抖店's shop order (order.orderDetail, order.searchList) into the canonical order; amounts are in fen.

Sources: https://op.jinritemai.com/docs/api-docs/15/1342 and the field comments of the platform's generated SDKs.
`promotion_pay_amount`, what the payment channel takes off, is between the buyer and that channel and is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import DialectConfig, build_order
from omo_core.channels.douyin_address import read_address
from omo_core.channels.douyin_money import read_amounts, read_discounts
from omo_core.channels.fields import flag, free_text, minor, optional_units, optional_unix_s, state, units, unix_s
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Delivery, LineAmounts, Order, OrderLine, OrderStatus, Payment, PaymentStatus
from omo_core.model.values import ChannelId, NodeId

CURRENCY: Final = "CNY"
PART: Final = "/"
"""Between a set's line and the number of a part of it, in ids that are ours."""


class DouyinConfig(DialectConfig):
    """How to read one shop's messages and sign calls; `secrets` are the app's secrets."""

    channel: ChannelId = "douyin"
    app_key: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{0,64}$")] = ""
    """Of the app; it is part of what is signed."""
    stores: Mapping[str, NodeId] = {}
    """Platform store id to our node, for orders that are collected; a store not listed is its own node id."""
    bundle_counts: Literal["each", "all"] | None = None
    """Whether `item_num` inside a set counts for each set or for all sets of the line; the documentation does not say.
    None reads it as `each` and notes that as odd where more than one set was bought."""


_STATUS: Final[Mapping[str, OrderStatus]] = {
    "1": OrderStatus.OPEN,  # to be paid, or to be confirmed where it is paid at the door
    "103": OrderStatus.OPEN,  # the deposit is paid
    "105": OrderStatus.OPEN,  # paid and not released yet: group buying, risk check
    "2": OrderStatus.OPEN,  # to be sent
    "101": OrderStatus.OPEN,  # sent in part
    "3": OrderStatus.CLOSED,  # all sent
    "4": OrderStatus.CANCELLED,  # closed; see `_status` for what was sent before
    "5": OrderStatus.CLOSED,  # received
}
_MAIN_STATUS: Final = {**dict.fromkeys(_STATUS, False), "21": False, "22": True, "39": True}
"""Main statuses, and whether they say that goods left before the order was refunded."""
_WAITING: Final[Mapping[str, str]] = {"1": "待支付", "103": "部分支付", "105": "已支付，未流转到备货中"}
_PAY_METHOD: Final[Mapping[str, str]] = {
    "0": "cash on delivery",
    "1": "WeChat",
    "2": "Alipay",
    "3": "mini program",
    "4": "bank card",
    "5": "balance",
    "7": "nothing to pay",
    "8": "credit",
    "9": "new card",
    "12": "use first, pay later",
}
_CASH: Final = "0"
_REFUND_DONE: Final = "3"
_WANTED_BACK: Final = frozenset({"6", "7", "11", "12", "13", "14", "51"})
"""After-sales that were asked for or agreed to; where the money went back, the line is closed."""
_BEFORE_SENDING: Final[Mapping[str, str]] = {"2": "未发货仅退款", "4": "系统取消", "5": "用户取消"}
"""Kinds of after-sale of goods that have not left."""
_REFUNDED: Final = frozenset({"21", "22", "39"})
"""Main statuses of what was refunded before it was sent, after, and after it was received."""
_NEVER_SENT: Final = frozenset({"2", "4", "5", "6"})
"""Order types: virtual goods, vouchers, what others redeem, services."""
_DEPOSIT_TRADE: Final = "2"
_HOUR_TRADE: Final = "18"
_COLLECTED: Final = "2"


class _Way(NamedTuple):
    """How a line reaches the buyer; lines that share it are one delivery."""

    method: DeliveryMethod
    pickup_node: str | None
    ship_by: datetime | None
    not_before: datetime | None
    deliver_by: datetime | None


def read_order(document: Cursor, config: DouyinConfig, sha256: str) -> Order:
    """The canonical order of a shop order; `sha256` is of the bytes it came in.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    rows = list(document.children("sku_order_list"))
    if not rows:
        document.fail("sku_order_list", "is missing or empty", "send the whole order with its lines")
    ways: dict[_Way, int] = {}
    lines: list[OrderLine] = []
    status = _status(document)
    for row in rows:
        way = ways.setdefault(_way(document, row, config), len(ways))
        lines += _lines(row, config, way, status is OrderStatus.CLOSED)
    updated_at = unix_s(document, "update_time")
    return build_order(
        document,
        channel=config.channel,
        external_id=document.identifier("order_id"),
        source_version=microseconds(updated_at),
        status=status,
        payment=_payment(document, rows),
        placed_at=unix_s(document, "create_time"),
        updated_at=updated_at,
        cancelled_at=updated_at if status is OrderStatus.CANCELLED else None,
        cancel_reason=free_text(document, "cancel_reason"),
        currency=CURRENCY,
        lines=tuple(lines),
        deliveries=_deliveries(document, rows[0], ways),
        amounts=read_amounts(document, [line.amounts for line in lines if line.amounts]),
        discounts=read_discounts(document, rows),
        payments=_payments(document),
        buyer=_buyer(document),
        note=_note(document),
        hold_reason=_hold_reason(document, rows),
        body_sha256=sha256,
    )


def word(cursor: Cursor | None, key: str) -> str:
    """A code as text, whether it is written as a number or as a text; empty where it is missing."""
    value = None if cursor is None else cursor.fields.get(key)
    return value if type(value) is str else str(value) if type(value) is int else ""


def _status(document: Cursor) -> OrderStatus:
    """Closed is not cancelled where goods left before: they are with the buyer, or on their way back."""
    status = state(document, "order_status", _STATUS, OrderStatus.OPEN)
    was_sent = state(document, "main_status", _MAIN_STATUS, False)
    if status is OrderStatus.CANCELLED and (was_sent or optional_unix_s(document, "ship_time") is not None):
        return OrderStatus.CLOSED
    return status


def _payment(document: Cursor, rows: list[Cursor]) -> PaymentStatus:
    code, main = word(document, "order_status"), word(document, "main_status")
    if main in _REFUNDED:
        return PaymentStatus.REFUNDED
    refunded = sum(word(row.optional_child("after_sale_info"), "refund_status") == _REFUND_DONE for row in rows)
    if refunded:
        return PaymentStatus.REFUNDED if code == "4" and refunded == len(rows) else PaymentStatus.PARTIALLY_REFUNDED
    if main == "103":
        return PaymentStatus.PARTIALLY_PAID
    paid = optional_unix_s(document, "pay_time") is not None
    if code == "4":
        return PaymentStatus.PAID if paid else PaymentStatus.VOIDED
    if word(document, "pay_type") == _CASH and document.has("pay_type"):
        return PaymentStatus.PAID if code == "5" else PaymentStatus.PENDING
    if code == "1":
        return PaymentStatus.PENDING
    return PaymentStatus.PAID if paid or code in _STATUS else PaymentStatus.UNKNOWN


def _hold_reason(document: Cursor, rows: list[Cursor]) -> str | None:
    # An order that is paid at the door begins as 1 as well: waiting for its payment, it would never be sent.
    at_the_door = document.has("pay_type") and word(document, "pay_type") == _CASH
    for code in (word(document, "main_status"), word(document, "order_status")):
        if code in _WAITING and not (at_the_door and code == "1"):
            return _WAITING[code]
    for row in rows:
        after_sale = row.optional_child("after_sale_info")
        kind = _BEFORE_SENDING.get(word(after_sale, "after_sale_type"))
        is_open = word(after_sale, "refund_status") != _REFUND_DONE and not _is_closed(row)
        if kind and is_open and word(after_sale, "after_sale_status") in _WANTED_BACK:
            return f"{kind}: {row.identifier('order_id')}"
    return None


def _is_closed(row: Cursor) -> bool:
    return word(row, "order_status") == "4" or word(row, "main_status") in _REFUNDED


def _has_left(row: Cursor, sent: bool) -> bool:
    """Whether a line's goods left, before it was closed perhaps; `sent` says so of the order."""
    main = word(row, "main_status")
    return main != "21" and (sent or main in _REFUNDED or optional_unix_s(row, "ship_time") is not None)


def _way(document: Cursor, row: Cursor, config: DouyinConfig) -> _Way:
    """How a line reaches the buyer."""
    method, node = DeliveryMethod.SHIP, None
    if word(row, "receive_type") == _COLLECTED:
        store = row.optional_child("store_info")
        if store is None:
            row.fail("store_info", "is missing in a line that is collected", "send the store it is collected at")
        store_id = store.identifier("store_id")
        method, node = DeliveryMethod.PICKUP, config.stores.get(store_id, store_id)
    elif word(row, "trade_type") == _HOUR_TRADE:
        method = DeliveryMethod.ONE_HOUR
    not_before = _time(row, document, "appointment_ship_time") or optional_unix_s(document, "earliest_receipt_time")
    ship_by = _time(row, document, "exp_ship_time")
    return _Way(method, node, ship_by, not_before, optional_unix_s(document, "latest_receipt_time"))


def _time(row: Cursor, document: Cursor, key: str) -> datetime | None:
    return optional_unix_s(row, key) or optional_unix_s(document, key)


def _deliveries(document: Cursor, first: Cursor, ways: Iterable[_Way]) -> tuple[Delivery, ...]:
    # The address stands at the order and again at each line, always the same.
    address = read_address(document, document) or read_address(first, document)
    return tuple(document.build(Delivery, address=address, **way._asdict()) for way in ways)


def _lines(row: Cursor, config: DouyinConfig, delivery: int, sent: bool) -> list[OrderLine]:
    """The line, and after it the parts of the set that it may be; what was refunded after it left is gone all the same."""
    line_id, quantity = row.identifier("order_id"), units(row, "item_num")
    unit_minor = minor(row, "origin_amount")
    closed = _is_closed(row) and not _has_left(row, sent)
    parts = list(row.children("bundle_sku_info"))
    line = row.build(
        OrderLine,
        line=line_id,
        sku=row.optional_identifier("code") or _code(row, "out_sku_id"),
        quantity=quantity,
        current_quantity=0 if closed else quantity,
        title=free_text(row, "product_name"),
        listing=_code(row, "sku_id"),
        physical=word(row, "goods_type") != "1" and word(row, "order_type") not in _NEVER_SENT,
        gift=word(row, "given_product_type") == "FREE",
        delivery=delivery,
        amounts=row.build(
            LineAmounts,
            list_unit_price_minor=unit_minor,
            gross_minor=minor(row, "sum_amount", quantity * unit_minor),
            discount_minor=minor(row, "promotion_amount", 0),
            tax_minor=minor(row, "tax_amount", 0),
        ),
        bundle=bool(parts),
        preorder=word(row, "pre_sale_type") == "1" or word(row, "trade_type") == _DEPOSIT_TRADE,
    )
    if parts and quantity > 1 and config.bundle_counts is None:
        row.odd("bundle_sku_info", "item_num of a set's parts is read as per set; say so with bundle_counts")
    sets = 1 if config.bundle_counts == "all" else quantity
    return [line, *(_part(part, line, f"{line_id}{PART}{place}", sets) for place, part in enumerate(parts, start=1))]


def _code(cursor: Cursor, key: str) -> str | None:
    """An id where 0 says that there is none."""
    found = cursor.optional_identifier(key)
    return None if found == "0" else found


def _part(part: Cursor, line: OrderLine, part_id: str, sets: int) -> OrderLine:
    quantity = optional_units(part, "item_num", 1) * sets
    if quantity < 1:
        part.fail("item_num", "is 0", "send how many of the part are in the set")
    return part.build(
        OrderLine,
        line=part_id,
        sku=part.optional_identifier("code"),
        quantity=quantity,
        current_quantity=quantity if line.current_quantity else 0,
        title=free_text(part, "product_name"),
        listing=_code(part, "sku_id"),
        physical=line.physical,
        gift=line.gift,
        delivery=line.delivery,
        parent=line.line,
        preorder=line.preorder,
    )


def _payments(document: Cursor) -> tuple[Payment, ...]:
    """What was paid: by phases where a deposit came first, else at once."""
    phases = [
        phase.build(
            Payment,
            payment=phase.optional_identifier("phase_order_id"),
            method=_PAY_METHOD.get(word(phase, "phase_pay_type")),
            amount_minor=minor(phase, "phase_pay_amount", 0),
            paid_at=optional_unix_s(phase, "phase_pay_time"),
        )
        for phase in document.children("order_phase_list")
        if flag(phase, "pay_success")
    ]
    paid_at = optional_unix_s(document, "pay_time")
    if phases or paid_at is None:
        return tuple(phases)
    return (
        document.build(
            Payment,
            payment=document.optional_identifier("channel_payment_no"),
            method=_PAY_METHOD.get(word(document, "pay_type")),
            amount_minor=minor(document, "pay_amount"),
            paid_at=paid_at,
        ),
    )


def _buyer(document: Cursor) -> str | None:
    buyer = document.optional_identifier("doudian_open_id")
    if buyer is not None and len(buyer) > 128:
        document.odd("doudian_open_id", "is longer than an id that is kept, and left out")
        return None
    return buyer


def _note(document: Cursor) -> str | None:
    """What the buyer wrote, and below it what the seller noted."""
    texts = [text for text in (free_text(document, "buyer_words"), free_text(document, "seller_words")) if text]
    return "\n".join(texts)[:2_000] or None
