"""The last units go to exactly as many writers as there are units: threads, processes and the combiner, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omo_core.model.stock import StockAnswer
from omo_core.testing.races import Call, combined, each_alone, race_for_last_units
from tests.conftest import sqlite_url
from tests.reliability.conftest import sound_round

WRITERS = 64


@pytest.mark.slow
def test_few_writers_on_a_file(tmp_path: Path) -> None:
    outcome = race_for_last_units(sqlite_url("sqlite-file", tmp_path), seed=1, attempts=160, writers=8)
    assert outcome.violations == []
    assert outcome.counts["winners"] == outcome.counts["units"] == 40


@pytest.mark.slow
def test_threads_on_postgres(postgres_url: str) -> None:
    outcome = race_for_last_units(postgres_url, seed=1, attempts=2_560)
    assert (outcome.violations, outcome.counts["attempts"], outcome.counts["winners"]) == ([], 2_560, 80)


@pytest.mark.slow
def test_threads_on_a_file(tmp_path: Path) -> None:
    outcome = race_for_last_units(sqlite_url("sqlite-file", tmp_path), seed=1, attempts=1_280)
    assert (outcome.violations, outcome.counts["attempts"], outcome.counts["winners"]) == ([], 1_280, 40)


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "attempts"), [("postgresql", 8_320), ("sqlite", 4_032)])
def test_threads_through_the_combiner(
    engine: str, attempts: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue("postgres_url") if engine == "postgresql" else sqlite_url("sqlite-file", tmp_path)
    outcome = race_for_last_units(url, seed=1, attempts=attempts, entrance=combined)
    assert (outcome.violations, outcome.counts["attempts"]) == ([], attempts)
    assert outcome.counts["winners"] == 2 * attempts // WRITERS


@pytest.mark.slow
def test_processes_on_postgres(postgres_url: str) -> None:
    counts = sound_round("race-postgres-processes", seed=1, count=2_560, url=postgres_url)
    assert (counts["attempts"], counts["winners"], counts["oversold"], counts["unsold"]) == (2_560, 80, 0, 0)


@pytest.mark.slow
def test_processes_on_a_file(tmp_path: Path) -> None:
    counts = sound_round("race-sqlite-processes", seed=1, count=1_280, url=sqlite_url("sqlite-file", tmp_path))
    assert (counts["attempts"], counts["winners"], counts["oversold"], counts["unsold"]) == (1_280, 40, 0, 0)


@pytest.mark.parametrize(
    ("told", "word"),
    [
        (lambda answer: answer.model_copy(update={"refusals": ()}), "oversold"),
        (lambda answer: answer.model_copy(update={"refusals": answer.refusals or ({},)}), "unsold"),
    ],
)
def test_a_pool_that_tells_writers_another_answer_is_noticed(
    told: Callable[[StockAnswer], StockAnswer], word: str, tmp_path: Path
) -> None:
    @contextmanager
    def lying(url: str) -> Iterator[Call]:
        with each_alone(url) as call:
            yield lambda command: told(call(command))

    outcome = race_for_last_units(sqlite_url("sqlite-file", tmp_path), seed=1, attempts=16, writers=4, entrance=lying)
    assert outcome.counts[word] == 8
    assert len(outcome.violations) == 4
