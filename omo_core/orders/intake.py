"""Intake: canonical orders and cancellations become rows, once each, versions only growing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from omo_core.inventory import apply_many, holds_of
from omo_core.model.errors import InvariantViolation
from omo_core.model.fulfilment import FulfilmentState, OrderState, PlacedOrder
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import MAX_LINES, Order, OrderStatus
from omo_core.model.refusals import Refusal
from omo_core.model.stock import ReleaseHolds
from omo_core.model.stock_commands import StockCommand
from omo_core.model.values import ChannelId, Identifier, Value
from omo_core.orders.book import OrderBook, read_documents
from omo_core.orders.entries import LineEntry, OrderEntry
from omo_core.orders.holding import hold_back
from omo_core.orders.slots import SCOPE, claims_to_end, release_of
from omo_core.orders.sourcing import SourcingContext, source
from omo_core.storage.catalogue import known_skus
from omo_core.storage.transaction import Transaction


class CancelOrder(Value):
    """The buyer or the channel takes the whole order back; twice is once, and it may come before the order."""

    channel: ChannelId
    external_id: Identifier


@dataclass(slots=True)
class _Intake:
    """What one transaction's intake gathers before it touches stock."""

    book: OrderBook
    kits: Mapping[str, Mapping[str, int]]
    stock: list[StockCommand]
    to_source: list[OrderEntry]
    taken_back: list[OrderEntry] = field(default_factory=list)


def place_orders(
    tx: Transaction, orders: Sequence[Order], context: SourcingContext, *, offer: bool = True, asked: bool = False
) -> list[PlacedOrder]:
    """Take orders in and source them at once; one answer each, in the order given.

    A known version is answered as it stands; an older one, one with unknown items, and one that asks for less than has
    left are refused and change nothing. A changed order's unsent part is sourced anew. With `offer=False` goods
    are held provisionally and nodes hear nothing until `run_wave`; of a held order (`Order.hold_reason`) they hear
    nothing until a newer version, or `release_orders`, lets it go. `asked` says that the channel was just asked for these
    orders: of two contents of one version, theirs holds.
    """
    intake = _Intake(OrderBook(tx), context.kits, [], [])
    known = intake.book.load_identities((order.channel, order.external_id) for order in orders)
    newer = [
        entry
        for order in orders
        if (entry := intake.book.entries.get(known.get((order.channel, order.external_id), "")))
        and order.source_version >= entry.source_version + (not asked)
    ]
    read_documents(tx, newer)
    skus = known_skus(tx, [line.sku for order in orders for line in order.fulfillable() if line.sku])
    results: list[tuple[Order, tuple[Refusal, ...]]] = []
    for order in orders:
        identity = (order.channel, order.external_id)
        refusals = _unusable(order, skus, context)
        if not refusals and identity in known:
            refusals = _take_version(intake, intake.book.entries[known[identity]], order, asked=asked)
        elif not refusals:
            entry = intake.book.add(_new_entry(tx, order))
            known[identity] = entry.order_id
            _decide_lines(intake, entry, order)
        results.append((order, refusals))
    _finish(tx, intake, context, offer=offer)
    return [_answer(intake.book, known, order, refusals) for order, refusals in results]


def cancel_orders(tx: Transaction, cancellations: Sequence[CancelOrder]) -> list[PlacedOrder]:
    """Cancel what has not left; an order not known yet is remembered as cancelled, so that it cannot come later."""
    book = OrderBook(tx)
    intake = _Intake(book, {}, [], [])
    known = book.load_identities((one.channel, one.external_id) for one in cancellations)
    answers: list[tuple[OrderEntry, tuple[Refusal, ...]]] = []
    for one in cancellations:
        identity = (one.channel, one.external_id)
        if identity not in known:
            entry = book.add(_tombstone(tx, one))
            known[identity] = entry.order_id
            answers.append((entry, ()))
            continue
        entry = book.entries[known[identity]]
        answers.append((entry, _cancel(intake, entry)))
    _give_stock_commands(intake)
    book.save()
    return [entry.answer(refusals) for entry, refusals in answers]


