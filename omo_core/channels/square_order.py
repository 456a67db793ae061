"""Reads Square's order object into the canonical order, and what left a shop over its counter.

Source of the fields: https://developer.squareup.com/reference/square/objects/Order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import DialectConfig, build_order
from omo_core.channels.fields import free_text, incidental_id, state, units
from omo_core.channels.port import RefundNotice, SoldLine, TillSale
from omo_core.channels.square_money import (
    Taxes,
    currency_of,
    payment_status,
    read_amounts,
    read_discounts,
    read_line_amounts,
    read_payments,
    read_refund,
)
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery, OddityCode, Order, OrderLine, OrderStatus, Refund
from omo_core.model.values import ChannelId, NodeId, Sku

SQUARE_ID: Final = r"^[A-Za-z0-9_-]{1,192}$"

_STATUS: Final[Mapping[str, OrderStatus]] = {
    "OPEN": OrderStatus.OPEN,
    "DRAFT": OrderStatus.OPEN,
    "COMPLETED": OrderStatus.CLOSED,
    "CANCELED": OrderStatus.CANCELLED,
}
_DETAILS: Final[Mapping[str, str]] = {
    "PICKUP": "pickup_details",
    "SHIPMENT": "shipment_details",
    "DELIVERY": "delivery_details",
}
_OFF: Final = frozenset({"CANCELED", "FAILED"})
_VIRTUAL: Final = "DIGITAL"
_COUNTER: Final = "IN_STORE"
"""Handed over where it is sold; the API's enumeration has it, its reference does not explain it."""
_NOWHERE: Final = "OPEN, and no fulfillment says where its goods go"


class SquareConfig(DialectConfig):
    """How to read one seller's messages; `secrets` are the signature keys of the webhook subscription."""

    channel: ChannelId = "square"
    notification_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=500)] | None = None
    """The address that the subscription names, to the letter: it is part of what Square signs."""
    location_ids: Annotated[tuple[Annotated[str, Field(pattern=SQUARE_ID)], ...], Field(max_length=10)] = ()
    """The seller's locations: whose orders are listed, and, where there is only one, where stock is told."""
    locations: Mapping[str, NodeId] = {}
    """Square location id to our node, for pickups and counter sales; a location not listed is its own node id."""
    skus: Mapping[str, Sku] = {}
    """Id of an item variation to our item: orders do not tell the SKU. A variation not listed is its own."""
    shipping_charges: tuple[str, ...] = ()
    """Names of the service charges that are for shipping; every other one is a fee."""
    api_version: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] = "2025-01-23"
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class _Around:
    """What the order around a line says of it."""

    currency: str
    taxes: Taxes
    skus: Mapping[str, Sku]
    returned: Mapping[str, int]
    leads_to: Mapping[str, int]
    """Line to the index of its delivery."""
    virtual: bool


def read_order(document: Cursor, config: SquareConfig, sha256: str) -> Order:
    """The canonical order of an order object; `sha256` is of the bytes it came in.

    Raises `UnreadableBody` or `InvalidMoney`, also for an order that only takes goods back.
    """
    currency = currency_of(document)
    if not document.fields.get("line_items"):
        sold = ", ".join(one.optional_text("source_order_id") or "?" for one in document.children("returns"))
        document.fail(
            "line_items",
            f"is missing: it only takes back goods of {sold}" if sold else "is missing or empty",
            "read it as a refund" if sold else "send the whole order with at least one line",
        )
    placed_at = document.instant("created_at")
    updated_at = document.optional_instant("updated_at") or placed_at
    order_id = document.identifier("id")
    returned = _returned(document, order_id)
    taxes = Taxes(document, currency)
    deliveries, leads_to, virtual = _deliveries(document, config)
    around = _Around(currency, taxes, config.skus, returned, leads_to, virtual)
    lines = tuple(read for line in document.children("line_items") if (read := _line(line, around)) is not None)
    if not lines:
        document.fail("line_items", "has only lines of 0 units", "send at least one line with units")
    amounts = read_amounts(document, lines, currency, taxes, config.shipping_charges)
    status = state(document, "state", _STATUS, OrderStatus.OPEN)
    return build_order(
        document,
        channel=config.channel,
        external_id=order_id,
        display_number=document.optional_identifier("reference_id") or document.optional_identifier("ticket_name"),
        source_version=_version(document, updated_at),
        status=status,
        payment=payment_status(document, amounts.total_minor if amounts else None, currency),
        placed_at=placed_at,
        updated_at=updated_at,
        cancelled_at=_closed_at(document, updated_at) if status is OrderStatus.CANCELLED else None,
        currency=currency,
        lines=lines,
        deliveries=deliveries,
        amounts=amounts,
        refunds=_refunds(document, currency, returned),
        body_sha256=sha256,
        payments=read_payments(document, currency),
        discounts=read_discounts(document, currency),
        buyer=incidental_id(document, "customer_id"),
        note=_note(document),
        hold_reason=_hold_reason(document) if status is OrderStatus.OPEN else None,
    )


