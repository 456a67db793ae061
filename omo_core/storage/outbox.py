"""The outbox: facts written in the transaction that made them true, read in an order that cannot miss one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from omo_core.storage import tables
from omo_core.storage.clock import from_us
from omo_core.storage.transaction import Transaction

_NAME: Final = "outbox"
_compact: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

# `transaction_id` orders the outbox: the transaction's own number, but never less than the number its subject already has,
# so that versions of one subject stay in order although their transactions may have begun in another one. SQLite's
# one writer makes any rising number serve.
_OWN_ID_POSTGRES: Final = "SELECT pg_current_xact_id()::text::bigint"
_OWN_ID_SQLITE: Final = "SELECT coalesce(max(rowid), 0) + 1 FROM omo_outbox"

_LATEST_POSTGRES: Final = """
SELECT v.subject, o.version, o.transaction_id FROM unnest(%s::text[]) AS v (subject) CROSS JOIN LATERAL
       (SELECT version, transaction_id FROM omo_outbox WHERE pool_id = %s AND subject = v.subject
        ORDER BY version DESC LIMIT 1) AS o
"""
_LATEST_SQLITE: Final = """
SELECT o.subject, o.version, o.transaction_id FROM json_each(?) AS v CROSS JOIN omo_outbox AS o
       ON o.pool_id = ? AND o.subject = v.value AND o.version =
       (SELECT max(version) FROM omo_outbox WHERE pool_id = ? AND subject = v.value)
"""

_READ: Final = """
SELECT event_id, type, subject, version, data, created_at_us FROM omo_outbox
WHERE pool_id = :pool AND published_at_us IS NULL
"""
_SETTLED_POSTGRES: Final = """
AND (transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
     OR transaction_id >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
"""


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
            "data": _compact(data),
            "created_at_us": tx.now_us,
        }
        for kind, subject, data in facts
    ]
    waiting = tx.at_commit(_NAME, _write)
    waiting.extend(rows)
    return [row["event_id"] for row in rows]


def _write(tx: Transaction, rows: list[dict[str, Any]]) -> None:
    """Insert what was published; a rival who took the same version makes the whole transaction run again."""
    latest = _latest(tx, sorted({row["subject"] for row in rows}))
    own = int(tx.connection.exec_driver_sql(_OWN_ID_POSTGRES if tx.postgres else _OWN_ID_SQLITE).scalar_one())
    for row in rows:
        version, transaction_id = latest.get(row["subject"], (0, own))
        row["version"], row["transaction_id"] = version + 1, max(own, transaction_id)
        latest[row["subject"]] = (row["version"], row["transaction_id"])
    tx.insert(tables.outbox, rows)


def _latest(tx: Transaction, subjects: list[str]) -> dict[str, tuple[int, int]]:
    """Last version and transaction id of each subject that has any; so pruning must keep a subject's last row."""
    if tx.postgres:
        found = tx.connection.exec_driver_sql(_LATEST_POSTGRES, (subjects, tx.pool))
    else:
        found = tx.connection.exec_driver_sql(_LATEST_SQLITE, (json.dumps(subjects), tx.pool, tx.pool))
    return {subject: (version, transaction_id) for subject, version, transaction_id in found}


def read(tx: Transaction, limit: int = 1000) -> list[Fact]:
    """The oldest unpublished facts of the pool, at most `limit`, versions of one subject in order.

    On PostgreSQL only facts older than every transaction still running are read: so the order never changes behind
    a reader, and whoever reads on from the last fact it saw misses none, which `id > last` alone does. Facts restored from
    another server carry transaction ids of its future; those are committed for certain.
    """
    settled = _SETTLED_POSTGRES if tx.postgres else ""
    sql = f"{_READ} {settled} ORDER BY transaction_id, subject, version LIMIT :limit"
    rows = tx.connection.execute(text(sql), {"pool": tx.pool, "limit": limit})
    return [Fact(row[0], row[1], row[2], row[3], row[4], from_us(row[5])) for row in rows]


def mark_published(tx: Transaction, event_ids: Iterable[str]) -> int:
    """Say that facts reached their readers; returns how many there were. Publishing is at least once: mark it after."""
    rows = [{"event_id": event_id, "published_at_us": tx.now_us} for event_id in sorted(set(event_ids))]
    return tx.update(tables.outbox, rows, keys=("event_id",), changes=("published_at_us",))
