"""Checks of operations: goods come from somewhere, a key is one answer, and an operation has all of its rows or none."""

from __future__ import annotations

from typing import Final

from omo_core.inventory.audit_check import Check

SUM_TO_ZERO = Check(
    6,
    "operations_sum_to_zero",
    "Operation {operation_id} moved {sku}, but its postings of that item add to {imbalance}, not to 0.",
    """
    SELECT DISTINCT b.sku, p.node, p.condition, b.operation_id, b.imbalance,
           b.operation_id || ' ' || b.sku || ' ' || b.imbalance AS subject
    FROM (SELECT operation_id, sku, sum(quantity) AS imbalance FROM omo_posting
          WHERE pool_id = :pool AND quantity <> 0 GROUP BY operation_id, sku HAVING sum(quantity) <> 0) AS b
         LEFT JOIN omo_posting AS p ON p.pool_id = :pool AND p.operation_id = b.operation_id AND p.sku = b.sku
              AND p.row_version IS NOT NULL
    """,
    history=True,
    halts=True,
)

# Two statements: lengths are read where the rows are, doubles are found in the index that should not let them in.
KEYS_ONCE = Check(
    7,
    "keys_applied_once",
    "The key {key} of {scope} does not stand for exactly one request and its answer.",
    """
    SELECT scope, key, scope || ' ' || key AS subject FROM omo_operation /*scan*/
    WHERE pool_id = :pool AND (length(request_sha256) <> 64 OR answer = '' OR kind = '')
    UNION ALL SELECT scope, key, scope || ' ' || key FROM omo_operation WHERE pool_id = :pool
    GROUP BY scope, key HAVING count(*) > 1
    """,
    history=True,
)

_REST_WITHOUT_OPERATION = """
    UNION ALL SELECT DISTINCT h.operation_id, 'a hold' FROM omo_hold AS h /*scan*/
    WHERE h.pool_id = :pool AND NOT EXISTS
          (SELECT 1 FROM omo_operation AS o WHERE o.pool_id = :pool AND o.operation_id = h.operation_id)
    UNION ALL SELECT DISTINCT t.operation_id, t.what FROM
        (SELECT operation_id, 'a count task' AS what FROM omo_count_task WHERE pool_id = :pool
         UNION ALL SELECT operation_id, 'a reading' FROM omo_reading WHERE pool_id = :pool
         UNION ALL SELECT operation_id, 'a transfer' FROM omo_transfer WHERE pool_id = :pool
         UNION ALL SELECT operation_id, 'an announced receipt' FROM omo_inbound WHERE pool_id = :pool
         UNION ALL SELECT operation_id, 'a backorder' FROM omo_backorder WHERE pool_id = :pool) AS t
    WHERE NOT EXISTS (SELECT 1 FROM omo_operation AS o WHERE o.pool_id = :pool AND o.operation_id = t.operation_id)
"""

# SQLite merges two sorted lists for EXCEPT … ORDER BY; PostgreSQL does better with NOT EXISTS, by hash and in parallel.
ROWS_HAVE_OPERATION = Check(
    11,
    "rows_have_their_operation",
    "Operation {operation_id} left {what}, but is not recorded itself.",
    f"""
    SELECT operation_id, what, operation_id || ' ' || what AS subject FROM
        (SELECT DISTINCT p.operation_id, 'a posting' AS what FROM omo_posting AS p
         WHERE p.pool_id = :pool AND NOT EXISTS
               (SELECT 1 FROM omo_operation AS o WHERE o.pool_id = :pool AND o.operation_id = p.operation_id)
         {_REST_WITHOUT_OPERATION}) AS strays
    """,  # noqa: S608
    sqlite=f"""
    SELECT operation_id, what, operation_id || ' ' || what AS subject FROM
        (SELECT operation_id, 'a posting' AS what FROM
             (SELECT operation_id FROM omo_posting WHERE pool_id = :pool
              EXCEPT SELECT operation_id FROM omo_operation WHERE pool_id = :pool ORDER BY 1)
         {_REST_WITHOUT_OPERATION}) AS strays
    """,  # noqa: S608
    history=True,
)

POSTING_KINDS: Final = (
    "receive",
    "counter_sale",
    "place_holds",
    "release_holds",
    "issue_holds",
    "release_units",
    "expire_holds",
    "ship_transfer",
    "receive_transfer",
    "return_goods",
    "change_condition",
    "repair",
)
"""Commands that change some row whenever they are applied; the others may find everything as they want it."""

_KINDS = ", ".join(f"'{kind}'" for kind in POSTING_KINDS)

# Answers are long: they are looked into only where nothing was posted.
_APPLIED = "answer LIKE '%\"refusals\":[]%'"

OPERATIONS_HAVE_ROWS = Check(
    11,
    "operations_have_their_rows",
    "Operation {operation_id} ({kind}) is recorded as applied, but left no posting.",
    f"""
    WITH bare AS MATERIALIZED
        (SELECT o.operation_id, o.kind, o.answer FROM omo_operation AS o
         WHERE o.pool_id = :pool AND o.kind IN ({_KINDS}) AND NOT EXISTS
               (SELECT 1 FROM omo_posting AS p WHERE p.pool_id = :pool AND p.operation_id = o.operation_id))
    SELECT operation_id, kind, operation_id AS subject FROM bare WHERE {_APPLIED}
    """,  # noqa: S608
    sqlite=f"""
    SELECT o.operation_id, o.kind, o.operation_id AS subject FROM
        (SELECT operation_id FROM omo_operation WHERE pool_id = :pool
         EXCEPT SELECT operation_id FROM omo_posting WHERE pool_id = :pool ORDER BY 1) AS bare
        CROSS JOIN omo_operation AS o ON o.pool_id = :pool AND o.operation_id = bare.operation_id
    WHERE o.kind IN ({_KINDS}) AND o.{_APPLIED}
    """,  # noqa: S608
    history=True,
)

CHECKS: Final = (SUM_TO_ZERO, KEYS_ONCE, ROWS_HAVE_OPERATION, OPERATIONS_HAVE_ROWS)
