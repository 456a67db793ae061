"""Stock as it was: folded from the ledger's lines up to an operation, and what moved goods afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sqlalchemy import and_, func, select

from omo_core.model.stock import SELLABLE, kept_back
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

Pair = tuple[str, str]
"""(sku, node)"""

SKUS_A_QUERY: Final = 2_000

HOLD_VERBS: Final = frozenset(
    {
        "convert_backorders",
        "expire_holds",
        "issue_holds",
        "place_holds",
        "release_holds",
        "release_units",
        "replace_holds",
    }
)
"""Kinds of operations that change what is reserved by themselves; others only displace promises."""


@dataclass(slots=True)
class PastRow:
    """A sellable stock row as the ledger's lines left it."""

    on_hand: int
    reserved: int
    safety: int
    safety_permille: int = 0
    """Today's: the ledger does not tell what it was."""
    halted: bool = False
    """Today's, likewise."""

    @property
    def free(self) -> int:
        """Units available to promise; never negative."""
        if self.halted:
            return 0
        return max(0, self.on_hand - self.reserved - kept_back(self.on_hand, self.safety, self.safety_permille))


@dataclass(frozen=True, slots=True)
class Movement:
    """One ledger line's change of a sellable stock row."""

    operation: str
    posted_at_us: int
    sku: str
    node: str
    on_hand: int
    reserved: int
    """What holds of others took or gave back; promises that a sale displaced are not in it."""
    safety: int


def stock_before(tx: Transaction, operation: str, skus: Iterable[str]) -> dict[Pair, PastRow]:
    """The sellable rows of the SKUs as operations with lower ids left them, in key order.

    Ids rise with time within a process; of operations that ran side by side in several, the id tells who began first.
    """
    wanted = iter(sorted(set(skus)))
    found: dict[Pair, PastRow] = {}
    while some := list(islice(wanted, SKUS_A_QUERY)):
        found |= _rows_before(tx, operation, some)
        for row in tx.select(tables.stock, _TODAY, ("sku",), [(sku,) for sku in some]):
            past = found.get((row.sku, row.node)) if row.condition == SELLABLE else None
            if past is not None:
                past.safety_permille, past.halted = row.safety_permille, bool(row.halted)
    return dict(sorted(found.items()))


_TODAY: Final = ("sku", "node", "condition", "safety_permille", "halted")


def _rows_before(tx: Transaction, operation: str, skus: Sequence[str]) -> dict[Pair, PastRow]:
    posting = tables.posting.c
    last = (
        select(posting.sku, posting.node, func.max(posting.row_version).label("row_version"))
        .where(
            posting.pool_id == tx.pool,
            posting.sku.in_(skus),
            posting.condition == SELLABLE,
            posting.row_version.is_not(None),
            posting.operation_id < operation,
        )
        .group_by(posting.sku, posting.node)
        .subquery()
    )
    query = select(posting.sku, posting.node, posting.on_hand_after, posting.reserved_after, posting.safety_after).join(
        last,
        and_(
            posting.pool_id == tx.pool,
            posting.sku == last.c.sku,
            posting.node == last.c.node,
            posting.condition == SELLABLE,
            posting.row_version == last.c.row_version,
        ),
    )
    return {(sku, node): PastRow(*counters) for sku, node, *counters in tx.connection.execute(query)}


def movements_between(tx: Transaction, first: str, last: str, *, but_scope: str) -> list[Movement]:
    """Changes of sellable rows by operations with ids from `first` to `last` of other scopes, in the order of their ids."""
    posting, operation = tables.posting.c, tables.operation.c
    query = (
        select(
            posting.operation_id,
            posting.posted_at_us,
            posting.sku,
            posting.node,
            posting.quantity,
            posting.reserved,
            posting.safety,
            operation.kind,
        )
        .join_from(
            tables.posting,
            tables.operation,
            (operation.pool_id == posting.pool_id) & (operation.operation_id == posting.operation_id),
        )
        .where(
            posting.pool_id == tx.pool,
            posting.condition == SELLABLE,
            posting.row_version.is_not(None),
            posting.operation_id >= first,
            posting.operation_id <= last,
            operation.scope != but_scope,
        )
        .order_by(posting.operation_id, posting.number)
    )
    return [
        Movement(name, at_us, sku, node, on_hand, reserved if kind in HOLD_VERBS else 0, safety)
        for name, at_us, sku, node, on_hand, reserved, safety, kind in tx.connection.execute(query)
    ]
