"""Many rows in one call: availability of 100,000 pairs, and orders of 10,000 lines, also eight that overlap at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count, islice
from typing import Any, Final

from benchmarks.harness import Context
from benchmarks.reservations_ledger import POOL, Cell, cell_of, require_sound
from benchmarks.reservations_peers import connect, deadlocks
from benchmarks.reservations_sites import Site, sqlite_connection
from omo_core import OrderHub
from omo_core.inventory import available_by_pair
from omo_core.model.errors import DatabaseUnavailable
from omo_core.model.stock import HoldRequest, PlaceHolds

AT_ONCE: Final = 8
MOST_REPEATS: Final = 20

_ONE_ROW: Final = "SELECT on_hand - reserved - safety FROM omo_stock WHERE pool_id = ? AND sku = ? AND node = ?"


def compare_look_ups(
    context: Context, site: Site, url: str, rows: int, *, pairs: int, singles: int, rounds: int
) -> dict[str, float]:
    """Seconds a pair: all `pairs` in one call, `singles` by as many calls, and by as many bare statements.

    Single look-ups are made `singles` times, on pairs drawn from all; what they take is divided by that number and not
    multiplied up. The bare statements have one open connection and nothing around them: no snapshot, no limits.
    """
    dice = random.Random(context.seed)
    asked = [cell_of(dice.randrange(rows)) for _ in range(pairs)]
    few = dice.sample(asked, singles)
    with OrderHub.open(url) as hub:
        found: list[Any] = []

        def in_bulk() -> None:
            found[:] = [hub.run(partial(available_by_pair, pairs=asked), read_only=True)]

        sides: dict[str, Callable[[], object]] = {
            "in bulk": in_bulk,
            "one by one": lambda: [hub.stock.available(sku, node=node) for sku, node in few],
            "bare statements": partial(_bare, site, url, few),
        }
        timed = context.time_together(
            {f"{site.engine} look-ups {label}": work for label, work in sides.items()},
            rounds=rounds,
            pairs=pairs,
            singles=singles,
        )
        assert [found[0][pair] for pair in few] == [hub.stock.available(sku, node=node) for sku, node in few]
    bulk, single, bare = (timing.median_s for timing in timed.values())
    return {"bulk": bulk / pairs, "single": single / singles, "bare": bare / singles}


def _bare(site: Site, url: str, pairs: list[Cell]) -> None:
    if site.engine == "sqlite":
        with sqlite_connection(url) as connection:
            for pair in pairs:
                connection.execute(_ONE_ROW, (POOL, *pair)).fetchall()
        return
    with connect(url) as postgres:
        sql = _ONE_ROW.replace("?", "%s").encode()
        for pair in pairs:
            postgres.execute(sql, (POOL, *pair)).fetchone()


def place_large_orders(context: Context, site: Site, url: str, lines: int, rounds: int) -> dict[str, float]:
    """Median seconds of one order, then of eight that share all rows, each in a transaction of its own; deadlocks.

    The lines of every order come shuffled. Afterwards the database is audited.
    """
    one, eight = f"{site.engine} order of {lines} lines", f"{site.engine} {AT_ONCE} orders of {lines} lines"
    orders = (_order(lines, f"order-{n}") for n in count())
    with OrderHub.open(url, combine=False) as hub:
        context.in_turn({one: lambda: _timed(hub, [next(orders)])}, rounds=rounds)
        context.in_turn({eight: lambda: _timed(hub, list(islice(orders, AT_ONCE)))})
        require_sound(hub.database)
    return {
        "one_s": context.timings[one].median_s,
        "together_s": context.timings[eight].median_s,
        "deadlocks": deadlocks(url) if site.engine == "postgresql" else 0,
    }


def _order(lines: int, owner: str) -> PlaceHolds:
    cells = [cell_of(row) for row in range(lines)]
    random.Random(owner).shuffle(cells)
    holds = (
        HoldRequest(owner=owner, line=str(n), sku=sku, node=node, quantity=1) for n, (sku, node) in enumerate(cells)
    )
    return PlaceHolds(key=owner, lines=tuple(holds))


def _timed(hub: OrderHub, orders: list[PlaceHolds]) -> dict[str, Any]:
    start = time.perf_counter()
    with ThreadPoolExecutor(len(orders)) as threads:
        tries = list(threads.map(partial(_place, hub), orders))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "orders": len(orders), "lines": len(orders[0].lines), "repeated": sum(tries)}


def _place(hub: OrderHub, order: PlaceHolds) -> int:
    """Place an order as a caller does: with the same key again where a wait for locks was cut; returns how often."""
    for repeated in range(MOST_REPEATS):
        with suppress(DatabaseUnavailable):
            assert hub.stock.apply(order).applied, "an order was refused units that there are"
            return repeated
    raise AssertionError(f"an order got no answer {MOST_REPEATS} times")
