"""Checks of promises, of the orders they are for, and of the facts told about both."""

from __future__ import annotations

from typing import Final

from omo_core.inventory.audit_check import Check

HOLD_PARTS = Check(
    8,
    "hold_parts_sum_to_whole",
    "Hold {hold} is {state} with {quantity} units: {pending} pending, {issued} issued ({returned} of them returned), "
    "{released} released.",
    """
    SELECT hold, sku, node, condition, state, quantity, pending, issued, returned, released FROM omo_hold /*scan*/
    WHERE pool_id = :pool AND (quantity <> pending + issued + released OR quantity <= 0 OR pending < 0 OR issued < 0
          OR released < 0 OR returned < 0 OR returned > issued OR condition <> 'sellable'
          OR CASE state WHEN 'issued' THEN pending > 0 WHEN 'confirmed' THEN pending = 0 WHEN 'placed' THEN pending = 0
             WHEN 'released' THEN pending > 0 WHEN 'expired' THEN pending > 0 ELSE 0 = 0 END)
    """,
)

ATTEMPTS_GROW = Check(
    9,
    "order_versions_only_grow",
    "Order {order_id} is at version {version} and attempt {attempt}, but attempt {seen} was recorded for it before.",
    """
    SELECT o.order_id, o.version, o.attempt, seen.seen FROM omo_order AS o
         JOIN (SELECT order_id, max(attempt) AS seen FROM
                   (SELECT order_id, attempt FROM omo_decision WHERE pool_id = :pool
                    UNION ALL SELECT order_id, attempt FROM omo_fulfilment WHERE pool_id = :pool) AS recorded
               GROUP BY order_id) AS seen ON seen.order_id = o.order_id
    WHERE o.pool_id = :pool AND seen.seen > o.attempt
    UNION ALL SELECT order_id, version, attempt, 0 FROM omo_order
    WHERE pool_id = :pool AND (version < 1 OR attempt < 0)
    """,
)

PENDING_IS_LIVE = Check(
    12,
    "pending_belongs_to_live_line",
    "Hold {hold} has {pending} pending units of {sku} at {node} for line {line} of order {owner}, which is {state} "
    "or has no such line of that item.",
    r"""
    SELECT h.hold, h.owner, h.line, h.sku, h.node, h.pending, o.state
    FROM omo_hold AS h /*scan*/ JOIN omo_order AS o ON o.pool_id = :pool AND o.order_id = h.owner
         LEFT JOIN omo_order_line AS l ON l.pool_id = :pool AND l.order_id = h.owner AND l.line = h.line
    WHERE h.pool_id = :pool AND h.pending <> 0
          AND (l.line IS NULL OR o.state IN ('cancelled', 'fulfilled')
               OR CASE WHEN l.components IS NULL THEN l.sku <> h.sku
                       ELSE replace(l.components, '"' || replace(replace(h.sku, '\', '\\'), '"', '\"') || '":', '')
                            = l.components END)
    """,
)

WITHIN_ORDERED = Check(
    13,
    "held_within_ordered",
    "Line {line} of order {owner} asks for {ordered} units, but its holds have {units} pending, or issued and kept.",
    """
    SELECT h.owner, h.line, min(l.ordered * coalesce(l.pieces, 1)) AS ordered, sum(h.pending + h.issued - h.returned) AS units
    FROM omo_hold AS h /*scan*/
         JOIN omo_order_line AS l ON l.pool_id = :pool AND l.order_id = h.owner AND l.line = h.line
    WHERE h.pool_id = :pool GROUP BY h.owner, h.line
    HAVING sum(h.pending + h.issued - h.returned) > min(l.ordered * coalesce(l.pieces, 1))
    """,
)

FACTS_WITHOUT_GAP = Check(
    15,
    "published_versions_without_gap",
    "{facts} facts of {subject} are published, but their versions run from {first} to {last}.",
    """
    SELECT subject, count(*) AS facts, min(version) AS first, max(version) AS last FROM omo_outbox
    WHERE pool_id = :pool GROUP BY subject HAVING min(version) <> 1 OR max(version) <> count(*)
    """,
)

HELD_WAIT = Check(
    22,
    "held_orders_are_not_offered",
    "Fulfilment order {fulfilment} is offered to {node}, but its order {order_id} is held.",
    """
    SELECT f.fulfilment, f.node, f.order_id FROM omo_fulfilment AS f
         JOIN omo_order AS o ON o.pool_id = :pool AND o.order_id = f.order_id
    WHERE f.pool_id = :pool AND f.state IN ('offered', 'accepted') AND f.state = 'offered' AND o.held = 1
    """,
)

CHECKS: Final = (HOLD_PARTS, ATTEMPTS_GROW, PENDING_IS_LIVE, WITHIN_ORDERED, FACTS_WITHOUT_GAP, HELD_WAIT)
