"""The auditor: asks the database itself whether the pool's invariants hold, and halts the rows that broke one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Table, func, select, text

from omo_core.inventory.audit_beside import beside
from omo_core.inventory.audit_check import Check
from omo_core.inventory.audit_checks import ACKNOWLEDGED_STANDS, CHECKS
from omo_core.inventory.audit_checks_rows import (
    IS_SOUND_POSTGRES,
    IS_SOUND_SQLITE,
    SUSPECTS_POSTGRES,
    SUSPECTS_SQLITE,
)
from omo_core.inventory.load import ROW_KEY
from omo_core.inventory.working import Cell
from omo_core.model.stock import SELLABLE
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

_COUNTED = (tables.stock, tables.hold, tables.posting, tables.operation, tables.count_task, tables.outbox)

MOST_SUSPECTS: Final = 10_000
"""Suspected stock rows that are looked at one by one; of more, the checks read the whole ledger."""

# Every check reads most of its tables and finds next to nothing, which the planner cannot know: so hash joins in memory,
# in parallel, and without compiling the statement first.
_POSTGRES_SETTINGS: Final = {
    "work_mem": "128MB",
    "jit": "off",
    "enable_nestloop": "off",
    "enable_mergejoin": "off",
    "parallel_tuple_cost": "0",
    "parallel_setup_cost": "0",
    "statement_timeout": "0",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken invariant, by its number and the name of the check, and the stock row it concerns, if any."""

    invariant: int
    check: str
    sentence: str
    sku: str | None = None
    node: str | None = None
    condition: str | None = None
    subject: str | None = None
    """Which lines of the ledger it is about, where only a repair can acknowledge it."""

    @property
    def cell(self) -> Cell | None:
        """The stock row to halt, if the finding is about one."""
        if self.sku is None or self.node is None or self.condition is None:
            return None
        return (self.sku, self.node, self.condition)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit looked at and what it found."""

    findings: tuple[Finding, ...]
    """At most the limit for each check; `found` has the true numbers."""
    found: Mapping[str, int]
    """Broken cases by name of check, without acknowledged ones; every check that ran is in it."""
    counted: Mapping[str, int]
    """Rows looked at, by table."""
    halted: tuple[Cell, ...] = ()
    """Stock rows that this audit halted: (sku, node, condition)."""
    acknowledged: tuple[Finding, ...] = ()
    """What a repair has taken note of: it still shows, because the ledger is never rewritten."""

    @property
    def checked(self) -> tuple[str, ...]:
        """Names of the checks that ran."""
        return tuple(self.found)

    @property
    def clean(self) -> bool:
        """Whether every invariant holds, apart from what is acknowledged."""
        return not any(self.found.values())


@dataclass(frozen=True, slots=True)
class Cases:
    """What one check came to."""

    count: int
    """Broken cases in all, without acknowledged ones."""
    findings: tuple[Finding, ...]
    """The first of them."""
    acknowledged: tuple[Finding, ...] = ()


_NOTHING: Final = Cases(0, ())

# The screen has the time of all other checks for itself, where it runs beside them.
_SCREENED_LAST: Final = sorted(CHECKS, key=lambda check: check.screened)
_FIRST_SCREENED: Final = next(check for check in _SCREENED_LAST if check.screened)


def audit(tx: Transaction, *, halt: bool = False, limit: int = 1000) -> AuditReport:
    """Check every invariant that the stored state can show; at most `limit` findings a check are kept.

    Each check is one statement over the whole pool. Under `database.read` all of them see one snapshot, so sales may
    go on meanwhile. `halt` stops reservations on the rows that broke one of the invariants 1 to 6, in `tx`; nothing is
    ever repaired here.
    """
    cases: dict[str, Cases] = {}
    broken: set[Cell] = set()
    suspects: list[Cell] | None = None
    screen = IS_SOUND_POSTGRES if tx.postgres else IS_SOUND_SQLITE
    with _settings(tx), beside(tx, screen, partial(_parts, tx)) as are_sound:
        known = _acknowledgements(tx)
        counted = {table.name: _count(tx, table) for table in _COUNTED}
        for check in _SCREENED_LAST:
            if check is _FIRST_SCREENED:
                suspects = [] if all(are_sound()) else _suspects(tx)
            only = suspects if check.screened else None
            cases[check.name] = found = cases_of(tx, check, only=only, known=known.get(check.name, {}), limit=limit)
            if halt and check.halts and found.count:
                broken.update(_cells(tx, check, found, only))
    cases = {check.name: cases[check.name] for check in CHECKS}
    stale = _stale(cases, known)
    last = cases[ACKNOWLEDGED_STANDS.name]
    cases[ACKNOWLEDGED_STANDS.name] = Cases(last.count + len(stale), (*last.findings, *stale)[:limit])
    return AuditReport(
        findings=tuple(finding for one in cases.values() for finding in one.findings),
        found={name: one.count for name, one in cases.items()},
        counted=counted,
        halted=_halt(tx, broken) if halt else (),
        acknowledged=tuple(finding for one in cases.values() for finding in one.acknowledged),
    )


def _parts(tx: Transaction, most: int) -> list[dict[str, Any]]:
    """The pool's items in ranges of about as many stock rows each; PostgreSQL divides its work by itself."""
    if tx.postgres:
        return [{"pool": tx.pool}]
    stock = tables.stock.c
    query = select(stock.sku).where(stock.pool_id == tx.pool).order_by(stock.sku)
    rows = _count(tx, tables.stock)
    found = (tx.connection.execute(query.offset(rows * place // most).limit(1)).scalar() for place in range(1, most))
    # Nothing is less than '', and every text is less than a blob.
    ranges = pairwise(("", *sorted({str(sku) for sku in found if sku}), b""))
    return [{"pool": tx.pool, "since": since, "until": until} for since, until in ranges]


def _suspects(tx: Transaction) -> list[Cell] | None:
    """The stock rows that the ledger does not explain, or None where they are too many to be named."""
    sql = f"{SUSPECTS_POSTGRES if tx.postgres else SUSPECTS_SQLITE} LIMIT {MOST_SUSPECTS + 1}"
    suspects = [(row[0], row[1], row[2]) for row in tx.connection.execute(text(sql), {"pool": tx.pool})]
    return suspects if len(suspects) <= MOST_SUSPECTS else None


def cases_of(
    tx: Transaction,
    check: Check,
    *,
    only: Collection[Cell] | None = None,
    known: Mapping[str, str] | None = None,
    limit: int = 1000,
) -> Cases:
    """Run one check: over the whole pool, or on the stock rows of `only`; `known` are acknowledged subjects.

    The database counts, and hands out no more than is kept: a flood of findings does not fill the memory.
    """
    if only is not None and not only:
        return _NOTHING
    known = known or {}
    sql = check.statement(postgres=tx.postgres, only=only is not None)
    acknowledged = "0"
    if check.history:
        acknowledged = """CASE WHEN subject IN (SELECT a.subject FROM omo_acknowledgement AS a
                          WHERE a.pool_id = :pool AND a.check_name = :check) THEN 1 ELSE 0 END"""
    sql = f"""SELECT f.*, {acknowledged} AS acknowledged, count(*) OVER () AS cases,
                     sum({acknowledged}) OVER () AS known_cases
              FROM ({sql}) AS f ORDER BY acknowledged DESC LIMIT :rows"""  # noqa: S608
    bound = _bound(tx, only) | {"rows": limit + len(known)}
    rows = tx.connection.execute(text(sql), bound | ({"check": check.name} if check.history else {})).mappings().all()
    if not rows:
        return _NOTHING
    fresh = [finding_of(check, row) for row in rows if not row["acknowledged"]]
    noted = tuple(finding_of(check, row) for row in rows if row["acknowledged"])
    return Cases(int(rows[0]["cases"]) - int(rows[0]["known_cases"]), tuple(fresh[:limit]), noted)


def _bound(tx: Transaction, only: Collection[Cell] | None) -> dict[str, Any]:
    return {"pool": tx.pool} | ({} if only is None else {"only": json.dumps(sorted(only))})


def _cells(tx: Transaction, check: Check, found: Cases, only: Collection[Cell] | None) -> set[Cell]:
    """The stock rows of every finding that is not acknowledged, also of those that were counted and not kept."""
    if found.count <= len(found.findings):
        return {finding.cell for finding in found.findings if finding.cell is not None}
    sql = check.statement(postgres=tx.postgres, only=only is not None)
    sql = f"SELECT DISTINCT sku, node, condition FROM ({sql}) AS f WHERE node IS NOT NULL"  # noqa: S608
    return {(row[0], row[1], row[2]) for row in tx.connection.execute(text(sql), _bound(tx, only))}


def finding_of(check: Check, row: Mapping[Any, Any]) -> Finding:
    """The finding that a row of a check's statement stands for."""
    sku, node, condition = (None if row.get(name) is None else str(row[name]) for name in ROW_KEY)
    sentence = check.sentence.format(**row, row=named(sku, node, condition))
    subject = str(row["subject"]) if check.history else None
    return Finding(check.invariant, check.name, sentence, sku, node, condition, subject)


def named(sku: str | None, node: str | None, condition: str | None) -> str:
    """How sentences speak of a stock row; its condition is said where it is not sellable."""
    return f"{sku} at {node}" if condition in (None, SELLABLE) else f"{sku} ({condition}) at {node}"


def _acknowledgements(tx: Transaction) -> dict[str, dict[str, str]]:
    """By check and subject, the operation that acknowledged it."""
    known: dict[str, dict[str, str]] = {}
    table = tables.acknowledgement.c
    query = select(table.check_name, table.subject, table.operation_id).where(table.pool_id == tx.pool)
    for check, subject, operation_id in tx.connection.execute(query):
        known.setdefault(check, {})[subject] = operation_id
    return known


def _stale(cases: Mapping[str, Cases], known: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """Acknowledged findings that do not show any more: somebody has rewritten the ledger once again."""
    check = ACKNOWLEDGED_STANDS
    return [
        Finding(
            check.invariant,
            check.name,
            check.sentence.format(operation_id=operation_id, check_name=name, why=f"{subject!r} no longer shows"),
        )
        for name, subjects in known.items()
        for subject, operation_id in subjects.items()
        if subject not in {finding.subject for finding in (cases[name].acknowledged if name in cases else ())}
    ]


@contextmanager
def _settings(tx: Transaction) -> Iterator[None]:
    """PostgreSQL told what kind of work this is, and put back for what follows in the same transaction."""
    if not tx.postgres:
        yield
        return
    names = list(_POSTGRES_SETTINGS)
    asked = ", ".join(f"current_setting('{name}')" for name in names)
    before = tx.connection.exec_driver_sql(f"SELECT {asked}").one()
    _set(tx, _POSTGRES_SETTINGS)
    try:
        yield
    finally:
        if not tx.connection.invalidated:
            _set(tx, dict(zip(names, before, strict=True)))


def _set(tx: Transaction, settings: Mapping[str, str]) -> None:
    calls = ", ".join(f"set_config('{name}', %s, true)" for name in settings)
    tx.connection.exec_driver_sql(f"SELECT {calls}", tuple(settings.values()))


def _halt(tx: Transaction, broken: set[Cell]) -> tuple[Cell, ...]:
    rows = [row for row in tx.select(tables.stock, (*ROW_KEY, "halted"), ROW_KEY, broken, lock=True) if not row.halted]
    halting = [{"sku": row.sku, "node": row.node, "condition": row.condition, "halted": 1} for row in rows]
    tx.update(tables.stock, halting, keys=ROW_KEY, changes=("halted",))
    return tuple((row.sku, row.node, row.condition) for row in rows)


def _count(tx: Transaction, table: Table) -> int:
    query = select(func.count()).select_from(table).where(table.c.pool_id == tx.pool)
    return int(tx.connection.execute(query).scalar_one())
