"""Joint sourcing by integer programming: small waves to proven optimality, the oracle of the other solvers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from omo_core.allocation.greedy import solve_greedy
from omo_core.allocation.plan import Plan
from omo_core.allocation.problem import UNLIMITED, AllocationProblem
from omo_core.model.errors import InvalidInput

MAX_ENTRIES: Final = 200_000
"""Beyond this many entries the model would not be solved to the end anyway."""

SLACK_MINOR: Final = 1e-3
"""What the bound, a float of the solver, may be off; costs are integers, so it rounds up beyond this."""


def solve_exact(problem: AllocationProblem, *, search_nodes: int = 20_000) -> Plan:
    """Decide all orders of a small wave jointly at the least cost, over all nodes that could serve them.

    SCIP on one thread, so equal problems give equal plans. When `search_nodes` of its tree were not enough, the
    status is `feasible` and the bound is what was proven so far. Raises `InvalidInput` for a wave too large for it.
    """
    problem = problem.with_all_candidates()
    if problem.block.line.size > MAX_ENTRIES:
        raise InvalidInput(f"the wave has over {MAX_ENTRIES} entries; use solve_greedy or a smaller wave")
    model = _Model(problem)
    model.add_orders()
    model.add_limits()
    return model.solve(search_nodes)


@dataclass
class _Model:
    """Units from each entry, a node is used or not, an order is served or not; its objective is the plan's cost."""

    problem: AllocationProblem
    solver: Any = field(init=False)
    units: list[Any] = field(default_factory=list)
    uses: list[Any] = field(default_factory=list)
    of_cell: dict[int, list[Any]] = field(default_factory=dict)
    of_node: dict[int, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from ortools.linear_solver import pywraplp

        self.solver = pywraplp.Solver.CreateSolver("SCIP")

    def add_orders(self) -> None:
        """Each line is served or missing, from nodes that are used."""
        block, solver = self.problem.block, self.solver
        missing = [solver.IntVar(0, int(wanted), "") for wanted in block.quantity]
        for one, price in zip(missing, block.unserved_minor, strict=True):
            self._cost(one, price)
        for order in range(self.problem.orders):
            first_line = int(block.line_ptr[order])
            rows = {row: [missing[row]] for row in range(first_line, int(block.line_ptr[order + 1]))}
            uses = [
                self._add_candidate(candidate, first_line, rows)
                for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1])
            ]
            for row, parts in rows.items():
                solver.Add(solver.Sum(parts) == int(block.quantity[row]))
            if block.whole[order]:
                unserved = solver.BoolVar("")
                for row in rows:
                    solver.Add(missing[row] == int(block.quantity[row]) * unserved)
            self._limit_nodes(uses)
            self.uses += uses

    def _add_candidate(self, candidate: int, first_line: int, rows: dict[int, list[Any]]) -> Any:
        block, solver = self.problem.block, self.solver
        use, node = solver.BoolVar(""), int(block.node[candidate])
        self._cost(use, block.fixed_minor[candidate])
        self._work(node, use, 0)
        weight: list[Any] = []
        groups: dict[int, Any] = {}
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
            row, cell = first_line + int(block.line[entry]), int(block.cell[entry])
            most = min(int(block.quantity[row]), int(self.problem.stock.available[cell]))
            units = solver.IntVar(0, most, "")
            self._cost(units, block.unit_minor[entry])
            solver.Add(units <= most * use)
            if (leader := int(block.group[row])) >= 0:
                served = groups.setdefault(leader, solver.BoolVar(""))
                solver.Add(units == int(block.quantity[row]) * served)
            self._work(node, units, 2)
            if block.work[node, 1]:
                touched = solver.BoolVar("")
                solver.Add(units <= most * touched)
                self._work(node, touched, 1)
            weight.append(int(block.weight_g[row]) * units)
            self.units.append(units)
            rows[row].append(units)
            self.of_cell.setdefault(cell, []).append(units)
        for leader, served in groups.items():
            if not self._serves_all(candidate, first_line, leader):
                solver.Add(served == 0)
        if block.tariff[candidate] >= 0:
            self._add_parcels(int(block.tariff[candidate]), use, solver.Sum(weight))
        return use

    def _serves_all(self, candidate: int, first_line: int, leader: int) -> bool:
        """Whether the candidate has an entry for each line of the group."""
        block = self.problem.block
        entries = slice(block.entry_ptr[candidate], block.entry_ptr[candidate + 1])
        own = block.group[first_line + block.line[entries]]
        order = int(np.searchsorted(block.line_ptr, first_line, side="right")) - 1
        wanted = block.group[first_line : block.line_ptr[order + 1]]
        return bool(np.count_nonzero(own == leader) == np.count_nonzero(wanted == leader))

    def _add_parcels(self, tariff: int, use: Any, weight: Any) -> None:
        """Full parcels of the heaviest band and one more of any band carry what is sent."""
        block, solver = self.problem.block, self.solver
        bands = range(block.band_ptr[tariff], block.band_ptr[tariff + 1])
        last = bands[-1]
        full = solver.IntVar(0, solver.infinity(), "")
        self._cost(full, block.band_minor[last])
        rest = [solver.BoolVar("") for _ in bands]
        for one, band in zip(rest, bands, strict=True):
            self._cost(one, block.band_minor[band])
        solver.Add(solver.Sum(rest) == use)
        carried = [int(block.band_up_to_g[band]) * one for one, band in zip(rest, bands, strict=True)]
        solver.Add(weight <= int(block.band_up_to_g[last]) * full + solver.Sum(carried))

    def _work(self, node: int, what: Any, kind: int) -> None:
        """Note the work of an order (kind 0), a line (1) or a unit (2) at the node."""
        if pieces := int(self.problem.block.work[node, kind]):
            self.of_node.setdefault(node, []).append(pieces * what)

    def _limit_nodes(self, uses: list[Any]) -> None:
        """The price of the nodes beyond the first, and the limit of nodes an order may use."""
        policy, solver = self.problem.policy, self.solver
        if policy.max_nodes is not None and len(uses) > policy.max_nodes:
            solver.Add(solver.Sum(uses) <= policy.max_nodes)
        if len(uses) > 1 and policy.per_extra_node_minor:
            extra = solver.NumVar(0, len(uses) - 1, "")
            self._cost(extra, policy.per_extra_node_minor)
            solver.Add(extra >= solver.Sum(uses) - 1)

    def add_limits(self) -> None:
        """No cell gives more than it has, no node takes more orders than it can."""
        for cell, parts in self.of_cell.items():
            self.solver.Add(self.solver.Sum(parts) <= int(self.problem.stock.available[cell]))
        for node, parts in self.of_node.items():
            if self.problem.capacity[node] < UNLIMITED:
                self.solver.Add(self.solver.Sum(parts) <= int(self.problem.capacity[node]))

    def solve(self, search_nodes: int) -> Plan:
        """Start from the greedy plan and search; read the plan and the bound."""
        from ortools.linear_solver import pywraplp

        start = solve_greedy(self.problem).taken
        self.solver.SetHint(self.units, [float(units) for units in start])
        self.solver.SetSolverSpecificParametersAsString(f"limits/totalnodes = {search_nodes}\nlimits/gap = 0\n")
        outcome = self.solver.Solve()
        if outcome not in (pywraplp.Solver.OPTIMAL, pywraplp.Solver.FEASIBLE):
            raise InvalidInput("the solver found no plan within its search; raise `search_nodes` or use solve_greedy")
        optimal = outcome == pywraplp.Solver.OPTIMAL
        return Plan(
            self.problem,
            np.array([round(one.solution_value()) for one in self.units], dtype=np.int32),
            ("milp",) * self.problem.orders,
            solver="exact",
            status="optimal" if optimal else "feasible",
            lower_bound_minor=math.ceil(self.solver.Objective().BestBound() - SLACK_MINOR),
        )

    def _cost(self, variable: Any, price_minor: int) -> None:
        self.solver.Objective().SetCoefficient(variable, float(price_minor))
