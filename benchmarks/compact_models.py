"""General solvers on the whole wave: OR-Tools SCIP, CP-SAT and PDLP on the compact model over every node."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from omo_core.allocation import AllocationProblem, Plan
from omo_core.allocation.problem import UNLIMITED

TIME_LIMIT_S: Final = 60.0
WORKERS: Final = 2


@dataclass(frozen=True)
class CompactRun:
    """What a solver came to within its limits; seconds are of solving alone, the model was built before."""

    solver: str
    status: str
    objective_minor: float | None
    """The best plan's cost; None where it found no plan. The LP's value for PDLP, which makes no plan."""
    bound_minor: float
    """No plan costs less, to the solver's tolerance."""
    seconds: float
    cpu_s: float
    entries: int
    plan: Plan | None = None
    """The plan that was found, for the checker."""

    @property
    def gap(self) -> float | None:
        """(objective − bound) / objective; None without a plan."""
        if self.objective_minor is None:
            return None
        return (self.objective_minor - self.bound_minor) / max(self.objective_minor, 1.0)


class Solve(Protocol):
    """What the solvers of this module have in common."""

    def __call__(self, problem: AllocationProblem, *, time_limit_s: float = TIME_LIMIT_S) -> CompactRun:
        """Solve the compact model of the problem over every node."""


def scip(problem: AllocationProblem, *, gap: float = 0.0, time_limit_s: float = TIME_LIMIT_S) -> CompactRun:
    """SCIP, one thread; it stops when its own gap is reached, so that `cpu_s` is its time to that gap.

    Its limit counts the processor's time, so that a busy machine does not stop it early.
    """
    parameters = f"limits/gap = {gap!r}\ntiming/clocktype = 1\n"
    return _solve_linear(problem, "SCIP", time_limit_s, parameters, integer=True)


def pdlp(problem: AllocationProblem, *, time_limit_s: float = TIME_LIMIT_S) -> CompactRun:
    """The LP relaxation by the first-order method PDLP: a bound on every plan, no plan."""
    return _solve_linear(problem, "PDLP", time_limit_s, "", integer=False)


def cp_sat(problem: AllocationProblem, *, gap: float = 0.0, time_limit_s: float = TIME_LIMIT_S) -> CompactRun:
    """CP-SAT on `WORKERS` threads, until its gap or the time limit."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    problem = problem.with_all_candidates()
    made = _Compact(problem, _CpSatWords(model))
    made.build()
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = time_limit_s
    solver.parameters.num_workers = WORKERS
    solver.parameters.relative_gap_limit = gap
    start, cpu = time.perf_counter(), time.process_time()
    status = solver.Solve(model)
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return CompactRun(
        solver="CP-SAT",
        status=solver.StatusName(status).lower(),
        objective_minor=float(solver.ObjectiveValue()) if found else None,
        bound_minor=float(solver.BestObjectiveBound()),
        seconds=seconds,
        cpu_s=cpu_s,
        entries=len(made.units),
        plan=made.plan("CP-SAT", solver.Value, solver.BestObjectiveBound()) if found else None,
    )


def _solve_linear(
    problem: AllocationProblem, name: str, time_limit_s: float, parameters: str, *, integer: bool
) -> CompactRun:
    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver.CreateSolver(name)
    made = _Compact(problem.with_all_candidates(), _LinearWords(solver, integer))
    made.build()
    solver.SetTimeLimit(round(time_limit_s * 1000))
    if parameters and not solver.SetSolverSpecificParametersAsString(parameters):
        raise ValueError(f"{name} does not know the parameters {parameters!r}")
    start, cpu = time.perf_counter(), time.process_time()
    outcome = solver.Solve()
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    words = {pywraplp.Solver.OPTIMAL: "optimal", pywraplp.Solver.FEASIBLE: "feasible"}
    value = solver.Objective().Value() if outcome in words else None
    bound = solver.Objective().BestBound() if integer else value or 0.0
    return CompactRun(
        solver=name,
        status=words.get(outcome, "not solved"),
        objective_minor=value,
        bound_minor=float(bound),
        seconds=seconds,
        cpu_s=cpu_s,
        entries=len(made.units),
        plan=made.plan(name, lambda one: one.solution_value(), bound) if integer and value is not None else None,
    )


@dataclass
class _LinearWords:
    """The model in the words of OR-Tools' linear solvers."""

    solver: Any
    integer: bool

    def variable(self, most: int, cost_minor: int) -> Any:
        make = self.solver.IntVar if self.integer else self.solver.NumVar
        one = make(0, most, "")
        self.solver.Objective().SetCoefficient(one, cost_minor)
        return one

    def equal(self, parts: list[Any], amount: int) -> None:
        self._row(parts, amount, amount)

    def at_most(self, parts: list[Any], amount: int) -> None:
        self._row(parts, -self.solver.infinity(), amount)

    def linked(self, units: Any, most: int, use: Any) -> None:
        row = self.solver.Constraint(-self.solver.infinity(), 0)
        row.SetCoefficient(units, 1)
        row.SetCoefficient(use, -most)

    def beyond_first(self, uses: list[Any], extra: Any) -> None:
        row = self.solver.Constraint(-self.solver.infinity(), 1)
        for use in uses:
            row.SetCoefficient(use, 1)
        row.SetCoefficient(extra, -1)

    def finish(self) -> None:
        """The objective was given with the variables."""
        self.solver.Objective().SetMinimization()

    def _row(self, parts: list[Any], least: float, most: float) -> None:
        row = self.solver.Constraint(least, most)
        for one in parts:
            row.SetCoefficient(one, 1)


