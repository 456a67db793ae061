"""A pool in the middle of its life, copied as often as a sweep needs it, and what can be compared of one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from sqlalchemy import Table

from omo_core.channels.registry import adapter
from omo_core.hub import OrderHub
from omo_core.model.goods import ChangeCondition, Expected, ExpectReceipt, Shipped, ShipTransfer
from omo_core.model.promised import QuotaKind, SlotRequest
from omo_core.model.promises import (
    BackorderRequest,
    PlaceBackorders,
    SetBackorderCap,
    SetCapacity,
    SetQuota,
    SlotCapacity,
)
from omo_core.model.stock import ConfirmHolds, Demand, Hold, HoldRequest, Issue, IssueHolds, PlaceHolds
from omo_core.storage import reports, tables
from omo_core.storage.clock import ManualClock
from omo_core.storage.database import Database
from omo_core.testing.failing import FailingCalls
from tests.orders.conftest import CLOSE, FAR, NEAR, NETWORK, NOON, order, stock

SECRET = "a shared secret"
ORIGINAL = "original"
SLOT = NOON + timedelta(hours=1)
TABLES = [table for table in tables.metadata.sorted_tables if "pool_id" in table.c]
"""Every table of ours: each belongs to a pool."""

_ID = re.compile(r"[0-9a-f]{64}|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Made:
    """Ids of what a world was prepared with."""

    holds: dict[str, Hold]
    """By owner: `free` (placed), `firm` (confirmed), `late` (past its time), `lasting` (with a slot), `gone` (issued)."""
    offered: str
    accepted: str
    """Fulfilment orders."""
    backorder: str


@dataclass(frozen=True)
class World:
    """One pool to try a command on, and what it was prepared with."""

    hub: OrderHub
    made: Made

    def hold(self, owner: str) -> str:
        return self.made.holds[owner].hold

    @property
    def pool(self) -> str:
        return self.hub.pool


class Worlds:
    """A database with one prepared pool; every call of its engine can be made to fail."""

    def __init__(self, url: str) -> None:
        self.clock = ManualClock(NOON)
        self.database = Database.open(url, clock=self.clock)
        self.database._pause = lambda _: None
        self.calls = FailingCalls(self.database.engine)
        self._number = 0
        with self._hub(ORIGINAL) as hub:
            self._made = _prepare(hub, self.clock)
        self._postgres = self.database.engine.dialect.name == "postgresql"
        # Beside the engine whose calls fail, so that its statements stay prepared: looking is most of a sweep's work.
        self._eyes = psycopg.connect(url.replace("+psycopg", ""), autocommit=True) if self._postgres else None
        self._look = _look(self._postgres)
        self._copies = [copy for table in TABLES if (copy := self._copy_of(table)) is not None]
        self.before = self.state(ORIGINAL)

    def close(self) -> None:
        if self._eyes is not None:
            self._eyes.close()
        self.database.close()

    @contextmanager
    def world(self) -> Iterator[World]:
        """A copy of the prepared pool, under a name of its own."""
        self._number += 1
        pool = f"pool-{self._number}"
        for copy in self._copies:
            self._execute(copy, (pool,))
        with self._hub(pool) as hub:
            yield World(hub, self._made)

    def state(self, pool: str, *, named: bool = True) -> list[str]:
        """Every row that the pool keeps, as text, sorted; `named=False` without ids, which differ from try to try."""
        rows = list(map(str, self._execute(self._look, (pool,) * len(TABLES))))
        return sorted(rows if named else [_ID.sub("id", row) for row in rows])

    def _execute(self, statement: str, values: tuple[str, ...]) -> list[Any]:
        if self._eyes is not None:
            ran = self._eyes.execute(statement, values, prepare=True)
            return ran.fetchall() if ran.description else []
        with self.database.connection() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def _copy_of(self, table: Table) -> str | None:
        """The statement that copies a table's rows to another pool, if the prepared one has any."""
        columns, mark = _columns(table), "%s" if self._postgres else "?"
        if not self._execute(f'SELECT 1 FROM "{table.name}" WHERE pool_id = {mark}', (ORIGINAL,)):
            return None
        return (
            f'INSERT INTO "{table.name}" (pool_id, {columns}) SELECT {mark}, {columns} FROM "{table.name}" '
            f"WHERE pool_id = '{ORIGINAL}'"
        )

    @contextmanager
    def _hub(self, pool: str) -> Iterator[OrderHub]:
        native = adapter("native", {"channel": "shop", "secrets": [SECRET]})
        hub = OrderHub(self.database, pool=pool, channels={"shop": native})
        try:
            yield hub
        finally:
            if hub.combiner is not None:
                hub.combiner.close()


def _columns(table: Table, *left_out: str) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns if column.name not in ("pool_id", *left_out))


