"""Swaps: orders that take goods which others of the batch give back in the same step go into one stock command."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from omo_core.model.stock import Hold, PlaceHolds, ReplaceHolds

SkuNode = tuple[str, str]


@dataclass(slots=True)
class Exchange:
    """What one order gives back and what it takes instead."""

    order: str
    channel: str
    key: str
    release: Sequence[Hold] = ()
    place: list[dict[str, Any]] = field(default_factory=list)
    """Fields of hold requests."""

    def net(self) -> Counter[SkuNode]:
        """Units taken less units given back, by cell; nothing where they are equal."""
        units: Counter[SkuNode] = Counter()
        for request in self.place:
            units[request["sku"], request["node"]] += request["quantity"]
        for hold in self.release:
            units[hold.sku, hold.node] -= hold.pending
        return Counter({cell: number for cell, number in units.items() if number})


def together(exchanges: Sequence[Exchange], stock: Iterable[tuple[str, str, int]]) -> list[list[Exchange]]:
    """Groups that have to be booked all or none, each and all in the order given.

    `stock` counts what the exchanges give back as free. Orders that meet at a cell belong together where it has too
    little without what is given back there; all others stand alone.
    """
    at_cell: dict[SkuNode, list[tuple[int, int]]] = defaultdict(list)
    for place, exchange in enumerate(exchanges):
        for cell, units in exchange.net().items():
            at_cell[cell].append((place, units))
    free = Counter({(sku, node): units for sku, node, units in stock})
    for exchange in exchanges:
        for hold in exchange.release:
            free[hold.sku, hold.node] -= hold.pending
    leader = list(range(len(exchanges)))
    for cell, parts in at_cell.items():
        wanted = sum(units for _, units in parts if units > 0)
        if wanted > free[cell]:
            for place, _ in parts[1:]:
                _unite(leader, parts[0][0], place)
    groups: dict[int, list[Exchange]] = defaultdict(list)
    for place, exchange in enumerate(exchanges):
        groups[_find(leader, place)].append(exchange)
    return list(groups.values())


def command_of(group: Sequence[Exchange], scope: str) -> PlaceHolds | ReplaceHolds:
    """The stock command of a group, under the key of its first order."""
    first = group[0]
    head: dict[str, Any] = {"key": first.key, "scope": scope, "channel": first.channel}
    places = tuple(request for one in group for request in one.place)
    release = tuple(hold.hold for one in group for hold in one.release)
    # A command is made with all its lines in one call: made one by one, they take half as long again.
    if not release:
        return PlaceHolds.model_validate({**head, "lines": places})
    others = tuple((one.order, one.channel) for one in group if one.channel != first.channel)
    return ReplaceHolds.model_validate({**head, "release": release, "place": places, "channels": others})


def _find(leader: list[int], place: int) -> int:
    while leader[place] != place:
        leader[place] = leader[leader[place]]
        place = leader[place]
    return place


def _unite(leader: list[int], one: int, other: int) -> None:
    first, second = sorted((_find(leader, one), _find(leader, other)))
    leader[second] = first
