"""Re-evaluation: work that was offered and is not picked yet is decided again together, and moved where that is better.

After Xu, Allgor and Graves, "Benefits of reevaluating real-time order fulfillment decisions" (2009).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from sqlalchemy import select, text

from omo_core.allocation import AllocationProblem, DemandLine, OrderDemand, SourcingPolicy
from omo_core.allocation.policy_parts import SlotWork
from omo_core.allocation.reassignment import Reassignment, reassign, standing_in
from omo_core.inventory import apply_many, available_of_skus, claims_of, has_claims, holds_of
from omo_core.model.fulfilment import FulfilmentOrder, FulfilmentState
from omo_core.model.network import DeliveryMethod
from omo_core.model.promised import SlotClaim
from omo_core.model.stock import Command, Hold, StockAnswer
from omo_core.model.values import ChannelId, Count, Identifier, Value
from omo_core.orders.book import OrderBook, read_documents
from omo_core.orders.deciding import demand_of
from omo_core.orders.entries import FulfilmentEntry, OrderEntry
from omo_core.orders.kits import Kits, kits_of
from omo_core.orders.moves import Move, groups_worth_it
from omo_core.orders.parts import Part
from omo_core.orders.slots import SCOPE, Slots, read_slots, slot_name
from omo_core.orders.sourcing import SourcingContext, holds_by_cell, offer_part, record_decisions
from omo_core.orders.swaps import command_of
from omo_core.storage import operations, tables
from omo_core.storage.operations import Keyed
from omo_core.storage.transaction import Transaction

REASSIGNED: Final = "reassigned"
"""`reject_code` of work that was taken back because another plan is better; the node is not to blame."""


class Reevaluate(Command):
    """Decide offered work again, of up to `limit` orders beyond the id `after`, oldest first."""

    kind: Literal["reevaluate"] = "reevaluate"
    after: str = ""
    limit: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    accepted: bool = False
    """Whether work that a node has accepted may be taken back too, as long as it has not left."""
    parcel_minor: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """What each further parcel of an order counts on top of the policy's price, where fewer parcels are worth more."""
    growth_permille: Annotated[int, Field(ge=0, le=100_000)] | None = 50
    """How much farther all parcels together may travel than they did, in thousandths; None: any distance."""
    seed: Count = 0


class ReevaluatedOrder(Value):
    """One order that was moved."""

    order: Identifier
    channel: ChannelId
    external_id: Identifier
    withdrawn: tuple[Identifier, ...]
    """Fulfilment orders that were cancelled."""
    offered: tuple[FulfilmentOrder, ...]
    """What was offered instead."""
    parcels_saved: int
    """Below 0 where this order gave way to others."""
    saved_minor: int


class Reevaluated(Value):
    """The answer to a re-evaluation, stored with its key."""

    version: Literal[1] = 1
    key: str
    kind: str = "reevaluate"
    orders_seen: Count
    """Orders with work that could be moved."""
    last: str = ""
    """Id of the last order seen; go on with `after=` it. Empty where there was none."""
    moved: tuple[ReevaluatedOrder, ...] = ()
    left: tuple[Identifier, ...] = ()
    """Orders that a better plan was found for, but that changed, or whose goods others took, while it was made."""

    @property
    def parcels_saved(self) -> int:
        """By how much the fulfilment orders became fewer."""
        return sum(one.parcels_saved for one in self.moved)

    @property
    def saved_minor(self) -> int:
        """What the moves saved, at the policy's prices and the command's."""
        return sum(one.saved_minor for one in self.moved)


@dataclass(frozen=True)
class _Delivery:
    """The movable work of one delivery of an order."""

    entry: OrderEntry
    demand: OrderDemand
    work: tuple[FulfilmentEntry, ...]

    def units(self) -> dict[tuple[str, str], int]:
        """(sku, node) → units as they stand."""
        found: dict[tuple[str, str], int] = defaultdict(int)
        for one in self.work:
            for line in one.lines:
                found[line.sku, one.node] += line.quantity
        return found


