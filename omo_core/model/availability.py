"""Availability: what is kept back by rule, and what a channel is told."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from omo_core.model.network import NodeKind, enum_of
from omo_core.model.stock import Command
from omo_core.model.values import Count, Identifier, NodeId, Quantity, Sku, Value

Permille = Annotated[int, Field(ge=0, le=1000)]
"""Thousandths of a whole."""


class SetSafetyRule(Command):
    """Keep stock back at every node, at a class of nodes, or at one node; of every item or of one.

    Kept back is the larger of `units` and `permille` thousandths of what is on hand. The rule is carried out on all
    sellable rows of its scope at once, and remembered for rows that come later: of several, the narrowest counts
    (node before class before pool; of each, the one that names the item first). The last command on a row wins.
    """

    kind: Literal["set_safety_rule"] = "set_safety_rule"
    units: Count = 0
    permille: Permille = 0
    node: NodeId | None = None
    node_kind: Annotated[NodeKind, enum_of(NodeKind)] | None = None
    sku: Sku | None = None

    @model_validator(mode="after")
    def _has_one_scope(self) -> Self:
        if self.node is not None and self.node_kind is not None:
            raise ValueError("name a node or a class of nodes, not both")
        return self


class SafetyRuleSet(Value):
    """The answer to `SetSafetyRule`: how many rows now keep back another number of units."""

    version: Literal[1] = 1
    key: str
    rows_changed: int


class PublicationRule(Value):
    """How a channel is told what is available; every number is in base units.

    Told is ATP for the channel less the larger of `buffer` and `buffer_permille` of it, at most `cap`, rounded down to
    a multiple of `round_to`. A change is worth telling if it reaches `min_change`, goes to or from nothing, or goes
    down to `exact_below` or less. What is told is never more than the pool can serve when it is told; between two
    publications a buffer of at least `min_change` keeps that true for changes too small to tell.
    """

    channel: Identifier
    nodes: tuple[NodeId, ...] = ()
    """Only these nodes count; empty: all that serve the channel."""
    per_node: bool = False
    """Tell each node's units, for channels that keep stock by location; otherwise one number an item."""
    buffer: Count = 0
    buffer_permille: Permille = 0
    cap: Quantity | None = None
    round_to: Quantity = 1
    min_change: Quantity = 1
    exact_below: Count = 0


class AvailabilityDelta(Value):
    """One number to tell a channel: `units` now, `told` the last time (None: never).

    Where it was `sending`, nobody knows whether the channel heard `told` or what came before it.
    """

    channel: Identifier
    sku: Sku
    node: str = ""
    """'' where the channel has one number for all nodes."""
    units: Count
    told: Count | None
    sending: bool = False
