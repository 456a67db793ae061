"""Puts BigCommerce's documents of one order together: the order, its products, consignments, coupons and refunds.

Source of the fields: https://developer.bigcommerce.com/docs/rest-management/orders and .../orders/order-consignments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field

from omo_core.channels.bigcommerce_money import (
    PAYMENT,
    Purse,
    read_amounts,
    read_discounts,
    read_line_amounts,
    read_payments,
    read_refund,
)
from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.dialect import DialectConfig, build_order
from omo_core.channels.fields import free_text, optional_rfc2822, optional_units, rfc2822, state, units
from omo_core.channels.port import RefundNotice
from omo_core.channels.reading import read_json
from omo_core.model.errors import UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery, Order, OrderLine, OrderStatus, PaymentStatus
from omo_core.model.values import ChannelId, Currency, NodeId

PRODUCTS_PAGE: Final = 250

_STATUS: Final[Mapping[str, OrderStatus]] = {
    **dict.fromkeys(("0", "1", "3", "7", "8", "9", "11", "12", "13", "14"), OrderStatus.OPEN),
    **dict.fromkeys(("2", "4", "10"), OrderStatus.CLOSED),
    **dict.fromkeys(("5", "6"), OrderStatus.CANCELLED),
}
_HELD: Final[Mapping[str, str]] = {
    "0": "Incomplete",
    "1": "Pending",
    "7": "Awaiting Payment",
    "12": "Manual Verification Required",
    "13": "Disputed",
}
"""States in which the goods are not to leave yet."""
_AT_THE_DOOR: Final = "cash on delivery"

_AFTERWARDS: Final = frozenset({"13", "14"})
"""Disputed, partially refunded: states that an order comes into before its goods are sent, or after."""

_PRODUCT: Final = re.compile(r"/orders/[0-9]+/products/([0-9]+)")


class BigCommerceConfig(DialectConfig):
    """How to read one store's messages; `secrets` are the values of the header that its webhooks were made with."""

    channel: ChannelId = "bigcommerce"
    secret_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,60}$")] = "X-Webhook-Secret"
    """A webhook sends the headers that it was made with: give it one whose value nobody else knows."""
    store_hash: Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}$")] | None = None
    """The store in every address; without it nothing can be fetched."""
    currency: Currency | None = None
    """Of refund documents, which name none."""
    locations: Mapping[str, NodeId] = {}
    """Id of a pickup location to our node; a location not listed is called by its code, or else its id."""
    default_location: Annotated[int, Field(gt=0)] = 1
    """Whose stock is told where a level names no location."""


@dataclass(slots=True)
class Documents:
    """What was found beside the order."""

    products: list[Cursor] = field(default_factory=list)
    addresses: list[Cursor] = field(default_factory=list)
    coupons: list[Cursor] = field(default_factory=list)
    refunds: list[Cursor] = field(default_factory=list)
    consignments: Cursor | None = None


def sort_out(bodies: Sequence[bytes], noted: Cursor, max_bytes: int) -> Documents:
    """Tell the documents beside an order by their shape; an empty collection is an empty body. Raises `UnreadableBody`.

    What is odd in them is noted with the order.
    """
    found = Documents()
    for number, body in enumerate(bodies, start=1):
        if not body.strip():
            continue
        document = read_json(body, max_bytes=max_bytes)
        name = f"documents[{number}]"
        if isinstance(document, dict) and not document.keys().isdisjoint({"pickups", "shipping", "downloads"}):
            found.consignments = Cursor(document, parent=noted, key=name)
        elif isinstance(document, dict):
            found.refunds += Cursor(document, parent=noted, key=name).children("data")
        else:
            _sort_list(Cursor({"list": document}, parent=noted, key=name), found)
    return found


def _sort_list(document: Cursor, found: Documents) -> None:
    for one in document.children("list"):
        if one.has("street_1"):
            found.addresses.append(one)
        elif one.has("coupon_id") or one.has("discount"):
            found.coupons.append(one)
        elif not one.has("tax_rate_id"):
            # An order's taxes are told again by its lines and its total.
            found.products.append(one)


