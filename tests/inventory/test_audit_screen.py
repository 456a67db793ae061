"""The one pass over the ledger: what it lets through is sound, however long a history is and whoever reads beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import text

from omo_core.inventory import audit, audit_beside
from omo_core.inventory.audit_checks_rows import IS_SOUND_SQLITE, LONGEST
from omo_core.storage import tables
from tests.inventory.conftest import POOL, Shop, open_shop, place, receive
from tests.inventory.test_audit import BOTH_ENGINES, corrupt, filled

LONG = LONGEST + 50

LONG_HISTORY = f"""
    INSERT INTO omo_posting (pool_id, operation_id, number, place, sku, node, condition, quantity, reserved, safety,
                             shortage, row_version, on_hand_after, reserved_after, safety_after, shortage_after,
                             posted_at_us)
    WITH RECURSIVE numbers (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM numbers WHERE i < {LONG})
    SELECT 'default', 'long', i, 'stock', 'MUG', 'TPE', 'sellable', 0, 0, 0, 0, i, 5, 0, 0, 0, 0 FROM numbers
"""


@pytest.fixture
def long_shop(shop_url: str) -> Iterator[Shop]:
    """MUG at TPE with more postings than the screen of SQLite puts into one text, BOWL with one."""
    with open_shop(shop_url) as shop:
        shop.apply(receive("r", ("MUG", "TPE", 5)), receive("b", ("BOWL", "TPE", 5)))
        shop.execute(LONG_HISTORY, f"UPDATE omo_stock SET version = {LONG} WHERE sku = 'MUG'")
        done = filled(tables.operation, key="l", operation_id="long", kind="x", request_sha256="5" * 64, answer="{}")
        shop.database.run(POOL, lambda tx: tx.insert(tables.operation, [done]))
        yield shop


@BOTH_ENGINES
def test_a_long_history_is_looked_at_to_its_end(long_shop: Shop) -> None:
    assert long_shop.audit().clean
    corrupt(long_shop, f"UPDATE omo_posting SET on_hand_after = 6 WHERE row_version = {LONG - 1}")
    report = long_shop.audit()
    assert report.found["after_values_chain"] == 2
    assert {finding.cell for finding in report.findings} == {("MUG", "TPE", "sellable")}


def test_the_screen_of_sqlite_reads_the_ledger_in_the_order_of_its_index(memory_shop: Shop) -> None:
    """The texts it compares are in the order of versions only because nothing is sorted on the way."""
    with memory_shop.database.connection(read_only=True) as connection:
        bound = {"pool": POOL, "since": "", "until": b""}
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {IS_SOUND_SQLITE}"), bound).all()
    steps = [row[3] for row in plan]
    assert any("uq_omo_posting_row_version" in step for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps


@pytest.fixture
def file_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop in a file, which is read by two at once however small it is."""
    monkeypatch.setattr(audit_beside, "SMALLEST_PAGES", 0)
    with open_shop(f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        shop.apply(receive("r", ("MUG", "TPE", 5)), place("h", ("MUG", "TPE", 2)))
        yield shop


@pytest.fixture
def read_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that a second reader was asked to read."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    read: list[str] = []
    value = audit_beside._value

    def noted(path: Path, sql: str, bound: Mapping[str, object]) -> object:
        read.append(path.name)
        return value(path, sql, bound)

    monkeypatch.setattr(audit_beside, "_value", noted)
    return read


def with_journal(shop: Shop, mode: str) -> None:
    connection = shop.database.engine.raw_connection()
    assert connection.driver_connection is not None
    connection.driver_connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.close()


def test_a_second_reader_of_a_file_sees_what_is_broken(file_shop: Shop, read_by: list[str]) -> None:
    with_journal(file_shop, "TRUNCATE")
    assert file_shop.audit().clean
    assert read_by == ["shop.db"]
    corrupt(file_shop, "UPDATE omo_stock SET on_hand = 6")
    assert [finding.check for finding in file_shop.audit().findings] == ["postings_fold_to_balance"]


def test_a_log_that_writers_append_to_has_no_second_reader(file_shop: Shop, read_by: list[str]) -> None:
    with_journal(file_shop, "WAL")
    assert file_shop.audit().clean
    assert read_by == []


def test_who_may_have_written_reads_alone(file_shop: Shop, read_by: list[str]) -> None:
    with_journal(file_shop, "TRUNCATE")
    assert file_shop.database.run(POOL, lambda tx: audit(tx, halt=True)).clean
    assert read_by == []


def test_a_second_reader_that_gets_no_answer_is_done_without(file_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with_journal(file_shop, "TRUNCATE")
    corrupt(file_shop, "UPDATE omo_stock SET on_hand = 6")
    value = audit_beside._value
    monkeypatch.setattr(audit_beside, "_value", lambda path, sql, bound: value(path.with_name("gone.db"), sql, bound))
    assert [finding.check for finding in file_shop.audit().findings] == ["postings_fold_to_balance"]


@pytest.mark.parametrize("readers", [1, 2, 3, 4])
@pytest.mark.parametrize("broken", [None, "BOWL", "MUG", "VASE"])
def test_however_many_share_the_reading_nothing_is_left_out(
    file_shop: Shop, monkeypatch: pytest.MonkeyPatch, readers: int, broken: str | None
) -> None:
    with_journal(file_shop, "TRUNCATE")
    file_shop.apply(receive("more", ("BOWL", "TPE", 5), ("VASE", "TPE", 5), ("VASE", "KHH", 5)))
    if broken is not None:
        corrupt(file_shop, f"UPDATE omo_stock SET version = version + 1 WHERE sku = '{broken}'")
    monkeypatch.setattr("os.cpu_count", lambda: readers)
    skus = {finding.sku for finding in file_shop.audit().findings}
    assert skus == ({broken} if broken else set())
