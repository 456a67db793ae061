"""The block: orders, candidates and stock cells as flat arrays, the one thing every solver reads."""

from __future__ import annotations

from typing import Any, NamedTuple


class Block(NamedTuple):
    """Orders, their lines, their candidate nodes, and which candidate can serve which line from which stock cell.

    Three nested ranges: the lines of an order (`line_ptr`), its candidates (`candidate_ptr`), a candidate's entries
    (`entry_ptr`). An order names a SKU once, so each stock cell stands in at most one entry of an order.
    """

    line_ptr: Any
    """int64[orders + 1]."""
    quantity: Any
    """int32[lines], base units."""
    unserved_minor: Any
    """int64[lines], the price of one unit not served."""
    candidate_ptr: Any
    """int64[orders + 1]."""
    node: Any
    """int32[candidates], in order of `floor_minor` within an order (ties: by node), so that a search can stop early."""
    fixed_minor: Any
    """int64[candidates], what a shipment costs whatever is in it; never negative."""
    floor_minor: Any
    """int64[candidates], ascending within an order: no shipment of this candidate or a later one costs less."""
    entry_ptr: Any
    """int64[candidates + 1]; no candidate is without entries."""
    line: Any
    """int32[entries], position within the order, ascending within a candidate."""
    cell: Any
    """int32[entries], position in the stock."""
    unit_minor: Any
    """int64[entries], what each unit adds."""