@dataclass(frozen=True)
class Survey:
    """What a re-evaluation looks at."""

    deliveries: Sequence[_Delivery]
    stock: Sequence[tuple[str, str, int]]
    """(sku, node, units), the movable work's own holds counted as free."""
    holds: Mapping[str, Hold]
    last: str = ""
    slots: Slots = field(default_factory=Slots)
    """Its claims are those of the movable work's orders, and not free."""

    def goods_and_work(self, moves: Iterable[Move]) -> list[tuple[str, str, int]]:
        """The stock, and what is free of slots once the moves have given back theirs."""
        back = Counter[tuple[str, str]]()
        for claim in (claim for move in moves for claim in move.claims):
            back[slot_name(claim.slot_at), claim.node] += claim.held
        return [*self.stock, *((slot, node, units + back[slot, node]) for slot, node, units in self.slots.rows())]

    def capacity(self) -> dict[str, int] | None:
        """Deliveries that nodes can take, those that stand with them included."""
        standing = Counter(node for one in self.deliveries for node in {work.node for work in one.work})
        return {node: max(units, 0) + standing[node] for node, units in self.slots.free.items()}


@dataclass(frozen=True)
class Proposal:
    """Moves that are worth it, in groups that are recorded all or none."""

    survey: Survey
    policy: SourcingPolicy
    groups: Sequence[Sequence[Move]] = field(default=())


def answered_before(tx: Transaction, command: Reevaluate) -> Reevaluated | None:
    """The stored answer to this very command; raises `DuplicateKeyMismatch` where its key was another's."""
    name = (command.scope, command.key)
    stored = operations.answered(tx, [name]).get(name)
    if stored is None:
        return None
    operations.require_same(stored, command)
    return Reevaluated.model_validate_json(stored.answer)


def survey(tx: Transaction, command: Reevaluate, context: SourcingContext) -> Survey:
    """Read the work that may be moved; nothing is locked, so that it can be decided without a transaction."""
    ids = _orders_with_work(tx, command)
    # What a node has accepted of a held order goes on there: a new offer would ask for what is not to be sent.
    entries = [entry for entry in OrderBook(tx).load(ids, lock=False) if not entry.held]
    read_documents(tx, entries)
    states = {FulfilmentState.OFFERED, FulfilmentState.ACCEPTED} if command.accepted else {FulfilmentState.OFFERED}
    deliveries = [one for entry in entries for one in _deliveries(tx, entry, states, context)]
    named = {line.hold for one in deliveries for work in one.work for line in work.lines}
    owners = sorted({one.entry.order_id for one in deliveries})
    holds = {hold.hold: hold for hold in holds_of(tx, owners) if hold.hold in named} if owners else {}
    sound = [one for one in deliveries if _is_held(one, holds)]
    skus = sorted({line.sku for one in sound for line in one.demand.lines})
    free = {(sku, node): units for sku, node, units in available_of_skus(tx, skus)}
    for delivery in sound:
        for cell, units in delivery.units().items():
            free[cell] = free.get(cell, 0) + units
    stock = [(sku, node, units) for (sku, node), units in sorted(free.items())]
    slots = read_slots(tx, context.policy.slot_work, context.index, ())
    if slots.begun_at and owners and has_claims(tx):
        claims: dict[str, list[SlotClaim]] = defaultdict(list)
        for claim in claims_of(tx, owners):
            claims[claim.owner].append(claim)
        slots = replace(slots, claims=claims)
    return Survey(sound, stock, holds, ids[-1] if ids else "", slots)


def propose(found: Survey, command: Reevaluate, context: SourcingContext) -> Proposal:
    """Decide it again, together; needs no database."""
    policy = context.policy
    if command.parcel_minor:
        dearer = policy.per_extra_node_minor + command.parcel_minor
        policy = policy.model_copy(update={"per_extra_node_minor": dearer})
    if not found.deliveries:
        return Proposal(found, policy)
    demands = [one.demand for one in found.deliveries]
    # Slots that count lines or units are left to the pool's guard: a move that does not fit is not recorded.
    capacity = found.capacity() if policy.slot_work and policy.slot_work.counts_orders else None
    problem = AllocationProblem.build(context.index, demands, found.stock, policy, capacity)
    standing = standing_in(problem, [one.units() for one in found.deliveries])
    better = reassign(standing, growth_permille=command.growth_permille, seed=command.seed)
    moves = _moves(found, better, policy.slot_work)
    stock = found.goods_and_work(moves)
    return Proposal(found, policy, groups_worth_it(moves, better, stock, command.growth_permille))


