"""What a re-evaluation would change, told before it is done: shipments and costs before and after, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from omo_core.model.values import ChannelId, Count, Identifier, NodeId, Quantity, Value
from omo_core.orders.moves import Move
from omo_core.orders.reevaluation import Proposal


class ProposedShipment(Value):
    """Units of one order from one node."""

    node: NodeId
    units: Quantity


class ProposedOrder(Value):
    """One order that would be moved. Costs are those of the whole delivery, at the policy's prices and the command's."""

    order: Identifier
    channel: ChannelId
    external_id: Identifier
    before: tuple[ProposedShipment, ...]
    """What would be taken back."""
    after: tuple[ProposedShipment, ...]
    """What would be offered instead."""
    cost_before_by_term: Mapping[str, int]
    cost_after_by_term: Mapping[str, int]
    why: str

    @property
    def parcels_saved(self) -> int:
        """Below 0 where this order gives way to others."""
        return len(self.before) - len(self.after)

    @property
    def saved_minor(self) -> int:
        """Below 0 as above."""
        return sum(self.cost_before_by_term.values()) - sum(self.cost_after_by_term.values())


class Proposed(Value):
    """What a re-evaluation would do if it were run now; nothing was changed."""

    currency: str
    orders_seen: Count
    """Orders with work that could be moved."""
    last: str = ""
    """Id of the last order seen; go on with `after=` it. Empty where there was none."""
    shipments_before: Count
    """Of the orders seen, as far as they could be moved."""
    moved: tuple[ProposedOrder, ...] = ()

    @property
    def shipments_after(self) -> int:
        """Of the orders seen, once the others are moved."""
        return self.shipments_before - self.parcels_saved

    @property
    def parcels_saved(self) -> int:
        """By how much the fulfilment orders would become fewer."""
        return sum(one.parcels_saved for one in self.moved)

    @property
    def saved_minor(self) -> int:
        """What the moves would save."""
        return sum(one.saved_minor for one in self.moved)


def told(proposal: Proposal, currency: str) -> Proposed:
    """A proposal as a value; what changes before it is recorded is left as it is then."""
    survey = proposal.survey
    work = {one.fulfilment: one for delivery in survey.deliveries for one in delivery.work}
    names = {one.entry.order_id: one.entry.external_id for one in survey.deliveries}
    moved = []
    for move in (move for group in proposal.groups for move in group):
        before = [(work[name].node, line.quantity) for name in move.withdrawn for line in work[name].lines]
        after = [(part.node, part.quantity) for _, new, _ in move.plans for part in new.assignments]
        costs: Counter[str] = Counter()
        for _, _, plan in move.plans:
            costs.update(plan.cost_by_term)
        moved.append(
            ProposedOrder(
                order=move.order,
                channel=move.channel,
                external_id=names[move.order],
                before=_shipments(before),
                after=_shipments(after),
                cost_before_by_term=dict(move.costs),
                cost_after_by_term=dict(costs),
                why=_why(move, costs),
            )
        )
    return Proposed(
        currency=currency,
        orders_seen=len(names),
        last=survey.last,
        shipments_before=len(work),
        moved=tuple(moved),
    )


def _shipments(pieces: Iterable[tuple[str, int]]) -> tuple[ProposedShipment, ...]:
    units: dict[str, int] = {}
    for node, quantity in pieces:
        units[node] = units.get(node, 0) + quantity
    return tuple(ProposedShipment(node=node, units=number) for node, number in units.items())


def _why(move: Move, costs: Mapping[str, int]) -> str:
    """The term that becomes most cheaper, or that the order is worse off so that others are better off."""
    if move.saved_minor <= 0:
        return "gives way to other orders, which save more than that"
    saved = {term: amount - costs.get(term, 0) for term, amount in move.costs.items()}
    cheaper = max(saved, key=lambda term: saved[term]).replace("_", " ")
    if move.parcels_saved > 0:
        return f"{move.parcels_saved} fewer to send; mostly less {cheaper}"
    return f"less {cheaper}"
