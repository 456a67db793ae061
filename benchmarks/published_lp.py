"""The deterministic linear programme of the published benchmark: the yardstick, the fractions to round, the prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ortools.linear_solver import pywraplp

from benchmarks.published_instances import Floats, Published


@dataclass(frozen=True)
class Fractions:
    """A solved programme."""

    value: float
    """Dollars over the whole horizon."""
    unit: tuple[Floats, ...]
    """For each type × cities + city, float64[centres + 1, items of the type]: the part each centre serves."""
    price: Floats
    """float64[centres, items]: dollars that one more unit would save."""


def solve(instance: Published) -> Fractions:
    """Minimise T · Σ share (fixed · y + unit · u) so that Σ u = 1 for each item, u ≤ y, and T · Σ share · u ≤ stock."""
    solver = pywraplp.Solver.CreateSolver("GLOP")
    options, cities = instance.fixed.shape
    centres, endless = options - 1, solver.infinity()
    objective = solver.Objective()
    holds = [
        [solver.Constraint(-endless, float(units)) if units else None for units in row]
        for row in instance.stock.tolist()
    ]
    parts = []
    for kind, items in enumerate(instance.items):
        for city in range(cities):
            orders = float(instance.horizon * instance.share[kind, city])
            served = {}
            for centre in range(options):
                here = [
                    place for place, item in enumerate(items) if centre == centres or holds[centre][item] is not None
                ]
                if not here:
                    continue
                opened = solver.NumVar(0, endless, "")
                objective.SetCoefficient(opened, orders * float(instance.fixed[centre, city]))
                for place in here:
                    part = solver.NumVar(0, endless, "")
                    objective.SetCoefficient(part, orders * float(instance.unit[centre, city]))
                    within = solver.Constraint(-endless, 0.0)
                    within.SetCoefficient(part, 1.0)
                    within.SetCoefficient(opened, -1.0)
                    if centre < centres and (row := holds[centre][items[place]]) is not None:
                        row.SetCoefficient(part, orders)
                    served[centre, place] = part
            for place in range(len(items)):
                whole = solver.Constraint(1.0, 1.0)
                for centre in range(options):
                    if (centre, place) in served:
                        whole.SetCoefficient(served[centre, place], 1.0)
            parts.append(served)
    objective.SetMinimization()
    if solver.Solve() != pywraplp.Solver.OPTIMAL:
        raise RuntimeError("the deterministic programme of the published benchmark was not solved to optimality")
    units = []
    for row, served in enumerate(parts):
        unit = np.zeros((options, len(instance.items[row // cities])))
        for (centre, place), part in served.items():
            unit[centre, place] = max(0.0, part.solution_value())
        units.append(unit)
    price = [[0.0 if one is None else max(0.0, -one.dual_value()) for one in row] for row in holds]
    return Fractions(objective.Value(), tuple(units), np.array(price))
