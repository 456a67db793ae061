"""Repair: a person says what a broken row must be, and one recorded operation leads the ledger there; nothing is rewritten."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from pydantic import Field
from sqlalchemy import text

from omo_core.inventory.audit_check import ONLY, Check
from omo_core.inventory.audit_checks import CHECKS
from omo_core.inventory.auditor import Finding, cases_of, finding_of, named
from omo_core.inventory.load import ROW_KEY
from omo_core.inventory.pool import apply_one
from omo_core.inventory.working import ADJUSTMENT, POSTING_COLUMNS, STOCK, Cell
from omo_core.model.errors import InvariantViolation
from omo_core.model.goods import Condition, Counted, CountStock
from omo_core.model.refusals import Refusal
from omo_core.model.stock import Command, Displaced
from omo_core.model.values import Count, Identifier, NodeId, Sku, Text, Value
from omo_core.storage import tables
from omo_core.storage.operations import Keyed
from omo_core.storage.transaction import Transaction

COUNT_SCOPE: Final = "omo.repair"
"""Scope of the counts that repairs end with; their key is the repair's operation."""

MOST_LISTED: Final = 10_000
"""Findings of one check among which those to acknowledge are looked for."""


class RepairRow(Command):
    """Put a stock row right that broke an invariant: somebody counted `on_hand`, and its holds say what is reserved.

    Give the operator's id in `by`, not a name: the ledger holds no personal data.
    """

    kind: Literal["repair"] = "repair"
    sku: Sku
    node: NodeId
    condition: Condition = "sellable"
    on_hand: Count
    by: Identifier
    reason: Text


class AcknowledgeFindings(Command):
    """Take note of findings about what is written for good and belongs to no row, by the sentences of the audit."""

    kind: Literal["acknowledge"] = "acknowledge"
    sentences: tuple[str, ...] = Field(min_length=1)
    by: Identifier
    reason: Text


class RepairAnswer(Value):
    """What was wrong and what became of it, stored with the key for whoever asks later."""

    version: Literal[1] = 1
    key: str
    kind: str
    by: str
    reason: str
    refusals: tuple[Refusal, ...] = ()
    found: tuple[str, ...] = ()
    """The audit's sentences about the row before."""
    acknowledged: tuple[str, ...] = ()
    """Sentences that are true of the ledger for good, and from now on no finding any more."""
    displaced: tuple[Displaced, ...] = ()
    """Promises that the goods counted could not keep; their orders need sourcing again."""

    @property
    def applied(self) -> bool:
        """Whether the command took effect."""
        return not self.refusals


def repair(tx: Transaction, command: RepairRow) -> RepairAnswer:
    """Repair one row and let it promise again; a sound row is refused.

    A posting leads from the sum of the row's postings to what was counted, balanced by an adjustment. What is broken
    inside the ledger stays there and is acknowledged. Raises `InvariantViolation` where the row is broken in a way that
    this does not mend, and `DuplicateKeyMismatch`; both before anything is applied.
    """
    keyed = Keyed(tx, [command])
    if keyed.fresh():
        keyed.answer(command, _repaired(tx, keyed.operation_id(command), command))
    return keyed.answers(RepairAnswer)[0]


def acknowledge(tx: Transaction, command: AcknowledgeFindings) -> RepairAnswer:
    """Take note of findings, all or none; a sentence that the audit does not say now is refused."""
    keyed = Keyed(tx, [command])
    if keyed.fresh():
        keyed.answer(command, _acknowledged(tx, keyed.operation_id(command), command))
    return keyed.answers(RepairAnswer)[0]


def _repaired(tx: Transaction, operation_id: str, command: RepairRow) -> RepairAnswer:
    cell: Cell = (command.sku, command.node, command.condition)
    answer = RepairAnswer(key=command.key, kind=command.kind, by=command.by, reason=command.reason)
    columns = (*ROW_KEY, "safety", "safety_permille", "halted")
    stored = tx.select(tables.stock, columns, ROW_KEY, [cell], lock=True)
    before = row_findings(tx, cell)
    if not before and not any(row.halted for row in stored):
        refusal = Refusal.of("row_is_sound", sku=command.sku, node=command.node)
        return answer.model_copy(update={"refusals": (refusal,)})
    _lead(tx, operation_id, command, stored)
    displaced = _counted(tx, operation_id, command)
    left = row_findings(tx, cell)
    if unmended := [finding.sentence for finding in left if finding.subject is None]:
        raise InvariantViolation(f"The repair of {named(*cell)} does not mend it: {unmended[0]} Mend that first.")
    _note(tx, operation_id, left)
    return answer.model_copy(
        update={
            "found": tuple(finding.sentence for finding in before),
            "acknowledged": tuple(dict.fromkeys(finding.sentence for finding in left)),
            "displaced": displaced,
        }
    )


def row_findings(tx: Transaction, cell: Cell) -> list[Finding]:
    """What the audit says about one stock row, without what is acknowledged."""
    return [finding for check in CHECKS if check.halts for finding in _findings_of(tx, check, cell)]


