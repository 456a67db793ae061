"""Group commit where things break: the database goes away, the process forks or ends, two processes meet."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from omo_core.inventory import apply_many
from omo_core.inventory.combiner import Combiner, CombinerStats
from omo_core.model.errors import DatabaseUnavailable
from omo_core.model.stock import StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.ids import Uuid7Ids
from omo_core.storage.transaction import Transaction
from omo_core.testing.postgres import SUPERUSER, PostgresServer
from tests.inventory.conftest import POOL, Shop, place, receive
from tests.inventory.test_combiner import MUG, PATIENCE_S, busy, queued
from tests.inventory.test_races import ON_POSTGRES, WITH_WRITERS


@pytest.fixture
def combiner(shop: Shop) -> Iterator[Combiner]:
    opened = Combiner(shop.database, POOL)
    yield opened
    opened.close()


@contextmanager
def other_connection(shop: Shop) -> Iterator[Any]:
    """A driver's own connection to the shop's database, outside of the library, for any thread."""
    url = shop.database.engine.url
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(url.database or "", isolation_level=None, check_same_thread=False)) as other:
            yield other
    else:
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            yield connection


@WITH_WRITERS
def test_an_answer_comes_after_its_commit(shop: Shop, combiner: Combiner) -> None:
    """A callback runs at the very moment the future has its answer: another connection must see the rows by then."""
    seen: list[list[Any]] = []
    with other_connection(shop) as other:

        def look(_answered: Future[StockAnswer]) -> None:
            seen.append(other.execute("SELECT key FROM omo_operation ORDER BY key").fetchall())

        with busy(combiner):
            futures = [combiner.submit(apply_many, receive(key, MUG)) for key in "abc"]
            for future in futures:
                future.add_done_callback(look)
        combiner.close()
    assert [future.result().applied for future in futures] == [True] * 3
    assert seen == [[("a",), ("b",), ("c",)]] * 3


@contextmanager
def outage(shop: Shop, server: PostgresServer) -> Iterator[None]:
    """The database turns everybody away, and cuts who is inside."""
    name = shop.database.engine.url.database
    where = server.url("postgres", user=SUPERUSER).replace("+psycopg", "")
    with psycopg.connect(where, autocommit=True) as master:
        master.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        master.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            yield
        finally:
            master.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def require_same_keys_to_work(shop: Shop, combiner: Combiner, failed: list[Future[StockAnswer]]) -> None:
    """Every caller of the batch that met the outage was told so, at once; afterwards the same commands are applied once."""
    for future in failed:
        with pytest.raises(DatabaseUnavailable, match="same key"):
            future.result(PATIENCE_S)
    again = [combiner.submit(apply_many, receive(f"r{number}", MUG)) for number in range(len(failed))]
    assert all(future.result(PATIENCE_S).applied for future in again)
    assert shop.counters() == (len(failed), 0, 0, 0)


@ON_POSTGRES
def test_callers_of_a_lost_database_repeat_their_keys(
    shop: Shop, combiner: Combiner, postgres_server: PostgresServer
) -> None:
    """It goes away in the middle of their batch."""
    calls: list[int] = []
    with ExitStack() as until:

        def cut_off(tx: Transaction, commands: Sequence[StockCommand]) -> list[StockAnswer]:
            calls.append(len(commands))
            until.enter_context(outage(shop, postgres_server))
            return apply_many(tx, commands)

        with busy(combiner):
            failed = [combiner.submit(cut_off, receive(f"r{number}", MUG)) for number in range(4)]
        for future in failed:
            future.exception(PATIENCE_S)
    assert calls == [4], "an outage is not looked for in halves"
    require_same_keys_to_work(shop, combiner, failed)


@pytest.mark.parametrize("shop_url", ["sqlite-file"], indirect=True)
def test_callers_of_a_locked_file_repeat_their_keys(shop: Shop, combiner: Combiner) -> None:
    shop.database.engine.dispose()
    event.listen(shop.database.engine, "connect", lambda driver, _: driver.execute("PRAGMA busy_timeout = 10"))
    with other_connection(shop) as other:
        other.execute("BEGIN IMMEDIATE")
        failed = [combiner.submit(apply_many, receive(f"r{number}", MUG)) for number in range(4)]
        for future in failed:
            future.exception(PATIENCE_S)
        other.execute("ROLLBACK")
    require_same_keys_to_work(shop, combiner, failed)


@ON_POSTGRES
def test_a_commit_that_was_cut_is_sent_again_with_the_same_keys(shop: Shop, combiner: Combiner) -> None:
    """The connection dies after the rows are written and before anybody knows; the batch is applied once."""
    backends: list[int] = []

    def cut_once(tx: Transaction, commands: Sequence[StockCommand]) -> list[StockAnswer]:
        answers = apply_many(tx, commands)
        backends.append(int(tx.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()))
        if len(backends) == 1:
            with other_connection(shop) as other:
                other.execute("SELECT pg_terminate_backend(%s, 10000)", (backends[0],))
        return answers

    with busy(combiner):
        futures = [combiner.submit(cut_once, receive(f"r{number}", MUG)) for number in range(3)]
    assert all(future.result(PATIENCE_S).applied for future in futures)
    assert len(backends) == 2
    assert shop.counters() == (3, 0, 0, 0)


@ON_POSTGRES
def test_batches_of_several_kinds_never_deadlock(shop: Shop) -> None:
    """Two combiners, as of two processes, whose kinds lock two rows in opposite order; nobody's batch runs twice."""
    shop.apply(receive("r", ("MUG", "TPE", 9), ("BOWL", "TPE", 9)))
    meeting = threading.Barrier(2)
    calls: list[str] = []

    def kind(name: str) -> Callable[[Transaction, Sequence[StockCommand]], Sequence[StockAnswer]]:
        def apply(tx: Transaction, commands: Sequence[StockCommand]) -> Sequence[StockAnswer]:
            calls.append(name)
            answers = apply_many(tx, commands)
            if name == "first":
                with suppress(threading.BrokenBarrierError):
                    meeting.wait(0.5)  # both inside with one row locked each would be the deadlock
            return answers

        return apply

    first, second = kind("first"), kind("second")
    one, two = Combiner(shop.database, POOL), Combiner(shop.database, POOL)
    with busy(one), busy(two):
        futures = [
            one.submit(first, place("1a", MUG)),
            two.submit(first, place("2a", ("BOWL", "TPE", 1))),
            one.submit(second, place("1b", ("BOWL", "TPE", 1))),
            two.submit(second, place("2b", MUG)),
        ]
    assert all(future.result(PATIENCE_S).applied for future in futures)
    assert sorted(calls) == ["first", "first", "second", "second"]
    one.close()
    two.close()


