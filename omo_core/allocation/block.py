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
    ruled: Any
    """uint8[orders]: 1 where one of the columns below says more than "nothing special", so that most orders skip them."""
    whole: Any
    """uint8[orders]: 1 where the order is served in full or not at all."""
    group: Any
    """int32[lines]: position within the order of the first of the lines that one node must serve together, -1 for none."""
    weight_g: Any
    """int64[lines], of one unit."""
    tariff: Any
    """int32[candidates]: the parcel tariff that is paid on top of `fixed_minor`, -1 for none."""
    band_ptr: Any
    """int64[tariffs + 1]: the weight bands of a tariff, light to heavy."""
    band_up_to_g: Any
    """int64[bands]."""
    band_minor: Any
    """int64[bands]: the price of a parcel of at most that weight."""
    floor_base_minor: Any
    """int64[tariffs]: with `floor_gram_minor` a straight line under the tariff (see `tariff_floors`)."""
    floor_gram_minor: Any
    """int64[tariffs]: the line's price of a gram."""
    work: Any
    """int64[nodes, 3]: what an order, each of its lines, and each of its units take from the node's capacity."""
