"""What channels should be told: available to promise by each channel's rule, and only where it changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

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


class Sending(NamedTuple):
    """A number that is being sent, and the version of the row that says so."""

    units: int
    version: int


_KEYS: Final = ("channel", "node", "sku")
_CHANGES: Final = ("units", "sending", "version", "updated_at_us")

# What quotas leave a channel is told node by node until it is used up, so that the numbers of all nodes add to it.
_UNITS: Final = """
WITH free AS (
    SELECT sku, {node} AS node, CAST(sum({free}) AS bigint) AS units
    FROM omo_stock AS t WHERE pool_id = :pool AND condition = 'sellable' {of_stock} {of_skus} GROUP BY sku, {node_key}
), {shared} units AS (
    SELECT f.sku, f.node,
        {least}(:cap, {greatest}(0, f.units - {greatest}(:buffer, (f.units * :buffer_permille + 999) / 1000)))
        / :round_to * :round_to AS units
    FROM {source} AS f
)"""

_SHARED: Final = """l AS (SELECT * FROM {limits}), shared AS (
    SELECT f.sku, f.node, CASE WHEN l.units IS NULL THEN f.units ELSE {least}(f.units, {greatest}(0,
        l.units - CAST(sum(f.units) OVER (PARTITION BY f.sku ORDER BY f.node) AS bigint) + f.units)) END AS units
    FROM free AS f LEFT JOIN l ON l.sku = f.sku
),"""

# Computed and compared in the database: of a hundred thousand listings only those that changed leave it. What is there
# and what was told are put under each other and grouped, not joined: of a table that has just been filled a planner
# knows nothing, and would go through all of one side for each row of the other.
_DELTAS: Final = """, cells AS (
    SELECT sku, node, units, CAST(NULL AS bigint) AS told, CAST(0 AS bigint) AS sending FROM units
    UNION ALL
    SELECT sku, node, 0, units, sending FROM omo_published
    WHERE pool_id = :pool AND channel = :channel {not_kit} {of_skus}
), target AS (
    SELECT sku, node, max(units) AS units, max(told) AS told, max(sending) AS sending FROM cells GROUP BY sku, node
)
SELECT sku, node, units, told, sending FROM target
WHERE sending = 1 OR (told IS NULL AND units > 0) OR (units <> told AND (units = 0 OR told = 0
    OR units - told >= :min_change OR told - units >= :min_change OR (units < told AND units <= :exact_below)))
