"""What can be promised now: levels and available to promise, by node and for the pool, read in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from omo_core.inventory.backorders import promised_ahead
from omo_core.inventory.free_sql import free_of_pairs, free_of_skus
from omo_core.inventory.inbound import inbound_due
from omo_core.inventory.load import ROW_COLUMNS, ROW_KEY
from omo_core.inventory.shares import Shares
from omo_core.model.stock import SELLABLE, Level, kept_back
from omo_core.storage import tables
from omo_core.storage.catalogue import owned_nodes
from omo_core.storage.transaction import Transaction

Pair = tuple[str, str]
"""(sku, node)"""

_OPEN_COLUMNS = ("sku", "node", "pending")
_FREE_COLUMNS = ("sku", "node", "condition", "on_hand", "reserved", "safety", "safety_permille", "halted")


def levels(tx: Transaction, pairs: Iterable[Pair]) -> list[Level]:
    """The sellable stock rows of the (sku, node) pairs that have one, in key order; one statement."""
    keys = [(sku, node, SELLABLE) for sku, node in pairs]
    return [_level(row) for row in tx.select(tables.stock, ROW_COLUMNS, ROW_KEY, keys)]


def levels_of_skus(tx: Transaction, skus: Iterable[str], *, condition: str = SELLABLE) -> list[Level]:
    """Every stock row of the SKUs in one condition, in key order; one statement."""
    rows = tx.select(tables.stock, ROW_COLUMNS, ("sku",), {(sku,) for sku in skus})
    return [_level(row) for row in rows if row.condition == condition]


def available_of_skus(tx: Transaction, skus: Iterable[str], owners: Sequence[str] = ()) -> list[tuple[str, str, int]]:
    """(sku, node, units available to promise) of every row that has any, in key order, whoever owns the node.

    ATP = on hand − reserved − safety stock; halted rows have none. The pending units of holds that belong to `owners`
    count as free: a wave that will replace its own provisional holds plans with them.
    """
    if not owners:
        return free_of_skus(tx, skus)
    own: dict[Pair, int] = {}
    for sku, node, pending in tx.select(tables.hold, _OPEN_COLUMNS, ("owner",), [(owner,) for owner in owners]):
        own[sku, node] = own.get((sku, node), 0) + pending
    found = []
    rows = tx.select(tables.stock, _FREE_COLUMNS, ("sku",), {(sku,) for sku in skus})
    for sku, node, condition, on_hand, reserved, safety, permille, halted in rows:
        available = on_hand - reserved - kept_back(on_hand, safety, permille) + own.get((sku, node), 0)
        if available > 0 and not halted and condition == SELLABLE:
            found.append((sku, node, available))
    return found


def available_in_bulk(
    tx: Transaction, pairs: Sequence[Pair], *, channel: str | None = None, by: datetime | None = None
) -> list[int]:
    """Units available to promise of each (sku, node) pair, in the order asked; 0 where there is no stock row.

    Any number of pairs is a handful of statements. Nodes that do not serve the channel have nothing for it, and what
    quotas keep for others is not there for it: each number holds while the others are not taken. `by` an instant,
    what should come to the node until then counts too, less what is promised ahead of it.
    """
    withheld = withheld_nodes(tx, channel)
    found = {(sku, node): units for sku, node, units in free_of_pairs(tx, pairs) if node not in withheld}
    shares = Shares.read(tx, _few({sku for sku, _ in pairs}))
    if by is not None:
        due = inbound_due(tx, by, pairs=set(pairs))
        ahead = promised_ahead(tx, {sku for sku, _ in due})
        for (sku, node), units in due.items():
            if node not in withheld:
                # Whoever waits for goods at any node may get these.
                left = max(0, units - ahead.get((sku, node), 0) - ahead.get((sku, ""), 0))
                found[sku, node] = found.get((sku, node), 0) + left
    if shares.skus:
        _count_free(tx, shares, by)
        _limit(found, shares, channel)
    return [found.get(pair, 0) for pair in pairs]


def available_by_pair(tx: Transaction, pairs: Iterable[Pair]) -> dict[Pair, int]:
    """As `available_in_bulk` for any channel, by pair."""
    pairs = list(dict.fromkeys(pairs))
    return dict(zip(pairs, available_in_bulk(tx, pairs), strict=True))


def available_to_promise(
    tx: Transaction, sku: str, node: str | None = None, *, channel: str | None = None, by: datetime | None = None
) -> int:
    """Units of a SKU available to promise at one node, or in the whole pool where `node` is None.

    As `available_in_bulk`. Rows are added after each is floored at 0: too little at one node takes nothing from what
    another can promise.
    """
    if node is not None:
        return available_in_bulk(tx, [(sku, node)], channel=channel, by=by)[0]
    withheld = withheld_nodes(tx, channel)
    units = sum(units for _, at, units in available_of_skus(tx, [sku]) if at not in withheld)
    if by is not None:
        units += _due_of_skus(tx, by, [sku], withheld).get(sku, 0)
    shares = Shares.read(tx, [sku])
    if not shares.skus:
        return units
    _count_free(tx, shares, by)
    limit = shares.limit(sku, channel)
    return units if limit is None else min(units, limit)


def withheld_nodes(tx: Transaction, channel: str | None) -> frozenset[str]:
    """Nodes whose owners do not let this channel (None: just any) promise their stock."""
    return frozenset(node.node for node in owned_nodes(tx) if not node.serves(channel))


def channel_limits(tx: Transaction, channel: str | None) -> dict[str, int]:
    """Of every item that has quotas in force, how many units the channel may take, wherever they lie."""
    shares = Shares.read(tx)
    if shares.skus:
        _count_free(tx, shares, None)
    limits = {sku: shares.limit(sku, channel) for sku in shares.skus}
    return {sku: limit for sku, limit in limits.items() if limit is not None}


def _few(skus: set[str]) -> set[str] | None:
    """The items to look quotas up for; of many it is cheaper to read all quotas, which are rare."""
    return skus if len(skus) <= 1_000 else None


def _count_free(tx: Transaction, shares: Shares, by: datetime | None) -> None:
    """Quotas are of the whole pool: so is what they are taken from, whatever was asked for."""
    for sku, _, units in available_of_skus(tx, shares.skus):
        shares.add_free(sku, units)
    if by is not None:
        for sku, units in _due_of_skus(tx, by, shares.skus).items():
            shares.add_free(sku, units)


def _due_of_skus(
    tx: Transaction, by: datetime, skus: Sequence[str], withheld: frozenset[str] = frozenset()
) -> dict[str, int]:
    """What should come of each item to nodes that are not withheld, less all that is promised ahead of it."""
    due: dict[str, int] = {}
    for (sku, node), units in inbound_due(tx, by, skus=skus).items():
        if node not in withheld:
            due[sku] = due.get(sku, 0) + units
    for (sku, node), units in promised_ahead(tx, due).items():
        if node not in withheld:
            due[sku] = max(0, due[sku] - units)
    return due


def _limit(found: dict[Pair, int], shares: Shares, channel: str | None) -> None:
    limits = {sku: shares.limit(sku, channel) for sku in shares.skus}
    for pair, units in found.items():
        limit = limits.get(pair[0])
        if limit is not None and limit < units:
            found[pair] = limit


def _level(row: Sequence[Any]) -> Level:
    sku, node, condition, on_hand, reserved, safety, shortage, version, halted, safety_permille = row
    return Level(
        sku=sku,
        node=node,
        condition=condition,
        on_hand=on_hand,
        reserved=reserved,
        safety=safety,
        shortage=shortage,
        version=version,
        halted=bool(halted),
        safety_permille=safety_permille,
    )
