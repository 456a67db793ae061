"""Our side: the whole protocol, through the combiner of one process."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import event

from benchmarks.reservations_callers import by_futures
from benchmarks.reservations_workloads import Request
from omo_core import OrderHub
from omo_core.model.stock import HoldRequest, PlaceHolds, StockAnswer

OURS: Final = "combined"
CALLERS: Final = 256
"""Of the runs that the figures are made from."""
EXPIRES_AT: Final = datetime(2100, 1, 1, tzinfo=UTC)


class Combined:
    """Every request is a `PlaceHolds` with its own key, handed to the hub's combiner."""

    def __init__(self, hub: OrderHub) -> None:
        self.hub = hub
        self.commits = 0
        event.listen(hub.database.engine, "commit", self._count)

    def _count(self, _connection: object) -> None:
        self.commits += 1

    def serve(self, requests: Iterator[Request], callers: int, seconds: float) -> dict[str, Any]:
        """The facts of one round; `commits` are those that the engine saw."""
        before = self.commits
        seen = by_futures(self.reserve, requests, callers, seconds)
        return seen.facts(self.commits - before)

    def reserve(self, request: Request) -> Future[StockAnswer]:
        """Hold one unit; the future is done once that is committed."""
        line = HoldRequest(owner=request.owner, line="1", sku=request.sku, node=request.node, quantity=1)
        command = PlaceHolds(key=request.owner, lines=(line,), expires_at=EXPIRES_AT)
        return self.hub.stock.submit(command)

    def close(self) -> None:
        """Close the hub."""
        self.hub.close()
