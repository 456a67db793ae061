"""What nodes answer: accept, reject (the order finds another way), make ready, ship, hand over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from omo_core.inventory import apply_many, has_claims
from omo_core.model.errors import InvariantViolation
from omo_core.model.fulfilment import (
    AcceptOffer,
    CollectFulfilment,
    FulfilmentAnswer,
    FulfilmentCommand,
    FulfilmentState,
    ReadyFulfilment,
    RejectOffer,
    ShipFulfilment,
)
from omo_core.model.promised import ClaimRef
from omo_core.model.promises import FinishSlots
from omo_core.model.refusals import Refusal
from omo_core.model.stock import ConfirmHolds, IssueHolds, ReleaseHolds
from omo_core.model.stock_commands import StockCommand
from omo_core.orders.book import OrderBook
from omo_core.orders.entries import FulfilmentEntry, OrderEntry
from omo_core.orders.parcels import Parcels
from omo_core.orders.slots import SCOPE, claims_to_end, release_of
from omo_core.orders.sourcing import SourcingContext, source
from omo_core.storage import operations, tables
from omo_core.storage.transaction import Transaction

_NEEDED = {
    "accept": (FulfilmentState.OFFERED,),
    "reject": (FulfilmentState.OFFERED, FulfilmentState.ACCEPTED),
    "ready": (FulfilmentState.ACCEPTED,),
    "ship": (FulfilmentState.ACCEPTED,),
    "collect": (FulfilmentState.ACCEPTED,),
}


@dataclass(slots=True)
class _Round:
    """What one batch of answers gathers before it touches stock."""

    tx: Transaction
    book: OrderBook
    parents: dict[str, OrderEntry] = field(default_factory=dict)
    stock: list[StockCommand] = field(default_factory=list)
    to_source: list[OrderEntry] = field(default_factory=list)
    parcels: Parcels = field(default_factory=Parcels)
    done: dict[tuple[str, str], str] = field(default_factory=dict)
    """(order, node) whose work was done → key of the command that says so to its slot."""


def apply_fulfilment(
    tx: Transaction, commands: Sequence[FulfilmentCommand], context: SourcingContext
) -> list[FulfilmentAnswer]:
    """Apply nodes' answers in the order they came; one answer each, and a repeated key gets its stored one.

    Orders of rejected offers are sourced again in the same transaction, without the nodes that said no.
    """
    keyed = operations.Keyed(tx, commands)
    fresh = keyed.fresh()
    turn = _Round(tx, OrderBook(tx))
    _load(turn, [command.fulfilment for command in fresh])
    outcomes = [(command, _apply(turn, command)) for command in fresh]
    turn.stock += _ended_work(turn, context)
    for answer in apply_many(tx, turn.stock) if turn.stock else []:
        if not answer.applied:
            raise InvariantViolation(f"stock refused {answer.key}: {answer.refusals[0].sentence}")
    for entry in turn.parents.values():
        if entry.touched:
            entry.settle()
    if turn.to_source:
        source(tx, turn.to_source, context)
    offers = {entry.order_id: _new_offers(entry) for entry in turn.to_source}
    turn.book.save()
    turn.parcels.save(turn.tx)
    for command, refusal in outcomes:
        keyed.answer(command, _answer(turn, command, refusal, offers))
    return keyed.answers(FulfilmentAnswer)


def _load(turn: _Round, fulfilments: Sequence[str]) -> None:
    keys = [(one,) for one in sorted(set(fulfilments))]
    rows = turn.tx.select(tables.fulfilment, ("fulfilment", "order_id"), ("fulfilment",), keys) if keys else []
    turn.book.load(row.order_id for row in rows)
    turn.parents = {row.fulfilment: turn.book.entries[row.order_id] for row in rows}


def _apply(turn: _Round, command: FulfilmentCommand) -> Refusal | None:
    """Change the book and queue the stock command that goes with it; the refusal where it cannot be."""
    parent = turn.parents.get(command.fulfilment)
    if parent is None:
        return Refusal.of("unknown_fulfilment_order", fulfilment=command.fulfilment)
    entry = parent.fulfilments[command.fulfilment]
    needed = _NEEDED[command.kind]
    if entry.state not in needed:
        return Refusal.of(
            "wrong_state",
            fulfilment=entry.fulfilment,
            state=entry.state.value,
            action=command.kind,
            needed=" or ".join(needed),
        )
    holds = tuple(line.hold for line in entry.lines)
    key = f"{command.kind}/{entry.fulfilment}"
    match command:
        case AcceptOffer():
            entry.change(FulfilmentState.ACCEPTED, turn.tx.now_us)
            turn.stock.append(ConfirmHolds(key=key, scope=SCOPE, holds=holds))
        case RejectOffer():
            entry.change(FulfilmentState.REJECTED, turn.tx.now_us)
            entry.reject_code, entry.reject_reason = "by_node", command.reason
            turn.stock.append(ReleaseHolds(key=key, scope=SCOPE, holds=holds))
            turn.to_source.append(parent)
        case ReadyFulfilment():
            turn.parcels.wait_for_buyer(parent, entry)
        case ShipFulfilment():
            if not turn.parcels.send(parent, entry, command):
                return Refusal.of("parcels_mismatch", fulfilment=entry.fulfilment)
            entry.change(FulfilmentState.SHIPPED, turn.tx.now_us)
            entry.tracking = command.tracking or next((one.tracking for one in command.parcels if one.tracking), None)
            turn.stock.append(_issue(key, parent, entry))
            turn.done[parent.order_id, entry.node] = f"slots/{key}"
        case CollectFulfilment():
            entry.change(FulfilmentState.COLLECTED, turn.tx.now_us)
            turn.stock.append(_issue(key, parent, entry))
            turn.done[parent.order_id, entry.node] = f"slots/{key}"
    parent.touched = parent.touched or command.kind != "ready"
    return None


def _issue(key: str, parent: OrderEntry, entry: FulfilmentEntry) -> IssueHolds:
    for line, units in parent.units_of(entry).items():
        parent.lines[line].issued += units
    lines = tuple({"hold": line.hold, "quantity": line.quantity} for line in entry.lines)
    return IssueHolds.model_validate({"key": key, "scope": SCOPE, "lines": lines, "reference": parent.external_id})


def _ended_work(turn: _Round, context: SourcingContext) -> list[StockCommand]:
    """Slots learn of work that was done, and get back what nobody will do."""
    commands: list[StockCommand] = []
    # A slot counts held work as used like done work: a pool whose policy claims no slots need not ask for claims.
    if turn.done and context.policy.slot_work is not None and has_claims(turn.tx):
        commands += [
            FinishSlots(key=key, scope=SCOPE, claims=(ClaimRef(owner=order, node=node),))
            for (order, node), key in turn.done.items()
        ]
    for order, own in claims_to_end(turn.tx, turn.to_source).items():
        kept = [one for one in own if (order, one.node) not in turn.done]
        commands += release_of(kept, f"{order}/{turn.book.entries[order].stored_version}")
    return commands


def _new_offers(entry: OrderEntry) -> list[FulfilmentEntry]:
    return [one for one in entry.fulfilments.values() if not one.stored]


def _answer(
    turn: _Round,
    command: FulfilmentCommand,
    refusal: Refusal | None,
    offers: Mapping[str, Sequence[FulfilmentEntry]],
) -> FulfilmentAnswer:
    parent = turn.parents.get(command.fulfilment)
    refusals = (refusal,) if refusal else ()
    if parent is None:
        return FulfilmentAnswer(key=command.key, kind=command.kind, fulfilment=command.fulfilment, refusals=refusals)
    names = (parent.order_id, parent.channel, parent.external_id)
    rejected = isinstance(command, RejectOffer) and refusal is None
    return FulfilmentAnswer(
        key=command.key,
        kind=command.kind,
        fulfilment=command.fulfilment,
        order=parent.order_id,
        order_state=parent.state,
        fulfilment_order=parent.fulfilments[command.fulfilment].value(*names),
        offers=tuple(one.value(*names) for one in offers[parent.order_id]) if rejected else (),
        shortfalls=parent.shortfalls() if rejected else (),
        refusals=refusals,
    )
