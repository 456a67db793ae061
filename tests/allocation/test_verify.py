"""The verifier agrees with sound plans and finds every kind of corruption."""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import Plan, SourcingPolicy, solve_exact, solve_greedy, verify, verify_plan
from omo_core.model.network import DeliveryMethod
from tests.allocation.cases import Case, network, order, random_case, store
from tests.effort import examples

Document = dict[str, Any]


def complaints(case: Case, document: Document) -> list[str]:
    return verify_plan(case.network, case.demands, case.stock, case.policy, document, case.capacity)


@given(seed=st.integers(0, 2**32), long=st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_sound_plans_pass(seed: int, long: bool) -> None:
    case = random_case(seed, most_lines=12 if long else 5, skus=12 if long else 6)
    plan = solve_greedy(case.problem())
    assert plan.violations() == []
    assert complaints(case, json.loads(json.dumps(plan.to_document()))) == []


@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(10), deadline=None)
def test_optimal_plans_pass(seed: int) -> None:
    case = random_case(seed)
    plan = solve_exact(case.problem())
    assert plan.violations() == []
    assert complaints(case, plan.to_document()) == []


def imports_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return imported | {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}


def test_the_verifier_shares_the_question_with_the_solvers_and_nothing_else() -> None:
    """What was asked and the policy, both plain data; no arrays, and no code that decides."""
    files = sorted(Path(verify.__file__).parent.glob("verify*.py"))
    assert len(files) == 4
    imported = set[str]().union(*map(imports_of, files))
    assert not {name for name in imported if name.split(".")[0] in {"numpy", "numba", "ortools"}}
    own = {name for name in imported if name.startswith("omo_core.allocation") and ".verify_" not in name}
    assert own == {f"omo_core.allocation.{name}" for name in ("demand", "policy", "policy_filters", "policy_parts")}


@pytest.fixture
def case() -> Case:
    nodes = network(store("A"), store("B", 40.5), store("C", 45.0, methods=(DeliveryMethod.PICKUP,)))
    demands = (
        order("one", ("X", 2), ("Y", 1)),
        order("two", ("X", 1), excluded_nodes=frozenset({"A"})),
        order("gone", ("Z", 3)),
    )
    stock = (("X", "A", 2), ("X", "B", 2), ("Y", "A", 5), ("Y", "B", 5), ("X", "C", 9))
    return Case(nodes, demands, stock, SourcingPolicy(max_nodes=1), {"A": 1, "B": 1})


@pytest.fixture
def document(case: Case) -> Document:
    plan = solve_greedy(case.problem())
    assert [one.nodes for one in plan.orders] == [("A",), ("B",), ()]
    return copy.deepcopy(plan.to_document())


def first(document: Document, row: int = 0) -> Document:
    part: Document = json.loads(json.dumps(document["orders"][row]["assignments"]))[0]
    return part


def move(document: Document, row: int, node: str) -> None:
    changed = [{**part, "node": node} for part in document["orders"][row]["assignments"]]
    document["orders"][row]["assignments"] = changed


def add_node(document: Document) -> None:
    document["orders"][0]["assignments"] = [*document["orders"][0]["assignments"][:1]]
    document["orders"][0]["assignments"].append(
        {**first(document, 0), "line": "2", "sku": "Y", "node": "B", "quantity": 1}
    )


def drop_unit(document: Document) -> None:
    document["orders"][0]["assignments"] = document["orders"][0]["assignments"][1:]


def take_back(document: Document) -> None:
    document["orders"][0]["assignments"] = [*document["orders"][0]["assignments"], {**first(document), "quantity": -1}]


def cheaper(document: Document) -> None:
    document["cost_minor"] -= 1


def hide_term(document: Document) -> None:
    document["orders"][0]["cost_by_term"]["handling"] -= 1


def shift_share(document: Document) -> None:
    document["orders"][0]["assignments"] = [
        {**first(document), "cost_minor": 0},
        *document["orders"][0]["assignments"][1:],
    ]


def lose_order(document: Document) -> None:
    document["orders"] = document["orders"][1:]


def invent_shortfall(document: Document) -> None:
    document["orders"][2]["shortfalls"] = [{**document["orders"][2]["shortfalls"][0], "missing": 0}]


CORRUPTIONS: list[tuple[Callable[[Document], None], str]] = [
    (lambda document: move(document, 0, "B"), "B serves 2 orders but can take 1"),
    (lambda document: move(document, 0, "B"), "X at B is oversold by 1 units"),
    (lambda document: move(document, 1, "A"), "order two uses A, which was excluded for this order"),
    (lambda document: move(document, 0, "C"), "order one uses C, which does not offer this method"),
    (lambda document: move(document, 0, "D"), "order one uses D, which the network does not have"),
    (add_node, "order one uses 2 nodes; 1 are allowed"),
    (drop_unit, "order one: served and missing units do not add up to what its lines want"),
    (take_back, "order one assigns -1 units of line 1"),
    (cheaper, "the plan's cost is"),
    (hide_term, "order one: the cost by term is"),
    (shift_share, "order one: its assignments' costs do not add up"),
    (lose_order, "the plan's orders are not the orders asked for"),
    (invent_shortfall, "order gone lacks 0 units of line 1"),
    (lambda document: document["cost_by_term"].update(shipping=1), "the plan's cost by term is"),
    (lambda document: document.update(currency="EUR"), "the plan's currency is 'EUR', not 'USD'"),
    (lambda document: document.update(policy_digest="0"), "the plan's policy_digest is '0'"),
    (lambda document: document.update(lower_bound_minor=10**9), "the lower bound 1000000000 is above the cost"),
]


@pytest.mark.parametrize(("corrupt", "complaint"), CORRUPTIONS, ids=[complaint for _, complaint in CORRUPTIONS])
def test_corruptions_are_found(
    case: Case, document: Document, corrupt: Callable[[Document], None], complaint: str
) -> None:
    assert complaints(case, document) == []
    corrupt(document)
    assert [one for one in complaints(case, document) if one.startswith(complaint)]


def corrupted(plan: Plan, **changes: Any) -> list[str]:
    fields = {name: getattr(plan, name) for name in ("problem", "taken", "methods", "solver", "status")}
    return Plan(**{**fields, **changes}).violations()


def test_a_plan_finds_its_own_corruptions(case: Case) -> None:
    plan = solve_greedy(case.problem())
    assert plan.violations() == []
    doubled = plan.taken * 2
    assert {"order one gets 2 units too many of one SKU", "X at A is oversold by 2 units"} <= set(
        corrupted(plan, taken=doubled)
    )
    assert any("gives back" in one for one in corrupted(plan, taken=-plan.taken))
    everywhere = corrupted(plan, taken=plan.taken * 0 + 1)
    assert "order one uses 2 nodes; 1 are allowed" in everywhere
    assert "B serves 2 orders but can take 1" in everywhere
    assert any("lower bound" in one for one in corrupted(plan, lower_bound_minor=10**9))
    banned = case.but(demands=(order("one", ("X", 2), ("Y", 1)), order("two", ("X", 1)), order("gone", ("Z", 3))))
    free = solve_greedy(banned.but(capacity=None).problem())
    strict = Plan(
        problem=type(free.problem)(**{**vars(free.problem), "rules": (NobodyMay(),)}),
        taken=free.taken,
        methods=free.methods,
        solver="greedy",
        status="heuristic",
    )
    assert "order one uses A, which is not allowed by anyone" in strict.violations()


class NobodyMay:
    name = "nobody"
    sentence = "is not allowed by anyone"

    def excludes(self, pairs: Any) -> Any:
        return (pairs.order + pairs.node) >= 0
