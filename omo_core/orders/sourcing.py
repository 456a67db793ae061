"""Sourcing: take waiting orders, build the problem, solve it, hold the stock, offer the work; many orders at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Final

from pydantic_core import to_json

from omo_core.allocation import Assignment, DemandLine, NetworkIndex, OrderDemand, SourcingPolicy, solve
from omo_core.allocation.policy_parts import SlotWork
from omo_core.inventory import apply_many, available_of_skus, holds_of
from omo_core.model.fulfilment import FulfilmentState
from omo_core.model.network import Network, Node
from omo_core.model.stock import Hold, StockAnswer
from omo_core.orders.book import read_documents
from omo_core.orders.deciding import Solver, decide, decision_document, demand_of, routed_methods, stock_digest
from omo_core.orders.entries import FulfilmentEntry, OrderEntry, fulfilment_lines
from omo_core.orders.kits import Kits, OneNode, demand_lines, kits_of, told_in_kits, within_one_node
from omo_core.orders.left_prices import NO_PRICES, LeftPrices
from omo_core.orders.parts import Part, Sourced
from omo_core.orders.policies import remember_policy
from omo_core.orders.quota_limits import WithinQuotas, within_quotas
from omo_core.orders.slots import SCOPE, Slots, read_slots
from omo_core.orders.swaps import Exchange, command_of, together
from omo_core.orders.waves import Solve, Solved, last_prices, store_wave, wave_document
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

MAX_ROUNDS: Final = 4
"""How often an order is solved again when other writers took its stock between look and hold; then it waits."""


class SourcingContext:
    """What sourcing needs beside the orders: the network, indexed once, with its version in the pool; policy; solver."""

    def __init__(
        self,
        network: Network,
        policy: SourcingPolicy,
        network_version: int = 0,
        solver: Solver = solve,
        *,
        kits: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self.network = network
        self.policy = policy
        self.network_version = network_version
        self.solver = solver
        self.kits = kits or {}
        """Kit → component → units that one takes."""
        self._prices = NO_PRICES

    def prices(self, tx: Transaction, demands: Iterable[OrderDemand]) -> LeftPrices:
        """What the router has to pay now; none where the policy leaves none of these demands to it."""
        routed = routed_methods(self.policy)
        if not any(demand.method in routed for demand in demands):
            return NO_PRICES
        prices = self._prices = last_prices(tx, self._prices)
        return prices  # another thread's transaction may see, and remember, others

    def solved_by(self, solver: Solver) -> SourcingContext:
        """The same network and policy with another solver."""
        other = copy(self)  # with what it has worked out already
        other.solver = solver
        return other

    @cached_property
    def index(self) -> NetworkIndex:
        """The network in the allocator's form."""
        return NetworkIndex.of(self.network)

    def withheld(self, channel: str) -> frozenset[str]:
        """Nodes whose owners do not let orders of this channel be promised from their stock."""
        return frozenset(node.node for node in self._owned if not node.serves(channel))

    @cached_property
    def _owned(self) -> tuple[Node, ...]:
        return tuple(node for node in self.network.nodes if node.owner is not None)

    @cached_property
    def nodes(self) -> frozenset[str]:
        """Ids of all nodes."""
        return frozenset(node.node for node in self.network.nodes)


@dataclass(slots=True)
class Question:
    """What is to be solved for some orders: their open lines as far as quotas let them, and the stock for them."""

    wave: str
    """Drawn before the stock was looked at."""
    at_us: int
    entries: Sequence[OrderEntry]
    provisional: Mapping[str, Sequence[Hold]]
    stock: Sequence[tuple[str, str, int]]
    allowed: WithinQuotas
    document: Mapping[str, Any]
    kits: Mapping[str, Kits]
    """By demand's order, of those that want any."""
    slots: Slots
    prices: LeftPrices = NO_PRICES
    """What the router is to pay."""


def source(
    tx: Transaction,
    entries: Sequence[OrderEntry],
    context: SourcingContext,
    *,
    offer: bool = True,
    ahead: Sourced | None = None,
) -> Sourced:
    """Find nodes for the open units of these orders, hold the goods there, and offer the work.

    The caller saves the book. Held orders get goods and offer nothing. `ahead` is what was solved before this
    transaction, of orders that have not changed since: it is tried first. Orders whose stock others took in the meantime
    are solved again on what is left.
    """
    waiting = [entry for entry in dict.fromkeys(entries) if not entry.cancelled and entry.open_units()]
    read_documents(tx, waiting)
    provisional = provisional_holds(tx, waiting)
    for entry in waiting:
        entry.attempt += 1
    done = Sourced(solves=list(ahead.solves) if ahead else [])
    for round_number in range(MAX_ROUNDS):
        if not waiting:
            return done
        if ahead is not None and round_number == 0:
            found = ahead
        else:
            found = answer(ask(tx, waiting, context, provisional), context)
            done.solves += found.solves
        answers = _hold(tx, found, provisional, round_number, context.policy.slot_work)
        own: dict[str, list[Part]] = defaultdict(list)
        for part in found.parts:
            own[part.entry.order_id].append(part)
        refused = {order_id for order_id, answer in answers.items() if not answer.applied}
        left: list[OrderEntry] = []
        recorded: list[Part] = []
        for entry in waiting:
            parts = own.get(entry.order_id)
            if parts is None or entry.order_id in refused:
                left.append(entry)
                continue
            if entry.order_id not in provisional and _is_nothing_new(parts):
                entry.attempt -= 1
                continue
            _record(tx, parts, answers.get(entry.order_id), offer=offer and not entry.held)
            recorded += parts
        if recorded and found.solved is not None:
            digest = record_decisions(tx, recorded, context.policy, found.solved.wave)
            store_wave(tx, found.solved, digest, context.network_version)
        done.parts += recorded
        waiting = left
    for entry in waiting:
        entry.settle()
    return done


