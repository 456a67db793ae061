"""What both versions of Amazon's order documents share: money objects, receivers, pickups, and what keeps goods back.

Source of the marketplaces: https://developer-docs.amazon.com/sp-api/docs/marketplace-ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import DialectConfig
from omo_core.channels.fields import free_text, money_object
from omo_core.model.errors import InvalidMoney
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Address, Delivery, Order, OrderAmounts, OrderLine, OrderStatus, PaymentStatus
from omo_core.model.values import ChannelId, Currency, GeoPoint, NodeId


class AmazonConfig(DialectConfig):
    """How to reach and read one seller on one marketplace; `secrets` are the tokens of the host's own queue reader."""

    channel: ChannelId = "amazon"
    api: Literal["2026-01-01", "v0"] = "2026-01-01"
    """Which version of the Orders API requests ask for; documents of both are read."""
    region: Literal["na", "eu", "fe"] = "na"
    """Whose endpoint is asked: North America, Europe with India, or the Far East."""
    marketplace: Annotated[str, Field(pattern=r"^[A-Z0-9]{8,20}$")] | None = None
    """The marketplace's id; without it only single orders can be fetched."""
    seller: Annotated[str, Field(pattern=r"^[A-Z0-9]{8,20}$")] | None = None
    """The merchant token: stock levels need it, and notifications of another seller are refused."""
    currency: Currency | None = None
    """Of orders that name none, as pending ones do; None takes the marketplace's."""
    personal_data: bool = True
    """Ask for the receiver too; for v0 its call wants a restricted data token."""
    fulfilled_by: Literal["merchant", "all"] = "merchant"
    """Whether pages of changes also hold what Amazon sends from its own warehouses."""
    pickup_nodes: Mapping[str, NodeId] = {}
    """Store id, supply source id, or receiver's name of an in-store pickup, to the node where it is collected."""
    pickup_node: NodeId | None = None
    """Where pickups are collected that name no store."""


class Words(NamedTuple):
    """How a version writes the fields that both have."""

    currency: str
    amount: str
    name: str
    street: tuple[str, ...]
    district: tuple[str, ...]
    city: str
    region: str
    postal_code: str
    country: str
    phone: str


V0: Final = Words(
    currency="CurrencyCode",
    amount="Amount",
    name="Name",
    street=("CompanyName", "AddressLine1", "AddressLine2", "AddressLine3"),
    district=("District", "County", "Municipality"),
    city="City",
    region="StateOrRegion",
    postal_code="PostalCode",
    country="CountryCode",
    phone="Phone",
)
V2026: Final = Words(
    currency="currencyCode",
    amount="amount",
    name="name",
    street=("companyName", "addressLine1", "addressLine2", "addressLine3"),
    district=("districtOrCounty", "municipality"),
    city="city",
    region="stateOrRegion",
    postal_code="postalCode",
    country="countryCode",
    phone="phone",
)

_EURO: Final = (
    *("A28R8C7NBKEWEA", "A1RKKUPIHCS9HS", "A13V1IB3VIYZZH", "AMEN7PMS3EDWL"),
    *("A1805IZSGTT6HS", "A1PA6795UKMFR9", "APJ6JRA9NG5V4"),
)
_CURRENCIES: Final[Mapping[str, str]] = {
    "ATVPDKIKX0DER": "USD",
    "A2EUQ1WTGCTBG2": "CAD",
    "A1AM78C64UM0Y8": "MXN",
    "A2Q3Y263D00KWC": "BRL",
    "A1F83G8C2ARO7P": "GBP",
    "A2NODRKZP88ZB9": "SEK",
    "AE08WJ6YKNBMC": "ZAR",
    "A1C3SOZRARQ6R3": "PLN",
    "ARBP9OOSHTCHU": "EGP",
    "A33AVAJ2PDY3EV": "TRY",
    "A17E79C6D8DWNP": "SAR",
    "A2VIGQ35RCS4UG": "AED",
    "A21TJRUUN4KGV": "INR",
    "A19VAU5U5O7RUS": "SGD",
    "A39IBJ37TRP1C6": "AUD",
    "A1VC38T7YXB528": "JPY",
    **dict.fromkeys(_EURO, "EUR"),
}
"""Marketplace id to the currency its prices are in."""

PENDING: Final = (OrderStatus.OPEN, PaymentStatus.PENDING)
READY: Final = (OrderStatus.OPEN, PaymentStatus.AUTHORISED)
SENT: Final = (OrderStatus.CLOSED, PaymentStatus.AUTHORISED)
CANCELLED: Final = (OrderStatus.CANCELLED, PaymentStatus.UNKNOWN)
UNKNOWN: Final = (OrderStatus.OPEN, PaymentStatus.UNKNOWN)
"""What a status says of the order and of its money: Amazon authorises a payment before it lets an order be sent."""


