"""The auditor: asks the database itself whether the pool's invariants hold, and halts the rows that broke one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Table, func, select, text

from omo_core.inventory.audit_checks import CHECKS, HALTING, Check
from omo_core.inventory.availability import Pair
from omo_core.inventory.load import ROW_KEY
from omo_core.model.stock import SELLABLE
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

_COUNTED = (tables.stock, tables.hold, tables.posting, tables.operation, tables.count_task, tables.outbox)


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken invariant, by its number and the name of the check, and the stock row it concerns, if any."""

    invariant: int
    check: str
    sentence: str
    sku: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit looked at and what it found."""

    findings: tuple[Finding, ...]
    """At most the limit for each check; `found` has the true numbers."""
    found: Mapping[str, int]
    """Broken cases by name of check; every check that ran is in it."""
    counted: Mapping[str, int]
    """Rows looked at, by table."""
    halted: tuple[Pair, ...] = ()
    """Stock rows that this audit halted."""

    @property
    def checked(self) -> tuple[str, ...]:
        """Names of the checks that ran."""
        return tuple(self.found)

    @property
    def clean(self) -> bool:
        """Whether every invariant holds."""
        return not any(self.found.values())


def audit(tx: Transaction, *, halt: bool = False, limit: int = 1000) -> AuditReport:
    """Check every invariant that the stored state can show; at most `limit` findings a check are kept.

    Each check is one statement over the whole pool and sees one snapshot, so sales may go on meanwhile. `halt` stops
    reservations on the rows that broke one of the invariants 1 to 6, in `tx`; nothing is ever repaired here.
    """
    findings: list[Finding] = []
    found: dict[str, int] = {}
    broken: set[Pair] = set()
    for check in CHECKS:
        found[check.name] = 0
        for row in tx.connection.execute(text(check.sql), {"pool": tx.pool}).mappings():
            found[check.name] += 1
            finding = _finding(check, dict(row))
            if found[check.name] <= limit:
                findings.append(finding)
            if check.invariant in HALTING and finding.sku is not None and finding.node is not None:
                broken.add((finding.sku, finding.node))
    return AuditReport(
        findings=tuple(findings),
        found=found,
        counted={table.name: _count(tx, table) for table in _COUNTED},
        halted=_halt(tx, broken) if halt else (),
    )


def _finding(check: Check, row: dict[str, object]) -> Finding:
    sku, node = row.get("sku"), row.get("node")
    return Finding(
        check.invariant,
        check.name,
        check.sentence.format(**row),
        sku=None if sku is None else str(sku),
        node=None if node is None else str(node),
    )


def _halt(tx: Transaction, broken: set[Pair]) -> tuple[Pair, ...]:
    keys = [(*cell, SELLABLE) for cell in sorted(broken)]
    rows = [row for row in tx.select(tables.stock, (*ROW_KEY, "halted"), ROW_KEY, keys, lock=True) if not row.halted]
    halting = [{"sku": row.sku, "node": row.node, "condition": row.condition, "halted": 1} for row in rows]
    tx.update(tables.stock, halting, keys=ROW_KEY, changes=("halted",))
    return tuple((row.sku, row.node) for row in rows)


def _count(tx: Transaction, table: Table) -> int:
    query = select(func.count()).select_from(table).where(table.c.pool_id == tx.pool)
    return int(tx.connection.execute(query).scalar_one())
