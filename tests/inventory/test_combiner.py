"""Group commit: one transaction for many callers, one answer each, and nobody pays for his neighbour."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from omo_core.inventory import apply_many
from omo_core.inventory.combiner import Combiner, CombinerStats
from omo_core.model.errors import DatabaseError, HubClosed, InvalidInput, InvariantViolation, Overloaded
from omo_core.model.stock import StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.transaction import Transaction
from tests.inventory.conftest import POOL, Shop, place, receive, sell

PATIENCE_S = 30
MUG = ("MUG", "TPE", 1)


@pytest.fixture
def combiner(shop: Shop) -> Iterator[Combiner]:
    opened = Combiner(shop.database, POOL)
    yield opened
    opened.close()


@contextmanager
def busy(combiner: Combiner) -> Iterator[Callable[[], None]]:
    """Keep the combiner's thread inside a transaction: what the block submits waits, and is the next batch.

    Yields what lets the thread go on, for a block that must not wait until its end.
    """
    begun, go_on = threading.Event(), threading.Event()

    def hold_up(_tx: Transaction, commands: Sequence[str]) -> Sequence[str]:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return commands

    held = combiner.submit(hold_up, "gate")
    assert begun.wait(PATIENCE_S)
    try:
        yield go_on.set
    finally:
        go_on.set()
    assert held.result(PATIENCE_S) == "gate"


def queued(combiner: Combiner, *commands: StockCommand) -> list[Future[StockAnswer]]:
    """Submit while the thread is busy, so that the commands are one batch; returns when all are settled."""
    with busy(combiner):
        futures = [combiner.submit(apply_many, command) for command in commands]
        assert not any(future.done() for future in futures)
    for future in futures:
        future.exception(PATIENCE_S)
    return futures


def codes(future: Future[StockAnswer]) -> list[str]:
    return [refusal.code for refusal in future.result(PATIENCE_S).refusals]


def test_commands_that_wait_share_one_transaction_and_are_decided_as_they_came(shop: Shop, combiner: Combiner) -> None:
    futures = queued(
        combiner,
        place("early", MUG),
        receive("r", ("MUG", "TPE", 2)),
        place("a", ("MUG", "TPE", 2)),
        place("late", MUG),
        receive("more", MUG),
        place("again", MUG),
        place("a", ("MUG", "TPE", 2)),
    )
    assert [codes(future) for future in futures] == [
        ["insufficient_stock"],
        [],
        [],
        ["insufficient_stock"],
        [],
        [],
        [],
    ]
    assert futures[2].result() == futures[6].result(), "a repeated key has one answer, also within a batch"
    assert combiner.stats == CombinerStats(batches=2, commands=8, largest_batch=7)
    assert shop.counters() == (3, 3, 0, 0)


def test_the_last_units_have_one_buyer_each_among_64_threads(shop: Shop, combiner: Combiner) -> None:
    units, attempts = 50, 3
    shop.apply(receive("r", ("MUG", "TPE", units)))

    def buy(thread: int) -> list[StockAnswer]:
        return [combiner.call(apply_many, place(f"{thread}/{number}", MUG)) for number in range(attempts)]

    with ThreadPoolExecutor(64) as threads:
        answers = [answer for mine in threads.map(buy, range(64)) for answer in mine]
    assert sum(answer.applied for answer in answers) == units
    assert {answer.refusals[0].code for answer in answers if not answer.applied} == {"insufficient_stock"}
    assert shop.counters() == (units, units, 0, 0)
    assert combiner.stats.commands == 64 * attempts
    assert shop.count("operation") == 64 * attempts + 1


def with_curse(tx: Transaction, commands: Sequence[StockCommand]) -> list[StockAnswer]:
    """A handler with a defect: it does its work, and only then finds that one command is too much for it."""
    answers = apply_many(tx, commands)
    if any(command.key == "cursed" for command in commands):
        raise InvariantViolation("cursed")
    return answers


@pytest.mark.parametrize("position", [0, 3, 8])
def test_a_poisonous_command_fails_alone(shop: Shop, combiner: Combiner, position: int) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    keys = [f"k{number}" for number in range(8)]
    keys.insert(position, "cursed")
    with busy(combiner):
        futures = {key: combiner.submit(with_curse, place(key, MUG)) for key in keys}
    with pytest.raises(InvariantViolation, match="cursed"):
        futures.pop("cursed").result(PATIENCE_S)
    assert all(future.result(PATIENCE_S).applied for future in futures.values())
    assert shop.counters() == (9, 8, 0, 0)
    assert combiner.stats.commands == 9, "eight and the gate"


def test_a_value_that_no_database_takes_fails_its_own_command(shop: Shop, combiner: Combiner) -> None:
    bad = receive("bad", MUG).model_copy(update={"reference": "x", "key": "nul\x00"})
    first, spoilt, last = queued(combiner, receive("a", MUG), bad, receive("b", MUG))
    assert isinstance(spoilt.exception(), InvalidInput)
    assert first.result().applied
    assert last.result().applied
    assert shop.counters() == (2, 0, 0, 0)


CURSE = {
    "sqlite": [
        "CREATE TRIGGER curse BEFORE INSERT ON omo_hold WHEN NEW.owner = 'cursed' BEGIN SELECT RAISE(ABORT, 'no'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION curse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
        "CREATE TRIGGER curse BEFORE INSERT ON omo_hold FOR EACH ROW WHEN (NEW.owner = 'cursed') "
        "EXECUTE FUNCTION curse()",
    ],
}


def test_a_row_that_the_database_refuses_fails_its_own_command(shop: Shop, combiner: Combiner) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 9)))
    shop.execute(*CURSE[shop.database.engine.dialect.name])
    commands = [place(f"k{number}", MUG, owner="cursed" if number == 2 else None) for number in range(5)]
    futures = queued(combiner, *commands)
    assert [isinstance(future.exception(), DBAPIError) for future in futures] == [False, False, True, False, False]
    assert shop.counters() == (9, 4, 0, 0)


def test_an_exception_among_the_answers_is_its_callers_alone(combiner: Combiner) -> None:
    def picky(_tx: Transaction, commands: Sequence[int]) -> list[int | Exception]:
        return [ValueError(command) if command == 2 else command for command in commands]

    with busy(combiner):
        futures = [combiner.submit(picky, number) for number in range(4)]
    assert [future.exception(PATIENCE_S) is None for future in futures] == [True, True, False, True]
    assert combiner.stats.batches == 2, "the batch was committed: nothing was tried again"


def test_a_handler_that_forgets_an_answer_is_rolled_back_and_named(shop: Shop, combiner: Combiner) -> None:
    def forgetful(tx: Transaction, commands: Sequence[StockCommand]) -> list[StockAnswer]:
        return apply_many(tx, commands)[1:]

    with pytest.raises(InvariantViolation, match=r"gave 0 answers to 1 commands"):
        combiner.call(forgetful, receive("r", MUG))
    assert shop.count("operation") == 0


def test_kinds_are_applied_as_they_came_in_runs_of_neighbours(combiner: Combiner) -> None:
    log: list[tuple[str, list[int]]] = []

    def kind(name: str) -> Callable[[Transaction, Sequence[int]], Sequence[int]]:
        def apply(_tx: Transaction, commands: Sequence[int]) -> Sequence[int]:
            log.append((name, list(commands)))
            return commands

        return apply

    a, b = kind("a"), kind("b")
    with busy(combiner):
        futures = [combiner.submit(apply, number) for number, apply in enumerate([a, a, b, a, b, b])]
    assert [future.result(PATIENCE_S) for future in futures] == list(range(6))
    assert log == [("a", [0, 1]), ("b", [2]), ("a", [3]), ("b", [4, 5])]
    assert combiner.stats.largest_batch == 6


def test_a_cancelled_command_is_not_applied(shop: Shop, combiner: Combiner) -> None:
    with busy(combiner):
        kept, cancelled = combiner.submit(apply_many, receive("a", MUG)), combiner.submit(apply_many, receive("b", MUG))
        assert cancelled.cancel()
    assert kept.result(PATIENCE_S).applied
    assert not kept.cancel()
    assert shop.counters() == (1, 0, 0, 0)
    with busy(combiner):
        assert combiner.submit(apply_many, receive("c", MUG)).cancel()
    assert combiner.call(apply_many, sell("s", MUG)).applied, "a batch of cancelled commands only stops nothing"


def test_closing_answers_what_waits_and_takes_no_more(shop: Shop, combiner: Combiner) -> None:
    with busy(combiner) as let_go:
        futures = [combiner.submit(apply_many, receive(f"r{number}", MUG)) for number in range(5)]
        closing = threading.Thread(target=combiner.close)
        closing.start()
        refused = False
        while not refused:
            try:
                futures.append(combiner.submit(apply_many, receive(f"r{len(futures)}", MUG)))
            except HubClosed:
                refused = True
        let_go()
        closing.join(PATIENCE_S)
    assert not closing.is_alive()
    assert all(future.done() for future in futures)
    assert shop.counters() == (len(futures), 0, 0, 0)
    combiner.close()
    with pytest.raises(HubClosed, match="open another one"):
        combiner.submit(apply_many, receive("late", MUG))


def test_a_full_queue_refuses_without_waiting(shop: Shop) -> None:
    combiner = Combiner(shop.database, POOL, max_waiting=3)
    with busy(combiner):
        long = combiner.submit(apply_many, receive("long", MUG, MUG, MUG, MUG), weight=4)
        with pytest.raises(Overloaded, match=r"4 lines .* later, with the same key"):
            combiner.submit(apply_many, receive("r", MUG))
    assert long.result(PATIENCE_S).applied, "one command may be longer than the queue"
    assert combiner.call(apply_many, receive("r", MUG)).applied
    combiner.close()


def test_long_commands_fill_a_batch_sooner(shop: Shop) -> None:
    combiner = Combiner(shop.database, POOL, max_batch=10)
    with busy(combiner):
        futures = [combiner.submit(apply_many, receive(f"r{n}", MUG), weight=n) for n in (4, 6, 25, 3, 3, 3, 3)]
    assert all(future.result(PATIENCE_S).applied for future in futures)
    combiner.close()
    assert combiner.stats == CombinerStats(batches=5, commands=8, largest_batch=3)


def test_inside_a_transaction_of_ones_own_the_combiner_would_be_waited_for_forever(
    shop: Shop, combiner: Combiner
) -> None:
    with shop.database.transaction(POOL), pytest.raises(DatabaseError, match="pass that one on"):
        combiner.submit(apply_many, receive("r", MUG))
    assert combiner.call(apply_many, receive("r", MUG)).applied


def test_a_callback_may_submit_but_not_wait(combiner: Combiner) -> None:
    seen: list[Any] = []

    def called_back(_done: Future[StockAnswer]) -> None:
        seen.append(combiner.submit(apply_many, receive("b", MUG)))
        try:
            combiner.call(apply_many, receive("c", MUG))
        except DatabaseError as error:
            seen.append(str(error))

    with busy(combiner):
        combiner.submit(apply_many, receive("a", MUG)).add_done_callback(called_back)
    assert combiner.call(apply_many, receive("d", MUG)).applied
    assert "whose thread it runs in" in seen[1]
    assert seen[0].result(PATIENCE_S).applied


def test_commands_gathered_by_a_thread_make_one_batch(combiner: Combiner, shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2_000)))
    with combiner.together():
        futures = [combiner.submit(apply_many, place(f"o{number}", MUG)) for number in range(1_200)]
        assert combiner.stats.batches == 0
    assert all(future.result(PATIENCE_S).applied for future in futures)
    assert combiner.stats == CombinerStats(batches=1, commands=1_200, largest_batch=1_200)


def test_a_block_that_raises_gathers_nothing(combiner: Combiner, shop: Shop) -> None:
    shop.apply(receive("r", ("MUG", "TPE", 2)))
    lost: list[Future[StockAnswer]] = []

    def gather() -> None:
        with combiner.together():
            lost.append(combiner.submit(apply_many, place("lost", MUG)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        gather()
    assert lost[0].cancelled()
    (answer,) = queued_alone(combiner, place("kept", MUG))
    assert answer.applied
    assert shop.holds("lost") == []


def test_gathering_can_neither_wait_nor_be_nested(combiner: Combiner) -> None:
    with pytest.raises(DatabaseError, match="wait after the block"), combiner.together():
        combiner.call(apply_many, place("o", MUG))
    with pytest.raises(DatabaseError, match="end that block first"), combiner.together(), combiner.together():
        pass
    with combiner.together():
        pass
    assert combiner.stats.batches == 0


def queued_alone(combiner: Combiner, command: StockCommand) -> Sequence[StockAnswer]:
    return [combiner.call(apply_many, command)]
