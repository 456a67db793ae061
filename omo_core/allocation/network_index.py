"""A network prepared for the allocator: nodes as columns, built once and used for many problems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.arrays import Flags, Ints
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
    _hours: Ints
    """int64[intervals, 4]: node, zone, first and last second of the week."""
    _always_open: Flags

    @classmethod
    def of(cls, network: Network) -> NetworkIndex:
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
        return cls(
            currency=network.currency,
            nodes=nodes,
            position={node.node: row for row, node in enumerate(nodes)},
            xyz=xyz,
            placed=placed,
            kind=np.array([KINDS.index(node.kind) for node in nodes], dtype=np.int64),
            warehouse=np.array([node.kind in WAREHOUSE_KINDS for node in nodes], dtype=np.bool_),
            offers=np.array([[method in node.methods for method in METHODS] for node in nodes], dtype=np.bool_),
            weight_g={item.sku: item.weight_g for item in network.items if item.weight_g},
            zones=tuple(ZoneInfo(name) for name in names),
            _hours=np.array(hours, dtype=np.int64).reshape(-1, 4),
            _always_open=np.array([not node.opening_hours for node in nodes], dtype=np.bool_),
        )

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