ORDER BY sku, node
"""

_NUMBERS: Final = " SELECT sku, node, units FROM units"


def availability_deltas(
    tx: Transaction, rule: PublicationRule, *, skus: Sequence[str] | None = None
) -> list[AvailabilityDelta]:
    """The numbers a channel must be told anew by its rule, of all items or of some, kits included, in key order.

    Nothing is written: send them, then say so with `mark_told`. An item the channel was never told of appears once it
    can be promised; one whose number was being sent appears whatever it is now.
    """
    kits = kit_skus(tx, skus)
    found: list[Any] = list(_ask(tx, rule, skus, kits, _DELTAS))
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
    tx: Transaction, rule: PublicationRule, cells: Collection[tuple[str, str]], *, spare_sending: bool = False
) -> tuple[dict[TellingKey, Sending], int]:
    """Compute the numbers of (sku, node) cells anew and remember those worth telling, which are about to be sent.

    Until `settle_sent` the channel may show them or what it heard before, so `availability_deltas` holds them whatever
    the pool has. `spare_sending` leaves rows alone that are being sent already, by somebody else; returned are the
    others, and how many were left.
    """
    stored = _stored(tx, [(rule.channel, node, sku) for sku, node in cells])
    numbers = _numbers(tx, rule, sorted({sku for sku, _ in cells}))
    now: dict[TellingKey, int] = {}
    spared = 0
    for sku, node in cells:
        key, units = (rule.channel, node, sku), numbers.get((sku, node), 0)
        row = stored.get(key)
        if row is not None and row.sending and spare_sending:
            spared += 1
        elif (row is not None and row.sending) or is_worth_telling(rule, units, None if row is None else row.units):
            now[key] = units
    versions = _write(tx, stored, now, sending=1)
    return {key: Sending(units, versions[key]) for key, units in now.items()}, spared


def settle_sent(tx: Transaction, sent: Mapping[TellingKey, Sending], taken: Collection[TellingKey]) -> None:
    """The channel took some of the numbers that were marked with `mark_sending`; the others must be told again.

    A row that was marked by somebody else meanwhile is doubted: which of two numbers the channel heard last, nobody
    knows, so it is told again, also where the other one is still at it.
    """
    stored = _stored(tx, sent)
    overtaken = {key: stored[key].units for key, one in sent.items() if stored[key].version != one.version}
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


def _ask(
    tx: Transaction, rule: PublicationRule, skus: Sequence[str] | None, kits: Sequence[str], question: str
) -> Sequence[Any]:
    """What the pool can serve of its items by the rule, and a question about that."""
    parameters: dict[str, Any] = {
        "pool": tx.pool,
        "channel": rule.channel,
        "cap": 2**62 if rule.cap is None else rule.cap,
        **rule.model_dump(include={"buffer", "buffer_permille", "round_to", "min_change", "exact_below"}),
    }
    withheld = sorted(withheld_nodes(tx, rule.channel))
    limits = channel_limits(tx, rule.channel)
    engine = {
        "greatest": "greatest" if tx.postgres else "max",
        "least": "least" if tx.postgres else "min",
        "limits": _limits(tx, parameters, limits),
    }
    not_kit = f"AND sku {_listed(tx, parameters, 'NOT IN', 'kits', kits)}" if kits else ""
    of_stock = not_kit
    if rule.nodes:
        of_stock += f" AND node {_listed(tx, parameters, 'IN', 'nodes', rule.nodes)}"
    if withheld:
        of_stock += f" AND node {_listed(tx, parameters, 'NOT IN', 'withheld', withheld)}"
    sql = (_UNITS + question).format(
        of_stock=of_stock,
        not_kit=not_kit,
        of_skus="" if skus is None else f"AND sku {_listed(tx, parameters, 'IN', 'skus', sorted(set(skus)))}",
        node="node" if rule.per_node else "''",
        node_key="node" if rule.per_node else "pool_id",
        free=free_units(tx.postgres),
        shared=_SHARED.format(**engine) if limits else "",
        source="shared" if limits else "free",
        **engine,
    )
    return tx.connection.execute(text(sql), parameters).all()


def _numbers(tx: Transaction, rule: PublicationRule, skus: Sequence[str]) -> dict[tuple[str, str], int]:
    """What the rule makes of what the pool can serve of some items, by (sku, node); what is not there has nothing."""
    kits = kit_skus(tx, skus)
    numbers = {(sku, node): int(units) for sku, node, units in _ask(tx, rule, skus, kits, _NUMBERS)}
    if kits:
        numbers |= {cell: told_units(rule, units) for cell, units in _units_of_kits(tx, rule, kits).items()}
    return numbers


def _units_of_kits(tx: Transaction, rule: PublicationRule, kits: Sequence[str]) -> dict[tuple[str, str], int]:
    units: dict[tuple[str, str], int] = {}
    for (kit, node), available in available_kits(tx, kits, channel=rule.channel).items():
        if not rule.nodes or node in rule.nodes:
            cell = (kit, node if rule.per_node else "")
            units[cell] = units.get(cell, 0) + available
    return units


def _of_kits(
    tx: Transaction, rule: PublicationRule, kits: Sequence[str]
) -> Iterable[tuple[str, str, int, int | None, bool]]:
    units = _units_of_kits(tx, rule, kits)
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


def _listed(tx: Transaction, parameters: dict[str, Any], operator: str, name: str, values: Sequence[str]) -> str:
    """`IN` or `NOT IN` a bound list of any length."""
    if tx.postgres:
        parameters[name] = list(values)
        # An array that is compared with is looked up in the index of the key, one that is joined with may not be.
        return f"{'= ANY' if operator == 'IN' else '<> ALL'} (CAST(:{name} AS text[]))"
    parameters[name] = json.dumps(list(values))
    return f"{operator} (SELECT value FROM json_each(:{name}))"  # noqa: S608  # a name of ours, bound values
