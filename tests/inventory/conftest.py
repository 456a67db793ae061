"""A small shop on every engine: two nodes, three items, a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from omo_core.inventory import apply_many, audit, expire_holds, holds_of, levels
from omo_core.inventory.auditor import AuditReport
from omo_core.model.items import Item
from omo_core.model.network import Network, Node, NodeKind
from omo_core.model.stock import (
    CounterSale,
    Demand,
    Hold,
    HoldRequest,
    Level,
    PlaceHolds,
    Receive,
    ReplaceHolds,
    StockAnswer,
)
from omo_core.model.stock_commands import StockCommand
from omo_core.storage.catalogue import save_network
from omo_core.storage.clock import ManualClock
from omo_core.storage.database import Database
from omo_core.storage.ids import SeededIds

POOL = "default"
SKUS = ("BOWL", "MUG", "VASE")
NODES = ("KHH", "TPE")
NETWORK = Network(
    currency="USD",
    nodes=tuple(Node(node=node, kind=NodeKind.STORE) for node in NODES),
    items=tuple(Item(sku=sku) for sku in SKUS),
)

Line = tuple[str, str, int]
"""(sku, node, quantity)"""


def receive(key: str, *lines: Line) -> Receive:
    return Receive(key=key, lines=tuple(Demand(sku=sku, node=node, quantity=units) for sku, node, units in lines))


def sell(key: str, *lines: Line) -> CounterSale:
    return CounterSale(key=key, lines=tuple(Demand(sku=sku, node=node, quantity=units) for sku, node, units in lines))


def place(key: str, *lines: Line, owner: str | None = None, expires_at: datetime | None = None) -> PlaceHolds:
    return PlaceHolds(key=key, lines=requests(owner or key, *lines), expires_at=expires_at)


def replace(key: str, release: tuple[str, ...], *lines: Line) -> ReplaceHolds:
    return ReplaceHolds(key=key, release=release, place=requests(key, *lines))


def requests(owner: str, *lines: Line) -> tuple[HoldRequest, ...]:
    return tuple(
        HoldRequest(owner=owner, line=str(number), sku=sku, node=node, quantity=units)
        for number, (sku, node, units) in enumerate(lines, start=1)
    )


class Shop:
    """A database with a network, and the pool's calls each in a transaction of its own."""

    def __init__(self, url: str) -> None:
        self.clock = ManualClock()
        self.database = Database.open(url, clock=self.clock, ids=SeededIds(1, self.clock))
        self.database.run(POOL, lambda tx: save_network(tx, NETWORK))

    def apply(self, *commands: StockCommand) -> list[StockAnswer]:
        return self.database.run(POOL, lambda tx: apply_many(tx, commands))

    def held(self, command: StockCommand) -> list[str]:
        """Ids of the holds that the command placed; it must have been applied."""
        (answer,) = self.apply(command)
        assert answer.applied, answer.refusals
        return [hold.hold for hold in answer.holds]

    def level(self, sku: str = "MUG", node: str = "TPE") -> Level:
        (level,) = self.database.read(POOL, lambda tx: levels(tx, [(sku, node)]))
        return level

    def counters(self, sku: str = "MUG", node: str = "TPE") -> tuple[int, int, int, int]:
        """(on hand, reserved, safety, shortage)"""
        level = self.level(sku, node)
        return level.on_hand, level.reserved, level.safety, level.shortage

    def hold(self, owner: str) -> Hold:
        (hold,) = self.holds(owner)
        return hold

    def holds(self, *owners: str) -> list[Hold]:
        return self.database.read(POOL, lambda tx: holds_of(tx, owners))

    def expire(self, limit: int = 1000) -> list[Hold]:
        return self.database.run(POOL, lambda tx: expire_holds(tx, limit))

    def audit(self) -> AuditReport:
        return self.database.read(POOL, audit)

    def count(self, table: str) -> int:
        with self.database.connection(read_only=True) as connection:
            return int(connection.exec_driver_sql(f'SELECT count(*) FROM "omo_{table}"').scalar_one())

    def execute(self, *statements: str) -> None:
        """Raw SQL around the library, for corrupting what it keeps."""
        with self.database.connection() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


@contextmanager
def open_shop(url: str) -> Iterator[Shop]:
    shop = Shop(url)
    try:
        yield shop
    finally:
        shop.database.close()


@pytest.fixture
def shop(shop_url: str) -> Iterator[Shop]:
    """The shop on each engine; whatever a test does to it through the library must leave every invariant true."""
    with open_shop(shop_url) as opened:
        yield opened
        assert opened.audit().findings == ()


@pytest.fixture
def memory_shop() -> Iterator[Shop]:
    with open_shop("sqlite:///:memory:") as opened:
        yield opened
