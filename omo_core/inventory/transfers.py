"""Transfers between nodes: what left, what arrived, what is lost, and what is still on its way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sqlalchemy import select

from omo_core.inventory.working import WorkingSet
from omo_core.model.errors import InvariantViolation
from omo_core.model.goods import CloseTransfer, ReceiveTransfer, ShipTransfer, Transfer, TransferLine
from omo_core.storage import tables
from omo_core.storage.clock import from_us, to_us
from omo_core.storage.transaction import Transaction

_HEAD: Final = ("transfer", "from_node", "to_node", "reference", "due_at_us", "shipped_at_us")
_LINE_KEY: Final = ("transfer", "sku")
_OF_TRANSFERS: Final = frozenset({ShipTransfer, ReceiveTransfer, CloseTransfer})
_PARTS: Final = ("shipped", "received", "lost", "extra")


@dataclass(slots=True)
class MovingLine:
    """One item of a transfer as the batch has changed it so far; `stored` are its parts as read, None where it is new."""

    transfer: str
    sku: str
    node: str
    shipped: int = 0
    received: int = 0
    lost: int = 0
    extra: int = 0
    stored: tuple[int, ...] | None = None

    @property
    def parts(self) -> tuple[int, ...]:
        """What changes."""
        return (self.shipped, self.received, self.lost, self.extra)

    @property
    def in_transit(self) -> int:
        """Units on their way."""
        return self.shipped - self.received - self.lost

    def arrive(self, units: int) -> tuple[int, int, int]:
        """Units arrived: (out of transit, out of those declared lost, never shipped)."""
        expected = min(units, self.in_transit)
        found = min(units - expected, self.lost)
        extra = units - expected - found
        self.received += expected + found
        self.lost -= found
        self.extra += extra
        return expected, found, extra


@dataclass(slots=True)
class Transfers:
    """The transfers that a batch names."""

    nodes: dict[str, str] = field(default_factory=dict)
    """Where each known transfer goes."""
    lines: dict[str, dict[str, MovingLine]] = field(default_factory=dict)
    """By transfer and SKU."""
    new: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def load(cls, tx: Transaction, work: WorkingSet, commands: Sequence[Any]) -> Self:  # noqa: ARG003
        """Read and lock the transfers that `commands` name; their lines change under that lock alone."""
        transfers = cls()
        named = {(command.transfer,) for command in commands if type(command) in _OF_TRANSFERS}
        if not named:
            return transfers
        for transfer, node in tx.select(tables.transfer, ("transfer", "to_node"), ("transfer",), named, lock=True):
            transfers.nodes[transfer] = node
        columns = (*_LINE_KEY, "node", *_PARTS)
        for row in tx.select(tables.transfer_line, columns, ("transfer",), named) if transfers.nodes else ():
            line = MovingLine(*row)
            line.stored = line.parts
            transfers.lines.setdefault(line.transfer, {})[line.sku] = line
        return transfers

    def begin(self, command: ShipTransfer, operation_id: str, now_us: int) -> None:
        """Remember a new transfer."""
        self.nodes[command.transfer] = command.to_node
        self.new.append(
            {
                "transfer": command.transfer,
                "from_node": command.from_node,
                "to_node": command.to_node,
                "reference": command.reference,
                "due_at_us": None if command.due_at is None else to_us(command.due_at),
                "shipped_at_us": now_us,
                "operation_id": operation_id,
            }
        )

    def line(self, transfer: str, sku: str) -> MovingLine:
        """The line of an item; an item that was never shipped gets one."""
        lines = self.lines.setdefault(transfer, {})
        if sku not in lines:
            lines[sku] = MovingLine(transfer, sku, self.nodes[transfer])
        return lines[sku]

    def record(self, tx: Transaction) -> None:
        """Write new transfers, and the lines that changed."""
        tx.insert(tables.transfer, self.new)
        lines = [line for by_sku in self.lines.values() for line in by_sku.values() if line.stored != line.parts]
        tx.insert(tables.transfer_line, [_values(line) for line in lines if line.stored is None])
        changed = [_values(line) for line in lines if line.stored is not None]
        if tx.update(tables.transfer_line, changed, keys=_LINE_KEY, changes=("state", *_PARTS)) != len(changed):
            raise InvariantViolation(
                "Lines of a transfer vanished while it was locked; nothing was applied. "
                "Something writes to the tables around the library: stop it and run `omo audit`."
            )


def transfers_of(tx: Transaction, transfers: Iterable[str]) -> list[Transfer]:
    """The named transfers that exist, with all their lines, in order of their ids."""
    keys = {(transfer,) for transfer in transfers}
    lines: dict[str, list[TransferLine]] = {}
    for transfer, sku, *parts in tx.select(tables.transfer_line, (*_LINE_KEY, *_PARTS), ("transfer",), keys):
        shipped, received, lost, extra = parts
        line = TransferLine(sku=sku, shipped=shipped, received=received, lost=lost, extra=extra)
        lines.setdefault(transfer, []).append(line)
    return [
        Transfer(
            transfer=transfer,
            from_node=from_node,
            to_node=to_node,
            lines=tuple(lines.get(transfer, ())),
            shipped_at=from_us(shipped_at_us),
            due_at=None if due_at_us is None else from_us(due_at_us),
            reference=reference,
        )
        for transfer, from_node, to_node, reference, due_at_us, shipped_at_us in tx.select(
            tables.transfer, _HEAD, ("transfer",), keys
        )
    ]


def open_transfers(tx: Transaction, *, node: str | None = None, after: str = "", limit: int = 100) -> list[Transfer]:
    """A page of the transfers that have goods on their way, to one node or to any, in order of their ids.

    Go on with `after=` the last one's id.
    """
    line = tables.transfer_line.c
    query = select(line.transfer).where(line.pool_id == tx.pool, line.state == "open", line.transfer > after)
    if node is not None:
        query = query.where(line.node == node)
    found = tx.connection.execute(query.group_by(line.transfer).order_by(line.transfer).limit(limit)).scalars()
    return transfers_of(tx, found.all())


def _values(line: MovingLine) -> dict[str, Any]:
    key = {"transfer": line.transfer, "sku": line.sku, "node": line.node}
    state = "open" if line.in_transit else "closed"
    return {**key, "state": state, **dict(zip(_PARTS, line.parts, strict=True))}
