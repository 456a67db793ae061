"""Reads orders of JD's open platform (sellers' own shops, POP) into the canonical order.

Sources of the fields: https://open.jd.com/home/home#/doc/api?apiCateId=55&apiId=1566 (jingdong.pop.order.search) and
apiId=4247 (jingdong.pop.order.get). Older calls write the same fields in snake case; both are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import DialectConfig, build_order
from omo_core.channels.fields import CHINA, free_text, json_inside, local, optional_local, state, units
from omo_core.channels.gateway_signing import compact_json
from omo_core.model.orders import (
    Address,
    Delivery,
    Discount,
    DiscountShare,
    Funder,
    LineAmounts,
    OddityCode,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
)
from omo_core.model.values import ChannelId

CURRENCY: Final = "CNY"

_OPEN, _CLOSED, _CANCELLED = OrderStatus.OPEN, OrderStatus.CLOSED, OrderStatus.CANCELLED
_STATES: Final[Mapping[str, tuple[OrderStatus, PaymentStatus]]] = {
    "NOT_PAY": (_OPEN, PaymentStatus.PENDING),
    "WAIT_SELLER_STOCK_OUT": (_OPEN, PaymentStatus.PAID),
    "WAIT_SELLER_DELIVERY": (_OPEN, PaymentStatus.PAID),
    "WAIT_SEND_CODE": (_OPEN, PaymentStatus.PAID),
    "LOCKED": (_OPEN, PaymentStatus.PAID),
    "PAUSE": (_OPEN, PaymentStatus.PAID),
    "POP_ORDER_PAUSE": (_OPEN, PaymentStatus.PAID),
    # Written so by the platform.
    "SEND_TO_DISTRIBUTION_CENER": (_CLOSED, PaymentStatus.PAID),
    "DISTRIBUTION_CENTER_RECEIVED": (_CLOSED, PaymentStatus.PAID),
    "RECEIPTS_CONFIRM": (_CLOSED, PaymentStatus.PAID),
    "WAIT_GOODS_RECEIVE_CONFIRM": (_CLOSED, PaymentStatus.PAID),
    "FINISHED_L": (_CLOSED, PaymentStatus.PAID),
    "TRADE_CANCELED": (_CANCELLED, PaymentStatus.UNKNOWN),
}
_HELD: Final = frozenset({"NOT_PAY", "LOCKED", "PAUSE", "POP_ORDER_PAUSE"})
"""Locked is what an order becomes when its buyer asks to cancel it."""

_BY_PLATFORM: Final = frozenset({"34", "39", "41"})
"""Kinds of coupon that are taken off after the seller's price: red packets, beans, JD's own vouchers."""
_FUNDERS: Final[Mapping[str, Funder]] = {
    **dict.fromkeys(_BY_PLATFORM, Funder.PLATFORM),
    **dict.fromkeys(("20", "28", "29", "30", "35", "100"), Funder.SELLER),
}
_GIFT_CARD: Final = "52"
"""A gift card is money, not a discount."""
_ON_DELIVERY: Final = "1"
_LOCAL_SERVICE: Final = "75"
"""An order type: redeemed at a counter, never sent."""
_NEVER: Final = ("0001-", "1970-")
_SHORTEST_CIPHER: Final = 40
_CIPHER: Final = re.compile(rf"[A-Za-z0-9+/]{{{_SHORTEST_CIPHER},}}={{0,2}}")
_HUMP: Final = re.compile(r"(?<=[a-z])([A-Z])")


class JdConfig(DialectConfig):
    """How to talk with one shop; `secrets` are the application's, with which requests are signed."""

    channel: ChannelId = "jd"
    app_key: str = ""
    gateway: Annotated[str, Field(pattern=r"^https://")] = "https://api.jd.com/routerjson"


class _Coupon(NamedTuple):
    code: str
    title: str
    line: str | None
    amount_minor: int


def read_order(order: Cursor, config: JdConfig, sha256: str) -> Order:
    """The canonical order of an orderInfo; `sha256` is of the bytes it came in.

    What the buyer pays is orderPayment, what was paid from the balance and by gift cards. Raises `UnreadableBody` or
    `InvalidMoney`.
    """
    extra = json_inside(order, "orderExt")
    word, status, payment = _state(order, extra)
    virtual = _is_virtual(order, extra)
    rows = list(order.children(key(order, "itemInfoList")))
    if not rows:
        order.fail(key(order, "itemInfoList"), "is missing or empty", "ask for it among the optional_fields")
    skus = [row.identifier(key(row, "skuId")) for row in rows]
    ids = _ids(skus)
    coupons = list(_coupons(order, ids))
    lines = tuple([_line(*one, coupons, virtual) for one in zip(rows, ids, skus, strict=True)])
    updated_at = local(order, "modified", CHINA)
    ended_at = _time(order, "orderEndTime")
    amounts = _amounts(order, lines, coupons)
    return build_order(
        order,
        channel=config.channel,
        external_id=order.identifier(key(order, "orderId")),
        source_version=microseconds(updated_at),
        status=status,
        payment=payment,
        placed_at=local(order, key(order, "orderStartTime"), CHINA),
        updated_at=updated_at,
        cancelled_at=(ended_at or updated_at) if status is _CANCELLED else None,
        currency=CURRENCY,
        lines=lines,
        deliveries=(_delivery(order),),
        amounts=amounts,
        payments=tuple(_payments(order, payment, coupons)),
        discounts=tuple(_discount(one) for one in coupons if one.code != _GIFT_CARD),
        buyer=order.optional_identifier("open_id_buyer") or order.optional_identifier("xid_buyer"),
        note=_note(order),
        hold_reason=_hold(order, word),
        body_sha256=sha256,
    )


