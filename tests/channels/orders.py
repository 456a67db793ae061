"""Canonical orders for the channel tests: one by hand, and strategies that draw many."""

from __future__ import annotations

from datetime import UTC, datetime

from omo_core.channels.cursor import microseconds
from omo_core.model.orders import Address, Delivery, LineAmounts, Order, OrderAmounts, OrderLine, PaymentStatus
from omo_core.model.values import GeoPoint

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def plain_order() -> Order:
    """Two lines for USD 39.00: 2 × 12.50 − 1.00 and 1 × 10.00, with 5.00 of shipping."""
    lines = (
        OrderLine(
            line="11",
            sku="MUG-BLUE",
            quantity=2,
            current_quantity=2,
            title="Mug, blue",
            amounts=LineAmounts(list_unit_price_minor=1250, gross_minor=2500, discount_minor=100),
        ),
        OrderLine(
            line="12",
            sku="TEA-100",
            quantity=1,
            current_quantity=1,
            amounts=LineAmounts(list_unit_price_minor=1000, gross_minor=1000),
        ),
    )
    address = Address(
        recipient="Ann Example",
        street=("1 Main Street",),
        city="Springfield",
        country="US",
        point=GeoPoint(latitude=39.8, longitude=-89.65),
    )
    return Order(
        channel="web",
        external_id="820982911946154508",
        display_number="#1001",
        source_version=microseconds(NOON),
        payment=PaymentStatus.PAID,
        placed_at=NOON,
        updated_at=NOON,
        currency="USD",
        lines=lines,
        deliveries=(Delivery(address=address, service="Standard"),),
        amounts=OrderAmounts(
            taxes_included=False, line_gross_minor=3500, discount_minor=100, shipping_minor=500, total_minor=3900
        ),
    )
