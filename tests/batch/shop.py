"""A small shop as files: two stores and a warehouse, three items, a stock list, and a day's messages."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from omo_core.batch.run import Progress, RunFiles, RunOptions
from omo_core.batch.session import Outcome, SessionSettings, run_session
from omo_core.hub import OrderHub
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
TAIPEI = {"latitude": 25.03, "longitude": 121.56}
HSINCHU = {"latitude": 24.80, "longitude": 120.97}
TAINAN = {"latitude": 22.99, "longitude": 120.20}
NODES = [
    {"node": "TPE", "kind": "store", "point": TAIPEI, "region": "North"},
    {"node": "HSZ", "kind": "store", "point": HSINCHU, "region": "North"},
    {"node": "WH", "kind": "central_warehouse", "point": TAINAN},
]
STOCK = [("MUG", "TPE", 9), ("MUG", "HSZ", 5), ("MUG", "WH", 200), ("CUP", "TPE", 40), ("CUP", "WH", 300)]


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


def network(nodes: Sequence[Mapping[str, Any]] = NODES, skus: Iterable[str] = ("MUG", "CUP", "TEA")) -> dict[str, Any]:
    return {"version": 1, "currency": "TWD", "nodes": list(nodes), "items": [{"sku": sku} for sku in skus]}


def order(number: int | str, sku: str = "MUG", quantity: Any = 1, **changes: Any) -> dict[str, Any]:
    """A native order document, placed as many minutes after the start as its number says."""
    document = {
        "type": "order",
        "version": 1,
        "channel": "web",
        "external_id": str(number),
        "placed_at": at(float(number) if str(number).isdigit() else 0),
        "currency": "TWD",
        "delivery": {"method": "ship", "address": {"city": "Taipei", **TAIPEI}},
        "lines": [{"line": "1", "sku": sku, "quantity": quantity}],
    }
    return document | changes


def sale(number: int, sku: str = "MUG", quantity: Any = 1, node: str = "TPE") -> dict[str, Any]:
    return {
        "type": "counter_sale",
        "version": 1,
        "channel": "till",
        "external_id": f"R{number}",
        "node": node,
        "sold_at": at(number),
        "lines": [{"sku": sku, "quantity": quantity}],
    }


def busy_day(messages: int = 60) -> list[dict[str, Any]]:
    """Orders of one or two lines and counter sales in turn; the stores' mugs run out on the way."""
    day: list[dict[str, Any]] = []
    for number in range(messages):
        if number % 4 == 3:
            day.append(sale(number, sku=("MUG", "CUP")[number % 8 == 3]))
            continue
        lines = [
            {"line": str(one), "sku": sku, "quantity": 1} for one, sku in enumerate(("MUG", "CUP")[: 1 + number % 2])
        ]
        method = ("ship", "ship", "one_hour")[number % 3]
        day.append(order(number, delivery={"method": method, "address": TAIPEI}, lines=lines))
    return day


@dataclass
class Shop:
    """The files of a run in one folder."""

    folder: Path
    orders: str = "orders.jsonl"
    columns: dict[str, str] = field(default_factory=dict)
    channels: Path | None = None

    def __post_init__(self) -> None:
        self.write_network(network())
        self.write_stock(STOCK)

    def write_network(self, document: Mapping[str, Any]) -> None:
        (self.folder / "network.json").write_text(json.dumps(document))

    def write_stock(self, rows: Iterable[Sequence[Any]], header: Sequence[str] = ("sku", "node", "quantity")) -> None:
        self.write_csv("stock.csv", rows, header)

    def write_csv(self, name: str, rows: Iterable[Sequence[Any]], header: Sequence[str]) -> None:
        with (self.folder / name).open("w", newline="") as out:
            csv.writer(out).writerows([header, *rows])

    def write_orders(self, documents: Iterable[Mapping[str, Any] | str]) -> None:
        lines = [one if isinstance(one, str) else json.dumps(one) for one in documents]
        (self.folder / self.orders).write_text("".join(f"{line}\n" for line in lines))

    def write_channels(self, document: Mapping[str, Any]) -> None:
        self.channels = self.folder / "channels.json"
        self.channels.write_text(json.dumps(document))

    @property
    def files(self) -> RunFiles:
        return RunFiles(
            network=self.folder / "network.json",
            stock=self.folder / "stock.csv",
            orders=self.folder / self.orders,
            columns=self.columns,
            channels=self.channels,
        )

    def run(
        self,
        database: str | None = None,
        options: RunOptions | None = None,
        progress: Progress | None = None,
        out: str = "out",
    ) -> Outcome:
        settings = SessionSettings(database=database or self.database, out=self.folder / out)
        return run_session(self.files, options or RunOptions(), settings, progress)

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'shop.db'}"

    def rejected(self, out: str = "out") -> list[tuple[str, int, str]]:
        """(file, line, code) of every row of rejected.csv."""
        with (self.folder / out / "rejected.csv").open(newline="") as rows:
            return [(row["file"], int(row["line"]), row["code"]) for row in csv.DictReader(rows)]


def decisions(database: str) -> dict[str, Any]:
    """What a pool decided, without the ids and times that no two databases share."""
    with OrderHub.open(database) as hub:
        assert hub.audit().clean
        return hub.run(_decisions, read_only=True)


def _decisions(tx: Transaction) -> dict[str, Any]:
    orders, parts, lines, stock = tables.order, tables.fulfilment, tables.fulfilment_line, tables.stock
    served = (
        select(
            *(orders.c.channel, orders.c.external_id, orders.c.attempt, parts.c.node, parts.c.method, parts.c.attempt),
            *(parts.c.state, parts.c.why, lines.c.line, lines.c.sku, lines.c.quantity),
        )
        .join_from(orders, parts, parts.c.order_id == orders.c.order_id)
        .join(lines, lines.c.fulfilment == parts.c.fulfilment)
    )
    levels = select(stock.c.sku, stock.c.node, stock.c.on_hand, stock.c.reserved, stock.c.shortage)
    states = select(orders.c.channel, orders.c.external_id, orders.c.state, orders.c.document)
    counted = {
        table.name: len(tx.connection.execute(select(table.c.pool_id)).all())
        for table in (tables.hold, tables.posting, tables.operation, tables.outbox)
    }
    return {
        "served": sorted(tuple(row) for row in tx.connection.execute(served)),
        "levels": sorted(tuple(row) for row in tx.connection.execute(levels)),
        "states": sorted(tuple(row) for row in tx.connection.execute(states)),
        "counted": counted,
    }
