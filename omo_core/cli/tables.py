"""A run's summary as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from omo_core.cli.terminal import console
from omo_core.report.wording import kind, money, number, percent, share, words

if TYPE_CHECKING:
    from rich.console import Console

    from omo_core.batch.session import Outcome
    from omo_core.report import RunSummary, Stage
    from omo_core.report.summary import WaveTotals

SHOWN_ROWS = 3
"""Rejected rows that the terminal shows; all of them are in rejected.csv."""

Row = Sequence[str]


def print_outcome(outcome: Outcome) -> None:
    """Everything a person wants to see after a run, on stdout."""
    screen = console()
    summary = outcome.summary
    screen.print(f"\n{summary.title}", style="bold")
    if summary.subtitle:
        screen.print(summary.subtitle)
    if summary.preparation:
        _print_preparation(screen, summary)
    _print_result(screen, summary)
    print_table(screen, ("Came through", "dialect", "orders", "counter sales"), _channels(summary))
    print_table(screen, ("Served from", "units", "share"), _kinds(summary))
    print_table(screen, ("Orders served by", "orders", "share"), _splits(summary))
    print_table(screen, (f"Cost by term, {summary.currency}", "cost", "share"), _costs(summary))
    if summary.waves is not None:
        print_table(screen, (f"Decided together, {summary.currency}", "cost", ""), wave_rows(summary.waves, summary))
    print_table(screen, ("Stage", "items", "seconds", "per second"), (_stage(one) for one in outcome.stages))
    _print_rejected(screen, summary)
    _print_audit(screen, summary)
    if outcome.log.resumed_after:
        screen.print(f"An earlier run had done {number(outcome.log.resumed_after)} messages; this one went on there.")
    if outcome.log.counts["overtaken"]:
        screen.print(f"Overtaken by a newer version before: {number(outcome.log.counts['overtaken'])} messages.")
    screen.print()
    for what, path in (("Report", outcome.report), ("Summary", outcome.summary_file), ("Rejected", outcome.rejected)):
        screen.print(f"{what + ':':<10}{path}", soft_wrap=True)


def print_table(screen: Console, header: Row, rows: Iterable[Row]) -> None:
    """A table of names and numbers; one without rows is left out."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for place, title in enumerate(header):
        table.add_column(title, justify="right" if place else "left", overflow="fold", no_wrap=bool(place))
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        screen.print()
        screen.print(table)


def _print_preparation(screen: Console, summary: RunSummary) -> None:
    rows = (
        (f"{one.what}: {one.reason}", number(one.count), percent(one.count, one.of) if one.of is not None else "")
        for one in summary.preparation
    )
    print_table(screen, ("Prepared", "count", "share"), rows)


def _print_result(screen: Console, summary: RunSummary) -> None:
    totals, filled, nearest = summary.totals, summary.filled, summary.nearest_only
    rows = [
        ("Orders", number(totals.orders), ""),
        ("Lines", number(totals.lines), ""),
        ("Units", number(totals.units), ""),
        ("Lines filled from the whole pool", number(filled.part), share(filled)),
    ]
    if nearest is not None:
        rows.append(("Lines the nearest store alone would fill", number(nearest.part), share(nearest)))
    if totals.real_time_orders:
        rows += [
            ("Orders decided in real time, by the router", number(totals.real_time_orders), ""),
            ("Orders decided in waves", number(totals.wave_orders), ""),
        ]
    rows += [
        ("Fulfilment orders", number(totals.fulfilment_orders), ""),
        ("Splits (nodes beyond an order's first)", number(totals.splits), ""),
        ("Rejected by stores", number(totals.rejected), ""),
        ("… of these served by another node", number(totals.resourced), percent(totals.resourced, totals.rejected)),
        ("Counter sales", number(totals.counter_sales), ""),
        ("Promised units that a counter sale took first", number(totals.displaced_units), ""),
        ("Units sold that the book did not know", number(totals.shortage_units), ""),
    ]
    print_table(screen, ("Result", "count", "share"), rows)


def _channels(summary: RunSummary) -> Iterable[Row]:
    for one in summary.channels:
        yield one.channel, one.dialect or "own file", number(one.orders), number(one.counter_sales)


def _kinds(summary: RunSummary) -> Iterable[Row]:
    units = sum(one.units for one in summary.served_by_kind)
    return ((kind(one.kind), number(one.units), percent(one.units, units)) for one in summary.served_by_kind)


def _splits(summary: RunSummary) -> Iterable[Row]:
    orders = sum(one.orders for one in summary.splits)
    for one in summary.splits:
        name = {0: "no node", 1: "1 node"}.get(one.nodes, f"{one.nodes} nodes")
        yield name, number(one.orders), percent(one.orders, orders)


def _costs(summary: RunSummary) -> Iterable[Row]:
    for one in summary.cost_by_term:
        yield words(one.term), _amount(one.minor, summary), percent(one.minor, summary.cost_minor)
    if summary.cost_by_term:
        yield "in all", _amount(summary.cost_minor, summary), ""


def wave_rows(waves: WaveTotals, summary: RunSummary) -> Iterable[Row]:
    """What the waves cost, and how far that may be from the least."""
    solved = f"{number(waves.waves)} waves of {number(waves.deliveries)} deliveries"
    yield solved, _amount(waves.cost_minor, summary), f"{number(waves.optimal)} proven the best"
    yield "the least that they could cost, proven", _amount(waves.lower_bound_minor, summary), ""
    gap = waves.cost_minor - waves.lower_bound_minor
    yield "at most too dear by (the proven gap)", _amount(gap, summary), percent(gap, waves.cost_minor, 2)
    if waves.greedy_minor is not None:
        saved = waves.greedy_minor - waves.cost_minor
        yield (
            "cheaper than one order after the other by",
            _amount(saved, summary),
            percent(saved, waves.greedy_minor, 3),
        )


def _amount(minor: int, summary: RunSummary) -> str:
    """The header names the currency."""
    return money(minor, summary.currency).removesuffix(f" {summary.currency}")


def _stage(one: Stage) -> Row:
    each = one.per_second
    counted = one.unit != "runs"
    return (
        one.name,
        f"{number(one.items)} {one.unit}" if counted else "",
        f"{one.duration_us / 1_000_000:.2f}",
        number(each) if counted and each is not None else "",
    )


def _print_rejected(screen: Console, summary: RunSummary) -> None:
    total = summary.rejected_rows_total
    screen.print()
    if not total:
        screen.print("Every input row was used.")
        return
    screen.print(f"{number(total)} input {'row was' if total == 1 else 'rows were'} not used:")
    for row in summary.rejected_rows[:SHOWN_ROWS]:
        screen.print(f"  {row.file} line {row.line}: {row.sentence}")
    if total > SHOWN_ROWS:
        screen.print("  … and so on; all of them are in the file of rejected rows.")


def _print_audit(screen: Console, summary: RunSummary) -> None:
    broken = [check for check in summary.audit if check.broken]
    rows = max((check.checked for check in summary.audit), default=0)
    screen.print(
        f"\nInvariants checked: {len(summary.audit)} over {number(rows)} rows, {len(broken) or 'none'} broken."
    )
    for check in broken:
        screen.print(f"  {check.name}: {number(check.broken)} cases; see `omo audit`", style="bold red")