def read_refund_notice(document: Cursor, config: SquareConfig) -> RefundNotice:
    """What an order that takes goods back says: which order it is of, which lines, and how far the money is.

    Raises `UnreadableBody` or `InvalidMoney`.
    """
    currency = currency_of(document)
    backs = list(document.children("returns"))
    refunds = list(document.children("refunds"))
    if not backs:
        document.fail("returns", "is missing or empty", "send an order that takes goods back, or a refund")
    quantities: Counter[str] = Counter()
    for back in backs:
        quantities.update(_returned_lines(back))
    if refunds:
        refund = read_refund(refunds[0], currency, quantities)
    else:
        # What was free, or is exchanged for something else, comes back without money.
        refund = document.build(
            Refund,
            refund=document.identifier("id"),
            created_at=document.instant("created_at"),
            refunded_to_buyer_minor=0,
            quantities=tuple(quantities.items()),
        )
    total_minor = sum(read_refund(one, currency).refunded_to_buyer_minor for one in refunds)
    return document.build(
        RefundNotice,
        channel=config.channel,
        external_id=backs[0].identifier("source_order_id"),
        refund=refund.model_copy(update={"refunded_to_buyer_minor": total_minor}),
        updated_at=document.optional_instant("updated_at") or refund.created_at,
        returns_goods=bool(quantities),
    )


def only_takes_back(document: Cursor) -> bool:
    """Whether an order sells nothing and is there to take back what another one sold."""
    return not document.fields.get("line_items") and bool(document.fields.get("returns"))


def left_over_the_counter(document: Cursor) -> bool:
    """Whether an order was completed with nothing to deliver: goods that left the shop with their buyer."""
    if document.fields.get("state") != "COMPLETED":
        return False
    return all(one.optional_text("type") == _COUNTER for one in document.children("fulfillments"))


def _hold_reason(document: Cursor) -> str | None:
    """Why goods must not leave yet: a draft, a ticket that is open at the till, or nothing left to be fulfilled."""
    if document.fields.get("state") == "DRAFT":
        return "DRAFT"
    every = [one for one in document.children("fulfillments") if one.optional_text("type") != _COUNTER]
    if not every:
        return _NOWHERE
    states = [one.optional_text("state") or "" for one in every]
    return ", ".join(dict.fromkeys(states)) if all(word in _OFF for word in states) else None


def counter_sale(document: Cursor, order: Order, config: SquareConfig) -> TillSale | None:
    """What left the shop; None where no line names goods. The same whenever the order is read again."""
    goods = [line for line in order.lines if line.physical and line.sku]
    if not goods:
        return None
    location = document.identifier("location_id")
    return document.build(
        TillSale,
        channel=order.channel,
        external_id=order.external_id,
        node=config.locations.get(location, location),
        sold_at=_closed_at(document, order.placed_at),
        lines=tuple(document.build(SoldLine, sku=line.sku, quantity=line.quantity) for line in goods),
    )


def _version(document: Cursor, updated_at: datetime) -> int:
    """An order that was not made through the API has no version."""
    if not document.has("version"):
        return microseconds(updated_at)
    return document.integer("version", least=0, most=2**63 - 1, what="the order's version")


def _closed_at(document: Cursor, otherwise: datetime) -> datetime:
    return document.optional_instant("closed_at") or otherwise


def _line(line: Cursor, around: _Around) -> OrderLine | None:
    """One line; None where it has 0 units, which Square takes away when the order is paid."""
    quantity = units(line, "quantity", least=0)
    if quantity == 0:
        line.odd("quantity", "a line of 0 units was left out")
        return None
    uid = line.identifier("uid")
    variation = line.optional_identifier("catalog_object_id")
    gone = around.returned.get(uid, 0)
    names = [name for name in (free_text(line, "name"), free_text(line, "variation_name")) if name]
    return line.build(
        OrderLine,
        line=uid,
        sku=around.skus.get(variation, variation) if variation else None,
        quantity=quantity,
        current_quantity=max(0, quantity - gone),
        title=", ".join(names)[:2_000] or None,
        listing=variation,
        physical=not around.virtual and line.optional_text("item_type") != "GIFT_CARD",
        delivery=around.leads_to.get(uid, 0),
        amounts=read_line_amounts(line, quantity, around.currency, around.taxes),
    )