def _findings_of(tx: Transaction, check: Check, cell: Cell) -> list[Finding]:
    sql = check.statement(postgres=tx.postgres, only=ONLY in check.sql)
    known = ""
    if check.history:
        known = """AND f.subject NOT IN (SELECT a.subject FROM omo_acknowledgement AS a
                   WHERE a.pool_id = :pool AND a.check_name = :check)"""
    sql = f"SELECT f.* FROM ({sql}) AS f WHERE f.sku = :sku AND f.node = :node AND f.condition = :condition {known}"  # noqa: S608
    bound: dict[str, Any] = {"pool": tx.pool, **dict(zip(ROW_KEY, cell, strict=True))}
    bound |= {"only": json.dumps([cell])} if ONLY in check.sql else {}
    bound |= {"check": check.name} if check.history else {}
    return [finding_of(check, row) for row in tx.connection.execute(text(sql), bound).mappings()]


_SUMS: Final = """
    SELECT coalesce(sum(quantity), 0), coalesce(sum(reserved), 0), coalesce(sum(safety), 0), coalesce(sum(shortage), 0),
           coalesce(max(row_version), 0) FROM omo_posting
    WHERE pool_id = :pool AND sku = :sku AND node = :node AND condition = :condition AND row_version IS NOT NULL
"""

_PENDING: Final = """
    SELECT coalesce(sum(pending), 0) FROM omo_hold
    WHERE pool_id = :pool AND sku = :sku AND node = :node AND condition = :condition AND pending <> 0
"""


def _lead(tx: Transaction, operation_id: str, command: RepairRow, stored: list[Any]) -> None:
    """Lead the row to a state that keeps every promise; the count that follows takes from them what is not there.

    The posting starts from the sum of all postings before it, so that they add up again; where the last one states
    something else, the chain breaks here, and that is acknowledged like any other break.
    """
    cell = {"sku": command.sku, "node": command.node, "condition": command.condition}
    *sums, last = map(int, tx.connection.execute(text(_SUMS), {"pool": tx.pool, **cell}).one())
    pending = int(tx.connection.execute(text(_PENDING), {"pool": tx.pool, **cell}).scalar_one())
    safety = max(0, stored[0].safety) if stored else 0
    target = (max(command.on_hand, pending), pending, safety, 0)
    deltas = tuple(new - old for new, old in zip(target, sums, strict=True))
    line = (operation_id, 1, STOCK, *cell.values(), *deltas, last + 1, *target, tx.now_us)
    lines = [line]
    if deltas[0]:
        lines.append(
            (operation_id, 2, ADJUSTMENT, *cell.values(), -deltas[0], 0, 0, 0, None, None, None, None, None, tx.now_us)
        )
    tx.insert_tuples(tables.posting, POSTING_COLUMNS, lines)
    counters = dict(zip(("on_hand", "reserved", "safety", "shortage"), target, strict=True))
    permille = min(1000, max(0, stored[0].safety_permille)) if stored else 0
    row = {**cell, **counters, "version": last + 1, "halted": 0, "safety_permille": permille}
    if stored:
        tx.update(tables.stock, [row], keys=ROW_KEY, changes=tuple(name for name in row if name not in ROW_KEY))
    else:
        tx.insert(tables.stock, [row])


def _counted(tx: Transaction, operation_id: str, command: RepairRow) -> tuple[Displaced, ...]:
    """Book the count, which displaces the newest promises where fewer goods are there than promised."""
    line = Counted(sku=command.sku, node=command.node, condition=command.condition, quantity=command.on_hand)
    answer = apply_one(tx, CountStock(key=operation_id, scope=COUNT_SCOPE, lines=(line,)))
    if not answer.applied:
        raise InvariantViolation(f"The repaired row cannot be counted: {answer.refusals[0].sentence}")
    return answer.displaced


def _acknowledged(tx: Transaction, operation_id: str, command: AcknowledgeFindings) -> RepairAnswer:
    answer = RepairAnswer(key=command.key, kind=command.kind, by=command.by, reason=command.reason)
    noted: list[Finding] = []
    for check in CHECKS:
        if check.history and not check.screened:
            cases = cases_of(tx, check, limit=MOST_LISTED)
            noted += [finding for finding in cases.findings if finding.sentence in command.sentences]
    strange = set(command.sentences) - {finding.sentence for finding in noted}
    if strange:
        refusals = tuple(Refusal.of("unknown_finding", sentence=sentence) for sentence in sorted(strange))
        return answer.model_copy(update={"refusals": refusals})
    _note(tx, operation_id, noted)
    return answer.model_copy(update={"found": command.sentences, "acknowledged": command.sentences})


def _note(tx: Transaction, operation_id: str, findings: list[Finding]) -> None:
    subjects = dict.fromkeys((finding.check, finding.subject) for finding in findings)
    names = ("check_name", "subject", "operation_id", "acknowledged_at_us")
    rows = [(check, subject, operation_id, tx.now_us) for check, subject in subjects]
    tx.insert_tuples(tables.acknowledgement, names, rows)
