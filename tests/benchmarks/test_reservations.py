"""The reservation benchmark: its methods sell what there is, its ledgers are valid, its record has every figure."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from psycopg.errors import DeadlockDetected

from benchmarks import reservations
from benchmarks.__main__ import main
from benchmarks.harness import Context
from benchmarks.reservations import Plan
from benchmarks.reservations_audits import compare_ledgers
from benchmarks.reservations_callers import by_connections, percentile
from benchmarks.reservations_ledger import cell_of, load_shop, require_sound
from benchmarks.reservations_ours import OURS
from benchmarks.reservations_peers import connect, deadlocks
from benchmarks.reservations_sites import PostgresSite, Site, SqliteSite
from benchmarks.reservations_stands import FLOOR, Stand
from benchmarks.reservations_workloads import WORKLOADS, Request, requests
from omo_core.storage.database import Database
from omo_core.testing.postgres import PostgresServer

pytestmark = pytest.mark.slow

SCARCE = 30
TINY = Plan(
    rows=40,
    rounds=1,
    round_s=0.02,
    callers=(1,),
    survey_s=0.01,
    scarce_units=SCARCE,
    pairs=40,
    single_look_ups=10,
    order_lines=30,
    audited_rows=20,
    orders_a_row=2,
    audits=1,
)

_prefixes = count(1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param == "sqlite":
        yield SqliteSite(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    yield PostgresSite(server, f"bench{next(_prefixes)}")


@pytest.fixture
def stand(site: Site) -> Iterator[Stand]:
    with Stand(site, 40, seed=1, scarce_units=SCARCE) as stand:
        yield stand
    for name in ("shop", *stand.urls):
        site.drop(name)


class Careless:
    """Grants the first so many requests without looking at anything."""

    def __init__(self, grants: int) -> None:
        self._left = iter(range(grants))

    def serve(self, requests: Iterator[Request], callers: int, seconds: float) -> dict[str, Any]:
        seen = by_connections([lambda _: next(self._left, None) is not None], requests, callers, seconds)
        return seen.facts(seen.granted)

    def close(self) -> None: ...


def test_every_method_sells_exactly_the_stock(stand: Stand) -> None:
    expected = {"sqlite": {OURS, "single_commit"}, "postgresql": {OURS, "row_lock", "append_sum", "conditional"}}
    assert stand.methods.keys() == expected[stand.engine]
    for name in stand.methods:
        facts = stand.last_units(name)
        assert (facts["requests"], facts["granted"], facts["stored"]) == (2 * SCARCE, SCARCE, SCARCE), name
        assert (facts["oversold"], facts["unsold"]) == (0, 0)
    stand.methods[OURS] = Careless(SCARCE + 5)
    assert stand.last_units(OURS)["oversold"] == 5
    stand.methods[OURS] = Careless(SCARCE - 2)
    assert stand.last_units(OURS)["unsold"] == 2


def test_rounds_leave_what_they_say_and_the_floor_leaves_a_sound_ledger(stand: Stand) -> None:
    for name in stand.methods:
        for workload in WORKLOADS:
            facts = stand.side(name, workload, 4, 0.02)()
            assert facts["granted"] == facts["requests"] >= 4
            assert 0 < facts["p50_ms"] <= facts["p99_ms"] <= facts["worst_ms"]
            assert 1 <= facts["commits"] <= facts["requests"]
            assert facts["commits"] == facts["requests"] or name == OURS
    floor = stand.floor_side()()
    assert floor["requests"] == floor["commits"] * floor["mean_batch"]
    for name in (OURS, FLOOR):
        with Database.open(stand.urls[name]) as database:
            require_sound(database)
    with Database.open(stand.urls[FLOOR]) as database, database.connection(read_only=True) as connection:
        count_sql = "SELECT (SELECT count(*) FROM omo_hold), (SELECT sum(reserved) FROM omo_stock)"
        assert tuple(connection.exec_driver_sql(count_sql).one()) == (floor["requests"], floor["requests"])


@pytest.mark.parametrize("orders", [0, 1, 3])
def test_a_loaded_ledger_is_valid(site: Site, orders: int) -> None:
    with Database.open(site.empty("ledger")) as database:
        postings = load_shop(database, 50, orders)
        require_sound(database)
        with database.connection(read_only=True) as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM omo_posting").scalar_one() == postings
            assert tuple(connection.exec_driver_sql("SELECT max(sku), max(node) FROM omo_stock").one()) == (
                cell_of(49)[0],
                cell_of(19)[1],
            )
        with database.connection() as connection:
            connection.exec_driver_sql("UPDATE omo_stock SET version = version + 1 WHERE node = 'N103'")
        with pytest.raises(AssertionError, match="N103"):
            require_sound(database)
    site.drop("ledger")


def test_long_and_empty_ledgers_are_compared(site: Site) -> None:
    context = Context("ledgers")
    found = compare_ledgers(context, site, 40, 2, rounds=1, seconds=0.02)
    assert found["full"] > 0 < found["empty"]
    assert [run["postings"] for run in context.runs] == [80, 240]
    for name in ("ledger_empty", "ledger_full"):
        site.drop(name)


@pytest.mark.slow
@pytest.mark.postgres
def test_the_record_has_every_figure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], postgres_server: PostgresServer, tmp_path: Path
) -> None:
    prefix = f"bench{next(_prefixes)}"
    on_shared_server = nullcontext((PostgresSite(postgres_server, prefix), SqliteSite(tmp_path)))
    monkeypatch.setattr(reservations, "sites", lambda: on_shared_server)
    monkeypatch.setitem(reservations.PLANS, "smallest", TINY)
    assert main(["reservations", "--smallest", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    figures = document["figures"]
    ratios = {"hot_vs_row_lock", "hot_vs_floor", "hot_p99_vs_row_lock", "sqlite_vs_single_commit", "spread_vs_hot"}
    bulk = {"bulk_atp_vs_single", "audit_1m_s", "order_10k_lines_s"}
    assert ratios | bulk <= figures.keys()
    assert all(figures[key] > 0 for key in ratios | bulk)
    assert (figures["oversold_units"], figures["unsold_units"], figures["deadlocks"]) == (0, 0, 0)
    assert figures["audit_1m_s"] == max(figures["audit_1m_s_sqlite"], figures["audit_1m_s_postgresql"])
    surveyed = {
        (run["engine"], run["method"], run["workload"], run["callers"]) for run in document["runs"] if "method" in run
    }
    for workload in ("hot", "zipf", "spread"):
        for method in (OURS, "row_lock", "append_sum", "conditional"):
            assert ("postgresql", method, workload, 1) in surveyed
        for method in (OURS, "single_commit"):
            assert ("sqlite", method, workload, 1) in surveyed


def test_deadlocks_are_counted(postgres_url: str) -> None:
    barrier = threading.Barrier(2)

    def lock(first: int, second: int) -> bool:
        with connect(postgres_url) as connection, suppress(DeadlockDetected), connection.transaction():
            connection.execute(b"SELECT pg_advisory_xact_lock(%s)", (first,))
            barrier.wait(timeout=30)
            connection.execute(b"SELECT pg_advisory_xact_lock(%s)", (second,))
            return True
        return False

    assert deadlocks(postgres_url) == 0
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(lock, (1, 2), (2, 1))) == [False, True]
    assert deadlocks(postgres_url) == 1


def test_requests_depend_on_seed_and_run_alone_and_are_shaped_as_named() -> None:
    def drawn(workload: str, run: str = "run-1", seed: int = 1) -> list[Request]:
        return list(islice(requests(workload, 1_000, hot=1_234, run=run, seed=seed), 20_000))

    assert {(one.sku, one.node) for one in drawn("hot")} == {cell_of(1_234)}
    for workload in ("zipf", "spread"):
        assert drawn(workload) == drawn(workload) != drawn(workload, seed=2) != drawn(workload, run="run-2")
        assert len({one.owner for one in drawn(workload)}) == 20_000
    loved = {
        workload: Counter((one.sku, one.node) for one in drawn(workload)).most_common(1)[0][1]
        for workload in ("zipf", "spread")
    }
    # 1 / sum of 1/r^0.99 over 1,000 ranks is 13 %; of 20,000 requests over 1,000 rows alike each gets about 20.
    assert 2_200 < loved["zipf"] < 3_000
    assert loved["spread"] < 60


def test_waits_are_ranked_and_a_failing_connection_ends_the_round() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile(list(map(float, range(1, 101))), 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0

    def fail(request: Request) -> bool:
        raise OSError(request.owner)

    endless = requests("hot", 10, hot=0, run="x", seed=1)
    with pytest.raises(OSError, match="x/"):
        by_connections([lambda _: True, fail], endless, callers=8, seconds=0.2)
