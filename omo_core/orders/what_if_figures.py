"""The figures of a period under one policy: cost by term, splits, distance, what was served, how late, and by whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from omo_core.allocation import AllocationProblem, Plan, SourcingPolicy, default_terms
from omo_core.allocation.accounts import account
from omo_core.allocation.candidate_kernels import NO_DISTANCE
from omo_core.allocation.costs import UNSERVED
from omo_core.allocation.parcels import Parcels
from omo_core.orders.deciding import Decided

LATE_TERMS: Final = frozenset({"lateness", "promise"})
"""Terms whose parcels count as late."""


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """What one node was given."""

    parcels: int
    units: int


@dataclass(frozen=True)
class PolicyFigures:
    """A period under one policy."""

    name: str
    policy: SourcingPolicy
    cost_by_term: Mapping[str, int]
    """Minor units, at the policy's own prices."""
    yardstick_by_term: Mapping[str, int]
    """The same decisions at the prices of the policy in force: what compares policies whose prices differ."""
    orders: int
    orders_served: int
    """Orders of which at least one unit is served."""
    orders_split: int
    """Orders served from more than one node."""
    splits: int
    """Over orders served by k nodes, the sum of k − 1."""
    units: int
    units_served: int
    lines: int
    """Items of orders; lines of one order that name the same item are one."""
    lines_in_full: int
    parcels: int
    """Order and node: everything a node sends or hands over for a delivery at once."""
    parcel_m: int
    """Metres that parcels travel, where known, added up."""
    parcels_unplaced: int
    """Parcels whose way is not known."""
    late_parcels: int
    """Parcels for which the policy in force charges lateness."""
    displaced_units: int
    """Units promised that counter sales, counts and other movements took afterwards."""
    loads: Mapping[str, NodeFigures]

    @property
    def cost_minor(self) -> int:
        """The sum of its own terms."""
        return sum(self.cost_by_term.values())

    @property
    def yardstick_minor(self) -> int:
        """The sum of the terms at the prices of the policy in force."""
        return sum(self.yardstick_by_term.values())

    @property
    def fill_rate(self) -> float | None:
        """Units served of those asked for; None where nothing was asked for."""
        return self.units_served / self.units if self.units else None

    @property
    def split_rate(self) -> float | None:
        """Orders served from more than one node, of those served; None where none is."""
        return self.orders_split / self.orders_served if self.orders_served else None


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What a node sends of one decision about a delivery."""

    node: str
    units: int
    metres: int | None
    late: bool


@dataclass
class _OrderFigures:
    """What was decided about one order."""

    own: Counter[str] = field(default_factory=Counter)
    yardstick: Counter[str] = field(default_factory=Counter)
    parcels: list[_Parcel] = field(default_factory=list)
    units: int = 0
    lines: int = 0
    short: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Demand → (units, lines) still missing after its last decision."""


class Figures:
    """Adds up decisions, order by order, so that a decision that another replaces can be taken out again."""

    def __init__(self, name: str, policy: SourcingPolicy, yardstick: SourcingPolicy) -> None:
        self._name = name
        self._policy = policy
        self._yardstick = yardstick
        self._orders: dict[str, _OrderFigures] = defaultdict(_OrderFigures)
        self._displaced = 0

    def forget(self, order: str) -> None:
        """The order is decided afresh."""
        self._orders.pop(order, None)

    def displace(self, order: str, node: str, units: int) -> None:
        """A movement took units that a node was to serve; they are about to be decided again."""
        one = self._orders[order]
        self._displaced += units
        one.own[UNSERVED] += units * self._policy.unserved_minor
        one.yardstick[UNSERVED] += units * self._yardstick.unserved_minor
        for place, parcel in reversed(list(enumerate(one.parcels))):
            if parcel.node == node and units:
                gone = min(units, parcel.units)
                units -= gone
                one.parcels[place] = replace(parcel, units=parcel.units - gone)
        one.parcels = [parcel for parcel in one.parcels if parcel.units]

    def add(self, decided: Decided, afresh: Container[str]) -> None:
        """Count what was decided together; of orders not `afresh`, only what they lacked was asked for."""
        priced = {id(plan): _Priced(plan, self._yardstick) for plan in decided.plans}
        for place, demand in enumerate(decided.demands):
            _, plan, row = decided.row_of(place)
            order = demand.order.rpartition("#")[0]
            priced[id(plan)].add_to(self._orders[order], row, demand.order, first=order in afresh)

    def total(self) -> PolicyFigures:
        """Everything together."""
        orders = self._orders.values()
        own, yardstick, loads = Counter[str](), Counter[str](), defaultdict[str, list[int]](list)
        for one in orders:
            own.update(one.own)
            yardstick.update(one.yardstick)
            for parcel in one.parcels:
                loads[parcel.node].append(parcel.units)
        nodes = [len({parcel.node for parcel in one.parcels}) for one in orders]
        parcels = [parcel for one in orders for parcel in one.parcels]
        units, lines = sum(one.units for one in orders), sum(one.lines for one in orders)
        missing = [short for one in orders for short in one.short.values()]
        return PolicyFigures(
            name=self._name,
            policy=self._policy,
            cost_by_term=dict(own),
            yardstick_by_term=dict(yardstick),
            orders=len(orders),
            orders_served=sum(count > 0 for count in nodes),
            orders_split=sum(count > 1 for count in nodes),
            splits=sum(max(0, count - 1) for count in nodes),
            units=units,
            units_served=units - sum(short for short, _ in missing),
            lines=lines,
            lines_in_full=lines - sum(short for _, short in missing),
            parcels=len(parcels),
            parcel_m=sum(parcel.metres for parcel in parcels if parcel.metres is not None),
            parcels_unplaced=sum(parcel.metres is None for parcel in parcels),
            late_parcels=sum(parcel.late for parcel in parcels),
            displaced_units=self._displaced,
            loads={node: NodeFigures(len(own), sum(own)) for node, own in sorted(loads.items())},
        )


