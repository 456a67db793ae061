"""The plan: for every unit which node and why, what it costs by term, and the proof that it is sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.accounts import Accounts, account
from omo_core.allocation.prices import Prices
from omo_core.allocation.problem import AllocationProblem
from omo_core.model.refusals import Refusal

DOCUMENT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Assignment:
    """Units of one order line that one node is to serve.

    `cost_minor` holds what the units cost there and an even share of the node's shipment (the first assignments
    take the odd minor units), so an order's assignments, its split and its unserved units sum to its cost.
    """

    line: str
    sku: str
    node: str
    quantity: int
    why: str
    cost_minor: int


@dataclass(frozen=True, slots=True)
class LineShortfall:
    """Units of a line that no node serves, with a stable code (see `model.refusals`) and a sentence."""

    line: str
    sku: str
    missing: int
    code: str
    why: str
    wanted: int

    @property
    def refusal(self) -> Refusal:
        """The shortfall as the value that commands answer with."""
        return Refusal.of(self.code, sku=self.sku, missing=self.missing, wanted=self.wanted)


class _PricedLater:
    """Room for what works out terms; no field, so that equality, documents and copies pass over it."""

    __slots__ = ("_compare",)
    _compare: Callable[[], tuple[dict[str, int], dict[str, int]]]


@dataclass(frozen=True, slots=True)
class RunnerUp(_PricedLater):
    """A node that was not used: what it would have cost more in place of another, or what kept it out."""

    node: str
    instead_of: str | None
    """The node whose units it could have taken over."""
    extra_minor: int | None
    """By how much the order would have been dearer."""
    rule: str | None
    """The rule that forbade it, or `units_short` / `no_capacity`."""
    why: str

    @property
    def cost_by_term(self) -> dict[str, int] | None:
        """What it would charge by term for the units it could have taken over; None where there are none."""
        compare = getattr(self, "_compare", None)
        return None if compare is None else compare()[0]

    @property
    def extra_by_term(self) -> dict[str, int] | None:
        """By how much each term would have been dearer than at the node it would have replaced; None as above."""
        compare = getattr(self, "_compare", None)
        if compare is None:
            return None
        own, instead = compare()
        extra = {name: own.get(name, 0) - instead.get(name, 0) for name in {**own, **instead}}
        return {name: amount for name, amount in extra.items() if amount}


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """The decision about one order."""

    order: str
    method: str
    """How it was found: `exact` (best for this order on live stock), `columns` (heuristic), `milp` (jointly by an integer
    program) or `wave` (jointly, at prices and by exchange with other orders)."""
    assignments: tuple[Assignment, ...]
    shortfalls: tuple[LineShortfall, ...]
    cost_by_term: dict[str, int]
    runner_ups: tuple[RunnerUp, ...]

    @property
    def cost_minor(self) -> int:
        """Sum of the terms."""
        return sum(self.cost_by_term.values())

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes used, each once, in order of first use."""
        return tuple(dict.fromkeys(one.node for one in self.assignments))


class OrderPlans(Sequence[OrderPlan]):
    """The orders of a plan, each put into words when it is asked for."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._made: dict[int, OrderPlan] = {}

    def __len__(self) -> int:
        return self._plan.problem.orders

    @overload
    def __getitem__(self, position: int) -> OrderPlan: ...
    @overload
    def __getitem__(self, position: slice) -> list[OrderPlan]: ...
    def __getitem__(self, position: int | slice) -> OrderPlan | list[OrderPlan]:
        if isinstance(position, slice):
            return [self[one] for one in range(*position.indices(len(self)))]
        row = range(len(self))[position]
        if row not in self._made:
            self._made[row] = self._plan.words.order_plan(row)
        return self._made[row]

    def __iter__(self) -> Iterator[OrderPlan]:
        return (self[row] for row in range(len(self)))


@dataclass(frozen=True)
class Plan:
    """A decision about every order of a problem. Equal problems and policies give equal plans, byte for byte."""

    problem: AllocationProblem
    taken: NDArray[np.int32]
    """int32[entries]: units taken from each entry of the problem's block."""
    methods: tuple[str, ...]
    solver: str
    """`greedy`, `exact`, `wave` or `router`."""
    status: str
    """`heuristic`, `optimal`, or `feasible` when a work budget ended the search before the proof."""
    lower_bound_minor: int | None = None
    """No plan of this problem costs less, whichever nodes it uses; None when nothing was proven."""
    prices: Prices | None = None
    """What scarce stock and full nodes were worth when the wave was decided jointly, or to the last wave when the router
    decided; None where no prices were made."""
    greedy_minor: int | None = None
    """What the greedy plan cost that a wave's search began with."""

    @property
    def currency(self) -> str:
        """The network's currency; every amount is in its minor units."""
        return self.problem.index.currency

    @cached_property
    def accounts(self) -> Accounts:
        """The cost by term of every order, as arrays."""
        return account(self.problem, self.taken)

    @cached_property
    def cost_by_term(self) -> dict[str, int]:
        """Minor units by term; sums exactly to `cost_minor`."""
        totals = self.accounts.by_order.sum(axis=1)
        return {name: int(total) for name, total in zip(self.accounts.names, totals, strict=True)}

    @property
    def cost_minor(self) -> int:
        """What the plan costs in all."""
        return sum(self.cost_by_term.values())

    @property
    def gap(self) -> float | None:
        """(cost − bound) / cost, 0.0 for a proven optimum; None without a bound."""
        if self.lower_bound_minor is None:
            return None
        return (self.cost_minor - self.lower_bound_minor) / max(self.cost_minor, 1)

    @cached_property
    def orders(self) -> OrderPlans:
        """The decision about each order, in the order of the demands."""
        return OrderPlans(self)

    @cached_property
    def words(self) -> Any:
        """What turns rows into sentences; made when the first order is asked for."""
        from omo_core.allocation.explain import Words

        return Words.of(self)

    def violations(self) -> list[str]:
        """Sentences that name what is wrong with the plan; empty when it is sound."""
        from omo_core.allocation.soundness import violations_of

        return violations_of(self)

    def to_document(self) -> dict[str, Any]:
        """The plan as JSON-ready data; equal plans give equal documents."""
        return {
            "version": DOCUMENT_VERSION,
            "policy_version": self.problem.policy.version,
            "policy_digest": self.problem.policy.digest(),
            "solver": self.solver,
            "status": self.status,
            "currency": self.currency,
            "cost_minor": self.cost_minor,
            "cost_by_term": self.cost_by_term,
            "lower_bound_minor": self.lower_bound_minor,
            "orders": [{**asdict(one), "cost_minor": one.cost_minor} for one in self.orders],
        }