@dataclass
class _CpSatWords:
    """The model in the words of CP-SAT."""

    model: Any
    costs: list[tuple[Any, int]] = field(default_factory=list)

    def variable(self, most: int, cost_minor: int) -> Any:
        one = self.model.NewIntVar(0, most, "")
        self.costs.append((one, cost_minor))
        return one

    def equal(self, parts: list[Any], amount: int) -> None:
        self.model.Add(sum(parts) == amount)

    def at_most(self, parts: list[Any], amount: int) -> None:
        self.model.Add(sum(parts) <= amount)

    def linked(self, units: Any, most: int, use: Any) -> None:
        self.model.Add(units <= most * use)

    def beyond_first(self, uses: list[Any], extra: Any) -> None:
        self.model.Add(extra >= sum(uses) - 1)

    def finish(self) -> None:
        variables, costs = zip(*self.costs, strict=True)
        from ortools.sat.python import cp_model

        self.model.Minimize(cp_model.LinearExpr.WeightedSum(variables, costs))


@dataclass
class _Compact:
    """Units from each entry, a node is used or not, units not served: the model of the allocator's problem."""

    problem: AllocationProblem
    words: Any
    of_cell: dict[int, list[Any]] = field(default_factory=dict)
    of_node: dict[int, list[Any]] = field(default_factory=dict)
    units: list[Any] = field(default_factory=list)
    """One for each of the block's entries, in their order."""

    def plan(self, solver: str, value: Callable[[Any], float], bound: float) -> Plan:
        """What the solver found, as a plan."""
        taken = np.array([round(value(one)) for one in self.units], dtype=np.int32)
        methods = ("milp",) * self.problem.orders
        return Plan(self.problem, taken, methods, solver, "feasible", math.floor(bound))

    def build(self) -> None:
        """Say all of it; limits that cannot bind are left out."""
        problem = self.problem
        stock, capacity = problem.stock.available.tolist(), problem.capacity.tolist()
        for order in range(problem.orders):
            self._order(order, stock)
        for cell, parts in self.of_cell.items():
            self.words.at_most(parts, stock[cell])
        for node, uses in self.of_node.items():
            if capacity[node] < min(len(uses), UNLIMITED):
                self.words.at_most(uses, capacity[node])
        self.words.finish()

    def _order(self, order: int, stock: list[int]) -> None:
        block, policy = self.problem.block, self.problem.policy
        first_line, last_line = int(block.line_ptr[order]), int(block.line_ptr[order + 1])
        wanted = block.quantity[first_line:last_line].tolist()
        prices = block.unserved_minor[first_line:last_line].tolist()
        rows = [[self.words.variable(most, price)] for most, price in zip(wanted, prices, strict=True)]
        uses = []
        for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1]):
            use = self.words.variable(1, int(block.fixed_minor[candidate]))
            uses.append(use)
            self.of_node.setdefault(int(block.node[candidate]), []).append(use)
            for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
                line, cell = int(block.line[entry]), int(block.cell[entry])
                most = min(wanted[line], stock[cell])
                units = self.words.variable(most, int(block.unit_minor[entry]))
                self.words.linked(units, most, use)
                rows[line].append(units)
                self.units.append(units)
                self.of_cell.setdefault(cell, []).append(units)
        for parts, amount in zip(rows, wanted, strict=True):
            self.words.equal(parts, amount)
        if policy.max_nodes is not None and len(uses) > policy.max_nodes:
            self.words.at_most(uses, policy.max_nodes)
        if policy.per_extra_node_minor and len(uses) > 1:
            self.words.beyond_first(uses, self.words.variable(len(uses) - 1, policy.per_extra_node_minor))
