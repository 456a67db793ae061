"""Reading holds, and ending those that nobody confirmed in time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from sqlalchemy import select

from omo_core.inventory.capacity import end_claims
from omo_core.inventory.decide import is_expired
from omo_core.inventory.load import HOLD_COLUMNS, cells_of_holds, held_units, load_holds, lock_rows
from omo_core.inventory.quotas import Quotas
from omo_core.inventory.record import record
from omo_core.inventory.verbs_holds import end_holds
from omo_core.inventory.working import WorkingSet
from omo_core.model.promised import SlotClaim
from omo_core.model.stock import Hold, HoldState, StockAnswer
from omo_core.storage import operations, tables
from omo_core.storage.operations import Operation
from omo_core.storage.transaction import Transaction

EXPIRE: Final = "expire_holds"
SWEEP_SCOPE: Final = "omo.sweep"
HOLDS_EXPIRED: Final = "omo.stock.holds_expired.v1"


def holds_of(tx: Transaction, owners: Iterable[str]) -> list[Hold]:
    """Every hold of the owners, open and ended, in order of owner and hold."""
    rows = tx.select(tables.hold, HOLD_COLUMNS, ("owner",), [(owner,) for owner in owners])
    return [held_units(row).value() for row in rows]


def expire_holds(tx: Transaction, limit: int = 1000) -> list[Hold]:
    """End at most `limit` placed holds that are past their time, the longest overdue first; returns them as ended.

    A sweep needs no key: it is guarded by the holds' state, so two sweeps of one moment end each hold once. A sweep
    that ends something is a recorded operation with its ledger lines. Work that an owner claimed of nodes' slots is
    given back with the last of his holds.
    """
    work = WorkingSet(now_us=tx.now_us, new_id=tx.new_id)
    overdue = _overdue(tx, limit)
    lock_rows(tx, work, cells_of_holds(tx, overdue))
    load_holds(tx, work, overdue)
    # Read again under the lock: a hold that was confirmed, released or swept meanwhile is no longer ours to end.
    ending = [work.holds[hold] for hold in overdue if is_expired(work.holds[hold], tx.now_us)]
    if not ending:
        return []
    operation_id = tx.new_id()
    counted = {hold.sku for hold in ending if hold.quota is not None}
    if counted:
        work.annexes[Quotas] = Quotas.of_skus(tx, work, counted)
    end_holds(work, operation_id, ending, HoldState.EXPIRED)
    claims = end_claims(tx, work, ending)
    ended = tuple(hold.value() for hold in ending)
    record(tx, work)
    _record_sweep(tx, operation_id, ended, claims)
    return list(ended)


def _record_sweep(tx: Transaction, operation_id: str, ended: tuple[Hold, ...], claims: Iterable[SlotClaim]) -> None:
    """Store the sweep as an operation and tell the holds' owners; its key is new, so no rival can wait for it."""
    operations.find(tx, [(SWEEP_SCOPE, operation_id)])
    answer = StockAnswer(key=operation_id, kind=EXPIRE, holds=ended, claims=tuple(claims)).model_dump_json()
    digest = hashlib.sha256(operation_id.encode()).hexdigest()
    operations.record(tx, [Operation(SWEEP_SCOPE, operation_id, operation_id, EXPIRE, digest, answer)])
    holds = [{"hold": hold.hold, "owner": hold.owner, "line": hold.line} for hold in ended]
    tx.publish(HOLDS_EXPIRED, f"operation/{operation_id}", {"holds": holds})


def _overdue(tx: Transaction, limit: int) -> list[str]:
    hold = tables.hold.c
    query = (
        select(hold.hold)
        .where(hold.pool_id == tx.pool, hold.state == HoldState.PLACED.value, hold.expires_at_us <= tx.now_us)
        .order_by(hold.expires_at_us, hold.hold)
        .limit(limit)
    )
    return [row.hold for row in tx.connection.execute(query)]
