"""What channels should be told: available to promise by each channel's rule, and only where it changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text

from omo_core.inventory.availability import channel_limits, withheld_nodes
from omo_core.inventory.free_sql import free_units
from omo_core.inventory.kits import available_kits
from omo_core.model.availability import AvailabilityDelta, PublicationRule
from omo_core.model.values import of_valid
from omo_core.storage import tables
from omo_core.storage.catalogue import kit_skus
from omo_core.storage.transaction import Transaction

TellingKey = tuple[str, str, str]
"""(channel, node, sku); node '' where the channel has one number for all."""

_KEYS: Final = ("channel", "node", "sku")
_CHANGES: Final = ("units", "sending", "version", "updated_at_us")

# What quotas leave a channel is told node by node until it is used up, so that the numbers of all nodes add to it.
# Computed and compared in the database: of a hundred thousand listings only those that changed leave it.
_DELTAS: Final = """
WITH free AS (
    SELECT sku, {node} AS node, CAST(sum({free}) AS bigint) AS units
    FROM omo_stock AS t WHERE pool_id = :pool AND condition = 'sellable' AND sku {not_kit} {of_nodes} {of_skus} GROUP BY sku, {node_key}
), told AS (
    SELECT sku, node, units, sending FROM omo_published WHERE pool_id = :pool AND channel = :channel {of_skus}
), shared AS (
    SELECT f.sku, f.node, CASE WHEN l.units IS NULL THEN f.units ELSE {least}(f.units, {greatest}(0,
        l.units - CAST(sum(f.units) OVER (PARTITION BY f.sku ORDER BY f.node) AS bigint) + f.units)) END AS units
    FROM free AS f LEFT JOIN {limits} ON l.sku = f.sku
), target AS (
    SELECT f.sku, f.node, t.units AS told, coalesce(t.sending, 0) AS sending,
        {least}(:cap, {greatest}(0, f.units - {greatest}(:buffer, (f.units * :buffer_permille + 999) / 1000)))
        / :round_to * :round_to AS units
    FROM shared AS f LEFT JOIN told AS t ON t.sku = f.sku AND t.node = f.node
    UNION ALL
    SELECT t.sku, t.node, t.units, t.sending, 0 FROM told AS t
    WHERE (t.units > 0 OR t.sending = 1) AND t.sku {not_kit} AND NOT EXISTS
        (SELECT 1 FROM free AS f WHERE f.sku = t.sku AND f.node = t.node)
)
SELECT sku, node, units, told, sending FROM target
WHERE sending = 1 OR (told IS NULL AND units > 0) OR (units <> told AND (units = 0 OR told = 0
    OR units - told >= :min_change OR told - units >= :min_change OR (units < told AND units <= :exact_below)))
