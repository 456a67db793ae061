"""Checks of stock rows: their counters, the holds behind what is reserved, and the postings that explain them."""

from __future__ import annotations

from typing import Final

from omo_core.inventory.audit_check import Check

NON_NEGATIVE = Check(
    1,
    "counters_not_negative",
    "{row} has {on_hand} on hand, {reserved} reserved, {safety} safety, {shortage} short and a safety share of "
    "{safety_permille} thousandths; none may be < 0, and the share not > 1000.",
    """
    SELECT sku, node, condition, on_hand, reserved, safety, shortage, safety_permille FROM omo_stock
    WHERE pool_id = :pool AND (on_hand < 0 OR reserved < 0 OR safety < 0 OR shortage < 0
          OR safety_permille < 0 OR safety_permille > 1000)
    """,
    halts=True,
)

WITHIN_ON_HAND = Check(
    2,
    "reserved_within_on_hand",
    "{row} has {reserved} units reserved but {on_hand} on hand.",
    "SELECT sku, node, condition, on_hand, reserved FROM omo_stock WHERE pool_id = :pool AND reserved > on_hand",
    halts=True,
)

RESERVED_IS_PENDING = Check(
    3,
    "reserved_is_pending",
    "{row} has {reserved} units reserved, but its holds have {pending} pending.",
    """
    SELECT sku, node, condition, sum(reserved) AS reserved, sum(pending) AS pending
    FROM (SELECT sku, node, condition, reserved, 0 AS pending FROM omo_stock WHERE pool_id = :pool AND reserved <> 0
          UNION ALL SELECT sku, node, condition, 0, pending FROM omo_hold /*scan*/
          WHERE pool_id = :pool AND pending <> 0) AS both_sides
    GROUP BY sku, node, condition HAVING sum(reserved) <> sum(pending)
    """,
    halts=True,
)

POSTINGS_FOLD = Check(
    4,
    "postings_fold_to_balance",
    "{row} has {on_hand} on hand, {reserved} reserved, {safety} safety and {shortage} short; its postings add "
    "to {sum_on_hand}, {sum_reserved}, {sum_safety} and {sum_shortage}.",
    """
    SELECT sku, node, condition, sum(on_hand) AS on_hand, sum(reserved) AS reserved, sum(safety) AS safety,
           sum(shortage) AS shortage, sum(posted_on_hand) AS sum_on_hand, sum(posted_reserved) AS sum_reserved,
           sum(posted_safety) AS sum_safety, sum(posted_shortage) AS sum_shortage
    FROM (SELECT sku, node, condition, on_hand, reserved, safety, shortage, 0 AS posted_on_hand, 0 AS posted_reserved,
                 0 AS posted_safety, 0 AS posted_shortage
          FROM omo_stock WHERE pool_id = :pool /*only*/
          UNION ALL SELECT sku, node, condition, 0, 0, 0, 0, quantity, reserved, safety, shortage
          FROM omo_posting WHERE pool_id = :pool AND row_version IS NOT NULL /*only*/) AS both_sides
    GROUP BY sku, node, condition
    HAVING sum(on_hand) <> sum(posted_on_hand) OR sum(reserved) <> sum(posted_reserved)
           OR sum(safety) <> sum(posted_safety) OR sum(shortage) <> sum(posted_shortage)
    """,
    halts=True,
    screened=True,
)

_LAST_POSTINGS = """
    (SELECT sku, node, condition, max(row_version) AS last FROM omo_posting
     WHERE pool_id = :pool AND row_version IS NOT NULL /*only*/ GROUP BY sku, node, condition)
"""

VERSION_IS_LAST = Check(
    5,
    "version_is_last_posting",
    "{row} is at version {version}, but its last posting is {last}; 0 stands for none.",
    f"""
    SELECT s.sku, s.node, s.condition, s.version, coalesce(p.last, 0) AS last
    FROM (SELECT sku, node, condition, version FROM omo_stock WHERE pool_id = :pool /*only*/) AS s
         LEFT JOIN {_LAST_POSTINGS} AS p ON p.sku = s.sku AND p.node = s.node AND p.condition = s.condition
    WHERE s.version <> coalesce(p.last, 0)
    UNION ALL
    SELECT p.sku, p.node, p.condition, 0, p.last FROM {_LAST_POSTINGS} AS p
    WHERE NOT EXISTS (SELECT 1 FROM omo_stock AS s WHERE s.pool_id = :pool AND s.sku = p.sku AND s.node = p.node
                      AND s.condition = p.condition)
    """,  # noqa: S608
    halts=True,
    screened=True,
)

