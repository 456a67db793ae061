"""Maps of nodes and flows as plain SVG shapes: one of the whole network, one for each region of several nodes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from omo_core.report.labels import NARROW_LETTERS, WIDE_LETTERS, Label, Mark, place_labels
from omo_core.report.outlines import Bounds, Point, outlines
from omo_core.report.summary import NodeLoad, RunSummary
from omo_core.report.wording import number, percent

WIDE: Final = 960
DETAIL: Final = 320
SCALE_STRIP: Final = 24
"""Height of the strip under a detail map that holds its scale."""
MOST_FLOWS: Final = 60
MOST_DETAILS: Final = 12
LONGEST_LABEL: Final = 40
_KM_PER_DEGREE: Final = 111.195


@dataclass(frozen=True)
class Circle:
    """A node or a place of several; `hollow` where it has no work."""

    x: float
    y: float
    radius: float
    kind: str
    hollow: bool
    tip: str


@dataclass(frozen=True)
class Curve:
    """A flow between two places."""

    path: str
    width: float
    kind: str
    tip: str


@dataclass(frozen=True)
class Map:
    """What the template draws, in the units of its view box."""

    title: str
    caption: str
    width: int
    height: int
    circles: tuple[Circle, ...]
    curves: tuple[Curve, ...] = ()
    labels: tuple[Label, ...] = ()
    narrow_labels: tuple[Label, ...] = ()
    """The same for a phone: fewer, and placed for larger letters."""
    borders: str = ""
    scale_length: float = 0.0
    scale_text: str = ""


@dataclass(frozen=True)
class _Spot:
    """A place on the map of the whole network: a region of several nodes, or one node by itself."""

    name: str
    point: Point
    kind: str
    units: int
    nodes: int


class _Projection:
    """Degrees to the view box: plate carrée, true to scale at the middle latitude."""

    def __init__(self, view: Bounds, width: int, flattest: float, steepest: float) -> None:
        self._squeeze = max(0.05, math.cos(math.radians((view.south + view.north) / 2)))
        wide, high = (view.east - view.west) * self._squeeze, view.north - view.south
        self.width, self.height = width, round(width * min(max(high / wide, flattest), steepest))
        self._scale = min(width / wide, self.height / high)
        self._middle = ((view.west + view.east) / 2, (view.south + view.north) / 2)

    def __call__(self, point: Point) -> tuple[float, float]:
        x = self.width / 2 + (point[0] - self._middle[0]) * self._squeeze * self._scale
        y = self.height / 2 - (point[1] - self._middle[1]) * self._scale
        return round(x, 1), round(y, 1)

    @property
    def seen(self) -> Bounds:
        """What the view box shows, which may be more than was asked for."""
        across = self.width / 2 / self._scale / self._squeeze
        up = self.height / 2 / self._scale
        x, y = self._middle
        return Bounds(x - across, y - up, x + across, y + up)

    def length(self, km: float) -> float:
        """Of so many kilometres, in units of the view box."""
        return round(km / _KM_PER_DEGREE * self._scale, 1)


def network_map(summary: RunSummary) -> Map | None:
    """The whole network; None where fewer than two of its places have coordinates."""
    spot_of = _spots(summary)
    spots = list(dict.fromkeys(spot_of.values()))
    if len(spots) < 2:
        return None
    project = _Projection(Bounds.around([spot.point for spot in spots], 0.12, 0.5), WIDE, 0.45, 0.75)
    largest = max(spot.units for spot in spots)
    ranked = sorted(spots, key=lambda spot: (spot.nodes == 1, -spot.units, spot.name))
    circles = tuple(
        Circle(*project(spot.point), _radius(spot.units, largest, 5, 26), spot.kind, spot.units == 0, _tip(spot))
        for spot in ranked
    )
    marks = [
        Mark(one.x, one.y, one.radius, _label(spot), spot.nodes == 1) for one, spot in zip(circles, ranked, strict=True)
    ]
    size = (project.width, project.height)
    return Map(
        title="Nodes and flows",
        caption="Circles: units sent, by place. Lines: units sent from one place to buyers near another.",
        width=project.width,
        height=project.height,
        circles=circles,
        curves=tuple(_curves(summary, spot_of, project)),
        labels=place_labels(marks, size, WIDE_LETTERS),
        narrow_labels=place_labels([mark for mark in marks if not mark.minor], size, NARROW_LETTERS),
        borders=_borders(project),
    )


def detail_maps(summary: RunSummary) -> tuple[Map, ...]:
    """One map for each region of several nodes, those with the most units first."""
    regions = _regions(summary.nodes)
    busiest = sorted(regions, key=lambda name: (-sum(node.units for node in regions[name]), name))
    return tuple(_detail(name, regions[name], summary) for name in busiest[:MOST_DETAILS])


def _detail(name: str, nodes: Sequence[NodeLoad], summary: RunSummary) -> Map:
    project = _Projection(Bounds.around([_place(node) for node in nodes], 0.09, 0.02), DETAIL, 0.85, 0.85)
    largest = max(node.units for node in summary.nodes if node.region == name)
    ranked = sorted(nodes, key=lambda node: (-node.units, node.node))
    km = _round_km((project.seen.north - project.seen.south) * _KM_PER_DEGREE / 4)
    return Map(
        title=name,
        caption=_detail_caption(name, nodes, summary),
        width=project.width,
        height=project.height + SCALE_STRIP,
        circles=tuple(
            Circle(
                *project(_place(node)),
                _radius(node.units, largest, 2.5, 15),
                node.kind,
                node.units == 0,
                f"{node.name or node.node}: {number(node.units)} units in {number(node.fulfilment_orders)} parts",
            )
            for node in ranked
        ),
        scale_length=project.length(km),
        scale_text=f"{number(km, 0 if km >= 1 else 1)} km",
    )


def _detail_caption(name: str, nodes: Sequence[NodeLoad], summary: RunSummary) -> str:
    own = {node.node for node in nodes}
    wanted = sum(flow.units for flow in summary.flows if flow.region == name)
    local = sum(flow.units for flow in summary.flows if flow.region == name and flow.node in own)
    sent = sum(node.units for node in nodes)
    text = f"{number(len(nodes))} nodes sent {number(sent)} units"
    return f"{text}; {percent(local, wanted, 0)} of what buyers here got came from here" if wanted else text


def _regions(nodes: Sequence[NodeLoad]) -> dict[str, list[NodeLoad]]:
    """Nodes with coordinates by region, where a region has several."""
    grouped: dict[str, list[NodeLoad]] = defaultdict(list)
    for node in nodes:
        if node.point and node.region:
            grouped[node.region].append(node)
    return {name: own for name, own in grouped.items() if len(own) > 1}


def _spots(summary: RunSummary) -> dict[str, _Spot]:
    """The place of every located node, by node."""
    regions = _regions(summary.nodes)
    spots: dict[str, _Spot] = {}
    for name, nodes in regions.items():
        middle = (_mean([_place(node)[0] for node in nodes]), _mean([_place(node)[1] for node in nodes]))
        units: dict[str, int] = defaultdict(int)
        for node in nodes:
            units[node.kind] += node.units
        kind = max(sorted(units), key=lambda one: units[one])
        spot = _Spot(name, middle, kind, sum(units.values()), len(nodes))
        spots.update((node.node, spot) for node in nodes)
    for node in summary.nodes:
        if node.point and node.node not in spots:
            spots[node.node] = _Spot(node.name or node.node, _place(node), node.kind, node.units, 1)
    return spots


def _curves(summary: RunSummary, spot_of: dict[str, _Spot], project: _Projection) -> list[Curve]:
    """The largest flows between different places, thickest first so that thin ones stay visible."""
    region_spot = {node.region: spot_of[node.node] for node in summary.nodes if node.region and node.node in spot_of}
    units: dict[tuple[_Spot, _Spot], int] = defaultdict(int)
    for flow in summary.flows:
        start, end = spot_of.get(flow.node), region_spot.get(flow.region)
        if start and end and start != end:
            units[start, end] += flow.units
    ranked = sorted(units.items(), key=lambda pair: (-pair[1], pair[0][0].name, pair[0][1].name))[:MOST_FLOWS]
    most = ranked[0][1] if ranked else 1
    curves = []
    for (start, end), sent in ranked:
        (x1, y1), (x2, y2) = project(start.point), project(end.point)
        # Bent to the left of its way, so that the two directions between a pair lie beside each other.
        bend_x, bend_y = (x1 + x2) / 2 + (y2 - y1) * 0.14, (y1 + y2) / 2 - (x2 - x1) * 0.14
        tip = f"{start.name} → {end.name}: {number(sent)} units"
        path = f"M{x1} {y1}Q{bend_x:.1f} {bend_y:.1f} {x2} {y2}"
        curves.append(Curve(path, round(0.8 + 8.2 * math.sqrt(sent / most), 1), start.kind, tip))
    return curves


def _label(spot: _Spot) -> str:
    return spot.name if len(spot.name) <= LONGEST_LABEL else spot.name[: LONGEST_LABEL - 1] + "…"


def _tip(spot: _Spot) -> str:
    nodes = f" from {number(spot.nodes)} nodes" if spot.nodes > 1 else ""
    return f"{spot.name}: {number(spot.units)} units sent{nodes}"


def _borders(project: _Projection) -> str:
    """Every piece of coast and border as one path, with the fewest characters: relative moves of whole units."""
    parts = []
    for line in outlines(project.seen):
        x, y = (round(value) for value in project(line[0]))
        steps = []
        for point in line[1:]:
            to_x, to_y = (round(value) for value in project(point))
            if (to_x, to_y) != (x, y):
                steps.append(f"{to_x - x} {to_y - y}")
                x, y = to_x, to_y
        if steps:
            x, y = (round(value) for value in project(line[0]))
            parts.append(f"M{x} {y}l{' '.join(steps)}")
    return "".join(parts)


def _radius(units: int, largest: int, least: float, most: float) -> float:
    """By area, so that twice the units look like twice as much."""
    return round(max(least, most * math.sqrt(units / largest)), 1) if largest else least


def _round_km(km: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is no longer than `km`."""
    base = 10.0 ** math.floor(math.log10(km))
    return max(step * base for step in (1, 2, 5) if step * base <= km * 1.0000001)


def _place(node: NodeLoad) -> Point:
    assert node.point is not None
    return node.point.longitude, node.point.latitude


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
