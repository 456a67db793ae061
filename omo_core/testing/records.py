"""Compares what clients were told with what the database keeps: nothing lost, changed, doubled or half done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from omo_core.inventory import apply_many, apply_one, audit
from omo_core.model.stock import StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.storage import tables
from omo_core.storage.database import Database
from omo_core.testing.traffic import POOL, Cell, Expected, Traffic

MOST: Final = 20
"""So many violations of a kind are named; more say nothing new."""


@dataclass(slots=True)
class Outcome:
    """What a trial did, by name of what was counted, and every violation it saw, one sentence each."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Record:
    """What one client of `Traffic(name, seed, cells)` was told: the answers' JSON texts, in order."""

    name: str
    seed: int
    cells: Sequence[Cell]
    acknowledged: Sequence[str]


def check_records(database: Database, records: Iterable[Record], *, opened_with: int) -> Outcome:
    """Send every acknowledged command again, and the one after it twice; then compare the whole stock and audit it.

    The records are those of all clients that ever wrote to the pool, each ended, all on the same cells, which had
    `opened_with` units each in the beginning. Counts: acknowledged, unanswered (the last command of a client), and
    unanswered_applied (those of them that the database had applied nevertheless).
    """
    outcome, expected = Outcome(), Expected()
    told: list[tuple[StockCommand, StockAnswer]] = []
    for record in records:
        told += _check_one(database, record, outcome)
        if not expected.on_hand:
            expected.open(record.cells, opened_with)
    for _, answer in told:
        expected.place(answer)
    for command, answer in told:
        expected.move(command, answer)
    outcome.violations += _compare_stock(database, expected)
    outcome.violations += [finding.sentence for finding in database.read(POOL, audit).findings[:MOST]]
    return outcome


def lost_or_changed(database: Database, name: str, acknowledged: Sequence[str], *, first: int = 1) -> list[str]:
    """Of a client's answers, from its `first` command on, those that the database does not keep word for word.

    Asks the database itself, so nothing is sent again.
    """
    keys = [(name, str(number)) for number, _ in enumerate(acknowledged, first)]
    kept = stored_answers(database, keys)
    return [
        f"the answer to {key} was {'lost' if key not in kept else 'changed to ' + kept[key]}: {text}"
        for key, text in zip(keys, acknowledged, strict=True)
        if kept.get(key) != text
    ]


def stored_answers(database: Database, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The answers that the database keeps for those of `keys` (scope, key) that it applied."""
    columns = ("scope", "key", "answer")
    rows = database.read(POOL, lambda tx: tx.select(tables.operation, columns, columns[:2], keys))
    return {(scope, key): answer for scope, key, answer in rows}


def _check_one(database: Database, record: Record, outcome: Outcome) -> list[tuple[StockCommand, StockAnswer]]:
    traffic = Traffic(record.name, record.seed, record.cells)
    sent: list[StockCommand] = []
    answers: list[StockAnswer] = []
    for text in record.acknowledged:
        sent.append(traffic.next())
        answers.append(StockAnswer.model_validate_json(text))
        traffic.learn(answers[-1])
    pending = traffic.next()
    applied = bool(stored_answers(database, [(pending.scope, pending.key)]))
    outcome.counts.update(acknowledged=len(sent), unanswered=1, unanswered_applied=int(applied))
    outcome.violations += lost_or_changed(database, record.name, record.acknowledged)
    again = database.run(POOL, partial(apply_many, commands=sent)) if sent else []
    outcome.violations += [
        f"{command.scope} {command.key}, sent again, was answered {new} instead of {old}"
        for command, new, old in zip(sent, again, answers, strict=True)
        if new != old
    ]
    first, second = (database.run(POOL, partial(apply_one, command=pending)) for _ in range(2))
    if first != second:
        outcome.violations.append(f"{pending.scope} {pending.key} was answered {first}, then {second}")
    return [*zip(sent, answers, strict=True), (pending, first)]


def _compare_stock(database: Database, expected: Expected) -> list[str]:
    with database.connection(read_only=True) as connection:
        stock = connection.execute(tables.stock.select().where(tables.stock.c.pool_id == POOL)).mappings().all()
        holds = connection.execute(tables.hold.select().where(tables.hold.c.pool_id == POOL)).mappings().all()
    on_hand = {(row["sku"], row["node"]): row["on_hand"] for row in stock}
    found = [
        f"{cell} has {on_hand.get(cell, 0)} on hand, the answers add to {units}"
        for cell, units in expected.on_hand.items()
        if on_hand.get(cell, 0) != units
    ]
    quantities = {row["hold"]: row["quantity"] for row in holds}
    if quantities != expected.holds:
        strange = sorted(quantities.items() ^ expected.holds.items())[:MOST]
        found.append(f"{len(quantities)} holds, the answers placed {len(expected.holds)}; not in both: {strange}")
    return found