VERSIONS_COUNT = Check(
    5,
    "versions_without_gap",
    "The postings of {row} go from version {previous} to {row_version}.",
    """
    SELECT sku, node, condition, previous, row_version,
           sku || ' ' || node || ' ' || condition || ' ' || previous || ' ' || row_version AS subject
    FROM (SELECT sku, node, condition, row_version, coalesce(lag(row_version) OVER w, 0) AS previous
          FROM omo_posting WHERE pool_id = :pool AND row_version IS NOT NULL /*only*/
          WINDOW w AS (PARTITION BY sku, node, condition ORDER BY row_version)) AS numbered
    WHERE row_version <> previous + 1
    """,
    history=True,
    halts=True,
    screened=True,
)

AFTER_VALUES_CHAIN = Check(
    5,
    "after_values_chain",
    "Posting {row_version} of {row} states {on_hand_after} on hand, {reserved_after} reserved, {safety_after} safety "
    "and {shortage_after} short; from the values before it follow {on_hand}, {reserved}, {safety} and {shortage}.",
    """
    SELECT sku, node, condition, row_version, on_hand_after, reserved_after, safety_after, shortage_after,
           on_hand, reserved, safety, shortage,
           sku || ' ' || node || ' ' || condition || ' ' || row_version || ' ' || on_hand_after || ' ' || on_hand
           || ' ' || reserved_after || ' ' || reserved || ' ' || safety_after || ' ' || safety
           || ' ' || shortage_after || ' ' || shortage AS subject
    FROM (SELECT sku, node, condition, row_version, on_hand_after, reserved_after, safety_after, shortage_after,
                 quantity + coalesce(lag(on_hand_after) OVER w, 0) AS on_hand,
                 reserved + coalesce(lag(reserved_after) OVER w, 0) AS reserved,
                 safety + coalesce(lag(safety_after) OVER w, 0) AS safety,
                 shortage + coalesce(lag(shortage_after) OVER w, 0) AS shortage
          FROM omo_posting WHERE pool_id = :pool AND row_version IS NOT NULL /*only*/
          WINDOW w AS (PARTITION BY sku, node, condition ORDER BY row_version)) AS chain
    WHERE on_hand_after <> on_hand OR reserved_after <> reserved OR safety_after <> safety
          OR shortage_after <> shortage
    """,
    history=True,
    halts=True,
    screened=True,
)

CHECKS: Final = (
    NON_NEGATIVE,
    WITHIN_ON_HAND,
    RESERVED_IS_PENDING,
    POSTINGS_FOLD,
    VERSION_IS_LAST,
    VERSIONS_COUNT,
    AFTER_VALUES_CHAIN,
)

# The ledger is most of what there is to read, so one pass over it tells whether the screened checks can find anything.
# A row is sound if its postings are numbered 1 to its version, each leads from the values before it to those it states,
# and the last one states what the row has: then they also add up to it. Each engine counts what is not sound, and the
# rows that are explained to their end, of which there must be as many as there are stock rows.

LONGEST: Final = 10_000
"""Postings of a row that SQLite's screen puts into one text; a longer history is looked at by the checks themselves."""

PART: Final = "/*part*/"
"""Stands where SQLite's screen can be kept to a part of the items, which another reader leaves out."""

_PART = "AND sku >= :since AND sku < :until"