def priced(cursor: Cursor, key: str, currency: str, words: Words) -> int | None:
    """Minor units of a money object of the order's currency; None where it is missing. Raises `InvalidMoney`."""
    return money_object(cursor, key, currency, amount=words.amount, unit=words.currency)


def currency_of(
    document: Cursor, marketplace: str | None, moneys: Iterable[Cursor | None], config: AmazonConfig
) -> str:
    """The currency of the first money object there is; of an order without money, the marketplace's."""
    for money in moneys:
        if money is not None:
            return money.currency(V2026.currency if V2026.currency in money.fields else V0.currency)
    found = config.currency or _CURRENCIES.get(marketplace or config.marketplace or "")
    if found is None:
        raise InvalidMoney(f"{document.path} names no currency; set currency in the channel's configuration")
    return found


class Extras(NamedTuple):
    """An order's money beside its lines, in minor units."""

    discount: int
    shipping: int
    fee: int
    tip: int
    tax: int


def amounts_of(document: Cursor, lines: Sequence[OrderLine], extras: Extras, total_minor: int) -> OrderAmounts:
    """The order's amounts. Neither version says whether its prices hold the tax: the total does."""
    gross = sum(line.amounts.gross_minor for line in lines if line.amounts)
    without_tax = gross - extras.discount + extras.shipping + extras.fee + extras.tip
    return document.build(
        OrderAmounts,
        taxes_included=bool(extras.tax) and without_tax == total_minor,
        line_gross_minor=gross,
        discount_minor=extras.discount,
        shipping_minor=extras.shipping,
        tax_minor=extras.tax,
        tip_minor=extras.tip,
        fee_minor=extras.fee,
        total_minor=total_minor,
    )


def read_address(address: Cursor | None, words: Words) -> Address | None:
    """A receiver; one without name and street was withheld, because the caller may not see personal data."""
    if address is None:
        return None

    def text(key: str) -> str | None:
        return (free_text(address, key) or "").strip() or None if address.fields.get(key) else None

    street = tuple(line for line in map(text, words.street) if line)
    country = text(words.country) or ""
    name = text(words.name)
    return address.build(
        Address,
        recipient=name,
        phone=text(words.phone),
        street=street,
        district=next((found for found in map(text, words.district) if found), None),
        city=text(words.city),
        region=text(words.region),
        postal_code=text(words.postal_code),
        country=country if len(country) == 2 and country.isascii() and country.isupper() else None,
        masked=name is None and not street,
        point=_point(address),
    )


def _point(address: Cursor) -> GeoPoint | None:
    extended = address.optional_child("ExtendedFields")
    place = extended.optional_child("GeoCoordinates") if extended else None
    return place.point("Latitude", "Longitude") if place else None


class Way(NamedTuple):
    """How an order travels, whichever version says so."""

    address: Address | None
    service: str | None
    ship_by: datetime | None
    deliver_by: datetime | None
    pickup: bool
    stores: tuple[str, ...]


Window = tuple[datetime | None, datetime | None]
"""When a line's delivery is booked for: from, until."""


def deliveries_of(
    document: Cursor, way: Way, windows: Sequence[Window], config: AmazonConfig
) -> tuple[tuple[Delivery, ...], str | None]:
    """One delivery for each window that lines are booked for, in order, and why a pickup cannot be prepared yet."""
    names = (*way.stores, *((way.address.recipient,) if way.address and way.address.recipient else ()))
    node = next((config.pickup_nodes[name] for name in names if name in config.pickup_nodes), None)
    node = node or next(iter(way.stores), None) or config.pickup_node
    held = "an in-store pickup that names no store" if way.pickup and node is None else None
    collected = way.pickup and node is not None
    return (
        tuple(
            document.build(
                Delivery,
                method=DeliveryMethod.PICKUP if collected else DeliveryMethod.SHIP,
                pickup_node=node if collected else None,
                address=way.address,
                service=way.service,
                deliver_by=until or way.deliver_by,
                ship_by=way.ship_by,
                not_before=since,
            )
            for since, until in windows
        ),
        held,
    )


def hold_of(status: OrderStatus, payment: PaymentStatus, word: str, *reasons: str | None) -> str | None:
    """Why goods must not leave yet; nothing keeps back what left already, or never will."""
    if status is not OrderStatus.OPEN:
        return None
    pending = f"{word}: Amazon has not released the order for shipment" if payment is PaymentStatus.PENDING else None
    stuck = f"{word}: Amazon cannot fulfil the order" if word.lower() == "unfulfillable" else None
    return next((reason for reason in (*reasons, stuck, pending) if reason), None)


def asked(reason: str | None) -> str:
    """The hold of an order whose buyer wishes to cancel."""
    return f"the buyer asks to cancel: {reason}"[:500] if reason else "the buyer asks to cancel"


def wishes(order: Order) -> bool:
    """Whether an order is held because its buyer wishes to cancel."""
    return (order.hold_reason or "").startswith("the buyer asks to cancel")
