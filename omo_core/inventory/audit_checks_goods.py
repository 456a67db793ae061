"""Checks of goods on their way, and of what may be promised beside stock: quotas, capacity, orders ahead of stock."""

from __future__ import annotations

from typing import Final

from omo_core.inventory.audit_check import Check

TRANSFERS_FOLD = Check(
    4,
    "transit_is_open_transfers",
    "The postings of {sku} on its way to {node} add to {posted}, but its transfers have {open} units there.",
    """
    SELECT sku, node, sum(posted) AS posted, sum(open) AS open
    FROM (SELECT sku, node, quantity AS posted, 0 AS open FROM omo_posting /*scan*/
          WHERE pool_id = :pool AND place = 'transit'
          UNION ALL SELECT sku, node, 0, shipped - received - lost FROM omo_transfer_line
          WHERE pool_id = :pool) AS both_sides
    GROUP BY sku, node HAVING sum(posted) <> sum(open)
    """,
)

TRANSFER_PARTS = Check(
    8,
    "transfer_parts_within_shipped",
    "Transfer {transfer} of {sku} is {state} with {shipped} units shipped, {received} received, {lost} lost and "
    "{extra} extra.",
    """
    SELECT transfer, sku, state, shipped, received, lost, extra FROM omo_transfer_line AS l
    WHERE pool_id = :pool AND (shipped < 0 OR received < 0 OR lost < 0 OR extra < 0 OR received + lost > shipped
          OR (state = 'open') <> (received + lost < shipped)
          OR NOT EXISTS (SELECT 1 FROM omo_transfer AS t WHERE t.pool_id = :pool AND t.transfer = l.transfer))
    """,
)

RECEIPT_PARTS = Check(
    8,
    "receipt_state_is_its_parts",
    "Receipt {reference} of {sku} at {node} is {state} with {expected} units expected and {received} received.",
    """
    SELECT reference, sku, node, state, expected, received FROM omo_inbound
    WHERE pool_id = :pool AND (expected < 0 OR received < 0
          OR CASE state WHEN 'open' THEN received >= expected OR due_at_us IS NULL WHEN 'done' THEN received < expected
             WHEN 'cancelled' THEN 0 = 1 ELSE 0 = 0 END)
    """,
)

QUOTA_USED = Check(
    14,
    "quota_used_is_held",
    "Channel {channel} has used {used} of its {units} units ({kind}) of {sku}, but holds that count towards them have "
    "{held} pending and issued.",
    """
    SELECT q.sku, q.channel, q.kind, q.units, q.used, coalesce(h.held, 0) AS held
    FROM omo_quota AS q LEFT JOIN
         (SELECT quota, sum(pending + issued) AS held FROM omo_hold /*scan*/
          WHERE pool_id = :pool AND quota IS NOT NULL GROUP BY quota) AS h ON h.quota = q.quota
    WHERE q.pool_id = :pool AND (q.used <> coalesce(h.held, 0) OR (q.kind = 'capped' AND q.used > q.units))
    """,
)

CAPACITY_USED = Check(
    14,
    "capacity_used_is_claimed",
    "The slot of {node} that begins at {slot_at_us} µs takes {capacity} and has {used} used, but its claims have "
    "{claimed} held and done.",
    """
    SELECT node, slot_at_us, sum(capacity) AS capacity, sum(used) AS used, sum(claimed) AS claimed
    FROM (SELECT node, slot_at_us, capacity, used, 0 AS claimed FROM omo_capacity_slot WHERE pool_id = :pool
          UNION ALL SELECT node, slot_at_us, 0, 0, held + done FROM omo_slot_claim WHERE pool_id = :pool) AS both_sides
    GROUP BY node, slot_at_us HAVING sum(used) <> sum(claimed) OR sum(used) > sum(capacity)
    """,
)

BACKORDERS = Check(
    14,
    "promised_ahead_is_open",
    "Of {sku} at '{node}' up to {cap} units may be promised ahead and {promised} are, but its backorders have {open} open.",
    """
    SELECT sku, node, sum(cap) AS cap, sum(promised) AS promised, sum(open) AS open
    FROM (SELECT sku, node, cap, promised, 0 AS open FROM omo_backorder_cap WHERE pool_id = :pool
          UNION ALL SELECT sku, node, 0, 0, open FROM omo_backorder WHERE pool_id = :pool) AS both_sides
    GROUP BY sku, node HAVING sum(promised) <> sum(open) OR sum(promised) > sum(cap)
    """,
)

BACKORDER_PARTS = Check(
    8,
    "backorder_parts_sum_to_whole",
    "Backorder {backorder} promises {quantity} units: {open} open, {converted} converted, {released} released.",
    """
    SELECT backorder, sku, quantity, open, converted, released FROM omo_backorder
    WHERE pool_id = :pool AND (quantity <> open + converted + released OR quantity <= 0 OR open < 0 OR converted < 0
          OR released < 0)
    """,
)

CHECKS: Final = (TRANSFERS_FOLD, TRANSFER_PARTS, RECEIPT_PARTS, BACKORDER_PARTS, QUOTA_USED, CAPACITY_USED, BACKORDERS)
