"""Reads Amazon's orders of version 2026-01-01: one document with items, receiver, proceeds and cancellations.

Source of the fields: https://developer-docs.amazon.com/sp-api/docs/orders-api and its model orders_2026-01-01.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from omo_core.channels.amazon_order import (
    CANCELLED,
    PENDING,
    READY,
    SENT,
    UNKNOWN,
    V2026,
    AmazonConfig,
    Extras,
    Way,
    Window,
    amounts_of,
    asked,
    currency_of,
    deliveries_of,
    hold_of,
    priced,
    read_address,
)
from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import build_order
from omo_core.channels.fields import free_text, state, unit_price
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
)

STATUS: Final[Mapping[str, tuple[OrderStatus, PaymentStatus]]] = {
    "PENDING_AVAILABILITY": PENDING,
    "PENDING": PENDING,
    "UNSHIPPED": READY,
    "PARTIALLY_SHIPPED": READY,
    "SHIPPED": SENT,
    "CANCELLED": CANCELLED,
    "UNFULFILLABLE": UNKNOWN,
}
_PARTS: Final = frozenset({"ITEM", "SHIPPING", "GIFT_WRAP", "COD_FEE", "OTHER", "TAX", "DISCOUNT", "DELIVERY_TIP"})
_FEES: Final = ("GIFT_WRAP", "COD_FEE", "OTHER")


class Item(NamedTuple):
    """An order item, and those of its objects that are read more than once."""

    item: Cursor
    product: Cursor
    price: Cursor | None
    fulfilment: Cursor | None
    gift: Cursor | None
    request: Cursor | None
    execution: Cursor | None


def read_2026(document: Cursor, config: AmazonConfig, sha256: str) -> Order:
    """The canonical order of one order object. Raises `UnreadableBody` or `InvalidMoney`."""
    items = [_item(item) for item in document.children("orderItems")]
    if not items:
        document.fail("orderItems", "is missing or empty", "send the whole order with at least one item")
    proceeds = document.optional_child("proceeds")
    grand = proceeds.optional_child("grandTotal") if proceeds else None
    currency = _currency(document, grand, items, config)
    fulfilment = document.child("fulfillment")
    word = fulfilment.text("fulfillmentStatus")
    status, payment = state(fulfilment, "fulfillmentStatus", STATUS, UNKNOWN)
    programs = document.texts("programs")
    same = {
        "preorder": word == "PENDING_AVAILABILITY" or "PREORDER" in programs,
        "physical": fulfilment.optional_text("fulfilledBy") != "AMAZON",
    }
    lines: list[OrderLine] = []
    parts: dict[str, int] = {}
    discounts: list[Discount] = []
    windows: dict[Window, int] = {}
    for item in items:
        own, shipping_discount = _parts(item.item.optional_child("proceeds"), currency)
        for kind, minor in own.items():
            parts[kind] = parts.get(kind, 0) + minor
        place = windows.setdefault(_window(item), len(windows))
        lines.append(_line(item, own, shipping_discount, currency, same | {"delivery": place}))
        discounts += _discounts(item.item, lines[-1].line, own.get("DISCOUNT", 0), shipping_discount)
    way = _way(document, fulfilment, "IN_STORE_PICK_UP" in programs)
    deliveries, no_store = deliveries_of(document, way, tuple(windows), config)
    updated_at = document.instant("lastUpdatedTime")
    order_id = document.identifier("orderId")
    return build_order(
        document,
        channel=config.channel,
        external_id=order_id,
        display_number=_alias(document) or order_id,
        source_version=microseconds(updated_at),
        status=status,
        payment=payment,
        placed_at=document.instant("createdTime"),
        updated_at=updated_at,
        cancel_reason=_cancel_reason(items) if status is OrderStatus.CANCELLED else None,
        currency=currency,
        lines=tuple(lines),
        deliveries=deliveries,
        amounts=None if proceeds is None or grand is None else _amounts(proceeds, lines, parts, currency),
        discounts=tuple(discounts),
        payments=_payments(document, currency),
        note=_gift_messages(items),
        hold_reason=hold_of(status, payment, word, _wish(items), no_store),
        body_sha256=sha256,
    )


def _item(item: Cursor) -> Item:
    product = item.child("product")
    fulfilment = item.optional_child("fulfillment")
    packing = fulfilment.optional_child("packing") if fulfilment else None
    cancellation = item.optional_child("cancellation")
    return Item(
        item=item,
        product=product,
        price=product.optional_child("price"),
        fulfilment=fulfilment,
        gift=packing.optional_child("giftOption") if packing else None,
        request=cancellation.optional_child("cancellationRequest") if cancellation else None,
        execution=cancellation.optional_child("cancellationExecution") if cancellation else None,
    )


def _currency(document: Cursor, grand: Cursor | None, items: list[Item], config: AmazonConfig) -> str:
    if grand is not None:
        return grand.currency(V2026.currency)
    channel = document.optional_child("salesChannel")
    marketplace = channel.optional_text("marketplaceId") if channel else None
    moneys = (item.price.optional_child("unitPrice") for item in items if item.price)
    return currency_of(document, marketplace, moneys, config)


def _line(
    found: Item, parts: Mapping[str, int], shipping_discount: int, currency: str, same: Mapping[str, Any]
) -> OrderLine:
    item, product = found.item, found.product
    ordered = item.count("quantityOrdered")
    if ordered == 0:
        item.odd("quantityOrdered", "is 0: the line was cancelled, and Amazon says no more how many it was")
    unit = priced(found.price, "unitPrice", currency, V2026) if found.price else None
    gross = parts.get("ITEM", None if unit is None else unit * ordered)
    amounts = None
    if gross is not None:
        amounts = item.build(
            LineAmounts,
            list_unit_price_minor=unit_price(gross, ordered or 1) if unit is None else unit,
            gross_minor=gross,
            discount_minor=parts.get("DISCOUNT", 0) - shipping_discount,
            tax_minor=parts.get("TAX", 0),
        )
    return item.build(
        OrderLine,
        line=item.identifier("orderItemId"),
        sku=product.optional_identifier("sellerSku"),
        quantity=ordered or 1,
        current_quantity=_left(found, ordered),
        title=free_text(product, "title"),
        listing=product.optional_identifier("asin"),
        gift=found.gift is not None,
        amounts=amounts,
        **same,
    )


def _left(found: Item, ordered: int) -> int:
    """What is still wanted, or was sent: of a cancelled line, no more than had left before."""
    if found.execution is None:
        return ordered
    return min(ordered, found.fulfilment.count("quantityFulfilled", 0)) if found.fulfilment else 0


def _parts(proceeds: Cursor | None, currency: str) -> tuple[dict[str, int], int]:
    """What proceeds are made of, by type, and how much of the discount is off the shipping; discounts are positive."""
    parts: dict[str, int] = {}
    shipping_discount = 0
    for part in proceeds.children("breakdowns") if proceeds else ():
        kind = part.text("type")
        if kind not in _PARTS:
            part.odd("type", f"{kind[:40]!r} is no part of proceeds that this library knows; it counts as a fee")
            kind = "OTHER"
        minor = priced(part, "subtotal", currency, V2026) or 0
        # The model does not say which sign a discount has.
        parts[kind] = parts.get(kind, 0) + (abs(minor) if kind == "DISCOUNT" else minor)
        if kind == "DISCOUNT":
            shipping_discount += sum(
                abs(priced(detail, "value", currency, V2026) or 0)
                for detail in part.children("detailedBreakdowns")
                if detail.optional_text("subtype") == "SHIPPING"
            )
    return parts, min(shipping_discount, parts.get("DISCOUNT", 0))


def _amounts(proceeds: Cursor, lines: list[OrderLine], of_items: Mapping[str, int], currency: str) -> OrderAmounts:
    parts, _ = _parts(proceeds, currency)
    # The order's own parts are its items' parts added up, where it has any; a tip is only there.
    if not parts.keys() - {"DELIVERY_TIP"}:
        parts = {**of_items, **parts}
    extras = Extras(
        discount=parts.get("DISCOUNT", 0),
        shipping=parts.get("SHIPPING", 0),
        fee=sum(parts.get(kind, 0) for kind in _FEES),
        tip=parts.get("DELIVERY_TIP", 0),
        tax=parts.get("TAX", 0),
    )
    return amounts_of(proceeds, lines, extras, priced(proceeds, "grandTotal", currency, V2026) or 0)


def _discounts(item: Cursor, line: str, discount: int, shipping: int) -> list[Discount]:
    """What the promotions of a line took off together: Amazon names them and does not split it."""
    if not discount:
        return []
    promotion = item.optional_child("promotion")
    named = [one.optional_text("promotionId") for one in (promotion.children("breakdowns") if promotion else ())]
    ids = [one for one in named if one]
    own = discount - shipping
    return [
        item.build(
            Discount,
            discount=ids[0][:128].strip() if len(ids) == 1 else None,
            title=", ".join(ids)[:500] if len(ids) > 1 else None,
            amount_minor=discount,
            shares=(DiscountShare(line=line, amount_minor=own),) if own else (),
            shipping_minor=shipping,
        )
    ]


def _window(found: Item) -> Window:
    shipping = found.fulfilment.optional_child("shipping") if found.fulfilment else None
    window = shipping.optional_child("scheduledDeliveryWindow") if shipping else None
    if window is None:
        return (None, None)
    return window.optional_instant("earliestDateTime"), window.optional_instant("latestDateTime")


def _way(document: Cursor, fulfilment: Cursor, pickup: bool) -> Way:
    recipient = document.optional_child("recipient")
    ship, deliver = fulfilment.optional_child("shipByWindow"), fulfilment.optional_child("deliverByWindow")
    return Way(
        address=read_address(recipient.optional_child("deliveryAddress") if recipient else None, V2026),
        service=free_text(fulfilment, "fulfillmentServiceLevel"),
        ship_by=ship.optional_instant("latestDateTime") if ship else None,
        deliver_by=deliver.optional_instant("latestDateTime") if deliver else None,
        pickup=pickup,
        stores=(),
    )


def _alias(document: Cursor) -> str | None:
    aliases = [one for one in document.children("orderAliases") if one.optional_text("aliasType") == "SELLER_ORDER_ID"]
    return aliases[0].identifier("aliasId") if aliases else None


def _payments(document: Cursor, currency: str) -> tuple[Payment, ...]:
    payment = document.optional_child("payment")
    return tuple(
        one.build(
            Payment,
            method=free_text(one, "paymentMethod"),
            amount_minor=priced(one, "paymentAmount", currency, V2026) or 0,
        )
        for one in (payment.children("paymentExecutions") if payment else ())
    )


def _wish(items: list[Item]) -> str | None:
    """A cancellation that the buyer asks for and nobody has decided."""
    for item in items:
        if item.request is not None and item.execution is None:
            return asked(free_text(item.request, "cancelReason"))
    return None


def _cancel_reason(items: list[Item]) -> str | None:
    done = (free_text(item.execution, "cancelReason") for item in items if item.execution)
    return next((reason for reason in done if reason), None)


def _gift_messages(items: list[Item]) -> str | None:
    said = [free_text(item.gift, "giftMessage") for item in items if item.gift]
    return "\n".join(dict.fromkeys(text for text in said if text))[:2_000] or None
