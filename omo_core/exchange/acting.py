"""What an event does to the pool: orders are placed, sales booked, cancellations carried out, wishes told as facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from omo_core.channels.port import Cancellation, ChannelEvent, RefundNotice
from omo_core.inventory import apply_many
from omo_core.model.fulfilment import PlacedOrder
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.model.stock import StockAnswer
from omo_core.orders import CancelOrder, SourcingContext, cancel_orders, place_orders, resource_displaced
from omo_core.storage import outbox
from omo_core.storage.transaction import Transaction

OVERTAKEN: Final = frozenset({"stale_version", "order_cancelled"})
"""Refusals of what a newer message has made pointless: deliveries overtake each other, and nothing is lost by it."""


class Unusable(Exception):
    """A message that was read and refused; its transaction leaves nothing behind."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Acted:
    """What a message did: where its order stands now, and what its sale took."""

    placed: PlacedOrder | None = None
    sold: StockAnswer | None = None


def act(
    tx: Transaction, event: ChannelEvent, context: SourcingContext, *, offer: bool = True, asked: bool = False
) -> Acted:
    """Carry out what one event says; the same event again changes nothing. `asked`: the channel was just asked for it.

    A cancellation that is only wished for, of a part, or of what has left, and a refund are told as facts of the outbox:
    what follows is the seller's to decide, and the next version of the order shows it. Raises `Unusable` where the pool
    refuses it.
    """
    sold = _sell(tx, event, context)
    placed = None if event.order is None else place(tx, [event.order], context, offer=offer, asked=asked)[0]
    back = event.cancellation
    if back is not None and not back.requested and not back.quantities:
        (placed,) = cancel_orders(tx, [CancelOrder(channel=back.channel, external_id=back.external_id)])
        if any(refusal.code == "order_closed" for refusal in placed.refusals):
            outbox.publish(tx, [_cancellation_fact(back, "too_late")])
        else:
            _check(placed.refusals)
    elif back is not None:
        outbox.publish(tx, [_cancellation_fact(back, "requested" if back.requested else "partial")])
    if event.refund is not None:
        outbox.publish(tx, [_refund_fact(event.refund)])
    return Acted(placed, sold)


def place(
    tx: Transaction, orders: Sequence[Order], context: SourcingContext, *, offer: bool = True, asked: bool = False
) -> list[PlacedOrder]:
    """Place orders; raises `Unusable` for the first one that is refused and was not merely overtaken."""
    placed = place_orders(tx, orders, context, offer=offer, asked=asked)
    for one in placed:
        _check(one.refusals)
    return placed


def _sell(tx: Transaction, event: ChannelEvent, context: SourcingContext) -> StockAnswer | None:
    if event.counter_sale is None:
        return None
    (answer,) = apply_many(tx, [event.counter_sale.command()])
    _check(answer.refusals)
    if answer.displaced:
        resource_displaced(tx, answer.displaced, context)
    return answer


def _check(refusals: Sequence[Refusal]) -> None:
    for refusal in refusals:
        if refusal.code not in OVERTAKEN:
            raise Unusable(refusal)


def _cancellation_fact(back: Cancellation, stage: str) -> tuple[str, str, dict[str, object]]:
    return (
        f"omo.channel.cancellation.{stage}.v1",
        f"channel-order/{back.channel}/{back.external_id}",
        {
            "channel": back.channel,
            "external_id": back.external_id,
            "reason": back.reason,
            "lines": [{"line": line, "quantity": quantity} for line, quantity in back.quantities],
        },
    )


def _refund_fact(notice: RefundNotice) -> tuple[str, str, dict[str, object]]:
    refund = notice.refund
    return (
        f"omo.channel.refund.{refund.status}.v1",
        f"channel-order/{notice.channel}/{notice.external_id}",
        {
            "channel": notice.channel,
            "external_id": notice.external_id,
            "refund": refund.refund,
            "refunded_to_buyer_minor": refund.refunded_to_buyer_minor,
            "sellers_share_minor": refund.sellers_share_minor,
            "returns_goods": notice.returns_goods,
            "version": notice.version,
            "reason": refund.reason,
            "lines": [{"line": line, "quantity": quantity} for line, quantity in refund.quantities],
        },
    )
