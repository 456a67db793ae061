"""One window: some orders of a plan decided together by an integer program over the ways that come near."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

import numpy as np

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.columns_near import Columns
from omo_core.allocation.primal import Primal

RELATIVE_GAP: Final = 5e-5
"""A window's search ends when no better answer can be better by more than this."""


class Uses(NamedTuple):
    """What ways take: way[i] takes amount[i] of where[i], a cell or a node."""

    way: Ints
    where: Ints
    amount: Ints


@dataclass(frozen=True)
class Window:
    """The ways of some orders, the first of each order being the one it has now."""

    orders: Ints
    """int64[orders of the window]."""
    order: Ints
    """int64[ways]: positions in `orders`."""
    pick: Ints
    """int64[ways, widest order]."""
    picked_from: Ints
    is_held: Flags
    """bool[ways]: the ways that the plan has now."""
    cost_minor: Ints
    """int64[ways]."""
    cells: Uses
    nodes: Uses

    @classmethod
    def of(cls, work: Primal, columns: Columns, orders: Ints) -> Window:
        """The window of these short orders as the plan stands."""
        block, width = work.block, columns.pick.shape[1]
        first, lines = block.line_ptr[orders], np.diff(block.line_ptr)[orders]
        place = np.minimum(first[:, None] + np.arange(width), max(block.quantity.size - 1, 0))
        inside = np.arange(width) < lines[:, None]
        held = np.where(inside, work.state.pick[place], -1)
        held_from = np.where(inside, work.state.picked_from[place], -1)
        held_from[held < 0] = -1
        count = np.diff(columns.ptr)[orders]
        rows = np.repeat(columns.ptr[orders] - np.cumsum(count) + count, count) + np.arange(count.sum())
        owner = np.repeat(np.arange(orders.size), count)
        other = (columns.pick[rows] != held[owner]).any(axis=1)
        rows, owner = rows[other], owner[other]
        order = np.concatenate([np.arange(orders.size), owner])
        pick = np.concatenate([held, columns.pick[rows]])
        picked_from = np.concatenate([held_from, columns.picked_from[rows]])
        line = place[order]
        amount = np.where(inside[order], block.quantity[line], 0).astype(np.int64)
        is_new = pick >= 0
        for i in range(1, width):
            is_new[:, i] &= (picked_from[:, :i] != picked_from[:, i : i + 1]).all(axis=1)
        safe, safe_from = np.maximum(pick, 0), np.maximum(picked_from, 0)
        unit = np.where(pick >= 0, block.unit_minor[safe], block.unserved_minor[line])
        cost = (unit * amount + np.where(is_new, block.fixed_minor[safe_from], 0)).sum(axis=1)
        cost += np.maximum(is_new.sum(axis=1) - 1, 0) * work.split_minor
        way, at = np.nonzero(pick >= 0)
        sending, sent = np.nonzero(is_new)
        return cls(
            orders=orders,
            order=order,
            pick=pick,
            picked_from=picked_from,
            is_held=np.arange(order.size) < orders.size,
            cost_minor=cost,
            cells=Uses(way, block.cell[pick[way, at]].astype(np.int64), amount[way, at]),
            nodes=Uses(
                sending, block.node[picked_from[sending, sent]].astype(np.int64), np.ones(sending.size, dtype=np.int64)
            ),
        )

    def wants(self, cells: int, nodes: int) -> tuple[Ints, Ints]:
        """What its ways would take of each cell and node if all were chosen."""
        return _sum_of(self.cells, cells), _sum_of(self.nodes, nodes)

    def holds(self, cells: int, nodes: int) -> tuple[Ints, Ints]:
        """What its orders take of each cell and node now."""
        return _sum_of(self._held(self.cells), cells), _sum_of(self._held(self.nodes), nodes)

    def _held(self, uses: Uses) -> Uses:
        mine = self.is_held[uses.way]
        return Uses(uses.way[mine], uses.where[mine], uses.amount[mine])

    def solve(self, stock: Ints, capacity: Ints, search_nodes: int, seconds: float | None) -> Ints:
        """The way of each order that together cost least (int64[orders]), none of it dearer than what is held.

        `stock` and `capacity` are what these orders may take in all. HiGHS searches at most `search_nodes` nodes of
        its tree; `seconds` only ends it early.
        """
        from ortools.math_opt.python import mathopt

        model = mathopt.Model.from_model_proto(self._proto(stock, capacity))
        limits = mathopt.SolveParameters(
            node_limit=search_nodes,
            relative_gap_tolerance=RELATIVE_GAP,
            time_limit=None if seconds is None else timedelta(seconds=max(seconds, 0.0)),
        )
        result = mathopt.solve(model, mathopt.SolverType.HIGHS, params=limits)
        held = np.flatnonzero(self.is_held)
        if not result.has_primal_feasible_solution():
            return held
        chosen = np.flatnonzero(np.array(result.variable_values(list(model.variables()))) > 0.5)
        chosen = chosen[np.argsort(self.order[chosen], kind="stable")]
        whole = np.array_equal(self.order[chosen], np.arange(self.orders.size))
        if not whole or self.cost_minor[chosen].sum() >= self.cost_minor[held].sum():
            return held
        return chosen

    def _proto(self, stock: Ints, capacity: Ints) -> Any:
        """A variable for each way; a row for each order and for what all ways together could take too much of."""
        from ortools.math_opt import model_pb2

        want_cells, want_nodes = self.wants(stock.size, capacity.size)
        row = [self.order]
        way, amount, most = (
            [np.arange(self.order.size)],
            [np.ones(self.order.size, dtype=np.int64)],
            [np.ones(self.orders.size)],
        )
        first = self.orders.size
        for uses, wanted, limit in ((self.cells, want_cells, stock), (self.nodes, want_nodes, capacity)):
            binds = wanted > limit
            mine = binds[uses.where]
            row.append(first + (np.cumsum(binds) - 1)[uses.where[mine]])
            way.append(uses.way[mine])
            amount.append(uses.amount[mine])
            most.append(limit[binds].astype(np.float64))
            first += int(binds.sum())
        least = np.concatenate([most[0], np.full(first - self.orders.size, -np.inf)])
        rows, ways, amounts = np.concatenate(row), np.concatenate(way), np.concatenate(amount)
        by_row = np.lexsort((ways, rows))
        proto = model_pb2.ModelProto()
        size = self.order.size
        proto.variables.ids.extend(range(size))
        proto.variables.lower_bounds.extend([0.0] * size)
        proto.variables.upper_bounds.extend([1.0] * size)
        proto.variables.integers.extend([True] * size)
        proto.objective.linear_coefficients.ids.extend(range(size))
        proto.objective.linear_coefficients.values.extend(self.cost_minor.astype(np.float64).tolist())
        proto.linear_constraints.ids.extend(range(first))
        proto.linear_constraints.lower_bounds.extend(least.tolist())
        proto.linear_constraints.upper_bounds.extend(np.concatenate(most).tolist())
        proto.linear_constraint_matrix.row_ids.extend(rows[by_row].tolist())
        proto.linear_constraint_matrix.column_ids.extend(ways[by_row].tolist())
        proto.linear_constraint_matrix.coefficients.extend(amounts[by_row].astype(np.float64).tolist())
        return proto


def _sum_of(uses: Uses, size: int) -> Ints:
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, uses.where, uses.amount)
    return total
