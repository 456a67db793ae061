"""The order book: many orders with their lines and fulfilment orders, loaded, changed and saved as one set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from omo_core.model.errors import InvariantViolation
from omo_core.model.fulfilment import FulfilmentState, OrderState
from omo_core.model.orders import Order
from omo_core.orders.entries import FulfilmentEntry, LineEntry, OrderEntry, fulfilment_lines
from omo_core.orders.states import check_order_change
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

# Columns stand in the order of the entries' fields, so that a row as it is read fills an entry.
_ORDER_COLUMNS: Final = (
    "order_id",
    "channel",
    "external_id",
    "source_version",
    "source_sha256",
    "state",
    "version",
    "attempt",
    "held",
)
_LINE_COLUMNS: Final = (
    "order_id",
    "line",
    "position",
    "sku",
    "ordered",
    "wanted",
    "issued",
    "short",
    "components",
    "pieces",
)
FULFILMENT_COLUMNS: Final = (
    "fulfilment",
    "node",
    "method",
    "state",
    "version",
    "attempt",
    "why",
    "offered_at_us",
    "closed_at_us",
    "reject_code",
    "reject_reason",
    "tracking",
    "order_id",
)
_order_values = attrgetter(*_ORDER_COLUMNS)
_fulfilment_values = attrgetter(*FULFILMENT_COLUMNS[:-1])


class OrderBook:
    """The orders one transaction works on; `save` writes what changed, guarded by their versions."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.entries: dict[str, OrderEntry] = {}

    def load(self, order_ids: Iterable[str], *, lock: bool = True) -> list[OrderEntry]:
        """The named orders, in the order named, locked in key order; unknown ids are left out."""
        wanted = list(dict.fromkeys(order_ids))
        missing = sorted(one for one in wanted if one not in self.entries)
        if missing:
            keys = [(one,) for one in missing]
            self._take(self.tx.select(tables.order, _ORDER_COLUMNS, ("order_id",), keys, lock=lock))
        return [self.entries[one] for one in wanted if one in self.entries]

    def load_identities(
        self, identities: Iterable[tuple[str, str]], *, lock: bool = True
    ) -> dict[tuple[str, str], str]:
        """Load orders by (channel, external id); identity → order id of those that exist."""
        keys = sorted(set(identities))
        found = self.tx.select(tables.order, ("order_id", "channel", "external_id"), ("channel", "external_id"), keys)
        self.load([row.order_id for row in found], lock=lock)
        return {(row.channel, row.external_id): row.order_id for row in found}

    def add(self, entry: OrderEntry) -> OrderEntry:
        """Take a new order into the book."""
        self.entries[entry.order_id] = entry
        entry.touched = True
        return entry

    def _take(self, rows: Sequence[Any]) -> None:
        fresh: dict[str, OrderEntry] = {}
        for row in rows:
            entry = fresh[row[0]] = OrderEntry(*row)
            entry.state = entry.stored_state = OrderState(entry.state)
            entry.stored_version = entry.version
            entry.cancelled = entry.state is OrderState.CANCELLED
        keys = [(order_id,) for order_id in sorted(fresh)]
        for order_id, line, *stored in self.tx.select(tables.order_line, _LINE_COLUMNS, ("order_id",), keys):
            entry = fresh[order_id]
            entry.lines[line] = LineEntry(line, *stored)
            entry.stored_lines[line] = tuple(stored)
        self._take_fulfilments(fresh, keys)
        for entry in fresh.values():
            entry.lines = dict(sorted(entry.lines.items(), key=lambda item: item[1].position))
        self.entries.update(fresh)

    def _take_fulfilments(self, fresh: dict[str, OrderEntry], keys: list[tuple[str]]) -> None:
        rows = self.tx.select(tables.fulfilment, FULFILMENT_COLUMNS, ("order_id",), keys)
        parents: dict[str, FulfilmentEntry] = {}
        for row in sorted(rows, key=attrgetter("attempt", "fulfilment")):
            parents[row.fulfilment] = fresh[row.order_id].fulfilments[row.fulfilment] = fulfilment_entry(row)
        read_lines(self.tx, parents)

    def save(self) -> None:
        """Write every touched order with its lines and fulfilment orders, and publish what changed."""
        touched = [entry for entry in self.entries.values() if entry.touched]
        for entry in touched:
            check_order_change(entry.stored_state, entry.state, new=entry.stored_version == 0)
            entry.version = entry.stored_version + 1
        self._save_orders(touched)
        self._save_lines(touched)
        self._save_fulfilments(touched)
        self._publish(touched)
        for entry in touched:
            entry.touched = entry.kept = False
            entry.stored_version, entry.stored_state = entry.version, entry.state
            for fulfilment in entry.fulfilments.values():
                fulfilment.changed, fulfilment.stored = False, True

    def _save_orders(self, touched: list[OrderEntry]) -> None:
        fresh = [entry for entry in touched if not entry.stored_version]
        moved = [entry for entry in touched if entry.stored_version]
        documents = [entry for entry in moved if entry.kept]
        self.tx.insert(
            tables.order,
            [{**self._row(entry), "document": _document(entry), "created_at_us": self.tx.now_us} for entry in fresh],
        )
        changes = ("source_version", "source_sha256", "state", "version", "attempt", "held", "updated_at_us")
        rows = [self._row(entry) for entry in moved]
        if self.tx.update(tables.order, rows, keys=("order_id",), changes=changes) != len(moved):
            raise InvariantViolation("a locked order vanished before it was saved; run `omo audit`")
        rows = [{"order_id": entry.order_id, "document": _document(entry)} for entry in documents]
        self.tx.update(tables.order, rows, keys=("order_id",), changes=("document",))

    def _row(self, entry: OrderEntry) -> dict[str, object]:
        return dict(zip(_ORDER_COLUMNS, _order_values(entry), strict=True)) | {"updated_at_us": self.tx.now_us}

    def _save_lines(self, touched: list[OrderEntry]) -> None:
        fresh: list[tuple[object, ...]] = []
        moved: list[dict[str, object]] = []
        for entry in touched:
            for name, line in entry.lines.items():
                before, now = entry.stored_lines.get(name), line.stored()
                if before == now:
                    continue
                row = (entry.order_id, name, *now)
                if before:
                    moved.append(dict(zip(_LINE_COLUMNS, row, strict=True)))
                else:
                    fresh.append(row)
                entry.stored_lines[name] = now
        self.tx.insert_tuples(tables.order_line, _LINE_COLUMNS, fresh)
        self.tx.update(tables.order_line, moved, keys=_LINE_COLUMNS[:2], changes=_LINE_COLUMNS[2:])

    def _save_fulfilments(self, touched: list[OrderEntry]) -> None:
        fresh: list[tuple[object, ...]] = []
        moved: list[dict[str, object]] = []
        lines: list[tuple[object, ...]] = []
        for entry in touched:
            for one in entry.fulfilments.values():
                if not one.changed:
                    continue
                row = (*_fulfilment_values(one), entry.order_id)
                if one.stored:
                    moved.append(dict(zip(FULFILMENT_COLUMNS, row, strict=True)))
                    continue
                fresh.append(row)
                head = (one.fulfilment, entry.order_id)
                lines.extend((*head, line.hold, line.line, line.sku, line.quantity) for line in one.lines)
        self.tx.insert_tuples(tables.fulfilment, FULFILMENT_COLUMNS, fresh)
        columns = ("fulfilment", "order_id", "hold", "line", "sku", "quantity")
        self.tx.insert_tuples(tables.fulfilment_line, columns, lines)
        changes = ("state", "version", "closed_at_us", "reject_code", "reject_reason", "tracking")
        self.tx.update(tables.fulfilment, moved, keys=("fulfilment",), changes=changes)

    def _publish(self, touched: list[OrderEntry]) -> None:
        events: list[tuple[str, str, dict[str, Any]]] = []
        for entry in touched:
            facts: dict[str, Any] = {
                "order": entry.order_id,
                "channel": entry.channel,
                "external_id": entry.external_id,
                "version": entry.version,
            }
            if entry.held:
                facts["held"] = True
            events.append((f"omo.order.{entry.state}.v1", f"order/{entry.order_id}", facts))
            changed = [one for one in entry.fulfilments.values() if one.changed]
            events.extend(fulfilment_fact(entry, one, f"omo.fulfilment.{one.state}.v1") for one in changed)
        self.tx.publish_many(events)


