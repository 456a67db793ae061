"""Reads eBay's order resource into the canonical order.

Source of the fields: https://developer.ebay.com/api-docs/sell/fulfillment/types/sel:Order and the types it uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import DialectConfig, build_order
from omo_core.channels.fields import free_text, incidental_id, money_object, state, unit_price
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import (
    Address,
    Delivery,
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
from omo_core.model.values import ChannelId, NodeId


class EbayConfig(DialectConfig):
    """How to read one seller's orders and notifications; `secrets` are eBay's public keys, as getPublicKey gives them.

    eBay names them for an hour in its cache rules and changes them without notice: keep those that were named lately.
    """

    channel: ChannelId = "ebay"
    verification_token: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{32,80}$", repr=False)] = None
    """What the seller told eBay to prove the endpoint with."""
    endpoint: Annotated[str, Field(pattern=r"^https://[!-~]{1,500}$")] | None = None
    """The endpoint as it was told to eBay, to the letter."""
    marketplace: Annotated[str, Field(pattern=r"^EBAY_[A-Z]{2,20}$")] = "EBAY_US"
    """Whose cancellations are asked for."""
    pickup_nodes: Mapping[str, NodeId] = {}
    """Merchant location key to the node where its orders are collected; one not listed is its own node id."""


PAYMENT: Final[Mapping[str, PaymentStatus]] = {
    "PAID": PaymentStatus.PAID,
    "PENDING": PaymentStatus.PENDING,
    "FAILED": PaymentStatus.PENDING,
    "FULLY_REFUNDED": PaymentStatus.REFUNDED,
    "PARTIALLY_REFUNDED": PaymentStatus.PARTIALLY_REFUNDED,
}
_FULFILLED: Final[Mapping[str, OrderStatus]] = {
    "NOT_STARTED": OrderStatus.OPEN,
    "IN_PROGRESS": OrderStatus.OPEN,
    "FULFILLED": OrderStatus.CLOSED,
}
_CANCELLED: Final[Mapping[str, str]] = {"NONE_REQUESTED": "none", "IN_PROGRESS": "asked", "CANCELED": "done"}
_STARTS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("SHIP_TO", "DIGITAL", "SELLER_DEFINED", "FULFILLED_BY_EBAY"), False),
    "PREPARE_FOR_PICKUP": True,
}
"""Whether a start of the fulfilment is a pickup."""
_REFUND: Final[Mapping[str, RefundStatus]] = {
    "REFUNDED": RefundStatus.DONE,
    "PENDING": RefundStatus.AGREED,
    "FAILED": RefundStatus.AGREED,
}
"""A refund that failed is owed all the same."""
WISH: Final = "a cancellation is in progress"
_UNPAID: Final = {"PENDING": "the payment is pending", "FAILED": "the payment failed"}


def read_order(order: Cursor, config: EbayConfig, sha256: str) -> Order:
    """The canonical order of an order resource. Raises `UnreadableBody` or `InvalidMoney`.

    Tax that eBay collects and remits itself is in no total and in no amount here. A payment is what eBay pays to the
    seller for the order, after its fees.
    """
    pricing = order.child("pricingSummary")
    currency = pricing.child("total").currency("currency")
    items = list(order.children("lineItems"))
    if not items:
        order.fail("lineItems", "is missing or empty", "send the whole order with at least one line")
    ours = _ours(order)
    deliveries, held = _deliveries(order, items, config)
    lines = tuple(_line(item, currency, ours) for item in items)
    updated_at = order.instant("lastModifiedDate")
    payment = state(order, "orderPaymentStatus", PAYMENT, PaymentStatus.UNKNOWN)
    cancel = order.optional_child("cancelStatus")
    cancelled = state(cancel, "cancelState", _CANCELLED, "none") if cancel else "none"
    fulfilled = state(order, "orderFulfillmentStatus", _FULFILLED, OrderStatus.OPEN)
    status = OrderStatus.CANCELLED if cancelled == "done" else fulfilled
    if status is OrderStatus.OPEN:
        refunded = "the order was refunded in full" if payment is PaymentStatus.REFUNDED else None
        unpaid = None if _paid_in_cash(order) else _UNPAID.get(order.optional_text("orderPaymentStatus") or "")
        held = (WISH if cancelled == "asked" else None) or refunded or unpaid or held
    else:
        held = None
    buyer = order.optional_child("buyer")
    return build_order(
        order,
        channel=config.channel,
        external_id=order.identifier("orderId"),
        display_number=incidental_id(order, "salesRecordReference"),
        source_version=microseconds(updated_at),
        status=status,
        payment=payment,
        placed_at=order.instant("creationDate"),
        updated_at=updated_at,
        cancelled_at=cancel.optional_instant("cancelledDate") if cancel and cancelled == "done" else None,
        cancel_reason=_cancel_reason(cancel),
        currency=currency,
        presentment_currency=_presentment_currency(pricing),
        lines=lines,
        deliveries=deliveries,
        amounts=_amounts(pricing, lines, currency),
        refunds=_refunds(order, items, currency, updated_at),
        note=free_text(order, "buyerCheckoutNotes"),
        payments=_payments(order, currency),
        discounts=_discounts(items, lines, currency, _off(pricing, "deliveryDiscount", currency)),
        buyer=incidental_id(buyer, "username") if buyer else None,
        hold_reason=held,
        body_sha256=sha256,
    )


def money(cursor: Cursor, key: str, currency: str) -> int:
    """Minor units of an amount object of the order's currency; 0 where it is missing. Raises `InvalidMoney`."""
    return money_object(cursor, key, currency, amount="value", unit="currency") or 0


