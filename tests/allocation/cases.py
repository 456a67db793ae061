"""Small random worlds for the allocator's tests, each wholly given by its seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from omo_core.allocation import AllocationProblem, DemandLine, OrderDemand, SourcingPolicy
from omo_core.model.items import Item
from omo_core.model.network import DeliveryMethod, Network, Node, NodeKind, OpeningHours
from omo_core.model.values import GeoPoint

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""A Monday."""
NIGHT = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)

StockRow = tuple[str, str, int]


@dataclass(frozen=True)
class Case:
    """The raw input of one problem."""

    network: Network
    demands: tuple[OrderDemand, ...]
    stock: tuple[StockRow, ...]
    policy: SourcingPolicy
    capacity: Mapping[str, int] | None = None

    def problem(self) -> AllocationProblem:
        return AllocationProblem.build(self.network, self.demands, self.stock, self.policy, self.capacity)

    def but(self, **changes: Any) -> Case:
        return replace(self, **changes)


def point(latitude: float, longitude: float) -> GeoPoint:
    return GeoPoint(latitude=latitude, longitude=longitude)


def store(name: str, latitude: float = 40.0, longitude: float = -90.0, **fields: Any) -> Node:
    return Node(node=name, kind=fields.pop("kind", NodeKind.STORE), point=point(latitude, longitude), **fields)


def order(
    name: str, *lines: tuple[str, int], method: DeliveryMethod = DeliveryMethod.SHIP, **fields: Any
) -> OrderDemand:
    """An order at (40, -90) for lines of (sku, quantity), numbered from 1."""
    return OrderDemand(
        order=name,
        method=method,
        at=fields.pop("at", AT),
        lines=tuple(DemandLine(str(i), sku, quantity) for i, (sku, quantity) in enumerate(lines, 1)),
        point=fields.pop("point", point(40.0, -90.0)),
        **fields,
    )


def network(*nodes: Node, items: tuple[Item, ...] = ()) -> Network:
    return Network(currency="USD", nodes=nodes, items=items)


def random_case(
    seed: int,
    *,
    orders: int = 8,
    nodes: int = 8,
    skus: int = 8,
    most_lines: int = 5,
    most_units: int = 3,
    stock_units: int = 3,
    policy: Mapping[str, Any] | None = None,
    limited: bool = True,
) -> Case:
    """A world with all kinds of nodes and methods, unknown places, closed nodes, rejects, weights and limits."""
    dice = random.Random(seed)
    hours = (OpeningHours(weekday=0, opens_s=8 * 3600, closes_s=20 * 3600),)
    made = tuple(
        Node(
            node=f"N{i}",
            kind=dice.choice(list(NodeKind)),
            point=None
            if dice.random() < 0.1
            else point(40 + dice.uniform(-9, 9), -90 + dice.uniform(-15, 15))
            if dice.random() < 0.6
            else point(40 + dice.uniform(-0.1, 0.1), -90 + dice.uniform(-0.1, 0.1)),
            methods=tuple(DeliveryMethod) if dice.random() < 0.8 else (DeliveryMethod.SHIP,),
            opening_hours=hours if dice.random() < 0.5 else (),
            priority=dice.choice([50, 100]),
            owner="somebody",  # which a dealer's store must have, and the allocator does not look at
        )
        for i in range(nodes)
    )
    items = tuple(Item(sku=f"K{i}", weight_g=dice.choice([0, 250, 1999])) for i in range(skus))
    names = [node.node for node in made]
    demands = tuple(
        OrderDemand(
            order=f"O{i}",
            method=dice.choice([*DeliveryMethod, DeliveryMethod.SHIP]),
            at=dice.choice([AT, AT, NIGHT]),
            lines=tuple(
                DemandLine(f"L{j}", f"K{dice.randrange(skus + 1)}", dice.randint(1, most_units))
                for j in range(dice.randint(1, most_lines))
            ),
            point=None if dice.random() < 0.1 else point(40 + dice.uniform(-0.1, 0.1), -90 + dice.uniform(-0.1, 0.1)),
            pickup_node=dice.choice([*names, "elsewhere"]),
            excluded_nodes=frozenset(dice.sample(names, 1)) if dice.random() < 0.2 else frozenset(),
        )
        for i in range(orders)
    )
    stock = tuple(
        (f"K{i}", name, dice.randint(0, stock_units)) for i in range(skus) for name in names if dice.random() < 0.5
    )
    capacity = {name: dice.randint(0, 4) for name in dice.sample(names, nodes // 2)} if limited else None
    prices = {
        "per_extra_node_minor": dice.choice([0, 100]),
        "max_nodes": dice.choice([None, None, 1, 2]),
        "candidates": dice.choice([1, 3, 16]),
        "kg_per_1000_km_minor": dice.choice([0, 40]),
        "ship_to_store": dice.random() < 0.8,
        "unserved_minor": dice.choice([20_000, 2_500]),
        **(policy or {}),
    }
    return Case(network(*made, items=items), demands, stock, SourcingPolicy.load(prices), capacity)
