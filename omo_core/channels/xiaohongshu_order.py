"""Reads Xiaohongshu's order (order.getOrderDetail) into the canonical order.

Source: the field descriptions of order.getOrderDetail at https://open.xiaohongshu.com/document/api. A row of skuList
holds all units of a sku, and totals for all of them: what was paid, and what seller and platform took off.
`pricePerSku` is a price for customs and no selling price. `outPromotionAmount`, what the payment channel takes off, is
between the buyer and that channel and is not read. Receivers come from another call, by the `openAddressId` that is
kept as the address's token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import DialectConfig, build_order
from omo_core.channels.fields import flag, free_text, minor, optional_units, optional_unix_ms, state, units, unix_ms
from omo_core.model.orders import (
    Address,
    Delivery,
    Discount,
    DiscountShare,
    Funder,
    LineAmounts,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
)
from omo_core.model.values import ChannelId

CURRENCY: Final = "CNY"


class XiaohongshuConfig(DialectConfig):
    """How to read one shop's documents and sign calls; `secrets` are the app's secrets."""

    channel: ChannelId = "xiaohongshu"
    app_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{0,64}$")] = ""
    bundle_counts: Literal["each", "all"] | None = None
    """Whether `quantity` inside a set counts for each set or for all sets of the line; the documentation does not say.
    None reads it as `each` and notes that as odd where more than one set was bought."""


_STATUS: Final[Mapping[str, OrderStatus]] = {
    "1": OrderStatus.OPEN,  # to be paid
    "2": OrderStatus.OPEN,  # paid, in process
    "3": OrderStatus.OPEN,  # in customs
    "4": OrderStatus.OPEN,  # to be sent
    "5": OrderStatus.OPEN,  # sent in part
    "6": OrderStatus.CLOSED,  # all sent
    "7": OrderStatus.CLOSED,
    "8": OrderStatus.CANCELLED,  # closed; see `_status` for what was sent before
    "9": OrderStatus.CANCELLED,
    "10": OrderStatus.CLOSED,  # the buyer wants to exchange what was received
}
_WAITING: Final[Mapping[str, str]] = {"1": "已下单待付款", "2": "已支付处理中", "3": "清关中"}
_TO_BE_SENT: Final = frozenset({"2", "3", "4", "5"})
_IN_PROCESS: Final = frozenset({"2", "6"})
"""After-sale states in which nothing is decided: in process, and with the platform."""
_DONE: Final = "3"
"""An after-sale that ended; of goods that had not left, the money went back."""
_YES_OR_NO: Final[Mapping[str, bool]] = {"0": False, "1": True}
_LEFT: Final = frozenset({"6", "7", "10"})
"""States of orders and packages that were sent."""
_PRESALES: Final = frozenset({"2", "3", "4"})
_METHODS: Final[Mapping[str, str]] = {
    "1": "Alipay",
    "2": "WeChat",
    "3": "Apple in-app",
    "4": "Apple Pay",
    "5": "Alipay by instalments",
    "7": "Alipay without password",
    "8": "UnionPay",
}
_DISCOUNTS: Final = (
    ("totalMerchantDiscount", Funder.SELLER),
    ("totalRedDiscount", Funder.PLATFORM),
)


def read_order(document: Cursor, config: XiaohongshuConfig, sha256: str) -> Order:
    """The canonical order; `sha256` is of the bytes it came in. Raises `UnreadableBody` or `InvalidMoney`."""
    rows = list(document.children("skuList"))
    if not rows:
        document.fail("skuList", "is missing or empty", "send the whole order with its lines")
    ids, code = _line_ids(rows), str(document.fields.get("orderStatus"))
    ways, deliveries = _deliveries(document)
    deposits = _deposits(document, rows)
    presale = str(document.fields.get("orderType")) in _PRESALES
    lines: list[OrderLine] = []
    updated_at, status = unix_ms(document, "updateTime"), _status(document)
    waiting = _waiting(document, rows) if status is OrderStatus.OPEN else []
    refunded = {row.path for row in waiting if _after_sale(row) == _DONE}
    for row, line_id, deposit in zip(rows, ids, deposits, strict=True):
        way = ways.get(row.identifier("skuId"), 0)
        some = _lines(row, line_id, config, deposit=deposit, delivery=way, presale=presale)
        gone = row.path in refunded
        lines += [line.model_copy(update={"current_quantity": 0}) for line in some] if gone else some
    cancelled_at = optional_unix_ms(document, "cancelTime") or updated_at
    paid_at = None if code == "1" else optional_unix_ms(document, "paidTime")
    return build_order(
        document,
        channel=config.channel,
        external_id=document.identifier("orderId"),
        source_version=microseconds(updated_at),
        status=status,
        payment=_payment(document, code, paid_at, len(refunded), len(rows)),
        placed_at=unix_ms(document, "createdTime"),
        updated_at=updated_at,
        cancelled_at=cancelled_at if status is OrderStatus.CANCELLED else None,
        currency=CURRENCY,
        lines=tuple(lines),
        deliveries=deliveries,
        amounts=_amounts(document, lines, rows),
        discounts=_discounts(rows, ids),
        payments=_payments(document, paid_at),
        buyer=document.optional_identifier("userId"),
        note=_note(document),
        hold_reason=_hold_reason(document, code, waiting),
        body_sha256=sha256,
    )


def _line_ids(rows: Sequence[Cursor]) -> list[str]:
    """The sku of each row; a further row of the same, such as a gift, has its count behind."""
    seen: Counter[str] = Counter()
    found = []
    for row in rows:
        own = row.identifier("skuId")
        seen[own] += 1
        found.append(own if seen[own] == 1 else f"{own}/{seen[own]}")
    return found


def _status(document: Cursor) -> OrderStatus:
    """Closed after it was sent is no cancellation: the goods are with the buyer, or on their way back."""
    status = state(document, "orderStatus", _STATUS, OrderStatus.OPEN)
    sent = optional_unix_ms(document, "deliveryTime") is not None
    return OrderStatus.CLOSED if status is OrderStatus.CANCELLED and sent else status


def _after_sale(row: Cursor) -> str:
    return str(row.fields.get("skuAfterSaleStatus"))


def _waiting(document: Cursor, rows: Sequence[Cursor]) -> list[Cursor]:
    """The rows of which nothing was sent yet, by the packages that the order was split into."""
    packages = document.children("simpleDeliveryOrderList")
    sent = [one.texts("skuIdList") for one in packages if str(one.fields.get("status")) in _LEFT]
    left = {sku for some in sent for sku in some}
    return [row for row in rows if row.identifier("skuId") not in left]


def _payment(document: Cursor, code: str, paid_at: datetime | None, refunded: int, rows: int) -> PaymentStatus:
    if code == "1":
        return PaymentStatus.PENDING
    if code in {"8", "9"}:
        if paid_at is None:
            return PaymentStatus.VOIDED
        # "Finished" may be an exchange as well, but not where the order is closed.
        done = str(document.fields.get("orderAfterSalesStatus")) == _DONE
        return PaymentStatus.REFUNDED if done else PaymentStatus.PAID
    if refunded:
        return PaymentStatus.REFUNDED if refunded == rows else PaymentStatus.PARTIALLY_REFUNDED
    return PaymentStatus.PAID if code in _STATUS else PaymentStatus.UNKNOWN


def _hold_reason(document: Cursor, code: str, waiting: Sequence[Cursor]) -> str | None:
    if code in _WAITING:
        return _WAITING[code]
    if state(document, "cancelStatus", _YES_OR_NO, False):
        return "取消处理中"
    asked = str(document.fields.get("orderAfterSalesStatus")) in _IN_PROCESS
    asked = asked or any(_after_sale(row) in _IN_PROCESS for row in waiting)
    return "售后处理中" if asked and code in _TO_BE_SENT else None


def _lines(
    row: Cursor, line_id: str, config: XiaohongshuConfig, *, deposit: int, delivery: int, presale: bool
) -> list[OrderLine]:
    """The line, and after it the parts of the set that it may be."""
    quantity = units(row, "skuQuantity")
    details = list(row.children("skuDetailList"))
    parts = [] if _is_one(row, details, quantity) else details
    own_code = row.optional_identifier("erpcode")
    line = row.build(
        OrderLine,
        line=line_id,
        sku=own_code if parts or not details else own_code or details[0].optional_identifier("erpCode"),
        quantity=quantity,
        current_quantity=quantity,
        title=free_text(row, "skuName"),
        listing=row.identifier("skuId"),
        gift=state(row, "skuTag", _YES_OR_NO, False),
        delivery=delivery,
        amounts=_line_amounts(row, quantity, deposit, details),
        bundle=bool(parts),
        preorder=presale,
    )
    if parts and quantity > 1 and config.bundle_counts is None:
        row.odd("skuDetailList", "quantity of a set's parts is read as per set; say so with bundle_counts")
    sets = 1 if config.bundle_counts == "all" else quantity
    return [line, *(_part(part, line, f"{line_id}/part-{place}", sets) for place, part in enumerate(parts, start=1))]


def _is_one(row: Cursor, details: Sequence[Cursor], quantity: int) -> bool:
    """Whether a row is one item, told again in its details; else it is a set, or a pack of several."""
    if len(details) != 1:
        return not details
    same = row.fields.get("skuId") == details[0].fields.get("skuId") or flag(row, "isChannel")
    return same or optional_units(details[0], "quantity", 1) in {1, quantity}


def _part(part: Cursor, line: OrderLine, part_id: str, sets: int) -> OrderLine:
    quantity = optional_units(part, "quantity", 1) * sets
    if quantity < 1:
        part.fail("quantity", "is 0", "send how many of the part are in the set")
    return part.build(
        OrderLine,
        line=part_id,
        sku=part.optional_identifier("erpCode"),
        quantity=quantity,
        current_quantity=quantity,
        title=free_text(part, "skuName"),
        listing=part.optional_identifier("skuId"),
        gift=line.gift,
        delivery=line.delivery,
        parent=line.line,
        preorder=line.preorder,
    )


def _line_amounts(row: Cursor, quantity: int, deposit: int, details: Sequence[Cursor]) -> LineAmounts:
    off = sum(minor(row, key, 0) for key, _ in _DISCOUNTS)
    gross = minor(row, "totalPaidAmount") + off + deposit
    unit_minor, left = divmod(gross, quantity)
    if left and len(details) == 1:
        unit_minor = minor(details[0], "pricePerSku", unit_minor)
    return row.build(
        LineAmounts,
        list_unit_price_minor=unit_minor,
        gross_minor=gross,
        discount_minor=off,
        tax_minor=minor(row, "totalTaxAmount", 0),
    )


def _deposits(document: Cursor, rows: Sequence[Cursor]) -> list[int]:
    """What of each line was paid as a deposit, where the order's total says that the lines leave it out."""
    none = [0] * len(rows)
    deposit = minor(document, "totalDepositAmount", 0)
    if not deposit:
        return none
    paid = sum(minor(row, "totalPaidAmount") for row in rows) + minor(document, "totalShippingFree", 0)
    each = [
        units(row, "skuQuantity") * sum(minor(one, "depositAmountPerSku", 0) for one in row.children("skuDetailList"))
        for row in rows
    ]
    return each if sum(each) == deposit and paid + deposit == minor(document, "totalPayAmount", paid) else none


