"""Reads Amazon's orders of version v0, which come in several documents: order, pages of items, address, buyer.

Source of the fields: https://developer-docs.amazon.com/sp-api/docs/orders-api-v0-reference and its model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from omo_core.channels.amazon_order import (
    CANCELLED,
    PENDING,
    READY,
    SENT,
    UNKNOWN,
    V0,
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
from omo_core.channels.fields import flag, free_text, state, unit_price
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import (
    Discount,
    DiscountShare,
    LineAmounts,
    Order,
    OrderLine,
    OrderStatus,
    Payment,
    PaymentStatus,
)

STATUS: Final[Mapping[str, tuple[OrderStatus, PaymentStatus]]] = {
    "PendingAvailability": PENDING,
    "Pending": PENDING,
    "Unshipped": READY,
    "PartiallyShipped": READY,
    "Shipped": SENT,
    "InvoiceUnconfirmed": SENT,
    "Canceled": CANCELLED,
    "Unfulfillable": UNKNOWN,
}
_ABOUT_THE_BUYER: Final = ("BuyerEmail", "BuyerName", "BuyerCounty", "BuyerTaxInfo", "PurchaseOrderNumber")


class Documents(NamedTuple):
    """The documents of one order, sorted by what they are."""

    order: Cursor
    items: tuple[Cursor, ...]
    address: Cursor | None
    about_items: Mapping[str, Cursor]
    """What the buyer said of an item, by its id."""


def payload_of(document: Cursor) -> Cursor:
    """What an answer of version v0 is about."""
    return document.optional_child("payload") or document


def sorted_documents(documents: Sequence[Cursor]) -> Documents:
    """The documents of one order in any order; raises `UnreadableBody` where one is missing, foreign or unfinished."""
    orders, items, addresses = [], [], []
    about: dict[str, Cursor] = {}
    for document in documents:
        one = payload_of(document)
        one.noted = documents[0].noted
        known = False
        if one.has("OrderStatus"):
            orders.append(one)
            known = True
        if one.has("OrderItems"):
            listed = list(one.children("OrderItems"))
            if listed and all(not item.has("QuantityOrdered") and not item.has("ASIN") for item in listed):
                about |= {item.identifier("OrderItemId"): item for item in listed}
            else:
                items.append((one, listed))
            known = True
        elif one.has("ShippingAddress"):
            addresses.append(one)
            known = True
        if not known and not any(one.has(key) for key in _ABOUT_THE_BUYER):
            raise UnreadableBody(f"{one.path} is no document of an order; send its order, items, address or buyer info")
    if len(orders) != 1:
        raise UnreadableBody(f"the documents hold {len(orders)} orders; send one order with all of its item pages")
    if not items:
        raise UnreadableBody("$.payload.OrderItems is missing; send the order's items beside the order")
    own = orders[0].identifier("AmazonOrderId")
    for one in (*(one for one, _ in items), *addresses):
        if one.identifier("AmazonOrderId") != own:
            one.fail("AmazonOrderId", f"is not of order {own[:40]}", "send the documents of one order")
    # Each page but the last says that another follows.
    following = [one for one, _ in items if one.optional_text("NextToken")]
    if len(following) >= len(items):
        following[-1].fail("NextToken", "says that more items follow", "send the next page of items too")
    address = next(
        (one.child("ShippingAddress") for one in (*addresses, orders[0]) if one.has("ShippingAddress")), None
    )
    return Documents(orders[0], tuple(item for _, listed in items for item in listed), address, about)


def read_v0(documents: Sequence[Cursor], config: AmazonConfig, sha256: str) -> Order:
    """The canonical order of the documents of one order.

    A line of which 0 are ordered was cancelled, and what was ordered is told no more: it is kept with 1, none left.
    Raises `UnreadableBody` or `InvalidMoney`.
    """
    found = sorted_documents(documents)
    order, items = found.order, found.items
    if not items:
        raise UnreadableBody("$.payload.OrderItems is empty; send an order with at least one item")
    moneys = [order.optional_child("OrderTotal"), *(item.optional_child("ItemPrice") for item in items)]
    currency = currency_of(order, order.optional_text("MarketplaceId"), moneys, config)
    word = order.text("OrderStatus")
    status, payment = state(order, "OrderStatus", STATUS, UNKNOWN)
    preorder = word == "PendingAvailability" or order.optional_text("OrderType") == "Preorder"
    windows: dict[Window, int] = {}
    lines, extras, discounts = [], [], []
    for item in items:
        line, extra, discount = _line(item, currency, found.about_items)
        place = windows.setdefault(_window(item), len(windows))
        theirs = order.optional_text("FulfillmentChannel") != "AFN"
        lines.append(item.build(OrderLine, **line, physical=theirs, preorder=preorder, delivery=place))
        extras.append(extra)
        discounts += discount
    strangers = found.about_items.keys() - {line.line for line in lines}
    if strangers:
        order.odd("OrderItems", f"the buyer said something of item {min(strangers)[:40]}, which the order has not")
    total = priced(order, "OrderTotal", currency, V0)
    deliveries, no_store = deliveries_of(order, _way(found), tuple(windows), config)
    updated_at = order.instant("LastUpdateDate")
    return build_order(
        order,
        channel=config.channel,
        external_id=order.identifier("AmazonOrderId"),
        display_number=order.optional_identifier("SellerOrderId") or order.identifier("AmazonOrderId"),
        source_version=microseconds(updated_at),
        status=status,
        payment=PaymentStatus.PENDING if _cash(order) and status is OrderStatus.OPEN else payment,
        placed_at=order.instant("PurchaseDate"),
        updated_at=updated_at,
        currency=currency,
        lines=tuple(lines),
        deliveries=deliveries,
        amounts=None
        if total is None
        else amounts_of(order, lines, Extras(*map(sum, zip(*extras, strict=True))), total),
        discounts=tuple(discounts),
        payments=_payments(order, currency),
        note=_gift_messages(items, found.about_items),
        hold_reason=hold_of(status, payment, word, _wish(items), no_store),
        body_sha256=sha256,
    )


def _cash(order: Cursor) -> bool:
    return order.optional_text("PaymentMethod") == "COD"


def _line(item: Cursor, currency: str, about: Mapping[str, Cursor]) -> tuple[dict[str, Any], Extras, list[Discount]]:
    line_id = item.identifier("OrderItemId")
    ordered = item.count("QuantityOrdered")
    if ordered == 0:
        item.odd("QuantityOrdered", "is 0: the line was cancelled, and Amazon says no more how many it was")
    gift = about.get(line_id) or item.optional_child("BuyerInfo")
    is_gift = flag(item, "IsGift") or (gift is not None and (gift.has("GiftWrapLevel") or gift.has("GiftMessageText")))
    gross = priced(item, "ItemPrice", currency, V0)

    def minor(key: str, of: Cursor | None = item) -> int:
        return (priced(of, key, currency, V0) if of else None) or 0

    discount, shipping_discount = minor("PromotionDiscount"), minor("ShippingDiscount")
    tax = minor("ItemTax") - minor("PromotionDiscountTax")
    amounts = None
    if gross is not None:
        amounts = item.build(
            LineAmounts,
            list_unit_price_minor=unit_price(gross, ordered or 1),
            gross_minor=gross,
            discount_minor=discount,
            tax_minor=tax,
        )
    extras = Extras(
        discount=discount + shipping_discount + minor("CODFeeDiscount"),
        shipping=minor("ShippingPrice"),
        fee=minor("CODFee") + minor("GiftWrapPrice", gift),
        tip=0,
        tax=tax + minor("ShippingTax") - minor("ShippingDiscountTax") + minor("GiftWrapTax", gift),
    )
    fields = {
        "line": line_id,
        "sku": item.optional_identifier("SellerSKU"),
        "quantity": ordered or 1,
        "current_quantity": ordered,
        "title": free_text(item, "Title"),
        "listing": item.optional_identifier("ASIN"),
        "gift": is_gift,
        "amounts": amounts,
    }
    return fields, extras, _discounts(item, line_id, discount, shipping_discount)


def _discounts(item: Cursor, line_id: str, discount: int, shipping: int) -> list[Discount]:
    """What the promotions of a line took off together: Amazon splits it over lines, not over promotions."""
    if not discount and not shipping:
        return []
    promotions = item.texts("PromotionIds")
    return [
        item.build(
            Discount,
            discount=promotions[0][:128].strip() if len(promotions) == 1 else None,
            title=", ".join(promotions)[:500] if len(promotions) > 1 else None,
            amount_minor=discount + shipping,
            shares=(DiscountShare(line=line_id, amount_minor=discount),) if discount else (),
            shipping_minor=shipping,
        )
    ]


def _window(item: Cursor) -> Window:
    return (
        item.optional_instant("ScheduledDeliveryStartDate"),
        item.optional_instant("ScheduledDeliveryEndDate"),
    )


def _way(found: Documents) -> Way:
    order = found.order
    instruction = order.optional_child("FulfillmentInstruction")
    stores = [item.optional_identifier("StoreChainStoreId") for item in found.items]
    stores.append(instruction.optional_identifier("FulfillmentSupplySourceId") if instruction else None)
    pickup = flag(order, "IsISPU")
    return Way(
        address=read_address(found.address, V0),
        service=free_text(order, "ShipServiceLevel") or free_text(order, "ShipmentServiceLevelCategory"),
        ship_by=order.optional_instant("LatestShipDate"),
        deliver_by=order.optional_instant("LatestDeliveryDate"),
        pickup=pickup,
        stores=tuple(dict.fromkeys(store for store in stores if store)) if pickup else (),
    )


def _payments(order: Cursor, currency: str) -> tuple[Payment, ...]:
    return tuple(
        one.build(
            Payment,
            method=free_text(one, "PaymentMethod"),
            amount_minor=priced(one, "Payment", currency, V0) or 0,
        )
        for one in order.children("PaymentExecutionDetail")
    )


def _wish(items: Sequence[Cursor]) -> str | None:
    for item in items:
        wish = item.optional_child("BuyerRequestedCancel")
        if wish is not None and flag(wish, "IsBuyerRequestedCancel"):
            return asked(free_text(wish, "BuyerCancelReason"))
    return None


def _gift_messages(items: Sequence[Cursor], about: Mapping[str, Cursor]) -> str | None:
    said = []
    for item in items:
        gift = about.get(item.identifier("OrderItemId")) or item.optional_child("BuyerInfo")
        said.append(free_text(gift, "GiftMessageText") if gift else None)
    return "\n".join(dict.fromkeys(text for text in said if text))[:2_000] or None
