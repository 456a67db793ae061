"""Reassignment: cheaper, nothing dropped, no farther than allowed, and never away from what no entry stands for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from omo_core.allocation import AllocationProblem, solve_exact, solve_greedy
from omo_core.allocation.reassignment import Standing, reassign, standing_in
from omo_core.model.errors import InvalidInput
from tests.allocation.cases import Case, network, order, random_case, store


def units_of(problem: AllocationProblem, taken: NDArray[np.int32]) -> list[dict[tuple[str, str], int]]:
    """What each order takes, read entry by entry."""
    block = problem.block
    found: list[dict[tuple[str, str], int]] = []
    for row in range(problem.orders):
        own: dict[tuple[str, str], int] = {}
        for candidate in range(block.candidate_ptr[row], block.candidate_ptr[row + 1]):
            for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1]):
                if taken[entry]:
                    sku = problem.stock.sku[problem.columns.sku[block.line_ptr[row] + block.line[entry]]]
                    own[sku, problem.index.nodes[block.node[candidate]].node] = int(taken[entry])
        found.append(own)
    return found


def served(case: Case) -> tuple[Case, list[dict[tuple[str, str], int]]]:
    """The orders that first come, first served leaves nothing of unserved, and what they take."""
    plan = solve_greedy(case.problem())
    whole = [row for row in range(plan.problem.orders) if not plan.orders[row].shortfalls]
    units = units_of(plan.problem, plan.taken)
    return case.but(demands=tuple(case.demands[row] for row in whole)), [units[row] for row in whole]


@pytest.mark.parametrize("seed", range(12))
def test_a_standing_plan_gets_cheaper_and_loses_nothing(seed: int) -> None:
    case, units = served(random_case(seed, orders=12, limited=False))
    standing = standing_in(case.problem(), units)
    assert standing.movable.all()
    better = reassign(standing, steps=300, seed=seed)
    assert not better.after.accounts.missing.any()
    assert better.after.violations() == []
    best = solve_exact(case.problem())
    assert best.lower_bound_minor is not None
    assert best.lower_bound_minor <= better.after.cost_minor <= better.before.cost_minor
    assert better.saved_minor == better.before.cost_minor - better.after.cost_minor
    again = reassign(standing, steps=300, seed=seed, threads=1)
    assert np.array_equal(again.after.taken, better.after.taken)
    assert again.moved == better.moved


def ring() -> Case:
    """Two orders, each with the goods that the other one's single parcel needs."""
    far = store("FAR", latitude=40.5)
    stock = (("A", "NEAR", 1), ("B", "NEAR", 1), ("A", "FAR", 1), ("C", "FAR", 1))
    return random_case(0).but(
        network=network(store("NEAR"), far),
        demands=(order("1", ("A", 1), ("B", 1)), order("2", ("A", 1), ("C", 1))),
        stock=stock,
        capacity=None,
    )


def ring_standing(case: Case) -> Standing:
    units = [{("A", "FAR"): 1, ("B", "NEAR"): 1}, {("A", "NEAR"): 1, ("C", "FAR"): 1}]
    return standing_in(case.problem(), units)


def test_orders_exchange_what_each_needs() -> None:
    better = reassign(ring_standing(ring()))
    assert better.moved == (0, 1)
    assert [one.nodes for one in better.after.orders] == [("NEAR",), ("FAR",)]


def test_no_steps_change_nothing() -> None:
    better = reassign(ring_standing(ring()), steps=0)
    assert (better.moved, better.saved_minor, better.movable) == ((), 0, 2)


def test_parcels_travel_no_farther_than_allowed() -> None:
    case = ring().but(
        demands=(order("1", ("A", 1), ("B", 1)),),
        stock=(("A", "NEAR", 1), ("B", "CLOSE", 1), ("A", "FAR", 1), ("B", "FAR", 1)),
        network=network(store("NEAR"), store("CLOSE", latitude=40.01), store("FAR", latitude=40.5)),
    )
    standing = standing_in(case.problem(), [{("A", "NEAR"): 1, ("B", "CLOSE"): 1}])
    assert reassign(standing, growth_permille=50).moved == ()
    assert reassign(standing).moved == (0,)


def test_what_no_entry_stands_for_stays_and_keeps_its_goods() -> None:
    case = ring().but(demands=(order("1", ("A", 1)), order("2", ("A", 1), excluded_nodes=frozenset({"NEAR"}))))
    standing = standing_in(case.problem(), [{("A", "FAR"): 1}, {("A", "NEAR"): 1}])
    assert standing.movable.tolist() == [True, False]
    assert int(standing.fixed.sum()) == 1
    better = reassign(standing)
    assert (better.moved, better.movable) == ((), 1), "the near unit is taken"


def test_each_order_needs_its_standing_units() -> None:
    with pytest.raises(InvalidInput, match="1 standing assignments were given for 2 orders"):
        standing_in(ring().problem(), [{}])
