"""What channels are to hear of fulfilment: written with the fact, leased while it is told, and kept with what became of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, literal, select, text

from omo_core.storage import tables
from omo_core.storage.clock import from_us
from omo_core.storage.transaction import Transaction

_COLUMNS: Final = (
    "report",
    "kind",
    "order_id",
    "fulfilment",
    "document",
    "state",
    "attempts",
    "happened_at_us",
    "parts_taken",
    "reason_code",
    "reason",
)


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that an order's channel is to hear."""

    report: str
    """`ship/ID/NUMBER`, `ready/ID` or `acknowledge/ID`: what happened, and to which fulfilment order or order."""
    kind: str
    order_id: str
    fulfilment: str | None
    document: str | None
    state: str
    """`waiting`, `done`, `parked` (refused; `reason_code` and `reason` say why) or `skipped` (not to be told)."""
    attempts: int
    happened_at_us: int
    parts_taken: str | None = None
    reason_code: str | None = None
    reason: str | None = None

    @property
    def taken(self) -> tuple[str, ...]:
        """Keys of the parts of it that the channel took, where it did not take all of them."""
        return tuple(json.loads(self.parts_taken or "[]"))


@dataclass(frozen=True, slots=True)
class Untold:
    """How much a channel has not heard."""

    waiting: int
    parked: int
    oldest_at: datetime
    """When the oldest of it happened."""