def read_state(order: Cursor) -> tuple[str, OrderStatus, PaymentStatus]:
    """The platform's word, and what it means; of virtual goods, `orderExt` may say that the order is off."""
    return _state(order, json_inside(order, "orderExt"))


def _state(order: Cursor, extra: Cursor | None) -> tuple[str, OrderStatus, PaymentStatus]:
    name = key(order, "orderState")
    word = order.optional_text(name) or ""
    status, payment = state(order, name, _STATES, (_OPEN, PaymentStatus.UNKNOWN))
    pay_type = (order.optional_identifier(key(order, "payType")) or "").partition("-")[0]
    if pay_type == _ON_DELIVERY and payment is PaymentStatus.PAID and word != "FINISHED_L":
        payment = PaymentStatus.PENDING
    if extra is not None and extra.fields.get("isCancel") in (1, "1"):
        status, payment = _CANCELLED, PaymentStatus.UNKNOWN
    if status is _CANCELLED and (order.optional_text("waybill") or _time(order, "outBoundDate")):
        status = _CLOSED  # It was sent: refused at the door, or lost, but not called off.
    return word, status, payment


def key(order: Cursor, camel: str) -> str:
    """The name under which a field stands: as the newer calls write it, or as the older ones do."""
    return camel if camel in order.fields else _in_snake(order, camel)


def _in_snake(order: Cursor, camel: str) -> str:
    snake = _snake(camel)
    return snake if snake in order.fields else camel


@cache
def _snake(camel: str) -> str:
    return _HUMP.sub(r"_\1", camel).lower()


def _time(order: Cursor, name: str) -> datetime | None:
    """A time; the platform writes the first day of an era for never."""
    name = key(order, name)
    text = order.optional_text(name)
    return None if text is None or text.startswith(_NEVER) else optional_local(order, name, CHINA)


def _is_virtual(order: Cursor, extra: Cursor | None) -> bool:
    if order.fields.get(key(order, "orderType")) in (_LOCAL_SERVICE, int(_LOCAL_SERVICE)):
        return True
    return extra is not None and extra.has("businessOrderStatus")


def _ids(skus: list[str]) -> list[str]:
    """An id for each line: lines have none of their own, so it is the SKU's, numbered from the second on."""
    found: list[str] = []
    seen: dict[str, int] = {}
    for sku in skus:
        seen[sku] = seen.get(sku, 0) + 1
        found.append(sku if seen[sku] == 1 else f"{sku}/{seen[sku]}")
    return found


def _line(row: Cursor, line: str, sku: str, coupons: list[_Coupon], virtual: bool) -> OrderLine:
    quantity = units(row, key(row, "itemTotal"))
    unit_minor = row.amount(key(row, "jdPrice"), CURRENCY)
    off_minor = sum([one.amount_minor for one in coupons if one.line == line and one.code != _GIFT_CARD])
    return row.build(
        OrderLine,
        line=line,
        sku=row.optional_identifier(key(row, "outerSkuId")),
        quantity=quantity,
        current_quantity=quantity,
        title=free_text(row, key(row, "skuName")),
        listing=sku,
        physical=not virtual,
        amounts=row.build(
            LineAmounts, list_unit_price_minor=unit_minor, gross_minor=unit_minor * quantity, discount_minor=off_minor
        ),
    )


def _coupons(order: Cursor, ids: list[str]) -> Iterator[_Coupon]:
    """The discounts, whose kind is a number before its name, such as 41-京东券优惠; some name the SKU they are for."""
    for one in order.children(key(order, "couponDetailList")):
        title = one.optional_text(key(one, "couponType")) or ""
        sku = one.optional_identifier(key(one, "skuId"))
        if sku not in ids:
            sku = None
        code = title.partition("-")[0]
        code = code if code in _FUNDERS or code == _GIFT_CARD else ""
        yield _Coupon(code, title[:200], sku, one.amount(key(one, "couponPrice"), CURRENCY))