def _amounts(document: Cursor, lines: Sequence[OrderLine], rows: Sequence[Cursor]) -> OrderAmounts | None:
    """The order's money; None where the document states no total, as some gateways leave it out."""
    if not document.has("totalPayAmount"):
        return None
    return document.build(
        OrderAmounts,
        taxes_included=True,
        line_gross_minor=sum(line.amounts.gross_minor for line in lines if line.amounts),
        discount_minor=sum(line.amounts.discount_minor for line in lines if line.amounts),
        shipping_minor=minor(document, "totalShippingFree", 0),
        tax_minor=sum(line.amounts.tax_minor for line in lines if line.amounts),
        total_minor=minor(document, "totalPayAmount"),
        platform_discount_minor=sum(minor(row, "totalRedDiscount", 0) for row in rows),
    )


def _discounts(rows: Sequence[Cursor], ids: Sequence[str]) -> tuple[Discount, ...]:
    """What the seller took off, and what the platform did, with the lines' shares."""
    found = []
    for key, funder in _DISCOUNTS:
        parts = ((line, minor(row, key, 0)) for row, line in zip(rows, ids, strict=True))
        shares = tuple(DiscountShare(line=line, amount_minor=part) for line, part in parts if part)
        if shares:
            amount = sum(share.amount_minor for share in shares)
            found.append(rows[0].build(Discount, funder=funder, amount_minor=amount, shares=shares))
    return tuple(found)


