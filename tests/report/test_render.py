"""The page: self-contained, the same bytes again, safe with hostile text, whole with the smallest input."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from omo_core.model.errors import InvalidInput
from omo_core.report import RunSummary, Stage, render
from omo_core.report.render import cost_bars, load_bars, page, served_bars, split_bars, tiles, wave_bars

STAGES = (Stage(name="place", items=10, duration_us=2_500_000),)
VOID = {"meta", "link", "br", "img", "input", "hr", "path", "circle"}


class Outline(HTMLParser):
    """Elements and attributes of a page; fails on an element closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID or (tag in ("path", "circle") and not self._closes_itself()):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text.append(data)

    def _closes_itself(self) -> bool:
        return (self.get_starttag_text() or "").endswith("/>")

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def made(summary: dict[str, Any], stages: tuple[Stage, ...] = STAGES) -> Outline:
    return Outline(page(RunSummary.model_validate(summary, strict=False), stages))


def read(summary: dict[str, Any]) -> RunSummary:
    return RunSummary.model_validate(summary, strict=False)


def test_the_page_shows_every_part(summary: dict[str, Any]) -> None:
    words = made(summary).words
    for said in (
        "A small run",
        "One stock pool 90.0 %",
        "Nearest store alone 35.0 %",
        "1,230.00 USD in all",
        "136.67 USD",
        "markdown credit",
        "−4.56 USD",
        "3 splits",
        "Warehouse, Toledo",
        "#1001 one hour to Decatur",
        "Has both lines and is the cheapest.",
        "store-2 +1.20 USD : lies 9 km farther",
        "store-3 : is closed at this hour",
        "1 unit of 77: no node has any",
        "4,836 0.3 % of 1,469,307",
        "orders.jsonl:17 unreadable_body Not JSON.",
        "3 in all; the first 1 are listed",
        "holds on 40 rows",
        "Throughput on this machine",
        "2.50 s 4 orders/s",
        "Places are ours.",
    ):
        assert said in words, said


def test_nothing_is_fetched_and_nothing_runs(summary: dict[str, Any]) -> None:
    outline = made(summary)
    assert not {"script", "link", "img", "iframe", "object", "embed", "a", "use", "image"} & {
        tag for tag, _ in outline.elements
    }
    for _, attributes in outline.elements:
        assert not {"src", "href", "srcset", "xlink:href"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    text = page(read(summary), STAGES)
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text.replace("http-equiv", "")
    policies = [attributes.get("content") for _, attributes in outline.elements if "http-equiv" in attributes]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_the_page_is_readable_without_sight(summary: dict[str, Any]) -> None:
    outline = made(summary)
    tags = [tag for tag, _ in outline.elements]
    assert ("html", {"lang": "en"}) in outline.elements
    assert (
        tags.count("h1") == tags.count("main") == tags.count("title") - tags.count("circle") - _flow_paths(outline) == 1
    )
    for tag, attributes in outline.elements:
        if tag == "svg":
            assert attributes["role"] == "img"
            assert len(attributes["aria-label"] or "") > 20
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in outline.elements:
        assert attributes.get("aria-labelledby", ids[0]) in ids


def _flow_paths(outline: Outline) -> int:
    return sum(tag == "path" and "flow" in (attributes["class"] or "") for tag, attributes in outline.elements)


def test_the_same_input_gives_the_same_bytes(summary: dict[str, Any], tmp_path: Path) -> None:
    first = render(summary, tmp_path / "a.html", STAGES).read_bytes()
    summary["nodes"] = [dict(reversed(one.items())) for one in summary["nodes"]]
    assert render(read(summary), tmp_path / "deeper" / "b.html", STAGES).read_bytes() == first
    code = (
        "import json, sys; from omo_core.report import Stage, render;"
        "render(json.load(sys.stdin), sys.argv[1], [Stage(name='place', items=10, duration_us=2_500_000)])"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "c.html")]
    subprocess.run(run, input=json.dumps(summary).encode(), check=True, env={"PYTHONHASHSEED": "77"})
    assert (tmp_path / "c.html").read_bytes() == first


def test_timings_stay_out_unless_given(summary: dict[str, Any]) -> None:
    assert "Throughput" not in made(summary, ()).words
    assert made(summary, (STAGES[0].model_copy(update={"duration_us": 0}),)).words.count("/s") == 0


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{ 7*7 }}"


