"""What channels should be told: available to promise by each channel's rule, and only where it changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import text

from omo_core.inventory.availability import channel_limits, withheld_nodes
from omo_core.inventory.free_sql import free_units
from omo_core.inventory.kits import available_kits
from omo_core.model.availability import AvailabilityDelta, PublicationRule
from omo_core.storage import tables
from omo_core.storage.catalogue import kit_skus
from omo_core.storage.transaction import Transaction

_KEYS: Final = ("channel", "node", "sku")

# What quotas leave a channel is told node by node until it is used up, so that the numbers of all nodes add to it.
# Computed and compared in the database: of a hundred thousand listings only those that changed leave it.
_DELTAS: Final = """
WITH free AS (
    SELECT sku, {node} AS node, CAST(sum({free}) AS bigint) AS units
    FROM omo_stock AS t WHERE pool_id = :pool AND condition = 'sellable' AND sku {not_kit} {of_nodes} {of_skus} GROUP BY sku, {node_key}
), told AS (
    SELECT sku, node, units FROM omo_published WHERE pool_id = :pool AND channel = :channel {of_skus}
), shared AS (
    SELECT f.sku, f.node, CASE WHEN l.units IS NULL THEN f.units ELSE {least}(f.units, {greatest}(0,
        l.units - CAST(sum(f.units) OVER (PARTITION BY f.sku ORDER BY f.node) AS bigint) + f.units)) END AS units
    FROM free AS f LEFT JOIN {limits} ON l.sku = f.sku
), target AS (
    SELECT f.sku, f.node, t.units AS told,
        {least}(:cap, {greatest}(0, f.units - {greatest}(:buffer, (f.units * :buffer_permille + 999) / 1000)))
        / :round_to * :round_to AS units
    FROM shared AS f LEFT JOIN told AS t ON t.sku = f.sku AND t.node = f.node
    UNION ALL
    SELECT t.sku, t.node, t.units, 0 FROM told AS t
    WHERE t.units > 0 AND t.sku {not_kit} AND NOT EXISTS
        (SELECT 1 FROM free AS f WHERE f.sku = t.sku AND f.node = t.node)
)
SELECT sku, node, units, told FROM target
WHERE (told IS NULL AND units > 0) OR (units <> told AND (units = 0 OR told = 0
    OR units - told >= :min_change OR told - units >= :min_change OR (units < told AND units <= :exact_below)))
ORDER BY sku, node
"""


def availability_deltas(
    tx: Transaction, rule: PublicationRule, *, skus: Sequence[str] | None = None
) -> list[AvailabilityDelta]:
    """The numbers a channel must be told anew by its rule, of all items or of some, kits included, in key order.

    Nothing is written: send them, then say so with `mark_told`. An item the channel was never told of appears once it
    can be promised.
    """
    kits = kit_skus(tx, skus)
    rows = _of_items(tx, rule, skus, kits)
    found = [(row.sku, row.node, int(row.units), row.told) for row in rows]
    if kits:
        found = sorted([*found, *_of_kits(tx, rule, kits)])
    return [AvailabilityDelta(channel=rule.channel, sku=sku, node=node, units=u, told=t) for sku, node, u, t in found]


def mark_told(tx: Transaction, deltas: Iterable[AvailabilityDelta]) -> int:
    """Remember what channels were told; rows that did not change are not touched. Returns how many were written."""
    now = {(delta.channel, delta.node, delta.sku): delta.units for delta in deltas}
    stored = {
        tuple(row[:3]): row for row in tx.select(tables.published, (*_KEYS, "units", "version"), _KEYS, now, lock=True)
    }
    fresh = [(*key, units, 0, 1, tx.now_us) for key, units in sorted(now.items()) if key not in stored]
    tx.insert_tuples(tables.published, (*_KEYS, "units", "sending", "version", "updated_at_us"), fresh)
    changed = [
        {
            **dict(zip(_KEYS, key, strict=True)),
            "units": units,
            "version": stored[key].version + 1,
            "updated_at_us": tx.now_us,
        }
        for key, units in now.items()
        if key in stored and stored[key].units != units
    ]
    tx.update(tables.published, changed, keys=_KEYS, changes=("units", "version", "updated_at_us"))
    return len(fresh) + len(changed)


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


def _of_kits(tx: Transaction, rule: PublicationRule, kits: Sequence[str]) -> Iterable[tuple[str, str, int, int | None]]:
    units: dict[tuple[str, str], int] = {}
    for (kit, node), available in available_kits(tx, kits, channel=rule.channel).items():
        if not rule.nodes or node in rule.nodes:
            cell = (kit, node if rule.per_node else "")
            units[cell] = units.get(cell, 0) + available
    rows = tx.select(
        tables.published, ("sku", "node", "units"), ("channel", "sku"), [(rule.channel, kit) for kit in kits]
    )
    told = {(row.sku, row.node): int(row.units) for row in rows}
    for cell in units.keys() | told.keys():
        number = told_units(rule, units.get(cell, 0))
        if is_worth_telling(rule, number, told.get(cell)):
            yield (*cell, number, told.get(cell))


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