def _returned(document: Cursor, order_id: str) -> Counter[str]:
    """The lines of this very order that came back; goods of other orders, in an exchange, are noted only."""
    quantities: Counter[str] = Counter()
    for back in document.children("returns"):
        source = back.optional_identifier("source_order_id")
        if source in (None, order_id):
            quantities.update(_returned_lines(back))
        else:
            back.odd("source_order_id", f"goods of the order {source} come back with this one")
    return quantities


def _returned_lines(back: Cursor) -> Counter[str]:
    quantities: Counter[str] = Counter()
    for line in back.children("return_line_items"):
        uid = line.optional_identifier("source_line_item_uid")
        if uid is not None:
            quantities[uid] += units(line, "quantity")
    return quantities


def _refunds(document: Cursor, currency: str, returned: Mapping[str, int]) -> tuple[Refund, ...]:
    """The order's refunds are of tenders; its returns go to the one refund there is, and to none of several."""
    refunds = list(document.children("refunds"))
    quantities = returned if len(refunds) == 1 else None
    return tuple(read_refund(refund, currency, quantities) for refund in refunds)


def _deliveries(document: Cursor, config: SquareConfig) -> tuple[tuple[Delivery, ...], dict[str, int], bool]:
    """The deliveries, which line goes with which of them, and whether nothing is delivered at all."""
    every = [one for one in document.children("fulfillments") if one.optional_text("type") != _COUNTER]
    live = [one for one in every if one.optional_text("state") not in _OFF] or every
    goods = [one for one in live if one.optional_text("type") != _VIRTUAL]
    leads_to: dict[str, int] = {}
    for index, one in enumerate(goods):
        for entry in one.children("entries"):
            uid = entry.identifier("line_item_uid")
            if leads_to.setdefault(uid, index) != index:
                entry.odd("line_item_uid", f"the line {uid} is delivered in several ways; the first one is kept")
    deliveries = tuple(_delivery(one, document, config) for one in goods)
    return deliveries or (Delivery(),), leads_to, bool(live) and not goods


def _delivery(one: Cursor, document: Cursor, config: SquareConfig) -> Delivery:
    kind = state(one, "type", {name: name for name in _DETAILS}, "SHIPMENT")
    details = one.optional_child(_DETAILS[kind]) or Cursor({}, parent=one, key=_DETAILS[kind])
    location = document.identifier("location_id")
    method, service, not_before = DeliveryMethod.SHIP, None, None
    if kind == "PICKUP":
        method, not_before = DeliveryMethod.PICKUP, details.optional_instant("pickup_at")
    elif kind == "DELIVERY":
        not_before = details.optional_instant("deliver_at")
        service = free_text(details, "courier_provider_name")
        if details.optional_text("schedule_type") == "ASAP":
            method = DeliveryMethod.ONE_HOUR
    else:
        service = free_text(details, "shipping_type") or free_text(details, "carrier")
    return one.build(
        Delivery,
        method=method,
        pickup_node=config.locations.get(location, location) if kind == "PICKUP" else None,
        address=_address(details.optional_child("recipient")),
        service=service,
        ship_by=details.optional_instant("expected_shipped_at") if kind == "SHIPMENT" else None,
        not_before=not_before,
        fulfilment=_fulfilment(one, document, location),
    )


def _fulfilment(one: Cursor, document: Cursor, location: str) -> str | None:
    """Location, fulfilment and version, which an update has to name; None where Square allows none."""
    uid = one.optional_identifier("uid")
    if uid is None or not document.has("version"):
        return None
    reference = f"{location}/{uid}/{document.fields['version']}"
    if len(reference) > 128:
        one.odd("uid", "is too long to be kept", OddityCode.ODD_VALUE)
        return None
    return reference


def _address(recipient: Cursor | None) -> Address | None:
    if recipient is None:
        return None
    place = recipient.optional_child("address") or Cursor({}, parent=recipient, key="address")
    names = (free_text(place, "first_name"), free_text(place, "last_name"))
    country = place.optional_text("country") or ""
    street = (free_text(place, f"address_line_{number}") for number in (1, 2, 3))
    return recipient.build(
        Address,
        recipient=free_text(recipient, "display_name") or " ".join(name for name in names if name) or None,
        phone=free_text(recipient, "phone_number"),
        street=tuple(line for line in street if line),
        district=free_text(place, "sublocality"),
        city=free_text(place, "locality"),
        region=free_text(place, "administrative_district_level_1"),
        postal_code=free_text(place, "postal_code"),
        country=country if len(country) == 2 and country.isascii() and country.isupper() else None,
    )


def _note(document: Cursor) -> str | None:
    """What the buyer wrote beside the first fulfilment."""
    for one in document.children("fulfillments"):
        for details, key in (
            ("pickup_details", "note"),
            ("shipment_details", "shipping_note"),
            ("delivery_details", "note"),
        ):
            held = one.optional_child(details)
            if held is not None and held.has(key):
                return free_text(held, key)
    return None