def provisional_holds(tx: Transaction, entries: Sequence[OrderEntry]) -> dict[str, list[Hold]]:
    """Pending holds of waiting orders that no fulfilment order stands for yet."""
    known = [entry for entry in entries if entry.stored_version and entry.attempt]
    offered = {line.hold for entry in known for one in entry.fulfilments.values() if one.live for line in one.lines}
    found: dict[str, list[Hold]] = defaultdict(list)
    for hold in holds_of(tx, [entry.order_id for entry in known]) if known else []:
        if hold.pending and hold.hold not in offered:
            found[hold.owner].append(hold)
    return found


def ask(
    tx: Transaction,
    entries: Sequence[OrderEntry],
    context: SourcingContext,
    provisional: Mapping[str, Sequence[Hold]],
) -> Question:
    """The problem of all open lines that quotas let be served; the orders' provisional holds count as free.

    Each entry's `attempt` is that of the decision to come.
    """
    wave = tx.new_id()
    kits: dict[str, Kits] = {}
    demands = [demand for entry in entries for demand in _demands(tx, entry, context, kits)]
    skus = sorted({line.sku for demand in demands for line in demand.lines})
    stock = available_of_skus(tx, skus, owners=list(provisional))
    by_order = {entry.order_id: entry for entry in entries}
    channels = {demand.order: by_order[_order_of(demand)].channel for demand in demands}
    whole = within_one_node(demands, kits, stock, context.index, context.policy) if kits else OneNode(demands)
    allowed = within_quotas(tx, whole.demands, channels, stock, chain.from_iterable(provisional.values()), kits=kits)
    allowed.also_cut(whole.cuts, whole.emptied)
    allowed.keep_complete(kits)
    slots = read_slots(
        tx, context.policy.slot_work, context.index, (one for one in entries if one.order_id in provisional)
    )
    prices = context.prices(tx, allowed.demands)
    document = wave_document(entries, allowed, provisional, slots.free, prices)
    return Question(wave, tx.now_us, entries, provisional, stock, allowed, document, kits, slots, prices)


def answer(question: Question, context: SourcingContext) -> Sourced:
    """One plan for all of it, and what it takes to make it again; needs no database."""
    allowed = question.allowed
    entries = {entry.order_id: entry for entry in question.entries}
    decided = decide(
        context.index,
        context.policy,
        allowed.demands,
        question.stock,
        context.solver,
        capacity=question.slots.free,
        prices=question.prices,
    )
    parts = [
        Part(
            entries[_order_of(demand)],
            one.method,
            allowed.with_cuts(told_in_kits(one.plan, question.kits.get(demand.order, {}))),
            one.prices,
        )
        for demand, one in zip(allowed.demands, decided, strict=True)
    ]
    parts += [Part(entries[_order_of(demand)], demand.method, plan) for demand, plan in allowed.empty_plans()]
    solves = Solve.all_of(decided)
    digest = stock_digest(question.stock, allowed.demands)
    leaves = decided.leaves() if routed_methods(context.policy) else None
    solved = Solved(question.wave, decided.solver, digest, question.document, solves, question.at_us, leaves)
    return Sourced(parts, solves, question.stock, solved, question.slots)


def _order_of(demand: OrderDemand) -> str:
    return demand.order.rpartition("#")[0]


def _demands(tx: Transaction, entry: OrderEntry, context: SourcingContext, kits: dict[str, Kits]) -> list[OrderDemand]:
    """One demand per delivery that has open lines; those of orders with kits are entered into `kits`."""
    open_units = entry.open_units()
    order, own_kits = entry.order, kits_of(entry)
    lines: dict[int, list[DemandLine]] = defaultdict(list)
    for line in order.fulfillable():
        if line.sku is not None and line.line in open_units:
            kit = own_kits.get(line.line)
            lines[line.delivery] += demand_lines(line.line, line.sku, open_units[line.line], kit)
    excluded = entry.rejecting_nodes() | context.withheld(entry.channel)
    demands = []
    for number, own in sorted(lines.items()):
        delivery = order.deliveries[number]
        demands.append(
            demand_of(
                entry.order_id,
                number,
                delivery,
                own,
                at=tx.now,
                excluded=excluded,
                channel=entry.channel,
                ship_complete=order.ship_complete,
            )
        )
    if own_kits:
        kits.update((demand.order, own_kits) for demand in demands)
    return demands


