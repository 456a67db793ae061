"""Cost terms: exact integers, each worked out by hand once, with room for a host's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation import AllocationProblem, PairPrice, SourcingPolicy, default_terms, solve_greedy
from omo_core.allocation.pairs import Pairs
from omo_core.model.errors import InvalidInput
from omo_core.model.items import Item
from omo_core.model.network import DeliveryMethod, NodeKind
from tests.allocation.cases import Case, network, order, random_case, store
from tests.effort import examples

FAR = store("FAR", 50.0)
"""Ten degrees of latitude: 1,111.950 km (R = 6,371.0088 km), three begun days of 450 km."""
FAR_M = 1_111_951


def terms_of(case: Case) -> dict[str, int]:
    plan = solve_greedy(case.problem())
    assert plan.violations() == []
    return plan.orders[0].cost_by_term


def test_a_parcel_from_afar() -> None:
    case = Case(network(FAR), (order("o", ("A", 2)),), (("A", "FAR", 2),), SourcingPolicy())
    assert case.problem().distance_m.tolist() == [FAR_M]
    assert terms_of(case) == {
        "shipping": 460,
        "distance": 500 + 2 * 67,  # 450 and 60 for each 1,000 km, rounded once for the shipment and for each unit
        "handling": 2 * 150,
        "lateness": 250,
    }


def test_weight_pays_by_the_kilometre() -> None:
    policy = SourcingPolicy(kg_per_1000_km_minor=100, unit_per_1000_km_minor=0)
    case = Case(network(FAR, items=(Item(sku="A", weight_g=1500),)), (order("o", ("A", 1), ("B", 1)),), (), policy)
    case = case.but(stock=(("A", "FAR", 1), ("B", "FAR", 1)))
    assert terms_of(case)["distance"] == 500 + 167


def test_one_hour_costs_more_and_is_never_late() -> None:
    case = Case(
        network(store("N")), (order("o", ("A", 1), method=DeliveryMethod.ONE_HOUR),), (("A", "N", 1),), SourcingPolicy()
    )
    assert terms_of(case) == {"shipping": 460, "handling": 150, "one_hour": 150}


def test_kinds_have_their_own_prices() -> None:
    hub = store("HUB", kind=NodeKind.CENTRAL_WAREHOUSE)
    assert terms_of(Case(network(hub), (order("o", ("A", 1)),), (("A", "HUB", 1),), SourcingPolicy())) == {
        "shipping": 400,
        "handling": 60,
    }


def test_splits_and_unserved_units() -> None:
    case = Case(
        network(store("A"), store("B")),
        (order("o", ("X", 1), ("Y", 1), ("Z", 3)),),
        (("X", "A", 1), ("Y", "B", 1), ("Z", "B", 1)),
        SourcingPolicy(per_extra_node_minor=70, unserved_minor=9_000),
    )
    terms = terms_of(case)
    assert terms["split"] == 70
    assert terms["unserved"] == 2 * 9_000


def test_unserved_may_be_the_cheaper_choice() -> None:
    case = Case(network(FAR), (order("o", ("A", 1)),), (("A", "FAR", 1),), SourcingPolicy(unserved_minor=100))
    plan = solve_greedy(case.problem()).orders[0]
    assert plan.cost_by_term == {"unserved": 100}
    assert plan.shortfalls[0].code == "too_dear"


@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(40), deadline=None)
def test_terms_sum_exactly(seed: int) -> None:
    plan = solve_greedy(random_case(seed, most_lines=10).problem())
    orders = list(plan.orders)
    assert plan.cost_minor == sum(plan.cost_by_term.values()) == sum(one.cost_minor for one in orders)
    for name, amount in plan.cost_by_term.items():
        assert amount == sum(one.cost_by_term.get(name, 0) for one in orders)
    for one in orders:
        whole = one.cost_by_term.get("split", 0) + one.cost_by_term.get("unserved", 0)
        assert one.cost_minor == whole + sum(part.cost_minor for part in one.assignments)


@dataclass(frozen=True)
class Favourite:
    """A host's own term: a node that should get more work."""

    node: str
    discount_minor: int
    name: str = "favourite"

    def price(self, pairs: Pairs) -> PairPrice:
        return PairPrice(np.where(pairs.node == pairs.index.position[self.node], -self.discount_minor, 0))


def with_favourite(discount_minor: int) -> AllocationProblem:
    policy = SourcingPolicy()
    terms = [*default_terms(policy), Favourite("B", discount_minor)]
    nodes = network(store("A"), store("B", 40.5))
    return AllocationProblem.build(nodes, [order("o", ("X", 1))], [("X", "A", 1), ("X", "B", 1)], policy, terms=terms)


def test_a_host_adds_its_own_term() -> None:
    assert solve_greedy(with_favourite(0)).orders[0].nodes == ("A",)
    plan = solve_greedy(with_favourite(200)).orders[0]
    assert plan.nodes == ("B",)
    assert plan.cost_by_term["favourite"] == -200


def test_nobody_is_paid_for_using_a_node() -> None:
    with pytest.raises(InvalidInput, match="negative price of a shipment"):
        with_favourite(10_000)
