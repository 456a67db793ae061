"""The policy names the solver, and how much it may do."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from omo_core.allocation import Plan, SourcingPolicy, WorkBudget, solve, solving
from omo_core.allocation.solving import solve_jointly
from omo_core.allocation.work_budget import NAMED, work_of
from omo_core.model.errors import InvalidInput
from tests.allocation.cases import random_case


def solved(**choice: Any) -> Plan:
    return solve(random_case(5, policy={"solver": choice or None}).problem())


def test_greedy_unless_the_policy_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert solved().solver == "greedy"
    assert solved(method="greedy").solver == "greedy"
    exact = solved(method="exact")
    assert exact.status == "optimal"
    assert exact.cost_minor <= solved().cost_minor
    monkeypatch.setattr(solving, "MAX_ENTRIES", exact.problem.block.line.size)
    assert solved(method="exact").solver == "exact"
    monkeypatch.setattr(solving, "MAX_ENTRIES", exact.problem.block.line.size - 1)
    assert solved(method="exact").solver == "greedy", "too large to prove"


def test_the_wave_solver_works_as_much_as_the_policy_allows() -> None:
    brief = solved(method="wave", work="brief")
    assert brief.solver == "wave"
    assert brief.lower_bound_minor is not None
    assert brief.lower_bound_minor <= brief.cost_minor <= solved().cost_minor
    steps = brief.problem.policy.solver
    assert steps is not None
    assert steps.work == WorkBudget.brief()
    same = solved(method="wave", work=json.loads(steps.work.model_dump_json()))
    assert np.array_equal(brief.taken, same.taken)
    assert brief.lower_bound_minor == same.lower_bound_minor
    assert solve_jointly(random_case(5).problem()).solver == "wave", "whichever solver the policy names"


def test_a_policy_keeps_the_steps_of_a_named_budget() -> None:
    policy = SourcingPolicy.parse("solver: {method: wave, work: quick}")
    document = json.loads(policy.canonical_json())
    assert document["solver"]["work"]["iterations"] == WorkBudget.quick().iterations
    assert SourcingPolicy.load(document) == policy
    mixed = SourcingPolicy.parse('{"solver": {"method": "wave", "work": {"iterations": 7}}}', "json")
    assert mixed.solver is not None
    assert mixed.solver.work == WorkBudget(iterations=7)


@pytest.mark.parametrize("name", NAMED)
def test_every_named_budget_is_one(name: str) -> None:
    assert isinstance(work_of(name), WorkBudget)


def test_an_unknown_budget_is_refused_with_the_names() -> None:
    with pytest.raises(InvalidInput, match="there is no work named 'endless'; use one of brief, quick, standard"):
        SourcingPolicy.parse("solver: {method: wave, work: endless}")