def record(tx: Transaction, command: Reevaluate, proposal: Proposal) -> Reevaluated:
    """Move what has not changed since the survey; each group of moves is guarded, all or none of it.

    A node learns of withdrawn work by `omo.fulfilment.cancelled.v1` and of new work by `omo.fulfilment.offered.v1`, as
    ever. Raises `DuplicateKeyMismatch`.
    """
    keyed = Keyed(tx, [command])
    if keyed.fresh():
        keyed.answer(command, _recorded(tx, keyed.operation_id(command), command, proposal))
    return keyed.answers(Reevaluated)[0]


def reevaluate(tx: Transaction, command: Reevaluate, context: SourcingContext) -> Reevaluated:
    """Survey, propose and record in one transaction."""
    before = answered_before(tx, command)
    if before is not None:
        return before
    return record(tx, command, propose(survey(tx, command, context), command, context))


def _orders_with_work(tx: Transaction, command: Reevaluate) -> list[str]:
    fulfilment = tables.fulfilment.c
    # A literal, as in the partial index.
    states = "('offered', 'accepted')" if command.accepted else "('offered')"
    query = (
        select(fulfilment.order_id)
        .distinct()
        .where(
            fulfilment.pool_id == tx.pool,
            text("omo_fulfilment.state IN ('offered', 'accepted')"),
            text(f"omo_fulfilment.state IN {states}"),
            fulfilment.order_id > command.after,
        )
        .order_by(fulfilment.order_id)
        .limit(command.limit)
    )
    return [row.order_id for row in tx.connection.execute(query)]


def _deliveries(
    tx: Transaction, entry: OrderEntry, states: Iterable[FulfilmentState], context: SourcingContext
) -> list[_Delivery]:
    """An order's movable work by delivery; what was promised within the hour is on its way already.

    Kits move whole. Work with a kit whose parts stand at several nodes stays: no one node was asked for all of it.
    """
    delivery_of = {line.line: line.delivery for line in entry.order.fulfillable()}
    kits = kits_of(entry)
    apart = _kits_apart([one for one in entry.fulfilments.values() if one.state in states], kits)
    work: dict[tuple[int, str], list[FulfilmentEntry]] = defaultdict(list)
    for one in entry.fulfilments.values():
        number = delivery_of.get(one.lines[0].line)
        if any(line.line in apart for line in one.lines):
            continue
        if one.state in states and one.method != DeliveryMethod.ONE_HOUR.value and number is not None:
            work[number, one.method].append(one)
    excluded = entry.rejecting_nodes() | context.withheld(entry.channel)
    found = []
    for (number, method), own in sorted(work.items()):
        units: dict[tuple[str, str], int] = defaultdict(int)
        for one in own:
            for line in one.lines:
                units[line.line, line.sku] += line.quantity
        lines = [
            DemandLine(line, sku, quantity, together=line if line in kits else None)
            for (line, sku), quantity in units.items()
        ]
        delivery = entry.order.deliveries[number]
        demand = demand_of(entry.order_id, number, delivery, lines, at=tx.now, excluded=excluded, channel=entry.channel)
        demand = replace(demand, order=f"{demand.order}/{method}", method=DeliveryMethod(method))
        found.append(_Delivery(entry, demand, tuple(own)))
    return found


def _kits_apart(work: Sequence[FulfilmentEntry], kits: Kits) -> set[str]:
    """Lines of kits that stand at several nodes, alone or with lines that share an item with them."""
    nodes: dict[str, set[str]] = defaultdict(set)
    for one in work:
        for line in one.lines:
            nodes[line.sku].add(one.node)
    return {
        line for line in kits if len(set[str]().union(*(nodes.get(part, ()) for part in kits[line].components))) > 1
    }


def _is_held(delivery: _Delivery, holds: Mapping[str, Hold]) -> bool:
    """Whether every unit is still held: what displaced or ended a hold deals with its work too."""
    return all(
        line.hold in holds and holds[line.hold].pending == line.quantity for one in delivery.work for line in one.lines
    )


