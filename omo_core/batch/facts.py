"""What a run left in the database, read back as plain records: orders, fulfilment orders, decisions, counter sales."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select

from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Delivery, Order
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

STANDING = frozenset({"offered", "accepted", "shipped", "collected"})
"""States of fulfilment orders that neither node nor pool nor buyer undid."""


@dataclass(frozen=True, slots=True)
class FulfilmentFact:
    """One fulfilment order and the units of each order line it was for."""

    node: str
    method: str
    state: str
    attempt: int
    why: str
    reject_code: str | None
    lines: tuple[tuple[str, str, int], ...]
    """(order line, sku, quantity)."""

    @property
    def units(self) -> int:
        """Units in all."""
        return sum(quantity for _, _, quantity in self.lines)


class _Line(BaseModel):
    delivery: int


class _Destinations(BaseModel):
    """The part of an order's document that says where it goes: reading all of every order takes long."""

    lines: tuple[_Line, ...]
    deliveries: tuple[Delivery, ...]


@dataclass
class OrderFact:
    """One order as it ended."""

    order_id: str
    created_at_us: int
    document: str
    attempts: int
    channel: str
    wanted: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Order line → (sku, units wanted)."""
    fulfilments: list[FulfilmentFact] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    """Every decision about a delivery of the order, oldest first, as stored."""

    @cached_property
    def order(self) -> Order:
        """The canonical order."""
        return Order.model_validate_json(self.document)

    @cached_property
    def delivery(self) -> Delivery:
        """Where its first line goes."""
        part = _Destinations.model_validate_json(self.document)
        return part.deliveries[part.lines[0].delivery]

    @property
    def standing(self) -> list[FulfilmentFact]:
        """Its fulfilment orders that stand."""
        return [one for one in self.fulfilments if one.state in STANDING]

    @property
    def wanted_units(self) -> int:
        """Units wanted in all."""
        return sum(units for _, units in self.wanted.values())

    def served(self) -> Mapping[str, int]:
        """Units per order line in standing fulfilment orders."""
        units: dict[str, int] = defaultdict(int)
        for one in self.standing:
            for line, _, quantity in one.lines:
                units[line] += quantity
        return units

    def lines_served_in_full(self) -> int:
        """Lines whose every unit stands in a fulfilment order."""
        served = self.served()
        return sum(served.get(line, 0) >= units for line, (_, units) in self.wanted.items())


@dataclass(frozen=True, slots=True)
class SaleFact:
    """Units that went over the counter of a node."""

    posted_at_us: int
    node: str
    sku: str
    units: int
    operation_id: str
    """The sale it belongs to."""
    channel: str


def read_orders(tx: Transaction) -> list[OrderFact]:
    """Every order with a document, in the order they were taken in."""
    table = tables.order
    query = (
        select(table.c.order_id, table.c.created_at_us, table.c.document, table.c.attempt, table.c.channel)
        .where(table.c.pool_id == tx.pool, table.c.document.is_not(None))
        .order_by(table.c.order_id)
    )
    facts = {row.order_id: OrderFact(*row) for row in tx.connection.execute(query).all()}
    columns = ("order_id", "line", "sku", "wanted", "components")
    kits: dict[tuple[str, str], tuple[str, dict[str, int]]] = {}
    for row in _rows(tx, "order_line", *columns, order=("order_id", "position")):
        if row.components is not None:
            kits[row.order_id, row.line] = row.sku, json.loads(row.components)
        if row.order_id in facts and row.wanted:
            facts[row.order_id].wanted[row.line] = (row.sku, row.wanted)
    for order_id, fulfilment in _read_fulfilments(tx, kits):
        if order_id in facts:
            facts[order_id].fulfilments.append(fulfilment)
    for row in _rows(tx, "decision", "order_id", "document", order=("order_id", "attempt")):
        if row.order_id in facts:
            facts[row.order_id].decisions.extend(json.loads(row.document)["deliveries"])
    return list(facts.values())


def _read_fulfilments(
    tx: Transaction, kits: Mapping[tuple[str, str], tuple[str, Mapping[str, int]]]
) -> Iterator[tuple[str, FulfilmentFact]]:
    """With the id of its order; `kits`: (order, line) → kit and what one takes, told in kits and not in components."""
    lines: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    columns = ("fulfilment", "order_id", "line", "sku", "quantity")
    for row in _rows(tx, "fulfilment_line", *columns, order=("fulfilment", "hold")):
        kit, recipe = kits.get((row.order_id, row.line), (row.sku, {}))
        if not recipe:
            lines[row.fulfilment].append((row.line, row.sku, row.quantity))
        elif all(line != row.line for line, _, _ in lines[row.fulfilment]):
            lines[row.fulfilment].append((row.line, kit, row.quantity // recipe[row.sku]))
    names = ("fulfilment", "order_id", "node", "method", "state", "attempt", "why", "reject_code")
    for row in _rows(tx, "fulfilment", *names, order=("attempt", "fulfilment")):
        own = tuple(lines[row.fulfilment])
        yield (
            row.order_id,
            FulfilmentFact(row.node, row.method, row.state, row.attempt, row.why, row.reject_code, own),
        )


def read_counter_sales(tx: Transaction) -> list[SaleFact]:
    """Everything that went over a counter, in the order it was posted."""
    posting, operation = tables.posting.c, tables.operation.c
    query = (
        select(posting.posted_at_us, posting.node, posting.sku, posting.quantity, posting.operation_id, operation.scope)
        .join_from(
            tables.posting,
            tables.operation,
            (operation.pool_id == posting.pool_id) & (operation.operation_id == posting.operation_id),
        )
        .where(posting.pool_id == tx.pool, posting.place == "customer", operation.kind == "counter_sale")
        .order_by(posting.operation_id, posting.number)
    )
    return [SaleFact(*row) for row in tx.connection.execute(query).all()]


def count_shortage_units(tx: Transaction) -> tuple[int, int]:
    """(units, rows) that were sold although the book did not know them."""
    rows = list(_rows(tx, "count_task", "quantity", order=("task_id",)))
    return sum(row.quantity for row in rows), len(rows)


def goes_to(fact: OrderFact) -> tuple[str | None, Any]:
    """(pickup node, point) of an order: where its buyer is, as far as it says."""
    delivery = fact.delivery
    if delivery.method is DeliveryMethod.PICKUP:
        return delivery.pickup_node, None
    return None, delivery.address.point if delivery.address else None


def _rows(tx: Transaction, name: str, *columns: str, order: tuple[str, ...]) -> Iterator[Any]:
    table = tables.metadata.tables[f"omo_{name}"]
    query = select(*(table.c[column] for column in columns)).where(table.c.pool_id == tx.pool)
    return iter(tx.connection.execute(query.order_by(*(table.c[column] for column in order))).all())
