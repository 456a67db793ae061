"""Parts: deliveries of orders as they were solved, and what the solver's runs came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from omo_core.allocation import OrderPlan
from omo_core.model.network import DeliveryMethod
from omo_core.orders.entries import OrderEntry
from omo_core.orders.left_prices import LeftPrices
from omo_core.orders.slots import Slots
from omo_core.orders.waves import Solve, Solved


@dataclass(slots=True)
class Part:
    """One delivery of one order, as it was solved."""

    entry: OrderEntry
    method: DeliveryMethod
    plan: OrderPlan
    paid: LeftPrices | None = None
    """The prices that the router paid, where it decided."""


@dataclass(slots=True)
class Sourced:
    """What was decided, the runs of the solver that led there, and what is stored of them if something comes of it."""

    parts: list[Part] = field(default_factory=list)
    solves: list[Solve] = field(default_factory=list)
    stock: Sequence[tuple[str, str, int]] = ()
    """(sku, node, units) it was decided on, the orders' own holds counted as free."""
    solved: Solved | None = None
    slots: Slots = field(default_factory=Slots)