def _off(cursor: Cursor, key: str, currency: str) -> int:
    """A discount as a positive amount; eBay writes those of a whole order with a minus sign."""
    return abs(money(cursor, key, currency))


def _ours(order: Cursor) -> bool:
    """Whether the seller sends the goods; eBay's own warehouses say so in the order's program, or in how it starts."""
    starts = {
        one.optional_text("fulfillmentInstructionsType") for one in order.children("fulfillmentStartInstructions")
    }
    if "FULFILLED_BY_EBAY" in starts:
        return False
    program = order.optional_child("program")
    fulfilment = program.optional_child("fulfillmentProgram") if program else None
    return fulfilment is None or fulfilment.optional_text("fulfilledBy") != "EBAY"


def _line(item: Cursor, currency: str, ours: bool) -> OrderLine:
    quantity = item.quantity("quantity")
    gross = money(item, "lineItemCost", currency)
    discounted = money_object(item, "discountedLineItemCost", currency, amount="value", unit="currency")
    variation = item.optional_identifier("legacyVariationId")
    listing = item.optional_identifier("legacyItemId")
    digital = item.has("giftDetails")
    return item.build(
        OrderLine,
        line=item.identifier("lineItemId"),
        sku=item.optional_identifier("sku"),
        quantity=quantity,
        current_quantity=quantity,
        title=free_text(item, "title"),
        listing=f"{listing}/{variation}" if listing and variation else listing,
        physical=ours and not digital,
        gift=digital,
        amounts=item.build(
            LineAmounts,
            list_unit_price_minor=unit_price(gross, quantity),
            gross_minor=gross,
            discount_minor=0 if discounted is None else gross - discounted,
            tax_minor=sum(money(tax, "amount", currency) for tax in item.children("taxes")),
        ),
    )


def _amounts(pricing: Cursor, lines: Sequence[OrderLine], currency: str) -> OrderAmounts:
    of_lines = [line.amounts for line in lines if line.amounts]
    # The name of the field changed; both are seen.
    named = next((key for key in ("priceDiscount", "priceDiscountSubtotal") if pricing.has(key)), None)
    discount = _off(pricing, named, currency) if named else sum(one.discount_minor for one in of_lines)
    total = pricing.child("total")
    other = total.currency("convertedFromCurrency") if total.has("convertedFromCurrency") else None
    return pricing.build(
        OrderAmounts,
        taxes_included=False,
        line_gross_minor=sum(one.gross_minor for one in of_lines),
        discount_minor=discount + _off(pricing, "deliveryDiscount", currency),
        shipping_minor=money(pricing, "deliveryCost", currency),
        tax_minor=money(pricing, "tax", currency) if pricing.has("tax") else sum(one.tax_minor for one in of_lines),
        fee_minor=money(pricing, "fee", currency) + money(pricing, "adjustment", currency),
        total_minor=money(pricing, "total", currency),
        presentment_total_minor=total.money("convertedFromValue", other) if other else None,
    )


