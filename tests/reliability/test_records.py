"""The comparison of answers with the database finds nothing in a sound one, and everything that was done to it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from omo_core.inventory import apply_one
from omo_core.model.stock import Demand, Receive
from omo_core.storage.database import Database
from omo_core.testing.records import Record, check_records
from omo_core.testing.traffic import POOL, Traffic, cells_of, open_pool

CELLS = cells_of(skus=3, nodes=2)
UNITS = 20


@pytest.fixture
def database() -> Iterator[Database]:
    with Database.open("sqlite:///:memory:") as opened:
        open_pool(opened, CELLS, UNITS)
        yield opened


def trade(database: Database, name: str, commands: int) -> Record:
    traffic = Traffic(name, 7, CELLS)
    told: list[str] = []
    for _ in range(commands):
        answer = database.run(POOL, partial(apply_one, command=traffic.next()))
        traffic.learn(answer)
        told.append(answer.model_dump_json())
    return Record(name, 7, CELLS, told)


def test_a_sound_database_matches_its_answers(database: Database) -> None:
    records = [trade(database, name, 40) for name in ("a", "b")]
    kinds = {text.partition('"kind":"')[2].partition('"')[0] for record in records for text in record.acknowledged}
    assert len(kinds) == 8, "the traffic has every kind of command"
    outcome = check_records(database, records, opened_with=UNITS)
    assert outcome.violations == []
    assert outcome.counts == {"acknowledged": 80, "unanswered": 2, "unanswered_applied": 0}


def test_an_answer_that_did_not_arrive_may_have_been_applied(database: Database) -> None:
    record = trade(database, "a", 12)
    outcome = check_records(database, [Record("a", 7, CELLS, record.acknowledged[:-1])], opened_with=UNITS)
    assert outcome.violations == []
    assert outcome.counts["unanswered_applied"] == 1


LAST = "(SELECT max(CAST(key AS INTEGER)) FROM omo_operation WHERE scope = 'a')"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (f"DELETE FROM omo_operation WHERE scope = 'a' AND key = CAST({LAST} AS TEXT)", "was lost"),
        (
            "UPDATE omo_operation SET answer = replace(answer, 'place_holds', 'place holds') WHERE scope = 'a'",
            "changed to",
        ),
        ("UPDATE omo_stock SET on_hand = on_hand + 1 WHERE sku = 'SKU-0000'", "the answers add to"),
        ("DELETE FROM omo_hold WHERE hold = (SELECT min(hold) FROM omo_hold)", "not in both"),
        (
            "UPDATE omo_hold SET state = 'confirmed', expires_at_us = NULL, pending = 1, released = quantity - 1, issued = 0 "
            "WHERE state = 'released'",
            "reserved",
        ),
    ],
)
def test_damage_is_noticed(database: Database, damage: str, said: str) -> None:
    record = trade(database, "a", 40)
    with database.connection() as connection:
        assert connection.exec_driver_sql(damage).rowcount > 0
    outcome = check_records(database, [record], opened_with=UNITS)
    assert any(said in sentence for sentence in outcome.violations), outcome.violations


def test_a_command_applied_under_two_keys_is_noticed(database: Database) -> None:
    """A retry without the key: the goods are there twice."""
    record = trade(database, "a", 10)
    (sku, node), *_ = CELLS
    again = Receive(key="once more", scope="a", lines=(Demand(sku=sku, node=node, quantity=1),))
    database.run(POOL, partial(apply_one, command=again))
    outcome = check_records(database, [record], opened_with=UNITS)
    assert any("the answers add to" in sentence for sentence in outcome.violations), outcome.violations
