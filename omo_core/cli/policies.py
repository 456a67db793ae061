"""`omo what-if`: a stored period decided again by other policies, as a table, a page, or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omo_core.cli.databases import must_exist
from omo_core.cli.exits import OK, answering
from omo_core.cli.options import AsJson, DatabaseUrl, Pool, Schema
from omo_core.cli.terminal import print_json
from omo_core.model.errors import InvalidInput

if TYPE_CHECKING:
    from omo_core.allocation import SourcingPolicy
    from omo_core.orders.what_if import WhatIf
    from omo_core.orders.what_if_figures import PolicyFigures
    from omo_core.report import PolicyOutcome, WhatIfSummary

Day = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="An instant with a zone, or a day in UTC: 2026-05-04 or 2026-05-04T18:00+08:00."),
]


@answering
def what_if(
    database: DatabaseUrl,
    policy: Annotated[
        list[Path] | None,
        typer.Option("--policy", metavar="FILE", help="A policy as JSON or YAML, named after its file; repeat it."),
    ] = None,
    since: Day = None,
    until: Day = None,
    solver: Annotated[
        str, typer.Option("--solver", metavar="NAME", help="greedy, exact, wave; policy: what each asks for.")
    ] = "policy",
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write the comparison there as one HTML page.")
    ] = None,
    pool: Pool = "default",
    schema: Schema = None,
    json: AsJson = False,
) -> int:
    """Decide a stored period again under other policies, and compare them with the one in force.

    The same orders come at the same instants, on the stock that the ledger tells. Nothing is changed. Without --since
    and --until it is everything that is stored; --until itself is not in it.
    """
    from omo_core.hub import OrderHub
    from omo_core.storage.database import Database

    named = _read(policy or [])
    begin, end = _instant(since, "--since"), _instant(until, "--until")
    must_exist(database)
    with OrderHub(Database.open(database, schema=schema, migrate="never"), pool=pool) as hub:
        found = hub.sourcing.what_if(named, since=begin, until=end, solver=solver)
    summary = as_summary(found)
    if report is not None:
        from omo_core.report import render_what_if

        render_what_if(summary, report)
    if json:
        print_json(summary.model_dump(mode="json"))
    else:
        _print(summary, report)
    return OK


def _read(files: Sequence[Path]) -> dict[str, SourcingPolicy]:
    from omo_core.allocation import SourcingPolicy

    named: dict[str, SourcingPolicy] = {}
    for file in files:
        if file.stem in named:
            raise InvalidInput(f"two policies are named {file.stem!r}; give their files different names")
        named[file.stem] = SourcingPolicy.read(file)
    return named


def _instant(text: str | None, option: str) -> datetime | None:
    """An instant; a bare day begins at midnight UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(f"{text}T00:00+00:00" if len(text) == len("2026-05-04") else text)
    except ValueError:
        raise InvalidInput(f"{option} {text!r} is no instant; write 2026-05-04 or 2026-05-04T18:00+08:00") from None
    if found.tzinfo is None:
        raise InvalidInput(f"{option} {text!r} has no time zone; write it as {text}+00:00")
    return found


def as_summary(found: WhatIf) -> WhatIfSummary:
    """A comparison as the report's value."""
    from omo_core.report import WhatIfSummary

    return WhatIfSummary(
        currency=found.currency,
        since=found.since.isoformat(sep=" ", timespec="minutes"),
        until=found.until.isoformat(sep=" ", timespec="minutes"),
        waves=found.waves,
        orders=found.orders,
        solver=found.solver,
        policies=tuple(_outcome(one) for one in found.policies),
        assumptions=found.assumptions,
    )


def _outcome(one: PolicyFigures) -> PolicyOutcome:
    from omo_core.report import NodeWork, PolicyOutcome
    from omo_core.report.summary import CostTerm

    def terms(costs: Mapping[str, int]) -> tuple[CostTerm, ...]:
        return tuple(CostTerm(term=term, minor=minor) for term, minor in sorted(costs.items()) if minor)

    return PolicyOutcome(
        name=one.name,
        policy_sha256=one.policy.digest(),
        own_cost_by_term=terms(one.cost_by_term),
        cost_by_term=terms(one.yardstick_by_term),
        orders=one.orders,
        orders_served=one.orders_served,
        orders_split=one.orders_split,
        splits=one.splits,
        units=one.units,
        units_served=one.units_served,
        lines=one.lines,
        lines_in_full=one.lines_in_full,
        parcels=one.parcels,
        parcel_m=one.parcel_m,
        parcels_unplaced=one.parcels_unplaced,
        late_parcels=one.late_parcels,
        displaced_units=one.displaced_units,
        loads=tuple(
            NodeWork(node=node, parcels=load.parcels, units=load.units) for node, load in sorted(one.loads.items())
        ),
    )


def _print(summary: WhatIfSummary, report: Path | None) -> None:
    from omo_core.cli.tables import print_table
    from omo_core.cli.terminal import console
    from omo_core.report.what_if import Figure, figures, term_figures
    from omo_core.report.wording import number

    def rows(found: Sequence[Figure]) -> list[tuple[str, ...]]:
        return [
            (one.label, *(f"{value}  {note}".rstrip() for value, note in zip(one.values, one.notes, strict=True)))
            for one in found
        ]

    screen = console()
    names = tuple(one.name for one in summary.policies)
    screen.print(
        f"{number(summary.orders)} orders in {number(summary.waves)} waves, {summary.since} to {summary.until}; "
        f"every cost at the prices of the policy in force."
    )
    print_table(screen, ("Figure", *names), rows(figures(summary)))
    print_table(screen, ("Cost by term", *names), rows(term_figures(summary)))
    screen.print()
    for sentence in summary.assumptions:
        screen.print(f"- {sentence}")
    if report is not None:
        screen.print(f"\nReport:   {report}", soft_wrap=True)
