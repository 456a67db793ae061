"""A pool that is broken on purpose does not come through the simulator, which then says how to see it again."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Table

from omo_core.model.stock import StockAnswer
from omo_core.storage import tables
from omo_core.storage.database import Database
from omo_core.storage.tables import hold, operation, posting, stock
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


def answers_otherwise_the_second_time(patch: Patch) -> None:
    read = StockAnswer.model_validate_json

    def change(text: str | bytes) -> StockAnswer:
        return read(text).model_copy(update={"kind": "another_kind"})

    patch.setattr(StockAnswer, "model_validate_json", change)


def does_not_look_for_a_key(patch: Patch) -> None:
    select = Transaction.select

    def blind(tx: Transaction, table: Table, *arguments: Any, **named: Any) -> Any:
        return [] if table is operation else select(tx, table, *arguments, **named)

    patch.setattr(Transaction, "select", blind)


def answers_before_the_commit(patch: Patch) -> None:
    def hasty(database: Database, pool: str, work: Callable[[Transaction], Any], *, read_only: bool = False) -> Any:
        answers: list[Any] = []
        try:
            with database.transaction(pool, read_only=read_only) as tx:
                answers.append(work(tx))
        except BaseException:
            if answers:
                return answers[-1]
            raise
        return answers[-1]

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
    "forgets a count task": without_last(tables.count_task),
    "loses a key": without_last(operation),
    "answers otherwise the second time": answers_otherwise_the_second_time,
    "does not look for a key": does_not_look_for_a_key,
    "answers before the commit": answers_before_the_commit,
    "commits halfway": commits_halfway,
    "loses an update of stock": loses_an_update(stock),
    "loses an update of a hold": loses_an_update(hold),
    "announces nothing": announces_nothing,
}
SEEDS = range(3, 9)
QUICK = ("forgets a hold",)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in BROKEN]
)
def test_a_broken_pool_is_found_and_shown_again(name: str, patch: Patch, capsys: pytest.CaptureFixture[str]) -> None:
    BROKEN[name](patch)
    codes = (main(["--seed", str(seed), "--operations", "500"]) for seed in SEEDS)
    assert 1 in codes, "none of the seeds found it"
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
