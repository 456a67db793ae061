"""Parts: deliveries of orders as they were solved, and what the solver's runs came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from omo_core.allocation import OrderPlan, Plan
from omo_core.model.network import DeliveryMethod
from omo_core.orders.entries import OrderEntry
from omo_core.orders.slots import Slots
from omo_core.orders.waves import Solved


class Solve(NamedTuple):
    """One run of the solver: how many deliveries it decided, at what cost, and what it proved."""

    deliveries: int
    cost_minor: int
    lower_bound_minor: int | None
    solver: str

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """What a plan came to."""
        return cls(plan.problem.orders, plan.cost_minor, plan.lower_bound_minor, plan.solver)


@dataclass(slots=True)
class Part:
    """One delivery of one order, as it was solved."""

    entry: OrderEntry
    method: DeliveryMethod
    plan: OrderPlan


@dataclass(slots=True)
class Sourced:
    """What was decided, the runs of the solver that led there, and what is stored of them if something comes of it."""

    parts: list[Part] = field(default_factory=list)
    solves: list[Solve] = field(default_factory=list)
    stock: Sequence[tuple[str, str, int]] = ()
    """(sku, node, units) it was decided on, the orders' own holds counted as free."""
    solved: Solved | None = None
    slots: Slots = field(default_factory=Slots)