def read_order(order: Cursor, beside: Documents, config: BigCommerceConfig, sha256: str) -> Order:
    """The canonical order of these documents; raises `UnreadableBody` or `InvalidMoney`."""
    order_id = order.identifier("id")
    currency = order.currency("default_currency_code" if order.fields.get("default_currency_code") else "currency_code")
    shown = order.currency("currency_code") if order.fields.get("currency_code") else currency
    purse = Purse(currency)
    placed_at = rfc2822(order, "date_created")
    updated_at = optional_rfc2822(order, "date_modified") or placed_at
    status = _status(order)
    payment = state(order, "payment_status", PAYMENT, PaymentStatus.UNKNOWN)
    deliveries, leads_to, virtual = _deliveries(beside, config)
    _check_products(order_id, beside.products)
    lines = tuple(_line(product, purse, leads_to, virtual) for product in beside.products)
    amounts = read_amounts(order, lines, purse)
    return build_order(
        order,
        channel=config.channel,
        external_id=order_id,
        display_number=order_id,
        source_version=microseconds(updated_at),
        status=status,
        payment=payment,
        placed_at=placed_at,
        updated_at=updated_at,
        cancelled_at=updated_at if status is OrderStatus.CANCELLED else None,
        currency=currency,
        presentment_currency=shown if shown != currency else None,
        lines=lines,
        deliveries=deliveries,
        amounts=amounts,
        refunds=tuple(read_refund(one, purse, _made_at(one) or updated_at) for one in beside.refunds),
        note=free_text(order, "customer_message"),
        body_sha256=sha256,
        payments=read_payments(order, amounts.total_minor, payment, purse),
        discounts=read_discounts(beside.products, beside.coupons, purse),
        buyer=_buyer(order),
        hold_reason=_hold_reason(order) if status is OrderStatus.OPEN else None,
    )


def _status(order: Cursor) -> OrderStatus:
    """What the state says; a dispute or a refund of a part takes the place of a state that told of all being sent."""
    status = state(order, "status_id", _STATUS, OrderStatus.OPEN)
    if status is not OrderStatus.OPEN:
        return status
    total = optional_units(order, "items_total")
    sent = str(order.fields.get("status_id")) in _AFTERWARDS and 0 < total <= optional_units(order, "items_shipped")
    return OrderStatus.CLOSED if sent or order.boolean("is_deleted", False) else OrderStatus.OPEN


def read_refund_notice(refund: Cursor, config: BigCommerceConfig) -> RefundNotice:
    """A refund document by itself; raises `UnreadableBody` where it or the configuration lacks what it needs."""
    if config.currency is None:
        raise UnreadableBody("a refund names no currency; set the store's currency in the configuration")
    created_at = _made_at(refund)
    if created_at is None:
        refund.fail("created", "is missing or empty", "send the refund as the store made it")
    read = read_refund(refund, Purse(config.currency), created_at)
    return refund.build(
        RefundNotice,
        channel=config.channel,
        external_id=refund.identifier("order_id"),
        refund=read,
        updated_at=created_at,
    )


def _check_products(order_id: str, products: Sequence[Cursor]) -> None:
    if not products:
        raise UnreadableBody("the order's products are missing; send them beside the order, at least one")
    if len(products) >= PRODUCTS_PAGE:
        raise UnreadableBody(f"the order has {PRODUCTS_PAGE} products or more, which is more than one page of them")
    for product in products:
        if product.has("order_id") and product.identifier("order_id") != order_id:
            product.fail("order_id", f"is not the order's {order_id[:40]}", "send the documents of one order together")


def _made_at(refund: Cursor) -> datetime | None:
    text = refund.optional_text("created")
    if text is None:
        return None
    return refund.instant("created") if text[:4].isdigit() else optional_rfc2822(refund, "created")


def _buyer(order: Cursor) -> str | None:
    buyer = order.optional_identifier("customer_id")
    return None if buyer == "0" else buyer


