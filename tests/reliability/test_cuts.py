"""Commits cut on the wire: the proxy cuts where it says, and a command repeated with its key is applied once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import psycopg
import pytest

from omo_core.inventory import apply_one, audit
from omo_core.model.stock import Demand, Receive, StockAnswer
from omo_core.storage.database import Database
from omo_core.storage.transaction import Transaction
from omo_core.testing.cuts import cut_commits
from omo_core.testing.proxy import CommitCutter, Cut
from omo_core.testing.traffic import POOL, cells_of, open_pool

COMMITTED = {Cut.BEHIND, Cut.ANSWER, Cut.ANSWER_WITHIN}


def once(cut: Cut) -> Iterator[Cut | None]:
    """This cut, then none."""
    yield cut
    while True:
        yield None


@pytest.mark.slow
def test_three_hundred_cuts(postgres_url: str) -> None:
    outcome = cut_commits(postgres_url, seed=1, cuts=300)
    assert outcome.violations == []
    assert outcome.counts["cuts"] >= 300
    assert min(outcome.counts[f"cuts_{cut.value}"] for cut in Cut) >= 30


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("cut", Cut)
def test_a_cut_is_where_it_says(postgres_url: str, cut: Cut, extended: bool) -> None:
    """Seen from the server: the row is there, or it is not; seen from the client it is always a lost connection."""
    plain = postgres_url.replace("+psycopg", "")
    with psycopg.connect(plain) as direct:
        direct.execute("CREATE TABLE seen (n INTEGER)")
    choice = once(cut)
    with CommitCutter(postgres_url, lambda: next(choice)) as cutter:
        client = psycopg.connect(cutter.url.replace("+psycopg", ""), autocommit=extended)
        if extended:
            client.execute("BEGIN")
        client.execute("INSERT INTO seen VALUES (%s)", (1,))
        with pytest.raises(psycopg.OperationalError):
            client.execute("COMMIT", prepare=True) if extended else client.commit()
        client.close()
        assert cutter.cuts == {cut: 1}
        with psycopg.connect(cutter.url.replace("+psycopg", "")) as later:
            later.execute("LOCK TABLE seen")  # waits for a server that still has to find out
            assert later.execute("SELECT count(*) FROM seen").fetchone() == (int(cut in COMMITTED),)


@pytest.mark.parametrize("cut", Cut)
def test_run_repeats_a_commit_of_unknown_outcome_with_the_same_key(postgres_url: str, cut: Cut) -> None:
    cells = cells_of(skus=1, nodes=1)
    (sku, node) = cells[0]
    with Database.open(postgres_url) as direct:
        open_pool(direct, cells, 0)
    command = Receive(key="r", lines=(Demand(sku=sku, node=node, quantity=3),))
    choice, tries = once(cut), 0

    def work(tx: Transaction) -> StockAnswer:
        nonlocal tries
        tries += 1
        return apply_one(tx, command)

    with CommitCutter(postgres_url, lambda: next(choice)) as cutter, Database(cutter.url) as database:
        answer = database.run(POOL, work)
        assert (tries, cutter.cuts.total()) == (2, 1)
        assert database.run(POOL, partial(apply_one, command=command)) == answer
        with database.connection(read_only=True) as connection:
            assert connection.exec_driver_sql("SELECT on_hand FROM omo_stock").scalar_one() == 3
        assert database.read(POOL, audit).findings == ()
