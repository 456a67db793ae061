"""A key is applied once, whoever repeats it and however many do so at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from sqlalchemy.exc import DBAPIError

from omo_core.model.errors import DatabaseError, DuplicateKeyMismatch
from omo_core.model.stock import Demand, Receive, StockAnswer
from omo_core.storage import tables
from omo_core.storage.database import Database
from omo_core.storage.operations import Keyed, Operation, find, record
from omo_core.storage.transaction import Transaction
from tests.storage.beside import PATIENCE_S, beside
from tests.storage.conftest import POOL
from tests.storage.rows import item, items


def receipt(key: str, quantity: int = 1, scope: str = "wms") -> Receive:
    return Receive(key=key, scope=scope, lines=(Demand(sku="A", node="N1", quantity=quantity),))


def operation(key: str, operation_id: str, answer: str = "{}") -> Operation:
    return Operation("wms", key, operation_id, "receive", "sha", answer)


def apply(tx: Transaction, commands: list[Receive]) -> list[StockAnswer]:
    """What a room does with keyed commands: one item row for each that is applied."""
    keyed = Keyed(tx, commands)
    for command in keyed.fresh():
        tx.insert(tables.item, [item(f"{command.scope}/{command.key}", version=command.lines[0].quantity)])
        keyed.answer(command, StockAnswer(key=command.key, kind=f"receive-{command.lines[0].quantity}"))
    return keyed.answers(StockAnswer)


def keys_on_record(tx: Transaction) -> list[str]:
    return list(tx.connection.exec_driver_sql("SELECT key FROM omo_operation ORDER BY key").scalars())


def test_what_was_recorded_is_found_word_for_word(database: Database, clock: object) -> None:
    answer = '{"a" :  1, "ß": "数"}'

    def work(tx: Transaction) -> None:
        assert find(tx, [("wms", "k1"), ("wms", "k2")]) == {}
        record(tx, [operation("k1", "o1", answer), operation("k2", "o2")])

    database.run(POOL, work)
    found = database.run(POOL, lambda tx: find(tx, [("wms", "k1"), ("till", "k1"), ("wms", "k9")]))
    assert list(found) == [("wms", "k1")]
    stored = found["wms", "k1"]
    assert (stored.operation_id, stored.kind, stored.request_sha256, stored.answer) == ("o1", "receive", "sha", answer)
    assert stored.created_at_us == 1_767_225_600_000_000


def test_a_repeated_command_gets_its_stored_answer_and_is_not_applied(database: Database) -> None:
    commands = [receipt("k2"), receipt("k1"), receipt("k2"), receipt("k1", scope="till")]
    first = database.run(POOL, lambda tx: apply(tx, commands))
    assert [answer.key for answer in first] == ["k2", "k1", "k2", "k1"]
    assert first[0] == first[2]
    again = database.run(POOL, lambda tx: apply(tx, [*commands, receipt("k3")]))
    assert again[:4] == first
    assert [sku for sku, _ in database.run(POOL, items)] == ["till/k1", "wms/k1", "wms/k2", "wms/k3"]


def test_within_one_transaction_a_repeat_is_known_too(database: Database) -> None:
    with database.transaction(POOL) as tx:
        first = apply(tx, [receipt("k1")])
        assert apply(tx, [receipt("k1"), receipt("k2")])[:1] == first
    assert len(database.run(POOL, items)) == 2


@pytest.mark.parametrize("together", [True, False])
def test_a_key_with_another_request_is_refused_and_nothing_applied(database: Database, together: bool) -> None:
    if not together:
        database.run(POOL, lambda tx: apply(tx, [receipt("k1", 5)]))
    before = database.run(POOL, items)
    batch = [receipt("k0"), receipt("k1", 5), receipt("k1", 6)]
    with pytest.raises(DuplicateKeyMismatch, match=r"'k1'.*new key"):
        database.run(POOL, lambda tx: apply(tx, batch))
    assert database.run(POOL, items) == before


def test_a_key_that_was_asked_for_and_never_answered_is_free(database: Database) -> None:
    database.run(POOL, lambda tx: find(tx, [("wms", "k1"), ("wms", "k2")]))
    assert database.run(POOL, keys_on_record) == []

    def one_of_two(tx: Transaction) -> None:
        find(tx, [("wms", "k1"), ("wms", "k2")])
        record(tx, [operation("k2", "o2")])

    database.run(POOL, one_of_two)
    assert database.run(POOL, keys_on_record) == ["k2"]


def test_a_failed_command_leaves_its_key_free(database: Database) -> None:
    def fail(tx: Transaction) -> None:
        find(tx, [("wms", "k1")])
        record(tx, [operation("k1", "o1")])
        raise LookupError("the room changed its mind")

    with pytest.raises(LookupError):
        database.run(POOL, fail)
    assert database.run(POOL, lambda tx: find(tx, [("wms", "k1")])) == {}


def test_an_answer_is_final(database: Database) -> None:
    def work(tx: Transaction) -> None:
        find(tx, [("wms", "k1")])
        record(tx, [operation("k1", "o1")])

    database.run(POOL, work)
    with pytest.raises(Exception, match=r"(?i)recorded twice|unique"):
        database.run(POOL, lambda tx: record(tx, [operation("k1", "o2", '{"other": 1}')]))
    assert database.run(POOL, lambda tx: find(tx, [("wms", "k1")]))["wms", "k1"].operation_id == "o1"


def test_an_empty_answer_is_a_defect(database: Database) -> None:
    with pytest.raises(DatabaseError, match="not empty"):
        database.run(POOL, lambda tx: record(tx, [operation("k1", "o1", "")]))


def test_pools_have_keys_of_their_own(database: Database) -> None:
    database.run("one", lambda tx: apply(tx, [receipt("k1", 5)]))
    assert database.run("two", lambda tx: apply(tx, [receipt("k1", 6)]))[0].kind == "receive-6"


def test_the_second_of_two_waits_and_sees_the_stored_answer(shared: Database) -> None:
    """The rival arrives while the first is still deciding, and neither fails nor is run again."""
    claimed, calls = Event(), []

    def first(tx: Transaction) -> StockAnswer:
        keyed = Keyed(tx, [receipt("k1")])
        claimed.set()
        Event().wait(0.2)
        keyed.answer(receipt("k1"), StockAnswer(key="k1", kind="first"))
        return keyed.answers(StockAnswer)[0]

    def second(tx: Transaction) -> StockAnswer:
        calls.append(1)
        return apply(tx, [receipt("k1")])[0]

    with beside(lambda: shared.run(POOL, first)):
        assert claimed.wait(PATIENCE_S)
        assert shared.run(POOL, second).kind == "first"
    assert calls == [1]


def test_the_second_of_two_applies_what_the_first_gave_up(shared: Database) -> None:
    claimed = Event()

    def give_up(tx: Transaction) -> None:
        find(tx, [("wms", "k1")])
        claimed.set()
        Event().wait(0.2)
        raise LookupError

    def first() -> None:
        with pytest.raises(LookupError):
            shared.run(POOL, give_up)

    with beside(first):
        assert claimed.wait(PATIENCE_S)
        shared.run(POOL, lambda tx: apply(tx, [receipt("k1")]))
    assert shared.run(POOL, items) == [("wms/k1", 1)]


def test_many_callers_with_overlapping_batches_apply_each_key_once(shared: Database) -> None:
    keys = [f"k{n:02}" for n in range(20)]
    workers, start = 6, Barrier(6, timeout=PATIENCE_S)
    faults: list[str] = []

    def call(worker: int) -> list[tuple[str, str]]:
        dice = random.Random(worker)
        answers = []
        start.wait()
        for _ in range(5):
            batch = [receipt(key, 1 + worker) for key in dice.sample(keys, 8)]

            def work(tx: Transaction, batch: list[Receive] = batch) -> list[tuple[str, str]]:
                known = find(tx, [(command.scope, command.key) for command in batch])
                fresh = [command for command in batch if (command.scope, command.key) not in known]
                tx.insert(tables.item, [item(f"wms/{command.key}", version=1 + worker) for command in fresh])
                record(tx, [operation(command.key, tx.new_id(), f'"{worker}"') for command in fresh])
                return [(key, stored.answer) for (_, key), stored in known.items()] + [
                    (command.key, f'"{worker}"') for command in fresh
                ]

            def noted(
                tx: Transaction, work: Callable[[Transaction], list[tuple[str, str]]] = work
            ) -> list[tuple[str, str]]:
                try:
                    return work(tx)
                except DBAPIError as error:
                    faults.append(str(getattr(error.orig, "sqlstate", error.orig)))
                    raise

            answers += shared.run(POOL, noted)
        return answers

    with ThreadPoolExecutor(workers) as threads:
        heard = [pair for pairs in threads.map(call, range(workers)) for pair in pairs]
    assert len(heard) == workers * 5 * 8
    answers = dict(heard)
    assert set(heard) == set(answers.items()), "whoever asked for a key heard the same answer"
    applied = shared.run(POOL, items)
    assert applied == [(f"wms/{key}", 1 + int(answers[key].strip('"'))) for key in sorted(answers)]
    assert "40P01" not in faults, "nobody was a victim of a deadlock"
