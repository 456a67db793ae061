"""What the auditor asks: each invariant a state can show as one set-based statement that finds what breaks it.

Each statement runs on both engines, sees one snapshot, and returns nothing from a sound database. Columns `sku` and
`node` name the stock row to halt; the sentence is filled from the columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Check:
    """One question: the invariant's number in the house's list, a name, what to say, and how to find it."""

    invariant: int
    name: str
    sentence: str
    sql: str


NON_NEGATIVE = Check(
    1,
    "counters_not_negative",
    "{sku} at {node} has {on_hand} on hand, {reserved} reserved, {safety} safety and {shortage} short; none may be < 0.",
    """
    SELECT sku, node, on_hand, reserved, safety, shortage FROM omo_stock
    WHERE pool_id = :pool AND (on_hand < 0 OR reserved < 0 OR safety < 0 OR shortage < 0)
    """,
)

WITHIN_ON_HAND = Check(
    2,
    "reserved_within_on_hand",
    "{sku} at {node} has {reserved} units reserved but {on_hand} on hand.",
    "SELECT sku, node, on_hand, reserved FROM omo_stock WHERE pool_id = :pool AND reserved > on_hand",
)

RESERVED_IS_PENDING = Check(
    3,
    "reserved_is_pending",
    "{sku} at {node} has {reserved} units reserved, but its holds have {pending} pending.",
    """
    SELECT s.sku, s.node, s.reserved, coalesce(h.pending, 0) AS pending
    FROM omo_stock AS s LEFT JOIN
         (SELECT sku, node, condition, sum(pending) AS pending FROM omo_hold
          WHERE pool_id = :pool AND pending <> 0 GROUP BY sku, node, condition) AS h
         ON h.sku = s.sku AND h.node = s.node AND h.condition = s.condition
    WHERE s.pool_id = :pool AND s.reserved <> coalesce(h.pending, 0)
    UNION ALL
    SELECT h.sku, h.node, 0, sum(h.pending) FROM omo_hold AS h
    WHERE h.pool_id = :pool AND h.pending <> 0 AND NOT EXISTS
          (SELECT 1 FROM omo_stock AS s WHERE s.pool_id = h.pool_id AND s.sku = h.sku AND s.node = h.node
           AND s.condition = h.condition)
    GROUP BY h.sku, h.node, h.condition
    """,
)

POSTINGS_FOLD = Check(
    4,
    "postings_fold_to_balance",
    "{sku} at {node} has {on_hand} on hand, {reserved} reserved, {safety} safety and {shortage} short; its postings add "
    "to {sum_on_hand}, {sum_reserved}, {sum_safety} and {sum_shortage}.",
    """
    SELECT sku, node, sum(on_hand) AS on_hand, sum(reserved) AS reserved, sum(safety) AS safety,
           sum(shortage) AS shortage, sum(posted_on_hand) AS sum_on_hand, sum(posted_reserved) AS sum_reserved,
           sum(posted_safety) AS sum_safety, sum(posted_shortage) AS sum_shortage
    FROM (SELECT sku, node, condition, on_hand, reserved, safety, shortage, 0 AS posted_on_hand, 0 AS posted_reserved,
                 0 AS posted_safety, 0 AS posted_shortage
          FROM omo_stock WHERE pool_id = :pool
          UNION ALL SELECT sku, node, condition, 0, 0, 0, 0, quantity, reserved, safety, shortage
          FROM omo_posting WHERE pool_id = :pool AND place = 'stock') AS both_sides
    GROUP BY sku, node, condition
    HAVING sum(on_hand) <> sum(posted_on_hand) OR sum(reserved) <> sum(posted_reserved)
           OR sum(safety) <> sum(posted_safety) OR sum(shortage) <> sum(posted_shortage)
    """,
)

VERSIONS_COUNT = Check(
    5,
    "versions_without_gap",
    "{sku} at {node} is at version {version}, but has {lines} postings, numbered {first} to {last}.",
    """
    SELECT s.sku, s.node, s.version,
           (SELECT count(*) FROM omo_posting AS p
            WHERE p.pool_id = s.pool_id AND p.sku = s.sku AND p.node = s.node AND p.condition = s.condition
                  AND p.row_version IS NOT NULL) AS lines,
           (SELECT coalesce(min(p.row_version), 0) FROM omo_posting AS p
            WHERE p.pool_id = s.pool_id AND p.sku = s.sku AND p.node = s.node AND p.condition = s.condition
                  AND p.row_version IS NOT NULL) AS first,
           (SELECT coalesce(max(p.row_version), 0) FROM omo_posting AS p
            WHERE p.pool_id = s.pool_id AND p.sku = s.sku AND p.node = s.node AND p.condition = s.condition
                  AND p.row_version IS NOT NULL) AS last
    FROM omo_stock AS s
    WHERE s.pool_id = :pool AND
          (SELECT count(*) <> s.version OR coalesce(min(p.row_version), 0) <> 1
                  OR coalesce(max(p.row_version), 0) <> s.version
           FROM omo_posting AS p
           WHERE p.pool_id = s.pool_id AND p.sku = s.sku AND p.node = s.node AND p.condition = s.condition
                 AND p.row_version IS NOT NULL)
    """,
)

# Stock lines are picked by `place`, not by having a version: so SQLite sorts them in one pass instead of following the
# index of versions back to each line, which takes twice as long.
AFTER_VALUES_CHAIN = Check(
    5,
    "after_values_chain",
    "Posting {row_version} of {sku} at {node} does not lead from the values before it to those it states.",
    """
    SELECT sku, node, row_version FROM
        (SELECT sku, node, row_version, on_hand_after, reserved_after, safety_after, shortage_after,
                quantity + coalesce(lag(on_hand_after) OVER w, 0) AS on_hand,
                reserved + coalesce(lag(reserved_after) OVER w, 0) AS reserved,
                safety + coalesce(lag(safety_after) OVER w, 0) AS safety,
                shortage + coalesce(lag(shortage_after) OVER w, 0) AS shortage
         FROM omo_posting WHERE pool_id = :pool AND place = 'stock'
         WINDOW w AS (PARTITION BY sku, node, condition ORDER BY row_version)) AS chain
    WHERE on_hand_after <> on_hand OR reserved_after <> reserved OR safety_after <> safety
          OR shortage_after <> shortage
    """,
)

SUM_TO_ZERO = Check(
    6,
    "operations_sum_to_zero",
    "Operation {operation_id} moved {sku}, but its postings of that item add to {imbalance}, not to 0.",
    """
    SELECT DISTINCT b.sku, p.node, b.operation_id, b.imbalance FROM
        (SELECT operation_id, sku, sum(quantity) AS imbalance FROM omo_posting WHERE pool_id = :pool
         GROUP BY operation_id, sku HAVING sum(quantity) <> 0) AS b
        LEFT JOIN omo_posting AS p ON p.pool_id = :pool AND p.operation_id = b.operation_id AND p.sku = b.sku
             AND p.row_version IS NOT NULL
    """,
)

KEYS_ONCE = Check(
    7,
    "keys_applied_once",
    "The key {key} of {scope} does not stand for exactly one request and its answer.",
    """
    SELECT scope, key FROM omo_operation WHERE pool_id = :pool
    GROUP BY scope, key
    HAVING count(*) > 1 OR min(length(request_sha256)) <> 64 OR min(length(answer)) = 0 OR min(length(kind)) = 0
    """,
)

HOLD_PARTS = Check(
    8,
    "hold_parts_sum_to_whole",
    "Hold {hold} is {state} with {quantity} units: {pending} pending, {issued} issued, {released} released.",
    """
    SELECT hold, sku, node, state, quantity, pending, issued, released FROM omo_hold
    WHERE pool_id = :pool AND (quantity <> pending + issued + released OR quantity <= 0 OR pending < 0 OR issued < 0
          OR released < 0 OR (pending > 0) <> (state IN ('placed', 'confirmed'))
          OR state NOT IN ('placed', 'confirmed', 'issued', 'released', 'expired'))
    """,
)

ROWS_HAVE_OPERATION = Check(
    11,
    "rows_have_their_operation",
    "Operation {operation_id} left {what}, but is not recorded itself.",
    """
    SELECT DISTINCT operation_id, what FROM
        (SELECT operation_id, 'a posting' AS what FROM omo_posting WHERE pool_id = :pool
         UNION ALL SELECT operation_id, 'a hold' FROM omo_hold WHERE pool_id = :pool
         UNION ALL SELECT operation_id, 'a count task' FROM omo_count_task WHERE pool_id = :pool) AS r
    WHERE NOT EXISTS (SELECT 1 FROM omo_operation AS o WHERE o.pool_id = :pool AND o.operation_id = r.operation_id)
    """,
)

OPERATIONS_HAVE_ROWS = Check(
    11,
    "operations_have_their_rows",
    "Operation {operation_id} ({kind}) is recorded as applied, but left no posting.",
    """
    SELECT o.operation_id, o.kind FROM omo_operation AS o
    WHERE o.pool_id = :pool AND o.answer LIKE '%"refusals":[]%'
          AND o.kind IN ('receive', 'counter_sale', 'place_holds', 'release_holds', 'issue_holds', 'expire_holds')
          AND NOT EXISTS (SELECT 1 FROM omo_posting AS p WHERE p.pool_id = :pool AND p.operation_id = o.operation_id)
    """,
)

PENDING_IS_LIVE = Check(
    12,
    "pending_belongs_to_live_line",
    "Hold {hold} has {pending} pending units of {sku} at {node} for line {line} of order {owner}, which is {state} "
    "or has no such line of that item.",
    """
    SELECT h.hold, h.owner, h.line, h.sku, h.node, h.pending, o.state
    FROM omo_hold AS h JOIN omo_order AS o ON o.pool_id = h.pool_id AND o.order_id = h.owner
         LEFT JOIN omo_order_line AS l ON l.pool_id = h.pool_id AND l.order_id = h.owner AND l.line = h.line
    WHERE h.pool_id = :pool AND h.pending <> 0
          AND (l.line IS NULL OR l.sku <> h.sku OR o.state IN ('cancelled', 'fulfilled'))
    """,
)

WITHIN_ORDERED = Check(
    13,
    "held_within_ordered",
    "Line {line} of order {owner} asks for {ordered} units, but its holds have {units} pending and issued.",
    """
    SELECT h.owner, h.line, l.ordered, h.units FROM
        (SELECT owner, line, sum(pending + issued) AS units FROM omo_hold WHERE pool_id = :pool
         GROUP BY owner, line) AS h
        JOIN omo_order_line AS l ON l.pool_id = :pool AND l.order_id = h.owner AND l.line = h.line
    WHERE h.units > l.ordered
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

CHECKS: Final = (
    NON_NEGATIVE,
    WITHIN_ON_HAND,
    RESERVED_IS_PENDING,
    POSTINGS_FOLD,
    VERSIONS_COUNT,
    AFTER_VALUES_CHAIN,
    SUM_TO_ZERO,
    KEYS_ONCE,
    HOLD_PARTS,
    ROWS_HAVE_OPERATION,
    OPERATIONS_HAVE_ROWS,
    PENDING_IS_LIVE,
    WITHIN_ORDERED,
    FACTS_WITHOUT_GAP,
)

HALTING: Final = frozenset({1, 2, 3, 4, 5, 6})
"""Invariants of a stock row: one that breaks them promises nothing until a person has repaired it."""