def _presentment_currency(pricing: Cursor) -> str | None:
    total = pricing.child("total")
    return total.currency("convertedFromCurrency") if total.has("convertedFromCurrency") else None


def _discounts(
    items: Sequence[Cursor], lines: Sequence[OrderLine], currency: str, delivery_minor: int
) -> tuple[Discount, ...]:
    """The promotions as eBay names them; one that is off the delivery is told by the order alone."""
    found: dict[str, list[DiscountShare]] = {}
    titles: dict[str, str | None] = {}
    for item, line in zip(items, lines, strict=True):
        for promotion in item.children("appliedPromotions"):
            name = promotion.identifier("promotionId")
            share = DiscountShare(line=line.line, amount_minor=_off(promotion, "discountAmount", currency))
            found.setdefault(name, []).append(share)
            titles[name] = titles.get(name) or free_text(promotion, "description")
    made = [
        items[0].build(
            Discount,
            discount=name,
            title=titles[name],
            amount_minor=sum(share.amount_minor for share in shares),
            shares=tuple(shares),
        )
        for name, shares in found.items()
    ]
    if delivery_minor:
        made.append(Discount(title="delivery", amount_minor=delivery_minor, shipping_minor=delivery_minor))
    return tuple(made)


def _deliveries(order: Cursor, items: Sequence[Cursor], config: EbayConfig) -> tuple[tuple[Delivery, ...], str | None]:
    """How the order travels, and why it cannot be prepared; every line is in the first delivery."""
    instructions = [
        item.child("lineItemFulfillmentInstructions") for item in items if item.has("lineItemFulfillmentInstructions")
    ]
    dates = [one.optional_instant("shipByDate") for one in instructions]
    ship_by = min((date for date in dates if date), default=None)
    starts = list(order.children("fulfillmentStartInstructions"))
    made = tuple(_delivery(start, ship_by, config) for start in starts) or (Delivery(ship_by=ship_by),)
    ways = [state(start, "fulfillmentInstructionsType", _STARTS, False) for start in starts]
    # Click and Collect names no store of the seller's: the parcel travels to the address that it has instead.
    lost = bool(ways) and ways[0] and made[0].method is not DeliveryMethod.PICKUP and made[0].address is None
    return made, "an in-store pickup that names no store" if lost else None


def _delivery(start: Cursor, ship_by: datetime | None, config: EbayConfig) -> Delivery:
    step = start.optional_child("shippingStep")
    pickup = start.optional_child("pickupStep")
    store = None
    if start.optional_text("fulfillmentInstructionsType") == "PREPARE_FOR_PICKUP":
        store = pickup.optional_identifier("merchantLocationKey") if pickup else None
    ship_to = step.optional_child("shipTo") if step else None
    return start.build(
        Delivery,
        method=DeliveryMethod.PICKUP if store else DeliveryMethod.SHIP,
        pickup_node=config.pickup_nodes.get(store, store) if store else None,
        address=_address(ship_to, step) if ship_to and step else None,
        service=free_text(step, "shippingServiceCode") if step else None,
        deliver_by=start.optional_instant("maxEstimatedDeliveryDate"),
        ship_by=ship_by,
    )


