"""Labels beside marks on a map, each where it hides no mark and no other label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_GAP: Final = 6.0


@dataclass(frozen=True)
class Lettering:
    """How large letters are, in units of the view box; generous, as fonts differ."""

    width: float
    minor_width: float
    height: float


WIDE_LETTERS: Final = Lettering(8.6, 7.2, 18.0)
NARROW_LETTERS: Final = Lettering(17.5, 0.0, 36.0)
"""For phones, where the style sheet doubles the letters because the drawing shrinks, and hides minor labels."""


@dataclass(frozen=True)
class Mark:
    """A circle that wants a label; `minor` ones are written smaller, and left out where there is little room."""

    x: float
    y: float
    radius: float
    text: str
    minor: bool = False


@dataclass(frozen=True)
class Label:
    """A text at a point; `anchor` is SVG's text-anchor, `y` the middle of its height."""

    x: float
    y: float
    text: str
    anchor: str
    minor: bool = False


@dataclass(frozen=True)
class _Box:
    west: float
    top: float
    east: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        """Area in common."""
        wide = min(self.east, other.east) - max(self.west, other.west)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)

    def outside(self, width: float, height: float) -> float:
        """How far it reaches over the edges of the map."""
        return max(0.0, -self.west) + max(0.0, self.east - width) + max(0.0, -self.top) + max(0.0, self.bottom - height)


def place_labels(marks: Sequence[Mark], size: tuple[float, float], letters: Lettering) -> tuple[Label, ...]:
    """One label a mark, in the order given: right, left, below or above, wherever it covers least.

    `size` is the map's width and height.
    """
    taken = [_Box(m.x - m.radius, m.y - m.radius, m.x + m.radius, m.y + m.radius) for m in marks]
    labels = []
    for own, mark in enumerate(marks):
        others = [box for index, box in enumerate(taken) if index != own]

        def covered(place: tuple[Label, _Box], others: Sequence[_Box] = others) -> float:
            box = place[1]
            return sum(box.overlap(other) for other in others) + 4 * letters.height * box.outside(*size)

        label, box = min(_places(mark, letters), key=covered)
        labels.append(label)
        taken.append(box)
    return tuple(labels)


def _places(mark: Mark, letters: Lettering) -> Iterator[tuple[Label, _Box]]:
    """The places for the mark's label, best first."""
    length = len(mark.text) * (letters.minor_width if mark.minor else letters.width)
    gap, half = mark.radius + _GAP, letters.height / 2
    for x, y, anchor, west in (
        (mark.x + gap, mark.y, "start", mark.x + gap),
        (mark.x - gap, mark.y, "end", mark.x - gap - length),
        (mark.x, mark.y + gap + half, "middle", mark.x - length / 2),
        (mark.x, mark.y - gap - half, "middle", mark.x - length / 2),
    ):
        label = Label(round(x, 1), round(y, 1), mark.text, anchor, mark.minor)
        yield label, _Box(west, y - half, west + length, y + half)
