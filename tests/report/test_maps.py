"""Maps: where things are drawn, how large, and that labels keep out of each other's way."""

import itertools
from typing import Any

import pytest

from omo_core.report import RunSummary
from omo_core.report.labels import WIDE_LETTERS, Label, Mark, place_labels
from omo_core.report.maps import Map, detail_maps, network_map
from omo_core.report.outlines import Bounds, outlines


def maps(summary: dict[str, Any]) -> tuple[Map | None, tuple[Map, ...]]:
    read = RunSummary.model_validate(summary, strict=False)
    return network_map(read), detail_maps(read)


def test_regions_of_several_nodes_are_one_place_on_the_whole_map(summary: dict[str, Any]) -> None:
    whole, details = maps(summary)
    assert whole is not None
    assert {label.text for label in whole.labels} == {"Atlanta, GA", "Detroit, MI", "Warehouse, Toledo"}
    assert {label.text for label in whole.narrow_labels} == {"Atlanta, GA", "Detroit, MI"}
    assert [one.title for one in details] == ["Atlanta, GA", "Detroit, MI"]
    assert details[0].caption == "2 nodes sent 18 units; 100 % of what buyers here got came from here"
    assert details[1].caption == "2 nodes sent 0 units; 0 % of what buyers here got came from here"


def test_north_is_up_east_is_right_and_all_is_inside(summary: dict[str, Any]) -> None:
    whole, details = maps(summary)
    assert whole is not None
    tips = {circle.tip.split(":")[0]: circle for circle in whole.circles}
    assert tips["Detroit, MI"].y < tips["Warehouse, Toledo"].y < tips["Atlanta, GA"].y
    assert tips["Atlanta, GA"].x < tips["Warehouse, Toledo"].x < tips["Detroit, MI"].x
    for drawn in (whole, *details):
        for circle in drawn.circles:
            assert circle.radius <= circle.x <= drawn.width - circle.radius
            assert circle.radius <= circle.y <= drawn.height - circle.radius


def test_areas_follow_units_and_idle_nodes_are_hollow(summary: dict[str, Any]) -> None:
    _, (atlanta, detroit) = maps(summary)
    one, other = atlanta.circles
    assert one.radius**2 / other.radius**2 == pytest.approx(2, rel=0.05)
    assert not one.hollow
    assert all(circle.hollow for circle in detroit.circles)


def test_flows_join_different_places_and_the_largest_is_the_widest(summary: dict[str, Any]) -> None:
    whole, _ = maps(summary)
    assert whole is not None
    assert [curve.tip for curve in whole.curves] == [
        "Warehouse, Toledo → Detroit, MI: 9 units",
        "Atlanta, GA → Detroit, MI: 6 units",
    ]
    assert whole.curves[0].width > whole.curves[1].width
    assert whole.curves[0].kind == "regional_warehouse"


def test_flows_of_unknown_nodes_and_regions_are_left_off(summary: dict[str, Any]) -> None:
    summary["flows"] = [
        {"node": "gone", "region": "Detroit, MI", "units": 4},
        {"node": "hub", "region": "Nowhere", "units": 4},
    ]
    whole, _ = maps(summary)
    assert whole is not None
    assert whole.curves == ()


def test_the_scale_bar_is_true(summary: dict[str, Any]) -> None:
    _, (atlanta, _) = maps(summary)
    kilometres = float(atlanta.scale_text.removesuffix(" km"))
    one, other = atlanta.circles
    # store-1 and store-2 lie 18.9 km apart, nearly due north.
    drawn = ((one.x - other.x) ** 2 + (one.y - other.y) ** 2) ** 0.5
    assert drawn / atlanta.scale_length * kilometres == pytest.approx(18.9, rel=0.02)


def test_nodes_at_one_point_make_a_map(summary: dict[str, Any]) -> None:
    for node in summary["nodes"]:
        node["point"] = {"latitude": 25.03, "longitude": 121.56}
    whole, details = maps(summary)
    assert whole is not None
    assert len({(circle.x, circle.y) for circle in whole.circles}) == 1
    assert len(details) == 2


def test_states_in_the_us_countries_elsewhere_and_none_at_sea() -> None:
    georgia = outlines(Bounds(-86, 30, -80, 35.5))
    assert any(-85.7 < x < -85.1 and 32 < y < 35 for line in georgia for x, y in line)
    taiwan = outlines(Bounds(118, 21, 124, 26))
    assert any(120 <= x <= 122.1 and 21.8 <= y <= 25.4 for line in taiwan for x, y in line)
    assert outlines(Bounds(-40, -30, -35, -25)) == []
    assert len(outlines(Bounds(-180, -90, 180, 90))) > 500


def test_outlines_keep_to_the_view_and_one_step_beyond() -> None:
    view = Bounds(-86, 30, -80, 35.5)
    for line in outlines(view):
        for start, end in itertools.pairwise(line):
            assert view.holds(start) or view.holds(end)


def box(label: Label) -> tuple[float, float, float, float]:
    length = len(label.text) * WIDE_LETTERS.width
    west = {"start": label.x, "end": label.x - length, "middle": label.x - length / 2}[label.anchor]
    return west, label.y - WIDE_LETTERS.height / 2, west + length, label.y + WIDE_LETTERS.height / 2


def test_labels_avoid_marks_each_other_and_the_edge() -> None:
    marks = [Mark(100, 100, 10, "Alpha"), Mark(130, 100, 10, "Beta"), Mark(385, 200, 10, "Gamma")]
    labels = place_labels(marks, (400, 300), WIDE_LETTERS)
    boxes = [box(label) for label in labels]
    for one, other in itertools.combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for mark, (west, top, east, bottom) in itertools.product(marks, boxes):
        nearest_x, nearest_y = min(max(mark.x, west), east), min(max(mark.y, top), bottom)
        assert (nearest_x - mark.x) ** 2 + (nearest_y - mark.y) ** 2 >= mark.radius**2
    assert all(west >= 0 and east <= 400 and top >= 0 and bottom <= 300 for west, top, east, bottom in boxes)
    assert labels[0].anchor == "end"
    assert labels[2].anchor == "end"
