"""Quotas at sourcing: what a channel may not take of an item is not planned for, and its lines say why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from omo_core.allocation import DemandLine, OrderDemand, OrderPlan
from omo_core.inventory.shares import Shares
from omo_core.model.stock import Hold
from omo_core.orders.kits import Cuts, Kit, Kits, demand_lines, lines_in_kits, merged, shortfall
from omo_core.storage.transaction import Transaction


@dataclass(slots=True)
class WithinQuotas:
    """Demands as their channels' quotas leave them, and what was cut from each, by the demand's order."""

    demands: list[OrderDemand]
    cuts: Cuts = field(default_factory=dict)
    emptied: list[OrderDemand] = field(default_factory=list)
    """Demands of which nothing was left to plan."""

    def also_cut(self, cuts: Cuts, emptied: Iterable[OrderDemand]) -> None:
        """Tell of what was left out before quotas were asked, too."""
        for order, own in cuts.items():
            self.cuts[order] = [*own, *self.cuts.get(order, ())]
        self.emptied += emptied

    def keep_complete(self, kits: Mapping[str, Kits]) -> None:
        """Plan nothing of a demand that is to be served in full and was cut."""
        for demand in [one for one in self.demands if one.ship_complete and one.order in self.cuts]:
            self.demands.remove(demand)
            self.emptied.append(demand)
            own = kits.get(demand.order, {})
            skus = {line.line: line.sku for line in demand.lines} | {line: kit.sku for line, kit in own.items()}
            self.cuts[demand.order] += [
                shortfall(line, skus[line], units, "kept_complete", units)
                for line, units in lines_in_kits(demand.lines, own).items()
            ]

    def with_cuts(self, plan: OrderPlan) -> OrderPlan:
        """A plan of one of the demands that also tells what was cut from it."""
        cut = self.cuts.get(plan.order)
        return replace(plan, shortfalls=merged([*plan.shortfalls, *cut])) if cut else plan

    def empty_plans(self) -> list[tuple[OrderDemand, OrderPlan]]:
        """Plans of the emptied demands: no node, and the reasons."""
        return [
            (demand, OrderPlan(demand.order, "exact", (), merged(self.cuts[demand.order]), {}, ()))
            for demand in self.emptied
        ]


def within_quotas(
    tx: Transaction,
    demands: Sequence[OrderDemand],
    channels: Mapping[str, str],
    stock: Iterable[tuple[str, str, int]],
    provisional: Iterable[Hold],
    *,
    kits: Mapping[str, Kits] | None = None,
) -> WithinQuotas:
    """Cut demands to what quotas leave their channels (by `OrderDemand.order`), in the order given.

    `kits` names lines, by demand's order, that are cut by whole kits.

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
        own = kits.get(demand.order, {}) if kits else {}
        kept = tuple(_kept(demand, own, channels[demand.order], shares, found.cuts))
        if kept == demand.lines:
            found.demands.append(demand)
        elif kept:
            found.demands.append(replace(demand, lines=kept))
        else:
            found.emptied.append(demand)
    return found


def _kept(demand: OrderDemand, kits: Kits, channel: str, shares: Shares, cuts: Cuts) -> Iterator[DemandLine]:
    in_kits = lines_in_kits(demand.lines, kits) if kits else {}
    for line in demand.lines:
        if line.line not in kits:
            if (left := _cut(line, demand.order, channel, shares, cuts)) is not None:
                yield left
        elif line.line in in_kits:
            yield from _cut_kit(line.line, in_kits.pop(line.line), kits[line.line], demand.order, channel, shares, cuts)


def _cut_kit(  # noqa: PLR0917 - a line, its kit, and what `_cut` takes
    line: str, wanted: int, kit: Kit, order: str, channel: str, shares: Shares, cuts: Cuts
) -> Iterator[DemandLine]:
    """As many kits as the quotas of all components leave."""
    limits = {part: shares.limit(part, channel) for part in kit.components}
    left = {part: limit // kit.components[part] for part, limit in limits.items() if limit is not None}
    units = min([wanted, *left.values()])
    for part, each in kit.components.items():
        shares.take(part, channel, units * each)
    if units < wanted:
        least = min(left, key=left.__getitem__)
        code = "over_quota" if shares.is_capped(least, channel) else "kept_for_others"
        cuts.setdefault(order, []).append(shortfall(line, kit.sku, wanted - units, code, wanted))
    yield from demand_lines(line, kit.sku, units, kit) if units else ()


def _cut(line: DemandLine, order: str, channel: str, shares: Shares, cuts: Cuts) -> DemandLine | None:
    limit = shares.limit(line.sku, channel)
    if limit is None:
        return line
    units = min(limit, line.quantity)
    shares.take(line.sku, channel, units)
    if units == line.quantity or (units == 0 and shares.is_sold_out(line.sku)):
        return line  # that nothing is there at all is for the plan to say
    code = "over_quota" if shares.is_capped(line.sku, channel) else "kept_for_others"
    cut = shortfall(line.line, line.sku, line.quantity - units, code, line.quantity)
    cuts.setdefault(order, []).append(cut)
    return replace(line, quantity=units) if units else None
