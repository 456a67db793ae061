"""How fast the stock pool reserves, beside the ways others do it and the floor under all of them, on both engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from benchmarks.harness import Context, Size
from benchmarks.reservations_audits import compare_ledgers, time_audit
from benchmarks.reservations_bulk import compare_look_ups, place_large_orders
from benchmarks.reservations_ledger import require_sound
from benchmarks.reservations_ours import CALLERS, OURS
from benchmarks.reservations_sites import Site, sites
from benchmarks.reservations_stands import FLOOR, Stand
from benchmarks.reservations_workloads import WORKLOADS
from omo_core.storage.database import Database


@dataclass(frozen=True)
class Plan:
    """How much of everything one size measures."""

    rows: int
    """Of the Zipf and spread workloads."""
    rounds: int
    round_s: float
    """For the figures: the sides take turns."""
    callers: tuple[int, ...]
    survey_s: float
    """For the survey of every method, workload and number of callers, one round each."""
    scarce_units: int
    pairs: int
    single_look_ups: int
    order_lines: int
    audited_rows: int
    orders_a_row: int
    audits: int
    """Rounds of the audit, and of the look-ups."""


PLANS: Final[dict[Size, Plan]] = {
    "smallest": Plan(1_000, 1, 0.2, (1,), 0.05, 50, 1_000, 50, 500, 300, 4, 1),
    "default": Plan(100_000, 5, 1.2, (1, 32, 256, 1_024), 0.4, 300, 100_000, 1_000, 10_000, 10_000, 34, 3),
    "all": Plan(100_000, 9, 3.0, (1, 32, 256, 1_024), 2.0, 2_000, 100_000, 10_000, 10_000, 10_000, 34, 5),
}
LONG_LEDGER_ORDERS: Final = 34
"""An order leaves three postings: over 100,000 rows that is a ledger of 10.2 million."""


WORSE: Final = {
    "bulk_atp_vs_single": min,
    "bulk_atp_vs_bare_statement": min,
    "audit_1m_s": max,
    "order_10k_lines_s": max,
    "order_10k_lines_8_at_once_s": max,
}
"""Figures of both engines: each is given for either, and the worse of the two under the bare key."""

COUNTS: Final = ("oversold_units", "unsold_units", "deadlocks")
"""Of every method on both engines, in the whole run: each must be 0."""


def run(context: Context) -> None:
    """Measure PostgreSQL, then SQLite, in the same way."""
    plan = PLANS[context.size]
    with sites() as (postgres, sqlite):
        found = {site.engine: _measure(context, site, plan) for site in (postgres, sqlite)}
    for key, worse in WORSE.items():
        for engine, figures in found.items():
            context.figure(f"{key}_{engine}", figures[key])
        context.figure(key, worse(figures[key] for figures in found.values()))
    for key in COUNTS:
        context.figure(key, int(sum(figures[key] for figures in found.values())))


def _measure(context: Context, site: Site, plan: Plan) -> dict[str, float]:
    """Everything about one engine; returns its `WORSE` and `COUNTS`, the other figures are given already."""
    with Stand(site, plan.rows, context.seed, plan.scarce_units) as stand:
        _compare(context, stand, plan)
        _survey(context, stand, plan)
        scarce = [_last_units(context, stand, name) for name in stand.methods]
    with Database.open(stand.urls[OURS]) as database:
        require_sound(database)
    looked_up = compare_look_ups(
        context, site, stand.urls[OURS], plan.rows, pairs=plan.pairs, singles=plan.single_look_ups, rounds=plan.audits
    )
    orders = place_large_orders(context, site, site.copy("orders", "shop"), plan.order_lines, plan.rounds)
    audit_s, postings = time_audit(context, site, plan.audited_rows, plan.orders_a_row, plan.audits)
    context.figure(f"audited_postings_{site.engine}", postings)
    if context.size == "all" and site.engine == "postgresql":
        ledgers = compare_ledgers(
            context, site, plan.rows, LONG_LEDGER_ORDERS, rounds=plan.rounds, seconds=plan.round_s
        )
        context.figure("full_vs_empty_ledger", ledgers["full"] / ledgers["empty"])
    return {
        "bulk_atp_vs_single": looked_up["single"] / looked_up["bulk"],
        "bulk_atp_vs_bare_statement": looked_up["bare"] / looked_up["bulk"],
        "audit_1m_s": audit_s,
        "order_10k_lines_s": orders["one_s"],
        "order_10k_lines_8_at_once_s": orders["together_s"],
        "oversold_units": sum(facts["oversold"] for facts in scarce),
        "unsold_units": sum(facts["unsold"] for facts in scarce),
        "deadlocks": orders["deadlocks"] + stand.deadlocks(),
    }


def _compare(context: Context, stand: Stand, plan: Plan) -> None:
    """The sides of every ratio, in turn: so a slow minute of the machine slows all of them."""
    stand.warm_up(plan.survey_s)
    names = [name for name in stand.methods if name != OURS]
    sides = {stand.label(OURS, "hot", CALLERS): stand.side(OURS, "hot", CALLERS, plan.round_s)}
    sides[stand.label(FLOOR, "hot", 0)] = stand.floor_side()
    for name in names:
        sides[stand.label(name, "hot", CALLERS)] = stand.side(name, "hot", CALLERS, plan.round_s)
    sides[stand.label(OURS, "spread", CALLERS)] = stand.side(OURS, "spread", CALLERS, plan.round_s)
    found = context.in_turn(sides, rounds=plan.rounds)

    def of(name: str, workload: str = "hot", fact: str = "throughput_s") -> float:
        rounds = found[stand.label(name, workload, 0 if name == FLOOR else CALLERS)]
        return float(median(facts[fact] for facts in rounds))

    ours, engine = of(OURS), stand.engine
    context.figure(f"hot_reservations_s_{engine}", ours)
    if engine == "postgresql":
        context.figure("hot_vs_row_lock", ours / of("row_lock"))
        context.figure("hot_p99_vs_row_lock", of(OURS, fact="p99_ms") / of("row_lock", fact="p99_ms"))
        context.figure("hot_vs_append_sum", ours / of("append_sum"))
        context.figure("hot_vs_conditional", ours / of("conditional"))
        context.figure("hot_vs_floor", ours / of(FLOOR))
        context.figure("spread_vs_hot", of(OURS, "spread") / ours)
    else:
        context.figure("sqlite_vs_single_commit", ours / of("single_commit"))
        context.figure("sqlite_hot_vs_floor", ours / of(FLOOR))
        context.figure("sqlite_spread_vs_hot", of(OURS, "spread") / ours)


def _survey(context: Context, stand: Stand, plan: Plan) -> None:
    """One round of every method, workload and number of callers that `_compare` has not had."""
    for workload in WORKLOADS:
        for callers in plan.callers:
            sides = {stand.label(name, workload, callers): name for name in stand.methods}
            context.in_turn(
                {
                    label: stand.side(name, workload, callers, plan.survey_s)
                    for label, name in sides.items()
                    if label not in context.timings
                }
            )


def _last_units(context: Context, stand: Stand, name: str) -> Mapping[str, Any]:
    label = f"{stand.engine} {name} last units"
    return context.in_turn({label: lambda: stand.last_units(name)})[label][0]