def _unusable(order: Order, skus: set[str], context: SourcingContext) -> tuple[Refusal, ...]:
    """Why an order cannot be taken in at all; such an order leaves nothing behind."""
    if order.status is not OrderStatus.OPEN:
        return ()
    name = order.display_number or order.external_id
    nameless = [
        Refusal.of("line_without_sku", line=line.line, order=name)
        for line in order.lines
        if line.wants_goods and not line.sku
    ]
    unknown = [Refusal.of("unknown_sku", sku=line.sku) for line in order.fulfillable() if line.sku not in skus]
    pickups = {one.pickup_node for one in order.deliveries if one.method is DeliveryMethod.PICKUP}
    nowhere = [Refusal.of("unknown_node", node=node) for node in sorted(map(str, pickups - context.nodes))]
    pieces = sum(len(context.kits.get(line.sku or "", "-")) for line in order.fulfillable()) if context.kits else 0
    too_many = [Refusal.of("too_many_components", order=name, limit=MAX_LINES)] if pieces > MAX_LINES else []
    return (*nameless, *unknown, *nowhere, *too_many)


def _new_entry(tx: Transaction, order: Order) -> OrderEntry:
    entry = _empty_entry(tx, order.channel, order.external_id)
    entry.keep(order, _content_hash(order))
    return entry


def _tombstone(tx: Transaction, one: CancelOrder) -> OrderEntry:
    entry = _empty_entry(tx, one.channel, one.external_id)
    entry.state, entry.cancelled = OrderState.CANCELLED, True
    return entry


def _empty_entry(tx: Transaction, channel: str, external_id: str) -> OrderEntry:
    return OrderEntry(
        order_id=tx.new_id(),
        channel=channel,
        external_id=external_id,
        source_version=0,
        source_sha256="",
        state=OrderState.WAITING,
        version=0,
        attempt=0,
    )


def _content_hash(order: Order) -> str:
    """Two deliveries of one version may differ in their bytes, never in their meaning.

    What was odd is told by its place in the bytes, which is another one in a list.
    """
    return order.model_copy(update={"body_sha256": None, "oddities": ()}).digest()


def _take_version(intake: _Intake, entry: OrderEntry, order: Order, *, asked: bool) -> tuple[Refusal, ...]:
    """Apply a version of a known order; refusals where it changes nothing."""
    name = entry.external_id
    if not entry.is_tombstone and order.source_version == entry.source_version:
        if _content_hash(order) == entry.source_sha256:
            return ()
        if not asked:
            return (Refusal.of("version_conflict", version=order.source_version, order=name),)
    if order.source_version < entry.source_version:
        return (Refusal.of("stale_version", version=order.source_version, order=name, stored=entry.source_version),)
    if entry.cancelled:
        if not entry.is_tombstone and order.status is not OrderStatus.CANCELLED:
            return (Refusal.of("order_cancelled", order=name),)
        # The order that a cancellation was waiting for, or what the channel says later, of a refund perhaps: keep it,
        # sell nothing.
        entry.keep(order, _content_hash(order))
        entry.settle()
        return ()
    if _asks_less_than_left(entry, order):
        return (Refusal.of("already_shipped", order=name),)
    before, was_held = _wants(entry.order), entry.held
    entry.keep(order, _content_hash(order))
    if _wants(order) == before and order.status is not OrderStatus.CANCELLED:
        if entry.held and not was_held:
            hold_back(intake.book.tx, entry)
        entry.settle()
        if was_held and not entry.held:
            intake.to_source.append(entry)
        return ()
    _take_back(intake, entry)
    _decide_lines(intake, entry, order)
    return ()


def _wants(order: Order) -> tuple[object, ...]:
    """The part of an order that sourcing looks at."""
    lines = tuple((line.line, line.sku, line.current_quantity, line.delivery) for line in order.fulfillable())
    return (order.status, lines, order.deliveries, order.ship_complete)


