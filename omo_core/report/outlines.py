"""Coasts and borders behind a map: US states where the map lies within their range, countries elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

Point = tuple[float, float]
"""Longitude, latitude in degrees."""


@dataclass(frozen=True)
class Bounds:
    """A box in degrees."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def around(cls, points: Sequence[Point], margin: float, least: float) -> Bounds:
        """The box of the points, `margin` of its size wider on each side, and at least `least` degrees wide."""
        west, east = min(x for x, _ in points), max(x for x, _ in points)
        south, north = min(y for _, y in points), max(y for _, y in points)
        wide, high = max(east - west, least), max(north - south, least)
        x, y = (west + east) / 2, (south + north) / 2
        across, up = wide * (0.5 + margin), high * (0.5 + margin)
        return cls(x - across, y - up, x + across, y + up)

    def holds(self, point: Point) -> bool:
        """Whether the point lies in the box."""
        return self.west <= point[0] <= self.east and self.south <= point[1] <= self.north


_US = Bounds(-172.0, 17.0, -64.0, 72.0)
_WIDEST_STATES_DEGREES = 75.0


def outlines(view: Bounds) -> list[list[Point]]:
    """The pieces of coast and border that run through the view."""
    in_us = _US.holds((view.west, view.south)) and _US.holds((view.east, view.north))
    name = "us_states" if in_us and view.east - view.west < _WIDEST_STATES_DEGREES else "countries"
    return [piece for line in _lines()[name] for piece in _pieces(line, view)]


def _pieces(line: Sequence[Point], view: Bounds) -> Iterator[list[Point]]:
    """The runs of a line whose segments have an end in the view; cheaper than clipping, and the drawing clips."""
    run: list[Point] = []
    for start, end in pairwise(line):
        if view.holds(start) or view.holds(end):
            run = [*run, end] if run else [start, end]
        elif run:
            yield run
            run = []
    if run:
        yield run


@lru_cache(maxsize=1)
def _lines() -> dict[str, list[list[Point]]]:
    document = json.loads((files("omo_core.report") / "outlines.json").read_text(encoding="utf-8"))
    return {name: [_decode(flat) for flat in document[name]] for name in ("us_states", "countries")}


def _decode(flat: Sequence[int]) -> list[Point]:
    """Points from hundredths of a degree, the first absolute and the others as differences."""
    x = y = 0
    points = []
    for east, north in zip(flat[::2], flat[1::2], strict=True):
        x, y = x + east, y + north
        points.append((x / 100, y / 100))
    return points
