"""Rules about items at nodes: what a node cannot keep, what stays on its shelf, what nobody can weigh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.cells import Cells
from omo_core.allocation.eligibility import Rule
from omo_core.allocation.network_index import NetworkIndex
from omo_core.allocation.pairs import Pairs
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.policy_filters import ItemLimit
from omo_core.allocation.policy_parts import KeepBack, LastUnits
from omo_core.model.errors import InvalidInput


class _NoPair:
    """Forbids no pair as a whole; the items that a node may not sell are kept back instead."""

    def excludes(self, pairs: Pairs) -> Flags:
        """None."""
        del pairs
        return np.array(False)


@dataclass(frozen=True)
class AbilityNeeded(_NoPair):
    """An item that needs cold or care is sold by nodes that can give it."""

    name: str = "needs_capability"
    sentence: str = "cannot keep or send what the item needs"

    def withholds(self, cells: Cells) -> Ints:
        """All units where the node lacks something that the item needs."""
        index = cells.index
        able = [frozenset(node.abilities or ()) for node in index.nodes]
        out = np.zeros(cells.held.size, dtype=np.bool_)
        for row, sku in enumerate(cells.skus):
            if needs := index.needs.get(sku):
                lacking = np.array([not needs <= abilities for abilities in able], dtype=np.bool_)
                out |= (cells.sku == row) & lacking[cells.node]
        return cells.held * out


@dataclass(frozen=True)
class ItemsLimited(_NoPair):
    """Some items are sold by some nodes only, or never by them."""

    limit: ItemLimit

    @property
    def name(self) -> str:
        """The limit's own."""
        return self.limit.name

    @property
    def sentence(self) -> str:
        """Names the limit."""
        return f"may not sell the item: the policy's limit {self.limit.name!r}"

    def withholds(self, cells: Cells) -> Ints:
        """All units of the items at the nodes it speaks of, or at all others."""
        among = cells.of_nodes(self.limit.nodes)
        units: Ints = cells.held * (cells.of_skus(self.limit.skus) & (among == (self.limit.effect == "never")))
        return units


@dataclass(frozen=True)
class StoreMinimum(_NoPair):
    """Some units of every item stay on a store's shelf."""

    parts: tuple[KeepBack, ...]
    name: str = "kept_back"
    sentence: str = "keeps its last units on the shelf"

    def withholds(self, cells: Cells) -> Ints:
        """The most that any part asks of the node."""
        asked = [cells.of_nodes(part.nodes) * np.int64(part.units) for part in self.parts]
        most: Ints = np.max(asked, axis=0)
        return most


@dataclass(frozen=True)
class LastUnitsKept(_NoPair):
    """Where few units are left, none of them is taken."""

    part: LastUnits
    name: str = "last_units"
    sentence: str = "has only its last units"

    def withholds(self, cells: Cells) -> Ints:
        """All units where they are few."""
        return cells.held * (cells.of_nodes(self.part.nodes) & (cells.held <= self.part.at_or_below))


@dataclass(frozen=True)
class WeightKnown(_NoPair):
    """What nobody can weigh is not sent, or stops the wave."""

    refuse: bool
    name: str = "weight_unknown"
    sentence: str = "may not send what has no known weight"

    def withholds(self, cells: Cells) -> Ints:
        """All units of items without a weight; raises `InvalidInput` where the policy refuses them."""
        unknown = [sku not in cells.index.weight_g for sku in cells.skus]
        if self.refuse and any(unknown):
            sku = cells.skus[unknown.index(True)]
            raise InvalidInput(f"item {sku!r} has no weight, which the policy refuses; weigh it or change missing_data")
        return cells.held * np.array(unknown, dtype=np.bool_)[cells.sku]


def cell_rules(policy: SourcingPolicy, index: NetworkIndex | None) -> list[Rule]:
    """The rules about items that policy and network ask for."""
    rules: list[Rule] = []
    if index is None or index.needs:
        rules.append(AbilityNeeded())
    rules += [ItemsLimited(limit) for limit in policy.item_limits]
    if policy.keep_back:
        rules.append(StoreMinimum(policy.keep_back))
    if policy.last_units is not None and policy.last_units.unit_minor is None:
        rules.append(LastUnitsKept(policy.last_units))
    if policy.missing_data is not None and policy.missing_data.weight != "price":
        rules.append(WeightKnown(policy.missing_data.weight == "refuse"))
    return rules