def _moves(found: Survey, better: Reassignment, work: SlotWork | None) -> list[Move]:
    """What would change of each order's work: work that stays at its node with the same lines is left alone."""
    moves: dict[str, Move] = {}
    before, after = better.before.accounts.by_order.sum(axis=0), better.after.accounts.by_order.sum(axis=0)
    for row in better.moved:
        delivery, plan = found.deliveries[row], better.after.orders[row]
        wanted: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for part in plan.assignments:
            wanted[part.node][part.line, part.sku] += part.quantity
        withdrawn = []
        for one in delivery.work:
            if wanted.get(one.node) == {(line.line, line.sku): line.quantity for line in one.lines}:
                del wanted[one.node]
            else:
                withdrawn.append(one)
        if not withdrawn:
            continue
        entry = delivery.entry
        move = moves.setdefault(entry.order_id, Move(entry.order_id, entry.channel, entry.version))
        kept = replace(plan, assignments=tuple(part for part in plan.assignments if part.node in wanted))
        move.plans.append((delivery.demand.method, kept, plan))
        move.rows.append(row)
        move.withdrawn += [one.fulfilment for one in withdrawn]
        move.release += [found.holds[line.hold] for one in withdrawn for line in one.lines]
        move.slots += found.slots.requests(entry.order_id, kept.assignments, work)
        ending = {one.fulfilment for one in withdrawn}
        staying = {one.node for one in entry.fulfilments.values() if one.live and one.fulfilment not in ending}
        left = {one.node for one in withdrawn} - staying
        move.claims += [one for one in found.slots.claims.get(entry.order_id, ()) if one.held and one.node in left]
        move.costs.update(better.before.orders[row].cost_by_term)
        move.parcels_saved += len(withdrawn) - len(wanted)
        move.saved_minor += int(before[row] - after[row])
    return list(moves.values())


def _recorded(tx: Transaction, operation_id: str, command: Reevaluate, proposal: Proposal) -> Reevaluated:
    groups = proposal.groups
    book = OrderBook(tx)
    book.load(sorted({move.order for group in groups for move in group}))
    current = [group for group in groups if all(_stands(book, move) for move in group)]
    exchanges = [
        [move.exchange(f"reevaluate/{operation_id}/{number}") for move in group] for number, group in enumerate(current)
    ]
    commands = [command_of(group, SCOPE) for group in exchanges]
    answers = apply_many(tx, commands) if commands else []
    done: list[ReevaluatedOrder] = []
    parts: list[Part] = []
    for group, answer in zip(current, answers, strict=True):
        if answer.applied:
            done += [_moved(tx, book.entries[move.order], move, answer, parts) for move in group]
    if parts:
        record_decisions(tx, parts, proposal.policy, operation_id)
    book.save()
    moved = {one.order for one in done}
    survey = proposal.survey
    return Reevaluated(
        key=command.key,
        orders_seen=len({one.entry.order_id for one in survey.deliveries}),
        last=survey.last,
        moved=tuple(done),
        left=tuple(move.order for group in groups for move in group if move.order not in moved),
    )


def _stands(book: OrderBook, move: Move) -> bool:
    entry = book.entries.get(move.order)
    return entry is not None and entry.version == move.version


def _moved(tx: Transaction, entry: OrderEntry, move: Move, answer: StockAnswer, parts: list[Part]) -> ReevaluatedOrder:
    """Write one order's move into the book; the stock has changed already."""
    for fulfilment in move.withdrawn:
        one = entry.fulfilments[fulfilment]
        one.change(FulfilmentState.CANCELLED, tx.now_us)
        one.reject_code, one.reject_reason = REASSIGNED, "another plan serves this and other orders better"
    entry.attempt += 1
    holds = holds_by_cell(answer, move.order)
    known = set(entry.fulfilments)
    for method, kept, plan in move.plans:
        offer_part(tx, Part(entry, method, kept), holds)
        parts.append(Part(entry, method, plan))
    entry.settle()
    names: tuple[Any, ...] = (entry.order_id, entry.channel, entry.external_id)
    return ReevaluatedOrder(
        order=entry.order_id,
        channel=entry.channel,
        external_id=entry.external_id,
        withdrawn=tuple(move.withdrawn),
        offered=tuple(one.value(*names) for name, one in entry.fulfilments.items() if name not in known),
        parcels_saved=move.parcels_saved,
        saved_minor=move.saved_minor,
    )
