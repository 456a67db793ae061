"""The router decides as the greedy solver does, pays prices, takes and gives back, and refuses what does not fit."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from omo_core.allocation import SourcingPolicy, solve_greedy
from omo_core.allocation.arrays import Ints
from omo_core.allocation.futures import Futures, sampled_orders
from omo_core.allocation.packing_kernels import pack_order, packed_size
from omo_core.allocation.prices import PRICE_PER_MINOR, Prices
from omo_core.allocation.repricing import Repricer
from omo_core.allocation.router import Router
from omo_core.allocation.router_kernels import route_order, work_size
from omo_core.model.errors import InvalidInput
from tests import naive_router
from tests.allocation.cases import Case, network, order, random_case, store

Columns = tuple[Ints, Ints, Ints, Ints, Ints, Ints, Ints, Ints]
"""What `pack_order` takes of a block, and where its entries stand in the stock."""


def router_of(case: Case, prices: Prices | None = None) -> Router:
    return Router.of(case.network, case.stock, case.policy, case.capacity, prices=prices)


def everywhere(case: Case) -> Case:
    return case.but(policy=case.policy.model_copy(update={"candidates": len(case.network.nodes)}))


def two_stores(units: int = 2) -> Case:
    """A near store and a far one, both with some units of K; the order's city is the near store's."""
    return Case(
        network(store("NEAR"), store("FAR", 41.0)),
        (order("A", ("K", 1)),),
        (("K", "NEAR", units), ("K", "FAR", units)),
        SourcingPolicy(),
    )


@pytest.mark.parametrize("seed", range(30))
def test_without_prices_orders_in_turn_are_the_greedy_plan(seed: int) -> None:
    lines = {0: 12, 1: 3}.get(seed % 4, 5)
    case = everywhere(random_case(seed, most_lines=lines, policy={"max_exact_lines": 4 if seed % 3 else 8}))
    router = router_of(case)
    for demand, expected in zip(case.demands, solve_greedy(case.problem()).orders, strict=True):
        found = router.decide(demand)
        assert found.assignments == expected.assignments
        assert found.cost_by_term == expected.cost_by_term
        assert found.method == expected.method
        assert [(one.line, one.missing) for one in found.shortfalls] == [
            (one.line, one.missing) for one in expected.shortfalls
        ]


@pytest.mark.parametrize("seed", range(30))
def test_the_kernel_and_its_twin_decide_alike(seed: int) -> None:
    case = random_case(seed, nodes=6, most_lines=4, policy={"max_exact_lines": 4})
    router = router_of(case)
    dice = np.random.default_rng(seed)
    stock, capacity = router.left()
    prices = [dice.integers(0, 60_000, size) * (seed % 2) for size in (stock.size, capacity.size)]
    warm = warm_of((stock, prices[0], capacity, prices[1]), 6_400, 2 if seed % 3 == 0 else 1 << 40, 4)
    work, twin_warm = np.zeros(work_size(4), dtype=np.int64), warm.copy()
    for demand in case.demands:
        packed = router.encode(demand).packed
        if packed.size:
            decided_alike(packed, warm, twin_warm, work)


def warm_of(held: Sequence[Ints], *limits: int) -> Ints:
    """Units and price of each cell, places and price of each node; price of a split, most nodes, most lines."""
    return np.concatenate([[held[0].size, held[2].size, *limits], *held]).astype(np.int64)


def decided_alike(packed: Ints, warm: Ints, twin_warm: Ints, work: Ints) -> int:
    """Both kernels decide, take the same, and say so alike; returns the cost."""
    twin_work, lines = np.zeros_like(work), packed[0]
    cost = route_order(packed, warm, work)
    assert cost == naive_router.route_order(packed, twin_warm, twin_work)
    assert work[:lines].tolist() == twin_work[:lines].tolist()
    assert np.array_equal(warm, twin_warm)
    return int(cost)


@pytest.mark.parametrize("seed", range(20))
def test_among_many_ways_of_equal_cost_the_kernel_takes_the_twins(seed: int) -> None:
    """Money in such small numbers that most ways cost as much as another, and prices that may be zero."""
    dice, work = np.random.default_rng(seed), np.zeros(work_size(5), dtype=np.int64)
    served = 0
    for turn in range(60):
        columns = tied_block(dice, lines=int(dice.integers(1, 6)), candidates=int(dice.integers(0, 12)))
        packed, twin_packed = (np.zeros(packed_size(5, 12, 60), dtype=np.int64) for _ in range(2))
        size = pack_order(*columns, 2, packed)
        assert size == naive_router.pack_order(*columns, 2, twin_packed)
        assert packed.tolist() == twin_packed.tolist()
        cells, nodes = int(columns[6].max(initial=0)) + 1, 12
        stock, cell_price = dice.integers(0, 4, cells), dice.integers(0, 3, cells) * (turn % 2)
        capacity, node_price = dice.integers(0, 4, nodes), dice.integers(0, 3, nodes) * (turn % 2)
        limits = int(dice.integers(0, 12) * (turn % 3 > 0)), int(dice.choice([1, 2, 1 << 40])), 5
        warm = warm_of((stock, cell_price, capacity, node_price), *limits)
        served += decided_alike(packed[:size], warm, warm.copy(), work) >= 0 and bool((work[: packed[0]] >= 0).any())
    assert served > 20


@pytest.mark.parametrize(("split", "both_minor"), [(0, 4), (10, 6), (10, 14)])
def test_a_node_for_both_lines_wins_up_to_what_two_nodes_and_their_split_cost(split: int, both_minor: int) -> None:
    """The two ship for 2 each; of equal costs that of one node is taken."""
    quantity, unserved, node, fixed = np.array([1, 1]), np.array([50, 50]), np.arange(3), np.array([2, 2, both_minor])
    entry_ptr, line, cell = np.array([0, 1, 2, 4]), np.array([0, 1, 0, 1]), np.arange(4)
    columns = quantity, unserved, node, fixed, entry_ptr, line, cell, cell * 0
    packed = np.zeros(packed_size(2, 3, 4), dtype=np.int64)
    size = pack_order(*columns, 1, packed)
    ones, none = np.ones(4, dtype=np.int64), np.zeros(4, dtype=np.int64)
    warm, work = warm_of((ones, none, ones[:3], none[:3]), split, 1 << 40, 2), np.zeros(work_size(2), dtype=np.int64)
    assert decided_alike(packed[:size], warm, warm.copy(), work) == both_minor
    assert work[:2].tolist() == [2, 3]


def tied_block(dice: np.random.Generator, *, lines: int, candidates: int) -> Columns:
    """The columns of a block of one order, as `pack_order` takes them; each entry has a cell of its own.

    In every other the candidates with several lines are the dearest, so that they are worth it for the split saved.
    """
    shares = dice.choice([0.0, 0.3, 0.9], candidates)
    shares = np.sort(shares) if dice.random() < 0.5 else shares
    held = [np.flatnonzero(dice.random(lines) < share) for share in shares]
    held = [one if one.size else np.array([int(dice.integers(lines))]) for one in held]
    entry_ptr = np.concatenate([[0], np.cumsum([one.size for one in held])]).astype(np.int64)
    entries = int(entry_ptr[-1])
    return (
        dice.integers(1, 3, lines),
        dice.integers(0, 20, lines),
        dice.permutation(12)[:candidates],
        np.sort(dice.integers(0, dice.integers(2, 10), candidates)),
        entry_ptr,
        np.concatenate([np.zeros(0, dtype=np.int64), *held]),
        dice.permutation(entries),
        dice.integers(0, 3, entries),
    )


@pytest.mark.parametrize("seed", range(10))
def test_an_order_is_written_down_as_the_twin_does(seed: int) -> None:
    case = random_case(seed, nodes=9, most_lines=6)
    router = router_of(case)
    for encoded in map(router.encode, case.demands):
        block, twin = encoded.problem.block, np.zeros(1_000, dtype=np.int64)
        columns = block.quantity, block.unserved_minor, block.node, block.fixed_minor, block.entry_ptr, block.line
        every: Columns = (*columns, encoded.cell[block.cell], block.unit_minor)
        size = naive_router.pack_order(*every, PRICE_PER_MINOR, twin)
        assert encoded.packed.tolist() == twin[:size].tolist()


@pytest.mark.parametrize("seed", range(10))
def test_an_encoded_order_is_a_problem_as_any_other(seed: int) -> None:
    """Built without what only waves need, it has the block of a problem built from its rows."""
    missing = {"missing_data": {"weight_g": 300}} if seed % 2 else {}
    case = everywhere(random_case(seed, nodes=9, most_lines=6, policy=missing))
    router = router_of(case)
    for demand in case.demands:
        wanted = {line.sku for line in demand.lines}
        rows = tuple((sku, node, 1) for sku, node, units in case.stock if sku in wanted and units)
        whole = case.but(demands=(demand,), stock=rows, capacity=None).problem()
        encoded = router.encode(demand).problem
        assert [one.tolist() for one in encoded.block] == [one.tolist() for one in whole.block]
        assert encoded.distance_m.tolist() == whole.distance_m.tolist()
        assert (encoded.stock.sku, encoded.complete.tolist()) == (list(whole.stock.sku), whole.complete.tolist())
        assert encoded.excluded_pairs == whole.excluded_pairs


@pytest.mark.parametrize("tens", range(3))
def test_orders_that_came_together_are_decided_as_one_after_the_other(tens: int) -> None:
    assert sum(orders_served_as_one_by_one(seed) for seed in range(10 * tens, 10 * tens + 10)) > 10


def orders_served_as_one_by_one(seed: int) -> int:
    """The twin asks one by one, with the plain kernel, and gives back what it could not fill."""
    lines = {0: 12, 1: 3}.get(seed % 4, 5)
    case = random_case(seed, most_lines=lines, policy={"max_exact_lines": 4 if seed % 3 else 8})
    problem = case.problem().with_all_candidates()
    wanted = set(problem.stock.sku)
    twin = router_of(case.but(stock=tuple(row for row in case.stock if row[0] in wanted)))
    dice = np.random.default_rng(seed)
    prices = Prices(*(dice.integers(0, 60_000, left.size) * (seed % 2) for left in twin.left()))
    twin.pay(prices)
    router = Router(problem, prices)
    plan = router.decide_in_turn(problem)
    block, served = problem.block, 0
    for row, demand in enumerate(case.demands):
        encoded = twin.encode(demand)
        routed = twin.decide_encoded(encoded)
        if -1 in routed.cells:
            twin.restore(routed)
            routed = routed._replace(cells=(), units=())
        own = slice(*block.entry_ptr[block.candidate_ptr[row : row + 2]].tolist())
        at = own.start + np.flatnonzero(plan.taken[own])
        expected = sorted(zip(routed.cells, routed.units, strict=True))
        assert sorted(zip(block.cell[at].tolist(), plan.taken[at].tolist(), strict=True)) == expected
        assert plan.methods[row] == routed.method
        served += bool(expected)
    assert [left.tolist() for left in router.left()] == [left.tolist() for left in twin.left()]
    assert (plan.solver, router.decided) == ("router", problem.orders)
    assert plan.violations() == []
    return served


def test_orders_over_other_stock_are_refused() -> None:
    case = two_stores()
    with pytest.raises(InvalidInput, match="over other stock than the router's"):
        router_of(case).decide_in_turn(case.but(stock=case.stock[:1]).problem())


def test_a_price_sends_the_order_elsewhere_and_restore_undoes_it() -> None:
    case = two_stores()
    router = router_of(case)
    before = router.left()
    encoded = router.encode(case.demands[0])
    near = router.decide_encoded(encoded)
    assert router.index.nodes[router.stock.node[near.cells[0]]].node == "NEAR"
    router.restore(near)
    assert [left.tolist() for left in router.left()] == [left.tolist() for left in before]

    dear = np.where(np.arange(2) == near.cells[0], 64 * 10_000, 0)
    router.pay(Prices(dear, np.zeros(2, dtype=np.int64)))
    far = router.decide_encoded(encoded)
    assert router.index.nodes[router.stock.node[far.cells[0]]].node == "FAR"
    assert router.decided == 2


def test_stock_moves_by_other_ways_too() -> None:
    router = router_of(two_stores(units=1))
    router.take("NEAR", "K", 1)
    assert [one.node for one in router.decide(order("A", ("K", 1))).assignments] == ["FAR"]
    assert router.decide(order("B", ("K", 1))).shortfalls
    router.take("NEAR", "K", -1)
    assert [one.node for one in router.decide(order("C", ("K", 1))).assignments] == ["NEAR"]
    with pytest.raises(InvalidInput, match="has 0 units"):
        router.take("NEAR", "K", 1)
    with pytest.raises(InvalidInput, match="holds no stock"):
        router.take("NEAR", "OTHER", 1)


def test_an_item_nobody_has_is_a_shortfall() -> None:
    plan = router_of(two_stores()).decide(order("A", ("K", 1), ("UNKNOWN", 2)))
    assert [one.node for one in plan.assignments] == ["NEAR"]
    assert [(one.sku, one.missing) for one in plan.shortfalls] == [("UNKNOWN", 2)]


def test_prices_of_other_stock_or_below_zero_are_refused() -> None:
    router = router_of(two_stores())
    with pytest.raises(InvalidInput, match="other stock"):
        router.pay(Prices(np.zeros(3, dtype=np.int64), np.zeros(2, dtype=np.int64)))
    with pytest.raises(InvalidInput, match="negative"):
        router.pay(Prices(np.array([0, -1]), np.zeros(2, dtype=np.int64)))


def history() -> Case:
    """Ten orders for the one unit at NEAR, of buyers who live there and of one for whom FAR is as good."""
    return two_stores(1).but(demands=tuple(order(f"H{i}", ("K", 1)) for i in range(10)))


def test_prices_of_futures_are_the_same_by_hand_and_in_the_background() -> None:
    case = history()
    futures = [Futures.of(case.problem(), 3, np.random.default_rng(5)) for _ in range(2)]
    by_hand, behind = router_of(case), router_of(case)
    assert by_hand.reprice(futures[0], 0.0).cell.min() > 0, "ten orders want two units"
    with Repricer(behind, futures[1], expected=10, every=2):
        for _ in range(400):
            if behind.prices.cell.any():
                break
            time.sleep(0.01)
    assert [one.tolist() for one in behind.prices] == [one.tolist() for one in by_hand.prices]


def test_the_repricer_steps_when_enough_orders_came() -> None:
    case = history()
    router = router_of(case)
    repricer = Repricer(router, Futures([case.problem()]), expected=3, every=2)
    steps = []
    for _ in range(4):
        steps.append(repricer.step())
        router.decide_encoded(router.encode(case.demands[0]))
    assert steps == [True, False, True, False]
    with pytest.raises(InvalidInput, match="at least 1"):
        Repricer(router, Futures([case.problem()]), expected=0, every=2)


def test_what_stopped_the_thread_is_raised() -> None:
    case = history()
    repricer = Repricer(router_of(case.but(stock=case.stock[:1])), Futures([case.problem()]), expected=9, every=1)
    with pytest.raises(InvalidInput, match="other cells"), repricer:
        repricer.wait_until_stopped(seconds=30)


def test_futures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no future"):
        Futures([])
    with pytest.raises(InvalidInput, match="different stock"):
        Futures([two_stores().problem(), history().but(stock=(("K", "FAR", 1),)).problem()])
    with pytest.raises(InvalidInput, match="have passed"):
        Futures([history().problem()]).prices(1.0, np.ones(2, dtype=np.int64), np.ones(2, dtype=np.int64))


def test_sampled_orders_keep_sizes_and_name_items_once() -> None:
    columns = random_case(3, orders=60, most_lines=4).problem().columns
    drawn = sampled_orders(columns, np.random.default_rng(1))
    sizes, before = np.diff(drawn.line_ptr), np.diff(columns.line_ptr)
    assert sizes.size == 60
    assert (sizes >= 1).all()
    assert (sizes <= before).all()
    for first, stop in zip(drawn.line_ptr, drawn.line_ptr[1:], strict=False):
        assert np.unique(drawn.sku[first:stop]).size == stop - first
    again = sampled_orders(columns, np.random.default_rng(1))
    assert np.array_equal(drawn.sku, again.sku)
    assert np.array_equal(drawn.xyz, again.xyz)