def _asks_less_than_left(entry: OrderEntry, order: Order) -> bool:
    if order.status is OrderStatus.CANCELLED:
        return False
    wanted = {line.line: line.current_quantity for line in order.fulfillable()}
    return any(line.issued > wanted.get(line.line, 0) for line in entry.lines.values())


def _take_back(intake: _Intake, entry: OrderEntry) -> None:
    """Cancel the live fulfilment orders of an order and give their goods back."""
    live = [one for one in entry.fulfilments.values() if one.live]
    holds = {line.hold for one in live for line in one.lines}
    if entry.stored_version and entry.open_units():  # for which goods may be held provisionally
        holds |= {hold.hold for hold in holds_of(intake.book.tx, [entry.order_id]) if hold.pending}
    for one in live:
        one.change(FulfilmentState.CANCELLED, intake.book.tx.now_us)
    if holds:
        intake.taken_back.append(entry)
        key = f"take-back/{entry.order_id}/{entry.stored_version}"
        intake.stock.append(ReleaseHolds(key=key, scope=SCOPE, holds=tuple(sorted(holds))))


def _cancel(intake: _Intake, entry: OrderEntry) -> tuple[Refusal, ...]:
    if entry.cancelled:
        return ()
    if entry.state is OrderState.FULFILLED:
        return (Refusal.of("order_closed", order=entry.external_id, state=entry.state.value),)
    _take_back(intake, entry)
    for line in entry.lines.values():
        line.wanted, line.short = line.issued, 0
    # What already left stays sold: such an order ends fulfilled, in part.
    entry.cancelled = not any(line.issued for line in entry.lines.values())
    entry.settle()
    return ()


def _decide_lines(intake: _Intake, entry: OrderEntry, order: Order) -> None:
    """Set what each line wants, and queue the order for sourcing; a closed or test order wants nothing of us."""
    if order.status is OrderStatus.CANCELLED:
        _cancel(intake, entry)
        return
    wanted = {line.line: line for line in order.fulfillable()}
    for stored in entry.lines.values():
        stored.wanted, stored.short = max(stored.issued, 0), 0
    for position, line in enumerate(order.lines):
        if line.line not in wanted or line.sku is None:
            continue
        units = 0 if order.status is OrderStatus.CLOSED or order.test else line.current_quantity
        row = entry.lines.setdefault(line.line, LineEntry(line.line, position, line.sku, line.quantity, units))
        if row.sku != line.sku or not row.issued:
            row.put_together(intake.kits.get(line.sku))
        row.position, row.sku, row.ordered = position, line.sku, line.quantity
        row.wanted, row.short = max(units, row.issued), 0
    entry.settle()
    if entry.open_units():
        intake.to_source.append(entry)


def _give_stock_commands(intake: _Intake) -> None:
    """Give back what orders held, and the work that they had claimed with it."""
    tx, commands = intake.book.tx, intake.stock
    for order, claims in claims_to_end(tx, intake.taken_back).items():
        commands += release_of(claims, f"{order}/{intake.book.entries[order].stored_version}")
    for answer in apply_many(tx, commands) if commands else []:
        if not answer.applied:
            raise InvariantViolation(f"stock refused {answer.key}: {answer.refusals[0].sentence}")


def _finish(tx: Transaction, intake: _Intake, context: SourcingContext, *, offer: bool) -> None:
    _give_stock_commands(intake)
    if intake.to_source:
        source(tx, intake.to_source, context, offer=offer)
    intake.book.save()


def _answer(
    book: OrderBook, known: dict[tuple[str, str], str], order: Order, refusals: tuple[Refusal, ...]
) -> PlacedOrder:
    order_id = known.get((order.channel, order.external_id))
    if order_id is not None:
        return book.entries[order_id].answer(refusals)
    return PlacedOrder(
        order=None,
        channel=order.channel,
        external_id=order.external_id,
        state=None,
        source_version=order.source_version,
        refusals=refusals,
    )
