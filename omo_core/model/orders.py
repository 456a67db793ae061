"""The canonical order: what a buyer wants from us, whatever channel it came through, with nothing lost."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from omo_core.model.network import DeliveryMethod, enum_of
from omo_core.model.values import (
    ChannelId,
    Count,
    Currency,
    GeoPoint,
    Identifier,
    Instant,
    Minor,
    NodeId,
    Quantity,
    Sha256,
    Sku,
    Text,
    Value,
)

MAX_LINES = 10_000
_UNUSED: Final = ',"ship_complete":false}'


class OrderStatus(StrEnum):
    """What the channel says of the order as a whole."""

    OPEN = "open"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    """Finished or archived by the channel; says nothing about goods being sent."""


class PaymentStatus(StrEnum):
    """What the channel says of the money; `unknown` where it says nothing or a word of its own."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    AUTHORISED = "authorised"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"


class Address(Value):
    """Where goods go. Masked or encrypted receivers keep the channel's token beside the masked text."""

    recipient: Text | None = None
    phone: Text | None = None
    street: tuple[Text, ...] = ()
    city: Text | None = None
    region: Text | None = None
    postal_code: Text | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    masked: bool = False
    token: Text | None = None
    point: GeoPoint | None = None


class Delivery(Value):
    """One way in which lines of an order reach the buyer; an order may have several."""

    method: Annotated[DeliveryMethod, enum_of(DeliveryMethod)] = DeliveryMethod.SHIP
    pickup_node: NodeId | None = None
    address: Address | None = None
    service: Text | None = None
    """The channel's name of the shipping service."""
    deliver_by: Instant | None = None

    @model_validator(mode="after")
    def _pickup_names_its_node(self) -> Self:
        if self.method is DeliveryMethod.PICKUP and self.pickup_node is None:
            raise ValueError("a pickup names its pickup_node")
        return self


class LineAmounts(Value):
    """A line's money in minor units of the order's currency, for the whole quantity ordered."""

    list_unit_price_minor: Minor
    gross_minor: Minor
    """Quantity × list price, or the total the channel states where it prices by line."""
    discount_minor: Minor = 0
    """This line's share of every discount, as the channel split it; positive."""
    tax_minor: Minor = 0

    @property
    def net_minor(self) -> int:
        """What the line costs after discounts; holds the tax where the order's prices include it."""
        return self.gross_minor - self.discount_minor


class OrderLine(Value):
    """One item and how many of it; `current_quantity` is what remains after edits and removals."""

    line: Identifier
    """The channel's id of the line, unique in its order."""
    sku: Sku | None = None
    """None where the channel sells something we have no item for; such a line is never sourced."""
    quantity: Quantity
    current_quantity: Count
    title: Text | None = None
    listing: Identifier | None = None
    """How the channel names the item, such as a variant id."""
    physical: bool = True
    """False for gift cards, services and the like: paid for, never fulfilled from stock."""
    gift: bool = False
    delivery: Annotated[int, Field(ge=0)] = 0
    """Index into the order's deliveries."""
    amounts: LineAmounts | None = None

    @model_validator(mode="after")
    def _current_is_within_ordered(self) -> Self:
        if self.current_quantity > self.quantity:
            raise ValueError("current_quantity cannot exceed quantity; raise the quantity too")
        return self


class OrderAmounts(Value):
    """The order's money in minor units, as the channel states it."""

    taxes_included: bool
    line_gross_minor: Minor
    """Sum of the lines' gross, from the lines."""
    discount_minor: Minor = 0
    """Every discount of the order: the lines' shares, shipping discounts, and what was not split."""
    shipping_minor: Minor = 0
    """Before discount."""
    tax_minor: Minor = 0
    tip_minor: Minor = 0
    fee_minor: Minor = 0
    """Duties, packaging and other additions."""
    rounding_minor: Minor = 0
    total_minor: Minor

    @property
    def computed_total_minor(self) -> int:
        """What the parts add up to."""
        tax = 0 if self.taxes_included else self.tax_minor
        extras = self.shipping_minor + self.tip_minor + self.fee_minor + self.rounding_minor
        return self.line_gross_minor - self.discount_minor + extras + tax

    @property
    def imbalance_minor(self) -> int:
        """By how much the stated total differs from its parts; 0 where the money adds up."""
        return self.total_minor - self.computed_total_minor


class Refund(Value):
    """Money going back, and the lines it is for; goods may or may not come back with it."""

    refund: Identifier
    created_at: Instant
    refunded_to_buyer_minor: Minor
    sellers_share_minor: Minor | None = None
    quantities: tuple[tuple[Identifier, Quantity], ...] = ()
    """(line, quantity) pairs."""


class Order(Value):
    """The canonical order: one version of what a channel told us, kept whole.

    (channel, external_id) is its identity; `source_version` only grows and tells newer from older.
    """

    channel: ChannelId
    external_id: Identifier
    display_number: Identifier | None = None
    source_version: Annotated[int, Field(ge=0, lt=2**63)]
    """Monotone per order: the channel's version number, or its update time in microseconds."""
    status: Annotated[OrderStatus, enum_of(OrderStatus)] = OrderStatus.OPEN
    payment: Annotated[PaymentStatus, enum_of(PaymentStatus)] = PaymentStatus.UNKNOWN
    placed_at: Instant
    updated_at: Instant
    cancelled_at: Instant | None = None
    cancel_reason: Text | None = None
    test: bool = False
    currency: Currency
    presentment_currency: Currency | None = None
    lines: tuple[OrderLine, ...] = Field(min_length=1, max_length=MAX_LINES)
    deliveries: tuple[Delivery, ...] = Field(min_length=1, max_length=1_000)
    amounts: OrderAmounts | None = None
    refunds: tuple[Refund, ...] = ()
    note: Text | None = None
    body_sha256: Sha256 | None = None
    """Hash of the bytes it was read from."""
    ship_complete: bool = False
    """Send all that is open of a delivery, or nothing of it until all can be sent."""

    def canonical_json(self) -> str:
        """Without what orders got later and this one does not use: its digest stays what it was."""
        text = super().canonical_json()
        return text[: -len(_UNUSED)] + "}" if text.endswith(_UNUSED) else text

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len({line.line for line in self.lines}) != len(self.lines):
            raise ValueError("line ids must be unique within the order")
        if any(line.delivery >= len(self.deliveries) for line in self.lines):
            raise ValueError("a line's delivery must be an index into deliveries")
        if self.amounts is not None and all(line.amounts for line in self.lines):
            gross = sum(line.amounts.gross_minor for line in self.lines if line.amounts)
            if gross != self.amounts.line_gross_minor:
                raise ValueError(f"line_gross_minor is {self.amounts.line_gross_minor}, but the lines add to {gross}")
        return self

    def fulfillable(self) -> tuple[OrderLine, ...]:
        """The lines that still want goods: physical, with an item and a quantity left."""
        return tuple(line for line in self.lines if line.physical and line.sku and line.current_quantity)