# Windows cost SQLite thrice as much as reading the rows. So each counter's values after the row's postings, behind a 0,
# are put into one text, and the values before them, followed by what the row has, into another: they are the same. The
# index hands a row's postings out by version, and out of order they would differ, which is suspicious and no more.
_HISTORIES = f"""
    FROM (SELECT sku, node, condition, count(*) AS lines, min(row_version) AS first, max(row_version) AS last,
                 group_concat(on_hand_after) AS on_hand, group_concat(on_hand_after - quantity) AS on_hand_before,
                 group_concat(reserved_after) AS reserved, group_concat(reserved_after - reserved) AS reserved_before,
                 group_concat(safety_after) AS safety, group_concat(safety_after - safety) AS safety_before,
                 group_concat(shortage_after) AS shortage, group_concat(shortage_after - shortage) AS shortage_before
          FROM omo_posting INDEXED BY uq_omo_posting_row_version
          WHERE pool_id = :pool AND row_version <= {LONGEST} {PART} GROUP BY sku, node, condition) AS p
         LEFT JOIN omo_stock AS s ON s.pool_id = :pool AND s.sku = p.sku AND s.node = p.node
                   AND s.condition = p.condition
"""  # noqa: S608

_HISTORY_IS_SOUND = """
    coalesce(p.lines = s.version AND p.first = 1 AND p.last = s.version
             AND '0,' || p.on_hand = p.on_hand_before || ',' || s.on_hand
             AND '0,' || p.reserved = p.reserved_before || ',' || s.reserved
             AND '0,' || p.safety = p.safety_before || ',' || s.safety
             AND '0,' || p.shortage = p.shortage_before || ',' || s.shortage, 0)
"""

# PostgreSQL joins the ledger with itself by hash, in parallel; it would sort for a window in one process.
_STEPS = """
    FROM omo_posting AS p
         LEFT JOIN omo_posting AS q ON q.pool_id = :pool AND q.row_version IS NOT NULL AND q.sku = p.sku
                   AND q.node = p.node AND q.condition = p.condition AND q.row_version = p.row_version - 1
         LEFT JOIN omo_stock AS s ON s.pool_id = :pool AND s.sku = p.sku AND s.node = p.node
                   AND s.condition = p.condition
    WHERE p.pool_id = :pool AND p.row_version IS NOT NULL
"""

_STEP_IS_BROKEN = """
    (p.on_hand_after <> p.quantity + coalesce(q.on_hand_after, 0)
     OR p.reserved_after <> p.reserved + coalesce(q.reserved_after, 0)
     OR p.safety_after <> p.safety + coalesce(q.safety_after, 0)
     OR p.shortage_after <> p.shortage + coalesce(q.shortage_after, 0)
     OR (q.row_version IS NULL AND p.row_version <> 1) OR s.sku IS NULL OR p.row_version > s.version
     OR (p.row_version = s.version AND
         (p.on_hand_after <> s.on_hand OR p.reserved_after <> s.reserved OR p.safety_after <> s.safety
          OR p.shortage_after <> s.shortage)))
"""

_ROWS = "(SELECT count(*) FROM omo_stock WHERE pool_id = :pool)"

IS_SOUND_SQLITE: Final = f"""
    SELECT count(*) = coalesce(sum({_HISTORY_IS_SOUND}), 0)
           AND count(*) = (SELECT count(*) FROM omo_stock WHERE pool_id = :pool {_PART}) {_HISTORIES.replace(PART, _PART)}
"""  # noqa: S608
"""Binds the pool and the part: items from `since` up to, but not with, `until`."""

IS_SOUND_POSTGRES: Final = f"""
    SELECT count(*) FILTER (WHERE {_STEP_IS_BROKEN}) = 0
           AND count(*) FILTER (WHERE p.row_version = s.version) = {_ROWS} {_STEPS}
"""

_WITHOUT_LAST = """
    SELECT s.sku, s.node, s.condition FROM omo_stock AS s
    WHERE s.pool_id = :pool AND NOT EXISTS
          (SELECT 1 FROM omo_posting AS p WHERE p.pool_id = :pool AND p.sku = s.sku AND p.node = s.node
           AND p.condition = s.condition AND p.row_version = s.version)
"""

SUSPECTS_SQLITE: Final = (
    f"SELECT p.sku, p.node, p.condition {_HISTORIES} WHERE NOT {_HISTORY_IS_SOUND} UNION {_WITHOUT_LAST}"
)

SUSPECTS_POSTGRES: Final = f"SELECT p.sku, p.node, p.condition {_STEPS} AND {_STEP_IS_BROKEN} UNION {_WITHOUT_LAST}"
