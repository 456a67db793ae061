"""Reads Shopee's order detail, with the seller's side of its money where that is given, and its returns.

Source of the fields: https://open.shopee.com/documents/v2/v2.order.get_order_detail, v2.payment.get_escrow_detail and
v2.returns.get_return_detail there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.channels.fields import flag, free_text, optional_units, optional_unix_s, state, units, unix_s
from omo_core.channels.shopee_config import ShopeeConfig
from omo_core.channels.shopee_money import (
    amounts_of,
    discounts_of,
    income_of,
    line_discount,
    money,
    pair,
    refund_of,
    total_of,
)
from omo_core.model.errors import UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
    LineAmounts,
    Order,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
)
from omo_core.model.values import GeoPoint

Status = tuple[OrderStatus, bool, str | None]
"""What a state means: of the order, whether it is paid by then, and why its goods must not leave yet."""

WISH: Final = "the buyer asks to cancel"
STATUS: Final[Mapping[str, Status]] = {
    "UNPAID": (OrderStatus.OPEN, False, "the order is not paid"),
    "PENDING": (OrderStatus.OPEN, True, "Shopee is checking the order"),
    "INVOICE_PENDING": (OrderStatus.OPEN, True, "Shopee waits for the order's invoice"),
    "READY_TO_SHIP": (OrderStatus.OPEN, True, None),
    "RETRY_SHIP": (OrderStatus.OPEN, True, None),
    "PROCESSED": (OrderStatus.OPEN, True, None),
    "IN_CANCEL": (OrderStatus.OPEN, True, WISH),
    "SHIPPED": (OrderStatus.CLOSED, True, None),
    "TO_CONFIRM_RECEIVE": (OrderStatus.CLOSED, True, None),
    "TO_RETURN": (OrderStatus.CLOSED, True, None),
    "COMPLETED": (OrderStatus.CLOSED, True, None),
    "CANCELLED": (OrderStatus.CANCELLED, False, None),
}
_LEFT: Final = frozenset(
    {"LOGISTICS_PICKUP_DONE", "LOGISTICS_DELIVERY_DONE", "LOGISTICS_DELIVERY_FAILED", "LOGISTICS_LOST"}
)
"""States of packages that a carrier has had."""
_UNKNOWN: Final[Status] = (OrderStatus.OPEN, False, None)


def read_order(
    order: Cursor, income: Cursor | None, returns: Sequence[Cursor], config: ShopeeConfig, sha256: str
) -> Order:
    """The canonical order of an order detail. Raises `UnreadableBody` or `InvalidMoney`.

    Without the seller's side, what vouchers, coins and shipping did to the total shows as money that does not add up.
    """
    currency = order.currency("currency")
    items = list(order.children("item_list"))
    pairs = [pair(item) for item in items]
    escrow = income_of(income, pairs)
    if not items:
        order.fail("item_list", "is missing or empty", "ask for it in response_optional_fields")
    names = line_ids(items, pairs)
    theirs = order.optional_text("fulfillment_flag") == "fulfilled_by_shopee"
    packages = list(order.children("package_list"))
    places = _places(packages)
    told = escrow.items if escrow else (None,) * len(items)
    lines = []
    for item, one, name, own in zip(items, pairs, names, told, strict=True):
        same = {"line": name, "listing": "-".join(one), "physical": not theirs, "delivery": places.get(one, 0)}
        lines.append(_line(item, currency, own, same))
    status, paid, held = state(order, "order_status", STATUS, _UNKNOWN)
    if status is OrderStatus.CANCELLED and _has_left(order, packages):
        status = OrderStatus.CLOSED
    updated_at = unix_s(order, "update_time")
    total = total_of(order, escrow, currency)
    deliveries, no_store = _deliveries(order, items, packages, config)
    pay_time = optional_unix_s(order, "pay_time")
    return build_order(
        order,
        channel=config.channel,
        external_id=order.identifier("order_sn"),
        source_version=microseconds(updated_at),
        status=status,
        payment=_payment(order, pay_time, paid),
        placed_at=unix_s(order, "create_time"),
        updated_at=updated_at,
        cancelled_at=updated_at if status is OrderStatus.CANCELLED else None,
        cancel_reason=free_text(order, "cancel_reason") or free_text(order, "buyer_cancel_reason"),
        currency=currency,
        lines=tuple(lines),
        deliveries=deliveries,
        amounts=None if total is None else amounts_of(order, lines, escrow, total, currency),
        discounts=discounts_of(lines, escrow, currency),
        payments=_payments(order, pay_time, total, currency),
        refunds=tuple(refund_of(one, set(names), currency) for one in returns),
        note=free_text(order, "message_to_seller"),
        buyer=_buyer(order),
        hold_reason=_hold(order, items, names, held, no_store) if status is OrderStatus.OPEN else None,
        body_sha256=sha256,
    )


def _has_left(order: Cursor, packages: Sequence[Cursor]) -> bool:
    """Whether a carrier has had the goods: refused at the door or lost on the way is no cancellation."""
    words = {package.optional_text("logistics_status") for package in packages}
    return optional_unix_s(order, "pickup_done_time") is not None or not words.isdisjoint(_LEFT)


def line_ids(items: Sequence[Cursor], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """A line's name: item-model, and what tells it from others where the same pair was bought twice."""
    often = Counter(pairs)
    seen: Counter[str] = Counter()
    names = []
    for item, (item_id, model_id) in zip(items, pairs, strict=True):
        name = f"{item_id}-{model_id}"
        if often[item_id, model_id] > 1:
            own = item.optional_identifier("line_item_id") or item.optional_identifier("order_item_id") or "0"
            name = f"{name}-{own}-{item.optional_identifier('promotion_group_id') or '0'}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def _line(item: Cursor, currency: str, told: Cursor | None, same: Mapping[str, Any]) -> OrderLine:
    quantity = units(item, "model_quantity_purchased")
    if item.has("cancelled_qty"):
        left = max(0, quantity - optional_units(item, "cancelled_qty"))
    else:
        # What came back is not expected any more either, so this is only the second best.
        left = optional_units(item, "active_qty", quantity)
    original = money(item, "model_original_price", currency, None)
    return item.build(
        OrderLine,
        sku=item.optional_identifier("model_sku") or item.optional_identifier("item_sku"),
        quantity=quantity,
        current_quantity=min(left, quantity),
        title=_title(item),
        amounts=item.build(
            LineAmounts,
            list_unit_price_minor=original,
            gross_minor=original * quantity,
            discount_minor=line_discount(item, original, quantity, currency, told),
        ),
        **same,
    )


