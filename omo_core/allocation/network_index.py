"""A network prepared for the allocator: nodes as columns, built once and used for many problems."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.demand import NodeState, check_state
from omo_core.allocation.policy_filters import NodeFilter
from omo_core.model.errors import InvalidInput
from omo_core.model.network import DAY_S, DeliveryMethod, Network, Node, NodeKind
from omo_core.model.values import GeoPoint

KINDS: Final[tuple[NodeKind, ...]] = tuple(NodeKind)
METHODS: Final[tuple[DeliveryMethod, ...]] = tuple(DeliveryMethod)
METHOD_CODE: Final = {method: code for code, method in enumerate(METHODS)}
WAREHOUSE_KINDS: Final = (NodeKind.REGIONAL_WAREHOUSE, NodeKind.CENTRAL_WAREHOUSE)


def unit_vectors(points: Sequence[GeoPoint | None]) -> tuple[NDArray[np.float64], Flags]:
    """Points as unit vectors float64[n, 3] on the sphere, and which of them are known."""
    xyz = np.zeros((len(points), 3))
    for row, point in enumerate(points):
        if point is not None:
            latitude, longitude = math.radians(point.latitude), math.radians(point.longitude)
            level = math.cos(latitude)
            xyz[row] = level * math.cos(longitude), level * math.sin(longitude), math.sin(latitude)
    return xyz, np.array([point is not None for point in points], dtype=np.bool_)


@dataclass(frozen=True)
class NetworkIndex:
    """Nodes in the order in which ties are broken (priority, then id), as columns over nodes."""

    currency: str
    nodes: tuple[Node, ...]
    position: dict[str, int]
    """Node id to its column."""
    xyz: NDArray[np.float64]
    placed: Flags
    """Whether the node's point is known."""
    kind: Ints
    """Position in `KINDS`."""
    warehouse: Flags
    offers: Flags
    """bool[nodes, methods] in the order of `METHODS`."""
    weight_g: dict[str, int]
    """By SKU; an item that is not listed weighs nothing."""
    zones: tuple[ZoneInfo, ...]
    needs: dict[str, frozenset[str]]
    """By SKU, what a node must be able to do; an item that is not listed needs nothing."""
    _hours: Ints
    """int64[intervals, 4]: node, zone, first and last second of the week."""
    _always_open: Flags
    states: Mapping[str, NodeState] = field(default_factory=dict)
    _matching: dict[NodeFilter, Flags] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, network: Network, states: Mapping[str, NodeState] | None = None) -> NetworkIndex:
        """Prepare a network; build it once and pass it to `AllocationProblem.build` in its place."""
        nodes = tuple(sorted(network.nodes, key=lambda node: (node.priority, node.node)))
        xyz, placed = unit_vectors([node.point for node in nodes])
        names = sorted({node.time_zone for node in nodes if node.opening_hours})
        hours = [
            (
                row,
                names.index(node.time_zone),
                spell.weekday * DAY_S + spell.opens_s,
                spell.weekday * DAY_S + spell.closes_s,
            )
            for row, node in enumerate(nodes)
            for spell in node.opening_hours
        ]
        index = cls(
            currency=network.currency,
            nodes=nodes,
            position={node.node: row for row, node in enumerate(nodes)},
            xyz=xyz,
            placed=placed,
            kind=np.array([KINDS.index(node.kind) for node in nodes], dtype=np.int64),
            warehouse=np.array([node.kind in WAREHOUSE_KINDS for node in nodes], dtype=np.bool_),
            offers=np.array([[method in node.methods for method in METHODS] for node in nodes], dtype=np.bool_),
            weight_g={item.sku: item.weight_g for item in network.items if item.weight_g},
            needs={item.sku: frozenset(item.needs) for item in network.items if item.needs},
            zones=tuple(ZoneInfo(name) for name in names),
            _hours=np.array(hours, dtype=np.int64).reshape(-1, 4),
            _always_open=np.array([not node.opening_hours for node in nodes], dtype=np.bool_),
        )
        return index.with_states(states) if states else index

    def with_states(self, states: Mapping[str, NodeState]) -> NetworkIndex:
        """The same network with what is known of its nodes now; nodes that are left out are idle and willing."""
        for node, state in states.items():
            if node not in self.position:
                raise InvalidInput(f"a state names node {node!r}, which the network does not have")
            check_state(node, state)
        return replace(self, states=dict(states))

    def matching(self, nodes: NodeFilter) -> Flags:
        """bool[nodes]: which nodes meet the filter."""
        if nodes not in self._matching:
            flags = [_meets(node, nodes) for node in self.nodes]
            self._matching[nodes] = np.array(flags, dtype=np.bool_)
        return self._matching[nodes]

    @property
    def has_closed_regions(self) -> bool:
        """Whether some node's parcels go to some places only."""
        return any(node.ships_to is not None for node in self.nodes)

    @property
    def has_busy_couriers(self) -> bool:
        """Whether some node's courier cannot take another trip."""
        return any(not state.courier_free for state in self.states.values())

    @cached_property
    def courier_free(self) -> Flags:
        """bool[nodes]."""
        return self._ints([state.courier_free for state in self._state_of_nodes]).astype(np.bool_)

    @cached_property
    def load_permille(self) -> Ints:
        """int64[nodes]."""
        return self._ints([state.load_permille for state in self._state_of_nodes])

    @cached_property
    def reject_permille(self) -> Ints:
        """int64[nodes], -1 where it is not known."""
        shares = [
            node.reject_permille if state.reject_permille is None else state.reject_permille
            for node, state in zip(self.nodes, self._state_of_nodes, strict=True)
        ]
        return self._ints([-1 if share is None else share for share in shares])

    @cached_property
    def priority_steps(self) -> Ints:
        """int64[nodes]: how far each node's priority is above the lowest number."""
        lowest = min(node.priority for node in self.nodes)
        return self._ints([node.priority - lowest for node in self.nodes])

    @cached_property
    def lead_time_s(self) -> Ints:
        """int64[nodes]."""
        return self._ints([node.lead_time_s or 0 for node in self.nodes])

    @cached_property
    def cut_off_s(self) -> Ints:
        """int64[nodes], second of the node's own day, -1 where parcels leave as soon as they are ready."""
        return self._ints([-1 if node.cut_off_s is None else node.cut_off_s for node in self.nodes])

    @cached_property
    def zones_of_cut_off(self) -> tuple[tuple[ZoneInfo, ...], Ints]:
        """The zones of all nodes, and int64[nodes] the position of each node's."""
        names = sorted({node.time_zone for node in self.nodes})
        return tuple(map(ZoneInfo, names)), self._ints([names.index(node.time_zone) for node in self.nodes])

    @property
    def _state_of_nodes(self) -> list[NodeState]:
        idle = NodeState()
        return [self.states.get(node.node, idle) for node in self.nodes]

    @staticmethod
    def _ints(values: Sequence[int]) -> Ints:
        return np.array(values, dtype=np.int64)

    def open_at(self, instants: Sequence[datetime]) -> Flags:
        """Which nodes are open at each aware instant, on their own wall clocks: bool[instants, nodes]."""
        is_open = np.repeat(self._always_open[None, :], len(instants), axis=0)
        node, zone, opens, closes = self._hours.T
        for row, instant in enumerate(instants):
            local = [instant.astimezone(one) for one in self.zones]
            week_s = np.array(
                [t.weekday() * DAY_S + t.hour * 3600 + t.minute * 60 + t.second for t in local], dtype=np.int64
            )
            if node.size:
                now = week_s[zone]
                is_open[row, node[(opens <= now) & (now < closes)]] = True
        return is_open


def _meets(node: Node, nodes: NodeFilter) -> bool:
    return (
        (not nodes.nodes or node.node in nodes.nodes)
        and (not nodes.kinds or node.kind in nodes.kinds)
        and (not nodes.classes or node.node_class in nodes.classes)
        and (not nodes.owners or node.owner in nodes.owners)
        and (not nodes.places or lies_in(node.country, node.region, nodes.places))
    )


def lies_in(country: str | None, region: str | None, places: Sequence[str]) -> bool:
    """Whether somewhere in this region of this country is sure to lie in one of the places."""
    return country is not None and (country in places or f"{country}/{region}" in places)