def _payments(document: Cursor, paid_at: datetime | None) -> tuple[Payment, ...]:
    if paid_at is None or not document.has("totalPayAmount"):
        return ()
    return (
        document.build(
            Payment,
            payment=document.optional_identifier("outTradeNo"),
            method=_METHODS.get(str(document.fields.get("paymentType"))),
            amount_minor=minor(document, "totalPayAmount"),
            paid_at=paid_at,
        ),
    )


def _deliveries(document: Cursor) -> tuple[dict[str, int], tuple[Delivery, ...]]:
    """One delivery, or one for each package that the platform split the order into: by sku, which one it is."""
    common = {
        "address": _address(document),
        "service": free_text(document, "planInfoName"),
        "not_before": optional_unix_ms(document, "presaleDeliveryStartTime"),
        "ship_by": optional_unix_ms(document, "presaleDeliveryEndTime")
        or optional_unix_ms(document, "promiseLastDeliveryTime"),
    }
    ways: dict[str, int] = {}
    packages = list(document.children("simpleDeliveryOrderList"))
    if len(packages) < 2:
        return ways, (document.build(Delivery, **common),)
    found = []
    for place, package in enumerate(packages):
        index = package.optional_identifier("deliveryOrderIndex") or package.optional_identifier("deliveryPackageIndex")
        found.append(package.build(Delivery, fulfilment=index, **common))
        ways |= dict.fromkeys(package.texts("skuIdList"), place)
    return ways, tuple(found)


def _address(document: Cursor) -> Address | None:
    """Where the order goes, as far as the document says: its receiver is asked for by the token."""
    token = document.optional_identifier("openAddressId")
    name, phone = free_text(document, "receiverName"), free_text(document, "receiverPhone")
    street = free_text(document, "receiverAddress")
    region = free_text(document, "receiverProvinceName")
    if not any((token, name, phone, street, region)):
        return None
    country = document.optional_text("receiverCountryName")
    return document.build(
        Address,
        recipient=name,
        phone=phone,
        street=(street,) if street else (),
        district=free_text(document, "receiverDistrictName"),
        city=free_text(document, "receiverCityName"),
        region=region,
        country="CN" if country in {None, "中国"} else None,
        masked=token is not None or "*" in f"{name}{phone}{street}",
        token=token,
    )


def _note(document: Cursor) -> str | None:
    """What the buyer wrote, and below it what the seller noted."""
    texts = [text for text in (free_text(document, "customerRemark"), free_text(document, "sellerRemark")) if text]
    return "\n".join(texts)[:2_000] or None
