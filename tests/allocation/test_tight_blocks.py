"""Kernels against twins on made-up blocks whose prices are so close that every comparison matters."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from omo_core.allocation.block import Block
from omo_core.allocation.kernels import assign_in_turn, decide_order, scratch_for
from omo_core.allocation.long_orders import search_of
from omo_core.allocation.prices import Prices, priced
from omo_core.allocation.search_kernels import serve_long_order
from tests import naive
from tests.effort import examples

SEEDS = st.integers(0, 2**32)


@dataclass
class Tight:
    """A block with single-digit prices, and the limits of one run over it."""

    block: Block
    stock: np.ndarray[Any, Any]
    capacity: np.ndarray[Any, Any]
    split_minor: int
    max_nodes: int


def no_rules(orders: int, lines: int, candidates: int, nodes: int) -> dict[str, Any]:
    """The columns of ordinary orders."""
    return {
        "ruled": np.zeros(orders, dtype=np.uint8),
        "whole": np.zeros(orders, dtype=np.uint8),
        "group": np.full(lines, -1, dtype=np.int32),
        "weight_g": np.zeros(lines, dtype=np.int64),
        "tariff": np.full(candidates, -1, dtype=np.int32),
        "band_ptr": np.zeros(1, dtype=np.int64),
        "band_up_to_g": np.zeros(0, dtype=np.int64),
        "band_minor": np.zeros(0, dtype=np.int64),
        "floor_base_minor": np.zeros(0, dtype=np.int64),
        "floor_gram_minor": np.zeros(0, dtype=np.int64),
        "work": np.tile(np.array([1, 0, 0]), (nodes, 1)),
    }


def tight(seed: int, orders: int, most_lines: int, nodes: int = 6) -> Tight:
    """Orders draw on shared cells, one for each SKU at each node."""
    dice = random.Random(seed)
    density, dearest, shelf = dice.choice([0.4, 0.7, 0.95]), dice.choice([0, 1, 4]), dice.choice([0, 3, 30])
    rows: dict[str, list[int]] = {name: [] for name in Block._fields}
    pointers: dict[str, list[int]] = {"line_ptr": [0], "candidate_ptr": [0], "entry_ptr": [0]}
    for _ in range(orders):
        skus = dice.sample(range(most_lines + 2), dice.randint(1, most_lines))
        for _ in skus:
            rows["quantity"].append(dice.choice([1, 1, 2, 3]))
            rows["unserved_minor"].append(dice.choice([4, 9, 30]))
        fixed = sorted((dice.randint(0, 9), node) for node in dice.sample(range(nodes), dice.randint(1, nodes)))
        for price, node in fixed:
            held = [line for line in range(len(skus)) if dice.random() < density]
            if held:
                rows["fixed_minor"].append(price)
                rows["floor_minor"].append(price)
                rows["node"].append(node)
                for line in held:
                    rows["line"].append(line)
                    rows["cell"].append(skus[line] * nodes + node)
                    rows["unit_minor"].append(dice.randint(0, dearest))
                pointers["entry_ptr"].append(len(rows["line"]))
        pointers["line_ptr"].append(len(rows["quantity"]))
        pointers["candidate_ptr"].append(len(rows["node"]))
    small = {"quantity", "node", "line", "cell"}
    columns = {
        name: np.array(pointers.get(name, rows[name]), dtype=np.int32 if name in small else np.int64)
        for name in Block._fields
    } | no_rules(orders, len(rows["quantity"]), len(rows["node"]), nodes)
    stock = [shelf + dice.choice([0, 1, 2, 3, 6]) for _ in range((most_lines + 2) * nodes)]
    return Tight(
        block=Block(**columns),
        stock=np.array(stock, dtype=np.int32),
        capacity=np.array([dice.choice([0, 2, 9]) for _ in range(nodes)], dtype=np.int64),
        split_minor=dice.choice([0, 1, 3]),
        max_nodes=dice.choice([1, 2, 3, 99]),
    )


def run(case: Tight, max_exact: int, assign: Any, serve: Any) -> tuple[list[int], list[int], list[int]]:
    """All orders in turn with these two functions: units taken, stock and capacity left."""
    block, stock, capacity = case.block, case.stock.copy(), case.capacity.copy()
    taken = np.zeros(block.line.size, dtype=np.int32)
    scratch, turn, limits = (
        scratch_for(max_exact),
        np.arange(block.line_ptr.size - 1),
        (case.split_minor, case.max_nodes),
    )
    at = assign(block, turn, 0, stock, capacity, *limits, scratch, taken)
    while at < turn.size:
        lines = int(block.line_ptr[at + 1] - block.line_ptr[at])
        short = lines <= max_exact
        search = search_of(block, at, scratch.picked_from[: lines * short], stock, capacity)
        serve(block, at, search, *limits, short, stock, capacity, taken)
        at = assign(block, turn, at + 1, stock, capacity, *limits, scratch, taken)
    return taken.tolist(), stock.tolist(), capacity.tolist()


@given(seed=SEEDS)
@settings(max_examples=examples(200), deadline=None)
def test_short_orders_are_decided_as_the_twin_decides(seed: int) -> None:
    case = tight(seed, orders=12, most_lines=5)
    assert run(case, 5, assign_in_turn, serve_long_order) == run(case, 5, naive.assign_in_turn, serve_long_order)


@given(seed=SEEDS)
@settings(max_examples=examples(200), deadline=None)
def test_an_order_with_prices_costs_what_the_twin_says(seed: int) -> None:
    """Prices disturb the order of the candidates by cost, so a search may stop by their floor only."""
    case, dice = tight(seed, orders=8, most_lines=5), np.random.default_rng(seed)
    prices = Prices(dice.integers(0, 300, case.stock.size), dice.integers(0, 900, case.capacity.size))
    block, scratch, twin = priced(case.block, prices), scratch_for(5), scratch_for(5)
    limits = 64 * case.split_minor, case.max_nodes
    for order in range(block.line_ptr.size - 1):
        cost = decide_order(block, order, case.stock, case.capacity, *limits, scratch)
        assert cost == naive.decide_order(block, order, case.stock, case.capacity, *limits, twin)
        lines = int(block.line_ptr[order + 1] - block.line_ptr[order])
        assert cost == cost_of(block, order, scratch.pick[:lines], scratch.picked_from[:lines], limits[0])


def cost_of(block: Block, order: int, pick: Any, picked_from: Any, split_minor: int) -> int:
    """What these picks cost, added up line by line."""
    used = {int(one) for one in picked_from if one >= 0}
    total = sum(int(block.fixed_minor[one]) for one in used) + max(len(used) - 1, 0) * split_minor
    for line, entry in enumerate(pick, start=int(block.line_ptr[order])):
        total += int(block.unit_minor[entry] if entry >= 0 else block.unserved_minor[line]) * int(block.quantity[line])
    return total


@given(seed=SEEDS)
@settings(max_examples=examples(200), deadline=None)
def test_long_orders_are_decided_as_the_twin_decides(seed: int) -> None:
    case = tight(seed, orders=6, most_lines=9)
    assert run(case, 2, assign_in_turn, serve_long_order) == run(case, 2, assign_in_turn, naive.serve_long_order)


def wide(seed: int, lines: int = 24, nodes: int = 16) -> Tight:
    """One order whose units cost as much as shipments, so that nodes are closed and swapped often."""
    dice = random.Random(seed)
    held = [[line for line in range(lines) if dice.random() < 0.5] or [0] for _ in range(nodes)]
    entries = [(line, line * nodes + node) for node, some in enumerate(held) for line in some]
    block = Block(
        line_ptr=np.array([0, lines]),
        quantity=np.ones(lines, dtype=np.int32),
        unserved_minor=np.full(lines, 200),
        candidate_ptr=np.array([0, nodes]),
        node=np.arange(nodes, dtype=np.int32),
        fixed_minor=(fixed := np.sort([dice.randint(5, 40) for _ in range(nodes)])),
        floor_minor=fixed,
        entry_ptr=np.cumsum([0, *map(len, held)]),
        line=np.array([line for line, _ in entries], dtype=np.int32),
        cell=np.array([cell for _, cell in entries], dtype=np.int32),
        unit_minor=np.array([dice.randint(0, 30) for _ in entries]),
        **no_rules(1, lines, nodes, nodes),
    )
    stock, capacity = np.ones(lines * nodes, dtype=np.int32), np.full(nodes, 9)
    return Tight(block, stock, capacity, split_minor=dice.choice([0, 5]), max_nodes=99)


@pytest.mark.slow
def test_a_search_over_many_nodes_forgets_no_gain() -> None:
    """What a node would save is looked at anew when others were closed since."""
    for seed in range(25):
        case = wide(seed)
        assert run(case, 2, assign_in_turn, serve_long_order) == run(case, 2, assign_in_turn, naive.serve_long_order)


def test_orders_of_the_largest_exact_size() -> None:
    case = tight(3, orders=12, most_lines=10)
    assert np.diff(case.block.line_ptr).max() == 10
    assert run(case, 10, assign_in_turn, serve_long_order) == run(case, 10, naive.assign_in_turn, serve_long_order)


@pytest.mark.parametrize("split_minor", [0, 2])
def test_nothing_cheaper_exists_for_one_order(split_minor: int) -> None:
    """All ways to serve three lines from three nodes, written out."""
    for seed in range(200):
        case = tight(seed, orders=1, most_lines=3)
        block, lines = case.block, int(case.block.line_ptr[1])
        case.split_minor, case.max_nodes = split_minor, 99
        best = min(cost for _, cost in every_way(case, lines))
        taken = np.zeros(block.line.size, dtype=np.int32)
        stock, capacity, scratch = case.stock.copy(), case.capacity.copy(), scratch_for(3)
        at = assign_in_turn(block, np.arange(1), 0, stock, capacity, split_minor, 99, scratch, taken)
        assert at == 0 or price(case, taken) == best


def every_way(case: Tight, lines: int) -> list[tuple[Any, int]]:
    """Every choice of one entry or none for each line, with its price."""
    block = case.block
    ways: list[tuple[Any, int]] = []
    owner = np.repeat(np.arange(block.node.size), np.diff(block.entry_ptr))
    options: list[list[int]] = [[-1] for _ in range(lines)]
    for entry in range(block.line.size):
        line = int(block.line[entry])
        if case.stock[block.cell[entry]] >= block.quantity[line] and case.capacity[block.node[owner[entry]]] > 0:
            options[line].append(entry)
    chosen = [[]]  # type: list[list[int]]
    for line in range(lines):
        chosen = [[*one, entry] for one in chosen for entry in options[line]]
    for one in chosen:
        taken = np.zeros(block.line.size, dtype=np.int32)
        for line, entry in enumerate(one):
            if entry >= 0:
                taken[entry] = block.quantity[line]
        ways.append((one, price(case, taken)))
    return ways


def price(case: Tight, taken: Any) -> int:
    """What a decision about a single order costs."""
    block = case.block
    owner = np.repeat(np.arange(block.node.size), np.diff(block.entry_ptr))
    used = np.unique(owner[taken > 0])
    left = block.quantity.astype(np.int64)
    np.subtract.at(left, block.line, taken)
    cost = block.fixed_minor[used].sum() + (block.unit_minor * taken).sum() + (left * block.unserved_minor).sum()
    return int(cost + max(used.size - 1, 0) * case.split_minor)
