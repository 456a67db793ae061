"""A stand of one engine: every method beside the others, each on its own copy of the same shop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count, islice
from typing import Any, Final, Protocol, Self

from sqlalchemy import func, select

from benchmarks import reservations_floor as floor
from benchmarks.reservations_ledger import POOL, UNITS_A_ROW, Cell, cell_of, load_shop
from benchmarks.reservations_ours import OURS, Combined
from benchmarks.reservations_peers import CONNECTIONS, WAYS, Peer, connect, deadlocks
from benchmarks.reservations_rows import Specimen
from benchmarks.reservations_single import SingleCommit
from benchmarks.reservations_sites import PostgresSite, Site, SqliteSite, sqlite_connection
from benchmarks.reservations_workloads import Request, requests
from omo_core import OrderHub
from omo_core.model.stock import SetSafety
from omo_core.storage import tables
from omo_core.storage.database import Database

FLOOR: Final = "write_floor"
HOT_ROWS: Final = 300
"""Rows beyond the many; each run that needs a hot one takes the next."""
LAST_UNITS_AT_ONCE: Final = 64


class Method(Protocol):
    """A way to reserve units for many callers."""

    def serve(self, requests: Iterator[Request], callers: int, seconds: float) -> dict[str, Any]: ...
    def close(self) -> None: ...


class Stand:
    """The methods of one engine by name; use as a context manager."""

    def __init__(self, site: Site, rows: int, seed: int, scarce_units: int) -> None:
        self.engine = site.engine
        self.methods: dict[str, Method] = {}
        self.urls: dict[str, str] = {}
        self.scarce_units = scarce_units
        self._site, self._rows, self._seed = site, rows, seed
        self._hot, self._runs = count(rows), count(1)
        self._specimen_row, self._scarce_row = cell_of(rows + HOT_ROWS), cell_of(rows + HOT_ROWS + 1)
        self._latest: dict[str, Mapping[str, Any]] = {}
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._ending.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def _set_up(self) -> None:
        with Database.open(self._site.empty("shop")) as database:
            load_shop(database, self._rows + HOT_ROWS + 2)
            sku, node = self._scarce_row
            kept = UNITS_A_ROW - self.scarce_units
            with OrderHub(database) as hub:
                assert hub.stock.apply(SetSafety(key="scarce", sku=sku, node=node, quantity=kept)).applied
        ours = Combined(OrderHub.open(self._copy(OURS)))
        self._add(OURS, ours)
        self.specimen = Specimen.of(ours, self._specimen_row)
        if isinstance(self._site, PostgresSite):
            for name in WAYS:
                self._add(name, Peer(name, self._copy(name), self.specimen))
        else:
            self._add("single_commit", SingleCommit(self._copy("single_commit"), self.specimen))
        self._copy(FLOOR)

    def _copy(self, name: str) -> str:
        self.urls[name] = self._site.copy(name, "shop")
        return self.urls[name]

    def _add(self, name: str, method: Method) -> None:
        self.methods[name] = method
        self._ending.callback(method.close)

    def warm_up(self, seconds: float) -> None:
        """A round of each method that nobody keeps: statements are prepared and pages read on every connection."""
        for name in self.methods:
            for workload in ("hot", "spread"):
                self.side(name, workload, CONNECTIONS, seconds)()

    def label(self, name: str, workload: str, callers: int) -> str:
        """What a run of a method is called in the records."""
        return f"{self.engine} {name} {workload} {callers}"

    def side(self, name: str, workload: str, callers: int, seconds: float) -> Callable[[], Mapping[str, Any]]:
        """One round of a method for `Context.in_turn`."""

        def serve() -> Mapping[str, Any]:
            run = f"run-{next(self._runs)}"
            hot = next(self._hot) if workload == "hot" else 0
            asked = requests(workload, self._rows, hot=hot, run=run, seed=self._seed)
            cpu_s = time.process_time()
            facts = self.methods[name].serve(asked, callers, seconds)
            # What this process computed, callers included, without the server: tells a slow machine from slow code.
            facts["client_cpu_s"] = time.process_time() - cpu_s
            assert facts["granted"] == facts["requests"], f"{name} refused units that there are"
            self._latest[name] = {**self._shape(name, workload, callers), **facts}
            return self._latest[name]

        return serve

    def floor_side(self) -> Callable[[], Mapping[str, Any]]:
        """One round of the write floor, with the batches that ours reached in its latest round."""

        def write() -> Mapping[str, Any]:
            ours, cell = self._latest[OURS], cell_of(next(self._hot))
            size = max(1, round(ours["mean_batch"]))
            batches = max(3, ours["requests"] // size // 2)
            with ExitStack() as opened:
                facts = floor.measure(self._floor(opened), self.specimen, cell, size, batches)
            return {**self._shape(FLOOR, "hot", 0), **facts}

        return write

    def _floor(self, opened: ExitStack) -> floor.Prepare:
        url = self.urls[FLOOR]
        if isinstance(self._site, SqliteSite):
            return floor.on_sqlite(opened.enter_context(sqlite_connection(url)), self.specimen)
        return floor.on_postgres(opened.enter_context(connect(url)), self.specimen)

    def _shape(self, name: str, workload: str, callers: int) -> dict[str, Any]:
        return {"engine": self.engine, "method": name, "workload": workload, "callers": callers}

    def last_units(self, name: str) -> dict[str, Any]:
        """Twice as many requests as units, all at once: what a method granted, and what its database says it did."""
        asked = (Request(f"scarce/{n}", *self._scarce_row) for n in count())
        facts = self.methods[name].serve(islice(asked, 2 * self.scarce_units), LAST_UNITS_AT_ONCE, 3_600.0)
        del facts["mean_batch"]  # the refused half makes it mean nothing
        stored = self._promised(name, self._scarce_row)
        return {
            **self._shape(name, "last units", LAST_UNITS_AT_ONCE),
            **facts,
            "stored": stored,
            "oversold": max(0, max(facts["granted"], stored) - self.scarce_units),
            "unsold": max(0, self.scarce_units - min(facts["granted"], stored)),
        }

    def deadlocks(self) -> int:
        """Deadlocks of all methods' databases, complete once the stand is left: sessions report theirs at their end."""
        return sum(map(deadlocks, self.urls.values())) if self.engine == "postgresql" else 0

    def _promised(self, name: str, cell: Cell) -> int:
        """Units of a row that its database counts as promised: by the counter, or by holds where there is none."""
        table, column = (tables.hold, "pending") if name == "append_sum" else (tables.stock, "reserved")
        t = table.c
        query = select(func.coalesce(func.sum(t[column]), 0)).where(
            t.pool_id == POOL, t.sku == cell[0], t.node == cell[1]
        )
        with Database(self.urls[name]) as database, database.connection(read_only=True) as connection:
            return int(connection.execute(query).scalar_one())
