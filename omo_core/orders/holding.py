"""Held orders: goods are kept for them, and no node is offered them until a newer version, or the host, lets them go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from omo_core.model.fulfilment import FulfilmentOrder, FulfilmentState, OrderState, Shortfall
from omo_core.model.network import enum_of
from omo_core.model.refusals import Refusal
from omo_core.model.stock import Command
from omo_core.model.values import ChannelId, Identifier, Key, Value
from omo_core.orders.book import OrderBook, fulfilment_fact
from omo_core.orders.entries import OrderEntry
from omo_core.orders.sourcing import SourcingContext, source
from omo_core.storage.operations import Keyed
from omo_core.storage.transaction import Transaction

HELD: Final = "held"
"""`reject_code` of an offer that was taken back because its order is held; the node is not to blame."""


HOLD_TOO_LATE: Final = "omo.fulfilment.hold_too_late.v1"
"""A node had accepted the work when its order was held, and goes on."""


class ReleaseOrder(Command):
    """Send the order, whatever the channel says: until the channel gives another reason to hold it."""

    kind: Literal["release_order"] = "release_order"
    channel: ChannelId
    external_id: Identifier
    offer: bool = True
    """False leaves the choice of nodes to the next wave."""


class OrderReleased(Value):
    """The answer to a release, stored with its key. `refusals` non-empty: nothing was changed."""

    version: Literal[1] = 1
    key: Key
    kind: str = "release_order"
    order: Identifier | None = None
    order_state: Annotated[OrderState, enum_of(OrderState)] | None = None
    offers: tuple[FulfilmentOrder, ...] = ()
    """What was offered to nodes."""
    shortfalls: tuple[Shortfall, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def hold_back(tx: Transaction, entry: OrderEntry) -> None:
    """Take back what no node has answered yet; its goods stay held.

    A node that has accepted may be picking already: it goes on, and that is told as `HOLD_TOO_LATE`.
    """
    too_late = []
    for one in entry.fulfilments.values():
        if one.state is FulfilmentState.OFFERED:
            one.change(FulfilmentState.CANCELLED, tx.now_us)
            one.reject_code, one.reject_reason = HELD, "the channel says not to send the order yet"
        elif one.state is FulfilmentState.ACCEPTED:
            too_late.append(fulfilment_fact(entry, one, HOLD_TOO_LATE))
    tx.publish_many(too_late)


def release_orders(tx: Transaction, commands: Sequence[ReleaseOrder], context: SourcingContext) -> list[OrderReleased]:
    """Let held orders go, in the order named; one answer each, and a repeated key gets its stored one.

    They are sourced as they would have been; the goods that were kept for them count as free.
    """
    keyed = Keyed(tx, commands)
    fresh: list[ReleaseOrder] = keyed.fresh()
    book = OrderBook(tx)
    known = book.load_identities((one.channel, one.external_id) for one in fresh)
    done: list[tuple[ReleaseOrder, OrderEntry | None, tuple[Refusal, ...]]] = []
    for one in fresh:
        entry = book.entries.get(known.get((one.channel, one.external_id), ""))
        refusals = _refusals(one, entry)
        if entry is not None and not refusals:
            entry.held = 0
            entry.settle()
        done.append((one, entry, refusals))
    released = [(one, entry) for one, entry, refusals in done if entry is not None and not refusals]
    for offer in (True, False):
        source(tx, [entry for one, entry in released if one.offer is offer], context, offer=offer)
    offers = {entry.order_id: [new for new in entry.fulfilments.values() if not new.stored] for _, entry in released}
    book.save()
    for one, entry, refusals in done:
        answer = OrderReleased(key=one.key, refusals=refusals)
        if entry is not None:
            names = (entry.order_id, entry.channel, entry.external_id)
            own = () if refusals else offers[entry.order_id]
            answer = OrderReleased(
                key=one.key,
                order=entry.order_id,
                order_state=entry.state,
                offers=tuple(new.value(*names) for new in own),
                shortfalls=entry.shortfalls(),
                refusals=refusals,
            )
        keyed.answer(one, answer)
    return keyed.answers(OrderReleased)


def _refusals(one: ReleaseOrder, entry: OrderEntry | None) -> tuple[Refusal, ...]:
    if entry is None:
        return (Refusal.of("unknown_order", order=one.external_id, channel=one.channel),)
    return () if entry.held else (Refusal.of("order_not_held", order=one.external_id, state=entry.state.value),)
