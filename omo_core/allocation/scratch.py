"""Working space of the exact kernel, made once for many orders."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

UNREACHABLE: Final = 1 << 55
"""Cost of what cannot be done; a hundred of them still fit 64 bits."""

MOST_CLOSED: Final = 32
"""How many nodes may be set aside while one order with rules is decided."""


class Scratch(NamedTuple):
    """Tables of the exact kernel, made once for many orders; `pick` and `picked_from` hold the last order's answer."""

    cost: Any
    """int64[sets of lines]: cheapest single node."""
    node_of: Any
    """int64[sets]: that node, as a candidate."""
    sums: Any
    masks: Any
    penalty: Any
    """int64[sets]: the price of leaving them unserved."""
    rest: Any
    """int64[nodes, sets]."""
    chosen: Any
    """int64[nodes + 1, sets]."""
    pick: Any
    """int64[lines]: the entry that serves the line, -1 for none."""
    picked_from: Any
    """int64[lines]: the entry's candidate."""
    lines: Any = None
    """int64[sets]: how many lines, units and grams; this and the rest are for orders with rules."""
    units: Any = None
    weight_g: Any = None
    closed: Any = None
    """int64[MOST_CLOSED, 2]: nodes set aside for a moment, and their capacity."""
    none: Any = None
    """int64[0]: stands for no limits and no prices."""


def scratch_for(max_exact: int) -> Scratch:
    """Tables for orders of up to `max_exact` lines."""
    sets, rows = 1 << max_exact, max_exact + 1
    shapes = [(sets,), (sets,), (sets,), (sets,), (sets,), (rows, sets), (rows, sets), (max_exact,), (max_exact,)]
    shapes += [(sets,), (sets,), (sets,), (MOST_CLOSED, 2), (0,)]
    return Scratch._make(np.empty(shape, np.int64) for shape in shapes)