def _title(item: Cursor) -> str | None:
    names = (free_text(item, "item_name"), free_text(item, "model_name"))
    return " / ".join(name for name in names if name and name.strip())[:2_000] or None


def _payment(order: Cursor, pay_time: datetime | None, paid: bool) -> PaymentStatus:
    if pay_time is not None:
        return PaymentStatus.PAID
    if flag(order, "cod"):
        return PaymentStatus.PAID if order.optional_text("order_status") == "COMPLETED" else PaymentStatus.PENDING
    if paid:
        return PaymentStatus.PAID
    return PaymentStatus.PENDING if order.optional_text("order_status") == "UNPAID" else PaymentStatus.UNKNOWN


def _payments(order: Cursor, pay_time: datetime | None, total: int | None, currency: str) -> tuple[Payment, ...]:
    told = tuple(
        one.build(
            Payment,
            payment=one.optional_identifier("transaction_id"),
            method=free_text(one, "payment_method"),
            amount_minor=money(one, "payment_amount", currency),
            paid_at=pay_time,
        )
        for one in order.children("payment_info")
    )
    if told or pay_time is None or total is None:
        return told
    method = free_text(order, "payment_method")
    return (order.build(Payment, method=method, amount_minor=total, paid_at=pay_time),)


def _hold(
    order: Cursor, items: Sequence[Cursor], names: Sequence[str], held: str | None, no_store: str | None
) -> str | None:
    if flag(order, "advance_package"):
        return "the order is served by goods that Shopee has already: do not send it"
    pending = held is not None and order.optional_text("order_status") == "PENDING"
    said = "; ".join(order.texts("pending_description")) if pending else ""
    wishes = [(optional_units(item, "cancel_requested_qty"), name) for item, name in zip(items, names, strict=True)]
    parts = ", ".join(f"{count} of {name}" for count, name in wishes if count)
    part = f"the buyer asks to cancel a part: {parts}"[:500] if parts else None
    return said[:500] or held or part or no_store


def _buyer(order: Cursor) -> str | None:
    buyer = order.optional_identifier("buyer_user_id")
    return None if buyer == "0" else buyer


def _places(packages: Sequence[Cursor]) -> dict[tuple[str, str], int]:
    """In which package an item travels; the first of them where it was split."""
    found: dict[tuple[str, str], int] = {}
    for place, package in enumerate(packages):
        for item in package.children("item_list"):
            found.setdefault(pair(item), place)
    return found


def _deliveries(
    order: Cursor, items: Sequence[Cursor], packages: Sequence[Cursor], config: ShopeeConfig
) -> tuple[tuple[Delivery, ...], str | None]:
    """One delivery a package, and why an order that is collected cannot be prepared."""
    collected = flag(order, "is_buyer_shop_collection")
    place = next((one for one in (item.optional_identifier("product_location_id") for item in items) if one), None)
    node = config.locations.get(place, place) if collected and place else None
    address = _address(order.optional_child("recipient_address"))
    made = tuple(
        order.build(
            Delivery,
            method=DeliveryMethod.PICKUP if node else DeliveryMethod.SHIP,
            pickup_node=node,
            address=address,
            service=free_text(order, "shipping_carrier") or free_text(order, "checkout_shipping_carrier"),
            ship_by=optional_unix_s(order, "ship_by_date"),
            deliver_by=optional_unix_s(order, "edt_to"),
            fulfilment=package.optional_identifier("package_number") if package else None,
        )
        for package in (packages or (None,))
    )
    return made, "an in-store pickup that names no store" if collected and node is None else None


def _address(address: Cursor | None) -> Address | None:
    """The receiver; outside of the time to ship, Shopee writes stars over most of it."""
    if address is None:
        return None

    def text(key: str) -> str | None:
        return (free_text(address, key) or "").strip() or None if address.fields.get(key) else None

    name, phone, street = text("name"), text("phone"), text("full_address")
    parts = [text("district"), text("town"), text("city"), text("state"), text("zipcode")]
    if not any((name, phone, street, *parts)):
        return None
    country = text("region") or ""
    return address.build(
        Address,
        recipient=name,
        phone=phone,
        street=(street,) if street else (),
        district=parts[0] or parts[1],
        city=parts[2],
        region=parts[3],
        postal_code=parts[4],
        country=country if len(country) == 2 and country.isascii() and country.isupper() else None,
        masked=any("*" in one for one in (name, phone, street) if one),
        point=_point(address),
    )


def _point(address: Cursor) -> GeoPoint | None:
    place = address.optional_child("geolocation")
    return place.point("latitude", "longitude") if place else None


def same_order(own: str, other: Cursor) -> None:
    """Refuse a document of another order."""
    if other.identifier("order_sn") != own:
        raise UnreadableBody(f"{other.path}.order_sn is not {own[:40]}; send the documents of one order")
