"""Mutants of how transactions keep out of each other's way: isolation, locks and their order."""

from __future__ import annotations

from typing import Final

from tools.mutants.mutant import Edit, Mutant

_LOAD: Final = "omo_core/inventory/load.py"
_POOL: Final = "omo_core/inventory/pool.py"
_UNLOCKED: Final = Edit(_LOAD, "set(cells), lock=True)", "set(cells), lock=False)")
_SUM: Final = (
    "(SELECT coalesce(sum(h.pending), 0)::bigint FROM omo_hold AS h "
    "WHERE h.pool_id = t.pool_id AND h.sku = t.sku AND h.node = t.node)"
)
_WAITING: Final = "tests/inventory/test_waiting.py"
_LAST_UNIT: Final = (f"{_WAITING}::test_who_waited_for_the_last_unit_is_told_that_it_is_gone",)

MUTANTS: Final = (
    Mutant(
        number=4,
        what="read then write in Python",
        how="Rows are read without a lock, decided on, and written whatever they have become. The ledger's numbered "
        "versions would still catch it, at the price of an error where an answer is due.",
        edits=(_UNLOCKED, Edit("omo_core/inventory/record.py", 'keys=(*ROW_KEY, "version")', "keys=ROW_KEY")),
        killers=_LAST_UNIT,
        shows="uq_omo_posting_row_version",
        postgres=True,
    ),
    Mutant(
        number=4,
        letter="b",
        what="read then write in Python",
        how="Goods that arrive and the closing of their transfer, which knows no stock row, overwrite each other.",
        edits=(Edit("omo_core/inventory/transfers.py", "named, lock=True)", "named, lock=False)"),),
        killers=(f"{_WAITING}::test_goods_that_arrive_while_their_transfer_is_closed_are_found_again",),
        shows="[('closed', 9, 3, 6)]",
        postgres=True,
    ),
    Mutant(
        number=4,
        letter="c",
        what="read then write in Python",
        how="Goods that come and the cancelling of their announcement overwrite each other.",
        edits=(
            Edit("omo_core/inventory/inbound.py", "_KEY[:2], keys, lock=True)", "_KEY[:2], keys, lock=False)"),
            Edit("omo_core/inventory/inbound.py", "_KEY, named, lock=True)", "_KEY, named, lock=False)"),
        ),
        killers=(f"{_WAITING}::test_goods_that_come_while_their_announcement_is_cancelled_leave_it_cancelled",),
        shows="[('cancelled', 5, 2)]",
        postgres=True,
    ),
    Mutant(
        number=5,
        what="REPEATABLE READ as default",
        how="Who waited for a row sees it as it was before he waited, or is turned away.",
        edits=(Edit("omo_core/storage/profiles.py", 'else "READ COMMITTED"', 'else "REPEATABLE READ"'),),
        killers=_LAST_UNIT,
        shows="could not serialize access",
        postgres=True,
    ),
    Mutant(
        number=6,
        what="lock and SUM in one statement",
        how="What is reserved is summed from the holds by the statement that locks the row: as of its beginning, "
        "before it waited. The pool reads the locked row itself.",
        edits=(
            Edit(
                "omo_core/storage/statements.py",
                """chosen = ", ".join(f't."{name}"' for name in columns)""",
                f"""reserved = '{_SUM}' if lock and postgres else 't."reserved"'
    chosen = ", ".join(reserved if name == "reserved" else f't."{{name}}"' for name in columns)""",
            ),
        ),
        killers=_LAST_UNIT,
        shows="insufficient_stock",
        postgres=True,
    ),
    Mutant(
        number=7,
        what="advisory lock released before commit",
        how="An advisory lock takes the place of the row's and is given back when the rows are written.",
        edits=(
            _UNLOCKED,
            Edit(
                _POOL,
                "    named, names = ask_named(tx,",
                '    tx.connection.exec_driver_sql("SELECT pg_advisory_lock(7)")\n    named, names = ask_named(tx,',
            ),
            Edit(
                _POOL,
                "fresh, digests) if fresh else {}\n",
                'fresh, digests) if fresh else {}\n    tx.connection.exec_driver_sql("SELECT pg_advisory_unlock(7)")\n',
            ),
        ),
        killers=_LAST_UNIT,
        shows="changed while they were locked",
        postgres=True,
    ),
    Mutant(
        number=8,
        what="locks unsorted",
        how="Rows are locked in the order in which the plan comes upon them.",
        edits=(Edit("omo_core/storage/statements.py", "ORDER BY {order}{tail}", "{tail}"),),
        killers=("tests/storage/test_transaction.py::test_rows_are_locked_in_key_order",),
        shows="substring not found",
        postgres=True,
    ),
    Mutant(
        number=8,
        letter="b",
        what="locks unsorted",
        how="New rows go in as their batch names them, and rivals wait for each other crosswise.",
        edits=(Edit("omo_core/storage/transaction.py", "fresh = sorted(by_key)", "fresh = list(by_key)"),),
        killers=("tests/storage/test_retries.py::test_batches_that_share_new_keys_do_not_deadlock",),
        shows="[0, 1]",
        postgres=True,
    ),
    Mutant(
        number=24,
        what="deferred BEGIN on SQLite",
        how="A writing transaction takes the write lock when it first writes, not when it begins.",
        edits=(Edit("omo_core/storage/profiles.py", 'else "BEGIN IMMEDIATE"', 'else "BEGIN DEFERRED"'),),
        killers=("tests/storage/test_database.py::test_sqlite_holds_the_write_lock_from_the_beginning",),
        shows="DID NOT RAISE",
    ),
)
