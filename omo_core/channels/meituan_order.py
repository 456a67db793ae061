"""Reads Meituan's order, pushed or fetched, into the canonical order; amounts are yuan, as texts or JSON numbers.

Source: https://open-shangou.meituan.com/home (订单推送, order/getOrderDetail). What the buyer pays is the goods, their
boxes, a bag and the delivery, less the activities in `extras`, which are not split over the lines. Lines have no ids of
their own: they are `app_food_code/sku_id`, which calls about them need. Places are in the GCJ-02 system of China's
maps, some hundred metres off WGS 84.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.channels.fields import free_text, optional_unix_s, state, units, unix_s
from omo_core.channels.meituan_form import MeituanConfig
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    Discount,
    Funder,
    LineAmounts,
    Order,
    OrderAmounts,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
)
from omo_core.model.values import GeoPoint

CURRENCY: Final = "CNY"
_STATUS: Final[Mapping[str, OrderStatus]] = {
    "1": OrderStatus.OPEN,  # the buyer has sent it off
    "2": OrderStatus.OPEN,  # pushed to the store
    "3": OrderStatus.OPEN,  # received by the store
    "4": OrderStatus.OPEN,  # taken by the store
    "8": OrderStatus.CLOSED,
    "9": OrderStatus.CANCELLED,
}
_SENT_OFF: Final = "1"
_DONE: Final = "8"
_AT_THE_DOOR: Final = "1"
_PAID: Final[Mapping[str, PaymentStatus]] = {"2": PaymentStatus.PAID}
_COLLECTED: Final = "1"
_OFF_DELIVERY: Final = "25"
_CHARGES: Final = (("poi_charge", Funder.SELLER), ("mt_charge", Funder.PLATFORM))


def read_order(document: Cursor, config: MeituanConfig, sha256: str) -> Order:
    """The canonical order; `sha256` is of the bytes it came in. Raises `UnreadableBody` or `InvalidMoney`."""
    rows = list(document.children("detail"))
    if not rows:
        document.fail("detail", "is empty", "send the whole order with its lines")
    lines = tuple(_line(row, line_id) for row, line_id in zip(rows, line_ids(rows), strict=True))
    placed_at = unix_s(document, "ctime")
    updated_at = optional_unix_s(document, "utime") or placed_at
    status = state(document, "status", _STATUS, OrderStatus.OPEN)
    discounts = tuple(_discounts(document))
    payment = _payment(document)
    amounts = _amounts(document, rows, lines, discounts)
    return build_order(
        document,
        channel=config.channel,
        external_id=document.identifier("order_id"),
        display_number=document.optional_identifier("wm_order_id_view"),
        source_version=microseconds(updated_at),
        status=status,
        payment=payment,
        placed_at=placed_at,
        updated_at=updated_at,
        cancelled_at=updated_at if status is OrderStatus.CANCELLED else None,
        currency=CURRENCY,
        lines=lines,
        deliveries=(_delivery(document, config),),
        amounts=amounts,
        discounts=discounts,
        payments=_payments(document, payment, amounts.total_minor, placed_at),
        note=free_text(document, "caution"),
        hold_reason="用户已提交订单" if str(document.fields.get("status")) == _SENT_OFF else None,
        body_sha256=sha256,
    )


def line_ids(rows: Iterable[Cursor]) -> list[str]:
    """`app_food_code/sku_id` of each line; a further line of the same, such as in another bag, has its count behind."""
    seen: Counter[str] = Counter()
    found = []
    for row in rows:
        own = line_id(row)
        seen[own] += 1
        found.append(own if seen[own] == 1 else f"{own}/{seen[own]}")
    return found


def line_id(row: Cursor) -> str:
    """`app_food_code/sku_id`; either may be missing, not both."""
    food, sku = row.optional_identifier("app_food_code"), row.optional_identifier("sku_id")
    if food is None and sku is None:
        row.fail("sku_id", "is missing, and app_food_code too", "map the item in the platform's back office")
    return f"{food or ''}/{sku or ''}"


def _line(row: Cursor, own_id: str) -> OrderLine:
    quantity, unit_minor = units(row, "quantity"), row.amount("price", CURRENCY, noise=True)
    sku = row.optional_identifier("sku_id") or row.optional_identifier("app_food_code")
    return row.build(
        OrderLine,
        line=own_id,
        sku=sku,
        quantity=quantity,
        current_quantity=quantity,
        title=free_text(row, "food_name"),
        listing=sku,
        amounts=row.build(LineAmounts, list_unit_price_minor=unit_minor, gross_minor=quantity * unit_minor),
    )


def _amounts(
    document: Cursor, rows: Sequence[Cursor], lines: Sequence[OrderLine], discounts: Sequence[Discount]
) -> OrderAmounts:
    gross = sum(line.amounts.gross_minor for line in lines if line.amounts)
    boxes = sum(_boxes(row) for row in rows)
    shipping, total = (
        document.amount("shipping_fee", CURRENCY, 0, noise=True),
        document.amount("total", CURRENCY, noise=True),
    )
    bag = document.amount("package_bag_money_yuan", CURRENCY, 0, noise=True)
    off = sum(one.amount_minor for one in discounts)
    # Older pushes name the bag and leave it out of the total.
    whole = document.amount("original_price", CURRENCY, total + off, noise=True)
    if whole != gross + boxes + shipping + bag:
        bag = 0
    return document.build(
        OrderAmounts,
        taxes_included=True,
        line_gross_minor=gross,
        discount_minor=off,
        shipping_minor=shipping,
        fee_minor=boxes + bag,
        total_minor=total,
        platform_discount_minor=sum(one.amount_minor for one in discounts if one.funder is Funder.PLATFORM),
    )


def _boxes(row: Cursor) -> int:
    """What a line's boxes cost; units that share a box have a part of one each, so they are counted in hundredths."""
    hundredths = row.amount("box_num", CURRENCY, 0, noise=True)
    return (hundredths * row.amount("box_price", CURRENCY, 0, noise=True) + 50) // 100