def _hold_reason(order: Cursor) -> str | None:
    if order.fields.get("payment_status") == "held for review":
        return "held for review"
    word = _HELD.get(str(order.fields.get("status_id")))
    # What is paid at the door waits for its payment until it is there.
    at_the_door = (order.optional_text("payment_method") or "").casefold() == _AT_THE_DOOR
    return None if at_the_door and word == "Awaiting Payment" else word


def _line(product: Cursor, purse: Purse, leads_to: Mapping[str, int], virtual: frozenset[str]) -> OrderLine:
    line = product.identifier("id")
    quantity = units(product, "quantity")
    variant = product.optional_identifier("variant_id")
    listing = variant if variant not in (None, "0") else product.optional_identifier("product_id")
    at = f"address/{product.optional_identifier('order_address_id')}"
    return product.build(
        OrderLine,
        line=line,
        sku=product.optional_identifier("sku"),
        quantity=quantity,
        current_quantity=max(0, quantity - optional_units(product, "quantity_refunded")),
        title=free_text(product, "name"),
        listing=None if listing == "0" else listing,
        physical=line not in virtual and product.optional_text("type") not in {"digital", "giftcertificate"},
        delivery=leads_to.get(line, leads_to.get(at, 0)),
        amounts=read_line_amounts(product, purse),
    )


def _deliveries(
    beside: Documents, config: BigCommerceConfig
) -> tuple[tuple[Delivery, ...], dict[str, int], frozenset[str]]:
    """The deliveries; which line, or which address, goes with which of them; and the lines that are only data."""
    deliveries: list[Delivery] = []
    leads_to: dict[str, int] = {}
    virtual: set[str] = set()
    held = beside.consignments
    for pickup in held.children("pickups") if held else ():
        leads_to.update(dict.fromkeys(_lines_of(pickup), len(deliveries)))
        deliveries.append(_pickup(pickup, config))
    for place in (*(held.children("shipping") if held else ()), *(() if held else beside.addresses)):
        leads_to.update(dict.fromkeys(_lines_of(place), len(deliveries)))
        leads_to[f"address/{place.identifier('id')}"] = len(deliveries)
        deliveries.append(_shipping(place))
    for download in held.children("downloads") if held else ():
        virtual.update(_lines_of(download))
    email = held.optional_child("email") if held else None
    for certificate in email.children("gift_certificates") if email else ():
        virtual.update(_lines_of(certificate))
    return tuple(deliveries) or (Delivery(),), leads_to, frozenset(virtual)


def _lines_of(consignment: Cursor) -> Iterator[str]:
    """The products that a consignment links to: a list of links, or only one without a list."""
    links: Any = consignment.fields.get("line_items")
    for link in [links] if isinstance(links, dict) else consignment.children("line_items"):
        cursor = Cursor(link, parent=consignment, key="line_items") if isinstance(link, dict) else link
        found = _PRODUCT.search(cursor.optional_text("resource") or "")
        if found is None:
            cursor.fail("resource", "names no product of the order", "send the link as the store sent it")
        yield found[1]


def _pickup(pickup: Cursor, config: BigCommerceConfig) -> Delivery:
    location = pickup.child("location")
    place = location.identifier("id")
    return pickup.build(
        Delivery,
        method=DeliveryMethod.PICKUP,
        pickup_node=config.locations.get(place) or location.optional_identifier("code") or place,
        service=free_text(pickup, "pickup_method_display_name"),
    )


def _shipping(place: Cursor) -> Delivery:
    """One address that parcels go to; its id is what a shipment has to name."""

    def text(key: str) -> str | None:
        return (free_text(place, key) or "").strip() or None

    names = (text("first_name"), text("last_name"))
    country = text("country_iso2") or ""
    address = place.build(
        Address,
        recipient=" ".join(name for name in names if name) or None,
        phone=text("phone"),
        street=tuple(line for line in (text("company"), text("street_1"), text("street_2")) if line),
        city=text("city"),
        region=text("state"),
        postal_code=text("zip"),
        country=country if len(country) == 2 and country.isascii() and country.isupper() else None,
    )
    return place.build(Delivery, address=address, service=text("shipping_method"), fulfilment=place.identifier("id"))
