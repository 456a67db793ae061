"""The outbox: facts written in the transaction that made them true, read in an order that cannot miss one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

_NAME: Final = "outbox"


@dataclass(frozen=True, slots=True)
class Fact:
    """One unpublished fact: `version` counts 1, 2, 3 … per subject; `data` is JSON text."""

    event_id: str
    type: str
    subject: str
    version: int
    data: str
    created_at: datetime


def publish(tx: Transaction, facts: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[str]:
    """Keep facts (type, subject, data) for the end of `tx` and return their ids.

    They are written right before the commit, in this order, so that the outbox comes last in the lock order and a
    transaction writes it once; each gets the next version of its subject. Data is JSON without NaN.
    """
    rows: list[dict[str, Any]] = [
        {
            "event_id": tx.new_id(),
            "type": kind,
            "subject": subject,
            "data": json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")),
            "created_at_us": tx.now_us,
        }
        for kind, subject, data in facts
    ]
    waiting = tx.at_commit(_NAME, _write)
    waiting.extend(rows)
    return [row["event_id"] for row in rows]


def _write(tx: Transaction, rows: list[dict[str, Any]]) -> None:
    """Insert what was published; a rival who took the same version makes the whole transaction run again."""
    versions = _latest_versions(tx, sorted({row["subject"] for row in rows}))
    transaction_id = _transaction_id(tx)
    for row in rows:
        versions[row["subject"]] = row["version"] = versions.get(row["subject"], 0) + 1
        row["transaction_id"] = transaction_id
    tx.insert(tables.outbox, rows)


def _latest_versions(tx: Transaction, subjects: list[str]) -> dict[str, int]:
    o = tables.outbox
    latest: dict[str, int] = {}
    if len(subjects) == 1:
        query = select(func.max(o.c.version)).where(o.c.pool_id == tx.pool, o.c.subject == subjects[0])
        found = tx.connection.execute(query).scalar()
        return {subjects[0]: found} if found else {}
    for subject, version in tx.select(o, ("subject", "version"), ("subject",), [(s,) for s in subjects]):
        latest[subject] = max(version, latest.get(subject, 0))
    return latest


def _transaction_id(tx: Transaction) -> int | None:
    if not tx.postgres:
        return None
    return int(tx.connection.exec_driver_sql("SELECT pg_current_xact_id()::text::bigint").scalar_one())
