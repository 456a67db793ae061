"""A pool that is broken on purpose does not come through the simulator, which then says how to see it again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Table

from omo_core.model.errors import DatabaseUnavailable
from omo_core.storage import operations, tables_of_goods
from omo_core.storage.database import Database
from omo_core.storage.operations import Operation, Stored
from omo_core.storage.tables import hold, posting, stock
from omo_core.storage.transaction import Transaction
from omo_core.testing.simulator import main

Patch = pytest.MonkeyPatch


def without_last(table: Table) -> Callable[[Patch], None]:
    """Of several rows for a table the last is not written."""

    def break_it(patch: Patch) -> None:
        for name in ("insert", "insert_tuples"):
            patch.setattr(Transaction, name, forgetful(getattr(Transaction, name)))

    def forgetful(insert: Callable[..., None]) -> Callable[..., None]:
        def forget(tx: Transaction, into: Table, *arguments: Any) -> None:
            *before, rows = arguments
            insert(tx, into, *before, rows[:-1] if into is table else rows)

        return forget

    return break_it


def loses_a_key(patch: Patch) -> None:
    record = operations.record

    def forget(tx: Transaction, rows: Sequence[Operation]) -> None:
        record(tx, rows[:-1] if len(rows) > 1 else rows)

    patch.setattr(operations, "record", forget)


def answers_otherwise_the_second_time(patch: Patch) -> None:
    find = operations.find

    def change(tx: Transaction, keys: Any) -> dict[Any, Stored]:
        return {
            name: replace(stored, answer=stored.answer.replace('"issued":0,', '"issued":1,'))
            for name, stored in find(tx, keys).items()
        }

    patch.setattr(operations, "find", change)


def applies_the_same_key_twice(patch: Patch) -> None:
    patch.setattr(operations, "find", lambda _tx, _keys: {})
    patch.setattr(operations, "record", lambda _tx, _rows: None)


def answers_before_the_commit(patch: Patch) -> None:
    run = Database.run

    def hasty(database: Database, pool: str, work: Callable[[Transaction], Any], *, read_only: bool = False) -> Any:
        answers: list[Any] = []

        def remember(tx: Transaction) -> Any:
            answers.append(work(tx))
            return answers[-1]

        try:
            return run(database, pool, remember, read_only=read_only)
        except DatabaseUnavailable:
            if answers:
                return answers[-1]
            raise

    patch.setattr(Database, "run", hasty)


def commits_halfway(patch: Patch) -> None:
    update = Transaction.update

    def half(tx: Transaction, table: Table, rows: Any, **named: Any) -> int:
        matched = update(tx, table, rows, **named)
        if table is stock and rows:
            tx.connection.exec_driver_sql("COMMIT")
            tx.connection.exec_driver_sql("BEGIN IMMEDIATE")
        return matched

    patch.setattr(Transaction, "update", half)


def loses_an_update(table: Table) -> Callable[[Patch], None]:
    """Of several changed rows of a table one stays as it was, and nobody is told."""

    def break_it(patch: Patch) -> None:
        update = Transaction.update

        def forget(tx: Transaction, into: Table, rows: Any, **named: Any) -> int:
            if into is not table or len(rows) < 2:
                return update(tx, into, rows, **named)
            return 1 + update(tx, into, rows[1:], **named)

        patch.setattr(Transaction, "update", forget)

    return break_it


def announces_nothing(patch: Patch) -> None:
    patch.setattr(Transaction, "publish", lambda _tx, _type, _subject, _data: "")


BROKEN: dict[str, Callable[[Patch], None]] = {
    "forgets a hold": without_last(hold),
    "forgets a ledger line": without_last(posting),
    "forgets a count task": without_last(tables_of_goods.count_task),
    "loses a key": loses_a_key,
    "answers otherwise the second time": answers_otherwise_the_second_time,
    "applies the same key twice": applies_the_same_key_twice,
    "answers before the commit": answers_before_the_commit,
    "commits halfway": commits_halfway,
    "loses an update of stock": loses_an_update(stock),
    "loses an update of a hold": loses_an_update(hold),
    "announces nothing": announces_nothing,
}
QUICK = ("forgets a hold", "answers before the commit")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in BROKEN]
)
def test_a_broken_pool_is_found_and_shown_again(name: str, patch: Patch, capsys: pytest.CaptureFixture[str]) -> None:
    BROKEN[name](patch)
    assert main(["--seed", "3", "--operations", "300"]) == 1
    *_, replay = capsys.readouterr().out.strip().splitlines()
    python, module, simulator, *words = shlex.split(replay)
    assert (python, module, simulator) == ("python", "-m", "omo_core.testing.simulator")
    assert main(words) == 1
    again = capsys.readouterr().out
    assert "violations:" in again
    assert again.strip().splitlines()[-1] == replay


@pytest.fixture
def patch(monkeypatch: Patch) -> Patch:
    return monkeypatch
