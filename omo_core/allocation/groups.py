"""Lines that one node must serve together, as a column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from omo_core.allocation.demand import OrderDemand


def group_column(demands: Sequence[OrderDemand]) -> NDArray[np.int32] | None:
    """int32[lines], position in the order of the first line of its group, -1 for none; None where no line has one.

    Lines of an order that name the same SKU are one row; if they bear different marks, both groups are one.
    """
    if not any(line.together is not None for demand in demands for line in demand.lines):
        return None
    groups: list[int] = []
    for demand in demands:
        row = {sku: i for i, sku in enumerate(dict.fromkeys(line.sku for line in demand.lines))}
        leader = [-1] * len(row)
        first_of: dict[str, int] = {}
        for line in demand.lines:
            if line.together is None:
                continue
            here = row[line.sku]
            there = first_of.setdefault(line.together, here)
            merged = {one for one in (leader[here], leader[there]) if one >= 0}
            lowest = min(here, there, *merged)
            for i, one in enumerate(leader):
                if one in merged or i in (here, there):
                    leader[i] = lowest
        groups += leader
    return np.array(groups, dtype=np.int32)
