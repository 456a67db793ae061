"""The comparison of policies as a page: its figures, its bars, and a report that holds it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from omo_core.report import WhatIfSummary, render, render_what_if
from omo_core.report.what_if import cost_stacks, figures, load_bars, term_figures


def outcome(name: str, shipping: int, distance: int, **changes: Any) -> dict[str, Any]:
    terms = [{"term": "shipping", "minor": shipping}, {"term": "distance", "minor": distance}]
    return {
        "name": name,
        "policy_sha256": "0" * 64,
        "own_cost_by_term": terms,
        "cost_by_term": [*terms, {"term": "unserved", "minor": 20_000}],
        "orders": 10,
        "orders_served": 10,
        "orders_split": 4,
        "splits": 5,
        "units": 40,
        "units_served": 39,
        "lines": 20,
        "lines_in_full": 19,
        "parcels": 15,
        "parcel_m": 1_500_400,
        "parcels_unplaced": 0,
        "late_parcels": 3,
        "displaced_units": 0,
        "loads": [{"node": "A", "parcels": 9, "units": 20}, {"node": "<B>", "parcels": 6, "units": 19}],
        **changes,
    }


@pytest.fixture
def compared() -> WhatIfSummary:
    other = {"orders_split": 2, "parcels": 12, "parcel_m": 3_000_800, "units_served": 40}
    loads = [{"node": "A", "parcels": 12, "units": 40}]
    document = {
        "currency": "USD",
        "since": "2026-05-04 00:00+00:00",
        "until": "2026-05-05 00:00+00:00",
        "waves": 2,
        "orders": 10,
        "solver": "greedy",
        "policies": [outcome("in force", 6_000, 4_000), outcome("far & wide", 5_000, 15_000, loads=loads, **other)],
        "assumptions": ["Every node accepts what it is offered."],
    }
    return WhatIfSummary.model_validate(document, strict=False)


def test_figures_are_differences_to_the_first_policy(compared: WhatIfSummary) -> None:
    rows = {one.label: (one.values, one.notes) for one in figures(compared)}
    assert rows["Cost of what is served"] == (("100.00 USD", "200.00 USD"), ("", "+100.0 %"))
    assert rows["Orders split"] == (("40.0 %", "20.0 %"), ("", "−20.0 points"))
    assert rows["Units served"] == (("97.5 %", "100.0 %"), ("", "+2.5 points"))
    assert rows["Parcel-kilometres"] == (("1,500", "3,001"), ("", "+100.0 %"))
    assert rows["Late parcels"][1] == ("", "+5.0 points")
    assert rows["Busiest node"] == (("A", "A"), ("9 parcels", "12 parcels"))
    assert "Promised units displaced" not in rows
    assert [(one.label, one.values) for one in term_figures(compared)] == [
        ("distance", ("40.00 USD", "150.00 USD")),
        ("shipping", ("60.00 USD", "50.00 USD")),
        ("unserved", ("200.00 USD", "200.00 USD")),
    ]


def test_bars_share_one_scale_and_leave_out_what_nobody_pays(compared: WhatIfSummary) -> None:
    first, second = cost_stacks(compared)
    assert [(part.label, part.length) for part in first.segments] == [("distance", 20.0), ("shipping", 30.0)]
    assert sum(part.length for part in second.segments) == 100
    assert [part.tone for part in first.segments] == [part.tone for part in second.segments]
    assert [(row.node, row.bars) for row in load_bars(compared)] == [
        ("<B>", (("in force", 50.0, "6"), ("far & wide", 0.0, "0"))),
        ("A", (("in force", 75.0, "9"), ("far & wide", 100.0, "12"))),
    ]


class Outline(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_holds_together_and_needs_nothing_else(compared: WhatIfSummary, tmp_path: Path) -> None:
    page = render_what_if(compared, tmp_path / "made" / "what-if.html").read_text(encoding="utf-8")
    again = render_what_if(compared.model_dump(mode="json"), tmp_path / "again.html").read_text(encoding="utf-8")
    assert page == again
    outline = Outline(page)
    assert outline.open == []
    tags = {tag for tag, _ in outline.elements}
    assert not tags & {"script", "link", "img", "iframe"}
    assert not [one for _, one in outline.elements if one.keys() & {"src", "href"}]
    assert "far &amp; wide" in page
    assert "&lt;B&gt;" in page
    assert "<B>" not in page
    stacked = [
        one for tag, one in outline.elements if tag == "span" and (one.get("title") or "").startswith("distance")
    ]
    assert [one["style"] for one in stacked] == ["width:20.0%", "width:75.0%"]
    ids = [one["id"] for _, one in outline.elements if "id" in one]
    assert len(ids) == len(set(ids)) == 4


def test_a_runs_report_shows_the_comparison_it_holds(
    compared: WhatIfSummary, summary: dict[str, Any], tmp_path: Path
) -> None:
    without = render(summary, tmp_path / "a.html").read_text(encoding="utf-8")
    held = render({**summary, "what_if": compared.model_dump(mode="json")}, tmp_path / "b.html")
    page = held.read_text(encoding="utf-8")
    assert 'id="h-what-if"' not in without
    assert 'id="h-what-if"' in page
    assert Outline(page).open == []