@WITH_WRITERS
def test_a_forked_child_has_a_queue_a_thread_and_connections_of_its_own(shop: Shop, combiner: Combiner) -> None:
    shop.database.ids = Uuid7Ids()  # seeded ones would be the parent's again
    with busy(combiner) as let_go:
        waiting = combiner.submit(apply_many, receive("parent", MUG))
        threading.Timer(0.1, let_go).start()
        child = os.fork()
        if child == 0:
            try:
                fresh = combiner.stats == CombinerStats()
                applied = combiner.submit(apply_many, receive("child", MUG)).result(PATIENCE_S).applied
                alone = combiner.stats == CombinerStats(batches=1, commands=1, largest_batch=1)
                combiner.close()
                shop.database.close()
                os._exit(0 if fresh and applied and alone else 1)
            finally:
                os._exit(2)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert waiting.result(PATIENCE_S).applied
    (after,) = queued(combiner, receive("after", MUG))
    assert after.result().applied
    assert shop.counters() == (3, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("shop_url", ["sqlite-file"], indirect=True)
def test_a_process_that_forgets_to_close_ends_nevertheless(shop: Shop, tmp_path: Path) -> None:
    url = str(shop.database.engine.url)
    script = (
        "from omo_core import Demand, OrderHub, Receive\n"
        f"hub = OrderHub.open({url!r})\n"
        "line = Demand(sku='MUG', node='TPE', quantity=1)\n"
        "assert hub.stock.apply(Receive(key='r', lines=(line,))).applied\n"
        "assert hub.combiner.stats.commands == 1\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert shop.counters() == (1, 0, 0, 0)