def add(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> int:
    """Remember what is to be told from now on: rows of report, kind, channel, order_id, fulfilment, document.

    What is known already is left as it stands; returns how many are new.
    """
    blank = {"state": "waiting", "attempts": 0, "parts_taken": None, "reason_code": None, "reason": None}
    now = {"happened_at_us": tx.now_us, "due_at_us": tx.now_us}
    return len(tx.insert_new(tables.report, [{**blank, **now, **row} for row in rows]))


def lease(tx: Transaction, channel: str, *, until_us: int, limit: int, whole_orders: bool = False) -> list[Report]:
    """What is due, the longest first, and nobody else's until then.

    With `whole_orders` all parcels of an order are told together, once the order has left whole.
    """
    r, o = tables.report.c, tables.order.c
    query = select(r.report, r.kind, r.order_id).where(
        r.pool_id == tx.pool,
        r.channel == channel,
        text("omo_report.state = 'waiting'"),  # a literal, as in the partial index
        r.due_at_us <= tx.now_us,
    )
    if whole_orders:
        order = (o.pool_id == r.pool_id) & (o.order_id == r.order_id)
        query = query.join(tables.order, order).where((r.kind != "ship") | (o.state == "fulfilled"))
    found = tx.connection.execute(query.order_by(r.due_at_us, r.happened_at_us, r.report).limit(limit)).all()
    names = {row.report for row in found}
    if whole_orders:
        left = of_orders(tx, {row.order_id for row in found if row.kind == "ship"})
        names |= {one.report for one in left if one.kind == "ship" and one.state == "waiting"}
    rows = tx.select(tables.report, (*_COLUMNS, "due_at_us"), ("report",), [(one,) for one in sorted(names)], lock=True)
    free = [row for row in rows if row.state == "waiting" and row.due_at_us <= tx.now_us]
    changes = [{"report": row.report, "due_at_us": until_us} for row in free]
    tx.update(tables.report, changes, keys=("report",), changes=("due_at_us",))
    return [Report(*row[:-1]) for row in free]


def of_orders(tx: Transaction, orders: Iterable[str]) -> list[Report]:
    """All that the channels of these orders heard or are to hear."""
    rows = tx.select(tables.report, _COLUMNS, ("order_id",), [(one,) for one in sorted(set(orders))])
    return [Report(*row) for row in rows]


def settle(
    tx: Transaction,
    reports: Sequence[Report],
    *,
    state: str,
    due_at_us: int | None = None,
    code: str | None = None,
    reason: str | None = None,
) -> None:
    """Say what became of reports that were leased: another attempt was made of each."""
    rows = [
        {
            "report": one.report,
            "was": "waiting",
            "state": state,
            "attempts": one.attempts + 1,
            "due_at_us": due_at_us,
            "reason_code": code,
            "reason": reason,
        }
        for one in sorted(reports, key=lambda one: one.report)
    ]
    changes = ("state", "attempts", "due_at_us", "reason_code", "reason")
    tx.update(tables.report, rows, keys={"report": "report", "state": "was"}, changes={name: name for name in changes})


def keep_taken(tx: Transaction, leased: Sequence[Report], taken: Collection[str]) -> None:
    """Remember which parts of leased reports the channel took, so that they are not told again with the others."""
    parts = json.dumps(sorted(taken)) if taken else None
    rows = [{"report": report, "parts_taken": parts} for report in sorted(one.report for one in leased)]
    tx.update(tables.report, rows, keys=("report",), changes=("parts_taken",))


def skip(tx: Transaction, channel: str, kind: str, *, before_us: int, code: str, reason: str) -> int:
    """Let go what waits of a kind and happened before then: the channel is not told of it; returns how much it was."""
    r = tables.report.c
    waiting = select(r.report).where(
        r.pool_id == tx.pool,
        r.channel == channel,
        text("omo_report.state = 'waiting'"),
        r.kind == kind,
        r.happened_at_us < before_us,
    )
    found = tx.connection.execute(waiting).scalars().all()
    rows = tx.select(tables.report, _COLUMNS, ("report",), [(one,) for one in sorted(found)], lock=True)
    settle(tx, [Report(*row) for row in rows if row.state == "waiting"], state="skipped", code=code, reason=reason)
    return len(rows)


def wait_again(tx: Transaction, channel: str, report: str | None = None) -> int:
    """Let parked reports be told again: one, or all; returns how many."""
    r = tables.report.c
    query = select(r.report).where(r.pool_id == tx.pool, r.channel == channel, text("omo_report.state = 'parked'"))
    if report is not None:
        query = query.where(r.report == report)
    rows = [
        {"report": one, "was": "parked", "state": "waiting", "due_at_us": tx.now_us, "attempts": 0}
        for one in sorted(tx.connection.execute(query).scalars())
    ]
    changes = {"state": "state", "due_at_us": "due_at_us", "attempts": "attempts"}
    return tx.update(tables.report, rows, keys={"report": "report", "state": "was"}, changes=changes)


def parked(tx: Transaction, channel: str, *, after: str = "", limit: int = 100) -> list[Report]:
    """A page of what a channel refused to hear, by id."""
    r = tables.report.c
    query = select(*(r[name] for name in _COLUMNS)).where(
        r.pool_id == tx.pool, r.channel == channel, text("state = 'parked'"), r.report > after
    )
    return [Report(*row) for row in tx.connection.execute(query.order_by(r.report).limit(limit))]


def untold(tx: Transaction) -> dict[str, Untold]:
    """By channel, what it has not heard."""
    r = tables.report.c
    counted: dict[str, list[int]] = {}
    for place, state in enumerate(("waiting", "parked")):
        query = (
            select(r.channel, func.count(), func.min(r.happened_at_us))
            .where(r.pool_id == tx.pool, text(f"state = '{state}'"))
            .group_by(r.channel)
        )
        for channel, count, oldest in tx.connection.execute(query):
            row = counted.setdefault(channel, [0, 0, int(oldest)])
            row[place], row[2] = int(count), min(row[2], int(oldest))
    return {channel: Untold(waiting, stuck, from_us(oldest)) for channel, (waiting, stuck, oldest) in counted.items()}


def unacknowledged(tx: Transaction, channel: str, *, limit: int) -> list[str]:
    """Orders of a channel that nodes have work of and that it has not heard we take, oldest first."""
    r, o = tables.report.c, tables.order.c
    told = select(r.report).where(r.pool_id == tx.pool, r.report == literal("acknowledge/") + o.order_id)
    query = select(o.order_id).where(
        o.pool_id == tx.pool, o.state == "in_fulfilment", o.channel == channel, ~told.exists()
    )
    return list(tx.connection.execute(query.order_by(o.order_id).limit(limit)).scalars())
