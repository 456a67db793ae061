"""Renders the report: the summary, seen as tiles, bars, maps and sentences, in one HTML page without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from omo_core.model.errors import InvalidInput
from omo_core.report import wording
from omo_core.report.maps import detail_maps, network_map
from omo_core.report.summary import NodeLoad, RunSummary, Stage
from omo_core.report.what_if import view

BUSIEST_NODES: Final = 20
TONES: Final = frozenset({*wording.KIND_WORDS, "pool", "alone", "unserved"})
"""Words that the style sheet has a colour for; a kind it does not know gets the plain one."""


@dataclass(frozen=True)
class Tile:
    """A headline number, what it counts, and one more fact about it."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """A labelled bar: its length in percent of the longest one, and its value in words."""

    label: str
    length: float
    value: str
    kind: str = ""
    note: str = ""


def render(summary: RunSummary | Mapping[str, Any], out_path: Path | str, stages: Sequence[Stage] = ()) -> Path:
    """Write the page and return its path; the same summary and stages give the same bytes.

    The page needs no network and runs no script. `stages` holds the timings, which differ from run to run; without
    them the page has no block for them. Raises `InvalidInput` where the extra `report` is not installed, and
    pydantic's `ValidationError` (a `ValueError`) for a mapping that is no `RunSummary`.
    """
    if not isinstance(summary, RunSummary):
        summary = RunSummary.model_validate(summary, strict=False)
    path = Path(out_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(summary, stages), encoding="utf-8", newline="\n")
    return path


def page(summary: RunSummary, stages: Sequence[Stage] = ()) -> str:
    """The page as text."""
    return str(
        environment(summary.currency)
        .get_template("page.html.j2")
        .render(
            summary=summary,
            tones=TONES,
            percent=wording.percent,
            style=style_sheet(),
            tiles=tiles(summary),
            comparison=comparison_bars(summary),
            network_map=network_map(summary),
            detail_maps=detail_maps(summary),
            served=served_bars(summary),
            costs=cost_bars(summary),
            waves=wave_bars(summary),
            splits=split_bars(summary),
            channels=channel_bars(summary),
            loads=load_bars(summary.nodes),
            stages=stage_bars(stages),
            what_if=view(summary.what_if),
        )
    )


def environment(currency: str) -> Any:
    """Where templates are looked up, with our words and numbers as filters; amounts are in the currency.

    Raises `InvalidInput` where the extra `report` is not installed.
    """
    try:
        import jinja2  # noqa: F401 - asked for here, used by what is kept
    except ImportError:
        raise InvalidInput(
            "the report's template engine is not installed; run: pip install 'omo-core[report]'"
        ) from None
    return _environment_of(currency)


@lru_cache(maxsize=8)
def _environment_of(currency: str) -> Any:
    """Kept, because it holds the compiled templates: nine tenths of the time of a page."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("omo_core.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=wording.number,
        words=wording.words,
        kind=wording.kind,
        money=lambda minor: wording.money(minor, currency),
    )
    return made


def style_sheet() -> Any:
    """The page's style, as text that needs no escaping; `environment` comes first."""
    from markupsafe import Markup

    return Markup((files("omo_core.report") / "templates" / "style.css").read_text(encoding="utf-8"))


def tiles(summary: RunSummary) -> list[Tile]:
    """The headline numbers."""
    totals, n = summary.totals, wording.number
    served = sum(count.orders for count in summary.splits if count.nodes)
    found = [
        Tile(n(totals.orders), "orders", f"{n(totals.lines)} lines, {n(totals.units)} units"),
        Tile(n(totals.fulfilment_orders), "fulfilment orders", f"{n(totals.units_assigned)} units assigned"),
        Tile(n(totals.splits), "splits", f"{wording.percent(_one_node(summary), served)} of orders from one node"),
    ]
    if summary.cost_by_term and served:
        each = wording.money(round(summary.served_cost_minor / served), summary.currency)
        in_all = wording.money(summary.served_cost_minor, summary.currency)
        found.append(Tile(each, "cost per order served", f"{in_all} in all, before the price of units not served"))
    if summary.waves is not None:
        note = f"over {n(summary.waves.waves)} waves, against every node"
        found.append(Tile(f"{summary.waves.gap_percent:.2f} %", "from the best, proven", note))
    found.append(Tile(n(totals.resourced), "rejects re-sourced", f"of {n(totals.rejected)} rejected by nodes"))
    if totals.counter_sales:
        found.append(
            Tile(n(totals.counter_sales), "counter sales", f"displaced {n(totals.displaced_units)} promised units")
        )
    if summary.audit:
        broken = sum(check.broken for check in summary.audit)
        rows = max(check.checked for check in summary.audit)
        label = "invariants hold" if not broken else "invariants checked"
        note = f"on {n(rows)} rows" if not broken else f"{n(broken)} rows break one"
        found.append(Tile(n(len(summary.audit)), label, note))
    return found


