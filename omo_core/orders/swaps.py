"""Swaps: orders that take goods which others of the batch give back in the same step go into one stock command."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from omo_core.model.promised import SlotClaim
from omo_core.model.stock import Hold, PlaceHolds, ReplaceHolds
from omo_core.orders.slots import slot_name

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
    slots: list[dict[str, Any]] = field(default_factory=list)
    """Fields of slot requests."""
    claims: Sequence[SlotClaim] = ()
    """What is given back of slots."""

    @property
    def is_anything(self) -> bool:
        """Whether it changes the stock."""
        return bool(self.release or self.place or self.claims)

    def given_back(self) -> Iterator[tuple[SkuNode, int]]:
        """Goods by cell, and work by slot and node."""
        for hold in self.release:
            yield (hold.sku, hold.node), hold.pending
        for claim in self.claims:
            yield (slot_name(claim.slot_at), claim.node), claim.held

    def net(self) -> Counter[SkuNode]:
        """Units taken less units given back, by cell or slot; nothing where they are equal."""
        units: Counter[SkuNode] = Counter()
        for request in self.place:
            units[request["sku"], request["node"]] += request["quantity"]
        for slot in self.slots:
            units[slot_name(slot["slot_at"]), slot["node"]] += slot["units"]
        for cell, number in self.given_back():
            units[cell] -= number
        return Counter({cell: number for cell, number in units.items() if number})


def together(exchanges: Sequence[Exchange], stock: Iterable[tuple[str, str, int]]) -> list[list[Exchange]]:
    """Groups that have to be booked all or none, each and all in the order given.

    `stock`, with a row for each slot, counts what the exchanges give back as free. Orders that meet at a cell belong together where it has too
    little without what is given back there; all others stand alone.
    """
    at_cell: dict[SkuNode, list[tuple[int, int]]] = defaultdict(list)
    for place, exchange in enumerate(exchanges):
        for cell, units in exchange.net().items():
            at_cell[cell].append((place, units))
    free = Counter({(sku, node): units for sku, node, units in stock})
    for exchange in exchanges:
        for cell, number in exchange.given_back():
            free[cell] -= number
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
    if slots := tuple(request for one in group for request in one.slots):
        head["slots"] = slots
    claims = tuple(claim for one in group for claim in one.claims)
    # A command is made with all its lines in one call: made one by one, they take half as long again.
    if not release and not claims:
        return PlaceHolds.model_validate({**head, "lines": places})
    others = tuple((one.order, one.channel) for one in group if one.channel != first.channel)
    if claims:
        named = tuple({"owner": one.owner, "node": one.node, "slot_at": one.slot_at} for one in claims)
        head["release_slots"] = named
    return ReplaceHolds.model_validate({**head, "release": release, "place": places, "channels": others})


def _find(leader: list[int], place: int) -> int:
    while leader[place] != place:
        leader[place] = leader[leader[place]]
        place = leader[place]
    return place


def _unite(leader: list[int], one: int, other: int) -> None:
    first, second = sorted((_find(leader, one), _find(leader, other)))
    leader[second] = first
