"""Which orders and which nodes a part of the policy speaks of: plain criteria, all of which must hold."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from omo_core.model.network import DeliveryMethod, NodeKind, Place, enum_of
from omo_core.model.values import ChannelId, Identifier, NodeId, Sku, Text, Value

MAX_NAMED: Final = 24
"""Most limits of one sort; every rule of a problem has a position of eight bits."""

Metres = Annotated[int, Field(ge=0, le=20_100_000)]
Effect = Literal["only", "never"]
"""`only`: nobody but these nodes may; `never`: these nodes may not."""


class NodeFilter(Value):
    """Nodes that meet every criterion given; without any, all nodes."""

    nodes: tuple[NodeId, ...] = ()
    kinds: tuple[Annotated[NodeKind, enum_of(NodeKind)], ...] = ()
    classes: tuple[Identifier, ...] = ()
    places: tuple[Place, ...] = ()
    owners: tuple[Identifier, ...] = ()

    def covers(self, other: NodeFilter) -> bool:
        """Whether every node that meets `other` is sure to meet this one too."""
        return _covers(self, other)

    def excludes(self, other: NodeFilter) -> bool:
        """Whether no node can be sure to meet both: some criterion names different things."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("nodes", "kinds", "classes", "owners"))
        return any(mine and theirs and not set(mine) & set(theirs) for mine, theirs in pairs)


class OrderFilter(Value):
    """Orders that meet every criterion given; without any, all orders. What an order does not say, it does not meet."""

    methods: tuple[Annotated[DeliveryMethod, enum_of(DeliveryMethod)], ...] = ()
    services: tuple[Text, ...] = ()
    channels: tuple[ChannelId, ...] = ()
    places: tuple[Place, ...] = ()

    def covers(self, other: OrderFilter) -> bool:
        """Whether every order that meets `other` is sure to meet this one too."""
        return _covers(self, other)


class Limit(Value):
    """Which nodes may serve which orders: by region, kind, class, owner, channel, method or service."""

    name: Identifier
    orders: OrderFilter = OrderFilter()
    nodes: NodeFilter
    effect: Effect


class ItemLimit(Value):
    """Which nodes may sell which items."""

    name: Identifier
    skus: tuple[Sku, ...] = Field(min_length=1)
    nodes: NodeFilter
    effect: Effect


class DistanceLimit(Value):
    """How far these nodes may send to these orders; an unknown distance is beyond every limit."""

    name: Identifier
    orders: OrderFilter = OrderFilter()
    nodes: NodeFilter = NodeFilter()
    within_m: Metres


def contradiction(limits: tuple[Limit, ...]) -> str | None:
    """The first two limits that leave no node for the orders of one of them, in a sentence; None if there are none."""
    for place, one in enumerate(limits):
        for other in limits[:place]:
            if not (one.orders.covers(other.orders) or other.orders.covers(one.orders)):
                continue
            only, never = (one, other) if one.effect == "only" else (other, one)
            forbidden = only.effect != never.effect and never.nodes.covers(only.nodes)
            apart = one.effect == other.effect == "only" and one.nodes.excludes(other.nodes)
            if forbidden and never.orders.covers(only.orders):
                return f"{only.name!r} requires nodes that {never.name!r} forbids; drop one of them"
            if apart:
                return f"{other.name!r} and {one.name!r} require different nodes of the same orders; drop one of them"
    return None


def _covers(wide: Value, narrow: Value) -> bool:
    for name in type(wide).model_fields:
        mine, theirs = set(getattr(wide, name)), set(getattr(narrow, name))
        if mine and not (theirs and theirs <= mine):
            return False
    return True
