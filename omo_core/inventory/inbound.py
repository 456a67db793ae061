"""What suppliers announced: what of it has come, and how much is due where by when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import select, tuple_

from omo_core.inventory.working import WorkingSet
from omo_core.model.errors import InvariantViolation
from omo_core.model.goods import CancelReceipt, Expected, ExpectReceipt, Inbound
from omo_core.model.stock import Receive
from omo_core.storage import tables
from omo_core.storage.clock import from_us, to_us
from omo_core.storage.transaction import Transaction

Line = tuple[str, str, str]
"""(reference, node, sku): the key of an announced line."""

OPEN: Final = "open"
DONE: Final = "done"
CANCELLED: Final = "cancelled"

_KEY: Final = ("reference", "node", "sku")
_ANNOUNCED: Final = frozenset({CancelReceipt, ExpectReceipt, Receive})
_CHANGING: Final = ("state", "due_at_us", "expected", "received")


@dataclass(slots=True)
class DueLine:
    """One announced line as the batch has changed it so far; `stored` is what it was read with, None where it is new."""

    key: Line
    operation_id: str = ""
    cancelled: bool = False
    due_at_us: int | None = None
    expected: int = 0
    received: int = 0
    stored: tuple[Any, ...] | None = None

    @property
    def changing(self) -> tuple[Any, ...]:
        """What changes, in the order of the columns."""
        state = CANCELLED if self.cancelled else OPEN if self.received < self.expected else DONE
        return (state, self.due_at_us, self.expected, self.received)


@dataclass(slots=True)
class Announced:
    """The announced lines that a batch names."""

    lines: dict[Line, DueLine] = field(default_factory=dict)

    @classmethod
    def load(cls, tx: Transaction, work: WorkingSet, commands: Sequence[Any]) -> Self:  # noqa: ARG003
        """Read and lock the lines that `commands` name, in key order, in one statement."""
        announced = cls()
        if _ANNOUNCED.isdisjoint(map(type, commands)):
            return announced
        named: set[Line] = set()
        cancelled: set[tuple[str, str]] = set()
        for command in commands:
            if isinstance(command, CancelReceipt):
                cancelled.add((command.inbound, command.node))
            elif isinstance(command, ExpectReceipt):
                named.update((command.inbound, command.node, line.sku) for line in command.lines)
            elif isinstance(command, Receive) and command.inbound is not None:
                named.update((command.inbound, line.node, line.sku) for line in command.lines)
        if cancelled:  # whose items are not known: then all are read by what they are known by, in the same order
            keys: Iterable[tuple[str, ...]] = cancelled | {line[:2] for line in named}
            found = tx.select(tables.inbound, (*_KEY, "operation_id", *_CHANGING), _KEY[:2], keys, lock=True)
        elif named:
            found = tx.select(tables.inbound, (*_KEY, "operation_id", *_CHANGING), _KEY, named, lock=True)
        else:
            return announced
        for reference, node, sku, operation_id, state, due_at_us, expected, received in found:
            key = (reference, node, sku)
            line = DueLine(key, operation_id, state == CANCELLED, due_at_us, expected, received)
            line.stored = line.changing
            announced.lines[key] = line
        return announced

    def of(self, reference: str, node: str) -> list[DueLine]:
        """Every line of an announcement at a node."""
        return [line for key, line in self.lines.items() if key[:2] == (reference, node)]

    def expect(self, operation_id: str, key: Line, announced: Expected) -> None:
        """A line is announced, perhaps anew."""
        line = self._line(operation_id, key)
        line.expected, line.due_at_us = announced.quantity, to_us(announced.due_at)

    def arrive(self, operation_id: str, key: Line, quantity: int) -> None:
        """Goods came under an announcement, whether it came before them or not."""
        self._line(operation_id, key).received += quantity

    def _line(self, operation_id: str, key: Line) -> DueLine:
        if key not in self.lines:
            self.lines[key] = DueLine(key, operation_id)
        return self.lines[key]

    def record(self, tx: Transaction) -> None:
        """Write new lines, and those that changed."""
        lines = [line for line in self.lines.values() if line.stored != line.changing]
        fresh = [(*line.key, line.operation_id, *line.changing) for line in lines if line.stored is None]
        tx.insert_tuples(tables.inbound, (*_KEY, "operation_id", *_CHANGING), fresh)
        changed = [
            dict(zip((*_KEY, *_CHANGING), (*line.key, *line.changing), strict=True))
            for line in lines
            if line.stored is not None
        ]
        if tx.update(tables.inbound, changed, keys=_KEY, changes=_CHANGING) != len(changed):
            raise InvariantViolation(
                "Announced lines vanished while they were locked; nothing was applied. "
                "Something writes to the tables around the library: stop it and run `omo audit`."
            )


def inbound_due(
    tx: Transaction,
    by: datetime,
    *,
    skus: Iterable[str] | None = None,
    pairs: Iterable[tuple[str, str]] | None = None,
) -> dict[tuple[str, str], int]:
    """Units that should come to each (sku, node) by an instant, of the SKUs or of the pairs asked for; none is left out.

    They are what suppliers announced and did not send yet, and transfers on their way that have a due time. What is
    overdue counts: it should come any time; whoever no longer believes it cancels it, puts it off, or closes the
    transfer. Three statements, however many are asked for.
    """
    if skus is not None:
        keys: tuple[str, ...] = ("state", "sku")
        values: set[tuple[str, ...]] = {(OPEN, sku) for sku in skus}
    else:
        keys, values = ("state", "sku", "node"), {(OPEN, sku, node) for sku, node in pairs or ()}
    by_us = to_us(by)
    due: dict[tuple[str, str], int] = {}
    columns = ("sku", "node", "due_at_us", "expected", "received")
    for sku, node, due_at_us, expected, received in tx.select(tables.inbound, columns, keys, values):
        if due_at_us <= by_us:
            due[sku, node] = due.get((sku, node), 0) + expected - received
    parts = ("sku", "node", "transfer", "shipped", "received", "lost")
    moving = tx.select(tables.transfer_line, parts, keys, values)
    named = {(row.transfer,) for row in moving}
    heads = tx.select(tables.transfer, ("transfer", "due_at_us"), ("transfer",), named)
    late = {transfer for transfer, due_at_us in heads if due_at_us is None or due_at_us > by_us}
    for sku, node, transfer, shipped, received, lost in moving:
        if transfer not in late:
            due[sku, node] = due.get((sku, node), 0) + shipped - received - lost
    return due


def inbound_of(tx: Transaction, announcements: Iterable[tuple[str, str]]) -> list[Inbound]:
    """Every line of the announcements (reference, node), in key order, whatever its state."""
    found = tx.select(tables.inbound, (*_KEY, *_CHANGING), _KEY[:2], set(announcements))
    return [_value(row) for row in found]


def open_inbound(
    tx: Transaction, *, node: str | None = None, after: tuple[str, str, str] = ("", "", ""), limit: int = 100
) -> list[Inbound]:
    """A page of what is still due, at one node or at any, in order of SKU, node and reference.

    Go on with `after=` those three of the last one.
    """
    line = tables.inbound.c
    order = (line.sku, line.node, line.reference)
    columns = (*(line[name] for name in _KEY), *(line[name] for name in _CHANGING))
    query = select(*columns).where(line.pool_id == tx.pool, line.state == OPEN, tuple_(*order) > tuple_(*after))
    if node is not None:
        query = query.where(line.node == node)
    return [_value(row) for row in tx.connection.execute(query.order_by(*order).limit(limit))]


def _value(row: Sequence[Any]) -> Inbound:
    reference, node, sku, state, due_at_us, expected, received = row
    due_at = None if due_at_us is None else from_us(due_at_us)
    return Inbound(
        inbound=reference, node=node, sku=sku, due_at=due_at, expected=expected, received=received, state=state
    )