def _address(ship_to: Cursor, step: Cursor) -> Address:
    """Where the seller sends it: of an order that eBay forwards, eBay's hub, with the reference its label must bear."""
    contact = ship_to.optional_child("contactAddress")
    phone = ship_to.optional_child("primaryPhone")

    def text(key: str, of: Cursor | None = contact) -> str | None:
        return (free_text(of, key) or "").strip() or None if of and of.fields.get(key) else None

    lines = (text("companyName", ship_to), text("addressLine1"), text("addressLine2"), text("shipToReferenceId", step))
    country = text("countryCode") or ""
    name = text("fullName", ship_to)
    return ship_to.build(
        Address,
        recipient=name,
        phone=text("phoneNumber", phone),
        street=tuple(line for line in lines if line),
        district=text("county"),
        city=text("city"),
        region=text("stateOrProvince"),
        postal_code=text("postalCode"),
        country=country if len(country) == 2 and country.isascii() and country.isupper() else None,
        masked=name is None and not any(lines),
    )


def _paid_in_cash(order: Cursor) -> bool:
    """Whether the buyer pays when the goods are collected: waiting for the payment, they would never be made ready."""
    summary = order.optional_child("paymentSummary")
    methods = [one.optional_text("paymentMethod") for one in (summary.children("payments") if summary else ())]
    return "CASH_ON_PICKUP" in methods


def _payments(order: Cursor, currency: str) -> tuple[Payment, ...]:
    summary = order.optional_child("paymentSummary")
    return tuple(
        one.build(
            Payment,
            payment=incidental_id(one, "paymentReferenceId"),
            method=free_text(one, "paymentMethod"),
            amount_minor=money(one, "amount", currency),
            paid_at=one.optional_instant("paymentDate"),
        )
        for one in (summary.children("payments") if summary else ())
        if one.optional_text("paymentStatus") == "PAID"
    )


def _refunds(order: Cursor, items: Sequence[Cursor], currency: str, updated_at: datetime) -> tuple[Refund, ...]:
    """Each refund of the order: what the seller bears is told of the order, what the buyer gets, of its lines.

    The two sides of one refund have its id or its time in common. A refund that is not issued yet has no time: it is told
    as of the order's last change.
    """
    to_buyer: dict[str, tuple[datetime | None, int]] = {}
    for item in items:
        for refund in item.children("refunds"):
            moment = refund.optional_instant("refundDate")
            name = refund.optional_identifier("refundId") or (moment.isoformat() if moment else "pending")
            to_buyer[name] = (moment, to_buyer.get(name, (None, 0))[1] + money(refund, "amount", currency))
    summary = order.optional_child("paymentSummary")
    made = [_refund(one, to_buyer, currency, updated_at) for one in (summary.children("refunds") if summary else ())]
    made += [
        order.build(
            Refund,
            refund=name,
            created_at=moment or updated_at,
            refunded_to_buyer_minor=minor,
            status=RefundStatus.DONE if moment else RefundStatus.AGREED,
        )
        for name, (moment, minor) in to_buyer.items()
    ]
    return tuple(made)


def _refund(
    one: Cursor, to_buyer: dict[str, tuple[datetime | None, int]], currency: str, updated_at: datetime
) -> Refund:
    """The order's side of a refund; what the lines tell of it is taken out of `to_buyer`."""
    moment = one.optional_instant("refundDate")
    own, reference = one.optional_identifier("refundId"), one.optional_identifier("refundReferenceId")
    names = (own, reference, moment.isoformat() if moment else "pending")
    known = next((name for name in names if name in to_buyer), None)
    seller = money(one, "amount", currency)
    buyer = to_buyer.pop(known)[1] if known is not None else None
    return one.build(
        Refund,
        refund=reference or own or (moment.isoformat() if moment else "pending"),
        created_at=moment or updated_at,
        refunded_to_buyer_minor=seller if buyer is None else buyer,
        sellers_share_minor=None if buyer is None else seller,
        status=state(one, "refundStatus", _REFUND, RefundStatus.AGREED),
    )


def _cancel_reason(cancel: Cursor | None) -> str | None:
    """The reason of the last request; eBay's lists of orders leave the requests out, a single order has them."""
    reasons = [free_text(one, "cancelReason") for one in (cancel.children("cancelRequests") if cancel else ())]
    return next((reason for reason in reversed(reasons) if reason), None)