def _hold(
    tx: Transaction,
    found: Sourced,
    provisional: Mapping[str, Sequence[Hold]],
    round_number: int,
    work: SlotWork | None,
) -> dict[str, StockAnswer]:
    """All of an order's assignments are held, or none; orders that swap goods are held together."""
    wanted: dict[str, Exchange] = {}
    for part in found.parts:
        entry, order_id = part.entry, part.entry.order_id
        if order_id not in wanted:
            key = f"source/{order_id}/{entry.attempt}/{round_number}"
            wanted[order_id] = Exchange(order_id, entry.channel, key, provisional.get(order_id, ()))
            wanted[order_id].claims = found.slots.claims.get(order_id, ())
        wanted[order_id].slots += found.slots.requests(order_id, part.plan.assignments, work)
        wanted[order_id].place.extend(
            {"owner": order_id, "line": one.line, "sku": one.sku, "node": one.node, "quantity": one.quantity}
            for one in part.plan.assignments
        )
    moving = [exchange for exchange in wanted.values() if exchange.is_anything]
    groups = (
        together(moving, [*found.stock, *found.slots.rows()]) if provisional else [[exchange] for exchange in moving]
    )
    answers = apply_many(tx, [command_of(group, SCOPE) for group in groups]) if groups else []
    return {exchange.order: answer for group, answer in zip(groups, answers, strict=True) for exchange in group}


def _record(tx: Transaction, parts: Sequence[Part], answer: StockAnswer | None, *, offer: bool) -> None:
    """Write what was decided into the book: shortfalls per line, and a fulfilment order per delivery and node."""
    entry = parts[0].entry
    for part in parts:
        for line in part.plan.assignments:
            entry.lines[line.line].short = 0
        for shortfall in part.plan.shortfalls:
            entry.lines[shortfall.line].short = shortfall.missing
    if answer is not None and offer:
        holds = holds_by_cell(answer, entry.order_id)
        for part in parts:
            offer_part(tx, part, holds)
    entry.settle()


def _is_nothing_new(parts: Sequence[Part]) -> bool:
    """Whether an order that was short before is exactly as short now."""
    entry = parts[0].entry
    if any(part.plan.assignments for part in parts):
        return False
    missing = {one.line: one.missing for part in parts for one in part.plan.shortfalls}
    return all(entry.lines[line].short == units for line, units in missing.items())


def holds_by_cell(answer: StockAnswer, order: str) -> dict[tuple[str, str, str], str]:
    """The order's open holds of an answer, by (line, sku, node): a line of a kit holds several items."""
    return {
        (hold.line, hold.sku, hold.node): hold.hold for hold in answer.holds if hold.pending and hold.owner == order
    }


def offer_part(tx: Transaction, part: Part, holds: Mapping[tuple[str, str, str], str]) -> None:
    """A fulfilment order for each node of the part; `holds` are those of `holds_by_cell`."""
    by_node: dict[str, list[Assignment]] = defaultdict(list)
    for one in part.plan.assignments:
        by_node[one.node].append(one)
    for node, own in by_node.items():
        fulfilment = FulfilmentEntry(
            fulfilment=tx.new_id(),
            node=node,
            method=part.method.value,
            state=FulfilmentState.OFFERED,
            version=1,
            attempt=part.entry.attempt,
            why=own[0].why,
            offered_at_us=tx.now_us,
            lines=fulfilment_lines((holds[one.line, one.sku, node], one.line, one.sku, one.quantity) for one in own),
            changed=True,
        )
        part.entry.fulfilments[fulfilment.fulfilment] = fulfilment


def record_decisions(tx: Transaction, parts: Sequence[Part], policy: SourcingPolicy, wave: str) -> str:
    """Keep what was decided and why, per order and attempt; returns the digest of the policy."""
    documents: dict[tuple[str, int], list[dict[str, object]]] = defaultdict(list)
    for part in parts:
        name = part.entry.order_id, part.entry.attempt
        documents[name].append(decision_document(part.method, part.plan, part.paid))
    digest = remember_policy(tx, policy)
    rows = [
        {
            "order_id": order_id,
            "attempt": attempt,
            "policy_sha256": digest,
            "document": to_json({"version": 1, "wave": wave, "deliveries": deliveries}).decode(),
            "decided_at_us": tx.now_us,
        }
        for (order_id, attempt), deliveries in documents.items()
    ]
    tx.insert(tables.decision, rows)
    return digest
