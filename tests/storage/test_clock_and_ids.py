"""Clocks and ids: exact, injected, and in order."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from omo_core.storage.clock import DatabaseClock, ManualClock, from_us, to_us
from omo_core.storage.database import Database
from omo_core.storage.ids import IdSource, SeededIds, Uuid7Ids
from tests.storage.conftest import POOL


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_and_instants_are_the_same_thing(instant: datetime) -> None:
    assert from_us(to_us(instant)) == instant


def test_a_naive_instant_has_no_place_in_time() -> None:
    with pytest.raises(ValueError, match="time zone"):
        to_us(datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    assert clock.now() == clock.now() == datetime(2026, 3, 1, tzinfo=UTC)
    assert clock.advance(timedelta(minutes=5)) == clock.now() == datetime(2026, 3, 1, 0, 5, tzinfo=UTC)
    clock.set(datetime(2025, 1, 1, tzinfo=UTC))
    assert clock.now() == datetime(2025, 1, 1, tzinfo=UTC)


def test_a_manual_clock_refuses_other_zones_and_steps_back() -> None:
    clock = ManualClock()
    with pytest.raises(ValueError, match="UTC"):
        clock.set(datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="UTC"):
        clock.set(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8))))
    with pytest.raises(ValueError, match="forwards"):
        clock.advance(timedelta(seconds=-1))


@pytest.mark.parametrize("ids", [Uuid7Ids(), SeededIds(1), SeededIds(1, ManualClock())])
def test_ids_are_uuid7_and_rise(ids: IdSource) -> None:
    made = [ids.new_id() for _ in range(5_000)]
    assert made == sorted(set(made))
    assert {uuid.UUID(text).version for text in made} == {7}
    assert {uuid.UUID(text).variant for text in made} == {uuid.RFC_4122}


def test_seeded_ids_repeat_with_the_seed_and_only_then() -> None:
    first, again, other = SeededIds(5), SeededIds(5), SeededIds(6)
    made = [first.new_id() for _ in range(10)]
    assert made == [again.new_id() for _ in range(10)]
    assert made != [other.new_id() for _ in range(10)]


def test_seeded_ids_follow_their_clock_but_never_fall() -> None:
    clock = ManualClock()
    ids = SeededIds(5, clock)
    early = ids.new_id()
    clock.advance(timedelta(seconds=1))
    late = ids.new_id()
    clock.set(datetime(2020, 1, 1, tzinfo=UTC))
    assert early < late < ids.new_id()
    assert uuid.UUID(late).int >> 80 == to_us(datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)) // 1000


def test_a_transaction_has_one_now_from_the_injected_clock(database: Database, clock: ManualClock) -> None:
    with database.transaction(POOL) as tx:
        before = tx.now
        clock.advance(timedelta(hours=1))
        assert tx.now == before == datetime(2026, 1, 1, tzinfo=UTC)
        assert tx.now_us == to_us(before)
    assert database.run(POOL, lambda tx: tx.now) == datetime(2026, 1, 1, 1, tzinfo=UTC)


def test_the_default_now_is_the_databases_own(shop_url: str) -> None:
    with Database.open(shop_url) as database, database.transaction(POOL) as tx:
        assert isinstance(database.clock, DatabaseClock)
        if tx.postgres:
            asked = tx.connection.exec_driver_sql("SELECT now()").scalar_one()
            assert tx.now == asked  # which stands still within a transaction
        else:
            asked = tx.connection.exec_driver_sql("SELECT julianday('now')").scalar_one()
            assert abs((asked - 2440587.5) * 86_400 - tx.now_us / 1e6) < 60


def test_the_databases_clock_can_be_read_outside_of_a_transaction(shop_url: str) -> None:
    with Database.open(shop_url) as database:
        first = database.clock.now()
        assert first <= database.clock.now()
        assert first.tzinfo is UTC
