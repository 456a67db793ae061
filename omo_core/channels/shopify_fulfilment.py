"""Reads Shopify's fulfilment orders: which line reaches the buyer how, from when, and whether it is on hold.

Source: https://shopify.dev/docs/api/admin-rest/latest/resources/fulfillmentorder (delivery_method, fulfillment_holds,
status); the methods are named in
https://shopify.dev/changelog/delivery-method-property-in-the-rest-fullfillmentorder-resource.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from omo_core.channels.cursor import Cursor, microseconds
from omo_core.channels.fields import state, units
from omo_core.channels.intents import Quantities
from omo_core.channels.shopify_delivery import ShopifyConfig
from omo_core.model.errors import InvalidInput, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Delivery, Order
from omo_core.model.values import Count, Identifier, Instant, Text, Value

_COLLECTED: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("pick_up", "retail"), True),
    **dict.fromkeys(("shipping", "local", "none", "pickup_point"), False),
}
"""Whether a method_type means that the buyer comes to the location."""

_FINISHED: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("open", "in_progress", "scheduled", "on_hold", "incomplete"), False),
    **dict.fromkeys(("closed", "cancelled"), True),
}


class FulfilmentLine(Value):
    """Units of an order's line in a fulfilment order; `own` is the id that fulfilments are made with."""

    line: Identifier
    own: Identifier
    open_units: Count


class FulfilmentOrder(Value):
    """The part of an order that Shopify wants done at one location."""

    fulfilment_order: Identifier
    order: Identifier
    location: Identifier | None = None
    finished: bool = False
    collected: bool = False
    """The buyer comes to the location."""
    hold_reason: Text | None = None
    not_before: Instant | None = None
    ship_by: Instant | None = None
    deliver_by: Instant | None = None
    updated_at: Instant | None = None
    lines: tuple[FulfilmentLine, ...] = ()

    def own_lines(self, quantities: Quantities) -> Quantities:
        """(line of the order, units) pairs as this fulfilment order names its lines, for the parcels of `Ship`.

        Raises `InvalidInput` where a line is not part of it.
        """
        known = {line.line: line.own for line in self.lines}
        missing = next((line for line, _ in quantities if line not in known), None)
        if missing is not None:
            raise InvalidInput(f"line {missing} is not part of fulfilment order {self.fulfilment_order}")
        return tuple((known[line], quantity) for line, quantity in quantities)


def read_fulfilment_orders(document: Cursor) -> tuple[FulfilmentOrder, ...]:
    """The fulfilment orders in {"fulfillment_orders": [...]} or {"fulfillment_order": {...}}."""
    if document.has("fulfillment_order"):
        return (_read(document.child("fulfillment_order")),)
    if not document.has("fulfillment_orders"):
        document.fail("fulfillment_orders", "is missing", "send what fulfillment_orders.json answers")
    return tuple(_read(one) for one in document.children("fulfillment_orders"))


def with_fulfilment_orders(order: Order, document: Cursor, config: ShopifyConfig, sha256: str) -> Order:
    """The order with what its fulfilment orders tell: a delivery for each line, and why it is on hold."""
    work = read_fulfilment_orders(document)
    stray = next((one for one in work if one.order != order.external_id), None)
    if stray is not None:
        path = f"{document.path}.fulfillment_orders"
        raise UnreadableBody(f"{path} are of order {stray.order}, not {order.external_id}; send its own", path=path)
    plain = order.deliveries[0]
    wanted: dict[str, Delivery] = {}
    # Of a line in two open ones the first is taken here too.
    open_work = [one for one in reversed(work) if not one.finished]
    named = {line.line: (one.fulfilment_order, line.own) for one in open_work for line in one.lines}
    # What was moved or called off stays as closed work beside the work that took its place.
    for one in sorted(work, key=lambda found: found.finished):
        delivery = _delivery(one, plain, config)
        for line in one.lines:
            if wanted.setdefault(line.line, delivery) != delivery and not one.finished:
                document.odd("fulfillment_orders", f"has line {line.line} in two ways; the first is taken")
    ways = list(dict.fromkeys(wanted.get(line.line, plain) for line in order.lines))
    holds = list(dict.fromkeys(one.hold_reason for one in work if one.hold_reason))
    latest = max((microseconds(one.updated_at) for one in work if one.updated_at), default=0)
    changes = {
        "deliveries": tuple(ways),
        "lines": tuple(
            line.model_copy(
                update={
                    "delivery": ways.index(wanted.get(line.line, plain)),
                    "fulfilment": named.get(line.line, (None, None))[0],
                    "fulfilment_line": named.get(line.line, (None, None))[1],
                }
            )
            for line in order.lines
        ),
        "hold_reason": "; ".join(holds)[:2_000] or order.hold_reason,
        "oddities": (*order.oddities, *document.oddities),
        "source_version": max(order.source_version, latest),
        "body_sha256": sha256,
    }
    return order.model_copy(update=changes)


def _delivery(work: FulfilmentOrder, plain: Delivery, config: ShopifyConfig) -> Delivery:
    """How the work's lines reach the buyer; `plain` is what the order itself tells."""
    changes: dict[str, Any] = {
        "not_before": work.not_before or plain.not_before,
        "ship_by": work.ship_by or plain.ship_by,
        "deliver_by": work.deliver_by or plain.deliver_by,
    }
    if work.collected and work.location is not None:
        node = config.locations.get(work.location, work.location)
        changes |= {"method": DeliveryMethod.PICKUP, "pickup_node": node, "address": None}
    return plain.model_copy(update=changes)


def _read(one: Cursor) -> FulfilmentOrder:
    method = one.optional_child("delivery_method")
    finished = state(one, "status", _FINISHED, False)
    scheduled = one.optional_text("status") == "scheduled"
    starts_at = method.optional_instant("min_delivery_date_time") if method else None
    return one.build(
        FulfilmentOrder,
        fulfilment_order=one.identifier("id"),
        order=one.identifier("order_id"),
        location=one.optional_identifier("assigned_location_id"),
        finished=finished,
        collected=state(method, "method_type", _COLLECTED, False) if method else False,
        hold_reason=None if finished else _hold_reason(one),
        # Elsewhere fulfill_at is only the hour the order was placed in.
        not_before=(one.optional_instant("fulfill_at") if scheduled else None) or starts_at,
        ship_by=one.optional_instant("fulfill_by"),
        deliver_by=method.optional_instant("max_delivery_date_time") if method else None,
        updated_at=one.optional_instant("updated_at"),
        lines=tuple(
            line.build(
                FulfilmentLine,
                line=line.identifier("line_item_id"),
                own=line.identifier("id"),
                open_units=units(line, "fulfillable_quantity", least=0) if line.has("fulfillable_quantity") else 0,
            )
            for line in one.children("line_items")
        ),
    )


def _hold_reason(one: Cursor) -> str | None:
    holds: Sequence[str] = [
        ": ".join(filter(None, (hold.optional_text("reason"), hold.optional_text("reason_notes"))))
        for hold in one.children("fulfillment_holds")
    ]
    if holds or one.optional_text("status") == "on_hold":
        return ("; ".join(filter(None, holds)) or "on_hold")[:2_000]
    # The merchant asks whoever fulfils to stop; the goods stay until that is answered.
    asked = one.optional_text("request_status") == "cancellation_requested"
    return "cancellation_requested" if asked else None
