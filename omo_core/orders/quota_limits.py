"""Quotas at sourcing: what a channel may not take of an item is not planned for, and its lines say why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from omo_core.allocation import DemandLine, LineShortfall, OrderDemand, OrderPlan
from omo_core.inventory.shares import Shares
from omo_core.model.refusals import Refusal
from omo_core.model.stock import Hold
from omo_core.storage.transaction import Transaction


@dataclass(slots=True)
class WithinQuotas:
    """Demands as their channels' quotas leave them, and what was cut from each, by the demand's order."""

    demands: list[OrderDemand]
    cuts: dict[str, list[LineShortfall]] = field(default_factory=dict)
    emptied: list[OrderDemand] = field(default_factory=list)
    """Demands of which nothing was left to plan."""

    def with_cuts(self, plan: OrderPlan) -> OrderPlan:
        """A plan of one of the demands that also tells what was cut from it."""
        cut = self.cuts.get(plan.order)
        return replace(plan, shortfalls=_merged([*plan.shortfalls, *cut])) if cut else plan

    def empty_plans(self) -> list[tuple[OrderDemand, OrderPlan]]:
        """Plans of the emptied demands: no node, and the reasons."""
        return [
            (demand, OrderPlan(demand.order, "exact", (), tuple(self.cuts[demand.order]), {}, ()))
            for demand in self.emptied
        ]


def within_quotas(
    tx: Transaction,
    demands: Sequence[OrderDemand],
    channels: Mapping[str, str],
    stock: Iterable[tuple[str, str, int]],
    provisional: Iterable[Hold],
) -> WithinQuotas:
    """Cut demands to what quotas leave their channels (by `OrderDemand.order`), in the order given.

    `stock` (sku, node, units) counts the `provisional` holds as free, and they will be replaced: so they do not count
    towards their quotas either. Where no item has a quota this is one look-up.
    """
    shares = Shares.read(tx, {line.sku for demand in demands for line in demand.lines})
    if not shares.skus:
        return WithinQuotas(list(demands))
    for sku, _, units in stock:
        shares.add_free(sku, units)
    for hold in provisional:
        shares.forget(hold.sku, hold.channel, hold.pending)
    found = WithinQuotas([])
    for demand in demands:
        lines = [_cut(line, demand.order, channels[demand.order], shares, found.cuts) for line in demand.lines]
        kept = tuple(line for line in lines if line is not None)
        if kept == demand.lines:
            found.demands.append(demand)
        elif kept:
            found.demands.append(replace(demand, lines=kept))
        else:
            found.emptied.append(demand)
    return found


def _cut(
    line: DemandLine, order: str, channel: str, shares: Shares, cuts: dict[str, list[LineShortfall]]
) -> DemandLine | None:
    limit = shares.limit(line.sku, channel)
    if limit is None:
        return line
    units = min(limit, line.quantity)
    shares.take(line.sku, channel, units)
    if units == line.quantity or (units == 0 and shares.is_sold_out(line.sku)):
        return line  # that nothing is there at all is for the plan to say
    code = "over_quota" if shares.is_capped(line.sku, channel) else "kept_for_others"
    missing = line.quantity - units
    why = Refusal.of(code, sku=line.sku, missing=missing, wanted=line.quantity).sentence
    cuts.setdefault(order, []).append(LineShortfall(line.line, line.sku, missing, code, why, line.quantity))
    return replace(line, quantity=units) if units else None


def _merged(shortfalls: Sequence[LineShortfall]) -> tuple[LineShortfall, ...]:
    """One shortfall a line: what no node had comes first, and what was cut adds to it."""
    by_line: dict[str, LineShortfall] = {}
    for one in shortfalls:
        first = by_line.get(one.line)
        by_line[one.line] = (
            one if first is None else replace(first, missing=first.missing + one.missing, wanted=one.wanted)
        )
    return tuple(by_line.values())