def fulfilment_entry(row: Any) -> FulfilmentEntry:
    """A stored fulfilment order, still without its lines, of a row that begins with `FULFILMENT_COLUMNS`."""
    entry = FulfilmentEntry(*row[: len(FULFILMENT_COLUMNS) - 1])
    entry.state, entry.stored = FulfilmentState(entry.state), True
    return entry


def read_lines(tx: Transaction, parents: Mapping[str, FulfilmentEntry]) -> None:
    """Read the lines of stored fulfilment orders into them."""
    columns = ("fulfilment", "hold", "line", "sku", "quantity")
    rows = tx.select(tables.fulfilment_line, columns, ("fulfilment",), [(one,) for one in parents])
    for row, line in zip(rows, fulfilment_lines(row[1:] for row in rows), strict=True):
        parents[row[0]].lines.append(line)


def read_documents(tx: Transaction, entries: Iterable[OrderEntry]) -> None:
    """Read the canonical orders of entries that have one and are not read yet, in one look-up."""
    missing = {entry.order_id: entry for entry in entries if entry.known is None and not entry.is_tombstone}
    for row in tx.select(tables.order, ("order_id", "document"), ("order_id",), [(one,) for one in missing]):
        missing[row.order_id].known = Order.model_validate_json(row.document)


def _document(entry: OrderEntry) -> str | None:
    return None if entry.known is None else entry.known.model_dump_json(exclude_none=True)


def fulfilment_fact(entry: OrderEntry, fulfilment: FulfilmentEntry, kind: str) -> tuple[str, str, dict[str, Any]]:
    """A fact of this kind about a fulfilment order."""
    return (
        kind,
        f"fulfilment/{fulfilment.fulfilment}",
        {
            "fulfilment": fulfilment.fulfilment,
            "order": entry.order_id,
            "node": fulfilment.node,
            "method": fulfilment.method,
            "lines": [{"line": line.line, "sku": line.sku, "quantity": line.quantity} for line in fulfilment.lines],
        },
    )
