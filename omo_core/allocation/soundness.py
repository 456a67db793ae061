"""Soundness: the plan checked against its problem, constraint by constraint, on the arrays it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omo_core.allocation.costs import UNSERVED
from omo_core.allocation.eligibility import first_rule_against
from omo_core.allocation.greedy import what_is_left

if TYPE_CHECKING:
    from omo_core.allocation.plan import Plan


def violations_of(plan: Plan) -> list[str]:
    """One sentence for each broken constraint; empty for a sound plan. `verify_plan` checks from the raw input."""
    problem, block, accounts = plan.problem, plan.problem.block, plan.accounts
    found = [f"entry {entry} gives back {-plan.taken[entry]} units" for entry in np.flatnonzero(plan.taken < 0)]
    missing, left = what_is_left(problem, plan.taken)
    for line in np.flatnonzero(missing < 0):
        order = int(np.searchsorted(block.line_ptr, line, side="right")) - 1
        found.append(f"order {problem.columns.order[order]} gets {-missing[line]} units too many of one SKU")
    for cell in np.flatnonzero(left < 0):
        sku = problem.stock.sku[int(np.searchsorted(problem.stock.holder_ptr, cell, side="right")) - 1]
        node = problem.index.nodes[problem.stock.node[cell]].node
        found.append(f"{sku} at {node} is oversold by {-left[cell]} units")
    taken_of_node = np.bincount(block.node[accounts.used], minlength=problem.capacity.size)
    for node in np.flatnonzero(taken_of_node > problem.capacity):
        name, orders = problem.index.nodes[node].node, taken_of_node[node]
        found.append(f"{name} serves {orders} orders but can take {problem.capacity[node]}")
    used = problem.pairs_of(accounts.used)
    against = first_rule_against(problem.rules, used)
    for at in np.flatnonzero(against >= 0):
        name, node = problem.columns.order[used.order[at]], problem.index.nodes[used.node[at]].node
        found.append(f"order {name} uses {node}, which {problem.rules[against[at]].sentence}")
    nodes_of_order = np.bincount(used.order, minlength=problem.orders)
    limit = problem.policy.max_nodes
    found += [
        f"order {problem.columns.order[int(order)]} uses {nodes_of_order[order]} nodes; {limit} are allowed"
        for order in np.flatnonzero(nodes_of_order > (limit or len(problem.index.nodes)))
    ]
    found += _wrong_sums(plan)
    return found


def _wrong_sums(plan: Plan) -> list[str]:
    block, accounts = plan.problem.block, plan.accounts
    shipments = int(block.fixed_minor[accounts.used].sum())
    units = int((block.unit_minor[accounts.filled] * plan.taken[accounts.filled]).sum())
    extra_nodes = accounts.used.size - np.count_nonzero(np.diff(np.searchsorted(accounts.used, block.candidate_ptr)))
    split = int(extra_nodes) * plan.problem.policy.per_extra_node_minor
    total = shipments + units + split + plan.cost_by_term[UNSERVED]
    found = []
    if total != plan.cost_minor:
        found.append(f"the terms sum to {plan.cost_minor}, the prices that were compared to {total}")
    if plan.lower_bound_minor is not None and plan.lower_bound_minor > plan.cost_minor:
        found.append(f"the lower bound {plan.lower_bound_minor} is above the cost {plan.cost_minor}")
    return found
