"""The set-based helpers do on both engines what a loop over single rows would do."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy.exc import IntegrityError

from omo_core.model.errors import InvalidInput
from omo_core.storage import tables
from omo_core.storage.database import Database
from omo_core.storage.transaction import Transaction
from tests.effort import examples
from tests.storage.conftest import POOL
from tests.storage.rows import hold, item, items, posting, stock


def test_what_is_inserted_is_found_in_key_order_with_plain_values(database: Database) -> None:
    def work(tx: Transaction) -> list[Any]:
        tx.insert(tables.stock, [stock("b", "N2", on_hand=2**62), stock("a", "N9"), stock("B", "N1"), stock("a", "N1")])
        wanted = [("b", "N2"), ("a", "N9"), ("a", "N1"), ("a", "N1"), ("zz", "N1")]
        return tx.select(tables.stock, ("sku", "node", "on_hand"), ("sku", "node"), wanted)

    found = database.run(POOL, work)
    assert [tuple(row) for row in found] == [("a", "N1", 10), ("a", "N9", 10), ("b", "N2", 2**62)]
    assert (found[2].sku, found[2].on_hand) == ("b", 2**62)
    assert type(found[2].on_hand) is int


def test_tuples_are_inserted_as_rows_are(database: Database) -> None:
    rows = [stock("b", "N2", on_hand=2**62), stock("a", "N9")]

    def work(tx: Transaction) -> None:
        tx.insert_tuples(tables.stock, tuple(rows[0]), [tuple(row.values()) for row in rows])
        tx.insert_tuples(tables.stock, ("sku",), [])
        found = tx.select(tables.stock, tuple(rows[0]), ("sku",), [("a",), ("b",)])
        assert [row._asdict() for row in found] == sorted(rows, key=lambda row: str(row["sku"]))
        with pytest.raises(InvalidInput, match="on_hand takes int, not str"):
            tx.insert_tuples(tables.stock, tuple(rows[0]), [tuple(stock("c", on_hand="1").values())])

    database.run(POOL, work)


def test_part_of_a_key_finds_every_row_in_order_of_code_points(database: Database) -> None:
    names = ["Z", "a", "A", "é", "中", "1", "_", "a-b", "a b", "ab", "😀"]

    def work(tx: Transaction) -> list[str]:
        tx.insert(tables.stock, [stock("s", node) for node in names])
        tx.insert(tables.stock, [stock("t", "N1")])
        return [row.node for row in tx.select(tables.stock, ("node",), ("sku",), [("s",)])]

    assert database.run(POOL, work) == sorted(names)


def test_text_that_looks_like_syntax_is_text(database: Database) -> None:
    names = ["", '"', "\\", '\\"', "NULL", "null", "{a,b}", ",", "'", "%s", ":x", "$1", "a\nb", '","', "[]", "--"]
    rows = [{**arrival(name), "topic": None if n % 3 == 0 else name} for n, name in enumerate(names)]

    def work(tx: Transaction) -> None:
        tx.insert(tables.inbox, rows)
        tx.insert(tables.inbox, [arrival("all"), arrival("none") | {"topic": None}])
        found = tx.select(tables.inbox, ("event_key", "topic", "body"), ("event_key",), [(name,) for name in names])
        wanted = sorted((row["event_key"], row["topic"] or "", row["body"]) for row in rows)
        assert [(row.event_key, row.topic or "", bytes(row.body)) for row in found] == wanted
        assert [row.topic is None for row in found] == [names.index(row.event_key) % 3 == 0 for row in found]
        changed = [{"event_key": name, "reason": name} for name in names]
        assert tx.update(tables.inbox, changed, keys=("event_key",), changes=("reason",)) == len(names)
        again = tx.select(tables.inbox, ("event_key", "reason"), ("event_key",), [(name,) for name in names])
        assert all(row.event_key == row.reason for row in again)

    database.run(POOL, work)


def arrival(key: str) -> dict[str, Any]:
    row = {"channel": "till", "event_key": key, "body_sha256": "", "body": key.encode(), "topic": key}
    return row | {"state": "read", "reason_code": None, "reason": None, "received_at_us": 0, "attempts": 0}


def test_pools_do_not_see_each_other(database: Database) -> None:
    database.run("one", lambda tx: tx.insert(tables.item, [item("A", 1), item("B", 1)]))
    database.run("two", lambda tx: tx.insert(tables.item, [item("A", 7)]))

    def change(tx: Transaction) -> int:
        return tx.update(tables.item, [item("A", 9), item("B", 9)], keys=("sku",), changes=("version",))

    assert database.run("two", change) == 1
    assert database.run("one", items) == [("A", 1), ("B", 1)]
    assert database.run("two", lambda tx: tx.select(tables.item, ("version",), ("sku",), [("A",), ("B",)])) == [(9,)]


def test_update_counts_the_rows_it_matched_and_a_column_can_be_guard_and_change(database: Database) -> None:
    def work(tx: Transaction) -> int:
        tx.insert(tables.item, [item("A", 1), item("B", 4), item("C", 1)])
        rows = [{"sku": sku, "version": 1, "next": 2} for sku in ("A", "B", "C", "D")]
        return tx.update(tables.item, rows, keys=("sku", "version"), changes={"version": "next"})

    assert database.run(POOL, work) == 2
    assert database.run(POOL, items) == [("A", 2), ("B", 4), ("C", 2)]


def test_nothing_to_do_is_done(database: Database) -> None:
    def work(tx: Transaction) -> None:
        tx.insert(tables.item, [])
        assert tx.insert_new(tables.item, []) == []
        assert tx.update(tables.item, [], keys=("sku",), changes=("version",)) == 0
        assert tx.select(tables.item, ("sku",), ("sku",), []) == []
        assert tx.publish_many([]) == []

    database.run(POOL, work)


def test_insert_new_passes_over_taken_keys(database: Database) -> None:
    def work(tx: Transaction) -> list[tuple[Any, ...]]:
        tx.insert(tables.item, [item("B", 5)])
        return tx.insert_new(tables.item, [item("C"), item("B"), item("A")])

    assert database.run(POOL, work) == [("A",), ("C",)]
    assert database.run(POOL, items) == [("A", 1), ("B", 5), ("C", 1)]


def test_ten_thousand_rows_go_in_and_come_out_at_once(database: Database) -> None:
    rows = [stock(f"sku-{n % 1000:04}", f"node-{n // 1000:02}", on_hand=n) for n in range(10_000)]

    def work(tx: Transaction) -> list[Any]:
        tx.insert(tables.stock, rows)
        keys = [(row["sku"], row["node"]) for row in reversed(rows)]
        return tx.select(tables.stock, ("sku", "node", "on_hand"), ("sku", "node"), keys, lock=True)

    found = database.run(POOL, work)
    assert [tuple(row) for row in found] == sorted((row["sku"], row["node"], row["on_hand"]) for row in rows)


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6),
        st.integers(-(2**63), 2**63 - 1),
        min_size=1,
        max_size=8,
    )
)
def test_any_text_and_any_64_bit_integer_come_back_as_they_went(database: Database, values: dict[str, int]) -> None:
    with database.transaction(POOL) as tx:
        tx.insert(tables.item, [item(sku, version, document=sku) for sku, version in values.items()])
        found = tx.select(tables.item, ("sku", "version", "document"), ("sku",), [(sku,) for sku in values])
        assert [tuple(row) for row in found] == sorted((sku, version, sku) for sku, version in values.items())
        by_version = tx.select(tables.item, ("sku",), ("version", "sku"), [(v, k) for k, v in values.items()])
        assert [row.sku for row in by_version] == [k for _, k in sorted((v, k) for k, v in values.items())]
        tx.connection.execute(tables.item.delete())


class Colour(StrEnum):
    RED = "red"


def test_members_of_text_enumerations_are_stored_as_their_text(database: Database) -> None:
    database.run(POOL, lambda tx: tx.insert(tables.item, [item(Colour.RED)]))
    assert database.run(POOL, items) == [("red", 1)]
    assert database.run(POOL, lambda tx: tx.select(tables.item, ("sku",), ("sku",), [(Colour.RED,)])) == [("red",)]


@pytest.mark.parametrize(
    "row",
    [
        item("A", version=True),
        item("A", version=1.0),  # type: ignore[arg-type]
        item("A", version="1"),  # type: ignore[arg-type]
        item("A", version=None),  # type: ignore[arg-type]
        item("A", version=2**63),
        item(5),  # type: ignore[arg-type]
        item(b"A"),  # type: ignore[arg-type]
        item("A\x00B"),
        item("A", document="\x00"),
        item("A\ud800"),
        item("A") | {"unknown_column": 1},
    ],
    ids=repr,
)
def test_what_an_engine_would_bend_or_choke_on_is_refused_on_all(database: Database, row: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        database.run(POOL, lambda tx: tx.insert(tables.item, [item("good"), row]))
    assert database.run(POOL, items) == []


def test_rows_with_other_keys_than_the_first_are_refused(database: Database) -> None:
    short = {"sku": "A", "document": "{}"}
    with pytest.raises(InvalidInput, match="same keys"):
        database.run(POOL, lambda tx: tx.insert(tables.item, [item("B"), short]))


def test_select_refuses_keys_of_the_wrong_type(database: Database) -> None:
    with pytest.raises(InvalidInput, match="takes str"):
        database.run(POOL, lambda tx: tx.select(tables.item, ("sku",), ("sku",), [(5,)]))


BROKEN = [
    (tables.stock, stock("A", reserved=11)),
    (tables.stock, stock("A", reserved=-1)),
    (tables.stock, stock("A", on_hand=-1)),
    (tables.stock, stock("A", safety=-1)),
    (tables.stock, stock("A", shortage=-1)),
    (tables.stock, stock("A", version=0)),
    (tables.stock, stock("A", halted=2)),
    (tables.hold, hold("h", quantity=4)),
    (tables.hold, hold("h", pending=4, issued=-1)),
    (tables.hold, hold("h", quantity=0, pending=0, state="released")),
    (tables.hold, hold("h", state="released")),
    (tables.hold, hold("h", pending=0, released=3, state="placed")),
    (tables.posting, posting(1, place="stock")),
    (tables.posting, posting(1, row_version=1)),
    (tables.posting, posting(1, place="stock", row_version=1, on_hand_after=1, reserved_after=0, safety_after=0)),
]


@pytest.mark.parametrize(("table", "row"), BROKEN, ids=[f"{table.name}-{n}" for n, (table, _) in enumerate(BROKEN)])
def test_a_row_that_breaks_an_invariant_is_refused_by_the_database(
    database: Database, table: Any, row: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)check"):
        database.run(POOL, lambda tx: tx.insert(table, [row]))


def test_two_postings_cannot_claim_one_version_of_a_row(database: Database) -> None:
    after = {"row_version": 1, "on_hand_after": 1, "reserved_after": 0, "safety_after": 0, "shortage_after": 0}
    rows = [posting(number, place="stock", quantity=1, **after) for number in (1, 2)]
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        database.run(POOL, lambda tx: tx.insert(tables.posting, rows))


def test_rows_are_locked_in_key_order(postgres: Database) -> None:
    """The plan puts the locks above the sort; were they below, batches that share rows would deadlock."""
    from omo_core.storage.statements import select_sql

    sql = select_sql(tables.stock, ("sku", "on_hand"), ("sku", "node", "condition"), True, True)
    with postgres.transaction(POOL) as tx:
        tx.insert(tables.stock, [stock(f"s{n}") for n in range(500)])
        tx.connection.exec_driver_sql("ANALYZE omo_stock")
        for off in ("", "SET LOCAL enable_nestloop = off", "SET LOCAL enable_hashjoin = off"):
            if off:
                tx.connection.exec_driver_sql(off)
            arrays = (["s1", "s2"], ["N1", "N1"], ["sellable", "sellable"], POOL)
            plan = "\n".join(tx.connection.exec_driver_sql(f"EXPLAIN {sql}", arrays).scalars())
            assert plan.index("LockRows") < plan.index("Sort"), plan