def _look(postgres: bool) -> str:
    """Every table of a pool in one statement; each row with its table's name, its columns as one text on PostgreSQL."""
    widest = max(len(table.columns) for table in TABLES)
    parts = []
    for table in TABLES:
        # The outbox's transaction ids depend on everything that the server did before.
        columns = _columns(table, "transaction_id")
        if postgres:
            parts.append(f"SELECT '{table.name}', ROW({columns})::text FROM \"{table.name}\" WHERE pool_id = %s")
        else:
            nulls = ", NULL" * (widest - columns.count(","))
            parts.append(f"SELECT '{table.name}', {columns}{nulls} FROM \"{table.name}\" WHERE pool_id = ?")
    return " UNION ALL ".join(parts)


def _prepare(hub: OrderHub, clock: ManualClock) -> Made:
    """Goods, promises, movements, and orders: accepted, offered, waiting for a wave, held, and one that no node could serve."""
    hub.network.load(NETWORK)
    stock(hub, {("A", NEAR): 12, ("B", NEAR): 9, ("C", CLOSE): 9, ("C", FAR): 9})
    _promise(hub)
    _move(hub)
    accepted = hub.orders.place(order("accepted", {"C": 1})).fulfilment_orders[0].fulfilment
    hub.fulfilment.accept(accepted, key="accept")
    gone = hub.orders.place(order("gone", {"C": 1})).fulfilment_orders[0].fulfilment
    hub.fulfilment.accept(gone, key="accept gone")
    hub.fulfilment.ship(gone, key="ship gone", tracking="1Z0")
    refused = hub.run(lambda tx: reports.lease(tx, "shop", until_us=tx.now_us, limit=1))
    hub.run(lambda tx: reports.settle(tx, refused, state="parked", code="refused"))
    offered = hub.orders.place(order("offered", {"C": 2})).fulfilment_orders[0].fulfilment
    hub.orders.place(order("waiting", {"C": 1}), offer=False)
    hub.orders.place(order("held", {"C": 1}, hold_reason="not paid"))
    hub.orders.place(order("short", {"D": 1}))
    # Two parcels, of which a re-evaluation makes one.
    hub.orders.place(order("split", {"B": 1, "C": 1}))
    stock(hub, {("C", NEAR): 1}, key="nearer")
    stock(hub, {("D", FAR): 3}, key="late delivery")
    clock.set(NOON + timedelta(minutes=5))
    (backorder,) = hub.stock.apply(
        PlaceBackorders(key="ahead", lines=(BackorderRequest(owner="patient", line="1", sku="B", quantity=2),))
    ).backorders
    holds = {hold.owner: hold for hold in hub.stock.holds_of(["free", "firm", "late", "lasting", "gone"])}
    return Made(holds, offered, accepted, backorder.backorder)


def _promise(hub: OrderHub) -> None:
    """Holds of every kind, a channel's quota, a node's slot, and what may be promised ahead of stock."""
    hub.stock.apply(SetQuota(key="quota", sku="A", channel="shop", quota_kind=QuotaKind.CAPPED, units=9))
    hub.stock.apply(SetCapacity(key="slot", slots=(SlotCapacity(node=NEAR, slot_at=SLOT, capacity=4),)))
    hub.stock.apply(SetBackorderCap(key="cap", sku="B", cap=9))
    place(hub, "free", "A")
    place(hub, "late", "A", expires_at=NOON + timedelta(minutes=1))
    slot = SlotRequest(owner="lasting", node=NEAR, slot_at=SLOT, units=2)
    place(hub, "lasting", "A", expires_at=NOON + timedelta(hours=1), channel="shop", slots=(slot,))
    hub.stock.apply(ConfirmHolds(key="confirm", holds=(place(hub, "firm", "B"),)))
    hub.stock.apply(IssueHolds(key="go", lines=(Issue(hold=place(hub, "gone", "B"), quantity=2),)))


def _move(hub: OrderHub) -> None:
    """Goods between two nodes, goods announced, goods unfit for sale."""
    hub.stock.apply(
        ShipTransfer(key="ship", transfer="T1", from_node=CLOSE, to_node=FAR, lines=(Shipped(sku="C", quantity=3),))
    )
    due = Expected(sku="D", quantity=5, due_at=NOON + timedelta(days=1))
    hub.stock.apply(ExpectReceipt(key="announce", inbound="ASN", node=FAR, lines=(due,)))
    shelf = (Demand(sku="B", node=NEAR, quantity=1),)
    hub.stock.apply(ChangeCondition(key="damaged", lines=shelf, was="sellable", becomes="quarantine"))


def place(hub: OrderHub, owner: str, sku: str, **more: Any) -> str:
    """Hold two units for an owner; returns the hold."""
    lines = (HoldRequest(owner=owner, line="1", sku=sku, node=NEAR, quantity=2),)
    (hold,) = hub.stock.apply(PlaceHolds(key=f"hold {owner}", lines=lines, **more)).holds
    return hold.hold
