"""Promises ahead of stock: how much may be promised, what is, and who waits longest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sqlalchemy import select

from omo_core.inventory.working import WorkingSet
from omo_core.model.errors import InvariantViolation
from omo_core.model.promised import Backorder, BackorderCap, BackorderKind
from omo_core.model.promises import (
    BackorderRequest,
    ConvertBackorders,
    PlaceBackorders,
    ReleaseBackorders,
    SetBackorderCap,
)
from omo_core.storage import tables
from omo_core.storage.catalogue import known_nodes, known_skus
from omo_core.storage.clock import from_us, to_us
from omo_core.storage.transaction import Transaction

CapKey = tuple[str, str]
"""(sku, node); node '' where the goods may come to any."""

_CAP_KEY: Final = ("sku", "node")
_CAP_COLUMNS: Final = (*_CAP_KEY, "kind", "cap", "promised", "opens_at_us", "closes_at_us", "version")
_COLUMNS: Final = (
    "backorder",
    "owner",
    "line",
    "sku",
    "node",
    "channel",
    "quantity",
    "open",
    "converted",
    "released",
    "placed_at_us",
    "promised_for_us",
    "operation_id",
)

_AHEAD: Final = frozenset({ConvertBackorders, PlaceBackorders, ReleaseBackorders, SetBackorderCap})


@dataclass(slots=True)
class CapRow:
    """One cap as the batch has changed it so far, and the version it was read with (0: not stored yet)."""

    sku: str
    node: str
    kind: str
    cap: int
    promised: int
    opens_at_us: int | None
    closes_at_us: int | None
    version: int
    stored: tuple[Any, ...] | None = None

    @property
    def changing(self) -> tuple[Any, ...]:
        """What a batch can change."""
        return self.kind, self.cap, self.promised, self.opens_at_us, self.closes_at_us

    def is_open(self, now_us: int) -> bool:
        """Whether promises are made now."""
        return (self.opens_at_us is None or self.opens_at_us <= now_us) and (
            self.closes_at_us is None or now_us < self.closes_at_us
        )

    def value(self) -> BackorderCap:
        """The cap as a noun of the model."""
        return BackorderCap(
            sku=self.sku,
            node=self.node or None,
            kind=BackorderKind(self.kind),
            cap=self.cap,
            promised=self.promised,
            opens_at=None if self.opens_at_us is None else from_us(self.opens_at_us),
            closes_at=None if self.closes_at_us is None else from_us(self.closes_at_us),
            version=self.version,
        )


@dataclass(slots=True)
class Waiting:
    """One promise ahead of stock as the batch has changed it so far; `stored` is what was open when it was read."""

    backorder: str
    owner: str
    line: str
    sku: str
    node: str
    channel: str | None
    quantity: int
    open: int
    converted: int
    released: int
    placed_at_us: int
    promised_for_us: int | None
    operation_id: str
    stored: int | None = None

    @property
    def age(self) -> tuple[int, str]:
        """Who came first comes first."""
        return self.placed_at_us, self.backorder

    def value(self) -> Backorder:
        """The promise as a noun of the model."""
        return Backorder(
            backorder=self.backorder,
            owner=self.owner,
            line=self.line,
            sku=self.sku,
            node=self.node or None,
            channel=self.channel,
            quantity=self.quantity,
            open=self.open,
            converted=self.converted,
            released=self.released,
            promised_for=None if self.promised_for_us is None else from_us(self.promised_for_us),
        )


@dataclass(slots=True)
class Backorders:
    """The caps that a batch names, locked, and the backorders it may change; empty for batches that name none.

    A backorder changes only under the lock of its cap's row.
    """

    caps: dict[CapKey, CapRow] = field(default_factory=dict)
    backorders: dict[str, Waiting] = field(default_factory=dict)
    skus: set[str] = field(default_factory=set)
    nodes: set[str] = field(default_factory=set)
    """The known ones among the items and nodes of caps that are not stored yet."""

    @classmethod
    def load(cls, tx: Transaction, work: WorkingSet, commands: Sequence[Any]) -> Self:  # noqa: ARG003
        """Lock the caps in key order; then read the backorders that may change."""
        backorders = cls()
        if _AHEAD.isdisjoint(map(type, commands)):
            return backorders
        named, ids, converting = _asked(commands)
        # A backorder never moves, so its cap may be looked up without a lock.
        keys = [(one,) for one in sorted(ids)]
        released = {(sku, node) for sku, node in tx.select(tables.backorder, _CAP_KEY, ("backorder",), keys)}
        for row in tx.select(
            tables.backorder_cap, _CAP_COLUMNS, _CAP_KEY, named | released | converting.keys(), lock=True
        ):
            cap = backorders.caps[row.sku, row.node] = CapRow(*row)
            cap.stored = cap.changing
        # In statements of their own: only now nobody else can change them.
        for row in tx.select(tables.backorder, _COLUMNS, ("backorder",), keys):
            backorders.keep(row)
        for key in sorted(backorders.caps.keys() & converting.keys()):
            for found in _oldest(tx, key, converting[key]):
                backorders.keep(found)
        strangers = named - backorders.caps.keys()
        if strangers:
            backorders.skus = known_skus(tx, [sku for sku, _ in strangers])
            backorders.nodes = {"", *known_nodes(tx, [node for _, node in strangers if node])}
        return backorders

    def keep(self, row: Sequence[Any]) -> None:
        """Take a stored backorder in, once."""
        if row[0] not in self.backorders:
            waiting = self.backorders[row[0]] = Waiting(*row)
            waiting.stored = waiting.open

    def in_line(self, sku: str, node: str) -> list[Waiting]:
        """Who waits for goods that come to a node, the oldest first."""
        line = [one for one in self.backorders.values() if one.open and one.sku == sku and one.node in (node, "")]
        return sorted(line, key=lambda one: one.age)

    def place(self, work: WorkingSet, operation_id: str, request: BackorderRequest, channel: str | None) -> Waiting:
        """Promise what was decided to be within the cap."""
        sku, node = cap_key(request)
        waiting = Waiting(
            work.new_id(),
            request.owner,
            request.line,
            sku,
            node,
            channel,
            quantity=request.quantity,
            open=request.quantity,
            converted=0,
            released=0,
            placed_at_us=work.now_us,
            promised_for_us=None if request.promised_for is None else to_us(request.promised_for),
            operation_id=operation_id,
        )
        self.caps[sku, node].promised += request.quantity
        self.backorders[waiting.backorder] = waiting
        return waiting

    def close(self, waiting: Waiting, *, converted: int = 0, released: int = 0) -> None:
        """Let units no longer wait: they became a hold, or were given up."""
        waiting.converted += converted
        waiting.released += released
        waiting.open -= converted + released
        self.caps[waiting.sku, waiting.node].promised -= converted + released

    def record(self, tx: Transaction) -> None:
        """Write changed caps and backorders; raises `InvariantViolation` where a locked one was changed meanwhile."""
        caps = [cap for _, cap in sorted(self.caps.items())]
        known = [
            {**{name: getattr(cap, name) for name in _CAP_COLUMNS}, "was": cap.version, "version": cap.version + 1}
            for cap in caps
            if cap.stored is not None and cap.stored != cap.changing
        ]
        keys = {"sku": "sku", "node": "node", "version": "was"}
        _require(tx.update(tables.backorder_cap, known, keys=keys, changes=_CAP_COLUMNS[2:]), len(known))
        fresh = [tuple(getattr(cap, name) for name in _CAP_COLUMNS) for cap in caps if cap.stored is None]
        tx.insert_tuples(tables.backorder_cap, _CAP_COLUMNS, fresh)
        new = [one for one in self.backorders.values() if one.stored is None]
        tx.insert_tuples(tables.backorder, _COLUMNS, [tuple(getattr(one, name) for name in _COLUMNS) for one in new])
        changed = [
            {
                "backorder": one.backorder,
                "was_open": one.stored,
                "open": one.open,
                "converted": one.converted,
                "released": one.released,
            }
            for one in self.backorders.values()
            if one.stored is not None and one.stored != one.open
        ]
        keys = {"backorder": "backorder", "open": "was_open"}
        matched = tx.update(tables.backorder, changed, keys=keys, changes=("open", "converted", "released"))
        _require(matched, len(changed))


def _asked(commands: Sequence[Any]) -> tuple[set[CapKey], set[str], dict[CapKey, int]]:
    """What the commands name: caps, backorders, and lines of waiting ones with how many of each are looked at."""
    named: set[CapKey] = set()
    ids: set[str] = set()
    converting: dict[CapKey, int] = {}
    for command in commands:
        if isinstance(command, PlaceBackorders):
            named.update(map(cap_key, command.lines))
        elif isinstance(command, SetBackorderCap):
            named.add(cap_key(command))
        elif isinstance(command, ReleaseBackorders):
            ids.update(line.backorder for line in command.lines)
        elif isinstance(command, ConvertBackorders):
            for key in ((command.sku, command.node), (command.sku, "")):
                converting[key] = converting.get(key, 0) + command.limit
    return named, ids, converting


def cap_key(named: BackorderRequest | SetBackorderCap) -> CapKey:
    """The key of the cap that a promise counts towards."""
    return named.sku, named.node or ""


def backorder_caps(tx: Transaction, skus: Iterable[str]) -> list[BackorderCap]:
    """Every cap of the items, in order of item and node; that for any node comes first."""
    rows = tx.select(tables.backorder_cap, _CAP_COLUMNS, ("sku",), [(sku,) for sku in skus])
    return [CapRow(*row).value() for row in rows]


def promised_ahead(tx: Transaction, skus: Iterable[str]) -> dict[CapKey, int]:
    """Open units promised ahead of stock, by (sku, node); node '' of those that wait for goods at any node."""
    rows = tx.select(tables.backorder_cap, (*_CAP_KEY, "promised"), ("sku",), {(sku,) for sku in skus})
    return {(sku, node): promised for sku, node, promised in rows if promised}


def backorders_of(tx: Transaction, owners: Iterable[str]) -> list[Backorder]:
    """Every backorder of the owners, open and closed, in order of owner and age."""
    rows = tx.select(tables.backorder, _COLUMNS, ("owner",), [(owner,) for owner in owners])
    return [Waiting(*row).value() for row in rows]


def _oldest(tx: Transaction, key: CapKey, limit: int) -> Iterable[Sequence[Any]]:
    b = tables.backorder.c
    query = (
        select(*(b[name] for name in _COLUMNS))
        .where(b.pool_id == tx.pool, b.sku == key[0], b.node == key[1], b.open > 0)
        .order_by(b.placed_at_us, b.backorder)
        .limit(limit)
    )
    return [tuple(row) for row in tx.connection.execute(query)]


def _require(matched: int, wanted: int) -> None:
    if matched != wanted:
        raise InvariantViolation(
            f"{wanted - matched} of {wanted} promises ahead of stock changed while they were locked; nothing was "
            "applied. Something writes to the backorder tables around the library: stop it and run `omo audit`."
        )