class _Priced:
    """A plan's cost by term at both prices, and its parcels, ready to be handed out order by order."""

    def __init__(self, plan: Plan, yardstick: SourcingPolicy) -> None:
        problem, block = plan.problem, plan.problem.block
        self._plan = plan
        self._policy = yardstick
        same = problem.policy == yardstick
        measured_by = problem if same else _at_prices_of(problem, yardstick)
        self._own = plan.accounts
        self._yardstick = self._own if same else account(measured_by, plan.taken)
        self._late = self._lateness()
        self._ends = np.searchsorted(self._own.used, block.candidate_ptr)

    def _lateness(self) -> list[bool]:
        """For each of the candidates used, whether being late is charged."""
        accounts = self._yardstick
        terms = [place for place, name in enumerate(accounts.names[: len(accounts.fixed)]) if name in LATE_TERMS]
        charged = np.count_nonzero(accounts.fixed[terms], axis=0)
        return [count > 0 for count in np.atleast_1d(charged).tolist()]

    def add_to(self, order: _OrderFigures, row: int, demand: str, *, first: bool) -> None:
        """Add one order's part of the plan; `first` says that its units were not counted before."""
        problem, block = self._plan.problem, self._plan.problem.block
        for into, accounts in ((order.own, self._own), (order.yardstick, self._yardstick)):
            into.update(dict(zip(accounts.names, accounts.by_order[:, row].tolist(), strict=True)))
        wanted = block.quantity[block.line_ptr[row] : block.line_ptr[row + 1]]
        missing = self._own.missing[block.line_ptr[row] : block.line_ptr[row + 1]]
        if first:
            order.units += int(wanted.sum())
            order.lines += int(wanted.size)
        else:
            self._take_back_missing(order, int(wanted.sum()))
        order.short[demand] = (int(missing.sum()), int(np.count_nonzero(missing)))
        for at in range(self._ends[row], self._ends[row + 1]):
            candidate = int(self._own.used[at])
            entries = slice(block.entry_ptr[candidate], block.entry_ptr[candidate + 1])
            metres = int(problem.measured_m[candidate])
            order.parcels.append(
                _Parcel(
                    problem.index.nodes[int(block.node[candidate])].node,
                    int(self._plan.taken[entries].sum()),
                    None if metres == NO_DISTANCE else metres,
                    self._late[at],
                )
            )

    def _take_back_missing(self, order: _OrderFigures, units: int) -> None:
        """What was missing was charged before, and is asked for again."""
        order.own[UNSERVED] -= units * self._plan.problem.policy.unserved_minor
        order.yardstick[UNSERVED] -= units * self._policy.unserved_minor


def _at_prices_of(problem: AllocationProblem, policy: SourcingPolicy) -> AllocationProblem:
    """The problem as another policy prices it; its candidates stay, so a plan of the one is a plan of the other."""
    block, terms = problem.block, default_terms(policy)
    everyone = problem.pairs_of(np.arange(block.node.size, dtype=np.int64))
    tariffs = [term.tariff_of(everyone) for term in terms if isinstance(term, Parcels)]
    return replace(
        problem,
        policy=policy,
        terms=terms,
        block=block._replace(
            unserved_minor=np.full(block.unserved_minor.size, policy.unserved_minor, dtype=np.int64),
            tariff=tariffs[0].astype(np.int32) if tariffs else block.tariff,
        ),
    )
