"""Straight lines under parcel tariffs: what a shipment costs at least, however its goods are shared out."""

from __future__ import annotations

import numpy as np

from omo_core.allocation.arrays import Ints


def tariff_floors(band_ptr: Ints, band_up_to_g: Ints, band_minor: Ints) -> tuple[Ints, Ints]:
    """For each tariff a base and a price of a gram, both whole, that no parcel of any weight undercuts.

    Steps make it pay to move single units between parcels, so the exact search over whole lines does not bound an
    order with lines of several units; with a straight line nothing is gained by that. Of all lines through two bands the
    one that is highest at the middle band counts. Beyond the heaviest band it holds as well: a full parcel there costs
    at least its grams.
    """
    tariffs = band_ptr.size - 1
    base, gram = np.zeros(tariffs, dtype=np.int64), np.zeros(tariffs, dtype=np.int64)
    for tariff in range(tariffs):
        bands = slice(band_ptr[tariff], band_ptr[tariff + 1])
        weights, prices = band_up_to_g[bands].tolist(), band_minor[bands].tolist()
        points = list(zip(weights, prices, strict=True))
        slopes = {0} | {(q - p) // (w - v) for v, p in points for w, q in points if w > v}
        lines = [(min(price - slope * weight for weight, price in points), slope) for slope in slopes]
        middle = weights[len(weights) // 2]
        base[tariff], gram[tariff] = max(
            (line for line in lines if line[0] >= 0), key=lambda line: (line[0] + line[1] * middle, line)
        )
    return base, gram