ORDER BY sku, node
"""


def availability_deltas(
    tx: Transaction, rule: PublicationRule, *, skus: Sequence[str] | None = None
) -> list[AvailabilityDelta]:
    """The numbers a channel must be told anew by its rule, of all items or of some, kits included, in key order.

    Nothing is written: send them, then say so with `mark_told`. An item the channel was never told of appears once it
    can be promised; one whose number was being sent appears whatever it is now.
    """
    kits = kit_skus(tx, skus)
    found: list[Any] = list(_of_items(tx, rule, skus, kits))
    if kits:
        found = sorted([*found, *_of_kits(tx, rule, kits)], key=lambda one: (one[0], one[1]))
    channel = rule.channel
    return [
        of_valid(
            AvailabilityDelta,
            channel=channel,
            sku=sku,
            node=node,
            units=int(units),
            told=told,
            sending=bool(sending),
        )
        for sku, node, units, told, sending in found
    ]


def mark_told(tx: Transaction, deltas: Iterable[AvailabilityDelta]) -> int:
    """Remember what channels were told; rows that did not change are not touched. Returns how many were written."""
    now = {(delta.channel, delta.node, delta.sku): delta.units for delta in deltas}
    stored = _stored(tx, now)
    changed = {
        key: units
        for key, units in now.items()
        if key not in stored or stored[key].units != units or stored[key].sending
    }
    _write(tx, stored, changed, sending=0)
    return len(changed)


def mark_sending(
    tx: Transaction, deltas: Iterable[AvailabilityDelta], *, spare_sending: bool = False
) -> dict[TellingKey, int]:
    """Remember numbers that are about to be sent, and return the versions of their rows for `settle_sent`.

    Until that the channel may show them or what it heard before, so `availability_deltas` holds them whatever the pool
    has. `spare_sending` leaves rows alone that are being sent already: by somebody else.
    """
    now = {(delta.channel, delta.node, delta.sku): delta.units for delta in deltas}
    stored = _stored(tx, now)
    if spare_sending:
        now = {key: units for key, units in now.items() if key not in stored or not stored[key].sending}
    return _write(tx, stored, now, sending=1)


def settle_sent(tx: Transaction, sent: Mapping[TellingKey, int], taken: Collection[TellingKey]) -> None:
    """The channel took some of the numbers that were marked with `mark_sending`; the others must be told again.

    A row that was marked by somebody else meanwhile is doubted: which of two numbers the channel heard last, nobody
    knows, so it is told again, also where the other one is still at it.
    """
    stored = _stored(tx, sent)
    overtaken = {key: stored[key].units for key, version in sent.items() if stored[key].version != version}
    _write(tx, stored, overtaken, sending=1)
    done = {key: stored[key].units for key in taken if key not in overtaken}
    _write(tx, stored, done, sending=0)


def expect_told(tx: Transaction, keys: Collection[TellingKey]) -> None:
    """Take note of what a channel shows and was never told: it may show anything, so even nothing must be told."""
    rows = [
        {**dict(zip(_KEYS, key, strict=True)), "units": 0, "sending": 1, "version": 1, "updated_at_us": tx.now_us}
        for key in keys
    ]
    tx.insert_new(tables.published, rows)


def doubt_told(tx: Transaction, keys: Collection[TellingKey]) -> None:
    """Forget what a channel shows of these: they are told again whatever the pool has, also nothing."""
    stored = _stored(tx, keys)
    doubted = {key: stored[key].units if key in stored else 0 for key in keys}
    _write(tx, stored, doubted, sending=1)


def _stored(tx: Transaction, keys: Collection[TellingKey]) -> dict[TellingKey, Any]:
    """The rows of these keys, locked in key order."""
    rows = tx.select(tables.published, (*_KEYS, "units", "sending", "version"), _KEYS, keys, lock=True)
    return {(row.channel, row.node, row.sku): row for row in rows}


def _write(
    tx: Transaction, stored: Mapping[TellingKey, Any], units: Mapping[TellingKey, int], *, sending: int
) -> dict[TellingKey, int]:
    """Write rows, each with its next version; returns the versions."""
    versions = {key: stored[key].version + 1 if key in stored else 1 for key in units}
    fresh = [(*key, number, sending, 1, tx.now_us) for key, number in sorted(units.items()) if key not in stored]
    tx.insert_tuples(tables.published, (*_KEYS, *_CHANGES), fresh)
    changed = [
        {
            **dict(zip(_KEYS, key, strict=True)),
            "units": number,
            "sending": sending,
            "version": versions[key],
            "updated_at_us": tx.now_us,
        }
        for key, number in units.items()
        if key in stored
    ]
    tx.update(tables.published, changed, keys=_KEYS, changes=_CHANGES)
    return versions


def told_units(rule: PublicationRule, units: int) -> int:
    """What the rule makes of so many units available to promise."""
    kept = max(rule.buffer, -(-units * rule.buffer_permille // 1000))
    told = max(0, units - kept)
    if rule.cap is not None:
        told = min(told, rule.cap)
    return told // rule.round_to * rule.round_to


def is_worth_telling(rule: PublicationRule, units: int, told: int | None) -> bool:
    """Whether a channel that was told `told` should hear of `units` now."""
    if told is None:
        return units > 0
    if units == told:
        return False
    return 0 in (units, told) or abs(units - told) >= rule.min_change or (told > units <= rule.exact_below)


def _of_items(tx: Transaction, rule: PublicationRule, skus: Sequence[str] | None, kits: Sequence[str]) -> Sequence[Any]:
    parameters: dict[str, Any] = {
        "pool": tx.pool,
        "channel": rule.channel,
        "cap": 2**62 if rule.cap is None else rule.cap,
        **rule.model_dump(include={"buffer", "buffer_permille", "round_to", "min_change", "exact_below"}),
    }
    withheld = sorted(withheld_nodes(tx, rule.channel))
    limits = channel_limits(tx, rule.channel)
    clauses = {
        "limits": _limits(tx, parameters, limits),
        "of_nodes": _among(tx, parameters, "node", "nodes", rule.nodes) if rule.nodes else "",
        "of_skus": "" if skus is None else _among(tx, parameters, "sku", "skus", sorted(set(skus))),
        "not_kit": _listed(tx, parameters, "NOT IN", "kits", kits),
        "node": "node" if rule.per_node else "''",
        "node_key": "node" if rule.per_node else "pool_id",
        "free": free_units(tx.postgres),
        "greatest": "greatest" if tx.postgres else "max",
        "least": "least" if tx.postgres else "min",
    }
    if withheld:
        clauses["of_nodes"] += " AND node " + _listed(tx, parameters, "NOT IN", "withheld", withheld)
    return tx.connection.execute(text(_DELTAS.format(**clauses)), parameters).all()


def _of_kits(
    tx: Transaction, rule: PublicationRule, kits: Sequence[str]
) -> Iterable[tuple[str, str, int, int | None, bool]]:
    units: dict[tuple[str, str], int] = {}
    for (kit, node), available in available_kits(tx, kits, channel=rule.channel).items():
        if not rule.nodes or node in rule.nodes:
            cell = (kit, node if rule.per_node else "")
            units[cell] = units.get(cell, 0) + available
    rows = tx.select(
        tables.published, ("sku", "node", "units", "sending"), ("channel", "sku"), [(rule.channel, kit) for kit in kits]
    )
    told = {(row.sku, row.node): (int(row.units), bool(row.sending)) for row in rows}
    for cell in units.keys() | told.keys():
        number, (before, sending) = told_units(rule, units.get(cell, 0)), told.get(cell, (None, False))
        if sending or is_worth_telling(rule, number, before):
            yield (*cell, number, before, sending)


def _limits(tx: Transaction, parameters: dict[str, Any], limits: Mapping[str, int]) -> str:
    """What quotas leave the channel of their items, as a bound table `l` of sku and units."""
    if tx.postgres:
        parameters["limited"], parameters["limit_units"] = list(limits), list(limits.values())
        return "unnest(CAST(:limited AS text[]), CAST(:limit_units AS bigint[])) AS l (sku, units)"
    parameters["limits"] = json.dumps(limits)
    return "(SELECT key AS sku, value AS units FROM json_each(:limits)) AS l"


def _among(tx: Transaction, parameters: dict[str, Any], column: str, name: str, values: Sequence[str]) -> str:
    return f"AND {column} {_listed(tx, parameters, 'IN', name, values)}"


def _listed(tx: Transaction, parameters: dict[str, Any], operator: str, name: str, values: Sequence[str]) -> str:
    """`IN` or `NOT IN` a bound list of any length."""
    if tx.postgres:
        parameters[name] = list(values)
        return f"{operator} (SELECT unnest(CAST(:{name} AS text[])))"
    parameters[name] = json.dumps(list(values))
    return f"{operator} (SELECT value FROM json_each(:{name}))"  # noqa: S608  # a name of ours, bound values
