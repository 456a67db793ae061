"""What a simulation compares in the end: every row of the database with the pure model, and with what was answered."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from omo_core.inventory import audit
from omo_core.storage.tables import metadata
from omo_core.storage.transaction import AnyRow, Transaction
from omo_core.testing.pool_model import Cell, Counters, PoolModel

_ROWS: Final = "SELECT sku, node, condition, on_hand, reserved, safety, shortage FROM omo_stock WHERE pool_id = ?"
_HOLDS: Final = "SELECT hold, state, pending, issued, released, returned, extended, quantity, owner, line FROM omo_hold WHERE pool_id = ?"
_OPERATIONS: Final = (
    "SELECT scope, key, kind, request_sha256, answer, operation_id FROM omo_operation WHERE pool_id = ?"
)
_LEDGER: Final = """
SELECT sku, node, condition, operation_id, on_hand_after, reserved_after, safety_after, shortage_after FROM omo_posting
WHERE pool_id = ? AND place = 'stock' ORDER BY sku, node, condition, row_version
"""
_TRANSFERS: Final = """
SELECT transfer, sku, node, shipped, received, lost, extra FROM omo_transfer_line WHERE pool_id = ?
"""
_INBOUND: Final = """
SELECT reference, node, sku, CASE state WHEN 'cancelled' THEN 1 ELSE 0 END, coalesce(due_at_us, 0), expected, received
FROM omo_inbound WHERE pool_id = ?
"""
_OPEN_TASKS: Final = """
SELECT sku, node, condition, opened_at_us FROM omo_count_task WHERE pool_id = ? AND state = 'open' ORDER BY opened_at_us
"""
_TASKS: Final = "SELECT operation_id, sku, node, quantity FROM omo_count_task WHERE pool_id = ? ORDER BY task_id"
_FACTS: Final = "SELECT subject, data FROM omo_outbox WHERE pool_id = ?"
_SWEEP: Final = "expire_holds"


def differences(tx: Transaction, model: PoolModel) -> Iterator[str]:
    """What the database holds otherwise than the model, one sentence each; nothing from a sound pool."""
    yield from _broken_invariants(tx)
    yield from _of("stock rows", {tuple(row[:3]): tuple(row[3:]) for row in _all(tx, _ROWS)}, _rows(model))
    yield from _of("holds", {row[0]: tuple(row[1:]) for row in _all(tx, _HOLDS)}, _holds(model))
    yield from _operations(tx, model)
    yield from _of("ledger", _histories(tx), {cell: _moves(row.history) for cell, row in model.rows.items()})
    tasks: dict[Cell, list[int]] = defaultdict(list)
    for *cell, opened_us in _all(tx, _OPEN_TASKS):
        tasks[cell[0], cell[1], cell[2]].append(opened_us)
    yield from _of("open count tasks", tasks, {cell: row.tasks for cell, row in model.rows.items() if row.tasks})
    yield from _of("transfers", {tuple(row[:2]): tuple(row[2:]) for row in _all(tx, _TRANSFERS)}, _transfers(model))
    announced = {name: tuple(line.values()) for name, line in model.announced.items()}
    yield from _of("announcements", {tuple(row[:3]): tuple(row[3:]) for row in _all(tx, _INBOUND)}, announced)
    yield from _consequences(tx)


def _broken_invariants(tx: Transaction) -> Iterator[str]:
    for finding in audit(tx, limit=3).findings:
        yield f"invariant {finding.invariant} ({finding.check}): {finding.sentence}"


def _rows(model: PoolModel) -> dict[Cell, Counters]:
    return {cell: row.counters for cell, row in model.rows.items()}


def _holds(model: PoolModel) -> dict[str, tuple[Any, ...]]:
    return {
        hold.hold: (
            hold.state.value,
            hold.pending,
            hold.issued,
            hold.released,
            hold.returned,
            hold.extended,
            hold.quantity,
            hold.owner,
            hold.line,
        )
        for hold in model.holds.values()
    }


def _transfers(model: PoolModel) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {
        (name, sku): (transfer.to_node, *line.values())
        for name, transfer in model.transfers.items()
        for sku, line in transfer.lines.items()
    }


def _operations(tx: Transaction, model: PoolModel) -> Iterator[str]:
    """Every key has the one answer that the model gave it, and every sweep that ended something is recorded."""
    stored = {}
    sweeps = 0
    for scope, key, kind, digest, answer, _ in _all(tx, _OPERATIONS):
        if kind == _SWEEP:
            sweeps += 1
        else:
            stored[scope, key] = (kind, digest, answer)
    expected = {
        name: (answer.kind, digest, answer.model_dump_json()) for name, (digest, answer) in model.answers.items()
    }
    yield from _of("answers", stored, expected)
    yield from _of("sweeps", {"recorded": sweeps}, {"recorded": model.sweeps})


def _histories(tx: Transaction) -> dict[Cell, list[Counters]]:
    """The values of each row after each operation that changed it, in the order of its versions."""
    last: dict[Cell, list[tuple[str, Counters]]] = defaultdict(list)
    for sku, node, condition, operation, *after in _all(tx, _LEDGER):
        history = last[sku, node, condition]
        if history and history[-1][0] == operation:
            history.pop()
        history.append((operation, (after[0], after[1], after[2], after[3])))
    return {cell: _moves(after for _, after in history) for cell, history in last.items()}


def _moves(history: Iterable[Counters]) -> list[Counters]:
    moves: list[Counters] = []
    for after in history:
        if (moves[-1] if moves else (0, 0, 0, 0)) != after:
            moves.append(after)
    return moves


def _consequences(tx: Transaction) -> Iterator[str]:
    """A shortage has its count task, and promises that were taken away have their fact: all of it or none."""
    tasks: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for operation, *task in _all(tx, _TASKS):
        tasks[operation].append(tuple(task))
    facts = {subject: json.loads(data) for subject, data in _all(tx, _FACTS)}
    for scope, key, kind, _, text, operation in _all(tx, _OPERATIONS):
        answer = json.loads(text)
        short = [(one["sku"], one["node"], one["quantity"]) for one in answer["shortages"]]
        if kind != _SWEEP and sorted(short) != sorted(tasks.pop(operation, [])):
            yield f"operation {scope}/{key} was short of {short}, and its count tasks say otherwise"
        fact = facts.pop(f"operation/{operation}", None)
        if kind == _SWEEP or answer["displaced"] or short:
            yield from _of(f"fact of {scope}/{key}", _told(fact), _told(answer))
        elif fact is not None:
            yield f"operation {scope}/{key} announced {fact}, but took nothing from anybody"


def _told(said: Mapping[str, Any] | None) -> dict[str, Any]:
    """Whom an answer or its fact says to have lost something."""
    if said is None:
        return {}
    lost = [one["hold"] for one in said.get("displaced", [])]
    return {"displaced": lost, "shortages": said.get("shortages", [])}


def _of(what: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> Iterator[str]:
    """The first difference of two tables, if they differ."""
    for key in [*expected, *(key for key in found if key not in expected)]:
        if found.get(key) != expected.get(key):
            yield f"{what}: {key} is {found.get(key)} in the database, but should be {expected.get(key)}"
            return


def _all(tx: Transaction, sql: str) -> list[AnyRow]:
    return list(tx.connection.exec_driver_sql(sql, (tx.pool,)).all())


def digest_of(connection: Connection) -> str:
    """SHA-256 of every row of our tables, whatever order they were written in."""
    whole = hashlib.sha256()
    for table in metadata.sorted_tables:
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        query = f'SELECT {names} FROM "{table.name}" ORDER BY {names}'  # noqa: S608
        for row in connection.exec_driver_sql(query):
            whole.update(repr((table.name, *row)).encode())
    return whole.hexdigest()
