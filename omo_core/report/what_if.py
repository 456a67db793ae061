"""What a comparison of policies shows: one stored period under several of them, as a table, plots, and one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from omo_core.report import wording
from omo_core.report.summary import UNSERVED, PolicyOutcome, WhatIfSummary

SHOWN_NODES: Final = 12
"""Nodes in the plot of loads: those whose work differs most between the policies."""

TONES: Final = (
    *("store", "regional_warehouse", "central_warehouse", "dealer_store", "pickup_point", "plain", "alone"),
)
"""Colours of the style sheet that terms are drawn in, the dearest first; units not served have their own."""


@dataclass(frozen=True)
class Figure:
    """One row of the comparison: a figure's name, and its value and difference in words for each policy."""

    label: str
    values: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Segment:
    """A part of a stacked bar: its length in percent of the longest bar."""

    label: str
    tone: str
    length: float
    value: str


@dataclass(frozen=True)
class Stack:
    """One policy's stacked bar."""

    label: str
    segments: tuple[Segment, ...]
    value: str


@dataclass(frozen=True)
class NodeBars:
    """One node's parcels under each policy: (policy, length in percent, value)."""

    node: str
    bars: tuple[tuple[str, float, str], ...]


def figures(summary: WhatIfSummary) -> list[Figure]:
    """The comparison as rows; differences are to the first policy."""
    n, first = wording.number, summary.policies[0]

    def money(minor: int) -> str:
        return wording.money(minor, summary.currency)

    def row(label: str, amount: str, values: list[str]) -> Figure:
        base = int(getattr(first, amount))
        return Figure(label, tuple(values), tuple(_change(int(getattr(one, amount)), base) for one in each))

    def share(label: str, part: str, whole: str) -> Figure:
        shares = [(int(getattr(one, part)), int(getattr(one, whole))) for one in each]
        notes = tuple(_points(one, shares[0]) for one in shares)
        return Figure(label, tuple(wording.percent(*one) for one in shares), notes)

    each = summary.policies
    rows = [
        row("Cost of what is served", "served_minor", [money(one.served_minor) for one in each]),
        share("Units served", "units_served", "units"),
        share("Lines in full", "lines_in_full", "lines"),
        share("Orders split", "orders_split", "orders_served"),
        row("Parcels", "parcels", [n(one.parcels) for one in each]),
        row("Parcel-kilometres", "parcel_m", [n(one.parcel_m / 1000) for one in each]),
        share("Late parcels", "late_parcels", "parcels"),
        Figure(
            "Busiest node",
            tuple(one.busiest.node if one.busiest else "–" for one in each),
            tuple(f"{n(one.busiest.parcels)} parcels" if one.busiest else "" for one in each),
        ),
    ]
    if any(one.displaced_units for one in each):
        rows.append(row("Promised units displaced", "displaced_units", [n(one.displaced_units) for one in each]))
    if any(one.parcels_unplaced for one in each):
        rows.append(row("Parcels of unknown distance", "parcels_unplaced", [n(one.parcels_unplaced) for one in each]))
    return rows


def term_figures(summary: WhatIfSummary) -> list[Figure]:
    """Cost by term at the first policy's prices, one row a term."""
    costs = [_by_term(one) for one in summary.policies]
    return [
        Figure(
            wording.words(term),
            tuple(wording.money(cost.get(term, 0), summary.currency) for cost in costs),
            tuple(_change(cost.get(term, 0), costs[0].get(term, 0)) for cost in costs),
        )
        for term in _terms(summary)
    ]


def cost_stacks(summary: WhatIfSummary) -> list[Stack]:
    """A bar for each policy, in parts by term; units not served, which nobody pays for, are left to the table."""
    longest = max(one.served_minor for one in summary.policies)
    tones = dict(zip((term for term in _terms(summary) if term != UNSERVED), _tones(), strict=False))
    return [
        Stack(
            one.name,
            tuple(
                Segment(
                    wording.words(term),
                    tone,
                    wording.ratio(_by_term(one).get(term, 0), longest),
                    wording.money(_by_term(one).get(term, 0), summary.currency),
                )
                for term, tone in tones.items()
            ),
            wording.money(one.served_minor, summary.currency),
        )
        for one in summary.policies
    ]


def load_bars(summary: WhatIfSummary) -> list[NodeBars]:
    """Parcels of the nodes whose work differs most between the policies."""
    loads = [{one.node: one.parcels for one in each.loads} for each in summary.policies]
    spread = {
        node: max(load.get(node, 0) for load in loads) - min(load.get(node, 0) for load in loads)
        for node in sorted(set().union(*loads))
    }
    shown = sorted((node for node in spread if spread[node]), key=lambda node: (-spread[node], node))[:SHOWN_NODES]
    longest = max((load.get(node, 0) for load in loads for node in shown), default=0)
    return [
        NodeBars(
            node,
            tuple(
                (each.name, wording.ratio(load.get(node, 0), longest), wording.number(load.get(node, 0)))
                for each, load in zip(summary.policies, loads, strict=True)
            ),
        )
        for node in shown
    ]


def render_what_if(summary: WhatIfSummary | Mapping[str, Any], out_path: Path | str) -> Path:
    """Write the comparison as one page that needs no network and runs no script; equal summaries give equal bytes.

    Raises `InvalidInput` where the extra `report` is not installed.
    """
    from omo_core.report.render import environment, style_sheet

    if not isinstance(summary, WhatIfSummary):
        summary = WhatIfSummary.model_validate(summary, strict=False)
    path = Path(out_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    template = environment(summary.currency).get_template("what_if.html.j2")
    text = template.render(title=summary.title, style=style_sheet(), what_if=view(summary))
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def view(summary: WhatIfSummary | None) -> dict[str, Any] | None:
    """What the templates draw."""
    if summary is None:
        return None
    return {
        "summary": summary,
        "figures": figures(summary),
        "terms": term_figures(summary),
        "stacks": cost_stacks(summary),
        "loads": load_bars(summary),
    }


def _terms(summary: WhatIfSummary) -> list[str]:
    """Terms of any policy that cost something, the dearest of all first, units not served last."""
    total: Counter[str] = Counter()
    for one in summary.policies:
        total.update(_by_term(one))
    return sorted((term for term in total if total[term]), key=lambda term: (term == UNSERVED, -total[term], term))


def _by_term(one: PolicyOutcome) -> dict[str, int]:
    return {term.term: term.minor for term in one.cost_by_term}


def _tones() -> Iterator[str]:
    while True:
        yield from TONES


def _change(value: int, base: int) -> str:
    """Such as +3.2 %; empty where nothing changes."""
    if value == base:
        return ""
    if not base:
        return f"+{wording.number(value)}"
    change = 100 * (value - base) / base
    return f"{'+' if change > 0 else '−'}{abs(change):.1f} %"


def _points(share: tuple[int, int], base: tuple[int, int]) -> str:
    """The difference of two shares in percentage points, such as +1.8 points; empty where there is none to see."""
    if not share[1] or not base[1]:
        return ""
    points = round(100 * share[0] / share[1] - 100 * base[0] / base[1], 1)
    return f"{'+' if points > 0 else '−'}{abs(points):.1f} points" if points else ""
