"""Soundness: the plan checked against its problem, constraint by constraint, on the arrays it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omo_core.allocation.arrays import Ints
from omo_core.allocation.costs import UNSERVED
from omo_core.allocation.eligibility import first_rule_against
from omo_core.allocation.greedy import what_is_left
from omo_core.allocation.special import work_of_nodes

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
    work = work_of_nodes(problem, plan.taken)
    for node in np.flatnonzero(work > problem.capacity):
        name, counted = (
            problem.index.nodes[node].node,
            "orders" if tuple(block.work[node]) == (1, 0, 0) else "pieces of work",
        )
        found.append(f"{name} serves {work[node]} {counted} but can take {problem.capacity[node]}")
    found += _broken_promises(plan, missing)
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


def _broken_promises(plan: Plan, missing: Ints) -> list[str]:
    """Orders to be served in full that are short, and lines to be kept together that are not."""
    problem, block = plan.problem, plan.problem.block
    found = []
    for order in np.flatnonzero(block.whole).tolist():
        lines = slice(block.line_ptr[order], block.line_ptr[order + 1])
        if missing[lines].any() and (missing[lines] < block.quantity[lines]).any():
            found.append(
                f"order {problem.columns.order[order]} is served in part, but is to be served in full or not at all"
            )
    grouped = np.searchsorted(block.line_ptr, np.flatnonzero(block.group >= 0), side="right") - 1
    for order in np.unique(grouped).tolist():
        first = block.line_ptr[order]
        sources: dict[int, set[tuple[tuple[int, int], ...]]] = {}
        for line in np.flatnonzero(block.group[first : block.line_ptr[order + 1]] >= 0):
            from_where = tuple(_sources(plan, int(order), int(line)))
            sources.setdefault(int(block.group[first + line]), set()).add(
                tuple((node, int(units == block.quantity[first + line])) for node, units in from_where)
            )
        if any(
            len(some) > 1 or any(len(one) > 1 or not all(full for _, full in one) for one in some)
            for some in sources.values()
        ):
            found.append(
                f"order {problem.columns.order[order]} has lines that must come from one node together and do not"
            )
    return found


def _sources(plan: Plan, order: int, line: int) -> list[tuple[int, int]]:
    """(node, units) of all that is taken for one line."""
    block = plan.problem.block
    return [
        (int(block.node[candidate]), int(plan.taken[entry]))
        for candidate in range(block.candidate_ptr[order], block.candidate_ptr[order + 1])
        for entry in range(block.entry_ptr[candidate], block.entry_ptr[candidate + 1])
        if block.line[entry] == line and plan.taken[entry]
    ]


def _wrong_sums(plan: Plan) -> list[str]:
    block, accounts = plan.problem.block, plan.accounts
    shipments = int(block.fixed_minor[accounts.used].sum())
    if (parcels := plan.problem.parcels) is not None:
        shipments += plan.cost_by_term[parcels.name]
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