def _discounts(document: Cursor) -> Iterator[Discount]:
    """The activities, by who pays for them; one that only promises something, such as a gift, has the amount 0."""
    for extra in document.children("extras"):
        if not extra.has("reduce_fee"):
            continue  # The rider's fee stands among the activities.
        whole = extra.amount("reduce_fee", CURRENCY, noise=True)
        parts = [(funder, extra.amount(key, CURRENCY, 0, noise=True)) for key, funder in _CHARGES]
        parts.append((Funder.UNKNOWN, whole - sum(part for _, part in parts)))
        told = [(funder, part) for funder, part in parts if part] or [(Funder.UNKNOWN, 0)]
        for funder, part in told:
            yield extra.build(
                Discount,
                discount=extra.optional_identifier("act_detail_id"),
                title=free_text(extra, "remark"),
                funder=funder,
                amount_minor=part,
                shipping_minor=part if str(extra.fields.get("type")) == _OFF_DELIVERY else 0,
            )


def _payment(document: Cursor) -> PaymentStatus:
    if str(document.fields.get("pay_type")) != _AT_THE_DOOR:
        return state(document, "pay_type", _PAID, PaymentStatus.UNKNOWN)
    status = str(document.fields.get("status"))
    return {"8": PaymentStatus.PAID, "9": PaymentStatus.VOIDED}.get(status, PaymentStatus.PENDING)


def _payments(document: Cursor, payment: PaymentStatus, total_minor: int, placed_at: datetime) -> tuple[Payment, ...]:
    if payment is not PaymentStatus.PAID:
        return ()
    at_the_door = str(document.fields.get("pay_type")) == _AT_THE_DOOR
    return (
        document.build(
            Payment,
            method="cash on delivery" if at_the_door else "online",
            amount_minor=total_minor,
            paid_at=None if at_the_door else placed_at,
        ),
    )


def _delivery(document: Cursor, config: MeituanConfig) -> Delivery:
    """Brought by a rider, who collects it at the store as a buyer would; at once where no time is given."""
    store = document.optional_identifier("app_poi_code")
    node = None if store is None else config.stores.get(store, store)
    collected = str(document.fields.get("pick_type")) == _COLLECTED
    if collected and node is None:
        document.fail("app_poi_code", "is missing in an order that is collected", "send the store it is collected at")
    return document.build(
        Delivery,
        method=DeliveryMethod.PICKUP if collected else DeliveryMethod.ONE_HOUR,
        pickup_node=node,
        address=_address(document),
        deliver_by=optional_unix_s(document, "delivery_time") or optional_unix_s(document, "estimate_arrival_time"),
    )


def _address(document: Cursor) -> Address | None:
    """The receiver; a privacy number (13800000000_1234, or with a comma) reaches the buyer and is no mask."""
    name, phone = free_text(document, "recipient_name"), free_text(document, "recipient_phone")
    place = free_text(document, "recipient_address")
    if not any((name, phone, place)):
        return None
    return document.build(
        Address,
        recipient=name,
        phone=phone,
        street=(place,) if place else (),
        country="CN",
        masked="*" in f"{name}{phone}{place}",
        point=_point(document),
    )


def _point(document: Cursor) -> GeoPoint | None:
    if not document.has("latitude") or document.fields["latitude"] in ("", "0", "0.0", 0):
        return None
    return document.point("latitude", "longitude")
