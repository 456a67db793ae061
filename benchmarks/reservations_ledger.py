"""A shop with any number of stock rows and a valid ledger of any length, loaded by SQL that both engines understand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy import BigInteger, Table, Text, bindparam, text

from omo_core.inventory import audit
from omo_core.model.network import Network, Node, NodeKind
from omo_core.model.stock import SELLABLE
from omo_core.storage import tables
from omo_core.storage.catalogue import save_network
from omo_core.storage.database import Database
from omo_core.storage.profiles import PostgresProfile

Cell = tuple[str, str]

POOL: Final = "default"
NODES: Final = 20
UNITS_A_ROW: Final = 10_000_000
FIRST_SKU: Final = 1_000_000
FIRST_NODE: Final = 100
POSTED_AT_US: Final = 1_767_225_600_000_000  # 2026-01-01

# Numbers of equal length, so that ids sort as they were born, like UUIDv7.
_RECEIPTS, _COMMANDS, _HOLDS = 10**11, 2 * 10**11, 5 * 10**11


def cell_of(row: int) -> Cell:
    """(sku, node) of the row of this number, as `_SKU` and `_NODE` spell them."""
    return f"SKU-{FIRST_SKU + row // NODES}", f"N{FIRST_NODE + row % NODES}"


_SKU: Final = f"'SKU-' || ({FIRST_SKU} + i / {NODES})"
_NODE: Final = f"'N' || ({FIRST_NODE} + i % {NODES})"
_SERIES: Final = "WITH RECURSIVE series(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM series WHERE i + 1 < :rows)"
_PLACE: Final = f"({_COMMANDS} + (2 * :order) * :rows + i)"
_ISSUE: Final = f"({_COMMANDS} + (2 * :order + 1) * :rows + i)"
_HOLD: Final = f"({_HOLDS} + :order * :rows + i)"


def load_shop(database: Database, rows: int, orders_a_row: int = 0) -> int:
    """Stock rows 0 to `rows` − 1, each with its receipt; returns the number of postings.

    Then every row lives through `orders_a_row` orders of one unit, each a hold that is placed and, but for the last
    one, issued: three postings, two operations and one hold an order.
    """
    nodes = tuple(Node(node=f"N{FIRST_NODE + n}", kind=NodeKind.STORE) for n in range(NODES))
    database.run(POOL, lambda tx: save_network(tx, Network(currency="USD", nodes=nodes)))
    document = '\'{"sku":"\' || ' + _SKU + " || '\"}'"
    items = _insert(
        tables.item, {"sku": _SKU, "document": document, "version": "1", "updated_at_us": ":now"}, f"i % {NODES} = 0"
    )
    _execute(database, rows, 0, items, *_receipts(orders_a_row))
    for order in range(orders_a_row):
        _execute(database, rows, order, *_placing(is_last=order == orders_a_row - 1))
        if order < orders_a_row - 1:
            _execute(database, rows, order, *_issuing())
    _settle(database)
    return rows * (3 * orders_a_row or 2)


@contextmanager
def patient(database: Database) -> Iterator[None]:
    """No limit on the time of a statement meanwhile: auditing ten million postings takes longer than any sale may."""
    if not isinstance(database.profile, PostgresProfile):
        yield
        return
    limit_ms = database.profile.statement_timeout_ms
    database.profile.statement_timeout_ms = 0
    try:
        yield
    finally:
        database.profile.statement_timeout_ms = limit_ms


def require_sound(database: Database) -> None:
    """Raise unless the auditor finds nothing: a ledger that is not valid proves nothing."""
    report = database.read(POOL, audit)
    if not report.clean:
        raise AssertionError(f"the audit found {[finding.sentence for finding in report.findings[:3]]}")


def _receipts(orders: int) -> list[str]:
    gone = max(orders - 1, 0)
    counters = {"on_hand": str(UNITS_A_ROW - gone), "reserved": "1" if orders else "0"}
    goods = {"quantity": str(UNITS_A_ROW), "posted_at_us": ":now"}
    receipt = _id(f"({_RECEIPTS} + i)")
    return [
        _insert(tables.stock, {**_CELL, **counters, "version": str(1 + orders + gone)}),
        _insert(tables.operation, _operation("receive", f"({_RECEIPTS} + i)", "''")),
        _posting(receipt, 1, {**goods, **_after(str(UNITS_A_ROW), "0", "1")}),
        _posting(receipt, 2, {"place": "'supplier'", "node": "''", **goods, "quantity": str(-UNITS_A_ROW)}),
    ]


def _placing(*, is_last: bool) -> list[str]:
    parts = (
        {"pending": "1", "issued": "0", "state": "'placed'"}
        if is_last
        else {"pending": "0", "issued": "1", "state": "'issued'"}
    )
    owner = "'order-' || " + _PLACE
    hold = {"hold": _id(_HOLD), "owner": owner, "line": "'1'", **_CELL, "quantity": "1", **parts}
    times = {"placed_at_us": ":now", "operation_id": _id(_PLACE)}
    after = _after(f"({UNITS_A_ROW} - :order)", "1", "(2 + 2 * :order)")
    return [
        _insert(tables.operation, _operation("place_holds", _PLACE, _ANSWERED_HOLD)),
        _insert(tables.hold, {**hold, **times}),
        _posting(_id(_PLACE), 1, {"reserved": "1", **after}),
    ]


def _issuing() -> list[str]:
    after = _after(f"({UNITS_A_ROW} - 1 - :order)", "0", "(3 + 2 * :order)")
    return [
        _insert(tables.operation, _operation("issue_holds", _ISSUE, _ANSWERED_HOLD)),
        _posting(_id(_ISSUE), 1, {"quantity": "-1", "reserved": "-1", **after}),
        _posting(_id(_ISSUE), 2, {"place": "'customer'", "quantity": "1"}),
    ]


_CELL: Final = {"sku": _SKU, "node": _NODE, "condition": f"'{SELLABLE}'"}


def _id(number: str) -> str:
    return "'00000000-0000-7000-8000-' || " + number


# A space after the colon, or SQLAlchemy takes `:1` for a bound parameter.
_ANSWERED_HOLD: Final = (
    '\'{"hold":"\' || '
    + _id(_HOLD)
    + ' || \'","owner":"order-\' || '
    + _PLACE
    + ' || \'","line":"1","sku":"\' || '
    + _SKU
    + ' || \'","node":"\' || '
    + _NODE
    + ' || \'","condition":"sellable","quantity": 1,"pending": 1,"issued": 0,"released": 0,"state":"placed","expires_at": null}\''
)


def _operation(kind: str, number: str, holds: str) -> dict[str, str]:
    answer = f"""'{{"version": 1,"key":"' || {number} || '","kind":"{kind}","refusals":[],"holds":[' || {holds}"""
    return {
        "scope": "'default'",
        "key": f"'' || {number}",
        "operation_id": _id(number),
        "kind": f"'{kind}'",
        "request_sha256": "'" + "5" * 64 + "'",
        "answer": answer + """ || '],"displaced":[],"shortages":[]}'""",
        "created_at_us": ":now",
    }


def _after(on_hand: str, reserved: str, version: str) -> dict[str, str]:
    return {
        "row_version": version,
        "on_hand_after": on_hand,
        "reserved_after": reserved,
        "safety_after": "0",
        "shortage_after": "0",
    }


def _posting(operation: str, number: int, line: Mapping[str, str]) -> str:
    common = {"operation_id": operation, "number": str(number), "place": "'stock'", **_CELL, "posted_at_us": ":now"}
    return _insert(tables.posting, {**common, **line})


def _insert(table: Table, values: Mapping[str, str], where: str = "0 = 0") -> str:
    """INSERT of one row for each number of the series."""
    filled = {"pool_id": f"'{POOL}'", **blanks(table), **values}
    names = ", ".join(f'"{name}"' for name in filled)
    return (
        f'INSERT INTO "{table.name}" ({names}) {_SERIES} SELECT {", ".join(filled.values())} FROM series WHERE {where}'  # noqa: S608
    )


def blanks(table: Table) -> dict[str, str]:
    """SQL of an empty value for each column but the pool's: NULL where the column takes it, else '' or 0."""
    return {
        column.name: "NULL" if column.nullable else "''" if isinstance(column.type, Text) else "0"
        for column in table.c
        if column.name != "pool_id"
    }


def _execute(database: Database, rows: int, order: int, *statements: str) -> None:
    with database.connection() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        for statement in statements:
            bound = {"rows": rows, "order": order, "now": POSTED_AT_US}
            # Said to be 64 bits wide: PostgreSQL would take a small number for one of 16 and overflow.
            wide = [bindparam(name, value, BigInteger()) for name, value in bound.items() if f":{name}" in statement]
            connection.execute(text(statement).bindparams(*wide))


def _settle(database: Database) -> None:
    """Statistics for the planner, as a database that has grown in service has them."""
    statement = "VACUUM ANALYZE" if isinstance(database.profile, PostgresProfile) else "ANALYZE"
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
