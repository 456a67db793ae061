"""The figures of a run, gathered from the database it left behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from omo_core.batch.baseline import Nearest, nearest_store_only
from omo_core.batch.facts import (
    FulfilmentFact,
    OrderFact,
    SaleFact,
    count_shortage_units,
    goes_to,
    read_counter_sales,
    read_orders,
)
from omo_core.batch.files import RejectedRow, StockRow
from omo_core.batch.run import RunLog
from omo_core.channels.registry import dialect_of
from omo_core.hub import OrderHub
from omo_core.inventory import AuditReport
from omo_core.model.network import Network
from omo_core.orders.waves import Solve, runs_of_waves
from omo_core.report import RunSummary, summary

MAX_ROWS: Final = 50
"""Rejected rows that the report lists; all of them are in rejected.csv."""

SAMPLES: Final = 8


@dataclass(frozen=True, kw_only=True)
class Wording:
    """What the files themselves cannot say: titles, how they were prepared, whose data they are."""

    title: str = "One stock pool, one run"
    subtitle: str | None = None
    preparation: tuple[summary.PreparationCount, ...] = ()
    attribution: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Facts:
    """What the figures are made from."""

    network: Network
    orders: Sequence[OrderFact]
    sales: Sequence[SaleFact]
    shortage: tuple[int, int]
    audit: AuditReport
    kinds: dict[str, str] = field(default_factory=dict)

    @property
    def standing(self) -> Iterable[tuple[OrderFact, FulfilmentFact]]:
        return ((order, one) for order in self.orders for one in order.standing)


def summarise(hub: OrderHub, network: Network, stock: Sequence[StockRow], log: RunLog, wording: Wording) -> RunSummary:
    """Read what the run left, audit it, and compute the baseline; the same run gives the same summary."""
    with ThreadPoolExecutor(1) as auditor:
        # The audit is the database's work, the rest is ours: they run side by side.
        auditing = auditor.submit(hub.audit)
        orders, sales, shortage, runs = hub.run(
            lambda tx: (read_orders(tx), read_counter_sales(tx), count_shortage_units(tx), runs_of_waves(tx)),
            read_only=True,
        )
        baseline = nearest_store_only(network.nodes, stock, orders, sales)
        audit = auditing.result()
    facts = _Facts(network, orders, sales, shortage, audit, {one.node: one.kind.value for one in network.nodes})
    return RunSummary(
        title=wording.title,
        subtitle=wording.subtitle,
        currency=network.currency,
        totals=_totals(facts),
        filled=summary.Share(
            part=sum(order.lines_served_in_full() for order in orders),
            whole=sum(len(order.wanted) for order in orders),
        ),
        nearest_only=summary.Share(part=baseline.filled, whole=baseline.lines),
        cost_by_term=_cost_by_term(orders),
        waves=_waves(runs),
        served_by_kind=_served_by_kind(facts),
        splits=_splits(orders),
        channels=_channels(hub, facts),
        nodes=_node_loads(facts),
        flows=_flows(facts),
        why=tuple(_why(order) for order in _sample(orders)),
        preparation=wording.preparation,
        rejected_rows=tuple(_row(row) for row in log.rejected[:MAX_ROWS]),
        rejected_rows_total=len(log.rejected),
        audit=_audit_checks(audit),
        attribution=wording.attribution,
    )


def _totals(facts: _Facts) -> summary.Totals:
    standing = list(facts.standing)
    rejected = [(order, one) for order in facts.orders for one in order.fulfilments if one.reject_code == "by_node"]
    displaced = [one for order in facts.orders for one in order.fulfilments if one.reject_code == "displaced"]
    return summary.Totals(
        orders=len(facts.orders),
        lines=sum(len(order.wanted) for order in facts.orders),
        units=sum(order.wanted_units for order in facts.orders),
        units_assigned=sum(one.units for _, one in standing),
        fulfilment_orders=len(standing),
        splits=sum(max(0, len({one.node for one in order.standing}) - 1) for order in facts.orders),
        rejected=len(rejected),
        resourced=sum(_found_another_way(order, one) for order, one in rejected),
        counter_sales=len({sale.operation_id for sale in facts.sales}),
        counter_lines=len(facts.sales),
        displaced_units=sum(one.units for one in displaced),
        shortage_units=facts.shortage[0],
        real_time_orders=sum(any("router" in one for one in order.decisions) for order in facts.orders),
        wave_orders=sum(any("router" not in one for one in order.decisions) for order in facts.orders),
    )


def _channels(hub: OrderHub, facts: _Facts) -> tuple[summary.ChannelCount, ...]:
    orders = Counter(order.channel for order in facts.orders)
    sales = Counter({one.operation_id: one.channel for one in facts.sales}.values())
    dialects = {name: dialect_of(hub.channels[name].adapter) for name in hub.channels}
    counts = [
        summary.ChannelCount(channel=one, dialect=dialects.get(one), orders=orders[one], counter_sales=sales[one])
        for one in orders.keys() | sales.keys()
    ]
    return tuple(sorted(counts, key=lambda one: (-one.orders - one.counter_sales, one.channel)))


def _found_another_way(order: OrderFact, rejected: FulfilmentFact) -> bool:
    """Whether every line of a rejected fulfilment order ended served in full."""
    served = order.served()
    return all(served.get(line, 0) >= order.wanted.get(line, ("", 0))[1] for line, _, _ in rejected.lines)


def _cost_by_term(orders: Iterable[OrderFact]) -> tuple[summary.CostTerm, ...]:
    minor: Counter[str] = Counter()
    for order in orders:
        for decision in order.decisions:
            minor.update(decision["cost_by_term"])
    return tuple(summary.CostTerm(term=term, minor=cost) for term, cost in sorted(minor.items()) if cost)


def _waves(runs: Sequence[Solve]) -> summary.WaveTotals | None:
    """The runs that proved something, added up."""
    proven = [(run, run.lower_bound_minor) for run in runs if run.lower_bound_minor is not None]
    if not proven:
        return None
    greedy = [run.greedy_minor for run, _ in proven if run.greedy_minor is not None]
    return summary.WaveTotals(
        waves=len(proven),
        optimal=sum(run.cost_minor == bound for run, bound in proven),
        deliveries=sum(run.deliveries for run, _ in proven),
        cost_minor=sum(run.cost_minor for run, _ in proven),
        lower_bound_minor=sum(bound for _, bound in proven),
        greedy_minor=sum(greedy) if len(greedy) == len(proven) else None,
    )


def _served_by_kind(facts: _Facts) -> tuple[summary.KindShare, ...]:
    units: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    for _, one in facts.standing:
        kind = facts.kinds[one.node]
        units[kind] += one.units
        parts[kind] += 1
    return tuple(
        summary.KindShare(kind=kind, units=units[kind], fulfilment_orders=parts[kind]) for kind in sorted(units)
    )


def _splits(orders: Iterable[OrderFact]) -> tuple[summary.SplitCount, ...]:
    counts = Counter(len({one.node for one in order.standing}) for order in orders if order.wanted)
    return tuple(summary.SplitCount(nodes=nodes, orders=counts[nodes]) for nodes in sorted(counts))


def _node_loads(facts: _Facts) -> tuple[summary.NodeLoad, ...]:
    units: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    for order in facts.orders:
        rejected.update(one.node for one in order.fulfilments if one.reject_code == "by_node")
        for one in order.standing:
            units[one.node] += one.units
            parts[one.node] += 1
    return tuple(
        summary.NodeLoad(
            node=node.node,
            name=node.name,
            kind=node.kind.value,
            point=node.point,
            region=node.region,
            units=units[node.node],
            fulfilment_orders=parts[node.node],
            rejected=rejected[node.node],
        )
        for node in facts.network.nodes
    )


def _flows(facts: _Facts) -> tuple[summary.Flow, ...]:
    regional = [node for node in facts.network.nodes if node.region]
    regions = {node.node: node.region for node in regional}
    nearest = Nearest(regional)
    units: Counter[tuple[str, str]] = Counter()
    for order in facts.orders:
        pickup, point = goes_to(order)
        home = nearest.to(point)
        region = regions.get(pickup) if pickup else home.region if home else None
        for one in order.standing:
            if region:
                units[one.node, region] += one.units
    return tuple(summary.Flow(node=node, region=region, units=units[node, region]) for node, region in sorted(units))


def _sample(orders: Sequence[OrderFact]) -> list[OrderFact]:
    """A few orders that show different things: one of each method, splits, a reject, a shortfall, a long one."""
    wishes = (
        lambda one: len(one.wanted) > 1 and len({part.node for part in one.standing}) == 1,
        lambda one: len({part.node for part in one.standing}) == 2 and len(one.wanted) <= 6,
        lambda one: any(part.method == "one_hour" for part in one.standing),
        lambda one: any(part.method == "pickup" for part in one.standing),
        lambda one: any(part.reject_code == "by_node" for part in one.fulfilments) and one.standing,
        lambda one: any(part.reject_code == "displaced" for part in one.fulfilments),
        lambda one: one.standing and sum(one.served().values()) < one.wanted_units,
        lambda one: len(one.wanted) > 40,
    )
    chosen: list[OrderFact] = []
    for wish in wishes:
        found = next((one for one in orders if one not in chosen and wish(one)), None)
        if found is not None:
            chosen.append(found)
    for one in orders:
        if len(chosen) < min(SAMPLES, 4) and one not in chosen and one.standing:
            chosen.append(one)
    return chosen


def _why(order: OrderFact) -> summary.WhySample:
    address = order.delivery.address
    missing = order.wanted_units - sum(order.served().values())
    costs: Counter[str] = Counter()
    for decision in order.decisions:
        costs.update(decision["cost_by_term"])
    return summary.WhySample(
        order=order.order.display_number or order.order.external_id,
        channel=order.order.channel,
        method=order.delivery.method.value,
        destination=address.city if address else order.delivery.pickup_node,
        lines=len(order.wanted),
        units=order.wanted_units,
        cost_by_term=tuple(summary.CostTerm(term=term, minor=cost) for term, cost in sorted(costs.items()) if cost),
        parts=tuple(_part(order, one) for one in order.fulfilments),
        shortfall=f"{missing} of {order.wanted_units} units could not be served by any node." if missing else None,
    )


def _part(order: OrderFact, one: FulfilmentFact) -> summary.WhyPart:
    sentence = one.why
    if one.reject_code == "by_node":
        sentence += " The node rejected it; the order was sourced again without it."
    elif one.reject_code == "displaced":
        sentence += " A counter sale took its goods first; the order was sourced again."
    return summary.WhyPart(
        node=one.node,
        lines=len({line for line, _, _ in one.lines}),
        units=one.units,
        sentence=sentence,
        runners_up=tuple(_runner_up(runner) for runner in _runners_of(order, one)),
    )


def _runners_of(order: OrderFact, one: FulfilmentFact) -> list[dict[str, Any]]:
    """The runner-ups of the decision that chose this node: those for it, and those that no node beat."""
    for decision in order.decisions:
        if any(assigned["node"] == one.node for assigned in decision["assignments"]):
            return [runner for runner in decision["runner_ups"] if runner["instead_of"] in (None, one.node)][:3]
    return []


def _runner_up(runner: dict[str, Any]) -> summary.RunnerUp:
    extra = runner["extra_minor"]
    return summary.RunnerUp(node=runner["node"], more_minor=extra, reason=runner["why"])


def _row(row: RejectedRow) -> summary.RejectedRow:
    return summary.RejectedRow(file=row.file, line=row.line, code=row.code, sentence=row.reason[:2_000])


def _audit_checks(audit: AuditReport) -> tuple[summary.AuditCheck, ...]:
    total = sum(audit.counted.values())
    return tuple(
        summary.AuditCheck(name=name.replace("_", " "), checked=total, broken=broken)
        for name, broken in audit.found.items()
    )
