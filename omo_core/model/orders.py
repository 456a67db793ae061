"""The canonical order: what a buyer wants from us, whatever channel it came through, with nothing lost."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

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


class Funder(StrEnum):
    """Who pays for a discount, and so whose money a refund of it is."""

    UNKNOWN = "unknown"
    SELLER = "seller"
    PLATFORM = "platform"
    PARTNER = "partner"
    """A third party, such as a bank or the host of a live stream."""


class RefundStatus(StrEnum):
    """How far a refund is."""

    REQUESTED = "requested"
    """The buyer asks; the seller has not answered."""
    AGREED = "agreed"
    """The seller said yes; goods or money are still on their way."""
    REFUSED = "refused"
    DONE = "done"
    """The money went back."""


class OddityCode(StrEnum):
    """What can be odd in an order that was read all the same."""

    MONEY_DOES_NOT_ADD_UP = "money_does_not_add_up"
    UNKNOWN_STATE = "unknown_state"
    """The channel used a word or number for a state that its adapter does not know."""
    NO_ITEM_CODE = "no_item_code"
    """A line without a merchant's code: it is kept, and cannot be sourced."""
    ODD_VALUE = "odd_value"
    """A field of no consequence for goods or money held what it should not, and was left out."""


class Oddity(Value):
    """One odd thing in an order that was read all the same: nothing was invented to make it fit."""

    code: Annotated[OddityCode, enum_of(OddityCode)]
    path: Text
    """Where in the document it stands, such as $.line_items[2].price."""
    sentence: Text


class Address(Value):
    """Where goods go. Masked or encrypted receivers keep the channel's token beside the masked text."""

    recipient: Text | None = None
    phone: Text | None = None
    street: tuple[Text, ...] = ()
    district: Text | None = None
    """The part of a city that a channel names by itself (區, 区, 縣); towns below it stand in the street."""
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
    ship_by: Instant | None = None
    """When the channel wants the goods gone at the latest."""
    not_before: Instant | None = None
    """The goods are wanted from then on: a booked slot, or a pre-order's date."""
    fulfilment: Identifier | None = None
    """What the channel wants to hear as `Ship.fulfilment` when these goods leave, where it has such."""

    def model_post_init(self, _context: Any, /) -> None:
        """Refuse a pickup that names no node."""
        if self.method is DeliveryMethod.PICKUP and self.pickup_node is None:
            raise ValueError("a pickup names its pickup_node")


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
    bundle: bool = False
    """A set whose contents are lines of their own (`parent` names it): it carries the money and no goods."""
    parent: Identifier | None = None
    """The bundle this line is part of: it carries goods, and its money is told by the bundle."""
    preorder: bool = False
    """Sold before there are goods."""
    fulfilment: Identifier | None = None
    """As `Delivery.fulfilment`, where it differs from line to line."""
    fulfilment_line: Identifier | None = None
    """The line's id in that, where it is another one."""

    @property
    def wants_goods(self) -> bool:
        """Whether units of it are still to be fulfilled: physical, no bundle, and some quantity left."""
        return self.physical and not self.bundle and self.current_quantity > 0

    def model_post_init(self, _context: Any, /) -> None:
        """Refuse more units left than were ordered."""
        if self.current_quantity > self.quantity:
            raise ValueError("current_quantity cannot exceed quantity; raise the quantity too")


class DiscountShare(Value):
    """One line's part of a discount."""

    line: Identifier
    amount_minor: Minor


class Discount(Value):
    """One discount as the channel tells of it: how much, who pays for it, and how the channel split it.

    Its money is in the amounts already; a channel that splits nothing gives no shares.
    """

    discount: Identifier | None = None
    """The channel's code or id of it."""
    title: Text | None = None
    funder: Annotated[Funder, enum_of(Funder)] = Funder.UNKNOWN
    amount_minor: Minor
    shares: tuple[DiscountShare, ...] = ()
    shipping_minor: Minor = 0
    """Its part that is taken off shipping."""


class Payment(Value):
    """Money that a buyer gave or promised for an order."""

    payment: Identifier | None = None
    """The channel's or its cashier's id of it."""
    method: Text | None = None
    amount_minor: Minor
    paid_at: Instant | None = None


class OrderAmounts(Value):
    """The order's money in minor units, as the channel states it."""

    taxes_included: bool
    line_gross_minor: Minor
    """Sum of the lines' gross, from the lines; what is inside a bundle is told by the bundle."""
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
    platform_discount_minor: Minor = 0
    """The part of `discount_minor` that the platform pays: the seller gets it from there."""
    presentment_total_minor: Minor | None = None
    """What the buyer saw as the total, in the order's `presentment_currency`."""

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
    """The part of it that the seller bears; None where the channel does not say."""
    quantities: tuple[tuple[Identifier, Quantity], ...] = ()
    """(line, quantity) pairs."""
    status: Annotated[RefundStatus, enum_of(RefundStatus)] = RefundStatus.DONE
    reason: Text | None = None


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

    payments: tuple[Payment, ...] = ()
    discounts: tuple[Discount, ...] = ()
    buyer: Identifier | None = None
    """The channel's id of the buyer, never a name."""
    hold_reason: Text | None = None
    """Why the channel says not to send the goods yet, in its own words: a risk check, a wish to cancel."""
    oddities: tuple[Oddity, ...] = ()
    """What was odd in the document, field by field."""

    def canonical_json(self) -> str:
        """Without what is at its default: a field that orders get later leaves the digests of others as they were."""
        return self.model_dump_json(exclude_defaults=True)

    def model_post_init(self, _context: Any, /) -> None:
        """Refuse an order whose parts contradict each other: ids, deliveries, bundles and the sum of the lines."""
        lines, amounts = self.lines, self.amounts
        for part in (*lines, *self.deliveries):
            part.model_post_init(None)  # it may be a copy with changes, which nobody checked
        if len({line.line for line in lines}) != len(lines):
            raise ValueError("line ids must be unique within the order")
        if max([line.delivery for line in lines]) >= len(self.deliveries):
            raise ValueError("a line's delivery must be an index into deliveries")
        told = [line.amounts for line in lines if line.parent is None]
        if len(told) != len(lines):
            self._check_parts()
        priced = [one.gross_minor for one in told if one is not None]
        if amounts is not None and len(priced) == len(told) and sum(priced) != amounts.line_gross_minor:
            raise ValueError(f"line_gross_minor is {amounts.line_gross_minor}, but the lines add to {sum(priced)}")

    def _check_parts(self) -> None:
        """Raise `ValueError` where a line names a bundle that is none."""
        parents = {line.parent for line in self.lines if line.parent is not None}
        if not parents <= {line.line for line in self.lines if line.bundle}:
            raise ValueError("a line's parent must be the id of a line with bundle set")

    def fulfillable(self) -> tuple[OrderLine, ...]:
        """The lines that still want goods: physical, no bundle, with an item and a quantity left."""
        return tuple(line for line in self.lines if line.wants_goods and line.sku)