def comparison_bars(summary: RunSummary) -> list[Bar]:
    """Lines served by the one pool, and by the nearest store alone."""
    pairs = [("One stock pool", summary.filled, "pool"), ("Nearest store alone", summary.nearest_only, "alone")]
    return [
        Bar(
            label,
            wording.ratio(share.part, share.whole),
            wording.share(share),
            kind,
            f"{wording.number(share.part)} of {wording.number(share.whole)} lines in full",
        )
        for label, share, kind in pairs
        if share is not None
    ]


def served_bars(summary: RunSummary) -> list[Bar]:
    """Units by the kind of node they come from."""
    total = sum(share.units for share in summary.served_by_kind)
    return [
        Bar(
            wording.kind(share.kind),
            wording.ratio(share.units, total),
            wording.percent(share.units, total),
            share.kind,
            f"{wording.number(share.units)} units in {wording.number(share.fulfilment_orders)} fulfilment orders",
        )
        for share in sorted(summary.served_by_kind, key=lambda share: _kind_rank(share.kind))
    ]


def cost_bars(summary: RunSummary) -> list[Bar]:
    """Terms of the cost, the dearest first; credits have bars of their size and a minus before their value."""
    terms = sorted(summary.cost_by_term, key=lambda term: (-term.minor, term.term))
    longest = max((abs(term.minor) for term in terms), default=0)
    return [
        Bar(
            wording.words(term.term),
            wording.ratio(abs(term.minor), longest),
            wording.money(term.minor, summary.currency),
            note=wording.percent(term.minor, summary.cost_minor) if summary.cost_minor > 0 else "",
        )
        for term in terms
    ]


def wave_bars(summary: RunSummary) -> list[Bar]:
    """What the waves cost, what they would have cost order after order, and the least they could cost."""
    waves = summary.waves
    if waves is None:
        return []
    rows = [("As decided", waves.cost_minor, "pool"), ("The least possible, proven", waves.lower_bound_minor, "")]
    if waves.greedy_minor is not None:
        rows.insert(0, ("One order after the other", waves.greedy_minor, "alone"))
    longest = max(minor for _, minor, _ in rows)
    return [
        Bar(label, wording.ratio(minor, longest), wording.money(minor, summary.currency), kind)
        for label, minor, kind in rows
    ]


def split_bars(summary: RunSummary) -> list[Bar]:
    """Orders by the number of nodes that serve them."""
    counts = sorted(summary.splits, key=lambda count: count.nodes)
    total, longest = sum(c.orders for c in counts), max((c.orders for c in counts), default=0)
    return [
        Bar(
            {0: "none", 1: "1 node"}.get(count.nodes, f"{count.nodes} nodes"),
            wording.ratio(count.orders, longest),
            wording.number(count.orders),
            "unserved" if count.nodes == 0 else "",
            wording.percent(count.orders, total),
        )
        for count in counts
    ]


def channel_bars(summary: RunSummary) -> list[Bar]:
    """Orders and counter sales by the channel that they came through."""
    longest = max((one.orders + one.counter_sales for one in summary.channels), default=0)
    return [
        Bar(
            one.channel,
            wording.ratio(one.orders + one.counter_sales, longest),
            wording.number(one.orders + one.counter_sales),
            "",
            f"{one.dialect} dialect" if one.dialect else "own file",
        )
        for one in summary.channels
    ]


def load_bars(nodes: Sequence[NodeLoad]) -> list[Bar]:
    """The busiest nodes by units."""
    busiest = sorted(nodes, key=lambda node: (-node.units, node.node))[:BUSIEST_NODES]
    longest = max((node.units for node in busiest), default=0)
    return [
        Bar(
            node.name or node.node,
            wording.ratio(node.units, longest),
            wording.number(node.units),
            node.kind,
            f"{wording.number(node.fulfilment_orders)} parts"
            + (f", {wording.number(node.rejected)} rejected" if node.rejected else ""),
        )
        for node in busiest
        if node.units or node.rejected
    ]


def stage_bars(stages: Sequence[Stage]) -> list[Bar]:
    """The stages in their order, by time taken."""
    longest = max((stage.duration_us for stage in stages), default=0)
    return [
        Bar(
            stage.name,
            wording.ratio(stage.duration_us, longest),
            f"{wording.number(stage.duration_us / 1_000_000, 2)} s",
            note=f"{wording.number(stage.per_second)} {stage.unit}/s" if stage.per_second else "",
        )
        for stage in stages
    ]


def _one_node(summary: RunSummary) -> int:
    return sum(count.orders for count in summary.splits if count.nodes == 1)


def _kind_rank(kind: str) -> tuple[int, str]:
    known = list(wording.KIND_WORDS)
    return (known.index(kind) if kind in known else len(known), kind)