def test_hostile_text_stays_text(summary: dict[str, Any]) -> None:
    plain = [tag for tag, _ in made(summary).elements]
    shown = 0
    for place in list(_texts(summary)):
        holder, key = place
        kept, holder[key] = holder[key], HOSTILE
        try:
            outline = made(summary)
        finally:
            holder[key] = kept
        assert {tag for tag, _ in outline.elements} <= set(plain), place
        assert not any(name.startswith("on") for _, attributes in outline.elements for name in attributes), place
        spoken = outline.words + " ".join(
            str(value) for _, attributes in outline.elements for value in attributes.values()
        )
        shown += "<script>alert(1)" in spoken
        assert "49" not in re.findall(r"\d+", outline.words) or "{{ 7*7 }}" in spoken
    assert shown > 25


def _texts(value: Any) -> Any:
    """(holder, key) of every free text in the summary."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        if isinstance(child, str) and key != "currency":
            yield value, key
        else:
            yield from _texts(child)


def test_the_smallest_run_makes_a_page(summary: dict[str, Any]) -> None:
    zero = dict.fromkeys(("orders", "lines", "units", "units_assigned", "fulfilment_orders"), 0)
    zero |= dict.fromkeys(("splits", "rejected", "resourced"), 0)
    empty = {"title": "Nothing", "currency": "TWD", "totals": zero, "filled": {"part": 0, "whole": 0}}
    words = made(empty, ()).words
    assert "One stock pool –" in words
    assert "There is no map" in words
    one = empty | {"nodes": summary["nodes"][:1]}
    assert "There is no map" in made(one, ()).words
    nowhere = empty | {"nodes": [node | {"point": None, "region": None} for node in summary["nodes"]]}
    assert "There is no map" in made(nowhere, ()).words


def test_a_mapping_that_is_no_summary_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="currency"):
        render({"title": "half"}, tmp_path / "out" / "report.html")
    assert not (tmp_path / "out").exists()


def test_without_the_extra_the_error_says_what_to_install(
    summary: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InvalidInput, match=r"pip install 'omo-core\[report\]'"):
        page(read(summary))


def test_the_price_of_units_not_served_is_no_cost_of_serving(summary: dict[str, Any]) -> None:
    summary["cost_by_term"].append({"term": "unserved", "minor": 9_999_999})
    found = {tile.label: tile for tile in tiles(read(summary))}
    assert found["cost per order served"].value == "136.67 USD"


def test_cost_per_order_counts_orders_that_were_served(summary: dict[str, Any]) -> None:
    found = {tile.label: tile for tile in tiles(read(summary))}
    assert found["cost per order served"].value == "136.67 USD"
    assert found["splits"].note == "66.7 % of orders from one node"
    assert found["rejects re-sourced"].note == "of 2 rejected by nodes"
    assert found["invariants hold"].value == "1"
    summary["audit"][0]["broken"] = 2
    assert {tile.label: tile.note for tile in tiles(read(summary))}["invariants checked"] == "2 rows break one"
    assert "2 of 40 rows break it" in made(summary).words


def test_bars_are_as_long_as_their_numbers(summary: dict[str, Any]) -> None:
    whole = read(summary)
    assert [bar.length for bar in split_bars(whole)] == [16.67, 100.0, 50.0]
    assert [bar.length for bar in served_bars(whole)] == [66.67, 33.33]
    assert [(bar.label, bar.length) for bar in cost_bars(whole)] == [("shipping", 100.0), ("markdown credit", 0.37)]
    assert [(bar.label, bar.length) for bar in load_bars(whole.nodes)] == [
        ("store-1", 100.0),
        ("Warehouse, Toledo", 75.0),
        ("store-2", 50.0),
    ]


def test_the_waves_say_how_far_from_the_best_they_are(summary: dict[str, Any]) -> None:
    whole = read(summary)
    assert [(bar.label, bar.length, bar.value) for bar in wave_bars(whole)] == [
        ("One order after the other", 100.0, "1,250.00 USD"),
        ("As decided", 98.4, "1,230.00 USD"),
        ("The least possible, proven", 96.43, "1,205.40 USD"),
    ]
    assert {tile.label: tile.value for tile in tiles(whole)}["from the best, proven"] == "2.00 %"
    assert "11 deliveries were decided together in 4 waves. 3 of the plans are proven the best there is" in page(whole)
    assert "real-time router" not in page(whole)
    routed = {**summary["totals"], "real_time_orders": 1_234, "wave_orders": 8}
    said = page(read(summary | {"totals": routed}))
    assert "The real-time router decided 1,234 orders as they came" in said
    assert "; 8 were decided in waves." in said
    unproven = read(summary | {"waves": None})
    assert wave_bars(unproven) == []
    assert "How far from the best" not in page(unproven)
