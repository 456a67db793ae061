"""Hypothesis drives the pool command by command, batch by batch, beside its pure model; whatever it tries, they agree."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Table

from omo_core.inventory import apply_many, expire_holds, levels_of_skus
from omo_core.model.stock import SELLABLE, StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.catalogue import save_network
from omo_core.storage.clock import ManualClock, to_us
from omo_core.storage.database import Database
from omo_core.storage.ids import SeededIds
from omo_core.storage.tables import posting
from omo_core.storage.transaction import Transaction
from omo_core.testing.pool_model import PoolModel
from omo_core.testing.simulator_check import differences
from omo_core.testing.simulator_commands import MAKERS, Maker
from omo_core.testing.simulator_desk import NETWORK, NODES, SKUS, Desk
from tests.effort import examples

EXAMPLES = int(os.environ.get("OMO_STATEFUL_EXAMPLES", examples(10)))
POOL = "default"
SCOPE = "till"

makers = st.sampled_from(list(MAKERS))
dice = st.randoms(use_true_random=False)


class Lost(Exception):
    """The connection is lost before the commit."""


class PoolBesideModel(RuleBasedStateMachine):
    """Commands wait in a batch until it is applied; the model gets the same ones in the same order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.database = Database.open("sqlite:///:memory:", clock=self.clock, ids=SeededIds(1, self.clock))
        self.database.run(POOL, lambda tx: save_network(tx, NETWORK))
        self.model = PoolModel(frozenset(SKUS), frozenset(NODES))
        self.desk = Desk(random.Random(1), self.clock.now())
        self.batch: list[StockCommand] = []
        self.applied: list[StockCommand] = []
        self.keys = 0

    @rule(maker=makers, luck=dice)
    def ask(self, maker: Maker, luck: random.Random) -> None:
        self.keys += 1
        self.batch.append(self.command(maker, luck, str(self.keys)))

    @precondition(lambda self: self.keys)
    @rule(maker=makers, luck=dice)
    def ask_with_a_used_key(self, maker: Maker, luck: random.Random) -> None:
        self.batch.append(self.command(maker, luck, str(luck.randint(1, self.keys))))

    @precondition(lambda self: self.applied)
    @rule(place=st.integers(0, 10_000))
    def ask_again(self, place: int) -> None:
        self.batch.append(self.applied[place % len(self.applied)])

    @rule(seconds=st.sampled_from([1, 60, 3_600, 90_000]))
    def wait(self, seconds: int) -> None:
        self.desk.now = self.clock.advance(timedelta(seconds=seconds))

    @rule()
    def commit(self) -> None:
        answers = self.database.run(POOL, lambda tx: apply_many(tx, self.batch))
        now_us = to_us(self.clock.now())
        expected = [
            self.model.apply(command, now_us, [hold.hold for hold in answer.holds])
            for command, answer in zip(self.batch, answers, strict=True)
        ]
        assert answers == expected
        for answer in answers:
            self.desk.heard(answer)
        self.applied += self.batch
        self.batch = []

    @rule()
    def lose_the_connection(self) -> None:
        def work(tx: Transaction) -> list[StockAnswer]:
            apply_many(tx, self.batch)
            raise Lost

        try:
            self.database.run(POOL, work)
        except Lost:
            return
        raise AssertionError("the transaction was not lost")

    @rule(limit=st.integers(1, 5))
    def sweep(self, limit: int) -> None:
        ended = self.database.run(POOL, lambda tx: expire_holds(tx, limit))
        assert ended == self.model.sweep(to_us(self.clock.now()), limit)

    @invariant()
    def rows_agree(self) -> None:
        found = self.database.read(POOL, lambda tx: levels_of_skus(tx, SKUS))
        shown = {(one.sku, one.node): (one.on_hand, one.reserved, one.safety, one.shortage) for one in found}
        rows = self.model.rows.items()
        assert shown == {cell[:2]: row.counters for cell, row in rows if cell[2] == SELLABLE}

    def teardown(self) -> None:
        found: Any = self.database.read(POOL, lambda tx: list(differences(tx, self.model)))
        self.database.close()
        assert found == []

    def command(self, maker: Maker, luck: random.Random, key: str) -> StockCommand:
        self.desk.dice = luck
        return maker(self.desk, SCOPE, key)


@pytest.mark.slow
def test_a_broken_pool_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    insert = Transaction.insert_tuples

    def forget(tx: Transaction, table: Table, names: Any, rows: Any) -> None:
        insert(tx, table, names, rows[:-1] if table is posting else rows)

    monkeypatch.setattr(Transaction, "insert_tuples", forget)
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(
            PoolBesideModel, settings=settings(max_examples=20, stateful_step_count=40, phases=[Phase.generate])
        )


TestPoolBesideModel = PoolBesideModel.TestCase
TestPoolBesideModel.settings = settings(max_examples=EXAMPLES, stateful_step_count=40)