def _discount(coupon: _Coupon) -> Discount:
    shares = () if coupon.line is None else (DiscountShare(line=coupon.line, amount_minor=coupon.amount_minor),)
    return Discount(
        discount=coupon.code or None,
        title=coupon.title or None,
        funder=_FUNDERS.get(coupon.code, Funder.UNKNOWN),
        amount_minor=coupon.amount_minor,
        shares=shares,
    )


def _amounts(order: Cursor, lines: tuple[OrderLine, ...], coupons: list[_Coupon]) -> OrderAmounts:
    def amount(name: str, default: int | None = 0) -> int:
        return order.amount(key(order, name), CURRENCY, default)

    gross_minor = sum([line.amounts.gross_minor for line in lines if line.amounts])
    if amount("orderTotalPrice", gross_minor) != gross_minor:
        order.odd(key(order, "orderTotalPrice"), "is not what the items add up to", OddityCode.MONEY_DOES_NOT_ADD_UP)
    platform_minor = sum([one.amount_minor for one in coupons if one.code in _BY_PLATFORM])
    cards_minor = sum([one.amount_minor for one in coupons if one.code == _GIFT_CARD])
    discount_minor = amount("sellerDiscount") + platform_minor
    tax_minor, total_minor = amount("taxFee"), amount("orderPayment", None) + amount("balanceUsed") + cards_minor
    added_minor = amount("freightPrice") + amount("serviceFee") + tax_minor
    unknown_minor = sum([one.amount_minor for one in coupons if not one.code])
    if unknown_minor and gross_minor - discount_minor + added_minor - total_minor == unknown_minor:
        # A kind that is not known: it is in the seller's discount, or it is exactly what the total lacks.
        discount_minor += unknown_minor
    return order.build(
        OrderAmounts,
        taxes_included=tax_minor == 0,
        line_gross_minor=gross_minor,
        discount_minor=discount_minor,
        platform_discount_minor=platform_minor,
        shipping_minor=amount("freightPrice"),
        tax_minor=tax_minor,
        fee_minor=amount("serviceFee"),
        total_minor=total_minor,
    )


def _payments(order: Cursor, payment: PaymentStatus, coupons: list[_Coupon]) -> Iterator[Payment]:
    """What was paid, and how: from the balance, by gift cards, and the rest."""
    paid_at = _time(order, "paymentConfirmTime")
    if paid_at is None and payment is not PaymentStatus.PAID:
        return
    pay_type = order.optional_identifier(key(order, "payType"))
    parts = [(pay_type, order.amount(key(order, "orderPayment"), CURRENCY))]
    parts.append(("balanceUsed", order.amount(key(order, "balanceUsed"), CURRENCY, 0)))
    parts += [(one.title, one.amount_minor) for one in coupons if one.code == _GIFT_CARD]
    for method, amount_minor in parts:
        if amount_minor:
            yield order.build(Payment, method=method, amount_minor=amount_minor, paid_at=paid_at)


def _delivery(order: Cursor) -> Delivery:
    consignee = order.optional_child(key(order, "consigneeInfo"))
    return order.build(
        Delivery,
        address=None if consignee is None else _address(consignee),
        service=free_text(order, key(order, "deliveryType")),
        not_before=_time(order, "scDT"),
    )


def _address(consignee: Cursor) -> Address:
    """The receiver; what is encrypted goes into the token, by the platform's own field names."""
    ciphers: dict[str, str] = {}

    def text(name: str) -> str | None:
        found = consignee.optional_text(key(consignee, name))
        found = found.strip() if found else None
        if not found:
            return None
        if len(found) >= _SHORTEST_CIPHER and _CIPHER.fullmatch(found):
            ciphers[name] = found
            return None
        return found[:2_000]

    recipient, street = text("fullname"), text("fullAddress")
    phone = text("mobile") or text("telephone")
    token = consignee.optional_identifier("oaid") or (compact_json(ciphers) if ciphers else None)
    return consignee.build(
        Address,
        recipient=recipient,
        phone=phone,
        street=tuple(one for one in (text("town"), street) if one),
        district=text("county"),
        city=text("city"),
        region=text("province"),
        country="CN",
        masked=token is not None or "*" in f"{recipient}{phone}{street}",
        token=token,
    )


def _note(order: Cursor) -> str | None:
    texts = (free_text(order, key(order, "orderRemark")), free_text(order, key(order, "venderRemark")))
    return "\n".join(text for text in texts if text) or None


def _hold(order: Cursor, word: str) -> str | None:
    """Why not to send it: its state, or that it is sent from one of the platform's own warehouses."""
    stored = order.optional_text(key(order, "storeOrder"))
    reasons = [word if word in _HELD else None, f"storeOrder {stored[:100]}" if stored else None]
    return ", ".join(reason for reason in reasons if reason) or None
