"""The policy names the solver, and how much it may do."""

from __future__ import annotations

from typing import Any

import pytest

from omo_core.allocation import Plan, solve, solving
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
