"""What a wave left scarce goods and full nodes worth, by their names: what the real-time router pays until the next wave."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Self

import numpy as np
from pydantic_core import to_json

from omo_core.allocation import AllocationProblem, Plan
from omo_core.allocation.prices import Prices, no_prices

TOGETHER: Final = 2
"""A wave of fewer deliveries leaves the prices as they are: one that was alone competed with nobody."""


@dataclass(frozen=True)
class LeftPrices:
    """Prices above zero, in 1/64 minor units; whatever has none is free."""

    wave: str = ""
    """The wave that left them; empty before the first that did."""
    cells: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(sku, node) → price of a unit."""
    nodes: Mapping[str, int] = field(default_factory=dict)
    """Node → price of a piece of its work."""

    @classmethod
    def of(cls, plan: Plan) -> Self | None:
        """What a plan leaves, not yet said of which wave; None where it was not made with prices or is too small."""
        if plan.prices is None or plan.problem.orders < TOGETHER:
            return None
        stock, index = plan.problem.stock, plan.problem.index
        at = np.flatnonzero(plan.prices.cell)
        skus = np.searchsorted(stock.holder_ptr, at, side="right") - 1
        cells = {
            (stock.sku[sku], index.nodes[node].node): price
            for sku, node, price in zip(
                skus.tolist(), stock.node[at].tolist(), plan.prices.cell[at].tolist(), strict=True
            )
        }
        full = np.flatnonzero(plan.prices.node)
        nodes = {
            index.nodes[node].node: price
            for node, price in zip(full.tolist(), plan.prices.node[full].tolist(), strict=True)
        }
        return cls("", cells, nodes)

    @classmethod
    def parse(cls, wave: str, document: str) -> Self:
        """From the text of `document`."""
        stored = json.loads(document)
        return cls(wave, {(sku, node): price for sku, node, price in stored["cells"]}, dict(stored["nodes"]))

    @cached_property
    def document(self) -> str:
        """Their one JSON text, whatever order they came in."""
        cells = [(sku, node, price) for (sku, node), price in sorted(self.cells.items())]
        return to_json({"version": 1, "cells": cells, "nodes": sorted(self.nodes.items())}).decode()

    @cached_property
    def sha256(self) -> str:
        """Digest of the text."""
        return hashlib.sha256(self.document.encode()).hexdigest()

    def over(self, problem: AllocationProblem) -> Prices:
        """The same prices for a problem's stock and nodes; what it does not know of is passed over."""
        stock, index = problem.stock, problem.index
        found = no_prices(stock.available.size, len(index.nodes))
        rows = {sku: row for row, sku in enumerate(stock.sku)}
        for (sku, node), price in self.cells.items():
            if sku in rows and node in index.position:
                first, stop = stock.holder_ptr[rows[sku]], stock.holder_ptr[rows[sku] + 1]
                found.cell[first:stop][stock.node[first:stop] == index.position[node]] = price
        for node, price in self.nodes.items():
            if node in index.position:
                found.node[index.position[node]] = price
        return found


NO_PRICES: Final = LeftPrices()
